#include "index/vector_kernel.h"

#include "index/vector_kernel_machine.h"

static int32_t dot_reference(const int8_t *a, const int8_t *b, size_t count)
{
    int32_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

size_t vector_kernels(struct vector_kernel out[VECTOR_KERNELS_MAX])
{
    size_t count = machine_kernels(out);

    out[count++] = (struct vector_kernel){"reference", dot_reference};
    return count;
}

vector_dot *vector_dot_best(void)
{
    struct vector_kernel kernels[VECTOR_KERNELS_MAX];

    (void)vector_kernels(kernels);
    return kernels[0].dot;
}
