/* Limits that several instances share, under what goes wrong between them: shares of spend over one database, windows
 * and requests in flight over one Redis, which a proxy here loses, delays and refuses. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accounts/leases.h"
#include "accounts/sessions.h"
#include "accounts/windows.h"
#include "books.h"
#include "net/redis.h"
#include "store/instances.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/sock.h"
#include "test.h"

#define ONE   STR("1111111111111111")
#define OTHER STR("2222222222222222")
#define LIMIT ((usd_micro)200 * 1000)

/* ---- two instances over one database ---- */

struct pair {
    char dir[512];
    struct arena *arena;
    struct secret token;
    struct books at[2];
    const struct principal *who[2];
};

static const char *path_of(struct pair *p, const char *form, int i)
{
    return arena_fmt(p->arena, "%s/%s%d", p->dir, form, i).ptr;
}

static bool open_one(struct pair *p, int i, struct err *err)
{
    struct books *b = &p->at[i];
    const struct store_options store = {.path = arena_fmt(p->arena, "%s/weir.db", p->dir).ptr,
                                        .migrations = accounts_migrations,
                                        .migration_count = accounts_migration_count,
                                        .version = "1",
                                        .instance = i ? OTHER : ONE,
                                        .shared = true};
    const struct audit_options audit = {.dir = path_of(p, "audit", i), .segment_bytes = 1};

    *b = (struct books){.arena = arena_new(64 * MIB)};
    if (!store_open(&store, &b->store, err) || !audit_open(&audit, &b->audit, err))
        return false;

    const struct accounts_options accounts = {.store = b->store,
                                              .audit = b->audit,
                                              .pepper_file =
                                                  arena_fmt(p->arena, "%s/pepper", p->dir).ptr,
                                              .keys_max = 50,
                                              .usage_cells = 16};

    return accounts_open(&accounts, &b->accounts, err);
}

static bool authenticate(struct pair *p, int i)
{
    struct err err = {0};

    principal_release(&p->who[i]);
    bool ok = books_authenticate(&p->at[i], &p->token, &p->who[i], &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

/* As kill -9 leaves it: nothing is written back. */
static void kill_one(struct pair *p, int i)
{
    principal_release(&p->who[i]);
    books_drop(&p->at[i]);
}

static SUSPENDS bool open_pair(struct pair *p, const struct limits *limits)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct key_info wanted = {.name = STR("x"), .limits = *limits};
    struct key_info info;
    struct err err = {0};

    *p = (struct pair){.arena = arena_new(16 * MIB)};
    snprintf(p->dir, sizeof p->dir, "%s", test_dir());
    bool ok = open_one(p, 0, &err) &&
              key_create(p->at[0].accounts, &wanted, arena, &info, &p->token, &err) &&
              open_one(p, 1, &err);
    EXPECT(ok, "%s", err.text);
    return ok && authenticate(p, 0) && authenticate(p, 1);
}

static void close_pair(struct pair *p)
{
    for (int i = 0; i < 2; i++)
        if (p->at[i].accounts)
            kill_one(p, i);
    secret_wipe(&p->token);
    arena_end(&p->arena);
}

static SUSPENDS bool spend(struct pair *p, int i, usd_micro worst, usd_micro cost)
{
    struct audit_record record = {
        .time = clock_wall(), .outcome = STR("complete"), .status = 200, .cost = cost};
    struct hold hold = {0};
    struct err err = {0};

    if (!hold_take(p->at[i].accounts, p->who[i], (struct need){.cost = worst}, clock_wall(), &hold,
                   &err))
        return false;
    EXPECT(accounts_record(p->at[i].accounts, &hold, &record, &err), "%s", err.text);
    return true;
}

static int64_t number_of(struct pair *p, int i, const char *sql)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct statement read = {sql, NULL, 0};
    struct rows rows;
    struct err err = {0};

    if (!store_read_now(p->at[i].store, arena, &read, &rows, &err) || rows.count != 1) {
        EXPECT(false, "%s: %s", sql, err.text);
        return -1;
    }
    return rows_at(&rows, 0, 0).i;
}

/* The invariant of leases.c: never more is given out than there is. */
static void expect_shares_fit(struct pair *p, int i, usd_micro limit)
{
    int64_t sum = number_of(p, i,
                            "SELECT CAST(COALESCE(SUM(up_to), 0) AS BIGINT) FROM shares WHERE"
                            " level = 2 AND period = 0");

    EXPECT(sum <= limit, "%" PRId64 " of %" PRId64, sum, limit);
}

/* The loops that give back what others ask for, while `fn` runs. */
static SUSPENDS void with_loops(struct pair *p, SUSPENDS void (*fn)(struct pair *p))
{
    struct scope scope;
    struct err err = {0};

    scope_open(&scope, 0);
    for (int i = 0; i < 2; i++)
        if (p->at[i].accounts)
            EXPECT(scope_spawn(&scope, accounts_share_loop, p->at[i].accounts, &err), "%s",
                   err.text);
    fn(p);
    scope_close(&scope);
}

static usd_micro spent(struct pair *p, int i)
{
    return p->who[i]->key->account.spend.total;
}

/* ---- spend ---- */

struct spender {
    struct pair *pair;
    int at, taken;
};

static void spend_many(void *arg)
{
    struct spender *s = arg;

    for (int i = 0; i < 50; i++)
        s->taken += spend(s->pair, s->at, 1000, 1000);
}

static SUSPENDS void spend_from_both(struct pair *p)
{
    struct spender spenders[10];
    struct scope scope;
    struct err err = {0};
    int sum = 0;

    scope_open(&scope, 0);
    for (int i = 0; i < 10; i++) {
        spenders[i] = (struct spender){p, i % 2, 0};
        EXPECT(scope_spawn(&scope, spend_many, &spenders[i], &err), "%s", err.text);
    }
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    for (int i = 0; i < 10; i++)
        sum += spenders[i].taken;
    EXPECT(sum == 200, "500 at once over two instances, %d taken", sum);
    EXPECT(spent(p, 0) + spent(p, 1) == LIMIT);
    expect_shares_fit(p, 0, LIMIT);
}

FIBER_TEST(a_limit_is_spent_exactly_over_two_instances)
{
    struct pair p;

    if (open_pair(&p, &(struct limits){.spend_day = LIMIT}))
        with_loops(&p, spend_from_both);
    close_pair(&p);
}

/* An instance that has gone keeps its share, for what it spent last is not known. */
FIBER_TEST(what_a_dead_instance_had_taken_stays_taken)
{
    struct hold hold = {0};
    struct pair p;
    struct err err = {0};
    int more = 0;

    if (!open_pair(&p, &(struct limits){.spend_day = LIMIT})) {
        close_pair(&p);
        return;
    }
    for (int i = 0; i < 30; i++)
        EXPECT(spend(&p, 0, 1000, 1000));
    EXPECT(hold_take(p.at[0].accounts, p.who[0], (struct need){.cost = 20 * 1000}, clock_wall(),
                     &hold, &err),
           "%s", err.text);
    int64_t share = number_of(&p, 1, "SELECT up_to FROM shares WHERE level = 2 AND period = 0");
    kill_one(&p, 0);
    while (spend(&p, 1, 1000, 1000))
        more++;
    EXPECT(share >= 50 * 1000 && (share + more * 1000) <= LIMIT &&
               share + (more + 1) * 1000 > LIMIT,
           "%" PRId64 " and %d", share, more);

    /* It comes back: its log says what it spent, the rest is free. */
    EXPECT(open_one(&p, 0, &err) && authenticate(&p, 0), "%s", err.text);
    EXPECT(spent(&p, 0) == 30 * 1000, "%" PRId64, spent(&p, 0));
    while (spend(&p, 1, 1000, 1000))
        more++;
    while (spend(&p, 0, 1000, 1000))
        more++;
    EXPECT(more == 170, "%d", more);
    EXPECT(spent(&p, 0) + spent(&p, 1) == LIMIT);
    close_pair(&p);
}

FIBER_TEST(what_a_retired_instance_had_not_spent_is_free)
{
    struct pair p;
    struct err err = {0};
    int more = 0;

    if (open_pair(&p, &(struct limits){.spend_day = LIMIT})) {
        for (int i = 0; i < 30; i++)
            EXPECT(spend(&p, 0, 1000, 1000));
        EXPECT(accounts_flush_now(p.at[0].accounts, &err), "%s", err.text);
        kill_one(&p, 0);
        EXPECT(accounts_retire(p.at[1].accounts, ONE, &err), "%s", err.text);
        while (spend(&p, 1, 1000, 1000))
            more++;
        EXPECT(more == 170, "%d", more);
    }
    close_pair(&p);
}

static SUSPENDS void run_sql(struct pair *p, const char *sql)
{
    const struct statement one = {sql, NULL, 0};
    struct err err = {0};

    EXPECT(store_write_now(p->at[0].store, &one, 1, NULL, &err), "%s", err.text);
}

static SUSPENDS void give_back_at_the_second_try(struct pair *p)
{
    int more = 0;

    EXPECT(spend(p, 0, 1000, 1000));
    run_sql(p, "CREATE TRIGGER away BEFORE UPDATE ON shares WHEN NEW.instance = '1111111111111111'"
               " AND NEW.up_to < OLD.up_to BEGIN SELECT RAISE(ABORT, 'away'); END");
    while (spend(p, 1, 1000, 1000))
        more++;
    EXPECT(more < 150, "%d", more); /* the other one's share could not be given back */
    run_sql(p, "DROP TRIGGER away");
    while (spend(p, 1, 1000, 1000))
        more++;
    EXPECT(more == 199, "%d", more);
}

FIBER_TEST(a_share_that_could_not_be_given_back_is_given_back_later)
{
    struct pair p;

    if (open_pair(&p, &(struct limits){.spend_day = LIMIT}))
        with_loops(&p, give_back_at_the_second_try);
    close_pair(&p);
}

/* Rows of another instance, whatever its clock says: days before count with what may yet be spent, days to come
 * with all there is. */
static const struct {
    const char *name;
    int days; /* from today */
    usd_micro up_to, open;
    int left; /* that this instance may spend, in thousands */
} row_cases[] = {
    {"today", 0, 150 * 1000, 100 * 1000, 50},
    {"yesterday, all spent", -1, 200 * 1000, 0, 200},
    {"yesterday, and held over midnight", -1, 200 * 1000, 30 * 1000, 170},
    {"its clock is ahead", 1, 1000, 1000, 0},
    {"more than the limit", 0, 900 * 1000, 0, 0},
};

FIBER_TEST(shares_of_other_days_are_counted_for_what_they_may_cost)
{
    for (size_t i = 0; i < ARRAY_LEN(row_cases); i++) {
        struct pair p;
        struct err err = {0};
        int taken = 0;

        if (open_pair(&p, &(struct limits){.spend_day = LIMIT})) {
            const struct value values[] = {V_TEXT(p.who[0]->key_id),
                                           V_INT(clock_wall() / 86400000 + row_cases[i].days),
                                           V_INT(row_cases[i].up_to), V_INT(row_cases[i].open)};
            const struct statement put = {"INSERT INTO shares (level, id, period, instance, "
                                          "number, up_to, open) VALUES (2, ?1, 0, "
                                          "'3333333333333333', ?2, ?3, ?4)",
                                          values, ARRAY_LEN(values)};

            EXPECT(store_write_now(p.at[0].store, &put, 1, NULL, &err), "%s", err.text);
            while (spend(&p, 0, 1000, 1000))
                taken++;
            EXPECT(taken == row_cases[i].left, "%s: %d", row_cases[i].name, taken);
        }
        close_pair(&p);
    }
}

/* Whoever asked just before midnight and waits for more of a limit has it in the new day: shares are of the day that it
 * is then. */
FIBER_TEST(a_request_from_before_midnight_has_its_share_of_the_new_day)
{
    struct pair p;
    struct err err = {0};

    if (open_pair(&p, &(struct limits){.spend_day = LIMIT})) {
        wall_ms before = clock_wall() / 86400000 * 86400000 - 1;
        struct hold hold = {0};

        EXPECT(
            hold_take(p.at[0].accounts, p.who[0], (struct need){.cost = 1000}, before, &hold, &err),
            "%s", err.text);
        EXPECT(hold_more(p.at[0].accounts, &hold, LIMIT / 2 + 1000, before, &err), "%s", err.text);
        hold_drop(p.at[0].accounts, &hold);
    }
    close_pair(&p);
}

/* ---- a tenant that another instance has removed ---- */

static SUSPENDS bool make_unit(struct pair *p, int i, const char *id, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct unit_info wanted = {.id = str_from(id)};
    struct unit_info made;

    return unit_create(p->at[i].accounts, &wanted, arena, &made, err);
}

/* Of both, and then removed at the first: the second has not heard of it. */
static SUSPENDS bool open_removed(struct pair *p, usd_micro day, struct key_info *key,
                                  struct secret *token)
{
    const struct key_info wanted = {
        .name = STR("x"), .tenant = STR("acme"), .limits = {.spend_day = day}};
    struct secret unused CLEANUP(secret_wipe) = {0};
    struct err err = {0};
    uint32_t keys;

    bool ok =
        open_pair(p, &(struct limits){0}) && make_unit(p, 0, "acme", &err) &&
        key_create(p->at[0].accounts, &wanted, p->arena, key, token ? token : &unused, &err) &&
        accounts_follow_unit(p->at[1].accounts, STR("acme"), &err) &&
        accounts_follow_key(p->at[1].accounts, key->id, &err) &&
        unit_remove(p->at[0].accounts, STR("acme"), &keys, &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

FIBER_TEST(nothing_is_made_in_a_tenant_that_another_instance_has_removed)
{
    const struct identity alice = {.issuer = STR("https://id.example"),
                                   .subject = STR("alice"),
                                   .name = STR("Alice"),
                                   .tenant = STR("acme")};
    const struct key_info wanted = {.name = STR("y"), .tenant = STR("acme")};
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info key;
    struct pair p;
    struct err err = {0};

    if (open_removed(&p, 0, &key, NULL)) {
        EXPECT(!key_create(p.at[1].accounts, &wanted, p.arena, &key, &token, &err) &&
                   err.code == ERR_NOT_FOUND,
               "%s", err.text);
        EXPECT(!identity_enter(p.at[1].accounts, &alice, &who, &err));
        principal_release(&who);
        EXPECT(!make_unit(&p, 1, "acme/a", &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM keys WHERE tenant = 'acme'") == 0);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM units WHERE id LIKE 'acme%'") == 0);
        kill_one(&p, 1);
        EXPECT(open_one(&p, 1, &err), "%s", err.text);
    }
    close_pair(&p);
}

FIBER_TEST(a_key_that_went_with_its_tenant_is_not_changed_elsewhere)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    struct key_info key;
    struct pair p;
    struct err err = {0};
    wall_ms until;

    if (open_removed(&p, 0, &key, NULL)) {
        EXPECT(!key_change(p.at[1].accounts, key.id, &key, &err) && err.code == ERR_NOT_FOUND, "%s",
               err.text);
        EXPECT(!key_rotate(p.at[1].accounts, key.id, 0, &token, &until, &err) &&
                   err.code == ERR_NOT_FOUND,
               "a token that is none: %s", err.text);
    }
    close_pair(&p);
}

FIBER_TEST(a_tenant_made_anew_survives_its_removal_by_who_knows_the_one_before)
{
    struct unit_info found;
    struct key_info key;
    struct pair p;
    struct err err = {0};
    uint32_t keys;

    if (open_removed(&p, 0, &key, NULL)) {
        EXPECT(fiber_sleep(5 * MILLISECOND, &err) && make_unit(&p, 0, "acme", &err), "%s",
               err.text);
        EXPECT(!unit_remove(p.at[1].accounts, STR("acme"), &keys, &err) &&
                   err.code == ERR_NOT_FOUND,
               "%s", err.text);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM units WHERE id = 'acme'") == 1);
        EXPECT(number_of(&p, 0,
                         "SELECT COUNT(*) FROM changes WHERE kind = '" CHANGE_UNIT_REMOVED
                         "'") == 1);
        EXPECT(accounts_follow_removal(p.at[1].accounts, STR("acme"), &err));
        units_let_go(p.at[1].accounts);
        EXPECT(accounts_follow_unit(p.at[1].accounts, STR("acme"), &err) &&
                   unit_find(p.at[1].accounts, STR("acme"), p.arena, &found, &err),
               "%s", err.text);
    }
    close_pair(&p);
}

FIBER_TEST(what_wants_more_of_a_limit_that_was_removed_leaves_no_row)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct hold hold = {0};
    struct key_info key;
    struct pair p;
    struct err err = {0};

    if (open_removed(&p, LIMIT, &key, &token)) {
        EXPECT(books_authenticate(&p.at[1], &token, &who, &err), "%s", err.text);
        EXPECT(!hold_take(p.at[1].accounts, who, (struct need){.cost = 1000}, clock_wall(), &hold,
                          &err));
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM share_asks") == 0);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM shares") == 0);
        principal_release(&who);
    }
    close_pair(&p);
}

FIBER_TEST(nobody_logs_in_to_a_tenant_that_another_instance_has_removed)
{
    struct identity alice = {.issuer = STR("https://id.example"),
                             .subject = STR("alice"),
                             .name = STR("Alice"),
                             .tenant = TENANT_OPERATOR};
    struct secret cookie CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct sessions *sessions = NULL;
    struct session_info session;
    struct key_info key;
    struct pair p;
    struct err err = {0};
    uint32_t replaced;

    if (open_removed(&p, 0, &key, NULL)) {
        const struct session_options options = {.accounts = p.at[1].accounts,
                                                .store = p.at[1].store,
                                                .lifetime = 60 * SECOND,
                                                .idle = 60 * SECOND,
                                                .remember = SECOND,
                                                .total_max = 10,
                                                .person_max = 10};

        EXPECT(identity_enter(p.at[1].accounts, &alice, &who, &err) &&
                   sessions_new(&options, &sessions, &err),
               "%s", err.text);
        principal_release(&who);
        alice.tenant = STR("acme");
        EXPECT(!session_begin(sessions, &alice, p.arena, &session, &cookie, &replaced, &err) &&
                   err.code == ERR_DENIED,
               "%s", err.text);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM sessions") == 0);
        alice.tenant = TENANT_OPERATOR;
        EXPECT(session_begin(sessions, &alice, p.arena, &session, &cookie, &replaced, &err), "%s",
               err.text);
        sessions_free(&sessions);
    }
    close_pair(&p);
}

static SUSPENDS bool follow_anew(struct pair *p, int i, struct unit_info *found, struct err *err)
{
    if (!accounts_follow_removal(p->at[i].accounts, STR("acme"), err))
        return false;
    units_let_go(p->at[i].accounts);
    return accounts_follow_unit(p->at[i].accounts, STR("acme"), err) &&
           unit_find(p->at[i].accounts, STR("acme"), p->arena, found, err);
}

/* What was spent where the removal was not known yet is the old one's. */
FIBER_TEST(a_tenant_made_anew_has_spent_nothing_anywhere)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct unit_info found;
    struct key_info key;
    struct pair p;
    struct err err = {0};

    if (open_removed(&p, 0, &key, &token)) {
        EXPECT(books_authenticate(&p.at[1], &token, &who, &err) &&
                   books_request(&p.at[1], who, 1000, 700, clock_wall()) &&
                   accounts_flush_wait(p.at[1].accounts, &err),
               "%s", err.text);
        principal_release(&who);
        EXPECT(make_unit(&p, 0, "acme", &err), "%s", err.text);
        EXPECT(follow_anew(&p, 1, &found, &err) && found.balance.spent_total == 0, "%s%" PRId64,
               err.text, found.balance.spent_total);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM deployment_usage WHERE tenant = 'acme'") ==
               0);
    }
    close_pair(&p);
}

/* It hears of the removal when it has already read the one that was made since. */
FIBER_TEST(an_instance_that_was_away_goes_on_with_a_tenant_made_anew)
{
    struct unit_info found;
    struct key_info key;
    struct pair p;
    struct err err = {0};

    if (open_removed(&p, 0, &key, NULL)) {
        kill_one(&p, 1);
        EXPECT(make_unit(&p, 0, "acme", &err) && open_one(&p, 1, &err), "%s", err.text);
        EXPECT(accounts_follow_removal(p.at[1].accounts, STR("acme"), &err) &&
                   accounts_follow_unit(p.at[1].accounts, STR("acme"), &err),
               "at a start nobody lets it go: %s", err.text);
        EXPECT(follow_anew(&p, 1, &found, &err), "%s", err.text);
    }
    close_pair(&p);
}

/* It ended between what it wrote and hearing of the removal. */
FIBER_TEST(what_a_dead_instance_wrote_of_a_removed_tenant_goes_when_it_is_back)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info key;
    struct pair p;
    struct err err = {0};

    if (open_removed(&p, 0, &key, &token)) {
        EXPECT(books_authenticate(&p.at[1], &token, &who, &err) &&
                   books_request(&p.at[1], who, 1000, 700, clock_wall()) &&
                   accounts_flush_wait(p.at[1].accounts, &err),
               "%s", err.text);
        principal_release(&who);
        kill_one(&p, 1);
        EXPECT(open_one(&p, 1, &err) &&
                   accounts_follow_removal(p.at[1].accounts, STR("acme"), &err),
               "%s", err.text);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM deployment_usage WHERE tenant = 'acme'") ==
               0);
        EXPECT(number_of(&p, 0, "SELECT COUNT(*) FROM instance_balances WHERE id LIKE 'acme%'") ==
               0);
    }
    close_pair(&p);
}

static SUSPENDS bool spend_as_acme(struct pair *p, const char *name, struct err *err)
{
    const struct key_info wanted = {.name = str_from(name), .tenant = STR("acme")};
    const struct unit_info acme = {.id = STR("acme"), .limits = {.spend_day = LIMIT}};
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info key;
    struct unit_info made;

    bool ok = unit_create(p->at[0].accounts, &acme, p->arena, &made, err) &&
              key_create(p->at[0].accounts, &wanted, p->arena, &key, &token, err) &&
              books_authenticate(&p->at[0], &token, &who, err) &&
              books_request(&p->at[0], who, 1000, 700, clock_wall());
    principal_release(&who);
    return ok;
}

static const char *const share_of_acme =
    "SELECT up_to FROM shares WHERE level = 0 AND period = 0 AND id = 'acme'";
static int64_t share_before;

static SUSPENDS void keep_share(struct pair *p)
{
    struct err err = {0};

    EXPECT(fiber_sleep(500 * MILLISECOND, &err));
    int64_t now = number_of(p, 0, share_of_acme);
    EXPECT(now == share_before, "%" PRId64 " of %" PRId64, now, share_before);
}

/* The row of the share has only the name, and the one before had more than it needed. */
FIBER_TEST(a_tenant_made_anew_keeps_its_share_of_its_limit)
{
    const struct unit_info same = {.limits = {.spend_day = LIMIT}};
    struct pair p;
    struct err err = {0};
    uint32_t keys;

    if (open_pair(&p, &(struct limits){0})) {
        EXPECT(spend_as_acme(&p, "old", &err) &&
                   unit_change(p.at[0].accounts, STR("acme"), &same, &err) && /* gives back soon */
                   unit_remove(p.at[0].accounts, STR("acme"), &keys, &err) &&
                   spend_as_acme(&p, "new", &err),
               "%s", err.text);
        share_before = number_of(&p, 0, share_of_acme);
        EXPECT(share_before > 1000, "%" PRId64, share_before);
        with_loops(&p, keep_share);
    }
    close_pair(&p);
}

/* ---- two who change one key ---- */

static bool edit_name(void *ctx, struct key_info *key, struct err *err)
{
    (void)err;
    key->name = str_from(ctx);
    return true;
}

static bool edit_limit(void *ctx, struct key_info *key, struct err *err)
{
    (void)ctx, (void)err;
    key->limits.requests_per_minute = 10;
    return true;
}

static bool edit_unit_limit(void *ctx, struct unit_info *unit, struct err *err)
{
    (void)ctx, (void)err;
    unit->limits.requests_per_minute = 10;
    return true;
}

static bool edit_unit_name(void *ctx, struct unit_info *unit, struct err *err)
{
    (void)err;
    unit->name = str_from(ctx);
    return true;
}

struct limiter {
    struct pair *pair;
    struct str id;
};

static void limit_it(void *arg)
{
    struct limiter *l = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};

    EXPECT(key_amend(l->pair->at[0].accounts, l->id, edit_limit, NULL, arena, &err), "%s",
           err.text);
}

/* Each changes what it names, wherever the other one did so just before or at the same time. */
FIBER_TEST(changes_of_different_fields_both_hold)
{
    struct limiter l = {0};
    struct key_info key;
    struct unit_info unit;
    struct scope scope;
    struct pair p;
    struct err err = {0};

    if (open_pair(&p, &(struct limits){0})) {
        l = (struct limiter){&p, p.who[0]->key_id};
        scope_open(&scope, 0);
        EXPECT(scope_spawn(&scope, limit_it, &l, &err));
        EXPECT(key_amend(p.at[0].accounts, l.id, edit_name, (char[]){"here"}, p.arena, &err), "%s",
               err.text);
        EXPECT(scope_wait(&scope, &err));
        scope_close(&scope);
        EXPECT(key_find(p.at[0].accounts, l.id, p.arena, &key, &err) &&
                   key.limits.requests_per_minute == 10 && str_eq(key.name, STR("here")),
               "%s", err.text);
        EXPECT(key_amend(p.at[1].accounts, l.id, edit_name, (char[]){"there"}, p.arena, &err) &&
                   number_of(&p, 0, "SELECT MAX(requests_per_minute) FROM keys") == 10,
               "%s", err.text);
        EXPECT(
            make_unit(&p, 0, "acme", &err) &&
                accounts_follow_unit(p.at[1].accounts, STR("acme"), &err) &&
                unit_amend(p.at[0].accounts, STR("acme"), edit_unit_limit, NULL, p.arena, &err) &&
                unit_amend(p.at[1].accounts, STR("acme"), edit_unit_name, (char[]){"Acme"}, p.arena,
                           &err) &&
                unit_find(p.at[1].accounts, STR("acme"), p.arena, &unit, &err) &&
                unit.limits.requests_per_minute == 10,
            "%s", err.text);
    }
    close_pair(&p);
}

/* ---- a share that cannot grow ---- */

struct holder {
    struct pair *pair;
    int at;
    usd_micro worst;
    struct hold hold;
    bool waits, ok;
};

static void hold_some(void *arg)
{
    struct holder *h = arg;
    struct err err = {0};

    h->waits = true;
    h->ok = hold_take(h->pair->at[h->at].accounts, h->pair->who[h->at],
                      (struct need){.cost = h->worst}, clock_wall(), &h->hold, &err);
    h->waits = false;
}

/* One holds 50 and 60 of 200; then `large` wants what is not there, and `small` comes while it waits. */
static SUSPENDS void hold_beside_large(struct pair *p, struct holder *large, struct holder *small,
                                       dur_ns after, SUSPENDS void (*fn)(struct pair *p))
{
    struct holder own = {.pair = p, .at = 0, .worst = LIMIT / 4},
                  other = {.pair = p, .at = 1, .worst = 3 * LIMIT / 10};
    struct scope scope;
    struct err err = {0};

    hold_some(&own);
    hold_some(&other);
    EXPECT(own.ok && other.ok);
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, hold_some, large, &err), "%s", err.text);
    while (!large->waits)
        fiber_yield();
    EXPECT(!after || fiber_sleep(after, &err));
    hold_some(small);
    bool waits = large->waits;
    if (fn)
        fn(p);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    large->waits = waits;
    EXPECT(!large->ok);
    hold_drop(p->at[0].accounts, &own.hold);
    hold_drop(p->at[1].accounts, &other.hold);
}

static usd_micro held(struct pair *p, int i)
{
    return p->who[i]->key->account.held;
}

static SUSPENDS void hold_on_other(struct pair *p)
{
    struct holder more = {.pair = p, .at = 1, .worst = 2 * LIMIT / 5};

    hold_some(&more);
    EXPECT(held(p, 0) + held(p, 1) <= LIMIT, "%" PRId64 " and %" PRId64 " are held", held(p, 0),
           held(p, 1));
    hold_drop(p->at[1].accounts, &more.hold);
}

FIBER_TEST(a_share_that_could_not_grow_is_held_by_one_instance_alone)
{
    struct pair p;

    if (open_pair(&p, &(struct limits){.spend_day = LIMIT})) {
        struct holder large = {.pair = &p, .worst = 9 * LIMIT / 20},
                      small = {.pair = &p, .worst = 3 * LIMIT / 8};

        hold_beside_large(&p, &large, &small, 0, hold_on_other);
        hold_drop(p.at[0].accounts, &small.hold);
    }
    close_pair(&p);
}

FIBER_TEST(what_is_left_of_a_limit_does_not_wait_for_who_wants_more)
{
    struct pair p;

    if (open_pair(&p, &(struct limits){.spend_day = LIMIT})) {
        struct holder large = {.pair = &p, .worst = LIMIT / 2},
                      small = {.pair = &p, .worst = LIMIT / 5};

        hold_beside_large(&p, &large, &small, 300 * MILLISECOND, NULL);
        EXPECT(small.ok && large.waits, "at once");
        hold_drop(p.at[0].accounts, &small.hold);
    }
    close_pair(&p);
}

/* ---- a Redis, and a proxy before it ---- */

enum proxy_way {
    PROXY_PASSES,
    PROXY_LOSES,   /* the command is run, the connection closed without its reply */
    PROXY_CLOSES,  /* before the server has it */
    PROXY_REFUSES, /* the server has no memory left */
    PROXY_WAITS,   /* the command is run, its reply comes after `delay` */
    PROXY_HOLDS,   /* the server has it after `delay` */
};

struct shared_redis {
    struct pair *pair;
    const char *path;
    struct addr behind;
    struct listener *listener;
    struct scope scope;
    struct redis *redis; /* of both: a loop has one */
    enum proxy_way way;
    dur_ns delay;
    int passed, held;
};

static SUSPENDS void run_redis(void *arg)
{
    struct shared_redis *s = arg;
    const char *argv[] = {
        "/usr/bin/redis-server", "--port", "0", "--unixsocket", s->path, "--save", "",
        "--appendonly",          "no",     NULL};
    struct process_options options = {.argv = argv, .output_max = MIB};
    struct process_result result = {0};
    struct err err = {0};

    if (process_run(s->pair->arena, &options, &result, &err))
        EXPECT(false, "it ended with %d: " STR_FMT, result.status, STR_ARG(result.output));
}

struct passing {
    struct shared_redis *of;
    struct sock *sock;
};

static SUSPENDS bool write_bytes(struct sock *sock, const char *bytes, size_t len)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct err err = {0};

    return sock_write(sock, &iov, 1, &err);
}

/* A batch from the client and its replies, each of them in one piece: so small ones come. */
static SUSPENDS bool pass_one(struct shared_redis *s, struct sock *client, struct sock *server)
{
    static const char refused[] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    char bytes[8 * KIB]; /* commands and replies of limits are small */
    struct err err = {0};
    size_t got;

    if (!sock_read(client, bytes, sizeof bytes, &got, &err) || !got)
        return false;
    enum proxy_way way = s->way;
    if (way == PROXY_CLOSES)
        return false;
    if (way == PROXY_REFUSES)
        return write_bytes(client, refused, sizeof refused - 1);
    s->held += way == PROXY_HOLDS;
    if (way == PROXY_HOLDS && !fiber_sleep(s->delay, &err))
        return false;
    if (!write_bytes(server, bytes, got) || !sock_read(server, bytes, sizeof bytes, &got, &err))
        return false;
    s->passed++;
    if (way == PROXY_LOSES)
        return false;
    if (way == PROXY_WAITS && !fiber_sleep(s->delay, &err))
        return false;
    return write_bytes(client, bytes, got);
}

static void pass(void *arg)
{
    struct passing *p = arg;
    struct sock *client = p->sock, *server = NULL;
    struct err err = {0};

    if (sock_connect(&p->of->behind, &server, &err))
        while (pass_one(p->of, client, server))
            ;
    sock_close(&server);
    sock_close(&client);
}

static void accept_all(void *arg)
{
    struct shared_redis *s = arg;
    struct sock *sock = NULL;
    struct err err = {0};

    while (sock_accept(s->listener, &sock, &err)) {
        struct passing *p = arena_alloc(s->pair->arena, sizeof *p);

        if (!p)
            return;
        *p = (struct passing){s, sock};
        if (!scope_spawn(&s->scope, pass, p, &err))
            sock_close(&sock);
        sock = NULL;
    }
}

static SUSPENDS bool open_redis(struct shared_redis *s, struct pair *pair)
{
    struct redis_options options = {.timeout = 500 * MILLISECOND};
    struct addr at;
    struct err err = {0};

    *s = (struct shared_redis){.pair = pair};
    s->path = arena_fmt(pair->arena, "/tmp/weir-test-%d-limits.sock", (int)getpid()).ptr;
    scope_open(&s->scope, 0);
    bool ok = addr_parse(STR("127.0.0.1:0"), &at, &err) &&
              sock_listen(&at, &(struct listen_options){0}, &s->listener, &err) &&
              addr_parse(arena_fmt(pair->arena, "unix:%s", s->path), &s->behind, &err) &&
              scope_spawn(&s->scope, run_redis, s, &err) &&
              scope_spawn(&s->scope, accept_all, s, &err);
    for (int i = 0; ok && i < 500 && access(s->path, F_OK) != 0; i++)
        ok = fiber_sleep(10 * MILLISECOND, &err);
    if (ok)
        options.url = arena_fmt(pair->arena, "redis://%s", listener_addr(s->listener).text);
    ok = ok && redis_open(&options, &s->redis, &err);
    for (int i = 0; i < 2; i++)
        ok = ok && accounts_share_windows(pair->at[i].accounts, s->redis, STR("weir:"), &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

static SUSPENDS void close_redis(struct shared_redis *s)
{
    scope_close(&s->scope);
    listener_close(&s->listener);
    redis_close(&s->redis);
    unlink(s->path);
}

static SUSPENDS int64_t run_script(struct shared_redis *s, const char *text)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct redis_script script;
    struct redis_value reply = {0};
    struct err err = {0};

    redis_script_init(&script, str_from(text));
    EXPECT(redis_eval(s->redis, arena, &script, NULL, 0, NULL, 0, &reply, &err) &&
               reply.kind == REDIS_INTEGER,
           "%s " STR_FMT, err.text, STR_ARG(reply.text));
    return reply.integer;
}

/* How much is in flight by the server's own count, of names whose sign of life is there. */
static SUSPENDS int64_t in_flight(struct shared_redis *s)
{
    return run_script(s, "local n = 0\n"
                         "for _, key in ipairs(redis.call('KEYS', 'weir:w:*')) do\n"
                         "  local all = redis.call('HGETALL', key)\n"
                         "  for i = 1, #all, 2 do\n"
                         "    if all[i]:sub(1, 1) == 'f' and redis.call('EXISTS', 'weir:a:' .. "
                         "all[i]:sub(2)) == 1 then\n"
                         "      n = n + tonumber(all[i + 1])\n"
                         "    end\n"
                         "  end\n"
                         "end\n"
                         "return n\n");
}

/* The time of a dead name is over: here at once. Who lives says so again. */
static SUSPENDS void let_the_dead_go(struct shared_redis *s)
{
    struct err err = {0};

    (void)run_script(
        s, "for _, key in ipairs(redis.call('KEYS', 'weir:a:*')) do redis.call('DEL', key) end "
           "return 0");
    for (int i = 0; i < 1000 && run_script(s, "return #redis.call('KEYS', 'weir:a:*')") < 2; i++)
        EXPECT(fiber_sleep(10 * MILLISECOND, &err));
}

static SUSPENDS bool take(struct pair *p, int i, struct hold *hold)
{
    struct err err = {0};

    *hold = (struct hold){0};
    return hold_take(p->at[i].accounts, p->who[i], (struct need){0}, clock_wall(), hold, &err);
}

static void drop(struct pair *p, int i, struct hold *hold)
{
    if (hold->open)
        hold_drop(p->at[i].accounts, hold);
}

/* Until `n` are in flight: what was settled is told a moment later. */
static SUSPENDS bool comes_to(struct shared_redis *s, int64_t n)
{
    struct err err = {0};

    for (int i = 0; i < 500; i++) {
        if (in_flight(s) == n)
            return true;
        if (!fiber_sleep(10 * MILLISECOND, &err))
            return false;
    }
    return false;
}

static SUSPENDS void with_redis(void (*fn)(struct pair *p, struct shared_redis *s))
{
    struct shared_redis s = {0};
    struct scope scope;
    struct pair p;
    struct err err = {0};

    if (open_pair(&p, &(struct limits){.in_flight = 3})) {
        if (open_redis(&s, &p)) {
            scope_open(&scope, 0);
            for (int i = 0; i < 2; i++)
                EXPECT(scope_spawn(&scope, accounts_windows_loop, p.at[i].accounts, &err), "%s",
                       err.text);
            EXPECT(fiber_sleep(100 * MILLISECOND, &err)); /* both have said that they live */
            fn(&p, &s);
            scope_close(&scope);
        }
        close_redis(&s);
    }
    close_pair(&p);
}

static void take_three(struct pair *p, struct shared_redis *s)
{
    struct hold holds[4];

    EXPECT(take(p, 0, &holds[0]) && take(p, 0, &holds[1]) && take(p, 1, &holds[2]));
    EXPECT(!take(p, 1, &holds[3]) && holds[3].refused == LIMIT_IN_FLIGHT);
    EXPECT(!take(p, 0, &holds[3]) && in_flight(s) == 3);
    drop(p, 0, &holds[0]);
    EXPECT(comes_to(s, 2) && take(p, 1, &holds[3]));
    for (int i = 0; i < 4; i++)
        drop(p, i > 1, &holds[i]);
    EXPECT(comes_to(s, 0));
}

FIBER_TEST(requests_in_flight_are_counted_over_two_instances)
{
    with_redis(take_three);
}

/* After whatever it was, nothing is in flight that is not: three can be taken, and not four. */
static SUSPENDS void expect_whole(struct pair *p, struct shared_redis *s, const char *what)
{
    struct hold holds[4];
    struct err err = {0};

    for (int i = 0; i < 3000 &&
                    !(windows_are_asked(p->at[0].accounts) && windows_are_asked(p->at[1].accounts));
         i++)
        EXPECT(fiber_sleep(10 * MILLISECOND, &err));
    let_the_dead_go(s);
    EXPECT(comes_to(s, 0), "%s: %" PRId64 " are in flight for ever", what, in_flight(s));
    for (int i = 0; i < 3; i++)
        EXPECT(take(p, i % 2, &holds[i]), "%s: %d", what, i);
    EXPECT(!take(p, 1, &holds[3]), "%s", what);
    for (int i = 0; i < 4; i++)
        drop(p, i % 2, &holds[i]);
    EXPECT(comes_to(s, 0), "%s", what);
}

static void settle_refused(struct pair *p, struct shared_redis *s)
{
    struct hold hold;
    struct err err = {0};

    EXPECT(take(p, 0, &hold) && in_flight(s) == 1);
    s->way = PROXY_REFUSES;
    drop(p, 0, &hold);
    EXPECT(fiber_sleep(100 * MILLISECOND, &err));
    s->way = PROXY_PASSES;
    expect_whole(p, s, "the end of a request was refused");
}

FIBER_TEST(a_settlement_that_redis_refuses_is_in_flight_no_longer_than_a_dead_one)
{
    with_redis(settle_refused);
}

static SUSPENDS void set_limits(struct pair *p, const struct limits *limits)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct key_info key;
    struct err err = {0};

    EXPECT(key_find(p->at[0].accounts, p->who[0]->key_id, arena, &key, &err), "%s", err.text);
    key.limits = *limits;
    EXPECT(key_change(p->at[0].accounts, key.id, &key, &err), "%s", err.text);
}

static void settle_without_limits(struct pair *p, struct shared_redis *s)
{
    struct hold hold;
    struct err err = {0};

    EXPECT(take(p, 0, &hold) && in_flight(s) == 1);
    set_limits(p, &(struct limits){0});
    drop(p, 0, &hold);
    EXPECT(fiber_sleep(100 * MILLISECOND, &err));
    set_limits(p, &(struct limits){.in_flight = 3});
    expect_whole(p, s, "the limit was taken away meanwhile");
}

FIBER_TEST(a_request_is_in_flight_no_longer_whatever_limits_are_set_meanwhile)
{
    with_redis(settle_without_limits);
}

static void take_lost(struct pair *p, struct shared_redis *s)
{
    struct hold hold;

    s->way = PROXY_LOSES;
    EXPECT(take(p, 0, &hold), "alone, within its part");
    EXPECT(s->passed > 0 && !windows_are_asked(p->at[0].accounts));
    s->way = PROXY_PASSES;
    drop(p, 0, &hold);
    expect_whole(p, s, "the answer to a take was lost");
}

FIBER_TEST(a_take_whose_answer_is_lost_is_in_flight_no_longer_than_a_dead_one)
{
    with_redis(take_lost);
}

struct leaving {
    struct pair *pair;
    struct scope *scope;
    struct hold hold;
    bool done, ok;
    struct err err;
};

static void take_and_leave(void *arg)
{
    struct leaving *l = arg;
    struct scope scope;

    scope_open(&scope, 0);
    l->scope = &scope;
    l->ok = hold_take(l->pair->at[0].accounts, l->pair->who[0], (struct need){0}, clock_wall(),
                      &l->hold, &l->err);
    l->scope = NULL;
    scope_close(&scope);
    l->done = true;
}

/* A client that leaves while Redis is asked: the request never was, and counts nowhere. */
static void leave_while_asked(struct pair *p, struct shared_redis *s)
{
    struct leaving l = {.pair = p};
    struct scope scope;
    struct err err = {0};

    EXPECT(take(p, 0, &l.hold)); /* Redis knows the script from here on */
    drop(p, 0, &l.hold);
    EXPECT(comes_to(s, 0));
    l.hold = (struct hold){0};
    s->way = PROXY_WAITS;
    s->delay = 100 * MILLISECOND;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, take_and_leave, &l, &err), "%s", err.text);
    int passed = s->passed;
    for (int i = 0; i < 1000 && s->passed < passed + 1; i++)
        EXPECT(fiber_sleep(5 * MILLISECOND, &err));
    if (l.scope)
        scope_cancel(l.scope);
    while (!l.done && fiber_sleep(5 * MILLISECOND, &err))
        ;
    scope_close(&scope);
    s->way = PROXY_PASSES;
    drop(p, 0, &l.hold);
    EXPECT(windows_are_asked(p->at[0].accounts), "who leaves says nothing of Redis");
    EXPECT(comes_to(s, 0), "%" PRId64 " are in flight for ever", in_flight(s));
    expect_whole(p, s, "a client left");
}

FIBER_TEST(who_leaves_while_redis_is_asked_is_not_in_flight)
{
    with_redis(leave_while_asked);
}

/* A request whose time was taken before others came: it counts in the second of the newest, and is taken back there. */
static void take_from_before(struct pair *p, struct shared_redis *s)
{
    const struct account *key = &p->who[0]->key->account;
    struct hold holds[2] = {0};
    struct err err = {0};

    set_limits(p, &(struct limits){.requests_per_minute = 50});
    EXPECT(take(p, 0, &holds[0]) && key->meter->requests.sum == 1);
    s->way = PROXY_REFUSES;
    EXPECT(hold_take(p->at[0].accounts, p->who[0], (struct need){0}, clock_wall() - 2000, &holds[1],
                     &err),
           "alone, within its part: %s", err.text);
    s->way = PROXY_PASSES;
    EXPECT(key->meter->requests.sum == 2, "%" PRId64, key->meter->requests.sum);
    for (int i = 0; i < 2; i++)
        drop(p, 0, &holds[i]);
    set_limits(p, &(struct limits){.in_flight = 3});
    expect_whole(p, s, "Redis refused");
}

FIBER_TEST(a_request_that_redis_did_not_count_is_counted_once)
{
    with_redis(take_from_before);
}

/* The end of a request is on its way when the next one comes, which must not meet it still in flight. */
static void take_behind_an_end(struct pair *p, struct shared_redis *s)
{
    struct hold holds[4];
    struct err err = {0};

    for (int i = 0; i < 3; i++)
        EXPECT(take(p, 0, &holds[i]));
    s->way = PROXY_HOLDS;
    s->delay = 100 * MILLISECOND;
    drop(p, 0, &holds[0]);
    while (!s->held)
        EXPECT(fiber_sleep(MILLISECOND, &err));
    s->way = PROXY_PASSES;
    EXPECT(take(p, 0, &holds[3]), "two of three are in progress");
    for (int i = 1; i < 4; i++)
        drop(p, 0, &holds[i]);
    expect_whole(p, s, "it came behind an end");
}

FIBER_TEST(a_request_that_comes_behind_the_end_of_another_is_not_refused_for_it)
{
    with_redis(take_behind_an_end);
}

struct taker {
    struct pair *pair;
    struct hold hold;
};

static void take_one(void *arg)
{
    struct taker *t = arg;

    EXPECT(take(t->pair, 0, &t->hold));
}

/* More at once than a slow Redis is asked for by one loop: no limit is used up for that. */
static void take_many(struct pair *p, struct shared_redis *s)
{
    struct taker takers[80] = {0};
    struct scope scope;
    struct err err = {0};

    set_limits(p, &(struct limits){.in_flight = 100});
    s->way = PROXY_WAITS;
    s->delay = 300 * MILLISECOND;
    scope_open(&scope, 0);
    for (size_t i = 0; i < ARRAY_LEN(takers); i++) {
        takers[i].pair = p;
        EXPECT(scope_spawn(&scope, take_one, &takers[i], &err), "%s", err.text);
    }
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    s->way = PROXY_PASSES;
    for (size_t i = 0; i < ARRAY_LEN(takers); i++)
        drop(p, 0, &takers[i].hold);
    set_limits(p, &(struct limits){.in_flight = 3});
    expect_whole(p, s, "many came at once");
}

FIBER_TEST(a_redis_that_has_no_connection_free_refuses_nobody)
{
    with_redis(take_many);
}

static void take_tokens(void *arg)
{
    struct taker *t = arg;
    struct err err = {0};

    EXPECT(hold_take(t->pair->at[0].accounts, t->pair->who[0], (struct need){.tokens = 100},
                     clock_wall(), &t->hold, &err),
           "%s", err.text);
}

/* Redis does not answer in time, and there is no limit of tokens any more when the request goes on alone. */
static void take_without_the_limit(struct pair *p, struct shared_redis *s)
{
    const struct account *key = &p->who[0]->key->account;
    struct taker first = {.pair = p}, second = {.pair = p};
    struct scope scope;
    struct err err = {0};

    set_limits(p, &(struct limits){.tokens_per_minute = 1000});
    take_tokens(&first);
    s->way = PROXY_WAITS;
    s->delay = 700 * MILLISECOND;
    scope_open(&scope, 0);
    EXPECT(scope_spawn(&scope, take_tokens, &second, &err) && fiber_sleep(100 * MILLISECOND, &err),
           "%s", err.text);
    set_limits(p, &(struct limits){.requests_per_minute = 50});
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    s->way = PROXY_PASSES;
    set_limits(p, &(struct limits){.tokens_per_minute = 1000});
    drop(p, 0, &second.hold);
    EXPECT(key->meter->tokens.sum == 100, "those of the first: %" PRId64, key->meter->tokens.sum);
    drop(p, 0, &first.hold);
    set_limits(p, &(struct limits){.in_flight = 3});
    expect_whole(p, s, "a limit went meanwhile");
}

FIBER_TEST(a_request_that_redis_did_not_count_takes_back_only_its_own)
{
    with_redis(take_without_the_limit);
}

/* Of tenant, team and key, and of nobody else. */
static void remove_counted(struct pair *p, struct shared_redis *s)
{
    const struct unit_info acme = {.id = STR("acme"), .limits = {.requests_per_minute = 9}};
    const struct unit_info team = {.id = STR("acme/a"), .limits = {.in_flight = 9}};
    const struct key_info wanted = {
        .name = STR("x"), .team = STR("acme/a"), .limits = {.tokens_per_minute = 900}};
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct hold holds[2] = {0};
    struct unit_info unit;
    struct key_info key;
    struct err err = {0};
    uint32_t keys;

    EXPECT(unit_create(p->at[0].accounts, &acme, p->arena, &unit, &err) &&
               unit_create(p->at[0].accounts, &team, p->arena, &unit, &err) &&
               key_create(p->at[0].accounts, &wanted, p->arena, &key, &token, &err) &&
               books_authenticate(&p->at[0], &token, &who, &err),
           "%s", err.text);
    EXPECT(take(p, 0, &holds[0]) && hold_take(p->at[0].accounts, who, (struct need){.tokens = 10},
                                              clock_wall(), &holds[1], &err),
           "%s", err.text);
    EXPECT(run_script(s, "return #redis.call('KEYS', 'weir:w:*')") == 4);
    drop(p, 0, &holds[1]);
    principal_release(&who);
    EXPECT(unit_remove(p->at[0].accounts, STR("acme"), &keys, &err), "%s", err.text);
    EXPECT(fiber_sleep(50 * MILLISECOND, &err));
    EXPECT(run_script(s, "return #redis.call('KEYS', 'weir:w:*')") == 1, "that of the other key");
    drop(p, 0, &holds[0]);
    expect_whole(p, s, "a tenant was removed");
}

FIBER_TEST(what_redis_counts_of_a_tenant_goes_with_it)
{
    with_redis(remove_counted);
}

static void take_and_be_told(struct pair *p, struct shared_redis *s)
{
    const struct limits limits = {.requests_per_minute = 10, .tokens_per_minute = 1000};
    struct hold holds[4] = {0}, more[6] = {0}, refused = {0};
    struct limits_left left;
    struct err err = {0};

    set_limits(p, &limits);
    EXPECT(accounts_follow_key(p->at[1].accounts, p->who[1]->key_id, &err), "%s", err.text);
    for (int i = 0; i < 4; i++)
        EXPECT(hold_take(p->at[i < 3].accounts, p->who[i < 3], (struct need){.tokens = 100},
                         clock_wall(), &holds[i], &err),
               "%s", err.text);
    left = limits_left(p->at[0].accounts, p->who[0], clock_wall());
    EXPECT(left.requests_left == 6 && left.tokens_left == 600, "%" PRId64 " and %" PRId64,
           left.requests_left, left.tokens_left);
    for (int i = 0; i < 6; i++)
        EXPECT(take(p, 1, &more[i]));
    EXPECT(!take(p, 0, &refused) && refused.refused == LIMIT_REQUESTS);
    left = limits_left(p->at[0].accounts, p->who[0], clock_wall());
    EXPECT(left.requests_left == 0, "%" PRId64, left.requests_left);
    for (int i = 0; i < 6; i++)
        drop(p, 1, &more[i]);
    for (int i = 0; i < 4; i++)
        drop(p, i < 3, &holds[i]);
    set_limits(p, &(struct limits){.in_flight = 3});
    EXPECT(accounts_follow_key(p->at[1].accounts, p->who[1]->key_id, &err), "%s", err.text);
    expect_whole(p, s, "who is told how much is left");
}

FIBER_TEST(who_is_told_what_is_left_is_told_of_all_instances)
{
    with_redis(take_and_be_told);
}

/* Nobody is asked who counts for all: each has its part. */
FIBER_TEST(who_is_told_what_is_left_without_redis_is_told_of_the_part)
{
    struct instances *all[2] = {0};
    struct hold hold = {0};
    struct limits_left left;
    struct pair p;
    struct err err = {0};

    if (open_pair(&p, &(struct limits){.requests_per_minute = 10})) {
        for (int i = 0; i < 2; i++) {
            const struct instances_options options = {.store = p.at[i].store, .version = "1"};

            EXPECT(instances_open(&options, &all[i], &err), "%s", err.text);
        }
        EXPECT(instances_catch_up(all[0], &err) && instances_alive(all[0]) == 2, "%s", err.text);
        accounts_join(p.at[0].accounts, all[0]);
        EXPECT(take(&p, 0, &hold));
        left = limits_left(p.at[0].accounts, p.who[0], clock_wall());
        EXPECT(left.requests_limit == 5 && left.requests_left == 4 && left.tokens_limit < 0,
               "%" PRId64, left.requests_left);
        drop(&p, 0, &hold);
        accounts_join(p.at[0].accounts, NULL);
        for (int i = 0; i < 2; i++)
            instances_close(&all[i]);
    }
    close_pair(&p);
}
