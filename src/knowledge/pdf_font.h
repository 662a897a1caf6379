/* knowledge/pdf_font.h: fonts, as far as text needs them: which codes a string has, what characters they
 * mean and how wide they are.
 * Meaning  in this order: the font's ToUnicode map; the names or characters of its encoding; what the font
 *          program inside the file says about itself. Nothing found: U+FFFD, counted by the page.
 * Lives    in the file's arena; a font that is broken still has codes and widths. */
#ifndef WEIR_KNOWLEDGE_PDF_FONT_H
#define WEIR_KNOWLEDGE_PDF_FONT_H

#include "knowledge/pdf_object.h"

/* --- maps of codes (CMap) --------------------------------------------------------------------- */

struct pdf_map_range {
    uint32_t from, to;
    uint32_t value;  /* CID or character of `from`; the others follow */
    struct str text; /* several characters, UTF-8; or empty */
};
struct pdf_map {
    struct pdf_map_range *ranges; /* by `from` */
    size_t count;
    struct pdf_code_space {
        uint32_t low, high;
        unsigned bytes;
    } spaces[64];
    unsigned space_count;
    bool vertical;
};
/* ToUnicode (texts) or an encoding (CIDs), from a CMap's bytes. */
bool pdf_map_read(struct pdf *pdf, struct str bytes, bool texts, struct pdf_map *out);
const struct pdf_map_range *pdf_map_find(const struct pdf_map *map, uint32_t code);

/* --- what font programs say ------------------------------------------------------------------- */

struct pdf_program {
    /* Characters by glyph number (TrueType, CFF with names); 0: unknown. */
    uint32_t *glyph_runes;
    uint32_t glyph_count;
    /* Glyphs by code of the font's own encoding: for simple fonts. */
    uint32_t code_glyphs[256];
    bool has_codes;
    uint32_t code_runes[256]; /* Type 1: the encoding says names directly */
    bool has_runes;
};
void pdf_program_truetype(struct pdf *pdf, struct str bytes, struct pdf_program *out);
void pdf_program_cff(struct pdf *pdf, struct str bytes, struct pdf_program *out);
void pdf_program_type1(struct pdf *pdf, struct str bytes, struct pdf_program *out);

/* --- fonts ------------------------------------------------------------------------------------ */

enum pdf_charset { /* how codes of composite fonts are characters without any map */
                   PDF_CHARSET_NONE,
                   PDF_CHARSET_UTF16,
                   PDF_CHARSET_UTF32,
                   PDF_CHARSET_UTF8,
                   PDF_CHARSET_GBK,
                   PDF_CHARSET_BIG5,
                   PDF_CHARSET_SJIS,
                   PDF_CHARSET_KOREAN
};

struct pdf_width_range {
    uint32_t from, to;
    float width;       /* of all, or */
    const float *each; /* of each */
};

struct pdf_font {
    const struct pdf_object *key; /* its dictionary */
    struct pdf_font *next;
    bool composite, vertical, bold, italic, fixed, type3;
    int symbols; /* the encoding of a font of signs, which maps leave in the private use area; or -1 */
    float ascent, descent; /* in ems, descent below zero */
    float size_factor;     /* Type 3: what the font's matrix makes of a thousandth */
    struct pdf_map *to_unicode;
    /* Simple. */
    struct str texts[256]; /* UTF-8; empty: no meaning */
    float widths[256];     /* in ems */
    /* Composite. */
    struct pdf_map *cids; /* NULL: the code is the CID */
    enum pdf_charset charset;
    struct pdf_width_range *ranges;
    size_t range_count;
    float default_width;
    const uint8_t *cid_glyphs; /* two bytes a CID; NULL: the same */
    uint32_t cid_glyph_count;
    struct pdf_program *program;
};

struct pdf_char {
    uint32_t code;
    unsigned bytes;
    float width;     /* in ems */
    char utf8[8];    /* room for one character's text */
    struct str text; /* may point into utf8; empty: no meaning */
    bool space;      /* the one-byte code 32, which word spacing widens */
};

/* Never NULL but when the file is stopped; the same font for the same dictionary. */
struct pdf_font *pdf_font(struct pdf *pdf, struct pdf_font **fonts, const struct pdf_object *dict);
/* The next code of a string. */
bool pdf_font_next(const struct pdf_font *font, struct str *rest, struct pdf_char *out);

/* A character as text, ligatures as their letters: bytes put, 0 for what means nothing. */
size_t pdf_put_rune(char *to, uint32_t rune);
/* One character of a charset of which the C library knows nothing; 0: none. */
uint32_t pdf_charset_rune(enum pdf_charset charset, struct str bytes);

#endif
