/* base/hash.h: hashes. SipHash for keys of tables, SHA-256 and HMAC (by OpenSSL) for what must hold
 * against an adversary, CRC-32C for torn files. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "base/secret.h"
#include "base/str.h"

#define SHA256_BYTES 32

struct sha256 {
    uint8_t bytes[SHA256_BYTES];
};

void hash_seed(const uint8_t key[16]); /* once, at start, from sys random; else a fixed key */
uint64_t siphash(struct str s);        /* SipHash-1-3 with the process key */
uint64_t siphash_keyed(const uint8_t key[16],
                       struct str s); /* SipHash-2-4, for tests and stability */
/* SipHash-2-4 of 128 bits: where what is equal is taken for the same, and the key is secret. */
void siphash128_keyed(const uint8_t key[16], struct str s, uint64_t out[2]);
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
struct sha256 sha256(struct str s);
struct sha256 sha256_two(struct str a, struct str b); /* of the concatenation */
/* In parts. A copy goes on from where it was made: sums of texts that begin alike. */
struct sha256_begun {
    _Alignas(8) unsigned char inside[112];
};
void sha256_begin(struct sha256_begun *sum);
void sha256_add(struct sha256_begun *sum, struct str s);
struct sha256 sha256_end(struct sha256_begun *sum);
struct sha256 hmac_sha256(const struct secret *key, struct str s);

#endif
