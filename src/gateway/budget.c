#include "base/log.h"
#include "gateway/gateway_internal.h"
#include "sys/clock.h"

/* Which limit it was: clients retry the one kind and must not retry the other. */
static void explain_refusal(struct request *req)
{
    req->problem = req->hold.refused == LIMIT_SPEND ? "insufficient_quota" : "rate_limit_exceeded";
    req->retry_after = req->hold.retry_after;
}

/* As many as a budget holds the price of. */
static int64_t tokens_worst(const struct request *req)
{
    int64_t out =
        req->chat.max_tokens >= 0 ? req->chat.max_tokens : candidates_output_tokens_max(req);

    if (req->conversation && ask_is_whole(req->conversation->kind))
        out = 0; /* vectors and scores are not made of tokens */
    return chat_prompt_worst(&req->chat) + MIN_OF(out, INT32_MAX) * MAX_OF(req->chat.n, 1);
}

static SUSPENDS bool hold(struct request *req, bool again, struct err *err)
{
    struct need worst = {.cost = request_cache_price(req, candidates_price_worst(req)),
                         .tokens = request_is_cached(req) ? 0 : tokens_worst(req),
                         .again = again};
    wall_ms now = clock_wall();

    if (hold_take(req->gateway->accounts, req->who, worst, now, &req->hold, err))
        return true;
    if (err->code == ERR_EXHAUSTED && !err->sys)
        explain_refusal(req);
    if (err->code == ERR_UNAVAILABLE &&
        req->hold.refused == LIMIT_NONE) { /* which file on which disk is the operator's to know */
        log_line(LOG_ERROR, req->id, "no request can be recorded: %s", err->text);
        err_set(err, ERR_UNAVAILABLE,
                "the audit log cannot be written; requests are refused until it can");
    }
    return false;
}

bool hold_budget(struct request *req, struct err *err)
{
    return hold(req, false, err);
}

bool hold_budget_again(struct request *req, struct err *err)
{
    return hold(req, true, err);
}
