/* /api/v1/usage: what was used and what it cost, grouped as asked. */
#include "accounts/calendar.h"
#include "accounts/usage.h"
#include "app/admin_fields.h"
#include "base/log.h"
#include "base/utf8.h"
#include "sys/clock.h"

#define DAYS_SHOWN 30

static const struct schema_field usage_query[] = {
    {"group_by", FIELD_TEXT, FIELD_OPTIONAL,
     "day, tenant, team, key, model, deployment, provider, route, tag, separated by commas; day "
     "when absent.",
     1, 100, NULL, NULL},
    {"from", FIELD_TEXT, FIELD_OPTIONAL,
     "First day, \"2026-11-01\", in UTC; 29 days before `to` when absent.", 1, 30, NULL, NULL},
    {"to", FIELD_TEXT, FIELD_OPTIONAL, "Last day, with it; today when absent.", 1, 30, NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Only of this tenant.", 1, 64, NULL, NULL},
    {"team", FIELD_TEXT, FIELD_OPTIONAL, "Only of this team.", 1, 129, NULL, NULL},
    {"key", FIELD_TEXT, FIELD_OPTIONAL, "Only of this key.", 1, 100, NULL, NULL},
    {"model", FIELD_TEXT, FIELD_OPTIONAL, "Only of this model.", 1, 200, NULL, NULL},
    {"deployment", FIELD_TEXT, FIELD_OPTIONAL, "Only by this deployment of the catalogue.", 1, 200,
     NULL, NULL},
    {"provider", FIELD_TEXT, FIELD_OPTIONAL, "Only by this provider.", 1, 200, NULL, NULL},
    {"route", FIELD_TEXT, FIELD_OPTIONAL, "Only by this route.", 1, 200, NULL, NULL},
    {"tag", FIELD_TEXT, FIELD_OPTIONAL, "Only with this tag.", 1, 64, NULL, NULL},
    {0},
};

static const struct schema_field usage_fields[] = {
    {"day", FIELD_TEXT, FIELD_OPTIONAL, "Of those grouped by.", 0, 0, NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"team", FIELD_TEXT, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"key", FIELD_TEXT, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"model", FIELD_TEXT, FIELD_OPTIONAL, "As asked for; empty: nobody was asked.", 0, 0, NULL,
     NULL},
    {"deployment", FIELD_TEXT, FIELD_OPTIONAL,
     "Who answered; hedges that lost and attempts that failed cost in the row of who made them, in "
     "which no"
     " request counts. Empty: nobody was asked, or an older Weir did not note it.",
     0, 0, NULL, NULL},
    {"provider", FIELD_TEXT, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"route", FIELD_TEXT, FIELD_OPTIONAL, "The route taken, or the endpoint.", 0, 0, NULL, NULL},
    {"tag", FIELD_TEXT, FIELD_OPTIONAL, "A request with two tags stands in both rows.", 0, 0, NULL,
     NULL},
    {"requests", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"failed", FIELD_COUNT, 0, "Of requests: refused, or not ended well.", 0, 0, NULL, NULL},
    {"tokens_in", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"tokens_out", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"tokens_cached", FIELD_COUNT, 0, "Of tokens_in: from a provider's cache.", 0, 0, NULL, NULL},
    {"tokens_cache_write", FIELD_COUNT, 0,
     "Of tokens_in: written to it. This and the next two are 0 of what older Weirs counted.", 0, 0,
     NULL, NULL},
    {"tokens_reasoning", FIELD_COUNT, 0, "Of tokens_out: spent on reasoning.", 0, 0, NULL, NULL},
    {"tokens_audio", FIELD_COUNT, 0, "Of tokens_in and tokens_out: sound.", 0, 0, NULL, NULL},
    {"estimated", FIELD_COUNT, 0,
     "Of requests: the provider counted no tokens, Weir estimated them.", 0, 0, NULL, NULL},
    {"cost_usd", FIELD_USD, 0, "All of it.", 0, 0, NULL, NULL},
    {"cost_left_usd", FIELD_USD, 0, "Of cost: clients that left before the end.", 0, 0, NULL, NULL},
    {"cost_hedge_usd", FIELD_USD, 0, "Of cost: hedges that lost.", 0, 0, NULL, NULL},
    {"cost_attempts_usd", FIELD_USD, 0, "Of cost: attempts that failed.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema usage_schema = {"Usage", "What was used, and what it cost.",
                                           usage_fields, NULL};

static bool read_groups(struct admin_call *call, uint32_t *out, struct err *err)
{
    struct str rest = query_text(call, "group_by"), name;

    *out = rest.len ? 0 : 1u << USAGE_BY_DAY;
    while (rest.len && str_split(&rest, ',', &name)) {
        unsigned by = 0;

        while (by < USAGE_BYS && !str_eq(str_trim(name), str_from(usage_by_names[by])))
            by++;
        if (by == USAGE_BYS)
            return err_set(err, ERR_INVALID,
                           "group_by: \"" STR_FMT "\" is not day, tenant, team, key, model,"
                           " deployment, provider, route or tag",
                           STR_ARG(str_slice(name, 0, 40)));
        *out |= 1u << by;
    }
    return true;
}

static bool read_day(struct admin_call *call, const char *name, int64_t fallback, int64_t *out,
                     struct err *err)
{
    struct str text = query_text(call, name), whole;
    wall_ms t;

    *out = fallback;
    if (!text.len)
        return true;
    whole = arena_fmt(call->arena, STR_FMT "%s", STR_ARG(text), text.len == 10 ? "T00:00:00Z" : "");
    if (!time_parse(whole, &t))
        return err_set(err, ERR_INVALID, "%s: expected a day such as 2026-11-01", name);
    *out = calendar_day(t);
    return true;
}

static bool only_own(struct str *only, struct str own, const char *what, struct err *err)
{
    if (only->len && !str_eq(*only, own))
        return err_set(err, ERR_DENIED, "usage of another %s is not yours to see", what);
    *only = own;
    return true;
}

/* Who is no operator sees its tenant; who has the right to usage alone, its team. */
static bool narrow(struct admin_call *call, struct usage_query *query, struct err *err)
{
    const struct principal *who = call->who;
    bool all = principal_is_operator(who);
    bool whole_tenant = role_may(who->role, RIGHT_ACCOUNTS) || role_may(who->role, RIGHT_AUDIT);

    if ((!all || !whole_tenant) &&
        !only_own(&query->only[USAGE_BY_TENANT], who->tenant, "tenant", err))
        return false;
    if (whole_tenant)
        return true;
    return who->team.len ? only_own(&query->only[USAGE_BY_TEAM], who->team, "team", err)
                         : only_own(&query->only[USAGE_BY_KEY], who->key_id, "key", err);
}

static bool read_query(struct admin_call *call, struct usage_query *query, struct err *err)
{
    int64_t today = calendar_day(clock_wall());

    for (unsigned by = USAGE_BY_TENANT; by < USAGE_BYS; by++)
        query->only[by] = query_text(call, usage_by_names[by]);
    return read_groups(call, &query->by, err) && read_day(call, "to", today, &query->to_day, err) &&
           read_day(call, "from", query->to_day - DAYS_SHOWN + 1, &query->from_day, err) &&
           (query->from_day <= query->to_day ||
            err_set(err, ERR_INVALID, "from: this day is behind the last, `to`")) &&
           narrow(call, query, err);
}

static void write_row(struct json_writer *w, const struct usage_query *query,
                      const struct usage_row *row)
{
    char day[25];

    jw_object(w);
    for (unsigned by = 0; by < USAGE_BYS; by++) {
        if (!(query->by >> by & 1u))
            continue;
        wall_format(calendar_day_start(row->day), day);
        reply_text(w, usage_by_names[by],
                   by == USAGE_BY_DAY ? (struct str){day, 10} : row->what[by]);
    }
    for (unsigned i = 0; i < USAGE_COUNTS; i++) {
        if (i >= USED_COST)
            reply_usd(w, usage_count_names[i], row->counts[i]);
        else
            reply_count(w, usage_count_names[i], row->counts[i]);
    }
    jw_object_end(w);
}

/* The names of a row, a zero byte between two, which none of them holds: what the next page begins behind. */
static struct str place_of(struct admin_call *call, const struct usage_row *row)
{
    struct buf b;

    buf_init(&b, call->arena, 64 * KIB);
    buf_fmt(&b, "%" PRId64, row->day);
    for (unsigned by = USAGE_BY_TENANT; by < USAGE_BYS; by++) {
        buf_char(&b, 0);
        buf_str(&b, row->what[by]);
    }
    return buf_view(&b);
}

static bool read_place(struct admin_call *call, const struct usage_query *query, struct page *page,
                       struct usage_row *out, struct err *err)
{
    struct str rest = page->after, part;
    bool ok = str_split(&rest, 0, &part) && i64_parse(part, &out->day);

    for (unsigned by = USAGE_BY_TENANT; ok && by < USAGE_BYS; by++) {
        ok = str_split(&rest, 0, &out->what[by]) && (!out->what[by].len || query->by >> by & 1u);
        ok = ok && utf8_valid(out->what[by]);
    }
    page->after = STR(""); /* the store compares */
    return (ok && !rest.ptr) ||
           admin_fail(call, 400, "bad_cursor", err, "cursor: not one of this list");
}

static bool show(struct admin_call *call, struct err *err)
{
    struct usage_query query = {0};
    struct usage_row *rows, after = {0};
    struct page page;
    size_t count;

    if (!read_query(call, &query, err) || !page_begin(call, &page, err))
        return false;
    if (page.after.len) {
        query.after = &after;
        if (!read_place(call, &query, &page, &after, err))
            return false;
    }
    query.most = page.limit + 1;
    if (!usage_read(call->house->accounts, &query, call->arena, &rows, &count, err))
        return false;
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (page_wants(&page, place_of(call, &rows[i])))
            write_row(&call->reply, &query, &rows[i]);
    page_end(call, &page);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/usage", "Show usage and cost", RIGHT_USAGE, show, NULL, &usage_schema, 0, true,
     usage_query, NULL},
};
const struct admin_part admin_usage_part = {"usage", "What was used, and what it cost.", routes,
                                            ARRAY_LEN(routes)};
