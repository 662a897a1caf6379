#include "app/routes.h"

#include "app/admin.h"
#include "app/auth.h"
#include "app/observe.h"
#include "app/problems.h"
#include "base/log.h"

static void ask_model(struct http_exchange *x, struct house *house)
{
    gateway_serve(x, house->gateway);
}

static void kept_responses(struct http_exchange *x, struct house *house)
{
    gateway_responses(x, house->gateway);
}

static void models(struct http_exchange *x, struct house *house)
{
    gateway_models(x, house->gateway);
}

#define SAID(name, help)                                         \
    {                                                            \
        name, FIELD_TEXT, FIELD_OPTIONAL, help, 0, 0, NULL, NULL \
    }
#define METRICS_MEDIA "application/openmetrics-text|text/plain"
#define PAGE_OR_JSON  "application/json|text/html"

static const struct schema_field login_query[] = {
    SAID("issuer", "Which, where there are several; without it a page asks."),
    SAID("next", "A path of this Weir to come back to."),
    {0},
};
/* As the issuer sends them: OpenID Connect Core 1.0, RFC 9207. */
static const struct schema_field callback_query[] = {
    SAID("state", "Of the login that was begun."),
    SAID("code", "To be exchanged for tokens."),
    SAID("iss", "Who sends it."),
    SAID("error", "Why there is no code."),
    SAID("error_description", "The same in words."),
    {0},
};

/* Read these tables first. */
const struct client_route client_routes[] = {
    {"POST", "/v1/chat/completions", GATEWAY, ask_model, "Ask a model (OpenAI's dialect)"},
    {"POST", "/v1/completions", GATEWAY, ask_model, "Complete a text (OpenAI's older dialect)"},
    {"POST", "/v1/embeddings", GATEWAY, ask_model, "Turn texts into vectors (OpenAI's dialect)"},
    {"POST", "/v1/rerank", GATEWAY, ask_model, "Order documents by a query (Cohere's and Jina's)"},
    {"POST", "/v1/moderations", GATEWAY, ask_model,
     "What texts and pictures hold that is not wanted (OpenAI's dialect)"},
    {"POST", "/v2/rerank", GATEWAY, ask_model, "The same, where newer clients of Cohere ask"},
    {"POST", "/v1/messages", GATEWAY, ask_model, "Ask a model (Anthropic's dialect)"},
    {"POST", "/v1/messages/count_tokens", GATEWAY, ask_model,
     "Count a question's tokens (Anthropic's dialect)"},
    {"POST", "/v1/responses", GATEWAY, ask_model, "Ask a model (OpenAI's Responses)"},
    {"GET", "/v1/responses/*", GATEWAY, kept_responses, "Show a kept answer, or its input_items"},
    {"DELETE", "/v1/responses/*", GATEWAY, kept_responses, "Forget a kept answer"},
    {"POST", "/v1/responses/*", GATEWAY, kept_responses, "Cancel: refused, as none is in progress"},
    {"POST", "/v1beta/models/*", GATEWAY, ask_model,
     "Ask a model, stream, embed, count tokens (Gemini's dialect)"},
    {"POST", "/model/*", GATEWAY, ask_model, "Ask a model, stream (Bedrock's Converse)"},
    {"GET", "/v1beta/models", GATEWAY, models, "List models (Gemini's dialect)"},
    {"GET", "/v1beta/models/*", GATEWAY, models, "Show a model (Gemini's dialect)"},
    {"GET", "/v1/models", GATEWAY, models, "List models (OpenAI's dialect)"},
    {"GET", "/v1/models/*", GATEWAY, models, "Show a model (OpenAI's dialect)"},
    {"GET", "/auth/login", OPEN, auth_login,
     "Log in: to the issuer, and back to ?next=", "text/html", login_query, true},
    {"GET", "/auth/callback", OPEN, auth_callback, "Where the issuer sends the browser back",
     "text/html", callback_query, true},
    {"GET", "/auth/me", OPEN, auth_me, "Who is logged in, and the CSRF token", PAGE_OR_JSON, NULL,
     false},
    {"POST", "/auth/logout", OPEN, auth_logout, "End one's session, here and at the issuer",
     PAGE_OR_JSON, NULL, true},
    {"GET", "/metrics", OPEN, observe_metrics, "Read the metrics (OpenMetrics)", METRICS_MEDIA,
     NULL, false},
    {"GET", "/healthz", OPEN, observe_health, "Does the process answer?", "text/plain", NULL,
     false},
    {"GET", "/readyz", OPEN, observe_readiness, "Does it take requests?", "text/plain", NULL,
     false},
};
const size_t client_route_count = ARRAY_LEN(client_routes);

/* /api/v1: each part's rows stand in its own file. */
const struct admin_part *const admin_parts[] = {
    &admin_status_part,    &admin_keys_part,      &admin_teams_part,    &admin_tenants_part,
    &admin_sessions_part,  &admin_usage_part,     &admin_models_part,   &admin_cache_part,
    &admin_documents_part, &admin_bases_part,     &admin_runs_part,     &admin_sources_part,
    &admin_upload_part,    &admin_knowledge_part, &admin_pages_part,    &admin_forget_part,
    &admin_audit_part,     &admin_traces_part,    &admin_problems_part, &admin_openapi_part,
    &admin_instances_part, &v1_files_part,        &v1_stores_part,      &v1_store_files_part,
    &v1_uploads_part,
};
const size_t admin_part_count = ARRAY_LEN(admin_parts);

static bool path_fits(struct str pattern, struct str path)
{
    if (str_ends(pattern, STR("*")))
        return path.len >= pattern.len && str_starts(path, str_slice(pattern, 0, pattern.len - 1));
    return str_eq(pattern, path);
}

static bool method_fits(struct str method, const char *of_route)
{
    return str_eq(method, str_from(of_route)) ||
           (str_eq(method, STR("HEAD")) && of_route[0] == 'G');
}

/* RFC 9110, 15.5.6: 405 comes with the methods that would have done. */
static void add_method(struct buf *methods, const char *method)
{
    buf_fmt(methods, "%s%s%s", methods->len ? ", " : "", method, method[0] == 'G' ? ", HEAD" : "");
}

/* Without one, methods are those that the path goes with. */
static const struct client_route *find(struct str method, struct str path, struct buf *methods)
{
    for (size_t i = 0; i < client_route_count; i++) {
        if (!path_fits(str_from(client_routes[i].path), path))
            continue;
        if (method_fits(method, client_routes[i].method))
            return &client_routes[i];
        add_method(methods, client_routes[i].method);
    }
    return NULL;
}

static const struct admin_route *find_admin(struct str method, struct str path,
                                            struct str values[ADMIN_PATH_VALUES],
                                            struct buf *methods)
{
    for (size_t part = 0; part < admin_part_count; part++)
        for (size_t i = 0; i < admin_parts[part]->count; i++) {
            const struct admin_route *route = &admin_parts[part]->routes[i];

            if (!admin_path_fits(str_from(route->path), path, values))
                continue;
            if (method_fits(method, route->method))
                return route;
            add_method(methods, route->method);
        }
    return NULL;
}

/* Of the frame in admin.c: what is not a question to a model. */
static bool is_framed(struct str path)
{
    return str_starts(path, STR("/api/")) || str_starts(path, STR("/documents/")) ||
           str_starts(path, STR("/v1/files")) || str_starts(path, STR("/v1/uploads")) ||
           str_starts(path, STR("/v1/vector_stores"));
}

/* Read by people and administrators, not by clients of models: a problem, in no dialect. */
static bool is_own(struct str path)
{
    return str_starts(path, STR("/api/")) || str_starts(path, STR("/auth/")) ||
           str_starts(path, STR("/documents/"));
}

/* SDKs differ in whether the base URL ends with /v1, and who takes the other one's is here. NONE: no idea. */
static struct str meant(struct http_exchange *x)
{
    const struct http_head *head = http_head(x);
    struct str path = head->path;
    struct buf ignored;

    if (str_starts(path, STR("/v1/v1")))
        path = str_slice(path, 3, path.len);
    else if (path.len <= 100)
        path = arena_fmt(http_arena(x), "/v1" STR_FMT, STR_ARG(path));
    buf_init(&ignored, http_arena(x), 200);
    return path.ptr && find(head->method, path, &ignored) ? path : STR_NONE;
}

static void refuse(struct http_exchange *x, struct house *house, const struct buf *methods)
{
    const struct http_head *head = http_head(x);
    bool known = methods->len > 0;
    int status = known ? 405 : 404;
    struct str near = known ? STR_NONE : meant(x);
    struct err err = {0};

    if (known && buf_ok(methods))
        http_reply_field(x, (struct http_field){STR("allow"), buf_view(methods)});
    if (known)
        err_set(&err, ERR_INVALID, "method " STR_FMT " does not go with " STR_FMT,
                STR_ARG(str_slice(head->method, 0, 20)), STR_ARG(str_slice(head->path, 0, 100)));
    else if (near.ptr)
        err_set(&err, ERR_NOT_FOUND,
                "nothing is served at " STR_FMT ", but at " STR_FMT
                ": the base URL of this client %s",
                STR_ARG(str_slice(head->path, 0, 80)), STR_ARG(str_slice(near, 0, 80)),
                near.len > head->path.len ? "ends with /v1" : "ends without /v1");
    else
        err_set(&err, ERR_NOT_FOUND,
                "nothing is served at " STR_FMT "; see docs/api.md for what is",
                STR_ARG(str_slice(head->path, 0, 100)));
    if (is_own(head->path))
        admin_refuse(x, status, &err);
    else
        gateway_refuse(x, house->gateway, status, &err);
}

void routes_handle(struct http_exchange *x, void *ctx)
{
    const struct http_head *head = http_head(x);
    struct str values[ADMIN_PATH_VALUES];
    struct house *house = ctx;
    struct buf methods;

    buf_init(&methods, http_arena(x), 200);
    const struct client_route *route = find(head->method, head->path, &methods);
    const struct admin_route *framed = NULL;

    if (!route && is_framed(head->path)) /* no path is in both tables */
        framed = find_admin(head->method, head->path, values, &methods);
    if (route)
        route->run(x, house);
    else if (framed)
        admin_handle(x, house, framed, values);
    else
        refuse(x, house, &methods);
}

struct str routes_refusal(const struct err *err, int status, struct str path, struct buf *body)
{
    if (is_own(path)) {
        struct problem_report report = {
            .status = status, .code = problem_of(status, err->code), .detail = str_from(err->text)};

        problem_write(&report, body);
        return STR(PROBLEM_MEDIA);
    }
    gateway_write_refusal(path, status, err, body);
    return STR("application/json");
}
