/* knowledge/vanish.h: documents go that a run of their source did not find any more, with all that was made of them.
 * The run named them (ingest_report); each goes as long as it is as the run knew it. Who can do more than remove them
 * from the index does it (vanish_options): one way for what is forgotten and for what vanishes. */
#ifndef WEIR_KNOWLEDGE_VANISH_H
#define WEIR_KNOWLEDGE_VANISH_H

#include "knowledge/knowledge.h"

/* At the end of a run, also of one that failed. The report then tells how many went. */
SUSPENDS bool knowledge_vanish(struct knowledge *knowledge, struct ingest_report *report,
                               struct err *err) MUST_CHECK;
/* The same for tests: blocks, and removes them from the index alone. */
bool vanish_now(struct knowledge *knowledge, struct ingest_report *report, struct err *err)
    MUST_CHECK;

#endif
