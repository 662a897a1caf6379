#include "sys/spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 256 /* for the child */
#define FIRST_SPARE 3   /* the lowest descriptor that is none of the three */

/* ---- the child, between vfork and exec: shares our memory, so it only makes system calls ---- */

static void limit(__rlimit_resource_t what, rlim_t soft, rlim_t hard)
{
    struct rlimit l = {soft, hard};

    setrlimit(what, &l);
}

static void set_limits(const struct spawn *o)
{
    rlim_t seconds = (rlim_t)((o->cpu_max + SECOND - 1) / SECOND);

    if (o->memory_max)
        limit(RLIMIT_AS, o->memory_max, o->memory_max);
    if (seconds)
        limit(RLIMIT_CPU, seconds, seconds + 1);
    limit(RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS);
    limit(RLIMIT_CORE, 0, 0);
}

static void become(const struct spawn *o, pid_t parent, int report)
{
    static char *const no_environment[] = {NULL};
    const char *const *env = o->environment ? o->environment : (const char *const *)no_environment;
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (getppid() != parent)
        _exit(127);
    for (int i = 0; i < SPAWN_STREAMS; i++) {
        if (dup2(o->ends[i], i) < 0)
            goto out;
    }
    close_range(FIRST_SPARE, ~0u, CLOSE_RANGE_CLOEXEC);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    set_limits(o);
    execve(o->argv[0], (char *const *)(uintptr_t)o->argv, (char *const *)(uintptr_t)env);
out:;
    int failed = errno;
    ssize_t put = write(report, &failed, sizeof failed);

    (void)put;
    _exit(127);
}

/* vfork, since a fork copies the page tables of the whole house; no signal handler may run in the
 * child, hence the mask. Not in the caller's frame: the child must not return into it. Its failure
 * comes through a pipe that a successful exec closes, and not through the shared memory: valgrind
 * and TSan make a fork of a vfork. */
__attribute__((noinline)) static int start_child(const struct spawn *o, const int report[2],
                                                 pid_t *child)
{
    int failed = 0;
    sigset_t all, old;
    pid_t parent = getpid();

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = vfork();
    if (pid == 0)
        become(o, parent, report[1]);
    if (pid < 0)
        failed = errno;
    close(report[1]);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pid > 0 && read(report[0], &failed, sizeof failed) > 0)
        waitpid(pid, NULL, 0);
    close(report[0]);
    *child = failed ? 0 : pid;
    return failed;
}

int spawn_raise_above_the_three(int fd)
{
    if (fd < 0 || fd >= FIRST_SPARE)
        return fd;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_SPARE);

    close(fd);
    return raised;
}

int spawn_child(const struct spawn *spawn, pid_t *pid)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    report[1] = spawn_raise_above_the_three(report[1]);
    return start_child(spawn, report, pid);
}
