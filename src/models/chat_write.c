/* The OpenAI dialect, written: answers made in the house, and errors. */
#include "models/chat.h"

/* What OpenAI clients switch on: type by kind of mistake, code by the mistake itself. */
static const struct {
    enum err_code on;
    const char *type, *code;
} usual[] = {
    {ERR_INVALID, "invalid_request_error", NULL},
    {ERR_UNAUTHENTICATED, "authentication_error", "invalid_api_key"},
    {ERR_DENIED, "permission_error", "permission_denied"},
    {ERR_NOT_FOUND, "not_found_error", "not_found"},
    {ERR_TOO_LARGE, "invalid_request_error", "request_too_large"},
    {ERR_EXHAUSTED, "rate_limit_error", "limit_exceeded"},
    {ERR_UNAVAILABLE, "server_error", "unavailable"},
    {ERR_TIMEOUT, "server_error", "timeout"},
    {ERR_CANCELLED, "server_error", "cancelled"},
    {ERR_INTERNAL, "server_error", "internal_error"},
};

/* "messages.2.role: expected a string" is about the field messages.2.role. */
static struct str field_named(const struct err *err)
{
    struct str text = str_from(err->text);
    size_t end = 0;

    if (err->code != ERR_INVALID)
        return STR_NONE;
    while (end < text.len && ((text.ptr[end] >= 'a' && text.ptr[end] <= 'z') ||
                              (text.ptr[end] >= '0' && text.ptr[end] <= '9') ||
                              text.ptr[end] == '_' || text.ptr[end] == '.'))
        end++;
    if (end == 0 || !str_starts(str_slice(text, end, text.len), STR(": ")))
        return STR_NONE;
    return str_slice(text, 0, end);
}

static void write_or_null(struct json_writer *w, struct str s)
{
    if (s.ptr)
        jw_str(w, s);
    else
        jw_null(w);
}

static const char *type_of(const struct err *err, const char *code)
{
    if (code && str_eq(str_from(code), STR("insufficient_quota")))
        return code; /* a type of its own: clients do not retry it */
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (usual[i].on == err->code)
            return usual[i].type;
    return "server_error";
}

static const char *code_of(int status, const struct err *err)
{
    if (status == 405)
        return "method_not_allowed";
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (usual[i].on == err->code)
            return usual[i].code;
    return NULL;
}

static void write_error(struct json_writer *w, const char *code, const struct err *err)
{
    struct str param = field_named(err);

    if (code && str_eq(str_from(code), STR("model_not_found")))
        param = STR("model");
    jw_object(w);
    jw_key(w, "error");
    jw_object(w);
    jw_key(w, "message");
    jw_cstr(w, err->text);
    jw_key(w, "type");
    jw_cstr(w, type_of(err, code));
    jw_key(w, "param");
    write_or_null(w, param);
    jw_key(w, "code");
    write_or_null(w, str_from(code));
    jw_object_end(w);
    jw_object_end(w);
}

void chat_write_error_as(struct buf *out, const char *code, const struct err *err)
{
    struct json_writer w;

    jw_init(&w, out);
    write_error(&w, code, err);
    buf_char(out, '\n');
}

void chat_write_error(struct buf *out, int status, const struct err *err)
{
    chat_write_error_as(out, code_of(status, err), err);
}

static void write_usage(struct json_writer *w, const struct usage *usage)
{
    int64_t in = MAX_OF(usage->tokens_in, 0), out = MAX_OF(usage->tokens_out, 0);

    jw_key(w, "usage");
    jw_object(w);
    jw_key(w, "prompt_tokens");
    jw_i64(w, in);
    jw_key(w, "completion_tokens");
    jw_i64(w, out);
    jw_key(w, "total_tokens");
    jw_i64(w, in + out);
    jw_object_end(w);
}

static void write_top(struct json_writer *w, const struct chat_answer *answer, const char *object)
{
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, answer->id);
    jw_key(w, "object");
    jw_cstr(w, object);
    jw_key(w, "created");
    jw_i64(w, answer->created);
    jw_key(w, "model");
    jw_str(w, answer->model);
}

static void write_extra(struct json_writer *w, const char *key, struct str json)
{
    if (str_is_empty(json))
        return;
    jw_key(w, key);
    jw_raw(w, json);
}

void chat_write_reply(struct buf *out, const struct chat_answer *answer)
{
    struct json_writer w;

    jw_init(&w, out);
    write_top(&w, answer, "chat.completion");
    jw_key(&w, "choices");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "index");
    jw_i64(&w, 0);
    jw_key(&w, "message");
    jw_object(&w);
    jw_key(&w, "role");
    jw_cstr(&w, "assistant");
    jw_key(&w, "content");
    jw_str(&w, answer->content);
    jw_key(&w, "refusal");
    jw_null(&w);
    write_extra(&w, "annotations", answer->annotations);
    jw_object_end(&w);
    jw_key(&w, "logprobs");
    jw_null(&w);
    jw_key(&w, "finish_reason");
    jw_str(&w, answer->finish_reason);
    jw_object_end(&w);
    jw_array_end(&w);
    write_usage(&w, &answer->usage);
    write_extra(&w, "weir", answer->weir);
    jw_object_end(&w);
}

/* Events are written in place: their JSON has no line ends, so one data line does. */
static void event_begin(struct buf *out, struct json_writer *w, const struct chat_answer *answer)
{
    buf_str(out, STR("data: "));
    jw_init(w, out);
    write_top(w, answer, "chat.completion.chunk");
    jw_key(w, "choices");
    jw_array(w);
}

static void event_end(struct buf *out, struct json_writer *w)
{
    jw_object_end(w);
    buf_str(out, STR("\n\n"));
}

static void delta_begin(struct json_writer *w)
{
    jw_object(w);
    jw_key(w, "index");
    jw_i64(w, 0);
    jw_key(w, "delta");
    jw_object(w);
}

static void delta_end(struct json_writer *w, struct str finish_reason)
{
    jw_object_end(w);
    jw_key(w, "logprobs");
    jw_null(w);
    jw_key(w, "finish_reason");
    write_or_null(w, finish_reason);
    jw_object_end(w);
    jw_array_end(w);
}

void chat_write_event_role(struct buf *out, const struct chat_answer *answer)
{
    struct json_writer w;

    event_begin(out, &w, answer);
    delta_begin(&w);
    jw_key(&w, "role");
    jw_cstr(&w, "assistant");
    jw_key(&w, "content");
    jw_cstr(&w, "");
    delta_end(&w, STR_NONE);
    event_end(out, &w);
}

void chat_write_event_content(struct buf *out, const struct chat_answer *answer, struct str piece)
{
    struct json_writer w;

    event_begin(out, &w, answer);
    delta_begin(&w);
    jw_key(&w, "content");
    jw_str(&w, piece);
    delta_end(&w, STR_NONE);
    event_end(out, &w);
}

void chat_write_event_finish(struct buf *out, const struct chat_answer *answer, bool with_usage)
{
    struct json_writer w;

    event_begin(out, &w, answer);
    delta_begin(&w);
    write_extra(&w, "annotations", answer->annotations);
    delta_end(&w, answer->finish_reason);
    write_extra(&w, "weir", answer->weir);
    event_end(out, &w);
    if (with_usage) {
        event_begin(out, &w, answer);
        jw_array_end(&w);
        write_usage(&w, &answer->usage);
        event_end(out, &w);
    }
    buf_str(out, STR("data: [DONE]\n\n"));
}

void chat_write_event_error(struct buf *out, const struct err *err)
{
    struct json_writer w;

    buf_str(out, STR("data: "));
    jw_init(&w, out);
    write_error(&w, code_of(200, err), err);
    buf_str(out, STR("\n\n"));
}
