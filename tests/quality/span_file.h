/* tests/quality/span_file.h: candidates for answer spans on their way from eval.c to train_spans.c, in this
 * machine's byte order: a group for each question, its rows, each followed by its ids. Back comes
 * span_weights[LANGUAGES][SPAN_FOLDS]: those of fold n were not trained on articles whose number is n
 * modulo SPAN_FOLDS. */
#ifndef WEIR_TESTS_QUALITY_SPAN_FILE_H
#define WEIR_TESTS_QUALITY_SPAN_FILE_H

#include "knowledge/span.h"

#define SPAN_FOLDS 5

struct span_group {
    char set[16];
    uint32_t question, article, count, answers;
};
struct span_row {
    uint8_t exact, f1; /* f1 times 255 */
    uint16_t ids;
};

#endif
