/* Conversation -> generateContent or batchEmbedContents. */
#include "models/gemini_internal.h"

#include "models/members.h"
#include "models/models.h"
#include "models/tools.h"

#include <math.h>
#include <string.h>

#define BODY_MAX     ((size_t)256 * 1024 * 1024) /* the request's arena ends before */
#define STOPS_MAX    5
/* What Google takes for the signature of a call that another model made. */
#define NO_SIGNATURE STR("skip_thought_signature_validator")

struct writing {
    struct arena *arena;
    const struct conversation *in;
    struct str remote; /* without "models/" */
    struct losses *losses;
    struct json_writer w;
    struct call_names calls;
    struct str open;     /* role of the content that is open, or empty */
    bool unsigned_calls; /* those without a signature need a stand-in */
    bool functions;      /* among the tools; they alone can be chosen */
};

bool gemini_is_ours(const struct conversation *in)
{
    return in->spoken && str_eq(str_from(in->spoken->name), STR("gemini"));
}

/* ---- contents ---- */

static const char *const made_of[] = {"functionCall", "functionResponse", "inlineData", "fileData"};

/* Contents of one role that follow each other are one; opened with their first part. */
static void open_content(struct writing *k, struct str role)
{
    if (str_eq(k->open, role))
        return;
    if (k->open.len) {
        jw_array_end(&k->w);
        jw_object_end(&k->w);
    }
    k->open = role;
    jw_object(&k->w);
    jw_key(&k->w, "role");
    jw_str(&k->w, role);
    jw_key(&k->w, "parts");
    jw_array(&k->w);
}

static void write_member(struct json_writer *w, const char *key, struct str value)
{
    if (!value.ptr)
        return;
    jw_key(w, key);
    jw_str(w, value);
}

/* What a Gemini client had inside the object that the part is made of ("functionCall"), or beside it (NULL). */
static bool write_kept(struct writing *k, const struct part *p, const char *object, struct err *err)
{
    bool ours = gemini_is_ours(k->in) && p->extra.len;
    struct json *j = ours ? json_parse(k->arena, p->extra, err) : NULL;

    if (ours && !j)
        return false;
    for (json_ref v = j ? json_first(j, json_root(j)) : 0; v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v), inside = STR_NONE;

        for (size_t i = 0; i < ARRAY_LEN(made_of) && !inside.ptr; i++)
            if (str_starts(key, str_from(made_of[i])) && key.len > strlen(made_of[i]) &&
                key.ptr[strlen(made_of[i])] == '.')
                inside = str_from(made_of[i]);
        if (object ? !str_is(inside, object) : inside.ptr != NULL)
            continue;
        jw_key_raw(&k->w, str_slice(key, inside.len ? inside.len + 1 : 0, key.len));
        jw_raw(&k->w, json_raw(j, v));
    }
    return true;
}

static bool write_media(struct writing *k, const struct turn *t, const struct part *p,
                        struct err *err)
{
    struct str type = p->media_type, data = p->data, where = p->url.len ? p->url : p->file_id;

    if (!data.ptr && !data_url_read(where, &type, &data)) {
        if (!where.len)
            return part_loss(k->arena, t, p, "", "nothing is in it", k->losses, err);
        if (!type.len)
            type = media_type_guess(where);
    }
    jw_object(&k->w);
    jw_key(&k->w, data.ptr ? "inlineData" : "fileData");
    jw_object(&k->w);
    write_member(&k->w, "mimeType",
                 type.len   ? type
                 : data.ptr ? media_type_guess(p->file_name).len ? media_type_guess(p->file_name)
                                                                 : STR("application/octet-stream")
                            : STR_NONE);
    write_member(&k->w, data.ptr ? "data" : "fileUri", data.ptr ? data : where);
    if (!write_kept(k, p, data.ptr ? "inlineData" : "fileData", err))
        return false;
    jw_object_end(&k->w);
    if (!write_kept(k, p, NULL, err))
        return false;
    jw_object_end(&k->w);
    if (p->detail.len && !str_eq(p->detail, STR("auto")))
        return part_loss(k->arena, t, p, "detail", "gemini has no such field", k->losses, err);
    return true;
}

static bool write_call(struct writing *k, const struct part *p, struct err *err)
{
    struct str args;

    if (!arguments_object(k->arena, p->arguments, &args, err))
        return false;
    jw_object(&k->w);
    jw_key(&k->w, "functionCall");
    jw_object(&k->w);
    if (!str_starts(p->id, STR("call_weir_")))
        write_member(&k->w, "id", p->id);
    write_member(&k->w, "name", p->name);
    jw_key(&k->w, "args");
    jw_raw(&k->w, args);
    if (!write_kept(k, p, "functionCall", err))
        return false;
    jw_object_end(&k->w);
    if (!write_kept(k, p, NULL, err))
        return false;
    if (p->signature.len)
        write_member(&k->w, "thoughtSignature", p->signature);
    else if (k->unsigned_calls)
        write_member(&k->w, "thoughtSignature", NO_SIGNATURE);
    jw_object_end(&k->w);
    return true;
}

/* An object is the response as it stands; an error is one by its key. */
static bool response_of(struct arena *arena, struct str text, bool is_error, struct str *out,
                        struct err *err)
{
    if (!text.len) {
        *out = is_error ? STR("{\"error\":\"\"}") : STR("{\"output\":\"\"}");
        return true;
    }
    if (!is_error || !text_is_object(arena, text))
        return object_from_text(arena, text, is_error ? "error" : "output", out, err);
    *out = arena_fmt(arena, "{\"error\":" STR_FMT "}", STR_ARG(str_trim(text)));
    return out->ptr || err_arena(err, arena);
}

static bool write_result(struct writing *k, const struct turn *t, const struct part *p,
                         struct err *err)
{
    struct str name, text = STR_NONE, response;

    if (!call_name(&k->calls, t, p, &name, err) || !parts_text(k->arena, p->inner, &text, err))
        return false;
    if (!response_of(k->arena, text, p->is_error, &response, err))
        return false;
    jw_object(&k->w);
    jw_key(&k->w, "functionResponse");
    jw_object(&k->w);
    if (!str_starts(p->id, STR("call_weir_")))
        write_member(&k->w, "id", p->id);
    write_member(&k->w, "name", name);
    jw_key(&k->w, "response");
    jw_raw(&k->w, response);
    if (!write_kept(k, p, "functionResponse", err))
        return false;
    jw_object_end(&k->w);
    if (!write_kept(k, p, NULL, err))
        return false;
    jw_object_end(&k->w);
    for (const struct part *inner = p->inner; inner; inner = inner->next)
        if ((inner->kind == PART_IMAGE || inner->kind == PART_AUDIO || inner->kind == PART_FILE) &&
            !write_media(k, t, inner, err))
            return false;
    return true;
}

static bool write_text(struct writing *k, const struct part *p, bool thought, struct err *err)
{
    jw_object(&k->w);
    write_member(&k->w, "text", p->text.ptr ? p->text : STR(""));
    if (thought) {
        jw_key(&k->w, "thought");
        jw_bool(&k->w, true);
    }
    if (p->signature.len && gemini_is_ours(k->in))
        write_member(&k->w, "thoughtSignature", p->signature);
    if (!write_kept(k, p, NULL, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

static bool write_part(struct writing *k, const struct turn *t, const struct part *p,
                       struct err *err)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL: return write_text(k, p, false, err);
    case PART_REASONING:
        if (p->is_redacted)
            return part_loss(k->arena, t, p, "", "reasoning that only its own provider can read",
                             k->losses, err);
        return write_text(k, p, true, err);
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE: return write_media(k, t, p, err);
    case PART_TOOL_CALL: return write_call(k, p, err);
    case PART_TOOL_RESULT: return write_result(k, t, p, err);
    case PART_OTHER:
        if (!gemini_is_ours(k->in))
            return part_loss(k->arena, t, p, "", "gemini has no such part", k->losses, err);
        jw_raw(&k->w, p->extra);
        return true;
    }
    return true;
}

static bool is_system(const struct turn *t)
{
    return t->role == TURN_SYSTEM || t->role == TURN_DEVELOPER;
}

static bool has_others(const struct conversation *in)
{
    for (const struct turn *t = in->turns; t; t = t->next)
        if (!is_system(t) && t->parts)
            return true;
    return false;
}

/* An empty text beside a call, as other dialects write it: Gemini refuses it. */
static bool says_nothing(const struct part *p)
{
    return (p->kind == PART_TEXT || p->kind == PART_REFUSAL || p->kind == PART_REASONING) &&
           !p->is_redacted && !p->text.len && !p->signature.len;
}

static bool write_turn(struct writing *k, const struct turn *t, struct err *err)
{
    struct str role = t->role == TURN_ASSISTANT ? STR("model") : STR("user");

    bool only_text = true;

    for (const struct part *p = t->parts; p; p = p->next)
        only_text = only_text && p->kind == PART_TEXT;
    for (const struct part *p = t->parts; p; p = p->next) {
        if (says_nothing(p) && !only_text)
            continue;
        if (p->kind != PART_REASONING || !p->is_redacted)
            open_content(k, role);
        if (!write_part(k, t, p, err))
            return false;
    }
    if (t->name.len)
        return losses_note(k->losses, arena_fmt(k->arena, STR_FMT ".name", STR_ARG(t->path)),
                           "gemini has no such field", err);
    return true;
}

/* Where all is system, it is said by the user: contents may not be empty. */
static bool write_contents(struct writing *k, struct err *err)
{
    bool others = has_others(k->in);

    jw_key(&k->w, "contents");
    jw_array(&k->w);
    for (const struct turn *t = k->in->turns; t; t = t->next)
        if ((!others || !is_system(t)) && !write_turn(k, t, err))
            return false;
    if (!k->open.len)
        return err_set(err, ERR_INVALID, "messages: nothing that a Gemini model could be told");
    jw_array_end(&k->w);
    jw_object_end(&k->w);
    jw_array_end(&k->w);
    return true;
}

static bool write_system(struct writing *k, struct err *err)
{
    bool any = false;

    if (!has_others(k->in))
        return true;
    for (const struct turn *t = k->in->turns; t; t = t->next) {
        for (const struct part *p = is_system(t) ? t->parts : NULL; p; p = p->next) {
            if (p->kind != PART_TEXT || !p->text.len)
                continue;
            if (!any) {
                jw_key(&k->w, "systemInstruction");
                jw_object(&k->w);
                jw_key(&k->w, "parts");
                jw_array(&k->w);
            }
            any = true;
            if (!write_text(k, p, false, err))
                return false;
        }
    }
    if (any) {
        jw_array_end(&k->w);
        jw_object_end(&k->w);
    }
    return true;
}

/* ---- tools ---- */

static bool write_function(struct writing *k, const struct tool *tool, unsigned at, struct err *err)
{
    struct str schema;

    jw_object(&k->w);
    write_member(&k->w, "name", tool->name);
    write_member(&k->w, "description", tool->description);
    if (tool->parameters.len) {
        struct str field = arena_fmt(k->arena, "tools.%u.parameters", at);

        if (!field.ptr)
            return err_arena(err, k->arena);
        if (!gemini_schema_write(k->arena, tool->parameters, field, k->losses, &schema, err))
            return false;
        jw_key(&k->w, "parametersJsonSchema");
        jw_raw(&k->w, schema);
    }
    if (gemini_is_ours(k->in))
        members_write(&k->w, tool->extra);
    jw_object_end(&k->w);
    return true;
}

/* *any: there are some already, in the list that the first opens. */
static void begin_tool(struct writing *k, bool *any)
{
    if (!*any) {
        jw_key(&k->w, "tools");
        jw_array(&k->w);
    }
    *any = true;
}

static bool write_builtin(struct writing *k, const struct tool *tool, unsigned at, bool *any,
                          struct err *err)
{
    struct str own = tool->builtin;

    if (!gemini_is_ours(k->in) &&
        !builtin_tool(k->arena, tool, at, &dialect_gemini, k->losses, &own, err))
        return false;
    if (!own.ptr || (k->in->tool_choice == CHOOSE_NONE && !gemini_is_ours(k->in)))
        return true; /* a mode is for functions alone: what may not be used is not shown */
    begin_tool(k, any);
    jw_raw(&k->w, own);
    return true;
}

static bool write_tools(struct writing *k, struct err *err)
{
    bool any = false;
    unsigned at = 0;

    for (const struct tool *t = k->in->tools; t; t = t->next, at++) {
        if (!t->builtin.ptr)
            k->functions = true;
        else if (!write_builtin(k, t, at, &any, err))
            return false;
    }
    at = 0;
    if (k->functions) {
        begin_tool(k, &any);
        jw_object(&k->w);
        jw_key(&k->w, "functionDeclarations");
        jw_array(&k->w);
        for (const struct tool *t = k->in->tools; t; t = t->next, at++)
            if (!t->builtin.ptr && !write_function(k, t, at, err))
                return false;
        jw_array_end(&k->w);
        jw_object_end(&k->w);
    }
    if (any)
        jw_array_end(&k->w);
    return true;
}

/* VALIDATED is how Gemini keeps to the schemas of functions: what "strict" asks for. */
static const char *choice_of(const struct conversation *in)
{
    switch (in->tool_choice) {
    case CHOOSE_NONE: return "NONE";
    case CHOOSE_ANY:
    case CHOOSE_NAMED: return "ANY";
    case CHOOSE_UNSAID:
    case CHOOSE_AUTO: break;
    }
    for (const struct tool *t = in->tools; t; t = t->next)
        if (t->strict == 1)
            return "VALIDATED";
    return in->tool_choice == CHOOSE_AUTO ? "AUTO" : NULL;
}

/* Where an extra of a Gemini client stood, the inner places first; of others, those that only Gemini can mean. */
enum place { IN_THINKING, IN_CONFIG, IN_CALLING, IN_TOOL_CONFIG, IN_BODY };
static const char *const places[] = {
    [IN_THINKING] = "generationConfig.thinkingConfig.",
    [IN_CONFIG] = "generationConfig.",
    [IN_CALLING] = "toolConfig.functionCallingConfig.",
    [IN_TOOL_CONFIG] = "toolConfig.",
    [IN_BODY] = "",
};

static enum place place_of(const struct extra *e)
{
    size_t i = 0;

    while (i < IN_BODY && !str_starts(e->name, str_from(places[i])))
        i++;
    return (enum place)i;
}

static bool has_extras(const struct writing *k, enum place place)
{
    const struct extra *e = gemini_is_ours(k->in) ? k->in->extras : NULL;

    while (e && place_of(e) != place)
        e = e->next;
    return e != NULL;
}

static bool write_extras(struct writing *k, enum place place, struct err *err)
{
    static const char *const known[] = {"safetySettings",  "safety_settings", "cachedContent",
                                        "cached_content",  "labels",          "speechConfig",
                                        "mediaResolution", "imageConfig"};

    for (const struct extra *e = k->in->extras; e; e = e->next) {
        bool ours = gemini_is_ours(k->in);
        enum place own = ours ? place_of(e) : IN_BODY;

        for (size_t i = 0; i < ARRAY_LEN(known) && !ours; i++) {
            if (str_eq(e->name, str_from(known[i]))) {
                ours = true;
                own = i >= 5 ? IN_CONFIG : IN_BODY;
            }
        }
        if (own != place)
            continue;
        if (!ours) {
            if (!losses_note(k->losses, e->name, "gemini has no such field", err))
                return false;
            continue;
        }
        jw_key_raw(&k->w, str_slice(e->name, gemini_is_ours(k->in) ? strlen(places[place]) : 0,
                                    e->name.len));
        jw_raw(&k->w, e->raw);
    }
    return true;
}

/* A Gemini client's own, which stands among the extras. */
static bool says(const struct conversation *in, const char *name)
{
    const struct extra *e = gemini_is_ours(in) ? in->extras : NULL;

    while (e && !str_is(e->name, name))
        e = e->next;
    return e != NULL;
}

static bool write_calling(struct writing *k, const char *mode, struct err *err)
{
    jw_key(&k->w, "functionCallingConfig");
    jw_object(&k->w);
    if (mode && !says(k->in, "toolConfig.functionCallingConfig.mode")) {
        jw_key(&k->w, "mode");
        jw_cstr(&k->w, mode);
    }
    if (mode && k->in->tool_choice == CHOOSE_NAMED) {
        jw_key(&k->w, "allowedFunctionNames");
        jw_array(&k->w);
        jw_str(&k->w, k->in->tool_name);
        jw_array_end(&k->w);
    }
    if (!write_extras(k, IN_CALLING, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

static bool write_choice(struct writing *k, struct err *err)
{
    bool ours = gemini_is_ours(k->in) && k->in->tools;
    bool named = k->in->tool_choice == CHOOSE_NAMED;
    bool lost = !ours && (!k->functions || (named && !tool_choice_is_a_function(k->in)));
    const char *mode = lost ? NULL : choice_of(k->in);
    bool calling = mode || has_extras(k, IN_CALLING);

    if (lost && !tool_choice_is_lost(k->in, k->losses, err))
        return false;
    if (!calling && !has_extras(k, IN_TOOL_CONFIG))
        return true;
    jw_key(&k->w, "toolConfig");
    jw_object(&k->w);
    if ((calling && !write_calling(k, mode, err)) || !write_extras(k, IN_TOOL_CONFIG, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

/* ---- generationConfig ---- */

static bool write_format(struct writing *k, struct err *err)
{
    const struct conversation *in = k->in;
    struct str schema;

    if (in->format != FORMAT_JSON && in->format != FORMAT_SCHEMA)
        return true;
    if (!says(in, "generationConfig.responseMimeType")) {
        jw_key(&k->w, "responseMimeType");
        jw_cstr(&k->w, "application/json");
    }
    if (in->format == FORMAT_JSON || !in->schema.len)
        return true;
    if (!gemini_schema_write(k->arena, in->schema, STR("response_format.json_schema.schema"),
                             k->losses, &schema, err))
        return false;
    jw_key(&k->w, "responseJsonSchema");
    jw_raw(&k->w, schema);
    return true;
}

static bool write_stops(struct writing *k, struct err *err)
{
    uint32_t count = MIN_OF(k->in->stop_count, STOPS_MAX);

    if (!count)
        return true;
    jw_key(&k->w, "stopSequences");
    jw_array(&k->w);
    for (uint32_t i = 0; i < count; i++)
        jw_str(&k->w, k->in->stops[i]);
    jw_array_end(&k->w);
    return count == k->in->stop_count ||
           fields_lose(k->in, "stop", "gemini takes five at most", k->losses, err);
}

/* Google's own translation of efforts to budgets; from the third generation on there are levels. */
static const struct effort {
    const char *name, *level;
    int64_t budget;
} efforts[] = {
    {"none", "minimal", 0},     {"minimal", "minimal", 1024}, {"low", "low", 1024},
    {"medium", "medium", 8192}, {"high", "high", 24576},      {"xhigh", "high", 24576},
    {"max", "high", 24576},
};

static const struct effort *effort_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(efforts); i++)
        if (str_eq(name, str_from(efforts[i].name)))
            return &efforts[i];
    return NULL;
}

static bool thinks_in_levels(struct str remote)
{
    return !str_starts(remote, STR("gemini-1")) && !str_starts(remote, STR("gemini-2")) &&
           !str_starts(remote, STR("gemini-robotics"));
}

static bool lose_thinking(struct writing *k, const char *why, struct err *err)
{
    return fields_lose(k->in,
                       k->in->reasoning_budget >= 0 ? "reasoning_budget" : "reasoning_effort", why,
                       k->losses, err);
}

/* More and fewer tokens are refused; 2.5 Pro cannot be told not to think. */
static bool fit_budget(struct writing *k, int64_t *budget, struct err *err)
{
    static const struct {
        const char *name;
        int64_t least, most;
        bool off;
    } models[] = {{"gemini-2.5-flash-lite", 512, 24576, true},
                  {"gemini-2.5-flash", 1, 24576, true},
                  {"gemini-2.5-pro", 128, 32768, false}};
    int64_t asked = *budget;
    size_t i = 0;

    while (i < ARRAY_LEN(models) && !str_starts(k->remote, str_from(models[i].name)))
        i++;
    if (i == ARRAY_LEN(models) || asked < 0 || (asked == 0 && models[i].off))
        return true;
    *budget = MIN_OF(MAX_OF(asked, models[i].least), models[i].most);
    return *budget == asked || lose_thinking(k, "the model thinks with more, or with fewer", err);
}

/* All know the level low, few the one below; no Pro can be told not to think. */
static bool fit_level(struct writing *k, const char **level, struct err *err)
{
    bool off = !*level && k->in->reasoning_budget == 0 && thinks_in_levels(k->remote) &&
               str_find(k->remote, STR("-pro")) < k->remote.len;
    bool minimal = *level && str_eq(str_from(*level), STR("minimal"));

    if (!off && (!minimal || str_starts(k->remote, STR("gemini-3-flash")) ||
                 str_starts(k->remote, STR("gemini-3.1-flash"))))
        return true;
    *level = "low";
    return lose_thinking(k, "the model thinks a little at least", err);
}

/* NULL: it is told the tokens. What a Gemini client says is its own. */
static bool fit_thinking(struct writing *k, const char **level, int64_t *tokens, struct err *err)
{
    if (gemini_is_ours(k->in))
        return true;
    return fit_level(k, level, err) && (*level || fit_budget(k, tokens, err));
}

static bool write_thinking(struct writing *k, struct err *err)
{
    const struct conversation *in = k->in;
    const struct effort *effort = effort_of(in->reasoning_effort);
    int64_t budget = in->reasoning_budget;
    bool levels = thinks_in_levels(k->remote) && effort && budget < 0;

    if (in->reasoning_effort.ptr && (!effort || budget >= 0) &&
        !fields_lose(in, "reasoning_effort",
                     effort ? "gemini takes an effort or a budget" : "gemini knows no such effort",
                     k->losses, err))
        return false;
    if (!effort && budget < 0 && !in->reasoning_adaptive && !in->reasoning_summary.ptr &&
        !has_extras(k, IN_THINKING))
        return true;
    const char *level = levels ? effort->level : NULL;
    int64_t tokens = budget >= 0 ? budget : effort ? effort->budget : -1;
    if (!fit_thinking(k, &level, &tokens, err))
        return false;
    jw_key(&k->w, "thinkingConfig");
    jw_object(&k->w);
    if (level) {
        write_member(&k->w, "thinkingLevel", str_from(level));
    } else if (budget >= 0 || effort || in->reasoning_adaptive) {
        jw_key(&k->w, "thinkingBudget");
        jw_i64(&k->w, tokens);
    }
    /* A Gemini client says itself whether it wants to see; others are told what was thought. */
    jw_key(&k->w, "includeThoughts");
    jw_bool(&k->w, gemini_is_ours(in) ? in->reasoning_summary.ptr != NULL
                                      : budget != 0 && !(effort && effort->budget == 0));
    if (!write_extras(k, IN_THINKING, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

/* ["text","image"] -> ["TEXT","IMAGE"] */
static bool write_modalities(struct writing *k, struct err *err)
{
    struct str raw = k->in->modalities;
    char *upper = arena_alloc_raw(k->arena, raw.len + 1);

    if (!raw.ptr || str_eq(raw, STR("[\"text\"]")))
        return true;
    if (!upper)
        return err_arena(err, k->arena);
    for (size_t i = 0; i < raw.len; i++)
        upper[i] = (char)(raw.ptr[i] >= 'a' && raw.ptr[i] <= 'z' ? raw.ptr[i] & ~0x20 : raw.ptr[i]);
    jw_key(&k->w, "responseModalities");
    jw_raw(&k->w, (struct str){upper, raw.len});
    return true;
}

static bool write_config(struct writing *k, struct err *err)
{
    jw_key(&k->w, "generationConfig");
    jw_object(&k->w);
    fields_write(&k->w, k->in, gemini_fields, gemini_config_count);
    if (!write_stops(k, err) || !write_format(k, err) || !write_modalities(k, err))
        return false;
    if (!write_thinking(k, err) || !write_extras(k, IN_CONFIG, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

/* ---- the request ---- */

static bool write_body(struct writing *k, struct err *err)
{
    jw_object(&k->w);
    if (!write_system(k, err) || !write_contents(k, err) || !write_tools(k, err) ||
        !write_choice(k, err) || !write_config(k, err) || !write_extras(k, IN_BODY, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

/* beside: what a Gemini client said of this text. */
static void write_embed(struct writing *k, struct str text, struct str beside)
{
    jw_object(&k->w);
    jw_key(&k->w, "model");
    buf_str(k->w.to, STR("\"models/"));
    buf_str(k->w.to, k->remote);
    buf_char(k->w.to, '"');
    k->w.after_key = false;
    jw_key(&k->w, "content");
    jw_object(&k->w);
    jw_key(&k->w, "parts");
    jw_array(&k->w);
    jw_object(&k->w);
    write_member(&k->w, "text", text);
    jw_object_end(&k->w);
    jw_array_end(&k->w);
    jw_object_end(&k->w);
    if (k->in->dimensions > 0) {
        jw_key(&k->w, "outputDimensionality");
        jw_i64(&k->w, k->in->dimensions);
    }
    members_write(&k->w, beside);
    jw_object_end(&k->w);
}

/* Always the batch: one text is a batch of one. */
static bool write_embeds(struct writing *k, struct err *err)
{
    const struct gemini_embed_asked *own = gemini_is_ours(k->in) ? k->in->own : NULL;
    struct str *texts;
    size_t count;

    if (!inputs_read(k->arena, k->in, &texts, &count, err))
        return false;
    jw_object(&k->w);
    jw_key(&k->w, "requests");
    jw_array(&k->w);
    for (size_t i = 0; i < count; i++)
        write_embed(k, texts[i], own && i < own->count ? own->beside[i] : STR_NONE);
    jw_array_end(&k->w);
    jw_object_end(&k->w);
    return own || extras_losses(k->in, k->losses, err);
}

static bool write_path(struct writing *k, struct outgoing *out, struct err *err)
{
    const char *verb = k->in->kind == ASK_EMBEDDING ? "batchEmbedContents"
                       : k->in->stream              ? "streamGenerateContent?alt=sse"
                                                    : "generateContent";
    bool is_tuned = str_starts(k->remote, STR("tunedModels/"));

    for (size_t i = 0; i < k->remote.len; i++)
        if ((unsigned char)k->remote.ptr[i] <= ' ' || k->remote.ptr[i] == '?' ||
            k->remote.ptr[i] == '#' || k->remote.ptr[i] == '"')
            return err_set(err, ERR_UNAVAILABLE, "remote_name is no name of a Gemini model");
    out->path = arena_fmt(k->arena, "%s" STR_FMT ":%s", is_tuned ? "/" : "/models/",
                          STR_ARG(k->remote), verb);
    return out->path.ptr || err_arena(err, k->arena);
}

/* The model stands in the path. Clients of the array's framing are told in it: their answers are written. */
bool gemini_splice_request(struct arena *arena, const struct model_question *question,
                           const struct model *to, struct losses *losses, struct splicing *splicing,
                           struct outgoing *out, bool *fits, struct err *err)
{
    struct writing k = {
        .arena = arena, .in = question->conversation, .losses = losses, .remote = to->remote_name};

    *fits = question->conversation->kind == ASK_CHAT;
    if (!*fits)
        return true;
    if (str_starts(k.remote, STR("models/")))
        k.remote = str_slice(k.remote, 7, k.remote.len);
    out->method = STR("POST");
    return write_path(&k, out, err) &&
           splice_usual(arena, question->json, to->remote_name, splicing, err);
}

bool gemini_write_request(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err)
{
    struct writing k = {.arena = arena, .in = in, .losses = losses, .remote = to->remote_name};
    struct buf b;

    if (str_starts(k.remote, STR("models/")))
        k.remote = str_slice(k.remote, 7, k.remote.len);
    k.unsigned_calls = str_starts(k.remote, STR("gemini-3"));
    if (in->kind == ASK_COMPLETION)
        return err_set(err, ERR_INVALID,
                       "model: a Gemini model completes no bare prompt; ask it "
                       "by chat");
    if (!fields_losses(in, gemini_fields, gemini_field_count, losses, err) ||
        !call_names_read(arena, in, &k.calls, err))
        return false;
    buf_init(&b, arena, BODY_MAX);
    jw_init(&k.w, &b);
    if (!(in->kind == ASK_EMBEDDING ? write_embeds(&k, err) : write_body(&k, err)) ||
        !write_path(&k, out, err))
        return false;
    out->method = STR("POST");
    out->field_count = 0;
    return buf_finish(&b, &out->body, err);
}
