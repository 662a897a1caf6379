/* knowledge/document.h: a file's bytes as blocks of readable text that know where they stood.
 * Text     one line a block, white space folded, markup gone; a line break between two ideographs is no
 *          space. Code keeps its lines.
 * Origin   runs map text to the bytes of the original file and their lines; text that stands nowhere
 *          (a table header repeated in a row) maps to the place where it was put in.
 * Types    text is read here; PDF and office files by a child without rights: readers.h.
 * Promise  for any bytes: blocks are in order of the file, runs are inside the file, ordered within
 *          their block and on UTF-8 boundaries; work and memory grow with the file's size.
 * Pure     no files, no threads; everything in the caller's arena. Fuzzed by fuzz/documents.c. */
#ifndef WEIR_KNOWLEDGE_DOCUMENT_H
#define WEIR_KNOWLEDGE_DOCUMENT_H

#include "base/arena.h"

enum document_type {
    DOCUMENT_TEXT,
    DOCUMENT_MARKDOWN,
    DOCUMENT_HTML,
    DOCUMENT_CSV,
    DOCUMENT_JSON,
    DOCUMENT_CODE,
    DOCUMENT_DOCX,
    DOCUMENT_XLSX,
    DOCUMENT_PPTX,
    DOCUMENT_ODF,
    DOCUMENT_EPUB,
    DOCUMENT_MAIL,
    DOCUMENT_PDF,
    DOCUMENT_TYPES
};

enum block_kind { BLOCK_HEADING, BLOCK_PARAGRAPH, BLOCK_ITEM, BLOCK_ROW, BLOCK_CODE };
#define BLOCK_KINDS 5

/* text[text_at, +text_len) came from source[source_at, +source_len) on `line`; when the lengths are
 * equal byte for byte, else as a whole; with steps, every `text_step` bytes of text are `source_step` bytes
 * of source: characters of a file that is not UTF-8. A run never reaches over a line break. */
struct run {
    uint32_t text_at, text_len;
    uint32_t source_at, source_len;
    uint32_t line;                  /* 1-based, where the source begins */
    uint8_t text_step, source_step; /* 0: none */
};
/* text[from, to) of a run alone; from and to are between characters. */
struct run run_part(const struct run *run, uint32_t from, uint32_t to);

/* Where in a file that has pages: slides and sheets are pages, too. */
struct place {
    uint32_t page; /* from 1; 0: the file has none */
    uint32_t left, top, right,
        bottom;       /* tenths of a point from the page's upper left; all 0: unknown */
    struct str label; /* what people call it: "Fees!A4:D4", "slide 3"; or empty */
};

struct block {
    enum block_kind kind;
    int level; /* heading: 1 to 6; item: depth from 1 */
    struct str text;
    struct run *runs;
    size_t run_count;
    struct place place;
};

struct document {
    struct str title; /* HTML title, first heading, or empty */
    struct str text; /* of files that are not text: what was read of them, and what runs refer to */
    struct block *blocks;
    size_t count;
    const char *encoding; /* of a text file: "UTF-8", "GB18030"; NULL for others */
    bool encoding_guessed;
    struct str note; /* what was left out of it; or empty */
};

#define DOCUMENT_BYTES_MAX ((size_t)1 << 30)

/* By the name's ending; false for those that are not read. */
bool document_type_of(struct str name, enum document_type *out);
/* Read by a child without rights (readers.h) instead of document_read(). */
bool document_type_is_apart(enum document_type type);
/* "not one of .txt .md ...": for people whose file was skipped. */
const char *document_endings(void);
/* Of types that are text. ERR_INVALID: binary, or in no encoding that is known, or not of its type. Other
 * encodings than UTF-8 are decoded; runs are of the file's own bytes. */
bool document_read(struct arena *arena, struct str source, enum document_type type,
                   struct document *out, struct err *err) MUST_CHECK;

/* Where text[from, to) of a block stood; from < to. */
struct origin {
    uint32_t byte_first, byte_end, line_first, line_last;
};
struct origin block_origin(const struct block *block, uint32_t from, uint32_t to);

#endif
