/* gateway/gateway.h: the pipeline's door. One way for every question, from outside (HTTP) and inside
 * (ask): authenticate, budget, route, call, deliver, and finish() on every path. */
#ifndef WEIR_GATEWAY_GATEWAY_H
#define WEIR_GATEWAY_GATEWAY_H

#include "gateway/request.h"
#include "sys/snapshot.h"

struct gateway;
struct telemetry; /* gateway/telemetry.h */
struct traces;    /* gateway/traces.h */

/* What a kept answer was made from, as it is now for who asks. */
enum made_from {
    MADE_STANDS,
    MADE_CHANGED,    /* gone, changed, or not theirs to read: the answer is not given */
    MADE_UNREADABLE, /* what is written down of it is damaged: nobody knows, so the answer goes */
};
struct gateway_options {
    struct accounts *accounts;
    struct audit_bodies *bodies;       /* NULL: nothing is kept, nobody is named */
    struct snapshot *config;           /* of struct config */
    struct telemetry *telemetry;       /* NULL: spans go nowhere */
    struct traces *traces;             /* NULL: none are kept */
    struct responses_store *responses; /* NULL: no answers are kept */
    /* Whether what kept answers were made from still stands, for who asks: `sources`, lines of request.sources. NULL:
     * nobody answers from documents. */
    SUSPENDS bool (*stands)(void *ctx, struct arena *arena, struct str sources,
                            const struct principal *who, enum made_from *out, struct err *err);
    void *stands_ctx;
};
bool gateway_new(const struct gateway_options *options, struct gateway **out, struct err *err)
    MUST_CHECK;
void gateway_free(struct gateway **gateway);

/* Ids of requests, for http_server_options.next_id: they look random and never repeat. */
uint64_t gateway_next_id(struct gateway *gateway);

/* A way in for questions: one row of the table in entry.c for each that clients know. */
struct gateway_entry {
    const char *path; /* "*" at the end: anything below */
    const struct dialect *dialect;
    struct str label; /* in metrics */
    struct str route; /* in the audit record: "POST /v1/messages" */
    /* What the path says and the body does not (model, stream), or what belongs to the question and is
     * kept in the house: changes req->conversation after it was read. NULL: the body says all. */
    SUSPENDS bool (*prepare)(struct request *req, struct err *err);
};
const struct gateway_entry *gateway_entry_find(struct str path); /* NULL: none has this path */

/* Handlers for app/routes.c. */
/* POST to the path of an entry. */
SUSPENDS void gateway_serve(struct http_exchange *x, struct gateway *gateway);
/* GET, DELETE /v1/responses/{id}, GET .../input_items, POST .../cancel. */
SUSPENDS void gateway_responses(struct http_exchange *x, struct gateway *gateway);
SUSPENDS void gateway_models(struct http_exchange *x,
                             struct gateway *gateway); /* GET /v1/models and /v1/models/{id} */
/* Errors of any /v1 route in the dialect's shape, with x-request-id; recorded when a key was shown. */
SUSPENDS void gateway_refuse(struct http_exchange *x, struct gateway *gateway, int status,
                             const struct err *err);

/* "https://weir.example.com": where people reach this house, as settings and request say; or empty. */
struct str gateway_links(const struct config *config, struct http_exchange *x);

/* The body of a refusal of this path, in its dialect, for who refuses before a route is known. */
void gateway_write_refusal(struct str path, int status, const struct err *err, struct buf *body);

/* The same pipeline for callers inside the house: `body` is a chat request in the OpenAI dialect, paid
 * by, bounded by and recorded beside `parent`. *out pulls the answer; end it with answer_end(). */
SUSPENDS bool gateway_ask(struct request *parent, const struct model *model, struct str body,
                          struct answer **out, struct err *err) MUST_CHECK;

/* The same for who has no request of its own, as an administrator who tries a model, or a search: asked and
 * read whole, also of models that Weir answers itself.
 * An error of the provider is an answer, with its status. */
struct gateway_asker {
    struct arena *arena;
    const struct principal *who; /* pays */
    uint64_t request_id;         /* what it is recorded beside */
    enum ask_kind
        kind; /* the body is one of /v1/embeddings, /v1/rerank, /v1/moderations or a chat */
    size_t answer_bytes_max;
    struct str links; /* gateway_links(), or empty */
};
struct gateway_told {
    int status;
    bool streaming;
    struct str body;
    const struct str *lost; /* fields that the provider could not be told */
    size_t lost_count;
    usd_micro cost; /* also of a failure */
};
SUSPENDS bool gateway_ask_all(struct gateway *gateway, const struct gateway_asker *asker,
                              const struct model *model, struct str body, struct gateway_told *out,
                              struct err *err) MUST_CHECK;

#endif
