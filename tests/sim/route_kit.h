/* tests/sim/route_kit.h: up to three deployments behind one route, each a provider of the test's own, asked on
 * the virtual clock: what providers do is written down as moves, what becomes of it is looked at afterwards. */
#ifndef WEIR_TESTS_SIM_ROUTE_KIT_H
#define WEIR_TESTS_SIM_ROUTE_KIT_H

#include "../unit/models/fake_provider.h"
#include "models/attempt.h"
#include "models/dialect.h"

#define KIT_MODELS 3

/* A world of its own, in which nothing may be left: kit_run() looks. */
#define ROUTE_TEST(name)                  \
    static void routed_##name(void *arg); \
    TEST(name)                            \
    {                                     \
        kit_run(routed_##name, NULL);     \
    }                                     \
    static void routed_##name(__attribute__((unused)) void *arg)

#define WRITE(text)         \
    {                       \
        FAKE_WRITE, text, 0 \
    }
#define WAIT(ms)          \
    {                     \
        FAKE_WAIT, "", ms \
    }
#define HANG             \
    {                    \
        FAKE_HANG, "", 0 \
    }
#define CLOSE             \
    {                     \
        FAKE_CLOSE, "", 0 \
    }
#define END             \
    {                   \
        FAKE_END, "", 0 \
    }

/* Pieces of a stream in the OpenAI dialect. */
#define DELTA(delta, finish)                                          \
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{" delta \
    "},\"finish_reason\":" finish "}]}\n\n"
#define TEXT(t) DELTA("\"content\":\"" t "\"", "null")
#define STOP    DELTA("", "\"stop\"")
#define USAGE \
    "data: "  \
    "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n"
#define DONE             "data: [DONE]\n\n"
#define ERROR            "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n"
#define STREAMED(events) WRITE(FAKE_STREAM_HEAD_TO_CLOSE events), CLOSE, END

struct route_kit {
    struct arena *arena;
    struct deployments *healths;
    struct fake_provider fakes[KIT_MODELS];
    struct provider providers[KIT_MODELS];
    struct model models[KIT_MODELS];
    struct route_candidate candidates[KIT_MODELS];
    struct route_group groups[KIT_MODELS];
    size_t group_count;
    struct route_policy policy;
    const struct dialect *client; /* of the question; OpenAI's unless the test says otherwise */
    const char *
        prompts; /* of a completion, texts to be embedded: raw JSON; NULL: the question is a conversation */
    struct model_question how; /* prompts_at_once, widen, narrow, room */
    usd_micro money;           /* that may be held beyond the first hold; INT64_MAX: any */
    usd_micro asked_for;       /* so much was, and was not given back */
    uint64_t request_id;
    struct trace *trace;                                   /* NULL: none */
    bool (*may_ask)(void *kit, const struct model *model); /* NULL: any */
    uint32_t zones;                                        /* of struct attempt_plan */
    /* of the newest question */
    struct chat_request chat;
    struct conversation conversation;
    struct model_question question;
    struct attempts log;
    struct attempt_plan plan;
    struct answer *answer;
    const struct model *by;
    struct buf heard; /* all that the client was given */
    bool whole;       /* to its end */
    struct err err;
    dur_ns took;
};

void kit_run(fiber_fn *first, void *arg);

/* `count` deployments named a, b, c, each a group of its own, so that they are asked in this order. The
 * policy asks up to three, with the breaker off. */
SUSPENDS void kit_open(struct route_kit *kit, int count);
SUSPENDS void kit_close(struct route_kit *kit);
void kit_one_group(struct route_kit *kit); /* instead: all are equal, by weight */

/* Ask, and hear all there is. True: the answer came to a good end. */
SUSPENDS bool kit_ask(struct route_kit *kit, bool stream);
bool kit_has(const struct route_kit *kit, const char *what);
int kit_count(const struct route_kit *kit, const char *what);
/* Text of all "content" strings of what was heard, in the OpenAI dialect. */
struct str kit_text(const struct route_kit *kit);
enum attempt_end kit_end(const struct route_kit *kit, uint32_t attempt);

/* A whole reply: one move and END. `head`: further fields, each with its line end. */
const struct fake_move *kit_reply(struct arena *arena, int status, const char *head,
                                  const char *body);
extern const char kit_answer[]; /* a whole completion that says "Four" */

#endif
