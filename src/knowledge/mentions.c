/* A passage's mentions as bytes, behind the passage in its record. */
#include "knowledge/entities.h"

static void write_numbers(struct buf *to, const uint32_t *numbers, size_t count)
{
    record_put_number(to, count);
    for (size_t i = 0; i < count; i++)
        record_put_number(to, numbers[i]);
}

void mentions_write(struct buf *to, const struct mentions *m)
{
    uint32_t block = 0;

    record_put_number(to, m->count);
    for (size_t i = 0; i < m->count; i++)
        record_put_str(to, m->names[i]);
    write_numbers(to, m->head, m->head_count);
    record_put_number(to, m->sentence_count);
    for (size_t i = 0; i < m->sentence_count; i++) {
        const struct mention_sentence *s = &m->sentences[i];

        record_put_number(to, s->block - block);
        record_put_number(to, s->from);
        record_put_number(to, s->to - s->from);
        write_numbers(to, s->names, s->count);
        block = s->block;
    }
}

static bool read_numbers(struct arena *arena, struct str *rest, const struct mentions *m,
                         uint32_t **out, size_t *out_count)
{
    uint64_t count, number;

    if (!record_number(rest, &count) || count > NAMES_PER_PASSAGE)
        return false;
    uint32_t *list = arena_array(arena, count + 1, sizeof *list);
    for (size_t i = 0; list && i < count; i++) {
        if (!record_number(rest, &number) || number >= m->count)
            return false;
        list[i] = (uint32_t)number;
    }
    *out = list;
    *out_count = count;
    return list != NULL;
}

static bool read_names(struct arena *arena, struct str *rest, struct mentions *m)
{
    uint64_t count;

    if (!record_number(rest, &count) || count > NAMES_PER_PASSAGE)
        return false;
    m->names = arena_array(arena, count + 1, sizeof *m->names);
    m->count = count;
    for (size_t i = 0; m->names && i < count; i++)
        if (!record_str(rest, &m->names[i]) || m->names[i].len == 0 ||
            m->names[i].len > TERM_BYTES_MAX)
            return false;
    return m->names != NULL;
}

static bool read_sentence(struct arena *arena, struct str *rest, const struct mentions *m,
                          uint64_t *block, struct mention_sentence *out)
{
    uint64_t step, from, len;

    if (!record_number(rest, &step) || step > UINT32_MAX || !record_number(rest, &from) ||
        from > DOCUMENT_BYTES_MAX || !record_number(rest, &len) || len > DOCUMENT_BYTES_MAX)
        return false;
    *block += step;
    if (*block > UINT32_MAX)
        return false;
    *out = (struct mention_sentence){
        .block = (uint32_t)*block, .from = (uint32_t)from, .to = (uint32_t)(from + len)};
    return read_numbers(arena, rest, m, &out->names, &out->count);
}

/* Records of before there were mentions end behind the passage. */
bool mentions_read(struct arena *arena, struct str record, struct mentions *out)
{
    struct mentions m = {0};
    struct str rest = record;
    uint64_t count, block = 0;

    if (!passage_skip(&rest))
        return false;
    if (rest.len == 0) {
        *out = m;
        return true;
    }
    if (!read_names(arena, &rest, &m) || !read_numbers(arena, &rest, &m, &m.head, &m.head_count) ||
        !record_number(&rest, &count) || count > rest.len)
        return false;
    m.sentences = arena_array(arena, count + 1, sizeof *m.sentences);
    m.sentence_count = count;
    for (size_t i = 0; m.sentences && i < count; i++)
        if (!read_sentence(arena, &rest, &m, &block, &m.sentences[i]))
            return false;
    *out = m;
    return m.sentences != NULL && rest.len == 0;
}
