/* What kind of answer a question asks for, by its words, and whether a sentence has one. */
#include <string.h>

#include "base/utf8.h"
#include "knowledge/choose.h"
#include "knowledge/numeral.h"

#define CHARACTER  ((size_t)3)    /* bytes of an ideograph that is anybody's name */
#define BEGINNINGS ((size_t)1024) /* of words, told apart at a look: a power of two */

struct cue_words {
    const char *text;
    enum cue cue;
};

/* First match wins: longer ones stand before their beginnings. English is matched on word borders. */
static const struct cue_words english[] = {
    {"how many days", CUE_DURATION},
    {"how many hours", CUE_DURATION},
    {"how many weeks", CUE_DURATION},
    {"how many months", CUE_DURATION},
    {"how many years", CUE_DURATION},
    {"time limit", CUE_DURATION},
    {"how many", CUE_NUMBER},
    {"how much", CUE_NUMBER},
    {"how long", CUE_DURATION},
    {"how soon", CUE_DURATION},
    {"how quickly", CUE_DURATION},
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
    {"deadline", CUE_DURATION},
    {"when may", CUE_NONE}, /* under what condition */
    {"when can", CUE_NONE},
    {"when must", CUE_NONE},
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
    {"什么时候", CUE_TIME},     {"什麼時候", CUE_TIME},     {"何时", CUE_TIME},
    {"何時", CUE_TIME},         {"哪一年", CUE_TIME},       {"哪年", CUE_TIME},
    {"何年", CUE_TIME},         {"哪一天", CUE_TIME},       {"几年", CUE_TIME},
    {"哪个月", CUE_TIME},       {"几月", CUE_TIME},         {"多久", CUE_DURATION},
    {"多长时间", CUE_DURATION}, {"多長時間", CUE_DURATION}, {"时限", CUE_DURATION},
    {"多少天", CUE_DURATION},   {"几天", CUE_DURATION},     {"多少年", CUE_DURATION},
    {"期限", CUE_DURATION},     {"哪一个世纪", CUE_TIME},   {"几个工作日", CUE_DURATION},
    {"多少", CUE_NUMBER},       {"多大", CUE_NUMBER},       {"多高", CUE_NUMBER},
    {"多长", CUE_NUMBER},       {"多重", CUE_NUMBER},       {"几", CUE_NUMBER},
    {"幾", CUE_NUMBER},         {"谁", CUE_PERSON},         {"誰", CUE_PERSON},
    {"哪位", CUE_PERSON},       {"何人", CUE_PERSON},       {"哪里", CUE_PLACE},
    {"哪裡", CUE_PLACE},        {"哪儿", CUE_PLACE},        {"何处", CUE_PLACE},
    {"何處", CUE_PLACE},        {"何地", CUE_PLACE},        {"什么地方", CUE_PLACE},
    {"哪个国家", CUE_PLACE},    {"哪個國家", CUE_PLACE},    {"哪个城市", CUE_PLACE},
    {"哪座城市", CUE_PLACE},    {"为什么", CUE_CAUSE},      {"為什麼", CUE_CAUSE},
    {"为何", CUE_CAUSE},        {"為何", CUE_CAUSE},        {"什么原因", CUE_CAUSE},
    {"原因", CUE_CAUSE},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

/* Does `what` stand at s[at], in any case, not inside a longer word? Ideographs stand anywhere. */
static bool stands_at(struct str s, size_t at, struct str what)
{
    size_t end = at + what.len;

    if (end > s.len)
        return false;
    if ((uint8_t)what.ptr[0] >= 0x80)
        return memcmp(s.ptr + at, what.ptr, what.len) == 0;
    for (size_t i = 0; i < what.len; i++)
        if (lower(s.ptr[at + i]) != what.ptr[i])
            return false;
    return (at == 0 || !is_letter(s.ptr[at - 1])) && (end == s.len || !is_letter(s.ptr[end]));
}

static bool has_words(struct str s, struct str what)
{
    for (size_t at = 0; at + what.len <= s.len; at++)
        if (lower(s.ptr[at]) == what.ptr[0] && stands_at(s, at, what))
            return true;
    return false;
}

/* A word by its first two bytes; of an ideograph's three by the last two, as the first says little. */
static size_t beginning_of(const char *at)
{
    const uint8_t *b = (const uint8_t *)at + ((uint8_t)at[0] >= 0xE0);

    return (size_t)((uint8_t)lower((char)b[0]) * 37 ^ (uint8_t)lower((char)b[1])) % BEGINNINGS;
}

/* Each place is looked at once: few are where one of the words may begin. Words have two bytes or more, and begin
 * with a letter of ASCII or whole characters; a byte of text may be any. */
static bool has_any(struct str s, const char *const *what, size_t count)
{
    uint64_t may_begin[BEGINNINGS / 64] = {0};

    for (size_t i = 0; i < count; i++) {
        size_t n = beginning_of(what[i]);

        may_begin[n / 64] |= 1ull << n % 64;
    }
    for (size_t at = 0; at + 1 < s.len; at++) {
        if (((uint8_t)s.ptr[at] & 0xC0) == 0x80 || ((uint8_t)s.ptr[at] >= 0xE0 && at + 2 >= s.len))
            continue;
        size_t n = beginning_of(s.ptr + at);

        if (!(may_begin[n / 64] >> n % 64 & 1))
            continue;
        for (size_t i = 0; i < count; i++)
            if (lower(s.ptr[at]) == what[i][0] && stands_at(s, at, str_from(what[i])))
                return true;
    }
    return false;
}

static bool is_one_of(struct str s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(s, str_from(words[i])))
            return true;
    return false;
}

/* "……的时间": what is asked for as the last word, as people type it into a search box. */
static const struct cue_words closings[] = {
    {"时间", CUE_TIME},     {"時間", CUE_TIME},     {"日期", CUE_TIME},     {"年份", CUE_TIME},
    {"日子", CUE_TIME},     {"时候", CUE_TIME},     {"時候", CUE_TIME},     {"生日", CUE_TIME},
    {"质量", CUE_NONE},     {"質量", CUE_NONE},     {"力量", CUE_NONE},     {"能量", CUE_NONE},
    {"量", CUE_NUMBER},     {"数", CUE_NUMBER},     {"數", CUE_NUMBER},     {"率", CUE_NUMBER},
    {"额", CUE_NUMBER},     {"額", CUE_NUMBER},     {"价格", CUE_NUMBER},   {"價格", CUE_NUMBER},
    {"票价", CUE_NUMBER},   {"票價", CUE_NUMBER},   {"费用", CUE_NUMBER},   {"費用", CUE_NUMBER},
    {"票房", CUE_NUMBER},   {"收入", CUE_NUMBER},   {"奖金", CUE_NUMBER},   {"獎金", CUE_NUMBER},
    {"比分", CUE_NUMBER},   {"面积", CUE_NUMBER},   {"面積", CUE_NUMBER},   {"人口", CUE_NUMBER},
    {"长度", CUE_NUMBER},   {"長度", CUE_NUMBER},   {"高度", CUE_NUMBER},   {"深度", CUE_NUMBER},
    {"宽度", CUE_NUMBER},   {"寬度", CUE_NUMBER},   {"速度", CUE_NUMBER},   {"温度", CUE_NUMBER},
    {"溫度", CUE_NUMBER},   {"震级", CUE_NUMBER},   {"海拔", CUE_NUMBER},   {"距离", CUE_NUMBER},
    {"距離", CUE_NUMBER},   {"编号", CUE_NUMBER},   {"編號", CUE_NUMBER},   {"电话", CUE_NUMBER},
    {"電話", CUE_NUMBER},   {"地点", CUE_PLACE},    {"地點", CUE_PLACE},    {"地址", CUE_PLACE},
    {"位置", CUE_PLACE},    {"出生地", CUE_PLACE},  {"所在地", CUE_PLACE},  {"产地", CUE_PLACE},
    {"產地", CUE_PLACE},    {"首都", CUE_PLACE},    {"首府", CUE_PLACE},    {"导演", CUE_PERSON},
    {"導演", CUE_PERSON},   {"主演", CUE_PERSON},   {"编剧", CUE_PERSON},   {"編劇", CUE_PERSON},
    {"作者", CUE_PERSON},   {"主角", CUE_PERSON},   {"主席", CUE_PERSON},   {"总统", CUE_PERSON},
    {"總統", CUE_PERSON},   {"总理", CUE_PERSON},   {"總理", CUE_PERSON},   {"市长", CUE_PERSON},
    {"市長", CUE_PERSON},   {"校长", CUE_PERSON},   {"校長", CUE_PERSON},   {"董事长", CUE_PERSON},
    {"董事長", CUE_PERSON}, {"总经理", CUE_PERSON}, {"總經理", CUE_PERSON}, {"经理", CUE_PERSON},
    {"負責人", CUE_PERSON}, {"负责人", CUE_PERSON}, {"联系人", CUE_PERSON}, {"聯絡人", CUE_PERSON},
    {"创始人", CUE_PERSON}, {"創辦人", CUE_PERSON}, {"发明者", CUE_PERSON}, {"發明者", CUE_PERSON},
    {"得主", CUE_PERSON},
};

enum cue closing_cue(struct str question)
{
    static const char *const marks[] = {"？", "?", "。", "是", "为", "為"};

    question = str_trim(question);
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_ends(question, str_from(marks[i])))
            question = str_trim(str_slice(question, 0, question.len - str_from(marks[i]).len));
    for (size_t i = 0; i < ARRAY_LEN(closings); i++)
        if (str_ends(question, str_from(closings[i].text)))
            return closings[i].cue;
    return CUE_NONE;
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
    return zh ? closing_cue(question) : CUE_NONE;
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

static const char *const back_words[] = {
    "it",   "its",  "they", "their", "this", "these", "that", "those", "he", "she", "his", "her",
    "such", "both", "其",   "该",    "此",   "这",    "它",   "他",    "她", "該",  "這"};

/* Surnames that a Chinese name begins with: the commonest hundred cover most of the people. Sorted: looked up by
 * bisection. */
static const char surnames[] =
    "丁万严付任何余侯冯刘劉卢史叶向吕吳吴呂周唐嚴夏姚姜孔孙孟孫宋尹崔廖张張彭"
    "徐戴方曹曾朱李杜杨林梁楊武段毛江汤汪沈湯潘熊王田白盧石秦程罗肖胡苏范莫萬"
    "葉董蒋蔡蔣薛蘇袁覃許謝譚许谢谭賀賈贺贾赵趙邓邱邵邹郑郝郭鄒鄧鄭金錢鍾钟钱"
    "闫陆陈陳陶陸雷韋韓韦韩顧顾馬馮马高魏黃黄黎龍龔龙龚";

/* A number or name that the question does not have itself. */
static bool new_term(const struct terms *terms, const struct question *question, bool number)
{
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field == TERM_WORD && !term->stop && (number ? term->number : term->name) &&
            (number || term->position > 0) && !question_word(question, term->text))
            return true;
    }
    return false;
}

bool is_surname(struct str s)
{
    size_t from = 0, to = sizeof surnames / CHARACTER;

    if (s.len != CHARACTER)
        return false;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = memcmp(s.ptr, surnames + CHARACTER * middle, CHARACTER);

        if (order == 0)
            return true;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return false;
}

/* A surname standing by itself: the dictionary knows no names and falls back to single characters. */
static bool has_chinese_name(const struct terms *terms, const struct question *question)
{
    const struct term *before = NULL;

    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field != TERM_WORD)
            continue;
        if (before && before->position + 1 == term->position && term->text.len <= 6 &&
            !term->stop && !question_word(question, before->text))
            return true;
        before = is_surname(term->text) ? term : NULL;
    }
    return false;
}

static float person_stands(struct str s, const struct terms *terms, const struct question *question)
{
    if (new_term(terms, question, false) || has_chinese_name(terms, question))
        return 1;
    return has_any(s, person_words, ARRAY_LEN(person_words)) ? 0.5f : 0;
}

static float number_stands(struct str s, const struct terms *terms, const struct question *question,
                           const char *const *words, size_t count)
{
    if (new_term(terms, question, true))
        return 1;
    return has_any(s, words, count) ? 0.5f : 0;
}

static float time_stands(struct str s, const struct terms *terms, const struct question *question)
{
    bool word = has_any(s, time_words, ARRAY_LEN(time_words));

    if (new_term(terms, question, true))
        return word ? 1 : 0.7f;
    return word ? 0.7f : 0;
}

/* "7 days", "10 个工作日": a number right before a unit of time. */
static bool has_duration(const struct terms *terms, const struct question *question)
{
    static const char *const units[] = {"day",    "week",  "month",   "year", "hour", "minut",
                                        "second", "decad", "centuri", "天",   "日",   "周",
                                        "月",     "个月",  "個月",    "年",   "小时", "小時",
                                        "分钟",   "分鐘",  "工作日",  "星期"};
    const struct term *number = NULL;

    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field != TERM_WORD)
            continue;
        double value;

        if (term->number || numeral_word(term->text, &value))
            number = question_word(question, term->text) ? NULL : term;
        else if (number && term->position - number->position <= 2 &&
                 is_one_of(term->text, units, ARRAY_LEN(units)))
            return true;
    }
    return false;
}

static float duration_stands(struct str s, const struct terms *terms,
                             const struct question *question)
{
    if (has_duration(terms, question))
        return 1;
    if (new_term(terms, question, true))
        return 0.4f;
    if (!has_any(s, time_words, ARRAY_LEN(time_words)))
        return 0;
    return has_any(s, number_words, ARRAY_LEN(number_words)) ? 0.4f : 0.2f;
}

float cue_stands(enum cue cue, struct str s, const struct terms *terms,
                 const struct question *question)
{
    bool zh = str_eq(question->language, STR("zh"));

    switch (cue) {
    case CUE_NONE: return 0;
    case CUE_PERSON: return person_stands(s, terms, question);
    case CUE_TIME: return time_stands(s, terms, question);
    case CUE_DURATION: return duration_stands(s, terms, question);
    case CUE_NUMBER:
        return number_stands(s, terms, question, number_words, ARRAY_LEN(number_words));
    case CUE_PLACE:
        if (!zh && !new_term(terms, question, false))
            return 0;
        return has_any(s, place_words, ARRAY_LEN(place_words)) ? 1 : 0.3f;
    case CUE_CAUSE: return has_any(s, cause_words, ARRAY_LEN(cause_words)) ? 1 : 0;
    case CUES: break;
    }
    return 0;
}

bool is_cue_term(enum cue cue, const struct term *term, const struct question *question)
{
    if (term->field != TERM_WORD || term->stop || question_word(question, term->text))
        return false;
    switch (cue) {
    case CUE_PERSON:
    case CUE_PLACE: return (term->name && term->position > 0) || is_surname(term->text);
    case CUE_TIME:
    case CUE_DURATION:
    case CUE_NUMBER: return term->number;
    case CUE_NONE:
    case CUE_CAUSE:
    case CUES: break;
    }
    return false;
}

void stop_cue_words(struct terms *terms)
{
    static const char *const asking[] = {"how",  "几", "幾", "多少", "哪",
                                         "哪一", "何", "多", "多长", "多長"};
    static const char *const measures[] = {
        "far",  "ahead", "long", "soon", "often", "earli", "late", "fast", "quick", "old",
        "larg", "big",   "high", "tall", "deep",  "wide",  "年",   "月",   "日",    "天",
        "周",   "次",    "岁",   "个月", "长",    "長",    "时间", "時間", "久"};
    static const char *const always[] = {"deadlin", "期限", "时限", "多久", "多长", "多长时间"};
    bool follows = false;

    for (size_t i = 0; i < terms->count; i++) {
        struct term *term = &terms->at[i];

        if (term->field != TERM_WORD)
            continue;
        if (is_one_of(term->text, always, ARRAY_LEN(always)))
            term->stop = true;
        if (follows && is_one_of(term->text, measures, ARRAY_LEN(measures)))
            term->stop = true;
        follows = (follows && term->stop) || is_one_of(term->text, asking, ARRAY_LEN(asking));
    }
}

bool asks_for_list(struct str question)
{
    static const char *const ends[] = {"are there", "is there", "有哪些",
                                       "是哪些",    "包括什么", "包括哪些"};
    static const char *const begins[] = {"list ",      "which kinds ", "what kinds ", "which types",
                                         "what types", "列出",         "列举"};

    question = str_trim(question);
    while (str_ends(question, STR("?")) || str_ends(question, STR(".")))
        question = str_trim(str_slice(question, 0, question.len - 1));
    if (str_ends(question, STR("？")) || str_ends(question, STR("。")))
        question = str_slice(question, 0, question.len - STR("？").len);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(question, str_from(ends[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (str_eq_nocase(str_slice(question, 0, str_from(begins[i]).len), str_from(begins[i])))
            return true;
    return false;
}

bool refers_back(struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(back_words); i++) {
        if (s.len > 0 && lower(s.ptr[0]) == back_words[i][0] &&
            stands_at(s, 0, str_from(back_words[i])))
            return true;
    }
    return false;
}

/* Stems that companies use for one another. */
static const char *const families[][5] = {
    {"approv", "decid", "decis", "authoris", "author"},
    {"refund", "reimburs", "repay", "repaid", ""},
    {"cost", "price", "fee", "premium", "charg"},
    {"pay", "payment", "paid", "salari", "wage"},
    {"vacat", "holiday", "leav", "", ""},
    {"ill", "sick", "sickness", "illness", ""},
    {"cancel", "withdraw", "termin", "revok", ""},
    {"begin", "start", "commenc", "", ""},
    {"end", "expir", "finish", "", ""},
    {"审批", "批准", "决定", "同意", "核准"},
    {"赔款", "赔偿", "理赔", "赔付", ""},
    {"支付", "付款", "给付", "", ""},
};

size_t family_of(struct str stem)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (is_one_of(stem, families[i], ARRAY_LEN(families[i])))
            return i + 1;
    return 0;
}

bool is_of_family(struct str stem, size_t family)
{
    return family && is_one_of(stem, families[family - 1], ARRAY_LEN(families[family - 1]));
}

bool is_polar(struct str question, struct str language)
{
    static const char *const openings[] = {"is",   "are",  "was",  "were",  "am",    "do",
                                           "does", "did",  "can",  "could", "may",   "has",
                                           "have", "must", "will", "shall", "should"};

    if (str_eq(language, STR("zh")))
        return str_find(question, STR("吗")) < question.len ||
               str_find(question, STR("嗎")) < question.len ||
               str_find(question, STR("否")) < question.len;
    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        struct str word = str_from(openings[i]), begin = str_slice(question, 0, word.len);

        if (str_eq_nocase(begin, word) && question.len > word.len &&
            !is_letter(question.ptr[word.len]))
            return true;
    }
    return false;
}

/* Ends with a question mark, or has a Chinese question word: "以上就是X是什么的全部内容" answers nothing. */
bool is_asking(struct str text)
{
    static const char *const words[] = {"什么", "什麼", "多少", "哪里", "哪裡", "哪些", "哪个",
                                        "哪個", "谁",   "誰",   "吗",   "嗎",   "怎么", "怎麼"};

    return str_ends(text, STR("?")) || str_ends(text, STR("？")) ||
           has_any(text, words, ARRAY_LEN(words));
}

bool is_negated(struct str text)
{
    static const char *const words[] = {"not",     "never", "no",  "without", "cannot", "neither",
                                        "nor",     "none",  "n't", "except",  "unless", "isn't",
                                        "doesn't", "don't", "不",  "没",      "沒",     "未",
                                        "无",      "無",    "非"};

    return has_any(text, words, ARRAY_LEN(words));
}
