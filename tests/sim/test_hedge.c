/* Two at once: when the second is asked, who wins, and what becomes of the other. */
#include <string.h>

#include "base/fault.h"
#include "route_kit.h"
#include "test.h"

#define ANSWER(t) STREAMED(TEXT(t) STOP USAGE DONE)

static const struct fake_move quick[] = {ANSWER("quick")};
static const struct fake_move slow[] = {WAIT(10000), ANSWER("slow")};
static const struct fake_move silent[] = {HANG, END};
static const struct fake_move *refused(struct route_kit *kit, int status)
{
    return kit_reply(kit->arena, status, "", "{\"error\":{\"message\":\"no\"}}");
}

static SUSPENDS void open_hedged(struct route_kit *kit, int count, dur_ns delay)
{
    kit_open(kit, count);
    kit->policy.hedge_delay = delay;
}

ROUTE_TEST(the_second_is_asked_after_the_delay_and_wins)
{
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        struct route_kit kit;
        struct err err = {0};

        open_hedged(&kit, 2, 2 * SECOND);
        kit.policy.on_cut = goes_on ? CUT_CONTINUE : CUT_ERROR;
        kit.fakes[0].moves = silent;
        kit.fakes[1].moves = quick;
        EXPECT(kit_ask(&kit, true), "%s", kit.err.text);
        EXPECT(kit.took >= 2 * SECOND && kit.took < 3 * SECOND, "%" PRId64, kit.took);
        EXPECT(str_eq(kit_text(&kit), STR("quick")) && kit.by == &kit.models[1]);
        EXPECT(attempts_speaker(&kit.log, NULL) == &kit.models[1] && kit.log.count == 2);
        for (uint32_t i = 0; i < kit.log.count; i++) {
            const struct attempt *at = &kit.log.at[i];
            bool won = at->model == &kit.models[1];

            EXPECT(at->end == (won ? ATTEMPT_ANSWERED : ATTEMPT_LOST) && at->is_hedge == won);
            EXPECT((at->cost > 0) == !won, "the loser's prompt");
        }
        EXPECT(kit.log.cost_apart > 0 && kit.asked_for == kit.log.cost_apart, "%" PRId64,
               kit.asked_for);
        EXPECT(event_wait(&kit.fakes[0].left, &err), "the loser's connection is closed");
        EXPECT(deployment_look(kit.models[0].deployment, fiber_now()).failed == 0,
               "to lose is no failure");
        kit_close(&kit);
    }
}

ROUTE_TEST(the_first_may_still_win)
{
    const struct fake_move first[] = {WAIT(3000), ANSWER("first")};
    struct route_kit kit;

    open_hedged(&kit, 2, 2 * SECOND);
    kit.fakes[0].moves = first;
    kit.fakes[1].moves = slow;
    EXPECT(kit_ask(&kit, true) && str_eq(kit_text(&kit), STR("first")), "%s", kit.err.text);
    EXPECT(kit.fakes[1].requests == 1 && kit.by == &kit.models[0]);
    EXPECT(kit.took < 4 * SECOND && kit.log.cost_apart > 0);
    kit_close(&kit);
}

/* Whichever is told to stop when its first token has just come: of the two one answers, and nobody is in flight then. */
ROUTE_TEST(who_begins_just_behind_the_winner_is_dropped)
{
    const struct fake_move first[] = {WAIT(3000), ANSWER("first")};
    const struct fake_move second[] = {WAIT(1000), ANSWER("second")};

    for (int us = -1500; us < 1500; us += 5) {
        struct route_kit kit;

        open_hedged(&kit, 2, 2 * SECOND + us * MICROSECOND);
        kit.fakes[0].moves = first;
        kit.fakes[1].moves = second;
        EXPECT(kit_ask(&kit, true) && kit.log.count == 2, "%d us: %s", us, kit.err.text);
        EXPECT(attempts_speaker(&kit.log, NULL) == kit.by && kit.log.cost_apart > 0, "%d us", us);
        EXPECT(str_eq(kit_text(&kit), kit.by == kit.models ? STR("first") : STR("second")), "%d us",
               us);
        kit_close(&kit);
    }
}

ROUTE_TEST(a_quick_first_is_not_hedged)
{
    struct route_kit kit;

    open_hedged(&kit, 2, 2 * SECOND);
    kit.fakes[0].moves = kit.fakes[1].moves = quick;
    EXPECT(kit_ask(&kit, true) && kit.fakes[1].requests == 0 && kit.log.cost_apart == 0);
    kit_close(&kit);
}

ROUTE_TEST(the_usual_time_is_learnt)
{
    struct route_kit kit;

    open_hedged(&kit, 2, 5 * SECOND);
    kit.policy.hedge_percentile = 95;
    kit.fakes[0].moves = silent;
    kit.fakes[1].moves = quick;
    EXPECT(kit_ask(&kit, true) && kit.took >= 5 * SECOND, "too few were seen: %" PRId64, kit.took);
    for (int i = 0; i < 100; i++)
        deployment_first_token(kit.models[0].deployment, 300 * MILLISECOND);
    EXPECT(kit_ask(&kit, true) && kit.took >= 300 * MILLISECOND && kit.took < SECOND, "%" PRId64,
           kit.took);
    kit_close(&kit);
}

ROUTE_TEST(when_the_first_fails_the_other_goes_on_alone)
{
    const struct fake_move late[] = {WAIT(5000), ANSWER("late")};
    struct route_kit kit;

    open_hedged(&kit, 2, SECOND);
    struct fake_move fails[3] = {WAIT(2000)};
    fails[1] = refused(&kit, 500)[0];
    fails[2] = (struct fake_move){FAKE_END, NULL, 0};
    kit.fakes[0].moves = fails;
    kit.fakes[1].moves = late;
    EXPECT(kit_ask(&kit, true) && str_eq(kit_text(&kit), STR("late")), "%s", kit.err.text);
    EXPECT(kit.log.cost_apart == 0, "one that failed costs nothing");
    kit_close(&kit);
}

/* Of both it is remembered what they said: one that refused us is not asked again. */
ROUTE_TEST(when_both_fail_the_next_is_asked)
{
    struct route_kit kit;

    open_hedged(&kit, 3, SECOND);
    struct fake_move denies[3] = {WAIT(2000)};
    denies[1] = refused(&kit, 403)[0];
    denies[2] = (struct fake_move){FAKE_END, NULL, 0};
    struct fake_move fails[3] = {WAIT(3000)};
    fails[1] = refused(&kit, 500)[0];
    fails[2] = denies[2];
    kit.fakes[0].moves = denies;
    kit.fakes[1].moves = fails;
    kit.fakes[2].moves = quick;
    EXPECT(kit_ask(&kit, true) && str_eq(kit_text(&kit), STR("quick")), "%s", kit.err.text);
    EXPECT(kit.log.count == 3);
    EXPECT(kit.asked_for == 0, "%" PRId64 " are held for those who failed", kit.asked_for);
    kit_close(&kit);

    open_hedged(&kit, 2, SECOND);
    kit.policy.attempts_max = 6;
    denies[1] = refused(&kit, 403)[0];
    fails[1] = refused(&kit, 500)[0];
    kit.fakes[0].moves = denies;
    kit.fakes[1].moves = fails;
    EXPECT(!kit_ask(&kit, true) && kit.err.code == ERR_UNAVAILABLE, "%s", kit.err.text);
    EXPECT(kit.fakes[0].requests == 1, "it denied us: %d", kit.fakes[0].requests);
    EXPECT(kit.fakes[1].requests > 1);
    kit_close(&kit);
}

/* The request's own fault is found by one: nobody else is asked, and the other is let go. */
ROUTE_TEST(what_is_wrong_with_the_request_ends_both)
{
    struct route_kit kit;

    open_hedged(&kit, 3, SECOND);
    struct fake_move wrong[3] = {WAIT(2000)};
    wrong[1] = refused(&kit, 400)[0];
    wrong[2] = (struct fake_move){FAKE_END, NULL, 0};
    kit.fakes[0].moves = wrong;
    kit.fakes[1].moves = refused(&kit, 500);
    kit.fakes[2].moves = quick;
    EXPECT(!kit_ask(&kit, true) && kit.err.code == ERR_INVALID, "%s", kit.err.text);
    EXPECT(kit.plan.why.status == 400 && kit.fakes[2].requests == 0, "%d", kit.plan.why.status);
    kit_close(&kit);
}

ROUTE_TEST(without_money_for_two_there_is_one)
{
    const struct fake_move first[] = {WAIT(3000), ANSWER("first")};
    struct route_kit kit;

    open_hedged(&kit, 2, SECOND);
    kit.money = 999; /* a second attempt is 1000 */
    kit.fakes[0].moves = first;
    kit.fakes[1].moves = quick;
    EXPECT(kit_ask(&kit, true) && str_eq(kit_text(&kit), STR("first")), "%s", kit.err.text);
    EXPECT(kit.fakes[1].requests == 0 && kit.log.count == 1 && kit.asked_for == 0);
    kit_close(&kit);
}

/* Which could not be asked as there was no fiber for it, is asked when the first has failed. */
static bool no_second_fiber(void *ctx, const char *point)
{
    const mono_ns *begun = ctx;
    dur_ns past = fiber_self() ? fiber_now() - *begun : 0;

    return past >= SECOND && past < 2 * SECOND && strcmp(point, "fiber.spawn") == 0;
}

ROUTE_TEST(a_second_that_could_not_be_started_is_asked_later)
{
    struct route_kit kit;
    mono_ns begun = fiber_now();

    open_hedged(&kit, 2, SECOND);
    kit.policy.attempts_max = 2;
    struct fake_move fails[3] = {WAIT(2000)};
    fails[1] = refused(&kit, 500)[0];
    fails[2] = (struct fake_move){FAKE_END, NULL, 0};
    kit.fakes[0].moves = fails;
    kit.fakes[1].moves = quick;
    fault_decide(no_second_fiber, &begun);
    EXPECT(kit_ask(&kit, true) && str_eq(kit_text(&kit), STR("quick")), "%s", kit.err.text);
    fault_decide(NULL, NULL);
    EXPECT(kit.fakes[0].requests == 1 && kit.fakes[1].requests == 1 && kit.log.count == 2, "%d, %d",
           kit.fakes[0].requests, kit.fakes[1].requests);
    EXPECT(kit.asked_for == 0, "%" PRId64 " are held for nobody", kit.asked_for);
    kit_close(&kit);
}

ROUTE_TEST(a_client_that_leaves_ends_both)
{
    struct route_kit kit;
    struct scope limit;
    struct err err = {0};

    open_hedged(&kit, 2, SECOND);
    kit.fakes[0].moves = kit.fakes[1].moves = silent;
    scope_open(&limit, fiber_now() + 3 * SECOND);
    EXPECT(!kit_ask(&kit, true));
    scope_close(&limit);
    EXPECT(kit.fakes[0].requests == 1 && kit.fakes[1].requests == 1);
    EXPECT(event_wait(&kit.fakes[0].left, &err) && event_wait(&kit.fakes[1].left, &err));
    kit_close(&kit);
}
