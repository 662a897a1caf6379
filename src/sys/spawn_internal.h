/* sys/spawn_internal.h: vfork and exec, for process.c and worker.c. */
#ifndef WEIR_SYS_SPAWN_INTERNAL_H
#define WEIR_SYS_SPAWN_INTERNAL_H

#include <sys/types.h>

#include "base/base.h"

enum { SPAWN_IN, SPAWN_OUT, SPAWN_ERRORS, SPAWN_STREAMS };

struct spawn {
    const char *const *argv;        /* NULL-ended; argv[0] an absolute path */
    const char *const *environment; /* NULL-ended or NULL for an empty one */
    int ends[SPAWN_STREAMS];        /* become the child's three; stay open here */
    size_t memory_max;              /* address space; 0: unlimited */
    dur_ns cpu_max;                 /* 0: unlimited */
};
/* The child has the three and no other descriptor, its own process group, no way to new privileges, and
 * dies with the calling thread. 0 and the child's number, or an errno. */
int spawn_child(const struct spawn *spawn, pid_t *pid) MUST_CHECK;

/* So that no end is itself one of the three: moved up; -1 stays. */
int spawn_raise_above_the_three(int fd) MUST_CHECK;

#endif
