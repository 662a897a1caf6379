#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/loop_internal.h"
#include "sys/sanitize.h"
#include "test.h"

/* Run in_child(arg) in a child of this process; what it says on standard error comes back. */
static int run_forked(void (*in_child)(void *arg), void *arg, char *said, size_t size)
{
    int ends[2], status = -1;
    size_t len = 0;

    if (pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], STDERR_FILENO);
        in_child(arg);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n = 1; n > 0 && len < size - 1; len += (size_t)MAX_OF(n, 0))
        n = read(ends[0], said + len, size - 1 - len);
    said[len] = 0;
    close(ends[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void touch(void *arg)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's report would only be noise */
    *(volatile char *)arg = 1;
}

static bool is_guarded(char *at)
{
    char said[100];
    int status = run_forked(touch, at, said, sizeof said);

    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

TEST(a_guard_lies_below_each_stack_on_old_kernels_too)
{
    for (int by_mprotect = 0; by_mprotect <= 1; by_mprotect++) {
        struct stacks s = {0};
        struct err err = {0};
        char *low[70]; /* more than one region */

        REQUIRE(stacks_init(&s, ARRAY_LEN(low), &err), "%s", err.text);
        s.by_mprotect |= by_mprotect;
        for (size_t i = 0; i < ARRAY_LEN(low); i++) {
            low[i] = stack_take(&s);
            REQUIRE(low[i]);
            memset(low[i], 1, 100);
            memset(low[i] + STACK_USABLE_BYTES - 100, 1, 100);
        }
        EXPECT(!stack_take(&s), "bounded");
        for (size_t i = (size_t)by_mprotect; i < ARRAY_LEN(low);
             i += 23) { /* the first was made before */
            EXPECT(is_guarded(low[i] - 1) && is_guarded(low[i] - STACK_GUARD_BYTES), "%zu", i);
            EXPECT(!is_guarded(low[i]));
        }
        for (size_t i = 0; i < ARRAY_LEN(low); i++)
            stack_give(&s, low[i]);
        EXPECT(s.count == ARRAY_LEN(low));
        stacks_done(&s);
    }
}

TEST(unused_stacks_lose_their_memory_and_the_warm_ones_do_not)
{
    struct stacks s = {0};
    struct err err = {0};
    char *low[10];

    REQUIRE(stacks_init(&s, ARRAY_LEN(low), &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(low); i++) {
        low[i] = stack_take(&s);
        REQUIRE(low[i]);
        low[i][0] = 7;
    }
    for (size_t i = 0; i < ARRAY_LEN(low); i++)
        stack_give(&s, low[i]);
    stacks_trim(&s); /* all were in use since the last one */
    EXPECT(low[0][0] == 7 && low[9][0] == 7);
    char *warm[2] = {stack_take(&s), stack_take(&s)};
    stack_give(&s, warm[1]);
    stack_give(&s, warm[0]);
    stacks_trim(&s);
    for (size_t i = 0; i < ARRAY_LEN(low); i++)
        EXPECT(low[i][0] == (low[i] == warm[0] || low[i] == warm[1] ? 7 : 0), "%zu", i);
    stacks_done(&s);
}

/* ---- overflow ---- */

static int dive(volatile char *above)
{
    volatile char bytes[1000];

    bytes[0] = *above;
    return bytes[0] ? 1 : 1 + dive(bytes);
}

static void overflow(void *arg)
{
    (void)arg;
    if (dive(&(volatile char){0}) < 0)
        _exit(1);
}

static void run_overflow(void *arg)
{
    struct err err = {0};
    struct loop *loop = loop_new(NULL, &err);

    loop_run(loop, overflow, arg);
}

TEST(an_overflow_is_named)
{
    char said[400];

    if (SANITIZE_ADDRESS || SANITIZE_THREAD)
        return; /* their own handlers name it */
    int status = run_forked(run_overflow, NULL, said, sizeof said);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%d", status);
    EXPECT(strstr(said, "fiber stack overflow"), "%s", said);
}
