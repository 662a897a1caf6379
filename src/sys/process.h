/* sys/process.h: run a child with limits and give back what it wrote.
 * The child gets no open file but the three, a clean environment, its own process group, and dies
 * with us. Over time it is killed with its group. Not available under the simulator (ERR_UNAVAILABLE). */
#ifndef WEIR_SYS_PROCESS_H
#define WEIR_SYS_PROCESS_H

#include "base/arena.h"
#include "sys/fiber.h"

struct process_options {
    const char *const *argv;        /* NULL-ended; argv[0] an absolute path */
    const char *const *environment; /* NULL-ended or NULL for an empty one */
    struct str input;
    size_t output_max;        /* bytes of each stream; past it the child is killed: ERR_TOO_LARGE */
    size_t memory_max;        /* address space; 0: unlimited */
    dur_ns cpu_max, wall_max; /* 0: unlimited; wall also ends with the fiber's scope */
};
struct process_result {
    int status; /* exit status, or -1 */
    int signal; /* that ended it, or 0 */
    struct str output, errors;
};
SUSPENDS bool process_run(struct arena *arena, const struct process_options *options,
                          struct process_result *out, struct err *err) MUST_CHECK;

/* ---- our own standard streams ---- */

/* Those of the three that are closed become /dev/null, so that no file takes their number and is written
 * to as if it were one. First thing in main(). */
void standard_streams_open(void);
/* Some bytes to standard error, waiting for room at most that long: 0 when there was none. An error that
 * waiting cannot mend counts as written: there is nobody to tell. Blocks; not for loops unless 0. */
size_t standard_error_put(struct str bytes, dur_ns patience);
bool standard_error_is_terminal(void); /* somebody watches */

#endif
