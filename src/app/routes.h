/* app/routes.h: every URL of Weir, in one table. */
#ifndef WEIR_APP_ROUTES_H
#define WEIR_APP_ROUTES_H

#include "app/house.h"
#include "net/http_server.h"

SUSPENDS void routes_handle(struct http_exchange *x, void *house);
/* Bodies of refusals that the server makes before a route is known. */
void routes_refusal(const struct err *err, int status, struct buf *body);

#endif
