/* Any text: its names are keys that fit the index and make themselves when read again, no two of a passage alike;
 * they stand in sentences of the passage, between characters; the record gives them back. Any bytes as a record are
 * refused or hold what they promise. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "knowledge/entities.h"

static bool between_characters(struct str s, size_t at)
{
    return at == s.len || ((uint8_t)s.ptr[at] & 0xC0) != 0x80;
}

static void check_numbers(const struct mentions *m, const uint32_t *numbers, size_t count)
{
    ASSERT(count <= NAMES_PER_PASSAGE);
    for (size_t i = 0; i < count; i++)
        ASSERT(numbers[i] < m->count);
}

static void check_mentions(const struct passage *p, const struct mentions *m)
{
    ASSERT(m->count <= NAMES_PER_PASSAGE);
    for (size_t i = 0; i < m->count; i++) {
        ASSERT(m->names[i].len > 1 && m->names[i].len <= TERM_BYTES_MAX);
        ASSERT(utf8_valid(m->names[i]));
        for (size_t k = 0; k < i; k++)
            ASSERT(!str_eq(m->names[i], m->names[k]));
    }
    check_numbers(m, m->head, m->head_count);
    for (size_t i = 0; i < m->sentence_count; i++) {
        const struct mention_sentence *s = &m->sentences[i];

        check_numbers(m, s->names, s->count);
        ASSERT(s->block < p->count && s->from < s->to && s->to <= p->blocks[s->block].text.len);
        ASSERT(between_characters(p->blocks[s->block].text, s->from) &&
               between_characters(p->blocks[s->block].text, s->to));
    }
}

static void check_again(struct arena *arena, const struct passage *p, const struct mentions *m)
{
    struct mentions again;
    struct buf first, second;

    buf_init(&first, arena, 64 * MIB);
    buf_init(&second, arena, 64 * MIB);
    passage_write(&first, p);
    mentions_write(&first, m);
    ASSERT(buf_ok(&first) && mentions_read(arena, buf_view(&first), &again));
    passage_write(&second, p);
    mentions_write(&second, &again);
    ASSERT(str_eq(buf_view(&first), buf_view(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str bytes = {(const char *)data, size};
    struct passage *passages;
    struct mentions *m, any;
    struct document d;
    struct err err = {0};
    size_t count;

    ASSERT(arena);
    if (size > 20000)
        return 0;
    (void)!mentions_read(arena, bytes, &any);
    if (!document_read(arena, bytes, DOCUMENT_MARKDOWN, &d, &err))
        return 0;
    ASSERT(passages_cut(arena, &d, &passages, &count, &err));
    ASSERT(entities_find(arena, &d, passages, count, &m, &err));
    for (size_t i = 0; i < count; i++) {
        check_mentions(&passages[i], &m[i]);
        check_again(arena, &passages[i], &m[i]);
    }
    return 0;
}
