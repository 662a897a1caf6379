/* base/base64.h: RFC 4648, the standard alphabet, with padding. Reading is strict: no spaces, no line
 * breaks, padding where it belongs, unused bits zero, so that one text stands for one value. */
#ifndef WEIR_BASE_BASE64_H
#define WEIR_BASE_BASE64_H

#include "base/buf.h"

#define BASE64_BYTES(n) (((n) + 2) / 3 * 4) /* of text for n bytes */

void buf_base64(struct buf *b, const void *bytes, size_t len);
/* *got bytes of at most max; false when the text is not base64 or holds more. */
bool base64_parse(struct str text, void *out, size_t max, size_t *got) MUST_CHECK;

#endif
