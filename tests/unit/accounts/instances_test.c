/* A database from before there were instances, and what becomes of it. */
#include <string.h>

#include "books.h"
#include "test.h"

#define ME STR("0123456789abcdef")

static const char *dir; /* each call of test_dir() makes one */

static const char *path_of(char to[512], const char *name)
{
    struct buf b;

    buf_init_fixed(&b, to, 512);
    buf_fmt(&b, "%s/%s", dir, name);
    buf_char(&b, 0);
    EXPECT(buf_ok(&b));
    return to;
}

/* Those of before: up to the first of "books". */
static size_t count_before(void)
{
    size_t n = 0;

    while (n < accounts_migration_count && strcmp(accounts_migrations[n].module, "books") != 0)
        n++;
    return n;
}

static bool open_store(size_t migrations, struct store **out, struct err *err)
{
    char path[512];
    const struct store_options options = {.path = path_of(path, "weir.db"),
                                          .migrations = accounts_migrations,
                                          .migration_count = migrations,
                                          .version = "1.0",
                                          .instance = ME};

    return store_open(&options, out, err);
}

static bool open_accounts(struct store *store, struct audit **audit, struct accounts **out,
                          struct err *err)
{
    char log[512], pepper[512];
    const struct audit_options options = {.dir = path_of(log, "audit"), .segment_bytes = 1};

    if (!audit_open(&options, audit, err))
        return false;

    const struct accounts_options accounts = {
        .store = store, .audit = *audit, .pepper_file = path_of(pepper, "pepper"), .keys_max = 50};

    return accounts_open(&accounts, out, err);
}

static int64_t number_of(struct store *store, const char *sql)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct statement read = {sql, NULL, 0};
    struct rows rows;
    struct err err = {0};

    if (!store_read_now(store, arena, &read, &rows, &err) || rows.count != 1) {
        EXPECT(false, "%s: %s", sql, err.text);
        return -1;
    }
    return rows_at(&rows, 0, 0).i;
}

static void write_old_books(struct store *store)
{
    static const struct statement old[] = {
        {"INSERT INTO balances VALUES (2, 'k_local', 20000, 5, 650, 55, 555, 1, 0)", NULL, 0},
        {"INSERT INTO balances VALUES (0, 'default', 20000, 5, 650, 55, 555, 1, 0)", NULL, 0},
        {"INSERT INTO usage VALUES (20000, 'default', '', 'k_local', 'm', 'p', 'r', '', 3, 0, 1, 2,"
         " 0, 0, 555, 0, 0, 0)",
         NULL, 0},
    };
    struct err err = {0};

    EXPECT(store_write_now(store, old, ARRAY_LEN(old), NULL, &err), "%s", err.text);
}

TEST(books_of_before_instances_are_those_of_the_first)
{
    struct store *store = NULL;
    struct audit *audit = NULL;
    struct accounts *accounts = NULL;
    struct err err = {0};

    dir = test_dir();
    REQUIRE(open_store(count_before(), &store, &err), "%s", err.text);
    write_old_books(store);
    store_close(&store);
    for (int times = 0; times < 2; times++) {
        REQUIRE(open_store(accounts_migration_count, &store, &err), "%s", err.text);
        REQUIRE(open_accounts(store, &audit, &accounts, &err), "%s", err.text);
        EXPECT(number_of(store, "SELECT CAST(SUM(total) AS BIGINT) FROM instance_balances WHERE"
                                " instance = '0123456789abcdef'") == 1110);
        EXPECT(number_of(store, "SELECT CAST(SUM(cost) AS BIGINT) FROM instance_usage WHERE"
                                " instance = '0123456789abcdef'") == 555);
        EXPECT(number_of(store, "SELECT COUNT(*) FROM instance_ledger") == 1);
        EXPECT(number_of(store, "SELECT COUNT(*) FROM instance_balances WHERE instance = ''") == 0);
        accounts_close(&accounts);
        audit_close(&audit);
        store_close(&store);
    }
    EXPECT(!open_store(count_before(), &store, &err));
    EXPECT(strstr(err.text, "made by a newer Weir (1.0)"), "%s", err.text);
}

/* Else its whole log would count once more. */
TEST(a_log_that_the_database_does_not_know_is_refused)
{
    static const struct statement forget = {"DELETE FROM instance_ledger", NULL, 0};
    struct audit_record record = {.time = NOON, .route = STR("first start"), .status = 200};
    struct store *store = NULL;
    struct audit *audit = NULL;
    struct accounts *accounts = NULL;
    struct err err = {0};

    dir = test_dir();
    REQUIRE(open_store(accounts_migration_count, &store, &err), "%s", err.text);
    REQUIRE(open_accounts(store, &audit, &accounts, &err), "%s", err.text);
    record.outcome = STR("complete");
    EXPECT(accounts_record(accounts, NULL, &record, &err), "%s", err.text);
    EXPECT(store_write_now(store, &forget, 1, NULL, &err), "%s", err.text);
    accounts_close(&accounts);
    audit_close(&audit);
    EXPECT(!open_accounts(store, &audit, &accounts, &err));
    EXPECT(strstr(err.text, "does not know instance 0123456789abcdef"), "%s", err.text);
    audit_close(&audit);
    store_close(&store);
}
