/* accounts/accounts.h: keys, limits, money and the record of what happened, as one service: they are
 * keyed alike and settled together, so there is one truth. Here: opening, and what stands on the request's
 * path. Making and changing keys, teams and tenants: directory.h. What was used: usage.h.
 *
 * A key is "wr_" + 32 base32 characters (160 random bits) + 7 of checksum; shown once, stored as
 * HMAC-SHA-256 under the pepper in the data directory. A mistyped key is refused by its checksum.
 * Levels   a key belongs to a tenant and may belong to a team of it; all that is limited is limited at
 *          each of the levels, checked together under one lock: all of them take a request, or none.
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
    uint32_t keys_max;  /* default 100,000; people and services that came with a token count too */
    uint32_t units_max; /* tenants and teams; default 10,000 */
    uint32_t usage_cells; /* kinds of usage in memory between two flushes; default 16,384 */
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

/* ---- what other instances changed: by whoever follows changes (store/instances.h) ---- */
#define CHANGE_KEY          "key" /* what: its id */
#define CHANGE_UNIT         "unit"
#define CHANGE_UNIT_REMOVED "unit removed"
SUSPENDS bool accounts_follow_key(struct accounts *accounts, struct str id, struct err *err)
    MUST_CHECK;
SUSPENDS bool accounts_follow_unit(struct accounts *accounts, struct str id, struct err *err)
    MUST_CHECK;
/* Refused at once; forgotten by the flush loop, when what it has in progress has ended. */
SUSPENDS bool accounts_follow_removal(struct accounts *accounts, struct str id, struct err *err)
    MUST_CHECK;

/* A fiber's function: shares limits of spend with the other instances until it is cancelled. */
SUSPENDS void accounts_share_loop(void *accounts);
struct redis; /* net/redis.h */
/* Limits of minutes and of requests in progress are counted there, where the database is shared; NULL: they
 * are divided. Before loops run; the loop is a fiber's function, and `divided` says what is so now. */
bool accounts_share_windows(struct accounts *accounts, struct redis *redis, struct str prefix,
                            struct err *err) MUST_CHECK;
SUSPENDS void accounts_windows_loop(void *accounts);
bool accounts_limits_divided(const struct accounts *accounts);
struct audit_bodies; /* accounts/audit_body.h */
/* Pseudonyms of subjects under the pepper, which all who share the database have. Before loops run. */
bool accounts_share_subjects(struct accounts *accounts, struct audit_bodies *bodies,
                             struct err *err) MUST_CHECK;
struct instances; /* store/instances.h */
/* An instance that will never be back: what it had taken of spend limits and did not write down as spent is
 * free again. */
SUSPENDS bool accounts_retire(struct accounts *accounts, struct str instance, struct err *err)
    MUST_CHECK;
void accounts_join(struct accounts *accounts, const struct instances *instances); /* before loops */

/* ---- on the request path: no wait, no system call; but hold_take() and hold_more() wait for the database
 *      where several instances share a limit of spend, and the share of this one is used up ---- */

/* The header value's token, "wr_...". *out stays valid until principal_release(). */
bool authenticate_key(struct accounts *accounts, struct str token, const struct principal **out,
                      struct err *err) MUST_CHECK;
/* A key, or a token of an issuer that accounts_trust() named: then it may wait for the store, once. */
SUSPENDS bool authenticate_token(struct accounts *accounts, struct str token,
                                 const struct principal **out, struct err *err) MUST_CHECK;
struct issuers;
void accounts_trust(struct accounts *accounts, struct issuers *issuers); /* before loops run */
/* Somebody unknown was refused: true for the first of its address and kind in a minute, to be recorded as it
 * is. The others of that minute are counted and get one record together: no flood fills the audit log. */
bool stranger_is_first(struct accounts *accounts, struct str address, struct str token,
                       wall_ms now);
void principal_release(const struct principal **who); /* CLEANUP-able; NULL is fine */
/* Of the local administrator (Unix socket of the same user) and of the house itself; to be released. */
const struct principal *accounts_local_admin(struct accounts *accounts);

struct limits {
    int64_t requests_per_minute, tokens_per_minute, in_flight; /* 0: unlimited */
    usd_micro spend_day, spend_month;                          /* 0: unlimited */
};
enum limit_kind { LIMIT_NONE, LIMIT_REQUESTS, LIMIT_TOKENS, LIMIT_IN_FLIGHT, LIMIT_SPEND };

/* What a request may cost at most. */
struct need {
    usd_micro cost;
    int64_t tokens; /* in and out */
    bool again;     /* the request had a hold before: it is counted in its minute already */
};

/* Set `worst` aside and count one request, if every limit of key, team and tenant allows and the disk has
 * room for the record. When one does not, nothing is counted anywhere, and *out says which it was. */
struct hold {
    const struct principal *who;
    usd_micro amount;
    int64_t tokens;
    bool again;             /* of struct need */
    int64_t second[LEVELS]; /* since 1970, in which the tokens count there; 0: they do not */
    int64_t asked[LEVELS];  /* the same of the request */
    bool open;
    enum limit_kind refused; /* of a hold that was not given */
    bool short_share;        /* and then: others may have what is missing */
    uint32_t beside;         /* further parts of the request that are in flight: hold_widen() */
    uint32_t parts;          /* that limits of minutes are divided into; 0: they are whole */
    uint32_t shared_epoch;   /* what is counted for all instances: windows.c */
    int64_t shared_second;   /* 0: it is not */
    uint32_t shared_levels;  /* a bit each: those that had limits then */
    enum level refused_by;
    dur_ns retry_after; /* until it may be asked again; 0: waiting does not help */
};
SUSPENDS bool hold_take(struct accounts *accounts, const struct principal *who, struct need worst,
                        wall_ms now, struct hold *out, struct err *err) MUST_CHECK;
/* Set so much more aside for the same request: another attempt may cost as much again. */
SUSPENDS bool hold_more(struct accounts *accounts, struct hold *hold, usd_micro more, wall_ms now,
                        struct err *err) MUST_CHECK;
/* So much of it is not needed after all. */
void hold_less(struct accounts *accounts, struct hold *hold, usd_micro less);
/* The request asks for more than one thing at once: one more in flight at each level, if their limits leave room
 * for it. What is still open when the hold is settled goes with it. */
bool hold_widen(struct accounts *accounts, struct hold *hold) MUST_CHECK;
void hold_narrow(struct accounts *accounts, struct hold *hold);
/* What the client may be told, of the level that is closest to its limit. -1: no such limit. */
struct limits_left {
    int64_t requests_limit, requests_left;
    dur_ns requests_reset; /* until none of the counted requests counts any more */
    int64_t tokens_limit, tokens_left;
    dur_ns tokens_reset;
    usd_micro spend_limit, spend_left; /* the tightest of days and months */
};
struct limits_left limits_left(struct accounts *accounts, const struct principal *who, wall_ms now);

/* Append the record and settle the hold with record->cost in one step: both or neither. The hold may
 * be closed or never opened, and NULL when nobody is known (refused requests are recorded too). After
 * it returns the record survives kill -9. Fills record->seq, and key_id, tenant, team and tags from the
 * hold. When it fails the hold is still open: try again, or drop it. */
bool accounts_record(struct accounts *accounts, struct hold *hold, struct audit_record *record,
                     struct err *err) MUST_CHECK;

/* Give a hold back without a record: for when no record can be written. Closed holds are fine. */
void hold_drop(struct accounts *accounts, struct hold *hold);

size_t accounts_key_count(struct accounts *accounts);  /* 0: first start */
size_t accounts_holds_open(struct accounts *accounts); /* for tests: 0 at rest */

#endif
