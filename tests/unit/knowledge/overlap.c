/* What a question and a sentence share: words many sentences have say little, and letters forgive endings. */
#include "knowledge/overlap.h"

#include "knowledge/choose.h"
#include "test.h"

TEST(what_few_sentences_have_is_telling)
{
    EXPECT(local_weight(0, 5) > 0.999f && local_weight(0, 5) < 1.001f);
    for (size_t having = 0; having < 5; having++)
        EXPECT(local_weight(having, 5) > local_weight(having + 1, 5), "%zu", having);
    EXPECT(local_weight(5, 5) > 0);
    EXPECT(local_weight(1, 1) > 0);
}

static struct gram_set read(struct analyser *analyser, struct arena *arena, struct grams *grams,
                            const char *question, const char *text)
{
    struct terms terms;
    struct err err = {0};

    EXPECT(analyser_terms(analyser, arena, str_from(question), &terms, &err), "%s", err.text);
    grams_read(grams, &terms, str_eq(text_language(str_from(question)), STR("zh")));
    EXPECT(analyser_terms(analyser, arena, str_from(text), &terms, &err), "%s", err.text);
    return grams_in(grams, &terms);
}

TEST(grams_forgive_endings_and_cuts)
{
    static const struct {
        const char *question, *text;
        float least, most;
    } cases[] = {
        {"location of the office", "the location of the office", 1, 1},
        {"location of the office", "it is located in a house", 0.2f, 0.6f},
        {"location of the office", "nothing of that sort", 0, 0},
        {"理赔总监", "理赔总监", 1, 1},
        {"理赔总监", "总监理赔", 0.5f, 0.9f},
        {"理赔总监", "天气很好", 0, 0},
        {"", "anything", 0, 0},
    };
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    static struct grams grams;

    REQUIRE(arena && analyser_open(&analyser, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gram_set set = read(analyser, arena, &grams, cases[i].question, cases[i].text);
        float share = grams_share(&grams, &set);

        EXPECT(share >= cases[i].least && share <= cases[i].most, "%s in %s: %.2f",
               cases[i].question, cases[i].text, (double)share);
    }
}

TEST(a_long_question_is_judged_by_its_beginning)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct buf text;
    static struct grams grams;
    static float weights[GRAMS_MAX];

    REQUIRE(arena && analyser_open(&analyser, &err));
    buf_init(&text, arena, MIB / 2);
    for (uint32_t i = 0; i < 400; i++)
        buf_fmt(&text, "w%ux%u ", i * 7919, i);
    buf_char(&text, '\0');
    struct gram_set set = read(analyser, arena, &grams, text.ptr, text.ptr);
    EXPECT(grams.count == GRAMS_MAX);
    EXPECT(grams_share(&grams, &set) > 0.999f);
    grams_weigh(&grams, &set, 1, weights);
    EXPECT(grams_weighed(&grams, &set, weights) > 0.999f);
}

TEST(questions_say_what_they_want)
{
    static const struct {
        const char *question;
        enum cue cue;
        bool polar;
    } cases[] = {
        {"What is the deadline for reporting a claim?", CUE_DURATION, false},
        {"Within how many days must a claim be reported?", CUE_DURATION, false},
        {"When does the board meet?", CUE_TIME, false},
        {"When may I fly business class?", CUE_NONE, false},
        {"Who approves a claim?", CUE_PERSON, false},
        {"Is water damage covered?", CUE_NONE, true},
        {"Issues of the day", CUE_NONE, false},
        {"理赔需要多长时间？", CUE_DURATION, false},
        {"牙科治疗可以报销吗？", CUE_NONE, true},
        {"图书馆的开馆时间", CUE_TIME, false},
        {"第二届大会召开日期是？", CUE_TIME, false},
        {"参赛人数", CUE_NUMBER, false},
        {"全年发电量为？", CUE_NUMBER, false},
        {"教学质量", CUE_NONE, false},
        {"《春江》的导演", CUE_PERSON, false},
        {"理赔部负责人 ？ ", CUE_PERSON, false},
        {"展览地点", CUE_PLACE, false},
        {"时间管理", CUE_NONE, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = str_from(cases[i].question), language = text_language(text);

        EXPECT(cue_of(text, language) == cases[i].cue, "%s", cases[i].question);
        EXPECT(is_polar(text, language) == cases[i].polar, "%s", cases[i].question);
    }
    EXPECT(is_of_family(STR("decid"), family_of(STR("approv"))));
    EXPECT(!is_of_family(STR("cost"), family_of(STR("approv"))));
    EXPECT(!family_of(STR("elephant")) && !is_of_family(STR("elephant"), 0));
    EXPECT(is_negated(STR("is never covered")) && !is_negated(STR("a notable case")));
}

TEST(what_asks_is_told_from_what_says)
{
    static const struct {
        const char *text;
        bool asks;
    } cases[] = {
        {"Is it covered?", true},
        {"It is covered.", false},
        {"年假有几天？", true},
        {"以上就是年假是什么的全部内容。", true},
        {"请问谁負責？", true},
        {"下面介紹怎麼申請。", true},
        {"年假有二十八天。", false},
        {"", false},
        {"Somewhat later it opened", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(is_asking(str_from(cases[i].text)) == cases[i].asks, "%s", cases[i].text);
}
