#include "knowledge/likely.h"

#include <math.h>

#include "knowledge/answer.h"

#define READ_ARENA     ((size_t)64 * MIB)
#define SENTENCE_SCALE 10.0f

/* By: weir_eval DATA --likely FILE; weir_train_likely FILE (docs/quality.md). */
const float likely_weights[LANGUAGES][LIKELY_FEATURES + 1] = {
    {5.375f,   0.6481f,  2.558f,   1.833f, 0,       0,       -0.3444f, -1.59f,   -1.608f,  -0.3107f,
     -0.2447f, 5.864f,   0.0457f,  2.674f, -3.636f, -1.894f, 1.423f,   -0.1479f, -0.5254f, 0.06751f,
     -0.3286f, 0.02141f, -0.1563f, 0,      0,       0,       0,        0,        3.094f,   -10.73f},
    {0.03411f, 5.308f,   6.574f,  1.841f, 0,       0,       0.8783f, -3.053f,  -3.7f,   -0.2473f,
     -0.1951f, 3.136f,   0.1941f, 0,      -3.944f, -1.352f, 3.148f,  -0.5171f, -2.446f, -0.892f,
     0.1453f,  -0.6176f, 0,       0,      0,       0,       0,       0,        1.458f,  -7.98f},
};

bool likely_signs(const struct likely_request *r, const struct found *passage,
                  float out[LIKELY_FEATURES], bool *any, struct err *err)
{
    struct found alone = *passage;
    static const struct span_choice no_words;
    struct candidate *ranked;
    size_t count;

    alone.score = 1;
    *any = false;
    if (!candidates_rank(r->analyser, r->arena, r->question, &alone, 1, &ranked, &count, err))
        return false;
    if (!count)
        return true;
    signs_of(r->question, ranked, count, &no_words, out);
    out[S_BM25] = out[S_MARGIN] = 0; /* of the search, and of other passages */
    out[LIKELY_SENTENCE] = ranked[0].score / SENTENCE_SCALE;
    *any = true;
    return true;
}

static float logistic(const float weights[LIKELY_FEATURES + 1], const float x[LIKELY_FEATURES])
{
    float sum = weights[LIKELY_FEATURES];

    for (int i = 0; i < LIKELY_FEATURES; i++)
        sum += weights[i] * x[i];
    return 1.0f / (1.0f + expf(-sum));
}

/* Each number joins the ones before it as long as it is above their mean. */
void likely_pool(float *scores, size_t count)
{
    for (size_t end = 1; end < count; end++) {
        float sum = scores[end];
        size_t from = end;

        while (from > 0 && scores[from - 1] < sum / (float)(end - from + 1))
            sum += scores[--from];
        for (size_t i = from; i <= end; i++)
            scores[i] = sum / (float)(end - from + 1);
    }
}

bool likely_scores(const struct likely_request *request, const struct found *found, size_t count,
                   float *out, struct err *err)
{
    const float *weights = likely_weights[language_number(request->question->language)];
    struct arena *scratch CLEANUP(arena_end) = arena_new(READ_ARENA);
    struct likely_request each = *request;
    float x[LIKELY_FEATURES];

    if (!scratch)
        return err_no_room(err, "no memory to read passages");
    each.arena = scratch;
    for (size_t i = 0; i < count; i++) {
        bool any;

        arena_rewind(scratch, 0);
        if (!likely_signs(&each, &found[i], x, &any, err))
            return false;
        out[i] = any ? logistic(weights, x) : 0;
    }
    likely_pool(out, count);
    return true;
}

bool likely_keep(const struct likely_request *request, struct lexical_hits *hits, float least,
                 float **scores, struct err *err)
{
    float *list = arena_array(request->arena, hits->count + 1, sizeof *list);
    struct found *found;
    size_t kept = 0;

    if (!list)
        return err_arena(err, request->arena);
    if (!found_whole(request->arena, hits, &found, err) ||
        !likely_scores(request, found, hits->count, list, err))
        return false;
    while (kept < hits->count && list[kept] >= least)
        kept++;
    hits->count = kept;
    *scores = list;
    return true;
}
