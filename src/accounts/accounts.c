/* accounts/accounts.c: tables, pepper, loading; the rest of the folder works on what stands here. */
#include "accounts/accounts_internal.h"
#include "accounts/audit_body.h"
#include "accounts/leases.h"
#include "accounts/usage_internal.h"

#include <string.h>

#include "base/log.h"
#include "sys/clock.h"
#include "sys/file.h"

#define KEYS_MAX     100000u
#define UNITS_MAX    10000u
#define USAGE_CELLS  16384u
#define KEY_BYTES    ((size_t)4 * KIB) /* a state, its texts, its windows and its principal */
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
    {"accounts", 2, "tenants, teams and usage",
     "CREATE TABLE units (" /* tenants, and teams as tenant/team */
     " id TEXT PRIMARY KEY,"
     " name TEXT NOT NULL,"
     " models TEXT NOT NULL,"
     " zones BIGINT NOT NULL,"
     " tags TEXT NOT NULL,"
     " requests_per_minute BIGINT NOT NULL,"
     " tokens_per_minute BIGINT NOT NULL,"
     " in_flight BIGINT NOT NULL,"
     " spend_day BIGINT NOT NULL,"
     " spend_month BIGINT NOT NULL,"
     " created BIGINT NOT NULL);"
     "INSERT INTO units VALUES ('default', 'operators', '', 0, '', 0, 0, 0, 0, 0, 0);"
     "ALTER TABLE keys ADD COLUMN team TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE keys ADD COLUMN kind BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE keys ADD COLUMN tokens_per_minute BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE keys ADD COLUMN in_flight BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE keys ADD COLUMN models TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE keys ADD COLUMN zones BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE keys ADD COLUMN tags TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE keys ADD COLUMN expires BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE keys ADD COLUMN old_hash TEXT;"
     "ALTER TABLE keys ADD COLUMN old_until BIGINT NOT NULL DEFAULT 0;"
     "CREATE TABLE balances (" /* level: 0 tenant, 1 team, 2 key */
     " level BIGINT NOT NULL,"
     " id TEXT NOT NULL,"
     " day BIGINT NOT NULL,"
     " in_day BIGINT NOT NULL,"
     " month BIGINT NOT NULL,"
     " in_month BIGINT NOT NULL,"
     " total BIGINT NOT NULL,"
     " last_used BIGINT NOT NULL,"
     " audit_seq BIGINT NOT NULL,"
     " PRIMARY KEY (level, id));"
     "INSERT INTO balances SELECT 2, key_id, day, in_day, month, in_month, total, last_used,"
     " audit_seq FROM spend;"
     "DROP TABLE spend;"
     "ALTER TABLE ledger ADD COLUMN usage_seq BIGINT NOT NULL DEFAULT 0;"
     "CREATE TABLE usage ("
     " day BIGINT NOT NULL,"
     " tenant TEXT NOT NULL,"
     " team TEXT NOT NULL,"
     " key_id TEXT NOT NULL,"
     " model TEXT NOT NULL,"
     " provider TEXT NOT NULL,"
     " route TEXT NOT NULL,"
     " tags TEXT NOT NULL,"
     " requests BIGINT NOT NULL,"
     " failed BIGINT NOT NULL,"
     " tokens_in BIGINT NOT NULL,"
     " tokens_out BIGINT NOT NULL,"
     " tokens_cached BIGINT NOT NULL,"
     " estimated BIGINT NOT NULL,"
     " cost BIGINT NOT NULL,"
     " cost_left BIGINT NOT NULL,"
     " cost_hedge BIGINT NOT NULL,"
     " cost_attempts BIGINT NOT NULL,"
     " PRIMARY KEY (day, tenant, team, key_id, model, provider, route, tags));"
     "CREATE TABLE usage_tags (" /* each tag of each list of tags in usage; of no tags: one, empty */
     " tags TEXT NOT NULL,"
     " tag TEXT NOT NULL,"
     " PRIMARY KEY (tags, tag));"
     "INSERT INTO usage_tags VALUES ('', '');"
     "CREATE TABLE sessions (" /* of people at the console; hash: of the cookie's token */
     " hash TEXT PRIMARY KEY,"
     " key_id TEXT NOT NULL,"
     " tenant TEXT NOT NULL,"
     " team TEXT NOT NULL,"
     " role BIGINT NOT NULL,"
     " created BIGINT NOT NULL,"
     " expires BIGINT NOT NULL)"},
    {"accounts", 3, "sessions of people who logged in",
     "ALTER TABLE sessions ADD COLUMN id TEXT NOT NULL DEFAULT '';" /* shown; the hash is not */
     "ALTER TABLE sessions ADD COLUMN issuer TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE sessions ADD COLUMN used BIGINT NOT NULL DEFAULT 0;"
     "CREATE INDEX sessions_by_id ON sessions (id);"
     "CREATE INDEX sessions_by_key ON sessions (key_id)"},
    /* Several Weirs over one database: what each has spent by its own audit log. '' is the instance of a
     * database that is older than instances: the first that comes is that. */
    {"books", 1, "spend and usage of each instance",
     "CREATE TABLE instance_ledger ("
     " instance TEXT PRIMARY KEY,"
     " audit_seq BIGINT NOT NULL,"
     " usage_seq BIGINT NOT NULL);"
     "INSERT INTO instance_ledger SELECT '', audit_seq, usage_seq FROM ledger;"
     "CREATE TABLE instance_balances ("
     " instance TEXT NOT NULL,"
     " level BIGINT NOT NULL,"
     " id TEXT NOT NULL,"
     " day BIGINT NOT NULL,"
     " in_day BIGINT NOT NULL,"
     " month BIGINT NOT NULL,"
     " in_month BIGINT NOT NULL,"
     " total BIGINT NOT NULL,"
     " last_used BIGINT NOT NULL,"
     " audit_seq BIGINT NOT NULL,"
     " written BIGINT NOT NULL," /* when, for others who look for what is new */
     " PRIMARY KEY (level, id, instance));"
     "INSERT INTO instance_balances SELECT '', level, id, day, in_day, month, in_month, total,"
     " last_used, audit_seq, 0 FROM balances;"
     "CREATE INDEX instance_balances_written ON instance_balances (written);"
     "DROP TABLE balances;"
     "CREATE TABLE instance_usage ("
     " instance TEXT NOT NULL,"
     " day BIGINT NOT NULL,"
     " tenant TEXT NOT NULL,"
     " team TEXT NOT NULL,"
     " key_id TEXT NOT NULL,"
     " model TEXT NOT NULL,"
     " provider TEXT NOT NULL,"
     " route TEXT NOT NULL,"
     " tags TEXT NOT NULL,"
     " requests BIGINT NOT NULL,"
     " failed BIGINT NOT NULL,"
     " tokens_in BIGINT NOT NULL,"
     " tokens_out BIGINT NOT NULL,"
     " tokens_cached BIGINT NOT NULL,"
     " estimated BIGINT NOT NULL,"
     " cost BIGINT NOT NULL,"
     " cost_left BIGINT NOT NULL,"
     " cost_hedge BIGINT NOT NULL,"
     " cost_attempts BIGINT NOT NULL,"
     " PRIMARY KEY (day, tenant, team, key_id, model, provider, route, tags, instance));"
     "INSERT INTO instance_usage SELECT '', day, tenant, team, key_id, model, provider, route, "
     "tags,"
     " requests, failed, tokens_in, tokens_out, tokens_cached, estimated, cost, cost_left,"
     " cost_hedge, cost_attempts FROM usage;"
     "DROP TABLE usage",
     1},
    {"books", 2, "shares of spend limits",
     "CREATE TABLE shares (" /* leases.c */
     " level BIGINT NOT NULL,"
     " id TEXT NOT NULL,"
     " period BIGINT NOT NULL," /* 0 a day, 1 a month */
     " instance TEXT NOT NULL,"
     " number BIGINT NOT NULL,"
     " up_to BIGINT NOT NULL,"
     " open BIGINT NOT NULL,"
     " PRIMARY KEY (level, id, period, instance));"
     "CREATE TABLE share_asks ("
     " level BIGINT NOT NULL,"
     " id TEXT NOT NULL,"
     " asked BIGINT NOT NULL," /* counts */
     " told BIGINT NOT NULL,"  /* when */
     " takes BIGINT NOT NULL,"
     " PRIMARY KEY (level, id));"
     "CREATE INDEX share_asks_told ON share_asks (told)",
     0},
    /* Beside instance_usage, which stays as it is: what was used before stands there, and what older Weirs
     * go on to write. Both together are the usage. */
    {"books", 3, "usage of each deployment",
     "CREATE TABLE deployment_usage ("
     " instance TEXT NOT NULL,"
     " day BIGINT NOT NULL,"
     " tenant TEXT NOT NULL,"
     " team TEXT NOT NULL,"
     " key_id TEXT NOT NULL,"
     " model TEXT NOT NULL,"
     " deployment TEXT NOT NULL,"
     " provider TEXT NOT NULL,"
     " route TEXT NOT NULL,"
     " tags TEXT NOT NULL,"
     " requests BIGINT NOT NULL,"
     " failed BIGINT NOT NULL,"
     " tokens_in BIGINT NOT NULL,"
     " tokens_out BIGINT NOT NULL,"
     " tokens_cached BIGINT NOT NULL,"
     " estimated BIGINT NOT NULL,"
     " cost BIGINT NOT NULL,"
     " cost_left BIGINT NOT NULL,"
     " cost_hedge BIGINT NOT NULL,"
     " cost_attempts BIGINT NOT NULL,"
     " PRIMARY KEY (day, tenant, team, key_id, model, deployment, provider, route, tags,"
     " instance))",
     0},
    /* An older Weir that runs beside this one counts none of them. */
    {"books", 4, "usage of parts of tokens",
     "ALTER TABLE deployment_usage ADD COLUMN tokens_cache_write BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE deployment_usage ADD COLUMN tokens_reasoning BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE deployment_usage ADD COLUMN tokens_audio BIGINT NOT NULL DEFAULT 0",
     0},
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
                       "is missing, and no key works without it: bring it back from a backup, or "
                       "copy that of another instance over the same database");
    return make_pepper(accounts, path, err);
}

bool accounts_share_subjects(struct accounts *accounts, struct audit_bodies *bodies,
                             struct err *err)
{
    struct sha256 key = hmac_sha256(&accounts->pepper, STR("weir subjects"));
    bool ok =
        audit_bodies_share(bodies, (struct str){(const char *)key.bytes, sizeof key.bytes}, err);

    bytes_wipe(&key, sizeof key);
    return ok;
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
    const struct statement update = {"UPDATE ledger SET pepper_check = ?1 WHERE pepper_check = ''",
                                     values, ARRAY_LEN(values)};
    int64_t changed = 0;

    if (!store_write_now(accounts->store, &update, 1, &changed, err))
        return false;
    return changed || err_set(err, ERR_UNAVAILABLE,
                              "is new, but another instance has just made one: copy that one here");
}

/* Rows of a database that is older than instances are the first one's, a new instance has rows of its own;
 * one whose rows are missing would count its whole log again. */
static bool own_rows(struct accounts *accounts, bool has_log, struct err *err)
{
    const struct value values[] = {V_TEXT(store_instance(accounts->store))};
    const struct statement adopt[] = {
        {"UPDATE instance_balances SET instance = ?1 WHERE instance = ''", values, 1},
        {"UPDATE instance_usage SET instance = ?1 WHERE instance = ''", values, 1},
        {"UPDATE deployment_usage SET instance = ?1 WHERE instance = ''", values, 1},
        {"UPDATE instance_ledger SET instance = ?1 WHERE instance = ''", values, 1},
    };
    const struct statement make = {"INSERT INTO instance_ledger (instance, audit_seq, usage_seq)"
                                   " VALUES (?1, 0, 0) ON CONFLICT (instance) DO NOTHING",
                                   values, 1};

    return store_write_now(accounts->store, adopt, ARRAY_LEN(adopt), NULL, err) &&
           (has_log || store_write_now(accounts->store, &make, 1, NULL, err));
}

/* The file that says who one is was lost, or is another's: whose it may be is in the database. */
static bool unknown_here(struct accounts *accounts, struct arena *arena, uint64_t last,
                         struct err *err)
{
    const struct statement read = {"SELECT instance FROM instance_ledger ORDER BY audit_seq DESC"
                                   " LIMIT 2",
                                   NULL, 0};
    struct err ignored = {0};
    struct rows rows = {0};
    char text[80];
    struct buf known;

    buf_init_fixed(&known, text, sizeof text);
    if (store_read_now(accounts->store, arena, &read, &rows, &ignored))
        for (size_t i = 0; i < rows.count; i++)
            buf_fmt(&known, "%s" STR_FMT, i ? ", " : "", STR_ARG(rows_at(&rows, i, 0).s));
    return err_set(err, ERR_NOT_FOUND,
                   "the database does not know instance " STR_FMT ", whose audit log has %" PRIu64
                   " records: it is another database, or the file \"instance\" is wrong; it "
                   "knows " STR_FMT,
                   STR_ARG(store_instance(accounts->store)), last,
                   STR_ARG(known.len ? buf_view(&known) : STR("none")));
}

static bool load_ledger(struct accounts *accounts, const struct accounts_options *options,
                        struct err *err)
{
    struct str instance = store_instance(accounts->store);
    const struct value values[] = {V_TEXT(instance)};
    const struct statement read = {"SELECT i.audit_seq, l.pepper_check, i.usage_seq FROM ledger l"
                                   " LEFT JOIN instance_ledger i ON i.instance = ?1",
                                   values, ARRAY_LEN(values)};
    uint64_t last = audit_last_seq(accounts->audit);
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct rows rows;

    if (!arena)
        return err_no_room(err, "no memory to load keys");
    if ((instance.len && !own_rows(accounts, last > 0, err)) ||
        !store_read_now(accounts->store, arena, &read, &rows, err))
        return false;
    ASSERT(rows.count == 1); /* the first migration put it there */
    accounts->stored_seq = (uint64_t)rows_at(&rows, 0, 0).i;

    struct str check = rows_at(&rows, 0, 1).s;

    if (!check.len && last > 0)
        return err_set(err, ERR_NOT_FOUND,
                       "the database is new, but the audit log has %" PRIu64
                       " records: bring weir.db back from a backup, or move the audit log away to "
                       "begin without its keys",
                       last);
    if (rows_at(&rows, 0, 0).kind == VALUE_NULL)
        return unknown_here(accounts, arena, last, err);
    if (!open_pepper(accounts, options->pepper_file, check, err) ||
        !match_pepper(accounts, check, err))
        return err_wrap(err, "pepper file \"%s\"", options->pepper_file);
    return usage_open(accounts, options->usage_cells ? options->usage_cells : USAGE_CELLS,
                      MIN_OF((uint64_t)rows_at(&rows, 0, 2).i, last), err);
}

/* ---- opening and closing ---- */

/* What this instance had taken of limits and not spent goes back, now that its log has been read. */
static bool share_out(struct accounts *accounts, struct err *err)
{
    return !store_is_shared(accounts->store) ||
           (accounts_flush_now(accounts, err) && accounts_read_others(accounts, 0, err));
}

static bool open_all(struct accounts *accounts, const struct accounts_options *options,
                     struct err *err)
{
    const struct pool_options pool = {.name = "audit", .threads = 1, .queue_max = 16};

    accounts->cache = arena_array(accounts->arena, CACHE_SLOTS, sizeof *accounts->cache);
    if (!accounts->cache)
        return err_arena(err, accounts->arena);
    clock_random(accounts->print_key, sizeof accounts->print_key);
    accounts->pool = pool_new(&pool, err);
    return accounts->pool && load_ledger(accounts, options, err) && accounts_load(accounts, err) &&
           accounts_replay(accounts, err) && share_out(accounts, err);
}

bool accounts_open(const struct accounts_options *options, struct accounts **out, struct err *err)
{
    uint32_t keys_max = options->keys_max ? options->keys_max : KEYS_MAX;
    uint32_t units_max = options->units_max ? options->units_max : UNITS_MAX;
    struct arena *arena = arena_new(((size_t)keys_max + units_max) * KEY_BYTES + 2 * MIB);
    struct accounts *accounts CLEANUP(accounts_close) =
        arena ? arena_alloc(arena, sizeof *accounts) : NULL;

    if (!accounts) {
        arena_end(&arena);
        return err_no_room(err, "no memory for accounts");
    }
    accounts->arena = arena;
    accounts->store = options->store;
    accounts->shared = store_is_shared(options->store);
    accounts->audit = options->audit;
    accounts->keys_max = keys_max;
    accounts->units_max = units_max;
    mutex_init(&accounts->lock);
    mutex_init(&accounts->strangers_lock);
    table_init(&accounts->by_hash, NULL, 2 * (size_t)keys_max); /* rotated ones have two */
    table_init(&accounts->by_id, NULL, (size_t)keys_max + 1);   /* and the house */
    table_init(&accounts->units, NULL, units_max);
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
    table_done(&a->units);
    usage_close(a);
    secret_wipe(&a->pepper);
    bytes_wipe(a->print_key, sizeof a->print_key);
    mutex_done(&a->lock);
    mutex_done(&a->strangers_lock);
    *accounts = NULL;

    struct arena *arena = a->arena;
    arena_end(&arena);
}
