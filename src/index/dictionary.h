/* index/dictionary.h: where words begin in a run of Chinese characters. Internal to index/.
 * ICU's dictionary and ICU's choice among the ways to cut (the cheapest sum of words' costs), read where ICU keeps
 * them and without what its iterator does besides: the same words at a fifth of the time. Tests compare the two.
 * Scope    the unified ideographs U+4E00 to U+9FFF, which need no normalisation; other runs are ICU's.
 * Threads  one dictionary, one thread; the data is the library's, mapped once. */
#ifndef WEIR_INDEX_DICTIONARY_H
#define WEIR_INDEX_DICTIONARY_H

#include <unicode/utypes.h>

#include "base/arena.h"

#define DICTIONARY_RUN_MAX 512 /* characters */
#define DICTIONARY_BYTES   ((size_t)160 * KIB)

struct dictionary;
/* In the arena, up to DICTIONARY_BYTES. NULL: no memory, or the library keeps none in the form that is known. */
struct dictionary *dictionary_open(struct arena *arena);
void dictionary_close(struct dictionary *dictionary); /* NULL is fine */

bool dictionary_has(const UChar *run, int32_t len); /* is it one for dictionary_cut()? */
/* Ends of the words, in order; at most `len` of them, the last is `len`. */
int32_t dictionary_cut(struct dictionary *dictionary, const UChar *run, int32_t len,
                       uint16_t ends[DICTIONARY_RUN_MAX]);

#endif
