/* index/terms_internal.h: the word lists, for terms.c. */
#ifndef WEIR_INDEX_TERMS_INTERNAL_H
#define WEIR_INDEX_TERMS_INTERNAL_H

#include "base/str.h"

bool is_stop_word(struct str word); /* lower case, not stemmed */

/* What lets most words be told from stop words at a look. */
#define STOP_MARKS 2048 /* a power of two */
struct stop_marks {
    uint64_t bits[STOP_MARKS / 64];
};
void stop_marks_make(struct stop_marks *marks);
bool may_be_stop_word(const struct stop_marks *marks, struct str word);

#endif
