#include <errno.h>
#include <sys/mman.h>

#include "sys/loop_internal.h"
#include "sys/sanitize.h"

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

/* One mapping for many stacks: the kernel allows 65,530 mappings by default, and a page protected by
 * mprotect() splits its mapping in three. A guard installed by madvise() does not. */
#define STACKS_PER_REGION 64u
#define REGION_BYTES      (STACKS_PER_REGION * FIBER_STACK_BYTES)

static uint32_t regions_for(uint32_t stacks)
{
    return (stacks + STACKS_PER_REGION - 1) / STACKS_PER_REGION;
}

static size_t lists_bytes(uint32_t max)
{
    return (max + regions_for(max)) * sizeof(char *);
}

bool stacks_init(struct stacks *s, uint32_t max, struct err *err)
{
    char **lists = mmap(NULL, lists_bytes(max), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (lists == MAP_FAILED)
        return err_sys(err, ERR_EXHAUSTED, errno, "could not map the list of stacks");
    *s = (struct stacks){.pooled = lists, .regions = lists + max, .max = max};
    char *first = stack_take(s); /* a loop that cannot run one fiber is known early */
    if (!first) {
        stacks_done(s);
        return err_no_room(err, "could not map the first stack");
    }
    stack_give(s, first);
    return true;
}

void stacks_done(struct stacks *s)
{
    for (uint32_t i = 0; i < regions_for(s->made); i++) {
        SANITIZE_UNPOISON(s->regions[i], REGION_BYTES);
        munmap(s->regions[i], REGION_BYTES);
    }
    if (s->pooled)
        munmap(s->pooled, lists_bytes(s->max));
    *s = (struct stacks){0};
}

static char *map_region(void)
{
    char *region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (region == MAP_FAILED)
        return NULL;
    madvise(region, REGION_BYTES, MADV_NOHUGEPAGE); /* else a stack may touch 2 MB at once */
    return region;
}

static bool put_guard(struct stacks *s, char *page)
{
    if (!s->by_mprotect && madvise(page, STACK_GUARD_BYTES, MADV_GUARD_INSTALL) == 0)
        return true;
    s->by_mprotect = true;
    return mprotect(page, STACK_GUARD_BYTES, PROT_NONE) == 0;
}

char *stack_take(struct stacks *s)
{
    if (s->count > 0) {
        char *low = s->pooled[--s->count];
        s->low = MIN_OF(s->low, s->count);
        s->clean = MIN_OF(s->clean, s->count);
        return low;
    }
    if (s->made == s->max)
        return NULL;
    uint32_t region = s->made / STACKS_PER_REGION;
    bool is_new = s->made % STACKS_PER_REGION == 0;

    if (is_new && !(s->regions[region] = map_region()))
        return NULL;
    char *base = s->regions[region] + s->made % STACKS_PER_REGION * FIBER_STACK_BYTES;
    if (!put_guard(s, base)) {
        if (is_new)
            munmap(base, REGION_BYTES);
        return NULL;
    }
    s->made++;
    return base + STACK_GUARD_BYTES;
}

void stack_give(struct stacks *s, char *low)
{
    ASSERT(s->count < s->max);
    /* The frames of a fiber that ended never returned; ASan would take them for alive. */
    SANITIZE_UNPOISON(low, STACK_USABLE_BYTES);
    s->pooled[s->count++] = low;
}

/* The pool is last in, first out, so the entries below `low` were not touched since the last trim. */
void stacks_trim(struct stacks *s)
{
    for (; s->clean < s->low; s->clean++)
        madvise(s->pooled[s->clean], STACK_USABLE_BYTES, MADV_DONTNEED);
    s->low = s->count;
}
