/* base/spin.h: a lock for critical sections of a few instructions that never wait, call out or
 * suspend. Mutexes belong to sys; here a lock is held for nanoseconds, so spinning is cheaper than
 * sleeping, and a waiter yields soon in case the holder lost its core. */
#ifndef WEIR_BASE_SPIN_H
#define WEIR_BASE_SPIN_H

#include <sched.h>
#include <stdatomic.h>
struct spin {
    atomic_flag taken;
};

#define SPIN_INIT                 \
    {                             \
        .taken = ATOMIC_FLAG_INIT \
    }

static inline void spin_lock(struct spin *spin)
{
    for (int tries = 0; atomic_flag_test_and_set_explicit(&spin->taken, memory_order_acquire);)
        if (++tries % 64 == 0)
            sched_yield();
}

static inline void spin_unlock(struct spin *spin)
{
    atomic_flag_clear_explicit(&spin->taken, memory_order_release);
}

#endif
