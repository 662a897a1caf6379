/* Office files made by hand, and what a reader makes of one as lines:
 *   "= title", "# heading" (## for level 2), "text", "- item", "| Column: cell; ...", "` code",
 *   each with " [label]" or " (page 3)" behind it when it has one; "! note"; "error: reason". */
#ifndef WEIR_TESTS_KNOWLEDGE_KIT_H
#define WEIR_TESTS_KNOWLEDGE_KIT_H

#include "knowledge/readers.h"

struct kit_part {
    const char *name, *text; /* text may be NULL: bytes then */
    struct str bytes;
};
/* A zip archive; deflated when the parts say so by a name that begins with "*". */
struct str kit_zip(struct arena *arena, const struct kit_part *parts, size_t count);
struct str kit_lines(struct arena *arena, reader_fn *read, struct str bytes);
struct str kit_document_lines(struct arena *arena, const struct document *d);

#endif
