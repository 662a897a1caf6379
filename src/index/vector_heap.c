#include "index/vector_heap.h"

static bool is_above(const struct near_heap *heap, struct near a, struct near b)
{
    return heap->worst_on_top ? near_before(b, a) : near_before(a, b);
}

int near_compare(const void *a, const void *b)
{
    const struct near *left = a, *right = b;

    return near_before(*left, *right) ? -1 : near_before(*right, *left);
}

void near_push(struct near_heap *heap, struct near near)
{
    size_t i = heap->count++;

    ASSERT(i < heap->limit);
    for (; i > 0 && is_above(heap, near, heap->at[(i - 1) / 2]); i = (i - 1) / 2)
        heap->at[i] = heap->at[(i - 1) / 2];
    heap->at[i] = near;
}

static void sink(struct near_heap *heap, struct near near)
{
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && is_above(heap, heap->at[child + 1], heap->at[child]))
            child++;
        if (!is_above(heap, heap->at[child], near))
            break;
        heap->at[i] = heap->at[child];
    }
    heap->at[i] = near;
}

struct near near_pop(struct near_heap *heap)
{
    struct near top = heap->at[0];

    ASSERT(heap->count > 0);
    if (--heap->count)
        sink(heap, heap->at[heap->count]);
    return top;
}

void near_keep(struct near_heap *heap, struct near near)
{
    if (heap->count < heap->limit)
        near_push(heap, near);
    else if (near_before(near, heap->at[0]))
        sink(heap, near);
}
