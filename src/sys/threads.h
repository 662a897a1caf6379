/* sys/threads.h: one loop a thread, and the two things a process needs around them: signals as fibers
 * and a parent that starts the worker again. */
#ifndef WEIR_SYS_THREADS_H
#define WEIR_SYS_THREADS_H

#include "sys/loop.h"

#define LOOPS_MAX 256

int processor_count(void);

/* Run `count` loops until all have ended: loop 0 on the calling thread, the others on their own.
 * first(args[i]) is the first fiber of loop i. */
bool loops_run(int count, const struct loop_options *options, fiber_fn *first, void **args,
               struct err *err) MUST_CHECK;

/* Block SIGTERM, SIGINT, SIGHUP and SIGUSR1 in this thread and all it will start; SIGPIPE is ignored.
 * Once, before other threads. */
void signals_block(void);
/* From now on each of them runs fn((void *)(intptr_t)number) as a fiber of `loop`, until signals_done();
 * a number that the parent process sent has SIGNAL_BY_PARENT added. */
#define SIGNAL_BY_PARENT 0x1000
bool signals_start(struct loop *loop, fiber_fn *fn, struct err *err) MUST_CHECK;
void signals_done(void);

/* again: one before it died. It is a copy of the parent, which knows nothing of what that one has read since. */
typedef int supervised_fn(void *arg, bool again);
/* Run worker(arg) in a child and give back its exit status. A child that dies by a signal it was not
 * sent through us is started again, after a pause that grows from 100 ms to 10 s; SIGTERM, SIGINT,
 * SIGHUP and SIGUSR1 are passed on; when the parent dies, so does the child. */
int supervise(supervised_fn *worker, void *arg);

#endif
