/* knowledge/vectors_internal.h: the state behind knowledge/vectors.h. */
#ifndef WEIR_KNOWLEDGE_VECTORS_INTERNAL_H
#define WEIR_KNOWLEDGE_VECTORS_INTERNAL_H

#include "base/table.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/vectors.h"
#include "sys/mutex.h"

#define VECTORS_FAILED_MAX 10000u

struct vectors_state {
    struct mutex mutex; /* of `problem` and `failed` */
    char problem[240];
    struct arena *failed_arena;
    struct table
        failed; /* keys of documents that the model would not take; tried again at the next start */
    uint64_t seen_view; /* the maker's alone: number of the view at the last turn */
    uint64_t done_view; /* ... and of one in which nothing was missing */
    uint32_t refused;   /* turns that failed, one after another */
    mono_ns again;      /* not before */
};

#define VECTORS_PASSAGES_MAX 65536u /* of one document, for a provider */

/* The model would not take it: not tried again before the next start. */
void vectors_fail(struct knowledge *knowledge, struct str key, const char *why);
void vectors_problem(struct knowledge *knowledge, const char *text); /* "": none */
/* Whether a document of a round is there as it was when it was collected. */
bool vectors_is_there(const struct lexical_view *view, const struct vectors_document *document);
bool vectors_field_make(const struct knowledge *knowledge, uint32_t dim, struct vector_field *out,
                        struct err *err) MUST_CHECK;
bool vectors_is_ours(const struct knowledge *knowledge, const struct lexical_view *view,
                     const struct vector_field *field);

#endif
