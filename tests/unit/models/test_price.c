#include <string.h>

#include "models/price_rows.h"
#include "test.h"

#define AT(hour, minute) ((wall_ms)1763683200000 + ((hour)*60 + (minute)) * (wall_ms)60000)

/* in, out, cached, written, written for an hour, reasoning, audio in, audio out, image in */
#define USED(...)          \
    {                      \
        __VA_ARGS__, false \
    }

static const struct {
    const char *name;
    struct prices prices;
    struct usage usage;
    usd_micro want;
} price_cases[] = {
    {"a million each", PRICES(150000, 600000), USED(1000000, 1000000, -1, -1, -1, -1, -1, -1, -1),
     750000},
    {"one token is rounded up", PRICES(150000, 600000), USED(1, 0, -1, -1, -1, -1, -1, -1, -1), 1},
    {"rounded once, not per part", PRICES(400000, 400000), USED(1, 1, -1, -1, -1, -1, -1, -1, -1),
     1},
    {"nothing costs nothing", PRICES(150000, 600000), USED(0, 0, 0, -1, -1, -1, -1, -1, -1), 0},
    {"not known costs nothing",
     {1, 1, 1, 1, 1, 1, 1, 1, 1, 500},
     USED(-1, -1, -1, -1, -1, -1, -1, -1, -1),
     0},
    {"no price for cached: as the others", PRICES(1000000, 0),
     USED(100, 0, 60, -1, -1, -1, -1, -1, -1), 100},
    {"more cached than read is not believed",
     {1000000, 0, 0, -1, -1, -1, -1, -1, -1, -1},
     USED(100, 0, 900, -1, -1, -1, -1, -1, -1),
     0},
    {"cached and audio at once are paid once",
     {1000000, 0, 100000, -1, -1, -1, 5000000, -1, -1, -1},
     USED(100, 0, 80, -1, -1, -1, 80, -1, -1),
     8 + 100},
    {"free model", PRICES(0, 0), USED(1000, 1000, -1, -1, -1, -1, -1, -1, -1), 0},
    {"for each request",
     {1000000, 0, -1, -1, -1, -1, -1, -1, -1, 2000},
     USED(5, 0, -1, -1, -1, -1, -1, -1, -1),
     2005},
    {"absurd counts end at the ceiling", PRICES(INT64_MAX, INT64_MAX),
     USED(INT64_MAX, INT64_MAX, -1, -1, -1, -1, -1, -1, -1), PRICE_MAX},

    /* As providers bill. The counts are theirs, brought to the house's way of counting; prices are in
     * micro-dollars a million tokens. */
    /* gpt-4o 2.50/10.00, cached 1.25: prompt 2006 with 1920 cached, completion 300 */
    {"OpenAI: cached tokens are inside the prompt's",
     {2500000, 10000000, 1250000, -1, -1, -1, -1, -1, -1, -1},
     USED(2006, 300, 1920, -1, -1, -1, -1, -1, -1),
     215 + 2400 + 3000},
    /* o3-mini 1.10/4.40: completion 1200, 1024 of them reasoning */
    {"OpenAI: reasoning is inside the completion and costs as much", PRICES(1100000, 4400000),
     USED(20, 1200, -1, -1, -1, 1024, -1, -1, -1), 22 + 5280},
    /* gpt-4o-audio 2.50/10.00, audio 40/80: prompt 100 (60 audio), completion 50 (40 audio) */
    {"OpenAI: audio tokens at their own price",
     {2500000, 10000000, -1, -1, -1, -1, 40000000, 80000000, -1, -1},
     USED(100, 50, -1, -1, -1, -1, 60, 40, -1),
     100 + 2400 + 100 + 3200},
    /* gpt-image style: text 5.00, image 10.00, out 40.00 */
    {"OpenAI: image tokens at their own price",
     {5000000, 40000000, -1, -1, -1, -1, -1, -1, 10000000, -1},
     USED(250, 10, -1, -1, -1, -1, -1, -1, 200),
     250 + 2000 + 400},
    /* Sonnet 3.00/15.00, read 0.30, write 3.75: input 21, read 188086, written 2051, output 393 */
    {"Anthropic: read and written come beside the input",
     {3000000, 15000000, 300000, 3750000, 6000000, -1, -1, -1, -1, -1},
     USED(21 + 188086 + 2051, 393, 188086, 2051, 0, -1, -1, -1, -1),
     70076 /* 63 + 56425.8 + 7691.25 + 5895 = 70075.05 */},
    /* the same, 2000 of it for an hour at 6.00 */
    {"Anthropic: written for an hour is dearer",
     {3000000, 15000000, 300000, 3750000, 6000000, -1, -1, -1, -1, -1},
     USED(10 + 500 + 2000, 100, 0, 500, 2000, -1, -1, -1, -1),
     30 + 1875 + 12000 + 1500},
    /* Flash 0.30/2.50, audio 1.00, cached 0.03: prompt 1000 (400 cached), candidates 50, thoughts 700 */
    {"Gemini: thoughts are output",
     {300000, 2500000, 30000, -1, -1, -1, 1000000, -1, -1, -1},
     USED(1000, 50 + 700, 400, -1, -1, 700, -1, -1, -1),
     180 + 12 + 1875},
    /* Flash with 300 of 1000 tokens of audio */
    {"Gemini: audio read is dearer",
     {300000, 2500000, 30000, -1, -1, -1, 1000000, -1, -1, -1},
     USED(1000, 10, -1, -1, -1, -1, 300, -1, -1),
     210 + 300 + 25},
    /* DeepSeek 0.28/0.42, hit 0.028: hit 896, miss 104, completion 1000 of which 800 reasoning */
    {"DeepSeek: hits and misses are the prompt",
     {280000, 420000, 28000, -1, -1, -1, -1, -1, -1, -1},
     USED(1000, 1000, 896, -1, -1, 800, -1, -1, -1),
     475 /* 29.12 + 25.088 + 420 = 474.208 */},
};

TEST(usage_is_priced_as_providers_bill_it)
{
    for (size_t i = 0; i < ARRAY_LEN(price_cases); i++) {
        struct price_list list = {.plain = price_cases[i].prices};
        usd_micro got =
            price_usage(&list, &price_cases[i].usage, &(struct price_for){.when = AT(12, 0)});

        EXPECT(got == price_cases[i].want, "%s: %" PRId64, price_cases[i].name, got);
    }
}

/* 1 and 2 dollars; for two tenants 3 dollars of input by day; half of it from 16:30 to 00:30; prompts from 200,000 tokens on twice the input. */
static const struct price_row rows[] = {
    {.prices = {3000000, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     .hours = {8 * 60, 16 * 60},
     .tenants = {"acme, other", 11}},
    {.prices = {500000, 1000000, -1, -1, -1, -1, -1, -1, -1, -1}, .hours = {16 * 60 + 30, 30}},
    {.prices = {2000000, -1, -1, -1, -1, -1, -1, -1, -1, -1}, .prompt = {200000, 0}},
};
static const struct price_list tiers = {.plain = PRICES(1000000, 2000000),
                                        .rows = rows,
                                        .row_count = ARRAY_LEN(rows)};

static const struct {
    const char *name;
    int64_t in;
    int hour, minute;
    usd_micro want_in, want_out;
    const char *tenant;
} row_cases[] = {
    {"plain", 10, 12, 0, 1000000, 2000000},
    {"the last minute before", 10, 16, 29, 1000000, 2000000},
    {"from the first minute", 10, 16, 30, 500000, 1000000},
    {"over midnight", 10, 0, 29, 500000, 1000000},
    {"the end is not included", 10, 0, 30, 1000000, 2000000},
    {"a large prompt", 200000, 12, 0, 2000000, 2000000},
    {"just below", 199999, 12, 0, 1000000, 2000000},
    {"the first row that fits", 200000, 20, 0, 500000, 1000000},
    {"a prompt nobody counted", -1, 12, 0, 1000000, 2000000},
    {"a tenant", 10, 12, 0, 3000000, 2000000, "acme"},
    {"the second of them", 10, 12, 0, 3000000, 2000000, "other"},
    {"at another hour", 10, 18, 0, 500000, 1000000, "acme"},
    {"a tenant without a row", 10, 12, 0, 1000000, 2000000, "acm"},
};

TEST(rows_hold_by_hour_prompt_and_tenant)
{
    for (size_t i = 0; i < ARRAY_LEN(row_cases); i++) {
        const struct price_for buyer = {
            .tenant = str_from(row_cases[i].tenant ? row_cases[i].tenant : ""),
            .when = AT(row_cases[i].hour, row_cases[i].minute)};
        struct prices got = prices_at(&tiers, row_cases[i].in, &buyer);

        EXPECT(got.in == row_cases[i].want_in && got.out == row_cases[i].want_out,
               "%s: %" PRId64 " %" PRId64, row_cases[i].name, got.in, got.out);
        EXPECT(got.cached == got.in && got.reasoning == got.out, "%s", row_cases[i].name);
    }
}

TEST(the_worst_case_covers_every_row_and_kind)
{
    static const struct price_row dear[] = {
        {.prices = {-1, -1, -1, 4000000, -1, -1, -1, -1, -1, -1}, .hours = {0, 60}},
        {.prices = {-1, -1, -1, -1, -1, 9000000, -1, -1, -1, 700}, .prompt = {5, 0}},
        {.prices = {-1, 90000000, -1, -1, -1, -1, -1, -1, -1, -1}, .tenants = {"others", 6}},
    };
    struct price_list list = {.plain = PRICES(1000000, 2000000), .rows = dear, .row_count = 3};
    struct price_bounds bounds = {.tokens_in = 10, .tokens_out = 3, .choices = 2};

    EXPECT(price_bound(&list, &bounds) == 10 * 4 + 2 * 3 * 9 + 700, "%" PRId64,
           price_bound(&list, &bounds));
    list.row_count = 0;
    EXPECT(price_bound(&list, &bounds) == 10 + 2 * 3 * 2);
    bounds.tokens_in = UINT64_MAX;
    EXPECT(price_bound(&list, &bounds) == PRICE_MAX);
}

/* No usage may cost more than the bound of its counts, at any hour. */
TEST(no_usage_is_dearer_than_its_bound)
{
    uint64_t state = 4711;

    for (int i = 0; i < 20000; i++) {
        int64_t r[12];
        for (size_t k = 0; k < ARRAY_LEN(r); k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            r[k] = (int64_t)(state >> 45);
        }
        struct usage used = USED(r[0], r[1], r[2] - 9, r[3] - 9, r[4], r[5], r[6], r[7], r[8]);
        struct price_bounds bounds = {
            .tokens_in = (uint64_t)r[0], .tokens_out = (uint64_t)r[1], .choices = 1};
        struct price_row row = {.prices = {r[9], -1, r[10], r[2], -1, r[3], -1, r[4], -1, r[5]},
                                .hours = {(int)(r[6] % 1440), (int)(r[7] % 1440)},
                                .prompt = {r[8], 0}};
        struct price_list list = {.plain = {r[3], r[4], -1, r[11], -1, -1, r[6], -1, r[8], -1},
                                  .rows = &row,
                                  .row_count = 1};
        usd_micro cost =
            price_usage(&list, &used, &(struct price_for){.when = AT(0, 0) + r[11] * 60000});

        EXPECT(cost <= price_bound(&list, &bounds), "round %d", i);
    }
}

static const struct {
    const char *name, *text,
        *field; /* field: NULL where it is read, and `again` is what is written */
    const char *again;
} json_cases[] = {
    {"none", "[]", NULL, "[]"},
    {"one that says nothing", "[{}]", NULL, "[{}]"},
    {"all that a row can say",
     "[{\"price_request_usd\":0.01,\"tenants\":[\"acme\",\" other \"],\"hours\":\"8-18:30\","
     "\"prompt_tokens\":\"0-200\"}]",
     NULL,
     "[{\"hours\":\"08:00-18:30\",\"prompt_tokens\":\"0-200\",\"tenants\":[\"acme\",\"other\"],"
     "\"price_request_usd\":0.010000}]"},
    {"over midnight", "[{\"hours\":\"16:30-24\"}]", NULL, "[{\"hours\":\"16:30-00:00\"}]"},
    {"free is said too", "[{\"price_input_usd\":0}]", NULL, "[{\"price_input_usd\":0.000000}]"},
    {"a row that is none", "[{},1]", "[1]", NULL},
    {"hours that are none", "[{\"hours\":\"25-26\"}]", "[0].hours", NULL},
    {"hours of another kind", "[{\"hours\":8}]", "[0].hours", NULL},
    {"a range that ends before it begins", "[{},{\"prompt_tokens\":\"9-8\"}]", "[1].prompt_tokens",
     NULL},
    {"a price below nothing", "[{\"price_audio_output_usd\":-1}]", "[0].price_audio_output_usd",
     NULL},
    {"a price in words", "[{\"price_input_usd\":\"1\"}]", "[0].price_input_usd", NULL},
    {"nobody pays", "[{\"tenants\":[]}]", "[0].tenants", NULL},
    {"two tenants in one", "[{\"tenants\":[\"a,b\"]}]", "[0].tenants", NULL},
};

TEST(price_rows_are_read_and_written)
{
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(json_cases[i].text), &err);
        struct price_rows_fault where;
        struct price_rows read = {0};
        struct json_writer w;
        struct buf b;
        bool ok = price_rows_read(arena, j, json_root(j), &read, &where, &err);

        EXPECT(ok == !json_cases[i].field, "%s: %s", json_cases[i].name, err.text);
        if (!ok) {
            EXPECT(err.code == ERR_INVALID && strcmp(where.field, json_cases[i].field) == 0,
                   "%s: %s", json_cases[i].name, where.field);
            continue;
        }
        buf_init(&b, arena, 64 * KIB);
        jw_init(&w, &b);
        price_rows_write(&w, read.at, read.count);
        EXPECT(str_eq(buf_view(&b), str_from(json_cases[i].again)), "%s: " STR_FMT,
               json_cases[i].name, STR_ARG(buf_view(&b)));
    }
}

TEST(price_rows_are_bounded)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct price_rows_fault where;
    struct price_rows read = {0};
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    buf_str(&b, STR("[{}"));
    for (size_t i = 1; i < PRICE_ROWS_MAX; i++)
        buf_str(&b, STR(",{}"));
    size_t most = b.len;
    buf_str(&b, STR("]"));
    struct json *j = json_parse(arena, buf_view(&b), &err);
    EXPECT(price_rows_read(arena, j, json_root(j), &read, &where, &err) &&
           read.count == PRICE_ROWS_MAX);
    b.len = most;
    buf_str(&b, STR(",{}]"));
    j = json_parse(arena, buf_view(&b), &err);
    EXPECT(!price_rows_read(arena, j, json_root(j), &read, &where, &err) &&
           err.code == ERR_INVALID && !where.field[0]);
}
