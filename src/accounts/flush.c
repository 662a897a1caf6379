/* accounts/flush.c: spend to the store each second, and back from the audit log at start.
 *
 * A row of spend carries the last record that it includes, per key, so keys can be copied a few at a
 * time. The log is synced before the store is told: the store never includes a record that power loss
 * could take back. `ledger` says up to where no key needs replaying. */
#include "accounts/accounts_internal.h"
#include "accounts/audit_internal.h"
#include "base/log.h"

#define FLUSH_EVERY  SECOND
#define ROW_VALUES   8u
#define FLUSH_BYTES  ((size_t)FLUSH_ROWS_MAX * 1024 + (size_t)64 * KIB)
#define REPLAY_BYTES ((size_t)4 * MIB)

struct row {
    struct key_state *key;
    struct spend spend;
    struct value values[ROW_VALUES];
};

/* One flush: from a fiber it waits, at start and stop it blocks. */
struct flush {
    struct accounts *accounts;
    bool blocking;
    struct arena *arena;
    struct row *rows;
    struct statement *statements;
    size_t count;
    uint64_t seq; /* the rows include it */
    struct key_state
        *dirty; /* still to be written; who is touched meanwhile waits for the next flush */
};

static const char *const upsert =
    "INSERT INTO spend (key_id, day, in_day, month, in_month, total, last_used, audit_seq)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    " ON CONFLICT (key_id) DO UPDATE SET day = excluded.day, in_day = excluded.in_day,"
    " month = excluded.month, in_month = excluded.in_month, total = excluded.total,"
    " last_used = excluded.last_used, audit_seq = excluded.audit_seq";

static bool write(struct flush *f, const struct statement *statements, size_t count,
                  struct err *err)
{
    struct store *store = f->accounts->store;

    return f->blocking ? store_write_now(store, statements, count, NULL, err)
                       : store_write(store, statements, count, NULL, err);
}

/* ---- syncing the log ---- */

struct sync_job {
    struct audit *audit;
    bool ok;
    struct err err;
};

static void run_sync(void *arg)
{
    struct sync_job *job = arg;

    job->ok = audit_sync(job->audit, &job->err);
}

static bool sync_log(struct flush *f, struct err *err)
{
    struct sync_job job = {.audit = f->accounts->audit};

    if (f->blocking)
        run_sync(&job);
    else if (!pool_run(f->accounts->pool, run_sync, &job, err))
        return false;
    if (!job.ok)
        *err = job.err;
    return job.ok;
}

/* ---- rows ---- */

static void take_rows(struct flush *f)
{
    struct accounts *accounts = f->accounts;

    f->count = 0;
    mutex_lock(&accounts->lock);
    f->seq = audit_last_seq(accounts->audit);
    while (f->dirty && f->count < FLUSH_ROWS_MAX) {
        struct key_state *key = f->dirty;

        f->dirty = key->next_dirty;
        key->dirty = false;
        f->rows[f->count++] = (struct row){.key = key, .spend = key->spend};
    }
    mutex_unlock(&accounts->lock);
}

/* Only those: a key that is in use all the time would never let a flush come to its end. */
static void take_dirty(struct flush *f)
{
    mutex_lock(&f->accounts->lock);
    f->dirty = f->accounts->dirty;
    f->accounts->dirty = NULL;
    mutex_unlock(&f->accounts->lock);
}

/* What was taken and not written, with the rows in hand and without. */
static void give_back(struct flush *f)
{
    mutex_lock(&f->accounts->lock);
    while (f->dirty) {
        struct key_state *key = f->dirty;

        f->dirty = key->next_dirty;
        key->dirty = false;
        key_touch(f->accounts, key);
    }
    for (size_t i = 0; i < f->count; i++)
        key_touch(f->accounts, f->rows[i].key);
    mutex_unlock(&f->accounts->lock);
}

static void bind_row(struct row *row, uint64_t seq)
{
    const struct value values[ROW_VALUES] = {
        V_TEXT(row->key->who.key_id), V_INT(row->spend.day),      V_INT(row->spend.in_day),
        V_INT(row->spend.month),      V_INT(row->spend.in_month), V_INT(row->spend.total),
        V_INT(row->spend.last_used),  V_INT((int64_t)seq),
    };

    for (size_t i = 0; i < ROW_VALUES; i++)
        row->values[i] = values[i];
}

static bool write_rows(struct flush *f, struct err *err)
{
    for (size_t i = 0; i < f->count; i++) {
        bind_row(&f->rows[i], f->seq);
        f->statements[i] = (struct statement){upsert, f->rows[i].values, ROW_VALUES};
    }
    return sync_log(f, err) && write(f, f->statements, f->count, err);
}

static bool write_ledger(struct flush *f, uint64_t seq, struct err *err)
{
    const struct value values[] = {V_INT((int64_t)seq)};
    const struct statement update = {"UPDATE ledger SET audit_seq = ?1", values, ARRAY_LEN(values)};

    if (!sync_log(f, err) || !write(f, &update, 1, err))
        return false;
    mutex_lock(&f->accounts->lock);
    f->accounts->stored_seq = seq;
    mutex_unlock(&f->accounts->lock);
    return true;
}

static bool flush_dirty(struct flush *f, struct err *err)
{
    take_dirty(f);
    while (f->dirty) {
        take_rows(f);
        if (!write_rows(f, err)) {
            give_back(f);
            return false;
        }
    }
    return true;
}

static bool flush(struct accounts *accounts, bool blocking, struct err *err)
{
    mutex_lock(&accounts->lock);
    uint64_t seq = audit_last_seq(accounts->audit);
    bool idle = !accounts->dirty && seq == accounts->stored_seq;
    mutex_unlock(&accounts->lock);
    if (idle)
        return true;

    struct arena *arena CLEANUP(arena_end) = arena_new(FLUSH_BYTES);
    struct flush f = {.accounts = accounts, .blocking = blocking, .arena = arena};

    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to write spend back");
    f.rows = arena_array(arena, FLUSH_ROWS_MAX, sizeof *f.rows);
    f.statements = arena_array(arena, FLUSH_ROWS_MAX, sizeof *f.statements);
    if (!f.rows || !f.statements)
        return err_arena(err, arena);
    return flush_dirty(&f, err) && write_ledger(&f, seq, err);
}

bool accounts_flush_now(struct accounts *accounts, struct err *err)
{
    return flush(accounts, true, err) || err_wrap(err, "write spend back");
}

void accounts_flush_loop(void *arg)
{
    struct accounts *accounts = arg;
    struct err over = {0};
    bool failing = false;

    while (fiber_sleep(FLUSH_EVERY, &over)) {
        struct err err = {0};
        bool ok = flush(accounts, false, &err);

        if (!ok && !failing)
            log_warn("could not write spend back, it stays in memory and in the audit log: %s",
                     err.text);
        if (ok && failing)
            log_info("spend is written back again");
        failing = !ok;
    }
}

/* ---- replay ---- */

struct replay {
    struct accounts *accounts;
    struct arena *arena;
    uint64_t records;
};

static bool replay_line(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct replay *replay = ctx;
    size_t mark = arena_mark(replay->arena);
    struct audit_entry entry;

    if (!audit_line_read(replay->arena, line, &entry, err))
        return err_wrap(err, "audit record %" PRIu64, seq);

    struct key_state *key = table_get(&replay->accounts->by_id, entry.key_id);

    if (key && seq > key->stored_seq) {
        spend_add(&key->spend, entry.time, entry.cost);
        key_touch(replay->accounts, key);
    }
    replay->records++;
    arena_rewind(replay->arena, mark);
    return true;
}

/* The books of the store must not be ahead of the log, else what is recorded next would count as
 * included already. It happens when somebody took the log away. */
static bool step_back(struct accounts *accounts, uint64_t last, struct err *err)
{
    const struct value values[] = {V_INT((int64_t)last)};
    const struct statement updates[] = {
        {"UPDATE spend SET audit_seq = ?1 WHERE audit_seq > ?1", values, ARRAY_LEN(values)},
        {"UPDATE ledger SET audit_seq = ?1 WHERE audit_seq > ?1", values, ARRAY_LEN(values)},
    };

    log_error("audit log ends at record %" PRIu64 ", but spend was stored up to record %" PRIu64
              ": records are missing",
              last, accounts->stored_seq);
    accounts->stored_seq = last;
    return store_write_now(accounts->store, updates, ARRAY_LEN(updates), NULL, err);
}

bool accounts_replay(struct accounts *accounts, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(REPLAY_BYTES);
    struct replay replay = {.accounts = accounts, .arena = arena};
    uint64_t last = audit_last_seq(accounts->audit), from = accounts->stored_seq + 1;

    if (last < accounts->stored_seq)
        return step_back(accounts, last, err);
    if (last < from)
        return true;
    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory to replay the audit log");
    if (!audit_read(arena, audit_dir(accounts->audit), from, replay_line, &replay, err))
        return err_wrap(err, "replay the audit log");
    log_info("spend was not written back in order; recovered from audit records %" PRIu64
             " to %" PRIu64,
             from, last);
    return true;
}
