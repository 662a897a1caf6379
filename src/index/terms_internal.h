/* index/terms_internal.h: the word lists, for terms.c. */
#ifndef WEIR_INDEX_TERMS_INTERNAL_H
#define WEIR_INDEX_TERMS_INTERNAL_H

#include "base/str.h"

bool is_stop_word(struct str word); /* lower case, not stemmed */

#endif
