/* Pull the answer and push it to the client. One fiber does both, so a slow client slows the provider
 * down and nothing piles up in between. */
#include "gateway/gateway_internal.h"
#include "gateway/traces.h"
#include "sys/fiber.h"

/* A write failed: the client has left, or takes nothing. Not the provider's failure in any case. */
static NOINLINE bool not_taken(struct err *err)
{
    char why[sizeof err->text];
    struct buf text;

    buf_init_fixed(&text, why, sizeof why - 1);
    buf_str(&text, str_from(err->text));
    why[text.len] = 0;
    return err_set(err, ERR_CANCELLED, "the client did not take the answer: %s", why);
}

static void sent(struct request *req, size_t bytes)
{
    if (!req->first_token && req->answer->meter.content_bytes > 0)
        req->first_token = MAX_OF(fiber_now() - req->started, 1);
    if (req->last_piece)
        req->gap_max = MAX_OF(req->gap_max, fiber_now() - req->last_piece);
    req->last_piece = fiber_now();
    req->sent_bytes += bytes;
    if (!req->first_byte)
        req->first_byte = MAX_OF(fiber_now() - req->started, 1);
}

/* Everything is there: one write. */
static NOINLINE SUSPENDS bool send_whole(struct request *req, struct str body, struct err *err)
{
    struct reply_head head;

    req->status = req->answer->status;
    traces_expect(req->gateway->traces);
    keep_response(req);
    tap_answer(req, body);
    if (!request_record(req, &(struct err){0}, body.len, err))
        return false;
    req->head_sent = true;
    reply_head_init(&head, req, true);
    if (!http_send(req->http, &head.reply, body, err))
        return not_taken(err);
    sent(req, body.len);
    return true;
}

/* Apart, because the head stands on the stack only while it is written: it leaves with the first bytes. */
static NOINLINE SUSPENDS bool begin(struct request *req, struct err *err)
{
    struct reply_head head;

    req->status = req->answer->status;
    reply_head_init(&head, req, false);
    req->head_sent = true;
    return http_begin(req->http, &head.reply, err);
}

static SUSPENDS bool send_piece(struct request *req, struct str bytes, struct err *err)
{
    tap_answer(req, bytes);
    if (!http_piece(req->http, bytes, err))
        return not_taken(err);
    sent(req, bytes.len);
    return true;
}

static SUSPENDS bool relay(struct request *req, struct str first, struct err *err)
{
    struct answer *answer = req->answer;
    struct str bytes = first;
    bool last = false;

    if (!begin(req, err))
        return not_taken(err);
    while (!last) {
        if (!str_is_empty(bytes) && !send_piece(req, bytes, err))
            return false;
        if (!answer->next(answer, &bytes, &last, err))
            return false;
    }
    keep_response(req);
    tap_answer(req, bytes);
    if (!request_record(req, &(struct err){0}, bytes.len, err))
        return false;
    if (!http_end(req->http, bytes, err))
        return not_taken(err);
    sent(req, bytes.len);
    return true;
}

bool deliver_answer(struct request *req, struct err *err)
{
    struct str bytes;
    bool last = false;

    do {
        if (!req->answer->next(req->answer, &bytes, &last, err))
            return false;
    } while (!last && str_is_empty(bytes));
    return last ? send_whole(req, bytes, err) : relay(req, bytes, err);
}
