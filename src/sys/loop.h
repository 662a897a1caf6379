/* sys/loop.h: one event loop per thread. Harvest first, run later: readiness only marks fibers as
 * runnable; no fiber runs while the batch is read. A turn runs what was ready at its start, then
 * polls again.
 * Two bodies: loop.c on epoll, loop_sim.c on a virtual clock; a program links one of them.
 * Batching  while more than batch_streams sockets are being waited on and work is light, a turn
 *           waits up to batch_window for more events before it runs them: paced token streams then
 *           share one wake-up. Off below the threshold, so a quiet loop adds no delay. */
#ifndef WEIR_SYS_LOOP_H
#define WEIR_SYS_LOOP_H

#include "sys/fiber.h"

struct loop;

struct loop_options {
    uint32_t fibers_max;    /* default 40,000 */
    dur_ns batch_window;    /* default 1 ms; 0 is off */
    uint32_t batch_streams; /* default 64 */
};

struct loop *loop_new(const struct loop_options *options, struct err *err)
    MUST_CHECK; /* NULL: defaults */
/* Run `first` in a fiber of this thread's loop until it and every other fiber has ended, or
 * loop_stop() was called and the rest has ended after being cancelled. */
void loop_run(struct loop *loop, fiber_fn *first, void *arg);
void loop_stop(struct loop *loop);  /* from its own thread: cancels every fiber's outermost scope */
void loop_free(struct loop **loop); /* asserts that nothing is left */
struct loop *loop_self(void);       /* of this thread; NULL if none */

/* Run fn(arg) in a new fiber of another loop; from any thread. The queue is bounded: false when full. */
bool loop_post(struct loop *to, fiber_fn *fn, void *arg) MUST_CHECK;

/* One value per loop and slot: pools of connections, caches, shards. */
int loop_slot_new(void (*free_value)(void *value)); /* once, before loops run */
void *loop_slot(int slot);                          /* this loop's; NULL at first */
void loop_slot_set(int slot, void *value);

struct loop_stats {
    uint32_t fibers, fibers_peak, stacks_pooled;
    uint32_t timers, socks;
    uint64_t turns, events, batched_waits;
};
struct loop_stats loop_stats(const struct loop *loop);

#endif
