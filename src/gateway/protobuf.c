#include "gateway/protobuf.h"

#include <string.h>

#include "base/utf8.h"

enum wire { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

#define VARINT_BYTES_MAX 10

static size_t varint_make(uint64_t n, char out[VARINT_BYTES_MAX])
{
    size_t len = 0;

    for (; n >= 0x80; n >>= 7)
        out[len++] = (char)(n | 0x80);
    out[len++] = (char)n;
    return len;
}

static void put_varint(struct buf *b, uint64_t n)
{
    char bytes[VARINT_BYTES_MAX];

    buf_put(b, bytes, varint_make(n, bytes));
}

static void put_tag(struct buf *b, uint32_t field, enum wire wire)
{
    put_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_little_endian(struct buf *b, uint64_t n, size_t len)
{
    char bytes[8];

    for (size_t i = 0; i < len; i++, n >>= 8)
        bytes[i] = (char)n;
    buf_put(b, bytes, len);
}

void pb_varint(struct buf *b, uint32_t field, uint64_t n)
{
    if (n == 0)
        return;
    put_tag(b, field, VARINT);
    put_varint(b, n);
}

void pb_fixed64(struct buf *b, uint32_t field, uint64_t n)
{
    if (n == 0)
        return;
    put_tag(b, field, FIXED64);
    put_little_endian(b, n, 8);
}

void pb_fixed32(struct buf *b, uint32_t field, uint32_t n)
{
    if (n == 0)
        return;
    put_tag(b, field, FIXED32);
    put_little_endian(b, n, 4);
}

void pb_bytes(struct buf *b, uint32_t field, struct str bytes)
{
    if (bytes.len == 0)
        return;
    pb_head(b, field, bytes.len);
    buf_str(b, bytes);
}

void pb_text(struct buf *b, uint32_t field, struct str text)
{
    uint32_t rune;
    char bytes[4];

    if (LIKELY(utf8_valid(text))) {
        pb_bytes(b, field, text);
        return;
    }
    size_t opened = pb_open(b, field);

    for (size_t at = 0; utf8_next(text, &at, &rune);)
        buf_put(b, bytes, utf8_put(bytes, rune));
    pb_close(b, opened);
}

void pb_head(struct buf *b, uint32_t field, size_t len)
{
    put_tag(b, field, LENGTH);
    put_varint(b, len);
}

size_t pb_head_bytes(uint32_t field, size_t len)
{
    char bytes[VARINT_BYTES_MAX];

    return varint_make((uint64_t)field << 3 | LENGTH, bytes) + varint_make(len, bytes);
}

size_t pb_open(struct buf *b, uint32_t field)
{
    put_tag(b, field, LENGTH);
    return b->len;
}

/* Messages are short: moving their content by the length's own bytes costs less than counting first. */
void pb_close(struct buf *b, size_t opened)
{
    char bytes[VARINT_BYTES_MAX];
    size_t len = varint_make(b->len - opened, bytes), content = b->len - opened;

    if (!buf_room(b, len))
        return; /* the buffer's own error */
    memmove(b->ptr + opened + len, b->ptr + opened, content);
    memcpy(b->ptr + opened, bytes, len);
    buf_added(b, len);
}

/* ---- reading ---- */

static bool take_varint(struct str *rest, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < VARINT_BYTES_MAX && i < rest->len; i++) {
        uint8_t byte = (uint8_t)rest->ptr[i];

        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false;
        n |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *rest = str_slice(*rest, i + 1, rest->len);
            *out = n;
            return true;
        }
    }
    return false;
}

static bool take_fixed(struct str *rest, size_t len, uint64_t *out)
{
    uint64_t n = 0;

    if (rest->len < len)
        return false;
    for (size_t i = len; i > 0; i--)
        n = n << 8 | (uint8_t)rest->ptr[i - 1];
    *rest = str_slice(*rest, len, rest->len);
    *out = n;
    return true;
}

static bool take_bytes(struct str *rest, struct str *out)
{
    uint64_t len;

    if (!take_varint(rest, &len) || len > rest->len)
        return false;
    *out = str_slice(*rest, 0, (size_t)len);
    *rest = str_slice(*rest, (size_t)len, rest->len);
    return true;
}

bool pb_next(struct str *rest, struct pb_field *out, bool *bad)
{
    uint64_t tag;
    bool ok = true;

    if (rest->len == 0)
        return false;
    *out = (struct pb_field){0};
    if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        *bad = true;
        return false;
    }
    out->number = (uint32_t)(tag >> 3);
    switch ((unsigned)(tag & 7)) {
    case VARINT: ok = take_varint(rest, &out->n); break;
    case FIXED64: ok = take_fixed(rest, 8, &out->n); break;
    case FIXED32: ok = take_fixed(rest, 4, &out->n); break;
    case LENGTH: ok = take_bytes(rest, &out->bytes); break;
    default: ok = false; break;
    }
    *bad = *bad || !ok;
    return ok;
}
