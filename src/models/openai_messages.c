/* The messages of a chat request and their parts, read. */
#include "models/members.h"
#include "models/openai_internal.h"

#define MESSAGES_MAX 100000 /* of one request: above it a client is lost in a loop */

/* Where a value stands, for errors: "messages.2" + ".content.1" + ".image_url.url". */
struct place {
    const struct turn *turn;
    size_t message;
    const char *list; /* "content", "tool_calls"; NULL: of the message itself */
    size_t index;
};

static COLD bool wrong(const struct place *at, const char *member, const char *what,
                       struct err *err)
{
    if (!at->list)
        return err_set(err, ERR_INVALID, STR_FMT ".%s: expected %s", STR_ARG(at->turn->path),
                       member, what);
    return err_set(err, ERR_INVALID, STR_FMT ".%s.%zu%s%s: expected %s", STR_ARG(at->turn->path),
                   at->list, at->index, *member ? "." : "", member, what);
}

/* A string; absent where `required` is false leaves *out alone. */
static bool text_of(const struct field_reader *r, json_ref v, bool required, struct str *out,
                    const struct place *at, const char *member, struct err *err)
{
    if (!required && (!v || json_kind(r->json, v) == JSON_NULL))
        return true;
    if (json_kind(r->json, v) != JSON_STRING)
        return wrong(at, member, "a string", err);
    return json_str(r->json, v, r->arena, out) || err_arena(err, r->arena);
}

/* Members that nobody knows, of the value itself or of an object in it (NULL: none): no writer has a place for them. */
static bool note_others(struct field_reader *r, json_ref object, const char *const *known,
                        const struct place *place, const char *inside, struct err *err)
{
    const struct at messages = {NULL, "messages", 0}, message = {&messages, NULL, place->message};
    const struct at list = {&message, place->list, 0}, value = {&list, NULL, place->index};
    const struct at *at = place->list ? &value : &message;
    const struct at in = {at, inside, 0};

    return members_lost(r, object, known, inside ? &in : at, err);
}

static bool read_image(struct field_reader *r, json_ref v, struct part *part,
                       const struct place *at, struct err *err)
{
    json_ref image = json_get(r->json, v, STR("image_url"));
    json_ref url = json_kind(r->json, image) == JSON_STRING ? image /* some clients write it so */
                                                            : json_get(r->json, image, STR("url"));
    const char *expected;
    struct str text;

    if (!text_of(r, url, true, &text, at, "image_url.url", err) ||
        !text_of(r, json_get(r->json, image, STR("detail")), false, &part->detail, at,
                 "image_url.detail", err))
        return false;
    expected = part_take_url(part, text);
    return !expected || wrong(at, "image_url.url", expected, err);
}

static bool read_audio(struct field_reader *r, json_ref v, struct part *part,
                       const struct place *at, struct err *err)
{
    json_ref audio = json_get(r->json, v, STR("input_audio"));
    struct str format = STR_NONE;

    if (!text_of(r, json_get(r->json, audio, STR("data")), true, &part->data, at,
                 "input_audio.data", err) ||
        !text_of(r, json_get(r->json, audio, STR("format")), true, &format, at,
                 "input_audio.format", err))
        return false;
    part->media_type = str_eq(format, STR("mp3"))
                           ? STR("audio/mpeg")
                           : arena_fmt(r->arena, "audio/" STR_FMT, STR_ARG(format));
    return part->media_type.ptr || err_arena(err, r->arena);
}

static bool read_file(struct field_reader *r, json_ref v, struct part *part, const struct place *at,
                      struct err *err)
{
    json_ref file = json_get(r->json, v, STR("file"));
    const char *expected;
    struct str data = STR_NONE;

    if (json_kind(r->json, file) != JSON_OBJECT)
        return wrong(at, "file", "an object", err);
    if (!text_of(r, json_get(r->json, file, STR("file_data")), false, &data, at, "file.file_data",
                 err) ||
        !text_of(r, json_get(r->json, file, STR("file_id")), false, &part->file_id, at,
                 "file.file_id", err) ||
        !text_of(r, json_get(r->json, file, STR("filename")), false, &part->file_name, at,
                 "file.filename", err))
        return false;
    if (!data.ptr && !part->file_id.ptr)
        return wrong(at, "file", "file_data or file_id", err);
    if (!data.ptr)
        return true;
    expected = part_take_url(part, data);
    if (part->url.ptr) {
        part->url = STR_NONE;
        part->media_type = STR("application/pdf"); /* bare base64: what the field was made for */
        part->data = data;
    }
    return !expected || wrong(at, "file.file_data", expected, err);
}

static enum part_kind kind_of(struct str type)
{
    static const struct {
        const char *type;
        enum part_kind kind;
    } kinds[] = {
        {"text", PART_TEXT},       {"image_url", PART_IMAGE}, {"input_audio", PART_AUDIO},
        {"file", PART_FILE},       {"refusal", PART_REFUSAL}, {"thinking", PART_REASONING},
        {"input_text", PART_TEXT},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(type, str_from(kinds[i].type)))
            return kinds[i].kind;
    return PART_OTHER;
}

static bool read_part(struct field_reader *r, json_ref v, struct part *part, const struct place *at,
                      struct err *err)
{
    json_ref text = json_get(r->json, v, STR("text"));

    switch (part->kind) {
    case PART_TEXT:
        r->to->prompt_bytes += openai_string_bytes(r->json, text);
        return text_of(r, text, true, &part->text, at, "text", err);
    case PART_REFUSAL:
        return text_of(r, json_get(r->json, v, STR("refusal")), true, &part->text, at, "refusal",
                       err);
    case PART_REASONING:
        return text_of(r, json_get(r->json, v, STR("thinking")), true, &part->text, at, "thinking",
                       err) &&
               text_of(r, json_get(r->json, v, STR("signature")), false, &part->signature, at,
                       "signature", err);
    case PART_IMAGE: return read_image(r, v, part, at, err);
    case PART_AUDIO: return read_audio(r, v, part, at, err);
    case PART_FILE: return read_file(r, v, part, at, err);
    default: part->extra = json_raw(r->json, v); return true;
    }
}

/* The object that a part is made of, and what is read of it. */
static const struct made_of {
    enum part_kind kind;
    const char *name;
    const char *known[4];
} objects[] = {
    {PART_IMAGE, "image_url", {"url", "detail", NULL}},
    {PART_AUDIO, "input_audio", {"data", "format", NULL}},
    {PART_FILE, "file", {"file_data", "file_id", "filename", NULL}},
};

static const struct made_of *made_of(enum part_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        if (objects[i].kind == kind)
            return &objects[i];
    return NULL;
}

/* What nobody knows of it, named by its place in the part, beside what is unknown of the part. */
static bool read_inside(struct field_reader *r, json_ref v, struct part *part, struct err *err)
{
    const struct json *j = r->json;
    const struct made_of *of = made_of(part->kind);
    json_ref object = of ? json_get(j, v, str_from(of->name)) : 0;
    struct buf text = {0};

    if (json_kind(j, object) != JSON_OBJECT)
        return true;
    for (json_ref m = json_first(j, object); m; m = json_next(j, m)) {
        if (member_is_known(of->known, json_key_raw(j, m)) || json_kind(j, m) == JSON_NULL)
            continue;
        if (!text.arena) {
            buf_init(&text, r->arena, OPENAI_BODY_MAX);
            buf_str(&text, str_slice(part->extra, 0, MAX_OF(part->extra.len, 1u) - 1));
        }
        buf_fmt(&text, "%s\"%s." STR_FMT "\":", text.len ? "," : "{", of->name,
                STR_ARG(json_key_raw(j, m)));
        buf_str(&text, json_raw(j, m));
    }
    if (!text.arena)
        return true;
    buf_char(&text, '}');
    return buf_finish(&text, &part->extra, err);
}

static bool read_parts(struct field_reader *r, json_ref parts, struct place *at,
                       struct part ***tail, struct err *err)
{
    static const char *const known[] = {"type",      "text",    "image_url",     "input_audio",
                                        "file",      "refusal", "cache_control", "thinking",
                                        "signature", NULL};
    const struct json *j = r->json;

    at->list = "content";
    at->index = 0;
    for (json_ref v = json_first(j, parts); v; v = json_next(j, v), at->index++) {
        json_ref mark = openai_given(j, v, STR("cache_control"));
        struct str type;
        struct part *part;

        if (!text_of(r, json_get(j, v, STR("type")), true, &type, at, "type", err))
            return false;
        part = part_add(r->arena, tail, kind_of(type));
        if (!part)
            return err_arena(err, r->arena);
        part->name = part->kind == PART_OTHER ? type : STR_NONE;
        if (mark)
            part->cache_control = json_raw(j, mark);
        if (!read_part(r, v, part, at, err) ||
            (part->kind != PART_OTHER &&
             (!openai_read_extra(r, v, known, &part->extra, err) || !read_inside(r, v, part, err))))
            return false;
        if (part->kind != PART_TEXT)
            r->to->prompt_bytes += MAX_OF(MEDIA_BYTES, part->text.len);
    }
    at->list = NULL;
    return true;
}

static bool read_content(struct field_reader *r, json_ref content, struct place *at,
                         struct part ***tail, struct err *err)
{
    struct part *part;

    if (!content)
        return true;
    if (json_kind(r->json, content) == JSON_ARRAY)
        return read_parts(r, content, at, tail, err);
    if (json_kind(r->json, content) != JSON_STRING)
        return wrong(at, "content", "a string or an array of parts", err);
    part = part_add(r->arena, tail, PART_TEXT);
    r->to->prompt_bytes += openai_string_bytes(r->json, content);
    return (part && json_str(r->json, content, r->arena, &part->text)) || err_arena(err, r->arena);
}

/* "arguments" as a string, as the dialect has it, or as the object that some servers make of it. */
static bool read_arguments(struct field_reader *r, json_ref function, struct part *call,
                           const struct place *at, struct err *err)
{
    json_ref v = openai_given(r->json, function, STR("arguments"));

    r->to->prompt_bytes += json_raw(r->json, v).len;
    if (json_kind(r->json, v) == JSON_OBJECT)
        call->arguments = json_raw(r->json, v);
    else
        return text_of(r, v, false, &call->arguments, at, "function.arguments", err);
    return true;
}

static bool read_signature(struct field_reader *r, json_ref v, struct part *call,
                           const struct place *at, struct err *err)
{
    json_ref google = json_get(r->json, json_get(r->json, v, STR("extra_content")), STR("google"));

    return text_of(r, json_get(r->json, google, STR("thought_signature")), false, &call->signature,
                   at, "extra_content.google.thought_signature", err);
}

/* A tool whose input is text: a call like any other to who knows no such tools, else as it came. */
static bool read_custom_call(struct field_reader *r, json_ref v, struct part *call,
                             const struct place *at, struct err *err)
{
    static const char *const known[] = {"name", "input", NULL};
    json_ref custom = json_get(r->json, v, STR("custom"));
    json_ref input = json_get(r->json, custom, STR("input"));

    if (json_kind(r->json, input) != JSON_STRING)
        return wrong(at, "custom.input", "a string", err);
    call->custom = json_raw(r->json, v);
    call->arguments =
        arena_fmt(r->arena, "{\"input\":" STR_FMT "}", STR_ARG(json_raw(r->json, input)));
    r->to->prompt_bytes += call->arguments.len;
    if (!call->arguments.ptr)
        return err_arena(err, r->arena);
    return text_of(r, json_get(r->json, v, STR("id")), true, &call->id, at, "id", err) &&
           text_of(r, json_get(r->json, custom, STR("name")), true, &call->name, at, "custom.name",
                   err) &&
           note_others(r, custom, known, at, "custom", err);
}

/* A stream's index says nothing in a conversation. */
static bool note_call(struct field_reader *r, json_ref v, const struct place *at, struct err *err)
{
    static const char *const known[] = {"id",     "type",          "function", "index",
                                        "custom", "extra_content", NULL};
    static const char *const known_function[] = {"name", "arguments", NULL};
    static const char *const known_extra[] = {"google", NULL}, *const known_google[] = {
                                                                   "thought_signature", NULL};
    json_ref extra = json_get(r->json, v, STR("extra_content"));

    return note_others(r, v, known, at, NULL, err) &&
           note_others(r, json_get(r->json, v, STR("function")), known_function, at, "function",
                       err) &&
           note_others(r, extra, known_extra, at, "extra_content", err) &&
           note_others(r, json_get(r->json, extra, STR("google")), known_google, at,
                       "extra_content.google", err);
}

static bool read_tool_call(struct field_reader *r, json_ref v, const struct place *at,
                           struct part ***tail, struct err *err)
{
    json_ref function = openai_given(r->json, v, STR("function"));
    struct str type = json_raw(r->json, json_get(r->json, v, STR("type")));
    bool is_custom = str_eq(type, STR("\"custom\""));
    bool is_other = type.len && !is_custom && !str_eq(type, STR("\"function\""));
    struct part *call = part_add(r->arena, tail, is_other ? PART_OTHER : PART_TOOL_CALL);

    if (!call)
        return err_arena(err, r->arena);
    if (is_other) {
        call->extra = json_raw(r->json, v);
        call->name = STR("tool_call");
        return true;
    }
    if (!note_call(r, v, at, err))
        return false;
    if (is_custom)
        return read_custom_call(r, v, call, at, err);
    return text_of(r, json_get(r->json, v, STR("id")), true, &call->id, at, "id", err) &&
           text_of(r, json_get(r->json, function, STR("name")), true, &call->name, at,
                   "function.name", err) &&
           read_arguments(r, function, call, at, err) && read_signature(r, v, call, at, err);
}

static bool read_tool_calls(struct field_reader *r, json_ref message, struct place *at,
                            struct part ***tail, struct err *err)
{
    json_ref calls = openai_given(r->json, message, STR("tool_calls"));

    if (calls && json_kind(r->json, calls) != JSON_ARRAY)
        return wrong(at, "tool_calls", "an array", err);
    at->list = "tool_calls";
    at->index = 0;
    for (json_ref v = json_first(r->json, calls); v; v = json_next(r->json, v), at->index++)
        if (!read_tool_call(r, v, at, tail, err))
            return false;
    at->list = NULL;
    return true;
}

/* The older form of a call has no id: the first one's is its name. Others are counted, as some houses refuse an id that
 * comes twice in a conversation. */
static bool read_function_call(struct field_reader *r, json_ref message, struct place *at,
                               struct part ***tail, struct err *err)
{
    static const char *const known[] = {"name", "arguments", NULL};
    json_ref v = openai_given(r->json, message, STR("function_call"));
    struct part *call;

    if (!v)
        return true;
    if (!note_others(r, v, known, at, "function_call", err))
        return false;
    call = part_add(r->arena, tail, PART_TOOL_CALL);
    if (!call)
        return err_arena(err, r->arena);
    if (!text_of(r, json_get(r->json, v, STR("name")), true, &call->name, at, "function_call.name",
                 err))
        return false;
    call->id = r->old_calls++ == 0 ? call->name
                                   : arena_fmt(r->arena, "call_%" PRIu32 "_" STR_FMT, r->old_calls,
                                               STR_ARG(str_slice(call->name, 0, 40)));
    r->old_call = call;
    return call->id.ptr ? read_arguments(r, v, call, at, err) : err_arena(err, r->arena);
}

/* What a model thought in an earlier turn goes by three names. */
static bool read_reasoning(struct field_reader *r, json_ref message, struct place *at,
                           struct part ***tail, struct err *err)
{
    static const char *const known[] = {"type", "thinking", "signature", "data", NULL};
    const struct json *j = r->json;
    json_ref blocks = openai_given(j, message, STR("thinking_blocks"));
    json_ref text = openai_given(j, message, STR("reasoning_content"));
    struct part *part;

    if (json_kind(j, blocks) == JSON_ARRAY && json_first(j, blocks)) {
        at->list = "thinking_blocks";
        at->index = 0;
        for (json_ref v = json_first(j, blocks); v; v = json_next(j, v), at->index++) {
            part = part_add(r->arena, tail, PART_REASONING);
            if (!part)
                return err_arena(err, r->arena);
            part->is_redacted = json_kind(j, json_get(j, v, STR("data"))) == JSON_STRING;
            if (!text_of(r, json_get(j, v, part->is_redacted ? STR("data") : STR("thinking")), true,
                         &part->text, at, "thinking", err) ||
                !text_of(r, json_get(j, v, STR("signature")), false, &part->signature, at,
                         "signature", err) ||
                !note_others(r, v, known, at, NULL, err))
                return false;
            r->to->prompt_bytes += part->text.len;
        }
        at->list = NULL;
        return true;
    }
    if (!text)
        text = openai_given(j, message, STR("reasoning"));
    if (json_kind(j, text) != JSON_STRING || openai_string_bytes(j, text) == 0)
        return true;
    part = part_add(r->arena, tail, PART_REASONING);
    r->to->prompt_bytes += openai_string_bytes(j, text);
    return (part && json_str(j, text, r->arena, &part->text)) || err_arena(err, r->arena);
}

static bool read_assistant(struct field_reader *r, json_ref message, struct place *at,
                           struct part ***tail, struct err *err)
{
    json_ref refusal = openai_given(r->json, message, STR("refusal"));
    struct part *part;

    if (!read_reasoning(r, message, at, tail, err) ||
        !read_content(r, openai_given(r->json, message, STR("content")), at, tail, err))
        return false;
    if (refusal) {
        part = part_add(r->arena, tail, PART_REFUSAL);
        if (!part)
            return err_arena(err, r->arena);
        if (!text_of(r, refusal, true, &part->text, at, "refusal", err))
            return false;
        r->to->prompt_bytes += part->text.len;
    }
    return read_tool_calls(r, message, at, tail, err) &&
           read_function_call(r, message, at, tail, err);
}

static bool read_result(struct field_reader *r, json_ref message, bool is_function,
                        struct place *at, struct part ***tail, struct err *err)
{
    struct part *part = part_add(r->arena, tail, PART_TOOL_RESULT);
    struct part **inner;

    if (!part)
        return err_arena(err, r->arena);
    inner = &part->inner;
    if (is_function) {
        if (!text_of(r, json_get(r->json, message, STR("name")), true, &part->name, at, "name",
                     err))
            return false;
        part->id =
            r->old_call && str_eq(r->old_call->name, part->name) ? r->old_call->id : part->name;
    } else if (!text_of(r, json_get(r->json, message, STR("tool_call_id")), true, &part->id, at,
                        "tool_call_id", err))
        return false;
    return read_content(r, openai_given(r->json, message, STR("content")), at, &inner, err);
}

static bool role_of(struct str role, enum turn_role *out)
{
    static const struct {
        const char *name;
        enum turn_role role;
    } roles[] = {{"user", TURN_USER}, {"assistant", TURN_ASSISTANT}, {"system", TURN_SYSTEM},
                 {"tool", TURN_TOOL}, {"developer", TURN_DEVELOPER}, {"function", TURN_TOOL}};

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (str_eq(role, str_from(roles[i].name))) {
            *out = roles[i].role;
            return true;
        }
    return false;
}

static bool read_marks(struct field_reader *r, json_ref message, struct turn *turn, struct err *err)
{
    static const char *const known[] = {
        "role",         "content",         "name",          "tool_calls",
        "tool_call_id", "refusal",         "function_call", "reasoning_content",
        "reasoning",    "thinking_blocks", "cache_control", NULL};
    json_ref mark = openai_given(r->json, message, STR("cache_control"));

    if (mark)
        for (struct part *p = turn->parts; p; p = p->next)
            if (!p->next)
                p->cache_control = json_raw(r->json, mark);
    return openai_read_extra(r, message, known, &turn->extra, err);
}

static bool read_message(struct field_reader *r, json_ref message, size_t i, struct turn ***turns,
                         struct err *err)
{
    struct turn *turn = turn_add(r->arena, turns, TURN_USER);
    struct place at = {.turn = turn, .message = i};
    struct part **tail;
    struct str role;
    struct buf path;
    bool ok;

    if (!turn)
        return err_arena(err, r->arena);
    buf_init(&path, r->arena, 32);
    buf_str(&path, STR("messages."));
    buf_u64(&path, i);
    if (!buf_finish(&path, &turn->path, err))
        return false;
    if (json_kind(r->json, message) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "messages.%zu: expected an object", i);
    if (!text_of(r, json_get(r->json, message, STR("role")), true, &role, &at, "role", err))
        return false;
    if (!role_of(role, &turn->role))
        return wrong(&at, "role", "system, developer, user, assistant, tool or function", err);
    tail = &turn->parts;
    if (turn->role == TURN_ASSISTANT)
        ok = read_assistant(r, message, &at, &tail, err);
    else if (turn->role == TURN_TOOL)
        ok = read_result(r, message, str_eq(role, STR("function")), &at, &tail, err);
    else
        ok = read_content(r, openai_given(r->json, message, STR("content")), &at, &tail, err);
    if (!ok ||
        !text_of(r, json_get(r->json, message, STR("name")), false, &turn->name, &at, "name", err))
        return false;
    r->to->prompt_bytes += turn->name.len;
    return read_marks(r, message, turn, err);
}

bool openai_read_messages(struct field_reader *r, json_ref v, struct err *err)
{
    struct turn **turns = &r->to->turns;
    size_t i = 0;

    if (json_kind(r->json, v) != JSON_ARRAY || !json_first(r->json, v))
        return err_set(err, ERR_INVALID, "messages: expected an array with at least one message");
    for (json_ref m = json_first(r->json, v); m; m = json_next(r->json, m), i++) {
        if (i >= MESSAGES_MAX)
            return err_set(err, ERR_INVALID, "messages: expected at most %d", MESSAGES_MAX);
        if (!read_message(r, m, i, &turns, err))
            return false;
    }
    return true;
}
