/* One exchange as its handler sees it: what is known of it, and its body. */
#include <string.h>
#include <unistd.h>

#include "net/http_server_internal.h"

/* A read that is asked for more than it gets tells that the socket is empty; one that is asked for
 * just what is missing leaves that open, and costs another call to find out. */
#define SLACK     64
#define BODY_PAGE (16 * KIB) /* for bodies in chunks */

const struct http_head *http_head(const struct http_exchange *x)
{
    return &x->head;
}

struct arena *http_arena(struct http_exchange *x)
{
    return x->arena;
}

struct scope *http_scope(struct http_exchange *x)
{
    return &x->scope;
}

void http_work(struct http_exchange *x, struct scope *work)
{
    x->work = work;
    if (work && http_is_cut(x))
        scope_cancel(work);
}

bool http_is_cut(const struct http_exchange *x)
{
    return x->conn->run->server->cut;
}

struct addr http_peer(const struct http_exchange *x)
{
    return sock_peer(stream_sock(x->conn->stream));
}

bool http_peer_is_local(const struct http_exchange *x)
{
    return sock_peer_uid(stream_sock(x->conn->stream)) == geteuid();
}

const char *http_peer_certificate(const struct http_exchange *x)
{
    return stream_peer_name(x->conn->stream);
}

uint64_t http_received_bytes(const struct http_exchange *x)
{
    return x->received;
}

uint64_t http_request_id(const struct http_exchange *x)
{
    return x->id;
}

mono_ns http_started(const struct http_exchange *x)
{
    return x->started;
}

/* A body that came along with its head is a view of the page. */
void http_exchange_begin(struct http_exchange *x)
{
    struct http_conn *c = x->conn;
    const struct http_head *head = &x->head;

    x->started = fiber_now();
    x->id = http_next_id(c->run->server);
    x->to_head = str_eq(head->method, STR("HEAD"));
    x->body_whole = head->framing == HTTP_NO_BODY;
    if (head->framing == HTTP_LENGTH && head->content_length <= c->end - c->at) {
        x->body = (struct str){c->page + c->at, (size_t)head->content_length};
        x->body_whole = true;
        x->received += x->body.len;
        c->at += x->body.len;
    }
}

/* ---- reading the body ---- */

static mono_ns body_deadline(const struct http_exchange *x)
{
    return x->started + x->conn->run->server->options.body_timeout;
}

/* What the server answers if the handler does not. */
static bool fail_body(struct http_exchange *x, int status, const struct err *err)
{
    x->refusal = status;
    x->refusal_err = arena_alloc_raw(x->arena, sizeof *err);
    if (x->refusal_err)
        *x->refusal_err = *err;
    return false;
}

static bool reading_failed(struct http_exchange *x, struct err *err)
{
    struct err over = {0};

    if (err->code == ERR_TIMEOUT && fiber_still_wanted(&over)) {
        err_set(err, ERR_TIMEOUT, "the body did not arrive in time");
        return fail_body(x, 408, err);
    }
    err_wrap(err, "read the body of a request");
    return fail_body(x, err_http_status(err->code), err);
}

static bool peer_ended(struct http_exchange *x, struct err *err)
{
    x->failed = true;
    return err_set(err, ERR_CANCELLED, "the client left in the middle of a body");
}

SUSPENDS static bool say_continue(struct http_exchange *x, struct err *err)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec iov = {(void *)(uintptr_t)line, sizeof line - 1};
    const struct http_server_options *o = &x->conn->run->server->options;

    if (!x->head.expect_continue || x->continued || x->conn->at < x->conn->end)
        return true;
    x->continued = true;
    return stream_write_paced(x->conn->stream, &iov, 1, o->write_timeout, err);
}

/* The head's views stay in the old page; what came behind it moves to a new one, which can then be
 * filled again and again. */
static bool change_page(struct http_exchange *x, struct err *err)
{
    struct http_conn *c = x->conn;
    size_t at = c->at, end = c->end;

    x->old_page = c->page;
    x->old_page_bytes = c->page_bytes;
    c->page = NULL;
    if (!http_conn_take_page(c, MAX_OF(x->old_page_bytes, BODY_PAGE), err))
        return false;
    memcpy(c->page, x->old_page + at, end - at);
    c->end = end - at;
    return true;
}

/* At least `len` bytes into the block, which has room for SLACK more. */
SUSPENDS static bool read_into(struct http_exchange *x, char *block, size_t *have, size_t len,
                               struct err *err)
{
    struct http_conn *c = x->conn;
    struct scope within;
    enum io did = IO_DONE;

    scope_open(&within, body_deadline(x));
    while (*have < len && (did == IO_DONE || did == IO_AGAIN)) {
        size_t got = 0;

        did = stream_try_read(c->stream, block + *have, len + SLACK - *have, &got, err);
        *have += got;
        if (did == IO_AGAIN && !stream_wait_readable(c->stream, err))
            did = IO_FAILED;
    }
    scope_close(&within);
    if (did == IO_END)
        return peer_ended(x, err);
    return did != IO_FAILED || reading_failed(x, err);
}

/* Bytes of the next request came along. */
static bool keep_surplus(struct http_exchange *x, const char *bytes, size_t len, struct err *err)
{
    struct http_conn *c = x->conn;

    if (len == 0)
        return true;
    if (!change_page(x, err))
        return fail_body(x, 503, err);
    memcpy(c->page, bytes, len);
    c->end = len;
    return true;
}

/* Straight into one block of the right size, with reads as large as what is missing. */
SUSPENDS static bool read_length(struct http_exchange *x, struct err *err)
{
    struct http_conn *c = x->conn;
    size_t len = (size_t)x->head.content_length, have = c->end - c->at;
    char *block = arena_alloc_raw(x->arena, len + SLACK);

    if (!block) {
        err_arena(err, x->arena);
        return fail_body(x, 413, err);
    }
    if (have > 0)
        memcpy(block, c->page + c->at, have);
    c->at = c->end;
    if (!read_into(x, block, &have, len, err) || !keep_surplus(x, block + len, have - len, err))
        return false;
    x->received += len;
    x->body = (struct str){block, len};
    return true;
}

/* One run over what has arrived; the body so far is in `body`. */
static enum http_parse take_chunks(struct http_exchange *x, struct http_chunks *chunks,
                                   struct buf *body, struct err *err)
{
    struct http_conn *c = x->conn;
    enum http_parse parsed = HTTP_MORE;

    while (parsed == HTTP_MORE && c->at < c->end) {
        struct str data = STR_NONE, bytes = {c->page + c->at, c->end - c->at};
        size_t used = 0;

        parsed = http_chunks_next(chunks, bytes, &used, &data, err);
        c->at += used;
        x->received += used;
        buf_put(body, data.ptr, data.len);
        if (parsed == HTTP_MORE && (!buf_ok(body) || used == 0))
            break;
    }
    return parsed;
}

SUSPENDS static bool read_chunks(struct http_exchange *x, struct err *err)
{
    struct http_conn *c = x->conn;
    struct http_chunks chunks;
    struct buf body;
    bool end = false;

    if (!change_page(x, err))
        return fail_body(x, 503, err);
    http_chunks_init(&chunks);
    buf_init(&body, x->arena, c->run->server->options.body_bytes_max);
    enum http_parse parsed = take_chunks(x, &chunks, &body, err);
    while (parsed == HTTP_MORE && buf_ok(&body)) {
        if (!http_conn_fill(c, body_deadline(x), &end, err))
            return reading_failed(x, err);
        if (end)
            return peer_ended(x, err);
        parsed = take_chunks(x, &chunks, &body, err);
    }
    if (parsed == HTTP_BAD)
        return fail_body(x, err->code == ERR_TOO_LARGE ? 413 : 400, err);
    return buf_finish(&body, &x->body, err) || fail_body(x, 413, err);
}

bool http_body(struct http_exchange *x, struct str *out, struct err *err)
{
    if (x->refusal)
        return err_set(err, ERR_INVALID, "the body could not be read");
    if (!x->body_whole) {
        if (!say_continue(x, err))
            return reading_failed(x, err);
        if (!(x->head.framing == HTTP_CHUNKED ? read_chunks(x, err) : read_length(x, err)))
            return false;
        x->body_whole = true;
    }
    *out = x->body;
    return true;
}

/* ---- the body piece by piece ---- */

SUSPENDS static bool begin_pieces(struct http_exchange *x, struct err *err)
{
    x->in_pieces = true;
    if (x->body_whole)
        return true;
    x->body_left = x->head.framing == HTTP_LENGTH ? x->head.content_length : 0;
    if (!say_continue(x, err))
        return reading_failed(x, err);
    if (!change_page(x, err))
        return fail_body(x, 503, err);
    if (x->head.framing != HTTP_CHUNKED)
        return true;
    x->in_chunks = arena_alloc(x->arena, sizeof *x->in_chunks);
    if (!x->in_chunks) {
        err_arena(err, x->arena);
        return fail_body(x, 503, err);
    }
    http_chunks_init(x->in_chunks);
    return true;
}

/* What has arrived of it and was not given yet; may be nothing. */
static bool take_piece(struct http_exchange *x, struct str *out, struct err *err)
{
    struct http_conn *c = x->conn;
    struct str bytes = {c->page + c->at, c->end - c->at};
    size_t used = 0;

    *out = STR_NONE;
    if (!x->in_chunks) {
        *out = str_slice(bytes, 0, (size_t)MIN_OF(bytes.len, x->body_left));
        used = out->len;
        x->body_left -= used;
        x->body_whole = x->body_left == 0;
    } else {
        enum http_parse parsed = http_chunks_next(x->in_chunks, bytes, &used, out, err);

        if (parsed == HTTP_BAD)
            return fail_body(x, err->code == ERR_TOO_LARGE ? 413 : 400, err);
        x->body_whole = parsed == HTTP_OK;
        x->body_left += out->len;
    }
    c->at += used;
    x->received += used;
    if (!x->in_chunks || x->body_left <= c->run->server->options.body_bytes_max)
        return true;
    err_set(err, ERR_TOO_LARGE, "the body has more than %zu bytes",
            c->run->server->options.body_bytes_max);
    return fail_body(x, 413, err);
}

bool http_body_next(struct http_exchange *x, struct str *bytes, struct err *err)
{
    bool end = false;

    if (x->refusal)
        return err_set(err, ERR_INVALID, "the body could not be read");
    if (!x->in_pieces && !begin_pieces(x, err))
        return false;
    *bytes = STR_NONE;
    if (x->body.len > 0 && !x->piece_given) {
        x->piece_given = true;
        *bytes = x->body;
    }
    while (!x->body_whole && bytes->len == 0) {
        if (x->conn->at == x->conn->end) {
            if (!http_conn_fill(x->conn, body_deadline(x), &end, err))
                return reading_failed(x, err);
            if (end)
                return peer_ended(x, err);
        }
        if (!take_piece(x, bytes, err))
            return false;
    }
    return true;
}
