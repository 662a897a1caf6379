/* accounts/jwt.c: is this token what it says, by the rules. */
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "accounts/jwt_internal.h"
#include "base/base64.h"

#define HEADER_DEPTH 8u
#define CLAIMS_DEPTH 32u
#define CLAIMS_NODES 10000u
#define SUBJECT_MAX  255u
#define SECONDS_MAX  ((int64_t)1 << 40)
#define DER_MAX      256

static const struct alg {
    const char *name, *digest; /* NULL: the key's own */
    enum jwk_kind kind;
    size_t coordinate; /* of ECDSA */
    bool pss;
} algs[JWT_ALGS] = {
    [RS256] = {"RS256", "SHA256", JWK_RSA, 0, false},
    [RS384] = {"RS384", "SHA384", JWK_RSA, 0, false},
    [RS512] = {"RS512", "SHA512", JWK_RSA, 0, false},
    [PS256] = {"PS256", "SHA256", JWK_RSA, 0, true},
    [PS384] = {"PS384", "SHA384", JWK_RSA, 0, true},
    [PS512] = {"PS512", "SHA512", JWK_RSA, 0, true},
    [ES256] = {"ES256", "SHA256", JWK_P256, 32, false},
    [ES384] = {"ES384", "SHA384", JWK_P384, 48, false},
    [EDDSA] = {"EdDSA", NULL, JWK_ED25519, 0, false},
};

bool jwt_alg_parse(struct str name, enum jwt_alg *out)
{
    for (unsigned i = 0; i < JWT_ALGS; i++)
        if (str_eq(name, str_from(algs[i].name))) {
            *out = (enum jwt_alg)i;
            return true;
        }
    return false;
}

/* ---- base64url ---- */

static int digit_of(char c)
{
    return c == '+' || c == '/' ? -1 : base64_digit(c);
}

bool base64url_decode(struct arena *arena, struct str text, struct str *out)
{
    uint8_t *bytes = arena_alloc_raw(arena, text.len * 3 / 4 + 1);
    uint32_t bits = 0;
    size_t have = 0, len = 0;

    if (!bytes || text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes[len++] = (uint8_t)(bits >> have);
        }
    }
    if (bits & ((1u << have) - 1)) /* another spelling of the same bytes */
        return false;
    *out = (struct str){(const char *)bytes, len};
    return true;
}

void base64url_encode(struct buf *to, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (uint8_t)bytes.ptr[i];
        for (have += 8; have >= 6; have -= 6)
            buf_char(to, digits[bits >> (have - 6) & 63]);
    }
    if (have)
        buf_char(to, digits[bits << (6 - have) & 63]);
}

/* ---- parts ---- */

struct parts {
    struct str signed_text, signature; /* signature decoded */
    struct json *header, *claims;
};

static COLD bool refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "token %s", why);
}

static struct json *read_object(struct arena *arena, struct str encoded, uint32_t depth)
{
    const struct json_limits limits = {.depth = depth, .nodes = CLAIMS_NODES};
    struct err ignored = {0};
    struct str text;
    struct json *json = NULL;

    if (base64url_decode(arena, encoded, &text))
        json = json_parse_within(arena, text, &limits, &ignored);
    return json && json_kind(json, json_root(json)) == JSON_OBJECT ? json : NULL;
}

static bool split(struct str token, struct str part[3])
{
    struct str rest = token;

    for (size_t i = 0; i < 3; i++)
        if (!str_split(&rest, '.', &part[i]))
            return false;
    return !rest.ptr && part[0].len && part[1].len;
}

static bool read_parts(struct arena *arena, struct str token, struct parts *out, struct err *err)
{
    struct str part[3];

    if (token.len > JWT_MAX)
        return refuse(err, "is too long");
    if (!split(token, part))
        return refuse(err, "is no JWT: expected three parts");
    out->signed_text = str_slice(token, 0, part[0].len + 1 + part[1].len);
    out->header = read_object(arena, part[0], HEADER_DEPTH);
    out->claims = read_object(arena, part[1], CLAIMS_DEPTH);
    if (!out->header || !out->claims)
        return refuse(err, "holds no JSON objects");
    return (part[2].len && base64url_decode(arena, part[2], &out->signature)) ||
           refuse(err, "has no signature");
}

static struct str claim_of(struct arena *arena, const struct json *j, const char *name)
{
    json_ref v = json_get(j, json_root(j), str_from(name));
    struct str text;

    return v && json_str(j, v, arena, &text) ? text : STR_NONE;
}

static bool has(const struct json *j, const char *name)
{
    return json_get(j, json_root(j), str_from(name)) != 0;
}

bool jwt_peek_issuer(struct arena *arena, struct str token, struct str *issuer)
{
    struct str part[3];
    struct json *claims;

    if (token.len > JWT_MAX || !split(token, part))
        return false;
    claims = read_object(arena, part[1], CLAIMS_DEPTH);
    if (!claims)
        return false;
    *issuer = claim_of(arena, claims, "iss");
    return issuer->len > 0;
}

/* ---- which algorithm, which key ---- */

static bool choose_alg(struct arena *arena, const struct json *header, uint32_t allowed,
                       enum jwt_alg *out, struct err *err)
{
    struct str type = claim_of(arena, header, "typ");

    if (!jwt_alg_parse(claim_of(arena, header, "alg"), out) || !(allowed >> *out & 1u))
        return refuse(err, "is signed by an algorithm that is not allowed");
    if (has(header, "crit"))
        return refuse(err, "demands an extension that is not known (crit)");
    if (has(header, "cty") ||
        (type.len && !str_eq_nocase(type, STR("JWT")) && !str_eq_nocase(type, STR("at+jwt")) &&
         !str_eq_nocase(type, STR("application/at+jwt"))))
        return refuse(err, "is of another type");
    return true;
}

static bool key_fits(const struct jwk *key, enum jwt_alg alg, struct str kid)
{
    return key->kind == algs[alg].kind &&
           (!key->alg.len || str_eq(key->alg, str_from(algs[alg].name))) &&
           (!kid.ptr || str_eq(key->kid, kid));
}

/* A token without a kid is only for a set where one key can be meant. */
static const struct jwk *choose_key(struct arena *arena, const struct json *header,
                                    const struct jwks *set, enum jwt_alg alg)
{
    struct str kid = claim_of(arena, header, "kid");
    const struct jwk *found = NULL;

    if (has(header, "kid") && !kid.ptr)
        return NULL;
    for (size_t i = 0; i < set->count; i++)
        if (key_fits(&set->keys[i], alg, kid)) {
            if (found)
                return NULL;
            found = &set->keys[i];
        }
    return found;
}

/* ---- the signature ---- */

static void free_digest(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

/* r and s as two numbers of the curve's size (RFC 7518, 3.4) to what OpenSSL takes. */
static bool ecdsa_to_der(struct str raw, size_t size, uint8_t der[DER_MAX], size_t *len)
{
    ECDSA_SIG *sig = raw.len == 2 * size ? ECDSA_SIG_new() : NULL;
    const uint8_t *bytes = (const uint8_t *)raw.ptr;
    BIGNUM *r = sig ? BN_bin2bn(bytes, (int)size, NULL) : NULL;
    BIGNUM *s = sig ? BN_bin2bn(bytes + size, (int)size, NULL) : NULL;
    uint8_t *at = der;
    int got = 0;

    if (r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        if (i2d_ECDSA_SIG(sig, NULL) <= DER_MAX)
            got = i2d_ECDSA_SIG(sig, &at);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    *len = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static bool signature_holds(const struct jwk *key, const struct alg *alg, struct str text,
                            struct str signature)
{
    EVP_MD_CTX *ctx CLEANUP(free_digest) = EVP_MD_CTX_new();
    EVP_PKEY_CTX *own = NULL;
    uint8_t der[DER_MAX];
    const uint8_t *bytes = (const uint8_t *)signature.ptr;
    size_t len = signature.len;

    if (alg->coordinate) {
        if (!ecdsa_to_der(signature, alg->coordinate, der, &len))
            return false;
        bytes = der;
    }
    if (!ctx || EVP_DigestVerifyInit_ex(ctx, &own, alg->digest, NULL, NULL, key->key, NULL) != 1)
        return false;
    if (alg->pss && (EVP_PKEY_CTX_set_rsa_padding(own, RSA_PKCS1_PSS_PADDING) <= 0 ||
                     EVP_PKEY_CTX_set_rsa_pss_saltlen(own, RSA_PSS_SALTLEN_DIGEST) <= 0))
        return false;
    return EVP_DigestVerify(ctx, bytes, len, (const uint8_t *)text.ptr, text.len) == 1;
}

/* ---- claims ---- */

static bool audience_is(struct arena *arena, const struct json *claims, struct str wanted)
{
    json_ref v = json_get(claims, json_root(claims), STR("aud"));
    struct str one;

    if (json_kind(claims, v) == JSON_STRING)
        return json_str(claims, v, arena, &one) && str_eq(one, wanted);
    if (json_kind(claims, v) != JSON_ARRAY)
        return false;
    for (json_ref at = json_first(claims, v); at; at = json_next(claims, at))
        if (json_str(claims, at, arena, &one) && str_eq(one, wanted))
            return true;
    return false;
}

bool jwt_peek_audience(struct arena *arena, struct str token, struct str audience)
{
    struct str part[3];
    struct json *claims;

    if (token.len > JWT_MAX || !split(token, part))
        return false;
    claims = read_object(arena, part[1], CLAIMS_DEPTH);
    return claims && audience_is(arena, claims, audience);
}

/* Seconds since 1970, also with a fraction; *there: the claim is. */
static bool time_of(const struct json *claims, const char *name, bool *there, wall_ms *out)
{
    json_ref v = json_get(claims, json_root(claims), str_from(name));
    double seconds;

    *there = v != 0;
    if (!v)
        return true;
    if (!json_f64(claims, v, &seconds) || seconds < 0 || seconds > (double)SECONDS_MAX)
        return false;
    *out = (wall_ms)(seconds * 1000);
    return true;
}

static bool check_times(const struct json *claims, dur_ns skew, wall_ms now, wall_ms *expires,
                        struct err *err)
{
    wall_ms not_before = 0, issued = 0, slack = skew / MILLISECOND;
    bool has_expiry, has_start, has_issue;

    if (!time_of(claims, "exp", &has_expiry, expires) ||
        !time_of(claims, "nbf", &has_start, &not_before) ||
        !time_of(claims, "iat", &has_issue, &issued))
        return refuse(err, "has a time that is none");
    if (!has_expiry)
        return refuse(err, "does not expire (exp)");
    if (now >= *expires + slack)
        return refuse(err, "has expired");
    if ((has_start && now + slack < not_before) || (has_issue && now + slack < issued))
        return refuse(err, "is of the future");
    return true;
}

static bool check_claims(struct arena *arena, const struct json *claims,
                         const struct jwt_rules *rules, wall_ms now, struct jwt *out,
                         struct err *err)
{
    if (!rules->issuer.len || !str_eq(claim_of(arena, claims, "iss"), rules->issuer))
        return refuse(err, "is of another issuer");
    if (!rules->audience.len || !audience_is(arena, claims, rules->audience))
        return refuse(err, "is for another audience");
    if (!check_times(claims, rules->skew, now, &out->expires, err))
        return false;
    if (rules->nonce.len && !str_equal_secret(claim_of(arena, claims, "nonce"), rules->nonce))
        return refuse(err, "answers another login (nonce)");
    out->subject = claim_of(arena, claims, "sub");
    if (!out->subject.len || out->subject.len > SUBJECT_MAX)
        return refuse(err, "names no subject");
    return true;
}

bool jwt_verify(struct arena *arena, struct str token, const struct jwks *keys,
                const struct jwt_rules *rules, wall_ms now, struct jwt *out, bool *unknown_key,
                struct err *err)
{
    struct parts parts;
    struct jwt made = {0};
    enum jwt_alg alg;

    *unknown_key = false;
    if (!read_parts(arena, token, &parts, err) ||
        !choose_alg(arena, parts.header, rules->algs, &alg, err))
        return false;

    const struct jwk *key = choose_key(arena, parts.header, keys, alg);

    *unknown_key = !key;
    if (!key)
        return refuse(err, "is signed by a key that its issuer does not show");
    if (!signature_holds(key, &algs[alg], parts.signed_text, parts.signature))
        return refuse(err, "has a signature that does not fit");
    if (!check_claims(arena, parts.claims, rules, now, &made, err))
        return false;
    made.claims = parts.claims;
    *out = made;
    return true;
}
