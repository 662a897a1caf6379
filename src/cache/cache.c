#include "cache/cache_internal.h"

#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/pages.h"
#include "sys/clock.h"

#define JOBS_MAX     1024
#define CACHE_MEMORY (128 * MIB) /* tables; the entries have pages of their own */

bool cache_open(const struct cache_options *options, struct cache **out, struct err *err)
{
    struct arena *arena = arena_new(CACHE_MEMORY);
    struct cache *c = arena ? arena_alloc(arena, sizeof *c) : NULL;
    struct memory_options memory = {.bytes_max = options->bytes_max,
                                    .tenant_bytes_max = options->tenant_bytes_max};
    struct disk_options disk = {.dir = options->dir,
                                .bytes_max = options->disk_bytes_max,
                                .segment_bytes = options->segment_bytes,
                                .entries_max = options->disk_entries_max};
    struct pool_options pool = {.name = "cache", .threads = 2, .queue_max = JOBS_MAX};

    if (c) {
        c->arena = arena;
        c->options = *options;
        mutex_init(&c->waiting.lock);
        c->memory = memory_new(arena, &memory);
        c->recall = recall_new(arena);
        c->flights = flights_new(arena, options->entry_bytes_max);
    }
    if (!c || !c->memory || !c->recall || !c->flights) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the cache");
    }
    if (options->dir && !((c->pool = pool_new(&pool, err)) && disk_open(&disk, &c->disk, err))) {
        cache_close(&c);
        return err_wrap(err, "open the cache");
    }
    *out = c;
    return true;
}

void cache_close(struct cache **at)
{
    struct cache *c = *at;

    *at = NULL;
    if (!c)
        return;
    pool_free(&c->pool); /* what is being written is */
    if (c->disk)
        keep_write_waiting(c);
    disk_batch_free(&c->waiting.spare);
    mutex_done(&c->waiting.lock);
    disk_close(&c->disk);
    flights_free(c->flights);
    memory_clear(c->memory);
    recall_clear(c->recall);
    struct arena *arena = c->arena;
    arena_end(&arena);
}

/* ---- looking up ---- */

bool cache_recall_notes(struct cache *cache, struct cache_identity *from, void *notes, size_t bytes)
{
    return recall_notes(cache->recall, from, notes, bytes, &from->seen);
}

void cache_recall(struct cache *cache, const struct cache_identity *from, struct cache_recall *out)
{
    out->purges = atomic_load(&cache->purges);
    out->known = recall_get(cache->recall, from, &out->key);
}

/* After a purge nothing stays that was on its way when it began. */
void cache_remember(struct cache *cache, const struct cache_identity *from,
                    const struct cache_recall *recall, bool hit, struct str notes)
{
    if (hit == recall->known)
        return;
    if (hit)
        recall_put(cache->recall, from, &recall->key, notes);
    if (!hit || recall->purges != atomic_load(&cache->purges))
        recall_drop(cache->recall, from);
}

static bool hit(struct cache_ticket *t, struct entry *e)
{
    t->entry = e;
    t->part = CACHE_HITS;
    return true;
}

static bool find_in_memory(struct cache_ticket *t)
{
    struct entry *e = memory_get(t->cache->memory, &t->ask.key, clock_wall(), t->ask.plan.max_age);

    if (!e)
        return false;
    atomic_fetch_add(&t->cache->hits_memory, 1);
    return hit(t, e);
}

struct disk_job {
    struct cache_ticket *ticket;
    struct entry *found;
};

static void read_disk(void *arg)
{
    struct disk_job *job = arg;
    const struct cache_ask *ask = &job->ticket->ask;

    job->found = disk_get(job->ticket->cache->disk, &ask->key, clock_wall(), ask->plan.max_age);
}

static SUSPENDS struct entry *find_on_disk(struct cache_ticket *t)
{
    struct disk_job job = {.ticket = t};
    struct err err = {0};

    if (!t->cache->disk || !disk_has(t->cache->disk, &t->ask.key, clock_wall()))
        return NULL;
    if (!pool_run(t->cache->pool, read_disk, &job, &err))
        return NULL; /* too many wait for the disk: the provider is asked */
    if (job.found)
        atomic_fetch_add(&t->cache->hits_disk, 1);
    return job.found;
}

/* What a lower level has goes to memory, unless a purge came by meanwhile. */
static SUSPENDS bool find_below(struct cache_ticket *t)
{
    struct cache *c = t->cache;
    uint64_t purges = atomic_load(&c->purges);
    struct entry *e = find_on_disk(t);

    if (!e && c->options.redis) {
        e = shared_get(c->options.redis, t->arena, c->options.redis_prefix, &t->ask.key);
        if (e && !entry_is_fresh(e, clock_wall(), t->ask.plan.max_age))
            entry_unref(&e);
        atomic_fetch_add(&c->hits_shared, e != NULL);
    }
    if (!e)
        return false;
    if (purges == atomic_load(&c->purges) && memory_put(c->memory, e) &&
        purges != atomic_load(&c->purges))
        memory_purge(c->memory, &(struct cache_selector){.key = &t->ask.key});
    return hit(t, e);
}

/* It leads: perhaps the answer came between the first look and now, or lies further down. */
static SUSPENDS void lead(struct cache_ticket *t)
{
    t->part = CACHE_LEADS;
    t->purges = atomic_load(&t->cache->purges);
    if (t->ask.plan.may_read && (find_in_memory(t) || find_below(t))) {
        struct chat_meter meter = meter_of(t->entry);

        flight_finish(t->flight, t->entry, &meter);
        flight_unref(&t->flight);
        return;
    }
    atomic_fetch_add(&t->cache->misses, 1);
}

static bool join(struct cache_ticket *t)
{
    if (!flight_attach(t->flight, &t->reader)) {
        flight_unref(&t->flight);
        return false;
    }
    t->part = CACHE_JOINS;
    atomic_fetch_add(&t->cache->joins, 1);
    return true;
}

/* With the arena: until then views of the answer may be about. */
static void release(void *ticket)
{
    struct cache_ticket *t = ticket;

    entry_unref(&t->entry);
    flight_unref(&t->flight);
}

/* Without what is asked, which the caller fills in where there is any. NULL: no memory. */
static struct cache_ticket *new_ticket(struct cache *cache, struct arena *arena)
{
    struct cache_ticket *t = arena_alloc_raw(arena, sizeof *t);

    if (!t)
        return NULL;
    memset(t, 0, offsetof(struct cache_ticket, ask));
    t->cache = cache;
    t->arena = arena;
    return arena_defer(arena, release, t) ? t : NULL;
}

bool cache_find(struct cache *cache, struct arena *arena, const struct cache_key *key,
                const struct cache_plan *plan, struct cache_ticket **out, struct err *err)
{
    struct cache_ticket *t;
    struct entry *e;

    memory_expect(cache->memory, key);
    t = new_ticket(cache, arena);
    if (!t)
        return err_arena(err, arena);
    *out = t;
    e = plan->may_read ? memory_get(cache->memory, key, clock_wall(), plan->max_age) : NULL;
    if (!e)
        return true;
    atomic_fetch_add(&cache->hits_memory, 1);
    return hit(t, e);
}

void cache_look_up(struct cache_ticket *t, const struct cache_ask *ask)
{
    struct cache *cache = t->cache;

    ASSERT(t->part == CACHE_BYPASSES);
    if (cache->disk)
        disk_expect(cache->disk, &ask->key);
    t->ask = *ask;
    if (!ask->plan.may_store) { /* only what is there */
        if (ask->plan.may_read)
            (void)find_below(t);
        return;
    }
    switch (flight_board(cache->flights, &ask->key, !ask->plan.may_read, &t->flight)) {
    case FLIGHT_LEADS: lead(t); break;
    case FLIGHT_JOINS: (void)join(t); break;
    case FLIGHT_NONE: break;
    }
}

enum cache_part cache_part(const struct cache_ticket *ticket)
{
    return ticket ? ticket->part : CACHE_BYPASSES;
}

wall_ms cache_stored(const struct cache_ticket *ticket)
{
    return ticket->entry ? ticket->entry->facts.stored : 0;
}

struct str cache_notes(const struct cache_ticket *ticket)
{
    return ticket->notes;
}

/* ---- purging ---- */

struct purge {
    struct cache *cache;
    const struct cache_selector *what;
    uint64_t gone;
    struct err *err;
    bool ok;
};

static void purge_disk(void *arg)
{
    struct purge *p = arg;

    p->ok = disk_purge(p->cache->disk, p->what, &p->gone, p->err);
}

/* In memory; *gone counts on. Who asks from here on joins no answer that was begun before. */
static void purge_above(struct cache *cache, const struct cache_selector *what, uint64_t *gone)
{
    atomic_fetch_add(&cache->purges, 1);
    flights_close(cache->flights);
    *gone += memory_purge(cache->memory, what);
    recall_clear(cache->recall); /* also of a hit that was under way */
}

/* What is kept already is written, so that a purge of another answer does not cost it its place on disk.
 * Then nobody new is kept, and from above down: what is brought up meanwhile is not. */
bool cache_purge(struct cache *cache, const struct cache_selector *what, uint64_t *gone,
                 struct err *err)
{
    struct purge p = {.cache = cache, .what = what, .err = err, .ok = true};
    uint64_t in_memory = 0;

    if (cache->disk && !pool_run(cache->pool, keep_write_waiting, cache, err))
        return false;
    purge_above(cache, what, &in_memory);
    if (cache->disk && !pool_run(cache->pool, purge_disk, &p, err))
        return false;
    if (p.ok && cache->options.redis)
        p.ok = shared_purge(cache->options.redis, cache->options.redis_prefix, what, &p.gone, err);
    purge_above(cache, what, &in_memory);
    *gone = in_memory + p.gone;
    return p.ok;
}

/* ---- what it did ---- */

struct cache_stats cache_stats(struct cache *c)
{
    struct memory_stats memory = memory_stats(c->memory);
    struct disk_stats disk = c->disk ? disk_stats(c->disk) : (struct disk_stats){0};

    return (struct cache_stats){.hits_memory = atomic_load(&c->hits_memory),
                                .hits_disk = atomic_load(&c->hits_disk),
                                .hits_shared = atomic_load(&c->hits_shared),
                                .misses = atomic_load(&c->misses),
                                .joins = atomic_load(&c->joins),
                                .stored = atomic_load(&c->stored),
                                .too_large = atomic_load(&c->too_large),
                                .dropped = atomic_load(&c->dropped),
                                .memory_bytes = memory.bytes,
                                .memory_entries = memory.entries,
                                .memory_evictions = memory.evictions,
                                .disk_bytes = disk.bytes,
                                .disk_entries = disk.entries,
                                .disk_evictions = disk.evictions,
                                .flights = flights_count(c->flights)};
}
