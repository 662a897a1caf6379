/* The store's promises on a PostgreSQL server: WEIR_TEST_POSTGRES names it, and a database that may be
 * emptied. tests/postgres/run starts one. */
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"
#include "store/instances.h"
#include "store/query.h"
#include "store/store_internal.h"
#include "sys/fiber.h"
#include "test.h"

static const struct migration things[] = {
    {"things", 1, "table",
     "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, weight REAL, raw BLOB);"
     "INSERT INTO things (id, name) VALUES (0, 'an INTEGER? a ''BLOB''?')"},
    {"things", 2, "count", "CREATE TABLE counts (id BIGINT NOT NULL, n BIGINT NOT NULL)"},
};

static const char *url(void)
{
    const char *url = getenv("WEIR_TEST_POSTGRES");

    ASSERT(url); /* tests/postgres/run sets it */
    return url;
}

static struct store *open_list(const struct migration *list, size_t count, struct err *err)
{
    const struct store_options options = {
        .path = url(), .migrations = list, .migration_count = count};
    struct store *store = NULL;

    return store_open(&options, &store, err) ? store : NULL;
}

static bool now(struct store *store, const char *sql, const struct value *values, size_t count,
                struct err *err)
{
    const struct statement statement = {sql, values, count};

    return store_write_now(store, &statement, 1, NULL, err);
}

static void say_nothing(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

/* Not through the store, which refuses what a newer Weir has made. */
static void empty_database(void)
{
    PGconn *pg = PQconnectdb(url());

    PQsetNoticeProcessor(pg, say_nothing, NULL);
    PQclear(PQexec(pg, "DROP SCHEMA public CASCADE"));
    PQclear(PQexec(pg, "CREATE SCHEMA public"));
    EXPECT(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
    PQfinish(pg);
}

/* An empty database with the tables above. */
static struct store *fresh(void)
{
    struct err err = {0};
    struct store *store;

    empty_database();
    store = open_list(things, ARRAY_LEN(things), &err);
    EXPECT(store, "%s", err.text);
    return store;
}

static struct value ask(struct store *store, struct arena *arena, const char *sql)
{
    const struct statement statement = {sql, NULL, 0};
    struct rows rows = {0};
    struct err err = {0};

    EXPECT(store_read_now(store, arena, &statement, &rows, &err) && rows.count == 1, "%s: %s", sql,
           err.text);
    return rows.count == 1 ? rows_at(&rows, 0, 0) : V_NULL;
}

static int64_t count_of(struct store *store, const char *sql)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct value v = ask(store, arena, sql);

    EXPECT(v.kind == VALUE_INT, "%s gives a whole number", sql);
    return v.i;
}

TEST(every_kind_of_value_comes_back)
{
    const char bytes[] = {0, 1, '\\', (char)0xff, 0};
    const struct value given[] = {V_INT(-9007199254740993), V_TEXT(STR("Grüße, \"日本\" '")),
                                  V_REAL(0.1), V_BLOB(((struct str){bytes, sizeof bytes}))};
    const struct value empty[] = {V_INT(2), V_TEXT(STR("")), V_NULL, V_BLOB(STR(""))};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct store *store CLEANUP(store_close) = fresh();
    struct err err = {0};
    const struct statement read = {"SELECT id, name, weight, raw FROM things WHERE id <> ?1"
                                   " ORDER BY id",
                                   &V_INT(0), 1};
    struct rows rows = {0};

    REQUIRE(store);
    EXPECT(now(store, "INSERT INTO things VALUES (?1, ?2, ?3, ?4)", given, 4, &err), "%s",
           err.text);
    EXPECT(now(store, "INSERT INTO things VALUES (?1, ?2, ?3, ?4)", empty, 4, &err), "%s",
           err.text);
    REQUIRE(store_read_now(store, arena, &read, &rows, &err) && rows.count == 2, "%s", err.text);
    EXPECT(rows_at(&rows, 0, 0).kind == VALUE_INT && rows_at(&rows, 0, 0).i == given[0].i);
    EXPECT(str_eq(rows_at(&rows, 0, 1).s, given[1].s));
    EXPECT(rows_at(&rows, 0, 2).kind == VALUE_REAL && rows_at(&rows, 0, 2).f == 0.1);
    EXPECT(rows_at(&rows, 0, 3).kind == VALUE_BLOB && str_eq(rows_at(&rows, 0, 3).s, given[3].s));
    EXPECT(rows_at(&rows, 1, 1).kind == VALUE_TEXT && rows_at(&rows, 1, 1).s.len == 0);
    EXPECT(rows_at(&rows, 1, 2).kind == VALUE_NULL);
    EXPECT(rows_at(&rows, 1, 3).kind == VALUE_BLOB && rows_at(&rows, 1, 3).s.len == 0);
    EXPECT(str_eq(ask(store, arena, "SELECT name FROM things WHERE id = 0").s,
                  STR("an INTEGER? a 'BLOB'?")),
           "what is quoted is left alone");
    EXPECT(count_of(store, "SELECT SUM(id) FROM things") == given[0].i + 2, "sums stay whole");
}

TEST(misfits_are_told_without_their_values)
{
    static const struct {
        const char *sql;
        struct value value;
        enum err_code code;
    } misfits[] = {
        {"INSERT INTO things (id) VALUES (?1)", {.kind = VALUE_INT, .i = 0}, ERR_INVALID},
        {"INSERT INTO nothing VALUES (?1)", {.kind = VALUE_INT, .i = 777123}, ERR_INTERNAL},
        {"SELEC ?1", {.kind = VALUE_INT, .i = 777123}, ERR_INTERNAL},
        {"INSERT INTO things (id) VALUES (?1)",
         {.kind = VALUE_TEXT, .s = {"777123x", 7}},
         ERR_INTERNAL},
        {"INSERT INTO things (id, name) VALUES (9, ?1)",
         {.kind = VALUE_TEXT, .s = {"777123\0x", 8}},
         ERR_INVALID},
    };
    struct store *store CLEANUP(store_close) = fresh();

    REQUIRE(store);
    for (size_t i = 0; i < ARRAY_LEN(misfits); i++) {
        struct err err = {0};

        EXPECT(!now(store, misfits[i].sql, &misfits[i].value, 1, &err) &&
                   err.code == misfits[i].code && !strstr(err.text, "777123"),
               "%s: %s", misfits[i].sql, err.text);
    }
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things") == 1);
}

TEST(a_write_is_all_or_nothing_and_counted)
{
    const struct statement good[] = {
        {"INSERT INTO things (id) VALUES (?1)", &V_INT(1), 1},
        {"INSERT INTO things (id) VALUES (?1)", &V_INT(2), 1},
        {"UPDATE things SET name = 'same' WHERE id > 0", NULL, 0},
    };
    const struct statement bad[] = {good[0], good[0]};
    struct store *store CLEANUP(store_close) = fresh();
    struct err err = {0};
    int64_t changed = -1;

    REQUIRE(store);
    EXPECT(!store_write_now(store, bad, 2, &changed, &err) && err.code == ERR_INVALID);
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things") == 1, "nothing of it stays");
    err = (struct err){0};
    EXPECT(store_write_now(store, good, 3, &changed, &err) && changed == 4, "%s", err.text);
}

/* What a write says of itself: whether its commit waits for the disk. */
static void write_and_say(struct store *store, int64_t id, bool relaxed)
{
    const struct statement insert = {
        "INSERT INTO things (id, name) VALUES (?1, current_setting('synchronous_commit'))",
        &V_INT(id), 1};
    struct err err = {0};

    EXPECT(relaxed ? store_write_relaxed(store, &insert, 1, NULL, &err)
                   : store_write(store, &insert, 1, NULL, &err),
           "%s", err.text);
}

FIBER_TEST(a_write_waits_for_the_disk_unless_it_is_asked_not_to)
{
    struct store *store CLEANUP(store_close) = fresh();

    REQUIRE(store);
    write_and_say(store, 1, false);
    write_and_say(store, 2, true);
    write_and_say(store, 3, true);
    write_and_say(store, 4, false);
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things WHERE name = 'off' AND id IN (2, 3)") == 2);
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things WHERE name = 'on' AND id IN (1, 4)") == 2);
}

struct adding {
    struct store *store;
    int64_t id;
    bool ok;
};

static void add_one(void *arg)
{
    struct adding *a = arg;
    const struct statement insert = {"INSERT INTO things (id) VALUES (?1)", &V_INT(a->id), 1};
    struct err err = {0};

    a->ok = store_write(a->store, &insert, 1, NULL, &err);
}

FIBER_TEST(writes_that_wait_are_committed_together)
{
    static struct adding adding[60];
    struct store *store CLEANUP(store_close) = fresh();
    struct err err = {0};
    struct scope s;
    size_t good = 0;

    REQUIRE(store);
    uint64_t before = store_stats(store).commits;
    scope_open(&s, 0);
    for (size_t i = 0; i < ARRAY_LEN(adding); i++) {
        adding[i] = (struct adding){store, (int64_t)i % 50, false}; /* 0 is there, ten come twice */
        EXPECT(scope_spawn(&s, add_one, &adding[i], &err));
    }
    EXPECT(scope_wait(&s, &err), "%s", err.text);
    scope_close(&s);
    for (size_t i = 0; i < ARRAY_LEN(adding); i++)
        good += adding[i].ok;
    EXPECT(good == 49, "%zu", good);
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things") == 50);
    EXPECT(store_stats(store).commits - before < 30, "%" PRIu64, store_stats(store).commits);
}

static void *open_beside(void *arg)
{
    struct err err = {0};
    struct store *store = open_list(things, ARRAY_LEN(things), &err);

    *(bool *)arg = store != NULL;
    store_close(&store);
    pages_thread_done();
    return NULL;
}

/* Each has "hush" for a password, or a part of one. */
static const char *const wrong_urls[] = {
    "postgres://weir:hu@hush@127.0.0.1:1/x",
    "postgres://weir:hu/hush@127.0.0.1:1/x",
    "postgres://weir:hu?hush@127.0.0.1:1/x",
    "postgres://weir:hush%zz@127.0.0.1:1/x",
    "postgres://weir:hush/x",
    "postgres://weir:hush",
    "postgres://weir:hush@127.0.0.1:1/x",
    "postgres://weir:hush@127.0.0.1:one/x",
    "postgresql://weir:hush@127.0.0.1:1/x",
    "postgres://weir:a:hush@127.0.0.1:1/x",
    "postgres://weir:hush@127.0.0.1:1/x?a=b",
    "postgres://weir:hush@127.0.0.1:1/x?port=no",
    "postgres://weir:x@127.0.0.1:1/x?password=hush&sslmode=none",
};

TEST(no_message_has_the_password)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong_urls); i++) {
        const struct store_options options = {.path = wrong_urls[i]};
        struct store *store = NULL;
        struct err err = {0};

        EXPECT(!store_open(&options, &store, &err));
        EXPECT(err.text[0] && !strstr(err.text, "hush") && !strstr(err.text, "hu/"), "%s: %s",
               wrong_urls[i], err.text);
    }
}

TEST(several_can_start_at_once)
{
    struct store *store = fresh();
    pthread_t threads[4];
    bool opened[4] = {0};

    REQUIRE(store);
    empty_database();
    for (size_t i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, open_beside, &opened[i]) == 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT(opened[0] && opened[1] && opened[2] && opened[3], "one migrates, the others wait");
    EXPECT(count_of(store, "SELECT COUNT(*) FROM weir_migrations WHERE module = 'things'") == 2);
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things") == 1);
    store_close(&store);
}

/* A large table takes longer to bring up to date than any statement of a request may. */
TEST(migrations_have_the_time_they_need)
{
    static const struct migration slow[] = {
        {"things", 1, "slow",
         "CREATE TABLE times AS SELECT current_setting('statement_timeout') AS most"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct store *store CLEANUP(store_close) = NULL;
    struct err err = {0};

    empty_database();
    store = open_list(slow, ARRAY_LEN(slow), &err);
    REQUIRE(store, "%s", err.text);
    EXPECT(str_eq(ask(store, arena, "SELECT most FROM times").s, STR("0")));
    EXPECT(
        now(store, "UPDATE times SET most = current_setting('statement_timeout')", NULL, 0, &err),
        "%s", err.text);
    EXPECT(str_eq(ask(store, arena, "SELECT most FROM times").s, STR("30s")), "and no others");
}

TEST(a_connection_that_broke_is_made_anew)
{
    struct store *store CLEANUP(store_close) = fresh();
    struct store *other CLEANUP(store_close) = NULL;
    struct err err = {0};

    REQUIRE(store);
    other = open_list(things, ARRAY_LEN(things), &err);
    REQUIRE(other, "%s", err.text);
    EXPECT(now(other,
               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
               " WHERE application_name = 'weir' AND pid <> pg_backend_pid()",
               NULL, 0, &err),
           "%s", err.text);
    EXPECT(now(store, "INSERT INTO things (id) VALUES (?1)", &V_INT(1), 1, &err), "%s", err.text);
    EXPECT(count_of(store, "SELECT COUNT(*) FROM things") == 2);
}

static bool fails_once(void *ctx, const char *point)
{
    int *left = ctx;

    return strcmp(point, "store.set_up") == 0 && (*left)-- > 0;
}

/* Until a connection that broke is there again. */
static bool set_timeout_is(struct store *store, struct str want)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct statement read = {"SELECT current_setting('statement_timeout')", NULL, 0};

    for (int i = 0; i < 40; i++) {
        struct err err = {0};
        struct rows rows;

        if (store_read_now(store, arena, &read, &rows, &err))
            return str_eq(rows_at(&rows, 0, 0).s, want);
        usleep(100 * 1000);
    }
    return false;
}

TEST(a_connection_that_could_not_be_set_up_is_not_used)
{
    struct store *store CLEANUP(store_close) = fresh();
    struct store *other CLEANUP(store_close) = NULL;
    struct err err = {0};
    int failures = 1;

    REQUIRE(store);
    other = open_list(things, ARRAY_LEN(things), &err);
    REQUIRE(other, "%s", err.text);
    EXPECT(set_timeout_is(store, STR("30s")));
    EXPECT(now(other,
               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
               " WHERE application_name = 'weir' AND pid <> pg_backend_pid()",
               NULL, 0, &err),
           "%s", err.text);
    fault_decide(fails_once, &failures);
    bool as_wanted = set_timeout_is(store, STR("30s"));
    fault_decide(NULL, NULL);
    EXPECT(failures < 0, "it was set up anew");
    EXPECT(as_wanted, "statements of a connection that is made anew have their time limit");
}

static int server_of(struct store *store)
{
    return (int)count_of(store, "SELECT pg_backend_pid()");
}

/* Its machine acknowledges what we send, so no timer of TCP ends this. */
TEST(a_server_that_says_nothing_any_more_is_given_up)
{
    struct store *store CLEANUP(store_close) = fresh();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct statement read = {"SELECT 1", NULL, 0};
    dur_ns limit = postgres_answer_limit;
    struct err err = {0};
    struct rows rows;

    REQUIRE(store);
    int frozen = server_of(store);
    REQUIRE(kill(frozen, SIGSTOP) == 0);
    postgres_answer_limit = SECOND / 2;
    alarm(20); /* or the test ends here */
    EXPECT(store_read_now(store, arena, &read, &rows, &err), "on a connection made anew: %s",
           err.text);
    EXPECT(server_of(store) != frozen);
    alarm(0);
    postgres_answer_limit = limit;
    EXPECT(kill(frozen, SIGCONT) == 0);
}

FIBER_TEST(rows_of_a_server_that_says_nothing_any_more_are_given_up)
{
    struct store *store CLEANUP(store_close) = fresh();
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const struct query_options options = {
        .database = str_from(url()),
        .sql = STR("SELECT pg_backend_pid(), generate_series(1, 1000)"),
        .timeout = SECOND / 2};
    struct query *query CLEANUP(query_close) = NULL;
    struct str *cells = NULL;
    struct err err = {0};
    int64_t frozen = 0;
    bool more = true;

    REQUIRE(store);
    REQUIRE(query_open(arena, &options, &query, &err), "%s", err.text);
    REQUIRE(query_next(query, arena, &cells, &more, &err) && more, "%s", err.text);
    REQUIRE(i64_parse(cells[0], &frozen) && kill((int)frozen, SIGSTOP) == 0);
    alarm(30); /* or the test ends here */
    while (more && query_next(query, arena, &cells, &more, &err))
        ;
    EXPECT(more && err.code == ERR_TIMEOUT && strstr(err.text, "no answer for 5 s"), "%s",
           err.text);
    query_close(&query);
    alarm(0);
    EXPECT(kill((int)frozen, SIGCONT) == 0);
}

/* The server ends our connection while it commits: nobody can know, and doing it again would count twice. */
TEST(a_commit_that_may_have_happened_is_not_repeated)
{
    static const struct migration deadly[] = {
        {"things", 1, "table",
         "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, weight REAL, raw BLOB);"
         "INSERT INTO things (id, name) VALUES (0, 'an INTEGER? a ''BLOB''?')"},
        {"things", 2, "count", "CREATE TABLE counts (id BIGINT NOT NULL, n BIGINT NOT NULL)"},
        {"things", 3, "trigger",
         "CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
         " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';"
         "CREATE CONSTRAINT TRIGGER falls AFTER INSERT ON counts DEFERRABLE INITIALLY DEFERRED"
         " FOR EACH ROW EXECUTE FUNCTION fall()"},
    };
    const struct value values[] = {V_INT(1), V_INT(1)};
    struct store *store = fresh();
    struct err err = {0};

    store_close(&store);
    store = open_list(deadly, ARRAY_LEN(deadly), &err);
    REQUIRE(store, "%s", err.text);
    EXPECT(!now(store, "INSERT INTO counts VALUES (?1, ?2)", values, 2, &err) &&
               err.code == ERR_UNAVAILABLE && strstr(err.text, "not known whether"),
           "%s", err.text);
    err = (struct err){0};
    EXPECT(now(store, "INSERT INTO things (id) VALUES (?1)", &V_INT(5), 1, &err), "%s", err.text);
    store_close(&store);
}

/* The database's clock is an hour behind this machine's, as another machine's may be. */
static void set_clock_back(void)
{
    PGconn *pg = PQconnectdb(url());
    PGresult *made =
        PQexec(pg, "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
                   "'SELECT pg_catalog.clock_timestamp() - interval ''1 hour'''");

    EXPECT(PQresultStatus(made) == PGRES_COMMAND_OK, "%s", PQerrorMessage(pg));
    PQclear(made);
    PQfinish(pg);
}

FIBER_TEST(instances_go_by_the_clock_that_they_share)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct store_options options = {
        .path = arena_fmt(arena, "%s&options=-csearch_path%%3Dpublic%%2Cpg_catalog", url()).ptr,
        .instance = STR("1111111111111111")};
    struct store *store CLEANUP(store_close) = NULL;
    struct instance_info *list = NULL;
    struct instances *one = NULL;
    struct str behind = STR("");
    struct err err = {0};
    size_t count = 0;

    empty_database();
    set_clock_back();
    REQUIRE(store_open(&options, &store, &err), "%s", err.text);
    const struct instances_options first = {.store = store, .version = "1"};
    REQUIRE(instances_open(&first, &one, &err), "%s", err.text);
    EXPECT(now(store,
               "INSERT INTO instances (id, boot, version, knows, address, started, seen, stopped,"
               " applied) SELECT '2222222222222222', 'b', '1', '', '', t, t, 0, 0 FROM"
               " (SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS t) AS x",
               NULL, 0, &err),
           "%s", err.text);
    EXPECT(change_write(store, "purge", STR("all"), NULL, 0, NULL, &err), "%s", err.text);
    EXPECT(instances_catch_up(one, &err), "%s", err.text);
    EXPECT(instances_alive(one) == 2, "%u", instances_alive(one));
    EXPECT(instances_wait(one, MILLISECOND, arena, &behind, &err), "%s", err.text);
    EXPECT(str_eq(behind, STR("2222222222222222")), "\"" STR_FMT "\"", STR_ARG(behind));
    EXPECT(instance_list(store, arena, &list, &count, &err) && count == 2 && list[0].alive &&
               list[1].alive,
           "%s", err.text);
    EXPECT(count_of(store, "SELECT MAX(seen) - MIN(seen) FROM instances") < 60000);
    instances_close(&one);
}

TEST(who_cannot_connect_is_told_without_the_password)
{
    const struct store_options options = {
        .path = "postgres://weir:hunter2secret@127.0.0.1:1/weir?sslmode=disable"};
    struct store *store = NULL;
    struct err err = {0};

    EXPECT(!store_open(&options, &store, &err) && err.code == ERR_UNAVAILABLE &&
               strstr(err.text, "127.0.0.1:1/weir") && !strstr(err.text, "hunter2"),
           "%s", err.text);
}
