/* Writing JSON into a buf. Whether the bytes fit is the buf's business (sticky, asked at the end). */
#include <math.h>
#include <string.h>

#include "base/json_internal.h"
#include "base/scan.h"

#define DEPTH_MAX 63
#define SHORT_MAX 16 /* of scan_short_is_plain() */

/* ---- strings ---- */

static void put_control(struct buf *b, char c)
{
    switch (c) {
    case '\b': buf_put(b, "\\b", 2); return;
    case '\f': buf_put(b, "\\f", 2); return;
    case '\n': buf_put(b, "\\n", 2); return;
    case '\r': buf_put(b, "\\r", 2); return;
    case '\t': buf_put(b, "\\t", 2); return;
    default: break;
    }
    buf_put(b, "\\u00", 4);
    buf_hex(b, &c, 1);
}

/* Text without quotes, backslashes and controls; every byte that is no UTF-8 becomes U+FFFD. */
static void put_text(struct buf *b, const char *at, const char *end)
{
    for (;;) {
        const char *bad = scan_bad_utf8(at, end);
        buf_put(b, at, (size_t)(bad - at));
        if (bad == end)
            return;
        buf_put(b, "\xef\xbf\xbd", 3);
        at = bad + 1;
    }
}

/* Between the quotes, whatever it is. */
static void put_inside(struct buf *b, struct str s)
{
    const char *at = s.len ? s.ptr : "", *end = at + s.len;

    for (;;) {
        bool high = false;
        const char *stop = scan_json_special(at, end, &high);
        if (high)
            put_text(b, at, stop);
        else
            buf_put(b, at, (size_t)(stop - at));
        if (stop == end)
            break;
        if (*stop == '"' || *stop == '\\')
            buf_put(b, (char[]){'\\', *stop}, 2);
        else
            put_control(b, *stop);
        at = stop + 1;
    }
}

/* Names and words are short, and hardly ever hold what must be escaped. */
void buf_json_str(struct buf *b, struct str s)
{
    bool plain = s.len <= SHORT_MAX && scan_short_is_plain(s.ptr, s.len);
    char *to = plain ? buf_room(b, s.len + 2) : NULL;

    if (LIKELY(to != NULL)) {
        *to = '"';
        if (s.len > 0)
            memcpy(to + 1, s.ptr, s.len);
        to[s.len + 1] = '"';
        b->len += s.len + 2;
        return;
    }
    buf_char(b, '"');
    put_inside(b, s);
    buf_char(b, '"');
}

/* ---- structure ---- */

void jw_init(struct json_writer *w, struct buf *to)
{
    *w = (struct json_writer){.to = to};
}

/* The comma before a value or key, unless it is the first of its level or follows its key. */
static void separate(struct json_writer *w)
{
    uint64_t bit = UINT64_C(1) << w->depth;

    if (w->after_key)
        w->after_key = false;
    else if (w->has_items & bit)
        buf_char(w->to, ',');
    w->has_items |= bit;
}

static void open_level(struct json_writer *w, char bracket)
{
    separate(w);
    buf_char(w->to, bracket);
    ASSERT(w->depth < DEPTH_MAX);
    w->depth++;
    w->has_items &= ~(UINT64_C(1) << w->depth);
}

static void close_level(struct json_writer *w, char bracket)
{
    ASSERT(w->depth > 0);
    ASSERT(!w->after_key);
    w->depth--;
    buf_char(w->to, bracket);
}

void jw_object(struct json_writer *w)
{
    open_level(w, '{');
}

void jw_object_end(struct json_writer *w)
{
    close_level(w, '}');
}

void jw_array(struct json_writer *w)
{
    open_level(w, '[');
}

void jw_array_end(struct json_writer *w)
{
    close_level(w, ']');
}

void jw_key_str(struct json_writer *w, struct str key)
{
    ASSERT(w->depth > 0);
    ASSERT(!w->after_key);
    separate(w);
    buf_json_str(w->to, key);
    buf_char(w->to, ':');
    w->after_key = true;
}

void jw_key_raw(struct json_writer *w, struct str raw)
{
    ASSERT(w->depth > 0);
    ASSERT(!w->after_key);
    separate(w);
    buf_char(w->to, '"');
    buf_str(w->to, raw);
    buf_put(w->to, "\":", 2);
    w->after_key = true;
}

void jw_key(struct json_writer *w, const char *key)
{
    jw_key_str(w, str_from(key));
}

/* ---- values ---- */

void jw_raw(struct json_writer *w, struct str json)
{
    separate(w);
    buf_str(w->to, json);
}

void jw_str(struct json_writer *w, struct str s)
{
    separate(w);
    buf_json_str(w->to, s);
}

void jw_cstr(struct json_writer *w, const char *s)
{
    jw_str(w, str_from(s));
}

void jw_text(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
}

void jw_i64(struct json_writer *w, int64_t n)
{
    separate(w);
    buf_i64(w->to, n);
}

void jw_u64(struct json_writer *w, uint64_t n)
{
    separate(w);
    buf_u64(w->to, n);
}

void jw_f64(struct json_writer *w, double n)
{
    char text[32];
    struct buf b;
    double back = 0;

    if (!isfinite(n)) {
        jw_null(w);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        buf_init_fixed(&b, text, sizeof text);
        buf_fmt(&b, "%.*g", digits, n);
        ASSERT(buf_ok(&b));
        /* By bits, so that -0 stays -0. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
        if (digits == 17 || (f64_parse(buf_view(&b), &back) && memcmp(&back, &n, sizeof n) == 0))
            break;
    }
    jw_raw(w, buf_view(&b));
}

void jw_bool(struct json_writer *w, bool b)
{
    jw_raw(w, b ? STR("true") : STR("false"));
}

void jw_null(struct json_writer *w)
{
    jw_raw(w, STR("null"));
}

void jw_usd(struct json_writer *w, usd_micro n)
{
    separate(w);
    buf_usd(w->to, n);
}
