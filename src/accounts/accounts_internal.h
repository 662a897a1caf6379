/* accounts/accounts_internal.h: what the files of the folder share: the states of keys, teams and tenants
 * and the lock over them.
 *   accounts.c  opening, closing                 keys.c     tokens, making and revoking
 *   load.c      from the store: all, and one that another instance changed
 *   units.c     tenants and teams                borrow.c   authentication, principals
 *   limits.c    windows, what is left, refusals  money.c    holds, records
 *   flush.c     spend to the store               replay.c   and back from the log
 *   usage.c     what was used, by kind           principal.c  roles and rights */
#ifndef WEIR_ACCOUNTS_ACCOUNTS_INTERNAL_H
#define WEIR_ACCOUNTS_ACCOUNTS_INTERNAL_H

#include <stdatomic.h>

#include "accounts/accounts.h"
#include "accounts/directory.h"
#include "base/spin.h"
#include "base/table.h"
#include "sys/mutex.h"
#include "sys/pool.h"

#define HOUSE_KEY_ID    "k_local" /* ordinal 0, made by the first migration; has no token */
#define MONEY_MAX       ((usd_micro)1000000 * 1000000000) /* of a limit: a thousand million dollars */
#define HOLD_MAX        ((usd_micro)1000000 * 1000000)    /* of one request: sums cannot overflow */
#define TOKENS_MAX      ((int64_t)1000000000000)          /* of one request and of a limit */
#define WINDOW_SLOTS    61
#define CACHE_SLOTS     16384u /* a power of two */
#define CACHE_PROBES    4u
#define KEY_NAME_MAX    100u
#define FLUSH_ROWS_MAX  512u
#define PRINCIPAL_BYTES ((size_t)512) /* the smallest block; each class has twice as much */
#define PRINCIPAL_SIZES 8u            /* up to 64 KiB: three levels of patterns and tags */

/* What was spent, as of the record that moved it last. Only records move it, so that replaying them
 * comes to the same sums whatever the clock did in between. */
struct spend {
    int64_t day, month; /* running numbers, see calendar.h */
    usd_micro in_day, in_month, total;
    wall_ms last_used;
};

/* What was counted per second over the last minute: in no 60 seconds more than the limit. */
struct window {
    int64_t second; /* the newest slot's, since 1970 */
    int64_t sum;
    int64_t slots[WINDOW_SLOTS]; /* by second % WINDOW_SLOTS */
};
struct meter {
    struct window requests, tokens;
};

/* What all instances together had counted in a minute when this one asked last. */
struct everywhere {
    int64_t requests, tokens;
    mono_ns at;
};

/* What is counted and limited, alike at each level; all of it under the lock. */
struct account {
    enum level level;
    struct str id; /* "k_7f3a...", "acme/search", "acme" */
    struct limits limits;
    struct spend spend;  /* of this instance; records move it */
    struct spend others; /* of the other instances, about a second ago */
    struct lease *lease; /* leases.c; NULL: no limit of spend, or nobody to share it with */
    usd_micro held;
    int64_t in_flight;
    struct meter *meter; /* from the first limit of a minute on */
    struct everywhere everywhere;
    uint64_t stored_seq; /* the store has every record up to this one */
    bool dirty;
    bool gone;     /* forgotten: nothing counts here any more, and its name may be another's */
    bool unsummed; /* of a tenant older than sums of tenants: those of its keys, after the replay */
    struct account *next_dirty;
};

/* A text in memory of the accounts' arena, which is used again where the next one fits. */
struct kept {
    struct str s;
    char *memory;
    size_t bytes;
};
struct kept_policy {
    struct kept models, tags;
    uint32_t zones;
};

/* A tenant or team. Lives as long as the accounts, also when removed: pointers to it are never stale. */
struct unit {
    struct account account;
    struct unit *tenant; /* of a team; of a tenant itself */
    bool is_team;
    atomic_bool removed;
    bool
        leaving; /* another instance removed it: forgotten here when nothing of it is in progress */
    struct kept name;
    struct kept_policy policy;
    wall_ms created;
    struct unit *next; /* in the order of ids */
};

/* One token of a key. Never freed: a slot of the cache is never stale. */
struct credential {
    struct key_state *key;
    struct sha256 hash;    /* HMAC of the token */
    bool printed;          /* under the lock: print is set, for ever */
    uint64_t print[2];     /* of the token, see borrow.c */
    _Atomic wall_ms until; /* 0: as long as the key */
};

/* Lives as long as the accounts, also when revoked. */
struct key_state {
    struct account account;
    struct unit *tenant, *team; /* for life */
    enum key_source source;
    int64_t ordinal;     /* order of making; 0 is the house */
    atomic_bool refused; /* revoked, or not in the store yet */
    _Atomic wall_ms expires;
    struct spin spin; /* over who alone */
    struct principal_block *who;
    struct key_state *next; /* by ordinal */

    /* under the lock */
    enum role role;
    struct kept name;
    struct kept_policy policy;
    struct credential *current, *old; /* old: before the last rotation */
    wall_ms created, revoked;
};

/* A principal with its texts behind it. */
struct principal_block {
    struct principal who;
    atomic_uint refs;
    struct accounts *home;
    uint64_t generation; /* of the policies it was made from */
    uint32_t size_class;
    struct principal_block *next_free;
};

struct usage_book;

/* Refusals of somebody unknown within a minute; the last slot is for who has no other. */
#define STRANGERS_MAX 64u
struct stranger {
    char name[80]; /* address and the first characters of the key */
    wall_ms since; /* 0: free */
    uint64_t more; /* beside the first, which has a record of its own */
};

struct accounts {
    struct arena *arena; /* the states and their texts; under the lock */
    struct store *store;
    struct audit *audit;
    struct pool *pool; /* syncs the audit log */
    struct secret pepper;
    uint8_t print_key[16];
    uint32_t keys_max, units_max;
    _Atomic uint64_t generation; /* counts changes of policies */

    struct mutex
        lock; /* over all below, and over audit order: a record and its money are one step */
    struct table by_hash, by_id, units;
    struct key_state *house, *first, *last;
    struct unit *first_unit;
    struct account *dirty;
    int64_t ordinals; /* the last one given out */
    size_t states;    /* of keys in memory */
    size_t key_count; /* without the house and those that came with a token */
    size_t unit_count;
    size_t holds_open;
    uint64_t stored_seq; /* the store's ledger */
    struct usage_book *usage;
    struct principal_block *free_blocks[PRINCIPAL_SIZES];

    atomic_bool flushing;              /* one flush at a time */
    atomic_bool sharing;               /* one fiber at a time takes and gives back shares */
    atomic_bool changing;              /* one fiber at a time changes store and memory */
    bool shared;                       /* the store */
    struct windows *windows;           /* windows.c; NULL: minutes are this instance's alone */
    const struct instances *instances; /* NULL: nobody said who else there is */
    struct lease *leases;              /* under the lock */

    struct issuers *issuers; /* whose tokens count, or NULL */
    struct mutex strangers_lock;
    struct stranger strangers[STRANGERS_MAX];

    _Atomic(struct credential *) *cache; /* [CACHE_SLOTS] */
};

/* ---- texts and policies ---- */

bool kept_set(struct accounts *accounts, struct kept *kept, struct str s, struct err *err)
    MUST_CHECK; /* under the lock */
bool kept_policy_set(struct accounts *accounts, struct kept_policy *kept,
                     const struct policy *policy, struct err *err) MUST_CHECK;
struct policy kept_policy_copy(struct arena *arena, const struct kept_policy *kept);
/* One spelling for the same lists: sorted, once each, separated by commas, in the arena. */
bool policy_check(struct arena *arena, const struct policy *policy, struct policy *out,
                  struct err *err) MUST_CHECK;
bool limits_check(const struct limits *limits, struct err *err) MUST_CHECK;
bool name_check(struct str name, const char *whose, bool may_be_empty, struct err *err) MUST_CHECK;

/* ---- keys.c ---- */

/* Adds a loaded or new key; under the lock. */
bool keys_add(struct accounts *accounts, const struct key_info *made, int64_t ordinal,
              struct key_state **out, struct err *err) MUST_CHECK;
void keys_link(struct accounts *accounts, struct key_state *key); /* into the list: it counts now */
struct credential *credential_add(struct accounts *accounts, struct key_state *key,
                                  const struct sha256 *hash, struct err *err) MUST_CHECK;
struct str hash_str(const struct sha256 *hash);
/* What the store says last is what memory says last: between the two nobody else changes either. */
SUSPENDS bool changes_hold(struct accounts *accounts, struct err *err) MUST_CHECK;
void changes_let_go(struct accounts *accounts);

/* ---- units.c ---- */

bool units_add(struct accounts *accounts, const struct unit_info *made, struct unit **out,
               struct err *err) MUST_CHECK;                       /* under the lock */
struct unit *units_get(struct accounts *accounts, struct str id); /* NULL; under the lock */
SUSPENDS void units_let_go(struct accounts *accounts);            /* of those that others removed */

/* ---- borrow.c ---- */

/* Neither revoked nor expired. Of identities as of keys: what says who they are is good for longer. */
bool key_holds(const struct key_state *key, struct err *err);
/* The principal of the key's own role, team and tenant; NULL when memory is gone. */
const struct principal *key_borrow(struct accounts *accounts, struct key_state *key);
/* One more holder of it, if it still holds: NULL when its key ended or a policy changed. */
const struct principal *principal_share(struct accounts *accounts, const struct principal *who);
/* One with another role or team, as a token says. */
const struct principal *principal_make(struct accounts *accounts, struct key_state *key,
                                       struct unit *tenant, struct unit *team, enum role role);

/* ---- limits.c ---- */

#define USD_TEXT 32
void window_move(struct window *w, wall_ms now);
void window_count(struct window *w, int64_t n);
/* In that second `counted` was counted, and it was `truth`: as far as it still counts. */
void window_correct(struct window *w, int64_t second, int64_t counted, int64_t truth);
/* All of it or none; *out says which limit refused. */
/* Spend alone, of a request that is counted already. */
bool limits_allow_more(struct account *const accounts[LEVELS], usd_micro more, wall_ms now,
                       struct hold *out, struct err *err) MUST_CHECK;
bool limits_allow(struct account *const accounts[LEVELS], struct need worst, wall_ms now,
                  struct hold *out, struct err *err) MUST_CHECK;
/* Key, team (may be NULL) and tenant of a principal, by enum level. */
void accounts_of(const struct principal *who, struct account *out[LEVELS]);
bool account_limits_set(struct accounts *accounts, struct account *account,
                        const struct limits *limits, struct err *err)
    MUST_CHECK; /* under the lock */

/* ---- money.c ---- */

void spend_add(struct spend *spend, wall_ms time, usd_micro cost);
void account_touch(struct accounts *accounts,
                   struct account *account); /* it differs from the store */
usd_micro spend_in_day(const struct spend *spend, wall_ms now);
usd_micro spend_in_month(const struct spend *spend, wall_ms now);
struct account *account_find(struct accounts *accounts, int64_t level, struct str id);
struct balance balance_of(const struct account *account, wall_ms now);

/* ---- load.c ---- */

bool accounts_load(struct accounts *accounts, struct err *err) MUST_CHECK;
/* Memory as the store says, where others may have changed it; while changes_hold(). */
SUSPENDS bool key_reread(struct accounts *accounts, struct str id, struct err *err) MUST_CHECK;
SUSPENDS bool unit_reread(struct accounts *accounts, struct str id, struct err *err) MUST_CHECK;

/* ---- leases.c ---- */

uint32_t accounts_alive(const struct accounts *accounts); /* instances */
/* Of accounts that another instance has written about since then. In a fiber, or blocking outside. */
bool accounts_read_others(struct accounts *accounts, wall_ms since, struct err *err) MUST_CHECK;

/* ---- flush.c, replay.c ---- */

bool accounts_flush_wait(struct accounts *accounts, struct err *err) MUST_CHECK; /* from a fiber */
/* Records of minutes that are over, or of all. */
void strangers_record(struct accounts *accounts, bool all, wall_ms now);
bool accounts_replay(struct accounts *accounts, struct err *err) MUST_CHECK;

#endif
