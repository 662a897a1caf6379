#include "base/hash.h"

/* SHA-256 itself, below the layer that looks for who provides an algorithm: see there. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <string.h>

#include "base/crc32c.h"

/* ---- SipHash. Aumasson & Bernstein 2012, "SipHash: a fast short-input PRF". ---- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

/* Fixed until hash_seed(): tests and tools repeat exactly. */
static uint64_t process_key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

static inline uint64_t read_le64(const void *from)
{
    uint64_t n;

    memcpy(&n, from, sizeof n);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(n) : n;
}

static inline uint64_t rotl(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word, int rounds)
{
    s->v3 ^= word;
    for (int i = 0; i < rounds; i++)
        sip_round(s);
    s->v0 ^= word;
}

static inline struct sip sip_begin(const uint64_t key[2])
{
    return (struct sip){key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                        key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
}

/* Inlined, so that the round counts are constants. */
static inline ALWAYS_INLINE void sip_text(struct sip *state, struct str s, int rounds)
{
    uint64_t last = (uint64_t)s.len << 56;
    size_t at = 0;

    for (; s.len - at >= 8; at += 8)
        sip_word(state, read_le64(s.ptr + at), rounds);
    for (int shift = 0; at < s.len; at++, shift += 8)
        last |= (uint64_t)(unsigned char)s.ptr[at] << shift;
    sip_word(state, last, rounds);
}

static inline uint64_t sip_end(const struct sip *state)
{
    return state->v0 ^ state->v1 ^ state->v2 ^ state->v3;
}

static inline ALWAYS_INLINE uint64_t sip(const uint64_t key[2], struct str s, int rounds,
                                         int last_rounds)
{
    struct sip state = sip_begin(key);

    sip_text(&state, s, rounds);
    state.v2 ^= 0xff;
    for (int i = 0; i < last_rounds; i++)
        sip_round(&state);
    return sip_end(&state);
}

void hash_seed(const uint8_t key[16])
{
    process_key[0] = read_le64(key);
    process_key[1] = read_le64(key + 8);
}

uint64_t siphash(struct str s)
{
    return sip(process_key, s, 1, 3);
}

uint64_t siphash_keyed(const uint8_t key[16], struct str s)
{
    const uint64_t words[2] = {read_le64(key), read_le64(key + 8)};

    return sip(words, s, 2, 4);
}

/* Of the same authors' reference: the state begins with another constant and ends twice. */
void siphash128_keyed(const uint8_t key[16], struct str s, uint64_t out[2])
{
    const uint64_t words[2] = {read_le64(key), read_le64(key + 8)};
    struct sip state = sip_begin(words);

    state.v1 ^= 0xee;
    sip_text(&state, s, 2);
    state.v2 ^= 0xee;
    for (int i = 0; i < 4; i++)
        sip_round(&state);
    out[0] = sip_end(&state);
    state.v1 ^= 0xdd;
    for (int i = 0; i < 4; i++)
        sip_round(&state);
    out[1] = sip_end(&state);
}

/* ---- CRC-32C (Castagnoli), polynomial 0x1edc6f41, reflected; RFC 3720. ---- */

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    /* A table of half bytes: only the odd bytes at the ends and old processors come here. */
    static const uint32_t half[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    crc ^= byte;
    crc = crc >> 4 ^ half[crc & 15];
    return crc >> 4 ^ half[crc & 15];
}

CRC32C_TARGET static uint32_t crc_eights(uint32_t crc, const uint8_t *at, size_t count)
{
    for (; count > 0; count--, at += 8)
        crc = crc32c_eight(crc, read_le64(at));
    return crc;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes, *end;

    if (!len)
        return crc;
    end = at + len;
    crc = ~crc;
    if (crc32c_is_fast()) {
        crc = crc_eights(crc, at, len / 8);
        at += len / 8 * 8;
    }
    for (; at < end; at++)
        crc = crc_byte(crc, *at);
    return ~crc;
}

/* ---- SHA-256 and HMAC ---- */

/* A context with the digest chosen and no key. Copying it costs 0.6 us a MAC where choosing the
 * digest anew costs 0.9; keeping one per thread costs 0.4, but would keep the last key as well. */
static EVP_MAC_CTX *hmac_template(void)
{
    static EVP_MAC_CTX *_Atomic made;
    EVP_MAC_CTX *ctx = atomic_load_explicit(&made, memory_order_acquire), *other = NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    if (ctx)
        return ctx;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context holds it */
    ASSERT(ctx && EVP_MAC_CTX_set_params(ctx, params));
    if (!atomic_compare_exchange_strong(&made, &other, ctx)) {
        EVP_MAC_CTX_free(ctx);
        ctx = other;
    }
    return ctx;
}

/* A context on the stack, nothing allocated, nothing that threads share: through EVP the same digest costs 700
 * instructions more, in forty lines of code, and a context of one thread that another waits for or makes anew. OpenSSL 3
 * calls these functions deprecated because they cannot be another provider's; the code behind both is one. */
struct sha256 sha256_two(struct str a, struct str b)
{
    struct sha256 sum;
    SHA256_CTX ctx;
    bool ok = SHA256_Init(&ctx) && SHA256_Update(&ctx, a.ptr, a.len) &&
              SHA256_Update(&ctx, b.ptr, b.len) && SHA256_Final(sum.bytes, &ctx);

    ASSERT(ok); /* they know no failure */
    return sum;
}

static_assert(sizeof(SHA256_CTX) == sizeof(struct sha256_begun) &&
                  _Alignof(SHA256_CTX) <= _Alignof(struct sha256_begun),
              "a sum is what OpenSSL takes for one");

static SHA256_CTX *context_of(struct sha256_begun *sum)
{
    return (SHA256_CTX *)(void *)sum->inside;
}

void sha256_begin(struct sha256_begun *sum)
{
    int ok = SHA256_Init(context_of(sum));

    ASSERT(ok);
}

void sha256_add(struct sha256_begun *sum, struct str s)
{
    int ok = SHA256_Update(context_of(sum), s.ptr, s.len);

    ASSERT(ok);
}

struct sha256 sha256_end(struct sha256_begun *sum)
{
    struct sha256 out;
    int ok = SHA256_Final(out.bytes, context_of(sum));

    ASSERT(ok);
    return out;
}

struct sha256 sha256(struct str s)
{
    return sha256_two(s, STR_NONE);
}

struct sha256 hmac_sha256(const struct secret *key, struct str s)
{
    struct str k = secret_reveal(key);
    struct sha256 sum;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(hmac_template());
    bool ok = ctx && EVP_MAC_init(ctx, (const unsigned char *)(k.ptr ? k.ptr : ""), k.len, NULL) &&
              EVP_MAC_update(ctx, (const unsigned char *)s.ptr, s.len) &&
              EVP_MAC_final(ctx, sum.bytes, NULL, sizeof sum.bytes);

    EVP_MAC_CTX_free(ctx); /* wipes the key */
    ASSERT(ok);
    return sum;
}
