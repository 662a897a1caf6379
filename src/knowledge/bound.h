/* knowledge/bound.h: on which side of a number a text says that something lies: "at least 30 days" and "30 days or
 * more" on one, "at most", "within", "30 days or less" on the other, in English and Chinese. "Not", where it stands
 * right before such words, turns them: "no later than", "may not exceed", 不得超过.
 * Pure: a function of the text. */
#ifndef WEIR_KNOWLEDGE_BOUND_H
#define WEIR_KNOWLEDGE_BOUND_H

#include "knowledge/numeral.h"

enum bound_side { BOUND_NONE, BOUND_FLOOR, BOUND_CEILING };
enum bound_side bound_side_of(struct str text, const struct numeral *n);

#endif
