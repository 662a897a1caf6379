/* Heads and chunked bodies that are as they should be: what they say, and where they end. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/http_parse.h"
#include "test.h"

/* Parses a copy of exactly its size, so that the address sanitizer sees a read past the end. Only
 * what does not view the bytes may be looked at afterwards. */
static enum http_parse parse_exact(struct str bytes, size_t *used)
{
    struct http_head head;
    struct err err = {0};
    char *copy = malloc(bytes.len ? bytes.len : 1);

    memcpy(copy, bytes.ptr, bytes.len);
    enum http_parse got =
        http_parse_request((struct str){copy, bytes.len}, NULL, &head, used, &err);
    EXPECT((got == HTTP_BAD) == (err.code != ERR_NONE));
    free(copy);
    return got;
}

/* ---- requests ---- */

static const struct {
    const char *name;
    const char *text; /* a head, then perhaps more */
    const char *method, *path, *query;
    size_t fields;
    enum http_framing framing;
    uint64_t length;
    bool keep_alive, expect_continue, upgrade;
} requests[] = {
    {"least", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/", "", 1, HTTP_NO_BODY, 0, true},
    {"no fields at all in 1.0", "GET / HTTP/1.0\r\n\r\n", "GET", "/", "", 0, HTTP_NO_BODY, 0,
     false},
    {"1.0 that keeps alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "", 1,
     HTTP_NO_BODY, 0, true},
    {"1.0 that says both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET", "/",
     "", 1, HTTP_NO_BODY, 0, false},
    {"close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", "GET", "/", "", 2,
     HTTP_NO_BODY, 0, false},
    {"close among options", "GET / HTTP/1.1\r\nHost: x\r\nConnection: te , ,close\r\n\r\n", "GET",
     "/", "", 2, HTTP_NO_BODY, 0, false},
    {"close in a second field",
     "GET / HTTP/1.1\r\nHost: x\r\nConnection: te\r\nconnection: close\r\n\r\n", "GET", "/", "", 3,
     HTTP_NO_BODY, 0, false},
    {"closed is another option", "GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n", "GET",
     "/", "", 2, HTTP_NO_BODY, 0, true},
    {"empty Connection", "GET / HTTP/1.1\r\nHost: x\r\nConnection:\r\n\r\n", "GET", "/", "", 2,
     HTTP_NO_BODY, 0, true},
    {"length", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nhello", "POST", "/a", "",
     2, HTTP_LENGTH, 12, true},
    {"length zero", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "POST", "/a", "", 2,
     HTTP_LENGTH, 0, true},
    {"length with zeros", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 007\r\n\r\n", "POST",
     "/a", "", 2, HTTP_LENGTH, 7, true},
    {"length of 64 bits",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n", "POST", "/a",
     "", 2, HTTP_LENGTH, UINT64_MAX, true},
    {"length in 1.0", "POST /a HTTP/1.0\r\ncontent-length:5\r\n\r\n", "POST", "/a", "", 1,
     HTTP_LENGTH, 5, false},
    {"chunked", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "POST", "/a",
     "", 2, HTTP_CHUNKED, 0, true},
    {"chunked in capitals", "POST /a HTTP/1.1\r\nHost: x\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n",
     "POST", "/a", "", 2, HTTP_CHUNKED, 0, true},
    {"expect", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
     "POST", "/a", "", 3, HTTP_LENGTH, 1, true, true},
    {"expect in 1.0 means nothing",
     "POST /a HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", "POST", "/a", "", 2,
     HTTP_LENGTH, 1, false, false},
    {"upgrade", "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET", "/", "", 3, HTTP_NO_BODY, 0, true, false, true},
    {"query", "GET /a/b?c=d&e HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/a/b", "c=d&e", 1, HTTP_NO_BODY,
     0, true},
    {"empty query", "GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/a", "", 1, HTTP_NO_BODY, 0,
     true},
    {"two question marks", "GET /a?b?c HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/a", "b?c", 1,
     HTTP_NO_BODY, 0, true},
    {"escapes stay", "GET /%2F%7e?%20 HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/%2F%7e", "%20", 1,
     HTTP_NO_BODY, 0, true},
    {"what browsers send raw", "GET /a?b={|}[]^`' HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/a",
     "b={|}[]^`'", 1, HTTP_NO_BODY, 0, true},
    {"slashes", "GET //a//b/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "//a//b/", "", 1, HTTP_NO_BODY, 0,
     true},
    {"star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS", "*", "", 1, HTTP_NO_BODY, 0, true},
    {"absolute", "GET http://X:80/a?b HTTP/1.1\r\nHost: x:80\r\n\r\n", "GET", "/a", "b", 1,
     HTTP_NO_BODY, 0, true},
    {"absolute without path", "GET https://x HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/", "", 1,
     HTTP_NO_BODY, 0, true},
    {"absolute without path but a query", "GET http://x?a HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/",
     "a", 1, HTTP_NO_BODY, 0, true},
    {"absolute in 1.0 without Host", "GET http://x/a HTTP/1.0\r\n\r\n", "GET", "/a", "", 0,
     HTTP_NO_BODY, 0, false},
    {"own method", "M-SEARCH! / HTTP/1.1\r\nHost: x\r\n\r\n", "M-SEARCH!", "/", "", 1, HTTP_NO_BODY,
     0, true},
    {"host and port", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET", "/", "", 1, HTTP_NO_BODY,
     0, true},
    {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/", "", 1, HTTP_NO_BODY, 0, true},
    {"more behind the head", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\n\x01\n", "GET",
     "/", "", 1, HTTP_NO_BODY, 0, true},
};

TEST(http_requests)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct http_head h;
        struct err err = {0};
        struct str text = str_from(requests[i].text);
        const char *name = requests[i].name;
        size_t used = 0;

        REQUIRE(http_parse_request(text, NULL, &h, &used, &err) == HTTP_OK, "%s: %s", name,
                err.text);
        EXPECT(used == str_find(text, STR("\r\n\r\n")) + 4, "%s", name);
        EXPECT(str_eq(h.method, str_from(requests[i].method)), "%s", name);
        EXPECT(str_eq(h.path, str_from(requests[i].path)), "%s: " STR_FMT, name, STR_ARG(h.path));
        EXPECT(str_eq(h.query, str_from(requests[i].query)), "%s: " STR_FMT, name,
               STR_ARG(h.query));
        EXPECT(h.fields.count == requests[i].fields, "%s: %zu", name, h.fields.count);
        EXPECT(h.framing == requests[i].framing, "%s: %d", name, h.framing);
        EXPECT(h.content_length == requests[i].length, "%s: %" PRIu64, name, h.content_length);
        EXPECT(h.keep_alive == requests[i].keep_alive, "%s", name);
        EXPECT(h.expect_continue == requests[i].expect_continue, "%s", name);
        EXPECT(h.upgrade == requests[i].upgrade, "%s", name);
    }
}

/* Until the blank line is there, whatever the cut, the answer is "more"; then always the same head. */
TEST(http_requests_cut_anywhere)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct str text = str_from(requests[i].text);
        size_t head = str_find(text, STR("\r\n\r\n")) + 4, used = 0;

        for (size_t len = 0; len <= text.len; len++) {
            enum http_parse got = parse_exact(str_slice(text, 0, len), &used);
            EXPECT(got == (len < head ? HTTP_MORE : HTTP_OK), "%s at %zu", requests[i].name, len);
            EXPECT(got == HTTP_MORE || used == head, "%s at %zu", requests[i].name, len);
        }
    }
}

TEST(http_fields)
{
    struct http_head h;
    struct err err = {0};
    size_t used;
    struct str text =
        STR("GET / HTTP/1.1\r\nHost: x\r\nA:b\r\nB: \t b c\t \r\nEmpty:\r\nBlank: \t \r\n"
            "Latin: caf\xe9\r\nTab: a\tb\r\na: second\r\n!#$%&'*+-.^_`|~9: odd\r\n\r\n");

    REQUIRE(http_parse_request(text, NULL, &h, &used, &err) == HTTP_OK, "%s", err.text);
    EXPECT(h.fields.count == 9);
    EXPECT(str_eq(http_field(&h.fields, STR("a")), STR("b")), "the first of two");
    EXPECT(str_eq(http_field(&h.fields, STR("B")), STR("b c")));
    EXPECT(str_eq(http_field(&h.fields, STR("EMPTY")), STR("")));
    EXPECT(http_field(&h.fields, STR("empty")).ptr, "empty is not absent");
    EXPECT(str_eq(http_field(&h.fields, STR("blank")), STR("")));
    EXPECT(str_eq(http_field(&h.fields, STR("latin")), STR("caf\xe9")));
    EXPECT(str_eq(http_field(&h.fields, STR("tab")), STR("a\tb")));
    EXPECT(str_eq(http_field(&h.fields, STR("!#$%&'*+-.^_`|~9")), STR("odd")));
    EXPECT(!http_field(&h.fields, STR("c")).ptr);
    EXPECT(str_eq(h.fields.at[7].name, STR("a")), "names stay as they came");
}

/* ---- limits ---- */

static struct str head_of(struct arena *arena, size_t fields, size_t value_bytes,
                          size_t target_bytes)
{
    struct buf b;
    struct str out = STR_NONE;
    struct err err = {0};

    buf_init(&b, arena, MIB);
    buf_str(&b, STR("GET /"));
    for (size_t i = 1; i < target_bytes; i++)
        buf_char(&b, 'a');
    buf_str(&b, STR(" HTTP/1.1\r\nHost: x\r\n"));
    for (size_t i = 1; i < fields; i++) {
        buf_str(&b, STR("A: "));
        for (size_t k = 0; k < value_bytes; k++)
            buf_char(&b, 'b');
        buf_str(&b, STR("\r\n"));
    }
    buf_str(&b, STR("\r\n"));
    EXPECT(buf_finish(&b, &out, &err), "%s", err.text);
    return out;
}

static const char *refused_for(struct str bytes, const struct http_limits *limits, struct err *err)
{
    struct http_head h;
    size_t used;

    *err = (struct err){0};
    enum http_parse got = http_parse_request(bytes, limits, &h, &used, err);
    EXPECT((got == HTTP_BAD) == (err->code != ERR_NONE));
    EXPECT(got != HTTP_BAD || err->code == ERR_TOO_LARGE, "%s", err->text);
    return got == HTTP_BAD ? err->text : "";
}

TEST(http_limits)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct http_limits small = {.head_bytes = 100, .fields = 3, .target_bytes = 20};
    struct err err;
    struct str exact = head_of(arena, 2, 61, 8);

    EXPECT(strcmp(refused_for(head_of(arena, 64, 10, 1), NULL, &err), "") == 0, "%s", err.text);
    EXPECT(strcmp(refused_for(head_of(arena, 65, 10, 1), NULL, &err),
                  "more than 64 header fields") == 0,
           "%s", err.text);
    EXPECT(strcmp(refused_for(head_of(arena, 3, 1, 1), &small, &err), "") == 0, "%s", err.text);
    EXPECT(strcmp(refused_for(head_of(arena, 4, 1, 1), &small, &err),
                  "more than 3 header fields") == 0,
           "%s", err.text);
    EXPECT(strcmp(refused_for(head_of(arena, 1, 1, 20), &small, &err), "") == 0, "%s", err.text);
    EXPECT(strcmp(refused_for(head_of(arena, 1, 1, 21), &small, &err),
                  "request target above 20 bytes") == 0,
           "%s", err.text);
    EXPECT(strcmp(refused_for(head_of(arena, 1, 1, 8 * KIB), NULL, &err), "") == 0, "%s", err.text);
    EXPECT(*refused_for(head_of(arena, 1, 1, 8 * KIB + 1), NULL, &err));
    EXPECT(*refused_for(head_of(arena, 3, 8 * KIB, 1), NULL, &err));

    REQUIRE(exact.len == 100, "%zu", exact.len);
    EXPECT(!*refused_for(exact, &small, &err), "%s", err.text);
    small.head_bytes = 99;
    EXPECT(strcmp(refused_for(exact, &small, &err), "head above 99 bytes") == 0, "%s", err.text);
    EXPECT(!*refused_for(str_slice(exact, 0, 98), &small, &err), "not yet");
    EXPECT(*refused_for(str_slice(exact, 0, 99), &small, &err),
           "at the limit without a blank line");
    small.head_bytes = 97; /* between the CR and the LF of a line end */
    EXPECT(*refused_for(exact, &small, &err));
}

/* ---- responses ---- */

TEST(http_responses)
{
    static const struct {
        const char *name, *text;
        bool to_head;
        int status;
        enum http_framing framing;
        uint64_t length;
        bool keep_alive;
    } cases[] = {
        {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_LENGTH, 5,
         true},
        {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200,
         HTTP_CHUNKED, 0, true},
        {"until close", "HTTP/1.1 200 OK\r\n\r\n", false, 200, HTTP_UNTIL_CLOSE, 0, false},
        {"until close, said", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false, 200,
         HTTP_UNTIL_CLOSE, 0, false},
        {"1.0 without length", "HTTP/1.0 200 OK\r\n\r\n", false, 200, HTTP_UNTIL_CLOSE, 0, false},
        {"1.0 without length cannot be kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
         false, 200, HTTP_UNTIL_CLOSE, 0, false},
        {"1.0 with length", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, 200, HTTP_LENGTH,
         1, false},
        {"1.0 kept", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\n",
         false, 200, HTTP_LENGTH, 1, true},
        {"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, 200, HTTP_LENGTH, 0,
         true},
        {"long reason", "HTTP/1.1 404 Not here, no\tway \xe9\r\nContent-Length: 0\r\n\r\n", false,
         404, HTTP_LENGTH, 0, true},
        {"204", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, HTTP_NO_BODY, 0, true},
        {"204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 204,
         HTTP_NO_BODY, 0, true},
        {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, HTTP_NO_BODY,
         5, true},
        {"100", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", false, 100, HTTP_NO_BODY, 0,
         true},
        {"103 with fields", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", false, 103, HTTP_NO_BODY,
         0, true},
        {"to HEAD, length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 200, HTTP_NO_BODY,
         5, true},
        {"to HEAD, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200,
         HTTP_NO_BODY, 0, true},
        {"to HEAD, nothing said", "HTTP/1.1 200 OK\r\n\r\n", true, 200, HTTP_NO_BODY, 0, true},
        {"close", "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", false, 500,
         HTTP_LENGTH, 5, false},
        {"two Hosts are no matter",
         "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b c\r\nContent-Length: 5\r\n\r\n", false, 200,
         HTTP_LENGTH, 5, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head h;
        struct err err = {0};
        struct str text = str_from(cases[i].text);
        size_t used = 0, head = str_find(text, STR("\r\n\r\n")) + 4;

        REQUIRE(http_parse_response(text, cases[i].to_head, NULL, &h, &used, &err) == HTTP_OK,
                "%s: %s", cases[i].name, err.text);
        EXPECT(used == head, "%s", cases[i].name);
        EXPECT(h.status == cases[i].status, "%s: %d", cases[i].name, h.status);
        EXPECT(h.framing == cases[i].framing, "%s: %d", cases[i].name, h.framing);
        EXPECT(h.content_length == cases[i].length, "%s", cases[i].name);
        EXPECT(h.keep_alive == cases[i].keep_alive, "%s", cases[i].name);
        for (size_t len = 0; len < head; len++)
            EXPECT(http_parse_response(str_slice(text, 0, len), cases[i].to_head, NULL, &h, &used,
                                       &err) == HTTP_MORE,
                   "%s at %zu", cases[i].name, len);
    }
}

TEST(http_malformed_responses_are_refused)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"version 2", "HTTP/2.0 200 OK\r\n\r\n"},
        {"version 1.2", "HTTP/1.2 200 OK\r\n\r\n"},
        {"version in small letters", "http/1.1 200 OK\r\n\r\n"},
        {"no version", "200 OK\r\n\r\n"},
        {"other protocol", "ICY 200 OK\r\n\r\n"},
        {"no status", "HTTP/1.1\r\n\r\n"},
        {"no status but a space", "HTTP/1.1 \r\n\r\n"},
        {"no space after the status", "HTTP/1.1 200\r\n\r\n"},
        {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n"},
        {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"},
        {"status 000", "HTTP/1.1 000 OK\r\n\r\n"},
        {"status 099", "HTTP/1.1 099 OK\r\n\r\n"},
        {"status 600", "HTTP/1.1 600 OK\r\n\r\n"},
        {"status with a letter", "HTTP/1.1 2o0 OK\r\n\r\n"},
        {"status with a sign", "HTTP/1.1 +20 OK\r\n\r\n"},
        {"two spaces", "HTTP/1.1  200 OK\r\n\r\n"},
        {"tab", "HTTP/1.1\t200 OK\r\n\r\n"},
        {"space first", " HTTP/1.1 200 OK\r\n\r\n"},
        {"blank line first", "\r\nHTTP/1.1 200 OK\r\n\r\n"},
        {"bare LF", "HTTP/1.1 200 OK\n\n"},
        {"bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"},
        {"obs-fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"},
        {"space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na"},
        {"CL and TE", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"two equal CL", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {"CL list", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n"},
        {"CL not a number", "HTTP/1.1 200 OK\r\nContent-Length: one\r\n\r\n"},
        {"TE gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {"TE identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"},
        {"TE in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"TE in 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"CL in 204", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"},
        {"CL in 100", "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head h;
        struct err err = {0};
        size_t used;

        EXPECT(http_parse_response(str_from(cases[i].text), false, NULL, &h, &used, &err) ==
                   HTTP_BAD,
               "%s", cases[i].name);
        EXPECT(err.code == ERR_INVALID, "%s: %s", cases[i].name, err.text);
    }
}

/* A refusal says which line, and nothing of what stood there: it may be a key. */
TEST(http_refusals_name_the_line)
{
    struct http_head h;
    struct err err = {0};
    size_t used;

    EXPECT(http_parse_request(STR("GET / HTTP/1.1\r\nHost: x\r\nAuthorization secret\r\n\r\n"),
                              NULL, &h, &used, &err) == HTTP_BAD);
    EXPECT(strcmp(err.text, "header field 2: name is not a token") == 0 ||
               strcmp(err.text, "header field 2: space before the colon") == 0,
           "%s", err.text);
    EXPECT(!strstr(err.text, "secret"));
}

/* ---- chunks ---- */

/* Feeds the body in pieces of `step` bytes; *out gets the data, *rest what follows the body. */
static enum http_parse unchunk(struct str body, size_t step, struct buf *out, size_t *used_all,
                               struct err *err)
{
    struct http_chunks c;
    size_t at = 0;

    http_chunks_init(&c);
    while (at < body.len) {
        struct str data, part = str_slice(body, at, at + step);
        size_t used = 0;
        enum http_parse got = http_chunks_next(&c, part, &used, &data, err);

        if (got == HTTP_BAD)
            return got;
        EXPECT(used > 0 && used <= part.len);
        EXPECT(data.len == 0 || (data.ptr >= part.ptr && data.ptr + data.len <= part.ptr + used));
        buf_str(out, data);
        at += used;
        *used_all = at;
        if (got == HTTP_OK)
            return got;
    }
    return HTTP_MORE;
}

TEST(http_chunks_cut_anywhere)
{
    static const struct {
        const char *name, *body, *want;
        size_t rest; /* bytes behind the body */
    } cases[] = {
        {"none", "0\r\n\r\n", "", 0},
        {"one", "5\r\nhello\r\n0\r\n\r\n", "hello", 0},
        {"several", "5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n", "hello, world", 0},
        {"next request behind", "1\r\na\r\n0\r\n\r\nGET /", "a", 5},
        {"hex in both cases", "0a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
         "01234567890123456789a", 0},
        {"many zeros", "0000000000000000000001\r\na\r\n000\r\n\r\n", "a", 0},
        {"extensions", "1;a\r\nx\r\n1;b=\"c d\";e\t\r\ny\r\n0;f\r\n\r\n", "xy", 0},
        {"trailers", "1\r\na\r\n0\r\nA: b\r\nContent-Length: 7\r\nEmpty:\r\n\r\n", "a", 0},
        {"data like chunks", "7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", "0\r\n\r\n0\r", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str body = str_from(cases[i].body);

        for (size_t step = 1; step <= body.len; step++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
            struct err err = {0};
            struct buf out;
            size_t used = 0;

            buf_init(&out, arena, KIB);
            EXPECT(unchunk(body, step, &out, &used, &err) == HTTP_OK, "%s by %zu: %s",
                   cases[i].name, step, err.text);
            EXPECT(str_eq(buf_view(&out), str_from(cases[i].want)), "%s by %zu", cases[i].name,
                   step);
            EXPECT(used + cases[i].rest == body.len, "%s by %zu", cases[i].name, step);
        }
        for (size_t len = 0; len < body.len - cases[i].rest; len++) {
            char memory[64];
            struct err err = {0};
            struct buf out;
            size_t used;

            buf_init_fixed(&out, memory, sizeof memory);
            EXPECT(unchunk(str_slice(body, 0, len), len, &out, &used, &err) == HTTP_MORE,
                   "%s cut at %zu", cases[i].name, len);
        }
    }
}

TEST(http_chunks_after_the_end)
{
    struct http_chunks c;
    struct err err = {0};
    struct str data;
    size_t used = 99;

    http_chunks_init(&c);
    EXPECT(http_chunks_next(&c, STR(""), &used, &data, &err) == HTTP_MORE && used == 0);
    EXPECT(http_chunks_next(&c, STR("0\r\n\r\nmore"), &used, &data, &err) == HTTP_OK && used == 5);
    EXPECT(c.done);
    EXPECT(http_chunks_next(&c, STR("more"), &used, &data, &err) == HTTP_OK && used == 0);
    EXPECT(data.len == 0);
}

/* Decode `count` times the same chunk, then the end: is the ratio of lines to data accepted? */
static enum http_parse many_chunks(const char *chunk, int count, const char *end, struct err *err)
{
    struct http_chunks c;
    struct str data;
    size_t used;
    enum http_parse got = HTTP_MORE;

    http_chunks_init(&c);
    for (int i = 0; i <= count && got == HTTP_MORE; i++) {
        struct str bytes = str_from(i < count ? chunk : end);
        while (bytes.len > 0 && got == HTTP_MORE) {
            got = http_chunks_next(&c, bytes, &used, &data, err);
            if (got != HTTP_BAD)
                bytes = str_slice(bytes, used, bytes.len);
        }
    }
    return got;
}

TEST(http_chunks_pay_for_their_lines)
{
    struct err err = {0};
    static char line[512], trailers[20000];

    EXPECT(many_chunks("1\r\na\r\n", 100000, "0\r\n\r\n", &err) == HTTP_OK, "%s", err.text);
    EXPECT(many_chunks("00000001\r\na\r\n", 100000, "0\r\n\r\n", &err) == HTTP_OK, "%s", err.text);
    EXPECT(many_chunks("5;ext=\"hello\"\r\nhello\r\n", 100000, "0\r\n\r\n", &err) == HTTP_OK, "%s",
           err.text);
    memset(line, 'x', sizeof line);
    memcpy(line, "1;", 2);
    memcpy(line + sizeof line - 6, "\r\na\r\n", 6);
    EXPECT(many_chunks(line, 10, "0\r\n\r\n", &err) == HTTP_OK, "%s", err.text);
    EXPECT(many_chunks(line, 1000, "0\r\n\r\n", &err) == HTTP_BAD);
    EXPECT(err.code == ERR_TOO_LARGE, "%s", err.text);

    err = (struct err){0};
    memset(trailers, 'x', sizeof trailers);
    memcpy(trailers, "0\r\nA:", 5);
    memcpy(trailers + sizeof trailers - 5, "\r\n\r\n", 5);
    EXPECT(many_chunks("1\r\na\r\n", 1, trailers, &err) == HTTP_BAD && err.code == ERR_TOO_LARGE);
    err = (struct err){0};
    memset(trailers, '0', sizeof trailers);
    trailers[sizeof trailers - 1] = 0;
    EXPECT(many_chunks("1\r\na\r\n", 1, trailers, &err) == HTTP_BAD && err.code == ERR_TOO_LARGE);
}

/* ---- values of http.h ---- */

TEST(http_reasons)
{
    EXPECT(strcmp(http_reason(404), "Not Found") == 0);
    EXPECT(strcmp(http_reason(200), "OK") == 0);
    EXPECT(strcmp(http_reason(599), "Unknown") == 0);
}

TEST(http_queries)
{
    static const struct {
        const char *name, *query, *parameter, *want; /* NULL: none */
    } cases[] = {
        {"only", "a=b", "a", "b"},
        {"second", "a=b&c=d", "c", "d"},
        {"first of two", "a=1&a=2", "a", "1"},
        {"absent", "a=b", "b", NULL},
        {"no query", "", "a", NULL},
        {"empty value", "a=&b=c", "a", ""},
        {"no value", "b&a", "a", ""},
        {"empty parts", "&&a=b&", "a", "b"},
        {"equals in the value", "a=b=c", "a", "b=c"},
        {"prefix of a name", "ab=1", "a", NULL},
        {"escapes", "a=%48%65llo%2C+w%C3%B6rld%26", "a", "Hello, w\xc3\xb6rld&"},
        {"escaped name", "%61b=1", "ab", "1"},
        {"plus in a name", "a+b=1", "a b", "1"},
        {"case of digits", "a=%e4%E4", "a", "\xe4\xe4"},
        {"cut escape", "a=%4", "a", NULL},
        {"bad escape", "a=%4x", "a", NULL},
        {"bad escape elsewhere", "%=1&a=2", "a", "2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str got = http_query(arena, str_from(cases[i].query), str_from(cases[i].parameter));

        EXPECT((got.ptr != NULL) == (cases[i].want != NULL), "%s", cases[i].name);
        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
    }
    struct arena *full CLEANUP(arena_end) = arena_new(16);
    REQUIRE(arena_alloc_raw(full, 16));
    EXPECT(http_query(full, STR("a=%20"), STR("a")).ptr == NULL, "no memory");
    EXPECT(str_eq(http_query(full, STR("a=b"), STR("a")), STR("b")), "none needed");
}
