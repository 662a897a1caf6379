/* The vectors of a run: gathered in memory, written beside the segments they belong to, carried along by
 * merges. A row is copied as it is: neither a merge nor a delete makes it another. */
#include "index/vector_run.h"

#include <stdlib.h>
#include <string.h>

#include "index/vector_graph.h"

#define ARENA_MAX     ((size_t)2 * GIB)
#define BATCH_MAX     ((size_t)512 * MIB) /* a document may be much above VECTOR_BATCH_BYTES */
#define DOCUMENTS_MAX ((size_t)10 * 1000 * 1000)

/* --- fields ----------------------------------------------------------------------------------- */

static bool is_among(const struct vector_field *fields, uint32_t count,
                     const struct vector_field *field)
{
    for (uint32_t i = 0; i < count; i++)
        if (vector_field_eq(&fields[i], field))
            return true;
    return false;
}

static void join(struct vector_field *fields, uint32_t *count, uint32_t max,
                 const struct vector_field *field)
{
    if (!is_among(fields, *count, field) && *count < max)
        fields[(*count)++] = *field;
}

/* Room for one more field, among those that stay and those of this run? */
static bool check_room(const struct vector_run *run, const struct lexical_view *view,
                       const struct vector_field *field, struct err *err)
{
    struct vector_field all[5 * VECTOR_FIELDS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < view->vector_count; i++)
        if (!is_among(run->dropped, run->dropped_count, &view->vectors[i].vectors->field))
            join(all, &count, ARRAY_LEN(all), &view->vectors[i].vectors->field);
    for (uint32_t i = 0; i < run->flushed_count; i++)
        join(all, &count, ARRAY_LEN(all), &run->flushed[i]);
    for (uint32_t i = 0; i < run->added_count; i++)
        join(all, &count, ARRAY_LEN(all), &run->added[i]->field);
    for (uint32_t i = 0; i < run->set_count; i++)
        join(all, &count, ARRAY_LEN(all), &run->set[i]->rows.field);
    join(all, &count, ARRAY_LEN(all), field);
    return count <= VECTOR_FIELDS_MAX ||
           err_set(err, ERR_TOO_LARGE, "an index has at most %d vector fields; drop one first",
                   VECTOR_FIELDS_MAX);
}

/* --- gathering -------------------------------------------------------------------------------- */

static bool open_arena(struct arena **arena, struct err *err)
{
    if (!*arena)
        *arena = arena_new(ARENA_MAX);
    return *arena || err_no_room(err, "no memory for vectors");
}

static bool batch_of(struct vector_run *run, const struct lexical_view *view,
                     const struct vector_field *field, struct vector_batch **out, struct err *err)
{
    for (uint32_t i = 0; i < run->added_count; i++)
        if (vector_field_eq(&run->added[i]->field, field)) {
            *out = run->added[i];
            return true;
        }
    if (!check_room(run, view, field, err) || !open_arena(&run->added_arena, err))
        return false;
    struct vector_batch *batch = arena_alloc(run->added_arena, sizeof *batch);
    if (!batch)
        return err_arena(err, run->added_arena);
    if (!vector_batch_init(batch, run->added_arena, field, BATCH_MAX, err))
        return false;
    *out = run->added[run->added_count++] = batch;
    return true;
}

bool vector_run_add(struct vector_run *run, const struct lexical_view *view, uint32_t passage,
                    const struct lexical_passage *of, struct err *err)
{
    for (size_t i = 0; i < of->vector_count; i++) {
        struct vector_batch *batch = NULL;

        if (!batch_of(run, view, of->vectors[i].field, &batch, err) ||
            !vector_batch_add(batch, passage, of->vectors[i].values, err))
            return false;
    }
    return true;
}

bool vector_run_is_full(const struct vector_run *run)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < run->added_count; i++)
        sum += vector_batch_bytes(run->added[i]);
    return sum >= VECTOR_BATCH_BYTES;
}

static bool change_of(struct vector_run *run, const struct lexical_view *view,
                      const struct vector_field *field, struct vector_change **out, struct err *err)
{
    for (uint32_t i = 0; i < run->set_count; i++)
        if (vector_field_eq(&run->set[i]->rows.field, field)) {
            *out = run->set[i];
            return true;
        }
    if (!check_room(run, view, field, err) || !open_arena(&run->set_arena, err))
        return false;
    struct vector_change *change = arena_alloc(run->set_arena, sizeof *change);
    if (!change)
        return err_arena(err, run->set_arena);
    if (!vector_batch_init(&change->rows, run->set_arena, field, 2 * VECTOR_RUN_BYTES, err))
        return false;
    table_init(&change->by_key, run->set_arena, DOCUMENTS_MAX);
    *out = run->set[run->set_count++] = change;
    return true;
}

static bool check_size(const struct vector_run *run, uint32_t dim, uint32_t passages,
                       struct err *err)
{
    size_t sum = (size_t)passages * (vector_stride(dim) + dim * sizeof(uint16_t));

    for (uint32_t i = 0; i < run->set_count; i++)
        sum += vector_batch_bytes(&run->set[i]->rows);
    return sum <= VECTOR_RUN_BYTES ||
           err_set(err, ERR_TOO_LARGE,
                   "more than %zu MiB of vectors set in one run: commit it and begin another",
                   VECTOR_RUN_BYTES / MIB);
}

bool vector_run_set(struct vector_run *run, const struct lexical_view *view, struct str key,
                    const struct lexical_vector *all, uint32_t passages, struct err *err)
{
    uint32_t dim = all->field->dim;
    struct vector_change *change = NULL;

    if (!check_size(run, dim, passages, err) || !change_of(run, view, all->field, &change, err))
        return false;
    struct str name = arena_str(run->set_arena, key);
    struct vector_range *range = arena_alloc(run->set_arena, sizeof *range);
    if (!name.ptr || !range)
        return err_arena(err, run->set_arena);
    range->first = change->rows.count;
    for (uint32_t i = 0; i < passages; i++)
        if (!vector_batch_add(&change->rows, i, all->values + (size_t)i * dim, err))
            return false;
    range->count = change->rows.count - range->first;
    return table_put(&change->by_key, name, range, NULL) || err_arena(err, run->set_arena);
}

bool vector_run_drop(struct vector_run *run, const struct vector_field *field, struct err *err)
{
    if (is_among(run->dropped, run->dropped_count, field))
        return true;
    if (run->dropped_count == VECTOR_FIELDS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d vector fields dropped in one run",
                       VECTOR_FIELDS_MAX);
    run->dropped[run->dropped_count++] = *field;
    return true;
}

bool vector_run_changes(const struct vector_run *run)
{
    return run->set_count || run->dropped_count;
}

void vector_run_end_batch(struct vector_run *run)
{
    for (uint32_t i = 0; i < run->added_count; i++)
        join(run->flushed, &run->flushed_count, ARRAY_LEN(run->flushed), &run->added[i]->field);
    arena_end(&run->added_arena);
    run->added_count = 0;
}

void vector_run_end(struct vector_run *run)
{
    vector_run_end_batch(run);
    arena_end(&run->set_arena);
    *run = (struct vector_run){0};
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Of one field, for one segment. */
struct gathered {
    const struct vector_field *field;
    const struct buf *refs;
    const struct vectors *parent; /* whose graph may be taken over, or NULL */
};

static bool write_file(const char *dir, const struct segment_id *segment,
                       const struct gathered *rows, struct vector_made *made, struct err *err)
{
    const struct vector_plan plan = {
        .dir = dir,
        .number = *made->next_number,
        .field = rows->field,
        .refs = (const struct vector_ref *)(const void *)rows->refs->ptr,
        .count = (uint32_t)(rows->refs->len / sizeof(struct vector_ref)),
        .parent = rows->parent,
        .passages = segment->passages,
        .segment_crc = segment->crc,
        .graph_from = made->graph_from,
    };

    if (made->count == VECTOR_FIELDS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a segment has at most %d vector fields",
                       VECTOR_FIELDS_MAX);
    ++*made->next_number;
    if (!vectors_write(&plan, err))
        return false;
    made->numbers[made->count++] = plan.number;
    return true;
}

bool vector_run_flush(struct vector_run *run, const char *dir, const struct segment_id *segment,
                      struct vector_made *made, struct err *err)
{
    for (uint32_t i = 0; i < run->added_count; i++) {
        const struct vector_batch *batch = run->added[i];
        struct vector_rows rows = vector_batch_rows(batch);
        const uint32_t *passages = (const uint32_t *)(const void *)batch->passages.ptr;
        struct buf refs;

        buf_init(&refs, run->added_arena, BATCH_MAX);
        for (uint32_t k = 0; k < batch->count; k++)
            buf_put(&refs, &(struct vector_ref){&rows, k, passages[k]}, sizeof(struct vector_ref));
        if (!buf_ok(&refs))
            return err_arena(err, run->added_arena);
        const struct gathered gathered = {&batch->field, &refs, NULL};
        if (refs.len && !write_file(dir, segment, &gathered, made, err))
            return false;
    }
    return true;
}

/* --- merging ---------------------------------------------------------------------------------- */

static const struct vector_change *change_in(const struct vector_run *run,
                                             const struct vector_field *field)
{
    for (uint32_t i = 0; run && i < run->set_count; i++)
        if (vector_field_eq(&run->set[i]->rows.field, field))
            return run->set[i];
    return NULL;
}

static bool is_dropped(const struct vector_run *run, const struct vector_field *field)
{
    return run && is_among(run->dropped, run->dropped_count, field);
}

bool vector_run_touches(const struct vector_run *run, const struct segment *segment,
                        const struct vector_field *field)
{
    const struct vector_change *change = change_in(run, field);

    if (is_dropped(run, field))
        return true;
    for (uint32_t i = 0; change && i < segment->documents; i++) {
        struct document_entry entry = segment_document(segment, i);

        if (table_get(&change->by_key, segment_key(segment, &entry)))
            return true;
    }
    return false;
}

/* One field of the merge. */
struct gathering {
    const struct vector_merge *merge;
    struct vector_field field;
    const struct vector_change *change;
    struct vector_rows changed;
    bool dropped;
    struct buf refs;
};

static void put_changed(struct gathering *g, const struct vector_range *range, uint32_t to)
{
    const uint32_t *passages = (const uint32_t *)(const void *)g->change->rows.passages.ptr;

    for (uint32_t i = range->first; i < range->first + range->count; i++)
        buf_put(&g->refs, &(struct vector_ref){&g->changed, i, to + passages[i]},
                sizeof(struct vector_ref));
}

static void put_kept(struct gathering *g, const struct vectors *v,
                     const struct document_entry *entry, uint32_t to)
{
    uint32_t end = entry->passage_first + entry->passage_count;

    for (uint32_t i = vectors_row_from(v, entry->passage_first);
         i < v->count && v->passage[i] < end; i++)
        buf_put(&g->refs,
                &(struct vector_ref){&v->rows, i, to + v->passage[i] - entry->passage_first},
                sizeof(struct vector_ref));
}

static const struct vectors *file_of(const struct merge_input *input,
                                     const struct vector_field *field)
{
    for (uint32_t i = 0; i < input->vector_count; i++)
        if (vector_field_eq(&input->vectors[i]->field, field))
            return input->vectors[i];
    return NULL;
}

static void gather(struct gathering *g)
{
    const struct vector_merge *m = g->merge;
    uint32_t to = 0;

    for (size_t i = 0; i < m->document_count; i++) {
        const struct merge_input *input = &m->inputs[m->documents[i].input];
        struct document_entry entry = segment_document(input->segment, m->documents[i].document);
        const struct vectors *v = file_of(input, &g->field);
        const struct vector_range *range =
            g->change && !input->fresh ? table_get(&g->change->by_key, m->documents[i].key) : NULL;

        if (range)
            put_changed(g, range, to);
        else if (v && (input->fresh || !g->dropped))
            put_kept(g, v, &entry, to);
        if (entry.passage_first < input->segment->passages)
            to += MIN_OF(entry.passage_count, input->segment->passages - entry.passage_first);
    }
}

static size_t rows_from(const struct gathering *g, const struct vectors *v)
{
    const struct vector_ref *refs = (const struct vector_ref *)(const void *)g->refs.ptr;
    size_t sum = 0;

    for (size_t i = 0; i < g->refs.len / sizeof *refs; i++)
        sum += refs[i].from == &v->rows;
    return sum;
}

/* The file with a graph that most rows come from, if most of it is still here. */
static const struct vectors *parent_of(const struct gathering *g)
{
    for (size_t i = 0; buf_ok(&g->refs) && i < g->merge->input_count; i++) {
        const struct vectors *v = file_of(&g->merge->inputs[i], &g->field);
        size_t rows = v && v->graph->rows ? rows_from(g, v) : 0;

        if (rows * 4 >= (size_t)(v ? v->count : 0) * 3 &&
            rows * 2 > g->refs.len / sizeof(struct vector_ref))
            return v;
    }
    return NULL;
}

static bool merge_field(const struct vector_merge *m, const struct vector_field *field,
                        struct vector_made *made, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(ARENA_MAX);
    struct gathering g = {.merge = m,
                          .field = *field,
                          .change = change_in(m->run, field),
                          .dropped = is_dropped(m->run, field)};

    if (!arena)
        return err_no_room(err, "no memory to merge index vectors");
    buf_init(&g.refs, arena, ARENA_MAX);
    if (g.change)
        g.changed = vector_batch_rows(&g.change->rows);
    gather(&g);
    if (!buf_ok(&g.refs))
        return err_arena(err, arena);
    const struct gathered gathered = {field, &g.refs, m->anew ? NULL : parent_of(&g)};
    return !g.refs.len || write_file(m->dir, &m->segment, &gathered, made, err);
}

static int compare_fields(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct vector_field));
}

bool vector_merge(const struct vector_merge *m, struct vector_made *made, struct err *err)
{
    struct vector_field fields[3 * VECTOR_FIELDS_MAX];
    uint32_t count = 0;

    for (size_t i = 0; i < m->input_count; i++)
        for (uint32_t k = 0; k < m->inputs[i].vector_count; k++)
            join(fields, &count, ARRAY_LEN(fields), &m->inputs[i].vectors[k]->field);
    for (uint32_t i = 0; m->run && i < m->run->set_count; i++)
        join(fields, &count, ARRAY_LEN(fields), &m->run->set[i]->rows.field);
    qsort(fields, count, sizeof *fields, compare_fields);
    for (uint32_t i = 0; i < count; i++) {
        if (m->changed_only && !vector_run_touches(m->run, m->inputs[0].segment, &fields[i]))
            continue;
        if (!merge_field(m, &fields[i], made, err))
            return false;
    }
    return true;
}
