/* Tenants, teams and keys: what is limited at each level, who may what, what removal leaves. */
#include <stdio.h>
#include <string.h>

#include "accounts/accounts_internal.h"
#include "books.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/threads.h"
#include "test.h"

#define USD ((usd_micro)1000000)

static const struct need nothing;

static bool make_unit(struct books *b, const char *id, const struct limits *limits)
{
    const struct unit_info wanted = {.id = str_from(id), .limits = *limits};
    struct unit_info made;
    struct err err = {0};
    bool ok = unit_create(b->accounts, &wanted, b->arena, &made, &err);

    EXPECT(ok, "%s: %s", id, err.text);
    return ok;
}

static const struct principal *key_of(struct books *b, const struct key_info *wanted)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info made;
    struct err err = {0};

    EXPECT(key_create(b->accounts, wanted, b->arena, &made, &token, &err), "%s", err.text);
    EXPECT(books_authenticate(b, &token, &who, &err), "%s", err.text);
    return who;
}

static const struct principal *team_key(struct books *b, const char *team)
{
    return key_of(b, &(struct key_info){.name = STR("x"), .team = str_from(team)});
}

/* ---- roles ---- */

static const struct {
    enum role role;
    const char *rights; /* ask look usage audit keys accounts bases change own */
} role_cases[] = {
    {ROLE_APP, "y........"},   {ROLE_DEVELOPER, "yyy.y.y.."}, {ROLE_AUDITOR, ".yyy....."},
    {ROLE_ADMIN, "yyyyyyyy."}, {ROLE_OWNER, "yyyyyyyyy"},
};

TEST(roles_have_the_rights_of_the_table_and_no_others)
{
    for (size_t i = 0; i < ARRAY_LEN(role_cases); i++)
        for (unsigned r = 0; r < RIGHTS; r++)
            EXPECT(role_may(role_cases[i].role, (enum right)r) == (role_cases[i].rights[r] == 'y'),
                   "%s, right %u", role_name(role_cases[i].role), r);
    for (unsigned r = 0; r < RIGHTS; r++)
        EXPECT(!role_may(ROLES, (enum right)r) && !role_may((enum role) - 1, (enum right)r));

    enum role role;
    EXPECT(role_parse(STR("auditor"), &role) && role == ROLE_AUDITOR);
    EXPECT(!role_parse(STR("root"), &role) && !role_parse(STR(""), &role));
}

TEST(what_all_tenants_share_is_changed_by_operators_alone)
{
    struct principal who = {.role = ROLE_OWNER, .tenant = STR("acme")};

    EXPECT(!principal_may(&who, RIGHT_CHANGE) && principal_may(&who, RIGHT_ACCOUNTS));
    who.tenant = TENANT_OPERATOR;
    EXPECT(principal_may(&who, RIGHT_CHANGE));
}

static const struct {
    const char *name, *pattern, *model;
    bool fits;
} pattern_cases[] = {
    {"the same", "gpt-4o", "gpt-4o", true},
    {"longer", "gpt-4o", "gpt-4o-mini", false},
    {"shorter", "gpt-4o-mini", "gpt-4o", false},
    {"any", "*", "x", true},
    {"any of nothing", "*", "", true},
    {"nothing", "", "x", false},
    {"begins", "gpt-4*", "gpt-4o-mini", true},
    {"begins not", "gpt-4*", "xgpt-4", false},
    {"ends", "*-mini", "gpt-4o-mini", true},
    {"ends not", "*-mini", "gpt-4o-mini-2", false},
    {"ends, twice inside", "*-mini", "a-mini-b-mini", true},
    {"middle", "a*b*c", "a1b2c", true},
    {"middle, greedy", "a*bc*d", "abbcbcd", true},
    {"middle not", "a*b*c", "acb", false},
    {"stars", "***", "anything", true},
    {"star is no star in a name", "a", "*", false},
};

TEST(patterns)
{
    for (size_t i = 0; i < ARRAY_LEN(pattern_cases); i++)
        EXPECT(pattern_fits(str_from(pattern_cases[i].pattern), str_from(pattern_cases[i].model)) ==
                   pattern_cases[i].fits,
               "%s", pattern_cases[i].name);
}

/* ---- policies ---- */

FIBER_TEST(the_narrowest_of_key_team_and_tenant_wins)
{
    struct unit_info made;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct unit_info tenant = {
        .id = STR("acme"),
        .policy = {.models = STR("gpt-*, claude-*"), .zones = 6, .tags = STR("paid")}};
    const struct unit_info team = {.id = STR("acme/search"),
                                   .policy = {.models = STR("*-mini"), .tags = STR("batch paid")}};
    const struct key_info key = {
        .name = STR("x"), .team = STR("acme/search"), .policy = {.zones = 12, .tags = STR("a,z")}};

    REQUIRE(unit_create(b.accounts, &tenant, b.arena, &made, &err), "%s", err.text);
    EXPECT(str_eq(made.policy.models, STR("claude-*,gpt-*")));
    REQUIRE(unit_create(b.accounts, &team, b.arena, &made, &err), "%s", err.text);

    const struct principal *who = key_of(&b, &key);

    REQUIRE(who);
    EXPECT(str_eq(who->tenant, STR("acme")) && str_eq(who->team, STR("acme/search")));
    EXPECT(principal_may_ask(who, STR("gpt-4o-mini")) && !principal_may_ask(who, STR("gpt-4o")) &&
           !principal_may_ask(who, STR("qwen-mini")));
    EXPECT(who->zones == 4 && principal_may_zone(who, 2) && !principal_may_zone(who, 1) &&
           !principal_may_zone(who, 3) && !principal_may_zone(who, 0));
    EXPECT(str_eq(who->tag_list, STR("a,batch,paid,z")) && who->tag_count == 4);
    EXPECT(principal_has_tag(who, STR("paid")) && !principal_has_tag(who, STR("pai")));

    /* A change holds for the next request; who has begun keeps what it began with. */
    const struct principal *again = key_borrow(b.accounts, who->key);
    const struct unit_info any = {.name = STR("Search")};

    EXPECT(again == who);
    REQUIRE(unit_change(b.accounts, STR("acme/search"), &any, &err), "%s", err.text);
    const struct principal *after = key_borrow(b.accounts, who->key);
    EXPECT(after != who && principal_may_ask(after, STR("gpt-4o")));
    EXPECT(!principal_may_ask(who, STR("gpt-4o")) && str_eq(after->tag_list, STR("a,paid,z")));
    principal_release(&again);
    principal_release(&who);
    principal_release(&after);
    books_close(&b);
}

static const struct {
    const char *name;
    struct policy policy;
    const char *text;
} bad_policies[] = {
    {"marks in a model", {.models = STR_NONE}, NULL},
    {"bracket", {.models = {"gpt[4]", 6}}, "models: \"gpt[4]\""},
    {"star in a tag", {.tags = {"a*", 2}}, "tags: \"a*\""},
    {"many tags", {.tags = {"a b c d e f g h i j k l m n o p q", 33}}, "tags: more than 16"},
    {"long list of tags",
     {.tags = {"0123456789012345678901234567890123456789,1123456789012345678901234567890123456789,"
               "2123456789012345678901234567890123456789",
               122}},
     "tags"},
};

FIBER_TEST(policies_are_checked)
{
    struct policy out;

    for (size_t i = 0; i < ARRAY_LEN(bad_policies); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        bool ok = policy_check(arena, &bad_policies[i].policy, &out, &err);

        EXPECT(ok == !bad_policies[i].text, "%s", bad_policies[i].name);
        EXPECT(ok || strstr(err.text, bad_policies[i].text), "%s: %s", bad_policies[i].name,
               err.text);
    }
}

/* ---- names ---- */

static const struct {
    const char *id, *text;
} bad_units[] = {
    {"", "expected 1 to 64"},     {"Acme", "expected 1 to 64"},    {"a b", "expected 1 to 64"},
    {"/x", "expected 1 to 64"},   {"x/", "expected 1 to 64"},      {"a/b/c", "expected 1 to 64"},
    {"nobody/x", "is not there"}, {"default", "is there already"},
};

FIBER_TEST(units_that_cannot_be)
{
    struct unit_info made;
    struct books b;
    struct err err = {0};
    uint32_t keys;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(bad_units); i++) {
        const struct unit_info wanted = {.id = str_from(bad_units[i].id)};

        err = (struct err){0};
        EXPECT(!unit_create(b.accounts, &wanted, b.arena, &made, &err) &&
                   strstr(err.text, bad_units[i].text),
               "%s: %s", bad_units[i].id, err.text);
    }
    EXPECT(!unit_remove(b.accounts, STR("default"), &keys, &err) && err.code == ERR_DENIED);
    EXPECT(!unit_find(b.accounts, STR("x"), b.arena, &made, &err) && err.code == ERR_NOT_FOUND);

    const struct key_info stray = {.name = STR("x"), .tenant = STR("default"), .team = STR("a/b")};
    struct secret token CLEANUP(secret_wipe) = {0};
    struct key_info key;

    EXPECT(!key_create(b.accounts, &stray, b.arena, &key, &token, &err) &&
           err.code == ERR_NOT_FOUND);
    books_close(&b);
}

/* ---- limits ---- */

static const struct {
    const char *name, *unit;
    struct limits limits;
    struct need need;
    enum limit_kind kind;
    const char *text;
} level_cases[] = {
    {"team's requests",
     "acme/search",
     {.requests_per_minute = 1},
     {0, 0},
     LIMIT_REQUESTS,
     "limit of 1 requests a minute of team \"acme/search\" is used up"},
    {"tenant's requests",
     "acme",
     {.requests_per_minute = 1},
     {0, 0},
     LIMIT_REQUESTS,
     "of tenant \"acme\" is used up"},
    {"tenant's money",
     "acme",
     {.spend_day = 3},
     {2, 0},
     LIMIT_SPEND,
     "a day of tenant \"acme\" is used up"},
    {"team's month",
     "acme/search",
     {.spend_month = 3},
     {2, 0},
     LIMIT_SPEND,
     "a month of team \"acme/search\" is used up"},
    {"tenant's tokens",
     "acme",
     {.tokens_per_minute = 150},
     {0, 100},
     LIMIT_TOKENS,
     "limit of 150 tokens a minute of tenant \"acme\" is used up (100 counted, at most 100 "
     "needed)"},
    {"team at once",
     "acme/search",
     {.in_flight = 1},
     {0, 0},
     LIMIT_IN_FLIGHT,
     "limit of 1 requests in progress of team \"acme/search\" is reached"},
};

/* Two keys of one team: the first takes what there is, the second is told whose it was; and a refusal
 * counts at no level. */
FIBER_TEST(each_level_limits_and_is_named)
{
    for (size_t i = 0; i < ARRAY_LEN(level_cases); i++) {
        const struct unit_info limited = {.limits = level_cases[i].limits};
        struct hold first = {0}, second = {0};
        char dir[512];
        struct books b;
        struct err err = {0};

        snprintf(dir, sizeof dir, "%s/%zu", test_dir(), i);
        REQUIRE(file_make_dir(dir, 0700, &err), "%s", err.text);
        REQUIRE(books_open(&b, dir, &err), "%s", err.text);
        REQUIRE(make_unit(&b, "acme", &(struct limits){0}) &&
                make_unit(&b, "acme/search", &(struct limits){0}));
        REQUIRE(unit_change(b.accounts, str_from(level_cases[i].unit), &limited, &err), "%s",
                err.text);

        const struct principal *one = team_key(&b, "acme/search"),
                               *two = team_key(&b, "acme/search");

        REQUIRE(one && two);
        EXPECT(hold_take(b.accounts, one, level_cases[i].need, NOON, &first, &err), "%s: %s",
               level_cases[i].name, err.text);
        EXPECT(!hold_take(b.accounts, two, level_cases[i].need, NOON, &second, &err));
        EXPECT(err.code == ERR_EXHAUSTED && strstr(err.text, level_cases[i].text), "%s: %s",
               level_cases[i].name, err.text);
        EXPECT(second.refused == level_cases[i].kind && !second.open);
        EXPECT(two->key->account.held == 0 && two->key->account.in_flight == 0);
        EXPECT(two->tenant_unit->account.in_flight == 1);
        hold_drop(b.accounts, &first);
        EXPECT(two->tenant_unit->account.in_flight == 0 && two->tenant_unit->account.held == 0);
        books_close(&b);
    }
}

FIBER_TEST(tokens_are_settled_where_they_were_held)
{
    const struct key_info wanted = {.name = STR("x"), .limits = {.tokens_per_minute = 1000}};
    struct hold hold = {0}, more = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = key_of(&b, &wanted);
    struct audit_record record = {
        .time = NOON, .outcome = STR("complete"), .tokens_in = 100, .tokens_out = 50};

    REQUIRE(who);
    EXPECT(!hold_take(b.accounts, who, (struct need){.tokens = 1001}, NOON, &hold, &err));
    EXPECT(hold.retry_after == 0 && strstr(err.text, "may use 1001 tokens, more than the limit"),
           "%s", err.text);
    EXPECT(hold_take(b.accounts, who, (struct need){.tokens = 900}, NOON, &hold, &err));
    EXPECT(limits_left(b.accounts, who, NOON).tokens_left == 100);
    EXPECT(!hold_take(b.accounts, who, (struct need){.tokens = 101}, NOON + 5000, &more, &err));
    EXPECT(more.retry_after == 56 * SECOND, "%" PRId64, more.retry_after);
    EXPECT(accounts_record(b.accounts, &hold, &record, &err));
    EXPECT(limits_left(b.accounts, who, NOON + 5000).tokens_left == 850);
    EXPECT(hold_take(b.accounts, who, (struct need){.tokens = 850}, NOON + 10000, &more, &err));
    hold_drop(b.accounts, &more); /* nothing was used */
    EXPECT(limits_left(b.accounts, who, NOON + 10000).tokens_left == 850);
    EXPECT(limits_left(b.accounts, who, NOON + 61000).tokens_left == 1000);

    /* One that ends after its minute changes nothing of a later one. */
    EXPECT(hold_take(b.accounts, who, (struct need){.tokens = 600}, NOON + 61000, &hold, &err));
    EXPECT(hold_take(b.accounts, who, (struct need){.tokens = 600}, NOON + 200000, &more, &err));
    EXPECT(accounts_record(b.accounts, &hold, &record, &err));
    EXPECT(limits_left(b.accounts, who, NOON + 200000).tokens_left == 400);
    hold_drop(b.accounts, &more);
    books_close(&b);
}

FIBER_TEST(a_request_of_several_parts_counts_each_in_flight)
{
    const struct key_info wanted = {.name = STR("x"), .limits = {.in_flight = 3}};
    struct hold hold = {0}, other = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct principal *who = key_of(&b, &wanted);

    REQUIRE(who);
    EXPECT(hold_take(b.accounts, who, (struct need){.cost = 5}, NOON, &hold, &err));
    EXPECT(hold_widen(b.accounts, &hold) && hold_widen(b.accounts, &hold));
    EXPECT(!hold_widen(b.accounts, &hold) && hold.beside == 2);
    EXPECT(!hold_take(b.accounts, who, (struct need){0}, NOON, &other, &err) &&
           other.refused == LIMIT_IN_FLIGHT);
    hold_narrow(b.accounts, &hold);
    err = (struct err){0};
    EXPECT(hold_take(b.accounts, who, (struct need){0}, NOON, &other, &err), "%s", err.text);
    EXPECT(!hold_widen(b.accounts, &hold) && !hold_widen(b.accounts, &other));

    /* What is open still goes with the request; a part that ends later takes nothing away twice. */
    hold_drop(b.accounts, &hold);
    EXPECT(who->key->account.in_flight == 1 && hold.beside == 0);
    hold_narrow(b.accounts, &hold);
    EXPECT(who->key->account.in_flight == 1 && !hold_widen(b.accounts, &hold));
    hold_drop(b.accounts, &other);
    EXPECT(who->key->account.in_flight == 0 && who->tenant_unit->account.in_flight == 0);
    books_close(&b);
}

/* ---- many at once: requests of five keys against one tenant's budget ---- */

#define THREADS 4
#define TRIES   500

struct spender {
    struct books *books;
    const struct principal *who[5];
    int taken;
};

static void pay_from_all(void *arg)
{
    struct spender *s = arg;

    for (int i = 0; i < TRIES; i++)
        s->taken += books_request(s->books, s->who[i % 5], 1000, 1000, NOON);
}

struct stage {
    struct books books;
    const struct principal *keys[5];
};

static void set_stage(void *arg)
{
    struct stage *stage = arg;
    static const char *const teams[] = {"acme/a", "acme/b", "acme/a", "acme/b", ""};

    if (!make_unit(&stage->books, "acme", &(struct limits){.spend_day = 500 * 1000}) ||
        !make_unit(&stage->books, "acme/a", &(struct limits){0}) ||
        !make_unit(&stage->books, "acme/b", &(struct limits){.spend_day = 100 * 1000}))
        return;
    for (size_t i = 0; i < ARRAY_LEN(teams); i++)
        stage->keys[i] = key_of(&stage->books, &(struct key_info){.name = STR("x"),
                                                                  .tenant = STR("acme"),
                                                                  .team = str_from(teams[i])});
}

TEST(budget_of_a_tenant_is_exact_over_threads)
{
    struct spender spenders[THREADS];
    static struct stage stage;
    void *stages[] = {&stage}, *args[THREADS];
    struct err err = {0};
    int sum = 0;

    stage = (struct stage){0};
    REQUIRE(books_open(&stage.books, test_dir(), &err), "%s", err.text);
    REQUIRE(loops_run(1, NULL, set_stage, stages, &err), "%s", err.text);
    REQUIRE(stage.keys[4]);
    for (int i = 0; i < THREADS; i++) {
        spenders[i] = (struct spender){.books = &stage.books};
        memcpy(spenders[i].who, stage.keys, sizeof stage.keys);
        args[i] = &spenders[i];
    }
    EXPECT(loops_run(THREADS, NULL, pay_from_all, args, &err), "%s", err.text);
    for (int i = 0; i < THREADS; i++)
        sum += spenders[i].taken;

    const struct unit *tenant = stage.keys[0]->tenant_unit;
    usd_micro keys = 0;

    for (size_t i = 0; i < ARRAY_LEN(stage.keys); i++)
        keys += stage.keys[i]->key->account.spend.total;
    EXPECT(sum == 500, "%d taken", sum);
    EXPECT(tenant->account.spend.total == 500 * 1000 && keys == 500 * 1000);
    EXPECT(stage.keys[1]->team_unit->account.spend.total <= 100 * 1000);
    EXPECT(stage.keys[0]->team_unit->account.spend.total ==
           stage.keys[0]->key->account.spend.total + stage.keys[2]->key->account.spend.total);
    for (size_t i = 0; i < ARRAY_LEN(stage.keys); i++)
        principal_release(&stage.keys[i]);
    books_close(&stage.books);
}

/* ---- life of keys ---- */

FIBER_TEST(rotation_overlaps_as_long_as_told)
{
    const struct key_info wanted = {.name = STR("x")};
    struct secret first CLEANUP(secret_wipe) = {0}, second CLEANUP(secret_wipe) = {0},
                        third CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info made;
    struct books b;
    struct err err = {0};
    wall_ms until;
    const char *dir = test_dir();

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    REQUIRE(key_create(b.accounts, &wanted, b.arena, &made, &first, &err), "%s", err.text);
    char memory[32];
    memcpy(memory, made.id.ptr, made.id.len);
    const struct str id = {memory, made.id.len};

    REQUIRE(key_rotate(b.accounts, id, 3600 * SECOND, &second, &until, &err), "%s", err.text);
    for (int round = 0; round < 2; round++) { /* also after a restart */
        const struct secret *good[] = {&first, &second};

        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
            REQUIRE(books_authenticate(&b, good[i], &who, &err), "%s", err.text);
            EXPECT(str_eq(who->key_id, id));
            principal_release(&who);
        }
        books_close(&b);
        REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    }
    REQUIRE(key_rotate(b.accounts, id, 0, &third, &until, &err), "%s", err.text);
    EXPECT(!books_authenticate(&b, &first, &who, &err));
    EXPECT(!books_authenticate(&b, &second, &who, &err) && strstr(err.text, "was replaced"), "%s",
           err.text);
    EXPECT(books_authenticate(&b, &third, &who, &err), "%s", err.text);
    principal_release(&who);
    EXPECT(!key_rotate(b.accounts, id, -1, &second, &until, &err) && err.code == ERR_INVALID);
    EXPECT(accounts_key_count(b.accounts) == 1);
    books_close(&b);
}

#define CHANGERS 4

struct changer {
    struct books *books;
    struct str id;
    int64_t limit; /* 0: it rotates */
};

static void make_one(void *arg)
{
    struct changer *c = arg;
    const struct key_info wanted = {.name = STR("x")};
    struct secret token CLEANUP(secret_wipe) = {0};
    struct key_info made;
    struct err err = {0};

    EXPECT(key_create(c->books->accounts, &wanted, c->books->arena, &made, &token, &err), "%s",
           err.text);
    c->id = made.id;
}

static void change_one(void *arg)
{
    struct changer *c = arg;
    const struct key_info wanted = {.name = STR("x"), .limits.requests_per_minute = c->limit};
    struct secret token CLEANUP(secret_wipe) = {0};
    struct err err = {0};
    wall_ms until;
    bool ok = c->limit ? key_change(c->books->accounts, c->id, &wanted, &err)
                       : key_rotate(c->books->accounts, c->id, 0, &token, &until, &err);

    EXPECT(ok, "%s", err.text);
}

/* What is in memory is what a restart would read. */
static bool is_as_stored(struct books *b, struct str id)
{
    const struct statement read = {"SELECT hash, requests_per_minute FROM keys WHERE ordinal > 0",
                                   NULL, 0};
    const struct key_state *key = table_get(&b->accounts->by_id, id);
    char digits[2 * SHA256_BYTES];
    struct rows rows;
    struct buf hex;
    struct err err = {0};

    buf_init_fixed(&hex, digits, sizeof digits);
    buf_hex(&hex, key->current->hash.bytes, sizeof key->current->hash.bytes);
    return store_read_now(b->store, b->arena, &read, &rows, &err) && rows.count == 1 &&
           str_eq(rows_at(&rows, 0, 0).s, buf_view(&hex)) &&
           rows_at(&rows, 0, 1).i == key->account.limits.requests_per_minute;
}

TEST(changes_of_one_key_by_several_loops_end_alike_in_memory_and_store)
{
    struct changer changers[CHANGERS];
    void *args[CHANGERS];
    struct books b;
    struct err err = {0};
    int apart = 0;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    changers[0].books = &b;
    args[0] = &changers[0];
    REQUIRE(loops_run(1, NULL, make_one, args, &err), "%s", err.text);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < CHANGERS; i++) {
            changers[i] = (struct changer){&b, changers[0].id, round % 2 ? i + 1 : 0};
            args[i] = &changers[i];
        }
        REQUIRE(loops_run(CHANGERS, NULL, change_one, args, &err), "%s", err.text);
        apart += !is_as_stored(&b, changers[0].id);
    }
    EXPECT(apart == 0, "%d times", apart);
    books_close(&b);
}

FIBER_TEST(keys_expire)
{
    const struct key_info wanted = {.name = STR("x"), .expires = 1};
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL;
    struct key_info made;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    REQUIRE(key_create(b.accounts, &wanted, b.arena, &made, &token, &err), "%s", err.text);
    EXPECT(!books_authenticate(&b, &token, &who, &err) && strstr(err.text, "expired at 1970"), "%s",
           err.text);
    made.expires = 0;
    REQUIRE(key_change(b.accounts, made.id, &made, &err), "%s", err.text);
    EXPECT(books_authenticate(&b, &token, &who, &err), "%s", err.text);
    principal_release(&who);
    books_close(&b);
}

FIBER_TEST(identities_expire)
{
    const struct identity alice = {.issuer = STR("https://id.example"),
                                   .subject = STR("alice"),
                                   .tenant = TENANT_OPERATOR,
                                   .role = ROLE_DEVELOPER};
    const struct principal *who = NULL;
    struct key_info known;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    REQUIRE(identity_enter(b.accounts, &alice, &who, &err), "%s", err.text);
    REQUIRE(key_find(b.accounts, who->key_id, b.arena, &known, &err), "%s", err.text);
    principal_release(&who);
    known.expires = 1;
    REQUIRE(key_change(b.accounts, known.id, &known, &err), "%s", err.text);
    EXPECT(!identity_enter(b.accounts, &alice, &who, &err) && err.code == ERR_UNAUTHENTICATED &&
               strstr(err.text, "expired at 1970"),
           "%s", err.text);
    known.expires = 0;
    err = (struct err){0};
    REQUIRE(key_change(b.accounts, known.id, &known, &err), "%s", err.text);
    EXPECT(identity_enter(b.accounts, &alice, &who, &err), "%s", err.text);
    principal_release(&who);
    books_close(&b);
}

/* ---- removal ---- */

static int64_t rows_of(struct books *b, const char *sql)
{
    const struct statement read = {sql, NULL, 0};
    struct rows rows;
    struct err err = {0};

    EXPECT(store_read(b->store, b->arena, &read, &rows, &err), "%s", err.text);
    return rows.count ? rows_at(&rows, 0, 0).i : -1;
}

FIBER_TEST(a_tenant_that_is_removed_is_gone_and_its_namesake_is_new)
{
    struct secret token CLEANUP(secret_wipe) = {0};
    const struct principal *who = NULL, *again = NULL;
    const char *dir = test_dir();
    struct key_info made;
    struct unit_info found;
    struct hold hold = {0};
    struct books b;
    struct err err = {0};
    uint32_t keys = 0;

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    REQUIRE(make_unit(&b, "acme", &(struct limits){0}) &&
            make_unit(&b, "acme-2", &(struct limits){0}) &&
            make_unit(&b, "acme/a", &(struct limits){0}));

    const struct key_info wanted = {.name = STR("x"), .team = STR("acme/a")};
    const struct key_info other = {.name = STR("y"), .tenant = STR("acme-2")};
    const struct principal *stays = key_of(&b, &other);

    REQUIRE(key_create(b.accounts, &wanted, b.arena, &made, &token, &err), "%s", err.text);
    REQUIRE(books_authenticate(&b, &token, &who, &err), "%s", err.text);
    EXPECT(books_request(&b, who, 1000, 700, NOON) && books_request(&b, stays, 1000, 300, NOON));
    EXPECT(hold_take(b.accounts, who, nothing, NOON, &hold, &err), "%s", err.text);
    hold_drop(b.accounts, &hold);
    REQUIRE(unit_remove(b.accounts, STR("acme"), &keys, &err), "%s", err.text);
    EXPECT(keys == 1);
    EXPECT(!books_authenticate(&b, &token, &again, &err));
    EXPECT(!hold_take(b.accounts, who, nothing, NOON, &hold, &err)); /* who still held it */
    principal_release(&who);
    EXPECT(!unit_find(b.accounts, STR("acme/a"), b.arena, &found, &err));
    EXPECT(rows_of(&b, "SELECT COUNT(*) FROM keys WHERE tenant = 'acme'") == 0);
    EXPECT(rows_of(&b, "SELECT COUNT(*) FROM instance_balances WHERE id LIKE 'acme%'") == 1);
    EXPECT(rows_of(&b, "SELECT COUNT(*) FROM deployment_usage WHERE tenant = 'acme'") == 0);
    EXPECT(rows_of(&b, "SELECT SUM(cost) FROM deployment_usage") == 300);
    EXPECT(audit_last_seq(b.audit) == 2); /* the log keeps what happened */
    REQUIRE(make_unit(&b, "acme", &(struct limits){0}));
    principal_release(&stays);
    books_close(&b);

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    REQUIRE(unit_find(b.accounts, STR("acme"), b.arena, &found, &err));
    EXPECT(found.balance.spent_total == 0 && found.keys == 0);
    REQUIRE(unit_find(b.accounts, STR("acme-2"), b.arena, &found, &err));
    EXPECT(found.balance.spent_total == 300 && found.keys == 1);
    books_close(&b);
}

struct remover {
    struct books *books;
    struct err err;
    bool removed;
};

static void remove_too(void *arg)
{
    struct remover *r = arg;
    uint32_t keys;

    r->removed = unit_remove(r->books->accounts, STR("acme"), &keys, &r->err);
}

static void refuse_one(struct books *b, const struct principal *who)
{
    struct audit_record record = {.time = clock_wall(),
                                  .route = STR("POST /v1/chat/completions"),
                                  .outcome = STR("refused"),
                                  .status = 401};
    struct hold hold = {0};
    struct err err = {0};

    if (hold_take(b->accounts, who, nothing, clock_wall(), &hold, &err))
        hold_drop(b->accounts, &hold);
    else
        EXPECT(accounts_record(b->accounts, &hold, &record, &err), "%s", err.text);
}

/* They had shown their key before, and are refused and recorded at any moment of the removal and after it. */
FIBER_TEST(requests_that_met_the_removal_of_their_tenant_leave_nothing_of_it)
{
    struct scope scope;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    REQUIRE(make_unit(&b, "acme", &(struct limits){0}) &&
            make_unit(&b, "acme/a", &(struct limits){0}));

    const struct key_info wanted = {.name = STR("x"), .team = STR("acme/a")};
    const struct principal *who = key_of(&b, &wanted);
    struct remover removal = {.books = &b};

    EXPECT(books_request(&b, who, 1000, 700, NOON));
    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, remove_too, &removal, &err));
    while (!removal.removed && !removal.err.code) {
        refuse_one(&b, who);
        EXPECT(fiber_sleep(MILLISECOND / 4, &err));
    }
    EXPECT(scope_wait(&scope, &err));
    scope_close(&scope);
    EXPECT(removal.removed, "%s", removal.err.text);
    refuse_one(&b, who);
    principal_release(&who);
    EXPECT(accounts_flush_wait(b.accounts, &err), "%s", err.text);
    EXPECT(rows_of(&b, "SELECT COUNT(*) FROM deployment_usage WHERE tenant = 'acme'") == 0);
    EXPECT(rows_of(&b, "SELECT COUNT(*) FROM instance_balances WHERE id LIKE 'acme%'") == 0);
    EXPECT(rows_of(&b, "SELECT COUNT(*) FROM instance_balances WHERE level = 2") <= 1);
    EXPECT(make_unit(&b, "acme", &(struct limits){0}), "its name is free");
    books_close(&b);
}

FIBER_TEST(a_tenant_made_anew_survives_a_second_removal_of_the_one_before)
{
    const char *dir = test_dir();
    struct unit_info found;
    struct scope scope;
    struct books b;
    struct err err = {0};
    uint32_t keys;

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    REQUIRE(make_unit(&b, "acme", &(struct limits){0}));

    struct remover second = {.books = &b};

    scope_open(&scope, 0);
    REQUIRE(scope_spawn(&scope, remove_too, &second, &err));
    REQUIRE(unit_remove(b.accounts, STR("acme"), &keys, &err), "%s", err.text);
    EXPECT(make_unit(&b, "acme", &(struct limits){0}));
    EXPECT(scope_wait(&scope, &err));
    scope_close(&scope);
    EXPECT(!second.removed && second.err.code == ERR_NOT_FOUND, "%s", second.err.text);
    books_close(&b);

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    EXPECT(unit_find(b.accounts, STR("acme"), b.arena, &found, &err), "%s", err.text);
    books_close(&b);
}

/* ---- identities ---- */

FIBER_TEST(an_identity_is_made_once_and_speaks_with_the_role_of_its_token)
{
    struct identity who = {.issuer = STR("https://id.example"),
                           .subject = STR("alice"),
                           .name = STR("Alice"),
                           .tenant = STR("acme"),
                           .role = ROLE_DEVELOPER};
    const struct principal *one = NULL, *two = NULL;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    EXPECT(!identity_enter(b.accounts, &who, &one, &err) && err.code == ERR_DENIED);
    REQUIRE(make_unit(&b, "acme", &(struct limits){0}) &&
            make_unit(&b, "acme/a", &(struct limits){0}));
    REQUIRE(identity_enter(b.accounts, &who, &one, &err), "%s", err.text);
    EXPECT(str_starts(one->key_id, STR("u_")) && one->role == ROLE_DEVELOPER && !one->team.len);
    who.role = ROLE_AUDITOR;
    who.team = STR("acme/a");
    REQUIRE(identity_enter(b.accounts, &who, &two, &err), "%s", err.text);
    EXPECT(two->key == one->key && two->role == ROLE_AUDITOR && str_eq(two->team, STR("acme/a")));
    EXPECT(one->role == ROLE_DEVELOPER);
    EXPECT(accounts_key_count(b.accounts) == 0); /* nobody made a key */
    EXPECT(key_revoke(b.accounts, one->key_id, &err));
    principal_release(&two);
    EXPECT(!identity_enter(b.accounts, &who, &two, &err) && strstr(err.text, "is revoked"));
    principal_release(&one);
    books_close(&b);
}
