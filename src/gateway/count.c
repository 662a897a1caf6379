/* POST /v1/messages/count_tokens: asked of a provider that counts; else estimated here and marked so. Costs
 * nothing and holds nothing; it is recorded like every request. */
#include "gateway/gateway_internal.h"
#include "models/anthropic_count.h"
#include "models/dialect.h"

#define REPLY_MAX 256

bool answer_estimate(struct request *req, struct str name, struct err *err)
{
    struct json_writer w;
    struct str body;
    struct buf text;

    buf_init(&text, req->arena, REPLY_MAX);
    jw_init(&w, &text);
    jw_object(&w);
    jw_key_str(&w, name);
    jw_i64(&w, chat_estimate_tokens(req->conversation->prompt_bytes));
    jw_key(&w, "weir");
    jw_object(&w);
    jw_key(&w, "estimated");
    jw_bool(&w, true);
    jw_object_end(&w);
    jw_object_end(&w);
    http_reply_field(req->http, (struct http_field){STR("x-weir-estimated"), name});
    if (!buf_finish(&text, &body, err))
        return false;
    req->answer = answer_from_bytes(req->arena, 200, STR("application/json"), body);
    return req->answer || err_arena(err, req->arena);
}

static SUSPENDS bool ask(struct request *req, struct refusal *why, struct err *err)
{
    struct model_question question = question_of(req);
    struct str body;

    if (!anthropic_count_tokens(req->arena, req->model, &question, &body, why, err))
        return false;
    req->answer = answer_from_bytes(req->arena, 200, STR("application/json"), body);
    if (!req->answer)
        return err_arena(err, req->arena);
    req->answer->provider = req->model->provider->name;
    req->answer->remote_model = req->model->remote_name;
    return true;
}

bool is_message_count(const struct request *req)
{
    return str_ends(http_head(req->http)->path, STR("/messages/count_tokens"));
}

/* Features that a client asks its own dialect's provider for: no other is told of them. */
bool prepare_message(struct request *req, struct err *err)
{
    const struct http_fields *fields = &http_head(req->http)->fields;
    const struct {
        struct str name, *to;
    } all[] = {{STR("anthropic-beta"), &req->conversation->beta},
               {STR("anthropic-version"), &req->conversation->version}};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct str value = http_field(fields, all[i].name);

        if (!value.ptr)
            continue;
        *all[i].to = arena_str(req->arena, value); /* the head's text moves */
        if (!all[i].to->ptr)
            return err_arena(err, req->arena);
    }
    return true;
}

/* What another house has signed is taken out of a question before it is asked; its own would refuse the count. */
static bool is_signed_elsewhere(const struct request *req)
{
    struct str body = json_raw(req->chat.json, json_root(req->chat.json));

    return str_find(body, STR(SIGNED_MARK)) < body.len;
}

bool count_message(struct request *req, struct err *err)
{
    struct refusal why = {0};

    /* A route's first candidate may be one that this key's prompts must not go to. */
    if (!req->model->provider || req->model->provider->dialect != &dialect_anthropic ||
        !request_may_ask(req, req->model) || is_signed_elsewhere(req))
        return answer_estimate(req, STR("input_tokens"), err);
    return ask(req, &why, err) || (why.status && answer_refusal(req, &why, err));
}
