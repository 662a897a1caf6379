/* index/invert.h: passages as the terms they will be found by, each with how often it stands there: what
 * analysis makes of them, and the part of writing that several threads can share. Internal to index/. */
#ifndef WEIR_INDEX_INVERT_H
#define WEIR_INDEX_INVERT_H

#include "index/lexical.h"

struct inverted_term {
    struct str key;       /* term_key() */
    uint32_t hash, times; /* hash: of the key, by siphash() */
};
struct inverted {     /* a passage */
    struct str terms; /* packed, in order of first use: inverted_next() */
    size_t count;
    uint32_t lengths[TERM_FIELDS]; /* terms, repeats included */
    struct str cuts;               /* of the text: word_cuts_of() */
};
/* for (struct str rest = passage.terms; inverted_next(&rest, &term);)  the key views the passage */
bool inverted_next(struct str *rest, struct inverted_term *out);
/* What it becomes goes into the arena, what is needed for that alone into scratch. */
bool invert(struct analyser *analyser, struct arena *arena, struct arena *scratch,
            const struct lexical_passage *passage, struct inverted *out, struct err *err)
    MUST_CHECK;

/* --- documents on their way ------------------------------------------------------------------- */

/* A queue of documents whose passages are inverted by several threads while the writer goes on, and that
 * come out in the order in which they went in: nothing that is written depends on how many threads there are.
 * Limits   WAITING_MAX documents, WAITING_BYTES of what they come to together: their texts and records, and ten times
 *          the texts for the terms (an ideograph of 3 bytes is a word and a pair at most, 29 bytes).
 * Threads  the writer's calls from one; the helpers are a pool of the queue's own, started with the fourth
 *          document that waits, so small runs have none. The writer does what no helper has begun. */
struct inverting;
#define WAITING_MAX   64
#define WAITING_BYTES ((size_t)16 * MIB)
#define WAITING_TERMS 10

struct inverted_document {
    struct lexical_document document;
    struct inverted *passages;
};
bool inverting_new(struct arena *arena, int threads, struct inverting **out, struct err *err)
    MUST_CHECK;
void inverting_end(struct inverting **inverting); /* CLEANUP-able; waits for the helpers */
/* Is there room for this one beside those that wait? An empty queue has room for any. */
bool inverting_has_room(const struct inverting *inverting, const struct lexical_document *document);
/* A copy of it. Vectors are not copied: such documents are not for the queue. */
bool inverting_put(struct inverting *inverting, const struct lexical_document *document,
                   struct err *err) MUST_CHECK;
size_t inverting_count(const struct inverting *inverting);
/* The oldest, when it is done; good until the next call. */
bool inverting_take(struct inverting *inverting, struct inverted_document *out, struct err *err)
    MUST_CHECK;

#endif
