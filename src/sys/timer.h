/* sys/timer.h: times that something waits for, as an intrusive pairing heap. Internal to sys.
 * Exact to the nanosecond (the simulator's clock jumps to the very next one) and without memory of
 * its own: the node lives in what waits. Equal times fire in the order they were added.
 * Cost    add O(1); remove O(1) for the usual case, a late timer that never fires; else O(log n).
 * Source  Fredman, Sedgewick, Sleator, Tarjan 1986, "The pairing heap". */
#ifndef WEIR_SYS_TIMER_H
#define WEIR_SYS_TIMER_H

#include "base/base.h"

struct timer {
    mono_ns when; /* valid while armed */
    void (*fire)(struct timer *t, mono_ns now);
    uint64_t order;      /* of adding: breaks ties */
    struct timer *child; /* the first of those that are later */
    struct timer *next;  /* sibling */
    struct timer *prev;  /* sibling, or the parent of a first child */
    bool armed;
};

struct timers {
    struct timer *root; /* the earliest; NULL: none */
    uint64_t added;
    uint32_t count;
};

void timer_add(struct timers *all, struct timer *t, mono_ns when); /* moves it when armed */
void timer_remove(struct timers *all, struct timer *t);            /* fine when not armed */
/* Take out the earliest that is due at `now` and call its fire(); false when none is. */
bool timer_fire_next(struct timers *all, mono_ns now);

#endif
