/* store/query.h: rows of somebody else's database, PostgreSQL or a SQLite file, which are only looked at.
 * Read only  PostgreSQL: one SELECT as a cursor inside BEGIN READ ONLY. SQLite: the file opened read-only, and an
 *            authorizer that lets a statement read and nothing else: no ATTACH, no PRAGMA.
 * Bounds     time of each step (statement_timeout, and 5 s above it for a server that says nothing; a progress
 *            handler), columns QUERY_COLUMNS_MAX, bytes of a row by the arena it is read into.
 * Errors     ERR_INVALID: the query is wrong; ERR_UNAVAILABLE, ERR_TIMEOUT. Neither user nor password of a URL is
 *            in any of them.
 * Blocks     all of it. Threads: one at a time. */
#ifndef WEIR_STORE_QUERY_H
#define WEIR_STORE_QUERY_H

#include "base/arena.h"

#define QUERY_COLUMNS_MAX 256

struct query_options {
    struct str database; /* postgres://..., or the absolute path of a file */
    struct str sql;      /* one SELECT, or VALUES or WITH */
    dur_ns timeout;      /* of a step; default 60 s */
};
struct query;
bool query_open(struct arena *arena, const struct query_options *options, struct query **out,
                struct err *err) MUST_CHECK;
void query_close(struct query **query); /* CLEANUP-able */
size_t query_columns(const struct query *query);
struct str query_column(const struct query *query, size_t i); /* its name */
/* The next row as texts, NULL as STR_NONE, in the arena. *more false: there is none. */
bool query_next(struct query *query, struct arena *arena, struct str **cells, bool *more,
                struct err *err) MUST_CHECK;

#endif
