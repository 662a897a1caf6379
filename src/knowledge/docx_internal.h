/* knowledge/docx_internal.h: what the files of the DOCX reader share. */
#ifndef WEIR_KNOWLEDGE_DOCX_INTERNAL_H
#define WEIR_KNOWLEDGE_DOCX_INTERNAL_H

#include "base/table.h"
#include "knowledge/package.h"

#define DOCX_LEVELS 9

/* What a style says of a paragraph, its parents included; -1: nothing. */
struct docx_style {
    const struct xml_node *node;
    int outline, list, list_level;
    bool is_title, is_contents;
    bool resolved;
};

struct docx_level {
    const struct xml_node *node; /* w:lvl */
    uint32_t start;
};
struct docx_list_kind {
    struct docx_level levels[DOCX_LEVELS];
    uint32_t counters[DOCX_LEVELS];
    bool counting[DOCX_LEVELS]; /* since the level above moved on */
};
struct docx_list {
    struct docx_list_kind *kind;
    int64_t starts[DOCX_LEVELS]; /* overrides; -1: none */
    bool begun;
};

struct docx {
    struct arena *arena;
    struct zip zip;
    struct rendering *to;
    struct str main; /* the part with the text */
    struct relations relations;
    struct table styles, lists; /* by styleId, by numId */
    struct str default_style;
    const struct xml_node *footnotes, *endnotes;
    struct buf aside; /* const struct xml_node *: text boxes and notes met inside a paragraph */
    struct buf cell;  /* text of the table cell being read */
    const char *label;
    uint32_t pictures, charts, comments, diagrams, symbols;
    bool in_cell;
    int depth;  /* of tables */
    int asides; /* notes and boxes within each other */
};

/* --- styles and lists ------------------------------------------------------------------------- */

bool docx_styles(struct docx *d, struct err *err) MUST_CHECK;
bool docx_lists(struct docx *d, struct err *err) MUST_CHECK;

struct docx_paragraph {
    int outline; /* 0 to 8, or -1 */
    int list, list_level;
    bool is_title, is_contents;
};
struct docx_paragraph docx_paragraph_of(struct docx *d, const struct xml_node *p);
bool docx_is_on(const struct xml_node *flag); /* NULL: it is not there */
/* Counts the item and writes its number, "2.1." or "b)"; nothing for bullets. false: not a list. */
bool docx_number(struct docx *d, int list, int level, struct buf *to);

/* --- text ------------------------------------------------------------------------------------- */

/* A paragraph's text; what stands beside it (boxes, notes) goes to d->aside. */
void docx_text(struct docx *d, const struct xml_node *node, struct buf *to);

#endif
