/* What may be told again: a table of how answers end, in every dialect that they are heard in. */
#include "dialect_kit.h"
#include "test.h"

#define MEMORY (16 * MIB)

/* clang-format off: JSON as it is sent */
#define CHAT(message, finish)                                                 \
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," message \
    "},\"finish_reason\":\"" finish "\"}]}"
#define CHAT_CALL                                                                                  \
    "\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":" \
    "\"f\",\"arguments\":\"{\"}}]"
#define CLAUDE(block, stop)                                                                  \
    "{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"model\":\"r\",\"content\":" \
    "[" block "],\"stop_reason\":\"" stop "\",\"usage\":{}}"
#define CLAUDE_TEXT "{\"type\":\"text\",\"text\":\"Hi\"}"
#define CLAUDE_CALL "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}"
#define GEMINI(part, finish) \
    "{\"candidates\":[{\"content\":{\"parts\":[" part "]},\"finishReason\":\"" finish "\"}]}"
#define GEMINI_CALL "{\"functionCall\":{\"name\":\"f\",\"args\":{}}}"
#define CONVERSE(block, stop)                                              \
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[" block \
    "]}},\"stopReason\":\"" stop "\"}"
#define CONVERSE_CALL "{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{}}}"
#define RESPONSE(status, details, output)                                     \
    "{\"id\":\"r\",\"status\":\"" status "\",\"incomplete_details\":" details \
    ",\"output\":[" output "]}"
#define SPOKEN "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}"
#define CALLED "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\"}"

static const struct {
    const struct dialect *dialect;
    const char *body;
    bool again;
} rows[] = {
    {&dialect_openai, CHAT("\"content\":\"Hi\"", "stop"), true},
    {&dialect_openai, CHAT("\"content\":\"Hi\"", "length"), true},
    {&dialect_openai, CHAT("\"content\":\"Hi\"", "content_filter"), false},
    {&dialect_openai, CHAT("\"content\":null,\"refusal\":\"No.\"", "stop"), false},
    {&dialect_openai, CHAT(CHAT_CALL, "tool_calls"), true},
    {&dialect_openai, CHAT(CHAT_CALL, "length"), false},
    {&dialect_anthropic, CLAUDE(CLAUDE_TEXT, "end_turn"), true},
    {&dialect_anthropic, CLAUDE(CLAUDE_TEXT, "stop_sequence"), true},
    {&dialect_anthropic, CLAUDE(CLAUDE_TEXT, "max_tokens"), true},
    {&dialect_anthropic, CLAUDE(CLAUDE_TEXT, "refusal"), false},
    {&dialect_anthropic, CLAUDE(CLAUDE_TEXT, "pause_turn"), false},
    {&dialect_anthropic, CLAUDE(CLAUDE_CALL, "tool_use"), true},
    {&dialect_anthropic, CLAUDE(CLAUDE_CALL, "max_tokens"), false},
    {&dialect_anthropic, CLAUDE(CLAUDE_CALL, "model_context_window_exceeded"), false},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "STOP"), true},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "MAX_TOKENS"), true},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "SAFETY"), false},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "RECITATION"), false},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "BLOCKLIST"), false},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "PROHIBITED_CONTENT"), false},
    {&dialect_gemini, GEMINI("{\"text\":\"Hi\"}", "SPII"), false},
    {&dialect_gemini, GEMINI(GEMINI_CALL, "STOP"), true},
    {&dialect_gemini, GEMINI(GEMINI_CALL, "MAX_TOKENS"), false},
    {&dialect_gemini, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", false},
    {&dialect_bedrock, CONVERSE("{\"text\":\"Hi\"}", "end_turn"), true},
    {&dialect_bedrock, CONVERSE("{\"text\":\"Hi\"}", "max_tokens"), true},
    {&dialect_bedrock, CONVERSE("{\"text\":\"Hi\"}", "guardrail_intervened"), false},
    {&dialect_bedrock, CONVERSE("{\"text\":\"Hi\"}", "content_filtered"), false},
    {&dialect_bedrock, CONVERSE(CONVERSE_CALL, "tool_use"), true},
    {&dialect_bedrock, CONVERSE(CONVERSE_CALL, "max_tokens"), false},
    {&dialect_responses, RESPONSE("completed", "null", SPOKEN), true},
    {&dialect_responses, RESPONSE("completed", "null", CALLED), true},
    {&dialect_responses, RESPONSE("incomplete", "{\"reason\":\"max_output_tokens\"}", SPOKEN),
     true},
    {&dialect_responses, RESPONSE("incomplete", "{\"reason\":\"max_output_tokens\"}", CALLED),
     false},
    {&dialect_responses, RESPONSE("incomplete", "{\"reason\":\"content_filter\"}", SPOKEN), false},
    {&dialect_responses,
     RESPONSE("completed", "null",
              "{\"type\":\"message\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"No.\"}]}"),
     false},
};
/* clang-format on */

static bool measure(void *ctx, const struct said *said, struct err *err)
{
    (void)err;
    said_measure(ctx, said);
    return true;
}

TEST(meter_what_may_be_told_again_in_every_dialect)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct arena *scratch CLEANUP(arena_end) = arena_new(MEMORY);
        struct conversation asked;
        struct chat_meter meter;
        struct said_reader r = {.arena = arena,
                                .scratch = scratch,
                                .asked = &asked,
                                .model = &kit_model,
                                .passes = true,
                                .take = measure,
                                .ctx = &meter};
        struct err err = {0};

        conversation_init(&asked);
        chat_meter_init(&meter, 1);
        EXPECT(rows[i].dialect->reader_init(&r, &err) &&
                   rows[i].dialect->read_said(&r, STR_NONE, str_from(rows[i].body), &err) &&
                   rows[i].dialect->at_end(&r, &err),
               "%s: %s", rows[i].body, err.text);
        EXPECT(chat_meter_is_answer(&meter) == rows[i].again, "%s: %s", rows[i].dialect->name,
               rows[i].body);
    }
}

/* Where the bytes of a chat are spliced nobody reads steps: the meter hears the same. */
TEST(meter_what_may_be_told_again_where_a_chat_is_spliced)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct chat_meter meter;
        struct err err = {0};

        if (rows[i].dialect != &dialect_openai)
            continue;
        chat_meter_init(&meter, 1);
        EXPECT(chat_read_reply(arena, str_from(rows[i].body), &meter, &err), "%s", err.text);
        EXPECT(chat_meter_is_answer(&meter) == rows[i].again, "%s", rows[i].body);
    }
}
