#include "cache/recall.h"

#include <stdatomic.h>
#include <string.h>

#include "base/pages.h"
#include "base/scan.h"
#include "base/spin.h"

#define PARTS   6  /* texts that decide a key */
#define SAMPLES 16 /* words of the body that choose its slot: no more than a place to look */

/* Immutable from the moment it stands in a slot. */
struct question {
    atomic_uint refs;
    size_t got; /* bytes of the page */
    struct cache_key key;
    bool stream;
    size_t lengths[PARTS];
    char text[]; /* the parts, one after another */
};

struct recall {
    atomic_size_t bytes;
    struct slot {
        struct spin lock;
        struct question *question;
    } slots[RECALL_SLOTS];
};

struct recall *recall_new(struct arena *arena)
{
    return arena_alloc(arena, sizeof(struct recall));
}

static void list_parts(const struct cache_identity *from, struct str parts[PARTS])
{
    parts[0] = from->space;
    parts[1] = from->dialect;
    parts[2] = from->model;
    parts[3] = from->target;
    parts[4] = from->variant;
    parts[5] = json_raw(from->body, json_root(from->body));
}

static uint64_t mix(uint64_t n, uint64_t word)
{
    return (n ^ word) * UINT64_C(0x9e3779b97f4a7c15) + (n >> 32);
}

/* The same question of two tenants stands in two slots. */
static struct slot *slot_of(struct recall *all, struct str space, struct str body)
{
    struct str end = str_slice(space, space.len - MIN_OF(space.len, (size_t)16), space.len);
    uint64_t n = body.len, words[2];

    if (body.len < sizeof n || body.len > RECALL_QUESTION)
        return NULL;
    scan_load_short(end.ptr, end.len, 0, words);
    n = mix(mix(n, words[0]), words[1] + space.len);
    for (size_t i = 0; i < SAMPLES; i++)
        n = mix(n, load_le64(body.ptr + i * (body.len - sizeof n) / (SAMPLES - 1)));
    return &all->slots[(n >> 32) % RECALL_SLOTS];
}

/* ---- questions ---- */

static void unref(struct recall *all, struct question *q)
{
    if (!q || atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) != 1)
        return;

    size_t got = q->got;

    atomic_fetch_sub(&all->bytes, got);
    bytes_wipe(q, got);
    pages_give(q, got);
}

static struct question *borrow(struct slot *slot)
{
    struct question *q;

    spin_lock(&slot->lock);
    q = slot->question;
    if (q)
        atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
    spin_unlock(&slot->lock);
    return q;
}

static void replace(struct recall *all, struct slot *slot, struct question *q)
{
    struct question *old;

    spin_lock(&slot->lock);
    old = slot->question;
    slot->question = q;
    spin_unlock(&slot->lock);
    unref(all, old);
}

static bool is_same(const struct question *q, const struct str parts[PARTS], bool stream)
{
    const char *at = q->text;

    if (q->stream != stream)
        return false;
    for (size_t i = 0; i < PARTS; i++)
        if (q->lengths[i] != parts[i].len)
            return false;
    for (size_t i = 0; i < PARTS; at += parts[i++].len)
        if (parts[i].len && memcmp(at, parts[i].ptr, parts[i].len) != 0)
            return false;
    return true;
}

/* NULL: too large, or too much is remembered already. */
static struct question *new_question(struct recall *all, const struct str parts[PARTS], bool stream,
                                     const struct cache_key *key)
{
    size_t need = sizeof(struct question), got;
    struct question *q;
    char *at;

    for (size_t i = 0; i < PARTS; i++)
        need += parts[i].len;
    if (need > 2 * RECALL_QUESTION || !(q = pages_take(need, &got)))
        return NULL;
    if (atomic_fetch_add(&all->bytes, got) + got > RECALL_BYTES) {
        atomic_fetch_sub(&all->bytes, got);
        pages_give(q, got);
        return NULL;
    }
    *q = (struct question){.got = got, .key = *key, .stream = stream};
    atomic_init(&q->refs, 1);
    at = q->text;
    for (size_t i = 0; i < PARTS; at += parts[i++].len) {
        q->lengths[i] = parts[i].len;
        if (parts[i].len)
            memcpy(at, parts[i].ptr, parts[i].len);
    }
    return q;
}

/* ---- the door ---- */

bool recall_get(struct recall *all, const struct cache_identity *from, struct cache_key *out)
{
    struct str parts[PARTS];
    bool same;

    list_parts(from, parts);

    struct slot *slot = slot_of(all, parts[0], parts[PARTS - 1]);
    struct question *q = slot ? borrow(slot) : NULL;

    if (!q)
        return false;
    same = is_same(q, parts, from->stream);
    if (same)
        *out = q->key;
    unref(all, q);
    return same;
}

void recall_put(struct recall *all, const struct cache_identity *from, const struct cache_key *key)
{
    struct str parts[PARTS];

    list_parts(from, parts);

    struct slot *slot = slot_of(all, parts[0], parts[PARTS - 1]);
    struct question *q;

    if (!slot)
        return;
    replace(all, slot, NULL); /* its bytes may be those that are missing */
    q = new_question(all, parts, from->stream, key);
    if (q)
        replace(all, slot, q);
}

void recall_drop(struct recall *all, const struct cache_identity *from)
{
    struct slot *slot = slot_of(all, from->space, json_raw(from->body, json_root(from->body)));

    if (slot)
        replace(all, slot, NULL);
}

void recall_clear(struct recall *all)
{
    for (size_t i = 0; i < RECALL_SLOTS; i++)
        replace(all, &all->slots[i], NULL);
}

size_t recall_bytes(struct recall *all)
{
    return atomic_load(&all->bytes);
}
