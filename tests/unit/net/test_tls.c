#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "net_rig.h"
#include "sys/threads.h"

static void copy_identity(const struct identity *from, const struct identity *to)
{
    char command[1300];

    snprintf(command, sizeof command, "cp %s %s && cp %s %s", from->certificate, to->certificate,
             from->key, to->key);
    EXPECT(system(command) == 0);
}

static bool tls_at(struct tls_server **out, const struct identity *id, const char *client_ca)
{
    struct tls_server_options o = {id->certificate, id->key, client_ca};
    struct err err = {0};
    bool ok = tls_server_new(&o, out, &err);

    EXPECT(ok, "%s", err.text);
    return ok;
}

static void answer(struct http_exchange *x, void *ctx)
{
    static const struct http_reply reply = {.status = 200, .content_type = {"text/plain", 10}};
    struct str path = http_head(x)->path, body;
    struct err err = {0};

    (void)ctx;
    if (!http_body(x, &body, &err))
        return;
    if (str_eq(path, STR("/who")))
        body = str_from(http_peer_certificate(x));
    if (str_eq(path, STR("/stream"))) {
        EXPECT(http_begin(x, &reply, &err));
        for (int i = 0; i < 200; i++)
            EXPECT(http_piece(x, STR("0123456789"), &err), "%s", err.text);
        EXPECT(http_end(x, STR(""), &err), "%s", err.text);
        return;
    }
    EXPECT(http_send(x, &reply, body, &err), "%s", err.text);
}

struct tls_pair {
    struct listener *listener;
    struct tls_server *tls;
    struct stream *server, *client;
};

static void accept_one(void *arg)
{
    struct tls_pair *p = arg;
    struct sock *sock = NULL;
    struct err err = {0};

    EXPECT(sock_accept(p->listener, &sock, &err) &&
               stream_tls_accept(&sock, p->tls, &p->server, &err),
           "%s", err.text);
}

static bool tls_pair_open(struct tls_pair *p, struct listener *l, struct tls_server *tls,
                          struct tls_client *client)
{
    struct addr at = listener_addr(l);
    struct sock *sock = NULL;
    struct err err = {0};
    struct scope scope;

    p->listener = l;
    p->tls = tls;
    scope_open(&scope, fiber_now() + PATIENCE);
    bool ok = scope_spawn(&scope, accept_one, p, &err) && sock_connect(&at, &sock, &err) &&
              stream_tls_connect(&sock, client, "127.0.0.1", &p->client, &err) &&
              scope_wait(&scope, &err) && p->server;
    scope_close(&scope);
    EXPECT(ok, "%s", err.text);
    return ok;
}

static void trust(const char *ca_file)
{
    http_client_init(&(struct http_client_options){.ca_file = ca_file});
}

/* ---- tests ---- */

FIBER_TEST(tls_round_trips)
{
    static const size_t sizes[] = {0, 1, 5000, 16384, 12000000};
    struct identity id;
    struct tls_server *tls = NULL;
    struct served s;

    REQUIRE(make_identity(&id, test_dir(), "server", "IP:127.0.0.1"));
    REQUIRE(tls_at(&tls, &id, NULL));
    trust(id.certificate);
    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
    struct http_url url = url_of(s.url);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct http_call *call CLEANUP(http_call_end) = NULL;
        struct str body = {arena_alloc(arena, sizes[i] + 1), sizes[i]}, got;
        struct http_outgoing out = {
            .method = STR("POST"), .path = STR("/"), .body = &body, .body_count = 1};
        struct err err = {0};

        EXPECT(http_call(arena, &url, &out, &call, &err) &&
                   http_call_body(call, 16 * MIB, &got, &err),
               "%zu: %s", sizes[i], err.text);
        EXPECT(call && str_eq(got, body), "%zu bytes", sizes[i]);
    }
    EXPECT(http_client_stats().connects == 1 && http_client_stats().reuses == 4);
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    EXPECT(fetch(arena, s.url, "/stream", &body, &err) == 200 && body.len == 2000, "%s", err.text);
    served_stop(&s);
    tls_server_free(&tls);
}

/* The second connection to a host resumes the first one's session. */
FIBER_TEST(sessions_are_resumed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct identity id;
    struct tls_server *tls = NULL;
    struct err err = {0};
    struct str body;
    struct served s;

    REQUIRE(make_identity(&id, test_dir(), "server", "IP:127.0.0.1"));
    REQUIRE(tls_at(&tls, &id, NULL));
    trust(id.certificate);
    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
    for (int i = 0; i < 3; i++) {
        EXPECT(fetch(arena, s.url, "/x", &body, &err) == 200, "%s", err.text);
        http_client_drop_idle();
    }
    EXPECT(http_client_stats().connects == 3);
    EXPECT(tls_server_resumed(tls) == 2, "%" PRIu64, tls_server_resumed(tls));
    served_stop(&s);
    tls_server_free(&tls);
}

static const struct {
    const char *name, *names;
    bool trusted, ok;
    const char *why;
} verify_cases[] = {
    {"address in the certificate", "IP:127.0.0.1", true, true, NULL},
    {"another address", "IP:127.0.0.2", true, false, "certificate refused: IP address mismatch"},
    {"a name is no address", "DNS:localhost", true, false, "certificate refused: IP address"},
    {"unknown authority", "IP:127.0.0.1", false, false, "certificate refused: "},
};

FIBER_TEST(servers_are_verified)
{
    for (size_t i = 0; i < ARRAY_LEN(verify_cases); i++) {
        const char *dir = test_dir();
        struct identity id, other;
        struct tls_server *tls = NULL;
        struct tls_client *client = NULL;
        struct stream *stream = NULL;
        struct sock *sock = NULL;
        struct err err = {0};
        struct served s;

        REQUIRE(make_identity(&id, dir, "server", verify_cases[i].names));
        REQUIRE(make_identity(&other, dir, "other", "IP:127.0.0.1"));
        REQUIRE(tls_at(&tls, &id, NULL));
        struct tls_client_options o = {.ca_file = verify_cases[i].trusted ? id.certificate
                                                                          : other.certificate};
        REQUIRE(tls_client_new(&o, &client, &err));
        REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
        REQUIRE(sock_connect(&s.at, &sock, &err));
        bool ok = stream_tls_connect(&sock, client, "127.0.0.1", &stream, &err);
        EXPECT(ok == verify_cases[i].ok, "%s: %s", verify_cases[i].name, err.text);
        EXPECT(ok || (err.code == ERR_UNAVAILABLE && strstr(err.text, verify_cases[i].why)),
               "%s: %s", verify_cases[i].name, err.text);
        stream_close(&stream);
        served_stop(&s);
        tls_client_free(&client);
        tls_server_free(&tls);
    }
}

FIBER_TEST(an_upstream_that_is_not_trusted_is_not_used)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *dir = test_dir();
    struct identity id, other;
    struct tls_server *tls = NULL;
    struct err err = {0};
    struct str body;
    struct served s;

    REQUIRE(make_identity(&id, dir, "server", "IP:127.0.0.1"));
    REQUIRE(make_identity(&other, dir, "other", "IP:127.0.0.1"));
    REQUIRE(tls_at(&tls, &id, NULL));
    trust(other.certificate);
    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
    EXPECT(fetch(arena, s.url, "/x", &body, &err) == 0 && err.code == ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, s.url) && strstr(err.text, "certificate refused: "), "%s", err.text);
    EXPECT(http_client_stats().open == 0 && http_server_stats(s.server).requests == 0);
    served_stop(&s);
    tls_server_free(&tls);
}

/* By name: resolved, sent as SNI and matched. */
FIBER_TEST(host_names_are_verified)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct identity id;
    struct tls_server *tls = NULL;
    struct tls_client *client = NULL;
    struct err err = {0};
    struct served s;
    static const struct {
        const char *host;
        bool ok;
    } cases[] = {{"one.test", true},       {"x.many.test", true},    {"ONE.test", true},
                 {"two.test", false},      {"x.y.many.test", false}, {"many.test", false},
                 {"one.test.evil", false}, {"127.0.0.1", false}};

    REQUIRE(make_identity(&id, test_dir(), "server", "DNS:one.test,DNS:*.many.test"));
    REQUIRE(tls_at(&tls, &id, NULL));
    REQUIRE(tls_client_new(&(struct tls_client_options){.ca_file = id.certificate}, &client, &err));
    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stream *stream CLEANUP(stream_close) = NULL;
        struct sock *sock = NULL;

        REQUIRE(sock_connect(&s.at, &sock, &err));
        bool ok = stream_tls_connect(&sock, client, cases[i].host, &stream, &err);
        EXPECT(ok == cases[i].ok, "%s: %s", cases[i].host, err.text);
    }
    served_stop(&s);
    tls_client_free(&client);
    tls_server_free(&tls);
}

FIBER_TEST(clients_may_have_to_show_a_certificate)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *dir = test_dir();
    struct identity id, friend, stranger;
    struct tls_server *tls = NULL;
    struct err err = {0};
    struct served s;

    REQUIRE(make_identity(&id, dir, "server", "IP:127.0.0.1"));
    REQUIRE(make_identity(&friend, dir, "friend", "DNS:friend"));
    REQUIRE(make_identity(&stranger, dir, "stranger", "DNS:stranger"));
    REQUIRE(tls_at(&tls, &id, friend.certificate));
    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
    const struct identity *who[] = {NULL, &stranger, &friend};
    for (size_t i = 0; i < ARRAY_LEN(who); i++) {
        struct tls_client_options o = {.ca_file = id.certificate,
                                       .certificate_file = who[i] ? who[i]->certificate : NULL,
                                       .key_file = who[i] ? who[i]->key : NULL};
        struct stream *stream CLEANUP(stream_close) = NULL;
        struct tls_client *client CLEANUP(tls_client_free) = NULL;
        struct sock *sock = NULL;
        char heard[2048] = "";
        size_t got = 0, len = 0;
        struct str text = STR("GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        struct iovec iov = {(void *)(uintptr_t)text.ptr, text.len};

        REQUIRE(tls_client_new(&o, &client, &err));
        REQUIRE(sock_connect(&s.at, &sock, &err));
        /* With TLS 1.3 the refusal comes after the client's side of the handshake is done. */
        if (stream_tls_connect(&sock, client, "127.0.0.1", &stream, &err) &&
            stream_write(stream, &iov, 1, &err))
            while (len < sizeof heard - 1 &&
                   stream_read(stream, heard + len, sizeof heard - 1 - len, &got, &err) && got > 0)
                len += got;
        EXPECT((strstr(heard, "\r\n\r\n/CN=friend") != NULL) == (who[i] == &friend), "%zu: %s %s",
               i, heard, err.text);
    }
    served_stop(&s);
    tls_server_free(&tls);
}

FIBER_TEST(certificates_are_reloaded)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *dir = test_dir();
    struct identity first, second, live;
    struct tls_server *tls = NULL;
    struct err err = {0};
    struct str body;
    struct served s;

    REQUIRE(make_identity(&first, dir, "first", "IP:127.0.0.1"));
    REQUIRE(make_identity(&second, dir, "second", "IP:127.0.0.1"));
    REQUIRE(make_identity(&live, dir, "live", "IP:127.0.0.1"));
    copy_identity(&first, &live);
    REQUIRE(tls_at(&tls, &live, NULL));
    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = tls}));
    struct tls_client *of_second CLEANUP(tls_client_free) = NULL;
    REQUIRE(tls_client_new(&(struct tls_client_options){.ca_file = second.certificate}, &of_second,
                           &err));
    trust(first.certificate);
    EXPECT(fetch(arena, s.url, "/x", &body, &err) == 200, "%s", err.text);

    FILE *f = fopen(live.certificate, "w");
    REQUIRE(f && fputs("not a certificate\n", f) > 0 && fclose(f) == 0);
    EXPECT(!tls_server_reload(tls, &err) && strstr(err.text, live.certificate), "%s", err.text);
    http_client_drop_idle();
    EXPECT(fetch(arena, s.url, "/x", &body, &err) == 200, "the old one stays: %s", err.text);

    copy_identity(&second, &live);
    EXPECT(tls_server_reload(tls, &err), "%s", err.text);
    EXPECT(fetch(arena, s.url, "/x", &body, &err) == 200, "kept connections go on: %s", err.text);
    struct stream *stream CLEANUP(stream_close) = NULL;
    struct sock *sock = NULL;
    REQUIRE(sock_connect(&s.at, &sock, &err));
    EXPECT(stream_tls_connect(&sock, of_second, "127.0.0.1", &stream, &err), "%s", err.text);
    stream_close(&stream);
    served_stop(&s);
    tls_server_free(&tls);
}

FIBER_TEST(keys_that_others_can_read_are_refused)
{
    const char *dir = test_dir();
    struct identity id, other;
    struct tls_server *tls = NULL;
    struct err err = {0};

    REQUIRE(make_identity(&id, dir, "server", "IP:127.0.0.1"));
    REQUIRE(make_identity(&other, dir, "other", "IP:127.0.0.1"));
    REQUIRE(chmod(id.key, 0644) == 0);
    struct tls_server_options o = {id.certificate, id.key, NULL};
    EXPECT(!tls_server_new(&o, &tls, &err) && strstr(err.text, "chmod 600"), "%s", err.text);
    o.key_file = other.key;
    EXPECT(!tls_server_new(&o, &tls, &err) && strstr(err.text, "key values mismatch"), "%s",
           err.text);
    o.key_file = "/nowhere/at/all.key";
    EXPECT(!tls_server_new(&o, &tls, &err) && strstr(err.text, "/nowhere/at/all.key"), "%s",
           err.text);
    o = (struct tls_server_options){id.certificate, other.key, "/nowhere/ca.pem"};
    EXPECT(!tls_server_new(&o, &tls, &err) && tls == NULL, "%s", err.text);
}

/* OpenSSL has a place for each type of key, and compares a key with the certificate at its own place. */
FIBER_TEST(a_key_of_another_type_than_the_certificates_is_refused)
{
    const char *dir = test_dir();
    struct identity id, rsa;
    struct tls_server *tls = NULL;
    struct tls_client *client = NULL;
    struct err err = {0};

    REQUIRE(make_identity(&id, dir, "server", "IP:127.0.0.1"));
    REQUIRE(make_rsa_identity(&rsa, dir, "rsa", "IP:127.0.0.1"));
    struct tls_server_options o = {id.certificate, rsa.key, NULL};
    EXPECT(!tls_server_new(&o, &tls, &err) && strstr(err.text, rsa.key), "%s", err.text);
    err = (struct err){0};
    o = (struct tls_server_options){rsa.certificate, id.key, NULL};
    EXPECT(!tls_server_new(&o, &tls, &err) && strstr(err.text, id.key), "%s", err.text);
    err = (struct err){0};
    struct tls_client_options c = {
        .ca_file = id.certificate, .certificate_file = id.certificate, .key_file = rsa.key};
    EXPECT(!tls_client_new(&c, &client, &err) && strstr(err.text, rsa.key), "%s", err.text);
    o = (struct tls_server_options){rsa.certificate, rsa.key, NULL};
    EXPECT(tls_server_new(&o, &tls, &err), "%s", err.text);
    tls_server_free(&tls);
    tls_client_free(&client);
}

/* As a browser does, and who warms up a pool: nothing is asked yet, and nothing is late. */
FIBER_TEST(who_has_shaken_hands_may_be_silent_as_long_as_others)
{
    struct identity id;
    struct tls_server *tls = NULL;
    struct tls_client *client = NULL;
    struct stream *stream = NULL;
    struct sock *sock = NULL;
    struct err err = {0};
    struct str text = STR("GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    struct iovec iov = {(void *)(uintptr_t)text.ptr, text.len};
    char heard[2048] = "";
    size_t got = 0;
    struct served s;

    REQUIRE(make_identity(&id, test_dir(), "server", "IP:127.0.0.1"));
    REQUIRE(tls_at(&tls, &id, NULL));
    REQUIRE(tls_client_new(&(struct tls_client_options){.ca_file = id.certificate}, &client, &err));
    REQUIRE(served_start(&s, &(struct http_server_options){
                                 .handler = answer, .tls = tls, .head_timeout = SECOND / 2}));
    REQUIRE(sock_connect(&s.at, &sock, &err));
    REQUIRE(stream_tls_connect(&sock, client, "127.0.0.1", &stream, &err), "%s", err.text);
    EXPECT(fiber_sleep(SECOND, &err));
    EXPECT(http_server_stats(s.server).refused == 0);
    EXPECT(stream_write(stream, &iov, 1, &err) &&
               stream_read(stream, heard, sizeof heard - 1, &got, &err),
           "%s", err.text);
    EXPECT(strstr(heard, "HTTP/1.1 200 OK"), "%s", heard);
    stream_close(&stream);
    REQUIRE(sock_connect(&s.at, &sock, &err));
    REQUIRE(stream_tls_connect(&sock, client, "127.0.0.1", &stream, &err), "%s", err.text);
    mono_ns before = fiber_now();
    EXPECT(http_server_drain(s.server, &err) && fiber_now() - before < SECOND / 4, "%s", err.text);
    stream_close(&stream);
    served_stop(&s);
    tls_client_free(&client);
    tls_server_free(&tls);
}

/* Bytes in clear at the TLS door, and a handshake that never comes. */
FIBER_TEST(who_does_not_speak_tls_is_let_go)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * MIB);
    struct identity id;
    struct tls_server *tls = NULL;
    struct served s;

    REQUIRE(make_identity(&id, test_dir(), "server", "IP:127.0.0.1"));
    REQUIRE(tls_at(&tls, &id, NULL));
    REQUIRE(served_start(&s, &(struct http_server_options){
                                 .handler = answer, .tls = tls, .head_timeout = 50 * MILLISECOND}));
    struct talk *clear = talk_open(arena, &s.at), *mute = talk_open(arena, &s.at);
    if (clear && mute) {
        EXPECT(say_text(clear->sock, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        EXPECT(hear_end(clear) && !strstr(clear->heard, "200"));
        EXPECT(say(mute->sock, (struct str){"\x16\x03\x01", 3}) && hear_end(mute));
    }
    talk_close(clear);
    talk_close(mute);
    served_stop(&s);
    tls_server_free(&tls);
}

static void accept_and_be_silent(struct sock *s, int number)
{
    (void)number;
    (void)!swallow(s, "never");
}

FIBER_TEST(a_handshake_counts_as_connecting)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct fake f;
    char url[ADDR_TEXT_MAX + 32];

    http_client_init(&(struct http_client_options){.connect_timeout = 50 * MILLISECOND});
    REQUIRE(fake_start(&f, accept_and_be_silent));
    snprintf(url, sizeof url, "https%s", f.url + 4);
    EXPECT(fetch(arena, url, "/", &body, &err) == 0 && err.code == ERR_UNAVAILABLE &&
               strstr(err.text, "does not answer within 50 ms"),
           "%s", err.text);
    fake_stop(&f);
}

/* An end without goodbye must not pass for the end of a body. */
FIBER_TEST(tls_cuts_are_told_from_ends)
{
    struct identity id;
    struct tls_server *tls = NULL;
    struct tls_client *client = NULL;
    struct listener *l = NULL;
    struct addr any = {"127.0.0.1:0"};
    struct err err = {0};

    REQUIRE(make_identity(&id, test_dir(), "server", "IP:127.0.0.1"));
    REQUIRE(tls_at(&tls, &id, NULL));
    REQUIRE(tls_client_new(&(struct tls_client_options){.ca_file = id.certificate}, &client, &err));
    REQUIRE(sock_listen(&any, NULL, &l, &err));
    for (int cut = 0; cut < 2; cut++) {
        struct tls_pair p = {0};

        REQUIRE(tls_pair_open(&p, l, tls, client));
        if (cut)
            stream_cut(p.server, false);
        stream_close(&p.server);
        char byte;
        size_t got = 1;
        bool read = stream_read(p.client, &byte, 1, &got, &err);
        EXPECT(cut ? !read : read && got == 0, "cut %d: %s", cut, err.text);
        stream_close(&p.client);
    }
    listener_close(&l);
    tls_client_free(&client);
    tls_server_free(&tls);
}

/* ---- two loops ---- */

struct shared {
    struct tls_server *tls;
    int answers; /* of one loop */
};

static void serve_and_ask(void *arg)
{
    struct shared *mine = arg;
    struct served s;

    REQUIRE(served_start(&s, &(struct http_server_options){.handler = answer, .tls = mine->tls}));
    for (int i = 0; i < 20; i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct str body;
        char url[ADDR_TEXT_MAX + 32];

        if (i % 5 == 4 && !tls_server_reload(mine->tls, &err))
            EXPECT(false, "%s", err.text);
        if (i % 3 == 2)
            http_client_drop_idle();
        snprintf(url, sizeof url, "https://localhost:%s", strrchr(s.url, ':') + 1);
        mine->answers += fetch(arena, url, "/stream", &body, &err) == 200;
        EXPECT(body.len == 2000, "%s", err.text);
    }
    served_stop(&s);
}

/* One certificate, one resolver, one set of options for all loops; the rest is each loop's own. */
struct ticketer {
    const struct identity *id;
    int listener;
    atomic_int step; /* 1: begin a ticket, 2: its first record is out, 3: send the rest */
};

static int fill_ticket(SSL *ssl, void *ctx)
{
    static const char much[1500];

    (void)ctx;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much, sizeof much);
}

static void wait_for_step(struct ticketer *t, int step)
{
    while (t->step < step)
        usleep(1000);
}

/* Its ticket is a message of several records, and the first one comes alone. */
static void *send_long_ticket(void *arg)
{
    struct ticketer *t = arg;
    static char records[16 * 1024];
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int fd = accept(t->listener, NULL, NULL), len, first;
    char byte = 0;

    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_max_send_fragment(context, 512);
    SSL_CTX_set_session_ticket_cb(context, fill_ticket, NULL, NULL);
    EXPECT(SSL_CTX_use_certificate_chain_file(context, t->id->certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, t->id->key, SSL_FILETYPE_PEM) == 1);
    SSL *ssl = SSL_new(context);
    EXPECT(SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1);
    wait_for_step(t, 1);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl, out);
    EXPECT(SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1);
    len = BIO_read(out, records, sizeof records);
    first = 5 + ((unsigned char)records[3] << 8 | (unsigned char)records[4]);
    EXPECT(len > first && send(fd, records, (size_t)first, MSG_NOSIGNAL) == first, "%d %d", len,
           first);
    t->step = 2;
    wait_for_step(t, 3);
    EXPECT(send(fd, records + first, (size_t)(len - first), MSG_NOSIGNAL) == len - first);
    EXPECT(SSL_read(ssl, &byte, 1) == 1 && byte == 'x');
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return NULL;
}

static bool write_within(struct stream *stream, dur_ns time, struct err *err)
{
    struct iovec x = {(void *)(uintptr_t) "x", 1};
    struct scope limit;

    scope_open(&limit, fiber_now() + time);
    bool ok = stream_write(stream, &x, 1, err);
    scope_close(&limit);
    return ok;
}

/* OpenSSL writes nothing in the middle of a message that it reads: who writes waits for the rest of it. */
FIBER_TEST(writing_that_has_to_read_first_waits_for_what_comes)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t len = sizeof here;
    struct tls_client_options trusting;
    struct tls_client *tls = NULL;
    struct stream *stream = NULL;
    struct sock *sock = NULL;
    struct identity id;
    struct ticketer t = {.id = &id};
    struct addr at;
    struct scope limit;
    struct err err = {0};
    pthread_t other;
    char byte;
    size_t got;

    REQUIRE(make_identity(&id, test_dir(), "server", "IP:127.0.0.1"));
    trusting = (struct tls_client_options){.ca_file = id.certificate};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    t.listener = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(bind(t.listener, (struct sockaddr *)&here, sizeof here) == 0 &&
            listen(t.listener, 1) == 0 &&
            getsockname(t.listener, (struct sockaddr *)&here, &len) == 0);
    snprintf(at.text, sizeof at.text, "127.0.0.1:%d", ntohs(here.sin_port));
    REQUIRE(pthread_create(&other, NULL, send_long_ticket, &t) == 0);
    REQUIRE(tls_client_new(&trusting, &tls, &err) && sock_connect(&at, &sock, &err) &&
                stream_tls_connect(&sock, tls, "127.0.0.1", &stream, &err),
            "%s", err.text);
    t.step = 1;
    while (t.step < 2)
        EXPECT(fiber_sleep(MILLISECOND, &err));
    scope_open(&limit, fiber_now() + 50 * MILLISECOND);
    EXPECT(!stream_read(stream, &byte, 1, &got, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
    scope_close(&limit);
    EXPECT(!write_within(stream, 50 * MILLISECOND, &err) && err.code == ERR_TIMEOUT, "%s",
           err.text);
    t.step = 3;
    EXPECT(write_within(stream, PATIENCE, &err), "%s", err.text);
    pthread_join(other, NULL);
    stream_close(&stream);
    tls_client_free(&tls);
    close(t.listener);
}

TEST(two_loops_share_what_is_shared)
{
    struct shared shared[2] = {0};
    void *args[] = {&shared[0], &shared[1]};
    struct err err = {0};
    struct identity id;
    struct tls_server *tls = NULL;

    REQUIRE(make_identity(&id, test_dir(), "server", "DNS:localhost"));
    REQUIRE(tls_at(&tls, &id, NULL));
    shared[0].tls = shared[1].tls = tls;
    trust(id.certificate);
    REQUIRE(resolve_init(NULL, &err), "%s", err.text);
    EXPECT(loops_run(2, NULL, serve_and_ask, args, &err), "%s", err.text);
    EXPECT(shared[0].answers == 20 && shared[1].answers == 20);
    resolve_done();
    tls_server_free(&tls);
}
