#include "knowledge/fuse.h"

#include <math.h>
#include <stdlib.h>

#define BM25_MOST  2.2f /* k1 + 1: what a word can be worth at most, times its idf */
#define PAIR_SHARE 0.4f /* index/lexical.h */
#define LONG_WORDS 32.0f

/* By: weir_legs DATA --train legs.tsv; weir_train_fuse legs.tsv (docs/quality.md). */
const float fuse_weights[FUSE_LEGS][FUSE_FEATURES] = {
    [FUSE_HASHED] = {1, 0, 0, 0, 0, 0.05f}, /* by hand: no set gains by more */
    [FUSE_LATENT] = {1, -0.2326f, 0.2449f, 0.0845f, 0.1417f, 0.0350f},
    /* By hand: as good as words. */
    [FUSE_MODEL] = {1, 0.5f, 0, 0, 0, 0},
};

float fuse_ideal(const struct lexical_view *view, const struct lexical_filter *filter,
                 const struct terms *terms, uint32_t *words)
{
    float sum = 0;

    *words = 0;
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->stop || terms_is_repeat(terms, i))
            continue;
        *words += term->field == TERM_WORD;
        sum += lexical_idf(view, filter, term) * BM25_MOST *
               (term->field == TERM_PAIR ? PAIR_SHARE : 1);
    }
    return sum;
}

struct fuse_signs fuse_signs_of(const struct fuse_item *items, size_t count, float ideal,
                                uint32_t words)
{
    struct fuse_signs s = {.ideal = ideal, .vector_best = -1, .vector_worst = 1};
    float first = 0, second = 0;

    for (size_t i = 0; i < count; i++) {
        if (items[i].lexical > first) {
            second = first;
            first = items[i].lexical;
        } else {
            second = MAX_OF(second, items[i].lexical);
        }
        if (!isnan(items[i].vector)) {
            s.vector_best = MAX_OF(s.vector_best, items[i].vector);
            s.vector_worst = MIN_OF(s.vector_worst, items[i].vector);
        }
    }
    s.top = ideal > 0 ? MIN_OF(first / ideal, 1.0f) : 0;
    s.lead = first > 0 ? (first - second) / first : 0;
    s.words = MIN_OF((float)words / LONG_WORDS, 1.0f);
    return s;
}

void fuse_features(const struct fuse_signs *s, const struct fuse_item *item,
                   float out[FUSE_FEATURES])
{
    float range = s->vector_best - s->vector_worst, vector = 0;

    if (!isnan(item->vector) && range > 0)
        vector = (item->vector - s->vector_worst) / range;
    out[U_WORDS] = s->ideal > 0 ? item->lexical / s->ideal : 0;
    out[U_VECTOR] = vector;
    out[U_VECTOR_MISS] = vector * (1 - s->top);
    out[U_VECTOR_LEAD] = vector * s->lead;
    out[U_VECTOR_LONG] = vector * s->words;
    out[U_COSINE] = isnan(item->vector) ? 0 : MAX_OF(item->vector, 0.0f);
}

static int compare_scores(const void *a, const void *b)
{
    const struct fuse_item *left = a, *right = b;

    if (left->score != right->score)
        return left->score < right->score ? 1 : -1;
    return (left->passage > right->passage) - (left->passage < right->passage);
}

void fuse_by(const float weights[FUSE_FEATURES], const struct fuse_signs *signs,
             struct fuse_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float x[FUSE_FEATURES];

        fuse_features(signs, &items[i], x);
        items[i].score = 0;
        for (int f = 0; f < FUSE_FEATURES; f++)
            items[i].score += weights[f] * x[f];
    }
    qsort(items, count, sizeof *items, compare_scores);
}
