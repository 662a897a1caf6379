/* app/forget.h: forgetting a document, a person, a file of /v1/files or a whole knowledge base everywhere in the
 * house, and looking whether they are gone.
 * Document  its passages and all that the index knows of it; answers of the cache made from it, here, on disk, in
 *           Redis and at the other instances; kept answers (/v1/responses) made from it, and those that went on
 *           from them; the file of /v1/files that it came from, where no other base needs that.
 * Person    an end user of a tenant by name or pseudonym, or a key or person by id: the key of the sealed bodies,
 *           kept answers, answers of the cache that were made for them, sessions, and documents and files whose
 *           metadata names them (owner, subject or person).
 * Vanished  documents that a run of their source did not find any more: as documents that are forgotten.
 * Base      its directory with all that is in it, and all of the above of each document.
 * Stays     what docs/forget.md lists: records without content, backups, what clients were given.
 * In flight an answer that was begun before is not kept, here and at the other instances.
 * Read      what somebody is reading when its name goes is waited for (knowledge.forget_wait); where that is not enough
 *           the receipt names it, and the audit log says when it has ended (forget_held.c).
 * Whole     what is to go is written down before anything goes (forget_pending.c): when the process ends in the middle
 *           the next start finishes it before it serves, and leaves the receipt in forgotten/ of the data
 *           directory. */
#ifndef WEIR_APP_FORGET_H
#define WEIR_APP_FORGET_H

#include "app/house.h"
#include "gateway/gateway.h"
#include "knowledge/forget.h"
#include "knowledge/shelf.h"
#include "sys/file.h"

struct forget_order {
    struct str base;           /* of the document, by name or id; empty: the default one */
    struct str document;       /* an id, a path, a folder; or empty: */
    struct str person, tenant; /* whose tenant it is; or empty: */
    struct vanished *vanished; /* documents of `base` that their source no longer has; or NULL: */
    size_t vanished_count;
    struct str file; /* of the shelf, out of every base that `who` may change; or empty: */
    bool whole;      /* ... the base `base` itself, which is not the default one; or: */
    bool emptied;    /* ... all that is in the base `base`, which stays */
    const struct principal *who; /* of a file; NULL: of every base */
    bool keep_files;             /* files of the shelf stay: as OpenAI's dialect has it */
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
/* A file of /v1/files that something of what went came from. */
struct forgotten_file {
    struct str id;
    uint64_t bytes;
    bool there, removed;   /* there: it stood on the shelf */
    struct str *needed_by; /* bases, by id */
    size_t needed_count;
};
struct forget_told {
    struct forget_report documents;
    struct forgotten_file *files;
    size_t file_count;
    struct str subject; /* of a person: the pseudonym */
    bool had_bodies;    /* ... there was a key of sealed bodies */
    int64_t sessions;   /* ... that ended */
    struct str base;    /* that went whole: its id */
    struct str emptied; /* that expired, and of which nothing but its name stays: its id */
    struct base_removed base_removed;
    uint64_t cached; /* answers of the cache, each counted once a level; a dry run does not look */
    int64_t responses; /* kept answers */
    bool
        database_scrubbed; /* no file of the database holds what was deleted; else its server's vacuum will */
    size_t
        shared; /* fingerprints that other documents have too: they prove nothing, and are left out */
    struct file_search search;
    struct str *others; /* instances that share the database: each has documents of its own */
    size_t other_count;
    struct file_nameless *held; /* files that went and that somebody still reads */
    size_t held_count;
    struct str held_unknown; /* why that could not be looked at; empty: it was */
    bool resumed;            /* the process had ended in the middle of it */
    bool vanished;           /* nobody called for it: their source no longer has them */
    struct str receipt;      /* one line of JSON: what is recorded is the SHA-256 of these bytes */
};
/* Of an order for a whole base: more than a request may have, some 1,000 bytes for each document. */
#define FORGET_MEMORY ((size_t)1024 * MIB)
SUSPENDS bool house_forget(struct house *house, struct arena *arena,
                           const struct forget_order *order, struct forget_told *out,
                           struct err *err) MUST_CHECK;
/* What is kept of answers that the keys of a tenant or team had, before it is removed (forget_unit.c). */
SUSPENDS bool house_forget_unit(struct house *house, struct arena *arena, struct str id,
                                bool is_team, struct err *err) MUST_CHECK;
/* For knowledge/vanish.h, ctx: the house (forget_vanished.c). The receipt is kept in forgotten/, and recorded. */
bool house_vanish_begin(void *house, struct knowledge *knowledge, struct str base,
                        struct vanished *list, size_t count, struct vanish_order **out,
                        struct err *err) MUST_CHECK;
SUSPENDS bool house_vanish_end(void *house, struct vanish_order *order, bool removed,
                               struct err *err) MUST_CHECK;
/* The same, vanish_options.forgotten (forget_known.c). */
bool house_forgotten(void *house, struct arena *arena, struct str base, struct table *out,
                     struct err *err) MUST_CHECK;
/* ---- documents that changed (forget_changed.c) ---- */
/* gateway_options.stands, ctx: the house. */
SUSPENDS bool house_stands(void *house, struct arena *arena, struct str sources,
                           const struct principal *who, enum made_from *out, struct err *err)
    MUST_CHECK;
void house_documents_changed(void *house); /* vanish_options.changed */
/* A fiber's function: kept answers made from text that a document does not have any more go. */
SUSPENDS void house_changed_loop(void *house);

/* "forgot ...; receipt HASH ...": for the audit log. */
struct str forget_note(struct arena *arena, const struct forget_told *told);

/* ---- what a process before us did not finish (forget_pending.c) ---- */
/* At the start: what was written down in part says whom or what somebody wanted forgotten, and is no order. Blocks. */
bool house_forget_clean(const struct house *house, struct err *err) MUST_CHECK;
SUSPENDS void house_finish_forgetting(struct house *house); /* once, before anybody is served */
/* A fiber's function: what could not be finished then, indexes that were being written anew, and readings that
 * outlasted an order. */
SUSPENDS void house_forget_loop(void *house);
SUSPENDS void house_held_look(struct house *house); /* have any of these ended? */

/* ---- the files (forget_search.c) ---- */
/* All files below `dir`, as deep as they lie; sockets and what goes meanwhile are passed over. Blocks. */
struct search_where {
    const char *dir;
    enum { SEARCH_ALL, SEARCH_SEGMENTS /* of knowledge bases alone */, SEARCH_OTHERS } which;
};
bool search_files(struct arena *arena, const struct search_where *where,
                  struct fingerprints *prints, struct file_search *out, struct err *err) MUST_CHECK;

/* ---- receipts (receipt.c) ---- */

#define RECEIPT_MAX (16 * MIB)
/* One object of JSON, on one line. */
void receipt_write(const struct forget_order *order, const struct forget_told *told, wall_ms now,
                   struct buf *to);
struct receipt {
    struct str text; /* trimmed: what is hashed */
    struct fingerprints prints;
    bool pending;            /* it says what is to go: somebody began */
    size_t held;             /* files that were still being read when it was made */
    struct str held_unknown; /* why nobody knows whether any was; empty: it is known */
};
bool receipt_read(struct arena *arena, struct str text, struct receipt *out, struct err *err)
    MUST_CHECK;

#endif
