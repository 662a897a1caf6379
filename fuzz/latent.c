/* Any bytes as a learned model: refused with a reason, or texts are folded into it without looking outside, and
 * a vector's length is 1 or 0. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "index/latent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"car", "engin", "a", "水损"};
    struct term at[ARRAY_LEN(words)] = {{{0}}};
    struct terms terms = {.at = at, .count = ARRAY_LEN(words)};
    float v[LATENT_DIMENSIONS_MAX], sum = 0;
    struct latent model;
    struct err err = {0};

    if (!latent_read((struct str){(const char *)data, size}, &model, &err)) {
        ASSERT(err.code == ERR_UNAVAILABLE && err.text[0]);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        at[i] = (struct term){.text = str_from(words[i]), .field = TERM_WORD};
    (void)latent_vector(&model, &terms, v);
    for (uint32_t i = 0; i < model.dimensions; i++)
        sum += v[i] * v[i];
    /* Weights that are no numbers give vectors that are none: the index refuses those. */
    ASSERT(!isfinite(sum) || sum == 0 || fabsf(sum - 1) < 0.01f || sum < 1);
    return 0;
}
