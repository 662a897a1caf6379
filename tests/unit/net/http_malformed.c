/* Requests that must be refused, every one by a row. A server that repairs one of these disagrees with
 * the proxy before it or the upstream behind it about where requests begin, and that is an attack. */
#include <string.h>

#include "net/http_parse.h"
#include "test.h"

#define HEAD    "POST / HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define ROW(n, t)                  \
    {                              \
        n,                         \
        {                          \
            "" t "", sizeof(t) - 1 \
        }                          \
    }

/* The 42 of the design, then those we met later. */
static const struct {
    const char *name;
    struct str text;
} malformed[] = {
    ROW("bare LF line ends", "GET / HTTP/1.1\nHost: x\n\n"),
    ROW("one header with bare LF", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    ROW("obs-fold", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
    ROW("space before colon", "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"),
    ROW("space before CL colon", HEAD "Content-Length : 1\r\n\r\na"),
    ROW("no Host in 1.1", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
    ROW("two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    ROW("NUL in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
    ROW("control char in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\x01"
                                 "c\r\n\r\n"),
    ROW("bare CR in value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
    ROW("empty header name", "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"),
    ROW("non-token header name", "GET / HTTP/1.1\r\nHost: x\r\nA(b): c\r\n\r\n"),
    ROW("header without colon", "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n"),
    ROW("CL and TE chunked",
        HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("two equal CL", HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    ROW("two different CL", HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\naa"),
    ROW("CL list \"1, 1\"", HEAD "Content-Length: 1, 1\r\n\r\na"),
    ROW("CL +1", HEAD "Content-Length: +1\r\n\r\na"),
    ROW("CL 0x1", HEAD "Content-Length: 0x1\r\n\r\na"),
    ROW("CL -1", HEAD "Content-Length: -1\r\n\r\na"),
    ROW("CL \"1 2\"", HEAD "Content-Length: 1 2\r\n\r\na"),
    ROW("CL empty", HEAD "Content-Length:\r\n\r\n"),
    ROW("CL 2^64+1", HEAD "Content-Length: 18446744073709551617\r\n\r\na"),
    ROW("TE identity", HEAD "Transfer-Encoding: identity\r\n\r\n"),
    ROW("TE xchunked", HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ROW("TE chunked, identity", HEAD "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ROW("TE \\x0bchunked", HEAD "Transfer-Encoding: \x0b"
                                "chunked\r\n\r\n0\r\n\r\n"),
    ROW("TE twice",
        HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("TE in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("chunk size 0x1", CHUNKED "0x1\r\na\r\n0\r\n\r\n"),
    ROW("chunk size \" 1\"", CHUNKED " 1\r\na\r\n0\r\n\r\n"),
    ROW("chunk size overflow", CHUNKED "10000000000000001\r\na\r\n0\r\n\r\n"),
    ROW("chunk ends with LF", CHUNKED "1\na\n0\n\n"),
    ROW("chunk data too long", CHUNKED "1\r\nab\r\n0\r\n\r\n"),
    ROW("HTTP/1.2 version", "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
    ROW("HTTP/2.0 version in h1", "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    ROW("lower case http/1.1", "GET / http/1.1\r\nHost: x\r\n\r\n"),
    ROW("two spaces in request line", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("tab in request line", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("space in target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("leading space before header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    ROW("method not a token", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n"),

    ROW("nothing but a blank line", "\r\n"),
    ROW("blank line before the request", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("space before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("no method", "/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("no target", "GET HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("empty target", "GET  HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("no version", "GET /\r\nHost: x\r\n\r\n"),
    ROW("no version but a space", "GET / \r\nHost: x\r\n\r\n"),
    ROW("two spaces before the version", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("space after the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
    ROW("version of two digits", "GET / HTTP/1.10\r\nHost: x\r\n\r\n"),
    ROW("version without minor", "GET / HTTP/1\r\nHost: x\r\n\r\n"),
    ROW("version HTTP/0.9", "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
    ROW("other protocol", "GET / ICY/1.1\r\nHost: x\r\n\r\n"),
    ROW("tab before the version", "GET /\tHTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("tab in the target", "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("fragment in the target", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("quote in the target", "GET /\"a\" HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("backslash in the target", "GET \\a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("non-ASCII target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("percent without digits", "GET /a% HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("percent with one digit", "GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("percent with bad digits", "GET /%g0 HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("percent with bad digits in the query", "GET /a?b=%0x HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("relative target", "GET a/b HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("star without OPTIONS", "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("star with more", "OPTIONS *a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"),
    ROW("absolute target of another host", "GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("absolute target with another port", "GET http://x:81/a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("absolute target with user", "GET http://x@y/a HTTP/1.1\r\nHost: y\r\n\r\n"),
    ROW("absolute target of another scheme", "GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ROW("absolute target without Host", "GET http://x/a HTTP/1.1\r\n\r\n"),
    ROW("two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
    ROW("two Hosts, cases differ", "GET / HTTP/1.1\r\nHost: x\r\nhOST: y\r\n\r\n"),
    ROW("Host with a space", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n"),
    ROW("Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    ROW("Host with a user", "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n"),
    ROW("Host not ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n"),
    ROW("tab before header", "GET / HTTP/1.1\r\n\tHost: x\r\n\r\n"),
    ROW("tab before colon", "GET / HTTP/1.1\r\nHost: x\r\nA\t: b\r\n\r\n"),
    ROW("space in a name", "GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n"),
    ROW("non-ASCII name", "GET / HTTP/1.1\r\nHost: x\r\n\xc3\xa9: c\r\n\r\n"),
    ROW("NUL in a name", "GET / HTTP/1.1\r\nHost: x\r\nA\0b: c\r\n\r\n"),
    ROW("DEL in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n"),
    ROW("vertical tab in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \v\r\n\r\n"),
    ROW("CR CR LF", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"),
    ROW("LF for the blank line", "GET / HTTP/1.1\r\nHost: x\r\n\n"),
    ROW("CR for the blank line", "GET / HTTP/1.1\r\nHost: x\r\n\rx"),
    ROW("LF CR for a line end", "GET / HTTP/1.1\n\rHost: x\n\r\n\r"),
    ROW("folded CL", HEAD "Content-Length:\r\n 1\r\n\r\na"),
    ROW("CL with underscore digits", HEAD "Content-Length: 1_0\r\n\r\na"),
    ROW("CL with a decimal", HEAD "Content-Length: 1.0\r\n\r\na"),
    ROW("CL with an exponent", HEAD "Content-Length: 1e1\r\n\r\na"),
    ROW("CL with letters", HEAD "Content-Length: 1a\r\n\r\na"),
    ROW("CL 2^64", HEAD "Content-Length: 18446744073709551616\r\n\r\na"),
    ROW("CL, then CL in other case", HEAD "Content-Length: 1\r\ncontent-length: 2\r\n\r\naa"),
    ROW("TE and CL, other order",
        HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ROW("TE and CL 0", HEAD "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
    ROW("TE gzip, chunked", HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ROW("TE chunked, chunked", HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ROW("TE chunked with parameter", HEAD "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    ROW("TE quoted", HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ROW("TE empty", HEAD "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ROW("TE with comma", HEAD "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    ROW("TE folded", HEAD "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ROW("TE with space before colon", HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ROW("Expect of something else", HEAD "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"),
    ROW("Connection with a space inside", HEAD "Connection: keep alive\r\n\r\n"),
    ROW("chunk size empty", CHUNKED "\r\n\r\n"),
    ROW("chunk size +1", CHUNKED "+1\r\na\r\n0\r\n\r\n"),
    ROW("chunk size -1", CHUNKED "-1\r\na\r\n0\r\n\r\n"),
    ROW("chunk size \"1 \"", CHUNKED "1 \r\na\r\n0\r\n\r\n"),
    ROW("chunk size with space before extension", CHUNKED "1 ;a\r\na\r\n0\r\n\r\n"),
    ROW("chunk size g", CHUNKED "g\r\na\r\n0\r\n\r\n"),
    ROW("chunk size 1g", CHUNKED "1g\r\na\r\n0\r\n\r\n"),
    ROW("chunk size 2^64", CHUNKED "10000000000000000\r\na\r\n0\r\n\r\n"),
    ROW("chunk size line ends with LF", CHUNKED "1\na\r\n0\r\n\r\n"),
    ROW("chunk size line ends with CR", CHUNKED "1\ra\r\n0\r\n\r\n"),
    ROW("chunk extension with LF", CHUNKED "1;a\na\r\n0\r\n\r\n"),
    ROW("chunk extension with NUL", CHUNKED "1;\0\r\na\r\n0\r\n\r\n"),
    ROW("chunk data too short", CHUNKED "3\r\na\r\n0\r\n\r\n"),
    ROW("chunk data ends with LF", CHUNKED "1\r\na\n0\r\n\r\n"),
    ROW("chunk data ends with CR", CHUNKED "1\r\na\r0\r\n\r\n"),
    ROW("last chunk without blank line", CHUNKED "0\r\nGET / HTTP/1.1\r\n"),
    ROW("trailer without colon", CHUNKED "0\r\nA\r\n\r\n"),
    ROW("trailer with empty name", CHUNKED "0\r\n: a\r\n\r\n"),
    ROW("trailer with space before colon", CHUNKED "0\r\nA : b\r\n\r\n"),
    ROW("trailer folded", CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
    ROW("trailer with bare LF", CHUNKED "0\r\nA: b\n\r\n"),
    ROW("trailer with NUL", CHUNKED "0\r\nA: \0\r\n\r\n"),
    ROW("trailer ends with LF", CHUNKED "0\r\n\n"),
    ROW("TLS client hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
};

/* Head, then body, as a server reads them; the code of the refusal, ERR_NONE if it was taken. */
static enum err_code refusal(struct str bytes, struct err *err)
{
    struct http_head head;
    struct http_chunks chunks;
    struct str data;
    size_t used;
    enum http_parse got = http_parse_request(bytes, NULL, &head, &used, err);

    if (got == HTTP_OK && head.framing == HTTP_CHUNKED) {
        http_chunks_init(&chunks);
        do {
            bytes = str_slice(bytes, used, bytes.len);
            got = http_chunks_next(&chunks, bytes, &used, &data, err);
        } while (got == HTTP_MORE && used < bytes.len);
    }
    return got == HTTP_BAD ? err->code : ERR_NONE;
}

TEST(http_malformed_requests_are_refused)
{
    EXPECT(ARRAY_LEN(malformed) > 42);
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        struct err err = {0};

        EXPECT(refusal(malformed[i].text, &err) == ERR_INVALID, "%s: %s", malformed[i].name,
               err.text);
    }
}

/* Nor are they taken when they come byte by byte, and what is refused stays refused. */
TEST(http_malformed_requests_are_refused_in_pieces)
{
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        struct str text = malformed[i].text;
        bool refused = false;

        for (size_t len = 0; len <= text.len; len++) {
            struct err err = {0};
            struct http_head head;
            size_t used;
            enum http_parse got =
                http_parse_request(str_slice(text, 0, len), NULL, &head, &used, &err);

            EXPECT(!refused || got == HTTP_BAD, "%s: taken back at %zu", malformed[i].name, len);
            refused |= got == HTTP_BAD;
            if (got == HTTP_OK)
                break; /* a good head; its body is what is wrong */
        }
    }
}
