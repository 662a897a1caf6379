/* index/vector_heap.h: rows by how near they are, in a heap with the best or the worst on top. Internal to
 * index/. The memory is the caller's; equal scores are ordered by row, so that nothing depends on chance. */
#ifndef WEIR_INDEX_VECTOR_HEAP_H
#define WEIR_INDEX_VECTOR_HEAP_H

#include "base/base.h"

struct near {
    float score; /* more is nearer */
    uint32_t row;
};
static inline bool near_before(struct near a, struct near b)
{
    return a.score != b.score ? a.score > b.score : a.row < b.row;
}
int near_compare(const void *a, const void *b); /* for qsort: best first */

struct near_heap {
    struct near *at; /* at[0]: the top */
    size_t count, limit;
    bool worst_on_top;
};
void near_push(struct near_heap *heap, struct near near); /* count < limit */
struct near near_pop(struct near_heap *heap);             /* count > 0 */

/* Of a heap with the worst on top: would it stay? */
static inline bool near_is_wanted(const struct near_heap *heap, struct near near)
{
    return heap->count < heap->limit || near_before(near, heap->at[0]);
}
/* ... then the worst goes where there is no room. */
void near_keep(struct near_heap *heap, struct near near);

#endif
