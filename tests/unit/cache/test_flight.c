/* Who leads and who joins: what becomes of the others when one leaves. */
#include "cache/cache_internal.h"
#include "sys/clock.h"
#include "test.h"

/* ---- the leader fails ---- */

static const struct {
    const char *name;
    enum err_code why;
    bool again;
} failures[] = {
    {"its client left", ERR_CANCELLED, true},
    {"its budget is used up", ERR_EXHAUSTED, true},
    {"its key may not ask", ERR_DENIED, true},
    {"its key was revoked meanwhile", ERR_UNAUTHENTICATED, true},
    {"the provider is not there", ERR_UNAVAILABLE, false},
    {"the question is none", ERR_INVALID, false},
};

static struct cache_ticket *board(struct cache *cache, struct arena *arena,
                                  const struct cache_ask *ask)
{
    struct cache_ticket *ticket = NULL;
    struct err err = {0};

    EXPECT(cache_find(cache, arena, &ask->key, &ask->plan, &ticket, &err), "%s", err.text);
    cache_look_up(ticket, ask);
    return ticket;
}

FIBER_TEST(what_only_the_leader_is_refused_is_no_answer_for_the_others)
{
    struct cache_options options = {
        .bytes_max = MIB, .tenant_bytes_max = MIB, .entry_bytes_max = 64 * KIB};
    struct cache_ask ask = {.plan = {.may_read = true, .may_store = true, .max_age = -1},
                            .space = STR("acme"),
                            .model = STR("m")};
    struct cache *cache = NULL;
    struct err err = {0}, none = {0};

    REQUIRE(cache_open(&options, &cache, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct cache_ticket *leads = board(cache, arena, &ask), *joins = board(cache, arena, &ask);
        struct err why = {.code = failures[i].why}, got = {0};
        struct answer *answer = NULL;
        bool again = false;

        EXPECT(cache_part(leads) == CACHE_LEADS && cache_part(joins) == CACHE_JOINS);
        cache_leave(leads, &why);
        EXPECT(!cache_join(joins, &answer, &again, &got));
        EXPECT(again == failures[i].again, "%s", failures[i].name);
        cache_leave(joins, &none);
    }
    cache_close(&cache);
}

/* The leader found it on disk, and whoever joined wants none so old. */
FIBER_TEST(a_kept_answer_is_not_given_to_who_joined_and_wants_a_younger_one)
{
    struct cache_options options = {
        .bytes_max = MIB, .tenant_bytes_max = MIB, .entry_bytes_max = 64 * KIB};
    struct cache_ask any = {.plan = {.may_read = true, .may_store = true, .max_age = -1},
                            .space = STR("acme"),
                            .model = STR("m")},
                     young = any;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct cache *cache = NULL;
    struct err err = {0}, none = {0};
    struct entry_facts facts = {.status = 200,
                                .stored = clock_wall() - 3600 * 1000,
                                .expires = clock_wall() + 3600 * 1000,
                                .space = STR("acme"),
                                .body = STR("{}")};
    struct chat_meter meter = {0};

    REQUIRE(cache_open(&options, &cache, &err), "%s", err.text);
    struct entry *kept CLEANUP(entry_unref) = entry_new(&facts, &err);
    young.plan.max_age = 60 * SECOND;
    struct cache_ticket *leads = board(cache, arena, &any), *joins = board(cache, arena, &any),
                        *waits = board(cache, arena, &young);
    struct answer *answer = NULL;
    bool again = false;

    REQUIRE(kept && cache_part(leads) == CACHE_LEADS && cache_part(waits) == CACHE_JOINS);
    flight_finish(leads->flight, kept, &meter);
    EXPECT(cache_join(joins, &answer, &again, &err) && !again, "%s", err.text);
    EXPECT(!cache_join(waits, &answer, &again, &err) && again, "an hour old");
    cache_leave(leads, &none);
    cache_leave(joins, &none);
    cache_leave(waits, &none);
    arena_end(&arena);
    cache_close(&cache);
}

/* ---- the last reader leaves ---- */

static void a_letter(void *arg)
{
    (*(int *)arg)++;
}

static void is_alone(void *arg)
{
    *(bool *)arg = true;
}

FIBER_TEST(the_last_to_leave_is_told_of_also_when_the_letter_box_is_full)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct flights *all = flights_new(arena, 64 * KIB);
    struct cache_key key = {{1}};
    struct flight_head head = {.status = 200};
    struct flight_reader reader;
    struct chat_meter meter = {0};
    struct flight *f = NULL;
    bool alone = false;
    int posted = 0, came = 0;
    struct err err = {0};

    REQUIRE(all && flight_board(all, &key, false, &f) == FLIGHT_LEADS);
    REQUIRE(flight_attach(f, &reader) && flight_begin(f, &head, &err));
    flight_when_alone(f, is_alone, &alone);
    while (loop_post(loop_self(), a_letter, &came))
        posted++;
    flight_detach(&reader);
    while (came < posted)
        fiber_yield();
    fiber_yield();
    fiber_yield();
    EXPECT(alone, "the fetch goes on for nobody");
    flight_fail(f, &(struct err){.code = ERR_CANCELLED}, &meter);
    flight_unref(&f);
    flights_free(all);
}

/* The letter that nobody reads is on its way when somebody does: the fetch goes on for him. */
FIBER_TEST(who_joins_when_the_last_has_just_left_is_read_to_the_end)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct flights *all = flights_new(arena, 64 * KIB);
    struct cache_key key = {{1}};
    struct flight_head head = {.status = 200};
    struct flight_reader last, next;
    struct chat_meter meter = {0};
    struct flight *f = NULL, *joined = NULL, *anew = NULL;
    bool alone = false;
    struct err err = {0};

    REQUIRE(all && flight_board(all, &key, false, &f) == FLIGHT_LEADS);
    REQUIRE(flight_attach(f, &last) && flight_begin(f, &head, &err));
    flight_when_alone(f, is_alone, &alone);
    flight_detach(&last);
    REQUIRE(flight_board(all, &key, false, &joined) == FLIGHT_JOINS);
    REQUIRE(flight_attach(joined, &next));
    for (int i = 0; i < 3; i++)
        fiber_yield();
    EXPECT(!alone, "the fetch ends under who has just joined");
    flight_detach(&next);
    for (int i = 0; i < 3; i++)
        fiber_yield();
    EXPECT(alone);
    EXPECT(!flight_attach(joined, &next), "it is about to end");
    REQUIRE(flight_board(all, &key, false, &anew) == FLIGHT_LEADS, "who comes now asks");
    flight_fail(f, &(struct err){.code = ERR_CANCELLED}, &meter);
    flight_fail(anew, &(struct err){.code = ERR_CANCELLED}, &meter);
    flight_unref(&f);
    flight_unref(&joined);
    flight_unref(&anew);
    flights_free(all);
}
