/* knowledge/verdict.h: "yes" or "no" where a sentence says so in the question's own words, by rule and never
 * by score: one that is wrong is worse than none. */
#ifndef WEIR_KNOWLEDGE_VERDICT_H
#define WEIR_KNOWLEDGE_VERDICT_H

#include "knowledge/knowledge.h"
#include "knowledge/span.h"

bool verdict_of(const struct span_request *request, const struct candidate *sentence,
                enum polarity *out, struct err *err) MUST_CHECK;

#endif
