/* Habits of servers that speak the OpenAI dialect, by replies as they send them. */
#include <string.h>

#include "dialect_kit.h"
#include "models/chat.h"
#include "models/habits.h"
#include "test.h"

static struct model model_of(struct provider *p, enum provider_kind kind, const char *url,
                             const char *remote)
{
    struct err err = {0};
    struct model m = kit_model;

    *p = (struct provider){.name = STR("p"), .kind = kind, .dialect = &dialect_openai};
    EXPECT(http_url_parse(str_from(url), &p->url, &err), "%s", err.text);
    m.provider = p;
    m.remote_name = str_from(remote);
    return m;
}

/* ---- Azure's places ---- */

static const struct {
    const char *url, *remote, *version, *want;
    enum provider_kind kind;
} paths[] = {
    {"https://r.openai.azure.com", "gpt 4", "",
     "/openai/deployments/gpt%204/chat/completions?api-version=2024-10-21", KIND_AZURE},
    {"https://r.openai.azure.com/openai", "d", "2025-03-01-preview",
     "/deployments/d/chat/completions?api-version=2025-03-01-preview", KIND_AZURE},
    {"https://r.openai.azure.com/openai/v1", "d", "", "/chat/completions", KIND_AZURE},
    {"https://r.openai.azure.com/openai/v1", "d", "preview",
     "/chat/completions?api-version=preview", KIND_AZURE},
    {"https://r.openai.azure.com", "d", "1&x=2", NULL, KIND_AZURE},
    {"https://api.openai.com/v1", "d", "", "/chat/completions", KIND_OPENAI},
};

TEST(habits_paths)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct provider p;
        struct model m = model_of(&p, paths[i].kind, paths[i].url, paths[i].remote);
        struct str got;
        struct err err = {0};
        bool ok;

        p.api_version = str_from(paths[i].version);
        ok = habits_path(arena, &m, STR("/chat/completions"), &got, &err);
        EXPECT(ok == (paths[i].want != NULL), "%zu: %s", i, err.text);
        if (ok && paths[i].want)
            EXPECT(str_eq(got, str_from(paths[i].want)), "%zu: " STR_FMT, i, STR_ARG(got));
    }
}

/* ---- bodies that pass ---- */

static const struct {
    const char *name, *remote;
    enum provider_kind kind;
    const char *body, *want;
} bodies[] = {
    {"OpenAI knows the newer name", "m", KIND_OPENAI,
     "{\"model\":\"m\",\"max_completion_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"Hi\"}]}",
     "{\"model\":\"m\",\"max_completion_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"Hi\"}]}"},
    {"Ollama would ignore it", "m", KIND_OLLAMA,
     "{\"model\":\"m\",\"max_completion_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"Hi\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":5}"},
    {"the newer one holds", "m", KIND_DEEPSEEK,
     "{\"model\":\"m\",\"max_completion_tokens\":5,\"max_tokens\":9,\"messages\":[{\"role\":"
     "\"user\",\"content\":\"Hi\"}]}",
     "{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"},
    {"a whole answer of Qwen3 at DashScope", "qwen3-32b", KIND_DASHSCOPE,
     "{\"model\":\"qwen3-32b\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "{\"model\":\"qwen3-32b\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"enable_"
     "thinking\":false}"},
    {"unless the client says", "qwen3-32b", KIND_DASHSCOPE,
     "{\"model\":\"qwen3-32b\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"enable_"
     "thinking\":true}",
     "{\"model\":\"qwen3-32b\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"enable_"
     "thinking\":true}"},
};

TEST(habits_of_bodies_that_pass)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str pieces[CHAT_PIECES_MAX], whole;
        struct chat_habits habits;
        struct chat_request chat;
        struct provider p;
        struct model m = model_of(&p, bodies[i].kind, "http://h/v1", bodies[i].remote);
        struct err err = {0};
        struct buf b;
        size_t count;

        REQUIRE(chat_read_request(arena, str_from(bodies[i].body), &chat, &err), "%s", err.text);
        habits_of_request(&m, &chat, &habits);
        chat.habits = &habits;
        REQUIRE(chat_write_request(arena, &chat, m.remote_name, pieces, &count, &err), "%s",
                err.text);
        buf_init(&b, arena, MIB);
        for (size_t k = 0; k < count; k++)
            buf_str(&b, pieces[k]);
        REQUIRE(buf_finish(&b, &whole, &err));
        kit_same_json(arena, bodies[i].name, whole, bodies[i].want);
    }
}

/* ---- bodies that are written ---- */

static const struct {
    const char *name;
    enum provider_kind kind;
    const char *body, *has;
} written[] = {
    {"DashScope's flag and budget", KIND_DASHSCOPE,
     "{\"model\":\"m\",\"max_tokens\":4000,\"stream\":true,\"thinking\":{\"type\":\"enabled\","
     "\"budget_tokens\":2000},\"messages\":"
     "[{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "\"enable_thinking\":true,\"thinking_budget\":2000"},
    {"DeepSeek's type", KIND_DEEPSEEK,
     "{\"model\":\"m\",\"max_tokens\":4000,\"thinking\":{\"type\":\"disabled\"},\"messages\":[{"
     "\"role\":\"user\",\"content\":\"Hi\"}]}",
     "\"thinking\":{\"type\":\"disabled\"}"},
    {"vLLM's template", KIND_VLLM,
     "{\"model\":\"m\",\"max_tokens\":4000,\"thinking\":{\"type\":\"disabled\"},\"messages\":[{"
     "\"role\":\"user\",\"content\":\"Hi\"}]}",
     "\"chat_template_kwargs\":{\"enable_thinking\":false}"},
};

TEST(habits_of_bodies_that_are_written)
{
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct provider p;
        struct model m = model_of(&p, written[i].kind, "http://h/v1", "m");
        struct losses losses = {0};
        struct outgoing out = {0};
        struct err err = {0};
        struct conversation *c = kit_read(arena, &dialect_anthropic, written[i].body, &err);

        REQUIRE(c && dialect_openai.write_request(arena, c, &m, &losses, &out, &err), "%s: %s",
                written[i].name, err.text);
        EXPECT(str_find(out.body, str_from(written[i].has)) < out.body.len, "%s: " STR_FMT,
               written[i].name, STR_ARG(out.body));
    }
}

/* A number of tokens is told to who takes one, and named where an effort stands for it. */
TEST(habits_budgets_of_thinking_are_named_where_they_are_lost)
{
    static const struct {
        enum provider_kind kind;
        const char *effort; /* what stands beside the budget */
        bool lost;
    } cases[] = {{KIND_DASHSCOPE, "", false},
                 {KIND_OPENAI, "", true},
                 {KIND_OPENAI, "\"output_config\":{\"effort\":\"high\"},", true},
                 {KIND_DASHSCOPE, "\"output_config\":{\"effort\":\"high\"},", false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct provider p;
        struct model m = model_of(&p, cases[i].kind, "http://h/v1", "m");
        struct losses losses = {0};
        struct outgoing out = {0};
        struct err err = {0};
        struct str body = arena_fmt(arena,
                                    "{\"model\":\"m\",\"max_tokens\":4000,\"stream\":true,%s"
                                    "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},"
                                    "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                                    cases[i].effort);
        struct conversation *c = kit_read(arena, &dialect_anthropic, body.ptr, &err);

        REQUIRE(c && dialect_openai.write_request(arena, c, &m, &losses, &out, &err), "%zu: %s", i,
                err.text);
        EXPECT(losses.count == (cases[i].lost ? 1u : 0u), "%zu: %" PRIu32 " " STR_FMT, i,
               losses.count, STR_ARG(losses.fields[0]));
    }
}

/* ---- errors that call themselves 200 ---- */

static const struct {
    const char *name, *reply, *text; /* NULL: it is none */
} failures[] = {
    {"Baidu",
     "{\"error_code\":336003,\"error_msg\":\"the length of messages must be an odd "
     "number\",\"id\":\"as-1\"}",
     "the length of messages must be an odd number"},
    {"Baidu, all is well",
     "{\"error_code\":0,\"id\":\"as\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"},"
     "\"finish_reason\":\"stop\"}]}",
     NULL},
    {"DashScope",
     "{\"code\":\"InvalidParameter\",\"message\":\"Range of input length should be [1, "
     "6000]\",\"request_id\":\"r\"}",
     "Range of input length should be [1, 6000]"},
    {"vLLM's older form",
     "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 "
     "tokens.\",\"type\":\"BadRequestError\","
     "\"param\":null,\"code\":400}",
     "This model's maximum context length is 4096 tokens."},
    {"Ollama", "{\"error\":\"model runner has unexpectedly stopped\"}",
     "model runner has unexpectedly stopped"},
    {"llama.cpp",
     "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
     "Loading model"},
    {"a message that is none",
     "{\"message\":\"ok\",\"code\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"}"
     ",\"finish_reason\":\"stop\"}]}",
     NULL},
};

static bool fail_on(void *ctx, const struct said *said, struct err *err)
{
    (void)err;
    if (said->kind == SAID_FAILED)
        *(struct str *)ctx = said->text;
    return true;
}

TEST(habits_errors_in_good_statuses)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct arena *scratch CLEANUP(arena_end) = arena_new(4 * MIB);
        struct conversation asked;
        struct str heard = STR_NONE, want = str_from(failures[i].text);
        struct said_reader r = {.arena = arena,
                                .scratch = scratch,
                                .model = &kit_model,
                                .asked = &asked,
                                .take = fail_on,
                                .ctx = &heard};
        struct chat_meter meter;
        struct err err = {0};

        conversation_init(&asked);
        REQUIRE(dialect_openai.reader_init(&r, &err));
        EXPECT(dialect_openai.read_said(&r, STR_NONE, str_from(failures[i].reply), &err), "%s: %s",
               failures[i].name, err.text);
        EXPECT(str_eq(heard, want), "%s, translated: " STR_FMT, failures[i].name, STR_ARG(heard));
        chat_meter_init(&meter, 1);
        REQUIRE(chat_read_reply(arena, str_from(failures[i].reply), &meter, &err));
        EXPECT(meter.failed == (want.ptr != NULL) && str_eq(meter.error_text, want),
               "%s, spliced: " STR_FMT, failures[i].name, STR_ARG(meter.error_text));
    }
}

/* ---- streams as servers send them ---- */

#define CHUNK(inside) "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\"," inside "}\n\n"

static const struct {
    const char *name, *bytes, *has[3];
} streams[] = {
    {"Azure begins with its filters and no choice",
     CHUNK("\"choices\":[],\"created\":0,\"model\":\"\",\"prompt_filter_results\":[{\"prompt_"
           "index\":0,\"content_filter_results\":{}}]")
         CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\",\"role\":\"assistant\"},"
               "\"content_filter_results\":{},"
               "\"finish_reason\":null}]")
             CHUNK("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]")
                 CHUNK("\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,"
                       "\"total_tokens\":6}") "data: [DONE]\n\n",
     {"\"text\":\"Hi\"", "\"input_tokens\":5"}},
    {"Ollama gives arguments as an object, all calls the index 0",
     CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"tool_"
           "calls\":[{\"id\":\"call_a\",\"index\":0,"
           "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},"
           "\"finish_reason\":null}]")
         CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
               "\"tool_calls\":[{\"id\":\"call_b\",\"index\":0,"
               "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
               "\"finish_reason\":null}]") CHUNK("\"choices\":[{\"index\":0,\"delta\":{},\"finish_"
                                                 "reason\":\"tool_calls\"}]") "data: [DONE]\n\n",
     {"\"name\":\"f\"", "\"name\":\"g\"", "{\\\"a\\\":1}"}},
    {"a call without an id, reasoning under another name, and no finish_reason",
     CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"hm\"}}]")
         CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
               "\"name\":\"f\",\"arguments\":\"{}\"}}]}}]") "data: [DONE]\n\n",
     {"\"thinking\":\"hm\"", "\"id\":\"call_", "\"stop_reason\":\"tool_use\""}},
    {"llama.cpp tells its timings at the end",
     CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]")
         CHUNK("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"timings\":{"
               "\"cache_n\":0,\"prompt_n\":12,"
               "\"predicted_n\":3}") "data: [DONE]\n\n",
     {"\"text\":\"Hi\"", "\"input_tokens\":12", "\"output_tokens\":3"}},
    {"DeepSeek keeps the line alive with comments, and its cache has other names",
     ": keep-alive\n\n: keep-alive\n\n" CHUNK(
         "\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\",\"content\":null},"
         "\"finish_reason\":null}]")
         CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\",\"reasoning_content\":null}"
               ",\"finish_reason\":\"stop\"}],\"usage\":{"
               "\"prompt_tokens\":100,\"completion_tokens\":2,\"total_tokens\":102,\"prompt_cache_"
               "hit_tokens\":64,"
               "\"prompt_cache_miss_tokens\":36}") "data: [DONE]\n\n",
     {"\"thinking\":\"hm\"", "\"text\":\"Hi\"", "\"cache_read_input_tokens\":64"}},
};

TEST(habits_streams)
{
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct err err = {0};
        struct str got = kit_answer(arena, &dialect_openai, &dialect_anthropic, true,
                                    str_from(streams[i].bytes), 0, &err);

        EXPECT(got.ptr, "%s: %s", streams[i].name, err.text);
        for (size_t k = 0; k < ARRAY_LEN(streams[i].has) && streams[i].has[k] && got.ptr; k++)
            EXPECT(str_find(got, str_from(streams[i].has[k])) < got.len, "%s: %s in " STR_FMT,
                   streams[i].name, streams[i].has[k], STR_ARG(got));
    }
}

/* An error inside a stream that began well ends it as a failure. */
TEST(habits_baidu_in_a_stream)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct err err = {0};
    struct chat_meter meter;
    struct sse_event event = {
        .has_data = true,
        .data = STR("{\"error_code\":336501,\"error_msg\":\"Rate limit reached\"}")};
    bool drop;

    chat_meter_init(&meter, 1);
    REQUIRE(chat_read_event(arena, &event, false, &meter, &drop, &err));
    EXPECT(meter.failed && str_eq(meter.error_text, STR("Rate limit reached")));
}

/* ---- prompts that were cut ---- */

static const struct {
    const char *name;
    enum provider_kind kind;
    size_t prompt_bytes;
    int64_t tokens_in, window;
    const char *body;
    bool want;
} cuts[] = {
    {"a short prompt says nothing", KIND_OLLAMA, 4000, 10, 0, "", false},
    {"all of it was read", KIND_OLLAMA, 40000, 9500, 0, "", false},
    {"a tenth of it was read", KIND_OLLAMA, 200000, 4000, 0, "", true},
    {"half of it, and the window is full", KIND_OLLAMA, 32000, 4090, 0, "", true},
    {"dense, but no window is full", KIND_OLLAMA, 32000, 3500, 0, "", false},
    {"dense, and the window configured is nearly full", KIND_OLLAMA, 32000, 3500, 4096, "", true},
    {"another server", KIND_VLLM, 200000, 4000, 0, "", false},
    {"not reported", KIND_OLLAMA, 200000, -1, 0, "", false},
    {"pictures are no text", KIND_OLLAMA, 30400, 1400, 0,
     "{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"image_url\",\"image_url\":{}},{"
     "\"type\":\"image_url\",\"image_url\":{}},"
     "{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"image_url\",\"image_url\":{}}",
     false},
    {"files are no text that was cut", KIND_OLLAMA, 13000, 300, 0,
     "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:;base64,A\"}},"
     "{\"type\":\"document\",\"source\":{}}",
     false},
};

TEST(habits_prompts_that_were_cut)
{
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct provider p;
        struct model m = model_of(&p, cuts[i].kind, "http://h/v1", "m");
        struct usage usage = usage_unknown;

        usage.tokens_in = cuts[i].tokens_in;
        m.window = cuts[i].window;
        EXPECT(habits_prompt_was_cut(&m, str_from(cuts[i].body), cuts[i].prompt_bytes, &usage) ==
                   cuts[i].want,
               "%s", cuts[i].name);
    }
}
