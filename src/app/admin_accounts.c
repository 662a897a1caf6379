/* /api/v1/keys, /teams, /tenants: make, show, change and end them. A caller reaches what is in its own tenant,
 * operators all of it; one with the right to keys alone reaches its own team's keys for applications. */
#include <stdlib.h>

#include "accounts/directory.h"
#include "app/admin_fields.h"

#define ZONES   "local|trusted|public"
#define ROLES_  "app|admin|owner|developer|auditor" /* in the order of enum role */
#define OVERLAP 86400

/* ---- shapes ---- */

static const struct schema_field limit_fields[] = {
    {"requests_per_minute", FIELD_COUNT, FIELD_OPTIONAL, "Requests a minute; 0 is unlimited.", 0,
     UINT32_MAX, NULL, NULL},
    {"tokens_per_minute", FIELD_COUNT, FIELD_OPTIONAL,
     "Tokens a minute, in and out; 0 is unlimited.", 0, 1000000000000, NULL, NULL},
    {"requests_in_flight", FIELD_COUNT, FIELD_OPTIONAL, "Requests at once; 0 is unlimited.", 0,
     UINT32_MAX, NULL, NULL},
    {"spend_day_usd", FIELD_USD, FIELD_OPTIONAL, "Spend of a day, in UTC; 0 is unlimited.", 0, 0,
     NULL, NULL},
    {"spend_month_usd", FIELD_USD, FIELD_OPTIONAL, "Spend of a month, in UTC; 0 is unlimited.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema limits_schema = {"Limits", "How much.", limit_fields, NULL};

static const struct schema_field policy_fields[] = {
    {"models", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST,
     "Names and patterns (\"gpt-4*\") of models that may be asked; none: any.", 1, 128, NULL, NULL},
    {"zones", FIELD_CHOICE, FIELD_OPTIONAL | FIELD_LIST,
     "Zones whose models may be asked; none: any.", 0, 0, ZONES, NULL},
    {"tags", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST, "For routes and for usage.", 1, 64, NULL,
     NULL},
    {0},
};
static const struct schema policy_schema = {"Policy", "What may be asked, and how much.",
                                            policy_fields, &limits_schema};

static const struct schema_field balance_fields[] = {
    {"spent_day_usd", FIELD_USD, 0, "Spent today.", 0, 0, NULL, NULL},
    {"spent_month_usd", FIELD_USD, 0, "Spent this month.", 0, 0, NULL, NULL},
    {"spent_total_usd", FIELD_USD, 0, "Spent since it was made.", 0, 0, NULL, NULL},
    {"held_usd", FIELD_USD, 0, "Set aside for requests in progress.", 0, 0, NULL, NULL},
    {"in_progress", FIELD_COUNT, 0, "Requests in progress.", 0, 0, NULL, NULL},
    {"last_used", FIELD_TIME, FIELD_NULL, "null: never.", 0, 0, NULL, NULL},
    {"created", FIELD_TIME, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema balance_schema = {"Balance", "What has been used.", balance_fields,
                                             &policy_schema};

static const struct schema_field key_change_fields[] = {
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "Whose key this is.", 1, 100, NULL, NULL},
    {"role", FIELD_CHOICE, FIELD_OPTIONAL, "What it may do.", 0, 0, ROLES_, NULL},
    {"expires", FIELD_TIME, FIELD_OPTIONAL | FIELD_NULL, "When it stops working; null: never.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema key_change_schema = {"KeyChange", "What changes; the rest stays.",
                                                key_change_fields, &policy_schema};

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
                                                &policy_schema};

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
                                         &balance_schema};

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

static const struct schema_field unit_change_fields[] = {
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "For people.", 0, 100, NULL, NULL},
    {0},
};
static const struct schema unit_change_schema = {"UnitChange", "What changes; the rest stays.",
                                                 unit_change_fields, &policy_schema};

static const struct schema_field unit_create_fields[] = {
    {"id", FIELD_TEXT, 0, "a-z 0-9 . _ -; of a team \"tenant/team\".", 1, 129, NULL, NULL},
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "For people.", 0, 100, NULL, NULL},
    {0},
};
static const struct schema unit_create_schema = {"UnitCreate", "A tenant or team to be made.",
                                                 unit_create_fields, &policy_schema};

static const struct schema_field unit_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"name", FIELD_TEXT, 0, "For people; may be empty.", 0, 0, NULL, NULL},
    {"keys", FIELD_COUNT, FIELD_OPTIONAL, "Keys that are not revoked; not in lists.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema unit_schema = {"Unit", "A tenant or team.", unit_fields,
                                          &balance_schema};

static const struct schema_field removed_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"keys_removed", FIELD_COUNT, 0, "They went with it.", 0, 0, NULL, NULL},
    {"note", FIELD_TEXT, 0, "What stays.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema removed_schema = {"UnitRemoved", "A tenant or team that is gone.",
                                             removed_fields, NULL};

/* ---- reading ---- */

static void read_limits(struct admin_call *call, struct limits *out)
{
    field_count(call, "requests_per_minute", &out->requests_per_minute);
    field_count(call, "tokens_per_minute", &out->tokens_per_minute);
    field_count(call, "requests_in_flight", &out->in_flight);
    field_usd(call, "spend_day_usd", &out->spend_day);
    field_usd(call, "spend_month_usd", &out->spend_month);
}

static bool read_joined(struct admin_call *call, const char *name, struct str *out, struct err *err)
{
    struct str *list;
    size_t count;
    struct buf b;

    if (!field_given(call, name))
        return true;
    if (!field_list(call, name, &list, &count, err))
        return false;
    buf_init(&b, call->arena, 64 * KIB);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_char(&b, ',');
        buf_str(&b, list[i]);
    }
    return buf_finish(&b, out, err);
}

/* Zones by their bits: 1 << enum zone, whose first means "unsaid". */
static bool read_zones(struct admin_call *call, uint32_t *out, struct err *err)
{
    struct str *list;
    size_t count;
    uint32_t bits = 0;

    if (!field_given(call, "zones"))
        return true;
    if (!field_list(call, "zones", &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        bits |= 1u << (choice_find(ZONES, list[i]) + ZONE_LOCAL);
    *out = bits;
    return true;
}

static bool read_policy(struct admin_call *call, struct policy *out, struct err *err)
{
    return read_joined(call, "models", &out->models, err) &&
           read_joined(call, "tags", &out->tags, err) && read_zones(call, &out->zones, err);
}

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

/* ---- writing ---- */

static void write_list(struct json_writer *w, const char *name, struct str list)
{
    jw_key(w, name);
    jw_array(w);
    for (struct str part; list.len && str_split(&list, ',', &part);)
        jw_str(w, part);
    jw_array_end(w);
}

static void write_policy(struct json_writer *w, const struct policy *p, const struct limits *l)
{
    struct str zones = STR(ZONES), zone;

    reply_count(w, "requests_per_minute", l->requests_per_minute);
    reply_count(w, "tokens_per_minute", l->tokens_per_minute);
    reply_count(w, "requests_in_flight", l->in_flight);
    reply_usd(w, "spend_day_usd", l->spend_day);
    reply_usd(w, "spend_month_usd", l->spend_month);
    write_list(w, "models", p->models);
    jw_key(w, "zones");
    jw_array(w);
    for (unsigned i = ZONE_LOCAL; str_split(&zones, '|', &zone); i++)
        if (p->zones >> i & 1u)
            jw_str(w, zone);
    jw_array_end(w);
    write_list(w, "tags", p->tags);
}

static void write_balance(struct json_writer *w, const struct balance *b, wall_ms created)
{
    reply_usd(w, "spent_day_usd", b->spent_day);
    reply_usd(w, "spent_month_usd", b->spent_month);
    reply_usd(w, "spent_total_usd", b->spent_total);
    reply_usd(w, "held_usd", b->held);
    reply_count(w, "in_progress", b->in_flight);
    reply_time(w, "last_used", b->last_used);
    reply_time(w, "created", created);
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
    write_policy(w, &k->policy, &k->limits);
    write_balance(w, &k->balance, k->created);
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

static bool in_reach(const struct principal *who, struct str tenant)
{
    return principal_is_operator(who) || str_eq(who->tenant, tenant);
}

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
        return in_reach(who, key->tenant) && covers(who->role, key->role);
    return str_eq(who->tenant, key->tenant) && str_eq(who->team, key->team) &&
           key->role == ROLE_APP;
}

static bool may_see(const struct principal *who, const struct key_info *key)
{
    if (!in_reach(who, key->tenant))
        return false;
    return role_may(who->role, RIGHT_ACCOUNTS) || role_may(who->role, RIGHT_AUDIT) ||
           str_eq(who->team, key->team);
}

static bool too_far(const struct admin_call *call, struct str what, struct err *err)
{
    return err_set(err, ERR_DENIED, "role %s of tenant \"" STR_FMT "\" does not reach " STR_FMT,
                   role_name(call->who->role), STR_ARG(call->who->tenant),
                   STR_ARG(str_slice(what, 0, 100)));
}

/* What one may not see is not there. */
static bool find_key(struct admin_call *call, bool to_touch, struct key_info *out, struct err *err)
{
    if (!key_find(call->house->accounts, call->values[0], call->arena, out, err))
        return false;
    if (!may_see(call->who, out))
        return err_set(err, ERR_NOT_FOUND, "no key has the id \"" STR_FMT "\"",
                       STR_ARG(str_slice(call->values[0], 0, 60)));
    return !to_touch || may_touch(call->who, out) || too_far(call, call->values[0], err);
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
        !read_policy(call, &wanted.policy, err) || !read_expiry(call, &wanted.expires, err))
        return false;
    read_limits(call, &wanted.limits);
    wanted.role = (enum role)role;
    if (!wanted.tenant.len)
        wanted.tenant = wanted.team.len ? str_slice(wanted.team, 0, str_find_char(wanted.team, '/'))
                                        : call->who->tenant;
    if (!wanted.team.len)
        wanted.team = role_may(call->who->role, RIGHT_ACCOUNTS) ? STR("") : call->who->team;
    if (!may_touch(call->who, &wanted))
        return too_far(call, STR("such a key"), err);
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

static bool change_key(struct admin_call *call, struct err *err)
{
    struct key_info key;
    int role;

    if (!find_key(call, true, &key, err))
        return false;
    role = (int)key.role;
    if (!field_text(call, "name", &key.name, err) || !field_choice(call, "role", &role, err) ||
        !read_policy(call, &key.policy, err) || !read_expiry(call, &key.expires, err))
        return false;
    read_limits(call, &key.limits);
    key.role = (enum role)role;
    if (!may_touch(call->who, &key))
        return too_far(call, STR("such a key"), err);
    if (!key_change(call->house->accounts, key.id, &key, err))
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

/* ---- tenants and teams ---- */

static void write_unit(struct json_writer *w, const struct unit_info *u, bool with_keys)
{
    jw_object(w);
    reply_text(w, "id", u->id);
    reply_text(w, "name", u->name);
    write_policy(w, &u->policy, &u->limits);
    write_balance(w, &u->balance, u->created);
    if (with_keys)
        reply_count(w, "keys", u->keys);
    jw_object_end(w);
}

/* Of the route's path: a tenant, or tenant and team. */
static bool find_unit(struct admin_call *call, struct unit_info *out, struct err *err)
{
    struct str id = call->values[0];

    if (call->values[1].len)
        id = arena_fmt(call->arena, STR_FMT "/" STR_FMT, STR_ARG(call->values[0]),
                       STR_ARG(call->values[1]));
    if (!in_reach(call->who, call->values[0]))
        return err_set(err, ERR_NOT_FOUND, "\"" STR_FMT "\" is not there",
                       STR_ARG(str_slice(id, 0, 130)));
    return unit_find(call->house->accounts, id, call->arena, out, err);
}

/* Tenants are the operators' alone, with the right to own. */
static bool may_change(const struct admin_call *call, struct str id, bool is_team, struct err *err)
{
    struct str tenant = str_slice(id, 0, str_find_char(id, '/'));
    bool may = is_team ? in_reach(call->who, tenant) && role_may(call->who->role, RIGHT_ACCOUNTS)
                       : principal_is_operator(call->who) && role_may(call->who->role, RIGHT_OWN);

    return may || too_far(call, id, err);
}

static bool list_units(struct admin_call *call, struct str tenant, struct err *err)
{
    struct unit_info *units;
    struct page page;
    size_t count;

    if (!page_begin(call, &page, err) ||
        !unit_list(call->house->accounts, tenant, page.after, page.limit + 1, call->arena, &units,
                   &count, err))
        return false;
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (in_reach(call->who, units[i].tenant) && page_wants(&page, units[i].id))
            write_unit(&call->reply, &units[i], false);
    page_end(call, &page);
    return true;
}

/* Who is no operator sees one tenant, whatever page was asked for. */
static bool list_tenants(struct admin_call *call, struct err *err)
{
    struct unit_info own;
    struct page page;

    if (principal_is_operator(call->who))
        return list_units(call, STR_NONE, err);
    if (!page_begin(call, &page, err) ||
        !unit_find(call->house->accounts, call->who->tenant, call->arena, &own, err))
        return false;
    if (page_wants(&page, own.id))
        write_unit(&call->reply, &own, false);
    page_end(call, &page);
    return true;
}

static bool list_teams(struct admin_call *call, struct err *err)
{
    struct str tenant = query_text(call, "tenant");

    if (!tenant.len)
        tenant = call->who->tenant;
    if (!in_reach(call->who, tenant))
        return too_far(call, tenant, err);
    return list_units(call, tenant, err);
}

static bool create_unit(struct admin_call *call, bool is_team, struct err *err)
{
    struct unit_info wanted = {0}, made;

    if (!field_text(call, "id", &wanted.id, err) || !field_text(call, "name", &wanted.name, err) ||
        !read_policy(call, &wanted.policy, err))
        return false;
    if ((str_find_char(wanted.id, '/') < wanted.id.len) != is_team)
        return field_wrong(call, "id", err, "expected %s", is_team ? "TENANT/TEAM" : "no slash");
    read_limits(call, &wanted.limits);
    if (!may_change(call, wanted.id, is_team, err))
        return false;
    if (!unit_create(call->house->accounts, &wanted, call->arena, &made, err)) {
        struct err unused;

        return unit_find(call->house->accounts, wanted.id, call->arena, &made, &unused)
                   ? admin_fail(call, 409, "conflict", err, "\"" STR_FMT "\" is there already",
                                STR_ARG(wanted.id))
                   : false;
    }
    call->note = arena_fmt(call->arena, "%s " STR_FMT " created", is_team ? "team" : "tenant",
                           STR_ARG(made.id));
    write_unit(&call->reply, &made, true);
    return true;
}

static bool create_tenant(struct admin_call *call, struct err *err)
{
    return create_unit(call, false, err);
}

static bool create_team(struct admin_call *call, struct err *err)
{
    return create_unit(call, true, err);
}

static bool show_unit(struct admin_call *call, struct err *err)
{
    struct unit_info unit;

    if (!find_unit(call, &unit, err))
        return false;
    write_unit(&call->reply, &unit, true);
    return true;
}

static bool change_unit(struct admin_call *call, struct err *err)
{
    struct unit_info unit;

    if (!find_unit(call, &unit, err) || !may_change(call, unit.id, unit.is_team, err) ||
        !field_text(call, "name", &unit.name, err) || !read_policy(call, &unit.policy, err))
        return false;
    read_limits(call, &unit.limits);
    if (!unit_change(call->house->accounts, unit.id, &unit, err))
        return false;
    call->note = arena_fmt(call->arena, "%s " STR_FMT " changed", unit.is_team ? "team" : "tenant",
                           STR_ARG(unit.id));
    return show_unit(call, err);
}

static bool remove_unit(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct unit_info unit;
    uint32_t keys = 0;

    if (!find_unit(call, &unit, err) || !may_change(call, unit.id, unit.is_team, err) ||
        !unit_remove(call->house->accounts, unit.id, &keys, err))
        return false;
    call->note = arena_fmt(call->arena, "%s " STR_FMT " removed with %" PRIu32 " keys",
                           unit.is_team ? "team" : "tenant", STR_ARG(unit.id), keys);
    jw_object(w);
    reply_text(w, "id", unit.id);
    reply_count(w, "keys_removed", keys);
    reply_text(w, "note",
               STR("keys, counters and usage are gone; the audit log keeps its records until its"
                   " retention ends"));
    jw_object_end(w);
    return true;
}

static const struct admin_route tenant_routes[] = {
    {"GET", "/api/v1/tenants", "List tenants", RIGHT_USAGE, list_tenants, NULL, &unit_schema, 0,
     true, NULL, NULL},
    {"POST", "/api/v1/tenants", "Make a tenant", RIGHT_OWN, create_tenant, &unit_create_schema,
     &unit_schema, 201, false, NULL, NULL},
    {"GET", "/api/v1/tenants/{tenant}", "Show a tenant", RIGHT_USAGE, show_unit, NULL, &unit_schema,
     0, false, NULL, NULL},
    {"PATCH", "/api/v1/tenants/{tenant}", "Change a tenant", RIGHT_OWN, change_unit,
     &unit_change_schema, &unit_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/tenants/{tenant}", "Remove a tenant with its teams, keys and usage",
     RIGHT_OWN, remove_unit, NULL, &removed_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_tenants_part = {"tenants", "Who keys belong to.", tenant_routes,
                                              ARRAY_LEN(tenant_routes)};

static const struct schema_field team_query[] = {
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Whose teams; the caller's own when absent.", 1, 64,
     NULL, NULL},
    {0},
};

static const struct admin_route team_routes[] = {
    {"GET", "/api/v1/teams", "List the teams of a tenant", RIGHT_USAGE, list_teams, NULL,
     &unit_schema, 0, true, team_query, NULL},
    {"POST", "/api/v1/teams", "Make a team", RIGHT_ACCOUNTS, create_team, &unit_create_schema,
     &unit_schema, 201, false, NULL, NULL},
    {"GET", "/api/v1/teams/{tenant}/{team}", "Show a team", RIGHT_USAGE, show_unit, NULL,
     &unit_schema, 0, false, NULL, NULL},
    {"PATCH", "/api/v1/teams/{tenant}/{team}", "Change a team", RIGHT_ACCOUNTS, change_unit,
     &unit_change_schema, &unit_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/teams/{tenant}/{team}", "Remove a team with its keys and usage",
     RIGHT_ACCOUNTS, remove_unit, NULL, &removed_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_teams_part = {"teams", "Groups of keys within a tenant.", team_routes,
                                            ARRAY_LEN(team_routes)};
