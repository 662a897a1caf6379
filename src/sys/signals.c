#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "sys/threads.h"

static struct {
    pthread_t thread;
    struct loop *loop;
    fiber_fn *fn;
    bool running;
} catcher;

static sigset_t our_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void signals_block(void)
{
    sigset_t set = our_signals();

    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* A full mailbox is emptied by its loop; until then a signal waits, as what stands before it are others' letters.
 * False: it was ended meanwhile. */
static bool tell_loop(int number)
{
    struct timespec moment = {.tv_nsec = MILLISECOND};
    sigset_t end;

    sigemptyset(&end);
    sigaddset(&end, SIGUSR2);
    while (!loop_post(catcher.loop, catcher.fn, (void *)(intptr_t)number))
        if (sigtimedwait(&end, NULL, &moment) == SIGUSR2)
            return false;
    return true;
}

/* SIGUSR2 to this thread alone ends it: see signals_done(). */
static void *catch_signals(void *arg)
{
    sigset_t set = our_signals();

    (void)arg;
    sigaddset(&set, SIGUSR2);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&set, &info);

        if (number < 0)
            continue;
        if (number == SIGUSR2)
            return NULL;
        if (info.si_code == SI_USER && info.si_pid == getppid())
            number |= SIGNAL_BY_PARENT;
        if (!tell_loop(number))
            return NULL;
    }
}

bool signals_start(struct loop *loop, fiber_fn *fn, struct err *err)
{
    sigset_t set, old;

    ASSERT(!catcher.running);
    catcher.loop = loop;
    catcher.fn = fn;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    int failed = pthread_create(&catcher.thread, NULL, catch_signals, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        return err_sys(err, ERR_EXHAUSTED, failed, "could not start the signal thread");
    catcher.running = true;
    return true;
}

void signals_done(void)
{
    if (!catcher.running)
        return;
    pthread_kill(catcher.thread, SIGUSR2);
    pthread_join(catcher.thread, NULL);
    catcher.running = false;
}
