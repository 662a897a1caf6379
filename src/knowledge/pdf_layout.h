/* knowledge/pdf_layout.h: from glyphs to blocks: words, segments of lines, columns, tables, paragraphs.
 * Order    glyphs are joined to words as they are drawn; words of one baseline to segments, which end at wide
 *          gaps; ruled grids are taken out as tables; the page is cut at gutters into leaves; in a leaf
 *          rows of aligned segments are tables and the rest lines, which become paragraphs, items and
 *          headings. Everything that later steps need lives in the file's arena.
 * Guess    a PDF does not say what is a paragraph. All thresholds are in parts of the text's size. */
#ifndef WEIR_KNOWLEDGE_PDF_LAYOUT_H
#define WEIR_KNOWLEDGE_PDF_LAYOUT_H

#include "knowledge/pdf_page.h"

struct pdf_word {
    struct pdf_box box;
    float y, size; /* baseline */
    struct str text;
    bool bold, italic, fixed, space_before;
    uint8_t turn;
    int32_t mark;
};

struct
    pdf_segment { /* words of one baseline without a wide gap; or a grid that stands for its table */
    struct pdf_word **words;
    size_t count;
    struct pdf_box box;
    float y, size;
    bool bold; /* most of it */
    bool italic, fixed;
    uint32_t chars;
    struct pdf_table *table;
    struct str text;
};

struct pdf_row_cells {
    struct str *cells; /* as many as the table has columns */
    struct pdf_box box;
    bool header;
};
struct pdf_table {
    struct pdf_row_cells *rows;
    size_t count, columns;
    struct pdf_box box;
};

enum pdf_block_kind { PDF_PARAGRAPH, PDF_ITEM, PDF_HEADING, PDF_CODE, PDF_TABLE };
struct pdf_block {
    enum pdf_block_kind kind;
    int level;
    uint32_t page, page_end; /* where it begins; where it ends, or 0: the same */
    struct pdf_box box;      /* of the page as shown */
    struct str text;
    float size;
    bool bold, italic, centred;
    bool tagged; /* the file itself says what it is */
    unsigned lines;
    struct pdf_table *table;
};

struct pdf_words { /* a page's, as drawn; upright ones and the rest */
    struct pdf_word *list;
    size_t count;
};
struct pdf_blocks {
    struct pdf_block *list;
    size_t count, cap;
};

/* A page between its drawing and its blocks. */
struct pdf_view {
    struct pdf *pdf;
    struct arena *arena; /* the file's */
    uint32_t page;
    float width, height;
    struct pdf_words words;
    struct pdf_box *rules;
    size_t rule_count;
    struct pdf_segment *segments;
    size_t segment_count;
    float body; /* size of most text of the file */
};

bool pdf_words(struct pdf_sheet *sheet, struct arena *arena, struct pdf *pdf,
               struct pdf_words *out);
/* Sorted by row, then from the left. `gap` in ems ends a segment. */
bool pdf_segments(struct pdf_view *view, struct pdf_word **words, size_t count, float gap,
                  struct pdf_segment **out, size_t *out_count);
/* Words from left to right as a line of text, spaces where there are gaps; right-to-left runs turned. */
struct str pdf_words_text(struct pdf_view *view, struct pdf_word **words, size_t count);
struct str pdf_segment_text(struct pdf_view *view, struct pdf_segment *segment);
/* Lines joined to running text: hyphens at their ends undone, no space between ideographs. */
void pdf_join_line(struct buf *to, struct str line);

bool pdf_grids(struct pdf_view *view); /* tables with ruling lines: takes their words out */
bool pdf_page_blocks(struct pdf_view *view, struct pdf_blocks *out);
/* Rows of a leaf that are an aligned table from `from` on: how many of them, 0: none. */
size_t pdf_aligned_table(struct pdf_view *view, struct pdf_segment **segments, size_t count,
                         struct pdf_table **out);
bool pdf_add_block(struct pdf_view *view, struct pdf_blocks *blocks, const struct pdf_block *block);

/* --- the whole file --------------------------------------------------------------------------- */

struct pdf_leaf { /* a page of which the words are known */
    uint32_t page;
    float width, height;
    struct pdf_words words;
    struct pdf_box *rules;
    size_t rule_count;
    struct pdf_edge *edges; /* its first and last rows */
    size_t edge_count;
};
struct pdf_edge {
    uint64_t hash; /* of the text without figures */
    float y;
    bool top, number, running;
    int rank; /* 0: the outermost */
    struct str text;
    struct pdf_word **words;
    size_t word_count;
};
/* Rows at the page's edges, to be compared with those of other pages. */
bool pdf_edges(struct pdf_view *view, struct pdf_leaf *leaf);
/* Takes out the words of rows that stand on several pages; texts of the first few in `out`. */
bool pdf_drop_running(struct pdf *pdf, struct pdf_leaf *leaves, size_t count, struct str out[3]);

/* Which blocks are headings, by size and weight and by the file's outline, and of which level. */
bool pdf_headings(struct pdf *pdf, struct pdf_blocks *blocks, float body);
/* The size of running text: of paragraphs of several lines, which figures in tables do not outvote. */
float pdf_body_size(const struct pdf_blocks *blocks, float otherwise);
/* Of the file's properties if it is one for people, else its largest heading; or empty. */
struct str pdf_title(struct pdf *pdf, const struct pdf_blocks *blocks);
/* Paragraphs that go on in the next column or on the next page are one. */
bool pdf_join_blocks(struct pdf *pdf, struct pdf_blocks *blocks, float body);
bool pdf_ends_sentence(struct str text);

struct pdf_box pdf_union(struct pdf_box a, struct pdf_box b);
bool pdf_is_numeric(struct str cell);
/* Length of a list marker with its spaces ("• ", "(a) ", "12. "); 0: none. */
size_t pdf_marker(struct str text);

#endif
