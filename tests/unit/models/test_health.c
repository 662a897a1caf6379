#include "models/health.h"
#include "test.h"

#define S(n) ((mono_ns)1000 * SECOND + (n)*SECOND)

static const struct breaker_rules rules = {.failures = 3, .open_time = 10 * SECOND};

static struct deployments *all;

static struct deployment *fresh(const char *name)
{
    struct err err = {0};

    if (!all)
        EXPECT(deployments_new(&all, &err), "%s", err.text);
    return deployment_of(all, str_from(name));
}

static uint32_t turn; /* of who was let in last */

static bool let_in(struct deployment *d, mono_ns now)
{
    mono_ns until;

    return deployment_admit(d, 0, now, &until, &turn) == ADMITTED;
}

static void ask(struct deployment *d, enum fared how, mono_ns now)
{
    EXPECT(let_in(d, now));
    deployment_done(d, turn, how, &rules, now);
}

TEST(a_name_is_one_deployment)
{
    EXPECT(fresh("one") && fresh("one") == fresh("one"));
    EXPECT(fresh("one") != fresh("two"));
    deployments_free(&all);
}

/* Long answers of before the breaker opened come to their ends while a probe is out. */
TEST(who_was_let_in_before_the_breaker_opened_proves_nothing_of_now)
{
    static const enum fared ends[] = {FARED_WELL, FARED_ILL, FARED_NEITHER};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct deployment *d = fresh((const char *const[]){"well", "ill", "neither"}[i]);
        uint64_t failed = 3 + (ends[i] == FARED_ILL);

        EXPECT(let_in(d, S(0)));
        uint32_t old = turn;
        for (int n = 0; n < 3; n++)
            ask(d, FARED_ILL, S(0));
        EXPECT(deployment_look(d, S(0)).breaker == BREAKER_OPEN);
        EXPECT(let_in(d, S(10)), "the probe");
        uint32_t probe = turn;
        deployment_done(d, old, ends[i], &rules, S(11));
        EXPECT(deployment_look(d, S(11)).breaker == BREAKER_HALF_OPEN, "the probe is still out");
        EXPECT(deployment_look(d, S(11)).failed == failed, "but it counts");
        EXPECT(!let_in(d, S(11)), "one probe at a time");
        deployment_done(d, probe, FARED_WELL, &rules, S(12));
        EXPECT(deployment_look(d, S(12)).breaker == BREAKER_CLOSED);
        EXPECT(deployment_look(d, S(12)).in_flight == 0);
    }
    deployments_free(&all);
}

TEST(the_breaker_opens_probes_and_closes)
{
    struct deployment *d = fresh("b");
    mono_ns until = 0;

    ask(d, FARED_ILL, S(0));
    ask(d, FARED_ILL, S(0));
    ask(d, FARED_WELL, S(0)); /* breaks the row */
    ask(d, FARED_ILL, S(0));
    ask(d, FARED_ILL, S(0));
    ask(d, FARED_NEITHER, S(0)); /* does not */
    EXPECT(deployment_look(d, S(0)).breaker == BREAKER_CLOSED);
    ask(d, FARED_ILL, S(0));
    EXPECT(deployment_look(d, S(0)).breaker == BREAKER_OPEN);
    EXPECT(deployment_admit(d, 0, S(9), &until, &turn) == NOT_OPEN && until == S(10));

    EXPECT(let_in(d, S(10)), "the probe");
    EXPECT(!let_in(d, S(10)), "only one");
    deployment_done(d, turn, FARED_ILL, &rules, S(11));
    EXPECT(deployment_admit(d, 0, S(30), &until, &turn) == NOT_OPEN && until == S(31),
           "twice as long");

    EXPECT(let_in(d, S(31)));
    deployment_done(d, turn, FARED_NEITHER, &rules, S(32));
    EXPECT(deployment_look(d, S(32)).breaker == BREAKER_HALF_OPEN, "proved nothing");
    EXPECT(let_in(d, S(32)));
    deployment_done(d, turn, FARED_WELL, &rules, S(33));
    EXPECT(deployment_look(d, S(33)).breaker == BREAKER_CLOSED);
    for (int i = 0; i < 3; i++)
        ask(d, FARED_ILL, S(34));
    EXPECT(deployment_admit(d, 0, S(34), &until, &turn) == NOT_OPEN && until == S(44),
           "its patience is new");
    deployments_free(&all);
}

TEST(open_time_has_an_end_to_its_doubling)
{
    struct deployment *d = fresh("b");
    mono_ns now = S(0), until = 0;

    for (int i = 0; i < 3; i++)
        ask(d, FARED_ILL, now);
    for (int i = 0; i < 10; i++) {
        EXPECT(deployment_admit(d, 0, now, &until, &turn) == NOT_OPEN);
        EXPECT(until - now <= 80 * SECOND, "%" PRId64, (until - now) / SECOND);
        now = until;
        ask(d, FARED_ILL, now);
    }
    EXPECT(deployment_look(d, now).open == 80 * SECOND);
    deployments_free(&all);
}

TEST(half_of_the_last_twenty_opens_it_too)
{
    struct deployment *d = fresh("b");

    for (int i = 0; i < 17; i++) /* of three two fail, never three in a row */
        ask(d, i % 3 ? FARED_ILL : FARED_WELL, S(0));
    EXPECT(deployment_look(d, S(0)).breaker == BREAKER_CLOSED, "too few");
    for (int i = 17; i < 21 && deployment_look(d, S(0)).breaker == BREAKER_CLOSED; i++)
        ask(d, i % 3 ? FARED_ILL : FARED_WELL, S(0));
    EXPECT(deployment_look(d, S(0)).breaker == BREAKER_OPEN);
    deployments_free(&all);
}

TEST(without_rules_it_never_opens)
{
    struct deployment *d = fresh("b");
    static const struct breaker_rules none = {0};

    for (int i = 0; i < 100; i++) {
        EXPECT(let_in(d, S(0)));
        deployment_done(d, turn, FARED_ILL, &none, S(0));
    }
    EXPECT(deployment_look(d, S(0)).failed == 100);
    deployments_free(&all);
}

TEST(probes_open_and_close_without_requests)
{
    const struct probe_rules probes = {.failures = 2, .interval = SECOND};
    struct deployment *d = fresh("p");
    mono_ns until = 0;

    deployment_probed(d, false, &probes, S(1));
    deployment_probed(d, true, &probes, S(1));
    deployment_probed(d, false, &probes, S(2));
    EXPECT(deployment_look(d, S(2)).breaker == BREAKER_CLOSED, "not two in a row");
    deployment_probed(d, false, &probes, S(3));
    EXPECT(deployment_look(d, S(3)).breaker == BREAKER_OPEN);
    deployment_probed(d, false, &probes, S(4));
    EXPECT(deployment_admit(d, 0, S(5), &until, &turn) == NOT_OPEN && until == S(6), "kept open");
    deployment_probed(d, true, &probes, S(5));
    EXPECT(deployment_look(d, S(5)).breaker == BREAKER_OPEN, "its time is not over");
    deployment_probed(d, true, &probes, S(6));
    EXPECT(deployment_look(d, S(6)).breaker == BREAKER_CLOSED);
    EXPECT(deployment_look(d, S(6)).asked == 0, "a probe is no request");

    for (int i = 0; i < 3; i++) {
        deployment_probed(d, true, &probes, S(10)); /* takes nothing back of what requests found */
        ask(d, FARED_ILL, S(10));
    }
    deployment_probed(d, true, &probes, S(19));
    EXPECT(deployment_look(d, S(19)).breaker == BREAKER_OPEN, "what requests opened rests");
    deployment_probed(d, true, &probes, S(20));
    EXPECT(deployment_look(d, S(20)).breaker == BREAKER_CLOSED);
    deployments_free(&all);
}

TEST(every_deployment_is_found_once)
{
    struct deployment *one = fresh("one"), *two = fresh("two");

    EXPECT(fresh("one") == one);
    struct deployment *d = deployments_first(all);
    EXPECT(d == two && deployment_next(d) == one && !deployment_next(one));
    EXPECT(str_eq(deployment_name(d), STR("two")));
    deployments_free(&all);
}

TEST(in_flight_is_bounded_and_parking_holds)
{
    struct deployment *d = fresh("b");
    mono_ns until = 0;

    EXPECT(deployment_admit(d, 2, S(0), &until, &turn) == ADMITTED);
    EXPECT(deployment_admit(d, 2, S(0), &until, &turn) == ADMITTED);
    EXPECT(deployment_admit(d, 2, S(0), &until, &turn) == NOT_ROOM);
    deployment_done(d, turn, FARED_WELL, &rules, S(0));
    EXPECT(deployment_admit(d, 2, S(0), &until, &turn) == ADMITTED);
    deployment_park(d, S(5));
    deployment_park(d, S(3)); /* the later one counts */
    EXPECT(deployment_admit(d, 0, S(4), &until, &turn) == NOT_YET && until == S(5));
    EXPECT(deployment_admit(d, 0, S(5), &until, &turn) == ADMITTED);
    EXPECT(deployment_look(d, S(5)).in_flight == 3);
    EXPECT(deployment_admit(NULL, 1, S(0), &until, &turn) == ADMITTED);
    deployment_done(NULL, turn, FARED_ILL, &rules, S(0));
    deployments_free(&all);
}

TEST(load_rises_at_once_and_falls_slowly)
{
    struct deployment *d = fresh("b");
    double before = deployment_load(d);

    deployment_took(d, 100 * MILLISECOND, S(0));
    double calm = deployment_load(d);
    EXPECT(calm > before);
    deployment_took(d, SECOND, S(1));
    double peak = deployment_load(d);
    EXPECT(peak >= 9.9 * calm, "a peak counts at once");
    deployment_took(d, 100 * MILLISECOND, S(2));
    EXPECT(deployment_load(d) > 0.8 * peak, "and is not forgotten at once");
    for (int i = 3; i < 60; i++)
        deployment_took(d, 100 * MILLISECOND, S(i));
    EXPECT(deployment_load(d) < 1.1 * calm, "but in time");
    EXPECT(let_in(d, S(60)));
    EXPECT(deployment_load(d) > 1.9 * calm, "each in flight adds");
    deployments_free(&all);
}

TEST(first_tokens_have_percentiles)
{
    struct deployment *d = fresh("b");

    for (int i = 1; i < 20; i++)
        deployment_first_token(d, i * MILLISECOND);
    EXPECT(deployment_first_token_of(d, 95) == 0, "too few");
    for (int i = 20; i <= 100; i++)
        deployment_first_token(d, i * MILLISECOND);
    EXPECT(deployment_first_token_of(d, 50) == 51 * MILLISECOND, "%" PRId64,
           deployment_first_token_of(d, 50));
    EXPECT(deployment_first_token_of(d, 95) == 96 * MILLISECOND);
    EXPECT(deployment_first_token_of(d, 100) == 100 * MILLISECOND);
    EXPECT(deployment_first_token_of(d, 0) == MILLISECOND);
    for (int i = 0; i < 128; i++)
        deployment_first_token(d, 7 * MILLISECOND);
    EXPECT(deployment_first_token_of(d, 95) == 7 * MILLISECOND, "the oldest are forgotten");
    EXPECT(deployment_first_token_of(NULL, 95) == 0);
    deployments_free(&all);
}
