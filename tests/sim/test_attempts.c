/* Who is asked next, and when: what each end of an attempt leads to, pauses, Retry-After, breakers, weights. */
#include <string.h>
#include <time.h>

#include "models/attempt_internal.h"
#include "net/http.h"
#include "route_kit.h"
#include "sys/clock.h"
#include "test.h"

#define ERROR_BODY(code) "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"code\":\"" code "\"}}"

/* ---- what follows a status ---- */

static const struct {
    int status;
    const char *code;
    bool next;  /* the next candidate is asked */
    bool again; /* this one is, when it is alone */
    enum attempt_end end;
    bool ill; /* counts for the breaker */
} ends[] = {
    {400, "bad", false, false, ATTEMPT_REFUSED, false},
    {400, "content_filter", false, false, ATTEMPT_REFUSED, false},
    {400, "context_length_exceeded", true, false, ATTEMPT_REFUSED, false},
    {401, "key", true, false, ATTEMPT_REFUSED, true},
    {402, "money", true, false, ATTEMPT_REFUSED, true},
    {403, "denied", true, false, ATTEMPT_REFUSED, true},
    {404, "model_not_found", true, false, ATTEMPT_REFUSED, true},
    {408, "late", true, true, ATTEMPT_FAILED, true},
    {409, "busy", true, true, ATTEMPT_FAILED, true},
    {413, "large", false, false, ATTEMPT_REFUSED, false},
    {422, "field", false, false, ATTEMPT_REFUSED, false},
    {424, "model", true, true, ATTEMPT_FAILED, true},
    {425, "early", true, true, ATTEMPT_FAILED, true},
    {429, "slow", true, true, ATTEMPT_LIMITED, false},
    {500, "oops", true, true, ATTEMPT_FAILED, true},
    {502, "oops", true, true, ATTEMPT_FAILED, true},
    {503, "oops", true, true, ATTEMPT_FAILED, true},
    {504, "oops", true, true, ATTEMPT_FAILED, true},
    {529, "oops", true, true, ATTEMPT_FAILED, true},
};

static SUSPENDS void check_end(size_t i, bool stream, enum on_cut on_cut, int models)
{
    struct route_kit kit;
    int a, b, status = ends[i].status;

    kit_open(&kit, models);
    kit.policy.on_cut = on_cut;
    kit.fakes[0].moves =
        kit_reply(kit.arena, status, "", arena_fmt(kit.arena, ERROR_BODY("%s"), ends[i].code).ptr);
    if (models > 1)
        kit.fakes[1].moves = kit_reply(kit.arena, 200, "", kit_answer);
    bool ok = kit_ask(&kit, stream);
    a = kit.fakes[0].requests, b = kit.fakes[1].requests;
    EXPECT(ok == (models > 1 && ends[i].next), "%d %s: %s", status, ends[i].code, kit.err.text);
    EXPECT(a == (models == 1 && ends[i].again ? 3 : 1), "%d %s: a was asked %d times, of %d",
           status, ends[i].code, a, models);
    EXPECT(b == (models > 1 && ends[i].next), "%d %s: b was asked %d times", status, ends[i].code,
           b);
    EXPECT(kit_end(&kit, 0) == ends[i].end, "%d: %s", status, attempt_end_name(kit_end(&kit, 0)));
    EXPECT((deployment_look(kit.models[0].deployment, fiber_now()).failed > 0) == ends[i].ill,
           "%d %s: breaker", status, ends[i].code);
    kit_close(&kit);
}

ROUTE_TEST(a_status_decides_who_is_asked_next)
{
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        for (int models = 1; models <= 2; models++) {
            check_end(i, false, CUT_ERROR, models);
            check_end(i, true, CUT_ERROR, models);
            check_end(i, true, CUT_CONTINUE, models);
        }
}

ROUTE_TEST(only_the_first_is_asked_when_the_client_says_so)
{
    struct route_kit kit;

    kit_open(&kit, 2);
    kit.policy.attempts_max = 1;
    kit.fakes[0].moves = kit_reply(kit.arena, 500, "", ERROR_BODY("oops"));
    kit.fakes[1].moves = kit_reply(kit.arena, 200, "", kit_answer);
    EXPECT(!kit_ask(&kit, false));
    EXPECT(kit.fakes[0].requests == 1 && kit.fakes[1].requests == 0 && kit.log.count == 1);
    kit_close(&kit);
}

ROUTE_TEST(one_with_a_larger_window_is_asked)
{
    struct route_kit kit;

    kit_open(&kit, 3);
    kit.models[0].window = 1000, kit.models[1].window = 1000, kit.models[2].window = 9000;
    kit.fakes[0].moves = kit_reply(kit.arena, 400, "", ERROR_BODY("context_length_exceeded"));
    kit.fakes[2].moves = kit_reply(kit.arena, 200, "", kit_answer);
    EXPECT(kit_ask(&kit, false), "%s", kit.err.text);
    EXPECT(kit.fakes[0].requests == 1 && kit.fakes[1].requests == 0 && kit.fakes[2].requests == 1);
    kit_close(&kit);
}

/* As each house says that a prompt is too long for its window. */
static const char *const too_long[] = {
    "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\"}}",
    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too "
    "long: "
    "210000 tokens > 200000 maximum\"}}",
    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"input length "
    "and "
    "`max_tokens` exceed context limit: 199000 + 8192 > 200000\"}}",
    "{\"error\":{\"code\":400,\"message\":\"The input token count (1048577) exceeds the maximum "
    "number of "
    "tokens allowed (1048576).\",\"status\":\"INVALID_ARGUMENT\"}}",
    "{\"message\":\"Input is too long for requested model.\"}",
    "{\"error\":{\"code\":400,\"message\":\"the request exceeds the available context "
    "size\",\"type\":"
    "\"exceed_context_size_error\"}}",
};

ROUTE_TEST(a_prompt_too_long_is_known_by_each_houses_words)
{
    for (size_t i = 0; i < ARRAY_LEN(too_long); i++) {
        struct route_kit kit;

        kit_open(&kit, 2);
        kit.models[0].window = 1000, kit.models[1].window = 9000;
        kit.fakes[0].moves = kit_reply(kit.arena, 400, "", too_long[i]);
        kit.fakes[1].moves = kit_reply(kit.arena, 200, "", kit_answer);
        EXPECT(kit_ask(&kit, false) && kit.fakes[1].requests == 1, "%s: %s", too_long[i],
               kit.err.text);
        kit_close(&kit);
    }
}

/* What a provider cannot be told was never asked of it: it has not failed. */
ROUTE_TEST(what_a_provider_cannot_be_told_is_no_failure_of_it)
{
    struct route_kit kit;

    kit_open(&kit, 1);
    kit.client = &dialect_embeddings;
    kit.prompts = "[\"a\"]";
    kit.providers[0].dialect = &dialect_anthropic;
    kit.policy.breaker_failures = 1;
    kit.policy.breaker_time = 30 * SECOND;
    for (int i = 0; i < 2; i++) {
        EXPECT(!kit_ask(&kit, false) && kit.err.code == ERR_INVALID, "%s", kit.err.text);
        EXPECT(kit_end(&kit, 0) == ATTEMPT_REFUSED && kit.fakes[0].requests == 0);
    }
    EXPECT(deployment_look(kit.models[0].deployment, fiber_now()).failed == 0);
    kit_close(&kit);
}

/* ---- an answer that has something in it ---- */

static const struct {
    const char *name, *message, *finish;
    bool something;
} whole[] = {
    {"text", "\"content\":\"Four\"", "stop", true},
    {"nothing", "\"content\":\"\"", "stop", false},
    {"null", "\"content\":null", "stop", false},
    {"a refusal", "\"content\":null,\"refusal\":\"No.\"", "stop", true},
    {"a filter's rejection", "\"content\":\"\"", "content_filter", true},
    {"a call without arguments",
     "\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":"
     "\"now\",\"arguments\":\"\"}}]",
     "tool_calls", true},
};

static SUSPENDS void check_whole(size_t i, bool stream, const struct dialect *client)
{
    struct route_kit kit;

    kit_open(&kit, 2);
    kit.client = client;
    const char *body = arena_fmt(kit.arena,
                                 "{\"id\":\"c\",\"choices\":[{\"index\":0,\"%s\":{%s},"
                                 "\"finish_reason\":\"%s\"}]}",
                                 stream ? "delta" : "message", whole[i].message, whole[i].finish)
                           .ptr;
    const struct fake_move streamed[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE),
                                         WRITE("data: "),
                                         WRITE(body),
                                         WRITE("\n\n"),
                                         WAIT(100),
                                         WRITE(DONE),
                                         CLOSE,
                                         END};
    kit.fakes[0].moves = stream ? streamed : kit_reply(kit.arena, 200, "", body);
    kit.fakes[1].moves = kit_reply(kit.arena, 200, "", kit_answer);
    EXPECT(kit_ask(&kit, stream), "%s: %s", whole[i].name, kit.err.text);
    EXPECT(kit.fakes[1].requests == !whole[i].something, "%s, %s: %d", whole[i].name,
           stream ? "streamed" : "whole", kit.fakes[1].requests);
    EXPECT(kit_end(&kit, 0) == (whole[i].something ? ATTEMPT_ANSWERED : ATTEMPT_EMPTY), "%s",
           whole[i].name);
    kit_close(&kit);
}

ROUTE_TEST(an_answer_with_nothing_in_it_is_asked_for_again)
{
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        check_whole(i, false, &dialect_openai);
        check_whole(i, true, &dialect_openai);
        check_whole(i, false, &dialect_anthropic);
        check_whole(i, true, &dialect_anthropic);
    }
}

/* ---- Retry-After ---- */

#define NOW ((wall_ms)784111777000) /* Sun, 06 Nov 1994 08:49:37 GMT */

TEST(retry_after_is_seconds_or_a_date)
{
    static const struct {
        const char *text;
        dur_ns want;
    } cases[] = {
        {"0", 0},
        {"7", 7 * SECOND},
        {" 7 ", 7 * SECOND},
        {"31536000", (dur_ns)31536000 * SECOND},
        {"31536001", 0},
        {"99999999999999999999", 0},
        {"-1", 0},
        {"1.5", 0},
        {"", 0},
        {"soon", 0},
        {"Sun, 06 Nov 1994 08:49:39 GMT", 2 * SECOND},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", 86400 * SECOND},
        {"Sun, 06 Nov 1994 08:49:39 UTC", 0},
        {"Sun, 06 Foo 1994 08:49:39 GMT", 0},
        {"Sun, 06 Nov 1996 08:49:39 GMT", 0}, /* more than a year */
        {"Sun, 06 Nov 1994 25:49:39 GMT", 0},
        {"Sunday, 06-Nov-94 08:49:39 GMT", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(retry_after_read(str_from(cases[i].text), NOW) == cases[i].want, "\"%s\": %" PRId64,
               cases[i].text, retry_after_read(str_from(cases[i].text), NOW));
}

struct turns {
    const struct fake_move *first, *later;
};

static const struct fake_move *first_then_later(struct fake_provider *fake)
{
    const struct turns *turns = fake->ctx;

    return fake->requests == 1 ? turns->first : turns->later;
}

static SUSPENDS dur_ns wait_of(const char *retry_after, bool stream, struct route_kit *kit)
{
    static struct turns turns;

    kit_open(kit, 1);
    turns.first = kit_reply(kit->arena, 429, retry_after, ERROR_BODY("slow"));
    turns.later = kit_reply(kit->arena, 200, "", kit_answer);
    kit->fakes[0].decide = first_then_later;
    kit->fakes[0].ctx = &turns;
    return kit_ask(kit, stream) ? kit->took : -1;
}

ROUTE_TEST(retry_after_is_waited_for_when_nobody_else_can_answer)
{
    struct route_kit kit;
    char date[64];
    time_t then = clock_wall() / 1000 + 5;
    struct tm tm;
    dur_ns took = wait_of("Retry-After: 3\r\n", false, &kit);

    EXPECT(took >= 3 * SECOND && took < 4 * SECOND, "%" PRId64, took);
    kit_close(&kit);
    gmtime_r(&then, &tm);
    strftime(date, sizeof date, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    took = wait_of(date, true, &kit);
    EXPECT(took >= SECOND && took < 7 * SECOND, "%" PRId64 " %s", took, date);
    kit_close(&kit);
    took = wait_of("Retry-After: 60\r\n", false, &kit); /* more than retry_after_max */
    EXPECT(took == -1 && kit.fakes[0].requests == 1 && kit.err.code == ERR_EXHAUSTED, "%s",
           kit.err.text);
    EXPECT(kit.plan.retry_after > 59 * SECOND && kit.plan.retry_after <= 60 * SECOND);
    kit_close(&kit);
    took = wait_of("Retry-After: 100000\r\n", false, &kit);
    EXPECT(took == -1 && kit.plan.retry_after <= 300 * SECOND, "capped: %" PRId64,
           kit.plan.retry_after);
    kit_close(&kit);
}

/* ---- pauses ---- */

ROUTE_TEST(pauses_are_random_and_bounded)
{
    dur_ns least = INT64_MAX, most = 0;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct route_kit kit;

        kit_open(&kit, 1);
        kit.request_id = seed * 0x9e3779b97f4a7c15u;
        kit.policy.attempts_max = 4;
        kit.policy.backoff = SECOND;
        kit.policy.backoff_max = 2 * SECOND;
        kit.fakes[0].moves = kit_reply(kit.arena, 500, "", ERROR_BODY("oops"));
        EXPECT(!kit_ask(&kit, false) && kit.fakes[0].requests == 4);
        EXPECT(kit.took >= 30 * MILLISECOND && kit.took <= 5100 * MILLISECOND,
               "1 + 2 + 2 seconds at most: %" PRId64, kit.took);
        least = MIN_OF(least, kit.took);
        most = MAX_OF(most, kit.took);
        kit_close(&kit);
    }
    EXPECT(most - least > SECOND, "chance: %" PRId64 " to %" PRId64, least, most);
}

ROUTE_TEST(attempts_end_with_their_time)
{
    struct route_kit kit;

    kit_open(&kit, 1);
    kit.policy.attempts_max = 16;
    kit.policy.backoff = kit.policy.backoff_max = SECOND;
    kit.policy.attempts_time = 2 * SECOND;
    kit.fakes[0].moves = kit_reply(kit.arena, 500, "", ERROR_BODY("oops"));
    EXPECT(!kit_ask(&kit, false));
    EXPECT(kit.took <= 2 * SECOND + 100 * MILLISECOND && kit.fakes[0].requests < 16);
    kit_close(&kit);
}

/* ---- breaker, room, weights ---- */

ROUTE_TEST(a_breaker_opens_lets_one_try_and_closes)
{
    struct route_kit kit;
    struct err err = {0};

    kit_open(&kit, 1);
    kit.policy.attempts_max = 2;
    kit.policy.backoff = kit.policy.backoff_max = MILLISECOND;
    kit.policy.breaker_failures = 2;
    kit.policy.breaker_time = 30 * SECOND;
    kit.policy.retry_after_max = SECOND;
    kit.fakes[0].moves = kit_reply(kit.arena, 500, "", ERROR_BODY("oops"));
    EXPECT(!kit_ask(&kit, false) && kit.fakes[0].requests == 2);
    EXPECT(!kit_ask(&kit, false) && kit.fakes[0].requests == 2, "nobody is let in");
    EXPECT(kit.err.code == ERR_UNAVAILABLE && strstr(kit.err.text, "resting"), "%s", kit.err.text);
    EXPECT(kit.plan.retry_after > 29 * SECOND && kit.plan.retry_after <= 30 * SECOND);
    EXPECT(fiber_sleep(30 * SECOND, &err));
    EXPECT(!kit_ask(&kit, false) && kit.fakes[0].requests == 3, "one probe: %d",
           kit.fakes[0].requests);
    EXPECT(fiber_sleep(60 * SECOND, &err));
    kit.fakes[0].moves = kit_reply(kit.arena, 200, "", kit_answer);
    EXPECT(kit_ask(&kit, false) && kit_ask(&kit, false), "%s", kit.err.text);
    kit_close(&kit);
}

static bool count_looks(void *ctx, const struct model *model)
{
    ((struct route_kit *)ctx)->asked_for++; /* the money's own count: nothing is held here */
    return model != NULL;
}

/* Nobody knows when a probe is back: who waits for it looks again and again, but does not spin. */
ROUTE_TEST(a_probe_that_is_out_is_waited_for_in_peace)
{
    const struct breaker_rules rules = {1, SECOND};
    struct route_kit kit;
    struct scope limit;
    struct err err = {0};
    mono_ns until;
    uint32_t turn = 0;

    kit_open(&kit, 1);
    kit.may_ask = count_looks;
    struct deployment *d = kit.models[0].deployment;
    EXPECT(deployment_admit(d, 0, fiber_now(), &until, &turn) == ADMITTED);
    deployment_done(d, turn, FARED_ILL, &rules, fiber_now());
    EXPECT(fiber_sleep(SECOND, &err));
    EXPECT(deployment_admit(d, 0, fiber_now(), &until, &turn) == ADMITTED, "the probe");
    scope_open(&limit, fiber_now() + 5 * SECOND);
    EXPECT(!kit_ask(&kit, false) && kit.err.code == ERR_TIMEOUT, "%s", kit.err.text);
    scope_close(&limit);
    EXPECT(kit.asked_for >= 10 && kit.asked_for <= 200, "%" PRId64 " looks", kit.asked_for);
    deployment_done(d, turn, FARED_WELL, &rules, fiber_now());
    kit_close(&kit);
}

/* One that rests, or is full, keeps nobody else from being asked again. */
ROUTE_TEST(who_failed_is_asked_again_beside_one_that_cannot_be)
{
    for (int full = 0; full < 2; full++) {
        struct route_kit kit;
        mono_ns until;
        uint32_t turn = 0;

        kit_open(&kit, 2);
        kit.fakes[0].moves = kit_reply(kit.arena, 503, "", ERROR_BODY("oops"));
        kit.models[1].in_flight_max = full;
        if (full)
            EXPECT(deployment_admit(kit.models[1].deployment, 0, fiber_now(), &until, &turn) ==
                   ADMITTED);
        else
            deployment_park(kit.models[1].deployment, fiber_now() + 60 * SECOND);
        EXPECT(!kit_ask(&kit, false) && kit.plan.why.status == 503, "%s", kit.err.text);
        EXPECT(kit.fakes[0].requests == 3 && kit.fakes[1].requests == 0, "%d times",
               kit.fakes[0].requests);
        if (full)
            deployment_done(kit.models[1].deployment, turn, FARED_NEITHER,
                            &(struct breaker_rules){0}, fiber_now());
        kit_close(&kit);
    }
}

ROUTE_TEST(one_that_is_full_is_passed_by)
{
    struct route_kit kit;
    mono_ns until;
    uint32_t turn = 0;

    kit_open(&kit, 2);
    kit.models[0].in_flight_max = kit.models[1].in_flight_max = 1;
    for (int i = 0; i < 2; i++)
        kit.fakes[i].moves = kit_reply(kit.arena, 200, "", kit_answer);
    EXPECT(deployment_admit(kit.models[0].deployment, 1, fiber_now(), &until, &turn) == ADMITTED);
    EXPECT(kit_ask(&kit, false) && kit.fakes[0].requests == 0 && kit.fakes[1].requests == 1);
    EXPECT(deployment_admit(kit.models[1].deployment, 1, fiber_now(), &until, &turn) == ADMITTED);
    EXPECT(!kit_ask(&kit, false) && kit.err.code == ERR_EXHAUSTED, "%s", kit.err.text);
    EXPECT(kit.plan.retry_after == SECOND, "who is refused is told when to ask again");
    for (int i = 0; i < 2; i++)
        deployment_done(kit.models[i].deployment, turn, FARED_NEITHER, &(struct breaker_rules){0},
                        fiber_now());
    kit_close(&kit);
}

ROUTE_TEST(weights_are_shares)
{
    struct route_kit kit;

    kit_open(&kit, 2);
    kit_one_group(&kit);
    kit.candidates[0].weight = 3;
    for (int i = 0; i < 2; i++) {
        kit.fakes[i].moves = kit_reply(kit.arena, 200, "", kit_answer);
        kit.models[i].deployment = NULL; /* nobody counts: weights alone */
    }
    for (uint64_t i = 1; i <= 400; i++) {
        kit.request_id = i;
        EXPECT(kit_ask(&kit, false), "%s", kit.err.text);
    }
    EXPECT(kit.fakes[0].requests > 260 && kit.fakes[0].requests < 340, "%d of 400",
           kit.fakes[0].requests);
    kit_close(&kit);
}

/* Drawn by SplitMix64 from the request's id: the same ids give the same draws on every machine. */
static const struct {
    uint32_t weights[KIT_MODELS];
    int asked[KIT_MODELS]; /* of ids 1 to 80 */
} weight_cases[] = {
    {{1, 1, 1}, {20, 29, 31}},
    {{1, 2, 5}, {8, 15, 57}},
    {{1000, 1, 1}, {80, 0, 0}},
    {{1, 0, 1}, {32, 0, 48}},
};

ROUTE_TEST(weights_draw_the_same_from_the_same_seeds)
{
    for (size_t c = 0; c < ARRAY_LEN(weight_cases); c++) {
        struct route_kit kit;

        kit_open(&kit, 3);
        kit_one_group(&kit);
        for (int i = 0; i < 3; i++) {
            kit.candidates[i].weight = weight_cases[c].weights[i];
            kit.fakes[i].moves = kit_reply(kit.arena, 200, "", kit_answer);
            kit.models[i].deployment = NULL;
        }
        for (uint64_t i = 1; i <= 80; i++) {
            kit.request_id = i;
            EXPECT(kit_ask(&kit, false), "%s", kit.err.text);
        }
        for (int i = 0; i < 3; i++)
            EXPECT(kit.fakes[i].requests == weight_cases[c].asked[i], "case %zu, %d: %d", c, i,
                   kit.fakes[i].requests);
        kit_close(&kit);
    }
}

/* ---- whom a key may not ask ---- */

static bool not_a(void *kit, const struct model *model)
{
    (void)kit;
    return !str_eq(model->name, STR("a"));
}

static bool nobody(void *kit, const struct model *model)
{
    (void)kit;
    (void)model;
    return false;
}

static size_t times(struct str text, const char *what)
{
    size_t n = 0, len = strlen(what);

    for (size_t at; (at = str_find(text, str_from(what))) < text.len; n++)
        text = str_slice(text, at + len, text.len);
    return n;
}

ROUTE_TEST(one_that_a_key_may_not_ask_is_passed_over_and_the_trace_says_so_once)
{
    struct route_kit kit;
    struct buf text;

    kit_open(&kit, 3);
    kit.trace = trace_new(kit.arena, 1);
    kit.may_ask = not_a;
    kit.models[1].zone = ZONE_PUBLIC;
    kit.zones = 1u << ZONE_UNSAID;
    kit.fakes[2].moves = kit_reply(kit.arena, 500, "", ERROR_BODY("oops"));
    EXPECT(!kit_ask(&kit, false), "c fails, and nobody else is asked instead");
    EXPECT(kit.fakes[0].requests == 0 && kit.fakes[1].requests == 0 && kit.fakes[2].requests == 3);
    buf_init(&text, kit.arena, 64 * KIB);
    trace_json(kit.trace, &text);
    EXPECT(times(buf_view(&text), "model=a why=model_not_allowed") == 1, STR_FMT,
           STR_ARG(buf_view(&text)));
    EXPECT(times(buf_view(&text), "model=b why=zone") == 1);
    EXPECT(times(buf_view(&text), "model=c why=") == 0);
    kit.may_ask = nobody;
    EXPECT(!kit_ask(&kit, false) && kit.err.code == ERR_DENIED, "%s", kit.err.text);
    EXPECT(strstr(kit.err.text, "may not ask any of the models") != NULL, "%s", kit.err.text);
    EXPECT(kit.fakes[2].requests == 3);
    kit_close(&kit);
}

ROUTE_TEST(what_was_spent_is_held_before_more_is)
{
    struct route_kit kit;

    kit_open(&kit, 2);
    kit.policy.first_token_timeout = SECOND;
    kit.money = 0;
    kit.fakes[0].moves = (const struct fake_move[]){HANG, END};
    kit.fakes[1].moves = (const struct fake_move[]){STREAMED(TEXT("Four") STOP DONE)};
    EXPECT(!kit_ask(&kit, true) && kit.err.code == ERR_TIMEOUT, "%s", kit.err.text);
    EXPECT(kit.fakes[1].requests == 0, "no money for another");
    EXPECT(kit.log.cost_apart > 0, "the prompt of the one that was late");
    kit.money = INT64_MAX;
    EXPECT(kit_ask(&kit, true) && kit.fakes[1].requests == 1, "%s", kit.err.text);
    EXPECT(kit.asked_for == kit.log.cost_apart);
    kit_close(&kit);
}
