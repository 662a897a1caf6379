/* tests/sim/peer.h: the other end of a connection, written by hand on sockets: it shares no code with
 * what it tests. Memory by malloc(): the harness does not take part in the failing of pages. */
#ifndef WEIR_TESTS_SIM_PEER_H
#define WEIR_TESTS_SIM_PEER_H

#include "sys/sock.h"

struct peer {
    struct sock *sock;
    char *bytes; /* what was read and not used */
    size_t len, cap;
    bool ended; /* an orderly end came */
};

void peer_done(struct peer *p);                                      /* closes */
SUSPENDS bool peer_more(struct peer *p, struct err *err) MUST_CHECK; /* false: end or error */
void peer_use(struct peer *p, size_t bytes);
SUSPENDS bool peer_send(struct peer *p, const char *bytes, size_t len, struct err *err) MUST_CHECK;
/* Length of the head with its blank line, or 0 when it never comes. */
SUSPENDS size_t peer_head(struct peer *p, struct err *err) MUST_CHECK;
/* The value of "name: " in a head, or STR_NONE; names as they are written. */
struct str head_field(struct str head, const char *name);

#endif
