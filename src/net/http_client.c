#include "net/http_client.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/pages.h"
#include "net/http_client_internal.h"
#include "net/tls.h"
#include "sys/file.h"
#include "sys/loop.h"

#define ORIGINS_MAX   1024
#define CA_BYTES_MAX  (4 * MIB)
#define CLIENT_MEMORY ((size_t)64 * 1024)

static struct http_client_options options;
static int slot; /* from 1, so that 0 is none */

/* ---- options and the loop's client ---- */

static void free_client(void *value)
{
    http_client_free(value);
}

void http_client_init(const struct http_client_options *given)
{
    struct http_client_options o = given ? *given : (struct http_client_options){0};

    o.connections_max = o.connections_max ? o.connections_max : 4096;
    o.idle_max = o.idle_max ? o.idle_max : 512;
    o.idle_timeout = o.idle_timeout ? o.idle_timeout : 60 * SECOND;
    o.connect_timeout = o.connect_timeout ? o.connect_timeout : 5 * SECOND;
    o.limits.head_bytes = o.limits.head_bytes ? o.limits.head_bytes : 64 * KIB;
    options = o;
    if (!slot)
        slot = loop_slot_new(free_client) + 1;
}

const struct http_client_options *http_client_options(void)
{
    return &options;
}

struct http_client *http_client_here(struct err *err)
{
    ASSERT(slot); /* http_client_init() comes first */
    struct http_client *client = loop_slot(slot - 1);

    if (LIKELY(client != NULL))
        return client;
    struct arena *arena = arena_new(CLIENT_MEMORY);
    client = arena ? arena_alloc(arena, sizeof *client) : NULL;
    if (!client) {
        arena_end(&arena);
        err_no_room(err, "no memory for an HTTP client");
        return NULL;
    }
    client->arena = arena;
    table_init(&client->origins, NULL, ORIGINS_MAX);
    client->origin_stock.size = sizeof(struct http_origin);
    client->conn_stock.size = sizeof(struct http_link);
    ring_init(&client->idle);
    loop_slot_set(slot - 1, client);
    return client;
}

bool http_still_wanted(void)
{
    struct err ignored = {0};

    return fiber_still_wanted(&ignored);
}

void http_client_free(struct http_client *client)
{
    struct arena *arena = client->arena;
    struct str name;
    void *origin;

    http_pool_drop_idle(client, INT64_MAX);
    ASSERT(client->stats.open == 0);
    for (size_t at = 0; table_next(&client->origins, &at, &name, &origin);)
        http_origin_free(origin);
    table_done(&client->origins);
    tls_client_free(&client->tls);
    arena_end(&arena);
}

struct http_client_stats http_client_stats(void)
{
    struct http_client *client = slot ? loop_slot(slot - 1) : NULL;

    return client ? client->stats : (struct http_client_stats){0};
}

void http_client_drop_idle(void)
{
    struct http_client *client = slot ? loop_slot(slot - 1) : NULL;

    if (client)
        http_pool_drop_idle(client, INT64_MAX);
}

bool http_trust_read(const char *ca_file, struct http_trust *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(CA_BYTES_MAX + 64 * KIB);
    struct tls_client_options o = {.ca_file = ca_file};
    struct tls_client *tls = NULL;
    struct http_trust trust = {.ca_file = ca_file};
    struct str text;
    struct buf tag;

    if (!arena)
        return err_no_room(err, "no memory to read a CA file");
    if (!file_load(arena, ca_file, CA_BYTES_MAX, &text, err) || !tls_client_new(&o, &tls, err))
        return false;
    tls_client_free(&tls);
    struct sha256 sum = sha256(text);
    buf_init_fixed(&tag, trust.tag, sizeof trust.tag);
    buf_hex(&tag, sum.bytes, sizeof sum.bytes);
    *out = trust;
    return true;
}

/* ---- URLs ---- */

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static bool check_host(struct str host, bool in_brackets, struct err *err)
{
    if (host.len == 0)
        return err_set(err, ERR_INVALID, "the URL names no host");
    if (host.len >= ORIGIN_HOST_SIZE - 2)
        return err_set(err, ERR_INVALID, "the host of the URL is longer than %d bytes",
                       ORIGIN_HOST_SIZE - 3);
    for (size_t i = 0; i < host.len; i++)
        if (!is_host_byte(host.ptr[i]) && !(in_brackets && host.ptr[i] == ':'))
            return err_set(err, ERR_INVALID, "the host of the URL holds the byte 0x%02x",
                           (unsigned)(unsigned char)host.ptr[i]);
    return true;
}

static bool parse_port(struct str text, uint16_t *port, struct err *err)
{
    uint64_t n;

    if (!u64_parse(text, &n) || n == 0 || n > UINT16_MAX)
        return err_set(err, ERR_INVALID, "the port of the URL is not a number from 1 to 65535");
    *port = (uint16_t)n;
    return true;
}

static bool parse_authority(struct str text, struct http_url *url, struct err *err)
{
    bool in_brackets = str_starts(text, STR("["));
    size_t close = str_find_char(text, ']');

    if (str_find_char(text, '@') < text.len)
        return err_set(err, ERR_INVALID, "a URL with user name or password is not taken");
    if (in_brackets && close == text.len)
        return err_set(err, ERR_INVALID, "the host of the URL lacks its \"]\"");
    struct str rest = in_brackets ? str_slice(text, close + 1, text.len) : text;
    size_t colon = str_find_char(rest, ':');

    url->host = in_brackets ? str_slice(text, 1, close) : str_slice(rest, 0, colon);
    if (in_brackets && colon > 0 && rest.len > 0)
        return err_set(err, ERR_INVALID, "bytes between \"]\" and the port of the URL");
    if (colon < rest.len && !parse_port(str_slice(rest, colon + 1, rest.len), &url->port, err))
        return false;
    return check_host(url->host, in_brackets, err);
}

static bool check_prefix(struct str path, struct err *err)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];

        if (c <= ' ' || c >= 0x7f || c == '?' || c == '#')
            return err_set(err, ERR_INVALID, "the path of the URL holds the byte 0x%02x", c);
    }
    return true;
}

static bool parse_unix(struct str text, struct http_url *out, struct err *err)
{
    struct http_url url = {.host = text};

    if (text.len <= 5 || text.ptr[5] != '/' || text.len >= ADDR_TEXT_MAX ||
        memchr(text.ptr, 0, text.len))
        return err_set(err, ERR_INVALID, "\"unix:\" wants an absolute path of less than %d bytes",
                       ADDR_TEXT_MAX - 5);
    *out = url;
    return true;
}

bool http_url_parse(struct str text, struct http_url *out, struct err *err)
{
    struct http_url url = {.port = 80};
    size_t scheme = str_find(text, STR("://"));
    struct str word = str_slice(text, 0, scheme);

    if (str_starts(text, STR("unix:")))
        return parse_unix(text, out, err);
    if (str_eq_nocase(word, STR("https")) && scheme < text.len) {
        url.tls = true;
        url.port = 443;
    } else if (!str_eq_nocase(word, STR("http")) || scheme == text.len) {
        return err_set(err, ERR_INVALID,
                       "a URL begins with \"http://\", \"https://\" or \"unix:/\"");
    }
    struct str rest = str_slice(text, scheme + 3, text.len);
    size_t slash = str_find_char(rest, '/');

    url.path = str_slice(rest, slash, rest.len);
    while (url.path.len > 0 && url.path.ptr[url.path.len - 1] == '/')
        url.path.len--;
    if (!parse_authority(str_slice(rest, 0, slash), &url, err) || !check_prefix(url.path, err))
        return false;
    *out = url;
    return true;
}
