/* index/vector.h: vectors of passages, beside their words: given, kept, removed and searched.
 * Fields   a field is a name, a dimension and a fingerprint of the model that made its vectors. Another
 *          model is another field: its vectors stand beside and are never compared with these. A passage
 *          may have a vector in any field, or none.
 * Vectors  are kept at unit length: an int8 row with a scale for the scan, and 16-bit floats to score the
 *          best by. A vector of zeros is no vector: the field does not find that passage.
 * Scores   the cosine, -1 to 1. Equals stand by their documents' keys, then in order of passages.
 * Search   exact: every row that may be seen is compared, and the best are scored by the floats. Segments
 *          with many rows have a graph (HNSW) and are walked, unless the filter leaves so few that reading
 *          those is better. A search never returns fewer passages than there are, up to its limit.
 * Files    a field of a segment is one immutable file beside it, named by the same manifest: what a commit,
 *          a crash, a delete, a merge, damage and a repair do to words they do to vectors, at the same
 *          instant (index/vector_file.h has the format).
 * Threads  searching is a pure function over a view, like lexical_search().
 * Blocks   like lexical_search(): inside pool_run() only. */
#ifndef WEIR_INDEX_VECTOR_H
#define WEIR_INDEX_VECTOR_H

#include "index/lexical.h"

#define VECTOR_NAME_BYTES  32
#define VECTOR_MODEL_BYTES 32
#define VECTOR_DIM_MAX     4096
#define VECTOR_FIELDS_MAX  8 /* in one index, and in one run */

struct vector_field {
    char name[VECTOR_NAME_BYTES];      /* zeros behind it: "hashed", "latent", a provider's model */
    uint8_t model[VECTOR_MODEL_BYTES]; /* a hash of all that decides what a vector looks like */
    uint32_t dim;                      /* 1 to VECTOR_DIM_MAX */
};
/* ERR_INVALID: no name, or above VECTOR_NAME_BYTES - 1 bytes; no dimension, or above the maximum. */
bool vector_field_init(struct vector_field *field, struct str name, uint32_t dim,
                       const uint8_t model[VECTOR_MODEL_BYTES], struct err *err) MUST_CHECK;
bool vector_field_eq(const struct vector_field *a, const struct vector_field *b);

/* --- writing: part of a run, visible with its commit ------------------------------------------ */

/* New passages bring theirs along: lexical_passage.vectors. Values that are not finite are ERR_INVALID.
 *
 * Vectors for a document that stays as it is otherwise, in place of those it has in this field: all its
 * passages' one behind the other, [passages][field->dim]. Its words are not written anew, but the field's
 * file of its segment is, once a commit: set many in a run. ERR_NOT_FOUND: no such document, or added in
 * this run; ERR_INVALID: another number of passages; ERR_TOO_LARGE: the run holds VECTOR_RUN_BYTES
 * already: commit it and go on in the next. */
#define VECTOR_RUN_BYTES ((size_t)256 * MIB)
bool vector_set(struct lexical_writer *writer, struct str key, const struct vector_field *field,
                const float *values, uint32_t passages, struct err *err) MUST_CHECK;
/* All vectors of a field: for one whose model is used no more. What this run sets or adds stays. */
bool vector_drop(struct lexical_writer *writer, const struct vector_field *field, struct err *err)
    MUST_CHECK;

/* From how many vectors of a segment on a field gets a graph; the writer's, between runs. 0: never. What is
 * written already stays as it is. Made when a segment is written or merged, some thousand rows a second; a
 * merge that removes or adds a few takes the one over that is there, lexical_compact() makes it anew. */
#define VECTOR_GRAPH_FROM 300000u /* when nobody says otherwise */
void vector_graph_from(struct lexical *lexical, uint32_t vectors);

/* --- searching -------------------------------------------------------------------------------- */

struct vector_query {
    const struct vector_field *field;
    const float *values;                 /* [field->dim], of any length but 0 */
    const struct lexical_filter *filter; /* of this view; NULL: everything */
    size_t limit;                        /* 1 to LEXICAL_LIMIT_MAX */
    uint32_t rescored; /* rows scored by the floats; 0: three times the limit, at least 30 */
    bool scan;         /* no graph, where there is one */
};
/* ERR_INVALID: values that are not finite. A query of zeros finds nothing. */
bool vector_search(const struct lexical_view *view, struct arena *arena,
                   const struct vector_query *query, struct lexical_hits *out, struct err *err)
    MUST_CHECK;
/* The score of each of these passages, in any order; NAN for one without a vector in the field. */
bool vector_scores(const struct lexical_view *view, const struct lexical_vector *query,
                   const uint64_t *passages, size_t count, float *out, struct err *err) MUST_CHECK;
/* A passage's vector as it is kept, at unit length; false: it has none. */
bool vector_get(const struct lexical_view *view, const struct vector_field *field, uint64_t passage,
                float *out) MUST_CHECK;

struct vector_stats {
    struct vector_field field;
    uint64_t vectors; /* of lexical_stats().passages: the others have none in this field */
    uint64_t bytes;   /* of files */
    uint64_t graphed; /* vectors found by a graph */
    float recall; /* of the graphs' best 10 against the scan's, over a sample; 1 without a graph */
};
/* The fields of an index, by name; how many there are. More than VECTOR_FIELDS_MAX are not kept. */
size_t vector_fields(const struct lexical_view *view, struct vector_stats out[VECTOR_FIELDS_MAX]);

#endif
