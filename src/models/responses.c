/* The Responses dialect: POST /v1/responses, for clients and for providers. */
#include "models/responses.h"

#include "models/chat.h"

#define TOKENS_MAX 1000000000

#define AT(member) offsetof(struct conversation, member)

const struct field responses_fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, responses_read_model, "the model's name"},
    {"input", FIELD_OWN, AT(turns), 0, 0, responses_read_input,
     "a text, or items: messages, function calls and their outputs, reasoning, references"},
    {"instructions", FIELD_OWN, AT(turns), 0, 0, responses_read_instructions,
     "what the system says"},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "answer as server-sent events"},
    {"stream_options", FIELD_OWN, AT(stream), 0, 0, responses_read_stream_options,
     "include_obfuscation; events are not padded"},
    {"max_output_tokens", FIELD_INT, AT(max_tokens), 1, TOKENS_MAX, NULL, "of the answer"},
    {"temperature", FIELD_NUMBER, AT(temperature), 0, 2, NULL, "0 to 2"},
    {"top_p", FIELD_NUMBER, AT(top_p), 0, 1, NULL, "0 to 1"},
    {"top_logprobs", FIELD_INT, AT(top_logprobs), 0, 20, NULL, "0 to 20"},
    {"logprobs", FIELD_OWN, AT(logprobs), 0, 0, NULL, ""},
    {"tools", FIELD_OWN, AT(tools), 0, 0, responses_read_tools,
     "functions, and the provider's own"},
    {"tool_choice", FIELD_OWN, AT(tool_choice), 0, 0, responses_read_tool_choice,
     "auto, none, required, a function"},
    {"parallel_tool_calls", FIELD_TRI, AT(parallel_tools), 0, 0, NULL, ""},
    {"text", FIELD_OWN, AT(format), 0, 0, responses_read_text,
     "format: text, json_object, json_schema; verbosity"},
    {"text.verbosity", FIELD_OWN, AT(verbosity), 0, 0, NULL, ""},
    {"reasoning", FIELD_OWN, AT(reasoning_effort), 0, 0, responses_read_reasoning,
     "effort, summary"},
    {"reasoning.summary", FIELD_OWN, AT(reasoning_summary), 0, 0, NULL, ""},
    {"reasoning.effort", FIELD_OWN, AT(reasoning_budget), 0, 0, NULL, ""},
    {"include", FIELD_OWN, AT(extras), 0, 0, responses_read_include,
     "reasoning.encrypted_content, message.output_text.logprobs"},
    {"metadata", FIELD_OWN, AT(metadata), 0, 0, responses_read_metadata,
     "kept and shown with the answer"},
    {"truncation", FIELD_OWN, AT(extras), 0, 0, responses_read_truncation, "disabled"},
    {"store", FIELD_OWN, AT(extras), 0, 0, responses_read_store, "true unless said otherwise"},
    {"previous_response_id", FIELD_OWN, AT(extras), 0, 0, responses_read_previous,
     "an answer that is kept here, asked for with the same key"},
    {"background", FIELD_OWN, AT(extras), 0, 0, responses_read_background, "false"},
    {"conversation", FIELD_OWN, AT(extras), 0, 0, responses_read_unkept, "refused"},
    {"prompt", FIELD_OWN, AT(extras), 0, 0, responses_read_unkept, "refused"},
    {"user", FIELD_TEXT, AT(user), 0, 0, NULL, ""},
    {"service_tier", FIELD_TEXT, AT(service_tier), 0, 0, NULL, ""},
};
const size_t responses_field_count = ARRAY_LEN(responses_fields);

/* ---- usage ---- */

static void read_count(const struct json *j, json_ref object, struct str key, int64_t *out)
{
    int64_t n;

    if (json_i64(j, json_get(j, object, key), &n) && n >= 0 && n <= (int64_t)TOKENS_MAX * 1000)
        *out = n;
}

void responses_read_usage(const struct json *j, json_ref usage, struct usage *out)
{
    json_ref in = json_get(j, usage, STR("input_tokens_details"));

    read_count(j, usage, STR("input_tokens"), &out->tokens_in);
    read_count(j, usage, STR("output_tokens"), &out->tokens_out);
    read_count(j, in, STR("cached_tokens"), &out->tokens_cached);
    read_count(j, in, STR("cache_write_tokens"), &out->tokens_cache_write);
    read_count(j, json_get(j, usage, STR("output_tokens_details")), STR("reasoning_tokens"),
               &out->tokens_reasoning);
}

static void write_detail(struct json_writer *w, const char *object, const char *key, int64_t n)
{
    jw_key(w, object);
    jw_object(w);
    jw_key(w, key);
    jw_i64(w, MAX_OF(n, 0));
    jw_object_end(w);
}

void responses_write_usage(struct json_writer *w, const struct usage *usage)
{
    int64_t in = MAX_OF(usage->tokens_in, 0), out = MAX_OF(usage->tokens_out, 0);
    int64_t written =
        MAX_OF(usage->tokens_cache_write, 0) + MAX_OF(usage->tokens_cache_write_long, 0);

    jw_object(w);
    jw_key(w, "input_tokens");
    jw_i64(w, in);
    jw_key(w, "input_tokens_details");
    jw_object(w);
    jw_key(w, "cached_tokens");
    jw_i64(w, MAX_OF(usage->tokens_cached, 0));
    if (written > 0) {
        jw_key(w, "cache_write_tokens");
        jw_i64(w, written);
    }
    jw_object_end(w);
    jw_key(w, "output_tokens");
    jw_i64(w, out);
    write_detail(w, "output_tokens_details", "reasoning_tokens", usage->tokens_reasoning);
    jw_key(w, "total_tokens");
    jw_i64(w, in + out);
    jw_object_end(w);
}

/* ---- errors: as the chat dialect writes them ---- */

static void write_error(struct buf *out, int status, const char *code, const struct err *err)
{
    if (code && *code)
        chat_write_error_as(out, code, err);
    else
        chat_write_error(out, status, err);
}

static void read_error(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code)
{
    dialect_openai.read_error(arena, body, status, type, message, param, code);
}

const struct dialect dialect_responses = {
    .name = "responses",
    .framing = FRAMING_SSE,
    .fields = responses_fields,
    .field_count = ARRAY_LEN(responses_fields),
    .read_request = responses_read_request,
    .write_request = responses_write_request,
    .splice_request = responses_splice_request,
    .reader_init = responses_reader_init,
    .read_said = responses_read_said,
    .at_end = responses_at_end,
    .read_error = read_error,
    .writer_init = responses_writer_init,
    .write_said = responses_write_said,
    .carries = CARRIES(SAID_SEARCHED) | CARRIES(SAID_FOUND) | CARRIES(SAID_RAN) |
               CARRIES(SAID_PRINTED) | CARRIES(SAID_TEXT) | CARRIES(SAID_REASONING) |
               CARRIES(SAID_REFUSAL) | CARRIES(SAID_TOOL) | CARRIES(SAID_ARGUMENTS) |
               CARRIES(SAID_CITATION) | CARRIES(SAID_MEDIA) | CARRIES(SAID_LOGPROBS) |
               CARRIES(SAID_TIER) | CARRIES_SIGNED_THINK | CARRIES_REDACTED | CARRIES_CACHE_WRITES |
               CARRIES_REASONED,
    .stream_type = {"text/event-stream", 17},
    .write_error = write_error,
    .write_stream_error = responses_write_stream_error,
};
