/* The simulator itself: the same seed does the same, every fault strikes, time jumps, nothing is lost
 * that the odds do not take. */
#include <string.h>

#include "base/fault.h"
#include "base/pages.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "sys/sim.h"
#include "sys/sock.h"
#include "test.h"

#define TEXT_BYTES 40000u

static struct sim_report run(const struct sim_options *options, fiber_fn *first, void *arg)
{
    struct err err = {0};
    struct sim_report report = {0};

    sim_begin(options);
    struct loop *loop = loop_new(NULL, &err);
    EXPECT(loop != NULL, "%s", err.text);
    loop_run(loop, first, arg);
    loop_free(&loop);
    sim_end(&report);
    EXPECT(report.socks == 0 && report.listeners == 0 && report.files == 0 && report.maps == 0 &&
           report.jobs == 0);
    return report;
}

static char byte_at(size_t i)
{
    return (char)('a' + i * 7 % 26);
}

/* ---- a client that sends a text to a server which sends it back ---- */

struct echo {
    struct listener *listener;
    struct scope scope;
    size_t sent, echoed, returned; /* bytes */
    bool wrong;                    /* a byte that was never sent in this place */
    enum err_code client_err, server_err;
    bool client_end; /* an orderly one */
};

static void check_bytes(struct echo *e, const char *bytes, size_t got)
{
    for (size_t i = 0; i < got; i++)
        e->wrong |= bytes[i] != byte_at(e->returned + i);
    e->returned += got;
}

static void echo_server(void *arg)
{
    struct echo *e = arg;
    struct err err = {0};
    struct sock *s CLEANUP(sock_close) = NULL;
    char bytes[1000];
    size_t got = 0;

    while (!s && fiber_still_wanted(&err))
        if (!sock_accept(e->listener, &s, &err) && !fiber_sleep(MILLISECOND, &err))
            break;
    while (s && sock_read(s, bytes, sizeof bytes, &got, &err) && got > 0) {
        if (!sock_write(s, &(struct iovec){bytes, got}, 1, &err))
            break;
        e->echoed += got;
    }
    e->server_err = err.code;
}

static void echo_sender(void *arg)
{
    struct sock *s = *(struct sock **)arg;
    struct err err = {0};
    static char bytes[TEXT_BYTES];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = byte_at(i);
    if (sock_write(s, &(struct iovec){bytes, sizeof bytes}, 1, &err))
        sock_end_writing(s);
}

static void echo_client(struct echo *e, const struct addr *to)
{
    struct err err = {0};
    struct sock *s CLEANUP(sock_close) = NULL;
    struct scope sending;
    char bytes[700];
    size_t got = 0;

    if (!sock_connect(to, &s, &err)) {
        e->client_err = err.code;
        return;
    }
    scope_open(&sending, 0);
    if (!scope_spawn(&sending, echo_sender, &s, &err))
        e->client_err = err.code;
    while (sock_read(s, bytes, sizeof bytes, &got, &err) && got > 0)
        check_bytes(e, bytes, got);
    e->client_end = got == 0 && err.code == ERR_NONE;
    if (err.code)
        e->client_err = err.code;
    scope_close(&sending);
}

static void echo(void *arg)
{
    struct echo *e = arg;
    struct err err = {0};
    struct addr at;

    REQUIRE(addr_parse(STR("127.0.0.1:0"), &at, &err), "%s", err.text);
    REQUIRE(sock_listen(&at, NULL, &e->listener, &err), "%s", err.text);
    at = listener_addr(e->listener);
    scope_open(&e->scope, fiber_now() + 600 * SECOND);
    REQUIRE(scope_spawn(&e->scope, echo_server, e, &err), "%s", err.text);
    echo_client(e, &at);
    scope_close(&e->scope);
    listener_close(&e->listener);
}

TEST(without_odds_every_byte_comes_back)
{
    struct echo e = {0};
    struct sim_report report = run(NULL, echo, &e);

    EXPECT(e.returned == TEXT_BYTES && !e.wrong && e.client_end, "%zu", e.returned);
    EXPECT(e.client_err == ERR_NONE && e.server_err == ERR_NONE);
    EXPECT(!report.stood_still && !report.endless);
    EXPECT(report.took > 0 && report.took < SECOND, "%" PRId64, report.took);
}

TEST(one_seed_is_one_story)
{
    uint64_t last = 0;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_options options = {.seed = seed};
        struct echo a = {0}, b = {0};

        for (int i = 0; i < SIM_FAULTS; i++)
            options.ppm[i] = i == SIM_NO_MEMORY ? 0 : 50000;
        struct sim_report first = run(&options, echo, &a);
        struct sim_report again = run(&options, echo, &b);
        EXPECT(first.hash == again.hash && first.events == again.events, "seed %" PRIu64, seed);
        EXPECT(a.returned == b.returned && a.client_err == b.client_err, "seed %" PRIu64, seed);
        EXPECT(first.hash != last, "seed %" PRIu64, seed);
        EXPECT(!a.wrong, "seed %" PRIu64, seed);
        last = first.hash;
    }
}

/* What each fault of the network does to the echo, over a hundred seeds with nothing else. */
static const struct {
    enum sim_fault fault;
    uint32_t ppm;
    bool may_lose; /* else every byte must come back all the same */
} net_faults[] = {
    {SIM_CONNECT_REFUSED, 500000, true},
    {SIM_CONNECT_HANG, 500000, true},
    {SIM_ACCEPT_FAILED, 500000, false},
    {SIM_RESET, 500000, true},
    {SIM_CUT, 500000, true},
    {SIM_STALL, 50000, false},
    {SIM_PIECES, 500000, false},
    {SIM_SHORT_READ, 200000, false},
    {SIM_SHORT_WRITE, 200000, false},
    {SIM_SPURIOUS, 500000, false},
};

TEST(every_fault_of_the_network_strikes)
{
    for (size_t i = 0; i < ARRAY_LEN(net_faults); i++) {
        const char *name = sim_fault_name(net_faults[i].fault);
        uint64_t struck = 0;
        int whole = 0, lost = 0;

        for (uint64_t seed = 1; seed <= 100; seed++) {
            struct sim_options options = {.seed = seed, .stall_max = SECOND};
            struct echo e = {0};

            options.ppm[net_faults[i].fault] = net_faults[i].ppm;
            struct sim_report report = run(&options, echo, &e);
            struck += report.struck[net_faults[i].fault];
            EXPECT(!e.wrong, "%s, seed %" PRIu64, name, seed);
            EXPECT(!report.stood_still, "%s, seed %" PRIu64 ": %s", name, seed, report.parked_text);
            if (e.returned == TEXT_BYTES)
                whole++;
            else
                lost++;
        }
        EXPECT(struck > 0, "%s", name);
        EXPECT(whole > 0, "%s", name);
        EXPECT((lost > 0) == net_faults[i].may_lose, "%s: %d lost", name, lost);
    }
}

/* ---- time ---- */

static void sleep_a_month(void *arg)
{
    struct err err = {0};
    mono_ns before = fiber_now();
    wall_ms wall = clock_wall();

    EXPECT(fiber_sleep(30 * 24 * 3600 * SECOND, &err));
    *(dur_ns *)arg = fiber_now() - before;
    EXPECT(clock_wall() - wall >= (wall_ms)30 * 24 * 3600 * 1000);
}

TEST(time_jumps)
{
    dur_ns slept = 0;

    run(&(struct sim_options){.time_max = 365 * 24 * 3600 * SECOND}, sleep_a_month, &slept);
    EXPECT(slept >= 30 * 24 * 3600 * SECOND && slept < 30 * 24 * 3600 * SECOND + SECOND);
}

static void wait_for_nobody(void *arg)
{
    struct event never = {0};

    EXPECT(!event_wait(&never, arg));
}

TEST(a_standstill_is_reported_and_ended)
{
    struct err err = {0};
    struct sim_report report = run(&(struct sim_options){.seed = 1}, wait_for_nobody, &err);

    EXPECT(report.stood_still && report.parked == 1);
    EXPECT(strstr(report.parked_text, "waits") != NULL, "%s", report.parked_text);
    EXPECT(err.code == ERR_CANCELLED);
}

static void turn_for_ever(void *arg)
{
    while (fiber_still_wanted(arg))
        if (!fiber_sleep(SECOND, arg))
            break;
}

TEST(a_run_without_end_is_reported_and_ended)
{
    struct err err = {0};
    struct sim_options options = {.time_max = 3600 * SECOND};
    struct sim_report report = run(&options, turn_for_ever, &err);

    EXPECT(report.endless && !report.stood_still);
    EXPECT(err.code == ERR_CANCELLED);
}

/* ---- sockets, finer points ---- */

struct pair {
    struct listener *listener;
    struct addr at;
    struct sock *a, *b; /* a connected, b was accepted */
};

static void open_pair(struct pair *p, struct str at)
{
    struct err err = {0};

    REQUIRE(addr_parse(at, &p->at, &err), "%s", err.text);
    REQUIRE(sock_listen(&p->at, NULL, &p->listener, &err), "%s", err.text);
    p->at = listener_addr(p->listener);
    REQUIRE(sock_connect(&p->at, &p->a, &err), "%s", err.text);
    REQUIRE(sock_accept(p->listener, &p->b, &err), "%s", err.text);
}

static void close_pair(struct pair *p)
{
    sock_close(&p->a);
    sock_close(&p->b);
    listener_close(&p->listener);
}

static void write_text(struct sock *s, const char *text)
{
    struct err err = {0};
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

    EXPECT(sock_write(s, &iov, 1, &err), "%s", err.text);
}

static void hangup_cancels(void *arg)
{
    struct pair p = {0};
    struct err err = {0};
    struct scope scope;
    (void)arg;

    open_pair(&p, STR("127.0.0.1:0"));
    scope_open(&scope, 0);
    sock_on_hangup(p.b, &scope);
    write_text(p.a, "unread");
    sock_close(&p.a);
    EXPECT(!fiber_sleep(SECOND, &err) && err.code == ERR_CANCELLED);
    sock_on_hangup(p.b, NULL);
    scope_close(&scope);
    close_pair(&p);
}

TEST(a_leaving_peer_cancels_the_scope)
{
    run(NULL, hangup_cancels, NULL);
}

static void unread_resets(void *arg)
{
    struct pair p = {0};
    struct err err = {0};
    char bytes[8];
    size_t got = 0;
    (void)arg;

    open_pair(&p, STR("127.0.0.1:0"));
    write_text(p.a, "unread");
    EXPECT(fiber_sleep(SECOND, &err));
    EXPECT(!sock_is_alive(p.b)); /* bytes nobody expects */
    sock_close(&p.b);
    EXPECT(!sock_read(p.a, bytes, sizeof bytes, &got, &err) && err.code == ERR_UNAVAILABLE);
    close_pair(&p);
}

TEST(closing_with_bytes_unread_resets)
{
    run(NULL, unread_resets, NULL);
}

static void keep_or_forget(void *arg)
{
    struct pair p = {0};
    struct err err = {0};
    char bytes[8];

    open_pair(&p, STR("127.0.0.1:0"));
    write_text(p.a, "last");
    write_text(p.b, "words");
    EXPECT(fiber_sleep(SECOND, &err));
    sock_close(&p.b); /* with bytes unread: a reset */
    EXPECT(fiber_sleep(SECOND, &err));
    size_t got = 0;
    *(size_t *)arg = sock_read(p.a, bytes, sizeof bytes, &got, &err) ? got : 0;
    close_pair(&p);
}

TEST(a_reset_may_take_back_what_was_not_read)
{
    struct sim_options options = {.ppm = {[SIM_FORGETTING] = SIM_ALWAYS}};
    size_t got = 0;

    run(NULL, keep_or_forget, &got);
    EXPECT(got == 5, "%zu", got);
    struct sim_report report = run(&options, keep_or_forget, &got);
    EXPECT(got == 0 && report.struck[SIM_FORGETTING] == 1, "%zu", got);
}

static void writing_to_the_gone(void *arg)
{
    struct pair p = {0};
    struct err err = {0};
    struct iovec iov = {"x", 1};
    (void)arg;

    open_pair(&p, STR("unix:/run/weir.sock"));
    EXPECT(sock_peer_uid(p.b) != UINT32_MAX);
    sock_close(&p.b);
    EXPECT(sock_write(p.a, &iov, 1, &err), "the first write is not refused yet: %s", err.text);
    EXPECT(fiber_sleep(SECOND, &err));
    EXPECT(!sock_write(p.a, &iov, 1, &err));
    close_pair(&p);
}

TEST(a_write_to_the_gone_earns_a_reset)
{
    run(NULL, writing_to_the_gone, NULL);
}

static void note_rest(void *arg)
{
    (*(int *)arg)++;
}

static void resting(void *arg)
{
    struct pair p = {0};
    struct err err = {0};
    int fired = 0;
    (void)arg;

    open_pair(&p, STR("127.0.0.1:0"));
    EXPECT(sock_rest(p.b, note_rest, &fired, &err));
    EXPECT(sock_rest_cancel(p.b) && !sock_rest_cancel(p.b));
    EXPECT(sock_rest(p.b, note_rest, &fired, &err));
    EXPECT(fiber_sleep(SECOND, &err) && fired == 0);
    write_text(p.a, "one");
    EXPECT(fiber_sleep(SECOND, &err) && fired == 1);
    EXPECT(sock_rest(p.b, note_rest, &fired, &err), "with bytes there already");
    EXPECT(fiber_sleep(SECOND, &err) && fired == 2);
    write_text(p.a, "two");
    EXPECT(fiber_sleep(SECOND, &err) && fired == 2, "one shot");
    close_pair(&p);
}

TEST(a_resting_socket_starts_a_fiber_once)
{
    run(NULL, resting, NULL);
}

static void connect_somewhere(void *arg)
{
    struct err *err = arg;
    struct addr at;
    struct sock *s CLEANUP(sock_close) = NULL;
    struct scope scope;

    REQUIRE(addr_parse(STR("[::1]:9"), &at, err));
    scope_open(&scope, fiber_now() + 5 * SECOND);
    EXPECT(!sock_connect(&at, &s, err));
    scope_close(&scope);
}

TEST(nobody_listens)
{
    struct err err = {0};

    run(NULL, connect_somewhere, &err);
    EXPECT(err.code == ERR_UNAVAILABLE, "%s", err.text);
}

TEST(a_hanging_connect_ends_at_the_deadline)
{
    struct sim_options options = {.ppm = {[SIM_CONNECT_HANG] = SIM_ALWAYS}};
    struct err err = {0};
    struct sim_report report = run(&options, connect_somewhere, &err);

    EXPECT(err.code == ERR_TIMEOUT, "%s", err.text);
    EXPECT(report.took < 6 * SECOND);
}

TEST(addresses)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"127.0.0.1:80", true}, {"[::1]:65535", true}, {"unix:/a", true},        {"unix:", false},
        {"127.0.0.1", false},   {"127.0.0.1:", false}, {"host:80", false},       {"::1:80", false},
        {"1.2.3:80", false},    {"", false},           {"1.2.3.4:65536", false},
    };
    struct addr addr;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};

        EXPECT(addr_parse(str_from(cases[i].text), &addr, &err) == cases[i].good, "%s",
               cases[i].text);
    }
}

/* ---- pools ---- */

struct jobs {
    char order[32];
    size_t count, batches, largest;
};
struct one_job {
    struct jobs *jobs;
    char name;
};

static void run_one(void *arg)
{
    struct one_job *job = arg;

    job->jobs->order[job->jobs->count++] = job->name;
}

static void run_batch(void *ctx, struct pool_job *first, size_t count)
{
    struct jobs *jobs = ctx;

    jobs->batches++;
    jobs->largest = MAX_OF(jobs->largest, count);
    for (struct pool_job *job = first; job; job = job->next)
        job->fn(job->arg);
}

static void hand_in(void *arg)
{
    struct jobs *jobs = arg;
    struct err err = {0};
    struct pool *pool CLEANUP(pool_free) = NULL;
    struct one_job eight[8];
    bool is_batch = jobs->batches > 0;

    jobs->batches = 0;
    pool = pool_new(&(struct pool_options){.name = "test",
                                           .threads = is_batch ? 1 : 3,
                                           .queue_max = 8,
                                           .batch = is_batch ? run_batch : NULL,
                                           .ctx = jobs},
                    &err);
    REQUIRE(pool, "%s", err.text);
    for (int i = 0; i < 8; i++) {
        eight[i] = (struct one_job){jobs, (char)('1' + i)};
        EXPECT(pool_submit(pool, run_one, &eight[i], &err), "%s", err.text);
    }
    EXPECT(pool_waiting(pool) == 8);
    EXPECT(!pool_submit(pool, run_one, &eight[0], &err) && err.code == ERR_EXHAUSTED);
    EXPECT(fiber_sleep(SECOND, &err));
    EXPECT(jobs->count == 8 && pool_waiting(pool) == 0);
    EXPECT(pool_run(pool, run_one, &eight[0], &err), "%s", err.text);
    EXPECT(jobs->count == 9);
    EXPECT(pool_submit(pool, run_one, &eight[1], &err), "%s", err.text); /* run by pool_free() */
}

TEST(jobs_run_in_seeded_order)
{
    char first[32] = "";
    bool differs = false;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct jobs jobs = {.count = 0};

        run(&(struct sim_options){.seed = seed}, hand_in, &jobs);
        EXPECT(jobs.count == 10, "%zu", jobs.count);
        differs |= seed > 1 && strcmp(first, jobs.order) != 0;
        memcpy(first, jobs.order, sizeof first);
    }
    EXPECT(differs);
}

TEST(a_batch_takes_all_that_waits)
{
    struct jobs jobs = {.batches = 1};

    run(NULL, hand_in, &jobs);
    EXPECT(jobs.batches == 3 && jobs.largest == 8, "%zu %zu", jobs.batches, jobs.largest);
    EXPECT(strncmp(jobs.order, "12345678", 8) == 0, "%s", jobs.order);
}

static void run_slow(void *arg)
{
    struct err err = {0};
    struct pool *pool CLEANUP(pool_free) =
        pool_new(&(struct pool_options){.name = "slow", .threads = 1, .queue_max = 1}, &err);
    struct jobs jobs = {.count = 0};
    struct one_job job = {&jobs, 'x'};
    mono_ns before = fiber_now();

    REQUIRE(pool, "%s", err.text);
    *(enum err_code *)arg = pool_run(pool, run_one, &job, &err) ? ERR_NONE : err.code;
    EXPECT(err.code || fiber_now() - before >= MILLISECOND);
}

TEST(pools_are_slow_or_full_by_the_odds)
{
    struct sim_options slow = {.ppm = {[SIM_POOL_SLOW] = SIM_ALWAYS}};
    struct sim_options full = {.ppm = {[SIM_POOL_FULL] = SIM_ALWAYS}};
    enum err_code code = ERR_NONE;

    EXPECT(run(&slow, run_slow, &code).struck[SIM_POOL_SLOW] == 1 && code == ERR_NONE);
    EXPECT(run(&full, run_slow, &code).struck[SIM_POOL_FULL] == 1 && code == ERR_EXHAUSTED);
}

/* ---- memory ---- */

static void take_pages(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        size_t got;
        void *page = pages_take(PAGE_BYTES, &got);

        *(int *)arg += page == NULL;
        if (page)
            pages_give(page, got);
    }
}

TEST(memory_fails_by_the_odds)
{
    struct sim_options options = {.ppm = {[SIM_NO_MEMORY] = 100000}};
    int failed = 0;

#ifdef WEIR_FAULT
    EXPECT(run(&options, take_pages, &failed).struck[SIM_NO_MEMORY] > 0);
    EXPECT(failed > 50 && failed < 200, "%d", failed);
#else
    run(&options, take_pages, &failed);
    EXPECT(failed == 0);
#endif
    failed = 0;
    run(NULL, take_pages, &failed);
    EXPECT(failed == 0);
}
