#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

void bytes_wipe(void *bytes, size_t len)
{
    if (len)
        explicit_bzero(bytes, len);
}

bool secret_set(struct secret *s, const void *bytes, size_t len, struct err *err)
{
    if (len > SECRET_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a secret may have at most %d bytes", SECRET_BYTES_MAX);
    uint8_t *copy = FAULT("secret.set") ? NULL : malloc(len ? len : 1);
    if (!copy)
        return err_no_room(err, "no memory for a secret of %zu bytes", len);
    if (len)
        memcpy(copy, bytes, len);
    secret_wipe(s); /* after the copy: bytes may be our own */
    *s = (struct secret){copy, len};
    return true;
}

bool secret_copy(struct secret *to, const struct secret *from, struct err *err)
{
    return secret_set(to, from->bytes, from->len, err);
}

bool secret_is_empty(const struct secret *s)
{
    return s->len == 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return str_equal_secret(secret_reveal(a), secret_reveal(b));
}

struct str secret_reveal(const struct secret *s)
{
    return (struct str){(const char *)s->bytes, s->len};
}

void secret_wipe(struct secret *s)
{
    bytes_wipe(s->bytes, s->len);
    free(s->bytes);
    *s = (struct secret){NULL, 0};
}
