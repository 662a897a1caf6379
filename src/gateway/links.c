/* What stands in front of the addresses of citations, so that they are whole. */
#include "gateway/gateway_internal.h"

#define HOST_MAX 255

/* Nothing that would end an address or begin another one. */
static bool is_host(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == ':' || c == '[' || c == ']'))
            return false;
    }
    return s.len > 0 && s.len <= HOST_MAX;
}

/* Of several proxies the one that the client asked. */
static struct str first_of(struct http_exchange *x, struct str name)
{
    struct str value = http_field(&http_head(x)->fields, name);

    return str_trim(str_slice(value, 0, str_find_char(value, ',')));
}

struct str gateway_links(const struct config *config, struct http_exchange *x)
{
    const struct links_config *links = &config->links;
    struct str scheme = links->tls ? STR("https") : STR("http"), host, word;

    if (links->url.len || links->from == LINKS_SET || !x || http_peer_is_local(x))
        return links->url;
    host = http_field(&http_head(x)->fields, STR("host"));
    if (links->from == LINKS_FORWARDED) {
        word = first_of(x, STR("x-forwarded-proto"));
        if (str_eq(word, STR("https")) || str_eq(word, STR("http")))
            scheme = word;
        word = first_of(x, STR("x-forwarded-host"));
        if (is_host(word))
            host = word;
    }
    if (!is_host(host))
        return STR_NONE;
    return arena_fmt(http_arena(x), STR_FMT "://" STR_FMT, STR_ARG(scheme), STR_ARG(host));
}
