/* What providers report as used, as they report it, and how the house counts it: tokens_in is everything
 * read, tokens_out everything made, the rest are parts of these. */
#include "dialect_kit.h"
#include "models/chat.h"
#include "test.h"

#define OPENAI(usage)                                                                             \
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"},\"finish_reason\":" \
    "\"stop\"}]," usage "}"
#define ANTHROPIC(usage)                                                                         \
    "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"Hi\"}],\"stop_reason\":"                                                         \
    "\"end_turn\",\"usage\":{" usage "}}"
#define GEMINI(usage)                                                                            \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]},\"finishReason\":\"STOP\"}]," \
    "\"usageMetadata\":{" usage "}}"
#define BEDROCK(usage)                                                                    \
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"Hi\"}]}}," \
    "\"stopReason\":\"end_turn\",\"usage\":{" usage "}}"

static const struct {
    const char *name;
    const struct dialect *dialect;
    const char *reply;
    struct usage
        want; /* tokens in, out, cached, cache write, long, reasoning, audio in, out, image in */
} replies[] = {
    {"OpenAI, cached prompt",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":2006,\"completion_tokens\":300,\"total_tokens\":2306,"
            "\"prompt_tokens_details\":"
            "{\"cached_tokens\":1920,\"audio_tokens\":0},\"completion_tokens_details\":{"
            "\"reasoning_tokens\":0,\"audio_tokens\":0,"
            "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}"),
     {2006, 300, 1920, -1, -1, 0, 0, 0, -1, false}},
    {"OpenAI, reasoning",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":75,\"completion_tokens\":1186,\"total_tokens\":1261,"
            "\"prompt_tokens_details\":"
            "{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":1024}}"),
     {75, 1186, 0, -1, -1, 1024, -1, -1, -1, false}},
    {"OpenAI, audio in and out",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":126,\"completion_tokens\":84,\"total_tokens\":210,"
            "\"prompt_tokens_details\":"
            "{\"cached_tokens\":0,\"text_tokens\":100,\"image_tokens\":0,\"audio_tokens\":26},"
            "\"completion_tokens_details\":"
            "{\"reasoning_tokens\":0,\"text_tokens\":20,\"audio_tokens\":64}}"),
     {126, 84, 0, -1, -1, 0, 26, 64, 0, false}},
    {"OpenRouter, written to a cache",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":194,\"completion_tokens\":2,\"total_tokens\":196,"
            "\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":100,"
            "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}"),
     {194, 2, 0, 100, -1, 0, 0, -1, -1, false}},
    {"Azure, with its filters' results",
     &dialect_openai,
     OPENAI("\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{\"hate\":{"
            "\"filtered\":false,"
            "\"severity\":\"safe\"}}}],\"usage\":{\"completion_tokens\":22,\"completion_tokens_"
            "details\":{"
            "\"accepted_prediction_tokens\":0,\"audio_tokens\":0,\"reasoning_tokens\":0,\"rejected_"
            "prediction_tokens\":0},"
            "\"prompt_tokens\":1433,\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_"
            "tokens\":1280},\"total_tokens\":1455}"),
     {1433, 22, 1280, -1, -1, 0, 0, 0, -1, false}},
    {"DeepSeek, hit and miss",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":1536,\"completion_tokens\":120,\"total_tokens\":1656,"
            "\"prompt_cache_hit_tokens\":1024,"
            "\"prompt_cache_miss_tokens\":512,\"completion_tokens_details\":{\"reasoning_tokens\":"
            "80}}"),
     {1536, 120, 1024, -1, -1, 80, -1, -1, -1, false}},
    {"DashScope, its own cache",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":3019,\"completion_tokens\":104,\"total_tokens\":3123,"
            "\"prompt_tokens_details\":"
            "{\"cached_tokens\":2048}}"),
     {3019, 104, 2048, -1, -1, -1, -1, -1, -1, false}},
    {"DashScope, a cache that was asked for",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":1524,\"completion_tokens\":10,\"total_tokens\":1534,"
            "\"prompt_tokens_details\":"
            "{\"cached_tokens\":0,\"cache_creation\":{\"ephemeral_5m_input_tokens\":1494},\"cache_"
            "creation_input_tokens\":1494,"
            "\"cache_type\":\"ephemeral\"}}"),
     {1524, 10, 0, 1494, -1, -1, -1, -1, -1, false}},
    {"DashScope, a picture",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":1270,\"completion_tokens\":54,\"total_tokens\":1324,"
            "\"prompt_tokens_details\":"
            "{\"image_tokens\":1247,\"text_tokens\":23},\"completion_tokens_details\":{\"text_"
            "tokens\":54}}"),
     {1270, 54, -1, -1, -1, -1, -1, -1, 1247, false}},
    {"Ollama",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":26,\"completion_tokens\":298,\"total_tokens\":324}"),
     {26, 298, -1, -1, -1, -1, -1, -1, -1, false}},
    {"vLLM, details that are null",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":7,\"total_tokens\":17,\"completion_tokens\":10,\"prompt_"
            "tokens_details\":null}"),
     {7, 10, -1, -1, -1, -1, -1, -1, -1, false}},
    {"vLLM, prefix cache",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":700,\"total_tokens\":710,\"completion_tokens\":10,"
            "\"prompt_tokens_details\":"
            "{\"cached_tokens\":640}}"),
     {700, 10, 640, -1, -1, -1, -1, -1, -1, false}},
    {"SGLang, reasoning at the top",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":12,\"total_tokens\":112,\"completion_tokens\":100,"
            "\"prompt_tokens_details\":null,"
            "\"reasoning_tokens\":60}"),
     {12, 100, -1, -1, -1, 60, -1, -1, -1, false}},
    {"llama.cpp, only its timings",
     &dialect_openai,
     OPENAI("\"timings\":{\"cache_n\":236,\"prompt_n\":1,\"prompt_ms\":30.958,\"predicted_n\":35,"
            "\"predicted_ms\":661.064}"),
     {237, 35, 236, -1, -1, -1, -1, -1, -1, false}},
    {"Moonshot",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":21,\"total_tokens\":40,\"cached_"
            "tokens\":10}"),
     {19, 21, 10, -1, -1, -1, -1, -1, -1, false}},
    {"xAI, reasoning beside what was made",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":32,\"completion_tokens\":9,\"total_tokens\":135,\"prompt_"
            "tokens_details\":"
            "{\"cached_tokens\":6},\"completion_tokens_details\":{\"reasoning_tokens\":94}}"),
     {32, 103, 6, -1, -1, 94, -1, -1, -1, false}},
    {"counts that are none",
     &dialect_openai,
     OPENAI("\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":\"9\",\"total_tokens\":1e30}"),
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, false}},
    {"Anthropic, without a cache",
     &dialect_anthropic,
     ANTHROPIC("\"input_tokens\":2095,\"output_tokens\":503"),
     {2095, 503, -1, -1, -1, -1, -1, -1, -1, false}},
    {"Anthropic, read from the cache and written for both times",
     &dialect_anthropic,
     ANTHROPIC("\"input_tokens\":50,\"cache_read_input_tokens\":1800,\"cache_creation_input_"
               "tokens\":248,\"cache_creation\":"
               "{\"ephemeral_5m_input_tokens\":148,\"ephemeral_1h_input_tokens\":100},\"output_"
               "tokens\":503"),
     {2098, 503, 1800, 148, 100, -1, -1, -1, -1, false}},
    {"Gemini",
     &dialect_gemini,
     GEMINI("\"promptTokenCount\":8,\"candidatesTokenCount\":31,\"totalTokenCount\":39,"
            "\"promptTokensDetails\":[{\"modality\":"
            "\"TEXT\",\"tokenCount\":8}]"),
     {8, 31, -1, -1, -1, -1, -1, -1, -1, false}},
    {"Gemini, thoughts and a cache",
     &dialect_gemini,
     GEMINI("\"promptTokenCount\":1200,\"candidatesTokenCount\":40,\"totalTokenCount\":1900,"
            "\"cachedContentTokenCount\":1024,"
            "\"thoughtsTokenCount\":660,\"cacheTokensDetails\":[{\"modality\":\"TEXT\","
            "\"tokenCount\":1024}]"),
     {1200, 700, 1024, -1, -1, 660, -1, -1, -1, false}},
    {"Gemini, pictures, sound and what a tool read",
     &dialect_gemini,
     GEMINI("\"promptTokenCount\":600,\"candidatesTokenCount\":20,\"toolUsePromptTokenCount\":80,"
            "\"totalTokenCount\":700,"
            "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":10},{\"modality\":"
            "\"IMAGE\",\"tokenCount\":258},"
            "{\"modality\":\"AUDIO\",\"tokenCount\":332}]"),
     {680, 20, -1, -1, -1, -1, 332, -1, 258, false}},
    {"Gemini behind a server that counts thoughts in",
     &dialect_gemini,
     GEMINI("\"promptTokenCount\":100,\"candidatesTokenCount\":50,\"thoughtsTokenCount\":30,"
            "\"totalTokenCount\":150"),
     {100, 50, -1, -1, -1, 30, -1, -1, -1, false}},
    {"Gemini, nothing made",
     &dialect_gemini,
     GEMINI("\"promptTokenCount\":5,\"totalTokenCount\":5"),
     {5, 0, -1, -1, -1, -1, -1, -1, -1, false}},
    {"Bedrock",
     &dialect_bedrock,
     BEDROCK("\"inputTokens\":30,\"outputTokens\":628,\"totalTokens\":658"),
     {30, 628, -1, -1, -1, -1, -1, -1, -1, false}},
    {"Bedrock, read from the cache and written for both times",
     &dialect_bedrock,
     BEDROCK("\"inputTokens\":12,\"outputTokens\":40,\"totalTokens\":2352,\"cacheReadInputTokens\":"
             "1000,"
             "\"cacheWriteInputTokens\":1300,\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":300}"
             ",{\"ttl\":\"1h\",\"inputTokens\":"
             "1000}]"),
     {2312, 40, 1000, 300, 1000, -1, -1, -1, -1, false}},
};

static bool same(const struct usage *a, const struct usage *b)
{
    return a->tokens_in == b->tokens_in && a->tokens_out == b->tokens_out &&
           a->tokens_cached == b->tokens_cached && a->tokens_cache_write == b->tokens_cache_write &&
           a->tokens_cache_write_long == b->tokens_cache_write_long &&
           a->tokens_reasoning == b->tokens_reasoning && a->tokens_audio_in == b->tokens_audio_in &&
           a->tokens_audio_out == b->tokens_audio_out && a->tokens_image_in == b->tokens_image_in;
}

static void expect_same(const char *name, const char *how, const struct usage *got,
                        const struct usage *want)
{
    EXPECT(same(got, want),
           "%s, %s: in %" PRId64 " out %" PRId64 " cached %" PRId64 " write %" PRId64
           " long %" PRId64 " reasoning %" PRId64 " audio %" PRId64 "/%" PRId64 " image %" PRId64,
           name, how, got->tokens_in, got->tokens_out, got->tokens_cached, got->tokens_cache_write,
           got->tokens_cache_write_long, got->tokens_reasoning, got->tokens_audio_in,
           got->tokens_audio_out, got->tokens_image_in);
}

static bool keep_usage(void *ctx, const struct said *said, struct err *err)
{
    (void)err;
    if (said->kind == SAID_USAGE)
        *(struct usage *)ctx = said->usage;
    return true;
}

TEST(usage_replies_translated)
{
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct arena *scratch CLEANUP(arena_end) = arena_new(16 * MIB);
        struct conversation asked;
        struct usage got = usage_unknown;
        struct said_reader r = {.arena = arena,
                                .scratch = scratch,
                                .model = &kit_model,
                                .asked = &asked,
                                .take = keep_usage,
                                .ctx = &got};
        struct err err = {0};

        conversation_init(&asked);
        REQUIRE(replies[i].dialect->reader_init(&r, &err));
        EXPECT(replies[i].dialect->read_said(&r, STR_NONE, str_from(replies[i].reply), &err) &&
                   replies[i].dialect->at_end(&r, &err),
               "%s: %s", replies[i].name, err.text);
        expect_same(replies[i].name, "translated", &got, &replies[i].want);
    }
}

/* Spliced, the same is read while the bytes pass. */
TEST(usage_replies_spliced)
{
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct chat_meter meter;
        struct err err = {0};

        if (replies[i].dialect != &dialect_openai)
            continue;
        chat_meter_init(&meter, 1);
        REQUIRE(chat_read_reply(arena, str_from(replies[i].reply), &meter, &err), "%s", err.text);
        expect_same(replies[i].name, "spliced", &meter.usage, &replies[i].want);
    }
}

/* A stream's counts are running totals: what counts nothing takes none back, and what nobody can believe is none. */
TEST(usage_that_counts_nothing_takes_nothing_back)
{
    static const struct {
        const char *name;
        const struct dialect *dialect;
        const char *type[4], *events[4];
        int64_t in, out;
    } cases[] = {
        {"Anthropic, a 0 at the end",
         &dialect_anthropic,
         {"", "", ""},
         {"{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":25,"
          "\"cache_read_input_tokens\":5,\"output_tokens\":1}}}",
          "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
          "\"input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":7}}",
          "{\"type\":\"message_stop\"}"},
         30,
         7},
        {"Anthropic, a prompt that nobody counted",
         &dialect_anthropic,
         {"", "", ""},
         {"{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":0,"
          "\"output_tokens\":0}}}",
          "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
          "\"output_tokens\":7}}",
          "{\"type\":\"message_stop\"}"},
         -1,
         7},
        {"Gemini",
         &dialect_gemini,
         {"", ""},
         {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}],\"usageMetadata\":{"
          "\"promptTokenCount\":9,\"candidatesTokenCount\":2}}",
          "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{}}"},
         9,
         2},
        {"Gemini, more than there can be",
         &dialect_gemini,
         {""},
         {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]},\"finishReason\":"
          "\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":9223372036854775807,"
          "\"toolUsePromptTokenCount\":9223372036854775807,\"candidatesTokenCount\":2}}"},
         -1,
         2},
        {"Bedrock",
         &dialect_bedrock,
         {"messageStop", "metadata", "metadata"},
         {"{\"stopReason\":\"end_turn\"}", "{\"usage\":{\"inputTokens\":9,\"outputTokens\":2}}",
          "{\"usage\":{}}"},
         9,
         2},
        {"Bedrock, more than there can be",
         &dialect_bedrock,
         {"messageStop", "metadata"},
         {"{\"stopReason\":\"end_turn\"}",
          "{\"usage\":{\"inputTokens\":9223372036854775807,\"cacheReadInputTokens\":5,"
          "\"outputTokens\":2}}"},
         -1,
         2},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct conversation asked;
        struct usage got = usage_unknown;
        struct said_reader r = {.arena = arena,
                                .scratch = arena,
                                .model = &kit_model,
                                .asked = &asked,
                                .streamed = true,
                                .take = keep_usage,
                                .ctx = &got};
        struct err err = {0};

        conversation_init(&asked);
        REQUIRE(cases[i].dialect->reader_init(&r, &err));
        for (size_t k = 0; k < 4 && cases[i].events[k]; k++)
            EXPECT(cases[i].dialect->read_said(&r, str_from(cases[i].type[k]),
                                               str_from(cases[i].events[k]), &err),
                   "%s: %s", cases[i].name, err.text);
        EXPECT(cases[i].dialect->at_end(&r, &err), "%s: %s", cases[i].name, err.text);
        EXPECT(got.tokens_in == cases[i].in && got.tokens_out == cases[i].out,
               "%s: %" PRId64 " %" PRId64, cases[i].name, got.tokens_in, got.tokens_out);
    }
}
