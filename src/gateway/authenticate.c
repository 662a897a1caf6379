#include "gateway/gateway_internal.h"
#include "sys/clock.h"

static SUSPENDS bool identify(struct request *req, struct str token, struct err *err)
{
    if (token.ptr)
        return authenticate_token(req->gateway->accounts, token, &req->who, err);
    if (http_peer_is_local(req->http)) {
        req->who = accounts_local_admin(req->gateway->accounts);
        return req->who || err_set(err, ERR_UNAVAILABLE, "no memory to say who asks");
    }
    return err_set(err, ERR_UNAUTHENTICATED,
                   "no key was sent: expected the header \"Authorization: Bearer wr_...\"");
}

/* Writing an address as text costs more than checking a key: only of who is refused. */
static NOINLINE bool is_first_refusal(const struct request *req, struct str token)
{
    struct addr peer = http_peer(req->http);

    return stranger_is_first(req->gateway->accounts, str_from(peer.text), token, clock_wall());
}

/* Over the Unix socket of the same user no key is needed: whoever can open it can read the data
 * directory anyway. A key that is shown counts there too. Of many refusals of one address within a minute
 * the first is recorded; the others are counted, and recorded together. */
bool authenticate(struct request *req, struct err *err)
{
    struct str token = req->token;

    req->token = STR_NONE;
    if (!identify(req, token, err)) {
        if (err->code == ERR_UNAUTHENTICATED)
            req->recorded = !is_first_refusal(req, token);
        return false;
    }
    if (principal_may(req->who, RIGHT_ASK))
        return true;
    return err_set(err, ERR_DENIED, "role %s may not ask models", role_name(req->who->role));
}
