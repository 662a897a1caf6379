/* sys/sock.h: byte sockets of the loop, TCP and Unix. The only network door; the simulator has its
 * own body for it with in-memory sockets and faults.
 * Waiting   by the fiber's scopes; no call takes a timeout.
 * Owner     whoever opened or accepted; sock_close() is CLEANUP-able. One fiber reads and one writes
 *           at a time; another may close nothing it does not own.
 * Buffers   none inside: wait for readability first, then take a buffer. */
#ifndef WEIR_SYS_SOCK_H
#define WEIR_SYS_SOCK_H

#include <sys/uio.h>

#include "base/str.h"
#include "sys/fiber.h"

struct sock;
struct listener;

#define ADDR_TEXT_MAX 128
/* "127.0.0.1:8080", "[::1]:80", "unix:/path/to.sock": numeric, names are net/resolve's business. */
struct addr {
    char text[ADDR_TEXT_MAX];
};
bool addr_parse(struct str text, struct addr *out, struct err *err) MUST_CHECK;

struct listen_options {
    bool reuse_port; /* several loops listen on one port */
    int backlog;     /* default 1024 */
    int mode;        /* Unix sockets: file mode, default 0600 */
};
bool sock_listen(const struct addr *at, const struct listen_options *options, struct listener **out,
                 struct err *err) MUST_CHECK;
struct addr listener_addr(const struct listener *l); /* with the real port when 0 was asked */
SUSPENDS bool sock_accept(struct listener *l, struct sock **out, struct err *err) MUST_CHECK;
void listener_close(struct listener **l);

SUSPENDS bool sock_connect(const struct addr *to, struct sock **out, struct err *err) MUST_CHECK;
struct addr sock_peer(const struct sock *s);
uint32_t sock_peer_uid(
    const struct sock *s); /* Unix sockets: uid of the other side, else UINT32_MAX */

enum io { IO_DONE, IO_AGAIN, IO_END, IO_FAILED }; /* END: orderly end of input */
/* Never wait. *got bytes on IO_DONE; err only on IO_FAILED. */
enum io sock_try_read(struct sock *s, void *bytes, size_t size, size_t *got, struct err *err)
    MUST_CHECK;
enum io sock_try_write(struct sock *s, const struct iovec *iov, int count, size_t *put,
                       struct err *err) MUST_CHECK;
SUSPENDS bool sock_wait_readable(struct sock *s, struct err *err)
    MUST_CHECK; /* also true at end or error */
SUSPENDS bool sock_wait_writable(struct sock *s, struct err *err) MUST_CHECK;
/* *got 0 is the end. */
SUSPENDS bool sock_read(struct sock *s, void *bytes, size_t size, size_t *got, struct err *err)
    MUST_CHECK;
SUSPENDS bool sock_write(struct sock *s, const struct iovec *iov, int count, struct err *err)
    MUST_CHECK; /* all of it */

/* Call fn(arg) in a new fiber at the first byte (or end) that arrives: how an idle keep-alive
 * connection holds no fiber. One shot. sock_rest_cancel() undoes it (then fn will not run). */
bool sock_rest(struct sock *s, fiber_fn *fn, void *arg, struct err *err) MUST_CHECK;
bool sock_rest_cancel(struct sock *s);
/* Cancel `scope` when the peer leaves (half-close counts as leaving) or resets. NULL ends it. */
void sock_on_hangup(struct sock *s, struct scope *scope);
bool sock_is_alive(struct sock *s);    /* no end, error or unexpected byte waiting: fit for reuse */
void sock_end_writing(struct sock *s); /* half-close */
void sock_close(struct sock **s);
int sock_fd(const struct sock *s); /* -1 under the simulator; for diagnostics */

#endif
