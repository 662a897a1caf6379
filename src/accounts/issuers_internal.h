/* accounts/issuers_internal.h: what is known of an issuer, for tokens (issuers.c) and logins (login.c). */
#ifndef WEIR_ACCOUNTS_ISSUERS_INTERNAL_H
#define WEIR_ACCOUNTS_ISSUERS_INTERNAL_H

#include "accounts/accounts_internal.h"
#include "accounts/issuers.h"
#include "sys/snapshot.h"

#define ISSUERS_MAX 16u
#define WARM_SLOTS  4096u /* a power of two */

/* What its openid-configuration says; empty where it says nothing. */
struct issuer_endpoints {
    struct str keys, authorization, token, end_session;
    bool takes_basic, takes_post; /* how a client may show its secret */
};

/* As of the last fetch. */
struct issuer_keys {
    struct arena *arena; /* holds this struct */
    struct jwks *set;
    struct issuer_endpoints endpoints;
    mono_ns fetched;
};

struct issuer {
    struct issuer_options options;
    struct snapshot *keys; /* of struct issuer_keys; nothing before the first fetch */
    _Atomic bool wanted;   /* a token named a key that is not there */
    mono_ns tried, good;   /* the loop's */
    bool failing;
};

/* A token that was verified. */
struct warm {
    uint64_t print[2];
    wall_ms until;
    const struct principal *who;
};

struct issuers {
    struct arena *arena;
    struct accounts *accounts;
    size_t count;
    struct issuer at[ISSUERS_MAX];
    uint8_t print_key[16];
    struct mutex lock; /* over warm */
    struct warm warm[WARM_SLOTS];
};

struct issuer *issuer_named(struct issuers *issuers, struct str name); /* NULL: none */
struct issuer_ask {
    struct str token, audience, nonce; /* nonce empty: not asked */
};
bool issuer_verify(struct arena *arena, struct issuer *issuer, const struct issuer_ask *ask,
                   wall_ms now, struct jwt *out, struct err *err) MUST_CHECK;
/* Whom the claims mean. */
bool issuer_identity(struct arena *arena, const struct issuer_options *o, const struct jwt *token,
                     struct identity *out, struct err *err) MUST_CHECK;

#endif
