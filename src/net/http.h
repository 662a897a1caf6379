/* net/http.h: the values of HTTP/1.1 that server and client share: methods, heads, fields. */
#ifndef WEIR_NET_HTTP_H
#define WEIR_NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define HTTP_FIELDS_MAX 64

struct http_field {
    struct str name, value; /* name as it came; compare with str_eq_nocase */
};
struct http_fields {
    size_t count;
    uint64_t names; /* a bit for each, see http_name_bit(); 0: nobody has looked */
    struct http_field
        at[HTTP_FIELDS_MAX]; /* last: whoever keeps a head may keep count of them only */
};
/* By length and first letter, of either case: most names that are asked for are not there, and this says so. */
static inline uint64_t http_name_bit(struct str name)
{
    return UINT64_C(1) << (((unsigned char)name.ptr[0] | 0x20u) + 5 * name.len) % 64;
}
/* The first field of that name, or STR_NONE. */
struct str http_field(const struct http_fields *fields, struct str name);
const char *http_reason(int status); /* "Not Found"; "Unknown" */
/* Value of ?name=value in the query, percent-decoded and "+" as a space: a view where nothing is
 * escaped. "" for a name without value; STR_NONE when it is absent or malformed, or memory is gone. */
struct str http_query(struct arena *arena, struct str query, struct str name);
/* Value of a cookie in a Cookie field. STR_NONE when it is absent, or there twice: who sets cookies for us
 * from a neighbour's host must not choose which one counts. */
struct str http_cookie(struct str field, struct str name);
dur_ns retry_after_read(struct str value, wall_ms now); /* seconds or a date; 0: nothing readable */
/* As a value of a query: all but letters, digits and - . _ ~ as %XX. */
void http_escape(struct buf *b, struct str s);

#endif
