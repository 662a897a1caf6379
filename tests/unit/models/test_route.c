#include "models/route.h"

#include <stdio.h>

#include "test.h"

static const struct provider somebody;
static struct model deployments[] = {
    {.name = STR("a"), .provider = &somebody, .abilities = CAN_TOOLS | CAN_IMAGES},
    {.name = STR("b"), .provider = &somebody, .abilities = CAN_TOOLS},
    {.name = STR("c"), .provider = &somebody},
    {.name = STR("gone"), .provider = &somebody, .lifecycle = LIFE_RETIRED},
    {.name = STR("house")},
};

static bool read_rows(struct arena *arena, const struct route_text *rows, size_t count,
                      struct route_table **out, struct err *err)
{
    static struct catalogue c;

    c = (struct catalogue){.models = deployments, .model_count = ARRAY_LEN(deployments)};
    table_init(&c.by_name, arena, 8);
    for (size_t i = 0; i < ARRAY_LEN(deployments); i++)
        if (!table_put(&c.by_name, deployments[i].name, &deployments[i], NULL))
            return err_arena(err, arena);
    return route_table_read(arena, rows, count, &c, out, err);
}

static struct str first_fit(const struct route_table *t, const struct route_ask *ask)
{
    const struct route *r = route_find(t, ask);

    return r ? r->name : STR("none");
}

static const struct route_text some_rows[] = {
    {.name = STR("shop at night"),
     .models = STR("fast"),
     .tenants = STR("shop"),
     .hours = STR("22-6"),
     .use = STR("c")},
    {.name = STR("shop"), .models = STR("fast"), .tenants = STR("shop, till"), .use = STR("b")},
    {.name = STR("pictures"), .models = STR("sharp"), .needs = STR("images"), .use = STR("a")},
    {.name = STR("gpt-4"), .models = STR("gpt-4*"), .use = STR("a*3, b > c")},
    {.name = STR("gpt"), .models = STR("gpt-*, o1"), .use = STR("b")},
    {.name = STR("secret"), .models = STR("other"), .data_classes = STR("secret"), .use = STR("c")},
    {.name = STR("tagged"), .models = STR("tag"), .tags = STR("batch"), .use = STR("c")},
    {.name = STR("team"), .models = STR("team"), .teams = STR("red"), .use = STR("c")},
    {.name = STR("fast"), .models = STR("fast"), .use = STR("a")},
};

static const struct str two_tags[] = {{"blue", 4}, {"batch", 5}};
static const struct {
    struct route_ask ask;
    const char *want;
} find_cases[] = {
    {{.values = {STR("fast"), STR("shop")}, .minute = 23 * 60}, "shop at night"},
    {{.values = {STR("fast"), STR("shop")}, .minute = 5 * 60 + 59}, "shop at night"},
    {{.values = {STR("fast"), STR("shop")}, .minute = 6 * 60}, "shop"},
    {{.values = {STR("fast"), STR("till")}, .minute = 23 * 60}, "shop"},
    {{.values = {STR("fast"), STR("bank")}}, "fast"},
    {{.values = {STR("fast")}}, "fast"},
    {{.values = {STR("sharp")}, .needs = CAN_IMAGES}, "pictures"},
    {{.values = {STR("sharp")}, .needs = CAN_TOOLS}, "none"},
    {{.values = {STR("gpt-4o")}}, "gpt-4"},
    {{.values = {STR("gpt-4")}}, "gpt-4"},
    {{.values = {STR("gpt-3")}}, "gpt"},
    {{.values = {STR("gpt")}}, "none"},
    {{.values = {STR("o1")}}, "gpt"},
    {{.values = {STR("o1-mini")}}, "none"},
    {{.values = {STR("other"), STR_NONE, STR_NONE, STR_NONE, STR("secret")}}, "secret"},
    {{.values = {STR("other"), STR_NONE, STR_NONE, STR_NONE, STR("public")}}, "none"},
    {{.values = {STR("tag")}, .tags = two_tags, .tag_count = 2}, "tagged"},
    {{.values = {STR("tag")}, .tags = two_tags, .tag_count = 1}, "none"},
    {{.values = {STR("tag")}}, "none"},
    {{.values = {STR("team"), STR_NONE, STR("red")}}, "team"},
    {{.values = {STR("")}}, "none"},
};

TEST(the_first_row_that_holds_is_taken)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct route_table *t = NULL;
    struct err err = {0};

    REQUIRE(read_rows(arena, some_rows, ARRAY_LEN(some_rows), &t, &err) == true && t, "%s",
            err.text);
    for (size_t i = 0; i < ARRAY_LEN(find_cases); i++) {
        struct str got = first_fit(t, &find_cases[i].ask);

        EXPECT(str_eq(got, str_from(find_cases[i].want)), "case %zu: " STR_FMT, i, STR_ARG(got));
    }
    const struct route *gpt4 = route_find(t, &(struct route_ask){.values = {STR("gpt-4o")}});
    REQUIRE(gpt4 && gpt4->group_count == 2);
    EXPECT(gpt4->groups[0].count == 2 && gpt4->groups[0].candidates[0].weight == 3);
    EXPECT(gpt4->groups[0].candidates[1].model == &deployments[1]);
    EXPECT(gpt4->groups[1].count == 1 && gpt4->groups[1].candidates[0].model == &deployments[2]);
}

#define ROW(name_, ...)                                  \
    {                                                    \
        .name = STR(name_), .use = STR("a"), __VA_ARGS__ \
    }
static const struct {
    const char *claim;
    struct route_text rows[4];
    const char *refused; /* NULL: taken */
} check_cases[] = {
    {"apart by name", {ROW("x", .models = STR("m")), ROW("y", .models = STR("n"))}, NULL},
    {"the exception above the rule",
     {ROW("x", .models = STR("m"), .tenants = STR("t")), ROW("y", .models = STR("m"))},
     NULL},
    {"the rule above the exception",
     {ROW("x", .models = STR("m")), ROW("y", .models = STR("m"), .tenants = STR("t"))},
     "route \"y\" is never reached: \"x\" above it takes every request that fits it"},
    {"the same twice",
     {ROW("x", .models = STR("m")), ROW("y", .models = STR("m"))},
     "route \"y\" is never reached: \"x\""},
    {"tenant across hours",
     {ROW("x", .models = STR("m"), .tenants = STR("t")),
      ROW("y", .models = STR("m"), .hours = STR("8-18"))},
     "routes \"x\" and \"y\" overlap"},
    {"tenant across hours, with a row for both above",
     {ROW("w", .models = STR("m"), .tenants = STR("t"), .hours = STR("8-18")),
      ROW("x", .models = STR("m"), .tenants = STR("t")),
      ROW("y", .models = STR("m"), .hours = STR("8-18"))},
     NULL},
    {"a row for some of both is not enough",
     {ROW("w", .models = STR("m"), .tenants = STR("t"), .hours = STR("8-12")),
      ROW("x", .models = STR("m"), .tenants = STR("t")),
      ROW("y", .models = STR("m"), .hours = STR("8-18"))},
     "routes \"x\" and \"y\" overlap"},
    {"a beginning covers a longer one",
     {ROW("x", .models = STR("gpt-*")), ROW("y", .models = STR("gpt-4*"))},
     "route \"y\" is never reached"},
    {"beginnings that share names",
     {ROW("x", .models = STR("gpt-4*, o1")), ROW("y", .models = STR("gpt-*, o1-mini"))},
     "routes \"x\" and \"y\" overlap"},
    {"every name covers any",
     {ROW("x", .models = STR("*")), ROW("y", .models = STR("m"))},
     "route \"y\" is never reached"},
    {"one of two names is taken already",
     {ROW("x", .models = STR("m")), ROW("y", .models = STR("m, n"))},
     NULL},
    {"hours that touch", {ROW("x", .hours = STR("8-18")), ROW("y", .hours = STR("18-8"))}, NULL},
    {"hours that overlap by a minute",
     {ROW("x", .hours = STR("8-18")), ROW("y", .hours = STR("17:59-8"))},
     "routes \"x\" and \"y\" overlap"},
    {"sizes that touch",
     {ROW("x", .prompt_tokens = STR("0-10")), ROW("y", .prompt_tokens = STR("10-"))},
     NULL},
    {"sizes that overlap",
     {ROW("x", .prompt_tokens = STR("0-11")), ROW("y", .prompt_tokens = STR("10-"))},
     "routes \"x\" and \"y\" overlap"},
    {"day and night leave nothing",
     {ROW("x", .hours = STR("8-18")), ROW("y", .hours = STR("18-8")), ROW("z", .models = STR("m"))},
     "route \"z\" is never reached: \"x\", \"y\" and others above it"},
    {"day and night of one tenant leave the others",
     {ROW("x", .tenants = STR("t"), .hours = STR("8-18")),
      ROW("y", .tenants = STR("t"), .hours = STR("18-8")), ROW("z", .models = STR(""))},
     NULL},
    {"sizes and hours together leave nothing",
     {ROW("x", .prompt_tokens = STR("0-100")),
      ROW("y", .prompt_tokens = STR("100-"), .hours = STR("0-12")),
      ROW("z", .prompt_tokens = STR("100-"), .hours = STR("12-24")), ROW("rest")},
     "route \"rest\" is never reached"},
    {"sizes and hours together leave a corner",
     {ROW("x", .prompt_tokens = STR("0-100")),
      ROW("y", .prompt_tokens = STR("100-"), .hours = STR("0-12")),
      ROW("z", .prompt_tokens = STR("101-"), .hours = STR("12-24")), ROW("rest")},
     NULL},
    {"more needs above fewer",
     {ROW("x", .needs = STR("tools, images")), ROW("y", .needs = STR("images")), ROW("z")},
     NULL},
    {"different needs overlap",
     {ROW("x", .needs = STR("tools")), ROW("y", .needs = STR("images"))},
     "routes \"x\" and \"y\" overlap"},
    {"two rows with one name",
     {ROW("x", .models = STR("m")), ROW("x", .models = STR("n"))},
     "two routes are called \"x\""},
    {"no such ability",
     {ROW("x", .needs = STR("flying"))},
     "route \"x\": \"flying\" is no ability"},
    {"a star in the middle", {ROW("x", .models = STR("g*t"))}, "\"*\" may only stand at the end"},
    {"an empty name", {ROW("x", .models = STR("a,,b"))}, "a value is empty"},
    {"tags are taken in their order",
     {ROW("x", .tags = STR("one")), ROW("y", .tags = STR("two"))},
     NULL},
    {"bad hours", {ROW("x", .hours = STR("dawn"))}, "route \"x\": expected hours"},
    {"bad sizes", {ROW("x", .prompt_tokens = STR("big"))}, "route \"x\": expected a range"},
    {"nobody to use", {{.name = STR("x"), .use = STR("")}}, "use: expected names"},
    {"an empty group", {{.name = STR("x"), .use = STR("a > ")}}, "use: expected names"},
    {"a stranger", {{.name = STR("x"), .use = STR("zz")}}, "use: no model is called \"zz\""},
    {"one of the house", {{.name = STR("x"), .use = STR("house")}}, "no model is called \"house\""},
    {"weight zero", {{.name = STR("x"), .use = STR("a*0")}}, "the weight of \"a\""},
    {"twice", {{.name = STR("x"), .use = STR("a > b, a")}}, "use: \"a\" stands there twice"},
    {"only the retired", {{.name = STR("x"), .use = STR("gone")}}, "none of its candidates"},
    {"nobody can",
     {{.name = STR("x"), .needs = STR("images"), .use = STR("b")}},
     "none of its candidates"},
};

TEST(rows_that_would_surprise_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(check_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
        struct route_table *t = NULL;
        struct err err = {0};
        size_t count = 0;

        while (count < 4 && check_cases[i].rows[count].name.len)
            count++;
        bool ok = read_rows(arena, check_cases[i].rows, count, &t, &err);
        EXPECT(ok == !check_cases[i].refused, "%s: %s", check_cases[i].claim, err.text);
        struct str text = str_from(err.text);
        EXPECT(ok || str_find(text, str_from(check_cases[i].refused)) < text.len, "%s: %s",
               check_cases[i].claim, err.text);
    }
}

/* The tree finds what reading all rows from the top finds, whatever the rows. */
static const struct route *by_reading(const struct route_table *t, const struct route_ask *ask)
{
    for (size_t i = 0; i < route_count(t); i++) {
        const struct route *r = route_at(t, i);
        bool fits = true;

        for (enum route_set set = 0; set < ROUTE_SETS; set++) {
            bool one = r->sets[set].count == 0;

            for (size_t w = 0; w < r->sets[set].count; w++) {
                struct str word = r->sets[set].at[w];

                one = one || str_eq(word, ask->values[set]) ||
                      (set == MATCH_MODEL && str_ends(word, STR("*")) &&
                       str_starts(ask->values[set], str_slice(word, 0, word.len - 1)));
            }
            fits = fits && one;
        }
        if (fits)
            return r;
    }
    return NULL;
}

TEST(the_tree_agrees_with_reading_the_rows)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    static struct route_text rows[400];
    struct route_table *t = NULL;
    struct err err = {0};
    size_t count = 0;

    /* For each of ten names twenty tenants, each with exceptions for teams; then the rules. */
    for (int m = 0; m < 10; m++)
        for (int tenant = 0; tenant < 20; tenant++) {
            rows[count++] =
                (struct route_text){.name = arena_fmt(arena, "r%d-%d-team", m, tenant),
                                    .models = arena_fmt(arena, m < 5 ? "m%d" : "m%d*", m),
                                    .tenants = arena_fmt(arena, "t%d, u%d", tenant, tenant),
                                    .teams = arena_fmt(arena, "team%d", tenant % 3),
                                    .use = STR("a")};
            if (tenant % 2)
                rows[count++] =
                    (struct route_text){.name = arena_fmt(arena, "r%d-%d", m, tenant),
                                        .models = arena_fmt(arena, m < 5 ? "m%d" : "m%d*", m),
                                        .tenants = arena_fmt(arena, "t%d, u%d", tenant, tenant),
                                        .use = STR("b")};
        }
    rows[count++] = (struct route_text){.name = STR("m"), .models = STR("m*"), .use = STR("c")};
    REQUIRE(read_rows(arena, rows, count, &t, &err) == true && t, "%s", err.text);
    for (int i = 0; i < 4000; i++) {
        struct route_ask ask = {.values = {arena_fmt(arena, i % 7 ? "m%d" : "m%dx", i % 12),
                                           arena_fmt(arena, i % 2 ? "t%d" : "u%d", i / 12 % 22),
                                           arena_fmt(arena, "team%d", i / 5 % 4)}};

        EXPECT(route_find(t, &ask) == by_reading(t, &ask), "ask %d", i);
    }
}

TEST(no_routes_is_no_route)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct route_table *t = NULL;
    struct err err = {0};
    struct route_ask ask = {.values = {STR("m")}};

    EXPECT(!route_find(NULL, &ask));
    REQUIRE(route_table_read(arena, NULL, 0, NULL, &t, &err) == true && t, "%s", err.text);
    EXPECT(!route_find(t, &ask));
}
