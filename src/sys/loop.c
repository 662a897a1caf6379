/* The kernel's body of the loop: epoll, edge-triggered.
 *
 * Batching. Paced token streams bring single events all the time, and what an event costs is mostly
 * the wake-up around it. So while many streams are parked, harvests come no more often than every
 * batch_window: the loop sleeps through the rest of the window without looking. It does so only if
 *   - more than batch_streams readers are parked,
 *   - at the rate of the last 10 ms the window will bring at least two events, else a plain wait is
 *     as good and faster,
 *   - the last harvest brought less than an eighth of the parked readers: where many answer at once
 *     a closed loop of requests runs, and time slept is throughput lost,
 *   - nothing is ready and no timer is due earlier.
 * A loop that is busy for longer than the window between two harvests never sleeps here. */
#include "sys/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/sanitize.h"
#include "sys/sock_internal.h"

#define RATE_PERIOD      (10 * MILLISECOND)
#define BATCH_EVENTS_MIN 2
#define BATCH_PART       8
#define BATCH_SHORTEST   (60 * MICROSECOND) /* about the kernel's timer slack */
#define POINTER_BITS     48
#define POINTER_MASK     (((uint64_t)1 << POINTER_BITS) - 1)

/* As many connections as the hard limit allows, no death by a closed pipe, and children that are ours to wait for. */
static void prepare_process(void)
{
    struct rlimit files;
    struct sigaction pipe_action, child_action;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL) {
        pipe_action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &pipe_action, NULL);
    }
    if (sigaction(SIGCHLD, NULL, &child_action) == 0 && child_action.sa_handler == SIG_IGN) {
        child_action.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &child_action, NULL);
    }
}

bool loop_body_new(struct loop *loop, struct err *err)
{
    struct epoll_event bell_event = {.events = EPOLLIN | EPOLLET};
    struct loop_body *body =
        mmap(NULL, sizeof *body, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (body == MAP_FAILED)
        return err_sys(err, ERR_EXHAUSTED, errno, "could not map the events of a loop");
    prepare_process();
    loop->body = body;
    slab_init(&body->socks, sizeof(struct sock));
    body->rate_since = loop->now;
    body->epoll = epoll_create1(EPOLL_CLOEXEC);
    body->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (body->epoll < 0 || body->bell < 0 ||
        epoll_ctl(body->epoll, EPOLL_CTL_ADD, body->bell, &bell_event) != 0) {
        err_sys(err, ERR_EXHAUSTED, errno, "could not set up epoll");
        loop_body_free(loop);
        return false;
    }
    return true;
}

void loop_body_free(struct loop *loop)
{
    struct loop_body *body = loop->body;

    if (body->epoll >= 0)
        close(body->epoll);
    if (body->bell >= 0)
        close(body->bell);
    slab_done(&body->socks);
    munmap(body, sizeof *body);
    loop->body = NULL;
}

void loop_body_wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t put = write(loop->body->bell, &one, sizeof one);

    (void)put; /* full is as good: the edge is there */
}

static struct timespec to_timespec(dur_ns d)
{
    return (struct timespec){.tv_sec = d / SECOND, .tv_nsec = d % SECOND};
}

/* Without the library's points of cancellation, like the calls of sock.c. */
static int wait_exactly(struct loop_body *body, const struct timespec *timeout)
{
    return SANITIZE_CALLS ? epoll_pwait2(body->epoll, body->events, LOOP_EVENTS_MAX, timeout, NULL)
                          : (int)syscall(SYS_epoll_pwait2, body->epoll, body->events,
                                         LOOP_EVENTS_MAX, timeout, NULL, (size_t)0);
}

static int wait_ms(struct loop_body *body, int timeout)
{
    return SANITIZE_CALLS ? epoll_wait(body->epoll, body->events, LOOP_EVENTS_MAX, timeout)
                          : (int)syscall(SYS_epoll_pwait, body->epoll, body->events,
                                         LOOP_EVENTS_MAX, timeout, NULL, (size_t)0);
}

/* timeout < 0: none. */
static int wait_events(struct loop_body *body, dur_ns timeout)
{
    if (timeout > 0 && !body->no_pwait2) {
        struct timespec t = to_timespec(timeout);
        int n = wait_exactly(body, &t);

        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        body->no_pwait2 = true;
    }
    int ms = timeout < 0 ? -1 : (int)MIN_OF((timeout + MILLISECOND - 1) / MILLISECOND, 3600000);
    return wait_ms(body, ms);
}

static void measure_rate(struct loop_body *body, mono_ns now, int count)
{
    dur_ns span = now - body->rate_since;

    body->last_count = count;
    body->rate_count += (uint64_t)count;
    if (span < RATE_PERIOD)
        return;
    body->rate = body->rate_count * (uint64_t)SECOND / (uint64_t)span;
    body->rate_count = 0;
    body->rate_since = now;
}

static bool is_paced(const struct loop *loop)
{
    const struct loop_body *body = loop->body;
    uint64_t expected = body->rate * (uint64_t)loop->options.batch_window / (uint64_t)SECOND;

    return loop->options.batch_window > 0 && body->waiting > loop->options.batch_streams &&
           expected >= BATCH_EVENTS_MIN && (uint32_t)body->last_count * BATCH_PART < body->waiting;
}

static void sleep_through_window(struct loop *loop, mono_ns until)
{
    mono_ns wake_at = MIN_OF(loop->now + loop->options.batch_window, until);
    dur_ns rest = wake_at - clock_mono();

    if (rest < BATCH_SHORTEST)
        return;
    struct timespec t = to_timespec(rest);
    nanosleep(&t, NULL); /* a signal makes it shorter: no harm */
    loop->stats.batched_waits++;
}

static dur_ns time_to_wait(struct loop *loop, mono_ns until)
{
    if (until <= loop->now || (loop->body->due && !loop->spawn_blocked))
        return 0;
    if (is_paced(loop))
        sleep_through_window(loop, until);
    if (!loop_may_sleep(loop))
        return 0;
    return until == LOOP_NEVER ? -1 : MAX_OF(until - clock_mono(), 0); /* below 0 is for ever */
}

static struct sock *sock_of_event(const struct epoll_event *event)
{
    struct sock *s = (struct sock *)(uintptr_t)(event->data.u64 & POINTER_MASK);

    if (!s || (uint16_t)s->generation != event->data.u64 >> POINTER_BITS)
        return NULL; /* the bell, or closed while a child process still held the descriptor */
    return s;
}

void loop_body_poll(struct loop *loop, mono_ns until)
{
    struct loop_body *body = loop->body;
    int count = wait_events(body, time_to_wait(loop, until));

    loop_woke(loop);
    ASSERT(count >= 0 || errno == EINTR);
    loop->now = clock_mono();
    loop->wall = 0;
    for (int i = 0; i < count; i++) {
        struct sock *s = sock_of_event(&body->events[i]);

        if (s)
            sock_event(s, body->events[i].events);
    }
    sock_start_due(loop);
    measure_rate(body, loop->now, MAX_OF(count, 0));
    loop->stats.events += (uint64_t)MAX_OF(count, 0);
}
