/* index/vector_kernel.h: sums of products of bytes, by whatever the processor has for it. Internal to index/.
 * All kernels give the same sum, exactly, for any bytes: -128, too. The reference is the first that a
 * reader should look at and the one that tests hold the others to. */
#ifndef WEIR_INDEX_VECTOR_KERNEL_H
#define WEIR_INDEX_VECTOR_KERNEL_H

#include "base/base.h"

/* count is a multiple of 64, at most 2^16. */
typedef int32_t vector_dot(const int8_t *a, const int8_t *b, size_t count);

struct vector_kernel {
    const char *name;
    vector_dot *dot;
};
/* Those that this processor runs, the best first, the reference last. At most VECTOR_KERNELS_MAX. */
#define VECTOR_KERNELS_MAX 4
size_t vector_kernels(struct vector_kernel out[VECTOR_KERNELS_MAX]);
/* The best. A few instructions: ask once a search, not once a row. */
vector_dot *vector_dot_best(void);

#endif
