/* sys/addr_internal.h: addresses as the kernel takes them. For files of sys only. */
#ifndef WEIR_SYS_ADDR_INTERNAL_H
#define WEIR_SYS_ADDR_INTERNAL_H

#include <netinet/in.h>
#include <sys/un.h>

#include "sys/sock.h"

struct addr_bytes {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t len;
};

bool addr_to_bytes(struct str text, struct addr_bytes *out, struct err *err) MUST_CHECK;
struct addr addr_from_bytes(const struct addr_bytes *from);

#endif
