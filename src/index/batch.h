/* index/batch.h: the postings of a run since its last flush, by term. Internal to index/.
 * Memory   what grows grows by blocks, so nothing is copied and nothing is left behind: some 50 bytes a distinct
 *          term, 12 a posting, and 8 more of each while they are sorted.
 * Limits   its terms, BATCH_USES_MAX postings; past them ERR_TOO_LARGE.
 * Threads  one at a time. */
#ifndef WEIR_INDEX_BATCH_H
#define WEIR_INDEX_BATCH_H

#include "index/invert.h"
#include "index/segment.h"

#define BATCH_TERMS_MAX ((uint32_t)4 * 1024 * 1024)
#define BATCH_USES_MAX  ((size_t)10 * 1000 * 1000)

struct batch;
/* terms: how many it may have, at most BATCH_TERMS_MAX. */
bool batch_new(uint32_t terms, struct batch **out, struct err *err) MUST_CHECK;
void batch_end(struct batch **batch); /* CLEANUP-able */

/* Passages come with rising numbers. */
bool batch_add_terms(struct batch *batch, const struct inverted *passage, uint32_t number,
                     struct err *err) MUST_CHECK;
/* A mark is a term nobody analyses and no score counts; times: where it stands in the passage's list. */
bool batch_add_marks(struct batch *batch, const struct lexical_passage *passage, uint32_t number,
                     struct err *err) MUST_CHECK;
size_t batch_postings(const struct batch *batch);
/* Is there room for so many more, if each were another term's? */
bool batch_has_room(const struct batch *batch, size_t postings);
/* Terms in order, each with its list; the batch is of no more use then. */
bool batch_write(struct batch *batch, struct segment_writer *to, struct err *err) MUST_CHECK;

#endif
