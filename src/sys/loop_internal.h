/* sys/loop_internal.h: the seam between the core, which both worlds share, and the body, of which a
 * program links one: loop.c and its siblings on the kernel, loop_sim.c and its siblings on a virtual
 * clock. For files of sys only.
 *
 * One turn (loop_core.c)
 *   1 loop_body_poll()   waits, reads the clock once, marks fibers as ready; runs none
 *   2 posts and wakes    from other threads become ready fibers
 *   3 timers             that are due end sleeps and scopes
 *   4 slice              what is ready now runs; what becomes ready meanwhile is for the next turn
 * Steps 1 to 3 run on the thread's own stack, so nothing is freed while events are read. */
#ifndef WEIR_SYS_LOOP_INTERNAL_H
#define WEIR_SYS_LOOP_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "sys/loop.h"
#include "sys/timer.h"

#define LOOP_NEVER     INT64_MAX
#define LOOP_SLOTS     32
#define LOOP_POSTS_MAX 4096

enum fiber_state {
    FIBER_READY,   /* in the run queue */
    FIBER_RUNNING, /* loop->running */
    FIBER_PARKED,  /* waits to be woken; perhaps in a list of waiters */
    FIBER_DEAF,    /* parked, and the end of a scope does not wake it */
    FIBER_DEAD,    /* has returned; the loop buries it */
};

/* At the top of its own stack, so that a waiting fiber touches one page. */
struct fiber {
    void *sp; /* where it goes on, while it does not run */
    struct loop *loop;
    char *stack_low;
    fiber_fn *fn;
    void *arg;
    void *carried; /* fiber_carry() */
    enum fiber_state state;
    enum err_code over;   /* ended from outside: by its parent's scope or by loop_stop() */
    bool interrupted;     /* the last park ended because a scope was over */
    struct scope *scope;  /* the innermost one open */
    mono_ns fine_until;   /* before it no open scope is overdue; LOOP_NEVER without a deadline */
    struct scope *parent; /* the scope it was spawned in, or NULL */
    struct fiber *next_ready;     /* run queue */
    struct fiber **waiting_in;    /* head of the ring of waiters it stands in, or NULL */
    struct fiber *before, *after; /* in that ring */
    struct fiber *sibling_before, *sibling_after; /* in parent->children, a ring */
    struct fiber *all_before, *all_after;         /* in loop->all, a ring */
    struct fiber *next_ended;                     /* work list of scope_end() */
    mono_ns alarm;                                /* end of a sleep, or 0 */
    struct timer timer; /* one for the alarm and all scopes; may be early, never late */
    void *asan_stack;   /* ASan's fake stack while it does not run */
    void *tsan_fiber;
};

/* Address space for stacks, pooled. The coldest stand first and lose their memory when unused. */
struct stacks {
    char **pooled;    /* lowest usable addresses; `max` entries */
    uint32_t count;   /* in `pooled` */
    uint32_t clean;   /* the first so many of them hold no memory */
    uint32_t low;     /* least count since the last trim */
    uint32_t made;    /* ever cut from regions */
    uint32_t max;     /* bound of made */
    char **regions;   /* STACKS_PER_REGION stacks each */
    bool by_mprotect; /* the kernel has no MADV_GUARD_INSTALL */
};

struct post {
    fiber_fn *fn;
    void *arg;
};

/* From any thread: "wake this fiber", without memory of its own. Lives on the fiber's stack. */
struct remote_wake {
    struct remote_wake *next;
    struct fiber *fiber;
};

struct loop {
    struct loop_options options;
    mono_ns now;           /* set by the body in every poll */
    wall_ms wall;          /* of this turn; 0: not read yet */
    struct fiber *running; /* NULL on the thread's own stack */
    struct fiber *ready_first, *ready_last;
    uint32_t ready_count;
    uint32_t slice_left;  /* fibers of this slice that have not run yet */
    uint32_t slice_aside; /* how often fibers may still step aside in it */
    struct fiber *all;    /* every living fiber, for loop_stop() and the debugger */
    struct timers timers;
    struct stacks stacks;
    struct loop_stats stats;
    bool stopping;
    mono_ns trim_at;
    void *slots[LOOP_SLOTS];
    void *sp;              /* the thread's own, while a fiber runs */
    const void *stack_low; /* the thread's own stack, for ASan */
    size_t stack_bytes;
    void *asan_stack, *tsan_fiber;

    /* For other threads. Whoever clears `asleep` calls loop_body_wake(). The lock guards the lists;
     * it is held over the wake, so that loop_free() cannot overtake a waker. */
    atomic_bool asleep, mail;
    bool spawn_blocked; /* no stack was free; false again when a fiber has ended */
    pthread_mutex_t mail_lock;
    struct remote_wake *wakes, **wakes_end;
    struct post *posts; /* ring of LOOP_POSTS_MAX */
    uint32_t posts_first, posts_count;

    struct loop_body *body;
};

/* ---- the body: loop.c or loop_sim.c ---- */
bool loop_body_new(struct loop *loop, struct err *err) MUST_CHECK;
void loop_body_free(struct loop *loop);
/* Set loop->now and mark what is ready. `until` <= loop->now: look, do not wait; LOOP_NEVER: no bound.
 * Before a real wait: loop_may_sleep(), after it loop_woke(). */
void loop_body_poll(struct loop *loop, mono_ns until);
void loop_body_wake(struct loop *loop); /* any thread: end the wait of a poll */

/* ---- loop_core.c ---- */
/* False: something came from another thread meanwhile, do not wait. */
bool loop_may_sleep(struct loop *loop);
void loop_woke(struct loop *loop);
/* Wake a deaf fiber of `loop` from any thread; `wake` must live until it runs. */
void loop_wake_remote(struct loop *loop, struct remote_wake *wake);

/* ---- fiber.c ---- */
struct loop *loop_current(void);          /* loop_self(), asserting that there is one */
void loop_set_current(struct loop *loop); /* of this thread */
struct fiber *fiber_new(struct loop *loop, fiber_fn *fn, void *arg, struct err *err) MUST_CHECK;
void fiber_run_slice(struct loop *loop); /* step 4 */
/* Park until fiber_wake(). `list`: the ring to stand in, at its end, or NULL. */
SUSPENDS bool fiber_park(struct fiber **list, struct err *err)
    MUST_CHECK;                                     /* false when a scope is or gets over */
SUSPENDS void fiber_park_deaf(struct fiber **list); /* only fiber_wake() ends it */
void fiber_wake(
    struct fiber *f); /* parked, deaf: becomes ready and leaves its ring; else nothing */
void fiber_wake_all(struct fiber **list);
void fiber_interrupt(struct fiber *f); /* parked: becomes ready, its wait fails */

/* ---- scope.c ---- */
void scope_adopt(struct scope *s, struct fiber *child);
void scope_leave(struct fiber *child); /* the child has returned */
void fiber_arm(struct fiber *f);       /* see to it that its timer is no later than needed */
void fiber_timer_fired(struct timer *t, mono_ns now);
void fiber_end_from_outside(struct fiber *f, enum err_code why); /* all its scopes and children */
bool fiber_report_over(struct fiber *f, struct err *err);        /* fills err, returns false */

/* ---- stack.c ---- */
bool stacks_init(struct stacks *s, uint32_t max, struct err *err) MUST_CHECK;
void stacks_done(struct stacks *s);
char *stack_take(struct stacks *s); /* its lowest usable address; NULL: no more */
void stack_give(struct stacks *s, char *low);
void stacks_trim(struct stacks *s); /* now and then: the unused ones lose their memory */
#define STACK_GUARD_BYTES  ((size_t)4096)
#define STACK_USABLE_BYTES (FIBER_STACK_BYTES - STACK_GUARD_BYTES)

/* ---- crash.c ---- */
struct crash_watch {
    stack_t before;
    char stack[16 * 1024]; /* for the handler: the fiber's own is full */
};
void crash_watch_begin(struct crash_watch *watch); /* of this thread, while its loop runs */
void crash_watch_end(struct crash_watch *watch);

/* ---- fiber_switch.S ---- */
/* Save the running context in *from and go on at `to`. */
void fiber_switch(void **from, void *to);
void fiber_entry(void); /* the first return address of a new stack; calls fiber_main() */
void fiber_main(struct fiber *f);

#endif
