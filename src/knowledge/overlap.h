/* knowledge/overlap.h: what a question shares with each sentence of one passage, and how telling that is
 * there. A word that every sentence of the passage has picks none of them, however rare it is elsewhere;
 * so what is shared counts by how few sentences of the passage have it. Compared are whole words, and
 * grams that forgive other endings and other cuts: four letters of English stems, one and two Chinese
 * characters. */
#ifndef WEIR_KNOWLEDGE_OVERLAP_H
#define WEIR_KNOWLEDGE_OVERLAP_H

#include "index/terms.h"

#define GRAMS_MAX  256 /* of a question; what is longer is judged by its beginning */
#define GRAM_SLOTS 1024

struct grams { /* of a question, numbered in order of appearance */
    uint64_t codes[GRAMS_MAX];
    uint16_t slots[GRAM_SLOTS]; /* number + 1; 0: free */
    uint32_t count;
    bool wide; /* characters, not letters */
};
struct gram_set {
    uint64_t bits[GRAMS_MAX / 64];
};

void grams_read(struct grams *grams, const struct terms *question, bool wide);
struct gram_set grams_in(const struct grams *grams, const struct terms *text);
float grams_share(const struct grams *grams, const struct gram_set *set); /* all counting alike */
/* Weights of the question's grams among the sentences of a passage; [grams->count] */
void grams_weigh(const struct grams *grams, const struct gram_set *sentences, size_t count,
                 float *weights);
float grams_weighed(const struct grams *grams, const struct gram_set *set, const float *weights);

/* How telling it is that a sentence has what `having` of `count` sentences have: 1 when none has it. */
float local_weight(size_t having, size_t count);

#endif
