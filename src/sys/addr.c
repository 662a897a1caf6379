#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "sys/addr_internal.h"

#define UNIX_PREFIX STR("unix:")

static bool refuse(struct str text, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "\"" STR_FMT "\" is no address: expected 127.0.0.1:8080, [::1]:8080 or "
                   "unix:/path",
                   STR_ARG(text));
}

static bool parse_unix(struct str text, struct addr_bytes *out, struct err *err)
{
    struct str path = str_slice(text, UNIX_PREFIX.len, text.len);
    struct sockaddr_un *to = &out->local;

    if (path.len == 0 || memchr(path.ptr, 0, path.len))
        return refuse(text, err);
    if (path.len >= sizeof to->sun_path)
        return err_set(err, ERR_TOO_LARGE, "the path of \"" STR_FMT "\" is longer than %zu bytes",
                       STR_ARG(text), sizeof to->sun_path - 1);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path.ptr, path.len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

static bool parse_host(struct str host, uint16_t port, struct addr_bytes *out)
{
    char text[INET6_ADDRSTRLEN];
    bool is_v6 = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    if (is_v6)
        host = str_slice(host, 1, host.len - 1);
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    if (is_v6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        out->len = sizeof out->v6;
        return inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(port);
    out->len = sizeof out->v4;
    return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
}

bool addr_to_bytes(struct str text, struct addr_bytes *out, struct err *err)
{
    size_t colon = text.len;
    uint64_t port;

    memset(out, 0, sizeof *out);
    if (str_starts(text, UNIX_PREFIX))
        return parse_unix(text, out, err);
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || text.len - colon > 5 || !u64_parse(str_slice(text, colon, text.len), &port) ||
        port > 65535 || !parse_host(str_slice(text, 0, colon - 1), (uint16_t)port, out))
        return refuse(text, err);
    return true;
}

struct addr addr_from_bytes(const struct addr_bytes *from)
{
    struct addr addr = {{0}};
    char host[INET6_ADDRSTRLEN] = "?";

    switch (from->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &from->v4.sin_addr, host, sizeof host);
        snprintf(addr.text, sizeof addr.text, "%s:%u", host, ntohs(from->v4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &from->v6.sin6_addr, host, sizeof host);
        snprintf(addr.text, sizeof addr.text, "[%s]:%u", host, ntohs(from->v6.sin6_port));
        break;
    default:
        snprintf(addr.text, sizeof addr.text, "unix:%.*s", (int)sizeof from->local.sun_path,
                 from->local.sun_path);
    }
    return addr;
}

bool addr_parse(struct str text, struct addr *out, struct err *err)
{
    struct addr_bytes bytes;

    if (!addr_to_bytes(text, &bytes, err))
        return false;
    *out = addr_from_bytes(&bytes);
    return true;
}
