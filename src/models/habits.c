#include "models/habits.h"

#include <string.h>

#include "models/openai_internal.h"

#define AZURE_VERSION \
    "2024-10-21" /* the newest that is no preview, for the form with deployments */

/* How a server is told whether to think, where reasoning_effort is not the whole story. */
enum thinking {
    THINKING_EFFORT,   /* reasoning_effort and no more */
    THINKING_FLAG,     /* enable_thinking, thinking_budget */
    THINKING_TYPE,     /* "thinking":{"type":"enabled"} */
    THINKING_TEMPLATE, /* chat_template_kwargs.enable_thinking */
};

/* Read this table first. */
static const struct habit {
    bool cuts_prompts; /* to its window, without a word */
    bool older_names;  /* reads max_tokens and ignores max_completion_tokens */
    enum thinking thinking;
} by_kind[] = {
    [KIND_OPENAI] = {false, false, THINKING_EFFORT},
    [KIND_AZURE] = {false, false, THINKING_EFFORT},
    [KIND_VLLM] = {false, false, THINKING_TEMPLATE},
    [KIND_SGLANG] = {false, false, THINKING_TEMPLATE},
    [KIND_LLAMA_CPP] = {false, true, THINKING_TEMPLATE},
    [KIND_OLLAMA] = {true, true, THINKING_EFFORT},
    [KIND_DEEPSEEK] = {false, true, THINKING_TYPE},
    [KIND_DASHSCOPE] = {false, true, THINKING_FLAG},
    [KIND_BAIDU] = {false, true, THINKING_FLAG},
    [KIND_ANTHROPIC] = {false, false, THINKING_EFFORT},
    [KIND_GEMINI] = {false, false, THINKING_EFFORT},
    [KIND_BEDROCK] = {false, false, THINKING_EFFORT},
};

static const struct habit *habit_of(const struct model *model)
{
    return &by_kind[model->provider ? model->provider->kind : KIND_OPENAI];
}

/* ---- Azure: {endpoint}/openai/deployments/{d}/chat/completions?api-version=..., or {endpoint}/openai/v1,
 * where the model stands in the body as everywhere ---- */

static bool is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static bool put_version(struct buf *b, struct str version, struct str usual)
{
    if (!version.len)
        version = usual;
    if (!version.len)
        return true;
    buf_str(b, STR("?api-version="));
    buf_str(b, version);
    for (size_t i = 0; i < version.len; i++)
        if (!is_plain(version.ptr[i]))
            return false;
    return true;
}

bool habits_path(struct arena *arena, const struct model *model, struct str path, struct str *out,
                 struct err *err)
{
    const struct provider *p = model->provider;
    struct buf b;

    *out = path;
    if (p->kind != KIND_AZURE)
        return true;
    bool v1 = str_ends(p->url.path, STR("/v1"));
    buf_init(&b, arena, 3 * model->remote_name.len + path.len + p->api_version.len + 64);
    if (!v1) {
        if (!str_ends(p->url.path, STR("/openai")))
            buf_str(&b, STR("/openai"));
        buf_str(&b, STR("/deployments/"));
        for (size_t i = 0; i < model->remote_name.len; i++)
            if (is_plain(model->remote_name.ptr[i]))
                buf_char(&b, model->remote_name.ptr[i]);
            else
                buf_fmt(&b, "%%%02X", (unsigned char)model->remote_name.ptr[i]);
    }
    buf_str(&b, path);
    if (!put_version(&b, p->api_version, v1 ? STR_NONE : STR(AZURE_VERSION)))
        return err_set(err, ERR_UNAVAILABLE, "provider \"" STR_FMT "\": its api_version is none",
                       STR_ARG(p->name));
    return buf_finish(&b, out, err);
}

/* ---- requests ---- */

/* Alibaba refuses whole answers of its open Qwen3 models unless thinking is off. */
static bool must_not_think(const struct model *model, bool stream)
{
    return !stream && model->provider->kind == KIND_DASHSCOPE &&
           str_starts(model->remote_name, STR("qwen3-")) &&
           str_find(model->remote_name, STR("thinking")) == model->remote_name.len;
}

void habits_of_request(const struct model *model, const struct chat_request *request,
                       struct chat_habits *out)
{
    *out = (struct chat_habits){.older_names = habit_of(model)->older_names};
    if (must_not_think(model, request->stream)) {
        out->add_key = STR("enable_thinking");
        out->add_value = STR("false");
    }
}

static void write_flag(struct json_writer *w, const char *key, bool on)
{
    jw_key(w, key);
    jw_bool(w, on);
}

/* -1: nobody said. */
static int wants_thinking(const struct conversation *in)
{
    if (in->reasoning_budget >= 0)
        return in->reasoning_budget > 0;
    if (in->reasoning_effort.ptr)
        return !str_eq(in->reasoning_effort, STR("none"));
    return in->reasoning_adaptive ? 1 : -1;
}

bool habits_takes_budget(const struct model *model)
{
    const struct dialect *spoken = model->provider->dialect;

    return habit_of(model)->thinking == THINKING_FLAG && (!spoken || spoken == &dialect_openai);
}

void habits_write_thinking(struct json_writer *w, const struct conversation *in,
                           const struct model *to)
{
    int on = must_not_think(to, in->stream) ? 0 : wants_thinking(in);

    if (on < 0)
        return;
    switch (habit_of(to)->thinking) {
    case THINKING_EFFORT: return;
    case THINKING_FLAG:
        write_flag(w, "enable_thinking", on);
        if (in->reasoning_budget > 0) {
            jw_key(w, "thinking_budget");
            jw_i64(w, in->reasoning_budget);
        }
        return;
    case THINKING_TYPE:
        jw_key(w, "thinking");
        jw_object(w);
        jw_key(w, "type");
        jw_cstr(w, on ? "enabled" : "disabled");
        jw_object_end(w);
        return;
    case THINKING_TEMPLATE:
        jw_key(w, "chat_template_kwargs");
        jw_object(w);
        write_flag(w, "enable_thinking", on);
        jw_object_end(w);
        return;
    }
}

void habits_write_going_on(struct json_writer *w, const struct conversation *in,
                           const struct model *to)
{
    if (!in->goes_on || (to->provider->kind != KIND_VLLM && to->provider->kind != KIND_SGLANG))
        return;
    write_flag(w, "continue_final_message", true);
    write_flag(w, "add_generation_prompt", false);
}

/* ---- errors with a good status ---- */

static json_ref given(const struct json *j, json_ref object, const char *key)
{
    json_ref v = json_get(j, object, str_from(key));

    return json_kind(j, v) == JSON_NULL ? 0 : v;
}

static bool is_zero(const struct json *j, json_ref v)
{
    return str_eq(json_raw(j, v), STR("0")) || str_eq(json_raw(j, v), STR("\"0\""));
}

/* In the order of struct habits_reply, what nearly all have first: a member is compared with one after the other. */
static const struct str reply_keys[] = {
    {"id", 2},    {"object", 6},      {"model", 5},     {"choices", 7}, {"usage", 5},
    {"error", 5}, {"error_code", 10}, {"error_msg", 9}, {"message", 7}, {"data", 4},
    {"code", 4},  {"type", 4},        {"timings", 7},   {"x_groq", 6},
};
_Static_assert(sizeof(struct habits_reply) == ARRAY_LEN(reply_keys) * sizeof(json_ref),
               "a key a member");

void habits_reply_read(const struct json *j, json_ref root, struct habits_reply *out)
{
    json_ref found[ARRAY_LEN(reply_keys)];

    json_pick(j, root, reply_keys, found, ARRAY_LEN(reply_keys));
    for (size_t i = 0; i < ARRAY_LEN(reply_keys); i++)
        if (found[i] && json_kind(j, found[i]) == JSON_NULL)
            found[i] = 0;
    memcpy(out, found, sizeof *out);
}

bool habits_failure_read(const struct json *j, const struct habits_reply *r,
                         struct habits_failure *out)
{
    if (r->error) {
        bool bare = json_kind(j, r->error) == JSON_STRING;

        *out = (struct habits_failure){.message = bare ? r->error : given(j, r->error, "message"),
                                       .type = bare ? 0 : given(j, r->error, "type")};
        return true;
    }
    if (r->error_code && !is_zero(j, r->error_code)) {
        *out = (struct habits_failure){.message = r->error_msg, .type = r->error_code};
        return true;
    }
    if (r->choices || r->data || json_kind(j, r->message) != JSON_STRING)
        return false;
    if (!r->code && !str_eq(json_raw(j, r->object), STR("\"error\"")))
        return false;
    *out = (struct habits_failure){.message = r->message, .type = r->type ? r->type : r->code};
    return true;
}

/* ---- usage ---- */

static int64_t count_of(const struct json *j, json_ref object, const char *key)
{
    int64_t n;

    return json_i64(j, json_get(j, object, str_from(key)), &n) && n >= 0 && n < 1000000000000 ? n
                                                                                              : -1;
}

bool habits_usage_read(const struct json *j, const struct habits_reply *r, struct usage *out)
{
    json_ref usage = r->usage, timings = r->timings;
    int64_t read, made, cached;

    if (!usage && r->x_groq) /* Groq's streams */
        usage = json_get(j, r->x_groq, STR("usage"));
    if (json_kind(j, usage) == JSON_OBJECT) {
        openai_read_usage(j, usage, out);
        return true;
    }
    if (!timings)
        return false;
    /* llama.cpp: prompt_n is what was not in its cache. The last event has the totals. */
    read = count_of(j, timings, "prompt_n");
    made = count_of(j, timings, "predicted_n");
    cached = count_of(j, timings, "cache_n");
    if (read < 0 || made < 0 || out->tokens_in >= 0)
        return false;
    *out = usage_unknown;
    out->tokens_in = read + MAX_OF(cached, 0);
    out->tokens_out = made;
    out->tokens_cached = cached;
    return true;
}

/* ---- prompts that were cut ---- */

#define PROMPT_LOOKED_AT (8 * KIB)
#define BYTES_NEVER      12 /* a token: no tokenizer packs text so densely */
#define BYTES_HARDLY     7  /* a token: told as cut where the window was just about filled */

static size_t count_text(struct str s, struct str what)
{
    size_t count = 0, at;

    while ((at = str_find(s, what)) < s.len) {
        count++;
        s = str_slice(s, at + what.len, s.len);
    }
    return count;
}

/* Whole messages are dropped until the rest fits: so a window is rarely filled to the brim. */
static bool fills_a_window(int64_t tokens, int64_t window)
{
    if (window > 0)
        return tokens > window - window / 4 && tokens <= window;
    for (int64_t size = 2048; size <= 262144;
         size *= 2) /* Ollama's own choices are powers of two */
        if (tokens > size - size / 16 && tokens <= size)
            return true;
    return false;
}

bool habits_prompt_was_cut(const struct model *model, struct str body, size_t prompt_bytes,
                           const struct usage *usage)
{
    size_t media, tokens;

    if (!habit_of(model)->cuts_prompts || prompt_bytes < PROMPT_LOOKED_AT ||
        usage->tokens_in <= 0 || usage->estimated)
        return false;
    tokens = (size_t)usage->tokens_in;
    if (prompt_bytes / BYTES_HARDLY < tokens)
        return false;
    /* Suspicious: now it is worth to look what of it was pictures. */
    media =
        MEDIA_BYTES *
        (count_text(body, STR("\"image_url\"")) / 2 + count_text(body, STR("\"input_audio\"")) / 2 +
         count_text(body, STR("\"image\"")) + count_text(body, STR("inlineData")) +
         count_text(body, STR("\"file\"")) / 2 + count_text(body, STR("\"document\"")));
    prompt_bytes -= MIN_OF(media, prompt_bytes);
    if (model->window > 0 && usage->tokens_in > model->window)
        return false;
    return prompt_bytes / BYTES_NEVER > tokens || (prompt_bytes / BYTES_HARDLY > tokens &&
                                                   fills_a_window(usage->tokens_in, model->window));
}
