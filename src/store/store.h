/* store/store.h: one door to SQL, SQLite (embedded, WAL) or PostgreSQL (shared by several Weirs).
 * Statements keep to their common subset, parameters are ?1..?n, types TEXT, BIGINT, INTEGER, REAL and
 * BLOB, texts without zero bytes; nothing outside store/ sees a back end.
 * Writes   one writer; everything that queued up while it committed goes into the next transaction
 *          (group commit); store_write() returns after the commit is durable, store_write_relaxed()
 *          after everybody sees it.
 * Reads    beside it, in a pool; a read sees every write that returned before it began.
 * Limits   rows and bytes of a result by the arena; jobs waiting by settings: ERR_EXHAUSTED.
 * Errors   ERR_INTERNAL for statements that do not fit; ERR_INVALID for a broken constraint (a key that
 *          is there already); ERR_UNAVAILABLE for a full or failing disk, a database that is away, and
 *          "it is not known whether this was written" when it went away during the commit. */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "base/arena.h"
#include "sys/fiber.h"

struct store;

/* Each module (a folder above) has its own list and its own numbers; the application joins the lists,
 * modules in the order of the ladder. A number's text is settled once it has been applied anywhere:
 * the database keeps its checksum and refuses another text. What is wrong is put right by the next
 * number. */
struct migration {
    const char *module; /* "accounts" */
    int number;         /* 1, 2, 3 ... within the module, without gaps, ascending */
    const char *name;   /* "keys" */
    const char *up;     /* statements separated by ; */
    /* 0: it only adds, and a Weir that does not know it goes on beside one that does. Else the number of
     * this module that a Weir has to know at least, mostly this one: it takes something away. */
    int oldest;
};

struct store_options {
    const char *path;   /* file; postgres://USER:PASSWORD@HOST/DATABASE; ":memory:" for tests */
    uint32_t queue_max; /* default 10,000 */
    int readers;        /* default 2 */
    const struct migration *migrations; /* behind the store's own */
    size_t migration_count;
    const char *version; /* of this Weir, for messages; default "unnamed" */
    struct str instance; /* who this is among those that share the database; see instances.h */
    bool shared;         /* tests: SQLite too is to be seen as shared */
};
/* Opens, checks integrity after an unclean end, migrates in order, each in its own transaction. A
 * database that a newer Weir has taken something away from is refused: "made by a newer Weir". One that
 * was only added to is not. Blocks: at start only. */
bool store_open(const struct store_options *options, struct store **out, struct err *err)
    MUST_CHECK;
void store_close(struct store **store);

enum value_kind { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };
struct value {
    enum value_kind kind;
    int64_t i;
    double f;
    struct str s; /* TEXT, BLOB */
};
#define V_NULL    ((struct value){.kind = VALUE_NULL})
#define V_INT(n)  ((struct value){.kind = VALUE_INT, .i = (n)})
#define V_REAL(x) ((struct value){.kind = VALUE_REAL, .f = (x)})
#define V_TEXT(t) ((struct value){.kind = VALUE_TEXT, .s = (t)})
#define V_BLOB(t) ((struct value){.kind = VALUE_BLOB, .s = (t)})

struct rows {
    size_t count, columns;
    struct value *at; /* [count][columns], in the arena */
};
struct value rows_at(const struct rows *rows, size_t row, size_t column);

struct statement {
    const char *sql; /* a literal: also the key of the prepared-statement cache */
    const struct value *values;
    size_t count;
};
/* All statements in one transaction or none; *changed (may be NULL) sums the rows touched. */
SUSPENDS bool store_write(struct store *store, const struct statement *statements, size_t count,
                          int64_t *changed, struct err *err) MUST_CHECK;
/* The same without waiting for the disk: SQL's asynchronous commit. What it wrote outlives a kill -9 of Weir, and is on the
 * disk with the next store_write() of anybody (PostgreSQL: within its wal_writer_delay): until then power loss, or a crash of
 * PostgreSQL, takes it whole, and nothing written before it. Never for what somebody may spend, or was promised to be gone. */
SUSPENDS bool store_write_relaxed(struct store *store, const struct statement *statements,
                                  size_t count, int64_t *changed, struct err *err) MUST_CHECK;
SUSPENDS bool store_read(struct store *store, struct arena *arena,
                         const struct statement *statement, struct rows *out, struct err *err)
    MUST_CHECK;
/* Outside fibers, at start and in tools: the same, blocking. */
bool store_write_now(struct store *store, const struct statement *statements, size_t count,
                     int64_t *changed, struct err *err) MUST_CHECK;
bool store_read_now(struct store *store, struct arena *arena, const struct statement *statement,
                    struct rows *out, struct err *err) MUST_CHECK;

/* The clock of the database, which is one for all who share it; this machine's where nobody does. */
SUSPENDS bool store_clock(struct store *store, wall_ms *out, struct err *err) MUST_CHECK;
bool store_clock_now(struct store *store, wall_ms *out, struct err *err) MUST_CHECK;

/* What was deleted stands in no file of the database afterwards. PostgreSQL keeps it until its vacuum:
 * *gone is false then. ERR_UNAVAILABLE while a reader still needs it. */
SUSPENDS bool store_scrub(struct store *store, bool *gone, struct err *err) MUST_CHECK;
/* For who deletes all the time: the log, and some megabytes of the database from *at on; *at: where to go on, -1: that was
 * the last of it. What was deleted before the first part stands in no file after the last. */
SUSPENDS bool store_scrub_part(struct store *store, int64_t *at, struct err *err) MUST_CHECK;

struct store_stats {
    uint64_t commits, writes, reads;
    uint32_t waiting;
    bool away; /* the last that was asked of the database found it away */
};
struct store_stats store_stats(const struct store *store);
/* Other Weirs may work on the same database. */
bool store_is_shared(const struct store *store);
struct str store_instance(const struct store *store);
struct str store_knows(const struct store *store); /* "accounts=3 books=1": its migrations */

#endif
