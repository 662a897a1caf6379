/* base/table.h: hash map from borrowed byte keys to pointers.
 * Keys must outlive the table (or its arena). SipHash with a per-process key: safe for keys that
 * come from outside. Open addressing, grows by doubling up to `max` entries, then put fails.
 * Memory: the arena given, or the heap when arena is NULL (then table_done frees).
 * Threads  one at a time. */
#ifndef WEIR_BASE_TABLE_H
#define WEIR_BASE_TABLE_H

#include "base/arena.h"

struct table {
    struct table_slot *slots;
    size_t count, cap, max;
    struct arena *arena;
};

void table_init(struct table *t, struct arena *arena, size_t max);
void table_done(struct table *t);
void *table_get(const struct table *t, struct str key);
void table_expect(const struct table *t,
                  struct str key); /* asked for soon: fetched into the processor's cache */
/* Replaces; *old gets what stood there (old may be NULL). value may not be NULL. */
bool table_put(struct table *t, struct str key, void *value, void **old) MUST_CHECK;
void *table_remove(struct table *t, struct str key); /* what stood there, or NULL */
/* for (size_t at = 0; table_next(t, &at, &key, &value);)  in no order; do not change t meanwhile */
bool table_next(const struct table *t, size_t *at, struct str *key, void **value);

#endif
