/* accounts/calendar.h: days and months of UTC, as running numbers, because budgets are a day's and a
 * month's. The proleptic Gregorian calendar from 1970 on; earlier times count as the first day. */
#ifndef WEIR_ACCOUNTS_CALENDAR_H
#define WEIR_ACCOUNTS_CALENDAR_H

#include "base/str.h"

#define DAY_MS ((wall_ms)24 * 60 * 60 * 1000)

int64_t calendar_day(wall_ms t);         /* days since 1970-01-01 */
int64_t calendar_month(wall_ms t);       /* months since January 1970 */
wall_ms calendar_day_start(int64_t day); /* its first millisecond */
wall_ms calendar_month_start(int64_t month);
/* "2026-11-21T12:00:00.123Z", as wall_format() writes it; nothing else. */
bool wall_parse(struct str text, wall_ms *out) MUST_CHECK;

#endif
