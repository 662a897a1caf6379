/* Searching vectors: bytes against bytes over all that may be seen, then floats for the best of those. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/lexical_internal.h"
#include "index/vector_file.h"
#include "index/vector_graph.h"

#define RESCORED_MIN   30
#define BLOCK          512u /* rows compared at a time */
#define AHEAD          4
#define WALK_COST      32 /* a row found costs a walk about as much as a scan that many rows */
#define WALKED_SHARE   8  /* looking at one row in eight costs as much as comparing all */
#define WALKED_MIN     4096
#define WALK_ARENA_MAX ((size_t)64 * MIB)

struct candidate {
    float score;
    uint64_t passage; /* in the view */
    const struct vectors *in;
    uint32_t row;
    struct str key; /* of its document */
};

/* Equals stand by their documents' keys, as in lexical_search(). */
static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;

    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    int order = str_cmp(left->key, right->key);
    if (order)
        return order;
    return (left->passage > right->passage) - (left->passage < right->passage);
}

struct search {
    const struct lexical_view *view;
    const struct vector_query *query;
    float *values; /* at unit length */
    int8_t *bytes;
    struct vector_kernel kernel;
    size_t wanted;         /* rows of each file to be scored by floats */
    struct near_heap near; /* of the file being read */
    struct candidate *candidates;
    size_t count;
};

/* A file, and where it stands in the view. */
struct place {
    const struct vectors *v;
    const struct lexical_filter *filter;
    uint32_t segment;
    uint64_t before; /* passages of the segments before */
};

static bool allows(void *context, uint32_t row)
{
    const struct place *place = context;

    return filter_allows(place->filter, place->segment, place->v->passage[row]);
}

/* Some rows, rising. They are asked for a few ahead: where a filter leaves gaps the processor does not
 * foresee them. */
static void compare(struct search *s, const struct vectors *v, const uint32_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int8_t *bytes = vector_row(&v->rows, rows[i]);

        for (size_t at = 0; i + AHEAD < count && at < v->rows.stride; at += 64)
            __builtin_prefetch(vector_row(&v->rows, rows[i + AHEAD]) + at);
        near_keep(&s->near, (struct near){(float)s->kernel.dot(s->bytes, bytes, v->rows.stride) *
                                              v->rows.scales[rows[i]],
                                          rows[i]});
    }
}

/* Where each passage has a row, whole words of the filter are looked at. */
static size_t allowed_rows(const struct place *place, uint32_t *row, uint32_t *out)
{
    const struct vectors *v = place->v;
    size_t count = 0;

    if (place->filter && v->count == v->passages) {
        for (; *row < v->count && count <= BLOCK - 64; *row += 64)
            for (uint64_t word = place->filter->bits[place->segment][*row / 64]; word;
                 word &= word - 1)
                out[count++] = *row + (uint32_t)__builtin_ctzll(word);
        return count;
    }
    for (; *row < v->count && count < BLOCK; ++*row)
        if (!place->filter || filter_allows(place->filter, place->segment, v->passage[*row]))
            out[count++] = *row;
    return count;
}

static void scan(struct search *s, const struct place *place)
{
    uint32_t rows[BLOCK], row = 0;

    while (row < place->v->count)
        compare(s, place->v, rows, allowed_rows(place, &row, rows));
}

/* A walk looks at the more rows the fewer of them may be seen, a scan at the fewer: where a tenth of 300,000
 * is left, both cost about the same. */
static bool is_worth_walking(const struct place *place, size_t effort)
{
    double rows = (double)place->v->count, seen = 0;

    if (!place->filter)
        return true;
    for (uint32_t i = 0; i < place->v->passages / 64 + 1; i++)
        seen += __builtin_popcountll(place->filter->bits[place->segment][i]);
    double share = seen / (double)place->v->passages;
    return rows * share * share > WALK_COST * (double)effort;
}

static size_t rows_allowed(const struct place *place)
{
    size_t sum = 0;

    if (!place->filter)
        return place->v->count;
    for (uint32_t row = 0; row < place->v->count; row++)
        sum += filter_allows(place->filter, place->segment, place->v->passage[row]);
    return sum;
}

/* By the graph. False: it is not the way here, or did not find as many as there are. */
static bool walk(struct search *s, struct place *place)
{
    const struct vectors *v = place->v;
    const struct graph_space space = {.rows = &v->rows, .dot = s->kernel.dot};
    size_t effort = MAX_OF(s->wanted, (size_t)v->graph->effort);
    struct arena *arena CLEANUP(arena_end) = NULL;
    struct err ignored = {0};

    if (!v->graph->rows || s->query->scan || !is_worth_walking(place, effort))
        return false;
    struct graph_walk w = {.graph = v->graph,
                           .space = &space,
                           .stride = v->rows.stride,
                           .query = {s->bytes, 1},
                           .allows = place->filter ? allows : NULL,
                           .context = place};
    if (!(arena = arena_new(WALK_ARENA_MAX)) ||
        !graph_walk_init(&w, arena, v->count / WALKED_SHARE + WALKED_MIN, effort, &ignored))
        return false;
    graph_walk_find(&w, effort);
    if (w.gave_up || (w.found.count < s->wanted && w.found.count < rows_allowed(place)))
        return false;
    for (size_t i = 0; i < w.found.count; i++)
        near_keep(&s->near, w.found.at[i]);
    return true;
}

static void read_file(struct search *s, struct place *place)
{
    s->near.count = 0;
    if (!walk(s, place)) {
        s->near.count = 0;
        scan(s, place);
    }
    for (size_t i = 0; i < s->near.count; i++) {
        uint32_t row = s->near.at[i].row;
        uint64_t passage = place->before + place->v->passage[row];

        s->candidates[s->count++] = (struct candidate){.score = s->near.at[i].score,
                                                       .passage = passage,
                                                       .in = place->v,
                                                       .row = row,
                                                       .key = lexical_hit_at(s->view, passage).key};
    }
}

/* Originals are checked by their sum alone: what is no number after all stands last, in a fixed order. */
static float score_by_floats(vector_product *product, const float *values, const struct vectors *v,
                             uint32_t row)
{
    float score = product(values, vector_original(&v->rows, row), v->field.dim);

    return isfinite(score) ? score : -1.0F;
}

/* The best of all files by their bytes, then in the order of their floats. */
static void rescore(struct search *s)
{
    qsort(s->candidates, s->count, sizeof *s->candidates, compare_candidates);
    s->count = MIN_OF(s->count, s->wanted);
    for (size_t i = 0; i < s->count; i++) {
        struct candidate *c = &s->candidates[i];

        c->score = score_by_floats(s->kernel.product, s->values, c->in, c->row);
    }
    qsort(s->candidates, s->count, sizeof *s->candidates, compare_candidates);
    s->count = MIN_OF(s->count, s->query->limit);
}

static size_t files_of(const struct lexical_view *view, const struct vector_field *field)
{
    size_t files = 0;

    for (uint32_t i = 0; i < view->vector_count; i++)
        files += vector_field_eq(&view->vectors[i].vectors->field, field);
    return files;
}

static bool prepare(struct search *s, struct arena *arena, struct err *err)
{
    const struct vector_query *query = s->query;
    uint32_t dim = query->field->dim;
    size_t least = query->rescored ? query->rescored : MAX_OF(3 * query->limit, RESCORED_MIN);
    size_t files = files_of(s->view, query->field);

    s->wanted = MAX_OF(least, query->limit);
    s->near = (struct near_heap){.at = arena_array(arena, s->wanted, sizeof *s->near.at),
                                 .limit = s->wanted,
                                 .worst_on_top = true};
    s->candidates = arena_array(arena, files * s->wanted + 1, sizeof *s->candidates);
    s->values = arena_array(arena, dim, sizeof *s->values);
    s->bytes = arena_alloc(arena, vector_stride(dim));
    if (!s->near.at || !s->candidates || !s->values || !s->bytes)
        return err_arena(err, arena);
    if (!vector_normalise(query->values, dim, s->values))
        return err_set(err, ERR_INVALID, "a vector to search by has a value that is not finite");
    (void)vector_quantise(s->values, dim, s->bytes);
    return true;
}

static bool give_back(const struct search *s, struct arena *arena, struct lexical_hits *out,
                      struct err *err)
{
    out->count = 0;
    out->at = arena_array(arena, s->count + 1, sizeof *out->at);
    if (!out->at)
        return err_arena(err, arena);
    for (; out->count < s->count; out->count++) {
        const struct candidate *from = &s->candidates[out->count];

        out->at[out->count] = lexical_hit_at(s->view, from->passage);
        out->at[out->count].score = from->score;
    }
    return true;
}

bool vector_search(const struct lexical_view *view, struct arena *arena,
                   const struct vector_query *query, struct lexical_hits *out, struct err *err)
{
    struct search s = {.view = view, .query = query, .kernel = vector_kernel_best()};
    uint64_t before = 0;

    ASSERT(query->limit > 0 && query->limit <= LEXICAL_LIMIT_MAX);
    ASSERT(!query->filter || query->filter->view == view);
    if (!prepare(&s, arena, err))
        return false;
    bool asks = !vector_is_zero(s.values, query->field->dim);
    for (uint32_t i = 0, k = 0; asks && i < view->count; before += view->at[i++]->passages)
        for (; k < view->vector_count && view->vectors[k].segment == i; k++) {
            struct place place = {view->vectors[k].vectors, query->filter, i, before};

            if (vector_field_eq(&place.v->field, query->field))
                read_file(&s, &place);
        }
    rescore(&s);
    return give_back(&s, arena, out, err);
}

/* --- one passage ------------------------------------------------------------------------------ */

static bool find_row(const struct lexical_view *view, const struct vector_field *field,
                     uint64_t passage, const struct vectors **in, uint32_t *row)
{
    uint32_t segment = 0;

    ASSERT(passage < view->passages);
    for (; passage >= view->at[segment]->passages; segment++)
        passage -= view->at[segment]->passages;
    for (uint32_t i = 0; i < view->vector_count; i++) {
        const struct vectors *v = view->vectors[i].vectors;

        if (view->vectors[i].segment != segment || !vector_field_eq(&v->field, field))
            continue;
        *in = v;
        *row = vectors_row_from(v, (uint32_t)passage);
        return *row < v->count && v->passage[*row] == passage;
    }
    return false;
}

bool vector_scores(const struct lexical_view *view, const struct lexical_vector *query,
                   const uint64_t *passages, size_t count, float *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    float *unit = arena ? arena_array(arena, query->field->dim, sizeof *unit) : NULL;
    vector_product *product = vector_kernel_best().product;

    if (!unit)
        return err_no_room(err, "no memory to score vectors");
    if (!vector_normalise(query->values, query->field->dim, unit))
        return err_set(err, ERR_INVALID, "a vector to score by has a value that is not finite");
    for (size_t i = 0; i < count; i++) {
        const struct vectors *in;
        uint32_t row;

        out[i] = find_row(view, query->field, passages[i], &in, &row)
                     ? score_by_floats(product, unit, in, row)
                     : NAN;
    }
    return true;
}

bool vector_get(const struct lexical_view *view, const struct vector_field *field, uint64_t passage,
                float *out)
{
    const struct vectors *in;
    uint32_t row;

    if (!find_row(view, field, passage, &in, &row))
        return false;
    for (uint32_t i = 0; i < field->dim; i++)
        out[i] = vector_float(vector_original(&in->rows, row)[i]);
    return true;
}

/* --- what is there ---------------------------------------------------------------------------- */

static struct vector_stats *stats_of(struct vector_stats *all, size_t *count,
                                     const struct vector_field *field)
{
    for (size_t i = 0; i < *count; i++)
        if (vector_field_eq(&all[i].field, field))
            return &all[i];
    if (*count == VECTOR_FIELDS_MAX)
        return NULL;
    all[*count] = (struct vector_stats){.field = *field, .recall = 1};
    return &all[(*count)++];
}

static int compare_stats(const void *a, const void *b)
{
    const struct vector_stats *left = a, *right = b;

    return memcmp(&left->field, &right->field, sizeof left->field);
}

size_t vector_fields(const struct lexical_view *view, struct vector_stats out[VECTOR_FIELDS_MAX])
{
    size_t count = 0;

    for (uint32_t i = 0; i < view->vector_count; i++) {
        const struct vectors *v = view->vectors[i].vectors;
        struct vector_stats *stats = stats_of(out, &count, &v->field);

        if (!stats)
            continue;
        stats->vectors += v->count;
        stats->bytes += v->bytes;
        if (v->graph->rows) {
            stats->graphed += v->count;
            stats->recall = MIN_OF(stats->recall, v->graph->recall);
        }
    }
    qsort(out, count, sizeof *out, compare_stats);
    return count;
}
