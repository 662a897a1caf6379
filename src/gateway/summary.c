#include "gateway/summary.h"

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

void summary_make(struct summary *out, const struct request *req, const struct err *why)
{
    const struct provider *provider = req->model ? req->model->provider : NULL;

    *out = (struct summary){
        .id = req->id,
        .parent_id = req->parent_id,
        .trace = req->trace,
        .route = req->route,
        .operation = operation_of(req->label),
        .model = request_model_shown(req),
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
    };
    out->began = clock_wall() - out->took / MILLISECOND;
    if (req->answer) {
        out->provider = req->answer->provider;
        out->remote_model = req->answer->remote_model;
        out->streaming = req->answer->streaming;
    } else if (provider) {
        out->provider = provider->name;
        out->remote_model = req->model->remote_name;
    }
}
