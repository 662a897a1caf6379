#include "cache/memory.h"

#include <string.h>

#include "base/spin.h"
#include "sys/mutex.h"

#define SHARDS         64
#define SWEEP_STEPS    32
#define TENANTS_MAX    1024           /* with a ring of their own; the others share one */
#define BYTES_AN_ENTRY ((size_t)4096) /* the least a block has */
#define BUCKETS_MIN    4
#define EXPECT_BYTES   ((size_t)2048) /* of its block: the least one has twice as many */

#define WAYS           6
#define ENTRIES_A_LINE 4 /* on average, when the cache is full */

/* One line of the processor's cache says of each entry where it is and one byte of its key: who asks for what is not
 * there touches no entry, each of which is a page far away, and who throws one out touches no other. The few that find no
 * place stand in a chain; `more_seen` has a bit of each key that stands there, perhaps of some that stood there. */
struct bucket {
    struct entry *at[WAYS];
    struct entry *more;
    uint8_t mark[WAYS];
    uint16_t more_seen;
};
static_assert(sizeof(struct bucket) == 64, "a line of the processor's cache");

struct shard {
    struct spin lock;
    struct bucket *buckets;
    size_t mask;
    atomic_uint_fast64_t expired;
    char apart[64]; /* from the next one's cache line */
};

struct tenant_pool {
    struct str space;
    struct spin lock;
    struct entry *hand;           /* the next to be looked at; a ring */
    atomic_size_t bytes, entries; /* written with the lock held */
};

struct memory {
    struct memory_options options;
    struct arena *arena;
    struct shard shards[SHARDS];
    atomic_size_t bytes;
    atomic_uint_fast64_t evictions;
    struct tenant_pool *_Atomic latest; /* whose answer came last: most often the next one's, too */
    struct mutex tenants_lock;          /* for by_name; the pools stay for ever */
    struct table by_name;
    struct tenant_pool *tenants[TENANTS_MAX + 1]; /* the last: whoever came too late */
    atomic_size_t tenant_count;
};

struct memory *memory_new(struct arena *arena, const struct memory_options *options)
{
    struct memory *m = arena_alloc(arena, sizeof *m);
    size_t buckets = BUCKETS_MIN;

    if (!m)
        return NULL;
    m->options = *options;
    m->arena = arena;
    while (buckets * ENTRIES_A_LINE < options->bytes_max / BYTES_AN_ENTRY / SHARDS && buckets < MIB)
        buckets *= 2;
    for (size_t i = 0; i < SHARDS; i++) {
        char *lines = arena_array(arena, buckets + 1, sizeof(struct bucket));

        if (!lines)
            return NULL;
        m->shards[i].buckets = (void *)(lines + -(uintptr_t)lines % sizeof(struct bucket));
        m->shards[i].mask = buckets - 1;
    }
    m->tenants[TENANTS_MAX] = arena_alloc(arena, sizeof *m->tenants[0]);
    if (!m->tenants[TENANTS_MAX])
        return NULL;
    mutex_init(&m->tenants_lock);
    table_init(&m->by_name, arena, TENANTS_MAX);
    return m;
}

/* ---- the shards: where an entry is found ---- */

static struct shard *shard_of(struct memory *m, const struct cache_key *key)
{
    return &m->shards[key->bytes[0] % SHARDS];
}

static uint8_t mark_of(const struct cache_key *key)
{
    return key->bytes[16];
}

static uint16_t bit_of(const struct cache_key *key)
{
    return (uint16_t)(1u << key->bytes[17] % 16);
}

static struct bucket *bucket_of(const struct shard *s, const struct cache_key *key)
{
    uint64_t n;

    memcpy(&n, key->bytes + 8, sizeof n);
    return &s->buckets[n & s->mask];
}

static void put_into(struct bucket *b, struct entry *e)
{
    for (size_t i = 0; i < WAYS; i++)
        if (!b->at[i]) {
            b->at[i] = e;
            b->mark[i] = mark_of(&e->facts.key);
            return;
        }
    e->chain = b->more;
    b->more = e;
    b->more_seen |= bit_of(&e->facts.key);
}

/* With the lock held. The bucket's reference becomes the caller's. */
static struct entry *take_out(struct bucket *b, struct entry **at)
{
    struct entry *e = *at;

    *at = e->chain; /* NULL for who stands in the line itself */
    e->chain = NULL;
    e->in_shard = false;
    if (!b->more)
        b->more_seen = 0;
    return e;
}

static bool has_key(const struct entry *e, const struct cache_key *key)
{
    return memcmp(&e->facts.key, key, sizeof *key) == 0;
}

/* NULL: it is not there. */
static struct entry **find(struct bucket *b, const struct cache_key *key)
{
    for (size_t i = 0; i < WAYS; i++)
        if (b->mark[i] == mark_of(key) && b->at[i] && has_key(b->at[i], key))
            return &b->at[i];
    if (b->more_seen & bit_of(key))
        for (struct entry **at = &b->more; *at; at = &(*at)->chain)
            if (has_key(*at, key))
                return at;
    return NULL;
}

static struct entry **place_of(struct bucket *b, const struct entry *e)
{
    struct entry **at = &b->more;

    for (size_t i = 0; i < WAYS; i++)
        if (b->at[i] == e)
            return &b->at[i];
    while (*at != e)
        at = &(*at)->chain;
    return at;
}

/* ---- the rings: who goes when room is needed ---- */

static void ring_add(struct tenant_pool *t, struct entry *e)
{
    struct entry *hand = t->hand;

    e->ring_after = hand ? hand : e; /* behind the hand: it comes here last */
    e->ring_before = hand ? hand->ring_before : e;
    e->ring_before->ring_after = e;
    e->ring_after->ring_before = e;
    if (!hand)
        t->hand = e;
}

static void ring_take(struct tenant_pool *t, struct entry *e)
{
    if (t->hand == e)
        t->hand = e->ring_after != e ? e->ring_after : NULL;
    e->ring_before->ring_after = e->ring_after;
    e->ring_after->ring_before = e->ring_before;
    e->ring_before = e->ring_after = NULL;
}

/* With the lock held: nobody else writes these. */
static void count(struct tenant_pool *t, size_t bytes, bool in)
{
    size_t all = atomic_load_explicit(&t->bytes, memory_order_relaxed),
           entries = atomic_load_explicit(&t->entries, memory_order_relaxed);

    atomic_store_explicit(&t->bytes, in ? all + bytes : all - bytes, memory_order_relaxed);
    atomic_store_explicit(&t->entries, in ? entries + 1 : entries - 1, memory_order_relaxed);
}

/* Out of its ring, if nobody was faster; e is held by the caller. */
static void leave_ring(struct memory *m, struct entry *e)
{
    struct tenant_pool *t = e->tenant;
    struct entry *rings = NULL;

    spin_lock(&t->lock);
    if (e->ring_after) {
        ring_take(t, e);
        count(t, entry_cost(e), false);
        rings = e;
    }
    spin_unlock(&t->lock);
    if (rings) {
        atomic_fetch_sub(&m->bytes, entry_cost(e));
        entry_unref(&rings);
    }
}

static void leave_shard(struct memory *m, struct entry *e)
{
    struct shard *s = shard_of(m, &e->facts.key);
    struct bucket *b = bucket_of(s, &e->facts.key);
    struct entry *stood = NULL;

    spin_lock(&s->lock);
    if (e->in_shard)
        stood = take_out(b, place_of(b, e));
    spin_unlock(&s->lock);
    entry_unref(&stood);
}

/* The next to go, long before it does: what says so, and its block, which is the next answer's. */
static void expect_victim(const struct entry *e)
{
    expect_write(e, EXPECT_BYTES);
    __builtin_prefetch(e->ring_after, 1);
}

/* The hand goes on by a few entries; *victim is out of the ring and its reference the caller's. False:
 * the ring is empty. */
static bool sweep(struct tenant_pool *t, struct entry **victim)
{
    bool any;

    *victim = NULL;
    spin_lock(&t->lock);
    any = t->hand != NULL;
    for (int i = 0; i < SWEEP_STEPS && t->hand && !*victim; i++) {
        struct entry *e = t->hand;

        if (atomic_load_explicit(&e->recent, memory_order_relaxed)) {
            atomic_store_explicit(&e->recent, false, memory_order_relaxed);
            t->hand = e->ring_after;
        } else {
            ring_take(t, e);
            count(t, entry_cost(e), false);
            *victim = e;
        }
    }
    if (t->hand)
        expect_victim(t->hand);
    spin_unlock(&t->lock);
    return any;
}

static bool evict_one(struct memory *m, struct tenant_pool *t)
{
    struct entry *victim;

    do {
        if (!sweep(t, &victim))
            return false;
    } while (!victim);
    atomic_fetch_sub(&m->bytes, entry_cost(victim));
    atomic_fetch_add(&m->evictions, 1);
    leave_shard(m, victim);
    entry_unref(&victim);
    return true;
}

static struct tenant_pool *largest(struct memory *m)
{
    struct tenant_pool *most = m->tenants[TENANTS_MAX];
    size_t count = atomic_load(&m->tenant_count);

    for (size_t i = 0; i < count; i++)
        if (atomic_load(&m->tenants[i]->bytes) > atomic_load(&most->bytes))
            most = m->tenants[i];
    return most;
}

static struct tenant_pool *tenant_of(struct memory *m, struct str space)
{
    struct tenant_pool *t = atomic_load_explicit(&m->latest, memory_order_acquire);

    if (t && str_eq(t->space, space))
        return t;
    mutex_lock(&m->tenants_lock);
    t = table_get(&m->by_name, space);
    size_t count = atomic_load(&m->tenant_count);
    if (!t && count < TENANTS_MAX) {
        struct str name = arena_str(m->arena, space);

        t = arena_alloc(m->arena, sizeof *t);
        if (t && name.ptr && table_put(&m->by_name, name, t, NULL)) {
            t->space = name;
            m->tenants[count] = t;
            atomic_store(&m->tenant_count, count + 1);
        } else {
            t = NULL;
        }
    }
    if (t)
        atomic_store_explicit(&m->latest, t, memory_order_release);
    mutex_unlock(&m->tenants_lock);
    return t ? t : m->tenants[TENANTS_MAX];
}

/* ---- the door ---- */

struct entry *memory_get(struct memory *m, const struct cache_key *key, wall_ms now, dur_ns max_age)
{
    struct shard *s = shard_of(m, key);
    struct bucket *b = bucket_of(s, key);
    struct entry *found = NULL, *expired = NULL;

    spin_lock(&s->lock);
    struct entry **at = find(b, key);
    if (at && now >= (*at)->facts.expires)
        expired = take_out(b, at);
    else if (at && entry_is_fresh(*at, now, max_age))
        found = entry_ref(*at);
    spin_unlock(&s->lock);
    if (expired) {
        atomic_fetch_add(&s->expired, 1);
        leave_ring(m, expired);
        entry_unref(&expired);
    }
    if (found && !atomic_load_explicit(&found->recent, memory_order_relaxed))
        atomic_store_explicit(&found->recent, true, memory_order_relaxed);
    return found;
}

static bool fits(const struct memory *m, size_t bytes)
{
    return bytes <= m->options.tenant_bytes_max && bytes <= m->options.bytes_max;
}

/* For so much more than there is. */
static void make_room(struct memory *m, struct tenant_pool *t, size_t bytes)
{
    while (atomic_load(&t->bytes) + bytes > m->options.tenant_bytes_max)
        if (!evict_one(m, t))
            break;
    while (atomic_load(&m->bytes) + bytes > m->options.bytes_max)
        if (!evict_one(m, largest(m)))
            break;
}

void memory_expect(const struct memory *m, const struct cache_key *key)
{
    __builtin_prefetch(bucket_of(&m->shards[key->bytes[0] % SHARDS], key), 1);
}

void memory_room(struct memory *m, struct str space, size_t bytes)
{
    if (fits(m, bytes))
        make_room(m, tenant_of(m, space), bytes);
}

bool memory_put(struct memory *m, struct entry *e)
{
    struct tenant_pool *t = tenant_of(m, e->facts.space);
    struct shard *s = shard_of(m, &e->facts.key);
    struct bucket *b = bucket_of(s, &e->facts.key);
    struct entry *old = NULL;

    if (!fits(m, entry_cost(e)))
        return false;
    ASSERT(!e->tenant); /* once only */
    e->tenant = t;
    make_room(m, t, entry_cost(e));
    atomic_fetch_add(&m->bytes, entry_cost(e));
    atomic_fetch_add_explicit(&e->refs, 2, memory_order_relaxed); /* of its ring and its bucket */
    spin_lock(&t->lock);
    ring_add(t, e);
    count(t, entry_cost(e), true);
    spin_unlock(&t->lock);
    spin_lock(&s->lock);
    struct entry **at = find(b, &e->facts.key);
    if (at)
        old = take_out(b, at);
    put_into(b, e);
    e->in_shard = true;
    spin_unlock(&s->lock);
    if (old)
        leave_ring(m, old);
    entry_unref(&old);
    spin_lock(&t->lock);
    bool thrown_out = !e->ring_after; /* by another thread, before it stood in its shard */
    spin_unlock(&t->lock);
    if (thrown_out)
        leave_shard(m, e);
    make_room(m, t, 0); /* of several threads each may have found the same room */
    return true;
}

static struct entry *take_matching(struct shard *s, struct bucket *b,
                                   const struct cache_selector *what)
{
    struct entry *taken = NULL;

    spin_lock(&s->lock);
    for (size_t i = 0; i < WAYS && !taken; i++)
        if (b->at[i] && entry_matches(b->at[i], what))
            taken = take_out(b, &b->at[i]);
    for (struct entry **at = &b->more; *at && !taken;)
        if (entry_matches(*at, what))
            taken = take_out(b, at);
        else
            at = &(*at)->chain;
    spin_unlock(&s->lock);
    return taken;
}

uint64_t memory_purge(struct memory *m, const struct cache_selector *what)
{
    uint64_t gone = 0;

    for (size_t i = 0; i < SHARDS; i++)
        for (size_t b = 0; b <= m->shards[i].mask; b++)
            for (struct entry *e;
                 (e = take_matching(&m->shards[i], &m->shards[i].buckets[b], what)) != NULL;
                 gone++) {
                leave_ring(m, e);
                entry_unref(&e);
            }
    return gone;
}

struct memory_stats memory_stats(struct memory *m)
{
    struct memory_stats stats = {.bytes = atomic_load(&m->bytes),
                                 .entries = atomic_load(&m->tenants[TENANTS_MAX]->entries),
                                 .tenants = atomic_load(&m->tenant_count),
                                 .evictions = atomic_load(&m->evictions)};

    for (size_t i = 0; i < stats.tenants; i++)
        stats.entries += atomic_load(&m->tenants[i]->entries);
    for (size_t i = 0; i < SHARDS; i++)
        stats.expired += atomic_load(&m->shards[i].expired);
    return stats;
}

size_t memory_tenant_bytes(struct memory *m, struct str space)
{
    return atomic_load(&tenant_of(m, space)->bytes);
}

void memory_clear(struct memory *m)
{
    memory_purge(m, &(struct cache_selector){0});
    table_done(&m->by_name);
    mutex_done(&m->tenants_lock);
}
