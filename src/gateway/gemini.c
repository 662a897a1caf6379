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

/* Its SDKs keep no members that they do not know: what matters stands in words too. */
static void write_life(struct json_writer *w, const struct request *req, const struct model *model)
{
    const struct model *next = catalogue_successor(req->config->catalogue, model);
    struct str text = STR("A preview.");

    if (model->lifecycle == LIFE_ACTIVE)
        return;
    if (model->lifecycle == LIFE_DEPRECATED)
        text = next ? arena_fmt(req->arena, "Deprecated: ask for \"" STR_FMT "\" instead.",
                                STR_ARG(next->name))
                    : STR("Deprecated.");
    jw_key(w, "description");
    jw_str(w, text.ptr ? text : STR("Deprecated."));
    list_write_lifecycle(w, req->config->catalogue, model);
}

void gemini_write_model(struct json_writer *w, const struct request *req, const struct model *model)
{
    jw_object(w);
    write_name(w, model, req->arena);
    jw_key(w, "version");
    jw_cstr(w, "1");
    if (model->window > 0) {
        jw_key(w, "inputTokenLimit");
        jw_i64(w, model->window);
    }
    jw_key(w, "outputTokenLimit");
    jw_i64(w, model->output_tokens_max);
    write_methods(w, model);
    write_life(w, req, model);
    jw_object_end(w);
}

/* A page's token is the name of the last model before it. */
bool gemini_write_models(struct json_writer *w, struct request *req, struct err *err)
{
    struct str token = http_query(req->arena, http_head(req->http)->query, STR("pageToken"));
    struct list list;
    size_t size, from = 0;

    if (!list_offered(req, &list.models, &list.count, err) ||
        !list_page_size(req, STR("pageSize"), &size, err))
        return false;
    if (token.len) {
        from = list_find(&list, token) + 1;
        if (from > list.count)
            return err_set(err, ERR_INVALID, "pageToken: not one that this list gave");
    }
    size = MIN_OF(size, list.count - from);
    jw_object(w);
    jw_key(w, "models");
    jw_array(w);
    for (size_t i = from; i < from + size; i++)
        gemini_write_model(w, req, list.models[i]);
    jw_array_end(w);
    if (from + size < list.count) {
        jw_key(w, "nextPageToken");
        jw_str(w, list.models[from + size - 1]->name);
    }
    jw_object_end(w);
    return true;
}
