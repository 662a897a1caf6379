/* Events are found by their blank line first and taken apart when whole.
 *
 * A CR at the very end of the bytes is not yet a line end: an LF that follows belongs to it. So the
 * events, with their raw bytes, do not depend on where the stream was cut; sse_finish() settles the
 * question at the end of the stream. */
#include "net/sse.h"

#include <string.h>

#include "base/scan.h"

#define REST_CAP_FIRST 512

static const char bom[3] = "\xef\xbb\xbf";

void sse_reader_init(struct sse_reader *r, struct arena *arena, size_t event_bytes_max)
{
    *r = (struct sse_reader){.arena = arena, .event_bytes_max = event_bytes_max, .now = STR("")};
}

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

/* The length of the line end at p: CR, LF or CRLF. */
static size_t line_end_len(const char *p, const char *end)
{
    return end - p > 1 && p[0] == '\r' && p[1] == '\n' ? 2 : 1;
}

/* Does a blank line begin at `line`, in the event that begins at `first`? A byte order mark before
 * the first line of the stream is no part of it. */
static bool is_blank_line(const struct sse_reader *r, const char *first, const char *line)
{
    if (line == first || is_line_end(line[-1]))
        return true;
    return !r->started && line - first == sizeof bom && memcmp(first, bom, sizeof bom) == 0;
}

/* Where the event at r->at ends, counted from there; 0 when it has not all come. r->scanned keeps
 * what was looked at, so that an event in many cuts is still scanned once. */
static size_t event_length(struct sse_reader *r)
{
    const char *first = r->now.ptr + r->at, *end = r->now.ptr + r->now.len;
    const char *p = first + r->scanned;

    for (;;) {
        p = scan_line_end(p, end);
        r->scanned = (size_t)(p - first);
        if (p == end || (*p == '\r' && end - p == 1 && !r->finished))
            return 0;
        size_t len = line_end_len(p, end);
        if (is_blank_line(r, first, p))
            return (size_t)(p - first) + len;
        p += len;
    }
}

/* ---- feeding ---- */

static size_t unread(const struct sse_reader *r)
{
    return r->now.len - r->at;
}

/* No event among the bytes at hand is above the limit, whole or not. On a copy: nothing is taken. */
static bool sizes_are_fine(struct sse_reader probe)
{
    size_t len;

    while ((len = event_length(&probe)) > 0) {
        if (len > probe.event_bytes_max)
            return false;
        probe.at += len;
        probe.scanned = 0;
        probe.started = true;
    }
    return unread(&probe) <= probe.event_bytes_max;
}

static bool make_room(struct sse_reader *r, size_t need)
{
    size_t cap = MAX_OF(MAX_OF(need, 2 * r->rest_cap), (size_t)REST_CAP_FIRST);

    if (need <= r->rest_cap)
        return true;
    char *rest = arena_grow(r->arena, r->rest, r->rest_cap, cap);
    if (!rest)
        return false;
    r->rest = rest;
    r->rest_cap = cap;
    return true;
}

/* Move what is unread to the front of r->rest: the fed bytes may be gone after this. */
static bool keep_unread(struct sse_reader *r)
{
    size_t left = unread(r);

    if (r->rest && r->now.ptr == r->rest) {
        if (r->at > 0)
            memmove(r->rest, r->rest + r->at, left);
    } else if (make_room(r, left)) {
        memcpy(r->rest, r->now.ptr + r->at, left);
    } else {
        return false;
    }
    r->now = (struct str){r->rest, left};
    r->at = 0;
    return true;
}

bool sse_feed(struct sse_reader *r, struct str bytes, struct err *err)
{
    ASSERT(!r->finished);
    if (r->no_memory)
        return err_arena(err, r->arena);
    if (bytes.len == 0)
        return true;
    if (unread(r) == 0) {
        r->now = bytes;
        r->at = r->scanned = 0;
    } else {
        size_t left = unread(r);
        if (!keep_unread(r) || !make_room(r, left + bytes.len))
            return err_arena(err, r->arena);
        memcpy(r->rest + left, bytes.ptr, bytes.len);
        r->now = (struct str){r->rest, left + bytes.len};
    }
    if (r->now.len > r->event_bytes_max && !sizes_are_fine(*r))
        return err_set(err, ERR_TOO_LARGE, "event above %zu bytes", r->event_bytes_max);
    return true;
}

void sse_finish(struct sse_reader *r)
{
    r->finished = true;
}

size_t sse_left_over(const struct sse_reader *r)
{
    return unread(r);
}

/* ---- reading ---- */

/* A second line of data: from here on the data is joined in memory of the reader, at the event's own
 * place, so that the views of all events of one feed live side by side. */
static bool join_data(struct sse_reader *r, struct sse_event *e, struct str value)
{
    if (r->joined_cap < r->now.len) {
        size_t cap = MAX_OF(r->now.len, 2 * r->joined_cap);
        char *joined = arena_alloc_raw(r->arena, cap);
        if (!joined)
            return false;
        r->joined = joined;
        r->joined_cap = cap;
    }
    char *to = r->joined + r->at;
    if (e->data.ptr != to)
        memcpy(to, e->data.ptr, e->data.len);
    to[e->data.len] = '\n';
    memcpy(to + e->data.len + 1, value.ptr, value.len);
    e->data = (struct str){to, e->data.len + 1 + value.len};
    return true;
}

static bool take_line(struct sse_reader *r, struct sse_event *e, struct str line)
{
    size_t colon = str_find_char(line, ':');
    struct str name = str_slice(line, 0, colon), value = str_slice(line, colon + 1, line.len);

    if (str_starts(value, STR(" ")))
        value = str_slice(value, 1, value.len);
    if (str_eq(name, STR("data"))) {
        if (e->has_data)
            return join_data(r, e, value);
        e->data = value;
        e->has_data = true;
    } else if (str_eq(name, STR("event"))) {
        e->event = value;
    } else if (str_eq(name, STR("id")) && str_find_char(value, 0) == value.len) {
        e->id = value;
    }
    return true;
}

static bool take_apart(struct sse_reader *r, struct sse_event *e)
{
    const char *p = e->raw.ptr, *end = p + e->raw.len;

    if (!r->started && e->raw.len >= sizeof bom && memcmp(p, bom, sizeof bom) == 0)
        p += sizeof bom;
    while (p < end) {
        const char *stop = scan_line_end(p, end);
        if (!take_line(r, e, (struct str){p, (size_t)(stop - p)}))
            return false;
        p = stop + line_end_len(stop, end);
    }
    return true;
}

bool sse_next(struct sse_reader *r, struct sse_event *out)
{
    size_t len = event_length(r);
    struct sse_event e = {.raw = {r->now.ptr + r->at, len}};

    if (len > 0 && take_apart(r, &e)) {
        *out = e;
        r->at += len;
        r->scanned = 0;
        r->started = true;
        return true;
    }
    /* What is in rest already stays where it is until the next feed: events given out view it. */
    if (len > 0 || (unread(r) > 0 && r->now.ptr != r->rest && !keep_unread(r)))
        r->no_memory = true; /* told by the next feed */
    return false;
}

/* ---- writing ---- */

void sse_write(struct buf *out, struct str event, struct str data)
{
    const char *p = data.len ? data.ptr : "", *end = p + data.len;

    if (event.len > 0) {
        buf_str(out, STR("event: "));
        buf_str(out, event);
        buf_char(out, '\n');
    }
    for (;;) {
        const char *stop = scan_line_end(p, end);
        buf_str(out, STR("data: "));
        buf_put(out, p, (size_t)(stop - p));
        buf_char(out, '\n');
        if (stop == end)
            break;
        p = stop + line_end_len(stop, end);
    }
    buf_char(out, '\n');
}
