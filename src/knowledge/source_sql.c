/* Rows of a query as documents: a title, "Column: cell" for each text column, metadata of others. Its mark is
 * the row's own hash, so that a row that did not change is not even made into a text. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/table.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/metadata.h"
#include "knowledge/source.h"
#include "store/query.h"

#define ROW_TEXT_MAX ((size_t)16 * MIB)

struct sql {
    struct source_job *job;
    const struct source_spec *spec;
    struct query *query;
    struct table keys; /* seen: a key names one row */
    size_t key, title; /* columns; title SIZE_MAX: none */
    bool is_text[QUERY_COLUMNS_MAX], is_metadata[QUERY_COLUMNS_MAX];
    struct str *row; /* that was given out */
    const char *wrong;
};

static char present;

/* --- columns ---------------------------------------------------------------------------------- */

static bool find_column(const struct sql *s, struct str name, size_t *out, struct err *err)
{
    for (size_t i = 0; i < query_columns(s->query); i++)
        if (str_eq(query_column(s->query, i), name)) {
            *out = i;
            return true;
        }
    return err_set(err, ERR_INVALID, "the query has no column \"" STR_FMT "\"",
                   STR_ARG(str_slice(name, 0, 60)));
}

static bool find_columns(const struct sql *s, struct str names, bool *out, struct err *err)
{
    struct str name;
    size_t i;

    for (struct str rest = names; rest.len > 0 && str_split(&rest, ',', &name);) {
        if (!find_column(s, str_trim(name), &i, err))
            return false;
        out[i] = true;
    }
    return true;
}

/* Text columns that nobody named are all that are nothing else. */
static bool know_columns(struct sql *s, struct err *err)
{
    s->title = SIZE_MAX;
    if (!find_column(s, s->spec->sql.key, &s->key, err) ||
        (s->spec->sql.title.len > 0 && !find_column(s, s->spec->sql.title, &s->title, err)) ||
        !find_columns(s, s->spec->sql.text, s->is_text, err) ||
        !find_columns(s, s->spec->sql.metadata, s->is_metadata, err))
        return false;
    for (size_t i = 0; s->spec->sql.text.len == 0 && i < query_columns(s->query); i++)
        s->is_text[i] = i != s->key && i != s->title && !s->is_metadata[i];
    return true;
}

static bool open_sql(struct source_job *job, void **self, struct err *err)
{
    struct sql *s = arena_alloc(job->arena, sizeof *s);
    const struct secret *url = job->spec->sql.url;
    bool server = url && !secret_is_empty(url);
    struct query_options options = {.database = server ? secret_reveal(url) : job->spec->location,
                                    .sql = job->spec->sql.query,
                                    .timeout = job->spec->sql.timeout};

    if (!s)
        return err_arena(err, job->arena);
    s->job = job;
    s->spec = job->spec;
    table_init(&s->keys, job->arena, 10 * 1000 * 1000);
    *self = s;
    return query_open(job->arena, &options, &s->query, err) && know_columns(s, err);
}

static void close_sql(void **self)
{
    struct sql *s = *self;

    query_close(&s->query);
    *self = NULL;
}

/* --- a row ------------------------------------------------------------------------------------ */

static struct str row_mark(const struct sql *s, struct arena *scratch)
{
    struct buf b, hex;

    size_t before = arena_mark(scratch);

    buf_init(&b, scratch, 2 * ROW_TEXT_MAX);
    for (size_t i = 0; i < query_columns(s->query); i++) {
        record_put_str(&b, query_column(s->query, i));
        buf_char(&b, s->row[i].ptr ? 1 : 0);
        record_put_str(&b, s->row[i]);
    }
    buf_str(&b, s->spec->sql.text);
    buf_char(&b, 0);
    buf_str(&b, s->spec->sql.metadata);
    buf_char(&b, 0);
    buf_str(&b, s->spec->sql.title);
    bool ok = buf_ok(&b);
    struct sha256 hash = sha256(buf_view(&b));
    arena_rewind(scratch, before);
    buf_init(&hex, scratch, 2 * SHA256_BYTES);
    buf_hex(&hex, hash.bytes, sizeof hash.bytes);
    return ok && buf_ok(&hex) ? buf_view(&hex) : STR("");
}

/* "007" and "-012" are codes: no number is written so. */
static bool is_number(struct str cell)
{
    struct str digits = str_slice(cell, str_starts(cell, STR("-")), cell.len);
    double number;

    return cell.len < 16 && f64_parse(cell, &number) &&
           (digits.ptr[0] != '0' || digits.len == 1 || digits.ptr[1] < '0' || digits.ptr[1] > '9');
}

/* Whole numbers, other numbers and truths as such, so that filters can compare them; else text. */
static void put_value(struct json_writer *w, struct str cell)
{
    if (is_number(cell))
        jw_raw(w, cell);
    else if (str_eq(cell, STR("true")) || str_eq(cell, STR("false")))
        jw_raw(w, cell);
    else
        jw_str(w, cell);
}

static bool put_metadata(const struct sql *s, struct arena *scratch, struct beside *out,
                         struct err *err)
{
    struct json_writer w;
    struct buf b;
    struct str text;

    if (s->spec->sql.metadata.len == 0)
        return true;
    buf_init(&b, scratch, 4 * METADATA_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    for (size_t i = 0; i < query_columns(s->query); i++)
        if (s->is_metadata[i] && s->row[i].ptr) {
            jw_key_str(&w, query_column(s->query, i));
            put_value(&w, s->row[i]);
        }
    jw_object_end(&w);
    if (!buf_finish(&b, &text, err))
        return false;
    struct json *j = json_parse(scratch, text, err);
    out->says_metadata = true;
    return j && metadata_read(scratch, j, json_root(j), &out->labels.metadata, err);
}

static bool next(void *self, struct arena *scratch, struct source_item *out, bool *more,
                 struct err *err)
{
    struct sql *s = self;

    s->wrong = NULL;
    if (!query_next(s->query, scratch, &s->row, more, err))
        return err_wrap(err, "row %" PRIu64, s->job->known + 1);
    if (!*more)
        return true;
    s->job->known++;
    struct str key = s->row[s->key];
    out->item.source = arena_fmt(scratch, "sql:" STR_FMT "/" STR_FMT, STR_ARG(s->spec->name),
                                 STR_ARG(str_slice(key, 0, 1000)));
    out->item.shown =
        arena_fmt(scratch, STR_FMT "/" STR_FMT "=" STR_FMT, STR_ARG(s->spec->name),
                  STR_ARG(query_column(s->query, s->key)), STR_ARG(str_slice(key, 0, 1000)));
    out->item.title = s->title != SIZE_MAX && s->row[s->title].ptr ? s->row[s->title] : STR("");
    out->item.type = DOCUMENT_TEXT;
    struct str name = arena_str(s->job->arena, str_slice(key, 0, 1000));
    if (!out->item.source.ptr || !out->item.shown.ptr || !name.ptr)
        return err_arena(err, scratch);
    struct err why = {0};
    if (!key.ptr || key.len == 0 || key.len > 1000)
        s->wrong = "its key is empty, or longer than 1000 bytes";
    else if (table_get(&s->keys, name))
        s->wrong = "its key is that of an earlier row";
    else if (!table_put(&s->keys, name, &present, NULL))
        return err_arena(err, s->job->arena);
    else if (!put_metadata(s, scratch, &out->beside, &why))
        s->wrong = "its metadata columns hold more than metadata may";
    out->item.mark = s->wrong ? STR("") : row_mark(s, scratch);
    return true;
}

static void put_cell(struct buf *b, struct str column, struct str cell)
{
    if (str_trim(cell).len == 0)
        return;
    buf_str(b, column);
    buf_str(b, STR(": "));
    buf_str(b, str_trim(cell));
    buf_str(b, STR("\n\n"));
}

static bool fetch_row(void *self, struct arena *scratch, struct source_item *item,
                      struct content *out, struct err *err)
{
    struct sql *s = self;
    struct buf b;

    if (s->wrong) {
        out->outcome = OUTCOME_SKIP;
        err_set(&out->why, ERR_INVALID, "%s", s->wrong);
        return true;
    }
    buf_init(&b, scratch, s->job->knowledge->file_bytes_max);
    if (item->item.title.len > 0) {
        buf_str(&b, item->item.title);
        buf_str(&b, STR("\n\n"));
    }
    for (size_t i = 0; i < query_columns(s->query); i++)
        if (s->is_text[i] && s->row[i].ptr)
            put_cell(&b, query_column(s->query, i), s->row[i]);
    if (buf_ok(&b)) {
        out->bytes = buf_view(&b);
        return true;
    }
    if (!b.too_large)
        return err_arena(err, scratch);
    out->outcome = OUTCOME_SKIP;
    err_set(&out->why, ERR_TOO_LARGE, "larger than %zu bytes", s->job->knowledge->file_bytes_max);
    return true;
}

const struct source_kind source_sql = {.blocks = true,
                                       .begin = open_sql,
                                       .next = next,
                                       .fetch = fetch_row,
                                       .close = close_sql};
