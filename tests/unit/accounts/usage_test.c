/* Usage: what is counted, that nothing counts twice, that nothing is missing after a crash. */
#include <stdio.h>
#include <string.h>

#include "accounts/usage_internal.h"
#include "books.h"
#include "test.h"

#define DAY 20778 /* of NOON */

static const struct principal *tagged_key(struct books *b, const char *tags)
{
    const struct key_info wanted = {.name = STR("x"), .policy = {.tags = str_from(tags)}};
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info made;
    struct err err = {0};

    EXPECT(key_create(b->accounts, &wanted, b->arena, &made, &token, &err), "%s", err.text);
    EXPECT(books_authenticate(b, &token, &who, &err), "%s", err.text);
    return who;
}

static void use(struct books *b, const struct principal *who, const char *model,
                const char *outcome, usd_micro cost)
{
    struct hold hold = {0};
    struct audit_record r = {.time = NOON,
                             .route = STR("POST /v1/chat/completions"),
                             .model = str_from(model),
                             .provider = STR("p"),
                             .outcome = str_from(outcome),
                             .tokens_in = 10,
                             .tokens_out = 5,
                             .tokens_cached = -1,
                             .cost = cost};
    struct err err = {0};

    EXPECT(hold_take(b->accounts, who, (struct need){.cost = cost}, NOON, &hold, &err), "%s",
           err.text);
    EXPECT(accounts_record(b->accounts, &hold, &r, &err), "%s", err.text);
}

/* A route's: `by` answered, `apart` cost something too. */
static void use_route(struct books *b, const struct principal *who, const char *by,
                      const char *apart, const struct audit_record *costs)
{
    struct hold hold = {0};
    struct audit_record r = *costs;
    struct err err = {0};

    r.time = NOON;
    r.route = STR("POST /v1/chat/completions");
    r.route_name = STR("r");
    r.model = STR("chat");
    r.provider = STR("p");
    r.deployment = str_from(by);
    r.apart = str_from(apart);
    r.outcome = STR("complete");
    EXPECT(hold_take(b->accounts, who, (struct need){.cost = r.cost}, NOON, &hold, &err), "%s",
           err.text);
    EXPECT(accounts_record(b->accounts, &hold, &r, &err), "%s", err.text);
}

static struct usage_row *read_by(struct books *b, uint32_t by, size_t *count)
{
    const struct usage_query query = {.from_day = DAY, .to_day = DAY, .by = by, .most = 1000};
    struct usage_row *rows = NULL;
    struct err err = {0};

    *count = 0;
    EXPECT(usage_read(b->accounts, &query, b->arena, &rows, count, &err), "%s", err.text);
    return rows;
}

static size_t read_page(struct books *b, const struct usage_row *after, size_t most,
                        struct usage_row **out)
{
    const struct usage_query query = {.from_day = DAY,
                                      .to_day = DAY,
                                      .by = 1u << USAGE_BY_DAY | 1u << USAGE_BY_MODEL,
                                      .after = after,
                                      .most = most};
    struct err err = {0};
    size_t count = 0;

    EXPECT(usage_read(b->accounts, &query, b->arena, out, &count, &err), "%s", err.text);
    return count;
}

FIBER_TEST(pages_of_usage_neither_double_nor_skip_when_kinds_come_between)
{
    struct usage_row *first, *second;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    const struct principal *who = tagged_key(&b, "");

    REQUIRE(who);
    use(&b, who, "b", "complete", 1);
    use(&b, who, "c", "complete", 2);
    use(&b, who, "d", "complete", 3);
    REQUIRE(read_page(&b, NULL, 2, &first) == 2);
    use(&b, who, "a", "complete", 4);
    use(&b, who, "c", "complete", 5);
    REQUIRE(read_page(&b, &first[1], 2, &second) == 1);
    EXPECT(str_eq(second[0].what[USAGE_BY_MODEL], STR("d")) && second[0].counts[USED_COST] == 3);
    principal_release(&who);
    books_close(&b);
}

FIBER_TEST(usage_is_counted_by_what_is_asked)
{
    struct usage_row *rows;
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *plain = tagged_key(&b, ""), *tagged = tagged_key(&b, "batch,night");

    REQUIRE(plain && tagged);
    use(&b, plain, "m", "complete", 100);
    use(&b, plain, "n", "cancelled", 30);
    use(&b, tagged, "m", "failed", 7);
    use(&b, tagged, "m", "complete", 200);

    rows = read_by(&b, 1u << USAGE_BY_MODEL, &count);
    REQUIRE(count == 2);
    EXPECT(str_eq(rows[0].what[USAGE_BY_MODEL], STR("m")) && rows[0].counts[USED_REQUESTS] == 3 &&
           rows[0].counts[USED_COST] == 307 && rows[0].counts[USED_FAILED] == 1);
    EXPECT(rows[1].counts[USED_COST] == 30 && rows[1].counts[USED_COST_LEFT] == 30);
    EXPECT(rows[0].counts[USED_TOKENS_IN] == 30 && rows[0].counts[USED_TOKENS_OUT] == 15 &&
           rows[0].counts[USED_TOKENS_CACHED] == 0);

    rows = read_by(&b, 1u << USAGE_BY_TAG, &count);
    REQUIRE(count == 3); /* "", batch, night */
    EXPECT(rows[0].counts[USED_COST] == 130 && !rows[0].what[USAGE_BY_TAG].len);
    EXPECT(str_eq(rows[1].what[USAGE_BY_TAG], STR("batch")) && rows[1].counts[USED_COST] == 207);
    EXPECT(str_eq(rows[2].what[USAGE_BY_TAG], STR("night")) && rows[2].counts[USED_COST] == 207);

    rows = read_by(&b, 1u << USAGE_BY_KEY | 1u << USAGE_BY_DAY, &count);
    REQUIRE(count == 2);
    EXPECT(rows[0].day == DAY && rows[0].counts[USED_REQUESTS] == 2);
    rows = read_by(&b, 0, &count);
    REQUIRE(count == 1);
    EXPECT(rows[0].counts[USED_COST] == 337 && rows[0].counts[USED_REQUESTS] == 4);
    principal_release(&plain);
    principal_release(&tagged);
    books_close(&b);
}

static bool row_is(const struct usage_row *row, const char *deployment, const char *provider,
                   const int64_t counts[USAGE_COUNTS])
{
    return str_eq(row->what[USAGE_BY_DEPLOYMENT], str_from(deployment)) &&
           str_eq(row->what[USAGE_BY_PROVIDER], str_from(provider)) &&
           memcmp(row->counts, counts, sizeof row->counts) == 0;
}

/* A hedge that lost, one that failed, one that another went on from: each costs where it was made, live and when
 * the log is read again. */
FIBER_TEST(usage_stands_with_who_answered_and_what_failed_with_who_failed)
{
    static const struct audit_record one = {.tokens_in = 10,
                                            .tokens_out = 5,
                                            .tokens_cached = -1,
                                            .tokens_cache_write = 6,
                                            .tokens_reasoning = 4,
                                            .tokens_audio = 3,
                                            .cost = 100,
                                            .cost_hedge = 20,
                                            .cost_attempts = 7},
                                     two = {.tokens_in = 30,
                                            .tokens_out = 9,
                                            .tokens_cached = -1,
                                            .cost = 90,
                                            .cost_attempts = 40};
    static const int64_t
        a[USAGE_COUNTS] = {[USED_REQUESTS] = 1,
                           [USED_TOKENS_IN] = 10,
                           [USED_TOKENS_OUT] = 5,
                           [USED_TOKENS_CACHE_WRITE] = 6,
                           [USED_TOKENS_REASONING] = 4,
                           [USED_TOKENS_AUDIO] = 3,
                           [USED_COST] = 73},
        b_here[USAGE_COUNTS] = {[USED_COST] = 20, [USED_COST_HEDGE] = 20},
        c[USAGE_COUNTS] =
            {[USED_REQUESTS] = 1, [USED_TOKENS_IN] = 18, [USED_TOKENS_OUT] = 5, [USED_COST] = 50},
        d[USAGE_COUNTS] = {[USED_TOKENS_IN] = 12,
                           [USED_TOKENS_OUT] = 4,
                           [USED_COST] = 47,
                           [USED_COST_ATTEMPTS] = 47};
    struct books b, copy;
    struct err err = {0};
    char dir[600];
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "");

    REQUIRE(who);
    use_route(&b, who, "a", "b here lost 0.000020,d there failed 0.000007", &one);
    use_route(&b, who, "c", "d there cut 0.000040 12 4", &two);
    snprintf(dir, sizeof dir, "%scopy", b.dir);
    books_copy(&b, dir); /* before anything is flushed: all of it is read from the log */
    REQUIRE(books_open(&copy, dir, &err), "%s", err.text);
    for (int i = 0; i < 2; i++) {
        struct usage_row *rows =
            read_by(i ? &copy : &b, 1u << USAGE_BY_DEPLOYMENT | 1u << USAGE_BY_PROVIDER, &count);

        REQUIRE(count == 4, "%zu", count);
        EXPECT(row_is(&rows[0], "a", "p", a) && row_is(&rows[1], "b", "here", b_here) &&
                   row_is(&rows[2], "c", "p", c) && row_is(&rows[3], "d", "there", d),
               "%s", i ? "from the log" : "live");
        rows = read_by(i ? &copy : &b, 1u << USAGE_BY_MODEL | 1u << USAGE_BY_ROUTE, &count);
        REQUIRE(count == 1 && str_eq(rows[0].what[USAGE_BY_MODEL], STR("chat")));
        EXPECT(rows[0].counts[USED_COST] == 190 && rows[0].counts[USED_TOKENS_IN] == 40 &&
               rows[0].counts[USED_COST_HEDGE] == 20 && rows[0].counts[USED_COST_ATTEMPTS] == 47 &&
               rows[0].counts[USED_REQUESTS] == 2);
    }
    principal_release(&who);
    books_close(&copy);
    books_close(&b);
}

/* Rows that an older Weir left, or writes beside this one: they count, and where no route was taken it is known
 * who answered. */
FIBER_TEST(usage_that_older_weirs_write_counts)
{
    static const struct statement old[] = {
        {"INSERT INTO instance_usage (day, tenant, team, key_id, model, provider, route, tags,"
         " requests, failed, tokens_in, tokens_out, tokens_cached, estimated, cost, cost_left,"
         " cost_hedge, cost_attempts, instance) VALUES (20778, 'default', '', 'k_old', 'm', 'p',"
         " 'POST /v1/chat/completions', '', 3, 0, 1, 2, 0, 0, 5, 0, 0, 0, 'x') ON CONFLICT (day,"
         " tenant, team, key_id, model, provider, route, tags, instance) DO UPDATE SET requests ="
         " instance_usage.requests + excluded.requests",
         NULL, 0},
        {"INSERT INTO instance_usage VALUES ('x', 20778, 'default', '', 'k_old', 'chat', 'p', 'r',"
         " '', 1, 0, 1, 2, 0, 0, 7, 0, 0, 0)",
         NULL, 0},
    };
    struct usage_query query = {.from_day = DAY,
                                .to_day = DAY,
                                .by = 1u << USAGE_BY_DEPLOYMENT,
                                .most = 10,
                                .only = {[USAGE_BY_DEPLOYMENT] = STR("m")}};
    struct usage_row *rows;
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "");

    REQUIRE(who && store_write_now(b.store, old, ARRAY_LEN(old), NULL, &err), "%s", err.text);
    use(&b, who, "m", "complete",
        100); /* its record names no deployment, as those of older Weirs */
    rows = read_by(&b, 1u << USAGE_BY_DEPLOYMENT, &count);
    REQUIRE(count == 2);
    EXPECT(!rows[0].what[USAGE_BY_DEPLOYMENT].len && rows[0].counts[USED_COST] == 7);
    EXPECT(str_eq(rows[1].what[USAGE_BY_DEPLOYMENT], STR("m")) &&
           rows[1].counts[USED_COST] == 105 && rows[1].counts[USED_REQUESTS] == 4);
    REQUIRE(usage_read(b.accounts, &query, b.arena, &rows, &count, &err) && count == 1, "%s",
            err.text);
    EXPECT(rows[0].counts[USED_COST] == 105);
    principal_release(&who);
    books_close(&b);
}

FIBER_TEST(usage_leaves_administrators_and_strangers_out)
{
    struct audit_record admin = {.time = NOON, .route = STR("POST /api/v1/keys")},
                        stranger = {.time = NOON,
                                    .key_id = STR("k_nobody"),
                                    .route = STR("POST /v1/chat/completions")};
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "");

    admin.key_id = who->key_id;
    admin.tenant = who->tenant;
    EXPECT(accounts_record(b.accounts, NULL, &admin, &err) &&
           accounts_record(b.accounts, NULL, &stranger, &err));
    (void)read_by(&b, 1u << USAGE_BY_DAY, &count);
    EXPECT(count == 0);
    principal_release(&who);
    books_close(&b);
}

/* Killed at every point of a sequence of uses and flushes: what the store has and the log make up add to
 * exactly what was used. */
FIBER_TEST(usage_is_whole_after_a_crash)
{
    struct books b, copy;
    struct err err = {0};
    usd_micro used = 0;
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "t");

    REQUIRE(who);
    for (int i = 0; i < 12; i++) {
        char dir[600];

        use(&b, who, i % 3 ? "m" : "n", "complete", i + 1);
        used += i + 1;
        if (i % 4 == 2)
            EXPECT(accounts_flush_wait(b.accounts, &err), "%s", err.text);
        snprintf(dir, sizeof dir, "%scopy-%d", b.dir, i);
        books_copy(&b, dir);
        REQUIRE(books_open(&copy, dir, &err), "%s", err.text);
        for (int twice = 0; twice < 2; twice++) {
            struct usage_row *rows = read_by(&copy, 0, &count);

            REQUIRE(count == 1);
            EXPECT(rows[0].counts[USED_COST] == used && rows[0].counts[USED_REQUESTS] == i + 1,
                   "%d: %" PRId64 " of %" PRId64, i, rows[0].counts[USED_COST], used);
        }
        books_close(&copy);
    }
    principal_release(&who);
    books_close(&b);
}

/* More kinds than memory has room for: the rest is read from the log. */
FIBER_TEST(usage_that_does_not_fit_memory_is_read_from_the_log)
{
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "");

    REQUIRE(who);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++) { /* books have room for 16 */
            char model[16];

            snprintf(model, sizeof model, "m%d", i);
            use(&b, who, model, "complete", 1);
        }
        struct usage_row *rows = read_by(&b, 1u << USAGE_BY_MODEL, &count);

        REQUIRE(count == 40);
        for (size_t i = 0; i < count; i++)
            EXPECT(rows[i].counts[USED_COST] == round + 1);
    }
    principal_release(&who);
    books_close(&b);
}

/* Alone in its second: the list of tags has more statements than the cell has by itself. */
FIBER_TEST(usage_with_many_tags_is_written)
{
    struct usage_row *rows;
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "a,b,c,d,e,f,g,h");

    REQUIRE(who);
    for (int i = 1; i <= 3; i++) {
        use(&b, who, "m", "complete", 5);
        rows = read_by(&b, 1u << USAGE_BY_TAG, &count);
        REQUIRE(count == 8, "%zu", count);
        for (size_t t = 0; t < count; t++)
            EXPECT(rows[t].what[USAGE_BY_TAG].ptr[0] == (char)('a' + (int)t) &&
                   rows[t].counts[USED_COST] == 5 * i);
    }
    principal_release(&who);
    books_close(&b);
}

/* The database was lost while it committed: it has what nobody here knows that it has. */
FIBER_TEST(usage_that_was_written_unheard_counts_once)
{
    struct usage_row *rows;
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    const struct principal *who = tagged_key(&b, "batch");

    REQUIRE(who);
    for (int round = 1; round <= 3; round++) {
        uint64_t known = b.accounts->usage->stored_seq;

        use(&b, who, "m", "complete", 100);
        rows = read_by(&b, 1u << USAGE_BY_MODEL, &count);
        REQUIRE(count == 1);
        EXPECT(rows[0].counts[USED_COST] == 100 * (2 * round - 1), "%" PRId64,
               rows[0].counts[USED_COST]);
        b.accounts->usage->stored_seq = known;
        use(&b, who, "m", "complete", 100);
        rows = read_by(&b, 1u << USAGE_BY_MODEL, &count);
        REQUIRE(count == 1);
        EXPECT(rows[0].counts[USED_COST] == 100 * 2 * round &&
                   rows[0].counts[USED_REQUESTS] == 2 * round,
               "%" PRId64, rows[0].counts[USED_COST]);
    }
    principal_release(&who);
    books_close(&b);
}

FIBER_TEST(usage_comes_in_pages)
{
    struct usage_query query = {
        .from_day = DAY, .to_day = DAY, .by = 1u << USAGE_BY_MODEL, .most = 3};
    struct usage_row *rows;
    struct books b;
    struct err err = {0};
    size_t count, seen = 0;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = tagged_key(&b, "");

    for (char model[] = "a"; model[0] <= 'g'; model[0]++)
        use(&b, who, model, "complete", 1);
    do {
        REQUIRE(usage_read(b.accounts, &query, b.arena, &rows, &count, &err), "%s", err.text);
        for (size_t i = 0; i < count; i++)
            EXPECT(rows[i].what[USAGE_BY_MODEL].ptr[0] == (char)('a' + (int)seen++));
        query.after = count ? &rows[count - 1] : NULL;
    } while (count == query.most);
    EXPECT(seen == 7);
    query = (struct usage_query){
        .from_day = DAY, .to_day = DAY, .most = 10, .only = {[USAGE_BY_MODEL] = STR("c")}};
    REQUIRE(usage_read(b.accounts, &query, b.arena, &rows, &count, &err) && count == 1);
    EXPECT(rows[0].counts[USED_REQUESTS] == 1);
    query.from_day = query.to_day = DAY - 1;
    REQUIRE(usage_read(b.accounts, &query, b.arena, &rows, &count, &err) && count == 0);
    principal_release(&who);
    books_close(&b);
}
