/* weir_support DATA: how well the check of sentences tells what passages say from what they do not.
 * Statements are made from the development questions, their answers and their passages:
 *   supported    the sentence that answers as it stands; the question with the answer in its question word's
 *                place, in the words of who asked
 *   unsupported  both with another number, another name, another answer of the same passage, or denied
 * Each is checked against its one passage, as if it had been cited.
 *   weir_support DATA [--every N] [--half development|held-out] [--show CLASS]    CLASS: a line of the table; prints what was judged wrongly */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/table.h"
#include "base/utf8.h"
#include "knowledge/numeral.h"
#include "knowledge/passage.h"
#include "knowledge/support.h"
#include "sys/file.h"

#define FILE_MAX      ((size_t)64 * MIB)
#define SENTENCES_MAX 400
#define ANSWERS_NEAR  64 /* of one passage, to take other answers from */

enum made {
    MADE_SENTENCE,
    MADE_STATEMENT,
    MADE_JOINED,
    MADE_NUMBER,
    MADE_NUMBER_SAID,
    MADE_NAME,
    MADE_NAME_SAID,
    MADE_OTHER,
    MADE_DENIED,
    MADE_SENTENCE_NUMBER,
    MADE_SENTENCE_DENIED,
    MADE_SIDE_SAID,
    MADE_SIDE_TURNED,
    MADES
};
static const struct {
    const char *name;
    bool supported;
} kinds[MADES] = {
    {"sentence as it stands", true},
    {"question and answer as a statement", true},
    {"two sentences as one", true},
    {"... an invented number", false},
    {"... a number of the same passage", false},
    {"... an invented name", false},
    {"... a name of the same passage", false},
    {"... any other answer of the same passage", false},
    {"... denied", false},
    {"sentence with an invented number", false},
    {"sentence denied", false},
    {"sentence, \"at least\" in other words", true},
    {"sentence, \"at least\" as \"at most\"", false},
};

struct passage_said {
    struct str title, text;
    struct evidence *evidence;
    struct str answers[ANSWERS_NEAR];
    size_t answer_count;
};
struct support_run {
    struct arena *arena, *scratch;
    struct analyser *analyser;
    struct table passages;
    uint32_t every;
    int half; /* 0 or 1: passages whose hash ends so; -1: all */
    const char *show;
    uint32_t seen[MADES], stopped[MADES], why[MADES][LACKS];
};

static bool is_wide_text(struct str s)
{
    return str_eq(text_language(s), STR("zh"));
}

/* --- statements ------------------------------------------------------------------------------- */

static struct str replace(struct arena *arena, struct str s, size_t from, size_t to, struct str by)
{
    return arena_fmt(arena, STR_FMT STR_FMT STR_FMT, STR_ARG(str_slice(s, 0, from)), STR_ARG(by),
                     STR_ARG(str_slice(s, to, s.len)));
}

/* Where the question word stands, with what belongs to it. false: none is known. */
static bool find_gap(struct str q, size_t *from, size_t *to)
{
    static const char *const words[] = {
        "how many", "how much", "how long", "what kind of", "what type of",
        "which",    "what",     "whom",     "whose",        "who",
        "when",     "where",    "哪一年",   "什么时候",     "何时",
        "多少",     "哪一个",   "哪个",     "哪里",         "哪位",
        "什么",     "谁",       "几",       "何",           "哪"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str word = str_from(words[i]);

        for (size_t at = 0; at + word.len <= q.len; at++) {
            bool latin = (uint8_t)word.ptr[0] < 0x80;
            bool edge = !latin || ((at == 0 || q.ptr[at - 1] == ' ') &&
                                   (at + word.len == q.len || q.ptr[at + word.len] == ' '));

            if (!edge || !str_eq_nocase(str_slice(q, at, at + word.len), word))
                continue;
            *from = at;
            *to = at + word.len;
            return true;
        }
    }
    return false;
}

static struct str state(struct arena *arena, struct str question, struct str answer)
{
    struct str q = str_trim(question);
    size_t from, to;

    if (!answer.len)
        return STR_NONE;

    for (size_t cut = 1; cut <= 3 && cut <= q.len; cut += 2)
        if (str_eq(str_slice(q, q.len - cut, q.len), cut == 1 ? STR("?") : STR("？")))
            q.len -= cut;
    if (!find_gap(q, &from, &to))
        return STR_NONE;
    struct str s = replace(arena, q, from, to, answer);
    return arena_fmt(arena, STR_FMT "%s", STR_ARG(s), is_wide_text(question) ? "。" : ".");
}

/* "not" behind the first word that takes one. */
static struct str deny(struct arena *arena, struct str s)
{
    static const char *const verbs[] = {" is ",  " was ", " are ", " were ",
                                        " can ", " did ", " has "};
    static const char *const wide[] = {"是", "有", "能", "会"};

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        size_t at = str_find(s, str_from(verbs[i]));

        if (at < s.len)
            return replace(arena, s, at + strlen(verbs[i]), at + strlen(verbs[i]), STR("not "));
    }
    for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
        size_t at = str_find(s, str_from(wide[i]));

        if (at > 0 && at < s.len)
            return replace(arena, s, at, at, i == 1 ? STR("没") : STR("不"));
    }
    return STR_NONE;
}

static bool is_denied(struct str s)
{
    static const char *const words[] = {" not ", "n't", " no ", " never ", " without ",
                                        "不",    "没",  "未",   "无",      "非"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_find(s, str_from(words[i])) < s.len)
            return true;
    return false;
}

/* The sentence and the one behind it as one. */
static struct str join(struct arena *arena, struct str s, struct str rest)
{
    struct str next = str_trim(str_slice(rest, 0, sentence_end(rest, 0)));
    bool wide = is_wide_text(s);

    if (!next.len || s.len < 4)
        return STR_NONE;
    return arena_fmt(arena, STR_FMT "%s" STR_FMT, STR_ARG(str_slice(s, 0, s.len - (wide ? 3 : 1))),
                     wide ? "，" : ", and ", STR_ARG(next));
}

/* --- counting --------------------------------------------------------------------------------- */

static bool check(struct support_run *r, const struct passage_said *p, enum made made, struct str s,
                  struct err *err)
{
    struct support support;

    if (!s.len)
        return true;
    if (!support_find(r->analyser, r->scratch, p->evidence, 1, s, &support, err))
        return false;
    r->seen[made]++;
    r->stopped[made] += support.lack != LACK_NOTHING;
    r->why[made][support.lack]++;
    if (r->show && strcmp(r->show, kinds[made].name) == 0 &&
        (support.lack == LACK_NOTHING) != kinds[made].supported)
        printf("%s %s \"" STR_FMT "\": " STR_FMT "\n    " STR_FMT "\n", lack_name(support.lack),
               kinds[made].name, STR_ARG(support.what), STR_ARG(s), STR_ARG(p->text));
    return true;
}

static struct numerals numbers; /* too large for a stack */

static bool has_number(struct str s)
{
    numerals_read(s, &numbers);
    for (size_t i = 0; i < numbers.count; i++)
        if (!numbers.at[i].loose && numbers.at[i].kind != NUMERAL_CODE)
            return true;
    return false;
}

static bool is_name(struct str s)
{
    return s.len > 3 && s.ptr[0] >= 'A' && s.ptr[0] <= 'Z' && !has_number(s) &&
           str_find_char(s, ' ') < s.len;
}

static bool overlaps(struct str a, struct str b)
{
    return str_find(a, b) < a.len || str_find(b, a) < b.len;
}

/* The first number of the sentence by one that the passage does not have. */
static struct str with_number(struct support_run *r, struct str s, struct str passage)
{
    numerals_read(s, &numbers);
    for (size_t i = 0; i < numbers.count; i++) {
        const struct numeral n = numbers.at[i];
        struct str by = arena_fmt(r->scratch, "%d", (int)(n.value + 7));

        if (n.loose || n.kind != NUMERAL_PLAIN || n.value > 1e6 || n.value < 2)
            continue;
        if (str_find(passage, by) < passage.len)
            continue;
        return replace(r->scratch, s, n.from, n.to, by);
    }
    return STR_NONE;
}

static bool check_others(struct support_run *r, const struct passage_said *p, struct str question,
                         struct str answer, struct err *err)
{
    bool number = false, name = false, any = false;

    for (size_t i = 0; i < p->answer_count; i++) {
        struct str other = p->answers[i];
        struct str s = state(r->scratch, question, other);

        if (overlaps(other, answer) || overlaps(question, other))
            continue;
        if (!number && has_number(answer) && has_number(other)) {
            if (!check(r, p, MADE_NUMBER_SAID, s, err))
                return false;
            number = true;
        }
        if (!name && is_name(answer) && is_name(other)) {
            if (!check(r, p, MADE_NAME_SAID, s, err))
                return false;
            name = true;
        }
        if (!any && !check(r, p, MADE_OTHER, s, err))
            return false;
        any = true;
    }
    return true;
}

/* Words by their opposites, and by others that say the same. */
static const struct {
    const char *words, *opposite, *same;
} sides[] = {
    {" at least ", " at most ", " no less than "},
    {" at most ", " at least ", " no more than "},
    {" more than ", " less than ", " over "},
    {" less than ", " more than ", " under "},
    {" up to ", " at least ", " at most "},
    {" within ", " after ", NULL},
    {" before ", " after ", " prior to "},
    {" after ", " before ", NULL},
    {" minimum ", " maximum ", NULL},
    {" maximum ", " minimum ", NULL},
    {" highest ", " lowest ", NULL},
    {" largest ", " smallest ", NULL},
    {"至少", "至多", "不少于"},
    {"最多", "最少", NULL},
    {"超过", "低于", "多于"},
    {"超過", "低于", "多于"},
    {"以上", "以下", "及以上"},
    {"以下", "以上", "及以下"},
    {"之前", "之后", "以前"},
    {"以前", "以后", "之前"},
    {"之后", "之前", "以后"},
    {"之後", "之前", "以後"},
    {"以后", "以前", "之后"},
    {"以後", "以前", "之後"},
    {"最高", "最低", NULL},
    {"最大", "最小", NULL},
    {"禁止", "允许", "严禁"},
};

static bool check_sides(struct support_run *r, const struct passage_said *p, struct str s,
                        struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        struct str words = str_from(sides[i].words);
        size_t at = str_find(s, words), end = at + words.len;

        if (at == s.len)
            continue;
        struct str same =
            sides[i].same ? replace(r->scratch, s, at, end, str_from(sides[i].same)) : STR_NONE;
        return check(r, p, MADE_SIDE_SAID, same, err) &&
               check(r, p, MADE_SIDE_TURNED,
                     replace(r->scratch, s, at, end, str_from(sides[i].opposite)), err);
    }
    return true;
}

static bool check_sentence(struct support_run *r, const struct passage_said *p, struct str answer,
                           size_t offset, struct err *err)
{
    struct str text = p->text;

    for (size_t at = 0; at < text.len;) {
        size_t end = sentence_end(text, at);
        struct str s = str_trim(str_slice(text, at, end));

        at = end;
        if (end < offset || !s.len || str_find(s, answer) == s.len)
            continue;
        return check(r, p, MADE_SENTENCE, s, err) && check_sides(r, p, s, err) &&
               check(r, p, MADE_JOINED, join(r->scratch, s, str_slice(text, at, text.len)), err) &&
               check(r, p, MADE_SENTENCE_NUMBER, with_number(r, s, text), err) &&
               (is_denied(s) || check(r, p, MADE_SENTENCE_DENIED, deny(r->scratch, s), err));
    }
    return true;
}

static bool check_question(struct support_run *r, const struct passage_said *p, struct str question,
                           struct str answer, struct err *err)
{
    struct str s = state(r->scratch, question, answer);
    bool invented = is_name(answer) && !is_wide_text(question);

    return check_sentence(r, p, answer, 0, err) && check(r, p, MADE_STATEMENT, s, err) &&
           (!has_number(answer) ||
            check(r, p, MADE_NUMBER, state(r->scratch, question, with_number(r, answer, p->text)),
                  err)) &&
           (!invented ||
            check(r, p, MADE_NAME, state(r->scratch, question, STR("Markus Feldner")), err)) &&
           (is_denied(question) || is_denied(p->text) ||
            check(r, p, MADE_DENIED, deny(r->scratch, s), err)) &&
           check_others(r, p, question, answer, err);
}

/* --- the sets --------------------------------------------------------------------------------- */

static struct str field(struct support_run *r, struct json *j, json_ref v, struct str key)
{
    struct str s = STR_NONE;

    return json_str(j, json_get(j, v, key), r->arena, &s) ? s : STR_NONE;
}

static bool read_evidence(struct support_run *r, struct passage_said *p, struct err *err)
{
    struct str *sentences = arena_array(r->arena, SENTENCES_MAX, sizeof *sentences);
    size_t count = 0;

    if (!sentences)
        return err_arena(err, r->arena);
    for (size_t at = 0; at < p->text.len && count < SENTENCES_MAX;) {
        size_t end = sentence_end(p->text, at);

        sentences[count] = str_trim(str_slice(p->text, at, end));
        count += sentences[count].len > 0;
        at = end;
    }
    struct evidence_source source = {p->title, sentences, count};
    return evidence_read(r->analyser, r->arena, &source, 1, &p->evidence, err);
}

static bool load_passages(struct support_run *r, const char *path, struct err *err)
{
    struct str text, line;

    if (!file_load(r->arena, path, FILE_MAX, &text, err))
        return false;
    for (struct str rest = text; str_split(&rest, '\n', &line);) {
        struct json *j = line.len ? json_parse(r->arena, line, err) : NULL;
        struct passage_said *p = j ? arena_alloc(r->arena, sizeof *p) : NULL;

        if (!line.len)
            continue;
        if (!p)
            return err_arena(err, r->arena);
        p->title = field(r, j, json_root(j), STR("title"));
        p->text = field(r, j, json_root(j), STR("text"));
        if (!table_put(&r->passages, field(r, j, json_root(j), STR("pid")), p, NULL))
            return err_no_room(err, "no memory");
    }
    return true;
}

/* Bars are set on one half of the passages and told of both: which half a passage is of, its text decides. */
static bool is_of_half(const struct support_run *r, const struct passage_said *p)
{
    static const uint8_t key[16] = "support halves";

    return r->half < 0 || (int)(siphash_keyed(key, p->text) & 1) == r->half;
}

struct pair {
    struct passage_said *passage;
    struct str question, answer;
};

static bool ask_questions(struct support_run *r, const char *path, struct err *err)
{
    struct str text, line;
    struct buf pairs;

    buf_init(&pairs, r->arena, FILE_MAX);
    if (!file_load(r->arena, path, FILE_MAX, &text, err))
        return false;
    for (struct str rest = text; str_split(&rest, '\n', &line);) {
        struct json *j = line.len ? json_parse(r->arena, line, err) : NULL;
        struct pair p = {0};

        if (!j)
            continue;
        p.passage = table_get(&r->passages, field(r, j, json_root(j), STR("pid")));
        p.question = field(r, j, json_root(j), STR("question"));
        if (!p.passage || !is_of_half(r, p.passage) ||
            !json_str(j, json_path(j, "answers.0.0"), r->arena, &p.answer))
            continue;
        if (p.passage->answer_count < ANSWERS_NEAR)
            p.passage->answers[p.passage->answer_count++] = p.answer;
        buf_put(&pairs, &p, sizeof p);
    }
    const struct pair *all = (const struct pair *)(const void *)pairs.ptr;
    for (size_t i = 0; i < pairs.len / sizeof *all; i += r->every) {
        size_t mark = arena_mark(r->scratch);

        if ((!all[i].passage->evidence && !read_evidence(r, all[i].passage, err)) ||
            !check_question(r, all[i].passage, all[i].question, all[i].answer, err))
            return false;
        arena_rewind(r->scratch, mark);
    }
    return true;
}

/* --- the table -------------------------------------------------------------------------------- */

static double part(uint32_t a, uint32_t of)
{
    return of ? (double)a / of : 0;
}

static void print_run(const struct support_run *r, const char *set)
{
    uint32_t right = 0, stopped = 0, wrong = 0;

    printf("\n%s\n%-44s %6s %8s   why\n", set, "statement", "n", "stopped");
    for (int i = 0; i < MADES; i++) {
        if (!r->seen[i])
            continue;
        printf("%-44s %6u %8.3f  ", kinds[i].name, r->seen[i], part(r->stopped[i], r->seen[i]));
        for (int k = 1; k < LACKS; k++)
            if (r->why[i][k])
                printf(" %s %.3f", lack_name((enum lack)k), part(r->why[i][k], r->seen[i]));
        putchar('\n');
        stopped += r->stopped[i];
        right += kinds[i].supported ? 0 : r->stopped[i];
        wrong += kinds[i].supported ? 0 : r->seen[i];
    }
    printf("unsupported: precision %.3f recall %.3f\n", part(right, stopped), part(right, wrong));
}

static bool run_set(struct support_run *r, const char *data, const char *set, const char *prefix,
                    struct err *err)
{
    char passages[512], questions[512];

    memset(r->seen, 0, sizeof r->seen);
    memset(r->stopped, 0, sizeof r->stopped);
    memset(r->why, 0, sizeof r->why);
    snprintf(passages, sizeof passages, "%s/%s/%spassages.jsonl", data, set, prefix);
    snprintf(questions, sizeof questions, "%s/%s/%squestions.jsonl", data, set, prefix);
    table_init(&r->passages, r->arena, 1u << 20);
    if (!load_passages(r, passages, err) || !ask_questions(r, questions, err))
        return err_wrap(err, "set \"%s\"", set);
    print_run(r, set);
    return true;
}

int main(int argc, char **argv)
{
    static const char *const sets[][2] = {
        {"squad2-en", ""}, {"xquad", "en."}, {"cmrc2018", ""}, {"drcd", ""}, {"xquad", "zh."}};
    struct support_run r = {
        .arena = arena_new(2048 * MIB), .scratch = arena_new(64 * MIB), .every = 1, .half = -1};
    struct err err = {0};

    for (int i = 2; i + 1 < argc; i += 2) {
        uint64_t n;

        if (strcmp(argv[i], "--show") == 0)
            r.show = argv[i + 1];
        else if (strcmp(argv[i], "--half") == 0)
            r.half = strcmp(argv[i + 1], "held-out") == 0;
        else if (strcmp(argv[i], "--every") == 0 && u64_parse(str_from(argv[i + 1]), &n) && n)
            r.every = (uint32_t)n;
    }
    if (argc < 2 || !analyser_open(&r.analyser, &err))
        return fprintf(stderr, "usage: weir_support DATA [--every N] [--show CLASS]\n"), 2;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (!run_set(&r, argv[1], sets[i][0], sets[i][1], &err))
            return fprintf(stderr, "weir_support: %s\n", err.text), 1;
    analyser_close(&r.analyser);
    return 0;
}
