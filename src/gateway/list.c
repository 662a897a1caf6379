/* GET /v1/models and /v1/models/{id}; the same below /v1beta in Gemini's shape. */
#include "gateway/gateway_internal.h"

#define LIST_PATH   STR("/v1/models")
#define GEMINI_PATH STR("/v1beta/models")

static void write_model(struct json_writer *w, const struct model *model, int64_t created)
{
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, model->name);
    jw_key(w, "object");
    jw_cstr(w, "model");
    jw_key(w, "created");
    jw_i64(w, created);
    jw_key(w, "owned_by");
    jw_str(w, model->provider ? model->provider->name : STR("weir"));
    jw_object_end(w);
}

/* By its name and its zone. What the house answers itself leaves it in no zone. */
bool may_ask(const struct request *req, const struct model *model)
{
    return principal_may_ask(req->who, model->name) &&
           (!model->provider || principal_may_zone(req->who, model->zone));
}

/* What the key may ask, and nothing else. */
static void write_all(struct json_writer *w, const struct request *req)
{
    const struct catalogue *c = req->config->catalogue;

    jw_object(w);
    jw_key(w, "object");
    jw_cstr(w, "list");
    jw_key(w, "data");
    jw_array(w);
    for (size_t i = 0; i < c->model_count; i++)
        if (may_ask(req, &c->models[i]))
            write_model(w, &c->models[i], req->gateway->started);
    jw_array_end(w);
    jw_object_end(w);
}

/* Model names may hold what a path escapes: "org%2Fmodel" is org/model. */
static bool decode(struct arena *arena, struct str path, struct str *out, struct err *err)
{
    struct buf text;
    uint8_t byte;

    buf_init(&text, arena, path.len + 1);
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '%') {
            buf_char(&text, path.ptr[i]);
            continue;
        }
        if (!hex_parse(str_slice(path, i + 1, i + 3), &byte, 1))
            return err_set(err, ERR_INVALID, "the path holds a broken %%-escape");
        buf_char(&text, (char)byte);
        i += 2;
    }
    return buf_finish(&text, out, err);
}

static bool write_one(struct request *req, struct json_writer *w, struct str path, bool is_gemini,
                      struct err *err)
{
    if (!decode(req->arena, path, &req->chat.model, err))
        return false;
    req->model = catalogue_find(req->config->catalogue, req->chat.model);
    if (!req->model || !may_ask(req, req->model)) {
        req->problem = "model_not_found";
        return err_set(err, ERR_NOT_FOUND,
                       "model \"" STR_FMT "\" does not exist; GET /v1/models lists those that do",
                       STR_ARG(request_model_shown(req)));
    }
    if (is_gemini)
        gemini_write_model(w, req->model, req->arena);
    else
        write_model(w, req->model, req->gateway->started);
    return true;
}

bool list_models(struct request *req, struct err *err)
{
    struct str path = http_head(req->http)->path;
    bool is_gemini = str_starts(path, GEMINI_PATH);
    struct json_writer w;
    struct str body;
    struct buf text;

    path = str_slice(path, is_gemini ? GEMINI_PATH.len : LIST_PATH.len, path.len);
    buf_init(&text, req->arena, MIB);
    jw_init(&w, &text);
    if ((str_is_empty(path) || str_eq(path, STR("/"))) && is_gemini)
        gemini_write_models(&w, req);
    else if (str_is_empty(path) || str_eq(path, STR("/")))
        write_all(&w, req);
    else if (!write_one(req, &w, str_slice(path, 1, path.len), is_gemini, err))
        return false;
    if (!buf_finish(&text, &body, err))
        return false;
    req->answer = answer_from_bytes(req->arena, 200, STR("application/json"), body);
    return req->answer || err_arena(err, req->arena);
}
