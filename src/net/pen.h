/* net/pen.h: writes the heads of messages into memory whose size was summed up before: no checks, no
 * growing. Internal to net. */
#ifndef WEIR_NET_PEN_H
#define WEIR_NET_PEN_H

#include <string.h>

#include "base/digits.h"
#include "base/str.h"

#define PEN_NUMBER_BYTES DIGITS_MAX /* at most, of put_number() */

struct pen {
    char *at;
};

static inline void put(struct pen *pen, struct str s)
{
    if (s.len > 0)
        memcpy(pen->at, s.ptr, s.len);
    pen->at += s.len;
}

static inline void put_field(struct pen *pen, struct str name, struct str value)
{
    put(pen, name);
    put(pen, STR(": "));
    put(pen, value);
    put(pen, STR("\r\n"));
}

static inline void put_number(struct pen *pen, uint64_t n)
{
    pen->at = digits_put(pen->at, n);
}

/* Lower case, without leading zeros. */
static inline void put_hex(struct pen *pen, uint64_t n)
{
    int shift = 60;

    while (shift > 0 && n >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *pen->at++ = "0123456789abcdef"[n >> shift & 15];
}

#endif
