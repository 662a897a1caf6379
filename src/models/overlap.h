/* models/overlap.h: what a second speaker repeats of the first one's words is found and left out.
 * The new text is held back until it is clear how much of it repeats: the longest of its beginnings that
 * is an end of what was said, or all that was said from the start. Below OVERLAP_LEAST bytes chance and
 * repetition cannot be told apart, and nothing is left out.
 * Owner    the arena. */
#ifndef WEIR_MODELS_OVERLAP_H
#define WEIR_MODELS_OVERLAP_H

#include "base/buf.h"

#define OVERLAP_LEAST 8
#define OVERLAP_MOST  4096 /* of the end that is compared: a long paragraph */

struct overlap {
    struct str said;
    struct buf held;
    size_t least;
    bool decided;
};
/* least: shortest repetition that counts; 1 for white space that was held back from the asked. */
void overlap_init(struct overlap *o, struct arena *arena, struct str said, size_t least);
/* Add a piece. *out is what can be given on now: empty while it is not clear. */
bool overlap_add(struct overlap *o, struct str piece, struct str *out, struct err *err) MUST_CHECK;
/* No more comes: what was held and repeats nothing. */
struct str overlap_end(struct overlap *o);

#endif
