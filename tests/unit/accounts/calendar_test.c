#include "accounts/calendar.h"

#include "base/log.h"
#include "test.h"

static const struct {
    const char *name, *time;
    int64_t day, month;
} times[] = {
    {"the first millisecond", "1970-01-01T00:00:00.000Z", 0, 0},
    {"end of the first day", "1970-01-01T23:59:59.999Z", 0, 0},
    {"second day", "1970-01-02T00:00:00.000Z", 1, 0},
    {"end of January", "1970-01-31T23:59:59.999Z", 30, 0},
    {"February", "1970-02-01T00:00:00.000Z", 31, 1},
    {"end of a year", "1970-12-31T12:00:00.000Z", 364, 11},
    {"leap day of 2000", "2000-02-29T00:00:00.000Z", 11016, 361},
    {"after it", "2000-03-01T00:00:00.000Z", 11017, 362},
    {"leap day of 2024", "2024-02-29T23:59:59.999Z", 19782, 649},
    {"no leap year", "2100-03-01T00:00:00.000Z", 47541, 1562},
    {"now", "2026-11-21T12:00:00.123Z", 20778, 682},
};

TEST(calendar_days_and_months)
{
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        wall_ms t = -1;

        REQUIRE(wall_parse(str_from(times[i].time), &t), "%s", times[i].name);
        EXPECT(calendar_day(t) == times[i].day, "%s: %" PRId64, times[i].name, calendar_day(t));
        EXPECT(calendar_month(t) == times[i].month, "%s: %" PRId64, times[i].name,
               calendar_month(t));
    }
}

TEST(calendar_periods_begin_where_the_last_ended)
{
    for (int64_t day = 0; day < 60000; day++) {
        wall_ms start = calendar_day_start(day);

        EXPECT(calendar_day(start) == day);
        EXPECT(day == 0 || calendar_day(start - 1) == day - 1);
    }
    for (int64_t month = 0; month < 2400; month++) {
        wall_ms start = calendar_month_start(month);

        EXPECT(calendar_month(start) == month, "%" PRId64, month);
        EXPECT(month == 0 || calendar_month(start - 1) == month - 1, "%" PRId64, month);
    }
}

TEST(calendar_reads_what_the_log_writes)
{
    for (wall_ms t = 0; t < (wall_ms)200 * 366 * DAY_MS; t += 86399 * 1000 * 13 + 7) {
        char text[25];
        wall_ms back = -1;

        wall_format(t, text);
        EXPECT(wall_parse(str_from(text), &back) && back == t, "%s", text);
    }
}

static const char *const not_times[] = {
    "",
    "2026-11-21",
    "2026-11-21T12:00:00Z",
    "2026-11-21 12:00:00.000Z",
    "2026-11-21T12:00:00.000+",
    "2026-13-21T12:00:00.000Z",
    "2026-00-21T12:00:00.000Z",
    "2026-11-00T12:00:00.000Z",
    "2026-11-32T12:00:00.000Z",
    "2026-11-21T24:00:00.000Z",
    "2026-11-21T12:60:00.000Z",
    "2026-11-21T12:00:60.000Z",
    "-026-11-21T12:00:00.000Z",
    "1969-11-21T12:00:00.000Z",
};

TEST(calendar_refuses_what_is_no_time)
{
    for (size_t i = 0; i < ARRAY_LEN(not_times); i++) {
        wall_ms t;

        EXPECT(!wall_parse(str_from(not_times[i]), &t), "%s", not_times[i]);
    }
}
