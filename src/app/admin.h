/* app/admin.h: /api/v1, what the platform team and the command line use. JSON in and out; errors are
 * application/problem+json (RFC 9457). Every call needs an admin key, or comes over the command socket
 * of the same user; every change is recorded in the audit log. */
#ifndef WEIR_APP_ADMIN_H
#define WEIR_APP_ADMIN_H

#include "app/house.h"
#include "base/json.h"
#include "net/http_server.h"

/* One call: what came and what will be answered. */
struct admin_call {
    struct house *house;
    struct http_exchange *http;
    struct arena *arena;
    const struct principal *who;
    struct str tail;   /* the path behind the "*" of its route */
    struct json *body; /* of POST and PATCH: an object */
    int status;        /* 200 unless the handler says otherwise */
    struct buf reply_buf;
    struct json_writer reply; /* the handler writes one JSON value */
    struct str note;          /* changes: what was done to what, for the audit log */
};
typedef SUSPENDS bool admin_fn(struct admin_call *call, struct err *err);

SUSPENDS void admin_handle(struct http_exchange *x, struct house *house, admin_fn *run,
                           struct str pattern);
SUSPENDS void admin_refuse(struct http_exchange *x, int status, const struct err *err);

admin_fn admin_status, admin_keys_list, admin_keys_create, admin_keys_change, admin_keys_revoke,
    admin_models_list, admin_documents_list, admin_documents_ingest, admin_documents_forget;

#endif
