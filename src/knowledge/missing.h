/* knowledge/missing.h: words of a question that nothing its asker may read has: what a refusal can say.
 * English   words as they are written in the question, but for those that were read as another.
 * Chinese   what is left between the words that ask (covering.h): a word of the dictionary, or characters none of which
 *           stands anywhere beside its neighbour of the question.
 * Pure      a function of the view and the question; the words are the question's bytes. */
#ifndef WEIR_KNOWLEDGE_MISSING_H
#define WEIR_KNOWLEDGE_MISSING_H

#include "knowledge/covering.h"

#define MISSING_MAX 3
struct missing {
    struct str at[MISSING_MAX];
    size_t count;
};
/* `covering` has begun. */
bool missing_find(const struct covering *covering, const struct access *access, struct missing *out,
                  struct err *err) MUST_CHECK;
void missing_write(struct buf *b, const struct missing *missing, bool zh); /* a sentence, or none */

#endif
