/* Every kernel that this processor runs gives the reference's sum, for any bytes. */
#include "index/vector_kernel.h"

#include <string.h>

#include "test.h"

#define BYTES_MAX 4096

static int8_t a[BYTES_MAX + 16], b[BYTES_MAX + 16];

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void fill(int8_t *bytes, int value, uint64_t *state)
{
    for (size_t i = 0; i < BYTES_MAX + 16; i++)
        bytes[i] = (int8_t)(value == 1000 ? (int)(next(state) % 256) - 128 : value);
}

/* By definition, and independent of all kernels. */
static int64_t sum_of(const int8_t *left, const int8_t *right, size_t count)
{
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (int64_t)left[i] * right[i];
    return sum;
}

static void compare(const char *what, size_t at)
{
    struct vector_kernel kernels[VECTOR_KERNELS_MAX];
    size_t known = vector_kernels(kernels);

    for (size_t count = 0; count <= BYTES_MAX; count += count < 512 ? 64 : 512)
        for (size_t k = 0; k < known; k++) {
            int32_t got = kernels[k].dot(a + at, b + at, count);

            EXPECT(got == sum_of(a + at, b + at, count), "%s, %s, %zu bytes: %d", kernels[k].name,
                   what, count, got);
        }
}

TEST(kernels_agree)
{
    static const struct {
        const char *name;
        int a, b; /* 1000: random */
    } cases[] = {
        {"zeros", 0, 0},
        {"least by least", -128, -128},
        {"least by most", -128, 127},
        {"most by most", 127, 127},
        {"most by least", 127, -128},
        {"least by random", -128, 1000},
        {"random by most", 1000, 127},
        {"random by random", 1000, 1000},
        {"random again", 1000, 1000},
    };
    uint64_t state = 1;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fill(a, cases[i].a, &state);
        fill(b, cases[i].b, &state);
        compare(cases[i].name, 0);
        compare(cases[i].name, 3 + i); /* wherever the rows begin */
    }
}

TEST(one_value_counts_in_its_place_alone)
{
    struct vector_kernel kernels[VECTOR_KERNELS_MAX];
    size_t known = vector_kernels(kernels);

    memset(a, 0, sizeof a);
    memset(b, 1, sizeof b);
    for (size_t i = 0; i < 192; i++) {
        a[i] = (int8_t)(i % 100 + 1);
        b[i] = -128;
        for (size_t k = 0; k < known; k++)
            EXPECT(kernels[k].dot(a, b, 192) == -128 * a[i], "%s: %zu", kernels[k].name, i);
        a[i] = 0;
        b[i] = 1;
    }
}

TEST(the_reference_is_always_there)
{
    struct vector_kernel kernels[VECTOR_KERNELS_MAX];
    size_t known = vector_kernels(kernels);

    EXPECT(known >= 1 && strcmp(kernels[known - 1].name, "reference") == 0);
    EXPECT(vector_kernel_best().dot == kernels[0].dot);
}

/* To the bit: a score must not depend on the machine. */
TEST(products_of_floats_agree)
{
    static const uint32_t counts[] = {1, 7, 8, 9, 15, 16, 100, 384, 1023, 4096};
    static float query[BYTES_MAX];
    static uint16_t row[BYTES_MAX + 1];
    struct vector_kernel kernels[VECTOR_KERNELS_MAX];
    size_t known = vector_kernels(kernels);
    uint64_t state = 5;

    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < BYTES_MAX; i++) {
            uint16_t half = (uint16_t)next(&state);

            /* the smallest ones, too; infinities and what is no number never get into a row */
            row[i + 1] = (half & 0x7C00) == 0x7C00 ? half & 0x83FF : half;
            query[i] = (float)(int)(next(&state) % 2001 - 1000) * (round % 2 ? 1e-3F : 1e-30F);
        }
        for (size_t c = 0; c < ARRAY_LEN(counts); c++)
            for (size_t k = 0; k < known; k++) {
                const uint16_t *from = row + (round % 3 == 0);
                float got = kernels[k].product(query, from, counts[c]);
                float want = kernels[known - 1].product(query, from, counts[c]);

                EXPECT(memcmp(&got, &want, sizeof got) == 0, "%s, %u: %a and %a", kernels[k].name,
                       counts[c], (double)got, (double)want);
            }
    }
}

TEST(a_product_of_floats_is_the_sum)
{
    float query[19];
    uint16_t row[19];
    double sum = 0;

    for (int i = 0; i < 19; i++) {
        query[i] = (float)(i - 9) / 16;
        row[i] = (uint16_t)(0x3000 + i * 77);
        sum += (double)query[i] * (double)vector_float(row[i]);
    }
    double got = (double)vector_kernel_best().product(query, row, 19);
    EXPECT(got - sum < 1e-6 && sum - got < 1e-6, "%f, %f", got, sum);
}
