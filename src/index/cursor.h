/* index/cursor.h: one term's postings in one segment, read block by block. Internal to index/.
 * A cursor stands on a passage, or on CURSOR_END. Blocks are known by what they cannot exceed before
 * they are read, where the segment has skips. */
#ifndef WEIR_INDEX_CURSOR_H
#define WEIR_INDEX_CURSOR_H

#include "index/segment.h"

#define CURSOR_END UINT32_MAX

/* BM25: what a term is worth, and how length counts. */
struct worth {
    double weight;  /* idf, times the field's */
    double average; /* length of a passage in the field */
    enum term_field field;
};

struct cursor {
    const struct segment *segment;
    struct worth worth;
    uint32_t order;         /* of its term in the question */
    struct postings blocks; /* the bytes, and the skips in front of them */
    const uint8_t *first;   /* where the blocks begin */
    uint32_t left;          /* postings not yet read */
    uint32_t total;
    uint32_t block; /* the one that was read */
    uint32_t count, at;
    uint32_t passages[SKIP_BLOCK], times[SKIP_BLOCK];
    uint32_t passage;   /* passages[at], or CURSOR_END */
    double bound;       /* no passage of the list is worth more */
    double block_bound; /* ... of the block */
    double norm_least;  /* what length comes to in the shortest passage of the block, at least */
    uint32_t block_last;
};

void cursor_open(struct cursor *c, const struct segment *segment, const struct term_entry *entry,
                 const struct worth *worth);
void cursor_next(struct cursor *c);
/* To the first passage that is not before `passage`. */
void cursor_seek(struct cursor *c, uint32_t passage);
/* What a passage's length comes to, above 0, and the score of the passage the cursor stands on: all terms of a field
 * have the one in common. */
double cursor_norm(const struct worth *worth, uint32_t length);
double cursor_score(const struct cursor *c, double norm);
/* Not less than that, and not looking at the passage: how long it is stands somewhere else in memory. */
double cursor_score_bound(const struct cursor *c);
/* What the list can be worth at most at `passage`, without reading a block. */
double cursor_bound_at(const struct cursor *c, uint32_t passage);

#endif
