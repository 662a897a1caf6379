/* What OpenAI's own models take beside reasoning, for clients of other families: in both of their dialects alike. */
#include "dialect_kit.h"
#include "test.h"

#define MEMORY (4 * MIB)

#define HI       "\"max_tokens\":99,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define ASK(all) "{\"model\":\"m\"," all HI "}"
#define THINK(n) "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":" n "},"
#define OFF      "\"thinking\":{\"type\":\"disabled\"},"
#define WARM     "\"temperature\":0.25,\"top_p\":0.75,"

static const struct {
    const char *name, *remote, *body, *lost, *has, *lacks;
} cases[] = {
    {"warmth of one that does not reason", "gpt-4o-mini", ASK(WARM), "", "0.25", "effort"},
    {"no thoughts there", "gpt-4.1", ASK(OFF WARM), "", "0.25", "none"},
    {"thoughts there", "ft:gpt-4o:acme", ASK(THINK("2000")), "thinking ", "hi", "effort"},
    {"warmth of one that always reasons", "gpt-5-mini", ASK(WARM), "temperature top_p ", "hi",
     "0.25"},
    {"which asks for nothing", "o3", ASK("\"temperature\":1,\"top_p\":1,"), "", "hi",
     "temperature"},
    {"no thoughts there", "gpt-5-nano-2025-08-07", ASK(OFF), "thinking ", "minimal", "none"},
    {"nor there", "o4-mini", ASK(OFF), "thinking ", "low", "none"},
    {"no thoughts where there may be none", "gpt-5.1", ASK(OFF WARM), "", "none", "low"},
    {"warmth where thoughts are unsaid", "gpt-5.2", ASK(WARM), "", "0.25", "effort"},
    {"warmth beside thoughts", "gpt-5.4", ASK(THINK("2000") WARM), "thinking temperature top_p ",
     "low", "0.25"},
    {"an effort that it does not know", "gpt-5.1",
     ASK("\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"xhigh\"},"),
     "output_config.effort ", "high", "xhigh"},
    {"one whose name says nothing", "our-model", ASK(OFF WARM), "", "0.25", "minimal"},
    {"one of the open ones", "gpt-oss-120b", ASK(OFF WARM), "", "0.25", "minimal"},
};

static struct str asked_of(struct arena *arena, size_t i, bool responses, struct losses *losses,
                           struct err *err)
{
    static const struct provider original = {.name = {"o", 1},
                                             .url = {.host = {"api.openai.com", 14}}};
    const struct dialect *to = responses ? &dialect_responses : &dialect_openai;
    struct conversation *c = kit_read(arena, &dialect_anthropic, cases[i].body, err);
    struct model model = kit_model;
    struct outgoing out = {0};

    model.remote_name = str_from(cases[i].remote);
    model.provider = &original;
    if (!c || !to->write_request(arena, c, &model, losses, &out, err))
        return STR_NONE;
    return out.body;
}

TEST(gpt_is_asked_for_what_it_takes)
{
    for (size_t k = 0; k < 2 * ARRAY_LEN(cases); k++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        size_t i = k / 2;
        struct losses losses = {0};
        struct err err = {0};
        struct str got = asked_of(arena, i, k % 2, &losses, &err);
        struct buf lost;

        buf_init(&lost, arena, KIB);
        for (uint32_t n = 0; n < losses.count; n++)
            buf_fmt(&lost, STR_FMT " ", STR_ARG(losses.fields[n]));
        EXPECT(str_is(buf_view(&lost), cases[i].lost), "%s: lost " STR_FMT, cases[i].name,
               STR_ARG(buf_view(&lost)));
        EXPECT(got.ptr && str_find(got, str_from(cases[i].has)) < got.len &&
                   str_find(got, str_from(cases[i].lacks)) == got.len,
               "%s: %s " STR_FMT, cases[i].name, err.text, STR_ARG(got));
    }
}

/* Who speaks to it in its own words is told by the model itself. */
TEST(gpt_hears_its_own_clients_as_they_are)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    static const struct provider original = {.name = {"o", 1},
                                             .url = {.host = {"api.openai.com", 14}}};
    struct model model = kit_model;
    struct losses losses = {.refuse = true};
    struct err err = {0};
    struct outgoing out = {0};
    struct conversation *c =
        kit_read(arena, &dialect_openai, ASK(WARM "\"reasoning_effort\":\"xhigh\","), &err);

    model.remote_name = STR("gpt-5");
    model.provider = &original;
    REQUIRE(c && dialect_responses.write_request(arena, c, &model, &losses, &out, &err), "%s",
            err.text);
    EXPECT(str_find(out.body, STR("0.25")) < out.body.len &&
               str_find(out.body, STR("xhigh")) < out.body.len,
           STR_FMT, STR_ARG(out.body));
}
