/* Gemini's ways in: the model and the verb stand in the path, and lists have another shape. */
#include "models/gemini.h"
#include "gateway/gateway_internal.h"

#define REPLY_MAX 512

static bool read_path(struct request *req, struct gemini_path *out, struct err *err)
{
    const struct http_head *head = http_head(req->http);
    const struct str prefix = STR("/v1beta/");
    struct str path;

    path =
        arena_fmt(req->arena, STR_FMT "?" STR_FMT,
                  STR_ARG(str_slice(head->path, prefix.len, head->path.len)), STR_ARG(head->query));
    if (!path.ptr)
        return err_arena(err, req->arena);
    return gemini_path_read(req->arena, path, out, err);
}

bool prepare_gemini(struct request *req, struct err *err)
{
    struct conversation *c = req->conversation;
    struct gemini_path path;

    if (!read_path(req, &path, err))
        return false;
    if (!path.verb.len)
        return err_set(err, ERR_NOT_FOUND,
                       "nothing is served at " STR_FMT "; expected models/NAME:generateContent",
                       STR_ARG(str_slice(http_head(req->http)->path, 0, 100)));
    if (path.speaks && (path.speaks == &dialect_gemini_embed) != (c->kind == ASK_EMBEDDING))
        return err_set(err, ERR_INVALID, "%s",
                       c->kind == ASK_EMBEDDING ? "contents: expected an array"
                                                : "content: expected an object");
    c->model = path.model;
    c->stream = path.stream;
    if (path.speaks)
        req->dialect = path.speaks;
    return true;
}

bool is_gemini_count(const struct request *req)
{
    return str_starts(http_head(req->http)->path, STR("/v1beta/")) &&
           str_ends(http_head(req->http)->path, STR(":countTokens"));
}

bool count_gemini(struct request *req, struct err *err)
{
    return answer_estimate(req, STR("totalTokens"), err);
}

/* ---- lists ---- */

static void write_name(struct json_writer *w, const struct model *model, struct arena *arena)
{
    struct str name = arena_fmt(arena, "models/" STR_FMT, STR_ARG(model->name));

    jw_key(w, "name");
    jw_str(w, name.ptr ? name : model->name);
    jw_key(w, "displayName");
    jw_str(w, model->name);
}

static void write_methods(struct json_writer *w, const struct model *model)
{
    bool embeds = (model->abilities & CAN_EMBED) && !(model->abilities & CAN_CHAT);

    jw_key(w, "supportedGenerationMethods");
    jw_array(w);
    jw_cstr(w, embeds ? "embedContent" : "generateContent");
    jw_cstr(w, embeds ? "batchEmbedContents" : "streamGenerateContent");
    jw_cstr(w, "countTokens");
    jw_array_end(w);
}

void gemini_write_model(struct json_writer *w, const struct model *model, struct arena *arena)
{
    jw_object(w);
    write_name(w, model, arena);
    jw_key(w, "version");
    jw_cstr(w, "1");
    if (model->window > 0) {
        jw_key(w, "inputTokenLimit");
        jw_i64(w, model->window);
    }
    jw_key(w, "outputTokenLimit");
    jw_i64(w, model->output_tokens_max);
    write_methods(w, model);
    jw_object_end(w);
}

bool gemini_write_models(struct json_writer *w, struct request *req, struct err *err)
{
    const struct model **models;
    size_t count;

    if (!list_offered(req, &models, &count, err))
        return false;
    jw_object(w);
    jw_key(w, "models");
    jw_array(w);
    for (size_t i = 0; i < count; i++)
        gemini_write_model(w, models[i], req->arena);
    jw_array_end(w);
    jw_object_end(w);
    return true;
}
