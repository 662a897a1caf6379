#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

char *buf_room(struct buf *b, size_t len)
{
    if (UNLIKELY(len > b->cap - b->len || b->too_large || b->no_memory) && !grow(b, len))
        return NULL;
    return b->ptr + b->len;
}

void buf_added(struct buf *b, size_t len)
{
    ASSERT(len <= b->cap - b->len);
    b->len += len;
}

void buf_put(struct buf *b, const void *bytes, size_t len)
{
    char *to = len ? buf_room(b, len) : NULL;

    if (to) {
        memcpy(to, bytes, len);
        b->len += len;
    }
}

void buf_str(struct buf *b, struct str s)
{
    buf_put(b, s.ptr, s.len);
}

void buf_char(struct buf *b, char c)
{
    char *to = buf_room(b, 1);

    if (to) {
        *to = c;
        b->len++;
    }
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

void buf_u64(struct buf *b, uint64_t n)
{
    char digits[20], *at = digits + sizeof digits;

    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    buf_put(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_i64(struct buf *b, int64_t n)
{
    if (n < 0)
        buf_char(b, '-');
    buf_u64(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void buf_hex(struct buf *b, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    char *to = len <= SIZE_MAX / 2 ? buf_room(b, 2 * len) : NULL;

    if (!to)
        return;
    for (size_t i = 0; i < len; i++) {
        *to++ = "0123456789abcdef"[from[i] >> 4];
        *to++ = "0123456789abcdef"[from[i] & 15];
    }
    b->len += 2 * len;
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
