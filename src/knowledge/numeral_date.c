/* Dates: "31 March 2026", "March 31st", "2026-03-31", "31.12.2026", "2026年3月31日". */
#include "knowledge/numeral_internal.h"

static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};

static uint8_t month_of(struct str word)
{
    for (size_t i = 0; i < ARRAY_LEN(months); i++) {
        struct str whole = str_from(months[i]);

        if (str_eq_nocase(word, whole) ||
            (word.len == 3 && i != 4 && str_eq_nocase(word, str_slice(whole, 0, 3))))
            return (uint8_t)(i + 1);
    }
    return 0;
}

size_t digits_at(struct str s, size_t at, size_t most, uint32_t *value)
{
    size_t end = at;

    *value = 0;
    while (end < s.len && end - at < most && is_digit(s.ptr[end]))
        *value = *value * 10 + (uint32_t)(s.ptr[end++] - '0');
    return end < s.len && is_digit(s.ptr[end]) ? at : end;
}

static bool is_day(uint32_t n)
{
    return n >= 1 && n <= 31;
}

/* ", 2026", " 2026" behind a day or a month. */
static size_t year_behind(struct str s, size_t at, uint16_t *year)
{
    size_t from = at;
    uint32_t n;

    if (from < s.len && s.ptr[from] == ',')
        from++;
    from = skip_spaces(s, from);
    size_t end = digits_at(s, from, 4, &n);
    if (end != from + 4 || from == at || n < 1000 || n > 2999)
        return at;
    *year = (uint16_t)n;
    return end;
}

size_t ordinal_behind(struct str s, size_t at)
{
    static const char *const endings[] = {"st", "nd", "rd", "th"};

    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (starts_at(s, at, endings[i]) && (at + 2 >= s.len || !is_latin(s.ptr[at + 2])))
            return at + 2;
    return at;
}

/* "31 March 2026", "31st of March": the number has been read; where the date ends, or 0. */
size_t day_and_month(struct str s, size_t at, uint32_t day, struct numeral *n)
{
    at = skip_spaces(s, at);
    if (str_eq_nocase(word_at(s, at), STR("of")))
        at = skip_spaces(s, at + 2);
    struct str word = word_at(s, at);
    uint8_t month = month_of(word);

    if (!month || !is_day(day))
        return 0;
    n->kind = NUMERAL_DATE;
    n->day = (uint8_t)day;
    n->month = month;
    at += word.len;
    if (at < s.len && s.ptr[at] == '.' && word.len == 3)
        at++;
    return year_behind(s, at, &n->year);
}

/* "March 31, 2026", "March 2026"; 0: no date. "May" and "March" alone are none. */
size_t month_first(struct str s, struct str word, size_t at, struct numeral *n)
{
    uint8_t month = month_of(word);
    uint32_t day;

    if (!month)
        return 0;
    if (at < s.len && s.ptr[at] == '.' && word.len == 3)
        at++;
    size_t from = skip_spaces(s, at), end = digits_at(s, from, 2, &day);
    n->kind = NUMERAL_DATE;
    n->month = month;
    if (end > from && from > at && is_day(day)) {
        n->day = (uint8_t)day;
        return year_behind(s, ordinal_behind(s, end), &n->year);
    }
    end = year_behind(s, at, &n->year);
    return n->year ? end : 0;
}

/* At most two digits, or as many as a day needs in characters. */
static size_t small_at(struct str s, size_t at, uint32_t *value)
{
    size_t end = digits_at(s, at, 2, value), count;
    double wide;

    if (end > at)
        return end;
    end = wide_value(s, at, &wide, &count);
    *value = end > at && wide >= 1 && wide <= 31 ? (uint32_t)wide : 0;
    return *value ? end : at;
}

/* "2026年3月31日", "3月31日", "2026年"; the digits have been read as `first`. */
size_t wide_date(struct str s, size_t at, uint32_t first, struct numeral *n)
{
    uint32_t value = first;
    size_t end, done = 0;

    if (starts_at(s, at, "年") && first >= 1000 && first <= 2999) {
        n->year = (uint16_t)first;
        done = at + STR("年").len;
        end = small_at(s, done, &value);
        if (end == done)
            value = 0;
        at = end;
    }
    if (value >= 1 && value <= 12 && starts_at(s, at, "月")) {
        size_t day_at = at + STR("月").len;

        n->month = (uint8_t)value;
        done = day_at;
        end = small_at(s, day_at, &value);
        if (end > day_at && is_day(value) && (starts_at(s, end, "日") || starts_at(s, end, "号"))) {
            n->day = (uint8_t)value;
            done = end + STR("日").len;
        }
    }
    n->kind = NUMERAL_DATE;
    return done;
}

/* "2026-03-31", "31.3.2026", "31/12/2026" as a date; false: it is none that could not be read two ways. */
bool digits_date(struct str s, struct numeral *n)
{
    uint32_t part[3];
    size_t at = 0, count = 0;
    char sep = 0;

    while (count < 3) {
        size_t end = digits_at(s, at, 4, &part[count++]);

        if (end == at)
            return false;
        at = end;
        if (at == s.len)
            break;
        if (sep && s.ptr[at] != sep)
            return false;
        sep = s.ptr[at++];
    }
    if (count != 3 || at != s.len)
        return false;
    n->kind = NUMERAL_DATE;
    bool year_first = part[0] >= 1000, day_first = sep == '.' || part[0] > 12;
    if (!year_first && part[2] < 1000)
        return false;
    if (!year_first && sep == '/' && part[0] <= 12 && part[1] <= 12)
        return false;
    uint32_t month = year_first ? part[1] : (day_first ? part[1] : part[0]);
    uint32_t day = year_first ? part[2] : (day_first ? part[0] : part[1]);
    n->year = (uint16_t)(year_first ? part[0] : part[2]);
    n->month = (uint8_t)month;
    n->day = (uint8_t)day;
    return month >= 1 && month <= 12 && is_day(day) && n->year <= 2999;
}
