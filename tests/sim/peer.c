#include "peer.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 65536u

void peer_done(struct peer *p)
{
    sock_close(&p->sock);
    free(p->bytes);
    *p = (struct peer){0};
}

SUSPENDS bool peer_more(struct peer *p, struct err *err)
{
    size_t got = 0;

    if (p->cap - p->len < 2048) {
        p->cap = p->cap * 2 + 4096;
        p->bytes = realloc(p->bytes, p->cap);
        if (!p->bytes)
            abort();
    }
    if (p->ended || !sock_read(p->sock, p->bytes + p->len, p->cap - p->len, &got, err))
        return false;
    p->ended = got == 0;
    p->len += got;
    return got > 0;
}

void peer_use(struct peer *p, size_t bytes)
{
    ASSERT(bytes <= p->len);
    if (bytes == 0)
        return;
    p->len -= bytes;
    memmove(p->bytes, p->bytes + bytes, p->len);
}

SUSPENDS bool peer_send(struct peer *p, const char *bytes, size_t len, struct err *err)
{
    return sock_write(p->sock, &(struct iovec){(void *)(uintptr_t)bytes, len}, 1, err);
}

SUSPENDS size_t peer_head(struct peer *p, struct err *err)
{
    for (;;) {
        struct str there = {p->bytes, p->len};
        size_t end = p->len ? str_find(there, STR("\r\n\r\n")) : 0;

        if (p->len && end < p->len)
            return end + 4;
        if (p->len > HEAD_BYTES_MAX || !peer_more(p, err))
            return 0;
    }
}

struct str head_field(struct str head, const char *name)
{
    for (struct str rest = head, line; str_split(&rest, '\n', &line);) {
        size_t colon = str_find_char(line, ':');

        if (colon < line.len && str_eq_nocase(str_slice(line, 0, colon), str_from(name)))
            return str_trim(str_slice(line, colon + 1, line.len));
    }
    return STR_NONE;
}
