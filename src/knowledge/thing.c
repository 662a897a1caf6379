#include "knowledge/thing.h"

#include "base/utf8.h"
#include "index/terms.h"

#define THING_LEAST 4 /* letters */

/* In front of the noun. */
static const char *const openings[] = {"what is",     "what are",     "what was",
                                       "what were",   "what's",       "and what is",
                                       "how high is", "how large is", "how big is"};
static const char *const determiners[] = {"the", "a",   "an",  "my",    "our", "your",
                                          "his", "her", "its", "their", "of"};
/* Behind it. */
static const char *const stops[] = {"of",     "for",   "in",   "on",    "at",     "to",     "with",
                                    "from",   "by",    "when", "if",    "during", "per",    "after",
                                    "before", "under", "that", "which", "who",    "and",    "or",
                                    "as",     "is",    "are",  "was",   "were",   "called", "used"};
/* What an answer gives without saying. */
static const char *const general[] = {
    "name",    "names",    "number",     "amount",  "date",     "time",     "place",   "difference",
    "limit",   "meaning",  "definition", "reason",  "role",     "type",     "kind",    "percentage",
    "cost",    "price",    "capital",    "size",    "length",   "height",   "weight",  "address",
    "purpose", "deadline", "maximum",    "minimum", "rule",     "rules",    "most",    "least",
    "way",     "order",    "title",      "year",    "example",  "examples", "result",  "results",
    "effect",  "main",     "topic",      "topics",  "rate",     "total",    "share",   "value",
    "age",     "term",     "word",       "level",   "position", "location", "country", "city"};
static const char *const wide_ends[] = {"是多少", "是什么", "是什麼", "是几", "有多少", "为多少"};
static const char *const wide_general[] = {"名字", "名称", "时间", "日期", "地点", "数量", "金额",
                                           "原因", "目的", "区别", "定义", "意思", "期限", "上限",
                                           "下限", "人数", "电话", "号码", "地址", "年龄", "价格"};
#define WIDE_THING \
    12 /* bytes: a Chinese word of three characters at most, with what stands before it */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one(struct str s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(s, str_from(list[i])))
            return true;
    return false;
}

/* The next word, and where it ends; empty: something that is no word stands there. */
static struct str next_word(struct str s, size_t *at)
{
    size_t end;

    while (*at < s.len && s.ptr[*at] == ' ')
        ++*at;
    for (end = *at; end < s.len && (is_letter(s.ptr[end]) || s.ptr[end] == '-');)
        end++;
    struct str word = str_slice(s, *at, end);
    *at = end;
    return word;
}

static size_t opening_end(struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        struct str o = str_from(openings[i]);

        if (str_eq_nocase(str_slice(s, 0, o.len), o) && s.len > o.len && s.ptr[o.len] == ' ')
            return o.len;
    }
    return 0;
}

static struct str latin_thing(struct str s)
{
    size_t at = opening_end(s);
    struct str last = STR_NONE;
    bool named = false;

    if (!at)
        return STR_NONE;
    for (struct str word = next_word(s, &at); word.len; word = next_word(s, &at)) {
        if (!last.len && is_one(word, determiners, ARRAY_LEN(determiners)))
            continue;
        if (is_one(word, stops, ARRAY_LEN(stops)))
            break;
        named = word.ptr[0] >= 'A' && word.ptr[0] <= 'Z';
        last = word;
    }
    if (named || last.len < THING_LEAST || is_one(last, general, ARRAY_LEN(general)))
        return STR_NONE;
    return last;
}

size_t office_asked(struct str question, struct str *words, size_t max)
{
    static const char *const asking[] = {"who is the", "who is our", "who is your", "who is its",
                                         "who's the"};
    static const char *const offices[] = {
        "officer",  "manager",   "director", "head",      "chair",     "president",
        "chairman", "secretary", "leader",   "counsel",   "treasurer", "auditor",
        "adviser",  "advisor",   "contact",  "assistant", "engineer",  "controller"};
    size_t count = 0, at = 0;

    question = str_trim(question);
    for (size_t i = 0; i < ARRAY_LEN(asking) && !at; i++) {
        struct str o = str_from(asking[i]);

        if (str_eq_nocase(str_slice(question, 0, o.len), o) && question.len > o.len &&
            question.ptr[o.len] == ' ')
            at = o.len;
    }
    if (!at)
        return 0;
    for (struct str word = next_word(question, &at); word.len && count < max;
         word = next_word(question, &at)) {
        if (is_one(word, stops, ARRAY_LEN(stops)))
            break;
        words[count++] = word;
    }
    return count && is_one(words[count - 1], offices, ARRAY_LEN(offices)) ? count : 0;
}

static struct str wide_thing(struct str s)
{
    size_t end = s.len;

    for (size_t i = 0; i < ARRAY_LEN(wide_ends); i++)
        end = MIN_OF(end, str_find(s, str_from(wide_ends[i])));
    if (end == s.len || end < 6)
        return STR_NONE;
    size_t from = end > WIDE_THING ? end - WIDE_THING : 0;
    struct str thing = str_slice(s, from, end);
    size_t of = str_find(thing, STR("的")), comma = str_find(thing, STR("，"));

    if (of < thing.len)
        thing = str_slice(thing, of + 3, thing.len);
    else if (comma < thing.len || from > 0)
        return STR_NONE; /* where the word begins is not said */
    for (size_t i = 0; i < ARRAY_LEN(wide_general); i++)
        if (str_find(thing, str_from(wide_general[i])) < thing.len)
            return STR_NONE;
    return thing.len >= 6 ? thing : STR_NONE;
}

struct str thing_asked(struct str question)
{
    question = str_trim(question);
    return str_eq(text_language(question), STR("zh")) ? wide_thing(question)
                                                      : latin_thing(question);
}

static struct str singular(struct str s)
{
    if (s.len > 4 && str_eq_nocase(str_slice(s, s.len - 3, s.len), STR("ies")))
        return str_slice(s, 0, s.len - 3);
    if (s.len > 4 && (s.ptr[s.len - 1] | 0x20) == 'y')
        return str_slice(s, 0, s.len - 1);
    if (s.len > 4 && str_eq_nocase(str_slice(s, s.len - 2, s.len), STR("es")))
        return str_slice(s, 0, s.len - 2);
    if (s.len > 3 && (s.ptr[s.len - 1] | 0x20) == 's')
        return str_slice(s, 0, s.len - 1);
    if (s.len > 3 && (s.ptr[s.len - 1] | 0x20) == 'e')
        return str_slice(s, 0, s.len - 1);
    return s;
}

bool thing_stands(struct str text, struct str thing)
{
    if (thing.len && (uint8_t)thing.ptr[0] >= 0x80)
        return str_find(text, thing) < text.len;
    for (size_t at = 0; at < text.len;) {
        struct str word = next_word(text, &at);

        if (!word.len) {
            at++;
            continue;
        }
        if (str_eq_nocase(singular(word), singular(thing)))
            return true;
    }
    return false;
}
