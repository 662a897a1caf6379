/* Segments into one: documents in order of their keys, passages renumbered, posting lists joined term by
 * term. So the bytes say what is in the index and not how it came there. Memory is an entry a document, a
 * number a passage, the longest list, and of the segments' own bytes what was read of late. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "index/vector_run.h"

#define INPUTS_MAX   2048 /* RUN_MAX of a run, and as many that were there */
#define POSTINGS_MAX ((size_t)1 * GIB)
#define PASSAGE_GONE UINT32_MAX
#define ARENA_MAX    ((size_t)2 * GIB)
#define FORGET_EVERY ((size_t)16 * MIB) /* read */

/* The word at which an input stands: read once, however many inputs it is compared with. */
struct next_term {
    uint32_t number;
    bool is;       /* false: the input has no further one */
    uint64_t head; /* segment_head() of its text */
    struct str text;
    struct term_entry entry;
};

struct merge {
    const struct merge_input *inputs;
    size_t count;
    struct arena *arena;
    struct segment_writer *to;
    struct merge_document *documents;
    size_t document_count;
    uint32_t **renumbered;  /* [input][passage] -> number in the new segment, or PASSAGE_GONE */
    struct next_term *next; /* [input] */
    struct buf postings;    /* struct posting */
    bool in_order;
    size_t read; /* bytes of the segments since they were let go */
};

static bool is_dropped(const struct merge_input *input, uint32_t document)
{
    return input->drop && input->drop[document];
}

static int compare_keys(const void *a, const void *b)
{
    const struct merge_document *left = a, *right = b;

    return str_cmp(left->key, right->key);
}

static bool collect(struct merge *m, struct err *err)
{
    size_t all = 0;

    for (size_t i = 0; i < m->count; i++)
        all += m->inputs[i].segment->documents;
    m->documents = arena_array(m->arena, all + 1, sizeof *m->documents);
    if (!m->documents)
        return err_arena(err, m->arena);
    for (size_t i = 0; i < m->count; i++) {
        const struct segment *s = m->inputs[i].segment;

        for (uint32_t d = 0; d < s->documents; d++) {
            struct document_entry entry = segment_document(s, d);

            if (!is_dropped(&m->inputs[i], d))
                m->documents[m->document_count++] =
                    (struct merge_document){segment_key(s, &entry), (uint32_t)i, d};
        }
    }
    qsort(m->documents, m->document_count, sizeof *m->documents, compare_keys);
    return true;
}

/* What is mapped counts as this process's memory for as long as it may be looked at. */
static void note_read(struct merge *m, size_t bytes)
{
    m->read += bytes;
    if (m->read < FORGET_EVERY)
        return;
    for (size_t i = 0; i < m->count; i++)
        segment_forget(m->inputs[i].segment);
    m->read = 0;
}

static bool copy_document(struct merge *m, const struct merge_document *it, struct err *err)
{
    const struct merge_input *input = &m->inputs[it->input];
    const struct segment *s = input->segment;
    struct document_entry entry = segment_document(s, it->document);
    const struct str *renewed = input->records ? table_get(input->records, it->key) : NULL;

    if (!segment_add_document(m->to, it->key,
                              renewed ? *renewed : segment_document_record(s, &entry), err))
        return false;
    for (uint32_t n = 0; n < entry.passage_count && entry.passage_first + n < s->passages; n++) {
        struct passage_entry passage = segment_passage(s, entry.passage_first + n);

        m->renumbered[it->input][entry.passage_first + n] = segment_writer_passages(m->to);
        if (!segment_add_passage(m->to, segment_passage_record(s, &passage),
                                 segment_passage_cuts(s, &passage), passage.lengths, err))
            return false;
        note_read(m, passage.record_len);
    }
    return true;
}

static bool copy_documents(struct merge *m, struct err *err)
{
    for (size_t i = 0; i < m->count; i++) {
        size_t passages = m->inputs[i].segment->passages;

        m->renumbered[i] = arena_array(m->arena, passages + 1, sizeof **m->renumbered);
        if (!m->renumbered[i])
            return err_arena(err, m->arena);
        memset(m->renumbered[i], 0xFF, passages * sizeof **m->renumbered);
    }
    for (size_t i = 0; i < m->document_count; i++)
        if (!copy_document(m, &m->documents[i], err))
            return false;
    return true;
}

static void stand_at(struct merge *m, size_t i, uint32_t number)
{
    const struct segment *s = m->inputs[i].segment;
    struct next_term *next = &m->next[i];

    *next = (struct next_term){.number = number, .is = number < s->terms};
    if (!next->is)
        return;
    next->entry = segment_term(s, number);
    next->text = segment_term_text(s, &next->entry);
    next->head = segment_head(next->text);
}

static bool is_before(const struct next_term *a, const struct next_term *b)
{
    return a->head != b->head ? a->head < b->head : str_cmp(a->text, b->text) < 0;
}

static const struct next_term *smallest_term(const struct merge *m)
{
    const struct next_term *smallest = NULL;

    for (size_t i = 0; i < m->count; i++)
        if (m->next[i].is && (!smallest || is_before(&m->next[i], smallest)))
            smallest = &m->next[i];
    return smallest;
}

static void join_postings(struct merge *m, size_t i, const struct term_entry *entry)
{
    for (struct postings p = segment_postings(m->inputs[i].segment, entry); postings_next(&p);) {
        struct posting posting = {m->renumbered[i][p.passage], p.times};
        const struct posting *last =
            m->postings.len ? (const struct posting *)(const void *)(m->postings.ptr +
                                                                     m->postings.len - sizeof *last)
                            : NULL;

        if (posting.passage == PASSAGE_GONE)
            continue;
        m->in_order = m->in_order && (!last || last->passage < posting.passage);
        buf_put(&m->postings, &posting, sizeof posting);
    }
}

static int compare_passages(const void *a, const void *b)
{
    const struct posting *left = a, *right = b;

    return (left->passage > right->passage) - (left->passage < right->passage);
}

/* term: a copy, as its input goes on. */
static bool merge_term(struct merge *m, struct next_term term, struct err *err)
{
    struct str text = term.text, joined;

    if (text.len == 0 || text.len > SEGMENT_TERM_MAX)
        return err_set(
            err, ERR_UNAVAILABLE,
            "an index segment is damaged: a word of %zu bytes, where 1 to %d were written",
            text.len, SEGMENT_TERM_MAX);
    m->postings.len = 0;
    m->in_order = true;
    for (size_t i = 0; i < m->count; i++) {
        const struct next_term *own = &m->next[i];

        if (!own->is || own->head != term.head || !str_eq(own->text, text))
            continue;
        join_postings(m, i, &own->entry);
        note_read(m, own->entry.postings_len + sizeof own->entry + own->entry.text_len);
        stand_at(m, i, own->number + 1);
    }
    if (m->postings.len == 0)
        return true;
    if (!buf_finish(&m->postings, &joined, err))
        return false;
    struct posting *list = (struct posting *)(void *)m->postings.ptr;
    uint32_t count = (uint32_t)(joined.len / sizeof *list);
    if (!m->in_order)
        qsort(list, count, sizeof *list, compare_passages);
    return segment_add_term(m->to, text, list, count, err);
}

static bool merge_all(struct merge *m, struct err *err)
{
    const struct next_term *term;

    if (!collect(m, err) || !copy_documents(m, err))
        return false;
    for (size_t i = 0; i < m->count; i++)
        stand_at(m, i, 0);
    while ((term = smallest_term(m)))
        if (!merge_term(m, *term, err))
            return false;
    return true;
}

static bool begin(struct merge *m, const struct merge_plan *plan, struct err *err)
{
    if (plan->count > INPUTS_MAX)
        return err_set(err, ERR_TOO_LARGE, "cannot merge more than %d index segments", INPUTS_MAX);
    m->renumbered = arena_array(m->arena, plan->count + 1, sizeof *m->renumbered);
    m->next = arena_array(m->arena, plan->count + 1, sizeof *m->next);
    buf_init(&m->postings, m->arena, POSTINGS_MAX);
    return (m->renumbered && m->next) || err_arena(err, m->arena);
}

static bool merge_vectors(const struct merge *m, const struct merge_plan *plan,
                          struct segment_id segment, struct vector_made *made, struct err *err)
{
    const struct vector_merge merge = {.dir = plan->dir,
                                       .run = plan->vectors,
                                       .inputs = m->inputs,
                                       .input_count = m->count,
                                       .documents = m->documents,
                                       .document_count = m->document_count,
                                       .segment = segment,
                                       .anew = plan->anew};

    return vector_merge(&merge, made, err);
}

bool segment_merge(const struct merge_plan *plan, bool *empty, struct vector_made *vectors,
                   struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(ARENA_MAX);
    struct segment_writer *to CLEANUP(segment_abandon) = NULL;
    struct segment_id id;

    if (!arena)
        return err_no_room(err, "no memory to merge index segments");
    if (!segment_create(plan->dir, plan->number, &to, err))
        return false;
    struct merge m = {.inputs = plan->inputs, .count = plan->count, .arena = arena, .to = to};
    if (!begin(&m, plan, err) || !merge_all(&m, err))
        return err_wrap(err, "merge index segments");
    *empty = m.document_count == 0;
    if (*empty)
        return true;
    if (!segment_seal(&to, &id, err)) {
        to = NULL;
        return false;
    }
    return merge_vectors(&m, plan, id, vectors, err);
}
