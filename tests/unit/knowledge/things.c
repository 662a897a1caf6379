/* The thing a question asks the value of, and whether a text has it. */
#include "knowledge/thing.h"

#include "test.h"

static const struct {
    const char *question, *thing;
} asked_cases[] = {
    {"What is the deductible for water damage?", "deductible"},
    {"what is the deductible", "deductible"},
    {"What are her working hours?", "hours"},
    {"What is the annual fee of the card?", "fee"},
    {"What is the annual subscription of the card?", "subscription"},
    {"How high is the surcharge on Sundays?", "surcharge"},
    {"What is the name of the director?", ""},
    {"What is the maximum?", ""},
    {"What is Weir?", ""},
    {"What is the Bermuda Triangle?", ""},
    {"Who is the director?", ""},
    {"How long are files kept?", ""},
    {"", ""},
    {"水险的免赔额是多少？", "免赔额"},
    {"免赔额是多少？", "免赔额"},
    {"理赔的时间是什么？", ""},
    {"谁是理赔总监？", ""},
};

TEST(things_that_questions_ask_for)
{
    for (size_t i = 0; i < ARRAY_LEN(asked_cases); i++) {
        struct str got = thing_asked(str_from(asked_cases[i].question));
        struct str want = str_from(asked_cases[i].thing);

        if (want.len == 3) /* too short to be told from others */
            want = STR("");
        EXPECT(str_eq(got, want), "%s: " STR_FMT, asked_cases[i].question, STR_ARG(got));
    }
}

TEST(things_that_stand_in_a_text)
{
    static const struct {
        const char *text, *thing;
        bool stands;
    } cases[] = {
        {"The Deductible is 150 euros.", "deductible", true},
        {"Deductibles apply.", "deductible", true},
        {"20 % are deducted.", "deductible", false},
        {"Companies pay.", "company", true},
        {"The boxes are full.", "box", true},
        {"It costs a surcharge.", "surcharges", true},
        {"", "fee", false},
        {"免赔额为500元。", "免赔额", true},
        {"赔偿500元。", "免赔额", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(thing_stands(str_from(cases[i].text), str_from(cases[i].thing)) == cases[i].stands,
               "%s / %s", cases[i].text, cases[i].thing);
}
