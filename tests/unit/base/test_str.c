#include "base/str.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

TEST(comparing)
{
    EXPECT(str_from(NULL).ptr == NULL && str_is_empty(str_from(NULL)));
    EXPECT(str_eq(str_from("abc"), STR("abc")));
    EXPECT(str_eq(STR_NONE, STR("")));
    EXPECT(!str_eq(STR("abc"), STR("abd")));
    EXPECT(!str_eq(STR("abc"), STR("ab")));
    EXPECT(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    EXPECT(!str_eq_nocase(STR("a@z"), STR("A`Z")), "only letters fold");
    EXPECT(!str_eq_nocase(STR("a["), STR("a{")));
    EXPECT(!str_eq_nocase(STR("ab"), STR("abc")));
    EXPECT(!str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")), "only ASCII folds");
    EXPECT(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("a")) > 0);
    EXPECT(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("ab"), STR("a")) > 0);
    EXPECT(str_cmp(STR("\x7f"), STR("\x80")) < 0, "bytes are unsigned");
    EXPECT(str_cmp(STR_NONE, STR("")) == 0 && str_cmp(STR("x"), STR("x")) == 0);
    EXPECT(str_equal_secret(STR("same"), STR("same")));
    EXPECT(!str_equal_secret(STR("same"), STR("samf")) &&
           !str_equal_secret(STR("same"), STR("sam")));
    EXPECT(str_equal_secret(STR_NONE, STR("")));
}

static bool same_letter(uint8_t a, uint8_t b)
{
    return a == b || ((a | 0x20) == (b | 0x20) && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

TEST(every_pair_of_bytes_without_case)
{
    char a[20], b[20];

    for (size_t len = 1; len <= sizeof a; len++) {
        for (size_t at = 0; at < len; at += len < 5 ? 1 : 3) {
            memset(a, 'k', sizeof a);
            memset(b, 'K', sizeof b);
            for (int pair = 0; pair < 65536; pair++) {
                uint8_t x = (uint8_t)(pair >> 8), y = (uint8_t)pair;

                a[at] = (char)x;
                b[at] = (char)y;
                bool same = str_eq_nocase((struct str){a, len}, (struct str){b, len});
                if (same != same_letter(x, y))
                    EXPECT(false, "%02x and %02x at %zu of %zu", x, y, at, len);
            }
        }
    }
}

TEST(starts_ends_and_finds)
{
    struct str s = STR("data: [DONE]");

    EXPECT(str_starts(s, STR("data: ")) && str_starts(s, STR("")) && str_starts(s, s));
    EXPECT(!str_starts(s, STR("data: [DONE]x")) && !str_starts(STR_NONE, STR("a")));
    EXPECT(str_ends(s, STR("[DONE]")) && str_ends(s, STR("")));
    EXPECT(!str_ends(s, STR("[DONE")) && !str_ends(STR("E]"), s));
    EXPECT(str_find(s, STR("[")) == 6 && str_find(s, STR("DONE")) == 7);
    EXPECT(str_find(s, STR("nope")) == s.len && str_find(STR_NONE, STR("a")) == 0);
    EXPECT(str_find(s, STR("")) == 0 && str_find(STR("ab"), STR("abc")) == 2);
    EXPECT(str_find_char(s, ':') == 4 && str_find_char(s, '!') == s.len);
    EXPECT(str_find_char(STR_NONE, 'a') == 0);
}

TEST(slices_are_clamped)
{
    EXPECT(str_eq(str_slice(STR("hello"), 1, 3), STR("el")));
    EXPECT(str_eq(str_slice(STR("hello"), 1, SIZE_MAX), STR("ello")));
    EXPECT(str_slice(STR("hello"), 4, 2).len == 0);
    EXPECT(str_slice(STR("hello"), 9, 12).len == 0);
    EXPECT(str_slice(STR_NONE, 0, 5).ptr == NULL);
}

static const struct {
    const char *name, *text, *want;
} trim_cases[] = {
    {"both ends", " \t a b \r\n", "a b"},
    {"nothing to do", "ab", "ab"},
    {"only blanks", " \t\r\n ", ""},
    {"empty", "", ""},
    {"other control bytes stay", "\v a\f", "\v a\f"},
};

TEST(trim)
{
    for (size_t i = 0; i < ARRAY_LEN(trim_cases); i++)
        EXPECT(str_eq(str_trim(str_from(trim_cases[i].text)), str_from(trim_cases[i].want)), "%s",
               trim_cases[i].name);
    EXPECT(str_trim(STR_NONE).len == 0);
}

static const struct {
    const char *name, *text, *parts; /* parts in brackets */
} split_cases[] = {
    {"three", "a,b,c", "[a][b][c]"},
    {"one", "abc", "[abc]"},
    {"empty ones count", ",a,,", "[][a][][]"},
    {"the empty text is one part", "", "[]"},
};

TEST(split)
{
    for (size_t i = 0; i < ARRAY_LEN(split_cases); i++) {
        char got[32] = "";
        size_t at = 0;

        for (struct str rest = str_from(split_cases[i].text), part; str_split(&rest, ',', &part);) {
            at += (size_t)snprintf(got + at, sizeof got - at, "[" STR_FMT "]", STR_ARG(part));
        }
        EXPECT(strcmp(got, split_cases[i].parts) == 0, "%s: %s", split_cases[i].name, got);
    }
    struct str none = STR_NONE, part;
    EXPECT(!str_split(&none, ',', &part));
}

static const struct {
    const char *text;
    bool u_ok, i_ok;
    uint64_t u;
    int64_t i;
} integer_cases[] = {
    {"0", true, true, 0, 0},
    {"007", true, true, 7, 7},
    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
    {"9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0},
    {"18446744073709551615", true, false, UINT64_MAX, 0},
    {"18446744073709551616", false, false, 0, 0},
    {"99999999999999999999999", false, false, 0, 0},
    {"-1", false, true, 0, -1},
    {"-0", false, true, 0, 0},
    {"-9223372036854775808", false, true, 0, INT64_MIN},
    {"-9223372036854775809", false, false, 0, 0},
    {"", false, false, 0, 0},
    {"-", false, false, 0, 0},
    {"--1", false, false, 0, 0},
    {"+1", false, false, 0, 0},
    {" 1", false, false, 0, 0},
    {"1 ", false, false, 0, 0},
    {"0x10", false, false, 0, 0},
    {"1e3", false, false, 0, 0},
    {"1_000", false, false, 0, 0},
};

TEST(integers_parse_whole_or_not_at_all)
{
    for (size_t n = 0; n < ARRAY_LEN(integer_cases); n++) {
        struct str s = str_from(integer_cases[n].text);
        uint64_t u = 77;
        int64_t i = 77;

        EXPECT(u64_parse(s, &u) == integer_cases[n].u_ok, "u64 \"%s\"", s.ptr);
        EXPECT(u == (integer_cases[n].u_ok ? integer_cases[n].u : 77), "u64 \"%s\"", s.ptr);
        EXPECT(i64_parse(s, &i) == integer_cases[n].i_ok, "i64 \"%s\"", s.ptr);
        EXPECT(i == (integer_cases[n].i_ok ? integer_cases[n].i : 77), "i64 \"%s\"", s.ptr);
    }
    uint64_t u;
    EXPECT(!u64_parse(STR("1\0"), &u), "a NUL is no digit");
    EXPECT(!u64_parse(STR_NONE, &u));
}

static const struct {
    const char *text;
    bool ok;
    double want;
} f64_cases[] = {
    {"0", true, 0},           {"-0", true, 0},     {"1.5", true, 1.5},
    {"-2.25e3", true, -2250}, {"1E+2", true, 100}, {"5e-1", true, .5},
    {"1e308", true, 1e308},   {"1e-400", true, 0}, /* too small to tell from nothing */
    {"0.1", true, .1},        {"1e309", false, 0}, {"", false, 0},
    {"-", false, 0},          {".5", false, 0},    {"5.", false, 0},
    {"1e", false, 0},         {"1e+", false, 0},   {"+1", false, 0},
    {"1,5", false, 0},        {" 1", false, 0},    {"1 ", false, 0},
    {"0x1p3", false, 0},      {"inf", false, 0},   {"-infinity", false, 0},
    {"nan", false, 0},        {"1.5.1", false, 0},
};

TEST(floating_point_parses_decimals_only)
{
    static char digits[600];

    for (size_t i = 0; i < ARRAY_LEN(f64_cases); i++) {
        double got = 77;

        EXPECT(f64_parse(str_from(f64_cases[i].text), &got) == f64_cases[i].ok, "\"%s\"",
               f64_cases[i].text);
        EXPECT(got == (f64_cases[i].ok ? f64_cases[i].want : 77), "\"%s\": %g", f64_cases[i].text,
               got);
    }
    double got;
    memset(digits, '0', sizeof digits);
    digits[1] = '.';
    EXPECT(f64_parse((struct str){digits, 512}, &got) && got == 0);
    EXPECT(!f64_parse((struct str){digits, 513}, &got), "longer than anyone means it");
}

TEST(hex)
{
    uint8_t got[4] = {9, 9, 9, 9};

    EXPECT(hex_parse(STR("00fFA1b2"), got, 4));
    EXPECT(memcmp(got, "\x00\xff\xa1\xb2", 4) == 0);
    EXPECT(hex_parse(STR(""), got, 0));
    EXPECT(!hex_parse(STR("00ff"), got, 4), "too short");
    EXPECT(!hex_parse(STR("00ffa1b2c3"), got, 4), "too long");
    EXPECT(!hex_parse(STR("00ffa1b"), got, 3), "odd");
    EXPECT(!hex_parse(STR("11ffa1bg"), got, 4) && !hex_parse(STR("11 fa1b2"), got, 4));
    EXPECT(got[0] == 0, "a refused text leaves the output alone");
}

TEST(sizes_do_not_wrap)
{
    size_t n = 7;

    EXPECT(size_mul(0, SIZE_MAX, &n) && n == 0);
    EXPECT(size_mul(SIZE_MAX / 2, 2, &n) && n == SIZE_MAX - 1);
    EXPECT(!size_mul(SIZE_MAX / 2, 3, &n) && n == SIZE_MAX - 1);
    EXPECT(size_add(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
    EXPECT(!size_add(SIZE_MAX, 1, &n) && n == SIZE_MAX);
}

#define DAY (86400 * SECOND)

static const struct {
    const char *text;
    dur_ns want; /* -1: refused */
} duration_cases[] = {
    {"10s", 10 * SECOND},
    {"250ms", 250 * MILLISECOND},
    {"500us", 500 * MICROSECOND},
    {"5m", 300 * SECOND},
    {"24h", DAY},
    {"400d", 400 * DAY},
    {"0s", 0},
    {"106751d", 106751 * DAY},
    {"106752d", -1}, /* past 63 bits of nanoseconds */
    {"9223372036854775808us", -1},
    {"10", -1},
    {"s", -1},
    {"", -1},
    {"-1s", -1},
    {"1.5s", -1},
    {"10 s", -1},
    {"10S", -1},
    {"1h30m", -1},
    {"10sec", -1},
};

TEST(durations)
{
    for (size_t i = 0; i < ARRAY_LEN(duration_cases); i++) {
        dur_ns got = -1;
        bool ok = duration_parse(str_from(duration_cases[i].text), &got);

        EXPECT(ok == (duration_cases[i].want >= 0) && got == duration_cases[i].want, "%s: %" PRId64,
               duration_cases[i].text, got);
    }
}

static const struct {
    const char *text;
    bool ok;
    size_t want;
} bytes_cases[] = {
    {"0", true, 0},
    {"1234", true, 1234},
    {"64KiB", true, 64 * KIB},
    {"16MiB", true, 16 * MIB},
    {"1GiB", true, GIB},
    {"2TiB", true, 2048 * GIB},
    {"8388608TiB", false, 0},
    {"64KB", false, 0},
    {"64 KiB", false, 0},
    {"64kib", false, 0},
    {"-1", false, 0},
    {"", false, 0},
    {"KiB", false, 0},
};

TEST(byte_sizes)
{
    for (size_t i = 0; i < ARRAY_LEN(bytes_cases); i++) {
        size_t got = 0;
        bool ok = bytes_parse(str_from(bytes_cases[i].text), &got);

        EXPECT(ok == bytes_cases[i].ok && got == bytes_cases[i].want, "%s: %zu",
               bytes_cases[i].text, got);
    }
}

static const struct {
    const char *text;
    usd_micro want; /* -1: refused */
} usd_cases[] = {
    {"12", 12000000},
    {"0.15", 150000},
    {"0.000001", 1},
    {"1.100000", 1100000},
    {"9223372036854.775807", INT64_MAX},
    {"9223372036854.775808", -1},
    {"99999999999999999999", -1},
    {"0.0000001", -1}, /* less than a micro-dollar would be lost silently */
    {"1.", -1},
    {".5", -1},
    {"", -1},
    {"-1", -1},
    {"1.-5", -1},
    {"$1", -1},
    {"1,50", -1},
    {"1.5.0", -1},
};

TEST(dollars)
{
    for (size_t i = 0; i < ARRAY_LEN(usd_cases); i++) {
        usd_micro got = -1;
        bool ok = usd_parse(str_from(usd_cases[i].text), &got);

        EXPECT(ok == (usd_cases[i].want >= 0) && got == usd_cases[i].want, "%s: %" PRId64,
               usd_cases[i].text, got);
    }
}
