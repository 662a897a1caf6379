#include "knowledge/number_format.h"

#include <math.h>
#include <stdio.h>

#define DIGITS_MAX    20
#define LATEST_DAY    2958466.0 /* 10000-01-01: no date from there on */
#define DAY_SECONDS   86400
#define DAYS_TO_1904  1462
#define EPOCH_1900    25569 /* days from 1899-12-30 to 1970-01-01 */
#define FAKE_LEAP_DAY 60    /* the 29th of February 1900, which there was not */

struct str number_format_of(uint32_t id)
{
    static const struct {
        uint32_t from, to;
        const char *code;
    } known[] = {
        {1, 1, "0"},
        {2, 2, "0.00"},
        {3, 3, "#,##0"},
        {4, 4, "#,##0.00"},
        {5, 8, "#,##0.00"},
        {9, 9, "0%"},
        {10, 10, "0.00%"},
        {11, 11, "0.00E+00"},
        {14, 14, "yyyy-mm-dd"},
        {15, 15, "d-mmm-yyyy"},
        {16, 16, "d-mmm"},
        {17, 17, "mmm-yyyy"},
        {18, 18, "h:mm AM/PM"},
        {19, 19, "h:mm:ss AM/PM"},
        {20, 20, "h:mm"},
        {21, 21, "h:mm:ss"},
        {22, 22, "yyyy-mm-dd h:mm"},
        {27, 31, "yyyy\"年\"m\"月\"d\"日\""},
        {32, 33, "h\"时\"mm\"分\""},
        {34, 36, "yyyy-mm-dd"},
        {37, 38, "#,##0;(#,##0)"},
        {39, 40, "#,##0.00;(#,##0.00)"},
        {45, 45, "mm:ss"},
        {46, 46, "[h]:mm:ss"},
        {47, 47, "mm:ss.0"},
        {48, 48, "0.0E+00"},
        {50, 58, "yyyy\"年\"m\"月\"d\"日\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (id >= known[i].from && id <= known[i].to)
            return str_from(known[i].code);
    return STR("");
}

/* --- the parts of a format -------------------------------------------------------------------- */

/* Bytes of a literal at the front ("text", \x, _x, *x, [..]) and what of it is shown; 0: none. */
static size_t literal(struct str s, struct str *shown)
{
    *shown = STR_NONE;
    if (s.ptr[0] == '"') {
        size_t end = str_find_char(str_slice(s, 1, s.len), '"');
        *shown = str_slice(s, 1, 1 + end);
        return MIN_OF(end + 2, s.len);
    }
    if (s.ptr[0] == '\\') {
        size_t len = 2;
        while (len < s.len && ((uint8_t)s.ptr[len] & 0xC0) == 0x80)
            len++;
        *shown = str_slice(s, 1, len);
        return MIN_OF(len, s.len);
    }
    if (s.ptr[0] == '_' || s.ptr[0] == '*')
        return MIN_OF((size_t)2, s.len);
    if (s.ptr[0] != '[')
        return 0;
    struct str inside = str_slice(s, 1, str_find_char(s, ']'));
    char c = inside.len ? inside.ptr[0] : 0;
    if (c == 'h' || c == 'm' || c == 's' || c == 'H' || c == 'M' || c == 'S')
        return 0; /* elapsed time */
    if (c == '$') /* [$€-407] */
        *shown = str_slice(inside, 1, str_find_char(inside, '-'));
    return MIN_OF(inside.len + 2, s.len);
}

static struct str section_of(struct str code, size_t which)
{
    size_t from = 0, at = 0;
    struct str shown;

    while (at < code.len) {
        size_t skip = literal(str_slice(code, at, code.len), &shown);

        if (skip) {
            at += skip;
            continue;
        }
        if (code.ptr[at] == ';' && which-- == 0)
            return str_slice(code, from, at);
        if (code.ptr[at++] == ';')
            from = at;
    }
    return which == 0 ? str_slice(code, from, code.len) : STR_NONE;
}

/* Calls see() with each character that is no literal. */
static bool has_any(struct str code, const char *wanted)
{
    struct str shown, list = str_from(wanted);

    for (size_t at = 0; at < code.len;) {
        size_t skip = literal(str_slice(code, at, code.len), &shown);

        if (!skip && str_find_char(list, code.ptr[at]) < list.len)
            return true;
        at += skip ? skip : 1;
    }
    return false;
}

/* --- dates ------------------------------------------------------------------------------------ */

struct moment {
    int64_t year, month, day, weekday; /* weekday from Sunday, 0 */
    int64_t hour, minute, second, millisecond;
    double days; /* the number itself */
};

/* Howard Hinnant's days_to_civil: proleptic Gregorian, days since 1970-01-01. */
static void set_date(struct moment *m, int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    m->day = doy - (153 * mp + 2) / 5 + 1;
    m->month = mp < 10 ? mp + 3 : mp - 9;
    m->year = yoe + era * 400 + (m->month <= 2);
    m->weekday = ((days + 4) % 7 + 7) % 7;
}

static struct moment moment_of(double value, bool from_1904)
{
    struct moment m = {.days = value};
    double whole = floor(value);
    int64_t milliseconds = (int64_t)llround((value - whole) * DAY_SECONDS * 1000);
    int64_t days = (int64_t)whole + (from_1904 ? DAYS_TO_1904 : 0);

    days += milliseconds / (DAY_SECONDS * 1000);
    milliseconds %= DAY_SECONDS * 1000;
    set_date(&m, days - EPOCH_1900 + (days < FAKE_LEAP_DAY));
    m.hour = milliseconds / 3600000;
    m.minute = milliseconds / 60000 % 60;
    m.second = milliseconds / 1000 % 60;
    m.millisecond = milliseconds % 1000;
    return m;
}

static void put_padded(struct buf *to, int64_t n, size_t width)
{
    buf_fmt(to, "%0*" PRId64, (int)width, n);
}

static void put_name(struct buf *to, const char *name, size_t letters)
{
    struct str s = str_from(name);

    buf_str(to, letters == 3 ? str_slice(s, 0, 3) : letters == 5 ? str_slice(s, 0, 1) : s);
}

static void put_month(struct buf *to, int64_t month, size_t letters)
{
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};

    if (letters >= 3)
        put_name(to, names[month - 1], letters);
    else
        put_padded(to, month, letters);
}

static void put_day(struct buf *to, const struct moment *m, size_t letters)
{
    static const char *const names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

    if (letters >= 3)
        put_name(to, names[m->weekday], letters);
    else
        put_padded(to, m->day, letters);
}

/* m is a minute after an hour or before a second. */
static bool is_minute(struct str code, size_t end, char before)
{
    if (before == 'h')
        return true;
    while (end < code.len && (code.ptr[end] == ':' || code.ptr[end] == '.' || code.ptr[end] == ' '))
        end++;
    return end < code.len && (code.ptr[end] | 32) == 's';
}

static size_t put_elapsed(struct buf *to, const struct moment *m, struct str code, char *before)
{
    size_t end = str_find_char(code, ']');
    char unit = (char)(code.ptr[1] | 32);
    double per_day = unit == 'h' ? 24 : unit == 'm' ? 1440 : DAY_SECONDS;

    put_padded(to, (int64_t)floor(m->days * per_day + 1e-9), end - 1);
    *before = unit;
    return MIN_OF(end + 1, code.len);
}

/* A run of one letter. */
static void put_unit(struct buf *to, const struct moment *m, char unit, size_t letters, bool noon)
{
    switch (unit) {
    case 'y':
    case 'e':
        put_padded(to, letters == 2 && unit == 'y' ? m->year % 100 : m->year, letters == 2 ? 2 : 4);
        break;
    case 'd': put_day(to, m, letters); break;
    case 'h': put_padded(to, noon ? (m->hour + 11) % 12 + 1 : m->hour, letters); break;
    case 's': put_padded(to, m->second, letters); break;
    default: break;
    }
}

static void put_date(struct buf *to, const struct moment *m, struct str code)
{
    bool noon = str_find(code, STR("AM/PM")) < code.len || str_find(code, STR("A/P")) < code.len;
    char before = 0;

    for (size_t at = 0; at < code.len;) {
        struct str rest = str_slice(code, at, code.len), shown;
        size_t skip = literal(rest, &shown), letters = 1;
        char c = (char)(rest.ptr[0] | 32);

        if (skip) {
            buf_str(to, shown);
            at += skip;
            continue;
        }
        if (rest.ptr[0] == '[') {
            at += put_elapsed(to, m, rest, &before);
            continue;
        }
        if (str_starts(rest, STR("AM/PM")) || str_starts(rest, STR("A/P"))) {
            buf_str(to, m->hour < 12 ? STR("AM") : STR("PM"));
            at += rest.ptr[1] == 'M' ? 5 : 3;
            continue;
        }
        while (letters < rest.len && (rest.ptr[letters] | 32) == c)
            letters++;
        if (c == 'm' && is_minute(code, at + letters, before))
            put_padded(to, m->minute, letters);
        else if (c == 'm')
            put_month(to, m->month, letters);
        else if (c == 'y' || c == 'd' || c == 'h' || c == 's' || c == 'e')
            put_unit(to, m, c, letters, noon);
        else if (c == '0' || rest.ptr[0] == '0')
            put_padded(to, letters == 1 ? m->millisecond / 100 : m->millisecond, letters);
        else if (rest.ptr[0] != '@')
            buf_str(to, str_slice(rest, 0, letters));
        if (c >= 'a' && c <= 'z')
            before = c;
        at += letters;
    }
}

/* --- numbers ---------------------------------------------------------------------------------- */

struct shape {
    int whole, decimals; /* zeros before the point, places after it */
    int optional;        /* of the places: only if not zero */
    bool thousands, percent, exponent, fraction;
    int scale; /* commas at the end: thousands each */
};

static struct shape shape_of(struct str code)
{
    struct shape s = {0};
    bool after_point = false;
    int commas = 0;
    struct str shown;

    for (size_t at = 0; at < code.len;) {
        size_t skip = literal(str_slice(code, at, code.len), &shown);
        char c = code.ptr[at];

        at += skip ? skip : 1;
        if (skip)
            continue;
        if (c == '0' || c == '#' || c == '?') {
            s.thousands = s.thousands || commas > 0;
            commas = 0;
            s.whole += !after_point && c == '0' && !s.exponent;
            s.decimals += after_point && !s.exponent;
            s.optional += after_point && !s.exponent && c != '0';
        } else if (c == ',') {
            commas += s.whole > 0 || at > 1;
        }
        after_point = after_point || c == '.';
        s.percent = s.percent || c == '%';
        s.exponent = s.exponent || c == 'E';
        s.fraction = s.fraction || c == '/';
    }
    s.scale = commas;
    s.decimals = MIN_OF(s.decimals, DIGITS_MAX);
    return s;
}

static void put_grouped(struct buf *to, const char *digits, const struct shape *shape)
{
    struct str s = str_from(digits);
    size_t point = str_find_char(s, '.');

    for (size_t i = point; i < (size_t)MAX_OF(shape->whole, 0); i++)
        buf_char(to, '0');
    for (size_t i = 0; i < point; i++) {
        if (shape->thousands && i > 0 && (point - i) % 3 == 0)
            buf_char(to, ',');
        buf_char(to, s.ptr[i]);
    }
    struct str places = str_slice(s, point, s.len);
    for (int i = 0; i < shape->optional && str_ends(places, STR("0")); i++)
        places = str_slice(places, 0, places.len - 1);
    if (places.len > 1)
        buf_str(to, places);
}

static void put_number(struct buf *to, double value, const struct shape *shape)
{
    char digits[400];

    for (int i = 0; i < shape->scale; i++)
        value /= 1000;
    if (shape->percent)
        value *= 100;
    if (shape->exponent) {
        buf_fmt(to, "%.*E", shape->decimals, value);
        return;
    }
    /* Halves go away from zero, as in sheets: what prints as 2.675 is meant to be. */
    double nudge = fabs(value) * 1e-15;
    (void)snprintf(digits, sizeof digits, "%.*f", shape->decimals, fabs(value) + nudge);
    put_grouped(to, digits, shape);
}

static void put_shaped(struct buf *to, double value, struct str code)
{
    struct shape shape = shape_of(code);
    bool done = false;
    struct str shown;

    for (size_t at = 0; at < code.len;) {
        size_t skip = literal(str_slice(code, at, code.len), &shown);
        char c = code.ptr[at];

        at += skip ? skip : 1;
        if (skip) {
            buf_str(to, shown);
            continue;
        }
        bool of_number = c == '0' || c == '#' || c == '?' || c == '.' || c == ',';
        if (of_number && !done) {
            put_number(to, value, &shape);
            done = true;
        } else if (c == 'E' && shape.exponent && at < code.len) {
            at++; /* the sign */
        } else if (!of_number && c != '@') {
            buf_char(to, c);
        }
    }
}

/* [Red], [Color10] */
static struct str without_colour(struct str section)
{
    size_t end = str_find_char(section, ']');

    return end > 3 && end < section.len && section.ptr[0] == '[' &&
                   ((section.ptr[1] | 32) >= 'a' && (section.ptr[1] | 32) <= 'z')
               ? str_slice(section, end + 1, section.len)
               : section;
}

void number_format(struct buf *to, double value, struct str code, bool from_1904)
{
    struct str section = section_of(code, 0), negative = section_of(code, 1),
               zero = section_of(code, 2);
    bool below = value < 0, general = str_find(section, STR("General")) < section.len;

    if (section.len && has_any(section, "yYdDhHsS") && !general && value >= 0 &&
        value < LATEST_DAY) {
        struct moment m = moment_of(value, from_1904);
        put_date(to, &m, section);
        return;
    }
    if (below && negative.ptr) {
        struct str plain = without_colour(negative);

        /* What only a colour tells apart, no text would. */
        below = plain.len < negative.len && str_eq(plain, without_colour(section));
        section = negative;
    } else if (value == 0 && zero.ptr) {
        section = zero;
    }
    if (general || (section.len && !has_any(section, "0#?") && has_any(section, "@")) ||
        (!section.len && !negative.ptr) || shape_of(section).fraction) {
        buf_fmt(to, "%.15g", value);
        return;
    }
    if (below)
        buf_char(to, '-');
    put_shaped(to, fabs(value), section);
}
