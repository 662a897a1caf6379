/* tests/unit/net/identity.h: a certificate and its key, made anew for every test. */
#ifndef WEIR_TESTS_NET_IDENTITY_H
#define WEIR_TESTS_NET_IDENTITY_H

#include <stdbool.h>

struct identity {
    char certificate[300], key[300]; /* files */
};
/* Self-signed, its own authority. `names` as in subjectAltName. */
bool make_identity(struct identity *id, const char *dir, const char *who, const char *names);
bool make_rsa_identity(struct identity *id, const char *dir, const char *who, const char *names);

#endif
