/* accounts/accounts_internal.h: what the files of the folder share: a key's state and the lock over it.
 *   accounts.c  opening, loading, closing        keys.c   tokens, authentication, making and revoking
 *   money.c     limits, holds, records           flush.c  spend to the store and back from the log */
#ifndef WEIR_ACCOUNTS_ACCOUNTS_INTERNAL_H
#define WEIR_ACCOUNTS_ACCOUNTS_INTERNAL_H

#include <stdatomic.h>

#include "accounts/accounts.h"
#include "base/table.h"
#include "sys/mutex.h"
#include "sys/pool.h"

#define HOUSE_KEY_ID   "k_local" /* ordinal 0, made by the first migration; has no token */
#define MONEY_MAX      ((usd_micro)1000000 * 1000000000) /* of a limit: a thousand million dollars */
#define HOLD_MAX       ((usd_micro)1000000 * 1000000)    /* of one request: sums cannot overflow */
#define MINUTE_SLOTS   61u
#define CACHE_SLOTS    16384u /* a power of two */
#define CACHE_PROBES   4u
#define KEY_NAME_MAX   100u
#define FLUSH_ROWS_MAX 512u

/* What was spent, as of the record that moved it last. Only records move it, so that replaying them
 * comes to the same sums whatever the clock did in between. */
struct spend {
    int64_t day, month; /* running numbers, see calendar.h */
    usd_micro in_day, in_month, total;
    wall_ms last_used;
};

/* Requests counted per second over the last minute: in no 60 seconds more than the limit. */
struct minute {
    int64_t second; /* the newest slot's, since 1970 */
    uint32_t sum;
    uint32_t slots[MINUTE_SLOTS]; /* by second % MINUTE_SLOTS */
};

/* Lives as long as the accounts, also when revoked: pointers to it are never stale. */
struct key_state {
    struct principal who;
    int64_t ordinal;        /* order of making; 0 is the house */
    struct sha256 hash;     /* HMAC of the token; unused for the house */
    atomic_bool refused;    /* revoked, or not in the store yet */
    bool printed;           /* under the lock: print is set, for ever */
    uint64_t print[2];      /* of the token, see keys.c */
    struct key_state *next; /* by ordinal */

    /* under the lock */
    struct key_limits limits;
    wall_ms created, revoked;
    struct spend spend;
    usd_micro held;
    struct minute minute;
    uint64_t stored_seq; /* the store has every record up to this one */
    bool dirty;
    struct key_state *next_dirty;
};

struct accounts {
    struct arena *arena; /* the states and their texts; under the lock */
    struct store *store;
    struct audit *audit;
    struct pool *pool; /* syncs the audit log */
    struct secret pepper;
    uint8_t print_keys[2][16];
    uint32_t keys_max;

    struct mutex
        lock; /* over all below, and over audit order: a record and its money are one step */
    struct table by_hash, by_id;
    struct key_state *house, *first, *last;
    struct key_state *dirty;
    int64_t ordinals; /* given out */
    size_t key_count; /* without the house */
    size_t holds_open;
    uint64_t stored_seq; /* the store's ledger */

    _Atomic(struct key_state *) *cache; /* [CACHE_SLOTS] */
};

/* ---- keys.c ---- */

/* Adds a loaded or new key; under the lock. The texts of `made` are copied. */
bool keys_add(struct accounts *accounts, const struct key_state *made, struct key_state **out,
              struct err *err) MUST_CHECK;
void keys_link(struct accounts *accounts, struct key_state *key); /* into the list: it counts now */

/* ---- money.c ---- */

void spend_add(struct spend *spend, wall_ms time, usd_micro cost);
void key_touch(struct accounts *accounts, struct key_state *key); /* it differs from the store */
usd_micro spend_in_day(const struct spend *spend, wall_ms now);
usd_micro spend_in_month(const struct spend *spend, wall_ms now);

/* ---- flush.c ---- */

bool accounts_replay(struct accounts *accounts, struct err *err) MUST_CHECK;

#endif
