/* knowledge/vanish.h: what was made from documents that a run of their source did not find any more goes with them. The run
 * removes them; before its commit it has written down what else is to go (vanish_options), and this carries it out. */
#ifndef WEIR_KNOWLEDGE_VANISH_H
#define WEIR_KNOWLEDGE_VANISH_H

#include "knowledge/knowledge.h"

/* At the end of a run, also of one that failed. */
SUSPENDS bool knowledge_vanish(struct knowledge *knowledge, struct ingest_report *report,
                               struct err *err) MUST_CHECK;

#endif
