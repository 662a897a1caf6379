#include "knowledge/bound.h"

#define WORDS_BEHIND 4  /* "10 working days or more": words up to what bounds */
#define WIDE_BEFORE  15 /* bytes of Chinese before a number that may bound it */
#define WIDE_BEHIND  24
#define FILLERS_MOST 5

struct bounding {
    const char *words;
    enum bound_side side;
};

/* Right before the number; longer ones stand before their endings. */
static const struct bounding before[] = {
    {"at least", BOUND_FLOOR},       {"minimum of", BOUND_FLOOR},
    {"at a minimum", BOUND_FLOOR},   {"minimum", BOUND_FLOOR},
    {"more than", BOUND_FLOOR},      {"greater than", BOUND_FLOOR},
    {"higher than", BOUND_FLOOR},    {"longer than", BOUND_FLOOR},
    {"older than", BOUND_FLOOR},     {"larger than", BOUND_FLOOR},
    {"later than", BOUND_FLOOR},     {"in excess of", BOUND_FLOOR},
    {"exceeding", BOUND_FLOOR},      {"exceeds", BOUND_FLOOR},
    {"exceed", BOUND_FLOOR},         {"above", BOUND_FLOOR},
    {"over", BOUND_FLOOR},           {"beyond", BOUND_FLOOR},
    {"after", BOUND_FLOOR},          {"at most", BOUND_CEILING},
    {"maximum of", BOUND_CEILING},   {"maximum", BOUND_CEILING},
    {"up to", BOUND_CEILING},        {"less than", BOUND_CEILING},
    {"fewer than", BOUND_CEILING},   {"lower than", BOUND_CEILING},
    {"shorter than", BOUND_CEILING}, {"younger than", BOUND_CEILING},
    {"smaller than", BOUND_CEILING}, {"earlier than", BOUND_CEILING},
    {"limited to", BOUND_CEILING},   {"capped at", BOUND_CEILING},
    {"within", BOUND_CEILING},       {"under", BOUND_CEILING},
    {"below", BOUND_CEILING},        {"before", BOUND_CEILING},
    {"until", BOUND_CEILING},        {"by", BOUND_CEILING},
};
/* Behind the number and what is counted. */
static const struct bounding behind[] = {
    {"or more", BOUND_FLOOR},      {"or over", BOUND_FLOOR},      {"or above", BOUND_FLOOR},
    {"or longer", BOUND_FLOOR},    {"or later", BOUND_FLOOR},     {"or older", BOUND_FLOOR},
    {"or higher", BOUND_FLOOR},    {"or greater", BOUND_FLOOR},   {"and over", BOUND_FLOOR},
    {"and above", BOUND_FLOOR},    {"and older", BOUND_FLOOR},    {"at least", BOUND_FLOOR},
    {"minimum", BOUND_FLOOR},      {"or less", BOUND_CEILING},    {"or fewer", BOUND_CEILING},
    {"or under", BOUND_CEILING},   {"or below", BOUND_CEILING},   {"or shorter", BOUND_CEILING},
    {"or earlier", BOUND_CEILING}, {"or younger", BOUND_CEILING}, {"or lower", BOUND_CEILING},
    {"and under", BOUND_CEILING},  {"at most", BOUND_CEILING},    {"maximum", BOUND_CEILING},
};
/* Between the bound and its number: "more than a total of 30", "over EUR 500". */
static const char *const fillers[] = {"a",          "an",      "the", "of",  "total",
                                      "about",      "another", "eur", "usd", "gbp",
                                      "the sum of", "or",      "age", "with"};
static const char *const nots[] = {"not", "no",    "never",   "cannot",
                                   "nor", "isn't", "doesn't", "can't"};
static const char *const between_nots[] = {"be", "to", "any", "been"}; /* "not be more than" */

static const struct bounding wide_before[] = {
    {"不得少于", BOUND_FLOOR},   {"不得低于", BOUND_FLOOR},   {"不少于", BOUND_FLOOR},
    {"不低于", BOUND_FLOOR},     {"不早于", BOUND_FLOOR},     {"不得早于", BOUND_FLOOR},
    {"不得超过", BOUND_CEILING}, {"不得超過", BOUND_CEILING}, {"不得多于", BOUND_CEILING},
    {"不得高于", BOUND_CEILING}, {"不超过", BOUND_CEILING},   {"不超過", BOUND_CEILING},
    {"不多于", BOUND_CEILING},   {"不高于", BOUND_CEILING},   {"不晚于", BOUND_CEILING},
    {"不迟于", BOUND_CEILING},   {"不得晚于", BOUND_CEILING}, {"不得迟于", BOUND_CEILING},
    {"不大于", BOUND_CEILING},   {"不小于", BOUND_FLOOR},     {"不满", BOUND_CEILING},
    {"不滿", BOUND_CEILING},     {"不足", BOUND_CEILING},     {"未满", BOUND_CEILING},
    {"未滿", BOUND_CEILING},     {"至少", BOUND_FLOOR},       {"最少", BOUND_FLOOR},
    {"起码", BOUND_FLOOR},       {"超过", BOUND_FLOOR},       {"超過", BOUND_FLOOR},
    {"多于", BOUND_FLOOR},       {"高于", BOUND_FLOOR},       {"大于", BOUND_FLOOR},
    {"晚于", BOUND_FLOOR},       {"最低", BOUND_FLOOR},       {"至多", BOUND_CEILING},
    {"最多", BOUND_CEILING},     {"最高", BOUND_CEILING},     {"低于", BOUND_CEILING},
    {"少于", BOUND_CEILING},     {"小于", BOUND_CEILING},     {"早于", BOUND_CEILING},
    {"最迟", BOUND_CEILING},     {"最晚", BOUND_CEILING},
};
static const char *const wide_fillers[] = {"提前", "应",     "需",   "在", "于", "约",
                                           "为",   "為",     "达",   "達", "是", "到",
                                           "赔偿", "人民币", "可达", "可"};
static const struct bounding wide_behind[] = {
    {"以上", BOUND_FLOOR},   {"以下", BOUND_CEILING}, {"以内", BOUND_CEILING},
    {"以內", BOUND_CEILING}, {"之内", BOUND_CEILING}, {"之內", BOUND_CEILING},
    {"之后", BOUND_FLOOR},   {"之後", BOUND_FLOOR},   {"以后", BOUND_FLOOR},
    {"以後", BOUND_FLOOR},   {"之前", BOUND_CEILING}, {"以前", BOUND_CEILING},
    {"内", BOUND_CEILING},   {"內", BOUND_CEILING},   {"后", BOUND_FLOOR},
    {"後", BOUND_FLOOR},     {"前", BOUND_CEILING},
};
/* What may stand between a number and what bounds it. */
static const char *const wide_units[] = {
    "个",   "個", "工作日", "自然日", "天", "日", "小时",   "小時", "分钟", "周",
    "星期", "月", "年",     "岁",     "歲", "元", "万",     "亿",   "美元", "欧元",
    "人",   "名", "次",     "份",     "及", "或", "（含）", "(含)", " "};

/* --- English ---------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct str trim_end(struct str s)
{
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool ends_with(struct str s, const char *words)
{
    struct str w = str_from(words);

    return s.len >= w.len && str_eq_nocase(str_slice(s, s.len - w.len, s.len), w) &&
           (s.len == w.len || !is_letter(s.ptr[s.len - w.len - 1]));
}

static bool drop(struct str *s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!ends_with(*s, list[i]))
            continue;
        *s = trim_end(str_slice(*s, 0, s->len - str_from(list[i]).len));
        return true;
    }
    return false;
}

static enum bound_side other_side(enum bound_side side)
{
    return side == BOUND_FLOOR ? BOUND_CEILING : side == BOUND_CEILING ? BOUND_FLOOR : BOUND_NONE;
}

static enum bound_side bound_before(struct str text, size_t at)
{
    struct str s = trim_end(str_slice(text, 0, at));

    for (int filled = 0; filled < FILLERS_MOST; filled++) {
        for (size_t i = 0; i < ARRAY_LEN(before); i++) {
            enum bound_side side = before[i].side;

            if (!ends_with(s, before[i].words))
                continue;
            s = trim_end(str_slice(s, 0, s.len - str_from(before[i].words).len));
            (void)drop(&s, between_nots, ARRAY_LEN(between_nots));
            return drop(&s, nots, ARRAY_LEN(nots)) ? other_side(side) : side;
        }
        if (!drop(&s, fillers, ARRAY_LEN(fillers)))
            break;
    }
    return BOUND_NONE;
}

static size_t skip_word(struct str s, size_t at)
{
    while (at < s.len && (is_letter(s.ptr[at]) || s.ptr[at] == '-'))
        at++;
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    return at;
}

static enum bound_side bound_behind(struct str text, size_t at)
{
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '%'))
        at++;
    for (int word = 0; word < WORDS_BEHIND && at < text.len; word++) {
        struct str rest = str_slice(text, at, text.len);

        for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
            struct str w = str_from(behind[i].words);

            if (str_eq_nocase(str_slice(rest, 0, w.len), w) &&
                (rest.len == w.len || !is_letter(rest.ptr[w.len])))
                return behind[i].side;
        }
        size_t next = skip_word(text, at);
        if (next == at) /* a comma, a full stop: what follows is another matter */
            break;
        at = next;
    }
    return BOUND_NONE;
}

/* --- Chinese ---------------------------------------------------------------------------------- */

static enum bound_side wide_bound_before(struct str text, size_t at)
{
    struct str s = trim_end(str_slice(text, at > WIDE_BEFORE ? at - WIDE_BEFORE : 0, at));

    for (int filled = 0; filled < FILLERS_MOST; filled++) {
        bool any = false;

        for (size_t i = 0; i < ARRAY_LEN(wide_before); i++)
            if (str_ends(s, str_from(wide_before[i].words)))
                return wide_before[i].side;
        for (size_t i = 0; i < ARRAY_LEN(wide_fillers) && !any; i++) {
            any = str_ends(s, str_from(wide_fillers[i]));
            s.len -= any ? str_from(wide_fillers[i]).len : 0;
        }
        if (!any)
            break;
    }
    return BOUND_NONE;
}

static enum bound_side wide_bound_behind(struct str text, size_t at)
{
    struct str s = str_slice(text, at, MIN_OF(at + WIDE_BEHIND, text.len));

    for (int skipped = 0; skipped < 4; skipped++) {
        bool any = false;

        for (size_t i = 0; i < ARRAY_LEN(wide_behind); i++)
            if (str_starts(s, str_from(wide_behind[i].words)))
                return wide_behind[i].side;
        for (size_t i = 0; i < ARRAY_LEN(wide_units) && !any; i++) {
            struct str unit = str_from(wide_units[i]);

            any = str_starts(s, unit);
            s = any ? str_slice(s, unit.len, s.len) : s;
        }
        if (!any)
            break;
    }
    return BOUND_NONE;
}

enum bound_side bound_side_of(struct str text, const struct numeral *n)
{
    enum bound_side side = bound_before(text, n->from);

    if (side == BOUND_NONE)
        side = bound_behind(text, n->to);
    if (side == BOUND_NONE)
        side = wide_bound_before(text, n->from);
    return side != BOUND_NONE ? side : wide_bound_behind(text, n->to);
}
