/* What a choice says in answers of the OpenAI dialect: a message, or the delta of one; calls above all. */
#include "models/citation.h"
#include "models/openai_internal.h"

#define CALLS_MAX    1024 /* of one choice: above it a provider is lost in a loop */
#define CALL_ID_TEXT "call_" STR_FMT "_%" PRIu32 "_%" PRIu32

/* ---- calls ---- */

static bool new_call(struct said_reader *r, struct openai_choice *c, int64_t index, struct str id,
                     struct openai_call **out, struct err *err)
{
    const struct openai_reader *own = r->own;
    struct openai_call *call = arena_alloc(r->arena, sizeof *call);

    if (c->call_count == CALLS_MAX)
        return openai_unreadable(err, "more than 1024 tool calls");
    if (!call)
        return err_arena(err, r->arena);
    if (str_is_empty(id)) /* some servers name none; results could not say what they answer */
        call->id = arena_fmt(r->arena, CALL_ID_TEXT, STR_ARG(str_slice(own->id, 0, 40)), c->number,
                             c->call_count);
    else
        call->id = arena_str(r->arena, id);
    if (!call->id.ptr)
        return err_arena(err, r->arena);
    call->index = index;
    call->part = c->parts++;
    call->next = c->calls;
    c->calls = call;
    c->call_count++;
    c->is_open = false;
    *out = call;
    return true;
}

/* The call that a fragment belongs to: by index. A new id under a known index is another call, where it has a name:
 * servers that send whole calls give all of them the index 0, or none. Without one it goes on: some (older vLLM) make
 * up an id for every fragment. */
static struct openai_call *find_call(const struct openai_choice *c, int64_t index, struct str id)
{
    for (struct openai_call *call = c->calls; call; call = call->next)
        if ((index < 0 || call->index == index) && (str_is_empty(id) || str_eq(call->id, id)))
            return call;
    return NULL;
}

static bool say_call(struct said_reader *r, const struct openai_choice *c,
                     const struct openai_call *call, struct str name, struct str signature,
                     struct err *err)
{
    return openai_say(r,
                      &(struct said){.kind = SAID_TOOL,
                                     .choice = c->number,
                                     .part = call->part,
                                     .id = call->id,
                                     .name = name,
                                     .signature = signature},
                      err);
}

static bool say_arguments(struct said_reader *r, const struct openai_choice *c,
                          const struct openai_call *call, const struct json *j, json_ref function,
                          struct err *err)
{
    json_ref v = json_get(j, function, STR("arguments"));
    struct said said = {.kind = SAID_ARGUMENTS, .choice = c->number, .part = call->part};

    if (!v)
        v = json_get(j, function, STR("input")); /* of a custom tool */
    if (json_kind(j, v) == JSON_OBJECT)          /* against the dialect, but clear */
        said.text = json_raw(j, v);
    else if (!openai_text_of(r, j, v, &said.text, err))
        return false;
    return str_is_empty(said.text) || openai_say(r, &said, err);
}

/* Of a call, what nobody here knows. */
static bool say_beside(struct said_reader *r, const struct json *j, json_ref call, struct err *err)
{
    static const char *const known[] = {"id",    "type",          "function", "custom",
                                        "index", "extra_content", NULL};
    static const char *const function[] = {"name", "arguments", "input", NULL};

    return said_others(r, j, call, known, "tool_calls.", err) &&
           said_others(r, j, json_get(j, call, STR("function")), function, "tool_calls.function.",
                       err) &&
           said_others(r, j, json_get(j, call, STR("custom")), function, "tool_calls.custom.", err);
}

static bool read_call(struct said_reader *r, struct openai_choice *c, const struct json *j,
                      json_ref v, struct err *err)
{
    json_ref function = json_get(j, v, STR("function"));
    json_ref google = json_get(j, json_get(j, v, STR("extra_content")), STR("google"));
    struct str id, name, signature;
    int64_t index = -1;
    struct openai_call *call;

    if (!say_beside(r, j, v, err))
        return false;
    if (!function)
        function = json_get(j, v, STR("custom"));
    if (!json_i64(j, json_get(j, v, STR("index")), &index))
        index = -1;
    if (!openai_text_of(r, j, json_get(j, v, STR("id")), &id, err) ||
        !openai_text_of(r, j, json_get(j, function, STR("name")), &name, err) ||
        !openai_text_of(r, j, json_get(j, google, STR("thought_signature")), &signature, err))
        return false;
    call = find_call(c, index, id);
    if (!call && str_is_empty(name))
        call = find_call(c, index, STR_NONE);
    if (index < 0 && name.len) /* no index: each whole call stands for itself */
        call = NULL;
    if (!call) {
        if (str_is_empty(name))
            return openai_unreadable(err, "a tool call without a name");
        if (!new_call(r, c, index, id, &call, err) || !say_call(r, c, call, name, signature, err))
            return false;
    }
    return say_arguments(r, c, call, j, function, err);
}

/* The older form: one call at most, without an id. */
static bool read_old_call(struct said_reader *r, struct openai_choice *c, const struct json *j,
                          json_ref v, struct err *err)
{
    static const char *const known[] = {"name", "arguments", NULL};
    struct openai_call *call = find_call(c, 0, STR_NONE);
    struct str name;

    if (!said_others(r, j, v, known, "function_call.", err) ||
        !openai_text_of(r, j, json_get(j, v, STR("name")), &name, err))
        return false;
    if (!call) {
        if (str_is_empty(name))
            return openai_unreadable(err, "a function call without a name");
        if (!new_call(r, c, 0, name, &call, err) || !say_call(r, c, call, name, STR_NONE, err))
            return false;
    }
    return say_arguments(r, c, call, j, v, err);
}

/* ---- messages and deltas ---- */

/* Content as parts: texts, and thoughts where a provider mixes them in. */
static bool read_parts(struct said_reader *r, struct openai_choice *c, const struct json *j,
                       json_ref parts, struct err *err)
{
    static const char *const known[] = {"type", "text", "thinking", NULL};

    for (json_ref p = json_first(j, parts); p; p = json_next(j, p)) {
        json_ref thoughts = json_get(j, p, STR("thinking"));

        if (json_kind(j, thoughts) == JSON_STRING &&
            !openai_say_member(r, c, j, thoughts, SAID_REASONING, err))
            return false;
        for (json_ref t = json_kind(j, thoughts) == JSON_ARRAY ? json_first(j, thoughts) : 0; t;
             t = json_next(j, t))
            if (!openai_say_member(r, c, j, json_get(j, t, STR("text")), SAID_REASONING, err))
                return false;
        if (!openai_say_member(r, c, j, json_get(j, p, STR("text")), SAID_TEXT, err) ||
            !said_others(r, j, p, known, "content.", err))
            return false;
    }
    return true;
}

static bool read_reasoning(struct said_reader *r, struct openai_choice *c, const struct json *j,
                           json_ref message, struct err *err)
{
    json_ref v = openai_given(j, message, STR("reasoning_content"));

    if (!v)
        v = json_get(j, message, STR("reasoning")); /* newer vLLM, and routers */
    return openai_say_member(r, c, j, v, SAID_REASONING, err);
}

static bool read_citations(struct said_reader *r, struct openai_choice *c, const struct json *j,
                           json_ref list, struct err *err)
{
    struct said said = {.kind = SAID_CITATION, .choice = c->number, .part = c->text_part};
    struct citation citation;

    if (json_kind(j, list) != JSON_ARRAY)
        return true;
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (!citation_read(r->scratch, json_raw(j, v), &citation, err) ||
            !citation_raw(r->scratch, &citation, &said.raw, err) || !openai_say(r, &said, err))
            return false;
    return true;
}

static bool read_audio(struct said_reader *r, struct openai_choice *c, const struct json *j,
                       json_ref audio, struct err *err)
{
    struct said said = {
        .kind = SAID_MEDIA, .choice = c->number, .media_type = STR("audio/wav"), .raw = STR_NONE};

    if (json_kind(j, audio) != JSON_OBJECT)
        return true;
    if (!openai_text_of(r, j, json_get(j, audio, STR("data")), &said.text, err))
        return false;
    said.raw = json_raw(j, audio); /* the dialect's own form: id, expiry, transcript */
    c->is_open = false;
    said.part = c->parts++;
    return openai_say(r, &said, err);
}

static bool read_calls(struct said_reader *r, struct openai_choice *c, const struct json *j,
                       json_ref message, struct err *err)
{
    json_ref calls = json_get(j, message, STR("tool_calls"));
    json_ref old = openai_given(j, message, STR("function_call"));

    if (json_kind(j, calls) == JSON_ARRAY)
        for (json_ref v = json_first(j, calls); v; v = json_next(j, v))
            if (!read_call(r, c, j, v, err))
                return false;
    return !old || read_old_call(r, c, j, old, err);
}

/* Blocks of thought repeat what was said as reasoning; new in them is what must come back. */
static bool read_thoughts(struct said_reader *r, struct openai_choice *c, const struct json *j,
                          json_ref list, struct err *err)
{
    static const char *const known[] = {"type", "thinking", "signature", "data", NULL};

    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        struct said said = {.kind = SAID_REASONING, .choice = c->number};

        if (!said_others(r, j, v, known, "message.thinking_blocks.", err) ||
            !openai_text_of(r, j, json_get(j, v, STR("signature")), &said.signature, err) ||
            !openai_text_of(r, j, json_get(j, v, STR("data")), &said.text, err))
            return false;
        said.is_redacted = said.text.len > 0;
        if (!said.is_redacted && !said.signature.len)
            continue;
        if (said.is_redacted || !c->is_open || c->open != SAID_REASONING)
            c->parts++;
        said.part = c->parts - 1;
        c->is_open = false;
        if (!openai_say(r, &said, err))
            return false;
    }
    return true;
}

static bool read_images(struct said_reader *r, struct openai_choice *c, const struct json *j,
                        json_ref list, struct err *err)
{
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        struct said said = {.kind = SAID_MEDIA, .choice = c->number};
        struct str url;

        if (!openai_text_of(r, j, json_get(j, json_get(j, v, STR("image_url")), STR("url")), &url,
                            err))
            return false;
        if (!url.ptr || !data_url_read(url, &said.media_type, &said.text)) {
            if (!said_other(r, STR("message."), STR("images.url"), json_raw(j, v), err))
                return false;
            continue;
        }
        c->is_open = false;
        said.part = c->parts++;
        if (!openai_say(r, &said, err))
            return false;
    }
    return true;
}

bool openai_read_message(struct said_reader *r, struct openai_choice *c, const struct json *j,
                         json_ref m, struct err *err)
{
    static const char *const known[] = {
        "role",        "content",    "refusal",         "reasoning_content",
        "reasoning",   "images",     "thinking_blocks", "audio",
        "annotations", "tool_calls", "function_call",   "document_citations",
        NULL};
    json_ref content = json_get(j, m, STR("content"));

    if (!read_reasoning(r, c, j, m, err))
        return false;
    if (json_kind(j, content) == JSON_ARRAY ? !read_parts(r, c, j, content, err)
                                            : !openai_say_member(r, c, j, content, SAID_TEXT, err))
        return false;
    return openai_say_member(r, c, j, json_get(j, m, STR("refusal")), SAID_REFUSAL, err) &&
           read_thoughts(r, c, j, json_get(j, m, STR("thinking_blocks")), err) &&
           read_images(r, c, j, json_get(j, m, STR("images")), err) &&
           said_others(r, j, m, known, "message.", err) &&
           read_citations(r, c, j, json_get(j, m, STR("document_citations")), err) &&
           read_citations(r, c, j, json_get(j, m, STR("annotations")), err) &&
           read_audio(r, c, j, json_get(j, m, STR("audio")), err) && read_calls(r, c, j, m, err);
}
