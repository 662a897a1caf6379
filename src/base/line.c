#include "base/line.h"

#include "base/json.h"
#include "base/scan.h"

static inline ALWAYS_INLINE bool has_room(struct line *l, size_t len)
{
    bool fits = (size_t)(l->end - l->at) >= len;

    if (UNLIKELY(!fits))
        l->over = true;
    return fits;
}

/* ---- texts ---- */

static inline scan_block odd_in(const char *p)
{
    scan_block b = scan_load(p);

    return scan_or(scan_or(scan_equal(b, '"'), scan_equal(b, '\\')), scan_below_or_high(b, 0x20));
}

/* Nothing to escape, and ASCII: looked at where it was copied to, because the line may be read past its end. */
static inline ALWAYS_INLINE bool is_plain(const char *copied, size_t len)
{
    for (size_t at = 0; at < len; at += SCAN_BLOCK) {
        size_t odd = scan_first(odd_in(copied + at));

        if (UNLIKELY(odd < SCAN_BLOCK && at + odd < len))
            return false;
    }
    return true;
}

static NOINLINE COLD void put_escaped(struct line *l, struct str s)
{
    struct buf b;

    buf_init_fixed(&b, l->at, (size_t)(l->end - l->at));
    buf_json_str(&b, s);
    l->over |= !buf_ok(&b);
    if (buf_ok(&b))
        l->at += b.len;
}

void line_text(struct line *l, struct str name, struct str text)
{
    char *to;

    if (UNLIKELY(!has_room(l, name.len + text.len + 2 + SCAN_BLOCK)))
        return;
    to = line_copy(l->at, name.ptr, name.len);
    *to = '"';
    (void)line_copy(to + 1, text.ptr, text.len);
    if (LIKELY(is_plain(to + 1, text.len))) {
        to[text.len + 1] = '"';
        l->at = to + text.len + 2;
    } else {
        l->at = to;
        put_escaped(l, text);
    }
}

/* ---- numbers ---- */

static inline ALWAYS_INLINE void put_pair(char *to, uint64_t below_100)
{
    to[0] = (char)('0' + below_100 / 10);
    to[1] = (char)('0' + below_100 % 10);
}

/* There is room for LINE_DIGITS. */
static inline ALWAYS_INLINE char *put_digits(char *to, uint64_t n)
{
    char digits[LINE_DIGITS];
    size_t at = sizeof digits;

    for (; n >= 100; n /= 100)
        put_pair(&digits[at -= 2], n % 100);
    if (n >= 10)
        put_pair(&digits[at -= 2], n);
    else
        digits[--at] = (char)('0' + n);
    do
        *to++ = digits[at++];
    while (at < sizeof digits);
    return to;
}

/* The name, the sign and room for the digits and so many bytes more. */
static inline ALWAYS_INLINE bool begin_number(struct line *l, struct str name, bool negative,
                                              size_t more)
{
    if (UNLIKELY(!has_room(l, name.len + 1 + LINE_DIGITS + more)))
        return false;
    l->at = line_copy(l->at, name.ptr, name.len);
    if (UNLIKELY(negative))
        *l->at++ = '-';
    return true;
}

void line_number(struct line *l, struct str name, int64_t n)
{
    if (begin_number(l, name, n < 0, 0))
        l->at = put_digits(l->at, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void line_usd(struct line *l, struct str name, usd_micro n)
{
    uint64_t whole = n < 0 ? 0 - (uint64_t)n : (uint64_t)n, part = whole % 1000000;

    if (!begin_number(l, name, n < 0, 7))
        return;
    l->at = put_digits(l->at, whole / 1000000);
    *l->at = '.';
    put_pair(l->at + 1, part / 10000);
    put_pair(l->at + 3, part / 100 % 100);
    put_pair(l->at + 5, part % 100);
    l->at += 7;
}

void line_thousandths(struct line *l, struct str name, int64_t n)
{
    uint64_t part = (uint64_t)n % 1000;

    ASSERT(n >= 0);
    if (!begin_number(l, name, false, 4))
        return;
    l->at = put_digits(l->at, (uint64_t)n / 1000);
    l->at[0] = '.';
    l->at[1] = (char)('0' + part / 100);
    put_pair(l->at + 2, part % 100);
    l->at += 4;
}

/* Four bytes at a time, a byte each for eight half bytes, then "0" or "a" on top of each. */
void line_id(struct line *l, uint64_t id)
{
    if (UNLIKELY(!has_room(l, 16)))
        return;
    for (int half = 0; half < 2; half++, id <<= 32, l->at += 8) {
        uint64_t n = __builtin_bswap32((uint32_t)(id >> 32)), nine;

        n = (n | n << 16) & UINT64_C(0x0000ffff0000ffff);
        n = (n | n << 8) & UINT64_C(0x00ff00ff00ff00ff);
        n = (n >> 4 & UINT64_C(0x000f000f000f000f)) | (n & UINT64_C(0x000f000f000f000f)) << 8;
        nine = (n + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
        store_le64(l->at, n + UINT64_C(0x3030303030303030) + nine * ('a' - '0' - 10));
    }
}
