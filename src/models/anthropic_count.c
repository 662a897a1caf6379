#include "models/anthropic_count.h"

#include "models/anthropic.h"
#include "models/upstream.h"

static bool write_body(struct arena *arena, const struct json *j, struct str remote_name,
                       struct str *out, struct err *err)
{
    json_ref weir = json_get(j, json_root(j), STR("weir"));
    struct json_edit edits[2];
    struct buf name;
    size_t n = 1;

    buf_init(&name, arena, 6 * remote_name.len + 2);
    buf_json_str(&name, remote_name);
    edits[0] =
        (struct json_edit){.kind = JSON_REPLACE, .at = json_get(j, json_root(j), STR("model"))};
    if (weir)
        edits[n++] = (struct json_edit){.kind = JSON_REMOVE, .at = weir};
    return buf_finish(&name, &edits[0].value, err) && json_splice(arena, j, edits, n, out, err);
}

static SUSPENDS bool read_refusal(struct upstream *u, int status, struct refusal *why,
                                  struct err *err)
{
    *why = (struct refusal){.status = status, .content_type = STR("application/json")};
    if (!upstream_whole(u, &why->body, err))
        return false;
    why->body = arena_str(u->arena, why->body);
    if (!why->body.ptr)
        return err_arena(err, u->arena);
    return refusal_read(u->arena, &dialect_anthropic, u->provider, why, err);
}

bool anthropic_count_tokens(struct arena *arena, const struct model *model,
                            const struct model_question *question, struct str *reply,
                            struct refusal *why, struct err *err)
{
    const struct conversation *asked = question->conversation;
    struct http_field fields[ANTHROPIC_FIELDS_MAX];
    struct upstream u = {0};
    struct str body, whole;
    int status;
    bool ok;

    if (!write_body(arena, question->json, model->remote_name, &body, err))
        return false;
    struct upstream_question q = {.method = STR("POST"),
                                  .path = STR("/messages/count_tokens"),
                                  .body = &body,
                                  .body_count = 1,
                                  .accept = STR("application/json"),
                                  .fields = fields,
                                  .field_count = anthropic_head(model, asked, fields),
                                  .request_id = question->request_id,
                                  .model = model->remote_name};
    if (!upstream_ask(&u, arena, model->provider, &q, err))
        return false;
    status = http_call_head(u.call)->status;
    if (status >= 400) {
        ok = read_refusal(&u, status, why, err);
    } else {
        ok = upstream_whole(&u, &whole, err);
        if (ok) {
            *reply = arena_str(arena, whole);
            ok = reply->ptr || err_arena(err, arena);
        }
    }
    upstream_end(&u, true);
    return ok;
}
