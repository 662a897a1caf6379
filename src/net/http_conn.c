/* One connection of the server, from its first byte to its rest or end. */
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "net/http_server_internal.h"

/* After an early goodbye the peer may still be sending: what it sends is read and dropped for a
 * while, because closing over unread bytes resets the connection and takes our answer with it. */
#define LINGER_PAGE  (64 * KIB)
#define LINGER_BYTES (64 * MIB)
#define LINGER_GAP   (2 * SECOND)
#define LINGER_TOTAL (10 * SECOND)

/* ---- the input page ---- */

bool http_conn_take_page(struct http_conn *c, size_t bytes, struct err *err)
{
    ASSERT(!c->page);
    c->page = pages_take(bytes, &c->page_bytes);
    c->at = c->end = 0;
    return c->page || err_no_room(err, "no memory for a request");
}

void http_conn_drop_page(struct http_conn *c)
{
    if (c->page)
        pages_give(c->page, c->page_bytes);
    c->page = NULL;
    c->at = c->end = 0;
}

/* Room behind `end`. Whoever holds views of the page must not ask for more. */
static bool make_room(struct http_conn *c, struct err *err)
{
    size_t bytes, len = c->end - c->at;

    if (!c->page)
        return http_conn_take_page(c, PAGE_BYTES, err);
    if (c->end < c->page_bytes)
        return true;
    if (c->at > 0) {
        memmove(c->page, c->page + c->at, len);
        c->at = 0;
        c->end = len;
        return true;
    }
    char *larger = pages_take(c->page_bytes * 2, &bytes);
    if (!larger)
        return err_no_room(err, "no memory for a request");
    memcpy(larger, c->page, len);
    pages_give(c->page, c->page_bytes);
    c->page = larger;
    c->page_bytes = bytes;
    return true;
}

SUSPENDS static enum io wait_and_read(struct http_conn *c, mono_ns deadline, size_t *got,
                                      struct err *err)
{
    struct scope within;
    enum io did = IO_AGAIN;

    scope_open(&within, deadline);
    while (did == IO_AGAIN)
        did = stream_wait_readable(c->stream, err)
                  ? stream_try_read(c->stream, c->page + c->end, c->page_bytes - c->end, got, err)
                  : IO_FAILED;
    scope_close(&within);
    return did;
}

bool http_conn_fill(struct http_conn *c, mono_ns deadline, bool *end, struct err *err)
{
    size_t got = 0;

    *end = false;
    if (!make_room(c, err))
        return false;
    enum io did = stream_try_read(c->stream, c->page + c->end, c->page_bytes - c->end, &got, err);
    if (did == IO_AGAIN)
        did = wait_and_read(c, deadline, &got, err);
    c->end += got;
    *end = did == IO_END;
    return did != IO_FAILED;
}

/* ---- goodbyes ---- */

SUSPENDS static void linger(struct http_conn *c)
{
    struct scope patience;
    struct err err = {0};
    mono_ns last = fiber_now() + LINGER_TOTAL;
    size_t got = 0, total = 0;

    stream_end_writing(c->stream);
    http_conn_drop_page(c);
    if (!http_conn_take_page(c, LINGER_PAGE, &err))
        return;
    scope_open(&patience, 0);
    do {
        total += got;
        scope_deadline(&patience, MIN_OF(fiber_now() + LINGER_GAP, last));
    } while (total < LINGER_BYTES && fiber_now() < last &&
             stream_read(c->stream, c->page, c->page_bytes, &got, &err) && got > 0);
    scope_close(&patience);
}

/* `x` is NULL where no request was understood. */
SUSPENDS static bool refuse(struct http_conn *c, const struct http_exchange *x, int status,
                            const struct err *why)
{
    struct http_refusal refusal = {.id = x ? x->id : http_next_id(c->run->server),
                                   .path = x ? x->head.path : STR(""),
                                   .status = status};

    c->run->server->stats.refused++;
    log_line(LOG_INFO, refusal.id, "refused with %d: %s", status, why->text);
    http_refuse(c, &refusal, why);
    linger(c);
    return false;
}

/* ---- heads ---- */

/* The parser says "too large"; the status depends on what was. */
static int status_of_bad_head(const struct http_conn *c, const struct err *why)
{
    struct str bytes = {c->page + c->at, c->end - c->at};

    if (why->code != ERR_TOO_LARGE)
        return 400;
    return str_find_char(bytes, '\n') > c->run->server->options.limits.target_bytes ? 414 : 431;
}

/* RFC 9112, 2.2: before a request one empty line is nothing. Some clients send it behind a body, uncounted, and its refusal would be
 * taken for the answer to what they ask next. It is in no request, so nobody disagrees about where one begins. */
static void pass_empty_line(struct http_conn *c)
{
    if (c->line_passed || c->end - c->at < 2 || memcmp(c->page + c->at, "\r\n", 2) != 0)
        return;
    c->line_passed = true;
    c->at += 2;
}

static enum http_parse parse_head(struct http_exchange *x, struct err *err)
{
    struct http_conn *c = x->conn;

    pass_empty_line(c);
    struct str bytes = {c->page + c->at, c->end - c->at};
    size_t used = 0;
    enum http_parse parsed =
        http_parse_request(bytes, &c->run->server->options.limits, &x->head, &used, err);

    if (parsed == HTTP_OK) {
        size_t kept = offsetof(struct http_exchange, head.fields.at) +
                      x->head.fields.count * sizeof(struct http_field);

        c->at += used;
        c->line_passed = false;
        x->received = used;
        ASSERT(arena_grow(x->arena, x, sizeof *x, kept) == x);
    }
    return parsed;
}

/* Bytes without a line end cannot complete a head: parsing waits for one, so that a head that comes
 * byte by byte is not parsed once a byte. */
static bool is_worth_parsing(const struct http_conn *c, size_t seen)
{
    return seen == 0 || memchr(c->page + c->at + seen, '\n', c->end - c->at - seen) ||
           c->end - c->at > c->run->server->options.limits.head_bytes;
}

SUSPENDS static bool refuse_late_head(struct http_conn *c)
{
    struct err late = {0};

    err_set(&late, ERR_TIMEOUT, "the head did not arrive in time");
    return refuse(c, NULL, 408, &late);
}

/* False: the connection ends, unless nothing was asked; what there was to say has been said. */
NOINLINE SUSPENDS static bool receive_head(struct http_exchange *x)
{
    struct http_conn *c = x->conn;
    mono_ns deadline = fiber_now() + c->run->server->options.head_timeout;
    enum http_parse parsed = HTTP_MORE;
    struct err err = {0};
    size_t seen = 0;
    bool end = false;

    if (c->at < c->end)
        parsed = parse_head(x, &err);
    while (parsed == HTTP_MORE) {
        seen = c->end - c->at;
        if (!http_conn_fill(c, deadline, &end, &err))
            return err.code == ERR_TIMEOUT && refuse_late_head(c);
        if (end)
            return false;
        if (is_worth_parsing(c, seen))
            parsed = parse_head(x, &err);
        if (parsed == HTTP_MORE && c->at == c->end) {
            x->nothing_asked = true;
            return false;
        }
    }
    return parsed == HTTP_OK || refuse(c, NULL, status_of_bad_head(c, &err), &err);
}

/* ---- exchanges ---- */

static struct http_exchange *exchange_new(struct http_conn *c)
{
    struct arena *arena = arena_new(c->run->server->options.request_memory);
    struct http_exchange *x = arena ? arena_alloc_raw(arena, sizeof *x) : NULL;

    if (!x) {
        arena_end(&arena);
        return NULL;
    }
    memset(x, 0, offsetof(struct http_exchange, head));
    x->conn = c;
    x->arena = arena;
    return x;
}

static void exchange_free(struct http_exchange **x)
{
    if (!*x)
        return;
    struct arena *arena = (*x)->arena;
    char *old_page = (*x)->old_page;
    size_t old_page_bytes = (*x)->old_page_bytes;

    *x = NULL;
    arena_end(&arena);
    if (old_page)
        pages_give(old_page, old_page_bytes);
}

/* The handler said nothing: because the body failed, or by mistake. */
NOINLINE SUSPENDS static bool answer_instead(struct http_exchange *x)
{
    struct err err = {0};

    if (x->refusal_err)
        return refuse(x->conn, x, x->refusal, x->refusal_err);
    if (!x->refusal)
        log_error("handler of " STR_FMT " " STR_FMT " gave no answer", STR_ARG(x->head.method),
                  STR_ARG(x->head.path));
    err_set(&err, ERR_INTERNAL, "the request ended without an answer");
    return refuse(x->conn, x, x->refusal ? x->refusal : 500, &err);
}

/* The handler is done: what became of the reply? True: the connection goes on. */
SUSPENDS static bool settle(struct http_exchange *x, bool peer_left)
{
    struct http_conn *c = x->conn;

    if (x->reply == REPLY_NONE && !x->failed && !peer_left)
        return answer_instead(x);
    if (x->reply != REPLY_DONE || x->failed) {
        stream_cut(c->stream, !x->chunked);
        if (x->chunked && !peer_left)
            linger(c); /* with requests unread, closing would take back the last words */
        return false;
    }
    if (!x->keep && (!x->body_whole || c->at < c->end))
        linger(c);
    return x->keep;
}

SUSPENDS static bool handle(struct http_exchange *x)
{
    struct http_conn *c = x->conn;
    struct http_server *server = c->run->server;
    struct sock *sock = stream_sock(c->stream);

    c->requests++;
    server->stats.requests++;
    server->stats.active++;
    scope_open(&x->scope, 0);
    sock_on_hangup(sock, &x->scope);
    c->exchange = x;
    server->options.handler(x, server->options.ctx);
    c->exchange = NULL;
    sock_on_hangup(sock, NULL);
    bool peer_left = scope_is_over(&x->scope);
    scope_close(&x->scope);
    server->stats.active--;
    return settle(x, peer_left);
}

static bool is_body_too_large(const struct http_exchange *x)
{
    return x->head.framing == HTTP_LENGTH &&
           x->head.content_length > x->conn->run->server->options.body_bytes_max;
}

NOINLINE SUSPENDS static bool refuse_body(struct http_exchange *x)
{
    struct err err = {0};

    err_set(&err, ERR_TOO_LARGE, "the body has %" PRIu64 " bytes, at most %zu are allowed",
            x->head.content_length, x->conn->run->server->options.body_bytes_max);
    return refuse(x->conn, x, 413, &err);
}

NOINLINE SUSPENDS static bool refuse_for_memory(struct http_conn *c)
{
    struct err err = {0};

    err_set(&err, ERR_UNAVAILABLE, "no memory for another request");
    return refuse(c, NULL, 503, &err);
}

/* RFC 9110, 8.4: a body that is compressed must not be read as if it were not. */
static bool is_body_encoded(const struct http_exchange *x)
{
    struct str coding = http_field(&x->head.fields, STR("content-encoding"));

    return x->head.framing != HTTP_NO_BODY && coding.len > 0 &&
           !str_eq_nocase(coding, STR("identity"));
}

NOINLINE SUSPENDS static bool refuse_coding(struct http_exchange *x)
{
    struct str coding = http_field(&x->head.fields, STR("content-encoding"));
    struct err err = {0};

    err_set(&err, ERR_INVALID,
            "a body with Content-Encoding \"" STR_FMT "\" is not taken: send it as it is",
            STR_ARG(str_slice(coding, 0, 40)));
    return refuse(x->conn, x, 415, &err);
}

SUSPENDS static bool serve_one(struct http_conn *c)
{
    struct http_exchange *x CLEANUP(exchange_free) = exchange_new(c);

    if (!x)
        return refuse_for_memory(c);
    if (!receive_head(x))
        return x->nothing_asked;
    http_exchange_begin(x);
    if (is_body_too_large(x))
        return refuse_body(x);
    if (is_body_encoded(x))
        return refuse_coding(x);
    return handle(x);
}

/* The whole handshake has as long as a head has. */
SUSPENDS static bool meet(struct http_conn *c)
{
    const struct http_server_options *o = &c->run->server->options;
    struct scope within;
    struct err err = {0};

    if (!c->stream) {
        scope_open(&within, fiber_now() + o->head_timeout);
        bool met = stream_tls_accept(&c->sock, o->tls, &c->stream, &err);
        scope_close(&within);
        if (!met) {
            log_debug("a client was not met: %s", err.text);
            return false;
        }
    }
    if (!c->unwelcome)
        return true;
    err_set(&err, ERR_UNAVAILABLE, "%s", c->unwelcome);
    http_refuse(c, &(struct http_refusal){.id = http_next_id(c->run->server), .status = 503}, &err);
    linger(c);
    return false;
}

SUSPENDS static bool serve_all(struct http_conn *c)
{
    do {
        if (!serve_one(c))
            return false;
        pass_empty_line(c);
    } while (c->at < c->end || stream_holds_bytes(c->stream));
    return true;
}

void http_conn_serve(void *conn)
{
    struct http_conn *c = conn;
    bool is_new = !c->stream;
    bool goes_on = meet(c) && ((is_new && !stream_holds_bytes(c->stream)) || serve_all(c));

    http_conn_drop_page(c);
    if (!goes_on || !http_conn_rest(c))
        http_conn_free(c);
}
