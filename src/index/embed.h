/* index/embed.h: a vector for a text without any model: its words and parts of words, hashed to places and
 * signs (Weinberger et al. 2009). Two texts are near when they share words, stems or pieces of words; so
 * misspellings and compounds meet that no index of whole words brings together.
 * English  each word, and its runs of three to five letters between marks for begin and end.
 * Chinese  each word, overlapping pairs, and single characters.
 * Pure     nothing but the text decides the vector: no collection, no process, no machine.
 * Threads  any. */
#ifndef WEIR_INDEX_EMBED_H
#define WEIR_INDEX_EMBED_H

#include "index/terms.h"

#define EMBED_HASHED_DIMENSIONS 1024u

/* Length 1; false when the text has no words: then all zeros. */
bool embed_hashed(const struct terms *terms, float out[EMBED_HASHED_DIMENSIONS]);

#endif
