/* net/stream_internal.h: between stream.c and its TLS half. */
#ifndef WEIR_NET_STREAM_INTERNAL_H
#define WEIR_NET_STREAM_INTERNAL_H

#include "net/stream.h"

struct tls_half; /* stream_tls.c */

struct stream {
    struct sock *sock;
    struct tls_half *tls; /* NULL: in clear */
};

struct stream *stream_new(struct sock **s, struct err *err); /* closes the socket on failure */

enum io tls_half_try_read(struct tls_half *tls, void *bytes, size_t size, size_t *got,
                          struct err *err) MUST_CHECK;
enum io tls_half_try_write(struct tls_half *tls, const struct iovec *iov, int count, size_t *put,
                           struct err *err) MUST_CHECK;
/* The write that gave IO_AGAIN goes on when more has come, as OpenSSL is in the middle of a message. */
bool tls_half_must_read(const struct tls_half *tls);
bool tls_half_holds_bytes(const struct tls_half *tls);
const char *tls_half_peer_name(const struct tls_half *tls);
void tls_half_end_writing(struct tls_half *tls);
void tls_half_cut(struct tls_half *tls); /* no goodbye will be said */
void tls_half_free(struct tls_half **tls);

#endif
