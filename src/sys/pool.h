/* sys/pool.h: threads for what blocks: files, SQL, names, parsing. A fiber hands a job in and is
 * parked until it is done, so the job's arguments may live on its stack; the wait does not end early
 * on cancel. Jobs touch no loop state and may not suspend.
 * Batches  with `batch` set, one thread takes everything that queued up while it worked and gets it
 *          as one call: group commit that clocks itself.
 * Limits   jobs waiting: queue_max; past it ERR_EXHAUSTED at once, never an unbounded wait.
 * Simulator  jobs run on the loop's thread, in seeded order, after a virtual delay. */
#ifndef WEIR_SYS_POOL_H
#define WEIR_SYS_POOL_H

#include "sys/fiber.h"

struct pool;
struct pool_job {
    void (*fn)(void *arg);
    void *arg;
    struct pool_job *next; /* the batch as a list */
    void *done;            /* the pool's */
};

struct pool_options {
    const char *name; /* thread name, metric label */
    int threads;      /* 1 when batch is set */
    uint32_t queue_max;
    /* NULL: each job's fn(arg) is called. Else the batch runs them itself, in order. */
    void (*batch)(void *ctx, struct pool_job *first, size_t count);
    void *ctx;
};

struct pool *pool_new(const struct pool_options *options, struct err *err) MUST_CHECK;
SUSPENDS bool pool_run(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err)
    MUST_CHECK;
/* Never refused, however many wait: for the next step of work that its caller bounds, and that has to come to
 * its end because it holds something. */
SUSPENDS void pool_run_always(struct pool *pool, void (*fn)(void *arg), void *arg);
/* Nobody waits: fn(arg) some time later. For flushes. Works from any thread. */
bool pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg, struct err *err) MUST_CHECK;
uint32_t pool_waiting(const struct pool *pool);
void pool_free(struct pool **pool); /* finishes what is queued, then joins */

#endif
