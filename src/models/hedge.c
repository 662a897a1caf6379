/* A second deployment is asked when the first has not begun to answer in the usual time; the first token
 * wins, and the other is cancelled at once.
 *
 *   parent   start one ---- wait ----> start two ---- wait until one has begun, or both have failed
 *   arms     a fiber and an arena each: what the loser leaves goes when it ends
 *
 * Source   Dean, Barroso 2013, "The tail at scale". */
#include "models/attempt_internal.h"

#define ARM_MEMORY (128 * MIB) /* at most: pages come as they are needed */
#define ARMS       2

struct race;

struct arm {
    struct race *race;
    struct asking asking;
    struct scope *scope; /* of its fiber, while that runs */
    struct outcome how;
    struct err err;
    bool started, done, given_up;
};

struct race {
    struct attempting *attempting;
    struct arm arms[ARMS];
    struct event changed;
};

static void end_arena(void *what)
{
    struct arena *arena = what;

    arena_end(&arena);
}

static void run_arm(void *arg)
{
    struct arm *arm = arg;
    struct race *race = arm->race;
    struct scope scope;

    scope_open(&scope, 0);
    arm->scope = &scope;
    (void)!attempt_once(race->attempting, &arm->asking, &arm->how, &arm->err);
    arm->scope = NULL;
    scope_close(&scope);
    arm->done = true;
    event_pulse(&race->changed);
}

/* It was let in, but nobody asked it. */
static void let_go(struct race *race, const struct arm *arm)
{
    struct breaker_rules rules = breaker_rules_of(race->attempting->plan->policy);

    deployment_done(arm->asking.who.model->deployment, arm->asking.who.turn, FARED_NEITHER, &rules,
                    fiber_now());
}

static bool start_arm(struct race *race, struct arm *arm, struct scope *scope, struct err *err)
{
    struct arena *outer = race->attempting->plan->arena, *arena = arena_new(ARM_MEMORY);
    bool kept = arena && arena_defer(outer, end_arena, arena);

    arm->race = race;
    arm->asking.arena = arena;
    arm->asking.is_hedge = arm != race->arms;
    arm->asking.given_up = &arm->given_up;
    arm->started = kept && scope_spawn(scope, run_arm, arm, err);
    if (arm->started)
        return true;
    if (!kept)
        arena_end(&arena);
    let_go(race, arm);
    return err->code ? false : err_no_room(err, "no memory to ask a model");
}

/* When the second is due; 0: never. */
static dur_ns hedge_delay(const struct attempting *a, const struct model *first)
{
    const struct route_policy *policy = a->plan->policy;
    dur_ns usual = 0;

    if (policy->hedge_percentile > 0)
        usual = deployment_first_token_of(first->deployment, policy->hedge_percentile);
    return usual > 0 ? MAX_OF(usual, MILLISECOND) : policy->hedge_delay;
}

/* Until something changes or the time comes; false: nobody waits for us any more. */
static SUSPENDS bool wait_until(struct race *race, mono_ns when, struct err *err)
{
    struct err over = {0};
    struct scope limit;
    bool changed;

    scope_open(&limit, when);
    changed = event_wait(&race->changed, &over);
    scope_close(&limit);
    return changed || fiber_still_wanted(err);
}

static bool any_running(const struct race *race)
{
    for (int i = 0; i < ARMS; i++)
        if (race->arms[i].started && !race->arms[i].done)
            return true;
    return false;
}

static struct arm *winner(struct race *race)
{
    for (int i = 0; i < ARMS; i++)
        if (race->arms[i].how.answer)
            return &race->arms[i];
    return NULL;
}

/* Somebody else, if there is one and money for both. */
static bool start_second(struct race *race, struct scope *scope)
{
    struct attempting *a = race->attempting;
    struct arm *arm = &race->arms[1];
    struct err none = {0};
    mono_ns until;

    if (a->plan->log->count + 1 >= MAX_OF(a->plan->policy->attempts_max, 2u) ||
        choose_candidate(a, &arm->asking.who, &until, &none) != CHOSE)
        return false;
    if (a->plan->afford && !a->plan->afford(a->plan->ctx, a->plan->held))
        let_go(race, arm);
    else if (start_arm(race, arm, scope, &none))
        return true;
    else if (a->plan->afford)
        a->plan->give_back(a->plan->ctx, a->plan->held);
    a->tried[arm->asking.who.place].times--; /* it was not asked: it may be later */
    return false;
}

static SUSPENDS bool run_race(struct race *race, struct scope *scope, struct err *err)
{
    struct attempting *a = race->attempting;
    dur_ns delay = hedge_delay(a, race->arms[0].asking.who.model);
    mono_ns due = delay > 0 ? fiber_now() + delay : 0;

    while (any_running(race) && !winner(race)) {
        if (!wait_until(race, due, err))
            return false;
        if (due && fiber_now() >= due && any_running(race) && !winner(race)) {
            due = 0;
            (void)start_second(race, scope);
        }
    }
    return true;
}

/* All but the winner are told to stop. */
static void stop_others(struct race *race, struct arm *won)
{
    for (int i = 0; i < ARMS; i++) {
        struct arm *arm = &race->arms[i];

        arm->given_up = won && arm->started && !arm->done;
        if (arm->scope)
            scope_cancel(arm->scope);
    }
}

/* Who had begun too, or did so all the same: its first token was there when it was told to stop. */
static SUSPENDS void drop_others(struct race *race, struct arm *won)
{
    for (int i = 0; i < ARMS; i++)
        if (race->arms[i].how.answer && &race->arms[i] != won)
            attempt_lost(race->attempting, &race->arms[i].how);
}

static SUSPENDS bool hold_race(struct race *race, struct err *err)
{
    struct scope scope;
    struct arm *won;
    bool ok;

    scope_open(&scope, 0);
    ok = start_arm(race, &race->arms[0], &scope, err) && run_race(race, &scope, err);
    won = ok ? winner(race) : NULL;
    stop_others(race, won);
    scope_close(&scope); /* when both have ended */
    drop_others(race, won);
    return ok;
}

/* Of two that failed the one who found fault with the request, else the one who was asked last. */
static struct arm *worst_news(struct race *race)
{
    if (!race->arms[1].started || race->arms[0].how.request_at_fault)
        return &race->arms[0];
    return &race->arms[1];
}

/* What was set aside for a second is needed as far as one that is lost has cost something. */
static void settle_second(struct race *race)
{
    struct attempting *a = race->attempting;
    const struct attempt_plan *plan = a->plan;

    if (!plan->afford || !race->arms[1].started)
        return;
    usd_micro cost = MIN_OF(plan->log->cost_apart - a->spent, plan->held);

    a->spent += cost;
    plan->give_back(plan->ctx, plan->held - cost);
}

bool attempt_hedged(struct attempting *a, const struct asking *first, struct outcome *how,
                    struct err *err)
{
    struct race *race = arena_alloc(a->plan->arena, sizeof *race);
    struct arm *best;

    *how = (struct outcome){.who = first->who, .request_at_fault = true};
    if (!race) {
        deployment_done(first->who.model->deployment, first->who.turn, FARED_NEITHER,
                        &(struct breaker_rules){0}, fiber_now());
        return err_arena(err, a->plan->arena);
    }
    race->attempting = a;
    race->arms[0].asking = *first;
    race->arms[1].asking.is_last = true; /* what is empty here may still be whole there */
    if (!hold_race(race, err))
        return false;
    settle_second(race);
    for (int i = 0; i < ARMS; i++)
        if (race->arms[i].started && !race->arms[i].how.answer)
            attempt_learn(a, &race->arms[i].how);
    best = winner(race);
    if (!best)
        best = worst_news(race);
    *how = best->how;
    if (!how->answer)
        *err = best->err;
    return how->answer != NULL;
}
