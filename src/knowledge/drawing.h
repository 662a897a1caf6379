/* knowledge/drawing.h: text of DrawingML (ECMA-376 part 1, chapter 21): paragraphs and tables of slides. */
#ifndef WEIR_KNOWLEDGE_DRAWING_H
#define WEIR_KNOWLEDGE_DRAWING_H

#include "knowledge/package.h"

/* What a paragraph is when it says nothing of itself. */
enum drawing_default { DRAWING_PLAIN, DRAWING_BULLETS };

/* The text of one a:p in a line. */
bool drawing_text(struct arena *arena, const struct xml_node *p, struct str *out, struct err *err)
    MUST_CHECK;
/* a:txBody: paragraphs and items by their levels. */
bool drawing_body(struct rendering *to, const struct xml_node *body, enum drawing_default kind,
                  const struct place *place, struct err *err) MUST_CHECK;
/* a:tbl */
bool drawing_table(struct rendering *to, const struct xml_node *table, const struct place *place,
                   struct err *err) MUST_CHECK;

#endif
