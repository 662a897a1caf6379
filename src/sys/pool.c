#include "sys/pool.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "base/fault.h"
#include "base/pages.h"
#include "sys/loop_internal.h"

#define THREADS_MAX 256

/* What pool_job.done points to while a fiber waits. It lives on the fiber's stack. */
struct waiting {
    struct pool_job job;
    struct remote_wake wake;
    struct loop *loop;
};

struct pool {
    struct pool_options options;
    size_t bytes;
    /* Posted once for each thread that is taken from `idle`. Not a condition variable: those of glibc before 2.41
     * can lose a wake-up where several threads wait (its bug 25847). */
    sem_t work;
    pthread_mutex_t lock; /* guards all below */
    struct pool_job *first, **end;
    atomic_uint queued;
    struct pool_job *spare; /* for jobs that nobody waits for, those being run included */
    int idle;               /* threads that wait for a post, or are about to */
    int started;
    bool ending;
    pthread_t threads[THREADS_MAX];
    struct pool_job spares[];
};

/* ---- threads ---- */

/* With the lock held: one job, or all of them for a batch; NULL at the end. */
static struct pool_job *take_work(struct pool *pool, uint32_t *count)
{
    while (!pool->first && !pool->ending) {
        pool->idle++;
        pthread_mutex_unlock(&pool->lock);
        while (sem_wait(&pool->work) != 0) /* a signal's handler ran */
            ;
        pthread_mutex_lock(&pool->lock);
    }
    struct pool_job *taken = pool->first;

    if (!taken)
        return NULL;
    *count = pool->options.batch ? pool->queued : 1;
    struct pool_job **rest = pool->options.batch ? pool->end : &taken->next;
    pool->first = *rest;
    *rest = NULL;
    if (!pool->first)
        pool->end = &pool->first;
    pool->queued -= *count;
    return taken;
}

/* With the lock held. */
static void wake_one(struct pool *pool)
{
    if (pool->idle > 0) {
        pool->idle--;
        sem_post(&pool->work);
    }
}

/* After the wake the job may be gone: its fiber goes on. */
static void finish(struct pool *pool, struct pool_job *jobs)
{
    for (struct pool_job *next; jobs; jobs = next) {
        struct waiting *w = jobs->done;

        next = jobs->next;
        if (w) {
            loop_wake_remote(w->loop, &w->wake);
            continue;
        }
        pthread_mutex_lock(&pool->lock);
        jobs->next = pool->spare;
        pool->spare = jobs;
        pthread_mutex_unlock(&pool->lock);
    }
}

static void *thread_main(void *arg)
{
    struct pool *pool = arg;

    for (;;) {
        uint32_t count = 0;

        pthread_mutex_lock(&pool->lock);
        struct pool_job *jobs = take_work(pool, &count);
        pthread_mutex_unlock(&pool->lock);
        if (!jobs)
            break;
        if (pool->options.batch)
            pool->options.batch(pool->options.ctx, jobs, count);
        else
            jobs->fn(jobs->arg);
        finish(pool, jobs);
    }
    pages_thread_done();
    return NULL;
}

static bool start_thread(struct pool *pool, struct err *err)
{
    sigset_t all, old;
    char name[16] = {0};
    pthread_t *thread = &pool->threads[pool->started];

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the threads that want them */
    int failed = FAULT("pool.new") ? EAGAIN : pthread_create(thread, NULL, thread_main, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        return err_sys(err, ERR_UNAVAILABLE, failed, "could not start pool \"%s\"",
                       pool->options.name);
    memcpy(name, pool->options.name, strnlen(pool->options.name, sizeof name - 1));
    pthread_setname_np(*thread, name);
    pool->started++;
    return true;
}

/* A full queue, and what the threads have taken from it before. */
static size_t spares_for(const struct pool_options *o)
{
    return o->queue_max + (o->batch ? (size_t)o->queue_max : (size_t)o->threads);
}

struct pool *pool_new(const struct pool_options *options, struct err *err)
{
    size_t spares = spares_for(options),
           used = sizeof(struct pool) + spares * sizeof(struct pool_job);
    size_t bytes = 0;
    struct pool *pool CLEANUP(pool_free) = NULL;

    ASSERT(options->threads > 0 && options->threads <= THREADS_MAX && options->queue_max > 0);
    ASSERT(!options->batch || options->threads == 1);
    pool = pages_take(used, &bytes);
    if (!pool) {
        err_no_room(err, "no memory for pool \"%s\"", options->name);
        return NULL;
    }
    memset(pool, 0, used);
    pool->options = *options;
    pool->bytes = bytes;
    pool->end = &pool->first;
    for (size_t i = 0; i < spares; i++) {
        pool->spares[i].next = pool->spare;
        pool->spare = &pool->spares[i];
    }
    pthread_mutex_init(&pool->lock, NULL);
    sem_init(&pool->work, 0, 0);
    while (pool->started < options->threads) {
        if (!start_thread(pool, err))
            return NULL;
    }
    struct pool *made = pool;

    pool = NULL;
    return made;
}

void pool_free(struct pool **p)
{
    struct pool *pool = *p;

    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    while (pool->idle > 0)
        wake_one(pool);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->threads[i], NULL);
    ASSERT(!pool->first);
    sem_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    pages_give(pool, pool->bytes);
    *p = NULL;
}

/* ---- callers ---- */

/* With the lock held. */
static void enqueue(struct pool *pool, struct pool_job *job)
{
    job->next = NULL;
    *pool->end = job;
    pool->end = &job->next;
    pool->queued++;
    wake_one(pool);
}

static bool is_full(struct pool *pool)
{
    return pool->queued >= pool->options.queue_max || FAULT("pool.full");
}

static bool say_full(const struct pool *pool, struct err *err)
{
    return err_no_room(err, "pool \"%s\": %" PRIu32 " jobs are waiting already", pool->options.name,
                       pool->options.queue_max);
}

/* The job stands on the fiber's stack, so the queue has room for it in any case. */
static bool run_and_wait(struct pool *pool, void (*fn)(void *arg), void *arg, bool always)
{
    struct waiting w = {.job = {.fn = fn, .arg = arg, .done = &w},
                        .wake = {.fiber = fiber_self()},
                        .loop = loop_current()};

    ASSERT(w.wake.fiber);
    pthread_mutex_lock(&pool->lock);
    bool full = !always && is_full(pool);
    if (!full)
        enqueue(pool, &w.job);
    pthread_mutex_unlock(&pool->lock);
    if (full)
        return false;
    fiber_park_deaf(NULL); /* the wake comes by the loop's mail, so never before this */
    return true;
}

bool pool_run(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err)
{
    return run_and_wait(pool, fn, arg, false) || say_full(pool, err);
}

void pool_run_always(struct pool *pool, void (*fn)(void *arg), void *arg)
{
    bool ran = run_and_wait(pool, fn, arg, true);

    ASSERT(ran);
}

bool pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_job *job = is_full(pool) ? NULL : pool->spare;

    if (job) {
        pool->spare = job->next;
        *job = (struct pool_job){.fn = fn, .arg = arg};
        enqueue(pool, job);
    }
    pthread_mutex_unlock(&pool->lock);
    return job ? true : say_full(pool, err);
}

uint32_t pool_waiting(const struct pool *pool)
{
    return pool->queued;
}
