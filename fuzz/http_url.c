/* Any text is refused with a reason, or names an origin: written out from its parts it is read as the
 * same, and no part holds a byte that could end a line or begin another part. */
#include "fuzz.h"
#include "net/http_client.h"

static void write_url(struct buf *b, const struct http_url *url)
{
    bool v6 = str_find_char(url->host, ':') < url->host.len;

    buf_fmt(b, "%s://%s" STR_FMT "%s:%u" STR_FMT, url->tls ? "https" : "http", v6 ? "[" : "",
            STR_ARG(url->host), v6 ? "]" : "", url->port, STR_ARG(url->path));
}

static void check_bytes(struct str part)
{
    for (size_t i = 0; i < part.len; i++)
        ASSERT(part.ptr[i] > ' ' && part.ptr[i] < 0x7f && part.ptr[i] != '@' &&
               part.ptr[i] != '?' && part.ptr[i] != '#');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_url url = {0}, again = {0};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str text;
    struct buf b;

    if (size > 4096)
        return 0;
    if (!http_url_parse(fuzz_text(data, size), &url, &err)) {
        ASSERT(err.code == ERR_INVALID && err.text[0]);
        return 0;
    }
    if (str_starts(url.host, STR("unix:")))
        return 0;
    ASSERT(url.host.len > 0 && url.port > 0);
    ASSERT(url.path.len == 0 || *url.path.ptr == '/');
    check_bytes(url.host);
    buf_init(&b, arena, MIB);
    write_url(&b, &url);
    ASSERT(buf_finish(&b, &text, &err) && http_url_parse(text, &again, &err));
    ASSERT(again.tls == url.tls && again.port == url.port && str_eq(again.host, url.host) &&
           str_eq(again.path, url.path));
    return 0;
}
