/* net/resolve.h: names to addresses by getaddrinfo in a pool of its own, cached per process, failures
 * too (shorter). Obeys the host's configuration. Concurrent questions for one name are asked once.
 * Under the simulator names of the form "host-N.sim" resolve at once. */
#ifndef WEIR_NET_RESOLVE_H
#define WEIR_NET_RESOLVE_H

#include "sys/sock.h"

#define RESOLVE_ADDRS_MAX 8

struct resolve_options {
    dur_ns ttl, ttl_failed; /* default 60 s, 5 s */
    uint32_t names_max;     /* default 1,024; the oldest goes */
    int threads;            /* default 2 */
};
bool resolve_init(const struct resolve_options *options, struct err *err)
    MUST_CHECK; /* NULL: defaults */
/* Numeric hosts and "unix:" need no wait. Order as the host's configuration gives it. */
SUSPENDS bool resolve(struct str host, uint16_t port, struct addr out[RESOLVE_ADDRS_MAX],
                      size_t *count, struct err *err) MUST_CHECK;
void resolve_done(void);

#endif
