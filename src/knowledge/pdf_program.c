#include <string.h>

#include "knowledge/pdf_font.h"
#include "knowledge/pdf_glyphs.h"

/* Font programs, read only for what says which glyph is which character. Every offset comes from a
 * stranger: u8(), u16() and u32() give 0 outside. */

#define GLYPHS_MAX 65536u

static uint32_t u8(struct str s, uint64_t at)
{
    return at < s.len ? (uint8_t)s.ptr[at] : 0;
}

static uint32_t u16(struct str s, uint64_t at)
{
    return u8(s, at) << 8 | u8(s, at + 1);
}

static uint32_t u32(struct str s, uint64_t at)
{
    return u16(s, at) << 16 | u16(s, at + 2);
}

static bool runes_room(struct pdf *pdf, struct pdf_program *p, uint32_t count)
{
    count = MIN_OF(count, GLYPHS_MAX);
    p->glyph_runes = arena_array(pdf->arena, count + 1, sizeof *p->glyph_runes);
    if (!p->glyph_runes)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    p->glyph_count = count;
    return true;
}

static void set_rune(struct pdf_program *p, uint32_t glyph, uint32_t rune)
{
    if (glyph > 0 && glyph < p->glyph_count && rune && !p->glyph_runes[glyph])
        p->glyph_runes[glyph] = rune;
}

/* --- TrueType --------------------------------------------------------------------------------- */

static struct str table_of(struct str font, const char *tag)
{
    uint32_t count = MIN_OF(u16(font, 4), 256u);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = 12 + 16 * (uint64_t)i;

        if (at + 16 <= font.len && !memcmp(font.ptr + at, tag, 4))
            return str_slice(font, MIN_OF((size_t)u32(font, at + 8), font.len),
                             (size_t)u32(font, at + 8) + u32(font, at + 12));
    }
    return STR_NONE;
}

/* What a code of one subtable is: a character, or a code of the font's own. */
static void map_code(struct pdf_program *p, bool unicode, uint32_t code, uint32_t glyph)
{
    if (unicode) {
        set_rune(p, glyph, code);
    } else if (glyph) {
        code = code >= 0xF000 && code <= 0xF0FF ? code - 0xF000 : code;
        if (code < 256) {
            p->code_glyphs[code] = glyph;
            p->has_codes = true;
        }
    }
}

static void cmap_format4(struct pdf *pdf, struct str t, bool unicode, struct pdf_program *p)
{
    uint32_t segments = u16(t, 6) / 2;

    for (uint32_t i = 0; i < segments && pdf_spend(pdf, 1); i++) {
        uint64_t ends = 14, starts = 16 + 2 * (uint64_t)segments;
        uint64_t deltas = starts + 2 * (uint64_t)segments,
                 offsets = deltas + 2 * (uint64_t)segments;
        uint32_t end = u16(t, ends + 2 * i), start = u16(t, starts + 2 * i);
        uint32_t offset = u16(t, offsets + 2 * i);

        if (start > end || !pdf_spend(pdf, end - start))
            continue;
        for (uint32_t c = start; c <= end && c < 0xFFFF; c++) {
            uint32_t glyph = c;

            if (offset) {
                glyph = u16(t, offsets + 2 * i + offset + 2 * (uint64_t)(c - start));
                if (!glyph)
                    continue;
            }
            map_code(p, unicode, c, (glyph + u16(t, deltas + 2 * i)) & 0xFFFF);
        }
    }
}

static void cmap_format12(struct pdf *pdf, struct str t, bool unicode, struct pdf_program *p)
{
    uint32_t groups = MIN_OF(u32(t, 12), GLYPHS_MAX);

    for (uint32_t i = 0; i < groups && 16 + 12 * (uint64_t)i < t.len; i++) {
        uint64_t at = 16 + 12 * (uint64_t)i;
        uint32_t start = u32(t, at), end = u32(t, at + 4), glyph = u32(t, at + 8);

        if (end < start || end - start > GLYPHS_MAX || !pdf_spend(pdf, end - start))
            continue;
        for (uint32_t c = start; c <= end && c <= 0x10FFFF; c++)
            map_code(p, unicode, c, glyph + (c - start));
    }
}

static void read_cmap_table(struct pdf *pdf, struct str t, bool unicode, struct pdf_program *p)
{
    switch (u16(t, 0)) {
    case 0:
        for (uint32_t c = 0; c < 256; c++)
            map_code(p, unicode, c, u8(t, 6 + c));
        break;
    case 4: cmap_format4(pdf, t, unicode, p); break;
    case 6:
        for (uint32_t i = 0; i < u16(t, 8); i++)
            map_code(p, unicode, u16(t, 6) + i, u16(t, 10 + 2 * (uint64_t)i));
        break;
    case 12: cmap_format12(pdf, t, unicode, p); break;
    default: /* others are not in use in PDF */ break;
    }
}

/* Names of glyphs: the 258 of the Macintosh by number are left out but for the letters, whose names are
 * in the order of ASCII from glyph 3 on. */
static void read_post(struct str post, struct pdf_program *p)
{
    uint32_t count = u16(post, 32), names = 0;
    uint64_t at = 34 + 2 * (uint64_t)count;
    uint32_t runes[PDF_NAME_RUNES_MAX];

    if (u32(post, 0) != 0x20000)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (u16(post, 34 + 2 * (uint64_t)i) >= 258)
            names = MAX_OF(names, u16(post, 34 + 2 * (uint64_t)i) - 257);
    for (uint32_t glyph = 0; glyph < count; glyph++) {
        uint32_t index = u16(post, 34 + 2 * (uint64_t)glyph);

        if (index >= 3 && index < 98)
            set_rune(p, glyph, index + 29);
    }
    for (uint32_t n = 0; n < names && at < post.len; n++) {
        struct str name = str_slice(post, at + 1, at + 1 + u8(post, at));

        at += 1 + u8(post, at);
        if (pdf_name_runes(name, runes) != 1)
            continue;
        /* Names come in the order of glyphs in nearly all fonts: look there first. */
        for (uint32_t glyph = 0; glyph < count; glyph++)
            if (u16(post, 34 + 2 * (uint64_t)glyph) == n + 258) {
                set_rune(p, glyph, runes[0]);
                break;
            }
    }
}

void pdf_program_truetype(struct pdf *pdf, struct str font, struct pdf_program *out)
{
    struct str cmap, maxp, cff;
    uint32_t count;

    if (str_starts(font, STR("ttcf")))
        font = str_slice(font, MIN_OF((size_t)u32(font, 12), font.len), font.len);
    cff = table_of(font, "CFF ");
    if (cff.len)
        pdf_program_cff(pdf, cff, out);
    cmap = table_of(font, "cmap");
    maxp = table_of(font, "maxp");
    if (!out->glyph_runes && !runes_room(pdf, out, maxp.len ? u16(maxp, 4) : GLYPHS_MAX))
        return;
    count = MIN_OF(u16(cmap, 2), 32u);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = 4 + 8 * (uint64_t)i;
        uint32_t platform = u16(cmap, at), encoding = u16(cmap, at + 2);
        struct str table = str_slice(cmap, MIN_OF((size_t)u32(cmap, at + 4), cmap.len), cmap.len);

        read_cmap_table(pdf, table, platform == 0 || (platform == 3 && encoding != 0), out);
    }
    if (pdf_spend(pdf, GLYPHS_MAX))
        read_post(table_of(font, "post"), out);
}

/* --- CFF -------------------------------------------------------------------------------------- */

struct cff_index {
    uint32_t count, size; /* size of an offset */
    uint64_t offsets, data, end;
};

static struct cff_index index_at(struct str s, uint64_t at)
{
    struct cff_index x = {.count = u16(s, at), .size = u8(s, at + 2), .offsets = at + 3};

    if (!x.count || x.size < 1 || x.size > 4) {
        x.count = 0;
        x.end = at + 2;
        return x;
    }
    x.data = x.offsets + (uint64_t)(x.count + 1) * x.size - 1;
    for (uint32_t i = 0; i < x.size; i++)
        x.end = x.end << 8 | u8(s, x.offsets + (uint64_t)x.count * x.size + i);
    x.end += x.data;
    return x;
}

static struct str index_item(struct str s, const struct cff_index *x, uint32_t i)
{
    uint64_t from = 0, to = 0;

    if (i >= x->count)
        return STR_NONE;
    for (uint32_t k = 0; k < x->size; k++) {
        from = from << 8 | u8(s, x->offsets + (uint64_t)i * x->size + k);
        to = to << 8 | u8(s, x->offsets + (uint64_t)(i + 1) * x->size + k);
    }
    from += x->data;
    to += x->data;
    return from <= to && to <= s.len ? str_slice(s, from, to) : STR_NONE;
}

struct cff_top {
    uint64_t charset, encoding, glyphs;
    bool by_cid;
};

/* The dictionary: operands, then an operator. Only whole numbers matter to us. */
static struct cff_top top_of(struct str dict)
{
    struct cff_top top = {0};
    int64_t last = 0;

    for (uint64_t at = 0; at < dict.len;) {
        uint32_t b = u8(dict, at++);

        if (b == 12) {
            top.by_cid = top.by_cid || u8(dict, at) == 30;
            at++;
        } else if (b <= 21) {
            uint64_t value = last > 0 ? (uint64_t)last : 0;

            if (b == 15)
                top.charset = value;
            else if (b == 16)
                top.encoding = value;
            else if (b == 17)
                top.glyphs = value;
        } else if (b == 28) {
            last = (int16_t)u16(dict, at);
            at += 2;
        } else if (b == 29) {
            last = (int32_t)u32(dict, at);
            at += 4;
        } else if (b == 30) {
            while (at < dict.len && (u8(dict, at) & 15) != 15 && u8(dict, at) >> 4 != 15)
                at++;
            at++;
        } else if (b >= 32 && b <= 246) {
            last = (int64_t)b - 139;
        } else if (b >= 247 && b <= 254) {
            last = b < 251 ? ((int64_t)b - 247) * 256 + u8(dict, at) + 108
                           : -((int64_t)b - 251) * 256 - u8(dict, at) - 108;
            at++;
        }
    }
    return top;
}

static uint32_t sid_rune(struct str font, const struct cff_index *strings, uint32_t sid)
{
    uint32_t runes[PDF_NAME_RUNES_MAX];

    if (sid < PDF_CFF_RUNES)
        return pdf_cff_runes[sid];
    if (sid < 391)
        return 0;
    return pdf_name_runes(index_item(font, strings, sid - 391), runes) >= 1 ? runes[0] : 0;
}

static void cff_charset(struct pdf *pdf, struct str font, const struct cff_top *top,
                        const struct cff_index *strings, struct pdf_program *p)
{
    uint64_t at = top->charset;
    uint32_t format, glyph = 1;

    if (top->charset <= 2) { /* predefined: ISOAdobe has the order of the strings */
        for (; top->charset == 0 && glyph < p->glyph_count && glyph < 229; glyph++)
            set_rune(p, glyph, pdf_cff_runes[glyph]);
        return;
    }
    format = u8(font, at++);
    while (glyph < p->glyph_count && at < font.len && pdf_spend(pdf, 1)) {
        uint32_t sid = u16(font, at), left = 0;

        at += 2;
        if (format == 1)
            left = u8(font, at++);
        if (format == 2) {
            left = u16(font, at);
            at += 2;
        }
        for (uint32_t i = 0; i <= left && glyph < p->glyph_count; i++)
            set_rune(p, glyph++, sid_rune(font, strings, sid + i));
    }
}

static void cff_encoding(struct str font, const struct cff_top *top, struct pdf_program *p)
{
    uint64_t at = top->encoding;
    uint32_t format, count, glyph = 1;

    if (top->encoding <= 1) {
        for (uint32_t c = 0; top->encoding == 0 && c < 256; c++)
            p->code_runes[c] = pdf_encodings[PDF_ENCODING_STANDARD][c];
        p->has_runes = top->encoding == 0;
        return;
    }
    format = u8(font, at++) & 0x7F;
    count = u8(font, at++);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = u8(font, at++), left = format == 1 ? u8(font, at++) : 0;

        for (uint32_t k = 0; k <= left && code + k < 256; k++)
            p->code_glyphs[code + k] = glyph++;
    }
    p->has_codes = true;
}

void pdf_program_cff(struct pdf *pdf, struct str font, struct pdf_program *out)
{
    struct cff_index names = index_at(font, u8(font, 2)), tops = index_at(font, names.end);
    struct cff_index strings = index_at(font, tops.end), glyphs;
    struct cff_top top = top_of(index_item(font, &tops, 0));

    if (top.by_cid || !top.glyphs)
        return; /* numbers without names */
    glyphs = index_at(font, top.glyphs);
    if (!glyphs.count || !runes_room(pdf, out, glyphs.count))
        return;
    cff_charset(pdf, font, &top, &strings, out);
    cff_encoding(font, &top, out);
}

/* --- Type 1 ----------------------------------------------------------------------------------- */

/* The part that can be read: "/Encoding 256 array ... dup 65 /A put ... def". */
void pdf_program_type1(struct pdf *pdf, struct str font, struct pdf_program *out)
{
    size_t from = str_find(font, STR("/Encoding")), end = str_find(font, STR("eexec"));
    struct pdf_lexer l = {.pdf = pdf, .arena = pdf->arena, .bytes = str_slice(font, 0, end)};
    struct pdf_object o, code = pdf_nothing;
    uint32_t runes[PDF_NAME_RUNES_MAX];

    if (from >= end)
        return;
    l.at = from + 9;
    for (bool first = true; pdf_lex(&l, &o); first = false) {
        if (o.kind == PDF_KEYWORD && first && str_eq(o.text, STR("StandardEncoding"))) {
            for (int c = 0; c < 256; c++)
                out->code_runes[c] = pdf_encodings[PDF_ENCODING_STANDARD][c];
            out->has_runes = true;
            return;
        }
        if (o.kind == PDF_KEYWORD &&
            (str_eq(o.text, STR("def")) || str_eq(o.text, STR("readonly"))))
            return;
        if (o.kind == PDF_NUMBER) {
            code = o;
        } else if (o.kind == PDF_NAME && code.kind == PDF_NUMBER) {
            int64_t c = pdf_integer(&code, -1);

            if (c >= 0 && c < 256 && pdf_name_runes(o.text, runes) >= 1) {
                out->code_runes[c] = runes[0];
                out->has_runes = true;
            }
        }
    }
}
