/* GET /v1/models and /v1/models/{id}, in Anthropic's shape for its clients; the same below /v1beta in Gemini's. */
#include "gateway/gateway_internal.h"

#include "base/table.h"
#include "models/dialect.h"
#include "models/route.h"

#define LIST_PATH   STR("/v1/models")
#define GEMINI_PATH STR("/v1beta/models")

/* What is no part of a dialect's shape stands where all of ours does. */
void list_write_lifecycle(struct json_writer *w, const struct catalogue *c,
                          const struct model *model)
{
    const struct model *next = catalogue_successor(c, model);

    if (model->lifecycle == LIFE_ACTIVE)
        return;
    jw_key(w, "weir");
    jw_object(w);
    jw_key(w, "lifecycle");
    jw_cstr(w, lifecycle_name(model->lifecycle));
    if (next) {
        jw_key(w, "successor");
        jw_str(w, next->name);
    }
    jw_object_end(w);
}

static void write_model(struct json_writer *w, const struct catalogue *c, const struct model *model,
                        int64_t created)
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
    list_write_lifecycle(w, c, model);
    jw_object_end(w);
}

/* By its name and its zone. What the house answers itself leaves it in no zone. */
bool request_may_ask(const struct request *req, const struct model *model)
{
    return principal_may_ask(req->who, model->name) &&
           (!model->provider || principal_may_zone(req->who, model->zone));
}

/* ---- names of routes ---- */

static bool is_among(const struct route_words *words, struct str value)
{
    for (size_t i = 0; i < words->count; i++)
        if (str_eq(words->at[i], value))
            return true;
    return words->count == 0;
}

/* Whether a row is for this key at all; hours, tags and sizes are the request's, and come with it. */
static const struct model *first_allowed(const struct request *req, const struct route *row)
{
    if (!is_among(&row->sets[MATCH_TENANT], req->who->tenant) ||
        !is_among(&row->sets[MATCH_TEAM], req->who->team))
        return NULL;
    for (size_t g = 0; g < row->group_count; g++)
        for (size_t i = 0; i < row->groups[g].count; i++) {
            const struct model *model = row->groups[g].candidates[i].model;

            if (model->lifecycle != LIFE_RETIRED && request_may_ask(req, model))
                return model;
        }
    return NULL;
}

/* As a model of the house with what the first who may answer can do; NULL: no memory. */
static const struct model *as_model(struct arena *arena, const struct model *like, struct str name)
{
    struct model *out = arena_alloc_raw(arena, sizeof *out);

    if (!out)
        return NULL;
    *out = *like;
    out->name = name;
    out->provider = NULL;
    out->lifecycle = LIFE_ACTIVE; /* the name's: who stands behind it comes and goes */
    return out;
}

static bool is_plain_name(struct str name)
{
    return name.len > 0 && name.ptr[name.len - 1] != '*';
}

/* Under its own name, as a model. */
static bool is_offered(const struct request *req, const struct model *model)
{
    return model && model->lifecycle != LIFE_RETIRED && request_may_ask(req, model);
}

static bool is_listed(const struct request *req, struct str name)
{
    return is_offered(req, catalogue_find(req->config->catalogue, name));
}

/* Whether rows for this key have the name, so that it is none of theirs that takes the request. */
bool request_is_named_by_routes(const struct request *req)
{
    const struct route_table *routes = req->config->routes;

    for (size_t i = 0; i < route_count(routes); i++) {
        const struct route_words *names = &route_at(routes, i)->sets[MATCH_MODEL];

        for (size_t n = 0; n < names->count; n++)
            if (route_name_fits(names->at[n], req->chat.model) &&
                first_allowed(req, route_at(routes, i)))
                return true;
    }
    return false;
}

/* Names of rows that this key may ask and that no model has, each once. */
static bool add_routes(const struct request *req, struct table *seen, const struct model **out,
                       size_t *count, size_t most, struct err *err)
{
    const struct route_table *routes = req->config->routes;

    for (size_t i = 0; i < route_count(routes); i++) {
        const struct route *row = route_at(routes, i);
        const struct route_words *names = &row->sets[MATCH_MODEL];
        const struct model *like = names->count ? first_allowed(req, row) : NULL;

        for (size_t n = 0; like && n < names->count && *count < most; n++) {
            if (!is_plain_name(names->at[n]) || table_get(seen, names->at[n]) ||
                !principal_may_ask(req->who, names->at[n]) || is_listed(req, names->at[n]))
                continue;
            out[*count] = as_model(req->arena, like, names->at[n]);
            if (!out[*count] || !table_put(seen, names->at[n], (void *)(uintptr_t)like, NULL))
                return err_arena(err, req->arena);
            ++*count;
        }
    }
    return true;
}

struct also { /* names of one of the house's models */
    const struct model *model;
    struct str *names;
    size_t count;
};

static bool ask_names(struct request *req, struct also *also, size_t *all, struct err *err)
{
    const struct config *config = req->config;

    for (size_t i = 0; i < config->answerer_count; i++) {
        const struct answerer *a = &config->answerers[i];

        also[i] = (struct also){.model = catalogue_find(config->catalogue, a->model)};
        if (!also[i].model || !a->names)
            continue;
        if (!a->names(a->ctx, req->arena, req->who, &also[i].names, &also[i].count, err))
            return false;
        *all += also[i].count;
    }
    return true;
}

/* Those that this key may ask and that no row of the settings has, each once. */
static bool add_names(const struct request *req, const struct also *also, struct table *seen,
                      const struct model **out, size_t *count, struct err *err)
{
    for (size_t n = 0; also->model && n < also->count; n++) {
        struct str name = also->names[n];

        if (table_get(seen, name) || !principal_may_ask(req->who, name) ||
            catalogue_find(req->config->catalogue, name))
            continue;
        out[*count] = as_model(req->arena, also->model, name);
        if (!out[*count] || !table_put(seen, name, (void *)(uintptr_t)also->model, NULL))
            return err_arena(err, req->arena);
        ++*count;
    }
    return true;
}

bool list_offered(struct request *req, const struct model ***out, size_t *count, struct err *err)
{
    const struct catalogue *c = req->config->catalogue;
    struct also *also = arena_array(req->arena, req->config->answerer_count + 1, sizeof *also);
    size_t of_routes = 0, of_house = 0;
    struct table seen;

    if (!also)
        return err_arena(err, req->arena);
    for (size_t i = 0; i < route_count(req->config->routes); i++)
        of_routes += route_at(req->config->routes, i)->sets[MATCH_MODEL].count;
    if (!ask_names(req, also, &of_house, err))
        return false;
    *count = 0;
    *out = arena_array(req->arena, c->model_count + of_routes + of_house + 1, sizeof **out);
    if (!*out)
        return err_arena(err, req->arena);
    for (size_t i = 0; i < c->model_count; i++)
        if (is_offered(req, &c->models[i]))
            (*out)[(*count)++] = &c->models[i];
    table_init(&seen, req->arena, of_routes + of_house + 1);
    if (!add_routes(req, &seen, *out, count, *count + of_routes, err))
        return false;
    for (size_t i = 0; i < req->config->answerer_count; i++)
        if (!add_names(req, &also[i], &seen, *out, count, err))
            return false;
    return true;
}

/* What the key may ask, and nothing else. */
static bool write_all(struct json_writer *w, struct request *req, struct err *err)
{
    const struct model **models;
    size_t count;

    if (!list_offered(req, &models, &count, err))
        return false;
    jw_object(w);
    jw_key(w, "object");
    jw_cstr(w, "list");
    jw_key(w, "data");
    jw_array(w);
    for (size_t i = 0; i < count; i++)
        write_model(w, req->config->catalogue, models[i], req->gateway->started);
    jw_array_end(w);
    jw_object_end(w);
    return true;
}

static bool find_offered(struct request *req, const struct model **out, struct err *err)
{
    const struct model **models;
    size_t count;

    *out = NULL;
    if (!list_offered(req, &models, &count, err))
        return false;
    for (size_t i = 0; i < count && !*out; i++)
        if (str_eq(models[i]->name, req->chat.model))
            *out = models[i];
    return true;
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
    if (!decode(req->arena, path, &req->chat.model, err) || !find_offered(req, &req->model, err))
        return false;
    if (!req->model) {
        const struct model *gone = catalogue_find(req->config->catalogue, req->chat.model);

        req->problem = "model_not_found";
        if (gone && request_may_ask(req, gone) &&
            !model_still_served(req->config->catalogue, gone, err))
            return false;
        return err_set(err, ERR_NOT_FOUND,
                       "model \"" STR_FMT "\" does not exist; GET /v1/models lists those that do",
                       STR_ARG(request_model_shown(req)));
    }
    if (is_gemini)
        gemini_write_model(w, req, req->model);
    else if (req->dialect == &dialect_anthropic)
        anthropic_write_model(w, req, req->model);
    else
        write_model(w, req->config->catalogue, req->model, req->gateway->started);
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
    bool is_list = str_is_empty(path) || str_eq(path, STR("/"));
    bool ok = !is_list    ? write_one(req, &w, str_slice(path, 1, path.len), is_gemini, err)
              : is_gemini ? gemini_write_models(&w, req, err)
              : req->dialect == &dialect_anthropic ? anthropic_write_models(&w, req, err)
                                                   : write_all(&w, req, err);
    if (!ok)
        return false;
    if (!buf_finish(&text, &body, err))
        return false;
    req->answer = answer_from_bytes(req->arena, 200, STR("application/json"), body);
    return req->answer || err_arena(err, req->arena);
}
