/* cache/memory.h: the first level: entries in memory, thrown out by second chance.
 * Shape    SHARDS hash tables with a lock each find an entry; a ring for each tenant with a hand (CLOCK)
 *          throws out: what was used since the hand last came by stays for another round.
 * Bounds   bytes of all, bytes of one tenant: real sizes of blocks. Over its own bound a tenant throws
 *          out its own; over the whole bound whoever holds most does.
 * Threads  any; a lock is held for a bucket or SWEEP_STEPS entries, and never two at a time.
 * Source   Corbato 1968, "A Paging Experiment with the Multics System". */
#ifndef WEIR_CACHE_MEMORY_H
#define WEIR_CACHE_MEMORY_H

#include "cache/entry.h"

struct memory;

struct memory_options {
    size_t bytes_max, tenant_bytes_max;
};
struct memory_stats {
    size_t bytes, entries, tenants;
    uint64_t evictions, expired;
};

struct memory *memory_new(struct arena *arena, const struct memory_options *options) MUST_CHECK;
void memory_expect(const struct memory *m, const struct cache_key *key); /* asked for soon */
/* Throws out what an answer of so many bytes will take the place of: before it is made, so that it stands in a block
 * that was freed just now and the rest of the process keeps its warm ones. */
void memory_room(struct memory *m, struct str space, size_t bytes);
/* A reference for the caller, or NULL. */
struct entry *memory_get(struct memory *m, const struct cache_key *key, wall_ms now, dur_ns max_age)
    MUST_CHECK;
/* Takes a reference of its own; replaces what has the same key. False: it does not fit at all. */
bool memory_put(struct memory *m, struct entry *e);
uint64_t memory_purge(struct memory *m, const struct cache_selector *what);
struct memory_stats memory_stats(struct memory *m);
size_t memory_tenant_bytes(struct memory *m, struct str space);
void memory_clear(struct memory *m); /* before its arena ends */

#endif
