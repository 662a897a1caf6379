/* cache/cache.h: answers we already have, and one question to a provider where many ask the same.
 * Levels   memory (memory.h), then files that survive a restart (disk.h), then a Redis or Valkey that
 *          others share (shared.h). What a lower level has is brought up.
 * A request's way, by its ticket:
 *
 *   cache_find, then cache_look_up --hit--> cache_answer -------------------------.
 *        |--leads--> (the request is called) --> cache_keep: tee, others read on --+--> cache_leave
 *        '--joins--> cache_join --the leader's answer, as it goes------------------'    on every path
 *                        '--again: it failed before it said anything--> cache_look_up
 *
 * Kept     only whole good answers: status 200, not cut, not failed, not refused, at most entry_bytes_max.
 * Exact    what is purged is nowhere when cache_purge() returns, and nothing that was on its way at that
 *          moment is kept.
 * Threads  any; a ticket belongs to its request's fiber. */
#ifndef WEIR_CACHE_CACHE_H
#define WEIR_CACHE_CACHE_H

#include "cache/entry.h"
#include "cache/policy.h"

struct cache;
struct redis; /* net/redis.h */
struct cache_ticket;

struct cache_options {
    size_t bytes_max, tenant_bytes_max; /* memory */
    size_t entry_bytes_max;             /* of one answer */
    const char *dir;                    /* NULL: nothing on disk */
    int64_t disk_bytes_max;
    int64_t segment_bytes;
    uint32_t disk_entries_max;
    struct redis *redis; /* NULL: none; stays the caller's */
    struct str redis_prefix;
};
bool cache_open(const struct cache_options *options, struct cache **out, struct err *err)
    MUST_CHECK;
void cache_close(struct cache **cache); /* when loops have ended */

struct cache_ask {
    struct cache_key key;
    struct cache_plan plan;
    struct str space, model;
    struct str tags[ENTRY_TAGS_MAX];
    uint32_t tag_count;
    size_t prompt_bytes; /* for the estimate of tokens that nobody counted */
};

enum cache_part {
    CACHE_BYPASSES, /* no part in this request */
    CACHE_HITS,
    CACHE_LEADS,
    CACHE_JOINS,
};
/* What was noted of a question of these bytes when its answer was found (recall.h); from->seen for what follows. False:
 * nothing, or nothing of this size. Of *from tenant, dialect and text count. */
bool cache_recall_notes(struct cache *cache, struct cache_identity *from, void *notes, size_t bytes)
    MUST_CHECK;
/* The key of what is asked, where it is remembered; else cache_key_of() makes it. */
struct cache_recall {
    struct cache_key key;
    bool known;      /* it was remembered */
    uint64_t purges; /* of the cache, until then */
};
void cache_recall(struct cache *cache, const struct cache_identity *from, struct cache_recall *out);
/* When it was looked up: a key that has an answer is worth remembering, with notes for the next who asks. */
void cache_remember(struct cache *cache, const struct cache_identity *from,
                    const struct cache_recall *recall, bool hit, struct str notes);
/* In memory, for which the key is enough: *out hits, or bypasses and cache_look_up() asks further down. *out lives in
 * the arena. */
bool cache_find(struct cache *cache, struct arena *arena, const struct cache_key *key,
                const struct cache_plan *plan, struct cache_ticket **out, struct err *err)
    MUST_CHECK;
/* Texts of `ask` are the request's. */
SUSPENDS void cache_look_up(struct cache_ticket *ticket, const struct cache_ask *ask);
enum cache_part cache_part(const struct cache_ticket *ticket); /* NULL: bypasses */
/* CACHE_HITS: what is kept; valid as long as the arena. NULL: no memory in it. */
struct answer *cache_answer(struct cache_ticket *ticket) MUST_CHECK;
wall_ms cache_stored(const struct cache_ticket *ticket); /* CACHE_HITS: when the answer was kept */
struct str cache_notes(
    const struct cache_ticket *ticket); /* as given to cache_keep() by whoever made it */
/* CACHE_JOINS: until the leader's answer begins. False and *again: it failed for a reason of its own, its
 * client left, or what it found is too old for this one; look up once more. */
SUSPENDS bool cache_join(struct cache_ticket *ticket, struct answer **out, bool *again,
                         struct err *err) MUST_CHECK;
/* CACHE_LEADS: *answer is replaced by one that gives the same and lets others read on. Whole answers are
 * pulled here. *stored: it is kept already. */
SUSPENDS bool cache_keep(struct cache_ticket *ticket, struct str notes, struct answer **answer,
                         bool *stored, struct err *err) MUST_CHECK;
/* Once on every path, before answer_end(): `why` has ERR_NONE, or what others are told who wait for this
 * request's answer. Who led a stream that others still read waits for its end. Twice is fine. */
SUSPENDS void cache_leave(struct cache_ticket *ticket, const struct err *why);

/* ---- for administrators ---- */
/* *gone: how many answers were thrown out, each counted once a level. */
SUSPENDS bool cache_purge(struct cache *cache, const struct cache_selector *what, uint64_t *gone,
                          struct err *err) MUST_CHECK;

struct cache_stats {
    uint64_t hits_memory, hits_disk, hits_shared, misses, joins, stored, too_large, dropped;
    size_t memory_bytes, memory_entries;
    uint64_t memory_evictions;
    uint64_t disk_bytes, disk_entries, disk_evictions;
    uint32_t flights;
};
struct cache_stats cache_stats(struct cache *cache);
void cache_metrics_register(void);
void cache_metrics_update(struct cache *cache); /* gauges; by whoever writes metrics, on one loop */

#endif
