/* store/sqlite.c: the SQLite body. WAL and synchronous=FULL: a commit that returned survives power
 * loss, but for those that are asked not to wait (NORMAL: the log is synced before it is folded in). Prepared statements are kept per connection, found by the address of their text. */
#include <sqlite3.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/sqlite_blank.h"
#include "store/store_internal.h"
#include "sys/file.h"

#define STATEMENTS_MAX  256 /* slots; half of them are used at most */
#define BUSY_TIMEOUT_MS 5000
#define PATH_BYTES_MAX  1024

struct cached {
    const char *sql;
    sqlite3_stmt *stmt;
};

struct store_conn {
    sqlite3 *db;
    size_t cached_count;
    struct cached cached[STATEMENTS_MAX];
};

/* ---- errors ---- */

#define DAMAGE_ADVICE \
    " (bring it back from a backup; what was spent since then is made good from the audit log)"

static enum err_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT: return ERR_INVALID;
    case SQLITE_TOOBIG: return ERR_TOO_LARGE;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_NOMEM: return ERR_UNAVAILABLE;
    default: return ERR_INTERNAL;
    }
}

static const char *advice_of(int rc)
{
    int kind = rc & 0xff;

    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB ? DAMAGE_ADVICE : "";
}

/* SQLite's words name tables, columns and syntax, never values. */
static bool fail(struct store_conn *conn, int rc, const char *sql, struct err *err)
{
    enum err_code code = code_of(rc);
    const char *why = conn->db ? sqlite3_errmsg(conn->db) : sqlite3_errstr(rc);

    if (code == ERR_INTERNAL || code == ERR_INVALID || code == ERR_TOO_LARGE)
        err_set(err, code, "statement \"%.48s\": %s", sql, why);
    else
        err_set(err, code, "database: %s%s", why, advice_of(rc));
    if (conn->db)
        err->sys = sqlite3_system_errno(conn->db);
    return false;
}

/* ---- prepared statements ---- */

static void forget_statements(struct store_conn *conn)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++)
        sqlite3_finalize(conn->cached[i].stmt);
    memset(conn->cached, 0, sizeof conn->cached);
    conn->cached_count = 0;
}

static struct cached *slot_of(struct store_conn *conn, const char *sql)
{
    uint64_t mixed = (uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15u;

    for (size_t i = (size_t)(mixed >> 32);; i++) {
        struct cached *slot = &conn->cached[i % STATEMENTS_MAX];

        if (!slot->sql || slot->sql == sql)
            return slot;
    }
}

/* The text is compared too: an address may be used again by a text that was no literal after all. */
static bool prepare(struct store_conn *conn, const char *sql, sqlite3_stmt **out, struct err *err)
{
    struct cached *slot = slot_of(conn, sql);

    if (slot->stmt && strcmp(sqlite3_sql(slot->stmt), sql) == 0) {
        *out = slot->stmt;
        return true;
    }
    if (conn->cached_count == STATEMENTS_MAX / 2 || slot->stmt) {
        forget_statements(conn);
        slot = slot_of(conn, sql);
    }

    sqlite3_stmt *stmt = NULL;
    const char *rest = "";
    int rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &rest);

    if (rc != SQLITE_OK)
        return fail(conn, rc, sql, err);
    if (!stmt || *rest) {
        sqlite3_finalize(stmt);
        return err_set(err, ERR_INTERNAL, "statement \"%.48s\": not exactly one statement", sql);
    }
    *slot = (struct cached){sql, stmt};
    conn->cached_count++;
    *out = stmt;
    return true;
}

/* The values outlive the step, so nothing is copied. An empty text is not NULL. */
static int bind_value(sqlite3_stmt *stmt, int at, const struct value *v)
{
    const char *bytes = v->s.ptr ? v->s.ptr : "";

    switch (v->kind) {
    case VALUE_NULL: return sqlite3_bind_null(stmt, at);
    case VALUE_INT: return sqlite3_bind_int64(stmt, at, v->i);
    case VALUE_REAL: return sqlite3_bind_double(stmt, at, v->f);
    case VALUE_TEXT:
        return sqlite3_bind_text64(stmt, at, bytes, v->s.len, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BLOB: return sqlite3_bind_blob64(stmt, at, bytes, v->s.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static bool bind_all(struct store_conn *conn, sqlite3_stmt *stmt, const struct statement *statement,
                     struct err *err)
{
    if ((size_t)sqlite3_bind_parameter_count(stmt) != statement->count)
        return err_set(err, ERR_INTERNAL, "statement \"%.48s\": wants %d values, got %zu",
                       statement->sql, sqlite3_bind_parameter_count(stmt), statement->count);
    for (size_t i = 0; i < statement->count; i++) {
        int rc = bind_value(stmt, (int)i + 1, &statement->values[i]);

        if (rc != SQLITE_OK)
            return fail(conn, rc, statement->sql, err);
    }
    return true;
}

/* ---- rows ---- */

static bool copy_bytes(struct arena *arena, const void *bytes, int len, struct str *out,
                       struct err *err)
{
    struct str view = {bytes ? bytes : "", (size_t)len};

    *out = arena_str(arena, view);
    return out->ptr || err_arena(err, arena);
}

static bool column_value(sqlite3_stmt *stmt, int at, struct arena *arena, struct value *out,
                         struct err *err)
{
    *out = V_NULL;
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER: *out = V_INT(sqlite3_column_int64(stmt, at)); return true;
    case SQLITE_FLOAT: *out = V_REAL(sqlite3_column_double(stmt, at)); return true;
    case SQLITE_TEXT:
        out->kind = VALUE_TEXT;
        return copy_bytes(arena, sqlite3_column_text(stmt, at), sqlite3_column_bytes(stmt, at),
                          &out->s, err);
    case SQLITE_BLOB:
        out->kind = VALUE_BLOB;
        return copy_bytes(arena, sqlite3_column_blob(stmt, at), sqlite3_column_bytes(stmt, at),
                          &out->s, err);
    default: return true;
    }
}

/* The table doubles, so that the copies of growing it stay below the size of the result. */
static bool take_row(sqlite3_stmt *stmt, struct arena *arena, size_t *room, struct rows *rows,
                     struct err *err)
{
    size_t width = rows->columns * sizeof *rows->at;

    if (rows->count == *room) {
        size_t more = *room ? *room * 2 : 4;
        void *at = arena_grow(arena, rows->at, *room * width, more * width);

        if (!at)
            return err_arena(err, arena);
        rows->at = at;
        *room = more;
    }
    for (size_t i = 0; i < rows->columns; i++)
        if (!column_value(stmt, (int)i, arena, &rows->at[rows->count * rows->columns + i], err))
            return false;
    rows->count++;
    return true;
}

static bool step_all(struct store_conn *conn, sqlite3_stmt *stmt, struct arena *arena,
                     struct rows *rows, struct err *err)
{
    size_t room = 0;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        if (rows && !take_row(stmt, arena, &room, rows, err))
            return false;
    return rc == SQLITE_DONE || fail(conn, rc, sqlite3_sql(stmt), err);
}

static bool run(struct store_conn *conn, const struct statement *statement, struct arena *arena,
                struct rows *rows, int64_t *changed, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    struct rows got = {0};
    int64_t before = sqlite3_total_changes64(conn->db);

    if (FAULT("store.run"))
        return err_set(err, ERR_UNAVAILABLE, "database: disk I/O error");
    if (!prepare(conn, statement->sql, &stmt, err))
        return false;
    got.columns = (size_t)sqlite3_column_count(stmt);

    bool ok = bind_all(conn, stmt, statement, err) &&
              step_all(conn, stmt, arena, rows ? &got : NULL, err);

    sqlite3_reset(stmt); /* its result is that of the step, told already */
    sqlite3_clear_bindings(stmt);
    if (!ok)
        return false;
    if (rows)
        *rows = got;
    /* changes() keeps the count of an older statement when this one changed nothing. */
    *changed = sqlite3_total_changes64(conn->db) == before ? 0 : sqlite3_changes64(conn->db);
    return true;
}

static bool script(struct store_conn *conn, const char *text, struct err *err)
{
    int rc = sqlite3_exec(conn->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK || fail(conn, rc, text, err);
}

static bool blank(struct store_conn *conn, int64_t *at, struct err *err)
{
    return sqlite_blank(conn->db, at, err);
}

static bool in_transaction(const struct store_conn *conn)
{
    return sqlite3_get_autocommit(conn->db) == 0;
}

/* ---- opening ---- */

static void close_conn(struct store_conn **conn)
{
    if (!*conn)
        return;
    if ((*conn)->db) {
        forget_statements(*conn);
        ASSERT(sqlite3_close((*conn)->db) == SQLITE_OK);
    }
    *conn = NULL; /* the arena's */
}

/* The log is folded in by whoever's commit makes it 8,000 pages (32 MB): with SQLite's 1,000 more than one write of a hundred waited
 * for that under load. */
static const char *const writer_settings = "PRAGMA journal_mode = WAL;"
                                           "PRAGMA synchronous = FULL;"
                                           "PRAGMA wal_autocheckpoint = 8000;"
                                           "PRAGMA foreign_keys = ON;"
                                           "PRAGMA secure_delete = ON;"
                                           "PRAGMA trusted_schema = OFF;"
                                           "PRAGMA temp_store = MEMORY;";
static const char *const reader_settings = "PRAGMA query_only = ON;"
                                           "PRAGMA trusted_schema = OFF;"
                                           "PRAGMA temp_store = MEMORY;";

static bool open_db(struct arena *arena, const char *path, bool writer, struct store_conn **out,
                    struct err *err)
{
    int flags = writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    struct store_conn *conn CLEANUP(close_conn) = arena_alloc(arena, sizeof *conn);

    if (!conn)
        return err_arena(err, arena);

    int rc = sqlite3_open_v2(path, &conn->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK)
        return fail(conn, rc, "open", err);
    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_busy_timeout(conn->db, BUSY_TIMEOUT_MS);
    if (!script(conn, writer ? writer_settings : reader_settings, err))
        return false;
    *out = conn;
    conn = NULL;
    return true;
}

/* SQLite removes the WAL when the last connection closes in order: one that is left with bytes in it
 * means that the process before us did not get that far. */
static bool is_left_open(const char *path)
{
    char wal[PATH_BYTES_MAX + 8];
    struct buf name;
    struct file_info info;
    struct err ignored = {0};

    buf_init_fixed(&name, wal, sizeof wal);
    buf_fmt(&name, "%s-wal", path);
    buf_char(&name, 0);
    return buf_ok(&name) && file_stat(wal, &info, &ignored) && info.bytes > 0;
}

/* The first column of the first row, or an error with what stands there instead. */
static bool expect(struct store_conn *conn, struct arena *arena, const char *sql, struct str want,
                   struct err *err)
{
    const struct statement ask = {sql, NULL, 0};
    size_t mark = arena_mark(arena);
    struct rows rows = {0};
    int64_t changed;

    if (!run(conn, &ask, arena, &rows, &changed, err))
        return false;

    struct str got = rows_at(&rows, 0, 0).s;
    bool ok = str_eq(got, want);

    if (!ok)
        err_set(err, ERR_UNAVAILABLE, "%s gives \"" STR_FMT "\", not \"" STR_FMT "\"", sql,
                STR_ARG(got), STR_ARG(want));
    arena_rewind(arena, mark);
    return ok;
}

/* The file is made by us and not by SQLite, so that nobody else may read it; the WAL inherits that. */
static bool make_private(const char *path, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;

    return file_open(path, FILE_WRITE, 0600, &file, err);
}

static bool open_file(struct arena *arena, const char *path, bool writer, struct store_conn **out,
                      struct err *err)
{
    struct store_conn *conn CLEANUP(close_conn) = NULL;
    bool unclean = writer && is_left_open(path);

    if (strlen(path) > PATH_BYTES_MAX)
        return err_set(err, ERR_INVALID, "path is longer than %d bytes", PATH_BYTES_MAX);
    if ((writer && !make_private(path, err)) || !open_db(arena, path, writer, &conn, err))
        return false;
    /* Some network file systems cannot do WAL, and SQLite falls back without a word. */
    if (writer && !expect(conn, arena, "PRAGMA journal_mode", STR("wal"), err))
        return false;
    if (unclean) {
        if (!expect(conn, arena, "PRAGMA quick_check(1)", STR("ok"), err))
            return err_wrap(err, "is damaged" DAMAGE_ADVICE);
        log_info("database \"%s\" was not closed in order; it is recovered and sound", path);
    }
    *out = conn;
    conn = NULL;
    return true;
}

static bool open_memory(struct arena *arena, const char *path, bool writer, struct store_conn **out,
                        struct err *err)
{
    ASSERT(writer); /* a second connection would see another database */
    return open_db(arena, path, writer, out, err);
}

const struct store_body sqlite_body = {
    .begin = "BEGIN IMMEDIATE",
    .relax = "PRAGMA synchronous = NORMAL",
    .tighten = "PRAGMA synchronous = FULL",
    .scrub = "PRAGMA wal_checkpoint(TRUNCATE)",
    .blank = blank,
    .attach = open_file,
    .detach = close_conn,
    .run = run,
    .script = script,
    .in_transaction = in_transaction,
};
const struct store_body sqlite_memory_body = {
    .begin = "BEGIN IMMEDIATE",
    .one_conn = true,
    .attach = open_memory,
    .detach = close_conn,
    .run = run,
    .script = script,
    .in_transaction = in_transaction,
};
