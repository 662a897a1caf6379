/* Questions without a question word. */
#include "headless.h"
#include "test.h"

TEST(a_question_loses_its_word)
{
    static const struct {
        const char *question, *without; /* "": stays as it is */
    } cases[] = {
        {"这部小说的作者是谁？", "这部小说的作者"},
        {"大桥在什么时候建成？", "大桥建成的时间"},
        {"博物館何時開館？", "博物館開館時間"},
        {"学校在哪里？", "学校的地点"},
        {"参赛的人数是多少呢？", "参赛的人数"},
        {"全队队员有多少？", "全队队员的数量"},
        {"輔助港為？", "輔助港"},
        {"他这么做是为什么？", ""},
        {"为什么天是蓝的？", ""},
        {"是谁？", ""},
        {"", ""},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    REQUIRE(arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = headless(arena, str_from(cases[i].question));

        EXPECT(str_eq(got, str_from(cases[i].without)), "%s: " STR_FMT, cases[i].question,
               STR_ARG(got));
    }
}
