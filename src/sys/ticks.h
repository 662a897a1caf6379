/* sys/ticks.h: the processor's own counter, which costs a third of a look at the kernel's clock. Internal to sys; where there
 * is none that is worth it, it is not asked: HAVE_TICKS. */
#ifndef WEIR_SYS_TICKS_H
#define WEIR_SYS_TICKS_H

#include <stdint.h>

#if defined(__x86_64__)
#    include <x86intrin.h>
#    define HAVE_TICKS 1
static inline uint64_t ticks_read(void)
{
    return __rdtsc();
}
#else
#    define HAVE_TICKS 0
static inline uint64_t ticks_read(void)
{
    return 0;
}
#endif

#endif
