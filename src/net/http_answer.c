/* The body of an answer. Bytes are read into a page that is taken once something has arrived and
 * given back before the next wait, so an open stream that is quiet holds no buffer. */
#include <string.h>

#include "base/buf.h"
#include "base/pages.h"
#include "net/http_client_internal.h"

#define SLACK      64 /* asked for beyond what is missing: see http_exchange.c */
#define FIRST_PAGE (16 * KIB)
#define LARGE_PAGE (64 * KIB) /* once reads have filled a page */

/* ---- ends ---- */

bool http_call_fail(struct http_call *call, struct err *err)
{
    if (err->code != ERR_TIMEOUT && err->code != ERR_CANCELLED && err->code != ERR_EXHAUSTED &&
        err->code != ERR_TOO_LARGE)
        err->code = ERR_UNAVAILABLE;
    http_link_drop(&call->link);
    return err_wrap(err, "upstream %s", call->origin->name);
}

static bool cut(struct http_call *call, struct err *err)
{
    call->died = true;
    return err_set(err, ERR_UNAVAILABLE, "answer cut after %" PRIu64 " bytes",
                   call->body_bytes + (call->end - call->at));
}

/* Whoever sends more than an answer is out of step: such a connection is not used again. */
static void complete(struct http_call *call)
{
    struct http_link *link = call->link;

    call->complete = true;
    if (link && call->head->keep_alive && call->at == call->end &&
        !stream_holds_bytes(link->stream))
        http_link_keep(&call->link);
    http_link_drop(&call->link);
}

/* ---- the page ---- */

void http_call_drop_page(struct http_call *call)
{
    if (call->page)
        pages_give(call->page, call->page_bytes);
    call->page = NULL;
    call->at = call->end = 0;
}

static void rebase(struct str *s, const char *from, const char *to)
{
    if (s->ptr)
        s->ptr = to + (s->ptr - from);
}

/* The head outlives the page it came in. */
static bool move_head(struct http_call *call, struct err *err)
{
    struct http_head *head = call->head;
    const char *from = call->head_text.ptr;

    if (call->head_moved || !from)
        return true;
    struct str copy = arena_str(call->arena, call->head_text);
    if (!copy.ptr)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < head->fields.count; i++) {
        rebase(&head->fields.at[i].name, from, copy.ptr);
        rebase(&head->fields.at[i].value, from, copy.ptr);
    }
    call->head_text = copy;
    call->head_moved = true;
    return true;
}

/* Before a wait: whatever was in the page has been consumed. */
static bool leave_page(struct http_call *call, struct err *err)
{
    ASSERT(call->at == call->end);
    if (!call->page)
        return true;
    if (!move_head(call, err))
        return false;
    if (call->end == call->page_bytes)
        call->page_wanted = LARGE_PAGE;
    http_call_drop_page(call);
    return true;
}

/* Room behind `end`, while part of a head is in the page. */
static bool make_room(struct http_call *call, struct err *err)
{
    size_t bytes;

    if (!call->page) {
        call->page = pages_take(MAX_OF(call->page_wanted, FIRST_PAGE), &call->page_bytes);
        return call->page || err_no_room(err, "no memory for an answer");
    }
    if (call->end < call->page_bytes)
        return true;
    char *larger = pages_take(2 * call->page_bytes, &bytes);
    if (!larger)
        return err_no_room(err, "no memory for an answer");
    memcpy(larger, call->page, call->end);
    pages_give(call->page, call->page_bytes);
    call->page = larger;
    call->page_bytes = bytes;
    return true;
}

bool http_call_fill(struct http_call *call, struct err *err)
{
    struct stream *stream = call->link->stream;
    enum io did = IO_AGAIN;
    size_t got = 0;

    while (did == IO_AGAIN) {
        if (call->end == 0)
            http_call_drop_page(call); /* taken for nothing */
        if (!stream_wait_readable(stream, err) || !make_room(call, err))
            return false;
        did = stream_try_read(stream, call->page + call->end, call->page_bytes - call->end, &got,
                              err);
    }
    if (did == IO_DONE) {
        call->end += got;
        return true;
    }
    call->died = true;
    call->ended = did == IO_END;
    return call->ended ? cut(call, err) : false;
}

/* ---- framing ---- */

void http_call_begin_body(struct http_call *call)
{
    const struct http_head *head = call->head;

    call->left = head->content_length;
    http_chunks_init(&call->chunks);
    if (head->framing == HTTP_NO_BODY || (head->framing == HTTP_LENGTH && call->left == 0))
        complete(call);
}

static void take_length(struct http_call *call, struct str *bytes)
{
    size_t here = call->end - call->at;

    *bytes = (struct str){call->page + call->at, call->left < here ? (size_t)call->left : here};
    call->at += bytes->len;
    call->left -= bytes->len;
    if (call->left == 0)
        complete(call);
}

/* Chunks are pushed together in place, so that a burst of them is one view. */
static bool take_chunks(struct http_call *call, struct str *bytes, struct err *err)
{
    char *out = call->page + call->at, *start = out;
    enum http_parse parsed = HTTP_MORE;

    while (parsed == HTTP_MORE && call->at < call->end) {
        struct str data = STR_NONE, raw = {call->page + call->at, call->end - call->at};
        size_t used = 0;

        parsed = http_chunks_next(&call->chunks, raw, &used, &data, err);
        if (parsed == HTTP_BAD) {
            err->code = ERR_UNAVAILABLE;
            return err_wrap(err, "malformed answer");
        }
        call->at += used;
        if (out == start && data.len > 0)
            out = start = call->page + (data.ptr - call->page); /* the first one stays */
        else if (data.len > 0)
            memmove(out, data.ptr, data.len);
        out += data.len;
    }
    *bytes = (struct str){start, (size_t)(out - start)};
    if (parsed == HTTP_OK)
        complete(call);
    return true;
}

/* What has arrived, without its framing; may be empty. */
static bool take_arrived(struct http_call *call, struct str *bytes, struct err *err)
{
    *bytes = STR_NONE;
    if (call->at == call->end)
        return true;
    if (call->head->framing == HTTP_LENGTH) {
        take_length(call, bytes);
    } else if (call->head->framing == HTTP_CHUNKED) {
        if (!take_chunks(call, bytes, err))
            return http_call_fail(call, err);
    } else {
        *bytes = (struct str){call->page + call->at, call->end - call->at};
        call->at = call->end;
    }
    call->body_bytes += bytes->len;
    return true;
}

/* Without framing the end of the connection is the end of the body. */
static bool is_end(const struct http_call *call)
{
    return call->head->framing == HTTP_UNTIL_CLOSE && call->ended;
}

SUSPENDS static bool wait_for_more(struct http_call *call, struct err *err)
{
    if (!leave_page(call, err))
        return http_call_fail(call, err);
    if (http_call_fill(call, err))
        return true;
    if (!is_end(call))
        return http_call_fail(call, err);
    complete(call);
    return true;
}

bool http_call_next(struct http_call *call, struct str *bytes, struct err *err)
{
    struct str arrived = STR_NONE;

    while (!call->complete) {
        if (!call->link)
            return err_set(err, ERR_UNAVAILABLE, "the answer has failed already");
        if (!take_arrived(call, &arrived, err))
            return false;
        if (arrived.len > 0 || call->complete)
            break;
        if (!wait_for_more(call, err))
            return false;
    }
    *bytes = arrived;
    return true;
}

/* ---- the whole body ---- */

static bool too_large(struct http_call *call, size_t max, struct err *err)
{
    err_set(err, ERR_TOO_LARGE, "the answer is larger than %zu bytes", max);
    return http_call_fail(call, err);
}

/* At least `len` bytes into the block, which has room for SLACK more. */
SUSPENDS static bool read_into(struct http_call *call, char *block, size_t *have, size_t len,
                               struct err *err)
{
    struct stream *stream = call->link->stream;
    enum io did = IO_DONE;

    while (*have < len && (did == IO_DONE || did == IO_AGAIN)) {
        size_t got = 0;

        if (!stream_wait_readable(stream, err))
            return false;
        did = stream_try_read(stream, block + *have, len + SLACK - *have, &got, err);
        *have += got;
    }
    if (did != IO_END)
        return did != IO_FAILED;
    call->body_bytes += *have;
    return cut(call, err);
}

/* A known length that is not all here: one block, filled by reads as large as what is missing. */
SUSPENDS static bool read_length(struct http_call *call, struct str *out, struct err *err)
{
    size_t len = (size_t)call->left, have = call->end - call->at;
    char *block = arena_alloc_raw(call->arena, len + SLACK);

    if (!block) {
        err_arena(err, call->arena);
        return http_call_fail(call, err);
    }
    if (have > 0)
        memcpy(block, call->page + call->at, have);
    call->at = call->end;
    if (!leave_page(call, err) || !read_into(call, block, &have, len, err))
        return http_call_fail(call, err);
    call->body_bytes += len;
    call->left = 0;
    if (have > len) /* more than an answer */
        http_link_drop(&call->link);
    complete(call);
    *out = (struct str){block, len};
    return true;
}

SUSPENDS static bool gather(struct http_call *call, struct str first, size_t max, struct str *out,
                            struct err *err)
{
    struct buf all;
    struct str more = first;

    buf_init(&all, call->arena, max);
    do {
        buf_put(&all, more.ptr, more.len);
        if (!buf_ok(&all))
            break;
        if (!http_call_next(call, &more, err))
            return false;
    } while (more.len > 0);
    if (all.too_large)
        return too_large(call, max, err);
    return buf_finish(&all, out, err) || http_call_fail(call, err);
}

bool http_call_body(struct http_call *call, size_t max, struct str *out, struct err *err)
{
    const struct http_head *head = call->head;
    struct str first = STR_NONE;

    if (head->framing == HTTP_LENGTH && call->left > max)
        return too_large(call, max, err);
    if (head->framing == HTTP_LENGTH && call->left > call->end - call->at)
        return read_length(call, out, err);
    if (!http_call_next(call, &first, err))
        return false;
    if (!call->complete)
        return gather(call, first, max, out, err);
    if (first.len > max)
        return too_large(call, max, err);
    call->body_kept = true;
    *out = first;
    return true;
}
