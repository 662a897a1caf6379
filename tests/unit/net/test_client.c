#include "net_rig.h"

#include <stdio.h>
#include <string.h>

#include "net/http_client_internal.h"
#include "net/resolve.h"
#include "sys/loop.h"

/* ---- URLs ---- */

static const struct {
    const char *name, *url;
    bool ok, tls;
    const char *host;
    int port;
    const char *path;
} url_cases[] = {
    {"plain", "http://example.com", true, false, "example.com", 80, ""},
    {"slash at the end", "http://example.com/", true, false, "example.com", 80, ""},
    {"tls, port and prefix", "https://a.b:8443/v1/x/", true, true, "a.b", 8443, "/v1/x"},
    {"upper case scheme", "HTTPS://a", true, true, "a", 443, ""},
    {"v6", "http://[::1]:8080/v1", true, false, "::1", 8080, "/v1"},
    {"v6 without port", "http://[::1]", true, false, "::1", 80, ""},
    {"unix", "unix:/run/x.sock", true, false, "unix:/run/x.sock", 0, ""},
    {"no scheme", "example.com", false, false, "", 0, ""},
    {"another scheme", "ftp://example.com", false, false, "", 0, ""},
    {"no host", "http:///v1", false, false, "", 0, ""},
    {"port zero", "http://a:0", false, false, "", 0, ""},
    {"port too large", "http://a:65536", false, false, "", 0, ""},
    {"empty port", "http://a:/", false, false, "", 0, ""},
    {"user name", "http://me:secret@a/", false, false, "", 0, ""},
    {"query", "http://a/v1?x=1", false, false, "", 0, ""},
    {"blank in the path", "http://a/v 1", false, false, "", 0, ""},
    {"line end in the host", "http://a\r\nX: y", false, false, "", 0, ""},
    {"bracket left open", "http://[::1/v1", false, false, "", 0, ""},
    {"bytes after the bracket", "http://[::1]x:80", false, false, "", 0, ""},
    {"unix without a path", "unix:x", false, false, "", 0, ""},
    {"empty", "", false, false, "", 0, ""},
};

TEST(urls)
{
    for (size_t i = 0; i < ARRAY_LEN(url_cases); i++) {
        struct http_url url = {0};
        struct err err = {0};
        bool ok = http_url_parse(str_from(url_cases[i].url), &url, &err);

        EXPECT(ok == url_cases[i].ok, "%s: %s", url_cases[i].name, err.text);
        EXPECT(ok || err.code == ERR_INVALID, "%s", url_cases[i].name);
        if (ok && url_cases[i].ok)
            EXPECT(url.tls == url_cases[i].tls && url.port == url_cases[i].port &&
                       str_eq(url.host, str_from(url_cases[i].host)) &&
                       str_eq(url.path, str_from(url_cases[i].path)),
                   "%s: " STR_FMT " %d " STR_FMT, url_cases[i].name, STR_ARG(url.host), url.port,
                   STR_ARG(url.path));
    }
}

/* ---- against our own server ---- */

static void answer(struct http_exchange *x, void *ctx)
{
    static const struct http_reply reply = {.status = 200, .content_type = {"text/plain", 10}};
    struct str path = http_head(x)->path, body;
    struct err err = {0};

    (void)ctx;
    if (!http_body(x, &body, &err))
        return;
    if (str_eq(path, STR("/stream"))) {
        if (http_begin(x, &reply, &err) && http_piece(x, STR("first "), &err))
            for (int i = 0; i < 100 && http_piece(x, STR("0123456789"), &err); i++)
                fiber_yield();
        EXPECT(http_end(x, STR(" last"), &err), "%s", err.text);
    } else if (str_eq(path, STR("/slow"))) {
        (void)!fiber_sleep(PATIENCE, &err);
    } else {
        EXPECT(http_send(x, &reply, body.len > 0 ? body : path, &err), "%s", err.text);
    }
}

static const struct http_server_options plain = {.handler = answer};

FIBER_TEST(connections_are_reused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str body = STR_NONE;
    struct err err = {0};
    struct served s;

    http_client_init(NULL);
    REQUIRE(served_start(&s, &plain));
    for (int i = 0; i < 5; i++) {
        EXPECT(fetch(arena, s.url, "/abc", &body, &err) == 200, "%s", err.text);
        EXPECT(str_eq(body, STR("/abc")));
        EXPECT(http_client_stats().idle == 1 && http_client_stats().open == 1);
    }
    EXPECT(http_client_stats().connects == 1 && http_client_stats().reuses == 4);
    EXPECT(http_server_stats(s.server).accepted == 1);
    EXPECT(str_eq(body, STR("/abc")), "a whole body lives as long as the arena");
    served_stop(&s);
    EXPECT(http_client_stats().open == 0);
}

FIBER_TEST(posted_bodies_come_back)
{
    static const size_t sizes[] = {0, 1, 4000, 17000, 300000};
    struct served s;

    http_client_init(NULL);
    REQUIRE(served_start(&s, &plain));
    struct http_url url = url_of(s.url);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct http_call *call CLEANUP(http_call_end) = NULL;
        struct str pieces[12], got;
        struct err err = {0};
        char *bytes = arena_alloc(arena, sizes[i] + 1);
        size_t step = sizes[i] / ARRAY_LEN(pieces);

        for (size_t at = 0; at < sizes[i]; at++)
            bytes[at] = (char)('A' + at % 29);
        for (size_t at = 0; at < ARRAY_LEN(pieces); at++)
            pieces[at] = (struct str){bytes + at * step, step};
        pieces[11].len = sizes[i] - 11 * step;
        struct http_outgoing out = {.method = STR("POST"),
                                    .path = STR("/p"),
                                    .body = pieces,
                                    .body_count = ARRAY_LEN(pieces)};
        EXPECT(http_call(arena, &url, &out, &call, &err) && http_call_body(call, MIB, &got, &err),
               "%s", err.text);
        if (call)
            EXPECT(str_eq(got, sizes[i] ? (struct str){bytes, sizes[i]} : STR("/p")), "%zu bytes",
                   sizes[i]);
    }
    served_stop(&s);
}

FIBER_TEST(streams_are_read_as_they_come)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_call *call = NULL;
    struct err err = {0};
    struct str bytes;
    struct served s;
    size_t total = 0;

    http_client_init(NULL);
    REQUIRE(served_start(&s, &plain));
    EXPECT(ask_for(arena, s.url, "/stream", &call, &err), "%s", err.text);
    while (call && http_call_next(call, &bytes, &err) && bytes.len > 0) {
        if (total == 0)
            EXPECT(str_starts(bytes, STR("first ")));
        total += bytes.len;
    }
    EXPECT(total == 6 + 1000 + 5, "%zu: %s", total, err.text);
    if (call) {
        EXPECT(str_eq(http_field(&http_call_head(call)->fields, STR("content-type")),
                      STR("text/plain")));
        EXPECT(http_call_next(call, &bytes, &err) && bytes.len == 0, "it stays at its end");
    }
    http_call_end(&call);
    EXPECT(http_client_stats().idle == 1);
    served_stop(&s);
}

FIBER_TEST(a_whole_stream_is_a_body)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct served s;

    http_client_init(NULL);
    REQUIRE(served_start(&s, &plain));
    EXPECT(fetch(arena, s.url, "/stream", &body, &err) == 200, "%s", err.text);
    EXPECT(body.len == 1011 && str_ends(body, STR("9 last")));
    struct http_call *call CLEANUP(http_call_end) = NULL;
    EXPECT(ask_for(arena, s.url, "/stream", &call, &err), "%s", err.text);
    EXPECT(call && !http_call_body(call, 1010, &body, &err) && err.code == ERR_TOO_LARGE);
    served_stop(&s);
}

FIBER_TEST(unix_sockets_are_origins)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct served s;
    char path[300];

    http_client_init(NULL);
    snprintf(path, sizeof path, "unix:%s/s", test_dir());
    REQUIRE(served_start_at(&s, &plain, path));
    EXPECT(fetch(arena, s.url, "/u", &body, &err) == 200 && str_eq(body, STR("/u")), "%s",
           err.text);
    served_stop(&s);
}

FIBER_TEST(a_call_ends_with_its_scope)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_call *call = NULL;
    struct err err = {0};
    struct scope hurry;
    struct served s;

    http_client_init(NULL);
    REQUIRE(served_start(&s, &plain));
    scope_open(&hurry, fiber_now() + 50 * MILLISECOND);
    EXPECT(!ask_for(arena, s.url, "/slow", &call, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
    scope_close(&hurry);
    EXPECT(strstr(err.text, s.url), "the error names the origin: %s", err.text);
    EXPECT(http_client_stats().open == 0);
    served_stop(&s);
}

struct fetching {
    const char *url;
    int *done;
};

static void fetch_one(void *arg)
{
    struct fetching *f = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;

    EXPECT(fetch(arena, f->url, "/stream", &body, &err) == 200, "%s", err.text);
    ++*f->done;
}

FIBER_TEST(calls_above_the_limit_wait_their_turn)
{
    struct http_client_options o = {.connections_max = 2};
    struct fetching f = {0};
    struct err err = {0};
    struct scope all;
    struct served s;
    int done = 0;

    http_client_init(&o);
    REQUIRE(served_start(&s, &plain));
    f = (struct fetching){s.url, &done};
    scope_open(&all, 0);
    for (int i = 0; i < 7; i++)
        EXPECT(scope_spawn(&all, fetch_one, &f, &err));
    fiber_yield();
    EXPECT(http_client_stats().waiting == 5);
    EXPECT(scope_wait(&all, &err));
    scope_close(&all);
    EXPECT(done == 7);
    EXPECT(http_server_stats(s.server).accepted == 2);
    EXPECT(http_client_stats().connects == 2 && http_client_stats().reuses == 5);
    served_stop(&s);
    http_client_init(NULL);
}

FIBER_TEST(waiting_for_a_turn_ends_with_the_scope)
{
    struct http_client_options o = {.connections_max = 1};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_call *first CLEANUP(http_call_end) = NULL, *second = NULL;
    struct err err = {0};
    struct scope hurry;
    struct served s;

    http_client_init(&o);
    REQUIRE(served_start(&s, &plain));
    EXPECT(ask_for(arena, s.url, "/stream", &first, &err), "%s", err.text);
    EXPECT(first && !http_call_reused(first));
    scope_open(&hurry, fiber_now() + 30 * MILLISECOND);
    EXPECT(!ask_for(arena, s.url, "/x", &second, &err) && err.code == ERR_TIMEOUT);
    EXPECT(strstr(err.text, "wait for one of 1 connections"), "%s", err.text);
    scope_close(&hurry);
    http_call_end(&first);
    err = (struct err){0};
    EXPECT(ask_for(arena, s.url, "/x", &second, &err), "%s", err.text);
    http_call_end(&second);
    served_stop(&s);
    http_client_init(NULL);
}

/* More origins than are remembered: those that nobody uses make room. */
FIBER_TEST(origins_are_bounded)
{
    struct err err = {0};
    struct str body;
    char url[64];

    http_client_init(NULL);
    for (int port = 1; port <= 1100; port++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

        snprintf(url, sizeof url, "http://127.0.0.2:%d", port);
        err = (struct err){0};
        EXPECT(fetch(arena, url, "/", &body, &err) == 0 && err.code == ERR_UNAVAILABLE, "%s",
               err.text);
    }
}

FIBER_TEST(idle_connections_are_few_and_not_old)
{
    struct http_client_options o = {.idle_max = 1, .idle_timeout = 20 * MILLISECOND};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct fetching f = {0};
    struct err err = {0};
    struct scope all;
    struct str body;
    struct served s;
    int done = 0;

    http_client_init(&o);
    REQUIRE(served_start(&s, &plain));
    f = (struct fetching){s.url, &done};
    scope_open(&all, 0);
    for (int i = 0; i < 3; i++)
        EXPECT(scope_spawn(&all, fetch_one, &f, &err));
    EXPECT(scope_wait(&all, &err));
    scope_close(&all);
    EXPECT(http_client_stats().idle == 1 && http_client_stats().open == 1);
    EXPECT(fiber_sleep(40 * MILLISECOND, &err));
    EXPECT(fetch(arena, s.url, "/x", &body, &err) == 200, "%s", err.text);
    EXPECT(http_client_stats().reuses == 0 && http_client_stats().connects == 4);
    served_stop(&s);
    http_client_init(NULL);
}

FIBER_TEST(requests_that_would_break_a_line_are_not_sent)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_field fields[] = {{STR("X"), STR("a\r\nY: b")}, {STR("X Y"), STR("a")}};
    struct http_url url = url_of("http://127.0.0.1:1");
    struct http_call *call = NULL;
    struct err err = {0};

    http_client_init(NULL);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct http_outgoing out = {
            .method = STR("GET"), .path = STR("/"), .fields = &fields[i], .field_count = 1};
        EXPECT(!http_call(arena, &url, &out, &call, &err) && err.code == ERR_INVALID, "%s",
               err.text);
    }
    struct http_outgoing out = {.method = STR("GET"), .path = STR("/a b")};
    EXPECT(!http_call(arena, &url, &out, &call, &err) && err.code == ERR_INVALID, "%s", err.text);
}

FIBER_TEST(nobody_listens)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;

    http_client_init(NULL);
    EXPECT(fetch(arena, "http://127.0.0.1:1", "/", &body, &err) == 0);
    EXPECT(err.code == ERR_UNAVAILABLE && strstr(err.text, "http://127.0.0.1:1"), "%s", err.text);
    EXPECT(http_client_stats().open == 0 && http_client_stats().waiting == 0);
}

/* ---- against upstreams that misbehave ---- */

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *name, *answer;
    const char *body; /* NULL: it fails */
    const char *why;
} answer_cases[] = {
    {"length", OK_HEAD "Content-Length: 3\r\n\r\nabc", "abc", NULL},
    {"no body", "HTTP/1.1 204 No Content\r\n\r\n", "", NULL},
    {"until the end", OK_HEAD "\r\nabc", "abc", NULL},
    {"until the end, empty", OK_HEAD "\r\n", "", NULL},
    {"chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc",
     NULL},
    {"hints come first",
     "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_HEAD
     "Content-Length: 1\r\n\r\nx",
     "x", NULL},
    {"nothing", "", NULL, "answer cut after 0 bytes"},
    {"half a head", "HTTP/1.1 200 OK\r\nA: ", NULL, "answer cut after"},
    {"half a body", OK_HEAD "Content-Length: 10\r\n\r\nabcd", NULL, "answer cut after 4 bytes"},
    {"no body at all", OK_HEAD "Content-Length: 10\r\n\r\n", NULL, "answer cut after 0 bytes"},
    {"half a chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nab", NULL,
     "answer cut after 2 bytes"},
    {"no last chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", NULL,
     "answer cut after 2 bytes"},
    {"no end of the trailer", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", NULL,
     "answer cut after 2 bytes"},
    {"not http", "SSH-2.0-OpenSSH\r\n\r\n", NULL, "malformed answer"},
    {"both framings", OK_HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     NULL, "malformed answer"},
    {"bad chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", NULL, "malformed answer"},
    {"switching protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", NULL,
     "status 101 was not asked for"},
};

static size_t answer_case;

static void give_answer(struct sock *s, int number)
{
    (void)number;
    if (swallow(s, "\r\n\r\n"))
        (void)!say_text(s, answer_cases[answer_case].answer);
}

FIBER_TEST(answers_and_cuts)
{
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, give_answer));
    for (answer_case = 0; answer_case < ARRAY_LEN(answer_cases); answer_case++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        const char *name = answer_cases[answer_case].name, *want = answer_cases[answer_case].body;
        struct err err = {0};
        struct str body;
        bool ok = fetch(arena, f.url, "/", &body, &err) != 0;

        http_client_drop_idle(); /* it ends, but when that is seen is not sure */

        EXPECT(ok == (want != NULL), "%s: %s", name, err.text);
        if (ok && want)
            EXPECT(str_eq(body, str_from(want)), "%s: " STR_FMT, name, STR_ARG(body));
        if (!ok)
            EXPECT(err.code == ERR_UNAVAILABLE && strstr(err.text, f.url) &&
                       strstr(err.text, answer_cases[answer_case].why),
                   "%s: %s", name, err.text);
    }
    EXPECT(http_client_stats().stale == 0);
    fake_stop(&f);
    EXPECT(http_client_stats().open == 0);
}

/* Every byte of the answer comes in a read of its own. */
static void trickle(struct sock *s, int number)
{
    const char *answer =
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

    (void)number;
    if (!swallow(s, "\r\n\r\n"))
        return;
    for (size_t i = 0; answer[i]; i++) {
        (void)!say(s, (struct str){answer + i, 1});
        fiber_yield();
        fiber_yield();
    }
}

FIBER_TEST(an_answer_may_be_cut_anywhere)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body = STR_NONE;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, trickle));
    EXPECT(fetch(arena, f.url, "/", &body, &err) == 200 && str_eq(body, STR("abcde")), "%s",
           err.text);
    fake_stop(&f);
}

/* Heads of a little more than a page, of nearly 64 KiB and of more. */
static const size_t long_heads[] = {17000, 40000, 65000, 70000};

static void give_long_head(struct sock *s, int number)
{
    if (!swallow(s, "\r\n\r\n") || !say_text(s, OK_HEAD "Content-Length: 3\r\nLong: "))
        return;
    for (size_t i = 0; i < long_heads[number]; i += 10)
        (void)!say_text(s, "abcdefghij");
    (void)!say_text(s, "\r\n\r\nabc");
}

FIBER_TEST(heads_of_answers_have_a_limit)
{
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, give_long_head));
    for (size_t i = 0; i < ARRAY_LEN(long_heads); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct http_call *call CLEANUP(http_call_end) = NULL;
        struct err err = {0};
        struct str body;
        bool ok = ask_for(arena, f.url, "/", &call, &err);

        EXPECT(ok == (long_heads[i] < 64 * KIB), "%zu: %s", long_heads[i], err.text);
        EXPECT(ok || strstr(err.text, "malformed answer: head above 65536 bytes"), "%s", err.text);
        if (ok && http_call_body(call, 10, &body, &err))
            EXPECT(str_eq(body, STR("abc")) &&
                   http_field(&http_call_head(call)->fields, STR("long")).len == long_heads[i]);
        http_call_end(&call);
        http_client_drop_idle();
    }
    fake_stop(&f);
}

static void answer_in_a_burst(struct sock *s, int number)
{
    (void)number;
    if (swallow(s, "\r\n\r\n"))
        (void)!say_text(s, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                                   "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n4\r\nfo");
    (void)!swallow(s, "never");
}

FIBER_TEST(a_burst_of_chunks_is_one_view)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct err err = {0};
    struct str bytes = STR_NONE;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, answer_in_a_burst));
    EXPECT(ask_for(arena, f.url, "/", &call, &err), "%s", err.text);
    EXPECT(call && http_call_next(call, &bytes, &err), "%s", err.text);
    EXPECT(str_eq(bytes, STR("onetwothreefo")), STR_FMT, STR_ARG(bytes));
    http_call_end(&call);
    EXPECT(http_client_stats().open == 0, "an unfinished answer is not pooled");
    fake_stop(&f);
}

/* Answers its first request on a connection and hangs up upon the second one. */
static void die_at_second(struct sock *s, int number)
{
    (void)number;
    if (swallow(s, "\r\n\r\n") && say_text(s, OK_HEAD "Content-Length: 2\r\n\r\nok"))
        (void)!swallow(s, "\r\n\r\n");
}

FIBER_TEST(a_stale_connection_is_replaced_once)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, die_at_second));
    EXPECT(fetch(arena, f.url, "/1", &body, &err) == 200, "%s", err.text);
    EXPECT(fetch(arena, f.url, "/2", &body, &err) == 200, "%s", err.text);
    EXPECT(http_client_stats().stale == 1 && f.connections == 2);
    fake_stop(&f);
}

/* Half an answer is an answer: it must not be asked for again. */
static void die_in_second(struct sock *s, int number)
{
    (void)number;
    if (swallow(s, "\r\n\r\n") && say_text(s, OK_HEAD "Content-Length: 2\r\n\r\nok") &&
        swallow(s, "\r\n\r\n"))
        (void)!say_text(s, "HTTP/1.1 2");
}

FIBER_TEST(a_begun_answer_is_not_repeated)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, die_in_second));
    EXPECT(fetch(arena, f.url, "/1", &body, &err) == 200, "%s", err.text);
    EXPECT(fetch(arena, f.url, "/2", &body, &err) == 0 && err.code == ERR_UNAVAILABLE);
    EXPECT(http_client_stats().stale == 0 && f.connections == 1);
    fake_stop(&f);
}

/* Every connection but the first dies: the replacement's failure is reported. */
static void answer_once(struct sock *s, int number)
{
    if (swallow(s, "\r\n\r\n") && number == 0 && say_text(s, OK_HEAD "Content-Length: 2\r\n\r\nok"))
        (void)!swallow(s, "\r\n\r\n");
}

FIBER_TEST(a_replacement_that_fails_is_an_error)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, answer_once));
    EXPECT(fetch(arena, f.url, "/1", &body, &err) == 200, "%s", err.text);
    EXPECT(fetch(arena, f.url, "/2", &body, &err) == 0 && err.code == ERR_UNAVAILABLE);
    EXPECT(http_client_stats().stale == 1 && f.connections == 2);
    fake_stop(&f);
}

static void answer_and_leave(struct sock *s, int number)
{
    (void)number;
    if (swallow(s, "\r\n\r\n"))
        (void)!say_text(s, OK_HEAD "Content-Length: 2\r\n\r\nok");
}

static int knows_two(const char *name, char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                     size_t *count)
{
    (void)name;
    memcpy(hosts[(*count)++], "127.0.0.2", sizeof "127.0.0.2"); /* nobody listens there */
    memcpy(hosts[(*count)++], "127.0.0.1", sizeof "127.0.0.1");
    return 0;
}

FIBER_TEST(an_address_that_nobody_is_at_leaves_no_error_behind)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct resolve_options o = {.ask = knows_two};
    struct err err = {0};
    struct str body;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(resolve_init(&o, &err), "%s", err.text);
    REQUIRE(fake_start(&f, answer_and_leave));
    struct str url = arena_fmt(arena, "http://two.example%s", strrchr(f.url, ':'));
    EXPECT(fetch(arena, url.ptr, "/1", &body, &err) == 200, "%s", err.text);
    EXPECT(err.code == ERR_NONE, "%s", err.text);
    fake_stop(&f);
    resolve_done();
}

/* It is in no ring any more, and closed in the next turn: until then it needs what it belongs to. */
FIBER_TEST(an_origin_stays_as_long_as_a_connection_of_it_that_is_being_closed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};
    struct str body;
    struct fake f;

    if (!have_kernel()) /* there the goodbye comes later */
        return;
    http_client_init(NULL);
    REQUIRE(fake_start(&f, answer_and_leave));
    EXPECT(fetch(arena, f.url, "/1", &body, &err) == 200, "%s", err.text);
    http_client_drop_idle(); /* and its goodbye is here already */
    EXPECT(http_client_stats().open == 1 && http_client_stats().idle == 0);
    const struct table *origins = &http_client_here(&err)->origins;
    for (int i = 0; i < 20000 && table_get(origins, str_from(f.url)); i++) {
        struct http_url url = url_of(arena_fmt(arena, "http://h%d.example", i).ptr);

        REQUIRE(http_origin_of(&url, NULL, false, &err), "%d: %s", i, err.text);
    }
    for (int i = 0; i < 1000 && http_client_stats().open > 0; i++)
        fiber_yield();
    EXPECT(http_client_stats().open == 0);
    fake_stop(&f);
}

FIBER_TEST(a_kept_connection_that_ends_is_dropped)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, answer_and_leave));
    EXPECT(fetch(arena, f.url, "/1", &body, &err) == 200, "%s", err.text);
    for (int i = 0; i < 1000 && http_client_stats().open > 0; i++)
        fiber_yield();
    EXPECT(http_client_stats().open == 0 && http_client_stats().idle == 0);
    fake_stop(&f);
}

/* Number 0 in one go, number 1 when the body is read into a block of its own. */
static void say_too_much(struct sock *s, int number)
{
    if (swallow(s, "\r\n\r\n")) {
        (void)!say_text(s, OK_HEAD "Content-Length: 2\r\n\r\n");
        for (int i = 0; i < 5 * number; i++)
            fiber_yield();
        (void)!say_text(s, "okHTTP/1.1 200 OK\r\n");
    }
    (void)!swallow(s, "never");
}

FIBER_TEST(bytes_after_an_answer_end_the_connection)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str body;
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, say_too_much));
    for (int i = 0; i < 2; i++) {
        EXPECT(fetch(arena, f.url, "/1", &body, &err) == 200 && str_eq(body, STR("ok")), "%s",
               err.text);
        EXPECT(http_client_stats().idle == 0 && http_client_stats().open == 0);
    }
    fake_stop(&f);
}

/* Answer before the request is whole. Number 0 reads the rest; the next one closes over it, which
 * resets the connection under the client's write. */
static void refuse_early(struct sock *s, int number)
{
    struct err err = {0};
    char some[4096];
    size_t got = 1;

    if (sock_read(s, some, 64, &got, &err))
        (void)!say_text(s, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
    sock_end_writing(s);
    while (number == 0 && sock_read(s, some, sizeof some, &got, &err) && got > 0)
        continue;
}

FIBER_TEST(an_early_answer_is_heard)
{
    struct fake f;

    http_client_init(NULL);
    REQUIRE(fake_start(&f, refuse_early));
    struct http_url url = url_of(f.url);
    for (int i = 0; i < (have_kernel() ? 2 : 1); i++) { /* simulated resets lose what was sent */
        struct arena *arena CLEANUP(arena_end) = arena_new(32 * MIB);
        struct http_call *call CLEANUP(http_call_end) = NULL;
        struct str body = {arena_alloc(arena, 16 * MIB), 16 * MIB};
        struct http_outgoing out = {
            .method = STR("POST"), .path = STR("/"), .body = &body, .body_count = 1};
        struct err err = {0};

        EXPECT(http_call(arena, &url, &out, &call, &err), "%d: %s", i, err.text);
        EXPECT(call && http_call_head(call)->status == 413);
        http_call_end(&call);
        EXPECT(http_client_stats().idle == 0, "half a request was sent: not to be reused");
    }
    fake_stop(&f);
}
