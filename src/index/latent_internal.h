/* index/latent_internal.h: passages as sparse rows, and the arithmetic on them. */
#ifndef WEIR_INDEX_LATENT_INTERNAL_H
#define WEIR_INDEX_LATENT_INTERNAL_H

#include "index/latent.h"
#include "index/lexical_internal.h"

/* Rows of (column, value); columns rise within a row. */
struct sparse {
    uint32_t rows, columns;
    uint64_t *begins; /* [rows + 1] */
    uint32_t *column;
    float *value;
};
struct latent_column {
    struct str text; /* as segments have it, led by its field */
    uint32_t passages;
    float weight;
};
/* The rows of one segment, or of all when segment is UINT32_MAX: each `step`th. */
struct sparse_wish {
    const struct lexical_view *view;
    const struct lexical_filter *filter; /* rows of others stay empty; NULL: all */
    const struct latent_column *columns;
    uint32_t column_count, segment, step;
};
bool sparse_make(const struct sparse_wish *wish, struct arena *arena, struct sparse *out,
                 struct err *err) MUST_CHECK;

float latent_times(uint32_t times); /* what a word counts that stands there so often */
/* to += by * from; n is a multiple of 16 */
void latent_add(float *restrict to, const float *restrict from, float by, uint32_t n);
float latent_dot(const float *a, const float *b, size_t n);
void latent_unit(float *v, uint32_t n); /* to length 1; zeros stay */

#endif
