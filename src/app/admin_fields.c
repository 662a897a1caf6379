#include "app/admin_fields.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

/* ---- the body ---- */

static json_ref member(const struct admin_call *call, const char *name)
{
    return call->body ? json_get(call->body, json_root(call->body), str_from(name)) : 0;
}

bool field_given(const struct admin_call *call, const char *name)
{
    return member(call, name) != 0;
}

/* 0 for null, too. */
static json_ref value_of(const struct admin_call *call, const char *name)
{
    json_ref v = member(call, name);

    return v && json_kind(call->body, v) == JSON_NULL ? 0 : v;
}

bool field_text(struct admin_call *call, const char *name, struct str *out, struct err *err)
{
    json_ref v = value_of(call, name);

    return !v || json_str(call->body, v, call->arena, out) || err_arena(err, call->arena);
}

void field_count(const struct admin_call *call, const char *name, int64_t *out)
{
    json_ref v = value_of(call, name);
    bool ok = !v || json_i64(call->body, v, out);

    ASSERT(ok); /* the route's table says it is a count */
}

void field_usd(const struct admin_call *call, const char *name, usd_micro *out)
{
    json_ref v = value_of(call, name);
    bool ok = !v || usd_parse(json_raw(call->body, v), out);

    ASSERT(ok);
}

void field_bool(const struct admin_call *call, const char *name, bool *out)
{
    json_ref v = value_of(call, name);
    bool ok = !v || json_bool(call->body, v, out);

    ASSERT(ok);
}

static const struct schema_field *row_of(const struct schema *schema, const char *name)
{
    for (; schema; schema = schema->base)
        for (const struct schema_field *f = schema->fields; f->name; f++)
            if (str_eq(str_from(f->name), str_from(name)))
                return f;
    return NULL;
}

bool field_choice(struct admin_call *call, const char *name, int *out, struct err *err)
{
    const struct schema_field *row = row_of(call->route->takes, name);
    struct str text = STR_NONE;

    ASSERT(row && row->type == FIELD_CHOICE);
    if (!field_text(call, name, &text, err))
        return false;
    if (text.ptr)
        *out = choice_find(row->choices, text);
    return true;
}

bool field_time(struct admin_call *call, const char *name, wall_ms *out, struct err *err)
{
    struct str text = STR_NONE;

    if (!field_text(call, name, &text, err))
        return false;
    if (text.ptr && !time_parse(text, out))
        return field_wrong(call, name, err, "there is no such day");
    return true;
}

bool field_list(struct admin_call *call, const char *name, struct str **out, size_t *count,
                struct err *err)
{
    json_ref v = value_of(call, name);
    size_t i = 0;

    if (!v)
        return true;
    struct str *list = arena_array(call->arena, json_count(call->body, v) + 1, sizeof *list);
    if (!list)
        return err_arena(err, call->arena);
    for (json_ref item = json_first(call->body, v); item; item = json_next(call->body, item))
        if (!json_str(call->body, item, call->arena, &list[i++]))
            return err_arena(err, call->arena);
    *out = list;
    *count = i;
    return true;
}

bool field_wrong(struct admin_call *call, const char *name, struct err *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    struct schema_faults *faults = arena_alloc(call->arena, sizeof *faults);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    call->status = 422;
    call->problem = "wrong_fields";
    if (faults) {
        faults->arena = call->arena;
        faults->count = 1;
        faults->at[0] = (struct schema_fault){str_from(name), arena_fmt(call->arena, "%s", text)};
        call->faults = faults;
    }
    return err_set(err, ERR_INVALID, "\"%s\": %s", name, text);
}

/* ---- the query ---- */

struct str query_text(struct admin_call *call, const char *name)
{
    return http_query(call->arena, http_head(call->http)->query, str_from(name));
}

int64_t query_count(struct admin_call *call, const char *name, int64_t fallback)
{
    int64_t n;

    return i64_parse(query_text(call, name), &n) ? n : fallback;
}

int query_choice(struct admin_call *call, const char *name, int fallback)
{
    struct str text = query_text(call, name);
    const struct schema_field *f = call->route->query;

    while (f && f->name && !str_eq(str_from(f->name), str_from(name)))
        f++;
    ASSERT(f && f->name && f->type == FIELD_CHOICE);
    return text.ptr ? choice_find(f->choices, text) : fallback;
}

bool query_bool(struct admin_call *call, const char *name, bool fallback)
{
    struct str text = query_text(call, name);

    return text.ptr ? str_eq(text, STR("true")) : fallback;
}

bool query_time(struct admin_call *call, const char *name, wall_ms *out, struct err *err)
{
    struct str text = query_text(call, name);

    return !text.ptr || time_parse(text, out) ||
           err_set(err, ERR_INVALID, "\"%s\": there is no such day", name);
}

/* ---- pages ---- */

/* A cursor is the key in hexadecimal: callers see that it is not theirs to make up. */
static bool read_cursor(struct admin_call *call, struct page *page, struct err *err)
{
    struct str text = query_text(call, "cursor");
    size_t len = text.len / 2;
    uint8_t *bytes;

    page->after = STR("");
    if (text.len == 0)
        return true;
    bytes = arena_alloc(call->arena, len + 1);
    if (!bytes)
        return err_arena(err, call->arena);
    if (!hex_parse(text, bytes, len))
        return admin_fail(call, 400, "bad_cursor", err,
                          "\"cursor\" is none that Weir gave: pass next_cursor as it came");
    page->after = (struct str){(const char *)bytes, len};
    return true;
}

bool page_begin(struct admin_call *call, struct page *page, struct err *err)
{
    ASSERT(call->route->paged);
    *page = (struct page){.limit = (size_t)query_count(call, "limit", PAGE_LIMIT)};
    if (!read_cursor(call, page, err))
        return false;
    jw_object(&call->reply);
    jw_key(&call->reply, "items");
    jw_array(&call->reply);
    return true;
}

bool page_is_full(const struct page *page)
{
    return page->more;
}

bool page_wants(struct page *page, struct str key)
{
    if (page->more || (page->after.len > 0 && str_cmp(key, page->after) <= 0))
        return false;
    if (page->taken == page->limit) {
        page->more = true;
        return false;
    }
    page->taken++;
    page->last = key;
    return true;
}

void page_end(struct admin_call *call, const struct page *page)
{
    struct json_writer *w = &call->reply;

    jw_array_end(w);
    jw_key(w, "next_cursor");
    if (page->more) {
        struct buf b;

        buf_init(&b, call->arena, 2 * page->last.len + 1);
        buf_hex(&b, page->last.ptr, page->last.len);
        jw_str(w, buf_view(&b));
    } else
        jw_null(w);
    jw_object_end(w);
}

/* ---- the reply ---- */

void reply_text(struct json_writer *w, const char *name, struct str s)
{
    jw_key(w, name);
    jw_str(w, s);
}

void reply_count(struct json_writer *w, const char *name, int64_t n)
{
    jw_key(w, name);
    jw_i64(w, n);
}

void reply_usd(struct json_writer *w, const char *name, usd_micro n)
{
    jw_key(w, name);
    jw_usd(w, n);
}

void reply_bool(struct json_writer *w, const char *name, bool b)
{
    jw_key(w, name);
    jw_bool(w, b);
}

void reply_time(struct json_writer *w, const char *name, wall_ms t)
{
    char text[25];

    jw_key(w, name);
    if (t == 0) {
        jw_null(w);
        return;
    }
    wall_format(t, text);
    jw_cstr(w, text);
}

/* ---- time ---- */

static int number_at(struct str s, size_t from, size_t count)
{
    uint64_t n = 0;

    return u64_parse(str_slice(s, from, from + count), &n) ? (int)n : -1;
}

static int days_of_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days from 1970-01-01. Source: Hinnant, "chrono-compatible low-level date algorithms". */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400,
            of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool time_parse(struct str s, wall_ms *out)
{
    int year = number_at(s, 0, 4), month = number_at(s, 5, 2), day = number_at(s, 8, 2);
    int hour = number_at(s, 11, 2), minute = number_at(s, 14, 2), second = number_at(s, 17, 2);
    int64_t ms = 0, unit = 100;
    size_t at = 19;

    if (!schema_is_time(s) || month < 1 || day < 1 || day > days_of_month(year, month))
        return false;
    if (s.ptr[at] == '.')
        for (at++; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++, unit /= 10)
            ms += unit * (s.ptr[at] - '0');
    if (at < s.len && s.ptr[at] != 'Z') {
        int hours = number_at(s, at + 1, 2), minutes = number_at(s, at + 4, 2);

        if (hours < 0 || minutes < 0)
            return false;
        minute -= (s.ptr[at] == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    *out =
        (((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}
