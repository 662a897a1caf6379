/* knowledge/attach.h: files of the shelf on their way into a base, and those that did not get there.
 * Truth    a file that has got there is a document with the source "file/ID", and nothing else says so. Until
 *          then, and when it failed, a small file ID.json in attached/ below the base's directory says how
 *          it stands; it goes when the document is there.
 * Batches  files that were asked for together: ID.json in batches/; their states are those of their files.
 * Who      one worker of the house takes what is in progress, also what a crash left so.
 * These block. */
#ifndef WEIR_KNOWLEDGE_ATTACH_H
#define WEIR_KNOWLEDGE_ATTACH_H

#include "knowledge/chunks.h"

#define ATTACH_SOURCE   "file/"
#define BATCH_FILES_MAX 2000u /* of one batch */

enum attach_state { ATTACH_IN_PROGRESS, ATTACH_COMPLETED, ATTACH_FAILED, ATTACH_CANCELLED };
struct attached {
    struct str file;
    enum attach_state state;  /* never ATTACH_COMPLETED */
    struct str code, message; /* of one that failed */
    struct str attributes;    /* metadata, or empty */
    struct chunking chunking;
    wall_ms created;
    bool unreadable; /* in a list: nobody can read how it stands; it counts as one that failed */
};
bool attached_store(const char *base, const struct attached *attached, struct err *err) MUST_CHECK;
bool attached_find(const char *base, struct arena *arena, struct str file, struct attached *out,
                   struct err *err) MUST_CHECK; /* ERR_NOT_FOUND */
/* One that cannot be read is in it by its id, and holds up no others. */
bool attached_list(const char *base, struct arena *arena, struct attached **out, size_t *count,
                   struct err *err) MUST_CHECK;
bool attached_remove(const char *base, struct str file, struct err *err) MUST_CHECK; /* or none */
/* One in progress that still stands as it was taken becomes `to`; NULL: its document is there. *ended false: it was
 * cancelled, forgotten or asked for anew meanwhile, and is left so. */
bool attached_end(const char *base, const struct attached *taken, const struct attached *to,
                  bool *ended, struct err *err) MUST_CHECK;

struct attach_batch {
    struct str id; /* "vsfb_" and 24 hex digits */
    struct str *files;
    size_t count;
    wall_ms created;
    bool cancelled;
};
/* Makes its id when it has none. */
bool batch_store(const char *base, struct arena *arena, struct attach_batch *batch, struct err *err)
    MUST_CHECK;
bool batch_find(const char *base, struct arena *arena, struct str id, struct attach_batch *out,
                struct err *err) MUST_CHECK; /* ERR_NOT_FOUND */
/* As batch_find() says it of one that there is none of; false. */
bool batch_unknown(struct str id, struct err *err);

const char *attach_state_name(enum attach_state state);

#endif
