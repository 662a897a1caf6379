/* knowledge/originals.h: the bytes of documents that were sent, by their hash. Internal to knowledge/. These
 * block. */
#ifndef WEIR_KNOWLEDGE_ORIGINALS_H
#define WEIR_KNOWLEDGE_ORIGINALS_H

#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"

bool is_sent(const struct document_record *record); /* it has an original */
/* Before the commit that names it; who writes holds the index's writer. */
bool original_put(struct knowledge *knowledge, const struct sha256 *hash, struct str bytes,
                  struct err *err) MUST_CHECK;
bool original_load(struct knowledge *knowledge, struct arena *arena, const struct sha256 *hash,
                   struct str *out, struct err *err) MUST_CHECK;
/* Behind a commit: those that no document has any more go. *removed may be NULL. */
bool originals_sweep(struct knowledge *knowledge, uint32_t *removed, struct err *err) MUST_CHECK;
/* The same, and of those with these hashes also what a repair says is to stay, unless another document has them. */
bool originals_drop(struct knowledge *knowledge, const struct sha256 *hashes, size_t count,
                    uint32_t *removed, struct err *err) MUST_CHECK;
/* A repair lost documents: their originals are all that is left of them, and stay until somebody removes the
 * file originals/KEEP. */
bool originals_keep(struct knowledge *knowledge, struct err *err) MUST_CHECK;

#endif
