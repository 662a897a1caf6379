#include <string.h>

#include "accounts/accounts_internal.h"
#include "books.h"
#include "sys/threads.h"
#include "test.h"

#define USD       ((usd_micro)1000000)
#define MINUTE_MS ((wall_ms)60000)
#define DAY_MS    ((wall_ms)86400000)

/* ---- requests a minute ---- */

/* In no 60 seconds more than the limit, whatever the rhythm. */
FIBER_TEST(requests_never_exceed_the_limit_in_any_minute)
{
    static const wall_ms steps[] = {1, 130, 999, 1000, 1001, 5900, 6000, 6001, 59999, 60000};
    const struct limits limits = {.requests_per_minute = 10};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
        const struct principal *who = books_key(&b, "x", &limits);
        wall_ms taken[400];
        size_t count = 0;

        REQUIRE(who);
        for (wall_ms now = NOON; now < NOON + 400 * steps[s] && now < NOON + 5 * MINUTE_MS;
             now += steps[s])
            if (books_request(&b, who, 0, 0, now))
                taken[count++] = now;
        for (size_t i = 10; i < count; i++)
            EXPECT(taken[i] - taken[i - 10] >= MINUTE_MS, "step %" PRId64, steps[s]);
        EXPECT(count >= 10 || steps[s] >= 6000);
    }
    books_close(&b);
}

FIBER_TEST(requests_refused_come_back_when_told)
{
    const struct limits limits = {.requests_per_minute = 3};
    struct hold hold = {0};
    struct limits_left left;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &limits);

    REQUIRE(who);
    left = limits_left(b.accounts, who, NOON);
    EXPECT(left.requests_limit == 3 && left.requests_left == 3 && left.requests_reset == 0);
    EXPECT(left.tokens_limit == -1 && left.spend_limit == -1 && left.spend_left == -1);
    EXPECT(books_request(&b, who, 0, 0, NOON) && books_request(&b, who, 0, 0, NOON + 10000) &&
           books_request(&b, who, 0, 0, NOON + 20000));
    EXPECT(!hold_take(b.accounts, who, (struct need){.cost = 0}, NOON + 30000, &hold, &err));
    EXPECT(err.code == ERR_EXHAUSTED &&
               strstr(err.text,
                      "3 requests a minute of this key is used up, the next is free in 31 s"),
           "%s", err.text);
    left = limits_left(b.accounts, who, NOON + 30000);
    EXPECT(left.requests_left == 0 && hold.retry_after == 31 * SECOND);
    EXPECT(left.requests_reset == 51 * SECOND, "%" PRId64, left.requests_reset);
    EXPECT(!books_request(&b, who, 0, 0, NOON + 60999));
    EXPECT(books_request(&b, who, 0, 0, NOON + 61000));
    EXPECT(!books_request(&b, who, 0, 0, NOON + 61000));
    books_close(&b);
}

FIBER_TEST(requests_survive_a_clock_that_jumps)
{
    const struct limits limits = {.requests_per_minute = 2};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &limits);

    REQUIRE(who);
    EXPECT(books_request(&b, who, 0, 0, NOON) && books_request(&b, who, 0, 0, NOON - 1500));
    EXPECT(!books_request(&b, who, 0, 0, NOON - 30000)); /* a little back: the same minute */
    EXPECT(books_request(&b, who, 0, 0, NOON - DAY_MS)); /* set back: a new one */
    EXPECT(books_request(&b, who, 0, 0, NOON + DAY_MS)); /* set forward: a new one */
    EXPECT(books_request(&b, who, 0, 0, NOON + DAY_MS));
    EXPECT(!books_request(&b, who, 0, 0, NOON + DAY_MS));
    books_close(&b);
}

/* ---- spend ---- */

FIBER_TEST(spend_is_held_before_and_settled_after)
{
    const struct limits limits = {.spend_day = 5 * USD};
    struct hold first = {0}, second = {0}, third = {0};
    struct limits_left left;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &limits);

    REQUIRE(who);
    EXPECT(hold_take(b.accounts, who, (struct need){.cost = 3 * USD}, NOON, &first, &err), "%s",
           err.text);
    EXPECT(!hold_take(b.accounts, who, (struct need){.cost = 3 * USD}, NOON, &second, &err));
    EXPECT(
        err.code == ERR_EXHAUSTED &&
            strstr(err.text,
                   "spend limit of 5.00 USD a day of this key is used up (0.00 spent, 3.00 held by "
                   "running requests, at most 3.00 needed), resets at "
                   "2026-11-22T00:00:00Z"),
        "%s", err.text);
    EXPECT(hold_take(b.accounts, who, (struct need){.cost = 2 * USD}, NOON, &second, &err), "%s",
           err.text);
    EXPECT(accounts_holds_open(b.accounts) == 2);
    left = limits_left(b.accounts, who, NOON);
    EXPECT(left.spend_limit == 5 * USD && left.spend_left == 0);

    struct audit_record cheap = {.time = NOON, .cost = 4500},
                        dear = {.time = NOON, .cost = 5 * USD};

    EXPECT(accounts_record(b.accounts, &first, &cheap, &err), "%s", err.text);
    EXPECT(str_eq(cheap.key_id, who->key_id) && cheap.seq == 1);
    EXPECT(hold_take(b.accounts, who, (struct need){.cost = 2 * USD}, NOON, &third, &err), "%s",
           err.text);
    EXPECT(accounts_record(b.accounts, &second, &dear, &err), "%s", err.text); /* above its hold */
    EXPECT(!hold_take(b.accounts, who, (struct need){.cost = 1}, NOON, &first, &err));
    EXPECT(strstr(err.text, "5.0045 spent, 2.00 held"), "%s", err.text);
    EXPECT(hold_take(b.accounts, who, (struct need){.cost = 0}, NOON, &first,
                     &err)); /* what costs nothing goes on */
    hold_drop(b.accounts, &first);
    hold_drop(b.accounts, &first);
    hold_drop(b.accounts, &third);

    struct key_info info = books_info(&b, who->key_id);

    EXPECT(info.balance.spent_total == 5 * USD + 4500 && info.balance.held == 0 &&
           info.balance.last_used == NOON);
    books_close(&b);
}

FIBER_TEST(spend_larger_than_the_limit_is_told_apart)
{
    const struct limits limits = {.spend_month = USD / 2};
    struct hold hold = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &limits);

    REQUIRE(who);
    EXPECT(!hold_take(b.accounts, who, (struct need){.cost = USD}, NOON, &hold, &err));
    EXPECT(strstr(err.text,
                  "may cost 1.00 USD, more than the spend limit of 0.50 USD a month of this key"),
           "%s", err.text);
    EXPECT(!hold_take(b.accounts, who, (struct need){.cost = INT64_MAX}, NOON, &hold, &err) &&
           !hold.open);
    books_close(&b);
}

FIBER_TEST(spend_limits_of_day_and_month_hold_together)
{
    const struct limits limits = {.spend_day = 2 * USD, .spend_month = 3 * USD};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &limits);
    const wall_ms next_day = NOON + DAY_MS, december = NOON + 10 * DAY_MS;

    REQUIRE(who);
    EXPECT(books_request(&b, who, 2 * USD, 2 * USD, NOON));
    EXPECT(!books_request(&b, who, USD, 0, NOON + 12 * 3600000 - 1)); /* last millisecond */
    EXPECT(limits_left(b.accounts, who, NOON).spend_limit == 2 * USD);
    EXPECT(books_request(&b, who, USD, USD, NOON + 12 * 3600000)); /* midnight */
    EXPECT(limits_left(b.accounts, who, next_day).spend_limit == 3 * USD);
    EXPECT(!books_request(&b, who, USD, 0, next_day)); /* the month is full */
    EXPECT(books_request(&b, who, 2 * USD, 2 * USD, december));

    struct key_info info = books_info(&b, who->key_id);

    EXPECT(info.balance.spent_total == 5 * USD);
    books_close(&b);
}

/* A hold from before midnight is settled in the day of its record. */
FIBER_TEST(spend_is_counted_in_the_day_of_the_record)
{
    const struct limits limits = {.spend_day = 2 * USD};
    const wall_ms midnight = NOON + DAY_MS / 2;
    struct hold late = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &limits);
    struct audit_record record = {.time = midnight + 1, .cost = 2 * USD};

    REQUIRE(who);
    EXPECT(hold_take(b.accounts, who, (struct need){.cost = 2 * USD}, midnight - 1, &late, &err),
           "%s", err.text);
    EXPECT(!books_request(&b, who, USD, 0, midnight)); /* held is held, whichever day */
    EXPECT(accounts_record(b.accounts, &late, &record, &err));
    EXPECT(!books_request(&b, who, USD, 0, midnight + 2));
    EXPECT(books_request(&b, who, USD, USD, midnight + DAY_MS));
    books_close(&b);
}

FIBER_TEST(records_of_nobody_and_of_the_house)
{
    const char *dir = test_dir();
    struct hold none = {0}, house = {0};
    struct audit_record refused = {.time = NOON, .status = 401, .outcome = STR("refused")};
    struct audit_record inside = {.time = NOON, .cost = 5};
    struct audit_report report;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    EXPECT(accounts_record(b.accounts, NULL, &refused, &err), "%s", err.text);
    EXPECT(accounts_record(b.accounts, &none, &refused, &err), "%s", err.text);

    const struct principal *local = accounts_local_admin(b.accounts);

    EXPECT(local->role == ROLE_OWNER && str_eq(local->key_id, STR("k_local")));
    EXPECT(hold_take(b.accounts, local, (struct need){.cost = USD}, NOON, &house, &err), "%s",
           err.text);
    EXPECT(accounts_record(b.accounts, &house, &inside, &err), "%s", err.text);
    EXPECT(inside.seq == 3 && accounts_key_count(b.accounts) == 0);
    books_close(&b);
    REQUIRE(books_open(&b, dir, &err), "%s", err.text); /* its row is stored like any other */
    books_close(&b);

    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    EXPECT(audit_verify(arena_fmt(arena, "%s/audit", dir).ptr, &report, &err) &&
           report.records == 3);
}

/* ---- many at once ---- */

#define THREADS 4
#define TRIES   2000

struct spender {
    struct books *books;
    const struct principal *who;
    int taken;
};

/* Each takes what it can get and gives nothing back. */
static void take_all(void *arg)
{
    struct spender *s = arg;

    for (int i = 0; i < TRIES; i++) {
        struct hold hold = {0};
        struct err err = {0};

        s->taken +=
            hold_take(s->books->accounts, s->who, (struct need){.cost = 1000}, NOON, &hold, &err);
    }
}

/* Each pays exactly what it held, so the sum tells how many were let in. */
static void pay_all(void *arg)
{
    struct spender *s = arg;

    for (int i = 0; i < TRIES; i++)
        s->taken += books_request(s->books, s->who, 1000, 1000, NOON);
}

static int spend_together(struct books *b, const struct principal *who, fiber_fn *fn)
{
    struct spender spenders[THREADS];
    void *args[THREADS];
    struct err err = {0};
    int sum = 0;

    for (int i = 0; i < THREADS; i++) {
        spenders[i] = (struct spender){b, who, 0};
        args[i] = &spenders[i];
    }
    EXPECT(loops_run(THREADS, NULL, fn, args, &err), "%s", err.text);
    for (int i = 0; i < THREADS; i++)
        sum += spenders[i].taken;
    return sum;
}

/* Set up in a fiber of its own loop, as keys are made there. */
struct stage {
    struct books books;
    const struct principal *requests, *day;
};

static void set_stage(void *arg)
{
    struct stage *stage = arg;
    const struct limits requests = {.requests_per_minute = 500};
    const struct limits day = {.spend_day = 500 * 1000};

    stage->requests = books_key(&stage->books, "requests", &requests);
    stage->day = books_key(&stage->books, "day", &day);
}

static bool open_stage(struct stage *stage)
{
    void *args[] = {stage};
    struct err err = {0};

    if (!books_open(&stage->books, test_dir(), &err) ||
        !loops_run(1, NULL, set_stage, args, &err)) {
        EXPECT(false, "%s", err.text);
        return false;
    }
    return stage->requests && stage->day;
}

TEST(limits_are_exact_under_threads)
{
    struct stage stage;

    REQUIRE(open_stage(&stage));
    EXPECT(spend_together(&stage.books, stage.requests, take_all) == 500);
    EXPECT(spend_together(&stage.books, stage.day, take_all) == 500);
    EXPECT(accounts_holds_open(stage.books.accounts) == 1000);
    EXPECT(books_info(&stage.books, stage.day->key_id).balance.held == 500 * 1000);
    books_drop(&stage.books);
}

TEST(settling_is_exact_under_threads)
{
    struct stage stage;
    struct audit_report report;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};

    REQUIRE(open_stage(&stage));
    EXPECT(spend_together(&stage.books, stage.day, pay_all) == 500);
    EXPECT(stage.day->key->account.spend.in_day == 500 * 1000);
    EXPECT(audit_verify(arena_fmt(arena, "%s/audit", stage.books.dir).ptr, &report, &err), "%s",
           err.text);
    EXPECT(report.records == 500);
    books_close(&stage.books);
}

/* Another attempt of the same request: money alone is asked for again, and all of it comes back. */
FIBER_TEST(more_is_held_within_the_limits_or_not_at_all)
{
    const struct limits limits = {
        .requests_per_minute = 1, .in_flight = 1, .spend_day = 10 * USD, .spend_month = 100 * USD};
    const struct need worst = {.cost = 4 * USD, .tokens = 10};
    struct hold hold = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    const struct principal *who = books_key(&b, "x", &limits);
    REQUIRE(who);
    REQUIRE(hold_take(b.accounts, who, worst, NOON, &hold, &err), "%s", err.text);
    EXPECT(hold_more(b.accounts, &hold, 5 * USD, NOON, &err), "%s", err.text);
    EXPECT(hold.amount == 9 * USD && books_info(&b, who->key_id).balance.held == 9 * USD);
    EXPECT(!hold_more(b.accounts, &hold, USD + 1, NOON, &err) && err.code == ERR_EXHAUSTED);
    EXPECT(err.sys == 0, "it is the key's limit: %s", err.text);
    EXPECT(hold.amount == 9 * USD && books_info(&b, who->key_id).balance.held == 9 * USD);
    EXPECT(hold_more(b.accounts, &hold, USD, NOON, &err), "to the last: %s", err.text);
    EXPECT(hold_more(b.accounts, &hold, 0, NOON, &err), "nothing more: %s", err.text);
    hold_drop(b.accounts, &hold);
    EXPECT(books_info(&b, who->key_id).balance.held == 0);
    EXPECT(accounts_holds_open(b.accounts) == 0);
    principal_release(&who);
    books_close(&b);
}
