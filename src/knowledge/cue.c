/* What kind of answer a question asks for, by its words, and whether a sentence has one. */
#include "base/utf8.h"
#include "knowledge/choose.h"

struct cue_words {
    const char *text;
    enum cue cue;
};

/* First match wins: longer ones stand before their beginnings. English is matched on word borders. */
static const struct cue_words english[] = {
    {"how many", CUE_NUMBER},
    {"how much", CUE_NUMBER},
    {"how long", CUE_TIME},
    {"how soon", CUE_TIME},
    {"how quickly", CUE_TIME},
    {"how often", CUE_TIME},
    {"how fast", CUE_NUMBER},
    {"how far", CUE_NUMBER},
    {"how large", CUE_NUMBER},
    {"how big", CUE_NUMBER},
    {"how high", CUE_NUMBER},
    {"how old", CUE_NUMBER},
    {"what percentage", CUE_NUMBER},
    {"what percent", CUE_NUMBER},
    {"what amount", CUE_NUMBER},
    {"what number", CUE_NUMBER},
    {"what year", CUE_TIME},
    {"which year", CUE_TIME},
    {"what date", CUE_TIME},
    {"what day", CUE_TIME},
    {"what time", CUE_TIME},
    {"what century", CUE_TIME},
    {"what month", CUE_TIME},
    {"what decade", CUE_TIME},
    {"by when", CUE_TIME},
    {"deadline", CUE_TIME},
    {"when", CUE_TIME},
    {"who", CUE_PERSON},
    {"whom", CUE_PERSON},
    {"whose", CUE_PERSON},
    {"where", CUE_PLACE},
    {"what country", CUE_PLACE},
    {"what city", CUE_PLACE},
    {"which country", CUE_PLACE},
    {"which city", CUE_PLACE},
    {"what state", CUE_PLACE},
    {"why", CUE_CAUSE},
    {"for what reason", CUE_CAUSE},
};
static const struct cue_words chinese[] = {
    {"什么时候", CUE_TIME},   {"什麼時候", CUE_TIME},  {"何时", CUE_TIME},
    {"何時", CUE_TIME},       {"哪一年", CUE_TIME},    {"哪年", CUE_TIME},
    {"何年", CUE_TIME},       {"哪一天", CUE_TIME},    {"几年", CUE_TIME},
    {"哪个月", CUE_TIME},     {"几月", CUE_TIME},      {"多久", CUE_TIME},
    {"多长时间", CUE_TIME},   {"多少天", CUE_TIME},    {"几天", CUE_TIME},
    {"多少年", CUE_TIME},     {"期限", CUE_TIME},      {"哪一个世纪", CUE_TIME},
    {"几个工作日", CUE_TIME}, {"多少", CUE_NUMBER},    {"多大", CUE_NUMBER},
    {"多高", CUE_NUMBER},     {"多长", CUE_NUMBER},    {"多重", CUE_NUMBER},
    {"几", CUE_NUMBER},       {"幾", CUE_NUMBER},      {"谁", CUE_PERSON},
    {"誰", CUE_PERSON},       {"哪位", CUE_PERSON},    {"何人", CUE_PERSON},
    {"哪里", CUE_PLACE},      {"哪裡", CUE_PLACE},     {"哪儿", CUE_PLACE},
    {"何处", CUE_PLACE},      {"何處", CUE_PLACE},     {"何地", CUE_PLACE},
    {"什么地方", CUE_PLACE},  {"哪个国家", CUE_PLACE}, {"哪個國家", CUE_PLACE},
    {"哪个城市", CUE_PLACE},  {"哪座城市", CUE_PLACE}, {"为什么", CUE_CAUSE},
    {"為什麼", CUE_CAUSE},    {"为何", CUE_CAUSE},     {"為何", CUE_CAUSE},
    {"什么原因", CUE_CAUSE},  {"原因", CUE_CAUSE},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

/* The word or words of `what` in s, in any case, not inside a longer word. */
static bool has_words(struct str s, struct str what)
{
    for (size_t at = 0; at + what.len <= s.len; at++) {
        size_t i = 0;

        while (i < what.len && lower(s.ptr[at + i]) == what.ptr[i])
            i++;
        if (i == what.len && (at == 0 || !is_letter(s.ptr[at - 1])) &&
            (at + i == s.len || !is_letter(s.ptr[at + i])))
            return true;
    }
    return false;
}

static bool has_any(struct str s, const char *const *what, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str one = str_from(what[i]);

        if ((uint8_t)what[i][0] < 0x80 ? has_words(s, one) : str_find(s, one) < s.len)
            return true;
    }
    return false;
}

enum cue cue_of(struct str question, struct str language)
{
    bool zh = str_eq(language, STR("zh"));
    const struct cue_words *words = zh ? chinese : english;
    size_t count = zh ? ARRAY_LEN(chinese) : ARRAY_LEN(english);

    for (size_t i = 0; i < count; i++) {
        struct str what = str_from(words[i].text);

        if (zh ? str_find(question, what) < question.len : has_words(question, what))
            return words[i].cue;
    }
    return CUE_NONE;
}

static const char *const time_words[] = {
    "january",   "february",    "march",    "april",    "june",   "july",    "august",
    "september", "october",     "november", "december", "monday", "tuesday", "wednesday",
    "thursday",  "friday",      "saturday", "sunday",   "day",    "days",    "week",
    "weeks",     "month",       "months",   "year",     "years",  "hour",    "hours",
    "minutes",   "century",     "decade",   "daily",    "weekly", "monthly", "annually",
    "yearly",    "immediately", "年",       "月",       "日",     "天",      "小时",
    "小時",      "周",          "世纪",     "世紀",     "分钟",   "时期",    "時期",
    "期间",      "立即",
};
static const char *const number_words[] = {
    "one", "two",  "three", "four",    "five",     "six",     "seven",   "eight",   "nine",
    "ten", "half", "dozen", "hundred", "thousand", "million", "billion", "percent", "一",
    "二",  "两",   "三",    "四",      "五",       "六",      "七",      "八",      "九",
    "十",  "百",   "千",    "万",      "萬",       "半",
};
static const char *const cause_words[] = {
    "because",   "due to", "since",  "so that", "in order to", "as a result", "owing to",
    "therefore", "caused", "reason", "因",      "由于",        "由於",        "所以",
    "导致",      "導致",   "原因",   "为了",    "為了",        "以便",
};
static const char *const place_words[] = {
    "in", "at", "near", "from", "north", "south", "east", "west", "where", "在", "位于", "位於",
    "国", "國", "省",   "市",   "县",    "縣",    "区",   "區",   "州",    "地", "山",   "路",
};
static const char *const person_words[] = {
    "manager",  "director",   "officer", "team",  "department", "head",   "board", "employee",
    "adjuster", "supervisor", "king",    "queen", "president",  "author", "人",    "经理",
    "主管",     "部门",       "部",      "总监",  "先生",       "女士",   "者",    "·",
};

/* A term of this sort that the question does not have itself. */
static bool new_term(const struct terms *terms, const struct question *question, bool number)
{
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field == TERM_WORD && !term->stop && (number ? term->number : term->name) &&
            (number || term->position > 0) && !table_get(&question->words, term->text))
            return true;
    }
    return false;
}

bool cue_stands(enum cue cue, struct str s, const struct terms *terms,
                const struct question *question)
{
    bool zh = str_eq(question->language, STR("zh"));

    switch (cue) {
    case CUE_NONE: return false;
    case CUE_PERSON:
        return new_term(terms, question, false) ||
               has_any(s, person_words, ARRAY_LEN(person_words));
    case CUE_TIME:
        return new_term(terms, question, true) || has_any(s, time_words, ARRAY_LEN(time_words));
    case CUE_NUMBER:
        return new_term(terms, question, true) || has_any(s, number_words, ARRAY_LEN(number_words));
    case CUE_PLACE:
        return (zh || new_term(terms, question, false)) &&
               has_any(s, place_words, ARRAY_LEN(place_words));
    case CUE_CAUSE: return has_any(s, cause_words, ARRAY_LEN(cause_words));
    case CUES: break;
    }
    return false;
}
