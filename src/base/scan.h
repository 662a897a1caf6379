/* base/scan.h: find the next byte that matters, sixteen at a time.
 * A few operations on a block of bytes exist for SSE2 (for long texts also AVX2), NEON and plain 64-bit words; the scanners below
 * are written once on top of them. Define SCAN_PORTABLE before including to force the plain
 * words (tests do). No scanner reads at or past `end`. */
#ifndef WEIR_BASE_SCAN_H
#define WEIR_BASE_SCAN_H

#include <string.h>

#include "base/base.h"

static inline uint32_t load_le32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;

    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t load_le64(const char *p)
{
    return load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

/* The digits of four bytes, the first one lowest: a byte each for eight half bytes, then "0" or "a" on top of each. */
static inline uint64_t hex_of_word(uint32_t bytes)
{
    uint64_t n = bytes, nine;

    n = (n | n << 16) & UINT64_C(0x0000ffff0000ffff);
    n = (n | n << 8) & UINT64_C(0x00ff00ff00ff00ff);
    n = (n >> 4 & UINT64_C(0x000f000f000f000f)) | (n & UINT64_C(0x000f000f000f000f)) << 8;
    nine = (n + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return n + UINT64_C(0x3030303030303030) + nine * ('a' - '0' - 10);
}

static inline void store_le32(char *p, uint32_t n)
{
    n = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(n) : n;
    memcpy(p, &n, sizeof n);
}

static inline void store_le64(char *p, uint64_t n)
{
    n = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(n) : n;
    memcpy(p, &n, sizeof n);
}

/* A mark block has all bits of a byte set where the test held (plain words: its top bit). */
#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#    include <emmintrin.h>
#    define SCAN_BLOCK 16
#    ifdef __x86_64__
#        include <immintrin.h>
#        define SCAN_WIDE
#    endif
typedef __m128i scan_block;

static inline scan_block scan_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void scan_store(char *p, scan_block b)
{
    _mm_storeu_si128((__m128i *)(void *)p, b);
}

static inline scan_block scan_equal(scan_block b, char c)
{
    return _mm_cmpeq_epi8(b, _mm_set1_epi8(c));
}

/* Bytes below `limit`, at most 0x80. */
static inline scan_block scan_below(scan_block b, uint8_t limit)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(b, _mm_set1_epi8((char)(limit - 1))), b);
}

/* The same or outside ASCII: one signed comparison. */
static inline scan_block scan_below_or_high(scan_block b, uint8_t limit)
{
    return _mm_cmplt_epi8(b, _mm_set1_epi8((char)limit));
}

/* Bytes of at least `limit`, itself at least 0x80. */
static inline scan_block scan_from(scan_block b, uint8_t limit)
{
    return _mm_cmpeq_epi8(_mm_max_epu8(b, _mm_set1_epi8((char)limit)), b);
}

static inline scan_block scan_splat(char c)
{
    return _mm_set1_epi8(c);
}

static inline scan_block scan_or(scan_block a, scan_block b)
{
    return _mm_or_si128(a, b);
}

static inline scan_block scan_and(scan_block a, scan_block b)
{
    return _mm_and_si128(a, b);
}

static inline scan_block scan_xor(scan_block a, scan_block b)
{
    return _mm_xor_si128(a, b);
}

static inline scan_block scan_not(scan_block marks)
{
    return _mm_xor_si128(marks, _mm_set1_epi8((char)0xff));
}

static inline bool scan_has_high(scan_block b)
{
    return _mm_movemask_epi8(b) != 0;
}

/* Index of the first marked byte, SCAN_BLOCK when there is none. */
static inline size_t scan_first(scan_block marks)
{
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(marks) | 1u << SCAN_BLOCK);
}

/* Digits of half bytes: "0" or "a" on top of each. */
static inline scan_block scan_hex_digits(scan_block halves)
{
    scan_block above =
        _mm_and_si128(_mm_cmpgt_epi8(halves, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));

    return _mm_add_epi8(_mm_add_epi8(halves, _mm_set1_epi8('0')), above);
}

/* SCAN_BLOCK bytes as hexadecimal digits, lower case. */
static inline void scan_put_hex(char *to, const char *from)
{
    scan_block b = scan_load(from), half = _mm_set1_epi8(15);
    scan_block high = _mm_and_si128(_mm_srli_epi16(b, 4), half), low = _mm_and_si128(b, half);

    scan_store(to, scan_hex_digits(_mm_unpacklo_epi8(high, low)));
    scan_store(to + SCAN_BLOCK, scan_hex_digits(_mm_unpackhi_epi8(high, low)));
}

/* Does a test mark any byte of the two words? */
static inline ALWAYS_INLINE bool scan_words_have(const uint64_t word[2],
                                                 scan_block (*marks)(scan_block))
{
    return _mm_movemask_epi8(marks(_mm_set_epi64x((long long)word[1], (long long)word[0]))) != 0;
}

#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(SCAN_PORTABLE)
#    include <arm_neon.h>
#    define SCAN_BLOCK 16
typedef uint8x16_t scan_block;

static inline scan_block scan_load(const char *p)
{
    return vld1q_u8((const uint8_t *)p);
}

static inline void scan_store(char *p, scan_block b)
{
    vst1q_u8((uint8_t *)p, b);
}

static inline scan_block scan_equal(scan_block b, char c)
{
    return vceqq_u8(b, vdupq_n_u8((uint8_t)c));
}

static inline scan_block scan_below(scan_block b, uint8_t limit)
{
    return vcltq_u8(b, vdupq_n_u8(limit));
}

static inline scan_block scan_below_or_high(scan_block b, uint8_t limit)
{
    return vcltq_s8(vreinterpretq_s8_u8(b), vdupq_n_s8((int8_t)limit));
}

static inline scan_block scan_from(scan_block b, uint8_t limit)
{
    return vcgeq_u8(b, vdupq_n_u8(limit));
}

static inline scan_block scan_splat(char c)
{
    return vdupq_n_u8((uint8_t)c);
}

static inline scan_block scan_or(scan_block a, scan_block b)
{
    return vorrq_u8(a, b);
}

static inline scan_block scan_and(scan_block a, scan_block b)
{
    return vandq_u8(a, b);
}

static inline scan_block scan_xor(scan_block a, scan_block b)
{
    return veorq_u8(a, b);
}

static inline scan_block scan_not(scan_block marks)
{
    return vmvnq_u8(marks);
}

static inline bool scan_has_high(scan_block b)
{
    return vmaxvq_u8(b) >= 0x80;
}

/* NEON has no movemask: narrow each byte to four bits of a word. */
static inline size_t scan_first(scan_block marks)
{
    uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(marks), 4);
    uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(narrow), 0);

    return bits ? (size_t)__builtin_ctzll(bits) / 4 : SCAN_BLOCK;
}

static inline scan_block scan_hex_digits(scan_block halves)
{
    scan_block above = vandq_u8(vcgtq_u8(halves, vdupq_n_u8(9)), vdupq_n_u8('a' - '0' - 10));

    return vaddq_u8(vaddq_u8(halves, vdupq_n_u8('0')), above);
}

static inline void scan_put_hex(char *to, const char *from)
{
    scan_block b = scan_load(from);
    uint8x16x2_t halves = vzipq_u8(vshrq_n_u8(b, 4), vandq_u8(b, vdupq_n_u8(15)));

    scan_store(to, scan_hex_digits(halves.val[0]));
    scan_store(to + SCAN_BLOCK, scan_hex_digits(halves.val[1]));
}

static inline ALWAYS_INLINE bool scan_words_have(const uint64_t word[2],
                                                 scan_block (*marks)(scan_block))
{
    uint64x2_t both = vcombine_u64(vcreate_u64(word[0]), vcreate_u64(word[1]));

    return vmaxvq_u8(marks(vreinterpretq_u8_u64(both))) != 0;
}

#else
#    define SCAN_BLOCK 8
#    define SCAN_ONES  UINT64_C(0x0101010101010101)
#    define SCAN_TOPS  UINT64_C(0x8080808080808080)
typedef uint64_t scan_block;

static inline scan_block scan_load(const char *p)
{
    return load_le64(p);
}

/* Exact for every byte: no carry crosses from one byte to the next. */
static inline scan_block scan_equal(scan_block b, char c)
{
    uint64_t x = b ^ SCAN_ONES * (uint8_t)c;

    return ~(((x & ~SCAN_TOPS) + ~SCAN_TOPS) | x) & SCAN_TOPS;
}

static inline scan_block scan_below(scan_block b, uint8_t limit)
{
    return ~((b | SCAN_TOPS) - SCAN_ONES * limit) & ~b & SCAN_TOPS;
}

static inline scan_block scan_below_or_high(scan_block b, uint8_t limit)
{
    return scan_below(b, limit) | (b & SCAN_TOPS);
}

static inline scan_block scan_from(scan_block b, uint8_t limit)
{
    return ((b & ~SCAN_TOPS) + SCAN_ONES * (0x100u - limit)) & b & SCAN_TOPS;
}

static inline scan_block scan_splat(char c)
{
    return SCAN_ONES * (uint8_t)c;
}

static inline scan_block scan_or(scan_block a, scan_block b)
{
    return a | b;
}

static inline scan_block scan_and(scan_block a, scan_block b)
{
    return a & b;
}

static inline scan_block scan_xor(scan_block a, scan_block b)
{
    return a ^ b;
}

static inline scan_block scan_not(scan_block marks)
{
    return marks ^ SCAN_TOPS;
}

static inline bool scan_has_high(scan_block b)
{
    return (b & SCAN_TOPS) != 0;
}

static inline size_t scan_first(scan_block marks)
{
    return marks ? (size_t)__builtin_ctzll(marks) / 8 : SCAN_BLOCK;
}

static inline void scan_store(char *p, scan_block b)
{
    store_le64(p, b);
}

static inline void scan_put_hex(char *to, const char *from)
{
    for (int half = 0; half < 2; half++, from += 4, to += 8)
        store_le64(to, hex_of_word(load_le32(from)));
}

static inline ALWAYS_INLINE bool scan_words_have(const uint64_t word[2],
                                                 scan_block (*marks)(scan_block))
{
    return (marks(word[0]) | marks(word[1])) != 0;
}
#endif

/* ---- scanners ---- */

/* A test over a block and the same over one byte give a scanner: the first byte that passes, or end.
 * The last block overlaps the one before, where nothing was found. */
#define SCANNER(name, block_test, byte_test)                       \
    static inline const char *name(const char *p, const char *end) \
    {                                                              \
        bool long_enough = (size_t)(end - p) >= SCAN_BLOCK;        \
        for (; (size_t)(end - p) >= SCAN_BLOCK; p += SCAN_BLOCK) { \
            scan_block b = scan_load(p);                           \
            size_t i = scan_first(block_test);                     \
            if (i < SCAN_BLOCK)                                    \
                return p + i;                                      \
        }                                                          \
        if (long_enough && p < end) {                              \
            scan_block b = scan_load(end - SCAN_BLOCK);            \
            return end - SCAN_BLOCK + scan_first(block_test);      \
        }                                                          \
        for (; p < end; p++) {                                     \
            uint8_t c = (uint8_t)*p;                               \
            if (byte_test)                                         \
                return p;                                          \
        }                                                          \
        return end;                                                \
    }

/* Control bytes, DEL included: what has no place inside a line of an HTTP head. */
SCANNER(scan_control, scan_or(scan_below(b, 0x20), scan_equal(b, 0x7f)), c < 0x20 || c == 0x7f)

/* The end of a line: CR or LF. */
SCANNER(scan_line_end, scan_or(scan_equal(b, '\r'), scan_equal(b, '\n')), c == '\r' || c == '\n')

/* Past letters and hyphens, one block of them at most: what nearly all names in heads are made of. */
static inline const char *scan_word(const char *p, const char *end)
{
    if ((size_t)(end - p) < SCAN_BLOCK)
        return p;
    scan_block b = scan_load(p), low = scan_or(b, scan_splat(0x20));
    scan_block letters = scan_xor(scan_below(low, 'z' + 1), scan_below(low, 'a'));
    scan_block words = scan_or(letters, scan_equal(b, '-'));

    return p + scan_first(scan_not(words));
}

/* Length of the UTF-8 sequence at p, which is outside ASCII; 0 when it is none (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF, not cut). */
static inline size_t scan_utf8(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);

    if (LIKELY(left >= 4)) {
        uint32_t w = load_le32(p);
        if ((w & 0x00c0c0f0) == 0x008080e0) {
            uint32_t top = w & 0x0000200f; /* E0 wants a high second byte, ED a low one */
            return top != 0 && top != 0x0000200d ? 3 : 0;
        }
        if ((w & 0x0000c0e0) == 0x000080c0)
            return (w & 0x1e) != 0 ? 2 : 0;
        if ((w & 0xc0c0c0f8) == 0x808080f0) {
            uint32_t top = w & 0x00003007; /* above U+FFFF, not above U+10FFFF */
            return top != 0 && ((top & 0x04) == 0 || (top & 0x00003003) == 0) ? 4 : 0;
        }
        return 0;
    }
    char padded[4] = {0}; /* zero continues nothing, so a cut sequence is refused */
    memcpy(padded, p, left);
    return scan_utf8(padded, padded + 4);
}

/* ---- up to sixteen bytes as two words, which overlap: no loop, no read outside ---- */

#define SCAN_WORD(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))

/* All bytes of [p, p + len), some of them twice, and `fill` where there are too few. */
static inline void scan_load_short(const char *p, size_t len, char fill, uint64_t out[2])
{
    if (len >= 8) {
        out[0] = load_le64(p);
        out[1] = load_le64(p + len - 8);
    } else if (len >= 4) {
        out[0] = out[1] = load_le32(p) | (uint64_t)load_le32(p + len - 4) << 32;
    } else {
        out[0] = out[1] = SCAN_WORD(fill);
        if (len > 0)
            out[0] = out[1] = (out[1] << 24) | (uint8_t)p[0] | (uint64_t)(uint8_t)p[len / 2] << 8 |
                              (uint64_t)(uint8_t)p[len - 1] << 16;
    }
}

/* memcmp() == 0 without a call, where texts are short: names of fields and keys. */
static inline bool scan_same(const char *a, const char *b, size_t len)
{
    if (len > 16)
        return memcmp(a, b, len) == 0;
    if (len >= 8)
        return ((load_le64(a) ^ load_le64(b)) |
                (load_le64(a + len - 8) ^ load_le64(b + len - 8))) == 0;
    if (len >= 4)
        return ((load_le32(a) ^ load_le32(b)) |
                (load_le32(a + len - 4) ^ load_le32(b + len - 4))) == 0;
    return len == 0 ||
           (((a[0] ^ b[0]) | (a[len / 2] ^ b[len / 2]) | (a[len - 1] ^ b[len - 1])) == 0);
}

/* Is any byte of the word zero? Which one it does not say. */
static inline uint64_t scan_any_zero(uint64_t word)
{
    return (word - SCAN_WORD(1)) & ~word & SCAN_WORD(0x80);
}

/* Is any byte of the word below `low`, at most 0x80, or DEL? Bytes outside ASCII are not. */
static inline uint64_t scan_any_control(uint64_t word, uint8_t low)
{
    return scan_any_zero(word ^ SCAN_WORD(0x7f)) |
           ((word - SCAN_WORD(low)) & ~word & SCAN_WORD(0x80));
}

/* What ends a line of a head. */
static inline scan_block scan_line_marks(scan_block b)
{
    return scan_or(scan_equal(b, '\r'), scan_equal(b, '\n'));
}

/* Marks what is not plain in a JSON string: a quote, a backslash, a control byte, one outside ASCII. */
static inline scan_block scan_json_marks(scan_block b)
{
    return scan_or(scan_or(scan_equal(b, '"'), scan_equal(b, '\\')), scan_below_or_high(b, 0x20));
}

/* What has no place in a name of a head, nor a method or path: a blank or a control byte. */
static inline scan_block scan_blank_marks(scan_block b)
{
    return scan_or(scan_below(b, ' ' + 1), scan_equal(b, 0x7f));
}

/* What has no place in a value, but for a tab. */
static inline scan_block scan_control_marks(scan_block b)
{
    return scan_or(scan_below(b, ' '), scan_equal(b, 0x7f));
}

/* Must any byte be escaped in a JSON string, or is it outside ASCII? At most sixteen bytes. */
static inline bool scan_short_is_plain(const char *p, size_t len)
{
    uint64_t word[2];

    scan_load_short(p, len, ' ', word);
    return !scan_words_have(word, scan_json_marks);
}

static inline void scan_store_short(char *to, size_t len, const uint64_t word[2])
{
    if (len >= 8) {
        store_le64(to, word[0]);
        store_le64(to + len - 8, word[1]);
    } else if (len >= 4) {
        store_le32(to, (uint32_t)word[0]);
        store_le32(to + len - 4, (uint32_t)(word[0] >> 32));
    } else if (len > 0) {
        to[0] = (char)word[0];
        to[len / 2] = (char)(word[0] >> 8);
        to[len - 1] = (char)(word[0] >> 16);
    }
}

/* Copy, and say whether a test that does not mark "x" marked any byte. It looks at what is in registers: a load
 * of what was just stored in other pieces would have to wait for these. */
static inline ALWAYS_INLINE bool scan_copy(char *to, const char *from, size_t len,
                                           scan_block (*marks)(scan_block))
{
    if (LIKELY(len <= 16)) {
        uint64_t word[2];

        scan_load_short(from, len, 'x', word);
        scan_store_short(to, len, word);
        return scan_words_have(word, marks);
    }
    scan_block b = scan_load(from + len - SCAN_BLOCK), found = marks(b);
    scan_store(to + len - SCAN_BLOCK, b);
    for (size_t at = 0; at < len - SCAN_BLOCK; at += SCAN_BLOCK) {
        b = scan_load(from + at);
        scan_store(to + at, b);
        found = scan_or(found, marks(b));
    }
    return scan_first(found) < SCAN_BLOCK;
}

/* Is any of at most sixteen bytes below `low`, or DEL? */
static inline bool scan_short_has_control(const char *p, size_t len, uint8_t low)
{
    uint64_t word[2];

    scan_load_short(p, len, 'x', word);
    return (scan_any_control(word[0], low) | scan_any_control(word[1], low)) != 0;
}

#define SCAN_PLAIN 2 /* so many plain blocks, and it is taken for a long text */

#ifdef SCAN_WIDE
/* scan_json_plain() where the processor has blocks of twice the size. */
__attribute__((target("avx2"))) static inline const char *scan_json_plain_wide(const char *p,
                                                                               const char *end)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'),
                  blank = _mm256_set1_epi8(0x20);

    for (; end - p >= 64; p += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
        __m256i quotes = _mm256_or_si256(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
        __m256i others =
            _mm256_or_si256(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash));
        __m256i below = _mm256_or_si256(_mm256_cmpgt_epi8(blank, a), _mm256_cmpgt_epi8(blank, b));

        if (_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quotes, others), below)))
            break;
    }
    return p;
}
#endif

/* Past blocks without anything special or high, four at a time: long texts. */
static inline const char *scan_json_plain(const char *p, const char *end)
{
#ifdef SCAN_WIDE
    if (__builtin_cpu_supports("avx2"))
        return scan_json_plain_wide(p, end);
#endif
    for (; (size_t)(end - p) >= 4 * SCAN_BLOCK; p += 4 * SCAN_BLOCK) {
        scan_block one = scan_json_marks(scan_load(p));
        scan_block two = scan_json_marks(scan_load(p + SCAN_BLOCK));
        scan_block three = scan_json_marks(scan_load(p + 2 * SCAN_BLOCK));
        scan_block four = scan_json_marks(scan_load(p + 3 * SCAN_BLOCK));

        if (scan_first(scan_or(scan_or(one, two), scan_or(three, four))) != SCAN_BLOCK)
            break;
    }
    return p;
}

/* Where the plain characters of a JSON string end in a block. */
static inline size_t scan_json_end(scan_block b)
{
    return scan_first(scan_json_marks(b));
}

/* What ends a run of plain characters in a JSON string: a quote, a backslash or a control byte. Bytes
 * outside ASCII are passed over; *high becomes true when there are any. */
static inline const char *scan_json_special(const char *p, const char *end, bool *high)
{
    for (uint32_t plain = 0; (size_t)(end - p) >= SCAN_BLOCK; p += SCAN_BLOCK) {
        scan_block b = scan_load(p);
        scan_block quotes = scan_or(scan_equal(b, '"'), scan_equal(b, '\\'));
        size_t i = scan_first(scan_or(quotes, scan_below_or_high(b, 0x20)));

        if (LIKELY(i == SCAN_BLOCK)) {
            if (UNLIKELY(++plain % SCAN_PLAIN == 0)) /* it will go on like this */
                p = scan_json_plain(p + SCAN_BLOCK, end) - SCAN_BLOCK;
            continue;
        }
        if ((uint8_t)p[i] >= 0x80) {
            *high = true;
            plain = 0;
            i = scan_first(scan_or(quotes, scan_below(b, 0x20)));
        }
        if (i < SCAN_BLOCK)
            return p + i;
    }
    for (; p < end; p++) {
        uint8_t c = (uint8_t)*p;
        if (c == '"' || c == '\\' || c < 0x20)
            return p;
        *high |= c >= 0x80;
    }
    return end;
}

/* Does a sequence that began in the three bytes before p reach into it? */
static inline bool scan_is_cut(const char *p)
{
    return (uint8_t)p[-1] >= 0xc0 || (uint8_t)p[-2] >= 0xe0 || (uint8_t)p[-3] >= 0xf0;
}

/* Marks what is wrong in the block at p, which three good bytes come before (RFC 3629, table of
 * well-formed sequences): continuation bytes exactly where a lead wants them, no bytes that never
 * stand in UTF-8, and the four leads whose next byte is restricted. */
static inline scan_block scan_utf8_marks(const char *p)
{
    scan_block b = scan_load(p), before = scan_load(p - 1);
    scan_block lead = scan_from(b, 0xc0), from_90 = scan_from(b, 0x90),
               from_a0 = scan_from(b, 0xa0);
    scan_block is = scan_xor(scan_from(b, 0x80), lead);
    scan_block wanted =
        scan_or(scan_from(before, 0xc0),
                scan_or(scan_from(scan_load(p - 2), 0xe0), scan_from(scan_load(p - 3), 0xf0)));
    scan_block bad = scan_or(scan_xor(is, wanted), scan_from(b, 0xf5));

    bad = scan_or(bad, scan_xor(lead, scan_from(b, 0xc2)));
    bad = scan_or(bad, scan_and(scan_equal(before, (char)0xed), from_a0));
    bad = scan_or(bad, scan_and(scan_equal(before, (char)0xf4), from_90));
    scan_block e0 = scan_equal(before, (char)0xe0), f0 = scan_equal(before, (char)0xf0);
    bad = scan_or(bad, scan_xor(e0, scan_and(e0, from_a0)));
    return scan_or(bad, scan_xor(f0, scan_and(f0, from_90)));
}

static inline const char *scan_bad_utf8_slowly(const char *p, const char *end)
{
    while (p < end) {
        size_t len = (uint8_t)*p < 0x80 ? 1 : scan_utf8(p, end);
        if (len == 0)
            return p;
        p += len;
    }
    return end;
}

/* The first byte of what is no UTF-8 in [p, end), or end. By blocks, whatever the mix of scripts; the
 * ends, and the exact place of what is wrong, by bytes. */
static inline const char *scan_bad_utf8(const char *p, const char *end)
{
    for (int i = 0; i < 3 && p < end; i++) {
        size_t len = (uint8_t)*p < 0x80 ? 1 : scan_utf8(p, end);
        if (len == 0)
            return p;
        p += len;
    }
    const char *from = p;
    for (; (size_t)(end - p) >= SCAN_BLOCK; p += SCAN_BLOCK) {
        bool high = scan_has_high(scan_load(p));
        if (high ? scan_first(scan_utf8_marks(p)) < SCAN_BLOCK : scan_is_cut(p))
            break;
    }
    while (p > from && ((uint8_t)p[-1] & 0xc0) == 0x80)
        p--;
    if (p > from && (uint8_t)p[-1] >= 0xc0)
        p--;
    return scan_bad_utf8_slowly(p, end);
}

#endif
