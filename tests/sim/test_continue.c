/* A stream that is cut at every byte, and another that goes on: what the client hears is the text, once. */
#include <stdio.h>
#include <string.h>

#include "route_kit.h"
#include "test.h"

#define ALL      "Alpha, beta; gamma and delta, then epsilon."
#define REPEATED 12 /* bytes of what was said that a speaker repeats */
#define THINK(t) DELTA("\"reasoning_content\":\"" t "\"", "null")
#define CALL(i, id, name)                                                                       \
    DELTA("\"tool_calls\":[{\"index\":" i ",\"id\":\"" id                                       \
          "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}]", \
          "null")
#define ARGUMENTS(i, text) \
    DELTA("\"tool_calls\":[{\"index\":" i ",\"function\":{\"arguments\":\"" text "\"}}]", "null")
#define CALLED DELTA("", "\"tool_calls\"")

static const char texts[] =
    TEXT("Alpha, ") TEXT("beta; gam") TEXT("ma and delta,") TEXT(" then epsilon.") STOP USAGE DONE;
static const char thoughts[] = THINK("Well") THINK(", so.") TEXT("Alpha, beta; gam")
    TEXT("ma and delta, then epsilon.") STOP USAGE DONE;
static const char one_call[] = TEXT("Alpha, beta; gam") TEXT("ma and delta, then epsilon.")
    CALL("0", "a0", "first") ARGUMENTS("0", "{\\\"x\\\":") ARGUMENTS("0", "1}") CALLED USAGE DONE;
static const char two_calls[] = TEXT("Alpha, beta; gamma and delta, then epsilon.")
    CALL("0", "a0", "first") ARGUMENTS("0", "{\\\"x\\\":") ARGUMENTS("0", "1}")
        CALL("1", "a1", "second") ARGUMENTS("1", "{\\\"y\\\":2}") CALLED USAGE DONE;

/* ---- the one who goes on: from where it was told ---- */

enum manner { PREFILLED, REPEATS, REPEATS_ALL, STARTS_CLEAN, MANNERS };

struct second {
    enum manner manner;
    const char *head; /* in front of the text; NULL: nothing */
    const char *tail; /* behind it */
    size_t told;      /* bytes that it was shown */
};

/* How much of the text stands in the question as the assistant's turn. */
static size_t told(struct str body)
{
    char want[128];

    for (size_t k = sizeof ALL - 1; k > 0; k--) {
        snprintf(want, sizeof want, "\"role\":\"assistant\",\"content\":\"%.*s\"", (int)k, ALL);
        if (str_find(body, str_from(want)) < body.len)
            return k;
    }
    return 0;
}

static const struct fake_move *go_on(struct fake_provider *fake)
{
    struct second *s = fake->ctx;
    struct fake_move *moves = arena_array(fake->arena, 3, sizeof *moves);
    size_t k = s->told = told(fake->body), from = k, half;

    if (s->manner == REPEATS)
        from = k > REPEATED ? k - REPEATED : 0;
    if (s->manner == REPEATS_ALL)
        from = 0;
    half = from + (sizeof ALL - 1 - from) / 2;
    struct str head =
        arena_fmt(fake->arena, FAKE_STREAM_HEAD_TO_CLOSE "%s" TEXT("%.*s") TEXT("%s") "%s",
                  s->head ? s->head : "", (int)(half - from), &ALL[from], &ALL[half], s->tail);
    moves[0] = (struct fake_move){FAKE_WRITE, head.ptr, 0};
    moves[1] = (struct fake_move){FAKE_CLOSE, NULL, 0};
    moves[2] = (struct fake_move){FAKE_END, NULL, 0};
    return moves;
}

/* ---- the one that breaks off ---- */

struct cut {
    const char *stream, *tail;
    const struct dialect *client;
    enum manner manner;
    bool slowly; /* the cut comes a while after the bytes */
    size_t at;
};

static SUSPENDS bool ask_cut(struct route_kit *kit, const struct cut *cut, size_t at,
                             struct second *second)
{
    struct str part = str_slice(str_from(cut->stream), 0, at);
    struct str kept = arena_str(kit->arena, part);
    const struct fake_move moves[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE), WRITE(kept.ptr),
                                      WAIT(cut->slowly ? 50 : 0), CLOSE, END};

    *second = (struct second){.manner = cut->manner, .tail = cut->tail};
    kit->client = cut->client;
    kit->policy.on_cut = CUT_CONTINUE;
    kit->fakes[0].moves = moves;
    kit->fakes[1].decide = go_on;
    kit->fakes[1].ctx = second;
    if (cut->manner == PREFILLED)
        kit->models[1].abilities = UINT32_MAX;
    return kit_ask(kit, true);
}

static void check_usage(const struct route_kit *kit, const struct second *second, size_t at)
{
    const struct usage *usage = &kit->answer->meter.usage;

    if (kit->fakes[1].requests == 0 || second->told == 0)
        return;
    EXPECT(usage->tokens_out >= 5 && usage->tokens_in >= 10, "cut at %zu: %" PRId64 " of both", at,
           usage->tokens_out);
    EXPECT(kit->log.carried.tokens_out > 0 && kit->log.cost_apart > 0, "cut at %zu", at);
    EXPECT(usage->tokens_out == kit->log.carried.tokens_out + 5, "cut at %zu: a sum", at);
    EXPECT(usage->tokens_in == kit->log.carried.tokens_in + 10, "cut at %zu: a sum", at);
}

static void check_marks(const struct route_kit *kit, const struct second *second, size_t at)
{
    bool went_on = kit_end(kit, 0) == ATTEMPT_CUT;

    EXPECT(kit_has(kit, "\"continued_by\":\"b\"") == went_on, "cut at %zu", at);
    if (kit->fakes[1].requests) {
        EXPECT(attempts_speaker(&kit->log, NULL) == &kit->models[1], "cut at %zu: the speaker", at);
        EXPECT(kit->log.at[0].model == &kit->models[0], "cut at %zu: who was first", at);
        EXPECT(kit->log.count == 2, "cut at %zu: %u", at, kit->log.count);
    }
    EXPECT(went_on || !second->told, "cut at %zu", at);
    EXPECT(!went_on || kit_end(kit, 1) == ATTEMPT_ANSWERED, "cut at %zu: %s", at,
           attempt_end_name(kit_end(kit, 1)));
}

/* Calls are heard whole: those of one speaker, never a piece of another's. */
static void check_calls(const struct route_kit *kit, const struct cut *cut, size_t at)
{
    bool calls = strstr(cut->tail, "tool_calls\":[") != NULL;
    bool two = strstr(cut->tail, "second") != NULL;

    if (cut->client != &dialect_openai)
        return;
    EXPECT(kit_count(kit, "\"name\":\"first\"") == calls, "cut at %zu: %d first calls", at,
           kit_count(kit, "\"name\":\"first\""));
    EXPECT(kit_count(kit, "\"name\":\"second\"") == two, "cut at %zu: %d second calls", at,
           kit_count(kit, "\"name\":\"second\""));
    EXPECT(kit_count(kit, "1}\"") == calls && kit_count(kit, "\\\"y\\\":2}\"") == two,
           "cut at %zu: arguments", at);
    EXPECT(!(kit_has(kit, "\"a0\"") && kit_has(kit, "\"b0\"")), "cut at %zu: calls of both", at);
}

static struct str text_of(const struct route_kit *kit, const struct cut *cut)
{
    struct str rest = buf_view(&kit->heard);
    struct buf text;

    if (cut->client == &dialect_openai)
        return kit_text(kit);
    buf_init(&text, kit->arena, MIB);
    for (size_t at; (at = str_find(rest, STR("\"text_delta\",\"text\":\""))) < rest.len;) {
        rest = str_slice(rest, at + 21, rest.len);
        buf_str(&text, str_slice(rest, 0, str_find_char(rest, '"')));
    }
    return buf_view(&text);
}

static SUSPENDS void check_cut(void *arg)
{
    const struct cut *cut = arg;
    size_t at = cut->at;
    struct route_kit kit;
    struct second second;

    kit_open(&kit, 2);
    bool ok = ask_cut(&kit, cut, at, &second);
    struct str text = text_of(&kit, cut);

    EXPECT(ok && kit.whole, "cut at %zu: %s", at, kit.err.text);
    EXPECT(str_eq(text, STR(ALL)), "cut at %zu, manner %d: \"" STR_FMT "\"", at, (int)cut->manner,
           STR_ARG(text));
    EXPECT(kit.fakes[1].requests <= 1 && kit.fakes[0].requests == 1, "cut at %zu", at);
    if (cut->client == &dialect_openai)
        EXPECT(kit_count(&kit, "[DONE]") == 1 && kit_count(&kit, "\"finish_reason\":\"") == 1,
               "cut at %zu: one end", at);
    if (ok) {
        check_usage(&kit, &second, at);
        check_marks(&kit, &second, at);
        check_calls(&kit, cut, at);
    }
    kit_close(&kit);
}

static void cut_everywhere(const char *stream, const char *tail, const struct dialect *client)
{
    size_t step = client == &dialect_openai ? 1 : 7;

    for (int manner = 0; manner < MANNERS; manner++)
        for (size_t at = 0; at <= strlen(stream) && !test_is_failing(); at += step) {
            struct cut cut = {stream, tail, client, (enum manner)manner, at % 2 == 0, at};

            kit_run(check_cut, &cut);
        }
}

TEST(text_cut_at_every_byte_is_heard_once)
{
    cut_everywhere(texts, STOP USAGE DONE, &dialect_openai);
}

TEST(text_cut_anywhere_is_heard_once_by_a_client_of_another_dialect)
{
    cut_everywhere(texts, STOP USAGE DONE, &dialect_anthropic);
}

TEST(text_behind_reasoning_is_heard_once)
{
    cut_everywhere(thoughts, STOP USAGE DONE, &dialect_openai);
}

TEST(a_call_is_heard_whole_or_not_at_all)
{
    static const char tail[] =
        CALL("0", "b0", "first") ARGUMENTS("0", "{\\\"x\\\":1}") CALLED USAGE DONE;

    cut_everywhere(one_call, tail, &dialect_openai);
}

TEST(parallel_calls_are_heard_whole_or_not_at_all)
{
    static const char tail[] = CALL("0", "b0", "first") ARGUMENTS("0", "{\\\"x\\\":1}")
        CALL("1", "b1", "second") ARGUMENTS("1", "{\\\"y\\\":2}") CALLED USAGE DONE;

    cut_everywhere(two_calls, tail, &dialect_openai);
}

/* ---- when nobody goes on ---- */

static const struct fake_move *refuse(struct fake_provider *fake)
{
    return kit_reply(fake->arena, *(int *)fake->ctx, "Retry-After: 40\r\n",
                     "{\"error\":{\"message\":\"no\"}}");
}

ROUTE_TEST(when_nobody_goes_on_it_is_an_error)
{
    static int statuses[] = {400, 401, 403, 429, 500, 503};

    for (size_t i = 0; i < ARRAY_LEN(statuses) * 2; i++) {
        int status = statuses[i / 2];
        const struct fake_move moves[] = {
            WRITE(FAKE_STREAM_HEAD_TO_CLOSE TEXT("Alpha, ") TEXT("beta;")), WAIT(i % 2 ? 50 : 0),
            CLOSE, END};
        struct route_kit kit;

        kit_open(&kit, 2);
        kit.policy.on_cut = CUT_CONTINUE;
        kit.policy.attempts_max = 2;
        kit.fakes[0].moves = moves;
        kit.fakes[1].decide = refuse;
        kit.fakes[1].ctx = &statuses[i / 2];
        EXPECT(!kit_ask(&kit, true) && !kit.whole, "%d", status);
        EXPECT(kit.err.code == ERR_UNAVAILABLE && strstr(kit.err.text, "cut the stream"), "%d: %s",
               status, kit.err.text);
        EXPECT(str_eq(kit_text(&kit), STR("Alpha, beta;")), "%d: " STR_FMT, status,
               STR_ARG(kit_text(&kit)));
        EXPECT(!kit_has(&kit, "[DONE]") && kit.fakes[1].requests == 1, "%d", status);
        struct deployment_state b = deployment_look(kit.models[1].deployment, fiber_now());
        EXPECT((b.parked > 30 * SECOND) == (status != 401), "%d: %" PRId64, status, b.parked);
        EXPECT((b.failed > 0) == (status != 429 && status != 400), "%d", status);
        kit_close(&kit);
    }
}

/* One that says nothing when it is asked to go on is not waited for longer than for a first token. */
ROUTE_TEST(going_on_has_a_first_token_s_time_too)
{
    const struct fake_move cut[] = {STREAMED(TEXT("Alpha, beta;"))};
    const struct fake_move silent[] = {HANG, END};
    const struct fake_move dumb[] = {WRITE(FAKE_STREAM_HEAD_TO_CLOSE), HANG, END};

    for (int i = 0; i < 2; i++) {
        struct second third = {.manner = REPEATS, .tail = STOP USAGE DONE};
        struct route_kit kit;

        kit_open(&kit, 3);
        kit.policy.on_cut = CUT_CONTINUE;
        kit.policy.first_token_timeout = SECOND;
        kit.fakes[0].moves = cut;
        kit.fakes[1].moves = i ? dumb : silent;
        kit.fakes[2].decide = go_on;
        kit.fakes[2].ctx = &third;
        EXPECT(kit_ask(&kit, true), "%s", kit.err.text);
        EXPECT(kit.took < 2 * SECOND, "%" PRId64, kit.took);
        EXPECT(str_eq(kit_text(&kit), STR(ALL)), STR_FMT, STR_ARG(kit_text(&kit)));
        EXPECT(attempts_speaker(&kit.log, NULL) == &kit.models[2]);
        kit_close(&kit);
    }
}

/* What a speaker says in front of its first word does not hide that the word repeats. */
ROUTE_TEST(words_behind_what_is_no_text_are_compared_too)
{
#define HEAD(more)                                                                    \
    "data: {\"id\":\"c\"," more                                                       \
    ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}," \
    "\"finish_reason\":null}]}\n\n"
    static const char *const heads[] = {
        HEAD("\"system_fingerprint\":\"fp\""), HEAD("\"service_tier\":\"default\""),
        HEAD("\"system_fingerprint\":\"fp\",\"service_tier\":\"default\"") THINK("Well, so."),
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Alpha\"},"
        "\"logprobs\":{\"content\":[{\"token\":\"Alpha\",\"logprob\":-1,\"bytes\":null,"
        "\"top_logprobs\":[]}]},\"finish_reason\":null}]}\n\n" TEXT(", beta;")};
    const struct fake_move first[] = {STREAMED(TEXT("Alpha, beta;"))};

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        bool begins = strstr(heads[i], "beta") != NULL; /* the head holds the repetition itself */
        struct second second = {
            .manner = begins ? PREFILLED : REPEATS_ALL, .head = heads[i], .tail = STOP USAGE DONE};
        struct route_kit kit;

        kit_open(&kit, 2);
        kit.policy.on_cut = CUT_CONTINUE;
        kit.fakes[0].moves = first;
        kit.fakes[1].decide = go_on;
        kit.fakes[1].ctx = &second;
        EXPECT(kit_ask(&kit, true), "%zu: %s", i, kit.err.text);
        EXPECT(str_eq(kit_text(&kit), STR(ALL)), "%zu: " STR_FMT, i, STR_ARG(kit_text(&kit)));
        kit_close(&kit);
    }
}

/* Three speakers: the second is cut as well. */
ROUTE_TEST(two_cuts_are_gone_on_with)
{
    const struct fake_move first[] = {STREAMED(TEXT("Alpha, "))};
    const struct fake_move second[] = {STREAMED(TEXT("beta; gam") TEXT("ma"))};
    struct second third = {.manner = REPEATS, .tail = STOP USAGE DONE};
    struct route_kit kit;

    kit_open(&kit, 3);
    kit.policy.on_cut = CUT_CONTINUE;
    kit.fakes[0].moves = first;
    kit.fakes[1].moves = second;
    kit.fakes[2].decide = go_on;
    kit.fakes[2].ctx = &third;
    EXPECT(kit_ask(&kit, true), "%s", kit.err.text);
    EXPECT(str_eq(kit_text(&kit), STR(ALL)), STR_FMT, STR_ARG(kit_text(&kit)));
    EXPECT(kit_has(&kit, "\"continued\":2") && kit_has(&kit, "\"continued_by\":\"c\""));
    EXPECT(kit.log.count == 3 && kit_end(&kit, 1) == ATTEMPT_CUT);
    kit_close(&kit);
}
