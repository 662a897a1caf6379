/* index/vector_file.h: one immutable file with the vectors that a segment's passages have in one field.
 * Internal to index/.
 *
 *   header     "WEIRVEC1", version, counts, the field, the CRC of the segment's header, section table, CRC of all that
 *   PASSAGE    for each row the number of its passage in the segment, rising
 *   SCALE      for each row what its bytes are multiplied by, float32
 *   ROWS       for each row dim int8, zeros up to the next multiple of 64
 *   ORIGINALS  for each row dim float16: cold, read for the few best
 *   GRAPH      index/vector_graph.h, or nothing
 * Little endian; sections begin at multiples of 64 and carry a CRC-32C each. What the bytes are is decided by
 * the passages, the vectors and their order alone. */
#ifndef WEIR_INDEX_VECTOR_FILE_H
#define WEIR_INDEX_VECTOR_FILE_H

#include <assert.h>

#include "base/buf.h"
#include "index/segment.h"
#include "index/vector.h"
#include "index/vector_kernel.h"

#define VECTOR_MAGIC   "WEIRVEC1"
#define VECTOR_VERSION 1u
#define VECTOR_ALIGN   64u

enum vector_section {
    VECTOR_PASSAGE,
    VECTOR_SCALE,
    VECTOR_ROWS,
    VECTOR_ORIGINALS,
    VECTOR_GRAPH,
    VECTOR_SECTIONS
};

struct vector_header {
    char magic[8];
    uint32_t version;
    uint32_t rows, passages;
    uint32_t segment_crc; /* of the segment whose passages these are */
    struct vector_field field;
    uint32_t unused[2];
    uint32_t crc; /* of the whole header, with 0 here */
    struct {
        uint64_t at, len;
        uint32_t crc, unused;
    } sections[VECTOR_SECTIONS];
};
static_assert(sizeof(struct vector_header) == 104 + 24 * VECTOR_SECTIONS,
              "part of the file format, no padding");
uint32_t vector_header_crc(const struct vector_header *header);

/* Rows wherever they are: in a mapped file, or in memory before they are written. */
struct vector_rows {
    uint32_t dim;
    size_t stride; /* dim up to the next multiple of VECTOR_ALIGN */
    const int8_t *bytes;
    const float *scales;
    const uint16_t *originals;
};
static inline const int8_t *vector_row(const struct vector_rows *rows, uint32_t row)
{
    return rows->bytes + row * rows->stride;
}
static inline const uint16_t *vector_original(const struct vector_rows *rows, uint32_t row)
{
    return rows->originals + (size_t)row * rows->dim;
}
static inline size_t vector_stride(uint32_t dim)
{
    return ((size_t)dim + VECTOR_ALIGN - 1) / VECTOR_ALIGN * VECTOR_ALIGN;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* To unit length; zeros stay zeros. False: a value is not finite. */
bool vector_normalise(const float *values, uint32_t dim, float *out) MUST_CHECK;
bool vector_is_zero(const float *values, uint32_t dim);
/* The nearest bytes, zeros behind them; what they are to be multiplied by. */
float vector_quantise(const float *values, uint32_t dim, int8_t *out);
uint16_t vector_half(float value); /* the nearest float16; index/vector_kernel.h has the way back */

/* --- a file that is read ---------------------------------------------------------------------- */

struct graph;
struct vectors {
    struct arena *arena; /* owns this struct */
    uint64_t number;     /* the file's name */
    uint32_t holders;    /* views that know it; under lexical->mutex */
    char *map;
    size_t bytes;
    struct vector_field field;
    uint32_t count, passages, segment_crc;
    const uint32_t *passage; /* [count] */
    struct vector_rows rows;
    struct graph *graph; /* rows 0: there is none */
};
bool vectors_open(const char *dir, uint64_t number, const struct segment *of, struct vectors **out,
                  struct err *err) MUST_CHECK;
/* What vectors_open() does with the bytes; v has arena, number, map, bytes and room for its graph. */
bool vectors_check(struct vectors *v, const struct segment *of, struct err *err) MUST_CHECK;
void vectors_unmap(struct vectors **vectors);
void vectors_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number);
/* The first row whose passage is not before this one; count: there is none. */
uint32_t vectors_row_from(const struct vectors *v, uint32_t passage);

/* --- a file that is written ------------------------------------------------------------------- */

struct vector_ref {
    const struct vector_rows *from;
    uint32_t row, passage;
};
struct vector_plan {
    const char *dir;
    uint64_t number;
    const struct vector_field *field;
    const struct vector_ref *refs; /* passages rising */
    uint32_t count, passages, segment_crc;
    uint32_t graph_from;          /* a graph is made for as many rows; 0: never */
    const struct vectors *parent; /* whose graph may be taken over; NULL: none */
};
bool vectors_write(const struct vector_plan *plan, struct err *err) MUST_CHECK;

/* Rows that grow in memory. */
struct vector_batch {
    struct arena *arena;
    struct vector_field field;
    struct buf bytes, scales, originals, passages;
    uint32_t count;
    float *unit;  /* of the vector being added */
    int8_t *near; /* ... its bytes */
};
bool vector_batch_init(struct vector_batch *b, struct arena *arena,
                       const struct vector_field *field, size_t bytes_max, struct err *err)
    MUST_CHECK;
/* A vector of zeros adds nothing. */
bool vector_batch_add(struct vector_batch *b, uint32_t passage, const float *values,
                      struct err *err) MUST_CHECK;
struct vector_rows vector_batch_rows(const struct vector_batch *b);
size_t vector_batch_bytes(const struct vector_batch *b);

#endif
