#include "sys/fiber.h"

#include <string.h>

#include "base/fault.h"
#include "sys/clock.h"
#include "sys/loop_internal.h"
#include "sys/sanitize.h"

/* What fiber_switch() pops from a stack that it has not pushed itself. */
#if defined(__x86_64__)
#    define FRAME_WORDS  7 /* r15 r14 r13 r12 rbx rbp rip */
#    define FRAME_FIBER  4
#    define FRAME_RETURN 6
#else
#    define FRAME_WORDS  20 /* x29 x30 x19 ... x28 d8 ... d15 */
#    define FRAME_RETURN 1
#    define FRAME_FIBER  2
#endif

/* Control blocks of all fibers at the same place of their page would fight for the same few cache
 * sets: spread them over eight lines. */
#define COLOURS     8u
#define COLOUR_STEP 64u

static _Thread_local struct loop *current;

void loop_set_current(struct loop *loop)
{
    current = loop;
}

struct loop *loop_self(void)
{
    return current;
}

struct loop *loop_current(void)
{
    ASSERT(current);
    return current;
}

struct fiber *fiber_self(void)
{
    return current ? current->running : NULL;
}

void fiber_carry(void *value)
{
    if (fiber_self())
        fiber_self()->carried = value;
}

void *fiber_carried(void)
{
    return fiber_self() ? fiber_self()->carried : NULL;
}

static struct fiber *running(void)
{
    struct fiber *f = fiber_self();

    ASSERT(f); /* only a fiber may wait */
    return f;
}

mono_ns fiber_now(void)
{
    return current ? current->now : clock_mono();
}

/* ---- switching: always between the loop's own stack and a fiber ---- */

static void go_to_fiber(struct loop *loop, struct fiber *f)
{
#if SANITIZE_ADDRESS
    __sanitizer_start_switch_fiber(&loop->asan_stack, f->stack_low, STACK_USABLE_BYTES);
#endif
#if SANITIZE_THREAD
    loop->tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(f->tsan_fiber, 0);
#endif
    fiber_switch(&loop->sp, f->sp);
#if SANITIZE_ADDRESS
    __sanitizer_finish_switch_fiber(loop->asan_stack, NULL, NULL);
#endif
}

static void arrive_in_fiber(struct fiber *f)
{
#if SANITIZE_ADDRESS
    __sanitizer_finish_switch_fiber(f->asan_stack, &f->loop->stack_low, &f->loop->stack_bytes);
#else
    (void)f;
#endif
}

static void go_to_loop(struct fiber *f)
{
#if SANITIZE_ADDRESS
    __sanitizer_start_switch_fiber(f->state == FIBER_DEAD ? NULL : &f->asan_stack,
                                   f->loop->stack_low, f->loop->stack_bytes);
#endif
#if SANITIZE_THREAD
    __tsan_switch_to_fiber(f->loop->tsan_fiber, 0);
#endif
    fiber_switch(&f->sp, f->loop->sp);
    arrive_in_fiber(f);
}

void fiber_main(struct fiber *f)
{
    arrive_in_fiber(f);
    f->fn(f->arg);
    ASSERT(!f->scope); /* a scope was opened and not closed */
    scope_leave(f);
    f->state = FIBER_DEAD;
    go_to_loop(f);
    ASSERT(false); /* buried, and yet it runs */
}

/* ---- birth and burial ---- */

static void ready_push(struct loop *loop, struct fiber *f)
{
    f->state = FIBER_READY;
    f->next_ready = NULL;
    if (loop->ready_last)
        loop->ready_last->next_ready = f;
    else
        loop->ready_first = f;
    loop->ready_last = f;
    loop->ready_count++;
}

static struct fiber *ready_pop(struct loop *loop)
{
    struct fiber *f = loop->ready_first;

    loop->ready_first = f->next_ready;
    if (!loop->ready_first)
        loop->ready_last = NULL;
    loop->ready_count--;
    return f;
}

static void link_to_all(struct loop *loop, struct fiber *f)
{
    struct fiber *first = loop->all;

    f->all_after = first ? first : f;
    f->all_before = first ? first->all_before : f;
    f->all_before->all_after = f;
    f->all_after->all_before = f;
    loop->all = f;
    loop->stats.fibers++;
    loop->stats.fibers_peak = MAX_OF(loop->stats.fibers_peak, loop->stats.fibers);
}

static void unlink_from_all(struct loop *loop, struct fiber *f)
{
    f->all_before->all_after = f->all_after;
    f->all_after->all_before = f->all_before;
    if (loop->all == f)
        loop->all = f->all_after != f ? f->all_after : NULL;
    loop->stats.fibers--;
}

static struct fiber *lay_out_stack(struct loop *loop, char *low)
{
    size_t block = (sizeof(struct fiber) + COLOUR_STEP - 1) / COLOUR_STEP * COLOUR_STEP;
    size_t colour = (uintptr_t)low / FIBER_STACK_BYTES % COLOURS * COLOUR_STEP;
    char *top = low + STACK_USABLE_BYTES - block - colour;
    struct fiber *f = (void *)top;
    void **frame = (void **)(void *)(top - 16) - FRAME_WORDS; /* entry at 16-byte alignment */

    memset(f, 0, sizeof *f);
    memset(frame, 0, FRAME_WORDS * sizeof *frame);
    frame[FRAME_FIBER] = f;
    frame[FRAME_RETURN] = (void *)(uintptr_t)fiber_entry;
    f->sp = frame;
    f->stack_low = low;
    f->loop = loop;
    f->fine_until = LOOP_NEVER;
    return f;
}

struct fiber *fiber_new(struct loop *loop, fiber_fn *fn, void *arg, struct err *err)
{
    char *low = stack_take(&loop->stacks);

    if (!low) {
        loop->spawn_blocked = true;
        err_no_room(err, "all %" PRIu32 " fibers of the loop are in use", loop->stats.fibers);
        return NULL;
    }
    struct fiber *f = lay_out_stack(loop, low);

    f->fn = fn;
    f->arg = arg;
    f->over = loop->stopping ? ERR_CANCELLED : ERR_NONE;
    f->timer.fire = fiber_timer_fired;
#if SANITIZE_THREAD
    f->tsan_fiber = __tsan_create_fiber(0);
#endif
    link_to_all(loop, f);
    ready_push(loop, f);
    return f;
}

static void bury(struct loop *loop, struct fiber *f)
{
    timer_remove(&loop->timers, &f->timer);
    unlink_from_all(loop, f);
    if (loop->spawn_blocked) {
        loop->spawn_blocked = false;
        atomic_store(&loop->mail, true); /* posts may wait for this */
    }
#if SANITIZE_THREAD
    __tsan_destroy_fiber(f->tsan_fiber);
#endif
    stack_give(&loop->stacks, f->stack_low); /* f is gone */
}

bool fiber_spawn(fiber_fn *fn, void *arg, struct err *err)
{
    if (FAULT("fiber.spawn"))
        return err_no_room(err, "all fibers of the loop are in use");
    return fiber_new(loop_current(), fn, arg, err) != NULL;
}

bool scope_spawn(struct scope *s, fiber_fn *fn, void *arg, struct err *err)
{
    if (scope_is_over(s))
        return err_set(err, s->over, "could not start a child in a scope that is over");
    if (FAULT("fiber.spawn"))
        return err_no_room(err, "all fibers of the loop are in use");
    struct fiber *child = fiber_new(s->owner->loop, fn, arg, err);

    if (!child)
        return false;
    child->carried = s->owner->carried;
    scope_adopt(s, child);
    return true;
}

bool scope_enter(struct scope *s, struct err *err)
{
    struct fiber *f = running();

    ASSERT(!f->parent && !f->scope && s->owner->loop == f->loop);
    if (scope_is_over(s))
        return err_set(err, s->over, "could not go on in a scope that is over");
    if (FAULT("fiber.spawn"))
        return err_no_room(err, "all fibers of the loop are in use");
    scope_adopt(s, f);
    return true;
}

void fiber_run_slice(struct loop *loop)
{
    loop->slice_left = loop->ready_count;
    loop->slice_aside = loop->ready_count;
    while (loop->slice_left > 0) {
        loop->slice_left--;
        struct fiber *f = ready_pop(loop);

        f->state = FIBER_RUNNING;
        loop->running = f;
        go_to_fiber(loop, f);
        loop->running = NULL;
        if (f->state == FIBER_DEAD)
            bury(loop, f);
    }
}

/* ---- waiting ---- */

static void ring_join(struct fiber **list, struct fiber *f)
{
    struct fiber *first = *list;

    f->waiting_in = list;
    f->after = first ? first : f;
    f->before = first ? first->before : f;
    f->before->after = f;
    f->after->before = f;
    if (!first)
        *list = f;
}

static void ring_leave(struct fiber *f)
{
    struct fiber **list = f->waiting_in;

    if (!list)
        return;
    f->before->after = f->after;
    f->after->before = f->before;
    if (*list == f)
        *list = f->after != f ? f->after : NULL;
    f->waiting_in = NULL;
}

static void park_as(struct fiber *f, enum fiber_state state, struct fiber **list)
{
    if (list)
        ring_join(list, f);
    f->state = state;
    f->interrupted = false;
    fiber_arm(f);
    go_to_loop(f);
}

bool fiber_park(struct fiber **list, struct err *err)
{
    struct fiber *f = running();

    if (!fiber_still_wanted(err))
        return false;
    park_as(f, FIBER_PARKED, list);
    return f->interrupted ? fiber_report_over(f, err) : true;
}

void fiber_park_deaf(struct fiber **list)
{
    park_as(running(), FIBER_DEAF, list);
}

void fiber_wake(struct fiber *f)
{
    if (f->state != FIBER_PARKED && f->state != FIBER_DEAF)
        return;
    ring_leave(f);
    ready_push(f->loop, f);
}

void fiber_wake_all(struct fiber **list)
{
    while (*list)
        fiber_wake(*list);
}

void fiber_interrupt(struct fiber *f)
{
    if (f->state != FIBER_PARKED)
        return;
    fiber_wake(f);
    f->interrupted = true;
}

void fiber_step_aside(void)
{
    struct fiber *f = running();
    struct loop *loop = f->loop;

    /* As often as the slice was long, so that a slice ends and the loop looks again. */
    if (loop->slice_left == 0 || loop->slice_aside == 0)
        return;
    loop->slice_left++;
    loop->slice_aside--;
    ready_push(loop, f);
    go_to_loop(f);
}

void fiber_yield(void)
{
    struct fiber *f = running();

    ready_push(f->loop, f);
    fiber_arm(f); /* one that only ever yields meets its deadline too */
    go_to_loop(f);
}

bool fiber_sleep(dur_ns how_long, struct err *err)
{
    struct fiber *f = running();

    if (how_long <= 0) {
        if (!fiber_still_wanted(err))
            return false;
        fiber_yield();
        return true;
    }
    f->alarm = how_long < LOOP_NEVER - f->loop->now ? f->loop->now + how_long : LOOP_NEVER;
    bool rested = fiber_park(NULL, err);
    f->alarm = 0;
    return rested;
}
