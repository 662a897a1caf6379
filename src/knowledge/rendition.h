/* knowledge/rendition.h: what a file that is not plain text reads as: its readable text in order, in
 * elements that know their place in the file (page, slide, sheet, box).
 * Why      readers of PDF and office files run in a child without rights; a rendition is what comes back
 *          through the pipe, and is checked as any stranger's bytes are.
 * Origin   what is cited from such a file counts bytes and lines in the rendition's text, one line an
 *          element, and names the place. The same file always gives the same text.
 * Bounds   text up to RENDITION_BYTES_MAX, elements up to RENDITION_ELEMENTS_MAX: rendering_end() says so. */
#ifndef WEIR_KNOWLEDGE_RENDITION_H
#define WEIR_KNOWLEDGE_RENDITION_H

#include "base/buf.h"
#include "knowledge/document.h"

#define RENDITION_BYTES_MAX    ((size_t)256 * MIB)
#define RENDITION_ELEMENTS_MAX 4000000u
#define RENDITION_NOTES_MAX    50

enum element_kind {
    ELEMENT_HEADING, /* level 1 to 6 */
    ELEMENT_PARAGRAPH,
    ELEMENT_ITEM, /* level: depth from 1 */
    ELEMENT_CODE,
    ELEMENT_HEADER, /* row whose cells name the columns of the rows that follow */
    ELEMENT_ROW,
    ELEMENT_CELL, /* of the row before it; may be empty, which keeps its column */
    ELEMENT_KINDS
};

struct element {
    enum element_kind kind;
    int level;
    uint32_t from, to;  /* of the text; a row's own is empty */
    struct place place; /* of a cell: unused */
};

struct rendition {
    struct str title;  /* as the file's properties say; or empty */
    struct str *notes; /* what was left out or guessed, a line each: shown with the ingest */
    size_t note_count;
    struct str text;
    struct element *elements;
    size_t count;
};

/* Writing, in order. Failures are sticky and come out of rendering_end(). */
struct rendering {
    struct arena *arena;
    struct buf text, elements;
    struct str title;
    struct str notes[RENDITION_NOTES_MAX];
    size_t note_count;
    struct str
        within; /* "offer.docx": a file inside the file; leads the labels, pages become part of them */
    bool failed, too_large;
};
void rendering_init(struct rendering *r, struct arena *arena);
void rendering_title(struct rendering *r, struct str title);
/* Never silent: "2 of 9 pages are pictures without text". Said twice it is kept once. */
void rendering_note(struct rendering *r, const char *fmt, ...) PRINTF(2, 3);
void rendering_begin(struct rendering *r, enum element_kind kind, int level,
                     const struct place *place);
/* UTF-8; anything else in it is replaced by U+FFFD. Line breaks are kept in code only. */
void rendering_text(struct rendering *r, struct str text);
/* What document_read() made of a part of the file; `place` for all of it. */
void rendering_document(struct rendering *r, const struct document *document,
                        const struct place *place);
bool rendering_end(struct rendering *r, struct rendition *out, struct err *err) MUST_CHECK;

/* Through a pipe and back: what is read is whole, in order, UTF-8 and within bounds, or refused. */
void rendition_write(struct buf *to, const struct rendition *rendition);
bool rendition_read(struct arena *arena, struct str bytes, struct rendition *out) MUST_CHECK;

/* As blocks over rendition.text. */
bool rendition_document(struct arena *arena, const struct rendition *rendition,
                        struct document *out, struct err *err) MUST_CHECK;

#endif
