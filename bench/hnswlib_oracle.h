/* bench/hnswlib_oracle.h: hnswlib behind functions of C, for micro_vectors alone. */
#ifndef WEIR_BENCH_HNSWLIB_ORACLE_H
#define WEIR_BENCH_HNSWLIB_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct oracle;
struct oracle *oracle_new(size_t dim, size_t vectors, size_t links, size_t effort);
void oracle_add(struct oracle *oracle, const float *vector, size_t number);
/* The numbers of the nearest by inner product, nearest first; how many. */
size_t oracle_find(struct oracle *oracle, const float *vector, size_t limit, size_t effort,
                   uint64_t *out);
size_t oracle_bytes(const struct oracle *oracle);
void oracle_free(struct oracle *oracle);

#ifdef __cplusplus
}
#endif

#endif
