/* base/buf.h: growing bytes with a maximum from birth and a sticky error.
 * Write on, check once at buf_finish(). Memory belongs to the arena. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct buf {
    char *ptr;
    size_t len, cap, max;
    struct arena *arena;
    bool too_large, no_memory; /* sticky; cap is 0 from then on */
};

void buf_init(struct buf *b, struct arena *arena, size_t max);
/* Over fixed memory of `size` bytes, without an arena. buf_fmt() needs a byte more than its text. */
void buf_init_fixed(struct buf *b, char *memory, size_t size);
static inline void buf_put(struct buf *b, const void *bytes, size_t len);
static inline void buf_str(struct buf *b, struct str s);
static inline void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_u64(struct buf *b, uint64_t n); /* decimal, faster than buf_fmt */
void buf_i64(struct buf *b, int64_t n);
void buf_usd(struct buf *b, usd_micro n); /* dollars with all six decimals: exact */
void buf_hex(struct buf *b, const void *bytes, size_t len); /* lower case */
void buf_hex_u64(struct buf *b, uint64_t n);                /* all 16 digits */
/* Room for `len` more bytes to write into directly; NULL past the maximum. Then buf_added(). */
static inline ALWAYS_INLINE char *buf_room(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);
bool buf_ok(const struct buf *b);
struct str buf_view(const struct buf *b);
/* ERR_TOO_LARGE naming the maximum, or ERR_EXHAUSTED; else *out views the bytes. */
bool buf_finish(struct buf *b, struct str *out, struct err *err) MUST_CHECK;

/* ---- what nearly always happens: it fits ---- */

COLD char *buf_grow(struct buf *b, size_t len); /* buf_room() when it does not fit, or NULL */

static inline ALWAYS_INLINE char *buf_room(struct buf *b, size_t len)
{
    bool fits = len <= b->cap && b->len <= b->cap - len;

    return LIKELY(fits) ? b->ptr + b->len : buf_grow(b, len);
}

static inline void buf_put(struct buf *b, const void *bytes, size_t len)
{
    char *to = len ? buf_room(b, len) : NULL;

    if (LIKELY(to != NULL)) {
        memcpy(to, bytes, len);
        b->len += len;
    }
}

static inline void buf_str(struct buf *b, struct str s)
{
    buf_put(b, s.ptr, s.len);
}

static inline void buf_char(struct buf *b, char c)
{
    char *to = buf_room(b, 1);

    if (LIKELY(to != NULL)) {
        *to = c;
        b->len++;
    }
}

#endif
