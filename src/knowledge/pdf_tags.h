/* knowledge/pdf_tags.h: what a tagged PDF says of itself: its structure tree, as blocks in reading order and the marked
 * content that belongs to each.
 * Bounds   PDF_TAGS_MAX elements, PDF_TAGS_DEEP of them within each other; what is behind them is not tagged.
 * Wrong    tags cost nothing: of a page whose words they do not cover, or cover with one paragraph, nothing is
 *          taken (pdf_tagged_leaves), and it is laid out by its looks.
 * Source   ISO 32000-1, 14.7 and 14.8. */
#ifndef WEIR_KNOWLEDGE_PDF_TAGS_H
#define WEIR_KNOWLEDGE_PDF_TAGS_H

#include "knowledge/pdf_layout.h"

#define PDF_TAGS_MAX  500000u
#define PDF_TAGS_DEEP 64u

struct pdf_tag_block {
    enum pdf_block_kind kind; /* PDF_TABLE: a cell */
    int level;
    uint32_t table, row;    /* of a cell; from 1 */
    uint32_t columns, rows; /* that it spans */
    bool header;
};
struct pdf_tag_mark { /* in reading order */
    uint32_t page;
    int32_t id; /* of marked content; -1: `alt` stands for it */
    uint32_t block, order;
    struct str alt; /* what a picture shows */
};
struct pdf_tags {
    struct pdf_tag_block *blocks;
    struct pdf_tag_mark *marks;
    size_t block_count, mark_count; /* 0: the file is not tagged */
    struct pdf_tag_mark **sorted;   /* by page and id */
    bool has_headings, cut;
};
/* Ids within a form are the form's own: they are told from the page's, and from those of other forms. */
int32_t pdf_mark_in_form(uint32_t form, int64_t id);
/* false: the file is stopped. */
bool pdf_tags_read(struct pdf *pdf, const struct pdf_pages *pages, struct pdf_tags *out);
const struct pdf_tag_mark *pdf_tags_find(const struct pdf_tags *tags, uint32_t page, int32_t id);

/* Words of pages that are tagged well, as blocks in reading order; they are taken out of their leaves. before():
 * called when blocks of a page follow, for what else stands before them. *pages: how many were. */
struct pdf_tagged {
    struct pdf *pdf;
    const struct pdf_tags *tags;
    struct pdf_leaf *leaves;
    const uint8_t *turns;
    size_t leaf_count;
    float body;
    struct pdf_blocks *blocks;
    bool (*before)(void *ctx, uint32_t page);
    void *ctx;
};
bool pdf_tagged_blocks(const struct pdf_tagged *t, uint32_t *pages);

#endif
