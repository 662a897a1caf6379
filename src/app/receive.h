/* app/receive.h: a file that is sent, as a form (multipart/form-data) or as a body of its own, into a file below
 * <data>/uploads. What is in memory of it is a piece at a time.
 * Limits  knowledge.file_bytes of the file: ERR_TOO_LARGE names it; FORM_FIELDS_MAX other fields of
 *         FORM_VALUE_MAX bytes.
 * Left    nothing: received_drop() removes the file; what a crash left goes at the next start. */
#ifndef WEIR_APP_RECEIVE_H
#define WEIR_APP_RECEIVE_H

#include "app/house.h"

struct admin_call; /* app/admin.h */

#define FORM_FIELDS_MAX 16
#define FORM_VALUE_MAX  ((size_t)64 * KIB)

struct received {
    const char *file; /* NUL-ended path; NULL: none came */
    struct str name;  /* as the sender calls it; may be empty */
    uint64_t bytes;
    struct form_field {
        struct str name, value;
    } fields[FORM_FIELDS_MAX];
    size_t field_count;
};
/* The body of the call. A form has one part with a file name, called `file`. */
SUSPENDS bool receive_file(struct admin_call *call, struct received *out, struct err *err)
    MUST_CHECK;
/* The same, in a field of another name. */
SUSPENDS bool receive_named(struct admin_call *call, const char *field, struct received *out,
                            struct err *err) MUST_CHECK;
void received_drop(struct received *received); /* CLEANUP-able */
/* STR_NONE: not given. */
struct str received_field(const struct received *received, const char *name);
/* Blocks, at start: what a crash left. */
bool receive_clean(const struct house *house, struct err *err) MUST_CHECK;

#endif
