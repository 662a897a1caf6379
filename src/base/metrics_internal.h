/* base/metrics_internal.h: what metrics.c keeps and metrics_text.c writes out. */
#ifndef WEIR_BASE_METRICS_INTERNAL_H
#define WEIR_BASE_METRICS_INTERNAL_H

#include "base/metrics.h"

#include <stdatomic.h>

#include "base/spin.h"

#define METRIC_BOUNDS  22
#define METRIC_BUCKETS (METRIC_BOUNDS + 1) /* and one for what is above all bounds */

/* A bucket counts what is at most its bound. */
extern const dur_ns metric_bounds[METRIC_BOUNDS];

/* What a bucket shows as an example: the last observation of it that was traced. */
struct exemplar {
    uint8_t trace_id[16];
    dur_ns value;
    wall_ms when; /* 0: there is none */
};
struct exemplars {
    struct spin lock; /* its thread writes, whoever reads the metrics looks */
    struct exemplar at[METRIC_BUCKETS];
};

/* One thread's part. */
struct series {
    struct series *next;                 /* of another thread, same label set */
    struct exemplars *_Atomic exemplars; /* histograms: made by the first that was traced */
    atomic_bool hidden;                  /* gauges: a set all of whose parts are is not shown */
    _Atomic uint64_t value;     /* counters and gauges; histograms: the sum in nanoseconds */
    _Atomic uint64_t buckets[]; /* histograms: METRIC_BUCKETS, not cumulative */
};

struct label_set {
    const struct metric *metric;
    struct str key;
    uint64_t hash;
    struct str values[METRIC_LABELS];
    struct label_set *next; /* in its chain */
    struct series *_Atomic parts;
};

struct metric_sum {
    uint64_t value, count;
    uint64_t buckets[METRIC_BUCKETS];
};

size_t metric_label_count(const struct metric *metric);
struct metric *const *metrics_registered(size_t *count);
/* Label sets in no order, at most max; metrics_sets_max() says how many there may be now. */
size_t metrics_sets(const struct label_set **out, size_t max);
size_t metrics_sets_max(void);
void metric_sum(const struct label_set *set, struct metric_sum *sum);
bool metric_is_hidden(const struct label_set *set);
/* The newest of each bucket, over all threads. */
void metric_exemplars(const struct label_set *set, struct exemplar out[METRIC_BUCKETS]);

#endif
