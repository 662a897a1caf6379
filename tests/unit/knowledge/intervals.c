/* What numbers of a text bound. */
#include "knowledge/interval.h"

#include <math.h>

#include "test.h"

struct line {
    const char *text;
    double from, to;
    bool from_out, to_out, is_bound;
    enum numeral_unit unit;
};
#define NONE (double)INFINITY

TEST(what_numbers_bound)
{
    static const struct line cases[] = {
        {"up to EUR 5,000", -NONE, 5000, false, false, true, UNIT_EURO},
        {"above EUR 50,000 the claims board", 50000, NONE, true, false, true, UNIT_EURO},
        {"expenses of more than 6k", 6000, NONE, true, false, true, UNIT_NONE},
        {"My claim is 420 euros", 420, 420, false, false, false, UNIT_EURO},
        {"for more than ten working days in a row", 10, NONE, true, false, true, UNIT_DAY},
        {"25 years or more", 25, NONE, false, false, true, UNIT_YEAR},
        {"under 23 years", -NONE, 23, false, true, true, UNIT_YEAR},
        {"5 to 10 years", 5, 10, false, false, true, UNIT_YEAR},
        {"between 2 and 5 years", 2, 5, false, false, true, UNIT_YEAR},
        {"5,000 元以下", -NONE, 5000, false, false, true, UNIT_YUAN},
        {"30 万元以上", 300000, NONE, false, false, true, UNIT_YUAN},
        {"20万元的理赔案", 200000, 200000, false, false, false, UNIT_YUAN},
        {"报销超过4万元", 40000, NONE, true, false, true, UNIT_YUAN},
        {"两到五年", 2, 5, false, false, true, UNIT_YEAR},
        {"两年以内", -NONE, 2, false, false, true, UNIT_YEAR},
        {"不满 18 岁", -NONE, 18, false, true, true, UNIT_NONE},
        {"最多 10 个工作日", -NONE, 10, false, false, true, UNIT_DAY},
        {"10 个工作日以上", 10, NONE, false, false, true, UNIT_DAY},
        {"礼品每年价值不得超过 200 元", -NONE, 200, false, false, true, UNIT_YUAN},
        {"not exceeding EUR 500", -NONE, 500, false, false, true, UNIT_EURO},
        {"not above 500 euros", -NONE, 500, false, false, true, UNIT_EURO},
        {"no fewer than 10 days", 10, NONE, false, false, true, UNIT_DAY},
        {"not under 18 years", 18, NONE, false, false, true, UNIT_YEAR},
        {"不高于 5 万元", -NONE, 50000, false, false, true, UNIT_YUAN},
        {"不得低于 3 天", 3, NONE, false, false, true, UNIT_DAY},
        {"未超过 200 元", -NONE, 200, false, false, true, UNIT_YUAN},
        {"不小于 2 年", 2, NONE, false, false, true, UNIT_YEAR},
        {"有没有超过 200 元", 200, NONE, true, false, true, UNIT_YUAN},
        {"up to EUR 5 000", -NONE, 5000, false, false, true, UNIT_EURO},
        {"1万5千元", 15000, 15000, false, false, false, UNIT_YUAN},
        {"3万5000元以上", 35000, NONE, false, false, true, UNIT_YUAN},
        {"1亿2000万元", 120000000, 120000000, false, false, false, UNIT_YUAN},
        {"10 000 euros", 10000, 10000, false, false, false, UNIT_EURO},
        {"1\xC2\xA0"
         "250\xC2\xA0"
         "000 euros",
         1250000, 1250000, false, false, false, UNIT_EURO},
        {"EUR 500 to EUR 5,000", 500, 5000, false, false, true, UNIT_EURO},
        {"500 EUR to 5,000 EUR", 500, 5000, false, false, true, UNIT_EURO},
        {"500 euros to 5,000 euros", 500, 5000, false, false, true, UNIT_EURO},
        {"500 € - 5,000 €", 500, 5000, false, false, true, UNIT_EURO},
        {"between 500 EUR and 5,000 EUR", 500, 5000, false, false, true, UNIT_EURO},
        {"5 days to 10 days", 5, 10, false, false, true, UNIT_DAY},
        {"5% to 10%", 5, 10, false, false, true, UNIT_NONE},
        {"12\xE2\x80\xAF"
         "500.50 euros",
         12500.5, 12500.5, false, false, false, UNIT_EURO},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    REQUIRE(arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct line *c = &cases[i];
        struct intervals got;
        struct err err = {0};

        REQUIRE(intervals_read(arena, str_from(c->text), &got, &err), "%s", err.text);
        const struct interval *v = &got.at[0];
        EXPECT(got.count == 1 && v->from == c->from && v->to == c->to &&
                   v->from_out == c->from_out && v->to_out == c->to_out &&
                   v->is_bound == c->is_bound && v->unit == c->unit,
               "%s: %zu, %g to %g, unit %d", c->text, got.count, v->from, v->to, (int)v->unit);
    }
}

TEST(intervals_that_meet)
{
    static const struct {
        const char *a, *b;
        bool meet;
    } cases[] = {
        {"750 euros", "up to EUR 1,000", true},
        {"1,000 euros", "up to EUR 1,000", true},
        {"1,000 euros", "above EUR 1,000", false},
        {"more than 1,000 euros", "up to EUR 1,000", false},
        {"more than 1,000 euros", "up to EUR 5,000", true},
        {"5 years", "5 to 10 years", true},
        {"at least 5 years", "2 to 5 years", false},
        {"超过 5000 元", "3,000 元以下", false},
        {"超过 5000 元", "3 万元以下", true},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    REQUIRE(arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct intervals a, b;
        struct err err = {0};

        REQUIRE(intervals_read(arena, str_from(cases[i].a), &a, &err) &&
                    intervals_read(arena, str_from(cases[i].b), &b, &err),
                "%s", err.text);
        REQUIRE(a.count == 1 && b.count == 1, "%s, %s", cases[i].a, cases[i].b);
        EXPECT(intervals_compare(&a.at[0], &b.at[0]) &&
                   intervals_meet(&a.at[0], &b.at[0]) == cases[i].meet &&
                   intervals_meet(&b.at[0], &a.at[0]) == cases[i].meet,
               "%s, %s", cases[i].a, cases[i].b);
    }
}
