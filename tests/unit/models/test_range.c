#include "models/range.h"
#include "test.h"

static const struct {
    const char *text;
    int from, to; /* from -1: refused */
} hour_cases[] = {
    {"", 0, 0},          {"16:30-00:30", 990, 30},
    {"8-18", 480, 1080}, {"08:00 - 9:05", 480, 545},
    {"0-24", 0, 0},      {"22-24", 1320, 0},
    {"24-2", -1, 0},     {"8-8", -1, 0},
    {"8", -1, 0},        {"8-", -1, 0},
    {"-8", -1, 0},       {"25-3", -1, 0},
    {"8:60-9", -1, 0},   {"8:5-9", -1, 0},
    {"24:01-3", -1, 0},  {"8-9-10", -1, 0},
    {"eight-9", -1, 0},
};

TEST(hours_are_read)
{
    for (size_t i = 0; i < ARRAY_LEN(hour_cases); i++) {
        struct hours got = {7, 7};
        struct err err = {0};
        bool ok = hours_parse(str_from(hour_cases[i].text), &got, &err);

        EXPECT(ok == (hour_cases[i].from >= 0), "\"%s\"", hour_cases[i].text);
        EXPECT(ok || err.code == ERR_INVALID);
        if (ok)
            EXPECT(got.from == hour_cases[i].from && got.to == hour_cases[i].to, "\"%s\": %d %d",
                   hour_cases[i].text, got.from, got.to);
    }
}

TEST(hours_hold_over_midnight)
{
    struct hours night = {22 * 60, 6 * 60}, day = {6 * 60, 22 * 60}, all = {0, 0};

    for (int minute = 0; minute < MINUTES_OF_DAY; minute++) {
        EXPECT(hours_hold(night, minute) != hours_hold(day, minute), "minute %d", minute);
        EXPECT(hours_hold(all, minute));
    }
    EXPECT(hours_hold(night, 22 * 60) && hours_hold(night, 0) && !hours_hold(night, 6 * 60));
    EXPECT(hours_minute((wall_ms)86400000 * 20000 + 3 * 60000) == 3);
}

static const struct {
    const char *text;
    int64_t from, to; /* from -1: refused */
} token_cases[] = {
    {"", 0, 0},
    {"200000-", 200000, 0},
    {"0-128000", 0, 128000},
    {" 1 - 2 ", 1, 2},
    {"5", -1, 0},
    {"-5", -1, 0},
    {"5-5", -1, 0},
    {"6-5", -1, 0},
    {"a-b", -1, 0},
    {"1-2-3", -1, 0},
    {"99999999999999999999-", -1, 0},
};

TEST(token_ranges_are_read)
{
    for (size_t i = 0; i < ARRAY_LEN(token_cases); i++) {
        struct token_range got = {7, 7};
        struct err err = {0};
        bool ok = token_range_parse(str_from(token_cases[i].text), &got, &err);

        EXPECT(ok == (token_cases[i].from >= 0), "\"%s\"", token_cases[i].text);
        if (ok)
            EXPECT(got.from == token_cases[i].from && got.to == token_cases[i].to, "\"%s\"",
                   token_cases[i].text);
    }
    struct token_range r = {10, 20};
    EXPECT(!token_range_holds(r, 9) && token_range_holds(r, 10) && token_range_holds(r, 19) &&
           !token_range_holds(r, 20));
}
