/* base/str.h: a view of bytes. By value, not owned, not terminated.
 * Numbers parse whole or not at all: no sign where none is meant, no spaces, no overflow. */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include "base/base.h"
#include "base/err.h"

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){"" literal "", sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
#define STR_FMT      "%.*s"
#define STR_ARG(s)   ((int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len)), ((s).ptr ? (s).ptr : "")

struct str str_from(const char *terminated); /* NULL gives STR_NONE */
bool str_is_empty(struct str s);
bool str_eq(struct str a, struct str b);
/* The same as a terminated name; its length is only asked for where the first letters agree. */
static inline bool str_is(struct str s, const char *name)
{
    return s.len > 0 && *s.ptr == *name ? str_eq(s, str_from(name)) : s.len == 0 && *name == 0;
}
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
int str_cmp(struct str a, struct str b);        /* bytes, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
size_t str_find(struct str s, struct str what);             /* s.len when absent */
size_t str_find_char(struct str s, char c);                 /* s.len when absent */
struct str str_slice(struct str s, size_t from, size_t to); /* clamped to s */
struct str str_trim(struct str s);                          /* space, tab, CR, LF at both ends */
/* Cut the part before `sep` off *rest into *part; false when *rest.ptr is NULL (all given out).
 *   for (struct str rest = list, part; str_split(&rest, ',', &part);) */
bool str_split(struct str *rest, char sep, struct str *part);
bool str_equal_secret(struct str a, struct str b); /* time depends on lengths only */

bool u64_parse(struct str s, uint64_t *out) MUST_CHECK;
bool i64_parse(struct str s, int64_t *out) MUST_CHECK;
bool f64_parse(struct str s, double *out) MUST_CHECK; /* decimal, locale-free, finite */
bool hex_parse(struct str s, uint8_t *out, size_t out_len)
    MUST_CHECK; /* exactly 2*out_len digits */
bool size_mul(size_t a, size_t b, size_t *out) MUST_CHECK;
bool size_add(size_t a, size_t b, size_t *out) MUST_CHECK;
/* "10s", "250ms", "5m", "24h", "400d"; "64KiB", "16MiB", "1GiB", plain bytes. */
bool duration_parse(struct str s, dur_ns *out) MUST_CHECK;
bool bytes_parse(struct str s, size_t *out) MUST_CHECK;
/* US dollars with up to six decimals to micro-dollars: "0.15", "12". */
bool usd_parse(struct str s, usd_micro *out) MUST_CHECK;

#endif
