#include "gateway/gateway_internal.h"

static const struct answerer *find_answerer(const struct config *config, struct str model)
{
    for (size_t i = 0; i < config->answerer_count; i++)
        if (str_eq(config->answerers[i].model, model))
            return &config->answerers[i];
    return NULL;
}

static bool no_such_model(struct request *req, struct err *err)
{
    req->problem = "model_not_found";
    if (request_is_named_by_routes(req))
        return err_set(err, ERR_NOT_FOUND,
                       "no route for \"" STR_FMT "\" takes this request: they go by its tags, data"
                       " class, hour, size and needs",
                       STR_ARG(request_model_shown(req)));
    return err_set(err, ERR_NOT_FOUND,
                   "model \"" STR_FMT "\" does not exist; GET /v1/models lists those that do",
                   STR_ARG(request_model_shown(req)));
}

bool choose_the_house(struct request *req, const struct model *model, struct err *err)
{
    req->model = model;
    req->answerer = find_answerer(req->config, model->name);
    return req->answerer ||
           err_set(err, ERR_INTERNAL, "model \"" STR_FMT "\" has nobody to answer it",
                   STR_ARG(model->name));
}

static bool is_alone(struct request *req, const struct model *model, struct err *err)
{
    req->model = model;
    if (!model_still_served(req->config->catalogue, model, err)) {
        req->problem = "model_not_found";
        return false;
    }
    if ((req->needs & CAN_RERANK) && !(model->abilities & CAN_RERANK))
        return err_set(err, ERR_INVALID,
                       "model \"" STR_FMT "\" does not rerank: \"rerank\" is none of its abilities",
                       STR_ARG(model->name));
    if ((req->needs & CAN_MODERATE) && !(model->abilities & CAN_MODERATE))
        return err_set(err, ERR_INVALID,
                       "model \"" STR_FMT
                       "\" does not moderate: \"moderation\" is none of its abilities",
                       STR_ARG(model->name));
    if (!principal_may_zone(req->who, model->zone))
        return err_set(err, ERR_DENIED,
                       "this key may not use the zone of model \"" STR_FMT "\" (%s)",
                       STR_ARG(model->name), zone_name(model->zone));
    return candidates_alone(req, model, err);
}

/* What the house answers goes by "weir" and by "weir/ANYTHING", which its answerer understands. */
static const struct model *find_model(const struct request *req)
{
    const struct catalogue *catalogue = req->config->catalogue;
    const struct model *model = catalogue_find(catalogue, req->chat.model);
    struct str name = str_slice(req->chat.model, 0, str_find_char(req->chat.model, '/'));

    if (model || name.len == req->chat.model.len)
        return model;
    model = catalogue_find(catalogue, name);
    return model && !model->provider ? model : NULL;
}

/* "weir": {"knowledge": true} or a list of bases: an answer from documents, whichever model writes it. */
static bool wants_documents(const struct request *req, bool *out, struct err *err)
{
    json_ref wish = req->chat.weir ? json_get(req->chat.json, req->chat.weir, STR("knowledge")) : 0;

    *out = wish != 0;
    if (!wish || json_kind(req->chat.json, wish) == JSON_ARRAY ||
        json_bool(req->chat.json, wish, out))
        return true;
    return err_set(err, ERR_INVALID,
                   "weir.knowledge: expected true, false or a list of knowledge bases");
}

/* The house answers, and who was asked for writes: beside this request, as one of its own. */
static bool ground_answer(struct request *req, struct err *err)
{
    struct request_writer *writer = arena_alloc(req->arena, sizeof *writer);
    const struct answerer *answerer =
        req->config->answerer_count ? &req->config->answerers[0] : NULL;
    const struct model *house =
        answerer ? catalogue_find(req->config->catalogue, answerer->model) : NULL;

    if (!writer)
        return err_arena(err, req->arena);
    if (!house)
        return err_set(err, ERR_INVALID, "weir.knowledge: there are no documents here");
    if (!principal_may_ask(req->who, house->name)) {
        req->problem = "model_not_allowed";
        return err_set(err, ERR_DENIED,
                       "this key may not ask the documents (model \"" STR_FMT "\")",
                       STR_ARG(house->name));
    }
    *writer = (struct request_writer){.model = req->model,
                                      .row = req->row,
                                      .groups = req->groups,
                                      .group_count = req->group_count,
                                      .policy = req->policy};
    req->writer = writer;
    req->answerer = answerer;
    req->model = house; /* what the writer costs is the writer's request's */
    req->row = NULL;
    req->groups = NULL;
    req->group_count = 0;
    return true;
}

static bool choose(struct request *req, struct err *err)
{
    const struct model *model;

    if (!principal_may_ask(req->who, req->chat.model)) {
        req->problem = "model_not_allowed";
        return err_set(err, ERR_DENIED, "this key may not ask model \"" STR_FMT "\"",
                       STR_ARG(request_model_shown(req)));
    }
    if (!candidates_find(req, err))
        return false;
    if (req->row) {
        req->model = req->row->groups[0].candidates[0].model;
        return candidates_of_row(req, err);
    }
    model = find_model(req);
    if (!model)
        return no_such_model(req, err);
    return model->provider ? is_alone(req, model, err) : choose_the_house(req, model, err);
}

bool choose_route(struct request *req, struct err *err)
{
    bool grounded = false;

    if (!choose(req, err) || !wants_documents(req, &grounded, err))
        return false;
    if (!grounded || req->answerer || is_gemini_count(req) || is_message_count(req))
        return true;
    return ground_answer(req, err);
}
