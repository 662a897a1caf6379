#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/fault.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "test.h"

/* ---- jobs ---- */

struct adding {
    struct pool *pool;
    int a, b, sum;
    bool ok;
    pthread_t thread;
};

static void add(void *arg)
{
    struct adding *x = arg;

    x->sum = x->a + x->b;
    x->thread = pthread_self();
}

static struct pool *pool_of(int threads, uint32_t queue_max)
{
    struct err err = {0};
    struct pool *pool = pool_new(
        &(struct pool_options){.name = "test", .threads = threads, .queue_max = queue_max}, &err);

    EXPECT(pool != NULL, "%s", err.text);
    return pool;
}

FIBER_TEST(a_job_runs_elsewhere_with_arguments_from_the_stack)
{
    struct err err = {0};
    struct pool *pool = pool_of(2, 8);

    REQUIRE(pool);
    for (int i = 0; i < 100; i++) {
        struct adding x = {.a = i, .b = 2 * i};
        EXPECT(pool_run(pool, add, &x, &err), "%s", err.text);
        EXPECT(x.sum == 3 * i);
        EXPECT(!pthread_equal(x.thread, pthread_self()));
    }
    pool_free(&pool);
    EXPECT(pool == NULL);
    pool_free(&pool);
}

static void add_in_fiber(void *arg)
{
    struct adding *x = arg;
    struct err err = {0};

    for (int i = 0; i < 20; i++) {
        x->sum = 0;
        x->ok = pool_run(x->pool, add, x, &err) && x->sum == x->a + x->b;
        EXPECT(x->ok, "%s", err.text);
    }
}

FIBER_TEST(many_fibers_share_a_pool)
{
    static struct adding adding[100];
    struct err err = {0};
    struct pool *pool = pool_of(3, 200);
    struct scope s;

    REQUIRE(pool);
    scope_open(&s, 0);
    for (int i = 0; i < 100; i++) {
        adding[i] = (struct adding){.pool = pool, .a = i, .b = 1};
        EXPECT(scope_spawn(&s, add_in_fiber, &adding[i], &err));
    }
    EXPECT(scope_wait(&s, &err));
    scope_close(&s);
    for (int i = 0; i < 100; i++)
        EXPECT(adding[i].ok);
    pool_free(&pool);
}

/* ---- a gate that holds the pool's thread ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static atomic_int gate_passed, gate_reached;

static void gate_set(bool is_open)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_open = is_open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void pass_gate(void *arg)
{
    (void)arg;
    gate_reached++;
    pthread_mutex_lock(&gate.lock);
    while (!gate.is_open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    gate_passed++;
}

static void gate_close(void)
{
    gate_set(false);
    gate_passed = gate_reached = 0;
}

static void wait_until_reached(int n)
{
    struct err err = {0};

    while (gate_reached < n)
        EXPECT(fiber_sleep(100 * MICROSECOND, &err));
}

FIBER_TEST(a_full_queue_is_an_error_at_once)
{
    struct err err = {0};
    struct pool *pool = pool_of(1, 3);

    REQUIRE(pool);
    gate_close();
    EXPECT(pool_submit(pool, pass_gate, NULL, &err));
    wait_until_reached(1);
    for (int i = 0; i < 3; i++)
        EXPECT(pool_submit(pool, pass_gate, NULL, &err), "%s", err.text);
    EXPECT(pool_waiting(pool) == 3);
    EXPECT(!pool_submit(pool, pass_gate, NULL, &err) && err.code == ERR_EXHAUSTED, "%s", err.text);
    EXPECT(!pool_run(pool, pass_gate, NULL, &err) && err.code == ERR_EXHAUSTED);
    gate_set(true);
    pool_free(&pool);
    EXPECT(gate_passed == 4, "what was queued is finished: %d", gate_passed);
}

struct insistent {
    struct pool *pool;
    bool ran;
};

static void run_always(void *arg)
{
    struct insistent *i = arg;

    pool_run_always(i->pool, pass_gate, NULL);
    i->ran = true;
}

FIBER_TEST(what_must_run_gets_into_a_full_queue)
{
    struct err err = {0};
    struct pool *pool = pool_of(1, 1);
    struct insistent insistent = {.pool = pool};
    struct scope s;

    REQUIRE(pool);
    gate_close();
    EXPECT(pool_submit(pool, pass_gate, NULL, &err));
    wait_until_reached(1);
    EXPECT(pool_submit(pool, pass_gate, NULL, &err), "%s", err.text);
    scope_open(&s, 0);
    REQUIRE(scope_spawn(&s, run_always, &insistent, &err));
    while (pool_waiting(pool) < 2)
        EXPECT(fiber_sleep(100 * MICROSECOND, &err));
    EXPECT(!pool_run(pool, pass_gate, NULL, &err) && err.code == ERR_EXHAUSTED);
    EXPECT(!insistent.ran);
    gate_set(true);
    EXPECT(scope_wait(&s, &err) && insistent.ran && gate_passed == 3, "%d", gate_passed);
    scope_close(&s);
    pool_free(&pool);
}

static void cancel_then_open(void *arg)
{
    struct err err = {0};

    wait_until_reached(1);
    scope_cancel(arg);
    EXPECT(fiber_sleep(2 * MILLISECOND, &err));
    gate_set(true);
}

FIBER_TEST(a_cancelled_fiber_still_waits_for_its_job)
{
    struct err err = {0};
    struct pool *pool = pool_of(1, 3);
    struct scope s;

    REQUIRE(pool);
    gate_close();
    scope_open(&s, fiber_now() + 60 * SECOND);
    EXPECT(fiber_spawn(cancel_then_open, &s, &err));
    EXPECT(pool_run(pool, pass_gate, NULL, &err), "its own result");
    EXPECT(gate_passed == 1);
    EXPECT(!fiber_sleep(1, &err) && err.code == ERR_CANCELLED, "the next wait says it");
    EXPECT(pool_run(pool, pass_gate, NULL, &err), "settling and recording must still be possible");
    scope_close(&s);
    pool_free(&pool);
}

/* ---- batches ---- */

static size_t batches[16];
static int batch_count;

static void run_batch(void *ctx, struct pool_job *first, size_t count)
{
    size_t seen = 0;

    EXPECT(ctx == (void *)batches);
    for (struct pool_job *job = first; job; job = job->next, seen++)
        job->fn(job->arg);
    EXPECT(seen == count);
    batches[batch_count++] = count;
}

FIBER_TEST(a_batch_takes_all_that_queued_up_meanwhile)
{
    static struct adding adding[10];
    struct err err = {0};
    struct scope s;
    struct pool *pool = pool_new(
        &(struct pool_options){
            .name = "batch", .threads = 1, .queue_max = 32, .batch = run_batch, .ctx = batches},
        &err);

    REQUIRE(pool);
    gate_close();
    batch_count = 0;
    EXPECT(pool_submit(pool, pass_gate, NULL, &err));
    wait_until_reached(1);
    scope_open(&s, 0);
    for (int i = 0; i < 10; i++) {
        adding[i] = (struct adding){.pool = pool, .a = i, .b = 1};
        EXPECT(pool_submit(pool, add, &adding[i], &err));
    }
    gate_set(true);
    struct adding last = {.a = 1, .b = 1};
    EXPECT(pool_run(pool, add, &last, &err));
    scope_close(&s);
    pool_free(&pool);
    EXPECT(batches[0] == 1 && batches[1] >= 10, "%zu %zu", batches[0], batches[1]);
    EXPECT(adding[9].sum == 10 && last.sum == 2);
}

/* ---- posts ---- */

enum { POSTERS = 3, POSTS_EACH = 3000 };
static int posts_run; /* by the loop's thread only */

struct posting {
    struct loop *to;
    int number;
    struct event arrived;
};

static struct {
    int last[POSTERS];
} seen;

static void take_post(void *arg)
{
    intptr_t value = (intptr_t)arg;
    int who = (int)(value % POSTERS);

    EXPECT(value / POSTERS > seen.last[who], "posts of one thread keep their order");
    seen.last[who] = (int)(value / POSTERS);
    posts_run++;
}

static void *post_many(void *arg)
{
    struct posting *p = arg;

    for (int i = 1; i <= POSTS_EACH; i++) {
        while (!loop_post(p->to, take_post, (void *)(intptr_t)(i * POSTERS + p->number)))
            usleep(100); /* full: bounded, and says so */
    }
    return NULL;
}

FIBER_TEST(posts_from_threads_become_fibers)
{
    struct err err = {0};
    pthread_t threads[POSTERS];
    struct posting postings[POSTERS];

    posts_run = 0;
    for (int i = 0; i < POSTERS; i++) {
        seen.last[i] = 0;
        postings[i] = (struct posting){.to = loop_self(), .number = i};
        EXPECT(pthread_create(&threads[i], NULL, post_many, &postings[i]) == 0);
    }
    while (posts_run < POSTERS * POSTS_EACH)
        EXPECT(fiber_sleep(MILLISECOND, &err));
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
}

static void set_event(void *arg)
{
    event_set(arg);
}

static void *post_one(void *arg)
{
    struct posting *p = arg;

    (void)!loop_post(p->to, set_event, &p->arrived);
    return NULL;
}

FIBER_TEST(a_post_wakes_a_sleeping_loop)
{
    for (int i = 0; i < 20; i++) {
        struct err err = {0};
        struct posting posting = {.to = loop_self()};
        pthread_t thread;

        EXPECT(pthread_create(&thread, NULL, post_one, &posting) == 0);
        EXPECT(event_wait(&posting.arrived, &err)); /* no timer: only the post ends it */
        pthread_join(thread, NULL);
    }
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void fill_own_mail(void *arg)
{
    int *fits = arg;

    while (loop_post(loop_self(), do_nothing, NULL) && *fits < 100000)
        ++*fits;
}

TEST(the_mail_of_a_loop_is_bounded)
{
    struct err err = {0};
    struct loop_options options = {.fibers_max = 8}; /* and waits for free fibers */
    struct loop *loop = loop_new(&options, &err);
    int fits = 0;

    REQUIRE(loop);
    loop_run(loop, fill_own_mail, &fits);
    EXPECT(fits == 4096, "%d", fits);
    EXPECT(loop_stats(loop).fibers_peak <= 8 && loop_stats(loop).turns > 500);
    loop_free(&loop);
}

/* ---- faults ---- */

#ifdef WEIR_FAULT
FIBER_TEST(a_pool_that_cannot_start_leaves_nothing)
{
    for (uint64_t nth = 1; fault_arm(nth); nth++) {
        struct err err = {0};
        struct adding x = {.a = 1, .b = 1};
        struct pool *pool =
            pool_new(&(struct pool_options){.name = "faulty", .threads = 3, .queue_max = 4}, &err);

        EXPECT(pool || err.code == ERR_UNAVAILABLE || err.code == ERR_EXHAUSTED, "%s", err.text);
        if (pool && !pool_run(pool, add, &x, &err))
            EXPECT(err.code == ERR_EXHAUSTED, "%s", err.text);
        pool_free(&pool);
    }
    fault_disarm();
}
#endif
