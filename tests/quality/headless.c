/* Chinese questions as people type them into a search box: "小说的作者是谁？" is "小说的作者", "何时开馆？" "开馆时间". */
#include "headless.h"

struct ending {
    const char *words, *instead;
};
/* First match wins: longer ones stand before their ends. */
static const struct ending endings[] = {
    {"是在什么时候", "的时间"},
    {"是什么时候", "的时间"},
    {"在什么时候", "的时间"},
    {"是在哪一年", "的时间"},
    {"是在哪里", "的地点"},
    {"在哪里", "的地点"},
    {"位于哪里", "的位置"},
    {"分别是什么", ""},
    {"分别是谁", ""},
    {"叫做什么", ""},
    {"叫什么", ""},
    {"是什么", ""},
    {"是甚麼", ""},
    {"是什麼", ""},
    {"为什么", NULL},
    {"為什麼", NULL},
    {"为何", ""},
    {"為何", ""},
    {"是谁", ""},
    {"是誰", ""},
    {"為誰", ""},
    {"为谁", ""},
    {"是多少", ""},
    {"为多少", ""},
    {"為多少", ""},
    {"有多少", "的数量"},
    {"是何時", "的時間"},
    {"是哪裡", ""},
    {"是哪里", ""},
    {"有哪些", ""},
    {"是哪些", ""},
    {"為", ""},
    {"是", ""},
};
/* Taken out, with what then stands at the end. */
static const struct ending inside[] = {
    {"是在什么时候", "的时间"}, {"是什么时候", "的时间"}, {"在什么时候", "的时间"},
    {"什么时候", "时间"},       {"是在何时", "的时间"},   {"于何时", "的时间"},
    {"在何时", "的时间"},       {"何时", "时间"},         {"於何時", "的時間"},
    {"在何時", "的時間"},       {"何時", "時間"},         {"是在哪一年", "的时间"},
    {"是哪一年", "的时间"},     {"于哪一年", "的时间"},   {"在哪一年", "的时间"},
    {"哪一年", "时间"},         {"是在哪里", "的地点"},   {"在哪里", "的地点"},
    {"在哪裡", "的地點"},
};

static struct str put(struct arena *arena, struct str before, struct str behind,
                      const char *instead)
{
    return arena_fmt(arena, STR_FMT STR_FMT "%s", STR_ARG(before), STR_ARG(behind), instead);
}

struct str headless(struct arena *arena, struct str question)
{
    static const char *const marks[] = {"？", "?", "。", "呢", "呀"};

    question = str_trim(question);
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_ends(question, str_from(marks[i])))
            question = str_slice(question, 0, question.len - str_from(marks[i]).len);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct str words = str_from(endings[i].words);

        if (str_ends(question, words) && question.len >= words.len + 6)
            return endings[i].instead ? put(arena, str_slice(question, 0, question.len - words.len),
                                            STR_NONE, endings[i].instead)
                                      : STR_NONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        struct str words = str_from(inside[i].words);
        size_t at = str_find(question, words);

        if (at < question.len)
            return put(arena, str_slice(question, 0, at),
                       str_slice(question, at + words.len, question.len), inside[i].instead);
    }
    return STR_NONE;
}
