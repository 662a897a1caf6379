/* accounts/load.c: keys, tenants and teams from the store: all of them at start, and one that another
 * instance made or changed. What is in memory never goes back to an older state: the row is read after the
 * change was seen, and every change is followed by such a reading, our own too. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "sys/clock.h"

#define KEYS_A_READ 500
#define LOAD_BYTES  ((size_t)8 * MIB)
#define UNITS_BYTES ((size_t)64 * MIB)
#define ROW_BYTES   ((size_t)256 * KIB)

/* ---- tenants and teams ---- */

/* day, in_day, month, in_month, total, last_used, audit_seq; NULLs when there is no row yet. */
#define BALANCE_COLUMNS "b.day, b.in_day, b.month, b.in_month, b.total, b.last_used, b.audit_seq"
#define UNIT_COLUMNS                                                  \
    "u.id, u.name, u.models, u.zones, u.tags, u.requests_per_minute," \
    " u.tokens_per_minute, u.in_flight, u.spend_day, u.spend_month, u.created, " BALANCE_COLUMNS
#define UNIT_BALANCE \
    "LEFT JOIN instance_balances b ON b.id = u.id AND b.level < 2 AND b.instance = ?1"
#define KEY_COLUMNS                                                                         \
    "k.ordinal, k.id, k.name, k.tenant, k.team, k.role, k.kind,"                            \
    " k.requests_per_minute, k.tokens_per_minute, k.in_flight, k.spend_day, k.spend_month," \
    " k.models, k.zones, k.tags, k.created, k.revoked, k.expires, k.hash, k.old_hash,"      \
    " k.old_until, " BALANCE_COLUMNS
#define KEY_BALANCE \
    "LEFT JOIN instance_balances b ON b.id = k.id AND b.level = 2 AND b.instance = ?1"

static void load_balance(const struct rows *rows, size_t row, size_t from, struct account *out)
{
    int64_t at[7];

    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        at[i] = rows_at(rows, row, from + i).i;
    out->spend = (struct spend){.day = at[0],
                                .in_day = at[1],
                                .month = at[2],
                                .in_month = at[3],
                                .total = at[4],
                                .last_used = at[5]};
    out->stored_seq = (uint64_t)at[6];
}

static struct limits load_limits(const struct rows *rows, size_t row, size_t from)
{
    return (struct limits){.requests_per_minute = rows_at(rows, row, from).i,
                           .tokens_per_minute = rows_at(rows, row, from + 1).i,
                           .in_flight = rows_at(rows, row, from + 2).i,
                           .spend_day = rows_at(rows, row, from + 3).i,
                           .spend_month = rows_at(rows, row, from + 4).i};
}

static struct policy load_policy(const struct rows *rows, size_t row, size_t from)
{
    return (struct policy){.models = rows_at(rows, row, from).s,
                           .zones = (uint32_t)rows_at(rows, row, from + 1).i,
                           .tags = rows_at(rows, row, from + 2).s};
}

static bool load_unit(struct accounts *accounts, const struct rows *rows, size_t row,
                      struct err *err)
{
    const struct unit_info made = {.id = rows_at(rows, row, 0).s,
                                   .name = rows_at(rows, row, 1).s,
                                   .policy = load_policy(rows, row, 2),
                                   .limits = load_limits(rows, row, 5),
                                   .created = rows_at(rows, row, 10).i};
    struct unit *unit;

    if (!units_add(accounts, &made, &unit, err))
        return false;
    load_balance(rows, row, 11, &unit->account);
    unit->account.unsummed = rows_at(rows, row, 17).kind == VALUE_NULL;
    return true;
}

/* Tenants before their teams: in the order of ids. */
static bool load_units(struct accounts *accounts, struct err *err)
{
    const struct value values[] = {V_TEXT(store_instance(accounts->store))};
    const struct statement read = {"SELECT " UNIT_COLUMNS " FROM units u " UNIT_BALANCE
                                   " ORDER BY u.id",
                                   values, ARRAY_LEN(values)};
    struct arena *arena CLEANUP(arena_end) = arena_new(UNITS_BYTES);
    struct rows rows;

    if (!arena)
        return err_no_room(err, "no memory to load tenants");
    if (!store_read_now(accounts->store, arena, &read, &rows, err))
        return false;
    for (size_t i = 0; i < rows.count; i++)
        if (!load_unit(accounts, &rows, i, err))
            return false;
    return true;
}

/* ---- keys ---- */

static bool load_credential(struct accounts *accounts, struct key_state *key, struct str digits,
                            struct credential **out, struct err *err)
{
    struct sha256 hash;

    if (!hex_parse(digits, hash.bytes, sizeof hash.bytes))
        return err_set(err, ERR_INTERNAL, "key \"" STR_FMT "\" has no hash",
                       STR_ARG(key->account.id));
    *out = credential_add(accounts, key, &hash, err);
    return *out != NULL;
}

static bool load_key(struct accounts *accounts, const struct rows *rows, size_t row,
                     struct err *err)
{
    int64_t ordinal = rows_at(rows, row, 0).i;
    const struct key_info made = {.id = rows_at(rows, row, 1).s,
                                  .name = rows_at(rows, row, 2).s,
                                  .tenant = rows_at(rows, row, 3).s,
                                  .team = rows_at(rows, row, 4).s,
                                  .role = ordinal ? (enum role)rows_at(rows, row, 5).i : ROLE_OWNER,
                                  .source = (enum key_source)rows_at(rows, row, 6).i,
                                  .limits = load_limits(rows, row, 7),
                                  .policy = load_policy(rows, row, 12),
                                  .created = rows_at(rows, row, 15).i,
                                  .revoked = rows_at(rows, row, 16).i,
                                  .expires = rows_at(rows, row, 17).i};
    struct str hash = rows_at(rows, row, 18).s, old = rows_at(rows, row, 19).s;
    wall_ms old_until = rows_at(rows, row, 20).i;
    struct key_state *key;

    if (!keys_add(accounts, &made, ordinal, &key, err))
        return false;
    load_balance(rows, row, 21, &key->account);
    atomic_store(&key->refused, made.revoked != 0);
    if (ordinal && made.source == KEY_TOKEN &&
        !load_credential(accounts, key, hash, &key->current, err))
        return false;
    if (old.len && old_until > clock_wall()) {
        if (!load_credential(accounts, key, old, &key->old, err))
            return false;
        atomic_store(&key->old->until, old_until);
    }
    keys_link(accounts, key);
    accounts->ordinals = MAX_OF(accounts->ordinals, ordinal);
    return true;
}

static bool load_keys(struct accounts *accounts, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOAD_BYTES);
    struct rows rows = {.count = KEYS_A_READ};

    if (!arena)
        return err_no_room(err, "no memory to load keys");
    for (int64_t after = -1; rows.count == KEYS_A_READ; after = accounts->ordinals) {
        const struct value values[] = {V_TEXT(store_instance(accounts->store)), V_INT(after),
                                       V_INT(KEYS_A_READ)};
        const struct statement read = {"SELECT " KEY_COLUMNS " FROM keys k " KEY_BALANCE
                                       " WHERE k.ordinal > ?2 ORDER BY k.ordinal LIMIT ?3",
                                       values, ARRAY_LEN(values)};
        size_t mark = arena_mark(arena);

        if (!store_read_now(accounts->store, arena, &read, &rows, err))
            return false;
        for (size_t i = 0; i < rows.count; i++)
            if (!load_key(accounts, &rows, i, err))
                return false;
        arena_rewind(arena, mark);
    }
    ASSERT(accounts->house);
    return true;
}

bool accounts_load(struct accounts *accounts, struct err *err)
{
    return load_units(accounts, err) && load_keys(accounts, err);
}

/* ---- one, as another instance left it ---- */

static bool read_one(struct accounts *accounts, struct arena *arena, const char *sql, struct str id,
                     struct rows *out, struct err *err)
{
    const struct value values[] = {V_TEXT(store_instance(accounts->store)), V_TEXT(id)};
    const struct statement read = {sql, values, ARRAY_LEN(values)};

    return store_read(accounts->store, arena, &read, out, err);
}

/* Under the lock. */
static bool change_unit(struct accounts *accounts, struct unit *unit, const struct rows *rows,
                        struct err *err)
{
    const struct policy policy = load_policy(rows, 0, 2);
    const struct limits limits = load_limits(rows, 0, 5);

    return kept_set(accounts, &unit->name, rows_at(rows, 0, 1).s, err) &&
           kept_policy_set(accounts, &unit->policy, &policy, err) &&
           account_limits_set(accounts, &unit->account, &limits, err);
}

/* A new one is written back once, so that this instance's records of a namesake that was removed do not
 * count for it after a crash. */
static bool follow_unit_row(struct accounts *accounts, struct str id, const struct rows *rows,
                            struct err *err)
{
    struct unit *unit = units_get(accounts, id);

    if (unit && atomic_load(&unit->removed))
        return err_set(err, ERR_UNAVAILABLE,
                       "requests of the one that had the name \"" STR_FMT
                       "\" before are in progress",
                       STR_ARG(id));
    if (unit)
        return change_unit(accounts, unit, rows, err);
    if (!load_unit(accounts, rows, 0, err))
        return false;
    unit = units_get(accounts, id);
    unit->account.unsummed = false;
    account_touch(accounts, &unit->account);
    return true;
}

static bool follow_unit(struct accounts *accounts, struct arena *arena, struct str id,
                        struct err *err)
{
    struct rows rows;

    if (!read_one(accounts, arena,
                  "SELECT " UNIT_COLUMNS " FROM units u " UNIT_BALANCE " WHERE u.id = ?2", id,
                  &rows, err))
        return false;
    if (!rows.count)
        return true; /* removed since: that has a change of its own */
    mutex_lock(&accounts->lock);
    bool ok = follow_unit_row(accounts, id, &rows, err);
    atomic_fetch_add(&accounts->generation, 1u);
    mutex_unlock(&accounts->lock);
    return ok;
}

typedef bool row_reader(struct accounts *accounts, struct arena *arena, struct str id,
                        struct err *err);

static bool reread(struct accounts *accounts, struct str id, row_reader *read, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = NULL;

    if (!store_is_shared(accounts->store))
        return true;
    arena = arena_new(ROW_BYTES);
    return arena ? read(accounts, arena, id, err)
                 : err_set(err, ERR_UNAVAILABLE, "no memory for the row of \"" STR_FMT "\"",
                           STR_ARG(id));
}

bool unit_reread(struct accounts *accounts, struct str id, struct err *err)
{
    return reread(accounts, id, follow_unit, err);
}

/* Nobody here changes it between the read and memory. */
static bool follow(struct accounts *accounts, struct str id, row_reader *read, struct err *err)
{
    if (!changes_hold(accounts, err))
        return false;
    bool ok = reread(accounts, id, read, err);
    changes_let_go(accounts);
    return ok;
}

bool accounts_follow_unit(struct accounts *accounts, struct str id, struct err *err)
{
    return follow(accounts, id, follow_unit, err);
}

/* A token that the row has no more works no more. */
static void drop_credential(struct accounts *accounts, struct credential **at)
{
    if (!*at)
        return;
    atomic_store(&(*at)->until, (wall_ms)1);
    table_remove(&accounts->by_hash, hash_str(&(*at)->hash));
    *at = NULL;
}

static bool take_credential(struct accounts *accounts, struct key_state *key, struct str digits,
                            wall_ms until, struct credential **out, struct err *err)
{
    struct sha256 hash;

    *out = NULL;
    if (!digits.len || (until && until <= clock_wall()))
        return true;
    if (!hex_parse(digits, hash.bytes, sizeof hash.bytes))
        return err_set(err, ERR_INTERNAL, "key \"" STR_FMT "\" has no hash",
                       STR_ARG(key->account.id));
    *out = table_get(&accounts->by_hash, hash_str(&hash));
    if (!*out)
        *out = credential_add(accounts, key, &hash, err);
    if (!*out)
        return false;
    atomic_store(&(*out)->until, until);
    return true;
}

static bool change_tokens(struct accounts *accounts, struct key_state *key, const struct rows *rows,
                          struct err *err)
{
    struct credential *current, *old, *had_current = key->current, *had_old = key->old;

    if (key->source != KEY_TOKEN)
        return true;
    if (!take_credential(accounts, key, rows_at(rows, 0, 18).s, 0, &current, err) ||
        !take_credential(accounts, key, rows_at(rows, 0, 19).s, rows_at(rows, 0, 20).i, &old, err))
        return false;
    if (had_current != current && had_current != old)
        drop_credential(accounts, &had_current);
    if (had_old && had_old != current && had_old != old)
        drop_credential(accounts, &had_old);
    key->current = current;
    key->old = old;
    return true;
}

/* Nothing makes a revoked key good again. */
static bool change_key(struct accounts *accounts, struct key_state *key, const struct rows *rows,
                       struct err *err)
{
    const struct policy policy = load_policy(rows, 0, 12);
    const struct limits limits = load_limits(rows, 0, 7);
    wall_ms revoked = rows_at(rows, 0, 16).i;

    if (revoked) {
        key->revoked = revoked;
        atomic_store_explicit(&key->refused, true, memory_order_release);
    }
    key->role = (enum role)rows_at(rows, 0, 5).i;
    atomic_store(&key->expires, rows_at(rows, 0, 17).i);
    return kept_set(accounts, &key->name, rows_at(rows, 0, 2).s, err) &&
           kept_policy_set(accounts, &key->policy, &policy, err) &&
           account_limits_set(accounts, &key->account, &limits, err) &&
           change_tokens(accounts, key, rows, err);
}

static bool follow_key(struct accounts *accounts, struct arena *arena, struct str id,
                       struct err *err)
{
    struct rows rows;
    bool ok = true;

    if (!read_one(accounts, arena,
                  "SELECT " KEY_COLUMNS " FROM keys k " KEY_BALANCE " WHERE k.id = ?2", id, &rows,
                  err))
        return false;
    mutex_lock(&accounts->lock);
    struct key_state *key = table_get(&accounts->by_id, id);
    if (!rows.count && key) /* its tenant was removed: that has a change of its own */
        atomic_store(&key->refused, true);
    else if (rows.count && key)
        ok = change_key(accounts, key, &rows, err);
    else if (rows.count)
        ok = load_key(accounts, &rows, 0, err);
    atomic_fetch_add(&accounts->generation, 1u);
    mutex_unlock(&accounts->lock);
    return ok;
}

bool key_reread(struct accounts *accounts, struct str id, struct err *err)
{
    return reread(accounts, id, follow_key, err);
}

bool accounts_follow_key(struct accounts *accounts, struct str id, struct err *err)
{
    return follow(accounts, id, follow_key, err);
}
