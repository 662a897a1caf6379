/* cache/recall.h: the keys of questions whose answers were found, so that the same question, asked once more byte by byte,
 * needs neither its form nor a SHA-256. Nothing is believed: all that decides a key is compared as it
 * stands, whose it is first of all; a question that is spelled another way goes the long way to the same key.
 * Bounded  RECALL_SLOTS questions of at most RECALL_QUESTION bytes, RECALL_BYTES in all. A newer one takes
 *          the place of an older with the same slot.
 * Exact    texts of questions stand here, so all are wiped by each purge, and one whose answer is gone when it is
 *          asked for again.
 * Threads  any; locks inside, held for an instant. */
#ifndef WEIR_CACHE_RECALL_H
#define WEIR_CACHE_RECALL_H

#include "cache/key.h"

#define RECALL_SLOTS    512u
#define RECALL_QUESTION ((size_t)128 * KIB)
#define RECALL_BYTES    ((size_t)4 * MIB)

struct recall;

struct recall *recall_new(struct arena *arena) MUST_CHECK; /* NULL: no memory */
bool recall_get(struct recall *all, const struct cache_identity *from, struct cache_key *out);
void recall_put(struct recall *all, const struct cache_identity *from, const struct cache_key *key);
void recall_drop(struct recall *all, const struct cache_identity *from); /* its slot */
void recall_clear(struct recall *all);
size_t recall_bytes(struct recall *all); /* of memory */

#endif
