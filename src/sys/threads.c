#include "sys/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/pages.h"

struct loop_thread {
    pthread_t thread;
    struct loop *loop;
    fiber_fn *first;
    void *arg;
};

int processor_count(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    return (int)MAX_OF(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

static void run_and_free(struct loop_thread *t)
{
    loop_run(t->loop, t->first, t->arg);
    loop_free(&t->loop);
    metrics_thread_done();
    pages_thread_done();
}

static void *thread_main(void *arg)
{
    run_and_free(arg);
    return NULL;
}

static bool make_loops(struct loop_thread *threads, int count, const struct loop_options *options,
                       struct err *err)
{
    for (int i = 0; i < count; i++) {
        threads[i].loop = loop_new(options, err);
        if (threads[i].loop)
            continue;
        while (i-- > 0)
            loop_free(&threads[i].loop);
        return false;
    }
    return true;
}

bool loops_run(int count, const struct loop_options *options, fiber_fn *first, void **args,
               struct err *err)
{
    static struct loop_thread threads[LOOPS_MAX]; /* one set of loops a process */

    ASSERT(count >= 1 && count <= LOOPS_MAX && !threads[0].loop);
    if (!make_loops(threads, count, options, err))
        return false;
    for (int i = 0; i < count; i++) {
        threads[i].first = first;
        threads[i].arg = args[i];
    }
    for (int i = 1; i < count; i++) {
        int failed = pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]);

        /* Threads before this one serve already: there is no way back, and at start no loss either. */
        if (failed) {
            fprintf(stderr, "weir: could not start thread %d: error %d\n", i, failed);
            _exit(70);
        }
    }
    run_and_free(&threads[0]);
    for (int i = 1; i < count; i++)
        pthread_join(threads[i].thread, NULL);
    return true;
}
