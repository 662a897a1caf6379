/* What the server sends: heads, bodies, pieces, refusals. */
#include <string.h>

#include "base/json.h"
#include "base/line.h"
#include "base/scan.h"
#include "net/http_server_internal.h"
#include "net/pen.h"

#define FIXED_BYTES  256  /* of a head: status line, date, framing, connection */
#define REFUSAL_BODY 2048 /* holds any error text, escaped */
#define ID_BYTES     20   /* "req_" and 16 hex digits */
#define SIZE_LINE    24   /* a chunk's size in hex with its line end */

/* ---- heads ---- */

/* A value with a line end in it would be another field, or another answer. */
static inline void put_reply_field(struct pen *pen, const struct http_field *f)
{
    char *value;
    bool has_line_end;

    ASSERT(f->name.len > 0);
    value = line_copy(pen->at, f->name.ptr, f->name.len) + 2;
    memcpy(value - 2, ": ", 2);
    has_line_end = scan_copy(value, f->value.ptr, f->value.len, scan_line_marks);
    ASSERT(!has_line_end);
    pen->at = value + f->value.len;
    put(pen, STR("\r\n"));
}

static size_t field_bytes(const struct http_field *f)
{
    return f->name.len + f->value.len + 4;
}

static size_t head_bytes(const struct http_exchange *x, const struct http_reply *reply,
                         struct str reason)
{
    size_t bytes = FIXED_BYTES + reason.len + reply->content_type.len;

    for (size_t i = 0; i < reply->field_count; i++)
        bytes += field_bytes(&reply->fields[i]);
    return bytes + (x->extra.name.len ? field_bytes(&x->extra) : 0);
}

/* The same text in the reply, the log and what is sent to a provider. */
static void write_id(char out[ID_BYTES], uint64_t id)
{
    struct line line;

    line_init(&line, out, ID_BYTES);
    line_put(&line, STR("req_"));
    line_id(&line, id);
}

static void put_id(struct pen *pen, uint64_t id)
{
    char text[ID_BYTES];

    if (!id)
        return;
    write_id(text, id);
    put_field(pen, STR("x-request-id"), (struct str){text, sizeof text});
}

void http_reply_field(struct http_exchange *x, struct http_field field)
{
    ASSERT(x->reply == REPLY_NONE && x->extra.name.len == 0);
    x->extra = field;
}

static void put_status(struct pen *pen, int status, struct str reason)
{
    if (status == 200) {
        put(pen, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    put(pen, STR("HTTP/1.1 "));
    put_number(pen, (uint64_t)status);
    put(pen, STR(" "));
    put(pen, reason);
    put(pen, STR("\r\n"));
}

/* How the body is framed, and whether the connection outlives it. */
struct framing {
    bool has_length, chunked, keep, says_keep_alive;
    uint64_t length;
};

static void put_framing(struct pen *pen, const struct framing *framing)
{
    if (framing->has_length) {
        put(pen, STR("Content-Length: "));
        put_number(pen, framing->length);
        put(pen, STR("\r\n"));
    }
    if (framing->chunked)
        put(pen, STR("Transfer-Encoding: chunked\r\n"));
    if (!framing->keep)
        put(pen, STR("Connection: close\r\n"));
    else if (framing->says_keep_alive)
        put(pen, STR("Connection: keep-alive\r\n"));
}

/* The head in the exchange's arena; ptr is NULL when that is full. */
static struct str make_head(struct http_exchange *x, const struct http_reply *reply,
                            const struct framing *framing)
{
    struct str reason = reply->status == 200 ? STR("OK") : str_from(http_reason(reply->status));
    char *head = arena_alloc_raw(x->arena, head_bytes(x, reply, reason));
    struct pen pen = {head};

    ASSERT(reply->status >= 200 && reply->status <= 999);
    if (!head)
        return STR_NONE;
    put_status(&pen, reply->status, reason);
    put(&pen, http_date_line(x->conn->run->server));
    if (reply->content_type.len > 0)
        put_field(&pen, STR("Content-Type"), reply->content_type);
    put_id(&pen, x->id);
    for (size_t i = 0; i < reply->field_count; i++)
        put_reply_field(&pen, &reply->fields[i]);
    if (x->extra.name.len)
        put_reply_field(&pen, &x->extra);
    put_framing(&pen, framing);
    put(&pen, STR("\r\n"));
    return (struct str){head, (size_t)(pen.at - head)};
}

/* A connection whose request was not read to its end cannot carry another one. */
static bool goes_on(const struct http_exchange *x)
{
    const struct http_conn *c = x->conn;

    return x->head.keep_alive && x->body_whole && !c->run->ending && !c->run->server->leaving &&
           !c->run->server->draining &&
           c->requests < c->run->server->options.requests_per_connection;
}

static bool has_body(const struct http_exchange *x, int status)
{
    return !x->to_head && status != 204 && status != 304;
}

/* ---- writing ---- */

SUSPENDS static bool send_out(struct http_exchange *x, const struct iovec *iov, int count,
                              struct err *err)
{
    const struct http_server_options *o = &x->conn->run->server->options;

    x->head_out = true;
    if (!stream_write_paced(x->conn->stream, iov, count, o->write_timeout, err)) {
        x->failed = true;
        return err_wrap(err, "write to the client");
    }
    for (int i = 0; i < count; i++)
        x->sent += iov[i].iov_len;
    return true;
}

static struct iovec piece_of(struct str s)
{
    return (struct iovec){(void *)(uintptr_t)s.ptr, s.len};
}

static bool give_up(struct http_exchange *x, struct err *err)
{
    x->failed = true;
    return err_arena(err, x->arena);
}

bool http_send_pieces(struct http_exchange *x, const struct http_reply *reply,
                      const struct str *pieces, size_t count, struct err *err)
{
    struct framing framing = {.has_length = reply->status != 204 && reply->status != 304};
    struct iovec few[8], *iov = few;

    ASSERT(x->reply == REPLY_NONE);
    x->reply = REPLY_DONE;
    x->keep = framing.keep = goes_on(x);
    framing.says_keep_alive = x->head.minor == 0;
    if (count >= ARRAY_LEN(few))
        iov = arena_array(x->arena, count + 1, sizeof *iov);
    if (!iov)
        return give_up(x, err);
    for (size_t i = 0; i < count; i++) {
        iov[i + 1] = piece_of(pieces[i]);
        framing.length += pieces[i].len;
    }
    struct str head = make_head(x, reply, &framing);
    if (!head.ptr)
        return give_up(x, err);
    iov[0] = piece_of(head);
    return send_out(x, iov, has_body(x, reply->status) ? (int)count + 1 : 1, err);
}

bool http_send(struct http_exchange *x, const struct http_reply *reply, struct str body,
               struct err *err)
{
    return http_send_pieces(x, reply, &body, 1, err);
}

bool http_begin(struct http_exchange *x, const struct http_reply *reply, struct err *err)
{
    struct framing framing = {0};

    ASSERT(x->reply == REPLY_NONE);
    x->reply = REPLY_BEGUN;
    framing.chunked = x->chunked = x->head.minor > 0;
    /* HTTP/1.0 knows no chunks: there the end of the connection is the end of the body. */
    x->keep = framing.keep = x->chunked && goes_on(x);
    x->head_pending = make_head(x, reply, &framing);
    return x->head_pending.ptr || give_up(x, err);
}

static size_t write_size_line(char line[SIZE_LINE], size_t size)
{
    struct pen pen = {line};

    put_hex(&pen, size);
    put(&pen, STR("\r\n"));
    return (size_t)(pen.at - line);
}

/* The head if it still waits, one chunk if there is data, and `tail`: all in one write. */
SUSPENDS static bool send_chunk(struct http_exchange *x, struct str data, struct str tail,
                                struct err *err)
{
    struct iovec iov[5];
    char size_line[SIZE_LINE];
    int count = 0;

    if (x->failed)
        return err_set(err, ERR_CANCELLED, "the answer has been given up");
    if (x->head_pending.len > 0)
        iov[count++] = piece_of(x->head_pending);
    x->head_pending = STR_NONE;
    if (data.len > 0 && !x->to_head) {
        if (x->chunked)
            iov[count++] = (struct iovec){size_line, write_size_line(size_line, data.len)};
        iov[count++] = piece_of(data);
        if (x->chunked)
            iov[count++] = piece_of(STR("\r\n"));
    }
    if (tail.len > 0 && !x->to_head)
        iov[count++] = piece_of(tail);
    return count == 0 || send_out(x, iov, count, err);
}

bool http_piece(struct http_exchange *x, struct str bytes, struct err *err)
{
    ASSERT(x->reply == REPLY_BEGUN);
    return send_chunk(x, bytes, STR_NONE, err);
}

bool http_end(struct http_exchange *x, struct str last_bytes, struct err *err)
{
    ASSERT(x->reply == REPLY_BEGUN);
    if (!send_chunk(x, last_bytes, x->chunked ? STR("0\r\n\r\n") : STR_NONE, err))
        return false;
    x->reply = REPLY_DONE;
    return true;
}

void http_abort(struct http_exchange *x)
{
    x->failed = true;
}

bool http_head_sent(const struct http_exchange *x)
{
    return x->head_out;
}

uint64_t http_sent_bytes(const struct http_exchange *x)
{
    return x->sent;
}

/* ---- refusals ---- */

static struct str write_problem(const struct err *err, int status, struct str path,
                                struct buf *body)
{
    buf_str(body, STR("{\"title\":"));
    buf_json_str(body, str_from(http_reason(status)));
    buf_fmt(body, ",\"status\":%d,\"detail\":", status);
    buf_json_str(body, str_from(err->text));
    buf_str(body, STR("}"));
    (void)path;
    return STR("application/problem+json");
}

void http_refuse(struct http_conn *c, const struct http_refusal *r, const struct err *why)
{
    struct http_server *server = c->run->server;
    char head[FIXED_BYTES * 2], text[REFUSAL_BODY];
    struct buf h, body;
    struct err ignored = {0};

    buf_init_fixed(&body, text, sizeof text);
    struct str type = (server->options.refuse ? server->options.refuse
                                              : write_problem)(why, r->status, r->path, &body);
    if (!buf_ok(&body))
        buf_init_fixed(&body, text, sizeof text); /* too long: better none than half of one */

    struct str date = http_date_line(server);
    buf_init_fixed(&h, head, sizeof head);
    buf_fmt(&h, "HTTP/1.1 %d %s\r\n" STR_FMT, r->status, http_reason(r->status), STR_ARG(date));
    buf_fmt(&h, "Content-Type: " STR_FMT "\r\nContent-Length: %zu\r\n", STR_ARG(type), body.len);
    if (r->id) {
        char id_text[ID_BYTES];

        write_id(id_text, r->id);
        buf_str(&h, STR("x-request-id: "));
        buf_put(&h, id_text, sizeof id_text);
        buf_str(&h, STR("\r\n"));
    }
    buf_str(&h, STR("Connection: close\r\n\r\n"));
    struct iovec iov[2] = {piece_of(buf_view(&h)), piece_of(buf_view(&body))};
    if (!stream_write_paced(c->stream, iov, 2, server->options.write_timeout, &ignored))
        stream_cut(c->stream, false);
}
