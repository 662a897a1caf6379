/* store/migrate.c: brings a database up to the list of migrations, and refuses what it cannot know. */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/store_internal.h"
#include "sys/clock.h"

#define APPLIED_BYTES_MAX ((size_t)4 * MIB)
#define CHECKSUM_DIGITS   (2 * SHA256_BYTES)

static const char *const make_table = "CREATE TABLE IF NOT EXISTS weir_migrations ("
                                      "module TEXT NOT NULL, number INTEGER NOT NULL,"
                                      "name TEXT NOT NULL, checksum TEXT NOT NULL,"
                                      "applied BIGINT NOT NULL, PRIMARY KEY (module, number))";

static struct str checksum(const struct migration *m, char digits[CHECKSUM_DIGITS])
{
    struct sha256 sum = sha256(str_from(m->up));
    struct buf hex;

    buf_init_fixed(&hex, digits, CHECKSUM_DIGITS);
    buf_hex(&hex, sum.bytes, sizeof sum.bytes);
    return buf_view(&hex);
}

/* Numbers count from 1 within each module, and a module's list stands in one piece. */
static bool check_list(const struct store_options *options, struct err *err)
{
    for (size_t i = 0; i < options->migration_count; i++) {
        const struct migration *m = &options->migrations[i];
        int before = 0;

        for (size_t j = 0; j < i; j++)
            if (strcmp(options->migrations[j].module, m->module) == 0)
                before++;
        if (m->number != before + 1)
            return err_set(err, ERR_INTERNAL, "migration %s %d \"%s\" stands where %d belongs",
                           m->module, m->number, m->name, before + 1);
    }
    return true;
}

static const struct migration *find(const struct store_options *options, struct str module,
                                    int64_t number)
{
    for (size_t i = 0; i < options->migration_count; i++) {
        const struct migration *m = &options->migrations[i];

        if (m->number == number && str_eq(str_from(m->module), module))
            return m;
    }
    return NULL;
}

static bool check_applied(const struct store_options *options, const struct rows *rows,
                          struct err *err)
{
    char digits[CHECKSUM_DIGITS];

    for (size_t i = 0; i < rows->count; i++) {
        struct str module = rows_at(rows, i, 0).s, name = rows_at(rows, i, 2).s;
        int64_t number = rows_at(rows, i, 1).i;
        const struct migration *m = find(options, module, number);

        if (!m)
            return err_set(err, ERR_INVALID,
                           "made by a newer Weir: its migration " STR_FMT " %" PRId64 " \"" STR_FMT
                           "\" is not known here",
                           STR_ARG(module), number, STR_ARG(name));
        if (!str_eq(checksum(m, digits), rows_at(rows, i, 3).s))
            return err_set(err, ERR_INVALID, "migration %s %d \"%s\" was applied with another text",
                           m->module, m->number, m->name);
    }
    return true;
}

static bool is_applied(const struct rows *rows, const struct migration *m)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows_at(rows, i, 1).i == m->number &&
            str_eq(rows_at(rows, i, 0).s, str_from(m->module)))
            return true;
    return false;
}

static bool note_applied(const struct store_body *body, struct store_conn *conn,
                         const struct migration *m, struct err *err)
{
    char digits[CHECKSUM_DIGITS];
    const struct value values[] = {
        V_TEXT(str_from(m->module)), V_INT(m->number),    V_TEXT(str_from(m->name)),
        V_TEXT(checksum(m, digits)), V_INT(clock_wall()),
    };
    const struct statement note = {
        "INSERT INTO weir_migrations (module, number, name, checksum, applied)"
        " VALUES (?1, ?2, ?3, ?4, ?5)",
        values, ARRAY_LEN(values)};
    int64_t changed;

    return body->run(conn, &note, NULL, NULL, &changed, err);
}

static bool apply(const struct store_body *body, struct store_conn *conn, const struct migration *m,
                  struct err *err)
{
    struct err ignored = {0};

    if (body->script(conn, body->begin, err) && body->script(conn, m->up, err) &&
        note_applied(body, conn, m, err) && body->script(conn, "COMMIT", err))
        return true;
    if (body->in_transaction(conn) && !body->script(conn, "ROLLBACK", &ignored))
        log_error("could not roll back migration %s %d: %s", m->module, m->number, ignored.text);
    return err_wrap(err, "migration %s %d \"%s\"", m->module, m->number, m->name);
}

static bool bring_up(const struct store_body *body, struct store_conn *conn,
                     const struct store_options *options, struct err *err)
{
    const struct statement read = {"SELECT module, number, name, checksum FROM weir_migrations"
                                   " ORDER BY module, number",
                                   NULL, 0};
    struct arena *arena CLEANUP(arena_end) = arena_new(APPLIED_BYTES_MAX);
    struct rows rows = {0};
    int64_t changed;

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to read the migrations");
    if (!body->script(conn, make_table, err) ||
        !body->run(conn, &read, arena, &rows, &changed, err) || !check_applied(options, &rows, err))
        return false;
    for (size_t i = 0; i < options->migration_count; i++)
        if (!is_applied(&rows, &options->migrations[i]) &&
            !apply(body, conn, &options->migrations[i], err))
            return false;
    return true;
}

bool store_migrate(const struct store_body *body, struct store_conn *conn,
                   const struct store_options *options, struct err *err)
{
    struct err ignored = {0};

    if (!check_list(options, err))
        return false;
    if (body->lock_migrations && !body->script(conn, body->lock_migrations, err))
        return err_wrap(err, "wait for another Weir that brings the database up to date");
    bool ok = bring_up(body, conn, options, err);
    if (body->unlock_migrations && !body->script(conn, body->unlock_migrations, &ignored))
        log_error("could not give back the lock of the migrations: %s", ignored.text);
    return ok;
}
