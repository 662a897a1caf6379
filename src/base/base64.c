#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void buf_base64(struct buf *b, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    char *to = buf_room(b, BASE64_BYTES(len));

    if (!to)
        return;
    for (size_t i = 0; i < len; i += 3, to += 4) {
        size_t left = MIN_OF(len - i, (size_t)3);
        uint32_t n = (uint32_t)at[i] << 16;

        n |= left > 1 ? (uint32_t)at[i + 1] << 8 : 0;
        n |= left > 2 ? at[i + 2] : 0;
        to[0] = alphabet[n >> 18];
        to[1] = alphabet[n >> 12 & 63];
        to[2] = left > 1 ? alphabet[n >> 6 & 63] : '=';
        to[3] = left > 2 ? alphabet[n & 63] : '=';
    }
    buf_added(b, BASE64_BYTES(len));
}

/* The standard alphabet alone: one text for one value. */
static int value_of(char c)
{
    return c == '-' || c == '_' ? -1 : base64_digit(c);
}

bool base64_parse(struct str text, void *out, size_t max, size_t *got)
{
    uint8_t *to = out;
    size_t pads = 0, len;

    if (text.len % 4)
        return false;
    while (pads < 2 && pads < text.len && text.ptr[text.len - 1 - pads] == '=')
        pads++;
    len = text.len / 4 * 3 - pads;
    if (len > max)
        return false;
    for (size_t i = 0, done = 0; i < text.len; i += 4) {
        uint32_t n = 0;

        for (size_t k = 0; k < 4; k++) {
            bool pad = i + k >= text.len - pads;
            int v = pad ? 0 : value_of(text.ptr[i + k]);

            if (v < 0)
                return false;
            n = n << 6 | (uint32_t)v;
        }
        for (int shift = 16; shift >= 0; shift -= 8)
            if (done < len)
                to[done++] = (uint8_t)(n >> shift);
            else if (n >> shift & 0xff)
                return false; /* bits that stand for nothing */
    }
    *got = len;
    return true;
}
