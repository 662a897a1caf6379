#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT 0xfffd

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Length of the character at the start of `left` bytes and its value; 0 when it is not one.
 * The second byte's range carries the rules: no overlong form, no surrogate, nothing past 10FFFF. */
static size_t decode(const char *at, size_t left, uint32_t *rune)
{
    const unsigned char *p = (const unsigned char *)at;
    unsigned char low = 0x80, high = 0xbf;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (p[0] < 0x80) {
        *rune = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < len)
        return 0;
    switch (p[0]) {
    case 0xe0: low = 0xa0; break;
    case 0xed: high = 0x9f; break;
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break;
    default: break;
    }
    if (p[1] < low || p[1] > high)
        return 0;
    *rune = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(at[i]))
            return 0;
        *rune = *rune << 6 | (p[i] & 0x3f);
    }
    return len;
}

static size_t skip_ascii(struct str s, size_t at)
{
    uint64_t eight;

    for (; s.len - at >= 8; at += 8) {
        memcpy(&eight, s.ptr + at, 8);
        if (eight & 0x8080808080808080u)
            break;
    }
    while (at < s.len && !((unsigned char)s.ptr[at] & 0x80))
        at++;
    return at;
}

bool utf8_valid(struct str s)
{
    for (size_t at = skip_ascii(s, 0); at < s.len;) {
        uint32_t rune;
        size_t len = decode(s.ptr + at, s.len - at, &rune);

        if (!len)
            return false;
        at += len;
        if (len == 1)
            at = skip_ascii(s, at);
    }
    return true;
}

bool utf8_next(struct str s, size_t *at, uint32_t *rune)
{
    if (*at >= s.len)
        return false;

    size_t len = decode(s.ptr + *at, s.len - *at, rune);
    if (!len)
        *rune = REPLACEMENT;
    *at += len ? len : 1;
    return true;
}

size_t utf8_put(char out[4], uint32_t rune)
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xc0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3f));
        return 2;
    }
    if ((rune >= 0xd800 && rune < 0xe000) || rune > 0x10ffff)
        return 0;
    if (rune < 0x10000) {
        out[0] = (char)(0xe0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
        out[2] = (char)(0x80 | (rune & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
    out[3] = (char)(0x80 | (rune & 0x3f));
    return 4;
}

size_t utf8_boundary(struct str s, size_t at_most)
{
    size_t at = at_most;

    if (at_most >= s.len)
        return s.len;
    /* More than three continuation bytes in a row are not text: any place is as good. */
    for (int back = 0; back < 3 && at > 0 && is_continuation(s.ptr[at]); back++)
        at--;
    return is_continuation(s.ptr[at]) ? at_most : at;
}

size_t utf8_count(struct str s)
{
    size_t count = 0;
    uint32_t rune;

    for (size_t at = 0; at < s.len; count++) {
        size_t plain = skip_ascii(s, at);

        count += plain - at;
        at = plain;
        if (!utf8_next(s, &at, &rune))
            break;
    }
    return count;
}

bool rune_is_cjk(uint32_t rune)
{
    static const struct {
        uint32_t from, to;
    } blocks[] = {
        {0x1100, 0x11ff},   /* hangul jamo */
        {0x2e80, 0x2fdf},   /* radicals */
        {0x2ff0, 0x303f},   /* description characters, CJK punctuation */
        {0x3040, 0x30ff},   /* hiragana, katakana */
        {0x3100, 0x31ff},   /* bopomofo, hangul compatibility jamo, strokes, katakana extensions */
        {0x3200, 0x33ff},   /* enclosed and squared CJK */
        {0x3400, 0x4dbf},   /* Han extension A */
        {0x4e00, 0x9fff},   /* Han */
        {0xa960, 0xa97f},   /* hangul jamo extended A */
        {0xac00, 0xd7ff},   /* hangul syllables, jamo extended B */
        {0xf900, 0xfaff},   /* Han compatibility */
        {0xfe30, 0xfe4f},   /* vertical forms */
        {0xff00, 0xffef},   /* full and half width forms */
        {0x1aff0, 0x1b16f}, /* kana extensions */
        {0x20000, 0x323af}, /* Han extensions B to H */
    };

    if (rune < blocks[0].from)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        if (rune >= blocks[i].from && rune <= blocks[i].to)
            return true;
    return false;
}
