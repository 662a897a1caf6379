/* Texts in the order in which they answer a query, without a model. */
#include "knowledge/order.h"

#include "test.h"

#define TEXTS 4

static const struct {
    const char *name, *query, *texts[TEXTS];
    size_t best;
} order_cases[] = {
    {"the one that says it",
     "Within how many days must a claim be reported?",
     {"The office is closed on Sundays.", "A claim must be reported within 30 days.",
      "Reports of claims are kept.", "Claims are paid."},
     1},
    {"in a long text, too",
     "Who approves refunds?",
     {"Refunds exist.", "Nothing here.",
      "Our house is old.\n\nIt has four floors. Refunds are approved by the finance director. "
      "Lunch is at noon.",
      "The director is ill."},
     2},
    {"what looks like a heading is read",
     "opening hours",
     {"Prices\n\nFive.", "Opening hours\n\nNine to five.", "", "Hours of work."},
     1},
    {"Chinese",
     "理赔需要多少天？",
     {"办公室周日休息。", "天气很好。", "", "理赔需要十五个工作日。"},
     3},
};

TEST(texts_are_ordered_by_what_they_say)
{
    for (size_t i = 0; i < ARRAY_LEN(order_cases); i++) {
        struct str texts[TEXTS];
        float scores[TEXTS];
        struct err err = {0};

        for (size_t k = 0; k < TEXTS; k++)
            texts[k] = str_from(order_cases[i].texts[k]);
        REQUIRE(order_texts(str_from(order_cases[i].query), texts, TEXTS, scores, &err), "%s",
                err.text);
        for (size_t k = 0; k < TEXTS; k++) {
            EXPECT(scores[k] >= 0 && scores[k] <= 1, "%s: %zu", order_cases[i].name, k);
            EXPECT(k == order_cases[i].best || scores[k] < scores[order_cases[i].best],
                   "%s: %zu before %zu", order_cases[i].name, k, order_cases[i].best);
        }
    }
}

TEST(what_shares_no_word_with_the_query_has_no_score)
{
    struct str texts[] = {STR("Lunch is at noon."), STR(""), STR("the of and")};
    float scores[3] = {1, 1, 1};
    struct err err = {0};

    REQUIRE(order_texts(STR("Who approves the refunds?"), texts, 3, scores, &err), "%s", err.text);
    for (size_t i = 0; i < 3; i++)
        EXPECT(scores[i] <= 0, "%zu: %f", i, (double)scores[i]);
}

TEST(what_is_too_large_or_no_text_is_refused_by_name)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    char *large = arena_alloc(arena, ORDER_BYTES_MAX + 1);
    struct str texts[] = {STR("a claim"), {"a\0b", 3}};
    float scores[2];
    struct err err = {0};

    REQUIRE(large);
    EXPECT(!order_texts(STR("claim"), texts, 2, scores, &err) && err.code == ERR_INVALID &&
               str_starts(str_from(err.text), STR("documents.1: ")),
           "%s", err.text);
    texts[1] = (struct str){large, ORDER_BYTES_MAX + 1};
    err = (struct err){0};
    EXPECT(!order_texts(STR("claim"), texts, 2, scores, &err) && err.code == ERR_TOO_LARGE, "%s",
           err.text);
    err = (struct err){0};
    EXPECT(!order_texts((struct str){large, 4001}, texts, 1, scores, &err) &&
               err.code == ERR_INVALID,
           "%s", err.text);
}
