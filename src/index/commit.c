/* Ending a run: what must be merged is merged, the manifest is replaced, what it lists no more is unlinked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/latent.h"
#include "index/lexical_writer.h"

static bool drop(struct lexical_writer *w, const struct segment *s, uint32_t document,
                 uint8_t **dropped, struct err *err)
{
    if (!*dropped && !(*dropped = arena_array(w->arena, s->documents, 1)))
        return err_arena(err, w->arena);
    (*dropped)[document] = 1;
    return true;
}

/* A byte a document: 1 where this run removes or replaces it. NULL when nothing of it goes. */
static bool find_gone(struct lexical_writer *w, const struct segment *s, uint8_t **out,
                      struct err *err)
{
    uint32_t document;
    struct str key;
    void *value;

    *out = NULL;
    if (w->gone.count < s->documents) {
        for (size_t at = 0; table_next(&w->gone, &at, &key, &value);)
            if (segment_find_document(s, key, &document) && !drop(w, s, document, out, err))
                return false;
        return true;
    }
    for (document = 0; document < s->documents; document++)
        if (table_get(&w->gone, segment_key_at(s, document)) && !drop(w, s, document, out, err))
            return false;
    return true;
}

/* The plan of a commit: which segments stay as they are, which are written anew as one, and the records
 * that are newer than those that stay. */
struct plan {
    struct table records; /* all that are newer, set before or now, of documents that stay */
    size_t record_bytes;
    uint64_t old_records; /* file to be removed; 0: none */
    struct merge_input stay[2 * RUN_MAX];
    size_t stay_count;
    struct merge_input anew[2 * RUN_MAX];
    size_t anew_count;
    struct merge_input opened[RUN_MAX]; /* this run's, closed after the commit */
    size_t opened_count;
    uint64_t old_vectors[2 * RUN_MAX]; /* files of segments that stay, to be removed */
    size_t old_vector_count;
};

/* What the view that was published holds stays: it is the newest, and no other comes while we write. */
static void close_input(struct merge_input *input)
{
    for (uint32_t i = 0; i < input->vector_count; i++)
        if (!input->vectors[i]->holders)
            vectors_unmap(&input->vectors[i]);
    if (input->segment && !input->segment->holders)
        segment_unmap(&input->segment);
}

static void end_plan(struct plan **held)
{
    struct plan *plan = *held;

    for (size_t i = 0; plan && i < plan->opened_count; i++)
        close_input(&plan->opened[i]);
    *held = NULL;
}

static int compare_sizes(const void *a, const void *b)
{
    const struct merge_input *left = a, *right = b;

    return (left->segment->bytes > right->segment->bytes) -
           (left->segment->bytes < right->segment->bytes);
}

static void take(struct plan *plan, size_t count)
{
    memcpy(plan->anew + plan->anew_count, plan->stay, count * sizeof *plan->stay);
    plan->anew_count += count;
    plan->stay_count -= count;
    memmove(plan->stay, plan->stay + count, plan->stay_count * sizeof *plan->stay);
}

/* Too many segments: the smallest join the merge until half the allowed number is left. */
static void thin_out(struct plan *plan)
{
    if (plan->stay_count + (plan->anew_count > 0) <= SEGMENTS_MAX)
        return;
    qsort(plan->stay, plan->stay_count, sizeof *plan->stay, compare_sizes);
    take(plan, plan->stay_count - SEGMENTS_MAX / 2);
}

static bool put_records(struct lexical_writer *w, struct plan *plan, const struct table *from,
                        struct err *err)
{
    struct lexical_document_info info;
    struct str key;
    void *record;

    for (size_t at = 0; table_next(from, &at, &key, &record);) {
        if (table_get(&w->gone, key) || !lexical_find(w->view, key, &info)) /* lost by a repair */
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

static struct merge_input input_of(const struct lexical_view *view, uint32_t i, const uint8_t *drop)
{
    struct merge_input input = {.segment = view->at[i], .drop = drop};

    for (uint32_t k = 0; k < view->vector_count; k++)
        if (view->vectors[k].segment == i)
            input.vectors[input.vector_count++] = view->vectors[k].vectors;
    return input;
}

static bool open_flushed(const struct lexical_writer *w, const struct flushed *flushed,
                         struct merge_input *out, struct err *err)
{
    const char *dir = w->lexical->dir;

    *out = (struct merge_input){.fresh = true};
    if (!segment_open(dir, flushed->segment, &out->segment, err))
        return false;
    for (uint32_t i = 0; i < flushed->vectors.count; i++) {
        if (!vectors_open(dir, flushed->vectors.numbers[i], out->segment, &out->vectors[i], err)) {
            close_input(out);
            return false;
        }
        out->vector_count++;
    }
    return true;
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
            plan->anew[plan->anew_count++] = input_of(w->view, i, drop);
        else
            plan->stay[plan->stay_count++] = input_of(w->view, i, NULL);
    }
    for (size_t i = 0; i < w->flushed_count; i++) {
        struct merge_input *opened = &plan->opened[plan->opened_count];

        if (!open_flushed(w, &w->flushed[i], opened, err))
            return false;
        plan->opened_count++;
        plan->stay[plan->stay_count++] = *opened;
    }
    if (w->compact || plan->record_bytes > RECORDS_BYTES_MAX)
        take(plan, plan->stay_count);
    thin_out(plan);
    for (size_t i = 0; i < plan->anew_count; i++)
        plan->anew[i].records = &plan->records;
    return true;
}

static void list(struct manifest *manifest, uint64_t segment, const uint64_t *vectors,
                 uint32_t count)
{
    manifest->numbers[manifest->count++] = segment;
    for (uint32_t i = 0; i < count; i++)
        manifest->vectors[manifest->vector_count++] =
            (struct manifest_vectors){segment, vectors[i]};
}

/* Fields of the segment that this run changes are written anew, its words and other fields stay. */
static bool write_changed(struct lexical_writer *w, const struct merge_input *input,
                          struct vector_made *made, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    struct segment *s = input->segment;
    struct merge_document *documents =
        arena ? arena_array(arena, s->documents + (size_t)1, sizeof *documents) : NULL;

    if (!documents)
        return err_no_room(err, "no memory to write index vectors");
    for (uint32_t i = 0; i < s->documents; i++) {
        struct document_entry entry = segment_document(s, i);

        documents[i] = (struct merge_document){segment_key(s, &entry), 0, i};
    }
    const struct vector_merge merge = {.dir = w->lexical->dir,
                                       .run = &w->vectors,
                                       .inputs = input,
                                       .input_count = 1,
                                       .documents = documents,
                                       .document_count = s->documents,
                                       .segment = {s->number, s->passages, s->crc},
                                       .changed_only = true};
    return vector_merge(&merge, made, err);
}

static bool list_staying(struct lexical_writer *w, struct plan *plan,
                         const struct merge_input *input, struct manifest *manifest,
                         struct err *err)
{
    struct vector_made made = {.next_number = &w->lexical->next_number,
                               .graph_from = w->lexical->graph_from};
    bool changes = !input->fresh && vector_run_changes(&w->vectors);

    if (changes && !write_changed(w, input, &made, err))
        return false;
    for (uint32_t i = 0; i < input->vector_count; i++) {
        const struct vectors *v = input->vectors[i];

        if (changes && vector_run_touches(&w->vectors, input->segment, &v->field))
            plan->old_vectors[plan->old_vector_count++] = v->number;
        else if (made.count < VECTOR_FIELDS_MAX)
            made.numbers[made.count++] = v->number;
        else
            return err_set(err, ERR_TOO_LARGE, "a segment has at most %d vector fields",
                           VECTOR_FIELDS_MAX);
    }
    list(manifest, input->segment->number, made.numbers, made.count);
    return true;
}

static bool write_merged(struct lexical_writer *w, const struct plan *plan,
                         struct manifest *manifest, struct err *err)
{
    const struct merge_plan merge = {w->lexical->dir, w->lexical->next_number,
                                     plan->anew,      plan->anew_count,
                                     &w->vectors,     w->compact};
    struct vector_made made = {.next_number = &w->lexical->next_number,
                               .graph_from = w->lexical->graph_from};
    bool empty = true;

    if (!plan->anew_count)
        return true;
    w->lexical->next_number++;
    if (!segment_merge(&merge, &empty, &made, err))
        return false;
    /* What is in the new one will be read there: both at once would count twice. */
    for (size_t i = 0; i < plan->anew_count; i++)
        segment_forget(plan->anew[i].segment);
    if (!empty)
        list(manifest, merge.number, made.numbers, made.count);
    return true;
}

static bool loses_documents(const struct plan *plan)
{
    for (size_t i = 0; i < plan->anew_count; i++)
        if (plan->anew[i].drop)
            return true;
    return false;
}

/* What was learned from a document goes with it. */
static bool plan_model(struct lexical_writer *w, const struct plan *plan, struct err *err)
{
    return !loses_documents(plan) || !(w->view->latent_file || w->latent.len) ||
           latent_drop(w, err);
}

static bool write_model(struct lexical_writer *w, struct manifest *manifest, struct err *err)
{
    if (!w->latent_changes)
        manifest->latent = w->view->latent_file;
    else if (w->latent.len)
        manifest->latent = w->lexical->next_number++;
    return !w->latent_changes || !w->latent.len ||
           latent_store(w->lexical->dir, manifest->latent, w->latent, err);
}

static bool write_plan(struct lexical_writer *w, struct plan *plan, struct manifest *manifest,
                       struct err *err)
{
    for (size_t i = 0; i < plan->stay_count; i++)
        if (!list_staying(w, plan, &plan->stay[i], manifest, err))
            return false;
    if (!write_merged(w, plan, manifest, err) || !write_model(w, manifest, err))
        return false;
    settle_records(plan);
    if (plan->records.count) {
        manifest->records = w->lexical->next_number++;
        if (!records_store(w->lexical->dir, manifest->records, &plan->records, err))
            return err_wrap(err, "write index records");
    }
    manifest->next_number = w->lexical->next_number;
    return true;
}

static bool unlink_vectors(const struct lexical_writer *w, uint64_t number, struct err *err)
{
    char path[SEGMENT_PATH_MAX];

    vectors_path(path, w->lexical->dir, number);
    return file_remove(path, err);
}

/* Unlink what the manifest does not list. Failing is survivable: the next commit sweeps, or open. */
static void unlink_others(const struct lexical_writer *w, const struct plan *plan, struct err *err)
{
    char path[SEGMENT_PATH_MAX];

    for (size_t i = 0; i < plan->anew_count; i++) {
        const struct merge_input *input = &plan->anew[i];

        segment_path(path, w->lexical->dir, input->segment->number);
        if (!file_remove(path, err))
            return;
        for (uint32_t k = 0; k < input->vector_count; k++)
            if (!unlink_vectors(w, input->vectors[k]->number, err))
                return;
    }
    for (size_t i = 0; i < plan->old_vector_count; i++)
        if (!unlink_vectors(w, plan->old_vectors[i], err))
            return;
    if (w->latent_changes && w->view->latent_file) {
        latent_path(path, w->lexical->dir, w->view->latent_file);
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

/* What earlier commits that failed have left. */
static bool sweep(const struct lexical_writer *w, const struct manifest *manifest, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    if (!arena)
        return err_no_room(err, "no memory to list the index");
    return lexical_sweep(w->lexical, arena, manifest, err) && file_sync_dir(w->lexical->dir, err);
}

static bool new_manifest(struct lexical_writer *w, struct manifest *out, struct err *err)
{
    *out = (struct manifest){
        .numbers = arena_array(w->arena, (size_t)2 * RUN_MAX + 1, sizeof *out->numbers),
        .vectors = arena_array(w->arena, ((size_t)2 * RUN_MAX + 1) * VECTOR_FIELDS_MAX,
                               sizeof *out->vectors)};
    return (out->numbers && out->vectors) || err_arena(err, w->arena);
}

static bool commit(struct lexical_writer *w, struct err *err)
{
    struct plan *plan CLEANUP(end_plan) = arena_alloc(w->arena, sizeof *plan);
    struct manifest manifest;

    if (!plan)
        return err_arena(err, w->arena);
    if (w->broken)
        return err_set(err, ERR_UNAVAILABLE,
                       "a document of this run could not be written: nothing of the run is kept");
    if (!new_manifest(w, &manifest, err) || !lexical_flush(w, err) || !make_plan(w, plan, err) ||
        !plan_model(w, plan, err))
        return false;
    if (!plan->anew_count && !w->flushed_count && !w->set.count &&
        !vector_run_changes(&w->vectors) && !w->latent_changes && !w->lexical->unlisted)
        return true;
    plan->old_records = w->view->records_file;
    if (!write_plan(w, plan, &manifest, err))
        return false;
    /* From here on the new files may be listed, even when storing the manifest reports a failure (the
     * rename may stand): they stay, and what is not listed in the end is swept by the next commit or start. */
    w->first_number = manifest.next_number;
    bool left = w->lexical->unlisted;
    w->lexical->unlisted = true;
    if (!manifest_store(w->lexical->dir, &manifest, err))
        return false;
    w->lexical->fresh = plan->opened;
    w->lexical->fresh_count = plan->opened_count;
    bool published = lexical_publish(w->lexical, &manifest, err);
    w->lexical->fresh_count = 0;
    if (!published)
        return err_wrap(err, "open what was just written");
    struct err unlinked = {0};
    unlink_others(w, plan, &unlinked);
    if (unlinked.code == ERR_NONE && left)
        (void)!sweep(w, &manifest, &unlinked);
    w->lexical->unlisted = unlinked.code != ERR_NONE;
    if (unlinked.code == ERR_NONE)
        return true;
    *err = unlinked;
    return err_wrap(err, "remove replaced index segments (the next commit or start tries again)");
}

bool lexical_commit(struct lexical_writer **writer, struct err *err)
{
    bool ok = commit(*writer, err);

    lexical_abandon(writer);
    return ok;
}
