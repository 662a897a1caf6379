#include "base/buf.h"
#include "base/pages.h"
#include "test.h"

#include <string.h>

TEST(writing)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str got;
    struct buf b;

    buf_init(&b, arena, 10000);
    buf_put(&b, "ab", 2);
    buf_put(&b, NULL, 0);
    buf_str(&b, STR("-cd-"));
    buf_str(&b, STR_NONE);
    buf_char(&b, '!');
    buf_fmt(&b, "%s=%d", "x", -7);
    buf_hex(&b, "\x00\xff\x1a", 3);
    REQUIRE(buf_finish(&b, &got, &err));
    EXPECT(str_eq(got, STR("ab-cd-!x=-700ff1a")), STR_FMT, STR_ARG(got));
    EXPECT(str_eq(buf_view(&b), got) && buf_ok(&b));
}

static const struct {
    uint64_t n;
    const char *want;
} u64_cases[] = {
    {0, "0"},
    {9, "9"},
    {10, "10"},
    {99, "99"},
    {100, "100"},
    {101, "101"},
    {9999, "9999"},
    {10000, "10000"},
    {1234567890, "1234567890"},
    {UINT64_MAX, "18446744073709551615"},
};

static const struct {
    int64_t n;
    const char *want;
} i64_cases[] = {
    {0, "0"},
    {-1, "-1"},
    {42, "42"},
    {INT64_MAX, "9223372036854775807"},
    {INT64_MIN, "-9223372036854775808"},
};

static const struct {
    usd_micro n;
    const char *want;
} usd_cases[] = {
    {0, "0.000000"},
    {1, "0.000001"},
    {-1, "-0.000001"},
    {1500000, "1.500000"},
    {123456789012, "123456.789012"},
    {INT64_MIN, "-9223372036854.775808"},
};

TEST(money_and_ids)
{
    char memory[32];
    struct buf b;

    for (size_t i = 0; i < ARRAY_LEN(usd_cases); i++) {
        buf_init_fixed(&b, memory, sizeof memory);
        buf_usd(&b, usd_cases[i].n);
        EXPECT(str_eq(buf_view(&b), str_from(usd_cases[i].want)), "%s", usd_cases[i].want);
    }
    buf_init_fixed(&b, memory, sizeof memory);
    buf_hex_u64(&b, 0x0123456789abcdef);
    EXPECT(str_eq(buf_view(&b), STR("0123456789abcdef")));
    buf_init_fixed(&b, memory, sizeof memory);
    buf_hex(&b, "\x00\x9a\xa9\xff\x0f\xf0\x99", 7);
    EXPECT(str_eq(buf_view(&b), STR("009aa9ff0ff099")));
}

TEST(numbers)
{
    char memory[32];
    struct buf b;

    for (size_t i = 0; i < ARRAY_LEN(u64_cases); i++) {
        buf_init_fixed(&b, memory, sizeof memory);
        buf_u64(&b, u64_cases[i].n);
        EXPECT(str_eq(buf_view(&b), str_from(u64_cases[i].want)));
    }
    for (size_t i = 0; i < ARRAY_LEN(i64_cases); i++) {
        buf_init_fixed(&b, memory, sizeof memory);
        buf_i64(&b, i64_cases[i].n);
        EXPECT(str_eq(buf_view(&b), str_from(i64_cases[i].want)));
    }
}

TEST(growing_keeps_what_was_written)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct err err = {0};
    struct str got;
    struct buf b;

    buf_init(&b, arena, MIB);
    for (uint32_t i = 0; i < 100000; i++) {
        buf_put(&b, &i, sizeof i);
        if (i % 1000 == 0)
            EXPECT(arena_alloc(arena, 1) != NULL, "something in the way of growing in place");
    }
    REQUIRE(buf_finish(&b, &got, &err));
    for (uint32_t i = 0; i < 100000; i++)
        EXPECT(memcmp(got.ptr + i * sizeof i, &i, sizeof i) == 0);
}

TEST(a_buffer_of_256_kib_takes_a_block_of_256_kib)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    size_t before = pages_in_use();
    struct buf b;

    buf_init(&b, arena, MIB);
    for (int i = 0; i < 260000; i++)
        buf_char(&b, 'x');
    EXPECT(buf_ok(&b));
    EXPECT(pages_in_use() - before == 256 * KIB, "%zu", pages_in_use() - before);
}

TEST(the_maximum_is_exact_and_the_error_stays)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str got = STR("untouched");
    struct buf b;

    buf_init(&b, arena, 1000);
    for (int i = 0; i < 1000; i++)
        buf_char(&b, 'x');
    EXPECT(buf_ok(&b) && b.len == 1000);
    buf_put(&b, "", 0);
    EXPECT(buf_ok(&b));
    buf_char(&b, 'y');
    EXPECT(!buf_ok(&b) && b.len == 1000);
    EXPECT(!buf_finish(&b, &got, &err));
    EXPECT(err.code == ERR_TOO_LARGE && strstr(err.text, "1000"), "%s", err.text);
    EXPECT(str_eq(got, STR("untouched")));
    b.len = 0;
    buf_char(&b, 'y');
    buf_fmt(&b, "%d", 1);
    buf_u64(&b, 1);
    EXPECT(b.len == 0, "nothing is written after an error");
    EXPECT(buf_room(&b, 1) == NULL);
}

TEST(nothing_is_written_by_half)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct buf b;

    buf_init(&b, arena, 10);
    buf_str(&b, STR("12345678"));
    buf_str(&b, STR("abc"));
    EXPECT(!buf_ok(&b) && b.len == 8);
}

TEST(formatting_up_to_the_maximum)
{
    for (size_t max = 0; max < 600; max += 37) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct buf b, over;

        buf_init(&b, arena, max);
        buf_fmt(&b, "%*s", (int)max, "");
        EXPECT(buf_ok(&b) && b.len == max, "%zu", max);
        buf_init(&over, arena, max);
        buf_fmt(&over, "%*s", (int)max + 1, "");
        EXPECT(!buf_ok(&over) && over.len == 0, "%zu", max);
    }
}

TEST(a_full_arena_is_told_from_the_maximum)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2000);
    struct err err = {0};
    struct str got;
    struct buf b;

    buf_init(&b, arena, MIB);
    for (int i = 0; i < 3000; i++)
        buf_char(&b, 'x');
    EXPECT(!buf_finish(&b, &got, &err));
    EXPECT(err.code == ERR_EXHAUSTED, "%s", err.text);
}

TEST(fixed_memory_is_filled_to_the_last_byte)
{
    char memory[8];
    struct buf b;

    buf_init_fixed(&b, memory, sizeof memory);
    buf_str(&b, STR("1234"));
    buf_hex(&b, "\xab\xcd", 2);
    EXPECT(buf_ok(&b) && memcmp(memory, "1234abcd", 8) == 0);
    buf_char(&b, 'x');
    EXPECT(!buf_ok(&b) && b.too_large);
    buf_init_fixed(&b, memory, sizeof memory);
    buf_fmt(&b, "%s", "1234567");
    EXPECT(buf_ok(&b) && b.len == 7);
    buf_init_fixed(&b, memory, sizeof memory);
    buf_fmt(&b, "%s", "12345678");
    EXPECT(!buf_ok(&b), "formatting needs a byte for the NUL");
    buf_init_fixed(&b, NULL, 0);
    buf_fmt(&b, "x");
    EXPECT(!buf_ok(&b));
}

TEST(room_is_written_directly)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct buf b;

    buf_init(&b, arena, 5000);
    char *room = buf_room(&b, 4000);
    REQUIRE(room);
    memset(room, 'z', 4000);
    buf_added(&b, 3000);
    EXPECT(b.len == 3000 && buf_view(&b).ptr[2999] == 'z');
    EXPECT(buf_room(&b, 2000) != NULL);
    EXPECT(buf_room(&b, 2001) == NULL && b.too_large);
    EXPECT(buf_room(&b, SIZE_MAX) == NULL);
}

TEST(a_size_known_beforehand_is_taken_exactly)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(110000);
    struct buf b;

    buf_init(&b, arena, SIZE_MAX);
    EXPECT(buf_room(&b, 100000) != NULL && b.cap == 100000);
    buf_init(&b, arena, SIZE_MAX);
    EXPECT(buf_room(&b, SIZE_MAX) == NULL && b.no_memory);
}
