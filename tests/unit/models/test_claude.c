/* What Claude takes beside thinking, in both of its clouds: what has no room is told by the client's own name. */
#include "dialect_kit.h"
#include "models/claude.h"
#include "test.h"

#define MEMORY (4 * MIB)

#define HI   "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TOOL "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"
#define CALLED                                                                                \
    "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":null,\"tool_" \
    "calls\":[{\"id\":\"c\","                                                                 \
    "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":"  \
    "\"tool\",\"tool_call_id\":\"c\","                                                        \
    "\"content\":\"4\"}"
#define THOUGHT(signature)                                                                        \
    "{\"model\":\"m\",\"max_tokens\":9000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"  \
    "2000},"                                                                                      \
    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":"   \
    "[" signature "{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]},{\"role\":" \
    "\"user\",\"content\":["                                                                      \
    "{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"content\":\"4\"}]}]}"

static const struct {
    const char *name;
    const struct dialect *from;
    const char *remote, *body, *lost, *has, *lacks;
} cases[] = {
    {"sampling beside thinking", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"temperature\":0.3,\"reasoning_effort\":\"low\"," HI
     "}",
     "temperature ", "\"budget_tokens\":2048", "0.3"},
    {"sampling without", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"temperature\":0.3," HI "}", "", "0.3", "thinking"},
    {"a tool that must be called", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"tool_choice\":\"required\"," TOOL
     ",\"reasoning_effort\":\"low\"," HI "}",
     "reasoning_effort ", "\"any\"", "thinking"},
    {"no room at all, as Responses says it", &dialect_responses, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"store\":false,\"max_output_tokens\":500,\"reasoning\":{\"effort\":"
     "\"high\"},\"input\":\"hi\"}",
     "reasoning ", "500", "thinking"},
    {"room for four fifths", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":10000,\"reasoning_effort\":\"high\"," HI "}", "",
     "\"budget_tokens\":8000", "16384"},
    {"a budget of the client's own that is cut", &dialect_gemini, "claude-sonnet-4-5",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{\"maxOutputTokens\":"
     "5000,\"thinkingConfig\":{"
     "\"thinkingBudget\":4500}}}",
     "thinkingConfig ", "\"budget_tokens\":4000", "4500"},
    {"a budget below what there is", &dialect_gemini, "claude-sonnet-4-5",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{\"maxOutputTokens\":"
     "5000,\"thinkingConfig\":{\"thinkingBudget\":512}}}",
     "thinkingConfig ", "\"budget_tokens\":1024", "512"},
    {"the least budget there is", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"thinking\":{\"budget_tokens\":1024}," HI "}", "",
     "\"budget_tokens\":1024", "effort"},
    {"calls without their thoughts", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"reasoning_effort\":\"low\"," TOOL
     ",\"messages\":[" CALLED "]}",
     "reasoning_effort ", "\"4\"", "thinking"},
    {"later models go on all the same", &dialect_openai, "claude-opus-4-6",
     "{\"model\":\"m\",\"max_tokens\":9000,\"reasoning_effort\":\"low\"," TOOL
     ",\"messages\":[" CALLED "]}",
     "", "adaptive", "disabled"},
    {"as much as the model likes, which must be told", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"thinking\":{\"type\":\"enabled\"}," HI "}",
     "thinking ", "9000", "\"thinking\""},
    {"an effort beside a budget", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"reasoning_effort\":\"high\",\"thinking\":{"
     "\"budget_tokens\":2000}," HI "}",
     "reasoning_effort ", "\"budget_tokens\":2000", "effort"},
    {"sampling of a model that takes one of both", &dialect_openai, "claude-sonnet-4-5-20250929",
     "{\"model\":\"m\",\"temperature\":0.25,\"top_p\":0.75," HI "}", "top_p ", "0.25", "0.75"},
    {"of which one asks for nothing", &dialect_openai, "claude-opus-4-6",
     "{\"model\":\"m\",\"temperature\":0.25,\"top_p\":1," HI "}", "", "0.25", "_p"},
    {"or the other", &dialect_openai, "claude-haiku-4-5",
     "{\"model\":\"m\",\"temperature\":1,\"top_p\":0.75," HI "}", "", "0.75", "temperature"},
    {"sampling of one that takes both", &dialect_openai, "claude-sonnet-4-20250514",
     "{\"model\":\"m\",\"temperature\":0.25,\"top_p\":0.75," HI "}", "", "0.75", "thinking"},
    {"sampling of one that takes none", &dialect_openai, "claude-opus-4-7",
     "{\"model\":\"m\",\"temperature\":0.25,\"top_p\":0.75," HI "}", "temperature top_p ", "hi",
     "0.25"},
    {"which asks for nothing", &dialect_openai, "claude-sonnet-5",
     "{\"model\":\"m\",\"temperature\":1,\"top_p\":1," HI "}", "", "hi", "temperature"},
    {"sampling of one whose name says no version", &dialect_openai, "claude-latest",
     "{\"model\":\"m\",\"temperature\":0.25,\"top_p\":0.75," HI "}", "", "0.75", "thinking"},
    {"a budget where there are efforts alone", &dialect_gemini, "claude-opus-4-8",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{\"thinkingConfig\":{"
     "\"thinkingBudget\":9000}}}",
     "thinkingConfig ", "\"effort\":\"medium\"", "budget"},
    {"a small one", &dialect_openai, "claude-haiku-5-5",
     "{\"model\":\"m\",\"thinking\":{\"budget_tokens\":500}," HI "}", "thinking ",
     "\"effort\":\"low\"", "budget"},
    {"a budget and an effort there", &dialect_openai, "claude-sonnet-5",
     "{\"model\":\"m\",\"reasoning_effort\":\"high\",\"thinking\":{\"budget_tokens\":2000}," HI "}",
     "thinking ", "\"effort\":\"high\"", "budget"},
    {"a budget that the last of them takes", &dialect_openai, "claude-opus-4-6",
     "{\"model\":\"m\",\"max_tokens\":9000,\"thinking\":{\"budget_tokens\":2000}," HI "}", "",
     "\"budget_tokens\":2000", "effort"},
    {"an effort where there are budgets", &dialect_openai, "claude-sonnet-4@20250514",
     "{\"model\":\"m\",\"max_tokens\":9000,\"reasoning_effort\":\"low\"," HI "}", "",
     "\"budget_tokens\":2048", "adaptive"},
    {"an effort that came later", &dialect_openai, "claude-sonnet-4.6",
     "{\"model\":\"m\",\"reasoning_effort\":\"xhigh\"," HI "}", "reasoning_effort ",
     "\"effort\":\"high\"", "xhigh"},
    {"where it is known", &dialect_openai, "claude-opus-4-7",
     "{\"model\":\"m\",\"reasoning_effort\":\"xhigh\"," HI "}", "", "\"effort\":\"xhigh\"",
     "budget"},
    {"no thoughts, of one that thinks when it is asked", &dialect_openai, "claude-opus-4-8",
     "{\"model\":\"m\",\"reasoning_effort\":\"none\"," HI "}", "", "hi", "thinking"},
    {"of one that thinks unasked", &dialect_openai, "claude-opus-5",
     "{\"model\":\"m\",\"reasoning_effort\":\"none\"," HI "}", "", "\"disabled\"", "effort"},
    {"of one that always thinks", &dialect_openai, "claude-opus-5-5",
     "{\"model\":\"m\",\"reasoning_effort\":\"none\"," HI "}", "reasoning_effort ",
     "\"effort\":\"low\"", "thinking"},
    {"a tool forced of one that thinks unasked", &dialect_openai, "claude-sonnet-5",
     "{\"model\":\"m\",\"tool_choice\":\"required\"," TOOL "," HI "}", "", "\"disabled\"", "auto"},
    {"of one that always thinks", &dialect_openai, "claude-fable-5",
     "{\"model\":\"m\",\"reasoning_effort\":\"low\",\"tool_choice\":{\"type\":\"function\","
     "\"function\":{\"name\":\"f\"}}," TOOL "," HI "}",
     "tool_choice ", "adaptive", "\"any\""},
    {"what was said before they were asked again", &dialect_openai, "claude-sonnet-4-5",
     "{\"model\":\"m\",\"max_tokens\":9000,\"reasoning_effort\":\"low\",\"messages\":[{\"role\":"
     "\"user\",\"content\":\"hi\"},"
     "{\"role\":\"assistant\",\"content\":\"ho\"},{\"role\":\"user\",\"content\":\"hi\"}]}",
     "", "\"budget_tokens\":2048", "disabled"},
};

static struct str asked_of(struct arena *arena, size_t i, bool bedrock, struct losses *losses,
                           struct err *err)
{
    const struct dialect *to = bedrock ? &dialect_bedrock : &dialect_anthropic;
    struct conversation *c = kit_read(arena, cases[i].from, cases[i].body, err);
    struct model model = kit_model;
    struct outgoing out = {0};

    model.remote_name = arena_fmt(arena, "%s%s", bedrock ? "eu.anthropic." : "", cases[i].remote);
    if (!c || !to->write_request(arena, c, &model, losses, &out, err))
        return STR_NONE;
    return out.body;
}

TEST(claude_is_asked_alike_in_both_clouds)
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

/* A client of Claude's own dialect, at Bedrock: its thoughts are there, or thinking is lost. */
TEST(claude_goes_on_from_its_own_thoughts)
{
    static const struct {
        const char *body;
        bool thinks;
    } asks[] = {{THOUGHT("{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},"), true},
                {THOUGHT("{\"type\":\"redacted_thinking\",\"data\":\"eA==\"},"), true},
                {THOUGHT(""), false}};

    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct conversation *c = kit_read(arena, &dialect_anthropic, asks[i].body, &err);
        struct claude_thinking thinking;
        struct losses losses = {0};

        REQUIRE(c, "%s", err.text);
        REQUIRE(claude_thinking_choose(c, STR("claude-sonnet-4-5"), 9000, &losses, &thinking, &err),
                "%zu: %s", i, err.text);
        EXPECT(thinking.on == asks[i].thinks && losses.count == !asks[i].thinks, "%zu: %d %u", i,
               thinking.on, losses.count);
        EXPECT(asks[i].thinks || str_is(losses.fields[0], "thinking"), STR_FMT,
               STR_ARG(losses.fields[0]));
    }
}

/* Those that do not are asked to go on, in words. */
TEST(claude_that_goes_on_from_its_own_words_is_known_by_name)
{
    static const struct {
        const char *name;
        bool takes;
    } names[] = {{"claude-3-5-sonnet-20241022", true},
                 {"claude-sonnet-4-20250514", true},
                 {"claude-opus-4-5@20251101", true},
                 {"claude-haiku-4-5", true},
                 {"claude-latest", true},
                 {"claude-opus-4-6", false},
                 {"eu.anthropic.claude-sonnet-4-6-v1", false},
                 {"claude-4.7-opus", false},
                 {"claude-sonnet-5-20260801", false},
                 {"claude-mythos-preview", false}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        EXPECT(claude_takes_prefill(str_from(names[i].name)) == names[i].takes, "%s",
               names[i].name);
        EXPECT(((abilities_of_kind(KIND_ANTHROPIC, str_from(names[i].name)) & CAN_CONTINUE) != 0) ==
                   names[i].takes,
               "%s", names[i].name);
    }
}
