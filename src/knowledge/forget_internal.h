/* knowledge/forget_internal.h: what is forgotten beside the index: files of the shelf on their way into a base.
 * Siblings only; these block. */
#ifndef WEIR_KNOWLEDGE_FORGET_INTERNAL_H
#define WEIR_KNOWLEDGE_FORGET_INTERNAL_H

#include "knowledge/attach.h"
#include "knowledge/forget.h"

struct forget_files {
    const char *dir; /* of the base */
    const struct forget_wish *wish;
    struct arena *arena, *scratch;
    struct str *ids; /* of the shelf, each once */
    size_t count, room;
    size_t attached_count; /* that were meant by what is said of them on their way */
};
/* Those on their way, or failed there, that are meant. First of all. */
bool forget_files_find(struct forget_files *files, struct err *err) MUST_CHECK;
/* And the one that a document with this source came from, if it did. */
bool forget_files_of(struct forget_files *files, struct str source, struct err *err) MUST_CHECK;
/* None of them is on its way any more. */
bool forget_attached(const struct forget_files *files, struct err *err) MUST_CHECK;

/* Does the metadata name this person as owner, subject or person? */
bool metadata_names(struct str metadata, struct str person, struct arena *scratch);

#endif
