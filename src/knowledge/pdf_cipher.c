#include "knowledge/pdf_cipher.h"

#include <math.h>
#include <string.h>

/* --- MD5, RFC 1321 ---------------------------------------------------------------------------- */

static uint32_t rotate_left(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void md5_block(uint32_t state[4], const uint8_t *p)
{
    static const uint8_t turns[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], word[16];

    for (int i = 0; i < 16; i++)
        word[i] = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
                  (uint32_t)p[4 * i + 3] << 24;
    for (int i = 0; i < 64; i++) {
        uint32_t f, k = (uint32_t)(int64_t)floor(fabs(sin(i + 1)) * 4294967296.0), next;
        int g;

        if (i < 16) {
            f = (b & c) | (~b & d);
            g = i;
        } else if (i < 32) {
            f = (d & b) | (~d & c);
            g = (5 * i + 1) % 16;
        } else if (i < 48) {
            f = b ^ c ^ d;
            g = (3 * i + 5) % 16;
        } else {
            f = c ^ (b | ~d);
            g = 7 * i % 16;
        }
        next = b + rotate_left(a + f + k + word[g], turns[i / 16][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* The last one or two blocks: the rest of the message, a bit, zeros, and its length in bits. */
static size_t pad(struct str s, size_t block, bool big, uint8_t out[256])
{
    size_t rest = s.len % block, len = rest + 1 + block / 8 <= block ? block : 2 * block;
    uint64_t bits = (uint64_t)s.len * 8;

    memset(out, 0, 256);
    if (rest)
        memcpy(out, s.ptr + s.len - rest, rest);
    out[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        out[big ? len - 1 - i : len - 8 + i] = (uint8_t)(bits >> 8 * i);
    return len;
}

void pdf_md5(struct str s, uint8_t out[16])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t tail[256];
    size_t len = pad(s, 64, false, tail);

    for (size_t at = 0; at + 64 <= s.len; at += 64)
        md5_block(state, (const uint8_t *)s.ptr + at);
    for (size_t at = 0; at < len; at += 64)
        md5_block(state, tail + at);
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
}

/* --- SHA-2, FIPS 180-4 ------------------------------------------------------------------------ */

/* The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
static const uint64_t sha_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t rotate64(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

static uint32_t rotate32(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void sha512_block(uint64_t state[8], const uint8_t *p)
{
    uint64_t w[80], v[8];

    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 8; k++)
            w[i] = (k ? w[i] << 8 : 0) | p[8 * i + k];
    for (int i = 16; i < 80; i++) {
        uint64_t x = w[i - 15], y = w[i - 2];

        w[i] = w[i - 16] + (rotate64(x, 1) ^ rotate64(x, 8) ^ x >> 7) + w[i - 7] +
               (rotate64(y, 19) ^ rotate64(y, 61) ^ y >> 6);
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 80; i++) {
        uint64_t e = v[4], a = v[0];
        uint64_t one = v[7] + (rotate64(e, 14) ^ rotate64(e, 18) ^ rotate64(e, 41)) +
                       ((e & v[5]) ^ (~e & v[6])) + sha_k[i] + w[i];
        uint64_t two = (rotate64(a, 28) ^ rotate64(a, 34) ^ rotate64(a, 39)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

static void sha256_block(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64], v[8];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];

        w[i] = w[i - 16] + (rotate32(x, 7) ^ rotate32(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate32(y, 17) ^ rotate32(y, 19) ^ y >> 10);
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t one = v[7] + (rotate32(e, 6) ^ rotate32(e, 11) ^ rotate32(e, 25)) +
                       ((e & v[5]) ^ (~e & v[6])) + (uint32_t)(sha_k[i] >> 32) + w[i];
        uint32_t two = (rotate32(a, 2) ^ rotate32(a, 13) ^ rotate32(a, 22)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

static const uint64_t sha512_start[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
static const uint64_t sha384_start[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};

void pdf_sha2(int bits, struct str s, uint8_t *out)
{
    const uint64_t *start = bits == 384 ? sha384_start : sha512_start;
    size_t block = bits == 256 ? 64 : 128, len;
    uint32_t narrow[8];
    uint64_t wide[8];
    uint8_t tail[256];

    for (int i = 0; i < 8; i++) {
        wide[i] = start[i];
        narrow[i] = (uint32_t)(sha512_start[i] >> 32); /* the same roots, fewer bits */
    }
    len = pad(s, block, true, tail);
    for (size_t at = 0; at + block <= s.len; at += block)
        if (bits == 256)
            sha256_block(narrow, (const uint8_t *)s.ptr + at);
        else
            sha512_block(wide, (const uint8_t *)s.ptr + at);
    for (size_t at = 0; at < len; at += block)
        if (bits == 256)
            sha256_block(narrow, tail + at);
        else
            sha512_block(wide, tail + at);
    for (int i = 0; i < bits / 8; i++)
        if (bits == 256)
            out[i] = (uint8_t)(narrow[i / 4] >> (24 - 8 * (i % 4)));
        else
            out[i] = (uint8_t)(wide[i / 8] >> (56 - 8 * (i % 8)));
}

/* --- RC4 -------------------------------------------------------------------------------------- */

void pdf_rc4(struct str key, const uint8_t *in, uint8_t *out, size_t len)
{
    uint8_t s[256], swap;
    unsigned i, j = 0;

    for (i = 0; i < 256; i++)
        s[i] = (uint8_t)i;
    for (i = 0; i < 256 && key.len; i++) {
        j = (j + s[i] + (uint8_t)key.ptr[i % key.len]) & 0xFF;
        swap = s[i];
        s[i] = s[j];
        s[j] = swap;
    }
    i = j = 0;
    for (size_t at = 0; at < len; at++) {
        i = (i + 1) & 0xFF;
        j = (j + s[i]) & 0xFF;
        swap = s[i];
        s[i] = s[j];
        s[j] = swap;
        out[at] = in[at] ^ s[(s[i] + s[j]) & 0xFF];
    }
}

/* --- AES, FIPS 197 ---------------------------------------------------------------------------- */

struct aes {
    uint8_t box[256], back[256];
    uint8_t keys[15][16];
    uint8_t product[7][256]; /* by 1, 2, 3, 9, 11, 13 and 14 */
    int rounds;
};
enum { BY_1, BY_2, BY_3, BY_9, BY_11, BY_13, BY_14 };

static uint8_t times2(uint8_t x)
{
    return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1B : 0));
}

static uint8_t times(uint8_t x, unsigned n)
{
    uint8_t sum = 0;

    for (; n; n >>= 1, x = times2(x))
        if (n & 1)
            sum ^= x;
    return sum;
}

/* The S-box by its definition: p runs over the powers of 3, q over those of 1/3. */
static void aes_boxes(struct aes *a)
{
    uint8_t p = 1, q = 1;

    do {
        p ^= times2(p);
        q ^= (uint8_t)(q << 1);
        q ^= (uint8_t)(q << 2);
        q ^= (uint8_t)(q << 4);
        q ^= q & 0x80 ? 0x09 : 0;
        uint8_t x = (uint8_t)(q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^
                              (q << 4 | q >> 4));
        a->box[p] = x ^ 0x63;
    } while (p != 1);
    a->box[0] = 0x63;
    for (int i = 0; i < 256; i++)
        a->back[a->box[i]] = (uint8_t)i;
}

static void aes_key(struct aes *a, const uint8_t *key, size_t key_len)
{
    uint8_t *w = a->keys[0], word[4], power = 1;
    size_t words = key_len / 4;

    static const uint8_t factors[] = {1, 2, 3, 9, 11, 13, 14};

    aes_boxes(a);
    for (size_t f = 0; f < sizeof factors; f++)
        for (unsigned x = 0; x < 256; x++)
            a->product[f][x] = times((uint8_t)x, factors[f]);
    a->rounds = (int)words + 6;
    memcpy(w, key, key_len);
    for (size_t i = words; i < 4 * ((size_t)a->rounds + 1); i++) {
        memcpy(word, w + 4 * (i - 1), 4);
        if (i % words == 0) {
            uint8_t first = word[0];

            word[0] = a->box[word[1]] ^ power;
            word[1] = a->box[word[2]];
            word[2] = a->box[word[3]];
            word[3] = a->box[first];
            power = times2(power);
        } else if (words > 6 && i % words == 4) {
            for (int k = 0; k < 4; k++)
                word[k] = a->box[word[k]];
        }
        for (size_t k = 0; k < 4; k++)
            w[4 * i + k] = w[4 * (i - words) + k] ^ word[k];
    }
}

static void add_key(uint8_t s[16], const uint8_t key[16])
{
    for (int i = 0; i < 16; i++)
        s[i] ^= key[i];
}

static void mix(const struct aes *a, uint8_t s[16], const uint8_t by[4])
{
    for (int c = 0; c < 16; c += 4) {
        uint8_t in[4];

        memcpy(in, s + c, 4);
        for (int r = 0; r < 4; r++)
            s[c + r] = a->product[by[0]][in[r]] ^ a->product[by[1]][in[(r + 1) % 4]] ^
                       a->product[by[2]][in[(r + 2) % 4]] ^ a->product[by[3]][in[(r + 3) % 4]];
    }
}

static void aes_block_back(const struct aes *a, uint8_t s[16])
{
    uint8_t t[16];

    add_key(s, a->keys[a->rounds]);
    for (int round = a->rounds - 1; round >= 0; round--) {
        for (int i = 0; i < 16; i++)
            t[(i + 4 * (i % 4)) % 16] = a->back[s[i]];
        memcpy(s, t, 16);
        add_key(s, a->keys[round]);
        if (round > 0)
            mix(a, s, (const uint8_t[]){BY_14, BY_11, BY_13, BY_9});
    }
}

static void aes_block(const struct aes *a, uint8_t s[16])
{
    uint8_t t[16];

    add_key(s, a->keys[0]);
    for (int round = 1; round <= a->rounds; round++) {
        for (int i = 0; i < 16; i++)
            t[(i + 16 - 4 * (i % 4)) % 16] = a->box[s[i]];
        memcpy(s, t, 16);
        if (round < a->rounds)
            mix(a, s, (const uint8_t[]){BY_2, BY_3, BY_1, BY_1});
        add_key(s, a->keys[round]);
    }
}

void pdf_aes_decrypt(const uint8_t *key, size_t key_len, const uint8_t iv[16], const uint8_t *in,
                     uint8_t *out, size_t len)
{
    struct aes a = {0};
    uint8_t block[16], chain[16], next[16];

    aes_key(&a, key, key_len);
    memcpy(chain, iv, 16);
    for (size_t at = 0; at + 16 <= len; at += 16) {
        memcpy(next, in + at, 16);
        memcpy(block, next, 16);
        aes_block_back(&a, block);
        add_key(block, chain);
        memcpy(out + at, block, 16);
        memcpy(chain, next, 16);
    }
}

void pdf_aes_encrypt(const uint8_t *key, size_t key_len, const uint8_t iv[16], const uint8_t *in,
                     uint8_t *out, size_t len)
{
    struct aes a = {0};
    uint8_t chain[16];

    aes_key(&a, key, key_len);
    memcpy(chain, iv, 16);
    for (size_t at = 0; at + 16 <= len; at += 16) {
        add_key(chain, in + at);
        aes_block(&a, chain);
        memcpy(out + at, chain, 16);
    }
}
