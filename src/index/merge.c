/* Segments into one: documents in order of the inputs, passages renumbered, posting lists joined term
 * by term. Reading and writing are sequential; memory is a number a passage and the longest list. */
#include <string.h>

#include "base/buf.h"
#include "index/segment.h"

#define INPUTS_MAX   1024
#define POSTINGS_MAX ((size_t)512 * MIB)
#define PASSAGE_GONE UINT32_MAX
#define ARENA_MAX    ((size_t)1 * GIB)

struct merge {
    const struct merge_input *inputs;
    size_t count;
    struct arena *arena;
    struct segment_writer *to;
    uint32_t **renumbered; /* [input][passage] -> number in the new segment, or PASSAGE_GONE */
    uint32_t *next_term;   /* [input] */
    struct buf postings;
};

static bool is_dropped(const struct merge_input *input, uint32_t document)
{
    return input->drop && input->drop[document];
}

static bool copy_document(struct merge *m, size_t i, uint32_t document, struct err *err)
{
    const struct segment *s = m->inputs[i].segment;
    struct document_entry entry = segment_document(s, document);

    if (!segment_add_document(m->to, segment_key(s, &entry), segment_document_record(s, &entry),
                              err))
        return false;
    for (uint32_t n = 0; n < entry.passage_count && entry.passage_first + n < s->passages; n++) {
        struct passage_entry passage = segment_passage(s, entry.passage_first + n);

        m->renumbered[i][entry.passage_first + n] = segment_writer_passages(m->to);
        if (!segment_add_passage(m->to, segment_passage_record(s, &passage), passage.lengths, err))
            return false;
    }
    return true;
}

static bool copy_documents(struct merge *m, size_t i, bool *any, struct err *err)
{
    const struct segment *s = m->inputs[i].segment;

    m->renumbered[i] = arena_array(m->arena, s->passages + (size_t)1, sizeof **m->renumbered);
    if (!m->renumbered[i])
        return err_arena(err, m->arena);
    memset(m->renumbered[i], 0xFF, s->passages * sizeof **m->renumbered);
    for (uint32_t document = 0; document < s->documents; document++) {
        if (is_dropped(&m->inputs[i], document))
            continue;
        *any = true;
        if (!copy_document(m, i, document, err))
            return false;
    }
    return true;
}

static bool term_of(const struct merge *m, size_t i, struct term_entry *entry, struct str *text)
{
    const struct segment *s = m->inputs[i].segment;

    if (m->next_term[i] >= s->terms)
        return false;
    *entry = segment_term(s, m->next_term[i]);
    *text = segment_term_text(s, entry);
    return true;
}

static bool smallest_term(const struct merge *m, struct str *smallest)
{
    bool any = false;

    for (size_t i = 0; i < m->count; i++) {
        struct term_entry entry;
        struct str text;

        if (!term_of(m, i, &entry, &text) || (any && str_cmp(text, *smallest) >= 0))
            continue;
        *smallest = text;
        any = true;
    }
    return any;
}

/* Append one input's list; passage numbers rise from input to input. */
static void join_postings(struct merge *m, size_t i, const struct term_entry *entry,
                          uint32_t *passages, uint32_t *last)
{
    for (struct postings p = segment_postings(m->inputs[i].segment, entry); postings_next(&p);) {
        uint32_t number = m->renumbered[i][p.passage];
        uint8_t bytes[10];

        if (number == PASSAGE_GONE)
            continue;
        buf_put(&m->postings, bytes, postings_put(bytes, number - *last, p.times));
        *last = number;
        (*passages)++;
    }
}

static bool merge_term(struct merge *m, struct str text, struct err *err)
{
    uint32_t passages = 0, last = 0;
    struct str joined;

    m->postings.len = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct term_entry entry;
        struct str own;

        if (!term_of(m, i, &entry, &own) || !str_eq(own, text))
            continue;
        join_postings(m, i, &entry, &passages, &last);
        m->next_term[i]++;
    }
    if (!buf_finish(&m->postings, &joined, err))
        return false;
    return passages == 0 || segment_add_term(m->to, text, passages, joined, err);
}

static bool merge_all(struct merge *m, bool *any, struct err *err)
{
    struct str text = STR_NONE;

    for (size_t i = 0; i < m->count; i++)
        if (!copy_documents(m, i, any, err))
            return false;
    while (smallest_term(m, &text))
        if (!merge_term(m, text, err))
            return false;
    return true;
}

bool segment_merge(const char *dir, uint64_t number, const struct merge_input *inputs, size_t count,
                   bool *empty, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(ARENA_MAX);
    struct segment_writer *to CLEANUP(segment_abandon) = NULL;
    bool any = false;

    if (count > INPUTS_MAX)
        return err_set(err, ERR_TOO_LARGE, "cannot merge more than %d index segments", INPUTS_MAX);
    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to merge index segments");
    if (!segment_create(dir, number, &to, err))
        return false;
    struct merge m = {.inputs = inputs, .count = count, .arena = arena, .to = to};
    m.renumbered = arena_array(arena, count + 1, sizeof *m.renumbered);
    m.next_term = arena_array(arena, count + 1, sizeof *m.next_term);
    buf_init(&m.postings, arena, POSTINGS_MAX);
    if (!m.renumbered || !m.next_term)
        return err_arena(err, arena);
    if (!merge_all(&m, &any, err))
        return err_wrap(err, "merge index segments");
    if (any && !segment_seal(&to, err)) {
        to = NULL;
        return false;
    }
    *empty = !any;
    return true;
}
