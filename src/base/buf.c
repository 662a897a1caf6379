#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digits.h"
#include "base/scan.h"

#define HEADS     ((size_t)64) /* of an arena's block, and the NUL, generously */
#define FIRST_CAP (256 - HEADS)

void buf_init(struct buf *b, struct arena *arena, size_t max)
{
    ASSERT(arena);
    *b = (struct buf){.max = max, .arena = arena};
}

void buf_init_fixed(struct buf *b, char *memory, size_t size)
{
    ASSERT(memory || size == 0);
    *b = (struct buf){.ptr = memory, .cap = size, .max = size};
}

/* Doubling, a little under a power of two: the arena's block has a head, and a capacity of exactly
 * 256 KiB would take a block of 512. Who asks for more than double knows what it will need. */
static size_t next_cap(const struct buf *b, size_t need)
{
    size_t cap = MAX_OF(b->cap, FIRST_CAP);

    if (cap < need)
        cap = need / 2 > cap ? need : (cap + HEADS) * 2 - HEADS;
    return MIN_OF(cap, b->max);
}

static bool grow(struct buf *b, size_t len)
{
    if (!buf_ok(b))
        return false;
    if (len > b->max - b->len) {
        b->too_large = true;
        return false;
    }
    size_t cap = next_cap(b, b->len + len);
    /* One byte more than cap: the NUL that printing needs. */
    char *more = cap < SIZE_MAX ? arena_grow(b->arena, b->ptr, b->cap + 1, cap + 1) : NULL;
    if (!more) {
        b->no_memory = true;
        return false;
    }
    b->ptr = more;
    b->cap = cap;
    return true;
}

char *buf_grow(struct buf *b, size_t len)
{
    if (grow(b, len))
        return b->ptr + b->len;
    b->cap = 0; /* nothing fits any more, however small */
    return NULL;
}

void buf_added(struct buf *b, size_t len)
{
    ASSERT(len <= b->cap - b->len);
    b->len += len;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list args;
    char none[1];
    size_t nul = b->arena && b->ptr ? 1 : 0, left = b->cap - b->len + nul;

    if (!buf_ok(b))
        return;
    va_start(args, fmt);
    int len = vsnprintf(left ? b->ptr + b->len : none, left, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    if ((size_t)len >= left) {
        if (!buf_room(b, (size_t)len + (b->arena ? 0 : 1)))
            return;
        va_start(args, fmt);
        vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    b->len += (size_t)len;
}

static const uint64_t tens[] = {0,
                                10,
                                100,
                                1000,
                                10000,
                                100000,
                                1000000,
                                10000000,
                                100000000,
                                1000000000,
                                10000000000,
                                100000000000,
                                1000000000000,
                                10000000000000,
                                100000000000000,
                                1000000000000000,
                                10000000000000000,
                                100000000000000000,
                                1000000000000000000,
                                10000000000000000000u};

/* From the number of bits: 1233/4096 is log10(2), and a comparison says whether it is one more. */
static size_t count_digits(uint64_t n)
{
    size_t bits = 64 - (size_t)__builtin_clzll(n | 1), guess = bits * 1233 >> 12;

    return guess + (n >= tens[guess]);
}

const char digit_pairs[201] = "00010203040506070809101112131415161718192021222324"
                              "25262728293031323334353637383940414243444546474849"
                              "50515253545556575859606162636465666768697071727374"
                              "75767778798081828384858687888990919293949596979899";

/* Two digits a division. */
char *digits_put_long(char *to, uint64_t n)
{
    char *end = to + count_digits(n), *at = end;

    for (; n >= 10; n /= 100)
        digits_put_pair(at -= 2, n % 100);
    if (at > to)
        *to = (char)('0' + n);
    return end;
}

/* Where it would not fit whatever it is: it may all the same. */
static NOINLINE void put_u64_at_end(struct buf *b, uint64_t n)
{
    char digits[DIGITS_MAX];

    buf_put(b, digits, (size_t)(digits_put(digits, n) - digits));
}

void buf_u64(struct buf *b, uint64_t n)
{
    if (LIKELY(b->cap >= DIGITS_MAX && b->len <= b->cap - DIGITS_MAX))
        b->len = (size_t)(digits_put(b->ptr + b->len, n) - b->ptr);
    else
        put_u64_at_end(b, n);
}

void buf_i64(struct buf *b, int64_t n)
{
    if (n < 0)
        buf_char(b, '-');
    buf_u64(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void buf_usd(struct buf *b, usd_micro n)
{
    uint64_t whole = n < 0 ? 0 - (uint64_t)n : (uint64_t)n, part = whole % 1000000;

    if (n < 0)
        buf_char(b, '-');
    buf_u64(b, whole / 1000000);
    char *to = buf_room(b, 7);
    if (UNLIKELY(!to))
        return;
    b->len += 7;
    *to = '.';
    digits_put_pair(to + 1, part / 10000);
    digits_put_pair(to + 3, part / 100 % 100);
    digits_put_pair(to + 5, part % 100);
}

static void put_hex(char *to, const uint8_t *from, size_t count)
{
    for (; count > 0; count--, from++) {
        *to++ = "0123456789abcdef"[*from >> 4];
        *to++ = "0123456789abcdef"[*from & 15];
    }
}

void buf_hex(struct buf *b, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    char *to = len <= SIZE_MAX / 2 ? buf_room(b, 2 * len) : NULL;

    if (!to)
        return;
    size_t left = len;
    for (; left >= SCAN_BLOCK; left -= SCAN_BLOCK, from += SCAN_BLOCK, to += 2 * SCAN_BLOCK)
        scan_put_hex(to, (const char *)from);
    for (; left >= 4; left -= 4, from += 4, to += 8)
        store_le64(to, hex_of_word(load_le32((const char *)from)));
    put_hex(to, from, left);
    b->len += 2 * len;
}

void buf_hex_u64(struct buf *b, uint64_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    buf_hex(b, bytes, sizeof bytes);
}

bool buf_ok(const struct buf *b)
{
    return !b->too_large && !b->no_memory;
}

struct str buf_view(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

bool buf_finish(struct buf *b, struct str *out, struct err *err)
{
    if (b->too_large)
        return err_set(err, ERR_TOO_LARGE, "more than the maximum of %zu bytes", b->max);
    if (b->no_memory)
        return err_arena(err, b->arena);
    *out = buf_view(b);
    return true;
}
