/* net/resolve.h: names to addresses by getaddrinfo in a pool of its own, cached per loop, failures
 * too (shorter). Obeys the host's configuration. Concurrent questions of a loop for one name are
 * asked once.
 * Names of the form "host-N.sim" (no such top-level domain exists) resolve at once, to 10.x.y.z with
 * the digits of N: they are for the simulator.
 * Limits  names_max a loop, the one asked longest ago goes; names of at most 253 bytes. */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include "sys/sock.h"

#define RESOLVE_ADDRS_MAX 8

struct resolve_options {
    dur_ns ttl, ttl_failed; /* default 60 s, 5 s */
    uint32_t names_max;     /* default 1,024 */
    int threads;            /* default 2 */
};
/* Before loops run; NULL: defaults. Without it only numeric hosts, "unix:" and .sim are known. */
bool resolve_init(const struct resolve_options *options, struct err *err) MUST_CHECK;
/* Numeric hosts and "unix:/path" need no wait. Order as the host's configuration gives it. */
SUSPENDS bool resolve(struct str host, uint16_t port, struct addr out[RESOLVE_ADDRS_MAX],
                      size_t *count, struct err *err) MUST_CHECK;
uint64_t resolve_questions(void); /* asked of the system so far, by all loops */
void resolve_done(void);          /* after loops have ended */

#endif
