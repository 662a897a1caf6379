#include "gateway/gateway_internal.h"

bool call_model(struct request *req, struct err *err)
{
    ASSERT(!req->answer && req->hold.open);
    if (req->answerer)
        return req->answerer->ask(req->answerer->ctx, req, &req->answer, err);
    req->asked = true;
    return provider_ask(req->arena, req->model, &req->chat, req->id, &req->answer, err);
}
