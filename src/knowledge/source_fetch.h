/* knowledge/source_fetch.h: one thing of the web: a GET with its redirects, each of which is looked at anew.
 * Bounds   REDIRECTS_MAX; bytes and time as the options say.
 * Errors   ERR_UNAVAILABLE, ERR_TIMEOUT: it may work another time; ERR_TOO_LARGE; ERR_DENIED: a redirect, or an
 *          address, that may not be followed. A status of 400 and above is an answer.
 *          fetched.moved says, also of an ERR_DENIED, that the last redirect was one for good (301, 308). */
#ifndef WEIR_KNOWLEDGE_SOURCE_FETCH_H
#define WEIR_KNOWLEDGE_SOURCE_FETCH_H

#include "knowledge/source_url.h"

#define REDIRECTS_MAX 5
#define FETCH_TIME    (30 * SECOND) /* from the question to the last byte */

struct fetching {
    struct str agent; /* User-Agent */
    bool private_addresses;
    size_t bytes_max;
    struct str etag, modified; /* of the version that is known; or empty */
    /* May it be gone on to? NULL: anywhere. */
    bool (*may)(void *ctx, const struct url *to, struct err *err);
    void *ctx;
};
struct fetched {
    int status;
    bool moved;
    struct url url;            /* where it was in the end */
    struct str type;           /* "text/html", in lower case, without parameters; or empty */
    struct str etag, modified; /* as given; or empty */
    struct str robots;         /* X-Robots-Tag; or empty */
    dur_ns retry_after;        /* 0: it said nothing */
    struct str body;           /* unpacked */
};
SUSPENDS bool web_fetch(struct arena *arena, const struct url *from, const struct fetching *how,
                        struct fetched *out, struct err *err) MUST_CHECK;

#endif
