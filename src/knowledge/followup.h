/* knowledge/followup.h: a question that goes on from what was said before, completed by rule:
 *   "What is the deadline for reporting a claim?" ... "And for water damage?"   the question before, with what is new
 *   "Who decides that?" "多久？"                                                 its subject in the pronoun's place
 *   "What is her telephone number?"                                              the name that the answer before gave
 * What stands by itself stays as it is. Earlier follow-ups are completed first, so a subject lasts.
 * Bounded  the last FOLLOWUP_TURNS turns, QUESTION bytes of each; the completed question too.
 * Pure     a function of the texts. */
#ifndef WEIR_KNOWLEDGE_FOLLOWUP_H
#define WEIR_KNOWLEDGE_FOLLOWUP_H

#include "base/arena.h"

#define FOLLOWUP_TURNS     12
#define FOLLOWUP_BYTES_MAX ((size_t)1000) /* of a turn; questions above it stand by themselves */

struct utterance {
    bool user; /* or the one who answers */
    struct str text;
};
/* *out: the question as it is to be asked; its bytes when nothing was missing. */
bool followup_complete(struct arena *arena, const struct utterance *before, size_t count,
                       struct str question, struct str *out, struct err *err) MUST_CHECK;

#endif
