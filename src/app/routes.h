/* app/routes.h: every URL of Weir, in one table. */
#ifndef WEIR_APP_ROUTES_H
#define WEIR_APP_ROUTES_H

#include "app/house.h"
#include "app/schema.h"
#include "net/http_server.h"

/* What clients ask of models, and what monitoring asks; /api/v1 stands in app/admin.h. */
enum access { OPEN, GATEWAY /* the pipeline asks for the key */ };
typedef SUSPENDS void client_fn(struct http_exchange *x, struct house *house);

struct client_route {
    const char *method, *path; /* "*" at the end: anything below */
    enum access access;
    client_fn *run;
    const char *summary;
    /* Of the document, where a reply is no JSON or the query says something. */
    const char *media;                /* of success, "text/html|application/json"; NULL: JSON */
    const struct schema_field *query; /* parameters, or NULL */
    bool redirects;                   /* 303 is success too */
};
extern const struct client_route client_routes[];
extern const size_t client_route_count;

SUSPENDS void routes_handle(struct http_exchange *x, void *house);
/* Bodies of refusals that the server makes before a route is known. */
struct str routes_refusal(const struct err *err, int status, struct str path, struct buf *body);

#endif
