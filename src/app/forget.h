/* app/forget.h: forgetting a document or a person everywhere in the house, and looking whether they are gone.
 * Document  its passages and all that the index knows of it; answers of the cache made from it, here, on disk, in
 *           Redis and at the other instances; kept answers (/v1/responses) made from it, and those that went on
 *           from them.
 * Person    an end user of a tenant by name or pseudonym, or a key or person by id: the key of the sealed bodies,
 *           kept answers, answers of the cache that were made for them, and documents whose metadata names them
 *           (owner, subject or person).
 * Stays     what docs/documents.md lists: records without content, backups, what clients were given.
 * In flight an answer that was begun before is not kept. */
#ifndef WEIR_APP_FORGET_H
#define WEIR_APP_FORGET_H

#include "app/house.h"
#include "knowledge/forget.h"

struct forget_order {
    struct str base;           /* of the document, by name or id; empty: the default one */
    struct str document;       /* an id, a path, a folder; or empty: */
    struct str person, tenant; /* whose tenant it is */
    bool dry_run, compact;
    bool
        unknown_too; /* an id that the base does not know: one whose forgetting was cut off; operators' */
};
struct found_file {
    struct str name; /* below the data directory */
    uint64_t prints;
};
/* What was looked at for fingerprints, and where some stand. */
struct file_search {
    uint64_t files, bytes;
    struct found_file *found;
    size_t found_count;
};
struct forget_told {
    struct forget_report documents;
    struct str subject; /* of a person: the pseudonym */
    bool had_bodies;    /* ... there was a key of sealed bodies */
    uint64_t cached; /* answers of the cache, each counted once a level; a dry run does not look */
    int64_t responses; /* kept answers */
    bool
        database_scrubbed; /* no file of the database holds what was deleted; else its server's vacuum will */
    size_t
        shared; /* fingerprints that other documents have too: they prove nothing, and are left out */
    struct file_search search;
};
SUSPENDS bool house_forget(struct house *house, struct arena *arena,
                           const struct forget_order *order, struct forget_told *out,
                           struct err *err) MUST_CHECK;

/* All files below `dir`, as deep as they lie; sockets and what goes meanwhile are passed over. Blocks. */
struct search_where {
    const char *dir;
    enum { SEARCH_ALL, SEARCH_SEGMENTS /* of knowledge bases alone */, SEARCH_OTHERS } which;
};
bool search_files(struct arena *arena, const struct search_where *where,
                  struct fingerprints *prints, struct file_search *out, struct err *err) MUST_CHECK;

/* ---- receipts (receipt.c) ---- */

#define RECEIPT_MAX (16 * MIB)
/* One object of JSON, on one line. What is recorded of it is the SHA-256 of these bytes. */
void receipt_write(const struct forget_order *order, const struct forget_told *told, wall_ms now,
                   struct buf *to);
struct receipt {
    struct str text; /* trimmed: what is hashed */
    struct fingerprints prints;
};
bool receipt_read(struct arena *arena, struct str text, struct receipt *out, struct err *err)
    MUST_CHECK;

#endif
