/* A client's Converse request. The model and whether to stream stand in the path. */
#include "models/bedrock.h"
#include "models/bedrock_internal.h"
#include "models/members.h"
#include "models/tools.h"

#define AT(member) offsetof(struct conversation, member)

struct reading_turns {
    struct field_reader *r;
    struct turn **end;
};

static bool is_array(const struct field_reader *r, json_ref v, const char *name, struct err *err)
{
    return json_kind(r->json, v) == JSON_ARRAY ||
           err_set(err, ERR_INVALID, "%s: expected an array", name);
}

/* ---- blocks ---- */

struct gathering {
    struct field_reader *r;
    struct part **end;
    struct part *last; /* a cachePoint is for what stands before it */
};

static struct part *add_part(struct gathering *g, enum part_kind kind, struct err *err)
{
    g->last = member_part(g->r, &g->end, kind, err);
    return g->last;
}

static bool read_text_block(struct gathering *g, json_ref block, const struct at *at,
                            struct err *err)
{
    static const char *const known[] = {"text", NULL};
    struct part *part = add_part(g, PART_TEXT, err);

    if (!part || !members_lost(g->r, block, known, at, err) ||
        !member_text_needed(g->r, block, &(struct at){at, "text", 0}, &part->text, err))
        return false;
    g->r->to->prompt_bytes += part->text.len;
    return true;
}

/* Of a block that is made of one member, what stands beside that. */
static bool note_beside(struct gathering *g, json_ref block, const char *kind, const struct at *at,
                        struct err *err)
{
    const char *const known[] = {kind, NULL};

    return members_lost(g->r, block, known, at, err);
}

/* image, document, video, audio: a format and a source. */
static bool read_media(struct gathering *g, json_ref block, const char *kind, enum part_kind as,
                       const struct at *at, struct err *err)
{
    static const char *const known[] = {"format", "name", "source", NULL};
    static const char *const sources[] = {"bytes", "s3Location", "text", "content", NULL};
    const struct at in = {at, kind, 0};
    json_ref media = member(g->r->json, block, kind);
    json_ref source = member(g->r->json, media, "source");
    json_ref store = member(g->r->json, source, "s3Location");
    struct part *part = add_part(g, as, err);
    struct str format = STR_NONE;

    if (!part || !note_beside(g, block, kind, at, err) ||
        !members_lost(g->r, source, sources, &(struct at){&in, "source", 0}, err) ||
        !members_unknown(g->r, media, known, &part->extra, err) ||
        !member_text(g->r, media, &(struct at){&in, "format", 0}, &format, err) ||
        !member_text(g->r, media, &(struct at){&in, "name", 0}, &part->file_name, err) ||
        !member_text(g->r, source, &(struct at){&in, "bytes", 0}, &part->data, err) ||
        !member_text(g->r, store, &(struct at){&in, "uri", 0}, &part->url, err))
        return false;
    if (member(g->r->json, source, "text")) { /* a document of plain text */
        part->kind = PART_TEXT;
        g->r->to->prompt_bytes += json_raw(g->r->json, source).len;
        return member_text(g->r, source, &(struct at){&in, "text", 0}, &part->text, err);
    }
    if (!part->data.ptr && !part->url.ptr)
        return at_error(&(struct at){&in, "source", 0}, "expected bytes or an s3Location", err);
    part->media_type = bedrock_media_type(kind, format);
    if (!part->media_type.ptr)
        return at_error(&(struct at){&in, "format", 0}, "expected a format of its kind", err);
    g->r->to->prompt_bytes += MEDIA_BYTES;
    return true;
}

static bool read_call(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    const struct at in = {at, "toolUse", 0};
    json_ref call = member(g->r->json, block, "toolUse");
    static const char *const known[] = {"toolUseId", "name", "input", NULL};
    struct part *part = add_part(g, PART_TOOL_CALL, err);

    if (!part || !note_beside(g, block, "toolUse", at, err) ||
        !members_unknown(g->r, call, known, &part->extra, err) ||
        !member_text_needed(g->r, call, &(struct at){&in, "toolUseId", 0}, &part->id, err) ||
        !member_text_needed(g->r, call, &(struct at){&in, "name", 0}, &part->name, err) ||
        !member_raw(g->r, call, &(struct at){&in, "input", 0}, JSON_OBJECT, &part->arguments, err))
        return false;
    if (!part->arguments.ptr)
        part->arguments = STR("{}");
    g->r->to->prompt_bytes += part->arguments.len;
    return true;
}

/* Words with what they rest on: elsewhere the words alone. */
static bool read_cited(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    const struct at in = {at, "citationsContent", 0}, list = {&in, "content", 0};
    const struct json *j = g->r->json;
    json_ref content = member(j, block, "citationsContent");
    struct part *part = NULL;
    size_t i = 0;

    for (json_ref v = json_first(j, member(j, content, "content")); v; v = json_next(j, v), i++) {
        if (!read_text_block(g, v, &(struct at){&list, NULL, i}, err))
            return false;
        part = g->last;
    }
    if (!part || !member(j, content, "citations"))
        return true;
    part->extra = arena_fmt(g->r->arena, "{\"citationsContent.citations\":" STR_FMT "}",
                            STR_ARG(json_raw(j, member(j, content, "citations"))));
    return part->extra.ptr || err_arena(err, g->r->arena);
}

static bool read_block(struct gathering *g, json_ref block, const struct at *at, struct err *err);

/* json is told as the text that it is. */
static bool read_result_part(struct gathering *g, json_ref block, const struct at *at,
                             struct err *err)
{
    json_ref object = member(g->r->json, block, "json");
    struct part *part;

    if (!object)
        return read_block(g, block, at, err);
    part = add_part(g, PART_TEXT, err);
    if (!part || !note_beside(g, block, "json", at, err))
        return false;
    part->text = json_raw(g->r->json, object);
    g->r->to->prompt_bytes += part->text.len;
    return true;
}

static bool read_result(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    const struct at in = {at, "toolResult", 0}, content = {&in, "content", 0};
    json_ref result = member(g->r->json, block, "toolResult");
    json_ref list = member(g->r->json, result, "content");
    struct part *part = add_part(g, PART_TOOL_RESULT, err);
    static const char *const known[] = {"toolUseId", "content", "status", NULL};
    struct gathering inside = {.r = g->r};
    size_t i = 0;

    if (!part || !note_beside(g, block, "toolResult", at, err) ||
        !members_unknown(g->r, result, known, &part->extra, err) ||
        !member_text_needed(g->r, result, &(struct at){&in, "toolUseId", 0}, &part->id, err))
        return false;
    part->is_error = member_is(g->r->json, result, "status", STR("error"));
    inside.end = &part->inner;
    for (json_ref v = json_first(g->r->json, list); v; v = json_next(g->r->json, v), i++)
        if (!read_result_part(&inside, v, &(struct at){&content, NULL, i}, err))
            return false;
    return true;
}

static bool read_reasoning(struct gathering *g, json_ref block, const struct at *at,
                           struct err *err)
{
    const struct at in = {at, "reasoningContent", 0};
    json_ref reasoning = member(g->r->json, block, "reasoningContent");
    json_ref text = member(g->r->json, reasoning, "reasoningText");
    static const char *const kinds[] = {"reasoningText", "redactedContent", NULL};
    static const char *const known[] = {"text", "signature", NULL};
    struct part *part = add_part(g, PART_REASONING, err);

    if (!part || !note_beside(g, block, "reasoningContent", at, err) ||
        !members_lost(g->r, reasoning, kinds, &in, err) ||
        !members_lost(g->r, text, known, &(struct at){&in, "reasoningText", 0}, err))
        return false;
    part->is_redacted = !text;
    if (!text)
        return member_text_needed(g->r, reasoning, &(struct at){&in, "redactedContent", 0},
                                  &part->text, err);
    g->r->to->prompt_bytes += json_raw(g->r->json, text).len;
    return member_text_needed(g->r, text, &(struct at){&in, "text", 0}, &part->text, err) &&
           member_text(g->r, text, &(struct at){&in, "signature", 0}, &part->signature, err);
}

/* For what stands before it, as the house says it of a part or a tool. */
static struct str cache_control_of(const struct json *j, json_ref block)
{
    return member_is(j, member(j, block, "cachePoint"), "ttl", STR("1h"))
               ? STR("{\"type\":\"ephemeral\",\"ttl\":\"1h\"}")
               : STR("{\"type\":\"ephemeral\"}");
}

/* A document whose text comes in pieces, which nobody else has: told as a whole. */
static bool is_in_pieces(const struct json *j, json_ref block)
{
    return member(j, member(j, member(j, block, "document"), "source"), "content") != 0;
}

static bool read_block(struct gathering *g, json_ref block, const struct at *at, struct err *err)
{
    static const struct {
        const char *name;
        enum part_kind kind;
    } media[] = {{"image", PART_IMAGE},
                 {"document", PART_FILE},
                 {"video", PART_FILE},
                 {"audio", PART_AUDIO}};
    const struct json *j = g->r->json;
    struct part *part;

    if (json_kind(j, block) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    if (member(j, block, "text"))
        return read_text_block(g, block, at, err);
    for (size_t i = 0; i < ARRAY_LEN(media); i++)
        if (member(j, block, media[i].name) && !is_in_pieces(j, block))
            return read_media(g, block, media[i].name, media[i].kind, at, err);
    if (member(j, block, "toolUse"))
        return read_call(g, block, at, err);
    if (member(j, block, "toolResult"))
        return read_result(g, block, at, err);
    if (json_first(j, member(j, member(j, block, "citationsContent"), "content")))
        return read_cited(g, block, at, err); /* without words it is told as a whole */
    if (member(j, block, "reasoningContent"))
        return read_reasoning(g, block, at, err);
    if (member(j, block, "cachePoint")) {
        if (g->last)
            g->last->cache_control = cache_control_of(j, block);
        return true;
    }
    part = add_part(g, PART_OTHER, err);
    if (!part)
        return false;
    part->extra = json_raw(j, block);
    g->r->to->prompt_bytes += part->extra.len;
    return true;
}

/* ---- messages and system ---- */

static bool read_content(struct reading_turns *to, json_ref list, enum turn_role role,
                         const struct at *at, struct err *err)
{
    const struct json *j = to->r->json;
    struct turn *turn;
    struct gathering g = {.r = to->r};
    size_t i = 0;

    if (json_kind(j, list) != JSON_ARRAY)
        return at_error(at, "expected an array of blocks", err);
    turn = member_turn(to->r, &to->end, role, at, err);
    if (!turn)
        return false;
    g.end = &turn->parts;
    for (json_ref v = json_first(j, list); v; v = json_next(j, v), i++)
        if (!read_block(&g, v, &(struct at){at, NULL, i}, err))
            return false;
    return true;
}

static struct turn **last_turn(struct conversation *c)
{
    struct turn **end = &c->turns;

    while (*end)
        end = &(*end)->next;
    return end;
}

static bool read_messages(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"role", "content", NULL};
    const struct at messages = {NULL, "messages", 0};
    struct reading_turns to = {r, last_turn(r->to)};
    size_t i = 0;

    if (!is_array(r, v, "messages", err))
        return false;
    for (json_ref m = json_first(r->json, v); m; m = json_next(r->json, m), i++) {
        const struct at at = {&messages, NULL, i}, content = {&at, "content", 0};
        enum turn_role role = member_is(r->json, m, "role", STR("assistant")) ? TURN_ASSISTANT
                              : member_is(r->json, m, "role", STR("system"))  ? TURN_SYSTEM
                                                                              : TURN_USER;

        if (!members_lost(r, m, known, &at, err))
            return false;
        if (role == TURN_USER && !member_is(r->json, m, "role", STR("user")))
            return at_error(&(struct at){&at, "role", 0}, "expected user or assistant", err);
        if (!read_content(&to, member(r->json, m, "content"), role, &content, err))
            return false;
    }
    return true;
}

/* It stands above all turns, wherever the member stands in the body. */
static bool read_system(struct field_reader *r, json_ref v, struct err *err)
{
    struct turn *rest = r->to->turns;
    struct reading_turns to = {r, &r->to->turns};

    r->to->turns = NULL;
    if (!is_array(r, v, "system", err) ||
        !read_content(&to, v, TURN_SYSTEM, &(struct at){NULL, "system", 0}, err))
        return false;
    *to.end = rest;
    return true;
}

/* ---- tools ---- */

static bool read_tool(struct field_reader *r, struct tool ***end, struct tool **last, json_ref v,
                      const struct at *at, struct err *err)
{
    static const char *const known[] = {"toolSpec", NULL}, *const known_schema[] = {"json", NULL};
    static const char *const known_spec[] = {"name", "description", "inputSchema", "strict", NULL};
    json_ref spec = member(r->json, v, "toolSpec");
    const struct at in = {at, "toolSpec", 0};
    struct tool *tool;

    if (member(r->json, v, "cachePoint")) {
        if (*last)
            (*last)->cache_control = cache_control_of(r->json, v);
        return true;
    }
    *last = tool = member_tool(r, end, err);
    if (!tool)
        return false;
    r->to->prompt_bytes += json_raw(r->json, v).len;
    if (!spec) {
        tool->builtin = json_raw(r->json, v);
        return true;
    }
    return members_lost(r, v, known, at, err) && members_lost(r, spec, known_spec, &in, err) &&
           members_lost(r, member(r->json, spec, "inputSchema"), known_schema,
                        &(struct at){&in, "inputSchema", 0}, err) &&
           member_text_needed(r, spec, &(struct at){&in, "name", 0}, &tool->name, err) &&
           member_text(r, spec, &(struct at){&in, "description", 0}, &tool->description, err) &&
           member_flag(r, spec, &(struct at){&in, "strict", 0}, &tool->strict, err) &&
           member_raw(r, member(r->json, spec, "inputSchema"), &(struct at){&in, "json", 0},
                      JSON_OBJECT, &tool->parameters, err);
}

static bool read_tool_config(struct field_reader *r, json_ref v, struct err *err)
{
    static const char *const known[] = {"tools", "toolChoice", NULL}, *const names[] = {"name",
                                                                                        NULL};
    static const char *const choices[] = {"auto", "any", "tool", NULL};
    const struct at config = {NULL, "toolConfig", 0}, tools = {&config, "tools", 0};
    const struct at in = {&config, "toolChoice", 0};
    json_ref choice = member(r->json, v, "toolChoice"), named = member(r->json, choice, "tool");
    json_ref list = member(r->json, v, "tools");
    struct tool **end = &r->to->tools, *last = NULL;
    size_t i = 0;

    if (json_kind(r->json, v) != JSON_OBJECT)
        return at_error(&config, "expected an object", err);
    if (!members_lost(r, v, known, &config, err) || !members_lost(r, choice, choices, &in, err) ||
        !members_lost(r, named, names, &(struct at){&in, "tool", 0}, err))
        return false;
    for (json_ref t = json_first(r->json, list); t; t = json_next(r->json, t), i++)
        if (!read_tool(r, &end, &last, t, &(struct at){&tools, NULL, i}, err))
            return false;
    if (member(r->json, choice, "any"))
        r->to->tool_choice = CHOOSE_ANY;
    else if (member(r->json, choice, "auto"))
        r->to->tool_choice = CHOOSE_AUTO;
    if (!named)
        return true;
    r->to->tool_choice = CHOOSE_NAMED;
    return member_text_needed(r, named, &(struct at){&config, "name", 0}, &r->to->tool_name, err);
}

/* ---- the rest ---- */

static bool read_stops(struct field_reader *r, json_ref v, struct err *err)
{
    struct conversation *c = r->to;

    if (!is_array(r, v, "inferenceConfig.stopSequences", err))
        return false;
    for (json_ref s = json_first(r->json, v); s; s = json_next(r->json, s)) {
        if (c->stop_count == ARRAY_LEN(c->stops))
            return err_set(err, ERR_INVALID,
                           "inferenceConfig.stopSequences: more than %zu are not taken",
                           ARRAY_LEN(c->stops));
        if (!json_str(r->json, s, r->arena, &c->stops[c->stop_count++]))
            return err_set(err, ERR_INVALID, "inferenceConfig.stopSequences: expected strings");
    }
    return true;
}

static bool read_inference(struct field_reader *r, json_ref v, struct err *err)
{
    static const struct field config[] = {
        {"maxTokens", FIELD_INT, AT(max_tokens), 1, 1e9, NULL, ""},
        {"temperature", FIELD_NUMBER, AT(temperature), 0, 1, NULL, ""},
        {"topP", FIELD_NUMBER, AT(top_p), 0, 1, NULL, ""},
        {"stopSequences", FIELD_OWN, AT(stops), 0, 0, read_stops, ""},
    };
    struct field_reader inside = *r;

    inside.path = "inferenceConfig.";
    if (json_kind(r->json, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "inferenceConfig: expected an object");
    return fields_read(&inside, v, config, ARRAY_LEN(config), err);
}

/* The schema is text here. */
static bool read_output(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at output = {NULL, "outputConfig", 0}, format = {&output, "textFormat", 0};
    json_ref structure = member(r->json, member(r->json, v, "textFormat"), "structure");
    json_ref schema = member(r->json, structure, "jsonSchema");
    struct conversation *c = r->to;
    struct err bad = {0};

    if (!member_text(r, v, &(struct at){&output, "effort", 0}, &c->reasoning_effort, err))
        return false;
    if (!schema)
        return true;
    c->format = FORMAT_SCHEMA;
    if (!member_text_needed(r, schema, &(struct at){&format, "schema", 0}, &c->schema, err) ||
        !member_text(r, schema, &(struct at){&format, "name", 0}, &c->schema_name, err) ||
        !member_text(r, schema, &(struct at){&format, "description", 0}, &c->schema_description,
                     err))
        return false;
    return json_parse(r->arena, c->schema, &bad) ||
           at_error(&(struct at){&format, "schema", 0}, "expected a JSON schema as text", err);
}

static bool read_tier(struct field_reader *r, json_ref v, struct err *err)
{
    return member_text(r, v, &(struct at){NULL, "type", 0}, &r->to->service_tier, err);
}

static bool add_extra(struct field_reader *r, json_ref v, struct extra ***end, struct err *err)
{
    struct extra *extra = arena_alloc(r->arena, sizeof *extra);

    if (!extra)
        return err_arena(err, r->arena);
    while (**end)
        *end = &(**end)->next;
    extra->name = arena_fmt(r->arena, "additionalModelRequestFields." STR_FMT,
                            STR_ARG(json_key_raw(r->json, v)));
    extra->raw = json_raw(r->json, v);
    extra->is_own = true;
    **end = extra;
    return extra->name.ptr || err_arena(err, r->arena);
}

/* Claude's thinking and the k likeliest have a meaning elsewhere too. */
static bool read_additional(struct field_reader *r, json_ref v, struct err *err)
{
    struct extra **end = &r->to->extras;

    for (json_ref m = json_first(r->json, v); m; m = json_next(r->json, m)) {
        struct str name = json_key_raw(r->json, m);

        if (str_eq(name, STR("top_k"))) {
            if (!json_i64(r->json, m, &r->to->top_k))
                return err_set(err, ERR_INVALID,
                               "additionalModelRequestFields.top_k: expected an integer");
        } else if (str_eq(name, STR("thinking"))) {
            r->to->reasoning_adaptive = member_is(r->json, m, "type", STR("adaptive"));
            if (member_is(r->json, m, "type", STR("disabled")))
                r->to->reasoning_budget = 0;
            (void)!json_i64(r->json, member(r->json, m, "budget_tokens"), &r->to->reasoning_budget);
        } else if (!add_extra(r, m, &end, err)) {
            return false;
        }
    }
    return true;
}

static const struct field body[] = {
    {"messages", FIELD_OWN, AT(turns), 0, 0, read_messages, ""},
    {"system", FIELD_OWN, AT(turns), 0, 0, read_system, ""},
    {"inferenceConfig", FIELD_OWN, AT(max_tokens), 0, 0, read_inference, ""},
    {"toolConfig", FIELD_OWN, AT(tools), 0, 0, read_tool_config, ""},
    {"outputConfig", FIELD_OWN, AT(format), 0, 0, read_output, ""},
    {"requestMetadata", FIELD_RAW, AT(metadata), 0, 0, NULL, ""},
    {"serviceTier", FIELD_OWN, AT(service_tier), 0, 0, read_tier, ""},
    {"additionalModelRequestFields", FIELD_OWN, AT(extras), 0, 0, read_additional, ""},
};

bool bedrock_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                          struct err *err)
{
    struct field_reader r = {.arena = arena, .json = json, .to = out};
    struct bedrock_asked *own = arena_alloc(arena, sizeof *own);

    if (!own)
        return err_arena(err, arena);
    conversation_init(out);
    if (json_kind(json, json_root(json)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body: expected an object");
    if (!fields_read(&r, json_root(json), body, ARRAY_LEN(body), err))
        return false;
    if (!out->turns)
        return err_set(err, ERR_INVALID, "messages: expected an array with at least one message");
    own->json = json;
    out->own = own;
    out->spoken = &dialect_bedrock;
    return true;
}

bool bedrock_path_read(struct arena *arena, struct str path, struct str *model, bool *stream,
                       struct err *err)
{
    const struct str whole = STR("/converse"), streamed = STR("/converse-stream");

    *stream = str_ends(path, streamed);
    if (!*stream && !str_ends(path, whole))
        return err_set(err, ERR_NOT_FOUND,
                       "expected /model/NAME/converse or /model/NAME/converse-stream");
    path = str_slice(path, 0, path.len - (*stream ? streamed.len : whole.len));
    if (!path_decode(arena, str_slice(path, STR("/model/").len, path.len), model, err))
        return false;
    return model->len > 0 || err_set(err, ERR_NOT_FOUND, "expected the name of a model");
}
