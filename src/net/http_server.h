/* net/http_server.h: accepts, parses, hands one fiber per request to the handler, keeps alive.
 * An idle connection holds no fiber and no buffer. Pipelined requests are answered in order.
 * Client leaving cancels the scope the handler runs in. After a refusal the connection is closed.
 * Limits   struct http_server_options, each a setting; hitting one gives 408, 413, 414, 431 or 503 in
 *          the shape that options.refuse writes.
 * Threads  one server per loop. */
#ifndef WEIR_NET_HTTP_SERVER_H
#define WEIR_NET_HTTP_SERVER_H

#include "base/buf.h"
#include "net/http_parse.h"
#include "net/stream.h"

struct http_server;
struct http_exchange; /* one request and its reply */

typedef SUSPENDS void http_handler(struct http_exchange *x, void *ctx);

/* What servers of several loops count together. */
struct http_share;
bool http_share_new(struct http_share **out, struct err *err) MUST_CHECK;
void http_share_free(struct http_share **share); /* behind its servers */

struct http_server_options {
    struct http_limits limits;
    size_t body_bytes_max;            /* default 32 MiB */
    size_t request_memory;            /* the exchange's arena; default 128 MiB */
    dur_ns head_timeout;              /* whole head; default 10 s */
    dur_ns body_timeout;              /* whole body; default 60 s */
    dur_ns idle_timeout;              /* between requests; default 75 s */
    dur_ns write_timeout;             /* without progress; default 30 s */
    uint32_t connections_max;         /* of all with this share; default 20,000 */
    uint32_t connections_per_addr;    /* the same; default 0: unlimited */
    struct http_share *share;         /* NULL: nobody else's */
    uint32_t requests_per_connection; /* default 100,000 */
    struct tls_server *tls;           /* NULL: in clear */
    http_handler *handler;
    void *ctx;
    uint64_t (*next_id)(
        void *ctx); /* of every request, also one refused; NULL: replies carry none */
    /* Body of a refusal made before the handler, and its content type; default: a problem (RFC 9457).
     * path: "" where no request was understood. */
    struct str (*refuse)(const struct err *err, int status, struct str path, struct buf *body);
};

bool http_server_new(const struct http_server_options *options, struct http_server **out,
                     struct err *err) MUST_CHECK;
/* Accept on the listener until cancelled or drained; owns the listener from here. */
SUSPENDS bool http_server_run(struct http_server *server, struct listener *l, struct err *err)
    MUST_CHECK;
/* Before a drain: all is served, but answers get "Connection: close", so that who balances can go elsewhere. */
void http_server_leave(struct http_server *server);
/* No new connections or requests; answers get "Connection: close"; waits until all are done or the scope ends. */
SUSPENDS bool http_server_drain(struct http_server *server, struct err *err) MUST_CHECK;
/* After a drain that took too long: the work of every exchange (http_work()) ends, and its handler can
 * still tell the client why. */
void http_server_cut(struct http_server *server);
void http_server_free(struct http_server **server);

struct http_server_stats {
    uint32_t connections, active;
    uint64_t accepted, requests, refused;
};
struct http_server_stats http_server_stats(const struct http_server *server);

/* ---- one exchange, from the handler's fiber ---- */
const struct http_head *http_head(const struct http_exchange *x);
struct arena *http_arena(struct http_exchange *x); /* ends with the exchange */
struct scope *http_scope(struct http_exchange *x); /* cancelled when the client leaves */
/* The scope inside http_scope() that http_server_cut() cancels; NULL takes it back. Cancelled before, when
 * the server is being cut already. */
void http_work(struct http_exchange *x, struct scope *work);
bool http_is_cut(const struct http_exchange *x); /* the server was stopped before this was done */
struct addr http_peer(const struct http_exchange *x);
bool http_peer_is_local(const struct http_exchange *x); /* Unix socket of the same user */
const char *http_peer_certificate(
    const struct http_exchange *x); /* subject of a verified client certificate, or "" */
uint64_t http_received_bytes(const struct http_exchange *x);
uint64_t http_request_id(const struct http_exchange *x); /* what next_id gave; x-request-id */
mono_ns http_started(const struct http_exchange *x);     /* when the head was complete */

/* The whole body as one view; sends "100 Continue" when asked; ERR_TOO_LARGE past the limit. After a
 * failure the handler may answer itself, or return: then the server answers 400, 408 or 413. */
SUSPENDS bool http_body(struct http_exchange *x, struct str *out, struct err *err) MUST_CHECK;

/* The body as it comes, for who does not need it whole in memory: *bytes is good until the next call, and empty
 * when the body has ended. Either this or http_body(). Failures as there; body_timeout is for all of it. */
SUSPENDS bool http_body_next(struct http_exchange *x, struct str *bytes, struct err *err)
    MUST_CHECK;

/* The reply: head once, then either one body or pieces. Date, Content-Length or chunking, and
 * Connection and x-request-id are written here; the caller gives the rest, values free of CR and LF (asserted). */
struct http_reply {
    int status;
    struct str content_type;
    const struct http_field *fields;
    size_t field_count;
};
/* A field more in whatever the reply will be, for who does not make it: name and value live as long as the
 * exchange; one at most. */
void http_reply_field(struct http_exchange *x, struct http_field field);
SUSPENDS bool http_send(struct http_exchange *x, const struct http_reply *reply, struct str body,
                        struct err *err) MUST_CHECK;
/* A body in pieces, one copy less. */
SUSPENDS bool http_send_pieces(struct http_exchange *x, const struct http_reply *reply,
                               const struct str *pieces, size_t count, struct err *err) MUST_CHECK;
SUSPENDS bool http_begin(struct http_exchange *x, const struct http_reply *reply, struct err *err)
    MUST_CHECK; /* buffered with the first piece */
SUSPENDS bool http_piece(struct http_exchange *x, struct str bytes, struct err *err) MUST_CHECK;
SUSPENDS bool http_end(struct http_exchange *x, struct str last_bytes, struct err *err)
    MUST_CHECK; /* last piece and end in one write */
/* The stream cannot be finished: close without the last chunk, so that nobody takes it for whole. */
void http_abort(struct http_exchange *x);
bool http_head_sent(const struct http_exchange *x);
uint64_t http_sent_bytes(const struct http_exchange *x);

#endif
