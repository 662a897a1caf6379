/* base/base64.h: RFC 4648, the standard alphabet, with padding. Reading is strict: no spaces, no line
 * breaks, padding where it belongs, unused bits zero, so that one text stands for one value. */
#ifndef WEIR_BASE_BASE64_H
#define WEIR_BASE_BASE64_H

#include "base/buf.h"

#define BASE64_BYTES(n) (((n) + 2) / 3 * 4) /* of text for n bytes */

/* The value of a digit of the standard alphabet, or of the one for URLs (- and _); -1: no digit. */
static inline int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}
void buf_base64(struct buf *b, const void *bytes, size_t len);
/* *got bytes of at most max; false when the text is not base64 or holds more. */
bool base64_parse(struct str text, void *out, size_t max, size_t *got) MUST_CHECK;

#endif
