/* index/latent.h: vectors learned from the collection itself, for passages that say the same in other
 * words than the question (latent semantic indexing: Deerwester et al. 1990).
 * Model    a vector for each word: an orthonormal basis of the space in which the passages, as weighted
 *          words, vary most; by subspace iteration from a fixed seed (Halko, Martinsson & Tropp 2011).
 * Vector   of a text: the weighted sum of its words' vectors, brought to length 1. The same for passages
 *          the model was learned from, for new ones, and for questions.
 * Bytes    a model and its vectors follow from the passages' words and counts, in the order of the view:
 *          the same content gives the same bytes.
 * Delete   a model holds counts of all passages it was learned from. So it is kept only as long as all of
 *          them are in the index, and learned anew otherwise; see lexical.h.
 * Bounds   latent_limits: words, dimensions, and passages learned from. */
#ifndef WEIR_INDEX_LATENT_H
#define WEIR_INDEX_LATENT_H

#include <stdatomic.h>

#include "index/lexical.h"

#define LATENT_DIMENSIONS_MAX 512u

struct latent_limits {
    uint32_t dimensions; /* a multiple of 16, at most LATENT_DIMENSIONS_MAX */
    uint32_t words;      /* the most frequent ones */
    uint32_t passages;   /* learned from; of more, some at equal distances */
    uint32_t rounds;     /* of the iteration */
};
extern const struct latent_limits latent_default;

/* The model's bytes, in the arena; empty when there is too little to learn from (fewer than two passages
 * that share words). *stop, when given, is looked at now and then: ERR_CANCELLED. Blocks for seconds: on
 * the pool. */
struct latent_lesson {
    const struct lexical_view *view;
    const struct lexical_filter *filter; /* of the view; learned from those alone. NULL: from all */
    const struct latent_limits *limits;
    const atomic_bool *stop; /* or NULL */
};
bool latent_learn(const struct latent_lesson *lesson, struct arena *arena, struct str *out,
                  struct err *err) MUST_CHECK;

/* A model read from its bytes, which must outlive it. ERR_UNAVAILABLE: they make no sense. */
struct latent {
    uint32_t dimensions, words, learned_from; /* passages there were, all or those of the filter */
    const uint8_t *weights;                   /* [words] f32: what a word counts */
    const uint8_t *scales;                    /* [words] f32, of the rows */
    const int8_t *rows;                       /* [words][dimensions] */
    const uint8_t *text_ends;                 /* [words] u32 */
    struct str texts;                         /* sorted */
    size_t bytes;                             /* of the model */
};
bool latent_read(struct str bytes, struct latent *out, struct err *err) MUST_CHECK;
/* A text's vector, of length 1; false when the model knows none of its words: then it is all zeros. */
bool latent_vector(const struct latent *model, const struct terms *terms, float *out);
/* Vectors of one segment's passages, [passages][dimensions], as latent_vector() would give them; zeros
 * where the model knows no word. segment: below lexical_stats().segments. */
bool latent_passages(const struct latent *model, const struct lexical_view *view, uint32_t segment,
                     struct arena *arena, float **out, struct err *err) MUST_CHECK;

/* --- kept beside the segments ----------------------------------------------------------------- */

/* What the index knows as its model from this run's commit on. The model before it goes, with the vectors it
 * gave. Bytes as latent_learn() made them; copied.
 * A commit that removes or replaces a document drops the model and its vectors, whatever was set: what was
 * learned from it is gone when it is. */
#define LATENT_FIELD "latent" /* name of the field of vectors */
bool latent_set(struct lexical_writer *writer, struct str bytes, struct err *err) MUST_CHECK;
bool latent_drop(struct lexical_writer *writer, struct err *err) MUST_CHECK;
/* The model of a view, and the field that its vectors stand in (index/vector.h). false: there is none. */
struct vector_field;
bool latent_of(const struct lexical_view *view, struct latent *out, struct vector_field *field);

#endif
