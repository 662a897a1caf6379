/* What a sentence claims, held against passages: numbers as they are written, names, negation, words; and an
 * answer as it comes. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/numeral.h"
#include "knowledge/review.h"
#include "knowledge/support.h"
#include "test.h"

/* --- numbers ---------------------------------------------------------------------------------- */

/* "value unit" of each, "%" and dates as they are, "?" for loose ones. */
static void write_numeral(struct buf *b, const struct numeral *n)
{
    static const char *const units[] = {"",   " s", " min", " h",   " d",   " w",
                                        " m", " y", " EUR", " USD", " GBP", " CNY"};

    if (b->len)
        buf_str(b, STR(", "));
    if (n->kind == NUMERAL_DATE)
        buf_fmt(b, "%d-%d-%d", n->year, n->month, n->day);
    else if (n->kind == NUMERAL_TIME)
        buf_fmt(b, "%d:%02d", (int)n->value / 60, (int)n->value % 60);
    else if (n->kind == NUMERAL_CODE)
        buf_fmt(b, "#" STR_FMT, STR_ARG(n->text));
    else
        buf_fmt(b, "%.10g%s%s%s", n->value, n->kind == NUMERAL_PERCENT ? "%" : "", units[n->unit],
                n->loose ? "?" : "");
}

static const struct {
    const char *text, *want;
} numeral_cases[] = {
    {"28 days", "28 d"},
    {"twenty-eight days", "28 d"},
    {"thirty days and two weeks", "30 d, 2 w"},
    {"a hundred", ""},
    {"two hundred and fifty euros", "250 EUR"},
    {"EUR 1,500 or €1500.50", "1500 EUR, 1500.5 EUR"},
    {"1.5 million people", "1500000"},
    {"3,5 km", "3.5"},
    {"10 working days", "10 d"},
    {"12 % or 12 percent or 12%", "12%, 12%, 12%"},
    {"31 March 2026, March 31st, 2026 and 2026-03-31", "2026-3-31, 2026-3-31, 2026-3-31"},
    {"in March 2026", "2026-3-0"},
    {"you may march on", ""},
    {"31.12.2026 and 31/12/2026", "2026-12-31, 2026-12-31"},
    {"03/04/2026 is one of two days", "#03/04/2026, 1?, 2 d"},
    {"one of them", "1?"},
    {"one day", "1 d"},
    {"the two plans", "2?"},
    {"from 14:30 to 16:00", "14:30, 16:00"},
    {"3-5 days", "3, 5 d"},
    {"plan B12, form Q3", ""},
    {"version 1.2.3.4", "#1.2.3.4"},
    {"三十天", "30 d"},
    {"二十八天", "28 d"},
    {"五万元", "50000 CNY"},
    {"5万元", "50000 CNY"},
    {"一万二千", "12000"},
    {"百分之十二和12%", "12%, 12%"},
    {"百分之12", "12%"},
    {"2026年3月31日", "2026-3-31"},
    {"二〇二六年三月三十一日", "2026-3-31"},
    {"3月31日", "0-3-31"},
    {"十个工作日", "10 d"},
    {"一般不超过两种", "1?, 2?"},
    {"第三天", "3 d"},
    {"万一", "1?"},
    {"", ""},
};

static struct numerals numerals; /* too large for a stack that is small elsewhere */

TEST(numbers_as_texts_write_them)
{
    for (size_t i = 0; i < ARRAY_LEN(numeral_cases); i++) {
        char memory[300];
        struct buf b;

        buf_init_fixed(&b, memory, sizeof memory);
        numerals_read(str_from(numeral_cases[i].text), &numerals);
        for (size_t k = 0; k < numerals.count; k++)
            write_numeral(&b, &numerals.at[k]);
        EXPECT(str_eq(buf_view(&b), str_from(numeral_cases[i].want)), "%s: " STR_FMT,
               numeral_cases[i].text, STR_ARG(buf_view(&b)));
    }
}

TEST(words_that_are_numbers)
{
    static const struct {
        const char *word;
        double want; /* 0: none */
    } words[] = {{"thirty", 30}, {"thirti", 30}, {"fifteen", 15}, {"million", 1e6}, {"三十", 30},
                 {"二百", 200},  {"flood", 0},   {"三明治", 0},   {"", 0}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        double value = 0;
        bool is = numeral_word(str_from(words[i].word), &value);

        EXPECT(is == (words[i].want > 0) && (!is || fabs(value - words[i].want) < 1e-9), "%s: %g",
               words[i].word, value);
    }
}

TEST(numbers_of_a_text_are_bounded)
{
    char text[4 * NUMERALS_MAX];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? ' ' : '7';
    numerals_read((struct str){text, sizeof text}, &numerals);
    EXPECT(numerals.count == NUMERALS_MAX && numerals.more);
}

/* --- sentences -------------------------------------------------------------------------------- */

static const char *const english[] = {
    "Employees get 28 days of annual leave.",
    "After ten years of service it is 32 days.",
    "Leave that is carried over expires on 31 March of the next year.",
    "Rain through an open window is never covered.",
    "Water damage is covered up to EUR 50,000 and 5 % of the sum insured.",
    "Claims must be reported within 7 days.",
    "Ingrid Solheim is the Director of Claims.",
    "The data protection officer is Tomasz Wilk.",
    "Bicycles are excluded from theft cover.",
};
static const char *const chinese[] = {
    "员工每年享有二十八天年假。",
    "结转的年假于次年3月31日失效。",
    "水管破裂造成的损失属于保险责任，最高赔偿50万元。",
    "雨水从敞开的窗户进入造成的损失不在保险责任范围内。",
    "理赔总监是周敏。",
};

static const struct {
    const char *name, *sentence;
    enum lack lack;
    const char *what;
} claims[] = {
    {"as it stands", "Employees get 28 days of annual leave.", LACK_NOTHING, ""},
    {"in other words", "Annual leave for employees is twenty-eight days.", LACK_NOTHING, ""},
    {"another number", "Employees get 30 days of annual leave.", LACK_NUMBER, "30"},
    {"another unit", "Employees get 28 weeks of annual leave.", LACK_NUMBER, "28"},
    {"another number of the passage", "Claims must be reported within 32 days.", LACK_NUMBER, "32"},
    {"the date in digits", "Leave carried over expires on 31.03.", LACK_NUMBER, "31.03"},
    {"the date otherwise", "Carried over leave expires on March 31st.", LACK_NOTHING, ""},
    {"another date", "Carried over leave expires on 30 June.", LACK_NUMBER, "30 June"},
    {"per cent", "Water damage is covered up to 5 percent of the sum insured.", LACK_NOTHING, ""},
    {"another percentage", "Water damage is covered up to 15% of the sum insured.", LACK_NUMBER,
     "15%"},
    {"a name", "The Director of Claims is Ingrid Solheim.", LACK_NOTHING, ""},
    {"an invented name", "The Director of Claims is Peter Marlow.", LACK_NAME, "Peter"},
    {"a name of another sentence", "The Director of Claims is Tomasz Wilk.", LACK_NAME, "Tomasz"},
    {"the denial is lost", "Rain through an open window is covered.", LACK_NEGATION, "covered"},
    {"the denial in other words", "Rain through an open window is not covered.", LACK_NOTHING, ""},
    {"a denial that is not there", "Water damage is not covered.", LACK_NEGATION, "covered"},
    {"no later than denies nothing", "Claims must be reported no later than 7 days.", LACK_NOTHING,
     ""},
    {"excluded is not covered", "Theft of bicycles is not covered.", LACK_NOTHING, ""},
    {"other words altogether", "Dragons prefer marble castles in winter.", LACK_WORDS, "Dragons"},
    {"two at once", "Employees get 28 days, and 32 days after ten years of service.", LACK_NOTHING,
     ""},
};
static const struct {
    const char *name, *sentence;
    enum lack lack;
} wide_claims[] = {
    {"as it stands", "员工每年享有二十八天年假。", LACK_NOTHING},
    {"digits for characters", "员工每年有28天年假。", LACK_NOTHING},
    {"another number", "员工每年享有三十天年假。", LACK_NUMBER},
    {"another date", "结转的年假于6月30日失效。", LACK_NUMBER},
    {"ten thousands", "水管破裂造成的损失最高赔偿500000元。", LACK_NOTHING},
    {"the denial is lost", "雨水从敞开的窗户进入造成的损失在保险责任范围内。", LACK_NEGATION},
    {"a denial that is not there", "水管破裂造成的损失不属于保险责任。", LACK_NEGATION},
    {"a name", "周敏是理赔总监。", LACK_NOTHING},
    {"an invented name", "理赔总监是赵铁柱。", LACK_NAME},
    {"other words altogether", "巨龙喜欢在冬天住大理石城堡。", LACK_WORDS},
};

struct bench {
    struct arena *arena;
    struct analyser *analyser;
    struct evidence *evidence;
};

static bool begin(struct bench *b)
{
    struct str lines[2][16];
    struct evidence_source sources[2] = {
        {.above = STR("Leave; Cover; Claims"), .sentences = lines[0]},
        {.above = STR("手册"), .sentences = lines[1]}};
    struct err err = {0};

    *b = (struct bench){.arena = arena_new(64 * MIB)};
    for (size_t i = 0; i < ARRAY_LEN(english); i++)
        lines[0][sources[0].count++] = str_from(english[i]);
    for (size_t i = 0; i < ARRAY_LEN(chinese); i++)
        lines[1][sources[1].count++] = str_from(chinese[i]);
    bool ok = analyser_open(&b->analyser, &err) &&
              evidence_read(b->analyser, b->arena, sources, 1, &b->evidence, &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

static bool begin_wide(struct bench *b)
{
    struct str lines[16];
    struct evidence_source source = {.above = STR("手册"), .sentences = lines};
    struct err err = {0};

    *b = (struct bench){.arena = arena_new(64 * MIB)};
    for (size_t i = 0; i < ARRAY_LEN(chinese); i++)
        lines[source.count++] = str_from(chinese[i]);
    bool ok = analyser_open(&b->analyser, &err) &&
              evidence_read(b->analyser, b->arena, &source, 1, &b->evidence, &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

static void end(struct bench *b)
{
    analyser_close(&b->analyser);
    arena_end(&b->arena);
}

static struct support find(struct bench *b, const char *sentence)
{
    struct support s = {.lack = LACKS};
    struct err err = {0};

    EXPECT(support_find(b->analyser, b->arena, b->evidence, 1, str_from(sentence), &s, &err), "%s",
           err.text);
    return s;
}

TEST(a_sentence_lacks_what_no_passage_says)
{
    struct bench b;

    for (size_t i = 0; i < ARRAY_LEN(claims) && begin(&b); i++) {
        struct support s = find(&b, claims[i].sentence);

        EXPECT(s.lack == claims[i].lack && str_eq(s.what, str_from(claims[i].what)),
               "%s: lacks %s \"" STR_FMT "\"", claims[i].name, lack_name(s.lack), STR_ARG(s.what));
        EXPECT(s.passage == 1 && !s.foreign && !s.empty);
        end(&b);
    }
}

TEST(a_chinese_sentence_lacks_what_no_passage_says)
{
    struct bench b;

    for (size_t i = 0; i < ARRAY_LEN(wide_claims) && begin_wide(&b); i++) {
        struct support s = find(&b, wide_claims[i].sentence);

        EXPECT(s.lack == wide_claims[i].lack, "%s: lacks %s \"" STR_FMT "\"", wide_claims[i].name,
               lack_name(s.lack), STR_ARG(s.what));
        end(&b);
    }
}

TEST(what_claims_nothing_and_what_is_in_another_language)
{
    struct bench b;

    if (begin(&b)) {
        EXPECT(find(&b, "In summary:").empty && find(&b, "Yes.").empty && find(&b, "").empty);
        struct support s = find(&b, "员工有28天年假。");
        EXPECT(s.foreign && s.lack == LACK_NOTHING, "numbers are compared alone");
        EXPECT(find(&b, "员工有29天年假。").lack == LACK_NUMBER);
    }
    end(&b);
}

TEST(a_sentence_longer_than_is_looked_at_is_never_supported)
{
    struct bench b;

    if (begin(&b)) {
        struct buf text;

        buf_init(&text, b.arena, MIB);
        while (text.len <= SUPPORT_SENTENCE_MAX)
            buf_str(&text, STR("Employees get 28 days of annual leave "));
        struct err err = {0};
        struct support s;
        EXPECT(support_find(b.analyser, b.arena, b.evidence, 1, buf_view(&text), &s, &err) &&
               s.lack == LACK_WORDS);
    }
    end(&b);
}

/* --- an answer as it comes -------------------------------------------------------------------- */

static const char refusal[] = "The documents do not answer this question.";

/* Everything that leaves, fed `step` bytes at a time. */
static struct str pass(struct bench *b, enum unsupported policy, const char *answer, size_t step,
                       struct review **out)
{
    struct review_of of = {.evidence = b->evidence,
                           .passages = 1,
                           .policy = policy,
                           .refusal = STR("The documents do not answer this question.")};
    struct str text = str_from(answer), part;
    struct err err = {0};
    struct buf all;

    buf_init(&all, b->arena, MIB);
    if (!review_new(b->arena, &of, out, &err)) {
        EXPECT(false, "%s", err.text);
        return STR_NONE;
    }
    for (size_t at = 0; at < text.len; at += step) {
        EXPECT(review_feed(*out, str_slice(text, at, at + step), &part, &err), "%s", err.text);
        buf_str(&all, part);
    }
    EXPECT(review_end(*out, &part, &err), "%s", err.text);
    buf_str(&all, part);
    return buf_view(&all);
}

static const struct {
    const char *name;
    enum unsupported policy;
    const char *answer, *want;
    size_t unsupported;
    bool refused;
} answers[] = {
    {"marked, and unchanged", UNSUPPORTED_MARK, "Employees get 30 days of annual leave [1]. Yes.",
     "Employees get 30 days of annual leave [1]. Yes.", 1, false},
    {"dropped", UNSUPPORTED_DROP,
     "Employees get 30 days of annual leave [1]. Claims must be reported within 7 days [1].",
     "Claims must be reported within 7 days [1].", 1, false},
    {"the mark behind the full stop goes along", UNSUPPORTED_DROP,
     "Employees get 30 days of annual leave. [1] Claims must be reported within 7 days. [1]",
     "Claims must be reported within 7 days. [1]", 1, false},
    {"items of a list", UNSUPPORTED_DROP,
     "It is so:\n\n- Employees get 28 days of annual leave [1]\n- Employees get 99 days off [1]\n- "
     "Yes",
     "It is so:\n\n- Employees get 28 days of annual leave [1]\n- Yes", 1, false},
    {"nothing is left", UNSUPPORTED_DROP, "Employees get 30 days of annual leave [1].", refusal, 1,
     true},
    {"a passage that does not exist", UNSUPPORTED_DROP,
     "Employees get 28 days of annual leave [7].", refusal, 1, true},
    {"one wrong word and all is refused", UNSUPPORTED_REFUSE,
     "Claims must be reported within 7 days [1]. Employees get 30 days of annual leave [1].",
     refusal, 1, true},
    {"all stands", UNSUPPORTED_REFUSE,
     "Claims must be reported within 7 days [1]. Employees get 28 days.",
     "Claims must be reported within 7 days [1]. Employees get 28 days.", 0, false},
    {"the refusal claims nothing", UNSUPPORTED_DROP, refusal, refusal, 0, false},
    {"decimals end no sentence", UNSUPPORTED_DROP,
     "Water damage is covered up to EUR 50,000 and 5.0 % of the sum insured [1].",
     "Water damage is covered up to EUR 50,000 and 5.0 % of the sum insured [1].", 0, false},
};

TEST(an_answer_is_judged_as_it_comes)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        for (size_t step = 1; step < 200; step = step * 3 + 1) {
            struct review *review CLEANUP(review_free) = NULL;
            struct bench b;

            if (!begin(&b))
                return;
            struct str got = pass(&b, answers[i].policy, answers[i].answer, step, &review);
            EXPECT(str_eq(got, str_from(answers[i].want)), "%s by %zu: \"" STR_FMT "\"",
                   answers[i].name, step, STR_ARG(got));
            EXPECT(review_unsupported(review) == answers[i].unsupported, "%s: %zu", answers[i].name,
                   review_unsupported(review));
            EXPECT(review_is_refused(review) == answers[i].refused, "%s", answers[i].name);
            review_free(&review);
            end(&b);
        }
    }
}

TEST(what_is_held_is_bounded)
{
    struct review *review = NULL;
    struct bench b;
    struct buf text;

    if (!begin(&b))
        return;
    buf_init(&text, b.arena, 4 * MIB);
    while (text.len <= REVIEW_ANSWER_MAX)
        buf_str(&text, STR("Claims must be reported within 7 days. "));
    buf_char(&text, '\0');
    struct str got = pass(&b, UNSUPPORTED_REFUSE, text.ptr, 1000, &review);
    EXPECT(str_eq(got, str_from(refusal)) && review_is_refused(review), "too long to hold");
    review_free(&review);
    text.len = 0;
    while (text.len <= 3 * REVIEW_HELD_MAX)
        buf_str(&text, STR("words without any end "));
    buf_char(&text, '\0');
    got = pass(&b, UNSUPPORTED_DROP, text.ptr, 1000, &review);
    EXPECT(str_eq(got, str_from(refusal)) && review_unsupported(review) == 4, "%zu",
           review_unsupported(review));
    review_free(&review);
    end(&b);
}
