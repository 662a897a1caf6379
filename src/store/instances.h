/* store/instances.h: the Weirs that share a database know of each other, and tell each other what changed.
 * Instance  a data directory, by the id that is kept in it. Each beats once a second; who has not for
 *           INSTANCE_ALIVE_MS counts as away, by the database's clock: those of machines may be apart.
 * Changes   a row each, numbered without gaps in the order of their commits; written in the transaction of
 *           what they tell of. Everybody asks for new ones every CHANGES_EVERY, and does what is told of
 *           once; who was away catches up from where it was. A row is kept CHANGES_KEPT_MS; who was away
 *           longer is told so, and takes everything for changed.
 * Threads   the loop and catching up: one fiber. The rest: any.
 * Errors    as the store's. */
#ifndef WEIR_STORE_INSTANCES_H
#define WEIR_STORE_INSTANCES_H

#include "store/store.h"

#define INSTANCE_ID_LEN   16u
#define INSTANCE_ALIVE_MS ((wall_ms)10 * 1000)
#define CHANGES_EVERY     (200 * MILLISECOND)
#define CHANGES_KEPT_MS   ((wall_ms)30 * 24 * 3600 * 1000)
#define CHANGE_WRITES_MAX 12u

/* The id in the file at `path`; made at the first start. Ends with a zero byte. Blocks. */
bool instance_id_load(struct arena *arena, const char *path, struct str *out, struct err *err)
    MUST_CHECK;

/* What somebody does about a kind of change. */
struct follower {
    const char *kind;
    SUSPENDS bool (*follow)(void *ctx, struct str what, struct err *err);
    SUSPENDS bool (*follow_all)(void *ctx, struct err *err); /* changes were missed; may be NULL */
    void *ctx;
    bool
        others_only; /* else also this one's own: nothing that was read before stays in force then */
};

struct instances;
struct instances_options {
    struct store *store; /* opened with the id */
    const char *version;
    struct str address; /* where it listens, for people */
    const struct follower *followers;
    size_t follower_count;
};
/* Writes down that this one runs; where nobody else can be, that is all it does. Blocks. */
bool instances_open(const struct instances_options *options, struct instances **out,
                    struct err *err) MUST_CHECK;
void instances_close(struct instances **instances); /* and that it does not run any more */

/* Once, before the first request: what happened while it was away. */
SUSPENDS bool instances_catch_up(struct instances *instances, struct err *err) MUST_CHECK;
SUSPENDS void instances_loop(void *instances);               /* a fiber's function */
uint32_t instances_alive(const struct instances *instances); /* at least 1 */
/* Another process runs with the same id: a copied data directory. */
bool instances_is_doubled(const struct instances *instances);

/* ---- telling ---- */

/* The statements and the change they are, in one transaction; *changed (may be NULL): rows of the
 * statements. Where nobody shares the database it is a plain write. At most CHANGE_WRITES_MAX. */
SUSPENDS bool change_write(struct store *store, const char *kind, struct str what,
                           const struct statement *statements, size_t count, int64_t *changed,
                           struct err *err) MUST_CHECK;
/* Until every instance that is alive has done what was told up to now, at most `most`. *behind: the ids of
 * those that have not, separated by blanks; empty: all have. */
SUSPENDS bool instances_wait(struct instances *instances, dur_ns most, struct arena *arena,
                             struct str *behind, struct err *err) MUST_CHECK;

/* ---- for people ---- */

struct instance_info {
    struct str id, version, address;
    wall_ms started, seen, stopped; /* stopped 0: not that anybody knew */
    bool alive, self;
};
SUSPENDS bool instance_list(struct store *store, struct arena *arena, struct instance_info **out,
                            size_t *count, struct err *err) MUST_CHECK;

/* ---- for migrate.c: "accounts=3 books=1" ---- */
int64_t instance_knows(struct str knows, struct str module);

#endif
