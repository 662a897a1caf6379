#include "base/fault.h"
#include "net_rig.h"

#include <stdio.h>
#include <string.h>

#define SHORT     (50 * MILLISECOND)
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* What the handler saw of the exchange that waits until its client leaves. */
static struct {
    bool waits, cancelled;
} leaving;

static const struct http_reply text_reply = {.status = 200, .content_type = {"text/plain", 10}};

static void echo(struct http_exchange *x)
{
    struct err err = {0};
    struct str body;

    if (http_body(x, &body, &err)) /* else the server answers */
        (void)!http_send(x, &text_reply, body, &err);
}

/* What came, however it was cut. */
static void echo_pieces(struct http_exchange *x)
{
    struct err err = {0};
    struct str piece = STR_NONE;
    struct buf all;

    buf_init(&all, http_arena(x), 8 * MIB);
    do {
        if (!http_body_next(x, &piece, &err))
            return; /* the server answers */
        buf_str(&all, piece);
    } while (piece.len > 0);
    EXPECT(http_body_next(x, &piece, &err) && piece.len == 0, "the end stays: %s", err.text);
    (void)!http_send(x, &text_reply, buf_view(&all), &err);
}

static void stream_three(struct http_exchange *x, bool finish)
{
    struct err err = {0};

    if (!http_begin(x, &text_reply, &err))
        return;
    EXPECT(!http_head_sent(x));
    if (!http_piece(x, STR("one,"), &err))
        return;
    EXPECT(http_head_sent(x));
    if (http_piece(x, STR(""), &err) && http_piece(x, STR("two,"), &err) && finish)
        (void)!http_end(x, STR("three"), &err);
    else
        http_abort(x);
}

static void wait_for_leaving(struct http_exchange *x)
{
    struct err err = {0};

    (void)x;
    leaving.waits = true;
    leaving.cancelled = !fiber_sleep(PATIENCE, &err) && err.code == ERR_CANCELLED;
}

static void send_fields(struct http_exchange *x)
{
    struct http_field fields[2] = {{STR("X-One"), STR("1")}, {STR("X-Two"), STR("")}};
    struct http_reply reply = {.status = 429, .fields = fields, .field_count = 2};
    struct str pieces[10];
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        pieces[i] = i % 2 ? STR("") : STR("ab");
    EXPECT(http_send_pieces(x, &reply, pieces, ARRAY_LEN(pieces), &err), "%s", err.text);
}

/* What became of the answer that is larger than any socket's buffers. */
static struct {
    bool over, sent;
    enum err_code code;
} large_answer;

#define LARGE_ANSWER (24 * MIB)

static void send_large(struct http_exchange *x)
{
    char *bytes = arena_alloc(http_arena(x), LARGE_ANSWER);
    struct err err = {0};

    large_answer.sent = bytes && http_send(x, &text_reply, (struct str){bytes, LARGE_ANSWER}, &err);
    large_answer.code = err.code;
    large_answer.over = true;
}

static void tell_facts(struct http_exchange *x)
{
    struct err err = {0};
    struct str body;

    EXPECT(http_body(x, &body, &err) && body.len == 3, "%s", err.text);
    EXPECT(http_body(x, &body, &err) && body.len == 3, "the body stays: %s", err.text);
    EXPECT(http_received_bytes(x) == 55, "%" PRIu64, http_received_bytes(x));
    EXPECT(http_started(x) > 0 && http_started(x) <= fiber_now());
    EXPECT(!scope_is_over(http_scope(x)) && http_peer_certificate(x)[0] == 0);
    struct str text = arena_fmt(http_arena(x), "%s %s", http_peer(x).text,
                                http_peer_is_local(x) ? "local" : "remote");
    EXPECT(http_send(x, &text_reply, text, &err), "%s", err.text);
    EXPECT(http_sent_bytes(x) > text.len && http_head_sent(x));
}

static void work_until_cut(struct http_exchange *x)
{
    struct err err = {0}, why = {0};
    struct scope work;

    scope_open(&work, 0);
    http_work(x, &work);
    EXPECT(!fiber_sleep(PATIENCE, &why) && why.code == ERR_CANCELLED);
    http_work(x, NULL);
    scope_close(&work);
    EXPECT(http_is_cut(x) && !scope_is_over(http_scope(x)));
    EXPECT(http_send(x, &text_reply, STR("was cut"), &err), "%s", err.text);
}

static void handle(struct http_exchange *x, void *ctx)
{
    struct str path = http_head(x)->path;
    struct err err = {0};

    (void)ctx;
    if (str_eq(path, STR("/echo")))
        echo(x);
    else if (str_eq(path, STR("/pieces")))
        echo_pieces(x);
    else if (str_eq(path, STR("/stream")))
        stream_three(x, true);
    else if (str_eq(path, STR("/abort")))
        stream_three(x, false);
    else if (str_eq(path, STR("/wait")))
        wait_for_leaving(x);
    else if (str_eq(path, STR("/work")))
        work_until_cut(x);
    else if (str_eq(path, STR("/fields")))
        send_fields(x);
    else if (str_eq(path, STR("/large")))
        send_large(x);
    else if (str_eq(path, STR("/facts")))
        tell_facts(x);
    else if (str_eq(path, STR("/nothing")))
        return;
    else if (str_eq(path, STR("/unread")))
        EXPECT(http_send(x, &text_reply, STR("no thanks"), &err), "%s", err.text);
    else
        EXPECT(http_send(x, &text_reply, path, &err), "%s", err.text);
}

static const struct http_server_options plain = {.handler = handle};

/* ---- answers ---- */

FIBER_TEST(one_answer_and_keep_alive)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, GET("/a")));
        EXPECT(hear(t, "\r\n\r\n/a"), "%s", t->heard);
        EXPECT(strncmp(t->heard, "HTTP/1.1 200 OK\r\nDate: ", 23) == 0, "%s", t->heard);
        EXPECT(strstr(t->heard, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"),
               "%s", t->heard);
        EXPECT(say_text(t->sock, GET("/b")));
        EXPECT(hear(t, "\r\n\r\n/b"), "%s", t->heard);
        EXPECT(http_server_stats(s.server).accepted == 1);
        EXPECT(http_server_stats(s.server).requests == 2);
    }
    talk_close(t);
    served_stop(&s);
}

FIBER_TEST(pipelined_requests_are_answered_in_order)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, GET("/one") "POST /echo HTTP/1.1\r\nHost: x\r\n"
                                             "Content-Length: 4\r\n\r\n/two" GET("/three")));
        EXPECT(hear(t, "\r\n\r\n/three"));
        const char *one = strstr(t->heard, "\r\n\r\n/one"), *two = strstr(t->heard, "\n/two");
        EXPECT(one && two && one < two && two < strstr(t->heard, "/three"), "%s", t->heard);
        EXPECT(count_of(t, "HTTP/1.1 200 OK") == 3);
    }
    talk_close(t);
    served_stop(&s);
}

#define IN_CHUNKS(path)                                                           \
    STR("POST " path " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" \
        "4;x=y\r\nwhol\r\n1\r\ne\r\n0\r\nTrailer: t\r\n\r\n" GET("/next"))

static void cut_anywhere(struct str text)
{
    struct served s;

    if (!served_start(&s, &plain))
        return;
    for (size_t cut = 1; cut < text.len; cut++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct talk *t = talk_open(arena, &s.at);
        if (!t)
            break;
        EXPECT(say(t->sock, str_slice(text, 0, cut)));
        fiber_yield();
        fiber_yield();
        EXPECT(say(t->sock, str_slice(text, cut, text.len)));
        EXPECT(hear(t, "\r\n\r\nwhole") && hear(t, "/next"), "cut at %zu: %s", cut, t->heard);
        talk_close(t);
    }
    served_stop(&s);
}

FIBER_TEST(a_request_may_be_cut_anywhere)
{
    cut_anywhere(IN_CHUNKS("/echo"));
    cut_anywhere(IN_CHUNKS("/pieces"));
    cut_anywhere(
        STR("POST /pieces HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nwhole" GET("/next")));
}

/* Some clients send one behind a body, and its length does not count it. */
FIBER_TEST(an_empty_line_before_a_request_is_passed_over)
{
    static const char *const asked[] = {
        "\r\n" GET("/one") "\r\n" GET("/next"),
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n/one\r\n" GET("/next"),
    };
    struct served s;

    REQUIRE(served_start(&s, &plain));
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct str text = str_from(asked[i]);

        for (size_t cut = 1; cut < text.len; cut++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
            struct talk *t = talk_open(arena, &s.at);

            if (!t)
                break;
            EXPECT(say(t->sock, str_slice(text, 0, cut)));
            fiber_yield();
            fiber_yield();
            EXPECT(say(t->sock, str_slice(text, cut, text.len)));
            EXPECT(hear(t, "\r\n\r\n/one") && hear(t, "\r\n\r\n/next"), "cut at %zu: %s", cut,
                   t->heard);
            talk_close(t);
        }
    }
    EXPECT(http_server_stats(s.server).refused == 0);
    served_stop(&s);
}

/* Else the refusal would be taken for the answer to what the client asks next. */
FIBER_TEST(an_empty_line_behind_a_body_begins_no_request)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_server_options o = plain;
    struct err err = {0};
    struct served s;

    o.head_timeout = SHORT;
    REQUIRE(served_start(&s, &o));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
                                 "/one\r\n"));
        EXPECT(hear(t, "\r\n\r\n/one"), "%s", t->heard);
        EXPECT(fiber_sleep(4 * SHORT, &err));
        EXPECT(say_text(t->sock, GET("/next")));
        EXPECT(hear(t, "\r\n\r\n/next") && count_of(t, "HTTP/1.1 ") == 2, "%s", t->heard);
        EXPECT(say_text(t->sock, "\r\n"));
        EXPECT(fiber_sleep(4 * SHORT, &err));
        EXPECT(say_text(t->sock, GET("/last")));
        EXPECT(hear(t, "\r\n\r\n/last") && count_of(t, "HTTP/1.1 ") == 3, "%s", t->heard);
        EXPECT(say_text(t->sock, "\r\n") && fiber_sleep(SHORT, &err));
        EXPECT(say_text(t->sock, "\r\n") && hear_end(t) && strstr(t->heard, "HTTP/1.1 400 "), "%s",
               t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

/* A body that does not fit the page it came in, and comes in many pieces. */
FIBER_TEST(large_bodies_arrive_whole)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    static const size_t sizes[] = {3000, 4096, 5000, 70000, 200000,
                                   3000, 4096, 5000, 70000, 200000};
    struct served s;
    char head[128];

    REQUIRE(served_start(&s, &plain));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct talk *t = talk_open(arena, &s.at);
        char *body = arena_alloc(arena, sizes[i]);
        if (!t || !body)
            break;
        for (size_t at = 0; at < sizes[i]; at++)
            body[at] = (char)('a' + at % 23);
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 i < ARRAY_LEN(sizes) / 2 ? "/echo" : "/pieces", sizes[i]);
        EXPECT(say_text(t->sock, head) && say(t->sock, (struct str){body, sizes[i]}));
        EXPECT(say_text(t->sock, GET("/end")));
        EXPECT(hear(t, "\r\n\r\n/end"));
        const char *came = strstr(t->heard, "\r\n\r\n");
        EXPECT(came && memcmp(came + 4, body, sizes[i]) == 0, "%zu bytes", sizes[i]);
        talk_close(t);
    }
    served_stop(&s);
}

FIBER_TEST(streams_are_chunked)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, GET("/stream") GET("/after")));
        EXPECT(hear(t, "/after"));
        EXPECT(strstr(t->heard, "Transfer-Encoding: chunked\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n"
                                "5\r\nthree\r\n0\r\n\r\nHTTP/1.1 200 OK"),
               "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

FIBER_TEST(an_aborted_stream_has_no_last_chunk)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, GET("/abort")));
        EXPECT(hear_end(t));
        EXPECT(strstr(t->heard, "two,\r\n") && !strstr(t->heard, "0\r\n\r\n"), "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

static const struct {
    const char *name, *request, *want, *never;
} answer_cases[] = {
    {"head has no body", "HEAD /abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
     "Content-Length: 4\r\nConnection: close\r\n\r\n", "/abc"},
    {"head of a stream has no chunk",
     "HEAD /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "chunked\r\n", "one,"},
    {"close is said and done", "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
     "Connection: close\r\n\r\n/x", "keep-alive"},
    {"1.0 closes", "GET /x HTTP/1.0\r\n\r\n", "Connection: close\r\n\r\n/x", "keep-alive"},
    {"1.0 gets no chunks", "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "Connection: close\r\n\r\none,two,three", "chunked"},
    {"fields and many pieces", "GET /fields HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
     "HTTP/1.1 429 Too Many Requests\r\n", "Content-Type"},
    {"values may be empty", "GET /fields HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
     "X-One: 1\r\nX-Two: \r\nContent-Length: 10\r\nConnection: close\r\n\r\nababababab",
     "ababababababab"},
    {"a handler that says nothing", GET("/nothing"), "HTTP/1.1 500 Internal Server Error\r\n",
     "200 OK"},
    {"an unread body ends the connection",
     "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\nabc", "Connection: close\r\n",
     "keep-alive"},
    {"chunks",
     "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
     "Content-Length: 5\r\nConnection: close\r\n\r\nabcde", "HTTP/1.1 4"},
};

FIBER_TEST(answers)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    for (size_t i = 0; i < ARRAY_LEN(answer_cases); i++) {
        struct talk *t = talk_open(arena, &s.at);
        if (!t)
            break;
        EXPECT(say_text(t->sock, answer_cases[i].request));
        EXPECT(hear_end(t) && strstr(t->heard, answer_cases[i].want), "%s: %s",
               answer_cases[i].name, t->heard);
        EXPECT(!strstr(t->heard, answer_cases[i].never), "%s: %s", answer_cases[i].name, t->heard);
        talk_close(t);
    }
    served_stop(&s);
}

FIBER_TEST(keep_alive_of_1_0_is_honoured)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        EXPECT(hear(t, "Connection: keep-alive\r\n\r\n/a"), "%s", t->heard);
        EXPECT(say_text(t->sock, GET("/b")));
        EXPECT(hear(t, "\r\n\r\n/b"), "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

FIBER_TEST(expect_continue)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                 "Expect: 100-continue\r\n\r\n"));
        EXPECT(hear(t, "HTTP/1.1 100 Continue\r\n\r\n"), "%s", t->heard);
        EXPECT(say_text(t->sock, "abc"));
        EXPECT(hear(t, "\r\n\r\nabc"), "%s", t->heard);
        EXPECT(say_text(t->sock, "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                 "Expect: 100-continue\r\n\r\n"));
        EXPECT(hear_end(t) && strstr(t->heard, "no thanks"), "%s", t->heard);
        EXPECT(count_of(t, "100 Continue") == 1, "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

/* ---- refusals ---- */

static bool repeat(struct arena *arena, struct str piece, size_t bytes, struct str *out)
{
    char *at = arena_alloc_raw(arena, bytes + piece.len);

    *out = (struct str){at, 0};
    while (at && out->len < bytes) {
        memcpy(at + out->len, piece.ptr, piece.len);
        out->len += piece.len;
    }
    return at != NULL;
}

static const struct {
    const char *name, *start, *repeated;
    size_t bytes; /* of the repeated piece */
    const char *want, *end;
} refusal_cases[] = {
    {"not a request", "hello\r\n\r\n", NULL, 0, "HTTP/1.1 400 Bad Request\r\n"},
    {"bare line feeds", "GET / HTTP/1.1\nHost: x\n\n", NULL, 0, "HTTP/1.1 400 "},
    {"no host", "GET / HTTP/1.1\r\n\r\n", NULL, 0, "HTTP/1.1 400 "},
    {"two empty lines", "\r\n\r\n" GET("/"), NULL, 0, "HTTP/1.1 400 "},
    {"an empty line of a line feed", "\n" GET("/"), NULL, 0, "HTTP/1.1 400 "},
    {"many empty lines", "\r\n", "\r\n", 100000, "HTTP/1.1 400 "},
    {"target of 9 KB behind an empty line", "\r\nGET /", "a", 9000, "HTTP/1.1 414 URI Too Long\r\n",
     " HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"two framings",
     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", NULL,
     0, "HTTP/1.1 400 "},
    {"bad chunk",
     "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
     NULL, 0, "HTTP/1.1 400 "},
    {"target of 9 KB", "GET /", "a", 9000, "HTTP/1.1 414 URI Too Long\r\n",
     " HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"target of 100 KB", "GET /", "a", 100000, "HTTP/1.1 414 "},
    {"field of 16 KB", "GET / HTTP/1.1\r\nHost: x\r\nA: ", "a", 16 * KIB, "HTTP/1.1 431 "},
    {"a megabyte of fields", "GET / HTTP/1.1\r\nHost: x\r\n", "Name: value\r\n", MIB,
     "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {"announced body above the limit",
     "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n", "b", 70000,
     "HTTP/1.1 413 Content Too Large\r\n"},
    {"chunked body above the limit",
     "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
     "10\r\n0123456789abcdef\r\n", 200000, "HTTP/1.1 413 "},
    {"bad chunk, read in pieces",
     "POST /pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
     NULL, 0, "HTTP/1.1 400 "},
    {"chunked body above the limit, read in pieces",
     "POST /pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
     "10\r\n0123456789abcdef\r\n", 200000, "HTTP/1.1 413 "},
    {"body of more than 64 bits",
     "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", NULL, 0,
     "HTTP/1.1 400 "},
};

/* The client sees the answer although it goes on sending, and then the connection ends. */
FIBER_TEST(refusals_reach_the_client_and_close)
{
    struct http_server_options o = plain;
    struct served s;

    o.body_bytes_max = 64 * KIB;
    REQUIRE(served_start(&s, &o));
    for (size_t i = 0; i < ARRAY_LEN(refusal_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct talk *t = talk_open(arena, &s.at);
        struct str more = STR_NONE;
        if (!t)
            break;
        EXPECT(say_text(t->sock, refusal_cases[i].start));
        if (refusal_cases[i].repeated &&
            repeat(arena, str_from(refusal_cases[i].repeated), refusal_cases[i].bytes, &more))
            (void)!say(t->sock, more);
        if (refusal_cases[i].end)
            EXPECT(say_text(t->sock, refusal_cases[i].end));
        EXPECT(hear_end(t) && strstr(t->heard, refusal_cases[i].want), "%s: \"%s\"",
               refusal_cases[i].name, t->heard);
        EXPECT(strstr(t->heard, "Connection: close\r\n"), "%s: %s", refusal_cases[i].name,
               t->heard);
        EXPECT(strstr(t->heard, "\r\n\r\n{\"title\":"), "%s: %s", refusal_cases[i].name, t->heard);
        EXPECT(count_of(t, "HTTP/1.1 ") == 1, "%s: %s", refusal_cases[i].name, t->heard);
        talk_close(t);
    }
    served_stop(&s);
}

static struct str refuse_in_own_shape(const struct err *err, int status, struct str path,
                                      struct buf *body)
{
    buf_fmt(body, "mine %d %s at \"" STR_FMT "\"", status, err->text, STR_ARG(path));
    return STR("text/mine");
}

FIBER_TEST(refusals_take_the_shape_asked_for)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_server_options o = plain;
    struct served s;

    o.refuse = refuse_in_own_shape;
    REQUIRE(served_start(&s, &o));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, "GET / HTTP/1.1\r\n\r\n"));
        EXPECT(hear_end(t) && strstr(t->heard, "\r\n\r\nmine 400 no Host") &&
                   strstr(t->heard, " at \"\"") && strstr(t->heard, "Content-Type: text/mine\r\n"),
               "%s", t->heard);
    }
    talk_close(t);
    t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, "POST /here HTTP/1.1\r\nHost: h\r\nContent-Length: "
                                 "99999999999\r\n\r\n"));
        EXPECT(hear_end(t) && strstr(t->heard, "mine 413") && strstr(t->heard, " at \"/here\""),
               "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

/* ---- time ---- */

FIBER_TEST(a_slow_head_is_answered_with_408)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_server_options o = plain;
    struct served s;

    o.head_timeout = SHORT;
    REQUIRE(served_start(&s, &o));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        struct err err = {0};

        for (int i = 0; i < 40 && !strstr(t->heard, "408"); i++) {
            char byte[2] = {GET("/never-ends-in-time")[i], 0};
            (void)!say_text(t->sock, byte);
            (void)!fiber_sleep(5 * MILLISECOND, &err);
        }
        EXPECT(hear_end(t) && strstr(t->heard, "HTTP/1.1 408 Request Timeout\r\n"), "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

FIBER_TEST(a_slow_body_is_answered_with_408)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_server_options o = plain;
    struct served s;
    static const char *const starts[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };

    o.body_timeout = SHORT;
    REQUIRE(served_start(&s, &o));
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct talk *t = talk_open(arena, &s.at);
        if (!t)
            break;
        EXPECT(say_text(t->sock, starts[i]));
        EXPECT(hear_end(t) && strstr(t->heard, "HTTP/1.1 408 "), "%s", t->heard);
        talk_close(t);
    }
    served_stop(&s);
}

/* A client that takes nothing is given up; one that takes its time is not. */
FIBER_TEST(slow_readers)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * MIB);
    struct http_server_options o = plain;
    struct err err = {0};
    struct served s;

    for (int reads = 0; reads < 2; reads++) {
        o.write_timeout = reads ? 200 * SHORT : 4 * SHORT;
        REQUIRE(served_start(&s, &o));
        struct talk *t = talk_open(arena, &s.at);
        size_t got = 1, total = 0;
        REQUIRE(t);
        memset(&large_answer, 0, sizeof large_answer);
        EXPECT(say_text(t->sock, GET("/large")));
        while (!large_answer.over && got > 0) {
            if (!reads)
                EXPECT(fiber_sleep(SHORT, &err));
            else if (!sock_read(t->sock, t->heard, sizeof t->heard, &got, &err))
                break;
            total += reads ? got : 0;
        }
        EXPECT(large_answer.sent == reads, "%d: %d", reads, (int)large_answer.code);
        EXPECT(reads || large_answer.code == ERR_TIMEOUT);
        EXPECT(!reads || total > LARGE_ANSWER / 8);
        talk_close(t);
        served_stop(&s);
    }
}

FIBER_TEST(idle_connections_are_closed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_server_options o = plain;
    struct served s;

    o.idle_timeout = SHORT;
    REQUIRE(served_start(&s, &o));
    struct talk *silent = talk_open(arena, &s.at), *used = talk_open(arena, &s.at);
    if (silent && used) {
        EXPECT(say_text(used->sock, GET("/x")) && hear(used, "/x"));
        EXPECT(hear_end(used) && hear_end(silent) && silent->len == 0);
        EXPECT(http_server_stats(s.server).connections == 0);
    }
    talk_close(silent);
    talk_close(used);
    served_stop(&s);
}

/* ---- who leaves, who is too many ---- */

FIBER_TEST(a_client_that_leaves_cancels_its_handler)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;
    struct err err = {0};

    leaving.waits = leaving.cancelled = false;
    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t && say_text(t->sock, GET("/wait")))
        while (!leaving.waits && fiber_still_wanted(&err))
            fiber_yield();
    talk_close(t);
    while (http_server_stats(s.server).connections > 0 && fiber_still_wanted(&err))
        fiber_yield();
    EXPECT(leaving.cancelled);
    served_stop(&s);
}

FIBER_TEST(a_client_may_leave_in_its_own_body)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * MIB);
    static const char *const starts[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "POST /echo HT",
    };
    struct served s;

    REQUIRE(served_start(&s, &plain));
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct talk *t = talk_open(arena, &s.at);
        if (!t)
            break;
        EXPECT(say_text(t->sock, starts[i]));
        for (int turn = 0; turn < 5; turn++)
            fiber_yield();
        sock_end_writing(t->sock);
        EXPECT(hear_end(t) && t->len == 0, "%s", t->heard);
        talk_close(t);
    }
    EXPECT(http_server_stats(s.server).connections == 0);
    served_stop(&s);
}

FIBER_TEST(facts_of_an_exchange)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * MIB);
    char path[ADDR_TEXT_MAX];
    struct served s;

    snprintf(path, sizeof path, "unix:%s/s", test_dir());
    const char *const at[] = {"127.0.0.1:0", path};
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        REQUIRE(served_start_at(&s, &plain, at[i]));
        struct talk *t = talk_open(arena, &s.at);
        if (t) {
            EXPECT(say_text(t->sock, "POST /facts HTTP/1.1\r\nHost: x\r\n"
                                     "Content-Length: 3\r\n\r\nabc"));
            EXPECT(hear(t, i ? " local" : " remote"), "%s", t->heard);
            EXPECT(i || strstr(t->heard, "\r\n\r\n127.0.0.1:"), "%s", t->heard);
        }
        talk_close(t);
        served_stop(&s);
    }
}

FIBER_TEST(one_connection_too_many_gets_503)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * MIB);
    static const struct {
        uint32_t all, per_addr;
        const char *why;
    } cases[] = {{1, 0, "too many connections\""},
                 {0, 1, "too many connections from this address"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_server_options o = plain;
        struct served s;

        o.connections_max = cases[i].all;
        o.connections_per_addr = cases[i].per_addr;
        REQUIRE(served_start(&s, &o));
        struct talk *first = talk_open(arena, &s.at);
        if (first)
            EXPECT(say_text(first->sock, GET("/1")) && hear(first, "\r\n\r\n/1"));
        struct talk *second = talk_open(arena, &s.at);
        if (second) {
            EXPECT(say_text(second->sock, GET("/2")));
            EXPECT(hear_end(second) && strstr(second->heard, "HTTP/1.1 503 ") &&
                       strstr(second->heard, cases[i].why),
                   "%s", second->heard);
        }
        talk_close(second);
        talk_close(first);
        while (http_server_stats(s.server).connections > 0)
            fiber_yield();
        struct talk *third = talk_open(arena, &s.at);
        if (third)
            EXPECT(say_text(third->sock, GET("/3")) && hear(third, "\r\n\r\n/3"));
        talk_close(third);
        served_stop(&s);
    }
}

FIBER_TEST(a_connection_ends_after_its_last_request)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_server_options o = plain;
    struct served s;

    o.requests_per_connection = 2;
    REQUIRE(served_start(&s, &o));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, GET("/1") GET("/2") GET("/3")));
        EXPECT(hear_end(t) && strstr(t->heard, "Connection: close\r\n\r\n/2"), "%s", t->heard);
        EXPECT(count_of(t, "HTTP/1.1 200") == 2, "%s", t->heard);
    }
    talk_close(t);
    served_stop(&s);
}

FIBER_TEST(draining_waits_for_what_is_under_way)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * MIB);
    struct served s;
    struct err err = {0};

    REQUIRE(served_start(&s, &plain));
    struct talk *idle = talk_open(arena, &s.at), *busy = talk_open(arena, &s.at);
    if (idle && busy) {
        EXPECT(say_text(idle->sock, GET("/x")) && hear(idle, "/x"));
        EXPECT(say_text(busy->sock, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"));
        while (http_server_stats(s.server).active == 0 && fiber_still_wanted(&err))
            fiber_yield();
        struct scope hurry;
        scope_open(&hurry, fiber_now() + SHORT);
        EXPECT(!http_server_drain(s.server, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
        scope_close(&hurry);
        EXPECT(hear_end(idle));
        EXPECT(say_text(busy->sock, "abc"));
        EXPECT(http_server_drain(s.server, &err), "%s", err.text);
        EXPECT(hear_end(busy) && strstr(busy->heard, "Connection: close\r\n\r\nabc"), "%s",
               busy->heard);
        EXPECT(s.returned && s.whole);
    }
    talk_close(idle);
    talk_close(busy);
    served_stop(&s);
}

/* The server is stopped with connections in every state: resting, reading, handling. */
FIBER_TEST(stopping_ends_everything)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct served s;
    struct err err = {0};

    leaving.waits = leaving.cancelled = false;
    REQUIRE(served_start(&s, &plain));
    struct talk *fresh = talk_open(arena, &s.at), *half = talk_open(arena, &s.at),
                *busy = talk_open(arena, &s.at), *late = talk_open(arena, &s.at);
    if (fresh && half && busy && late) {
        EXPECT(say_text(half->sock, "GET / HT"));
        EXPECT(say_text(busy->sock, GET("/wait")));
        while (!leaving.waits && fiber_still_wanted(&err))
            fiber_yield();
        EXPECT(say_text(late->sock, GET("/x"))); /* its waker is on the way */
    }
    served_stop(&s);
    EXPECT(leaving.cancelled);
    if (fresh && half && busy && late)
        EXPECT(hear_end(fresh) && hear_end(half) && hear_end(busy) && hear_end(late));
    talk_close(fresh);
    talk_close(half);
    talk_close(busy);
    talk_close(late);
}

/* ---- when things fail ---- */

static bool never(void *ctx, const char *point)
{
    (void)ctx, (void)point;
    return false;
}

static void use_everything(const char *base)
{
    static char large[20000];
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct str bodies[] = {STR("small"), {large, sizeof large}}, got;
    struct http_url url = url_of(base);
    struct err err = {0};

    for (size_t i = 0; arena && i < ARRAY_LEN(bodies); i++) {
        struct http_call *call CLEANUP(http_call_end) = NULL;
        struct http_outgoing out = {
            .method = STR("POST"), .path = STR("/echo"), .body = &bodies[i], .body_count = 1};

        if (http_call(arena, &url, &out, &call, &err) && http_call_body(call, MIB, &got, &err) &&
            http_call_head(call)->status == 200)
            EXPECT(str_eq(got, bodies[i]), "fault %s", fault_last());
    }
    if (arena && fetch(arena, base, "/stream", &got, &err) == 200)
        EXPECT(str_eq(got, STR("one,two,three")), "fault %s", fault_last());
}

/* Every fallible point of server and client fails once; whatever the client gets, nothing is left
 * over and the next request is served. */
FIBER_TEST(each_failure_is_survived)
{
    bool more = true;
    uint64_t nth;

    http_client_init(NULL);
    for (nth = 1; more && nth < 1000; nth++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct err err = {0};
        struct served s;
        struct str got;

        REQUIRE(served_start(&s, &plain));
        fiber_yield(); /* until it accepts */
        fault_decide(NULL, NULL);
        more = fault_arm(nth);
        use_everything(s.url);
        fault_decide(never, NULL); /* keeps the count of what was reached */
        EXPECT(fetch(arena, s.url, "/after", &got, &err) == 200, "fault %" PRIu64 " %s: %s", nth,
               fault_last(), err.text);
        served_stop(&s);
        EXPECT(http_client_stats().open == 0 && http_client_stats().waiting == 0,
               "fault %" PRIu64 " %s", nth, fault_last());
    }
    fault_disarm();
    fault_decide(NULL, NULL);
    EXPECT(!more);
#ifdef WEIR_FAULT
    EXPECT(nth > 10, "%" PRIu64, nth);
#endif
}

/* ---- ids, and the end of a server ---- */

static uint64_t always_the_same_id(void *ctx)
{
    (void)ctx;
    return 0xabc;
}

FIBER_TEST(every_reply_carries_the_id)
{
    static const struct http_server_options named = {.handler = handle,
                                                     .next_id = always_the_same_id};
    static const char *const requests[] = {
        GET("/a"),
        GET("/stream"),
        "BAD\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct served s;

        REQUIRE(served_start(&s, &named));
        struct talk *t = talk_open(arena, &s.at);
        if (t) {
            EXPECT(say_text(t->sock, requests[i]));
            EXPECT(hear(t, "\r\nx-request-id: req_0000000000000abc\r\n"), "%s", t->heard);
            talk_close(t);
        }
        served_stop(&s);
    }
}

FIBER_TEST(an_encoded_body_is_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: br\r\n"
                                 "Content-Length: 1\r\n\r\nx"));
        EXPECT(hear_end(t));
        EXPECT(strncmp(t->heard, "HTTP/1.1 415 ", 13) == 0, "%s", t->heard);
        talk_close(t);
    }
    served_stop(&s);
}

FIBER_TEST(what_is_cut_can_still_answer)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct scope soon;
    struct served s;

    REQUIRE(served_start(&s, &plain));
    struct talk *t = talk_open(arena, &s.at);
    if (t) {
        EXPECT(say_text(t->sock, GET("/work")));
        while (http_server_stats(s.server).active == 0)
            fiber_yield();
        scope_open(&soon, fiber_now() + MILLISECOND);
        EXPECT(!http_server_drain(s.server, &err) && err.code == ERR_TIMEOUT);
        scope_close(&soon);
        http_server_cut(s.server);
        EXPECT(hear(t, "was cut"), "%s", t->heard);
        EXPECT(http_server_drain(s.server, &err));
        talk_close(t);
    }
    served_stop(&s);
}
