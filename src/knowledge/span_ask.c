/* What a question asks for, and where in its answer the gap is: "Who founded X" is answered right before
 * "founded"; in Chinese the question word stands where the answer would. */
#include <string.h>

#include "base/utf8.h"
#include "knowledge/span_internal.h"

struct ask_words {
    const char *text;
    enum ask ask;
};
/* First match wins. */
static const struct ask_words chinese[] = {
    {"为什么", ASK_WHY},       {"為什麼", ASK_WHY},        {"为何", ASK_WHY},
    {"為何", ASK_WHY},         {"什么原因", ASK_WHY},      {"什麼原因", ASK_WHY},
    {"哪一年", ASK_YEAR},      {"哪年", ASK_YEAR},         {"何年", ASK_YEAR},
    {"几几年", ASK_YEAR},      {"哪個年", ASK_YEAR},       {"几年", ASK_YEAR},
    {"什么时候", ASK_WHEN},    {"什麼時候", ASK_WHEN},     {"什么时间", ASK_WHEN},
    {"什麼時間", ASK_WHEN},    {"何时", ASK_WHEN},         {"何時", ASK_WHEN},
    {"哪一天", ASK_WHEN},      {"哪天", ASK_WHEN},         {"哪个月", ASK_WHEN},
    {"几月", ASK_WHEN},        {"哪个时期", ASK_WHEN},     {"哪個時期", ASK_WHEN},
    {"多久", ASK_DURATION},    {"多长时间", ASK_DURATION}, {"多長時間", ASK_DURATION},
    {"百分之几", ASK_PERCENT}, {"百分之幾", ASK_PERCENT},  {"百分之多少", ASK_PERCENT},
    {"多少", ASK_COUNT},       {"多大", ASK_COUNT},        {"多高", ASK_COUNT},
    {"多长", ASK_COUNT},       {"多長", ASK_COUNT},        {"多重", ASK_COUNT},
    {"几", ASK_COUNT},         {"幾", ASK_COUNT},          {"谁", ASK_WHO},
    {"誰", ASK_WHO},           {"哪位", ASK_WHO},          {"何人", ASK_WHO},
    {"什么人", ASK_WHO},       {"什麼人", ASK_WHO},        {"哪里", ASK_WHERE},
    {"哪裡", ASK_WHERE},       {"哪裏", ASK_WHERE},        {"哪儿", ASK_WHERE},
    {"何处", ASK_WHERE},       {"何處", ASK_WHERE},        {"何地", ASK_WHERE},
    {"什么地方", ASK_WHERE},   {"什麼地方", ASK_WHERE},    {"如何", ASK_HOW},
    {"怎么样", ASK_HOW},       {"怎樣", ASK_HOW},          {"怎样", ASK_HOW},
    {"怎么", ASK_HOW},         {"怎麼", ASK_HOW},          {"哪一个", ASK_THING},
    {"哪一個", ASK_THING},     {"哪一", ASK_THING},        {"哪些", ASK_THING},
    {"哪个", ASK_THING},       {"哪個", ASK_THING},        {"哪种", ASK_THING},
    {"哪種", ASK_THING},       {"哪", ASK_THING},          {"何种", ASK_THING},
    {"何種", ASK_THING},       {"什么", ASK_WHAT},         {"什麼", ASK_WHAT},
    {"甚麼", ASK_WHAT},        {"何", ASK_THING},          {"是否", ASK_POLAR},
    {"吗", ASK_POLAR},         {"嗎", ASK_POLAR},
};
static const char *const auxiliaries[] = {
    "is",   "are", "was", "were",  "be",   "been",  "being", "did",   "does",   "do",   "has",
    "have", "had", "can", "could", "will", "would", "may",   "might", "should", "must", "shall"};
static const char *const copulas[] = {"is", "are", "was", "were"};
static const char *const doing[] = {"did", "does", "do"};
static const char *const question_words[] = {"who",  "whom",  "whose", "what", "which",
                                             "when", "where", "why",   "how"};
static const char *const kinds[] = {"type", "types", "kind", "kinds", "sort",
                                    "name", "names", "form", "part"};

static struct str word_at(const struct span_request *r, const struct asking *a, size_t i)
{
    if (i >= a->tokens.count)
        return STR_NONE;
    return str_slice(r->question->text, a->tokens.at[i].from, a->tokens.at[i].to);
}

static bool word_is(const struct span_request *r, const struct asking *a, size_t i,
                    const char *const *words, size_t count)
{
    return i < a->tokens.count && is_one_of_words(word_at(r, a, i), words, count);
}

#define WORD_IN(i, list) word_is(r, a, i, list, ARRAY_LEN(list))

static bool says(const struct span_request *r, const struct asking *a, size_t i, const char *word)
{
    return str_eq_nocase(word_at(r, a, i), str_from(word));
}

static bool is_content(const struct token *t)
{
    return t->shape > SHAPE_FUNCTION;
}

/* --- English ---------------------------------------------------------------------------------- */

static enum ask ask_how(const struct span_request *r, const struct asking *a, size_t at)
{
    static const char *const degrees[] = {"far",  "large", "big",  "high", "old",  "tall",
                                          "fast", "deep",  "wide", "hot",  "heavy"};

    if (says(r, a, at + 1, "many"))
        return ASK_COUNT;
    if (says(r, a, at + 1, "much"))
        return ASK_MUCH;
    if (says(r, a, at + 1, "long") || says(r, a, at + 1, "often") || says(r, a, at + 1, "soon"))
        return ASK_DURATION;
    return WORD_IN(at + 1, degrees) ? ASK_COUNT : ASK_HOW;
}

static enum ask ask_thing(const struct span_request *r, const struct asking *a, size_t at)
{
    static const char *const years[] = {"year", "years"};
    static const char *const times[] = {"date",   "day",    "month",  "century",
                                        "decade", "season", "period", "time"};
    static const char *const shares[] = {"percent", "percentage", "proportion", "fraction"};
    static const char *const numbers[] = {"number", "amount"};
    static const char *const places[] = {"country", "city", "state", "region", "county", "town"};

    if (WORD_IN(at, years))
        return ASK_YEAR;
    if (WORD_IN(at, times))
        return ASK_WHEN;
    if (WORD_IN(at, shares))
        return ASK_PERCENT;
    if (WORD_IN(at, numbers))
        return ASK_COUNT;
    return WORD_IN(at, places) ? ASK_WHERE : ASK_THING;
}

static const char *const allowing[] = {"may", "can", "must", "should"};

static enum ask ask_of(const struct span_request *r, const struct asking *a, size_t at)
{
    struct str word = word_at(r, a, at);

    if (str_starts(word, STR("wh")) || str_starts(word, STR("Wh"))) {
        if (str_eq_nocase(word, STR("when"))) /* "when may I ...?": under what condition */
            return WORD_IN(at + 1, allowing) ? ASK_OTHER : ASK_WHEN;
        if (str_eq_nocase(word, STR("where")))
            return ASK_WHERE;
        if (str_eq_nocase(word, STR("why")))
            return ASK_WHY;
        if ((word.ptr[2] | 0x20) == 'o')
            return ASK_WHO;
        if (WORD_IN(at + 1, auxiliaries) || at + 1 >= a->tokens.count)
            return ASK_WHAT;
        return ask_thing(r, a, at + 1);
    }
    return ask_how(r, a, at);
}

/* The noun that says what kind of thing: "what TEAM", "what type of FUEL", "what is the CAPITAL of". */
static size_t focus_at(const struct span_request *r, const struct asking *a, size_t at)
{
    size_t i = at + 1;

    if (a->ask == ASK_COUNT || a->ask == ASK_MUCH || a->ask == ASK_DURATION)
        i++;
    if (a->ask == ASK_WHAT)
        while (WORD_IN(i, auxiliaries) || says(r, a, i, "the") || says(r, a, i, "a"))
            i++;
    if (WORD_IN(i, kinds) && says(r, a, i + 1, "of"))
        i += 2;
    while (says(r, a, i, "the") || says(r, a, i, "a"))
        i++;
    /* The last of a run is the noun: "what NFL team". */
    while (i + 1 < a->tokens.count && is_content(&a->tokens.at[i]) &&
           is_content(&a->tokens.at[i + 1]) && !WORD_IN(i + 1, auxiliaries) &&
           a->tokens.at[i + 1].shape != SHAPE_ED && a->ask != ASK_WHAT)
        i++;
    return i < a->tokens.count && is_content(&a->tokens.at[i]) ? i : SIZE_MAX;
}

static enum form form_of(const struct span_request *r, const struct asking *a, size_t at,
                         size_t behind)
{
    if (at > 3)
        return FORM_LATE;
    if (WORD_IN(behind, doing))
        return FORM_DO;
    if (WORD_IN(behind, copulas))
        return FORM_BE;
    return WORD_IN(behind, auxiliaries) ? FORM_OTHER : FORM_SUBJECT;
}

static void read_english(const struct span_request *r, struct asking *a)
{
    size_t at = 0, focus;

    while (at < a->tokens.count && !WORD_IN(at, question_words))
        at++;
    if (a->tokens.count > 1)
        a->opening = a->tokens.at[0].word * 31 + a->tokens.at[1].word;
    for (size_t i = 0; i < a->tokens.count; i++)
        if (is_content(&a->tokens.at[i])) {
            a->last = a->tokens.at[i].stem;
            a->last_asked = a->tokens.at[i].asked;
        }
    if (at == a->tokens.count) {
        a->ask = r->question->polar ? ASK_POLAR : ASK_OTHER;
        return;
    }
    a->ask = ask_of(r, a, at);
    focus = focus_at(r, a, at);
    size_t behind = at + 1;
    if (focus != SIZE_MAX) {
        a->focus = a->tokens.at[focus].stem;
        a->focus_word = a->tokens.at[focus].word;
        if (a->ask != ASK_WHAT && a->ask != ASK_WHO && a->ask != ASK_WHEN && a->ask != ASK_WHERE &&
            a->ask != ASK_HOW && a->ask != ASK_WHY)
            behind = focus + 1;
    }
    if (a->ask == ASK_WHO) /* the verb is no kind of thing */
        a->focus = a->focus_word = 0;
    a->form = form_of(r, a, at, behind);
    a->before = at > 0 ? a->tokens.at[at - 1].word : 0;
    a->after = behind < a->tokens.count ? a->tokens.at[behind].word : 0;
    for (size_t i = behind; i < a->tokens.count && !a->verb; i++)
        if (is_content(&a->tokens.at[i])) {
            a->verb = a->tokens.at[i].stem;
            a->verb_asked = a->tokens.at[i].asked;
        }
}

/* --- Chinese ---------------------------------------------------------------------------------- */

/* "……的时间？": without a question word. */
static enum ask closing_ask(struct str question)
{
    static const enum ask asks[CUES] = {[CUE_PERSON] = ASK_WHO,
                                        [CUE_TIME] = ASK_WHEN,
                                        [CUE_DURATION] = ASK_DURATION,
                                        [CUE_NUMBER] = ASK_COUNT,
                                        [CUE_PLACE] = ASK_WHERE};

    return asks[closing_cue(question)];
}

static void read_chinese(const struct span_request *r, struct asking *a)
{
    static const char *const measures[] = {"个", "個", "种", "種", "些", "一", "位", "座",
                                           "名", "类", "類", "款", "部", "样", "樣"};
    struct str text = r->question->text;
    size_t at = text.len, end = text.len;

    for (size_t i = 0; i < ARRAY_LEN(chinese) && at == text.len; i++) {
        at = str_find(text, str_from(chinese[i].text));
        if (at == text.len)
            continue;
        a->ask = chinese[i].ask;
        end = at + str_from(chinese[i].text).len;
    }
    if (at == text.len)
        a->ask = closing_ask(text);
    if (a->ask == ASK_PERCENT && str_find(text, STR("百分之")) == at)
        at = end;
    for (size_t i = 0; i < ARRAY_LEN(measures) && end < text.len && a->ask != ASK_COUNT; i++)
        if (str_starts(str_slice(text, end, text.len), str_from(measures[i])))
            end += str_from(measures[i]).len;
    a->left = str_slice(text, 0, at);
    a->right = str_slice(text, end, text.len);
    if (at == text.len)
        a->left = a->right = STR_NONE;
    for (size_t i = 0; i < a->tokens.count; i++) {
        const struct token *t = &a->tokens.at[i];

        if (t->to <= at)
            a->before = t->word;
        if (is_content(t)) {
            a->last = t->stem;
            a->last_asked = t->asked;
        }
        if (t->from < end)
            continue;
        if (!a->after) {
            a->after = t->word;
            a->focus = is_content(t) ? t->look : 0;
            a->focus_word = is_content(t) ? t->word : 0;
        }
        if (!a->verb && is_content(t)) {
            a->verb = t->stem;
            a->verb_asked = t->asked;
        }
    }
    /* "……是什么？" and "什么……？" */
    a->form = at == text.len                 ? FORM_OTHER
              : a->right.len <= 6            ? FORM_LATE
              : str_ends(a->left, STR("由")) ? FORM_BE
              : at == 0                      ? FORM_SUBJECT
                                             : FORM_DO;
}

bool asking_read(const struct span_request *r, struct asking *out, struct err *err)
{
    struct asking a = {0};

    if (!tokens_read(r, r->question->text, 0, (uint32_t)r->question->text.len, true, &a.tokens,
                     err))
        return false;
    if (str_eq(r->question->language, STR("zh")))
        read_chinese(r, &a);
    else
        read_english(r, &a);
    *out = a;
    return true;
}
