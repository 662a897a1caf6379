#include "net_rig.h"

#include <stdio.h>
#include <string.h>

static bool listen_at(const char *address, struct listener **out)
{
    struct err err = {0};
    struct addr addr;
    bool ok = addr_parse(str_from(address), &addr, &err) && sock_listen(&addr, NULL, out, &err);

    EXPECT(ok, "%s", err.text);
    return ok;
}

/* ---- servers ---- */

static void run_server(void *arg)
{
    struct served *s = arg;
    struct listener *l = s->listener;
    struct err err = {0};

    s->listener = NULL;
    s->whole = http_server_run(s->server, l, &err);
    s->returned = true;
}

bool served_start_at(struct served *s, const struct http_server_options *options,
                     const char *address)
{
    struct err err = {0};

    *s = (struct served){0};
    if (!http_server_new(options, &s->server, &err) || !listen_at(address, &s->listener)) {
        EXPECT(false, "%s", err.text);
        http_server_free(&s->server);
        return false;
    }
    s->at = listener_addr(s->listener);
    if (strncmp(s->at.text, "unix:", 5) == 0)
        snprintf(s->url, sizeof s->url, "%s", s->at.text);
    else
        snprintf(s->url, sizeof s->url, "http%s://%s", options->tls ? "s" : "", s->at.text);
    scope_open(&s->scope, fiber_now() + PATIENCE);
    if (!scope_spawn(&s->scope, run_server, s, &err))
        EXPECT(false, "%s", err.text);
    return true;
}

bool served_start(struct served *s, const struct http_server_options *options)
{
    return served_start_at(s, options, "127.0.0.1:0");
}

void served_stop(struct served *s)
{
    EXPECT(!scope_is_over(&s->scope), "the test took too long");
    http_client_drop_idle();
    scope_close(&s->scope);
    EXPECT(s->returned);
    EXPECT(http_server_stats(s->server).connections == 0);
    EXPECT(http_server_stats(s->server).active == 0);
    http_server_free(&s->server);
}

/* ---- fake upstreams ---- */

struct fake_conn {
    struct fake *fake;
    struct sock *sock;
    int number;
};

static void run_script(void *arg)
{
    struct fake_conn c = *(struct fake_conn *)arg;

    ((struct fake_conn *)arg)->fake = NULL; /* taken over */
    c.fake->script(c.sock, c.number);
    sock_close(&c.sock);
}

static void run_fake(void *arg)
{
    struct fake *f = arg;
    struct err err = {0};
    struct scope conns;

    scope_open(&conns, 0);
    for (;;) {
        struct fake_conn c = {.fake = f};

        if (!sock_accept(f->listener, &c.sock, &err))
            break;
        c.number = f->connections++;
        if (!scope_spawn(&conns, run_script, &c, &err)) {
            sock_close(&c.sock);
            break;
        }
        while (c.fake)
            fiber_yield();
    }
    scope_close(&conns);
    listener_close(&f->listener);
}

bool fake_start(struct fake *f, void (*script)(struct sock *s, int number))
{
    struct err err = {0};

    *f = (struct fake){.script = script};
    if (!listen_at("127.0.0.1:0", &f->listener))
        return false;
    snprintf(f->url, sizeof f->url, "http://%s", listener_addr(f->listener).text);
    scope_open(&f->scope, fiber_now() + PATIENCE);
    EXPECT(scope_spawn(&f->scope, run_fake, f, &err), "%s", err.text);
    return true;
}

void fake_stop(struct fake *f)
{
    EXPECT(!scope_is_over(&f->scope), "the test took too long");
    http_client_drop_idle();
    scope_close(&f->scope);
}

/* ---- bytes ---- */

struct talk *talk_open(struct arena *arena, const struct addr *to)
{
    struct talk *t = arena_alloc(arena, sizeof *t);
    struct err err = {0};

    if (!t || !sock_connect(to, &t->sock, &err)) {
        EXPECT(false, "%s", err.text);
        return NULL;
    }
    return t;
}

void talk_close(struct talk *t)
{
    if (t)
        sock_close(&t->sock);
}

bool say(struct sock *s, struct str text)
{
    struct iovec iov = {(void *)(uintptr_t)text.ptr, text.len};
    struct err err = {0};

    return sock_write(s, &iov, 1, &err);
}

bool say_text(struct sock *s, const char *text)
{
    return say(s, str_from(text));
}

static bool hear_more(struct talk *t)
{
    struct err err = {0};
    size_t got = 0, room = sizeof t->heard - 1 - t->len;

    if (t->ended || room == 0 || !sock_read(t->sock, t->heard + t->len, room, &got, &err) ||
        got == 0) {
        t->ended = true;
        return false;
    }
    t->len += got;
    t->heard[t->len] = 0;
    return true;
}

bool hear(struct talk *t, const char *needle)
{
    while (!strstr(t->heard, needle))
        if (!hear_more(t))
            return false;
    return true;
}

bool hear_end(struct talk *t)
{
    while (hear_more(t))
        continue;
    return t->ended;
}

int count_of(const struct talk *t, const char *needle)
{
    int count = 0;

    for (const char *at = t->heard; (at = strstr(at, needle)); at += strlen(needle))
        count++;
    return count;
}

bool swallow(struct sock *s, const char *needle)
{
    char seen[8192];
    struct err err = {0};
    size_t len = 0, got = 0;

    while (len < sizeof seen - 1 && sock_read(s, seen + len, sizeof seen - 1 - len, &got, &err) &&
           got > 0) {
        len += got;
        seen[len] = 0;
        if (strstr(seen, needle))
            return true;
    }
    return false;
}

bool have_kernel(void)
{
    struct listener *l = NULL;
    struct sock *s = NULL;
    struct err err = {0};
    bool have = false;

    if (listen_at("127.0.0.1:0", &l)) {
        struct addr at = listener_addr(l);
        have = sock_connect(&at, &s, &err) && sock_fd(s) >= 0;
    }
    sock_close(&s);
    listener_close(&l);
    return have;
}

/* ---- the client ---- */

struct http_url url_of(const char *text)
{
    struct http_url url = {0};
    struct err err = {0};

    EXPECT(http_url_parse(str_from(text), &url, &err), "%s: %s", text, err.text);
    return url;
}

bool ask_for(struct arena *arena, const char *base, const char *path, struct http_call **call,
             struct err *err)
{
    struct http_url url = url_of(base);

    return http_call(arena, &url,
                     &(struct http_outgoing){.method = STR("GET"), .path = str_from(path)}, call,
                     err);
}

int fetch(struct arena *arena, const char *base, const char *path, struct str *body,
          struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;

    if (!ask_for(arena, base, path, &call, err) || !http_call_body(call, 64 * MIB, body, err))
        return 0;
    return http_call_head(call)->status;
}
