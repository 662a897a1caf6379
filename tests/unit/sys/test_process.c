#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "sys/loop.h"
#include "sys/process.h"
#include "test.h"

static struct process_options shell(const char *const *argv)
{
    return (struct process_options){.argv = argv, .output_max = 100000, .wall_max = 20 * SECOND};
}

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static const struct {
    const char *name, *script, *input, *output, *errors;
    int status, signal;
} run_cases[] = {
    {"both streams", "echo out; echo err >&2", "", "out\n", "err\n", 0, 0},
    {"exit status", "exit 7", "", "", "", 7, 0},
    {"a signal", "kill -TERM $$", "", "", "", -1, SIGTERM},
    {"input", "cat", "some words", "some words", "", 0, 0},
    {"input that nobody reads", "true", "some words", "", "", 0, 0},
    {"no environment but the shell's own", "echo ${HOME-none} ${USER-none}", "", "none none\n", "",
     0, 0},
    {"only the three are open, 3 is the directory read", "exec ls /proc/self/fd", "",
     "0\n1\n2\n3\n", "", 0, 0},
    {"a background child ends too", "sleep 1000 & echo started", "", "started\n", "", 0, 0},
    {"a closed pipe is a signal as usual", "(sleep 0; yes) | head -c2", "", "y\n", "", 0, 0},
};

FIBER_TEST(a_child_gives_back_what_it_wrote)
{
    for (size_t i = 0; i < ARRAY_LEN(run_cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct process_options options = shell(SHELL(run_cases[i].script));
        struct process_result r = {0};

        options.environment = (const char *const[]){"PATH=/usr/bin:/bin", NULL};
        options.input = str_from(run_cases[i].input);
        REQUIRE(process_run(arena, &options, &r, &err), "%s: %s", run_cases[i].name, err.text);
        EXPECT(r.status == run_cases[i].status && r.signal == run_cases[i].signal, "%s: %d %d",
               run_cases[i].name, r.status, r.signal);
        EXPECT(str_eq(r.output, str_from(run_cases[i].output)), "%s: " STR_FMT, run_cases[i].name,
               STR_ARG(r.output));
        EXPECT(str_eq(r.errors, str_from(run_cases[i].errors)), "%s: " STR_FMT, run_cases[i].name,
               STR_ARG(r.errors));
    }
}

static void run_a_shell(void *arg)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct process_options options = shell(SHELL("exit 7"));

    EXPECT(process_run(arena, &options, arg, &err), "%s", err.text);
}

/* Who started us may have left them ignored: then the kernel buries them itself, and their numbers are others' at once. */
TEST(children_are_waited_for_however_we_were_started)
{
    struct process_result r = {.status = -1};
    struct err err = {0};

    signal(SIGCHLD, SIG_IGN);
    struct loop *loop = loop_new(NULL, &err);
    REQUIRE(loop, "%s", err.text);
    loop_run(loop, run_a_shell, &r);
    loop_free(&loop);
    signal(SIGCHLD, SIG_DFL);
    EXPECT(r.status == 7, "%d", r.status);
}

FIBER_TEST(large_input_and_output_flow_at_once)
{
    enum { LARGE = 700000 };
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    struct err err = {0};
    struct process_options options = shell((const char *const[]){"/bin/cat", NULL});
    struct process_result r = {0};
    char *input = arena_alloc(arena, LARGE);

    REQUIRE(input);
    for (int i = 0; i < LARGE; i++)
        input[i] = (char)('a' + i % 23);
    options.input = (struct str){input, LARGE};
    options.output_max = LARGE; /* exactly what fits */
    REQUIRE(process_run(arena, &options, &r, &err), "%s", err.text);
    EXPECT(str_eq(r.output, options.input), "%zu", r.output.len);
}

FIBER_TEST(too_much_output_ends_the_child)
{
    static const char *const scripts[] = {"yes", "yes >&2", "printf 12345678901"};

    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct process_options options = shell(SHELL(scripts[i]));
        struct process_result r = {0};

        options.output_max = 10;
        EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_TOO_LARGE, "%s: %s",
               scripts[i], err.text);
    }
}

FIBER_TEST(time_over_kills_the_whole_group)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct process_result r = {0};
    struct process_options options = shell(SHELL("trap '' TERM; sleep 1000 & sleep 1000"));
    struct scope s;

    options.wall_max = 30 * MILLISECOND;
    EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
    EXPECT(strstr(err.text, "ran longer than 30 ms"), "%s", err.text);
    options.wall_max = 0;
    scope_open(&s, fiber_now() + 30 * MILLISECOND);
    EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_TIMEOUT, "%s", err.text);
    EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_TIMEOUT, "not even started");
    scope_close(&s);
}

static void cancel_soon(void *arg)
{
    struct err err = {0};

    EXPECT(fiber_sleep(10 * MILLISECOND, &err));
    scope_cancel(arg);
}

FIBER_TEST(a_cancelled_caller_ends_its_child)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct process_result r = {0};
    struct process_options options = shell(SHELL("sleep 1000"));
    struct scope s;

    scope_open(&s, 0);
    EXPECT(fiber_spawn(cancel_soon, &s, &err));
    EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_CANCELLED, "%s", err.text);
    scope_close(&s);
}

FIBER_TEST(limits_hold)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct process_result r = {0};
    struct process_options options = shell(SHELL("while :; do :; done"));

    options.cpu_max = 1; /* rounds up to a second */
    REQUIRE(process_run(arena, &options, &r, &err), "%s", err.text);
    EXPECT(r.signal == SIGXCPU && r.status == -1, "%d", r.signal);
    options = shell(SHELL("ulimit -v; ulimit -n; ulimit -c"));
    options.memory_max = 512 * MIB;
    REQUIRE(process_run(arena, &options, &r, &err), "%s", err.text);
    EXPECT(str_eq(r.output, STR("524288\n256\n0\n")), STR_FMT, STR_ARG(r.output));
}

FIBER_TEST(what_cannot_start_says_why)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct process_result r = {0};
    struct process_options options = shell((const char *const[]){"/no/such/program", NULL});

    EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    options = shell((const char *const[]){"/etc/passwd", NULL});
    EXPECT(!process_run(arena, &options, &r, &err) && err.code == ERR_UNAVAILABLE &&
               err.sys == EACCES,
           "%s", err.text);
#ifdef WEIR_FAULT
    for (uint64_t nth = 1; fault_arm(nth); nth++) {
        options = shell(SHELL("true"));
        if (!process_run(arena, &options, &r, &err))
            EXPECT(err.code == ERR_UNAVAILABLE || err.code == ERR_EXHAUSTED, "%s", err.text);
    }
    fault_disarm();
#endif
}
