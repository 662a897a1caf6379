/* Nothing of an answer is lost without a word: for each provider dialect an answer that holds every field
 * its documentation knows, whole and streamed; for each client dialect every one of them is in the reply or
 * in its list of what was dropped. */
#include <stdio.h>
#include <string.h>

#include "dialect_kit.h"
#include "models/aws_frames.h"
#include "models/gemini.h"
#include "test.h"

#define MEMORY (64 * MIB)

/* What an answer says, by a word that stands nowhere else in it, and what it is called when it is lost. */
struct fact {
    const char *word, *lost;
};

struct answer_row {
    const struct dialect *from;
    const char *whole;
    const char *const *stream; /* events, up to a NULL */
    const struct fact *facts;
};

/* clang-format off: JSON as it is sent */

/* ---- OpenAI chat completions ---- */

static const struct fact openai_facts[] = {
    {"wText", NULL},
    {"wReason", "reasoning"},
    {"wRefusal", "refusal"},
    {"https://w.example/url", "citations"},
    {"wTitle", "citations"},
    {"wCall1", "tool_calls"},
    {"wCity", "tool_calls"},
    {"wSignature", "signature"},
    {"wSignature", "tool_calls"},
    {"wToken", "logprobs"},
    {"flex", "service_tier"},
    {"wFingerprint", "system_fingerprint"},
    {"wStop", "stop_sequence"},
    {"wFilter", "choices.content_filter_results"},
    {"1111", NULL},
    {"2222", "usage.accepted_prediction_tokens"},
    {"4444", "usage.cached_tokens"},
    {"wTranscript", "audio"},
    {"wTranscript", "audio.transcript"},
    {"wTranscript", "media"},
    {"wNew", "wNewField"},
    {NULL, NULL},
};
#define OPENAI_TAIL \
    "\"service_tier\":\"flex\",\"system_fingerprint\":\"wFingerprint\",\"wNewField\":\"wNew\""
#define OPENAI_USAGE                                                                      \
    "\"usage\":{\"prompt_tokens\":5555,\"completion_tokens\":1111,\"total_tokens\":6666," \
    "\"prompt_tokens_details\":{\"cached_tokens\":4444},"                                 \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"accepted_prediction_tokens\":2222}}"
#define OPENAI_ANNOTATIONS                                                                       \
    "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://w.example/" \
    "url\","                                                                                     \
    "\"title\":\"wTitle\",\"start_index\":0,\"end_index\":5}}]"
#define OPENAI_PROBS                                                                          \
    "\"logprobs\":{\"content\":[{\"token\":\"wToken\",\"logprob\":-0.5,\"bytes\":null,\"top_" \
    "logprobs\":[]}]}"
#define OPENAI_CALL                                                                      \
    "{\"index\":0,\"id\":\"wCall1\",\"type\":\"function\",\"function\":{\"name\":\"f\"," \
    "\"arguments\":\"{\\\"c\\\":\\\"wCity\\\"}\"},"                                      \
    "\"extra_content\":{\"google\":{\"thought_signature\":\"wSignature\"}}}"

static const char openai_whole[] =
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"r\"," OPENAI_TAIL
    ",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"wText\",\"reasoning_content\":\"wReason\","
    "\"audio\":{\"id\":\"au\",\"data\":\"d0F1\",\"expires_at\":1,\"transcript\":\"wTranscript\"},"
    "\"refusal\":\"wRefusal\"," OPENAI_ANNOTATIONS ",\"tool_calls\":[" OPENAI_CALL
    "]}," OPENAI_PROBS ",\"content_filter_results\":{\"hate\":\"wFilter\"},\"finish_reason\":"
    "\"stop\",\"stop_reason\":\"wStop\"}]," OPENAI_USAGE "}";
#define OPENAI_CHUNK(delta, more)                                                 \
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":" \
    "\"r\"," OPENAI_TAIL ",\"choices\":[{\"index\":0,\"delta\":{" delta "}" more "}]}"
static const char *const openai_stream[] = {
    OPENAI_CHUNK("\"role\":\"assistant\",\"reasoning_content\":\"wReason\"", ""),
    OPENAI_CHUNK("\"content\":\"wText\"",
                 "," OPENAI_PROBS ",\"content_filter_results\":{\"hate\":\"wFilter\"}"),
    OPENAI_CHUNK(OPENAI_ANNOTATIONS, ""),
    OPENAI_CHUNK("\"refusal\":\"wRefusal\"", ""),
    OPENAI_CHUNK("\"tool_calls\":[" OPENAI_CALL "]", ""),
    OPENAI_CHUNK("", ",\"finish_reason\":\"stop\",\"stop_reason\":\"wStop\""),
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"r\",\"choices\":["
    "]," OPENAI_USAGE "}",
    "[DONE]",
    NULL,
};

/* ---- OpenAI Responses ---- */

static const struct fact responses_facts[] = {
    {"wText", NULL},
    {"wReason", "reasoning"},
    {"wRefusal", "refusal"},
    {"https://w.example/url", "citations"},
    {"wCited.pdf", "citations"},
    {"wCall1", "tool_calls"},
    {"wCity", "tool_calls"},
    {"wEncrypted", "signature"},
    {"wEncrypted", "reasoning"},
    {"wToken", "logprobs"},
    {"flex", "service_tier"},
    {"wQuery", "output.web_search_call"},
    {"https://w.example/source", "output.web_search_call.action.sources"},
    {"wCode", "output.code_interpreter_call"},
    {"wLogs", "output.code_interpreter_call"},
    {"wPicture", "code_interpreter_call.outputs"},
    {"wHouse", "code_interpreter_call.container_id"},
    {"wFile", "output.file_search_call"},
    {"wMcp", "output.mcp_call"},
    {"wComputer", "output.computer_call"},
    {"wSHELL", "output.local_shell_call"},
    {"wCustom", "output.custom_tool_call"},
    {"wSpace", "function_call.namespace"},
    {"wCaller", "function_call.caller"},
    {"commentary", "message.phase"},
    {"d0ltYWdl", "media"},
    {"1111", NULL},
    {"wNew", "wNewField"},
    {NULL, NULL},
};
#define RESPONSES_OUTPUT                                                                          \
    "[{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[{\"type\":\"summary_text\",\"text\":"    \
    "\"wReason\"}],\"encrypted_content\":\"wEncrypted\"},"                                        \
    "{\"type\":\"web_search_call\",\"id\":\"ws\",\"status\":\"completed\",\"action\":{\"type\":"  \
    "\"search\",\"query\":\"wQuery\",\"sources\":[{\"type\":\"url\",\"url\":\"https://w.example/" \
    "source\"}]}},"                                                                               \
    "{\"type\":\"code_interpreter_call\",\"id\":\"ci\",\"code\":\"wCode\",\"container_id\":"      \
    "\"wHouse\","                                                                                 \
    "\"outputs\":[{\"type\":\"logs\",\"logs\":\"wLogs\"},{\"type\":\"image\",\"url\":"            \
    "\"wPicture\"}]},"                                                                            \
    "{\"type\":\"file_search_call\",\"id\":\"fs\",\"queries\":[\"wFile\"],\"results\":null},"     \
    "{\"type\":\"mcp_call\",\"id\":\"mc\",\"name\":\"wMcp\",\"arguments\":\"{}\",\"server_"       \
    "label\":\"s\"},"                                                                             \
    "{\"type\":\"computer_call\",\"id\":\"cc\",\"call_id\":\"wComputer\",\"action\":{\"type\":"   \
    "\"wait\"}},"                                                                                 \
    "{\"type\":\"local_shell_call\",\"id\":\"ls\",\"call_id\":\"wSHELL\"},"                       \
    "{\"type\":\"custom_tool_call\",\"id\":\"ct\",\"call_id\":\"wCustom\",\"name\":\"n\","        \
    "\"input\":\"i\"},"                                                                           \
    "{\"type\":\"image_generation_call\",\"id\":\"ig\",\"result\":\"d0ltYWdl\"},"                 \
    "{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"status\":\"completed\","         \
    "\"phase\":\"commentary\","                                                                   \
    "\"content\":[{\"type\":\"output_text\",\"text\":\"wText\","                                  \
    "\"annotations\":[{\"type\":\"url_citation\",\"url\":\"https://w.example/"                    \
    "url\",\"title\":\"T\",\"start_index\":0,\"end_index\":5},"                                   \
    "{\"type\":\"file_citation\",\"file_id\":\"f1\",\"filename\":\"wCited.pdf\",\"index\":3}],"   \
    "\"logprobs\":[{\"token\":\"wToken\",\"logprob\":-0.5,\"bytes\":[],\"top_logprobs\":[]}]},"   \
    "{\"type\":\"refusal\",\"refusal\":\"wRefusal\"}]},"                                          \
    "{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":\"wCall1\",\"name\":\"f\","            \
    "\"arguments\":\"{\\\"c\\\":\\\"wCity\\\"}\",\"namespace\":\"wSpace\",\"caller\":{\"type\":"  \
    "\"program\","                                                                                \
    "\"caller_id\":\"wCaller\"}}]"
#define RESPONSES_OBJECT(status, output, usage)                                        \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"" status \
    "\",\"error\":null,\"incomplete_details\":null,"                                   \
    "\"model\":\"r\",\"output\":" output                                               \
    ",\"parallel_tool_calls\":true,\"temperature\":1,\"service_tier\":\"flex\","       \
    "\"wNewField\":\"wNew\",\"usage\":" usage "}"
#define RESPONSES_USAGE                                                                        \
    "{\"input_tokens\":5555,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":" \
    "1111,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":6666}"
static const char responses_whole[] =
    RESPONSES_OBJECT("completed", RESPONSES_OUTPUT, RESPONSES_USAGE);
static const char *const responses_stream[] = {
    "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":" RESPONSES_OBJECT(
        "in_progress", "[]", "null") "}",
    "{\"type\":\"response.completed\",\"sequence_number\":1,\"response\":" RESPONSES_OBJECT(
        "completed", RESPONSES_OUTPUT, RESPONSES_USAGE) "}",
    NULL,
};

/* ---- Anthropic ---- */

static const struct fact anthropic_facts[] = {
    {"wText", NULL},
    {"wThought", "reasoning"},
    {"wSigned", "signature"},
    {"wSigned", "reasoning"},
    {"d1JlZA==", "reasoning"},
    {"d1JlZA==", "reasoning.redacted"},
    {"https://w.example/url", "citations"},
    {"wDocument", "citations"},
    {"wQuote", "citations"},
    {"wQuote", "citations.cited_text"},
    {"4321", "citations"},
    {"wCall1", "tool_calls"},
    {"wCity", "tool_calls"},
    {"wMood", "content.mood"},
    {"wCaller", "content.caller"},
    {"wSearch", "content.server_tool_use"},
    {"wFound", "content.web_search_tool_result"},
    {"wFound", "content.web_search_tool_result.title"},
    {"wOnlyThere", "content.web_search_tool_result.encrypted_content"},
    {"wPython", "content.server_tool_use"},
    {"wShell", "content.server_tool_use"},
    {"wPrinted", "content.bash_code_execution_tool_result"},
    {"wDrawn", "content.bash_code_execution_tool_result.content"},
    {"wFetched", "content.web_fetch_tool_result"},
    {"wStdout", "content.code_execution_tool_result"},
    {"wMcpUse", "content.mcp_tool_use"},
    {"wMcpResult", "content.mcp_tool_result"},
    {"wUpload", "content.container_upload"},
    {"wStop", "stop_sequence"},
    {"priority", "service_tier"},
    {"7777", "usage.server_tool_use"},
    {"1111", NULL},
    {"2222", "usage.cache_write_tokens"},
    {"wContainer", "container"},
    {"wNew", "wNewField"},
    {NULL, NULL},
};
#define ANTHROPIC_USAGE                                                                        \
    "{\"input_tokens\":1,\"output_tokens\":1111,\"cache_creation_input_tokens\":2222,\"cache_" \
    "read_input_tokens\":0,"                                                                   \
    "\"server_tool_use\":{\"web_search_requests\":7777},\"service_tier\":\"priority\"}"
#define CITED_URL                                                           \
    "{\"type\":\"web_search_result_location\",\"url\":\"https://w.example/" \
    "url\",\"title\":\"T\",\"encrypted_index\":\"E\",\"cited_text\":\"wQuote\"}"
#define CITED_TEXT                                                                              \
    "{\"type\":\"char_location\",\"cited_text\":\"q\",\"document_index\":0,\"document_title\":" \
    "\"wDocument\",\"start_char_index\":4321,\"end_char_index\":4399}"
#define THINKING(text, signature) \
    "{\"type\":\"thinking\",\"thinking\":\"" text "\",\"signature\":\"" signature "\"}"
#define REDACTED "{\"type\":\"redacted_thinking\",\"data\":\"d1JlZA==\",\"mood\":\"wMood\"}"
#define SEARCH                                                                                  \
    "{\"type\":\"server_tool_use\",\"id\":\"s1\",\"name\":\"web_search\",\"input\":{\"query\":" \
    "\"wSearch\"}}"
#define FOUND                                                                                   \
    "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"s1\",\"content\":[{\"type\":\"web_" \
    "search_result\",\"title\":\"wFound\",\"url\":\"u\",\"encrypted_content\":\"wOnlyThere\"}]}"
#define FETCHED                                                                        \
    "{\"type\":\"web_fetch_tool_result\",\"tool_use_id\":\"s2\",\"content\":{\"url\":" \
    "\"wFetched\"}}"
#define CODE(id, name, member, text)                                                             \
    "{\"type\":\"server_tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{\"" member \
    "\":\"" text "\"}}"
#define PYTHON CODE("s3", "code_execution", "code", "wPython")
#define SHELL  CODE("s4", "bash_code_execution", "command", "wShell")
#define PRINTED                                                                            \
    "{\"type\":\"bash_code_execution_tool_result\",\"tool_use_id\":\"s4\",\"content\":{"   \
    "\"type\":\"bash_code_execution_result\",\"stdout\":\"wPrinted\",\"stderr\":\"\","     \
    "\"return_code\":0,\"content\":[{\"type\":\"bash_code_execution_output\",\"file_id\":" \
    "\"wDrawn\"}]}}"
#define RAN                                                                                  \
    "{\"type\":\"code_execution_tool_result\",\"tool_use_id\":\"s3\",\"content\":{\"type\":" \
    "\"code_execution_result\",\"stdout\":\"wStdout\"}}"
#define MCP_USE                                                                            \
    "{\"type\":\"mcp_tool_use\",\"id\":\"p1\",\"name\":\"wMcpUse\",\"server_name\":\"s\"," \
    "\"input\":{}}"
#define MCP_RESULT                                                                           \
    "{\"type\":\"mcp_tool_result\",\"tool_use_id\":\"p1\",\"is_error\":false,\"content\":[{" \
    "\"type\":\"text\",\"text\":\"wMcpResult\"}]}"
#define UPLOAD "{\"type\":\"container_upload\",\"file_id\":\"wUpload\"}"
static const char anthropic_whole[] =
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"r\",\"content\":"
    "[" THINKING(
        "wThought",
        "wSigned") "," REDACTED "," SEARCH "," FOUND "," FETCHED "," PYTHON "," RAN "," SHELL
                   "," PRINTED "," MCP_USE "," MCP_RESULT "," UPLOAD ","
                   "{\"type\":\"text\",\"text\":\"wText\",\"citations\":[" CITED_URL "," CITED_TEXT
                   "]},"
                   "{\"type\":\"tool_use\",\"id\":\"wCall1\",\"name\":\"f\",\"input\":{\"c\":"
                   "\"wCity\"},\"caller\":{\"type\":\"code_execution_20260120\",\"tool_id\":"
                   "\"wCaller\"}}],"
                   "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"wStop\",\"container\":{"
                   "\"id\":\"wContainer\"},\"wNewField\":\"wNew\",\"usage\":" ANTHROPIC_USAGE "}";
#define BLOCK(i, block)                                                                \
    "{\"type\":\"content_block_start\",\"index\":" #i ",\"content_block\":" block "}", \
        "{\"type\":\"content_block_stop\",\"index\":" #i "}"
#define DELTA(i, delta) "{\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":{" delta "}}"
static const char *const anthropic_stream[] = {
    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"
    "\"assistant\",\"model\":\"r\",\"content\":[],"
    "\"stop_reason\":null,\"stop_sequence\":null,\"wNewField\":\"wNew\",\"usage\":{\"input_"
    "tokens\":1,\"output_tokens\":1,\"service_tier\":\"priority\"}}}",
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":" THINKING("", "") "}",
    DELTA(0, "\"type\":\"thinking_delta\",\"thinking\":\"wThought\""),
    DELTA(0, "\"type\":\"signature_delta\",\"signature\":\"wSigned\""),
    "{\"type\":\"content_block_stop\",\"index\":0}",
    BLOCK(1, REDACTED),
    BLOCK(2, SEARCH),
    BLOCK(3, FOUND),
    BLOCK(4, FETCHED),
    "{\"type\":\"content_block_start\",\"index\":5,\"content_block\":{\"type\":\"server_tool_use\","
    "\"id\":\"s3\","
    "\"name\":\"code_execution\",\"input\":{}}}",
    DELTA(5, "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"code\\\":\\\"wPy\""),
    DELTA(5, "\"type\":\"input_json_delta\",\"partial_json\":\"thon\\\"}\""),
    "{\"type\":\"content_block_stop\",\"index\":5}",
    BLOCK(6, RAN),
    BLOCK(7, SHELL),
    BLOCK(8, PRINTED),
    BLOCK(9, MCP_USE),
    BLOCK(10, MCP_RESULT),
    BLOCK(11, UPLOAD),
    "{\"type\":\"content_block_start\",\"index\":12,\"content_block\":{\"type\":\"text\",\"text\":"
    "\"\"}}",
    DELTA(12, "\"type\":\"citations_delta\",\"citation\":" CITED_URL),
    DELTA(12, "\"type\":\"text_delta\",\"text\":\"wText\""),
    DELTA(12, "\"type\":\"citations_delta\",\"citation\":" CITED_TEXT),
    "{\"type\":\"content_block_stop\",\"index\":12}",
    "{\"type\":\"content_block_start\",\"index\":13,\"content_block\":{\"type\":\"tool_use\","
    "\"id\":\"wCall1\",\"name\":\"f\",\"input\":{}}}",
    DELTA(13, "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"c\\\":\\\"wCity\\\"}\""),
    "{\"type\":\"content_block_stop\",\"index\":13}",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":"
    "\"wStop\",\"container\":{\"id\":\"wContainer\"}},\"usage\":" ANTHROPIC_USAGE "}",
    "{\"type\":\"message_stop\"}",
    NULL,
};

/* ---- Gemini ---- */

static const struct fact gemini_facts[] = {
    {"wText", NULL},
    {"wThought", "reasoning"},
    {"wTextSigned", "signature"},
    {"wCallSigned", "signature"},
    {"wCallSigned", "tool_calls"},
    {"wCall1", "tool_calls"},
    {"wCity", "tool_calls"},
    {"d0ltYWdl", "media"},
    {"wCode", NULL},
    {"wResult", NULL},
    {"wUri", "parts.fileData"},
    {"https://w.example/url", "citations"},
    {"https://w.example/web", "citations"},
    {"wQuery", "groundingMetadata.webSearchQueries"},
    {"wSuggestion", "groundingMetadata.searchEntryPoint"},
    {"wHigh", "candidates.safetyRatings"},
    {"wRetrieved", "candidates.urlContextMetadata"},
    {"wToken", "logprobs"},
    {"0.125", "candidates.avgLogprobs"},
    {"wTraffic", "usageMetadata.trafficType"},
    {"1111", NULL},
    {"4444", "candidates.tokenCount"},
    {"wLicence", "citations.license"},
    {"wNew", "wNewField"},
    {NULL, NULL},
};
#define GEMINI_PARTS                                                                               \
    "{\"text\":\"wThought\",\"thought\":true},{\"text\":\"wText\",\"thoughtSignature\":"           \
    "\"wTextSigned\"},"                                                                            \
    "{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"wCode\"}},{\"codeExecutionResult\":{" \
    "\"outcome\":\"OUTCOME_OK\",\"output\":\"wResult\"}},"                                         \
    "{\"inlineData\":{\"mimeType\":\"image/"                                                       \
    "png\",\"data\":\"d0ltYWdl\"}},{\"fileData\":{\"fileUri\":\"wUri\"}},"                         \
    "{\"functionCall\":{\"id\":\"wCall1\",\"name\":\"f\",\"args\":{\"c\":\"wCity\"}},"             \
    "\"thoughtSignature\":\"wCallSigned\"}"
#define GEMINI_REST                                                                                \
    "\"finishReason\":\"STOP\",\"index\":0,\"safetyRatings\":[{\"category\":\"c\","                \
    "\"probability\":\"wHigh\"}],\"tokenCount\":4444,\"avgLogprobs\":0.125,"                       \
    "\"citationMetadata\":{\"citationSources\":[{\"startIndex\":0,\"endIndex\":5,\"uri\":\"https:" \
    "//w.example/url\",\"license\":\"wLicence\"}]},"                                               \
    "\"groundingMetadata\":{\"webSearchQueries\":[\"wQuery\"],\"searchEntryPoint\":{"              \
    "\"renderedContent\":\"wSuggestion\"},"                                                        \
    "\"groundingChunks\":[{\"web\":{\"uri\":\"https://w.example/web\",\"title\":\"T\"}}],"         \
    "\"groundingSupports\":[{\"segment\":{\"startIndex\":0,\"endIndex\":5,\"text\":\"wText\"},"    \
    "\"groundingChunkIndices\":[0]}]},"                                                            \
    "\"urlContextMetadata\":{\"urlMetadata\":[{\"retrievedUrl\":\"wRetrieved\"}]},"                \
    "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"wToken\",\"logProbability\":-0.5}],"   \
    "\"topCandidates\":[]}"
#define GEMINI_TOP                                                                                 \
    "\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":1111,\"totalTokenCount\":" \
    "1112,\"trafficType\":\"wTraffic\"},"                                                          \
    "\"modelVersion\":\"r\",\"responseId\":\"i\",\"wNewField\":\"wNew\""
static const char gemini_whole[] =
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" GEMINI_PARTS "]}," GEMINI_REST
    "}]," GEMINI_TOP "}";
static const char *const gemini_stream[] = {
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" GEMINI_PARTS
    "]},\"index\":0}],\"modelVersion\":\"r\",\"responseId\":\"i\"}",
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"\"}]}," GEMINI_REST
    "}]," GEMINI_TOP "}",
    NULL,
};

/* ---- Bedrock ---- */

static const struct fact bedrock_facts[] = {
    {"wText", NULL},
    {"wThought", "reasoning"},
    {"wSigned", "signature"},
    {"wSigned", "reasoning"},
    {"d1JlZA==", "reasoning"},
    {"d1JlZA==", "reasoning.redacted"},
    {"wCall1", "tool_calls"},
    {"wCity", "tool_calls"},
    {"wCited", NULL},
    {"https://w.example/url", "citations"},
    {"wDocument", "citations"},
    {"4321", "citations"},
    {"d0ltYWdl", "media"},
    {"wServer", "content.toolUse.server_tool_use"},
    {"wDomain", "citation.location.web.domain"},
    {"wGuard", "content.guardContent"},
    {"wGuard", "delta.guardContent"},
    {"wToolResult", "content.toolResult"},
    {"8888", "metrics"},
    {"wTrace", "trace"},
    {"optimized", "performanceConfig"},
    {"priority", "service_tier"},
    {"wExtra", "additionalModelResponseFields"},
    {"1111", NULL},
    {"wNew", "wNewField"},
    {NULL, NULL},
};
#define BEDROCK_META                                                                             \
    "\"usage\":{\"inputTokens\":1,\"outputTokens\":1111,\"totalTokens\":1112},\"metrics\":{"     \
    "\"latencyMs\":8888},\"trace\":{\"guardrail\":\"wTrace\"},"                                  \
    "\"performanceConfig\":{\"latency\":\"optimized\"},\"serviceTier\":{\"type\":\"priority\"}," \
    "\"wNewField\":\"wNew\""
#define BEDROCK_STOP \
    "\"stopReason\":\"end_turn\",\"additionalModelResponseFields\":{\"a\":\"wExtra\"}"
#define BEDROCK_WEB                                                                         \
    "{\"title\":\"T\",\"location\":{\"web\":{\"url\":\"https://w.example/url\",\"domain\":" \
    "\"wDomain\"}}}"
#define BEDROCK_PAGE                                                               \
    "{\"title\":\"wDocument\",\"sourceContent\":[{\"text\":\"q\"}],\"location\":{" \
    "\"documentPage\":{\"documentIndex\":0,\"start\":4321,\"end\":4322}}}"
static const char bedrock_whole[] =
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{"
    "\"reasoningText\":{\"text\":\"wThought\",\"signature\":\"wSigned\"}}},"
    "{\"reasoningContent\":{\"redactedContent\":\"d1JlZA==\"}},{\"text\":\"wText\"},"
    "{\"citationsContent\":{\"content\":[{\"text\":\"wCited\"}],\"citations\":[" BEDROCK_WEB
    "," BEDROCK_PAGE "]}},"
    "{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"d0ltYWdl\"}}},{\"guardContent\":{"
    "\"text\":{\"text\":\"wGuard\"}}},"
    "{\"toolUse\":{\"toolUseId\":\"s\",\"name\":\"wServer\",\"type\":\"server_tool_use\",\"input\":"
    "{}}},"
    "{\"toolResult\":{\"toolUseId\":\"wToolResult\",\"content\":[]}},"
    "{\"toolUse\":{\"toolUseId\":\"wCall1\",\"name\":\"f\",\"input\":{\"c\":\"wCity\"}}}]}}"
    "," BEDROCK_STOP "," BEDROCK_META "}";
#define EV(type, body) type "\n" body
static const char *const bedrock_stream[] = {
    EV("messageStart", "{\"role\":\"assistant\"}"),
    EV("contentBlockDelta",
       "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"wThought\"}}}"),
    EV("contentBlockDelta",
       "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"wSigned\"}}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":0}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{"
                            "\"redactedContent\":\"d1JlZA==\"}}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":1}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":2,\"delta\":{\"text\":\"wText\"}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":2}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":3,\"delta\":{\"text\":\"wCited\"}}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":3,\"delta\":{\"citation\":" BEDROCK_WEB "}}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":3,\"delta\":{\"citation\":" BEDROCK_PAGE "}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":3}"),
    EV("contentBlockStart", "{\"contentBlockIndex\":4,\"start\":{\"image\":{\"format\":\"png\"}}}"),
    EV("contentBlockDelta",
       "{\"contentBlockIndex\":4,\"delta\":{\"image\":{\"source\":{\"bytes\":\"d0ltYWdl\"}}}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":4}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":5,\"delta\":{\"guardContent\":\"wGuard\"}}"),
    EV("contentBlockStart",
       "{\"contentBlockIndex\":8,\"start\":{\"toolUse\":{\"toolUseId\":\"s\",\"name\":"
       "\"wServer\",\"type\":\"server_tool_use\"}}}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":8,\"delta\":{\"toolUse\":{\"input\":\"{}\"}}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":8}"),
    EV("contentBlockStart",
       "{\"contentBlockIndex\":6,\"start\":{\"toolResult\":{\"toolUseId\":\"wToolResult\"}}}"),
    EV("contentBlockStart", "{\"contentBlockIndex\":7,\"start\":{\"toolUse\":{\"toolUseId\":"
                            "\"wCall1\",\"name\":\"f\"}}}"),
    EV("contentBlockDelta", "{\"contentBlockIndex\":7,\"delta\":{\"toolUse\":{\"input\":\"{"
                            "\\\"c\\\":\\\"wCity\\\"}\"}}}"),
    EV("contentBlockStop", "{\"contentBlockIndex\":7}"),
    EV("messageStop", "{" BEDROCK_STOP "}"),
    EV("metadata", "{" BEDROCK_META "}"),
    NULL,
};

static const struct answer_row answers[] = {
    {&dialect_openai, openai_whole, openai_stream, openai_facts},
    {&dialect_responses, responses_whole, responses_stream, responses_facts},
    {&dialect_anthropic, anthropic_whole, anthropic_stream, anthropic_facts},
    {&dialect_gemini, gemini_whole, gemini_stream, gemini_facts},
    {&dialect_bedrock, bedrock_whole, bedrock_stream, bedrock_facts},
};
/* clang-format on */

static void put_frame(struct buf *out, struct str event)
{
    struct str type;

    str_split(&event, '\n', &type);
    aws_write(out, STR("event"), type, event);
}

static struct str bytes_of(struct arena *arena, const struct answer_row *row, bool streamed)
{
    struct buf out;

    buf_init(&out, arena, MIB);
    if (!streamed)
        return str_from(row->whole);
    for (size_t i = 0; row->stream[i]; i++) {
        if (row->from->framing == FRAMING_AWS) {
            put_frame(&out, str_from(row->stream[i]));
            continue;
        }
        buf_str(&out, STR("data: "));
        buf_str(&out, str_from(row->stream[i]));
        buf_str(&out, STR("\n\n"));
    }
    return buf_view(&out);
}

/* The names in "reply_dropped", wherever the dialect puts them. */
static struct str dropped(struct str reply)
{
    struct str key = STR("\"reply_dropped\":[");
    size_t at = str_find(reply, key);
    struct str list = str_slice(reply, at + key.len, reply.len);

    return at < reply.len ? str_slice(list, 0, str_find_char(list, ']')) : STR("");
}

static bool is_told(struct str reply, const struct fact *facts, size_t at)
{
    struct str names = dropped(reply);
    char quoted[80];

    if (str_find(reply, str_from(facts[at].word)) < reply.len)
        return true;
    /* a word may be lost by several names: rows of it stand side by side */
    while (at > 0 && strcmp(facts[at - 1].word, facts[at].word) == 0)
        at--;
    for (size_t i = at; facts[i].word && strcmp(facts[i].word, facts[at].word) == 0; i++) {
        if (!facts[i].lost)
            continue;
        snprintf(quoted, sizeof quoted, "\"%s\"", facts[i].lost);
        if (str_find(names, str_from(quoted)) < names.len)
            return true;
    }
    return false;
}

/* A fact whose word the answer does not hold proves nothing. */
static bool is_there(struct str sent, const struct fact *fact)
{
    return str_find(sent, str_from(fact->word)) < sent.len;
}

static void check(const struct answer_row *row, const struct dialect *to, bool streamed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str sent = bytes_of(arena, row, streamed), reply;
    struct err err = {0};

    kit_wants_all = true;
    reply = kit_answer(arena, row->from, to, streamed, sent, sent.len / 2, &err);
    kit_wants_all = false;
    EXPECT(reply.ptr, "%s to %s, %s: %s", row->from->name, to->name,
           streamed ? "streamed" : "whole", err.text);
    for (size_t i = 0; reply.ptr && row->facts[i].word; i++)
        EXPECT(!is_there(sent, &row->facts[i]) || is_told(reply, row->facts, i),
               "%s to %s, %s: \"%s\" is neither there nor named (" STR_FMT ") in\n" STR_FMT,
               row->from->name, to->name, streamed ? "streamed" : "whole", row->facts[i].word,
               STR_ARG(dropped(reply)), STR_ARG(reply));
}

TEST(replies_nothing_of_an_answer_is_lost_without_a_word)
{
    const struct dialect *to;

    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        for (size_t k = 0; (to = dialect_at(k)); k++)
            for (int streamed = 0; streamed < 2; streamed++)
                if (to->writer_init && to != &dialect_embeddings && to != &dialect_rerank &&
                    to != &dialect_moderation)
                    check(&answers[i], to, streamed);
}

/* ---- what a provider says is read kindly, wherever it is read again ---- */

TEST(half_characters_and_deep_members_fail_no_answer)
{
    static const struct dialect *const clients[] = {
        &dialect_openai, &dialect_responses, &dialect_anthropic, &dialect_gemini, &dialect_bedrock};
    static const struct {
        const char *name;
        const struct dialect *from;
        const char *begin, *end;
        int depth;
    } cases[] = {
        {"a token", &dialect_openai,
         "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\","
         "\"logprobs\":{\"content\":[{\"token\":\"\\ud83d\",\"logprob\":-0.5,\"bytes\":[240],"
         "\"top_logprobs\":[]}]}}]}",
         "", 0},
        {"a member of a source", &dialect_openai,
         "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\",\"annotations\":[{\"type\":"
         "\"url_citation\",\"url_citation\":{\"url\":\"https://"
         "a.b\",\"title\":\"T\",\"start_index\""
         ":0,\"end_index\":2,\"mood\":\"\\ud83d\"}}]},\"finish_reason\":\"stop\"}]}",
         "", 0},
        {"a member that is deep", &dialect_openai,
         "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\",\"annotations\":[{\"type\":"
         "\"url_citation\",\"url_citation\":{\"url\":\"https://"
         "a.b\",\"title\":\"T\",\"start_index\""
         ":0,\"end_index\":2,\"mood\":",
         "}}]},\"finish_reason\":\"stop\"}]}", 70},
        {"a search", &dialect_anthropic,
         "{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"content\":[{\"type\":"
         "\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{\"query\":"
         "\"\\ud83d\"}},{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srvtoolu_1\","
         "\"content\":[{\"type\":\"web_search_result\",\"url\":\"https://a.b\",\"title\":"
         "\"\\ud83d\"}]},{\"type\":\"text\",\"text\":\"Hi\"}],\"stop_reason\":\"end_turn\"}",
         "", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t k = 0; k < ARRAY_LEN(clients); k++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct err err = {0};
            struct buf body;
            struct str got;

            buf_init(&body, arena, MIB);
            buf_str(&body, str_from(cases[i].begin));
            for (int n = 0; n < cases[i].depth; n++)
                buf_char(&body, '[');
            for (int n = 0; n < cases[i].depth; n++)
                buf_char(&body, ']');
            buf_str(&body, str_from(cases[i].end));
            got = kit_answer(arena, cases[i].from, clients[k], false, buf_view(&body), 0, &err);
            EXPECT(str_find(got, STR("Hi")) < got.len, "%s to %s: %s", cases[i].name,
                   clients[k]->name, err.text);
        }
}

/* ---- what nobody here knows of an answer ---- */

TEST(members_of_an_answer_that_nobody_knows_are_named)
{
#define SOURCED                                                                          \
    "{\"type\":\"message\",\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"a\"," \
    "\"citations\":[{"                                                                   \
    "\"type\":\"web_search_result_location\",\"url\":\"https://a.b\",\"title\":\"T\","   \
    "\"encrypted_index\":\"x\"}]}],\"stop_reason\":\"end_turn\"}"
#define PROBABLE                                                                                   \
    "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\","       \
    "\"logprobs\":{"                                                                               \
    "\"content\":[{\"token\":\"a\",\"logprob\":-1,\"bytes\":[97]}],\"refusal\":[{\"token\":\"b\"," \
    "\"logprob\":-1}]}}]}"
#define FILED                                                                                      \
    "{\"id\":\"r\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"id\":\"m\","       \
    "\"content\":["                                                                                \
    "{\"type\":\"output_text\",\"text\":\"a\",\"annotations\":[{\"type\":\"container_file_"        \
    "citation\","                                                                                  \
    "\"container_id\":\"c\",\"file_id\":\"f\",\"filename\":\"n\",\"start_index\":0,\"end_index\":" \
    "1}]}]}]}"
    static const struct {
        const struct dialect *from, *to;
        const char *name, *body;
    } cases[] = {
        {&dialect_openai, &dialect_anthropic, "tool_calls.mood",
         "{\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[{\"id\":\"t\",\"type\":"
         "\"function\",\"mood\":1,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
         "\"finish_reason\":\"tool_calls\"}]}"},
        {&dialect_openai, &dialect_gemini, "tool_calls.function.mood",
         "{\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[{\"id\":\"t\",\"function\":{"
         "\"name\":\"f\",\"mood\":1,\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}]}"},
        {&dialect_openai, &dialect_anthropic, "function_call.mood",
         "{\"choices\":[{\"index\":0,\"message\":{\"function_call\":{\"name\":\"f\",\"mood\":1,"
         "\"arguments\":\"{}\"}},\"finish_reason\":\"stop\"}]}"},
        {&dialect_gemini, &dialect_openai, "parts.mood",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"},\"mood\":1}]"
         "},\"finishReason\":\"STOP\"}]}"},
        {&dialect_gemini, &dialect_openai, "parts.functionCall.mood",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"mood\":1}}]"
         "},\"finishReason\":\"STOP\"}]}"},
        {&dialect_gemini, &dialect_anthropic, "content.mood",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"mood\":1},\"finishReason\":"
         "\"STOP\"}]}"},
        {&dialect_gemini, &dialect_openai, "logprobsResult.logProbabilitySum",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\","
         "\"logprobsResult\":{\"logProbabilitySum\":-1,\"chosenCandidates\":[{\"token\":\"a\","
         "\"logProbability\":-1}]}}]}"},
        {&dialect_gemini, &dialect_openai, "logprobsResult.chosenCandidates.tokenId",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\","
         "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"a\",\"tokenId\":7,"
         "\"logProbability\":-1}]}}]}"},
        {&dialect_gemini, &dialect_openai, "logprobsResult.topCandidates.tokenId",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\","
         "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"a\",\"logProbability\":-1}],"
         "\"topCandidates\":[{\"candidates\":[{\"token\":\"b\",\"tokenId\":8,\"logProbability\":-2}"
         "]}]"
         "}}]}"},
        {&dialect_bedrock, &dialect_openai, "content.mood",
         "{\"output\":{\"message\":{\"content\":[{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\","
         "\"input\":{}},\"mood\":1}]}},\"stopReason\":\"tool_use\"}"},
        {&dialect_bedrock, &dialect_openai, "content.toolUse.mood",
         "{\"output\":{\"message\":{\"content\":[{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\","
         "\"input\":{},\"mood\":1}}]}},\"stopReason\":\"tool_use\"}"},
        {&dialect_anthropic, &dialect_bedrock, "citations.encrypted_index", SOURCED},
        {&dialect_anthropic, &dialect_gemini, "citations.encrypted_index", SOURCED},
        {&dialect_responses, &dialect_anthropic, "citations.container_id", FILED},
        {&dialect_responses, &dialect_bedrock, "citations.container_id\",\"citations.file_id",
         FILED},
        {&dialect_anthropic, &dialect_responses, "content.mood",
         "{\"type\":\"message\",\"id\":\"m\",\"content\":[{\"type\":\"server_tool_use\",\"id\":"
         "\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{\"query\":\"q\"},\"mood\":1}],"
         "\"stop_reason\":\"end_turn\"}"},
        {&dialect_responses, &dialect_openai, "image_generation_call.revised_prompt",
         "{\"id\":\"r\",\"status\":\"completed\",\"output\":[{\"type\":\"image_generation_call\","
         "\"id\":\"ig\",\"result\":\"AAAA\",\"revised_prompt\":\"p\"}]}"},
        {&dialect_responses, &dialect_openai, "usage.input_tokens_details.audio_tokens",
         "{\"id\":\"r\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":9,"
         "\"input_tokens_details\":{\"cached_tokens\":3,\"audio_tokens\":4},\"output_tokens\":1}}"},
        {&dialect_gemini, &dialect_openai, "audio", /* the second of two */
         "{\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"audio/"
         "wav\",\"data\":"
         "\"AAAA\"}},{\"inlineData\":{\"mimeType\":\"audio/"
         "wav\",\"data\":\"BBBB\"}}]},\"finishReason\":"
         "\"STOP\"}]}"},
        {&dialect_openai, &dialect_gemini, "logprobs.bytes\",\"logprobs.refusal", PROBABLE},
        {&dialect_openai, &dialect_responses, "logprobs.refusal", PROBABLE},
        {&dialect_openai, &dialect_anthropic, "mood", /* and not what pads an event */
         "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],"
         "\"obfuscation\":\"x8f2\",\"mood\":1}"},
        {&dialect_responses, &dialect_openai, "content.mood",
         "{\"id\":\"r\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"id\":\"m\","
         "\"content\":[{\"type\":\"output_text\",\"text\":\"a\",\"mood\":1}]}]}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got =
            kit_answer(arena, cases[i].from, cases[i].to, false, str_from(cases[i].body), 0, &err);
        struct str want = arena_fmt(arena, "\"reply_dropped\":[\"%s\"]", cases[i].name);

        EXPECT(str_find(got, want) < got.len, "%s of %s: %s " STR_FMT, cases[i].name,
               cases[i].from->name, err.text, STR_ARG(got));
    }
}

/* The same of streams, whose events have members of their own. */
TEST(members_of_events_that_nobody_knows_are_named)
{
    static const struct {
        const struct dialect *from;
        const char *name, *events;
    } cases[] = {
        {&dialect_anthropic, "context_management",
         "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\","
         "\"content\":[]}}\n\n"
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
         "\"output_tokens\":1},\"context_management\":{\"applied_edits\":[{\"type\":"
         "\"clear_tool_uses_20250919\"}]}}\n\n"
         "data: {\"type\":\"message_stop\"}\n\n"},
        {&dialect_responses, "event.response.image_generation_call.partial_image",
         "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
         "data: {\"type\":\"response.image_generation_call.partial_image\",\"output_index\":0,"
         "\"partial_image_b64\":\"AAAA\"}\n\n"
         "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":"
         "\"completed\",\"output\":[]}}\n\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str got = kit_answer(arena, cases[i].from, &dialect_openai, true,
                                    str_from(cases[i].events), 0, &err);
        struct str want = arena_fmt(arena, "\"reply_dropped\":[\"%s\"]", cases[i].name);

        EXPECT(str_find(got, want) < got.len, "%s: %s " STR_FMT, cases[i].name, err.text,
               STR_ARG(got));
    }
}

/* Names past the list are counted: each once, however often it comes, and none is forgotten. */
TEST(what_of_an_answer_has_no_name_in_the_list_is_counted)
{
    for (int streamed = 0; streamed < 2; streamed++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct buf bytes;
        struct str got;

        buf_init(&bytes, arena, MIB);
        for (int n = 0; n < 1 + 2 * streamed; n++) {
            buf_str(&bytes, streamed ? STR("data: {") : STR("{"));
            for (int i = 0; i < LOSSES_MAX + 9; i++)
                buf_fmt(&bytes, "\"mood%d\":1,", i);
            buf_fmt(&bytes,
                    "\"choices\":[{\"index\":0,\"%s\":{\"content\":\"Hi\",\"reasoning_content\":"
                    "\"hm\"},\"finish_reason\":%s}]}",
                    streamed ? "delta" : "message", n == 2 * streamed ? "\"stop\"" : "null");
            buf_str(&bytes, streamed ? STR("\n\n") : STR(""));
        }
        got = kit_answer(arena, &dialect_openai, &dialect_completions, streamed, buf_view(&bytes),
                         0, &err);
        EXPECT(str_find(got, STR("\"mood31\"],\"reply_dropped_more\":10}")) < got.len,
               "%d: %s " STR_FMT, streamed, err.text, STR_ARG(got));
    }
}

/* A call that its provider answers itself is none of the client's. */
TEST(calls_that_bedrock_answers_are_not_the_clients)
{
    static const struct dialect *const clients[] = {&dialect_bedrock, &dialect_openai,
                                                    &dialect_anthropic};

    for (size_t i = 0; i < 2 * ARRAY_LEN(clients); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        const struct answer_row *row = &answers[ARRAY_LEN(answers) - 1];
        struct str sent = bytes_of(arena, row, i % 2);
        struct err err = {0};
        struct str got =
            kit_answer(arena, row->from, clients[i / 2], i % 2, sent, sent.len / 2, &err);

        EXPECT(got.ptr && str_find(got, STR("wServer")) == got.len, "%s: %s " STR_FMT,
               clients[i / 2]->name, err.text, STR_ARG(got));
    }
}

/* What a model gives as the arguments of a call is told, be it an object or not. */
TEST(arguments_that_are_no_object_are_told_as_they_are)
{
#define GEMINI(args)                                                                   \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"" args \
    "}}]},\"finishReason\":\"STOP\"}]}"
#define BEDROCK(input)                                                                   \
    "{\"output\":{\"message\":{\"content\":[{\"toolUse\":{\"toolUseId\":\"t\",\"name\":" \
    "\"f\"" input "}}]}},\"stopReason\":\"tool_use\"}"
#define ANTHROPIC(input)                                                                   \
    "{\"type\":\"message\",\"id\":\"m\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\"," \
    "\"name\":\"f\"" input "}],\"stop_reason\":\"tool_use\"}"
    static const struct {
        const char *given, *told;
    } cases[] = {
        {"{\"a\":1}", "{\\\"a\\\":1}"},
        {"{}", "{}"},
        {"null", "{}"},
        {"\"\"", "{}"},
        {"[\"a\"]", "[\\\"a\\\"]"},
        {"7", "7"},
        {"\"{\\\"a\\\":1}\"", "{\\\"a\\\":1}"},
        {"\"Bern\"", "Bern"},
    };
    static const struct {
        const struct dialect *from;
        const char *key, *without, *form;
    } makers[] = {
        {&dialect_gemini, ",\"args\":", GEMINI(""), GEMINI("|")},
        {&dialect_bedrock, ",\"input\":", BEDROCK(""), BEDROCK("|")},
        {&dialect_anthropic, ",\"input\":", ANTHROPIC(""), ANTHROPIC("|")},
    };

    for (size_t i = 0; i < ARRAY_LEN(makers); i++)
        for (size_t k = 0; k <= ARRAY_LEN(cases); k++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            bool none = k == ARRAY_LEN(cases);
            struct str form = str_from(makers[i].form);
            size_t at = str_find_char(form, '|');
            struct str body =
                none ? str_from(makers[i].without)
                     : arena_fmt(arena, STR_FMT "%s%s" STR_FMT, STR_ARG(str_slice(form, 0, at)),
                                 makers[i].key, cases[k].given,
                                 STR_ARG(str_slice(form, at + 1, form.len)));
            struct err err = {0};
            struct str got =
                kit_answer(arena, makers[i].from, &dialect_openai, false, body, 0, &err);
            struct str want = arena_fmt(arena, "\"arguments\":\"%s\"", none ? "{}" : cases[k].told);

            EXPECT(str_find(got, want) < got.len, "%s, %s: %s " STR_FMT, makers[i].from->name,
                   none ? "none" : cases[k].given, err.text, STR_ARG(got));
        }
}

TEST(errors_with_half_a_character_keep_their_words)
{
    static const struct {
        const struct dialect *dialect;
        const char *body;
    } cases[] = {
        {&dialect_openai, "{\"error\":{\"message\":\"too long: \\ud83d\",\"type\":\"t\"}}"},
        {&dialect_anthropic,
         "{\"type\":\"error\",\"error\":{\"type\":\"t\",\"message\":\"too long: \\ud83d\"}}"},
        {&dialect_gemini, "{\"error\":{\"status\":\"t\",\"message\":\"too long: \\ud83d\"}}"},
        {&dialect_bedrock, "{\"message\":\"too long: \\ud83d\"}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str type = STR_NONE, message = STR_NONE, param = STR_NONE, code = STR_NONE;

        cases[i].dialect->read_error(arena, str_from(cases[i].body), 400, &type, &message, &param,
                                     &code);
        EXPECT(str_starts(message, STR("too long")), "%s: " STR_FMT, cases[i].dialect->name,
               STR_ARG(message));
    }
}
