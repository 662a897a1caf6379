/* net/http_parse.h: heads and chunked bodies of HTTP/1.1, pure functions over bytes.
 * Refuse, never repair (RFC 9110, 9112): one framing decision per message; CRLF only; no folding;
 * no space before a colon; no control bytes; exactly one Host; Content-Length digits, once;
 * Transfer-Encoding exactly "chunked", and never in HTTP/1.0 or beside Content-Length; no transfer
 * of a raw head to anybody else. The malformed requests of tests/unit/net/http_malformed.c are the rule.
 * Results view the bytes given; on anything but HTTP_OK *out holds nothing of use. */
#ifndef WEIR_NET_HTTP_PARSE_H
#define WEIR_NET_HTTP_PARSE_H

#include "net/http.h"

enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH,
    HTTP_CHUNKED,
    HTTP_UNTIL_CLOSE /* responses only */
};

struct http_head {
    struct str method, target; /* requests */
    struct str path, query;    /* parts of target; path starts with "/" ("*" for OPTIONS) */
    int status;                /* responses */
    int minor;                 /* HTTP/1.minor: 0 or 1 */
    enum http_framing framing;
    uint64_t content_length; /* HTTP_LENGTH */
    bool keep_alive;
    bool expect_continue;
    bool upgrade; /* an Upgrade was asked for; we do not */
    struct http_fields fields;
};

struct http_limits {     /* 0, or NULL for all of it: the default */
    size_t head_bytes;   /* default 16 KiB */
    size_t fields;       /* default and at most HTTP_FIELDS_MAX */
    size_t target_bytes; /* default 8 KiB */
};

enum http_parse {
    HTTP_MORE,
    HTTP_OK,
    HTTP_BAD /* err: ERR_INVALID or ERR_TOO_LARGE; close afterwards */
};
/* On HTTP_OK *used is the length of the head with its blank line. Asking again as bytes come is cheap:
 * until the blank line is there only control bytes are looked for, and those refuse at once. */
enum http_parse http_parse_request(struct str bytes, const struct http_limits *limits,
                                   struct http_head *out, size_t *used, struct err *err) MUST_CHECK;
/* `to_head`: the request was HEAD, so there is no body. 1xx heads are returned like others. */
enum http_parse http_parse_response(struct str bytes, bool to_head,
                                    const struct http_limits *limits, struct http_head *out,
                                    size_t *used, struct err *err) MUST_CHECK;

/* Chunked bodies, incrementally: feed bytes, get views of data. */
struct http_chunks {
    uint64_t left;     /* of the current chunk */
    uint32_t overhead; /* bytes of size lines and trailers, bounded */
    uint8_t state;
    bool done;
};
void http_chunks_init(struct http_chunks *c);
/* Consumes *used bytes, perhaps not all; *data views the part of them that is body (may be empty, and
 * may come together with HTTP_OK). HTTP_OK when the last chunk and the trailer have passed; HTTP_MORE
 * otherwise. Trailers are checked and dropped. */
enum http_parse http_chunks_next(struct http_chunks *c, struct str bytes, size_t *used,
                                 struct str *data, struct err *err) MUST_CHECK;

#endif
