/* The Bedrock dialect: requests written, answers and event streams read. */
#include <string.h>

#include "dialect_kit.h"
#include "models/aws_frames.h"
#include "test.h"

#define MEMORY         (64 * MIB)
#define ASK            "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define HI             "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]"
#define CONFIG(inside) "\"inferenceConfig\":{" inside "}"
#define CLAUDE         "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"

static const struct {
    const char *name, *remote;
    const struct dialect *from;
    const char *body, *want;
    uint32_t losses;
} cases[] = {
    {"a text", CLAUDE, &dialect_openai, "{" ASK "}", "{" HI "," CONFIG("") "}", 0},
    {"numbers and stops", "anthropic.claude-3-haiku-20240307-v1:0", &dialect_openai,
     "{" ASK ",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":0.25,\"stop\":\"x\",\"metadata\":{"
     "\"a\":\"b\"},"
     "\"service_tier\":\"flex\"}",
     "{" HI "," CONFIG("\"maxTokens\":9,\"topP\":0.25,\"temperature\":0.5,\"stopSequences\":["
                       "\"x\"]") ",\"serviceTier\":{\"type\":\"flex\"},\"requestMetadata\":{\"a\":"
                                 "\"b\"}}",
     0},
    {"what Converse has no field for", CLAUDE, &dialect_openai,
     "{" ASK ",\"temperature\":1.5,\"seed\":1,\"n\":2,\"logit_bias\":{\"1\":1},\"response_format\":"
     "{\"type\":\"json_object\"}}",
     "{" HI "," CONFIG("\"temperature\":1") "}", 5},
    {"system turns and cache points", CLAUDE, &dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_"
     "control\":{\"type\":\"ephemeral\","
     "\"ttl\":\"1h\"}}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Hi\",\"cache_control\":"
     "{\"type\":\"ephemeral\"}}]}],\"top_k\":5,\"thinking\":{\"type\":\"enabled\",\"budget_"
     "tokens\":2000}}",
     "{\"system\":[{\"text\":\"S\"},{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}],"
     "\"messages\":[{\"role\":\"user\","
     "\"content\":[{\"text\":\"Hi\"},{\"cachePoint\":{\"type\":\"default\"}}]}]," CONFIG(
         "\"maxTokens\":9") ",\"additionalModelRequestFields\":{\"top_k\":5}}",
     1}, /* no room to think */
    {"thinking, its signature, calls and results", CLAUDE, &dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
     "2000},\"messages\":["
     "{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
     "\"thinking\",\"thinking\":\"hm\","
     "\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"eA==\"},{\"type\":\"tool_"
     "use\",\"id\":\"t1\",\"name\":\"f\","
     "\"input\":{\"a\":1}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_"
     "id\":\"t1\",\"is_error\":true,"
     "\"content\":\"no\"}]}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]},{\"role\":\"assistant\","
     "\"content\":["
     "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"s\"}}},"
     "{\"reasoningContent\":{\"redactedContent\":\"eA==\"}},"
     "{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}}]},{\"role\":\"user\","
     "\"content\":["
     "{\"toolResult\":{\"toolUseId\":\"t1\",\"content\":[{\"text\":\"no\"}],\"status\":\"error\"}}]"
     "}],"
     "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":"
     "\"object\"}}}}]}," CONFIG(
         "\"maxTokens\":9000") ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":"
                               "\"enabled\",\"budget_tokens\":2000}}}",
     0},
    {"tools and a choice", "amazon.nova-pro-v1:0", &dialect_openai,
     "{" ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":"
     "\"d\",\"strict\":true,\"parameters\":"
     "{\"type\":\"object\",\"properties\":{}}}}],\"tool_choice\":{\"type\":\"function\","
     "\"function\":{\"name\":\"f\"}}}",
     "{" HI ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"description\":\"d\","
     "\"inputSchema\":{\"json\":{"
     "\"type\":\"object\",\"properties\":{}}},\"strict\":true}}],\"toolChoice\":{\"tool\":{"
     "\"name\":\"f\"}}}," CONFIG("") "}",
     0},
    {"tools that may not be called are not shown", CLAUDE, &dialect_openai,
     "{" ASK
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\"}",
     "{" HI "," CONFIG("") "}", 0},
    {"an id of strange letters", CLAUDE, &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{"
     "\"id\":\"a b\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"[\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a "
     "b\",\"content\":\"x\"}]}",
     "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\"weir_"
     "c8687a08aa5d6ed2044328fa6a697ab8\","
     "\"name\":\"f\",\"input\":{\"INVALID_JSON\":\"[\"}}}]},{\"role\":\"user\",\"content\":[{"
     "\"toolResult\":{\"toolUseId\":"
     "\"weir_c8687a08aa5d6ed2044328fa6a697ab8\",\"content\":[{\"text\":\"x\"}]}}]}],\"toolConfig\":"
     "{\"tools\":[{\"toolSpec\":{"
     "\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}]}," CONFIG("") "}",
     0},
    {"a turn that says nothing is no message", CLAUDE, &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
     "\"assistant\","
     "\"content\":\" \"},{\"role\":\"user\",\"content\":\"Ho\"}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"},{\"text\":\"Ho\"}]}]"
     "," CONFIG("") "}",
     0},
    {"pictures and files", CLAUDE, &dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
     "\"image_url\":{\"url\":"
     "\"data:image/jpeg;base64,AAAA\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
     "example.org/a.png\"}},"
     "{\"type\":\"file\",\"file\":{\"filename\":\"my_report.pdf\",\"file_data\":\"data:application/"
     "pdf;base64,BBBB\"}}]}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"image\":{\"format\":\"jpeg\",\"source\":{"
     "\"bytes\":\"AAAA\"}}},"
     "{\"document\":{\"format\":\"pdf\",\"name\":\"my report "
     "pdf\",\"source\":{\"bytes\":\"BBBB\"}}}]}]," CONFIG("") "}",
     1},
    {"a schema", "us.anthropic.claude-opus-4-6-v1", &dialect_openai,
     "{" ASK ",\"reasoning_effort\":\"high\",\"response_format\":{\"type\":\"json_schema\",\"json_"
     "schema\":{\"name\":\"n\","
     "\"schema\":{\"type\":\"object\"}}}}",
     "{" HI "," CONFIG("") ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"adaptive\"}"
                           "},\"outputConfig\":{"
                           "\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":"
                           "{\"schema\":\"{\\\"type\\\":\\\"object\\\"}\","
                           "\"name\":\"n\"}}},\"effort\":\"high\"}}",
     0},
    {"Converse's own fields pass from anybody, and ours join", "amazon.nova-pro-v1:0",
     &dialect_gemini,
     "{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}],\"generationConfig\":{\"topK\":3},"
     "\"guardrailConfig\":{\"guardrailIdentifier\":"
     "\"g\"},\"additionalModelRequestFields\":{\"x\":1}}",
     "{" HI "," CONFIG("") ",\"additionalModelRequestFields\":{\"x\":1,\"inferenceConfig\":{"
                           "\"topK\":3}},\"guardrailConfig\":{"
                           "\"guardrailIdentifier\":\"g\"}}",
     0},
    {"Titan's embeddings", "amazon.titan-embed-text-v2:0", &dialect_embeddings,
     "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":256}",
     "{\"inputText\":\"a\",\"dimensions\":256}", 0},
    {"Cohere's embeddings", "cohere.embed-multilingual-v3", &dialect_embeddings,
     "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"input_type\":\"search_query\"}",
     "{\"texts\":[\"a\",\"b\"],\"input_type\":\"search_query\",\"embedding_types\":[\"float\"]}",
     0},
};

static struct str write_to(struct arena *arena, const struct dialect *from, const char *remote,
                           const char *body, struct losses *losses, struct outgoing *out,
                           struct err *err)
{
    struct conversation *c = kit_read(arena, from, body, err);
    struct model model = kit_model;

    model.remote_name = str_from(remote);
    if (!c || !dialect_bedrock.write_request(arena, c, &model, losses, out, err))
        return STR_NONE;
    return out->body;
}

TEST(bedrock_requests)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct outgoing out;
        struct err err = {0};
        struct str got =
            write_to(arena, cases[i].from, cases[i].remote, cases[i].body, &losses, &out, &err);

        EXPECT(got.ptr, "%s: %s", cases[i].name, err.text);
        kit_same_json(arena, cases[i].name, got, cases[i].want);
        EXPECT(losses.count == cases[i].losses, "%s: %u losses, first " STR_FMT, cases[i].name,
               losses.count, STR_ARG(losses.fields[0]));
    }
}

TEST(bedrock_paths)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct outgoing out;
    struct err err = {0};

    write_to(arena, &dialect_openai, CLAUDE, "{" ASK ",\"stream\":true}", &losses, &out, &err);
    EXPECT(str_eq(out.path,
                  STR("/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream")),
           STR_FMT, STR_ARG(out.path));
    write_to(arena, &dialect_openai, "arn:aws:bedrock:eu-west-1:1:inference-profile/a", "{" ASK "}",
             &losses, &out, &err);
    EXPECT(
        str_eq(out.path,
               STR("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fa/converse")),
        STR_FMT, STR_ARG(out.path));
    EXPECT(!write_to(arena, &dialect_embeddings, "amazon.titan-embed-text-v2:0",
                     "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", &losses, &out, &err)
                .ptr);
    EXPECT(err.code == ERR_INVALID);
    EXPECT(!write_to(arena, &dialect_embeddings, "cohere.embed-v4",
                     "{\"model\":\"m\",\"input\":[[1,2]]}", &losses, &out, &err)
                .ptr);
    EXPECT(err.code == ERR_INVALID && strstr(err.text, "input"), "%s", err.text);
}

/* ---- answers ---- */

#define ANSWER(content, stop, usage)                                         \
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[" content \
    "]}},\"stopReason\":\"" stop "\",\"usage\":{" usage "},\"metrics\":{\"latencyMs\":5}}"
#define USAGE "\"inputTokens\":5,\"outputTokens\":7,\"totalTokens\":12"

static const struct {
    const char *name, *body;
    const char *has[4];
} answers[] = {
    {"text",
     ANSWER("{\"text\":\"Hi\"}", "end_turn", USAGE),
     {"\"content\":\"Hi\"", "\"finish_reason\":\"stop\"",
      "\"prompt_tokens\":5,\"completion_tokens\":7"}},
    {"what was cached is in the prompt",
     ANSWER("{\"text\":\"Hi\"}", "max_tokens",
            USAGE ",\"cacheReadInputTokens\":100,\"cacheWriteInputTokens\":20"),
     {"\"finish_reason\":\"length\"", "\"prompt_tokens\":125,", "\"cached_tokens\":100"}},
    {"calls",
     ANSWER(
         "{\"text\":\"so\"},{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}}",
         "tool_use", USAGE),
     {"\"finish_reason\":\"tool_calls\"", "\"id\":\"t\"", "{\\\"a\\\":1}"}},
    {"reasoning",
     ANSWER("{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"s\"}}},{"
            "\"text\":\"Hi\"}",
            "end_turn", USAGE),
     {"\"hm\"", "\"content\":\"Hi\""}},
    {"a guardrail",
     ANSWER("{\"text\":\"no\"}", "guardrail_intervened", USAGE),
     {"\"finish_reason\":\"content_filter\""}},
};

TEST(bedrock_answers)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_bedrock, &dialect_openai, false,
                                    str_from(answers[i].body), 0, &err);

        EXPECT(got.ptr, "%s: %s", answers[i].name, err.text);
        for (size_t k = 0; k < ARRAY_LEN(answers[i].has) && answers[i].has[k] && got.ptr; k++)
            EXPECT(str_find(got, str_from(answers[i].has[k])) < got.len, "%s: %s: " STR_FMT,
                   answers[i].name, answers[i].has[k], STR_ARG(got));
    }
}

static const struct {
    const char *name, *body;
} failures[] = {
    {"no message", "{}"},
    {"a toolUse without a name", "{\"output\":{\"message\":{\"content\":[{\"toolUse\":{"
                                 "\"toolUseId\":\"t\"}}]}},\"stopReason\":\"end_turn\"}"},
};

TEST(bedrock_answers_that_fail)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_answer(arena, &dialect_bedrock, &dialect_openai, false,
                           str_from(failures[i].body), 0, &err)
                    .ptr);
        EXPECT(err.code == ERR_UNAVAILABLE, "%s: %s", failures[i].name, err.text);
    }
}

/* A document may come as pieces of text: for Bedrock's own models, and read all the same. */
TEST(bedrock_documents_in_pieces_are_read)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct outgoing out;
    struct err err = {0};
    static const char body[] = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"},{"
                               "\"document\":{\"name\":\"d\","
                               "\"source\":{\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]}}}]}]}";
    struct str got = write_to(arena, &dialect_bedrock, CLAUDE, body, &losses, &out, &err);

    EXPECT(str_eq(got, str_from(body)), "%s: " STR_FMT, err.text, STR_ARG(got));
    got = kit_request(arena, &dialect_bedrock, &dialect_openai, body, &losses, &err);
    EXPECT(got.ptr && losses.count == 1, "%s: %u losses", err.text, losses.count);
}

/* All that Converse's enumerations name. */
TEST(bedrock_formats_of_media_are_read)
{
    static const struct {
        const char *kind, *formats;
    } kinds[] = {
        {"image", "png jpeg gif webp"},
        {"document", "pdf csv doc docx xls xlsx html txt md"},
        {"video", "mkv mov mp4 webm flv mpeg mpg wmv three_gp"},
        {"audio", "mp3 opus wav aac flac mp4 ogg mkv mka x-aac m4a mpeg mpga pcm webm"},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (struct str rest = str_from(kinds[i].formats), one; str_split(&rest, ' ', &one);) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct err err = {0};
            struct str body =
                arena_fmt(arena,
                          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"%s\":{\"format\":"
                          "\"" STR_FMT "\",\"source\":{\"bytes\":\"AAAA\"}}}]}]}",
                          kinds[i].kind, STR_ARG(one));

            EXPECT(kit_read(arena, &dialect_bedrock, body.ptr, &err), "%s " STR_FMT ": %s",
                   kinds[i].kind, STR_ARG(one), err.text);
        }
}

/* A point that lasts an hour may not stand behind one of five minutes at Anthropic: both must keep their times. */
TEST(bedrock_cache_points_keep_their_time)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str got = kit_request(
        arena, &dialect_bedrock, &dialect_anthropic,
        "{\"system\":[{\"text\":\"S\"},{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}]," HI
        ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{}}}},"
        "{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}]},\"inferenceConfig\":{"
        "\"maxTokens\":9}}",
        &losses, &err);

    REQUIRE(got.ptr, "%s", err.text);
    kit_same_json(
        arena, "points", got,
        "{\"model\":\"remote-m\",\"max_tokens\":9,\"system\":[{\"type\":\"text\",\"text\":\"S\","
        "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],\"messages\":[{\"role\":"
        "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],\"tools\":[{\"name\":\"f\","
        "\"input_schema\":{},\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]}");
}

/* ---- streams ---- */

static void event(struct buf *b, const char *type, const char *payload)
{
    aws_write(b, str_from(strstr(type, "Exception") ? "exception" : "event"), str_from(type),
              str_from(payload));
}

static void write_stream(struct buf *b)
{
    event(b, "messageStart", "{\"role\":\"assistant\"}");
    event(b, "contentBlockDelta",
          "{\"delta\":{\"reasoningContent\":{\"text\":\"hm\"}},\"contentBlockIndex\":0}");
    event(b, "contentBlockDelta",
          "{\"delta\":{\"reasoningContent\":{\"signature\":\"s\"}},\"contentBlockIndex\":0}");
    event(b, "contentBlockStop", "{\"contentBlockIndex\":0}");
    event(b, "contentBlockDelta",
          "{\"delta\":{\"text\":\"H\xc3\xa9\"},\"contentBlockIndex\":1,\"p\":\"abcdef\"}");
    event(b, "contentBlockStop", "{\"contentBlockIndex\":1}");
    event(b, "contentBlockStart",
          "{\"start\":{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\"}},\"contentBlockIndex\":2}");
    event(b, "contentBlockDelta",
          "{\"delta\":{\"toolUse\":{\"input\":\"{\\\"a\\\"\"}},\"contentBlockIndex\":2}");
    event(b, "contentBlockDelta",
          "{\"delta\":{\"toolUse\":{\"input\":\":1}\"}},\"contentBlockIndex\":2}");
    event(b, "contentBlockStop", "{\"contentBlockIndex\":2}");
    event(b, "messageStop", "{\"stopReason\":\"tool_use\"}");
    event(b, "metadata", "{\"usage\":{" USAGE "},\"metrics\":{\"latencyMs\":1}}");
}

TEST(bedrock_stream_at_every_cut)
{
    struct arena *first CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str whole, anthropic;
    struct buf b;

    buf_init(&b, first, MIB);
    write_stream(&b);
    whole = kit_answer(first, &dialect_bedrock, &dialect_openai, true, buf_view(&b), 0, &err);
    REQUIRE(whole.ptr, "%s", err.text);
    EXPECT(str_find(whole, STR("\"content\":\"H\xc3\xa9\"")) < whole.len, STR_FMT, STR_ARG(whole));
    EXPECT(str_find(whole, STR("\"finish_reason\":\"tool_calls\"")) < whole.len);
    EXPECT(str_find(whole, STR("\"prompt_tokens\":5")) < whole.len);
    anthropic =
        kit_answer(first, &dialect_bedrock, &dialect_anthropic, true, buf_view(&b), 0, &err);
    EXPECT(str_find(anthropic, STR("\"signature\":\"s\"")) < anthropic.len, STR_FMT,
           STR_ARG(anthropic));
    for (size_t cut = 1; cut < b.len; cut++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str got =
            kit_answer(arena, &dialect_bedrock, &dialect_openai, true, buf_view(&b), cut, &err);

        EXPECT(str_eq(got, whole), "cut at %zu: %s", cut, err.text);
    }
}

/* A call without input has no delta: its arguments are an empty object all the same. */
TEST(bedrock_streams_calls_without_input)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got;
    struct buf b;

    buf_init(&b, arena, MIB);
    event(&b, "messageStart", "{\"role\":\"assistant\"}");
    for (int i = 0; i < 2; i++) {
        event(&b, "contentBlockStart",
              i ? "{\"start\":{\"toolUse\":{\"toolUseId\":\"u\",\"name\":\"f\"}},"
                  "\"contentBlockIndex\":1}"
                : "{\"start\":{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\"}},"
                  "\"contentBlockIndex\":0}");
        event(&b, "contentBlockDelta",
              i ? "{\"delta\":{\"toolUse\":{\"input\":\"{}\"}},\"contentBlockIndex\":1}"
                : "{\"delta\":{\"toolUse\":{\"input\":\"\"}},\"contentBlockIndex\":0}");
        event(&b, "contentBlockStop",
              i ? "{\"contentBlockIndex\":1}" : "{\"contentBlockIndex\":0}");
    }
    event(&b, "messageStop", "{\"stopReason\":\"tool_use\"}");
    got = kit_answer(arena, &dialect_bedrock, &dialect_openai, true, buf_view(&b), 0, &err);
    REQUIRE(got.ptr, "%s", err.text);
    EXPECT(str_find(got, STR("{\"index\":0,\"function\":{\"arguments\":\"{}\"}}")) < got.len,
           STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("{\"index\":1,\"function\":{\"arguments\":\"{}\"}}")) < got.len,
           STR_FMT, STR_ARG(got));
}

TEST(bedrock_streams_that_fail)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, MIB);
    event(&b, "messageStart", "{\"role\":\"assistant\"}");
    event(&b, "contentBlockDelta", "{\"delta\":{\"text\":\"Hi\"},\"contentBlockIndex\":0}");
    EXPECT(!kit_answer(arena, &dialect_bedrock, &dialect_openai, true, buf_view(&b), 0, &err).ptr);
    EXPECT(strstr(err.text, "stopReason"), "%s", err.text);
    EXPECT(!kit_answer(arena, &dialect_bedrock, &dialect_openai, true,
                       str_slice(buf_view(&b), 0, b.len - 3), 0, &err)
                .ptr);
    EXPECT(strstr(err.text, "inside a frame"), "%s", err.text);
    b.len = 0;
    event(&b, "contentBlockDelta",
          "{\"delta\":{\"toolUse\":{\"input\":\"{}\"}},\"contentBlockIndex\":0}");
    EXPECT(!kit_answer(arena, &dialect_bedrock, &dialect_openai, true, buf_view(&b), 0, &err).ptr);
    b.len = 0;
    event(&b, "contentBlockDelta", "{\"delta\":{\"text\":\"x\"},\"contentBlockIndex\":4096}");
    EXPECT(!kit_answer(arena, &dialect_bedrock, &dialect_openai, true, buf_view(&b), 0, &err).ptr);
}

TEST(bedrock_errors)
{
    static const struct {
        int status;
        const char *body, *type, *message;
    } errors[] = {
        {400, "{\"message\":\"bad\"}", "ValidationException", "bad"},
        {429, "{\"message\":\"slow\"}", "ThrottlingException", "slow"},
        {400, "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"no\"}",
         "AccessDeniedException", "no"},
        {500, "<html>", "InternalServerException", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str type = STR_NONE, message = STR_NONE, param = STR_NONE, code = STR_NONE;

        dialect_bedrock.read_error(arena, str_from(errors[i].body), errors[i].status, &type,
                                   &message, &param, &code);
        EXPECT(str_eq(type, str_from(errors[i].type)), "%zu: " STR_FMT, i, STR_ARG(type));
        EXPECT(str_eq(message, str_from(errors[i].message)), "%zu: " STR_FMT, i, STR_ARG(message));
    }
}
