/* cache/shared.h: the third level: a Redis or Valkey that several Weirs share. An answer is one key,
 * PREFIX and the key in hexadecimal, holding the entry's form, gone by itself when it expires.
 * Slow or away it costs a request at most the client's timeout, and after three failures nothing.
 * Purge    every key below PREFIX is looked at, whatever made it; it is gone when the call returns.
 * Threads  any loop; everything suspends. */
#ifndef WEIR_CACHE_SHARED_H
#define WEIR_CACHE_SHARED_H

#include "cache/entry.h"
#include "net/redis.h"

SUSPENDS struct entry *shared_get(struct redis *redis, struct arena *arena, struct str prefix,
                                  const struct cache_key *key)
    MUST_CHECK; /* NULL: none, or not now */
SUSPENDS bool shared_put(struct redis *redis, struct str prefix, const struct entry *e, wall_ms now,
                         struct err *err) MUST_CHECK;
SUSPENDS bool shared_purge(struct redis *redis, struct str prefix,
                           const struct cache_selector *what, uint64_t *gone, struct err *err)
    MUST_CHECK;

#endif
