#include "knowledge/parts.h"

#include <string.h>

#include "base/buf.h"
#include "test.h"

/* names: words of the question, "|" between. The parts, " / " between. */
static const struct {
    const char *question, *names, *want;
} cases[] = {
    {"Who is the Director of Claims?", "", "Who is the Director of Claims?"},
    {"What is the excess and who is the Director of Claims?", "",
     "What is the excess / who is the Director of Claims?"},
    {"What is the excess and who approves it?", "", "What is the excess / who approves it?"},
    {"When is it due? Who approves it?", "", "When is it due? / Who approves it?"},
    {"Who leads Acme Group? When was it founded?", "Acme Group",
     "Who leads Acme Group? / When was Acme Group founded?"},
    {"Who leads Acme Group and what are its limits?", "Acme Group",
     "Who leads Acme Group / what are Acme Group's limits?"},
    {"Who is the man who wrote it and who sold it?", "",
     "Who is the man who wrote it and who sold it?"},
    {"Who wrote it and when?", "", "Who wrote it and when?"},
    {"What are bed and board costs?", "", "What are bed and board costs?"},
    {"Please answer:\n1. What is the excess?\n2. Who decides?\n", "",
     "What is the excess? / Who decides?"},
    {"Compare the total assets of Acme in 2018 and Borealis in 2017. Which had more?",
     "Acme|Borealis",
     "Compare the total assets of Acme in 2018 / Compare the total assets of Borealis in 2017."},
    {"What are the main businesses of Acme and Borealis in Europe?", "Acme|Borealis",
     "What are the main businesses of Acme in Europe? / What are the main businesses of Borealis "
     "in "
     "Europe?"},
    {"年假有多少天？病假呢，要医生证明吗？", "", "年假有多少天？ / 病假呢，要医生证明吗？"},
    {"谁是理赔总监，以及委员会什么时候开会？", "", "谁是理赔总监 / 委员会什么时候开会？"},
    {"《李茂扮太子》是什么类型的电影？它的导演是谁？", "《李茂扮太子》",
     "《李茂扮太子》是什么类型的电影？ / 《李茂扮太子》的导演是谁？"},
    {"2021年中国和美国经济分别增长了多少？", "",
     "2021年中国经济分别增长了多少？ / 2021年美国经济分别增长了多少？"},
    {"2022年和2023年春节档首日票房冠军", "", "2022年春节档首日票房冠军 / 2023年春节档首日票房冠军"},
    {"《踏冰逐梦》的主演和导演分别是谁？", "",
     "《踏冰逐梦》的主演分别是谁？ / 《踏冰逐梦》的导演分别是谁？"},
    {"北京冬奥会和冬残奥会的开幕日期分别是什么时候?", "",
     "北京冬奥会的开幕日期分别是什么时候? / 北冬残奥会的开幕日期分别是什么时候?"},
    {"和平是什么？", "", "和平是什么？"},
    {"", "", ""},
};

static size_t find_names(struct str question, const char *names, struct name_span out[8])
{
    size_t count = 0;

    for (struct str rest = str_from(names), name; names[0] && str_split(&rest, '|', &name);) {
        size_t at = str_find(question, name);

        out[count++] = (struct name_span){(uint32_t)at, (uint32_t)(at + name.len)};
    }
    return count;
}

TEST(questions_are_split_where_both_sides_ask)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str question = str_from(cases[i].question);
        struct name_span names[8];
        struct question_parts parts;
        struct err err = {0};
        struct buf b;

        buf_init(&b, arena, 64 * KIB);
        REQUIRE(question_split(arena, question, names, find_names(question, cases[i].names, names),
                               &parts, &err));
        for (size_t k = 0; k < parts.count; k++)
            buf_fmt(&b, "%s" STR_FMT, k ? " / " : "", STR_ARG(parts.text[k]));
        EXPECT(str_eq(buf_view(&b), str_from(cases[i].want)), "%s: " STR_FMT, cases[i].question,
               STR_ARG(buf_view(&b)));
    }
}

TEST(more_parts_than_there_is_room_for_stay_with_the_last)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct question_parts parts;
    struct err err = {0};

    REQUIRE(question_split(arena,
                           STR("1. What is a?\n2. What is b?\n3. What is c?\n4. What is d?\n"
                               "5. What is e?\n6. What is f?\n7. What is g?"),
                           NULL, 0, &parts, &err));
    EXPECT(parts.count == PARTS_MAX);
    EXPECT(str_eq(parts.text[5], STR("What is f?\n7. What is g?")), STR_FMT,
           STR_ARG(parts.text[5]));
}
