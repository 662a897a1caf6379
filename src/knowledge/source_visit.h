/* knowledge/source_visit.h: what is kept of the visit of a page, as the mark of its document: by what the server
 * can say that nothing changed, and where the page led, so that "not modified" leads there still.
 * Bounds   VISIT_LINKS_MAX bytes of links, VISIT_PACKED_MAX when packed: above that, and of a page whose links
 *          were not all looked at, none are kept, and it is asked whole.
 * Rules    a tag of the settings by which links were chosen: under others they count as not kept. */
#ifndef WEIR_KNOWLEDGE_SOURCE_VISIT_H
#define WEIR_KNOWLEDGE_SOURCE_VISIT_H

#include "base/arena.h"

#define VISIT_LINKS_MAX  ((size_t)512 * KIB)
#define VISIT_PACKED_MAX ((size_t)32 * KIB)
#define VISIT_RULES      8

struct visit {
    struct str etag, modified; /* or empty */
    bool html;                 /* else it leads nowhere */
    bool has_links;            /* they were kept, by the same rules */
    struct str links;          /* addresses, each with a line break behind it */
};
/* links of `visit` NULL: none are kept. STR_NONE: no memory. */
struct str visit_write(struct arena *arena, const struct visit *visit, struct str rules);
/* Any bytes are read; what makes no sense counts as not kept. false: no memory. */
bool visit_read(struct arena *arena, struct str mark, struct str rules, struct visit *out);

#endif
