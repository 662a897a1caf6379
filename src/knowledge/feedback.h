/* knowledge/feedback.h: a long question that shares few words with what it is looked for in, asked again with the
 * words of the passages found first (pseudo-relevance feedback: Rocchio 1971; Abdul-Jaleel et al. 2004).
 * When     a question of several words whose best passages are nearly equal: a topic, described. One that asks for a
 *          fact is answered by one passage, which stands out, and by what its sentences say (ranking.h).
 * Kept     nothing: what a search learns from passages is gone with it, so there is nothing to forget, and only
 *          passages the asker may see are read.
 * Pure. */
#ifndef WEIR_KNOWLEDGE_FEEDBACK_H
#define WEIR_KNOWLEDGE_FEEDBACK_H

#include "index/lexical.h"
#include "knowledge/access.h"

struct feedback_request {
    const struct access *access;
    struct analyser *analyser;
    struct arena *arena;
    const struct terms *terms;        /* of the question */
    const struct lexical_hits *found; /* by these alone */
    size_t limit;                     /* of what is found now */
};
bool feedback_wanted(const struct feedback_request *request);
/* `hits` are the passages in their order and `shares` (of RANKING_DEPTH) how likely each answers: out of both and of
 * what feedback finds comes the new order. Scores stay where they stood, best first. */
bool feedback_find(const struct feedback_request *request, const float *shares,
                   struct lexical_hits *hits, struct err *err) MUST_CHECK;

#endif
