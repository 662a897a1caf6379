#include "index/terms.h"

#include <string.h>

#include "base/buf.h"
#include "test.h"

/* Words that are indexed, then pairs after "|", stop words in brackets. */
static struct str render(struct arena *arena, struct analyser *analyser, const char *text)
{
    struct terms terms;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, MIB);
    if (!analyser_terms(analyser, arena, str_from(text), &terms, &err))
        return STR("failed");
    for (int field = TERM_WORD; field <= TERM_PAIR; field++) {
        if (field == TERM_PAIR)
            buf_str(&b, STR("|"));
        for (size_t i = 0; i < terms.count; i++) {
            const struct term *t = &terms.at[i];

            if ((int)t->field == field)
                buf_fmt(&b, t->stop ? "(" STR_FMT ") " : STR_FMT " ", STR_ARG(t->text));
        }
    }
    return buf_view(&b);
}

TEST(terms)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"stems and stop words", "The claims were handled", "(the) claim (were) handl |"},
        {"possessive is the owner", "the company's rules, employees\xE2\x80\x99 rights",
         "(the) compani rule employe right |"},
        {"contractions fall apart into stop words", "don't", "don (t) |"},
        {"thousands are one number", "EUR 1,500 or 1,500,000.50", "eur 1500 (or) 1500000.50 |"},
        {"a comma that parts two numbers", "1,5 and 2,0000", "1 5 (and) 2 0000 |"},
        {"a number and its unit", "30days B12 7th", "30days b12 7th |"},
        {"full-width forms are folded", "ＡＢＣ１２３", "abc123 |"},
        {"hyphens part words", "follow-up", "follow (up) |"},
        {"one letter and a hyphen do not", "e-mail X-rays", "email xray |"},
        {"accents stay", "Café", "café |"},
        {"chinese words and pairs", "员工年假", "员工 年假 |员工 工年 年假 "},
        {"chinese stop words", "保险的赔偿", "保险 (的) 赔偿 |保险 险的 的赔 赔偿 "},
        {"mixed scripts", "A4纸", "a4 纸 |"},
        {"punctuation ends a run", "年、假", "年 假 |"},
        {"bad bytes part words",
         "a1\xFF"
         "b2",
         "a1 b2 |"},
        {"nothing", "", "|"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = render(arena, analyser, cases[i].text);

        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
    }
}

TEST(terms_are_bounded)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct err err = {0};
    char text[400];

    REQUIRE(analyser_open(&analyser, &err));
    memset(text, 'x', sizeof text);
    REQUIRE(analyser_terms(analyser, arena, (struct str){text, sizeof text}, &terms, &err));
    EXPECT(terms.count == 1 && terms.at[0].text.len == TERM_BYTES_MAX);
}

/* What it met before says nothing of what it meets then. */
TEST(an_analyser_that_was_kept_is_as_good_as_new)
{
    static const char *const texts[] = {"The walkers walked past 1,500 houses", "年假有多少天",
                                        "walking, walkers; 年假 and e-mail"};
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL, *other CLEANUP(analyser_close) = NULL;
    struct analysers all = {{NULL}};
    struct err err = {0};
    struct terms terms;

    REQUIRE(analyser_open(&other, &err));
    for (int round = 0; round < 200; round++) {
        const char *text = texts[round % 3];

        REQUIRE(analyser_open_kept(&all, &analyser, &err), "%s", err.text);
        struct str got = render(arena, analyser, text);
        EXPECT(str_eq(got, render(arena, other, text)), "%d: " STR_FMT, round, STR_ARG(got));
        analyser_close(&analyser);
        EXPECT(!analyser && all.closed[0] && !all.closed[1]);
    }
    analysers_end(&all);
    EXPECT(!all.closed[0]);
    REQUIRE(analyser_terms(other, arena, STR("whole"), &terms, &err));
}

TEST(terms_flags)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err));
    REQUIRE(analyser_terms(analyser, arena, STR("ask Maria about 14 days"), &terms, &err));
    REQUIRE(terms.count == 5);
    EXPECT(!terms.at[0].name && terms.at[1].name);
    EXPECT(terms.at[2].stop && terms.at[3].number && !terms.at[4].number);
    EXPECT(terms.at[4].position == 4 && terms.words == 5);
}

TEST(language)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"How many days of leave?", "en"},  {"年假有多少天？", "zh"},
        {"Kawann Short是谁？", "zh"},       {"", "en"},
        {"what does 保险 mean here", "en"}, {"黑豹队 NFL 2016", "zh"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(str_eq(text_language(str_from(cases[i].text)), str_from(cases[i].want)), "%s",
               cases[i].text);
}
