/* gateway/config.h: the snapshot a request works with. app/settings fills it from weir.yaml; a reload
 * publishes a new one and requests in progress keep theirs. */
#ifndef WEIR_GATEWAY_CONFIG_H
#define WEIR_GATEWAY_CONFIG_H

#include "models/models.h"
#include "models/route.h"

struct request; /* gateway/request.h */

/* How a model that lives above the gateway (documents, later agents) is reached from it. */
struct answerer {
    struct str model; /* "weir" */
    SUSPENDS bool (*ask)(void *ctx, struct request *req, struct answer **out, struct err *err);
    void *ctx;
};

struct telemetry_config {
    int64_t sample_millionths; /* of requests whose client has not decided */
    bool follow_parent;        /* a client's own decision holds */
    bool propagate;            /* providers are told of the trace */
    dur_ns slow;               /* requests that took so long are kept longer; 0: none */
};

struct config {
    const struct catalogue *catalogue;
    const struct route_table *routes; /* NULL: none */
    const struct answerer *answerers;
    size_t answerer_count;
    size_t body_bytes_max;
    dur_ns request_timeout; /* from the head of the request to the last byte of the answer */
    bool log_requests;
    struct telemetry_config telemetry;
};

#endif
