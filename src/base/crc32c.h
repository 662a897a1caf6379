/* base/crc32c.h: the instruction for CRC-32C, where the processor has one.
 * crc32c_eight() takes eight bytes; ask crc32c_is_fast() first. */
#ifndef WEIR_BASE_CRC32C_H
#define WEIR_BASE_CRC32C_H

#include "base/base.h"

#if defined(__x86_64__)
#    include <nmmintrin.h>
static inline bool crc32c_is_fast(void)
{
    return __builtin_cpu_supports("sse4.2");
}
__attribute__((target("sse4.2"))) static inline uint32_t crc32c_eight(uint32_t crc, uint64_t eight)
{
    return (uint32_t)_mm_crc32_u64(crc, eight);
}
#    define CRC32C_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#    include <arm_acle.h>
static inline bool crc32c_is_fast(void)
{
    return true;
}
static inline uint32_t crc32c_eight(uint32_t crc, uint64_t eight)
{
    return __crc32cd(crc, eight);
}
#    define CRC32C_TARGET
#else
static inline bool crc32c_is_fast(void)
{
    return false;
}
static inline uint32_t crc32c_eight(uint32_t crc, uint64_t eight)
{
    (void)eight;
    return crc;
}
#    define CRC32C_TARGET
#endif

#endif
