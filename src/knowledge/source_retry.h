/* knowledge/source_retry.h: asking again what may work another time.
 * What     statuses 408, 429, 500, 502, 503, 504; answers that were cut or never came.
 * When     after what Retry-After says; else after a second, two, four ... Never later than `wait_max`: who wants
 *          to be left alone for longer is, and the version that is known stays.
 * Bounds   `most` for each thing; none any more after RETRY_LOST_MAX things in a row that were given up, so that
 *          a server that is down is not asked for each of its pages again and again. */
#ifndef WEIR_KNOWLEDGE_SOURCE_RETRY_H
#define WEIR_KNOWLEDGE_SOURCE_RETRY_H

#include "base/err.h"

#define RETRY_LOST_MAX 3

struct retrying {
    uint32_t most;
    dur_ns wait_max;
    uint32_t lost; /* things in a row that were given up */
};
/* How one thing was asked so far. */
struct retry_so_far {
    uint32_t times;   /* asked so far */
    dur_ns asked_for; /* by the last answer's Retry-After; 0: nothing */
};
bool retry_is_status(int status);
bool retry_is_error(const struct err *why);
/* After a failure that may pass. true: again, after *wait. */
bool retry_again(struct retrying *r, const struct retry_so_far *asked, dur_ns *wait);
/* What is to be said with the reason: how often it was asked, and what is in the way of more. */
void retry_tell(const struct retrying *r, const struct retry_so_far *asked, struct err *why);

#endif
