/* Writing: documents are inverted in memory and flushed to segments nobody lists yet; the commit merges
 * what must be merged, replaces the manifest and unlinks what is no longer listed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "index/lexical_internal.h"

#define BATCH_POSTINGS ((size_t)2 * 1024 * 1024) /* entries in memory before a flush: 24 MiB */
#define BATCH_RECORDS  ((size_t)32 * MIB)
#define BATCH_ARENA    ((size_t)512 * MIB)
#define WRITER_ARENA   ((size_t)256 * MIB)
#define SCRATCH_ARENA  ((size_t)512 * MIB)
#define TERMS_MAX      ((size_t)4 * 1024 * 1024)
#define KEYS_MAX       ((size_t)10 * 1000 * 1000)
#define RUN_MAX        1024 /* segments in a manifest or a run */
#define RECORD_MAX     ((size_t)64 * MIB)

struct use {
    uint32_t term, passage, times;
};

/* What was added since the last flush. */
struct batch {
    struct arena *arena;
    struct segment_writer *to;
    struct table by_key; /* term key -> struct batch_term */
    struct batch_term {
        struct str key;
        uint32_t number;   /* in order of first use */
        uint32_t times;    /* in the passage being added */
        uint32_t passages; /* lists length so far */
    } * *terms;            /* by number */
    size_t term_count, term_cap;
    struct buf uses; /* struct use, passages rising */
    size_t record_bytes;
};

struct lexical_writer {
    struct arena *arena;
    struct lexical *lexical;
    struct lexical_view *view; /* what the commit builds on */
    struct analyser *analyser;
    struct batch batch;
    struct table gone;  /* keys that old segments lose */
    struct table added; /* keys of this run */
    struct table set;   /* keys -> struct str: records set in this run */
    bool compact;
    uint64_t flushed[RUN_MAX];
    size_t flushed_count;
};

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

/* Count each term; the first sight of one in this passage reserves its posting. */
static bool count_terms(struct batch *b, const struct terms *terms, uint32_t passage,
                        uint32_t lengths[TERM_FIELDS], struct err *err)
{
    for (size_t i = 0; i < terms->count; i++) {
        char bytes[TERM_BYTES_MAX + 1];
        struct batch_term *term;

        if (terms->at[i].stop)
            continue;
        struct str key = term_key(&terms->at[i], bytes);
        term = table_get(&b->by_key, key);
        if (!term && !new_term(b, key, &term, err))
            return false;
        lengths[terms->at[i].field]++;
        if (term->times++ == 0) {
            struct use use = {.term = term->number, .passage = passage};

            buf_put(&b->uses, &use, sizeof use);
        }
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

/* Write the counts of the passage's terms into the uses reserved from `first` on. */
static void settle_counts(struct batch *b, size_t first)
{
    size_t count;
    struct use *uses = uses_of(b, &count);

    for (size_t i = first; i < count; i++) {
        struct batch_term *term = b->terms[uses[i].term];

        uses[i].times = term->times;
        term->times = 0;
        term->passages++;
    }
}

static bool add_passage(struct lexical_writer *w, const struct lexical_passage *passage,
                        struct arena *scratch, struct err *err)
{
    struct batch *b = &w->batch;
    struct terms header, text;
    uint32_t lengths[TERM_FIELDS] = {0}, number = segment_writer_passages(b->to);
    size_t first;

    (void)uses_of(b, &first);
    if (!analyser_terms(w->analyser, scratch, passage->header, &header, err) ||
        !analyser_terms(w->analyser, scratch, passage->text, &text, err) ||
        !count_terms(b, &header, number, lengths, err) ||
        !count_terms(b, &text, number, lengths, err))
        return false;
    settle_counts(b, first);
    if (!count_marks(b, passage, number, err))
        return false;
    b->record_bytes += passage->record.len;
    return segment_add_passage(b->to, passage->record, lengths, err);
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

static bool flush(struct lexical_writer *w, struct err *err)
{
    struct batch *b = &w->batch;

    if (!b->to)
        return true;
    size_t *begins = arena_array(b->arena, b->term_count + 1, sizeof *begins);
    const struct posting *sorted = begins ? by_term(b, begins, err) : NULL;
    if (!begins)
        return err_arena(err, b->arena);
    bool ok = sorted && write_terms(b, sorted, begins, err) && segment_seal(&b->to, err);
    end_batch(b);
    if (ok)
        w->flushed[w->flushed_count++] = w->lexical->next_number++;
    return ok;
}

bool lexical_add(struct lexical_writer *w, const struct lexical_document *document, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(SCRATCH_ARENA);

    if (!scratch)
        return err_no_room(err, "no memory to index a document");
    if (table_get(&w->added, document->key))
        return err_set(err, ERR_INVALID, "document \"" STR_FMT "\" was added twice in one run",
                       STR_ARG(document->key));
    if (document->key.len > RECORD_MAX || document->record.len > RECORD_MAX)
        return err_set(err, ERR_TOO_LARGE, "a document's record is above %zu bytes", RECORD_MAX);
    if (!remember(w, &w->gone, document->key, err) || !remember(w, &w->added, document->key, err) ||
        !open_batch(w, err) ||
        !segment_add_document(w->batch.to, document->key, document->record, err))
        return false;
    for (size_t i = 0; i < document->passage_count; i++) {
        size_t mark = arena_mark(scratch);

        if (!add_passage(w, &document->passages[i], scratch, err))
            return false;
        arena_rewind(scratch, mark);
    }
    if (w->batch.uses.len < BATCH_POSTINGS * sizeof(struct use) &&
        w->batch.record_bytes < BATCH_RECORDS)
        return true;
    return flush(w, err);
}

/* --- commit ----------------------------------------------------------------------------------- */

/* A byte a document: 1 where this run removes or replaces it. NULL when nothing of it goes. */
static bool find_gone(struct lexical_writer *w, const struct segment *s, uint8_t **out,
                      struct err *err)
{
    uint8_t *drop = NULL;

    for (uint32_t i = 0; i < s->documents && w->gone.count; i++) {
        struct document_entry entry = segment_document(s, i);

        if (!table_get(&w->gone, segment_key(s, &entry)))
            continue;
        if (!drop && !(drop = arena_array(w->arena, s->documents, 1)))
            return err_arena(err, w->arena);
        drop[i] = 1;
    }
    *out = drop;
    return true;
}

/* The plan of a commit: which segments stay as they are, which are written anew as one, and the records
 * that are newer than those that stay. */
struct plan {
    struct table records; /* all that are newer, set before or now, of documents that stay */
    size_t record_bytes;
    uint64_t old_records; /* file to be removed; 0: none */
    struct segment *stay[2 * RUN_MAX];
    size_t stay_count;
    struct merge_input anew[2 * RUN_MAX];
    size_t anew_count;
    struct segment *opened[RUN_MAX]; /* this run's, closed after the commit */
    size_t opened_count;
};

static void end_plan(struct plan **held)
{
    struct plan *plan = *held;

    for (size_t i = 0; plan && i < plan->opened_count; i++)
        segment_unmap(&plan->opened[i]);
    *held = NULL;
}

static int compare_sizes(const void *a, const void *b)
{
    const struct segment *const *left = a, *const *right = b;

    return ((*left)->bytes > (*right)->bytes) - ((*left)->bytes < (*right)->bytes);
}

/* Too many segments: the smallest join the merge until half the allowed number is left. */
static void thin_out(struct plan *plan)
{
    size_t keep = SEGMENTS_MAX / 2, moved;

    if (plan->stay_count + (plan->anew_count > 0) <= SEGMENTS_MAX)
        return;
    qsort(plan->stay, plan->stay_count, sizeof(struct segment *), compare_sizes);
    moved = plan->stay_count - keep;
    for (size_t i = 0; i < moved; i++)
        plan->anew[plan->anew_count++] = (struct merge_input){.segment = plan->stay[i]};
    memmove(plan->stay, plan->stay + moved, keep * sizeof(struct segment *));
    plan->stay_count = keep;
}

static bool put_records(struct lexical_writer *w, struct plan *plan, const struct table *from,
                        struct err *err)
{
    struct str key;
    void *record;

    for (size_t at = 0; table_next(from, &at, &key, &record);) {
        if (table_get(&w->gone, key))
            continue;
        plan->record_bytes += key.len + ((const struct str *)record)->len;
        if (!table_put(&plan->records, key, record, NULL))
            return err_arena(err, w->arena);
    }
    return true;
}

static bool plan_records(struct lexical_writer *w, struct plan *plan, struct err *err)
{
    table_init(&plan->records, w->arena, KEYS_MAX);
    return put_records(w, plan, &w->view->records, err) && put_records(w, plan, &w->set, err);
}

/* What is written anew gets its newest records; they need not be kept beside. */
static void settle_records(struct plan *plan)
{
    for (size_t i = 0; i < plan->anew_count && plan->records.count; i++) {
        const struct segment *s = plan->anew[i].segment;

        for (uint32_t d = 0; d < s->documents; d++) {
            struct document_entry entry = segment_document(s, d);

            (void)table_remove(&plan->records, segment_key(s, &entry));
        }
    }
}

static void take_all(struct plan *plan)
{
    for (size_t i = 0; i < plan->stay_count; i++)
        plan->anew[plan->anew_count++] = (struct merge_input){.segment = plan->stay[i]};
    plan->stay_count = 0;
}

static bool make_plan(struct lexical_writer *w, struct plan *plan, struct err *err)
{
    if (!plan_records(w, plan, err))
        return false;
    for (uint32_t i = 0; i < w->view->count; i++) {
        uint8_t *drop = NULL;

        if (!find_gone(w, w->view->at[i], &drop, err))
            return false;
        if (drop)
            plan->anew[plan->anew_count++] =
                (struct merge_input){.segment = w->view->at[i], .drop = drop};
        else
            plan->stay[plan->stay_count++] = w->view->at[i];
    }
    for (size_t i = 0; i < w->flushed_count; i++) {
        struct segment **s = &plan->opened[plan->opened_count];

        if (!segment_open(w->lexical->dir, w->flushed[i], s, err))
            return false;
        plan->opened_count++;
        plan->stay[plan->stay_count++] = *s;
    }
    if (w->compact || plan->record_bytes > RECORDS_BYTES_MAX)
        take_all(plan);
    thin_out(plan);
    for (size_t i = 0; i < plan->anew_count; i++)
        plan->anew[i].records = &plan->records;
    return true;
}

static bool write_plan(struct lexical_writer *w, struct plan *plan, struct manifest *manifest,
                       struct err *err)
{
    bool empty = true;
    uint64_t number = w->lexical->next_number;

    if (plan->anew_count) {
        w->lexical->next_number++;
        if (!segment_merge(w->lexical->dir, number, plan->anew, plan->anew_count, &empty, err))
            return false;
    }
    for (size_t i = 0; i < plan->stay_count; i++)
        manifest->numbers[manifest->count++] = plan->stay[i]->number;
    if (!empty) {
        w->flushed[w->flushed_count++] = number; /* to be removed should the commit fail */
        manifest->numbers[manifest->count++] = number;
    }
    settle_records(plan);
    if (plan->records.count) {
        manifest->records = w->lexical->next_number++;
        if (!records_store(w->lexical->dir, manifest->records, &plan->records, err))
            return err_wrap(err, "write index records");
    }
    manifest->next_number = w->lexical->next_number;
    return true;
}

/* Unlink what the manifest does not list. Failing is survivable: open sweeps again. */
static void unlink_others(const struct lexical_writer *w, const struct plan *plan, struct err *err)
{
    char path[SEGMENT_PATH_MAX];

    for (size_t i = 0; i < plan->anew_count; i++) {
        segment_path(path, w->lexical->dir, plan->anew[i].segment->number);
        if (!file_remove(path, err))
            return;
    }
    if (plan->old_records) {
        records_path(path, w->lexical->dir, plan->old_records);
        if (!file_remove(path, err))
            return;
    }
    (void)!file_sync_dir(w->lexical->dir, err);
}

static bool commit(struct lexical_writer *w, struct err *err)
{
    struct plan *plan CLEANUP(end_plan) = arena_alloc(w->arena, sizeof *plan);
    struct manifest manifest = {
        .numbers = arena_array(w->arena, (size_t)2 * RUN_MAX + 1, sizeof *manifest.numbers)};

    if (!plan || !manifest.numbers)
        return err_arena(err, w->arena);
    if (!flush(w, err) || !make_plan(w, plan, err))
        return false;
    if (!plan->anew_count && !w->flushed_count && !w->set.count)
        return true;
    plan->old_records = w->view->records_file;
    if (!write_plan(w, plan, &manifest, err))
        return false;
    /* From here on the new files may be listed, even when storing the manifest reports a failure (the
     * rename may stand): they stay, and what is not listed in the end is swept at the next start. */
    w->flushed_count = 0;
    if (!manifest_store(w->lexical->dir, &manifest, err))
        return false;
    if (!lexical_publish(w->lexical, &manifest, err))
        return err_wrap(err, "open what was just written");
    struct err unlinked = {0};
    unlink_others(w, plan, &unlinked);
    if (unlinked.code == ERR_NONE)
        return true;
    *err = unlinked;
    return err_wrap(err, "remove replaced index segments (the next start tries again)");
}

bool lexical_commit(struct lexical_writer **writer, struct err *err)
{
    bool ok = commit(*writer, err);

    lexical_abandon(writer);
    return ok;
}

void lexical_abandon(struct lexical_writer **writer)
{
    struct lexical_writer *w = *writer;
    char path[SEGMENT_PATH_MAX];
    struct err ignored = {0};

    if (!w)
        return;
    end_batch(&w->batch);
    for (size_t i = 0; i < w->flushed_count; i++) {
        segment_path(path, w->lexical->dir, w->flushed[i]);
        (void)!file_remove(path, &ignored); /* open sweeps what is left */
    }
    analyser_close(&w->analyser);
    lexical_release(&w->view);
    atomic_store(&w->lexical->writing, false);
    struct arena *arena = w->arena;
    arena_end(&arena);
    *writer = NULL;
}
