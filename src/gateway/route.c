#include "gateway/gateway_internal.h"

static const struct answerer *find_answerer(const struct config *config, struct str model)
{
    for (size_t i = 0; i < config->answerer_count; i++)
        if (str_eq(config->answerers[i].model, model))
            return &config->answerers[i];
    return NULL;
}

bool choose_route(struct request *req, struct err *err)
{
    const struct model *model = catalogue_find(req->config->catalogue, req->chat.model);

    if (!model) {
        req->problem = "model_not_found";
        return err_set(err, ERR_NOT_FOUND,
                       "model \"" STR_FMT "\" does not exist; GET /v1/models lists those that do",
                       STR_ARG(request_model_shown(req)));
    }
    if (!model->provider) {
        req->answerer = find_answerer(req->config, model->name);
        if (!req->answerer)
            return err_set(err, ERR_INTERNAL, "model \"" STR_FMT "\" has nobody to answer it",
                           STR_ARG(model->name));
    }
    req->model = model;
    return true;
}
