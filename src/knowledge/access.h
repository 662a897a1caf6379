/* knowledge/access.h: what a question can see: the index as it is now, without the documents that who asks
 * may not read or that the filter leaves out.
 * Kept     a access is made once for an asker and a filter and kept until the index changes, at most
 *          ACCESSES_MAX of them; where no document has readers and nobody filters, there is one for all.
 * Owner    access_release(). Threads any. Blocks: reads every document's record when it is made. */
#ifndef WEIR_KNOWLEDGE_ACCESS_H
#define WEIR_KNOWLEDGE_ACCESS_H

#include "index/lexical.h"
#include "knowledge/knowledge.h"

#define ACCESSES_MAX 32

struct access {
    const struct lexical_view *view;
    const struct lexical_filter *filter; /* NULL: all of the view */
    struct readings_memo *memo; /* readings.h; of one question: in a copy of its own, else NULL */
};
bool access_borrow(struct knowledge *knowledge, const struct knowledge_question *question,
                   struct access **out, struct err *err) MUST_CHECK;
void access_release(struct access **access); /* CLEANUP-able */
/* After the index changed: what is kept of the old one goes, as soon as nobody reads it. */
void accesses_forget(struct knowledge *knowledge);

/* The accesses of a knowledge base; part of struct knowledge. */
struct accesses;
struct accesses *accesses_new(struct knowledge *knowledge); /* NULL: no memory */
void accesses_free(struct accesses **accesses);             /* no access may be out */

#endif
