/* sys/clock.h: time and randomness. Under the simulator both come from its seed. */
#ifndef WEIR_SYS_CLOCK_H
#define WEIR_SYS_CLOCK_H

#include "base/base.h"

mono_ns clock_mono(void); /* a fresh reading; fibers use fiber_now(), which is read once a turn */
/* Fresh too, and cheaper: within a microsecond of clock_mono(), never before fiber_now() nor before what it said to this
 * thread last. For what is measured many times a request. */
mono_ns clock_fine(void);
wall_ms clock_wall(void);
/* On a pool's thread, where a fiber would fiber_sleep(): the thread rests. In the simulator no time passes. */
void clock_rest(dur_ns how_long);
void clock_random(void *bytes, size_t len); /* from the kernel; dies rather than give weak bytes */

#endif
