/* The numbers of a question in the other ways in which documents write them. */
#include "knowledge/number_forms.h"

#include "base/buf.h"
#include "test.h"

static const struct {
    const char *question, *forms;
} form_cases[] = {
    {"Who gets thirty days?", "thirti:30 thirti:三十"},
    {"Who gets 30 days?", "30:thirti 30:三十"},
    {"Who gets twenty-eight days?", "twenti:28 twenti:二十八"},
    {"What costs two hundred and fifty euros?", "two:250 two:二百五十"},
    {"Who pays EUR 1,500?", "1500:一千五百"},
    {"Who pays 1005 euros?", "1005:一千零五"},
    {"谁有三十天？", "三十:30 三十:thirti"},
    {"谁有15天？", "15:fifteen 15:十五"},
    {"谁付五万元？", "五万:50000"},
    {"哪里是百分之十二？", "十二:12 十二:twelv"},
    {"谁在第30天来？", ""},
    {"谁有三十二家店？", ""},
    {"Which one of them?", ""},
    {"When does Season 14 start?", ""},
    {"Which 14 people came?", "14:fourteen 14:十四"},
    {"Who won in 2019?", ""},
    {"What was the first prize in the 12th month?", ""},
    {"When was 31 March 2026?", ""},
    {"Who came at 14:30?", ""},
    {"Who approves refunds?", ""},
    {"", ""},
};

TEST(numbers_are_asked_for_in_every_form)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err));
    for (size_t i = 0; i < ARRAY_LEN(form_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str text = str_from(form_cases[i].question);
        struct number_form *forms;
        struct terms terms, all;
        char memory[200];
        struct buf b;
        size_t count;

        REQUIRE(analyser_terms(analyser, arena, text, &terms, &err) &&
                    number_forms(analyser, arena, text, &terms, &forms, &count, &err) &&
                    question_terms(analyser, arena, text, &all, &err),
                "%s", err.text);
        buf_init_fixed(&b, memory, sizeof memory);
        for (size_t k = 0; k < count; k++)
            buf_fmt(&b, "%s" STR_FMT ":" STR_FMT, k ? " " : "",
                    STR_ARG(terms.at[forms[k].term].text), STR_ARG(forms[k].as.text));
        EXPECT(str_eq(buf_view(&b), str_from(form_cases[i].forms)), "%s: " STR_FMT,
               form_cases[i].question, STR_ARG(buf_view(&b)));
        EXPECT(all.count == terms.count + count && all.words == terms.words);
    }
}
