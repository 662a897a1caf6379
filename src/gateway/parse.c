#include "gateway/gateway_internal.h"
#include "sys/fiber.h"

static SUSPENDS bool receive(struct request *req, struct err *err)
{
    struct err over = {0};

    if (!http_body(req->http, &req->body, err)) {
        if (err->code == ERR_TIMEOUT && fiber_still_wanted(&over))
            req->problem_status = 408; /* the client was late, not a provider */
        return false;
    }
    if (req->body.len > req->config->body_bytes_max)
        return err_set(err, ERR_TOO_LARGE, "the body has %zu bytes, at most %zu are taken",
                       req->body.len, req->config->body_bytes_max);
    return true;
}

bool parse_body(struct request *req, struct err *err)
{
    if (req->http && !receive(req, err))
        return false;
    return chat_read_request(req->arena, req->body, &req->chat, err);
}
