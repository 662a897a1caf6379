/* The dialect of Amazon Bedrock's Converse and ConverseStream: its table of fields and its errors. */
#include "models/bedrock_internal.h"

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
const struct field bedrock_fields[] = {
    {"maxTokens", FIELD_INT, AT(max_tokens), 1, 1e9, NULL, "Tokens of an answer at most."},
    {"topP", FIELD_NUMBER, AT(top_p), 0, 1, NULL, "Probability mass to choose from."},
    /* Handled by the writer. */
    {"temperature", FIELD_OWN, AT(temperature), 0, 1, NULL, "Randomness, up to 1."},
    {"stopSequences", FIELD_OWN, AT(stops), 0, 0, NULL, "Texts that end an answer."},
    {"system", FIELD_OWN, AT(turns), 0, 0, NULL, "What stands above the conversation."},
    {"messages", FIELD_OWN, AT(turns), 0, 0, NULL,
     "The conversation; system turns go to `system`."},
    {"toolConfig.tools", FIELD_OWN, AT(tools), 0, 0, NULL, "Functions."},
    {"toolConfig.toolChoice", FIELD_OWN, AT(tool_choice), 0, 0, NULL, "auto, any or one tool."},
    {"outputConfig.textFormat", FIELD_OWN, AT(format), 0, 0, NULL, "A JSON schema for the answer."},
    {"requestMetadata", FIELD_RAW, AT(metadata), 0, 0, NULL,
     "Names and values for the invocation log."},
    {"serviceTier", FIELD_OWN, AT(service_tier), 0, 0, NULL, "default, flex, priority, reserved."},
    {"additionalModelRequestFields.top_k", FIELD_OWN, AT(top_k), 0, 0, NULL,
     "Tokens to choose from, as each maker calls it."},
    {"additionalModelRequestFields.thinking", FIELD_OWN, AT(reasoning_budget), 0, 0, NULL,
     "Claude's thinking."},
    {"outputConfig.effort", FIELD_OWN, AT(reasoning_effort), 0, 0, NULL,
     "How much Claude thinks; reasoning_effort of OpenAI's open models."},
    {"reasoning_summary", FIELD_OWN, AT(reasoning_summary), 0, 0, NULL,
     "Reasoning is always told where there is one."},
    {"dimensions", FIELD_OWN, AT(dimensions), 0, 0, NULL, "Of embeddings."},
    {"top_n", FIELD_OWN, AT(top_n), 0, 0, NULL, "Documents that a reranker gives."},
    {"return_documents", FIELD_OWN, AT(return_documents), 0, 0, NULL,
     "Never asked for: the reply has the client's own."},
};
/* clang-format on */
const size_t bedrock_config_count = 2;
const size_t bedrock_field_count = ARRAY_LEN(bedrock_fields);

/* {"message":"..."}; the type stands in a header that is not here, or in __type. */
static void read_error(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code)
{
    struct err ignored = {0};
    struct json *j = said_json(arena, body, &ignored);
    json_ref root = j ? json_root(j) : 0, text;
    size_t hash;

    (void)param;
    *code = status == 429                    ? STR("ThrottlingException")
            : status == 403                  ? STR("AccessDeniedException")
            : status == 404                  ? STR("ResourceNotFoundException")
            : status == 408 || status == 424 ? STR("ModelErrorException")
            : status < 500                   ? STR("ValidationException")
                                             : STR("InternalServerException");
    *type = *code;
    if (!j)
        return;
    text = json_get(j, root, STR("message"));
    (void)!json_str(j, text ? text : json_get(j, root, STR("Message")), arena, message);
    if (!json_str(j, json_get(j, root, STR("__type")), arena, type))
        return;
    hash = str_find_char(*type, '#'); /* com.amazon.coral.service#ThrottlingException */
    *type = str_slice(*type, hash < type->len ? hash + 1 : 0, type->len);
    *code = *type;
}

const struct dialect dialect_bedrock = {
    .name = "bedrock",
    .framing = FRAMING_AWS,
    .fields = bedrock_fields,
    .field_count = ARRAY_LEN(bedrock_fields),
    .read_request = bedrock_read_request,
    .write_request = bedrock_write_request,
    .reader_init = bedrock_reader_init,
    .read_said = bedrock_read_said,
    .at_end = bedrock_at_end,
    .read_error = read_error,
    .writer_init = bedrock_writer_init,
    .write_said = bedrock_write_said,
    .write_error = bedrock_write_error,
    .write_stream_error = bedrock_write_stream_error,
    .carries = CARRIES(SAID_TEXT) | CARRIES(SAID_REASONING) | CARRIES(SAID_REFUSAL) |
               CARRIES(SAID_TOOL) | CARRIES(SAID_ARGUMENTS) | CARRIES(SAID_CITATION) |
               CARRIES(SAID_MEDIA) | CARRIES(SAID_TIER) | CARRIES_STOP | CARRIES_SIGNED_THINK |
               CARRIES_REDACTED | CARRIES_CACHE_WRITES,
    .stream_type = {"application/vnd.amazon.eventstream", 34},
};
