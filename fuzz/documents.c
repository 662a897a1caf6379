/* Any bytes as text, Markdown, HTML, CSV, JSON and code, in any encoding: refused with a reason, or blocks in order of the file whose runs
 * lie inside it, tile their text, and begin and end between characters; cut into passages they survive
 * the record, and every sentence has an origin; chunks of a size that is asked for keep to it and lose nothing. The first byte chooses the format. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "knowledge/chunks.h"

static bool between_characters(struct str s, size_t at)
{
    return at == s.len || ((uint8_t)s.ptr[at] & 0xC0) != 0x80;
}

static uint32_t check_block(const struct block *b, struct str source, uint32_t reached)
{
    uint32_t text = 0, line = 0;
    /* Decoded files know their characters by steps; a zero byte makes UTF-16 of what could be UTF-8. */
    bool utf8 = utf8_valid(source) && str_find_char(source, 0) == source.len;

    ASSERT(b->text.len > 0 && b->run_count > 0 && utf8_valid(b->text));
    for (size_t i = 0; i < b->run_count; i++) {
        const struct run *r = &b->runs[i];

        ASSERT(r->text_at == text && r->text_len > 0);
        ASSERT(r->source_at >= reached && r->source_at + r->source_len <= source.len);
        ASSERT(!utf8 || between_characters(source, r->source_at));
        ASSERT(!utf8 || between_characters(source, r->source_at + r->source_len));
        ASSERT(!utf8 || !r->text_step);
        ASSERT(between_characters(b->text, r->text_at));
        ASSERT(r->line >= 1 && r->line >= line);
        text += r->text_len;
        reached = r->source_at + r->source_len;
        line = r->line;
    }
    ASSERT(text == b->text.len);
    return reached;
}

static void check_passage(struct arena *arena, const struct passage *p, struct str source)
{
    struct sentence *sentences;
    struct passage back;
    struct buf record;
    struct err err = {0};
    size_t count;

    buf_init(&record, arena, 16 * MIB);
    passage_write(&record, p);
    ASSERT(buf_ok(&record) && passage_read(arena, buf_view(&record), &back));
    ASSERT(back.count == p->count && str_eq(back.heading, p->heading));
    ASSERT(sentences_split(arena, &back, &sentences, &count, &err));
    for (size_t i = 0; i < count; i++) {
        struct sentence s = sentences[i];
        struct origin o = block_origin(&back.blocks[s.block], s.from, s.to);

        ASSERT(o.byte_first <= o.byte_end && o.byte_end <= source.len);
        ASSERT(o.line_first >= 1 && o.line_first <= o.line_last);
    }
}

/* Chunks are no larger than asked for, repeat no more than asked for, and without what they repeat they are the text. */
static void check_chunks(struct arena *arena, const struct document *d, struct str source,
                         struct chunking chunking)
{
    struct buf text, chunks;
    struct passage *list;
    struct err err = {0};
    size_t count;

    buf_init(&text, arena, 16 * MIB);
    buf_init(&chunks, arena, 16 * MIB);
    for (size_t i = 0; i < d->count; i++)
        if (d->blocks[i].kind != BLOCK_HEADING)
            buf_str(&text, d->blocks[i].text);
    ASSERT(passages_chunk(arena, d, chunking, &list, &count, &err));
    for (size_t i = 0; i < count; i++) {
        size_t repeated = i ? passage_repeats(&list[i - 1], &list[i]) : 0;
        uint32_t weight = 0, again = 0;

        check_passage(arena, &list[i], source);
        for (size_t k = 0; k < list[i].count; k++) {
            weight += passage_weight(list[i].blocks[k].text);
            again += k < repeated ? passage_weight(list[i].blocks[k].text) : 0;
            if (k >= repeated)
                buf_str(&chunks, list[i].blocks[k].text);
        }
        ASSERT(weight <= chunking.tokens * TOKEN_WEIGHT);
        ASSERT(again <= chunking.overlap * TOKEN_WEIGHT && repeated < list[i].count);
    }
    ASSERT(str_eq(buf_view(&text), buf_view(&chunks)));
}

static void check_document(struct arena *arena, struct str source, enum document_type type,
                           struct chunking chunking)
{
    struct document d;
    struct passage *passages;
    struct err err = {0};
    uint32_t reached = 0;
    size_t count;

    if (!document_read(arena, source, type, &d, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return;
    }
    for (size_t i = 0; i < d.count; i++)
        reached = check_block(&d.blocks[i], source, reached);
    ASSERT(passages_cut(arena, &d, &passages, &count, &err));
    for (size_t i = 0; i < count; i++)
        check_passage(arena, &passages[i], source);
    check_chunks(arena, &d, source, chunking);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str source = {(const char *)data + 1, size ? size - 1 : 0};
    static const enum document_type types[] = {DOCUMENT_TEXT, DOCUMENT_MARKDOWN, DOCUMENT_HTML,
                                               DOCUMENT_CSV,  DOCUMENT_JSON,     DOCUMENT_CODE};

    if (size > 1 && size < 64 * KIB)
        check_document(
            arena, source, types[data[0] % ARRAY_LEN(types)],
            (struct chunking){CHUNK_TOKENS_MIN, (uint32_t)size % (CHUNK_TOKENS_MIN / 2 + 1)});
    return 0;
}
