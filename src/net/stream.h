/* net/stream.h: bytes over a socket, in clear or by TLS, behind one set of calls.
 * Same contract as sys/sock.h. Owns its socket. */
#ifndef WEIR_NET_STREAM_H
#define WEIR_NET_STREAM_H

#include "sys/sock.h"

struct stream;
struct tls_server; /* net/tls.h */
struct tls_client;

/* Take the socket over. On failure the socket is closed. TLS calls shake hands here. */
bool stream_plain(struct sock **s, struct stream **out, struct err *err) MUST_CHECK;
SUSPENDS bool stream_tls_accept(struct sock **s, struct tls_server *tls, struct stream **out,
                                struct err *err) MUST_CHECK;
SUSPENDS bool stream_tls_connect(struct sock **s, struct tls_client *tls, const char *host,
                                 struct stream **out, struct err *err) MUST_CHECK;

enum io stream_try_read(struct stream *s, void *bytes, size_t size, size_t *got, struct err *err)
    MUST_CHECK;
enum io stream_try_write(struct stream *s, const struct iovec *iov, int count, size_t *put,
                         struct err *err) MUST_CHECK;
SUSPENDS bool stream_wait_readable(struct stream *s, struct err *err) MUST_CHECK;
/* *got 0 is the end. */
SUSPENDS bool stream_read(struct stream *s, void *bytes, size_t size, size_t *got, struct err *err)
    MUST_CHECK;
SUSPENDS bool stream_write(struct stream *s, const struct iovec *iov, int count, struct err *err)
    MUST_CHECK; /* all of it */
/* All of it, ERR_TIMEOUT when the peer takes nothing for as long as `gap`. */
SUSPENDS bool stream_write_paced(struct stream *s, const struct iovec *iov, int count, dur_ns gap,
                                 struct err *err) MUST_CHECK;

/* Bytes may wait inside the stream where the socket does not know of them: read before resting. */
bool stream_holds_bytes(const struct stream *s);
struct sock *stream_sock(struct stream *s);     /* for hang-up and rest; not to read or write */
bool stream_is_alive(struct stream *s);         /* fit for reuse from a pool */
const char *stream_peer_name(struct stream *s); /* verified client certificate's subject, or "" */
void stream_end_writing(struct stream *s);      /* says goodbye; reading goes on */
/* Before closing a stream that is not finished: with TLS no goodbye is said; with `reset` the peer
 * gets a reset, for when nothing else tells it that bytes are missing (what is unsent is lost). */
void stream_cut(struct stream *s, bool reset);
void stream_close(struct stream **s); /* CLEANUP-able */

#endif
