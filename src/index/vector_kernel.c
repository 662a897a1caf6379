#include "index/vector_kernel.h"

#include "index/vector_kernel_machine.h"

static int32_t dot_reference(const int8_t *a, const int8_t *b, size_t count)
{
    int32_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static float product_reference(const float *query, const uint16_t *row, uint32_t count)
{
    float sums[8] = {0};
    uint32_t i = 0;

    for (; i + 8 <= count; i += 8)
        for (uint32_t lane = 0; lane < 8; lane++) {
            float one = query[i + lane] * vector_float(row[i + lane]);

            sums[lane] += one;
        }
    return vector_finish(query, row, i, count, sums);
}

size_t vector_kernels(struct vector_kernel out[VECTOR_KERNELS_MAX])
{
    size_t count = machine_kernels(out);

    out[count++] = (struct vector_kernel){"reference", dot_reference, product_reference};
    return count;
}

struct vector_kernel vector_kernel_best(void)
{
    struct vector_kernel kernels[VECTOR_KERNELS_MAX];

    (void)vector_kernels(kernels);
    return kernels[0];
}
