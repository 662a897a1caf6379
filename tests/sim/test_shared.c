/* Limits that two or three instances share, over one database and one Redis that fails: on the virtual clock, by seed.
 * A story: askers at each instance take, work and settle for two minutes, some leave while they ask; in the stories
 * that are not sound Redis fails in every way and goes away for a while. Then it is sound again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/accounts/books.h"
#include "accounts/leases.h"
#include "accounts/windows.h"
#include "base/log.h"
#include "fake_redis.h"
#include "net/redis.h"
#include "store/instances.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "sys/sim.h"
#include "test.h"

#define INSTANCES_MAX 3
#define ASKERS_MAX    8 /* an instance */
#define GRANTS_MAX    4096
#define SEEDS         24
#define WORKS_FOR     (120 * SECOND)
#define MINUTE        (60 * SECOND)
#define TIMEOUT       (5 * MILLISECOND) /* of the client of Redis, as it is by default */

struct grant {
    mono_ns at, until;
    int instance;
    bool shared; /* counted by Redis */
    uint32_t parts;
    int64_t tokens;
};

struct asker {
    struct world *world;
    int instance;
    struct scope *taking; /* while it asks */
};

struct world {
    uint64_t seed;
    bool sound;
    char dir[64];
    struct arena *arena;
    struct limits limits;
    int count; /* of instances */
    struct books at[INSTANCES_MAX];
    struct instances *instances[INSTANCES_MAX];
    const struct principal *who[INSTANCES_MAX];
    struct secret token;
    struct redis *redis;
    struct scope loops, askers;
    struct asker asking[INSTANCES_MAX * ASKERS_MAX];
    mono_ns ends;
    struct grant grants[GRANTS_MAX];
    int grant_count, refused[LIMIT_SPEND + 1], left;
    usd_micro spent;
    int said_away, said_back, told_parts;
};
static struct world world; /* large */

/* ---- two or three instances ---- */

static void hear_log(void *ctx, enum log_level level, struct str line)
{
    struct world *w = ctx;

    (void)level;
    w->said_away += str_find(line, STR("are divided among the instances")) < line.len;
    w->said_back += str_find(line, STR("Redis is back: limits")) < line.len;
}

static bool open_one(struct world *w, int i, struct err *err)
{
    static const struct str ids[INSTANCES_MAX] = {
        {"1111111111111111", 16}, {"2222222222222222", 16}, {"3333333333333333", 16}};
    struct books *b = &w->at[i];
    const struct store_options store = {.path = arena_fmt(w->arena, "%s/weir.db", w->dir).ptr,
                                        .migrations = accounts_migrations,
                                        .migration_count = accounts_migration_count,
                                        .version = "1",
                                        .instance = ids[i],
                                        .shared = true};
    const struct audit_options audit = {.dir = arena_fmt(w->arena, "/audit%d", i).ptr,
                                        .segment_bytes = 1};

    *b = (struct books){.arena = arena_new(64 * MIB)};
    if (!store_open(&store, &b->store, err) || !audit_open(&audit, &b->audit, err))
        return false;

    const struct accounts_options accounts = {.store = b->store,
                                              .audit = b->audit,
                                              .pepper_file = "/pepper",
                                              .keys_max = 50,
                                              .usage_cells = 16};
    const struct instances_options instances = {.store = b->store, .version = "1"};

    if (!accounts_open(&accounts, &b->accounts, err) ||
        !instances_open(&instances, &w->instances[i], err))
        return false;
    accounts_join(b->accounts, w->instances[i]);
    return accounts_share_windows(b->accounts, w->redis, STR("weir:"), err);
}

static SUSPENDS bool make_key(struct world *w, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct key_info wanted = {.name = STR("x"), .limits = w->limits};
    struct key_info info;

    return key_create(w->at[0].accounts, &wanted, arena, &info, &w->token, err);
}

static SUSPENDS bool open_world(struct world *w, struct err *err)
{
    struct redis_options redis = {.url = STR("redis://127.0.0.1:" FAKE_REDIS_PORT),
                                  .timeout = TIMEOUT};
    bool ok = file_make_dir(w->dir, 0700, err) && redis_open(&redis, &w->redis, err);

    for (int i = 0; ok && i < w->count; i++)
        ok = open_one(w, i, err) && (i > 0 || make_key(w, err));
    for (int i = 0; ok && i < w->count; i++)
        ok = books_authenticate(&w->at[i], &w->token, &w->who[i], err) &&
             scope_spawn(&w->loops, instances_loop, w->instances[i], err) &&
             scope_spawn(&w->loops, accounts_share_loop, w->at[i].accounts, err) &&
             scope_spawn(&w->loops, accounts_windows_loop, w->at[i].accounts, err);
    return ok;
}

static void close_world(struct world *w)
{
    static const char *const files[] = {"weir.db", "weir.db-wal", "weir.db-shm"};

    for (int i = 0; i < w->count; i++) {
        principal_release(&w->who[i]);
        instances_close(&w->instances[i]);
        if (w->at[i].arena)
            books_drop(&w->at[i]);
    }
    redis_close(&w->redis);
    secret_wipe(&w->token);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(arena_fmt(w->arena, "%s/%s", w->dir, files[i]).ptr);
    rmdir(w->dir);
    arena_end(&w->arena);
}

/* ---- what happens ---- */

static int granted_in(const struct world *w, int instance, bool shared_only, mono_ns from)
{
    int n = 0;

    for (int i = 0; i < w->grant_count; i++) {
        const struct grant *g = &w->grants[i];

        n += g->at > from && (instance < 0 || g->instance == instance) &&
             (g->shared || !shared_only);
    }
    return n;
}

static int in_progress(const struct world *w, int instance)
{
    int n = 0;

    for (int i = 0; i < w->grant_count; i++)
        n += !w->grants[i].until && (instance < 0 || w->grants[i].instance == instance);
    return n;
}

/* What must hold when one more has been granted. */
static void check_grant(const struct world *w, const struct grant *g)
{
    const struct limits *l = &w->limits;
    mono_ns from = g->at - MINUTE;
    int own = granted_in(w, g->instance, false, from);

    EXPECT(own <= l->requests_per_minute, "seed %" PRIu64 ": an instance took %d of %" PRId64,
           w->seed, own, l->requests_per_minute);
    if (g->shared) { /* Redis may have forgotten what it counted */
        int all = granted_in(w, -1, true, from);

        EXPECT(all <= l->requests_per_minute || fake_redis_struck(REDIS_FORGETS),
               "seed %" PRIu64 ": %d in a minute of %" PRId64, w->seed, all,
               l->requests_per_minute);
    } else {
        int64_t part = MAX_OF(l->requests_per_minute / w->count, 1);

        EXPECT(g->parts == (uint32_t)w->count, "seed %" PRIu64 ": %" PRIu32 " parts", w->seed,
               g->parts);
        EXPECT(!w->sound, "seed %" PRIu64 ": not counted by a sound Redis", w->seed);
        EXPECT(own <= part, "seed %" PRIu64 ": %d of a part of %" PRId64, w->seed, own, part);
        EXPECT(w->said_away > 0, "seed %" PRIu64 ": divided without a word", w->seed);
    }
    EXPECT(in_progress(w, g->instance) <= l->in_flight &&
               (!w->sound || in_progress(w, -1) <= l->in_flight),
           "seed %" PRIu64 ": %d in progress of %" PRId64, w->seed, in_progress(w, -1),
           l->in_flight);
}

/* Nobody is refused while there is room; who has left may have been counted. */
static void check_refusal(const struct world *w, const struct hold *hold)
{
    int64_t last = granted_in(w, -1, true, fiber_now() - MINUTE - 2 * SECOND) + w->left;

    if (w->sound && hold->refused == LIMIT_REQUESTS)
        EXPECT(last >= w->limits.requests_per_minute, "seed %" PRIu64 ": refused after %" PRId64,
               w->seed, last);
    if (w->sound && hold->refused == LIMIT_IN_FLIGHT)
        EXPECT(in_progress(w, -1) + w->left > 0, "seed %" PRIu64 ": nothing is in progress",
               w->seed);
}

static SUSPENDS void work(struct world *w, struct asker *a, struct hold *hold, usd_micro worst)
{
    struct grant *g = &w->grants[w->grant_count];
    struct audit_record record = {.outcome = STR("complete"), .status = 200};
    struct err err = {0};

    ASSERT(w->grant_count < GRANTS_MAX);
    *g = (struct grant){.at = fiber_now(),
                        .instance = a->instance,
                        .shared = hold->shared_second != 0,
                        .parts = hold->parts,
                        .tokens = hold->tokens};
    w->grant_count++;
    check_grant(w, g);
    (void)!fiber_sleep((dur_ns)sim_random(6 * SECOND), &err);
    record.time = clock_wall();
    record.cost = (usd_micro)sim_random((uint64_t)worst + 1);
    record.tokens_in = (int64_t)sim_random((uint64_t)hold->tokens + 1);
    g->tokens = record.tokens_in;
    g->until = fiber_now();
    err = (struct err){0};
    EXPECT(accounts_record(w->at[a->instance].accounts, hold, &record, &err), "%s", err.text);
    w->spent += record.cost;
    EXPECT(w->spent <= w->limits.spend_day, "seed %" PRIu64 ": %" PRId64 " of %" PRId64, w->seed,
           w->spent, w->limits.spend_day);
}

static SUSPENDS void ask_once(struct world *w, struct asker *a)
{
    struct hold hold = {0};
    struct need worst = {.cost = 1 + (usd_micro)sim_random(2000),
                         .tokens = 1 + (int64_t)sim_random(500)};
    struct scope scope;
    struct err err = {0}, over = {0};

    scope_open(&scope, 0);
    a->taking = &scope;
    bool ok = hold_take(w->at[a->instance].accounts, w->who[a->instance], worst, clock_wall(),
                        &hold, &err);
    a->taking = NULL;
    bool left = !fiber_still_wanted(&over);
    scope_close(&scope);
    if (ok) {
        work(w, a, &hold, worst.cost);
        return;
    }
    EXPECT(left || hold.refused != LIMIT_NONE, "seed %" PRIu64 ": %s", w->seed, err.text);
    w->left += left;
    check_refusal(w, &hold);
    w->refused[hold.refused]++;
    w->told_parts += str_find(str_from(err.text), STR("parts of each limit")) < strlen(err.text);
}

static void ask_on(void *arg)
{
    struct asker *a = arg;
    struct world *w = a->world;
    struct err err = {0};

    while (fiber_now() < w->ends && fiber_sleep(1 + (dur_ns)sim_random(4 * SECOND), &err))
        ask_once(w, a);
}

/* Clients that leave while their requests are asked for. */
static void leave(void *arg)
{
    struct world *w = arg;
    struct err err = {0};

    while (fiber_now() < w->ends && fiber_sleep((dur_ns)sim_random(3 * MILLISECOND), &err)) {
        struct asker *a = &w->asking[sim_random(ARRAY_LEN(w->asking))];

        if (a->taking && sim_random(20) == 0)
            scope_cancel(a->taking);
    }
}

/* Failing from the tenth second on, and away for up to forty. */
static void trouble(void *arg)
{
    struct world *w = arg;
    struct err err = {0};

    if (w->sound || !fiber_sleep(10 * SECOND, &err))
        return;
    fake_redis_sound(false);
    if (!fiber_sleep((dur_ns)sim_random(50 * SECOND), &err))
        return;
    fake_redis_away(true);
    (void)!fiber_sleep((dur_ns)sim_random(40 * SECOND), &err);
    fake_redis_away(false);
}

/* ---- afterwards ---- */

/* Nothing is in progress that is not: what is left of the limit can be taken, over all instances, and no more. */
static SUSPENDS void check_whole(struct world *w)
{
    struct hold holds[16] = {0}, more = {0};
    struct err err = {0};

    ASSERT(w->limits.in_flight < (int64_t)ARRAY_LEN(holds));
    for (int i = 0; i < w->count; i++)
        EXPECT(windows_are_asked(w->at[i].accounts) && !accounts_limits_divided(w->at[i].accounts),
               "seed %" PRIu64 ": Redis is sound, and not asked", w->seed);
    for (int64_t i = 0; i < w->limits.in_flight; i++)
        EXPECT(hold_take(w->at[i % w->count].accounts, w->who[i % w->count],
                         (struct need){.tokens = 1}, clock_wall(), &holds[i], &err),
               "seed %" PRIu64 ": %s", w->seed, err.text);
    EXPECT(fake_redis_in_progress() == w->limits.in_flight, "%" PRId64, fake_redis_in_progress());
    EXPECT(!hold_take(w->at[0].accounts, w->who[0], (struct need){.tokens = 1}, clock_wall(), &more,
                      &err) &&
               more.refused == LIMIT_IN_FLIGHT,
           "seed %" PRIu64 ": one more than the limit", w->seed);
    for (int64_t i = 0; i < w->limits.in_flight; i++)
        hold_drop(w->at[i % w->count].accounts, &holds[i]);
    EXPECT(fiber_sleep(SECOND, &err));
    EXPECT(fake_redis_in_progress() == 0 && fake_redis_tokens() == 0,
           "seed %" PRIu64 ": %" PRId64 " in progress, %" PRId64 " tokens", w->seed,
           fake_redis_in_progress(), fake_redis_tokens());
}

static SUSPENDS void check_books(struct world *w)
{
    usd_micro sum = 0;
    struct err err = {0};

    for (int i = 0; i < w->count; i++) {
        sum += w->who[i]->key->account.spend.total;
        EXPECT(accounts_holds_open(w->at[i].accounts) == 0);
    }
    EXPECT(sum == w->spent, "seed %" PRIu64 ": %" PRId64 " in the books, %" PRId64 " spent",
           w->seed, sum, w->spent);
    EXPECT(in_progress(w, -1) == 0);
    if (!w->sound) {
        EXPECT(!w->said_away == !w->said_back, "said: %d times away, %d back", w->said_away,
               w->said_back);
        return;
    }
    EXPECT(!w->said_away && !w->told_parts && w->grant_count > 0, "%s", err.text);
}

static SUSPENDS void live(struct world *w)
{
    struct err err = {0};
    int askers = 2 + (int)sim_random(ASKERS_MAX - 1);

    EXPECT(fiber_sleep(3 * SECOND, &err)); /* all know of each other */
    w->ends = fiber_now() + WORKS_FOR;
    bool ok = scope_spawn(&w->askers, trouble, w, &err) && scope_spawn(&w->askers, leave, w, &err);
    for (int i = 0; i < w->count * askers; i++) {
        w->asking[i] = (struct asker){.world = w, .instance = i % w->count};
        ok = ok && scope_spawn(&w->askers, ask_on, &w->asking[i], &err);
    }
    EXPECT(ok && scope_wait(&w->askers, &err), "%s", err.text);
    fake_redis_sound(true);
    sim_calm(true);
    /* The pause of the client is 30 s at most; then names of before, and the minute, have to end. */
    EXPECT(fiber_sleep(110 * SECOND, &err));
    check_whole(w);
    check_books(w);
}

static void draw(struct world *w, struct fake_redis_options *redis)
{
    static const uint32_t most[REDIS_FAULTS] = {20000, 20000, 20000, 20000, 10000, 5000, 1000};

    w->count = 2 + (int)sim_random(INSTANCES_MAX - 1);
    w->limits = (struct limits){.requests_per_minute = 8 + (int64_t)sim_random(40),
                                .tokens_per_minute = sim_random(2) ? 0 : 4000,
                                .in_flight = 2 + (int64_t)sim_random(6),
                                .spend_day = 20000 + (usd_micro)sim_random(100000)};
    for (int i = 0; i < REDIS_FAULTS; i++)
        redis->ppm[i] = w->sound || sim_random(2) ? 0 : most[i];
    redis->delay = 3 * TIMEOUT;
}

static void first_fiber(void *arg)
{
    struct world *w = arg;
    struct fake_redis_options redis = {0};
    struct scope around;
    struct err err = {0};

    draw(w, &redis);
    scope_open(&around, 0);
    scope_open(&w->loops, 0);
    scope_open(&w->askers, 0);
    bool ok = fake_redis_open(&redis, &around, &err) && open_world(w, &err);
    EXPECT(ok, "%s", err.text);
    if (ok)
        live(w);
    scope_close(&w->askers);
    scope_close(&w->loops);
    scope_close(&around);
    fake_redis_close();
}

/* On a disk of memory where there is one: each beat of an instance is synced. */
static void make_dir(char to[64])
{
    snprintf(to, 64, "%s/weir-shared-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(to)) {
        perror("mkdtemp");
        exit(2);
    }
}

static void run_world(uint64_t seed, bool sound)
{
    struct sim_options options = {.seed = seed, .time_max = 3600 * SECOND};
    struct sim_report report = {0};
    struct world *w = &world;
    struct err err = {0};

    *w = (struct world){.seed = seed, .sound = sound, .arena = arena_new(16 * MIB)};
    make_dir(w->dir);
    options.ppm[SIM_PIECES] = 300000;
    options.ppm[SIM_SHORT_READ] = options.ppm[SIM_SPURIOUS] = 100000;
    sim_begin(&options);
    log_to(hear_log, w);
    struct loop *loop = loop_new(NULL, &err);
    REQUIRE(loop, "%s", err.text);
    loop_run(loop, first_fiber, w);
    close_world(w);
    loop_free(&loop);
    log_to(NULL, NULL);
    sim_end(&report);
    EXPECT(!report.stood_still && !report.endless && !report.socks, "seed %" PRIu64 ": %s", seed,
           report.parked_text);
}

/* In no minute more than the limit, never more in progress, each of them over all instances; and all of it is used. */
TEST(limits_hold_over_a_sound_redis)
{
    int granted = 0, refused[LIMIT_SPEND + 1] = {0}, left = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_world(seed, true);
        granted += world.grant_count;
        left += world.left;
        for (int i = 0; i <= LIMIT_SPEND; i++)
            refused[i] += world.refused[i];
    }
    printf("# %d granted, %d left; refused for requests %d, tokens %d, in progress %d, spend %d\n",
           granted, left, refused[LIMIT_REQUESTS], refused[LIMIT_TOKENS], refused[LIMIT_IN_FLIGHT],
           refused[LIMIT_SPEND]);
    EXPECT(granted > 500 && refused[LIMIT_REQUESTS] > 50 && refused[LIMIT_TOKENS] > 50 &&
           refused[LIMIT_IN_FLIGHT] > 50 && refused[LIMIT_SPEND] > 50);
}

/* Each instance keeps to its part and says so, no budget is overspent, and nothing is left of it afterwards. */
TEST(limits_are_divided_while_redis_fails)
{
    int divided = 0, shared = 0, away = 0, told = 0;
    uint64_t struck[REDIS_FAULTS] = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_world(seed, false);
        for (int i = 0; i < world.grant_count; i++)
            world.grants[i].shared ? shared++ : divided++;
        away += world.said_away;
        told += world.told_parts;
        for (int i = 0; i < REDIS_FAULTS; i++)
            struck[i] += fake_redis_struck((enum redis_fault)i);
    }
    printf("# %d granted over Redis, %d in parts; said %d times, told %d clients\n", shared,
           divided, away, told);
    EXPECT(shared > 300 && divided > 50 && away > SEEDS && told > 50);
    for (int i = 0; i < REDIS_FAULTS; i++)
        EXPECT(struck[i] > 0, "fault %d never struck", i);
}
