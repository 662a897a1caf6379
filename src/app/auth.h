/* app/auth.h: people: /auth/login, /auth/callback, /auth/me, /auth/logout, and their sessions as a way into
 * /api/v1. What a browser shows is JSON for programs and a page for who accepts text/html.
 * Cookies  __Host-weir_session (over http, for localhost only: weir_session), HttpOnly, SameSite=Lax. A call
 *          that changes something needs our Origin and x-weir-csrf from /auth/me besides. */
#ifndef WEIR_APP_AUTH_H
#define WEIR_APP_AUTH_H

#include "app/house.h"
#include "net/http_server.h"

SUSPENDS void auth_login(struct http_exchange *x, struct house *house);
SUSPENDS void auth_callback(struct http_exchange *x, struct house *house);
SUSPENDS void auth_me(struct http_exchange *x, struct house *house);
SUSPENDS void auth_logout(struct http_exchange *x, struct house *house);

/* Does the request show a session's cookie? STR_NONE: no. */
struct str auth_cookie(struct http_exchange *x, struct house *house);
/* Whom it is from, to be released; of calls that change something also: not from another site. */
SUSPENDS bool auth_admit(struct http_exchange *x, struct house *house, struct str cookie,
                         const struct principal **out, struct err *err) MUST_CHECK;

#endif
