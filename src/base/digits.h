/* base/digits.h: decimal digits of a number into memory that has room for DIGITS_MAX of them. Most numbers of a
 * request are short: up to four digits are one or two copies out of a table. */
#ifndef WEIR_BASE_DIGITS_H
#define WEIR_BASE_DIGITS_H

#include <string.h>

#include "base/base.h"

#define DIGITS_MAX 20 /* of any uint64_t */

extern const char digit_pairs[201]; /* "00" to "99"; buf.c */

char *digits_put_long(char *to, uint64_t n); /* of at least 10,000 */

static inline void digits_put_pair(char *to, uint64_t below_100)
{
    memcpy(to, &digit_pairs[2 * below_100], 2);
}

/* Behind the last digit. */
static inline char *digits_put(char *to, uint64_t n)
{
    if (n < 10) {
        *to = (char)('0' + n);
        return to + 1;
    }
    if (n < 100) {
        digits_put_pair(to, n);
        return to + 2;
    }
    if (UNLIKELY(n >= 10000))
        return digits_put_long(to, n);
    if (n < 1000)
        *to++ = (char)('0' + n / 100);
    else
        digits_put_pair((to += 2) - 2, n / 100);
    digits_put_pair(to, n % 100);
    return to + 2;
}

#endif
