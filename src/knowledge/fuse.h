/* knowledge/fuse.h: passages found by words and passages found by vectors as one list.
 * Score    a weighted sum. Words count as BM25 over what a passage would have that held nothing but the
 *          question's words, so that a question whose words are hardly found anywhere leaves more to the
 *          vectors; vectors count as where the cosine stands between the best and the worst that was found,
 *          for cosines of different models have different ranges.
 * Weights  learned for the vectors that need no provider (tests/quality/train_fuse.c); of a provider's
 *          model, which cannot be had where these were made, they are set by hand.
 * Pure. */
#ifndef WEIR_KNOWLEDGE_FUSE_H
#define WEIR_KNOWLEDGE_FUSE_H

#include "index/lexical.h"

enum fuse_leg { FUSE_HASHED, FUSE_LATENT, FUSE_MODEL };
#define FUSE_LEGS  3
#define FUSE_DEPTH 100 /* passages of each leg */

struct fuse_item {
    uint64_t passage;
    float lexical; /* BM25; 0: not among the best by words */
    float vector;  /* cosine; NAN: the passage has no vector */
    float score;   /* fuse() writes it */
};
/* What all items of a question share. */
struct fuse_signs {
    float ideal; /* fuse_ideal() */
    float top;   /* share of the ideal that the best passage reaches */
    float lead;  /* by which share it is before the second */
    float vector_best, vector_worst;
    float words; /* of the question that count */
};
float fuse_ideal(const struct lexical_view *view, const struct lexical_filter *filter,
                 const struct terms *terms, uint32_t *words);
struct fuse_signs fuse_signs_of(const struct fuse_item *items, size_t count, float ideal,
                                uint32_t words);

enum fuse_feature {
    U_WORDS,       /* share of the ideal */
    U_VECTOR,      /* between worst and best */
    U_VECTOR_MISS, /* the same, times what of the ideal nothing reaches */
    U_VECTOR_LEAD, /* ... times the lead by words */
    U_VECTOR_LONG, /* ... times how long the question is */
    U_COSINE,
    FUSE_FEATURES
};
extern const float fuse_weights[FUSE_LEGS][FUSE_FEATURES];
void fuse_features(const struct fuse_signs *signs, const struct fuse_item *item,
                   float out[FUSE_FEATURES]);
/* Scores and sorts: best first, of equals the lower passage. */
void fuse_by(const float weights[FUSE_FEATURES], const struct fuse_signs *signs,
             struct fuse_item *items, size_t count);

#endif
