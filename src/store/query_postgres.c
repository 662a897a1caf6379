#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "store/query_internal.h"
#include "sys/clock.h"

#define FETCH_ROWS   "100"
#define CONNECT_TIME "10"
/* Above what the server gives a step: one that is frozen, or whose machine is, ends none by itself. */
#define ANSWER_GRACE (5 * SECOND)

struct server_query {
    PGconn *pg;
    PGresult *rows; /* of the last FETCH */
    int at;
    dur_ns limit; /* of a step, sent and answered */
    bool silent;  /* it said nothing for so long */
};

/* The first line; of connections libpq's own words, which name host and database, not the password. */
static bool fail(struct server_query *s, const PGresult *result, struct err *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    struct str text = str_from(primary ? primary : PQerrorMessage(s->pg));

    if (s->silent)
        return err_set(err, ERR_TIMEOUT, "database: no answer for %" PRId64 " s",
                       s->limit / SECOND);
    text = str_trim(str_slice(text, 0, str_find_char(text, '\n')));
    if (state && strcmp(state, "57014") == 0)
        return err_set(err, ERR_TIMEOUT, "the query took too long");
    bool wrong = state && (strncmp(state, "42", 2) == 0 || strncmp(state, "22", 2) == 0 ||
                           strcmp(state, "25006") == 0 || strncmp(state, "0A", 2) == 0);
    return err_set(err, wrong ? ERR_INVALID : ERR_UNAVAILABLE, "%s: " STR_FMT,
                   wrong ? "the query is wrong" : "database", STR_ARG(text));
}

static bool wait_for(struct server_query *s, short events, mono_ns until)
{
    struct pollfd p = {.fd = PQsocket(s->pg), .events = events};
    int ready;

    if (p.fd < 0)
        return false;
    do {
        dur_ns left = until - clock_mono();

        ready = poll(&p, 1, (int)MIN_OF(MAX_OF(left, 0) / MILLISECOND, (dur_ns)INT32_MAX));
    } while (ready < 0 && errno == EINTR);
    s->silent |= ready <= 0;
    return ready > 0;
}

/* As PQexecParams() gives it, within the limit; NULL: the connection says why. */
static PGresult *answer(struct server_query *s, int sent)
{
    mono_ns until = clock_mono() + s->limit;
    PGresult *last = NULL, *next;
    int left = sent ? PQflush(s->pg) : -1;

    while (left > 0 && wait_for(s, POLLIN | POLLOUT, until) && PQconsumeInput(s->pg))
        left = PQflush(s->pg);
    if (left != 0)
        return NULL;
    for (;;) {
        while (PQisBusy(s->pg)) {
            if (!wait_for(s, POLLIN, until)) {
                PQclear(last);
                return NULL;
            }
            if (!PQconsumeInput(s->pg))
                break; /* PQgetResult() says what it was */
        }
        next = PQgetResult(s->pg);
        if (!next)
            return last;
        PQclear(last);
        last = next;
    }
}

static bool run(struct server_query *s, const char *text, ExecStatusType wanted, struct err *err)
{
    PQclear(s->rows);
    s->at = 0;
    /* With parameters, though none: a text of several statements is refused then. */
    s->rows = FAULT("query.run")
                  ? NULL
                  : answer(s, PQsendQueryParams(s->pg, text, 0, NULL, NULL, NULL, NULL, 0));
    return (s->rows && PQresultStatus(s->rows) == wanted) || fail(s, s->rows, err);
}

static const char *column(void *own, int i)
{
    const char *name = PQfname(((struct server_query *)own)->rows, i);

    return name ? name : "";
}

static void quiet(void *ctx, const char *message)
{
    (void)ctx, (void)message;
}

static bool begin(struct query *q, struct server_query *s, struct str sql, struct err *err)
{
    char timeout[64];
    struct str text = sql, declare;

    while (text.len > 0 && (str_ends(str_trim(text), STR(";"))))
        text = str_slice(str_trim(text), 0, str_trim(text).len - 1);
    declare = arena_fmt(q->arena, "DECLARE weir NO SCROLL CURSOR FOR " STR_FMT, STR_ARG(text));
    (void)snprintf(timeout, sizeof timeout, "SET LOCAL statement_timeout = %" PRId64,
                   q->timeout / MILLISECOND);
    return (declare.ptr || err_arena(err, q->arena)) &&
           run(s, "BEGIN READ ONLY", PGRES_COMMAND_OK, err) &&
           run(s, timeout, PGRES_COMMAND_OK, err) && run(s, declare.ptr, PGRES_COMMAND_OK, err) &&
           run(s, "FETCH " FETCH_ROWS " FROM weir", PGRES_TUPLES_OK, err) &&
           query_take_columns(q, PQnfields(s->rows), column, err);
}

static bool open_server(struct query *q, struct str database, struct str sql, struct err *err)
{
    const char *const names[] = {"dbname", "connect_timeout", "client_encoding", "application_name",
                                 NULL};
    const char *const values[] = {database.ptr, CONNECT_TIME, "UTF8", "weir", NULL};
    struct server_query *s = arena_alloc(q->arena, sizeof *s);

    if (!s)
        return err_arena(err, q->arena);
    q->own = s;
    s->limit = q->timeout + ANSWER_GRACE;
    s->pg = FAULT("query.open") ? NULL : PQconnectdbParams(names, values, 1);
    if (!s->pg)
        return err_no_room(err, "no memory for a connection");
    (void)PQsetNoticeProcessor(s->pg, quiet, NULL);
    if (PQstatus(s->pg) != CONNECTION_OK || PQsetnonblocking(s->pg, 1) != 0)
        return fail(s, NULL, err);
    return begin(q, s, sql, err);
}

static void close_server(struct query *q)
{
    struct server_query *s = q->own;

    PQclear(s->rows);
    PQfinish(s->pg); /* ends the transaction, which changed nothing */
}

static bool next_row(struct query *q, struct arena *arena, struct str **cells, bool *more,
                     struct err *err)
{
    struct server_query *s = q->own;

    if (s->at == PQntuples(s->rows) && s->at > 0 &&
        !run(s, "FETCH " FETCH_ROWS " FROM weir", PGRES_TUPLES_OK, err))
        return false;
    *more = s->at < PQntuples(s->rows);
    if (!*more)
        return true;
    struct str *row = arena_array(arena, q->column_count + 1, sizeof *row);
    for (size_t i = 0; row && i < q->column_count; i++) {
        if (PQgetisnull(s->rows, s->at, (int)i))
            continue;
        row[i] = arena_str(arena, (struct str){PQgetvalue(s->rows, s->at, (int)i),
                                               (size_t)PQgetlength(s->rows, s->at, (int)i)});
        if (!row[i].ptr)
            return err_arena(err, arena);
    }
    s->at++;
    *cells = row;
    return row || err_arena(err, arena);
}

const struct query_body query_postgres = {open_server, close_server, next_row};
