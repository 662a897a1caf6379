#include "sys/pool.h"

#include "base/asan.h"
#include "sys/loop_internal.h"
#include "sys/sim_internal.h"

/* A thread of the pool is a promise in the world's heap: after a while take what is queued, run it
 * here and now, wake who waits. Which of the queued jobs comes first is chance, unless it is a batch. */

struct job {
    struct pool_job job; /* first: a batch gets these */
    struct fiber *waiter;
    bool is_done;
};

struct pool {
    struct pool_options options;
    struct pool_job *first, **last;
    uint32_t waiting;
    int busy;
    bool freed;
};

struct pool *pool_new(const struct pool_options *options, struct err *err)
{
    ASSERT(options->threads > 0 && options->queue_max > 0);
    if (FAULT("pool.new")) {
        err_set(err, ERR_UNAVAILABLE, "could not start pool \"%s\"", options->name);
        return NULL;
    }
    struct pool *pool = sim_alloc(sizeof *pool);
    pool->options = *options;
    pool->last = &pool->first;
    return pool;
}

static struct pool_job *take_any(struct pool *pool)
{
    struct pool_job **at = &pool->first;

    for (uint64_t skip = sim_draw(SIM_WORLD, pool->waiting); skip > 0; skip--)
        at = &(*at)->next;
    struct pool_job *taken = *at;
    *at = taken->next;
    if (!taken->next)
        pool->last = at;
    taken->next = NULL;
    pool->waiting--;
    return taken;
}

static struct pool_job *take_all(struct pool *pool)
{
    struct pool_job *taken = pool->first;

    pool->first = NULL;
    pool->last = &pool->first;
    pool->waiting = 0;
    return taken;
}

static void run_jobs(struct pool *pool)
{
    bool is_batch = pool->options.batch != NULL;
    size_t count = is_batch ? pool->waiting : 1;
    struct pool_job *jobs = is_batch ? take_all(pool) : take_any(pool);

    sim_note("pool works", count, pool->waiting);
    if (is_batch)
        pool->options.batch(pool->options.ctx, jobs, count);
    else
        jobs->fn(jobs->arg);
    for (struct pool_job *next; jobs; jobs = next) {
        struct job *job = CONTAINER_OF(jobs, struct job, job);

        next = jobs->next;
        job->is_done = true;
        sim_world()->report.jobs--;
        if (job->waiter)
            fiber_wake(job->waiter);
    }
}

static void start_threads(struct pool *pool);

static void thread_is_ready(void *what, uint64_t unused)
{
    struct pool *pool = what;
    (void)unused;

    if (pool->freed)
        return;
    pool->busy--;
    if (pool->waiting > 0)
        run_jobs(pool);
    start_threads(pool);
}

static void start_threads(struct pool *pool)
{
    while (pool->busy < pool->options.threads && (uint32_t)pool->busy < pool->waiting) {
        dur_ns takes = (dur_ns)sim_between(5 * MICROSECOND, 300 * MICROSECOND);

        if (sim_strikes(SIM_POOL_SLOW, "pool is slow"))
            takes += (dur_ns)sim_spread(MILLISECOND, (uint64_t)sim_world()->opt.stall_max);
        pool->busy++;
        sim_at(sim_world()->now + takes, thread_is_ready, pool, 0);
    }
}

static struct job *enqueue(struct pool *pool, void (*fn)(void *arg), void *arg)
{
    struct job *job = sim_alloc(sizeof *job);
    job->job = (struct pool_job){.fn = fn, .arg = arg};
    *pool->last = &job->job;
    pool->last = &job->job.next;
    pool->waiting++;
    sim_world()->report.jobs++;
    start_threads(pool);
    return job;
}

static struct job *add_job(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err)
{
    bool is_full = pool->waiting >= pool->options.queue_max;

    ASSERT(!pool->freed);
    if (is_full || sim_strikes(SIM_POOL_FULL, "pool is full") || FAULT("pool.full")) {
        err_no_room(err, "pool \"%s\": %u jobs are waiting already", pool->options.name,
                    pool->options.queue_max);
        return NULL;
    }
    return enqueue(pool, fn, arg);
}

static SUSPENDS void await(struct job *job)
{
    job->waiter = fiber_self();
    while (!job->is_done)
        fiber_park_deaf(NULL);
}

SUSPENDS bool pool_run(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err)
{
    ASSERT(fiber_self());
    struct job *job = add_job(pool, fn, arg, err);
    if (job)
        await(job);
    return job != NULL;
}

SUSPENDS void pool_run_always(struct pool *pool, void (*fn)(void *arg), void *arg)
{
    ASSERT(fiber_self() && !pool->freed);
    await(enqueue(pool, fn, arg));
}

bool pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err)
{
    return add_job(pool, fn, arg, err) != NULL;
}

uint32_t pool_waiting(const struct pool *pool)
{
    return pool->waiting;
}

void pool_free(struct pool **pp)
{
    struct pool *pool = *pp;

    if (!pool)
        return;
    while (pool->waiting > 0)
        run_jobs(pool);
    pool->freed = true; /* what is still in the heap finds out */
    *pp = NULL;
}
