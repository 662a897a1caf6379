#include "store/store.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "store/instances.h"
#include "sys/fiber.h"
#include "sys/file.h"
#include "test.h"

static const struct migration things[] = {
    {"things", 1, "table",
     "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT, weight DOUBLE PRECISION, raw BLOB)"},
};

/* ---- helpers ---- */

static char path_memory[512];

static const char *db_path(void)
{
    struct buf b;

    buf_init_fixed(&b, path_memory, sizeof path_memory);
    buf_fmt(&b, "%s/weir.db", test_dir());
    buf_char(&b, 0);
    return path_memory;
}

static bool open_with(const char *path, const struct migration *list, size_t count,
                      struct store **out, struct err *err)
{
    const struct store_options options = {
        .path = path, .migrations = list, .migration_count = count};

    return store_open(&options, out, err);
}

static struct store *open_things(const char *path)
{
    struct store *store = NULL;
    struct err err = {0};

    EXPECT(open_with(path, things, ARRAY_LEN(things), &store, &err), "%s", err.text);
    return store;
}

static bool insert_now(struct store *store, int64_t id, struct err *err)
{
    const struct value values[] = {V_INT(id)};
    const struct statement insert = {"INSERT INTO things (id) VALUES (?1)", values, 1};

    return store_write_now(store, &insert, 1, NULL, err);
}

static int64_t count_now(struct store *store)
{
    const struct statement count = {"SELECT COUNT(*) FROM things", NULL, 0};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct rows rows;
    struct err err = {0};

    if (!store_read_now(store, arena, &count, &rows, &err)) {
        EXPECT(false, "%s", err.text);
        return -1;
    }
    return rows_at(&rows, 0, 0).i;
}

/* ---- what was deleted ---- */

#define ROWS_MOST 8000

/* Rows of all sizes come and go, so that pages are split and joined. */
struct coming {
    struct store *store;
    bool there[ROWS_MOST + 1];
    uint64_t seed;
    int64_t last, live;
};

static uint64_t draw(struct coming *c)
{
    c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
    return c->seed >> 33;
}

static SUSPENDS bool come(struct coming *c, struct err *err)
{
    static char text[2000];
    size_t len = 40 + draw(c) % 900;
    const struct value values[] = {V_INT(++c->last), V_TEXT(((struct str){text, len}))};

    for (size_t at = 0; at + 16 < sizeof text; at += 13) /* in each part of it */
        (void)snprintf(text + at, 16, "MARK%08" PRId64 ".", c->last);
    c->there[c->last] = true;
    c->live++;
    return store_write_relaxed(c->store,
                               &(struct statement){"INSERT INTO things (id, name) VALUES (?1, ?2)",
                                                   values, ARRAY_LEN(values)},
                               1, NULL, err);
}

static SUSPENDS bool leave(struct coming *c, struct err *err)
{
    int64_t id = 1 + (int64_t)(draw(c) % (uint64_t)c->last);

    while (!c->there[id])
        id = id % c->last + 1;
    c->there[id] = false;
    c->live--;
    return store_write_relaxed(
        c->store,
        &(struct statement){"DELETE FROM things WHERE id = ?1", (struct value[]){V_INT(id)}, 1}, 1,
        NULL, err);
}

/* In a copy: whoever closes a file of a database that his own process has open takes that one's locks away. */
static size_t count_ghosts(const struct coming *c, const char *path)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *copy = arena_fmt(arena, "%s.copy", path).ptr;
    struct str all = STR_NONE;
    struct err err = {0};
    size_t ghosts = 0;

    EXPECT(system(arena_fmt(arena, "cat '%s' '%s-wal' > '%s' 2>&-; true", path, path, copy).ptr) ==
           0);
    EXPECT(file_load(arena, copy, 32 * MIB, &all, &err), "%s", err.text);
    for (size_t at; (at = str_find(all, STR("MARK"))) < all.len;) {
        uint64_t id = 0;
        bool whole = u64_parse(str_slice(all, at + 4, at + 12), &id) &&
                     str_starts(str_slice(all, at + 12, all.len), STR("."));

        ghosts += whole && id >= 1 && id <= (uint64_t)c->last && !c->there[id];
        all = str_slice(all, at + 4, all.len);
    }
    return ghosts;
}

FIBER_TEST(what_was_deleted_is_in_no_page_that_its_row_was_moved_from)
{
    const struct statement check = {"PRAGMA integrity_check", NULL, 0};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *path = db_path();
    struct coming c = {.store = open_things(path), .seed = 4};
    struct err err = {0};
    struct rows rows;
    bool gone = false;

    REQUIRE(c.store != NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++) {
            bool comes = !c.live || draw(&c) % 100 < 60;

            REQUIRE(comes ? come(&c, &err) : leave(&c, &err), "%s", err.text);
        }
        EXPECT(store_scrub(c.store, &gone, &err) && gone, "%s", err.text);
        EXPECT(count_ghosts(&c, path) == 0, "round %d: %zu of %" PRId64, round,
               count_ghosts(&c, path), c.last - c.live);
    }
    store_close(&c.store);
    EXPECT(count_ghosts(&c, path) == 0);
    c.store = open_things(path);
    REQUIRE(c.store != NULL);
    EXPECT(count_now(c.store) == c.live, "%" PRId64 " %" PRId64, count_now(c.store), c.live);
    EXPECT(store_read_now(c.store, arena, &check, &rows, &err) &&
               str_eq(rows_at(&rows, 0, 0).s, STR("ok")),
           "%s", err.text);
    store_close(&c.store);
}

FIBER_TEST(a_large_database_is_scrubbed_a_part_at_a_time)
{
    const char *path = db_path();
    struct coming c = {.store = open_things(path), .seed = 7};
    struct err err = {0};
    int64_t at = 0, before = -1;
    int parts = 0;

    REQUIRE(c.store != NULL);
    for (int i = 0; i < ROWS_MOST; i++)
        REQUIRE(come(&c, &err), "%s", err.text);
    for (int i = 0; i < ROWS_MOST / 10; i++)
        REQUIRE(leave(&c, &err), "%s", err.text);
    for (; at >= 0 && parts < 100; parts++) {
        before = at;
        REQUIRE(store_scrub_part(c.store, &at, &err), "%s", err.text);
        EXPECT(at < 0 || at > before, "%" PRId64, at);
    }
    EXPECT(at == -1 && parts > 1 && parts < 10, "%d parts", parts);
    EXPECT(count_ghosts(&c, path) == 0);
    store_close(&c.store);
}

/* ---- values ---- */

static void round_trip(const char *path)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct store *store CLEANUP(store_close) = open_things(path);
    const struct value values[] = {V_INT(INT64_MIN), V_TEXT(STR("a\0b")), V_REAL(0.5),
                                   V_BLOB(STR("\xff\0\x01"))};
    const struct value empty[] = {V_INT(INT64_MAX), V_TEXT(STR_NONE), V_NULL, V_BLOB(STR_NONE)};
    const char *sql = "INSERT INTO things (id, name, weight, raw) VALUES (?1, ?2, ?3, ?4)";
    const struct statement writes[] = {{sql, values, 4}, {sql, empty, 4}};
    const struct statement read = {"SELECT id, name, weight, raw FROM things ORDER BY id", NULL, 0};
    struct rows rows;
    struct err err = {0};
    int64_t changed = 0;

    REQUIRE(store && store_write_now(store, writes, 2, &changed, &err), "%s", err.text);
    EXPECT(changed == 2);
    REQUIRE(store_read_now(store, arena, &read, &rows, &err), "%s", err.text);
    REQUIRE(rows.count == 2 && rows.columns == 4);
    EXPECT(rows_at(&rows, 0, 0).kind == VALUE_INT && rows_at(&rows, 0, 0).i == INT64_MIN);
    EXPECT(rows_at(&rows, 0, 1).kind == VALUE_TEXT && str_eq(rows_at(&rows, 0, 1).s, STR("a\0b")));
    EXPECT(rows_at(&rows, 0, 2).kind == VALUE_REAL && rows_at(&rows, 0, 2).f > 0.4);
    EXPECT(rows_at(&rows, 0, 3).kind == VALUE_BLOB &&
           str_eq(rows_at(&rows, 0, 3).s, STR("\xff\0\x01")));
    EXPECT(rows_at(&rows, 1, 0).i == INT64_MAX);
    EXPECT(rows_at(&rows, 1, 1).kind == VALUE_TEXT && rows_at(&rows, 1, 1).s.len == 0);
    EXPECT(rows_at(&rows, 1, 2).kind == VALUE_NULL);
    EXPECT(rows_at(&rows, 1, 3).kind == VALUE_BLOB && rows_at(&rows, 1, 3).s.len == 0);
}

TEST(store_keeps_every_kind_of_value)
{
    round_trip(db_path());
}

TEST(store_in_memory_keeps_every_kind_of_value)
{
    round_trip(":memory:");
}

TEST(store_file_is_for_its_owner_alone)
{
    const char *path = db_path();
    struct store *store CLEANUP(store_close) = open_things(path);
    struct file_info info;
    struct err err = {0};

    REQUIRE(store && file_stat(path, &info, &err), "%s", err.text);
    EXPECT((info.mode & 0777u) == 0600u, "%o", info.mode);
}

/* ---- statements that do not fit ---- */

static const struct {
    const char *name, *sql;
    size_t values;
    enum err_code want;
    const char *text;
} misfits[] = {
    {"syntax", "INSERT INTOO things", 0, ERR_INTERNAL, "syntax error"},
    {"no such table", "SELECT * FROM missing", 0, ERR_INTERNAL, "no such table"},
    {"too few values", "INSERT INTO things (id) VALUES (?1)", 0, ERR_INTERNAL, "wants 1 values"},
    {"too many values", "SELECT 1", 1, ERR_INTERNAL, "wants 0 values"},
    {"two statements", "SELECT 1; SELECT 2", 0, ERR_INTERNAL, "not exactly one"},
    {"no statement", " ", 0, ERR_INTERNAL, "not exactly one"},
    {"taken key", "INSERT INTO things (id) VALUES (1)", 0, ERR_INVALID, "UNIQUE"},
};

TEST(store_statements_that_do_not_fit)
{
    struct store *store CLEANUP(store_close) = open_things(":memory:");
    const struct value one[] = {V_INT(1)};
    struct err err = {0};

    REQUIRE(store && insert_now(store, 1, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(misfits); i++) {
        const struct statement s = {misfits[i].sql, one, misfits[i].values};

        err = (struct err){0};
        EXPECT(!store_write_now(store, &s, 1, NULL, &err), "%s", misfits[i].name);
        EXPECT(err.code == misfits[i].want, "%s: %s", misfits[i].name, err.text);
        EXPECT(strstr(err.text, misfits[i].text), "%s: %s", misfits[i].name, err.text);
    }
    EXPECT(count_now(store) == 1);
}

TEST(store_write_is_all_or_nothing)
{
    struct store *store CLEANUP(store_close) = open_things(":memory:");
    const struct statement writes[] = {{"INSERT INTO things (id) VALUES (1)", NULL, 0},
                                       {"INSERT INTO things (id) VALUES (2)", NULL, 0},
                                       {"INSERT INTO things (id) VALUES (1)", NULL, 0}};
    struct err err = {0};

    REQUIRE(store);
    EXPECT(!store_write_now(store, writes, 3, NULL, &err));
    EXPECT(count_now(store) == 0);
    EXPECT(store_write_now(store, writes, 2, NULL, &err), "%s", err.text);
    EXPECT(count_now(store) == 2);
}

TEST(store_counts_what_changed)
{
    struct store *store CLEANUP(store_close) = open_things(":memory:");
    const struct statement two = {"INSERT INTO things (id) VALUES (1), (2)", NULL, 0};
    const struct statement none = {"UPDATE things SET name = 'x' WHERE id > 5", NULL, 0};
    const struct statement both[] = {{"UPDATE things SET name = 'x'", NULL, 0},
                                     {"CREATE TABLE other (id BIGINT)", NULL, 0}};
    struct err err = {0};
    int64_t changed = -1;

    REQUIRE(store);
    EXPECT(store_write_now(store, &two, 1, &changed, &err) && changed == 2, "%s", err.text);
    EXPECT(store_write_now(store, &none, 1, &changed, &err) && changed == 0, "%s", err.text);
    EXPECT(store_write_now(store, both, 2, &changed, &err) && changed == 2, "%s", err.text);
}

/* A text that is no literal may come back to an address with other words in it. */
TEST(store_cache_looks_at_the_text_too)
{
    struct store *store CLEANUP(store_close) = open_things(":memory:");
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char sql[64];
    struct statement read = {sql, NULL, 0};
    struct rows rows;
    struct err err = {0};

    REQUIRE(store);
    memcpy(sql, "SELECT 1", sizeof "SELECT 1");
    EXPECT(store_read_now(store, arena, &read, &rows, &err) && rows_at(&rows, 0, 0).i == 1);
    memcpy(sql, "SELECT 2", sizeof "SELECT 2");
    EXPECT(store_read_now(store, arena, &read, &rows, &err) && rows_at(&rows, 0, 0).i == 2);
}

TEST(store_cache_forgets_when_full)
{
    static char sql[1000][16];
    struct store *store CLEANUP(store_close) = open_things(":memory:");
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    REQUIRE(store);
    for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
        struct statement read = {sql[i], NULL, 0};
        struct rows rows;
        struct err err = {0};
        struct buf b;
        size_t mark = arena_mark(arena);

        buf_init_fixed(&b, sql[i], sizeof sql[i]);
        buf_fmt(&b, "SELECT %zu", i);
        buf_char(&b, 0);
        REQUIRE(store_read_now(store, arena, &read, &rows, &err), "%s", err.text);
        EXPECT(rows_at(&rows, 0, 0).i == (int64_t)i);
        arena_rewind(arena, mark);
    }
}

TEST(store_read_stops_at_the_arena)
{
    struct store *store CLEANUP(store_close) = open_things(":memory:");
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct statement big = {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                                  " WHERE i < 100000) SELECT i, 'a text of some length' FROM n",
                                  NULL, 0};
    struct rows rows;
    struct err err = {0};

    REQUIRE(store);
    EXPECT(!store_read_now(store, arena, &big, &rows, &err));
    EXPECT(err.code == ERR_EXHAUSTED, "%s", err.text);
    EXPECT(count_now(store) == 0);
}

/* ---- migrations ---- */

#define TABLE_A                                       \
    {                                                 \
        "a", 1, "first", "CREATE TABLE a1 (x BIGINT)" \
    }
#define TABLE_B                                       \
    {                                                 \
        "b", 1, "first", "CREATE TABLE b1 (x BIGINT)" \
    }
static const struct migration list_a[] = {TABLE_A};
static const struct migration list_ab[] = {TABLE_A, TABLE_B};
static const struct migration list_aab[] = {
    TABLE_A,
    {"a", 2, "second", "CREATE TABLE a2 (x BIGINT); INSERT INTO a2 VALUES (7)"},
    TABLE_B};
static const struct migration list_takes[] = {
    TABLE_A,
    {"a", 2, "takes away", "ALTER TABLE a1 RENAME TO a3", 2},
    TABLE_B};
static const struct migration list_takes_later[] = {
    TABLE_A,
    {"a", 2, "second", "CREATE TABLE a2 (x BIGINT); INSERT INTO a2 VALUES (7)"},
    {"a", 3, "takes the first away", "DROP TABLE a1", 2},
    TABLE_B};
static const struct migration list_new_module[] = {
    TABLE_A,
    {"b", 1, "takes away", "ALTER TABLE a1 RENAME TO a3", 1}};
static const struct migration list_gap[] = {TABLE_A, {"a", 3, "third", "SELECT 1"}};
static const struct migration list_back[] = {{"a", 2, "second", "SELECT 1"}, TABLE_A};
static const struct migration list_changed[] = {
    {"a", 1, "first", "CREATE TABLE a1 (x BIGINT, y BIGINT)"}};
static const struct migration list_broken[] = {
    TABLE_A,
    {"a", 2, "second", "CREATE TABLE a2 (x BIGINT); INSERT INTO nowhere VALUES (1)"}};

static const struct {
    const char *name;
    const struct migration *before;
    size_t before_count;
    const struct migration *after;
    size_t after_count;
    const char *refusal; /* NULL: fine */
} upgrades[] = {
    {"from nothing", NULL, 0, list_ab, 2, NULL},
    {"again", list_ab, 2, list_ab, 2, NULL},
    {"one more module", list_a, 1, list_ab, 2, NULL},
    {"one more number in the middle", list_ab, 2, list_aab, 3, NULL},
    {"a newer number that adds", list_aab, 3, list_ab, 2, NULL},
    {"a newer module that adds", list_ab, 2, list_a, 1, NULL},
    {"a newer number that takes away", list_takes, 3, list_ab, 2, "only for those who know a 2"},
    {"a newer module that takes away", list_new_module, 2, list_a, 1, "made by a newer Weir"},
    {"one that takes away, for who knows the one before", list_takes_later, 4, list_aab, 3, NULL},
    {"and for who does not", list_takes_later, 4, list_ab, 2, "this one (unnamed) knows 1"},
    {"gap", NULL, 0, list_gap, 2, "stands where 2 belongs"},
    {"wrong order", NULL, 0, list_back, 2, "stands where 1 belongs"},
    {"changed text", list_a, 1, list_changed, 1, "applied with another text"},
    {"broken text", list_a, 1, list_broken, 2, "no such table"},
};

TEST(store_migrations)
{
    for (size_t i = 0; i < ARRAY_LEN(upgrades); i++) {
        const char *path = db_path(), *name = upgrades[i].name;
        struct store *store = NULL;
        struct err err = {0};

        REQUIRE(open_with(path, upgrades[i].before, upgrades[i].before_count, &store, &err),
                "%s: %s", name, err.text);
        store_close(&store);

        bool ok = open_with(path, upgrades[i].after, upgrades[i].after_count, &store, &err);

        EXPECT(ok == !upgrades[i].refusal, "%s: %s", name, err.text);
        if (upgrades[i].refusal)
            EXPECT(strstr(err.text, upgrades[i].refusal), "%s: %s", name, err.text);
        store_close(&store);
    }
}

/* As Weir left it before migrations said who may go on. */
TEST(store_takes_over_a_table_of_migrations_that_is_older)
{
    static const char *const back[] = {
        "CREATE TABLE before (module TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
        " checksum TEXT NOT NULL, applied BIGINT NOT NULL, PRIMARY KEY (module, number))",
        "INSERT INTO before SELECT module, number, name, checksum, applied FROM weir_migrations"
        " WHERE module <> 'store'",
        "DROP TABLE weir_migrations",
        "ALTER TABLE before RENAME TO weir_migrations",
        "DROP TABLE instances",
        "DROP TABLE changes",
        "DROP TABLE change_counter",
    };
    const char *path = db_path();
    struct store *store CLEANUP(store_close) = NULL;
    struct err err = {0};

    REQUIRE(open_with(path, list_ab, 2, &store, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        const struct statement statement = {back[i], NULL, 0};

        REQUIRE(store_write_now(store, &statement, 1, NULL, &err), "%s", err.text);
    }
    store_close(&store);
    REQUIRE(open_with(path, list_aab, 3, &store, &err), "%s", err.text);
    EXPECT(str_eq(store_knows(store), STR("store=1 a=2 b=1")), STR_FMT,
           STR_ARG(store_knows(store)));
    store_close(&store);
    EXPECT(open_with(path, list_ab, 2, &store, &err), "%s", err.text);
}

TEST(store_failed_migration_leaves_nothing)
{
    const char *path = db_path();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct store *store CLEANUP(store_close) = NULL;
    const struct statement read = {"SELECT x FROM a2", NULL, 0};
    struct rows rows;
    struct err err = {0};

    EXPECT(!open_with(path, list_broken, 2, &store, &err));
    REQUIRE(open_with(path, list_aab, 3, &store, &err), "%s", err.text);
    REQUIRE(store_read_now(store, arena, &read, &rows, &err), "%s", err.text);
    EXPECT(rows.count == 1 && rows_at(&rows, 0, 0).i == 7);
}

/* ---- ends that were not in order ---- */

static bool copy_file(struct arena *arena, const char *from, const char *to, const char *suffix)
{
    struct str bytes, a = arena_fmt(arena, "%s%s", from, suffix),
                      b = arena_fmt(arena, "%s%s", to, suffix);
    struct err err = {0};

    return file_load(arena, a.ptr, 16 * MIB, &bytes, &err) && file_store(b.ptr, bytes, 0600, &err);
}

/* What kill -9 leaves is what the files hold while the store is open. */
TEST(store_recovers_what_was_committed)
{
    const char *path = db_path();
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct store *store CLEANUP(store_close) = open_things(path);
    struct str copy = arena_fmt(arena, "%s.copy", path);
    struct err err = {0};

    REQUIRE(store && insert_now(store, 1, &err) && insert_now(store, 2, &err), "%s", err.text);
    REQUIRE(copy_file(arena, path, copy.ptr, "") && copy_file(arena, path, copy.ptr, "-wal"));

    struct store *after CLEANUP(store_close) = open_things(copy.ptr);

    REQUIRE(after);
    EXPECT(count_now(after) == 2);
}

TEST(store_refuses_a_damaged_file)
{
    const char *path = db_path();
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct store *store = open_things(path);
    struct str bytes, wal = arena_fmt(arena, "%s-wal", path);
    struct err err = {0};

    REQUIRE(store);
    for (int64_t i = 0; i < 500; i++)
        REQUIRE(insert_now(store, i, &err), "%s", err.text);
    store_close(&store);
    REQUIRE(file_load(arena, path, 16 * MIB, &bytes, &err) && bytes.len > 8192);

    char *damaged = arena_alloc(arena, bytes.len);

    memcpy(damaged, bytes.ptr, bytes.len);
    memset(damaged + bytes.len - 4096, 0x5a, 4096); /* the last page */
    REQUIRE(file_store(path, (struct str){damaged, bytes.len}, 0600, &err));
    REQUIRE(file_store(wal.ptr, STR("left over"), 0600, &err)); /* an unclean end */
    EXPECT(!open_with(path, things, 1, &store, &err));
    EXPECT(strstr(err.text, "is damaged") || strstr(err.text, "malformed"), "%s", err.text);
    EXPECT(strstr(err.text, "from a backup"), "%s", err.text);
    store_close(&store);
}

TEST(store_refuses_what_is_no_database)
{
    const char *path = db_path();
    struct store *store = NULL;
    struct err err = {0};

    REQUIRE(file_store(path, STR("this is a text and no database, of more than sixteen bytes"),
                       0600, &err));
    EXPECT(!open_with(path, things, 1, &store, &err));
    EXPECT(err.code == ERR_UNAVAILABLE && strstr(err.text, path), "%s", err.text);
}

#ifdef WEIR_FAULT
/* Each fallible point of opening and writing is failed once: a write is there whole or not at all. */
TEST(store_survives_every_fault)
{
    const char *failed = "";
    uint64_t nth;

    for (nth = 1; failed; nth++) {
        const struct statement writes[] = {{"INSERT INTO things (id) VALUES (1)", NULL, 0},
                                           {"INSERT INTO things (id) VALUES (2)", NULL, 0}};
        const char *path = db_path();
        struct store *store = NULL;
        struct err err = {0};

        fault_begin(nth);
        bool opened = open_with(path, things, 1, &store, &err);
        bool written = opened && store_write_now(store, writes, 2, NULL, &err);
        failed = fault_end();

        EXPECT(written == (err.code == ERR_NONE), "%s: %s", failed, err.text);
        EXPECT(!opened || count_now(store) == (written ? 2 : 0), "%s", failed);
        store_close(&store);
        store = open_things(path);
        REQUIRE(store, "after %s", failed);
        EXPECT(count_now(store) == (written ? 2 : 0), "%s", failed);
        store_close(&store);
    }
    EXPECT(nth > 5);
}
#endif

/* ---- fibers ---- */

struct crowd {
    struct store *store;
    int64_t next;
    int ok, refused, exhausted;
};

static void write_one(void *arg)
{
    struct crowd *crowd = arg;
    int64_t id = crowd->next++;
    const char *sql = "INSERT INTO things (id) VALUES (?1)";
    const struct value fine[] = {V_INT(1000 + id)};
    const struct value taken[] = {V_INT(id % 10 == 9 ? 0 : id)}; /* each tenth is there already */
    const struct statement inserts[] = {{sql, fine, 1}, {sql, taken, 1}};
    struct err err = {0};
    int64_t changed = 0;

    if (store_write(crowd->store, inserts, 2, &changed, &err)) {
        EXPECT(changed == 2);
        crowd->ok++;
    } else {
        EXPECT(err.code == ERR_INVALID || err.code == ERR_EXHAUSTED, "%s", err.text);
        crowd->refused += err.code == ERR_INVALID;
        crowd->exhausted += err.code == ERR_EXHAUSTED;
    }
}

static void run_crowd(struct crowd *crowd, fiber_fn *write, int count)
{
    struct scope scope;
    struct err err = {0};

    scope_open(&scope, 0);
    for (int i = 0; i < count; i++)
        EXPECT(scope_spawn(&scope, write, crowd, &err), "%s", err.text);
    EXPECT(scope_wait(&scope, &err), "%s", err.text);
    scope_close(&scope);
}

static void check_groups(const char *path)
{
    struct store *store CLEANUP(store_close) = open_things(path);
    struct crowd crowd = {.store = store};

    REQUIRE(store);
    run_crowd(&crowd, write_one, 300);
    EXPECT(crowd.ok == 270 && crowd.refused == 30, "%d %d", crowd.ok, crowd.refused);
    EXPECT(count_now(store) == 2 * 270); /* nothing is left of those that failed half-way */

    struct store_stats stats = store_stats(store);

    EXPECT(stats.writes == 270, "%" PRIu64, stats.writes);
    EXPECT(stats.commits < stats.writes / 2, "%" PRIu64 " commits", stats.commits);
    EXPECT(stats.waiting == 0);
}

FIBER_TEST(store_commits_in_groups)
{
    check_groups(db_path());
}

FIBER_TEST(store_commits_in_groups_in_memory)
{
    check_groups(":memory:");
}

static void check_reads(const char *path)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct store *store CLEANUP(store_close) = open_things(path);
    const struct statement count = {"SELECT COUNT(*) FROM things", NULL, 0};

    REQUIRE(store);
    for (int64_t i = 1; i <= 20; i++) {
        const struct value values[] = {V_INT(i)};
        const struct statement insert = {"INSERT INTO things (id) VALUES (?1)", values, 1};
        struct rows rows;
        struct err err = {0};

        REQUIRE(store_write(store, &insert, 1, NULL, &err), "%s", err.text);
        REQUIRE(store_read(store, arena, &count, &rows, &err), "%s", err.text);
        EXPECT(rows_at(&rows, 0, 0).i == i);
    }
    EXPECT(store_stats(store).reads == 20);
}

FIBER_TEST(store_reads_see_what_was_written)
{
    check_reads(db_path());
}

FIBER_TEST(store_reads_see_what_was_written_in_memory)
{
    check_reads(":memory:");
}

FIBER_TEST(store_sheds_what_it_cannot_queue)
{
    struct store *store CLEANUP(store_close) = NULL;
    const struct store_options options = {
        .path = db_path(), .queue_max = 5, .migrations = things, .migration_count = 1};
    struct err err = {0};

    REQUIRE(store_open(&options, &store, &err), "%s", err.text);

    struct crowd crowd = {.store = store};

    run_crowd(&crowd, write_one, 100);
    EXPECT(crowd.exhausted > 0);
    EXPECT(crowd.ok + crowd.refused + crowd.exhausted == 100);
    EXPECT(count_now(store) == 2 * crowd.ok);
}

/* ---- the disk ---- */

/* SQLite's own files, which count how often its log was synced. */
struct counted_file {
    sqlite3_file base;
    sqlite3_io_methods methods;
    int (*sync)(sqlite3_file *file, int flags);
};
static sqlite3_vfs *plain_vfs;
static atomic_int log_syncs;

static struct counted_file *counted(sqlite3_file *file)
{
    return (struct counted_file *)((char *)file + plain_vfs->szOsFile);
}

static int count_sync(sqlite3_file *file, int flags)
{
    atomic_fetch_add(&log_syncs, 1);
    return counted(file)->sync(file, flags);
}

static int open_counted(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                        int *out)
{
    int rc = plain_vfs->xOpen(plain_vfs, name, file, flags, out);

    (void)vfs;
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
        counted(file)->methods = *file->pMethods;
        counted(file)->sync = file->pMethods->xSync;
        counted(file)->methods.xSync = count_sync;
        file->pMethods = &counted(file)->methods;
    }
    return rc;
}

static bool write_so(struct store *store, bool relaxed, struct err *err)
{
    const struct statement insert = {"INSERT INTO things (name) VALUES ('a')", NULL, 0};

    return relaxed ? store_write_relaxed(store, &insert, 1, NULL, err)
                   : store_write(store, &insert, 1, NULL, err);
}

static void write_either(void *arg)
{
    struct crowd *crowd = arg;
    struct err err = {0};

    EXPECT(write_so(crowd->store, crowd->next++ != 7, &err), "%s", err.text);
}

/* What need not wait for the disk does not, what must does, whoever else is in its group, and takes the others along. */
FIBER_TEST(store_syncs_for_those_who_asked)
{
    plain_vfs = sqlite3_vfs_find(NULL);
    sqlite3_vfs counting = *plain_vfs;
    const bool rounds[] = {true, true, false, true, false, false, true};
    struct store *store CLEANUP(store_close) = NULL;
    struct err err = {0};

    counting.zName = "counting";
    counting.szOsFile += (int)sizeof(struct counted_file);
    counting.xOpen = open_counted;
    REQUIRE(sqlite3_vfs_register(&counting, 1) == SQLITE_OK);
    store = open_things(db_path());
    sqlite3_vfs_unregister(&counting);
    REQUIRE(store);
    for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
        int before = log_syncs;

        EXPECT(write_so(store, rounds[i], &err), "%s", err.text);
        EXPECT((log_syncs > before) == !rounds[i], "%zu: %d", i, log_syncs - before);
        EXPECT(count_now(store) == (int64_t)i + 1);
    }

    struct crowd mixed = {.store = store}, relaxed = {.store = store, .next = 100};
    int before = log_syncs;

    run_crowd(&mixed, write_either, 20);
    EXPECT(log_syncs > before && count_now(store) == 27);
    before = log_syncs;
    run_crowd(&relaxed, write_either, 20);
    EXPECT(log_syncs == before && count_now(store) == 47);
    store_close(&store); /* while its files' methods are there */
}

/* ---- instances ---- */

static bool cannot_follow(void *ctx, struct str what, struct err *err)
{
    (void)what;
    ++*(int *)ctx;
    return err_set(err, ERR_UNAVAILABLE, "no room");
}

static bool run_now(struct store *store, const char *sql, struct err *err)
{
    const struct statement statement = {sql, NULL, 0};

    return store_write(store, &statement, 1, NULL, err);
}

/* One that cannot do what it was told goes on serving: others have to hear that it is behind. */
FIBER_TEST(an_instance_that_cannot_follow_is_behind_and_not_away)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    int tries = 0;
    const struct follower stuck = {.kind = "purge", .follow = cannot_follow, .ctx = &tries};
    struct store_options at = {
        .path = db_path(), .shared = true, .instance = STR("1111111111111111")};
    struct store *here CLEANUP(store_close) = NULL, *there CLEANUP(store_close) = NULL;
    struct instances *one = NULL, *two = NULL;
    struct str behind = STR("");
    struct err err = {0}, why = {0};

    REQUIRE(store_open(&at, &here, &err), "%s", err.text);
    at.instance = STR("2222222222222222");
    REQUIRE(store_open(&at, &there, &err), "%s", err.text);
    const struct instances_options first = {.store = here, .version = "1"};
    const struct instances_options second = {
        .store = there, .version = "1", .followers = &stuck, .follower_count = 1};
    REQUIRE(instances_open(&first, &one, &err) && instances_open(&second, &two, &err), "%s",
            err.text);
    EXPECT(change_write(here, "purge", STR("all"), NULL, 0, NULL, &err), "%s", err.text);
    /* As long ago as it takes to count as away. */
    EXPECT(run_now(here, "UPDATE instances SET seen = seen - 60000", &err), "%s", err.text);
    EXPECT(!instances_catch_up(two, &why) && tries == 1, "%s", why.text);
    EXPECT(instances_catch_up(one, &err), "%s", err.text);
    EXPECT(instances_wait(one, MILLISECOND, arena, &behind, &err), "%s", err.text);
    EXPECT(str_eq(behind, STR("2222222222222222")), "\"" STR_FMT "\"", STR_ARG(behind));
    EXPECT(instances_alive(one) == 2, "%u", instances_alive(one));
    instances_close(&two);
    instances_close(&one);
}

static bool note_change(void *ctx, struct str what, struct err *err)
{
    (void)err;
    *(int *)ctx += str_eq(what, STR("late"));
    return true;
}

/* Away for longer than changes are kept: it takes all for changed, and what is told while it starts is followed. */
FIBER_TEST(who_was_away_too_long_follows_what_is_told_while_it_starts)
{
    int late = 0;
    const struct follower notes = {.kind = "key", .follow = note_change, .ctx = &late};
    const struct store_options at = {
        .path = db_path(), .shared = true, .instance = STR("1111111111111111")};
    struct store *store CLEANUP(store_close) = NULL;
    struct instances *one = NULL;
    struct err err = {0};

    REQUIRE(store_open(&at, &store, &err), "%s", err.text);
    const struct instances_options options = {
        .store = store, .version = "1", .followers = &notes, .follower_count = 1};
    REQUIRE(instances_open(&options, &one, &err), "%s", err.text);
    instances_close(&one);
    EXPECT(change_write(store, "key", STR("early"), NULL, 0, NULL, &err) &&
               run_now(store, "DELETE FROM changes", &err),
           "%s", err.text);
    REQUIRE(instances_open(&options, &one, &err), "%s", err.text);
    /* Keys are read here, and then: */
    EXPECT(change_write(store, "key", STR("late"), NULL, 0, NULL, &err), "%s", err.text);
    EXPECT(instances_catch_up(one, &err) && late == 1, "%s", err.text);
    instances_close(&one);
}

FIBER_TEST(who_is_alone_was_heard_of_just_now)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct store_options at = {.path = db_path(), .instance = STR("1111111111111111")};
    struct store *store CLEANUP(store_close) = NULL;
    struct instance_info *list = NULL;
    struct instances *one = NULL;
    struct err err = {0};
    size_t count = 0;

    REQUIRE(store_open(&at, &store, &err), "%s", err.text);
    const struct instances_options options = {.store = store, .version = "1"};
    REQUIRE(instances_open(&options, &one, &err), "%s", err.text);
    EXPECT(fiber_sleep(5 * MILLISECOND, &err));
    EXPECT(instance_list(store, arena, &list, &count, &err) && count == 1 && list[0].alive &&
               list[0].seen > list[0].started,
           "%s", err.text);
    instances_close(&one);
}
