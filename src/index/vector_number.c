/* Vectors as numbers: unit length, bytes with a scale, 16-bit floats. */
#include <math.h>
#include <string.h>

#include "index/vector_file.h"

bool vector_field_init(struct vector_field *field, struct str name, uint32_t dim,
                       const uint8_t model[VECTOR_MODEL_BYTES], struct err *err)
{
    if (name.len == 0 || name.len >= VECTOR_NAME_BYTES || memchr(name.ptr, 0, name.len))
        return err_set(err, ERR_INVALID, "a vector field's name has 1 to %d bytes, none of them 0",
                       VECTOR_NAME_BYTES - 1);
    if (dim == 0 || dim > VECTOR_DIM_MAX)
        return err_set(err, ERR_INVALID, "vectors of %u dimensions; possible are 1 to %d", dim,
                       VECTOR_DIM_MAX);
    *field = (struct vector_field){.dim = dim};
    memcpy(field->name, name.ptr, name.len);
    memcpy(field->model, model, sizeof field->model);
    return true;
}

bool vector_field_eq(const struct vector_field *a, const struct vector_field *b)
{
    return a->dim == b->dim && memcmp(a->name, b->name, sizeof a->name) == 0 &&
           memcmp(a->model, b->model, sizeof a->model) == 0;
}

bool vector_is_zero(const float *values, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++)
        if (values[i] != 0.0F)
            return false;
    return true;
}

bool vector_normalise(const float *values, uint32_t dim, float *out)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++) {
        if (!isfinite(values[i]))
            return false;
        sum += (double)values[i] * (double)values[i];
    }
    double scale = sum > 0 ? 1.0 / sqrt(sum) : 0;
    for (uint32_t i = 0; i < dim; i++)
        out[i] = (float)((double)values[i] * scale);
    return true;
}

float vector_quantise(const float *values, uint32_t dim, int8_t *out)
{
    float most = 0;

    for (uint32_t i = 0; i < dim; i++)
        most = fmaxf(most, fabsf(values[i]));
    float inverse = most > 0 ? 127.0F / most : 0;
    for (uint32_t i = 0; i < dim; i++)
        out[i] = (int8_t)lrintf(values[i] * inverse);
    memset(out + dim, 0, vector_stride(dim) - dim);
    return most / 127.0F;
}

/* IEEE 754 binary16, rounded to nearest, ties to even. Values here are at most 1; what is larger than
 * binary16 can say becomes infinite as in hardware. */
uint16_t vector_half(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xFF, fraction = bits & 0x7FFFFF;
    if (exponent == 0xFF)
        return (uint16_t)(sign | 0x7C00 | (fraction ? 0x200 : 0));
    if (exponent > 142)
        return (uint16_t)(sign | 0x7C00);
    if (exponent < 102) /* below half of the smallest */
        return (uint16_t)sign;
    uint32_t shift = exponent < 113 ? 126 - exponent : 13;
    uint32_t whole = fraction | 0x800000;
    uint32_t half = exponent < 113 ? whole >> shift : (exponent - 112) << 10 | fraction >> 13;
    uint32_t rest = whole & ((1U << shift) - 1), middle = 1U << (shift - 1);

    half +=
        rest > middle || (rest == middle && (half & 1)); /* may carry into the exponent: right */
    return (uint16_t)(sign | half);
}

float vector_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1F;
    uint32_t fraction = half & 0x3FF, bits;
    float value;

    if (exponent == 0) {
        value = (float)fraction * 0x1p-24F;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 0x1F ? 0x7F800000U : (exponent + 112) << 23) | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}
