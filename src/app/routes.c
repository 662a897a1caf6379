#include "app/routes.h"

#include "app/admin.h"
#include "app/observe.h"
#include "base/log.h"

enum access { OPEN, GATEWAY /* the pipeline asks for the key */, ADMIN };

typedef SUSPENDS void route_fn(struct http_exchange *x, struct house *house);

static void chat_completions(struct http_exchange *x, struct house *house)
{
    gateway_chat_completions(x, house->gateway);
}

static void models(struct http_exchange *x, struct house *house)
{
    gateway_models(x, house->gateway);
}

/* Read this table first: method, path ("*" at the end: anything below), who may, what runs. */
static const struct route {
    const char *method, *path;
    enum access access;
    route_fn *run;
    admin_fn *admin;
} routes[] = {
    {"POST", "/v1/chat/completions", GATEWAY, chat_completions, NULL},
    {"GET", "/v1/models", GATEWAY, models, NULL},
    {"GET", "/v1/models/*", GATEWAY, models, NULL},
    {"GET", "/api/v1/status", ADMIN, NULL, admin_status},
    {"GET", "/api/v1/keys", ADMIN, NULL, admin_keys_list},
    {"POST", "/api/v1/keys", ADMIN, NULL, admin_keys_create},
    {"PATCH", "/api/v1/keys/*", ADMIN, NULL, admin_keys_change},
    {"DELETE", "/api/v1/keys/*", ADMIN, NULL, admin_keys_revoke},
    {"GET", "/api/v1/models", ADMIN, NULL, admin_models_list},
    {"GET", "/api/v1/documents", ADMIN, NULL, admin_documents_list},
    {"POST", "/api/v1/documents", ADMIN, NULL, admin_documents_ingest},
    {"DELETE", "/api/v1/documents/*", ADMIN, NULL, admin_documents_forget},
    {"GET", "/metrics", OPEN, observe_metrics, NULL},
    {"GET", "/healthz", OPEN, observe_health, NULL},
    {"GET", "/readyz", OPEN, observe_readiness, NULL},
};

static bool path_fits(struct str pattern, struct str path)
{
    if (str_ends(pattern, STR("*")))
        return path.len >= pattern.len && str_starts(path, str_slice(pattern, 0, pattern.len - 1));
    return str_eq(pattern, path);
}

/* *known: some route has this path, though not with this method. */
static const struct route *find(struct str method, struct str path, bool *known)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_fits(str_from(routes[i].path), path))
            continue;
        *known = true;
        if (str_eq(method, str_from(routes[i].method)) ||
            (str_eq(method, STR("HEAD")) && routes[i].method[0] == 'G'))
            return &routes[i];
    }
    return NULL;
}

/* RFC 9110, 15.5.6: 405 comes with the methods that would have done. */
static struct str methods_of(struct arena *arena, struct str path)
{
    struct buf b;

    buf_init(&b, arena, 100);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (path_fits(str_from(routes[i].path), path))
            buf_fmt(&b, "%s%s%s", b.len ? ", " : "", routes[i].method,
                    routes[i].method[0] == 'G' ? ", HEAD" : "");
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

static void refuse(struct http_exchange *x, struct house *house, bool known)
{
    struct str methods = known ? methods_of(http_arena(x), http_head(x)->path) : STR_NONE;
    const struct http_head *head = http_head(x);
    struct err err = {0};
    int status = known ? 405 : 404;

    if (methods.len)
        http_reply_field(x, (struct http_field){STR("allow"), methods});
    if (known)
        err_set(&err, ERR_INVALID, "method " STR_FMT " does not go with " STR_FMT,
                STR_ARG(str_slice(head->method, 0, 20)), STR_ARG(str_slice(head->path, 0, 100)));
    else
        err_set(&err, ERR_NOT_FOUND,
                "nothing is served at " STR_FMT "; see docs/api.md for what is",
                STR_ARG(str_slice(head->path, 0, 100)));
    if (str_starts(head->path, STR("/api/")))
        admin_refuse(x, status, &err);
    else
        gateway_refuse(x, house->gateway, status, &err);
}

void routes_handle(struct http_exchange *x, void *ctx)
{
    struct house *house = ctx;
    bool known = false;
    const struct route *route = find(http_head(x)->method, http_head(x)->path, &known);

    if (!route)
        refuse(x, house, known);
    else if (route->access == ADMIN)
        admin_handle(x, house, route->admin, str_from(route->path));
    else
        route->run(x, house);
}

void routes_refusal(const struct err *err, int status, struct buf *body)
{
    chat_write_error(body, status, err);
}
