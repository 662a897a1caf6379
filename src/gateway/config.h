/* gateway/config.h: the snapshot a request works with. app/settings fills it from weir.yaml; a reload
 * publishes a new one and requests in progress keep theirs. */
#ifndef WEIR_GATEWAY_CONFIG_H
#define WEIR_GATEWAY_CONFIG_H

#include "accounts/audit_body.h"
#include "cache/policy.h"
#include "models/models.h"
#include "models/route.h"

struct request; /* gateway/request.h */

/* How a model that lives above the gateway (documents, later agents) is reached from it. */
struct answerer {
    struct str model; /* "weir" */
    SUSPENDS bool (*ask)(void *ctx, struct request *req, struct answer **out, struct err *err);
    /* What else it goes by for this principal, in full: "weir/claims"; NULL: nothing. In the arena. */
    bool (*names)(void *ctx, struct arena *arena, const struct principal *who, struct str **out,
                  size_t *count, struct err *err);
    void *ctx;
};

struct telemetry_config {
    int64_t sample_millionths; /* of requests whose client has not decided */
    bool follow_parent;        /* a client's own decision holds */
    bool propagate;            /* providers are told of the trace */
    dur_ns slow;               /* requests that took so long are kept longer; 0: none */
};

struct cache; /* cache/cache.h */

struct cache_config {
    struct cache *cache; /* NULL: there is none */
    struct cache_rules rules;
    const enum cache_rule *use; /* of each model of the catalogue; NULL: as rules say */
    int64_t price_percent;      /* of an answer from the cache, of what its tokens cost */
};

struct body_tenant { /* what is kept of a tenant's questions and answers */
    struct str tenant;
    enum audit_body_policy policy;
};

/* In front of the addresses of citations. */
enum links_from { LINKS_SET, LINKS_HOST, LINKS_FORWARDED };
struct links_config {
    struct str url;       /* "https://weir.example.com"; or empty */
    enum links_from from; /* without url: nothing, the request's Host, or what a proxy says */
    bool tls;             /* the listener speaks it */
};

struct config {
    const struct catalogue *catalogue;
    const struct route_table *routes; /* NULL: none */
    const struct answerer *answerers;
    size_t answerer_count;
    struct cache_config cache;
    size_t body_bytes_max;
    uint32_t prompts_at_once; /* of one completion, where the provider takes one at a time */
    dur_ns request_timeout;   /* from the head of the request to the last byte of the answer */
    bool log_requests;
    struct links_config links;
    enum audit_body_policy bodies; /* of tenants that are not named below */
    const struct body_tenant *body_tenants;
    size_t body_tenant_count;
    size_t body_kept_max; /* bytes of a question and of an answer */
    struct telemetry_config telemetry;
};

#endif
