/* app/v1.h: /v1/files and /v1/vector_stores, as OpenAI's SDKs call them. A vector store is a knowledge base, its
 * attributes are metadata; files belong to a tenant. The frame is that of /api/v1, errors have the shape of the
 * dialect. What Weir does not do of it is refused by name, never passed over. */
#ifndef WEIR_APP_V1_H
#define WEIR_APP_V1_H

#include "app/admin_bases.h"
#include "app/admin_fields.h"
#include "app/forget.h"
#include "knowledge/attach.h"
#include "knowledge/shelf.h"

/* fn on the pool, in the call's arena. */
SUSPENDS bool v1_block(struct admin_call *call, bool (*fn)(void *arg, struct err *err), void *arg,
                       struct err *err) MUST_CHECK;
const char *v1_shelf(struct admin_call *call); /* directory of the files */

/* How long a file may be told to stay, in seconds. */
#define V1_SECONDS_MIN 3600
#define V1_SECONDS_MAX 2592000
/* As lists and uploads show it: a struct shelf_file. */
void v1_write_file(struct json_writer *w, const void *file);
bool v1_purpose(struct admin_call *call, struct str purpose, struct err *err) MUST_CHECK;

/* ---- lists: after, before, limit, order ---- */
extern const struct schema_field v1_list_query[];        /* of stores */
extern const struct schema_field v1_files_query[];       /* of files: a purpose */
extern const struct schema_field v1_store_files_query[]; /* of files in a store: a state */
struct v1_item {
    struct str id;
    wall_ms created;
    const void *what;
};
typedef void v1_write(struct json_writer *w, const void *what);
struct v1_page {
    struct v1_item *items;
    size_t count;
    bool more;
};
/* Sorts the items; those of the page that is asked for. A cursor whose item was deleted since is where it stood:
 * ids say it, or, of a list whose ids do not (`list` is its name, else empty), what was given out of it before.
 * ERR_INVALID: one that was never given, or of which that is not known any more. */
bool v1_choose(struct admin_call *call, struct str list, struct v1_item *items, size_t count,
               struct v1_page *out, struct err *err) MUST_CHECK;
void v1_tell(struct admin_call *call, const struct v1_page *page, v1_write *write);
/* Both: the whole reply. */
bool v1_list(struct admin_call *call, struct str list, struct v1_item *items, size_t count,
             v1_write *write, struct err *err) MUST_CHECK;

/* ---- when items of pages came (v1_cursors.c) ----
 * The newest of them, in memory: older ones, and those from before a start, are not known. Threads: any. */
#define CURSORS_MAX 4096
struct cursors *cursors_new(struct arena *arena); /* NULL: no memory */
void cursors_done(struct cursors *cursors);
void cursors_keep(struct cursors *cursors, struct str list, const struct v1_page *page);
bool cursors_find(struct cursors *cursors, struct str list, struct str id, wall_ms *created);

/* Exactly as `weir forget`: the reply has the receipt in "weir", the audit record its hash. */
SUSPENDS bool v1_forget(struct admin_call *call, const struct forget_order *order, struct str id,
                        const char *object, struct err *err) MUST_CHECK;

/* ---- what bodies have in common ---- */
/* "expires_after" of a store: *said false when it is not there; null: days 0. */
struct v1_expiry {
    bool said;
    uint32_t days;
};
bool v1_expires_after(struct admin_call *call, struct v1_expiry *out, struct err *err) MUST_CHECK;
/* "metadata" of a store: STR_NONE when it is not there, empty when it is null. */
bool v1_metadata(struct admin_call *call, struct str *out, struct err *err) MUST_CHECK;
/* "chunking_strategy" of an object of the body; none for "auto". *out is left where nothing is said. */
#define V1_CHUNKING_HELP                                                                           \
    "{\"type\": \"auto\"}, or {\"type\": \"static\", \"static\": {\"max_chunk_size_tokens\": 100 " \
    "to "                                                                                          \
    "4096, \"chunk_overlap_tokens\": 0 to half of it}}."
bool v1_chunking(struct admin_call *call, const struct json *j, json_ref object,
                 struct chunking *out, struct err *err) MUST_CHECK;
/* Attributes of the body as metadata: *said false when there are none. */
bool v1_attributes(struct admin_call *call, const struct json *j, json_ref object, struct str *out,
                   bool *said, struct err *err) MUST_CHECK;

/* The store of the path, for looking or for changing. */
SUSPENDS bool v1_store(struct admin_call *call, bool change, struct base **out, struct err *err)
    MUST_CHECK;
/* Whether a base of everyone's that the caller may not change has a document of one of them with other readers: then it
 * is as if there were no such file. In a base that one may change one says oneself who reads it. */
SUSPENDS bool v1_may_attach(struct admin_call *call, const struct str *files, size_t count,
                            struct err *err) MUST_CHECK;
/* Files of the shelf into the store: in progress from here. */
SUSPENDS bool v1_attach(struct admin_call *call, struct base *base, const struct attached *files,
                        size_t count, struct err *err) MUST_CHECK;
/* How the files of a store stand. */
struct v1_counts {
    uint64_t states[4], bytes; /* by enum attach_state */
};
SUSPENDS bool v1_count(struct admin_call *call, struct base *base, struct v1_counts *out,
                       struct err *err) MUST_CHECK;
void v1_write_counts(struct json_writer *w, const struct v1_counts *counts);
/* Brings files on their way into their bases; a background fiber of loop 0. */
SUSPENDS void v1_attach_loop(void *house);

/* ---- what has had its time (v1_expire.c) ---- */
void v1_expire_register(void); /* metrics; once, before threads */
/* Removes what has expired; a background fiber of loop 0. */
SUSPENDS void v1_expire_loop(void *house);
void v1_expects(struct house *house, wall_ms expires); /* a file that does then */

#endif
