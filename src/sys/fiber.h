/* sys/fiber.h: linear code that waits. A fiber runs on the loop that made it, for ever; it gives up
 * the processor only in functions marked SUSPENDS.
 *
 * Scopes  bound waiting: a deadline and a way to cancel, nested like calls. Cancelling is an error
 *         return, not an unwinding: whatever the fiber waits in returns false with ERR_CANCELLED or
 *         ERR_TIMEOUT, and so does every later wait inside that scope. A suspended stack is never
 *         destroyed. A deadline only shrinks inwards. Children of a scope inherit both.
 * Stacks  FIBER_STACK_BYTES of address space, 4 KB touched, guard page below; pooled per loop.
 * Limits  fibers per loop: loop_options.fibers_max; past it spawn fails with ERR_EXHAUSTED.
 * Threads none: all of this is for the loop's own thread. */
#ifndef WEIR_SYS_FIBER_H
#define WEIR_SYS_FIBER_H

#include "base/err.h"

#if defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define FIBER_STACKS_PADDED 1
#    endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(FIBER_STACKS_PADDED)
#    define FIBER_STACK_BYTES ((size_t)256 * 1024) /* sanitizers pad every frame */
#else
#    define FIBER_STACK_BYTES ((size_t)64 * 1024)
#endif

struct fiber;
typedef void fiber_fn(void *arg);

/* Start fn(arg) in a new fiber with no scope around it; it runs after the caller waits or ends. */
bool fiber_spawn(fiber_fn *fn, void *arg, struct err *err) MUST_CHECK;
struct fiber *fiber_self(void); /* NULL outside fibers */
mono_ns fiber_now(void);        /* the loop's clock, read once a turn; works outside fibers too */
/* A value that goes with the work: children of its scopes are born with it. NULL outside fibers. */
void fiber_carry(void *value);
void *fiber_carried(void);
bool fiber_still_wanted(struct err *err); /* false with the reason once a scope around is over */
/* Let the others that are ready in this turn run first; returns at once when there are none. Before a send:
 * sends of a turn that follow each other wake the other side once, sends with work between them each time. */
SUSPENDS void fiber_step_aside(void);
SUSPENDS void fiber_yield(void); /* let others run; comes back in the next turn */
SUSPENDS bool fiber_sleep(dur_ns how_long, struct err *err) MUST_CHECK;

struct scope {
    struct scope *outer; /* of the same fiber */
    struct fiber *owner;
    struct fiber *children; /* a ring by the fibers' own links */
    mono_ns deadline;       /* 0: none of its own */
    enum err_code over;     /* ERR_NONE, ERR_CANCELLED or ERR_TIMEOUT */
    bool joining;           /* the owner waits for the last child */
};

/* Open on the stack, close in the same function. deadline 0: none of its own. */
void scope_open(struct scope *s, mono_ns deadline);
/* Move the deadline, later or earlier; 0 takes it away. Cheap: for the gap between chunks. */
void scope_deadline(struct scope *s, mono_ns deadline);
/* Start a child that inherits deadline and end of `s`; fails when `s` is over already. */
bool scope_spawn(struct scope *s, fiber_fn *fn, void *arg, struct err *err) MUST_CHECK;
/* The running fiber, started outside of any scope, becomes a child of `s` until it returns; fails when
 * `s` is over already. For wakers: no second fiber, and no turn of the loop until it runs. */
bool scope_enter(struct scope *s, struct err *err) MUST_CHECK;
void scope_cancel(struct scope *s); /* from any fiber of this loop; idempotent */
SUSPENDS bool scope_wait(struct scope *s, struct err *err) MUST_CHECK; /* until no child is left */
/* Cancel what still runs, wait for it, take the scope down. */
SUSPENDS void scope_close(struct scope *s);
bool scope_is_over(const struct scope *s);

/* A thing to wait for and to wake by: fibers of one loop only. */
struct event {
    struct fiber *waiters;
    bool set;
};
SUSPENDS bool event_wait(struct event *e, struct err *err)
    MUST_CHECK; /* returns at once when set */
SUSPENDS void event_await(
    struct event *e);              /* also in a scope that is over: for what must be waited for */
void event_set(struct event *e);   /* stays set, wakes all */
void event_pulse(struct event *e); /* wakes all who wait now */
void event_clear(struct event *e);

/* Counting semaphore: at most n inside. First come, first served. */
struct semaphore {
    struct fiber *waiters;
    int64_t free;
};
SUSPENDS bool semaphore_take(struct semaphore *s, struct err *err) MUST_CHECK;
void semaphore_give(struct semaphore *s);

#endif
