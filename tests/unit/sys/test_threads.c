#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/threads.h"
#include "test.h"

enum { LOOPS = 3, ROUNDS = LOOPS * 700 };

/* ---- loops that post to each other ---- */

struct post_office {
    struct loop *_Atomic loops[LOOPS];
    atomic_int passed, wrong_thread;
};

struct house {
    struct post_office *office;
    int number;
    struct event finished;
};
static struct house houses[LOOPS];

static void pass_on(void *arg)
{
    struct house *at = arg;
    struct post_office *office = at->office;

    if (loop_self() != office->loops[at->number])
        office->wrong_thread++;
    if (office->passed++ >= ROUNDS) {
        event_set(&at->finished);
        if (at->number + 1 == LOOPS)
            return;
    }
    struct house *next = &houses[(at->number + 1) % LOOPS];
    while (!loop_post(office->loops[next->number], pass_on, next))
        fiber_yield();
}

static void live(void *arg)
{
    struct house *at = arg;
    struct err err = {0};

    at->office->loops[at->number] = loop_self();
    for (int i = 0; i < LOOPS; i++) {
        while (!at->office->loops[i])
            EXPECT(fiber_sleep(100 * MICROSECOND, &err));
    }
    if (at->number == 0)
        pass_on(at);
    EXPECT(event_wait(&at->finished, &err)); /* no timer is set: only a post wakes the loop */
}

TEST(loops_pass_fibers_round)
{
    static struct post_office office;
    struct err err = {0};
    void *args[LOOPS];

    for (int i = 0; i < LOOPS; i++) {
        houses[i] = (struct house){.office = &office, .number = i};
        args[i] = &houses[i];
    }
    EXPECT(loops_run(LOOPS, NULL, live, args, &err), "%s", err.text);
    EXPECT(office.passed > ROUNDS && office.wrong_thread == 0, "%d %d", office.passed,
           office.wrong_thread);
}

/* ---- signals ---- */

static struct event signalled;
static int signal_seen;

static void take_signal(void *arg)
{
    signal_seen = (int)(intptr_t)arg;
    event_set(&signalled);
}

FIBER_TEST(a_signal_becomes_a_fiber)
{
    struct err err = {0};

    signals_block();
    REQUIRE(signals_start(loop_self(), take_signal, &err), "%s", err.text);
    kill(getpid(), SIGHUP);
    EXPECT(event_wait(&signalled, &err) && signal_seen == SIGHUP, "%d", signal_seen);
    signals_done();
}

static void do_nothing(void *arg)
{
    (void)arg;
}

FIBER_TEST(a_signal_waits_for_a_place_in_a_full_mailbox)
{
    struct timespec moment = {.tv_nsec = 50 * MILLISECOND};
    struct scope limit;
    struct err err = {0};

    event_clear(&signalled);
    signal_seen = 0;
    signals_block();
    REQUIRE(signals_start(loop_self(), take_signal, &err), "%s", err.text);
    while (loop_post(loop_self(), do_nothing, NULL))
        ;
    kill(getpid(), SIGTERM);
    nanosleep(&moment, NULL); /* the loop stands still: nothing is taken out */
    scope_open(&limit, fiber_now() + 10 * SECOND);
    EXPECT(event_wait(&signalled, &err) && signal_seen == SIGTERM, "%s", err.text);
    scope_close(&limit);
    signals_done();
}

FIBER_TEST(waiting_for_a_place_ends_with_the_signals)
{
    struct timespec moment = {.tv_nsec = 50 * MILLISECOND};
    struct err err = {0};

    signals_block();
    REQUIRE(signals_start(loop_self(), take_signal, &err), "%s", err.text);
    while (loop_post(loop_self(), do_nothing, NULL))
        ;
    kill(getpid(), SIGTERM);
    nanosleep(&moment, NULL);
    signals_done();
}

/* ---- the parent ---- */

static int serve_a_moment(void *arg, bool again)
{
    struct timespec moment = {.tv_nsec = 50 * MILLISECOND};

    (void)arg, (void)again;
    signals_block();
    nanosleep(&moment, NULL);
    return 7;
}

/* It was sent before the worker could take any: it waits there, and does not end what has just begun. */
TEST(a_signal_at_the_very_start_is_kept_for_the_worker)
{
    for (int i = 0; i < 20; i++) {
        int status = 0;
        pid_t parent = fork();

        REQUIRE(parent >= 0);
        if (parent == 0) {
            sigset_t set;

            sigemptyset(&set);
            sigaddset(&set, SIGTERM);
            sigprocmask(SIG_BLOCK, &set, NULL);
            raise(SIGTERM);
            _exit(supervise(serve_a_moment, NULL));
        }
        REQUIRE(waitpid(parent, &status, 0) == parent);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%d: %d", i, status);
    }
}

struct house_of_orphans {
    mono_ns died;
    pid_t orphan;
};

/* Dies and leaves a child of its own, which ends while the parent pauses. */
static int leave_an_orphan(void *arg, bool again)
{
    struct house_of_orphans *h = arg;
    struct timespec moment = {.tv_nsec = 30 * MILLISECOND};

    if (again != (h->died != 0))
        return 8;
    if (again)
        return (clock_mono() - h->died < 90 * MILLISECOND) | (kill(h->orphan, 0) == 0) << 1;
    pid_t orphan = fork();
    if (orphan == 0) {
        nanosleep(&moment, NULL);
        _exit(0);
    }
    h->orphan = orphan;
    h->died = clock_mono();
    raise(SIGKILL);
    return 4;
}

/* As the first process of a container it is the parent of all that have none. */
TEST(orphans_are_buried_and_shorten_no_pause)
{
    struct house_of_orphans *h =
        mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    REQUIRE(h != MAP_FAILED);
    pid_t parent = fork();
    REQUIRE(parent >= 0);
    if (parent == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        _exit(supervise(leave_an_orphan, h));
    }
    REQUIRE(waitpid(parent, &status, 0) == parent);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
    munmap(h, sizeof *h);
}

/* Dies once; started again, it ends well. */
static int die_once(void *arg, bool again)
{
    (void)arg;
    if (!again)
        raise(SIGKILL);
    return 9;
}

/* A shell's `trap '' CHLD`, or a launcher written so, is inherited: the kernel then buries children by itself and tells nobody. */
TEST(a_parent_that_was_started_with_children_ignored_hears_of_its_worker)
{
    struct timespec moment = {.tv_nsec = 20 * MILLISECOND};
    int status = 0;
    pid_t ended = 0, parent = fork();

    REQUIRE(parent >= 0);
    if (parent == 0) {
        signal(SIGCHLD, SIG_IGN);
        _exit(supervise(die_once, NULL));
    }
    for (int i = 0; i < 250 && ended == 0; i++) {
        nanosleep(&moment, NULL);
        ended = waitpid(parent, &status, WNOHANG);
    }
    if (ended == 0) {
        kill(parent, SIGKILL);
        (void)waitpid(parent, &status, 0);
    }
    EXPECT(ended == parent && WIFEXITED(status) && WEXITSTATUS(status) == 9, "%d", status);
}

/* `weir serve 2>&1 | tee log`, and the right side is gone: what the parent says must not end it. */
TEST(a_parent_whose_log_nobody_reads_any_more_starts_its_worker_again)
{
    int status = 0, ends[2];
    pid_t parent;

    REQUIRE(pipe(ends) == 0 && (parent = fork()) >= 0);
    if (parent == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(supervise(die_once, NULL));
    }
    close(ends[0]);
    close(ends[1]);
    REQUIRE(waitpid(parent, &status, 0) == parent);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 9, "%d", status);
}
