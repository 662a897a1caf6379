/* sys/worker.h: a child that is kept and asked many times, one question at a time. A question and its
 * answer are bytes led by their length. Blocking: for jobs of a pool and for tools, never in a fiber.
 * The child dies with us, and with the thread that started it. Whatever it does, worker_ask() ends in
 * time and says what happened; after a failure, or an answer that came before the question
 * was out, the child is gone and another one must be started.
 * Not available under the simulator (ERR_UNAVAILABLE). */
#ifndef WEIR_SYS_WORKER_H
#define WEIR_SYS_WORKER_H

#include "base/arena.h"

struct worker;

/* argv: NULL-ended, argv[0] an absolute path. The environment is empty. */
bool worker_start(const char *const *argv, struct worker **out, struct err *err) MUST_CHECK;
void worker_stop(struct worker **worker); /* kills it */

struct worker_call {
    const struct str *parts; /* the question, in pieces */
    size_t part_count;
    size_t answer_max;        /* bytes; past it ERR_TOO_LARGE */
    dur_ns cpu_max, wall_max; /* of this question: ERR_TIMEOUT */
};
/* ERR_UNAVAILABLE: the child died; the text says of what: "crashed (signal 11)", "tried to open a
 * file: refused by the sandbox". */
bool worker_ask(struct worker *worker, struct arena *arena, const struct worker_call *call,
                struct str *answer, struct err *err) MUST_CHECK;
bool worker_is_alive(const struct worker *worker);

/* --- in the child, on its standard input and output ------------------------------------------- */

/* The next question; false without an error when there is none any more. */
bool worker_receive(struct arena *arena, size_t bytes_max, struct str *question, struct err *err)
    MUST_CHECK;
bool worker_reply(const struct str *parts, size_t part_count, struct err *err) MUST_CHECK;

#endif
