/* store/store.c: the door. Reads and writes become jobs of two pools; what happens inside a
 * transaction stands in group_run(). */
#include "store/store.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/mutex.h"
#include "sys/pool.h"

#define QUEUE_MAX       10000u
#define READERS         2
#define READERS_MAX     32
#define STORE_BYTES_MAX MIB /* connections and their statement tables */
#define GROUP_WRITES_MAX \
    1000u /* a transaction's share of the batch: bounds what one failure redoes */

struct store {
    struct arena *arena;
    const struct store_body *body;
    struct pool *writing, *reading; /* reading: NULL with one connection only */

    struct mutex writer_lock; /* over writer: the pool's thread and the _now calls */
    struct store_conn *writer;
    bool relaxed;             /* its commits do not wait for the disk */
    struct mutex reader_lock; /* over idle */
    struct store_conn *idle[READERS_MAX];
    int idle_count;
    struct mutex now_lock;
    struct store_conn *now; /* of store_read_now() */

    bool shared;
    struct str instance, knows;
    atomic_bool away[2]; /* to read, to write */
    atomic_uint_fast64_t commits, writes, reads;
};

/* One call of store_write() or store_read(), on its caller's stack until it is done. */
struct job {
    struct store *store;
    const struct statement *statements;
    size_t count;
    struct arena *arena; /* of a read */
    struct rows *rows;   /* NULL: a write */
    bool relaxed;        /* a write that need not wait for the disk */
    int64_t changed;
    bool ok;
    struct err err;
};

struct value rows_at(const struct rows *rows, size_t row, size_t column)
{
    ASSERT(row < rows->count && column < rows->columns);
    return rows->at[row * rows->columns + column];
}

/* ---- one transaction ---- */

static bool command(struct store *store, const char *sql, struct err *err)
{
    const struct statement statement = {sql, NULL, 0};
    int64_t changed;

    return store->body->run(store->writer, &statement, NULL, NULL, &changed, err);
}

static bool begin(struct store *store, bool relaxed, struct err *err)
{
    const struct store_body *body = store->body;
    const char *change = relaxed ? body->relax : body->tighten;

    if (change && relaxed != store->relaxed && !body->script(store->writer, change, err))
        return false;
    store->relaxed = relaxed;
    return command(store, body->begin, err) &&
           (!relaxed || !body->relax_inside ||
            body->script(store->writer, body->relax_inside, err));
}

static bool is_lost(const struct store *store)
{
    return store->body->is_lost && store->body->is_lost(store->writer);
}

/* *unsure: the connection broke on the way, so it may have happened. */
static bool commit(struct store *store, bool *unsure, struct err *err)
{
    *unsure = false;
    if (FAULT("store.commit"))
        return err_set(err, ERR_UNAVAILABLE, "database: disk I/O error");
    if (!command(store, "COMMIT", err)) {
        *unsure = is_lost(store);
        return *unsure ? err_wrap(err, "it is not known whether this was written") : false;
    }
    atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
    return true;
}

/* Back to no transaction. When even that fails the connection is of no use, but then neither is the
 * disk: every later BEGIN fails and says so. */
static void roll_back(struct store *store)
{
    struct err err = {0};

    if (!is_lost(store) && store->body->in_transaction(store->writer) &&
        !store->body->script(store->writer, "ROLLBACK", &err))
        log_error("could not roll back a transaction: %s", err.text);
}

static bool run_statements(struct job *job, struct err *err)
{
    struct store *store = job->store;
    int64_t sum = 0;

    for (size_t i = 0; i < job->count; i++) {
        int64_t changed = 0;

        if (!store->body->run(store->writer, &job->statements[i], NULL, NULL, &changed, err))
            return false;
        sum += changed;
    }
    job->changed = sum;
    return true;
}

static void run_alone(struct job *job)
{
    struct store *store = job->store;
    bool unsure;

    job->err = (struct err){0};
    job->ok = begin(store, job->relaxed, &job->err) && run_statements(job, &job->err) &&
              commit(store, &unsure, &job->err);
    if (!job->ok)
        roll_back(store);
}

/* A savepoint a caller: what one of them gets wrong undoes nothing of the others. False when the
 * whole transaction is lost or unsure. */
static bool run_in_savepoint(struct job *job)
{
    struct store *store = job->store;
    struct err err = {0};

    if (!command(store, "SAVEPOINT one", &err))
        return false;
    job->ok = run_statements(job, &job->err);
    if (!job->ok &&
        (job->err.code == ERR_UNAVAILABLE || !store->body->in_transaction(store->writer) ||
         !command(store, "ROLLBACK TO one", &err)))
        return false;
    return command(store, "RELEASE one", &err);
}

static struct job *job_of(struct pool_job *at)
{
    return at->arg;
}

/* One that waits for the disk makes all wait. */
static bool all_relaxed(struct pool_job *at, size_t count)
{
    for (; count; count--, at = at->next)
        if (!job_of(at)->rows && !job_of(at)->relaxed)
            return false;
    return true;
}

static bool try_group(struct store *store, struct pool_job *first, size_t count, bool *unsure,
                      struct err *err)
{
    struct pool_job *at = first;

    if (!begin(store, all_relaxed(first, count), err))
        return false;
    for (size_t i = 0; i < count; i++, at = at->next)
        if (!job_of(at)->rows && !run_in_savepoint(job_of(at)))
            return false;
    return commit(store, unsure, err);
}

/* Doing it again might do it twice. */
static void fail_all(struct pool_job *first, size_t count, const struct err *err)
{
    for (struct pool_job *at = first; count; count--, at = at->next) {
        if (job_of(at)->rows || !job_of(at)->ok)
            continue;
        job_of(at)->ok = false;
        job_of(at)->err = *err;
    }
}

/* Group commit. When the disk fails inside, one of the callers may be too big for what is left of it:
 * each is tried again by itself, so that only those fail that must. */
static void group_run(struct store *store, struct pool_job *first, size_t count)
{
    struct err err = {0};
    bool unsure = false;

    if (count > 1 && try_group(store, first, count, &unsure, &err))
        return;
    if (unsure) {
        fail_all(first, count, &err);
        return;
    }
    roll_back(store);
    for (struct pool_job *at = first; count; count--, at = at->next)
        if (!job_of(at)->rows)
            run_alone(job_of(at));
}

static void read_on(struct store_conn *conn, struct job *job)
{
    int64_t changed;

    job->ok =
        job->store->body->run(conn, job->statements, job->arena, job->rows, &changed, &job->err);
}

static void run_batch(void *ctx, struct pool_job *first, size_t count)
{
    struct store *store = ctx;
    struct pool_job *at = first;

    mutex_lock(&store->writer_lock);
    for (size_t left = count; left;) {
        size_t part = MIN_OF(left, GROUP_WRITES_MAX);

        group_run(store, at, part);
        left -= part;
        while (part--)
            at = at->next;
    }
    /* After the commits: these must not see what may yet be undone. */
    for (at = first; count; count--, at = at->next)
        if (job_of(at)->rows)
            read_on(store->writer, job_of(at));
    mutex_unlock(&store->writer_lock);
}

static void run_read(void *arg)
{
    struct job *job = arg;
    struct store *store = job->store;

    mutex_lock(&store->reader_lock);
    ASSERT(store->idle_count > 0); /* as many connections as threads */
    struct store_conn *conn = store->idle[--store->idle_count];
    mutex_unlock(&store->reader_lock);

    read_on(conn, job);

    mutex_lock(&store->reader_lock);
    store->idle[store->idle_count++] = conn;
    mutex_unlock(&store->reader_lock);
}

/* ---- calls ---- */

/* Jobs of the writer are run as a batch; nobody calls this. */
static void run_in_batch(void *arg)
{
    (void)arg;
    ASSERT(false);
}

static bool finish(struct job *job, int64_t *changed, struct err *err)
{
    struct store *store = job->store;
    bool away = !job->ok && job->err.code == ERR_UNAVAILABLE;

    if (atomic_load_explicit(&store->away[!job->rows], memory_order_relaxed) != away)
        atomic_store_explicit(&store->away[!job->rows], away, memory_order_relaxed);
    if (!job->ok) {
        *err = job->err;
        return false;
    }
    if (changed)
        *changed = job->changed;
    atomic_fetch_add_explicit(job->rows ? &store->reads : &store->writes, 1, memory_order_relaxed);
    return true;
}

bool store_write(struct store *store, const struct statement *statements, size_t count,
                 int64_t *changed, struct err *err)
{
    struct job job = {.store = store, .statements = statements, .count = count};

    return pool_run(store->writing, run_in_batch, &job, err) && finish(&job, changed, err);
}

bool store_write_relaxed(struct store *store, const struct statement *statements, size_t count,
                         int64_t *changed, struct err *err)
{
    struct job job = {.store = store, .statements = statements, .count = count, .relaxed = true};

    return pool_run(store->writing, run_in_batch, &job, err) && finish(&job, changed, err);
}

bool store_read(struct store *store, struct arena *arena, const struct statement *statement,
                struct rows *out, struct err *err)
{
    struct rows rows = {0};
    struct job job = {
        .store = store, .statements = statement, .count = 1, .arena = arena, .rows = &rows};
    bool one_conn = store->body->one_conn;

    bool ok = one_conn ? pool_run(store->writing, run_in_batch, &job, err)
                       : pool_run(store->reading, run_read, &job, err);

    if (!ok || !finish(&job, NULL, err))
        return false;
    *out = rows;
    return true;
}

bool store_write_now(struct store *store, const struct statement *statements, size_t count,
                     int64_t *changed, struct err *err)
{
    struct job job = {.store = store, .statements = statements, .count = count};

    mutex_lock(&store->writer_lock);
    run_alone(&job);
    mutex_unlock(&store->writer_lock);
    return finish(&job, changed, err);
}

bool store_read_now(struct store *store, struct arena *arena, const struct statement *statement,
                    struct rows *out, struct err *err)
{
    struct rows rows = {0};
    struct job job = {
        .store = store, .statements = statement, .count = 1, .arena = arena, .rows = &rows};
    struct mutex *lock = store->body->one_conn ? &store->writer_lock : &store->now_lock;

    mutex_lock(lock);
    read_on(store->body->one_conn ? store->writer : store->now, &job);
    mutex_unlock(lock);
    if (!finish(&job, NULL, err))
        return false;
    *out = rows;
    return true;
}

/* In an arena of its own, which is small. */
static bool read_clock(struct store *store,
                       bool (*read)(struct store *store, struct arena *arena,
                                    const struct statement *statement, struct rows *out,
                                    struct err *err),
                       wall_ms *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = NULL;
    const struct statement clock = {store->body->clock, NULL, 0};
    struct rows rows;

    if (!store->body->clock) {
        *out = clock_wall();
        return true;
    }
    arena = arena_new(64 * KIB);
    if (!arena)
        return err_no_room(err, "no memory to ask for the time");
    if (!read(store, arena, &clock, &rows, err))
        return false;
    *out = rows_at(&rows, 0, 0).i;
    return true;
}

bool store_clock(struct store *store, wall_ms *out, struct err *err)
{
    return read_clock(store, store_read, out, err);
}

bool store_clock_now(struct store *store, wall_ms *out, struct err *err)
{
    return read_clock(store, store_read_now, out, err);
}

struct scrub {
    struct store *store;
    int64_t at; /* as `blank` has it */
    bool whole, ok;
    struct err err;
};

/* With the writer. */
static bool scrub_some(struct scrub *scrub, struct arena *arena)
{
    struct store *store = scrub->store;
    const struct statement statement = {store->body->scrub, NULL, 0};
    struct rows rows = {0};
    int64_t changed;

    if (!store->body->run(store->writer, &statement, arena, &rows, &changed, &scrub->err))
        return false;
    if (rows.count == 0 || rows_at(&rows, 0, 0).i != 0)
        return err_set(&scrub->err, ERR_UNAVAILABLE,
                       "the database's log still holds what was deleted, as somebody reads it");
    if (store->body->blank)
        return store->body->blank(store->writer, &scrub->at, &scrub->err);
    scrub->at = -1;
    return true;
}

/* On a reading thread, which may wait for the writer; others write between two parts of it. */
static void run_scrub(void *arg)
{
    struct scrub *scrub = arg;
    struct store *store = scrub->store;
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);

    if (!arena) {
        err_no_room(&scrub->err, "no memory to scrub the database");
        return;
    }
    do {
        size_t mark = arena_mark(arena);

        mutex_lock(&store->writer_lock);
        scrub->ok = scrub_some(scrub, arena);
        mutex_unlock(&store->writer_lock);
        arena_rewind(arena, mark);
    } while (scrub->whole && scrub->ok && scrub->at >= 0);
}

static SUSPENDS bool scrub_now(struct scrub *scrub, struct err *err)
{
    if (!pool_run(scrub->store->reading, run_scrub, scrub, err))
        return false;
    if (!scrub->ok)
        *err = scrub->err;
    return scrub->ok;
}

bool store_scrub(struct store *store, bool *gone, struct err *err)
{
    struct scrub scrub = {.store = store, .whole = true};

    *gone = !store->body->shared;
    return !store->body->scrub || scrub_now(&scrub, err);
}

bool store_scrub_part(struct store *store, int64_t *at, struct err *err)
{
    struct scrub scrub = {.store = store, .at = *at};

    if (store->body->scrub && !scrub_now(&scrub, err))
        return false;
    *at = store->body->scrub ? scrub.at : -1;
    return true;
}

struct store_stats store_stats(const struct store *store)
{
    return (struct store_stats){
        .commits = atomic_load_explicit(&store->commits, memory_order_relaxed),
        .writes = atomic_load_explicit(&store->writes, memory_order_relaxed),
        .reads = atomic_load_explicit(&store->reads, memory_order_relaxed),
        .waiting =
            pool_waiting(store->writing) + (store->reading ? pool_waiting(store->reading) : 0),
        .away = atomic_load_explicit(&store->away[0], memory_order_relaxed) ||
                atomic_load_explicit(&store->away[1], memory_order_relaxed),
    };
}

bool store_is_shared(const struct store *store)
{
    return store->shared;
}

struct str store_instance(const struct store *store)
{
    return store->instance;
}

struct str store_knows(const struct store *store)
{
    return store->knows;
}

/* ---- opening and closing ---- */

/* The last number of each module stands last in its part of the list. */
static void write_knows(struct buf *b, const struct migration *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count || strcmp(list[i].module, list[i + 1].module) != 0;

        if (last)
            buf_fmt(b, "%s%s=%d", b->len ? " " : "", list[i].module, list[i].number);
    }
}

static bool note_who(struct store *store, const struct store_options *options, struct err *err)
{
    struct buf b;

    store->instance = arena_str(store->arena, options->instance.ptr ? options->instance : STR(""));
    buf_init(&b, store->arena, 8 * KIB);
    write_knows(&b, store_migrations, store_migration_count);
    write_knows(&b, options->migrations, options->migration_count);
    return store->instance.ptr ? buf_finish(&b, &store->knows, err) : err_arena(err, store->arena);
}

static bool open_readers(struct store *store, const char *path, int readers, struct err *err)
{
    for (int i = 0; i < readers; i++) {
        if (!store->body->attach(store->arena, path, false, &store->idle[i], err))
            return false;
        store->idle_count++;
    }
    return store->body->attach(store->arena, path, false, &store->now, err);
}

static bool open_pools(struct store *store, uint32_t queue_max, int readers, struct err *err)
{
    const struct pool_options writing = {.name = "store-write",
                                         .threads = 1,
                                         .queue_max = queue_max,
                                         .batch = run_batch,
                                         .ctx = store};
    const struct pool_options reading = {
        .name = "store-read", .threads = readers, .queue_max = queue_max};

    store->writing = pool_new(&writing, err);
    if (!store->writing)
        return false;
    if (store->body->one_conn)
        return true;
    store->reading = pool_new(&reading, err);
    return store->reading;
}

static bool open_all(struct store *store, const struct store_options *options, struct err *err)
{
    int readers = options->readers ? options->readers : READERS;
    uint32_t queue_max = options->queue_max ? options->queue_max : QUEUE_MAX;

    ASSERT(readers > 0 && readers <= READERS_MAX);
    return note_who(store, options, err) &&
           store->body->attach(store->arena, options->path, true, &store->writer, err) &&
           store_migrate(store->body, store->writer, options, err) &&
           (store->body->one_conn || open_readers(store, options->path, readers, err)) &&
           open_pools(store, queue_max, readers, err);
}

static bool is_postgres(const char *path)
{
    return str_starts(str_from(path), STR("postgres://")) ||
           str_starts(str_from(path), STR("postgresql://"));
}

static const struct store_body *body_for(const char *path)
{
    if (is_postgres(path))
        return &postgres_body;
    return strcmp(path, ":memory:") == 0 ? &sqlite_memory_body : &sqlite_body;
}

/* A url without what may be secret in it: user, password and options. One that is written wrongly may have
 * the password where others have the host, so its pieces have to look like what they are. */
static const char *shown(struct arena *arena, const char *path)
{
    struct str url = str_from(path), host;
    size_t from = 0, colon;

    if (!is_postgres(path))
        return path;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] == '@')
            from = i + 1;
    host =
        from ? str_slice(url, from, url.len) : str_slice(url, str_find_char(url, '/') + 2, url.len);
    host = str_slice(host, 0, str_find_char(host, '?'));
    colon = str_find_char(host, ':');
    for (size_t i = colon + 1; i < str_find_char(host, '/'); i++)
        if (host.ptr[i] < '0' || host.ptr[i] > '9')
            return "postgres://";

    struct str text = arena_fmt(arena, "postgres://" STR_FMT, STR_ARG(host));

    return text.ptr ? text.ptr : "postgres://";
}

bool store_open(const struct store_options *options, struct store **out, struct err *err)
{
    struct arena *arena = arena_new(STORE_BYTES_MAX);
    struct store *store CLEANUP(store_close) = arena ? arena_alloc(arena, sizeof *store) : NULL;

    if (!store) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the store");
    }
    store->arena = arena;
    store->body = body_for(options->path);
    store->shared = store->body->shared || options->shared;
    mutex_init(&store->writer_lock);
    mutex_init(&store->reader_lock);
    mutex_init(&store->now_lock);
    if (!open_all(store, options, err))
        return err_wrap(err, "database \"%s\"", shown(store->arena, options->path));
    *out = store;
    store = NULL;
    return true;
}

/* The writer goes last: as the last connection it folds the WAL into the file and removes it. */
void store_close(struct store **store)
{
    struct store *s = *store;

    if (!s)
        return;
    pool_free(&s->reading);
    pool_free(&s->writing);
    s->body->detach(&s->now);
    while (s->idle_count)
        s->body->detach(&s->idle[--s->idle_count]);
    s->body->detach(&s->writer);
    mutex_done(&s->writer_lock);
    mutex_done(&s->reader_lock);
    mutex_done(&s->now_lock);
    *store = NULL;

    struct arena *arena = s->arena;
    arena_end(&arena);
}
