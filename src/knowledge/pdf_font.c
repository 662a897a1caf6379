#include "knowledge/pdf_font.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_glyphs.h"

/* --- characters to text ----------------------------------------------------------------------- */

/* Ligatures are letters; everything else stays what it is. Nothing for what is no character. */
size_t pdf_put_rune(char *to, uint32_t rune)
{
    static const char *const ligatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};

    if (rune >= 0xFB00 && rune <= 0xFB06) {
        size_t len = strlen(ligatures[rune - 0xFB00]);

        memcpy(to, ligatures[rune - 0xFB00], len);
        return len;
    }
    /* Control characters and the private use area mean nothing outside their font. */
    if (rune < ' ' || (rune >= 0x7F && rune < 0xA0) || (rune >= 0xE000 && rune <= 0xF8FF) ||
        rune == 0xFFFD || rune == 0xFFFF || rune == 0xFEFF)
        return 0;
    return utf8_put(to, rune);
}

static struct str runes_text(struct pdf *pdf, const uint32_t *runes, unsigned count)
{
    char text[8 * PDF_NAME_RUNES_MAX];
    size_t len = 0;
    struct str kept;

    for (unsigned i = 0; i < count; i++)
        len += pdf_put_rune(text + len, runes[i]);
    if (!len)
        return STR_NONE;
    kept = arena_str(pdf->arena, (struct str){text, len});
    if (!kept.ptr)
        pdf_stop(pdf, PDF_NO_MEMORY);
    return kept.ptr ? kept : STR_NONE;
}

/* --- the font program ------------------------------------------------------------------------- */

static void read_program(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *descriptor)
{
    static const char *const keys[] = {"FontFile2", "FontFile3", "FontFile"};
    struct pdf_program *p = arena_alloc(pdf->arena, sizeof *p);
    struct str bytes;

    if (!p) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct pdf_object *file = pdf_get(pdf, descriptor, keys[i]);

        if (file->kind != PDF_STREAM || !pdf_unpack(pdf, pdf->arena, file, &bytes) || !bytes.len)
            continue;
        f->program = p;
        if (i == 0 || str_starts(bytes, STR("OTTO")) ||
            pdf_is_name(pdf_get(pdf, file, "Subtype"), "OpenType"))
            pdf_program_truetype(pdf, bytes, p);
        else if (i == 1)
            pdf_program_cff(pdf, bytes, p);
        else
            pdf_program_type1(pdf, bytes, p);
        return;
    }
}

static uint32_t glyph_rune(const struct pdf_program *p, uint32_t glyph)
{
    return p && glyph < p->glyph_count ? p->glyph_runes[glyph] : 0;
}

/* --- simple fonts ----------------------------------------------------------------------------- */

static bool name_has(struct str name, const char *what)
{
    struct str w = str_from(what);

    for (size_t i = 0; i + w.len <= name.len; i++)
        if (str_eq_nocase(str_slice(name, i, i + w.len), w))
            return true;
    return false;
}

static int named_encoding(const struct pdf_object *o)
{
    if (pdf_is_name(o, "WinAnsiEncoding"))
        return PDF_ENCODING_WIN;
    if (pdf_is_name(o, "MacRomanEncoding"))
        return PDF_ENCODING_MAC;
    return pdf_is_name(o, "StandardEncoding") ? PDF_ENCODING_STANDARD : -1;
}

struct simple {
    struct pdf *pdf;
    struct pdf_font *font;
    struct str name;
    int64_t flags;
    bool truetype;
    int base; /* named encoding, or -1 */
};

/* The encoding that a code has when nothing in the file says more. */
static int default_encoding(const struct simple *s)
{
    if (s->base >= 0)
        return s->base;
    if (s->font->symbols >= 0)
        return s->font->symbols;
    return s->truetype ? PDF_ENCODING_WIN : PDF_ENCODING_STANDARD;
}

/* What the program inside the file says of a code, when the encoding is the program's own. */
static uint32_t program_rune(const struct pdf_program *p, uint32_t code)
{
    if (!p)
        return 0;
    if (p->has_codes && glyph_rune(p, p->code_glyphs[code]))
        return glyph_rune(p, p->code_glyphs[code]);
    return p->has_runes ? p->code_runes[code] : 0;
}

static void fill_encoding(const struct simple *s)
{
    int encoding = default_encoding(s);
    bool own = s->base < 0 && s->font->program != NULL;

    for (uint32_t code = 0; code < 256; code++) {
        uint32_t rune = own ? program_rune(s->font->program, code) : 0;

        if (!rune)
            rune = pdf_encodings[encoding][code];
        if (rune)
            s->font->texts[code] = runes_text(s->pdf, &rune, 1);
    }
}

static void fill_differences(const struct simple *s, const struct pdf_object *differences)
{
    uint32_t runes[PDF_NAME_RUNES_MAX];
    int64_t code = 0;

    for (uint32_t i = 0; differences->kind == PDF_ARRAY && i < differences->count; i++) {
        const struct pdf_object *o = pdf_at(s->pdf, differences, i);

        if (o->kind == PDF_NUMBER) {
            code = pdf_integer(o, -1);
        } else if (o->kind == PDF_NAME) {
            unsigned count = pdf_name_runes(o->text, runes);

            if (code >= 0 && code < 256 && (count || s->font->type3 || code < 32))
                s->font->texts[code] = runes_text(s->pdf, runes, count);
            code += code < 256;
        }
    }
}

static void standard_widths(const struct simple *s)
{
    bool serif = name_has(s->name, "Times") || name_has(s->name, "Roman") ||
                 name_has(s->name, "Georgia") || name_has(s->name, "Garamond");
    const uint16_t *widths = pdf_standard_widths[(serif ? 2 : 0) + (s->font->bold ? 1 : 0)];

    for (int code = 0; code < 256; code++)
        s->font->widths[code] = s->font->fixed             ? 0.6f
                                : code >= 32 && code < 127 ? (float)widths[code - 32] / 1000
                                                           : 0.556f;
}

static void simple_widths(const struct simple *s, const struct pdf_object *dict,
                          const struct pdf_object *descriptor)
{
    const struct pdf_object *widths = pdf_get(s->pdf, dict, "Widths");
    int64_t first = pdf_integer(pdf_get(s->pdf, dict, "FirstChar"), 0);
    double missing = pdf_number(pdf_get(s->pdf, descriptor, "MissingWidth"), 0);

    if (widths->kind != PDF_ARRAY) {
        standard_widths(s);
        return;
    }
    for (int64_t code = 0; code < 256; code++) {
        double w = missing;

        if (code >= first && code - first < widths->count)
            w = pdf_number(pdf_at(s->pdf, widths, (uint32_t)(code - first)), missing);
        s->font->widths[code] = (float)(w * (double)s->font->size_factor);
    }
}

static void read_simple(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *dict,
                        struct str name)
{
    const struct pdf_object *descriptor = pdf_get(pdf, dict, "FontDescriptor");
    const struct pdf_object *encoding = pdf_get(pdf, dict, "Encoding");
    struct simple s = {.pdf = pdf,
                       .font = f,
                       .name = name,
                       .flags = pdf_integer(pdf_get(pdf, descriptor, "Flags"), 0),
                       .truetype = pdf_is_name(pdf_get(pdf, dict, "Subtype"), "TrueType"),
                       .base = named_encoding(encoding)};

    if (pdf_is_dict(encoding))
        s.base = named_encoding(pdf_get(pdf, encoding, "BaseEncoding"));
    /* Without a map the program is the last witness, and the first for fonts with their own codes. */
    if (!f->to_unicode)
        read_program(pdf, f, descriptor);
    if (!f->type3)
        fill_encoding(&s);
    fill_differences(&s, pdf_get(pdf, encoding, "Differences"));
    simple_widths(&s, dict, descriptor);
}

/* --- composite fonts -------------------------------------------------------------------------- */

static void composite_widths(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *w)
{
    f->ranges =
        arena_array(pdf->arena, (w->kind == PDF_ARRAY ? w->count : 0) / 2 + 1, sizeof *f->ranges);
    if (!f->ranges) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; w->kind == PDF_ARRAY && i + 1 < w->count && pdf_spend(pdf, 1);) {
        int64_t from = pdf_integer(pdf_at(pdf, w, i), -1), to;
        const struct pdf_object *next = pdf_at(pdf, w, i + 1);
        struct pdf_width_range *r = &f->ranges[f->range_count];

        if (from < 0 || from > UINT16_MAX)
            return;
        if (next->kind == PDF_ARRAY) {
            float *each = arena_array(pdf->arena, next->count + 1, sizeof *each);

            if (!each) {
                pdf_stop(pdf, PDF_NO_MEMORY);
                return;
            }
            for (uint32_t k = 0; k < next->count; k++)
                each[k] = (float)(pdf_number(pdf_at(pdf, next, k), 0) / 1000);
            *r = (struct pdf_width_range){
                .from = (uint32_t)from, .to = (uint32_t)from + next->count, .each = each};
            i += 2;
        } else {
            to = pdf_integer(next, -1);
            if (to < from || to > UINT16_MAX)
                return;
            *r = (struct pdf_width_range){.from = (uint32_t)from,
                                          .to = (uint32_t)to + 1,
                                          .width =
                                              (float)(pdf_number(pdf_at(pdf, w, i + 2), 0) / 1000)};
            i += 3;
        }
        f->range_count++;
    }
}

static float cid_width(const struct pdf_font *f, uint32_t cid)
{
    for (size_t i = 0; i < f->range_count; i++) {
        const struct pdf_width_range *r = &f->ranges[i];

        if (cid >= r->from && cid < r->to)
            return r->each ? r->each[cid - r->from] : r->width;
    }
    return f->default_width;
}

static enum pdf_charset charset_of(struct str name)
{
    static const struct {
        const char *part;
        enum pdf_charset charset;
    } parts[] = {
        {"UCS2", PDF_CHARSET_UTF16},   {"UTF16", PDF_CHARSET_UTF16},
        {"UTF32", PDF_CHARSET_UTF32},  {"UTF8", PDF_CHARSET_UTF8},
        {"GBK", PDF_CHARSET_GBK},      {"GB-EUC", PDF_CHARSET_GBK},
        {"GBpc-EUC", PDF_CHARSET_GBK}, {"B5", PDF_CHARSET_BIG5},
        {"HKscs", PDF_CHARSET_BIG5},   {"RKSJ", PDF_CHARSET_SJIS},
        {"KSCms", PDF_CHARSET_KOREAN}, {"KSC-EUC", PDF_CHARSET_KOREAN},
        {"KSCpc", PDF_CHARSET_KOREAN},
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (name_has(name, parts[i].part))
            return parts[i].charset;
    return PDF_CHARSET_NONE;
}

static void read_codes(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *encoding)
{
    struct str bytes;

    if (encoding->kind == PDF_NAME) {
        f->charset = charset_of(encoding->text);
        f->vertical = str_ends(encoding->text, STR("-V")) || str_eq(encoding->text, STR("V"));
    } else if (encoding->kind == PDF_STREAM && pdf_unpack(pdf, pdf->arena, encoding, &bytes)) {
        f->cids = arena_alloc(pdf->arena, sizeof *f->cids);
        if (!f->cids)
            pdf_stop(pdf, PDF_NO_MEMORY);
        else if (!pdf_map_read(pdf, bytes, false, f->cids))
            f->cids = NULL;
        f->vertical = pdf_integer(pdf_get(pdf, encoding, "WMode"), 0) == 1;
    }
}

static void read_composite(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *dict)
{
    const struct pdf_object *inner = pdf_at(pdf, pdf_get(pdf, dict, "DescendantFonts"), 0);
    const struct pdf_object *glyphs = pdf_get(pdf, inner, "CIDToGIDMap");
    struct str bytes;

    f->composite = true;
    f->default_width = (float)(pdf_number(pdf_get(pdf, inner, "DW"), 1000) / 1000);
    composite_widths(pdf, f, pdf_get(pdf, inner, "W"));
    read_codes(pdf, f, pdf_get(pdf, dict, "Encoding"));
    if (f->to_unicode || f->charset)
        return;
    read_program(pdf, f, pdf_get(pdf, inner, "FontDescriptor"));
    if (glyphs->kind == PDF_STREAM && pdf_unpack(pdf, pdf->arena, glyphs, &bytes)) {
        f->cid_glyphs = (const uint8_t *)bytes.ptr;
        f->cid_glyph_count = (uint32_t)(bytes.len / 2);
    }
}

/* --- any font --------------------------------------------------------------------------------- */

static void read_style(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *descriptor,
                       struct str name)
{
    int64_t flags = pdf_integer(pdf_get(pdf, descriptor, "Flags"), 0);
    double weight = pdf_number(pdf_get(pdf, descriptor, "FontWeight"), 400);
    double ascent = pdf_number(pdf_get(pdf, descriptor, "Ascent"), 0) / 1000;
    double descent = pdf_number(pdf_get(pdf, descriptor, "Descent"), 0) / 1000;

    f->bold = name_has(name, "Bold") || name_has(name, "Black") || name_has(name, "Heavy") ||
              name_has(name, "Semibd") || weight >= 600 || (flags & 1 << 18) != 0;
    f->bold = f->bold || name_has(name, "SFBX") || name_has(name, "CMBX");
    f->italic = name_has(name, "Italic") || name_has(name, "Oblique") || (flags & 64) != 0;
    f->symbols = name_has(name, "Wingdings")  ? PDF_ENCODING_WINGDINGS
                 : name_has(name, "Dingbats") ? PDF_ENCODING_ZAPF
                 : name_has(name, "Symbol")   ? PDF_ENCODING_SYMBOL
                                              : -1;
    f->fixed = name_has(name, "Courier") || name_has(name, "Mono") || (flags & 1) != 0;
    f->ascent = ascent > 0.3 && ascent < 1.5 ? (float)MIN_OF(ascent, 0.95) : 0.8f;
    f->descent = descent < -0.05 && descent > -0.6 ? (float)MAX_OF(descent, -0.3) : -0.2f;
}

static struct str font_name(struct pdf *pdf, const struct pdf_object *dict)
{
    const struct pdf_object *o = pdf_get(pdf, dict, "BaseFont");
    struct str name = o->kind == PDF_NAME ? o->text : STR_NONE;

    return name.len > 7 && name.ptr[6] == '+' ? str_slice(name, 7, name.len) : name;
}

static void read_font(struct pdf *pdf, struct pdf_font *f, const struct pdf_object *dict)
{
    const struct pdf_object *map = pdf_get(pdf, dict, "ToUnicode"), *type, *inner, *descriptor;
    double matrix[6];
    struct str bytes, name = font_name(pdf, dict);

    type = pdf_get(pdf, dict, "Subtype");
    inner = pdf_at(pdf, pdf_get(pdf, dict, "DescendantFonts"), 0);
    descriptor = pdf_get(pdf, pdf_is_name(type, "Type0") ? inner : dict, "FontDescriptor");
    read_style(pdf, f, descriptor, name);
    f->size_factor = 0.001f;
    f->type3 = pdf_is_name(type, "Type3");
    if (f->type3 && pdf_numbers(pdf, pdf_get(pdf, dict, "FontMatrix"), matrix, 6) &&
        fabs(matrix[0]) > 1e-6 && fabs(matrix[0]) < 10)
        f->size_factor = (float)fabs(matrix[0]);
    if (map->kind == PDF_STREAM && pdf_unpack(pdf, pdf->arena, map, &bytes)) {
        f->to_unicode = arena_alloc(pdf->arena, sizeof *f->to_unicode);
        if (!f->to_unicode)
            pdf_stop(pdf, PDF_NO_MEMORY);
        else if (!pdf_map_read(pdf, bytes, true, f->to_unicode) || !f->to_unicode->count)
            f->to_unicode = NULL;
    }
    if (pdf_is_name(type, "Type0"))
        read_composite(pdf, f, dict);
    else
        read_simple(pdf, f, dict, name);
}

struct pdf_font *pdf_font(struct pdf *pdf, struct pdf_font **fonts, const struct pdf_object *dict)
{
    struct pdf_font *f;

    for (f = *fonts; f; f = f->next)
        if (f->key == dict || !pdf_spend(pdf, 1))
            return f;
    f = arena_alloc(pdf->arena, sizeof *f);
    if (!f) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return NULL;
    }
    f->key = dict;
    read_font(pdf, f, dict);
    f->next = *fonts;
    *fonts = f;
    return f;
}

/* --- strings ---------------------------------------------------------------------------------- */

static uint32_t code_of(struct str s, unsigned bytes)
{
    uint32_t code = 0;

    for (unsigned i = 0; i < bytes; i++)
        code = code << 8 | (uint8_t)s.ptr[i];
    return code;
}

/* Each byte of a code lies between those of its space's ends. */
static bool in_space(const struct pdf_code_space *space, uint32_t code)
{
    for (unsigned i = 0; i < space->bytes; i++) {
        uint32_t byte = code >> 8 * i & 0xFF;

        if (byte < (space->low >> 8 * i & 0xFF) || byte > (space->high >> 8 * i & 0xFF))
            return false;
    }
    return true;
}

static unsigned charset_bytes(enum pdf_charset charset, struct str s)
{
    uint8_t c = (uint8_t)s.ptr[0], second = s.len > 1 ? (uint8_t)s.ptr[1] : 0;

    switch (charset) {
    case PDF_CHARSET_UTF16: return (c & 0xFC) == 0xD8 ? 4 : 2;
    case PDF_CHARSET_UTF32: return 4;
    case PDF_CHARSET_UTF8: return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    case PDF_CHARSET_GBK:
        return c <= 0x80 || c == 0xFF ? 1 : second >= 0x30 && second <= 0x39 ? 4 : 2;
    case PDF_CHARSET_BIG5:
    case PDF_CHARSET_KOREAN: return c <= 0x80 || c == 0xFF ? 1 : 2;
    case PDF_CHARSET_SJIS: return c <= 0x80 || (c >= 0xA0 && c <= 0xDF) || c >= 0xFD ? 1 : 2;
    case PDF_CHARSET_NONE: break;
    }
    return 2;
}

static unsigned code_bytes(const struct pdf_font *f, struct str s)
{
    const struct pdf_map *map = f->cids;

    if (f->charset)
        return charset_bytes(f->charset, s);
    for (unsigned bytes = 1; map && bytes <= 4 && bytes <= s.len; bytes++)
        for (unsigned i = 0; i < map->space_count; i++)
            if (map->spaces[i].bytes == bytes && in_space(&map->spaces[i], code_of(s, bytes)))
                return bytes;
    return map && map->space_count ? map->spaces[0].bytes : 2;
}

static uint32_t composite_rune(const struct pdf_font *f, uint32_t cid, struct str bytes)
{
    if (f->charset)
        return pdf_charset_rune(f->charset, bytes);
    if (f->cid_glyphs)
        cid = cid < f->cid_glyph_count
                  ? (uint32_t)f->cid_glyphs[2 * cid] << 8 | f->cid_glyphs[2 * cid + 1]
                  : 0;
    return glyph_rune(f->program, cid);
}

/* From the font's map; false when it says nothing about the code. */
static bool mapped_text(const struct pdf_font *f, struct pdf_char *c)
{
    const struct pdf_map_range *r = f->to_unicode ? pdf_map_find(f->to_unicode, c->code) : NULL;

    if (!r)
        return false;
    if (r->text.len) {
        c->text = r->text;
        return true;
    }
    uint32_t rune = r->value + (c->code - r->from);

    if (rune >= 0xF020 && rune <= 0xF0FF && f->symbols >= 0)
        rune = pdf_encodings[f->symbols][rune - 0xF000];
    c->text = (struct str){c->utf8, pdf_put_rune(c->utf8, rune)};
    return c->text.len > 0;
}

static void composite_char(const struct pdf_font *f, struct str bytes, struct pdf_char *c)
{
    const struct pdf_map_range *r = f->cids ? pdf_map_find(f->cids, c->code) : NULL;
    uint32_t cid = r ? r->value + (c->code - r->from) : f->cids ? 0 : c->code;
    uint32_t rune = 0;

    if (!mapped_text(f, c)) {
        rune = composite_rune(f, cid, bytes);
        c->text = (struct str){c->utf8, pdf_put_rune(c->utf8, rune)};
    }
    /* Collections have the ASCII characters at 1 to 95; the other CIDs of a charset we cannot know. */
    if (f->charset)
        cid = rune >= ' ' && rune < 0x7F ? rune - 31 : UINT32_MAX;
    c->width = cid_width(f, cid);
}

bool pdf_font_next(const struct pdf_font *f, struct str *rest, struct pdf_char *out)
{
    struct str bytes;

    if (!rest->len)
        return false;
    out->bytes = f->composite ? MIN_OF(code_bytes(f, *rest), (unsigned)rest->len) : 1;
    bytes = str_slice(*rest, 0, out->bytes);
    *rest = str_slice(*rest, out->bytes, rest->len);
    out->code = code_of(bytes, out->bytes);
    out->space = out->bytes == 1 && out->code == ' ';
    out->text = STR_NONE;
    if (f->composite) {
        composite_char(f, bytes, out);
        return true;
    }
    out->width = f->widths[out->code];
    if (!mapped_text(f, out))
        out->text = f->texts[out->code];
    return true;
}
