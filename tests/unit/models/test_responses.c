/* The Responses dialect: requests read and written, answers read and written, and beside the other
 * dialects. */
#include <string.h>

#include "dialect_kit.h"
#include "models/responses.h"
#include "test.h"

#define MEMORY (64 * MIB)

static bool has(struct str text, const char *what)
{
    return str_find(text, str_from(what)) < text.len;
}

/* ---- requests ---- */

#define END ",\"include\":[\"reasoning.encrypted_content\"],\"store\":false}"

static const struct {
    const char *name, *body, *want;
} same_cases[] = {
    {"a text", "{\"model\":\"m\",\"input\":\"Hi\"}",
     "{\"model\":\"remote-m\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]}]" END},
    {"items of every kind",
     "{\"model\":\"m\",\"input\":[{\"role\":\"developer\",\"content\":\"D\"},{\"role\":\"user\","
     "\"content\":[{\"type\":\"input_text\",\"text\":\"Q\"},{\"type\":\"input_image\",\"image_"
     "url\":"
     "\"data:image/"
     "png;base64,AAAA\"},{\"type\":\"input_file\",\"filename\":\"a.pdf\",\"file_data\":"
     "\"data:application/"
     "pdf;base64,JVBE\"}]},{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{"
     "\"type\":\"summary_text\",\"text\":\"hm\"}],\"encrypted_content\":\"E\"},{\"type\":"
     "\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},{"
     "\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"4\"},{\"type\":"
     "\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"},{\"type\":\"message\",\"id\":"
     "\"msg_1\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":"
     "\"output_text\",\"text\":\"A\",\"annotations\":[]}]}],\"instructions\":\"Be brief\"}",
     "{\"model\":\"remote-m\",\"input\":[{\"type\":\"message\",\"role\":\"system\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Be "
     "brief\"}]},{\"type\":\"message\",\"role\":\"developer\","
     "\"content\":[{\"type\":\"input_text\",\"text\":\"D\"}]},{\"type\":\"message\",\"role\":"
     "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Q\"},{\"type\":\"input_image\","
     "\"detail\":\"auto\",\"image_url\":\"data:image/png;base64,AAAA\"},{\"type\":\"input_file\","
     "\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,JVBE\"}]},{\"type\":"
     "\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}],"
     "\"encrypted_content\":\"E\"},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\","
     "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"4\"}"
     ",{"
     "\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"},{\"type\":\"message\","
     "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"A\",\"annotations\":"
     "[]}"
     "]}]" END},
    {"everything beside the items",
     "{\"model\":\"m\",\"input\":\"Hi\",\"stream\":true,\"max_output_tokens\":50,\"temperature\":0."
     "5,"
     "\"top_p\":0.9,\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":"
     "\"object\"},\"strict\":true},{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":"
     "\"function\","
     "\"name\":\"f\"},\"parallel_tool_calls\":false,\"text\":{\"format\":{\"type\":\"json_schema\","
     "\"name\":\"n\",\"schema\":{},\"strict\":true},\"verbosity\":\"low\"},\"reasoning\":{"
     "\"effort\":"
     "\"high\",\"summary\":\"auto\"},\"metadata\":{\"a\":\"b\"},\"user\":\"u\",\"prompt_cache_"
     "key\":"
     "\"k\",\"store\":true,\"background\":false,\"truncation\":\"disabled\"}",
     "{\"model\":\"remote-m\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]}],\"stream\":true,\"max_output_tokens\":50,"
     "\"temperature\":0.5,\"top_p\":0.9,\"tools\":[{\"type\":\"function\",\"name\":\"f\","
     "\"parameters\":{\"type\":\"object\"},\"strict\":true},{\"type\":\"web_search\"}],"
     "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},\"parallel_tool_calls\":false,"
     "\"text\":{"
     "\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{},\"strict\":true},"
     "\"verbosity\":\"low\"},\"reasoning\":{\"effort\":\"high\",\"summary\":\"auto\"},\"user\":"
     "\"u\","
     "\"prompt_cache_key\":\"k\"" END},
    {"what is to be included, beside a field that Weir does not know",
     "{\"model\":\"m\",\"input\":\"Hi\",\"prompt_cache_key\":\"k\",\"include\":[\"reasoning."
     "encrypted_content\",\"message.output_text.logprobs\"]}",
     "{\"model\":\"remote-m\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]}],\"prompt_cache_key\":\"k\",\"include\":["
     "\"reasoning.encrypted_content\",\"message.output_text.logprobs\"],\"store\":false}"},
    {"what Weir does not know of it, and what must come back as nothing is kept there",
     "{\"model\":\"m\",\"input\":\"Hi\",\"include\":[\"computer_call_output.output.image_url\"]}",
     "{\"model\":\"remote-m\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]}],\"include\":[\"computer_call_output.output.image_"
     "url\",\"reasoning.encrypted_content\"],\"store\":false}"},
};

TEST(responses_request_to_its_own_kind)
{
    for (size_t i = 0; i < ARRAY_LEN(same_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {.refuse = true};
        struct err err = {0};
        struct str got = kit_request(arena, &dialect_responses, &dialect_responses,
                                     same_cases[i].body, &losses, &err);

        EXPECT(got.ptr, "%s: %s", same_cases[i].name, err.text);
        kit_same_json(arena, same_cases[i].name, got, same_cases[i].want);
    }
}

static const struct {
    const char *body, *error;
} refused_cases[] = {
    {"{\"model\":\"m\"}", "input: expected a string or an array of items"},
    {"{\"input\":\"x\"}", "model: expected the name of a model"},
    {"{\"model\":\"m\",\"input\":3}", "input: expected a string or an array of items"},
    {"{\"model\":\"m\",\"input\":[3]}", "input.0: expected an object"},
    {"{\"model\":\"m\",\"input\":[{\"role\":\"x\",\"content\":\"y\"}]}",
     "input.0.role: expected \"user\", \"assistant\", \"system\" or \"developer\""},
    {"{\"model\":\"m\",\"input\":[{\"role\":\"user\"}]}",
     "input.0.content: expected a string or an array of content"},
    {"{\"model\":\"m\",\"input\":[{\"type\":\"function_call\",\"name\":\"f\"}]}",
     "input.0.call_id: expected a string"},
    {"{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\"}]}",
     "input.0.id: expected a string"},
    {"{\"model\":\"m\",\"input\":\"x\",\"background\":true}",
     "background: answers in the background are not made here; leave it out, or stream the answer"},
    {"{\"model\":\"m\",\"input\":\"x\",\"conversation\":\"c\"}",
     "conversation: nothing of the kind is kept here; use previous_response_id or send the items "
     "themselves"},
    {"{\"model\":\"m\",\"input\":\"x\",\"tool_choice\":\"sometimes\"}",
     "tool_choice: expected \"auto\", \"none\", \"required\" or an object"},
    {"{\"model\":\"m\",\"input\":\"x\",\"text\":{\"format\":{\"type\":\"json_schema\"}}}",
     "text.format.schema: expected an object"},
    {"{\"model\":\"m\",\"input\":\"x\",\"store\":1}", "store: expected true or false"},
    {"{\"model\":\"m\",\"input\":\"x\",\"truncation\":\"x\"}",
     "truncation: expected \"auto\" or \"disabled\""},
    {"{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]}",
     "input.0.content.0.image_url: expected a string"},
};

TEST(responses_request_refused_by_its_field)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, &dialect_responses, refused_cases[i].body, &err), "%s",
               refused_cases[i].body);
        EXPECT(err.code == ERR_INVALID &&
                   str_eq(str_from(err.text), str_from(refused_cases[i].error)),
               "%s: %s", refused_cases[i].body, err.text);
    }
}

/* ---- the same question in three dialects ---- */

static const char in_responses[] =
    "{\"model\":\"m\",\"max_output_tokens\":100,\"instructions\":\"S\",\"input\":[{\"role\":"
    "\"user\","
    "\"content\":\"Q\"},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\","
    "\"arguments\":"
    "\"{\\\"a\\\":1}\"},{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\","
    "\"arguments\":"
    "\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"4\"},{\"type\":"
    "\"function_call_output\",\"call_id\":\"c2\",\"output\":\"5\"}],\"tools\":[{\"type\":"
    "\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}],\"tool_choice\":"
    "\"required\"}";
static const char in_anthropic[] =
    "{\"model\":\"m\",\"max_tokens\":100,\"system\":\"S\",\"messages\":[{\"role\":\"user\","
    "\"content\":"
    "\"Q\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":"
    "\"f\","
    "\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}]},{"
    "\"role\":"
    "\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"4\"},{"
    "\"type\":\"tool_result\",\"tool_use_id\":\"c2\",\"content\":\"5\"}]}],\"tools\":[{\"name\":"
    "\"f\","
    "\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"any\"}}";
static const char in_openai[] =
    "{\"model\":\"m\",\"max_tokens\":100,\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{"
    "\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\","
    "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":"
    "\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},{\"role\":"
    "\"tool\",\"tool_call_id\":\"c1\",\"content\":\"4\"},{\"role\":\"tool\",\"tool_call_id\":"
    "\"c2\","
    "\"content\":\"5\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
    "\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":\"required\"}";

/* Whatever dialect the question comes in, every provider is sent the same. */
TEST(dialects_ask_the_same)
{
    static const struct {
        const struct dialect *from;
        const char *body;
    } clients[] = {{&dialect_responses, in_responses},
                   {&dialect_anthropic, in_anthropic},
                   {&dialect_openai, in_openai}};
    static const struct dialect *const providers[] = {&dialect_openai, &dialect_responses,
                                                      &dialect_anthropic};

    for (size_t p = 0; p < ARRAY_LEN(providers); p++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str first = STR_NONE;

        for (size_t c = 0; c < ARRAY_LEN(clients); c++) {
            struct losses losses = {.refuse = true};
            struct err err = {0};
            struct str got =
                kit_request(arena, clients[c].from, providers[p], clients[c].body, &losses, &err);

            REQUIRE(got.ptr, "%s to %s: %s", clients[c].from->name, providers[p]->name, err.text);
            if (providers[p] == &dialect_responses && clients[c].from == &dialect_responses)
                continue; /* there strict stays unsaid, which means the contrary elsewhere */
            if (first.ptr)
                kit_same_json(arena, clients[c].from->name, got, arena_str(arena, first).ptr);
            first = got;
        }
    }
}

/* ---- answers ---- */

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"

static const char from_anthropic[] = EVENT(
    "message_start", ",\"message\":{\"id\":\"x\",\"model\":\"r\",\"usage\":{\"input_tokens\":9}}")
    EVENT("content_block_start",
          ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":"
          "\"\"}") EVENT("content_block_delta",
                         ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")
        EVENT("content_block_delta",
              ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig\"}")
            EVENT("content_block_stop", ",\"index\":0") EVENT(
                "content_block_start",
                ",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
                EVENT("content_block_delta",
                      ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hel\"}")
                    EVENT("content_block_delta",
                          ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"l\xc3\xb6\"}")
                        EVENT("content_block_stop", ",\"index\":1") EVENT(
                            "content_block_start",
                            ",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"c1\","
                            "\"name\":\"f\",\"input\":{}}")
                            EVENT("content_block_delta",
                                  ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
                                  "\"partial_json\":\"{\\\"a\\\"\"}")
                                EVENT("content_block_delta",
                                      ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
                                      "\"partial_json\":\":1}\"}") EVENT("content_block_stop",
                                                                         ",\"index\":2")
                                    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"tool_"
                                                           "use\"},\"usage\":{\"output_tokens\":7}")
                                        EVENT("message_stop", "");

/* The types of the events, without "response.", and the last event's data. */
static struct str types_of(struct arena *arena, struct str stream, struct str *last)
{
    struct sse_reader events;
    struct sse_event e;
    struct err err = {0};
    struct buf out;
    int64_t expected = 0, number = -1;

    sse_reader_init(&events, arena, MIB);
    buf_init(&out, arena, MIB);
    EXPECT(sse_feed(&events, stream, &err), "%s", err.text);
    while (sse_next(&events, &e)) {
        struct json *j = json_parse(arena, e.data, &err);

        EXPECT(j && json_i64(j, json_path(j, "sequence_number"), &number) && number == expected++,
               "sequence_number %" PRId64, number);
        buf_str(&out, str_starts(e.event, STR("response.")) ? str_slice(e.event, 9, e.event.len)
                                                            : e.event);
        buf_char(&out, ' ');
        *last = arena_str(arena, e.data);
    }
    return buf_view(&out);
}

static const char response_want[] =
    "{\"id\":\"resp_7f3a\",\"object\":\"response\",\"created_at\":1700000000,\"status\":"
    "\"completed\","
    "\"background\":false,\"error\":null,\"incomplete_details\":null,\"model\":\"m\",\"output\":[{"
    "\"id\":\"rs_7f3a_0\",\"type\":\"reasoning\",\"status\":\"completed\",\"summary\":[{\"type\":"
    "\"summary_text\",\"text\":\"hm\"}]},{\"id\":\"msg_7f3a_1\",\"type\":\"message\",\"status\":"
    "\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":"
    "\"Hell\xc3\xb6"
    "\",\"annotations\":[],\"logprobs\":[]}]},{\"id\":\"fc_7f3a_2\",\"type\":\"function_call\","
    "\"status\":\"completed\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}],"
    "\"instructions\":null,\"max_output_tokens\":null,\"parallel_tool_calls\":true,"
    "\"previous_response_id\":null,\"reasoning\":{\"effort\":null,\"summary\":null},\"store\":"
    "false,"
    "\"temperature\":1,\"top_p\":1,\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":"
    "\"auto\","
    "\"tools\":[],\"truncation\":\"disabled\",\"metadata\":{},\"usage\":{\"input_tokens\":9,"
    "\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":7,\"output_tokens_details\":{"
    "\"reasoning_tokens\":0},\"total_tokens\":16}}";

TEST(responses_stream_of_an_anthropic_answer)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str last = STR_NONE, got, types;
    struct err err = {0};
    struct json *j;

    got = kit_answer(arena, &dialect_anthropic, &dialect_responses, true, str_from(from_anthropic),
                     0, &err);
    REQUIRE(got.ptr, "%s", err.text);
    types = types_of(arena, got, &last);
    EXPECT(
        str_eq(types, STR("created in_progress output_item.added reasoning_summary_part.added "
                          "reasoning_summary_text.delta reasoning_summary_text.done "
                          "reasoning_summary_part.done output_item.done output_item.added "
                          "content_part.added output_text.delta output_text.delta output_text.done "
                          "content_part.done output_item.done output_item.added "
                          "function_call_arguments.delta function_call_arguments.delta "
                          "function_call_arguments.done output_item.done completed ")),
        STR_FMT, STR_ARG(types));
    j = json_parse(arena, last, &err);
    kit_same_json(arena, "completed", json_raw(j, json_path(j, "response")), response_want);
}

/* What one dialect's writer streams, cut at every byte, its reader makes into the same answer again. */
TEST(responses_stream_cut_at_every_byte)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str stream = kit_answer(arena, &dialect_anthropic, &dialect_responses, true,
                                   str_from(from_anthropic), 0, &err);

    REQUIRE(stream.ptr, "%s", err.text);
    for (size_t cut = 0; cut < stream.len; cut += 3) {
        struct arena *own CLEANUP(arena_end) = arena_new(MEMORY);
        struct str again =
            kit_answer(own, &dialect_responses, &dialect_responses, true, stream, cut, &err);

        REQUIRE(str_eq(again, stream), "cut at %zu: %s\n" STR_FMT, cut, err.text, STR_ARG(again));
    }
}

TEST(responses_stream_that_ends_early)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str stream = kit_answer(arena, &dialect_anthropic, &dialect_responses, true,
                                   str_from(from_anthropic), 0, &err);
    size_t goodbye = str_find(stream, STR("event: response.completed"));

    for (size_t end = 0; end < goodbye; end += 29) {
        struct arena *own CLEANUP(arena_end) = arena_new(MEMORY);
        struct str got = kit_answer(own, &dialect_responses, &dialect_openai, true,
                                    str_slice(stream, 0, end), 0, &err);

        REQUIRE(!got.ptr && err.code == ERR_UNAVAILABLE, "after %zu bytes: %s", end, err.text);
    }
}

TEST(responses_whole_and_back)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got = kit_answer(arena, &dialect_responses, &dialect_responses, false,
                                str_from(response_want), 0, &err);
    struct str message;

    kit_same_json(arena, "whole", got, response_want);
    message = kit_answer(arena, &dialect_responses, &dialect_anthropic, false,
                         str_from(response_want), 0, &err);
    EXPECT(has(message, "\"stop_reason\":\"tool_use\"") && has(message, "\"input\":{\"a\":1}"),
           STR_FMT, STR_ARG(message));
}

#define THOUGHT                                                                               \
    "{\"id\":\"rs\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":" \
    "\"hm\"}],\"encrypted_content\":\"SIGNED\"}"

/* As OpenAI streams it: the end of an item says it, and the end of the response repeats it. */
static const char thought_twice[] =
    EVENT("response.created", ",\"response\":{\"id\":\"r\",\"model\":\"m\"}")
        EVENT("response.reasoning_summary_text.delta",
              ",\"output_index\":0,\"summary_index\":0,\"delta\":\"hm\"")
            EVENT("response.output_item.done", ",\"output_index\":0,\"item\":" THOUGHT)
                EVENT("response.output_text.delta",
                      ",\"output_index\":1,\"content_index\":0,\"delta\":\"Hi\"")
                    EVENT("response.completed",
                          ",\"response\":{\"status\":\"completed\",\"output\":[" THOUGHT
                          ",{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":"
                          "\"Hi\"}]}]}");

TEST(responses_reasoning_is_signed_once)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str stream = str_from(thought_twice), last = STR_NONE, got;
    struct err err = {0};
    struct json *j;

    got = kit_answer(arena, &dialect_responses, &dialect_openai, true, stream, 0, &err);
    REQUIRE(got.ptr, "%s", err.text);
    size_t at = str_find(got, STR("\"signature\":"));
    EXPECT(at < got.len && !has(str_slice(got, at + 1, got.len), "\"signature\":"), STR_FMT,
           STR_ARG(got));
    got = kit_answer(arena, &dialect_responses, &dialect_responses, true, stream, 0, &err);
    REQUIRE(got.ptr, "%s", err.text);
    (void)types_of(arena, got, &last);
    j = json_parse(arena, last, &err);
    REQUIRE(j, "%s", err.text);
    EXPECT(json_count(j, json_path(j, "response.output")) == 2, STR_FMT, STR_ARG(last));
}

/* What calls itself base64 came from outside. */
TEST(responses_redacted_reasoning_is_escaped)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str text = STR_NONE;
    struct kit_client k;
    struct err err = {0};
    struct json *j;

    kit_wants_all = true;
    kit_client_init(&k, arena, &dialect_responses, false);
    kit_wants_all = false;
    kit_say(&k, &dialect_responses, &(struct said){.kind = SAID_BEGIN});
    kit_say(&k, &dialect_responses,
            &(struct said){.kind = SAID_REASONING, .is_redacted = true, .text = STR("a\"b\\")});
    kit_say(&k, &dialect_responses, &(struct said){.kind = SAID_FINISH, .finish = FINISH_STOP});
    kit_say(&k, &dialect_responses, &(struct said){.kind = SAID_END});
    j = json_parse(arena, buf_view(&k.out), &err);
    REQUIRE(j, "%s", err.text);
    EXPECT(json_str(j, json_path(j, "output.0.encrypted_content"), arena, &text) &&
               str_eq(text, STR("weir-redacted:a\"b\\")),
           STR_FMT, STR_ARG(text));
}

/* Two parts of a summary, and sources that only the end of an item says: as servers beside OpenAI's stream it. */
static const char parts_and_sources[] = EVENT("response.created",
                                              ",\"response\":{\"id\":\"r\",\"model\":\"m\"}")
    EVENT("response.reasoning_summary_text.delta",
          ",\"output_index\":0,\"summary_index\":0,\"delta\":\"On\"")
        EVENT("response.reasoning_summary_text.delta",
              ",\"output_index\":0,\"summary_index\":0,\"delta\":\"e\"")
            EVENT("response.reasoning_summary_text.delta",
                  ",\"output_index\":0,\"summary_index\":1,\"delta\":\"Two\"")
                EVENT("response.output_text.delta",
                      ",\"output_index\":1,\"content_index\":0,\"delta\":\"Hi\"")
                    EVENT(
                        "response.output_item.done",
                        ",\"output_index\":1,\"item\":{\"type\":\"message\",\"content\":[{\"type\":"
                        "\"output_text\",\"text\":\"Hi\",\"annotations\":[{\"type\":\"url_"
                        "citation\",\"url\":\"https://a.b/\",\"title\":\"A\",\"start_index\":0,"
                        "\"end_index\":2}],\"logprobs\":[{\"token\":\"Hi\",\"logprob\":-0.5,"
                        "\"bytes\":[72,105],\"top_logprobs\":[]}]}]}")
                        EVENT("response.completed",
                              ",\"response\":{\"status\":\"completed\",\"output\":[{\"type\":"
                              "\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":"
                              "\"One\"},{\"type\":\"summary_text\",\"text\":\"Two\"}]},{\"type\":"
                              "\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\","
                              "\"annotations\":[{\"type\":\"url_citation\",\"url\":\"https://a.b/"
                              "\",\"title\":\"A\",\"start_index\":0,\"end_index\":2}],"
                              "\"logprobs\":[{\"token\":\"Hi\",\"logprob\":-0.5,\"bytes\":[72,105],"
                              "\"top_logprobs\":[]}]}]}]}");

TEST(responses_streams_say_as_much_as_whole_answers)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str stream = str_from(parts_and_sources), body, streamed, last = STR_NONE, whole;
    struct err err = {0};
    struct json *a, *b, *completed;

    streamed = kit_answer(arena, &dialect_responses, &dialect_responses, true, stream, 0, &err);
    REQUIRE(streamed.ptr, "%s", err.text);
    (void)types_of(arena, streamed, &last);
    size_t at = str_find(stream, STR("\"response\":{\"status\""));
    body = str_slice(stream, at + strlen("\"response\":"), stream.len - strlen("}\n\n"));
    whole = kit_answer(arena, &dialect_responses, &dialect_responses, false, body, 0, &err);
    REQUIRE(whole.ptr, "%s", err.text);
    completed = json_parse(arena, last, &err);
    a = json_parse(arena, json_raw(completed, json_path(completed, "response.output")), &err);
    b = json_parse(arena, whole, &err);
    b = json_parse(arena, json_raw(b, json_path(b, "output")), &err);
    EXPECT(json_equal(a, json_root(a), b, json_root(b)), "streamed " STR_FMT "\nwhole " STR_FMT,
           STR_ARG(last), STR_ARG(whole));
    EXPECT(has(whole, "\"text\":\"One\\n\\nTwo\"") && has(whole, "https://a.b/") &&
               has(whole, "\"logprob\":-0.5"),
           STR_FMT, STR_ARG(whole));
    struct str chat = kit_answer(arena, &dialect_responses, &dialect_openai, true, stream, 0, &err);
    EXPECT(has(chat, "\"reasoning_content\":\"\\n\\n\"") ||
               has(chat, "\"reasoning_content\":\"\\n\\nTwo\""),
           STR_FMT, STR_ARG(chat));
}

TEST(responses_failures)
{
    static const struct {
        const char *body;
        bool streamed;
        const char *want; /* in what the client gets; NULL: the answer is refused */
    } cases[] = {
        {"{\"output\":7}", false, NULL},
        {"<html>", false, NULL},
        {"{\"status\":\"failed\",\"error\":null,\"output\":[]}", false, "ended as failed"},
        {"{\"status\":\"cancelled\",\"output\":[]}", false, "ended as cancelled"},
        {"{\"status\":\"queued\",\"output\":[]}", false, NULL},
        {"{\"status\":\"in_progress\",\"output\":[]}", false, NULL},
        {EVENT("response.function_call_arguments.delta", ",\"output_index\":0,\"delta\":\"{\""),
         true, NULL},
        {EVENT("response.created", ",\"response\":{}")
             EVENT("response.failed",
                   ",\"response\":{\"error\":{\"code\":\"server_error\",\"message\":\"burnt\"}}"),
         true, "burnt"},
        {EVENT("response.created", ",\"response\":{}") EVENT("error", ",\"message\":\"burnt\""),
         true, "response.failed"},
        {EVENT("response.created", ",\"response\":{}") EVENT(
             "response.incomplete", ",\"response\":{\"status\":\"incomplete\","
                                    "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
                                    "\"output\":[]}"),
         true, "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_responses, &dialect_responses,
                                    cases[i].streamed, str_from(cases[i].body), 0, &err);

        if (cases[i].want)
            EXPECT(has(got, cases[i].want) && !has(got, "response.completed"), "%s: " STR_FMT,
                   cases[i].body, STR_ARG(got));
        else
            EXPECT(!got.ptr && err.code == ERR_UNAVAILABLE, "%s: %s", cases[i].body, err.text);
    }
}

/* Parallel calls of a chat provider, piece by piece side by side, for every other client. */
static const char from_openai[] =
    "data: "
    "{\"id\":\"c\",\"model\":\"r\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
    "\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":"
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}},{\"index\":1,\"id\":\"c2\","
    "\"type\":"
    "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"b\"}}]},\"finish_reason\":null}"
    "]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
    "\"arguments\":\"{\\\"a\\\":\"}},{\"index\":1,\"function\":{\"arguments\":\"\\\":2\"}}]},"
    "\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{"
    "\"arguments\":\"}\"}},{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]},\"finish_reason\":"
    "null}]}"
    "\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
    "data: "
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":7,\"total_tokens\":16}}"
    "\n\ndata: [DONE]\n\n";

TEST(parallel_calls_of_a_chat_provider_cut_at_every_byte)
{
    struct str bytes = str_from(from_openai);
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str message =
        kit_answer(arena, &dialect_openai, &dialect_anthropic, true, bytes, 0, &err);
    struct str response =
        kit_answer(arena, &dialect_openai, &dialect_responses, true, bytes, 0, &err);

    REQUIRE(message.ptr && response.ptr, "%s", err.text);
    EXPECT(has(message, "\"partial_json\":\"{\\\"b\\\":2}\"") && has(message, "\"name\":\"f\""),
           STR_FMT, STR_ARG(message));
    EXPECT(has(response, "\"arguments\":\"{\\\"a\\\":1}\"") &&
               has(response, "\"arguments\":\"{\\\"b\\\":2}\""),
           STR_FMT, STR_ARG(response));
    for (size_t cut = 1; cut < bytes.len; cut++) {
        struct arena *own CLEANUP(arena_end) = arena_new(MEMORY);
        struct str again =
            kit_answer(own, &dialect_openai, &dialect_anthropic, true, bytes, cut, &err);

        REQUIRE(str_eq(again, message), "cut at %zu: %s", cut, err.text);
        again = kit_answer(own, &dialect_openai, &dialect_responses, true, bytes, cut, &err);
        REQUIRE(str_eq(again, response), "cut at %zu: %s", cut, err.text);
    }
}

/* As older vLLM does it: the index says where a fragment belongs, and its name where a call begins. */
TEST(fragments_of_calls_with_an_id_each)
{
    static const char bytes[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\"}}]},\"finish_reason\":null}]}"
        "\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"b\","
        "\"function\":{\"arguments\":\"1}\"}}]},\"finish_reason\":null}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"c\","
        "\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},\"finish_reason\":null}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"d\","
        "\"function\":{\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\ndata: "
        "[DONE]\n\n";
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got =
        kit_answer(arena, &dialect_openai, &dialect_responses, true, str_from(bytes), 0, &err);

    REQUIRE(got.ptr, "%s", err.text);
    EXPECT(has(got, "\"call_id\":\"a\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"") &&
               has(got, "\"call_id\":\"c\",\"name\":\"g\",\"arguments\":\"{}\""),
           STR_FMT, STR_ARG(got));
}

/* ---- what is kept of an answer ---- */

TEST(responses_items_are_kept_and_read_again)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str items = STR_NONE;
    struct conversation *c = kit_read(
        arena, &dialect_responses,
        "{\"model\":\"m\",\"instructions\":\"S\",\"input\":[{\"role\":\"user\",\"content\":"
        "\"Q\"},{\"type\":\"function_call_output\",\"id\":\"x\",\"call_id\":\"c\",\"output\":"
        "\"4\"},{\"type\":\"item_reference\",\"id\":\"rs_7_0\"}]}",
        &err);
    const struct responses_asked *asked;

    REQUIRE(c, "%s", err.text);
    asked = c->own;
    EXPECT(asked->references == 1 && asked->store);
    EXPECT(responses_own_items(arena, asked, STR("9"), &items, &err), "%s", err.text);
    kit_same_json(arena, "kept", items,
                  "[{\"id\":\"in_9_0\",\"type\":\"message\",\"content\":[{\"type\":\"input_text\","
                  "\"text\":\"Q\"}],\"role\":\"user\"},{\"id\":\"x\",\"type\":"
                  "\"function_call_output\",\"call_id\":\"c\",\"output\":\"4\"},{\"id\":\"rs_7_0\","
                  "\"type\":\"item_reference\"}]");
    EXPECT(
        responses_replace_input(arena, c, STR("[{\"role\":\"user\",\"content\":\"Other\"}]"), &err),
        "%s", err.text);
    EXPECT(c->turns && c->turns->role == TURN_SYSTEM && c->turns->next &&
           str_eq(c->turns->next->parts->text, STR("Other")) && !c->turns->next->next);
    EXPECT(c->prompt_bytes == 6, "%zu", c->prompt_bytes);
    EXPECT(
        responses_replace_input(
            arena, c,
            STR("[{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\","
                "\"logprobs\":[{\"token\":\"\\ud83d\",\"logprob\":-1}]}]}]"),
            &err),
        "a token of half a character: %s", err.text);
}
