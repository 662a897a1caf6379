/* accounts/money.c: holds and the one step that makes a record and its money true together. */
#include "accounts/accounts_internal.h"
#include "accounts/audit_internal.h"
#include "accounts/calendar.h"
#include "accounts/leases.h"
#include "accounts/usage_internal.h"
#include "accounts/windows.h"
#include "sys/clock.h"

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

struct balance balance_of(const struct account *account, wall_ms now)
{
    const struct spend *own = &account->spend, *others = &account->others;

    return (struct balance){.spent_day = spend_in_day(own, now) + spend_in_day(others, now),
                            .spent_month = spend_in_month(own, now) + spend_in_month(others, now),
                            .spent_total = own->total + others->total,
                            .held = account->held,
                            .in_flight = account->in_flight,
                            .last_used = MAX_OF(own->last_used, others->last_used)};
}

struct account *account_find(struct accounts *accounts, int64_t level, struct str id)
{
    mutex_lock(&accounts->lock);
    struct key_state *key = level == LEVEL_KEY ? table_get(&accounts->by_id, id) : NULL;
    struct unit *unit = level == LEVEL_KEY ? NULL : units_get(accounts, id);
    mutex_unlock(&accounts->lock);
    return key ? &key->account : unit ? &unit->account : NULL;
}

void accounts_join(struct accounts *accounts, const struct instances *instances)
{
    accounts->instances = instances;
}

void account_touch(struct accounts *accounts, struct account *account)
{
    if (account->dirty)
        return;
    account->dirty = true;
    account->next_dirty = accounts->dirty;
    accounts->dirty = account;
}

/* ---- holds ---- */

static void count(struct account *a, struct hold *hold, wall_ms now)
{
    a->held += hold->amount;
    a->in_flight++;
    if (a->limits.requests_per_minute && !hold->again) {
        window_count(&a->meter->requests, 1);
        hold->asked[a->level] = a->meter->requests.second;
    }
    if (a->limits.tokens_per_minute) {
        window_move(&a->meter->tokens, now);
        window_count(&a->meter->tokens, hold->tokens);
        hold->second[a->level] = a->meter->tokens.second;
    }
}

static bool hold_locked(struct account *const levels[LEVELS], struct hold *hold, wall_ms now,
                        struct err *err)
{
    const struct principal *who = hold->who;

    if (atomic_load_explicit(&who->key->refused, memory_order_relaxed))
        return err_set(err, ERR_UNAUTHENTICATED, "key \"" STR_FMT "\" is revoked",
                       STR_ARG(who->key_id));
    if (atomic_load_explicit(&who->tenant_unit->removed, memory_order_relaxed) ||
        (who->team_unit && atomic_load_explicit(&who->team_unit->removed, memory_order_relaxed)))
        return err_set(err, ERR_UNAUTHENTICATED, "tenant or team of \"" STR_FMT "\" was removed",
                       STR_ARG(who->key_id));
    if (!limits_allow(levels, (struct need){hold->amount, hold->tokens, hold->again}, now, hold,
                      err))
        return false;
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i])
            count(levels[i], hold, now);
    return true;
}

static void close_locked(struct accounts *accounts, struct hold *hold, int64_t tokens);

/* A refusal counts at none: not here either. */
static void uncount(struct accounts *accounts, struct account *const levels[LEVELS],
                    struct hold *hold)
{
    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i] && hold->asked[levels[i]->level]) {
            window_correct(&levels[i]->meter->requests, hold->asked[levels[i]->level], 1, 0);
            hold->asked[levels[i]->level] = 0;
        }
    close_locked(accounts, hold, 0);
    for (size_t i = 0; i < LEVELS; i++)
        hold->second[i] = 0; /* where there is no limit any more, nothing counts anew */
    mutex_unlock(&accounts->lock);
}

static bool hold_here(struct accounts *accounts, struct account *const levels[LEVELS],
                      struct hold *hold, wall_ms now, struct err *err)
{
    for (;;) {
        mutex_lock(&accounts->lock);
        hold->open = hold_locked(levels, hold, now, err);
        accounts->holds_open += hold->open;
        mutex_unlock(&accounts->lock);
        if (LIKELY(hold->open || !hold->short_share))
            return hold->open;
        *err = (struct err){0};
        hold->short_share = false;
        if (!lease_wait(accounts, levels, hold->amount, err))
            return false;
        now = clock_wall(); /* the share is of the day that it is now */
    }
}

/* Limits of minutes and of what is in progress, of several instances: here, then in Redis; without it here
 * alone, within this instance's part. */
static COLD bool hold_shared(struct accounts *accounts, struct account *const levels[LEVELS],
                             struct hold *hold, wall_ms now, struct err *err)
{
    if (windows_are_asked(accounts)) {
        if (!hold_here(accounts, levels, hold, now, err))
            return false;
        if (windows_take(accounts, levels, hold, err))
            return true;
        uncount(accounts, levels, hold);
        if (err->code != ERR_UNAVAILABLE)
            return false;
        *err = (struct err){0};
    }
    hold->parts = accounts_alive(accounts);
    return hold_here(accounts, levels, hold, now, err) ||
           (hold->refused > LIMIT_NONE && hold->refused < LIMIT_SPEND && hold->parts > 1
                ? err_wrap(err, "this instance has one of %" PRIu32 " parts of each limit now",
                           hold->parts)
                : false);
}

bool hold_take(struct accounts *accounts, const struct principal *who, struct need worst,
               wall_ms now, struct hold *out, struct err *err)
{
    struct hold hold = {.who = who,
                        .amount = MIN_OF(worst.cost, HOLD_MAX),
                        .tokens = MIN_OF(worst.tokens, TOKENS_MAX),
                        .again = worst.again};
    struct account *levels[LEVELS];

    ASSERT(worst.cost >= 0 && worst.tokens >= 0 && !out->open);
    if (!audit_ready(accounts->audit, err)) /* what cannot be recorded may not cost anything */
        return false;
    accounts_of(who, levels);
    bool ok = UNLIKELY(accounts->shared) && windows_concern(levels)
                  ? hold_shared(accounts, levels, &hold, now, err)
                  : hold_here(accounts, levels, &hold, now, err);
    *out = hold;
    return ok;
}

bool hold_more(struct accounts *accounts, struct hold *hold, usd_micro more, wall_ms now,
               struct err *err)
{
    struct account *levels[LEVELS];
    bool ok = false;

    ASSERT(hold->open && more >= 0);
    more = MIN_OF(more, HOLD_MAX - hold->amount);
    accounts_of(hold->who, levels);
    while (!ok) {
        struct hold why = {0};

        mutex_lock(&accounts->lock);
        ok = limits_allow_more(levels, more, now, &why, err);
        for (size_t i = 0; ok && i < LEVELS; i++)
            if (levels[i])
                levels[i]->held += more;
        hold->amount += ok ? more : 0;
        mutex_unlock(&accounts->lock);
        if (ok || !why.short_share)
            break;
        *err = (struct err){0};
        if (!lease_wait(accounts, levels, more, err))
            break;
        now = clock_wall(); /* as in hold_here() */
    }
    return ok;
}

void hold_less(struct accounts *accounts, struct hold *hold, usd_micro less)
{
    struct account *levels[LEVELS];

    ASSERT(hold->open && less >= 0);
    less = MIN_OF(less, hold->amount);
    accounts_of(hold->who, levels);
    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i])
            levels[i]->held -= less;
    hold->amount -= less;
    mutex_unlock(&accounts->lock);
}

bool hold_widen(struct accounts *accounts, struct hold *hold)
{
    struct account *levels[LEVELS];
    bool ok = hold->open;

    accounts_of(hold->who, levels);
    /* What others have in flight is known elsewhere then, and asking costs more than it gives. */
    if (accounts->shared && windows_concern(levels))
        return false;
    mutex_lock(&accounts->lock);
    for (size_t i = 0; i < LEVELS; i++)
        ok = ok && !(levels[i] && levels[i]->limits.in_flight &&
                     levels[i]->in_flight >= levels[i]->limits.in_flight);
    for (size_t i = 0; ok && i < LEVELS; i++)
        if (levels[i])
            levels[i]->in_flight++;
    hold->beside += ok;
    mutex_unlock(&accounts->lock);
    return ok;
}

void hold_narrow(struct accounts *accounts, struct hold *hold)
{
    struct account *levels[LEVELS];

    accounts_of(hold->who, levels);
    mutex_lock(&accounts->lock);
    for (size_t i = 0; hold->beside && i < LEVELS; i++)
        if (levels[i])
            levels[i]->in_flight--;
    hold->beside -= hold->beside > 0;
    mutex_unlock(&accounts->lock);
}

/* Tokens count in the second of the hold: what they came to instead of what they might have been. */
static void settle(struct account *a, const struct hold *hold, int64_t tokens)
{
    ASSERT(a->held >= hold->amount && a->in_flight > hold->beside);
    a->held -= hold->amount;
    a->in_flight -= 1 + hold->beside;
    if (hold->second[a->level])
        window_correct(&a->meter->tokens, hold->second[a->level], hold->tokens, tokens);
}

static void close_locked(struct accounts *accounts, struct hold *hold, int64_t tokens)
{
    struct account *levels[LEVELS];

    ASSERT(accounts->holds_open > 0);
    accounts_of(hold->who, levels);
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i])
            settle(levels[i], hold, tokens);
    windows_settle(accounts, levels, hold, tokens);
    accounts->holds_open--;
    hold->beside = 0;
    hold->open = false;
}

void hold_drop(struct accounts *accounts, struct hold *hold)
{
    if (!hold->open)
        return;
    mutex_lock(&accounts->lock);
    close_locked(accounts, hold, 0);
    mutex_unlock(&accounts->lock);
}

size_t accounts_holds_open(struct accounts *accounts)
{
    mutex_lock(&accounts->lock);
    size_t open = accounts->holds_open;
    mutex_unlock(&accounts->lock);
    return open;
}

/* ---- records ---- */

static void charge(struct accounts *accounts, struct account *const levels[LEVELS],
                   const struct audit_record *record)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i]) {
            spend_add(&levels[i]->spend, record->time, record->cost);
            account_touch(accounts, levels[i]);
        }
}

static int64_t tokens_of(const struct audit_record *record)
{
    int64_t in = MAX_OF(record->tokens_in, 0), out = MAX_OF(record->tokens_out, 0);

    return MIN_OF(in, TOKENS_MAX) + MIN_OF(out, TOKENS_MAX);
}

static void name_payer(const struct hold *hold, struct audit_record *record)
{
    record->key_id = hold->who->key_id;
    record->tenant = hold->who->tenant;
    record->team = hold->who->team;
    if (!record->tags.len)
        record->tags = hold->who->tag_list;
}

/* Removed while the request was on its way: what is recorded of it counts nowhere, or its rows would be back. */
static bool is_gone(const struct principal *who)
{
    return who->key->account.gone || who->tenant_unit->account.gone ||
           (who->team_unit && who->team_unit->account.gone);
}

/* Of a record without a hold: refused before it, but of a key. It was used, as the replay will see. */
static bool find_payer(struct accounts *accounts, const struct audit_record *record,
                       struct account *levels[LEVELS])
{
    struct key_state *key = table_get(&accounts->by_id, record->key_id);
    struct unit *team = record->team.len ? units_get(accounts, record->team) : NULL;

    levels[LEVEL_KEY] = key ? &key->account : NULL;
    levels[LEVEL_TEAM] = key && team ? &team->account : NULL;

    struct unit *tenant = key ? units_get(accounts, record->tenant) : NULL;

    levels[LEVEL_TENANT] = tenant ? &tenant->account : NULL;
    return key && (tenant || !record->tenant.len) && (team || !record->team.len);
}

/* The text is made before the lock is taken. Replaying the log runs the same spend_add() in the same
 * order over the same times and costs, which is why it comes to the same sums. */
bool accounts_record(struct accounts *accounts, struct hold *hold, struct audit_record *record,
                     struct err *err)
{
    bool known = hold && hold->who;
    struct account *levels[LEVELS];
    struct audit_line line;

    if (known)
        name_payer(hold, record);
    ASSERT(record->cost >= 0 && (known || !record->cost)); /* nobody to charge */
    record->cost = MIN_OF(record->cost, HOLD_MAX);
    audit_line_format(record, &line);
    if (known)
        accounts_of(hold->who, levels);

    mutex_lock(&accounts->lock);
    bool ok = audit_append_line(accounts->audit, &line, &record->seq, err);
    known = ok && (known ? !is_gone(hold->who) : find_payer(accounts, record, levels));
    if (known)
        charge(accounts, levels, record);
    if (ok)
        usage_follow(accounts->usage, record, known);
    if (ok && hold && hold->open)
        close_locked(accounts, hold, hold->tokens ? tokens_of(record) : 0); /* kept: it took none */
    mutex_unlock(&accounts->lock);
    return ok;
}
