/* accounts/audit_cursor.h: the lines of a log one after another, unchecked, from any record on; also
 * beside the writer. And the members of a line: flat JSON as audit_line.c writes it.
 * Owner   the caller: audit_cursor_open() on a zeroed one, audit_cursor_close(), also after a failure.
 * Memory  a window from the arena. A line is valid until the next call. */
#ifndef WEIR_ACCOUNTS_AUDIT_CURSOR_H
#define WEIR_ACCOUNTS_AUDIT_CURSOR_H

#include "accounts/audit.h"

struct file;

struct audit_cursor {
    const char *dir;
    struct file *file;
    uint64_t first;  /* of the segment that is open */
    uint64_t seq;    /* of the record that was given last */
    int64_t line_at; /* where its line begins in the segment */
    char *bytes;
    size_t have, at;
    int64_t offset; /* of bytes[0] in the segment */
};
/* The next record given will be `from`, which need not be there yet. */
bool audit_cursor_open(struct audit_cursor *c, struct arena *arena, const char *dir, uint64_t from,
                       struct err *err) MUST_CHECK;
/* *more false: there is no further record, now; ask again later. The line has no \n. */
bool audit_cursor_next(struct audit_cursor *c, struct str *line, bool *more, struct err *err)
    MUST_CHECK;
void audit_cursor_close(struct audit_cursor *c);
/* The numbers of the first and the last record there are, by the files' names and the last one's lines.
 * *last *first - 1: a log without records. ERR_NOT_FOUND: no log. */
bool audit_extent(struct arena *arena, const char *dir, uint64_t *first, uint64_t *last,
                  struct err *err) MUST_CHECK;

/* One member: raw is the value as it stands, a text with its quotes. */
struct audit_member {
    struct str name, raw;
};
/* *rest: the line at first; false at the end, and for what we would not write (then rest->ptr is NULL). */
bool audit_member_next(struct str *rest, struct audit_member *out);
/* The value of one member, or STR_NONE. */
struct str audit_member_raw(struct str line, struct str name);

#endif
