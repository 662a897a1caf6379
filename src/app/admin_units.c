/* /api/v1/tenants and /teams: make, show, change and remove them. */
#include "app/admin_accounts.h"
#include "app/forget.h"

/* ---- shapes ---- */

static const struct schema_field unit_change_fields[] = {
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "For people.", 0, 100, NULL, NULL},
    {0},
};
static const struct schema unit_change_schema = {"UnitChange", "What changes; the rest stays.",
                                                 unit_change_fields, &account_policy_schema};

static const struct schema_field unit_create_fields[] = {
    {"id", FIELD_TEXT, 0, "a-z 0-9 . _ -; of a team \"tenant/team\".", 1, 129, NULL, NULL},
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "For people.", 0, 100, NULL, NULL},
    {0},
};
static const struct schema unit_create_schema = {"UnitCreate", "A tenant or team to be made.",
                                                 unit_create_fields, &account_policy_schema};

static const struct schema_field unit_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"name", FIELD_TEXT, 0, "For people; may be empty.", 0, 0, NULL, NULL},
    {"keys", FIELD_COUNT, FIELD_OPTIONAL, "Keys that are not revoked; not in lists.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema unit_schema = {"Unit", "A tenant or team.", unit_fields,
                                          &account_balance_schema};

static const struct schema_field removed_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"keys_removed", FIELD_COUNT, 0, "They went with it.", 0, 0, NULL, NULL},
    {"note", FIELD_TEXT, 0, "What stays.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema removed_schema = {"UnitRemoved", "A tenant or team that is gone.",
                                             removed_fields, NULL};

/* ---- tenants and teams ---- */

static void write_unit(struct json_writer *w, const struct unit_info *u, bool with_keys)
{
    jw_object(w);
    reply_text(w, "id", u->id);
    reply_text(w, "name", u->name);
    account_write_policy(w, &u->policy, &u->limits);
    account_write_balance(w, &u->balance, u->created);
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
    if (!account_in_reach(call->who, call->values[0]))
        return err_set(err, ERR_NOT_FOUND, "\"" STR_FMT "\" is not there",
                       STR_ARG(str_slice(id, 0, 130)));
    return unit_find(call->house->accounts, id, call->arena, out, err);
}

/* Tenants are the operators' alone, with the right to own. */
static bool may_change(const struct admin_call *call, struct str id, bool is_team, struct err *err)
{
    struct str tenant = str_slice(id, 0, str_find_char(id, '/'));
    bool may =
        is_team ? account_in_reach(call->who, tenant) && role_may(call->who->role, RIGHT_ACCOUNTS)
                : principal_is_operator(call->who) && role_may(call->who->role, RIGHT_OWN);

    return may || account_too_far(call, id, err);
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
        if (account_in_reach(call->who, units[i].tenant) && page_wants(&page, units[i].id))
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
    if (!account_in_reach(call->who, tenant))
        return account_too_far(call, tenant, err);
    return list_units(call, tenant, err);
}

static bool create_unit(struct admin_call *call, bool is_team, struct err *err)
{
    struct unit_info wanted = {0}, made;

    if (!field_text(call, "id", &wanted.id, err) || !field_text(call, "name", &wanted.name, err) ||
        !account_read_policy(call, &wanted.policy, err))
        return false;
    if ((str_find_char(wanted.id, '/') < wanted.id.len) != is_team)
        return field_wrong(call, "id", err, "expected %s", is_team ? "TENANT/TEAM" : "no slash");
    account_read_limits(call, &wanted.limits);
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

static bool edit_unit(void *ctx, struct unit_info *unit, struct err *err)
{
    struct admin_call *call = ctx;

    if (!field_text(call, "name", &unit->name, err) ||
        !account_read_policy(call, &unit->policy, err))
        return false;
    account_read_limits(call, &unit->limits);
    return true;
}

static bool change_unit(struct admin_call *call, struct err *err)
{
    struct unit_info unit;

    if (!find_unit(call, &unit, err) || !may_change(call, unit.id, unit.is_team, err) ||
        !unit_amend(call->house->accounts, unit.id, edit_unit, call, call->arena, err))
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
        !unit_close(call->house->accounts, unit.id, err))
        return false;
    if (!house_forget_unit(call->house, call->arena, unit.id, unit.is_team, err))
        return err_wrap(err, "its keys are refused already, remove it again");
    if (!unit_remove(call->house->accounts, unit.id, &keys, err))
        return false;
    call->note = arena_fmt(call->arena, "%s " STR_FMT " removed with %" PRIu32 " keys",
                           unit.is_team ? "team" : "tenant", STR_ARG(unit.id), keys);
    jw_object(w);
    reply_text(w, "id", unit.id);
    reply_count(w, "keys_removed", keys);
    reply_text(
        w, "note",
        STR("keys, counters, usage and kept answers are gone; the audit log keeps its records"
            " until its retention ends"));
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
