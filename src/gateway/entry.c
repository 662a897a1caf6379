/* The ways in. Read this table first. */
#include "gateway/gateway_internal.h"
#include "models/bedrock.h"

/* clang-format off: a table reads as a table */
static const struct gateway_entry entries[] = {
    {"/v1/chat/completions", &dialect_openai, {"chat", 4}, {"POST /v1/chat/completions", 25}, NULL},
    {"/v1/completions",
     &dialect_completions,
     {"completions", 11},
     {"POST /v1/completions", 20},
     NULL},
    {"/v1/embeddings", &dialect_embeddings, {"embeddings", 10}, {"POST /v1/embeddings", 19}, NULL},
    {"/v1/rerank", &dialect_rerank, {"rerank", 6}, {"POST /v1/rerank", 15}, NULL},
    {"/v2/rerank", &dialect_rerank, {"rerank", 6}, {"POST /v2/rerank", 15}, NULL},
    {"/v1/moderations",
     &dialect_moderation,
     {"moderations", 11},
     {"POST /v1/moderations", 20},
     NULL},
    {"/v1beta/models/*",
     &dialect_gemini,
     {"gemini", 6},
     {"POST /v1beta/models/*", 21},
     prepare_gemini},
    {"/model/*", &dialect_bedrock, {"converse", 8}, {"POST /model/*", 13}, prepare_converse},
    {"/v1/messages",
     &dialect_anthropic,
     {"messages", 8},
     {"POST /v1/messages", 17},
     prepare_message},
    {"/v1/messages/count_tokens",
     &dialect_anthropic,
     {"count", 5},
     {"POST /v1/messages/count_tokens", 30},
     prepare_message},
    {"/v1/responses",
     &dialect_responses,
     {"responses", 9},
     {"POST /v1/responses", 18},
     prepare_response},
};
/* clang-format on */

const struct gateway_entry *gateway_entry_find(struct str path)
{
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        struct str pattern = str_from(entries[i].path);

        if (str_ends(pattern, STR("*")) ? str_starts(path, str_slice(pattern, 0, pattern.len - 1))
                                        : str_eq(pattern, path))
            return &entries[i];
    }
    return NULL;
}

/* The model and whether to stream stand in the path. */
bool prepare_converse(struct request *req, struct err *err)
{
    struct conversation *c = req->conversation;

    return bedrock_path_read(req->arena, http_head(req->http)->path, &c->model, &c->stream, err);
}

void gateway_write_refusal(struct str path, int status, const struct err *err, struct buf *body)
{
    const struct gateway_entry *entry = gateway_entry_find(path);

    (entry ? entry->dialect : &dialect_openai)->write_error(body, status, "", err);
}
