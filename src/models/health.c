#include "models/health.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/spin.h"
#include "base/table.h"

#define MEMORY          (16 * MIB)
#define LATENCY_DECAY   (10 * SECOND) /* to 1/e */
#define LATENCY_UNKNOWN MILLISECOND   /* nobody has asked yet: worth a try */
#define RECENT          20            /* outcomes looked at together */
#define OPEN_DOUBLINGS  3
#define TOKENS_SEEN     128 /* first tokens remembered */
#define TOKENS_ENOUGH   20

struct deployment {
    struct str name;
    struct deployment *next; /* none ever goes, so whoever walks needs no lock */
    struct spin lock;
    int64_t in_flight;
    uint64_t asked, failed;
    /* breaker */
    enum breaker breaker;
    uint32_t in_row;        /* failures */
    uint32_t probes_in_row; /* of those, what was only looked at */
    uint32_t recent;        /* the last outcomes, a bit each, 1 failed */
    uint32_t recent_count;
    uint32_t doublings;
    mono_ns open_until;
    bool probing;
    uint32_t turn;
    mono_ns parked_until;
    /* latency */
    double latency; /* nanoseconds; 0: not known */
    mono_ns latency_at;
    uint32_t first_tokens[TOKENS_SEEN]; /* microseconds, a ring */
    uint32_t first_token_count;
};

struct deployments {
    struct arena *arena; /* holds this struct */
    struct spin lock;
    struct table by_name;
    struct deployment *_Atomic first;
};

bool deployments_new(struct deployments **out, struct err *err)
{
    struct arena *arena = arena_new(MEMORY);
    struct deployments *all = arena ? arena_alloc(arena, sizeof *all) : NULL;

    if (!all) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the state of deployments");
    }
    all->arena = arena;
    all->lock = (struct spin)SPIN_INIT;
    table_init(&all->by_name, arena, DEPLOYMENTS_MAX);
    *out = all;
    return true;
}

void deployments_free(struct deployments **all)
{
    if (*all) {
        struct arena *arena = (*all)->arena;

        arena_end(&arena);
    }
    *all = NULL;
}

struct deployment *deployment_of(struct deployments *all, struct str name)
{
    struct deployment *d;

    spin_lock(&all->lock);
    d = table_get(&all->by_name, name);
    if (!d) {
        struct str kept = arena_str(all->arena, name);

        d = arena_alloc(all->arena, sizeof *d);
        if (d) {
            d->lock = (struct spin)SPIN_INIT;
            d->name = kept;
            d->next = all->first;
        }
        if (!kept.ptr || !d || !table_put(&all->by_name, kept, d, NULL))
            d = NULL;
        else
            atomic_store(&all->first, d);
    }
    spin_unlock(&all->lock);
    return d;
}

struct deployment *deployments_first(const struct deployments *all)
{
    return atomic_load(&all->first);
}

struct deployment *deployment_next(const struct deployment *d)
{
    return d->next;
}

struct str deployment_name(const struct deployment *d)
{
    return d->name;
}

const char *breaker_name(enum breaker state)
{
    static const char *const names[] = {"closed", "open", "half-open"};

    return names[state];
}

/* ---- the breaker; the lock is held ---- */

static void open_now(struct deployment *d, const struct breaker_rules *rules, mono_ns now)
{
    d->breaker = BREAKER_OPEN;
    d->open_until = now + (rules->open_time << MIN_OF(d->doublings, OPEN_DOUBLINGS));
    d->doublings++;
    d->turn++;
    d->recent_count = 0;
    d->recent = 0;
}

static void remember(struct deployment *d, bool failed)
{
    d->recent = (d->recent << 1 | failed) & ((1u << RECENT) - 1);
    d->recent_count = MIN_OF(d->recent_count + 1, (uint32_t)RECENT);
    d->in_row = failed ? d->in_row + 1 : 0;
    d->probes_in_row = failed ? d->probes_in_row : 0;
    d->failed += failed;
}

static bool is_sick(const struct deployment *d, const struct breaker_rules *rules)
{
    if (rules->failures == 0)
        return false;
    return d->in_row >= rules->failures ||
           (d->recent_count == RECENT && __builtin_popcount(d->recent) * 2 > RECENT);
}

static enum admission admit(struct deployment *d, int64_t in_flight_max, mono_ns now,
                            mono_ns *until)
{
    if (d->breaker == BREAKER_OPEN && now >= d->open_until) {
        d->breaker = BREAKER_HALF_OPEN;
        d->probing = false;
    }
    if (d->breaker == BREAKER_OPEN || (d->breaker == BREAKER_HALF_OPEN && d->probing)) {
        *until = MAX_OF(d->open_until, now);
        return NOT_OPEN;
    }
    if (d->parked_until > now) {
        *until = d->parked_until;
        return NOT_YET;
    }
    if (in_flight_max > 0 && d->in_flight >= in_flight_max)
        return NOT_ROOM;
    d->probing = d->breaker == BREAKER_HALF_OPEN;
    d->turn += d->probing;
    d->in_flight++;
    d->asked++;
    return ADMITTED;
}

enum admission deployment_admit(struct deployment *d, int64_t in_flight_max, mono_ns now,
                                mono_ns *until, uint32_t *turn)
{
    enum admission answer;

    *turn = 0;
    if (!d)
        return ADMITTED;
    spin_lock(&d->lock);
    answer = admit(d, in_flight_max, now, until);
    *turn = d->turn;
    spin_unlock(&d->lock);
    return answer;
}

/* How it stood before something was noted, and stands now: told when the lock is free again. */
struct turned {
    enum breaker before, now;
    mono_ns open_until;
    uint32_t in_row;
};

static struct turned turned_from(const struct deployment *d)
{
    return (struct turned){.before = d->breaker};
}

static void note_turned(struct turned *t, const struct deployment *d)
{
    t->now = d->breaker;
    t->open_until = d->open_until;
    t->in_row = d->in_row;
}

static COLD void tell_open(const struct deployment *d, const struct turned *t, mono_ns now)
{
    int64_t ms = (t->open_until - now) / MILLISECOND;

    log_warn("model \"" STR_FMT "\" rests for %" PRId64 " ms: %" PRIu32
             " failure%s in a row; whoever has no other candidate is refused",
             STR_ARG(d->name), ms, t->in_row, t->in_row == 1 ? "" : "s");
}

/* Once each time that it begins to rest or is back; what half-open probes find is told as one of both. */
static void tell_turned(const struct deployment *d, const struct turned *t, mono_ns now)
{
    if (t->now == BREAKER_OPEN && t->before != BREAKER_OPEN)
        tell_open(d, t, now);
    if (t->now == BREAKER_CLOSED && t->before != BREAKER_CLOSED)
        log_info("model \"" STR_FMT "\" answers again", STR_ARG(d->name));
}

static void close_now(struct deployment *d)
{
    d->breaker = BREAKER_CLOSED;
    d->doublings = 0;
    d->probing = false;
}

/* What it proves of the breaker; the lock is held. */
static void judge(struct deployment *d, enum fared how, const struct breaker_rules *rules,
                  mono_ns now)
{
    if (how != FARED_NEITHER)
        remember(d, how == FARED_ILL);
    if (d->breaker == BREAKER_HALF_OPEN && how == FARED_WELL)
        close_now(d);
    else if (d->breaker == BREAKER_HALF_OPEN && how == FARED_ILL && rules->failures > 0)
        open_now(d, rules, now);
    else if (d->breaker == BREAKER_HALF_OPEN)
        d->probing = false; /* it proved nothing: the next one is the probe */
    else if (d->breaker == BREAKER_CLOSED && how == FARED_ILL && is_sick(d, rules))
        open_now(d, rules, now);
}

void deployment_done(struct deployment *d, uint32_t turn, enum fared how,
                     const struct breaker_rules *rules, mono_ns now)
{
    struct turned turned;

    if (!d)
        return;
    spin_lock(&d->lock);
    turned = turned_from(d);
    ASSERT(d->in_flight > 0);
    d->in_flight--;
    if (turn == d->turn)
        judge(d, how, rules, now);
    else
        d->failed += how == FARED_ILL; /* of before the breaker opened */
    note_turned(&turned, d);
    spin_unlock(&d->lock);
    if (turned.now != turned.before)
        tell_turned(d, &turned, now);
}

/* Open until two probes later at least, so that no request finds out what a probe knows already. */
static void probed_ill(struct deployment *d, const struct probe_rules *rules, mono_ns now)
{
    d->in_row++;
    d->probes_in_row++;
    if (d->breaker == BREAKER_CLOSED && d->in_row < rules->failures)
        return;
    d->turn += d->breaker != BREAKER_OPEN;
    d->breaker = BREAKER_OPEN;
    d->probing = false;
    d->open_until = MAX_OF(d->open_until, now + 2 * rules->interval);
}

static void probed_well(struct deployment *d, mono_ns now)
{
    d->in_row -= d->probes_in_row;
    d->probes_in_row = 0;
    if (d->breaker != BREAKER_CLOSED && !d->probing && now >= d->open_until) {
        close_now(d);
        d->in_row = 0;
    }
}

void deployment_probed(struct deployment *d, bool well, const struct probe_rules *rules,
                       mono_ns now)
{
    struct turned turned;

    if (!d)
        return;
    spin_lock(&d->lock);
    turned = turned_from(d);
    if (!well)
        probed_ill(d, rules, now);
    else
        probed_well(d, now);
    note_turned(&turned, d);
    spin_unlock(&d->lock);
    if (turned.now != turned.before)
        tell_turned(d, &turned, now);
}

void deployment_park(struct deployment *d, mono_ns until)
{
    if (!d)
        return;
    spin_lock(&d->lock);
    d->parked_until = MAX_OF(d->parked_until, until);
    spin_unlock(&d->lock);
}

/* ---- how long it takes ---- */

void deployment_took(struct deployment *d, dur_ns took, mono_ns now)
{
    if (!d || took <= 0)
        return;
    spin_lock(&d->lock);
    if (d->latency <= 0 || (double)took > d->latency) {
        d->latency = (double)took;
    } else {
        double kept = exp(-(double)MAX_OF(now - d->latency_at, 0) / (double)LATENCY_DECAY);

        d->latency = d->latency * kept + (double)took * (1 - kept);
    }
    d->latency_at = now;
    spin_unlock(&d->lock);
}

void deployment_first_token(struct deployment *d, dur_ns took)
{
    int64_t us = took / MICROSECOND;

    if (!d || took < 0)
        return;
    spin_lock(&d->lock);
    d->first_tokens[d->first_token_count++ % TOKENS_SEEN] = (uint32_t)MIN_OF(us, UINT32_MAX);
    spin_unlock(&d->lock);
}

double deployment_load(struct deployment *d)
{
    double latency;
    int64_t in_flight;

    if (!d)
        return (double)LATENCY_UNKNOWN;
    spin_lock(&d->lock);
    latency = d->latency;
    in_flight = d->in_flight;
    spin_unlock(&d->lock);
    return (latency > 0 ? latency : (double)LATENCY_UNKNOWN) * (double)(in_flight + 1);
}

/* The nth smallest, by counting: a few hundred comparisons, once a hedged request. */
static uint32_t nth_smallest(const uint32_t *values, uint32_t count, uint32_t n)
{
    uint32_t low = 0, high = UINT32_MAX;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2, below = 0;

        for (uint32_t i = 0; i < count; i++)
            below += values[i] <= middle;
        if (below > n)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

dur_ns deployment_first_token_of(struct deployment *d, uint32_t percentile)
{
    uint32_t values[TOKENS_SEEN], count = 0;

    ASSERT(percentile <= 100);
    if (!d)
        return 0;
    spin_lock(&d->lock);
    count = MIN_OF(d->first_token_count, (uint32_t)TOKENS_SEEN);
    memcpy(values, d->first_tokens, count * sizeof *values);
    spin_unlock(&d->lock);
    if (count < TOKENS_ENOUGH)
        return 0;
    return nth_smallest(values, count, MIN_OF(count * percentile / 100, count - 1)) * MICROSECOND;
}

struct deployment_state deployment_look(struct deployment *d, mono_ns now)
{
    struct deployment_state s = {0};

    if (!d)
        return s;
    s.first_token_median = deployment_first_token_of(d, 50);
    spin_lock(&d->lock);
    s.breaker = d->breaker == BREAKER_OPEN && now >= d->open_until ? BREAKER_HALF_OPEN : d->breaker;
    s.in_flight = d->in_flight;
    s.asked = d->asked;
    s.failed = d->failed;
    s.failures_in_row = d->in_row;
    s.latency = (dur_ns)d->latency;
    s.parked = MAX_OF(d->parked_until - now, 0);
    s.open = d->breaker == BREAKER_OPEN ? MAX_OF(d->open_until - now, 0) : 0;
    spin_unlock(&d->lock);
    return s;
}
