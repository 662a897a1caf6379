/* Who is drawn: in proportion to weight, against load, and never one that is full. The chances are a fixed
 * sequence: the same counts each time. */
#include <stdlib.h>

#include "models/attempt_internal.h"
#include "models/health.h"
#include "test.h"

#define DRAWS 8000
#define MOST  3

struct lottery {
    struct deployments *all;
    struct model models[MOST];
    struct route_candidate candidates[MOST];
    struct route_group groups[2];
    struct attempts log;
    struct attempt_plan plan;
};

/* One group with these weights; 0 ends them. */
static void lottery_open(struct lottery *f, const uint32_t weights[MOST])
{
    static const char *const names[MOST] = {"a", "b", "c"};
    struct err err = {0};
    size_t count = 0;

    *f = (struct lottery){0};
    EXPECT(deployments_new(&f->all, &err), "%s", err.text);
    for (; count < MOST && weights[count]; count++) {
        f->models[count] =
            (struct model){.name = str_from(names[count]),
                           .deployment = deployment_of(f->all, str_from(names[count]))};
        f->candidates[count] = (struct route_candidate){&f->models[count], weights[count]};
    }
    f->groups[0] = (struct route_group){f->candidates, count};
    f->plan = (struct attempt_plan){.groups = f->groups,
                                    .group_count = 1,
                                    .label = STR("r"),
                                    .zones = ~0u,
                                    .policy = &route_policy_plain,
                                    .log = &f->log};
}

static const struct model *draw(struct lottery *f, uint64_t chance)
{
    struct attempting a = {.plan = &f->plan, .window_doubt = 1, .chance = chance};
    struct chosen chosen = {0};
    struct err err = {0};
    mono_ns until;

    if (choose_candidate(&a, &chosen, &until, &err) != CHOSE)
        return NULL;
    deployment_done(chosen.model->deployment, chosen.turn, FARED_NEITHER,
                    &(struct breaker_rules){0}, fiber_now());
    return chosen.model;
}

static void count(struct lottery *f, int counts[MOST])
{
    for (uint64_t i = 0; i < DRAWS; i++) {
        const struct model *m = draw(f, i * 0x9e3779b97f4a7c15u);

        EXPECT(m != NULL);
        counts[m - f->models]++;
    }
}

static bool is_about(int got, int want)
{
    return abs(got - want) <= DRAWS / 50;
}

TEST(candidates_are_drawn_in_proportion_to_their_weights)
{
    static const struct {
        uint32_t weights[MOST];
        int want[MOST];
    } cases[] = {
        {{1, 1, 0}, {DRAWS / 2, DRAWS / 2, 0}},
        {{1, 2, 5}, {DRAWS / 8, DRAWS / 4, DRAWS / 8 * 5}},
        {{99, 1, 0}, {DRAWS / 100 * 99, DRAWS / 100, 0}},
        {{7, 0, 0}, {DRAWS, 0, 0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lottery f;
        int counts[MOST] = {0};

        lottery_open(&f, cases[i].weights);
        count(&f, counts);
        for (int k = 0; k < MOST; k++)
            EXPECT(is_about(counts[k], cases[i].want[k]), "%zu: %d of %d", i, counts[k],
                   cases[i].want[k]);
        deployments_free(&f.all);
    }
}

/* Twice the time, or twice as many in flight, is half the share. */
TEST(candidates_under_load_are_drawn_less)
{
    struct lottery f;
    int slow[MOST] = {0}, busy[MOST] = {0};
    mono_ns until;
    uint32_t turn = 0;

    lottery_open(&f, (const uint32_t[MOST]){1, 1, 0});
    deployment_took(f.models[0].deployment, 300 * MILLISECOND, fiber_now());
    deployment_took(f.models[1].deployment, 100 * MILLISECOND, fiber_now());
    double a = deployment_load(f.models[0].deployment), b = deployment_load(f.models[1].deployment);
    EXPECT(a > 2 * b, "%f %f", a, b);
    count(&f, slow);
    EXPECT(is_about(slow[0], (int)(DRAWS * b / (a + b))), "%d", slow[0]);
    deployments_free(&f.all);

    lottery_open(&f, (const uint32_t[MOST]){1, 1, 0});
    for (int i = 0; i < 3; i++)
        EXPECT(deployment_admit(f.models[1].deployment, 0, fiber_now(), &until, &turn) == ADMITTED);
    a = deployment_load(f.models[0].deployment), b = deployment_load(f.models[1].deployment);
    EXPECT(b > 2 * a, "%f %f", a, b);
    count(&f, busy);
    EXPECT(is_about(busy[1], (int)(DRAWS * a / (a + b))), "%d", busy[1]);
    deployments_free(&f.all);
}

TEST(who_is_full_is_not_drawn_and_the_next_group_is_for_when_all_are)
{
    struct route_candidate spare;
    struct model other;
    struct lottery f;
    mono_ns until;
    uint32_t turn = 0;

    lottery_open(&f, (const uint32_t[MOST]){1, 1, 0});
    other = (struct model){.name = STR("spare"), .deployment = deployment_of(f.all, STR("spare"))};
    spare = (struct route_candidate){&other, 1};
    f.groups[1] = (struct route_group){&spare, 1};
    f.plan.group_count = 2;
    f.models[0].in_flight_max = f.models[1].in_flight_max = 1;
    EXPECT(deployment_admit(f.models[0].deployment, 1, fiber_now(), &until, &turn) == ADMITTED);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(draw(&f, i) == &f.models[1]);
    EXPECT(deployment_admit(f.models[1].deployment, 1, fiber_now(), &until, &turn) == ADMITTED);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(draw(&f, i) == &other);
    deployments_free(&f.all);
}
