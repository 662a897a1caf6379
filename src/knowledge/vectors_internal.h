/* knowledge/vectors_internal.h: the state behind knowledge/vectors.h. */
#ifndef WEIR_KNOWLEDGE_VECTORS_INTERNAL_H
#define WEIR_KNOWLEDGE_VECTORS_INTERNAL_H

#include "base/table.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/vectors.h"
#include "sys/mutex.h"

#define VECTORS_FAILED_MAX 10000u

struct vectors_state {
    struct mutex mutex; /* of `problem`, `refusal` and `failed`, which only the maker changes */
    char problem[240], refusal[240]; /* refusal: of the newest of `failed` */
    struct arena *failed_arena;
    struct table
        failed; /* by its key what a document was (vectors.c) that the model would not take; tried again when it
                          * is another, and at the next start */
    uint64_t seen_view; /* the maker's alone: number of the view at the last turn */
    uint64_t done_view; /* ... and of one in which nothing was missing */
    uint32_t refused;   /* turns that failed, one after another */
    mono_ns again;      /* not before */
};

#define VECTORS_PASSAGES_MAX 65536u /* of one document, for a provider */

/* The model would not take it: not tried again as it is before the next start. ERR_EXHAUSTED: it would be, for there are
 * too many. */
bool vectors_fail(struct knowledge *knowledge, const struct vectors_document *document,
                  const char *why, struct err *err) MUST_CHECK;
bool vectors_have_failed(struct knowledge *knowledge, const struct lexical_document_info *document);
/* The maker's, before it looks for what is missing: nothing is noted of documents that are gone, or others now. */
void vectors_review(struct knowledge *knowledge, const struct lexical_view *view);
void vectors_went_well(struct knowledge *knowledge); /* a turn: what is still wrong are refusals */
void vectors_problem(struct knowledge *knowledge, const char *text); /* "": none */
/* Whether a document of a round is there as it was when it was collected. */
bool vectors_is_there(const struct lexical_view *view, const struct vectors_document *document);
bool vectors_field_make(const struct knowledge *knowledge, uint32_t dim, struct vector_field *out,
                        struct err *err) MUST_CHECK;
bool vectors_is_ours(const struct knowledge *knowledge, const struct lexical_view *view,
                     const struct vector_field *field);

#endif
