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

/* ---- lists: after, before, limit, order ---- */
extern const struct schema_field v1_list_query[];
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
/* "expires_after", "chunking_strategy", what else is not done: refused unless it says what is done anyway. */
bool v1_check_strategy(struct admin_call *call, struct err *err) MUST_CHECK;
/* Attributes of the body as metadata: *said false when there are none. */
bool v1_attributes(struct admin_call *call, const struct json *j, json_ref object, struct str *out,
                   bool *said, struct err *err) MUST_CHECK;

/* The store of the path, for looking or for changing. */
SUSPENDS bool v1_store(struct admin_call *call, bool change, struct base **out, struct err *err)
    MUST_CHECK;
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

#endif
