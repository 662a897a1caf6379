/* Writing: documents are inverted in memory and flushed to segments nobody lists yet; commit.c makes them
 * count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/lexical_writer.h"

#define BATCH_RECORDS  ((size_t)32 * MIB)
#define WRITER_ARENA   ((size_t)256 * MIB)
#define DOCUMENT_ARENA ((size_t)512 * MIB)
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
    if (w->to)
        return true;
    if (w->flushed_count == RUN_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d segments in one run", RUN_MAX);
    w->batch_records = 0;
    return batch_new(w->lexical->batch_terms, &w->batch, err) &&
           segment_create(w->lexical->dir, w->lexical->next_number, &w->to, err);
}

/* --- flush ------------------------------------------------------------------------------------ */

static void end_batch(struct lexical_writer *w)
{
    segment_abandon(&w->to);
    batch_end(&w->batch);
}

static bool write_batch(struct lexical_writer *w, struct err *err)
{
    struct flushed *flushed = &w->flushed[w->flushed_count];
    struct segment_id id;

    if (!batch_write(w->batch, w->to, err))
        return false;
    batch_end(&w->batch);
    w->lexical->next_number++; /* also where sealing fails: the file may have its name */
    if (!segment_seal(&w->to, &id, err))
        return false;
    flushed->segment = id.number;
    w->flushed_count++;
    flushed->vectors.next_number = &w->lexical->next_number;
    flushed->vectors.graph_from = w->lexical->graph_from;
    return vector_run_flush(&w->vectors, w->lexical->dir, &id, &flushed->vectors, err);
}

static bool flush_batch(struct lexical_writer *w, struct err *err)
{
    if (!w->to)
        return true;
    bool ok = write_batch(w, err);
    end_batch(w);
    vector_run_end_batch(&w->vectors);
    return ok;
}

/* --- documents -------------------------------------------------------------------------------- */

static bool add_passage(struct lexical_writer *w, const struct lexical_passage *passage,
                        const struct inverted *inverted, struct err *err)
{
    uint32_t number = segment_writer_passages(w->to);

    if (!batch_add_terms(w->batch, inverted, number, err) ||
        !batch_add_marks(w->batch, passage, number, err) ||
        !vector_run_add(&w->vectors, w->view, number, passage, err))
        return false;
    w->batch_records += passage->record.len + inverted->cuts.len;
    return segment_add_passage(w->to, passage->record, inverted->cuts, inverted->lengths, err);
}

static size_t postings_of(const struct inverted_document *d)
{
    size_t sum = 0;

    for (size_t i = 0; i < d->document.passage_count; i++)
        sum += d->passages[i].count + d->document.passages[i].mark_count;
    return sum;
}

static bool put_document(struct lexical_writer *w, const struct inverted_document *d,
                         struct err *err)
{
    if (!segment_add_document(w->to, d->document.key, d->document.record, err))
        return false;
    for (size_t i = 0; i < d->document.passage_count; i++)
        if (!add_passage(w, &d->document.passages[i], &d->passages[i], err))
            return false;
    return true;
}

/* A document whose passages are inverted; the batch is written when it is full. *refused: it was too large for a batch of
 * its own, and nothing of the run went with it. */
static bool add_inverted(struct lexical_writer *w, const struct inverted_document *d, bool *refused,
                         struct err *err)
{
    *refused = false;
    if (w->batch && !batch_has_room(w->batch, postings_of(d)) && !flush_batch(w, err))
        return false;
    bool alone = !w->to;
    if (!open_batch(w, err))
        return false;
    if (!put_document(w, d, err)) {
        *refused = alone && err->code == ERR_TOO_LARGE;
        if (*refused) {
            end_batch(w);
            vector_run_end_batch(&w->vectors);
        }
        return false;
    }
    if (batch_postings(w->batch) < w->lexical->batch_postings && w->batch_records < BATCH_RECORDS &&
        !vector_run_is_full(&w->vectors))
        return true;
    return flush_batch(w, err);
}

/* What waits for its inverting joins the batch, until `left` documents wait. */
static bool settle(struct lexical_writer *w, size_t left, struct err *err)
{
    while (w->waiting && inverting_count(w->waiting) > left) {
        struct inverted_document d;
        bool refused; /* none that waits is so large */

        if (!inverting_take(w->waiting, &d, err) || !add_inverted(w, &d, &refused, err))
            return false;
    }
    return true;
}

bool lexical_flush(struct lexical_writer *w, struct err *err)
{
    return settle(w, 0, err) && flush_batch(w, err);
}

static bool note_added(struct lexical_writer *w, struct str key, struct err *err)
{
    return remember(w, &w->gone, key, err) && remember(w, &w->added, key, err);
}

/* What it was to replace would go at the commit, and it would not be there. */
static bool break_run(struct lexical_writer *w)
{
    w->broken = true;
    return false;
}

/* Here and now: its vectors are not copied, it may be too large, or there is one thread. */
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
    const struct inverted_document inverted = {*document, passages};
    if (postings_of(&inverted) > BATCH_USES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a document has more than %zu words to index",
                       BATCH_USES_MAX);
    bool was_gone = table_get(&w->gone, document->key) != NULL, refused;
    if (!note_added(w, document->key, err) || !settle(w, 0, err))
        return break_run(w);
    if (add_inverted(w, &inverted, &refused, err))
        return true;
    if (!refused)
        return break_run(w);
    (void)table_remove(&w->added, document->key);
    if (!was_gone)
        (void)table_remove(&w->gone, document->key);
    return false;
}

static bool add_later(struct lexical_writer *w, const struct lexical_document *document,
                      struct err *err)
{
    while (!inverting_has_room(w->waiting, document))
        if (!settle(w, inverting_count(w->waiting) - 1, err))
            return break_run(w);
    return (note_added(w, document->key, err) && inverting_put(w->waiting, document, err)) ||
           break_run(w);
}

/* Whether it can have more postings than a batch, which is known when it is inverted: NFKC makes six kana with their
 * pairs of three bytes. */
static bool may_be_too_large(const struct lexical_document *document)
{
    size_t sum = 0;

    for (size_t i = 0; i < document->passage_count; i++)
        sum += (document->passages[i].header.len + document->passages[i].text.len) * 4 +
               document->passages[i].mark_count;
    return sum > BATCH_USES_MAX;
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

    if (!check_document(w, document, &has_vectors, err))
        return false;
    return w->waiting && !has_vectors && !may_be_too_large(document) ? add_later(w, document, err)
                                                                     : add_now(w, document, err);
}

bool lexical_share(struct lexical_writer *w, int threads, struct err *err)
{
    ASSERT(threads > 0 && !w->waiting && !w->added.count);
    return threads == 1 || inverting_new(w->arena, threads, &w->waiting, err);
}

/* Of a run that is given up, one that does not go now goes with the next commit, or when the index is opened. */
static void remove_file(struct lexical *lexical, const char *path)
{
    struct err err = {0};

    if (!file_remove(path, &err) && err.code != ERR_NOT_FOUND)
        lexical->unlisted = true;
}

void lexical_abandon(struct lexical_writer **writer)
{
    struct lexical_writer *w = *writer;
    char path[SEGMENT_PATH_MAX];

    if (!w)
        return;
    inverting_end(&w->waiting);
    end_batch(w);
    vector_run_end(&w->vectors);
    for (uint64_t i = w->first_number; i < w->lexical->next_number; i++) {
        segment_path(path, w->lexical->dir, i);
        remove_file(w->lexical, path);
        vectors_path(path, w->lexical->dir, i);
        remove_file(w->lexical, path);
        latent_path(path, w->lexical->dir, i);
        remove_file(w->lexical, path);
        records_path(path, w->lexical->dir, i);
        remove_file(w->lexical, path);
    }
    analyser_close(&w->analyser);
    lexical_release(&w->view);
    atomic_store(&w->lexical->writing, false);
    struct arena *arena = w->arena;
    arena_end(&arena);
    *writer = NULL;
}
