/* Conversation -> Converse, and InvokeModel for embeddings. */
#include "models/bedrock_internal.h"

#include "base/hash.h"
#include "models/members.h"
#include "models/models.h"
#include "models/tools.h"

#include <math.h>

#define ID_MAX   64  /* of a toolUseId */
#define NAME_MAX 200 /* of a document */

struct writing {
    struct arena *arena;
    const struct conversation *in;
    struct str remote;
    struct losses *losses;
    struct json_writer w;
    struct str open; /* role of the message that is open, or empty */
    bool has_calls;  /* a tool was called or answered before */
    unsigned documents;
};

bool bedrock_is_by(struct str remote, const char *maker)
{
    return str_find(remote, str_from(maker)) < remote.len;
}

static void member_str(struct json_writer *w, const char *key, struct str value)
{
    if (!value.ptr)
        return;
    jw_key(w, key);
    jw_str(w, value);
}

/* ---- blocks ---- */

static void open_message(struct writing *k, struct str role)
{
    if (str_eq(k->open, role))
        return;
    if (k->open.len) {
        jw_array_end(&k->w);
        jw_object_end(&k->w);
    }
    k->open = role;
    jw_object(&k->w);
    member_str(&k->w, "role", role);
    jw_key(&k->w, "content");
    jw_array(&k->w);
}

static void write_cache_point(struct writing *k, struct str cache_control)
{
    if (!cache_control.len)
        return;
    jw_object(&k->w);
    jw_key(&k->w, "cachePoint");
    jw_object(&k->w);
    jw_key(&k->w, "type");
    jw_cstr(&k->w, "default");
    if (str_find(cache_control, STR("\"1h\"")) < cache_control.len) {
        jw_key(&k->w, "ttl");
        jw_cstr(&k->w, "1h");
    }
    jw_object_end(&k->w);
    jw_object_end(&k->w);
}

static bool is_id_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == ':' || c == '-';
}

/* Other providers' ids may be longer, or of other letters: then a hash stands in, the same for the call
 * and its result. */
static void write_id(struct writing *k, struct str id)
{
    bool fine = id.len > 0 && id.len <= ID_MAX;
    struct sha256 hash;
    char memory[64];
    struct buf b;

    for (size_t i = 0; i < id.len && fine; i++)
        fine = is_id_char(id.ptr[i]);
    if (fine) {
        member_str(&k->w, "toolUseId", id);
        return;
    }
    hash = sha256(id);
    buf_init_fixed(&b, memory, sizeof memory);
    buf_str(&b, STR("weir_"));
    buf_hex(&b, hash.bytes, 16);
    member_str(&k->w, "toolUseId", buf_view(&b));
}

/* The kinds of files by their media types, as Converse calls them. */
static const struct format {
    const char *type, *block, *name;
} formats[] = {
    {"image/png", "image", "png"},
    {"image/jpeg", "image", "jpeg"},
    {"image/jpg", "image", "jpeg"},
    {"image/gif", "image", "gif"},
    {"image/webp", "image", "webp"},
    {"application/pdf", "document", "pdf"},
    {"text/csv", "document", "csv"},
    {"application/msword", "document", "doc"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document", "docx"},
    {"application/vnd.ms-excel", "document", "xls"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "document", "xlsx"},
    {"text/html", "document", "html"},
    {"text/plain", "document", "txt"},
    {"text/markdown", "document", "md"},
    {"video/mp4", "video", "mp4"},
    {"video/webm", "video", "webm"},
    {"video/quicktime", "video", "mov"},
    {"video/x-matroska", "video", "mkv"},
    {"audio/mpeg", "audio", "mp3"},
    {"audio/mp3", "audio", "mp3"},
    {"audio/wav", "audio", "wav"},
    {"audio/ogg", "audio", "ogg"},
    {"audio/flac", "audio", "flac"},
};

static const struct format *format_of(struct str type)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq_nocase(type, str_from(formats[i].type)))
            return &formats[i];
    return NULL;
}

struct str bedrock_media_type(const char *block, struct str format)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq(str_from(formats[i].block), str_from(block)) &&
            str_eq(str_from(formats[i].name), format))
            return str_from(formats[i].type);
    return STR_NONE;
}

/* Letters, digits, single spaces, hyphens, brackets; each document of a request has another. */
static void write_document_name(struct writing *k, struct str name)
{
    char memory[NAME_MAX + 32];
    struct buf b;

    buf_init_fixed(&b, memory, sizeof memory);
    for (size_t i = 0; i < name.len && b.len < NAME_MAX - 16; i++) {
        char c = name.ptr[i];
        bool fine = (is_id_char(c) && c != '_' && c != '.' && c != ':') || c == '(' || c == ')' ||
                    c == '[' || c == ']';

        if (fine)
            buf_char(&b, c);
        else if (b.len && b.ptr[b.len - 1] != ' ')
            buf_char(&b, ' ');
    }
    if (!b.len)
        buf_str(&b, STR("document"));
    if (k->documents++)
        buf_fmt(&b, " %u", k->documents);
    member_str(&k->w, "name", buf_view(&b));
}

static bool no_media(struct writing *k, const struct turn *t, const struct part *p, const char *why,
                     struct err *err)
{
    return part_loss(k->arena, t, p, "", why, k->losses, err);
}

static bool write_media(struct writing *k, const struct turn *t, const struct part *p,
                        struct err *err)
{
    struct str type = p->media_type, data = p->data;
    bool in_store = str_starts(p->url, STR("s3://"));
    const struct format *format;

    if (!data.ptr && !in_store && !data_url_read(p->url, &type, &data))
        return no_media(k, t, p, "bedrock takes data or an s3:// url, no other places", err);
    if (!type.len)
        type = media_type_guess(in_store ? p->url : p->file_name);
    format = format_of(type);
    if (!format)
        return no_media(k, t, p, "bedrock takes no such type of file", err);
    jw_object(&k->w);
    jw_key(&k->w, format->block);
    jw_object(&k->w);
    member_str(&k->w, "format", str_from(format->name));
    if (format->block[0] == 'd')
        write_document_name(k, p->file_name);
    jw_key(&k->w, "source");
    jw_object(&k->w);
    if (data.ptr) {
        member_str(&k->w, "bytes", data);
    } else {
        jw_key(&k->w, "s3Location");
        jw_object(&k->w);
        member_str(&k->w, "uri", p->url);
        jw_object_end(&k->w);
    }
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    if (p->detail.len && !str_eq(p->detail, STR("auto")))
        return part_loss(k->arena, t, p, "detail", "bedrock has no such field", k->losses, err);
    return true;
}

static bool write_call(struct writing *k, const struct part *p, struct err *err)
{
    struct str input;

    if (!arguments_object(k->arena, p->arguments, &input, err))
        return false;
    jw_object(&k->w);
    jw_key(&k->w, "toolUse");
    jw_object(&k->w);
    write_id(k, p->id);
    member_str(&k->w, "name", p->name);
    jw_key(&k->w, "input");
    jw_raw(&k->w, input);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    return true;
}

static void write_text(struct writing *k, struct str text)
{
    jw_object(&k->w);
    member_str(&k->w, "text", text);
    jw_object_end(&k->w);
}

static bool write_result(struct writing *k, const struct turn *t, const struct part *p,
                         struct err *err)
{
    bool any = false;

    jw_object(&k->w);
    jw_key(&k->w, "toolResult");
    jw_object(&k->w);
    write_id(k, p->id);
    jw_key(&k->w, "content");
    jw_array(&k->w);
    for (const struct part *inner = p->inner; inner; inner = inner->next) {
        if (inner->kind == PART_TEXT) {
            write_text(k, inner->text.ptr ? inner->text : STR(""));
            any = true;
        } else if (inner->kind == PART_IMAGE || inner->kind == PART_FILE) {
            any = true;
            if (!write_media(k, t, inner, err))
                return false;
        } else if (!part_loss(k->arena, t, p, "content", "bedrock takes no such part in a result",
                              k->losses, err)) {
            return false;
        }
    }
    if (!any)
        write_text(k, STR(""));
    jw_array_end(&k->w);
    if (p->is_error)
        member_str(&k->w, "status", STR("error"));
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    return true;
}

/* What was thought must come back with its signature; without one nobody there may read it. */
static bool write_reasoning(struct writing *k, const struct turn *t, const struct part *p,
                            struct err *err)
{
    if (!p->is_redacted && !p->signature.len)
        return part_loss(k->arena, t, p, "", "reasoning without a signature", k->losses, err);
    jw_object(&k->w);
    jw_key(&k->w, "reasoningContent");
    jw_object(&k->w);
    if (p->is_redacted) {
        member_str(&k->w, "redactedContent", p->text);
    } else {
        jw_key(&k->w, "reasoningText");
        jw_object(&k->w);
        member_str(&k->w, "text", p->text.ptr ? p->text : STR(""));
        member_str(&k->w, "signature", p->signature);
        jw_object_end(&k->w);
    }
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    return true;
}

static bool write_part(struct writing *k, const struct turn *t, const struct part *p,
                       struct err *err)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        if (!str_is_empty(str_trim(p->text))) /* blank texts are refused */
            write_text(k, p->text);
        return true;
    case PART_REASONING: return write_reasoning(k, t, p, err);
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE: return write_media(k, t, p, err);
    case PART_TOOL_CALL: return write_call(k, p, err);
    case PART_TOOL_RESULT: return write_result(k, t, p, err);
    case PART_OTHER:
        return part_loss(k->arena, t, p, "", "bedrock has no such part", k->losses, err);
    }
    return true;
}

/* ---- messages ---- */

static bool is_system(const struct turn *t)
{
    return t->role == TURN_SYSTEM || t->role == TURN_DEVELOPER;
}

static bool write_turn(struct writing *k, const struct turn *t, struct err *err)
{
    for (const struct part *p = t->parts; p; p = p->next) {
        open_message(k, t->role == TURN_ASSISTANT ? STR("assistant") : STR("user"));
        k->has_calls = k->has_calls || p->kind == PART_TOOL_CALL || p->kind == PART_TOOL_RESULT;
        if (!write_part(k, t, p, err))
            return false;
        write_cache_point(k, p->cache_control);
    }
    if (!t->name.len)
        return true;
    return losses_note(k->losses, arena_fmt(k->arena, STR_FMT ".name", STR_ARG(t->path)),
                       "bedrock has no such field", err);
}

static bool write_messages(struct writing *k, struct err *err)
{
    jw_key(&k->w, "messages");
    jw_array(&k->w);
    for (const struct turn *t = k->in->turns; t; t = t->next)
        if (!is_system(t) && !write_turn(k, t, err))
            return false;
    if (!k->open.len)
        return err_set(err, ERR_INVALID, "messages: expected one of role \"user\"");
    jw_array_end(&k->w);
    jw_object_end(&k->w);
    jw_array_end(&k->w);
    return true;
}

static void write_system(struct writing *k)
{
    bool any = false;

    for (const struct turn *t = k->in->turns; t; t = t->next) {
        for (const struct part *p = is_system(t) ? t->parts : NULL; p; p = p->next) {
            if (p->kind != PART_TEXT || str_is_empty(str_trim(p->text)))
                continue;
            if (!any) {
                jw_key(&k->w, "system");
                jw_array(&k->w);
            }
            any = true;
            write_text(k, p->text);
            write_cache_point(k, p->cache_control);
        }
    }
    if (any)
        jw_array_end(&k->w);
}

/* ---- tools ---- */

static void write_tool(struct writing *k, const struct tool *tool)
{
    jw_object(&k->w);
    jw_key(&k->w, "toolSpec");
    jw_object(&k->w);
    member_str(&k->w, "name", tool->name);
    if (tool->description.len)
        member_str(&k->w, "description", tool->description);
    jw_key(&k->w, "inputSchema");
    jw_object(&k->w);
    jw_key(&k->w, "json");
    jw_raw(&k->w, tool->parameters.len ? tool->parameters : STR("{\"type\":\"object\"}"));
    jw_object_end(&k->w);
    if (tool->strict == 1) {
        jw_key(&k->w, "strict");
        jw_bool(&k->w, true);
    }
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    write_cache_point(k, tool->cache_control);
}

/* Converse refuses calls in the messages without any toolConfig: those that were called are named. */
static void write_called(struct writing *k)
{
    struct table seen;

    table_init(&seen, k->arena, CALLS_MAX);
    for (struct turn *t = k->in->turns; t; t = t->next) {
        for (struct part *p = t->parts; p; p = p->next) {
            struct tool tool = {.name = p->name, .strict = -1};

            if (p->kind != PART_TOOL_CALL || table_get(&seen, p->name) ||
                !table_put(&seen, p->name, p, NULL))
                continue;
            write_tool(k, &tool);
        }
    }
}

static void write_choice(struct writing *k)
{
    const struct conversation *in = k->in;

    if (in->tool_choice != CHOOSE_ANY && in->tool_choice != CHOOSE_NAMED)
        return;
    jw_key(&k->w, "toolChoice");
    jw_object(&k->w);
    jw_key(&k->w, in->tool_choice == CHOOSE_ANY ? "any" : "tool");
    jw_object(&k->w);
    if (in->tool_choice == CHOOSE_NAMED)
        member_str(&k->w, "name", in->tool_name);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
}

static bool lose_builtins(struct writing *k, bool *functions, struct err *err)
{
    unsigned at = 0;

    *functions = false;
    for (const struct tool *t = k->in->tools; t; t = t->next, at++) {
        if (!t->builtin.ptr)
            *functions = true;
        else if (!losses_note(k->losses, arena_fmt(k->arena, "tools.%u", at),
                              "bedrock has no such tool", err))
            return false;
    }
    return true;
}

static bool write_tools(struct writing *k, struct err *err)
{
    bool none = k->in->tool_choice == CHOOSE_NONE, functions;

    if (!lose_builtins(k, &functions, err))
        return false;
    if (!k->has_calls && (!functions || none))
        return true; /* not to be called: not shown */
    if (none && functions &&
        !losses_note(k->losses, STR("tool_choice"),
                     "bedrock cannot forbid calls once there have been some", err))
        return false;
    jw_key(&k->w, "toolConfig");
    jw_object(&k->w);
    jw_key(&k->w, "tools");
    jw_array(&k->w);
    for (const struct tool *t = k->in->tools; t; t = t->next)
        if (!t->builtin.ptr)
            write_tool(k, t);
    if (!functions)
        write_called(k);
    jw_array_end(&k->w);
    write_choice(k);
    jw_object_end(&k->w);
    return true;
}

/* ---- the rest ---- */

static bool write_inference(struct writing *k, struct err *err)
{
    const struct conversation *in = k->in;

    jw_key(&k->w, "inferenceConfig");
    jw_object(&k->w);
    fields_write(&k->w, in, bedrock_fields, bedrock_config_count);
    if (!isnan(in->temperature)) {
        jw_key(&k->w, "temperature");
        jw_f64(&k->w, MIN_OF(in->temperature, 1.0));
        if (in->temperature > 1 &&
            !losses_note(k->losses, STR("temperature"), "bedrock takes 0 to 1", err))
            return false;
    }
    if (in->stop_count) {
        jw_key(&k->w, "stopSequences");
        jw_array(&k->w);
        for (uint32_t i = 0; i < in->stop_count; i++)
            jw_str(&k->w, in->stops[i]);
        jw_array_end(&k->w);
    }
    jw_object_end(&k->w);
    return true;
}

/* Models up to 4.5 want a budget of tokens; later ones an effort. */
static bool wants_budget(struct str remote)
{
    static const char *const old[] = {"claude-3",        "claude-sonnet-4-2", "claude-opus-4-2",
                                      "claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5",
                                      "claude-opus-4-5"};

    for (size_t i = 0; i < ARRAY_LEN(old); i++)
        if (bedrock_is_by(remote, old[i]))
            return true;
    return false;
}

static int64_t budget_of(const struct conversation *in)
{
    static const struct {
        const char *effort;
        int64_t budget;
    } efforts[] = {{"none", 0},     {"minimal", 1024}, {"low", 1024}, {"medium", 4096},
                   {"high", 16384}, {"xhigh", 32768},  {"max", 32768}};

    if (in->reasoning_budget >= 0)
        return in->reasoning_budget;
    for (size_t i = 0; i < ARRAY_LEN(efforts); i++)
        if (str_eq(in->reasoning_effort, str_from(efforts[i].effort)))
            return efforts[i].budget;
    return 0;
}

/* Inside additionalModelRequestFields. A budget leaves room for the answer. */
static void write_thinking(struct writing *k)
{
    int64_t budget = budget_of(k->in);

    if (k->in->max_tokens > 0)
        budget = MIN_OF(budget, k->in->max_tokens - 1);
    jw_key(&k->w, "thinking");
    jw_object(&k->w);
    if (wants_budget(k->remote) || k->in->reasoning_budget >= 0) {
        jw_key(&k->w, "type");
        jw_cstr(&k->w, budget >= 1024 ? "enabled" : "disabled");
        if (budget >= 1024) {
            jw_key(&k->w, "budget_tokens");
            jw_i64(&k->w, budget);
        }
    } else {
        jw_key(&k->w, "type");
        jw_cstr(&k->w, str_eq(k->in->reasoning_effort, STR("none")) ? "disabled" : "adaptive");
    }
    jw_object_end(&k->w);
}

static bool wants_thinking(const struct conversation *in)
{
    return in->reasoning_budget >= 0 || in->reasoning_effort.ptr || in->reasoning_adaptive;
}

static bool write_maker_reasoning(struct writing *k, struct err *err)
{
    const struct conversation *in = k->in;

    if (!wants_thinking(in))
        return true;
    if (bedrock_is_by(k->remote, "anthropic.")) {
        write_thinking(k);
        return true;
    }
    if (bedrock_is_by(k->remote, "openai.") && in->reasoning_effort.ptr) {
        member_str(&k->w, "reasoning_effort", in->reasoning_effort);
        return true;
    }
    return losses_note(k->losses, STR("reasoning_effort"), "the model's maker takes none", err);
}

static bool write_top_k(struct writing *k, struct err *err)
{
    bool nova = bedrock_is_by(k->remote, "amazon.nova");

    if (k->in->top_k < 0)
        return true;
    if (!nova && !bedrock_is_by(k->remote, "anthropic.") && !bedrock_is_by(k->remote, "mistral.") &&
        !bedrock_is_by(k->remote, "cohere."))
        return losses_note(k->losses, STR("top_k"), "the model's maker takes none", err);
    if (nova) {
        jw_key(&k->w, "inferenceConfig");
        jw_object(&k->w);
    }
    jw_key(&k->w, nova ? "topK" : bedrock_is_by(k->remote, "cohere.") ? "k" : "top_k");
    jw_i64(&k->w, k->in->top_k);
    if (nova)
        jw_object_end(&k->w);
    return true;
}

static const struct extra *find_extra(const struct conversation *in, const char *name)
{
    for (const struct extra *e = in->extras; e; e = e->next)
        if (str_eq(e->name, str_from(name)))
            return e;
    return NULL;
}

/* The client's own, from any dialect, and ours. */
static bool write_additional(struct writing *k, struct err *err)
{
    const struct extra *given = find_extra(k->in, "additionalModelRequestFields");
    size_t before = k->w.to->len;
    struct json_writer saved = k->w;

    jw_key(&k->w, "additionalModelRequestFields");
    jw_object(&k->w);
    size_t start = k->w.to->len;
    if (given) {
        struct json *j = json_parse(k->arena, given->raw, err);

        if (!j || json_kind(j, json_root(j)) != JSON_OBJECT)
            return err_set(err, ERR_INVALID, "additionalModelRequestFields: expected an object");
        for (json_ref v = json_first(j, json_root(j)); v; v = json_next(j, v)) {
            jw_key_raw(&k->w, json_key_raw(j, v));
            jw_raw(&k->w, json_raw(j, v));
        }
    }
    if (!write_maker_reasoning(k, err) || !write_top_k(k, err))
        return false;
    if (k->w.to->len == start && buf_ok(k->w.to)) { /* nothing in it: as if not begun */
        k->w = saved;
        k->w.to->len = before;
        return true;
    }
    jw_object_end(&k->w);
    return true;
}

static bool write_output(struct writing *k, struct err *err)
{
    const struct conversation *in = k->in;
    bool schema = in->format == FORMAT_SCHEMA && in->schema.len;
    bool effort = bedrock_is_by(k->remote, "anthropic.") && in->reasoning_effort.ptr &&
                  !wants_budget(k->remote) && !str_eq(in->reasoning_effort, STR("none")) &&
                  in->reasoning_budget < 0;

    if (in->format == FORMAT_JSON &&
        !losses_note(k->losses, STR("response_format"), "bedrock takes a schema or nothing", err))
        return false;
    if (!schema && !effort)
        return true;
    jw_key(&k->w, "outputConfig");
    jw_object(&k->w);
    if (schema) {
        jw_key(&k->w, "textFormat");
        jw_object(&k->w);
        member_str(&k->w, "type", STR("json_schema"));
        jw_key(&k->w, "structure");
        jw_object(&k->w);
        jw_key(&k->w, "jsonSchema");
        jw_object(&k->w);
        member_str(&k->w, "schema", in->schema);
        member_str(&k->w, "name", in->schema_name);
        member_str(&k->w, "description", in->schema_description);
        jw_object_end(&k->w);
        jw_object_end(&k->w);
        jw_object_end(&k->w);
    }
    if (effort)
        member_str(&k->w, "effort", in->reasoning_effort);
    jw_object_end(&k->w);
    return true;
}

static bool write_tier(struct writing *k, struct err *err)
{
    struct str tier = k->in->service_tier;

    if (!tier.ptr || str_eq(tier, STR("auto")))
        return true;
    if (!str_eq(tier, STR("default")) && !str_eq(tier, STR("flex")) &&
        !str_eq(tier, STR("priority")) && !str_eq(tier, STR("reserved")))
        return losses_note(k->losses, STR("service_tier"), "bedrock has no such tier", err);
    jw_key(&k->w, "serviceTier");
    jw_object(&k->w);
    member_str(&k->w, "type", tier);
    jw_object_end(&k->w);
    return true;
}

/* Fields of Converse that no other dialect has pass from any client under their own names. */
static bool write_extras(struct writing *k, struct err *err)
{
    static const char *const known[] = {"guardrailConfig", "performanceConfig", "promptVariables",
                                        "additionalModelResponseFieldPaths"};

    for (const struct extra *e = k->in->extras; e; e = e->next) {
        bool ours = false;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            ours = ours || str_eq(e->name, str_from(known[i]));
        if (ours) {
            jw_key_raw(&k->w, e->name);
            jw_raw(&k->w, e->raw);
        } else if (!str_eq(e->name, STR("additionalModelRequestFields")) &&
                   !losses_note(k->losses, e->name, "bedrock has no such field", err)) {
            return false;
        }
    }
    return true;
}

static bool write_converse(struct writing *k, struct err *err)
{
    jw_object(&k->w);
    write_system(k);
    if (!write_messages(k, err) || !write_tools(k, err) || !write_inference(k, err) ||
        !write_additional(k, err) || !write_output(k, err) || !write_tier(k, err) ||
        !write_extras(k, err))
        return false;
    if (k->in->metadata.ptr && !str_eq(k->in->metadata, STR("{}"))) {
        jw_key(&k->w, "requestMetadata");
        jw_raw(&k->w, k->in->metadata);
    }
    jw_object_end(&k->w);
    return true;
}

/* ---- embeddings: InvokeModel with the maker's own body ---- */

static bool write_titan(struct writing *k, const struct str *texts, size_t count, struct err *err)
{
    if (count != 1)
        return err_set(err, ERR_INVALID, "input: Titan takes one text at a time");
    jw_object(&k->w);
    member_str(&k->w, "inputText", texts[0]);
    if (k->in->dimensions > 0) {
        jw_key(&k->w, "dimensions");
        jw_i64(&k->w, k->in->dimensions);
    }
    jw_object_end(&k->w);
    return true;
}

static void write_cohere(struct writing *k, const struct str *texts, size_t count)
{
    const struct extra *type = find_extra(k->in, "input_type");

    jw_object(&k->w);
    jw_key(&k->w, "texts");
    jw_array(&k->w);
    for (size_t i = 0; i < count; i++)
        jw_str(&k->w, texts[i]);
    jw_array_end(&k->w);
    jw_key(&k->w, "input_type");
    jw_raw(&k->w, type ? type->raw : STR("\"search_document\""));
    jw_key(&k->w, "embedding_types");
    jw_raw(&k->w, STR("[\"float\"]"));
    if (k->in->dimensions > 0) {
        jw_key(&k->w, "output_dimension");
        jw_i64(&k->w, k->in->dimensions);
    }
    jw_object_end(&k->w);
}

static bool write_embeds(struct writing *k, struct err *err)
{
    bool cohere = bedrock_is_by(k->remote, "cohere.");
    struct str *texts;
    size_t count;

    if (!cohere && !bedrock_is_by(k->remote, "titan-embed"))
        return err_set(err, ERR_INVALID,
                       "model: of Bedrock's embeddings those of Titan and Cohere are known");
    if (!inputs_read(k->arena, k->in, &texts, &count, err))
        return false;
    for (const struct extra *e = k->in->extras; e; e = e->next)
        if (!(cohere && str_eq(e->name, STR("input_type"))) &&
            !losses_note(k->losses, e->name, "bedrock has no such field", err))
            return false;
    if (!cohere)
        return write_titan(k, texts, count, err);
    write_cohere(k, texts, count);
    return true;
}

/* ---- the request ---- */

/* model/{id}/converse: an id may be an ARN with colons and slashes. */
static bool write_path(struct writing *k, struct outgoing *out, struct err *err)
{
    struct buf b;

    buf_init(&b, k->arena, 3 * k->remote.len + 64);
    buf_str(&b, STR("/model/"));
    for (size_t i = 0; i < k->remote.len; i++) {
        unsigned char c = (unsigned char)k->remote.ptr[i];

        if (is_id_char((char)c) && c != ':')
            buf_char(&b, (char)c);
        else
            buf_fmt(&b, "%%%02X", c);
    }
    buf_str(&b, k->in->kind == ASK_EMBEDDING ? STR("/invoke")
                : k->in->stream              ? STR("/converse-stream")
                                             : STR("/converse"));
    return buf_finish(&b, &out->path, err);
}

/* The client speaks it too: its body as it came. Unless another house has signed something in it. */
static bool passes_whole(const struct conversation *in)
{
    const struct bedrock_asked *own = in->spoken == &dialect_bedrock ? in->own : NULL;
    struct str body = own ? json_raw(own->json, json_root(own->json)) : STR_NONE;

    return own && str_find(body, STR(SIGNED_MARK)) == body.len;
}

static bool splice_body(struct arena *arena, const struct conversation *in, const struct model *to,
                        struct str *out, struct err *err)
{
    const struct bedrock_asked *own = in->own;
    struct splicing splicing = {.edit_count = 0};

    return splice_usual(arena, own->json, to->remote_name, &splicing, err) &&
           json_splice(arena, own->json, splicing.edits, splicing.edit_count, out, err);
}

bool bedrock_write_request(struct arena *arena, const struct conversation *in,
                           const struct model *to, struct losses *losses, struct outgoing *out,
                           struct err *err)
{
    struct writing k = {.arena = arena, .in = in, .losses = losses, .remote = to->remote_name};
    struct buf b;

    if (passes_whole(in)) {
        out->method = STR("POST");
        out->field_count = 0;
        return splice_body(arena, in, to, &out->body, err) && write_path(&k, out, err);
    }
    if (in->kind == ASK_COMPLETION)
        return err_set(err, ERR_INVALID,
                       "model: Converse completes no bare prompt; ask it by chat");
    if (in->n > 1 && !losses_note(losses, STR("n"), "bedrock makes one answer", err))
        return false;
    if (!fields_losses(in, bedrock_fields, bedrock_field_count, losses, err))
        return false;
    buf_init(&b, arena, MADE_BYTES_MAX);
    jw_init(&k.w, &b);
    if (!(in->kind == ASK_EMBEDDING ? write_embeds(&k, err) : write_converse(&k, err)) ||
        !write_path(&k, out, err))
        return false;
    out->method = STR("POST");
    out->field_count = 0;
    return buf_finish(&b, &out->body, err);
}
