/* accounts/jwks.c: the public keys of an issuer. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "accounts/jwt_internal.h"

#define RSA_BITS_MIN   2048
#define RSA_BITS_MAX   8192
#define EXPONENT_BYTES 8u
#define COORDINATE_MAX 48u
#define ED25519_BYTES  32u
#define JWKS_ARENA     ((size_t)1024 * KIB)
#define JWKS_DEPTH     16u
#define JWKS_NODES     20000u

struct reader {
    struct arena *arena;
    const struct json *json;
    json_ref key;
};

static struct str text_of(const struct reader *r, const char *name)
{
    struct str text;
    json_ref v = json_get(r->json, r->key, str_from(name));

    return v && json_str(r->json, v, r->arena, &text) ? text : STR_NONE;
}

static bool number_of(const struct reader *r, const char *name, struct str *out, struct err *err)
{
    return (base64url_decode(r->arena, text_of(r, name), out) && out->len > 0) ||
           err_set(err, ERR_INVALID, "a key's \"%s\" is not base64url", name);
}

/* ---- OpenSSL's way from numbers to a key ---- */

static void free_build(OSSL_PARAM_BLD **b)
{
    OSSL_PARAM_BLD_free(*b);
}

static void free_params(OSSL_PARAM **p)
{
    OSSL_PARAM_free(*p);
}

static void free_context(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

static void free_number(BIGNUM **n)
{
    BN_free(*n);
}

static bool build(const char *type, OSSL_PARAM_BLD *from, EVP_PKEY **out, struct err *err)
{
    OSSL_PARAM *params CLEANUP(free_params) = OSSL_PARAM_BLD_to_param(from);
    EVP_PKEY_CTX *make CLEANUP(free_context) = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !make || EVP_PKEY_fromdata_init(make) != 1 ||
        EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return err_set(err, ERR_INVALID, "a key's numbers make no key");

    EVP_PKEY_CTX *check CLEANUP(free_context) = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    if (!check || EVP_PKEY_public_check(check) != 1) {
        EVP_PKEY_free(key);
        return err_set(err, ERR_INVALID, "a key's numbers are not of its curve or kind");
    }
    *out = key;
    return true;
}

static bool read_rsa(const struct reader *r, struct jwk *out, struct err *err)
{
    struct str n, e;

    if (!number_of(r, "n", &n, err) || !number_of(r, "e", &e, err))
        return false;
    if (n.len > RSA_BITS_MAX / 8 + 1 || e.len > EXPONENT_BYTES)
        return err_set(err, ERR_INVALID, "an RSA key is larger than %d bits, or its exponent huge",
                       RSA_BITS_MAX);

    BIGNUM *bn CLEANUP(free_number) = BN_bin2bn((const uint8_t *)n.ptr, (int)n.len, NULL);
    BIGNUM *be CLEANUP(free_number) = BN_bin2bn((const uint8_t *)e.ptr, (int)e.len, NULL);
    OSSL_PARAM_BLD *params CLEANUP(free_build) = OSSL_PARAM_BLD_new();

    if (!bn || !be || !params)
        return err_set(err, ERR_UNAVAILABLE, "no memory for a key");
    if (BN_num_bits(bn) < RSA_BITS_MIN || !BN_is_odd(bn) || !BN_is_odd(be) || BN_is_one(be))
        return err_set(err, ERR_INVALID, "an RSA key has fewer than %d bits, or is none",
                       RSA_BITS_MIN);
    if (OSSL_PARAM_BLD_push_BN(params, OSSL_PKEY_PARAM_RSA_N, bn) != 1 ||
        OSSL_PARAM_BLD_push_BN(params, OSSL_PKEY_PARAM_RSA_E, be) != 1)
        return err_set(err, ERR_UNAVAILABLE, "no memory for a key");
    out->kind = JWK_RSA;
    return build("RSA", params, &out->key, err);
}

static bool read_ec(const struct reader *r, struct jwk *out, bool *known, struct err *err)
{
    uint8_t point[1 + 2 * COORDINATE_MAX] = {4};
    struct str curve = text_of(r, "crv"), x, y;
    bool is_256 = str_eq(curve, STR("P-256"));
    size_t size = is_256 ? 32 : COORDINATE_MAX;

    *known = is_256 || str_eq(curve, STR("P-384"));
    if (!*known)
        return true;
    if (!number_of(r, "x", &x, err) || !number_of(r, "y", &y, err))
        return false;
    if (x.len != size || y.len != size)
        return err_set(err, ERR_INVALID, "a key's coordinates are not of its curve's size");
    memcpy(point + 1, x.ptr, size);
    memcpy(point + 1 + size, y.ptr, size);

    OSSL_PARAM_BLD *params CLEANUP(free_build) = OSSL_PARAM_BLD_new();

    if (!params ||
        OSSL_PARAM_BLD_push_utf8_string(params, OSSL_PKEY_PARAM_GROUP_NAME,
                                        is_256 ? "prime256v1" : "secp384r1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(params, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) != 1)
        return err_set(err, ERR_UNAVAILABLE, "no memory for a key");
    out->kind = is_256 ? JWK_P256 : JWK_P384;
    return build("EC", params, &out->key, err);
}

static bool read_okp(const struct reader *r, struct jwk *out, bool *known, struct err *err)
{
    struct str x;

    *known = str_eq(text_of(r, "crv"), STR("Ed25519"));
    if (!*known)
        return true;
    if (!number_of(r, "x", &x, err))
        return false;
    if (x.len != ED25519_BYTES)
        return err_set(err, ERR_INVALID, "an Ed25519 key has %zu bytes", x.len);
    out->kind = JWK_ED25519;
    out->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)x.ptr, x.len);
    return out->key || err_set(err, ERR_INVALID, "an Ed25519 key is no key");
}

/* ---- the set ---- */

static bool read_key(const struct reader *r, struct jwks *set, struct err *err)
{
    struct str kind = text_of(r, "kty"), use = text_of(r, "use");
    struct jwk key = {.kid = text_of(r, "kid"), .alg = text_of(r, "alg")};
    bool known = true, ok = true;

    if (use.len && !str_eq(use, STR("sig")))
        return true;
    if (str_eq(kind, STR("RSA")))
        ok = read_rsa(r, &key, err);
    else if (str_eq(kind, STR("EC")))
        ok = read_ec(r, &key, &known, err);
    else if (str_eq(kind, STR("OKP")))
        ok = read_okp(r, &key, &known, err);
    else
        known = false;
    if (!ok || !known)
        return ok;
    if (set->count == JWKS_KEYS_MAX) {
        EVP_PKEY_free(key.key);
        return err_set(err, ERR_TOO_LARGE, "more than %u keys", JWKS_KEYS_MAX);
    }
    set->keys[set->count++] = key;
    return true;
}

static bool read_set(struct jwks *set, struct str text, struct err *err)
{
    static const struct json_limits limits = {.depth = JWKS_DEPTH, .nodes = JWKS_NODES};
    const struct json *json = json_parse_within(set->arena, text, &limits, err);
    json_ref list = json ? json_get(json, json_root(json), STR("keys")) : 0;

    if (!json)
        return false;
    if (json_kind(json, list) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "\"keys\" is not a list");
    for (json_ref v = json_first(json, list); v; v = json_next(json, v)) {
        const struct reader r = {.arena = set->arena, .json = json, .key = v};

        if (!read_key(&r, set, err))
            return false;
    }
    return true;
}

bool jwks_parse(struct str text, struct jwks **out, struct err *err)
{
    struct arena *arena = arena_new(JWKS_ARENA);
    struct jwks *set CLEANUP(jwks_free) = arena ? arena_alloc(arena, sizeof *set) : NULL;

    if (!set) {
        arena_end(&arena);
        return err_set(err, ERR_UNAVAILABLE, "no memory for an issuer's keys");
    }
    set->arena = arena;

    struct str own = arena_str(arena, text); /* kids are views of it */

    if (!own.ptr)
        return err_set(err, ERR_TOO_LARGE, "an issuer's keys have more than %zu bytes", JWKS_ARENA);
    if (!read_set(set, own, err))
        return err_wrap(err, "an issuer's keys");
    *out = set;
    set = NULL;
    return true;
}

size_t jwks_count(const struct jwks *set)
{
    return set->count;
}

void jwks_free(struct jwks **at)
{
    struct jwks *set = *at;

    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        EVP_PKEY_free(set->keys[i].key);
    struct arena *arena = set->arena;
    arena_end(&arena);
    *at = NULL;
}
