#include "base/fault.h"

#include <stdatomic.h>

/* Atomic only so that threads that pass a point while a test arms are no data race; which of them
 * takes the nth count is then chance. */
static atomic_uint_fast64_t armed, passed; /* armed 0: nothing fails */
static atomic_bool reached;
static const char *_Atomic last;
static bool (*_Atomic decider)(void *ctx, const char *point);
static void *_Atomic decider_ctx;

bool fault_arm(uint64_t nth)
{
    ASSERT(nth > 0);
    if (nth > 1 && !reached) {
        fault_disarm();
        return false;
    }
    if (nth == 1)
        last = NULL;
    fault_begin(nth);
    return true;
}

void fault_disarm(void)
{
    armed = 0;
    reached = false;
}

void fault_begin(uint64_t nth)
{
    ASSERT(nth > 0);
    reached = false;
    passed = 0;
    armed = nth;
}

const char *fault_end(void)
{
    const char *failed = reached ? last : NULL;

    fault_disarm();
    return failed;
}

void fault_decide(bool (*decide)(void *ctx, const char *point), void *ctx)
{
    decider = NULL;
    decider_ctx = ctx;
    decider = decide;
}

bool fault_hit(const char *point)
{
    bool (*decide)(void *ctx, const char *) = decider;
    bool fails = false;

    if (decide)
        fails = decide(decider_ctx, point);
    else if (armed) {
        fails = atomic_fetch_add(&passed, 1) + 1 == armed;
        if (fails)
            reached = true;
    }
    if (fails)
        last = point;
    return fails;
}

const char *fault_last(void)
{
    return last;
}
