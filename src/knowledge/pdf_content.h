/* knowledge/pdf_content.h: a page while its content is drawn: what pdf_content.c and pdf_draw.c share. */
#ifndef WEIR_KNOWLEDGE_PDF_CONTENT_H
#define WEIR_KNOWLEDGE_PDF_CONTENT_H

#include "knowledge/pdf_page.h"

#define STATES_MAX   64
#define MARKS_MAX    64
#define OPERANDS_MAX 64
#define FORMS_MAX    12u /* forms in forms */
#define POINTS_MAX   4096

struct matrix {
    double a, b, c, d, e, f;
};

struct text_state {
    struct pdf_font *font;
    double size, char_space, word_space, scale, leading, rise;
};
struct state {
    struct matrix ctm;
    struct text_state text;
};

struct mark { /* marked content that is open */
    int32_t id;
    bool hidden;
    bool replaces, replaced; /* ActualText; given out already */
    struct str actual;
};

struct point {
    double x, y;
    bool starts;
};

struct drawer {
    struct pdf_drawing *drawing;
    struct pdf *pdf;
    struct pdf_sheet *sheet;
    struct arena *scratch; /* of one operator */
    const struct pdf_object *resources;
    struct state state, states[STATES_MAX];
    unsigned state_count, states_lost;
    struct matrix text, line; /* Tm, and where its line began */
    struct mark marks[MARKS_MAX];
    unsigned mark_count, marks_lost;
    unsigned forms;
    uint32_t form; /* the innermost: its object's number; 0: the page itself */
    struct pdf_object operands[OPERANDS_MAX];
    unsigned operand_count;
    struct point points[POINTS_MAX]; /* of the path */
    unsigned point_count;
};

extern const struct matrix matrix_unit;
/* Runs the operators of one content stream. */
void draw_stream(struct drawer *d, struct str content);
/* A form's stream, its own matrix before `m`. */
void draw_form(struct drawer *d, const struct pdf_object *form, struct matrix m);

#endif
