/* tests/quality/rgb.h: RGB's questions of news: five documents each, of which a share only seems to answer. */
#ifndef WEIR_TESTS_QUALITY_RGB_H
#define WEIR_TESTS_QUALITY_RGB_H

#include <stdio.h>

#include "figures.h"
#include "sets.h"

struct noisy_eval {
    const struct access *access;
    struct analyser *analyser;
    struct arena *scratch;
    const struct span_weights *weights; /* or NULL */
    struct knowledge *knowledge;
    struct figures *figures;
    struct str set;
    FILE *misses; /* or NULL */
};
/* Adds to the figures. */
bool noisy_run(const struct noisy_eval *e, const struct noisy_question *questions, size_t count,
               struct err *err);

#endif
