/* accounts/leases.c: shares of spend limits.
 *
 *     row (level, id, period, instance): in day `number` its spend may come to `up_to`; `open` of that was not
 *     spent when the row was written.
 *
 * True at every commit: of the rows of one day, the sum of up_to is within the limit, but for what requests
 * came to above their holds. Rows of a day before count with `open`: what was held over midnight may yet be
 * spent in the new day. Whoever takes more locks the account's row in share_asks first; giving back needs no
 * lock, for others who do not see it yet only take less. In memory up_to falls before the row does. */
#include "accounts/leases.h"

#include "accounts/calendar.h"
#include "base/log.h"
#include "store/instances.h"
#include "sys/clock.h"

#define ASKS_EVERY   (200 * MILLISECOND)
#define OTHERS_EVERY SECOND
#define IDLE_AFTER   (30 * SECOND)
#define FLAG_STEP    (5 * MILLISECOND)
#define RETRY_STEP   (50 * MILLISECOND)
#define ASKED_FOR_MS ((wall_ms)10 * 1000)
#define STEP_BACK_MS ((wall_ms)10 * 1000) /* of others' clocks and commits */
#define LEASE_BYTES  ((size_t)256 * KIB)
#define OTHERS_PAGE  1000
#define PERIODS      2u

const char *const leases_settle_sql =
    "UPDATE shares SET open = 0, up_to = COALESCE((SELECT CASE"
    " WHEN shares.period = 0 AND b.day = shares.number THEN b.in_day"
    " WHEN shares.period = 1 AND b.month = shares.number THEN b.in_month ELSE 0 END"
    " FROM instance_balances b WHERE b.instance = shares.instance AND b.level = shares.level"
    " AND b.id = shares.id), 0) WHERE instance = ?1";

struct share {
    int64_t number; /* of the day or month */
    usd_micro up_to;
};
struct lease {
    struct account *account;
    struct lease *next;
    struct share shares[PERIODS];
    int64_t asked;       /* what others wanted when it was given back last */
    mono_ns filled;      /* last */
    mono_ns fell_short;  /* last: it could not be filled for */
    usd_micro fell_for;  /* so much more */
    usd_micro fell_open; /* and what others had then */
    bool unwritten;      /* a write failed, or nobody knows: its rows may have more than is here */
};

/* ---- in memory, under the lock ---- */

static int64_t number_of(unsigned period, wall_ms now)
{
    return period ? calendar_month(now) : calendar_day(now);
}

static usd_micro limit_of(const struct account *a, unsigned period)
{
    return period ? a->limits.spend_month : a->limits.spend_day;
}

static usd_micro spent_of(const struct account *a, unsigned period, wall_ms now)
{
    return period ? spend_in_month(&a->spend, now) : spend_in_day(&a->spend, now);
}

uint32_t accounts_alive(const struct accounts *accounts)
{
    return accounts->instances ? instances_alive(accounts->instances) : 1;
}

bool lease_make(struct accounts *accounts, struct account *account, struct err *err)
{
    struct lease *lease = arena_alloc(accounts->arena, sizeof *lease);

    if (!lease)
        return err_arena(err, accounts->arena);
    lease->account = account;
    lease->next = accounts->leases;
    accounts->leases = lease;
    account->lease = lease;
    return true;
}

void lease_forget_use(struct account *account)
{
    account->lease->filled = 0;
}

static bool share_allows(const struct account *a, unsigned period, usd_micro worst, wall_ms now)
{
    const struct share *share = &a->lease->shares[period];

    return !limit_of(a, period) || (share->number == number_of(period, now) &&
                                    share->up_to - spent_of(a, period, now) - a->held >= worst);
}

bool lease_allows(const struct account *account, usd_micro worst, wall_ms now)
{
    return share_allows(account, 0, worst, now) && share_allows(account, 1, worst, now);
}

/* ---- taking more ---- */

#define TAKE(limit, table)                                                                       \
    "INSERT INTO shares (level, id, period, instance, number, up_to, open)"                      \
    " SELECT CAST(?1 AS BIGINT), CAST(?2 AS TEXT), CAST(?3 AS BIGINT), CAST(?4 AS TEXT),"        \
    " CAST(?5 AS BIGINT), g.n, g.n - CAST(?8 AS BIGINT) FROM (SELECT CASE"                       \
    " WHEN a.most = 0 THEN CAST(?6 AS BIGINT)"                                                   \
    " WHEN a.rest >= CAST(?6 AS BIGINT) THEN CAST(?6 AS BIGINT)"                                 \
    " + CAST((a.rest - CAST(?6 AS BIGINT)) / CAST(?9 AS BIGINT) AS BIGINT)"                      \
    " ELSE CAST(?7 AS BIGINT) END AS n"                                                          \
    " FROM (SELECT l." limit " AS most, l." limit " - COALESCE((SELECT CAST(SUM(CASE"            \
    " WHEN s.number = CAST(?5 AS BIGINT) THEN s.up_to WHEN s.number < CAST(?5 AS BIGINT)"        \
    " THEN s.open ELSE l." limit " END) AS BIGINT) FROM shares s WHERE s.level = CAST(?1 AS"     \
    " BIGINT) AND s.id = ?2 AND s.period = CAST(?3 AS BIGINT) AND s.instance <> ?4), 0) AS rest" \
    " FROM " table " l WHERE l.id = ?2) a) g WHERE 1 = 1"                                        \
    " ON CONFLICT (level, id, period, instance) DO UPDATE SET number = excluded.number,"         \
    " up_to = excluded.up_to, open = excluded.open"
#define TAKE_VALUES 9u

static const char *const lock_sql =
    "INSERT INTO share_asks (level, id, asked, told, takes) SELECT ?1, ?2, 0, 0, 1"
    " WHERE EXISTS (SELECT 1 FROM units u WHERE u.id = ?2)" /* removed: it would stay for good */
    " OR EXISTS (SELECT 1 FROM keys k WHERE k.id = ?2)"
    " ON CONFLICT (level, id) DO UPDATE SET takes = share_asks.takes + 1";
static const char *const ask_sql =
    "UPDATE share_asks SET asked = asked + 1, told = ?3 WHERE level = ?1 AND id = ?2 AND EXISTS"
    " (SELECT 1 FROM shares s WHERE s.level = ?1 AND s.id = ?2 AND s.period = ?4"
    " AND s.instance = ?5 AND s.up_to < ?6)";

static const char *take_sql(const struct account *a, unsigned period)
{
    static const char *const all[2][PERIODS] = {
        {TAKE("spend_day", "units"), TAKE("spend_month", "units")},
        {TAKE("spend_day", "keys"), TAKE("spend_month", "keys")},
    };

    return all[a->level == LEVEL_KEY][period];
}

/* One account and period that is to grow, with its statements. */
struct taking {
    struct account *account;
    unsigned period;
    int64_t number;
    usd_micro spent, need; /* need: what the share has to come to */
    struct value take[TAKE_VALUES], lock[2], ask[6], read[4];
};
#define TAKINGS_MAX (LEVELS * PERIODS)

static struct taking taking_of(struct accounts *accounts, struct account *a, unsigned period,
                               usd_micro worst, wall_ms now)
{
    usd_micro spent = spent_of(a, period, now), used = spent + a->held;
    struct taking t = {.account = a,
                       .period = period,
                       .number = number_of(period, now),
                       .spent = spent,
                       .need = used + worst};
    struct str instance = store_instance(accounts->store);
    const struct value take[TAKE_VALUES] = {
        V_INT(a->level),  V_TEXT(a->id),   V_INT(period),
        V_TEXT(instance), V_INT(t.number), V_INT(t.need),
        V_INT(used),      V_INT(spent),    V_INT(2 * (int64_t)accounts_alive(accounts))};

    for (size_t i = 0; i < TAKE_VALUES; i++)
        t.take[i] = take[i];
    t.lock[0] = t.ask[0] = V_INT(a->level);
    t.lock[1] = t.ask[1] = V_TEXT(a->id);
    t.ask[2] = V_INT(now);
    t.ask[3] = V_INT(period);
    t.ask[4] = V_TEXT(instance);
    t.ask[5] = V_INT(t.need);
    return t;
}

/* Those that are too small for it; tenant first, so that all instances lock in one order. */
static size_t find_takings(struct accounts *accounts, struct account *const levels[LEVELS],
                           usd_micro worst, struct taking out[TAKINGS_MAX])
{
    wall_ms now = clock_wall();
    size_t n = 0;

    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < LEVELS; i++)
        for (unsigned period = 0; period < PERIODS; period++)
            if (levels[i] && levels[i]->lease && !levels[i]->gone &&
                !share_allows(levels[i], period, worst, now))
                out[n++] = taking_of(accounts, levels[i], period, worst, now);
    mutex_unlock(&accounts->lock);
    return n;
}

static bool write_takings(struct accounts *accounts, struct taking *t, size_t count,
                          struct err *err)
{
    struct statement all[3 * TAKINGS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        all[n++] = (struct statement){lock_sql, t[i].lock, ARRAY_LEN(t[i].lock)};
        all[n++] = (struct statement){take_sql(t[i].account, t[i].period), t[i].take, TAKE_VALUES};
        all[n++] = (struct statement){ask_sql, t[i].ask, ARRAY_LEN(t[i].ask)};
    }
    return store_write(accounts->store, all, n, NULL, err);
}

/* *open: what others have and have not spent, of all that fell short. */
static bool read_taking(struct accounts *accounts, struct arena *arena, struct taking *t,
                        usd_micro *open, struct err *err)
{
    const struct value values[] = {V_INT(t->account->level), V_TEXT(t->account->id),
                                   V_INT(t->period), V_TEXT(store_instance(accounts->store)),
                                   V_INT(t->number)};
    const struct statement read = {
        "SELECT s.up_to, (SELECT CAST(COALESCE(SUM(o.open), 0) AS BIGINT) FROM shares o"
        " WHERE o.level = ?1 AND o.id = ?2 AND o.period = ?3 AND o.instance <> ?4) FROM shares s"
        " WHERE s.level = ?1 AND s.id = ?2 AND s.period = ?3 AND s.instance = ?4 AND s.number = ?5",
        values, ARRAY_LEN(values)};
    struct rows rows;

    if (!store_read(accounts->store, arena, &read, &rows, err))
        return false;
    if (!rows.count)
        return true; /* removed meanwhile */

    usd_micro up_to = rows_at(&rows, 0, 0).i;

    *open += up_to < t->need ? rows_at(&rows, 0, 1).i : 0;
    mutex_lock(&accounts->lock);
    t->account->lease->shares[t->period] = (struct share){t->number, up_to};
    t->account->lease->filled = fiber_now();
    mutex_unlock(&accounts->lock);
    return true;
}

/* What another fiber has just found out about them counts for this one too, unless it wants less: 500 that are
 * refused at once must not ask the database 500 times. */
static bool found_short(struct accounts *accounts, const struct taking *t, size_t count,
                        usd_micro worst, usd_micro *open)
{
    bool found = false;

    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < count; i++) {
        const struct lease *lease = t[i].account->lease;

        if (lease->fell_short && fiber_now() - lease->fell_short < RETRY_STEP &&
            worst >= lease->fell_for) {
            found = true;
            *open += lease->fell_open;
        }
    }
    mutex_unlock(&accounts->lock);
    return found;
}

static void note_short(struct accounts *accounts, const struct taking *t, size_t count,
                       usd_micro worst, usd_micro open)
{
    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < count; i++) {
        t[i].account->lease->fell_short = fiber_now();
        t[i].account->lease->fell_for = worst;
        t[i].account->lease->fell_open = open;
    }
    mutex_unlock(&accounts->lock);
}

/* A row that cannot grow falls to what is used, so memory falls first: what others here hold meanwhile may be given
 * to another instance already. */
static void let_fall(struct accounts *accounts, struct taking *t, size_t count, usd_micro worst)
{
    wall_ms now = clock_wall();

    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < count; i++) {
        struct share *share = &t[i].account->lease->shares[t[i].period];

        t[i] = taking_of(accounts, t[i].account, t[i].period, worst, now);
        share->up_to = MIN_OF(share->up_to, t[i].need - worst);
    }
    mutex_unlock(&accounts->lock);
}

static bool grow(struct accounts *accounts, struct arena *arena, struct taking *takings,
                 size_t count, usd_micro *open, struct err *err)
{
    bool ok = !count || write_takings(accounts, takings, count, err);

    for (size_t i = 0; ok && i < count; i++)
        ok = read_taking(accounts, arena, &takings[i], open, err);
    for (size_t i = 0; !ok && i < count; i++)
        takings[i].account->lease->unwritten = true;
    return ok;
}

/* *enough: nothing falls short any more. *open: what may yet come back from others. */
static bool take_more(struct accounts *accounts, struct account *const levels[LEVELS],
                      usd_micro worst, bool *enough, usd_micro *open, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LEASE_BYTES);
    struct taking *takings = arena ? arena_array(arena, TAKINGS_MAX, sizeof *takings) : NULL;

    *open = 0;
    *enough = false;
    if (!takings)
        return err_set(err, ERR_UNAVAILABLE, "no memory to share a limit");

    size_t count = find_takings(accounts, levels, worst, takings);

    if (found_short(accounts, takings, count, worst, open))
        return true;
    let_fall(accounts, takings, count, worst);
    if (!grow(accounts, arena, takings, count, open, err))
        return false;
    count = count ? find_takings(accounts, levels, worst, takings) : 0;
    note_short(accounts, takings, count, worst, *open);
    *enough = !count;
    return true;
}

/* One at a time: who comes second mostly finds that the first has taken enough for both. */
static bool hold_shares(struct accounts *accounts, mono_ns until, struct err *err)
{
    while (atomic_exchange(&accounts->sharing, true)) {
        if (!fiber_sleep(FLAG_STEP, err))
            return false;
        if (fiber_now() > until)
            return err_set(err, ERR_UNAVAILABLE, "the database does not answer in time");
    }
    return true;
}

bool lease_wait(struct accounts *accounts, struct account *const levels[LEVELS], usd_micro worst,
                struct err *err)
{
    mono_ns until = fiber_now() + LEASE_WAIT;
    bool enough = false;
    usd_micro open = 0;

    for (;;) {
        if (!hold_shares(accounts, until + LEASE_WAIT, err))
            return err_wrap(err, "take more of a spend limit");
        bool ok = take_more(accounts, levels, worst, &enough, &open, err);

        atomic_store(&accounts->sharing, false);
        if (!ok)
            return err_wrap(err, "take more of a spend limit");
        if (enough)
            return true;
        if (!open || fiber_now() > until)
            return err_set(err, ERR_EXHAUSTED,
                           "a spend limit is used up or held by running requests, of all instances "
                           "together");
        if (!fiber_sleep(RETRY_STEP, err))
            return false;
    }
}

/* ---- giving back ---- */

static const char *const give_sql =
    "UPDATE shares SET number = ?5, up_to = ?6, open = ?7 WHERE level = ?1 AND id = ?2"
    " AND period = ?3 AND instance = ?4";

/* What is neither spent nor held. In memory first. False: there is nothing to write. */
static bool give_share(struct accounts *accounts, struct account *a, unsigned period,
                       struct value values[7])
{
    wall_ms now = clock_wall();
    struct share *share = &a->lease->shares[period];

    mutex_lock(&accounts->lock);
    usd_micro spent = spent_of(a, period, now), used = spent + a->held;
    int64_t number = number_of(period, now);
    bool differs = share->number && (share->number != number || share->up_to != used);
    differs |= a->lease->unwritten && (share->number || limit_of(a, period));
    if (differs)
        *share = (struct share){number, used};
    const struct value all[7] = {
        V_INT(a->level), V_TEXT(a->id), V_INT(period),      V_TEXT(store_instance(accounts->store)),
        V_INT(number),   V_INT(used),   V_INT(used - spent)};
    mutex_unlock(&accounts->lock);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        values[i] = all[i];
    return differs;
}

static bool give_back(struct accounts *accounts, struct account *a, struct err *err)
{
    struct value values[PERIODS][7];
    struct statement all[PERIODS];
    size_t n = 0;

    for (unsigned period = 0; period < PERIODS; period++)
        if (give_share(accounts, a, period, values[period]))
            all[n++] = (struct statement){give_sql, values[period], 7};
    bool ok = !n || store_write(accounts->store, all, n, NULL, err);
    a->lease->unwritten = !ok;
    return ok;
}

/* Who has more than it needs and others want some. */
static bool answer_asks(struct accounts *accounts, struct arena *arena, struct err *err)
{
    const struct value values[] = {V_INT(clock_wall() - ASKED_FOR_MS)};
    const struct statement read = {"SELECT level, id, asked FROM share_asks WHERE told > ?1",
                                   values, 1};
    struct rows rows;

    if (!store_read(accounts->store, arena, &read, &rows, err))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        struct account *a = account_find(accounts, rows_at(&rows, i, 0).i, rows_at(&rows, i, 1).s);
        int64_t asked = rows_at(&rows, i, 2).i;

        if (!a || !a->lease || a->lease->asked == asked)
            continue;
        if (!give_back(accounts, a, err))
            return false;
        a->lease->asked = asked;
    }
    return true;
}

/* Not for long in one place: another day has begun, or more was spent than the share, or nobody took any of it
 * for a while, or the limit was changed; or the rows do not say what is here. */
static bool is_stale(struct accounts *accounts, const struct lease *lease, wall_ms now)
{
    const struct account *a = lease->account;
    bool stale = lease->unwritten;

    mutex_lock(&accounts->lock);
    for (unsigned period = 0; period < PERIODS; period++) {
        const struct share *share = &lease->shares[period];
        usd_micro used = spent_of(a, period, now) + a->held;

        stale |=
            share->number && (share->number != number_of(period, now) || used > share->up_to ||
                              (used != share->up_to && fiber_now() - lease->filled > IDLE_AFTER));
    }
    stale &= !a->gone; /* its rows, if there are any, are of who has the name now */
    mutex_unlock(&accounts->lock);
    return stale;
}

static bool give_stale(struct accounts *accounts, struct err *err)
{
    mutex_lock(&accounts->lock);
    struct lease *lease = accounts->leases; /* those that come go in front, none goes away */
    mutex_unlock(&accounts->lock);
    for (; lease; lease = lease->next)
        if (is_stale(accounts, lease, clock_wall()) && !give_back(accounts, lease->account, err))
            return false;
    return true;
}

bool leases_settle_now(struct accounts *accounts, struct err *err)
{
    const struct value values[] = {V_TEXT(store_instance(accounts->store))};
    const struct statement settle = {leases_settle_sql, values, 1};

    return !store_is_shared(accounts->store) ||
           store_write_now(accounts->store, &settle, 1, NULL, err);
}

bool accounts_retire(struct accounts *accounts, struct str instance, struct err *err)
{
    const struct value values[] = {V_TEXT(instance), V_INT(clock_wall())};
    const struct statement all[] = {
        {leases_settle_sql, values, 1},
        {"UPDATE instances SET stopped = ?2 WHERE id = ?1 AND stopped = 0", values, 2},
    };

    return store_write(accounts->store, all, ARRAY_LEN(all), NULL, err);
}

/* ---- what others have spent, for people and for refusals at once ---- */

static void set_others(struct accounts *accounts, const struct rows *rows, size_t row)
{
    struct account *a = account_find(accounts, rows_at(rows, row, 0).i, rows_at(rows, row, 1).s);

    if (!a)
        return;
    mutex_lock(&accounts->lock);
    a->others = (struct spend){.day = rows_at(rows, row, 2).i,
                               .in_day = rows_at(rows, row, 3).i,
                               .month = rows_at(rows, row, 4).i,
                               .in_month = rows_at(rows, row, 5).i,
                               .total = rows_at(rows, row, 6).i,
                               .last_used = rows_at(rows, row, 7).i};
    mutex_unlock(&accounts->lock);
}

bool accounts_read_others(struct accounts *accounts, wall_ms since, struct err *err)
{
    static const char *const sql =
        "SELECT o.level, o.id, CAST(?2 AS BIGINT),"
        " CAST(SUM(CASE WHEN o.day = CAST(?2 AS BIGINT) THEN o.in_day ELSE 0 END) AS BIGINT),"
        " CAST(?3 AS BIGINT),"
        " CAST(SUM(CASE WHEN o.month = CAST(?3 AS BIGINT) THEN o.in_month ELSE 0 END) AS BIGINT),"
        " CAST(SUM(o.total) AS BIGINT), MAX(o.last_used) FROM instance_balances o"
        " WHERE o.instance <> ?1 AND (o.level, o.id) IN (SELECT w.level, w.id FROM"
        " instance_balances w WHERE w.instance <> ?1 AND w.written >= ?4)"
        " GROUP BY o.level, o.id ORDER BY o.level, o.id LIMIT ?5 OFFSET ?6";
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * LEASE_BYTES);
    wall_ms now = clock_wall();
    struct rows rows = {.count = OTHERS_PAGE};

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to read what others spent");
    for (int64_t skip = 0; rows.count == OTHERS_PAGE; skip += OTHERS_PAGE) {
        const struct value values[] = {V_TEXT(store_instance(accounts->store)),
                                       V_INT(calendar_day(now)),
                                       V_INT(calendar_month(now)),
                                       V_INT(since),
                                       V_INT(OTHERS_PAGE),
                                       V_INT(skip)};
        const struct statement read = {sql, values, ARRAY_LEN(values)};
        size_t mark = arena_mark(arena);
        bool ok = fiber_self() ? store_read(accounts->store, arena, &read, &rows, err)
                               : store_read_now(accounts->store, arena, &read, &rows, err);

        if (!ok)
            return false;
        for (size_t i = 0; i < rows.count; i++)
            set_others(accounts, &rows, i);
        arena_rewind(arena, mark);
    }
    return true;
}

/* ---- the fiber ---- */

struct round {
    struct accounts *accounts;
    mono_ns others; /* when they were read last */
    wall_ms since;
};

static bool turn(struct round *round, struct err *err)
{
    struct accounts *accounts = round->accounts;
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * LEASE_BYTES);
    wall_ms now = clock_wall();

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to share limits");
    if (!hold_shares(accounts, fiber_now() + LEASE_WAIT, err))
        return false;
    bool ok = answer_asks(accounts, arena, err) && give_stale(accounts, err);
    atomic_store(&accounts->sharing, false);
    if (!ok || fiber_now() < round->others + OTHERS_EVERY)
        return ok;
    round->others = fiber_now();
    if (!accounts_read_others(accounts, round->since, err))
        return false;
    round->since = now - STEP_BACK_MS;
    return true;
}

void accounts_share_loop(void *arg)
{
    struct accounts *accounts = arg;
    struct round round = {.accounts = accounts};
    struct err over = {0};
    bool failing = false;

    while (store_is_shared(accounts->store) && fiber_sleep(ASKS_EVERY, &over)) {
        struct err err = {0};
        bool ok = turn(&round, &err);

        if (!ok && !failing)
            log_warn("spend limits cannot be shared with other instances now: each goes on within "
                     "its share: %s",
                     err.text);
        if (ok && failing)
            log_info("spend limits are shared with other instances again");
        failing = !ok;
    }
}
