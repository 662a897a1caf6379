/* The Anthropic dialect: requests read and written, answers read and written. */
#include <string.h>

#include "dialect_kit.h"
#include "test.h"

#define MEMORY (64 * MIB)

/* ---- requests ---- */

#define HEAD "\"model\":\"m\",\"max_tokens\":100,"
#define SENT "\"model\":\"remote-m\",\"max_tokens\":100,"

/* What a client of this dialect asks comes out for a provider of this dialect as it was meant. */
static const struct {
    const char *name, *body, *want;
} same_cases[] = {
    {"a text", "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "{" SENT
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}]}"},
    {"no max_tokens takes the model's",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "{\"model\":\"remote-m\",\"max_tokens\":4096,\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"Hi\"}]}]}"},
    {"system, wherever it stands, with a cache breakpoint",
     "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
     "\"system\":[{\"type\":\"text\",\"text\":\"Be "
     "brief\",\"cache_control\":{\"type\":\"ephemeral\","
     "\"ttl\":\"1h\"}}]}",
     "{" SENT "\"system\":[{\"type\":\"text\",\"text\":\"Be "
     "brief\",\"cache_control\":{\"type\":\"ephemeral\","
     "\"ttl\":\"1h\"}}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}]}"},
    {"calls, results of all kinds, and a text behind them",
     "{" HEAD "\"messages\":["
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
     "\"signature\":"
     "\"s1\"},{\"type\":\"redacted_thinking\",\"data\":\"xx\"},{\"type\":\"tool_use\",\"id\":"
     "\"t1\","
     "\"name\":\"f\",\"input\":{\"a\": [1, "
     "2]}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\","
     "\"input\":{}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":"
     "\"4\"},{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":true,\"content\":[{"
     "\"type\":\"text\",\"text\":\"no\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
     "\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]},{\"type\":\"text\",\"text\":\"go "
     "on\"}]}]}",
     "{" SENT "\"messages\":["
     "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
     "\"signature\":"
     "\"s1\"},{\"type\":\"redacted_thinking\",\"data\":\"xx\"},{\"type\":\"tool_use\",\"id\":"
     "\"t1\","
     "\"name\":\"f\",\"input\":{\"a\":[1,2]}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\","
     "\"input\":{}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":"
     "\"4\"},{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":true,\"content\":[{"
     "\"type\":\"text\",\"text\":\"no\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
     "\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]},{\"type\":\"text\",\"text\":\"go "
     "on\"}]}]}"},
    {"documents, urls, files and blocks that are new",
     "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":["
     "{\"type\":\"document\",\"title\":\"T\",\"context\":\"C\",\"citations\":{\"enabled\":true},"
     "\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBE\"}},"
     "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":"
     "\"plain\"},\"title\":\"P\"},"
     "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y.png\"}},"
     "{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"file_1\"}},"
     "{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[]}]}]}",
     "{" SENT "\"messages\":[{\"role\":\"user\",\"content\":["
     "{\"type\":\"document\",\"title\":\"T\",\"context\":\"C\",\"citations\":{\"enabled\":true},"
     "\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBE\"}},"
     "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":"
     "\"plain\"},\"title\":\"P\"},"
     "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y.png\"}},"
     "{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"file_1\"}},"
     "{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[]}]}]}"},
    {"tools, own and built in, with members that are new",
     "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"name\":\"f\","
     "\"description\":\"d\",\"input_schema\":{\"type\":\"object\"},\"strict\":true,\"cache_"
     "control\":{"
     "\"type\":\"ephemeral\"},\"input_examples\":[{\"a\":1}]},{\"type\":\"web_search_20250305\","
     "\"name\":\"web_search\",\"max_uses\":3}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\","
     "\"disable_parallel_tool_use\":true}}",
     "{" SENT
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],"
     "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"},"
     "\"strict\":true,\"cache_control\":{\"type\":\"ephemeral\"},\"input_examples\":[{\"a\":1}]},{"
     "\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":3}],\"tool_choice\":{"
     "\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}}"},
    {"everything beside the messages, and what is new",
     "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"stream\":true,\"top_k\":5,"
     "\"top_p\":0.5,\"temperature\":1,\"stop_sequences\":[\"a\",\"b\"],\"metadata\":{\"user_id\":"
     "\"u\"},"
     "\"service_tier\":\"standard_only\",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}"
     ","
     "\"output_config\":{\"effort\":\"max\",\"format\":{\"type\":\"json_schema\",\"schema\":{}}},"
     "\"container\":\"c\",\"inference_geo\":\"eu\",\"weir\":{\"x\":1}}",
     "{" SENT
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],"
     "\"stream\":true,\"top_k\":5,"
     "\"top_p\":0.5,\"temperature\":1,\"stop_sequences\":[\"a\",\"b\"],\"metadata\":{\"user_id\":"
     "\"u\"},"
     "\"service_tier\":\"standard_only\",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}"
     ","
     "\"output_config\":{\"effort\":\"max\",\"format\":{\"type\":\"json_schema\",\"schema\":{}}},"
     "\"container\":\"c\",\"inference_geo\":\"eu\"}"},
    {"the last words lose their white space, empty ones go",
     "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"},{"
     "\"type\":\"text\",\"text\":\"Hi \"}]},{\"role\":\"assistant\",\"content\":\"Once \\n\"}]}",
     "{" SENT
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi \"}]},{"
     "\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Once\"}]}]}"},
};

TEST(anthropic_request_to_its_own_kind)
{
    for (size_t i = 0; i < ARRAY_LEN(same_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {.refuse = true};
        struct err err = {0};
        struct str got = kit_request(arena, &dialect_anthropic, &dialect_anthropic,
                                     same_cases[i].body, &losses, &err);

        EXPECT(got.ptr, "%s: %s", same_cases[i].name, err.text);
        kit_same_json(arena, same_cases[i].name, got, same_cases[i].want);
    }
}

static const struct {
    const char *body, *error;
} refused_cases[] = {
    {"[]", "the body is not a request: expected an object"},
    {"{\"messages\":[]}", "messages: expected an array with at least one message"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "model: expected the name of a model"},
    {"{\"model\":1,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "model: expected a string"},
    {"{\"model\":\"m\"}", "messages: expected an array with at least one message"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
     "messages.0.role: expected \"user\", \"assistant\" or \"system\""},
    {"{\"model\":\"m\",\"messages\":[7]}", "messages.0: expected an object"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}",
     "messages.0.content: expected a string or an array of blocks"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[1]}]}",
     "messages.0.content.0: expected an object"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{}]}]}",
     "messages.0.content.0.type: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
     "messages.0.content.0.text: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}",
     "messages.0.content.0.source: expected an object"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
     "\"source\":{"
     "\"type\":\"x\"}}]}]}",
     "messages.0.content.0.source.type: expected \"base64\", \"url\" or \"file\""},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_use\",\"id\":"
     "\"i\",\"name\":\"n\",\"input\":{}}]}]}",
     "messages.0.content.0.type: such a block cannot stand here"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
     "\"tool_use_id\":\"i\",\"content\":[{\"type\":\"text\",\"text\":3}]}]}]}",
     "messages.0.content.0.content.0.text: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
     "\"id\":\"i\",\"name\":\"n\",\"input\":\"x\"}]}]}",
     "messages.0.content.0.input: expected an object"},
    {"{\"model\":\"m\",\"max_tokens\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "max_tokens: expected an integer from 1 to 1e+09"},
    {"{\"model\":\"m\",\"temperature\":1.5,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "temperature: expected a number from 0 to 1"},
    {"{\"model\":\"m\",\"stop_sequences\":[\"a\",2],\"messages\":[{\"role\":\"user\",\"content\":"
     "\"x\"}]}",
     "stop_sequences.1: expected a string"},
    {"{\"model\":\"m\",\"tools\":[{\"description\":\"d\"}],\"messages\":[{\"role\":\"user\","
     "\"content\":\"x\"}]}",
     "tools.0.name: expected a string"},
    {"{\"model\":\"m\",\"tool_choice\":\"auto\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}"
     "]}",
     "tool_choice: expected an object"},
    {"{\"model\":\"m\",\"thinking\":{\"type\":\"enabled\"},\"messages\":[{\"role\":\"user\","
     "\"content\":\"x\"}]}",
     "thinking.budget_tokens: expected a number of tokens"},
    {"{\"model\":\"m\",\"output_config\":{\"format\":{\"type\":\"xml\"}},\"messages\":[{\"role\":"
     "\"user\",\"content\":\"x\"}]}",
     "output_config.format.type: expected \"json_schema\""},
    {"{\"model\":\"m\",\"system\":4,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "system: expected a string or an array of blocks"},
};

TEST(anthropic_request_refused_by_its_field)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, &dialect_anthropic, refused_cases[i].body, &err), "%s",
               refused_cases[i].body);
        EXPECT(err.code == ERR_INVALID &&
                   str_eq(str_from(err.text), str_from(refused_cases[i].error)),
               "%s: %s", refused_cases[i].body, err.text);
    }
}

/* ---- requests that other dialects' clients make ---- */

static struct conversation *foreign(struct arena *arena)
{
    struct conversation *c = arena_alloc(arena, sizeof *c);
    struct turn **turns = &c->turns, *turn;
    struct part **parts;

    conversation_init(c);
    c->model = STR("m");
    c->max_tokens = 3000;
    turn = turn_add(arena, &turns, TURN_USER);
    turn->path = STR("messages.0");
    parts = &turn->parts;
    part_add(arena, &parts, PART_TEXT)->text = STR("Hi");
    return c;
}

static struct str write_foreign(struct arena *arena, const struct conversation *c,
                                struct str remote_name, struct losses *losses, struct err *err)
{
    struct model model = kit_model;
    struct outgoing out = {0};

    model.remote_name = remote_name;
    if (!dialect_anthropic.write_request(arena, c, &model, losses, &out, err))
        return STR_NONE;
    return out.body;
}

static bool has(struct str text, const char *what)
{
    return str_find(text, str_from(what)) < text.len;
}

static const struct {
    const char *effort, *model, *want;
} effort_cases[] = {
    {"high", "claude-opus-5-5",
     "\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":"
     "\"high\"}"},
    {"none", "claude-opus-5", "\"thinking\":{\"type\":\"disabled\"}"},
    {"low", "claude-sonnet-4-5-20250929",
     "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}"},
    {"xhigh", "claude-3-7-sonnet-latest",
     "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2400}"}, /* a fifth of max_tokens is for the answer */
};

TEST(anthropic_effort_by_model)
{
    for (size_t i = 0; i < ARRAY_LEN(effort_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct conversation *c = foreign(arena);
        struct losses losses = {.refuse = true};
        struct err err = {0};
        struct str got;

        c->reasoning_effort = str_from(effort_cases[i].effort);
        got = write_foreign(arena, c, str_from(effort_cases[i].model), &losses, &err);
        EXPECT(has(got, effort_cases[i].want), "%s: %s " STR_FMT, effort_cases[i].model, err.text,
               STR_ARG(got));
    }
}

TEST(anthropic_losses_are_told)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct conversation *c = foreign(arena);
    struct part **parts = &c->turns->parts->next;
    struct losses losses = {0}, strict = {.refuse = true};
    struct err err = {0};
    struct str got;

    part_add(arena, &parts, PART_AUDIO)->data = STR("AAAA");
    c->seed = 7;
    c->temperature = 1.7;
    c->n = 2;
    c->format = FORMAT_JSON;
    got = write_foreign(arena, c, STR("claude-opus-4-6"), &losses, &err);
    EXPECT(got.ptr && losses.count == 5, "%u %s", losses.count, err.text);
    for (uint32_t i = 0; i < losses.count; i++)
        EXPECT(str_eq(losses.fields[i], STR("seed")) || str_eq(losses.fields[i], STR("n")) ||
                   str_eq(losses.fields[i], STR("temperature")) ||
                   str_eq(losses.fields[i], STR("response_format")) ||
                   str_eq(losses.fields[i], STR("messages.0.content.1")),
               STR_FMT, STR_ARG(losses.fields[i]));
    EXPECT(has(got, "\"temperature\":1") && !has(got, "seed") && !has(got, "1.7"), STR_FMT,
           STR_ARG(got));
    EXPECT(!write_foreign(arena, c, STR("claude-opus-4-6"), &strict, &err).ptr &&
           err.code == ERR_INVALID);
}

TEST(anthropic_results_join_the_user)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct conversation *c = foreign(arena);
    struct turn **turns = &c->turns->next, *turn;
    struct losses losses = {0};
    struct err err = {0};
    struct part **parts, *part;

    turn = turn_add(arena, &turns, TURN_ASSISTANT);
    turn->path = STR("messages.1");
    parts = &turn->parts;
    part = part_add(arena, &parts, PART_TOOL_CALL);
    part->id = STR("call.1:x");
    part->name = STR("f");
    part->arguments = STR("{\"a\":");
    for (int i = 0; i < 2; i++) {
        turn = turn_add(arena, &turns, TURN_TOOL);
        turn->path = STR("messages.2");
        parts = &turn->parts;
        part = part_add(arena, &parts, PART_TOOL_RESULT);
        part->id = STR("call.1:x");
        parts = &part->inner;
        part_add(arena, &parts, PART_TEXT)->text = STR("4");
    }
    turn = turn_add(arena, &turns, TURN_DEVELOPER);
    turn->path = STR("messages.4");
    parts = &turn->parts;
    part_add(arena, &parts, PART_TEXT)->text = STR("Be brief");
    kit_same_json(
        arena, "joined", write_foreign(arena, c, STR("remote-m"), &losses, &err),
        "{\"model\":\"remote-m\",\"max_tokens\":3000,\"system\":[{\"type\":\"text\",\"text\":\"Be "
        "brief\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"Hi\"}]},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"call_1_x\",\"name\":"
        "\"f\","
        "\"input\":{\"INVALID_JSON\":\"{\\\"a\\\":\"}}]},{\"role\":\"user\",\"content\":[{\"type\":"
        "\"tool_result\",\"tool_use_id\":\"call_1_x\",\"content\":\"4\"},{\"type\":\"tool_result\","
        "\"tool_use_id\":\"call_1_x\",\"content\":\"4\"}]}]}");
    EXPECT(losses.count == 1 && str_eq(losses.fields[0], STR("messages.4")), "what moved is told");
}

/* ---- answers ---- */

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"

static const char golden[] = EVENT(
    "message_start",
    ",\"message\":{\"id\":\"msg_7f3a\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
    "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"
    "\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":5,\"cache_creation\":{"
    "\"ephemeral_5m_input_tokens\":4,\"ephemeral_1h_input_tokens\":3},\"output_tokens\":1}}")
    EVENT("content_block_start",
          ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":"
          "\"\",\"signature\":\"\"}")
        EVENT("content_block_delta",
              ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":"
              "\"hm\"}") EVENT("content_block_delta",
                               ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":"
                               "\"sig\"}") EVENT("content_block_stop", ",\"index\":0")
            EVENT("content_block_start",
                  ",\"index\":1,\"content_block\":{\"type\":\"redacted_thinking\","
                  "\"data\":\"xx\"}") EVENT("content_block_stop", ",\"index\":1")
                EVENT("content_block_start",
                      ",\"index\":2,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
                    EVENT("content_block_delta",
                          ",\"index\":2,\"delta\":{\"type\":\"text_delta\",\"text\":\"Z\xc3\xbc"
                          "rich \xf0\x9f\x8c\x8d\"}") EVENT("content_block_stop", ",\"index\":2")
                        EVENT("content_block_start",
                              ",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\","
                              "\"name\":\"f\",\"input\":{}}")
                            EVENT("content_block_delta",
                                  ",\"index\":3,\"delta\":{\"type\":\"input_json_delta\","
                                  "\"partial_json\":\"{\\\"a\\\": \\\"}\"}")
                                EVENT("content_block_delta",
                                      ",\"index\":3,\"delta\":{\"type\":\"input_json_delta\","
                                      "\"partial_json\":\"\\\"}\"}") EVENT("content_block_stop",
                                                                           ",\"index\":3")
                                    EVENT("content_block_start",
                                          ",\"index\":4,\"content_block\":{\"type\":\"tool_use\","
                                          "\"id\":\"t2\","
                                          "\"name\":\"g\",\"input\":{}}")
                                        EVENT(
                                            "content_block_delta",
                                            ",\"index\":4,\"delta\":{\"type\":\"input_json_delta\","
                                            "\"partial_json\":\"{}\"}")
                                            EVENT("content_block_stop", ",\"index\":4")
                                                EVENT("message_delta",
                                                      ",\"delta\":{\"stop_reason\":\"tool_use\","
                                                      "\"stop_sequence\":null},\"usage\":{"
                                                      "\"input_tokens\":10,\"cache_creation_input_"
                                                      "tokens\":7,\"cache_read_input_tokens\":5,"
                                                      "\"cache_creation\":{\"ephemeral_5m_input_"
                                                      "tokens\":4,\"ephemeral_1h_input_tokens\":3},"
                                                      "\"output_tokens\":40,\"output_tokens_"
                                                      "details\":{\"thinking_tokens\":9}}")
                                                    EVENT("message_stop", "");

TEST(anthropic_stream_cut_at_every_byte)
{
    struct str bytes = str_from(golden);

    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got =
            kit_answer(arena, &dialect_anthropic, &dialect_anthropic, true, bytes, cut, &err);

        REQUIRE(str_eq(got, bytes), "cut at %zu: %s\n" STR_FMT, cut, err.text, STR_ARG(got));
    }
}

/* A stream that ends too early is never a whole answer. */
TEST(anthropic_stream_that_ends_early)
{
    struct str bytes = str_from(golden);
    size_t goodbye = str_find(bytes, STR("event: message_delta"));

    for (size_t end = 0; end < goodbye; end += 7) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_anthropic, &dialect_anthropic, true,
                                    str_slice(bytes, 0, end), 0, &err);

        REQUIRE(!got.ptr && err.code == ERR_UNAVAILABLE, "after %zu bytes: %s", end, err.text);
    }
}

static const char whole[] =
    "{\"id\":\"msg_7f3a\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":["
    "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"sig\"},{\"type\":\"redacted_"
    "thinking\","
    "\"data\":\"xx\"},{\"type\":\"text\",\"text\":\"Hello\",\"citations\":[{\"type\":"
    "\"web_search_result_location\",\"cited_text\":\"q\",\"title\":\"T\",\"url\":\"https://x\","
    "\"encrypted_index\":\"\"}]},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{"
    "\"a\":1}}],"
    "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\",\"usage\":{\"input_tokens\":10,"
    "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":5,\"output_tokens\":40}}";

TEST(anthropic_whole_answer)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};

    kit_same_json(
        arena, "whole",
        kit_answer(arena, &dialect_anthropic, &dialect_anthropic, false, str_from(whole), 0, &err),
        whole);
}

static const struct {
    const char *name, *body;
    bool streamed;
} broken_cases[] = {
    {"no JSON", "<html>", false},
    {"no message", "{\"choices\":[]}", false},
    {"no content", "{\"type\":\"message\"}", false},
    {"no stop_reason", "{\"type\":\"message\",\"content\":[]}", false},
    {"a call without id", "{\"type\":\"message\",\"content\":[{\"type\":\"tool_use\"}]}", false},
    {"a delta outside a block",
     EVENT("message_start", ",\"message\":{}") EVENT("content_block_delta", ",\"index\":0"), true},
    {"a block inside a block",
     EVENT("message_start", ",\"message\":{}")
         EVENT("content_block_start", ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
             EVENT("content_block_start", ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}"),
     true},
    {"a block before the message", EVENT("content_block_start", ",\"content_block\":{}"), true},
    {"two messages",
     EVENT("message_start", ",\"message\":{}") EVENT("message_start", ",\"message\":{}"), true},
    {"not even JSON", "data: {\n\n", true},
};

TEST(anthropic_answers_out_of_order)
{
    for (size_t i = 0; i < ARRAY_LEN(broken_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got =
            kit_answer(arena, &dialect_anthropic, &dialect_anthropic, broken_cases[i].streamed,
                       str_from(broken_cases[i].body), 0, &err);

        EXPECT(!got.ptr && err.code == ERR_UNAVAILABLE, "%s: %s", broken_cases[i].name, err.text);
    }
}

/* What was found may have no title: the answer is one all the same. */
TEST(anthropic_sources_without_a_title)
{
    static const char body[] =
        "{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"model\":\"x\",\"content\":[{"
        "\"type\":"
        "\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{\"query\":"
        "\"q\"}},{"
        "\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srvtoolu_1\",\"content\":[{\"type\":"
        "\"web_search_result\",\"url\":\"https://"
        "x\"},{\"type\":\"web_search_result\",\"title\":\"T\"}]},{"
        "\"type\":\"text\",\"text\":\"Hello\"}],\"stop_reason\":\"end_turn\"}";
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got =
        kit_answer(arena, &dialect_anthropic, &dialect_responses, false, str_from(body), 0, &err);

    REQUIRE(got.ptr, "%s", err.text);
    EXPECT(str_find(got, STR("Hello")) < got.len && str_find(got, STR("https://x")) < got.len,
           STR_FMT, STR_ARG(got));
}

TEST(anthropic_error_inside_a_stream)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got = kit_answer(
        arena, &dialect_anthropic, &dialect_anthropic, true,
        STR(EVENT("message_start",
                  ",\"message\":{\"id\":\"x\"}") "event: error\ndata: {\"type\":\"error\","
                                                 "\"error\":{\"type\":\"overloaded_error\","
                                                 "\"message\":\"Overloaded\"}}\n\n"),
        0, &err);

    EXPECT(has(got, "event: error\n") && has(got, "Overloaded") && !has(got, "message_stop"),
           STR_FMT, STR_ARG(got));
}

/* ---- what other providers say, written for this dialect's clients ---- */

/* The events in short: "start(0 text) delta(0 Hel) stop(0) ...". */
static struct str in_short(struct arena *arena, struct str stream)
{
    struct sse_reader events;
    struct sse_event e;
    struct err err = {0};
    struct buf out;

    sse_reader_init(&events, arena, MIB);
    buf_init(&out, arena, MIB);
    EXPECT(sse_feed(&events, stream, &err), "%s", err.text);
    while (sse_next(&events, &e)) {
        struct json *j = json_parse(arena, e.data, &err);
        struct str text = STR_NONE;
        int64_t index = 0;

        EXPECT(j, "%s", err.text);
        if (!j)
            continue;
        if (str_starts(e.event, STR("message")) || str_eq(e.event, STR("ping"))) {
            buf_fmt(&out, STR_FMT " ", STR_ARG(e.event));
            continue;
        }
        EXPECT(json_i64(j, json_path(j, "index"), &index));
        if (str_eq(e.event, STR("content_block_start")))
            EXPECT(json_str(j, json_path(j, "content_block.type"), arena, &text));
        else if (str_eq(e.event, STR("content_block_delta")))
            (void)(json_str(j, json_path(j, "delta.text"), arena, &text) ||
                   json_str(j, json_path(j, "delta.partial_json"), arena, &text) ||
                   json_str(j, json_path(j, "delta.thinking"), arena, &text) ||
                   json_str(j, json_path(j, "delta.signature"), arena, &text));
        buf_fmt(&out, "%.*s%" PRId64 "(" STR_FMT ") ", (int)MIN_OF(e.event.len - 14, 5),
                e.event.ptr + 14, index, STR_ARG(text));
    }
    return buf_view(&out);
}

#define TEXT_OF(p, t)                                                \
    {                                                                \
        .kind = SAID_TEXT, .part = (p), .text = { t, sizeof(t) - 1 } \
    }
#define ARGS(p, t)                                                        \
    {                                                                     \
        .kind = SAID_ARGUMENTS, .part = (p), .text = { t, sizeof(t) - 1 } \
    }
#define TOOL(p, n)                                                          \
    {                                                                       \
        .kind = SAID_TOOL, .part = (p), .id = {"id" n, 3}, .name = { n, 1 } \
    }
#define ENDED(p)                           \
    {                                      \
        .kind = SAID_PART_END, .part = (p) \
    }
#define BEGIN              \
    {                      \
        .kind = SAID_BEGIN \
    }
#define FINISH                                          \
    {.kind = SAID_FINISH, .finish = FINISH_TOOL_CALLS}, \
    {                                                   \
        .kind = SAID_END                                \
    }

static const struct {
    const char *name, *want;
    struct said said[16];
} stream_cases[] = {
    {"parallel calls side by side lose nothing",
     "message_start start0(text) delta0(Hi) stop0() start1(tool_use) delta1({\"a\":) delta1(1}) "
     "stop1() "
     "start2(tool_use) delta2({\"b\":[2) delta2(]}) stop2() message_delta message_stop ",
     {BEGIN, TEXT_OF(0, "Hi"), TOOL(1, "f"), TOOL(2, "g"), ARGS(1, "{\"a\":"), ARGS(2, "{\"b\":[2"),
      ARGS(1, "1}"), ARGS(2, "]}"), FINISH}},
    {"one after the other, without being told of ends",
     "message_start start0(tool_use) delta0({\"a\":\"}\") delta0(}) stop0() start1(tool_use) "
     "delta1({}) "
     "stop1() message_delta message_stop ",
     {BEGIN, TOOL(0, "f"), ARGS(0, "{\"a\":\"}\""), ARGS(0, "}"), TOOL(1, "g"), ARGS(1, "{}"),
      FINISH}},
    {"a call without arguments, then another",
     "message_start start0(tool_use) stop0() start1(tool_use) delta1({}) stop1() message_delta "
     "message_stop ",
     {BEGIN, TOOL(0, "f"), ENDED(0), TOOL(1, "g"), ARGS(1, "{}"), ENDED(1), FINISH}},
    {"the first call never ends: the second waits for the end",
     "message_start start0(tool_use) delta0({\"a\") stop0() start1(tool_use) delta1({}) stop1() "
     "message_delta message_stop ",
     {BEGIN, TOOL(0, "f"), ARGS(0, "{\"a\""), TOOL(1, "g"), ARGS(1, "{}"), FINISH}},
    {"text between calls and behind them keeps its place",
     "message_start start0(tool_use) delta0({\"a\") delta0(:1}) stop0() start1(text) delta1(mid) "
     "stop1() "
     "start2(tool_use) delta2({}) stop2() start3(text) delta3(end) stop3() message_delta "
     "message_stop ",
     {BEGIN, TOOL(0, "f"), ARGS(0, "{\"a\""), TEXT_OF(1, "mid"), ARGS(0, ":1}"), TOOL(2, "g"),
      ARGS(2, "{}"), TEXT_OF(1, "end"), FINISH}},
    {"nothing at all", "message_start message_delta message_stop ", {BEGIN, FINISH}},
    {"no beginning",
     "message_start start0(text) delta0(x) stop0() message_delta message_stop ",
     {TEXT_OF(0, "x"), FINISH}},
};

TEST(anthropic_blocks_follow_each_other)
{
    for (size_t i = 0; i < ARRAY_LEN(stream_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct kit_client client;
        struct str got;

        kit_client_init(&client, arena, &dialect_anthropic, true);
        for (size_t k = 0; k == 0 || stream_cases[i].said[k - 1].kind != SAID_END; k++)
            kit_say(&client, &dialect_anthropic, &stream_cases[i].said[k]);
        got = in_short(arena, buf_view(&client.out));
        EXPECT(str_eq(got, str_from(stream_cases[i].want)), "%s:\n got " STR_FMT "\nwant %s",
               stream_cases[i].name, STR_ARG(got), stream_cases[i].want);
    }
}

/* Whatever the order of the pieces, the same calls come out whole. */
TEST(anthropic_every_interleaving)
{
    static const char *const pieces[2][3] = {{"{\"a\"", ":[1,", "2]}"}, {"{", "\"b\":\"}{\"", "}"}};

    for (unsigned order = 0; order < 1 << 6; order++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct kit_client client;
        uint32_t at[2] = {0, 0};
        struct str got;

        if (__builtin_popcount(order) != 3)
            continue;
        kit_client_init(&client, arena, &dialect_anthropic, false);
        kit_say(&client, &dialect_anthropic, &(struct said)TOOL(0, "f"));
        kit_say(&client, &dialect_anthropic, &(struct said)TOOL(1, "g"));
        for (unsigned k = 0; k < 6; k++) {
            uint32_t which = order >> k & 1;
            struct said said = {.kind = SAID_ARGUMENTS, .part = which};

            said.text = str_from(pieces[which][at[which]++]);
            kit_say(&client, &dialect_anthropic, &said);
        }
        kit_say(&client, &dialect_anthropic, &(struct said){.kind = SAID_END});
        got = buf_view(&client.out);
        EXPECT(has(got, "\"input\":{\"a\":[1,2]}") && has(got, "\"input\":{\"b\":\"}{\"}"), STR_FMT,
               STR_ARG(got));
    }
}

TEST(anthropic_arguments_after_the_end_are_an_error)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct kit_client client;
    struct err err = {0};

    kit_client_init(&client, arena, &dialect_anthropic, true);
    kit_say(&client, &dialect_anthropic, &(struct said)TOOL(0, "f"));
    kit_say(&client, &dialect_anthropic, &(struct said)ARGS(0, "{}"));
    kit_say(&client, &dialect_anthropic, &(struct said)ARGS(0, " \n"));
    EXPECT(!dialect_anthropic.write_said(&client.writer, &(struct said)ARGS(0, "{"), &client.out,
                                         &err));
    EXPECT(err.code == ERR_UNAVAILABLE, "%s", err.text);
}

/* ---- errors ---- */

static const struct {
    int status;
    const char *code;
    enum err_code err;
    const char *type;
} error_cases[] = {
    {400, NULL, ERR_INVALID, "invalid_request_error"},
    {401, NULL, ERR_UNAUTHENTICATED, "authentication_error"},
    {403, NULL, ERR_DENIED, "permission_error"},
    {404, "model_not_found", ERR_NOT_FOUND, "not_found_error"},
    {413, NULL, ERR_TOO_LARGE, "request_too_large"},
    {429, "rate_limit_exceeded", ERR_EXHAUSTED, "rate_limit_error"},
    {429, "insufficient_quota", ERR_EXHAUSTED, "billing_error"},
    {500, NULL, ERR_INTERNAL, "api_error"},
    {503, NULL, ERR_UNAVAILABLE, "overloaded_error"},
    {504, NULL, ERR_TIMEOUT, "timeout_error"},
    {529, NULL, ERR_UNAVAILABLE, "overloaded_error"},
};

TEST(anthropic_errors)
{
    for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str type = STR_NONE, message = STR_NONE, param = STR_NONE, code = STR_NONE;
        struct err err = {0};
        struct buf out;

        buf_init(&out, arena, KIB);
        err_set(&err, error_cases[i].err, "why \"it\" is so");
        dialect_anthropic.write_error(&out, error_cases[i].status, error_cases[i].code, &err);
        dialect_anthropic.read_error(arena, buf_view(&out), error_cases[i].status, &type, &message,
                                     &param, &code);
        EXPECT(str_eq(type, str_from(error_cases[i].type)), "%d: " STR_FMT, error_cases[i].status,
               STR_ARG(type));
        EXPECT(str_eq(message, STR("why \"it\" is so")), STR_FMT, STR_ARG(message));
    }
}
