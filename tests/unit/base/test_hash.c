#include "base/arena.h"
#include "base/hash.h"
#include "test.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

static bool hex_is(const struct sha256 *sum, const char *hex)
{
    uint8_t want[SHA256_BYTES];

    return hex_parse(str_from(hex), want, sizeof want) &&
           memcmp(want, sum->bytes, sizeof want) == 0;
}

/* The reference vectors of SipHash-2-4: key 00..0f, input 00, 01, ... of each length. */
static const uint64_t siphash_vectors[] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
};

TEST(siphash_gives_the_reference_vectors)
{
    uint8_t key[16], input[16];

    for (uint8_t i = 0; i < 16; i++)
        key[i] = input[i] = i;
    for (size_t len = 0; len < ARRAY_LEN(siphash_vectors); len++) {
        uint64_t got = siphash_keyed(key, (struct str){(const char *)input, len});

        EXPECT(got == siphash_vectors[len], "length %zu: %" PRIx64, len, got);
    }
}

/* OpenSSL has the same function, as a MAC. */
static void openssl_siphash128(const uint8_t key[16], const uint8_t *input, size_t len,
                               uint8_t out[16])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    size_t size = 16, made = 0;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_END};

    EXPECT(ctx && EVP_MAC_init(ctx, key, 16, params) && EVP_MAC_update(ctx, input, len) &&
           EVP_MAC_final(ctx, out, &made, 16) && made == 16);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
}

TEST(siphash128_agrees_with_openssl)
{
    uint8_t key[16], input[80], want[16];

    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(7 * i);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i + 3);
    for (size_t len = 0; len <= sizeof input; len++) {
        uint64_t got[2];

        siphash128_keyed(key, (struct str){(const char *)input, len}, got);
        openssl_siphash128(key, input, len, want);
        for (size_t i = 0; i < sizeof want; i++)
            EXPECT((uint8_t)(got[i / 8] >> (i % 8 * 8)) == want[i], "length %zu, byte %zu", len, i);
    }
}

TEST(siphash_depends_on_the_seed_and_every_byte)
{
    static const uint8_t other[16] = {9, 8, 7},
                         usual[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint64_t before = siphash(STR("weir"));

    EXPECT(before != siphash(STR("weis")));
    EXPECT(before != siphash(STR("weir\0")));
    hash_seed(other);
    EXPECT(before != siphash(STR("weir")));
    hash_seed(usual);
    EXPECT(before == siphash(STR("weir")));
}

static const struct {
    const char *name;
    char fill; /* 0: counting up, 1: counting down */
    size_t len;
    uint32_t want;
} crc_cases[] = {
    /* RFC 3720, B.4 */
    {"32 bytes of zeroes", 'z', 32, 0x8a9136aa},
    {"32 bytes of ones", 'o', 32, 0x62a8ab43},
    {"32 bytes counting up", 'u', 32, 0x46dd794e},
    {"32 bytes counting down", 'd', 32, 0x113fdb5c},
    {"nothing", 'z', 0, 0},
};

TEST(crc32c_gives_the_vectors_of_rfc_3720)
{
    for (size_t i = 0; i < ARRAY_LEN(crc_cases); i++) {
        uint8_t bytes[32];

        for (uint8_t at = 0; at < 32; at++)
            bytes[at] = crc_cases[i].fill == 'z'   ? 0
                        : crc_cases[i].fill == 'o' ? 0xff
                        : crc_cases[i].fill == 'u' ? at
                                                   : (uint8_t)(31 - at);
        uint32_t got = crc32c(0, bytes, crc_cases[i].len);
        EXPECT(got == crc_cases[i].want, "%s: %08x", crc_cases[i].name, got);
    }
    EXPECT(crc32c(0, "123456789", 9) == 0xe3069283);
}

TEST(crc32c_goes_on_where_it_stopped)
{
    static const char text[] = "a record that is written in pieces of odd lengths";
    uint32_t whole = crc32c(0, text, sizeof text);

    for (size_t cut = 0; cut <= sizeof text; cut++)
        EXPECT(crc32c(crc32c(0, text, cut), text + cut, sizeof text - cut) == whole, "cut %zu",
               cut);
}

TEST(crc32c_byte_by_byte_agrees_with_the_instruction)
{
    uint8_t bytes[67];
    uint32_t slow = 0;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t i = 0; i < sizeof bytes; i++)
        slow = crc32c(slow, bytes + i, 1); /* one byte never reaches the instruction */
    EXPECT(slow == crc32c(0, bytes, sizeof bytes));
}

TEST(sha256_gives_the_vectors_of_fips_180)
{
    struct sha256 none = sha256(STR_NONE), abc = sha256(STR("abc")),
                  two = sha256_two(STR("a"), STR("bc"));
    struct sha256 long_one =
        sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));

    EXPECT(hex_is(&none, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    EXPECT(hex_is(&abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    EXPECT(hex_is(&two, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    EXPECT(hex_is(&long_one, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
}

TEST(sha256_in_parts_goes_on_from_a_copy)
{
    struct str text = STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
                          "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");

    for (size_t cut = 0; cut <= text.len; cut++) {
        struct sha256_begun sum, other;

        sha256_begin(&sum);
        sha256_add(&sum, str_slice(text, 0, cut));
        other = sum;
        sha256_add(&sum, str_slice(text, cut, text.len));
        sha256_add(&other, STR("x"));

        struct sha256 whole = sha256(text), one = sha256_end(&sum),
                      two = sha256_two(str_slice(text, 0, cut), STR("x")),
                      three = sha256_end(&other);

        EXPECT(memcmp(&whole, &one, sizeof one) == 0, "%zu", cut);
        EXPECT(memcmp(&two, &three, sizeof two) == 0, "%zu", cut);
    }
}

/* RFC 4231; bytes given as one that repeats, or as text. */
static const struct {
    const char *name, *key, *text, *want;
    uint8_t key_byte, text_byte;
    size_t key_len, text_len;
} hmac_cases[] = {
    {.name = "1",
     .key_byte = 0x0b,
     .key_len = 20,
     .text = "Hi There",
     .want = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {.name = "2: a key shorter than the digest",
     .key = "Jefe",
     .text = "what do ya want for nothing?",
     .want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {.name = "3: longer than a block together",
     .key_byte = 0xaa,
     .key_len = 20,
     .text_byte = 0xdd,
     .text_len = 50,
     .want = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {.name = "6: a key longer than a block",
     .key_byte = 0xaa,
     .key_len = 131,
     .text = "Test Using Larger Than Block-Size Key - Hash Key First",
     .want = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {.name = "7: key and text longer than a block",
     .key_byte = 0xaa,
     .key_len = 131,
     .text = "This is a test using a larger than block-size key and a larger than block-size "
             "data. The key needs to be hashed before being used by the HMAC algorithm.",
     .want = "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    {.name = "an empty key and an empty text",
     .key = "",
     .text = "",
     .want = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

TEST(hmac_sha256_gives_the_vectors_of_rfc_4231)
{
    for (size_t i = 0; i < ARRAY_LEN(hmac_cases); i++) {
        uint8_t key[160], text[64];
        struct str k = str_from(hmac_cases[i].key), t = str_from(hmac_cases[i].text);
        struct secret secret CLEANUP(secret_wipe) = {0};
        struct err err = {0};

        memset(key, hmac_cases[i].key_byte, sizeof key);
        memset(text, hmac_cases[i].text_byte, sizeof text);
        if (!k.ptr)
            k = (struct str){(const char *)key, hmac_cases[i].key_len};
        if (!t.ptr)
            t = (struct str){(const char *)text, hmac_cases[i].text_len};
        REQUIRE(secret_set(&secret, k.ptr, k.len, &err));
        struct sha256 got = hmac_sha256(&secret, t);
        EXPECT(hex_is(&got, hmac_cases[i].want), "%s", hmac_cases[i].name);
    }
}
