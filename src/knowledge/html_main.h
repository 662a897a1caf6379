/* knowledge/html_main.h: which parts of a page are not what it is about: navigation, page headers and footers, what stands
 * aside, notices of consent, hidden elements, blocks of links, and everything outside of its main part.
 * Rules     elements and roles first (nav, <main>, role=search ...), then names of classes and ids, which count only
 *           with what such parts look like (links, little text); then the share of links alone. What is inside of
 *           <main> or an article goes only for being navigation, hidden or nearly all links.
 * Careful   a part that holds most of the page, and all of them when next to nothing would be left, stay.
 * Told      html_parts_note() says what is left out, and how much of it.
 * Bounds    ELEMENTS_DEEP open elements are followed, PARTS_MAX parts found; deeper and more are kept as text.
 * Pure. The fuzz target of documents holds what is made of it to the file's order. */
#ifndef WEIR_KNOWLEDGE_HTML_MAIN_H
#define WEIR_KNOWLEDGE_HTML_MAIN_H

#include "base/arena.h"

enum html_part_kind {
    PART_NAVIGATION,
    PART_HEADER,
    PART_FOOTER,
    PART_ASIDE, /* <aside> */
    PART_SIDE,  /* sidebars, shares, promotion by their names */
    PART_NOTICE,
    PART_HIDDEN,
    PART_LINKS,
    PART_OUTSIDE,
    PART_KINDS
};
struct html_part {
    uint32_t from, to;
    uint32_t text; /* characters of it that are no white space */
    enum html_part_kind kind;
};
struct html_parts {
    struct html_part *out; /* in order, apart from each other */
    size_t count;
    uint32_t text;  /* of the whole page */
    bool all_stays; /* next to nothing would have been left */
};
/* Of page[from, to). false: no memory. */
bool html_parts_find(struct arena *arena, struct str page, uint32_t from, uint32_t to,
                     struct html_parts *out);
/* "left out beside the main part: navigation (312 characters) ..."; empty: nothing was. STR_NONE: no memory. */
struct str html_parts_note(struct arena *arena, const struct html_parts *parts);

#endif
