/* app/log_queue.h: log lines on their way to standard error, gathered so that a request pays for a copy and
 * not for a system call.
 *   Order     kept. Errors and warnings are written at once, with everything before them, where standard
 *             error takes them; the rest each LOG_QUEUE_EVERY, or sooner when they come fast.
 *   Limits    LOG_QUEUE_BYTES. While nobody takes standard error, lines beyond it are dropped, and a
 *             line behind those that fitted says how many.
 *   Waiting   only the pool's thread waits for a full pipe, and never for long: requests do not, and a
 *             stop goes on after a second.
 *   Crash     kill -9 loses at most the last LOG_QUEUE_EVERY of lines; what happened stands in the audit log.
 * Threads  any; the lock is inside. */
#ifndef WEIR_APP_LOG_QUEUE_H
#define WEIR_APP_LOG_QUEUE_H

#include "base/log.h"
#include "sys/pool.h"

#define LOG_QUEUE_BYTES MIB
#define LOG_QUEUE_EVERY (100 * MILLISECOND)

bool log_queue_start(struct err *err) MUST_CHECK; /* becomes the sink of base/log */
SUSPENDS void log_queue_loop(
    void *pool);           /* a fiber: writes what is queued, in the pool, until cancelled */
void log_queue_stop(void); /* writes the rest; lines go straight to standard error again */
/* Line by line: for the parent process, which must start the worker again also when nobody reads. */
void log_without_queue(void);

#endif
