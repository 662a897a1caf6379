/* What a provider said instead of an answer is the client's to know: as it came where both speak the same,
 * else in the client's dialect, with the provider's status and words. */
#include "gateway/gateway_internal.h"
#include "models/dialect.h"

#define BODY_MAX 4096 /* an err's text, escaped at worst, and its frame */

static bool same_dialect(const struct request *req)
{
    const struct dialect *provider = req->model->provider->dialect;

    return req->dialect == (provider ? provider : &dialect_openai);
}

static bool write_body(struct request *req, const struct refusal *why, const struct err *text,
                       struct str *body, struct err *err)
{
    struct str code = why->code.len ? arena_str(req->arena, why->code) : STR("");
    char id[REQUEST_ID_TEXT];
    struct buf out;

    buf_init(&out, req->arena, BODY_MAX);
    if (!code.ptr)
        return err_arena(err, req->arena);
    req->dialect->write_error(&out, why->status, code.ptr, text);
    if (req->dialect->write_request_id) {
        request_id_write(id, req->id);
        req->dialect->write_request_id(&out, (struct str){id, sizeof id});
    }
    return buf_finish(&out, body, err);
}

bool answer_refusal(struct request *req, const struct refusal *why, struct err *err)
{
    struct str body = why->body, type = why->content_type;
    struct answer *answer;

    if (!same_dialect(req) || !body.ptr) {
        struct err text = *err;

        type = STR("application/json");
        if (!write_body(req, why, &text, &body, err))
            return false;
    }
    answer = answer_from_bytes(req->arena, why->status, type, body);
    if (!answer)
        return err_arena(err, req->arena);
    answer->provider = req->model->provider->name;
    answer->remote_model = req->model->remote_name;
    answer->retry_after = why->retry_text;
    answer->request_id = why->request_id;
    req->answer = answer;
    *err = (struct err){0};
    return true;
}
