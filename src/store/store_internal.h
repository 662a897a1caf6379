/* store/store_internal.h: what a back end must do so that the door can open onto it.
 * A connection is used by one thread at a time; the door sees to that. */
#ifndef WEIR_STORE_STORE_INTERNAL_H
#define WEIR_STORE_STORE_INTERNAL_H

#include "store/store.h"

struct store_conn; /* a body's own */

struct store_body {
    const char *begin; /* opens a transaction that will write */
    /* Scripts around transactions whose commit does not wait for the disk: before `begin`, behind it, and before the next
     * one that does wait. NULL: nothing to say. */
    const char *relax, *relax_inside, *tighten;
    bool one_conn; /* reads go through the writer's connection */
    bool shared;   /* by several Weirs */
    /* Around migrations, where others may open the same database at the same time; NULL: none can. */
    const char *lock_migrations, *unlock_migrations;
    /* A SELECT that gives the database's own clock as wall_ms; NULL: it has that of this machine. */
    const char *clock;
    /* The first connection is the writer's: it makes the database and checks it. */
    bool (*attach)(struct arena *arena, const char *path, bool writer, struct store_conn **out,
                   struct err *err);
    void (*detach)(struct store_conn **conn);
    /* One statement. Rows go to the arena when rows is not NULL; *changed is set, not added to. */
    bool (*run)(struct store_conn *conn, const struct statement *statement, struct arena *arena,
                struct rows *rows, int64_t *changed, struct err *err);
    /* Many statements in one text, no values, no rows. */
    bool (*script)(struct store_conn *conn, const char *text, struct err *err);
    /* One statement outside transactions after which no file of the database holds what was deleted: its first
     * column is 0 when that is so. NULL: nothing to do, or the server's business. */
    const char *scrub;
    /* Behind `scrub`, on the writer: overwrites what rows that were moved left in a part of the database, from *at; *at: where
     * to go on, -1: that was all. NULL: as `scrub`. */
    bool (*blank)(struct store_conn *conn, int64_t *at, struct err *err);
    /* False once a failure has undone the whole transaction by itself. */
    bool (*in_transaction)(const struct store_conn *conn);
    /* The connection broke: whether a COMMIT that failed has happened is not known. NULL: cannot be. */
    bool (*is_lost)(const struct store_conn *conn);
};

extern const struct store_body sqlite_body;        /* a file */
extern const struct store_body sqlite_memory_body; /* ":memory:" */
extern const struct store_body postgres_body;      /* postgres://... */
extern dur_ns postgres_answer_limit;               /* tests shorten it */

/* What all databases have: the Weirs that work on one, and what they tell each other (instances.h). */
extern const struct migration store_migrations[];
extern const size_t store_migration_count;

/* Brings the database up to the list, each migration in a transaction of its own. */
bool store_migrate(const struct store_body *body, struct store_conn *conn,
                   const struct store_options *options, struct err *err) MUST_CHECK;

#endif
