/* cache/recall.h: the keys of questions whose answers were found, so that the same question, asked once more byte by byte,
 * needs neither its form nor a SHA-256, nor to be read as JSON: what whoever asked first read in these bytes is
 * kept beside the key, as notes of the caller's. Nothing is believed: all that decides a key is compared as it
 * stands, whose it is first of all; a question that is spelled another way goes the long way to the same key.
 * Twice    recall_notes() compares the tenant, the dialect and every byte of the text, before anything else of the question
 *          is known; recall_get() the rest, of the very question that was seen then.
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
#define RECALL_NOTES    ((size_t)128)

struct recall;

struct recall *recall_new(struct arena *arena) MUST_CHECK; /* NULL: no memory */
/* What was noted of the text by whoever put it: `bytes` of them, or it is not found. *seen: for from->seen. Of `from`
 * tenant, dialect and text count. */
bool recall_notes(struct recall *all, const struct cache_identity *from, void *notes, size_t bytes,
                  uint64_t *seen);
bool recall_get(struct recall *all, const struct cache_identity *from, struct cache_key *out);
/* notes: a function of dialect and text alone, at most RECALL_NOTES bytes, or empty. */
void recall_put(struct recall *all, const struct cache_identity *from, const struct cache_key *key,
                struct str notes);
void recall_drop(struct recall *all, const struct cache_identity *from); /* its slot */
void recall_clear(struct recall *all);
size_t recall_bytes(struct recall *all); /* of memory */

#endif
