/* Asking providers across dialects: heads, cuts, errors in a good answer, refusals, keys. */
#include <string.h>

#include "fake_provider.h"
#include "models/dialect.h"
#include "models/speech.h"
#include "test.h"

#define QUESTION \
    "{\"model\":\"m\",\"max_tokens\":9,%s\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define PART_OF(delta, finish) \
    "data: {\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":" finish "}]}\n\n"
#define TEXT(t) PART_OF("\"content\":\"" t "\"", "null")
#define STOP    PART_OF("", "\"stop\"")
#define DONE    "data: [DONE]\n\n"
#define ERROR   "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n"

struct scene {
    struct arena *arena;
    struct fake_provider fake;
    struct provider provider;
    struct model model;
    struct model_question question;
    struct refusal why;
    struct answer *answer;
    struct buf all;
    bool whole;
};

static SUSPENDS void open_scene(struct scene *s)
{
    *s = (struct scene){.arena = arena_new(32 * MIB)};
    fake_start(&s->fake, s->arena);
    s->provider = fake_settings(&s->fake, s->arena);
    s->provider.dialect = &dialect_openai;
    s->model = (struct model){.name = STR("m"),
                              .provider = &s->provider,
                              .remote_name = STR("remote-m"),
                              .output_tokens_max = 100};
    buf_init(&s->all, s->arena, MIB);
}

static SUSPENDS void close_scene(struct scene *s)
{
    answer_end(&s->answer);
    http_client_drop_idle();
    fake_stop(&s->fake);
    arena_end(&s->arena);
}

/* A client of the Anthropic dialect asks; what it is told is in s->all. */
static SUSPENDS bool ask(struct scene *s, bool streamed, const struct fake_move *moves,
                         struct err *err)
{
    struct str body = arena_fmt(s->arena, QUESTION, streamed ? "\"stream\":true," : "");
    struct json *json = json_parse(s->arena, body, err);
    struct str bytes;

    s->fake.moves = moves;
    s->question =
        (struct model_question){.client = &dialect_anthropic, .json = json, .request_id = 0x7f3a};
    if (!json || !model_ask(s->arena, &s->model, &s->question, &s->answer, &s->why, err))
        return false;
    while (!s->whole) {
        if (!s->answer->next(s->answer, &bytes, &s->whole, err))
            return false;
        buf_str(&s->all, bytes);
    }
    return true;
}

static bool has(const struct scene *s, const char *what)
{
    return str_find(buf_view(&s->all), str_from(what)) < s->all.len;
}

#define WRITE(text)         \
    {                       \
        FAKE_WRITE, text, 0 \
    }
#define END               \
    {                     \
        FAKE_END, NULL, 0 \
    }
#define CLOSE               \
    {                       \
        FAKE_CLOSE, NULL, 0 \
    }

FIBER_TEST(speech_crosses_dialects_as_a_stream)
{
    const struct fake_move moves[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE TEXT("Hel")),
                                      WRITE(TEXT("lo") STOP DONE), CLOSE, END};
    struct err err = {0};
    struct scene s;

    open_scene(&s);
    EXPECT(ask(&s, true, moves, &err), "%s", err.text);
    EXPECT(s.answer && s.answer->streaming && s.answer->status == 200);
    EXPECT(has(&s, "event: message_start") && has(&s, "Hel") && has(&s, "event: message_stop"));
    EXPECT(s.answer->meter.done && s.answer->meter.content_bytes == 5);
    EXPECT(str_eq(s.answer->provider, s.provider.name));
    EXPECT(str_find(s.fake.body, STR("\"model\":\"remote-m\"")) < s.fake.body.len);
    close_scene(&s);
}

FIBER_TEST(speech_crosses_dialects_whole)
{
    const struct fake_move moves[] = {
        WRITE(
            FAKE_JSON_HEAD("128") "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"},"
                                  "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
                                  "\"completion_tokens\":2}}"),
        END};
    struct err err = {0};
    struct scene s;

    open_scene(&s);
    EXPECT(ask(&s, false, moves, &err), "%s", err.text);
    EXPECT(s.answer && !s.answer->streaming && has(&s, "\"text\":\"Hello\""));
    EXPECT(s.answer->meter.usage.tokens_in == 3 && s.answer->meter.usage.tokens_out == 2);
    EXPECT(str_eq(s.answer->request_id, STR("up-1")));
    close_scene(&s);
}

/* What came is told, then the failure; never an end. */
static const struct {
    const char *name, *stream, *says;
    enum err_code code;
    bool some;
} broken[] = {
    {"cut between events", TEXT("Hel"), "cut the stream after 1 events", ERR_UNAVAILABLE, true},
    {"cut inside an event", TEXT("Hel") "data: {\"cho", "events, inside one", ERR_UNAVAILABLE,
     true},
    {"cut before anything", "", "cut the stream after 0 events", ERR_UNAVAILABLE, false},
    {"an error first", ERROR, "in place of an answer: overloaded", ERR_UNAVAILABLE, false},
    {"an error inside", TEXT("Hel") ERROR, "inside the stream: overloaded", ERR_UNAVAILABLE, true},
    {"an event that is no JSON", TEXT("Hel") "data: {x}\n\n", "event 2: ", ERR_UNAVAILABLE, true},
};

FIBER_TEST(speech_that_breaks_is_an_error_after_what_was_good)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct err err = {0};
        struct scene s;

        open_scene(&s);
        const struct fake_move moves[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE), WRITE(broken[i].stream),
                                          CLOSE, END};
        EXPECT(!ask(&s, true, moves, &err) && !s.whole, "%s", broken[i].name);
        EXPECT(err.code == broken[i].code, "%s: %d %s", broken[i].name, (int)err.code, err.text);
        EXPECT(strstr(err.text, broken[i].says), "%s: %s", broken[i].name, err.text);
        EXPECT(has(&s, "Hel") == broken[i].some, "%s", broken[i].name);
        EXPECT(!has(&s, "message_stop"), "%s", broken[i].name);
        close_scene(&s);
    }
}

FIBER_TEST(speech_that_stalls_names_the_limit)
{
    const struct fake_move moves[] = {
        WRITE(FAKE_STREAM_HEAD_TO_CLOSE TEXT("Hel")), {FAKE_HANG, NULL, 0}, END};
    struct err err = {0};
    struct scene s;

    open_scene(&s);
    s.provider.gap_timeout = 50 * MILLISECOND;
    EXPECT(!ask(&s, true, moves, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
    EXPECT(strstr(err.text, "sent nothing more within 50 ms"), "%s", err.text);
    EXPECT(has(&s, "Hel"));
    close_scene(&s);
}

static const struct {
    const char *head;
    int status;
    enum err_code code;
    dur_ns wait;
} refusals[] = {
    {"429 Too Many Requests\r\nRetry-After: 7", 429, ERR_EXHAUSTED, 7 * SECOND},
    {"400 Bad Request", 400, ERR_INVALID, 0},
    {"404 Not Found", 404, ERR_INVALID, 0},
    {"413 Content Too Large", 413, ERR_TOO_LARGE, 0},
    {"500 Internal Server Error", 500, ERR_UNAVAILABLE, 0},
    {"503 Service Unavailable\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT", 503, ERR_UNAVAILABLE,
     0},
    {"504 Gateway Timeout", 504, ERR_TIMEOUT, 0},
};

FIBER_TEST(speech_refused_has_the_provider_s_words)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct err err = {0};
        struct scene s;

        open_scene(&s);
        const struct fake_move moves[] = {
            WRITE(arena_fmt(s.arena,
                            "HTTP/1.1 %s\r\nContent-Length: 48\r\n\r\n"
                            "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"code\":\"c\"}}",
                            refusals[i].head)
                      .ptr),
            END};
        EXPECT(!ask(&s, true, moves, &err));
        EXPECT(err.code == refusals[i].code, "%d: %s", refusals[i].status, err.text);
        EXPECT(s.why.status == refusals[i].status && str_eq(s.why.message, STR("no")) &&
                   str_eq(s.why.code, STR("c")) && s.why.retry_after == refusals[i].wait,
               "%d: %d " STR_FMT, refusals[i].status, s.why.status, STR_ARG(s.why.message));
        close_scene(&s);
    }
}

static const struct {
    enum auth auth;
    const char *field, *want;
} keys[] = {
    {AUTH_BEARER, "authorization", "Bearer sk-1"},
    {AUTH_API_KEY, "api-key", "sk-1"},
    {AUTH_X_API_KEY, "x-api-key", "sk-1"},
    {AUTH_GOOGLE, "x-goog-api-key", "sk-1"},
};

FIBER_TEST(speech_shows_the_key_as_its_provider_wants)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct fake_move moves[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE STOP DONE), CLOSE, END};
        struct err err = {0};
        struct scene s;

        open_scene(&s);
        s.provider.auth = keys[i].auth;
        secret_wipe(&s.provider.api_key);
        EXPECT(secret_set(&s.provider.api_key, "sk-1", 4, &err));
        EXPECT(ask(&s, true, moves, &err), "%s", err.text);
        EXPECT(str_eq(fake_field(&s.fake, keys[i].field), str_from(keys[i].want)), "%s",
               keys[i].field);
        secret_wipe(&s.provider.api_key);
        close_scene(&s);
    }
}
