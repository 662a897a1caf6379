/* app/admin.h: /api/v1, what the platform team and the command line use. JSON in and out; errors are
 * application/problem+json (RFC 9457). Every call needs a key whose role has the right its route names,
 * or comes over the command socket of the same user; every change is recorded in the audit log.
 *
 * Each part of the house has its endpoints in admin_<part>.c, as a table of routes that routes.c
 * lists. A row tells all there is to know: the frame checks path, right, query and body against it before
 * the handler runs, and `weir api schema` makes the OpenAPI document from it. */
#ifndef WEIR_APP_ADMIN_H
#define WEIR_APP_ADMIN_H

#include "app/house.h"
#include "app/schema.h"
#include "base/json.h"
#include "net/http_server.h"

#define ADMIN_PATH_VALUES 4

/* One call: what came and what will be answered. */
struct admin_call {
    struct house *house;
    struct http_exchange *http;
    struct arena *arena;
    const struct admin_route *route;
    const struct principal *who;
    struct str values[ADMIN_PATH_VALUES]; /* of the {names} in the route's path, decoded */
    struct json *body;            /* of POST, PUT and PATCH: an object of the route's `takes` */
    int status;                   /* the route's, unless the handler says otherwise */
    const char *problem;          /* code of the failure, or NULL: after err's code */
    struct schema_faults *faults; /* what was wrong with body or query, or NULL */
    bool answered;                /* the handler has sent the answer itself: a stream, a file */
    struct buf reply_buf;
    struct json_writer reply; /* the handler writes one JSON value, or nothing for 204 */
    struct str note;          /* changes: what was done to what, for the audit log */
};
typedef SUSPENDS bool admin_fn(struct admin_call *call, struct err *err);

struct admin_route {
    const char *method, *path; /* "/api/v1/keys/{id}": a name in braces is one segment */
    const char *summary;
    enum right right;
    admin_fn *run;
    const struct schema *takes; /* body of POST, PUT, PATCH; NULL: none is read */
    const struct schema *gives; /* the reply, or each item of it when paged; NULL: see media */
    int status;                 /* of success; 0: 200 */
    bool paged;                 /* takes limit and cursor, gives {"items", "next_cursor"} */
    const struct schema_field *query; /* parameters besides, or NULL */
    const char *media;                /* of a reply that is not JSON: "application/x-ndjson" */
    bool
        uploads; /* the body is a file or a form with one, which the handler receives: app/receive.h;
                     `takes` describes the form */
    int also;    /* another status of success, with a reply of the same shape; 0: none */
};
struct admin_part {
    const char *name, *help; /* a tag of the OpenAPI document */
    const struct admin_route *routes;
    size_t count;
};
/* Every part, in the order of the documentation: routes.c. */
extern const struct admin_part *const admin_parts[];
extern const size_t admin_part_count;

/* Does path fit? Then *values are its {names}, still escaped. */
bool admin_path_fits(struct str pattern, struct str path, struct str values[ADMIN_PATH_VALUES]);
SUSPENDS void admin_handle(struct http_exchange *x, struct house *house,
                           const struct admin_route *route, const struct str *values);
SUSPENDS void admin_refuse(struct http_exchange *x, int status, const struct err *err);
void admin_register(void);                         /* metrics; once, before threads */
const struct schema_field *admin_page_query(void); /* the parameters of a paged route */

/* A failure whose status and code are not those of its err_code: 409 "conflict". Returns false. */
bool admin_fail(struct admin_call *call, int status, const char *code, struct err *err,
                const char *fmt, ...) PRINTF(5, 6);

extern const struct admin_part admin_status_part, admin_keys_part, admin_teams_part,
    admin_tenants_part, admin_usage_part, admin_models_part, admin_documents_part,
    admin_knowledge_part, admin_problems_part, admin_traces_part, admin_openapi_part,
    admin_audit_part;

extern const struct admin_part v1_files_part, v1_stores_part, v1_store_files_part,
    v1_uploads_part; /* app/v1.h */

extern const struct admin_part admin_cache_part, admin_bases_part, admin_runs_part,
    admin_sources_part, admin_upload_part, admin_sessions_part, admin_pages_part,
    admin_instances_part;
extern const struct admin_part admin_forget_part;

#endif
