/* index/vector_kernel_machine.h: the kernels that need a processor's own instructions, for
 * vector_kernel.c alone. */
#ifndef WEIR_INDEX_VECTOR_KERNEL_MACHINE_H
#define WEIR_INDEX_VECTOR_KERNEL_MACHINE_H

#include "index/vector_kernel.h"

#if defined(__x86_64__)
#    include <cpuid.h>
#    include <immintrin.h>

#    define VNNI_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#    define AVX2_TARGET __attribute__((target("avx2")))
#    define F16C_TARGET __attribute__((target("avx,f16c")))

/* Four products of 16 bits at a time are added up in 32 bits: VPDPWSSD, 32 bytes a step. */
VNNI_TARGET static inline __m512i vnni_step(__m512i sum, const int8_t *a, const int8_t *b)
{
    __m512i wide_a = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)a));
    __m512i wide_b = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)b));

    return _mm512_dpwssd_epi32(sum, wide_a, wide_b);
}

VNNI_TARGET static int32_t dot_vnni(const int8_t *a, const int8_t *b, size_t count)
{
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();

    for (size_t i = 0; i < count; i += 64) {
        even = vnni_step(even, a + i, b + i);
        odd = vnni_step(odd, a + i + 32, b + i + 32);
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

/* Widened to 16 bits first: VPMADDUBSW on bytes would saturate. */
AVX2_TARGET static inline __m256i avx2_step(__m256i sum, const int8_t *a, const int8_t *b)
{
    __m256i wide_a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)a));
    __m256i wide_b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)b));

    return _mm256_add_epi32(sum, _mm256_madd_epi16(wide_a, wide_b));
}

AVX2_TARGET static int32_t dot_avx2(const int8_t *a, const int8_t *b, size_t count)
{
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();

    for (size_t i = 0; i < count; i += 32) {
        even = avx2_step(even, a + i, b + i);
        odd = avx2_step(odd, a + i + 16, b + i + 16);
    }
    __m256i all = _mm256_add_epi32(even, odd);
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, _MM_SHUFFLE(1, 0, 3, 2)));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(half);
}

/* No fused multiplication: it would round once where the reference rounds twice. */
F16C_TARGET static float product_f16c(const float *query, const uint16_t *row, uint32_t count)
{
    __m256 all = _mm256_setzero_ps();
    float sums[8];
    uint32_t i = 0;

    for (; i + 8 <= count; i += 8)
        all = _mm256_add_ps(
            all, _mm256_mul_ps(_mm256_loadu_ps(query + i),
                               _mm256_cvtph_ps(_mm_loadu_si128((const void *)(row + i)))));
    _mm256_storeu_ps(sums, all);
    return vector_finish(query, row, i, count, sums);
}

static inline bool has_f16c(void)
{
    unsigned int a, b, c = 0, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static inline size_t machine_kernels(struct vector_kernel *out)
{
    size_t count = 0;

    if (!__builtin_cpu_supports("avx2") || !has_f16c())
        return 0;
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        out[count++] = (struct vector_kernel){"avx512vnni", dot_vnni, product_f16c};
    out[count++] = (struct vector_kernel){"avx2", dot_avx2, product_f16c};
    return count;
}

#elif defined(__aarch64__)
#    include <arm_neon.h>

/* A product of two bytes fits 16 bits, the sum of two pairs 32. */
static int32_t dot_neon(const int8_t *a, const int8_t *b, size_t count)
{
    int32x4_t low = vdupq_n_s32(0), high = vdupq_n_s32(0);

    for (size_t i = 0; i < count; i += 16) {
        int8x16_t left = vld1q_s8(a + i), right = vld1q_s8(b + i);

        low = vpadalq_s16(low, vmull_s8(vget_low_s8(left), vget_low_s8(right)));
        high = vpadalq_s16(high, vmull_high_s8(left, right));
    }
    return vaddvq_s32(vaddq_s32(low, high));
}

static inline float32x4_t four_floats(const uint16_t *row)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(row)));
}

static float product_neon(const float *query, const uint16_t *row, uint32_t count)
{
    float32x4_t low = vdupq_n_f32(0), high = vdupq_n_f32(0);
    float sums[8];
    uint32_t i = 0;

    for (; i + 8 <= count; i += 8) {
        float32x4_t one = vmulq_f32(vld1q_f32(query + i), four_floats(row + i));
        float32x4_t other = vmulq_f32(vld1q_f32(query + i + 4), four_floats(row + i + 4));

        low = vaddq_f32(low, one);
        high = vaddq_f32(high, other);
    }
    vst1q_f32(sums, low);
    vst1q_f32(sums + 4, high);
    return vector_finish(query, row, i, count, sums);
}

static inline size_t machine_kernels(struct vector_kernel *out)
{
    out[0] = (struct vector_kernel){"neon", dot_neon, product_neon};
    return 1;
}

#else
static inline size_t machine_kernels(struct vector_kernel *out)
{
    (void)out;
    return 0;
}
#endif

#endif
