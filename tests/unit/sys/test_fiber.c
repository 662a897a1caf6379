#include <stdio.h>
#include <string.h>

#include "sys/loop.h"
#include "test.h"

/* ---- fibers ---- */

FIBER_TEST(a_fiber_can_print_floating_point)
{
    char text[32];

    snprintf(text, sizeof text, "%.3f",
             1.5 + (double)(fiber_now() > 0)); /* needs an aligned stack */
    EXPECT(strcmp(text, "2.500") == 0, "%s", text);
}

static int order[16], order_count;

static void note(void *arg)
{
    order[order_count++] = (int)(intptr_t)arg;
}

FIBER_TEST(a_spawned_fiber_runs_after_its_maker_waits)
{
    struct err err = {0};

    order_count = 0;
    REQUIRE(fiber_spawn(note, (void *)1, &err));
    REQUIRE(fiber_spawn(note, (void *)2, &err));
    EXPECT(order_count == 0);
    fiber_yield();
    EXPECT(order_count == 2 && order[0] == 1 && order[1] == 2);
}

static void yield_and_note(void *arg)
{
    note(arg);
    fiber_yield();
    note(arg);
}

FIBER_TEST(a_yield_lets_the_others_run)
{
    struct err err = {0};

    order_count = 0;
    REQUIRE(fiber_spawn(yield_and_note, (void *)1, &err));
    REQUIRE(fiber_spawn(yield_and_note, (void *)2, &err));
    while (order_count < 4)
        fiber_yield();
    EXPECT(order[0] == 1 && order[1] == 2 && order[2] == 1 && order[3] == 2);
}

static void touch_stack(void *arg)
{
    volatile char bytes[3000];

    memset((char *)(uintptr_t)bytes, (int)(intptr_t)arg, sizeof bytes);
    fiber_yield();
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (bytes[i] != (char)(intptr_t)arg) {
            EXPECT(false, "byte %zu of the stack has changed", i);
            return;
        }
    }
}

FIBER_TEST(stacks_are_apart_and_used_again)
{
    struct err err = {0};

    for (int round = 0; round < 20; round++) {
        for (intptr_t i = 0; i < 50; i++)
            REQUIRE(fiber_spawn(touch_stack, (void *)i, &err));
        fiber_yield();
        fiber_yield();
    }
    struct loop_stats stats = loop_stats(loop_self());
    EXPECT(stats.fibers == 1 && stats.fibers_peak == 51, "%u %u", stats.fibers, stats.fibers_peak);
    EXPECT(stats.stacks_pooled == 50, "%u", stats.stacks_pooled);
}

static void fill_the_loop(void *arg)
{
    struct err err = {0};
    int *spawned = arg;

    while (fiber_spawn(touch_stack, NULL, &err))
        (*spawned)++;
    EXPECT(err.code == ERR_EXHAUSTED);
    fiber_yield();
    fiber_yield();
    EXPECT(fiber_spawn(note, NULL, &err), "stacks come back: %s", err.text);
}

TEST(spawning_past_the_limit_fails)
{
    struct err err = {0};
    struct loop_options options = {.fibers_max = 10};
    struct loop *loop = loop_new(&options, &err);
    int spawned = 0;

    REQUIRE(loop);
    order_count = 0;
    loop_run(loop, fill_the_loop, &spawned);
    EXPECT(spawned == 9, "%d", spawned);
    EXPECT(order_count == 1);
    loop_free(&loop);
}

/* ---- sleeping ---- */

FIBER_TEST(sleep_lasts_at_least_as_long_as_asked)
{
    static const dur_ns cases[] = {0, -1, 1, MICROSECOND, 3 * MILLISECOND};
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        mono_ns start = fiber_now();
        REQUIRE(fiber_sleep(cases[i], &err));
        EXPECT(fiber_now() - start >= cases[i], "%" PRId64, cases[i]);
    }
}

static void sleep_and_note(void *arg)
{
    struct err err = {0};

    EXPECT(fiber_sleep((intptr_t)arg * MILLISECOND, &err));
    note(arg);
}

FIBER_TEST(sleepers_wake_in_the_order_of_their_times)
{
    static const int lengths[] = {5, 1, 4, 2, 3};
    struct err err = {0};
    struct scope s;

    order_count = 0;
    scope_open(&s, 0);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
        EXPECT(scope_spawn(&s, sleep_and_note, (void *)(intptr_t)lengths[i], &err));
    EXPECT(scope_wait(&s, &err));
    scope_close(&s);
    REQUIRE(order_count == 5);
    for (int i = 0; i < 5; i++)
        EXPECT(order[i] == i + 1, "%d", order[i]);
}

/* ---- scopes ---- */

FIBER_TEST(after_a_timeout_every_wait_fails_at_once)
{
    struct err err = {0};
    struct event never = {0};
    struct semaphore full = {.free = 1};
    struct scope s;

    scope_open(&s, fiber_now() + MILLISECOND);
    EXPECT(!fiber_sleep(SECOND, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
    EXPECT(scope_is_over(&s));
    EXPECT(!fiber_sleep(0, &err) && err.code == ERR_TIMEOUT);
    EXPECT(!event_wait(&never, &err) && err.code == ERR_TIMEOUT);
    EXPECT(!semaphore_take(&full, &err) && err.code == ERR_TIMEOUT);
    EXPECT(full.free == 1, "nothing was taken");
    EXPECT(!scope_wait(&s, &err) && err.code == ERR_TIMEOUT);
    EXPECT(!fiber_still_wanted(&err) && err.code == ERR_TIMEOUT);
    EXPECT(!scope_spawn(&s, note, NULL, &err) && err.code == ERR_TIMEOUT);
    scope_close(&s);
    EXPECT(fiber_still_wanted(&err), "outside it goes on");
}

static const struct {
    const char *name;
    int outer_ms, inner_ms; /* 0: none */
    bool inner_ends, outer_ends;
} nested_cases[] = {
    {"inner earlier", 1000, 1, true, false},
    {"outer earlier shrinks the inner", 1, 1000, true, true},
    {"outer alone binds the inner", 1, 0, true, true},
    {"inner alone leaves the outer", 0, 1, true, false},
};

FIBER_TEST(a_deadline_only_shrinks_inwards)
{
    for (size_t i = 0; i < ARRAY_LEN(nested_cases); i++) {
        struct err err = {0};
        struct scope outer, inner;
        mono_ns now = fiber_now();
        int out = nested_cases[i].outer_ms, in = nested_cases[i].inner_ms;

        scope_open(&outer, out ? now + out * MILLISECOND : 0);
        scope_open(&inner, in ? now + in * MILLISECOND : 0);
        EXPECT(!fiber_sleep(10 * SECOND, &err) && err.code == ERR_TIMEOUT);
        EXPECT(scope_is_over(&inner) == nested_cases[i].inner_ends, "%s", nested_cases[i].name);
        scope_close(&inner);
        EXPECT(scope_is_over(&outer) == nested_cases[i].outer_ends, "%s", nested_cases[i].name);
        scope_close(&outer);
    }
}

FIBER_TEST(a_deadline_moves_both_ways)
{
    struct err err = {0};
    struct scope s;

    scope_open(&s, fiber_now() + MILLISECOND);
    for (int chunk = 0; chunk < 5; chunk++) { /* the gap between chunks */
        scope_deadline(&s, fiber_now() + 50 * MILLISECOND);
        EXPECT(fiber_sleep(2 * MILLISECOND, &err), "%s", err.text);
    }
    scope_deadline(&s, 0);
    EXPECT(fiber_sleep(2 * MILLISECOND, &err), "%s", err.text);
    scope_deadline(&s, fiber_now() + MILLISECOND);
    EXPECT(!fiber_sleep(SECOND, &err) && err.code == ERR_TIMEOUT);
    scope_close(&s);
}

FIBER_TEST(one_timer_serves_a_fiber_and_ends_with_it)
{
    struct err err = {0};
    struct scope s;

    for (int i = 0; i < 10; i++) {
        scope_open(&s, fiber_now() + SECOND);
        EXPECT(fiber_sleep(1, &err));
        scope_close(&s);
    }
    EXPECT(loop_stats(loop_self()).timers <= 1, "%u", loop_stats(loop_self()).timers);
}

FIBER_TEST(a_fiber_that_never_waits_sees_its_deadline)
{
    struct err err = {0};
    struct scope s;

    scope_open(&s, fiber_now() + MILLISECOND);
    while (fiber_still_wanted(&err))
        fiber_yield();
    EXPECT(err.code == ERR_TIMEOUT);
    scope_close(&s);
}

static void shorten(void *arg)
{
    scope_deadline(arg, fiber_now() + MILLISECOND);
}

static void cancel(void *arg)
{
    scope_cancel(arg);
    scope_cancel(arg); /* idempotent */
}

FIBER_TEST(another_fiber_ends_a_wait)
{
    static const struct {
        const char *name;
        fiber_fn *by;
        enum err_code want;
    } cases[] = {{"cancel", cancel, ERR_CANCELLED}, {"earlier deadline", shorten, ERR_TIMEOUT}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct scope s;

        scope_open(&s, fiber_now() + 10 * SECOND);
        EXPECT(fiber_spawn(cases[i].by, &s, &err));
        EXPECT(!fiber_sleep(5 * SECOND, &err) && err.code == cases[i].want, "%s", cases[i].name);
        scope_close(&s);
    }
}

struct sleeper {
    struct err err;
    bool slept, done;
};

static void sleep_long(void *arg)
{
    struct sleeper *s = arg;

    s->slept = fiber_sleep(60 * SECOND, &s->err);
    s->done = true;
}

FIBER_TEST(closing_cancels_the_children_and_waits_for_them)
{
    struct sleeper sleepers[8] = {0};
    struct err err = {0};
    struct scope s;

    scope_open(&s, 0);
    for (size_t i = 0; i < ARRAY_LEN(sleepers); i++)
        EXPECT(scope_spawn(&s, sleep_long, &sleepers[i], &err));
    fiber_yield();
    scope_close(&s);
    for (size_t i = 0; i < ARRAY_LEN(sleepers); i++)
        EXPECT(sleepers[i].done && !sleepers[i].slept && sleepers[i].err.code == ERR_CANCELLED);
}

struct newcomer {
    struct scope *scope;
    struct sleeper sleeper;
    bool entered, told;
};

static void enter_and_sleep(void *arg)
{
    struct newcomer *n = arg;
    struct err err = {0};

    n->entered = scope_enter(n->scope, &err);
    n->told = !n->entered && err.code == ERR_CANCELLED;
    if (n->entered)
        sleep_long(&n->sleeper);
}

FIBER_TEST(a_fiber_that_enters_a_scope_ends_with_it)
{
    struct newcomer early = {0}, late = {0};
    struct err err = {0};
    struct scope s;

    scope_open(&s, 0);
    early.scope = late.scope = &s;
    EXPECT(fiber_spawn(enter_and_sleep, &early, &err));
    fiber_yield();
    EXPECT(early.entered && !early.sleeper.done);
    scope_cancel(&s);
    EXPECT(fiber_spawn(enter_and_sleep, &late, &err));
    fiber_yield();
    EXPECT(!late.entered && late.told, "a scope that is over is not entered");
    scope_close(&s);
    EXPECT(early.sleeper.done && early.sleeper.err.code == ERR_CANCELLED);
}

FIBER_TEST(children_inherit_the_deadline)
{
    struct sleeper sleeper = {0};
    struct err err = {0};
    struct scope s;

    scope_open(&s, fiber_now() + MILLISECOND);
    EXPECT(scope_spawn(&s, sleep_long, &sleeper, &err));
    EXPECT(!scope_wait(&s, &err) && err.code == ERR_TIMEOUT);
    scope_close(&s);
    EXPECT(sleeper.done && sleeper.err.code == ERR_TIMEOUT, "%s", sleeper.err.text);
}

struct stubborn {
    struct event *gate;
    bool done;
};

/* Cleans up in a wait of its own although its scope is over. */
static void end_slowly(void *arg)
{
    struct stubborn *s = arg;
    struct err err = {0};

    EXPECT(!fiber_sleep(SECOND, &err));
    for (int i = 0; i < 5; i++)
        fiber_yield();
    s->done = true;
}

FIBER_TEST(closing_waits_although_the_outer_scope_is_over)
{
    struct stubborn child = {0};
    struct err err = {0};
    struct scope outer, inner;

    scope_open(&outer, 0);
    scope_open(&inner, 0);
    EXPECT(scope_spawn(&inner, end_slowly, &child, &err));
    fiber_yield();
    scope_cancel(&outer);
    scope_close(&inner);
    EXPECT(child.done);
    scope_close(&outer);
}

static void cancel_parent_of_parent(void *arg)
{
    struct scope *top = arg;
    struct err err = {0};
    struct scope own;

    scope_open(&own, 0);
    scope_cancel(top);
    EXPECT(!fiber_sleep(SECOND, &err) && err.code == ERR_CANCELLED);
    scope_close(&own);
    scope_open(&own, 0);
    EXPECT(scope_is_over(&own), "a new scope is over from birth");
    scope_close(&own);
}

FIBER_TEST(a_child_may_cancel_what_it_lives_in)
{
    struct err err = {0};
    struct scope s;

    scope_open(&s, 0);
    EXPECT(scope_spawn(&s, cancel_parent_of_parent, &s, &err));
    EXPECT(!scope_wait(&s, &err) && err.code == ERR_CANCELLED);
    scope_close(&s);
}

/* ---- trees of scopes, cancelled at random ---- */

static uint64_t dice_state;
static int calls_made;

static uint32_t dice(uint32_t sides)
{
    dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice_state >> 33) % sides;
}

struct tree {
    struct scope *root;
    int depth;
};

static void grow(void *arg)
{
    struct tree *tree = arg;
    struct tree below = {tree->root, tree->depth - 1};
    struct err err = {0};
    struct scope s;

    calls_made++;
    scope_open(&s, dice(3) == 0 ? fiber_now() + dice(2000) * MICROSECOND : 0);
    if (tree->depth > 0) {
        for (uint32_t i = 1 + dice(3); i > 0; i--) {
            if (!scope_spawn(&s, grow, &below, &err))
                break;
        }
    }
    switch (dice(8)) {
    case 0: scope_cancel(&s); break;
    case 1: scope_cancel(tree->root); break;
    case 2: fiber_yield(); break;
    case 3: (void)!scope_wait(&s, &err); break;
    default: (void)!fiber_sleep(dice(1500) * MICROSECOND, &err);
    }
    scope_close(&s);
}

FIBER_TEST(three_hundred_trees_cancelled_at_random_leave_nothing)
{
    for (dice_state = 1; dice_state <= 300; dice_state++) {
        uint64_t seed = dice_state;
        struct err err = {0};
        struct scope root;
        struct tree tree = {&root, 7};

        scope_open(&root, 0);
        EXPECT(scope_spawn(&root, grow, &tree, &err));
        (void)!scope_wait(&root, &err);
        scope_close(&root);
        EXPECT(loop_stats(loop_self()).fibers == 1, "seed %" PRIu64, seed);
        dice_state = seed;
    }
    EXPECT(calls_made > 3000, "%d", calls_made);
}

static void go_deeper(void *arg)
{
    int *depth = arg;
    struct err err = {0};
    struct scope s;

    scope_open(&s, 0);
    if (++*depth < 2000)
        EXPECT(scope_spawn(&s, go_deeper, depth, &err));
    (void)!scope_wait(&s, &err);
    (void)!fiber_sleep(SECOND, &err);
    scope_close(&s);
}

FIBER_TEST(a_chain_of_two_thousand_children_is_cancelled_from_its_top)
{
    struct err err = {0};
    struct scope s;
    int depth = 0;

    scope_open(&s, 0);
    EXPECT(scope_spawn(&s, go_deeper, &depth, &err));
    while (depth < 2000)
        fiber_yield();
    scope_close(&s);
}

/* ---- events and semaphores ---- */

struct waiter {
    struct event *event;
    struct semaphore *semaphore;
    int number;
};

static void wait_and_note(void *arg)
{
    struct waiter *w = arg;
    struct err err = {0};

    if (event_wait(w->event, &err))
        note((void *)(intptr_t)w->number);
}

FIBER_TEST(an_event_wakes_those_who_wait)
{
    struct event e = {0};
    struct waiter waiters[3] = {{&e, NULL, 1}, {&e, NULL, 2}, {&e, NULL, 3}};
    struct err err = {0};

    order_count = 0;
    EXPECT(fiber_spawn(wait_and_note, &waiters[0], &err));
    EXPECT(fiber_spawn(wait_and_note, &waiters[1], &err));
    fiber_yield();
    event_pulse(&e);
    fiber_yield();
    EXPECT(order_count == 2 && order[0] == 1 && order[1] == 2, "%d", order_count);
    EXPECT(fiber_spawn(wait_and_note, &waiters[2], &err));
    fiber_yield();
    EXPECT(order_count == 2, "a pulse is not remembered");
    event_set(&e);
    event_clear(&e);
    fiber_yield();
    EXPECT(order_count == 3, "woken although it was cleared before it ran");
    event_set(&e);
    EXPECT(event_wait(&e, &err), "stays set");
}

static int inside, inside_peak;

static void enter(void *arg)
{
    struct waiter *w = arg;
    struct err err = {0};

    if (!semaphore_take(w->semaphore, &err))
        return;
    inside++;
    inside_peak = MAX_OF(inside_peak, inside);
    note((void *)(intptr_t)w->number);
    fiber_yield();
    inside--;
    semaphore_give(w->semaphore);
}

FIBER_TEST(a_semaphore_lets_so_many_in_first_come_first_served)
{
    struct semaphore sem = {.free = 2};
    struct waiter waiters[7];
    struct err err = {0};
    struct scope s;

    order_count = inside_peak = 0;
    scope_open(&s, 0);
    for (int i = 0; i < 7; i++) {
        waiters[i] = (struct waiter){NULL, &sem, i};
        EXPECT(scope_spawn(&s, enter, &waiters[i], &err));
    }
    EXPECT(scope_wait(&s, &err));
    scope_close(&s);
    EXPECT(inside_peak == 2 && sem.free == 2 && !sem.waiters, "%d", inside_peak);
    for (int i = 0; i < 7; i++)
        EXPECT(order[i] == i, "%d", order[i]);
}

FIBER_TEST(a_cancelled_waiter_takes_no_turn_of_a_semaphore)
{
    struct semaphore sem = {.free = 0};
    struct waiter first = {NULL, &sem, 1}, second = {NULL, &sem, 2};
    struct err err = {0};
    struct scope s;

    order_count = 0;
    scope_open(&s, 0);
    EXPECT(scope_spawn(&s, enter, &first, &err));
    fiber_yield();
    EXPECT(fiber_spawn(enter, &second, &err));
    fiber_yield();
    scope_cancel(&s);     /* the first is ready to run, but has not run yet */
    semaphore_give(&sem); /* goes to the second */
    scope_close(&s);
    fiber_yield();
    fiber_yield();
    EXPECT(order_count == 1 && order[0] == 2);
    EXPECT(sem.free == 1);
}

/* ---- stopping ---- */

static void wait_forever(void *arg)
{
    struct sleeper *s = arg;
    struct event never = {0};

    s->slept = event_wait(&never, &s->err);
    s->done = true;
    EXPECT(!fiber_sleep(1, &s->err) && s->err.code == ERR_CANCELLED);
}

struct stopping {
    struct sleeper bare, scoped, late;
};

static void wait_in_scope(void *arg)
{
    struct scope s;

    scope_open(&s, fiber_now() + 60 * SECOND);
    wait_forever(arg);
    scope_close(&s);
}

static void stop_all(void *arg)
{
    struct stopping *all = arg;
    struct err err = {0};

    EXPECT(fiber_spawn(wait_forever, &all->bare, &err));
    EXPECT(fiber_spawn(wait_in_scope, &all->scoped, &err));
    fiber_yield();
    loop_stop(loop_self());
    loop_stop(loop_self());
    EXPECT(!fiber_still_wanted(&err) && err.code == ERR_CANCELLED);
    EXPECT(fiber_spawn(wait_forever, &all->late, &err), "cleaning up may need a fiber");
}

TEST(stopping_cancels_fibers_with_and_without_scopes)
{
    struct err err = {0};
    struct loop *loop = loop_new(NULL, &err);
    struct stopping all = {0};

    REQUIRE(loop);
    loop_run(loop, stop_all, &all);
    EXPECT(all.bare.done && all.bare.err.code == ERR_CANCELLED);
    EXPECT(all.scoped.done && all.scoped.err.code == ERR_CANCELLED);
    EXPECT(all.late.done && all.late.err.code == ERR_CANCELLED);
    loop_free(&loop);
}

/* ---- slots ---- */

static int freed_value;

static void free_value(void *value)
{
    freed_value = *(int *)value;
}

static void use_slot(void *arg)
{
    static int value = 7;
    int slot = *(int *)arg;

    EXPECT(loop_slot(slot) == NULL);
    loop_slot_set(slot, &value);
    EXPECT(loop_slot(slot) == &value);
}

TEST(a_slot_belongs_to_its_loop_and_is_freed_with_it)
{
    struct err err = {0};
    int slot = loop_slot_new(free_value);

    for (int i = 0; i < 2; i++) {
        struct loop *loop = loop_new(NULL, &err);
        REQUIRE(loop);
        freed_value = 0;
        loop_run(loop, use_slot, &slot);
        EXPECT(freed_value == 7);
        loop_free(&loop);
        EXPECT(loop == NULL);
    }
}

/* Two fibers that are ready in the same turn: the work of both, then the sends of both. */
static struct {
    char order[16];
    size_t count;
} aside;

static void work_then_send(void *arg)
{
    char name = *(const char *)arg;

    aside.order[aside.count++] = name;
    fiber_step_aside();
    aside.order[aside.count++] = (char)(name - 'a' + 'A');
}

FIBER_TEST(who_steps_aside_lets_the_turn_work_first)
{
    struct err err = {0};
    struct scope scope;

    aside.count = 0;
    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, work_then_send, "a", &err) &&
            scope_spawn(&scope, work_then_send, "b", &err) &&
            scope_spawn(&scope, work_then_send, "c", &err));
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    EXPECT(aside.count == 6 && memcmp(aside.order, "abc", 3) == 0, "%.6s", aside.order);
}

FIBER_TEST(alone_nobody_steps_aside)
{
    uint64_t turns = loop_stats(loop_self()).turns;

    for (int i = 0; i < 100; i++)
        fiber_step_aside();
    EXPECT(loop_stats(loop_self()).turns == turns);
}

static void step_for_ever(void *arg)
{
    int *left = arg;

    while (*left > 0) {
        fiber_step_aside();
        --*left;
    }
}

/* However often two of them step aside for each other, both get to their end. */
FIBER_TEST(stepping_aside_comes_to_an_end)
{
    int left[2] = {200000, 200000};
    struct err err = {0};
    struct scope scope;

    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, step_for_ever, &left[0], &err) &&
            scope_spawn(&scope, step_for_ever, &left[1], &err));
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    EXPECT(left[0] == 0 && left[1] == 0);
}
