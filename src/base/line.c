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

    if (UNLIKELY(!has_room(l, name.len + text.len + 2)))
        return;
    to = line_copy(l->at, name.ptr, name.len);
    *to = '"';
    if (LIKELY(!scan_copy(to + 1, text.ptr, text.len, scan_json_marks))) { /* ASCII, not escaped */
        to[text.len + 1] = '"';
        l->at = to + text.len + 2;
    } else {
        l->at = to;
        put_escaped(l, text);
    }
}

/* ---- numbers ---- */

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
        l->at = digits_put(l->at, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void line_usd(struct line *l, struct str name, usd_micro n)
{
    uint64_t whole = n < 0 ? 0 - (uint64_t)n : (uint64_t)n, part = whole % 1000000;

    if (!begin_number(l, name, n < 0, 7))
        return;
    l->at = digits_put(l->at, whole / 1000000);
    *l->at = '.';
    digits_put_pair(l->at + 1, part / 10000);
    digits_put_pair(l->at + 3, part / 100 % 100);
    digits_put_pair(l->at + 5, part % 100);
    l->at += 7;
}

void line_thousandths(struct line *l, struct str name, int64_t n)
{
    uint64_t part = (uint64_t)n % 1000;

    ASSERT(n >= 0);
    if (!begin_number(l, name, false, 4))
        return;
    l->at = digits_put(l->at, (uint64_t)n / 1000);
    l->at[0] = '.';
    l->at[1] = (char)('0' + part / 100);
    digits_put_pair(l->at + 2, part % 100);
    l->at += 4;
}

void line_id(struct line *l, uint64_t id)
{
    if (UNLIKELY(!has_room(l, 16)))
        return;
    for (int half = 0; half < 2; half++, id <<= 32, l->at += 8)
        store_le64(l->at, hex_of_word(__builtin_bswap32((uint32_t)(id >> 32))));
}
