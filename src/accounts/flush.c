/* accounts/flush.c: what was spent and used to the store, each second and when somebody asks.
 *
 * A row of spend carries the last record that it includes, per account, so they can be copied a few at a
 * time. Usage is sums, so all of a page goes in one transaction with the sequence it ends at; when that fails
 * the page is dropped, and the next flush reads its records from the log. The log is synced before the store
 * is told: the store never includes a record that power loss could take back. `ledger` says up to where
 * nothing needs replaying. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "accounts/leases.h"
#include "accounts/usage_internal.h"
#include "base/log.h"
#include "sys/clock.h"

#define FLUSH_EVERY  SECOND
#define WAIT_STEP    (5 * MILLISECOND)
#define ROW_VALUES   11u
#define CELL_VALUES  (USAGE_BYS + USAGE_COUNTS + 2)
#define FLUSH_BYTES  ((size_t)FLUSH_ROWS_MAX * 1024 + (size_t)64 * KIB)
#define CELL_BYTES   (sizeof(struct statement) + CELL_VALUES * sizeof(struct value) + 64)
#define REREAD_BYTES ((size_t)4 * MIB)

struct row {
    struct account *account;
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
    struct account
        *dirty; /* still to be written; who is touched meanwhile waits for the next flush */
};

static const char *const upsert =
    "INSERT INTO instance_balances (level, id, day, in_day, month, in_month, total, last_used,"
    " audit_seq, instance, written) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    " ON CONFLICT (level, id, instance) DO UPDATE SET day = excluded.day, in_day = excluded.in_day,"
    " month = excluded.month, in_month = excluded.in_month, total = excluded.total,"
    " last_used = excluded.last_used, audit_seq = excluded.audit_seq, written = excluded.written";

static bool write(struct flush *f, const struct statement *statements, size_t count,
                  struct err *err)
{
    struct store *store = f->accounts->store;

    return f->blocking ? store_write_now(store, statements, count, NULL, err)
                       : store_write(store, statements, count, NULL, err);
}

/* ---- what blocks ---- */

struct job {
    bool (*fn)(void *arg, struct err *err);
    void *arg;
    bool ok;
    struct err err;
};

static void run_job(void *arg)
{
    struct job *job = arg;

    job->ok = job->fn(job->arg, &job->err);
}

static bool run(struct flush *f, bool (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
    struct job job = {.fn = fn, .arg = arg};

    if (f->blocking)
        run_job(&job);
    else if (!pool_run(f->accounts->pool, run_job, &job, err))
        return false;
    if (!job.ok)
        *err = job.err;
    return job.ok;
}

static bool sync_audit(void *audit, struct err *err)
{
    return audit_sync(audit, err);
}

static bool sync_log(struct flush *f, struct err *err)
{
    return run(f, sync_audit, f->accounts->audit, err);
}

/* ---- spend ---- */

static void take_rows(struct flush *f)
{
    struct accounts *accounts = f->accounts;

    f->count = 0;
    mutex_lock(&accounts->lock);
    f->seq = audit_last_seq(accounts->audit);
    while (f->dirty && f->count < FLUSH_ROWS_MAX) {
        struct account *account = f->dirty;

        f->dirty = account->next_dirty;
        account->dirty = false;
        f->rows[f->count++] = (struct row){.account = account, .spend = account->spend};
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
        struct account *account = f->dirty;

        f->dirty = account->next_dirty;
        account->dirty = false;
        account_touch(f->accounts, account);
    }
    for (size_t i = 0; i < f->count; i++)
        account_touch(f->accounts, f->rows[i].account);
    mutex_unlock(&f->accounts->lock);
}

static void bind_row(struct row *row, uint64_t seq, struct str instance)
{
    const struct value values[ROW_VALUES] = {
        V_INT(row->account->level), V_TEXT(row->account->id),    V_INT(row->spend.day),
        V_INT(row->spend.in_day),   V_INT(row->spend.month),     V_INT(row->spend.in_month),
        V_INT(row->spend.total),    V_INT(row->spend.last_used), V_INT((int64_t)seq),
        V_TEXT(instance),           V_INT(clock_wall()),
    };

    for (size_t i = 0; i < ROW_VALUES; i++)
        row->values[i] = values[i];
}

static bool write_rows(struct flush *f, struct err *err)
{
    for (size_t i = 0; i < f->count; i++) {
        bind_row(&f->rows[i], f->seq, store_instance(f->accounts->store));
        f->statements[i] = (struct statement){upsert, f->rows[i].values, ROW_VALUES};
    }
    return sync_log(f, err) && write(f, f->statements, f->count, err);
}

static bool write_ledger(struct flush *f, uint64_t seq, struct err *err)
{
    const struct value values[] = {V_INT((int64_t)seq), V_TEXT(store_instance(f->accounts->store))};
    const struct statement update = {
        "UPDATE instance_ledger SET audit_seq = ?1 WHERE instance = ?2", values, ARRAY_LEN(values)};

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

/* ---- usage ---- */

/* Sums, so once only: a COMMIT of which nobody heard may have happened, or yet happen. Whoever writes holds the row of
 * the ledger first, and then adds only to what it believes is there. */
static const char *const hold_ledger =
    "UPDATE instance_ledger SET usage_seq = usage_seq WHERE instance = ?1";
static const char *const move_ledger =
    "UPDATE instance_ledger SET usage_seq = ?1 WHERE instance = ?2 AND usage_seq = ?3";
static const char *const add_usage =
    "INSERT INTO deployment_usage (day, tenant, team, key_id, model, deployment, provider, route,"
    " tags, requests, failed, tokens_in, tokens_out, tokens_cached, tokens_cache_write,"
    " tokens_reasoning, tokens_audio, estimated, cost, cost_left, cost_hedge, cost_attempts,"
    " instance) SELECT CAST(?1 AS BIGINT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT),"
    " CAST(?5 AS TEXT), CAST(?6 AS TEXT), CAST(?7 AS TEXT), CAST(?8 AS TEXT), CAST(?9 AS TEXT),"
    " CAST(?10 AS BIGINT), CAST(?11 AS BIGINT), CAST(?12 AS BIGINT), CAST(?13 AS BIGINT),"
    " CAST(?14 AS BIGINT), CAST(?15 AS BIGINT), CAST(?16 AS BIGINT), CAST(?17 AS BIGINT),"
    " CAST(?18 AS BIGINT), CAST(?19 AS BIGINT), CAST(?20 AS BIGINT), CAST(?21 AS BIGINT),"
    " CAST(?22 AS BIGINT), CAST(?23 AS TEXT)"
    " WHERE EXISTS"
    " (SELECT 1 FROM instance_ledger l WHERE l.instance = ?23 AND l.usage_seq = ?24)"
    " ON CONFLICT (day, tenant, team, key_id, model, deployment, provider, route, tags, instance)"
    " DO UPDATE SET requests = deployment_usage.requests + excluded.requests,"
    " failed = deployment_usage.failed + excluded.failed,"
    " tokens_in = deployment_usage.tokens_in + excluded.tokens_in,"
    " tokens_out = deployment_usage.tokens_out + excluded.tokens_out,"
    " tokens_cached = deployment_usage.tokens_cached + excluded.tokens_cached,"
    " tokens_cache_write = deployment_usage.tokens_cache_write + excluded.tokens_cache_write,"
    " tokens_reasoning = deployment_usage.tokens_reasoning + excluded.tokens_reasoning,"
    " tokens_audio = deployment_usage.tokens_audio + excluded.tokens_audio,"
    " estimated = deployment_usage.estimated + excluded.estimated,"
    " cost = deployment_usage.cost + excluded.cost,"
    " cost_left = deployment_usage.cost_left + excluded.cost_left,"
    " cost_hedge = deployment_usage.cost_hedge + excluded.cost_hedge,"
    " cost_attempts = deployment_usage.cost_attempts + excluded.cost_attempts";

static const char *const add_tag =
    "INSERT INTO usage_tags (tags, tag) VALUES (?1, ?2) ON CONFLICT (tags, tag) DO NOTHING";

static void bind_cell(const struct usage_cell *cell, struct str instance, uint64_t stored_seq,
                      struct value values[CELL_VALUES])
{
    struct str rest = str_slice(cell->key, sizeof cell->day, cell->key.len), part;

    values[USAGE_BY_DAY] = V_INT(cell->day);
    for (size_t i = USAGE_BY_TENANT; i < USAGE_BYS && str_split(&rest, 0, &part); i++)
        values[i] = V_TEXT(part);
    for (size_t i = 0; i < USAGE_COUNTS; i++)
        values[USAGE_BYS + i] = V_INT(cell->counts[i]);
    values[USAGE_BYS + USAGE_COUNTS] = V_TEXT(instance);
    values[USAGE_BYS + USAGE_COUNTS + 1] = V_INT((int64_t)stored_seq);
}

/* What one page becomes: cells, the tags of their lists, the sequence. */
struct page_writes {
    struct arena *arena;
    struct str instance;
    uint64_t stored_seq; /* of the ledger, before */
    struct statement *at;
    size_t count, most;
};

static bool put(struct page_writes *w, const char *sql, const struct value *values, size_t count)
{
    struct value *own = arena_array(w->arena, count, sizeof *own);

    ASSERT(w->count < w->most);
    if (!own)
        return false;
    memcpy(own, values, count * sizeof *own);
    w->at[w->count++] = (struct statement){sql, own, count};
    return true;
}

static bool put_cell(struct page_writes *w, const struct usage_cell *cell)
{
    struct value values[CELL_VALUES];
    struct str rest, tag;

    bind_cell(cell, w->instance, w->stored_seq, values);
    if (!put(w, add_usage, values, CELL_VALUES))
        return false;
    rest = values[USAGE_BY_TAG].s;
    while (rest.len && str_split(&rest, ',', &tag)) {
        const struct value pair[] = {values[USAGE_BY_TAG], V_TEXT(tag)};

        if (!put(w, add_tag, pair, ARRAY_LEN(pair)))
            return false;
    }
    return true;
}

static size_t count_writes(const struct usage_page *page)
{
    size_t n = 2;

    for (const struct usage_cell *c = page->cells; c; c = c->next) {
        n += 2;
        /* Tags are last, and a zero byte ends them as all names. */
        for (size_t i = c->key.len - 1; i-- > sizeof c->day && c->key.ptr[i] != 0;)
            n += c->key.ptr[i] == ',';
    }
    return n;
}

static bool write_page(struct flush *f, const struct usage_page *page, struct err *err)
{
    size_t most = count_writes(page);
    struct arena *arena CLEANUP(arena_end) = arena_new(most * CELL_BYTES + (size_t)64 * KIB);
    struct page_writes w = {.arena = arena,
                            .instance = store_instance(f->accounts->store),
                            .stored_seq = f->accounts->usage->stored_seq,
                            .most = most};
    const struct value own[] = {V_TEXT(w.instance)};
    const struct value seq[] = {V_INT((int64_t)page->to), V_TEXT(w.instance),
                                V_INT((int64_t)w.stored_seq)};
    bool ok = arena && (w.at = arena_array(arena, most, sizeof *w.at)) &&
              put(&w, hold_ledger, own, ARRAY_LEN(own));

    for (const struct usage_cell *c = page->cells; ok && c; c = c->next)
        ok = put_cell(&w, c);
    if (!ok || !put(&w, move_ledger, seq, ARRAY_LEN(seq)))
        return err_set(err, ERR_UNAVAILABLE, "no memory to write usage");
    if (!sync_log(f, err) || !write(f, w.at, w.count, err))
        return false;
    f->accounts->usage->stored_seq = page->to;
    return true;
}

/* Records of the log into a page, up to `to` or until the page is full. */
struct reread {
    struct accounts *accounts;
    struct usage_page *page;
    uint64_t to;
    struct arena *arena;
    bool past, full;
};

static bool reread_line(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct reread *r = ctx;
    struct audit_record record;
    size_t mark = arena_mark(r->arena);

    r->past = seq > r->to;
    if (r->past)
        return false;
    if (!audit_line_read(r->arena, line, &record, err))
        return err_wrap(err, "audit record %" PRIu64, seq);
    record.seq = seq;
    mutex_lock(&r->accounts->lock);
    bool known = record.key_id.len && table_get(&r->accounts->by_id, record.key_id) &&
                 (!record.tenant.len || units_get(r->accounts, record.tenant)) &&
                 (!record.team.len || units_get(r->accounts, record.team));
    mutex_unlock(&r->accounts->lock);
    r->full = !usage_follow_record(r->page, &record, known);
    arena_rewind(r->arena, mark);
    return !r->full;
}

static bool reread(void *arg, struct err *err)
{
    struct reread *r = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(REREAD_BYTES);
    struct err why = {0};

    r->arena = arena_new(REREAD_BYTES);
    bool ok = arena && r->arena &&
              audit_read(arena, audit_dir(r->accounts->audit), r->page->from, reread_line, r, &why);
    arena_end(&r->arena);
    if (ok || r->past || r->full)
        return true;
    if (why.code)
        *err = why;
    else
        err_set(err, ERR_UNAVAILABLE, "no memory to read the audit log");
    return false;
}

/* What the store has is what counts: a write that failed may have happened. */
static bool read_ledger(struct flush *f, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * KIB);
    struct store *store = f->accounts->store;
    const struct value values[] = {V_TEXT(store_instance(store))};
    const struct statement read = {"SELECT usage_seq FROM instance_ledger WHERE instance = ?1",
                                   values, ARRAY_LEN(values)};
    struct rows rows;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to write usage");
    if (!(f->blocking ? store_read_now(store, arena, &read, &rows, err)
                      : store_read(store, arena, &read, &rows, err)))
        return false;
    if (rows.count)
        f->accounts->usage->stored_seq = (uint64_t)rows_at(&rows, 0, 0).i;
    return true;
}

static bool catch_up(struct flush *f, struct usage_page *page, uint64_t to, struct err *err)
{
    struct usage_book *book = f->accounts->usage;

    if (!read_ledger(f, err))
        return false;
    while (book->stored_seq < to) {
        usage_page_clear(page, book->cells_max);
        page->from = book->stored_seq + 1;
        page->to = page->from - 1;

        struct reread r = {.accounts = f->accounts, .page = page, .to = to};

        if (!run(f, reread, &r, err))
            return err_wrap(err, "read usage from the audit log");
        if (!r.full)
            page->to = to; /* also when retention has removed what was there */
        if (!write_page(f, page, err) || !read_ledger(f, err))
            return false;
    }
    return true;
}

/* The page that was live ends here and another begins; what lies before it is read from the log. */
static bool flush_usage(struct flush *f, struct err *err)
{
    struct usage_book *book = f->accounts->usage;
    struct usage_page *taken = book->live,
                      *next = taken == &book->pages[0] ? &book->pages[1] : &book->pages[0];

    usage_page_clear(next, book->cells_max);
    mutex_lock(&f->accounts->lock);
    uint64_t last = audit_last_seq(f->accounts->audit);
    if (!taken->full)
        taken->to = last;
    next->from = last + 1;
    next->to = last;
    book->live = next;
    mutex_unlock(&f->accounts->lock);

    /* With a gap before it, or cut short, the page counts for nothing: the log has it all. */
    if (book->stored_seq + 1 != taken->from || taken->full)
        return catch_up(f, taken, last, err);
    return book->stored_seq == taken->to || write_page(f, taken, err);
}

/* ---- both ---- */

static bool flush(struct accounts *accounts, bool blocking, struct err *err)
{
    mutex_lock(&accounts->lock);
    uint64_t seq = audit_last_seq(accounts->audit);
    bool idle =
        !accounts->dirty && seq == accounts->stored_seq && seq == accounts->usage->stored_seq;
    mutex_unlock(&accounts->lock);
    if (idle)
        return true;

    struct arena *arena CLEANUP(arena_end) = arena_new(FLUSH_BYTES);
    struct flush f = {.accounts = accounts, .blocking = blocking, .arena = arena};

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to write spend back");
    f.rows = arena_array(arena, FLUSH_ROWS_MAX, sizeof *f.rows);
    f.statements = arena_array(arena, FLUSH_ROWS_MAX, sizeof *f.statements);
    if (!f.rows || !f.statements)
        return err_arena(err, arena);
    return flush_dirty(&f, err) && flush_usage(&f, err) && write_ledger(&f, seq, err);
}

bool accounts_flush_now(struct accounts *accounts, struct err *err)
{
    strangers_record(accounts, true, clock_wall());
    return (flush(accounts, true, err) && leases_settle_now(accounts, err)) ||
           err_wrap(err, "write spend back");
}

/* One at a time: the loop, who reads usage and who removes a tenant ask for one on any loop. */
bool accounts_flush_wait(struct accounts *accounts, struct err *err)
{
    while (atomic_exchange(&accounts->flushing, true))
        if (!fiber_sleep(WAIT_STEP, err))
            return false;

    bool ok = flush(accounts, false, err);

    atomic_store(&accounts->flushing, false);
    return ok || err_wrap(err, "write spend back");
}

void accounts_flush_loop(void *arg)
{
    struct accounts *accounts = arg;
    struct err over = {0};
    bool failing = false;

    while (fiber_sleep(FLUSH_EVERY, &over)) {
        struct err err = {0};

        strangers_record(accounts, false, clock_wall());
        bool ok = accounts_flush_wait(accounts, &err);

        if (store_is_shared(accounts->store))
            units_let_go(accounts);
        if (!ok && !failing)
            log_warn(
                "could not write spend and usage, they stay in memory and in the audit log: %s",
                err.text);
        if (ok && failing)
            log_info("spend and usage are written again");
        failing = !ok;
    }
}
