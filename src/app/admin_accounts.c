/* What endpoints of keys, teams and tenants share: policy, limits and balance read and written; who reaches
 * whose. A caller reaches what is in its own tenant, operators all of it. */
#include "app/admin_accounts.h"

#define ZONES "local|trusted|public"

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
const struct schema account_policy_schema = {"Policy", "What may be asked, and how much.",
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
const struct schema account_balance_schema = {"Balance", "What has been used.", balance_fields,
                                              &account_policy_schema};

/* ---- reading ---- */

void account_read_limits(struct admin_call *call, struct limits *out)
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
        if (str_find_char(list[i], ',') < list[i].len) /* it would be two */
            return field_wrong(call, name, err, "expected no comma in \"" STR_FMT "\"",
                               STR_ARG(list[i]));
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

bool account_read_policy(struct admin_call *call, struct policy *out, struct err *err)
{
    return read_joined(call, "models", &out->models, err) &&
           read_joined(call, "tags", &out->tags, err) && read_zones(call, &out->zones, err);
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

void account_write_policy(struct json_writer *w, const struct policy *p, const struct limits *l)
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

void account_write_balance(struct json_writer *w, const struct balance *b, wall_ms created)
{
    reply_usd(w, "spent_day_usd", b->spent_day);
    reply_usd(w, "spent_month_usd", b->spent_month);
    reply_usd(w, "spent_total_usd", b->spent_total);
    reply_usd(w, "held_usd", b->held);
    reply_count(w, "in_progress", b->in_flight);
    reply_time(w, "last_used", b->last_used);
    reply_time(w, "created", created);
}

/* ---- who reaches what ---- */

bool account_in_reach(const struct principal *who, struct str tenant)
{
    return principal_is_operator(who) || str_eq(who->tenant, tenant);
}

bool account_too_far(const struct admin_call *call, struct str what, struct err *err)
{
    return err_set(err, ERR_DENIED, "role %s of tenant \"" STR_FMT "\" does not reach " STR_FMT,
                   role_name(call->who->role), STR_ARG(call->who->tenant),
                   STR_ARG(str_slice(what, 0, 100)));
}
