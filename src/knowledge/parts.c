#include "knowledge/parts.h"

#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "index/terms.h"

#define PART_BYTES_MAX ((size_t)16 * KIB)
#define LIKE_MAX       36 /* bytes of what stands on either side of 和 */

struct split {
    struct arena *arena;
    struct question_parts *out;
    const struct name_span *names;
    size_t name_count;
    bool failed;
};

/* --- words ------------------------------------------------------------------------------------ */

static const char *const asking_words[] = {"what",  "who",    "whom", "whose", "which", "when",
                                           "where", "why",    "how",  "is",    "are",   "was",
                                           "were",  "does",   "do",   "did",   "can",   "may",
                                           "must",  "should", "will", "has",   "have"};
#define WH_WORDS 9 /* of them, in front */
static const char *const wide_asking[] = {"谁", "什么", "哪",     "多少", "几",   "何时", "如何",
                                          "怎", "为何", "为什么", "吗",   "是否", "多久", "何"};

static bool has_one(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_find(text, str_from(list[i])) < text.len)
            return true;
    return false;
}

static size_t word_end(struct str text, size_t at)
{
    while (at < text.len && ((text.ptr[at] | 0x20) >= 'a' && (text.ptr[at] | 0x20) <= 'z'))
        at++;
    return at;
}

static bool is_asking(struct str word, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(word, str_from(asking_words[i])))
            return true;
    return false;
}

static size_t words_in(struct str text)
{
    size_t count = 0;
    bool inside = false;

    for (size_t i = 0; i < text.len; i++) {
        bool space = text.ptr[i] == ' ';

        count += !space && !inside;
        inside = !space;
    }
    return count;
}

static bool is_wide(struct str text)
{
    return str_eq(text_language(text), STR("zh"));
}

/* Enough to be asked by itself: "and when?" is not. */
static bool says_enough(struct str text)
{
    return is_wide(text) ? utf8_count(text) >= 4 : words_in(text) >= 3;
}

/* --- parts ------------------------------------------------------------------------------------ */

static void put_part(struct split *s, struct str text)
{
    struct question_parts *out = s->out;

    text = str_trim(text);
    while (text.len && (text.ptr[text.len - 1] == ',' || text.ptr[text.len - 1] == ';'))
        text = str_trim(str_slice(text, 0, text.len - 1));
    if (!text.len || out->count == PARTS_MAX)
        return;
    out->text[out->count++] = text;
}

/* The pieces of one text, glued. */
static void put_glued(struct split *s, const struct str *pieces, size_t count)
{
    struct buf b;

    buf_init(&b, s->arena, PART_BYTES_MAX);
    for (size_t i = 0; i < count; i++)
        buf_str(&b, pieces[i]);
    s->failed = s->failed || !buf_ok(&b);
    put_part(s, buf_view(&b));
}

/* --- lines and sentences ---------------------------------------------------------------------- */

/* Bytes of "1. ", "2) ", "(3) ", "- ", "（一）", "1、" at the beginning of a line. */
static size_t list_mark(struct str line)
{
    size_t at = str_starts(line, STR("(")) ? 1 : 0, digits = at;

    if (str_starts(line, STR("- ")) || str_starts(line, STR("* ")))
        return 2;
    while (at < line.len && line.ptr[at] >= '0' && line.ptr[at] <= '9')
        at++;
    if (at == digits || at - digits > 2)
        return 0;
    struct str rest = str_slice(line, at, line.len);
    if (str_starts(rest, STR(". ")) || str_starts(rest, STR(") ")))
        return at + 2;
    return str_starts(rest, STR("、")) || str_starts(rest, STR("．")) ? at + 3 : 0;
}

static void split_lines(struct split *s, struct str text)
{
    size_t items = 0;

    for (struct str rest = text, line; str_split(&rest, '\n', &line);)
        items += list_mark(str_trim(line)) > 0;
    if (items < 2)
        return;
    for (struct str rest = text, line; str_split(&rest, '\n', &line);) {
        line = str_trim(line);
        size_t mark = list_mark(line);
        bool last = s->out->count + 1 == PARTS_MAX;

        if (mark)
            put_part(s, last ? (struct str){line.ptr + mark,
                                            (size_t)(text.ptr + text.len - line.ptr) - mark}
                             : str_slice(line, mark, line.len));
    }
}

/* Behind the question mark, or 0: none at `at`. */
static size_t mark_end(struct str text, size_t at)
{
    struct str rest = str_slice(text, at, text.len);

    if (text.ptr[at] == '?')
        return at + 1;
    if (str_starts(rest, STR("？")) || str_starts(rest, STR("；")))
        return at + 3;
    return text.ptr[at] == ';' ? at + 1 : 0;
}

static void split_marks(struct split *s, struct str text)
{
    size_t from = 0, asked = 0;

    for (size_t at = 0; at < text.len && s->out->count + 1 < PARTS_MAX; at++) {
        size_t end = mark_end(text, at);

        if (!end || !says_enough(str_trim(str_slice(text, from, at))))
            continue;
        put_part(s, str_slice(text, from, end));
        from = end;
        asked++;
    }
    if (says_enough(str_trim(str_slice(text, from, text.len))))
        put_part(s, str_slice(text, from, text.len));
    if (s->out->count < 2 || !asked)
        s->out->count = 0;
}

/* --- "What is X and who is Y?" ---------------------------------------------------------------- */

/* The second clause: a word that asks, then one that goes with it. */
static bool asks_anew(struct str text, struct str before)
{
    static const char *const with[] = {"is",   "are", "was",    "were", "do",   "does", "did",
                                       "can",  "has", "have",   "much", "many", "long", "often",
                                       "soon", "far", "should", "must", "may",  "will", "old"};
    size_t end = word_end(text, 0);
    struct str word = str_slice(text, 0, end), rest = str_trim(str_slice(text, end, text.len));
    struct str next = str_slice(rest, 0, word_end(rest, 0));
    bool wh = is_asking(word, WH_WORDS);

    if (!wh) /* "what is X and is it Y" asks two things, "who lives and is old" one */
        return false;
    for (size_t i = 0; i < ARRAY_LEN(with); i++)
        if (str_eq_nocase(next, str_from(with[i])))
            return true;
    /* "and who Y?" when nothing of the first clause could go on so. */
    return !str_eq_nocase(word, STR("which")) &&
           !has_one(before, (const char *const[]){" who ", " that ", " which ", " whose "}, 4) &&
           words_in(rest) >= 1;
}

static bool begins_asking(struct str text)
{
    return is_asking(str_slice(text, 0, word_end(text, 0)), ARRAY_LEN(asking_words));
}

static void split_clauses(struct split *s, struct str text)
{
    static const struct str joint = STR(" and ");
    size_t from = 0;

    if (!begins_asking(text))
        return;
    for (size_t at = 0; at < text.len && s->out->count + 1 < PARTS_MAX; at++) {
        struct str rest = str_slice(text, at, text.len);

        if (!str_starts(rest, joint) ||
            !asks_anew(str_slice(rest, joint.len, rest.len), str_slice(text, from, at)) ||
            !says_enough(str_slice(text, from, at)) ||
            !says_enough(str_slice(rest, joint.len, rest.len)))
            continue;
        put_part(s, str_slice(text, from, at));
        from = at + joint.len;
        at = from - 1;
    }
    if (s->out->count)
        put_part(s, str_slice(text, from, text.len));
}

static void split_wide_clauses(struct split *s, struct str text)
{
    static const char *const joints[] = {"，以及", "以及", "，并且", "，同时", "，还有", "，"};

    for (size_t at = 0; at < text.len; at++) {
        struct str rest = str_slice(text, at, text.len), before = str_slice(text, 0, at);

        for (size_t i = 0; i < ARRAY_LEN(joints); i++) {
            struct str joint = str_from(joints[i]);
            struct str behind = str_slice(rest, joint.len, rest.len);

            if (!str_starts(rest, joint) || !says_enough(before) || !says_enough(behind) ||
                !has_one(before, wide_asking, ARRAY_LEN(wide_asking)) ||
                !has_one(behind, wide_asking, ARRAY_LEN(wide_asking)))
                continue;
            put_part(s, before);
            put_part(s, behind);
            return;
        }
    }
}

/* --- one thing of several --------------------------------------------------------------------- */

/* "... of A in 2018 and B in 2017. Which had more?": A and B are names, "and" stands between. */
static bool find_pair(const struct split *s, struct str text, size_t *first, size_t *joint)
{
    for (size_t i = 0; i + 1 < s->name_count; i++) {
        struct str between = str_slice(text, s->names[i].to, s->names[i + 1].from);
        size_t at = str_find(between, STR(" and "));

        if (at < between.len && at + 5 == between.len && words_in(between) <= 8) {
            *first = i;
            *joint = s->names[i].to + at;
            return true;
        }
    }
    return false;
}

static size_t sentence_stop(struct str text, size_t from)
{
    for (size_t at = from; at + 1 < text.len; at++)
        if ((text.ptr[at] == '.' || text.ptr[at] == '?') && text.ptr[at + 1] == ' ' &&
            at > from + 3)
            return at + 1;
    return text.len;
}

static bool compares(struct str text)
{
    static const char *const words[] = {"ompare",  "respectively", " both ", "difference between",
                                        "differ ", "versus",       " vs"};

    return has_one(text, words, ARRAY_LEN(words));
}

static void split_names(struct split *s, struct str text)
{
    size_t first, joint;

    if (!find_pair(s, text, &first, &joint))
        return;
    const struct name_span *a = &s->names[first], *b = a + 1;
    struct str before = str_slice(text, 0, a->from);
    struct str one = str_slice(text, a->from, joint);
    size_t stop = sentence_stop(text, b->to);
    struct str own = str_slice(text, a->to, joint), after = str_slice(text, b->to, stop);

    if (!compares(text) && str_trim(own).len == 0 && words_in(before) < 3)
        return;
    /* "A in 2018 and B in 2017": what follows B is B's; "A and B in 2017" is of both. */
    put_glued(s, (const struct str[]){before, one, str_trim(own).len ? STR_NONE : after}, 3);
    put_glued(s, (const struct str[]){before, str_slice(text, b->from, b->to), after}, 3);
    s->out->compares = true;
}

/* How much of `text` behind 和 is like what stands before it: up to the character that ends both. */
static size_t like_length(struct str behind, struct str last)
{
    size_t at = str_find(str_slice(behind, 0, LIKE_MAX), last);

    return at < MIN_OF(behind.len, (size_t)LIKE_MAX) ? at + last.len : 0;
}

/* 2021年中国和美国经济分别增长了多少: 2021年中国经济..., 2021年美国经济... */
static bool split_alike_at(struct split *s, struct str text, size_t at, size_t joint)
{
    struct str before = str_slice(text, 0, at), behind = str_slice(text, at + joint, text.len);
    size_t len = 0, left = 0;

    if (before.len < 6 || behind.len < 6)
        return false;
    len = like_length(behind, str_slice(before, before.len - 3, before.len));
    left = len;
    if (len && len < 6)
        return false;
    if (!len) /* two characters each: 主演和导演 */
        len = left = 6;
    /* 2022年和2023年: digits are single bytes. */
    while (left < before.len && len > left)
        left++;
    if (left > before.len)
        left = before.len;
    left = utf8_boundary(before, before.len - left);
    put_glued(s, (const struct str[]){before, str_slice(behind, len, behind.len)}, 2);
    put_glued(s, (const struct str[]){str_slice(before, 0, left), behind}, 2);
    s->out->compares = true;
    return true;
}

static void split_alike(struct split *s, struct str text)
{
    static const char *const joints[] = {"以及", "和", "与", "及"};
    bool apart = has_one(text, (const char *const[]){"分别", "各是", "各自", "比较", "对比"}, 5);

    for (size_t at = 0; at < text.len; at++)
        for (size_t i = 0; i < ARRAY_LEN(joints); i++) {
            struct str joint = str_from(joints[i]);
            bool years = at > 3 && str_eq(str_slice(text, at - 3, at), STR("年")) &&
                         at + joint.len < text.len && text.ptr[at + joint.len] >= '0' &&
                         text.ptr[at + joint.len] <= '9';

            if (!str_starts(str_slice(text, at, text.len), joint) || (!apart && !years))
                continue;
            if (split_alike_at(s, text, at, joint.len))
                return;
        }
}

/* --- "it" ------------------------------------------------------------------------------------- */

static bool replace_word(struct split *s, struct str *text, const char *word, struct str name,
                         const char *ending)
{
    struct str what = str_from(word);
    size_t at = str_find(*text, what);
    bool latin = (uint8_t)word[0] < 0x80;

    if (at == text->len)
        return false;
    size_t behind = at + what.len;
    if (latin && ((at > 0 && text->ptr[at - 1] != ' ') ||
                  (behind < text->len && word_end(*text, behind) > behind)))
        return false;
    struct str made =
        arena_fmt(s->arena, STR_FMT STR_FMT "%s" STR_FMT, STR_ARG(str_slice(*text, 0, at)),
                  STR_ARG(name), ending, STR_ARG(str_slice(*text, behind, text->len)));
    s->failed = s->failed || !made.ptr;
    *text = made.ptr ? made : *text;
    return true;
}

/* What the parts behind the first call "it" is what the first names last. */
static void name_pronouns(struct split *s, struct str question)
{
    static const struct {
        const char *word, *ending;
    } words[] = {{"its", "'s"},  {"it", ""},  {"their", "'s"}, {"they", ""},   {"his", "'s"},
                 {"he", ""},     {"she", ""}, {"该公司", ""},  {"它的", "的"}, {"它", ""},
                 {"他的", "的"}, {"他", ""},  {"她的", "的"},  {"她", ""},     {"其", "的"}};
    struct str name = STR_NONE;
    size_t first = s->out->count ? s->out->text[0].len : 0;

    for (size_t i = 0; i < s->name_count && s->names[i].to <= first; i++)
        name = str_slice(question, s->names[i].from, s->names[i].to);
    for (size_t p = 1; name.len && p < s->out->count; p++)
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (replace_word(s, &s->out->text[p], words[i].word, name, words[i].ending))
                break;
}

bool question_split(struct arena *arena, struct str question, const struct name_span *names,
                    size_t name_count, struct question_parts *out, struct err *err)
{
    static void (*const latin[])(struct split *, struct str) = {split_lines, split_names,
                                                                split_marks, split_clauses};
    static void (*const wide[])(struct split *, struct str) = {split_lines, split_marks,
                                                               split_wide_clauses, split_alike};
    struct question_parts parts = {0};
    struct split s = {.arena = arena, .out = &parts, .names = names, .name_count = name_count};
    bool zh = is_wide(question);

    for (size_t i = 0; i < ARRAY_LEN(latin) && parts.count < 2; i++) {
        parts = (struct question_parts){0};
        (zh ? wide : latin)[i](&s, question);
    }
    if (parts.count >= 2 && !parts.compares)
        name_pronouns(&s, question);
    if (s.failed)
        return err_arena(err, arena);
    if (parts.count < 2)
        parts = (struct question_parts){.text = {question}, .count = 1};
    *out = parts;
    return true;
}
