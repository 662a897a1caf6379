/* sys/sandbox.h: give up every right but to compute, for good: for a process that reads strangers' bytes.
 * What is left  reading descriptor 0, writing 1 and 2, memory within the limit, the clock, ending.
 * What is gone  files, network, processes, threads, signals to others, code made at run time: whoever
 *               tries is ended, with a line on standard error that says what was tried.
 * Limits        memory beyond what is in use now, processor seconds of the whole life.
 * Needs         Linux 3.17 (seccomp filters) on x86-64 or aarch64; no privileges, root or not.
 * Before        touch what is loaded on first use (locales, tables): afterwards nothing can be opened. */
#ifndef WEIR_SYS_SANDBOX_H
#define WEIR_SYS_SANDBOX_H

#include "base/err.h"

struct sandbox_limits {
    size_t memory_max; /* address space */
    dur_ns cpu_max;    /* rounded up to seconds; past it the kernel ends the process */
};
/* false: the kernel has no such filters (ERR_UNAVAILABLE); the limits hold even then. */
bool sandbox_enter(const struct sandbox_limits *limits, struct err *err) MUST_CHECK;
/* Would it succeed? Asks the kernel and changes nothing. */
bool sandbox_is_possible(struct err *err) MUST_CHECK;

#define SANDBOX_EXIT  88          /* exit status of one who tried */
#define SANDBOX_WORDS "sandbox: " /* what its line on standard error begins with */

#endif
