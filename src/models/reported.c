#include "models/reported.h"

#include "base/json.h"
#include "models/upstream.h"

static struct upstream_question list_question(uint64_t request_id)
{
    return (struct upstream_question){.method = STR("GET"),
                                      .path = STR("/models"),
                                      .accept = STR("application/json"),
                                      .request_id = request_id};
}

static SUSPENDS bool ask_list(struct arena *arena, const struct provider *provider,
                              uint64_t request_id, struct str *out, struct err *err)
{
    const struct upstream_question q = list_question(request_id);
    struct upstream u = {0};
    struct str whole = STR_NONE;

    if (!upstream_ask(&u, arena, provider, &q, err))
        return false;
    bool ok = http_call_head(u.call)->status == 200 && upstream_whole(&u, &whole, err);
    *out = ok ? arena_str(arena, whole) : STR_NONE;
    upstream_end(&u, ok);
    return ok && out->ptr;
}

bool provider_answers(struct arena *arena, const struct provider *provider, uint64_t request_id,
                      struct err *err)
{
    const struct upstream_question q = list_question(request_id);
    struct upstream u = {0};
    struct err why = {0};

    if (!upstream_ask(&u, arena, provider, &q, &why)) {
        if (!u.refused_us) /* else it is there, and refuses our key or our url */
            *err = why;
        return u.refused_us;
    }
    int status = http_call_head(u.call)->status;
    upstream_end(&u, false);
    return status < 500 || status == 501 ||
           err_set(err, ERR_UNAVAILABLE, "provider \"" STR_FMT "\" answers %d",
                   STR_ARG(provider->name), status);
}

/* As vLLM and SGLang, OpenRouter, Groq, Anthropic and llama.cpp call it. */
static int64_t window_in(const struct json *j, json_ref item)
{
    static const char *const names[] = {"max_model_len", "context_length", "context_window",
                                        "max_input_tokens"};
    int64_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_i64(j, json_get(j, item, str_from(names[i])), &n) && n > 0)
            return n;
    return json_i64(j, json_get(j, json_get(j, item, STR("meta")), STR("n_ctx_train")), &n) && n > 0
               ? n
               : 0;
}

int64_t reported_window(struct arena *arena, const struct model *model, uint64_t request_id)
{
    struct err err = {0};
    struct str text, id;
    struct json *j;

    if (!ask_list(arena, model->provider, request_id, &text, &err))
        return 0;
    j = json_parse(arena, text, &err);
    for (json_ref item = j ? json_first(j, json_get(j, json_root(j), STR("data"))) : 0; item;
         item = json_next(j, item))
        if (json_str(j, json_get(j, item, STR("id")), arena, &id) && str_eq(id, model->remote_name))
            return window_in(j, item);
    return 0;
}
