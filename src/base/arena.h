/* base/arena.h: bump memory with one lifetime.
 * An arena belongs to one fiber and dies with it; nobody frees single pieces.
 * Sizes    bytes, aligned for any type; memory from arena_alloc() comes zeroed.
 * Limit    fixed by arena_new(); past it arena_alloc() returns NULL and the arena stays usable.
 * Threads  one at a time.  Pages come from base/pages, sized at start-up, so the sum is bounded too.
 * Errors   NULL only; callers say ERR_EXHAUSTED with err_arena().
 * Source   Hanson 1990, "Fast allocation and deallocation of memory based on object lifetimes". */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct arena;

struct arena *arena_new(size_t limit); /* NULL when the page pool is empty */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;
void *arena_alloc_raw(struct arena *arena, size_t size)
    MUST_CHECK; /* not zeroed: for big buffers */
void *arena_array(struct arena *arena, size_t count, size_t size) MUST_CHECK; /* overflow: NULL */
/* Grow the newest piece in place where possible, else copy. old may be NULL. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size) MUST_CHECK;
/* Copies; the copy is followed by a NUL that len does not count. ptr is NULL when memory is gone. */
struct str arena_str(struct arena *arena, struct str s) MUST_CHECK;
struct str arena_fmt(struct arena *arena, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
size_t arena_used(const struct arena *arena);
/* For loops with large temporaries: what was allocated after the mark is gone after the rewind;
 * actions deferred after the mark run in the rewind. */
size_t arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, size_t mark);
/* Run fn(what) when the arena ends, last added first: for things that are not memory. */
bool arena_defer(struct arena *arena, void (*fn)(void *what), void *what) MUST_CHECK;
void arena_end(struct arena **arena); /* CLEANUP-able */
COLD bool err_arena(struct err *err,
                    const struct arena *arena); /* ERR_EXHAUSTED, ENOMEM, the limit */

#endif
