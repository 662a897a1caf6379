/* On which side of a number something lies, and opposites: "at least" for "at most", "before" for "after". */
#include "knowledge/bound.h"
#include "knowledge/support.h"
#include "test.h"

#define FLOOR   BOUND_FLOOR
#define CEILING BOUND_CEILING
#define NONE    BOUND_NONE

static const struct {
    const char *text;
    enum bound_side side;
} bound_cases[] = {
    {"at least 30 days", FLOOR},
    {"a minimum of 30 days", FLOOR},
    {"more than EUR 500", FLOOR},
    {"over 500 euros", FLOOR},
    {"30 days or more", FLOOR},
    {"10 working days or longer", FLOOR},
    {"aged 65 and over", FLOOR},
    {"no less than 30 days", FLOOR},
    {"not fewer than 3 people", FLOOR},
    {"not before 31 March", FLOOR},
    {"after 31 March 2026", FLOOR},
    {"at most 30 days", CEILING},
    {"a maximum of a total of 30 days", CEILING},
    {"up to EUR 50,000", CEILING},
    {"within 7 days", CEILING},
    {"no later than 14:30", CEILING},
    {"must not exceed 5 %", CEILING},
    {"may not be more than 30 days", CEILING},
    {"30 days or less", CEILING},
    {"30 days maximum", CEILING},
    {"before 31 March", CEILING},
    {"under 18", CEILING},
    {"30 days", NONE},
    {"30 days, or more if agreed", NONE},
    {"30 days. At least one must be taken", NONE},
    {"plunder 18 ships", NONE},
    {"at 30 degrees", NONE},
    {"至少30天", FLOOR},
    {"不少于三十天", FLOOR},
    {"超过30天", FLOOR},
    {"30天以上", FLOOR},
    {"30天及以上", FLOOR},
    {"30日之后", FLOOR},
    {"十个工作日以上", FLOOR},
    {"至多30天", CEILING},
    {"最高赔偿50万元", CEILING},
    {"不超过30天", CEILING},
    {"不得超过30天", CEILING},
    {"30天以内", CEILING},
    {"30天内", CEILING},
    {"30日之前", CEILING},
    {"低于5%", CEILING},
    {"30天年假", NONE},
    {"第30条", NONE},
};

static struct numerals numerals;

TEST(bounds_of_numbers)
{
    for (size_t i = 0; i < ARRAY_LEN(bound_cases); i++) {
        struct str text = str_from(bound_cases[i].text);
        enum bound_side got = BOUND_NONE;

        numerals_read(text, &numerals);
        REQUIRE(numerals.count >= 1, "%s", bound_cases[i].text);
        for (size_t k = 0; k < numerals.count && got == BOUND_NONE; k++)
            got = bound_side_of(text, &numerals.at[k]);
        if (bound_cases[i].side == BOUND_NONE) /* of the first one alone */
            got = bound_side_of(text, &numerals.at[0]);
        EXPECT(got == bound_cases[i].side, "%s: %d", bound_cases[i].text, got);
    }
}

/* --- sentences -------------------------------------------------------------------------------- */

static const struct {
    const char *fact, *claim;
    enum lack lack;
} opposite_cases[] = {
    {"Notice must be given at least 30 days ahead.", "Notice must be given at most 30 days ahead.",
     LACK_OPPOSITE},
    {"Notice must be given at least 30 days ahead.",
     "Notice must be given no less than thirty days ahead.", LACK_NOTHING},
    {"Notice must be given at least 30 days ahead.", "Notice must be given 30 days ahead.",
     LACK_NOTHING},
    {"Claims must be reported within 7 days.", "Claims must be reported after 7 days.",
     LACK_OPPOSITE},
    {"Claims must be reported within 7 days.", "Claims must be reported no later than 7 days.",
     LACK_NOTHING},
    {"Claims must be reported within 7 days.", "Claims reported after 7 days are not paid.",
     LACK_NEGATION},
    {"Gifts above 35 euros need approval.", "Gifts below 35 euros need approval.", LACK_OPPOSITE},
    {"Gifts above 35 euros need approval.", "Gifts of more than 35 euros need approval.",
     LACK_NOTHING},
    {"The deposit may not exceed 500 euros.", "The deposit may exceed 500 euros.", LACK_OPPOSITE},
    {"The deposit may not exceed 500 euros.", "The deposit is limited to 500 euros.", LACK_NOTHING},
    {"Trips of 3 days or more need a plan.", "Trips of 3 days or less need a plan.", LACK_OPPOSITE},
    {"The rebate lies between 5 % and at most 10 %, never above 10 %.",
     "The rebate lies at most at 10 %.", LACK_NOTHING},
    {"The form is signed before departure.", "The form is signed after departure.", LACK_OPPOSITE},
    {"The form is signed before departure.", "The form is signed prior to departure.",
     LACK_NOTHING},
    {"The form is signed before departure and filed after departure.",
     "The form is signed and filed after departure.", LACK_NOTHING},
    {"The minimum age is set by the office.", "The maximum age is set by the office.",
     LACK_OPPOSITE},
    {"Smoking is allowed in the yard.", "Smoking is forbidden in the yard.", LACK_OPPOSITE},
    {"Smoking is prohibited in the yard.", "Smoking is allowed in the yard.", LACK_OPPOSITE},
    {"Smoking is prohibited in the yard.", "Smoking is not allowed in the yard.", LACK_NOTHING},
    {"Smoking is not permitted in the yard.", "Smoking is forbidden in the yard.", LACK_NOTHING},
    {"Smoking is allowed in the yard.", "Smoking is permitted in the yard.", LACK_NOTHING},
    {"Training is mandatory for drivers.", "Training is voluntary for drivers.", LACK_OPPOSITE},
    {"员工应至少提前30天通知。", "员工应至多提前30天通知。", LACK_OPPOSITE},
    {"员工应至少提前30天通知。", "员工应提前不少于30天通知。", LACK_NOTHING},
    {"报案应在7天以内提出。", "报案应在7天之后提出。", LACK_OPPOSITE},
    {"报案应在7天以内提出。", "报案应在七天之内提出。", LACK_NOTHING},
    {"金额35元以上的礼品需要批准。", "金额35元以下的礼品需要批准。", LACK_OPPOSITE},
    {"押金不得超过500元。", "押金超过500元。", LACK_OPPOSITE},
    {"押金不得超过500元。", "押金最高500元。", LACK_NOTHING},
    {"表格应在出发之前签字。", "表格应在出发之后签字。", LACK_OPPOSITE},
    {"表格应在出发之前签字。", "表格应在出发以前签字。", LACK_NOTHING},
    {"院内允许吸烟。", "院内禁止吸烟。", LACK_OPPOSITE},
    {"院内禁止吸烟。", "院内允许吸烟。", LACK_OPPOSITE},
    {"院内禁止吸烟。", "院内严禁吸烟。", LACK_NOTHING},
    {"培训是强制的。", "培训是自愿的。", LACK_OPPOSITE},
};

TEST(opposites_are_not_supported)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(analyser_open(&analyser, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(opposite_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str fact = str_from(opposite_cases[i].fact);
        struct evidence_source source = {STR(""), &fact, 1};
        struct evidence *evidence;
        struct support s;

        REQUIRE(evidence_read(analyser, arena, &source, 1, &evidence, &err), "%s", err.text);
        REQUIRE(
            support_find(analyser, arena, evidence, 1, str_from(opposite_cases[i].claim), &s, &err),
            "%s", err.text);
        EXPECT(s.lack == opposite_cases[i].lack, "%s / %s: lacks %s \"" STR_FMT "\"",
               opposite_cases[i].fact, opposite_cases[i].claim, lack_name(s.lack), STR_ARG(s.what));
    }
}
