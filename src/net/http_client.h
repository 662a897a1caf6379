/* net/http_client.h: requests to upstreams over keep-alive pools, one pool per loop and origin.
 * A connection returns to the pool only after a complete answer; cancelled means closed. A kept
 * connection that turns out dead before the first byte of the answer is replaced once, silently to
 * the caller but counted (stale); no other retry lives here.
 * Deadlines are the caller's scopes: connect, first byte, gap and total are set by whoever calls.
 * Errors  ERR_UNAVAILABLE: connect, reset, malformed answer; the text names the origin. A body that
 *         ends before its framing says so is ERR_UNAVAILABLE "answer cut after N bytes", never an end. */
#ifndef WEIR_NET_HTTP_CLIENT_H
#define WEIR_NET_HTTP_CLIENT_H

#include "base/hash.h"
#include "net/http_parse.h"
#include "net/stream.h"

struct http_origin; /* scheme, host, port with its pool; shared by name within a loop */
struct http_call;   /* one request on its way */

struct http_url {
    bool tls;
    struct str host; /* without brackets */
    uint16_t port;
    struct str path; /* prefix of every request's path, no slash at the end; may be empty */
};
/* http://host:port/prefix, https://...; ERR_INVALID says what is wrong. "unix:/path" is allowed. */
bool http_url_parse(struct str url, struct http_url *out, struct err *err) MUST_CHECK;

struct http_client_options {
    uint32_t connections_max;  /* per loop and origin; more wait in line; default 4,096 */
    uint32_t idle_max;         /* kept per loop and origin; default 512 */
    dur_ns idle_timeout;       /* default 60 s */
    dur_ns connect_timeout;    /* one address; default 5 s */
    struct http_limits limits; /* of answers' heads; default 64 KiB */
    const char *ca_file;       /* NULL: the system's */
};
void http_client_init(const struct http_client_options *options); /* once; NULL: defaults */

struct http_outgoing {
    struct str method, path;         /* path with query, after the origin's prefix */
    const struct http_field *fields; /* Host, Content-Length are written here */
    size_t field_count;
    const struct str *body; /* pieces, sent with the head by writev */
    size_t body_count;
    dur_ns connect_timeout; /* one address, TLS included; 0: the client's */
    /* Whose certificates are trusted; NULL: the client's ca_file. Connections are shared only by calls
     * with the same trust. */
    const struct http_trust *trust;
    /* Addresses of this machine and of private networks are refused (net/public.h): for URLs that strangers
     * name. Such calls share connections with each other only. */
    bool public_only;
};

/* A file of authorities as it was when it was read: another content is another trust. */
struct http_trust {
    char tag[2 * SHA256_BYTES]; /* hex of the content's hash */
    const char *ca_file;
};
/* Read and checked: ERR_INVALID when it holds no certificates. ca_file stays the caller's. */
bool http_trust_read(const char *ca_file, struct http_trust *out, struct err *err) MUST_CHECK;

/* Send and wait for the head of the answer. The call is *out from here on, also when reading fails later. */
SUSPENDS bool http_call(struct arena *arena, const struct http_url *to,
                        const struct http_outgoing *send, struct http_call **out, struct err *err)
    MUST_CHECK;
const struct http_head *http_call_head(const struct http_call *call);
/* The next bytes of the body, as many as have arrived (one wait at most): a view that is good until
 * the next call. Empty at the end. No buffer is held while waiting. */
SUSPENDS bool http_call_next(struct http_call *call, struct str *bytes, struct err *err) MUST_CHECK;
/* The whole body; ERR_TOO_LARGE past max. */
SUSPENDS bool http_call_body(struct http_call *call, size_t max, struct str *out, struct err *err)
    MUST_CHECK;
bool http_call_reused(const struct http_call *call); /* over a kept connection */
/* Complete: back to the pool. Else: closed. CLEANUP-able. */
void http_call_end(struct http_call **call);

struct http_client_stats {
    uint32_t open, idle, waiting;
    uint64_t connects, reuses, stale;
};
struct http_client_stats http_client_stats(void); /* this loop */
void http_client_drop_idle(void);                 /* this loop: close what is kept */

#endif
