/* Writing: documents are inverted in memory and flushed to segments nobody lists yet; commit.c makes them
 * count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/lexical_writer.h"

#define BATCH_POSTINGS ((size_t)2 * 1024 * 1024) /* entries in memory before a flush: 24 MiB */
#define BATCH_RECORDS  ((size_t)32 * MIB)
#define BATCH_ARENA    ((size_t)512 * MIB)
#define WRITER_ARENA   ((size_t)256 * MIB)
#define DOCUMENT_ARENA ((size_t)512 * MIB)
#define TERMS_MAX      ((size_t)4 * 1024 * 1024)
#define RECORD_MAX     ((size_t)64 * MIB)

static char present; /* what the tables of keys point to */

bool lexical_begin(struct lexical *lexical, struct lexical_writer **out, struct err *err)
{
    bool idle = false;

    if (!atomic_compare_exchange_strong(&lexical->writing, &idle, true))
        return err_set(err, ERR_UNAVAILABLE, "the index is being written already");
    struct arena *arena = arena_new(WRITER_ARENA);
    struct lexical_writer *w = arena ? arena_alloc(arena, sizeof *w) : NULL;
    if (!w) {
        arena_end(&arena);
        atomic_store(&lexical->writing, false);
        return err_no_room(err, "no memory to write the index");
    }
    w->arena = arena;
    w->lexical = lexical;
    w->view = lexical_borrow(lexical);
    w->first_number = lexical->next_number;
    table_init(&w->gone, arena, KEYS_MAX);
    table_init(&w->added, arena, KEYS_MAX);
    table_init(&w->set, arena, KEYS_MAX);
    if (!analyser_open(&w->analyser, err)) {
        lexical_abandon(&w);
        return false;
    }
    *out = w;
    return true;
}

static bool remember(struct lexical_writer *w, struct table *keys, struct str key, struct err *err)
{
    struct str copy = arena_str(w->arena, key);

    if (!copy.ptr || !table_put(keys, copy, &present, NULL))
        return err_no_room(err, "no memory for the keys of this run");
    return true;
}

bool lexical_remove(struct lexical_writer *w, struct str key, struct err *err)
{
    return remember(w, &w->gone, key, err);
}

bool lexical_set_record(struct lexical_writer *w, struct str key, struct str record,
                        struct err *err)
{
    struct lexical_document_info info;
    struct str *kept = arena_alloc(w->arena, sizeof *kept);
    struct str name = arena_str(w->arena, key);

    if (record.len > RECORD_MAX)
        return err_set(err, ERR_TOO_LARGE, "a document's record is above %zu bytes", RECORD_MAX);
    if (table_get(&w->gone, key) || !lexical_find(w->view, key, &info))
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\" in the index",
                       STR_ARG(key));
    if (!kept || !name.ptr)
        return err_arena(err, w->arena);
    *kept = arena_str(w->arena, record);
    return (kept->ptr && table_put(&w->set, name, kept, NULL)) || err_arena(err, w->arena);
}

bool vector_set(struct lexical_writer *w, struct str key, const struct vector_field *field,
                const float *values, uint32_t passages, struct err *err)
{
    const struct lexical_vector all = {field, values};
    struct lexical_document_info info;

    if (table_get(&w->gone, key) || !lexical_find(w->view, key, &info))
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\" in the index",
                       STR_ARG(key));
    if (info.passages != passages)
        return err_set(err, ERR_INVALID,
                       "document \"" STR_FMT "\" has %u passages, not %u as its vectors say",
                       STR_ARG(key), info.passages, passages);
    return vector_run_set(&w->vectors, w->view, key, &all, passages, err);
}

bool vector_drop(struct lexical_writer *w, const struct vector_field *field, struct err *err)
{
    return vector_run_drop(&w->vectors, field, err);
}

void lexical_compact(struct lexical_writer *w)
{
    w->compact = true;
}

/* --- one passage ------------------------------------------------------------------------------ */

static bool open_batch(struct lexical_writer *w, struct err *err)
{
    struct batch *b = &w->batch;

    if (b->to)
        return true;
    if (w->flushed_count == RUN_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d segments in one run", RUN_MAX);
    *b = (struct batch){.arena = arena_new(BATCH_ARENA)};
    if (!b->arena)
        return err_no_room(err, "no memory to index documents");
    table_init(&b->by_key, b->arena, TERMS_MAX);
    buf_init(&b->uses, b->arena, 2 * BATCH_POSTINGS * sizeof(struct use) + RECORD_MAX);
    return segment_create(w->lexical->dir, w->lexical->next_number, &b->to, err);
}

static bool new_term(struct batch *b, struct str key, struct batch_term **out, struct err *err)
{
    struct batch_term *term = arena_alloc(b->arena, sizeof *term);

    if (b->term_count == b->term_cap) {
        size_t cap = b->term_cap ? b->term_cap * 2 : 1024;
        void *grown =
            arena_grow(b->arena, b->terms, b->term_cap * sizeof(void *), cap * sizeof(void *));
        if (!grown)
            return err_arena(err, b->arena);
        b->terms = grown;
        b->term_cap = cap;
    }
    if (!term)
        return err_arena(err, b->arena);
    term->key = arena_str(b->arena, key);
    term->number = (uint32_t)b->term_count;
    if (!term->key.ptr || !table_put(&b->by_key, term->key, term, NULL))
        return err_arena(err, b->arena);
    b->terms[b->term_count++] = term;
    *out = term;
    return true;
}

/* The passage's terms join those of the batch, each with a posting. */
static bool add_terms(struct batch *b, const struct inverted *passage, uint32_t number,
                      struct err *err)
{
    for (size_t i = 0; i < passage->count; i++) {
        struct str key = passage->terms[i].key;
        struct batch_term *term = table_get(&b->by_key, key);
        struct use use = {.passage = number, .times = passage->terms[i].times};

        if (!term && !new_term(b, key, &term, err))
            return false;
        term->passages++;
        use.term = term->number;
        buf_put(&b->uses, &use, sizeof use);
    }
    return buf_ok(&b->uses) || err_arena(err, b->arena);
}

/* A mark is a term nobody analyses and no score counts; times: where it stands in the passage's list. */
static bool count_marks(struct batch *b, const struct lexical_passage *passage, uint32_t number,
                        struct err *err)
{
    for (size_t i = 0; i < passage->mark_count; i++) {
        char bytes[TERM_BYTES_MAX + 1];
        struct str key = mark_key(passage->marks[i], bytes);
        struct batch_term *term = table_get(&b->by_key, key);
        struct use use = {.passage = number, .times = (uint32_t)i + 1};

        if (!term && !new_term(b, key, &term, err))
            return false;
        term->passages++;
        use.term = term->number;
        buf_put(&b->uses, &use, sizeof use);
    }
    return buf_ok(&b->uses) || err_arena(err, b->arena);
}

static struct use *uses_of(const struct batch *b, size_t *count)
{
    *count = b->uses.len / sizeof(struct use);
    return (struct use *)(void *)b->uses.ptr;
}

/* --- flush ------------------------------------------------------------------------------------ */

static int compare_terms(const void *a, const void *b)
{
    const struct batch_term *const *left = a, *const *right = b;

    return str_cmp((*left)->key, (*right)->key);
}

/* Postings sorted by term by counting: places[t] is where term t's next posting goes. */
static struct posting *by_term(struct batch *b, size_t *begins, struct err *err)
{
    size_t count;
    const struct use *uses = uses_of(b, &count);
    struct posting *sorted = arena_array(b->arena, count + 1, sizeof *sorted);
    size_t *places = arena_array(b->arena, b->term_count + 1, sizeof *places);
    size_t sum = 0;

    if (!sorted || !places) {
        (void)err_arena(err, b->arena);
        return NULL;
    }
    for (size_t t = 0; t < b->term_count; t++) {
        begins[t] = places[t] = sum;
        sum += b->terms[t]->passages;
    }
    for (size_t i = 0; i < count; i++)
        sorted[places[uses[i].term]++] = (struct posting){uses[i].passage, uses[i].times};
    return sorted;
}

static bool write_terms(struct batch *b, const struct posting *sorted, const size_t *begins,
                        struct err *err)
{
    if (b->term_count) /* no terms: no text had a word */
        qsort(b->terms, b->term_count, sizeof(struct batch_term *), compare_terms);
    for (size_t t = 0; t < b->term_count; t++) {
        const struct batch_term *term = b->terms[t];

        if (!segment_add_term(b->to, term->key, sorted + begins[term->number], term->passages, err))
            return false;
    }
    return true;
}

static void end_batch(struct batch *b)
{
    segment_abandon(&b->to);
    arena_end(&b->arena);
    *b = (struct batch){0};
}

static bool write_batch(struct lexical_writer *w, struct err *err)
{
    struct batch *b = &w->batch;
    size_t *begins = arena_array(b->arena, b->term_count + 1, sizeof *begins);
    const struct posting *sorted = begins ? by_term(b, begins, err) : NULL;
    struct flushed *flushed = &w->flushed[w->flushed_count];
    struct segment_id id;

    if (!begins)
        return err_arena(err, b->arena);
    if (!sorted || !write_terms(b, sorted, begins, err) || !segment_seal(&b->to, &id, err))
        return false;
    flushed->segment = id.number;
    w->flushed_count++;
    w->lexical->next_number++;
    flushed->vectors.next_number = &w->lexical->next_number;
    flushed->vectors.graph_from = w->lexical->graph_from;
    return vector_run_flush(&w->vectors, w->lexical->dir, &id, &flushed->vectors, err);
}

static bool flush_batch(struct lexical_writer *w, struct err *err)
{
    if (!w->batch.to)
        return true;
    bool ok = write_batch(w, err);
    end_batch(&w->batch);
    vector_run_end_batch(&w->vectors);
    return ok;
}

/* --- documents -------------------------------------------------------------------------------- */

static bool add_passage(struct lexical_writer *w, const struct lexical_passage *passage,
                        const struct inverted *inverted, struct err *err)
{
    struct batch *b = &w->batch;
    uint32_t number = segment_writer_passages(b->to);

    if (!add_terms(b, inverted, number, err) || !count_marks(b, passage, number, err) ||
        !vector_run_add(&w->vectors, w->view, number, passage, err))
        return false;
    b->record_bytes += passage->record.len + inverted->cuts.len;
    return segment_add_passage(b->to, passage->record, inverted->cuts, inverted->lengths, err);
}

/* A document whose passages are inverted; the batch is written when it is full. */
static bool add_inverted(struct lexical_writer *w, const struct inverted_document *d,
                         struct err *err)
{
    if (!open_batch(w, err) ||
        !segment_add_document(w->batch.to, d->document.key, d->document.record, err))
        return false;
    for (size_t i = 0; i < d->document.passage_count; i++)
        if (!add_passage(w, &d->document.passages[i], &d->passages[i], err))
            return false;
    if (w->batch.uses.len < BATCH_POSTINGS * sizeof(struct use) &&
        w->batch.record_bytes < BATCH_RECORDS && !vector_run_is_full(&w->vectors))
        return true;
    return flush_batch(w, err);
}

/* What waits for its inverting joins the batch, until `left` documents wait. */
static bool settle(struct lexical_writer *w, size_t left, struct err *err)
{
    while (w->waiting && inverting_count(w->waiting) > left) {
        struct inverted_document d;

        if (!inverting_take(w->waiting, &d, err) || !add_inverted(w, &d, err))
            return false;
    }
    return true;
}

bool lexical_flush(struct lexical_writer *w, struct err *err)
{
    return settle(w, 0, err) && flush_batch(w, err);
}

/* Here and now: its vectors are not copied, or there is one thread. */
static bool add_now(struct lexical_writer *w, const struct lexical_document *document,
                    struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(DOCUMENT_ARENA);
    struct arena *scratch CLEANUP(arena_end) = arena_new(DOCUMENT_ARENA);
    struct inverted *passages =
        arena && scratch ? arena_array(arena, document->passage_count + 1, sizeof *passages) : NULL;

    if (!passages)
        return err_no_room(err, "no memory to index a document");
    for (size_t i = 0; i < document->passage_count; i++) {
        arena_rewind(scratch, 0);
        if (!invert(w->analyser, arena, scratch, &document->passages[i], &passages[i], err))
            return false;
    }
    return settle(w, 0, err) &&
           add_inverted(w, &(struct inverted_document){*document, passages}, err);
}

static bool add_later(struct lexical_writer *w, const struct lexical_document *document,
                      struct err *err)
{
    while (!inverting_has_room(w->waiting, document))
        if (!settle(w, inverting_count(w->waiting) - 1, err))
            return false;
    return inverting_put(w->waiting, document, err);
}

/* What a document can be refused for is said before anything of it is kept. */
static bool check_document(const struct lexical_writer *w, const struct lexical_document *document,
                           bool *has_vectors, struct err *err)
{
    *has_vectors = false;
    if (table_get(&w->added, document->key))
        return err_set(err, ERR_INVALID, "document \"" STR_FMT "\" was added twice in one run",
                       STR_ARG(document->key));
    if (document->key.len > RECORD_MAX || document->record.len > RECORD_MAX)
        return err_set(err, ERR_TOO_LARGE, "a document's record is above %zu bytes", RECORD_MAX);
    for (size_t i = 0; i < document->passage_count; i++) {
        const struct lexical_passage *p = &document->passages[i];

        *has_vectors = *has_vectors || p->vector_count > 0;
        if (p->header.len > ANALYSED_BYTES_MAX || p->text.len > ANALYSED_BYTES_MAX)
            return err_set(err, ERR_TOO_LARGE, "a passage is above %zu bytes", ANALYSED_BYTES_MAX);
    }
    return true;
}

bool lexical_add(struct lexical_writer *w, const struct lexical_document *document, struct err *err)
{
    bool has_vectors;

    if (!check_document(w, document, &has_vectors, err) ||
        !remember(w, &w->gone, document->key, err) || !remember(w, &w->added, document->key, err))
        return false;
    return w->waiting && !has_vectors ? add_later(w, document, err) : add_now(w, document, err);
}

bool lexical_share(struct lexical_writer *w, int threads, struct err *err)
{
    ASSERT(threads > 0 && !w->waiting && !w->added.count);
    return threads == 1 || inverting_new(w->arena, threads, &w->waiting, err);
}

void lexical_abandon(struct lexical_writer **writer)
{
    struct lexical_writer *w = *writer;
    char path[SEGMENT_PATH_MAX];
    struct err ignored = {0};

    if (!w)
        return;
    inverting_end(&w->waiting);
    end_batch(&w->batch);
    vector_run_end(&w->vectors);
    for (uint64_t i = w->first_number; i < w->lexical->next_number; i++) {
        segment_path(path, w->lexical->dir, i);
        (void)!file_remove(path, &ignored); /* open sweeps what is left */
        vectors_path(path, w->lexical->dir, i);
        (void)!file_remove(path, &ignored);
        latent_path(path, w->lexical->dir, i);
        (void)!file_remove(path, &ignored);
    }
    analyser_close(&w->analyser);
    lexical_release(&w->view);
    atomic_store(&w->lexical->writing, false);
    struct arena *arena = w->arena;
    arena_end(&arena);
    *writer = NULL;
}
