/* Nothing of a request vanishes: a mark that stands anywhere in what a client says is sent to the provider, or its
 * field is named, or the request is refused. And what providers' own tools are called elsewhere. */
#include <string.h>
#include <time.h>

#include "dialect_kit.h"
#include "models/tools.h"
#include "test.h"

#define MEMORY               (64 * MIB)
#define MARK                 "MARK7"
#define CHAT(rest, messages) "{\"model\":\"m\"," rest "\"messages\":[" messages "]}"
#define SAYS(members)        "{\"role\":\"user\",\"content\":\"hi\"" members "}"
#define SYSTEM(members)      "{\"role\":\"system\",\"content\":\"s\"" members "}," SAYS("")
#define PART(part)           "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}," part "]}"
#define PDF                  "data:application/pdf;base64,JVBERi0="
#define CLAUDE(rest, messages) \
    "{\"model\":\"m\",\"max_tokens\":9," rest "\"messages\":[" messages "]}"
#define BLOCK(block)  "{\"role\":\"user\",\"content\":[" block "]}"
#define ANSWER(block) SAYS("") ",{\"role\":\"assistant\",\"content\":[" block "]}," SAYS("")
#define CALLED(members, result)                                                           \
    SAYS("")                                                                              \
    ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":" \
    "\"f\",\"input\":{}" members "}]},{\"role\":\"user\",\"content\":[{\"type\":"         \
    "\"tool_result\",\"tool_use_id\":\"t\",\"content\":[" result "]}]}"
#define RESULT(result) CALLED("", result)
#define ITEMS(items)   "{\"model\":\"m\",\"input\":[" items "]}"

static const struct {
    const char *name;
    const struct dialect *from;
    const char *field; /* how the loss is called, where it is one */
    const char *body;
} marks[] = {
    {"name of the system", &dialect_openai, "messages.0.name",
     CHAT("", SYSTEM(",\"name\":\"" MARK "\""))},
    {"name of the user", &dialect_openai, "messages.0.name",
     CHAT("", SAYS(",\"name\":\"" MARK "\""))},
    {"member of a message", &dialect_openai, "messages.0.mood",
     CHAT("", SAYS(",\"mood\":\"" MARK "\""))},
    {"member of a system message", &dialect_openai, "messages.0.mood",
     CHAT("", SYSTEM(",\"mood\":\"" MARK "\""))},
    {"member of a part", &dialect_openai, "messages.0.content.1.mood",
     CHAT("", PART("{\"type\":\"text\",\"text\":\"ho\",\"mood\":\"" MARK "\"}"))},
    {"a part nobody knows", &dialect_openai, "messages.0.content.1",
     CHAT("", PART("{\"type\":\"mood\",\"mood\":\"" MARK "\"}"))},
    {"name of a file", &dialect_openai, "messages.0.content.1.filename",
     CHAT("", PART("{\"type\":\"file\",\"file\":{\"filename\":\"" MARK ".pdf\",\"file_data\":\"" PDF
                   "\"}}"))},
    {"a picture of the system", &dialect_openai, "messages.0.content.0",
     CHAT("", "{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
              "\"data:image/png;base64," MARK "AAA=\"}}]}," SAYS(""))},
    {"audio of an answer", &dialect_openai, "messages.1.audio",
     CHAT("", SAYS("") ",{\"role\":\"assistant\",\"content\":\"a\",\"audio\":{\"id\":\"" MARK
                       "\"}}," SAYS(""))},
    {"member of reasoning", &dialect_openai, "reasoning.mood",
     CHAT("\"reasoning\":{\"effort\":\"low\",\"mood\":\"" MARK "\"},", SAYS(""))},
    {"member of thinking", &dialect_openai, "thinking.mood",
     CHAT("\"thinking\":{\"type\":\"enabled\",\"mood\":\"" MARK "\"},", SAYS(""))},
    {"member of a format", &dialect_openai, "response_format.mood",
     CHAT("\"response_format\":{\"type\":\"json_object\",\"mood\":\"" MARK "\"},", SAYS(""))},
    {"member beside a schema", &dialect_openai, "response_format.json_schema.mood",
     CHAT("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
          "\"schema\":{\"type\":\"object\"},\"mood\":\"" MARK "\"}},",
          SAYS(""))},
    {"option of a stream", &dialect_openai, "stream_options.mood",
     CHAT("\"stream\":true,\"stream_options\":{\"mood\":\"" MARK "\"},", SAYS(""))},
    {"member of a choice", &dialect_openai, "tool_choice.mood",
     CHAT("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{"
          "\"type\":\"function\",\"function\":{\"name\":\"f\"},\"mood\":\"" MARK "\"},",
          SAYS(""))},
    {"member of a picture", &dialect_openai, "messages.0.content.1.image_url.mood",
     CHAT("", PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\","
                   "\"mood\":\"" MARK "\"}}"))},
    {"member of a file", &dialect_openai, "messages.0.content.1.file.mood",
     CHAT("",
          PART("{\"type\":\"file\",\"file\":{\"file_data\":\"" PDF "\",\"mood\":\"" MARK "\"}}"))},
    {"member of a sound", &dialect_openai, "messages.0.content.1.input_audio.mood",
     CHAT("",
          PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\","
               "\"mood\":\"" MARK "\"}}"))},
    {"member of a response's format", &dialect_responses, "text.format.mood",
     "{\"model\":\"m\",\"input\":\"a\",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":"
     "\"n\",\"schema\":{\"type\":\"object\"},\"mood\":\"" MARK "\"}}}"},
    {"member of a response's choice", &dialect_responses, "tool_choice.mood",
     "{\"model\":\"m\",\"input\":\"a\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],"
     "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\",\"mood\":\"" MARK "\"}}"},
    {"option of a response's stream", &dialect_responses, "stream_options.mood",
     "{\"model\":\"m\",\"input\":\"a\",\"stream\":true,\"stream_options\":{\"mood\":\"" MARK
     "\"}}"},
    {"member of a thought", &dialect_responses, "input.0.mood",
     ITEMS("{\"type\":\"reasoning\",\"id\":\"r\",\"summary\":[],\"mood\":\"" MARK "\"}," SAYS(""))},
    {"member of a tool", &dialect_openai, "tools.0.mood",
     CHAT("\"tools\":[{\"type\":\"function\",\"mood\":\"" MARK
          "\",\"function\":{\"name\":\"f\"}}],",
          SAYS(""))},
    {"member of a function", &dialect_openai, "tools.0.mood",
     CHAT("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"mood\":\"" MARK
          "\"}}],",
          SAYS(""))},
    {"both", &dialect_openai, "tools.0.tempo",
     CHAT("\"tools\":[{\"type\":\"function\",\"tempo\":\"" MARK
          "\",\"function\":{\"name\":\"f\",\"mood\":1}}],",
          SAYS(""))},
    {"what a schema is about", &dialect_openai, "response_format.json_schema.description",
     CHAT("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
          "\"description\":\"" MARK "\",\"schema\":{\"type\":\"object\"}}},",
          SAYS(""))},
    {"title of a document", &dialect_anthropic, "messages.0.content.0.filename",
     CLAUDE("", BLOCK("{\"type\":\"document\",\"title\":\"" MARK
                      "\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
                      "pdf\",\"data\":\"JVBERi0=\"}}"))},
    {"context of a document", &dialect_anthropic, "messages.0.content.0.context",
     CLAUDE("", BLOCK("{\"type\":\"document\",\"context\":\"" MARK
                      "\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
                      "pdf\",\"data\":\"JVBERi0=\"}}"))},
    {"sources of an earlier answer", &dialect_anthropic, "messages.1.content.0.citations",
     CLAUDE("", ANSWER("{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"type\":\"char_"
                       "location\",\"cited_text\":"
                       "\"" MARK "\"}]}"))},
    {"a result of the provider's own search", &dialect_anthropic, "messages.1.content.0",
     CLAUDE("", ANSWER("{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"" MARK
                       "\",\"content\":[]}"))},
    {"a member of thinking", &dialect_anthropic, "thinking.mood",
     CLAUDE("\"thinking\":{\"type\":\"adaptive\",\"mood\":\"" MARK "\"},", SAYS(""))},
    {"a member of how to answer", &dialect_anthropic, "output_config.mood",
     CLAUDE("\"output_config\":{\"mood\":\"" MARK "\"},", SAYS(""))},
    {"a member of a message of Claude's", &dialect_anthropic, "messages.0.mood",
     CLAUDE("", SAYS(",\"mood\":\"" MARK "\""))},
    {"a tool's search result", &dialect_anthropic, "messages.2.content.0",
     CLAUDE(
         "",
         RESULT(
             "{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[{\"type\":"
             "\"text\",\"text\":\"" MARK "\"}]}"))},
    {"a search result of the client's own", &dialect_anthropic, "messages.0.content.0",
     CLAUDE("", BLOCK("{\"type\":\"search_result\",\"source\":\"" MARK
                      "\",\"title\":\"t\",\"content\":[]}"))},
    {"sources of a search result's text", &dialect_anthropic,
     "messages.0.content.0.content.0.citations",
     CLAUDE("", BLOCK("{\"type\":\"search_result\",\"source\":\"s\",\"title\":\"t\",\"content\":[{"
                      "\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"cited_text\":\"" MARK
                      "\"}]}]}"))},
    {"whose tool it was", &dialect_bedrock, "messages.1.content.0.type",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]},{\"role\":\"assistant\","
     "\"content\":[{"
     "\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{},\"type\":\"" MARK
     "\"}}]},{\"role\":\"user\",\"content\":[{"
     "\"toolResult\":{\"toolUseId\":\"t\",\"content\":[{\"text\":\"r\"}]}}]}]}"},
    {"title of a tool's document", &dialect_anthropic, "messages.2.content.0.content.0.filename",
     CLAUDE("", RESULT("{\"type\":\"document\",\"title\":\"" MARK
                       "\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
                       "pdf\",\"data\":\"JVBERi0=\"}}"))},
    {"a document in pieces", &dialect_anthropic, "messages.0.content.0",
     CLAUDE("", BLOCK("{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{"
                      "\"type\":\"text\","
                      "\"text\":\"" MARK "\"}]}}"))},
    {"a tool's reference", &dialect_anthropic, "messages.2.content.0.content.0",
     CLAUDE("", RESULT("{\"type\":\"tool_reference\",\"tool_name\":\"" MARK "\"}"))},
    {"sources of a tool's text", &dialect_anthropic, "messages.2.content.0.content.0.citations",
     CLAUDE("", RESULT("{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"cited_text\":\"" MARK
                       "\"}]}"))},
    {"who called a tool", &dialect_anthropic, "messages.1.content.0.caller",
     CLAUDE("",
            CALLED(",\"caller\":{\"type\":\"code_execution_20260120\",\"tool_id\":\"" MARK "\"}",
                   "{\"type\":\"text\",\"text\":\"a\"}"))},
    {"context of a document of Bedrock", &dialect_bedrock, "messages.0.content.0.context",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"document\":{\"format\":\"pdf\",\"name\":"
     "\"d\","
     "\"source\":{\"bytes\":\"JVBERi0=\"},\"context\":\"" MARK "\"}}]}]}"},
    {"a bare word of a schema", &dialect_gemini, "generationConfig.responseMimeType",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{\"responseMimeType\":"
     "\"text/x.enum\"}}"},
    {"member of a call", &dialect_openai, "messages.1.tool_calls.0.mood",
     CHAT("", SAYS("") ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"type\":"
                       "\"function\",\"mood\":\"" MARK "\",\"function\":{\"name\":\"f\","
                       "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"t\","
                       "\"content\":\"r\"}")},
    {"member of a called function", &dialect_openai, "messages.1.tool_calls.0.function.mood",
     CHAT("", SAYS("") ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"type\":"
                       "\"function\",\"function\":{\"name\":\"f\",\"mood\":\"" MARK "\","
                       "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"t\","
                       "\"content\":\"r\"}")},
    {"member of a call in the older form", &dialect_openai, "messages.1.function_call.mood",
     CHAT("", SAYS("") ",{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"mood\":\"" MARK
                       "\",\"arguments\":\"{}\"}},{\"role\":\"function\",\"name\":\"f\","
                       "\"content\":\"r\"}")},
    {"member of a block of thoughts", &dialect_openai, "messages.1.thinking_blocks.0.mood",
     CHAT("", SAYS("") ",{\"role\":\"assistant\",\"content\":\"a\",\"thinking_blocks\":[{\"type\":"
                       "\"thinking\",\"thinking\":\"t\",\"mood\":\"" MARK "\"}]}," SAYS(""))},
    {"member of what is chosen in the older form", &dialect_openai, "function_call.mood",
     CHAT("\"functions\":[{\"name\":\"f\"}],\"function_call\":{\"name\":\"f\",\"mood\":\"" MARK
          "\"},",
          SAYS(""))},
    {"where a client of Google is", &dialect_gemini, "toolConfig.retrievalConfig",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"toolConfig\":{\"retrievalConfig\":{"
     "\"languageCode\":\"" MARK "\"}}}"},
    {"names without a mode that takes some", &dialect_gemini,
     "toolConfig.functionCallingConfig.allowedFunctionNames",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":[{"
     "\"name\":\"f\"}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"AUTO\","
     "\"allowedFunctionNames\":[\"" MARK "\"]}}}"},
    {"calls that are validated", &dialect_gemini, "toolConfig.functionCallingConfig.mode",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":[{"
     "\"name\":\"f\"}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"VALIDATED\"}}}"},
    {"when a result is told", &dialect_gemini, "contents.2.functionResponse.scheduling",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\",\"parts\":[{"
     "\"functionCall\":{\"name\":\"f\"}}]},{\"parts\":[{\"functionResponse\":{\"name\":\"f\","
     "\"response\":{},\"scheduling\":\"" MARK "\"}}]}]}"},
    {"what a function of Google answers", &dialect_gemini, "tools.0.response",
     "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":[{"
     "\"name\":\"f\",\"response\":{\"type\":\"STRING\",\"description\":\"" MARK "\"}}]}]}"},
    {"a search result of Bedrock", &dialect_bedrock, "messages.2.content.0",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]},{\"role\":\"assistant\","
     "\"content\":[{"
     "\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{}}}]},{\"role\":\"user\","
     "\"content\":[{"
     "\"toolResult\":{\"toolUseId\":\"t\",\"content\":[{\"searchResult\":{\"source\":\"s\","
     "\"title\":\"t\","
     "\"content\":[{\"text\":\"" MARK "\"}],\"citations\":{\"enabled\":false}}}]}}]}]}"},
    {"a member of a tool's text", &dialect_openai, "messages.2.content.0.mood",
     CHAT("", SAYS("") ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"type\":"
                       "\"function\",\"function\":{"
                       "\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_"
                       "id\":\"t\","
                       "\"content\":[{\"type\":\"text\",\"text\":\"a\",\"mood\":\"" MARK "\"}]}")},
    {"a member of a call's output", &dialect_responses, "input.2.output.0.mood",
     ITEMS(SAYS(
         "") ",{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\"},{"
             "\"type\":\"function_call_output\",\"call_id\":\"t\",\"output\":[{\"type\":\"input_"
             "text\","
             "\"text\":\"a\",\"mood\":\"" MARK "\"}]}")},
    {"where a call belongs", &dialect_responses, "input.1.namespace",
     ITEMS(SAYS(
         "") ",{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\","
             "\"namespace\":\"" MARK
             "\"},{\"type\":\"function_call_output\",\"call_id\":\"t\",\"output\":"
             "\"a\"}")},
    {"a member of reasoning", &dialect_responses, "reasoning.mode",
     "{\"model\":\"m\",\"input\":\"hi\",\"reasoning\":{\"effort\":\"low\",\"mode\":\"" MARK "\"}}"},
    {"a member of text", &dialect_responses, "text.mood",
     "{\"model\":\"m\",\"input\":\"hi\",\"text\":{\"mood\":\"" MARK "\"}}"},
    {"phase of a message", &dialect_responses, "input.1.phase",
     ITEMS(SAYS("") ",{\"role\":\"assistant\",\"content\":\"a\","
                    "\"phase\":\"" MARK "\"}," SAYS(""))},
    {"an option of the provider's own search", &dialect_anthropic, "tools.0.max_uses",
     CLAUDE(
         "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":\"" MARK
         "\"}],",
         SAYS(""))},
    {"annotations of an earlier answer", &dialect_responses, "input.0.content.0.annotations",
     ITEMS("{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
           "\"text\":\"a\","
           "\"annotations\":[{\"type\":\"url_citation\",\"url\":\"" MARK "\"}]}]}," SAYS(""))},
    {"where a search is asked from", &dialect_responses, "tools.0.user_location",
     "{\"model\":\"m\",\"input\":\"hi\",\"tools\":[{\"type\":\"web_search\",\"user_location\":{"
     "\"type\":"
     "\"approximate\",\"city\":\"" MARK "\"}}]}"},
};

static bool is_named(const struct losses *losses, const char *field)
{
    for (uint32_t i = 0; i < losses->count; i++) {
        struct str lost = losses->fields[i], want = str_from(field);

        /* A tool or part that is lost whole takes its members with it. */
        if (str_eq(lost, want) || (str_starts(want, lost) && want.ptr[lost.len] == '.'))
            return true;
    }
    return false;
}

TEST(nothing_of_a_request_vanishes)
{
    static const struct dialect *const targets[] = {
        &dialect_openai, &dialect_responses, &dialect_anthropic, &dialect_gemini, &dialect_bedrock};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct losses losses = {0}, strict = {.refuse = true};
            struct err err = {0};
            struct str sent;

            if (targets[t] == marks[i].from)
                continue;
            sent = kit_request(arena, marks[i].from, targets[t], marks[i].body, &losses, &err);
            if (!sent.ptr) {
                EXPECT(err.code == ERR_INVALID, "%s to %s: %s", marks[i].name, targets[t]->name,
                       err.text);
                continue;
            }
            bool arrived = str_find(sent, STR(MARK)) < sent.len;
            EXPECT(arrived != is_named(&losses, marks[i].field),
                   "%s to %s: %s; %" PRIu32 " lost, the first " STR_FMT, marks[i].name,
                   targets[t]->name, arrived ? "sent and named" : "neither sent nor named",
                   losses.count, STR_ARG(losses.count ? losses.fields[0] : STR("")));
            if (arrived)
                continue;
            sent = kit_request(arena, marks[i].from, targets[t], marks[i].body, &strict, &err);
            EXPECT(!sent.ptr && err.code == ERR_INVALID, "%s to %s", marks[i].name,
                   targets[t]->name);
        }
}

/* Of a kind there may be as many as fit into a body: each costs no more than one of few, as nobody else is served meanwhile. */
#define MANY 200000

static const struct {
    const char *name;
    const struct dialect *from;
    const char *begin, *item, *end; /* item: with a number, or without */
} many[] = {
    {"members nobody knows", &dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" SAYS("") "]", ",\"u%d\":1", "}"},
    {"members for the model alone", &dialect_bedrock,
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}],"
     "\"additionalModelRequestFields\":{\"a\":1",
     ",\"u%d\":1", "}}"},
    {"parts nobody knows", &dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"text\","
     "\"text\":\"hi\"}",
     ",{\"type\":\"zz\"}", "]}]}"},
    {"members of parts", &dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"text\","
     "\"text\":\"hi\"}",
     ",{\"type\":\"text\",\"text\":\"ho\",\"z\":1}", "]}]}"},
};

TEST(many_of_a_kind_take_their_time_once)
{
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
        struct losses losses = {0};
        struct err err = {0};
        clock_t begun;
        struct str got;
        struct buf b;

        buf_init(&b, arena, 64 * MIB);
        buf_str(&b, str_from(many[i].begin));
        for (int n = 0; n < MANY; n++) {
            size_t mark = str_find(str_from(many[i].item), STR("%d"));

            buf_str(&b, str_slice(str_from(many[i].item), 0, mark));
            if (mark < strlen(many[i].item)) {
                buf_i64(&b, n);
                buf_str(&b, str_from(many[i].item + mark + 2));
            }
        }
        buf_str(&b, str_from(many[i].end));
        buf_char(&b, '\0');
        begun = clock();
        got = kit_request(arena, many[i].from, &dialect_gemini, b.ptr, &losses, &err);
        EXPECT(got.ptr && losses.count == LOSSES_MAX, "%s: %s", many[i].name, err.text);
        EXPECT(clock() - begun < 10 * CLOCKS_PER_SEC, "%s: %g s", many[i].name,
               (double)(clock() - begun) / CLOCKS_PER_SEC);
    }
}

TEST(many_functions_of_which_many_are_allowed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    clock_t begun = clock();
    struct err err = {0};
    struct conversation *c;
    struct buf b;

    buf_init(&b, arena, 64 * MIB);
    buf_str(
        &b,
        STR("{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":["
            "{\"name\":\"b\"}"));
    for (int n = 0; n < MANY / 2; n++)
        buf_str(&b, STR(",{\"name\":\"a\"}"));
    buf_str(&b, STR("]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\","
                    "\"allowedFunctionNames\":[\"b\""));
    for (int n = 0; n < MANY; n++)
        buf_str(&b, STR(",\"c\""));
    buf_str(&b, STR("]}}}"));
    buf_char(&b, '\0');
    c = kit_read(arena, &dialect_gemini, b.ptr, &err);
    REQUIRE(c, "%s", err.text);
    EXPECT(c->tools && !c->tools->next && str_eq(c->tools->name, STR("b")));
    EXPECT(clock() - begun < 10 * CLOCKS_PER_SEC, "%g s",
           (double)(clock() - begun) / CLOCKS_PER_SEC);
}

/* By the words of the client's own dialect, whichever that is. */
TEST(lost_parts_are_named_as_their_client_calls_them)
{
    static const struct {
        const struct dialect *from;
        const char *body, *field;
    } cases[] = {
        {&dialect_gemini,
         "{\"contents\":[{\"parts\":[{\"text\":\"hi\"},{\"inlineData\":{\"mimeType\":\"audio/"
         "wav\",\"data\":"
         "\"AAAA\"}}]}]}",
         "contents.0.parts.1"},
        {&dialect_bedrock,
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"},{\"audio\":{\"format\":"
         "\"wav\","
         "\"source\":{\"bytes\":\"AAAA\"}}}]}]}",
         "messages.0.content.1"},
        {&dialect_openai,
         CHAT("", PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":"
                       "\"wav\"}}")),
         "messages.0.content.1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str sent =
            kit_request(arena, cases[i].from, &dialect_anthropic, cases[i].body, &losses, &err);

        REQUIRE(sent.ptr && losses.count == 1, "%s: %s", cases[i].from->name, err.text);
        EXPECT(str_is(losses.fields[0], cases[i].field), STR_FMT, STR_ARG(losses.fields[0]));
    }
}

/* What clients send back as they were given it, and says nothing. */
static const struct {
    const struct dialect *from;
    const char *body;
} empties[] = {
    {&dialect_openai,
     CHAT("",
          SAYS("") ",{\"role\":\"assistant\",\"content\":\"a\",\"audio\":null,\"annotations\":[],"
                   "\"refusal\":null}," SAYS(""))},
    {&dialect_anthropic,
     CLAUDE("", ANSWER("{\"type\":\"text\",\"text\":\"a\",\"citations\":null}"))},
    {&dialect_anthropic,
     CLAUDE("\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],",
            SAYS("") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\","
                     "\"name\":"
                     "\"f\",\"input\":{},\"caller\":{\"type\":\"direct\"}}]},"
                     "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
                     "\"t\",\"content\":\"r\"}]}")},
    {&dialect_responses,
     ITEMS("{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\","
           "\"content\":[{\"type\":\"output_text\",\"text\":\"a\",\"annotations\":[],\"logprobs\":["
           "]}]}"
           "," SAYS(""))},
};

/* Rewritten for a provider of the same dialect, as a kept answer is. */
TEST(members_nobody_knows_reach_their_own_dialect)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str sent = kit_request(
        arena, &dialect_responses, &dialect_responses,
        "{\"model\":\"m\",\"input\":[{\"role\":\"assistant\",\"phase\":\"commentary\",\"content\":"
        "\"a\"},"
        "{\"type\":\"reasoning\",\"id\":\"r\",\"summary\":[],\"mood\":\"calm\"},"
        "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\","
        "\"namespace\":\"space\"},{\"type\":\"function_call_output\",\"call_id\":\"t\",\"output\":"
        "\"r\"}],"
        "\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],"
        "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\",\"mood\":\"calm\"},"
        "\"reasoning\":{\"effort\":\"low\",\"mode\":\"pro\"}}",
        &losses, &err);
    static const char *const wanted[] = {
        "\"phase\":\"commentary\"", "\"namespace\":\"space\"", "\"summary\":[],\"mood\":\"calm\"",
        "\"name\":\"f\",\"mood\":\"calm\"", "\"reasoning\":{\"effort\":\"low\",\"mode\":\"pro\"}"};

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        EXPECT(sent.ptr && str_find(sent, str_from(wanted[i])) < sent.len, "%s: " STR_FMT,
               wanted[i], STR_ARG(sent));
    EXPECT(losses.count == 0, STR_FMT, STR_ARG(losses.fields[0]));
}

/* What one message says of itself is not said of the next. */
TEST(members_of_a_message_stay_with_it)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str sent = kit_request(
        arena, &dialect_responses, &dialect_responses,
        "{\"model\":\"m\",\"input\":[{\"role\":\"assistant\",\"phase\":\"commentary\",\"content\":"
        "\"a\"},{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"t\",\"output\":\"r\"},"
        "{\"role\":\"assistant\",\"phase\":\"commentary\",\"content\":\"b\"},"
        "{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":\"user\",\"content\":\"d\"}]}",
        &losses, &err);
    struct str rest = sent;
    size_t phases = 0;

    for (size_t at; (at = str_find(rest, STR("\"phase\""))) < rest.len; phases++)
        rest = str_slice(rest, at + 1, rest.len);
    EXPECT(phases == 2, "%zu: %s " STR_FMT, phases, err.text, STR_ARG(sent));
    EXPECT(
        str_find(sent, STR("\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":"
                           "\"c\"")) < sent.len,
        STR_FMT, STR_ARG(sent));
}

/* A chat request that is written anew: its objects are made of what is known of them. */
TEST(members_that_a_chat_request_loses_are_named)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str sent = kit_request(
        arena, &dialect_openai, &dialect_openai,
        CHAT("\"response_format\":{\"type\":\"json_object\",\"mood\":\"" MARK "\"},", SAYS("")),
        &losses, &err);

    EXPECT(sent.ptr && str_find(sent, STR(MARK)) == sent.len, "%s", err.text);
    EXPECT(is_named(&losses, "response_format.mood"), "%" PRIu32 " lost", losses.count);
}

/* As routers have it. */
TEST(reasoning_that_is_switched_off_is_off)
{
    static const struct {
        const char *reasoning;
        int64_t budget;
        bool adaptive;
    } cases[] = {{"{\"enabled\":false}", 0, false},
                 {"{\"enabled\":false,\"max_tokens\":500}", 0, false},
                 {"{\"enabled\":true}", -1, true},
                 {"{\"enabled\":true,\"max_tokens\":500}", 500, false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct str body = arena_fmt(arena, CHAT("\"reasoning\":%s,", SAYS("")), cases[i].reasoning);
        const struct conversation *c = kit_read(arena, &dialect_openai, body.ptr, &err);

        REQUIRE(c, "%s: %s", cases[i].reasoning, err.text);
        EXPECT(c->reasoning_budget == cases[i].budget && c->reasoning_adaptive == cases[i].adaptive,
               "%s: %" PRId64, cases[i].reasoning, c->reasoning_budget);
    }
}

TEST(what_says_nothing_is_not_named)
{
    static const struct dialect *const targets[] = {
        &dialect_openai, &dialect_responses, &dialect_anthropic, &dialect_gemini, &dialect_bedrock};

    for (size_t i = 0; i < ARRAY_LEN(empties); i++)
        for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct losses losses = {0};
            struct err err = {0};

            EXPECT(
                kit_request(arena, empties[i].from, targets[t], empties[i].body, &losses, &err).ptr,
                "%zu to %s: %s", i, targets[t]->name, err.text);
            EXPECT(losses.count == 0, "%zu to %s: " STR_FMT, i, targets[t]->name,
                   STR_ARG(losses.fields[0]));
        }
}

/* That a tool failed is told to every provider, with words or without. */
TEST(a_failed_call_is_told_as_one)
{
    static const struct {
        const struct dialect *to;
        const char *result, *want;
    } cases[] = {
        {&dialect_openai, "[]", "Error: "},
        {&dialect_openai, "\"no such city\"", "Error: no such city"},
        {&dialect_responses, "[]", "\"output\":\"Error: \""},
        {&dialect_responses, "\"no such city\"", "\"output\":\"Error: no such city\""},
        {&dialect_responses,
         "[{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"image\",\"source\":{\"type\":"
         "\"base64\","
         "\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]",
         "\"output\":[{\"type\":\"input_text\",\"text\":\"Error: see\"},{\"type\":\"input_image\","
         "\"detail\":\"auto\",\"image_url\":\"data:image/png;base64,AAAA\"}]"},
        {&dialect_gemini, "[]", "{\"error\":\"\"}"},
        {&dialect_gemini, "\"no such city\"", "{\"error\":\"no such city\"}"},
        {&dialect_gemini, "\"{\\\"code\\\":7}\"", "{\"error\":{\"code\":7}}"},
        {&dialect_bedrock, "[]", "\"status\":\"error\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str body = arena_fmt(
            arena,
            CLAUDE("",
                   SAYS("") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
                            "\"t\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{"
                            "\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"is_error\":true,"
                            "\"content\":%s}]}"),
            cases[i].result);
        struct str sent =
            kit_request(arena, &dialect_anthropic, cases[i].to, body.ptr, &losses, &err);

        EXPECT(sent.ptr && str_find(sent, str_from(cases[i].want)) < sent.len, "%zu: %s " STR_FMT,
               i, err.text, STR_ARG(sent));
        EXPECT(losses.count == 0, "%zu: " STR_FMT, i, STR_ARG(losses.fields[0]));
    }
}

static const struct {
    const char *name, *tool;
    const struct dialect *to;
    const char *want;    /* NULL: it has no equal there */
    const char *lost[2]; /* what is named of it */
} tools[] = {
    {"a search for Google",
     "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}",
     &dialect_gemini,
     "{\"googleSearch\":{}}",
     {NULL}},
    {"a search for OpenAI",
     "{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"allowed_domains\":[\"a.b\"],"
     "\"max_uses\":3,"
     "\"user_location\":{\"type\":\"approximate\",\"city\":\"Bonn\"},\"cache_control\":null}",
     &dialect_responses,
     "{\"type\":\"web_search\",\"filters\":{\"allowed_domains\":[\"a.b\"]},\"user_location\":{"
     "\"type\":"
     "\"approximate\",\"city\":\"Bonn\"}}",
     {"tools.3.max_uses"}},
    {"a search for Anthropic",
     "{\"type\":\"web_search\",\"filters\":{\"allowed_domains\":[\"a.b\"]},\"search_context_size\":"
     "\"low\"}",
     &dialect_anthropic,
     "{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"allowed_domains\":[\"a.b\"]}",
     {"tools.3.search_context_size"}},
    {"a preview's search",
     "{\"type\":\"web_search_preview_2025_03_11\"}",
     &dialect_anthropic,
     "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}",
     {NULL}},
    {"options that Google has no place for",
     "{\"type\":\"web_search\",\"filters\":{\"allowed_domains\":[\"a.b\"]},\"user_location\":{"
     "\"type\":"
     "\"approximate\"}}",
     &dialect_gemini,
     "{\"googleSearch\":{}}",
     {"tools.3.filters", "tools.3.user_location"}},
    {"Google's search for Anthropic",
     "{\"googleSearch\":{}}",
     &dialect_anthropic,
     "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}",
     {NULL}},
    {"its options",
     "{\"googleSearch\":{\"timeRangeFilter\":{\"startTime\":\"x\"}}}",
     &dialect_responses,
     "{\"type\":\"web_search\"}",
     {"tools.3.googleSearch"}},
    {"code for Google",
     "{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}",
     &dialect_gemini,
     "{\"codeExecution\":{}}",
     {NULL}},
    {"code with files",
     "{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\",\"file_ids\":[\"f\"]}}",
     &dialect_anthropic,
     "{\"type\":\"code_execution_20250825\",\"name\":\"code_execution\"}",
     {"tools.3.container"}},
    {"code in a container of one's own",
     "{\"type\":\"code_interpreter\",\"container\":\"cntr_1\"}",
     &dialect_gemini,
     "{\"codeExecution\":{}}",
     {"tools.3.container"}},
    {"Google's code for OpenAI",
     "{\"codeExecution\":{}}",
     &dialect_responses,
     "{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}",
     {NULL}},
    {"a computer",
     "{\"type\":\"computer_20250124\",\"name\":\"computer\"}",
     &dialect_responses,
     NULL,
     {"tools.3"}},
    {"a search in chat", "{\"type\":\"web_search\"}", &dialect_openai, NULL, {"tools.3"}},
    {"a search in Bedrock", "{\"googleSearch\":{}}", &dialect_bedrock, NULL, {"tools.3"}},
};

TEST(providers_own_tools_in_other_words)
{
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        const struct tool tool = {.builtin = str_from(tools[i].tool)};
        struct losses losses = {0};
        struct err err = {0};
        struct str got;
        uint32_t lost = 0;

        EXPECT(builtin_tool(arena, &tool, 3, tools[i].to, &losses, &got, &err), "%s: %s",
               tools[i].name, err.text);
        EXPECT(!got.ptr == !tools[i].want, "%s", tools[i].name);
        if (tools[i].want && got.ptr)
            kit_same_json(arena, tools[i].name, got, tools[i].want);
        while (lost < ARRAY_LEN(tools[i].lost) && tools[i].lost[lost]) {
            EXPECT(lost < losses.count &&
                       str_eq(losses.fields[lost], str_from(tools[i].lost[lost])),
                   "%s: " STR_FMT, tools[i].name, STR_ARG(losses.fields[lost]));
            lost++;
        }
        EXPECT(losses.count == lost, "%s: %" PRIu32 " lost", tools[i].name, losses.count);
    }
}

/* Providers refuse a choice among tools where there are none. */
TEST(no_tool_is_chosen_where_all_were_left_out)
{
    static const struct dialect *const targets[] = {&dialect_openai, &dialect_responses};

    for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str sent = kit_request(
            arena, &dialect_anthropic, targets[t],
            CLAUDE(
                "\"tools\":[{\"type\":\"computer_20250124\",\"name\":\"computer\",\"display_width_"
                "px\":9,\"display_height_px\":9}],\"tool_choice\":{\"type\":\"any\",\"disable_"
                "parallel_tool_use\":true},",
                SAYS("")),
            &losses, &err);

        REQUIRE(sent.ptr, "%s", err.text);
        EXPECT(str_find(sent, STR("\"tool_choice\"")) == sent.len &&
                   str_find(sent, STR("\"tools\"")) == sent.len,
               "%s: " STR_FMT, targets[t]->name, STR_ARG(sent));
        EXPECT(losses.count == 2 && str_eq(losses.fields[0], STR("tools.0")) &&
                   str_eq(losses.fields[1], STR("tool_choice")),
               "%s: %" PRIu32 " " STR_FMT, targets[t]->name, losses.count,
               STR_ARG(losses.fields[losses.count ? losses.count - 1 : 0]));
    }
}

/* Nor one that was left out, or goes by another name there, beside others that are left. */
TEST(a_choice_of_what_was_left_out_is_named)
{
    static const struct dialect *const targets[] = {&dialect_openai, &dialect_responses};

    for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str sent = kit_request(
            arena, &dialect_anthropic, targets[t],
            CLAUDE(
                "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"},{\"name\":"
                "\"f\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"tool\","
                "\"name\":\"web_search\"},",
                SAYS("")),
            &losses, &err);

        REQUIRE(sent.ptr, "%s", err.text);
        EXPECT(str_find(sent, STR("\"tool_choice\"")) == sent.len &&
                   is_named(&losses, "tool_choice"),
               "%s: " STR_FMT, targets[t]->name, STR_ARG(sent));
    }
}

TEST(a_choice_of_a_custom_tool_is_one)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    struct str sent = kit_request(
        arena, &dialect_openai, &dialect_openai,
        CHAT("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"x\"}}],\"tool_choice\":{"
             "\"type\":\"custom\",\"custom\":{\"name\":\"x\"}},",
             SAYS("")),
        &losses, &err);

    EXPECT(sent.ptr &&
               str_find(sent, STR("\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":"
                                  "\"x\"}}")) < sent.len,
           "%s " STR_FMT, err.text, STR_ARG(sent));
    EXPECT(losses.count == 0, STR_FMT, STR_ARG(losses.fields[0]));
}

/* ---- anywhere ---- */

/* What every dialect can be told whole. */
static const struct {
    const struct dialect *from;
    const char *body;
} plain[] = {
    {&dialect_openai,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"s\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},{\"type\":"
     "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},{\"role\":"
     "\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
     "\"t\",\"content\":[{\"type\":\"text\",\"text\":\"r\"}]},{\"role\":\"assistant\","
     "\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}},"
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{"
     "\"type\":\"object\"}}},\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
    {&dialect_responses,
     "{\"model\":\"m\",\"input\":[{\"role\":\"system\",\"content\":[{\"type\":\"input_text\","
     "\"text\":\"s\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
     "\"hi\"},{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\"}]},{\"type\":"
     "\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\"}]},"
     "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\",\"arguments\":\"{}\"},{"
     "\"type\":\"function_call_output\",\"call_id\":\"t\",\"output\":[{\"type\":\"input_text\","
     "\"text\":\"r\"}]}],\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{"
     "\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},\"text\":{"
     "\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{\"type\":\"object\"}}},"
     "\"stream\":true,\"stream_options\":{}}"},
    {&dialect_anthropic,
     "{\"model\":\"m\",\"max_tokens\":9,\"system\":[{\"type\":\"text\",\"text\":\"s\"}],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},{"
     "\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":"
     "\"AAAA\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{"
     "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\","
     "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":"
     "\"text\",\"text\":\"r\"}]}]}],\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":"
     "\"object\"}}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"},\"output_config\":{"
     "\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}"},
    {&dialect_gemini,
     "{\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]},\"contents\":[{\"role\":\"user\","
     "\"parts\":[{\"text\":\"hi\"},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\""
     "}}]},{\"role\":\"model\",\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\","
     "\"args\":{}}}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\","
     "\"response\":{\"output\":\"r\"},\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\","
     "\"data\":\"AAAA\"}}]}}]}],\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\","
     "\"parameters\":{\"type\":\"OBJECT\"}}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":"
     "\"ANY\",\"allowedFunctionNames\":[\"f\"]}},\"generationConfig\":{\"responseSchema\":{"
     "\"type\":\"OBJECT\"},\"thinkingConfig\":{}}}"},
    {&dialect_bedrock,
     "{\"system\":[{\"text\":\"s\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":"
     "\"hi\"},{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"AAAA\"}}}]},{\"role\":"
     "\"assistant\",\"content\":[{\"text\":\"a\"},{\"toolUse\":{\"toolUseId\":\"t\",\"name\":"
     "\"f\",\"input\":{}}}]},{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":"
     "\"t\",\"content\":[{\"text\":\"r\"}]}}]}],\"toolConfig\":{\"tools\":[{\"toolSpec\":{"
     "\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}],\"toolChoice\":{"
     "\"tool\":{\"name\":\"f\"}}},\"inferenceConfig\":{\"maxTokens\":9}}"},
};

#define OBJECTS_MAX 64

static size_t find_objects(const struct json *j, json_ref v, json_ref *out, size_t n)
{
    enum json_kind kind = json_kind(j, v);

    if (kind == JSON_OBJECT && n < OBJECTS_MAX)
        out[n++] = v;
    for (json_ref c = kind == JSON_OBJECT || kind == JSON_ARRAY ? json_first(j, v) : 0; c;
         c = json_next(j, c))
        n = find_objects(j, c, out, n);
    return n;
}

static bool any_is_named(const struct losses *losses)
{
    for (uint32_t i = 0; i < losses->count; i++)
        if (str_find(losses->fields[i], STR("mood")) < losses->fields[i].len)
            return true;
    return false;
}

/* Its own dialect too: a conversation is written anew where another goes on, or a signature is taken out. */
static void expect_told(const struct dialect *from, const struct dialect *to, struct str where,
                        const char *usual, const char *body)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0}, before = {0};
    struct err err = {0};
    struct str sent = kit_request(arena, from, to, usual, &before, &err);

    EXPECT(sent.ptr, "%s to %s: %s", from->name, to->name, err.text);
    sent = kit_request(arena, from, to, body, &losses, &err);

    EXPECT(err.code == ERR_INVALID || str_find(sent, STR(MARK)) < sent.len ||
               any_is_named(&losses) || losses.count > before.count,
           "%s to %s: lost without a word: in " STR_FMT, from->name, to->name, STR_ARG(where));
}

TEST(members_nobody_knows_are_told_or_named_wherever_they_stand)
{
    static const struct dialect *const targets[] = {
        &dialect_openai, &dialect_responses, &dialect_anthropic, &dialect_gemini, &dialect_bedrock};

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(plain[i].body), &err);
        json_ref objects[OBJECTS_MAX];
        size_t count = j ? find_objects(j, json_root(j), objects, 0) : 0;

        EXPECT(count > 15, "%s: %s", plain[i].from->name, err.text);
        for (size_t k = 0; k < count; k++) {
            struct json_edit edit = {JSON_ADD_MEMBER, objects[k], STR("mood"), STR("\"" MARK "\"")};
            struct str body, text;

            REQUIRE(json_splice(arena, j, &edit, 1, &body, &err), "%s", err.text);
            text = arena_fmt(arena, STR_FMT "%c", STR_ARG(body), 0);
            for (size_t t = 0; text.ptr && t < ARRAY_LEN(targets); t++)
                expect_told(plain[i].from, targets[t], json_raw(j, objects[k]), plain[i].body,
                            text.ptr);
        }
    }
}

/* ---- what is chosen among tools that were left out ---- */

TEST(a_choice_does_not_outlive_its_tools)
{
    static const struct dialect *const targets[] = {
        &dialect_openai, &dialect_responses, &dialect_anthropic, &dialect_gemini, &dialect_bedrock};
    static const struct {
        const struct dialect *from;
        const char *body;
    } cases[] = {
        {&dialect_openai,
         CHAT("\"tools\":[{\"type\":\"mood\",\"mood\":{}}],\"tool_choice\":\"required\",",
              SAYS(""))},
        {&dialect_openai,
         CHAT("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"g\"}},{\"type\":"
              "\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{\"type\":\"custom\","
              "\"custom\":{\"name\":\"g\"}},",
              SAYS(""))},
        {&dialect_responses,
         "{\"model\":\"m\",\"input\":\"hi\",\"tools\":[{\"type\":\"mood\"}],\"tool_choice\":"
         "\"required\"}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct losses losses = {0};
            struct err err = {0};
            struct str sent;

            if (targets[t] == cases[i].from)
                continue;
            sent = kit_request(arena, cases[i].from, targets[t], cases[i].body, &losses, &err);
            REQUIRE(sent.ptr, "%zu to %s: %s", i, targets[t]->name, err.text);
            EXPECT(is_named(&losses, "tool_choice"), "%zu to %s", i, targets[t]->name);
            EXPECT(str_find(sent, STR("hoice")) == sent.len &&
                       str_find(sent, STR("functionCallingConfig")) == sent.len &&
                       str_find(sent, STR("\"tools\":[]")) == sent.len,
                   "%zu to %s: " STR_FMT, i, targets[t]->name, STR_ARG(sent));
        }
}

/* Of those that are there none may be called: a slip that OpenAI and Google name too. */
TEST(names_of_no_tool_are_refused)
{
    static const struct {
        const struct dialect *from;
        const char *body;
    } cases[] = {
        {&dialect_openai,
         CHAT("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{"
              "\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\",\"tools\":[{"
              "\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}},",
              SAYS(""))},
        {&dialect_gemini,
         "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":[{"
         "\"name\":\"f\"}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\","
         "\"allowedFunctionNames\":[\"g\",\"h\"]}}}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct err err = {0};

        EXPECT(!kit_read(arena, cases[i].from, cases[i].body, &err) && err.code == ERR_INVALID,
               "%zu: %s", i, err.text);
    }
}

TEST(many_tools_of_which_many_are_allowed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    clock_t begun = clock();
    struct err err = {0};
    struct conversation *c;
    struct buf b;

    buf_init(&b, arena, 64 * MIB);
    buf_str(&b, STR("{\"model\":\"m\",\"messages\":[" SAYS(
                    "") "],\"tools\":[{\"type\":"
                        "\"function\",\"function\":{\"name\":\"b\"}}"));
    for (int n = 0; n < MANY / 2; n++)
        buf_str(&b, STR(",{\"type\":\"function\",\"function\":{\"name\":\"a\"}}"));
    buf_str(&b, STR("],\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":"
                    "\"auto\",\"tools\":[{\"function\":{\"name\":\"b\"}}"));
    for (int n = 0; n < MANY / 2; n++)
        buf_str(&b, STR(",{\"function\":{\"name\":\"c\"}}"));
    buf_str(&b, STR("]}}}"));
    buf_char(&b, '\0');
    c = kit_read(arena, &dialect_openai, b.ptr, &err);
    REQUIRE(c, "%s", err.text);
    EXPECT(c->tools && !c->tools->next && str_eq(c->tools->name, STR("b")));
    EXPECT(clock() - begun < 10 * CLOCKS_PER_SEC, "%g s",
           (double)(clock() - begun) / CLOCKS_PER_SEC);
}

/* ---- at the edge ---- */

TEST(a_seed_of_minus_one_is_a_seed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct losses losses = {0};
    struct err err = {0};
    const char *body = CHAT("\"seed\":-1,", SAYS(""));
    struct str chat = kit_request(arena, &dialect_openai, &dialect_openai, body, &losses, &err);
    struct str gemini = kit_request(arena, &dialect_openai, &dialect_gemini, body, &losses, &err);
    struct str none =
        kit_request(arena, &dialect_openai, &dialect_gemini, CHAT("", SAYS("")), &losses, &err);

    EXPECT(str_find(chat, STR("\"seed\":-1")) < chat.len, STR_FMT, STR_ARG(chat));
    EXPECT(str_find(gemini, STR("\"seed\":-1")) < gemini.len, STR_FMT, STR_ARG(gemini));
    EXPECT(str_find(none, STR("seed")) == none.len, STR_FMT, STR_ARG(none));
    EXPECT(losses.count == 0);
    EXPECT(kit_request(arena, &dialect_openai, &dialect_anthropic, body, &losses, &err).ptr &&
           is_named(&losses, "seed"));
}

TEST(an_effort_that_cannot_be_told_is_named)
{
    static const struct {
        const struct dialect *from;
        const char *body, *field;
    } cases[] = {
        {&dialect_openai, CHAT("\"reasoning_effort\":\"ultra\",", SAYS("")), "reasoning_effort"},
        {&dialect_anthropic,
         CLAUDE("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},\"output_config\":{"
                "\"effort\":\"low\"},",
                SAYS("")),
         "output_config.effort"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct losses losses = {0};
        struct err err = {0};
        struct str sent =
            kit_request(arena, cases[i].from, &dialect_gemini, cases[i].body, &losses, &err);

        EXPECT(sent.ptr && losses.count == 1 && str_is(losses.fields[0], cases[i].field),
               "%zu: %s " STR_FMT, i, err.text, STR_ARG(losses.fields[0]));
    }
}
