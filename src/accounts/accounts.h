/* accounts/accounts.h: keys, limits, money and the record of what happened, as one service: they are
 * keyed alike and settled together, so there is one truth.
 *
 * A key is "wr_" + 32 base32 characters (160 random bits) + 7 of checksum; shown once, stored as
 * HMAC-SHA-256 under the pepper in the data directory. A mistyped key is refused by its checksum.
 * Money    hold the worst case before, settle the truth after. Spend is counted in memory; the store
 *          gets it each second with the audit sequence it includes; at start the audit log is
 *          replayed from there, so that after kill -9 the sums equal the log.
 * Threads  any; locks are inside and never held across a suspension.
 * Errors   ERR_UNAUTHENTICATED, ERR_DENIED, ERR_EXHAUSTED with what is used up and when it resets. */
#ifndef WEIR_ACCOUNTS_ACCOUNTS_H
#define WEIR_ACCOUNTS_ACCOUNTS_H

#include "accounts/audit.h"
#include "accounts/principal.h"
#include "base/secret.h"
#include "store/store.h"

struct accounts;

struct accounts_options {
    struct store *store; /* migrated with accounts_migrations */
    struct audit *audit;
    const char *pepper_file; /* made at first start, mode 0600 */
    uint32_t keys_max;       /* default 100,000 */
};
extern const struct migration accounts_migrations[];
extern const size_t accounts_migration_count;

bool accounts_open(const struct accounts_options *options, struct accounts **out, struct err *err)
    MUST_CHECK; /* blocks; replays */
SUSPENDS void accounts_flush_loop(
    void *accounts); /* a fiber's function: writes spend back until cancelled */
bool accounts_flush_now(struct accounts *accounts, struct err *err)
    MUST_CHECK; /* outside fibers, at stop */
void accounts_close(struct accounts **accounts);

/* ---- on the request path: no wait, no system call ---- */

/* The header value's token, "wr_...". *out stays valid until principal_release(). */
bool authenticate_key(struct accounts *accounts, struct str token, const struct principal **out,
                      struct err *err) MUST_CHECK;
void principal_release(const struct principal **who); /* CLEANUP-able; NULL is fine */
/* Of the local administrator (Unix socket of the same user) and of the house itself. */
const struct principal *accounts_local_admin(struct accounts *accounts);

/* Set `worst` aside and count one request, if the key's requests per minute and spend limits allow and
 * the disk has room for the record. */
struct hold {
    const struct principal *who;
    usd_micro amount;
    bool open;
};
bool hold_take(struct accounts *accounts, const struct principal *who, usd_micro worst, wall_ms now,
               struct hold *out, struct err *err) MUST_CHECK;
/* What the client may be told: X-RateLimit-* values. -1: no such limit. */
struct limits_left {
    int64_t requests_limit, requests_left;
    dur_ns requests_reset;             /* until none of the counted requests counts any more */
    usd_micro spend_limit, spend_left; /* the tightest of day and month */
    dur_ns retry_after;                /* until what is used up is free again, or 0: Retry-After */
};
struct limits_left limits_left(struct accounts *accounts, const struct principal *who, wall_ms now);

/* Append the record and settle the hold with record->cost in one step: both or neither. The hold may
 * be closed or never opened, and NULL when nobody is known (refused requests are recorded too). After
 * it returns the record survives kill -9. Fills record->seq, and key_id and tenant from the hold.
 * When it fails the hold is still open: try again, or drop it. */
bool accounts_record(struct accounts *accounts, struct hold *hold, struct audit_record *record,
                     struct err *err) MUST_CHECK;

/* Give a hold back without a record: for when no record can be written. Closed holds are fine. */
void hold_drop(struct accounts *accounts, struct hold *hold);

/* ---- keys: fibers, they wait for the store ---- */
struct key_limits {
    int64_t requests_per_minute;      /* 0: unlimited */
    usd_micro spend_day, spend_month; /* 0: unlimited */
};
struct key_info {
    struct str id, name, tenant;
    enum role role;
    struct key_limits limits;
    wall_ms created, last_used, revoked; /* 0: never */
    usd_micro spent_day, spent_month, spent_total, held;
};
/* *token is the key itself, to be shown once and wiped. */
SUSPENDS bool key_create(struct accounts *accounts, struct str name, enum role role,
                         const struct key_limits *limits, struct arena *arena, struct key_info *out,
                         struct secret *token, struct err *err) MUST_CHECK;
SUSPENDS bool key_revoke(struct accounts *accounts, struct str id, struct err *err)
    MUST_CHECK; /* holds at once */
SUSPENDS bool key_limits_set(struct accounts *accounts, struct str id,
                             const struct key_limits *limits, struct err *err) MUST_CHECK;
bool key_list(struct accounts *accounts, struct arena *arena, struct key_info **out, size_t *count,
              struct err *err) MUST_CHECK;
size_t accounts_key_count(struct accounts *accounts);  /* 0: first start */
size_t accounts_holds_open(struct accounts *accounts); /* for tests: 0 at rest */

#endif
