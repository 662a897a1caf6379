/* Signatures: each goes back to the house that made it, and to no other. */
#include <string.h>

#include "dialect_kit.h"
#include "test.h"

#define MEMORY (16 * MIB)

/* clang-format off: JSON as it is sent */
#define CHAT(block)                                                                   \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":" \
    "\"assistant\",\"content\":\"b\"," block "},{\"role\":\"user\",\"content\":\"c\"}]}"
#define CLAUDE(block)                                                                         \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{" \
    "\"role\":\"assistant\",\"content\":[" block                                              \
    ",{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"user\",\"content\":\"c\"}]}"
#define ITEMS(item)                                                           \
    "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"a\"}," item \
    ",{\"role\":\"user\",\"content\":\"c\"}]}"
#define THOUGHT(signature) \
    "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"" signature "\"}"
#define RS(signature)                                                                         \
    "{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[{\"type\":\"summary_text\",\"text\":" \
    "\"hm\"}],\"encrypted_content\":\"" signature "\"}"
#define CALL(signature)                                                                       \
    "\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","       \
    "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"" signature \
    "\"}}}]"

static const struct {
    const char *name;
    const struct dialect *from, *to;
    const char *body, *kept,
        *lost; /* kept: NULL where it must not leave; lost: its place, or NULL */
} rows[] = {
    {"Claude's to Claude", &dialect_anthropic, &dialect_anthropic, CLAUDE(THOUGHT("sig")),
     "\"sig\"", NULL},
    {"Claude's to Claude in another cloud", &dialect_anthropic, &dialect_bedrock,
     CLAUDE(THOUGHT("sig")), "\"sig\"", NULL},
    {"Gemini's, told to a client of Claude's, to Claude", &dialect_anthropic, &dialect_anthropic,
     CLAUDE(THOUGHT("weir-signed:gemini:sig")), NULL, "messages.1.content.0.signature"},
    {"Claude's to Gemini", &dialect_anthropic, &dialect_gemini, CLAUDE(THOUGHT("sig")), NULL,
     "messages.1.content.0.signature"},
    {"what nobody can read, to Gemini", &dialect_anthropic, &dialect_gemini,
     CLAUDE("{\"type\":\"redacted_thinking\",\"data\":\"sig\"}"), NULL, "messages.1.content.0"},
    {"what nobody can read, to Claude", &dialect_anthropic, &dialect_anthropic,
     CLAUDE("{\"type\":\"redacted_thinking\",\"data\":\"sig\"}"), "\"sig\"", NULL},
    {"Google's call to Google", &dialect_openai, &dialect_gemini, CHAT(CALL("sig")),
     "\"thoughtSignature\":\"sig\"", NULL},
    {"a call's, of nobody known, to Claude", &dialect_openai, &dialect_anthropic, CHAT(CALL("sig")),
     NULL, "messages.1.content.1.signature"},
    {"Claude's in a chat, to Claude", &dialect_openai, &dialect_anthropic,
     CHAT("\"thinking_blocks\":[" THOUGHT("sig") "]"), "\"sig\"", NULL},
    {"Claude's in a chat, to a chat provider", &dialect_openai, &dialect_openai,
     CHAT("\"thinking_blocks\":[" THOUGHT("sig") "]"), NULL, "messages.1.content.0.signature"},
    {"OpenAI's to Claude", &dialect_responses, &dialect_anthropic, ITEMS(RS("sig")), NULL,
     "input.1.signature"},
    {"OpenAI's to OpenAI", &dialect_responses, &dialect_responses, ITEMS(RS("sig")),
     "\"encrypted_content\":\"sig\"", NULL},
    {"Claude's, told to a client of Responses, to Claude", &dialect_responses, &dialect_anthropic,
     ITEMS(RS("weir-signed:anthropic:sig")), "\"signature\":\"sig\"", NULL},
    {"Claude's, told to a client of Responses, to OpenAI", &dialect_responses, &dialect_responses,
     ITEMS(RS("weir-signed:anthropic:sig")), NULL, "input.1.signature"},
};
/* clang-format on */

TEST(signatures_go_back_to_the_house_that_made_them)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct conversation *c = kit_read(arena, rows[i].from, rows[i].body, &err);
        const struct conversation *fit = NULL;
        struct losses losses = {0};
        struct outgoing out = {0};
        bool ok;

        REQUIRE(c, "%s: %s", rows[i].name, err.text);
        ok = signatures_fit(arena, c, rows[i].to, &losses, &fit, &err) &&
             rows[i].to->write_request(arena, fit, &kit_model, &losses, &out, &err);
        EXPECT(ok, "%s: %s", rows[i].name, err.text);
        EXPECT(rows[i].kept ? str_find(out.body, str_from(rows[i].kept)) < out.body.len
                            : str_find(out.body, STR("sig\"")) == out.body.len,
               "%s: " STR_FMT, rows[i].name, STR_ARG(out.body));
        EXPECT(str_find(out.body, STR(SIGNED_MARK)) == out.body.len, "%s: " STR_FMT, rows[i].name,
               STR_ARG(out.body));
        ok = !rows[i].lost;
        for (uint32_t l = 0; l < losses.count; l++)
            ok = ok || str_eq(losses.fields[l], str_from(rows[i].lost));
        EXPECT(ok, "%s: \"%s\" is not among %u losses, first " STR_FMT, rows[i].name, rows[i].lost,
               losses.count, STR_ARG(losses.fields[0]));
    }
}

TEST(signatures_that_are_refused_name_their_place)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct conversation *c = kit_read(arena, &dialect_anthropic, CLAUDE(THOUGHT("sig")), &err);
    const struct conversation *fit = NULL;
    struct losses losses = {.refuse = true};

    REQUIRE(c, "%s", err.text);
    EXPECT(!signatures_fit(arena, c, &dialect_gemini, &losses, &fit, &err));
    EXPECT(err.code == ERR_INVALID && strstr(err.text, "messages.1.content.0.signature"), "%s",
           err.text);
    EXPECT(str_eq(c->turns->next->parts->signature, STR("sig")), "the client's own is untouched");
}

/* A client gets them with the mark of who made them, where its dialect would take them for another's. */
TEST(signatures_are_marked_for_clients_of_another_house)
{
    static const struct {
        const struct dialect *made, *client;
        const char *want;
    } told[] = {
        {&dialect_anthropic, &dialect_anthropic, "sig"},
        {&dialect_bedrock, &dialect_anthropic, "sig"},
        {&dialect_gemini, &dialect_anthropic, "weir-signed:gemini:sig"},
        {&dialect_anthropic, &dialect_responses, "weir-signed:anthropic:sig"},
        {&dialect_anthropic, &dialect_gemini, "weir-signed:anthropic:sig"},
        {&dialect_responses, &dialect_openai, "weir-signed:openai:sig"},
        {&dialect_anthropic, &dialect_openai, "sig"},
    };

    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str signature = STR("sig");
        struct err err = {0};

        EXPECT(signature_mark(arena, told[i].made, told[i].client, false, &signature, &err));
        EXPECT(str_eq(signature, str_from(told[i].want)), "%s to %s: " STR_FMT, told[i].made->name,
               told[i].client->name, STR_ARG(signature));
    }
}
