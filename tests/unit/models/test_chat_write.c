#include "models/chat.h"
#include "test.h"

static const struct chat_answer sample = {
    .id = {"chatcmpl-1", 10},
    .model = {"weir", 4},
    .content = {"Yes.\n\"Ten\" days.", 16},
    .finish_reason = {"stop", 4},
    .annotations = {"[{\"type\":\"x\"}]", 14},
    .weir = {"{\"citations\":[]}", 16},
    .created = 1700000000,
    .usage = {3, 4, -1, -1, false},
};

static struct json *parsed(struct arena *arena, struct str text)
{
    struct err err = {0};
    struct json *j = json_parse(arena, text, &err);

    EXPECT(j != NULL, "%s: " STR_FMT, err.text, STR_ARG(text));
    return j;
}

static bool path_is(struct arena *arena, const struct json *j, const char *path, const char *want)
{
    struct str s;

    return json_str(j, json_path(j, path), arena, &s) && str_eq(s, str_from(want));
}

TEST(chat_reply_written_is_a_completion)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct chat_meter meter;
    struct err err = {0};
    struct buf out;
    int64_t total = 0;

    buf_init(&out, arena, MIB);
    chat_write_reply(&out, &sample);
    struct json *j = parsed(arena, buf_view(&out));
    REQUIRE(j != NULL);
    EXPECT(path_is(arena, j, "object", "chat.completion"));
    EXPECT(path_is(arena, j, "choices.0.message.content", "Yes.\n\"Ten\" days."));
    EXPECT(path_is(arena, j, "choices.0.message.annotations.0.type", "x"));
    EXPECT(path_is(arena, j, "choices.0.finish_reason", "stop"));
    EXPECT(json_i64(j, json_path(j, "usage.total_tokens"), &total) && total == 7);
    EXPECT(json_kind(j, json_path(j, "weir.citations")) == JSON_ARRAY);
    chat_meter_init(&meter, 1);
    EXPECT(chat_read_reply(arena, buf_view(&out), &meter, &err), "%s", err.text);
    EXPECT(meter.finished && meter.usage.tokens_out == 4);
}

/* What we write we must be able to read: the same reader that watches providers. */
static void check_stream(bool with_usage, uint32_t events_want)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct sse_reader reader;
    struct sse_event event;
    struct chat_meter meter;
    struct err err = {0};
    struct buf out;
    bool drop, dropped = false;

    buf_init(&out, arena, MIB);
    chat_write_event_role(&out, &sample);
    chat_write_event_content(&out, &sample, STR("Yes.\n"));
    chat_write_event_content(&out, &sample, STR("\"Ten\" days."));
    chat_write_event_finish(&out, &sample, with_usage);
    sse_reader_init(&reader, arena, MIB);
    chat_meter_init(&meter, 1);
    REQUIRE(sse_feed(&reader, buf_view(&out), &err), "%s", err.text);
    while (sse_next(&reader, &event)) {
        REQUIRE(chat_read_event(arena, &event, false, &meter, &drop, &err), "%s", err.text);
        dropped = dropped || drop;
    }
    EXPECT(sse_left_over(&reader) == 0);
    EXPECT(meter.done && meter.finished && !meter.failed);
    EXPECT(meter.events == events_want, "%" PRIu32, meter.events);
    EXPECT(dropped == with_usage);
}

TEST(chat_stream_written_can_be_read)
{
    check_stream(false, 4);
    check_stream(true, 5);
}

static const struct {
    const char *name;
    int status;
    struct err err;
    const char *want;
} error_cases[] = {
    {"the field an invalid request names",
     400,
     {ERR_INVALID, 0, "messages.2.role: expected a string"},
     "{\"error\":{\"message\":\"messages.2.role: expected a string\",\"type\":"
     "\"invalid_request_error\",\"param\":\"messages.2.role\",\"code\":null}}\n"},
    {"no field named",
     400,
     {ERR_INVALID, 0, "the body is not a chat request: what"},
     "{\"error\":{\"message\":\"the body is not a chat request: what\",\"type\":"
     "\"invalid_request_error\",\"param\":null,\"code\":null}}\n"},
    {"wrong key",
     401,
     {ERR_UNAUTHENTICATED, 0, "no"},
     "{\"error\":{\"message\":\"no\",\"type\":\"authentication_error\",\"param\":null,"
     "\"code\":\"invalid_api_key\"}}\n"},
    {"wrong method",
     405,
     {ERR_INVALID, 0, "use POST"},
     "{\"error\":{\"message\":\"use POST\",\"type\":\"invalid_request_error\",\"param\":null,"
     "\"code\":\"method_not_allowed\"}}\n"},
    {"quotes are escaped",
     504,
     {ERR_TIMEOUT, 0, "provider \"x\" was late"},
     "{\"error\":{\"message\":\"provider \\\"x\\\" was late\",\"type\":\"server_error\","
     "\"param\":null,\"code\":\"timeout\"}}\n"},
};

TEST(chat_errors_have_the_shape_clients_know)
{
    for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
        char memory[1024];
        struct buf out;

        buf_init_fixed(&out, memory, sizeof memory);
        chat_write_error(&out, error_cases[i].status, &error_cases[i].err);
        EXPECT(str_eq(buf_view(&out), str_from(error_cases[i].want)), "%s: " STR_FMT,
               error_cases[i].name, STR_ARG(buf_view(&out)));
    }
}

static const struct {
    const char *code, *type, *param;
    enum err_code on;
} code_cases[] = {
    {"insufficient_quota", "insufficient_quota", NULL, ERR_EXHAUSTED},
    {"rate_limit_exceeded", "rate_limit_error", NULL, ERR_EXHAUSTED},
    {"model_not_found", "not_found_error", "model", ERR_NOT_FOUND},
};

TEST(chat_errors_with_a_code_of_their_own)
{
    for (size_t i = 0; i < ARRAY_LEN(code_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {code_cases[i].on, 0, "why"};
        struct buf out;

        buf_init(&out, arena, MIB);
        chat_write_error_as(&out, code_cases[i].code, &err);
        struct json *j = parsed(arena, buf_view(&out));
        REQUIRE(j != NULL);
        EXPECT(path_is(arena, j, "error.code", code_cases[i].code));
        EXPECT(path_is(arena, j, "error.type", code_cases[i].type), "%s", code_cases[i].code);
        EXPECT(code_cases[i].param ? path_is(arena, j, "error.param", code_cases[i].param)
                                   : json_kind(j, json_path(j, "error.param")) == JSON_NULL);
    }
}

TEST(chat_error_event_is_one_event_and_no_end)
{
    struct err err = {ERR_UNAVAILABLE, 0, "provider \"x\" cut the stream after 3 events"};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct sse_reader reader;
    struct sse_event event;
    struct chat_meter meter;
    struct buf out;
    bool drop;

    buf_init(&out, arena, MIB);
    chat_write_event_error(&out, &err);
    sse_reader_init(&reader, arena, MIB);
    chat_meter_init(&meter, 1);
    REQUIRE(sse_feed(&reader, buf_view(&out), &err));
    REQUIRE(sse_next(&reader, &event));
    EXPECT(chat_read_event(arena, &event, false, &meter, &drop, &err));
    EXPECT(meter.failed && !meter.done);
    EXPECT(!sse_next(&reader, &event));
}
