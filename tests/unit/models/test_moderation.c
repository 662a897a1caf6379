/* POST /v1/moderations: what is asked, what providers answer, and what the client is told of it. */
#include "dialect_kit.h"
#include "models/moderation.h"
#include "test.h"

#define MEMORY (4 * MIB)

static const struct {
    const char *name, *body, *want;
} refused_cases[] = {
    {"no input", "{\"model\":\"m\"}", "input: "},
    {"an input that is none", "{\"input\":3}", "input: "},
    {"an empty list", "{\"input\":[]}", "input: "},
    {"tokens", "{\"input\":[1,2]}", "input: "},
    {"text and parts", "{\"input\":[\"a\",{\"type\":\"text\",\"text\":\"b\"}]}", "input.1: "},
    {"a part without text", "{\"input\":[{\"type\":\"text\"}]}", "input.0.text: "},
    {"a picture without an address", "{\"input\":[{\"type\":\"image_url\",\"image_url\":\"x\"}]}",
     "input.0.image_url.url: "},
    {"a part of no kind", "{\"input\":[{\"type\":\"sound\"}]}", "input.0.type: "},
    {"a model that is none", "{\"model\":3,\"input\":\"a\"}", "model: "},
    {"an empty model", "{\"model\":\"\",\"input\":\"a\"}", "model: "},
    {"no object", "[]", "the body"},
};

TEST(moderation_says_what_is_wrong_with_a_request)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, &dialect_moderation, refused_cases[i].body, &err) &&
                   err.code == ERR_INVALID &&
                   str_starts(str_from(err.text), str_from(refused_cases[i].want)),
               "%s: %s", refused_cases[i].name, err.text);
    }
}

TEST(moderation_asks_a_provider_with_the_input_as_it_came)
{
    static const struct {
        const char *body, *model, *want;
        uint32_t verdicts;
    } cases[] = {
        {"{\"input\":\"a\"}", MODERATION_MODEL, "{\"model\":\"remote-m\",\"input\":\"a\"}", 1},
        {"{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"user\":\"u\",\"further\":1}", "m",
         "{\"model\":\"remote-m\",\"input\":[\"a\",\"b\"],\"user\":\"u\",\"further\":1}", 2},
        {"{\"model\":null,\"input\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\","
         "\"image_url\":{\"url\":\"https://h/i.png\"}}]}",
         MODERATION_MODEL,
         "{\"model\":\"remote-m\",\"input\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"https://h/i.png\"}}]}",
         1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct conversation *c = kit_read(arena, &dialect_moderation, cases[i].body, &err);
        struct str sent =
            kit_request(arena, &dialect_moderation, &dialect_openai, cases[i].body, &losses, &err);

        REQUIRE(c && sent.ptr, "%s", err.text);
        EXPECT(str_eq(c->model, str_from(cases[i].model)), STR_FMT, STR_ARG(c->model));
        EXPECT(c->input_count == cases[i].verdicts, "%" PRIu32, c->input_count);
        kit_same_json(arena, cases[i].body, sent, cases[i].want);
        EXPECT(losses.count == 0, "%" PRIu32, losses.count);
    }
}

TEST(moderation_no_other_house_is_asked)
{
    static const struct dialect *const houses[] = {&dialect_anthropic, &dialect_gemini,
                                                   &dialect_bedrock};
    struct err err = {0};

    EXPECT(abilities_fit(CAN_MODERATE, &dialect_openai, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(houses); i++) {
        err = (struct err){0};
        EXPECT(!abilities_fit(CAN_MODERATE | CAN_CHAT, houses[i], &err) &&
                   str_starts(str_from(err.text), STR("moderation: ")),
               "%s: %s", houses[i]->name, err.text);
    }
}

static const char asked[] = "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}";

#define HEAD "{\"id\":\"modr-1\",\"model\":\"m\",\"results\":"
#define CALM \
    "{\"flagged\":false,\"categories\":{\"hate\":false},\"category_scores\":{\"hate\":1e-5}}"

TEST(moderation_tells_the_verdicts_of_every_kind_of_provider)
{
    static const struct {
        const char *name, *reply, *want;
        uint32_t lost;
    } cases[] = {
        {"OpenAI",
         "{\"id\":\"modr-x\",\"model\":\"omni\",\"results\":[{\"flagged\":true,\"categories\":{"
         "\"hate\":true},\"category_applied_input_types\":{\"hate\":[\"text\"]}}," CALM "]}",
         HEAD "[{\"flagged\":true,\"categories\":{\"hate\":true},\"category_applied_input_types\":{"
              "\"hate\":[\"text\"]}}," CALM "]}",
         0},
        {"Mistral, which flags nothing and counts",
         "{\"id\":\"x\",\"model\":\"mistral\",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":"
         "0,"
         "\"total_tokens\":9},\"results\":[{\"categories\":{\"pii\":false,\"health\":true}},{"
         "\"categories\":{}}]}",
         HEAD
         "[{\"flagged\":true,\"categories\":{\"pii\":false,\"health\":true}},{\"flagged\":false,"
         "\"categories\":{}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0,"
         "\"total_tokens\":9}}",
         0},
        {"what nobody knows is named", "{\"results\":[" CALM "," CALM "],\"policy\":{\"v\":2}}",
         HEAD "[" CALM "," CALM "],\"weir\":{\"reply_dropped\":[\"policy\"]}}", 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses lost = {0};
        struct err err = {0};
        struct str got = kit_told(arena, &dialect_moderation, asked, cases[i].reply, &lost, &err);

        EXPECT(got.ptr, "%s: %s", cases[i].name, err.text);
        kit_same_json(arena, cases[i].name, got, cases[i].want);
        EXPECT(lost.count == cases[i].lost, "%s: %" PRIu32, cases[i].name, lost.count);
    }
}

TEST(moderation_takes_no_answer_that_is_none)
{
    static const char *const replies[] = {
        "{\"results\":{}}",
        "{\"id\":\"x\"}",
        "{\"results\":[]}",
        "{\"results\":[" CALM "]}",
        "{\"results\":[" CALM "," CALM "," CALM "]}",
        "{\"results\":[" CALM ",\"fine\"]}",
        "{\"results\":[" CALM ",{\"flagged\":\"no\"}]}",
        "{\"results\":[" CALM ",{\"category_scores\":{}}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses lost = {0};
        struct err err = {0};

        EXPECT(!kit_told(arena, &dialect_moderation, asked, replies[i], &lost, &err).ptr &&
                   err.code == ERR_UNAVAILABLE,
               "%s: %s", replies[i], err.text);
    }
}
