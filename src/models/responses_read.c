/* A client's POST /v1/responses, read: its fields but the input, which responses_items.c reads. */
#include "models/members.h"
#include "models/responses.h"

static struct responses_asked *asked_of(const struct field_reader *r)
{
    return r->to->own;
}

bool responses_read_model(struct field_reader *r, json_ref v, struct err *err)
{
    if (json_kind(r->json, v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "model: expected a string");
    return json_str(r->json, v, r->arena, &r->to->model) || err_arena(err, r->arena);
}
/* ---- tools ---- */

static bool read_tool(struct field_reader *r, json_ref v, const struct at *at, struct tool ***end,
                      struct err *err)
{
    static const char *const known[] = {"type",       "name",   "description",
                                        "parameters", "strict", NULL};
    struct tool *tool;
    bool ours;

    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    if (!responses_read_search(r, v, &ours, err))
        return false;
    if (ours)
        return true;
    tool = member_tool(r, end, err);
    if (!tool)
        return false;
    if (!member_is(r->json, v, "type", STR("function"))) {
        tool->builtin = json_raw(r->json, v);
        return json_kind(r->json, member(r->json, v, "type")) == JSON_STRING ||
               at_error(&(struct at){at, "type", 0}, "expected a string", err);
    }
    return member_text_needed(r, v, &(struct at){at, "name", 0}, &tool->name, err) &&
           member_text(r, v, &(struct at){at, "description", 0}, &tool->description, err) &&
           member_raw(r, v, &(struct at){at, "parameters", 0}, JSON_OBJECT, &tool->parameters,
                      err) &&
           member_flag(r, v, &(struct at){at, "strict", 0}, &tool->strict, err) &&
           members_unknown(r, v, known, &tool->extra, err);
}

bool responses_read_tools(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "tools", 0};
    struct tool **end = &r->to->tools;
    struct at element = {&at, NULL, 0};

    asked_of(r)->tools = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_ARRAY)
        return at_error(&at, "expected an array", err);
    for (json_ref t = json_first(r->json, v); t; t = json_next(r->json, t), element.index++)
        if (!read_tool(r, t, &element, &end, err))
            return false;
    r->to->prompt_bytes += json_raw(r->json, v).len;
    return true;
}

/* What only a provider of this dialect knows is told to all others as a loss, like a field that is new. */
static bool keep_as_extra(struct field_reader *r, const char *name, json_ref v, struct err *err)
{
    struct extra *extra = arena_alloc(r->arena, sizeof *extra), **end = &r->to->extras;

    if (!extra)
        return err_arena(err, r->arena);
    *extra = (struct extra){.name = str_from(name), .raw = json_raw(r->json, v), .is_own = true};
    while (*end)
        end = &(*end)->next;
    *end = extra;
    return true;
}

bool responses_read_tool_choice(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"type", "name", NULL};
    const struct at at = {NULL, "tool_choice", 0};
    struct str raw = json_raw(r->json, v);

    asked_of(r)->tool_choice = raw;
    if (str_eq(raw, STR("\"auto\"")))
        r->to->tool_choice = CHOOSE_AUTO;
    else if (str_eq(raw, STR("\"none\"")))
        r->to->tool_choice = CHOOSE_NONE;
    else if (str_eq(raw, STR("\"required\"")))
        r->to->tool_choice = CHOOSE_ANY;
    else if (member_is(r->json, v, "type", STR("function")))
        r->to->tool_choice = CHOOSE_NAMED;
    else if (json_kind(r->json, v) == JSON_OBJECT)
        return keep_as_extra(r, "tool_choice", v, err);
    else
        return at_error(&at, "expected \"auto\", \"none\", \"required\" or an object", err);
    if (r->to->tool_choice != CHOOSE_NAMED)
        return true;
    return members_inside(r, v, known, "tool_choice", err) &&
           member_text_needed(r, v, &(struct at){&at, "name", 0}, &r->to->tool_name, err);
}

/* ---- what to answer with, and how ---- */

static bool read_format(struct field_reader *r, json_ref v, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "name", "description", "strict", "schema", NULL};
    struct conversation *to = r->to;

    if (!v)
        return true;
    if (!members_inside(r, v, known, "text.format", err))
        return false;
    if (member_is(r->json, v, "type", STR("text"))) {
        to->format = FORMAT_TEXT;
        return true;
    }
    if (member_is(r->json, v, "type", STR("json_object"))) {
        to->format = FORMAT_JSON;
        return true;
    }
    if (!member_is(r->json, v, "type", STR("json_schema")))
        return at_error(&(struct at){at, "type", 0},
                        "expected \"text\", \"json_object\" or \"json_schema\"", err);
    to->format = FORMAT_SCHEMA;
    to->prompt_bytes += json_raw(r->json, v).len;
    if (!member(r->json, v, "schema"))
        return at_error(&(struct at){at, "schema", 0}, "expected an object", err);
    return member_text_needed(r, v, &(struct at){at, "name", 0}, &to->schema_name, err) &&
           member_text(r, v, &(struct at){at, "description", 0}, &to->schema_description, err) &&
           member_flag(r, v, &(struct at){at, "strict", 0}, &to->schema_strict, err) &&
           member_raw(r, v, &(struct at){at, "schema", 0}, JSON_OBJECT, &to->schema, err);
}

bool responses_read_text(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"verbosity", "format", NULL};
    const struct at at = {NULL, "text", 0};

    asked_of(r)->text = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&at, "expected an object", err);
    return members_inside(r, v, known, "text", err) &&
           member_text(r, v, &(struct at){&at, "verbosity", 0}, &r->to->verbosity, err) &&
           read_format(r, member(r->json, v, "format"), &(struct at){&at, "format", 0}, err);
}

bool responses_read_reasoning(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"effort", "generate_summary", "summary", NULL};
    const struct at at = {NULL, "reasoning", 0};

    asked_of(r)->reasoning = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&at, "expected an object", err);
    return members_inside(r, v, known, "reasoning", err) &&
           member_text(r, v, &(struct at){&at, "effort", 0}, &r->to->reasoning_effort, err) &&
           member_text(r, v, &(struct at){&at, "generate_summary", 0}, &r->to->reasoning_summary,
                       err) &&
           member_text(r, v, &(struct at){&at, "summary", 0}, &r->to->reasoning_summary, err);
}

/* What a target cannot include is not there; only what was meant for somebody's own tools is a loss. */
bool responses_read_include(struct field_reader *r, json_ref v, struct err *err)
{
    bool others = false;

    asked_of(r)->include = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "include: expected an array of strings");
    for (json_ref i = json_first(r->json, v); i; i = json_next(r->json, i)) {
        if (str_eq(json_raw(r->json, i), STR("\"reasoning.encrypted_content\"")))
            asked_of(r)->include_encrypted = true;
        else if (str_eq(json_raw(r->json, i), STR("\"message.output_text.logprobs\"")))
            r->to->logprobs = 1;
        else if (str_eq(json_raw(r->json, i), STR("\"file_search_call.results\"")))
            asked_of(r)->include_results = true;
        else if (str_eq(json_raw(r->json, i), STR("\"web_search_call.action.sources\"")))
            asked_of(r)->include_sources = true;
        else if (str_eq(json_raw(r->json, i), STR("\"code_interpreter_call.outputs\"")))
            asked_of(r)->include_outputs = true;
        else
            others = true;
    }
    /* A provider that searches hears of it as it came. */
    return (!others && !asked_of(r)->include_results) || keep_as_extra(r, "include", v, err);
}

bool responses_read_metadata(struct field_reader *r, json_ref v, struct err *err)
{
    asked_of(r)->metadata = json_raw(r->json, v); /* the answer's: it is kept and shown, not sent */
    if (json_kind(r->json, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "metadata: expected an object");
    return true;
}

bool responses_read_truncation(struct field_reader *r, json_ref v, struct err *err)
{
    asked_of(r)->truncation = json_raw(r->json, v);
    if (str_eq(json_raw(r->json, v), STR("\"auto\"")))
        return keep_as_extra(r, "truncation", v, err);
    return str_eq(json_raw(r->json, v), STR("\"disabled\"")) ||
           err_set(err, ERR_INVALID, "truncation: expected \"auto\" or \"disabled\"");
}

bool responses_read_store(struct field_reader *r, json_ref v, struct err *err)
{
    return json_bool(r->json, v, &asked_of(r)->store) ||
           err_set(err, ERR_INVALID, "store: expected true or false");
}

bool responses_read_previous(struct field_reader *r, json_ref v, struct err *err)
{
    if (json_kind(r->json, v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "previous_response_id: expected a string");
    return json_str(r->json, v, r->arena, &asked_of(r)->previous_response_id) ||
           err_arena(err, r->arena);
}

bool responses_read_background(struct field_reader *r, json_ref v, struct err *err)
{
    bool wanted;

    if (!json_bool(r->json, v, &wanted))
        return err_set(err, ERR_INVALID, "background: expected true or false");
    return !wanted || err_set(err, ERR_INVALID,
                              "background: answers in the background are not made here; leave it "
                              "out, or stream the answer");
}

bool responses_read_unkept(struct field_reader *r, json_ref v, struct err *err)
{
    struct str name = json_key_raw(r->json, v);

    return err_set(err, ERR_INVALID,
                   STR_FMT ": nothing of the kind is kept here; use previous_response_id or send "
                           "the items themselves",
                   STR_ARG(name));
}

bool responses_read_stream_options(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"include_obfuscation", NULL};
    const struct at at = {NULL, "stream_options", 0};
    int pad = 0;

    if (json_kind(r->json, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "stream_options: expected an object");
    if (!members_lost(r, v, known, &at, err) ||
        !member_flag(r, v, &(struct at){&at, "include_obfuscation", 0}, &pad, err))
        return false;
    r->to->pad_events = pad > 0;
    return true;
}

bool responses_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                            struct err *err)
{
    struct field_reader r = {.arena = arena, .json = json, .to = out};
    struct responses_asked *asked = arena_alloc(arena, sizeof *asked);

    if (!asked)
        return err_arena(err, arena);
    asked->store = true;
    conversation_init(out);
    out->kind = ASK_CHAT;
    out->spoken = &dialect_responses;
    out->own = asked;
    if (json_kind(json, json_root(json)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body is not a request: expected an object");
    if (!fields_read(&r, json_root(json), responses_fields, responses_field_count, err))
        return false;
    if (str_is_empty(out->model))
        return err_set(err, ERR_INVALID, "model: expected the name of a model");
    if (!asked->input.ptr && !asked->instructions.ptr)
        return err_set(err, ERR_INVALID, "input: expected a string or an array of items");
    out->include_usage = true; /* always part of an answer here */
    if (out->top_logprobs >= 0)
        out->logprobs = 1;
    return true;
}
