/* store/migrate.c: brings a database up to the list of migrations, and refuses what it cannot know.
 *
 * Several Weirs of two versions may work on one database while the older ones are replaced. So a migration
 * says whether it only adds (those who do not know it go on) or takes something away, and then what a Weir
 * has to know at least; both stand in the database, for those who come later and know less. What takes
 * something away waits until nobody runs any more who would miss it. */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/instances.h"
#include "store/store_internal.h"
#include "sys/clock.h"

#define APPLIED_BYTES_MAX ((size_t)4 * MIB)
#define LIST_BYTES_MAX    ((size_t)64 * KIB)
#define CHECKSUM_DIGITS   (2 * SHA256_BYTES)

static const char *const make_table =
    "CREATE TABLE IF NOT EXISTS weir_migrations ("
    "module TEXT NOT NULL, number INTEGER NOT NULL,"
    "name TEXT NOT NULL, checksum TEXT NOT NULL,"
    "applied BIGINT NOT NULL, oldest BIGINT NOT NULL DEFAULT 0, made_by TEXT NOT NULL DEFAULT '',"
    "PRIMARY KEY (module, number))";

/* Of one database that is brought up to date. */
struct move {
    const struct store_body *body;
    struct store_conn *conn;
    const struct migration *list; /* the store's own, then those of the options */
    size_t count;
    const char *version;
    struct arena *arena;
    struct rows applied; /* module, number, name, checksum, oldest, made_by */
};

static struct str checksum(const struct migration *m, char digits[CHECKSUM_DIGITS])
{
    struct sha256 sum = sha256(str_from(m->up));
    struct buf hex;

    buf_init_fixed(&hex, digits, CHECKSUM_DIGITS);
    buf_hex(&hex, sum.bytes, sizeof sum.bytes);
    return buf_view(&hex);
}

/* Numbers count from 1 within each module, and a module's list stands in one piece. */
static bool check_list(const struct move *move, struct err *err)
{
    for (size_t i = 0; i < move->count; i++) {
        const struct migration *m = &move->list[i];
        int before = 0;

        for (size_t j = 0; j < i; j++)
            if (strcmp(move->list[j].module, m->module) == 0)
                before++;
        if (m->number != before + 1)
            return err_set(err, ERR_INTERNAL, "migration %s %d \"%s\" stands where %d belongs",
                           m->module, m->number, m->name, before + 1);
    }
    return true;
}

static const struct migration *find(const struct move *move, struct str module, int64_t number)
{
    for (size_t i = 0; i < move->count; i++) {
        const struct migration *m = &move->list[i];

        if (m->number == number && str_eq(str_from(m->module), module))
            return m;
    }
    return NULL;
}

/* The highest number of the module that this Weir has. */
static int64_t known_of(const struct move *move, struct str module)
{
    int64_t known = 0;

    for (size_t i = 0; i < move->count; i++)
        if (str_eq(str_from(move->list[i].module), module))
            known = MAX_OF(known, move->list[i].number);
    return known;
}

static struct str name_or(struct str name, const char *other)
{
    return name.len ? name : str_from(other);
}

/* Of one that is not known here. */
static bool check_newer(const struct move *move, size_t row, bool *told, struct err *err)
{
    struct str module = rows_at(&move->applied, row, 0).s, name = rows_at(&move->applied, row, 2).s,
               made_by = name_or(rows_at(&move->applied, row, 5).s, "unnamed");
    int64_t number = rows_at(&move->applied, row, 1).i, oldest = rows_at(&move->applied, row, 4).i,
            known = known_of(move, module);

    if (oldest > known)
        return err_set(err, ERR_INVALID,
                       "made by a newer Weir (" STR_FMT "): its migration " STR_FMT " %" PRId64
                       " \"" STR_FMT "\" is only for those who know " STR_FMT " %" PRId64
                       ", this one (%s) knows %" PRId64 ": start a newer Weir",
                       STR_ARG(made_by), STR_ARG(module), number, STR_ARG(name), STR_ARG(module),
                       oldest, move->version, known);
    if (!*told)
        log_info("the database was brought up to date by a newer Weir (" STR_FMT
                 "); what it added does not concern this one (%s)",
                 STR_ARG(made_by), move->version);
    *told = true;
    return true;
}

static bool check_applied(const struct move *move, struct err *err)
{
    char digits[CHECKSUM_DIGITS];
    bool told = false;

    for (size_t i = 0; i < move->applied.count; i++) {
        const struct migration *m =
            find(move, rows_at(&move->applied, i, 0).s, rows_at(&move->applied, i, 1).i);

        if (!m) {
            if (!check_newer(move, i, &told, err))
                return false;
            continue;
        }
        if (!str_eq(checksum(m, digits), rows_at(&move->applied, i, 3).s))
            return err_set(err, ERR_INVALID, "migration %s %d \"%s\" was applied with another text",
                           m->module, m->number, m->name);
    }
    return true;
}

static bool is_applied(const struct move *move, const struct migration *m)
{
    for (size_t i = 0; i < move->applied.count; i++)
        if (rows_at(&move->applied, i, 1).i == m->number &&
            str_eq(rows_at(&move->applied, i, 0).s, str_from(m->module)))
            return true;
    return false;
}

static bool note_applied(const struct move *move, const struct migration *m, struct err *err)
{
    char digits[CHECKSUM_DIGITS];
    const struct value values[] = {
        V_TEXT(str_from(m->module)),     V_INT(m->number),    V_TEXT(str_from(m->name)),
        V_TEXT(checksum(m, digits)),     V_INT(clock_wall()), V_INT(m->oldest),
        V_TEXT(str_from(move->version)),
    };
    const struct statement note = {
        "INSERT INTO weir_migrations (module, number, name, checksum, applied, oldest, made_by)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        values, ARRAY_LEN(values)};
    int64_t changed;

    return move->body->run(move->conn, &note, NULL, NULL, &changed, err);
}

/* Nobody may be running who would miss what it takes away. */
static bool check_others(const struct move *move, const struct migration *m, struct err *err)
{
    const struct statement clock = {move->body->clock, NULL, 0};
    struct rows rows = {0};
    wall_ms now = clock_wall();
    int64_t changed;

    if (!m->oldest || !move->body->shared)
        return true;
    if (clock.sql && !move->body->run(move->conn, &clock, move->arena, &rows, &changed, err))
        return false;
    if (clock.sql)
        now = rows_at(&rows, 0, 0).i;

    const struct value values[] = {V_INT(now - INSTANCE_ALIVE_MS)};
    const struct statement read = {
        "SELECT id, version, knows FROM instances WHERE stopped = 0 AND seen > ?1 ORDER BY id",
        values, ARRAY_LEN(values)};
    if (!move->body->run(move->conn, &read, move->arena, &rows, &changed, err))
        return false;
    for (size_t i = 0; i < rows.count; i++)
        if (instance_knows(rows_at(&rows, i, 2).s, str_from(m->module)) < m->oldest)
            return err_set(err, ERR_UNAVAILABLE,
                           "it takes away what instance " STR_FMT " (Weir " STR_FMT
                           ") still works with: stop that one first",
                           STR_ARG(rows_at(&rows, i, 0).s), STR_ARG(rows_at(&rows, i, 1).s));
    return true;
}

static bool apply(const struct move *move, const struct migration *m, struct err *err)
{
    const struct store_body *body = move->body;
    struct err ignored = {0};

    if (check_others(move, m, err) && body->script(move->conn, body->begin, err) &&
        body->script(move->conn, m->up, err) && note_applied(move, m, err) &&
        body->script(move->conn, "COMMIT", err))
        return true;
    if (body->in_transaction(move->conn) && !body->script(move->conn, "ROLLBACK", &ignored))
        log_error("could not roll back migration %s %d: %s", m->module, m->number, ignored.text);
    return err_wrap(err, "migration %s %d \"%s\"", m->module, m->number, m->name);
}

/* The table itself is older than its last two columns. */
static bool make_own_table(const struct move *move, struct err *err)
{
    struct err missing = {0};

    if (!move->body->script(move->conn, make_table, err))
        return false;
    if (move->body->script(move->conn, "SELECT oldest, made_by FROM weir_migrations LIMIT 0",
                           &missing))
        return true;
    if (missing.code == ERR_UNAVAILABLE) {
        *err = missing;
        return false;
    }
    return move->body->script(
               move->conn,
               "ALTER TABLE weir_migrations ADD COLUMN oldest BIGINT NOT NULL DEFAULT 0", err) &&
           move->body->script(
               move->conn,
               "ALTER TABLE weir_migrations ADD COLUMN made_by TEXT NOT NULL DEFAULT ''", err);
}

static bool bring_up(struct move *move, struct err *err)
{
    const struct statement read = {
        "SELECT module, number, name, checksum, oldest, made_by FROM weir_migrations"
        " ORDER BY module, number",
        NULL, 0};
    int64_t changed;

    if (!make_own_table(move, err) ||
        !move->body->run(move->conn, &read, move->arena, &move->applied, &changed, err) ||
        !check_applied(move, err))
        return false;
    for (size_t i = 0; i < move->count; i++)
        if (!is_applied(move, &move->list[i]) && !apply(move, &move->list[i], err))
            return false;
    return true;
}

/* The store's own go first. */
static bool join_lists(struct move *move, const struct store_options *options, struct err *err)
{
    struct migration *all;

    move->count = store_migration_count + options->migration_count;
    all = arena_array(move->arena, move->count, sizeof *all);
    if (!all)
        return err_arena(err, move->arena);
    for (size_t i = 0; i < move->count; i++)
        all[i] = i < store_migration_count ? store_migrations[i]
                                           : options->migrations[i - store_migration_count];
    move->list = all;
    return true;
}

bool store_migrate(const struct store_body *body, struct store_conn *conn,
                   const struct store_options *options, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(APPLIED_BYTES_MAX + LIST_BYTES_MAX);
    struct move move = {.body = body,
                        .conn = conn,
                        .arena = arena,
                        .version = options->version ? options->version : "unnamed"};
    struct err ignored = {0};

    if (!arena)
        return err_no_room(err, "no memory to read the migrations");
    if (!join_lists(&move, options, err) || !check_list(&move, err))
        return false;
    if (body->lock_migrations && !body->script(conn, body->lock_migrations, err))
        return err_wrap(err, "wait for another Weir that brings the database up to date");
    bool ok = bring_up(&move, err);
    if (body->unlock_migrations && !body->script(conn, body->unlock_migrations, &ignored))
        log_error("could not give back the lock of the migrations: %s", ignored.text);
    return ok;
}
