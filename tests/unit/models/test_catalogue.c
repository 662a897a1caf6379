#include "models/models.h"
#include "test.h"

static const struct {
    const char *name;
    usd_micro in, out, cached;
    struct usage usage;
    usd_micro want;
} price_cases[] = {
    {"a million each", 150000, 600000, -1, {1000000, 1000000, -1, -1, false}, 750000},
    {"one token is rounded up", 150000, 600000, -1, {1, 0, -1, -1, false}, 1},
    {"rounded once, not per part", 400000, 400000, -1, {1, 1, -1, -1, false}, 1},
    {"nothing costs nothing", 150000, 600000, -1, {0, 0, 0, -1, false}, 0},
    {"not known costs nothing", 150000, 600000, -1, {-1, -1, -1, -1, false}, 0},
    {"cached tokens are inside the prompt's", 1000000, 0, 100000, {100, 0, 60, -1, false}, 46},
    {"cached for free", 1000000, 0, 0, {100, 0, 60, -1, false}, 40},
    {"no price for cached: as the others", 1000000, 0, -1, {100, 0, 60, -1, false}, 100},
    {"more cached than asked is not believed", 1000000, 0, 0, {100, 0, 900, -1, false}, 0},
    {"free model", 0, 0, -1, {1000, 1000, -1, -1, false}, 0},
    {"absurd counts end at the ceiling",
     INT64_MAX,
     INT64_MAX,
     -1,
     {INT64_MAX, INT64_MAX, -1, -1, false},
     PRICE_MAX},
};

TEST(prices_are_rounded_up_once)
{
    for (size_t i = 0; i < ARRAY_LEN(price_cases); i++) {
        struct model model = {.price_in = price_cases[i].in,
                              .price_out = price_cases[i].out,
                              .price_cached = price_cases[i].cached};
        usd_micro got = price_of(&model, &price_cases[i].usage);

        EXPECT(got == price_cases[i].want, "%s: %" PRId64, price_cases[i].name, got);
    }
}

static const struct {
    const char *name;
    size_t prompt_bytes;
    int64_t max_tokens, n, assumed;
    usd_micro want;
} worst_cases[] = {
    {"named", 100, 10, 1, 999, 100 + 20},
    {"not named: the model's", 100, -1, 1, 50, 100 + 100},
    {"each choice may be as long", 100, 10, 3, 0, 100 + 60},
    {"none at all", 100, 0, 1, 50, 100},
    {"absurd", SIZE_MAX / 4, 1000000000, 128, 0, PRICE_MAX},
};

TEST(price_at_worst_counts_a_token_a_byte)
{
    for (size_t i = 0; i < ARRAY_LEN(worst_cases); i++) {
        struct model model = {.price_in = 1000000,
                              .price_out = 2000000,
                              .price_cached = -1,
                              .output_tokens_max = worst_cases[i].assumed};
        struct chat_request chat = {.prompt_bytes = worst_cases[i].prompt_bytes,
                                    .max_tokens = worst_cases[i].max_tokens,
                                    .n = worst_cases[i].n};
        usd_micro got = price_worst(&model, &chat);

        EXPECT(got == worst_cases[i].want, "%s: %" PRId64, worst_cases[i].name, got);
    }
}

TEST(catalogue_finds_by_the_whole_name)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    struct model models[2] = {{.name = STR("a")}, {.name = STR("org/b")}};
    struct catalogue c = {.models = models, .model_count = 2};

    table_init(&c.by_name, arena, 8);
    for (size_t i = 0; i < 2; i++)
        REQUIRE(table_put(&c.by_name, models[i].name, &models[i], NULL));
    EXPECT(catalogue_find(&c, STR("org/b")) == &models[1]);
    EXPECT(catalogue_find(&c, STR("org")) == NULL);
    EXPECT(catalogue_find(&c, STR("")) == NULL);
}
