/* gateway/summary.h: what a request came to, in values: for traces that are kept and traces that are
 * exported. Views of the request's memory; good until it ends. */
#ifndef WEIR_GATEWAY_SUMMARY_H
#define WEIR_GATEWAY_SUMMARY_H

#include "gateway/request.h"

struct summary {
    uint64_t id, parent_id;
    struct trace *trace;
    struct str route;     /* "POST /v1/chat/completions" */
    struct str operation; /* of gen_ai.operation.name: "chat" */
    struct str model, provider, remote_model;
    const char *provider_kind; /* of gen_ai.provider.name: "aws.bedrock" */
    struct str key_id, tenant, outcome, error, why;
    int status;
    bool streaming;
    struct usage usage;
    usd_micro cost;
    uint64_t audit_seq; /* 0: no record */
    uint64_t bytes_in, bytes_out;
    wall_ms began;
    mono_ns started;
    dur_ns took, first_byte, first_token;
};
void summary_make(struct summary *out, const struct request *req, const struct err *why);

#endif
