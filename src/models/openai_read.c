/* POST /v1/chat/completions, read: the fields of a request, its tools; messages in openai_messages.c. */
#include "base/table.h"
#include "models/chat.h"
#include "models/members.h"
#include "models/openai_internal.h"

/* ---- small things ---- */

bool openai_read_extra(struct field_reader *r, json_ref object, const char *const *known,
                       struct str *out, struct err *err)
{
    const struct json *j = r->json;
    struct json_writer w;
    struct buf text = {0};

    for (json_ref v = json_first(j, object); v; v = json_next(j, v)) {
        if (member_is_known(known, json_key_raw(j, v)) || json_kind(j, v) == JSON_NULL)
            continue;
        if (!text.arena) {
            buf_init(&text, r->arena, json_raw(j, object).len + 2);
            jw_init(&w, &text);
            jw_object(&w);
        }
        buf_str(&text, text.len > 1 ? STR(",\"") : STR("\""));
        buf_str(&text, json_key_raw(j, v)); /* as it came: its escapes are right already */
        buf_str(&text, STR("\":"));
        buf_str(&text, json_raw(j, v));
    }
    if (!text.arena)
        return true;
    buf_char(&text, '}');
    return buf_finish(&text, out, err);
}

bool openai_check_model(const struct conversation *c, struct err *err)
{
    if (!c->model.ptr)
        return err_set(err, ERR_INVALID, "model: expected a string");
    if (str_is_empty(c->model))
        return err_set(err, ERR_INVALID, "model: expected the name of a model");
    return true;
}

bool openai_begin_fields(struct field_reader *r, const struct dialect *dialect, enum ask_kind kind,
                         const char *what, struct err *err)
{
    json_ref root = json_root(r->json);

    if (json_kind(r->json, root) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body is not %s: expected an object", what);
    conversation_init(r->to);
    r->to->kind = kind;
    r->to->spoken = dialect;
    return fields_read(r, root, dialect->fields, dialect->field_count, err);
}

bool openai_read_fields(struct field_reader *r, const struct dialect *dialect, enum ask_kind kind,
                        const char *what, struct err *err)
{
    return openai_begin_fields(r, dialect, kind, what, err) && openai_check_model(r->to, err);
}

/* ---- tools ---- */

static bool read_function(struct field_reader *r, json_ref function, struct tool *tool, size_t i,
                          struct err *err)
{
    static const char *const known[] = {"name",          "description", "parameters", "strict",
                                        "cache_control", "type",        NULL};
    const struct json *j = r->json;
    json_ref name = json_get(j, function, STR("name"));
    json_ref about = openai_given(j, function, STR("description"));
    json_ref schema = openai_given(j, function, STR("parameters"));
    json_ref strict = openai_given(j, function, STR("strict"));
    bool flag = false;

    if (json_kind(j, name) != JSON_STRING)
        return err_set(err, ERR_INVALID, "tools.%zu.function.name: expected a string", i);
    if (about && json_kind(j, about) != JSON_STRING)
        return err_set(err, ERR_INVALID, "tools.%zu.function.description: expected a string", i);
    if (schema && json_kind(j, schema) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "tools.%zu.function.parameters: expected an object", i);
    if (strict && !json_bool(j, strict, &flag))
        return err_set(err, ERR_INVALID, "tools.%zu.function.strict: expected true or false", i);
    if (!json_str(j, name, r->arena, &tool->name) ||
        (about && !json_str(j, about, r->arena, &tool->description)))
        return err_arena(err, r->arena);
    tool->parameters = schema ? json_raw(j, schema) : STR_NONE;
    tool->strict = strict ? flag : -1;
    return openai_read_extra(r, function, known, &tool->extra, err);
}

/* What stands beside the function, behind what stands in it. */
static bool read_beside(struct field_reader *r, json_ref t, struct tool *tool, struct err *err)
{
    static const char *const known[] = {"type", "function", "cache_control", NULL};
    struct str beside = STR_NONE, inside = tool->extra;

    if (!openai_read_extra(r, t, known, &beside, err))
        return false;
    if (!beside.len)
        return true;
    tool->extra = !inside.len ? beside
                              : arena_fmt(r->arena, STR_FMT "," STR_FMT,
                                          STR_ARG(str_slice(inside, 0, inside.len - 1)),
                                          STR_ARG(str_slice(beside, 1, beside.len)));
    return tool->extra.ptr || err_arena(err, r->arena);
}

static bool read_tool_list(struct field_reader *r, json_ref v, bool bare, struct err *err)
{
    const struct json *j = r->json;
    struct tool **tail = &r->to->tools;
    size_t i = 0;

    if (json_kind(j, v) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "%s: expected an array", bare ? "functions" : "tools");
    while (*tail)
        tail = &(*tail)->next;
    r->to->prompt_bytes += json_raw(j, v).len;
    for (json_ref t = json_first(j, v); t; t = json_next(j, t), i++) {
        struct str type = json_raw(j, json_get(j, t, STR("type")));
        struct tool *tool = arena_alloc(r->arena, sizeof *tool);
        json_ref mark = openai_given(j, t, STR("cache_control"));

        if (!tool)
            return err_arena(err, r->arena);
        *tail = tool;
        tail = &tool->next;
        tool->strict = -1;
        if (mark)
            tool->cache_control = json_raw(j, mark);
        if (json_kind(j, t) != JSON_OBJECT || (!bare && !type.len))
            return err_set(err, ERR_INVALID, "tools.%zu.type: expected a string", i);
        if (!bare && !str_eq(type, STR("\"function\"")))
            tool->builtin = json_raw(j, t);
        else if (!read_function(r, bare ? t : json_get(j, t, STR("function")), tool, i, err) ||
                 (!bare && !read_beside(r, t, tool, err)))
            return false;
    }
    return true;
}

static bool read_tools(struct field_reader *r, json_ref v, struct err *err)
{
    return read_tool_list(r, v, false, err);
}

static bool read_functions(struct field_reader *r, json_ref v, struct err *err)
{
    r->to->functions = true;
    return read_tool_list(r, v, true, err);
}

static bool choose(struct field_reader *r, json_ref v, struct err *err)
{
    static const struct {
        const char *word;
        enum tool_choice choice;
    } words[] = {
        {"\"auto\"", CHOOSE_AUTO}, {"\"none\"", CHOOSE_NONE}, {"\"required\"", CHOOSE_ANY}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(json_raw(r->json, v), str_from(words[i].word))) {
            r->to->tool_choice = words[i].choice;
            return true;
        }
    return err_set(err, ERR_INVALID, "tool_choice: expected auto, none, required or an object");
}

/* What nobody knows of what is chosen. */
static bool note_chosen(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"name", NULL}, *const allowed[] = {"mode", "tools", NULL};
    const struct json *j = r->json;
    const struct at at = {NULL, "tool_choice", 0};

    return members_lost(r, json_get(j, v, STR("function")), known, &(struct at){&at, "function", 0},
                        err) &&
           members_lost(r, json_get(j, v, STR("custom")), known, &(struct at){&at, "custom", 0},
                        err) &&
           members_lost(r, json_get(j, v, STR("allowed_tools")), allowed,
                        &(struct at){&at, "allowed_tools", 0}, err);
}

static bool read_tool_choice(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"type", "function", "custom", "allowed_tools", NULL};
    const struct json *j = r->json;
    json_ref name = json_get(j, json_get(j, v, STR("function")), STR("name"));
    json_ref allowed = json_get(j, v, STR("allowed_tools"));

    if (json_kind(j, v) != JSON_OBJECT)
        return choose(r, v, err);
    if (!members_inside(r, v, known, "tool_choice", err) || !note_chosen(r, v, err))
        return false;
    if (json_kind(j, allowed) ==
        JSON_OBJECT) /* which of them: forget_others(), when all are read */
        return choose(r, json_get(j, allowed, STR("mode")), err);
    if (!name)
        name = json_get(j, json_get(j, v, STR("custom")), STR("name"));
    if (json_kind(j, name) != JSON_STRING)
        return err_set(err, ERR_INVALID, "tool_choice.function.name: expected a string");
    r->to->tool_choice = CHOOSE_NAMED;
    return json_str(j, name, r->arena, &r->to->tool_name) || err_arena(err, r->arena);
}

static bool read_old_choice(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"name", NULL};
    json_ref name = json_get(r->json, v, STR("name"));

    if (json_kind(r->json, v) != JSON_OBJECT)
        return choose(r, v, err);
    if (json_kind(r->json, name) != JSON_STRING)
        return err_set(err, ERR_INVALID, "function_call.name: expected a string");
    if (!members_inside(r, v, known, "function_call", err))
        return false;
    r->to->tool_choice = CHOOSE_NAMED;
    return json_str(r->json, name, r->arena, &r->to->tool_name) || err_arena(err, r->arena);
}

/* "allowed_tools" narrows the list: elsewhere one says it by leaving the others out. */
static bool forget_others(const struct field_reader *r, struct err *err)
{
    const struct json *j = r->json;
    json_ref choice = json_get(j, json_root(j), STR("tool_choice"));
    json_ref list = json_get(j, json_get(j, choice, STR("allowed_tools")), STR("tools"));
    bool any = false, left = false;
    struct table allowed;
    struct str name;

    if (json_kind(j, list) != JSON_ARRAY)
        return true;
    table_init(&allowed, r->arena, json_count(j, list));
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        json_ref n = json_get(j, json_get(j, v, STR("function")), STR("name"));

        if (json_kind(j, n) == JSON_STRING &&
            (!json_str(j, n, r->arena, &name) || !table_put(&allowed, name, r->to, NULL)))
            return err_arena(err, r->arena);
    }
    for (struct tool **at = &r->to->tools; *at;) {
        bool hidden = (*at)->name.ptr && !table_get(&allowed, (*at)->name);

        any = any || hidden;
        left = left || !hidden;
        if (hidden)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    return left || !any ||
           err_set(err, ERR_INVALID,
                   "tool_choice.allowed_tools.tools: none of them is among the tools");
}

/* ---- the other fields ---- */

static bool read_schema(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"name", "schema", "description", "strict", NULL};
    const struct json *j = r->json;
    json_ref schema = json_get(j, v, STR("schema")), name = json_get(j, v, STR("name"));
    json_ref about = openai_given(j, v, STR("description"));
    json_ref strict = openai_given(j, v, STR("strict"));
    bool flag = false;

    if (json_kind(j, name) != JSON_STRING)
        return err_set(err, ERR_INVALID, "response_format.json_schema.name: expected a string");
    if (schema && json_kind(j, schema) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "response_format.json_schema.schema: expected an object");
    if (about && json_kind(j, about) != JSON_STRING)
        return err_set(err, ERR_INVALID,
                       "response_format.json_schema.description: expected a string");
    if (strict && !json_bool(j, strict, &flag))
        return err_set(err, ERR_INVALID,
                       "response_format.json_schema.strict: expected true or false");
    r->to->format = FORMAT_SCHEMA;
    r->to->schema = schema ? json_raw(j, schema) : STR("{}");
    r->to->schema_strict = strict ? flag : -1;
    r->to->prompt_bytes += json_raw(j, v).len;
    if (!json_str(j, name, r->arena, &r->to->schema_name) ||
        (about && !json_str(j, about, r->arena, &r->to->schema_description)))
        return err_arena(err, r->arena);
    return members_inside(r, v, known, "response_format.json_schema", err);
}

static bool read_format(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"type", "json_schema", NULL};
    struct str type = json_raw(r->json, json_get(r->json, v, STR("type")));

    if (!members_inside(r, v, known, "response_format", err))
        return false;
    if (str_eq(type, STR("\"text\"")))
        r->to->format = FORMAT_TEXT;
    else if (str_eq(type, STR("\"json_object\"")))
        r->to->format = FORMAT_JSON;
    else if (str_eq(type, STR("\"json_schema\"")))
        return read_schema(r, json_get(r->json, v, STR("json_schema")), err);
    else
        return err_set(err, ERR_INVALID,
                       "response_format.type: expected text, json_object or json_schema");
    return true;
}

bool openai_read_model(struct field_reader *r, json_ref v, struct err *err)
{
    if (json_kind(r->json, v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "model: expected a string");
    return json_str(r->json, v, r->arena, &r->to->model) || err_arena(err, r->arena);
}

bool openai_read_stop(struct field_reader *r, json_ref v, struct err *err)
{
    bool is_list = json_kind(r->json, v) == JSON_ARRAY;
    json_ref s = is_list ? json_first(r->json, v) : v;

    for (; s; s = is_list ? json_next(r->json, s) : 0) {
        if (json_kind(r->json, s) != JSON_STRING)
            return err_set(err, ERR_INVALID, "stop: expected a string or an array of strings");
        if (r->to->stop_count == ARRAY_LEN(r->to->stops))
            return err_set(err, ERR_INVALID, "stop: expected at most %zu strings",
                           ARRAY_LEN(r->to->stops));
        if (!json_str(r->json, s, r->arena, &r->to->stops[r->to->stop_count]))
            return err_arena(err, r->arena);
        r->to->stop_count++;
    }
    return true;
}

bool openai_read_stream_options(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"include_usage", "include_obfuscation", NULL};
    json_ref flag = openai_given(r->json, v, STR("include_usage"));

    if (json_kind(r->json, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "stream_options: expected an object");
    if (!members_inside(r, v, known, "stream_options", err))
        return false;
    if (flag && !json_bool(r->json, flag, &r->to->include_usage))
        return err_set(err, ERR_INVALID, "stream_options.include_usage: expected true or false");
    flag = openai_given(r->json, v, STR("include_obfuscation"));
    return !flag || json_bool(r->json, flag, &r->to->pad_events) ||
           err_set(err, ERR_INVALID, "stream_options.include_obfuscation: expected true or false");
}

/* The newer name of it wins, whichever stands first. */
static bool read_max_tokens(struct field_reader *r, json_ref v, struct err *err)
{
    static const struct field older = {.name = "max_tokens", .kind = FIELD_INT, .max = 1e9};
    int64_t n;

    if (!fields_read_int(r, v, &older, &n, err))
        return false;
    if (!openai_given(r->json, json_root(r->json), STR("max_completion_tokens")))
        r->to->max_tokens = n;
    return true;
}

/* {"type":"enabled","budget_tokens":N} as DeepSeek and others borrowed it, {"effort","max_tokens"} as
 * routers have it. */
static bool read_thinking(struct field_reader *r, json_ref v, struct err *err)
{
    static const struct field budget = {
        .name = "thinking.budget_tokens", .kind = FIELD_INT, .max = 1e9};
    static const char *const known[] = {"type",   "budget_tokens", "max_tokens",
                                        "effort", "enabled",       NULL};
    bool is_reasoning = str_eq(json_key_raw(r->json, v), STR("reasoning")), on = true;
    json_ref effort = openai_given(r->json, v, STR("effort"));
    json_ref enabled = openai_given(r->json, v, STR("enabled"));
    json_ref tokens = openai_given(r->json, v, STR("budget_tokens"));
    struct str type = json_raw(r->json, json_get(r->json, v, STR("type")));

    if (!members_inside(r, v, known, is_reasoning ? "reasoning" : "thinking", err))
        return false;
    if (enabled && !json_bool(r->json, enabled, &on))
        return err_set(err, ERR_INVALID, "%s.enabled: expected true or false",
                       is_reasoning ? "reasoning" : "thinking");
    if (!tokens)
        tokens = openai_given(r->json, v, STR("max_tokens"));
    if (json_kind(r->json, effort) == JSON_STRING &&
        !json_str(r->json, effort, r->arena, &r->to->reasoning_effort))
        return err_arena(err, r->arena);
    if (str_eq(type, STR("\"disabled\"")) || !on)
        r->to->reasoning_budget = 0;
    else if (tokens)
        return fields_read_int(r, tokens, &budget, &r->to->reasoning_budget, err);
    else
        r->to->reasoning_adaptive = !effort;
    return true;
}

static bool read_enable_thinking(struct field_reader *r, json_ref v, struct err *err)
{
    bool flag;

    if (!json_bool(r->json, v, &flag))
        return err_set(err, ERR_INVALID, "enable_thinking: expected true or false");
    if (flag)
        r->to->reasoning_adaptive = true;
    else
        r->to->reasoning_budget = 0;
    return true;
}

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
static const struct field fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, openai_read_model, "the model that is asked"},
    {"messages", FIELD_OWN, AT(turns), 0, 0, openai_read_messages, "the conversation so far"},
    {"audio", FIELD_RAW, AT(audio), 0, 0, NULL, "voice and format of a spoken answer"},
    {"frequency_penalty", FIELD_NUMBER, AT(frequency_penalty), -2, 2, NULL, "against repetition"},
    {"function_call", FIELD_OWN, AT(tool_choice), 0, 0, read_old_choice,
     "older form of tool_choice"},
    {"functions", FIELD_OWN, AT(tools), 0, 0, read_functions,
     "older form of tools; answered in the older form"},
    {"logit_bias", FIELD_RAW, AT(logit_bias), 0, 0, NULL, "token id to bias"},
    {"logprobs", FIELD_TRI, AT(logprobs), 0, 0, NULL, "with log probabilities of the tokens"},
    {"max_completion_tokens", FIELD_INT, AT(max_tokens), 0, 1e9, NULL,
     "limit of the answer, reasoning included"},
    {"max_tokens", FIELD_OWN, AT(max_tokens), 0, 0, read_max_tokens,
     "older name of max_completion_tokens"},
    {"metadata", FIELD_RAW, AT(metadata), 0, 0, NULL, "the client's own notes"},
    {"modalities", FIELD_RAW, AT(modalities), 0, 0, NULL, "text, audio"},
    {"moderation", FIELD_EXTRA, 0, 0, 0, NULL, "OpenAI's own checks"},
    {"n", FIELD_INT, AT(n), 1, CHAT_CHOICES_MAX, NULL, "number of choices"},
    {"parallel_tool_calls", FIELD_TRI, AT(parallel_tools), 0, 0, NULL, "several calls in one turn"},
    {"prediction", FIELD_RAW, AT(prediction), 0, 0, NULL,
     "text that the answer will mostly repeat"},
    {"presence_penalty", FIELD_NUMBER, AT(presence_penalty), -2, 2, NULL, "for new subjects"},
    {"prompt_cache_key", FIELD_EXTRA, 0, 0, 0, NULL, "OpenAI's prompt cache"},
    {"prompt_cache_options", FIELD_EXTRA, 0, 0, 0, NULL, "OpenAI's prompt cache"},
    {"prompt_cache_retention", FIELD_EXTRA, 0, 0, 0, NULL, "OpenAI's prompt cache"},
    {"reasoning_effort", FIELD_TEXT, AT(reasoning_effort), 0, 0, NULL,
     "none, minimal, low, medium, high, xhigh"},
    {"response_format", FIELD_OWN, AT(format), 0, 0, read_format, "text, json_object, json_schema"},
    {"safety_identifier", FIELD_EXTRA, 0, 0, 0, NULL, "who the user is, hashed"},
    {"seed", FIELD_INT, AT(seed), 0, 0, NULL, "for answers that can be repeated"},
    {"service_tier", FIELD_TEXT, AT(service_tier), 0, 0, NULL, "auto, default, flex, priority"},
    {"stop", FIELD_OWN, AT(stops), 0, 0, openai_read_stop, "where to stop: one string or several"},
    {"store", FIELD_EXTRA, 0, 0, 0, NULL, "keep the answer at OpenAI"},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "answer as events"},
    {"stream_options", FIELD_OWN, AT(include_usage), 0, 0, openai_read_stream_options,
     "include_usage, include_obfuscation"},
    {"temperature", FIELD_NUMBER, AT(temperature), 0, 2, NULL, "0: the likeliest token"},
    {"tool_choice", FIELD_OWN, AT(tool_choice), 0, 0, read_tool_choice,
     "auto, none, required, one function, allowed_tools"},
    {"tools", FIELD_OWN, AT(tools), 0, 0, read_tools, "functions that the model may call"},
    {"top_logprobs", FIELD_INT, AT(top_logprobs), 0, 20, NULL, "alternatives of each token"},
    {"top_p", FIELD_NUMBER, AT(top_p), 0, 1, NULL, "nucleus sampling"},
    {"user", FIELD_TEXT, AT(user), 0, 0, NULL, "who the end user is"},
    {"verbosity", FIELD_TEXT, AT(verbosity), 0, 0, NULL, "low, medium, high"},
    {"web_search_options", FIELD_EXTRA, 0, 0, 0, NULL, "OpenAI's web search"},
    /* Not OpenAI's, but of many servers that speak its dialect. */
    {"enable_thinking", FIELD_OWN, AT(reasoning_adaptive), 0, 0, read_enable_thinking,
     "DashScope: reasoning on or off"},
    {"min_p", FIELD_NUMBER, AT(min_p), 0, 1, NULL,
     "vLLM, SGLang, llama.cpp: least share of the likeliest token"},
    {"reasoning", FIELD_OWN, AT(reasoning_effort), 0, 0, read_thinking,
     "routers: effort and max_tokens"},
    {"thinking", FIELD_OWN, AT(reasoning_budget), 0, 0, read_thinking,
     "DeepSeek and others: type and budget_tokens"},
    {"top_k", FIELD_INT, AT(top_k), -1, 1e9, NULL,
     "vLLM, SGLang, llama.cpp, Ollama: only the k likeliest tokens"},
};
/* clang-format on */

static bool read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err)
{
    struct conversation c;
    struct field_reader r = {.arena = arena, .json = json, .to = &c};

    if (!openai_read_fields(&r, &dialect_openai, ASK_CHAT, "a chat request", err))
        return false;
    if (!c.turns)
        return err_set(err, ERR_INVALID, "messages: expected an array with at least one message");
    if (!forget_others(&r, err))
        return false;
    *out = c;
    return true;
}

const struct dialect dialect_openai = {
    .name = "openai",
    .framing = FRAMING_SSE,
    .fields = fields,
    .field_count = ARRAY_LEN(fields),
    .read_request = read_request,
    .write_request = openai_write_request,
    .reader_init = openai_reader_init,
    .read_said = openai_read_said,
    .at_end = openai_at_end,
    .read_error = openai_read_error,
    .writer_init = openai_writer_init,
    .write_said = openai_write_said,
    .carries = CARRIES(SAID_TEXT) | CARRIES(SAID_REASONING) | CARRIES(SAID_REFUSAL) |
               CARRIES(SAID_TOOL) | CARRIES(SAID_ARGUMENTS) | CARRIES(SAID_CITATION) |
               CARRIES(SAID_MEDIA) | CARRIES(SAID_LOGPROBS) | CARRIES(SAID_TIER) | CARRIES_CHOICES |
               CARRIES_STOP | CARRIES_SIGNED_CALL | CARRIES_SIGNED_THINK | CARRIES_REDACTED |
               CARRIES_SOUND | CARRIES_CACHE_WRITES | CARRIES_MODALITIES | CARRIES_REASONED,
    .stream_type = {"text/event-stream", sizeof "text/event-stream" - 1},
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
};
