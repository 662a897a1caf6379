/* /api/v1/keys: make, show, change, rotate and revoke them. One with the right to keys alone reaches its own
 * team's keys for applications. */
#include <stdlib.h>

#include "app/admin_accounts.h"
#include "sys/clock.h"

#define ROLES_  "app|admin|owner|developer|auditor" /* in the order of enum role */
#define OVERLAP 86400

/* ---- shapes ---- */

static const struct schema_field key_change_fields[] = {
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "Whose key this is.", 1, 100, NULL, NULL},
    {"role", FIELD_CHOICE, FIELD_OPTIONAL, "What it may do.", 0, 0, ROLES_, NULL},
    {"expires", FIELD_TIME, FIELD_OPTIONAL | FIELD_NULL, "When it stops working; null: never.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema key_change_schema = {"KeyChange", "What changes; the rest stays.",
                                                key_change_fields, &account_policy_schema};

static const struct schema_field key_create_fields[] = {
    {"name", FIELD_TEXT, 0, "Whose key this is.", 1, 100, NULL, NULL},
    {"role", FIELD_CHOICE, FIELD_OPTIONAL, "What it may do; app when absent.", 0, 0, ROLES_, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Whose it is; the caller's own when absent.", 1, 64,
     NULL, NULL},
    {"team", FIELD_TEXT, FIELD_OPTIONAL, "\"tenant/team\"; absent: of no team.", 3, 129, NULL,
     NULL},
    {"expires", FIELD_TIME, FIELD_OPTIONAL | FIELD_NULL, "When it stops working; null: never.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema key_create_schema = {"KeyCreate", "A key to be made.", key_create_fields,
                                                &account_policy_schema};

static const struct schema_field key_fields[] = {
    {"id", FIELD_TEXT, 0, "Names the key in logs and in the audit log; not secret.", 0, 0, NULL,
     NULL},
    {"name", FIELD_PROSE, 0, "Whose key this is.", 0, 0, NULL, NULL},
    {"kind", FIELD_CHOICE, 0, "identity: came with a token of an issuer.", 0, 0, "key|identity",
     NULL},
    {"role", FIELD_CHOICE, 0, "What it may do.", 0, 0, ROLES_, NULL},
    {"tenant", FIELD_TEXT, 0, "Who it belongs to.", 0, 0, NULL, NULL},
    {"team", FIELD_TEXT, FIELD_NULL, "\"tenant/team\"; null: none.", 0, 0, NULL, NULL},
    {"expires", FIELD_TIME, FIELD_NULL, "null: never.", 0, 0, NULL, NULL},
    {"old_key_until", FIELD_TIME, FIELD_NULL, "The key before the last rotation works until then.",
     0, 0, NULL, NULL},
    {"revoked", FIELD_TIME, FIELD_NULL, "null: it is not.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema key_schema = {"Key", "A key, without its secret.", key_fields,
                                         &account_balance_schema};

static const struct schema_field created_fields[] = {
    {"key", FIELD_TEXT, 0, "The key itself: it is shown this once.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema created_schema = {"KeyCreated", "A key with its secret.", created_fields,
                                             &key_schema};

static const struct schema_field rotate_fields[] = {
    {"overlap_seconds", FIELD_COUNT, FIELD_OPTIONAL,
     "How long the old key goes on working; a day when absent, 0: not at all.", 0, 34560000, NULL,
     NULL},
    {0},
};
static const struct schema rotate_schema = {"KeyRotate", "Another secret for the same key.",
                                            rotate_fields, NULL};

static const struct schema_field revoked_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"revoked", FIELD_BOOL, 0, "Always true.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema revoked_schema = {"KeyRevoked", "A key that works no more.",
                                             revoked_fields, NULL};

/* ---- fields ---- */

static bool read_expiry(struct admin_call *call, wall_ms *out, struct err *err)
{
    wall_ms when = 0;

    if (!field_given(call, "expires"))
        return true;
    if (!field_time(call, "expires", &when, err)) /* null leaves 0 */
        return false;
    *out = when;
    return true;
}

static void write_key(struct json_writer *w, const struct key_info *k)
{
    reply_text(w, "id", k->id);
    reply_text(w, "name", k->name);
    reply_text(w, "kind", k->source == KEY_TOKEN ? STR("key") : STR("identity"));
    reply_text(w, "role", str_from(role_name(k->role)));
    reply_text(w, "tenant", k->tenant);
    if (k->team.len)
        reply_text(w, "team", k->team);
    else
        jw_key(w, "team"), jw_null(w);
    account_write_policy(w, &k->policy, &k->limits);
    account_write_balance(w, &k->balance, k->created);
    reply_time(w, "expires", k->expires);
    reply_time(w, "old_key_until", k->old_until);
    reply_time(w, "revoked", k->revoked);
}

static bool reply_key(struct admin_call *call, struct str id, struct err *err)
{
    struct key_info key;

    if (!key_find(call->house->accounts, id, call->arena, &key, err))
        return false;
    jw_object(&call->reply);
    write_key(&call->reply, &key);
    jw_object_end(&call->reply);
    return true;
}

/* ---- who reaches what ---- */

/* Nobody hands out, or takes over, more than there is in their own role. */
static bool covers(enum role own, enum role other)
{
    for (unsigned r = 0; r < RIGHTS; r++)
        if (role_may(other, (enum right)r) && !role_may(own, (enum right)r))
            return false;
    return true;
}

static bool may_touch(const struct principal *who, const struct key_info *key)
{
    if (role_may(who->role, RIGHT_ACCOUNTS))
        return account_in_reach(who, key->tenant) && covers(who->role, key->role);
    return str_eq(who->tenant, key->tenant) && str_eq(who->team, key->team) &&
           key->role == ROLE_APP;
}

static bool may_see(const struct principal *who, const struct key_info *key)
{
    if (!account_in_reach(who, key->tenant))
        return false;
    return role_may(who->role, RIGHT_ACCOUNTS) || role_may(who->role, RIGHT_AUDIT) ||
           str_eq(who->team, key->team);
}

/* What one may not see is not there. */
static bool find_key(struct admin_call *call, bool to_touch, struct key_info *out, struct err *err)
{
    if (!key_find(call->house->accounts, call->values[0], call->arena, out, err))
        return false;
    if (!may_see(call->who, out))
        return err_set(err, ERR_NOT_FOUND, "no key has the id \"" STR_FMT "\"",
                       STR_ARG(str_slice(call->values[0], 0, 60)));
    return !to_touch || may_touch(call->who, out) || account_too_far(call, call->values[0], err);
}

/* ---- keys ---- */

static int by_creation(const void *one, const void *other)
{
    const struct key_info *a = one, *b = other;

    if (a->created != b->created)
        return a->created < b->created ? -1 : 1;
    return str_cmp(a->id, b->id);
}

static bool list_keys(struct admin_call *call, struct err *err)
{
    struct key_filter filter = {.tenant = query_text(call, "tenant"),
                                .team = query_text(call, "team")};
    struct json_writer *w = &call->reply;
    struct key_info *keys;
    struct page page;
    size_t count;

    if (!key_list(call->house->accounts, &filter, call->arena, &keys, &count, err) ||
        !page_begin(call, &page, err))
        return false;
    if (count > 0)
        qsort(keys, count, sizeof *keys, by_creation);
    for (size_t i = 0; i < count && !page_is_full(&page); i++) {
        struct str place = arena_fmt(call->arena, "%016" PRIx64 STR_FMT, (uint64_t)keys[i].created,
                                     STR_ARG(keys[i].id));

        if (!may_see(call->who, &keys[i]) || !page_wants(&page, place))
            continue;
        jw_object(w);
        write_key(w, &keys[i]);
        jw_object_end(w);
    }
    page_end(call, &page);
    return true;
}

static bool create_key(struct admin_call *call, struct err *err)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    struct key_info wanted = {0}, key;
    struct json_writer *w = &call->reply;
    int role = ROLE_APP;

    if (!field_text(call, "name", &wanted.name, err) ||
        !field_text(call, "tenant", &wanted.tenant, err) ||
        !field_text(call, "team", &wanted.team, err) || !field_choice(call, "role", &role, err) ||
        !account_read_policy(call, &wanted.policy, err) || !read_expiry(call, &wanted.expires, err))
        return false;
    if (wanted.expires && wanted.expires <= clock_wall())
        return field_wrong(call, "expires", err, "is in the past: the key would never work");
    account_read_limits(call, &wanted.limits);
    wanted.role = (enum role)role;
    if (!wanted.tenant.len)
        wanted.tenant = wanted.team.len ? str_slice(wanted.team, 0, str_find_char(wanted.team, '/'))
                                        : call->who->tenant;
    if (!wanted.team.len)
        wanted.team = role_may(call->who->role, RIGHT_ACCOUNTS) ? STR("") : call->who->team;
    if (!may_touch(call->who, &wanted))
        return account_too_far(call, STR("such a key"), err);
    if (!key_create(call->house->accounts, &wanted, call->arena, &key, &token, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " created, role %s, tenant " STR_FMT,
                           STR_ARG(key.id), role_name(key.role), STR_ARG(key.tenant));
    jw_object(w);
    reply_text(w, "key", secret_reveal(&token));
    write_key(w, &key);
    jw_object_end(w);
    return true;
}

static bool show_key(struct admin_call *call, struct err *err)
{
    struct key_info key;

    return find_key(call, false, &key, err) && reply_key(call, key.id, err);
}

static bool edit_key(void *ctx, struct key_info *key, struct err *err)
{
    struct admin_call *call = ctx;
    int role = (int)key->role;

    if (!may_touch(call->who, key))
        return account_too_far(call, key->id, err);
    if (!field_text(call, "name", &key->name, err) || !field_choice(call, "role", &role, err) ||
        !account_read_policy(call, &key->policy, err) || !read_expiry(call, &key->expires, err))
        return false;
    account_read_limits(call, &key->limits);
    key->role = (enum role)role;
    return may_touch(call->who, key) || account_too_far(call, STR("such a key"), err);
}

static bool change_key(struct admin_call *call, struct err *err)
{
    struct key_info key;

    if (!find_key(call, true, &key, err) ||
        !key_amend(call->house->accounts, key.id, edit_key, call, call->arena, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " changed", STR_ARG(key.id));
    return reply_key(call, key.id, err);
}

static bool rotate_key(struct admin_call *call, struct err *err)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    struct json_writer *w = &call->reply;
    int64_t overlap = OVERLAP;
    struct key_info key;
    wall_ms until;

    field_count(call, "overlap_seconds", &overlap);
    if (!find_key(call, true, &key, err) ||
        !key_rotate(call->house->accounts, key.id, overlap * SECOND, &token, &until, err) ||
        !key_find(call->house->accounts, key.id, call->arena, &key, err))
        return false;
    call->note =
        arena_fmt(call->arena, "key " STR_FMT " rotated, the old one works for %" PRId64 " s",
                  STR_ARG(key.id), overlap);
    jw_object(w);
    reply_text(w, "key", secret_reveal(&token));
    write_key(w, &key);
    jw_object_end(w);
    return true;
}

static bool revoke_key(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct key_info key;

    if (!find_key(call, true, &key, err) || !key_revoke(call->house->accounts, key.id, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " revoked", STR_ARG(key.id));
    jw_object(w);
    reply_text(w, "id", key.id);
    reply_bool(w, "revoked", true);
    jw_object_end(w);
    return true;
}

static const struct schema_field key_query[] = {
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Only of this tenant.", 1, 64, NULL, NULL},
    {"team", FIELD_TEXT, FIELD_OPTIONAL, "Only of this team.", 1, 129, NULL, NULL},
    {0},
};

static const struct admin_route key_routes[] = {
    {"GET", "/api/v1/keys", "List keys with limits and what they spent", RIGHT_USAGE, list_keys,
     NULL, &key_schema, 0, true, key_query, NULL},
    {"POST", "/api/v1/keys", "Make a key", RIGHT_KEYS, create_key, &key_create_schema,
     &created_schema, 201, false, NULL, NULL},
    {"GET", "/api/v1/keys/{id}", "Show a key", RIGHT_USAGE, show_key, NULL, &key_schema, 0, false,
     NULL, NULL},
    {"PATCH", "/api/v1/keys/{id}", "Change a key's name, role, limits, models, tags, expiry",
     RIGHT_KEYS, change_key, &key_change_schema, &key_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/keys/{id}/rotate", "Give a key another secret; the old one ends later",
     RIGHT_KEYS, rotate_key, &rotate_schema, &created_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/keys/{id}", "Revoke a key at once", RIGHT_KEYS, revoke_key, NULL,
     &revoked_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_keys_part = {"keys", "Who may ask, and how much.", key_routes,
                                           ARRAY_LEN(key_routes)};
