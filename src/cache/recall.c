#include "cache/recall.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/pages.h"
#include "base/scan.h"
#include "base/spin.h"

/* Texts that decide a key; those that are known before the body has been read come first. */
enum part {
    TENANT,
    DIALECT,
    TEXT,
    FIRST_PARTS,
    SPACE = FIRST_PARTS,
    MODEL,
    TARGET,
    VARIANT,
    PARTS
};

#define SAMPLES 16 /* words of the body that choose its slot: no more than a place to look */

/* Immutable from the moment it stands in a slot. */
struct question {
    atomic_uint refs;
    size_t got;      /* bytes of the page */
    uint64_t number; /* no other has had it; its rest by RECALL_SLOTS is the slot's place */
    struct cache_key key;
    bool stream;
    uint8_t notes_len;
    char notes[RECALL_NOTES];
    size_t lengths[PARTS];
    char text[]; /* the parts, one after another */
};
static_assert(RECALL_NOTES <= UINT8_MAX, "their length is a byte");

struct recall {
    atomic_size_t bytes;
    atomic_uint_fast64_t questions; /* that were ever put */
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
    parts[TENANT] = from->tenant;
    parts[DIALECT] = from->dialect;
    parts[TEXT] = from->text;
    parts[SPACE] = from->space;
    parts[MODEL] = from->model;
    parts[TARGET] = from->target;
    parts[VARIANT] = from->variant;
}

static uint64_t mix(uint64_t n, uint64_t word)
{
    return (n ^ word) * UINT64_C(0x9e3779b97f4a7c15) + (n >> 32);
}

/* The same question of two tenants stands in two slots. */
static struct slot *slot_of(struct recall *all, const struct cache_identity *from)
{
    if (from->seen) /* it was looked for already */
        return &all->slots[from->seen % RECALL_SLOTS];

    struct str tenant = from->tenant, body = from->text;
    struct str end = str_slice(tenant, tenant.len - MIN_OF(tenant.len, (size_t)16), tenant.len);
    uint64_t n = body.len, words[2];

    if (body.len < sizeof n || body.len > RECALL_QUESTION)
        return NULL;
    scan_load_short(end.ptr, end.len, 0, words);
    n = mix(mix(n, words[0]), words[1] + tenant.len);
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

/* From part `from` on, which begins `at`, to before part `to`. */
static bool same_parts(const struct question *q, const char *at, const struct str parts[PARTS],
                       size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (q->lengths[i] != parts[i].len)
            return false;
    for (size_t i = from; i < to; at += parts[i++].len)
        if (parts[i].len && memcmp(at, parts[i].ptr, parts[i].len) != 0)
            return false;
    return true;
}

static bool same_text(const struct question *q, const struct str parts[PARTS])
{
    return same_parts(q, q->text, parts, 0, FIRST_PARTS);
}

static bool is_same(const struct question *q, const struct str parts[PARTS],
                    const struct cache_identity *from)
{
    size_t first = 0;

    if (q->stream != from->stream || (from->seen != q->number && !same_text(q, parts)))
        return false;
    for (size_t i = 0; i < FIRST_PARTS; i++)
        first += q->lengths[i];
    return same_parts(q, q->text + first, parts, FIRST_PARTS, PARTS);
}

/* NULL: too large, or too much is remembered already. */
static struct question *new_question(struct recall *all, const struct slot *slot,
                                     const struct cache_identity *from, const struct cache_key *key,
                                     struct str notes)
{
    uint64_t turn = atomic_fetch_add(&all->questions, 1) + 1;
    struct str parts[PARTS];
    size_t need = sizeof(struct question), got;
    struct question *q;
    char *at;

    ASSERT(notes.len <= RECALL_NOTES);
    list_parts(from, parts);
    for (size_t i = 0; i < PARTS; i++)
        need += parts[i].len;
    if (need > 2 * RECALL_QUESTION || !(q = pages_take(need, &got)))
        return NULL;
    if (atomic_fetch_add(&all->bytes, got) + got > RECALL_BYTES) {
        atomic_fetch_sub(&all->bytes, got);
        pages_give(q, got);
        return NULL;
    }
    *q = (struct question){.got = got,
                           .key = *key,
                           .stream = from->stream,
                           .number = turn * RECALL_SLOTS + (uint64_t)(slot - all->slots),
                           .notes_len = (uint8_t)notes.len};
    atomic_init(&q->refs, 1);
    if (notes.len)
        memcpy(q->notes, notes.ptr, notes.len);
    at = q->text;
    for (size_t i = 0; i < PARTS; at += parts[i++].len) {
        q->lengths[i] = parts[i].len;
        if (parts[i].len)
            memcpy(at, parts[i].ptr, parts[i].len);
    }
    return q;
}

/* ---- the door ---- */

bool recall_notes(struct recall *all, const struct cache_identity *from, void *notes, size_t bytes,
                  uint64_t *seen)
{
    struct slot *slot = slot_of(all, from);
    struct question *q = slot ? borrow(slot) : NULL;
    struct str parts[PARTS];
    bool same;

    if (!q)
        return false;
    list_parts(from, parts);
    same = q->notes_len == bytes && same_text(q, parts);
    if (same) {
        memcpy(notes, q->notes, bytes);
        *seen = q->number;
    }
    unref(all, q);
    return same;
}

bool recall_get(struct recall *all, const struct cache_identity *from, struct cache_key *out)
{
    struct slot *slot = slot_of(all, from);
    struct question *q = slot ? borrow(slot) : NULL;
    struct str parts[PARTS];
    bool same;

    if (!q)
        return false;
    list_parts(from, parts);
    same = is_same(q, parts, from);
    if (same)
        *out = q->key;
    unref(all, q);
    return same;
}

void recall_put(struct recall *all, const struct cache_identity *from, const struct cache_key *key,
                struct str notes)
{
    struct slot *slot = slot_of(all, from);
    struct question *q;

    if (!slot)
        return;
    replace(all, slot, NULL); /* its bytes may be those that are missing */
    q = new_question(all, slot, from, key, notes);
    if (q)
        replace(all, slot, q);
}

void recall_drop(struct recall *all, const struct cache_identity *from)
{
    struct slot *slot = slot_of(all, from);

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
