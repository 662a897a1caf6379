/* base/metrics.h: counters, gauges and latency histograms, named in tables, written as OpenMetrics.
 * Each thread owns its part of a series and writes it with plain loads and stores; reading sums them.
 * A series is a metric and up to METRIC_LABELS label values; find it once, keep the pointer.
 * Names    the unit is appended where the name does not end in it: weir_wait, "seconds" is written
 *          weir_wait_seconds.
 * Buckets  of histograms: 1, 2.5 and 5 of each decade from 10 us to 50 s, and 100 s.
 * Limits   METRIC_SERIES_MAX series per metric; what is beyond goes to the series with every label
 *          "_other", and weir_metric_series_dropped says so. A label value is cut at
 *          METRIC_LABEL_BYTES; it is never a prompt, key or id. */
#ifndef WEIR_BASE_METRICS_H
#define WEIR_BASE_METRICS_H

#include "base/buf.h"

#define METRIC_LABELS      4
#define METRIC_SERIES_MAX  2000
#define METRIC_LABEL_BYTES 128
#define METRICS_MAX        256

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

struct label_set;
struct series; /* one metric with one set of label values, this thread's part */

/* Before threads; twice is an assertion. The rows must outlive metrics_done(). */
void metrics_register(struct metric *rows, size_t count);
/* NULL never; values has as many entries as the metric has labels. The pointer is this thread's. */
struct series *metrics_series(const struct metric *metric, const struct str *values);
void series_add(struct series *s, uint64_t n); /* counter */
void series_set(struct series *s, int64_t n);  /* gauge: the last set of each thread is summed */
void series_hide(
    struct series *s); /* gauge of what is not there any more: shown again when it is set */
void series_shift(struct series *s, int64_t by);     /* gauge */
void series_observe(struct series *s, dur_ns value); /* histogram, nanoseconds in, seconds out */
/* The same of something that was traced: the bucket's example from now on. For few observations of many: the
 * first of a series takes memory. NULL: nothing was traced. */
void series_observe_traced(struct series *s, dur_ns value, const uint8_t *trace_id, wall_ms now);
int64_t metrics_read(const struct metric *metric,
                     const struct str *values); /* sum; histograms: count. For tests */
void metrics_write(struct buf *out);            /* OpenMetrics 1.0 text, ends with # EOF */
void metrics_write_plain(struct buf *out); /* Prometheus text 0.0.4: the same without examples */
/* The same a part at a time, for who has no memory for the whole, which is some ten megabytes with a thousand models. Of
 * what changes meanwhile each series says what it is when its part is written. */
struct metrics_reading {
    const struct label_set **sets;
    const struct metric **rows;
    size_t set_count, row_count;
    size_t set, row; /* what comes next */
    bool plain, headed;
};
bool metrics_reading_begin(struct metrics_reading *r, bool plain, struct err *err) MUST_CHECK;
/* More of it into `out`: METRICS_PART bytes at most beyond the first 8 KiB; false: that was the last. */
#define METRICS_PART ((size_t)40 * KIB)
bool metrics_reading_next(struct metrics_reading *r, struct buf *out);
void metrics_reading_done(struct metrics_reading *r); /* CLEANUP-able */
void metrics_docs(struct buf *out);                   /* a Markdown table of what is registered */
/* A thread that ends leaves its parts, and what they counted, to the next one that begins. */
void metrics_thread_done(void);
void metrics_done(void); /* forgets everything; when the other threads have ended */

#endif
