/* What a request's JSON costs: parse, replace "model" (the last member), splice into one text.
 *   micro_json      prints microseconds, the best of many rounds, and GB/s
 * Not a test: times depend on the machine. The figures of src/base/README.md come from here. */
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "net/http_parse.h"

#define ROUNDS 40

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- texts ---- */

static void put_message(struct buf *b, struct str line, size_t bytes)
{
    size_t from = b->len;

    buf_str(b, STR("{\"role\":\"user\",\"content\":\""));
    while (b->len - from < bytes)
        buf_str(b, line);
    buf_str(b, STR("\"}"));
}

static struct str chat(struct arena *arena, int messages, size_t message_bytes, struct str line)
{
    struct buf b;
    struct str text = STR_NONE;
    struct err err = {0};

    buf_init(&b, arena, 4 * MIB);
    buf_str(&b, STR("{\"messages\":["));
    for (int i = 0; i < messages; i++) {
        if (i)
            buf_char(&b, ',');
        put_message(&b, line, message_bytes);
    }
    buf_str(
        &b,
        STR("],\"temperature\":0.7,\"max_tokens\":512,\"stream\":true,\"user\":\"u-1\",\"model\":"
            "\"gpt-4o-mini\"}"));
    if (!buf_finish(&b, &text, &err))
        fprintf(stderr, "%s\n", err.text);
    return text;
}

/* ---- work ---- */

static bool parse_only(struct arena *arena, struct str text)
{
    struct err err = {0};

    return json_parse(arena, text, &err) != NULL;
}

static bool parse_and_edit(struct arena *arena, struct str text)
{
    struct err err = {0};
    struct str out;
    struct json *j = json_parse(arena, text, &err);

    if (!j)
        return false;
    struct json_edit edit = {.at = json_get(j, json_root(j), STR("model")),
                             .value = STR("\"llama-3.3-70b\"")};
    return json_splice(arena, j, &edit, 1, &out, &err);
}

static bool parse_and_edit_in_pieces(struct arena *arena, struct str text)
{
    struct err err = {0};
    struct str pieces[4];
    struct json *j = json_parse(arena, text, &err);

    if (!j)
        return false;
    struct json_edit edit = {.at = json_get(j, json_root(j), STR("model")),
                             .value = STR("\"llama-3.3-70b\"")};
    return json_splice_pieces(arena, j, &edit, 1, pieces) > 0;
}

static bool parse_head(struct arena *arena, struct str text)
{
    static struct http_head head;
    struct err err = {0};
    size_t used;

    (void)arena;
    return http_parse_request(text, NULL, &head, &used, &err) == HTTP_OK;
}

static void measure(const char *name, struct str text, bool (*work)(struct arena *, struct str))
{
    int turns = (int)(4000000 / (text.len + 400)) + 1;
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double from = now_us();
        for (int i = 0; i < turns; i++) {
            struct arena *arena = arena_new(16 * MIB);
            if (!arena || !work(arena, text))
                fprintf(stderr, "%s failed\n", name);
            arena_end(&arena);
        }
        best = MIN_OF(best, (now_us() - from) / turns);
    }
    printf("%-40s %7zu bytes %9.2f us %6.2f GB/s\n", name, text.len, best,
           (double)text.len / best / 1e3);
}

static const char head[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\n"
    "Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/JS 4.77.0\r\n"
    "X-Stainless-Lang: js\r\nX-Stainless-Package-Version: 4.77.0\r\nX-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\nX-Stainless-Runtime: node\r\nX-Stainless-Runtime-Version: "
    "v20.18.1\r\n"
    "X-Stainless-Retry-Count: 0\r\nAuthorization: Bearer wr_0123456789abcdef0123456789abcdef012\r\n"
    "Accept-Language: *\r\nSec-Fetch-Mode: cors\r\nAccept-Encoding: gzip, deflate\r\n"
    "Content-Length: 1024\r\n\r\n";

int main(void)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct str plain = STR("The claim is settled within ten days of the report. ");
    struct str mixed = STR("She said \\\"no\\\" to it.\\nDas wird \xc3\xbc"
                           "berpr\xc3\xbc"
                           "ft \xe2\x80\x93 \xe7\xad\x94\xe6\xa1\x88.\\n");
    struct str chinese =
        STR("\xe4\xbf\x9d\xe9\x99\xa9\xe8\xb4\xa3\xe4\xbb\xbb\xe8\x87\xaa\xe7\x94\x9f"
            "\xe6\x95\x88\xe6\x97\xa5\xe8\xb5\xb7\xe7\xae\x97\xe3\x80\x82");
    struct str text;

    text = chat(arena, 8, 480, plain);
    measure("4 KB, parse", text, parse_only);
    measure("4 KB, parse and edit", text, parse_and_edit);
    text = chat(arena, 80, 2500, mixed);
    measure("200 KB with escapes, parse", text, parse_only);
    measure("200 KB with escapes, parse and edit", text, parse_and_edit);
    measure("200 KB with escapes, edit in pieces", text, parse_and_edit_in_pieces);
    text = chat(arena, 1, 256 * KIB, plain);
    measure("256 KB prompt, parse", text, parse_only);
    measure("256 KB prompt, parse and edit", text, parse_and_edit);
    measure("256 KB prompt, edit in pieces", text, parse_and_edit_in_pieces);
    text = chat(arena, 1, 256 * KIB, chinese);
    measure("256 KB Chinese prompt, parse", text, parse_only);
    measure("HTTP head of 17 fields", (struct str){head, sizeof head - 1}, parse_head);
    return 0;
}
