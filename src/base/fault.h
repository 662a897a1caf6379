/* base/fault.h: count fallible points, fail the nth.
 *   for (nth = 1; fault_arm(nth); nth++) { run a request; check that the books balance; }
 * or, where what comes before and after must not fail:
 *   for (nth = 1, failed = ""; failed; nth++) { set up; fault_begin(nth); work; failed = fault_end(); check; }
 * A fallible function asks `if (FAULT("file.write")) return err_sys(...)`. Empty in release builds
 * (WEIR_FAULT undefined).  The simulator arms by probability with its own seed instead.
 * Threads  one; tests only. */
#ifndef WEIR_BASE_FAULT_H
#define WEIR_BASE_FAULT_H

#include "base/base.h"

#ifdef WEIR_FAULT
#    define FAULT(point) UNLIKELY(fault_hit(point))
#else
#    define FAULT(point) false
#endif

/* Arm the nth point from now on. False when the last armed run ended without reaching its point:
 * then every point has been failed once. fault_arm(1) always begins anew and returns true. */
bool fault_arm(uint64_t nth);
void fault_disarm(void);
/* The nth point fails until fault_end(), which gives its name; NULL: fewer points were passed. */
void fault_begin(uint64_t nth);
const char *fault_end(void);
/* Ask this for each point instead of counting; NULL to count again. */
void fault_decide(bool (*decide)(void *ctx, const char *point), void *ctx);
bool fault_hit(const char *point);
const char *fault_last(void); /* the point that failed last, or NULL */

#endif
