/* knowledge/shown.h: a document's text as it was read, for people who follow a citation.
 * Rights   what `who` may not read is not there: ERR_NOT_FOUND.
 * Bounded  SHOWN_BYTES_MAX of text around the byte that is asked for; what is left out is counted. */
#ifndef WEIR_KNOWLEDGE_SHOWN_H
#define WEIR_KNOWLEDGE_SHOWN_H

#include "knowledge/knowledge.h"
#include "knowledge/passage.h"

#define SHOWN_BYTES_MAX ((size_t)1 * MIB)

struct shown {
    struct document_info document;
    struct passage *passages; /* in the order of the file */
    size_t count;
    uint64_t before, behind; /* passages that are left out */
};
/* at: a byte of the original that must be among it. who NULL: everybody. */
SUSPENDS bool knowledge_shown(struct knowledge *knowledge, struct arena *arena, struct str id,
                              uint64_t at, const struct principal *who, struct shown *out,
                              struct err *err) MUST_CHECK;

#endif
