/* The turn of a loop, and its mail from other threads. See loop_internal.h for the order. */
#include <errno.h>
#include <sys/mman.h>

#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/loop_internal.h"

#define FIBERS_MAX_DEFAULT    40000u
#define BATCH_WINDOW_DEFAULT  MILLISECOND
#define BATCH_STREAMS_DEFAULT 64u
#define TRIM_EVERY            (10 * SECOND)
#define POSTS_PER_TURN        256u

struct loop_memory {
    struct loop loop;
    struct crash_watch watch;
    struct post posts[LOOP_POSTS_MAX];
};

static struct {
    void (*free_value[LOOP_SLOTS])(void *value);
    int count;
} slots;

/* ---- slots ---- */

int loop_slot_new(void (*free_value)(void *value))
{
    ASSERT(slots.count < LOOP_SLOTS);
    slots.free_value[slots.count] = free_value;
    return slots.count++;
}

void *loop_slot(int slot)
{
    ASSERT(slot >= 0 && slot < slots.count);
    return loop_current()->slots[slot];
}

void loop_slot_set(int slot, void *value)
{
    ASSERT(slot >= 0 && slot < slots.count);
    loop_current()->slots[slot] = value;
}

static void free_slots(struct loop *loop)
{
    for (int i = slots.count - 1; i >= 0; i--) { /* later ones may use earlier ones */
        void *value = loop->slots[i];

        loop->slots[i] = NULL;
        if (value && slots.free_value[i])
            slots.free_value[i](value);
    }
}

/* ---- mail ---- */

/* With the lock held. */
static void ring_the_bell(struct loop *loop)
{
    atomic_store(&loop->mail, true);
    if (atomic_exchange(&loop->asleep, false))
        loop_body_wake(loop);
}

bool loop_post(struct loop *to, fiber_fn *fn, void *arg)
{
    bool fits;

    pthread_mutex_lock(&to->mail_lock);
    fits = to->posts_count < LOOP_POSTS_MAX;
    if (fits) {
        uint32_t at = (to->posts_first + to->posts_count++) % LOOP_POSTS_MAX;
        to->posts[at] = (struct post){fn, arg};
        ring_the_bell(to);
    }
    pthread_mutex_unlock(&to->mail_lock);
    return fits;
}

void loop_wake_remote(struct loop *loop, struct remote_wake *wake)
{
    pthread_mutex_lock(&loop->mail_lock);
    wake->next = NULL;
    *loop->wakes_end = wake;
    loop->wakes_end = &wake->next;
    ring_the_bell(loop);
    pthread_mutex_unlock(&loop->mail_lock);
}

/* The flag goes up before the mail is looked at, and the mail is put in before the flag is looked
 * at: one of the two sides sees the other. */
bool loop_may_sleep(struct loop *loop)
{
    atomic_store(&loop->asleep, true);
    if (!atomic_load(&loop->mail))
        return true;
    atomic_store(&loop->asleep, false);
    return false;
}

void loop_woke(struct loop *loop)
{
    atomic_store(&loop->asleep, false);
}

static void start_posts(struct loop *loop)
{
    struct err err = {0};

    for (uint32_t i = 0; i < POSTS_PER_TURN && loop->posts_count > 0; i++) {
        struct post *post = &loop->posts[loop->posts_first];

        if (!fiber_new(loop, post->fn, post->arg, &err))
            break; /* the rest waits until a fiber has ended */
        loop->posts_first = (loop->posts_first + 1) % LOOP_POSTS_MAX;
        loop->posts_count--;
    }
}

static void take_mail(struct loop *loop)
{
    if (!atomic_load_explicit(&loop->mail, memory_order_relaxed))
        return;
    pthread_mutex_lock(&loop->mail_lock);
    while (loop->wakes) {
        struct remote_wake *wake = loop->wakes;
        loop->wakes = wake->next;
        fiber_wake(wake->fiber);
    }
    loop->wakes_end = &loop->wakes;
    start_posts(loop);
    atomic_store(&loop->mail, loop->posts_count > 0 && !loop->spawn_blocked);
    pthread_mutex_unlock(&loop->mail_lock);
}

/* ---- life ---- */

static void fill_options(struct loop *loop, const struct loop_options *options)
{
    loop->options =
        options ? *options : (struct loop_options){.batch_window = BATCH_WINDOW_DEFAULT};
    if (!loop->options.fibers_max)
        loop->options.fibers_max = FIBERS_MAX_DEFAULT;
    if (!loop->options.batch_streams)
        loop->options.batch_streams = BATCH_STREAMS_DEFAULT;
}

struct loop *loop_new(const struct loop_options *options, struct err *err)
{
    struct loop_memory *memory =
        mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        err_sys(err, ERR_EXHAUSTED, errno, "could not map a loop");
        return NULL;
    }
    struct loop *loop = &memory->loop;

    fill_options(loop, options);
    loop->posts = memory->posts;
    loop->wakes_end = &loop->wakes;
    pthread_mutex_init(&loop->mail_lock, NULL);
    loop->now = clock_mono();
    if (stacks_init(&loop->stacks, loop->options.fibers_max, err)) {
        if (loop_body_new(loop, err))
            return loop;
        stacks_done(&loop->stacks);
    }
    pthread_mutex_destroy(&loop->mail_lock);
    munmap(memory, sizeof *memory);
    return NULL;
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;

    if (!l)
        return;
    ASSERT(!l->running && l->stats.fibers == 0 && l->timers.count == 0 && l->stats.socks == 0);
    pthread_mutex_lock(&l->mail_lock); /* whoever still rings the bell gets to the end of it */
    ASSERT(!l->wakes);
    pthread_mutex_unlock(&l->mail_lock);
    loop_body_free(l);
    stacks_done(&l->stacks);
    pthread_mutex_destroy(&l->mail_lock);
    munmap(CONTAINER_OF(l, struct loop_memory, loop), sizeof(struct loop_memory));
    *loop = NULL;
}

static void turn(struct loop *loop)
{
    mono_ns until = LOOP_NEVER;

    if (loop->ready_count > 0)
        until = loop->now;
    else if (loop->timers.root)
        until = loop->timers.root->when;
    loop_body_poll(loop, until);
    take_mail(loop);
    while (timer_fire_next(&loop->timers, loop->now))
        ;
    fiber_run_slice(loop);
    if (loop->now >= loop->trim_at) {
        stacks_trim(&loop->stacks);
        loop->trim_at = loop->now + TRIM_EVERY;
    }
    loop->stats.turns++;
}

void loop_run(struct loop *loop, fiber_fn *first, void *arg)
{
    struct crash_watch *watch = &CONTAINER_OF(loop, struct loop_memory, loop)->watch;
    struct loop *outer = loop_self();
    struct err err = {0};

    loop_set_current(loop);
    crash_watch_begin(watch);
    loop->now = clock_mono();
    bool started = fiber_new(loop, first, arg, &err) != NULL;
    ASSERT(started); /* loop_new() has made the first stack */
    while (loop->stats.fibers > 0 || atomic_load(&loop->mail))
        turn(loop);
    free_slots(loop);
    crash_watch_end(watch);
    loop_set_current(outer);
}

void loop_stop(struct loop *loop)
{
    struct fiber *f = loop->all;

    ASSERT(loop == loop_self());
    loop->stopping = true;
    if (!f)
        return;
    do {
        fiber_end_from_outside(f, ERR_CANCELLED);
        f = f->all_after;
    } while (f != loop->all);
}

struct loop_stats loop_stats(const struct loop *loop)
{
    struct loop_stats stats = loop->stats;

    stats.stacks_pooled = loop->stacks.count;
    stats.timers = loop->timers.count;
    return stats;
}
