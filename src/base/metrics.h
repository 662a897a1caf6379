/* base/metrics.h: counters, gauges and latency histograms, named in tables, written as OpenMetrics.
 * Each thread owns a shard and writes it without locks or atomics of its own; reading sums them.
 * A series is a metric and up to METRIC_LABELS label values; find it once, keep the pointer.
 * Limits   METRIC_SERIES_MAX series per metric; what is beyond goes to the series with every label
 *          "_other", and weir_metric_series_dropped says so. Label values are never prompts, keys
 *          or ids. */
#ifndef WEIR_BASE_METRICS_H
#define WEIR_BASE_METRICS_H

#include "base/buf.h"

#define METRIC_LABELS     4
#define METRIC_SERIES_MAX 2000

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* One row a metric; folders keep their rows in a table of their own and register it at start. */
struct metric {
    const char *name; /* weir_requests; suffixes such as _total are added when written */
    enum metric_type type;
    const char *unit; /* "seconds", "bytes", "" */
    const char *help;
    const char *labels[METRIC_LABELS + 1]; /* NULL-ended */
    uint32_t id;                           /* filled by metrics_register() */
};

struct series; /* one metric with one set of label values, this thread's part */

void metrics_register(struct metric *rows,
                      size_t count); /* before threads; twice is an assertion */
/* NULL never; values has as many entries as the metric has labels. The pointer is this thread's. */
struct series *metrics_series(const struct metric *metric, const struct str *values);
void series_add(struct series *s, uint64_t n);   /* counter */
void series_set(struct series *s, int64_t n);    /* gauge: the last set of each thread is summed */
void series_shift(struct series *s, int64_t by); /* gauge */
void series_observe(struct series *s, dur_ns value); /* histogram, nanoseconds in, seconds out */
int64_t metrics_read(const struct metric *metric,
                     const struct str *values); /* sum; histograms: count. For tests */
void metrics_write(struct buf *out);            /* OpenMetrics 1.0 text, ends with # EOF */
void metrics_done(void);

#endif
