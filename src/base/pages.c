#include "base/pages.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/asan.h"
#include "base/fault.h"
#include "base/spin.h"

/* A freed block goes to its thread's lists, or to the process's when those are full, or back to the
 * system when those are full too. Both lists are stacks: the block freed last is the warmest. */
#define CLASSES          15          /* 4 KiB << 0 .. 4 KiB << 14 */
#define THREAD_KEPT_MAX  (2 * MIB)   /* the blocks of some fifty requests */
#define THREAD_BLOCK_MAX (256 * KIB) /* bigger ones would push everything else out */
#define SHARED_KEPT_MAX  (128 * MIB) /* what a burst may leave resident; pages_trim() frees it */

static_assert(PAGE_BYTES << (CLASSES - 1) == PAGE_BYTES_MAX, "one class for every power of two");

struct kept {
    void *head[CLASSES];
    size_t bytes;
};

static _Thread_local struct kept mine;
static struct kept shared;
static struct spin shared_lock = SPIN_INIT; /* guards shared; held for a few instructions */
static atomic_size_t limit = GIB, in_use, held;

static size_t class_bytes(size_t class)
{
    return PAGE_BYTES << class;
}

static size_t class_of(size_t at_least)
{
    size_t class = 0;

    if (at_least > PAGE_BYTES)
        class = 52 - (size_t)__builtin_clzll(at_least - 1);
    return class;
}

/* The link of a kept block lies in the block. With ASan it is the last word and the only one not
 * poisoned: the leak checker does not read poisoned memory, and the first words, where arenas have
 * their head, stay guarded. */
static void **link_of(void *block, size_t bytes)
{
    return (void **)(void *)((char *)block + (HAVE_ASAN ? bytes - sizeof(void *) : 0));
}

static void push(struct kept *kept, void *block, size_t class)
{
    *link_of(block, class_bytes(class)) = kept->head[class];
    kept->head[class] = block;
    kept->bytes += class_bytes(class);
}

static void *pop(struct kept *kept, size_t class)
{
    void *block = kept->head[class];

    if (block) {
        kept->head[class] = *link_of(block, class_bytes(class));
        kept->bytes -= class_bytes(class);
        __builtin_prefetch(kept->head[class], 1); /* its link is asked for next, from cold memory */
    }
    return block;
}

static void *pop_shared(size_t class)
{
    spin_lock(&shared_lock);
    void *block = pop(&shared, class);
    spin_unlock(&shared_lock);
    return block;
}

static bool push_shared(void *block, size_t class)
{
    spin_lock(&shared_lock);
    bool fits = shared.bytes + class_bytes(class) <= SHARED_KEPT_MAX;
    if (fits)
        push(&shared, block, class);
    spin_unlock(&shared_lock);
    return fits;
}

static void give_back(void *block, size_t class)
{
    MEMORY_UNPOISON(block, class_bytes(class));
    free(block);
    atomic_fetch_sub_explicit(&held, class_bytes(class), memory_order_relaxed);
}

static void *take_fresh(size_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&held, bytes, memory_order_relaxed);

    /* Blocks kept in other sizes may not carry the process past the ceiling. */
    if (before + bytes > atomic_load_explicit(&limit, memory_order_relaxed))
        pages_trim();
    void *block = malloc(bytes);
    if (!block)
        atomic_fetch_sub_explicit(&held, bytes, memory_order_relaxed);
    return block;
}

void pages_limit(size_t bytes_max)
{
    atomic_store_explicit(&limit, bytes_max, memory_order_relaxed);
}

void *pages_take(size_t at_least, size_t *got)
{
    if (at_least > PAGE_BYTES_MAX || FAULT("pages.take"))
        return NULL;

    size_t class = class_of(at_least), bytes = class_bytes(class);
    size_t before = atomic_fetch_add_explicit(&in_use, bytes, memory_order_relaxed);
    void *block = NULL;

    if (before + bytes <= atomic_load_explicit(&limit, memory_order_relaxed)) {
        block = pop(&mine, class);
        if (!block)
            block = pop_shared(class);
        if (!block)
            block = take_fresh(bytes);
    }
    if (!block) {
        atomic_fetch_sub_explicit(&in_use, bytes, memory_order_relaxed);
        return NULL;
    }
    MEMORY_UNPOISON(block, bytes);
    *got = bytes;
    return block;
}

void pages_give(void *block, size_t got)
{
    size_t class = class_of(got);

    ASSERT(block);
    ASSERT(got <= PAGE_BYTES_MAX && class_bytes(class) == got);
    MEMORY_POISON(block, got);
    MEMORY_UNPOISON(link_of(block, got), sizeof(void *));
    if (got <= THREAD_BLOCK_MAX && mine.bytes + got <= THREAD_KEPT_MAX)
        push(&mine, block, class);
    else if (!push_shared(block, class))
        give_back(block, class);
    size_t before = atomic_fetch_sub_explicit(&in_use, got, memory_order_relaxed);
    ASSERT(before >= got);
}

size_t pages_in_use(void)
{
    return atomic_load_explicit(&in_use, memory_order_relaxed);
}

size_t pages_held(void)
{
    return atomic_load_explicit(&held, memory_order_relaxed);
}

static void free_all(struct kept *kept)
{
    for (size_t class = 0; class < CLASSES; class ++)
        for (void *block; (block = pop(kept, class));)
            give_back(block, class);
}

void pages_trim(void)
{
    spin_lock(&shared_lock);
    struct kept rest = shared;
    memset(&shared, 0, sizeof shared);
    spin_unlock(&shared_lock);
    free_all(&rest);
    free_all(&mine);
}

void pages_thread_done(void)
{
    for (size_t class = 0; class < CLASSES; class ++)
        for (void *block; (block = pop(&mine, class));)
            if (!push_shared(block, class))
                give_back(block, class);
}
