/* Questions that go on from what was said before. */
#include "knowledge/followup.h"
#include "test.h"

static const struct {
    const char *name, *before, *answer, *question, *want;
} cases[] = {
    {"nothing before", "", "", "And for water damage?", "And for water damage?"},
    {"stands by itself", "What is the deadline for reporting a claim?", "7 days.",
     "How many days of annual leave do employees get?",
     "How many days of annual leave do employees get?"},
    {"what is new goes behind", "What is the deadline for reporting?", "7 days.",
     "And for water damage?", "What is the deadline for reporting for water damage?"},
    {"what about", "What is the deadline for reporting?", "", "What about theft?",
     "What is the deadline for reporting theft?"},
    {"a name for a name", "How much is the daily allowance in Switzerland?", "EUR 64.",
     "And in France?", "How much is the daily allowance in France?"},
    {"a plan for a plan", "What is the excess of the Plus plan?", "", "And the Basic plan?",
     "What is the excess of the Basic plan?"},
    {"a thing", "How long can a sabbatical be?", "", "Who decides that?",
     "Who decides sabbatical?"},
    {"it", "How many days of annual leave do employees get?", "28.", "When does it expire?",
     "When does days annual leave employees expire?"},
    {"a person of the answer", "Who is the Director of Claims?",
     "Ingrid Solheim is the Director [1].", "What is her telephone number?",
     "What is Ingrid Solheim telephone number?"},
    {"only a question word", "How long can a sabbatical be?", "", "Since when?",
     "Since when sabbatical?"},
    {"a new topic opened with and", "How long can a sabbatical be?", "",
     "And who is the data protection officer?", "And who is the data protection officer?"},
    {"another language", "How long can a sabbatical be?", "", "那年假呢？", "那年假呢？"},
    {"zh: what is new", "报案的期限是多久？", "", "那水管破裂呢？", "水管破裂，报案的期限是多久？"},
    {"zh: a place for a place", "北京的每日补贴是多少？", "", "那上海呢？",
     "上海的每日补贴是多少？"},
    {"zh: a pronoun", "长期休假最长是多久？", "", "谁决定这个？", "谁决定长期休假最长？"},
    {"zh: a short question", "年假有多少天？", "", "什么时候失效？", "年假什么时候失效？"},
    {"an attribute alone", "Who manages the Munich branch?", "", "What is the telephone number?",
     "What is the telephone number of manages Munich branch?"},
    {"an attribute of something", "Who manages the Munich branch?", "",
     "What is the fee for a reminder?", "What is the fee for a reminder?"},
    {"zh: what is done alone", "产假有多少天？", "", "需要提前多久申请？",
     "产假需要提前多久申请？"},
    {"zh: stands by itself", "年假有多少天？", "", "上海分公司的负责人是谁？",
     "上海分公司的负责人是谁？"},
};

TEST(a_question_that_goes_on_is_completed)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct utterance said[] = {{true, str_from(cases[i].before)},
                                   {false, str_from(cases[i].answer)}};
        struct err err = {0};
        struct str got;

        REQUIRE(followup_complete(arena, said, 2, str_from(cases[i].question), &got, &err), "%s",
                err.text);
        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: \"" STR_FMT "\"", cases[i].name,
               STR_ARG(got));
    }
}

TEST(a_subject_lasts)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct utterance said[] = {{true, STR("How much is the daily allowance in Switzerland?")},
                               {false, STR("EUR 64.")},
                               {true, STR("And in France?")},
                               {false, STR("EUR 53.")}};
    struct err err = {0};
    struct str got;

    REQUIRE(followup_complete(arena, said, 4, STR("And in China?"), &got, &err), "%s", err.text);
    EXPECT(str_eq(got, STR("How much is the daily allowance in China?")), STR_FMT, STR_ARG(got));
}

TEST(a_long_conversation_is_bounded)
{
    static struct utterance said[100];
    static char text[FOLLOWUP_BYTES_MAX + 1];
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct err err = {0};
    struct str got;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 5 ? 'a' : ' ';
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        said[i] = (struct utterance){i % 2 == 0, {text, sizeof text - (i % 3)}};
    REQUIRE(followup_complete(arena, said, ARRAY_LEN(said), STR("And that?"), &got, &err));
    EXPECT(got.len <= FOLLOWUP_BYTES_MAX);
}
