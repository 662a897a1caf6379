#include "fake_provider.h"

#include <string.h>

#include "net/http_parse.h"
#include "test.h"

#define REQUEST_MAX (64 * KIB)

struct fake_connection {
    struct fake_provider *fake;
    struct arena *arena; /* holds this struct and the bytes */
    struct sock *sock;
    char *bytes;
    size_t len;
};

/* One whole request to the front of c->bytes; false when the other side has left. */
static SUSPENDS bool read_request(struct fake_connection *c, struct http_head *head, size_t *used)
{
    static const struct http_limits limits = {16 * KIB, HTTP_FIELDS_MAX, 8 * KIB};
    struct err err = {0};
    size_t got;

    for (;;) {
        enum http_parse parse =
            http_parse_request((struct str){c->bytes, c->len}, &limits, head, used, &err);

        EXPECT(parse != HTTP_BAD, "%s", err.text);
        if (parse == HTTP_BAD)
            return false;
        if (parse == HTTP_OK && c->len >= *used + head->content_length)
            return true;
        if (!sock_read(c->sock, c->bytes + c->len, REQUEST_MAX - c->len, &got, &err) || got == 0)
            return false;
        c->len += got;
    }
}

static SUSPENDS bool write_text(struct sock *sock, const char *text)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct err err = {0};

    return sock_write(sock, &iov, 1, &err);
}

static SUSPENDS void hang(struct fake_connection *c)
{
    struct err err = {0};
    size_t got;

    if (sock_read(c->sock, c->bytes, REQUEST_MAX, &got, &err) && got == 0)
        event_set(&c->fake->left);
    if (err.code == ERR_UNAVAILABLE) /* a reset is leaving too */
        event_set(&c->fake->left);
}

/* False when the connection is to be closed. */
static SUSPENDS bool play(struct fake_connection *c, const struct fake_move *move)
{
    struct err err = {0};

    for (; move->kind != FAKE_END; move++) {
        if (move->kind == FAKE_CLOSE)
            return false;
        if (move->kind == FAKE_WRITE && !write_text(c->sock, move->text)) {
            event_set(&c->fake->left);
            return false;
        }
        if (move->kind == FAKE_WAIT && !fiber_sleep(move->ms * MILLISECOND, &err))
            return false;
        if (move->kind == FAKE_HANG) {
            hang(c);
            return false;
        }
    }
    return true;
}

static SUSPENDS void serve_connection(void *arg)
{
    struct fake_connection *c = arg;
    struct fake_provider *fake = c->fake;
    struct http_head head;
    size_t used = 0, whole;
    bool open = true;

    while (open && read_request(c, &head, &used)) {
        whole = used + (size_t)head.content_length;
        fake->requests++;
        fake->head = arena_str(fake->arena, (struct str){c->bytes, used});
        fake->body = arena_str(fake->arena, (struct str){c->bytes + used, whole - used});
        c->len -= whole;
        memmove(c->bytes, c->bytes + whole, c->len);
        open = play(c, fake->decide ? fake->decide(fake) : fake->moves);
    }
    sock_close(&c->sock);
    struct arena *arena = c->arena;
    arena_end(&arena);
}

/* NULL when a test takes memory away: then the connection is closed at once. */
static struct fake_connection *new_connection(struct fake_provider *fake, struct sock *sock)
{
    struct arena *arena = arena_new(2 * REQUEST_MAX);
    struct fake_connection *c = arena ? arena_alloc(arena, sizeof *c) : NULL;
    char *bytes = c ? arena_alloc_raw(arena, REQUEST_MAX) : NULL;

    if (!bytes) {
        arena_end(&arena);
        return NULL;
    }
    *c = (struct fake_connection){fake, arena, sock, bytes, 0};
    return c;
}

static SUSPENDS void accept_all(void *arg)
{
    struct fake_provider *fake = arg;
    struct err err = {0};
    struct sock *sock = NULL;

    while (sock_accept(fake->listener, &sock, &err)) {
        struct fake_connection *c = new_connection(fake, sock);

        fake->connections++;
        if (c && scope_spawn(&fake->scope, serve_connection, c, &err)) {
            sock = NULL;
            continue;
        }
        sock_close(&sock);
        if (c)
            arena_end(&(struct arena *){c->arena});
    }
}

void fake_start(struct fake_provider *fake, struct arena *arena)
{
    struct addr at;
    struct err err = {0};

    http_client_init(NULL);
    fake->arena = arena;
    EXPECT(addr_parse(STR("127.0.0.1:0"), &at, &err), "%s", err.text);
    EXPECT(sock_listen(&at, &(struct listen_options){0}, &fake->listener, &err), "%s", err.text);
    scope_open(&fake->scope, 0);
    EXPECT(scope_spawn(&fake->scope, accept_all, fake, &err), "%s", err.text);
}

void fake_stop(struct fake_provider *fake)
{
    scope_close(&fake->scope);
    listener_close(&fake->listener);
}

struct provider fake_settings(const struct fake_provider *fake, struct arena *arena)
{
    struct addr at = listener_addr(fake->listener);
    struct provider provider = {.name = STR("fake"),
                                .connect_timeout = 5 * SECOND,
                                .first_byte_timeout = 20 * SECOND,
                                .gap_timeout = 20 * SECOND,
                                .total_timeout = 60 * SECOND,
                                .reply_bytes_max = MIB,
                                .event_bytes_max = 64 * KIB};
    struct err err = {0};

    provider.url_text = arena_fmt(arena, "http://%s/v1", at.text);
    EXPECT(http_url_parse(provider.url_text, &provider.url, &err), "%s", err.text);
    return provider;
}

struct str fake_field(const struct fake_provider *fake, const char *name)
{
    static const struct http_limits limits = {16 * KIB, HTTP_FIELDS_MAX, 8 * KIB};
    struct http_head head;
    struct err err = {0};
    size_t used;

    if (http_parse_request(fake->head, &limits, &head, &used, &err) != HTTP_OK)
        return STR_NONE;
    return http_field(&head.fields, str_from(name));
}

const char *fake_chunk(struct arena *arena, const char *text)
{
    return arena_fmt(arena, "%zx\r\n%s\r\n", strlen(text), text).ptr;
}
