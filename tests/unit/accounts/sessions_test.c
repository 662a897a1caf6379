/* Sessions of people: that they hold, for whom, and every way in which they end. */
#include "accounts/sessions.h"

#include "accounts/login.h"
#include "books.h"
#include "sys/clock.h"
#include "test.h"

#define HOUR (3600 * SECOND)

static const struct identity alice = {.issuer = STR("https://id"),
                                      .issuer_name = STR("id"),
                                      .subject = STR("alice"),
                                      .name = STR("Alice"),
                                      .tenant = STR("default"),
                                      .role = ROLE_ADMIN};

static struct sessions *sessions_of(struct books *b, dur_ns remember, uint32_t total,
                                    uint32_t of_person)
{
    const struct session_options options = {.accounts = b->accounts,
                                            .store = b->store,
                                            .lifetime = 12 * HOUR,
                                            .idle = HOUR,
                                            .remember = remember,
                                            .total_max = total,
                                            .person_max = of_person};
    struct sessions *sessions = NULL;
    struct err err = {0};

    EXPECT(sessions_new(&options, &sessions, &err), "%s", err.text);
    return sessions;
}

static struct session_info begin(struct sessions *s, struct books *b, const struct identity *who,
                                 struct secret *cookie)
{
    struct session_info info = {0};
    struct err err = {0};
    uint32_t replaced;

    EXPECT(session_begin(s, who, b->arena, &info, cookie, &replaced, &err), "%s", err.text);
    return info;
}

/* ERR_NONE: it holds. */
static enum err_code enters(struct sessions *s, const struct secret *cookie)
{
    struct session session;
    struct err err = {0};

    if (!session_enter(s, secret_reveal(cookie), &session, &err))
        return err.code;
    principal_release(&session.who);
    return ERR_NONE;
}

static void run_sql(struct books *b, const char *sql, int64_t n)
{
    const struct value values[] = {V_INT(n)};
    const struct statement update = {sql, values, ARRAY_LEN(values)};
    int64_t changed = 0;
    struct err err = {0};

    EXPECT(store_write(b->store, &update, 1, &changed, &err), "%s", err.text);
    EXPECT(changed > 0, "%s", sql);
}

FIBER_TEST(session_says_who_it_is_until_it_is_ended)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct session session;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);
    struct session_info info = begin(s, &b, &alice, &cookie);

    EXPECT(cookie.len == SESSION_COOKIE_LEN && info.id.len == SESSION_ID_LEN);
    for (int i = 0; i < 3; i++) { /* from the store, then from memory */
        EXPECT(session_enter(s, secret_reveal(&cookie), &session, &err), "%s", err.text);
        EXPECT(str_eq(session.who->key_id, info.person) && session.who->role == ROLE_ADMIN);
        EXPECT(str_eq(str_from(session.id), info.id) &&
               str_eq(str_from(session.issuer), STR("id")));
        EXPECT(session.expires == info.expires);
        principal_release(&session.who);
    }
    EXPECT(session_end(s, info.id, &err), "%s", err.text);
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED);
    EXPECT(!session_end(s, info.id, &err) && err.code == ERR_NOT_FOUND);
    sessions_free(&s);
    books_close(&b);
}

FIBER_TEST(session_is_stored_by_a_hash_and_survives_a_restart)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    const struct statement all = {"SELECT hash, id FROM sessions", NULL, 0};
    const char *dir = test_dir();
    struct books b;
    struct rows rows;
    struct err err = {0};

    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);

    (void)begin(s, &b, &alice, &cookie);
    EXPECT(store_read(b.store, b.arena, &all, &rows, &err) && rows.count == 1, "%s", err.text);
    EXPECT(rows_at(&rows, 0, 0).s.len == 2 * SHA256_BYTES);
    EXPECT(str_find(rows_at(&rows, 0, 0).s, secret_reveal(&cookie)) == 2 * SHA256_BYTES);
    sessions_free(&s);
    books_close(&b);
    REQUIRE(books_open(&b, dir, &err), "%s", err.text);
    s = sessions_of(&b, HOUR, 100, 20);
    EXPECT(enters(s, &cookie) == ERR_NONE);
    sessions_free(&s);
    books_close(&b);
}

/* What does not hold: bytes that were never given out, and cookies that were bent. */
FIBER_TEST(session_of_another_cookie_is_none)
{
    static const char *const cases[] = {"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                        "' OR 1=1 --"};
    struct secret cookie CLEANUP(secret_wipe) = {0};
    char bent[SESSION_COOKIE_LEN];
    struct session session;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);

    (void)begin(s, &b, &alice, &cookie);
    EXPECT(enters(s, &cookie) == ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(!session_enter(s, str_from(cases[i]), &session, &err) &&
                   err.code == ERR_UNAUTHENTICATED,
               "%s", cases[i]);
    for (size_t at = 0; at < SESSION_COOKIE_LEN; at++) {
        for (size_t i = 0; i < sizeof bent; i++)
            bent[i] = secret_reveal(&cookie).ptr[i];
        bent[at] = bent[at] == 'A' ? 'B' : 'A';
        EXPECT(!session_enter(s, (struct str){bent, sizeof bent}, &session, &err), "%zu", at);
    }
    sessions_free(&s);
    books_close(&b);
}

FIBER_TEST(session_ends_with_its_time_and_when_it_is_not_used)
{
    struct secret one CLEANUP(secret_wipe) = {0}, two CLEANUP(secret_wipe) = {0};
    struct session_info *list, info;
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, 0, 100, 20);
    const struct session_filter all = {.most = 10};

    (void)begin(s, &b, &alice, &one);
    run_sql(&b, "UPDATE sessions SET used = used - ?1", 59 * 60 * 1000);
    EXPECT(enters(s, &one) == ERR_NONE); /* and is used again with that */
    run_sql(&b, "UPDATE sessions SET used = used - ?1", 59 * 60 * 1000);
    EXPECT(enters(s, &one) == ERR_NONE);
    run_sql(&b, "UPDATE sessions SET used = used - ?1", 60 * 60 * 1000);
    EXPECT(enters(s, &one) == ERR_UNAUTHENTICATED);
    info = begin(s, &b, &alice, &two);
    EXPECT(session_list(s, &all, b.arena, &list, &count, &err) && count == 1, "%s", err.text);
    run_sql(&b, "UPDATE sessions SET expires = ?1", clock_wall() - 1);
    EXPECT(enters(s, &two) == ERR_UNAUTHENTICATED);
    EXPECT(!session_find(s, info.id, b.arena, &info, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(session_list(s, &all, b.arena, &list, &count, &err) && count == 0, "%s", err.text);
    sessions_free(&s);
    books_close(&b);
}

FIBER_TEST(session_of_a_person_who_is_revoked_ends_at_once)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);
    struct session_info info = begin(s, &b, &alice, &cookie);

    EXPECT(enters(s, &cookie) == ERR_NONE && enters(s, &cookie) == ERR_NONE);
    EXPECT(key_revoke(b.accounts, info.person, &err), "%s", err.text);
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED);
    sessions_free(&s);
    books_close(&b);
}

FIBER_TEST(session_ends_when_its_person_expires)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct key_info person;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);
    struct session_info info = begin(s, &b, &alice, &cookie);

    REQUIRE(key_find(b.accounts, info.person, b.arena, &person, &err), "%s", err.text);
    person.expires = clock_wall() + 2000;
    EXPECT(key_change(b.accounts, info.person, &person, &err), "%s", err.text);
    EXPECT(enters(s, &cookie) == ERR_NONE && enters(s, &cookie) == ERR_NONE);
    EXPECT(fiber_sleep(2100 * MILLISECOND, &err));
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED, "it is remembered for an hour");
    sessions_free(&s);
    books_close(&b);
}

FIBER_TEST(session_ends_with_its_tenant)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    const struct unit_info acme = {.id = STR("acme")};
    struct identity bob = alice;
    struct unit_info made;
    struct books b;
    struct err err = {0};
    uint32_t keys;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);

    bob.tenant = STR("acme");
    EXPECT(unit_create(b.accounts, &acme, b.arena, &made, &err), "%s", err.text);
    (void)begin(s, &b, &bob, &cookie);
    EXPECT(enters(s, &cookie) == ERR_NONE);
    EXPECT(unit_remove(b.accounts, STR("acme"), &keys, &err), "%s", err.text);
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED);
    sessions_free(&s);
    books_close(&b);
}

/* Who was met in one tenant and comes from another one now: the key's tenant is not the session's. */
FIBER_TEST(session_in_another_tenant_than_its_persons_first_ends_with_it)
{
    struct secret first CLEANUP(secret_wipe) = {0}, cookie CLEANUP(secret_wipe) = {0};
    const struct unit_info acme = {.id = STR("acme")};
    struct identity moved = alice;
    struct session session;
    struct hold hold = {0};
    struct unit_info made;
    struct books b;
    struct err err = {0};
    uint32_t keys;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);

    moved.tenant = STR("acme");
    (void)begin(s, &b, &alice, &first);
    EXPECT(unit_create(b.accounts, &acme, b.arena, &made, &err), "%s", err.text);
    (void)begin(s, &b, &moved, &cookie);
    EXPECT(session_enter(s, secret_reveal(&cookie), &session, &err), "%s", err.text);
    EXPECT(hold_take(b.accounts, session.who, (struct need){.cost = 1}, clock_wall(), &hold, &err));
    EXPECT(!unit_remove(b.accounts, STR("acme"), &keys, &err));
    EXPECT(enters(s, &cookie) == ERR_DENIED, "while it waits for a request in progress");
    hold_drop(b.accounts, &hold);
    principal_release(&session.who);
    EXPECT(unit_remove(b.accounts, STR("acme"), &keys, &err), "%s", err.text);
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED);
    EXPECT(unit_create(b.accounts, &acme, b.arena, &made, &err), "%s", err.text);
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED, "a namesake is another tenant");
    EXPECT(enters(s, &first) == ERR_NONE);
    sessions_free(&s);
    books_close(&b);
}

/* `remember` may be longer than `idle`: who is remembered is in use all the same, and only then. */
FIBER_TEST(session_that_is_used_is_not_idle)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct sessions *s = NULL;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    const struct session_options options = {.accounts = b.accounts,
                                            .store = b.store,
                                            .lifetime = HOUR,
                                            .idle = SECOND,
                                            .remember = 2 * SECOND,
                                            .total_max = 10,
                                            .person_max = 10};

    REQUIRE(sessions_new(&options, &s, &err), "%s", err.text);
    (void)begin(s, &b, &alice, &cookie);
    for (int i = 0; i < 25; i++) {
        EXPECT(enters(s, &cookie) == ERR_NONE, "after %d tenths of a second", i);
        EXPECT(fiber_sleep(100 * MILLISECOND, &err));
    }
    EXPECT(fiber_sleep(1100 * MILLISECOND, &err));
    EXPECT(enters(s, &cookie) == ERR_UNAUTHENTICATED);
    sessions_free(&s);
    books_close(&b);
}

FIBER_TEST(sessions_are_bounded_for_a_person_and_for_all)
{
    struct secret cookies[4] = {0};
    struct identity other = alice;
    struct session_info info;
    struct books b;
    struct err err = {0};
    uint32_t replaced = 9;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 3, 2);

    for (size_t i = 0; i < 2; i++) {
        (void)begin(s, &b, &alice, &cookies[i]);
        run_sql(&b, "UPDATE sessions SET created = created - ?1", 1000); /* in this order */
    }
    EXPECT(session_begin(s, &alice, b.arena, &info, &cookies[2], &replaced, &err), "%s", err.text);
    EXPECT(replaced == 1);
    EXPECT(enters(s, &cookies[0]) == ERR_UNAUTHENTICATED); /* the oldest */
    EXPECT(enters(s, &cookies[1]) == ERR_NONE && enters(s, &cookies[2]) == ERR_NONE);
    other.subject = STR("bob");
    (void)begin(s, &b, &other, &cookies[3]);
    secret_wipe(&cookies[0]);
    other.subject = STR("carol");
    EXPECT(!session_begin(s, &other, b.arena, &info, &cookies[0], &replaced, &err));
    EXPECT(err.code == ERR_EXHAUSTED && err.sys == 0, "%s", err.text);
    EXPECT(session_end_person(s, info.person, NULL, &(int64_t){0}, &err), "%s", err.text);
    EXPECT(session_begin(s, &other, b.arena, &info, &cookies[0], &replaced, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cookies); i++)
        secret_wipe(&cookies[i]);
    sessions_free(&s);
    books_close(&b);
}

/* In memory of its own, as each request has. */
static void begin_one(void *arg)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct session_info info;
    struct err err = {0};
    uint32_t replaced;

    EXPECT(session_begin(arg, &alice, arena, &info, &cookie, &replaced, &err), "%s", err.text);
}

FIBER_TEST(sessions_of_a_person_that_begin_together_are_bounded_too)
{
    struct session_info *list;
    struct scope scope;
    struct books b;
    struct err err = {0};
    size_t count = 0;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 20, 2);
    const struct session_filter all = {.most = 20};

    begin_one(s); /* who she is is known */
    scope_open(&scope, 0);
    for (int i = 0; i < 5; i++)
        EXPECT(scope_spawn(&scope, begin_one, s, &err), "%s", err.text);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
    EXPECT(session_list(s, &all, b.arena, &list, &count, &err) && count == 2, "%zu %s", count,
           err.text);
    sessions_free(&s);
    books_close(&b);
}

/* Two of them over one database are two Weirs. */
FIBER_TEST(session_holds_on_every_weir_and_an_end_arrives_when_what_was_remembered_is_over)
{
    struct secret cookie CLEANUP(secret_wipe) = {0};
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *here = sessions_of(&b, HOUR, 100, 20), *there = sessions_of(&b, 0, 100, 20),
                    *slow = sessions_of(&b, HOUR, 100, 20);
    struct session_info info = begin(here, &b, &alice, &cookie);
    char mine[SESSION_COOKIE_LEN], theirs[SESSION_COOKIE_LEN];

    EXPECT(enters(here, &cookie) == ERR_NONE && enters(there, &cookie) == ERR_NONE &&
           enters(slow, &cookie) == ERR_NONE);
    EXPECT(str_eq(session_csrf(here, secret_reveal(&cookie), mine),
                  session_csrf(there, secret_reveal(&cookie), theirs)));
    EXPECT(session_end(here, info.id, &err), "%s", err.text);
    EXPECT(enters(here, &cookie) == ERR_UNAUTHENTICATED);
    EXPECT(enters(there, &cookie) == ERR_UNAUTHENTICATED);
    EXPECT(enters(slow, &cookie) == ERR_NONE); /* for as long as `remember` says */
    sessions_free(&here);
    sessions_free(&there);
    sessions_free(&slow);
    books_close(&b);
}

FIBER_TEST(sessions_are_listed_by_tenant_and_person_in_pages)
{
    static const char *const subjects[] = {"a", "b", "c", "a"};
    struct secret cookie = {0};
    struct session_filter filter = {.most = 3};
    struct session_info *list, *rest;
    struct identity who = alice;
    struct books b;
    struct err err = {0};
    size_t count;

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);
    struct sessions *s = sessions_of(&b, HOUR, 100, 20);

    for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
        who.subject = str_from(subjects[i]);
        (void)begin(s, &b, &who, &cookie);
        secret_wipe(&cookie);
    }
    EXPECT(session_list(s, &filter, b.arena, &list, &count, &err) && count == 3, "%s", err.text);
    EXPECT(str_eq(list[0].name, STR("Alice")) && str_eq(list[0].issuer, STR("id")));
    filter.after = list[2].id;
    EXPECT(session_list(s, &filter, b.arena, &rest, &count, &err) && count == 1, "%s", err.text);
    EXPECT(str_cmp(list[2].id, rest[0].id) < 0);
    filter = (struct session_filter){.most = 10, .tenant = STR("acme")};
    EXPECT(session_list(s, &filter, b.arena, &rest, &count, &err) && count == 0, "%s", err.text);
    who.subject = STR("a");
    struct session_info hers = begin(s, &b, &who, &cookie);
    secret_wipe(&cookie);
    filter = (struct session_filter){.most = 10, .person = hers.person};
    EXPECT(session_list(s, &filter, b.arena, &rest, &count, &err) && count == 3, "%s", err.text);
    sessions_free(&s);
    books_close(&b);
}

/* ---- logins ---- */

static const struct {
    const char *name, *next;
    bool safe;
} next_cases[] = {
    {"the root", "/", true},
    {"a path", "/auth/me", true},
    {"with a query and a fragment", "/a?b=//c&d=https://e#f", true},
    {"two slashes further on", "/a//b", true},
    {"nothing", "", false},
    {"another host", "//evil.example", false},
    {"another host, as browsers read it", "/\\evil.example", false},
    {"the same, reversed", "\\/evil.example", false},
    {"a backslash further on", "/a\\b", false},
    {"a tab that browsers drop", "/\t/evil.example", false},
    {"a line end that browsers drop", "/\n/evil.example", false},
    {"a header of its own", "/a\r\nset-cookie: b=c", false},
    {"a blank", "/a b", false},
    {"a scheme", "https://evil.example", false},
    {"a script", "javascript:alert(1)", false},
    {"beyond ASCII", "/\xc3\xbc", false},
    {"DEL", "/\x7f", false},
};

TEST(login_goes_on_only_here)
{
    char long_path[LOGIN_NEXT_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(next_cases); i++)
        EXPECT(login_next_is_safe(str_from(next_cases[i].next)) == next_cases[i].safe, "%s",
               next_cases[i].name);
    for (size_t i = 0; i < sizeof long_path; i++)
        long_path[i] = '/' + (i > 0);
    EXPECT(login_next_is_safe((struct str){long_path, LOGIN_NEXT_MAX}));
    EXPECT(!login_next_is_safe((struct str){long_path, LOGIN_NEXT_MAX + 1}));
    EXPECT(!login_next_is_safe((struct str){"/a\0b", 4}));
}

FIBER_TEST(logins_are_bounded_for_an_address_and_for_all)
{
    struct logins *logins;
    struct books b;
    struct err err = {0};

    REQUIRE(books_open(&b, test_dir(), &err), "%s", err.text);

    const struct login_options options = {
        .accounts = b.accounts, .per_minute = 5, .per_minute_address = 3};

    REQUIRE(logins_new(&options, &logins, &err), "%s", err.text);
    for (int i = 0; i < 3; i++)
        EXPECT(login_allowed(logins, STR("10.0.0.1:1000"), NOON, &err), "%s", err.text);
    EXPECT(!login_allowed(logins, STR("10.0.0.1:2000"), NOON, &err) && err.code == ERR_EXHAUSTED);
    EXPECT(str_find(str_from(err.text), STR("login.per_address")) < 240, "%s", err.text);
    EXPECT(login_allowed(logins, STR("[::1]:1"), NOON, &err) &&
           login_allowed(logins, STR("[::1]:2"), NOON, &err));
    EXPECT(!login_allowed(logins, STR("[::1]:3"), NOON, &err) && err.code == ERR_EXHAUSTED);
    EXPECT(str_find(str_from(err.text), STR("login.per_minute")) < 240, "%s", err.text);
    EXPECT(login_allowed(logins, STR("10.0.0.1:1000"), NOON + 60000, &err), "%s", err.text);
    logins_free(&logins);
    books_close(&b);
}
