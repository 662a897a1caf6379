/* A client's body -> conversation. Members may be written camelCase or snake_case, as Google's own servers
 * take them. Calls without an id get one, and results without an id get that of the oldest open call of
 * their function, whether that came with an id or not: other dialects want ids. */
#include "models/gemini_internal.h"

#include "models/members.h"
#include "models/tools.h"

/* A member by either spelling; null is absent. */
static json_ref either(const struct json *j, json_ref object, const char *camel, const char *snake)
{
    json_ref v = json_get(j, object, str_from(camel));

    if (!v)
        v = json_get(j, object, str_from(snake));
    return json_kind(j, v) == JSON_NULL ? 0 : v;
}

/* ---- contents ---- */

struct open_call {
    struct open_call *next;
    struct str id;
    bool answered; /* by a result with its id */
};

struct open_calls { /* of one function, oldest first */
    struct open_call *first, *last;
};

struct contents {
    struct field_reader *r;
    struct turn **turns; /* tail */
    struct turn *turn;   /* open one, or NULL */
    struct part **parts;
    struct table open; /* name -> struct open_calls */
    struct table ids;  /* id, where the client said one -> struct open_call */
    unsigned calls;
    size_t at;      /* of the content, from 0 */
    size_t part_at; /* of the part inside it */
    const char *where;
};

static COLD bool expected(const struct contents *c, const char *member, const char *what,
                          struct err *err)
{
    return err_set(err, ERR_INVALID, "%s.%zu.parts.%zu%s: expected %s", c->where, c->at, c->part_at,
                   member, what);
}

static bool read_str(const struct contents *c, json_ref v, const char *member, struct str *out,
                     struct err *err)
{
    if (!v)
        return true;
    if (json_kind(c->r->json, v) != JSON_STRING)
        return expected(c, member, "a string", err);
    return json_str(c->r->json, v, c->r->arena, out) || err_arena(err, c->r->arena);
}

/* A turn of this role: the open one where it fits. */
static bool turn_for(struct contents *c, enum turn_role role, struct err *err)
{
    struct arena *arena = c->r->arena;

    if (c->turn && c->turn->role == role)
        return true;
    c->turn = turn_add(arena, &c->turns, role);
    if (!c->turn)
        return err_arena(err, arena);
    c->turn->path = arena_fmt(arena, "%s.%zu", c->where, c->at);
    c->parts = &c->turn->parts;
    return c->turn->path.ptr || err_arena(err, arena);
}

static struct part *new_part(struct contents *c, enum part_kind kind, struct err *err)
{
    struct part *part = part_add(c->r->arena, &c->parts, kind);

    if (!part)
        err_arena(err, c->r->arena);
    return part;
}

static bool read_media(struct contents *c, json_ref v, bool is_inline, struct part **out,
                       struct err *err)
{
    const struct json *j = c->r->json;
    struct str type = STR_NONE, url = STR_NONE;
    struct part *part;
    enum part_kind kind;
    const char *what;

    if (!read_str(c, either(j, v, "mimeType", "mime_type"), ".mimeType", &type, err))
        return false;
    kind = str_starts(type, STR("image/"))   ? PART_IMAGE
           : str_starts(type, STR("audio/")) ? PART_AUDIO
                                             : PART_FILE;
    part = new_part(c, kind, err);
    if (!part)
        return false;
    part->media_type = type;
    c->r->to->prompt_bytes += MEDIA_BYTES;
    *out = part;
    if (!read_str(c, either(j, v, "displayName", "display_name"), ".displayName", &part->file_name,
                  err))
        return false;
    if (!is_inline) {
        if (!read_str(c, either(j, v, "fileUri", "file_uri"), ".fileData.fileUri", &url, err))
            return false;
        what = url.len ? part_take_url(part, url) : "a string";
        return !what || expected(c, ".fileData.fileUri", what, err);
    }
    if (!read_str(c, either(j, v, "data", "data"), ".inlineData.data", &part->data, err))
        return false;
    return part->data.ptr || expected(c, ".inlineData.data", "a string", err);
}

static bool open_call(struct contents *c, struct part *call, struct err *err)
{
    struct arena *arena = c->r->arena;
    struct open_call *open = arena_alloc(arena, sizeof *open);
    struct open_calls *queue = table_get(&c->open, call->name);
    bool has_id = call->id.len > 0;

    if (!has_id)
        call->id = arena_fmt(arena, "call_weir_%u", c->calls++);
    if (!queue) {
        queue = arena_alloc(arena, sizeof *queue);
        if (!queue || !table_put(&c->open, call->name, queue, NULL))
            return err_arena(err, arena);
    }
    if (!open || !call->id.ptr || (has_id && !table_put(&c->ids, call->id, open, NULL)))
        return err_arena(err, arena);
    open->id = call->id;
    *(queue->first ? &queue->last->next : &queue->first) = open;
    queue->last = open;
    return true;
}

static bool read_call(struct contents *c, json_ref v, struct part **out, struct err *err)
{
    const struct json *j = c->r->json;
    json_ref args = either(j, v, "args", "args");
    struct part *part = new_part(c, PART_TOOL_CALL, err);

    if (!part)
        return false;
    *out = part;
    if (!read_str(c, json_get(j, v, STR("name")), ".functionCall.name", &part->name, err) ||
        !read_str(c, either(j, v, "id", "id"), ".functionCall.id", &part->id, err))
        return false;
    if (!part->name.len)
        return expected(c, ".functionCall.name", "a string", err);
    if (args && json_kind(j, args) != JSON_OBJECT)
        return expected(c, ".functionCall.args", "an object", err);
    part->arguments = args ? json_raw(j, args) : STR("{}");
    c->r->to->prompt_bytes += part->arguments.len;
    return open_call(c, part, err);
}

/* {"output": "text"}, {"result": "text"} and {"error": "text"} are how a text is wrapped. */
static bool read_response(struct contents *c, json_ref response, struct part *result,
                          struct err *err)
{
    const struct json *j = c->r->json;
    struct arena *arena = c->r->arena;
    struct part **tail = &result->inner, *text = part_add(arena, &tail, PART_TEXT);
    json_ref only = json_count(j, response) == 1 ? json_first(j, response) : 0;
    struct str key = only ? json_key_raw(j, only) : STR_NONE;

    if (!text)
        return err_arena(err, arena);
    result->is_error = str_eq(key, STR("error"));
    if (json_kind(j, only) == JSON_STRING &&
        (result->is_error || str_eq(key, STR("output")) || str_eq(key, STR("result")))) {
        if (!json_str(j, only, arena, &text->text))
            return err_arena(err, arena);
    } else {
        text->text = response ? json_raw(j, response) : STR("{}");
    }
    c->r->to->prompt_bytes += text->text.len;
    return true;
}

static bool keep_beside(struct contents *c, json_ref v, struct part *part, struct err *err);

/* Pictures and files of a result: parts of its own. */
static bool read_response_parts(struct contents *c, json_ref parts, struct part *result,
                                struct err *err)
{
    const struct json *j = c->r->json;
    struct part **outside = c->parts, **tail = &result->inner, *part;
    bool ok = true;

    while (*tail)
        tail = &(*tail)->next;
    c->parts = tail;
    for (json_ref v = json_first(j, parts); v && ok; v = json_next(j, v)) {
        json_ref data = either(j, v, "inlineData", "inline_data");
        json_ref file = either(j, v, "fileData", "file_data");

        if (!data && !file)
            ok = expected(c, ".functionResponse.parts", "inlineData or fileData", err);
        else
            ok = read_media(c, data ? data : file, data != 0, &part, err) &&
                 keep_beside(c, v, part, err);
    }
    c->parts = outside;
    return ok;
}

static void answer_call(struct contents *c, struct part *result)
{
    struct open_call *named = result->id.len ? table_get(&c->ids, result->id) : NULL;
    struct open_calls *queue = table_get(&c->open, result->name);

    if (named)
        named->answered = true;
    while (queue && queue->first && queue->first->answered)
        queue->first = queue->first->next;
    if (result->id.len || !queue || !queue->first)
        return;
    result->id = queue->first->id;
    queue->first = queue->first->next;
}

static bool read_result(struct contents *c, json_ref v, struct part **out, struct err *err)
{
    const struct json *j = c->r->json;
    json_ref response = json_get(j, v, STR("response"));
    struct part *part = new_part(c, PART_TOOL_RESULT, err);

    if (!part)
        return false;
    *out = part;
    if (!read_str(c, json_get(j, v, STR("name")), ".functionResponse.name", &part->name, err) ||
        !read_str(c, either(j, v, "id", "id"), ".functionResponse.id", &part->id, err))
        return false;
    if (!part->name.len)
        return expected(c, ".functionResponse.name", "a string", err);
    if (response && json_kind(j, response) != JSON_OBJECT)
        return expected(c, ".functionResponse.response", "an object", err);
    answer_call(c, part);
    if (!part->id.len)
        return expected(c, ".functionResponse", "a functionCall of that name before it", err);
    return read_response(c, response, part, err) &&
           read_response_parts(c, json_get(j, v, STR("parts")), part, err);
}

static bool read_text_part(struct contents *c, json_ref part_value, json_ref text,
                           struct part **out, struct err *err)
{
    const struct json *j = c->r->json;
    bool thought = false;
    struct part *part;

    (void)!json_bool(j, json_get(j, part_value, STR("thought")), &thought);
    part = new_part(c, thought ? PART_REASONING : PART_TEXT, err);
    if (!part || !read_str(c, text, ".text", &part->text, err))
        return false;
    c->r->to->prompt_bytes += part->text.len;
    *out = part;
    return true;
}

/* What the house has no word for stays what it is: for a Gemini provider. */
static bool read_other(struct contents *c, json_ref v, struct part **out, struct err *err)
{
    struct part *part = new_part(c, PART_OTHER, err);

    if (!part)
        return false;
    part->extra = json_raw(c->r->json, v);
    c->r->to->prompt_bytes += part->extra.len;
    *out = part;
    return true;
}

/* Members of a part, or of the object it is made of, that `known` does not name: kept for Gemini providers, by their place
 * in the part, and a loss to all others. A thought that is none is what absent means. */
static void keep_members(const struct json *j, json_ref object, const char *const *known,
                         struct str inside, struct buf *to)
{
    for (json_ref v = json_first(j, object); v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v);
        bool is_dull = json_kind(j, v) == JSON_NULL ||
                       (str_eq(key, STR("thought")) && str_eq(json_raw(j, v), STR("false")));

        if (is_dull || member_is_known(known, key))
            continue;
        buf_fmt(to, "%s\"" STR_FMT "%s" STR_FMT "\":", to->len ? "," : "{", STR_ARG(inside),
                inside.len ? "." : "", STR_ARG(key));
        buf_str(to, json_raw(j, v));
    }
}

/* What a part is made of, by either spelling, and what is read of it. */
static const struct made_of {
    const char *camel, *snake;
    const char *known[7], *beside[6];
} objects[] = {
    {"functionCall",
     "function_call",
     {"id", "name", "args", NULL},
     {"functionCall", "function_call", "thoughtSignature", "thought_signature", NULL}},
    {"functionResponse",
     "function_response",
     {"id", "name", "response", "parts", NULL},
     {"functionResponse", "function_response", "thoughtSignature", "thought_signature", NULL}},
    {"inlineData",
     "inline_data",
     {"mimeType", "mime_type", "data", "displayName", "display_name", NULL},
     {"inlineData", "inline_data", "thoughtSignature", "thought_signature", NULL}},
    {"fileData",
     "file_data",
     {"mimeType", "mime_type", "fileUri", "file_uri", "displayName", "display_name", NULL},
     {"fileData", "file_data", "thoughtSignature", "thought_signature", NULL}},
};

static bool keep_beside(struct contents *c, json_ref v, struct part *part, struct err *err)
{
    static const char *const of_text[] = {"text", "thought", "thoughtSignature",
                                          "thought_signature", NULL};
    const struct json *j = c->r->json;
    struct buf b;
    size_t i = 0;

    while (i < ARRAY_LEN(objects) && !either(j, v, objects[i].camel, objects[i].snake))
        i++;
    buf_init(&b, c->r->arena, MADE_BYTES_MAX);
    if (i < ARRAY_LEN(objects))
        keep_members(j, either(j, v, objects[i].camel, objects[i].snake), objects[i].known,
                     str_from(objects[i].camel), &b);
    keep_members(j, v, i < ARRAY_LEN(objects) ? objects[i].beside : of_text, STR(""), &b);
    if (!b.len)
        return buf_ok(&b) || err_arena(err, c->r->arena);
    buf_char(&b, '}');
    return buf_finish(&b, &part->extra, err);
}

static bool read_part(struct contents *c, json_ref v, enum turn_role role, struct err *err)
{
    const struct json *j = c->r->json;
    json_ref text = either(j, v, "text", "text"), data = either(j, v, "inlineData", "inline_data");
    json_ref file = either(j, v, "fileData", "file_data");
    json_ref call = either(j, v, "functionCall", "function_call");
    json_ref result = either(j, v, "functionResponse", "function_response");
    struct part *part = NULL;
    bool ok;

    if (json_kind(j, v) != JSON_OBJECT)
        return expected(c, "", "an object", err);
    if (!turn_for(c, result ? TURN_TOOL : role, err))
        return false;
    if (call)
        ok = read_call(c, call, &part, err);
    else if (result)
        ok = read_result(c, result, &part, err);
    else if (data || file)
        ok = read_media(c, data ? data : file, data != 0, &part, err);
    else if (text)
        ok = read_text_part(c, v, text, &part, err);
    else
        return read_other(c, v, &part, err);
    return ok &&
           read_str(c, either(j, v, "thoughtSignature", "thought_signature"), ".thoughtSignature",
                    &part->signature, err) &&
           keep_beside(c, v, part, err);
}

static bool read_parts(struct contents *c, json_ref content, enum turn_role role, struct err *err)
{
    const struct json *j = c->r->json;
    static const char *const known[] = {"role", "parts", NULL};
    json_ref parts = json_get(j, content, STR("parts"));
    bool one = json_kind(j, parts) == JSON_OBJECT;

    if (!one && json_kind(j, parts) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "%s.%zu.parts: expected an array", c->where, c->at);
    c->part_at = 0;
    c->turn = NULL;
    for (json_ref p = one ? parts : json_first(j, parts); p; p = one ? 0 : json_next(j, p)) {
        if (!read_part(c, p, role, err))
            return false;
        c->part_at++;
    }
    return !c->turn || members_unknown(c->r, content, known, &c->turn->extra, err);
}

static bool read_content(struct contents *c, json_ref content, struct err *err)
{
    const struct json *j = c->r->json;
    json_ref role = either(j, content, "role", "role");
    struct str word = json_raw(j, role);

    if (json_kind(j, content) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "%s.%zu: expected an object", c->where, c->at);
    if (!role || str_eq(word, STR("\"user\"")) || str_eq(word, STR("\"function\"")) ||
        str_eq(word, STR("\"\"")))
        return read_parts(c, content, TURN_USER, err);
    if (str_eq(word, STR("\"model\"")))
        return read_parts(c, content, TURN_ASSISTANT, err);
    return err_set(err, ERR_INVALID, "%s.%zu.role: expected \"user\" or \"model\"", c->where,
                   c->at);
}

bool gemini_read_contents(struct field_reader *r, json_ref value, struct err *err)
{
    struct contents c = {.r = r, .turns = &r->to->turns, .where = "contents"};
    bool one = json_kind(r->json, value) == JSON_OBJECT;

    table_init(&c.open, r->arena, CALLS_MAX);
    table_init(&c.ids, r->arena, CALLS_MAX);
    while (*c.turns)
        c.turns = &(*c.turns)->next;
    if (!one && (json_kind(r->json, value) != JSON_ARRAY || !json_first(r->json, value)))
        return err_set(err, ERR_INVALID, "contents: expected an array with at least one content");
    for (json_ref v = one ? value : json_first(r->json, value); v;
         v = one ? 0 : json_next(r->json, v)) {
        if (!read_content(&c, v, err))
            return false;
        c.at++;
    }
    return true;
}

/* In front of all turns, wherever it stands in the body. */
bool gemini_read_system(struct field_reader *r, json_ref value, struct err *err)
{
    struct turn *first = NULL;
    struct contents c = {.r = r, .turns = &first, .where = "systemInstruction"};
    struct turn *rest = r->to->turns;

    table_init(&c.open, r->arena, CALLS_MAX);
    table_init(&c.ids, r->arena, CALLS_MAX);
    if (json_kind(r->json, value) == JSON_STRING) {
        struct part *part;

        if (!turn_for(&c, TURN_SYSTEM, err))
            return false;
        part = new_part(&c, PART_TEXT, err);
        if (!part || !read_str(&c, value, "", &part->text, err))
            return false;
        r->to->prompt_bytes += part->text.len;
    } else if (!read_parts(&c, value, TURN_SYSTEM, err)) {
        return false;
    }
    if (!first)
        return true;
    r->to->turns = first;
    while (first->next)
        first = first->next;
    first->next = rest;
    return true;
}

static bool read_chat(struct field_reader *r, json_ref body, struct err *err)
{
    struct conversation *out = r->to;

    out->spoken = &dialect_gemini;
    out->kind = ASK_CHAT;
    out->include_usage = true; /* this dialect always tells */
    if (!fields_read(r, body, gemini_fields + gemini_config_count, gemini_body_count, err) ||
        !gemini_allow_tools(r, err))
        return false;
    for (const struct turn *t = out->turns; t; t = t->next)
        if (t->role != TURN_SYSTEM)
            return true;
    return err_set(err, ERR_INVALID, "contents: expected an array with at least one content");
}

#define TASKS_MAX 65536 /* names of members beside texts */

/* ---- embeddings: {"content":...} or {"requests":[{"content":...},...]} ---- */

/* What a task of the vectors is, and the like: for Gemini providers, by text; a loss to all others, by name. */
static bool keep_task(struct field_reader *r, json_ref request, struct table *seen, struct err *err)
{
    static const char *const known[] = {
        "model", "content", "requests", "outputDimensionality", "output_dimensionality",
        "weir",  NULL};
    struct gemini_embed_asked *own = r->to->own;
    const struct json *j = r->json;

    for (json_ref v = json_first(j, request); v; v = json_next(j, v)) {
        struct extra *extra;

        if (member_is_known(known, json_key_raw(j, v)) || json_kind(j, v) == JSON_NULL ||
            table_get(seen, json_key_raw(j, v)))
            continue;
        extra = arena_alloc(r->arena, sizeof *extra);
        if (!extra || !table_put(seen, json_key_raw(j, v), extra, NULL))
            return err_arena(err, r->arena);
        *extra = (struct extra){
            .next = r->to->extras, .name = json_key_raw(j, v), .raw = json_raw(j, v)};
        r->to->extras = extra;
    }
    return members_unknown(r, request, known, &own->beside[own->count++], err);
}

static bool put_input(struct json_writer *w, struct field_reader *r, json_ref request,
                      const char *where, struct err *err)
{
    json_ref content = json_get(r->json, request, STR("content"));
    json_ref parts = json_get(r->json, content, STR("parts")), size;
    struct buf text;
    struct str piece;
    struct err ignored = {0};

    buf_init(&text, r->arena, json_raw(r->json, parts).len + 1);
    for (json_ref p = json_first(r->json, parts); p; p = json_next(r->json, p)) {
        if (!json_str(r->json, json_get(r->json, p, STR("text")), r->arena, &piece))
            return err_set(err, ERR_INVALID, "%scontent.parts: expected parts with a text", where);
        buf_str(&text, piece);
    }
    if (!buf_finish(&text, &piece, &ignored) || !piece.len)
        return err_set(err, ERR_INVALID, "%scontent.parts: expected parts with a text", where);
    jw_str(w, piece);
    r->to->prompt_bytes += piece.len;
    size = either(r->json, request, "outputDimensionality", "output_dimensionality");
    if (size && (!json_i64(r->json, size, &r->to->dimensions) || r->to->dimensions < 1))
        return err_set(err, ERR_INVALID, "%soutputDimensionality: expected an integer from 1",
                       where);
    return true;
}

static bool read_embed(struct field_reader *r, struct err *err)
{
    struct conversation *out = r->to;
    const struct json *json = r->json;
    json_ref requests = json_get(json, json_root(json), STR("requests"));
    struct gemini_embed_asked *own = arena_alloc(r->arena, sizeof *own);
    struct json_writer w;
    struct table seen;
    struct buf b;

    out->spoken = &dialect_gemini_embed;
    out->kind = ASK_EMBEDDING;
    out->encoding = STR("float");
    out->own = own;
    table_init(&seen, r->arena, TASKS_MAX);
    out->input_count = MAX_OF((uint32_t)json_count(json, requests), 1u);
    if (own)
        own->beside = arena_array(r->arena, MAX_OF(json_count(json, requests), (size_t)1),
                                  sizeof *own->beside);
    if (!own || !own->beside)
        return err_arena(err, r->arena);
    buf_init(&b, r->arena, 8 * json_raw(json, json_root(json)).len + 64);
    jw_init(&w, &b);
    if (!requests) {
        if (!put_input(&w, r, json_root(json), "", err) ||
            !keep_task(r, json_root(json), &seen, err))
            return false;
        return buf_finish(&b, &out->inputs, err);
    }
    if (!json_first(json, requests))
        return err_set(err, ERR_INVALID, "requests: expected an array with at least one request");
    jw_array(&w);
    for (json_ref q = json_first(json, requests); q; q = json_next(json, q))
        if (!put_input(&w, r, q, "requests: ", err) || !keep_task(r, q, &seen, err))
            return false;
    jw_array_end(&w);
    return buf_finish(&b, &out->inputs, err);
}

/* What is asked shows in the body: requests of embeddings have other members. countTokens may wrap its
 * question. */
bool gemini_read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err)
{
    struct field_reader r = {.arena = arena, .json = json, .to = out};
    json_ref root = json_root(json), inner = json_get(json, root, STR("generateContentRequest"));

    conversation_init(out);
    if (json_kind(json, root) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body: expected an object");
    if (!json_get(json, root, STR("contents")) &&
        (json_get(json, root, STR("content")) || json_get(json, root, STR("requests"))))
        return read_embed(&r, err);
    return read_chat(&r, json_kind(json, inner) == JSON_OBJECT ? inner : root, err);
}
