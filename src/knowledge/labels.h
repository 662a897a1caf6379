/* knowledge/labels.h: what is said of a document: who may read it, what is known of it.
 * Three may speak, the first that does is heard: a file beside the document, the wish of this run, what
 * was said before. Internal to knowledge/. */
#ifndef WEIR_KNOWLEDGE_LABELS_H
#define WEIR_KNOWLEDGE_LABELS_H

#include "knowledge/answer.h"

#define LABELS_ENDING    ".metadata.json"
#define LABELS_BYTES_MAX ((size_t)64 * KIB)

struct labels {
    struct str readers, metadata;
};
/* Of the document at `path`, in the arena. known: its record as it stands, or NULL. ERR_INVALID: the file
 * beside it makes no sense, and what it would say is not guessed. */
bool labels_of(struct arena *arena, struct str path, const struct ingest_wish *wish,
               const struct document_record *known, struct labels *out, struct err *err) MUST_CHECK;
bool labels_equal(const struct labels *a, const struct document_record *b);

#endif
