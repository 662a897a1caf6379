/* gateway/telemetry.h: which requests are traced for others, and the spans' way to a collector: OTLP over
 * HTTP, in batches, from a queue that is bounded. A request never waits for it: when the collector is
 * slow or gone the queue fills and further spans are dropped and counted.
 * Sampling  a client's own decision (traceparent) is followed; else a share of requests, by their trace id,
 *           so that others who sample by it agree.
 * Threads   any for telemetry_begin() and _end(); the loop's fiber is one of loop 0. */
#ifndef WEIR_GATEWAY_TELEMETRY_H
#define WEIR_GATEWAY_TELEMETRY_H

#include "gateway/otlp.h"

#define TELEMETRY_QUEUE_MAX ((size_t)128 * MIB)

struct telemetry;

struct telemetry_options {
    struct str
        endpoint; /* http://host:4318; "/v1/traces" is added to a path that lacks it; "": off */
    struct str header;           /* name of a header; its value is */
    struct str scheme;           /* "Bearer" or empty, and */
    const struct secret *secret; /* copied; empty: the header is not sent */
    struct str ca_file;          /* "": the system's authorities */
    struct otlp_resource resource;
    size_t
        queue_bytes; /* of spans that wait, TELEMETRY_QUEUE_MAX at most; half of it is one batch at most */
    size_t batch_bytes; /* from which a batch leaves before its time */
    dur_ns interval;    /* at most between two batches */
    dur_ns timeout;     /* of one try */
};
void telemetry_register(void); /* metrics; once, before threads */
bool telemetry_open(const struct telemetry_options *options, struct telemetry **out,
                    struct err *err) MUST_CHECK;
bool telemetry_is_on(const struct telemetry *telemetry); /* NULL is off */
SUSPENDS void telemetry_loop(void *telemetry); /* a fiber's function: sends until cancelled */
/* Sets the gauge of what waits, also while the loop's fiber waits for the collector; on loop 0. */
void telemetry_measure(struct telemetry *telemetry);
/* What waits, once, without patience: at a stop. */
SUSPENDS void telemetry_flush(struct telemetry *telemetry);
void telemetry_close(struct telemetry **telemetry);

/* The request's trace joins its caller's, or begins one. */
void telemetry_begin(struct request *req);
/* The same for a request that is asked inside another. */
void telemetry_begin_inside(struct request *req, const struct request *parent);
void telemetry_end(struct telemetry *telemetry, const struct summary *summary);

#endif
