/* accounts/directory.h: tenants, teams and keys: making, showing, changing, ending. From fibers: what changes
 * waits for the store and holds with the next request.
 * Names    of tenants and of teams within one: 1 to 64 of a-z 0-9 . _ -; a team's id is "tenant/team".
 * Ending   a key that is revoked stays in the list. A team or tenant that is removed is gone with its keys,
 *          counters and usage, once what it had in progress has ended; its records stay in the audit log.
 * Errors   ERR_INVALID, ERR_NOT_FOUND, ERR_EXHAUSTED, ERR_UNAVAILABLE (the store; or work in progress). */
#ifndef WEIR_ACCOUNTS_DIRECTORY_H
#define WEIR_ACCOUNTS_DIRECTORY_H

#include "accounts/accounts.h"

#define POLICY_PATTERNS_MAX 32u
#define POLICY_TAGS_MAX     16u

/* Lists are separated by commas or spaces. */
struct policy {
    struct str models; /* names and patterns such as "gpt-4*"; empty: any */
    uint32_t zones;    /* bits 1 << enum zone; 0: any */
    struct str tags;   /* letters, digits and . _ - : / = @ */
};

struct balance {
    usd_micro spent_day, spent_month, spent_total, held;
    int64_t in_flight;
    wall_ms last_used; /* 0: never */
};

/* ---- tenants and teams ---- */

struct unit_info {
    struct str id, tenant; /* of a tenant both are the same */
    bool is_team;
    struct str name; /* for people; may be empty */
    struct policy policy;
    struct limits limits;
    struct balance balance;
    wall_ms created;
    uint32_t keys; /* that are not revoked */
};
/* id: "acme", or "acme/search" for a team of a tenant that is there. */
SUSPENDS bool unit_create(struct accounts *accounts, const struct unit_info *wanted,
                          struct arena *arena, struct unit_info *out, struct err *err) MUST_CHECK;
/* name, policy and limits are taken over, the rest is ignored. */
SUSPENDS bool unit_change(struct accounts *accounts, struct str id, const struct unit_info *wanted,
                          struct err *err) MUST_CHECK;
/* The same of what `edit` makes of it: as it is by now, whoever has changed it since it was shown. */
typedef bool unit_edit(void *ctx, struct unit_info *unit, struct err *err);
SUSPENDS bool unit_amend(struct accounts *accounts, struct str id, unit_edit *edit, void *ctx,
                         struct arena *arena, struct err *err) MUST_CHECK;
/* A tenant with its teams. Waits a few seconds for what is in progress; ERR_UNAVAILABLE when it goes on: then
 * its keys are refused already, and asking again goes on with the removal. */
SUSPENDS bool unit_remove(struct accounts *accounts, struct str id, uint32_t *keys, struct err *err)
    MUST_CHECK;
/* The first half of it: its keys are refused, and nothing of theirs is in progress here. */
SUSPENDS bool unit_close(struct accounts *accounts, struct str id, struct err *err) MUST_CHECK;
bool unit_find(struct accounts *accounts, struct str id, struct arena *arena, struct unit_info *out,
               struct err *err) MUST_CHECK;
/* Those with an id after `after`, in the order of ids: pages. tenant empty: tenants; else its teams. */
bool unit_list(struct accounts *accounts, struct str tenant, struct str after, size_t most,
               struct arena *arena, struct unit_info **out, size_t *count, struct err *err)
    MUST_CHECK;

/* ---- keys ---- */

enum key_source {
    KEY_TOKEN,
    KEY_IDENTITY /* a person or service that came with an issuer's token */
};

struct key_info {
    struct str id, name, tenant, team; /* tenant empty when it is made: "default" */
    enum key_source source;
    enum role role;
    struct limits limits;
    struct policy policy;
    struct balance balance;
    wall_ms created, revoked, expires; /* 0: never */
    wall_ms old_until; /* the token before the last rotation works until then, or 0 */
};
/* id, created and balance are filled, the rest is what is wanted. *token is the key itself, to be shown once
 * and wiped. */
SUSPENDS bool key_create(struct accounts *accounts, const struct key_info *wanted,
                         struct arena *arena, struct key_info *out, struct secret *token,
                         struct err *err) MUST_CHECK;
SUSPENDS bool key_revoke(struct accounts *accounts, struct str id, struct err *err)
    MUST_CHECK; /* holds at once */
/* name, role, limits, policy and expires are taken over; tenant and team stay what they are. */
SUSPENDS bool key_change(struct accounts *accounts, struct str id, const struct key_info *wanted,
                         struct err *err) MUST_CHECK;
typedef bool key_edit(void *ctx, struct key_info *key, struct err *err);
SUSPENDS bool key_amend(struct accounts *accounts, struct str id, key_edit *edit, void *ctx,
                        struct arena *arena, struct err *err) MUST_CHECK; /* as of a unit */
/* Another token for the same key; the old one works for `overlap` longer, and one older than that no more. */
SUSPENDS bool key_rotate(struct accounts *accounts, struct str id, dur_ns overlap,
                         struct secret *token, wall_ms *old_until, struct err *err) MUST_CHECK;
bool key_find(struct accounts *accounts, struct str id, struct arena *arena, struct key_info *out,
              struct err *err) MUST_CHECK;
/* Those made after the key `after` (empty: from the first), in the order of making: pages. */
struct key_filter {
    struct str tenant, team; /* empty: any */
    struct str after;
    size_t most; /* 0: all */
};
bool key_list(struct accounts *accounts, const struct key_filter *filter, struct arena *arena,
              struct key_info **out, size_t *count, struct err *err) MUST_CHECK;

/* A person or service whom an issuer vouches for: made at the first visit, the same ever after. role, tenant
 * and team are those of this visit; the tenant and the team have to be there. */
struct identity {
    struct str issuer, issuer_name, subject, name, tenant, team; /* issuer_name: in the settings */
    enum role role;
};
SUSPENDS bool identity_enter(struct accounts *accounts, const struct identity *identity,
                             const struct principal **out, struct err *err) MUST_CHECK;
/* One who was here before, with the role, tenant and team of then: `id` is that of the key list, "u_...". */
SUSPENDS bool identity_resume(struct accounts *accounts, struct str id,
                              const struct identity *identity, const struct principal **out,
                              struct err *err) MUST_CHECK;

#endif
