/* accounts/jwt.h: tokens of an issuer, verified and never made: JWS compact (RFC 7515) with the claims of
 * RFC 7519, and the issuer's keys as JWKS (RFC 7517). Verifying by OpenSSL's EVP.
 * Refused  "none" and every MAC (a public key is no secret); algorithms that the rules do not name, or that
 *          are not the key's kind; "crit"; keys that a header brings along (jwk, jku, x5c are never looked
 *          at); padded or sloppy base64url; RSA below 2,048 bits or with a huge exponent; ECDSA signatures
 *          that are not two numbers of the curve's size; duplicate members; tokens above JWT_MAX bytes.
 * Threads  a set of keys is immutable; verifying keeps nothing. */
#ifndef WEIR_ACCOUNTS_JWT_H
#define WEIR_ACCOUNTS_JWT_H

#include "base/arena.h"
#include "base/json.h"

#define JWT_MAX       ((size_t)16 * KIB)
#define JWKS_KEYS_MAX 64u

enum jwt_alg { RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EDDSA, JWT_ALGS };
#define JWT_ALGS_ANY ((1u << JWT_ALGS) - 1)
bool jwt_alg_parse(struct str name, enum jwt_alg *out) MUST_CHECK;

struct jwks;
/* Keys that are of no use here (for encryption, of other kinds) are left out; a set may be empty.
 * ERR_INVALID: no JWKS, or a key that is broken. */
bool jwks_parse(struct str text, struct jwks **out, struct err *err) MUST_CHECK;
size_t jwks_count(const struct jwks *set);
void jwks_free(struct jwks **set); /* CLEANUP-able */

struct jwt_rules {
    struct str issuer;   /* exactly */
    struct str audience; /* is, or is one of, "aud" */
    struct str nonce;    /* of an ID token; empty: not asked */
    uint32_t algs;       /* bits 1 << enum jwt_alg */
    dur_ns skew;         /* that clocks may differ */
};
struct jwt {
    struct json *claims; /* an object */
    struct str subject;
    wall_ms expires;
};
/* ERR_UNAUTHENTICATED says why. *unknown_key: no key of the set is meant; a newer set may have it. */
bool jwt_verify(struct arena *arena, struct str token, const struct jwks *keys,
                const struct jwt_rules *rules, wall_ms now, struct jwt *out, bool *unknown_key,
                struct err *err) MUST_CHECK;
/* Who says to have made it, before anything is verified: to choose the rules by. False: no JWT. */
bool jwt_peek_issuer(struct arena *arena, struct str token, struct str *issuer) MUST_CHECK;

/* The same of whom it says to be for. */
bool jwt_peek_audience(struct arena *arena, struct str token, struct str audience) MUST_CHECK;

/* RFC 4648 section 5 without padding; strict: no other byte, no bits left over. */
bool base64url_decode(struct arena *arena, struct str text, struct str *out) MUST_CHECK;
void base64url_encode(struct buf *to, struct str bytes);

#endif
