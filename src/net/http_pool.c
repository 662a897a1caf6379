/* Origins and their connections, one set per loop. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/pages.h"
#include "net/http_client_internal.h"
#include "net/public.h"
#include "net/resolve.h"
#include "net/tls.h"

/* ---- origins ---- */

struct origin_wish {
    const struct http_url *url;
    const struct http_trust *trust; /* NULL: the client's */
    bool public_only;
};

static struct str write_name(const struct http_url *url, char name[ORIGIN_NAME_SIZE])
{
    struct str scheme = url->tls ? STR("https://") : STR("http://");
    bool is_path = str_starts(url->host, STR("unix:"));
    struct buf b;

    buf_init_fixed(&b, name, ORIGIN_NAME_SIZE - 1);
    if (!is_path)
        buf_str(&b, scheme);
    buf_str(&b, url->host);
    if (!is_path) {
        buf_char(&b, ':');
        buf_u64(&b, url->port);
    }
    name[b.len] = 0;
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

void http_origin_free(struct http_origin *origin)
{
    tls_client_free(&origin->own_tls);
    stock_give(&origin->client->origin_stock, origin);
}

static void forget_unused(struct http_client *client)
{
    struct str key;
    void *value;

    for (size_t at = 0; table_next(&client->origins, &at, &key, &value);) {
        struct http_origin *origin = value;

        if (origin->users == 0 && origin->idle_count == 0) {
            table_remove(&client->origins, key);
            memset(client->recent, 0, sizeof client->recent);
            http_origin_free(origin);
            return;
        }
    }
}

static bool add_origin(struct http_client *client, struct http_origin *origin, struct str key,
                       struct err *err)
{
    if (table_put(&client->origins, key, origin, NULL))
        return true;
    forget_unused(client);
    return table_put(&client->origins, key, origin, NULL) ||
           err_no_room(err, "too many origins are in use");
}

/* The file was good when the settings were read. */
static bool load_trust(struct http_origin *origin, const struct http_trust *trust, struct err *err)
{
    struct tls_client_options o = {.ca_file = trust ? trust->ca_file : NULL};

    if (!trust || tls_client_new(&o, &origin->own_tls, err))
        return true;
    err->code = ERR_UNAVAILABLE;
    return false;
}

/* The key begins with the name. */
static void fill_origin(struct http_origin *origin, const struct origin_wish *wish, struct str key)
{
    const struct http_url *url = wish->url;
    size_t beside = (wish->trust ? sizeof wish->trust->tag : 0) + wish->public_only;

    origin->room.free = http_client_options()->connections_max;
    ring_init(&origin->idle);
    origin->tls = url->tls;
    origin->port = url->port;
    origin->host_len = url->host.len;
    memcpy(origin->host, url->host.ptr, url->host.len);
    origin->public_only = wish->public_only;
    memcpy(origin->name, key.ptr, key.len - beside);
    memcpy(origin->key, key.ptr, key.len);
}

static struct http_origin *make_origin(struct http_client *client, const struct origin_wish *wish,
                                       struct str key, struct err *err)
{
    struct http_origin *origin = stock_take(&client->origin_stock);

    if (!origin) {
        err_no_room(err, "no memory for an origin");
        return NULL;
    }
    origin->client = client;
    fill_origin(origin, wish, key);
    key.ptr = origin->key;
    if (load_trust(origin, wish->trust, err) && add_origin(client, origin, key, err))
        return origin;
    http_origin_free(origin);
    return NULL;
}

/* What an origin is found by: its name, whom it trusts where that is its own, where it may connect to. */
static struct str write_key(struct str name, const struct origin_wish *wish,
                            char key[ORIGIN_KEY_SIZE])
{
    struct buf b;

    buf_init_fixed(&b, key, ORIGIN_KEY_SIZE);
    buf_str(&b, name);
    if (wish->trust)
        buf_put(&b, wish->trust->tag, sizeof wish->trust->tag);
    if (wish->public_only)
        buf_char(&b, '!');
    return buf_view(&b);
}

static bool trusts(const struct http_origin *o, const struct http_trust *trust)
{
    if (!trust || !o->own_tls)
        return !trust && !o->own_tls;
    return memcmp(o->key + strlen(o->name), trust->tag, sizeof trust->tag) == 0;
}

/* Few origins get nearly all calls: no need to write a name and look it up. */
static struct http_origin *recent_origin(const struct http_client *client,
                                         const struct origin_wish *wish)
{
    const struct http_url *url = wish->url;

    for (int i = 0; i < ORIGINS_RECENT; i++) {
        struct http_origin *o = client->recent[i];

        if (o && o->port == url->port && o->tls == url->tls &&
            o->public_only == wish->public_only &&
            str_eq((struct str){o->host, o->host_len}, url->host) && trusts(o, wish->trust))
            return o;
    }
    return NULL;
}

struct http_origin *http_origin_of(const struct http_url *url, const struct http_trust *trust,
                                   bool public_only, struct err *err)
{
    struct origin_wish wish = {url, url->tls ? trust : NULL, public_only};
    struct http_client *client = http_client_here(err);
    char text[ORIGIN_NAME_SIZE], key_text[ORIGIN_KEY_SIZE];

    if (!client)
        return NULL;
    struct http_origin *origin = recent_origin(client, &wish);
    if (LIKELY(origin != NULL))
        return origin;
    struct str name = url->host.len < ORIGIN_HOST_SIZE ? write_name(url, text) : STR_NONE;
    if (!name.ptr) {
        err_set(err, ERR_INVALID, "the host of the URL is too long");
        return NULL;
    }
    struct str key = write_key(name, &wish, key_text);
    origin = table_get(&client->origins, key);
    if (!origin)
        origin = make_origin(client, &wish, key, err);
    if (origin)
        client->recent[client->recent_next++ % ORIGINS_RECENT] = origin;
    return origin;
}

/* ---- connections ---- */

/* Everything but its place in use. */
static void link_free(struct http_link *link)
{
    struct http_client *client = link->origin->client;

    ring_remove(&link->in_origin);
    ring_remove(&link->in_client);
    stream_close(&link->stream);
    client->stats.open--;
    stock_give(&client->conn_stock, link);
}

static void leave_rest(struct http_link *link)
{
    ring_remove(&link->in_origin);
    ring_remove(&link->in_client);
    link->origin->idle_count--;
    link->origin->client->stats.idle--;
}

static void wake(void *arg);

static bool rest(struct http_link *link)
{
    struct err err = {0};

    return sock_rest(stream_sock(link->stream), wake, link, &err);
}

/* Something came on a kept connection. Bytes that are not an end are TLS housekeeping or wrong. */
static void wake(void *arg)
{
    struct http_link *link = arg;

    if (link->doomed) {
        link->origin->users--;
        link_free(link);
        return;
    }
    if (stream_is_alive(link->stream) && rest(link))
        return;
    leave_rest(link);
    link_free(link);
}

/* Out of the rings and awake; false: its waker is on the way and will close it. */
static bool rouse(struct http_link *link)
{
    leave_rest(link);
    if (sock_rest_cancel(stream_sock(link->stream)))
        return true;
    link->doomed = true;
    link->origin->users++; /* until it is closed: it is not among the idle ones any more */
    return false;
}

void http_pool_drop_idle(struct http_client *client, mono_ns until)
{
    struct http_link *link;

    while ((link = RING_FIRST(&client->idle, struct http_link, in_client)) &&
           link->idle_until <= until)
        if (rouse(link))
            link_free(link);
}

static struct http_link *take_kept(struct http_origin *origin)
{
    struct http_link *link;

    while ((link = RING_FIRST(&origin->idle, struct http_link, in_origin))) {
        if (!rouse(link))
            continue;
        if (link->idle_until > fiber_now() && stream_is_alive(link->stream))
            return link;
        link_free(link);
    }
    return NULL;
}

/* ---- connecting ---- */

static struct tls_client *tls_of(struct http_origin *origin, struct err *err)
{
    struct tls_client_options o = {.ca_file = http_client_options()->ca_file};
    struct http_client *client = origin->client;

    if (origin->own_tls)
        return origin->own_tls;
    return client->tls || tls_client_new(&o, &client->tls, err) ? client->tls : NULL;
}

SUSPENDS static bool connect_within(struct http_origin *origin, const struct addr *addr,
                                    struct stream **out, struct err *err)
{
    struct tls_client *tls = origin->tls ? tls_of(origin, err) : NULL;
    struct sock *sock = NULL;

    if ((origin->tls && !tls) || !sock_connect(addr, &sock, err))
        return false;
    if (!tls)
        return stream_plain(&sock, out, err);
    return stream_tls_connect(&sock, tls, origin->host, out, err);
}

SUSPENDS static bool connect_one(struct http_origin *origin, const struct addr *addr,
                                 struct stream **out, struct err *err)
{
    dur_ns timeout = origin->connect_timeout;
    struct scope within;

    if (origin->public_only && !addr_is_public(addr))
        return err_set(err, ERR_DENIED,
                       "%s is an address of this machine or a private network, which may not be "
                       "asked here",
                       addr->text);
    scope_open(&within, fiber_now() + timeout);
    bool done = connect_within(origin, addr, out, err);
    scope_close(&within);
    if (done)
        return true;
    if (err->code == ERR_TIMEOUT && http_still_wanted())
        err_set(err, ERR_UNAVAILABLE, "%s does not answer within %" PRId64 " ms", addr->text,
                timeout / MILLISECOND);
    return false;
}

SUSPENDS static bool connect_any(struct http_origin *origin, struct stream **out, struct err *err)
{
    size_t count = 0, bytes;
    struct addr *addrs =
        pages_take(RESOLVE_ADDRS_MAX * sizeof *addrs, &bytes); /* not on the stack */
    bool done = false;
    struct err why = {0}; /* of one address: no error when another answers */

    if (!addrs)
        return err_no_room(err, "no memory to connect");
    if (resolve(str_from(origin->host), origin->port, addrs, &count, &why))
        for (size_t i = 0; i < count && !done; i++) {
            why = (struct err){0};
            done = connect_one(origin, &addrs[i], out, &why);
            if (!done && !http_still_wanted())
                break;
        }
    pages_give(addrs, bytes);
    if (done)
        return true;
    *err = why;
    return err_wrap(err, "could not connect");
}

SUSPENDS static struct http_link *link_new(struct http_origin *origin, struct err *err)
{
    struct http_client *client = origin->client;
    struct stream *stream = NULL;

    if (!connect_any(origin, &stream, err))
        return NULL;
    struct http_link *link = stock_take(&client->conn_stock);
    if (!link) {
        stream_close(&stream);
        err_no_room(err, "no memory for a connection");
        return NULL;
    }
    *link = (struct http_link){.origin = origin, .stream = stream};
    ring_init(&link->in_origin);
    ring_init(&link->in_client);
    client->stats.open++;
    client->stats.connects++;
    return link;
}

/* ---- borrowing ---- */

static bool take_turn(struct http_origin *origin, struct err *err)
{
    struct http_client *client = origin->client;

    client->stats.waiting++;
    bool taken = semaphore_take(&origin->room, err);
    client->stats.waiting--;
    return taken ||
           err_wrap(err, "wait for one of %u connections", http_client_options()->connections_max);
}

bool http_link_borrow(struct http_origin *origin, bool fresh, struct http_link **out, bool *reused,
                      struct err *err)
{
    origin->users++;
    if (!take_turn(origin, err)) {
        origin->users--;
        return false;
    }
    struct http_link *link = fresh ? NULL : take_kept(origin);

    *reused = link != NULL;
    if (link)
        origin->client->stats.reuses++;
    else
        link = link_new(origin, err);
    if (!link) {
        semaphore_give(&origin->room);
        origin->users--;
        return false;
    }
    *out = link;
    return true;
}

static struct http_origin *end_use(struct http_link *link)
{
    struct http_origin *origin = link->origin;

    semaphore_give(&origin->room);
    origin->users--;
    return origin;
}

void http_link_drop(struct http_link **link)
{
    if (!*link)
        return;
    end_use(*link);
    link_free(*link);
    *link = NULL;
}

void http_link_keep(struct http_link **link)
{
    struct http_link *kept = *link;
    struct http_origin *origin = kept->origin;

    http_pool_drop_idle(origin->client, fiber_now());
    if (origin->idle_count >= http_client_options()->idle_max || !rest(kept)) {
        http_link_drop(link);
        return;
    }
    kept->idle_until = fiber_now() + http_client_options()->idle_timeout;
    ring_prepend(&origin->idle, &kept->in_origin);
    ring_append(&origin->client->idle, &kept->in_client);
    origin->idle_count++;
    origin->client->stats.idle++;
    end_use(kept);
    *link = NULL;
}
