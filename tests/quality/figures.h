/* tests/quality/figures.h: what was measured, with the best baseline beside it and a verdict.
 * A figure is a share from 0 to 1: of a set, by a measure, in a table. Tables, sets and measures are shown in
 * the order in which they were first named. */
#ifndef WEIR_TESTS_QUALITY_FIGURES_H
#define WEIR_TESTS_QUALITY_FIGURES_H

#include <stdio.h>

#include "base/arena.h"

struct figure {
    const char *table, *measure; /* constants */
    struct str set;
    uint32_t count; /* of questions */
    double value;
};
#define FIGURES_MAX 400

struct figures {
    struct figure at[FIGURES_MAX];
    size_t count;
};
void figures_add(struct figures *to, struct figure figure); /* ASSERTs that there is room */
/* Below 0: nobody published or measured one. Those of our own comparison before this code are the best of
 * every method that was tried, not of one of them. */
double baseline_of(const struct figure *figure);
/* '>' above the baseline, '=' at it (what rounds to the same three digits), '<' below, ' ' there is none. */
char figure_verdict(const struct figure *figure);

void figures_print(const struct figures *figures, FILE *to); /* Markdown, a table each */
void figures_write(const struct figures *figures, FILE *to); /* tab-separated, a line each */

#endif
