/* tests/quality/feature_line.h: lines that weir_eval writes for training: set, question, article, 0 or 1 for what is right,
 * then its features. */
#ifndef WEIR_TESTS_QUALITY_FEATURE_LINE_H
#define WEIR_TESTS_QUALITY_FEATURE_LINE_H

#include <stdio.h>

#include "base/base.h"

#define FEATURES_MOST 64

struct feature_line {
    char set[64];
    unsigned question, article;
    bool right;
    float x[FEATURES_MOST];
};
/* The next line that is one; false: there is none. */
bool feature_line_next(FILE *file, size_t features, struct feature_line *out);

#endif
