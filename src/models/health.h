/* models/health.h: how each deployment fares: requests in flight, how long it takes, whether its breaker
 * is open, until when it wants to be left alone. Known by name, so that it outlives a reload.
 *
 *   CLOSED --failures in a row, or half of the last 20--> OPEN --its time is over--> HALF_OPEN
 *      ^                                                   ^                            |
 *      '----------------- the probe succeeded -------------+------- it failed: longer --'
 *
 *   OPEN       nobody is let in
 *   HALF_OPEN  one request is the probe; nobody else is let in until it is back
 *   turn       counts each opening and each probe: who was let in before it proves nothing of what is now
 *
 * Load     peak EWMA (Twitter Finagle): a slow answer counts at once, fast ones bring it down over
 *          seconds; times requests in flight.
 * Threads  any; a lock a deployment, held for nanoseconds. */
#ifndef WEIR_MODELS_HEALTH_H
#define WEIR_MODELS_HEALTH_H

#include "base/arena.h"

#define DEPLOYMENTS_MAX 4096

struct deployments;
struct deployment;

bool deployments_new(struct deployments **out, struct err *err) MUST_CHECK;
void deployments_free(struct deployments **all);
/* The one of this name, made when it is new. NULL when there are DEPLOYMENTS_MAX. */
struct deployment *deployment_of(struct deployments *all, struct str name);
/* for (d = deployments_first(all); d; d = deployment_next(d)): the newest first, none is ever left out. */
struct deployment *deployments_first(const struct deployments *all);
struct deployment *deployment_next(const struct deployment *d);
struct str deployment_name(const struct deployment *d);

enum breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_name(enum breaker state);

struct breaker_rules {
    uint32_t failures; /* in a row; 0: the breaker never opens */
    dur_ns open_time;  /* doubles each time that a probe fails, up to 8 times */
};

enum admission { ADMITTED, NOT_ROOM, NOT_YET, NOT_OPEN };
/* Let a request in, or say why not; *until is when that may change (NOT_YET, NOT_OPEN). A deployment of
 * NULL admits all. Each ADMITTED is followed by one deployment_done(), which is given its *turn. */
enum admission deployment_admit(struct deployment *d, int64_t in_flight_max, mono_ns now,
                                mono_ns *until, uint32_t *turn);

enum fared {
    FARED_WELL,
    FARED_ILL,    /* its failure: counts for the breaker */
    FARED_NEITHER /* the client left, or the request was wrong */
};
void deployment_done(struct deployment *d, uint32_t turn, enum fared how,
                     const struct breaker_rules *rules, mono_ns now);
/* Somebody looked whether it is there (not a request). Failures count as those of requests and keep an
 * open breaker open; success ends their row, closes a breaker whose time is over, and proves nothing of what requests
 * found. */
struct probe_rules {
    uint32_t failures; /* in a row that open the breaker */
    dur_ns interval;   /* of looking */
};
void deployment_probed(struct deployment *d, bool well, const struct probe_rules *rules,
                       mono_ns now);
/* The whole answer took so long; the first token so long. */
void deployment_took(struct deployment *d, dur_ns took, mono_ns now);
void deployment_first_token(struct deployment *d, dur_ns took);
/* It said when it wants to be asked again. */
void deployment_park(struct deployment *d, mono_ns until);

/* What one more request would wait for, in nanoseconds: for comparing deployments. */
double deployment_load(struct deployment *d);
/* The first token usually comes within this, for so many of a hundred; 0: too few were seen. */
dur_ns deployment_first_token_of(struct deployment *d, uint32_t percentile);

struct deployment_state {
    enum breaker breaker;
    int64_t in_flight;
    uint64_t asked, failed;
    uint32_t failures_in_row;
    dur_ns latency;            /* the peak EWMA */
    dur_ns first_token_median; /* 0: not known */
    dur_ns parked, open;       /* still; 0: not */
};
struct deployment_state deployment_look(struct deployment *d, mono_ns now);

#endif
