/* Small PDF files for tests: objects, streams, a table of places; and what a reader made of them, as lines. */
#ifndef WEIR_TESTS_KNOWLEDGE_PDF_MAKE_H
#define WEIR_TESTS_KNOWLEDGE_PDF_MAKE_H

#include "base/buf.h"
#include "knowledge/rendition.h"

#define MADE_OBJECTS_MAX 200

struct pdf_maker {
    struct arena *arena;
    struct buf out;
    size_t places[MADE_OBJECTS_MAX];
    int count; /* objects are numbered from 1 */
};
void maker_init(struct pdf_maker *m, struct arena *arena);
/* The next object's number, with this body. Numbers may be used before their objects are made. */
int maker_object(struct pdf_maker *m, const char *fmt, ...) PRINTF(2, 3);
int maker_stream(struct pdf_maker *m, const char *keys, struct str bytes);
struct str maker_finish(struct pdf_maker *m, int root, const char *trailer_keys);

/* Pages with these contents on letter paper. Fonts: F1 Helvetica, F2 its bold, F3 Courier, F4 what
 * `font` says (an object's body) when it is given. */
struct str made_pages(struct arena *arena, const char *const *contents, int count,
                      const char *font);
struct str made_page(struct arena *arena, const char *content);

/* "#2 heading", "P text", "-1 item", "CODE text", "TH a|b", "TR c|d", a line each; "! reason" when it is
 * refused; notes as "* note". */
struct str read_lines(struct arena *arena, struct str pdf);
/* The same with "page: left top right bottom" in front, in points. */
struct str read_places(struct arena *arena, struct str pdf);

#endif
