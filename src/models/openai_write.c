/* POST /v1/chat/completions, written: a conversation for a provider that speaks the OpenAI dialect. */
#include <math.h>

#include "models/gpt.h"
#include "models/habits.h"
#include "models/moderation.h"
#include "models/openai_internal.h"
#include "models/rerank.h"
#include "models/tools.h"

#define STOPS_OF_OPENAI 4
#define REASONING_LOW   4096  /* tokens of a budget that are called a low effort, */
#define REASONING_HIGH  16384 /* and above which it is high: Weir's own measure */

bool openai_is_original(const struct model *to)
{
    return to->provider->kind == KIND_AZURE ||
           (to->provider->kind == KIND_OPENAI &&
            str_ends(to->provider->url.host, STR("openai.com")));
}

void openai_member(struct json_writer *w, const char *key, struct str text)
{
    if (!text.ptr)
        return;
    jw_key(w, key);
    jw_str(w, text);
}

void openai_raw_member(struct json_writer *w, const char *key, struct str raw)
{
    if (str_is_empty(raw))
        return;
    jw_key(w, key);
    jw_raw(w, raw);
}

/* ---- tools ---- */

static void write_tool(struct openai_writing *o, const struct tool *tool)
{
    struct json_writer *w = &o->w;

    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "function");
    jw_key(w, "function");
    jw_object(w);
    openai_member(w, "name", tool->name);
    openai_member(w, "description", tool->description);
    openai_raw_member(w, "parameters", tool->parameters);
    if (tool->strict >= 0) {
        jw_key(w, "strict");
        jw_bool(w, tool->strict > 0);
    }
    jw_object_end(w);
    if (!openai_is_original(o->to))
        openai_raw_member(w, "cache_control", tool->cache_control);
    jw_object_end(w);
}

/* *any: there are some. */
static bool write_tools(struct openai_writing *o, bool *any, struct err *err)
{
    bool open = false;
    size_t i = 0;

    for (const struct tool *t = o->in->tools; t; t = t->next, i++) {
        if (t->builtin.ptr && !o->same_family) {
            struct str path = arena_fmt(o->arena, "tools.%zu", i);

            if (!path.ptr)
                return err_arena(err, o->arena);
            if (!losses_note(o->losses, path, "only the client's dialect knows this tool", err))
                return false;
            continue;
        }
        if (!open) {
            jw_key(&o->w, "tools");
            jw_array(&o->w);
            open = true;
        }
        if (t->builtin.ptr)
            jw_raw(&o->w, t->builtin);
        else
            write_tool(o, t);
    }
    if (open)
        jw_array_end(&o->w);
    *any = open;
    return true;
}

static bool write_choice(struct openai_writing *o, struct err *err)
{
    static const char *const words[] = {
        [CHOOSE_AUTO] = "auto", [CHOOSE_NONE] = "none", [CHOOSE_ANY] = "required"};
    bool is_function = tool_choice_is_a_function(o->in);
    struct json_writer *w = &o->w;

    if (o->in->tool_choice == CHOOSE_UNSAID)
        return true;
    if (o->in->tool_choice == CHOOSE_NAMED && !is_function && !o->same_family)
        return tool_choice_is_lost(o->in, o->losses, err);
    jw_key(w, "tool_choice");
    if (o->in->tool_choice != CHOOSE_NAMED) {
        jw_cstr(w, words[o->in->tool_choice]);
        return true;
    }
    openai_part_begin(w, is_function ? "function" : "custom");
    jw_key(w, is_function ? "function" : "custom");
    jw_object(w);
    openai_member(w, "name", o->in->tool_name);
    jw_object_end(w);
    jw_object_end(w);
    return true;
}

/* ---- the other fields ---- */

static void write_format(struct openai_writing *o)
{
    const struct conversation *in = o->in;
    struct json_writer *w = &o->w;

    if (in->format != FORMAT_JSON && in->format != FORMAT_SCHEMA)
        return;
    jw_key(w, "response_format");
    openai_part_begin(w, in->format == FORMAT_JSON ? "json_object" : "json_schema");
    if (in->format == FORMAT_SCHEMA) {
        jw_key(w, "json_schema");
        jw_object(w);
        openai_member(w, "name", in->schema_name.len ? in->schema_name : STR("answer"));
        openai_member(w, "description", in->schema_description);
        openai_raw_member(w, "schema", in->schema);
        if (in->schema_strict >= 0) {
            jw_key(w, "strict");
            jw_bool(w, in->schema_strict > 0);
        }
        jw_object_end(w);
    }
    jw_object_end(w);
}

/* Beyond OpenAI's own fields, where the server has them. */
static bool takes_sampling_extras(const struct model *to)
{
    switch (to->provider->kind) {
    case KIND_VLLM:
    case KIND_SGLANG:
    case KIND_LLAMA_CPP:
    case KIND_OLLAMA:
    case KIND_DASHSCOPE: return true;
    default: return false;
    }
}

static bool write_number(struct json_writer *w, const char *key, double n)
{
    if (isnan(n))
        return false;
    jw_key(w, key);
    jw_f64(w, n);
    return true;
}

static void write_count(struct json_writer *w, const char *key, int64_t n)
{
    if (n == -1)
        return;
    jw_key(w, key);
    jw_i64(w, n);
}

static bool write_sampling_extras(struct json_writer *w, const struct conversation *in,
                                  const struct model *to, struct losses *losses, struct err *err)
{
    static const char why[] = "the model's provider has no such field";

    if (takes_sampling_extras(to)) {
        write_count(w, "top_k", in->top_k);
        write_number(w, "min_p", in->min_p);
        return true;
    }
    return (in->top_k == -1 || fields_lose(in, "top_k", why, losses, err)) &&
           (isnan(in->min_p) || in->min_p == 0 || fields_lose(in, "min_p", why, losses, err));
}

static bool write_stops(struct json_writer *w, const struct conversation *in, uint32_t most,
                        struct losses *losses, struct err *err)
{
    uint32_t count = MIN_OF(in->stop_count, most);

    if (!count)
        return true;
    jw_key(w, "stop");
    jw_array(w);
    for (uint32_t i = 0; i < count; i++)
        jw_str(w, in->stops[i]);
    jw_array_end(w);
    return count == in->stop_count ||
           fields_lose(in, "stop", "the provider takes four at most", losses, err);
}

bool openai_write_sampling(struct json_writer *w, const struct conversation *in,
                           const struct model *to, struct losses *losses, struct err *err)
{
    write_number(w, "temperature", in->temperature);
    write_number(w, "top_p", in->top_p);
    write_number(w, "frequency_penalty", in->frequency_penalty);
    write_number(w, "presence_penalty", in->presence_penalty);
    write_count(w, "n", in->n);
    if (in->seed != SEED_UNSAID) {
        jw_key(w, "seed");
        jw_i64(w, in->seed);
    }
    if (!write_stops(w, in, openai_is_original(to) ? STOPS_OF_OPENAI : in->stop_count, losses, err))
        return false;
    openai_raw_member(w, "logit_bias", in->logit_bias);
    openai_member(w, "user", in->user);
    if (in->stream) {
        jw_key(w, "stream");
        jw_bool(w, true);
        jw_key(w, "stream_options"); /* we always want to know what a stream has used */
        jw_raw(w, STR("{\"include_usage\":true}"));
    }
    return write_sampling_extras(w, in, to, losses, err);
}

bool openai_effort(const struct conversation *in, const struct model *to, struct losses *losses,
                   struct str *out, struct err *err)
{
    int64_t budget = in->reasoning_budget;

    if (in->reasoning_effort.ptr)
        *out = str_eq(in->reasoning_effort, STR("max")) ? STR("xhigh") : in->reasoning_effort;
    else
        *out = budget < 0                 ? STR_NONE
               : budget == 0              ? openai_is_original(to) ? STR("none") : STR_NONE
               : budget <= REASONING_LOW  ? STR("low")
               : budget <= REASONING_HIGH ? STR("medium")
                                          : STR("high");
    if (!gpt_effort_fit(in, to, losses, out, err))
        return false;
    if (budget <= 0 || habits_takes_budget(to))
        return true;
    return fields_lose(in, "reasoning_budget",
                       "the provider takes an effort, not a number of tokens", losses, err);
}

const struct conversation *openai_fitted(struct arena *arena, const struct conversation *in,
                                         const struct model *to, struct losses *losses,
                                         struct err *err)
{
    struct conversation *fitted;
    struct str effort;

    if (!gpt_is_known(in, to))
        return in;
    fitted = arena_alloc(arena, sizeof *fitted);
    if (!fitted) {
        (void)err_arena(err, arena);
        return NULL;
    }
    *fitted = *in;
    if (!openai_effort(in, to, losses, &effort, err) ||
        !gpt_sampling_fit(fitted, to, effort, losses, err))
        return NULL;
    return fitted;
}

/* Off is what other houses' models do when nothing is said, or cannot be told. */
static bool write_effort(struct openai_writing *o, struct err *err)
{
    struct str effort;

    if (!openai_effort(o->in, o->to, o->losses, &effort, err))
        return false;
    openai_member(&o->w, "reasoning_effort", effort);
    habits_write_thinking(&o->w, o->in, o->to);
    habits_write_going_on(&o->w, o->in, o->to);
    return true;
}

bool openai_write_extras(struct json_writer *w, const struct conversation *in,
                         struct losses *losses, struct err *err)
{
    if (!dialect_is_openai(in->spoken))
        return extras_losses(in, losses, err);
    for (const struct extra *e = in->extras; e; e = e->next) {
        if (e->is_own) {
            if (!losses_note(losses, e->name, "the model's provider has no such field", err))
                return false;
            continue;
        }
        buf_str(w->to, STR(",\"")); /* never the first; the name's escapes are right already */
        buf_str(w->to, e->name);
        buf_str(w->to, STR("\":"));
        buf_str(w->to, e->raw);
    }
    return true;
}

void openai_body_begin(struct json_writer *w, struct buf *body, struct arena *arena,
                       const struct model *to)
{
    buf_init(body, arena, OPENAI_BODY_MAX);
    jw_init(w, body);
    jw_object(w);
    openai_member(w, "model", to->remote_name);
}

bool openai_body_end(struct json_writer *w, const struct conversation *in, struct losses *losses,
                     const char *path, struct outgoing *out, struct err *err)
{
    if (!openai_write_extras(w, in, losses, err))
        return false;
    jw_object_end(w);
    return openai_outgoing(w->to, path, out, err);
}

bool openai_outgoing(struct buf *body, const char *path, struct outgoing *out, struct err *err)
{
    if (!buf_finish(body, &out->body, err))
        return false;
    out->method = STR("POST");
    out->path = str_from(path);
    return true;
}

static bool write_fields(struct openai_writing *o, struct err *err)
{
    const struct conversation *in = o->in;
    struct json_writer *w = &o->w;
    bool any;

    /* OpenAI's newer models refuse the older name, older servers do not know the newer. */
    write_count(w, openai_is_original(o->to) ? "max_completion_tokens" : "max_tokens",
                in->max_tokens);
    if (!openai_write_sampling(w, in, o->to, o->losses, err) || !write_tools(o, &any, err))
        return false;
    if (any ? !write_choice(o, err) : !tool_choice_is_lost(in, o->losses, err))
        return false;
    if (in->parallel_tools >= 0 && any) {
        jw_key(w, "parallel_tool_calls");
        jw_bool(w, in->parallel_tools > 0);
    }
    write_format(o);
    if (in->logprobs >= 0) {
        jw_key(w, "logprobs");
        jw_bool(w, in->logprobs > 0);
    }
    write_count(w, "top_logprobs", in->top_logprobs);
    openai_member(w, "service_tier", in->service_tier);
    openai_member(w, "verbosity", in->verbosity);
    openai_raw_member(w, "metadata", in->metadata);
    openai_raw_member(w, "modalities", in->modalities);
    openai_raw_member(w, "audio", in->audio);
    openai_raw_member(w, "prediction", in->prediction);
    return write_effort(o, err) &&
           fields_losses(in, dialect_openai.fields, dialect_openai.field_count, o->losses, err) &&
           openai_write_extras(w, in, o->losses, err);
}

static bool write_chat(struct arena *arena, const struct conversation *asked,
                       const struct model *to, struct losses *losses, struct outgoing *out,
                       struct err *err)
{
    const struct conversation *in = openai_fitted(arena, asked, to, losses, err);
    struct openai_writing o = {.arena = arena,
                               .in = in,
                               .to = to,
                               .losses = losses,
                               .same_family = asked->spoken == &dialect_openai};
    struct buf body;

    if (!in)
        return false;
    openai_body_begin(&o.w, &body, arena, to);
    jw_key(&o.w, "messages");
    jw_array(&o.w);
    for (const struct turn *t = in->turns; t; t = t->next)
        if (!openai_write_turn(&o, t, err))
            return false;
    jw_array_end(&o.w);
    if (!write_fields(&o, err))
        return false;
    jw_object_end(&o.w);
    return openai_outgoing(&body, "/chat/completions", out, err);
}

bool openai_write_request(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err)
{
    if (in->kind == ASK_RERANK)
        return rerank_write_request(arena, in, to, losses, out, err);
    if (in->kind == ASK_MODERATION)
        return moderation_write_request(arena, in, to, losses, out, err);
    if (in->kind == ASK_EMBEDDING)
        return embeddings_write_request(arena, in, to, losses, out, err);
    if (in->kind == ASK_COMPLETION && completions_are_native(to))
        return completions_write_request(arena, in, to, losses, out, err);
    if (in->kind == ASK_COMPLETION && !in->turns)
        return err_set(err, ERR_INVALID, "prompt: the model's provider takes text, no tokens");
    return write_chat(arena, in, to, losses, out, err);
}
