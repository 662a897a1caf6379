#include <sqlite3.h>
#include <string.h>

#include "base/fault.h"
#include "store/query_internal.h"
#include "sys/clock.h"

#define STEPS_BETWEEN_LOOKS 10000
#define BUSY_MS             5000

struct file_query {
    sqlite3 *db;
    sqlite3_stmt *statement;
    mono_ns until; /* of the step */
};

static int may(void *ctx, int action, const char *a, const char *b, const char *c, const char *d)
{
    (void)ctx, (void)a, (void)b, (void)c, (void)d;
    bool reads = action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
                 action == SQLITE_RECURSIVE;

    return reads ? SQLITE_OK : SQLITE_DENY;
}

static int is_late(void *ctx)
{
    const struct file_query *f = ctx;

    return clock_mono() >= f->until;
}

static bool fail(struct file_query *f, int status, struct err *err)
{
    if (status == SQLITE_INTERRUPT)
        return err_set(err, ERR_TIMEOUT, "the query took too long");
    bool wrong = status == SQLITE_ERROR || status == SQLITE_AUTH;

    return err_set(err, wrong ? ERR_INVALID : ERR_UNAVAILABLE, "%s: %s",
                   wrong ? "the query is wrong" : "the database file cannot be read",
                   status == SQLITE_AUTH ? "it does more than read" : sqlite3_errmsg(f->db));
}

static const char *column(void *own, int i)
{
    const char *name = sqlite3_column_name(((struct file_query *)own)->statement, i);

    return name ? name : "";
}

static bool prepare(struct query *q, struct file_query *f, struct str sql, struct err *err)
{
    const char *rest = NULL;

    f->until = clock_mono() + q->timeout;
    sqlite3_progress_handler(f->db, STEPS_BETWEEN_LOOKS, is_late, f);
    (void)sqlite3_set_authorizer(f->db, may, NULL);
    (void)sqlite3_busy_timeout(f->db, BUSY_MS);
    int status = sqlite3_prepare_v2(f->db, sql.ptr, (int)sql.len, &f->statement, &rest);
    if (status != SQLITE_OK)
        return fail(f, status, err);
    if (!f->statement || str_trim(str_from(rest)).len > 0)
        return err_set(err, ERR_INVALID, "the query is wrong: it is not one statement");
    if (!sqlite3_stmt_readonly(f->statement))
        return err_set(err, ERR_INVALID, "the query is wrong: it does more than read");
    return query_take_columns(q, sqlite3_column_count(f->statement), column, err);
}

static bool open_file(struct query *q, struct str database, struct str sql, struct err *err)
{
    struct file_query *f = arena_alloc(q->arena, sizeof *f);

    if (!f)
        return err_arena(err, q->arena);
    q->own = f;
    int status = FAULT("query.open")
                     ? SQLITE_IOERR
                     : sqlite3_open_v2(database.ptr, &f->db,
                                       SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (status != SQLITE_OK)
        return err_set(err, ERR_UNAVAILABLE,
                       "the database file \"" STR_FMT "\" cannot be opened: %s", STR_ARG(database),
                       f->db ? sqlite3_errmsg(f->db) : sqlite3_errstr(status));
    return prepare(q, f, sql, err);
}

static void close_file(struct query *q)
{
    struct file_query *f = q->own;

    (void)sqlite3_finalize(f->statement);
    (void)sqlite3_close(f->db);
}

static bool next_row(struct query *q, struct arena *arena, struct str **cells, bool *more,
                     struct err *err)
{
    struct file_query *f = q->own;
    struct str *row = arena_array(arena, q->column_count + 1, sizeof *row);

    if (!row)
        return err_arena(err, arena);
    f->until = clock_mono() + q->timeout;
    int status = FAULT("query.next") ? SQLITE_IOERR : sqlite3_step(f->statement);
    *more = status == SQLITE_ROW;
    if (status != SQLITE_ROW && status != SQLITE_DONE)
        return fail(f, status, err);
    for (size_t i = 0; *more && i < q->column_count; i++) {
        const void *text = sqlite3_column_text(f->statement, (int)i);
        size_t len = (size_t)sqlite3_column_bytes(f->statement, (int)i);

        if (sqlite3_column_type(f->statement, (int)i) == SQLITE_NULL)
            continue;
        row[i] = arena_str(arena, (struct str){text ? text : "", len});
        if (!row[i].ptr)
            return err_arena(err, arena);
    }
    *cells = row;
    return true;
}

const struct query_body query_sqlite = {open_file, close_file, next_row};
