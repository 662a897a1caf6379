#include "gateway/gateway_internal.h"

/* Over the Unix socket of the same user no key is needed: whoever can open it can read the data
 * directory anyway. A key that is shown counts there too. */
bool authenticate(struct request *req, struct err *err)
{
    struct str token = req->token;

    req->token = STR_NONE;
    if (token.ptr)
        return authenticate_key(req->gateway->accounts, token, &req->who, err);
    if (http_peer_is_local(req->http)) {
        req->who = accounts_local_admin(req->gateway->accounts);
        return true;
    }
    return err_set(err, ERR_UNAUTHENTICATED,
                   "no key was sent: expected the header \"Authorization: Bearer wr_...\"");
}
