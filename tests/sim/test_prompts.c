/* Several prompts of one completion, asked one by one of who takes one at a time: how many at once, in which order
 * they are told, what becomes of the others when one fails. */
#include "route_kit.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

#define PROMPTS 10
#define TEN     "[\"p0\",\"p1\",\"p2\",\"p3\",\"p4\",\"p5\",\"p6\",\"p7\",\"p8\",\"p9\"]"

/* What the key has room for, and what was taken of it. */
struct room {
    int left, taken, most;
};

static bool widen(void *ctx)
{
    struct room *room = ctx;

    if (!room->left)
        return false;
    room->left--;
    room->taken++;
    room->most = MAX_OF(room->most, room->taken);
    return true;
}

static void narrow(void *ctx)
{
    struct room *room = ctx;

    EXPECT(room->taken > 0);
    room->left++;
    room->taken--;
}

static SUSPENDS void open_prompts(struct route_kit *kit, int count, const char *prompts,
                                  uint32_t at_once, struct room *room)
{
    kit_open(kit, count);
    kit->client = &dialect_completions;
    kit->prompts = prompts;
    kit->how = (struct model_question){
        .prompts_at_once = at_once, .widen = widen, .narrow = narrow, .room = room};
}

/* Says after `ms` which prompt it was asked: "p3" -> "<3>". */
static const struct fake_move *says_which(struct fake_provider *fake, int ms, bool streams)
{
    struct fake_move *moves = arena_array(fake->arena, 4, sizeof *moves);
    size_t at = str_find(fake->body, STR("\"content\":\"p"));
    char digit = fake->body.ptr[at + 12];
    struct str body = arena_fmt(
        fake->arena,
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"<%c>\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,"
        "\"completion_tokens\":5}}",
        digit);
    struct str events = arena_fmt(
        fake->arena, FAKE_STREAM_HEAD_TO_CLOSE TEXT("<%c") TEXT(">") STOP USAGE DONE, digit);

    moves[0] = (struct fake_move){FAKE_WAIT, "", ms};
    moves[1] = streams ? (struct fake_move){FAKE_WRITE, events.ptr, 0}
                       : *kit_reply(fake->arena, 200, "", body.ptr);
    moves[2] = (struct fake_move){streams ? FAKE_CLOSE : FAKE_END, "", 0};
    return moves;
}

static const struct fake_move *after_a_second(struct fake_provider *fake)
{
    return says_which(fake, 1000, false);
}

/* The first are the slowest. */
static const struct fake_move *out_of_order(struct fake_provider *fake)
{
    size_t at = str_find(fake->body, STR("\"content\":\"p"));

    return says_which(fake, 1000 * ('9' - fake->body.ptr[at + 12]), false);
}

static const struct fake_move *streams(struct fake_provider *fake)
{
    return says_which(fake, 1000, true);
}

static void expect_all_in_order(const struct route_kit *kit)
{
    size_t before = 0;

    for (int i = 0; i < PROMPTS; i++) {
        char want[64];
        struct str heard = buf_view(&kit->heard);

        snprintf(want, sizeof want, "{\"text\":\"<%d>\",\"index\":%d,", i, i);
        size_t at = str_find(heard, str_from(want));
        EXPECT(at < heard.len && at >= before, "prompt %d: " STR_FMT, i, STR_ARG(heard));
        before = at;
    }
    EXPECT(kit_has(kit, "\"prompt_tokens\":100,\"completion_tokens\":50"));
}

static const struct {
    const char *name;
    uint32_t at_once;
    int room;          /* of the key, beside the first */
    int64_t in_flight; /* of the deployment */
    int seconds;
} bound_cases[] = {
    {"one after the other", 1, 9, 0, 10},
    {"four at once", 4, 9, 0, 3},
    {"all at once", 64, 9, 0, 1},
    {"as many as the key has room for", 4, 1, 0, 5},
    {"the key has room for one", 4, 0, 0, 10},
    {"as many as the deployment takes", 4, 9, 2, 5},
};

ROUTE_TEST(prompts_are_asked_at_once_as_far_as_limits_leave_room)
{
    for (size_t i = 0; i < ARRAY_LEN(bound_cases); i++) {
        struct room room = {.left = bound_cases[i].room};
        struct route_kit kit;

        open_prompts(&kit, 1, TEN, bound_cases[i].at_once, &room);
        kit.models[0].in_flight_max = bound_cases[i].in_flight;
        kit.fakes[0].decide = after_a_second;
        EXPECT(kit_ask(&kit, false), "%s: %s", bound_cases[i].name, kit.err.text);
        EXPECT(kit.took / SECOND == bound_cases[i].seconds, "%s: %" PRId64, bound_cases[i].name,
               kit.took);
        EXPECT(kit.fakes[0].requests == PROMPTS && kit.log.count == 1);
        EXPECT(room.taken == 0 && room.left == bound_cases[i].room, "%s", bound_cases[i].name);
        expect_all_in_order(&kit);
        kit_close(&kit);
    }
}

ROUTE_TEST(prompts_are_told_in_their_order_however_they_come)
{
    struct room room = {.left = 9};
    struct route_kit kit;

    open_prompts(&kit, 1, TEN, 10, &room);
    kit.fakes[0].decide = out_of_order;
    EXPECT(kit_ask(&kit, false) && kit.took / SECOND == 9, "%s", kit.err.text);
    expect_all_in_order(&kit);
    kit_close(&kit);
}

/* A vector that says which text it is of; the first are the slowest. */
static const struct fake_move *vector_out_of_order(struct fake_provider *fake)
{
    size_t at = str_find(fake->body, STR("{\"inputText\":\"p"));
    char digit = fake->body.ptr[at + 15];
    struct fake_move *moves = arena_array(fake->arena, 3, sizeof *moves);
    struct str body =
        arena_fmt(fake->arena, "{\"embedding\":[%c.5,1],\"inputTextTokenCount\":10}", digit);

    moves[0] = (struct fake_move)WAIT(1000 * ('9' - digit));
    moves[1] = *kit_reply(fake->arena, 200, "", body.ptr);
    moves[2] = (struct fake_move)END;
    return moves;
}

ROUTE_TEST(vectors_stand_in_the_order_of_their_texts)
{
    struct room room = {.left = 9};
    struct route_kit kit;
    size_t before = 0;

    open_prompts(&kit, 1, TEN, 10, &room);
    kit.client = &dialect_embeddings;
    kit.providers[0].dialect = &dialect_bedrock;
    kit.models[0].remote_name = STR("amazon.titan-embed-text-v2:0");
    kit.fakes[0].decide = vector_out_of_order;
    EXPECT(kit_ask(&kit, false) && kit.took / SECOND == 9, "%s", kit.err.text);
    for (int i = 0; i < PROMPTS; i++) {
        char want[64];
        struct str heard = buf_view(&kit.heard);

        snprintf(want, sizeof want, "\"index\":%d,\"embedding\":[%d.5,1]}", i, i);
        size_t at = str_find(heard, str_from(want));
        EXPECT(at < heard.len && at >= before, "text %d: " STR_FMT, i, STR_ARG(heard));
        before = at;
    }
    EXPECT(kit_has(&kit, "\"prompt_tokens\":100,"));
    EXPECT(kit.fakes[0].requests == PROMPTS && room.left == 9);
    kit_close(&kit);
}

ROUTE_TEST(prompts_stream_side_by_side)
{
    struct room room = {.left = 9};
    struct route_kit kit;

    open_prompts(&kit, 1, TEN, 5, &room);
    kit.fakes[0].decide = streams;
    EXPECT(kit_ask(&kit, true) && kit.took / SECOND == 2, "%s", kit.err.text);
    for (int i = 0; i < PROMPTS; i++) {
        char begins[64], ends[64];

        snprintf(begins, sizeof begins, "{\"text\":\"<%d\",\"index\":%d,", i, i);
        snprintf(ends, sizeof ends, "{\"text\":\">\",\"index\":%d,", i);
        EXPECT(kit_count(&kit, begins) == 1 && kit_count(&kit, ends) == 1, "prompt %d", i);
    }
    EXPECT(kit_count(&kit, "\"finish_reason\":\"stop\"") == PROMPTS && kit_has(&kit, "[DONE]"));
    EXPECT(kit.answer->meter.usage.tokens_in == 100 && kit.answer->meter.usage.tokens_out == 50);
    kit_close(&kit);
}

static const struct fake_move refusal[] = {
    WAIT(500),
    WRITE("HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: "
          "35\r\n\r\n{\"error\":{\"message\":\"it is broken\"}}"),
    END};

/* The fourth that comes. */
static const struct fake_move *fourth_fails(struct fake_provider *fake)
{
    return fake->requests == 4 ? refusal : after_a_second(fake);
}

ROUTE_TEST(when_one_prompt_fails_another_deployment_answers_all)
{
    struct room room = {.left = 9};
    struct route_kit kit;

    open_prompts(&kit, 2, TEN, 3, &room);
    kit.fakes[0].decide = fourth_fails;
    kit.fakes[1].decide = after_a_second;
    EXPECT(kit_ask(&kit, false) && kit.by == &kit.models[1], "%s", kit.err.text);
    expect_all_in_order(&kit);
    EXPECT(kit.log.count == 2 && kit_end(&kit, 0) == ATTEMPT_FAILED);
    /* Three were answered; two more had the question (two bytes: one token) when it was taken back. */
    EXPECT(kit.log.at[0].usage.tokens_in == 32 && kit.log.at[0].usage.tokens_out == 15,
           "%" PRId64 " and %" PRId64, kit.log.at[0].usage.tokens_in,
           kit.log.at[0].usage.tokens_out);
    EXPECT(kit.log.cost_apart == kit.log.at[0].cost && kit.log.cost_apart == 32 + 2 * 15);
    EXPECT(room.taken == 0);
    kit_close(&kit);
}

/* A stream that is cut anywhere: an error, never an end, and nobody goes on behind it. */
ROUTE_TEST(a_cut_anywhere_ends_all_prompts)
{
    static const char whole[] = FAKE_STREAM_HEAD_TO_CLOSE TEXT("One") TEXT("two") STOP USAGE;
    static char part[sizeof whole];
    static const struct fake_move cut[] = {WAIT(10), {FAKE_WRITE, part, 0}, CLOSE, END};

    for (size_t at = sizeof FAKE_STREAM_HEAD_TO_CLOSE; at < sizeof whole - sizeof(STOP USAGE);
         at += 7) {
        struct room room = {.left = 9};
        struct route_kit kit;

        memcpy(part, whole, at);
        part[at] = 0;
        open_prompts(&kit, 1, "[\"a\",\"b\",\"c\",\"d\"]", 2, &room);
        kit.policy.attempts_max = 1;
        kit.fakes[0].moves = cut;
        EXPECT(!kit_ask(&kit, true) && !kit.whole && kit.err.code == ERR_UNAVAILABLE, "byte %zu",
               at);
        EXPECT(!kit_has(&kit, "[DONE]") && kit.fakes[0].requests <= 2);
        answer_end(&kit.answer);
        EXPECT(room.taken == 0);
        kit_close(&kit);
    }
}

ROUTE_TEST(who_leaves_leaves_every_prompt)
{
    for (int ms = 500; ms < 4000; ms += 500)
        for (int stream = 0; stream < 2; stream++) {
            struct room room = {.left = 9};
            struct route_kit kit;
            struct scope limit;

            open_prompts(&kit, 1, TEN, 2, &room);
            kit.fakes[0].decide = stream ? streams : after_a_second;
            scope_open(&limit, fiber_now() + ms * MILLISECOND);
            EXPECT(!kit_ask(&kit, stream) && kit.err.code == ERR_TIMEOUT, "%d: %s", ms,
                   kit.err.text);
            scope_close(&limit);
            answer_end(&kit.answer);
            EXPECT(room.taken == 0 && kit.fakes[0].requests <= 2 * (ms / 1000 + 1), "%d", ms);
            kit_close(&kit);
        }
}

ROUTE_TEST(prompts_of_tokens_are_refused_by_name)
{
    struct room room = {.left = 9};
    struct route_kit kit;

    open_prompts(&kit, 1, "[[1,2],[3]]", 2, &room);
    EXPECT(!kit_ask(&kit, false) && kit.err.code == ERR_INVALID);
    EXPECT(str_starts(str_from(kit.err.text), STR("prompt.0: ")), "%s", kit.err.text);
    EXPECT(kit.fakes[0].requests == 0);
    kit_close(&kit);
}
