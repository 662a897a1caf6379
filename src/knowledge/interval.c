#include "knowledge/interval.h"

#include <math.h>

#define BEFORE_BYTES 32 /* in front of a number are looked at for what bounds it */

enum bound { BOUND_NONE, BOUND_MOST, BOUND_BELOW, BOUND_LEAST, BOUND_ABOVE };
struct bound_word {
    const char *text;
    enum bound bound;
};

/* Right in front of the number; longer ones stand before their ends. */
static const struct bound_word before[] = {
    {"no more than", BOUND_MOST},  {"not more than", BOUND_MOST},  {"no longer than", BOUND_MOST},
    {"no less than", BOUND_LEAST}, {"not less than", BOUND_LEAST}, {"up to", BOUND_MOST},
    {"at most", BOUND_MOST},       {"a maximum of", BOUND_MOST},   {"maximum", BOUND_MOST},
    {"under", BOUND_BELOW},        {"below", BOUND_BELOW},         {"less than", BOUND_BELOW},
    {"fewer than", BOUND_BELOW},   {"younger than", BOUND_BELOW},  {"shorter than", BOUND_BELOW},
    {"above", BOUND_ABOVE},        {"over", BOUND_ABOVE},          {"more than", BOUND_ABOVE},
    {"longer than", BOUND_ABOVE},  {"greater than", BOUND_ABOVE},  {"higher than", BOUND_ABOVE},
    {"older than", BOUND_ABOVE},   {"exceeding", BOUND_ABOVE},     {"exceeds", BOUND_ABOVE},
    {"beyond", BOUND_ABOVE},       {"at least", BOUND_LEAST},      {"a minimum of", BOUND_LEAST},
    {"不得超过", BOUND_MOST},      {"不能超过", BOUND_MOST},       {"不超过", BOUND_MOST},
    {"最多", BOUND_MOST},          {"至多", BOUND_MOST},           {"最高", BOUND_MOST},
    {"最长", BOUND_MOST},          {"不少于", BOUND_LEAST},        {"不低于", BOUND_LEAST},
    {"不得少于", BOUND_LEAST},     {"低于", BOUND_BELOW},          {"少于", BOUND_BELOW},
    {"小于", BOUND_BELOW},         {"不足", BOUND_BELOW},          {"不满", BOUND_BELOW},
    {"未满", BOUND_BELOW},         {"超过", BOUND_ABOVE},          {"高于", BOUND_ABOVE},
    {"多于", BOUND_ABOVE},         {"大于", BOUND_ABOVE},          {"至少", BOUND_LEAST},
    {"最少", BOUND_LEAST},         {"最低", BOUND_LEAST},          {"满", BOUND_LEAST},
};
/* Right behind it and its unit. */
static const struct bound_word behind[] = {
    {"or more", BOUND_LEAST},   {"and more", BOUND_LEAST}, {"or above", BOUND_LEAST},
    {"and above", BOUND_LEAST}, {"and over", BOUND_LEAST}, {"or older", BOUND_LEAST},
    {"or longer", BOUND_LEAST}, {"or less", BOUND_MOST},   {"or fewer", BOUND_MOST},
    {"or below", BOUND_MOST},   {"and below", BOUND_MOST}, {"or under", BOUND_MOST},
    {"及以上", BOUND_LEAST},    {"以上", BOUND_LEAST},     {"及以下", BOUND_MOST},
    {"以下", BOUND_MOST},       {"以内", BOUND_MOST},      {"之内", BOUND_MOST},
};
static const char *const joints[] = {"to", "-", "–", "—", "~", "到", "至", "and", "和"};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool same(struct str a, struct str b)
{
    return a.len == b.len && str_eq_nocase(a, b);
}

static bool starts_with(struct str s, struct str word)
{
    return s.len >= word.len && same(str_slice(s, 0, word.len), word) &&
           (!is_letter(word.ptr[0]) || s.len == word.len || !is_letter(s.ptr[word.len]));
}

static bool ends_with(struct str s, struct str word)
{
    size_t from = s.len - MIN_OF(word.len, s.len);

    return s.len >= word.len && same(str_slice(s, from, s.len), word) &&
           (!is_letter(word.ptr[0]) || from == 0 || !is_letter(s.ptr[from - 1]));
}

/* "up to EUR 500": the money's name stands between. */
static struct str without_money(struct str front)
{
    static const char *const money[] = {"EUR", "USD", "GBP", "CNY", "RMB",
                                        "€",   "$",   "£",   "¥",   "￥"};

    for (size_t i = 0; i < ARRAY_LEN(money); i++)
        if (ends_with(front, str_from(money[i])))
            return str_trim(str_slice(front, 0, front.len - str_from(money[i]).len));
    return front;
}

/* "Not exceeding", "no fewer than", 不得低于: the other side, and the bound itself lies in it. 有没有 only asks. */
static enum bound negated(struct str front, enum bound bound)
{
    static const char *const nots[] = {"not",  "no",   "never", "不", "不得", "不能",
                                       "不可", "不应", "不会",  "未", "没有"};

    if ((bound != BOUND_BELOW && bound != BOUND_ABOVE) || ends_with(front, STR("有没有")))
        return bound;
    for (size_t i = 0; i < ARRAY_LEN(nots); i++)
        if (ends_with(front, str_from(nots[i])))
            return bound == BOUND_BELOW ? BOUND_LEAST : BOUND_MOST;
    return bound;
}

static enum bound bound_before(struct str text, size_t at)
{
    struct str front =
        without_money(str_trim(str_slice(text, at > BEFORE_BYTES ? at - BEFORE_BYTES : 0, at)));

    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct str word = str_from(before[i].text);

        if (ends_with(front, word))
            return negated(str_trim(str_slice(front, 0, front.len - word.len)), before[i].bound);
    }
    return BOUND_NONE;
}

/* Behind the number, past its unit and one word more: "10 working days or more", "3 万元以上". */
size_t wide_unit_end(struct str text, size_t at)
{
    static const char *const wide[] = {"个工作日", "工作日", "个小时", "小时", "个月", "分钟",
                                       "个星期",   "星期",   "欧元",   "美元", "元",   "年",
                                       "天",       "周",     "月",     "日",   "岁",   "公里",
                                       "块",       "人",     "个",     "名",   "次"};
    size_t from = at;

    while (from < text.len && text.ptr[from] == ' ')
        from++;
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (str_starts(str_slice(text, from, text.len), str_from(wide[i])))
            return from + str_from(wide[i]).len;
    return at;
}

static enum bound bound_behind(struct str text, size_t at)
{
    size_t words = 0;

    for (at = wide_unit_end(text, at); at < text.len && words < 3; words++) {
        while (at < text.len && text.ptr[at] == ' ')
            at++;
        for (size_t i = 0; i < ARRAY_LEN(behind); i++)
            if (starts_with(str_slice(text, at, text.len), str_from(behind[i].text)))
                return behind[i].bound;
        if (at >= text.len || !is_letter(text.ptr[at]))
            return BOUND_NONE;
        while (at < text.len && is_letter(text.ptr[at]))
            at++;
    }
    return BOUND_NONE;
}

static void bind(struct interval *v, enum bound bound, double value)
{
    switch (bound) {
    case BOUND_NONE: return;
    case BOUND_MOST:
    case BOUND_BELOW:
        v->from = (double)-INFINITY;
        v->to = value;
        v->to_out = bound == BOUND_BELOW;
        break;
    case BOUND_LEAST:
    case BOUND_ABOVE:
        v->from = value;
        v->to = (double)INFINITY;
        v->from_out = bound == BOUND_ABOVE;
        break;
    }
    v->is_bound = true;
}

/* "5 to 10", "500 EUR to 5,000 EUR", "两到五年": where the first ends and the second begins stands one of the joints alone. */
static bool joins(struct str text, const struct numeral *a, const struct numeral *b)
{
    size_t end = a->unit == b->unit ? numeral_unit_end(text, a) : a->to;
    struct str between =
        without_money(str_trim(str_slice(text, wide_unit_end(text, end), b->from)));
    bool spans = ends_with(str_trim(str_slice(text, 0, a->from)), STR("between")) ||
                 ends_with(str_trim(str_slice(text, 0, a->from)), STR("介于"));

    for (size_t i = 0; i < ARRAY_LEN(joints); i++)
        if (same(between, str_from(joints[i])))
            return i < 7 || spans;
    return false;
}

static bool counts(const struct numeral *n)
{
    return n->kind == NUMERAL_PLAIN || n->kind == NUMERAL_PERCENT;
}

bool intervals_read(struct arena *arena, struct str text, struct intervals *out, struct err *err)
{
    size_t mark = arena_mark(arena);
    struct numerals *all = arena_alloc(arena, sizeof *all);

    out->count = 0;
    if (!all)
        return err_arena(err, arena);
    numerals_read(text, all);
    for (size_t i = 0; i < all->count && out->count < INTERVALS_MAX; i++) {
        const struct numeral *n = &all->at[i], *next = n + 1;
        struct interval v = {.from = n->value, .to = n->value, .unit = n->unit};

        if (!counts(n))
            continue;
        v.is_share = n->kind == NUMERAL_PERCENT;
        v.at = n->from;
        v.end = n->to;
        if (i + 1 < all->count && counts(next) && next->kind == n->kind && next->value > n->value &&
            joins(text, n, next)) {
            v.to = next->value;
            v.end = next->to;
            v.unit = next->unit ? next->unit : n->unit;
            v.is_bound = true;
            i++;
        } else {
            enum bound bound = bound_before(text, n->from);

            bind(&v, bound ? bound : bound_behind(text, n->to), n->value);
            if (n->loose && !v.is_bound) /* "one of them", 一共 */
                continue;
        }
        out->at[out->count++] = v;
    }
    arena_rewind(arena, mark);
    return true;
}

bool intervals_meet(const struct interval *a, const struct interval *b)
{
    double from = fmax(a->from, b->from), to = fmin(a->to, b->to);

    if (from < to)
        return true;
    bool out = (a->from == from && a->from_out) || (b->from == from && b->from_out) ||
               (a->to == to && a->to_out) || (b->to == to && b->to_out);

    return from == to && !out && (a->from == a->to || b->from == b->to);
}

static bool is_money(enum numeral_unit unit)
{
    return unit >= UNIT_EURO;
}

bool intervals_compare(const struct interval *a, const struct interval *b)
{
    if (a->is_share != b->is_share)
        return false;
    if (a->unit == b->unit)
        return true;
    return (a->unit == UNIT_NONE && is_money(b->unit)) ||
           (b->unit == UNIT_NONE && is_money(a->unit));
}
