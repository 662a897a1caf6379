/* Source: Howard Hinnant, "chrono-compatible low-level date algorithms": years are counted from March,
 * so that the leap day is the last of the year. */
#include "accounts/calendar.h"

#define DAYS_PER_ERA    146097 /* 400 years */
#define DAYS_TO_1970    719468 /* from 0000-03-01 */
#define MONTHS_PER_YEAR 12

/* month 0 is January */
static int64_t day_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t from_march = (month + 10) % MONTHS_PER_YEAR;
    int64_t era = y / 400, year_of_era = y % 400;
    int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

int64_t calendar_day(wall_ms t)
{
    return t < 0 ? 0 : t / DAY_MS;
}

static int64_t month_of_day(int64_t day)
{
    int64_t days = day + DAYS_TO_1970;
    int64_t era = days / DAYS_PER_ERA, day_of_era = days % DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    int64_t month = (from_march + 2) % MONTHS_PER_YEAR;
    int64_t year = era * 400 + year_of_era + (month < 2 ? 1 : 0);

    return (year - 1970) * MONTHS_PER_YEAR + month;
}

/* Each request asks several times, nearly always about today. */
int64_t calendar_month(wall_ms t)
{
    static _Thread_local int64_t last_day = -1, last_month;
    int64_t day = calendar_day(t);

    if (day != last_day) {
        last_month = month_of_day(day);
        last_day = day;
    }
    return last_month;
}

wall_ms calendar_day_start(int64_t day)
{
    return day * DAY_MS;
}

wall_ms calendar_month_start(int64_t month)
{
    return day_from_civil(1970 + month / MONTHS_PER_YEAR, month % MONTHS_PER_YEAR, 1) * DAY_MS;
}

static bool digits(struct str text, size_t from, size_t to, int64_t *out)
{
    uint64_t n;

    if (!u64_parse(str_slice(text, from, to), &n))
        return false;
    *out = (int64_t)n;
    return true;
}

bool wall_parse(struct str text, wall_ms *out)
{
    static const char marks[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    int64_t year, month, day, hour, minute, second, ms;

    if (text.len != sizeof marks - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (marks[i] != 'd' && text.ptr[i] != marks[i])
            return false;
    if (!digits(text, 0, 4, &year) || !digits(text, 5, 7, &month) || !digits(text, 8, 10, &day) ||
        !digits(text, 11, 13, &hour) || !digits(text, 14, 16, &minute) ||
        !digits(text, 17, 19, &second) || !digits(text, 20, 23, &ms))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *out = day_from_civil(year, month - 1, day) * DAY_MS +
           ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}
