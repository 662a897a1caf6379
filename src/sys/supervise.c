#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/clock.h"
#include "sys/threads.h"

#define PAUSE_FIRST (100 * MILLISECOND)
#define PAUSE_MAX   (10 * SECOND)
#define HEALTHY     (60 * SECOND) /* alive this long: the next death counts as the first */

struct supervised {
    supervised_fn *worker;
    void *arg;
};

/* What comes before the worker takes signals waits for it, as it waited for us. */
static pid_t start(const struct supervised *what, bool again, const sigset_t *set)
{
    pid_t parent = getpid();
    sigset_t passed_on = *set;
    pid_t child = fork();

    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* Ctrl-C goes to the parent alone, which passes it on: once, not twice */
    if (getppid() != parent)
        _exit(0);
    sigdelset(&passed_on, SIGCHLD);
    sigprocmask(SIG_SETMASK, &passed_on, NULL);
    int status = what->worker(what->arg, again);
    fflush(NULL);
    _exit(status);
}

/* All that have ended: the first process of a container is given those that lost their parent, too. True: `child` is
 * among them. */
static bool bury(pid_t child, int *status)
{
    bool found = false;
    pid_t one;

    for (int how; (one = waitpid(-1, &how, WNOHANG)) > 0;)
        if (one == child) {
            *status = how;
            found = true;
        }
    return found;
}

/* Until the child has ended; signals for us are passed on to it. */
static int wait_for(pid_t child, const sigset_t *set, bool *stopping)
{
    int status = 0;

    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(set, &info);

        if (number == SIGCHLD) {
            if (bury(child, &status))
                return status;
        } else if (number > 0) {
            *stopping |= number == SIGTERM || number == SIGINT;
            kill(child, number);
        }
    }
}

static void pause_before_restart(dur_ns pause, const sigset_t *set, bool *stopping)
{
    mono_ns until = clock_mono() + pause;
    int ignored;

    for (dur_ns rest; !*stopping && (rest = until - clock_mono()) > 0;) {
        struct timespec left = {.tv_sec = (time_t)(rest / SECOND),
                                .tv_nsec = (long)(rest % SECOND)};
        int number = sigtimedwait(set, NULL, &left);

        *stopping |= number == SIGTERM || number == SIGINT;
        if (number == SIGCHLD)
            (void)bury(0, &ignored);
    }
}

int supervise(supervised_fn *worker, void *arg)
{
    struct supervised what = {worker, arg};
    sigset_t set;
    dur_ns pause = PAUSE_FIRST;
    bool stopping = false, again = false;

    signal(SIGCHLD, SIG_DFL); /* ignored, as we may have been started, no end would be told */
    signal(SIGPIPE, SIG_IGN); /* of the log; the worker ignores it, too */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (!stopping) {
        mono_ns begun = clock_mono();
        pid_t child = start(&what, again, &set);

        if (child < 0) {
            log_error("could not start the worker: %s", strerror(errno));
            return 71;
        }
        int status = wait_for(child, &set, &stopping);
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (stopping)
            return 128 + WTERMSIG(status);
        if (clock_mono() - begun > HEALTHY)
            pause = PAUSE_FIRST;
        log_error("the worker died by signal %d (%s); it is started again in %" PRId64 " ms",
                  WTERMSIG(status), strsignal(WTERMSIG(status)), pause / MILLISECOND);
        pause_before_restart(pause, &set, &stopping);
        pause = MIN_OF(pause * 2, PAUSE_MAX);
        again = true;
    }
    return 0;
}
