/* What holds for every reader of files that are not text, whatever the bytes. */
#ifndef WEIR_FUZZ_READER_H
#define WEIR_FUZZ_READER_H

#include "base/utf8.h"
#include "fuzz.h"
#include "knowledge/passage.h"
#include "knowledge/readers.h"

static inline void fuzz_rendition(struct arena *arena, const struct rendition *made)
{
    struct rendition back;
    struct document d;
    struct passage *passages, again;
    struct err err = {0};
    struct buf pipe, record;
    size_t count;

    buf_init(&pipe, arena, 256 * MIB);
    rendition_write(&pipe, made);
    ASSERT(buf_ok(&pipe) && rendition_read(arena, buf_view(&pipe), &back));
    ASSERT(str_eq(back.text, made->text) && back.count == made->count);
    ASSERT(rendition_document(arena, &back, &d, &err));
    ASSERT(passages_cut(arena, &d, &passages, &count, &err));
    for (size_t i = 0; i < count; i++) {
        buf_init(&record, arena, 64 * MIB);
        passage_write(&record, &passages[i]);
        ASSERT(buf_ok(&record) && passage_read(arena, buf_view(&record), &again));
        ASSERT(again.count == passages[i].count);
    }
}

static inline void fuzz_reader(struct arena *arena, reader_fn *read, struct str bytes)
{
    struct rendering *r = arena_alloc(arena, sizeof *r);
    struct rendition made;
    struct err err = {0};

    ASSERT(r);
    rendering_init(r, arena);
    if (read(bytes, r, &err) && rendering_end(r, &made, &err))
        fuzz_rendition(arena, &made);
    else
        ASSERT(err.code != ERR_NONE && err.text[0] && utf8_valid(str_from(err.text)));
}

#endif
