#include "knowledge/ranking.h"

#include <math.h>
#include <stdlib.h>

#include "knowledge/answer.h"
#include "knowledge/fuse.h"
#include "knowledge/settle.h"

#define READ_ARENA   ((size_t)64 * MIB)
#define SCORES_APART 8.0f /* of sentences: what is farther below the best is as far */

/* By: weir_eval DATA --ranking FILE; weir_train_ranking FILE en, and zh (docs/quality.md). */
const float ranking_weights[LANGUAGES][RANKING_FEATURES] = {
    {0.904f, 2.547f, 4.016f, 1.065f, 2.347f, 2.017f, 0},
    {0.426f, 1.827f, 2.496f, -0.196f, 3.863f, 1.945f, 1.632f},
};

/* A passage as its sentences were ranked. */
struct sight {
    float best, share; /* of its sentences: score; softmax over all */
    float words;       /* settle_distance() of the best of them */
    uint64_t above;    /* of the question's terms: in title and headings */
    struct gram_set grams;
};
struct reading {
    const struct ranking_request *request;
    struct arena *scratch;
    struct question question;
    const struct lexical_hits *hits;
    size_t count;
    struct sight *sights;
    float *gram_weights;
};

/* The best sentence of each of the first passages, by the phrases in it. */
static bool see_words(struct reading *r, const struct found *found, const struct candidate *ranked,
                      size_t count, struct err *err)
{
    const struct ranking_request *with = r->request;
    int language = language_number(r->question.language);
    struct candidate best[SPAN_SENTENCES];
    struct span_choice spans;
    struct span_request request = {.access = with->access,
                                   .analyser = with->analyser,
                                   .arena = r->scratch,
                                   .question = &r->question,
                                   .ranked = best,
                                   .weights =
                                       with->weights ? with->weights : &span_weights[language]};

    if (language_number(r->question.language) == 0)
        return true;
    for (size_t i = 0; i < count && request.count < SPAN_SENTENCES; i++) {
        size_t seen = 0;

        while (seen < request.count && best[seen].found != ranked[i].found)
            seen++;
        if (seen == request.count)
            best[request.count++] = ranked[i];
    }
    if (!spans_rank(&request, &spans, err))
        return false;
    for (size_t i = 0; i < request.count && spans.count; i++)
        r->sights[best[i].found - found].words = settle_distance(&spans, i);
    return true;
}

static bool see(struct reading *r, struct err *err)
{
    const struct ranking_request *with = r->request;
    struct lexical_hits first = {r->hits->at, r->count};
    struct candidate *ranked;
    struct found *found;
    size_t count;
    float all = 0;

    r->sights = arena_array(r->scratch, r->count + 1, sizeof *r->sights);
    if (!r->sights)
        return err_arena(err, r->scratch);
    if (!question_read(with->access, with->analyser, r->scratch, with->text, &r->question, err) ||
        !found_whole(r->scratch, &first, &found, err) ||
        !candidates_rank(with->analyser, r->scratch, &r->question, found, r->count, &ranked, &count,
                         err))
        return false;
    for (size_t i = 0; i < r->count; i++)
        r->sights[i] = (struct sight){.best = -SCORES_APART, .words = -SETTLE_FAR};
    for (size_t i = 0; i < count; i++) {
        struct sight *s = &r->sights[ranked[i].found - found];
        float below = ranked[i].score - ranked[0].score;

        s->best = MAX_OF(s->best, below);
        s->share += expf(below);
        s->above |= ranked[i].above;
        s->grams = *ranked[i].passage;
        all += expf(below);
    }
    for (size_t i = 0; i < r->count && all > 0; i++)
        r->sights[i].share /= all;
    return see_words(r, found, ranked, count, err);
}

/* What few of the passages have tells them apart. */
static bool weigh(struct reading *r, struct err *err)
{
    struct gram_set *sets = arena_array(r->scratch, r->count + 1, sizeof *sets);

    r->gram_weights = arena_array(r->scratch, GRAMS_MAX, sizeof *r->gram_weights);
    if (!sets || !r->gram_weights)
        return err_arena(err, r->scratch);
    for (size_t i = 0; i < r->count; i++)
        sets[i] = r->sights[i].grams;
    grams_weigh(r->question.grams, sets, r->count, r->gram_weights);
    return true;
}

static float words_share(const struct question *q, uint64_t bits)
{
    float sum = 0;

    for (size_t i = 0; i < q->asked_count; i++)
        if (bits >> i & 1 && q->asked[i].term.field == TERM_WORD)
            sum += q->asked[i].idf;
    return q->word_idf > 0 ? sum / q->word_idf : 0;
}

static void fill(const struct reading *r, size_t i, float ideal, float out[RANKING_FEATURES])
{
    const struct sight *s = &r->sights[i];
    float score = r->hits->at[i].score, best = r->hits->at[0].score;

    out[R_IDEAL] = ideal > 0 ? score / ideal : 0;
    out[R_BEST] = best > 0 ? score / best : 0;
    out[R_SENTENCE] = MAX_OF(s->best, -SCORES_APART) / SCORES_APART;
    out[R_SENTENCES] = s->share;
    out[R_GRAMS] = grams_weighed(r->question.grams, &s->grams, r->gram_weights);
    out[R_TITLE] = words_share(&r->question, s->above);
    out[R_WORDS] = s->words / SETTLE_FAR;
}

bool ranking_read(const struct ranking_request *request, const struct lexical_hits *hits,
                  float (**out)[RANKING_FEATURES], size_t *count, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(READ_ARENA);
    struct reading r = {.request = request,
                        .scratch = scratch,
                        .hits = hits,
                        .count = MIN_OF(hits->count, (size_t)RANKING_DEPTH)};
    float(*features)[RANKING_FEATURES] = arena_array(request->arena, r.count + 1, sizeof *features);
    uint32_t words;

    if (!scratch || !features)
        return err_no_room(err, "no memory to read passages");
    if (!see(&r, err) || !weigh(&r, err))
        return false;
    float ideal =
        fuse_ideal(request->access->view, request->access->filter, &r.question.terms, &words);
    for (size_t i = 0; i < r.count; i++)
        fill(&r, i, ideal, features[i]);
    *out = features;
    *count = r.count;
    return true;
}

struct placed {
    struct lexical_hit hit;
    float score;
    size_t place;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *one = a, *other = b;

    if (one->score < other->score || one->score > other->score)
        return one->score < other->score ? 1 : -1;
    return one->place < other->place ? -1 : one->place > other->place;
}

/* Equals are the same text in several documents, mostly: one answer. */
static void share_out(const struct placed *placed, size_t count, float shares[RANKING_DEPTH])
{
    float all = 0;

    for (size_t i = 0; i < count; i++) {
        shares[i] = expf(placed[i].score - placed[0].score);
        all += i && placed[i].score >= placed[i - 1].score ? 0 : shares[i];
    }
    for (size_t i = 0; i < RANKING_DEPTH; i++)
        shares[i] = i < count ? shares[i] / all : 0;
}

bool ranking_passages(const struct ranking_request *request, struct lexical_hits *hits,
                      float shares[RANKING_DEPTH], struct err *err)
{
    const float *weights = ranking_weights[language_number(text_language(request->text))];
    struct placed placed[RANKING_DEPTH];
    float(*features)[RANKING_FEATURES];
    size_t count;

    if (!ranking_read(request, hits, &features, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        placed[i] = (struct placed){.hit = hits->at[i], .place = i};
        for (int f = 0; f < RANKING_FEATURES; f++)
            placed[i].score += weights[f] * features[i][f];
    }
    if (count)
        qsort(placed, count, sizeof *placed, compare_placed);
    share_out(placed, count, shares);
    for (size_t i = 0; i < count; i++) {
        float score = hits->at[i].score;

        hits->at[i] = placed[i].hit;
        hits->at[i].score = score;
    }
    return true;
}
