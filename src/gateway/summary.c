#include "gateway/summary.h"

#include <math.h>

#include "gateway/gateway_internal.h"
#include "sys/clock.h"
#include "sys/fiber.h"

/* OpenTelemetry's names where it has one: semantic conventions for generative AI, gen_ai.provider.name. */
static const char *const kind_names[] = {
    [KIND_OPENAI] = "openai",       [KIND_AZURE] = "azure.ai.openai",
    [KIND_VLLM] = "vllm",           [KIND_SGLANG] = "sglang",
    [KIND_LLAMA_CPP] = "llama_cpp", [KIND_OLLAMA] = "ollama",
    [KIND_DEEPSEEK] = "deepseek",   [KIND_DASHSCOPE] = "dashscope",
    [KIND_BAIDU] = "baidu",         [KIND_ANTHROPIC] = "anthropic",
    [KIND_GEMINI] = "gcp.gemini",   [KIND_BEDROCK] = "aws.bedrock",
};

static const struct {
    struct str label, operation; /* of metrics; of gen_ai.operation.name */
} operations[] = {
    {{"chat", 4}, {"chat", 4}},
    {{"ask", 3}, {"chat", 4}},
    {{"messages", 8}, {"chat", 4}},
    {{"responses", 9}, {"chat", 4}},
    {{"gemini", 6}, {"generate_content", 16}},
    {{"completions", 11}, {"text_completion", 15}},
    {{"embeddings", 10}, {"embeddings", 10}},
};

static struct str operation_of(struct str label)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (str_eq(operations[i].label, label))
            return operations[i].operation;
    return label;
}

const char *summary_kind_name(enum provider_kind kind)
{
    return kind_names[kind];
}

/* ---- what was asked for ---- */

static void ask_as_conversation(struct summary_asked *out, const struct conversation *c)
{
    out->seed = MAX_OF(c->seed, -1);
    out->top_k = c->top_k;
    out->dimensions = c->dimensions;
    out->temperature = c->temperature;
    out->top_p = c->top_p;
    out->frequency_penalty = c->frequency_penalty;
    out->presence_penalty = c->presence_penalty;
    out->effort = c->reasoning_effort;
    out->encoding = c->encoding;
    if (c->format == FORMAT_JSON || c->format == FORMAT_SCHEMA)
        out->output_type = "json";
    else if (c->audio.len > 0)
        out->output_type = "speech";
    else if (c->format == FORMAT_TEXT)
        out->output_type = "text";
}

/* Of a body that only passes through, by its index: what is no number there is refused by the provider. */
static void ask_as_body(struct summary_asked *out, const struct json *j)
{
    static const struct str keys[] = {
        {"temperature", 11}, {"top_p", 5}, {"frequency_penalty", 17}, {"presence_penalty", 16},
        {"seed", 4},         {"top_k", 5}, {"reasoning_effort", 16},  {"response_format", 15},
        {"audio", 5},
    };
    double *numbers[] = {&out->temperature, &out->top_p, &out->frequency_penalty,
                         &out->presence_penalty};
    json_ref found[ARRAY_LEN(keys)];

    json_pick(j, json_root(j), keys, found, ARRAY_LEN(keys));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (!json_f64(j, found[i], numbers[i]))
            *numbers[i] = (double)NAN;
    if (!json_i64(j, found[4], &out->seed))
        out->seed = -1;
    if (!json_i64(j, found[5], &out->top_k))
        out->top_k = -1;
    struct str effort = json_raw(j, found[6]);
    if (json_kind(j, found[6]) == JSON_STRING)
        out->effort = str_slice(effort, 1, effort.len - 1);
    struct str type = json_raw(j, json_get(j, found[7], STR("type")));
    if (str_starts(type, STR("\"json_")))
        out->output_type = "json";
    else if (json_kind(j, found[8]) == JSON_OBJECT)
        out->output_type = "speech";
    else if (type.len > 0)
        out->output_type = "text";
}

static void read_asked(struct summary_asked *out, const struct request *req)
{
    *out = (struct summary_asked){.stream = req->chat.stream,
                                  .choices = req->chat.n,
                                  .max_tokens = req->chat.max_tokens,
                                  .seed = -1,
                                  .top_k = -1,
                                  .dimensions = -1,
                                  .temperature = (double)NAN,
                                  .top_p = (double)NAN,
                                  .frequency_penalty = (double)NAN,
                                  .presence_penalty = (double)NAN};
    if (req->conversation)
        ask_as_conversation(out, req->conversation);
    else if (req->chat.json)
        ask_as_body(out, req->chat.json);
    out->effort = str_slice(out->effort, 0, 32);
    out->encoding = str_slice(out->encoding, 0, 32);
}

void summary_make(struct summary *out, const struct request *req, const struct err *why)
{
    const struct provider *provider = req->model ? req->model->provider : NULL;
    const struct trace_context *context = trace_joined(req->trace);
    const struct speaker speaker = request_speaker(req);

    *out = (struct summary){
        .id = req->id,
        .parent_id = req->parent_id,
        .trace = req->trace,
        .route = req->route,
        .operation = operation_of(req->label),
        .model = request_model_shown(req),
        .deployment = speaker.deployment,
        .provider = speaker.provider,
        .remote_model = speaker.remote_model,
        .provider_kind = provider ? kind_names[provider->kind] : "weir",
        .key_id = req->who ? req->who->key_id : STR(""),
        .tenant = req->who ? req->who->tenant : STR(""),
        .outcome = req->outcome,
        .error = why->code ? str_from(err_code_name(why->code)) : STR(""),
        .why = str_from(why->text),
        .status = req->status,
        .usage = req->usage,
        .cost = req->cost,
        .audit_seq = req->audit_seq,
        .bytes_in = req->body.len,
        .bytes_out = req->sent_bytes,
        .started = req->started,
        .took = fiber_now() - req->started,
        .first_byte = req->first_byte,
        .first_token = req->first_token,
        .catalogue = req->config->catalogue,
    };
    out->began = clock_wall() - out->took / MILLISECOND;
    if (req->answer) {
        out->streaming = req->answer->streaming;
        out->meter = req->answer->status < 300 ? &req->answer->meter : NULL;
    }
    if (context && context->recorded)
        read_asked(&out->asked, req);
}
