/* knowledge/html_internal.h: a page on its way, for the files that read HTML (read_html.c, html_inside.c). */
#ifndef WEIR_KNOWLEDGE_HTML_INTERNAL_H
#define WEIR_KNOWLEDGE_HTML_INTERNAL_H

#include "knowledge/document_internal.h"
#include "knowledge/html_main.h"
#include "knowledge/html_math.h"

enum tag {
    TAG_OTHER, /* inline or unknown */
    TAG_LINE,  /* ends a paragraph: p, div, section ... */
    TAG_BREAK, /* br */
    TAG_HEADING,
    TAG_LIST,
    TAG_ITEM,
    TAG_TERM,       /* dt */
    TAG_DEFINITION, /* dd */
    TAG_PRE,
    TAG_TABLE,
    TAG_ROW,
    TAG_HEAD_CELL,
    TAG_CELL,
    TAG_MATH,
    TAG_PICTURE,
    TAG_INPUT,
    TAG_TEXT_AREA,
    TAG_SELECT, /* datalist too: of its options only the selected ones are text */
    TAG_OPTION,
    TAG_BUTTON,
    TAG_SCRIPTLESS, /* noscript */
    TAG_DRAWING,    /* svg */
    TAG_EMBEDDED,   /* recordings, programs, and what is said to those who cannot show them */
    TAG_FRAME,
    TAG_SKIP, /* content that is no text of the document */
    TAG_RAW,  /* content that is not even markup */
};

struct html {
    struct writer *w;
    struct str source; /* up to where it is read */
    uint32_t at, to;
    const struct html_part *out, *out_end; /* parts of it that are left out, from here on */
    int heading, lists;                    /* level of the open heading; open lists */
    bool in_item, pre, in_row;
    bool is_xml; /* "<title/>" ends there */
    bool in_math, in_select, is_selected;
    struct math math;
    struct table_state table;
    struct str skipping; /* name of the element being skipped, or empty */
    int skip_depth;
    uint32_t *skipped; /* where its characters are counted, or NULL */
    struct {
        uint32_t buttons, choices, secrets, pictures, embedded; /* how many */
        uint32_t scriptless, drawn;                             /* characters */
    } told;
};

bool html_is_blank(struct str s);
void html_want_block(struct html *h);
/* Text up to the next "<" that may begin a tag, entities decoded. */
void html_read_chars(struct html *h, uint32_t end);
/* Nothing of the element is read; count: of its characters, or NULL. */
void html_skip(struct html *h, struct str name, uint32_t *count);

/* ---- html_inside.c ---- */
/* What a tag of source[from, end) says of itself: a value, a choice, what stands for a picture. */
void html_read_inside(struct html *h, enum tag tag, uint32_t from, uint32_t end);
/* false: the tag ends the formula, and is one of the page. */
bool html_read_math_tag(struct html *h, enum tag tag, struct str name, bool closing);
/* What was not read, behind what is said of the page's parts; STR_NONE: no memory. */
struct str html_note(const struct html *h, struct str parts);

#endif
