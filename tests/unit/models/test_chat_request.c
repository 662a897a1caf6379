#include <string.h>

#include "models/chat.h"
#include "models/dialect.h"
#include "models/models.h"
#include "test.h"

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const struct {
    const char *name, *body, *want; /* want: start of the message; NULL when it is taken */
} read_cases[] = {
    {"the least", "{\"model\":\"m\"," HELLO "}", NULL},
    {"not JSON", "{\"model\":", "the body is not a chat request: "},
    {"empty", "", "the body is not a chat request: "},
    {"an array", "[]", "the body is not a chat request: expected an object"},
    {"two models", "{\"model\":\"a\",\"model\":\"b\"," HELLO "}",
     "the body is not a chat request: "},
    {"two models, one escaped", "{\"model\":\"a\",\"mod\\u0065l\":\"b\"," HELLO "}",
     "the body is not a chat request: "},
    {"no model", "{" HELLO "}", "model: expected a string"},
    {"model is null", "{\"model\":null," HELLO "}", "model: expected a string"},
    {"model is empty", "{\"model\":\"\"," HELLO "}", "model: expected the name"},
    {"no messages", "{\"model\":\"m\"}", "messages: expected an array"},
    {"messages empty", "{\"model\":\"m\",\"messages\":[]}", "messages: expected an array"},
    {"messages no array", "{\"model\":\"m\",\"messages\":{}}", "messages: expected an array"},
    {"message no object", "{\"model\":\"m\",\"messages\":[\"hi\"]}", "messages.0: expected"},
    {"no role", "{\"model\":\"m\",\"messages\":[{\"content\":\"hi\"}]}",
     "messages.0.role: expected"},
    {"role of a later message",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":1}]}",
     "messages.1.role: expected a string"},
    {"content a number", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":7}]}",
     "messages.0.content: expected"},
    {"content null, with tool calls",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}]}",
     NULL},
    {"content absent", "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\"}]}", NULL},
    {"a role we do not know", "{\"model\":\"m\",\"messages\":[{\"role\":\"critic\"}]}", NULL},
    {"part without type",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]}",
     "messages.0.content.0.type: expected a string"},
    {"text part without text",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
     "messages.0.content.0.text: expected a string"},
    {"a picture",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
     "\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]}]}",
     NULL},
    {"stream a string", "{\"model\":\"m\",\"stream\":\"yes\"," HELLO "}", "stream: expected true"},
    {"stream null", "{\"model\":\"m\",\"stream\":null," HELLO "}", NULL},
    {"stream_options a list", "{\"model\":\"m\",\"stream_options\":[]," HELLO "}",
     "stream_options: expected an object"},
    {"include_usage a number",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":1}," HELLO "}",
     "stream_options.include_usage: expected true or false"},
    {"n zero", "{\"model\":\"m\",\"n\":0," HELLO "}", "n: expected an integer from 1 to 128"},
    {"n too large", "{\"model\":\"m\",\"n\":129," HELLO "}", "n: expected an integer from 1"},
    {"n null", "{\"model\":\"m\",\"n\":null," HELLO "}", NULL},
    {"max_tokens below zero", "{\"model\":\"m\",\"max_tokens\":-1," HELLO "}",
     "max_tokens: expected an integer from 0"},
    {"max_tokens beyond 64 bits", "{\"model\":\"m\",\"max_tokens\":1e300," HELLO "}",
     "max_tokens: expected an integer from 0"},
    {"max_tokens a fraction", "{\"model\":\"m\",\"max_tokens\":1.5," HELLO "}",
     "max_tokens: expected an integer, not a fraction"},
    {"max_tokens written as a real", "{\"model\":\"m\",\"max_tokens\":16.0," HELLO "}", NULL},
    {"max_completion_tokens a string",
     "{\"model\":\"m\",\"max_completion_tokens\":\"9\"," HELLO "}",
     "max_completion_tokens: expected an integer"},
    {"weir no object", "{\"model\":\"m\",\"weir\":1," HELLO "}", "weir: expected an object"},
    {"fields nobody knows", "{\"model\":\"m\",\"zzz\":{\"a\":[1,2]}," HELLO "}", NULL},
};

TEST(chat_request_is_read_or_refused_by_field)
{
    for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str want = str_from(read_cases[i].want);
        struct chat_request chat;
        struct err err = {0};
        bool ok = chat_read_request(arena, str_from(read_cases[i].body), &chat, &err);

        EXPECT(ok == !want.ptr, "%s: %s", read_cases[i].name, err.text);
        if (want.ptr && !ok) {
            EXPECT(err.code == ERR_INVALID, "%s: code %d", read_cases[i].name, (int)err.code);
            EXPECT(str_starts(str_from(err.text), want), "%s: %s", read_cases[i].name, err.text);
        }
    }
}

TEST(chat_request_says_what_must_be_known)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_request chat;
    struct err err = {0};
    const char *body =
        "{\"n\":3,\"model\":\"a\\u002fb\",\"stream\":true,\"max_tokens\":5,"
        "\"max_completion_tokens\":7,\"stream_options\":{\"include_usage\":true},"
        "\"weir\":{\"a\":1},\"messages\":[{\"role\":\"system\",\"content\":\"12345\"},"
        "{\"role\":\"user\",\"content\":\"123\"}],\"tools\":[{}]}";

    REQUIRE(chat_read_request(arena, str_from(body), &chat, &err), "%s", err.text);
    EXPECT(str_eq(chat.model, STR("a/b")));
    EXPECT(chat.stream && chat.include_usage);
    EXPECT(chat.n == 3);
    EXPECT(chat.max_tokens == 7, "the newer name wins: %" PRId64, chat.max_tokens);
    EXPECT(chat.prompt_bytes == 5 + 3 + 4, "%zu", chat.prompt_bytes);
    EXPECT(json_kind(chat.json, chat.weir) == JSON_OBJECT);
}

TEST(chat_request_with_older_functions_needs_tools)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_request chat;
    struct err err = {0};

    REQUIRE(chat_read_request(arena,
                              STR("{\"model\":\"m\",\"functions\":[{\"name\":\"f\"}]," HELLO "}"),
                              &chat, &err),
            "%s", err.text);
    EXPECT(chat.needs & CAN_TOOLS);
}

/* What stands before 8000 bytes of text, and behind them. */
static const struct {
    const char *before, *after;
} worded[] = {
    {"{\"role\":\"assistant\",\"reasoning_content\":\"", "\"}"},
    {"{\"role\":\"assistant\",\"reasoning\":\"", "\"}"},
    {"{\"role\":\"assistant\",\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"",
     "\"}]}"},
    {"{\"role\":\"assistant\",\"refusal\":\"", "\"}"},
    {"{\"role\":\"user\",\"content\":\"\",\"name\":\"", "\"}"},
    {"{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"", "\"}}"},
    {"{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"", "\"}]}"},
    {"{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"", "\"}]}"},
    {"{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"", "\"}]}"},
};

/* Providers read and count them too, whatever they are called. */
TEST(chat_request_counts_all_words_of_a_message)
{
    char text[8001];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (size_t i = 0; i < ARRAY_LEN(worded); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str body = arena_fmt(arena, "{\"model\":\"m\",\"messages\":[%s%s%s]}",
                                    worded[i].before, text, worded[i].after);
        struct chat_request chat;
        struct conversation c;
        struct err err = {0};

        REQUIRE(chat_read_request(arena, body, &chat, &err), "%zu: %s", i, err.text);
        EXPECT(chat.prompt_bytes >= sizeof text - 1, "%zu: %zu", i, chat.prompt_bytes);
        REQUIRE(dialect_openai.read_request(arena, chat.json, &c, &err), "%zu: %s", i, err.text);
        EXPECT(c.prompt_bytes >= sizeof text - 1, "%zu: %zu as a conversation", i, c.prompt_bytes);
    }
}

TEST(chat_request_counts_a_picture_apart_from_its_bytes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_request chat;
    struct err err = {0};
    const char *body = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
                       "{\"type\":\"text\",\"text\":\"what?\"},{\"type\":\"image_url\","
                       "\"image_url\":{\"url\":\"data:image/png;base64,AAAAAAAAAAAA\"}}]}]}";

    REQUIRE(chat_read_request(arena, str_from(body), &chat, &err), "%s", err.text);
    EXPECT(chat.prompt_bytes == 6005, "%zu", chat.prompt_bytes);
}

static const struct {
    const char *name, *messages, *want; /* NULL: refused */
} question_cases[] = {
    {"the only one", "[{\"role\":\"user\",\"content\":\"hi\"}]", "hi"},
    {"the last user message, not the last message",
     "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"},"
     "{\"role\":\"assistant\",\"content\":\"c\"}]",
     "b"},
    {"escapes are decoded", "[{\"role\":\"user\",\"content\":\"a\\n\\u00e9\"}]", "a\n\xc3\xa9"},
    {"parts, a line each, pictures left out",
     "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
     "{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"text\",\"text\":\"b\"}]}]",
     "a\nb"},
    {"nobody asks", "[{\"role\":\"system\",\"content\":\"hi\"}]", NULL},
    {"asked with nothing", "[{\"role\":\"user\",\"content\":null}]", NULL},
};

TEST(chat_question_is_the_last_user_message)
{
    for (size_t i = 0; i < ARRAY_LEN(question_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str body =
            arena_fmt(arena, "{\"model\":\"m\",\"messages\":%s}", question_cases[i].messages);
        struct str want = str_from(question_cases[i].want);
        struct chat_request chat;
        struct err err = {0};

        REQUIRE(chat_read_request(arena, body, &chat, &err), "%s", err.text);
        bool ok = chat_read_question(arena, &chat, &err);
        EXPECT(ok == (want.ptr != NULL), "%s: %s", question_cases[i].name, err.text);
        if (ok)
            EXPECT(str_eq(chat.question, want), "%s: " STR_FMT, question_cases[i].name,
                   STR_ARG(chat.question));
    }
}

static const struct {
    const char *name, *body, *remote, *want;
} write_cases[] = {
    {"nothing to change: the very bytes", "{ \"model\" : \"m\" , " HELLO ", \"x\":1.50 }", "m",
     "{ \"model\" : \"m\" , " HELLO ", \"x\":1.50 }"},
    {"model replaced, the rest untouched", "{ \"x\":[1, 2],\"model\":\"m\"," HELLO "}\n", "gpt-x",
     "{ \"x\":[1, 2],\"model\":\"gpt-x\"," HELLO "}\n"},
    {"remote name is quoted", "{\"model\":\"m\"," HELLO "}", "a\"b",
     "{\"model\":\"a\\\"b\"," HELLO "}"},
    {"our own options leave", "{\"model\":\"m\",\"weir\":{\"a\":1}," HELLO "}", "m",
     "{\"model\":\"m\"," HELLO "}"},
    {"our own options at the end", "{\"model\":\"m\"," HELLO ",\"weir\":null}", "m",
     "{\"model\":\"m\"," HELLO "}"},
    {"streams report usage", "{\"model\":\"m\",\"stream\":true," HELLO "}", "m",
     "{\"model\":\"m\",\"stream\":true," HELLO ",\"stream_options\":{\"include_usage\":true}}"},
    {"options null", "{\"model\":\"m\",\"stream_options\":null,\"stream\":true," HELLO "}", "m",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true},\"stream\":true," HELLO "}"},
    {"options empty", "{\"model\":\"m\",\"stream_options\":{},\"stream\":true," HELLO "}", "m",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true},\"stream\":true," HELLO "}"},
    {"other options stay",
     "{\"model\":\"m\",\"stream_options\":{\"a\":1},\"stream\":true," HELLO "}", "m",
     "{\"model\":\"m\",\"stream_options\":{\"a\":1,\"include_usage\":true},\"stream\":true," HELLO
     "}"},
    {"usage refused by the client",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":false},\"stream\":true," HELLO "}",
     "m",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true},\"stream\":true," HELLO "}"},
    {"usage wanted by the client",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true },\"stream\":true," HELLO "}",
     "m",
     "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true },\"stream\":true," HELLO "}"},
    {"no stream, no usage asked", "{\"model\":\"m\",\"stream\":false," HELLO "}", "m",
     "{\"model\":\"m\",\"stream\":false," HELLO "}"},
    {"all three at once", "{\"weir\":{},\"model\":\"m\",\"stream\":true," HELLO "}", "r",
     "{\"model\":\"r\",\"stream\":true," HELLO ",\"stream_options\":{\"include_usage\":true}}"},
};

static struct str joined(struct arena *arena, const struct str *pieces, size_t count)
{
    struct str out = STR_NONE;
    struct err err = {0};
    struct buf text;

    buf_init(&text, arena, MIB);
    for (size_t i = 0; i < count; i++)
        buf_str(&text, pieces[i]);
    EXPECT(buf_finish(&text, &out, &err), "%s", err.text);
    return out;
}

TEST(chat_request_is_spliced_not_rebuilt)
{
    for (size_t i = 0; i < ARRAY_LEN(write_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str pieces[CHAT_PIECES_MAX], got;
        struct chat_request chat;
        struct err err = {0};
        size_t count;

        REQUIRE(chat_read_request(arena, str_from(write_cases[i].body), &chat, &err), "%s: %s",
                write_cases[i].name, err.text);
        REQUIRE(
            chat_write_request(arena, &chat, str_from(write_cases[i].remote), pieces, &count, &err),
            "%s: %s", write_cases[i].name, err.text);
        got = joined(arena, pieces, count);
        EXPECT(str_eq(got, str_from(write_cases[i].want)), "%s: " STR_FMT, write_cases[i].name,
               STR_ARG(got));
    }
}

TEST(chat_request_needs_little_memory)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * KIB);
    static char body[64 * KIB];
    struct chat_request chat;
    struct err err = {0};
    size_t len = (size_t)sizeof "{\"model\":\"m\",\"messages\":[" - 1;

    /* Many small messages want an index larger than the arena: an error, not a crash. */
    memcpy(body, "{\"model\":\"m\",\"messages\":[", len);
    for (; len + 32 < sizeof body; len += 13)
        memcpy(body + len, "{\"role\":\"u\"},", 13);
    memcpy(body + len, "{\"role\":\"u\"}]}", 14);
    bool ok = chat_read_request(arena, (struct str){body, len + 14}, &chat, &err);
    EXPECT(!ok && err.code == ERR_EXHAUSTED, "%d %s", (int)err.code, err.text);
}
