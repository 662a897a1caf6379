#include "sys/fiber.h"
#include "sys/loop_internal.h"

bool event_wait(struct event *e, struct err *err)
{
    if (e->set)
        return fiber_still_wanted(err);
    return fiber_park(&e->waiters, err);
}

void event_await(struct event *e)
{
    while (!e->set)
        fiber_park_deaf(&e->waiters);
}

void event_set(struct event *e)
{
    e->set = true;
    fiber_wake_all(&e->waiters);
}

void event_pulse(struct event *e)
{
    fiber_wake_all(&e->waiters);
}

void event_clear(struct event *e)
{
    e->set = false;
}

bool semaphore_take(struct semaphore *s, struct err *err)
{
    if (s->free > 0 && !s->waiters) {
        if (!fiber_still_wanted(err))
            return false;
        s->free--;
        return true;
    }
    return fiber_park(&s->waiters, err);
}

/* Handed over while still in the ring: nobody who comes later can take it first, and one who was
 * cancelled has left the ring already. */
void semaphore_give(struct semaphore *s)
{
    if (s->waiters)
        fiber_wake(s->waiters);
    else
        s->free++;
}
