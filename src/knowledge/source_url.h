/* knowledge/source_url.h: addresses of web pages, one spelling each.
 * Spelled   scheme and host in lower case, no default port, no fragment, no "." and ".." in the path, "/" for an
 *           empty one, bytes that no URL may hold as %XX. What is spelled so stays so (fuzz/links.c).
 * Refused   ERR_INVALID: another scheme than http and https, user names, hosts with other bytes than letters,
 *           digits, "." "-" "_" and IPv6, more than URL_BYTES_MAX bytes.
 * Source    RFC 3986, 5.2 (references), 6.2 (normalisation). */
#ifndef WEIR_KNOWLEDGE_SOURCE_URL_H
#define WEIR_KNOWLEDGE_SOURCE_URL_H

#include "base/arena.h"
#include "net/http_client.h"

#define URL_BYTES_MAX 2048u

struct url {
    struct str text;   /* all of it */
    struct str site;   /* "https://example.com:8443" */
    struct str target; /* path and query, as a request has it */
    struct str path;
    struct http_url origin; /* without path: for http_call() */
};
/* base: NULL for a whole address. In the arena. */
bool url_resolve(struct arena *arena, const struct url *base, struct str reference, struct url *out,
                 struct err *err) MUST_CHECK;

#endif
