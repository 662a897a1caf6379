/* POST /v1/chat/completions, written: a conversation for a provider that speaks the OpenAI dialect. */
#include <math.h>

#include "models/habits.h"
#include "models/openai_internal.h"
#include "models/rerank.h"

#define STOPS_OF_OPENAI 4
#define REASONING_LOW   4096  /* tokens of a budget that are called a low effort, */
#define REASONING_HIGH  16384 /* and above which it is high: Weir's own measure */

struct writing {
    struct json_writer w;
    struct arena *arena;
    const struct conversation *in;
    const struct model *to;
    struct losses *losses;
    bool same_family; /* the client's own parts and tools are the provider's too */
};

bool openai_is_original(const struct model *to)
{
    return to->provider->kind == KIND_AZURE ||
           (to->provider->kind == KIND_OPENAI &&
            str_ends(to->provider->url.host, STR("openai.com")));
}

/* "messages.2" + ".content" for losses. */
static bool lose(struct writing *o, const struct turn *turn, const char *what, const char *why,
                 struct err *err)
{
    struct str path =
        arena_fmt(o->arena, STR_FMT "%s%s", STR_ARG(turn->path), turn->path.len ? "." : "", what);

    return path.ptr ? losses_note(o->losses, path, why, err) : err_arena(err, o->arena);
}

static void member(struct json_writer *w, const char *key, struct str text)
{
    if (!text.ptr)
        return;
    jw_key(w, key);
    jw_str(w, text);
}

static void raw_member(struct json_writer *w, const char *key, struct str raw)
{
    if (str_is_empty(raw))
        return;
    jw_key(w, key);
    jw_raw(w, raw);
}

/* The members of a raw object, added to the object that is being written. */
static void spread(struct json_writer *w, struct str object)
{
    if (object.len <= 2)
        return;
    buf_char(w->to, ','); /* never the first */
    buf_str(w->to, str_slice(object, 1, object.len - 1));
}

/* ---- parts ---- */

/* Escaped as any text: what calls itself base64 came from outside. */
static bool write_data_url(struct writing *o, const struct part *part, struct err *err)
{
    struct str kind = part->media_type.len ? part->media_type : STR("application/octet-stream");
    struct buf url;
    struct str all;

    buf_init(&url, o->arena, kind.len + part->data.len + 32);
    buf_str(&url, STR("data:"));
    buf_str(&url, kind);
    buf_str(&url, STR(";base64,"));
    buf_str(&url, part->data);
    if (!buf_finish(&url, &all, err))
        return false;
    jw_str(&o->w, all);
    return true;
}

static void begin_part(struct json_writer *w, const char *type)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}

static bool write_image(struct writing *o, const struct part *part, struct err *err)
{
    struct json_writer *w = &o->w;

    begin_part(w, "image_url");
    jw_key(w, "image_url");
    jw_object(w);
    jw_key(w, "url");
    if (part->url.ptr)
        jw_str(w, part->url);
    else if (!write_data_url(o, part, err))
        return false;
    member(w, "detail", part->detail);
    jw_object_end(w);
    return true;
}

static void write_audio(struct json_writer *w, const struct part *part)
{
    size_t slash = str_find_char(part->media_type, '/');
    struct str format = str_slice(part->media_type, slash + 1, part->media_type.len);

    begin_part(w, "input_audio");
    jw_key(w, "input_audio");
    jw_object(w);
    member(w, "data", part->data);
    member(w, "format", str_eq(format, STR("mpeg")) ? STR("mp3") : format);
    jw_object_end(w);
}

static bool write_file(struct writing *o, const struct part *part, struct err *err)
{
    struct json_writer *w = &o->w;

    begin_part(w, "file");
    jw_key(w, "file");
    jw_object(w);
    member(w, "filename", part->file_name);
    if (part->file_id.ptr) {
        member(w, "file_id", part->file_id);
    } else {
        jw_key(w, "file_data");
        if (!write_data_url(o, part, err))
            return false;
    }
    jw_object_end(w);
    return true;
}

/* What a part lacks to be said here; NULL: it can be. */
static const char *cannot(const struct writing *o, const struct part *part)
{
    switch (part->kind) {
    case PART_IMAGE:
        return part->url.ptr || part->data.ptr ? NULL : "a picture needs its data or its url here";
    case PART_AUDIO: return part->data.ptr ? NULL : "audio needs its data here";
    case PART_FILE:
        return part->file_id.ptr || part->data.ptr ? NULL : "a file needs its data or its id here";
    case PART_OTHER:
        return o->same_family ? NULL : "only the client's dialect knows this kind of part";
    default: return NULL;
    }
}

static bool write_part(struct writing *o, const struct part *part, struct err *err)
{
    struct json_writer *w = &o->w;
    bool ok = true;

    if (part->kind == PART_OTHER) {
        jw_raw(w, part->extra);
        return true;
    }
    if (part->kind == PART_IMAGE) {
        ok = write_image(o, part, err);
    } else if (part->kind == PART_AUDIO) {
        write_audio(w, part);
    } else if (part->kind == PART_FILE) {
        ok = write_file(o, part, err);
    } else {
        begin_part(w, part->kind == PART_REFUSAL ? "refusal" : "text");
        member(w, part->kind == PART_REFUSAL ? "refusal" : "text", part->text);
    }
    if (!openai_is_original(o->to)) /* a hint about cost: OpenAI's own house caches without it */
        raw_member(w, "cache_control", part->cache_control);
    jw_object_end(w);
    return ok;
}

static bool is_content(const struct part *part)
{
    return part->kind != PART_TOOL_CALL && part->kind != PART_TOOL_RESULT &&
           part->kind != PART_REASONING &&
           !(part->kind == PART_OTHER && str_eq(part->name, STR("tool_call")));
}

static bool is_plain(const struct writing *o, const struct part *part)
{
    return part->kind == PART_TEXT &&
           (str_is_empty(part->cache_control) || openai_is_original(o->to));
}

/* "content": one text as a string, anything more as parts. `only_text`: the place takes nothing else;
 * what is left out there has been noted by the caller. */
static bool write_content(struct writing *o, const struct turn *turn, const struct part *parts,
                          bool only_text, struct err *err)
{
    const struct part *first = NULL;
    size_t count = 0;

    for (const struct part *p = parts; p; p = p->next) {
        const char *why = is_content(p) ? cannot(o, p) : NULL;

        if (why && !lose(o, turn, "content", why, err))
            return false;
        if (!is_content(p) || why || (only_text && p->kind != PART_TEXT))
            continue;
        first = first ? first : p;
        count++;
    }
    jw_key(&o->w, "content");
    if (count == 0 && turn->role == TURN_ASSISTANT) {
        jw_null(&o->w);
    } else if (count == 0 || (count == 1 && is_plain(o, first))) {
        jw_str(&o->w, count ? first->text : STR(""));
    } else {
        jw_array(&o->w);
        for (const struct part *p = first; p; p = p->next)
            if (is_content(p) && !cannot(o, p) && !(only_text && p->kind != PART_TEXT) &&
                !write_part(o, p, err))
                return false;
        jw_array_end(&o->w);
    }
    return true;
}

/* ---- turns ---- */

static void begin_message(struct writing *o, const char *role, struct str name)
{
    jw_object(&o->w);
    jw_key(&o->w, "role");
    jw_cstr(&o->w, role);
    member(&o->w, "name", name);
}

static void end_message(struct writing *o, const struct turn *turn)
{
    if (o->same_family)
        spread(&o->w, turn->extra);
    jw_object_end(&o->w);
}

static void write_call(struct writing *o, const struct part *call)
{
    struct json_writer *w = &o->w;

    if (call->kind == PART_OTHER) {
        jw_raw(w, call->extra);
        return;
    }
    jw_object(w);
    member(w, "id", call->id);
    jw_key(w, "type");
    jw_cstr(w, "function");
    jw_key(w, "function");
    jw_object(w);
    member(w, "name", call->name);
    jw_key(w, "arguments");
    jw_str(w, call->arguments.len ? call->arguments : STR("{}"));
    jw_object_end(w);
    if (call->signature.len && !openai_is_original(o->to)) {
        jw_key(w, "extra_content");
        jw_object(w);
        jw_key(w, "google");
        jw_object(w);
        member(w, "thought_signature", call->signature);
        jw_object_end(w);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static bool is_call(const struct writing *o, const struct part *part)
{
    return part->kind == PART_TOOL_CALL ||
           (part->kind == PART_OTHER && o->same_family && str_eq(part->name, STR("tool_call")));
}

static void write_calls(struct writing *o, const struct turn *turn)
{
    bool open = false;

    for (const struct part *p = turn->parts; p; p = p->next) {
        if (!is_call(o, p))
            continue;
        if (!open) {
            jw_key(&o->w, "tool_calls");
            jw_array(&o->w);
            open = true;
        }
        write_call(o, p);
    }
    if (open)
        jw_array_end(&o->w);
}

/* Open models want to see what they thought between two calls; OpenAI's own refuse the field. */
static bool write_reasoning(struct writing *o, const struct turn *turn, struct err *err)
{
    struct buf text;
    struct str all;
    bool lost = false;

    buf_init(&text, o->arena, OPENAI_BODY_MAX);
    for (const struct part *p = turn->parts; p; p = p->next) {
        if (p->kind != PART_REASONING)
            continue;
        if (p->is_redacted || openai_is_original(o->to))
            lost = true;
        else
            buf_str(&text, p->text);
    }
    if (lost &&
        !lose(o, turn, "reasoning", "the provider takes no reasoning of earlier turns", err))
        return false;
    if (!buf_finish(&text, &all, err))
        return false;
    if (all.len)
        member(&o->w, "reasoning_content", all);
    return true;
}

static bool write_assistant(struct writing *o, const struct turn *turn, struct err *err)
{
    begin_message(o, "assistant", turn->name);
    if (!write_content(o, turn, turn->parts, false, err) || !write_reasoning(o, turn, err))
        return false;
    write_calls(o, turn);
    end_message(o, turn);
    return true;
}

static bool has_media(const struct part *result)
{
    for (const struct part *p = result->inner; p; p = p->next)
        if (p->kind != PART_TEXT)
            return true;
    return false;
}

/* The dialect has no mark for a call that failed: models read it in the words. */
static bool write_failed_result(struct writing *o, const struct part *result, struct err *err)
{
    struct buf text;
    struct str all;

    buf_init(&text, o->arena, OPENAI_BODY_MAX);
    buf_str(&text, STR("Error: "));
    for (const struct part *p = result->inner; p; p = p->next)
        if (p->kind == PART_TEXT)
            buf_str(&text, p->text);
    if (!buf_finish(&text, &all, err))
        return false;
    member(&o->w, "content", all);
    return true;
}

static bool write_result(struct writing *o, const struct turn *turn, const struct part *result,
                         struct err *err)
{
    begin_message(o, "tool", STR_NONE);
    member(&o->w, "tool_call_id", result->id);
    if (result->is_error) {
        if (!write_failed_result(o, result, err))
            return false;
    } else if (!write_content(o, turn, result->inner, true, err)) {
        return false;
    }
    end_message(o, turn);
    return true;
}

/* A tool's message takes text only: its pictures and files follow in a message of the user's. */
static bool write_result_media(struct writing *o, const struct turn *turn, struct err *err)
{
    bool open = false;

    for (const struct part *result = turn->parts; result; result = result->next) {
        if (result->kind != PART_TOOL_RESULT || !has_media(result))
            continue;
        if (!open) {
            begin_message(o, "user", STR_NONE);
            jw_key(&o->w, "content");
            jw_array(&o->w);
            open = true;
        }
        begin_part(&o->w, "text");
        jw_key(&o->w, "text");
        jw_str(&o->w,
               arena_fmt(o->arena, "Result of the tool call " STR_FMT ":", STR_ARG(result->id)));
        jw_object_end(&o->w);
        for (const struct part *p = result->inner; p; p = p->next) {
            const char *why = p->kind == PART_TEXT ? NULL : cannot(o, p);

            if (why && !lose(o, turn, "content", why, err))
                return false;
            if (p->kind != PART_TEXT && !why && !write_part(o, p, err))
                return false;
        }
    }
    if (open) {
        jw_array_end(&o->w);
        jw_object_end(&o->w);
    }
    return true;
}

/* Results stand right behind the calls they answer, so they come before what else the turn says. */
static bool write_user(struct writing *o, const struct turn *turn, struct err *err)
{
    bool has_results = false, has_content = false;

    for (const struct part *p = turn->parts; p; p = p->next) {
        if (p->kind == PART_TOOL_RESULT) {
            has_results = true;
            if (!write_result(o, turn, p, err))
                return false;
        }
        has_content = has_content || is_content(p);
    }
    if (has_results && !write_result_media(o, turn, err))
        return false;
    if (has_results && !has_content)
        return true;
    begin_message(o, "user", turn->name);
    if (!write_content(o, turn, turn->parts, false, err))
        return false;
    end_message(o, turn);
    return true;
}

static bool write_turn(struct writing *o, const struct turn *turn, struct err *err)
{
    switch (turn->role) {
    case TURN_ASSISTANT: return write_assistant(o, turn, err);
    case TURN_USER:
    case TURN_TOOL: return write_user(o, turn, err);
    case TURN_SYSTEM:
    case TURN_DEVELOPER: break;
    }
    /* Only OpenAI's own house tells a developer from the system; elsewhere templates know no such role. */
    begin_message(
        o, turn->role == TURN_DEVELOPER && openai_is_original(o->to) ? "developer" : "system",
        turn->name);
    if (!write_content(o, turn, turn->parts, false, err))
        return false;
    end_message(o, turn);
    return true;
}

/* ---- tools ---- */

static void write_tool(struct writing *o, const struct tool *tool)
{
    struct json_writer *w = &o->w;

    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "function");
    jw_key(w, "function");
    jw_object(w);
    member(w, "name", tool->name);
    member(w, "description", tool->description);
    raw_member(w, "parameters", tool->parameters);
    if (tool->strict >= 0) {
        jw_key(w, "strict");
        jw_bool(w, tool->strict > 0);
    }
    jw_object_end(w);
    if (!openai_is_original(o->to))
        raw_member(w, "cache_control", tool->cache_control);
    jw_object_end(w);
}

static bool write_tools(struct writing *o, struct err *err)
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
    return true;
}

static void write_choice(struct writing *o)
{
    static const char *const words[] = {
        [CHOOSE_AUTO] = "auto", [CHOOSE_NONE] = "none", [CHOOSE_ANY] = "required"};
    struct json_writer *w = &o->w;

    if (o->in->tool_choice == CHOOSE_UNSAID || !o->in->tools)
        return;
    jw_key(w, "tool_choice");
    if (o->in->tool_choice != CHOOSE_NAMED) {
        jw_cstr(w, words[o->in->tool_choice]);
        return;
    }
    begin_part(w, "function");
    jw_key(w, "function");
    jw_object(w);
    member(w, "name", o->in->tool_name);
    jw_object_end(w);
    jw_object_end(w);
}

/* ---- the other fields ---- */

static void write_format(struct writing *o)
{
    const struct conversation *in = o->in;
    struct json_writer *w = &o->w;

    if (in->format != FORMAT_JSON && in->format != FORMAT_SCHEMA)
        return;
    jw_key(w, "response_format");
    begin_part(w, in->format == FORMAT_JSON ? "json_object" : "json_schema");
    if (in->format == FORMAT_SCHEMA) {
        jw_key(w, "json_schema");
        jw_object(w);
        member(w, "name", in->schema_name.len ? in->schema_name : STR("answer"));
        member(w, "description", in->schema_description);
        raw_member(w, "schema", in->schema);
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
    write_count(w, "seed", in->seed);
    if (!write_stops(w, in, openai_is_original(to) ? STOPS_OF_OPENAI : in->stop_count, losses, err))
        return false;
    raw_member(w, "logit_bias", in->logit_bias);
    member(w, "user", in->user);
    if (in->stream) {
        jw_key(w, "stream");
        jw_bool(w, true);
        jw_key(w, "stream_options"); /* we always want to know what a stream has used */
        jw_raw(w, STR("{\"include_usage\":true}"));
    }
    return write_sampling_extras(w, in, to, losses, err);
}

bool openai_effort(const struct conversation *in, bool none, struct losses *losses, struct str *out,
                   struct err *err)
{
    int64_t budget = in->reasoning_effort.ptr ? -1 : in->reasoning_budget;

    *out = str_eq(in->reasoning_effort, STR("max")) ? STR("xhigh") : in->reasoning_effort;
    if (budget == 0 && none)
        *out = STR("none");
    if (budget <= 0)
        return true;
    *out = budget <= REASONING_LOW    ? STR("low")
           : budget <= REASONING_HIGH ? STR("medium")
                                      : STR("high");
    return fields_lose(in, "reasoning_budget",
                       "the provider takes an effort, not a number of tokens", losses, err);
}

/* Off is what other houses' models do when nothing is said, or cannot be told. */
static bool write_effort(struct writing *o, struct err *err)
{
    struct str effort;

    if (!openai_effort(o->in, openai_is_original(o->to), o->losses, &effort, err))
        return false;
    member(&o->w, "reasoning_effort", effort);
    habits_write_thinking(&o->w, o->in, o->to);
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

bool openai_outgoing(struct buf *body, const char *path, struct outgoing *out, struct err *err)
{
    if (!buf_finish(body, &out->body, err))
        return false;
    out->method = STR("POST");
    out->path = str_from(path);
    return true;
}

static bool write_fields(struct writing *o, struct err *err)
{
    const struct conversation *in = o->in;
    struct json_writer *w = &o->w;

    /* OpenAI's newer models refuse the older name, older servers do not know the newer. */
    write_count(w, openai_is_original(o->to) ? "max_completion_tokens" : "max_tokens",
                in->max_tokens);
    if (!openai_write_sampling(w, in, o->to, o->losses, err) || !write_tools(o, err))
        return false;
    write_choice(o);
    if (in->parallel_tools >= 0 && in->tools) {
        jw_key(w, "parallel_tool_calls");
        jw_bool(w, in->parallel_tools > 0);
    }
    write_format(o);
    if (in->logprobs >= 0) {
        jw_key(w, "logprobs");
        jw_bool(w, in->logprobs > 0);
    }
    write_count(w, "top_logprobs", in->top_logprobs);
    member(w, "service_tier", in->service_tier);
    member(w, "verbosity", in->verbosity);
    raw_member(w, "metadata", in->metadata);
    raw_member(w, "modalities", in->modalities);
    raw_member(w, "audio", in->audio);
    raw_member(w, "prediction", in->prediction);
    return write_effort(o, err) &&
           fields_losses(in, dialect_openai.fields, dialect_openai.field_count, o->losses, err) &&
           openai_write_extras(w, in, o->losses, err);
}

static bool write_chat(struct arena *arena, const struct conversation *in, const struct model *to,
                       struct losses *losses, struct outgoing *out, struct err *err)
{
    struct writing o = {.arena = arena,
                        .in = in,
                        .to = to,
                        .losses = losses,
                        .same_family = in->spoken == &dialect_openai};
    struct buf body;

    buf_init(&body, arena, OPENAI_BODY_MAX);
    jw_init(&o.w, &body);
    jw_object(&o.w);
    member(&o.w, "model", to->remote_name);
    jw_key(&o.w, "messages");
    jw_array(&o.w);
    for (const struct turn *t = in->turns; t; t = t->next)
        if (!write_turn(&o, t, err))
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
    if (in->kind == ASK_EMBEDDING)
        return embeddings_write_request(arena, in, to, losses, out, err);
    if (in->kind == ASK_COMPLETION && completions_are_native(to))
        return completions_write_request(arena, in, to, losses, out, err);
    if (in->kind == ASK_COMPLETION && !in->turns)
        return err_set(err, ERR_INVALID, "prompt: the model's provider takes text, no tokens");
    return write_chat(arena, in, to, losses, out, err);
}
