/* index/marks.h: passages by marks: short strings that the caller gave a passage, whole and as they are.
 * They stand among the terms of the segments, so they come and go with their passage: merged, deleted and
 * compacted as words are. No search sees them and no score counts them.
 * Order    a passage's marks keep the numbers 1, 2, 3 ... that the caller gave them by their order.
 * Rights   what a filter hides is neither found nor counted.
 * Threads  pure functions over a borrowed view, like a search. */
#ifndef WEIR_INDEX_MARKS_H
#define WEIR_INDEX_MARKS_H

#include "index/lexical.h"

/* The passages with a mark, in order of their numbers in the view; at most `limit` are listed in
 * `passages`, which may be NULL with limit 0. */
struct marked {
    uint64_t *passages;
    uint32_t *numbers; /* of the mark in each passage, or NULL */
    size_t limit, listed;
    uint64_t most;  /* counting is left off once it is above; 0: never */
    uint64_t count; /* how many there are */
};
void marks_find(const struct lexical_view *view, const struct lexical_filter *filter,
                struct str mark, struct marked *out);
/* Has a passage both? */
bool marks_meet(const struct lexical_view *view, const struct lexical_filter *filter, struct str a,
                struct str b);
/* Does any passage have a mark that begins so? Of hidden ones, too: for leaving off early alone. */
bool marks_begin(const struct lexical_view *view, struct str prefix);

#endif
