/* net/resolve.h: names to addresses by getaddrinfo in pools of their own, cached per loop, failures
 * too (shorter). Names that had an answer the last time have a pool apart from all others, which may be
 * anybody's. Obeys the host's configuration. Concurrent questions of a loop for one name are asked once.
 * A name server that is silent is given up after 2 tries of 2 s, unless RES_OPTIONS says otherwise.
 * Names of the form "host-N.sim" (no such top-level domain exists) resolve at once, to 10.x.y.z with
 * the digits of N: they are for the simulator.
 * Limits  names_max a loop, the one asked longest ago goes; names of at most 253 bytes. */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include "sys/sock.h"

#define RESOLVE_ADDRS_MAX  8
#define RESOLVE_HOST_BYTES 46 /* an IPv6 address, written out */

/* Who knows the hosts of a name: numeric texts into hosts, how many into *count (0 before). Returns 0 or
 * the code of getaddrinfo(). Called on threads of the pool; may take its time. */
typedef int resolve_asks(const char *name, char hosts[RESOLVE_ADDRS_MAX][RESOLVE_HOST_BYTES],
                         size_t *count);

struct resolve_options {
    dur_ns ttl, ttl_failed; /* default 60 s, 5 s */
    uint32_t names_max;     /* default 1,024 */
    int threads;            /* of each pool; default 4 */
    resolve_asks *ask;      /* default: the system */
};
/* Before loops run; NULL: defaults. Without it only numeric hosts, "unix:" and .sim are known. */
bool resolve_init(const struct resolve_options *options, struct err *err) MUST_CHECK;
/* Numeric hosts and "unix:/path" need no wait. Who waits leaves with its scope; the question goes on and
 * its answer is kept. Order as the host's configuration gives it. */
SUSPENDS bool resolve(struct str host, uint16_t port, struct addr out[RESOLVE_ADDRS_MAX],
                      size_t *count, struct err *err) MUST_CHECK;
uint64_t resolve_questions(void); /* asked of the system so far, by all loops */
void resolve_done(void);          /* after loops have ended */

#endif
