/* accounts/jwt_internal.h: keys of a set, for who verifies with them. */
#ifndef WEIR_ACCOUNTS_JWT_INTERNAL_H
#define WEIR_ACCOUNTS_JWT_INTERNAL_H

#include <openssl/evp.h>

#include "accounts/jwt.h"

enum jwk_kind { JWK_RSA, JWK_P256, JWK_P384, JWK_ED25519 };

struct jwk {
    struct str kid; /* may be empty */
    struct str alg; /* the only one it is for, or empty */
    enum jwk_kind kind;
    EVP_PKEY *key;
};

struct jwks {
    struct arena *arena; /* holds this struct */
    size_t count;
    struct jwk keys[JWKS_KEYS_MAX];
};

#endif
