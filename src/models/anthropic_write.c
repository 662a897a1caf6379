/* A request for an Anthropic provider: what stands beside turns and tools. */
#include "models/anthropic.h"
#include "models/claude.h"
#include "models/members.h"
#include "models/models.h"
#include "models/tools.h"

#define VERSION          "2023-06-01" /* anthropic-version, where the settings name none */
#define MAX_TOKENS_USUAL 4096 /* the field is required here; neither client nor model said */

static int64_t max_tokens_of(const struct conversation *in, const struct model *to)
{
    if (in->max_tokens > 0)
        return in->max_tokens;
    return to->output_tokens_max > 0 ? to->output_tokens_max : MAX_TOKENS_USUAL;
}

/* ---- thinking ---- */

static void write_thinking(struct json_writer *w, const struct conversation *in,
                           const struct claude_thinking *thinking)
{
    if (!thinking->on && !thinking->off)
        return;
    jw_key(w, "thinking");
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, thinking->off ? "disabled" : thinking->adaptive ? "adaptive" : "enabled");
    if (thinking->on && !thinking->adaptive) {
        jw_key(w, "budget_tokens");
        jw_i64(w, thinking->budget);
    }
    if (thinking->on && in->reasoning_summary.ptr) {
        jw_key(w, "display");
        jw_cstr(w, "summarized");
    }
    jw_object_end(w);
}

static void write_output_config(struct json_writer *w, const struct conversation *in,
                                const char *effort)
{
    if (!effort && in->format != FORMAT_SCHEMA)
        return;
    jw_key(w, "output_config");
    jw_object(w);
    if (effort) {
        jw_key(w, "effort");
        jw_cstr(w, effort);
    }
    if (in->format == FORMAT_SCHEMA) {
        jw_key(w, "format");
        jw_object(w);
        jw_key(w, "type");
        jw_cstr(w, "json_schema");
        jw_key(w, "schema");
        jw_raw(w, str_is_empty(in->schema) ? STR("{}") : in->schema);
        jw_object_end(w);
    }
    jw_object_end(w);
}

/* ---- what is narrower here ---- */

static bool write_tool_choice(struct anthropic_writing *to, struct err *err)
{
    static const char *const names[] = {[CHOOSE_UNSAID] = "auto",
                                        [CHOOSE_AUTO] = "auto",
                                        [CHOOSE_NONE] = "none",
                                        [CHOOSE_ANY] = "any",
                                        [CHOOSE_NAMED] = "tool"};
    const struct conversation *in = to->in;
    struct json_writer *w = to->w;

    if (to->same) /* as it came */
        return true;
    if (!to->has_tools || (in->tool_choice == CHOOSE_NAMED && !tool_choice_is_a_function(in)))
        return tool_choice_is_lost(in, to->losses, err);
    if (in->tool_choice == CHOOSE_UNSAID && in->parallel_tools != 0)
        return true;
    jw_key(w, "tool_choice");
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, to->forces_none ? "auto" : names[in->tool_choice]);
    if (in->tool_choice == CHOOSE_NAMED && !to->forces_none) {
        jw_key(w, "name");
        jw_str(w, in->tool_name);
    }
    if (in->parallel_tools == 0 && in->tool_choice != CHOOSE_NONE) {
        jw_key(w, "disable_parallel_tool_use");
        jw_bool(w, true);
    }
    jw_object_end(w);
    return true;
}

static void write_rest(struct json_writer *w, const struct conversation *in)
{
    if (in->stop_count > 0) {
        jw_key(w, "stop_sequences");
        jw_array(w);
        for (uint32_t i = 0; i < in->stop_count; i++)
            jw_str(w, in->stops[i]);
        jw_array_end(w);
    }
    if (in->user.ptr) {
        jw_key(w, "metadata");
        jw_object(w);
        jw_key(w, "user_id");
        jw_str(w, in->user);
        jw_object_end(w);
    }
}

static bool write_tier(struct json_writer *w, const struct conversation *in, struct losses *losses,
                       struct err *err)
{
    bool standard = str_eq(in->service_tier, STR("default"));

    if (!in->service_tier.ptr)
        return true;
    if (!standard && !str_eq(in->service_tier, STR("auto")))
        return fields_lose(in, "service_tier", "the provider has no such tier", losses, err);
    jw_key(w, "service_tier");
    jw_cstr(w, standard ? "standard_only" : "auto");
    return true;
}

/* ---- the body ---- */

/* The client speaks this dialect: its own words, and what this house does not know of them. */
static void write_same(struct json_writer *w, const struct conversation *in)
{
    const struct anthropic_asked *asked = in->own;
    const struct {
        const char *name;
        struct str raw;
    } members[] = {
        {"thinking", asked->thinking},           {"output_config", asked->output_config},
        {"output_format", asked->output_format}, {"tool_choice", asked->tool_choice},
        {"metadata", asked->metadata},           {"service_tier", asked->service_tier},
    };

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!members[i].raw.ptr)
            continue;
        jw_key(w, members[i].name);
        jw_raw(w, members[i].raw);
    }
    extras_write(w, in->extras);
}

static bool write_foreign(struct anthropic_writing *writing, const struct model *to,
                          struct err *err)
{
    const struct conversation *in = writing->in;
    struct losses *losses = writing->losses;
    struct json_writer *w = writing->w;
    struct conversation fitted = *in;
    struct claude_thinking thinking;

    if (!fields_losses(in, anthropic_fields, anthropic_field_count, losses, err) ||
        !extras_losses(in, losses, err) ||
        !claude_thinking_choose(in, to->remote_name, max_tokens_of(in, to), losses, &thinking,
                                err) ||
        !claude_sampling_fit(&fitted, to->remote_name, thinking.on, losses, err))
        return false;
    writing->forces_none = thinking.forces_none;
    if (in->format == FORMAT_JSON &&
        !fields_lose(in, "response_format", "the provider writes JSON by a schema only", losses,
                     err))
        return false;
    fitted.max_tokens = -1; /* written by the caller */
    fields_write(w, &fitted, anthropic_fields, anthropic_field_count);
    write_thinking(w, in, &thinking);
    write_output_config(w, in, thinking.effort);
    return write_tier(w, in, losses, err);
}

static bool write_body(struct anthropic_writing *to, const struct model *model, struct err *err)
{
    struct conversation plain = *to->in;
    struct json_writer *w = to->w;

    jw_object(w);
    jw_key(w, "model");
    jw_str(w, model->remote_name);
    jw_key(w, "max_tokens");
    jw_i64(w, max_tokens_of(to->in, model));
    if (to->in->max_tokens <= 0)
        to->losses->max_tokens_assumed = max_tokens_of(to->in, model);
    if (to->same) {
        plain.max_tokens = -1;
        fields_write(w, &plain, anthropic_fields, anthropic_field_count);
        write_same(w, to->in);
        plain.user = STR_NONE; /* in metadata, as it came */
        write_rest(w, &plain);
    } else {
        if (!write_foreign(to, model, err))
            return false;
        write_rest(w, to->in);
    }
    if (!anthropic_write_turns(to, err) || !anthropic_write_tools(to, err) ||
        !write_tool_choice(to, err))
        return false;
    jw_object_end(w);
    return true;
}

static bool runs_code(const struct conversation *in)
{
    for (const struct tool *t = in->tools; t; t = t->next)
        if (t->builtin.len && builtin_may_run_code(t))
            return true;
    return false;
}

size_t anthropic_head(const struct model *to, const struct conversation *in,
                      struct http_field out[ANTHROPIC_FIELDS_MAX])
{
    const struct provider *provider = to->provider;
    struct str version = provider->api_version;
    size_t n = 1;

    if (str_is_empty(version))
        version = in->spoken == &dialect_anthropic && in->version.len ? in->version : STR(VERSION);
    out[0] = (struct http_field){STR("anthropic-version"), version};
    if (in->spoken == &dialect_anthropic && in->beta.ptr)
        out[n++] = (struct http_field){STR("anthropic-beta"), in->beta};
    else if (in->spoken != &dialect_anthropic && runs_code(in))
        out[n++] = (struct http_field){STR("anthropic-beta"), STR("code-execution-2025-08-25")};
    return n;
}

bool anthropic_write_request(struct arena *arena, const struct conversation *in,
                             const struct model *to, struct losses *losses, struct outgoing *out,
                             struct err *err)
{
    struct json_writer w;
    struct anthropic_writing writing = {.arena = arena,
                                        .w = &w,
                                        .in = in,
                                        .losses = losses,
                                        .same = in->spoken == &dialect_anthropic};
    struct buf body;

    if (in->kind != ASK_CHAT)
        return err_set(err, ERR_INVALID, "model: its provider only chats");
    buf_init(&body, arena, MADE_BYTES_MAX);
    jw_init(&w, &body);
    if (!write_body(&writing, to, err) || !buf_finish(&body, &out->body, err))
        return false;
    out->method = STR("POST");
    out->path = STR("/messages");
    out->field_count = anthropic_head(to, in, out->fields);
    return true;
}

/* All as it came, but for the name and a limit that the provider wants to be told. */
bool anthropic_splice_request(struct arena *arena, const struct model_question *question,
                              const struct model *to, struct losses *losses,
                              struct splicing *splicing, struct outgoing *out, bool *fits,
                              struct err *err)
{
    const struct conversation *in = question->conversation;
    json_ref root = json_root(question->json);
    struct json_edit *limit;

    *fits = in->max_tokens > 0 || !json_get(question->json, root, STR("max_tokens"));
    if (!*fits)
        return true;
    if (!splice_usual(arena, question->json, to->remote_name, splicing, err))
        return false;
    if (in->max_tokens <= 0) {
        losses->max_tokens_assumed = max_tokens_of(in, to);
        limit = &splicing->edits[splicing->edit_count++];
        *limit =
            (struct json_edit){.kind = JSON_ADD_MEMBER,
                               .at = root,
                               .key = STR("max_tokens"),
                               .value = arena_fmt(arena, "%" PRId64, losses->max_tokens_assumed)};
        if (!limit->value.ptr)
            return err_arena(err, arena);
    }
    out->method = STR("POST");
    out->path = STR("/messages");
    out->field_count = anthropic_head(to, in, out->fields);
    return true;
}
