/* accounts/limits.c: what a minute, a day and a month have left, and the words for a refusal. All of it
 * under the lock; the levels are looked at together before any of them counts. */
#include "accounts/accounts_internal.h"
#include "accounts/calendar.h"
#include "accounts/leases.h"
#include "base/log.h"

#define MINUTE (60 * SECOND)

/* ---- windows: what was counted in the last minute ---- */

/* Small steps back of the clock count in the newest second; a jump begins a new minute. */
void window_move(struct window *w, wall_ms now)
{
    int64_t second = now / 1000, behind = second - w->second;

    if (behind <= 0 && behind > -WINDOW_SLOTS)
        return;
    if (behind < 0 || behind >= WINDOW_SLOTS)
        *w = (struct window){0};
    else
        for (int64_t s = w->second + 1; s <= second; s++) {
            w->sum -= w->slots[s % WINDOW_SLOTS];
            w->slots[s % WINDOW_SLOTS] = 0;
        }
    w->second = second;
}

void window_count(struct window *w, int64_t n)
{
    w->slots[w->second % WINDOW_SLOTS] += n;
    w->sum += n;
}

void window_correct(struct window *w, int64_t second, int64_t counted, int64_t truth)
{
    if (second > w->second || second <= w->second - WINDOW_SLOTS)
        return;

    int64_t *slot = &w->slots[second % WINDOW_SLOTS];
    int64_t more = truth - MIN_OF(counted, *slot); /* a jump of the clock may have emptied it */

    *slot += more;
    w->sum += more;
}

/* How long until none of what was counted counts any more: until the newest is a minute ago. */
static dur_ns until_empty(const struct window *w, wall_ms now)
{
    int64_t s = w->second;

    if (!w->sum)
        return 0;
    while (!w->slots[s % WINDOW_SLOTS])
        s--;
    return MAX_OF((s + WINDOW_SLOTS) * 1000 - now, 0) * MILLISECOND;
}

/* How long until `many` of what was counted are more than a minute ago. */
static dur_ns until_free(const struct window *w, int64_t many, wall_ms now)
{
    int64_t s = w->second - WINDOW_SLOTS + 1;

    if (many <= 0)
        return 0;
    for (int64_t gone = 0; s <= w->second; s++) {
        gone += s < 0 ? 0 : w->slots[s % WINDOW_SLOTS];
        if (gone >= many)
            break;
    }
    return MAX_OF((s + WINDOW_SLOTS) * 1000 - now, 0) * MILLISECOND;
}

/* ---- days and months ---- */

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

static void budgets_of(const struct account *a, wall_ms now, struct budget out[2])
{
    out[0] = (struct budget){"day", a->limits.spend_day,
                             spend_in_day(&a->spend, now) + spend_in_day(&a->others, now)};
    out[1] = (struct budget){"month", a->limits.spend_month,
                             spend_in_month(&a->spend, now) + spend_in_month(&a->others, now)};
}

/* May be below zero: the truth that is settled can be more than what was held. */
static usd_micro budget_left(const struct budget *budget, const struct account *a)
{
    return budget->limit - budget->spent - a->held;
}

/* What costs nothing is not held back by money. */
static bool budget_allows(const struct budget *budget, const struct account *a, usd_micro worst)
{
    return !budget->limit || !worst || worst <= budget_left(budget, a);
}

/* ---- refusals ---- */

/* This instance's part where limits are divided. */
static int64_t part_of(int64_t limit, const struct hold *hold)
{
    return UNLIKELY(hold->parts > 1) ? MAX_OF(limit / hold->parts, 1) : limit;
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

/* "this key", "team \"acme/search\"" */
static const char *whose(char to[160], const struct account *a)
{
    struct buf b;

    buf_init_fixed(&b, to, 159);
    if (a->level == LEVEL_KEY)
        buf_str(&b, STR("this key"));
    else
        buf_fmt(&b, "%s \"" STR_FMT "\"", a->level == LEVEL_TEAM ? "team" : "tenant",
                STR_ARG(a->id));
    to[b.len] = 0;
    return to;
}

static COLD bool refuse_budget(const struct budget *budget, const struct account *a,
                               usd_micro worst, wall_ms now, struct hold *out, struct err *err)
{
    char limit[USD_TEXT], spent[USD_TEXT], held[USD_TEXT], need[USD_TEXT], resets[25], name[160];

    out->refused = LIMIT_SPEND;
    usd_text(limit, budget->limit);
    usd_text(need, worst);
    if (worst > budget->limit)
        return err_set(err, ERR_EXHAUSTED,
                       "request may cost %s USD, more than the spend limit of %s USD a %s of %s",
                       need, limit, budget->period, whose(name, a));

    wall_ms next = budget_resets(budget, now);

    out->retry_after = (next - now) * MILLISECOND;
    wall_format(next, resets);
    return err_set(err, ERR_EXHAUSTED,
                   "spend limit of %s USD a %s of %s is used up (%s spent, %s held by running"
                   " requests, at most %s needed), resets at %.19sZ",
                   limit, budget->period, whose(name, a), usd_text(spent, budget->spent),
                   usd_text(held, a->held), need, resets);
}

static int64_t seconds_up(dur_ns d)
{
    return (d + SECOND - 1) / SECOND;
}

static COLD bool refuse_requests(const struct account *a, wall_ms now, struct hold *out,
                                 struct err *err)
{
    int64_t limit = part_of(a->limits.requests_per_minute, out);
    char name[160];

    out->refused = LIMIT_REQUESTS;
    out->retry_after = until_free(&a->meter->requests, a->meter->requests.sum - limit + 1, now);
    return err_set(err, ERR_EXHAUSTED,
                   "limit of %" PRId64 " requests a minute of %s is used up, the next is free in"
                   " %" PRId64 " s",
                   limit, whose(name, a), seconds_up(out->retry_after));
}

static COLD bool refuse_tokens(const struct account *a, int64_t worst, wall_ms now,
                               struct hold *out, struct err *err)
{
    int64_t limit = part_of(a->limits.tokens_per_minute, out), counted = a->meter->tokens.sum;
    char name[160];

    out->refused = LIMIT_TOKENS;
    if (worst > limit)
        return err_set(err, ERR_EXHAUSTED,
                       "request may use %" PRId64 " tokens, more than the limit of %" PRId64
                       " tokens a minute of %s",
                       worst, limit, whose(name, a));
    out->retry_after = until_free(&a->meter->tokens, counted + worst - limit, now);
    return err_set(err, ERR_EXHAUSTED,
                   "limit of %" PRId64 " tokens a minute of %s is used up (%" PRId64
                   " counted, at most %" PRId64 " needed), enough are free in %" PRId64 " s",
                   limit, whose(name, a), counted, worst, seconds_up(out->retry_after));
}

static COLD bool refuse_in_flight(const struct account *a, struct hold *out, struct err *err)
{
    char name[160];

    out->refused = LIMIT_IN_FLIGHT;
    out->retry_after = SECOND;
    return err_set(err, ERR_EXHAUSTED, "limit of %" PRId64 " requests in progress of %s is reached",
                   part_of(a->limits.in_flight, out), whose(name, a));
}

static bool spend_allows(struct account *a, usd_micro worst, wall_ms now, struct hold *out,
                         struct err *err)
{
    struct budget budgets[2];

    if (!a->limits.spend_day && !a->limits.spend_month)
        return true;
    budgets_of(a, now, budgets);
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++)
        if (!budget_allows(&budgets[i], a, worst))
            return refuse_budget(&budgets[i], a, worst, now, out, err);
    if (a->lease && worst && !lease_allows(a, worst, now)) {
        out->refused = LIMIT_SPEND;
        out->short_share = true;
        out->retry_after = SECOND; /* until requests of other instances have ended */
        return err_set(err, ERR_EXHAUSTED,
                       "the share of a spend limit that this instance has is used up");
    }
    return true;
}

static bool one_allows(struct account *a, struct need worst, wall_ms now, struct hold *out,
                       struct err *err)
{
    const struct limits *l = &a->limits;

    if (l->in_flight && a->in_flight >= part_of(l->in_flight, out))
        return refuse_in_flight(a, out, err);
    if (l->requests_per_minute && !worst.again) {
        window_move(&a->meter->requests, now);
        if (a->meter->requests.sum >= part_of(l->requests_per_minute, out))
            return refuse_requests(a, now, out, err);
    }
    if (l->tokens_per_minute && worst.tokens) {
        window_move(&a->meter->tokens, now);
        if (a->meter->tokens.sum + worst.tokens > part_of(l->tokens_per_minute, out))
            return refuse_tokens(a, worst.tokens, now, out, err);
    }
    return spend_allows(a, worst.cost, now, out, err);
}

bool limits_allow_more(struct account *const accounts[LEVELS], usd_micro more, wall_ms now,
                       struct hold *out, struct err *err)
{
    for (size_t i = LEVELS; i-- > 0;)
        if (accounts[i] && !spend_allows(accounts[i], more, now, out, err))
            return false;
    return true;
}

bool limits_allow(struct account *const accounts[LEVELS], struct need worst, wall_ms now,
                  struct hold *out, struct err *err)
{
    for (size_t i = LEVELS; i-- > 0;)
        if (accounts[i] && !one_allows(accounts[i], worst, now, out, err)) {
            out->refused_by = accounts[i]->level;
            return false;
        }
    return true;
}

void accounts_of(const struct principal *who, struct account *out[LEVELS])
{
    out[LEVEL_TENANT] = &who->tenant_unit->account;
    out[LEVEL_TEAM] = who->team_unit ? &who->team_unit->account : NULL;
    out[LEVEL_KEY] = &who->key->account;
}

/* ---- what the client may be told ---- */

static void minute_left(struct account *a, const struct hold *parts, wall_ms now,
                        struct limits_left *out)
{
    const struct limits *l = &a->limits;
    int64_t requests = l->requests_per_minute ? part_of(l->requests_per_minute, parts) : 0,
            tokens = l->tokens_per_minute ? part_of(l->tokens_per_minute, parts) : 0;
    const struct everywhere *all = &a->everywhere;
    bool asked = !parts->parts && all->at && fiber_now() - all->at < MINUTE;

    if (requests) {
        struct window *w = &a->meter->requests;

        window_move(w, now);
        int64_t left = MAX_OF(requests - MAX_OF(w->sum, asked ? all->requests : 0), 0);

        if (out->requests_limit < 0 || left < out->requests_left) {
            out->requests_limit = requests;
            out->requests_left = left;
            out->requests_reset = until_empty(w, now);
        }
    }
    if (tokens) {
        struct window *w = &a->meter->tokens;

        window_move(w, now);
        int64_t left = MAX_OF(tokens - MAX_OF(w->sum, asked ? all->tokens : 0), 0);

        if (out->tokens_limit < 0 || left < out->tokens_left) {
            out->tokens_limit = tokens;
            out->tokens_left = left;
            out->tokens_reset = until_empty(w, now);
        }
    }
}

static void spend_left(const struct account *a, wall_ms now, struct limits_left *out)
{
    struct budget budgets[2];

    if (!a->limits.spend_day && !a->limits.spend_month)
        return;
    budgets_of(a, now, budgets);
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
        usd_micro left = MAX_OF(budget_left(&budgets[i], a), 0);

        if (budgets[i].limit && (out->spend_limit < 0 || left < out->spend_left)) {
            out->spend_limit = budgets[i].limit;
            out->spend_left = left;
        }
    }
}

struct limits_left limits_left(struct accounts *accounts, const struct principal *who, wall_ms now)
{
    struct limits_left left = {.requests_limit = -1,
                               .requests_left = -1,
                               .requests_reset = -1,
                               .tokens_limit = -1,
                               .tokens_left = -1,
                               .tokens_reset = -1,
                               .spend_limit = -1,
                               .spend_left = -1};
    const struct hold parts = {.parts = accounts_limits_divided(accounts) ? accounts_alive(accounts)
                                                                          : 0};
    struct account *levels[LEVELS];

    accounts_of(who, levels);
    mutex_lock(&accounts->lock);
    for (size_t i = LEVELS; i-- > 0;)
        if (levels[i]) {
            minute_left(levels[i], &parts, now, &left);
            spend_left(levels[i], now, &left);
        }
    mutex_unlock(&accounts->lock);
    return left;
}

/* ---- setting ---- */

bool limits_check(const struct limits *l, struct err *err)
{
    if (l->requests_per_minute < 0 || l->requests_per_minute > UINT32_MAX)
        return err_set(err, ERR_INVALID, "requests per minute must be 0 to %" PRIu32, UINT32_MAX);
    if (l->tokens_per_minute < 0 || l->tokens_per_minute > TOKENS_MAX)
        return err_set(err, ERR_INVALID, "tokens per minute must be 0 to %" PRId64, TOKENS_MAX);
    if (l->in_flight < 0 || l->in_flight > UINT32_MAX)
        return err_set(err, ERR_INVALID, "requests in progress must be 0 to %" PRIu32, UINT32_MAX);
    if (l->spend_day < 0 || l->spend_day > MONEY_MAX || l->spend_month < 0 ||
        l->spend_month > MONEY_MAX)
        return err_set(err, ERR_INVALID, "spend limits must be 0 to %" PRId64 " USD",
                       MONEY_MAX / 1000000);
    return true;
}

bool account_limits_set(struct accounts *accounts, struct account *account,
                        const struct limits *limits, struct err *err)
{
    bool needs_meter = limits->requests_per_minute || limits->tokens_per_minute;

    if (needs_meter && !account->meter)
        account->meter = arena_alloc(accounts->arena, sizeof *account->meter);
    if (needs_meter && !account->meter)
        return err_arena(err, accounts->arena);
    bool needs_lease =
        store_is_shared(accounts->store) && (limits->spend_day || limits->spend_month);

    if (needs_lease && !account->lease && !lease_make(accounts, account, err))
        return false;
    account->limits = *limits;
    if (account->lease)
        lease_forget_use(account);
    return true;
}
