#include "base/log.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child that runs fn writes to standard error, and how it ended. */
static int run_apart(void (*fn)(void), char *text, size_t size)
{
    int ends[2], status = -1;
    size_t len = 0;

    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n; len < size - 1 && (n = read(ends[0], text + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

static void break_a_promise(void)
{
    int kept = 0;

    ASSERT(kept == 1);
}

TEST(a_broken_promise_is_reported_and_ends_the_process)
{
    char text[1024];
    int status = run_apart(break_a_promise, text, sizeof text);

    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d", status);
    EXPECT(strstr(text, "test_assert.c:"), "%s", text);
    EXPECT(strstr(text, "assertion failed: kept == 1\n"), "%s", text);
}

/* Nobody reads the pipe, and it is full. A process that hangs is ended by the alarm instead. */
static void break_a_promise_unheard(void)
{
    int ends[2];
    char byte = 'x';

    if (pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
        _exit(1);
    while (write(ends[1], &byte, 1) == 1)
        ;
    if (fcntl(ends[1], F_SETFL, 0) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(2);
    alarm(10);
    break_a_promise();
}

TEST(a_broken_promise_ends_the_process_when_nobody_reads_its_words)
{
    char text[64];
    int status = run_apart(break_a_promise_unheard, text, sizeof text);

    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d", status);
}

static void log_plainly(void)
{
    log_to(NULL, NULL);
    log_error("disk is %d%% full", 99);
    log_record(LOG_INFO, STR("{\"status\":200}"));
}

TEST(without_a_sink_lines_go_to_standard_error)
{
    char text[1024];
    int status = run_apart(log_plainly, text, sizeof text);

    EXPECT(status == 0);
    EXPECT(strcmp(text,
                  "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"msg\":\"disk is "
                  "99% full\"}\n{\"status\":200}\n") == 0,
           "%s", text);
}
