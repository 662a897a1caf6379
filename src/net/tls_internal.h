/* net/tls_internal.h: between the contexts (tls.c) and the streams (stream_tls.c). */
#ifndef WEIR_NET_TLS_INTERNAL_H
#define WEIR_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* err_set() with OpenSSL's oldest complaint at the end; empties its queue. */
bool err_tls(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* A connection's half made from the newest certificate, or ready for `host`; NULL with err. */
SSL *tls_server_begin(struct tls_server *tls, struct err *err) MUST_CHECK;
SSL *tls_client_begin(struct tls_client *tls, const char *host, struct err *err) MUST_CHECK;

#endif
