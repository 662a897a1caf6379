/* Turns and tools of a conversation as Converse has them: blocks, messages, what stands above them. */
#include "models/bedrock_internal.h"

#include "base/hash.h"
#include "models/members.h"
#include "models/models.h"
#include "models/tools.h"

#define ID_MAX   64  /* of a toolUseId */
#define NAME_MAX 200 /* of a document */

void bedrock_member(struct json_writer *w, const char *key, struct str value)
{
    if (!value.ptr)
        return;
    jw_key(w, key);
    jw_str(w, value);
}

/* ---- blocks ---- */

static void open_message(struct bedrock_writing *k, struct str role)
{
    if (str_eq(k->open, role))
        return;
    if (k->open.len) {
        jw_array_end(&k->w);
        jw_object_end(&k->w);
    }
    k->open = role;
    jw_object(&k->w);
    bedrock_member(&k->w, "role", role);
    jw_key(&k->w, "content");
    jw_array(&k->w);
}

static void write_cache_point(struct bedrock_writing *k, struct str cache_control)
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

bool bedrock_is_id_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == ':' || c == '-';
}

/* Other providers' ids may be longer, or of other letters: then a hash stands in, the same for the call
 * and its result. */
static void write_id(struct bedrock_writing *k, struct str id)
{
    bool fine = id.len > 0 && id.len <= ID_MAX;
    struct sha256 hash;
    char memory[64];
    struct buf b;

    for (size_t i = 0; i < id.len && fine; i++)
        fine = bedrock_is_id_char(id.ptr[i]);
    if (fine) {
        bedrock_member(&k->w, "toolUseId", id);
        return;
    }
    hash = sha256(id);
    buf_init_fixed(&b, memory, sizeof memory);
    buf_str(&b, STR("weir_"));
    buf_hex(&b, hash.bytes, 16);
    bedrock_member(&k->w, "toolUseId", buf_view(&b));
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
    {"video/x-flv", "video", "flv"},
    {"video/mpeg", "video", "mpeg"},
    {"video/mpeg", "video", "mpg"},
    {"video/x-ms-wmv", "video", "wmv"},
    {"video/3gpp", "video", "three_gp"},
    {"audio/mpeg", "audio", "mp3"},
    {"audio/mp3", "audio", "mp3"},
    {"audio/wav", "audio", "wav"},
    {"audio/ogg", "audio", "ogg"},
    {"audio/flac", "audio", "flac"},
    {"audio/opus", "audio", "opus"},
    {"audio/aac", "audio", "aac"},
    {"audio/x-aac", "audio", "x-aac"},
    {"audio/mp4", "audio", "mp4"},
    {"audio/mp4", "audio", "m4a"},
    {"audio/mpeg", "audio", "mpeg"},
    {"audio/mpeg", "audio", "mpga"},
    {"audio/x-matroska", "audio", "mka"},
    {"audio/x-matroska", "audio", "mkv"},
    {"audio/pcm", "audio", "pcm"},
    {"audio/webm", "audio", "webm"},
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
static void write_document_name(struct bedrock_writing *k, struct str name)
{
    char memory[NAME_MAX + 32];
    struct buf b;

    buf_init_fixed(&b, memory, sizeof memory);
    for (size_t i = 0; i < name.len && b.len < NAME_MAX - 16; i++) {
        char c = name.ptr[i];
        bool fine = (bedrock_is_id_char(c) && c != '_' && c != '.' && c != ':') || c == '(' ||
                    c == ')' || c == '[' || c == ']';

        if (fine)
            buf_char(&b, c);
        else if (b.len && b.ptr[b.len - 1] != ' ')
            buf_char(&b, ' ');
    }
    if (!b.len)
        buf_str(&b, STR("document"));
    if (k->documents++)
        buf_fmt(&b, " %u", k->documents);
    bedrock_member(&k->w, "name", buf_view(&b));
}

static bool no_media(struct bedrock_writing *k, const struct turn *t, const struct part *p,
                     const char *why, struct err *err)
{
    return part_loss(k->arena, t, p, "", why, k->losses, err);
}

static bool write_media(struct bedrock_writing *k, const struct turn *t, const struct part *p,
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
    bedrock_member(&k->w, "format", str_from(format->name));
    if (format->block[0] == 'd')
        write_document_name(k, p->file_name);
    if (k->in->spoken == &dialect_bedrock)
        members_write(&k->w, p->extra);
    jw_key(&k->w, "source");
    jw_object(&k->w);
    if (data.ptr) {
        bedrock_member(&k->w, "bytes", data);
    } else {
        jw_key(&k->w, "s3Location");
        jw_object(&k->w);
        bedrock_member(&k->w, "uri", p->url);
        jw_object_end(&k->w);
    }
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    if (p->detail.len && !str_eq(p->detail, STR("auto")))
        return part_loss(k->arena, t, p, "detail", "bedrock has no such field", k->losses, err);
    return true;
}

static bool write_call(struct bedrock_writing *k, const struct part *p, struct err *err)
{
    struct str input;

    if (!arguments_object(k->arena, p->arguments, &input, err))
        return false;
    jw_object(&k->w);
    jw_key(&k->w, "toolUse");
    jw_object(&k->w);
    write_id(k, p->id);
    bedrock_member(&k->w, "name", p->name);
    jw_key(&k->w, "input");
    jw_raw(&k->w, input);
    if (k->in->spoken == &dialect_bedrock)
        members_write(&k->w, p->extra);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    return true;
}

static void write_text(struct bedrock_writing *k, struct str text)
{
    jw_object(&k->w);
    bedrock_member(&k->w, "text", text);
    jw_object_end(&k->w);
}

static bool write_result(struct bedrock_writing *k, const struct turn *t, const struct part *p,
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
        bedrock_member(&k->w, "status", STR("error"));
    if (k->in->spoken == &dialect_bedrock)
        members_write(&k->w, p->extra);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    return true;
}

/* What was thought must come back with its signature; without one nobody there may read it. */
static bool write_reasoning(struct bedrock_writing *k, const struct turn *t, const struct part *p,
                            struct err *err)
{
    if (!p->is_redacted && !p->signature.len)
        return part_loss(k->arena, t, p, "", "reasoning without a signature", k->losses, err);
    jw_object(&k->w);
    jw_key(&k->w, "reasoningContent");
    jw_object(&k->w);
    if (p->is_redacted) {
        bedrock_member(&k->w, "redactedContent", p->text);
    } else {
        jw_key(&k->w, "reasoningText");
        jw_object(&k->w);
        bedrock_member(&k->w, "text", p->text.ptr ? p->text : STR(""));
        bedrock_member(&k->w, "signature", p->signature);
        jw_object_end(&k->w);
    }
    jw_object_end(&k->w);
    jw_object_end(&k->w);
    return true;
}

static bool write_part(struct bedrock_writing *k, const struct turn *t, const struct part *p,
                       struct err *err)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(k, p->text); return true;
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

/* A result takes no points inside it: what is to be kept there is kept up to its end. */
static struct str cache_control_of(const struct part *part)
{
    struct str found = part->cache_control;

    for (const struct part *p = part->inner; p && !found.len; p = p->next)
        found = p->cache_control;
    return found;
}

/* Blank texts are refused, and so is a message of which nothing else is left. */
static bool says_nothing(const struct part *p)
{
    return (p->kind == PART_TEXT || p->kind == PART_REFUSAL) && str_is_empty(str_trim(p->text));
}

static bool write_turn(struct bedrock_writing *k, const struct turn *t, struct err *err)
{
    for (const struct part *p = t->parts; p; p = p->next) {
        if (says_nothing(p))
            continue;
        open_message(k, t->role == TURN_ASSISTANT ? STR("assistant") : STR("user"));
        k->has_calls = k->has_calls || p->kind == PART_TOOL_CALL || p->kind == PART_TOOL_RESULT;
        if (!write_part(k, t, p, err))
            return false;
        write_cache_point(k, cache_control_of(p));
    }
    if (!t->name.len)
        return true;
    return losses_note(k->losses, arena_fmt(k->arena, STR_FMT ".name", STR_ARG(t->path)),
                       "bedrock has no such field", err);
}

bool bedrock_write_messages(struct bedrock_writing *k, struct err *err)
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

void bedrock_write_system(struct bedrock_writing *k)
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

static void write_tool(struct bedrock_writing *k, const struct tool *tool)
{
    jw_object(&k->w);
    jw_key(&k->w, "toolSpec");
    jw_object(&k->w);
    bedrock_member(&k->w, "name", tool->name);
    if (tool->description.len)
        bedrock_member(&k->w, "description", tool->description);
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
static void write_called(struct bedrock_writing *k)
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

static void write_choice(struct bedrock_writing *k)
{
    const struct conversation *in = k->in;

    if (k->thinking.forces_none ||
        (in->tool_choice != CHOOSE_ANY &&
         (in->tool_choice != CHOOSE_NAMED || !tool_choice_is_a_function(in))))
        return;
    jw_key(&k->w, "toolChoice");
    jw_object(&k->w);
    jw_key(&k->w, in->tool_choice == CHOOSE_ANY ? "any" : "tool");
    jw_object(&k->w);
    if (in->tool_choice == CHOOSE_NAMED)
        bedrock_member(&k->w, "name", in->tool_name);
    jw_object_end(&k->w);
    jw_object_end(&k->w);
}

static bool lose_builtins(struct bedrock_writing *k, bool *functions, struct err *err)
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

bool bedrock_write_tools(struct bedrock_writing *k, struct err *err)
{
    bool none = k->in->tool_choice == CHOOSE_NONE, functions;

    if (!lose_builtins(k, &functions, err))
        return false;
    if ((!functions || (k->in->tool_choice == CHOOSE_NAMED && !tool_choice_is_a_function(k->in))) &&
        !tool_choice_is_lost(k->in, k->losses, err))
        return false;
    if (!k->has_calls && (!functions || none))
        return true; /* not to be called: not shown */
    if (none && functions &&
        !fields_lose(k->in, "tool_choice", "bedrock cannot forbid calls once there have been some",
                     k->losses, err))
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
    if (functions)
        write_choice(k);
    jw_object_end(&k->w);
    return true;
}
