/* sys/mutex.h: for the few things that loops and pool threads share and that take longer than a spin:
 * an append to the audit log, a transaction. Never held across a suspension; not recursive.
 * Threads  any.  Errors  none: misuse is an assertion. */
#ifndef WEIR_SYS_MUTEX_H
#define WEIR_SYS_MUTEX_H

#include <pthread.h>

#include "base/base.h"

struct mutex {
    pthread_mutex_t inside;
};

static inline void mutex_init(struct mutex *m)
{
    ASSERT(pthread_mutex_init(&m->inside, NULL) == 0);
}

static inline void mutex_lock(struct mutex *m)
{
    ASSERT(pthread_mutex_lock(&m->inside) == 0);
}

static inline void mutex_unlock(struct mutex *m)
{
    ASSERT(pthread_mutex_unlock(&m->inside) == 0);
}

/* Nobody holds it any more. */
static inline void mutex_done(struct mutex *m)
{
    ASSERT(pthread_mutex_destroy(&m->inside) == 0);
}

/* Waiting for what another thread does under the same mutex: in a loop that asks whether it is done. */
struct condition {
    pthread_cond_t inside;
};

static inline void condition_init(struct condition *c)
{
    ASSERT(pthread_cond_init(&c->inside, NULL) == 0);
}

static inline void condition_wait(struct condition *c, struct mutex *held)
{
    ASSERT(pthread_cond_wait(&c->inside, &held->inside) == 0);
}

static inline void condition_wake(struct condition *c) /* all who wait */
{
    ASSERT(pthread_cond_broadcast(&c->inside) == 0);
}

static inline void condition_done(struct condition *c)
{
    ASSERT(pthread_cond_destroy(&c->inside) == 0);
}

#endif
