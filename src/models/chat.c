#include "models/chat.h"

#include <assert.h>

#include "models/models.h"

#define TOKENS_MAX 1000000000 /* above it a number of tokens is a mistake */
#define EDITS_MAX  6

/* What providers count beside the words, at most as they were seen: a dozen tokens around the question, or a system
 * prompt of the model's own (Qwen and Llama some 25, gpt-oss 70); three to six around a message; instructions for
 * tools (Claude 313 to 530). */
#define EXTRA_REQUEST 96u
#define EXTRA_TURN    8u
#define EXTRA_TOOLS   640u

static_assert(4 * EDITS_MAX + 1 <= CHAT_PIECES_MAX, "pieces of a spliced body");

/* A member that may be absent or null. */
static json_ref given(const struct json *j, json_ref object, struct str key)
{
    json_ref v = json_get(j, object, key);

    return json_kind(j, v) == JSON_NULL ? 0 : v;
}

/* The members that are read here, found in one pass; 0: absent or null. */
enum {
    MODEL,
    MESSAGES,
    WEIR,
    STREAM,
    STREAM_OPTIONS,
    MAX_TOKENS,
    MAX_COMPLETION_TOKENS,
    CHOICES,
    TOOLS,
    FUNCTIONS,
    RESPONSE_FORMAT,
    USER,
    METADATA,
    MEMBERS,
};

static const struct str member_names[MEMBERS] = {
    [MODEL] = {"model", 5},
    [MESSAGES] = {"messages", 8},
    [WEIR] = {"weir", 4},
    [STREAM] = {"stream", 6},
    [STREAM_OPTIONS] = {"stream_options", 14},
    [MAX_TOKENS] = {"max_tokens", 10},
    [MAX_COMPLETION_TOKENS] = {"max_completion_tokens", 21},
    [CHOICES] = {"n", 1},
    [TOOLS] = {"tools", 5},
    [FUNCTIONS] = {"functions", 9},
    [RESPONSE_FORMAT] = {"response_format", 15},
    [USER] = {"user", 4},
    [METADATA] = {"metadata", 8},
};

static bool read_flag(const struct json *j, json_ref v, const char *name, bool *out,
                      struct err *err)
{
    *out = false;
    if (v && !json_bool(j, v, out))
        return err_set(err, ERR_INVALID, "%s: expected true or false", name);
    return true;
}

static const int64_t tokens_range[2] = {0, TOKENS_MAX}, choices_range[2] = {1, CHAT_CHOICES_MAX};

/* An integer from `low` to `high`; `absent` when it is not given. 100.0 is an integer too. */
static bool read_count(const struct json *j, const json_ref at[MEMBERS], int member, int64_t *out,
                       struct err *err)
{
    const int64_t *range = member == CHOICES ? choices_range : tokens_range;
    const char *name = member_names[member].ptr;
    json_ref v = at[member];
    double real;
    int64_t n;

    if (!v)
        return true;
    if (!json_i64(j, v, &n)) {
        if (!json_f64(j, v, &real) || real < (double)range[0] || real > (double)range[1])
            return err_set(err, ERR_INVALID, "%s: expected an integer from %" PRId64 " to %" PRId64,
                           name, range[0], range[1]);
        n = (int64_t)real;
        if ((double)n < real)
            return err_set(err, ERR_INVALID, "%s: expected an integer, not a fraction", name);
    }
    if (n < range[0] || n > range[1])
        return err_set(err, ERR_INVALID, "%s: expected an integer from %" PRId64 " to %" PRId64,
                       name, range[0], range[1]);
    *out = n;
    return true;
}

static bool is_text_part(const struct json *j, json_ref part)
{
    return str_eq(json_raw(j, json_get(j, part, STR("type"))), STR("\"text\""));
}

/* The length in the text: escapes count as written, which errs on the large side. */
static size_t string_bytes(const struct json *j, json_ref v)
{
    return json_kind(j, v) == JSON_STRING ? json_raw(j, v).len - 2 : 0;
}

/* The same of what may be an object or a list. */
static size_t words_bytes(const struct json *j, json_ref v)
{
    return json_first(j, v) ? json_raw(j, v).len : string_bytes(j, v);
}

/* type: in its quotes. */
static uint32_t part_needs(struct str type)
{
    if (str_eq(type, STR("\"image_url\"")))
        return CAN_IMAGES;
    if (str_eq(type, STR("\"input_audio\"")))
        return CAN_AUDIO;
    return str_eq(type, STR("\"file\"")) ? CAN_FILES : 0;
}

/* What goes by another name than text, at the length of a picture at least. */
static size_t part_bytes(const struct json *j, json_ref part)
{
    static const struct str names[] = {{"text", 4}, {"refusal", 7}, {"thinking", 8}};
    size_t bytes = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        bytes += string_bytes(j, json_get(j, part, names[i]));
    return MAX_OF(bytes, MEDIA_BYTES);
}

static bool read_parts(struct chat_request *out, json_ref parts, size_t message, struct err *err)
{
    const struct json *j = out->json;
    size_t i = 0;

    for (json_ref part = json_first(j, parts); part; part = json_next(j, part), i++) {
        json_ref text = json_get(j, part, STR("text"));

        if (json_kind(j, json_get(j, part, STR("type"))) != JSON_STRING)
            return err_set(err, ERR_INVALID, "messages.%zu.content.%zu.type: expected a string",
                           message, i);
        if (!is_text_part(j, part)) {
            out->prompt_bytes += part_bytes(j, part);
            out->needs |= part_needs(json_raw(j, json_get(j, part, STR("type"))));
        } else if (json_kind(j, text) == JSON_STRING) {
            out->prompt_bytes += string_bytes(j, text);
        } else {
            return err_set(err, ERR_INVALID, "messages.%zu.content.%zu.text: expected a string",
                           message, i);
        }
    }
    return true;
}

static bool read_message(struct chat_request *out, json_ref message, size_t i, struct err *err)
{
    enum { CONTENT, ROLE, CALLS, BESIDE, COUNT = BESIDE + 6 };
    static const struct str names[COUNT] = {
        [CONTENT] = {"content", 7},   [ROLE] = {"role", 4},
        [CALLS] = {"tool_calls", 10}, [BESIDE] = {"name", 4}, /* what is read beside them */
        {"reasoning_content", 17},    {"reasoning", 9},
        {"thinking_blocks", 15},      {"refusal", 7},
        {"function_call", 13}};
    const struct json *j = out->json;
    json_ref at[COUNT];

    if (json_kind(j, message) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "messages.%zu: expected an object", i);
    json_pick(j, message, names, at, COUNT);
    if (json_kind(j, at[ROLE]) != JSON_STRING)
        return err_set(err, ERR_INVALID, "messages.%zu.role: expected a string", i);
    out->prompt_bytes += json_raw(j, at[CALLS]).len;
    for (int k = BESIDE; k < COUNT; k++)
        out->prompt_bytes += words_bytes(j, at[k]);
    switch (json_kind(j, at[CONTENT])) {
    case JSON_STRING: out->prompt_bytes += string_bytes(j, at[CONTENT]); return true;
    case JSON_ARRAY: return read_parts(out, at[CONTENT], i, err);
    case JSON_ABSENT:
    case JSON_NULL: return true;
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER:
    case JSON_OBJECT: break;
    }
    return err_set(err, ERR_INVALID, "messages.%zu.content: expected a string or an array of parts",
                   i);
}

static bool read_messages(struct chat_request *out, const json_ref at[MEMBERS], struct err *err)
{
    const struct json *j = out->json;
    size_t i = 0;

    out->messages = at[MESSAGES];
    if (json_kind(j, out->messages) != JSON_ARRAY || !json_first(j, out->messages))
        return err_set(err, ERR_INVALID, "messages: expected an array with at least one message");
    for (json_ref m = json_first(j, out->messages); m; m = json_next(j, m))
        if (!read_message(out, m, i++, err))
            return false;
    out->prompt_extra = chat_prompt_extra(i, at[TOOLS] || at[FUNCTIONS]);
    out->prompt_bytes += json_raw(j, at[TOOLS]).len;
    out->prompt_bytes += json_raw(j, at[FUNCTIONS]).len;
    out->prompt_bytes += json_raw(j, at[RESPONSE_FORMAT]).len;
    return true;
}

/* Besides what its messages need. */
static uint32_t needs_of(const struct chat_request *chat, const json_ref at[MEMBERS])
{
    const struct json *j = chat->json;
    uint32_t needs = CAN_CHAT;

    if (json_first(j, at[TOOLS]) || json_first(j, at[FUNCTIONS]))
        needs |= CAN_TOOLS;
    if (at[RESPONSE_FORMAT]) {
        struct str type = json_raw(j, json_get(j, at[RESPONSE_FORMAT], STR("type")));

        needs |= str_eq(type, STR("\"json_object\""))   ? CAN_JSON
                 : str_eq(type, STR("\"json_schema\"")) ? CAN_SCHEMA
                                                        : 0;
    }
    return needs | (chat->n > 1 ? CAN_CHOICES : 0);
}

static bool read_stream(struct chat_request *out, const json_ref at[MEMBERS], struct err *err)
{
    const struct json *j = out->json;
    json_ref options = at[STREAM_OPTIONS];

    if (!read_flag(j, at[STREAM], "stream", &out->stream, err))
        return false;
    if (options && json_kind(j, options) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "stream_options: expected an object");
    return read_flag(j, options ? given(j, options, STR("include_usage")) : 0,
                     "stream_options.include_usage", &out->include_usage, err);
}

static bool read_limits(struct chat_request *out, const json_ref at[MEMBERS], struct err *err)
{
    out->max_tokens = -1;
    out->n = 1;
    /* The newer name wins, as it does at the providers. */
    return read_count(out->json, at, MAX_TOKENS, &out->max_tokens, err) &&
           read_count(out->json, at, MAX_COMPLETION_TOKENS, &out->max_tokens, err) &&
           read_count(out->json, at, CHOICES, &out->n, err);
}

/* OpenAI's "user" where it is said, else Anthropic's metadata.user_id. */
static json_ref user_of(const struct json *j, json_ref user, json_ref metadata)
{
    return user ? user : json_get(j, metadata, STR("user_id"));
}

bool chat_read_request(struct arena *arena, struct str body, struct chat_request *out,
                       struct err *err)
{
    struct chat_request in = {.body = body};
    struct json *j = json_parse(arena, body, err);
    json_ref at[MEMBERS];

    if (!j)
        return err_wrap(err, "the body is not a chat request");
    in.json = j;
    if (json_kind(j, json_root(j)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body is not a chat request: expected an object");
    json_pick(j, json_root(j), member_names, at, MEMBERS);
    in.weir_said = at[WEIR];
    in.user = user_of(j, at[USER], at[METADATA]);
    for (int i = 0; i < MEMBERS; i++)
        at[i] = json_kind(j, at[i]) == JSON_NULL ? 0 : at[i];
    if (json_kind(j, at[MODEL]) != JSON_STRING)
        return err_set(err, ERR_INVALID, "model: expected a string");
    if (!json_str(j, at[MODEL], arena, &in.model))
        return err_arena(err, arena);
    if (str_is_empty(in.model))
        return err_set(err, ERR_INVALID, "model: expected the name of a model");
    in.weir = at[WEIR];
    if (in.weir && json_kind(j, in.weir) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "weir: expected an object");
    if (!read_messages(&in, at, err) || !read_stream(&in, at, err) || !read_limits(&in, at, err))
        return false;
    in.needs |= needs_of(&in, at);
    *out = in;
    return true;
}

size_t chat_prompt_extra(size_t turns, bool tools)
{
    return EXTRA_REQUEST + turns * EXTRA_TURN + (tools ? EXTRA_TOOLS : 0);
}

int64_t chat_prompt_worst(const struct chat_request *chat)
{
    return (int64_t)(chat->prompt_bytes + chat->prompt_extra);
}

static size_t count_turns(const struct conversation *c)
{
    size_t n = 0;

    for (const struct turn *turn = c->turns; turn; turn = turn->next)
        n++;
    return n;
}

void chat_take_json(struct chat_request *chat, struct json *json)
{
    json_ref root = json_root(json), weir = json_get(json, root, STR("weir"));

    chat->json = json;
    chat->weir_said = weir;
    chat->weir = json_kind(json, weir) == JSON_OBJECT ? weir : 0;
    chat->user =
        user_of(json, json_get(json, root, STR("user")), json_get(json, root, STR("metadata")));
}

void chat_from_conversation(const struct conversation *c, struct json *json, struct str body,
                            struct chat_request *out)
{
    *out = (struct chat_request){
        .body = body,
        .model = c->model,
        .stream = c->stream && !ask_is_whole(c->kind),
        .include_usage = c->include_usage,
        .max_tokens = ask_is_whole(c->kind) ? 0 : c->max_tokens,
        .n = conversation_choices(c),
        .prompt_bytes = c->prompt_bytes,
        .prompt_extra =
            ask_is_whole(c->kind) ? 0 : chat_prompt_extra(count_turns(c), c->tools != NULL),
    };
    chat_take_json(out, json);
}

/* Texts of the parts, a line each. */
static bool join_parts(struct arena *arena, const struct json *j, json_ref parts, struct str *out,
                       struct err *err)
{
    struct buf text;
    struct str piece;

    buf_init(&text, arena, json_raw(j, parts).len + 1);
    for (json_ref part = json_first(j, parts); part; part = json_next(j, part)) {
        if (!is_text_part(j, part))
            continue;
        if (!json_str(j, json_get(j, part, STR("text")), arena, &piece))
            return err_arena(err, arena);
        if (text.len)
            buf_char(&text, '\n');
        buf_str(&text, piece);
    }
    return buf_finish(&text, out, err);
}

bool chat_read_question(struct arena *arena, struct chat_request *chat, struct err *err)
{
    const struct json *j = chat->json;
    json_ref content = 0;

    for (json_ref m = json_first(j, chat->messages); m; m = json_next(j, m))
        if (str_eq(json_raw(j, json_get(j, m, STR("role"))), STR("\"user\"")))
            content = given(j, m, STR("content"));
    if (!content)
        return err_set(err, ERR_INVALID, "messages: expected a message of role \"user\"");
    if (json_kind(j, content) == JSON_ARRAY)
        return join_parts(arena, j, content, &chat->question, err);
    if (!json_str(j, content, arena, &chat->question))
        return err_arena(err, arena);
    return true;
}

/* We always want to know what a stream has used. */
static struct json_edit ask_for_usage(const struct json *j)
{
    json_ref options = json_get(j, json_root(j), STR("stream_options"));
    json_ref flag = json_get(j, options, STR("include_usage"));

    if (!options)
        return (struct json_edit){JSON_ADD_MEMBER, json_root(j), STR("stream_options"),
                                  STR("{\"include_usage\":true}")};
    if (json_kind(j, options) == JSON_NULL)
        return (struct json_edit){
            .kind = JSON_REPLACE, .at = options, .value = STR("{\"include_usage\":true}")};
    if (!flag)
        return (struct json_edit){JSON_ADD_MEMBER, options, STR("include_usage"), STR("true")};
    return (struct json_edit){.kind = JSON_REPLACE, .at = flag, .value = STR("true")};
}

static bool quote(struct arena *arena, struct str s, struct str *out, struct err *err)
{
    struct buf text;

    buf_init(&text, arena, 6 * s.len + 2);
    buf_json_str(&text, s);
    return buf_finish(&text, out, err);
}

/* A limit under the newer name that the server would ignore, and the answer go on for ever. Where both
 * stand the newer one holds, as it was read. */
static size_t rename_limit(const struct json *j, struct json_edit *edits)
{
    json_ref root = json_root(j), newer = given(j, root, STR("max_completion_tokens"));
    json_ref older = json_get(j, root, STR("max_tokens"));

    if (!newer)
        return 0;
    edits[0] = (struct json_edit){.kind = JSON_REMOVE, .at = newer};
    if (older)
        edits[1] =
            (struct json_edit){.kind = JSON_REPLACE, .at = older, .value = json_raw(j, newer)};
    else
        edits[1] = (struct json_edit){JSON_ADD_MEMBER, root, STR("max_tokens"), json_raw(j, newer)};
    return 2;
}

static size_t add_habits(const struct json *j, const struct chat_habits *habits,
                         struct json_edit *edits)
{
    size_t n = 0;

    if (!habits)
        return 0;
    if (habits->older_names)
        n += rename_limit(j, edits);
    if (habits->add_key.len && !json_get(j, json_root(j), habits->add_key))
        edits[n++] =
            (struct json_edit){JSON_ADD_MEMBER, json_root(j), habits->add_key, habits->add_value};
    return n;
}

bool chat_write_request(struct arena *arena, const struct chat_request *in, struct str remote_model,
                        struct str pieces[CHAT_PIECES_MAX], size_t *count, struct err *err)
{
    const struct json *j = in->json;
    struct json_edit edits[EDITS_MAX];
    size_t n = 0, made;

    if (!str_eq(in->model, remote_model)) {
        edits[n] =
            (struct json_edit){.kind = JSON_REPLACE, .at = json_get(j, json_root(j), STR("model"))};
        if (!quote(arena, remote_model, &edits[n++].value, err))
            return false;
    }
    if (in->weir_said)
        edits[n++] = (struct json_edit){.kind = JSON_REMOVE, .at = in->weir_said};
    if (in->stream && !in->include_usage)
        edits[n++] = ask_for_usage(j);
    n += add_habits(j, in->habits, edits + n);
    made = json_splice_pieces(arena, j, edits, n, pieces);
    if (made == 0)
        return err_arena(err, arena);
    *count = made;
    return true;
}
