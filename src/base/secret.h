/* base/secret.h: bytes that wipe themselves and that no format prints.
 * A key, token or password lives here and never becomes a str that outlives one call.
 * Owner  whoever made it; secret_wipe() is CLEANUP-able and leaves it empty. */
#ifndef WEIR_BASE_SECRET_H
#define WEIR_BASE_SECRET_H

#include "base/str.h"

#define SECRET_BYTES_MAX 4096

struct secret {
    uint8_t *bytes; /* heap, wiped before it is freed */
    size_t len;
};

bool secret_set(struct secret *s, const void *bytes, size_t len, struct err *err) MUST_CHECK;
bool secret_copy(struct secret *to, const struct secret *from, struct err *err) MUST_CHECK;
bool secret_is_empty(const struct secret *s);
bool secret_equal(const struct secret *a, const struct secret *b); /* constant time */
/* The only way to the bytes, for the one call that must send or hash them. */
struct str secret_reveal(const struct secret *s);
void secret_wipe(struct secret *s);
void bytes_wipe(void *bytes, size_t len); /* not optimised away */

#endif
