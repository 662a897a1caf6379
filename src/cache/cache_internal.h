/* cache/cache_internal.h: what the files of this folder share about the whole. Siblings only. */
#ifndef WEIR_CACHE_CACHE_INTERNAL_H
#define WEIR_CACHE_CACHE_INTERNAL_H

#include "cache/cache.h"
#include "cache/disk.h"
#include "cache/flight.h"
#include "cache/memory.h"
#include "cache/recall.h"
#include "cache/shared.h"
#include "sys/mutex.h"
#include "sys/pool.h"

struct cache {
    struct arena *arena; /* holds this struct */
    struct cache_options options;
    struct memory *memory;
    struct recall *recall;
    struct flights *flights;
    struct disk *disk; /* NULL: none */
    struct pool *pool; /* for the files; NULL: none */
    struct {
        struct mutex lock;               /* over all of this */
        struct disk_batch *first, *last; /* oldest first; the last is being filled */
        struct disk_batch *spare;        /* written and kept for what comes next */
        size_t bytes;
        bool called;             /* somebody writes them soon */
    } waiting;                   /* for the disk */
    atomic_uint sharing;         /* answers on their way to Redis */
    atomic_uint_fast64_t purges; /* what began before one of them is not kept after it */
    atomic_uint_fast64_t hits_memory, hits_disk, hits_shared, misses, joins, stored, too_large,
        dropped;
};

struct cache_ticket {
    struct cache *cache;
    struct arena *arena;
    enum cache_part part;
    struct entry *entry;   /* HITS, and a whole answer that was led or joined */
    struct flight *flight; /* LEADS, JOINS */
    struct flight_reader reader;
    struct str notes;
    uint64_t purges; /* cache->purges when it began to lead */
    /* LEADS, from cache_keep() on */
    struct answer *inner; /* what is pulled; ended with the outer answer */
    struct answer *outer;
    struct str whole;     /* of an answer that is not streamed */
    struct scope *work;   /* of the fiber that fetches, while it does */
    struct event fetched; /* it has ended */
    bool fetches, left;
    struct cache_ask ask; /* last: what was found by its key alone has none */
};

/* Into every level, if it may be kept at all. True: it is. */
bool keep_entry(struct cache_ticket *t, struct entry *e);
void keep_write_waiting(void *cache);              /* blocks */
struct chat_meter meter_of(const struct entry *e); /* as if it had just been told */

#endif
