/* knowledge/ranking.h: the passages that words found, put in order by what a closer look at each says.
 * Why      BM25 counts words; whether one sentence has them together, and which of them only few of these passages
 *          have, is seen by reading. Neither alone is as good as both.
 * Score    a weighted sum of the features below, each of which is the same for any collection's size. Weights were
 *          learned by tests/quality/train_ranking.c on the development splits it lists.
 * Cost     RANKING_DEPTH passages are cut into sentences and analysed; what stands behind keeps its order. Phrases
 *          are read in SPAN_SENTENCES passages, those with the best sentences.
 * Pure. */
#ifndef WEIR_KNOWLEDGE_RANKING_H
#define WEIR_KNOWLEDGE_RANKING_H

#include "knowledge/span.h"

#define RANKING_DEPTH 20

enum ranking_feature {
    R_IDEAL,    /* BM25 over what a passage would have that held nothing but the question's words */
    R_BEST,     /* ... over the best passage's */
    R_SENTENCE, /* its best sentence's score less the best of all */
    R_SENTENCES, /* its sentences' softmax share */
    R_GRAMS,     /* share of the question's grams, counted by how few of the passages have them */
    R_TITLE,     /* share of the question's words that stand in title and headings */
    R_WORDS, /* Chinese: what the best phrase of its best sentence scores, less the best of all */
    RANKING_FEATURES
};
extern const float ranking_weights[LANGUAGES][RANKING_FEATURES];

struct ranking_request {
    const struct access *access;
    struct analyser *analyser;
    struct arena *arena;
    struct str text;                    /* the question */
    const struct span_weights *weights; /* or NULL: those that ship */
};
/* Features of the first RANKING_DEPTH hits, or of all; [*count]. */
bool ranking_read(const struct ranking_request *request, const struct lexical_hits *hits,
                  float (**out)[RANKING_FEATURES], size_t *count, struct err *err) MUST_CHECK;
/* Puts them in order; the scores stay where they stood, best first. shares: how likely each of the first RANKING_DEPTH
 * is the one that answers, if one of them is; of what stands behind 0. */
bool ranking_passages(const struct ranking_request *request, struct lexical_hits *hits,
                      float shares[RANKING_DEPTH], struct err *err) MUST_CHECK;

#endif
