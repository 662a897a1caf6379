/* An even choice: any bytes as a token are refused with a reason, whatever keys there are. An odd one: any
 * bytes as an issuer's keys are refused with a reason or make a set, and no token made without its keys is
 * signed by it; base64url that decodes is its own only spelling. */
#include "fuzz.h"

#include "accounts/jwt.h"

static const char *const own_keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"o\","
                                    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static void refuse_token(struct arena *arena, struct str token, struct str keys)
{
    const struct jwt_rules rules = {
        .issuer = STR("https://id"), .audience = STR("weir"), .algs = JWT_ALGS_ANY};
    struct jwks *set CLEANUP(jwks_free) = NULL;
    struct err err = {0};
    bool unknown;
    struct jwt out;

    if (!jwks_parse(keys, &set, &err)) {
        ASSERT(err.code != ERR_NONE);
        return;
    }
    ASSERT(!jwt_verify(arena, token, set, &rules, 1795262400000, &out, &unknown, &err));
    ASSERT(err.code == ERR_UNAUTHENTICATED && err.text[0]);
}

static void check_spelling(struct arena *arena, struct str text)
{
    struct str bytes, again;
    struct err err = {0};
    struct buf b;

    if (!base64url_decode(arena, text, &bytes))
        return;
    buf_init(&b, arena, text.len + 1);
    base64url_encode(&b, bytes);
    ASSERT(buf_finish(&b, &again, &err) && str_eq(again, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    struct str rest = {(const char *)data + (size > 0), size - (size > 0)};

    if (size == 0)
        return 0;
    check_spelling(arena, rest);
    if (data[0] & 1)
        refuse_token(arena, STR("eyJhbGciOiJFZERTQSIsImtpZCI6Im8ifQ.e30.AAAA"), rest);
    else
        refuse_token(arena, rest, str_from(own_keys));
    return 0;
}
