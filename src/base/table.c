#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"

/* Linear probing over a power of two, at most three quarters full. Removing shifts the followers
 * back instead of leaving a mark, so a table that is filled and emptied for years stays short to
 * search. */
#define FIRST_CAP ((size_t)8)
#define FEW_CAP   ((size_t)16)

struct table_slot {
    const char *key;
    size_t key_len;
    uint64_t hash;
    void *value; /* NULL: free */
};

void table_init(struct table *t, struct arena *arena, size_t max)
{
    *t = (struct table){.max = max, .arena = arena};
}

void table_done(struct table *t)
{
    if (!t->arena)
        free(t->slots);
    *t = (struct table){.max = t->max, .arena = t->arena};
}

/* The slot of the key, or the free one where it belongs. The table is never full. */
static size_t find(const struct table *t, struct str key, uint64_t hash)
{
    size_t at = hash & (t->cap - 1);

    for (;; at = (at + 1) & (t->cap - 1)) {
        const struct table_slot *slot = &t->slots[at];

        if (!slot->value || (slot->hash == hash && slot->key_len == key.len &&
                             (key.len == 0 || memcmp(slot->key, key.ptr, key.len) == 0)))
            return at;
    }
}

static struct table_slot *new_slots(const struct table *t, size_t cap)
{
    if (FAULT("table.grow"))
        return NULL;
    return t->arena ? arena_array(t->arena, cap, sizeof(struct table_slot))
                    : calloc(cap, sizeof(struct table_slot));
}

static bool grow(struct table *t)
{
    struct table old = *t;
    size_t cap = old.cap ? 2 * old.cap : FIRST_CAP;
    struct table_slot *slots = new_slots(t, cap);

    if (!slots)
        return false;
    t->slots = slots;
    t->cap = cap;
    for (size_t i = 0; i < old.cap; i++) {
        const struct table_slot *slot = &old.slots[i];

        if (slot->value) {
            size_t at = slot->hash & (cap - 1);

            while (slots[at].value) /* keys differ, so the first free slot it is */
                at = (at + 1) & (cap - 1);
            slots[at] = *slot;
        }
    }
    if (!t->arena)
        free(old.slots);
    return true;
}

/* Of few all are looked at: that costs less than a hash of the key, and nobody can make it worse. */
static void *find_among_few(const struct table *t, struct str key)
{
    for (size_t i = 0; i < t->cap; i++) {
        const struct table_slot *slot = &t->slots[i];

        if (slot->key_len == key.len && slot->value &&
            (key.len == 0 || memcmp(slot->key, key.ptr, key.len) == 0))
            return slot->value;
    }
    return NULL;
}

void *table_get(const struct table *t, struct str key)
{
    if (t->cap <= FEW_CAP)
        return find_among_few(t, key);
    return t->count ? t->slots[find(t, key, siphash(key))].value : NULL;
}

void table_expect(const struct table *t, struct str key)
{
    if (t->cap)
        __builtin_prefetch(&t->slots[siphash(key) & (t->cap - 1)], 1);
}

bool table_put(struct table *t, struct str key, void *value, void **old)
{
    uint64_t hash = siphash(key);
    struct table_slot *slot = t->cap ? &t->slots[find(t, key, hash)] : NULL;

    ASSERT(value);
    if (!slot || !slot->value) {
        if (t->count >= t->max || (t->count >= t->cap / 4 * 3 && !grow(t)))
            return false;
        slot = &t->slots[find(t, key, hash)];
        t->count++;
    }
    if (old)
        *old = slot->value;
    *slot = (struct table_slot){key.ptr, key.len, hash, value};
    return true;
}

/* Followers that were pushed past the hole move back over it; one that stands between its own
 * place and the hole's right must stay. */
static void close_hole(struct table *t, size_t hole)
{
    size_t mask = t->cap - 1;

    for (size_t at = (hole + 1) & mask; t->slots[at].value; at = (at + 1) & mask) {
        size_t home = t->slots[at].hash & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    t->slots[hole] = (struct table_slot){0};
}

void *table_remove(struct table *t, struct str key)
{
    if (!t->count)
        return NULL;

    size_t at = find(t, key, siphash(key));
    void *value = t->slots[at].value;
    if (value) {
        close_hole(t, at);
        t->count--;
    }
    return value;
}

bool table_next(const struct table *t, size_t *at, struct str *key, void **value)
{
    for (; *at < t->cap; (*at)++) {
        const struct table_slot *slot = &t->slots[*at];

        if (slot->value) {
            *key = (struct str){slot->key, slot->key_len};
            *value = slot->value;
            (*at)++;
            return true;
        }
    }
    return false;
}
