/* The dialect of Google's Gemini API: its table of fields, its errors, and where its requests go. */
#include "models/gemini.h"

#include "models/gemini_internal.h"
#include "models/tools.h"

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
#define CONFIG_ROWS                                                                                  \
    {"temperature", FIELD_NUMBER, AT(temperature), 0, 2, NULL, "Randomness."},                       \
        {"topP", FIELD_NUMBER, AT(top_p), 0, 1, NULL, "Probability mass to choose from."},           \
        {"topK", FIELD_INT, AT(top_k), 0, 1000000, NULL, "Tokens to choose from."},                  \
        {"candidateCount", FIELD_INT, AT(n), 1, 8, NULL, "Answers to make."},                        \
        {"maxOutputTokens",                                                                          \
         FIELD_INT,                                                                                  \
         AT(max_tokens),                                                                             \
         0,                                                                                          \
         1e9,                                                                                        \
         NULL,                                                                                       \
         "Tokens of an answer at most."},                                                            \
        {"stopSequences",                                                                            \
         FIELD_OWN,                                                                                  \
         AT(stops),                                                                                  \
         0,                                                                                          \
         0,                                                                                          \
         gemini_read_stops,                                                                          \
         "Texts that end an answer; a provider takes five."},                                        \
        {"seed", FIELD_INT, AT(seed), -2147483648.0, 2147483647, NULL, "For answers that repeat."},  \
        {"presencePenalty",       FIELD_NUMBER, AT(presence_penalty), -2, 2, NULL,                   \
         "Against what was said."},                                                                  \
        {"frequencyPenalty",   FIELD_NUMBER, AT(frequency_penalty), -2, 2, NULL,                     \
         "Against repetition."},                                                                     \
        {"responseLogprobs", FIELD_TRI, AT(logprobs), 0, 0, NULL, "Whether to tell probabilities."}, \
        {"logprobs", FIELD_INT, AT(top_logprobs), 0, 20, NULL, "Other tokens whose are told."},      \
        {"responseMimeType",                                                                         \
         FIELD_OWN,                                                                                  \
         AT(format),                                                                                 \
         0,                                                                                          \
         0,                                                                                          \
         gemini_read_mime,                                                                           \
         "text/plain, application/json or text/x.enum."},                                            \
        {"responseSchema",                                                                           \
         FIELD_OWN,                                                                                  \
         AT(schema),                                                                                 \
         0,                                                                                          \
         0,                                                                                          \
         gemini_read_schema,                                                                         \
         "Shape of the answer, in the OpenAPI subset."},                                             \
        {"responseJsonSchema",                                                                       \
         FIELD_OWN,                                                                                  \
         AT(schema),                                                                                 \
         0,                                                                                          \
         0,                                                                                          \
         gemini_read_json_schema,                                                                    \
         "Shape of the answer, as a JSON schema."},                                                  \
        {"thinkingConfig",                                                                           \
         FIELD_OWN,                                                                                  \
         AT(reasoning_budget),                                                                       \
         0,                                                                                          \
         0,                                                                                          \
         gemini_read_thinking,                                                                       \
         "thinkingBudget, thinkingLevel, includeThoughts."},                                         \
    {                                                                                                \
        "responseModalities", FIELD_OWN, AT(modalities), 0, 0, gemini_read_modalities,               \
            "TEXT, IMAGE, AUDIO."                                                                    \
    }

const struct field gemini_fields[] = {
    CONFIG_ROWS,
    {"contents", FIELD_OWN, AT(turns), 0, 0, gemini_read_contents, "The conversation."},
    {"systemInstruction", FIELD_OWN, AT(turns), 0, 0, gemini_read_system, "What stands above it."},
    {"system_instruction", FIELD_OWN, AT(turns), 0, 0, gemini_read_system, "The same."},
    {"tools", FIELD_OWN, AT(tools), 0, 0, gemini_read_tools,
     "functionDeclarations; Google's own tools."},
    {"toolConfig", FIELD_OWN, AT(tool_choice), 0, 0, gemini_read_tool_config,
     "functionCallingConfig: mode, allowedFunctionNames."},
    {"tool_config", FIELD_OWN, AT(tool_choice), 0, 0, gemini_read_tool_config, "The same."},
    {"generationConfig", FIELD_OWN, AT(max_tokens), 0, 0, gemini_read_config,
     "Holds the first rows."},
    {"generation_config", FIELD_OWN, AT(max_tokens), 0, 0, gemini_read_config, "The same."},
    {"model", FIELD_OWN, AT(model), 0, 0, NULL, "Stands in the path; here it says nothing."},
    {"safetySettings", FIELD_EXTRA, 0, 0, 0, NULL, "For Gemini providers, as it came."},
    {"cachedContent", FIELD_EXTRA, 0, 0, 0, NULL, "For Gemini providers, as it came."},
    {"labels", FIELD_EXTRA, 0, 0, 0, NULL, "For Gemini providers, as it came."},
    /* Handled by the writer without a row of the name. */
    {"generationConfig.thinkingConfig.thinkingLevel", FIELD_OWN, AT(reasoning_effort), 0, 0, NULL,
     "minimal, low, medium, high."},
    {"generationConfig.thinkingConfig.includeThoughts", FIELD_OWN, AT(reasoning_summary), 0, 0,
     NULL, "Whether the answer has what was thought."},
    {"toolConfig.functionCallingConfig.mode", FIELD_OWN, AT(tool_name), 0, 0, NULL,
     "AUTO, ANY, NONE, VALIDATED."},
    {"outputDimensionality", FIELD_OWN, AT(dimensions), 0, 0, NULL, "Of embeddings."},
};
enum { CONFIG_COUNT = sizeof((const struct field[]){CONFIG_ROWS}) / sizeof(struct field) };

/* The other spelling is read as well, as Google's servers and the examples of its documentation have it. */
const struct field gemini_config_read[] = {
    CONFIG_ROWS,
    {"top_p", FIELD_NUMBER, AT(top_p), 0, 1, NULL, ""},
    {"top_k", FIELD_INT, AT(top_k), 0, 1000000, NULL, ""},
    {"candidate_count", FIELD_INT, AT(n), 1, 8, NULL, ""},
    {"max_output_tokens", FIELD_INT, AT(max_tokens), 0, 1e9, NULL, ""},
    {"stop_sequences", FIELD_OWN, AT(stops), 0, 0, gemini_read_stops, ""},
    {"presence_penalty", FIELD_NUMBER, AT(presence_penalty), -2, 2, NULL, ""},
    {"frequency_penalty", FIELD_NUMBER, AT(frequency_penalty), -2, 2, NULL, ""},
    {"response_logprobs", FIELD_TRI, AT(logprobs), 0, 0, NULL, ""},
    {"response_mime_type", FIELD_OWN, AT(format), 0, 0, gemini_read_mime, ""},
    {"response_schema", FIELD_OWN, AT(schema), 0, 0, gemini_read_schema, ""},
    {"response_json_schema", FIELD_OWN, AT(schema), 0, 0, gemini_read_json_schema, ""},
    {"thinking_config", FIELD_OWN, AT(reasoning_budget), 0, 0, gemini_read_thinking, ""},
    {"response_modalities", FIELD_OWN, AT(modalities), 0, 0, gemini_read_modalities, ""},
};
/* clang-format on */
const size_t gemini_config_read_count = ARRAY_LEN(gemini_config_read);
const size_t gemini_config_count = CONFIG_COUNT;
const size_t gemini_body_count = ARRAY_LEN(gemini_fields) - CONFIG_COUNT - 4;
const size_t gemini_field_count = ARRAY_LEN(gemini_fields);

/* ---- errors ---- */

static const char *status_name(int status)
{
    switch (status) {
    case 400: return "INVALID_ARGUMENT";
    case 401: return "UNAUTHENTICATED";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 409: return "ABORTED";
    case 413: return "INVALID_ARGUMENT";
    case 429: return "RESOURCE_EXHAUSTED";
    case 499: return "CANCELLED";
    case 501: return "UNIMPLEMENTED";
    case 503: return "UNAVAILABLE";
    case 504: return "DEADLINE_EXCEEDED";
    default: return status < 500 ? "FAILED_PRECONDITION" : "INTERNAL";
    }
}

void gemini_write_error(struct buf *out, int status, const char *code, const struct err *err)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "error");
    jw_object(&w);
    jw_key(&w, "code");
    jw_i64(&w, status);
    jw_key(&w, "message");
    jw_cstr(&w, err->text);
    jw_key(&w, "status");
    jw_cstr(&w, status_name(status));
    if (code && code[0]) {
        jw_key(&w, "details");
        jw_array(&w);
        jw_object(&w);
        jw_key(&w, "@type");
        jw_cstr(&w, "type.googleapis.com/google.rpc.ErrorInfo");
        jw_key(&w, "reason");
        jw_cstr(&w, code);
        jw_key(&w, "domain");
        jw_cstr(&w, "weir");
        jw_object_end(&w);
        jw_array_end(&w);
    }
    jw_object_end(&w);
    jw_object_end(&w);
}

/* BadRequest.fieldViolations[0].field, where the provider says which. */
static void read_details(struct arena *arena, const struct json *j, json_ref error,
                         struct str *param, struct str *code)
{
    json_ref details = json_get(j, error, STR("details"));

    for (json_ref d = json_first(j, details); d; d = json_next(j, d)) {
        json_ref violations = json_get(j, d, STR("fieldViolations"));

        if (!param->len)
            (void)!json_str(j, json_get(j, json_first(j, violations), STR("field")), arena, param);
        if (!code->len)
            (void)!json_str(j, json_get(j, d, STR("reason")), arena, code);
    }
}

/* google.rpc.RetryInfo: {"retryDelay":"34.074824224s"}; whole seconds, upwards. */
static struct str read_retry(struct arena *arena, struct str body)
{
    struct err ignored = {0};
    struct json *j = said_json(arena, body, &ignored);
    json_ref root = j ? json_root(j) : 0, details;

    if (!j)
        return STR_NONE;
    if (json_kind(j, root) == JSON_ARRAY)
        root = json_first(j, root);
    details = json_get(j, json_get(j, root, STR("error")), STR("details"));
    for (json_ref d = json_first(j, details); d; d = json_next(j, d)) {
        struct str delay = STR_NONE;
        uint64_t seconds;
        size_t point;

        if (!json_str(j, json_get(j, d, STR("retryDelay")), arena, &delay) ||
            !str_ends(delay, STR("s")))
            continue;
        point = MIN_OF(str_find_char(delay, '.'), delay.len - 1);
        if (u64_parse(str_slice(delay, 0, point), &seconds) && seconds < UINT32_MAX)
            return arena_fmt(arena, "%" PRIu64, seconds + (point + 1 < delay.len));
    }
    return STR_NONE;
}

/* {"error":{...}}, or the same inside an array. */
static void read_error(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code)
{
    struct err ignored = {0};
    struct json *j = said_json(arena, body, &ignored);
    json_ref root = j ? json_root(j) : 0, error;

    (void)status;
    if (!j)
        return;
    if (json_kind(j, root) == JSON_ARRAY)
        root = json_first(j, root);
    error = json_get(j, root, STR("error"));
    (void)!json_str(j, json_get(j, error, STR("status")), arena, type);
    (void)!json_str(j, json_get(j, error, STR("message")), arena, message);
    read_details(arena, j, error, param, code);
    if (!code->len)
        *code = *type;
}

/* ---- where requests go ---- */

static bool asks_for_events(struct str query)
{
    for (struct str rest = query, part; str_split(&rest, '&', &part);)
        if (str_eq(part, STR("alt=sse")))
            return true;
    return false;
}

bool gemini_path_read(struct arena *arena, struct str path, struct gemini_path *out,
                      struct err *err)
{
    size_t question = str_find_char(path, '?');
    struct str query = str_slice(path, question + 1, path.len);
    struct gemini_path got = {0};

    path = str_slice(path, 0, question);
    if (!str_starts(path, STR("models/")))
        return err_set(err, ERR_NOT_FOUND, "expected models/NAME:generateContent");
    if (!path_decode(arena, str_slice(path, 7, path.len), &path, err))
        return false;
    for (size_t i = path.len; i > 0 && !got.verb.ptr; i--)
        if (path.ptr[i - 1] == ':' && i < path.len) {
            got.model = str_slice(path, 0, i - 1);
            got.verb = str_slice(path, i, path.len);
        }
    /* A name may hold colons itself: what stands behind the last one must be a verb. */
    if (str_eq(got.verb, STR("generateContent"))) {
        got.speaks = &dialect_gemini;
    } else if (str_eq(got.verb, STR("streamGenerateContent"))) {
        got.stream = true;
        got.speaks = asks_for_events(query) ? &dialect_gemini : &dialect_gemini_array;
    } else if (str_eq(got.verb, STR("embedContent")) ||
               str_eq(got.verb, STR("batchEmbedContents"))) {
        got.speaks = &dialect_gemini_embed;
    } else if (!str_eq(got.verb, STR("countTokens"))) {
        got.model = path;
        got.verb = STR("");
    }
    if (!got.model.len)
        return err_set(err, ERR_NOT_FOUND, "expected models/NAME:generateContent");
    *out = got;
    return true;
}

/* ---- the dialects ---- */

#define CARRIED                                                                                   \
    (CARRIES(SAID_TEXT) | CARRIES(SAID_REASONING) | CARRIES(SAID_REFUSAL) | CARRIES(SAID_TOOL) |  \
     CARRIES(SAID_ARGUMENTS) | CARRIES(SAID_CITATION) | CARRIES(SAID_MEDIA) | CARRIES(SAID_RAN) | \
     CARRIES(SAID_PRINTED) | CARRIES(SAID_LOGPROBS) | CARRIES(SAID_VECTOR) | CARRIES_CHOICES |    \
     CARRIES_SIGNED_TEXT | CARRIES_SIGNED_CALL | CARRIES_SIGNED_THINK | CARRIES_SOUND |           \
     CARRIES_MODALITIES | CARRIES_REASONED)
#define SPOKEN_BY_CLIENTS                                                                 \
    .carries = CARRIED, .fields = gemini_fields, .field_count = ARRAY_LEN(gemini_fields), \
    .write_said = gemini_write_said, .write_error = gemini_write_error,                   \
    .write_stream_error = gemini_write_stream_error

const struct dialect dialect_gemini = {
    .name = "gemini",
    .framing = FRAMING_SSE,
    .read_request = gemini_read_request,
    .write_request = gemini_write_request,
    .splice_request = gemini_splice_request,
    .reader_init = gemini_reader_init,
    .read_said = gemini_read_said,
    .at_end = gemini_at_end,
    .read_error = read_error,
    .read_retry = read_retry,
    .writer_init = gemini_writer_init,
    .stream_type = {"text/event-stream", 17},
    SPOKEN_BY_CLIENTS,
};

const struct dialect dialect_gemini_array = {
    .name = "gemini",
    .framing = FRAMING_SSE,
    .read_request = gemini_read_request,
    .writer_init = gemini_array_writer_init,
    .stream_type = {"application/json", 16},
    SPOKEN_BY_CLIENTS,
};

const struct dialect dialect_gemini_embed = {
    .name = "gemini",
    .framing = FRAMING_SSE,
    .read_request = gemini_read_request,
    .writer_init = gemini_writer_init,
    .stream_type = {"application/json", 16},
    SPOKEN_BY_CLIENTS,
};
