/* Lists of models in Anthropic's shape, and pages of lists, which Gemini's have too. */
#include "gateway/gateway_internal.h"

#include "base/log.h"

#define PAGE_MAX 1000

bool list_page_size(struct request *req, struct str name, size_t *out, struct err *err)
{
    struct str value = http_query(req->arena, http_head(req->http)->query, name);
    int64_t size = PAGE_MAX;

    if (value.len && (!i64_parse(value, &size) || size < 1 || size > PAGE_MAX))
        return err_set(err, ERR_INVALID, STR_FMT ": expected an integer from 1 to %d",
                       STR_ARG(name), PAGE_MAX);
    *out = (size_t)size;
    return true;
}

size_t list_find(const struct list *list, struct str name)
{
    size_t i = 0;

    while (i < list->count && !str_eq(list->models[i]->name, name))
        i++;
    return i;
}

/* A place in the list that the client names; false: there is none of that name. */
static bool find_place(struct request *req, const struct list *list, struct str name, size_t *out,
                       bool *said, struct err *err)
{
    struct str id = http_query(req->arena, http_head(req->http)->query, name);

    *said = id.len > 0;
    *out = *said ? list_find(list, id) : 0;
    if (*said && *out == list->count)
        return err_set(err, ERR_INVALID, STR_FMT ": \"" STR_FMT "\" is not in this list",
                       STR_ARG(name), STR_ARG(str_slice(id, 0, 100)));
    return true;
}

/* What of the list is shown, and whether more lies further in the direction that was asked for. */
static bool cut(struct request *req, struct list *list, bool *more, struct err *err)
{
    size_t size, after, before, from = 0, to = list->count;
    bool is_after, is_before;

    if (!list_page_size(req, STR("limit"), &size, err) ||
        !find_place(req, list, STR("after_id"), &after, &is_after, err) ||
        !find_place(req, list, STR("before_id"), &before, &is_before, err))
        return false;
    if (is_after && is_before)
        return err_set(err, ERR_INVALID, "before_id: after_id goes without it");
    if (is_after)
        from = after + 1;
    if (is_before) {
        to = before;
        from = to - MIN_OF(to, size);
    }
    *more = is_before ? from > 0 : to - from > size;
    list->models += from;
    list->count = MIN_OF(to - from, size);
    return true;
}

void anthropic_write_model(struct json_writer *w, const struct request *req,
                           const struct model *model)
{
    char created[25];

    wall_format((wall_ms)req->gateway->started * 1000, created);
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "model");
    jw_key(w, "id");
    jw_str(w, model->name);
    jw_key(w, "display_name");
    jw_str(w, model->name);
    jw_key(w, "created_at");
    jw_cstr(w, created);
    if (model->window > 0) {
        jw_key(w, "max_input_tokens");
        jw_i64(w, model->window);
    }
    list_write_lifecycle(w, req->config->catalogue, model);
    jw_object_end(w);
}

static void write_end(struct json_writer *w, const char *key, const struct list *list, size_t at)
{
    jw_key(w, key);
    if (at < list->count)
        jw_str(w, list->models[at]->name);
    else
        jw_null(w);
}

bool anthropic_write_models(struct json_writer *w, struct request *req, struct err *err)
{
    struct list list;
    bool more = false;

    if (!list_offered(req, &list.models, &list.count, err) || !cut(req, &list, &more, err))
        return false;
    jw_object(w);
    jw_key(w, "data");
    jw_array(w);
    for (size_t i = 0; i < list.count; i++)
        anthropic_write_model(w, req, list.models[i]);
    jw_array_end(w);
    jw_key(w, "has_more");
    jw_bool(w, more);
    write_end(w, "first_id", &list, 0);
    write_end(w, "last_id", &list, list.count ? list.count - 1 : 0);
    jw_object_end(w);
    return true;
}
