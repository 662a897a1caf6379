#include <string.h>

#include "fake_provider.h"
#include "models/reported.h"
#include "sys/clock.h"
#include "test.h"

#define ASK(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"

#define EVENT(choice) "data: {\"choices\":[" choice "]}\n\n"
#define ROLE          EVENT("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}")
#define HELLO         EVENT("{\"index\":0,\"delta\":{\"content\":\"Hello\"}}")
#define WORLD         EVENT("{\"index\":0,\"delta\":{\"content\":\" world\"}}")
#define FINISH        EVENT("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}")
#define USAGE         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n"
#define DONE          "data: [DONE]\n\n"

struct table_of_one {
    struct arena *arena;
    struct fake_provider fake;
    struct provider provider;
    struct model model;
};

static SUSPENDS void open_table(struct table_of_one *t)
{
    t->arena = arena_new(32 * MIB);
    t->fake = (struct fake_provider){0};
    fake_start(&t->fake, t->arena);
    t->provider = fake_settings(&t->fake, t->arena);
    t->model =
        (struct model){.name = STR("m"), .provider = &t->provider, .remote_name = STR("remote-m")};
}

static SUSPENDS void close_table(struct table_of_one *t)
{
    http_client_drop_idle();
    fake_stop(&t->fake);
    arena_end(&t->arena);
}

static SUSPENDS bool ask(struct table_of_one *t, const char *body, const struct fake_move *moves,
                         struct answer **out, struct err *err)
{
    struct chat_request chat;
    const struct model_question question = {.chat = &chat, .request_id = 0xabc};
    struct refusal why = {0};

    t->fake.moves = moves;
    return chat_read_request(t->arena, str_from(body), &chat, err) &&
           provider_ask(t->arena, &t->model, &question, out, &why, err);
}

/* Everything up to the end or the error; each piece goes to *all. */
static SUSPENDS bool drain(struct answer *answer, struct buf *all, int *pieces, struct err *err)
{
    struct str bytes;
    bool last = false;

    while (!last) {
        if (!answer->next(answer, &bytes, &last, err))
            return false;
        buf_str(all, bytes);
        *pieces += bytes.len > 0;
    }
    return true;
}

struct result {
    bool asked, whole;
    struct str got;
    int pieces;
    struct answer answer;               /* a copy, after its end */
    struct str retry_after, request_id; /* copies of what ends with it */
    struct err err;
};

static SUSPENDS struct result ask_all(struct table_of_one *t, const char *body,
                                      const struct fake_move *moves)
{
    struct answer *answer CLEANUP(answer_end) = NULL;
    struct result r = {0};
    struct buf all;

    buf_init(&all, t->arena, MIB);
    r.asked = ask(t, body, moves, &answer, &r.err);
    if (!r.asked)
        return r;
    r.whole = drain(answer, &all, &r.pieces, &r.err);
    r.got = buf_view(&all);
    r.answer = *answer;
    r.retry_after = arena_str(t->arena, answer->retry_after);
    r.request_id = arena_str(t->arena, answer->request_id);
    return r;
}

/* ---- whole answers ---- */

FIBER_TEST(provider_gives_the_whole_answer_untouched)
{
    static const char reply[] = "{ \"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"},"
                                "\"finish_reason\":\"stop\"}], \"zzz\":1.50,\"usage\":"
                                "{\"prompt_tokens\":9,\"completion_tokens\":2}}\n";
    struct table_of_one t;

    open_table(&t);
    struct fake_move moves[] = {
        {FAKE_WRITE, FAKE_JSON_HEAD("145"), 0}, {FAKE_WRITE, reply, 0}, {0}};
    moves[0].text = arena_fmt(t.arena,
                              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: "
                              "up-1\r\nContent-Length: %zu\r\n\r\n",
                              sizeof reply - 1)
                        .ptr;
    struct result r = ask_all(&t, ASK(",\"temperature\":0.10"), moves);
    EXPECT(r.whole, "%s", r.err.text);
    EXPECT(str_eq(r.got, str_from(reply)), STR_FMT, STR_ARG(r.got));
    EXPECT(r.answer.status == 200 && !r.answer.streaming);
    EXPECT(str_eq(r.request_id, STR("up-1")));
    EXPECT(r.answer.meter.usage.tokens_in == 9 && r.answer.meter.usage.tokens_out == 2);
    EXPECT(str_eq(t.fake.body, STR("{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\","
                                   "\"content\":\"hi\"}],\"temperature\":0.10}")),
           STR_FMT, STR_ARG(t.fake.body));
    close_table(&t);
}

FIBER_TEST(provider_gets_our_head_and_nothing_else)
{
    static const struct fake_move moves[] = {{FAKE_WRITE, FAKE_JSON_HEAD("2") "{}", 0}, {0}};
    struct table_of_one t;
    struct err err = {0};

    open_table(&t);
    REQUIRE(secret_set(&t.provider.api_key, "sk-test", 7, &err));
    struct result r = ask_all(&t, ASK(""), moves);
    EXPECT(r.whole, "%s", r.err.text);
    EXPECT(str_eq(fake_field(&t.fake, "authorization"), STR("Bearer sk-test")));
    EXPECT(str_eq(fake_field(&t.fake, "user-agent"), STR("weir/" WEIR_VERSION)));
    EXPECT(str_eq(fake_field(&t.fake, "x-request-id"), STR("req_0000000000000abc")));
    EXPECT(str_eq(fake_field(&t.fake, "content-type"), STR("application/json")));
    EXPECT(!fake_field(&t.fake, "accept-encoding").ptr, "we must be able to read the answer");
    EXPECT(str_starts(t.fake.head, STR("POST /v1/chat/completions HTTP/1.1\r\n")), STR_FMT,
           STR_ARG(t.fake.head));
    secret_wipe(&t.provider.api_key);
    close_table(&t);
}

FIBER_TEST(provider_connection_is_kept_after_a_whole_answer)
{
    static const struct fake_move moves[] = {{FAKE_WRITE, FAKE_JSON_HEAD("2") "{}", 0}, {0}};
    struct table_of_one t;

    open_table(&t);
    for (int i = 0; i < 3; i++)
        EXPECT(ask_all(&t, ASK(""), moves).whole);
    EXPECT(t.fake.requests == 3 && t.fake.connections == 1, "%d", t.fake.connections);
    close_table(&t);
}

static const struct {
    const char *name, *reply;
    bool whole;
    int status;
    const char *text; /* of the error or of the answer */
} reply_cases[] = {
    {"a refusal passes with its body",
     "HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\n{\"a\":1", true, 400, "{\"a\":1"},
    {"too many requests, with Retry-After",
     "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}", true, 429,
     "{}"},
    {"its own failure passes", "HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops", true, 500,
     "oops"},
    {"an empty refusal passes", "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", true, 503, ""},
    {"our own key refused", "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", false, ERR_UNAVAILABLE,
     "provider \"fake\" refused the api_key"},
    {"a redirect is a wrong url", "HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", false,
     ERR_UNAVAILABLE, "provider \"fake\" answered 302"},
    {"an answer that is no JSON", FAKE_JSON_HEAD("6") "<html>", false, ERR_UNAVAILABLE,
     "provider \"fake\": the answer cannot be read"},
    {"an error that calls itself 200", FAKE_JSON_HEAD("23") "{\"error\":{\"message\":1}}", true,
     503, "{\"error\":{\"message\":1}}"},
    {"no HTTP at all", "SSH-2.0-x\r\n\r\n", false, ERR_UNAVAILABLE, "provider \"fake\""},
};

FIBER_TEST(provider_statuses_are_answers_or_named_failures)
{
    struct table_of_one t;

    open_table(&t);
    for (size_t i = 0; i < ARRAY_LEN(reply_cases); i++) {
        struct fake_move moves[] = {{FAKE_WRITE, reply_cases[i].reply, 0}, {FAKE_CLOSE, NULL, 0}};
        struct result r = ask_all(&t, ASK(""), moves);
        struct str want = str_from(reply_cases[i].text);

        EXPECT(r.whole == reply_cases[i].whole, "%s: %s", reply_cases[i].name, r.err.text);
        if (r.whole) {
            EXPECT(r.answer.status == reply_cases[i].status, "%s: %d", reply_cases[i].name,
                   r.answer.status);
            EXPECT(str_eq(r.got, want), "%s: " STR_FMT, reply_cases[i].name, STR_ARG(r.got));
        } else {
            EXPECT((int)r.err.code == reply_cases[i].status, "%s: %d", reply_cases[i].name,
                   (int)r.err.code);
            EXPECT(str_starts(str_from(r.err.text), want), "%s: %s", reply_cases[i].name,
                   r.err.text);
        }
        if (i == 1)
            EXPECT(str_eq(r.retry_after, STR("7")));
    }
    close_table(&t);
}

FIBER_TEST(provider_whole_answer_that_is_cut_is_no_answer)
{
    static const char reply[] = FAKE_JSON_HEAD("20") "{\"choices\":[]";
    static const struct fake_move moves[] = {{FAKE_WRITE, reply, 0}, {FAKE_CLOSE, NULL, 0}};
    struct table_of_one t;

    open_table(&t);
    struct result r = ask_all(&t, ASK(""), moves);
    EXPECT(!r.whole && r.err.code == ERR_UNAVAILABLE, "%s", r.err.text);
    EXPECT(str_starts(str_from(r.err.text), STR("provider \"fake\": ")), "%s", r.err.text);
    close_table(&t);
}

FIBER_TEST(provider_answers_are_bounded)
{
    static const struct fake_move by_length[] = {
        {FAKE_WRITE, FAKE_JSON_HEAD("2000000"), 0}, {FAKE_HANG, NULL, 0}, {0}};
    struct table_of_one t;

    open_table(&t);
    struct result r = ask_all(&t, ASK(""), by_length);
    EXPECT(!r.whole && r.err.code == ERR_UNAVAILABLE, "%s", r.err.text);
    EXPECT(str_find(str_from(r.err.text), STR("reply_bytes_max")) < strlen(r.err.text), "%s",
           r.err.text);

    t.provider.reply_bytes_max = 10;
    struct fake_move chunked[] = {
        {FAKE_WRITE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
        {FAKE_WRITE, fake_chunk(t.arena, "0123456789"), 0},
        {FAKE_WRITE, fake_chunk(t.arena, "0"), 0},
        {FAKE_HANG, NULL, 0},
        {0}};
    r = ask_all(&t, ASK(""), chunked);
    EXPECT(!r.whole && r.err.code == ERR_UNAVAILABLE, "%s", r.err.text);
    close_table(&t);
}

/* Who is only looked for is there when it answers, whatever it says of our key or our address. */
FIBER_TEST(provider_that_answers_a_probe_is_there)
{
    static const struct {
        int status;
        bool there;
    } probes[] = {{200, true}, {302, true}, {401, true},  {403, true}, {404, true},
                  {407, true}, {501, true}, {500, false}, {503, false}};
    struct table_of_one t;

    open_table(&t);
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        struct fake_move moves[] = {{FAKE_WRITE, NULL, 0}, {0}};
        struct err err = {0};

        moves[0].text = arena_fmt(t.arena, "HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n",
                                  probes[i].status)
                            .ptr;
        t.fake.moves = moves;
        EXPECT(provider_answers(t.arena, &t.provider, 7, &err) == probes[i].there, "%d: %s",
               probes[i].status, err.text);
        EXPECT((err.code == ERR_NONE) == probes[i].there, "%d", probes[i].status);
    }
    close_table(&t);
}

/* ---- streams ---- */

static const struct {
    const char *name, *options, *body, *want;
} stream_cases[] = {
    {"events pass, usage nobody asked for does not", ",\"stream\":true",
     ROLE HELLO WORLD FINISH USAGE DONE, ROLE HELLO WORLD FINISH DONE},
    {"usage asked for passes", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}",
     ROLE HELLO WORLD FINISH USAGE DONE, ROLE HELLO WORLD FINISH USAGE DONE},
    {"usage explicitly not asked for",
     ",\"stream\":true,\"stream_options\":{\"include_usage\":false}", HELLO FINISH USAGE DONE,
     HELLO FINISH DONE},
    {"stream_options null", ",\"stream\":true,\"stream_options\":null", HELLO FINISH USAGE DONE,
     HELLO FINISH DONE},
    {"comments and odd spacing survive", ",\"stream\":true",
     ": hi\n\n" HELLO "event: x\nid: 7\ndata:{\"choices\":[]}\n\n" FINISH DONE,
     ": hi\n\n" HELLO "event: x\nid: 7\ndata:{\"choices\":[]}\n\n" FINISH DONE},
    {"CRLF line ends survive", ",\"stream\":true",
     "data: {\"choices\":[]}\r\n\r\n" FINISH "data: [DONE]\r\n\r\n",
     "data: {\"choices\":[]}\r\n\r\n" FINISH "data: [DONE]\r\n\r\n"},
    {"what follows [DONE] does not", ",\"stream\":true", HELLO FINISH DONE HELLO,
     HELLO FINISH DONE},
    {"a provider that streams unasked", "", HELLO FINISH DONE, HELLO FINISH DONE},
};

FIBER_TEST(provider_streams_pass_untouched)
{
    struct table_of_one t;

    open_table(&t);
    for (size_t i = 0; i < ARRAY_LEN(stream_cases); i++) {
        struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                    {FAKE_WRITE, fake_chunk(t.arena, stream_cases[i].body), 0},
                                    {FAKE_WRITE, "0\r\n\r\n", 0},
                                    {0}};
        struct str body =
            arena_fmt(t.arena, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]%s}",
                      stream_cases[i].options);
        struct result r = ask_all(&t, body.ptr, moves);

        EXPECT(r.whole, "%s: %s", stream_cases[i].name, r.err.text);
        EXPECT(str_eq(r.got, str_from(stream_cases[i].want)), "%s: " STR_FMT, stream_cases[i].name,
               STR_ARG(r.got));
        EXPECT(r.answer.streaming && r.answer.meter.done);
    }
    close_table(&t);
}

FIBER_TEST(provider_burst_is_given_as_one_piece)
{
    struct table_of_one t;

    open_table(&t);
    struct fake_move moves[] = {
        {FAKE_WRITE,
         arena_fmt(t.arena, FAKE_STREAM_HEAD "%s0\r\n\r\n",
                   fake_chunk(t.arena, ROLE HELLO WORLD HELLO WORLD FINISH USAGE DONE))
             .ptr,
         0},
        {0}};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(r.whole, "%s", r.err.text);
    EXPECT(r.pieces == 1, "%d", r.pieces);
    EXPECT(str_eq(r.got, STR(ROLE HELLO WORLD HELLO WORLD FINISH DONE)));
    EXPECT(r.answer.meter.usage.tokens_out == 2 && r.answer.meter.events == 7);
    close_table(&t);
}

FIBER_TEST(provider_stream_connection_is_kept_even_when_the_end_comes_late)
{
    struct table_of_one t;

    open_table(&t);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO FINISH DONE), 0},
                                {FAKE_WAIT, NULL, 2},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    /* On a busy machine the end may come later than is waited for: only then its connection may be closed. */
    int in_time = 0, late = 0;
    while (in_time < 3 && late < 1000) {
        mono_ns begun = clock_mono();

        EXPECT(ask_all(&t, ASK(",\"stream\":true"), moves).whole);
        if (clock_mono() - begun < 20 * MILLISECOND)
            in_time++;
        else
            late++;
    }
    EXPECT(in_time == 3 && t.fake.connections <= 1 + late, "%d, %d in time, %d late",
           t.fake.connections, in_time, late);
    close_table(&t);
}

/* The stream as it may be cut: what came before the last blank line is given, nothing else; the end is
 * an error unless the stream was whole. */
static void check_cut(struct table_of_one *t, size_t at, bool chunked)
{
    static const char body[] = ROLE HELLO WORLD FINISH DONE;
    size_t finished = sizeof ROLE HELLO WORLD FINISH - 1, whole = 0;
    struct str sent = arena_str(t->arena, (struct str){body, at});
    struct fake_move moves[] = {
        {FAKE_WRITE, chunked ? FAKE_STREAM_HEAD : FAKE_STREAM_HEAD_TO_CLOSE, 0},
        {FAKE_WRITE, chunked && at ? fake_chunk(t->arena, sent.ptr) : sent.ptr, 0},
        {FAKE_CLOSE, NULL, 0}};
    struct result r = ask_all(t, ASK(",\"stream\":true"), moves);
    bool want = at == sizeof body - 1 || (!chunked && at == finished);

    for (size_t i = 2; i <= at; i++)
        if (body[i - 1] == '\n' && body[i - 2] == '\n')
            whole = i;
    EXPECT(r.asked, "cut at %zu: %s", at, r.err.text);
    EXPECT(r.whole == want, "cut at %zu, %s: %s", at, chunked ? "chunked" : "to close", r.err.text);
    EXPECT(str_eq(r.got, (struct str){body, whole}), "cut at %zu: " STR_FMT, at, STR_ARG(r.got));
    if (!r.whole) {
        EXPECT(r.err.code == ERR_UNAVAILABLE, "cut at %zu: %d", at, (int)r.err.code);
        EXPECT(str_starts(str_from(r.err.text), STR("provider \"fake\" cut the stream after ")),
               "cut at %zu: %s", at, r.err.text);
    }
}

FIBER_TEST(provider_stream_cut_at_any_byte_is_never_an_end)
{
    struct table_of_one t;

    open_table(&t);
    for (size_t at = 0; at < sizeof(ROLE HELLO WORLD FINISH DONE); at++) {
        check_cut(&t, at, true);
        check_cut(&t, at, false);
    }
    close_table(&t);
}

FIBER_TEST(provider_stream_in_single_bytes_is_the_same_stream)
{
    static const char body[] = ROLE HELLO FINISH USAGE DONE;
    struct table_of_one t;

    open_table(&t);
    struct fake_move *moves = arena_array(t.arena, 2 * sizeof body + 4, sizeof *moves);
    size_t n = 0;
    REQUIRE(moves != NULL);
    moves[n++] = (struct fake_move){FAKE_WRITE, FAKE_STREAM_HEAD, 0};
    for (size_t i = 0; i + 1 < sizeof body; i++) {
        const char *one = arena_str(t.arena, (struct str){body + i, 1}).ptr;

        moves[n++] = (struct fake_move){FAKE_WRITE, fake_chunk(t.arena, one), 0};
        moves[n++] = (struct fake_move){FAKE_WAIT, NULL, 0};
    }
    moves[n++] = (struct fake_move){FAKE_WRITE, "0\r\n\r\n", 0};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(r.whole, "%s", r.err.text);
    EXPECT(str_eq(r.got, STR(ROLE HELLO FINISH DONE)), STR_FMT, STR_ARG(r.got));
    close_table(&t);
}

#define ERROR "data: {\"error\":{\"message\":\"overloaded\",\"code\":\"x\"}}\n\n"

FIBER_TEST(provider_stream_that_begins_with_an_error_gets_a_status)
{
    struct table_of_one t;

    open_table(&t);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, ERROR DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(r.whole, "%s", r.err.text);
    EXPECT(r.answer.status == 503 && !r.answer.streaming);
    EXPECT(str_eq(r.answer.content_type, STR("application/json"))); /* a literal by then */
    EXPECT(str_eq(r.got, STR("{\"error\":{\"message\":\"overloaded\",\"code\":\"x\"}}")), STR_FMT,
           STR_ARG(r.got));
    close_table(&t);
}

FIBER_TEST(provider_error_inside_a_stream_passes_and_ends_it_badly)
{
    struct table_of_one t;

    open_table(&t);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO ERROR DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(!r.whole && r.err.code == ERR_UNAVAILABLE, "%s", r.err.text);
    EXPECT(str_eq(r.got, STR(HELLO ERROR)), STR_FMT, STR_ARG(r.got));
    EXPECT(r.answer.meter.failed && !r.answer.meter.done);
    EXPECT(str_eq(r.answer.meter.error_text, STR("overloaded")));
    close_table(&t);
}

FIBER_TEST(provider_event_that_is_no_json_ends_the_stream_badly)
{
    struct table_of_one t;

    open_table(&t);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO "data: {\n\n" DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(!r.whole && r.err.code == ERR_UNAVAILABLE, "%s", r.err.text);
    EXPECT(str_eq(r.got, STR(HELLO)), "good events go out first: " STR_FMT, STR_ARG(r.got));
    close_table(&t);
}

FIBER_TEST(provider_event_above_the_limit_ends_the_stream_badly)
{
    struct table_of_one t;

    open_table(&t);
    t.provider.event_bytes_max = 40;
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO), 0},
                                {FAKE_HANG, NULL, 0},
                                {0}};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(!r.whole && r.err.code == ERR_UNAVAILABLE, "%d %s", (int)r.err.code, r.err.text);
    close_table(&t);
}

/* ---- time ---- */

static const struct {
    const char *name;
    dur_ns first, gap, total;
    bool streams;
    const char *text;
} late_cases[] = {
    {"before the head", 30 * MILLISECOND, 0, 0, false,
     "provider \"fake\" did not begin to answer within 30 ms"},
    {"before the head, by the whole time", 0, 0, 30 * MILLISECOND, false,
     "provider \"fake\" was not done after 30 ms"},
    {"between events", 0, 30 * MILLISECOND, 0, true,
     "provider \"fake\" sent nothing more within 30 ms"},
    {"between events, by the whole time", 0, 10 * SECOND, 30 * MILLISECOND, true,
     "provider \"fake\" was not done after 30 ms"},
};

FIBER_TEST(provider_that_is_late_is_named_with_the_limit)
{
    for (size_t i = 0; i < ARRAY_LEN(late_cases); i++) {
        struct table_of_one t;

        open_table(&t);
        struct fake_move silent[] = {{FAKE_HANG, NULL, 0}, {0}};
        struct fake_move stalls[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                     {FAKE_WRITE, fake_chunk(t.arena, HELLO), 0},
                                     {FAKE_HANG, NULL, 0},
                                     {0}};
        struct err err = {0};
        t.provider.first_byte_timeout = late_cases[i].first;
        t.provider.gap_timeout = late_cases[i].gap;
        t.provider.total_timeout = late_cases[i].total;
        struct result r =
            ask_all(&t, ASK(",\"stream\":true"), late_cases[i].streams ? stalls : silent);
        EXPECT(!r.whole && r.err.code == ERR_TIMEOUT, "%s: %s", late_cases[i].name, r.err.text);
        EXPECT(str_eq(str_from(r.err.text), str_from(late_cases[i].text)), "%s: %s",
               late_cases[i].name, r.err.text);
        EXPECT(event_wait(&t.fake.left, &err), "%s: the connection is closed", late_cases[i].name);
        close_table(&t);
    }
}

FIBER_TEST(provider_slow_but_steady_is_not_late)
{
    struct table_of_one t;

    open_table(&t);
    t.provider.gap_timeout = 200 * MILLISECOND;
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO), 0},
                                {FAKE_WAIT, NULL, 80},
                                {FAKE_WRITE, fake_chunk(t.arena, WORLD), 0},
                                {FAKE_WAIT, NULL, 80},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO), 0},
                                {FAKE_WAIT, NULL, 80},
                                {FAKE_WRITE, fake_chunk(t.arena, FINISH DONE), 0},
                                {FAKE_WRITE, "0\r\n\r\n", 0},
                                {0}};
    struct result r = ask_all(&t, ASK(",\"stream\":true"), moves);
    EXPECT(r.whole, "%s", r.err.text);
    close_table(&t);
}

FIBER_TEST(provider_call_ends_when_nobody_wants_it)
{
    static const struct fake_move moves[] = {{FAKE_HANG, NULL, 0}, {0}};
    struct table_of_one t;
    struct scope scope;
    struct err err = {0};

    open_table(&t);
    scope_open(&scope, fiber_now() + 30 * MILLISECOND);
    struct result r = ask_all(&t, ASK(""), moves);
    scope_close(&scope);
    EXPECT(!r.asked && r.err.code == ERR_TIMEOUT, "%s", r.err.text);
    EXPECT(str_find(str_from(r.err.text), STR("did not begin")) == strlen(r.err.text),
           "not the provider's limit: %s", r.err.text);
    EXPECT(event_wait(&t.fake.left, &err), "%s", err.text);
    close_table(&t);
}

FIBER_TEST(provider_that_is_not_there_is_unavailable)
{
    struct table_of_one t;
    struct err err = {0};

    open_table(&t);
    REQUIRE(http_url_parse(STR("http://127.0.0.1:1"), &t.provider.url, &err));
    struct result r = ask_all(&t, ASK(""), NULL);
    EXPECT(!r.asked && r.err.code == ERR_UNAVAILABLE, "%s", r.err.text);
    EXPECT(str_starts(str_from(r.err.text), STR("provider \"fake\": ")), "%s", r.err.text);
    close_table(&t);
}

FIBER_TEST(provider_answer_left_midway_closes_the_connection)
{
    struct table_of_one t;
    struct err err = {0};

    open_table(&t);
    struct fake_move moves[] = {{FAKE_WRITE, FAKE_STREAM_HEAD, 0},
                                {FAKE_WRITE, fake_chunk(t.arena, HELLO), 0},
                                {FAKE_HANG, NULL, 0},
                                {0}};
    struct answer *answer = NULL;
    struct str bytes;
    bool last;
    REQUIRE(ask(&t, ASK(",\"stream\":true"), moves, &answer, &err), "%s", err.text);
    EXPECT(answer->next(answer, &bytes, &last, &err) && !last, "%s", err.text);
    answer_end(&answer);
    EXPECT(event_wait(&t.fake.left, &err), "%s", err.text);
    close_table(&t);
}
