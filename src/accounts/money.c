/* accounts/money.c: limits, holds and the one step that makes a record and its money true together. */
#include "accounts/accounts_internal.h"
#include "accounts/audit_internal.h"
#include "accounts/calendar.h"
#include "base/log.h"

#define USD_TEXT 32

/* ---- spend ---- */

/* A record from before the day that is open (another clock, another loop) counts in the open day. */
void spend_add(struct spend *spend, wall_ms time, usd_micro cost)
{
    int64_t day = calendar_day(time), month = calendar_month(time);

    if (day > spend->day) {
        spend->day = day;
        spend->in_day = 0;
    }
    if (month > spend->month) {
        spend->month = month;
        spend->in_month = 0;
    }
    spend->in_day += cost;
    spend->in_month += cost;
    spend->total += cost;
    spend->last_used = MAX_OF(spend->last_used, time);
}

usd_micro spend_in_day(const struct spend *spend, wall_ms now)
{
    return calendar_day(now) > spend->day ? 0 : spend->in_day;
}

usd_micro spend_in_month(const struct spend *spend, wall_ms now)
{
    return calendar_month(now) > spend->month ? 0 : spend->in_month;
}

void key_touch(struct accounts *accounts, struct key_state *key)
{
    if (key->dirty)
        return;
    key->dirty = true;
    key->next_dirty = accounts->dirty;
    accounts->dirty = key;
}

/* ---- requests per minute ---- */

/* Small steps back of the clock count in the newest second; a jump begins a new minute. */
static void minute_move(struct minute *m, wall_ms now)
{
    int64_t second = now / 1000, behind = second - m->second;

    if (behind <= 0 && behind > -(int64_t)MINUTE_SLOTS)
        return;
    if (behind < 0 || behind >= MINUTE_SLOTS)
        *m = (struct minute){0};
    else
        for (int64_t s = m->second + 1; s <= second; s++) {
            m->sum -= m->slots[s % MINUTE_SLOTS];
            m->slots[s % MINUTE_SLOTS] = 0;
        }
    m->second = second;
}

static void minute_count(struct minute *m)
{
    m->slots[m->second % MINUTE_SLOTS]++;
    m->sum++;
}

/* How long until none of the counted requests counts any more: until the newest is a minute ago. */
static dur_ns minute_until_empty(const struct minute *m, wall_ms now)
{
    int64_t s = m->second;

    if (!m->sum)
        return 0;
    while (!m->slots[s % MINUTE_SLOTS])
        s--;
    return MAX_OF((s + MINUTE_SLOTS) * 1000 - now, 0) * MILLISECOND;
}

/* How long until `many` of the counted requests are more than a minute ago. */
static dur_ns minute_until_free(const struct minute *m, uint32_t many, wall_ms now)
{
    int64_t s = m->second - (int64_t)MINUTE_SLOTS + 1;

    if (!many)
        return 0;
    for (uint32_t gone = 0; s <= m->second; s++) {
        gone += s < 0 ? 0 : m->slots[s % MINUTE_SLOTS];
        if (gone >= many)
            break;
    }
    return MAX_OF((s + MINUTE_SLOTS) * 1000 - now, 0) * MILLISECOND;
}

static dur_ns minute_retry_after(const struct key_state *key, wall_ms now)
{
    int64_t limit = key->limits.requests_per_minute;

    if (!limit || key->minute.sum < limit)
        return 0;
    return minute_until_free(&key->minute, (uint32_t)(key->minute.sum - limit + 1), now);
}

/* ---- what a limit leaves ---- */

struct budget {
    const char *period;
    usd_micro limit, spent;
};

/* When the period after this one begins. */
static wall_ms budget_resets(const struct budget *budget, wall_ms now)
{
    if (budget->period[0] == 'd')
        return calendar_day_start(calendar_day(now) + 1);
    return calendar_month_start(calendar_month(now) + 1);
}

static void budgets_of(const struct key_state *key, wall_ms now, struct budget out[2])
{
    out[0] = (struct budget){"day", key->limits.spend_day, spend_in_day(&key->spend, now)};
    out[1] = (struct budget){"month", key->limits.spend_month, spend_in_month(&key->spend, now)};
}

/* May be below zero: the truth that is settled can be more than what was held. */
static usd_micro budget_left(const struct budget *budget, const struct key_state *key)
{
    return budget->limit - budget->spent - key->held;
}

/* What costs nothing is not held back by money. */
static bool budget_allows(const struct budget *budget, const struct key_state *key, usd_micro worst)
{
    return !budget->limit || !worst || worst <= budget_left(budget, key);
}

/* Dollars with two to six decimals. */
static const char *usd_text(char to[USD_TEXT], usd_micro n)
{
    struct buf b;

    buf_init_fixed(&b, to, USD_TEXT - 1);
    buf_usd(&b, n);
    for (int i = 0; i < 4 && b.ptr[b.len - 1] == '0'; i++)
        b.len--;
    b.ptr[b.len] = 0;
    return to;
}

static bool refuse_budget(const struct budget *budget, const struct key_state *key, usd_micro worst,
                          wall_ms now, struct err *err)
{
    char limit[USD_TEXT], spent[USD_TEXT], held[USD_TEXT], need[USD_TEXT], resets[25];

    usd_text(limit, budget->limit);
    usd_text(need, worst);
    if (worst > budget->limit)
        return err_set(err, ERR_EXHAUSTED,
                       "request may cost %s USD, more than the spend limit of %s USD a %s", need,
                       limit, budget->period);
    wall_format(budget_resets(budget, now), resets);
    return err_set(err, ERR_EXHAUSTED,
                   "spend limit of %s USD a %s is used up (%s spent, %s held by running requests,"
                   " at most %s needed), resets at %.19sZ",
                   limit, budget->period, usd_text(spent, budget->spent), usd_text(held, key->held),
                   need, resets);
}

static bool refuse_minute(const struct key_state *key, wall_ms now, struct err *err)
{
    int64_t seconds = (minute_retry_after(key, now) + SECOND - 1) / SECOND;

    return err_set(err, ERR_EXHAUSTED,
                   "limit of %" PRId64 " requests a minute is used up, the next is free in %" PRId64
                   " s",
                   key->limits.requests_per_minute, seconds);
}

/* ---- holds ---- */

static bool hold_locked(struct key_state *key, usd_micro worst, wall_ms now, struct err *err)
{
    struct budget budgets[2];

    if (atomic_load_explicit(&key->refused, memory_order_relaxed))
        return err_set(err, ERR_UNAUTHENTICATED, "key \"" STR_FMT "\" is revoked",
                       STR_ARG(key->who.key_id));
    if (key->limits.requests_per_minute) {
        minute_move(&key->minute, now);
        if (key->minute.sum >= key->limits.requests_per_minute)
            return refuse_minute(key, now, err);
    }
    if (key->limits.spend_day || key->limits.spend_month) {
        budgets_of(key, now, budgets);
        for (size_t i = 0; i < ARRAY_LEN(budgets); i++)
            if (!budget_allows(&budgets[i], key, worst))
                return refuse_budget(&budgets[i], key, worst, now, err);
    }
    if (key->limits.requests_per_minute)
        minute_count(&key->minute);
    key->held += worst;
    return true;
}

bool hold_take(struct accounts *accounts, const struct principal *who, usd_micro worst, wall_ms now,
               struct hold *out, struct err *err)
{
    ASSERT(worst >= 0 && !out->open);
    worst = MIN_OF(worst, HOLD_MAX);
    if (!audit_ready(accounts->audit, err)) /* what cannot be recorded may not cost anything */
        return false;

    mutex_lock(&accounts->lock);
    bool ok = hold_locked(who->state, worst, now, err);
    accounts->holds_open += ok;
    mutex_unlock(&accounts->lock);
    if (ok)
        *out = (struct hold){.who = who, .amount = worst, .open = true};
    return ok;
}

static void close_locked(struct accounts *accounts, struct hold *hold)
{
    struct key_state *key = hold->who->state;

    ASSERT(key->held >= hold->amount && accounts->holds_open > 0);
    key->held -= hold->amount;
    accounts->holds_open--;
    hold->open = false;
}

void hold_drop(struct accounts *accounts, struct hold *hold)
{
    if (!hold->open)
        return;
    mutex_lock(&accounts->lock);
    close_locked(accounts, hold);
    mutex_unlock(&accounts->lock);
}

size_t accounts_holds_open(struct accounts *accounts)
{
    mutex_lock(&accounts->lock);
    size_t open = accounts->holds_open;
    mutex_unlock(&accounts->lock);
    return open;
}

/* ---- what the client may be told ---- */

static void requests_left(struct key_state *key, wall_ms now, struct limits_left *out)
{
    int64_t limit = key->limits.requests_per_minute;

    if (!limit)
        return;
    minute_move(&key->minute, now);
    out->requests_limit = limit;
    out->requests_left = MAX_OF(limit - key->minute.sum, 0);
    out->requests_reset = minute_until_empty(&key->minute, now);
    out->retry_after = minute_retry_after(key, now);
}

static void spend_left(const struct key_state *key, wall_ms now, struct limits_left *out)
{
    struct budget budgets[2];

    if (!key->limits.spend_day && !key->limits.spend_month)
        return;
    budgets_of(key, now, budgets);
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
        usd_micro left = MAX_OF(budget_left(&budgets[i], key), 0);

        if (!budgets[i].limit)
            continue;
        if (out->spend_limit < 0 || left < out->spend_left) {
            out->spend_limit = budgets[i].limit;
            out->spend_left = left;
        }
        if (!left)
            out->retry_after =
                MAX_OF(out->retry_after, (budget_resets(&budgets[i], now) - now) * MILLISECOND);
    }
}

struct limits_left limits_left(struct accounts *accounts, const struct principal *who, wall_ms now)
{
    struct limits_left left = {.requests_limit = -1,
                               .requests_left = -1,
                               .requests_reset = -1,
                               .spend_limit = -1,
                               .spend_left = -1};

    mutex_lock(&accounts->lock);
    requests_left(who->state, now, &left);
    spend_left(who->state, now, &left);
    mutex_unlock(&accounts->lock);
    return left;
}

/* ---- records ---- */

/* The text is made before the lock is taken. Replaying the log runs the same spend_add() in the same
 * order over the same times and costs, which is why it comes to the same sums. */
bool accounts_record(struct accounts *accounts, struct hold *hold, struct audit_record *record,
                     struct err *err)
{
    struct key_state *key = hold && hold->who ? hold->who->state : NULL;
    struct audit_line line;

    if (key) {
        record->key_id = key->who.key_id;
        record->tenant = key->who.tenant;
    }
    ASSERT(record->cost >= 0 && (key || !record->cost)); /* nobody to charge */
    record->cost = MIN_OF(record->cost, HOLD_MAX);
    audit_line_format(record, &line);

    mutex_lock(&accounts->lock);
    bool ok = audit_append_line(accounts->audit, &line, &record->seq, err);
    if (ok && !key) /* refused before a hold, but of a key: it was used, as the replay will see */
        key = table_get(&accounts->by_id, record->key_id);
    if (ok && key) {
        spend_add(&key->spend, record->time, record->cost);
        key_touch(accounts, key);
    }
    if (ok && hold && hold->open)
        close_locked(accounts, hold);
    mutex_unlock(&accounts->lock);
    return ok;
}
