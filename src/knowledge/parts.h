/* knowledge/parts.h: a question that asks several things, as questions that ask one each.
 * By rule    numbered lines; several question marks, and 以及 or ；between two that ask; "What is X and who is Y?";
 *            what is asked of two alike: "compare the profit of A in 2018 and B in 2017", "A and B,
 *            respectively", A和B分别. A part that says "it" or 它 says the name of the first part instead.
 * Careful    a question is cut where both sides ask something; everything else stays whole.
 * Bound      PARTS_MAX; what is behind the last stays with it.
 * Pure       everything in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_PARTS_H
#define WEIR_KNOWLEDGE_PARTS_H

#include "base/arena.h"

#define PARTS_MAX 6

struct name_span {
    uint32_t from, to; /* bytes of the question */
};
struct question_parts {
    struct str text[PARTS_MAX]; /* as to be looked for and answered */
    size_t count;               /* 1: the question itself */
    bool compares;              /* the parts ask one thing of several */
};
/* names: of the question, in order, or none. */
bool question_split(struct arena *arena, struct str question, const struct name_span *names,
                    size_t name_count, struct question_parts *out, struct err *err) MUST_CHECK;

#endif
