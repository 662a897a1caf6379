/* /api/v1/keys: make, show, limit and revoke keys. */
#include <stdlib.h>

#include "accounts/directory.h"
#include "app/admin_fields.h"

#define RPM_HELP   "Requests a minute; 0 is unlimited."
#define DAY_HELP   "Spend of a day, in UTC; 0 is unlimited."
#define MONTH_HELP "Spend of a month, in UTC; 0 is unlimited."

static const struct schema_field limit_fields[] = {
    {"requests_per_minute", FIELD_COUNT, FIELD_OPTIONAL, RPM_HELP, 0, UINT32_MAX, NULL, NULL},
    {"spend_day_usd", FIELD_USD, FIELD_OPTIONAL, DAY_HELP, 0, 0, NULL, NULL},
    {"spend_month_usd", FIELD_USD, FIELD_OPTIONAL, MONTH_HELP, 0, 0, NULL, NULL},
    {0},
};
static const struct schema limits_schema = {"KeyLimits", "What changes; the rest stays.",
                                            limit_fields, NULL};

static const struct schema_field create_fields[] = {
    {"name", FIELD_TEXT, 0, "Whose key this is.", 1, 100, NULL, NULL},
    {"role", FIELD_CHOICE, FIELD_OPTIONAL, "What it may do; app when absent.", 0, 0, "app|admin",
     NULL},
    {0},
};
static const struct schema create_schema = {"KeyCreate", "A key to be made.", create_fields,
                                            &limits_schema};

static const struct schema_field key_fields[] = {
    {"id", FIELD_TEXT, 0, "Names the key in logs and in the audit log; not secret.", 0, 0, NULL,
     NULL},
    {"name", FIELD_PROSE, 0, "Whose key this is.", 0, 0, NULL, NULL},
    {"role", FIELD_CHOICE, 0, "What it may do.", 0, 0, "app|admin", NULL},
    {"tenant", FIELD_TEXT, 0, "Who it belongs to.", 0, 0, NULL, NULL},
    {"requests_per_minute", FIELD_COUNT, 0, RPM_HELP, 0, 0, NULL, NULL},
    {"spend_day_usd", FIELD_USD, 0, DAY_HELP, 0, 0, NULL, NULL},
    {"spend_month_usd", FIELD_USD, 0, MONTH_HELP, 0, 0, NULL, NULL},
    {"spent_day_usd", FIELD_USD, 0, "Spent today.", 0, 0, NULL, NULL},
    {"spent_month_usd", FIELD_USD, 0, "Spent this month.", 0, 0, NULL, NULL},
    {"spent_total_usd", FIELD_USD, 0, "Spent since it was made.", 0, 0, NULL, NULL},
    {"held_usd", FIELD_USD, 0, "Set aside for requests in progress.", 0, 0, NULL, NULL},
    {"created", FIELD_TIME, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"last_used", FIELD_TIME, FIELD_NULL, "null: never.", 0, 0, NULL, NULL},
    {"revoked", FIELD_TIME, FIELD_NULL, "null: it is not.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema key_schema = {"Key", "A key, without its secret.", key_fields, NULL};

static const struct schema_field created_fields[] = {
    {"key", FIELD_TEXT, 0, "The key itself: it is shown this once.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema created_schema = {"KeyCreated", "A key with its secret.", created_fields,
                                             &key_schema};

static const struct schema_field revoked_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"revoked", FIELD_BOOL, 0, "Always true.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema revoked_schema = {"KeyRevoked", "A key that works no more.",
                                             revoked_fields, NULL};

static bool read_limits(struct admin_call *call, struct limits *out, struct err *err)
{
    (void)err;
    field_count(call, "requests_per_minute", &out->requests_per_minute);
    field_usd(call, "spend_day_usd", &out->spend_day);
    field_usd(call, "spend_month_usd", &out->spend_month);
    return true;
}

static void write_key(struct json_writer *w, const struct key_info *k)
{
    reply_text(w, "id", k->id);
    reply_text(w, "name", k->name);
    reply_text(w, "role", str_from(role_name(k->role)));
    reply_text(w, "tenant", k->tenant);
    reply_count(w, "requests_per_minute", k->limits.requests_per_minute);
    reply_usd(w, "spend_day_usd", k->limits.spend_day);
    reply_usd(w, "spend_month_usd", k->limits.spend_month);
    reply_usd(w, "spent_day_usd", k->balance.spent_day);
    reply_usd(w, "spent_month_usd", k->balance.spent_month);
    reply_usd(w, "spent_total_usd", k->balance.spent_total);
    reply_usd(w, "held_usd", k->balance.held);
    reply_time(w, "created", k->created);
    reply_time(w, "last_used", k->balance.last_used);
    reply_time(w, "revoked", k->revoked);
}

static int by_creation(const void *one, const void *other)
{
    const struct key_info *a = one, *b = other;

    if (a->created != b->created)
        return a->created < b->created ? -1 : 1;
    return str_cmp(a->id, b->id);
}

static bool list(struct admin_call *call, struct err *err)
{
    struct key_info *keys;
    struct page page;
    size_t count;
    struct json_writer *w = &call->reply;

    if (!key_list(call->house->accounts, &(struct key_filter){0}, call->arena, &keys, &count,
                  err) ||
        !page_begin(call, &page, err))
        return false;
    if (count > 0)
        qsort(keys, count, sizeof *keys, by_creation);
    for (size_t i = 0; i < count && !page_is_full(&page); i++) {
        struct str place = arena_fmt(call->arena, "%016" PRIx64 STR_FMT, (uint64_t)keys[i].created,
                                     STR_ARG(keys[i].id));

        if (!page_wants(&page, place))
            continue;
        jw_object(w);
        write_key(w, &keys[i]);
        jw_object_end(w);
    }
    page_end(call, &page);
    return true;
}

static bool create(struct admin_call *call, struct err *err)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    static const enum role roles[] = {ROLE_APP, ROLE_ADMIN}; /* in the order of the choices */
    struct str name = STR("");
    int role = 0;
    struct limits limits = {0};
    struct key_info key;
    struct json_writer *w = &call->reply;

    if (!field_text(call, "name", &name, err) || !field_choice(call, "role", &role, err) ||
        !read_limits(call, &limits, err) ||
        !key_create(call->house->accounts,
                    &(struct key_info){.name = name, .role = roles[role], .limits = limits},
                    call->arena, &key, &token, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " created, role %s", STR_ARG(key.id),
                           role ? "admin" : "app");
    jw_object(w);
    reply_text(w, "key", secret_reveal(&token));
    write_key(w, &key);
    jw_object_end(w);
    return true;
}

static bool find(struct admin_call *call, struct key_info *out, struct err *err)
{
    struct key_info *keys;
    size_t count;

    if (!key_list(call->house->accounts, &(struct key_filter){0}, call->arena, &keys, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_eq(keys[i].id, call->values[0])) {
            *out = keys[i];
            return true;
        }
    return err_set(err, ERR_NOT_FOUND,
                   "no key has the id \"" STR_FMT "\"; `weir key list` shows them",
                   STR_ARG(str_slice(call->values[0], 0, 60)));
}

static bool show(struct admin_call *call, struct err *err)
{
    struct key_info key;

    if (!find(call, &key, err))
        return false;
    jw_object(&call->reply);
    write_key(&call->reply, &key);
    jw_object_end(&call->reply);
    return true;
}

static bool change(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct key_info key;

    if (!find(call, &key, err) || !read_limits(call, &key.limits, err) ||
        !key_change(call->house->accounts, key.id, &key, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " limits changed", STR_ARG(key.id));
    jw_object(w);
    write_key(w, &key);
    jw_object_end(w);
    return true;
}

static bool revoke(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct key_info key;

    if (!find(call, &key, err) || !key_revoke(call->house->accounts, key.id, err))
        return false;
    call->note = arena_fmt(call->arena, "key " STR_FMT " revoked", STR_ARG(key.id));
    jw_object(w);
    reply_text(w, "id", key.id);
    reply_bool(w, "revoked", true);
    jw_object_end(w);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/keys", "List keys with limits and what they spent", RIGHT_USAGE, list, NULL,
     &key_schema, 0, true, NULL, NULL},
    {"POST", "/api/v1/keys", "Make a key", RIGHT_KEYS, create, &create_schema, &created_schema, 201,
     false, NULL, NULL},
    {"GET", "/api/v1/keys/{id}", "Show a key", RIGHT_USAGE, show, NULL, &key_schema, 0, false, NULL,
     NULL},
    {"PATCH", "/api/v1/keys/{id}", "Change a key's limits", RIGHT_KEYS, change, &limits_schema,
     &key_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/keys/{id}", "Revoke a key at once", RIGHT_KEYS, revoke, NULL,
     &revoked_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_keys_part = {"keys", "Who may ask, and how much.", routes,
                                           ARRAY_LEN(routes)};
