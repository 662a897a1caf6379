/* Retry-After (RFC 9110, 10.2.3): seconds, or a date in the one form that may be written today. */
#include "net/http.h"

#define SECONDS_MAX 31536000 /* a year: what is longer is a mistake */

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool number(struct str s, size_t from, size_t digits, uint64_t max, int64_t *out)
{
    uint64_t n;

    if (!u64_parse(str_slice(s, from, from + digits), &n) || n > max)
        return false;
    *out = (int64_t)n;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool date_parse(struct str s, wall_ms *out)
{
    int64_t day, year, hour, minute, second, month = 0;
    struct str name = str_slice(s, 8, 11);

    if (s.len != 29 || !str_ends(s, STR(" GMT")) || s.ptr[3] != ',' || s.ptr[7] != ' ')
        return false;
    for (int64_t m = 1; m <= 12; m++)
        if (str_eq(name, (struct str){months + (m - 1) * 3, 3}))
            month = m;
    if (!month || !number(s, 5, 2, 31, &day) || !number(s, 12, 4, 9999, &year) ||
        !number(s, 17, 2, 23, &hour) || !number(s, 20, 2, 59, &minute) ||
        !number(s, 23, 2, 60, &second))
        return false;
    *out = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return true;
}

dur_ns retry_after_read(struct str value, wall_ms now)
{
    struct str s = str_trim(value);
    uint64_t seconds;
    wall_ms when;

    if (u64_parse(s, &seconds))
        return seconds <= SECONDS_MAX ? (dur_ns)seconds * SECOND : 0;
    if (!date_parse(s, &when) || when <= now || when - now > (wall_ms)SECONDS_MAX * 1000)
        return 0;
    return (when - now) * MILLISECOND;
}
