#include "store/query.h"

#include <string.h>

#include "test.h"

static bool refused(const char *database, const char *sql, const char *says, const char *lacks)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct query_options options = {.database = str_from(database), .sql = str_from(sql)};
    struct query *query CLEANUP(query_close) = NULL;
    struct err err = {0};

    return arena && !query_open(arena, &options, &query, &err) && strstr(err.text, says) &&
           !(lacks && strstr(err.text, lacks));
}

/* A database may be named in a secret, with a password in it: what is no path is not repeated. */
TEST(what_is_no_database_is_refused_by_what_is_wrong_with_it)
{
    static const struct {
        const char *database, *says, *lacks;
    } rows[] = {
        {"sqlite:/srv/shop.db",
         "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE or the "
         "absolute path of a SQLite file",
         "shop"},
        {"mysql://me:secret-17@db/shop", "expected postgres://", "secret-17"},
        {"shop.db", "absolute path of a SQLite file", NULL},
        {"/nowhere/at/all/shop.db", "\"/nowhere/at/all/shop.db\" cannot be opened", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        EXPECT(refused(rows[i].database, "SELECT 1", rows[i].says, rows[i].lacks));
}
