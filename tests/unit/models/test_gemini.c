/* The Gemini dialect: requests read and written, answers read and written. */
#include <string.h>
#include <time.h>

#include "dialect_kit.h"
#include "models/gemini.h"
#include "test.h"

#define MEMORY         (64 * MIB)
#define CONFIG(inside) "\"generationConfig\":{" inside "}"
#define HI             "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}]"

/* ---- requests ---- */

static const struct {
    const char *name;
    const struct dialect *from;
    const char *body, *want;
    uint32_t losses; /* how many are told */
} cases[] = {
    {"a text", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "{" HI "," CONFIG("") "}", 0},
    {"system turns wherever they stand, and turns of one role together", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
     "brief\"},{\"role\":\"user\","
     "\"content\":\"a\"},{\"role\":\"developer\",\"content\":\"Be "
     "kind\"},{\"role\":\"user\",\"content\":\"b\"}]}",
     "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief\"},{\"text\":\"Be kind\"}]},"
     "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]}]," CONFIG(
         "") "}",
     0},
    {"only a system turn is said by the user", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Hi\"}]}",
     "{" HI "," CONFIG("") "}", 0},
    {"numbers", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"temperature\":0.5,"
     "\"top_p\":0.9,"
     "\"max_tokens\":10,\"n\":2,\"seed\":7,\"stop\":[\"x\",\"y\"],\"presence_penalty\":0.1,"
     "\"frequency_penalty\":-0.1,\"logprobs\":true,\"top_logprobs\":3}",
     "{" HI
     "," CONFIG("\"temperature\":0.5,\"topP\":0.9,\"candidateCount\":2,\"maxOutputTokens\":10,"
                "\"seed\":7,\"presencePenalty\":0.1,\"frequencyPenalty\":-0.1,\"responseLogprobs\":"
                "true,\"logprobs\":3,"
                "\"stopSequences\":[\"x\",\"y\"]") "}",
     0},
    {"what Gemini has no field for", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"logit_bias\":{\"1\":"
     "2},"
     "\"user\":\"u\",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"],\"made_up\":1}",
     "{" HI "," CONFIG("\"stopSequences\":[\"1\",\"2\",\"3\",\"4\",\"5\"]") "}", 4},
    {"calls and results: names for ids, objects for texts", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
     "\"assistant\",\"content\":null,"
     "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{\\\"x\\\":1}\"}},"
     "{\"id\":\"call_weir_r_1\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
     "\"\"}}]},"
     "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"warm\"},"
     "{\"role\":\"tool\",\"tool_call_id\":\"call_weir_r_1\",\"content\":\"{\\\"t\\\":2}\"}]}",
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]},{\"role\":\"model\","
     "\"parts\":["
     "{\"functionCall\":{\"id\":\"a\",\"name\":\"f\",\"args\":{\"x\":1}}},"
     "{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]},{\"role\":\"user\",\"parts\":["
     "{\"functionResponse\":{\"id\":\"a\",\"name\":\"f\",\"response\":{\"output\":\"warm\"}}},"
     "{\"functionResponse\":{\"name\":\"g\",\"response\":{\"t\":2}}}]}]," CONFIG("") "}",
     0},
    {"pictures by data and by place", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
     "\"image_url\":{\"url\":"
     "\"data:image/"
     "png;base64,AAAA\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"https://example.org/a.jpg?x=1\"}}]}]}",
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/"
     "png\",\"data\":\"AAAA\"}},"
     "{\"fileData\":{\"mimeType\":\"image/jpeg\",\"fileUri\":\"https://example.org/"
     "a.jpg?x=1\"}}]}]," CONFIG("") "}",
     1},
    {"tools: a schema with what is not heeded", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":"
     "{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"$schema\":\"s\",\"type\":\"object\","
     "\"properties\":{\"pattern\":{"
     "\"type\":\"string\",\"pattern\":\"^a\",\"default\":\"a\"},\"k\":{\"const\":\"v\"},\"r\":{"
     "\"allOf\":[{\"$ref\":\"#/$defs/r\"}]}},"
     "\"required\":[\"pattern\"],\"additionalProperties\":false,\"$defs\":{\"r\":{\"type\":"
     "\"integer\"}}}}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
     "{" HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
     "\"parametersJsonSchema\":"
     "{\"type\":\"object\",\"properties\":{\"pattern\":{\"type\":\"string\"},\"k\":{\"enum\":["
     "\"v\"]},\"r\":{\"$ref\":\"#/$defs/r\"}},"
     "\"required\":[\"pattern\"],\"additionalProperties\":false,\"$defs\":{\"r\":{\"type\":"
     "\"integer\"}}}}]}],"
     "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}"
     "}," CONFIG("") "}",
     1},
    {"strict functions are validated", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":"
     "{\"name\":\"f\",\"strict\":true}}]}",
     "{" HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],"
     "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"VALIDATED\"}}," CONFIG("") "}",
     0},
    {"a schema for the answer", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"response_format\":{"
     "\"type\":\"json_schema\","
     "\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}}}",
     "{" HI "," CONFIG("\"responseMimeType\":\"application/"
                       "json\",\"responseJsonSchema\":{\"type\":\"object\"}") "}",
     0},
    {"effort is a level", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning_effort\":"
     "\"low\"}",
     "{" HI
     "," CONFIG("\"thinkingConfig\":{\"thinkingLevel\":\"low\",\"includeThoughts\":true}") "}",
     0},
    {"a budget is a budget", &dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":4000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
     "2000},"
     "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "{" HI "," CONFIG("\"maxOutputTokens\":4000,\"thinkingConfig\":{\"thinkingBudget\":2000,"
                       "\"includeThoughts\":true}") "}",
     0},
    {"what only Gemini can mean passes from anybody", &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"safety_settings\":[{"
     "\"category\":\"C\"}],"
     "\"cachedContent\":\"cachedContents/1\",\"speechConfig\":{\"a\":1}}",
     "{" HI "," CONFIG("\"speechConfig\":{\"a\":1}") ",\"safety_settings\":[{\"category\":\"C\"}],"
                                                     "\"cachedContent\":\"cachedContents/1\"}",
     0},
    {"there and back", &dialect_gemini,
     "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be "
     "brief\"}]},\"contents\":[{\"parts\":[{\"text\":\"Hi\"},"
     "{\"inlineData\":{\"mimeType\":\"audio/"
     "wav\",\"data\":\"AAAA\"},\"videoMetadata\":{\"fps\":2}}]},"
     "{\"role\":\"model\",\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":\"so\","
     "\"thoughtSignature\":\"c2ln\"},"
     "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":\"c2ln\"},"
     "{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}}]},"
     "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":"
     "\"no\"}}}]}],"
     "\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"parameters\":{\"type\":\"OBJECT\","
     "\"properties\":"
     "{\"a\":{\"type\":\"INTEGER\",\"nullable\":true}}}}]},{\"googleSearch\":{}}],"
     "\"generationConfig\":{\"temperature\":1,\"topK\":40.0,\"thinkingConfig\":{\"thinkingBudget\":"
     "-1},"
     "\"responseModalities\":[\"TEXT\",\"IMAGE\"],\"imageConfig\":{\"aspectRatio\":\"1:1\"},"
     "\"responseMimeType\":"
     "\"application/"
     "json\",\"responseSchema\":{\"type\":\"ARRAY\",\"items\":{\"type\":\"STRING\"},\"minItems\":"
     "\"1\"}},"
     "\"safetySettings\":[{\"category\":\"C\",\"threshold\":\"T\"}]}",
     "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be "
     "brief\"}]},\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"},"
     "{\"inlineData\":{\"mimeType\":\"audio/"
     "wav\",\"data\":\"AAAA\"},\"videoMetadata\":{\"fps\":2}}]},"
     "{\"role\":\"model\",\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":\"so\","
     "\"thoughtSignature\":\"c2ln\"},"
     "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":\"c2ln\"},"
     "{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}}]},"
     "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":"
     "\"no\"}}}]}],"
     "\"tools\":[{\"googleSearch\":{}},{\"functionDeclarations\":[{\"name\":\"f\","
     "\"parametersJsonSchema\":{\"type\":\"object\","
     "\"properties\":{\"a\":{\"type\":[\"integer\",\"null\"]}}}}]}],"
     "\"generationConfig\":{\"temperature\":1,\"topK\":40,\"thinkingConfig\":{\"thinkingBudget\":-"
     "1,\"includeThoughts\":false},"
     "\"responseModalities\":[\"TEXT\",\"IMAGE\"],\"imageConfig\":{\"aspectRatio\":\"1:1\"},"
     "\"responseMimeType\":"
     "\"application/"
     "json\",\"responseJsonSchema\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
     "\"minItems\":1}},"
     "\"safetySettings\":[{\"category\":\"C\",\"threshold\":\"T\"}]}",
     0},
    {"one of a schema's words", &dialect_gemini,
     "{" HI
     "," CONFIG("\"responseMimeType\":\"text/x.enum\",\"responseSchema\":{\"type\":\"STRING\","
                "\"enum\":[\"a\",\"b\"]}") "}",
     "{" HI
     "," CONFIG("\"responseMimeType\":\"text/x.enum\",\"responseJsonSchema\":{\"type\":\"string\","
                "\"enum\":[\"a\",\"b\"]}") "}",
     0},
    {"embeddings", &dialect_embeddings,
     "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":3}",
     "{\"requests\":[{\"model\":\"models/"
     "remote-m\",\"content\":{\"parts\":[{\"text\":\"a\"}]},\"outputDimensionality\":3},"
     "{\"model\":\"models/"
     "remote-m\",\"content\":{\"parts\":[{\"text\":\"b\"}]},\"outputDimensionality\":3}]}",
     0},
};

TEST(gemini_requests)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str got =
            kit_request(arena, cases[i].from, &dialect_gemini, cases[i].body, &losses, &err);

        EXPECT(got.ptr, "%s: %s", cases[i].name, err.text);
        kit_same_json(arena, cases[i].name, got, cases[i].want);
        EXPECT(losses.count == cases[i].losses, "%s: %u losses, first " STR_FMT, cases[i].name,
               losses.count, STR_ARG(losses.fields[0]));
    }
}

/* A Gemini client at an OpenAI provider: the ids that it does not have are made, and found again. */
/* How much each generation thinks at least and at most: past that they refuse. */
static const struct {
    const char *name, *remote, *asked, *lost, *want;
} thought_cases[] = {
    {"no thoughts of what can do without", "gemini-2.5-flash", "\"reasoning_effort\":\"none\"", "",
     "\"thinkingBudget\":0,"},
    {"of what cannot", "gemini-2.5-pro", "\"reasoning_effort\":\"none\"", "reasoning_effort ",
     "\"thinkingBudget\":128,"},
    {"by a budget", "gemini-2.5-pro", "\"thinking\":{\"type\":\"disabled\"}", "thinking ",
     "\"thinkingBudget\":128,"},
    {"too few", "gemini-2.5-flash-lite", "\"thinking\":{\"budget_tokens\":100}", "thinking ",
     "\"thinkingBudget\":512,"},
    {"too many", "gemini-2.5-flash", "\"thinking\":{\"budget_tokens\":31999}", "thinking ",
     "\"thinkingBudget\":24576,"},
    {"as many as may be", "gemini-2.5-pro", "\"thinking\":{\"budget_tokens\":31999}", "",
     "\"thinkingBudget\":31999,"},
    {"the least level", "gemini-3-flash-preview", "\"reasoning_effort\":\"minimal\"", "",
     "\"thinkingLevel\":\"minimal\","},
    {"where there is none so low", "gemini-3.8-flash", "\"reasoning_effort\":\"minimal\"",
     "reasoning_effort ", "\"thinkingLevel\":\"low\","},
    {"no thoughts of a Pro", "gemini-3.1-pro-preview", "\"reasoning_effort\":\"none\"",
     "reasoning_effort ", "\"thinkingLevel\":\"low\","},
    {"by a budget", "gemini-3.1-pro-preview", "\"thinking\":{\"type\":\"disabled\"}", "thinking ",
     "\"thinkingLevel\":\"low\","},
    {"by a budget where it may be", "gemini-3.8-flash", "\"thinking\":{\"type\":\"disabled\"}", "",
     "\"thinkingBudget\":0,"},
};

TEST(gemini_thinks_within_its_bounds)
{
    for (size_t i = 0; i < ARRAY_LEN(thought_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str body = arena_fmt(
            arena, "{\"model\":\"m\",%s,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
            thought_cases[i].asked);
        struct err err = {0};
        struct conversation *c = kit_read(arena, &dialect_openai, body.ptr, &err);
        struct model model = kit_model;
        struct losses losses = {0};
        struct outgoing out = {0};
        struct buf lost;

        model.remote_name = str_from(thought_cases[i].remote);
        REQUIRE(c && dialect_gemini.write_request(arena, c, &model, &losses, &out, &err), "%s: %s",
                thought_cases[i].name, err.text);
        buf_init(&lost, arena, KIB);
        for (uint32_t n = 0; n < losses.count; n++)
            buf_fmt(&lost, STR_FMT " ", STR_ARG(losses.fields[n]));
        EXPECT(str_is(buf_view(&lost), thought_cases[i].lost), "%s: lost " STR_FMT,
               thought_cases[i].name, STR_ARG(buf_view(&lost)));
        EXPECT(str_find(out.body, str_from(thought_cases[i].want)) < out.body.len, "%s: " STR_FMT,
               thought_cases[i].name, STR_ARG(out.body));
    }
}

TEST(gemini_client_at_openai)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str got =
        kit_request(arena, &dialect_gemini, &dialect_openai,
                    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]},{\"role\":"
                    "\"model\",\"parts\":["
                    "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}},{\"functionCall\":{"
                    "\"name\":\"f\",\"args\":{\"a\":2}}}]},"
                    "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\","
                    "\"response\":{\"output\":\"one\"}}},"
                    "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"x\":2}}}]}],"
                    "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\","
                    "\"allowedFunctionNames\":[\"f\",\"g\"]}},"
                    "\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"},{\"name\":\"h\"},{"
                    "\"name\":\"g\"}]}],"
                    "\"generationConfig\":{\"maxOutputTokens\":5}}",
                    &losses, &err);

    REQUIRE(got.ptr, "%s", err.text);
    EXPECT(str_find(got, STR("\"tool_call_id\":\"call_weir_0\"")) < got.len, STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("\"content\":\"one\"")) < got.len, STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("\"tool_call_id\":\"call_weir_1\"")) < got.len);
    EXPECT(str_find(got, STR("\"h\"")) == got.len, "a function that is not allowed is not shown");
    EXPECT(str_find(got, STR("\"tool_choice\":\"required\"")) < got.len, STR_FMT, STR_ARG(got));
    EXPECT(losses.count == 0, STR_FMT, STR_ARG(losses.fields[0]));
}

/* As Google's examples for curl write it. */
TEST(gemini_config_in_either_spelling)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str camel = kit_request(
        arena, &dialect_gemini, &dialect_openai,
        "{" HI "," CONFIG(
            "\"topP\":0.5,\"candidateCount\":2,\"maxOutputTokens\":9,\"stopSequences\":[\"x\"],"
            "\"presencePenalty\":1,\"frequencyPenalty\":1,\"responseLogprobs\":true,"
            "\"responseMimeType\":\"application/json\",\"responseSchema\":{\"type\":"
            "\"OBJECT\"},\"thinkingConfig\":{\"thinkingLevel\":\"low\"},"
            "\"responseModalities\":[\"TEXT\"]") "}",
        &losses, &err);
    uint32_t usual = losses.count;
    struct str snake = kit_request(
        arena, &dialect_gemini, &dialect_openai,
        "{" HI
        ",\"generation_config\":{\"top_p\":0.5,\"candidate_count\":2,\"max_output_tokens\":9,"
        "\"stop_sequences\":[\"x\"],\"presence_penalty\":1,\"frequency_penalty\":1,\"response_"
        "logprobs\":"
        "true,\"response_mime_type\":\"application/"
        "json\",\"response_schema\":{\"type\":\"OBJECT\"},"
        "\"thinking_config\":{\"thinking_level\":\"low\"},\"response_modalities\":[\"TEXT\"]}}",
        &losses, &err);

    REQUIRE(camel.ptr && snake.ptr, "%s", err.text);
    EXPECT(str_eq(camel, snake), STR_FMT "\n" STR_FMT, STR_ARG(camel), STR_ARG(snake));
    EXPECT(losses.count == usual, "%" PRIu32 " losses", losses.count);
}

/* Google's SDK sends the model's turn back as it came, with ids, and makes results by name alone. */
TEST(gemini_results_by_name_find_calls_with_ids)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str got = kit_request(
        arena, &dialect_gemini, &dialect_openai,
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]},{\"role\":\"model\","
        "\"parts\":[{\"functionCall\":{\"id\":\"a\",\"name\":\"f\",\"args\":{}}},"
        "{\"functionCall\":{\"id\":\"b\",\"name\":\"f\",\"args\":{}}},"
        "{\"functionCall\":{\"id\":\"c\",\"name\":\"f\",\"args\":{}}}]},"
        "{\"role\":\"user\",\"parts\":["
        "{\"functionResponse\":{\"id\":\"b\",\"name\":\"f\",\"response\":{\"output\":\"two\"}}},"
        "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"output\":\"one\"}}},"
        "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"output\":\"three\"}}}]}]}",
        &losses, &err);
    static const char *const results[] = {"\"tool_call_id\":\"b\",\"content\":\"two\"",
                                          "\"tool_call_id\":\"a\",\"content\":\"one\"",
                                          "\"tool_call_id\":\"c\",\"content\":\"three\""};

    REQUIRE(got.ptr, "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(results); i++)
        EXPECT(str_find(got, str_from(results[i])) < got.len, "%s: " STR_FMT, results[i],
               STR_ARG(got));
}

static const struct {
    const char *name, *body, *want;
} refusals[] = {
    {"no contents", "{}", "contents: expected an array with at least one content"},
    {"contents of another kind", "{\"contents\":[1]}", "contents.0: expected an object"},
    {"a role nobody has", "{\"contents\":[{\"role\":\"bot\",\"parts\":[]}]}",
     "contents.0.role: expected \"user\" or \"model\""},
    {"no parts", "{\"contents\":[{}]}", "contents.0.parts: expected an array"},
    {"a text that is none", "{\"contents\":[{\"parts\":[{\"text\":1}]}]}",
     "contents.0.parts.0.text: expected a string"},
    {"data without data", "{\"contents\":[{\"parts\":[{\"text\":\"\"},{\"inlineData\":{}}]}]}",
     "contents.0.parts.1.inlineData.data: expected a string"},
    {"a result for no call",
     "{\"contents\":[{\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{}}}]}]}",
     "contents.0.parts.0.functionResponse: expected a functionCall of that name before it"},
    {"a temperature out of range", "{" HI ",\"generationConfig\":{\"temperature\":3}}",
     "generationConfig.temperature: expected a number from 0 to 2"},
    {"a media type nobody makes",
     "{" HI ",\"generationConfig\":{\"responseMimeType\":\"image/png\"}}",
     "generationConfig.responseMimeType: expected text/plain, application/json or text/x.enum"},
    {"a mode nobody knows",
     "{" HI ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"MAYBE\"}}}",
     "toolConfig.functionCallingConfig.mode: expected AUTO, ANY, NONE or VALIDATED"},
    {"a toolConfig that is none", "{" HI ",\"toolConfig\":1}", "toolConfig: expected an object"},
    {"a tool that is none", "{" HI ",\"tools\":[1]}", "tools.0: expected an object"},
    {"a function without a name", "{" HI ",\"tools\":[{\"functionDeclarations\":[{}]}]}",
     "tools.0.functionDeclarations: expected a name for each"},
};

TEST(gemini_refusals)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, &dialect_gemini, refusals[i].body, &err), "%s", refusals[i].name);
        EXPECT(err.code == ERR_INVALID && strcmp(err.text, refusals[i].want) == 0, "%s: %s",
               refusals[i].name, err.text);
    }
}

TEST(gemini_schema_that_never_ends)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct buf body;

    buf_init(&body, arena, MIB);
    buf_str(&body, STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],"
                       "\"tools\":[{\"type\":"
                       "\"function\",\"function\":{\"name\":\"f\",\"parameters\":"));
    for (int i = 0; i < 60; i++)
        buf_str(&body, STR("{\"items\":"));
    buf_str(&body, STR("{}"));
    for (int i = 0; i < 60; i++)
        buf_char(&body, '}');
    buf_str(&body, STR("}}]}"));
    buf_char(&body, '\0');
    EXPECT(!kit_request(arena, &dialect_openai, &dialect_gemini, body.ptr, &losses, &err).ptr);
    EXPECT(err.code == ERR_INVALID, "%s", err.text);
}

/* ---- answers ---- */

#define CHUNK(parts, rest)                                                                \
    "data: {\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}" rest \
    ",\"index\":0}],\"modelVersion\":\"gemini-x\",\"responseId\":\"r1\"}\r\n\r\n"
#define USAGE                                                                \
    "\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":4," \
    "\"thoughtsTokenCount\":6,"                                              \
    "\"totalTokenCount\":20,\"cachedContentTokenCount\":3}"

static const char stream[] = CHUNK("{\"text\":\"hm\",\"thought\":true}", "")
    CHUNK("{\"text\":\"H\xc3\xa9\"}", "") CHUNK("{\"text\":\"llo\"}", "") CHUNK(
        "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":\"c2ln\"},"
        "{\"functionCall\":{\"id\":\"x\",\"name\":\"g\",\"args\":{}}}",
        "") "data: "
            "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
            "\"finishReason\":\"STOP\","
            "\"index\":0}]," USAGE ",\"modelVersion\":\"gemini-x\",\"responseId\":\"r1\"}\r\n\r\n";

TEST(gemini_stream_at_every_cut)
{
    struct arena *first CLEANUP(arena_end) = arena_new(MEMORY);
    struct str bytes = {stream, sizeof stream - 1};
    struct err err = {0};
    struct str whole = kit_answer(first, &dialect_gemini, &dialect_openai, true, bytes, 0, &err);

    REQUIRE(whole.ptr, "%s", err.text);
    EXPECT(str_find(whole, STR("\"content\":\"H\xc3\xa9\"")) < whole.len, STR_FMT, STR_ARG(whole));
    EXPECT(str_find(whole, STR("\"finish_reason\":\"tool_calls\"")) < whole.len);
    EXPECT(str_find(whole, STR("\"id\":\"call_weir_r1_0\"")) < whole.len);
    EXPECT(str_find(whole, STR("\"prompt_tokens\":10,\"completion_tokens\":10")) < whole.len,
           STR_FMT, STR_ARG(whole));
    for (size_t cut = 1; cut < bytes.len; cut++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str got =
            kit_answer(arena, &dialect_gemini, &dialect_openai, true, bytes, cut, &err);

        EXPECT(str_eq(got, whole), "cut at %zu: %s", cut, err.text);
    }
}

TEST(gemini_stream_that_ends_early)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str bytes = STR(CHUNK("{\"text\":\"Hello\"}", ""));
    struct err err = {0};

    EXPECT(!kit_answer(arena, &dialect_gemini, &dialect_openai, true, bytes, 0, &err).ptr);
    EXPECT(err.code == ERR_UNAVAILABLE && strstr(err.text, "finishReason"), "%s", err.text);
}

static const struct {
    const char *name;
    const struct dialect *to;
    const char *body;
    const char *has[4];
} answers[] = {
    {"to a Gemini client",
     &dialect_gemini,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"},{\"functionCall\":{\"id\":\"x\","
     "\"name\":\"f\",\"args\":"
     "{\"a\":1}},\"thoughtSignature\":\"c2ln\"}],\"role\":\"model\"},\"finishReason\":\"STOP\"}]"
     "," USAGE "}",
     {"{\"content\":{\"parts\":[{\"text\":\"Hi\"},{\"functionCall\":{\"id\":\"x\",\"name\":\"f\","
      "\"args\":{\"a\":1}},"
      "\"thoughtSignature\":\"c2ln\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}",
      "\"promptTokenCount\":10,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":6,"
      "\"cachedContentTokenCount\":3,"
      "\"totalTokenCount\":20"}},
    {"a prompt that is blocked",
     &dialect_openai,
     "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":5,"
     "\"totalTokenCount\":5}}",
     {"\"finish_reason\":\"content_filter\"", "the prompt was blocked: SAFETY",
      "\"prompt_tokens\":5,"}},
    {"an answer that is cut by a filter",
     &dialect_openai,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\"}]},\"finishReason\":\"RECITATION\"}"
     "]}",
     {"\"finish_reason\":\"content_filter\""}},
    {"probabilities",
     &dialect_openai,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\"}]},\"finishReason\":\"STOP\","
     "\"logprobsResult\":{"
     "\"chosenCandidates\":[{\"token\":\"H\",\"logProbability\":-0.5}],\"topCandidates\":[{"
     "\"candidates\":[{\"token\":\"H\","
     "\"logProbability\":-0.5},{\"token\":\"I\",\"logProbability\":-2}]}]}}]}",
     {"\"token\":\"H\",\"logprob\":-0.5", "\"token\":\"I\",\"logprob\":-2"}},
    {"sources, counted in characters",
     &dialect_openai,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\xc3\xa9 "
     "so\"}]},\"finishReason\":\"STOP\",\"groundingMetadata\":{"
     "\"groundingChunks\":[{\"web\":{\"uri\":\"https://"
     "a.example\",\"title\":\"A\"}}],\"groundingSupports\":[{\"segment\":{"
     "\"startIndex\":0,\"endIndex\":3},\"groundingChunkIndices\":[0]}]}}]}",
     {"\"url\":\"https://a.example\"", "\"start_index\":0,\"end_index\":2"}},
};

TEST(gemini_answers)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_gemini, answers[i].to, false,
                                    str_from(answers[i].body), 0, &err);

        EXPECT(got.ptr, "%s: %s", answers[i].name, err.text);
        for (size_t k = 0; k < ARRAY_LEN(answers[i].has) && answers[i].has[k] && got.ptr; k++)
            EXPECT(str_find(got, str_from(answers[i].has[k])) < got.len, "%s: " STR_FMT,
                   answers[i].name, STR_ARG(got));
    }
}

/* What must not end like a success. */
static const struct {
    const char *name, *body;
} failures[] = {
    {"not JSON", "<html>"},
    {"no candidate", "{}"},
    {"an index out of bounds",
     "{\"candidates\":[{\"index\":8,\"content\":{\"parts\":[]},\"finishReason\":\"STOP\"}]}"},
    {"a call without a name", "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{}}]},"
                              "\"finishReason\":\"STOP\"}]}"},
};

TEST(gemini_answers_that_fail)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_gemini, &dialect_openai, false,
                                    str_from(failures[i].body), 0, &err);

        EXPECT(!got.ptr && err.code == ERR_UNAVAILABLE, "%s: %s", failures[i].name, err.text);
    }
}

/* An OpenAI provider's stream for a Gemini client: calls are whole, in both shapes of a stream. */
TEST(gemini_client_gets_a_stream)
{
    static const char bytes[] =
        "data: "
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\","
        "\"choices\":[{\"index\":0,"
        "\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\","
        "\"choices\":[{\"index\":0,"
        "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{"
        "\"name\":\"f\",\"arguments\":"
        "\"{\\\"a\\\"\"}}]},\"finish_reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\","
        "\"choices\":[{\"index\":0,"
        "\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]},\"finish_"
        "reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\","
        "\"choices\":[{\"index\":0,"
        "\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
        "data: "
        "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\","
        "\"choices\":[],\"usage\":{"
        "\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\ndata: [DONE]\n\n";
    static const char last[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],"
                               "\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
                               "\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":"
                               "2,\"totalTokenCount\":11},"
                               "\"modelVersion\":\"m\",\"responseId\":\"7f3a\"}";
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str events = kit_answer(arena, &dialect_openai, &dialect_gemini, true,
                                   (struct str){bytes, sizeof bytes - 1}, 100, &err);
    struct str array = kit_answer(arena, &dialect_openai, &dialect_gemini_array, true,
                                  (struct str){bytes, sizeof bytes - 1}, 100, &err);
    struct json *j;

    REQUIRE(events.ptr && array.ptr, "%s", err.text);
    EXPECT(str_starts(events,
                      STR("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]")),
           STR_FMT, STR_ARG(events));
    EXPECT(str_find(events,
                    STR("{\"functionCall\":{\"id\":\"t\",\"name\":\"f\",\"args\":{\"a\":1}}}")) <
               events.len,
           STR_FMT, STR_ARG(events));
    EXPECT(str_find(events, str_from(last)) < events.len, STR_FMT, STR_ARG(events));
    EXPECT(str_ends(events, STR("\r\n\r\n")));
    j = json_parse(arena, array, &err);
    REQUIRE(j, "%s: " STR_FMT, err.text, STR_ARG(array));
    EXPECT(json_count(j, json_root(j)) == 3);
}

/* A chat stream tells probabilities word by word; here they are told once, at the end. */
TEST(gemini_client_gets_all_logprobs_of_a_stream)
{
    static const char bytes[] =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{"
        "\"content\":[{\"token\":\"a\",\"logprob\":-1,\"bytes\":null,\"top_logprobs\":[{\"token\":"
        "\"x\",\"logprob\":-3,\"bytes\":null}]}],\"refusal\":null},\"finish_reason\":null}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"logprobs\":{"
        "\"content\":[{\"token\":\"b\",\"logprob\":-2,\"bytes\":null,\"top_logprobs\":[]}],"
        "\"refusal\":null},\"finish_reason\":null}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
        "\n\ndata: [DONE]\n\n";
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got = kit_answer(arena, &dialect_openai, &dialect_gemini, true,
                                (struct str){bytes, sizeof bytes - 1}, 0, &err);
    const struct str want = STR(
        "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"a\",\"logProbability\":-1},{"
        "\"token\":\"b\",\"logProbability\":-2}],\"topCandidates\":[{\"candidates\":[{\"token\":"
        "\"x\",\"logProbability\":-3}]},{\"candidates\":[]}]}");

    REQUIRE(got.ptr, "%s", err.text);
    EXPECT(str_find(got, want) < got.len, STR_FMT, STR_ARG(got));
}

/* ---- paths ---- */

static const struct {
    const char *path, *model, *verb;
    const struct dialect *speaks;
    bool stream;
} paths[] = {
    {"models/m:generateContent", "m", "generateContent", &dialect_gemini, false},
    {"models/m:streamGenerateContent?alt=sse", "m", "streamGenerateContent", &dialect_gemini, true},
    {"models/m:streamGenerateContent?key=1", "m", "streamGenerateContent", &dialect_gemini_array,
     true},
    {"models/a:b:generateContent", "a:b", "generateContent", &dialect_gemini, false},
    {"models/a%3Ab:embedContent", "a:b", "embedContent", &dialect_gemini_embed, false},
    {"models/m:countTokens", "m", "countTokens", NULL, false},
    {"models/llama3:8b", "llama3:8b", "", NULL, false},
    {"models/m", "m", "", NULL, false},
};

TEST(gemini_paths)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct gemini_path got;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        REQUIRE(gemini_path_read(arena, str_from(paths[i].path), &got, &err), "%s: %s",
                paths[i].path, err.text);
        EXPECT(str_eq(got.model, str_from(paths[i].model)) &&
                   str_eq(got.verb, str_from(paths[i].verb)) && got.speaks == paths[i].speaks &&
                   got.stream == paths[i].stream,
               "%s", paths[i].path);
    }
    EXPECT(!gemini_path_read(arena, STR("models/"), &got, &err));
    EXPECT(!gemini_path_read(arena, STR("files/x"), &got, &err));
    EXPECT(!gemini_path_read(arena, STR("models/a%zz:generateContent"), &got, &err));
}

/* ---- errors ---- */

TEST(gemini_errors)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str type = STR_NONE, message = STR_NONE, param = STR_NONE, code = STR_NONE, out;
    struct err err = {.code = ERR_EXHAUSTED, .text = "too many"};
    struct buf b;

    dialect_gemini.read_error(
        arena,
        STR("[{\"error\":{\"code\":400,\"message\":\"bad\",\"status\":\"INVALID_ARGUMENT\","
            "\"details\":[{\"@type\":"
            "\"type.googleapis.com/"
            "google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"contents[0]\"}]},"
            "{\"reason\":\"API_KEY_INVALID\"}]}}]"),
        400, &type, &message, &param, &code);
    EXPECT(str_eq(type, STR("INVALID_ARGUMENT")) && str_eq(message, STR("bad")) &&
           str_eq(param, STR("contents[0]")) && str_eq(code, STR("API_KEY_INVALID")));
    buf_init(&b, arena, 4096);
    dialect_gemini.write_error(&b, 429, "", &err);
    REQUIRE(buf_finish(&b, &out, &err));
    kit_same_json(
        arena, "error", out,
        "{\"error\":{\"code\":429,\"message\":\"too many\",\"status\":\"RESOURCE_EXHAUSTED\"}}");
}

TEST(gemini_says_in_the_body_when_to_ask_again)
{
    static const struct {
        const char *details, *want;
    } rows[] = {
        {"{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34.07s\"}",
         "35"},
        {"{\"reason\":\"x\"},{\"retryDelay\":\"3s\"}", "3"},
        {"{\"retryDelay\":\"0.5s\"}", "1"},
        {"{\"retryDelay\":\"soon\"}", ""},
        {"{\"retryDelay\":\"s\"}", ""},
        {"{\"retryDelay\":\"99999999999999999999s\"}", ""},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str body =
            arena_fmt(arena, "[{\"error\":{\"code\":429,\"details\":[%s]}}]", rows[i].details);
        struct str got = dialect_gemini.read_retry(arena, body);

        EXPECT(str_eq(got, str_from(rows[i].want)), "%s: " STR_FMT, rows[i].details, STR_ARG(got));
    }
}

/* Rewritten for a provider of the same dialect, as where another goes on. */
TEST(gemini_keeps_what_only_gemini_knows)
{
    static const char *const kept[] = {
        "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"VALIDATED\",\"streamed\":true}",
        "\"retrievalConfig\":{\"languageCode\":\"de\"}}",
        "\"scheduling\":\"SILENT\",\"willContinue\":true}",
        "\"functionCall\":{\"name\":\"f\",\"args\":{},\"mood\":1},\"tempo\":2",
        "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\",\"mood\":3},\"tempo\":4",
        "\"text\":\"hi\",\"partMetadata\":{}",
        "\"includeThoughts\":false,\"mood\":5"};
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str got = kit_request(
        arena, &dialect_gemini, &dialect_gemini,
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\",\"partMetadata\":{}},{"
        "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\",\"mood\":3},\"tempo\":4}]},"
        "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"mood\":1},\"tempo\":2}"
        "]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{},"
        "\"scheduling\":\"SILENT\",\"willContinue\":true}}]}],\"tools\":[{\"functionDeclarations\":"
        "[{"
        "\"name\":\"f\"},{\"name\":\"g\"}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":"
        "\"VALIDATED\",\"allowedFunctionNames\":[\"f\"],\"streamed\":true},\"retrievalConfig\":{"
        "\"languageCode\":\"de\"}},\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":"
        "\"THINKING_LEVEL_UNSPECIFIED\",\"mood\":5}}}",
        &losses, &err);

    REQUIRE(got.ptr && losses.count == 0, "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        EXPECT(str_find(got, str_from(kept[i])) < got.len, "%s: " STR_FMT, kept[i], STR_ARG(got));
    EXPECT(str_find(got, STR("\"g\"")) == got.len, "one that may not be called: " STR_FMT,
           STR_ARG(got));
}

/* A vector is made for its task: another task, another vector. */
TEST(gemini_embeddings_keep_their_task)
{
    static const char body[] =
        "{\"requests\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"taskType\":"
        "\"RETRIEVAL_DOCUMENT\",\"title\":\"A\"},{\"content\":{\"parts\":[{\"text\":\"b\"}]},"
        "\"taskType\":\"RETRIEVAL_QUERY\"}]}";
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str got =
        kit_request(arena, &dialect_gemini_embed, &dialect_gemini, body, &losses, &err);

    kit_same_json(arena, "to Gemini", got,
                  "{\"requests\":[{\"model\":\"models/remote-m\",\"content\":{\"parts\":[{\"text\":"
                  "\"a\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\",\"title\":\"A\"},{\"model\":"
                  "\"models/remote-m\",\"content\":{\"parts\":[{\"text\":\"b\"}]},\"taskType\":"
                  "\"RETRIEVAL_QUERY\"}]}");
    EXPECT(losses.count == 0);
    got = kit_request(arena, &dialect_gemini_embed, &dialect_openai, body, &losses, &err);
    EXPECT(got.ptr && losses.count == 2, "%s: %" PRIu32, err.text, losses.count);
}

/* Far behind in a long text, and many of them: each is found where it is, and soon. */
TEST(gemini_places_of_many_sources)
{
    static const struct dialect *const clients[] = {&dialect_openai, &dialect_gemini};

    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
        clock_t begun = clock();
        struct err err = {0};
        struct str got;
        struct buf b;

        buf_init(&b, arena, 64 * MIB);
        buf_str(&b, STR("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\""));
        for (int n = 0; n < 500000; n++)
            buf_str(&b, STR("a\xc3\xa9"));
        buf_str(&b,
                STR("\"}]},\"finishReason\":\"STOP\",\"citationMetadata\":{\"citationSources\":["));
        for (int n = 0; n < 20000; n++)
            buf_fmt(&b, "%s{\"startIndex\":%d,\"endIndex\":%d,\"uri\":\"https://a.b\"}",
                    n ? "," : "", 1500000 - 3 * n - 6, 1500000 - 3 * n);
        buf_str(&b, STR("]}}]}"));
        got = kit_answer(arena, &dialect_gemini, clients[i], false, buf_view(&b), 0, &err);
        REQUIRE(got.ptr, "%s: %s", clients[i]->name, err.text);
        EXPECT(str_find(got, i ? STR("\"startIndex\":1440000,\"endIndex\":1440006")
                               : STR("\"start_index\":960000,\"end_index\":960004")) < got.len,
               "%s", clients[i]->name);
        EXPECT(clock() - begun < 10 * CLOCKS_PER_SEC, "%s: %g s", clients[i]->name,
               (double)(clock() - begun) / CLOCKS_PER_SEC);
    }
}

/* Clients take them in order. */
TEST(gemini_vectors_are_those_of_their_texts)
{
    static const struct {
        uint32_t count, places[2];
        const char *want;
    } sets[] = {
        {2, {1, 0}, "{\"embeddings\":[{\"values\":[11]},{\"values\":[10]}]}"},
        {1, {1, 0}, NULL}, /* too few */
        {2, {0, 0}, NULL}, /* two of one */
        {2, {0, 2}, NULL}, /* of a text that there is not */
    };

    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct conversation *asked = kit_read(
            arena, &dialect_gemini_embed,
            "{\"requests\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}},{\"content\":{\"parts\":[{"
            "\"text\":\"b\"}]}}]}",
            &err);
        struct said_writer w = {.arena = arena, .asked = asked, .model = STR("m")};
        bool ok = true;
        struct buf out;

        REQUIRE(asked && dialect_gemini_embed.writer_init(&w, &err), "%s", err.text);
        buf_init(&out, arena, MIB);
        for (uint32_t k = 0; k < sets[i].count && ok; k++) {
            struct said said = {.kind = SAID_VECTOR,
                                .choice = sets[i].places[k],
                                .raw = k ? STR("[11]") : STR("[10]")};

            ok = dialect_gemini_embed.write_said(&w, &said, &out, &err);
        }
        ok =
            ok && dialect_gemini_embed.write_said(&w, &(struct said){.kind = SAID_END}, &out, &err);
        EXPECT(ok == (sets[i].want != NULL), "%zu: %s", i, err.text);
        if (sets[i].want)
            kit_same_json(arena, "vectors", buf_view(&out), sets[i].want);
        EXPECT(ok || err.code == ERR_UNAVAILABLE);
    }
}

/* Models of pictures think in pictures: those are no part of the answer. */
TEST(gemini_drafts_are_no_answer)
{
    static const char body[] =
        "{\"candidates\":[{\"content\":{\"parts\":[{\"thought\":true,\"inlineData\":{\"mimeType\":"
        "\"image/png\",\"data\":\"DRAFT\"}},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":"
        "\"FINAL\"}}]},\"finishReason\":\"STOP\"}]}";
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got =
        kit_answer(arena, &dialect_gemini, &dialect_openai, false, str_from(body), 0, &err);

    EXPECT(str_find(got, STR("FINAL")) < got.len && str_find(got, STR("DRAFT")) == got.len &&
               str_find(got, STR("\"reply_dropped\":[\"parts.thought\"]")) < got.len,
           "%s " STR_FMT, err.text, STR_ARG(got));
}

/* A server that leaves a member out spoils no answer. */
TEST(gemini_client_reads_probabilities_with_holes)
{
    static const char *const tokens[] = {"{\"token\":\"a\"}", "{\"logprob\":-1}", "{}", "7",
                                         "{\"token\":7,\"logprob\":\"x\",\"top_logprobs\":[{}]}"};

    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str body = arena_fmt(
            arena,
            "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\","
            "\"logprobs\":{\"content\":[%s]}}]}",
            tokens[i]);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_openai, &dialect_gemini, false, body, 0, &err);

        EXPECT(got.ptr && json_parse(arena, got, &err), "%s: %s " STR_FMT, tokens[i], err.text,
               STR_ARG(got));
    }
}
