#include "models/chat.h"
#include "test.h"

#define CHUNK(choice) "{\"object\":\"chat.completion.chunk\",\"choices\":[" choice "]}"
#define USAGE         "\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":35,\"total_tokens\":60}"

static bool read_one(struct arena *arena, const char *data, bool wants, struct chat_meter *meter,
                     bool *drop, struct err *err)
{
    struct sse_event event = {.data = str_from(data), .has_data = true};

    return chat_read_event(arena, &event, wants, meter, drop, err);
}

static const struct {
    const char *name, *data;
    bool wants_usage, dropped, finished, done, failed;
    uint64_t bytes;
    int64_t tokens_out;
} event_cases[] = {
    {"a piece of text", CHUNK("{\"index\":0,\"delta\":{\"content\":\"abc\"}}"), .bytes = 3,
     .tokens_out = -1},
    {"a role is no text",
     CHUNK("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}"), .tokens_out = -1},
    {"reasoning is text", CHUNK("{\"index\":0,\"delta\":{\"reasoning_content\":\"hmm\"}}"),
     .bytes = 3, .tokens_out = -1},
    {"arguments of a tool call",
     CHUNK("{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
           "\"{}\"}}]}}"),
     .bytes = 2, .tokens_out = -1},
    {"finish", CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}"), .finished = true,
     .tokens_out = -1},
    {"finish_reason null is no finish", CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":null}"),
     .tokens_out = -1},
    {"an empty finish_reason is no finish",
     CHUNK("{\"index\":0,\"delta\":{\"content\":\"abc\"},\"finish_reason\":\"\"}"), .bytes = 3,
     .tokens_out = -1},
    {"finish without an index", CHUNK("{\"delta\":{},\"finish_reason\":\"stop\"}"),
     .finished = true, .tokens_out = -1},
    {"usage nobody asked for", "{\"choices\":[]," USAGE "}", .dropped = true, .tokens_out = 35},
    {"usage the client asked for", "{\"choices\":[]," USAGE "}", .wants_usage = true,
     .tokens_out = 35},
    {"usage beside the last choice stays",
     "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]," USAGE "}",
     .finished = true, .tokens_out = 35},
    {"usage null is no usage", "{\"choices\":[],\"usage\":null}", .tokens_out = -1},
    {"no choices, no usage: content filter results stay",
     "{\"choices\":[],\"prompt_filter_results\":[]}", .tokens_out = -1},
    {"done", "[DONE]", .done = true, .tokens_out = -1},
    {"empty data", "", .tokens_out = -1},
    {"error", "{\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}", .failed = true,
     .tokens_out = -1},
    {"error as a string", "{\"error\":\"overloaded\"}", .failed = true, .tokens_out = -1},
    {"error null is no error", "{\"error\":null,\"choices\":[]}", .tokens_out = -1},
    {"absurd counts are not believed",
     "{\"choices\":[],\"usage\":{\"prompt_tokens\":-4,\"completion_tokens\":1e40}}",
     .dropped = true, .tokens_out = -1},
};

TEST(chat_events_are_metered)
{
    for (size_t i = 0; i < ARRAY_LEN(event_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        const char *name = event_cases[i].name;
        struct chat_meter meter;
        struct err err = {0};
        bool drop = false;

        chat_meter_init(&meter, 1);
        EXPECT(
            read_one(arena, event_cases[i].data, event_cases[i].wants_usage, &meter, &drop, &err),
            "%s: %s", name, err.text);
        EXPECT(drop == event_cases[i].dropped, "%s", name);
        EXPECT(meter.finished == event_cases[i].finished, "%s", name);
        EXPECT(meter.done == event_cases[i].done, "%s", name);
        EXPECT(meter.failed == event_cases[i].failed, "%s", name);
        EXPECT(meter.content_bytes == event_cases[i].bytes, "%s: %" PRIu64, name,
               meter.content_bytes);
        EXPECT(meter.usage.tokens_out == event_cases[i].tokens_out, "%s: %" PRId64, name,
               meter.usage.tokens_out);
        if (meter.failed)
            EXPECT(str_eq(meter.error_text, STR("overloaded")), "%s: " STR_FMT, name,
                   STR_ARG(meter.error_text));
    }
}

TEST(chat_events_leave_no_memory_behind)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    size_t used = arena_used(arena);
    struct chat_meter meter;
    struct err err = {0};
    bool drop;

    chat_meter_init(&meter, 1);
    for (int i = 0; i < 1000; i++)
        REQUIRE(read_one(arena, CHUNK("{\"index\":0,\"delta\":{\"content\":\"abc\"}}"), false,
                         &meter, &drop, &err));
    EXPECT(arena_used(arena) == used, "%zu", arena_used(arena));
    EXPECT(meter.events == 1000 && meter.content_bytes == 3000);
}

TEST(chat_usage_that_counts_nothing_takes_nothing_back)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    static const char *const events[] = {"{\"choices\":[]," USAGE "}",
                                         "{\"choices\":[],\"usage\":{}}",
                                         "{\"choices\":[],\"usage\":{\"prompt_tokens\":null}}"};
    struct chat_meter meter;
    struct err err = {0};
    bool drop;

    chat_meter_init(&meter, 1);
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        EXPECT(read_one(arena, events[i], false, &meter, &drop, &err), "%s", err.text);
    EXPECT(meter.usage.tokens_in == 25 && meter.usage.tokens_out == 35, "%" PRId64 " %" PRId64,
           meter.usage.tokens_in, meter.usage.tokens_out);
}

TEST(chat_comment_passes_uncounted)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct sse_event event = {.raw = STR(": ping\n\n")};
    struct chat_meter meter;
    struct err err = {0};
    bool drop = true;

    chat_meter_init(&meter, 1);
    EXPECT(chat_read_event(arena, &event, false, &meter, &drop, &err));
    EXPECT(!drop && meter.events == 0);
}

TEST(chat_event_that_is_no_json_is_the_providers_failure)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_meter meter;
    struct err err = {0};
    bool drop;

    chat_meter_init(&meter, 1);
    EXPECT(!read_one(arena, "{\"choices\":[", false, &meter, &drop, &err));
    EXPECT(err.code == ERR_UNAVAILABLE, "%d", (int)err.code);
    EXPECT(str_starts(str_from(err.text), STR("event 1: ")), "%s", err.text);
}

TEST(chat_stream_of_several_choices_is_finished_with_the_last)
{
    static const char *const events[] = {
        CHUNK("{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}"),
        CHUNK("{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}"), /* said twice counts once */
        CHUNK("{\"index\":127,\"delta\":{},\"finish_reason\":\"stop\"}"),
        CHUNK("{\"index\":400,\"delta\":{},\"finish_reason\":\"stop\"}"), /* out of range */
        CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}"),
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_meter meter;
    struct err err = {0};
    bool drop;

    chat_meter_init(&meter, 3);
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        EXPECT(!meter.finished, "before event %zu", i);
        EXPECT(read_one(arena, events[i], false, &meter, &drop, &err), "%s", err.text);
    }
    EXPECT(meter.finished);
}

TEST(chat_reply_is_metered)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_meter meter;
    struct err err = {0};
    const char *reply =
        "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"12345\","
        "\"refusal\":null},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":5},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}";

    chat_meter_init(&meter, 1);
    REQUIRE(chat_read_reply(arena, str_from(reply), &meter, &err), "%s", err.text);
    EXPECT(meter.finished && meter.done && !meter.failed);
    EXPECT(meter.content_bytes == 5);
    EXPECT(meter.usage.tokens_in == 9 && meter.usage.tokens_out == 4);
    EXPECT(meter.usage.tokens_cached == 5 && meter.usage.tokens_reasoning == 2);
    chat_meter_close(&meter, 1000);
    EXPECT(meter.usage.tokens_in == 9 && !meter.usage.estimated);
}

/* Azure's first event has its filters alone, and empty names. */
TEST(chat_streams_are_called_by_the_first_event_that_has_a_name)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    static const char *const events[] = {
        "{\"choices\":[],\"id\":\"\",\"model\":\"\",\"prompt_filter_results\":[]}",
        "{\"id\":\"c1\",\"model\":\"gpt\",\"choices\":[{\"index\":0,\"delta\":{}}]}",
        "{\"id\":\"c2\",\"model\":\"other\",\"choices\":[]}"};
    struct chat_meter meter;
    struct err err = {0};
    bool drop;

    chat_meter_init(&meter, 1);
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        EXPECT(read_one(arena, events[i], false, &meter, &drop, &err), "%s", err.text);
    EXPECT(str_eq((struct str){meter.id, meter.id_len}, STR("c1")) &&
               str_eq((struct str){meter.model, meter.model_len}, STR("gpt")),
           "%.*s %.*s", (int)meter.id_len, meter.id, (int)meter.model_len, meter.model);
}

/* As the dialect's reader has it: what there is of it is neither whole nor to be kept. */
TEST(chat_answers_of_a_server_that_gave_up_have_failed)
{
    static const char *const reasons[] = {"insufficient_system_resource", "abort", "error"};

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct chat_meter event, reply;
        struct err err = {0};
        bool drop;

        struct str chunk = arena_fmt(
            arena, CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"%s\"}"), reasons[i]);
        struct str whole = arena_fmt(arena,
                                     "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Ha\"},"
                                     "\"finish_reason\":\"%s\"}]}",
                                     reasons[i]);
        chat_meter_init(&event, 1);
        REQUIRE(read_one(arena, chunk.ptr, false, &event, &drop, &err), "%s", err.text);
        EXPECT(event.failed && event.error_text.len && !event.finished, "%s", reasons[i]);
        chat_meter_init(&reply, 1);
        REQUIRE(chat_read_reply(arena, whole, &reply, &err), "%s", err.text);
        EXPECT(reply.failed && reply.error_text.len, "%s", reasons[i]);
    }
}

TEST(chat_reply_that_is_no_json_is_the_providers_failure)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_meter meter;
    struct err err = {0};

    chat_meter_init(&meter, 1);
    EXPECT(!chat_read_reply(arena, STR("<html>"), &meter, &err));
    EXPECT(err.code == ERR_UNAVAILABLE, "%d", (int)err.code);
    EXPECT(!chat_read_reply(arena, STR(""), &meter, &err));
}

TEST(chat_usage_nobody_reports_is_estimated_and_marked)
{
    struct chat_meter meter;

    chat_meter_init(&meter, 1);
    meter.content_bytes = 10;
    chat_meter_close(&meter, 5);
    EXPECT(meter.usage.estimated);
    EXPECT(meter.usage.tokens_in == 2 && meter.usage.tokens_out == 3, "%" PRId64 " %" PRId64,
           meter.usage.tokens_in, meter.usage.tokens_out);
    EXPECT(chat_estimate_tokens(0) == 0);
    EXPECT(chat_estimate_tokens(SIZE_MAX) > 0);
}
