/* Searching vectors: bytes against bytes over all that may be seen, then floats for the best of those. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/lexical_internal.h"
#include "index/vector_file.h"
#include "index/vector_kernel.h"

#define RESCORED_MIN 30

/* --- the best so far -------------------------------------------------------------------------- */

struct candidate {
    float score;
    uint64_t passage; /* in the view */
    const struct vectors *in;
    uint32_t row;
};

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    return a->score != b->score ? a->score > b->score : a->passage < b->passage;
}

/* A heap with the worst on top. */
struct best {
    struct candidate *at;
    size_t count, limit;
};

static void sift_up(struct best *best, size_t i)
{
    while (i > 0 && is_better(&best->at[(i - 1) / 2], &best->at[i])) {
        struct candidate parent = best->at[(i - 1) / 2];

        best->at[(i - 1) / 2] = best->at[i];
        best->at[i] = parent;
        i = (i - 1) / 2;
    }
}

static void sift_down(struct best *best)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < best->count; i = child) {
        if (child + 1 < best->count && is_better(&best->at[child], &best->at[child + 1]))
            child++;
        if (!is_better(&best->at[i], &best->at[child]))
            return;
        struct candidate worst = best->at[child];

        best->at[child] = best->at[i];
        best->at[i] = worst;
    }
}

static void keep(struct best *best, const struct candidate *candidate)
{
    if (best->count < best->limit) {
        best->at[best->count] = *candidate;
        sift_up(best, best->count++);
    } else if (is_better(candidate, &best->at[0])) {
        best->at[0] = *candidate;
        sift_down(best);
    }
}

static int compare_candidates(const void *a, const void *b)
{
    return is_better(a, b) ? -1 : is_better(b, a);
}

/* --- one search ------------------------------------------------------------------------------- */

struct search {
    const struct lexical_view *view;
    const struct vector_query *query;
    float *values; /* at unit length */
    int8_t *bytes;
    vector_dot *dot;
    struct best best;
};

static void scan(struct search *s, const struct vectors *v, uint32_t segment, uint64_t before)
{
    const struct lexical_filter *filter = s->query->filter;

    for (uint32_t row = 0; row < v->count; row++) {
        if (filter && !filter_allows(filter, segment, v->passage[row]))
            continue;
        struct candidate candidate = {
            .score = (float)s->dot(s->bytes, vector_row(&v->rows, row), v->rows.stride) *
                     v->rows.scales[row],
            .passage = before + v->passage[row],
            .in = v,
            .row = row};

        keep(&s->best, &candidate);
    }
}

static void rescore(struct search *s)
{
    struct best *best = &s->best;

    for (size_t i = 0; i < best->count; i++)
        best->at[i].score =
            vector_product(s->values, vector_original(&best->at[i].in->rows, best->at[i].row),
                           s->query->field->dim);
    qsort(best->at, best->count, sizeof *best->at, compare_candidates);
    best->count = MIN_OF(best->count, s->query->limit);
}

static bool prepare(struct search *s, struct arena *arena, struct err *err)
{
    const struct vector_query *query = s->query;
    uint32_t dim = query->field->dim;
    size_t least = query->rescored ? query->rescored : MAX_OF(3 * query->limit, RESCORED_MIN);

    s->best.limit = MAX_OF(least, query->limit);
    s->best.at = arena_array(arena, s->best.limit, sizeof *s->best.at);
    s->values = arena_array(arena, dim, sizeof *s->values);
    s->bytes = arena_alloc(arena, vector_stride(dim));
    if (!s->best.at || !s->values || !s->bytes)
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
    out->at = arena_array(arena, s->best.count + 1, sizeof *out->at);
    if (!out->at)
        return err_arena(err, arena);
    for (; out->count < s->best.count; out->count++) {
        const struct candidate *from = &s->best.at[out->count];

        out->at[out->count] = lexical_hit_at(s->view, from->passage);
        out->at[out->count].score = from->score;
    }
    return true;
}

bool vector_search(const struct lexical_view *view, struct arena *arena,
                   const struct vector_query *query, struct lexical_hits *out, struct err *err)
{
    struct search s = {.view = view, .query = query, .dot = vector_dot_best()};
    uint64_t before = 0;

    ASSERT(query->limit > 0 && query->limit <= LEXICAL_LIMIT_MAX);
    ASSERT(!query->filter || query->filter->view == view);
    if (!prepare(&s, arena, err))
        return false;
    for (uint32_t i = 0, k = 0; i < view->count; before += view->at[i++]->passages)
        for (; k < view->vector_count && view->vectors[k].segment == i; k++)
            if (vector_field_eq(&view->vectors[k].vectors->field, query->field) &&
                !vector_is_zero(s.values, query->field->dim))
                scan(&s, view->vectors[k].vectors, i, before);
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

bool vector_scores(const struct lexical_view *view, const struct vector_field *field,
                   const float *values, const uint64_t *passages, size_t count, float *out,
                   struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    float *unit = arena ? arena_array(arena, field->dim, sizeof *unit) : NULL;

    if (!unit)
        return err_no_room(err, "no memory to score vectors");
    if (!vector_normalise(values, field->dim, unit))
        return err_set(err, ERR_INVALID, "a vector to score by has a value that is not finite");
    for (size_t i = 0; i < count; i++) {
        const struct vectors *in;
        uint32_t row;

        out[i] = find_row(view, field, passages[i], &in, &row)
                     ? vector_product(unit, vector_original(&in->rows, row), field->dim)
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
    }
    qsort(out, count, sizeof *out, compare_stats);
    return count;
}
