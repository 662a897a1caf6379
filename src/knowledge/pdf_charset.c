#include <unicode/ucnv.h>

#include "base/utf8.h"
#include "knowledge/pdf_font.h"

/* Characters of fonts whose codes are those of an East Asian charset. ICU has the tables in its library,
 * so nothing is opened; a converter is opened for each character asked, which such fonts are too rare
 * to make dear: fonts of today carry a map. */

static uint32_t by_icu(const char *converter, struct str bytes)
{
    UErrorCode error = U_ZERO_ERROR;
    UChar32 rune;
    UConverter *c = ucnv_open(converter, &error);
    const char *at = bytes.ptr;

    if (U_FAILURE(error))
        return 0;
    rune = ucnv_getNextUChar(c, &at, bytes.ptr + bytes.len, &error);
    ucnv_close(c);
    return U_SUCCESS(error) && rune != 0xFFFD && rune > 0 ? (uint32_t)rune : 0;
}

static uint32_t utf16_rune(struct str s)
{
    uint32_t unit = s.len >= 2 ? (uint32_t)(uint8_t)s.ptr[0] << 8 | (uint8_t)s.ptr[1] : 0, low;

    if (s.len < 4)
        return unit >= 0xD800 && unit < 0xE000 ? 0 : unit;
    low = (uint32_t)(uint8_t)s.ptr[2] << 8 | (uint8_t)s.ptr[3];
    return low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : 0;
}

uint32_t pdf_charset_rune(enum pdf_charset charset, struct str bytes)
{
    size_t at = 0;
    uint32_t rune = 0;

    switch (charset) {
    case PDF_CHARSET_NONE: return 0;
    case PDF_CHARSET_UTF16: return utf16_rune(bytes);
    case PDF_CHARSET_UTF32:
        for (size_t i = 0; i < bytes.len; i++)
            rune = rune << 8 | (uint8_t)bytes.ptr[i];
        return rune <= 0x10FFFF ? rune : 0;
    case PDF_CHARSET_UTF8: return utf8_next(bytes, &at, &rune) ? rune : 0;
    case PDF_CHARSET_GBK: return by_icu("gb18030", bytes);
    case PDF_CHARSET_BIG5: return by_icu("Big5-HKSCS", bytes);
    case PDF_CHARSET_SJIS: return by_icu("ibm-943_P15A-2003", bytes);
    case PDF_CHARSET_KOREAN: return by_icu("windows-949-2000", bytes);
    }
    return 0;
}
