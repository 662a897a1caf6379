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
/* What a file beside a document says, or the source it comes from: either may be missing. */
struct beside {
    bool says_readers, says_metadata;
    struct labels labels;
};
/* {"metadataAttributes": {...}, "readers": [...]}. ERR_INVALID: it makes no sense, and what it would say is
 * not guessed. */
bool beside_read(struct arena *arena, struct str text, struct beside *out, struct err *err)
    MUST_CHECK;
/* Of the file beside the one at `path`; nothing is said when there is none. */
bool beside_load(struct arena *arena, struct str path, struct beside *out, struct err *err)
    MUST_CHECK;
/* known: the document's record as it stands, or NULL. */
void labels_settle(const struct beside *beside, const struct ingest_wish *wish,
                   const struct document_record *known, struct labels *out);
bool labels_equal(const struct labels *a, const struct document_record *b);

#endif
