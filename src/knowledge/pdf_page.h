/* knowledge/pdf_page.h: pages as what is drawn on them: glyphs with their characters and places, and ruling
 * lines. No idea yet of words.
 * Places   in points from the page's upper left, y downwards, the page turned as its viewer turns it and cut
 *          to its crop box. Text that runs in another direction is kept in coordinates in which it runs to
 *          the right: pdf_unturn() gives the page's back.
 * Hidden   layers that are off are left out; text drawn in no colour (what OCR writes) is kept. */
#ifndef WEIR_KNOWLEDGE_PDF_PAGE_H
#define WEIR_KNOWLEDGE_PDF_PAGE_H

#include "knowledge/pdf_font.h"

#define PDF_PAGES_MAX  20000u
#define PDF_GLYPHS_MAX 1000000u /* on a page */
#define PDF_RULES_MAX  20000u

enum pdf_turn {
    PDF_UPRIGHT,
    PDF_TURNED_90,
    PDF_TURNED_180,
    PDF_TURNED_270,
    PDF_SLANTED,
    PDF_TURNS
};

struct pdf_box {
    float x0, y0, x1, y1;
};

struct pdf_glyph {
    float x0, x1, y; /* from, to, baseline */
    float size;      /* of an em, in points */
    float ascent, descent;
    uint32_t text_at;
    uint16_t text_len; /* 0: drawn as part of what stands before it */
    uint8_t turn;
    bool bold, italic, fixed, space;
    int32_t mark; /* marked content id, or -1 */
};

struct pdf_page {
    const struct pdf_object *dict, *resources;
    double box[4];   /* x0 y0 x1 y1, user space */
    int rotate;      /* 0, 90, 180, 270 */
    uint32_t number; /* from 1 */
};

struct pdf_sheet {
    struct arena *arena; /* lives as long as the page is looked at */
    struct pdf_page page;
    double width, height;
    struct buf glyphs, rules, text; /* struct pdf_glyph, struct pdf_box, UTF-8 */
    uint32_t chars, unreadable;     /* drawn; of them without a meaning */
    double image_area;              /* share of the page below its largest picture */
    bool cut;                       /* more glyphs or rules than are kept */
    bool outside;                   /* text beyond the page's edges was left out */
    bool damaged;                   /* its content could not be unpacked whole */
};

struct pdf_pages {
    struct pdf_page *list;
    uint32_t count;
    bool more; /* than PDF_PAGES_MAX */
};
void pdf_pages(struct pdf *pdf, struct pdf_pages *out);
/* The number of the page whose dictionary this is, or 0. */
uint32_t pdf_page_number(const struct pdf_pages *pages, const struct pdf_object *dict);

struct pdf_drawing { /* what pages share */
    struct pdf *pdf;
    struct pdf_font *fonts;
    const struct pdf_object *layers_off, *layers_on; /* arrays of references */
    bool layers_base_off;
};
void pdf_drawing_init(struct pdf_drawing *drawing, struct pdf *pdf);
/* Draws the page into the sheet, which is filled anew; false when the file is stopped. */
bool pdf_draw(struct pdf_drawing *drawing, const struct pdf_page *page, struct arena *arena,
              struct pdf_sheet *out);

struct pdf_box pdf_unturn(const struct pdf_sheet *sheet, enum pdf_turn turn, struct pdf_box box);

#endif
