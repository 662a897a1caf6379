/* An answer of a provider that speaks the Responses dialect, read: events of a stream, or a whole response.
 * Items grow side by side; each piece of text, call or thought is a part here, found by its output_index
 * and the index inside it. */
#include "models/members.h"
#include "models/responses.h"

#define PARTS_MAX 4096 /* of one answer */

struct heard { /* a part that has begun */
    struct heard *next;
    int64_t output, inner;
    int64_t thought; /* of reasoning: which of its parts came last */
    uint32_t part;
    bool has_text, is_signed, is_cited, has_probs, ended;
};

struct reading {
    struct heard *first;
    uint32_t parts;
    bool begun, has_calls, ended;
};

struct event {
    struct said_reader *r;
    struct reading *own;
    const struct json *j;
};

static const struct json_limits from_provider = {.depth = 128,
                                                 .nodes = 4000000,
                                                 .lone_surrogates = true};

bool responses_reader_init(struct said_reader *r, struct err *err)
{
    r->own = arena_alloc(r->arena, sizeof(struct reading));
    return r->own || err_arena(err, r->arena);
}

static struct str text_of(const struct event *e, json_ref object, const char *key)
{
    struct str text = STR_NONE;
    json_ref v = json_get(e->j, object, str_from(key));

    if (!v || !json_str(e->j, v, e->r->scratch, &text))
        return STR_NONE;
    return text;
}

static int64_t number_of(const struct event *e, json_ref object, const char *key)
{
    int64_t n;

    return json_i64(e->j, json_get(e->j, object, str_from(key)), &n) ? n : 0;
}

static bool tell(const struct event *e, const struct said *said, struct err *err)
{
    return e->r->take(e->r->ctx, said, err);
}

/* The part of this place; a new one where there is none. */
static struct heard *part_at(const struct event *e, int64_t output, int64_t inner, struct err *err)
{
    struct heard **end = &e->own->first, *h;

    for (; *end; end = &(*end)->next)
        if ((*end)->output == output && (*end)->inner == inner)
            return *end;
    if (e->own->parts >= PARTS_MAX) {
        err_set(err, ERR_UNAVAILABLE, "the answer has more than %d parts", PARTS_MAX);
        return NULL;
    }
    h = arena_alloc(e->r->arena, sizeof *h);
    if (!h) {
        err_arena(err, e->r->arena);
        return NULL;
    }
    *h = (struct heard){.output = output, .inner = inner, .part = e->own->parts++};
    *end = h;
    return h;
}

static bool tell_piece(const struct event *e, struct heard *h, enum said_kind kind, struct str text,
                       struct err *err)
{
    if (!h)
        return false;
    if (str_is_empty(text))
        return true;
    h->has_text = true;
    return tell(e, &(struct said){.kind = kind, .part = h->part, .text = text}, err);
}

/* Parts of what was thought are paragraphs: elsewhere they are one text. */
static bool tell_thought(const struct event *e, struct heard *h, int64_t index, struct str text,
                         struct err *err)
{
    if (!h)
        return false;
    if (h->has_text && index != h->thought && !str_is_empty(text) &&
        !tell_piece(e, h, SAID_REASONING, STR("\n\n"), err))
        return false;
    h->thought = index;
    return tell_piece(e, h, SAID_REASONING, text, err);
}

static bool end_part(const struct event *e, struct heard *h, struct err *err)
{
    if (h->ended)
        return true;
    h->ended = true;
    return tell(e, &(struct said){.kind = SAID_PART_END, .part = h->part}, err);
}

/* ---- items, whole ---- */

static bool tell_annotations(const struct event *e, struct heard *h, json_ref list, struct err *err)
{
    for (json_ref a = json_first(e->j, list); a; a = json_next(e->j, a)) {
        struct said said = {.kind = SAID_CITATION, .part = h->part, .raw = json_raw(e->j, a)};

        h->is_cited = true;
        if (!tell(e, &said, err)) /* flat already */
            return false;
    }
    return true;
}

/* In the chat dialect's shape. */
static bool tell_logprobs(const struct event *e, struct heard *h, json_ref list, struct err *err)
{
    struct said said = {.kind = SAID_LOGPROBS, .part = h->part};

    if (!json_first(e->j, list))
        return true;
    h->has_probs = true;
    said.raw = arena_fmt(e->r->scratch, "{\"content\":" STR_FMT ",\"refusal\":null}",
                         STR_ARG(json_raw(e->j, list)));
    return said.raw.ptr ? tell(e, &said, err) : err_arena(err, e->r->scratch);
}

static bool take_message(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    static const char *const known[] = {"type", "id", "role", "status", "content", NULL};
    static const char *const known_content[] = {"type",        "text",     "refusal",
                                                "annotations", "logprobs", NULL};
    json_ref content = json_get(e->j, item, STR("content"));
    int64_t index = 0;

    if (!said_others(e->r, e->j, item, known, "message.", err))
        return false;
    for (json_ref c = json_first(e->j, content); c; c = json_next(e->j, c), index++) {
        if (!said_others(e->r, e->j, c, known_content, "content.", err))
            return false;
        bool refusal = member_is(e->j, c, "type", STR("refusal"));
        struct heard *h = part_at(e, output, index, err);

        if (!h)
            return false;
        if (h->ended)
            continue; /* all of it has come */
        if (!h->has_text && !tell_piece(e, h, refusal ? SAID_REFUSAL : SAID_TEXT,
                                        text_of(e, c, refusal ? "refusal" : "text"), err))
            return false;
        if (!h->is_cited && !tell_annotations(e, h, json_get(e->j, c, STR("annotations")), err))
            return false;
        if (!h->has_probs && !tell_logprobs(e, h, json_get(e->j, c, STR("logprobs")), err))
            return false;
    }
    return true;
}

static bool begin_call(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    struct said said = {
        .kind = SAID_TOOL, .id = text_of(e, item, "call_id"), .name = text_of(e, item, "name")};
    uint32_t before = e->own->parts;
    struct heard *h = part_at(e, output, -1, err);

    if (!h)
        return false;
    if (e->own->parts == before)
        return true; /* announced already */
    if (str_is_empty(said.id) || str_is_empty(said.name))
        return err_set(err, ERR_UNAVAILABLE,
                       "the answer is out of order: a function_call without call_id or name");
    e->own->has_calls = true;
    said.part = h->part;
    return tell(e, &said, err);
}

/* Who calls is the model itself, unless it says otherwise. */
static bool tell_caller(const struct event *e, json_ref item, struct err *err)
{
    static const char *const known[] = {"type",      "id",     "call_id", "name",
                                        "arguments", "status", "caller",  NULL};
    json_ref caller = json_get(e->j, item, STR("caller"));

    if (json_first(e->j, caller) && !member_is(e->j, caller, "type", STR("direct")) &&
        !said_other(e->r, STR("function_call."), STR("caller"), json_raw(e->j, caller), err))
        return false;
    return said_others(e->r, e->j, item, known, "function_call.", err);
}

static bool take_call(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    struct heard *h;
    struct str arguments = text_of(e, item, "arguments");

    if (!begin_call(e, item, output, err) || !tell_caller(e, item, err))
        return false;
    h = part_at(e, output, -1, err);
    if (!h || h->has_text)
        return h != NULL;
    return tell_piece(e, h, SAID_ARGUMENTS, str_is_empty(arguments) ? STR("{}") : arguments, err);
}

static bool take_reasoning(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    static const char *const known[] = {"type",    "id",     "summary", "encrypted_content",
                                        "content", "status", NULL};
    struct str signature = text_of(e, item, "encrypted_content");
    json_ref list = json_get(e->j, item, STR("summary"));
    int64_t index = 0;
    struct heard *h;

    if (!said_others(e->r, e->j, item, known, "reasoning.", err))
        return false;
    if (!json_first(e->j, list))
        list = json_get(e->j, item, STR("content"));
    if (!json_first(e->j, list) && str_is_empty(signature))
        return true;
    h = part_at(e, output, -1, err);
    if (!h)
        return false;
    if (!h->has_text)
        for (json_ref t = json_first(e->j, list); t; t = json_next(e->j, t))
            if (!tell_thought(e, h, index++, text_of(e, t, "text"), err))
                return false;
    if (str_is_empty(signature) || h->is_signed) /* the response's end repeats it */
        return true;
    h->is_signed = true;
    return tell(e, &(struct said){.kind = SAID_REASONING, .part = h->part, .signature = signature},
                err);
}

static bool take_image(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    static const char *const known[] = {"type", "id", "status", "result", "output_format", NULL};
    struct str format = text_of(e, item, "output_format");
    struct said said = {.kind = SAID_MEDIA, .text = text_of(e, item, "result")};
    struct heard *h = part_at(e, output, -1, err);

    if (!h || h->has_text || str_is_empty(said.text))
        return h != NULL;
    if (!said_others(e->r, e->j, item, known, "image_generation_call.", err))
        return false;
    h->has_text = true;
    said.part = h->part;
    said.media_type =
        arena_fmt(e->r->scratch, "image/" STR_FMT, STR_ARG(format.len ? format : STR("png")));
    return said.media_type.ptr ? tell(e, &said, err) : err_arena(err, e->r->scratch);
}

static bool end_item(const struct event *e, int64_t output, struct err *err)
{
    for (struct heard *h = e->own->first; h; h = h->next)
        if (h->output == output && !end_part(e, h, err))
            return false;
    return true;
}

static bool take_search(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    json_ref action = member(e->j, item, "action");
    json_ref sources = json_get(e->j, action, STR("sources"));
    struct heard *h = part_at(e, output, -1, err);
    struct str id = text_of(e, item, "id");

    if (!h || h->has_text) /* told when it was done; the end repeats it */
        return h != NULL;
    h->has_text = true;
    if (!tell(e,
              &(struct said){.kind = SAID_SEARCHED,
                             .id = id,
                             .text = text_of(e, action, "query"),
                             .name = STR("output.web_search_call")},
              err))
        return false;
    if (json_kind(e->j, sources) != JSON_ARRAY) /* then the call is all that can be lost */
        sources = 0;
    return tell(e,
                &(struct said){.kind = SAID_FOUND,
                               .id = id,
                               .raw = sources ? json_raw(e->j, sources) : STR("[]"),
                               .name = sources ? STR("output.web_search_call.action.sources")
                                               : STR("output.web_search_call")},
                err);
}

/* What was printed, all of it; pictures that were drawn have no place elsewhere. */
static bool read_outputs(const struct event *e, json_ref list, struct said *printed,
                         struct err *err)
{
    struct buf all;

    buf_init(&all, e->r->scratch, json_raw(e->j, list).len + 1);
    for (json_ref o = json_first(e->j, list); o; o = json_next(e->j, o))
        if (member_is(e->j, o, "type", STR("logs")))
            buf_str(&all, text_of(e, o, "logs"));
        else if (!said_other(e->r, STR("code_interpreter_call."), STR("outputs"), json_raw(e->j, o),
                             err))
            return false;
    return buf_finish(&all, &printed->text, err);
}

static bool take_code(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    static const char *const known[] = {"type", "id", "code", "outputs", "status", NULL};
    struct heard *h = part_at(e, output, -1, err);
    struct said said = {.kind = SAID_RAN,
                        .id = text_of(e, item, "id"),
                        .text = text_of(e, item, "code"),
                        .language = STR("python"),
                        .name = STR("output.code_interpreter_call")};

    if (!h || h->has_text) /* told when it was done; the end repeats it */
        return h != NULL;
    h->has_text = true;
    if (!said_others(e->r, e->j, item, known, "code_interpreter_call.", err) ||
        !tell(e, &said, err))
        return false;
    said.kind = SAID_PRINTED;
    said.failed = member_is(e->j, item, "status", STR("failed"));
    return read_outputs(e, member(e->j, item, "outputs"), &said, err) && tell(e, &said, err);
}

static bool take_item(const struct event *e, json_ref item, int64_t output, struct err *err)
{
    bool ok = true;

    if (member_is(e->j, item, "type", STR("message")))
        ok = take_message(e, item, output, err);
    else if (member_is(e->j, item, "type", STR("function_call")))
        ok = take_call(e, item, output, err);
    else if (member_is(e->j, item, "type", STR("reasoning")))
        ok = take_reasoning(e, item, output, err);
    else if (member_is(e->j, item, "type", STR("image_generation_call")))
        ok = take_image(e, item, output, err);
    else if (!e->r->passes && member_is(e->j, item, "type", STR("web_search_call")) &&
             member(e->j, member(e->j, item, "action"), "query"))
        ok = take_search(e, item, output, err);
    else if (!e->r->passes && member_is(e->j, item, "type", STR("code_interpreter_call")))
        ok = take_code(e, item, output, err);
    else /* the provider's own tools at work */
        ok = said_other(e->r, STR("output."), text_of(e, item, "type"), json_raw(e->j, item), err);
    return ok && end_item(e, output, err);
}

/* ---- the response ---- */

static bool begin(struct event *e, json_ref response, struct err *err)
{
    struct said said = {.kind = SAID_BEGIN,
                        .id = text_of(e, response, "id"),
                        .model = text_of(e, response, "model"),
                        .created = number_of(e, response, "created_at")};

    if (e->own->begun)
        return true;
    e->own->begun = true;
    return tell(e, &said, err);
}

static enum finish_reason finish_of(const struct event *e, json_ref response)
{
    json_ref details = json_get(e->j, response, STR("incomplete_details"));

    if (member_is(e->j, details, "reason", STR("content_filter")))
        return FINISH_CONTENT_FILTER;
    if (member_is(e->j, response, "status", STR("incomplete")))
        return FINISH_LENGTH;
    return e->own->has_calls ? FINISH_TOOL_CALLS : FINISH_STOP;
}

/* The tier that answered, and what no other dialect has a word for; what repeats the request says nothing
 * new. */
static bool tell_rest(struct event *e, json_ref response, struct err *err)
{
    static const char *const known[] = {
        "id", "object", "created_at", "completed_at", "status", "background", "error",
        "incomplete_details", "model", "output", "usage", "service_tier",
        /* of the request */
        "instructions", "max_output_tokens", "max_tool_calls", "parallel_tool_calls",
        "previous_response_id", "reasoning", "store", "temperature", "top_p", "top_logprobs",
        "text", "tool_choice", "tools", "truncation", "metadata", "user", "prompt",
        "safety_identifier", "prompt_cache_key", "frequency_penalty", "presence_penalty",
        "conversation", "prompt_cache_retention", NULL};
    static const char *const counts[] = {"input_tokens",  "input_tokens_details",
                                         "output_tokens", "output_tokens_details",
                                         "total_tokens",  NULL};
    static const char *const in[] = {"cached_tokens", "cache_write_tokens", NULL};
    static const char *const out[] = {"reasoning_tokens", NULL};
    struct said said = {.kind = SAID_TIER, .text = text_of(e, response, "service_tier")};
    json_ref usage = json_get(e->j, response, STR("usage"));

    return (!said.text.len || tell(e, &said, err)) &&
           said_others(e->r, e->j, response, known, "", err) &&
           said_others(e->r, e->j, usage, counts, "usage.", err) &&
           said_others(e->r, e->j, json_get(e->j, usage, STR("input_tokens_details")), in,
                       "usage.input_tokens_details.", err) &&
           said_others(e->r, e->j, json_get(e->j, usage, STR("output_tokens_details")), out,
                       "usage.output_tokens_details.", err);
}

static bool end(struct event *e, json_ref response, struct err *err)
{
    struct said usage = {.kind = SAID_USAGE, .usage = usage_unknown};
    json_ref output = json_get(e->j, response, STR("output"));
    int64_t index = 0;

    if (!begin(e, response, err))
        return false;
    for (json_ref i = json_first(e->j, output); i; i = json_next(e->j, i), index++)
        if (!take_item(e, i, index, err))
            return false;
    if (!tell_rest(e, response, err))
        return false;
    responses_read_usage(e->j, json_get(e->j, response, STR("usage")), &usage.usage);
    e->own->ended = true;
    return tell(e, &(struct said){.kind = SAID_FINISH, .finish = finish_of(e, response)}, err) &&
           tell(e, &usage, err) && tell(e, &(struct said){.kind = SAID_END}, err);
}

static bool fail(struct event *e, json_ref error, struct err *err)
{
    struct said said = {.kind = SAID_FAILED,
                        .name = text_of(e, error, "code"),
                        .text = text_of(e, error, "message")};

    e->own->ended = true;
    return tell(e, &said, err);
}

/* A status without a reason is no good answer either, whatever stands in its output. */
static bool fail_unsaid(struct event *e, struct str status, struct err *err)
{
    struct said said = {.kind = SAID_FAILED, .name = STR("server_error")};

    said.text =
        arena_fmt(e->r->scratch, "the provider's answer ended as " STR_FMT, STR_ARG(status));
    e->own->ended = true;
    return said.text.ptr ? tell(e, &said, err) : err_arena(err, e->r->scratch);
}

/* ---- events ---- */

static bool on_created(struct event *e, json_ref root, struct err *err)
{
    return begin(e, json_get(e->j, root, STR("response")), err);
}

static bool on_completed(struct event *e, json_ref root, struct err *err)
{
    return end(e, json_get(e->j, root, STR("response")), err);
}

static bool on_failed(struct event *e, json_ref root, struct err *err)
{
    return fail(e, json_get(e->j, json_get(e->j, root, STR("response")), STR("error")), err);
}

static bool on_error(struct event *e, json_ref root, struct err *err)
{
    json_ref nested = json_get(e->j, root, STR("error"));

    return fail(e, json_kind(e->j, nested) == JSON_OBJECT ? nested : root, err);
}

static bool on_item_added(struct event *e, json_ref root, struct err *err)
{
    json_ref item = json_get(e->j, root, STR("item"));

    return !member_is(e->j, item, "type", STR("function_call")) ||
           begin_call(e, item, number_of(e, root, "output_index"), err);
}

static bool on_item_done(struct event *e, json_ref root, struct err *err)
{
    return take_item(e, json_get(e->j, root, STR("item")), number_of(e, root, "output_index"), err);
}

static bool on_text(struct event *e, json_ref root, struct err *err)
{
    struct heard *h =
        part_at(e, number_of(e, root, "output_index"), number_of(e, root, "content_index"), err);

    return tell_piece(e, h, SAID_TEXT, text_of(e, root, "delta"), err) &&
           tell_logprobs(e, h, json_get(e->j, root, STR("logprobs")), err);
}

static bool on_refusal(struct event *e, json_ref root, struct err *err)
{
    struct heard *h =
        part_at(e, number_of(e, root, "output_index"), number_of(e, root, "content_index"), err);

    return tell_piece(e, h, SAID_REFUSAL, text_of(e, root, "delta"), err);
}

static bool on_thought(struct event *e, json_ref root, struct err *err)
{
    struct heard *h = part_at(e, number_of(e, root, "output_index"), -1, err);
    bool is_summary = json_get(e->j, root, STR("summary_index")) != 0;

    return tell_thought(e, h, number_of(e, root, is_summary ? "summary_index" : "content_index"),
                        text_of(e, root, "delta"), err);
}

static bool on_arguments(struct event *e, json_ref root, struct err *err)
{
    uint32_t before = e->own->parts;
    struct heard *h = part_at(e, number_of(e, root, "output_index"), -1, err);

    if (h && e->own->parts != before)
        return err_set(err, ERR_UNAVAILABLE,
                       "the answer is out of order: arguments of a call that was not announced");
    return tell_piece(e, h, SAID_ARGUMENTS, text_of(e, root, "delta"), err);
}

static bool on_annotation(struct event *e, json_ref root, struct err *err)
{
    struct heard *h =
        part_at(e, number_of(e, root, "output_index"), number_of(e, root, "content_index"), err);
    struct said said = {.kind = SAID_CITATION,
                        .raw = json_raw(e->j, json_get(e->j, root, STR("annotation")))};

    if (!h)
        return false;
    h->is_cited = true;
    said.part = h->part;
    return str_is_empty(said.raw) || tell(e, &said, err);
}

static const struct {
    const char *type;
    bool (*take)(struct event *e, json_ref root, struct err *err);
} events[] = {
    {"response.output_text.delta", on_text},
    {"response.function_call_arguments.delta", on_arguments},
    {"response.created", on_created},
    {"response.output_item.added", on_item_added},
    {"response.output_item.done", on_item_done},
    {"response.refusal.delta", on_refusal},
    {"response.reasoning_summary_text.delta", on_thought},
    {"response.reasoning_text.delta", on_thought},
    {"response.output_text.annotation.added", on_annotation},
    {"response.completed", on_completed},
    {"response.incomplete", on_completed},
    {"response.failed", on_failed},
    {"error", on_error},
};

/* How far an item is: what comes of it stands in the item itself when that is done. */
static bool is_progress(struct str type)
{
    static const char *const begins[] = {
        "response.in_progress",
        "response.queued",
        "response.content_part.",
        "response.output_text.",
        "response.refusal.",
        "response.function_call_arguments.",
        "response.reasoning_",
        "response.custom_tool_call_input.",
        "response.web_search_call.",
        "response.file_search_call.",
        "response.code_interpreter_call",
        "response.mcp_",
        "response.image_generation_call.in_progress",
        "response.image_generation_call.generating",
        "response.image_generation_call.completed",
        "response.shell_call_",
        "response.apply_patch_call_",
        "keepalive",
    };

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (str_starts(type, str_from(begins[i])))
            return true;
    return false;
}

static bool take_event(struct event *e, struct err *err)
{
    json_ref root = json_root(e->j);
    struct str type;

    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (member_is(e->j, root, "type", str_from(events[i].type)))
            return events[i].take(e, root, err);
    type = text_of(e, root, "type");
    return is_progress(type) || said_other(e->r, STR("event."), type, json_raw(e->j, root), err);
}

static bool take_whole(struct event *e, struct err *err)
{
    json_ref root = json_root(e->j), error = json_get(e->j, root, STR("error"));

    if (json_kind(e->j, error) == JSON_OBJECT)
        return fail(e, error, err);
    if (member_is(e->j, root, "status", STR("failed")) ||
        member_is(e->j, root, "status", STR("cancelled")))
        return fail_unsaid(e, text_of(e, root, "status"), err);
    if (member_is(e->j, root, "status", STR("queued")) ||
        member_is(e->j, root, "status", STR("in_progress")))
        return err_set(err, ERR_UNAVAILABLE, "the answer is not finished: its status is " STR_FMT,
                       STR_ARG(text_of(e, root, "status")));
    if (json_kind(e->j, json_get(e->j, root, STR("output"))) != JSON_ARRAY)
        return err_set(err, ERR_UNAVAILABLE, "the answer is out of order: it has no output");
    return end(e, root, err);
}

bool responses_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
{
    struct event e = {.r = r, .own = r->own};
    struct err bad = {0};

    (void)type; /* the data says it too */
    if (e.own->ended || str_is_empty(data))
        return true;
    e.j = json_parse_within(r->scratch, data, &from_provider, &bad);
    if (!e.j)
        return err_recast(err, &bad, ERR_UNAVAILABLE, "the answer cannot be read");
    return r->streamed ? take_event(&e, err) : take_whole(&e, err);
}

bool responses_at_end(struct said_reader *r, struct err *err)
{
    const struct reading *own = r->own;

    return own->ended ||
           err_set(err, ERR_UNAVAILABLE, "the stream was cut before its response.completed");
}
