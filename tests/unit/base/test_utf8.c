#include "base/utf8.h"
#include "test.h"

#include <string.h>

static const struct {
    const char *name, *bytes;
    bool valid;
    size_t count; /* bad bytes count one each */
} text_cases[] = {
    {"empty", "", true, 0},
    {"ASCII, longer than a word", "the quick brown fox", true, 19},
    {"two bytes", "\xc2\x80\xdf\xbf", true, 2},
    {"three bytes", "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", true, 4},
    {"four bytes", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true, 2},
    {"mixed", "12345678\xe4\xbd\xa0 abcdefgh \xf0\x9f\x99\x82!", true, 21},
    {"continuation alone", "\x80", false, 1},
    {"overlong slash", "\xc0\xaf", false, 2},
    {"overlong in two", "\xc1\xbf", false, 2},
    {"overlong in three", "\xe0\x9f\xbf", false, 3},
    {"overlong in four", "\xf0\x8f\xbf\xbf", false, 4},
    {"surrogate", "\xed\xa0\x80", false, 3},
    {"last surrogate", "\xed\xbf\xbf", false, 3},
    {"above 10FFFF", "\xf4\x90\x80\x80", false, 4},
    {"lead F5", "\xf5\x80\x80\x80", false, 4},
    {"FF", "abcdefgh\xff", false, 9},
    {"cut two", "ab\xc3", false, 3},
    {"cut three", "\xe4\xbd", false, 2},
    {"cut four", "\xf0\x9f\x99", false, 3},
    {"lead before ASCII",
     "\xe4"
     "ab",
     false, 3},
    {"bad third byte",
     "\xe4\xbd"
     "a",
     false, 3},
    {"bad fourth byte",
     "\xf0\x9f\x99"
     "a",
     false, 4},
};

TEST(validity_as_in_rfc_3629)
{
    for (size_t i = 0; i < ARRAY_LEN(text_cases); i++) {
        struct str s = str_from(text_cases[i].bytes);

        EXPECT(utf8_valid(s) == text_cases[i].valid, "%s", text_cases[i].name);
        EXPECT(utf8_count(s) == text_cases[i].count, "%s: %zu", text_cases[i].name, utf8_count(s));
    }
    EXPECT(utf8_valid(STR("a\0b")), "NUL is a character");
    EXPECT(utf8_valid(STR_NONE));
}

TEST(every_rune_survives_a_round_trip)
{
    for (uint32_t rune = 0; rune < 0x110010; rune++) {
        bool surrogate = rune >= 0xd800 && rune < 0xe000;
        char bytes[4];
        size_t len = utf8_put(bytes, rune), at = 0;
        uint32_t back = 0;

        if (surrogate || rune > 0x10ffff) {
            EXPECT(len == 0, "%x", rune);
            continue;
        }
        struct str s = {bytes, len};
        EXPECT(utf8_valid(s) && utf8_next(s, &at, &back) && back == rune && at == len, "%x", rune);
    }
}

TEST(bad_bytes_read_as_replacement)
{
    struct str s = STR("a\xffz");
    uint32_t rune;
    size_t at = 0;

    EXPECT(utf8_next(s, &at, &rune) && rune == 'a');
    EXPECT(utf8_next(s, &at, &rune) && rune == 0xfffd && at == 2);
    EXPECT(utf8_next(s, &at, &rune) && rune == 'z');
    EXPECT(!utf8_next(s, &at, &rune) && at == 3);
}

static const struct {
    const char *name, *text;
    size_t at_most, want;
} boundary_cases[] = {
    {"in ASCII", "abcdef", 3, 3},
    {"before a character", "ab\xe4\xbd\xa0", 2, 2},
    {"in its middle", "ab\xe4\xbd\xa0", 3, 2},
    {"before its end", "ab\xe4\xbd\xa0", 4, 2},
    {"at its end", "ab\xe4\xbd\xa0", 5, 5},
    {"past the end", "ab\xe4\xbd\xa0", 99, 5},
    {"in four bytes", "\xf0\x9f\x99\x82x", 3, 0},
    {"zero", "abc", 0, 0},
    {"bytes that are no text", "a\x80\x80\x80\x80\x80", 5, 5},
};

TEST(boundary)
{
    for (size_t i = 0; i < ARRAY_LEN(boundary_cases); i++) {
        size_t got = utf8_boundary(str_from(boundary_cases[i].text), boundary_cases[i].at_most);

        EXPECT(got == boundary_cases[i].want, "%s: %zu", boundary_cases[i].name, got);
    }
    EXPECT(utf8_boundary(STR_NONE, 5) == 0);
}

static const struct {
    uint32_t rune;
    bool want;
} cjk_cases[] = {
    {'a', false},    {0xe4, false},   {0x4e00, true},   {0x9fff, true},  {0x3042, true},
    {0x30ab, true},  {0xac00, true},  {0xd7a3, true},   {0x3002, true},  {0xff0c, true},
    {0x20000, true}, {0x2a6df, true}, {0x1f642, false}, {0x0e01, false}, {0x2014, false},
    {0x3400, true},  {0xf900, true},  {0x0410, false},
};

TEST(cjk)
{
    for (size_t i = 0; i < ARRAY_LEN(cjk_cases); i++)
        EXPECT(rune_is_cjk(cjk_cases[i].rune) == cjk_cases[i].want, "U+%04X", cjk_cases[i].rune);
}
