/* The Anthropic dialect: POST /v1/messages, for clients and for providers. */
#include "models/anthropic.h"

#include "models/members.h"

#define TOKENS_MAX 1000000000

#define AT(member) offsetof(struct conversation, member)

const struct field anthropic_fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, anthropic_read_model, "the model's name"},
    {"messages", FIELD_OWN, AT(turns), 0, 0, anthropic_read_messages,
     "texts, images, documents, tool calls and results, thinking"},
    {"system", FIELD_OWN, AT(turns), 0, 0, anthropic_read_system, "string or text blocks"},
    {"max_tokens", FIELD_INT, AT(max_tokens), 1, TOKENS_MAX, NULL, "of the answer"},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "answer as server-sent events"},
    {"temperature", FIELD_NUMBER, AT(temperature), 0, 1, NULL, "0 to 1"},
    {"top_p", FIELD_NUMBER, AT(top_p), -1, 1, NULL, "0 to 1; -1: not said"},
    {"top_k", FIELD_INT, AT(top_k), -1, TOKENS_MAX, NULL,
     "sample from the k likeliest; -1: not said, as some clients put it"},
    {"stop_sequences", FIELD_OWN, AT(stops), 0, 0, anthropic_read_stops, "at most 16"},
    {"tools", FIELD_OWN, AT(tools), 0, 0, anthropic_read_tools, "own tools, and the provider's"},
    {"tool_choice", FIELD_OWN, AT(tool_choice), 0, 0, anthropic_read_tool_choice,
     "auto, any, tool, none"},
    {"tool_choice.disable_parallel_tool_use", FIELD_OWN, AT(parallel_tools), 0, 0, NULL, ""},
    {"thinking", FIELD_OWN, AT(reasoning_budget), 0, 0, anthropic_read_thinking,
     "enabled with budget_tokens, adaptive, disabled"},
    {"thinking.display", FIELD_OWN, AT(reasoning_summary), 0, 0, NULL, ""},
    {"output_config", FIELD_OWN, AT(format), 0, 0, anthropic_read_output_config,
     "effort; format: json_schema"},
    {"output_config.effort", FIELD_OWN, AT(reasoning_effort), 0, 0, NULL, ""},
    {"output_format", FIELD_OWN, AT(format), 0, 0, anthropic_read_output_format,
     "what output_config.format was called first"},
    {"metadata", FIELD_OWN, AT(user), 0, 0, anthropic_read_metadata, "user_id"},
    {"service_tier", FIELD_OWN, AT(service_tier), 0, 0, anthropic_read_service_tier,
     "auto, standard_only"},
};
const size_t anthropic_field_count = ARRAY_LEN(anthropic_fields);

/* ---- usage ---- */

/* Counts are running totals: a 0 behind a count is none. */
static void read_count(const struct json *j, json_ref object, struct str key, int64_t *out)
{
    int64_t n;

    if (json_i64(j, json_get(j, object, key), &n) && n >= (*out > 0 ? 1 : 0) &&
        n <= (int64_t)TOKENS_MAX * 1000)
        *out = n;
}

/* A prompt of no tokens is one that was not counted. */
void anthropic_read_usage(const struct json *j, json_ref usage, struct usage *out)
{
    json_ref created = json_get(j, usage, STR("cache_creation"));
    int64_t fresh = -1, written = -1, all;

    if (json_kind(j, usage) != JSON_OBJECT)
        return;
    if (out->tokens_in >= 0)
        fresh = out->tokens_in - MAX_OF(out->tokens_cached, 0) -
                MAX_OF(out->tokens_cache_write, 0) - MAX_OF(out->tokens_cache_write_long, 0);
    read_count(j, usage, STR("input_tokens"), &fresh);
    read_count(j, usage, STR("output_tokens"), &out->tokens_out);
    read_count(j, usage, STR("cache_read_input_tokens"), &out->tokens_cached);
    read_count(j, created, STR("ephemeral_5m_input_tokens"), &out->tokens_cache_write);
    read_count(j, created, STR("ephemeral_1h_input_tokens"), &out->tokens_cache_write_long);
    read_count(j, usage, STR("cache_creation_input_tokens"), &written);
    if (written > 0 || (written == 0 && out->tokens_cache_write < 0))
        /* what the split does not explain was written the usual way */
        out->tokens_cache_write = MAX_OF(written - MAX_OF(out->tokens_cache_write_long, 0), 0);
    read_count(j, json_get(j, usage, STR("output_tokens_details")), STR("thinking_tokens"),
               &out->tokens_reasoning);
    all = MAX_OF(fresh, 0) + MAX_OF(out->tokens_cached, 0) + MAX_OF(out->tokens_cache_write, 0) +
          MAX_OF(out->tokens_cache_write_long, 0);
    if (fresh >= 0 && all > 0)
        out->tokens_in = all;
}

static void write_count(struct json_writer *w, const char *key, int64_t n)
{
    jw_key(w, key);
    jw_i64(w, MAX_OF(n, 0));
}

struct str anthropic_tier(struct arena *arena, struct str tier)
{
    return str_eq(tier, STR("default")) ? STR("standard") : arena_str(arena, tier);
}

struct str anthropic_tier_read(struct str tier)
{
    return str_eq(tier, STR("standard")) ? STR("default") : tier;
}

void anthropic_write_usage(struct json_writer *w, const struct usage *usage, struct str tier)
{
    int64_t cached = MAX_OF(usage->tokens_cached, 0), brief = MAX_OF(usage->tokens_cache_write, 0),
            lasting = MAX_OF(usage->tokens_cache_write_long, 0);

    jw_object(w);
    write_count(w, "input_tokens", usage->tokens_in - cached - brief - lasting);
    write_count(w, "cache_creation_input_tokens", brief + lasting);
    write_count(w, "cache_read_input_tokens", cached);
    if (usage->tokens_cache_write > 0 || usage->tokens_cache_write_long > 0) {
        jw_key(w, "cache_creation");
        jw_object(w);
        write_count(w, "ephemeral_5m_input_tokens", brief);
        write_count(w, "ephemeral_1h_input_tokens", lasting);
        jw_object_end(w);
    }
    write_count(w, "output_tokens", usage->tokens_out);
    if (usage->tokens_reasoning > 0) {
        jw_key(w, "output_tokens_details");
        jw_object(w);
        write_count(w, "thinking_tokens", usage->tokens_reasoning);
        jw_object_end(w);
    }
    if (tier.len) {
        jw_key(w, "service_tier");
        jw_str(w, tier);
    }
    jw_object_end(w);
}

/* ---- why it ended ---- */

static const struct {
    const char *reason;
    enum finish_reason finish;
} reasons[] = {
    {"end_turn", FINISH_STOP},
    {"stop_sequence", FINISH_STOP},
    {"max_tokens", FINISH_LENGTH},
    {"tool_use", FINISH_TOOL_CALLS},
    {"refusal", FINISH_REFUSAL},
    {"pause_turn", FINISH_PAUSE},
    {"model_context_window_exceeded", FINISH_CONTEXT},
};

enum finish_reason anthropic_finish(struct str stop_reason)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_eq(stop_reason, str_from(reasons[i].reason)))
            return reasons[i].finish;
    return FINISH_STOP;
}

const char *anthropic_stop_reason(enum finish_reason finish, bool by_stop_sequence)
{
    if (by_stop_sequence)
        return "stop_sequence";
    if (finish == FINISH_CONTENT_FILTER)
        return "refusal";
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].finish == finish)
            return reasons[i].reason;
    return "end_turn";
}

/* ---- errors ---- */

static const struct {
    int status;
    const char *type;
} errors[] = {
    {400, "invalid_request_error"}, {401, "authentication_error"}, {402, "billing_error"},
    {403, "permission_error"},      {404, "not_found_error"},      {405, "invalid_request_error"},
    {408, "timeout_error"},         {413, "request_too_large"},    {415, "invalid_request_error"},
    {422, "invalid_request_error"}, {429, "rate_limit_error"},     {503, "overloaded_error"},
    {504, "timeout_error"},         {529, "overloaded_error"},
};

static const char *error_type(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].status == status)
            return errors[i].type;
    return "api_error";
}

static void write_error_object(struct json_writer *w, int status, const char *message)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "error");
    jw_key(w, "error");
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, error_type(status));
    jw_key(w, "message");
    jw_cstr(w, message);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_error(struct buf *out, int status, const char *code, const struct err *err)
{
    struct json_writer w;

    /* A quota is the account's: there is a type for it that clients do not retry. */
    if (code && str_eq(str_from(code), STR("insufficient_quota")))
        status = 402;
    jw_init(&w, out);
    write_error_object(&w, status, err->text);
    buf_char(out, '\n');
}

static void write_request_id(struct buf *out, struct str id)
{
    if (!buf_ok(out) || !str_ends(buf_view(out), STR("}\n")))
        return;
    out->len -= 2; /* back into the object */
    buf_str(out, STR(",\"request_id\":"));
    buf_json_str(out, id);
    buf_str(out, STR("}\n"));
}

static void write_stream_error(struct said_writer *w, struct buf *out, const struct err *err)
{
    struct json_writer jw;

    (void)w;
    buf_str(out, STR("event: error\ndata: "));
    jw_init(&jw, out);
    write_error_object(&jw, err_http_status(err->code), err->text);
    buf_str(out, STR("\n\n"));
}

/* {"type":"error","error":{"type","message"},"request_id"} */
static void read_error(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code)
{
    struct err ignored = {0};
    struct json *j = said_json(arena, body, &ignored);
    json_ref error = j ? json_get(j, json_root(j), STR("error")) : 0;

    (void)param;
    (void)code;
    if (!j || !json_str(j, json_get(j, error, STR("type")), arena, type))
        *type = str_from(error_type(status));
    if (!j || !json_str(j, json_get(j, error, STR("message")), arena, message))
        *message = STR_NONE;
}

const struct dialect dialect_anthropic = {
    .name = "anthropic",
    .framing = FRAMING_SSE,
    .fields = anthropic_fields,
    .field_count = ARRAY_LEN(anthropic_fields),
    .read_request = anthropic_read_request,
    .write_request = anthropic_write_request,
    .splice_request = anthropic_splice_request,
    .reader_init = anthropic_reader_init,
    .read_said = anthropic_read_said,
    .at_end = anthropic_at_end,
    .read_error = read_error,
    .writer_init = anthropic_writer_init,
    .write_said = anthropic_write_said,
    .carries = CARRIES(SAID_SEARCHED) | CARRIES(SAID_FOUND) | CARRIES(SAID_RAN) |
               CARRIES(SAID_PRINTED) | CARRIES(SAID_TEXT) | CARRIES(SAID_REASONING) |
               CARRIES(SAID_REFUSAL) | CARRIES(SAID_TOOL) | CARRIES(SAID_ARGUMENTS) |
               CARRIES(SAID_CITATION) | CARRIES(SAID_MEDIA) | CARRIES(SAID_TIER) | CARRIES_STOP |
               CARRIES_PAUSE | CARRIES_SIGNED_THINK | CARRIES_REDACTED | CARRIES_CACHE_WRITES |
               CARRIES_REASONED,
    .stream_type = {"text/event-stream", 17},
    .write_error = write_error,
    .write_request_id = write_request_id,
    .write_stream_error = write_stream_error,
};
