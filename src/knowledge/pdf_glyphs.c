#include "knowledge/pdf_glyphs.h"

#include <string.h>

/* Adobe's rules for names: what follows the first point is a variant, "_" joins parts, each part is a
 * name of the list, "uni" with groups of four digits, or "u" with four to six. */

static uint32_t listed(struct str name)
{
    unsigned low = 0, high = pdf_glyph_name_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = str_cmp(str_from(pdf_glyph_names[middle].name), name);

        if (order == 0)
            return pdf_glyph_names[middle].rune;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static bool hex_of(struct str digits, uint32_t *out)
{
    uint32_t n = 0;

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];

        if (c >= '0' && c <= '9')
            n = n << 4 | (uint32_t)(c - '0');
        else if (c >= 'A' && c <= 'F')
            n = n << 4 | (uint32_t)(c - 'A' + 10);
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = n;
    return digits.len > 0 && n > 0 && n <= 0x10FFFF && (n < 0xD800 || n > 0xDFFF);
}

/* Letters of small capitals and old figures, named after what they look like. */
static uint32_t without_style(struct str part)
{
    static const char *const styles[] = {"oldstyle", "small", "lining", "tabular"};

    for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
        struct str style = str_from(styles[i]);
        struct str base = str_slice(part, 0, part.len - MIN_OF(style.len, part.len));

        if (part.len > style.len && str_ends(part, style))
            return base.len == 1 ? (uint8_t)base.ptr[0] : listed(base);
    }
    return 0;
}

static unsigned part_runes(struct str part, uint32_t *out, unsigned room)
{
    unsigned count = 0;
    uint32_t rune = 0;

    if (part.len == 1 &&
        ((part.ptr[0] >= 'A' && part.ptr[0] <= 'Z') || (part.ptr[0] >= 'a' && part.ptr[0] <= 'z')))
        rune = (uint8_t)part.ptr[0];
    else
        rune = listed(part);
    if (!rune && part.len >= 7 && str_starts(part, STR("uni")) && (part.len - 3) % 4 == 0) {
        for (size_t at = 3; at < part.len && count < room; at += 4)
            if (hex_of(str_slice(part, at, at + 4), &rune))
                out[count++] = rune;
        return count;
    }
    if (!rune && part.len >= 5 && part.len <= 7 && part.ptr[0] == 'u' &&
        !hex_of(str_slice(part, 1, part.len), &rune))
        rune = 0;
    if (!rune)
        rune = without_style(part);
    if (rune && room)
        out[count++] = rune;
    return count;
}

unsigned pdf_name_runes(struct str name, uint32_t out[PDF_NAME_RUNES_MAX])
{
    struct str rest = str_slice(name, 0, str_find_char(name, '.')), part;
    unsigned count = 0, added;

    while (rest.len && str_split(&rest, '_', &part)) {
        added = part_runes(part, out + count, PDF_NAME_RUNES_MAX - count);
        if (!added)
            return 0; /* half a meaning is none */
        count += added;
        if (!rest.ptr)
            break;
    }
    return count;
}
