/* Numbers in Chinese characters: "三十", "一万二千", "二〇二六", "5万". */
#include "base/utf8.h"
#include "knowledge/numeral_internal.h"

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
size_t wide_value(struct str s, size_t at, double *value, size_t *count)
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

bool is_wide_number(uint32_t rune)
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

size_t take_wide(struct reader *r, size_t at)
{
    struct str s = r->text;
    struct numeral n = {.from = (uint32_t)at}, date;
    size_t count, end = wide_value(s, at, &n.value, &count);

    if (starts_at(s, at, "百分之"))
        return at + STR("百分之").len;
    if (at >= 9 && starts_at(s, at - 9, "百分之")) {
        n.kind = NUMERAL_PERCENT;
        n.to = (uint32_t)end;
        numeral_put(r, n);
        return end;
    }
    date = n;
    if (n.value <= 2999 && n.value >= 1) {
        size_t done = wide_date(s, end, (uint32_t)n.value, &date);

        if (done && (date.year || date.day)) {
            date.to = (uint32_t)done;
            numeral_put(r, date);
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
