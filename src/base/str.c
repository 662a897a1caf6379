#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"

#define F64_CHARS_MAX 512 /* longer numbers are refused: no sender means them */

struct str str_from(const char *terminated)
{
    return terminated ? (struct str){terminated, strlen(terminated)} : STR_NONE;
}

bool str_is_empty(struct str s)
{
    return s.len == 0;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Of bytes that are the same but for their bit 0x20: are all that differ letters? Top bits. */
static inline uint64_t differ_otherwise(uint64_t a, uint64_t b)
{
    uint64_t low = a | SCAN_WORD(0x20), ascii = low & SCAN_WORD(0x7f), differ = (a ^ b) << 2;
    uint64_t letter =
        (ascii + SCAN_WORD(0x80 - 'a')) & ~(ascii + SCAN_WORD(0x7f - 'z')) & ~low & SCAN_WORD(0x80);

    return differ & ~letter & SCAN_WORD(0x80);
}

/* Who asks for a name writes it as most senders do: mostly the bytes are the same. */
static bool eq_nocase_short(struct str a, struct str b)
{
    uint64_t x[2], y[2];

    scan_load_short(a.ptr, a.len, 0, x);
    scan_load_short(b.ptr, b.len, 0, y);
    uint64_t differ = (x[0] ^ y[0]) | (x[1] ^ y[1]);
    if (LIKELY(differ == 0) || (differ & ~SCAN_WORD(0x20)) != 0)
        return differ == 0;
    return (differ_otherwise(x[0], y[0]) | differ_otherwise(x[1], y[1])) == 0;
}

/* Mostly the lengths differ, or the first letters do: most fields of a head are not the one wanted. */
bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len || (a.len > 0 && ((*a.ptr ^ *b.ptr) & ~0x20)))
        return false;
    if (a.len <= 16)
        return eq_nocase_short(a, b);
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t both = MIN_OF(a.len, b.len);
    int order = both ? memcmp(a.ptr, b.ptr, both) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

size_t str_find(struct str s, struct str what)
{
    if (!what.len)
        return 0;

    const char *at = s.len >= what.len ? memmem(s.ptr, s.len, what.ptr, what.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

size_t str_find_char(struct str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

    return at ? (size_t)(at - s.ptr) : s.len;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    to = MIN_OF(to, s.len);
    from = MIN_OF(from, to);
    return s.ptr ? (struct str){s.ptr + from, to - from} : STR_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len && is_blank(*s.ptr)) {
        s.ptr++;
        s.len--;
    }
    return s;
}

bool str_split(struct str *rest, char sep, struct str *part)
{
    if (!rest->ptr)
        return false;

    size_t at = str_find_char(*rest, sep);
    *part = (struct str){rest->ptr, at};
    *rest = at < rest->len ? str_slice(*rest, at + 1, rest->len) : STR_NONE;
    return true;
}

bool str_equal_secret(struct str a, struct str b)
{
    volatile unsigned char differ = 0; /* volatile: no early way out may be compiled in */

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        differ = (unsigned char)(differ | (a.ptr[i] ^ b.ptr[i]));
    return differ == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool u64_parse(struct str s, uint64_t *out)
{
    uint64_t n = 0;

    if (!s.len)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.ptr[i]) || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n))
            return false;
    *out = n;
    return true;
}

bool i64_parse(struct str s, int64_t *out)
{
    bool minus = s.len && *s.ptr == '-';
    uint64_t n;

    if (!u64_parse(str_slice(s, minus, s.len), &n) || n > (uint64_t)INT64_MAX + minus)
        return false;
    *out = (int64_t)(minus ? 0 - n : n);
    return true;
}

static size_t skip_digits(struct str s, size_t at)
{
    while (at < s.len && is_digit(s.ptr[at]))
        at++;
    return at;
}

/* -?digits[.digits][e[+-]digits]: what JSON allows, and leading zeros. Neither hexadecimal nor
 * "inf", which strtod() would take as well. */
static bool is_decimal(struct str s)
{
    size_t start = s.len && *s.ptr == '-', at = skip_digits(s, start);

    if (at == start)
        return false;
    if (at < s.len && s.ptr[at] == '.') {
        start = at + 1;
        at = skip_digits(s, start);
        if (at == start)
            return false;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        start = at + 1;
        if (start < s.len && (s.ptr[start] == '+' || s.ptr[start] == '-'))
            start++;
        at = skip_digits(s, start);
        if (at == start)
            return false;
    }
    return at == s.len;
}

bool f64_parse(struct str s, double *out)
{
    char text[F64_CHARS_MAX + 1];

    if (s.len > F64_CHARS_MAX || !is_decimal(s))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    double n = strtod(text, NULL); /* the process never leaves the C locale */
    if (!isfinite(n))
        return false;
    *out = n;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_parse(struct str s, uint8_t *out, size_t out_len)
{
    if (s.len % 2 || s.len / 2 != out_len)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (hex_digit(s.ptr[i]) < 0)
            return false;
    for (size_t i = 0; i < out_len; i++)
        out[i] = (uint8_t)(hex_digit(s.ptr[2 * i]) << 4 | hex_digit(s.ptr[2 * i + 1]));
    return true;
}

bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t n;

    if (__builtin_mul_overflow(a, b, &n))
        return false;
    *out = n;
    return true;
}

bool size_add(size_t a, size_t b, size_t *out)
{
    size_t n;

    if (__builtin_add_overflow(a, b, &n))
        return false;
    *out = n;
    return true;
}

struct unit {
    struct str name;
    uint64_t worth;
};

/* Digits and one of the units, at most INT64_MAX in all. */
static bool quantity_parse(struct str s, const struct unit *units, size_t count, uint64_t *out)
{
    size_t digits = skip_digits(s, 0);
    struct str name = str_slice(s, digits, s.len);
    uint64_t n;

    if (!u64_parse(str_slice(s, 0, digits), &n))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, units[i].name)) {
            if (__builtin_mul_overflow(n, units[i].worth, &n) || n > INT64_MAX)
                return false;
            *out = n;
            return true;
        }
    return false;
}

bool duration_parse(struct str s, dur_ns *out)
{
    static const struct unit units[] = {
        {{"us", 2}, MICROSECOND}, {{"ms", 2}, MILLISECOND},     {{"s", 1}, SECOND},
        {{"m", 1}, 60 * SECOND},  {{"h", 1}, 60 * 60 * SECOND}, {{"d", 1}, 24 * 60 * 60 * SECOND},
    };
    uint64_t n;

    if (!quantity_parse(s, units, ARRAY_LEN(units), &n))
        return false;
    *out = (dur_ns)n;
    return true;
}

bool bytes_parse(struct str s, size_t *out)
{
    static const struct unit units[] = {
        {{"", 0}, 1},      {{"KiB", 3}, KIB},       {{"MiB", 3}, MIB},
        {{"GiB", 3}, GIB}, {{"TiB", 3}, KIB * GIB},
    };
    uint64_t n;

    if (!quantity_parse(s, units, ARRAY_LEN(units), &n) || n > SIZE_MAX)
        return false;
    *out = (size_t)n;
    return true;
}

bool usd_parse(struct str s, usd_micro *out)
{
    size_t point = str_find_char(s, '.'), decimals = s.len - point;
    uint64_t whole, micro = 0;

    if (!u64_parse(str_slice(s, 0, point), &whole))
        return false;
    if (decimals) { /* the point counts: ".5" is two */
        if (decimals > 7 || !u64_parse(str_slice(s, point + 1, s.len), &micro))
            return false;
        for (; decimals < 7; decimals++)
            micro *= 10;
    }
    if (__builtin_mul_overflow(whole, 1000000u, &whole) ||
        __builtin_add_overflow(whole, micro, &whole) || whole > INT64_MAX)
        return false;
    *out = (usd_micro)whole;
    return true;
}
