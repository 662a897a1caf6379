#include "base/log.h"
#include "gateway/gateway_internal.h"
#include "sys/clock.h"

/* Which of the key's limits it was: clients retry the one and must not retry the other. */
static void explain_refusal(struct request *req, wall_ms now)
{
    struct limits_left left = limits_left(req->gateway->accounts, req->who, now);

    req->problem = left.requests_limit >= 0 && left.requests_left <= 0 ? "rate_limit_exceeded"
                                                                       : "insufficient_quota";
    req->retry_after = left.retry_after;
}

bool hold_budget(struct request *req, struct err *err)
{
    usd_micro worst = price_worst(req->model, &req->chat);
    wall_ms now = clock_wall();

    if (hold_take(req->gateway->accounts, req->who, worst, now, &req->hold, err))
        return true;
    if (err->code == ERR_EXHAUSTED)
        explain_refusal(req, now);
    if (err->code == ERR_UNAVAILABLE) { /* which file on which disk is the operator's to know */
        log_line(LOG_ERROR, req->id, "no request can be recorded: %s", err->text);
        err_set(err, ERR_UNAVAILABLE,
                "the audit log cannot be written; requests are refused until it can");
    }
    return false;
}
