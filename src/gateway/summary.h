/* gateway/summary.h: what a request came to, in values: for traces that are kept and traces that are
 * exported. Views of the request's memory; good until it ends. */
#ifndef WEIR_GATEWAY_SUMMARY_H
#define WEIR_GATEWAY_SUMMARY_H

#include "gateway/request.h"

/* What a request asks for beside its text, as far as the conventions have names for it; read only for
 * requests whose spans are exported. Numbers that were not given are -1, or NAN. */
struct summary_asked {
    bool stream;
    int64_t choices, max_tokens, seed, top_k, dimensions;
    double temperature, top_p, frequency_penalty, presence_penalty;
    struct str effort;       /* of reasoning */
    struct str encoding;     /* of vectors */
    const char *output_type; /* "json", "speech"; NULL: none was asked for */
};

struct summary {
    uint64_t id, parent_id;
    struct trace *trace;
    struct str route;     /* "POST /v1/chat/completions" */
    struct str operation; /* of gen_ai.operation.name: "chat" */
    struct str model, deployment, provider, remote_model;
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
    struct summary_asked asked;
    const struct chat_meter *meter;    /* of an answer that was given; NULL: none was */
    const struct catalogue *catalogue; /* of the request's settings */
};
/* "openai", "aws.bedrock": of gen_ai.provider.name. */
const char *summary_kind_name(enum provider_kind kind);
void summary_make(struct summary *out, const struct request *req, const struct err *why);

#endif
