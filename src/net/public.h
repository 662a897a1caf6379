/* net/public.h: is an address one of the internet, or of this machine and what stands beside it?
 * Whoever fetches what strangers name must not be led to the second (SSRF). Judged is the very address that is
 * connected to, after names were resolved, so that a name that changes its address gains nothing.
 * Source  IANA special-purpose address registries (RFC 6890); IPv6 beyond 2000::/3 is not public, and what
 *         carries an IPv4 address is judged by that. */
#ifndef WEIR_NET_PUBLIC_H
#define WEIR_NET_PUBLIC_H

#include "sys/sock.h"

bool addr_is_public(const struct addr *addr); /* "unix:" and what is no address: no */

#endif
