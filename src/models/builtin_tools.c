/* Providers' own tools, declared in the words of another provider: a search of the web is one everywhere, and so is
 * code that the provider runs. What an option has no place for is named; a tool without an equal is named whole. */
#include "models/members.h"
#include "models/tools.h"

enum builtin { BUILTIN_UNKNOWN, BUILTIN_SEARCH, BUILTIN_CODE };

struct declared {
    enum builtin kind;
    json_ref domains, place; /* allowed_domains, user_location; 0: none */
};

/* Anthropic's types end in a date, OpenAI's previews too; Google's are a member named after the tool. */
static const struct {
    const char *begins;
    enum builtin kind;
} types[] = {{"web_search", BUILTIN_SEARCH},
             {"code_execution", BUILTIN_CODE},
             {"code_interpreter", BUILTIN_CODE}},
  members[] = {{"googleSearch", BUILTIN_SEARCH},
               {"google_search", BUILTIN_SEARCH},
               {"codeExecution", BUILTIN_CODE},
               {"code_execution", BUILTIN_CODE}};

static enum builtin kind_of(const struct json *j, struct arena *arena)
{
    json_ref root = json_root(j), first = json_first(j, root);
    struct str type = STR_NONE;

    if (json_str(j, json_get(j, root, STR("type")), arena, &type))
        for (size_t i = 0; i < ARRAY_LEN(types); i++)
            if (str_starts(type, str_from(types[i].begins)))
                return types[i].kind;
    for (size_t i = 0; !type.ptr && first && i < ARRAY_LEN(members); i++)
        if (str_eq(json_key_raw(j, first), str_from(members[i].begins)))
            return members[i].kind;
    return BUILTIN_UNKNOWN;
}

static bool lose(struct arena *arena, size_t at, struct str option, struct losses *losses,
                 struct err *err)
{
    struct str field = option.len ? arena_fmt(arena, "tools.%zu." STR_FMT, at, STR_ARG(option))
                                  : arena_fmt(arena, "tools.%zu", at);

    if (!field.ptr)
        return err_arena(err, arena);
    return losses_note(losses, field,
                       option.len ? "the provider's own tool has no such option"
                                  : "only its own provider has this tool",
                       err);
}

/* What says nothing beyond the kind of tool. */
static bool is_plain(const struct json *j, json_ref v, struct str key)
{
    if (str_eq(key, STR("type")) || str_eq(key, STR("name")) || json_kind(j, v) == JSON_NULL)
        return true;
    if (str_eq(key, STR("container")))
        return member_is(j, v, "type", STR("auto")) && !json_next(j, json_first(j, v));
    return (json_kind(j, v) == JSON_OBJECT || json_kind(j, v) == JSON_ARRAY) && !json_first(j, v);
}

static bool read_options(struct arena *arena, const struct json *j, bool has_place, size_t at,
                         struct declared *out, struct losses *losses, struct err *err)
{
    for (json_ref v = json_first(j, json_root(j)); v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v);
        json_ref domains = str_eq(key, STR("allowed_domains")) ? v : 0;

        if (is_plain(j, v, key))
            continue;
        if (str_eq(key, STR("filters")) && !json_next(j, json_first(j, v)))
            domains = json_get(j, v, STR("allowed_domains"));
        if (has_place && out->kind == BUILTIN_SEARCH && domains)
            out->domains = domains;
        else if (has_place && out->kind == BUILTIN_SEARCH && str_eq(key, STR("user_location")))
            out->place = v;
        else if (!lose(arena, at, key, losses, err))
            return false;
    }
    return true;
}

static void write_search(struct json_writer *w, const struct json *j, const struct declared *d,
                         bool anthropic)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, anthropic ? "web_search_20250305" : "web_search");
    if (anthropic)
        jw_key(w, "name"), jw_cstr(w, "web_search");
    if (d->domains) {
        if (!anthropic)
            jw_key(w, "filters"), jw_object(w);
        jw_key(w, "allowed_domains"), jw_raw(w, json_raw(j, d->domains));
        if (!anthropic)
            jw_object_end(w);
    }
    if (d->place)
        jw_key(w, "user_location"), jw_raw(w, json_raw(j, d->place));
    jw_object_end(w);
}

static struct str without_options(enum builtin kind, const struct dialect *to)
{
    bool search = kind == BUILTIN_SEARCH;

    if (to == &dialect_gemini)
        return search ? STR("{\"googleSearch\":{}}") : STR("{\"codeExecution\":{}}");
    if (search)
        return STR_NONE;
    return to == &dialect_anthropic
               ? STR("{\"type\":\"code_execution_20250825\",\"name\":\"code_execution\"}")
               : STR("{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}");
}

bool builtin_tool(struct arena *arena, const struct tool *tool, size_t at, const struct dialect *to,
                  struct losses *losses, struct str *out, struct err *err)
{
    bool anthropic = to == &dialect_anthropic, gemini = to == &dialect_gemini;
    struct json *j = json_parse(arena, tool->builtin, err);
    struct declared declared = {BUILTIN_UNKNOWN, 0, 0};
    struct json_writer w;
    struct buf b;

    *out = STR_NONE;
    if (!j)
        return err_wrap(err, "tools.%zu", at);
    declared.kind = kind_of(j, arena);
    if (declared.kind == BUILTIN_UNKNOWN || (!anthropic && !gemini && to != &dialect_responses))
        return lose(arena, at, STR_NONE, losses, err);
    /* Google's member holds its options itself: those of others stand beside the type. */
    if (json_get(j, json_root(j), STR("type"))
            ? !read_options(arena, j, !gemini, at, &declared, losses, err)
            : json_first(j, json_first(j, json_root(j))) &&
                  !lose(arena, at, json_key_raw(j, json_first(j, json_root(j))), losses, err))
        return false;
    *out = without_options(declared.kind, to);
    if (out->ptr)
        return true;
    buf_init(&b, arena, MADE_BYTES_MAX);
    jw_init(&w, &b);
    write_search(&w, j, &declared, anthropic);
    return buf_finish(&b, out, err);
}

static bool names_one(const struct tool *tool, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_find(tool->builtin, str_from(names[i])) < tool->builtin.len)
            return true;
    return false;
}

bool builtin_may_run_code(const struct tool *tool)
{
    static const char *const names[] = {"code_execution", "codeExecution", "code_interpreter"};

    return names_one(tool, names, ARRAY_LEN(names));
}

bool builtin_may_search(const struct tool *tool)
{
    static const char *const names[] = {"web_search", "googleSearch", "google_search"};

    return names_one(tool, names, ARRAY_LEN(names));
}
