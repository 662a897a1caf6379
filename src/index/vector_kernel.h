/* index/vector_kernel.h: sums of products, by whatever the processor has for it. Internal to index/.
 * All kernels give the same sum, to the bit: of bytes exactly, for -128, too; of floats because all add up in
 * the same order. The reference is the first that a reader should look at and the one that tests hold the
 * others to. */
#ifndef WEIR_INDEX_VECTOR_KERNEL_H
#define WEIR_INDEX_VECTOR_KERNEL_H

#include "base/base.h"

/* count is a multiple of 64, at most 2^16. */
typedef int32_t vector_dot(const int8_t *a, const int8_t *b, size_t count);
/* Of a row's float16 with floats: number i goes into sum i % 8, and those are added up in the end. */
typedef float vector_product(const float *query, const uint16_t *row, uint32_t count);

struct vector_kernel {
    const char *name;
    vector_dot *dot;
    vector_product *product;
};
/* Those that this processor runs, the best first, the reference last. At most VECTOR_KERNELS_MAX. */
#define VECTOR_KERNELS_MAX 4
size_t vector_kernels(struct vector_kernel out[VECTOR_KERNELS_MAX]);
/* The best. A few instructions: ask once a search, not once a row. */
struct vector_kernel vector_kernel_best(void);

float vector_float(uint16_t half); /* a float16 */

/* The eight sums, always in this order. */
static inline float vector_add_lanes(const float sums[8])
{
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) +
           ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}
/* What is left behind the last eight, which begin at `from`. */
static inline float vector_finish(const float *query, const uint16_t *row, uint32_t from,
                                  uint32_t count, float sums[8])
{
    for (uint32_t i = from; i < count; i++) {
        float one = query[i] * vector_float(row[i]); /* a statement of its own: never fused */

        sums[i - from] += one;
    }
    return vector_add_lanes(sums);
}

#endif
