#include "knowledge/followup.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "index/terms.h"

#define SHORT_WORDS 3  /* "In which cases?": of so few words the subject is not among them */
#define SHORT_WIDE  18 /* bytes: six characters */
#define NAME_WORDS  4

/* --- words ------------------------------------------------------------------------------------ */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (uint8_t)c >= 0x80 || c == '\'' || c == '-';
}

/* The next word from *at on, and *at behind it. */
static bool next_word(struct str s, size_t *at, struct str *word)
{
    size_t from = *at, end;

    while (from < s.len && !is_letter(s.ptr[from]))
        from++;
    for (end = from; end < s.len && is_letter(s.ptr[end]);)
        end++;
    *word = str_slice(s, from, end);
    *at = end;
    return end > from;
}

static bool is_one(struct str word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(word, str_from(list[i])))
            return true;
    return false;
}

/* Words that say nothing about a subject: what asks, what links, what stands for a noun. */
static bool is_empty_word(struct str word)
{
    static const char *const words[] = {
        "what",  "who",    "whom", "whose",  "when",  "where",  "why",  "which", "how",  "is",
        "are",   "was",    "were", "do",     "does",  "did",    "can",  "could", "may",  "must",
        "shall", "should", "will", "would",  "has",   "have",   "had",  "be",    "been", "the",
        "a",     "an",     "of",   "for",    "in",    "on",     "at",   "to",    "by",   "with",
        "from",  "and",    "or",   "about",  "there", "i",      "we",   "you",   "my",   "our",
        "your",  "me",     "us",   "please", "tell",  "since",  "many", "much",  "long", "soon",
        "far",   "often",  "if",   "so",     "also",  "then",   "it",   "its",   "they", "them",
        "their", "that",   "this", "these",  "those", "he",     "she",  "him",   "his",  "her",
        "hers",  "one",    "any",  "some",   "get",   "within", "as",   "than",  "same", "under",
        "over"};

    return is_one(word, words, ARRAY_LEN(words));
}

static const char *const things[] = {"it",   "its",  "they",  "them", "their",
                                     "that", "this", "these", "those"};
static const char *const people[] = {"he", "she", "him", "his", "her", "hers"};

static struct str without_end(struct str s)
{
    static const char *const marks[] = {"?", ".", "!", "？", "。", "！", "呢", "，", ","};
    bool more = true;

    for (s = str_trim(s); more;) {
        more = false;
        for (size_t i = 0; i < ARRAY_LEN(marks); i++)
            if (str_ends(s, str_from(marks[i]))) {
                s = str_trim(str_slice(s, 0, s.len - str_from(marks[i]).len));
                more = s.len > 0;
            }
    }
    return s;
}

/* --- English: what is missing ------------------------------------------------------------------ */

/* "And ", "What about ": where what is new begins; 0: it does not begin like that. */
static size_t opening(struct str s)
{
    static const char *const openings[] = {
        "and what about ", "and how about ", "what about ", "how about ",
        "what if it is ",  "and what if ",   "and if ",     "and then ",
        "and also ",       "and ",           "or ",         "but ",
        "also ",           "then "};

    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        struct str one = str_from(openings[i]);

        if (s.len > one.len && str_eq_nocase(str_slice(s, 0, one.len), one))
            return one.len;
    }
    return 0;
}

static bool begins_like_a_question(struct str s)
{
    static const char *const words[] = {"what",   "who",   "when", "where", "why",  "which",
                                        "how",    "is",    "are",  "do",    "does", "did",
                                        "can",    "may",   "must", "will",  "has",  "have",
                                        "should", "could", "whom", "whose", "was"};
    struct str word;
    size_t at = 0;

    return next_word(s, &at, &word) && is_one(word, words, ARRAY_LEN(words));
}

/* Where a word for a thing or a person stands that names nothing here; len 0: nowhere. "That" before a noun
 * ("that plan") points back as well. */
static struct str find_pronoun(struct str s, const char *const *list, size_t count)
{
    struct str word;

    for (size_t at = 0; next_word(s, &at, &word);)
        if (is_one(word, list, count))
            return word;
    return STR_NONE;
}

static size_t count_full(struct str s)
{
    struct str word;
    size_t count = 0;

    for (size_t at = 0; next_word(s, &at, &word);)
        count += !is_empty_word(word);
    return count;
}

/* --- English: what it goes on from ------------------------------------------------------------- */

/* The words of a question that say what it is about, in its order. */
static bool subject_of(struct arena *arena, struct str question, struct str *out, struct err *err)
{
    struct str word;
    struct buf b;

    buf_init(&b, arena, 4 * FOLLOWUP_BYTES_MAX);
    for (size_t at = 0; next_word(question, &at, &word);) {
        if (is_empty_word(word))
            continue;
        if (b.len)
            buf_char(&b, ' ');
        buf_str(&b, word);
    }
    return buf_finish(&b, out, err);
}

static bool is_capital(struct str word)
{
    return word.ptr[0] >= 'A' && word.ptr[0] <= 'Z';
}

/* The last run of names in a text, but for its first word. */
static struct str last_name(struct str s, bool first_too)
{
    struct str word, name = STR_NONE;
    size_t end = 0, words = 0;

    for (size_t at = 0; next_word(s, &at, &word);) {
        size_t from = (size_t)(word.ptr - s.ptr);

        if (!is_capital(word) || is_empty_word(word) || (from == 0 && !first_too))
            continue;
        bool goes_on = name.len && from == end + 1 && s.ptr[end] == ' ' && words < NAME_WORDS;
        name = goes_on ? str_slice(s, (size_t)(name.ptr - s.ptr), at) : word;
        words = goes_on ? words + 1 : 1;
        end = at;
    }
    return name;
}

/* The first name of two words in an answer: whom it speaks of. */
static struct str person_of(struct str answer)
{
    struct str word, before = STR_NONE;

    for (size_t at = 0; next_word(answer, &at, &word);) {
        bool beside = before.len && word.ptr == before.ptr + before.len + 1;

        if (beside && is_capital(word) && is_capital(before) && !is_empty_word(before) &&
            !is_empty_word(word))
            return (struct str){before.ptr, before.len + 1 + word.len};
        before = word;
    }
    return STR_NONE;
}

static bool put(struct arena *arena, struct str s, struct str at, struct str by, struct str *out,
                struct err *err)
{
    size_t from = (size_t)(at.ptr - s.ptr);

    *out = arena_fmt(arena, STR_FMT STR_FMT STR_FMT, STR_ARG(str_slice(s, 0, from)), STR_ARG(by),
                     STR_ARG(str_slice(s, from + at.len, s.len)));
    return out->ptr || err_arena(err, arena);
}

/* "And in France?": the question before, with the new name for the old one or with what is new behind it. */
static bool go_on(struct arena *arena, struct str before, struct str fresh, struct str *out,
                  struct err *err)
{
    struct str was = without_end(before), name = last_name(fresh, true),
               old = last_name(was, false);

    if (name.len && old.len) {
        if (!put(arena, was, old, name, out, err))
            return false;
        *out = arena_fmt(arena, STR_FMT "?", STR_ARG(*out));
    } else {
        *out = arena_fmt(arena, STR_FMT " " STR_FMT "?", STR_ARG(was), STR_ARG(fresh));
    }
    return out->ptr || err_arena(err, arena);
}

/* "What is the address?": of what has an attribute, which stands by itself nowhere. */
static bool asks_attribute_alone(struct str q)
{
    static const char *const attributes[] = {
        "address", "phone",   "telephone", "number",   "e-mail",   "email",   "manager",
        "opening", "hours",   "fee",       "price",    "cost",     "limit",   "deadline",
        "maximum", "minimum", "amount",    "period",   "duration", "contact", "excess",
        "premium", "name",    "date",      "reason",   "result",   "address", "rate",
        "exact",   "time",    "place",     "location", "yearly",   "monthly", "daily"};
    struct str word;
    size_t full = 0;

    for (size_t at = 0; next_word(q, &at, &word);) {
        if (is_empty_word(word))
            continue;
        if (!is_one(word, attributes, ARRAY_LEN(attributes)))
            return false;
        full++;
    }
    return full > 0;
}

static bool complete_latin(struct arena *arena, struct str before, struct str answer, struct str q,
                           struct str *out, struct err *err)
{
    size_t skip = opening(q);
    struct str rest = str_slice(q, skip, q.len), fresh = without_end(rest), by;
    struct str person = find_pronoun(rest, people, ARRAY_LEN(people));
    struct str thing = find_pronoun(rest, things, ARRAY_LEN(things));
    bool asks = begins_like_a_question(rest);

    *out = q;
    if (skip && !asks)
        return go_on(arena, before, fresh, out, err);
    if (person.len && person_of(answer).len)
        return put(arena, rest, person, person_of(answer), out, err);
    if (!subject_of(arena, before, &by, err) || !by.len)
        return by.len == 0;
    if (thing.len || person.len)
        return put(arena, rest, thing.len ? thing : person, by, out, err);
    if (asks && asks_attribute_alone(fresh)) {
        *out = arena_fmt(arena, STR_FMT " of " STR_FMT "?", STR_ARG(fresh), STR_ARG(by));
        return out->ptr || err_arena(err, arena);
    }
    if (!asks && count_full(fresh) > 0 && count_full(fresh) <= SHORT_WORDS &&
        str_ends(str_trim(q), STR("?")))
        return go_on(arena, before, fresh, out, err);
    if (count_full(fresh) == 0 && str_ends(str_trim(q), STR("?"))) { /* "Since when?" */
        *out = arena_fmt(arena, STR_FMT " " STR_FMT "?", STR_ARG(fresh), STR_ARG(by));
        return out->ptr || err_arena(err, arena);
    }
    return true;
}

/* --- Chinese ----------------------------------------------------------------------------------- */

static size_t find_any(struct str s, const char *const *list, size_t count, size_t *len)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = str_find(s, str_from(list[i]));

        if (at < s.len) {
            *len = str_from(list[i]).len;
            return at;
        }
    }
    *len = 0;
    return s.len;
}

/* The question without what asks: "报案的期限是多久" is about "报案的期限". */
static bool subject_of_wide(struct arena *arena, struct str question, struct str *out,
                            struct err *err)
{
    static const char *const asking[] = {
        "为什么", "什么时候", "多少天", "多少钱", "多少", "多长时间", "多久",
        "多长",   "什么",     "哪一天", "哪位",   "哪里", "哪些",     "哪个",
        "何时",   "是否",     "怎么",   "如何",   "谁",   "几天",     "几个",
        "几",     "吗",       "呢",     "请问",   "可以", "是",       "有"};
    struct str rest = without_end(question);
    size_t len;
    struct buf b;

    buf_init(&b, arena, 4 * FOLLOWUP_BYTES_MAX);
    while (rest.len) {
        size_t found = rest.len, found_len = 0;

        for (size_t i = 0; i < ARRAY_LEN(asking); i++) {
            size_t at = find_any(rest, &asking[i], 1, &len);

            if (at < found || (at == found && len > found_len)) {
                found = at;
                found_len = len;
            }
        }
        buf_str(&b, str_slice(rest, 0, found));
        rest = str_slice(rest, found + found_len, rest.len);
    }
    return buf_finish(&b, out, err);
}

/* "北京的补贴是多少" and "上海呢": what stands before the first 的 is changed for what is as long. */
static bool go_on_wide(struct arena *arena, struct str before, struct str fresh, struct str *out,
                       struct err *err)
{
    size_t of = str_find(before, STR("的"));

    if (of < before.len && of == fresh.len)
        *out = arena_fmt(arena, STR_FMT STR_FMT, STR_ARG(fresh),
                         STR_ARG(str_slice(before, of, before.len)));
    else
        *out = arena_fmt(arena, STR_FMT "，" STR_FMT, STR_ARG(fresh), STR_ARG(before));
    return out->ptr || err_arena(err, arena);
}

/* 需要提前多久申请: what is done and how it is asked, and nothing that it is done with. */
static bool lacks_subject_wide(struct str q)
{
    static const char *const words[] = {
        "什么时候", "多长时间", "多少天", "多少钱", "多少", "多久", "几天", "几个", "哪里", "哪些",
        "哪个",     "什么",     "怎么",   "怎样",   "如何", "向谁", "由谁", "找谁", "谁",   "何时",
        "为什么",   "需要",     "应该",   "必须",   "可以", "最多", "最少", "最长", "至少", "提前",
        "能",       "要",       "应",     "会",     "在",   "到",   "得",   "吗",   "呢",   "有",
        "是",       "前",       "后",     "申请",   "提交", "办理", "批准", "审批", "同意", "通知",
        "支付",     "报销",     "领取",   "使用",   "开始", "结束", "生效", "失效", "决定", "负责",
        "取消",     "延长",     "登记",   "请问"};
    struct str rest = without_end(q);

    while (rest.len) {
        size_t longest = 0;

        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (str_starts(rest, str_from(words[i])))
                longest = MAX_OF(longest, str_from(words[i]).len);
        if (!longest)
            return false;
        rest = str_slice(rest, longest, rest.len);
    }
    return true;
}

static bool complete_wide(struct arena *arena, struct str before, struct str q, struct str *out,
                          struct err *err)
{
    static const char *const openings[] = {"那么", "那", "还有", "另外", "如果是", "要是", "而"};
    static const char *const pronouns[] = {"这个", "那个", "这些", "那些", "这件事", "它们", "他们",
                                           "它",   "此事", "其",   "这",   "他",     "她"};
    static const char *const asking[] = {"谁",   "什么", "多少", "几",   "哪",  "何",
                                         "怎么", "吗",   "多久", "多长", "如何"};
    struct str trimmed = str_trim(q), rest = trimmed, subject;
    size_t len, at;
    bool wants_more = str_ends(trimmed, STR("呢？")) || str_ends(trimmed, STR("呢")) ||
                      str_ends(trimmed, STR("呢?"));

    *out = q;
    at = find_any(rest, openings, ARRAY_LEN(openings), &len);
    bool opens =
        at == 0 && len > 0 && !str_starts(rest, STR("那个")) && !str_starts(rest, STR("那些"));
    if (opens)
        rest = str_slice(rest, len, rest.len);
    if (str_starts(rest, STR("，")))
        rest = str_slice(rest, STR("，").len, rest.len);
    bool asks = find_any(rest, asking, ARRAY_LEN(asking), &len) < rest.len;
    if ((opens || wants_more) && !asks && without_end(rest).len)
        return go_on_wide(arena, before, without_end(rest), out, err);
    if (!subject_of_wide(arena, before, &subject, err) || !subject.len)
        return subject.len == 0;
    at = find_any(rest, pronouns, ARRAY_LEN(pronouns), &len);
    if (len)
        return put(arena, rest, str_slice(rest, at, at + len), subject, out, err);
    if (opens || without_end(rest).len <= SHORT_WIDE || lacks_subject_wide(rest)) {
        *out = arena_fmt(arena, STR_FMT STR_FMT, STR_ARG(subject), STR_ARG(rest));
        return out->ptr || err_arena(err, arena);
    }
    return true;
}

/* --- a conversation ---------------------------------------------------------------------------- */

static bool complete_one(struct arena *arena, struct str before, struct str answer, struct str q,
                         struct str *out, struct err *err)
{
    bool wide = str_eq(text_language(q), STR("zh"));

    *out = q;
    if (!str_trim(before).len || q.len > FOLLOWUP_BYTES_MAX)
        return true;
    if (wide != str_eq(text_language(before), STR("zh")))
        return true;
    if (!(wide ? complete_wide(arena, before, q, out, err)
               : complete_latin(arena, before, answer, str_trim(q), out, err)))
        return false;
    if (out->len > FOLLOWUP_BYTES_MAX)
        *out = q; /* too much has gathered: it says nothing any more */
    return true;
}

bool followup_complete(struct arena *arena, const struct utterance *before, size_t count,
                       struct str question, struct str *out, struct err *err)
{
    size_t first = count > FOLLOWUP_TURNS ? count - FOLLOWUP_TURNS : 0;
    struct str last = STR_NONE, answer = STR_NONE, one;

    for (size_t i = first; i < count; i++) {
        struct str text = str_trim(before[i].text);

        if (!before[i].user) {
            answer = str_slice(text, 0, utf8_boundary(text, FOLLOWUP_BYTES_MAX));
            continue;
        }
        if (!complete_one(arena, last, answer, text, &one, err))
            return false;
        if (one.len && one.len <= FOLLOWUP_BYTES_MAX)
            last = one;
        answer = STR_NONE;
    }
    return complete_one(arena, last, answer, question, out, err);
}
