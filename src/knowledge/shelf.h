/* knowledge/shelf.h: files that were sent before it is known to which knowledge bases they will belong: a file ID
 * and what is known of it in ID.json, in one directory. Ids begin with the time, so names are in the order in
 * which the files came.
 * Whole  a file is there once its ID.json is: what a crash left without one goes at shelf_clean().
 * These block. */
#ifndef WEIR_KNOWLEDGE_SHELF_H
#define WEIR_KNOWLEDGE_SHELF_H

#include "base/arena.h"

struct shelf_file {
    struct str id; /* "file-" and 24 hex digits */
    struct str name, purpose, tenant;
    uint64_t bytes;
    wall_ms created;
    wall_ms expires;   /* 0: it stays */
    struct str upload; /* that it was put together from (pieces.h), or empty */
};
/* Its time is over: who asks for it is told that there is none, and it is removed. */
bool shelf_is_over(const struct shelf_file *file, wall_ms now);
/* Takes the file at `from` away; created 0: now. ERR_EXHAUSTED: there are `most`. */
bool shelf_put(const char *dir, struct arena *arena, const struct shelf_file *wish,
               const char *from, uint32_t most, struct shelf_file *out, struct err *err) MUST_CHECK;
/* ERR_NOT_FOUND: none has this id, or it belongs to another tenant (empty: whosever it is). */
bool shelf_find(const char *dir, struct arena *arena, struct str id, struct str tenant,
                struct shelf_file *out, struct err *err) MUST_CHECK;
bool shelf_unknown(struct str id, struct err *err); /* as it says it; false */
/* In the order they came; none when there is no directory yet. */
bool shelf_list(const char *dir, struct arena *arena, struct str tenant, struct shelf_file **out,
                size_t *count, struct err *err) MUST_CHECK;
bool shelf_remove(const char *dir, struct arena *arena, struct str id, struct err *err) MUST_CHECK;
/* Where its bytes stand. */
const char *shelf_path(const char *dir, struct arena *arena, struct str id);
bool shelf_clean(const char *dir, struct err *err) MUST_CHECK;

#endif
