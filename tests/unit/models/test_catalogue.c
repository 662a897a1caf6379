#include "models/models.h"
#include "test.h"

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
        struct model model = {.prices = {.plain = PRICES(1000000, 2000000)},
                              .output_tokens_max = worst_cases[i].assumed};
        struct chat_request chat = {.prompt_bytes = worst_cases[i].prompt_bytes,
                                    .max_tokens = worst_cases[i].max_tokens,
                                    .n = worst_cases[i].n};
        usd_micro got = price_worst(&model, &chat, STR("acme"));

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

TEST(abilities_have_names_both_ways)
{
    char text[256];
    struct buf b;

    for (uint32_t bit = 1; bit <= CAN_RERANK; bit <<= 1) {
        buf_init_fixed(&b, text, sizeof text);
        abilities_write(&b, bit);
        EXPECT(ability_parse(buf_view(&b)) == bit, "bit %" PRIu32 ": " STR_FMT, bit,
               STR_ARG(buf_view(&b)));
    }
    EXPECT(ability_parse(STR("flying")) == 0);
    EXPECT(ability_parse(STR("")) == 0);
    buf_init_fixed(&b, text, sizeof text);
    abilities_write(&b, CAN_TOOLS | CAN_STREAM);
    EXPECT(str_eq(buf_view(&b), STR("stream, tools")));
}

TEST(a_retired_model_names_its_successor)
{
    struct model models[] = {{.name = STR("old"), .successor = STR("next")},
                             {.name = STR("next"), .successor = STR("new")},
                             {.name = STR("new")}};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct catalogue all = {.models = models, .model_count = ARRAY_LEN(models)};
    struct model *old = &models[0], *next = &models[1];
    struct err err = {0};

    table_init(&all.by_name, arena, ARRAY_LEN(models));
    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        REQUIRE(table_put(&all.by_name, models[i].name, &models[i], NULL));
    EXPECT(model_still_served(&all, old, &err));
    old->lifecycle = LIFE_DEPRECATED;
    EXPECT(model_still_served(&all, old, &err) && catalogue_successor(&all, old) == next);
    old->lifecycle = LIFE_RETIRED;
    EXPECT(!model_still_served(&all, old, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(
        str_eq(str_from(err.text), STR("model \"old\" is retired; ask for its successor \"next\"")),
        "%s", err.text);
    next->lifecycle = LIFE_RETIRED; /* who comes behind it */
    EXPECT(!model_still_served(&all, old, &err));
    EXPECT(
        str_eq(str_from(err.text), STR("model \"old\" is retired; ask for its successor \"new\"")),
        "%s", err.text);
    next->successor = STR("old"); /* in a circle */
    EXPECT(!model_still_served(&all, old, &err));
    EXPECT(str_eq(str_from(err.text),
                  STR("model \"old\" is retired and has no successor in service")));
    old->successor = STR_NONE;
    EXPECT(!catalogue_successor(&all, old));
}
