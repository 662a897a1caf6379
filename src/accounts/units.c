/* accounts/units.c: tenants and teams. A team's id is "tenant/team", so ids sort teams behind their tenant. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/usage_internal.h"
#include "accounts/windows.h"
#include "base/log.h"
#include "store/instances.h"
#include "sys/clock.h"

#define UNIT_NAME_MAX 64u
#define REMOVE_WAITS  100
#define REMOVE_STEP   (50 * MILLISECOND)

/* ---- names ---- */

static bool is_slug(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return s.len > 0 && s.len <= UNIT_NAME_MAX;
}

/* *tenant: of a team, else empty. */
static bool id_check(struct str id, struct str *tenant, struct err *err)
{
    size_t slash = str_find_char(id, '/');
    struct str first = str_slice(id, 0, slash), second = str_slice(id, slash + 1, id.len);

    if (!is_slug(first) || (slash < id.len && !is_slug(second)))
        return err_set(err, ERR_INVALID,
                       "\"" STR_FMT "\": expected 1 to %u of a-z 0-9 . _ - for a tenant, and"
                       " TENANT/TEAM for a team",
                       STR_ARG(str_slice(id, 0, 60)), UNIT_NAME_MAX);
    *tenant = slash < id.len ? first : STR_NONE;
    return true;
}

/* ---- the list ---- */

struct unit *units_get(struct accounts *accounts, struct str id)
{
    return table_get(&accounts->units, id);
}

static void link_unit(struct accounts *accounts, struct unit *unit)
{
    struct unit **at = &accounts->first_unit;

    while (*at && str_cmp((*at)->account.id, unit->account.id) < 0)
        at = &(*at)->next;
    unit->next = *at;
    *at = unit;
    accounts->unit_count++;
}

static void unlink_unit(struct accounts *accounts, struct unit *unit)
{
    struct unit **at = &accounts->first_unit;

    while (*at != unit)
        at = &(*at)->next;
    *at = unit->next;
    unit->account.gone = true;
    accounts->unit_count--;
    table_remove(&accounts->units, unit->account.id);
}

bool units_add(struct accounts *accounts, const struct unit_info *made, struct unit **out,
               struct err *err)
{
    struct unit *unit = arena_alloc(accounts->arena, sizeof *unit);
    struct str tenant;

    if (!unit)
        return err_arena(err, accounts->arena);
    if (!id_check(made->id, &tenant, err))
        return false;
    unit->account.id = arena_str(accounts->arena, made->id);
    unit->is_team = tenant.len > 0;
    unit->tenant = unit->is_team ? units_get(accounts, tenant) : unit;
    unit->account.level = unit->is_team ? LEVEL_TEAM : LEVEL_TENANT;
    unit->created = made->created;
    if (!unit->account.id.ptr)
        return err_arena(err, accounts->arena);
    if (!unit->tenant)
        return err_set(err, ERR_NOT_FOUND, "tenant \"" STR_FMT "\" is not there", STR_ARG(tenant));
    if (!kept_set(accounts, &unit->name, made->name, err) ||
        !kept_policy_set(accounts, &unit->policy, &made->policy, err) ||
        !account_limits_set(accounts, &unit->account, &made->limits, err))
        return false;
    if (!table_put(&accounts->units, unit->account.id, unit, NULL))
        return err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " tenants and teams",
                       accounts->units_max);
    link_unit(accounts, unit);
    *out = unit;
    return true;
}

static uint32_t keys_of(const struct accounts *accounts, const struct unit *unit)
{
    uint32_t n = 0;

    for (const struct key_state *key = accounts->first; key; key = key->next)
        n += (key->tenant == unit || key->team == unit) && !key->revoked;
    return n;
}

static struct unit_info info_of(const struct unit *unit, struct arena *arena, wall_ms now)
{
    return (struct unit_info){.id = unit->account.id, /* lives as long as the accounts */
                              .tenant = unit->tenant->account.id,
                              .is_team = unit->is_team,
                              .name = arena_str(arena, unit->name.s),
                              .policy = kept_policy_copy(arena, &unit->policy),
                              .limits = unit->account.limits,
                              .balance = balance_of(&unit->account, now),
                              .created = unit->created};
}

static bool not_there(struct str id, struct err *err)
{
    bool team = str_find_char(id, '/') < id.len;

    return err_set(err, ERR_NOT_FOUND, "%s \"" STR_FMT "\" is not there; `weir %s list` shows them",
                   team ? "team" : "tenant", STR_ARG(str_slice(id, 0, 130)),
                   team ? "team" : "tenant");
}

bool unit_find(struct accounts *accounts, struct str id, struct arena *arena, struct unit_info *out,
               struct err *err)
{
    wall_ms now = clock_wall();

    mutex_lock(&accounts->lock);
    const struct unit *unit = units_get(accounts, id);
    if (unit) {
        *out = info_of(unit, arena, now);
        out->keys = keys_of(accounts, unit);
    }
    mutex_unlock(&accounts->lock);
    return unit || not_there(id, err);
}

bool unit_list(struct accounts *accounts, struct str tenant, struct str after, size_t most,
               struct arena *arena, struct unit_info **out, size_t *count, struct err *err)
{
    size_t room = MIN_OF(most, (size_t)accounts->units_max), have = 0;
    struct unit_info *list = arena_array(arena, room, sizeof *list);
    wall_ms now = clock_wall();

    if (!list)
        return err_arena(err, arena);
    mutex_lock(&accounts->lock);
    for (const struct unit *unit = accounts->first_unit; unit && have < room; unit = unit->next) {
        bool wanted =
            tenant.len ? unit->is_team && str_eq(unit->tenant->account.id, tenant) : !unit->is_team;

        if (wanted && (!after.len || str_cmp(unit->account.id, after) > 0))
            list[have++] = info_of(unit, arena, now);
    }
    mutex_unlock(&accounts->lock);
    *out = list;
    *count = have;
    return true;
}

/* ---- making and changing ---- */

static bool check(const struct unit_info *wanted, struct arena *arena, struct unit_info *out,
                  struct err *err)
{
    *out = *wanted;
    return name_check(wanted->name, "tenant or team", true, err) &&
           limits_check(&wanted->limits, err) &&
           policy_check(arena, &wanted->policy, &out->policy, err);
}

#define UNIT_VALUES 11u
static void bind(const struct unit_info *u, struct value v[UNIT_VALUES])
{
    const struct value all[UNIT_VALUES] = {
        V_TEXT(u->id),
        V_TEXT(u->name.ptr ? u->name : STR("")),
        V_TEXT(u->policy.models.ptr ? u->policy.models : STR("")),
        V_INT(u->policy.zones),
        V_TEXT(u->policy.tags.ptr ? u->policy.tags : STR("")),
        V_INT(u->limits.requests_per_minute),
        V_INT(u->limits.tokens_per_minute),
        V_INT(u->limits.in_flight),
        V_INT(u->limits.spend_day),
        V_INT(u->limits.spend_month),
        V_INT(u->created),
    };

    memcpy(v, all, sizeof all);
}

/* Its balance begins after what the log has: records of a namesake that was removed are not its own. A team is not
 * made in a tenant that somebody has removed: a start would stop at it. */
static bool store_unit(struct accounts *accounts, const struct unit_info *made, struct str tenant,
                       struct err *err)
{
    struct value values[UNIT_VALUES + 1];
    const struct value begin[] = {V_INT(tenant.len ? LEVEL_TEAM : LEVEL_TENANT), V_TEXT(made->id),
                                  V_INT((int64_t)audit_last_seq(accounts->audit)),
                                  V_TEXT(store_instance(accounts->store)), V_INT(clock_wall())};
    const struct statement insert[] = {
        {"INSERT INTO units (id, name, models, zones, tags, requests_per_minute,"
         " tokens_per_minute, in_flight, spend_day, spend_month, created)"
         " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11"
         " WHERE ?12 = '' OR EXISTS (SELECT 1 FROM units t WHERE t.id = ?12)",
         values, UNIT_VALUES + 1},
        {"INSERT INTO instance_balances (level, id, day, in_day, month, in_month, total, last_used,"
         " audit_seq, instance, written) SELECT ?1, ?2, 0, 0, 0, 0, 0, 0, ?3, ?4, ?5"
         " WHERE EXISTS (SELECT 1 FROM units u WHERE u.id = ?2)",
         begin, ARRAY_LEN(begin)},
    };
    int64_t changed = 0;

    bind(made, values);
    values[UNIT_VALUES] = V_TEXT(tenant.len ? tenant : STR(""));
    return change_write(accounts->store, CHANGE_UNIT, made->id, insert, ARRAY_LEN(insert), &changed,
                        err) &&
           (changed || not_there(tenant, err));
}

static bool may_be_made(struct accounts *accounts, struct str id, struct err *err)
{
    struct str tenant;

    if (!id_check(id, &tenant, err))
        return false;
    mutex_lock(&accounts->lock);
    bool there = units_get(accounts, id) != NULL;
    struct unit *parent = tenant.len ? units_get(accounts, tenant) : NULL;
    bool orphan = tenant.len && (!parent || atomic_load(&parent->removed));
    bool full = accounts->unit_count >= accounts->units_max;
    mutex_unlock(&accounts->lock);
    if (there)
        return err_set(err, ERR_INVALID, "%s \"" STR_FMT "\" is there already",
                       tenant.len ? "team" : "tenant", STR_ARG(id));
    if (orphan)
        return not_there(tenant, err);
    return !full ||
           err_set(err, ERR_EXHAUSTED, "no room for more than %" PRIu32 " tenants and teams",
                   accounts->units_max);
}

static bool make_unit(struct accounts *accounts, const struct unit_info *made, struct arena *arena,
                      struct unit_info *out, struct err *err)
{
    size_t slash = str_find_char(made->id, '/');
    struct unit *unit = NULL;

    if (!store_unit(accounts, made, slash < made->id.len ? str_slice(made->id, 0, slash) : STR_NONE,
                    err))
        return err->code == ERR_INVALID
                   ? err_set(err, ERR_INVALID, "\"" STR_FMT "\" is there already",
                             STR_ARG(made->id))
                   : false;
    mutex_lock(&accounts->lock);
    bool ok = units_add(accounts, made, &unit, err);
    if (ok) {
        unit->account.stored_seq = audit_last_seq(accounts->audit);
        *out = info_of(unit, arena, made->created);
    }
    mutex_unlock(&accounts->lock);
    return ok || err_wrap(err, "it is there after the next start");
}

bool unit_create(struct accounts *accounts, const struct unit_info *wanted, struct arena *arena,
                 struct unit_info *out, struct err *err)
{
    struct unit_info made;

    if (!check(wanted, arena, &made, err) || !changes_hold(accounts, err))
        return false;
    made.created = clock_wall();
    bool ok = may_be_made(accounts, made.id, err) && make_unit(accounts, &made, arena, out, err);
    changes_let_go(accounts);
    return ok;
}

static bool write_change(struct accounts *accounts, const struct unit_info *made, struct err *err)
{
    struct value values[UNIT_VALUES];
    int64_t changed = 0;

    bind(made, values);

    const struct statement update = {
        "UPDATE units SET name = ?2, models = ?3, zones = ?4, tags = ?5, requests_per_minute = ?6,"
        " tokens_per_minute = ?7, in_flight = ?8, spend_day = ?9, spend_month = ?10 WHERE id = ?1",
        values, UNIT_VALUES - 1};

    if (!change_write(accounts->store, CHANGE_UNIT, made->id, &update, 1, &changed, err))
        return false;
    mutex_lock(&accounts->lock);
    struct unit *unit = changed ? units_get(accounts, made->id) : NULL;
    bool ok = unit && kept_set(accounts, &unit->name, made->name, err) &&
              kept_policy_set(accounts, &unit->policy, &made->policy, err) &&
              account_limits_set(accounts, &unit->account, &made->limits, err);
    atomic_fetch_add(&accounts->generation, 1u);
    mutex_unlock(&accounts->lock);
    return ok || (unit ? false : not_there(made->id, err));
}

bool unit_change(struct accounts *accounts, struct str id, const struct unit_info *wanted,
                 struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct unit_info made;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to change \"" STR_FMT "\"", STR_ARG(id));
    if (!check(wanted, arena, &made, err) || !changes_hold(accounts, err))
        return false;
    made.id = id;
    bool ok = write_change(accounts, &made, err);
    changes_let_go(accounts);
    return ok;
}

/* From the store, for others may be other instances; nobody changes it between that and what is written. */
static bool amend(struct accounts *accounts, struct str id, unit_edit *edit, void *ctx,
                  struct arena *arena, struct err *err)
{
    struct unit_info wanted, made;

    if (!unit_reread(accounts, id, err) || !unit_find(accounts, id, arena, &wanted, err) ||
        !edit(ctx, &wanted, err) || !check(&wanted, arena, &made, err))
        return false;
    made.id = id;
    return write_change(accounts, &made, err);
}

bool unit_amend(struct accounts *accounts, struct str id, unit_edit *edit, void *ctx,
                struct arena *arena, struct err *err)
{
    if (!changes_hold(accounts, err))
        return false;
    bool ok = amend(accounts, id, edit, ctx, arena, err);
    changes_let_go(accounts);
    return ok;
}

/* ---- removing ---- */

static bool belongs(const struct key_state *key, const struct unit *unit)
{
    return key->tenant == unit || key->team == unit;
}

/* From here on nobody gets in; who is in may end. */
static bool close_unit(struct accounts *accounts, struct str id, struct unit **out, struct err *err)
{
    if (str_eq(id, TENANT_OPERATOR))
        return err_set(err, ERR_DENIED, "tenant \"" STR_FMT "\" is the house's own", STR_ARG(id));
    mutex_lock(&accounts->lock);
    struct unit *unit = units_get(accounts, id);
    if (unit) {
        atomic_store(&unit->removed, true);
        for (struct unit *u = accounts->first_unit; u; u = u->next)
            if (u->tenant == unit)
                atomic_store(&u->removed, true);
        for (struct key_state *key = accounts->first; key; key = key->next)
            if (belongs(key, unit))
                atomic_store(&key->refused, true);
        atomic_fetch_add(&accounts->generation, 1u); /* people whose key is of another tenant */
    }
    mutex_unlock(&accounts->lock);
    *out = unit;
    return unit || not_there(id, err);
}

static bool wait_until_idle(struct accounts *accounts, const struct unit *unit, struct err *err)
{
    int64_t busy = 1;

    for (int i = 0; i < REMOVE_WAITS && busy; i++) {
        mutex_lock(&accounts->lock);
        busy = unit->account.in_flight;
        mutex_unlock(&accounts->lock);
        if (busy && !fiber_sleep(REMOVE_STEP, err))
            return false;
    }
    return !busy || err_set(err, ERR_UNAVAILABLE,
                            "%" PRId64 " requests of \"" STR_FMT "\" are in progress; its keys are"
                            " refused already, remove it again when they have ended",
                            busy, STR_ARG(unit->account.id));
}

/* Names of teams begin with their tenant's and a slash, and no other character of a name stands below it. Of a
 * namesake, made since another instance removed this one, nothing goes: it breaks the first statement, and so all. */
static bool erase_rows(struct accounts *accounts, const struct unit *unit, struct err *err)
{
    const struct value one[] = {V_TEXT(unit->account.id)};
    const struct value this[] = {V_TEXT(unit->account.id), V_INT(unit->created)};
    static const char *const of_tenant[] = {
        ("DELETE FROM instance_balances WHERE level = 2 AND id IN"
         " (SELECT id FROM keys WHERE tenant = ?1)"),
        ("DELETE FROM instance_balances WHERE level < 2 AND (id = ?1"
         " OR substr(id, 1, length(?1) + 1) = ?1 || '/')"),
        ("DELETE FROM sessions WHERE tenant = ?1 OR key_id IN"
         " (SELECT id FROM keys WHERE tenant = ?1)"),
        "DELETE FROM shares WHERE level = 2 AND id IN (SELECT id FROM keys WHERE tenant = ?1)",
        ("DELETE FROM shares WHERE level < 2 AND (id = ?1 OR substr(id, 1, length(?1) + 1) ="
         " ?1 || '/')"),
        "DELETE FROM share_asks WHERE level = 2 AND id IN (SELECT id FROM keys WHERE tenant = ?1)",
        ("DELETE FROM share_asks WHERE level < 2 AND (id = ?1 OR substr(id, 1, length(?1) + 1) ="
         " ?1 || '/')"),
        "DELETE FROM keys WHERE tenant = ?1",
        "DELETE FROM instance_usage WHERE tenant = ?1",
        "DELETE FROM deployment_usage WHERE tenant = ?1",
        "DELETE FROM units WHERE id = ?1 OR substr(id, 1, length(?1) + 1) = ?1 || '/'",
    };
    static const char *const of_team[] = {
        ("DELETE FROM instance_balances WHERE level = 2 AND id IN"
         " (SELECT id FROM keys WHERE team = ?1)"),
        "DELETE FROM instance_balances WHERE level = 1 AND id = ?1",
        ("DELETE FROM sessions WHERE team = ?1 OR key_id IN"
         " (SELECT id FROM keys WHERE team = ?1)"),
        "DELETE FROM shares WHERE level = 2 AND id IN (SELECT id FROM keys WHERE team = ?1)",
        "DELETE FROM shares WHERE level = 1 AND id = ?1",
        "DELETE FROM share_asks WHERE level = 2 AND id IN (SELECT id FROM keys WHERE team = ?1)",
        "DELETE FROM share_asks WHERE level = 1 AND id = ?1",
        "DELETE FROM keys WHERE team = ?1",
        "DELETE FROM instance_usage WHERE team = ?1",
        "DELETE FROM deployment_usage WHERE team = ?1",
        "DELETE FROM units WHERE id = ?1",
    };
    struct statement all[1 + ARRAY_LEN(of_tenant)] = {
        {"INSERT INTO units (id, name, models, zones, tags, requests_per_minute,"
         " tokens_per_minute, in_flight, spend_day, spend_month, created)"
         " SELECT id, name, models, zones, tags, requests_per_minute, tokens_per_minute, in_flight,"
         " spend_day, spend_month, created FROM units WHERE id = ?1 AND created <> ?2",
         this, 2},
    };

    for (size_t i = 0; i < ARRAY_LEN(of_tenant); i++)
        all[i + 1] = (struct statement){unit->is_team ? of_team[i] : of_tenant[i], one, 1};
    return change_write(accounts->store, CHANGE_UNIT_REMOVED, unit->account.id, all, ARRAY_LEN(all),
                        NULL, err) ||
           (err->code == ERR_INVALID ? not_there(unit->account.id, err) : false);
}

/* What this instance has written of it after the one that removed it had erased all. By name: one that was made anew
 * is known here only when this is done, and has no such rows. */
static bool erase_own_named(struct accounts *accounts, struct str id, struct err *err)
{
    bool team = str_find_char(id, '/') < id.len;
    const struct value values[] = {V_TEXT(store_instance(accounts->store)), V_TEXT(id)};
    const struct statement all[] = {
        {"DELETE FROM instance_balances WHERE instance = ?1 AND level = 2"
         " AND id NOT IN (SELECT id FROM keys)",
         values, 1},
        {"DELETE FROM instance_balances WHERE instance = ?1 AND level < 2"
         " AND (id = ?2 OR substr(id, 1, length(?2) + 1) = ?2 || '/')",
         values, 2},
        {team ? "DELETE FROM instance_usage WHERE instance = ?1 AND team = ?2"
              : "DELETE FROM instance_usage WHERE instance = ?1 AND tenant = ?2",
         values, 2},
        {team ? "DELETE FROM deployment_usage WHERE instance = ?1 AND team = ?2"
              : "DELETE FROM deployment_usage WHERE instance = ?1 AND tenant = ?2",
         values, 2},
    };

    return store_write(accounts->store, all, ARRAY_LEN(all), NULL, err);
}

static bool erase_own_rows(struct accounts *accounts, const struct unit *unit, struct err *err)
{
    return erase_own_named(accounts, unit->account.id, err);
}

static void forget_keys(struct accounts *accounts, const struct unit *unit, uint32_t *keys)
{
    struct key_state **at = &accounts->first, *last = NULL;

    while (*at) {
        struct key_state *key = *at;

        if (!belongs(key, unit)) {
            last = key;
            at = &key->next;
            continue;
        }
        *at = key->next;
        key->account.gone = true;
        table_remove(&accounts->by_id, key->account.id);
        if (key->current)
            table_remove(&accounts->by_hash, hash_str(&key->current->hash));
        if (key->old)
            table_remove(&accounts->by_hash, hash_str(&key->old->hash));
        accounts->key_count -= key->source == KEY_TOKEN;
        (*keys)++;
    }
    accounts->last = last;
}

/* Nothing of it may be written again: who is dirty leaves the list. */
static void forget_dirty(struct accounts *accounts, const struct unit *unit)
{
    struct account **at = &accounts->dirty;

    while (*at) {
        struct account *a = *at;
        const struct key_state *key = CONTAINER_OF(a, struct key_state, account);
        const struct unit *u = CONTAINER_OF(a, struct unit, account);
        bool ours = a->level == LEVEL_KEY ? belongs(key, unit) : u == unit || u->tenant == unit;

        if (ours) {
            *at = a->next_dirty;
            a->dirty = false;
        } else {
            at = &a->next_dirty;
        }
    }
}

static void forget_units(struct accounts *accounts, struct unit *unit)
{
    for (struct unit *u = accounts->first_unit, *next; u; u = next) {
        next = u->next;
        if (u != unit && u->tenant == unit)
            unlink_unit(accounts, u);
    }
    unlink_unit(accounts, unit);
}

static void forget(struct accounts *accounts, struct unit *unit, uint32_t *keys)
{
    mutex_lock(&accounts->lock);
    if (units_get(accounts, unit->account.id) == unit) {
        forget_dirty(accounts, unit);
        forget_keys(accounts, unit, keys);
        forget_units(accounts, unit);
        usage_forget(accounts->usage, unit->tenant->account.id,
                     unit->is_team ? unit->account.id : STR_NONE);
    }
    mutex_unlock(&accounts->lock);
}

/* A unit and all that goes with it; *n: how many there are, `room` of them in `out`. Under the lock. */
static void list_accounts(struct accounts *accounts, const struct unit *unit, struct account **out,
                          size_t room, size_t *n)
{
    *n = 0;
    for (struct unit *u = accounts->first_unit; u; u = u->next)
        if ((u == unit || u->tenant == unit) && (*n)++ < room)
            out[*n - 1] = &u->account;
    for (struct key_state *key = accounts->first; key; key = key->next)
        if (belongs(key, unit) && (*n)++ < room)
            out[*n - 1] = &key->account;
}

/* What Redis counts of it. The accounts stay, also when they are forgotten. */
struct counted {
    struct arena *arena; /* NULL: there is no Redis */
    struct account **at;
    size_t count;
};

static bool find_counted(struct accounts *accounts, const struct unit *unit, struct counted *out,
                         struct err *err)
{
    size_t room;

    if (!accounts->windows)
        return true;
    mutex_lock(&accounts->lock);
    list_accounts(accounts, unit, NULL, 0, &room);
    mutex_unlock(&accounts->lock);
    out->arena = arena_new(room * sizeof *out->at + (size_t)64 * KIB);
    out->at = out->arena ? arena_array(out->arena, room, sizeof *out->at) : NULL;
    if (!out->at)
        return err_set(err, ERR_UNAVAILABLE, "no memory to remove \"" STR_FMT "\"",
                       STR_ARG(unit->account.id));
    mutex_lock(&accounts->lock);
    list_accounts(accounts, unit, out->at, room, &out->count);
    mutex_unlock(&accounts->lock);
    out->count = MIN_OF(out->count, room);
    return true;
}

static void forget_counted(struct accounts *accounts, const struct unit *unit,
                           struct counted *counted)
{
    struct err err = {0};

    if (!windows_forget(accounts, counted->at, counted->count, &err))
        log_warn("what Redis counted of \"" STR_FMT "\" in its last minute stays there up to 25 "
                 "hours: %s",
                 STR_ARG(unit->account.id), err.text);
}

/* Somebody else may have removed it meanwhile, and a namesake may have been made: rows have only the name. */
static bool is_there(struct accounts *accounts, const struct unit *unit)
{
    mutex_lock(&accounts->lock);
    bool there = units_get(accounts, unit->account.id) == unit;
    mutex_unlock(&accounts->lock);
    return there;
}

/* Flushed first, so that no record before this has to be found again by a restart; and the loop's flush
 * stays away meanwhile, so that no row comes back. */
static bool erase_and_forget(struct accounts *accounts, struct unit *unit,
                             bool (*erase)(struct accounts *accounts, const struct unit *unit,
                                           struct err *err),
                             uint32_t *keys, struct err *err)
{
    struct counted counted = {0};

    if (!accounts_flush_wait(accounts, err))
        return false;
    while (atomic_exchange(&accounts->flushing, true))
        if (!fiber_sleep(REMOVE_STEP, err))
            return false;
    bool ok = is_there(accounts, unit)
                  ? find_counted(accounts, unit, &counted, err) && erase(accounts, unit, err)
                  : not_there(unit->account.id, err);
    if (ok)
        forget(accounts, unit, keys);
    atomic_store(&accounts->flushing, false);
    if (ok)
        forget_counted(accounts, unit, &counted);
    arena_end(&counted.arena);
    return ok;
}

bool unit_close(struct accounts *accounts, struct str id, struct err *err)
{
    struct unit *unit = NULL;

    return close_unit(accounts, id, &unit, err) && wait_until_idle(accounts, unit, err);
}

bool unit_remove(struct accounts *accounts, struct str id, uint32_t *keys, struct err *err)
{
    struct unit *unit = NULL;

    *keys = 0;
    if (!close_unit(accounts, id, &unit, err) || !wait_until_idle(accounts, unit, err))
        return false;
    return erase_and_forget(accounts, unit, erase_rows, keys, err) ||
           (err->code != ERR_NOT_FOUND &&
            err_wrap(err, "its keys are refused already, remove it again"));
}

/* ---- removed by another instance ---- */

/* When the one that has the name now was made; 0: none has it. */
static bool read_created(struct accounts *accounts, struct str id, wall_ms *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    const struct value values[] = {V_TEXT(id)};
    const struct statement read = {"SELECT created FROM units WHERE id = ?1", values, 1};
    struct rows rows;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory for the row of \"" STR_FMT "\"",
                       STR_ARG(id));
    if (!store_read(accounts->store, arena, &read, &rows, err))
        return false;
    *out = rows.count ? rows_at(&rows, 0, 0).i : 0;
    return true;
}

/* Who was away knows the one that was made since, and hears only now that the one before was removed. */
bool accounts_follow_removal(struct accounts *accounts, struct str id, struct err *err)
{
    struct unit *unit = NULL;
    struct err gone = {0};
    wall_ms created = 0;

    if (!read_created(accounts, id, &created, err))
        return false;
    mutex_lock(&accounts->lock);
    unit = units_get(accounts, id);
    bool later = unit && created && unit->created == created;
    mutex_unlock(&accounts->lock);
    if (later)
        return true;
    if (!close_unit(accounts, id, &unit, &gone)) /* it was never here, or is not any more */
        return erase_own_named(accounts, id, err);
    mutex_lock(&accounts->lock);
    unit->leaving = true;
    mutex_unlock(&accounts->lock);
    return true;
}

static struct unit *find_leaving(struct accounts *accounts)
{
    struct unit *found = NULL;

    mutex_lock(&accounts->lock);
    for (struct unit *unit = accounts->first_unit; unit && !found; unit = unit->next)
        if (unit->leaving && unit->account.in_flight == 0)
            found = unit;
    mutex_unlock(&accounts->lock);
    return found;
}

void units_let_go(struct accounts *accounts)
{
    struct unit *unit;

    while ((unit = find_leaving(accounts))) {
        uint32_t keys = 0;
        struct err err = {0};

        if (!erase_and_forget(accounts, unit, erase_own_rows, &keys, &err)) {
            if (err.code != ERR_CANCELLED)
                log_debug("a tenant that was removed stays refused, but known: %s", err.text);
            return;
        }
        log_info("\"" STR_FMT "\" was removed by another instance, with %" PRIu32 " keys",
                 STR_ARG(unit->account.id), keys);
    }
}
