/* index/vector_run.h: the vectors of a run, and what a commit makes of them. Internal to index/: write.c
 * and merge.c call it beside what they do to words. */
#ifndef WEIR_INDEX_VECTOR_RUN_H
#define WEIR_INDEX_VECTOR_RUN_H

#include "base/table.h"
#include "index/lexical_internal.h"
#include "index/vector_file.h"

#define VECTOR_BATCH_BYTES ((size_t)64 * MIB) /* in memory before a flush */

struct vector_change {
    struct vector_batch rows;
    struct table by_key; /* document's key -> struct vector_range */
};
struct vector_range {
    uint32_t first, count; /* rows; their passages count from the document's first */
};

struct vector_run {
    struct arena *added_arena; /* owns what `added` points to; until the flush */
    struct vector_batch *added[VECTOR_FIELDS_MAX];
    uint32_t added_count;
    struct arena *set_arena; /* owns what `set` points to; until the end */
    struct vector_change *set[VECTOR_FIELDS_MAX];
    uint32_t set_count;
    struct vector_field dropped[VECTOR_FIELDS_MAX];
    uint32_t dropped_count;
    struct vector_field flushed[VECTOR_FIELDS_MAX]; /* of segments that this run has written */
    uint32_t flushed_count;
};
void vector_run_end(struct vector_run *run);
bool vector_run_changes(const struct vector_run *run); /* of documents that stay */

/* Of a passage that is being added; the view is what the run builds on. */
bool vector_run_add(struct vector_run *run, const struct lexical_view *view, uint32_t passage,
                    const struct lexical_passage *of, struct err *err) MUST_CHECK;
bool vector_run_is_full(const struct vector_run *run);
bool vector_run_set(struct vector_run *run, const struct lexical_view *view, struct str key,
                    const struct lexical_vector *all, uint32_t passages, struct err *err)
    MUST_CHECK;
bool vector_run_drop(struct vector_run *run, const struct vector_field *field, struct err *err)
    MUST_CHECK;

/* The files of a segment that was just written, and their numbers. */
struct vector_made {
    uint64_t *next_number;
    uint32_t graph_from;
    uint64_t numbers[VECTOR_FIELDS_MAX];
    uint32_t count;
};
/* What was added since the last flush, for the segment that it stands in. */
bool vector_run_flush(struct vector_run *run, const char *dir, const struct segment_id *segment,
                      struct vector_made *made, struct err *err) MUST_CHECK;
void vector_run_end_batch(struct vector_run *run);

/* One file a field for documents of several segments that now are one, in its order; or of a segment that
 * stays, where the run changes a field of it: then only of those fields. */
struct vector_merge {
    const char *dir;
    const struct vector_run *run;
    const struct merge_input *inputs;
    size_t input_count;
    const struct merge_document *documents;
    size_t document_count;
    struct segment_id segment;
    bool changed_only;
    bool anew; /* no graph is taken over: the bytes must not tell where the rows come from */
};
bool vector_merge(const struct vector_merge *merge, struct vector_made *made, struct err *err)
    MUST_CHECK;
/* Does the run change this field of the segment? Then its file goes. */
bool vector_run_touches(const struct vector_run *run, const struct segment *segment,
                        const struct vector_field *field);

#endif
