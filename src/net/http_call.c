/* One request out and the head of its answer back. */
#include <string.h>

#include "base/pages.h"
#include "base/scan.h"
#include "net/http_client_internal.h"
#include "net/pen.h"

#define INTERIM_MAX 16 /* 1xx heads before the answer */
#define FIXED_BYTES 64 /* of a head: spaces, version, names of Host and Content-Length, line ends */

/* ---- the head of the request ---- */

static size_t head_bytes(const struct http_url *to, const struct http_outgoing *send)
{
    size_t bytes = FIXED_BYTES + 2 * PEN_NUMBER_BYTES + send->method.len + to->path.len +
                   send->path.len + to->host.len;

    for (size_t i = 0; i < send->field_count; i++)
        bytes += send->fields[i].name.len + send->fields[i].value.len + 4;
    return bytes;
}

static void put_host(struct pen *pen, const struct http_url *to)
{
    bool v6 = str_find_char(to->host, ':') < to->host.len;

    put(pen, STR("Host: "));
    if (str_starts(to->host, STR("unix:"))) {
        put(pen, STR("localhost\r\n"));
        return;
    }
    put(pen, v6 ? STR("[") : STR(""));
    put(pen, to->host);
    put(pen, v6 ? STR("]") : STR(""));
    if (to->port != (to->tls ? 443 : 80)) {
        put(pen, STR(":"));
        put_number(pen, to->port);
    }
    put(pen, STR("\r\n"));
}

static size_t body_bytes(const struct http_outgoing *send)
{
    size_t bytes = 0;

    for (size_t i = 0; i < send->body_count; i++)
        bytes += send->body[i].len;
    return bytes;
}

static bool wants_length(const struct http_outgoing *send)
{
    return send->body_count > 0 || str_eq(send->method, STR("POST")) ||
           str_eq(send->method, STR("PUT")) || str_eq(send->method, STR("PATCH"));
}

/* False: a blank or a control byte is in it. */
static bool put_word(struct pen *pen, struct str s)
{
    bool odd = scan_copy(pen->at, s.ptr, s.len, scan_blank_marks);

    pen->at += s.len;
    return !odd;
}

static bool has_control(struct str s)
{
    const char *end = s.ptr + s.len, *at = s.ptr;

    while ((at = scan_control(at, end)) < end && *at == '\t')
        at++;
    return at < end;
}

/* What a caller passes through from somebody else must not end a line here. */
static bool put_checked(struct pen *pen, const struct http_field *f)
{
    if (f->name.len == 0 || !put_word(pen, f->name))
        return false;
    put(pen, STR(": "));
    bool odd = scan_copy(pen->at, f->value.ptr, f->value.len, scan_control_marks);
    pen->at += f->value.len;
    put(pen, STR("\r\n"));
    return !odd || !has_control(f->value);
}

static bool put_request_line(struct pen *pen, const struct http_url *to,
                             const struct http_outgoing *send, struct err *err)
{
    if (send->method.len == 0 || !put_word(pen, send->method))
        return err_set(err, ERR_INVALID, "the method of a request holds a blank or control byte");
    put(pen, STR(" "));
    put(pen, to->path);
    if (!put_word(pen, send->path))
        return err_set(err, ERR_INVALID, "the path of a request holds a blank or control byte");
    if (send->path.len == 0 && to->path.len == 0)
        put(pen, STR("/"));
    put(pen, STR(" HTTP/1.1\r\n"));
    return true;
}

static bool make_head(struct arena *arena, const struct http_url *to,
                      const struct http_outgoing *send, struct str *out, struct err *err)
{
    char *head = arena_alloc_raw(arena, head_bytes(to, send));
    struct pen pen = {head};

    if (!head)
        return err_arena(err, arena);
    if (!put_request_line(&pen, to, send, err))
        return false;
    put_host(&pen, to);
    for (size_t i = 0; i < send->field_count; i++)
        if (!put_checked(&pen, &send->fields[i]))
            return err_set(err, ERR_INVALID, "header field %zu of a request holds a control byte",
                           i + 1);
    if (wants_length(send)) {
        put(&pen, STR("Content-Length: "));
        put_number(&pen, body_bytes(send));
        put(&pen, STR("\r\n"));
    }
    put(&pen, STR("\r\n"));
    *out = (struct str){head, (size_t)(pen.at - head)};
    return true;
}

/* ---- sending ---- */

/* Head and pieces of the body, for one writev. */
struct request {
    struct iovec few[8], *iov;
    int count;
};

static bool make_request(struct arena *arena, const struct http_url *to,
                         const struct http_outgoing *send, struct request *out, struct err *err)
{
    struct str head = STR_NONE;

    if (!make_head(arena, to, send, &head, err))
        return false;
    out->iov = out->few;
    out->count = (int)send->body_count + 1;
    if (send->body_count >= ARRAY_LEN(out->few))
        out->iov = arena_array(arena, send->body_count + 1, sizeof *out->iov);
    if (!out->iov)
        return err_arena(err, arena);
    out->iov[0] = (struct iovec){(void *)(uintptr_t)head.ptr, head.len};
    for (size_t i = 0; i < send->body_count; i++)
        out->iov[i + 1] = (struct iovec){(void *)(uintptr_t)send->body[i].ptr, send->body[i].len};
    return true;
}

/* ---- the head of the answer ---- */

static bool malformed(struct http_call *call, struct err *err)
{
    err->code = ERR_UNAVAILABLE;
    err_wrap(err, "malformed answer");
    return http_call_fail(call, err);
}

/* Most heads have a few fields of the many there is room for. */
static void cut_head(struct http_call *call)
{
    size_t kept = offsetof(struct http_head, fields.at) +
                  call->head->fields.count * sizeof(struct http_field);

    ASSERT(arena_grow(call->arena, call->head, sizeof *call->head, kept) == call->head);
}

static enum http_parse parse_head(struct http_call *call, struct err *err)
{
    struct str bytes = {call->page + call->at, call->end - call->at};
    size_t used = 0;
    enum http_parse parsed = http_parse_response(
        bytes, call->to_head, &http_client_options()->limits, call->head, &used, err);

    if (parsed != HTTP_OK)
        return parsed;
    call->head_text = str_slice(bytes, 0, used);
    call->at += used;
    if (call->head->status >= 200) {
        cut_head(call);
        return HTTP_OK;
    }
    if (call->head->status == 101 || ++call->interim > INTERIM_MAX) {
        err_set(err, ERR_UNAVAILABLE, "status %d was not asked for", call->head->status);
        return HTTP_BAD;
    }
    return call->at < call->end ? parse_head(call, err) : HTTP_MORE;
}

static bool is_head_full(const struct http_call *call)
{
    return call->end - call->at >= http_client_options()->limits.head_bytes;
}

/* Without a line end among them, new bytes cannot complete a head. */
SUSPENDS static bool receive_head(struct http_call *call, struct err *err)
{
    enum http_parse parsed = HTTP_MORE;

    while (parsed == HTTP_MORE) {
        size_t seen = call->end;

        if (!http_call_fill(call, err))
            return http_call_fail(call, err);
        if (memchr(call->page + seen, '\n', call->end - seen) || is_head_full(call))
            parsed = parse_head(call, err);
    }
    return parsed == HTTP_OK || malformed(call, err);
}

/* ---- the call ---- */

static void release(struct http_call *call)
{
    http_link_drop(&call->link);
    if (call->origin)
        call->origin->users--;
    call->origin = NULL;
}

static void call_end_of_arena(void *what)
{
    struct http_call *call = what;

    release(call);
    http_call_drop_page(call);
}

static struct http_call *call_new(struct arena *arena, struct http_origin *origin,
                                  const struct http_outgoing *send, struct err *err)
{
    struct http_call *call = arena_alloc(arena, sizeof *call);

    if (!call || !arena_defer(arena, call_end_of_arena, call)) {
        err_arena(err, arena);
        return NULL;
    }
    call->arena = arena;
    call->to_head = str_eq(send->method, STR("HEAD"));
    call->head = arena_alloc_raw(arena, sizeof *call->head); /* the newest piece: see cut_head() */
    if (!call->head) {
        err_arena(err, arena);
        return NULL;
    }
    call->origin = origin;
    origin->users++;
    return call;
}

/* An upstream may answer and hang up before it has read the whole request, a 413 for example: so
 * after a write that failed there may still be an answer to read. */
NOINLINE SUSPENDS static bool hear_early_answer(struct http_call *call, struct err *err)
{
    struct err unread = {0};

    call->died = true;
    stream_cut(call->link->stream, false); /* whatever comes, it cannot be reused */
    if (!receive_head(call, &unread)) {
        err->code = ERR_UNAVAILABLE;
        return err_wrap(err, "send the request to %s", call->origin->name);
    }
    call->head->keep_alive = false;
    return true;
}

SUSPENDS static bool attempt(struct http_call *call, const struct request *request, bool fresh,
                             struct err *err)
{
    if (!http_link_borrow(call->origin, fresh, &call->link, &call->reused, err))
        return http_call_fail(call, err);
    if (stream_write(call->link->stream, request->iov, request->count, err))
        return receive_head(call, err);
    return http_still_wanted() ? hear_early_answer(call, err) : http_call_fail(call, err);
}

/* A kept connection may have died in its sleep: the peer hung up as our request went out, and
 * nothing of an answer has come. */
static bool was_stale(const struct http_call *call)
{
    return call->reused && call->died && call->end == 0 && call->interim == 0 &&
           http_still_wanted();
}

SUSPENDS static bool perform(struct http_call *call, const struct request *request, struct err *err)
{
    if (attempt(call, request, false, err))
        return true;
    if (!was_stale(call))
        return false;
    *err = (struct err){0};
    call->origin->client->stats.stale++;
    call->died = false;
    return attempt(call, request, true, err);
}

bool http_call(struct arena *arena, const struct http_url *to, const struct http_outgoing *send,
               struct http_call **out, struct err *err)
{
    struct request request;

    if (!make_request(arena, to, send, &request, err))
        return false;
    struct http_origin *origin = http_origin_of(to, send->trust, send->public_only, err);
    struct http_call *call = origin ? call_new(arena, origin, send, err) : NULL;
    if (!call)
        return false;
    origin->connect_timeout =
        send->connect_timeout > 0 ? send->connect_timeout : http_client_options()->connect_timeout;
    if (!perform(call, &request, err)) {
        http_call_end(&call);
        return false;
    }
    http_call_begin_body(call);
    *out = call;
    return true;
}

const struct http_head *http_call_head(const struct http_call *call)
{
    return call->head;
}

bool http_call_reused(const struct http_call *call)
{
    return call->reused;
}

void http_call_end(struct http_call **call)
{
    if (!*call)
        return;
    release(*call);
    if (!(*call)->body_kept)
        http_call_drop_page(*call);
    *call = NULL;
}
