/* A client's generationConfig, tools and toolConfig. */
#include "models/gemini_internal.h"

#include "models/members.h"
#include "models/tools.h"

static json_ref either(const struct json *j, json_ref object, const char *camel, const char *snake)
{
    json_ref v = json_get(j, object, str_from(camel));

    if (!v)
        v = json_get(j, object, str_from(snake));
    return json_kind(j, v) == JSON_NULL ? 0 : v;
}

/* Extras of an inner object are told apart by their path. */
static bool name_extras(struct field_reader *r, struct extra *before, const char *path,
                        struct err *err)
{
    struct extra *e = before ? before->next : r->to->extras;

    for (; e; e = e->next) {
        e->name = arena_fmt(r->arena, "%s" STR_FMT, path, STR_ARG(e->name));
        if (!e->name.ptr)
            return err_arena(err, r->arena);
    }
    return true;
}

static struct extra *last_extra(const struct conversation *c)
{
    struct extra *e = c->extras;

    while (e && e->next)
        e = e->next;
    return e;
}

bool gemini_read_config(struct field_reader *r, json_ref value, struct err *err)
{
    struct field_reader inner = {
        .arena = r->arena, .json = r->json, .to = r->to, .path = "generationConfig."};
    struct extra *before = last_extra(r->to);

    if (json_kind(r->json, value) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "generationConfig: expected an object");
    return fields_read(&inner, value, gemini_config_read, gemini_config_read_count, err) &&
           name_extras(r, before, "generationConfig.", err);
}

bool gemini_read_stops(struct field_reader *r, json_ref value, struct err *err)
{
    struct conversation *c = r->to;

    if (json_kind(r->json, value) != JSON_ARRAY || json_count(r->json, value) > ARRAY_LEN(c->stops))
        return err_set(err, ERR_INVALID,
                       "generationConfig.stopSequences: expected an array of at most %zu strings",
                       ARRAY_LEN(c->stops));
    c->stop_count = 0;
    for (json_ref v = json_first(r->json, value); v; v = json_next(r->json, v)) {
        if (json_kind(r->json, v) != JSON_STRING)
            return err_set(err, ERR_INVALID,
                           "generationConfig.stopSequences: expected an array of strings");
        if (!json_str(r->json, v, r->arena, &c->stops[c->stop_count++]))
            return err_arena(err, r->arena);
    }
    return true;
}

/* What no other dialect can ask for: where it stands, and as it came. *end moves on, so that many cost no more than few
 * each. */
static bool keep(struct field_reader *r, struct extra ***end, const char *path, struct str name,
                 struct str raw, struct err *err)
{
    struct extra *extra = arena_alloc(r->arena, sizeof *extra);

    if (!extra)
        return err_arena(err, r->arena);
    *extra =
        (struct extra){.name = arena_fmt(r->arena, "%s" STR_FMT, path, STR_ARG(name)), .raw = raw};
    while (**end)
        *end = &(**end)->next;
    **end = extra;
    return extra->name.ptr || err_arena(err, r->arena);
}

/* Likewise all members that `known` (a list ended by NULL) does not name. */
static bool keep_others(struct field_reader *r, json_ref object, const char *const *known,
                        const char *path, struct err *err)
{
    struct extra **end = &r->to->extras;
    const struct json *j = r->json;

    for (json_ref v = json_first(j, object); v; v = json_next(j, v))
        if (!member_is_known(known, json_key_raw(j, v)) && json_kind(j, v) != JSON_NULL &&
            !keep(r, &end, path, json_key_raw(j, v), json_raw(j, v), err))
            return false;
    return true;
}

bool gemini_read_mime(struct field_reader *r, json_ref value, struct err *err)
{
    struct str raw = json_raw(r->json, value);
    struct extra **end = &r->to->extras;

    if (str_eq(raw, STR("\"application/json\""))) {
        if (r->to->format != FORMAT_SCHEMA)
            r->to->format = FORMAT_JSON;
        return true;
    }
    if (str_eq(raw, STR("\"text/plain\""))) {
        r->to->format = FORMAT_TEXT;
        return true;
    }
    if (str_eq(raw, STR("\"text/x.enum\"")))
        return keep(r, &end, "", STR("responseMimeType"), raw, err);
    return err_set(err, ERR_INVALID,
                   "generationConfig.responseMimeType: expected text/plain, application/json or "
                   "text/x.enum");
}

bool gemini_read_schema(struct field_reader *r, json_ref value, struct err *err)
{
    if (json_kind(r->json, value) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "generationConfig.responseSchema: expected an object");
    r->to->format = FORMAT_SCHEMA;
    r->to->schema_name = STR("answer");
    return gemini_schema_read(r->arena, r->json, value, &r->to->schema, err) ||
           err_wrap(err, "generationConfig.responseSchema");
}

bool gemini_read_json_schema(struct field_reader *r, json_ref value, struct err *err)
{
    if (json_kind(r->json, value) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "generationConfig.responseJsonSchema: expected an object");
    r->to->format = FORMAT_SCHEMA;
    r->to->schema_name = STR("answer");
    r->to->schema = json_raw(r->json, value);
    return true;
}

/* A level comes in upper or lower case; the one that is called unspecified says nothing. */
static bool read_level(struct field_reader *r, json_ref level, struct err *err)
{
    static const char *const levels[] = {"minimal", "low", "medium", "high"};
    struct str raw = json_raw(r->json, level), word = str_slice(raw, 1, raw.len - 1);

    if (str_eq_nocase(word, STR("THINKING_LEVEL_UNSPECIFIED")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (str_eq_nocase(word, str_from(levels[i]))) {
            r->to->reasoning_effort = str_from(levels[i]);
            return true;
        }
    return err_set(err, ERR_INVALID,
                   "generationConfig.thinkingConfig.thinkingLevel: expected minimal, low, medium "
                   "or high");
}

/* A budget of -1 leaves it to the model. */
bool gemini_read_thinking(struct field_reader *r, json_ref value, struct err *err)
{
    static const char *const known[] = {"thinkingBudget",
                                        "thinking_budget",
                                        "thinkingLevel",
                                        "thinking_level",
                                        "includeThoughts",
                                        "include_thoughts",
                                        NULL};
    const struct json *j = r->json;
    json_ref budget = either(j, value, "thinkingBudget", "thinking_budget");
    json_ref level = either(j, value, "thinkingLevel", "thinking_level");
    json_ref include = either(j, value, "includeThoughts", "include_thoughts");
    struct conversation *c = r->to;
    bool wanted = false;

    if (json_kind(j, value) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "generationConfig.thinkingConfig: expected an object");
    if (budget && (!json_i64(j, budget, &c->reasoning_budget) || c->reasoning_budget < -1))
        return err_set(
            err, ERR_INVALID,
            "generationConfig.thinkingConfig.thinkingBudget: expected an integer from -1");
    if (budget && c->reasoning_budget == -1)
        c->reasoning_adaptive = true;
    if (include && !json_bool(j, include, &wanted))
        return err_set(err, ERR_INVALID,
                       "generationConfig.thinkingConfig.includeThoughts: expected true or false");
    if (wanted)
        c->reasoning_summary = STR("auto");
    return (!level || read_level(r, level, err)) &&
           keep_others(r, value, known, "thinkingConfig.", err);
}

/* ["TEXT","IMAGE"] -> ["text","image"] */
bool gemini_read_modalities(struct field_reader *r, json_ref value, struct err *err)
{
    struct str raw = json_raw(r->json, value);
    char *lower = arena_alloc_raw(r->arena, raw.len + 1);

    if (json_kind(r->json, value) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "generationConfig.responseModalities: expected an array");
    if (!lower)
        return err_arena(err, r->arena);
    for (size_t i = 0; i < raw.len; i++)
        lower[i] = (char)(raw.ptr[i] >= 'A' && raw.ptr[i] <= 'Z' ? raw.ptr[i] | 0x20 : raw.ptr[i]);
    r->to->modalities = (struct str){lower, raw.len};
    return true;
}

/* ---- tools ---- */

struct declarations {
    struct field_reader *r;
    struct tool **tail;
    size_t at;
};

static struct tool *add_tool(struct declarations *d, struct err *err)
{
    struct tool *tool = arena_alloc(d->r->arena, sizeof *tool);

    if (!tool) {
        err_arena(err, d->r->arena);
        return NULL;
    }
    tool->strict = -1;
    *d->tail = tool;
    d->tail = &tool->next;
    return tool;
}

static bool read_declaration(struct declarations *d, json_ref v, struct err *err)
{
    static const char *const known[] = {
        "name", "description", "parameters", "parametersJsonSchema", "parameters_json_schema",
        NULL};
    const struct json *j = d->r->json;
    json_ref schema = either(j, v, "parametersJsonSchema", "parameters_json_schema");
    json_ref subset = either(j, v, "parameters", "parameters");
    json_ref description = either(j, v, "description", "description");
    struct tool *tool = add_tool(d, err);

    if (!tool || !members_unknown(d->r, v, known, &tool->extra, err))
        return false;
    if (!json_str(j, json_get(j, v, STR("name")), d->r->arena, &tool->name) || !tool->name.len)
        return err_set(err, ERR_INVALID, "tools.%zu.functionDeclarations: expected a name for each",
                       d->at);
    if (description && !json_str(j, description, d->r->arena, &tool->description))
        return err_set(err, ERR_INVALID,
                       "tools.%zu.functionDeclarations: expected descriptions to be strings",
                       d->at);
    if (schema)
        tool->parameters = json_raw(j, schema);
    else if (subset)
        return gemini_schema_read(d->r->arena, j, subset, &tool->parameters, err) ||
               err_wrap(err, "tools.%zu.functionDeclarations", d->at);
    return true;
}

/* Google's own: {"googleSearch":{}}; a member of a tool each. */
static bool read_own(struct declarations *d, json_ref member, struct err *err)
{
    struct tool *tool = add_tool(d, err);
    struct str raw = json_raw(d->r->json, member), key = json_key_raw(d->r->json, member);

    if (!tool)
        return false;
    tool->name = key;
    tool->builtin =
        arena_fmt(d->r->arena, "{\"" STR_FMT "\":" STR_FMT "}", STR_ARG(key), STR_ARG(raw));
    return tool->builtin.ptr || err_arena(err, d->r->arena);
}

bool gemini_read_tools(struct field_reader *r, json_ref value, struct err *err)
{
    struct declarations d = {.r = r, .tail = &r->to->tools};
    const struct json *j = r->json;

    if (json_kind(j, value) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "tools: expected an array");
    r->to->prompt_bytes += json_raw(j, value).len;
    for (json_ref t = json_first(j, value); t; t = json_next(j, t), d.at++) {
        if (json_kind(j, t) != JSON_OBJECT)
            return err_set(err, ERR_INVALID, "tools.%zu: expected an object", d.at);
        for (json_ref m = json_first(j, t); m; m = json_next(j, m)) {
            struct str key = json_key_raw(j, m);

            if (!str_eq(key, STR("functionDeclarations")) &&
                !str_eq(key, STR("function_declarations"))) {
                if (!read_own(&d, m, err))
                    return false;
                continue;
            }
            for (json_ref f = json_first(j, m); f; f = json_next(j, f))
                if (!read_declaration(&d, f, err))
                    return false;
        }
    }
    return true;
}

#define CALLING "toolConfig.functionCallingConfig."

/* What is validated is so by Gemini alone, so the mode is kept beside. Names in another mode are what Google refuses. */
static bool read_calling(struct field_reader *r, json_ref config, struct err *err)
{
    static const char *const known[] = {"mode", "allowedFunctionNames", "allowed_function_names",
                                        NULL};
    const struct json *j = r->json;
    struct str mode = json_raw(j, json_get(j, config, STR("mode")));
    json_ref names = either(j, config, "allowedFunctionNames", "allowed_function_names");
    bool validated = str_eq(mode, STR("\"VALIDATED\""));
    struct conversation *c = r->to;
    struct extra **end = &c->extras;

    if (!mode.len || str_eq(mode, STR("null")) || str_eq(mode, STR("\"AUTO\"")) || validated ||
        str_eq(mode, STR("\"MODE_UNSPECIFIED\"")))
        c->tool_choice = CHOOSE_AUTO;
    else if (str_eq(mode, STR("\"NONE\"")))
        c->tool_choice = CHOOSE_NONE;
    else if (str_eq(mode, STR("\"ANY\"")))
        c->tool_choice = json_count(j, names) == 1 ? CHOOSE_NAMED : CHOOSE_ANY;
    else
        return err_set(err, ERR_INVALID, CALLING "mode: expected AUTO, ANY, NONE or VALIDATED");
    if (c->tool_choice == CHOOSE_NAMED &&
        !json_str(j, json_first(j, names), r->arena, &c->tool_name))
        return err_set(err, ERR_INVALID, CALLING "allowedFunctionNames: expected strings");
    if (validated && !keep(r, &end, CALLING, STR("mode"), mode, err))
        return false;
    if (names && !validated && !str_eq(mode, STR("\"ANY\"")) &&
        !keep(r, &end, CALLING, STR("allowedFunctionNames"), json_raw(j, names), err))
        return false;
    return keep_others(r, config, known, CALLING, err);
}

bool gemini_read_tool_config(struct field_reader *r, json_ref value, struct err *err)
{
    static const char *const known[] = {"functionCallingConfig", "function_calling_config", NULL};
    const struct json *j = r->json;
    json_ref config = either(j, value, "functionCallingConfig", "function_calling_config");

    if (json_kind(j, value) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "toolConfig: expected an object");
    if (config && json_kind(j, config) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "toolConfig.functionCallingConfig: expected an object");
    return (!config || read_calling(r, config, err)) &&
           keep_others(r, value, known, "toolConfig.", err);
}

/* Those that may not be called are not shown: every dialect can say that. Last, as tools may stand behind
 * toolConfig in the body. */
bool gemini_allow_tools(struct field_reader *r, struct err *err)
{
    const struct json *j = r->json;
    json_ref config = either(j, either(j, json_root(j), "toolConfig", "tool_config"),
                             "functionCallingConfig", "function_calling_config");
    json_ref names = either(j, config, "allowedFunctionNames", "allowed_function_names");
    struct str mode = json_raw(j, json_get(j, config, STR("mode")));
    bool validated = str_eq(mode, STR("\"VALIDATED\"")), any = false, left = false;
    struct table allowed;

    if ((r->to->tool_choice != CHOOSE_ANY && !validated) || json_count(j, names) == 0)
        return true;
    table_init(&allowed, r->arena, json_count(j, names));
    for (json_ref v = json_first(j, names); v; v = json_next(j, v)) {
        struct str raw = json_raw(j, v);

        if (json_kind(j, v) == JSON_STRING &&
            !table_put(&allowed, str_slice(raw, 1, raw.len - 1), r, NULL))
            return err_arena(err, r->arena);
    }
    for (struct tool **t = &r->to->tools; *t;) {
        bool hidden = !(*t)->builtin.ptr && !table_get(&allowed, (*t)->name);

        any = any || hidden;
        left = left || (!hidden && !(*t)->builtin.ptr);
        if (hidden)
            *t = (*t)->next;
        else
            t = &(*t)->next;
    }
    return left || !any ||
           err_set(err, ERR_INVALID, CALLING "allowedFunctionNames: none of them is declared");
}
