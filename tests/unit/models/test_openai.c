/* The OpenAI dialect: requests read and written, answers read and written. */
#include <string.h>

#include "dialect_kit.h"
#include "models/chat.h"
#include "test.h"

#define MEMORY (64 * MIB)

static const struct provider original = {.name = {"o", 1}, .url = {.host = {"api.openai.com", 14}}};
static const struct provider other = {.name = {"v", 1}, .kind = KIND_VLLM};
static const struct model at_original = {.remote_name = {"remote-m", 8}, .provider = &original};
static const struct model at_other = {.remote_name = {"remote-m", 8}, .provider = &other};

/* clang-format off: JSON as it is sent */
static const struct {
    const char *name;
    const struct model *to;
    const char *body, *want;
} rewritten[] = {
    {"every field and every kind of part", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
     "brief.\"},{\"role\":\"developer\",\"content\":\"Dev.\"},{\"role\":\"user\",\"name\":\"ann\","
     "\"content\":[{\"type\":\"text\",\"text\":\"Look "
     "\\\"here\\\"\\n\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
     "png;base64,AAAA\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"https://x.test/"
     "a.png\"}},{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklG\",\"format\":\"mp3\"}},{"
     "\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:application/"
     "pdf;base64,JVBE\"}},{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]},{\"role\":"
     "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"t2\",\"type\":"
     "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_"
     "call_id\":\"t1\",\"content\":\"4\"},{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"5\"},{\"type\":\"text\",\"text\":\"6\"}]},{\"role\":"
     "\"assistant\",\"content\":\"Nine.\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
     "\"refusal\",\"refusal\":\"No.\"}]},{\"role\":\"user\",\"content\":\"Go "
     "on.\"}],\"max_completion_tokens\":50,\"temperature\":0.5,\"top_p\":0.9,\"frequency_penalty\":"
     "0.1,\"presence_penalty\":-0.25,\"n\":2,\"seed\":7,\"stop\":[\"END\",\"STOP\"],\"logit_bias\":"
     "{\"50256\":-100},\"user\":\"u1\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"adds\","
     "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}}},\"strict\":"
     "true}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],\"tool_choice\":{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\"}},\"parallel_tool_calls\":false,\"response_"
     "format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"description\":\"d\","
     "\"schema\":{\"type\":\"object\"},\"strict\":true}},\"logprobs\":true,\"top_logprobs\":3,"
     "\"service_tier\":\"flex\",\"verbosity\":\"low\",\"metadata\":{\"k\":\"v\"},\"modalities\":["
     "\"text\",\"audio\"],\"audio\":{\"voice\":\"alloy\",\"format\":\"wav\"},\"prediction\":{"
     "\"type\":\"content\",\"content\":\"x\"},\"reasoning_effort\":\"high\",\"store\":true,\"web_"
     "search_options\":{},\"prompt_cache_key\":\"k\",\"prompt_cache_retention\":\"24h\",\"prompt_"
     "cache_options\":{\"x\":1},\"safety_identifier\":\"s\",\"moderation\":{\"a\":1},\"a_field_of_"
     "tomorrow\":[1,{\"b\":null}]}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
     "brief.\"},{\"role\":\"developer\",\"content\":\"Dev.\"},{\"role\":\"user\",\"name\":\"ann\","
     "\"content\":[{\"type\":\"text\",\"text\":\"Look "
     "\\\"here\\\"\\n\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
     "png;base64,AAAA\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"https://x.test/"
     "a.png\"}},{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"UklG\",\"format\":\"mp3\"}},{"
     "\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:application/"
     "pdf;base64,JVBE\"}},{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]},{\"role\":"
     "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"t2\",\"type\":"
     "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_"
     "call_id\":\"t1\",\"content\":\"4\"},{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":[{"
     "\"type\":\"text\",\"text\":\"5\"},{\"type\":\"text\",\"text\":\"6\"}]},{\"role\":"
     "\"assistant\",\"content\":\"Nine.\"},{\"role\":\"assistant\",\"content\":[{\"type\":"
     "\"refusal\",\"refusal\":\"No.\"}]},{\"role\":\"user\",\"content\":\"Go "
     "on.\"}],\"max_completion_tokens\":50,\"temperature\":0.5,\"top_p\":0.9,\"frequency_penalty\":"
     "0.1,\"presence_penalty\":-0.25,\"n\":2,\"seed\":7,\"stop\":[\"END\",\"STOP\"],\"logit_bias\":"
     "{\"50256\":-100},\"user\":\"u1\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"adds\","
     "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}}},\"strict\":"
     "true}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],\"tool_choice\":{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\"}},\"parallel_tool_calls\":false,\"response_"
     "format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"description\":\"d\","
     "\"schema\":{\"type\":\"object\"},\"strict\":true}},\"logprobs\":true,\"top_logprobs\":3,"
     "\"service_tier\":\"flex\",\"verbosity\":\"low\",\"metadata\":{\"k\":\"v\"},\"modalities\":["
     "\"text\",\"audio\"],\"audio\":{\"voice\":\"alloy\",\"format\":\"wav\"},\"prediction\":{"
     "\"type\":\"content\",\"content\":\"x\"},\"reasoning_effort\":\"high\",\"store\":true,\"web_"
     "search_options\":{},\"prompt_cache_key\":\"k\",\"prompt_cache_retention\":\"24h\",\"prompt_"
     "cache_options\":{\"x\":1},\"safety_identifier\":\"s\",\"moderation\":{\"a\":1},\"a_field_of_"
     "tomorrow\":[1,{\"b\":null}]}"},
    {"the older functions become tools", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
     "\"assistant\",\"content\":null,\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}},{"
     "\"role\":\"function\",\"name\":\"f\",\"content\":\"4\"}],\"functions\":[{\"name\":\"f\","
     "\"parameters\":{\"type\":\"object\"}}],\"function_call\":{\"name\":\"f\"},\"max_tokens\":5,"
     "\"stop\":\"END\"}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
     "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"f\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
     "\"f\",\"content\":\"4\"}],\"max_completion_tokens\":5,\"stop\":[\"END\"],\"tools\":[{"
     "\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}"},
    {"older calls of one function are told apart", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
     "\"assistant\",\"content\":null,\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}},{"
     "\"role\":\"function\",\"name\":\"f\",\"content\":\"4\"},{\"role\":\"assistant\",\"content\":"
     "null,\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"role\":\"function\","
     "\"name\":"
     "\"f\",\"content\":\"5\"}]}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
     "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"f\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
     "\"f\",\"content\":\"4\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
     "\"call_2_f\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{"
     "\"role\":\"tool\",\"tool_call_id\":\"call_2_f\",\"content\":\"5\"}]}"},
    {"allowed_tools leaves the others out", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"function\",\"function\":{\"name\":"
     "\"g\"}},{\"type\":\"function\",\"function\":{\"name\":\"h\"}}],\"tool_choice\":{\"type\":"
     "\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\",\"tools\":[{\"type\":\"function\","
     "\"function\":{\"name\":\"g\"}}]}}}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{"
     "\"type\":\"function\",\"function\":{\"name\":\"g\"}}],\"tool_choice\":\"required\"}"},
    {"the newer name of the limit wins; null is absent; weir stays here", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":5,"
     "\"max_completion_tokens\":6.0,\"temperature\":null,\"weir\":{\"cache\":false}}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_"
     "completion_tokens\":6}"},
    {"custom tools and their calls pass", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
     "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"custom\",\"custom\":"
     "{\"name\":\"x\",\"input\":\"y\"}}]}],\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":"
     "\"x\"}}]}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
     "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"custom\",\"custom\":"
     "{\"name\":\"x\",\"input\":\"y\"}}]}],\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":"
     "\"x\"}}]}"},
    {"parts and members that nobody knows pass", &at_original,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video_url\","
     "\"video_url\":{\"url\":\"v\"}},{\"type\":\"text\",\"text\":\"what?\"}],\"prefix\":true}]}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video_"
     "url\",\"video_url\":{\"url\":\"v\"}},{\"type\":\"text\",\"text\":\"what?\"}],\"prefix\":true}"
     "]}"},
    {"elsewhere: max_tokens, no developer, cache marks, reasoning of earlier turns, signatures",
     &at_other,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\","
     "\"text\":\"Dev.\",\"cache_control\":{\"type\":\"ephemeral\"}}]},{\"role\":\"user\","
     "\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"A\",\"reasoning_content\":\"hm\","
     "\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"\"},\"extra_content\":{\"google\":{\"thought_signature\":\"sig\"}}}]}],\"max_"
     "completion_tokens\":9,\"top_k\":5,\"min_p\":0.1}",
     "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\","
     "\"text\":\"Dev.\",\"cache_control\":{\"type\":\"ephemeral\"}}]},{\"role\":\"user\","
     "\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"A\",\"reasoning_content\":\"hm\","
     "\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"sig\"}}}]}],"
     "\"max_tokens\":9,\"top_k\":5,\"min_p\":0.1}"},
};

static const struct {
    const char *body, *want;
} refused[] = {
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "model: expected a string"},
    {"{\"model\":\"\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
     "model: expected the name of a model"},
    {"{\"model\":\"m\"}", "messages: expected an array with at least one message"},
    {"{\"model\":\"m\",\"messages\":[]}", "messages: expected an array with at least one message"},
    {"{\"model\":\"m\",\"messages\":[\"x\"]}", "messages.0: expected an object"},
    {"{\"model\":\"m\",\"messages\":[{\"content\":\"x\"}]}", "messages.0.role: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]}",
     "messages.0.role: expected system, developer"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":5}]}",
     "messages.0.content: expected a string or an array of parts"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]}",
     "messages.0.content.0.type: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"x\"},{\"type\":\"text\",\"text\":1}]}]}",
     "messages.0.content.1.text: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
     "\"image_url\":{}}]}]}",
     "messages.0.content.0.image_url.url: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{}"
     "}]}]}",
     "messages.0.content.0.file: expected file_data or file_id"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\","
     "\"input_audio\":{\"data\":\"x\"}}]}]}",
     "messages.0.content.0.input_audio.format: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
     "messages.0.tool_call_id: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{"
     "\"name\":\"f\"}}]}]}",
     "messages.0.tool_calls.0.id: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"i\","
     "\"function\":{}}]}]}",
     "messages.0.tool_calls.0.function.name: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":5}]}",
     "messages.0.tool_calls: expected an array"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":3}",
     "temperature: expected a number from 0 to 2"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":"
     "\"hot\"}",
     "temperature: expected a number from 0 to 2"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"n\":0}",
     "n: expected an integer from 1 to 128"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"n\":1.5}",
     "n: expected an integer, not a fraction"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":-1}",
     "max_tokens: expected an integer from 0 to 1e+09"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":\"yes\"}",
     "stream: expected true or false"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stop\":5}",
     "stop: expected a string or an array of strings"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stop\":[\"a\",\"a\","
     "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]}",
     "stop: expected at most 16 strings"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"seed\":\"x\"}",
     "seed: expected an integer"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"user\":5}",
     "user: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":5}",
     "tools: expected an array"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{}]}",
     "tools.0.type: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{}}]}",
     "tools.0.function.name: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"parameters\":5}}]}",
     "tools.0.function.parameters: expected an object"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tool_choice\":"
     "\"some\"}",
     "tool_choice: expected auto, none, required or an object"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tool_choice\":{"
     "\"type\":\"function\"}}",
     "tool_choice.function.name: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{"
     "\"type\":\"xml\"}}",
     "response_format.type: expected text, json_object or json_schema"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{"
     "\"type\":\"json_schema\",\"json_schema\":{}}}",
     "response_format.json_schema.name: expected a string"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream_options\":5}",
     "stream_options: expected an object"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream_options\":{"
     "\"include_usage\":5}}",
     "stream_options.include_usage: expected true or false"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"top_logprobs\":21}",
     "top_logprobs: expected an integer from 0 to 20"},
    {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"thinking\":{"
     "\"type\":\"enabled\",\"budget_tokens\":\"x\"}}",
     "thinking.budget_tokens: expected an integer"},
};
/* clang-format on */

static struct str rewrite(struct arena *arena, const char *body, const struct model *to,
                          struct losses *losses, struct err *err)
{
    struct conversation *c = kit_read(arena, &dialect_openai, body, err);
    struct outgoing out = {0};

    if (!c || !dialect_openai.write_request(arena, c, to, losses, &out, err))
        return STR_NONE;
    EXPECT(str_eq(out.path, STR("/chat/completions")));
    return out.body;
}

TEST(openai_requests_come_out_as_they_were_meant)
{
    for (size_t i = 0; i < ARRAY_LEN(rewritten); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str got = rewrite(arena, rewritten[i].body, rewritten[i].to, &losses, &err);

        EXPECT(!err.code, "%s: %s", rewritten[i].name, err.text);
        EXPECT(losses.count == 0, "%s: lost " STR_FMT, rewritten[i].name,
               STR_ARG(losses.fields[0]));
        kit_same_json(arena, rewritten[i].name, got, rewritten[i].want);
    }
}

TEST(openai_requests_that_are_refused_name_the_field)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, &dialect_openai, refused[i].body, &err), "%s", refused[i].want);
        EXPECT(err.code == ERR_INVALID && str_starts(str_from(err.text), str_from(refused[i].want)),
               "want %s, got %s", refused[i].want, err.text);
    }
}

/* The table covers what OpenAI's own clients can send. */
TEST(openai_table_has_all_37_fields)
{
    static const char *const names[] = {"messages",
                                        "model",
                                        "audio",
                                        "frequency_penalty",
                                        "function_call",
                                        "functions",
                                        "logit_bias",
                                        "logprobs",
                                        "max_completion_tokens",
                                        "max_tokens",
                                        "metadata",
                                        "modalities",
                                        "moderation",
                                        "n",
                                        "parallel_tool_calls",
                                        "prediction",
                                        "presence_penalty",
                                        "prompt_cache_key",
                                        "prompt_cache_options",
                                        "prompt_cache_retention",
                                        "reasoning_effort",
                                        "response_format",
                                        "safety_identifier",
                                        "seed",
                                        "service_tier",
                                        "stop",
                                        "store",
                                        "stream",
                                        "stream_options",
                                        "temperature",
                                        "tool_choice",
                                        "tools",
                                        "top_logprobs",
                                        "top_p",
                                        "user",
                                        "verbosity",
                                        "web_search_options"};

    EXPECT(ARRAY_LEN(names) == 37);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool found = false;

        for (size_t k = 0; k < dialect_openai.field_count; k++)
            found = found || strcmp(dialect_openai.fields[k].name, names[i]) == 0;
        EXPECT(found, "%s", names[i]);
    }
}

/* ---- what a provider cannot be told ---- */

#define FAMILIES_APART                                                                  \
    "{\"model\":\"m\",\"max_tokens\":5,\"top_k\":3,\"thinking\":{\"type\":\"enabled\"," \
    "\"budget_tokens\":2000},\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"    \
    "\"mystery\":1}"

TEST(fields_of_another_family_are_losses_by_their_own_names)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct outgoing out = {0};
    struct err err = {0};
    struct conversation *c = kit_read(arena, &dialect_anthropic, FAMILIES_APART, &err);
    struct buf all;

    REQUIRE(c, "%s", err.text);
    REQUIRE(dialect_openai.write_request(arena, c, &at_original, &losses, &out, &err), "%s",
            err.text);
    buf_init(&all, arena, KIB);
    for (uint32_t i = 0; i < losses.count; i++)
        buf_fmt(&all, STR_FMT " ", STR_ARG(losses.fields[i]));
    EXPECT(str_eq(buf_view(&all), STR("top_k thinking mystery ")), STR_FMT,
           STR_ARG(buf_view(&all)));
    kit_same_json(arena, "what is left", out.body,
                  "{\"model\":\"remote-m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                  "\"max_completion_tokens\":5,\"reasoning_effort\":\"low\"}");
}

TEST(losses_are_refused_where_the_setting_says_so)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {.refuse = true};
    struct outgoing out = {0};
    struct err err = {0};
    struct conversation *c = kit_read(arena, &dialect_anthropic, FAMILIES_APART, &err);

    REQUIRE(c, "%s", err.text);
    EXPECT(!dialect_openai.write_request(arena, c, &at_original, &losses, &out, &err));
    EXPECT(err.code == ERR_INVALID && str_starts(str_from(err.text), STR("top_k: ")), "%s",
           err.text);
}

TEST(losses_past_the_list_are_counted_and_none_is_told_twice)
{
    struct losses losses = {0};
    struct err err = {0};
    char names[LOSSES_MAX + 8][4];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str name = {names[i], 2};

        names[i][0] = (char)('a' + i / 26);
        names[i][1] = (char)('a' + i % 26);
        EXPECT(losses_note(&losses, name, "why", &err));
        EXPECT(i >= LOSSES_MAX || losses_note(&losses, name, "why", &err));
    }
    EXPECT(losses.count == LOSSES_MAX && losses.more == 8, "%u %u", losses.count, losses.more);
}

/* ---- answers ---- */

#define CHUNK(choices)    "data: {\"id\":\"c1\",\"model\":\"r\",\"choices\":[" choices "]}\n\n"
#define D(delta)          CHUNK("{\"index\":0,\"delta\":{" delta "},\"finish_reason\":null}")
#define FIN(reason)       CHUNK("{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}")
#define CALL(index, rest) "\"tool_calls\":[{\"index\":" index "," rest "}]"
#define MESSAGE(message, reason)                                                             \
    "{\"id\":\"chatcmpl-7f3a\",\"object\":\"chat.completion\",\"created\":1700000000,"       \
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," message \
    "},\"logprobs\":null,\"finish_reason\":\"" reason "\"}]}"
#define DONE "data: [DONE]\n\n"

/* Streams of many servers, as one body. */
static const struct {
    const char *name, *stream, *want;
} heard[] = {
    {"text",
     D("\"role\":\"assistant\",\"content\":\"\"") D("\"content\":\"Hel\"") D("\"content\":\"lo\"")
         FIN("stop") DONE,
     MESSAGE("\"content\":\"Hello\",\"refusal\":null", "stop")},
    {"no [DONE], but a finish", D("\"content\":\"Hi\"") FIN("length"),
     MESSAGE("\"content\":\"Hi\",\"refusal\":null", "length")},
    {"parallel calls, interleaved",
     D(CALL("0", "\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                 "\"\"}"))
         D(CALL("1", "\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{\"}"))
             D(CALL("0", "\"function\":{\"arguments\":\"{\\\"x\\\"\"}"))
                 D(CALL("1", "\"function\":{\"arguments\":\"}\"}"))
                     D(CALL("0", "\"function\":{\"arguments\":\":1}\"}")) FIN("tool_calls") DONE,
     MESSAGE("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":"
             "\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]",
             "tool_calls")},
    {"whole calls that all say index 0, ended by stop",
     D(CALL("0", "\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")) D(
         CALL("0", "\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")) FIN("stop"),
     MESSAGE("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\","
             "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]",
             "tool_calls")},
    {"calls that all say index 0, side by side, told apart by their ids",
     D(CALL("0", "\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}"))
         D(CALL("0", "\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{\"}")) D(
             CALL("0", "\"id\":\"a\",\"function\":{\"arguments\":\"{}\"}"))
             D(CALL("0", "\"id\":\"b\",\"function\":{\"arguments\":\"}\"}")) FIN("tool_calls") DONE,
     MESSAGE("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":"
             "\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]",
             "tool_calls")},
    {"calls without index and id, arguments as an object",
     D("\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]") FIN("stop"),
     MESSAGE("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_c1_0_0\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]",
             "tool_calls")},
    {"reasoning by its newer name, then text",
     D("\"reasoning\":\"h\"") D("\"reasoning\":\"m\"") D("\"content\":\"Hi\"") FIN("stop"),
     MESSAGE("\"content\":\"Hi\",\"refusal\":null,\"reasoning_content\":\"hm\"", "stop")},
    {"a refusal", D("\"refusal\":\"No\"") D("\"refusal\":\".\"") FIN("stop"),
     MESSAGE("\"content\":null,\"refusal\":\"No.\"", "stop")},
    {"an event without a name, then calls without ids",
     "data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n" D(
         "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]") FIN("stop"),
     MESSAGE("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_c1_0_0\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]",
             "tool_calls")},
    {"the older call",
     D("\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}")
         D("\"function_call\":{\"arguments\":\"{}\"}") FIN("function_call"),
     MESSAGE("\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"f\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]",
             "tool_calls")},
    {"a finish that is told twice counts once",
     D("\"content\":\"Hi\"") FIN("stop") FIN("stop") DONE,
     MESSAGE("\"content\":\"Hi\",\"refusal\":null", "stop")},
    {"an annotation",
     D("\"content\":\"Hi\"")
         D("\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"u\"}}]")
             FIN("stop"),
     MESSAGE("\"content\":\"Hi\",\"refusal\":null,\"annotations\":[{\"type\":\"url_citation\","
             "\"url_citation\":{\"url\":\"u\"}}]",
             "stop")},
};

/* A stream heard and told whole. */
struct hearing {
    struct kit_client client;
};

static bool tell_whole(void *ctx, const struct said *said, struct err *err)
{
    struct hearing *h = ctx;

    return dialect_openai.write_said(&h->client.writer, said, &h->client.out, err);
}

static struct str whole_of(struct arena *arena, struct str stream, size_t cut, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(16 * MIB);
    struct hearing h;
    struct said_reader r = {.arena = arena,
                            .scratch = scratch,
                            .asked = &h.client.asked,
                            .model = &kit_model,
                            .streamed = true,
                            .take = tell_whole,
                            .ctx = &h};
    struct str parts[] = {str_slice(stream, 0, cut), str_slice(stream, cut, stream.len)};
    struct sse_reader events;
    struct sse_event event;

    kit_client_init(&h.client, arena, &dialect_openai, false);
    if (!dialect_openai.reader_init(&r, err))
        return STR_NONE;
    sse_reader_init(&events, arena, MIB);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len && !sse_feed(&events, parts[i], err))
            return STR_NONE;
        while (sse_next(&events, &event)) {
            size_t mark = arena_mark(scratch);

            if (!dialect_openai.read_said(&r, event.event, event.data, err))
                return STR_NONE;
            arena_rewind(scratch, mark);
        }
    }
    if (sse_left_over(&events))
        err_set(err, ERR_UNAVAILABLE, "cut inside an event");
    return !err->code && dialect_openai.at_end(&r, err) ? buf_view(&h.client.out) : STR_NONE;
}

TEST(openai_streams_of_many_servers_mean_the_same_cut_anywhere)
{
    for (size_t i = 0; i < ARRAY_LEN(heard); i++) {
        struct str stream = str_from(heard[i].stream);

        for (size_t cut = 0; cut <= stream.len; cut++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct err err = {0};
            struct str got = whole_of(arena, stream, cut, &err);

            EXPECT(!err.code, "%s: %s", heard[i].name, err.text);
            if (!kit_same_json(arena, heard[i].name, got, heard[i].want))
                break;
        }
    }
}

/* Told as a stream and heard again, it is still the same. */
TEST(openai_streams_survive_being_told_again)
{
    for (size_t i = 0; i < ARRAY_LEN(heard); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str told = kit_answer(arena, &dialect_openai, &dialect_openai, true,
                                     str_from(heard[i].stream), 0, &err);

        EXPECT(told.ptr, "%s: %s", heard[i].name, err.text);
        if (told.ptr)
            kit_same_json(arena, heard[i].name, whole_of(arena, told, 0, &err), heard[i].want);
    }
}

TEST(openai_streams_that_end_early_are_errors_wherever_they_are_cut)
{
    struct str stream = str_from(heard[2].stream);
    size_t finish = str_find(stream, STR("\"finish_reason\":\"tool_calls\""));

    for (size_t end = 0; end < finish; end++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!whole_of(arena, str_slice(stream, 0, end), end / 2, &err).ptr);
        EXPECT(err.code == ERR_UNAVAILABLE, "%zu: %s", end, err.text);
    }
}

static const struct {
    const char *name, *body, *want;
} wrong_answers[] = {
    {"no JSON", "<html>", "event 1: "},
    {"no choices", "{}", "the answer cannot be read: it has no choices"},
    {"a call without a name",
     "{\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{}}]}}]}",
     "the answer cannot be read: a tool call without a name"},
    {"an index out of range", "{\"choices\":[{\"index\":-1,\"message\":{}}]}",
     "the answer cannot be read: choices.index is out of range"},
};

TEST(openai_answers_that_break_the_dialect_are_errors)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong_answers); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_openai, &dialect_openai, false,
                                    str_from(wrong_answers[i].body), 0, &err);

        EXPECT(!got.ptr && err.code == ERR_UNAVAILABLE &&
                   str_starts(str_from(err.text), str_from(wrong_answers[i].want)),
               "%s: %s", wrong_answers[i].name, err.text);
    }
}

TEST(openai_stream_has_index_always_and_id_and_name_once_and_one_finish)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str told = kit_answer(arena, &dialect_openai, &dialect_openai, true,
                                 str_from(heard[2].stream), 0, &err);
    static const struct {
        const char *what;
        size_t times;
    } counts[] = {{"\"tool_calls\":[{\"index\":", 6},
                  {"\"id\":\"a\"", 1},
                  {"\"id\":\"b\"", 1},
                  {"\"name\":\"f\"", 1},
                  {"\"name\":\"g\"", 1},
                  {"\"finish_reason\":\"", 1},
                  {"data: [DONE]", 1}};

    REQUIRE(told.ptr, "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct str rest = told, what = str_from(counts[i].what);
        size_t n = 0;

        for (size_t at; (at = str_find(rest, what)) < rest.len; n++)
            rest = str_slice(rest, at + what.len, rest.len);
        EXPECT(n == counts[i].times, "%s: %zu", counts[i].what, n);
    }
}

/* ---- the older completions ---- */

TEST(completions_alternatives_are_told_and_no_loss)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {.refuse = true};
    struct outgoing out = {0};
    struct err err = {0};
    struct conversation *c =
        kit_read(arena, &dialect_completions,
                 "{\"model\":\"m\",\"prompt\":\"Hi\",\"logprobs\":3,\"max_tokens\":5}", &err);

    REQUIRE(c, "%s", err.text);
    EXPECT(dialect_openai.write_request(arena, c, &at_other, &losses, &out, &err), "%s", err.text);
    EXPECT(str_eq(out.path, STR("/completions")));
    kit_same_json(arena, "alternatives", out.body,
                  "{\"model\":\"remote-m\",\"prompt\":\"Hi\",\"max_tokens\":5,\"logprobs\":3}");
}

/* ---- embeddings ---- */

static struct str vector_in_base64(struct arena *arena, const char *vector, struct err *err)
{
    struct kit_client k;

    kit_client_init(&k, arena, &dialect_embeddings, false);
    k.asked.encoding = STR("base64");
    if (!said_tell(&dialect_embeddings, &k.writer,
                   &(struct said){.kind = SAID_VECTOR, .raw = str_from(vector)}, &k.out, err) ||
        !said_tell(&dialect_embeddings, &k.writer, &(struct said){.kind = SAID_END}, &k.out, err))
        return STR_NONE;
    return buf_view(&k.out);
}

/* A vector with holes would be kept and searched with for years. */
TEST(embeddings_of_what_is_no_number_are_errors)
{
    static const char *const broken[] = {"[0.5,null]", "[[0.5,1],[2,3]]", "[1e39]", "[\"0.5\"]",
                                         "[0.5,{\"a\":1}]"};
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct err err = {0};
    struct str got = vector_in_base64(arena, "[0.5, -2e-3]", &err);

    EXPECT(str_find(got, STR("\"embedding\":\"AAAAP28SA7s=\"")) < got.len, "%s " STR_FMT, err.text,
           STR_ARG(got));
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        err = (struct err){0};
        got = vector_in_base64(arena, broken[i], &err);
        EXPECT(!got.ptr && err.code == ERR_UNAVAILABLE, "%s: " STR_FMT, broken[i], STR_ARG(got));
    }
}

static bool tell_vectors(struct arena *arena, const char *body, uint32_t vectors, struct err *err)
{
    struct conversation *c = kit_read(arena, &dialect_embeddings, body, err);
    struct kit_client k;

    EXPECT(c, "%s", err->text);
    if (!c)
        return false;
    kit_client_init(&k, arena, &dialect_embeddings, false);
    k.asked = *c;
    if (!dialect_embeddings.writer_init(&k.writer, err))
        return false;
    for (uint32_t i = 0; i < vectors; i++)
        if (!said_tell(&dialect_embeddings, &k.writer,
                       &(struct said){.kind = SAID_VECTOR, .choice = i, .raw = STR("[0.5]")},
                       &k.out, err))
            return false;
    return said_tell(&dialect_embeddings, &k.writer, &(struct said){.kind = SAID_END}, &k.out, err);
}

/* Clients take them for their texts in order. */
TEST(embeddings_are_as_many_as_the_texts)
{
    static const struct {
        const char *body;
        uint32_t want;
    } cases[] = {{"{\"model\":\"m\",\"input\":\"a\"}", 1},
                 {"{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", 2},
                 {"{\"model\":\"m\",\"input\":[1,2,3]}", 1},
                 {"{\"model\":\"m\",\"input\":[[1,2],[3],[4]]}", 3}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (uint32_t vectors = 0; vectors < 5; vectors++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct err err = {0};
            bool ok = tell_vectors(arena, cases[i].body, vectors, &err);

            EXPECT(ok == (vectors == cases[i].want) && (ok || err.code == ERR_UNAVAILABLE),
                   "%s: %" PRIu32 " %s", cases[i].body, vectors, err.text);
        }
}

struct heard_vectors {
    struct kit_client client;
    const struct dialect *to;
};

static bool take_vector(void *ctx, const struct said *said, struct err *err)
{
    struct heard_vectors *h = ctx;

    return said_tell(h->to, &h->client.writer, said, &h->client.out, err);
}

/* A text without a vector would be found by another's. */
TEST(embeddings_are_each_of_a_text_of_its_own)
{
    static const struct {
        const char *name, *data;
        bool ok;
    } cases[] = {
        {"in order", "{\"index\":0,\"embedding\":[0.5]},{\"index\":1,\"embedding\":[0.25]}", true},
        {"the other way round",
         "{\"index\":1,\"embedding\":[0.5]},{\"index\":0,\"embedding\":[0.25]}", true},
        {"without places", "{\"embedding\":[0.5]},{\"embedding\":[0.25]}", true},
        {"two of one", "{\"index\":1,\"embedding\":[0.5]},{\"index\":1,\"embedding\":[0.25]}",
         false},
        {"one of none", "{\"index\":0,\"embedding\":[0.5]},{\"index\":2,\"embedding\":[0.25]}",
         false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct conversation *c =
            kit_read(arena, &dialect_embeddings, "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", &err);
        struct heard_vectors told = {.to = &dialect_embeddings};
        struct said_reader r = {
            .arena = arena, .scratch = arena, .asked = c, .take = take_vector, .ctx = &told};
        struct str body = arena_fmt(arena, "{\"data\":[%s]}", cases[i].data);
        bool ok;

        REQUIRE(c, "%s", err.text);
        kit_client_init(&told.client, arena, &dialect_embeddings, false);
        told.client.asked = *c;
        REQUIRE(dialect_embeddings.writer_init(&told.client.writer, &err) &&
                    dialect_openai.reader_init(&r, &err),
                "%s", err.text);
        ok = dialect_openai.read_said(&r, STR_NONE, body, &err);
        EXPECT(ok == cases[i].ok && (ok || err.code == ERR_UNAVAILABLE), "%s: %s", cases[i].name,
               err.text);
    }
}

/* ---- probabilities ---- */

/* Half a character is a token, too. */
TEST(probabilities_of_half_characters_reach_every_client)
{
    static const struct dialect *const clients[] = {&dialect_openai, &dialect_completions,
                                                    &dialect_responses};
    static const char body[] =
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\","
        "\"logprobs\":{\"content\":[{\"token\":\"\\ud83d\",\"logprob\":-0.5,\"bytes\":[240,159],"
        "\"top_logprobs\":[]}]}}]}";

    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got =
            kit_answer(arena, &dialect_openai, clients[i], false, str_from(body), 0, &err);

        EXPECT(str_find(got, STR("-0.5")) < got.len, "%s: %s " STR_FMT, clients[i]->name, err.text,
               STR_ARG(got));
    }
}
