/* Tokens of issuers: signed here with fresh keys, then bent in every way that has ever worked somewhere. */
#include "accounts/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "test.h"

#define NOW ((wall_ms)1795262400000) /* 2026-11-21T12:00:00Z */

enum { KEY_RSA, KEY_P256, KEY_P384, KEY_ED, KEYS };
static EVP_PKEY *keys[KEYS];
static char jwks_text[8192];

static void make_keys(void)
{
    if (keys[0])
        return;
    keys[KEY_RSA] = EVP_RSA_gen(2048);
    keys[KEY_P256] = EVP_EC_gen("P-256");
    keys[KEY_P384] = EVP_EC_gen("P-384");
    keys[KEY_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void put_number(struct buf *b, const char *name, EVP_PKEY *key, const char *param,
                       size_t size)
{
    BIGNUM *n = NULL;
    uint8_t bytes[1024];

    EXPECT(EVP_PKEY_get_bn_param(key, param, &n) == 1, "%s", param);
    size_t len = size ? size : (size_t)BN_num_bytes(n);
    BN_bn2binpad(n, bytes, (int)len);
    buf_fmt(b, ",\"%s\":\"", name);
    base64url_encode(b, (struct str){(const char *)bytes, len});
    buf_char(b, '"');
    BN_free(n);
}

static struct str jwks_of_all(void)
{
    uint8_t raw[32];
    size_t len = sizeof raw;
    struct buf b;

    make_keys();
    buf_init_fixed(&b, jwks_text, sizeof jwks_text);
    buf_str(&b, STR("{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"r\""));
    put_number(&b, "n", keys[KEY_RSA], OSSL_PKEY_PARAM_RSA_N, 0);
    put_number(&b, "e", keys[KEY_RSA], OSSL_PKEY_PARAM_RSA_E, 0);
    buf_str(&b, STR("},{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\",\"alg\":\"ES256\""));
    put_number(&b, "x", keys[KEY_P256], OSSL_PKEY_PARAM_EC_PUB_X, 32);
    put_number(&b, "y", keys[KEY_P256], OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    buf_str(&b, STR("},{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"f\""));
    put_number(&b, "x", keys[KEY_P384], OSSL_PKEY_PARAM_EC_PUB_X, 48);
    put_number(&b, "y", keys[KEY_P384], OSSL_PKEY_PARAM_EC_PUB_Y, 48);
    EXPECT(EVP_PKEY_get_raw_public_key(keys[KEY_ED], raw, &len) == 1);
    buf_str(&b, STR("},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"o\",\"x\":\""));
    base64url_encode(&b, (struct str){(const char *)raw, len});
    buf_str(&b, STR("\"},{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"m\"},"
                    "{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"x\"}]}"));
    EXPECT(buf_ok(&b));
    return buf_view(&b);
}

/* ---- signing ---- */

static struct str sign_raw(struct arena *arena, EVP_PKEY *key, const char *digest, bool pss,
                           size_t coordinate, struct str text)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *own = NULL;
    uint8_t *out = arena_alloc(arena, 1024), *raw = arena_alloc(arena, 96);
    size_t len = 1024;

    EXPECT(EVP_DigestSignInit_ex(ctx, &own, digest, NULL, NULL, key, NULL) == 1);
    if (pss)
        EXPECT(EVP_PKEY_CTX_set_rsa_padding(own, RSA_PKCS1_PSS_PADDING) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(own, RSA_PSS_SALTLEN_DIGEST) > 0);
    EXPECT(EVP_DigestSign(ctx, out, &len, (const uint8_t *)text.ptr, text.len) == 1);
    EVP_MD_CTX_free(ctx);
    if (!coordinate)
        return (struct str){(char *)out, len};

    const uint8_t *at = out;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);

    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)coordinate);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + coordinate, (int)coordinate);
    ECDSA_SIG_free(sig);
    return (struct str){(char *)raw, 2 * coordinate};
}

static struct str two_parts(struct arena *arena, const char *header, const char *claims)
{
    struct str out = STR_NONE;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    base64url_encode(&b, str_from(header));
    buf_char(&b, '.');
    base64url_encode(&b, str_from(claims));
    EXPECT(buf_finish(&b, &out, &err), "%s", err.text);
    return out;
}

static struct str three_parts(struct arena *arena, struct str two, struct str signature)
{
    struct str out = STR_NONE;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    buf_str(&b, two);
    buf_char(&b, '.');
    base64url_encode(&b, signature);
    EXPECT(buf_finish(&b, &out, &err), "%s", err.text);
    return out;
}

#define GOOD                                                                                 \
    "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"alice\",\"exp\":1795262460," \
    "\"iat\":1795262400,\"nonce\":\"n1\"}"

static const struct jwt_rules rules = {.issuer = {"https://id.example", 18},
                                       .audience = {"weir", 4},
                                       .algs = JWT_ALGS_ANY,
                                       .skew = 60 * SECOND};

static struct str good_token(struct arena *arena, const char *header, const char *claims)
{
    struct str two = two_parts(arena, header, claims);

    return three_parts(arena, two, sign_raw(arena, keys[KEY_RSA], "SHA256", false, 0, two));
}

static bool verify(struct arena *arena, struct str token, const struct jwt_rules *by, wall_ms now,
                   struct err *err)
{
    struct jwks *set CLEANUP(jwks_free) = NULL;
    struct jwt out;
    bool unknown;

    *err = (struct err){0};
    EXPECT(jwks_parse(jwks_of_all(), &set, err), "%s", err->text);
    EXPECT(jwks_count(set) == 4);
    return jwt_verify(arena, token, set, by, now, &out, &unknown, err);
}

static const struct {
    const char *alg, *kid, *digest;
    int key;
    bool pss;
    size_t coordinate;
} alg_cases[] = {
    {"RS256", "r", "SHA256", KEY_RSA, false, 0},   {"RS384", "r", "SHA384", KEY_RSA, false, 0},
    {"RS512", "r", "SHA512", KEY_RSA, false, 0},   {"PS256", "r", "SHA256", KEY_RSA, true, 0},
    {"PS384", "r", "SHA384", KEY_RSA, true, 0},    {"PS512", "r", "SHA512", KEY_RSA, true, 0},
    {"ES256", "e", "SHA256", KEY_P256, false, 32}, {"ES384", "f", "SHA384", KEY_P384, false, 48},
    {"EdDSA", "o", NULL, KEY_ED, false, 0},
};

/* Each algorithm verifies its own; every byte of the signed text and of the signature counts; and a token
 * of one algorithm is none of another. */
TEST(jwt_every_algorithm)
{
    make_keys();
    for (size_t i = 0; i < ARRAY_LEN(alg_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct str header =
            arena_fmt(arena, "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg_cases[i].alg, alg_cases[i].kid);
        struct str two = two_parts(arena, header.ptr, GOOD);
        struct str signature = sign_raw(arena, keys[alg_cases[i].key], alg_cases[i].digest,
                                        alg_cases[i].pss, alg_cases[i].coordinate, two);
        struct jwt_rules others = rules;
        enum jwt_alg alg;
        struct err err = {0};
        char *bent;

        EXPECT(verify(arena, three_parts(arena, two, signature), &rules, NOW, &err), "%s: %s",
               alg_cases[i].alg, err.text);
        REQUIRE(jwt_alg_parse(str_from(alg_cases[i].alg), &alg));
        others.algs &= ~(1u << alg);
        EXPECT(!verify(arena, three_parts(arena, two, signature), &others, NOW, &err) &&
               strstr(err.text, "not allowed"));
        bent = arena_alloc(arena, signature.len);
        for (size_t at = 0; at < signature.len; at += 7) {
            memcpy(bent, signature.ptr, signature.len);
            bent[at] = (char)(bent[at] ^ 1);
            EXPECT(!verify(arena, three_parts(arena, two, (struct str){bent, signature.len}),
                           &rules, NOW, &err),
                   "%s byte %zu", alg_cases[i].alg, at);
        }
        EXPECT(!verify(arena, three_parts(arena, two, str_slice(signature, 0, signature.len - 1)),
                       &rules, NOW, &err));
        for (size_t o = 0; o < ARRAY_LEN(alg_cases); o++) {
            struct str lie = arena_fmt(arena, "{\"alg\":\"%s\"}", alg_cases[o].alg);
            struct str said = two_parts(arena, lie.ptr, GOOD);

            EXPECT(o == i || !verify(arena, three_parts(arena, said, signature), &rules, NOW, &err),
                   "%s as %s", alg_cases[i].alg, alg_cases[o].alg);
        }
    }
}

static const struct {
    const char *name, *header, *claims, *text; /* text NULL: it holds */
} token_cases[] = {
    {"good", "{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD, NULL},
    {"typ", "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"at+JWT\"}", GOOD, NULL},
    {"no kid, one RSA key", "{\"alg\":\"RS256\"}", GOOD, NULL},
    {"none", "{\"alg\":\"none\"}", GOOD, "not allowed"},
    {"None", "{\"alg\":\"None\"}", GOOD, "not allowed"},
    {"hmac", "{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD, "not allowed"},
    {"hmac with the symmetric key of the set", "{\"alg\":\"HS256\",\"kid\":\"m\"}", GOOD,
     "not allowed"},
    {"no alg", "{\"kid\":\"r\"}", GOOD, "not allowed"},
    {"alg is no text", "{\"alg\":256}", GOOD, "not allowed"},
    {"two algs", "{\"alg\":\"RS256\",\"alg\":\"none\"}", GOOD, "no JSON"},
    {"crit", "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"b64\"],\"b64\":false}", GOOD, "crit"},
    {"crit, empty", "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[]}", GOOD, "crit"},
    {"another kid", "{\"alg\":\"RS256\",\"kid\":\"q\"}", GOOD, "does not show"},
    {"kid of another kind", "{\"alg\":\"RS256\",\"kid\":\"e\"}", GOOD, "does not show"},
    {"kid is a path", "{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}", GOOD, "does not show"},
    {"kid is SQL", "{\"alg\":\"RS256\",\"kid\":\"r' OR '1'='1\"}", GOOD, "does not show"},
    {"kid is no text", "{\"alg\":\"RS256\",\"kid\":{\"r\":1}}", GOOD, "does not show"},
    {"kid is null", "{\"alg\":\"RS256\",\"kid\":null}", GOOD, "does not show"},
    {"key for encryption", "{\"alg\":\"RS256\",\"kid\":\"x\"}", GOOD, "does not show"},
    {"nested", "{\"alg\":\"RS256\",\"kid\":\"r\",\"cty\":\"JWT\"}", GOOD, "another type"},
    {"a logout token", "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"logout+jwt\"}", GOOD,
     "another type"},
    {"header is a list", "[]", GOOD, "no JSON"},
    {"claims are a list", "{\"alg\":\"RS256\"}", "[]", "no JSON"},
    {"two subjects", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"exp\":1795262460,\"sub\":\"a\","
     "\"sub\":\"b\"}",
     "no JSON"},
    {"another issuer", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example/\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795262460}",
     "another issuer"},
    {"no issuer", "{\"alg\":\"RS256\"}", "{\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795262460}",
     "another issuer"},
    {"issuer that looks alike", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://\\u0456d.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795262460}",
     "another issuer"},
    {"one of several audiences", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":[\"x\",\"weir\"],\"sub\":\"a\",\"exp\":1795262460}",
     NULL},
    {"none of several", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":[\"x\",\"weir2\",[\"weir\"]],\"sub\":\"a\","
     "\"exp\":1795262460}",
     "another audience"},
    {"audience is an object", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":{\"weir\":1},\"sub\":\"a\",\"exp\":1795262460}",
     "another audience"},
    {"no expiry", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\"}", "does not expire"},
    {"expiry is a text", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":\"1795262460\"}",
     "time that is none"},
    {"expiry is huge", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1e300}",
     "time that is none"},
    {"expired by 59.9 s: clocks differ", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795262340.1}", NULL},
    {"expired by a minute", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795262340}",
     "has expired"},
    {"not yet", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795266000,"
     "\"nbf\":1795262461}",
     "of the future"},
    {"issued in the future", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"a\",\"exp\":1795266000,"
     "\"iat\":1795262461}",
     "of the future"},
    {"no subject", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"exp\":1795262460}", "no subject"},
    {"empty subject", "{\"alg\":\"RS256\"}",
     "{\"iss\":\"https://id.example\",\"aud\":\"weir\",\"sub\":\"\",\"exp\":1795262460}",
     "no subject"},
};

TEST(jwt_cases)
{
    make_keys();
    for (size_t i = 0; i < ARRAY_LEN(token_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct err err = {0};
        bool ok = verify(arena, good_token(arena, token_cases[i].header, token_cases[i].claims),
                         &rules, NOW, &err);

        EXPECT(ok == !token_cases[i].text, "%s: %s", token_cases[i].name, err.text);
        EXPECT(ok || (err.code == ERR_UNAUTHENTICATED && strstr(err.text, token_cases[i].text)),
               "%s: %s", token_cases[i].name, err.text);
    }
}

TEST(jwt_shapes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct jwt_rules other = rules;
    struct err err = {0};

    make_keys();
    struct str good = good_token(arena, "{\"alg\":\"RS256\"}", GOOD), issuer;
    char *huge = arena_alloc(arena, 2 * MIB);

    memset(huge, 'a', 2 * MIB);
    EXPECT(!verify(arena, (struct str){huge, 2 * MIB}, &rules, NOW, &err));
    EXPECT(!verify(arena, STR(""), &rules, NOW, &err) &&
           !verify(arena, STR(".."), &rules, NOW, &err));
    EXPECT(!verify(arena, arena_fmt(arena, STR_FMT ".x", STR_ARG(good)), &rules, NOW, &err));
    EXPECT(!verify(arena, arena_fmt(arena, STR_FMT "=", STR_ARG(good)), &rules, NOW, &err));
    EXPECT(!verify(arena, arena_fmt(arena, " " STR_FMT, STR_ARG(good)), &rules, NOW, &err));
    EXPECT(!verify(arena, two_parts(arena, "{\"alg\":\"RS256\"}", GOOD), &rules, NOW, &err));
    EXPECT(!verify(arena,
                   three_parts(arena, two_parts(arena, "{\"alg\":\"RS256\"}", GOOD), STR("")),
                   &rules, NOW, &err) &&
               strstr(err.text, "no signature"),
           "%s", err.text);
    EXPECT(jwt_peek_issuer(arena, good, &issuer) && str_eq(issuer, STR("https://id.example")));
    EXPECT(!jwt_peek_issuer(arena, STR("wr_abc"), &issuer));
    other.nonce = STR("n1");
    EXPECT(verify(arena, good, &other, NOW, &err), "%s", err.text);
    other.nonce = STR("n2");
    EXPECT(!verify(arena, good, &other, NOW, &err) && strstr(err.text, "nonce"));
}

static const struct {
    const char *name, *text, *why; /* why NULL: it is a set */
    size_t count;
} set_cases[] = {
    {"empty", "{\"keys\":[]}", NULL, 0},
    {"no list", "{}", "not a list", 0},
    {"not JSON", "<html>", "", 0},
    {"other kinds",
     "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},{\"kty\":\"EC\",\"crv\":\"P-521\"},"
     "{\"kty\":\"OKP\",\"crv\":\"X25519\"},{},5]}",
     NULL, 0},
    {"RSA of 1024 bits",
     "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
     "w_____________________________________________________________________"
     "______________________________________________________________________"
     "________________________________"
     "\"}]}",
     "fewer than 2048", 0},
    {"huge exponent",
     "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
     "exponent huge", 0},
    {"no numbers", "{\"keys\":[{\"kty\":\"RSA\"}]}", "base64url", 0},
    {"point not on its curve",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
     "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
     "numbers", 0},
    {"coordinate of another size",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}]}", "size", 0},
    {"short Ed25519", "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}]}",
     "has 1 bytes", 0},
};

TEST(jwks_cases)
{
    for (size_t i = 0; i < ARRAY_LEN(set_cases); i++) {
        struct jwks *set CLEANUP(jwks_free) = NULL;
        struct err err = {0};
        bool ok = jwks_parse(str_from(set_cases[i].text), &set, &err);

        EXPECT(ok == !set_cases[i].why, "%s: %s", set_cases[i].name, err.text);
        EXPECT(!ok || jwks_count(set) == set_cases[i].count, "%s", set_cases[i].name);
        EXPECT(ok || strstr(err.text, set_cases[i].why), "%s: %s", set_cases[i].name, err.text);
    }
}

static const struct {
    const char *name, *text, *bytes;
} base64_cases[] = {
    {"empty", "", ""},         {"one", "Zg", "f"},       {"two", "Zm8", "fo"},
    {"three", "Zm9v", "foo"},  {"padded", "Zg==", NULL}, {"one left", "Z", NULL},
    {"bits left", "Zh", NULL}, {"plus", "Zm+v", NULL},   {"space", "Zm 9v", NULL},
};

TEST(base64url_cases)
{
    for (size_t i = 0; i < ARRAY_LEN(base64_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str out;
        bool ok = base64url_decode(arena, str_from(base64_cases[i].text), &out);

        EXPECT(ok == (base64_cases[i].bytes != NULL), "%s", base64_cases[i].name);
        EXPECT(!ok || str_eq(out, str_from(base64_cases[i].bytes)), "%s", base64_cases[i].name);
    }
}
