/* knowledge/settle.h: the best sentences again, once their words are known.
 * A sentence is ranked by what it shares with the question; one that says the same and has nothing that could be
 * the answer ("this is all about when X opens") shares most. What its best phrase scores against those of the
 * other sentences is added. Learned for Chinese: docs/quality.md.
 * Pure. */
#ifndef WEIR_KNOWLEDGE_SETTLE_H
#define WEIR_KNOWLEDGE_SETTLE_H

#include "knowledge/span.h"

/* How far the best phrase of a sentence is below the best of all: 0 for that one, -SETTLE_FAR at most. */
#define SETTLE_FAR 6.0f
float settle_distance(const struct span_choice *spans, size_t sentence);

extern const float settle_gain[LANGUAGES];
/* Orders the first SPAN_SENTENCES of `ranked`; `spans` were ranked from it and point into it. */
void sentences_settle(int language, struct candidate *ranked, size_t count,
                      struct span_choice *spans);

#endif
