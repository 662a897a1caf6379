/* knowledge/pdf_glyphs.h: what characters fonts mean: encodings, names of glyphs, widths of the standard
 * fonts. Tables only; pdf_glyph_table.c. */
#ifndef WEIR_KNOWLEDGE_PDF_GLYPHS_H
#define WEIR_KNOWLEDGE_PDF_GLYPHS_H

#include "base/str.h"

enum pdf_encoding {
    PDF_ENCODING_STANDARD,
    PDF_ENCODING_WIN,
    PDF_ENCODING_MAC,
    PDF_ENCODING_SYMBOL,
    PDF_ENCODING_ZAPF,
    PDF_ENCODING_WINGDINGS,
    PDF_ENCODINGS
};
extern const uint16_t pdf_encodings[PDF_ENCODINGS][256];

#define PDF_CFF_RUNES 249
extern const uint16_t pdf_cff_runes[PDF_CFF_RUNES];

struct pdf_glyph_name {
    const char *name;
    uint16_t rune;
};
extern const struct pdf_glyph_name pdf_glyph_names[];
extern const unsigned pdf_glyph_name_count;

extern const uint16_t pdf_standard_widths[4][95]; /* from space on */

#define PDF_NAME_RUNES_MAX 8
/* A glyph's name as characters ("f_f_i", "uni00410042", "Aacute.sc"); their number, 0: no meaning. */
unsigned pdf_name_runes(struct str name, uint32_t out[PDF_NAME_RUNES_MAX]);

#endif
