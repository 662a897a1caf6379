/* store/postgres.c: the PostgreSQL body, over libpq. The door's statements are SQLite's and PostgreSQL's
 * common subset; what differs is put right here: ?1 is $1, and the names of three types.
 *
 * A connection that breaks is made anew at the next BEGIN (writer) or statement (readers), at most once
 * a second. When it breaks during COMMIT nobody knows whether the transaction is there: is_lost() says
 * so, and the door does not try again. */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/store_internal.h"
#include "sys/clock.h"

#define STATEMENTS_MAX  256 /* slots; half of them are used at most */
#define SQL_BYTES_MAX   (64 * KIB)
#define VALUES_MAX      64
#define TRY_AGAIN_AFTER SECOND
#define MIGRATION_LOCK  "7305" /* any number, the same in every Weir */
#define STATEMENT_LIMIT "SET statement_timeout = '30s'"

/* Types of results, as the server numbers them (pg_type.dat). */
enum { T_BOOL = 16, T_BYTEA = 17, T_INT8 = 20, T_INT2 = 21, T_INT4 = 23, T_OID = 26 };
enum { T_FLOAT4 = 700, T_FLOAT8 = 701, T_NUMERIC = 1700 };

/* Above what the server gives a statement: one that is frozen, or whose machine is, ends none by itself. */
dur_ns postgres_answer_limit = 45 * SECOND;

struct prepared {
    const char *sql;
    struct sha256 sum; /* an address may be used again by a text that was no literal after all */
};

struct store_conn {
    PGconn *pg;
    bool writer;
    bool lost;    /* it said nothing for too long: whatever it says now is to an earlier question */
    bool ready;   /* set_up() */
    bool patient; /* migrations take as long as they take */
    mono_ns try_again; /* a broken connection is not made anew before */
    size_t prepared_count;
    struct prepared prepared[STATEMENTS_MAX];
};

/* ---- errors ---- */

static enum err_code code_of(const char *state)
{
    static const struct {
        const char *begins;
        enum err_code code;
    } codes[] = {
        {"23", ERR_INVALID},        /* constraints */
        {"54", ERR_TOO_LARGE},      /* limits */
        {"08", ERR_UNAVAILABLE},    /* connections */
        {"53", ERR_UNAVAILABLE},    /* disk, memory, connections used up */
        {"57", ERR_UNAVAILABLE},    /* shut down, cancelled, timed out */
        {"58", ERR_UNAVAILABLE},    /* its own input and output */
        {"40", ERR_UNAVAILABLE},    /* deadlock, serialisation */
        {"25006", ERR_UNAVAILABLE}, /* became a read-only standby */
        {"XX", ERR_UNAVAILABLE},
    };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strncmp(state, codes[i].begins, strlen(codes[i].begins)) == 0)
            return codes[i].code;
    return ERR_INTERNAL;
}

static bool is_broken(const struct store_conn *conn)
{
    return conn->lost || PQstatus(conn->pg) != CONNECTION_OK;
}

/* libpq ends its texts with a line feed and may use several lines: the first says it. */
static bool fail_connection(struct store_conn *conn, struct err *err)
{
    struct str text = str_from(PQerrorMessage(conn->pg));

    if (conn->lost)
        return err_set(err, ERR_UNAVAILABLE, "database: no answer for %" PRId64 " s",
                       postgres_answer_limit / SECOND);
    text = str_trim(str_slice(text, 0, str_find_char(text, '\n')));
    return err_set(err, ERR_UNAVAILABLE, "database: " STR_FMT,
                   STR_ARG(text.len ? text : STR("the connection is broken")));
}

/* The primary message names tables, columns and syntax; that of class 22 quotes the value it dislikes. */
static bool fail(struct store_conn *conn, const PGresult *result, const char *sql, struct err *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum err_code code;

    if (!state || !text || is_broken(conn))
        return fail_connection(conn, err);
    code = code_of(state);
    if (strncmp(state, "22", 2) == 0)
        text = "a value does not fit";
    if (code == ERR_UNAVAILABLE)
        return err_set(err, code, "database: %s (%s)", text, state);
    return err_set(err, code, "statement \"%.48s\": %s (%s)", sql, text, state);
}

/* ---- texts ---- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str type_here(struct str word)
{
    static const struct {
        const char *sqlite, *here;
    } types[] = {{"INTEGER", "BIGINT"}, {"BLOB", "BYTEA"}, {"REAL", "DOUBLE PRECISION"}};

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(word, str_from(types[i].sqlite)))
            return str_from(types[i].here);
    return word;
}

/* Outside of quoted texts: ?1 to $1, and the names of types. */
static bool translate(const char *sql, struct buf *out, struct err *err)
{
    struct str text = str_from(sql);
    char quote = 0;

    for (size_t i = 0; i < text.len;) {
        size_t end = i;

        while (!quote && end < text.len && is_word(text.ptr[end]))
            end++;
        if (end > i) {
            buf_str(out, type_here(str_slice(text, i, end)));
            i = end;
            continue;
        }
        char c = text.ptr[i++];
        if (c == '\'' || c == '"')
            quote = quote == c ? 0 : quote ? quote : c;
        buf_char(out, !quote && c == '?' ? '$' : c);
    }
    buf_char(out, 0);
    return buf_ok(out) || err_set(err, ERR_INTERNAL, "statement \"%.48s\": longer than %d bytes",
                                  sql, (int)SQL_BYTES_MAX);
}

/* ---- questions and answers ---- */

static bool wait_for(struct store_conn *conn, short events, mono_ns until)
{
    struct pollfd p = {.fd = PQsocket(conn->pg), .events = events};
    int ready;

    if (p.fd < 0)
        return false;
    do {
        dur_ns left = until - clock_mono();

        ready = poll(&p, 1, conn->patient ? -1 : (int)(MAX_OF(left, 0) / MILLISECOND));
    } while (ready < 0 && errno == EINTR);
    conn->lost |= ready <= 0;
    return ready > 0;
}

/* What stands in its way may be what the server says meanwhile. */
static bool send_out(struct store_conn *conn, mono_ns until)
{
    int left;

    while ((left = PQflush(conn->pg)) > 0)
        if (!wait_for(conn, POLLIN | POLLOUT, until) || !PQconsumeInput(conn->pg))
            return false;
    return left == 0;
}

static bool take_in(struct store_conn *conn, mono_ns until)
{
    while (PQisBusy(conn->pg)) {
        if (!wait_for(conn, POLLIN, until))
            return false;
        if (!PQconsumeInput(conn->pg))
            break; /* PQgetResult() says what it was */
    }
    return true;
}

/* The last of what is answered to what was sent, as PQexec() gives it; NULL: the connection says why. */
static PGresult *answer(struct store_conn *conn, int sent)
{
    mono_ns until = clock_mono() + postgres_answer_limit;
    PGresult *last = NULL, *next;

    if (!sent || !send_out(conn, until))
        return NULL;
    while (take_in(conn, until)) {
        next = PQgetResult(conn->pg);
        if (!next)
            return last;
        PQclear(last);
        last = next;
    }
    PQclear(last);
    return NULL;
}

/* ---- the connection ---- */

static void forget_statements(struct store_conn *conn)
{
    memset(conn->prepared, 0, sizeof conn->prepared);
    conn->prepared_count = 0;
}

static int64_t rows_touched(PGresult *result)
{
    int64_t n = 0;

    return i64_parse(str_from(PQcmdTuples(result)), &n) && !PQnfields(result) ? n : 0;
}

static bool run_plain(struct store_conn *conn, const char *text, int64_t *changed, struct err *err)
{
    PGresult *result = answer(conn, PQsendQuery(conn->pg, text));
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    if (ok)
        *changed = rows_touched(result);
    else
        fail(conn, result, text, err);
    PQclear(result);
    return ok;
}

static bool plain(struct store_conn *conn, const char *text, struct err *err)
{
    int64_t changed;

    return run_plain(conn, text, &changed, err);
}

static bool set_up(struct store_conn *conn, struct err *err)
{
    forget_statements(conn);
    conn->lost = conn->ready = false;
    if (FAULT("store.set_up"))
        return err_set(err, ERR_UNAVAILABLE, "database: out of memory (53200)");
    if (PQsetnonblocking(conn->pg, 1) != 0)
        return fail_connection(conn, err);
    conn->ready = plain(conn, "SET client_min_messages = warning", err) &&
                  plain(conn, "SET bytea_output = hex", err) && plain(conn, STATEMENT_LIMIT, err) &&
                  plain(conn, "SET extra_float_digits = 3", err) &&
                  (conn->writer || plain(conn, "SET default_transaction_read_only = on", err));
    return conn->ready;
}

static bool connect_again(struct store_conn *conn, struct err *err)
{
    if (clock_mono() < conn->try_again)
        return err_set(err, ERR_UNAVAILABLE, "database: the connection is broken");
    conn->lost = false;
    PQreset(conn->pg);
    if (!is_broken(conn) && set_up(conn, err)) {
        log_info("the connection to the database is back");
        return true;
    }
    conn->try_again = clock_mono() + TRY_AGAIN_AFTER;
    return is_broken(conn) ? fail_connection(conn, err) : false;
}

static bool is_begin(const char *sql)
{
    return strcmp(sql, "BEGIN") == 0;
}

/* A transaction does not outlive its connection: the writer's is made anew only where one begins. */
static bool be_connected(struct store_conn *conn, const char *sql, struct err *err)
{
    if (!is_broken(conn) && conn->ready)
        return true;
    if (conn->writer && !is_begin(sql))
        return fail_connection(conn, err);
    return connect_again(conn, err);
}

/* What the server wants its operator to know; libpq would print it itself. */
static void note_notice(void *ctx, const char *text)
{
    (void)ctx;
    log_warn("database: " STR_FMT, STR_ARG(str_trim(str_from(text))));
}

static void detach(struct store_conn **conn)
{
    if (!*conn)
        return;
    PQfinish((*conn)->pg);
    *conn = NULL; /* the arena's */
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_port(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

/* What libpq would take apart wrongly it would also quote, and a part of the password with it. */
static bool is_clean(struct str url)
{
    size_t at = str_find_char(url, '@'), slash = str_find_char(url, '/');
    struct str host = str_slice(url, at < url.len ? at + 1 : 0, url.len);

    if ((at < url.len && slash < at) || str_find_char(host, '@') < host.len)
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] == '%' &&
            (i + 2 >= url.len || !is_hex(url.ptr[i + 1]) || !is_hex(url.ptr[i + 2])))
            return false;
    host = str_slice(host, 0, str_find_char(host, '?'));
    host = str_slice(host, 0, str_find_char(host, '/'));
    return str_starts(host, STR("[")) ||
           is_port(str_slice(host, str_find_char(host, ':') + 1, host.len));
}

static bool check_url(struct str url, struct err *err)
{
    return is_clean(str_slice(url, str_find_char(url, '/') + 2, url.len)) ||
           err_set(err, ERR_INVALID,
                   "the url cannot be read: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, "
                   "with %%XX for each of @ : / ? # %% in user and password");
}

static bool attach(struct arena *arena, const char *path, bool writer, struct store_conn **out,
                   struct err *err)
{
    /* Before dbname, so that what the url says goes before. */
    const char *const keys[] = {"application_name", "connect_timeout", "tcp_user_timeout",
                                "keepalives_idle",  "dbname",          NULL};
    const char *const values[] = {"weir", "5", "15000", "30", path, NULL};
    struct store_conn *conn CLEANUP(detach) = arena_alloc(arena, sizeof *conn);

    if (!conn)
        return err_arena(err, arena);
    if (!check_url(str_from(path), err))
        return false;
    conn->writer = writer;
    conn->pg = PQconnectdbParams(keys, values, 1);
    if (!conn->pg)
        return err_no_room(err, "no memory for a connection");
    if (is_broken(conn))
        return fail_connection(conn, err);
    PQsetNoticeProcessor(conn->pg, note_notice, NULL);
    if (!set_up(conn, err))
        return false;
    *out = conn;
    conn = NULL;
    return true;
}

/* ---- statements ---- */

static struct prepared *slot_of(struct store_conn *conn, const char *sql)
{
    uint64_t mixed = (uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15u;

    for (size_t i = (size_t)(mixed >> 32);; i++) {
        struct prepared *slot = &conn->prepared[i % STATEMENTS_MAX];

        if (!slot->sql || slot->sql == sql)
            return slot;
    }
}

static void name_of(const struct store_conn *conn, const struct prepared *slot, char out[16])
{
    (void)snprintf(out, 16, "s%zu", (size_t)(slot - conn->prepared));
}

static bool prepare_anew(struct store_conn *conn, const char *sql, const char *name,
                         struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * SQL_BYTES_MAX);
    struct buf text;

    if (!arena)
        return err_no_room(err, "no memory for a statement");
    buf_init(&text, arena, SQL_BYTES_MAX);
    if (!translate(sql, &text, err))
        return false;

    PGresult *result = answer(conn, PQsendPrepare(conn->pg, name, text.ptr, 0, NULL));
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;

    if (!ok)
        fail(conn, result, sql, err);
    PQclear(result);
    return ok;
}

static bool prepare(struct store_conn *conn, const char *sql, char name[16], struct err *err)
{
    struct prepared *slot = slot_of(conn, sql);
    struct sha256 sum = sha256(str_from(sql));

    if (slot->sql && memcmp(&slot->sum, &sum, sizeof sum) == 0) {
        name_of(conn, slot, name);
        return true;
    }
    if (conn->prepared_count == STATEMENTS_MAX / 2 || slot->sql) {
        if (!plain(conn, "DEALLOCATE ALL", err))
            return false;
        forget_statements(conn);
        slot = slot_of(conn, sql);
    }
    name_of(conn, slot, name);
    if (!prepare_anew(conn, sql, name, err))
        return false;
    *slot = (struct prepared){sql, sum};
    conn->prepared_count++;
    return true;
}

/* Parameters as libpq wants them; numbers are written into `text`. */
struct parameters {
    const char *values[VALUES_MAX];
    int lengths[VALUES_MAX], formats[VALUES_MAX];
};

static bool set_value(struct arena *arena, struct parameters *p, size_t at, const struct value *v)
{
    struct str text = v->s.ptr ? v->s : STR("");

    p->values[at] = NULL;
    p->formats[at] = v->kind == VALUE_BLOB;
    switch (v->kind) {
    case VALUE_NULL: return true;
    case VALUE_INT: text = arena_fmt(arena, "%" PRId64, v->i); break;
    case VALUE_REAL: text = arena_fmt(arena, "%.17g", v->f); break;
    case VALUE_TEXT: text = arena_fmt(arena, STR_FMT, STR_ARG(text)); break; /* with its zero */
    case VALUE_BLOB: break;
    }
    p->values[at] = text.ptr;
    p->lengths[at] = (int)text.len;
    return text.ptr;
}

static bool has_zero(const struct value *v)
{
    return v->kind == VALUE_TEXT && v->s.len && memchr(v->s.ptr, 0, v->s.len);
}

static bool set_values(struct arena *arena, const struct statement *statement,
                       struct parameters *out, struct err *err)
{
    if (statement->count > VALUES_MAX)
        return err_set(err, ERR_INTERNAL, "statement \"%.48s\": more than %d values",
                       statement->sql, VALUES_MAX);
    for (size_t i = 0; i < statement->count; i++) {
        if (has_zero(&statement->values[i]))
            return err_set(err, ERR_INVALID, "statement \"%.48s\": value %zu has a zero byte",
                           statement->sql, i + 1);
        if (!set_value(arena, out, i, &statement->values[i]))
            return err_arena(err, arena);
    }
    return true;
}

/* ---- rows ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

/* "\x" and two digits a byte, as bytea_output says. */
static bool read_bytes(struct arena *arena, struct str hex, struct str *out, struct err *err)
{
    size_t count = hex.len >= 2 ? (hex.len - 2) / 2 : 0;
    char *bytes = arena_alloc_raw(arena, count + 1);

    if (!bytes)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (char)(hex_digit(hex.ptr[2 + 2 * i]) << 4 | hex_digit(hex.ptr[3 + 2 * i]));
    *out = (struct str){bytes, count};
    return true;
}

static bool read_real(struct str text, struct value *out, struct err *err)
{
    return f64_parse(text, &out->f) || err_set(err, ERR_INTERNAL, "a number is none");
}

static bool read_value(const PGresult *result, int row, int column, struct arena *arena,
                       struct value *out, struct err *err)
{
    struct str text = {PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};

    *out = V_NULL;
    if (PQgetisnull(result, row, column))
        return true;
    switch (PQftype(result, column)) {
    case T_BOOL: *out = V_INT(str_eq(text, STR("t"))); return true;
    case T_INT2:
    case T_INT4:
    case T_INT8:
    case T_OID:
        out->kind = VALUE_INT;
        return i64_parse(text, &out->i) || err_set(err, ERR_INTERNAL, "a whole number is none");
    case T_NUMERIC: /* what sum() makes of whole numbers */
        out->kind = i64_parse(text, &out->i) ? VALUE_INT : VALUE_REAL;
        return out->kind == VALUE_INT || read_real(text, out, err);
    case T_FLOAT4:
    case T_FLOAT8: out->kind = VALUE_REAL; return read_real(text, out, err);
    case T_BYTEA: out->kind = VALUE_BLOB; return read_bytes(arena, text, &out->s, err);
    default:
        out->kind = VALUE_TEXT;
        out->s = arena_str(arena, text);
        return out->s.ptr || err_arena(err, arena);
    }
}

static bool read_rows(const PGresult *result, struct arena *arena, struct rows *rows,
                      struct err *err)
{
    size_t count = (size_t)PQntuples(result), columns = (size_t)PQnfields(result);
    struct value *at = arena_array(arena, count * columns + 1, sizeof *at);

    if (!at)
        return err_arena(err, arena);
    for (size_t i = 0; i < count * columns; i++)
        if (!read_value(result, (int)(i / columns), (int)(i % columns), arena, &at[i], err))
            return false;
    *rows = (struct rows){.count = count, .columns = columns, .at = at};
    return true;
}

static bool take_result(struct store_conn *conn, PGresult *result, const char *sql,
                        struct arena *arena, struct rows *rows, struct err *err)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return fail(conn, result, sql, err);
    return !rows || read_rows(result, arena, rows, err);
}

static bool run_prepared(struct store_conn *conn, const struct statement *statement,
                         struct arena *arena, struct rows *rows, int64_t *changed, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct parameters *p = scratch ? arena_alloc(scratch, sizeof *p) : NULL;
    char name[16];

    if (!p)
        return err_no_room(err, "no memory for a statement's values");
    if (!prepare(conn, statement->sql, name, err) || !set_values(scratch, statement, p, err))
        return false;

    PGresult *result = answer(conn, PQsendQueryPrepared(conn->pg, name, (int)statement->count,
                                                        p->values, p->lengths, p->formats, 0));
    bool ok = take_result(conn, result, statement->sql, arena, rows, err);

    if (ok)
        *changed = rows_touched(result);
    PQclear(result);
    return ok;
}

/* BEGIN, COMMIT and savepoints are not prepared: in a failed transaction that would be refused. */
static bool run_once(struct store_conn *conn, const struct statement *statement,
                     struct arena *arena, struct rows *rows, int64_t *changed, struct err *err)
{
    *changed = 0;
    if (!be_connected(conn, statement->sql, err))
        return false;
    if (statement->count == 0 && !rows)
        return run_plain(conn, statement->sql, changed, err);
    return run_prepared(conn, statement, arena, rows, changed, err);
}

/* That the server is gone, or was restarted, is seen by the first statement that fails: what has no
 * effect is tried once more. */
static bool run(struct store_conn *conn, const struct statement *statement, struct arena *arena,
                struct rows *rows, int64_t *changed, struct err *err)
{
    bool was_well = !is_broken(conn), harmless = !conn->writer || is_begin(statement->sql);

    if (FAULT("store.run"))
        return err_set(err, ERR_UNAVAILABLE, "database: disk I/O error");
    if (run_once(conn, statement, arena, rows, changed, err))
        return true;
    if (!was_well || !is_broken(conn) || !harmless)
        return false;
    *err = (struct err){0};
    return run_once(conn, statement, arena, rows, changed, err);
}

static bool script(struct store_conn *conn, const char *text, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * SQL_BYTES_MAX);
    struct buf translated;

    conn->patient = text == postgres_body.lock_migrations ||
                    (conn->patient && text != postgres_body.unlock_migrations);

    if (!arena)
        return err_no_room(err, "no memory for a script");
    buf_init(&translated, arena, SQL_BYTES_MAX);
    return translate(text, &translated, err) && plain(conn, translated.ptr, err);
}

static bool in_transaction(const struct store_conn *conn)
{
    PGTransactionStatusType status = PQtransactionStatus(conn->pg);

    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

const struct store_body postgres_body = {
    .begin = "BEGIN",
    .relax_inside = "SET LOCAL synchronous_commit = off",
    .shared = true,
    /* A large table takes as long as it takes, for those who wait for it too. */
    .lock_migrations = "SET statement_timeout = 0; SELECT pg_advisory_lock(" MIGRATION_LOCK ")",
    .unlock_migrations = "SELECT pg_advisory_unlock(" MIGRATION_LOCK "); " STATEMENT_LIMIT,
    .clock = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    .attach = attach,
    .detach = detach,
    .run = run,
    .script = script,
    .in_transaction = in_transaction,
    .is_lost = is_broken,
};
