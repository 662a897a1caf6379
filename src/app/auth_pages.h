/* app/auth_pages.h: what logins answer: pages without scripts, JSON, redirects, and cookies with them. */
#ifndef WEIR_APP_AUTH_PAGES_H
#define WEIR_APP_AUTH_PAGES_H

#include "base/json.h"
#include "net/http_server.h"

#define REPLY_FIELDS_MAX 12

/* One reply in the making. */
struct auth_reply {
    struct http_exchange *http;
    struct arena *arena;
    bool secure; /* cookies: over https only, of this host only */
    struct http_field fields[REPLY_FIELDS_MAX];
    size_t count;
};
void reply_init(struct auth_reply *r, struct http_exchange *x, bool secure);
/* "__Host-weir_session"; of a login: with its slot behind. */
struct str cookie_name(const struct auth_reply *r, const char *name, char slot);
/* seconds 0: the browser drops it. False: no memory. */
bool reply_cookie(struct auth_reply *r, struct str name, struct str value, dur_ns age) MUST_CHECK;

bool wants_page(struct http_exchange *x); /* text/html is among what is accepted */
SUSPENDS void reply_redirect(struct auth_reply *r, struct str to);
SUSPENDS void reply_json(struct auth_reply *r, struct buf *body);
/* Of html the caller has escaped what is not its own. */
SUSPENDS void reply_page(struct auth_reply *r, int status, const char *title, struct buf *html);
SUSPENDS void reply_failure(struct auth_reply *r, int status, const struct err *err);
void buf_html(struct buf *b, struct str text); /* escaped */

#endif
