#include "route_kit.h"

#include <string.h>

#include "sys/loop.h"
#include "sys/sim.h"
#include "test.h"

#define QUESTION                                                                          \
    "{\"model\":\"r\",\"max_tokens\":900,%s\"messages\":[{\"role\":\"user\",\"content\":" \
    "\"hi there\"}]}"

#define COMPLETION "{\"model\":\"r\",\"max_tokens\":900,%s\"prompt\":%s}"
#define TEXTS      "{\"model\":\"a\",%s\"input\":%s}"

const char kit_answer[] =
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"Four\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,"
    "\"completion_tokens\":5}}";

void kit_run(fiber_fn *first, void *arg)
{
    struct sim_options options = {.seed = 1};
    struct sim_report report = {0};
    struct err err = {0};

    sim_begin(&options);
    struct loop *loop = loop_new(NULL, &err);
    REQUIRE(loop, "%s", err.text);
    loop_run(loop, first, arg);
    loop_free(&loop);
    sim_end(&report);
    EXPECT(!report.socks && !report.listeners && !report.jobs, "%u sockets, %u listeners",
           report.socks, report.listeners);
    EXPECT(!report.stood_still && !report.endless, "%s", report.parked_text);
}

SUSPENDS void kit_open(struct route_kit *kit, int count)
{
    static const char *const names[KIT_MODELS] = {"a", "b", "c"};
    struct err err = {0};

    *kit = (struct route_kit){.arena = arena_new(256 * MIB),
                              .client = &dialect_openai,
                              .money = INT64_MAX,
                              .zones = UINT32_MAX,
                              .request_id = 0x7f3a,
                              .group_count = (size_t)count};
    EXPECT(deployments_new(&kit->healths, &err), "%s", err.text);
    kit->policy = (struct route_policy){.attempts_max = 3,
                                        .backoff = 10 * MILLISECOND,
                                        .backoff_max = SECOND,
                                        .retry_after_max = 10 * SECOND,
                                        .retry_empty = true};
    for (int i = 0; i < count; i++) {
        fake_start(&kit->fakes[i], kit->arena);
        kit->providers[i] = fake_settings(&kit->fakes[i], kit->arena);
        kit->providers[i].name = str_from(names[i]);
        kit->providers[i].dialect = &dialect_openai;
        kit->models[i] =
            (struct model){.name = str_from(names[i]),
                           .provider = &kit->providers[i],
                           .remote_name = str_from(names[i]),
                           .prices = {.plain = PRICES(1000000, 2000000)},
                           .output_tokens_max = 100,
                           .deployment = deployment_of(kit->healths, str_from(names[i]))};
        kit->candidates[i] = (struct route_candidate){&kit->models[i], 1};
        kit->groups[i] = (struct route_group){&kit->candidates[i], 1};
    }
}

SUSPENDS void kit_close(struct route_kit *kit)
{
    answer_end(&kit->answer);
    http_client_drop_idle();
    for (int i = KIT_MODELS - 1; i >= 0; i--) /* scopes end in the order of their nesting */
        if (kit->fakes[i].listener)
            fake_stop(&kit->fakes[i]);
    for (int i = 0; i < KIT_MODELS; i++)
        EXPECT(deployment_look(kit->models[i].deployment, fiber_now()).in_flight == 0,
               "%d: a request is in flight still", i);
    deployments_free(&kit->healths);
    arena_end(&kit->arena);
}

void kit_one_group(struct route_kit *kit)
{
    kit->groups[0].count = kit->group_count;
    kit->group_count = 1;
}

static bool afford(void *ctx, usd_micro more)
{
    struct route_kit *kit = ctx;

    if (kit->money != INT64_MAX && kit->money - kit->asked_for < more)
        return false;
    kit->asked_for += more;
    return true;
}

static void give_back(void *ctx, usd_micro less)
{
    ((struct route_kit *)ctx)->asked_for -= less;
}

static bool read_question(struct route_kit *kit, bool stream)
{
    const char *streams = stream ? "\"stream\":true," : "";
    struct str body = !kit->prompts ? arena_fmt(kit->arena, QUESTION, streams)
                      : kit->client == &dialect_embeddings
                          ? arena_fmt(kit->arena, TEXTS, streams, kit->prompts)
                          : arena_fmt(kit->arena, COMPLETION, streams, kit->prompts);

    kit->question = kit->how;
    kit->question.client = kit->client;
    kit->question.request_id = kit->request_id;
    if (kit->client == &dialect_openai) {
        kit->question.chat = &kit->chat;
        if (!chat_read_request(kit->arena, body, &kit->chat, &kit->err))
            return false;
        kit->question.json = kit->chat.json;
        return true;
    }
    struct json *json = json_parse(kit->arena, body, &kit->err);

    kit->question.json = json;
    if (!json || !question_conversation(kit->arena, &kit->question, &kit->err))
        return false;
    chat_from_conversation(kit->question.conversation, json, body, &kit->chat);
    return true;
}

static SUSPENDS bool hear_all(struct route_kit *kit)
{
    struct str bytes;

    while (!kit->whole) {
        if (!kit->answer->next(kit->answer, &bytes, &kit->whole, &kit->err))
            return false;
        buf_str(&kit->heard, bytes);
    }
    return true;
}

SUSPENDS bool kit_ask(struct route_kit *kit, bool stream)
{
    mono_ns begun = fiber_now();
    bool ok;

    answer_end(&kit->answer);
    kit->err = (struct err){0};
    kit->whole = false;
    kit->log = (struct attempts){0};
    buf_init(&kit->heard, kit->arena, MIB);
    if (!read_question(kit, stream)) {
        EXPECT(false, "%s", kit->err.text);
        return false;
    }
    kit->plan = (struct attempt_plan){.arena = kit->arena,
                                      .groups = kit->groups,
                                      .group_count = kit->group_count,
                                      .policy = &kit->policy,
                                      .label = STR("r"),
                                      .tokens_in = 10,
                                      .tokens_out = 10,
                                      .zones = kit->zones,
                                      .may_ask = kit->may_ask,
                                      .trace = kit->trace,
                                      .chat = &kit->chat,
                                      .question = &kit->question,
                                      .request_id = kit->request_id,
                                      .afford = afford,
                                      .give_back = give_back,
                                      .ctx = kit,
                                      .held = 1000,
                                      .log = &kit->log};
    ok = attempt_all(&kit->plan, &kit->answer, &kit->by, &kit->err) && hear_all(kit);
    kit->took = fiber_now() - begun;
    return ok;
}

bool kit_has(const struct route_kit *kit, const char *what)
{
    struct str heard = buf_view(&kit->heard);

    return str_find(heard, str_from(what)) < heard.len;
}

int kit_count(const struct route_kit *kit, const char *what)
{
    struct str rest = buf_view(&kit->heard);
    int count = 0;

    for (size_t at; (at = str_find(rest, str_from(what))) < rest.len; count++)
        rest = str_slice(rest, at + strlen(what), rest.len);
    return count;
}

struct str kit_text(const struct route_kit *kit)
{
    struct str rest = buf_view(&kit->heard);
    struct buf text;

    buf_init(&text, kit->arena, MIB);
    for (size_t at; (at = str_find(rest, STR("\"content\":\""))) < rest.len;) {
        rest = str_slice(rest, at + 11, rest.len);
        buf_str(&text, str_slice(rest, 0, str_find_char(rest, '"')));
    }
    return buf_view(&text);
}

enum attempt_end kit_end(const struct route_kit *kit, uint32_t attempt)
{
    return attempt < kit->log.count ? kit->log.at[attempt].end : ATTEMPT_LEFT;
}

const struct fake_move *kit_reply(struct arena *arena, int status, const char *head,
                                  const char *body)
{
    struct fake_move *moves = arena_array(arena, 2, sizeof *moves);

    moves[0] = (struct fake_move){
        FAKE_WRITE,
        arena_fmt(arena,
                  "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n%sContent-Length: "
                  "%zu\r\n\r\n%s",
                  status, head, strlen(body), body)
            .ptr,
        0};
    moves[1] = (struct fake_move){FAKE_END, NULL, 0};
    return moves;
}
