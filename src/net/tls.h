/* net/tls.h: contexts for TLS by OpenSSL 3; the only folder that sees that library's TLS.
 * TLS 1.2 as the floor for upstreams that need it, 1.3 preferred and the only one for our server.
 * Reload   tls_server_reload() reads the files again; on failure the old certificate stays and the
 *          error says so. Connections in progress keep theirs.
 * Tickets  a client remembers the newest session of each host it met and resumes it.
 * Threads  a server's context may serve many loops; a client belongs to one. */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include "base/err.h"

struct tls_server;
struct tls_client;

struct tls_server_options {
    const char *certificate_file; /* PEM, chain */
    const char *key_file;         /* PEM; the mode must not let others read it */
    const char *client_ca_file;   /* NULL: clients need no certificate; else they must show one */
};
bool tls_server_new(const struct tls_server_options *options, struct tls_server **out,
                    struct err *err) MUST_CHECK;
bool tls_server_reload(struct tls_server *tls, struct err *err) MUST_CHECK;
uint64_t tls_server_resumed(
    struct tls_server *tls); /* handshakes that resumed a session, since the last reload */
void tls_server_free(struct tls_server **tls);

struct tls_client_options {
    const char *ca_file;                     /* NULL: the system's */
    const char *certificate_file, *key_file; /* NULL, or our own to show */
};
bool tls_client_new(const struct tls_client_options *options, struct tls_client **out,
                    struct err *err) MUST_CHECK;
void tls_client_free(struct tls_client **tls);

#endif
