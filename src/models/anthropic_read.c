/* A client's POST /v1/messages, read.
 * A user's message with results of tools becomes several turns: one of role tool for each result and one
 * of the user for what stands between, in the order of the blocks. */
#include <math.h>

#include "models/anthropic.h"
#include "models/members.h"

#define TOKENS_MAX 1000000000 /* above it a number of tokens is a mistake */

/* ---- blocks ---- */

/* Where blocks go: the message's turn and its parts. */
struct gathering {
    struct field_reader *r;
    struct turn ***turns;
    enum turn_role role;
    const struct at *at; /* the message */
    struct part **end;   /* NULL: its turn has not begun */
};

static struct anthropic_asked *asked_of(const struct field_reader *r)
{
    return r->to->own;
}

static struct part *add_part(struct gathering *g, enum part_kind kind, struct err *err)
{
    if (!g->end) {
        struct turn *turn = member_turn(g->r, g->turns, g->role, g->at, err);

        if (!turn)
            return NULL;
        g->end = &turn->parts;
    }
    return member_part(g->r, &g->end, kind, err);
}

static bool read_cache_control(const struct field_reader *r, json_ref block, const struct at *at,
                               struct part *part, struct err *err)
{
    return member_raw(r, block, &(struct at){at, "cache_control", 0}, JSON_OBJECT,
                      &part->cache_control, err);
}

static bool read_text_block(struct gathering *g, json_ref block, const struct at *at,
                            struct err *err)
{
    static const char *const known[] = {"type", "text", "cache_control", NULL};
    struct part *part = add_part(g, PART_TEXT, err);

    if (!part || !member_text_needed(g->r, block, &(struct at){at, "text", 0}, &part->text, err) ||
        !read_cache_control(g->r, block, at, part, err) ||
        !members_unknown(g->r, block, known, &part->extra, err))
        return false;
    g->r->to->prompt_bytes += part->text.len;
    return true;
}

/* source: {"type":"base64","media_type","data"}, {"type":"url","url"}, {"type":"file","file_id"}. */
static bool read_source(struct field_reader *r, json_ref block, const struct at *at,
                        struct part *part, struct err *err)
{
    static const char *const known[] = {"type", "media_type", "data", "url", "file_id", NULL};
    const struct at in = {at, "source", 0};
    json_ref source = member(r->json, block, "source");
    const char *expected;
    struct str url;

    if (json_kind(r->json, source) != JSON_OBJECT)
        return at_error(&in, "expected an object", err);
    if (!members_lost(r, source, known, &in, err))
        return false;
    if (member_is(r->json, source, "type", STR("base64")))
        return member_text_needed(r, source, &(struct at){&in, "media_type", 0}, &part->media_type,
                                  err) &&
               member_text_needed(r, source, &(struct at){&in, "data", 0}, &part->data, err);
    if (member_is(r->json, source, "type", STR("url"))) {
        if (!member_text_needed(r, source, &(struct at){&in, "url", 0}, &url, err))
            return false;
        expected = part_take_url(part, url);
        return !expected || at_expected(&(struct at){&in, "url", 0}, expected, err);
    }
    if (member_is(r->json, source, "type", STR("file")))
        return member_text_needed(r, source, &(struct at){&in, "file_id", 0}, &part->file_id, err);
    return at_error(&(struct at){&in, "type", 0}, "expected \"base64\", \"url\" or \"file\"", err);
}

static bool read_image(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "source", "cache_control", NULL};
    struct part *part = add_part(g, PART_IMAGE, err);

    g->r->to->prompt_bytes += MEDIA_BYTES;
    return part && read_source(g->r, block, at, part, err) &&
           read_cache_control(g->r, block, at, part, err) &&
           members_unknown(g->r, block, known, &part->extra, err);
}

static bool read_other(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    struct part *part;

    if (json_kind(g->r->json, member(g->r->json, block, "type")) != JSON_STRING)
        return at_error(&(struct at){at, "type", 0}, "expected a string", err);
    part = add_part(g, PART_OTHER, err);
    if (!part)
        return false;
    part->extra = json_raw(g->r->json, block);
    g->r->to->prompt_bytes += part->extra.len;
    return true;
}

/* Plain text as a document is text to everybody else: the block itself is kept beside it. */
static bool read_text_document(struct gathering *g, json_ref block, const struct at *at,
                               struct err *err)
{
    const struct at in = {at, "source", 0};
    json_ref source = member(g->r->json, block, "source");
    struct part *part = add_part(g, PART_TEXT, err);

    if (!part || !member_text_needed(g->r, source, &(struct at){&in, "data", 0}, &part->text, err))
        return false;
    part->media_type = STR("text/plain");
    part->extra = json_raw(g->r->json, block);
    g->r->to->prompt_bytes += part->text.len;
    return true;
}

static bool read_document(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "source", "cache_control", "title", NULL};
    const struct json *j = g->r->json;
    json_ref source = member(j, block, "source");
    struct part *part;

    if (member_is(j, source, "type", STR("text")))
        return read_text_document(g, block, at, err);
    if (member_is(j, source, "type", STR("content")))
        return read_other(g, block, at, err);
    part = add_part(g, PART_FILE, err);
    g->r->to->prompt_bytes += MEDIA_BYTES;
    return part && read_source(g->r, block, at, part, err) &&
           member_text(g->r, block, &(struct at){at, "title", 0}, &part->file_name, err) &&
           read_cache_control(g->r, block, at, part, err) &&
           members_unknown(g->r, block, known, &part->extra, err);
}

static bool read_thinking_block(struct gathering *g, json_ref block, const struct at *at,
                                struct err *err)
{
    static const char *const known[] = {"type", "thinking", "signature", NULL};
    struct part *part = add_part(g, PART_REASONING, err);

    if (!part || !members_lost(g->r, block, known, at, err) ||
        !member_text_needed(g->r, block, &(struct at){at, "thinking", 0}, &part->text, err) ||
        !member_text(g->r, block, &(struct at){at, "signature", 0}, &part->signature, err))
        return false;
    g->r->to->prompt_bytes += part->text.len;
    return true;
}

static bool read_redacted(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "data", NULL};
    struct part *part = add_part(g, PART_REASONING, err);

    if (!part || !members_lost(g->r, block, known, at, err))
        return false;
    part->is_redacted = true;
    return member_text_needed(g->r, block, &(struct at){at, "data", 0}, &part->text, err);
}

static bool read_tool_use(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "id", "name", "input", "cache_control", NULL};
    struct part *part = add_part(g, PART_TOOL_CALL, err);

    if (!part || !member_text_needed(g->r, block, &(struct at){at, "id", 0}, &part->id, err) ||
        !member_text_needed(g->r, block, &(struct at){at, "name", 0}, &part->name, err) ||
        !member_raw(g->r, block, &(struct at){at, "input", 0}, JSON_OBJECT, &part->arguments,
                    err) ||
        !read_cache_control(g->r, block, at, part, err) ||
        !members_unknown(g->r, block, known, &part->extra, err))
        return false;
    if (!part->arguments.ptr)
        part->arguments = STR("{}");
    g->r->to->prompt_bytes += part->name.len + part->arguments.len;
    return true;
}

static bool read_content(struct gathering *g, json_ref content, const struct at *at,
                         struct err *err);

/* A turn of its own; what follows in the message begins another. */
static bool read_tool_result(struct gathering *g, json_ref block, const struct at *at,
                             struct err *err)
{
    static const char *const known[] = {"type",     "tool_use_id",   "content",
                                        "is_error", "cache_control", NULL};
    struct gathering own = {g->r, g->turns, TURN_TOOL, at, NULL}, inner = own;
    json_ref content = member(g->r->json, block, "content");
    struct part *part = add_part(&own, PART_TOOL_RESULT, err);
    int is_error = 0;

    g->end = NULL;
    if (!part ||
        !member_text_needed(g->r, block, &(struct at){at, "tool_use_id", 0}, &part->id, err) ||
        !member_flag(g->r, block, &(struct at){at, "is_error", 0}, &is_error, err) ||
        !read_cache_control(g->r, block, at, part, err) ||
        !members_unknown(g->r, block, known, &part->extra, err))
        return false;
    part->is_error = is_error > 0;
    inner.end = &part->inner;
    return !content || read_content(&inner, content, &(struct at){at, "content", 0}, err);
}

static const struct {
    const char *type;
    bool (*read)(struct gathering *g, json_ref block, const struct at *at, struct err *err);
    uint32_t roles; /* bits of enum turn_role where it may stand */
} blocks[] = {
    {"text", read_text_block, ~0u},
    {"image", read_image, 1 << TURN_USER | 1 << TURN_TOOL},
    {"document", read_document, 1 << TURN_USER | 1 << TURN_TOOL},
    {"tool_use", read_tool_use, 1 << TURN_ASSISTANT},
    {"tool_result", read_tool_result, 1 << TURN_USER},
    {"thinking", read_thinking_block, 1 << TURN_ASSISTANT},
    {"redacted_thinking", read_redacted, 1 << TURN_ASSISTANT},
};

static bool read_block(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    if (json_kind(g->r->json, block) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        if (!member_is(g->r->json, block, "type", str_from(blocks[i].type)))
            continue;
        if (!(blocks[i].roles >> g->role & 1))
            return at_error(&(struct at){at, "type", 0}, "such a block cannot stand here", err);
        return blocks[i].read(g, block, at, err);
    }
    return read_other(g, block, at, err);
}

/* A string, or an array of blocks. */
static bool read_content(struct gathering *g, json_ref content, const struct at *at,
                         struct err *err)
{
    struct at element = {at, NULL, 0};

    if (json_kind(g->r->json, content) == JSON_STRING) {
        struct part *part = add_part(g, PART_TEXT, err);

        if (!part)
            return false;
        if (!json_str(g->r->json, content, g->r->arena, &part->text))
            return err_arena(err, g->r->arena);
        g->r->to->prompt_bytes += part->text.len;
        return true;
    }
    if (json_kind(g->r->json, content) != JSON_ARRAY)
        return at_error(at, "expected a string or an array of blocks", err);
    for (json_ref b = json_first(g->r->json, content); b;
         b = json_next(g->r->json, b), element.index++)
        if (!read_block(g, b, &element, err))
            return false;
    return true;
}

/* ---- messages and system ---- */

static bool read_role(const struct field_reader *r, json_ref message, const struct at *at,
                      enum turn_role *out, struct err *err)
{
    if (member_is(r->json, message, "role", STR("user")))
        *out = TURN_USER;
    else if (member_is(r->json, message, "role", STR("assistant")))
        *out = TURN_ASSISTANT;
    else if (member_is(r->json, message, "role", STR("system")))
        *out = TURN_SYSTEM;
    else
        return at_error(&(struct at){at, "role", 0},
                        "expected \"user\", \"assistant\" or \"system\"", err);
    return true;
}

static bool read_message(struct field_reader *r, json_ref message, const struct at *at,
                         struct turn ***end, struct err *err)
{
    static const char *const known[] = {"role", "content", NULL};
    struct gathering g = {.r = r, .turns = end, .at = at};
    struct turn **before = *end;

    if (json_kind(r->json, message) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    if (!read_role(r, message, at, &g.role, err) ||
        !read_content(&g, member(r->json, message, "content"), &(struct at){at, "content", 0}, err))
        return false;
    /* A message without blocks is one all the same. */
    if (*end == before && !member_turn(r, end, g.role, at, err))
        return false;
    return members_unknown(r, message, known, &(*before)->extra, err);
}

bool anthropic_read_messages(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "messages", 0};
    struct turn **end = &r->to->turns;
    struct at element = {&at, NULL, 0};

    if (json_kind(r->json, v) != JSON_ARRAY || !json_first(r->json, v))
        return at_error(&at, "expected an array with at least one message", err);
    while (*end) /* the system's turn, where "system" stands in front */
        end = &(*end)->next;
    for (json_ref m = json_first(r->json, v); m; m = json_next(r->json, m), element.index++)
        if (!read_message(r, m, &element, &end, err))
            return false;
    return true;
}

bool anthropic_read_system(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "system", 0};
    struct turn *first = NULL, **end = &first;
    struct gathering g = {.r = r, .turns = &end, .role = TURN_SYSTEM, .at = &at};

    if (!read_content(&g, v, &at, err))
        return false;
    if (first) {
        first->next = r->to->turns; /* in front, wherever the field stands */
        r->to->turns = first;
    }
    return true;
}

bool anthropic_read_model(struct field_reader *r, json_ref v, struct err *err)
{
    if (json_kind(r->json, v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "model: expected a string");
    return json_str(r->json, v, r->arena, &r->to->model) || err_arena(err, r->arena);
}

/* ---- tools ---- */

static bool read_tool(struct field_reader *r, json_ref v, const struct at *at, struct tool ***end,
                      struct err *err)
{
    static const char *const known[] = {"type",   "name",          "description", "input_schema",
                                        "strict", "cache_control", NULL};
    struct tool *tool;

    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    tool = member_tool(r, end, err);
    if (!tool)
        return false;
    if (member(r->json, v, "type") && !member_is(r->json, v, "type", STR("custom"))) {
        tool->builtin = json_raw(r->json, v);
        return member_text(r, v, &(struct at){at, "name", 0}, &tool->name, err);
    }
    return member_text_needed(r, v, &(struct at){at, "name", 0}, &tool->name, err) &&
           member_text(r, v, &(struct at){at, "description", 0}, &tool->description, err) &&
           member_raw(r, v, &(struct at){at, "input_schema", 0}, JSON_OBJECT, &tool->parameters,
                      err) &&
           member_flag(r, v, &(struct at){at, "strict", 0}, &tool->strict, err) &&
           member_raw(r, v, &(struct at){at, "cache_control", 0}, JSON_OBJECT, &tool->cache_control,
                      err) &&
           members_unknown(r, v, known, &tool->extra, err);
}

bool anthropic_read_tools(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "tools", 0};
    struct tool **end = &r->to->tools;
    struct at element = {&at, NULL, 0};

    if (json_kind(r->json, v) != JSON_ARRAY)
        return at_error(&at, "expected an array", err);
    for (json_ref t = json_first(r->json, v); t; t = json_next(r->json, t), element.index++)
        if (!read_tool(r, t, &element, &end, err))
            return false;
    r->to->prompt_bytes += json_raw(r->json, v).len;
    return true;
}

bool anthropic_read_tool_choice(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"type", "name", "disable_parallel_tool_use", NULL};
    const struct at at = {NULL, "tool_choice", 0};
    struct conversation *to = r->to;
    int disable = -1;

    asked_of(r)->tool_choice = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&at, "expected an object", err);
    if (!members_inside(r, v, known, "tool_choice", err))
        return false;
    if (member_is(r->json, v, "type", STR("auto")))
        to->tool_choice = CHOOSE_AUTO;
    else if (member_is(r->json, v, "type", STR("any")))
        to->tool_choice = CHOOSE_ANY;
    else if (member_is(r->json, v, "type", STR("none")))
        to->tool_choice = CHOOSE_NONE;
    else if (member_is(r->json, v, "type", STR("tool")))
        to->tool_choice = CHOOSE_NAMED;
    else
        return at_error(&(struct at){&at, "type", 0},
                        "expected \"auto\", \"any\", \"tool\" or \"none\"", err);
    if (to->tool_choice == CHOOSE_NAMED &&
        !member_text_needed(r, v, &(struct at){&at, "name", 0}, &to->tool_name, err))
        return false;
    if (!member_flag(r, v, &(struct at){&at, "disable_parallel_tool_use", 0}, &disable, err))
        return false;
    if (disable >= 0)
        to->parallel_tools = !disable;
    return true;
}

/* ---- how to think and what to answer with ---- */

static bool read_budget(struct field_reader *r, json_ref v, const struct at *at, struct err *err)
{
    int64_t budget;

    if (!json_i64(r->json, member(r->json, v, "budget_tokens"), &budget) || budget < 1 ||
        budget > TOKENS_MAX)
        return at_error(&(struct at){at, "budget_tokens", 0}, "expected a number of tokens", err);
    r->to->reasoning_budget = budget;
    return true;
}

bool anthropic_read_thinking(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"type", "budget_tokens", "display", NULL};
    const struct at at = {NULL, "thinking", 0};

    asked_of(r)->thinking = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&at, "expected an object", err);
    if (json_kind(r->json, member(r->json, v, "type")) != JSON_STRING)
        return at_error(&(struct at){&at, "type", 0}, "expected a string", err);
    if (!members_inside(r, v, known, "thinking", err))
        return false;
    if (member_is(r->json, v, "display", STR("summarized")))
        r->to->reasoning_summary = STR("auto");
    if (member_is(r->json, v, "type", STR("enabled")))
        return read_budget(r, v, &at, err);
    if (member_is(r->json, v, "type", STR("disabled")))
        r->to->reasoning_budget = 0;
    else /* adaptive, and whatever is invented next: the model decides */
        r->to->reasoning_adaptive = true;
    return true;
}

static bool read_format(struct field_reader *r, json_ref v, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "schema", NULL};

    if (!v)
        return true;
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    if (!member_is(r->json, v, "type", STR("json_schema")))
        return at_error(&(struct at){at, "type", 0}, "expected \"json_schema\"", err);
    if (!member(r->json, v, "schema"))
        return at_error(&(struct at){at, "schema", 0}, "expected an object", err);
    r->to->format = FORMAT_SCHEMA;
    r->to->schema_strict = 1;
    r->to->prompt_bytes += json_raw(r->json, v).len;
    return members_inside(r, v, known, at->up ? "output_config.format" : "output_format", err) &&
           member_raw(r, v, &(struct at){at, "schema", 0}, JSON_OBJECT, &r->to->schema, err);
}

bool anthropic_read_output_config(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"effort", "format", NULL};
    const struct at at = {NULL, "output_config", 0};

    asked_of(r)->output_config = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&at, "expected an object", err);
    return members_inside(r, v, known, "output_config", err) &&
           member_text(r, v, &(struct at){&at, "effort", 0}, &r->to->reasoning_effort, err) &&
           read_format(r, member(r->json, v, "format"), &(struct at){&at, "format", 0}, err);
}

/* What output_config.format was called before it settled. */
bool anthropic_read_output_format(struct field_reader *r, json_ref v, struct err *err)
{
    asked_of(r)->output_format = json_raw(r->json, v);
    return read_format(r, v, &(struct at){NULL, "output_format", 0}, err);
}

bool anthropic_read_stops(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "stop_sequences", 0};
    struct conversation *to = r->to;

    if (json_kind(r->json, v) != JSON_ARRAY)
        return at_error(&at, "expected an array of strings", err);
    if (json_count(r->json, v) > ARRAY_LEN(to->stops))
        return at_error(&at, "expected at most 16 strings", err);
    for (json_ref s = json_first(r->json, v); s; s = json_next(r->json, s)) {
        if (json_kind(r->json, s) != JSON_STRING)
            return at_error(&(struct at){&at, NULL, to->stop_count}, "expected a string", err);
        if (!json_str(r->json, s, r->arena, &to->stops[to->stop_count++]))
            return err_arena(err, r->arena);
    }
    return true;
}

bool anthropic_read_metadata(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"user_id", NULL};
    const struct at at = {NULL, "metadata", 0};

    asked_of(r)->metadata = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&at, "expected an object", err);
    return members_inside(r, v, known, "metadata", err) &&
           member_text(r, v, &(struct at){&at, "user_id", 0}, &r->to->user, err);
}

bool anthropic_read_service_tier(struct field_reader *r, json_ref v, struct err *err)
{
    asked_of(r)->service_tier = json_raw(r->json, v);
    if (json_kind(r->json, v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "service_tier: expected a string");
    if (str_eq(json_raw(r->json, v), STR("\"standard_only\"")))
        r->to->service_tier = STR("default");
    else if (!json_str(r->json, v, r->arena, &r->to->service_tier))
        return err_arena(err, r->arena);
    return true;
}

/* LangChain says -1 where it says nothing. */
static bool take_unsaid(struct conversation *c, struct err *err)
{
    if (c->top_p == -1.0)
        c->top_p = (double)NAN;
    return !(c->top_p < 0) || err_set(err, ERR_INVALID, "top_p: expected a number from 0 to 1");
}

bool anthropic_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                            struct err *err)
{
    struct field_reader r = {.arena = arena, .json = json, .to = out};
    struct anthropic_asked *asked = arena_alloc(arena, sizeof *asked);

    if (!asked)
        return err_arena(err, arena);
    conversation_init(out);
    out->kind = ASK_CHAT;
    out->spoken = &dialect_anthropic;
    out->own = asked;
    if (json_kind(json, json_root(json)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body is not a request: expected an object");
    if (!fields_read(&r, json_root(json), anthropic_fields, anthropic_field_count, err))
        return false;
    if (!take_unsaid(out, err))
        return false;
    if (str_is_empty(out->model))
        return err_set(err, ERR_INVALID, "model: expected the name of a model");
    if (!member(json, json_root(json), "messages"))
        return err_set(err, ERR_INVALID, "messages: expected an array with at least one message");
    out->include_usage = true; /* always part of an answer here */
    return true;
}
