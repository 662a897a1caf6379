/* knowledge/document_internal.h: what the three readers write blocks with. */
#ifndef WEIR_KNOWLEDGE_DOCUMENT_INTERNAL_H
#define WEIR_KNOWLEDGE_DOCUMENT_INTERNAL_H

#include "base/buf.h"
#include "knowledge/document.h"

struct writer {
    struct arena *arena;
    struct str source;
    struct buf blocks; /* struct block, finished */
    struct str title;
    struct str note; /* what was left out; or empty */
    uint32_t *lines; /* offsets at which lines begin */
    size_t line_count;
    bool failed;         /* memory is gone: sticky */
    const char *problem; /* not of its type, at problem_at: the reader stops */
    uint32_t problem_at;
    uint32_t reached; /* end of the last origin: none may begin before it */
    /* The open block. */
    bool open;
    struct block block;
    struct buf text, runs;
    bool space;           /* white space seen, not yet written */
    bool space_has_break; /* ... with a line break in it */
    uint32_t space_at, space_len;
};

bool blocks_init(struct writer *w, struct arena *arena, struct str source, struct err *err)
    MUST_CHECK;
void writer_begin(struct writer *w, enum block_kind kind, int level); /* ends an open block */
/* Source bytes as they are, white space folded (kept in code). */
void writer_text(struct writer *w, uint32_t at, uint32_t len);
/* Other text for source bytes: an entity, a label (source_len 0). */
void writer_put(struct writer *w, struct str text, uint32_t source_at, uint32_t source_len);
void writer_space(struct writer *w, uint32_t at); /* a space between what is around it */
void writer_break(struct writer *w, uint32_t at); /* a line break: none between two ideographs */
void writer_end(struct writer *w);                /* an empty block vanishes */

/* "&amp;" and the like, numbers too, as UTF-8; 0 when it is none we know. */
size_t entity_text(struct str entity, char out[8]);

void read_text(struct writer *w, uint32_t from, uint32_t to);
void read_html(struct writer *w, uint32_t from, uint32_t to); /* a fragment */
void read_page(struct writer *w, uint32_t from, uint32_t to); /* a whole file: title, main part */
void read_csv(struct writer *w, uint32_t from, uint32_t to);
void read_json(struct writer *w, uint32_t from,
               uint32_t to); /* or values below each other: JSON lines */
void read_code(struct writer *w, uint32_t from, uint32_t to);
void read_markdown(struct writer *w, uint32_t from, uint32_t to);

/* Table rows for Markdown and HTML: a header row names the columns, and each cell of the rows below is
 * led by its column's name, so that a row can be read, found and quoted by itself. */
#define TABLE_COLUMNS_MAX 64
struct table_state {
    struct str headers[TABLE_COLUMNS_MAX];
    int header_count;
    int column; /* of the cell being read */
    bool in_header, in_cell;
    size_t text_before, runs_before; /* the row before this cell, */
    size_t text_label;               /* and with its label */
};
void row_begin(struct writer *w, struct table_state *table, bool header);
void cell_begin(struct writer *w, struct table_state *table, uint32_t at);
void cell_end(struct writer *w, struct table_state *table);
void row_end(struct writer *w, struct table_state *table);

#endif
