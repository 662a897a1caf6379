/* knowledge/likely.h: how likely a passage answers a question, as a number from 0 to 1 that means the same for every
 * question and every base: the `score` of OpenAI's dialect, by which its `score_threshold` leaves passages out.
 * Model    logistic, over the signs that tell whether an answer is one (choose.h), but for those of its words, read in
 *          each passage as if it were the only one found: none knows the other passages. Learned by tests/quality/train_likely.c on the development
 *          splits it lists, with questions that nothing answers among them; docs/quality.md has how true it is.
 * Order    that of the search stays, and scores never rise along it: where model and order disagree the passages
 *          between share the mean of theirs (pool adjacent violators), which keeps them true on average.
 * Cost     each passage is cut into sentences and analysed: only who asks for scores pays for it.
 * Pure. */
#ifndef WEIR_KNOWLEDGE_LIKELY_H
#define WEIR_KNOWLEDGE_LIKELY_H

#include "knowledge/choose.h"

#define LIKELY_SENTENCE SIGNS /* behind the signs: the ranker's score of the best sentence */
#define LIKELY_FEATURES (SIGNS + 1)
extern const float likely_weights[LANGUAGES][LIKELY_FEATURES + 1]; /* last: the constant */

struct likely_request {
    struct analyser *analyser;
    struct arena *arena;             /* of what is read */
    const struct question *question; /* read among what may be seen */
};
/* False in *any: no sentence of it is to be judged. The passage's own score is not looked at. */
bool likely_signs(const struct likely_request *request, const struct found *passage,
                  float out[LIKELY_FEATURES], bool *any, struct err *err) MUST_CHECK;
/* Of each of the passages in their order, never rising. */
bool likely_scores(const struct likely_request *request, const struct found *found, size_t count,
                   float *out, struct err *err) MUST_CHECK;
/* The hits whose scores are not below `least`: the first of them, and the scores. */
bool likely_keep(const struct likely_request *request, struct lexical_hits *hits, float least,
                 float **scores, struct err *err) MUST_CHECK;
/* Numbers in the order they have, made such that none is above the one before. */
void likely_pool(float *scores, size_t count);

#endif
