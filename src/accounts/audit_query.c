#include "accounts/audit_query.h"

#include <string.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "base/json.h"
#include "sys/file.h"

#define SCAN_BYTES ((size_t)1 * GIB)

/* Texts that must be equal: indexed ones first, in the order of enum audit_column. */
static const struct {
    struct str name;
    size_t offset;
} texts[] = {
    {{"key", 3}, offsetof(struct audit_query, key)},
    {{"tenant", 6}, offsetof(struct audit_query, tenant)},
    {{"team", 4}, offsetof(struct audit_query, team)},
    {{"subject", 7}, offsetof(struct audit_query, subject)},
    {{"model", 5}, offsetof(struct audit_query, model)},
    {{"provider", 8}, offsetof(struct audit_query, provider)},
    {{"route", 5}, offsetof(struct audit_query, route)},
    {{"outcome", 7}, offsetof(struct audit_query, outcome)},
    {{"error", 5}, offsetof(struct audit_query, error)},
    {{"cache", 5}, offsetof(struct audit_query, cache)},
    {{"route_name", 10}, offsetof(struct audit_query, route_name)},
    {{"remote_model", 12}, offsetof(struct audit_query, remote_model)},
    {{"deployment", 10}, offsetof(struct audit_query, deployment)},
};

#define TEXTS ARRAY_LEN(texts)

/* A query made ready: texts as they stand in a line. */
struct search {
    const char *dir;
    const struct audit_query *query;
    struct str raw[TEXTS]; /* empty: any */
    uint32_t hash[COLUMNS];
    audit_reader *fn;
    void *ctx;
    struct file *file; /* of the segment */
    char *line;        /* AUDIT_LINE_MAX */
    size_t shown;
    uint64_t last; /* shown */
    bool full;
};

static struct str text_at(const struct audit_query *query, size_t i)
{
    return *(const struct str *)(const void *)((const char *)query + texts[i].offset);
}

static bool prepare(struct search *s, struct arena *arena, struct err *err)
{
    s->line = arena_alloc_raw(arena, AUDIT_LINE_MAX);
    for (size_t i = 0; i < TEXTS; i++) {
        struct str text = text_at(s->query, i);
        struct buf b;

        if (!text.len)
            continue;
        buf_init(&b, arena, AUDIT_LINE_MAX);
        buf_json_str(&b, text);
        if (!buf_finish(&b, &s->raw[i], err))
            return false;
        if (i < COLUMNS)
            s->hash[i] = audit_column_hash(s->raw[i]);
    }
    return s->line || err_arena(err, arena);
}

/* ---- does it fit ---- */

static bool row_fits(const struct search *s, const struct audit_row *row)
{
    const struct audit_query *q = s->query;

    if ((q->from && row->time < q->from) || (q->until && row->time >= q->until) ||
        (q->request && row->request != q->request) || row->cost < q->cost_min ||
        (q->status_min && row->status < q->status_min) ||
        (q->status_max && (!row->status || row->status > q->status_max)))
        return false;
    for (size_t i = 0; i < COLUMNS; i++)
        if (s->hash[i] && s->hash[i] != row->columns[i])
            return false;
    return true;
}

static bool has_tag(struct str raw, struct str tag)
{
    struct str rest = str_slice(raw, 1, raw.len - 1), one; /* our tags need no escapes */

    while (raw.len > 2 && str_split(&rest, ',', &one))
        if (str_eq(one, tag))
            return true;
    return false;
}

/* The line decides: a table may be wrong, and two texts may have one hash. */
static bool line_fits(const struct search *s, struct str line)
{
    const struct audit_query *q = s->query;
    struct audit_row row;

    audit_row_read(line, &row);
    if (!row_fits(s, &row))
        return false;
    for (size_t i = 0; i < TEXTS; i++)
        if (s->raw[i].len && !str_eq(audit_member_raw(line, texts[i].name), s->raw[i]))
            return false;
    return !q->tag.len || has_tag(audit_member_raw(line, STR("tags")), q->tag);
}

/* ---- running ---- */

static bool load_line(struct search *s, const struct audit_row *row, struct str *out,
                      struct err *err)
{
    size_t got = 0;

    *out = STR_NONE;
    if (row->len >= AUDIT_LINE_MAX)
        return true; /* no such line: a table that is wrong */
    for (size_t have = 0; have < row->len; have += got)
        if (!file_read_at(s->file, (int64_t)(row->at + have), s->line + have, row->len - have, &got,
                          err))
            return false;
        else if (!got)
            return true;
    *out = (struct str){s->line, row->len};
    return true;
}

static bool look_at(struct search *s, const struct audit_row *row, uint64_t seq, struct err *err)
{
    struct str line;

    if (!row_fits(s, row))
        return true;
    if (!load_line(s, row, &line, err))
        return false;
    if (!line.len || !line_fits(s, line))
        return true;
    if (s->query->limit && s->shown == s->query->limit) {
        s->full = true;
        return true;
    }
    if (!s->fn(s->ctx, seq, line, err))
        return false;
    s->shown++;
    s->last = seq;
    return true;
}

static bool is_behind(const struct audit_query *q, uint64_t seq)
{
    return !q->after || (q->oldest_first ? seq > q->after : seq < q->after);
}

static bool walk(struct search *s, const struct audit_table *table, uint64_t first, struct err *err)
{
    const struct audit_query *q = s->query;

    for (size_t n = 0; n < table->count && !s->full; n++) {
        size_t i = q->oldest_first ? n : table->count - 1 - n;

        if (is_behind(q, first + i) && !look_at(s, &table->rows[i], first + i, err))
            return false;
    }
    return true;
}

/* *gone: retention has removed it since the files were listed. */
static bool open_segment(struct search *s, struct arena *arena, uint64_t first,
                         struct audit_table *table, bool *gone, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct file_info info;
    struct err why = {0}, missing = {0};

    *gone = false;
    if (!audit_path(path, s->dir, first, ".log", err))
        return false;
    file_close(&s->file);
    if (file_open(path, FILE_READ, 0, &s->file, &why) &&
        audit_table_open(table, arena, s->dir, first, &why))
        return true;
    *gone = why.code == ERR_NOT_FOUND && !file_stat(path, &info, &missing) &&
            missing.code == ERR_NOT_FOUND;
    if (!*gone)
        *err = why;
    return *gone;
}

static bool search_segment(struct search *s, uint64_t first, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(SCAN_BYTES);
    struct audit_table table CLEANUP(audit_table_close) = {0};
    const struct audit_query *q = s->query;
    bool gone;

    if (!arena)
        return err_no_room(err, "no memory to search the audit log");
    if (!open_segment(s, arena, first, &table, &gone, err))
        return false;
    if (gone || !table.count || (q->from && table.last_time < q->from) ||
        (q->until && table.first_time >= q->until))
        return true;
    return walk(s, &table, first, err);
}

/* Can a record of the segment that ends before `end` lie behind the cursor? */
static bool segment_matters(const struct audit_query *q, uint64_t first, uint64_t end)
{
    return !q->after || (q->oldest_first ? end > q->after + 1 : first < q->after);
}

bool audit_query(const char *dir, const struct audit_query *query, audit_reader *fn, void *ctx,
                 uint64_t *next, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)256 * MIB);
    struct search s = {.dir = dir, .query = query, .fn = fn, .ctx = ctx};
    uint64_t *firsts;
    size_t count;
    bool ok;

    if (!arena)
        return err_no_room(err, "no memory to search the audit log");
    ok = prepare(&s, arena, err) && audit_segments(arena, dir, &firsts, &count, err);
    for (size_t n = 0; ok && n < count && !s.full; n++) {
        size_t i = query->oldest_first ? n : count - 1 - n;

        if (segment_matters(query, firsts[i], i + 1 < count ? firsts[i + 1] : UINT64_MAX))
            ok = search_segment(&s, firsts[i], err);
    }
    file_close(&s.file);
    if (ok)
        *next = s.full ? s.last : 0;
    return ok;
}

/* ---- for spreadsheets ---- */

static const char *const csv_columns[] = {
    "seq",
    "time",
    "request",
    "parent",
    "key",
    "tenant",
    "team",
    "subject",
    "tags",
    "route",
    "model",
    "route_name",
    "deployment",
    "provider",
    "remote_model",
    "attempts",
    "fallback_from",
    "apart",
    "cache",
    "dropped",
    "status",
    "outcome",
    "error",
    "streamed",
    "tokens_in",
    "tokens_out",
    "tokens_cached",
    "tokens_cache_write",
    "tokens_reasoning",
    "tokens_audio",
    "tokens_estimated",
    "cost",
    "cost_in",
    "cost_out",
    "cost_cached",
    "cost_cache_write",
    "cost_reasoning",
    "cost_hedge",
    "cost_attempts",
    "citations",
    "bytes_in",
    "bytes_out",
    "took_us",
    "first_byte_us",
    "body",
    "body_hash",
    "body_truncated",
    "note",
    "hash",
};

void audit_csv_head(struct buf *to)
{
    for (size_t i = 0; i < ARRAY_LEN(csv_columns); i++) {
        buf_str(to, i ? STR(",") : STR(""));
        buf_str(to, str_from(csv_columns[i]));
    }
    buf_str(to, STR("\r\n"));
}

/* A spreadsheet runs what begins with one of these. */
static bool is_formula(struct str text)
{
    return text.len && strchr("=+-@\t\r\n|%", text.ptr[0]);
}

static void put_cell(struct str text, struct buf *to)
{
    buf_char(to, '"');
    if (is_formula(text))
        buf_char(to, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_char(to, '"');
        buf_char(to, text.ptr[i]);
    }
    buf_char(to, '"');
}

bool audit_csv_line(struct str line, struct arena *arena, struct buf *to, struct err *err)
{
    size_t mark = arena_mark(arena);
    const struct json *j = json_parse(arena, line, err);

    if (!j)
        return err_wrap(err, "the record \"" STR_FMT "\" cannot be read",
                        STR_ARG(str_slice(line, 0, str_find_char(str_slice(line, 0, 40), ','))));
    for (size_t i = 0; i < ARRAY_LEN(csv_columns); i++) {
        json_ref v = json_get(j, json_root(j), str_from(csv_columns[i]));
        struct str text = STR_NONE;

        buf_str(to, i ? STR(",") : STR(""));
        if (json_kind(j, v) == JSON_STRING && json_str(j, v, arena, &text))
            put_cell(text, to);
        else if (v)
            buf_str(to, json_raw(j, v));
    }
    buf_str(to, STR("\r\n"));
    arena_rewind(arena, mark);
    return true;
}
