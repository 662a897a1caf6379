/* gateway/otlp.h: traces in the protobuf encoding of OTLP 1.x: one server span a request, a span for each
 * step, a client span for each request to a provider, named and described by the semantic conventions
 * for HTTP and generative AI. No prompt, answer or key is ever in them. */
#ifndef WEIR_GATEWAY_OTLP_H
#define WEIR_GATEWAY_OTLP_H

#include "gateway/summary.h"

#define OTLP_REQUEST_BYTES_MAX (128 * KIB) /* of one request's spans */

/* Every span of the request, each as a field `spans` of a ScopeSpans; how many in *count. */
void otlp_write_spans(struct buf *out, const struct summary *s, uint32_t *count);
/* What stands around `spans_bytes` bytes of such spans in an ExportTraceServiceRequest: all but them. */
/* Of the three texts together; an attribute of few letters takes up to four times as much when written. */
#define OTLP_RESOURCE_BYTES 2048

struct otlp_resource {
    struct str service;    /* service.name */
    struct str instance;   /* service.instance.id */
    struct str attributes; /* "deployment.environment.name=prod,team=x" */
};
void otlp_write_frame(struct buf *out, const struct otlp_resource *resource, size_t spans_bytes);
/* What the collector did not take, of an ExportTraceServiceResponse; false when it is none. */
bool otlp_read_rejected(struct str reply, uint64_t *rejected, struct str *message) MUST_CHECK;

#endif
