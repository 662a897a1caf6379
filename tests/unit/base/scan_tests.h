/* The tests of base/scan.h, for scan.c (this machine's blocks) and scan_portable.c (plain words): each
 * scanner against the simplest thing that does the same, at every length and place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "base/utf8.h"
#include "test.h"

#define LEN_MAX 80

/* Every byte value at every place of texts of every length. */
static void check_everywhere(const char *name, const char *(*scan)(const char *, const char *),
                             bool (*stops)(uint8_t))
{
    for (size_t len = 0; len <= LEN_MAX; len += len < 40 ? 1 : 13) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char *text = malloc(len ? len : 1);

            memset(text, 'a', len);
            for (size_t at = 0; at <= len; at++) {
                size_t want = at < len && stops((uint8_t)byte) ? at : len;
                if (at < len)
                    text[at] = (char)byte;
                size_t got = (size_t)(scan(text, text + len) - text);
                EXPECT(got == want, "%s: %02x at %zu of %zu: %zu", name, byte, at, len, got);
                if (at < len)
                    text[at] = 'a';
            }
            free(text);
        }
        if (test_is_failing())
            return;
    }
}

/* The short scan only says whether there is something; at 17 bytes and more it is not asked. */
static const char *short_plain(const char *p, const char *end)
{
    size_t len = (size_t)(end - p), at = 0;

    if (len <= 16 && scan_short_is_plain(p, len))
        return end;
    while (at < len &&
           !((uint8_t)p[at] < 0x20 || (uint8_t)p[at] >= 0x80 || p[at] == '"' || p[at] == '\\'))
        at++;
    EXPECT(len > 16 || at < len, "plain bytes are told from others");
    return p + at;
}

static bool is_not_plain(uint8_t c)
{
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

static bool is_line_end(uint8_t c)
{
    return c == '\r' || c == '\n';
}

/* As a scanner: the place is found by hand where the copy says that there is one. */
static const char *copied(const char *p, const char *end, scan_block (*marks)(scan_block),
                          bool (*stops)(uint8_t))
{
    size_t len = (size_t)(end - p), at = 0;
    char to[LEN_MAX + 2];

    memset(to, '#', sizeof to);
    bool found = scan_copy(to + 1, p, len, marks);
    EXPECT(memcmp(to + 1, p, len) == 0 && *to == '#' && to[len + 1] == '#', "%zu bytes", len);
    while (at < len && !stops((uint8_t)p[at]))
        at++;
    EXPECT(found == (at < len), "%zu bytes, %zu", len, at);
    return p + at;
}

static const char *copied_json(const char *p, const char *end)
{
    return copied(p, end, scan_json_marks, is_not_plain);
}

static const char *copied_line(const char *p, const char *end)
{
    return copied(p, end, scan_line_marks, is_line_end);
}

static bool is_json_special(uint8_t c)
{
    return c == '"' || c == '\\' || c < 0x20;
}

static const char *json_special(const char *p, const char *end)
{
    bool high = false, want = false;
    const char *stop = scan_json_special(p, end, &high);

    for (const char *c = p; c < stop; c++)
        want |= (uint8_t)*c >= 0x80;
    EXPECT(high || !want, "bytes outside ASCII are told");
    return stop;
}

static bool is_blank_or_control(uint8_t c)
{
    return c <= 0x20 || c == 0x7f;
}

static const char *copied_blank(const char *p, const char *end)
{
    return copied(p, end, scan_blank_marks, is_blank_or_control);
}

static const char *copied_control(const char *p, const char *end)
{
    return copied(p, end, scan_control_marks, is_control);
}

SCAN_TEST(scan_copy_looks_at_what_it_copies)
{
    check_everywhere("blank", copied_blank, is_blank_or_control);
    check_everywhere("control", copied_control, is_control);
    check_everywhere("json", copied_json, is_not_plain);
    check_everywhere("line", copied_line, is_line_end);
}

static const char *first_of(const char *p, const char *end, bool (*stops)(uint8_t c), uint8_t low)
{
    const char *at = p;

    while (at < end && !stops((uint8_t)*at))
        at++;
    if (end - p <= 16)
        EXPECT(scan_short_has_control(p, (size_t)(end - p), low) == (at < end), "%zu bytes",
               (size_t)(end - p));
    return at;
}

static const char *short_control(const char *p, const char *end)
{
    return first_of(p, end, is_control, 0x20);
}

static const char *short_blank(const char *p, const char *end)
{
    return first_of(p, end, is_blank_or_control, 0x21);
}

SCAN_TEST(scan_same_is_memcmp)
{
    char a[40], b[40];

    for (size_t len = 0; len <= sizeof a; len++) {
        memset(a, 'a', len);
        memset(b, 'a', len);
        EXPECT(scan_same(a, b, len), "%zu", len);
        for (size_t at = 0; at < len; at++)
            for (int bit = 0; bit < 8; bit++) {
                b[at] = (char)(a[at] ^ 1 << bit);
                EXPECT(!scan_same(a, b, len), "%zu of %zu", at, len);
                b[at] = a[at];
            }
    }
}

static bool is_no_word(uint8_t c)
{
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-');
}

/* At most a block, and nothing of a text that is shorter. */
static const char *whole_words(const char *p, const char *end)
{
    while ((size_t)(end - p) >= SCAN_BLOCK) {
        const char *stop = scan_word(p, end);

        EXPECT(stop >= p && stop <= p + SCAN_BLOCK);
        if (stop < p + SCAN_BLOCK)
            return stop;
        p = stop;
    }
    EXPECT(scan_word(p, end) == p);
    while (p < end && !is_no_word((uint8_t)*p))
        p++;
    return p;
}

SCAN_TEST(scan_single_bytes)
{
    check_everywhere("control", scan_control, is_control);
    check_everywhere("line end", scan_line_end, is_line_end);
    check_everywhere("json special", json_special, is_json_special);
    check_everywhere("short and plain", short_plain, is_not_plain);
    check_everywhere("words", whole_words, is_no_word);
    check_everywhere("short control", short_control, is_control);
    check_everywhere("short blank", short_blank, is_blank_or_control);
}

/* Long texts are passed in larger steps: an end at every place, alone and behind a byte outside ASCII. */
SCAN_TEST(scan_long_json_texts)
{
    static const char ends[] = {'"', '\\', 0x1f, 0};
    char text[300];

    for (size_t len = 64; len <= sizeof text; len += 59)
        for (size_t at = 0; at <= len; at++)
            for (size_t high = 0; high <= len; high += 37) {
                bool told = false;

                memset(text, ' ', len);
                if (high < len)
                    text[high] = (char)0xc3;
                if (at < len)
                    text[at] = ends[at % sizeof ends];
                size_t got = (size_t)(scan_json_special(text, text + len, &told) - text);
                EXPECT(got == at, "end at %zu of %zu, high at %zu: %zu", at, len, high, got);
                EXPECT(told || high >= at, "high at %zu before the end at %zu", high, at);
            }
}

/* ---- UTF-8, against utf8_next(), which decodes by the byte ---- */

static size_t bad_by_the_byte(struct str s)
{
    size_t at = 0, before = 0;
    uint32_t rune;

    while (utf8_next(s, &at, &rune)) {
        if (rune == 0xfffd && at - before == 1) /* U+FFFD itself has three bytes */
            return before;
        before = at;
    }
    return s.len;
}

static void check_utf8(const char *bytes, size_t len)
{
    char *text = malloc(len ? len : 1);

    memcpy(text, bytes, len);
    size_t got = (size_t)(scan_bad_utf8(text, text + len) - text);
    size_t want = bad_by_the_byte((struct str){text, len});
    free(text);
    EXPECT(got == want, "length %zu: %zu, not %zu", len, got, want);
}

/* All pairs of bytes that can matter, and what may follow, at places around the seams of blocks. */
SCAN_TEST(scan_utf8_sequences)
{
    static const uint8_t leads[] = {0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2,
                                    0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
                                    0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
    static const uint8_t nexts[] = {0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xff};
    char text[LEN_MAX];

    for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
        for (unsigned k = 0; k < 1000; k++) {
            char seq[4] = {(char)leads[i], (char)nexts[k % 10], (char)nexts[k / 10 % 10],
                           (char)nexts[k / 100]};

            for (size_t at = k % 3; at <= 40; at += 3) {
                memset(text, 'a', sizeof text);
                memcpy(text + at, seq, 4);
                check_utf8(text, at + 4 + k % 20);
            }
        }
        if (test_is_failing())
            return;
    }
}

/* Texts of valid sequences of all lengths, whole, cut at every byte, and with one byte spoiled. */
SCAN_TEST(scan_utf8_texts)
{
    static const char *const runes[] = {
        "a",        "\xc3\xa9",         "\xe6\xbc\xa2", "\xf0\x9f\x98\x80",
        "\xc2\x80", "\xed\x9f\xbf",     "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
        "\xdf\xbf", "\xf0\x90\x80\x80", "\xe0\xa0\x80", " and some text "};
    uint32_t random = 1;

    for (int round = 0; round < 300 && !test_is_failing(); round++) {
        char text[LEN_MAX];
        size_t len = 0;

        for (;;) {
            random = random * 1664525 + 1013904223;
            const char *rune = runes[(random >> 16) % ARRAY_LEN(runes)];
            if (len + strlen(rune) > sizeof text)
                break;
            memcpy(text + len, rune, strlen(rune));
            len += strlen(rune);
        }
        for (size_t cut = 0; cut <= len; cut++)
            check_utf8(text, cut);
        for (size_t at = 0; at < len; at++) {
            char kept = text[at];
            random = random * 1664525 + 1013904223;
            text[at] = (char)(random >> 24);
            check_utf8(text, len);
            text[at] = kept;
        }
    }
}

SCAN_TEST(scan_hex_is_what_printf_says)
{
    char bytes[SCAN_BLOCK], want[2 * SCAN_BLOCK + 1], got[2 * SCAN_BLOCK];

    for (unsigned first = 0; first < 256; first++) {
        for (unsigned i = 0; i < SCAN_BLOCK; i++) {
            bytes[i] = (char)(first + i * 37);
            snprintf(want + 2 * i, 3, "%02x", (unsigned)(uint8_t)bytes[i]);
        }
        scan_put_hex(got, bytes);
        EXPECT(memcmp(got, want, sizeof got) == 0, "%u: %s", first, want);
    }
}
