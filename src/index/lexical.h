/* index/lexical.h: an inverted index over passages with BM25 ranking, on immutable mapped segments.
 * Terms    English: words, lower case, stop words out, Snowball stems. Chinese: dictionary words by
 *          ICU as the main field, overlapping pairs of characters as a second field at weight 0.5.
 *          Mixed text takes both ways, each run by its script. NFKC first, full-width forms folded.
 * Scores   BM25 with k1 1.2, b 0.75 (Robertson & Zaragoza 2009). Title and heading path are in front
 *          of each passage's text when it is added.
 * Owner    the index; results are copied out.  Threads  searches any; one writer at a time.
 * Crash    a segment is whole or absent: written beside, synced, renamed; damaged files are refused by name. */
#ifndef WEIR_INDEX_LEXICAL_H
#define WEIR_INDEX_LEXICAL_H

#include "base/arena.h"

struct lexical;

/* See lexical.c for the file format. The owner of this header may refine it: knowledge/ is its only user now. */

#endif
