#include "base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/asan.h"
#include "base/pages.h"

/* Blocks form a stack; pieces are cut from the newest. A position in the arena is the number of
 * bytes handed out before it, so a mark is a number, and the tail that a block leaves unused when
 * the next one is opened counts for nothing.
 *
 *   first block  | struct block | struct arena | pieces ...        |
 *   later ones   | struct block | pieces ...                       |
 *                               ^ data, at position `base`  ^ at   ^ end (or where the limit lies) */
#define ALIGN          ((size_t)16)
#define ARENA_MAGIC    0x4152454eu
#define BLOCK_GROW_MAX (256 * KIB) /* doubling stops here: half of a block may stay unused */

struct block {
    struct block *below;
    char *data;
    size_t bytes, base;
};

struct action {
    struct action *below;
    void (*fn)(void *what);
    void *what;
    size_t mark; /* where the arena stood when it was added */
};

struct arena {
    uint32_t magic;
    bool pool_empty; /* the last failure was the pool's, not this arena's limit */
    char *at, *end;
    struct block *newest;
    struct action *actions;
    size_t limit, next_bytes;
};

static_assert(_Alignof(max_align_t) <= ALIGN, "pieces are aligned for any type");
static_assert(sizeof(struct block) % ALIGN == 0, "the first piece is aligned");

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

/* What a piece takes: an empty one still gets an address of its own. */
static size_t piece_bytes(size_t size)
{
    return size ? round_up(size) : ALIGN;
}

static void use_block(struct arena *arena, struct block *block, char *at)
{
    size_t room = block->bytes - (size_t)(block->data - (char *)block);

    arena->newest = block;
    arena->at = at;
    arena->end = block->data + MIN_OF(room, arena->limit - block->base);
}

struct arena *arena_new(size_t limit)
{
    size_t got;
    struct block *block = pages_take(PAGE_BYTES, &got);

    if (!block)
        return NULL;

    struct arena *arena = (void *)(block + 1);
    memset(arena, 0, sizeof *arena);
    *block = (struct block){.data = (char *)arena + round_up(sizeof *arena), .bytes = got};
    arena->magic = ARENA_MAGIC;
    arena->limit = round_up(MIN_OF(limit, SIZE_MAX / 2));
    arena->next_bytes = 2 * got;
    use_block(arena, block, block->data);
    MEMORY_POISON(block->data, got - (size_t)(block->data - (char *)block));
    return arena;
}

size_t arena_used(const struct arena *arena)
{
    return arena->newest->base + (size_t)(arena->at - arena->newest->data);
}

static void *alloc_in_new_block(struct arena *arena, size_t need)
{
    size_t base = arena_used(arena), got;
    struct block *block = NULL;

    arena->pool_empty = false;
    if (need > arena->limit - base)
        return NULL;
    block = pages_take(MAX_OF(need + sizeof *block, arena->next_bytes), &got);
    if (!block && need + sizeof *block < arena->next_bytes) /* a smaller one may still be had */
        block = pages_take(need + sizeof *block, &got);
    if (!block) {
        arena->pool_empty = true;
        return NULL;
    }
    *block = (struct block){
        .below = arena->newest, .data = (char *)(block + 1), .bytes = got, .base = base};
    arena->next_bytes = MIN_OF(2 * got, BLOCK_GROW_MAX);
    use_block(arena, block, block->data + need);
    MEMORY_POISON(block->data, got - sizeof *block);
    return block->data;
}

void *arena_alloc_raw(struct arena *arena, size_t size)
{
    size_t need = piece_bytes(size);
    char *piece = arena->at;

    ASSERT(arena->magic == ARENA_MAGIC);
    if (UNLIKELY(size > arena->limit))
        return NULL; /* also where rounding up would overflow */
    if (LIKELY(need <= (size_t)(arena->end - piece)))
        arena->at = piece + need;
    else
        piece = alloc_in_new_block(arena, need);
    if (piece)
        MEMORY_UNPOISON(piece, size);
    return piece;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *piece = arena_alloc_raw(arena, size);

    return piece ? memset(piece, 0, size) : NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    return size_mul(count, size, &bytes) ? arena_alloc(arena, bytes) : NULL;
}

static void drop_block_below_newest(struct arena *arena)
{
    struct block *empty = arena->newest->below;

    arena->newest->below = empty->below;
    pages_give(empty, empty->bytes);
}

/* The newest piece moves to another block. It is taken back first, so that a buffer that keeps
 * growing counts once against the limit, and an emptied block returns to the pool. */
static void *move_newest(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    struct block *from = arena->newest;
    char *end_of_old = arena->at;

    arena->at = old;
    void *piece = alloc_in_new_block(arena, piece_bytes(new_size));
    if (!piece) {
        arena->at = end_of_old;
        return NULL;
    }
    MEMORY_UNPOISON(piece, new_size);
    memcpy(piece, old, old_size);
    if (from->data == (char *)old && from->below)
        drop_block_below_newest(arena);
    else
        MEMORY_POISON(old, piece_bytes(old_size));
    return piece;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    bool is_newest = old && (char *)old + piece_bytes(old_size) == arena->at;

    if (!old)
        return arena_alloc_raw(arena, new_size);
    if (new_size > arena->limit)
        return NULL;
    if (!is_newest && new_size <= old_size)
        return old;
    if (is_newest && piece_bytes(new_size) <= (size_t)(arena->end - (char *)old)) {
        MEMORY_POISON(old, piece_bytes(old_size));
        MEMORY_UNPOISON(old, new_size);
        arena->at = (char *)old + piece_bytes(new_size);
        return old;
    }
    if (is_newest)
        return move_newest(arena, old, old_size, new_size);
    void *piece = arena_alloc_raw(arena, new_size);
    return piece ? memcpy(piece, old, old_size) : NULL;
}

struct str arena_str(struct arena *arena, struct str s)
{
    char *copy = s.len < SIZE_MAX ? arena_alloc_raw(arena, s.len + 1) : NULL;

    if (!copy)
        return STR_NONE;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    return (struct str){copy, s.len};
}

struct str arena_fmt(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    char first[256]; /* most texts fit: one pass and one copy */

    va_start(args, fmt);
    int len = vsnprintf(first, sizeof first, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    if ((size_t)len < sizeof first)
        return arena_str(arena, (struct str){first, (size_t)len});

    char *text = arena_alloc_raw(arena, (size_t)len + 1);
    if (!text)
        return STR_NONE;
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return (struct str){text, (size_t)len};
}

size_t arena_mark(const struct arena *arena)
{
    return arena_used(arena);
}

static void run_actions_since(struct arena *arena, size_t mark)
{
    while (arena->actions && arena->actions->mark >= mark) {
        struct action *action = arena->actions;

        arena->actions = action->below;
        action->fn(action->what);
    }
}

void arena_rewind(struct arena *arena, size_t mark)
{
    ASSERT(arena->magic == ARENA_MAGIC);
    ASSERT(mark <= arena_used(arena));
    run_actions_since(arena, mark);

    struct block *block = arena->newest;
    while (block->below && block->base >= mark) {
        struct block *below = block->below;

        pages_give(block, block->bytes);
        block = below;
        arena->next_bytes = MIN_OF(2 * block->bytes, BLOCK_GROW_MAX);
    }
    use_block(arena, block, block->data + (mark - block->base));
    MEMORY_POISON(arena->at, (size_t)((char *)block + block->bytes - arena->at));
}

bool arena_defer(struct arena *arena, void (*fn)(void *what), void *what)
{
    size_t mark = arena_used(arena);
    struct action *action = arena_alloc_raw(arena, sizeof *action);

    if (!action)
        return false;
    *action = (struct action){arena->actions, fn, what, mark};
    arena->actions = action;
    return true;
}

void arena_end(struct arena **arena)
{
    if (!*arena)
        return;
    ASSERT((*arena)->magic == ARENA_MAGIC);
    run_actions_since(*arena, 0);
    (*arena)->magic = 0;
    for (struct block *block = (*arena)->newest; block;) {
        struct block *below = block->below;

        pages_give(block, block->bytes); /* the first block, given last, holds the arena itself */
        block = below;
    }
    *arena = NULL;
}

bool err_arena(struct err *err, const struct arena *arena)
{
    if (!arena || arena->pool_empty)
        err_set(err, ERR_EXHAUSTED, "the memory pool of the process is used up");
    else
        err_set(err, ERR_EXHAUSTED, "the memory limit of %zu bytes is used up", arena->limit);
    err->sys = ENOMEM; /* the machine's, not a limit of whoever asks */
    return false;
}
