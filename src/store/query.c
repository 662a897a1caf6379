#include "store/query_internal.h"

#define TIMEOUT_DEFAULT (60 * SECOND)

bool query_take_columns(struct query *q, int count, const char *(*name)(void *own, int i),
                        struct err *err)
{
    if (count > QUERY_COLUMNS_MAX)
        return err_set(err, ERR_TOO_LARGE, "the query has %d columns, %d at most are read", count,
                       QUERY_COLUMNS_MAX);
    for (int i = 0; i < count; i++) {
        q->columns[i] = arena_str(q->arena, str_from(name(q->own, i)));
        if (!q->columns[i].ptr)
            return err_arena(err, q->arena);
    }
    q->column_count = (size_t)count;
    return true;
}

bool query_open(struct arena *arena, const struct query_options *options, struct query **out,
                struct err *err)
{
    struct query *q = arena_alloc(arena, sizeof *q);
    struct str database = arena_str(arena, options->database), sql = arena_str(arena, options->sql);
    bool postgres =
        str_starts(database, STR("postgres://")) || str_starts(database, STR("postgresql://"));

    if (!q || !database.ptr || !sql.ptr)
        return err_arena(err, arena);
    q->arena = arena;
    q->timeout = options->timeout ? options->timeout : TIMEOUT_DEFAULT;
    q->body = postgres ? &query_postgres : &query_sqlite;
    if (!postgres && !str_starts(database, STR("/"))) /* not repeated: it may hold a password */
        return err_set(err, ERR_INVALID,
                       "the database: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE or the "
                       "absolute path of a SQLite file");
    if (!q->body->begin(q, database, sql, err)) {
        query_close(&q);
        return false;
    }
    *out = q;
    return true;
}

void query_close(struct query **held)
{
    struct query *q = *held;

    if (q && q->own)
        q->body->close(q);
    *held = NULL;
}

size_t query_columns(const struct query *q)
{
    return q->column_count;
}

struct str query_column(const struct query *q, size_t i)
{
    ASSERT(i < q->column_count);
    return q->columns[i];
}

bool query_next(struct query *q, struct arena *arena, struct str **cells, bool *more,
                struct err *err)
{
    return q->body->next(q, arena, cells, more, err);
}
