#include <string.h>

#include "accounts/accounts_internal.h"
#include "base/fault.h"
#include "books.h"
#include "sys/file.h"
#include "test.h"

#define KEYS 4

static const struct limits unlimited;

/* A small generator, so that a failure can be repeated. */
static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static bool same(const struct key_info *a, const struct key_info *b)
{
    return a->balance.spent_day == b->balance.spent_day &&
           a->balance.spent_month == b->balance.spent_month &&
           a->balance.spent_total == b->balance.spent_total &&
           a->balance.last_used == b->balance.last_used;
}

static bool same_spend(const struct spend *a, const struct spend *b)
{
    return a->day == b->day && a->month == b->month && a->in_day == b->in_day &&
           a->in_month == b->in_month && a->total == b->total && a->last_used == b->last_used;
}

/* Compared with the state itself, not with what it shows at some hour. */
static void expect_equal_books(struct books *live, struct books *copy,
                               const struct principal *const keys[KEYS])
{
    EXPECT(audit_last_seq(live->audit) == audit_last_seq(copy->audit));
    for (int i = 0; i < KEYS; i++) {
        struct key_info a = books_info(live, keys[i]->key_id),
                        b = books_info(copy, keys[i]->key_id);
        const struct key_state *there = table_get(&copy->accounts->by_id, keys[i]->key_id);

        EXPECT(same(&a, &b), "key %d: %" PRId64 " and %" PRId64, i, a.balance.spent_total,
               b.balance.spent_total);
        REQUIRE(there != NULL);
        EXPECT(same_spend(&keys[i]->key->account.spend, &there->account.spend), "key %d", i);
        EXPECT(b.balance.held == 0);
    }
    EXPECT(accounts_holds_open(copy->accounts) == 0);
}

static void check_copy(struct books *live, const struct principal *const keys[KEYS],
                       uint64_t number)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str to = arena_fmt(arena, "%s/copy-%" PRIu64, live->dir, number);
    struct books copy;
    struct err err = {0};

    books_copy(live, to.ptr);
    EXPECT(books_open(&copy, to.ptr, &err), "%s", err.text);
    if (copy.accounts)
        expect_equal_books(live, &copy, keys);
    books_close(&copy);
    /* Once more: what was replayed has been written back, and is not counted twice. */
    EXPECT(books_open(&copy, to.ptr, &err), "%s", err.text);
    if (copy.accounts)
        expect_equal_books(live, &copy, keys);
    books_close(&copy);
}

/* Recorded under its key, though it never came to a hold. */
static void record_refusal(struct books *b, const struct principal *who, wall_ms now)
{
    struct audit_record record = {.time = now, .key_id = who->key_id, .status = 429};
    struct hold none = {0};
    struct err err = {0};

    EXPECT(accounts_record(b->accounts, &none, &record, &err), "%s", err.text);
}

/* Killed at any moment between requests and flushes, over days, with a clock that is not monotonic:
 * the sums equal those that stood in memory. */
FIBER_TEST(spend_after_a_kill_equals_the_log)
{
    const struct principal *keys[KEYS];
    uint64_t seed = 42;
    wall_ms now = NOON;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (int i = 0; i < KEYS; i++)
        REQUIRE(keys[i] = books_key(&b, "x", &unlimited));
    for (uint64_t i = 0; i < 600; i++) {
        now += (wall_ms)draw(&seed) % 7200000 - 600000;
        EXPECT(books_request(&b, keys[draw(&seed) % KEYS], 1000, (usd_micro)(draw(&seed) % 5000),
                             now));
        if (draw(&seed) % 5 == 0)
            record_refusal(&b, keys[draw(&seed) % KEYS], now);
        if (draw(&seed) % 50 == 0)
            EXPECT(accounts_flush_now(b.accounts, &err), "%s", err.text);
        if (draw(&seed) % 60 == 0)
            check_copy(&b, keys, i);
    }
    books_close(&b);
}

FIBER_TEST(open_holds_are_gone_after_a_kill)
{
    const struct principal *keys[KEYS];
    struct hold hold = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (int i = 0; i < KEYS; i++)
        REQUIRE(keys[i] = books_key(&b, "x", &unlimited));
    EXPECT(books_request(&b, keys[0], 100, 90, NOON));
    EXPECT(hold_take(b.accounts, keys[0], (struct need){.cost = 1000}, NOON, &hold, &err));
    check_copy(&b, keys, 0);
    hold_drop(b.accounts, &hold);
    books_close(&b);
}

/* The books of the store are ahead of a log that somebody took away: said, and from then on right. */
FIBER_TEST(spend_goes_on_when_the_log_is_missing)
{
    const struct principal *keys[KEYS];
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char dir[512], id[32];
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    memcpy(dir, b.dir, sizeof dir);
    REQUIRE(keys[0] = books_key(&b, "x", &unlimited));
    for (int i = 0; i < 20; i++)
        EXPECT(books_request(&b, keys[0], 100, 100, NOON));

    struct str key_id = {id, keys[0]->key_id.len};

    memcpy(id, keys[0]->key_id.ptr, key_id.len);
    books_close(&b);
    REQUIRE(file_remove(arena_fmt(arena, "%s/audit/0000000000000001.log", dir).ptr, &err), "%s",
            err.text);

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    EXPECT(books_info(&b, key_id).balance.spent_total == 2000);

    const struct principal *who = key_borrow(b.accounts, table_get(&b.accounts->by_id, key_id));

    EXPECT(books_request(&b, who, 100, 50, NOON));
    for (int i = 0; i < KEYS; i++)
        keys[i] = who;
    check_copy(&b, keys, 0);
    EXPECT(books_info(&b, key_id).balance.spent_total == 2050);
    books_close(&b);
}

FIBER_TEST(flush_writes_only_what_changed)
{
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &unlimited);

    REQUIRE(who);
    EXPECT(books_request(&b, who, 100, 90, NOON));
    EXPECT(accounts_flush_now(b.accounts, &err), "%s", err.text);

    uint64_t writes = store_stats(b.store).writes;

    for (int i = 0; i < 5; i++)
        EXPECT(accounts_flush_now(b.accounts, &err), "%s", err.text);
    EXPECT(store_stats(b.store).writes == writes);
    books_close(&b);
}

static void flush_until_cancelled(void *accounts)
{
    accounts_flush_loop(accounts);
}

FIBER_TEST(flush_loop_writes_back_each_second_until_cancelled)
{
    struct scope scope;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = books_key(&b, "x", &unlimited);

    REQUIRE(who);
    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, flush_until_cancelled, b.accounts, &err), "%s", err.text);
    EXPECT(books_request(&b, who, 100, 90, NOON));
    for (int i = 0; i < 200 && b.accounts->stored_seq != 1; i++)
        EXPECT(fiber_sleep(20 * MILLISECOND, &err), "%s", err.text);
    EXPECT(b.accounts->stored_seq == 1 && !b.accounts->dirty);
    scope_close(&scope);
    books_close(&b);
}

struct traffic {
    struct books *books;
    const struct principal *who;
    bool stop;
};

static void ask_without_end(void *arg)
{
    struct traffic *t = arg;
    struct err err = {0};

    for (int i = 0; !t->stop && fiber_sleep(MILLISECOND, &err); i++)
        EXPECT(books_request(t->books, t->who, 10, 1, NOON + i));
}

/* A key in use all the time was found dirty again after each write, and the flush never rested. */
FIBER_TEST(flush_rests_between_its_seconds_under_traffic)
{
    struct books b;
    struct scope scope;
    struct err err = {0};
    struct traffic t = {.books = &b};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    t.who = books_key(&b, "busy", &unlimited);
    REQUIRE(t.who);
    uint64_t before = store_stats(b.store).commits;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, flush_until_cancelled, b.accounts, &err));
    EXPECT(scope_spawn(&scope, ask_without_end, &t, &err));
    EXPECT(fiber_sleep(1300 * MILLISECOND, &err));
    t.stop = true;
    scope_close(&scope);
    uint64_t commits = store_stats(b.store).commits - before;
    EXPECT(commits >= 1 && commits <= 4, "%" PRIu64 " commits", commits);
    books_close(&b);
}

#ifdef WEIR_FAULT
/* A flush that fails anywhere loses nothing: the rows stay dirty and the next one writes them. */
FIBER_TEST(flush_survives_every_fault)
{
    const struct principal *keys[KEYS];
    const char *failed = "";
    uint64_t nth;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (int i = 0; i < KEYS; i++)
        REQUIRE(keys[i] = books_key(&b, "x", &unlimited));
    for (nth = 1; failed; nth++) {
        for (int i = 0; i < KEYS; i++)
            EXPECT(books_request(&b, keys[i], 1000, 10 * i, NOON));
        fault_begin(nth);
        bool ok = accounts_flush_now(b.accounts, &err);
        failed = fault_end();
        EXPECT(!failed || ok || err.code != ERR_NONE);
        check_copy(&b, keys, nth);
    }
    EXPECT(nth > 3);
    books_close(&b);
}
#endif

/* A new database beside an old log would make every key unknown, and say nothing. */
FIBER_TEST(recovery_misses_a_lost_database)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err));
    const struct principal *who = books_key(&b, "k", &unlimited);
    EXPECT(who && books_request(&b, who, 10, 5, NOON));
    principal_release(&who);
    struct str db = arena_fmt(arena, "%s/weir.db", b.dir);
    struct str dir = arena_fmt(arena, "%s", b.dir);
    books_close(&b);
    EXPECT(file_remove(db.ptr, &err), "%s", err.text);
    EXPECT(!books_open(&b, dir.ptr, &err) && strstr(err.text, "bring weir.db back"), "%s",
           err.text);
    books_drop(&b); /* nothing was opened that could be flushed */
}
