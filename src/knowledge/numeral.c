#include "knowledge/numeral.h"

#include <math.h>

#include "base/utf8.h"
#include "knowledge/numeral_internal.h"

#define DIGITS_MAX 18 /* more of them are a code */
#define UNIT_WORDS 2  /* "10 working days": the unit may stand behind another word */

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

/* --- characters ------------------------------------------------------------------------------- */

size_t skip_spaces(struct str s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t' || starts_at(s, at, "\xC2\xA0")))
        at += s.ptr[at] == '\xC2' ? 2 : 1;
    return at;
}

/* The Latin word at `at`, or empty. */
struct str word_at(struct str s, size_t at)
{
    size_t end = at;

    while (end < s.len && is_latin(s.ptr[end]))
        end++;
    return str_slice(s, at, end);
}

void numeral_put(struct reader *r, struct numeral n)
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

enum numeral_unit unit_behind(struct str s, size_t at)
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

size_t numeral_unit_end(struct str text, const struct numeral *n)
{
    size_t at = skip_spaces(text, n->to), sign;
    enum numeral_unit unit = UNIT_NONE;
    struct str word = word_at(text, at);

    if (!n->unit)
        return n->to;
    sign = sign_at(text, at, &unit);
    if (sign && unit == n->unit)
        return at + sign;
    return unit_word(word) == n->unit ? at + word.len : n->to;
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

struct wide_scale {
    const char *word;
    double value;
};
static const struct wide_scale wide_scales[] = {
    {"万亿", 1e12}, {"亿", 1e8}, {"億", 1e8}, {"万", 1e4}, {"萬", 1e4}, {"千", 1e3}, {"百", 1e2}};

static const struct wide_scale *wide_scale_at(struct str s, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(wide_scales); i++)
        if (starts_at(s, at, wide_scales[i].word))
            return &wide_scales[i];
    return NULL;
}

/* "1万5千", "1亿2000万", "3万5000": what goes on behind a scale, in a smaller one; of no scale four digits are, if they are
 * no year. */
static size_t wide_rest(struct str s, size_t at, double scale, double *value)
{
    for (;;) {
        uint32_t digits;
        size_t end = digits_at(s, at, 4, &digits);
        const struct wide_scale *next = end > at ? wide_scale_at(s, end) : NULL;

        if (end == at || (next && next->value >= scale))
            return at;
        if (!next) {
            if (end - at != 4 || scale != 1e4 || starts_at(s, end, "年"))
                return at;
            *value += digits;
            return end;
        }
        *value += digits * next->value;
        scale = next->value;
        at = end + str_from(next->word).len;
    }
}

/* "million", "万": what the number is counted in, and where that ends. */
static size_t scale_behind(struct str s, size_t at, double *value)
{
    size_t from = skip_spaces(s, at);
    const struct wide_scale *wide = wide_scale_at(s, from);
    struct str word = word_at(s, from);
    double scale;

    if (wide) {
        *value *= wide->value;
        return wide_rest(s, from + str_from(wide->word).len, wide->value, value);
    }
    if (!scale_word(word, &scale) || (word.len < 3 && from > at)) /* "5 m" are metres */
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
size_t finish_plain(struct reader *r, struct numeral *n, size_t at)
{
    at = scale_behind(r->text, at, &n->value);
    size_t percent = percent_behind(r->text, at);

    if (percent) {
        n->kind = NUMERAL_PERCENT;
        n->to = (uint32_t)percent;
        numeral_put(r, *n);
        return percent;
    }
    n->unit = unit_before(r->text, n->from);
    if (!n->unit)
        n->unit = unit_behind(r->text, at);
    n->to = (uint32_t)at;
    n->behind = counted_at(r->text, skip_spaces(r->text, at));
    numeral_put(r, *n);
    return at;
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

/* Behind a space, of any width, and the three digits it parts from those before; `at` itself: there are none. */
static size_t group_end(struct str s, size_t at, bool *plain)
{
    static const char *const spaces[] = {" ", "\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89"};
    uint32_t value;

    for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
        size_t from = at + str_from(spaces[i]).len;

        if (starts_at(s, at, spaces[i]) && digits_at(s, from, 3, &value) == from + 3) {
            *plain = *plain || i == 0;
            return from + 3;
        }
    }
    return at;
}

/* "EUR 10 000", "1 250 000.50 euros": with plain spaces only where it is said to be an amount, for columns of numbers
 * stand like that, too. */
static size_t grouped_end(struct str s, size_t at, size_t end)
{
    size_t to = end, next;
    bool plain = false;
    uint32_t first;

    if (end - at > 3 || digits_at(s, at, 3, &first) != end || s.ptr[at] == '0')
        return end;
    while ((next = group_end(s, to, &plain)) > to)
        to = next;
    if (to == end)
        return end;
    if (to + 1 < s.len && s.ptr[to] == '.' && is_digit(s.ptr[to + 1]))
        for (to++; to < s.len && is_digit(s.ptr[to]);)
            to++;
    return plain && !unit_before(s, at) && !unit_behind(s, to) ? end : to;
}

static size_t count_char(struct str s, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += s.ptr[i] == c;
    return count;
}

/* "1,500", "1 500", "1500.5", "3,5" as a value. */
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
        if ((s.ptr[i] == ',' && !decimal_comma) || s.ptr[i] == ' ' || (uint8_t)s.ptr[i] >= 0x80)
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
    size_t end = grouped_end(r->text, at, run_end(r->text, at)), date = 0;
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
        numeral_put(r, d);
        return date;
    }
    if (count_char(run, '-') == 1 && run.len < DIGITS_MAX) { /* "3-5": two numbers */
        size_t dash = at + str_find_char(run, '-');

        run = str_slice(r->text, at, dash);
        end = dash;
    }
    if (time_value(run, &n.value)) {
        n.kind = NUMERAL_TIME;
        numeral_put(r, n);
        return end;
    }
    if (plain_value(run, &n.value))
        return finish_plain(r, &n, ordinal_behind(r->text, end));
    n.kind = NUMERAL_CODE;
    n.text = run;
    n.to = (uint32_t)end;
    numeral_put(r, n);
    return end;
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
                numeral_put(&r, n);
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
        return small_word(word, value) || scale_word(word, value);
    if (!utf8_next(word, &at, &rune) || !is_wide_number(rune))
        return false;
    return wide_value(word, 0, value, &count) == word.len && *value > 0;
}
