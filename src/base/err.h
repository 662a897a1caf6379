/* base/err.h: errors are values with context.
 * What can fail returns bool and takes `struct err *err` last. On failure it fills err and leaves
 * its outputs alone; on success it leaves err alone. The code says what the caller can do; the
 * text grows outward on the way up: outermost context first, ": " between. Never a secret or a
 * prompt. The caller owns the struct, so it works when memory is gone. err may not be NULL. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include "base/base.h"

enum err_code {
    ERR_NONE,
    ERR_INVALID,         /* 400: the input is wrong, do not retry */
    ERR_UNAUTHENTICATED, /* 401: no key, or not one of ours */
    ERR_DENIED,          /* 403: a policy said no */
    ERR_NOT_FOUND,       /* 404 */
    ERR_TOO_LARGE,       /* 413: a size limit, named in the text */
    ERR_EXHAUSTED,       /* 429: a budget or limit is used up */
    ERR_UNAVAILABLE,     /* 503: something outside failed; another route may work */
    ERR_TIMEOUT,         /* 504: the deadline passed */
    ERR_CANCELLED,       /* nobody waits for the answer any more */
    ERR_INTERNAL,        /* 500: our mistake, survivable, always logged */
};

struct err {
    enum err_code code;
    int sys;        /* errno of the failed call, or 0 */
    char text[240]; /* cut at a UTF-8 boundary and ended by "..." when it does not fit */
};

/* All return false, so that a failing function ends with `return err_set(...)`. */
COLD bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
COLD bool err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* Something of ours is used up, memory, fibers, a queue, and no limit of whoever asks: ERR_EXHAUSTED with
 * ENOMEM, which is answered with 503. */
COLD bool err_no_room(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* `why` with another code and context in front: what went wrong here is somebody else's fault. Not when
 * something of ours is used up: that keeps its code. */
COLD bool err_recast(struct err *err, const struct err *why, enum err_code code, const char *fmt,
                     ...) PRINTF(4, 5);
/* Like err_set, with ": " and the words for errno `sys` at the end; sys is kept. */
COLD bool err_sys(struct err *err, enum err_code code, int sys, const char *fmt, ...) PRINTF(4, 5);

int err_http_status(enum err_code code); /* 200 for ERR_NONE; 499 for ERR_CANCELLED */
const char *err_code_name(
    enum err_code code); /* "invalid", "exhausted", ... for logs and metrics */

#endif
