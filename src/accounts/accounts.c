/* accounts/accounts.c: tables, pepper, loading; the rest of the folder works on what stands here. */
#include "accounts/accounts_internal.h"

#include <string.h>

#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"

#define KEYS_MAX     100000u
#define KEYS_A_READ  500
#define KEY_BYTES    ((size_t)2 * KIB) /* a state and its texts, at most */
#define LOAD_BYTES   ((size_t)4 * MIB)
#define PEPPER_BYTES 32u
#define OTHERS       077u

const struct migration accounts_migrations[] = {
    {"accounts", 1, "keys and spend",
     "CREATE TABLE keys ("
     " id TEXT PRIMARY KEY,"
     " ordinal BIGINT NOT NULL UNIQUE,"
     " name TEXT NOT NULL,"
     " tenant TEXT NOT NULL,"
     " role BIGINT NOT NULL,"
     " hash TEXT UNIQUE," /* hex of HMAC-SHA-256 of the token under the pepper */
     " requests_per_minute BIGINT NOT NULL,"
     " spend_day BIGINT NOT NULL,"
     " spend_month BIGINT NOT NULL,"
     " created BIGINT NOT NULL,"
     " revoked BIGINT NOT NULL);"
     "INSERT INTO keys VALUES ('" HOUSE_KEY_ID "', 0, 'local administrator', 'default', 1, NULL,"
     " 0, 0, 0, 0, 0);"
     "CREATE TABLE spend ("
     " key_id TEXT PRIMARY KEY REFERENCES keys (id),"
     " day BIGINT NOT NULL,"
     " in_day BIGINT NOT NULL,"
     " month BIGINT NOT NULL,"
     " in_month BIGINT NOT NULL,"
     " total BIGINT NOT NULL,"
     " last_used BIGINT NOT NULL,"
     " audit_seq BIGINT NOT NULL);"
     "CREATE TABLE ledger (audit_seq BIGINT NOT NULL, pepper_check TEXT NOT NULL);"
     "INSERT INTO ledger VALUES (0, '')"},
};
const size_t accounts_migration_count = ARRAY_LEN(accounts_migrations);

/* ---- pepper ---- */

static bool make_pepper(struct accounts *accounts, const char *path, struct err *err)
{
    uint8_t bytes[PEPPER_BYTES];

    clock_random(bytes, sizeof bytes);

    bool ok = file_store(path, (struct str){(const char *)bytes, sizeof bytes}, 0600, err) &&
              secret_set(&accounts->pepper, bytes, sizeof bytes, err);

    bytes_wipe(bytes, sizeof bytes);
    return ok;
}

static bool load_pepper(struct accounts *accounts, const struct file_info *info, const char *path,
                        struct err *err)
{
    uint8_t bytes[PEPPER_BYTES];
    struct file *file CLEANUP(file_close) = NULL;
    size_t got = 0;

    if (info->mode & OTHERS)
        return err_set(err, ERR_DENIED, "may be read by others (mode %03o): chmod 600 it",
                       info->mode & 0777u);
    if (info->bytes != PEPPER_BYTES)
        return err_set(err, ERR_INVALID, "has %" PRId64 " bytes, not %u", info->bytes,
                       PEPPER_BYTES);
    if (!file_open(path, FILE_READ, 0, &file, err) ||
        !file_read_at(file, 0, bytes, sizeof bytes, &got, err))
        return false;

    bool ok = got == sizeof bytes ? secret_set(&accounts->pepper, bytes, sizeof bytes, err)
                                  : err_set(err, ERR_INVALID, "is cut short");

    bytes_wipe(bytes, sizeof bytes);
    return ok;
}

/* `check` is what the store remembers of the pepper, or empty at the first start. */
static bool open_pepper(struct accounts *accounts, const char *path, struct str check,
                        struct err *err)
{
    struct file_info info;
    struct err missing = {0};

    if (file_stat(path, &info, &missing))
        return load_pepper(accounts, &info, path, err);
    if (missing.code != ERR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (check.len)
        return err_set(err, ERR_NOT_FOUND,
                       "is missing, and no key works without it: bring it back from a backup");
    return make_pepper(accounts, path, err);
}

/* A pepper of another installation would make every key look wrong; this makes it say so. */
static bool match_pepper(struct accounts *accounts, struct str check, struct err *err)
{
    char digits[2 * SHA256_BYTES];
    struct sha256 sum = hmac_sha256(&accounts->pepper, STR("weir pepper check"));
    struct buf hex;

    buf_init_fixed(&hex, digits, sizeof digits);
    buf_hex(&hex, sum.bytes, sizeof sum.bytes);
    if (check.len)
        return str_eq(check, buf_view(&hex)) ||
               err_set(
                   err, ERR_INVALID,
                   "is not the one that the keys in the database were made with: bring the right "
                   "one back from a backup");

    const struct value values[] = {V_TEXT(buf_view(&hex))};
    const struct statement update = {"UPDATE ledger SET pepper_check = ?1", values,
                                     ARRAY_LEN(values)};

    return store_write_now(accounts->store, &update, 1, NULL, err);
}

static bool load_ledger(struct accounts *accounts, const char *pepper_file, struct err *err)
{
    const struct statement read = {"SELECT audit_seq, pepper_check FROM ledger", NULL, 0};
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct rows rows;

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to load keys");
    if (!store_read_now(accounts->store, arena, &read, &rows, err))
        return false;
    ASSERT(rows.count == 1); /* the first migration put it there */
    accounts->stored_seq = (uint64_t)rows_at(&rows, 0, 0).i;

    struct str check = rows_at(&rows, 0, 1).s;
    uint64_t last = audit_last_seq(accounts->audit);

    if (!check.len && last > 0)
        return err_set(err, ERR_NOT_FOUND,
                       "the database is new, but the audit log has %" PRIu64
                       " records: bring weir.db back from a backup, or move the audit log away to "
                       "begin without its keys",
                       last);
    return (open_pepper(accounts, pepper_file, check, err) && match_pepper(accounts, check, err)) ||
           err_wrap(err, "pepper file \"%s\"", pepper_file);
}

/* ---- keys ---- */

static bool load_key(struct accounts *accounts, const struct rows *rows, size_t row,
                     struct err *err)
{
    struct value at[18];
    struct key_state made = {0}, *key;

    ASSERT(rows->columns == ARRAY_LEN(at));
    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        at[i] = rows_at(rows, row, i);
    made.ordinal = at[0].i;
    made.who = (struct principal){.key_id = at[1].s,
                                  .name = at[2].s,
                                  .tenant = at[3].s,
                                  .role = at[4].i ? ROLE_ADMIN : ROLE_APP};
    made.limits = (struct key_limits){at[6].i, at[7].i, at[8].i};
    made.created = at[9].i;
    made.revoked = at[10].i;
    made.spend = (struct spend){.day = at[11].i,
                                .in_day = at[12].i,
                                .month = at[13].i,
                                .in_month = at[14].i,
                                .total = at[15].i,
                                .last_used = at[16].i};
    made.stored_seq = (uint64_t)at[17].i;
    atomic_store(&made.refused, made.revoked != 0);
    if (made.ordinal && !hex_parse(at[5].s, made.hash.bytes, sizeof made.hash.bytes))
        return err_set(err, ERR_INTERNAL, "key \"" STR_FMT "\" has no hash", STR_ARG(at[1].s));
    if (!keys_add(accounts, &made, &key, err))
        return false;
    keys_link(accounts, key);
    accounts->ordinals = made.ordinal;
    return true;
}

static bool load_keys(struct accounts *accounts, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOAD_BYTES);
    struct rows rows = {.count = KEYS_A_READ};

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to load keys");
    for (int64_t after = -1; rows.count == KEYS_A_READ; after = accounts->ordinals) {
        const struct value values[] = {V_INT(after), V_INT(KEYS_A_READ)};
        const struct statement read = {
            "SELECT k.ordinal, k.id, k.name, k.tenant, k.role, k.hash, k.requests_per_minute,"
            " k.spend_day, k.spend_month, k.created, k.revoked, s.day, s.in_day, s.month,"
            " s.in_month, s.total, s.last_used, s.audit_seq"
            " FROM keys k LEFT JOIN spend s ON s.key_id = k.id"
            " WHERE k.ordinal > ?1 ORDER BY k.ordinal LIMIT ?2",
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

/* ---- opening and closing ---- */

static bool open_all(struct accounts *accounts, const struct accounts_options *options,
                     struct err *err)
{
    const struct pool_options pool = {.name = "audit", .threads = 1, .queue_max = 16};

    accounts->cache = arena_array(accounts->arena, CACHE_SLOTS, sizeof *accounts->cache);
    if (!accounts->cache)
        return err_arena(err, accounts->arena);
    clock_random(accounts->print_keys, sizeof accounts->print_keys);
    accounts->pool = pool_new(&pool, err);
    return accounts->pool && load_ledger(accounts, options->pepper_file, err) &&
           load_keys(accounts, err) && accounts_replay(accounts, err);
}

bool accounts_open(const struct accounts_options *options, struct accounts **out, struct err *err)
{
    uint32_t keys_max = options->keys_max ? options->keys_max : KEYS_MAX;
    struct arena *arena = arena_new(keys_max * KEY_BYTES + MIB);
    struct accounts *accounts CLEANUP(accounts_close) =
        arena ? arena_alloc(arena, sizeof *accounts) : NULL;

    if (!accounts) {
        arena_end(&arena);
        return err_set(err, ERR_EXHAUSTED, "no memory for accounts");
    }
    accounts->arena = arena;
    accounts->store = options->store;
    accounts->audit = options->audit;
    accounts->keys_max = keys_max;
    mutex_init(&accounts->lock);
    table_init(&accounts->by_hash, NULL, keys_max);
    table_init(&accounts->by_id, NULL, (size_t)keys_max + 1); /* and the house */
    if (!open_all(accounts, options, err))
        return err_wrap(err, "open accounts");
    *out = accounts;
    accounts = NULL;
    return true;
}

void accounts_close(struct accounts **accounts)
{
    struct accounts *a = *accounts;

    if (!a)
        return;
    pool_free(&a->pool);
    table_done(&a->by_hash);
    table_done(&a->by_id);
    secret_wipe(&a->pepper);
    bytes_wipe(a->print_keys, sizeof a->print_keys);
    mutex_done(&a->lock);
    *accounts = NULL;

    struct arena *arena = a->arena;
    arena_end(&arena);
}
