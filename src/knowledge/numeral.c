#include "knowledge/numeral.h"

#include <math.h>

#include "base/utf8.h"

#define DIGITS_MAX 18 /* more of them are a code */
#define LOOSE_MAX  10 /* in words and without a unit */
#define UNIT_WORDS 2  /* "10 working days": the unit may stand behind another word */

struct word_value {
    const char *word;
    double value;
};
/* Stems stand beside their words where the stemmer changes them. */
static const struct word_value small_words[] = {
    {"zero", 0},      {"one", 1},      {"two", 2},      {"three", 3},      {"four", 4},
    {"five", 5},      {"six", 6},      {"seven", 7},    {"eight", 8},      {"nine", 9},
    {"ten", 10},      {"eleven", 11},  {"twelve", 12},  {"twelv", 12},     {"thirteen", 13},
    {"fourteen", 14}, {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18},
    {"nineteen", 19}, {"twenty", 20},  {"twenti", 20},  {"thirty", 30},    {"thirti", 30},
    {"forty", 40},    {"forti", 40},   {"fifty", 50},   {"fifti", 50},     {"sixty", 60},
    {"sixti", 60},    {"seventy", 70}, {"seventi", 70}, {"eighty", 80},    {"eighti", 80},
    {"ninety", 90},   {"nineti", 90},  {"dozen", 12},   {"first", 1},      {"second", 2},
    {"third", 3},     {"fourth", 4},   {"fifth", 5},    {"sixth", 6},      {"seventh", 7},
    {"eighth", 8},    {"ninth", 9},    {"tenth", 10},   {"twelfth", 12},
};
static const struct word_value scale_words[] = {
    {"hundred", 1e2},  {"thousand", 1e3}, {"million", 1e6}, {"billion", 1e9}, {"trillion", 1e12},
    {"hundreds", 1e2}, {"k", 1e3},        {"m", 1e6},       {"bn", 1e9},
};
static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};

static const struct {
    const char *word;
    enum numeral_unit unit;
} units[] = {
    {"second", UNIT_SECOND},  {"seconds", UNIT_SECOND}, {"minute", UNIT_MINUTE},
    {"minutes", UNIT_MINUTE}, {"min", UNIT_MINUTE},     {"hour", UNIT_HOUR},
    {"hours", UNIT_HOUR},     {"day", UNIT_DAY},        {"days", UNIT_DAY},
    {"week", UNIT_WEEK},      {"weeks", UNIT_WEEK},     {"month", UNIT_MONTH},
    {"months", UNIT_MONTH},   {"year", UNIT_YEAR},      {"years", UNIT_YEAR},
    {"euro", UNIT_EURO},      {"euros", UNIT_EURO},     {"eur", UNIT_EURO},
    {"dollar", UNIT_DOLLAR},  {"dollars", UNIT_DOLLAR}, {"usd", UNIT_DOLLAR},
    {"pounds", UNIT_POUND},   {"gbp", UNIT_POUND},      {"yuan", UNIT_YUAN},
    {"rmb", UNIT_YUAN},       {"cny", UNIT_YUAN},       {"€", UNIT_EURO},
    {"$", UNIT_DOLLAR},       {"£", UNIT_POUND},        {"¥", UNIT_YUAN},
    {"￥", UNIT_YUAN},
};
/* Longer ones stand before their beginnings. */
static const struct {
    const char *word;
    enum numeral_unit unit;
} wide_units[] = {
    {"个工作日", UNIT_DAY}, {"工作日", UNIT_DAY},  {"个小时", UNIT_HOUR}, {"小时", UNIT_HOUR},
    {"小時", UNIT_HOUR},    {"分钟", UNIT_MINUTE}, {"分鐘", UNIT_MINUTE}, {"个星期", UNIT_WEEK},
    {"星期", UNIT_WEEK},    {"周", UNIT_WEEK},     {"个月", UNIT_MONTH},  {"個月", UNIT_MONTH},
    {"月", UNIT_MONTH},     {"年", UNIT_YEAR},     {"天", UNIT_DAY},      {"日", UNIT_DAY},
    {"秒", UNIT_SECOND},    {"欧元", UNIT_EURO},   {"歐元", UNIT_EURO},   {"美元", UNIT_DOLLAR},
    {"元", UNIT_YUAN},      {"块", UNIT_YUAN},
};

struct reader {
    struct str text;
    struct numerals *out;
};

/* --- characters ------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_latin(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool starts_at(struct str s, size_t at, const char *what)
{
    return str_starts(str_slice(s, at, s.len), str_from(what));
}

static size_t skip_spaces(struct str s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t' || starts_at(s, at, "\xC2\xA0")))
        at += s.ptr[at] == '\xC2' ? 2 : 1;
    return at;
}

/* The Latin word at `at`, or empty. */
static struct str word_at(struct str s, size_t at)
{
    size_t end = at;

    while (end < s.len && is_latin(s.ptr[end]))
        end++;
    return str_slice(s, at, end);
}

static bool find_word(const struct word_value *list, size_t count, struct str word, double *value)
{
    for (size_t i = 0; i < count && word.len; i++) {
        if (str_eq_nocase(word, str_from(list[i].word))) {
            *value = list[i].value;
            return true;
        }
    }
    return false;
}

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

static void put(struct reader *r, struct numeral n)
{
    if (r->out->count == NUMERALS_MAX)
        r->out->more = true;
    else
        r->out->at[r->out->count++] = n;
}

/* --- what stands beside a number -------------------------------------------------------------- */

static enum numeral_unit unit_word(struct str word)
{
    for (size_t i = 0; i < ARRAY_LEN(units) && word.len; i++)
        if (str_eq_nocase(word, str_from(units[i].word)))
            return units[i].unit;
    return UNIT_NONE;
}

static size_t sign_at(struct str s, size_t at, enum numeral_unit *unit)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!is_latin(units[i].word[0]) && starts_at(s, at, units[i].word)) {
            *unit = units[i].unit;
            return str_from(units[i].word).len;
        }
    }
    return 0;
}

/* "EUR 150", "€150": what stands right before. */
static enum numeral_unit unit_before(struct str s, size_t at)
{
    size_t end = at, begin;
    enum numeral_unit unit = UNIT_NONE;

    while (end > 0 && s.ptr[end - 1] == ' ')
        end--;
    begin = end;
    while (begin > 0 && is_latin(s.ptr[begin - 1]))
        begin--;
    if (begin < end) {
        unit = unit_word(str_slice(s, begin, end));
        return unit >= UNIT_EURO ? unit : UNIT_NONE;
    }
    for (size_t len = 1; len <= 3 && len <= end; len++)
        if (sign_at(s, end - len, &unit) == len)
            return unit;
    return UNIT_NONE;
}

static enum numeral_unit unit_behind(struct str s, size_t at)
{
    enum numeral_unit unit = UNIT_NONE;

    at = skip_spaces(s, at);
    for (size_t i = 0; i < ARRAY_LEN(wide_units); i++)
        if (starts_at(s, at, wide_units[i].word))
            return wide_units[i].unit;
    if (sign_at(s, at, &unit))
        return unit;
    for (int i = 0; i < UNIT_WORDS; i++) {
        if (at < s.len && s.ptr[at] == '-')
            at++;
        struct str word = word_at(s, at);

        unit = unit_word(word);
        if (unit || !word.len)
            return unit;
        at = skip_spaces(s, at + word.len);
    }
    return UNIT_NONE;
}

static size_t percent_behind(struct str s, size_t at)
{
    static const char *const signs[] = {"%", "％", "percent", "per cent"};
    size_t from = skip_spaces(s, at);

    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (starts_at(s, from, signs[i]))
            return from + str_from(signs[i]).len;
    return 0;
}

/* "million", "万": what the number is counted in, and where that ends. */
static size_t scale_behind(struct str s, size_t at, double *value)
{
    static const struct word_value wide[] = {{"万亿", 1e12}, {"亿", 1e8}, {"億", 1e8}, {"万", 1e4},
                                             {"萬", 1e4},    {"千", 1e3}, {"百", 1e2}};
    size_t from = skip_spaces(s, at);
    struct str word = word_at(s, from);
    double scale;

    for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
        if (starts_at(s, from, wide[i].word)) {
            *value *= wide[i].value;
            return from + str_from(wide[i].word).len;
        }
    }
    if (!find_word(scale_words, ARRAY_LEN(scale_words), word, &scale) ||
        (word.len < 3 && from > at)) /* "5 m" are metres */
        return at;
    *value *= scale;
    return from + word.len;
}

/* What is counted: a Latin word, or the two characters behind the one that measures ("三份文件"). */
static struct str counted_at(struct str s, size_t at)
{
    struct str word = word_at(s, at);

    if (word.len || at >= s.len || (uint8_t)s.ptr[at] < 0xE0)
        return word;
    return str_slice(s, at, MIN_OF(at + 9, s.len));
}

/* Kind, scale and unit of a plain value that ends at `at`. */
static size_t finish_plain(struct reader *r, struct numeral *n, size_t at)
{
    at = scale_behind(r->text, at, &n->value);
    size_t percent = percent_behind(r->text, at);

    if (percent) {
        n->kind = NUMERAL_PERCENT;
        n->to = (uint32_t)percent;
        put(r, *n);
        return percent;
    }
    n->unit = unit_before(r->text, n->from);
    if (!n->unit)
        n->unit = unit_behind(r->text, at);
    n->to = (uint32_t)at;
    n->behind = counted_at(r->text, skip_spaces(r->text, at));
    put(r, *n);
    return at;
}

/* --- dates ------------------------------------------------------------------------------------ */

static size_t digits_at(struct str s, size_t at, size_t most, uint32_t *value)
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

static size_t ordinal_behind(struct str s, size_t at)
{
    static const char *const endings[] = {"st", "nd", "rd", "th"};

    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (starts_at(s, at, endings[i]) && (at + 2 >= s.len || !is_latin(s.ptr[at + 2])))
            return at + 2;
    return at;
}

/* "31 March 2026", "31st of March": the number has been read; where the date ends, or 0. */
static size_t day_and_month(struct str s, size_t at, uint32_t day, struct numeral *n)
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
static size_t month_first(struct str s, struct str word, size_t at, struct numeral *n)
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

static size_t wide_value(struct str s, size_t at, double *value, size_t *count);

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
static size_t wide_date(struct str s, size_t at, uint32_t first, struct numeral *n)
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
static bool digits_date(struct str s, struct numeral *n)
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

/* --- digits ----------------------------------------------------------------------------------- */

/* Where a run of digits with marks inside it ends: "1,500.50", "14:30", "2026-03-31". */
static size_t run_end(struct str s, size_t at)
{
    while (at < s.len) {
        bool joins = s.ptr[at] == '.' || s.ptr[at] == ',' || s.ptr[at] == ':' || s.ptr[at] == '/' ||
                     s.ptr[at] == '-';

        if (!is_digit(s.ptr[at]) && !(joins && at + 1 < s.len && is_digit(s.ptr[at + 1])))
            break;
        at++;
    }
    return at;
}

static size_t count_char(struct str s, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == c;
    return count;
}

/* "1,500", "1500.5", "3,5" as a value. */
static bool plain_value(struct str s, double *value)
{
    size_t commas = count_char(s, ','), last = s.len, kept = 0;
    char plain[DIGITS_MAX + 8];

    for (size_t i = 0; i < s.len; i++)
        last = s.ptr[i] == ',' ? i : last;
    size_t dot = str_find_char(s, '.');
    bool decimal_comma = commas == 1 && dot == s.len && s.len - last != 4;
    if (count_char(s, '.') > 1 || s.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ',' && !decimal_comma)
            continue;
        plain[kept++] = s.ptr[i] == ',' ? '.' : s.ptr[i];
    }
    return f64_parse((struct str){plain, kept}, value);
}

static bool time_value(struct str s, double *value)
{
    uint32_t hour, minute;
    size_t at = digits_at(s, 0, 2, &hour);

    if (at == 0 || at >= s.len || s.ptr[at] != ':' || digits_at(s, at + 1, 2, &minute) != s.len ||
        hour > 24 || minute > 59)
        return false;
    *value = hour * 60 + minute;
    return true;
}

static size_t take_digits(struct reader *r, size_t at)
{
    size_t end = run_end(r->text, at), date = 0;
    struct str run = str_slice(r->text, at, end);
    struct numeral n = {.from = (uint32_t)at, .to = (uint32_t)end}, d = n;
    uint32_t whole;

    if (digits_at(r->text, at, 4, &whole) == end) { /* a small whole number may begin a date */
        date = day_and_month(r->text, ordinal_behind(r->text, end), whole, &d);
        if (!date)
            date = wide_date(r->text, end, whole, &d);
    } else if (digits_date(run, &d)) {
        date = end;
    }
    if (date) {
        d.to = (uint32_t)date;
        put(r, d);
        return date;
    }
    if (count_char(run, '-') == 1 && run.len < DIGITS_MAX) { /* "3-5": two numbers */
        size_t dash = at + str_find_char(run, '-');

        run = str_slice(r->text, at, dash);
        end = dash;
    }
    if (time_value(run, &n.value)) {
        n.kind = NUMERAL_TIME;
        put(r, n);
        return end;
    }
    if (plain_value(run, &n.value))
        return finish_plain(r, &n, ordinal_behind(r->text, end));
    n.kind = NUMERAL_CODE;
    n.text = run;
    n.to = (uint32_t)end;
    put(r, n);
    return end;
}

/* --- words ------------------------------------------------------------------------------------ */

/* "twenty-five", "two hundred and fifty": the value, and where its last word ends. */
static size_t words_value(struct str s, size_t at, double *value)
{
    double sum = 0, group = 0, one;
    size_t end = at, next = at;
    bool any = false;

    for (;;) {
        struct str word = word_at(s, next);

        if (any && str_eq_nocase(word, STR("and"))) {
            next = skip_spaces(s, next + word.len);
            word = word_at(s, next);
            if (!find_word(small_words, ARRAY_LEN(small_words), word, &one) || group < 100)
                break;
        }
        if (find_word(small_words, ARRAY_LEN(small_words), word, &one) &&
            (!any || (group >= 20 && one < 10) || (group >= 100 && one < 100))) {
            group += one;
        } else if (any && find_word(scale_words, ARRAY_LEN(scale_words), word, &one) &&
                   word.len > 2) {
            group *= one;
            sum += one >= 1000 ? group : 0;
            group = one >= 1000 ? 0 : group;
        } else {
            break;
        }
        any = true;
        end = next + word.len;
        next = end < s.len && s.ptr[end] == '-' ? end + 1 : skip_spaces(s, end);
    }
    *value = sum + group;
    return end;
}

static size_t take_word(struct reader *r, size_t at)
{
    struct str word = word_at(r->text, at);
    struct numeral n = {.from = (uint32_t)at};
    size_t end = month_first(r->text, word, at + word.len, &n);
    double value;

    if (end) {
        n.to = (uint32_t)end;
        put(r, n);
        return end;
    }
    n = (struct numeral){.from = (uint32_t)at};
    if (!find_word(small_words, ARRAY_LEN(small_words), word, &value))
        return at + word.len;
    end = words_value(r->text, at, &n.value);
    /* "One of them", "the second", "both plans are": mostly no number of the text. */
    n.loose = end == at + word.len && value <= LOOSE_MAX &&
              (!unit_behind(r->text, end) || str_ends(word, STR("th")));
    return finish_plain(r, &n, end);
}

/* --- Chinese ---------------------------------------------------------------------------------- */

static int wide_digit(uint32_t rune)
{
    static const char *const digits[] = {"〇零", "一", "二两兩", "三", "四",
                                         "五",   "六", "七",     "八", "九"};
    char bytes[4];
    struct str one = {bytes, utf8_put(bytes, rune)};

    for (size_t i = 0; i < ARRAY_LEN(digits); i++) {
        struct str list = str_from(digits[i]);

        if (str_find(list, one) < list.len)
            return (int)i;
    }
    return -1;
}

static double wide_scale(uint32_t rune)
{
    switch (rune) {
    case 0x5341: return 10;  /* 十 */
    case 0x767E: return 100; /* 百 */
    case 0x5343: return 1e3; /* 千 */
    case 0x4E07:
    case 0x842C: return 1e4; /* 万 萬 */
    case 0x4EBF:
    case 0x5104: return 1e8; /* 亿 億 */
    default: return 0;
    }
}

/* 三百二十五, 一万二, 二〇二六: value and end; count: characters read. */
static size_t wide_value(struct str s, size_t at, double *value, size_t *count)
{
    double sum = 0, group = 0, digit = -1, row = 0;
    bool scaled = false;

    *count = 0;
    while (at < s.len) {
        size_t next = at;
        uint32_t rune;

        (void)utf8_next(s, &next, &rune);
        int one = wide_digit(rune);
        double scale = wide_scale(rune);
        if (one < 0 && scale <= 0)
            break;
        if (one >= 0) {
            digit = one;
            row = row * 10 + one;
        } else {
            scaled = true;
            group += (digit < 0 ? (group > 0 || sum > 0 || scale >= 1e4 ? 0 : 1) : digit) *
                     (scale >= 1e4 ? 1 : scale);
            if (scale >= 1e4) {
                sum += group * scale;
                group = 0;
            }
            digit = -1;
        }
        at = next;
        ++*count;
    }
    *value = scaled ? sum + group + (digit > 0 ? digit : 0) : row;
    return at;
}

static bool is_wide_number(uint32_t rune)
{
    return wide_digit(rune) >= 0 || wide_scale(rune) > 0;
}

/* A character alone is a number only where it counts: 三天, 第三, not 三明治. */
static bool counts(struct str s, size_t from, size_t end)
{
    static const char *const measures[] = {"个", "個", "名", "位", "件", "次", "项",
                                           "條", "条", "人", "倍", "成", "岁", "页",
                                           "章", "号", "级", "层", "种", "份"};

    if (unit_behind(s, end) && skip_spaces(s, end) == end)
        return true;
    if (from >= 3 && starts_at(s, from - 3, "第"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(measures); i++)
        if (starts_at(s, end, measures[i]))
            return true;
    return false;
}

static size_t take_wide(struct reader *r, size_t at)
{
    struct str s = r->text;
    struct numeral n = {.from = (uint32_t)at}, date;
    size_t count, end = wide_value(s, at, &n.value, &count);

    if (starts_at(s, at, "百分之"))
        return at + STR("百分之").len;
    if (at >= 9 && starts_at(s, at - 9, "百分之")) {
        n.kind = NUMERAL_PERCENT;
        n.to = (uint32_t)end;
        put(r, n);
        return end;
    }
    date = n;
    if (n.value <= 2999 && n.value >= 1) {
        size_t done = wide_date(s, end, (uint32_t)n.value, &date);

        if (done && (date.year || date.day)) {
            date.to = (uint32_t)done;
            put(r, date);
            return done;
        }
    }
    n.loose = count == 1 && !counts(s, at, end);
    if (n.value <= LOOSE_MAX && unit_behind(s, end) == UNIT_NONE)
        n.loose = true; /* 一个, 两种: as much an article as a number */
    if (starts_at(s, at, "万一") || starts_at(s, at, "千万"))
        n.loose = true;
    return n.value <= 0 ? end /* 万 alone */ : finish_plain(r, &n, end);
}

/* --- reading ---------------------------------------------------------------------------------- */

void numerals_read(struct str text, struct numerals *out)
{
    struct reader r = {text, out};
    size_t at = 0;

    out->count = 0;
    out->more = false;
    while (at < text.len) {
        char c = text.ptr[at];
        size_t next = at;
        uint32_t rune;
        bool inside = at > 0 && is_latin(text.ptr[at - 1]);

        if (is_digit(c) && starts_at(text, at >= 9 ? at - 9 : at, "百分之") && at >= 9) {
            struct numeral n = {.from = (uint32_t)at, .kind = NUMERAL_PERCENT};

            next = run_end(text, at);
            n.to = (uint32_t)next;
            if (plain_value(str_slice(text, at, next), &n.value))
                put(&r, n);
        } else if (is_digit(c)) {
            /* "B12", "Q3": names, and read as such by who looks for names. */
            next = inside ? run_end(text, at) : take_digits(&r, at);
        } else if (is_latin(c)) {
            next = take_word(&r, at);
        } else {
            (void)utf8_next(text, &next, &rune);
            if (is_wide_number(rune))
                next = take_wide(&r, at);
        }
        at = next;
    }
}

static bool same_value(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool parts_agree(const struct numeral *claim, const struct numeral *said)
{
    return (!claim->year || !said->year || claim->year == said->year) &&
           (!claim->month || !said->month || claim->month == said->month) &&
           (!claim->day || !said->day || claim->day == said->day) &&
           ((claim->year && said->year) || (claim->month && said->month));
}

bool numeral_agrees(const struct numeral *claim, const struct numeral *said)
{
    if (claim->kind == NUMERAL_DATE && said->kind == NUMERAL_DATE)
        return parts_agree(claim, said);
    if (claim->kind == NUMERAL_DATE && said->kind == NUMERAL_PLAIN)
        return claim->year && !claim->month && same_value(claim->year, said->value);
    if (claim->kind == NUMERAL_PLAIN && said->kind == NUMERAL_DATE)
        return same_value(claim->value, said->year) ||
               (!claim->unit && same_value(claim->value, said->day));
    if (claim->kind != said->kind)
        return false;
    if (claim->kind == NUMERAL_CODE)
        return str_eq(claim->text, said->text);
    return same_value(claim->value, said->value) &&
           (!claim->unit || !said->unit || claim->unit == said->unit);
}

static struct str opening(struct str s)
{
    return str_slice(s, 0, s.len && (uint8_t)s.ptr[0] < 0x80 ? 4 : s.len);
}

bool numeral_contradicts(const struct numeral *claim, const struct numeral *said)
{
    return claim->kind == said->kind && claim->kind == NUMERAL_PLAIN && claim->behind.len > 3 &&
           str_eq_nocase(opening(claim->behind), opening(said->behind)) &&
           !same_value(claim->value, said->value);
}

bool numeral_word(struct str word, double *value)
{
    size_t count, at = 0;
    uint32_t rune;

    if (!word.len)
        return false;
    if (is_latin(word.ptr[0]))
        return find_word(small_words, ARRAY_LEN(small_words), word, value) ||
               find_word(scale_words, ARRAY_LEN(scale_words), word, value);
    if (!utf8_next(word, &at, &rune) || !is_wide_number(rune))
        return false;
    return wide_value(word, 0, value, &count) == word.len && *value > 0;
}
