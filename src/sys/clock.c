#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sys/loop_internal.h"
#include "sys/ticks.h"

#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define FINE_MOST    MILLISECOND        /* counted on from one reading of the clock */
#define PAIR_TICKS   20000u             /* some microseconds: a look at the clock takes a hundred */
#define FINE_WINDOW  (20 * MILLISECOND) /* over which the counter's speed is measured */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    int failed = clock_gettime(id, &t);

    ASSERT(!failed);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

mono_ns clock_mono(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- between two readings, by the processor's counter ---- */

static _Thread_local struct {
    mono_ns at; /* the last reading, and the counter then */
    uint64_t ticks;
    bool paired;   /* the two belong together */
    uint64_t most; /* counted on from it; 0: the speed is not known yet */
    double speed;  /* nanoseconds a tick */
    mono_ns since; /* of the window that the speed is measured in */
    uint64_t since_ticks;
} fine;

/* The kernel uses the counter itself only where it is steady and the same on all processors. */
static bool kernel_trusts_ticks(void)
{
    static atomic_int known; /* 1: no, 2: yes */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);

    if (!answer) {
        char name[4] = "";
        int fd = HAVE_TICKS ? open(CLOCK_SOURCE, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t got = fd < 0 ? 0 : read(fd, name, sizeof name);

        if (fd >= 0)
            close(fd);
        answer = got == sizeof name && memcmp(name, "tsc\n", sizeof name) == 0 ? 2 : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}

static void measure_speed(mono_ns now, uint64_t ticks)
{
    double speed;

    if (fine.since && now - fine.since < FINE_WINDOW)
        return;
    if (fine.since) {
        speed = (double)(now - fine.since) / (double)(ticks - fine.since_ticks);
        fine.most = speed > 0.05 && speed < 20 ? (uint64_t)((double)FINE_MOST / speed) : 0;
        fine.speed = speed;
    }
    fine.since = now;
    fine.since_ticks = ticks;
}

static mono_ns counted(uint64_t past)
{
    return fine.at + (mono_ns)((double)past * fine.speed);
}

/* The clock and the counter at the same moment, if nothing came between the two. */
static mono_ns read_both(void)
{
    mono_ns now = 0;

    fine.paired = false;
    for (int tries = 0; tries < 3 && !fine.paired; tries++) {
        uint64_t before = ticks_read();

        now = clock_mono();
        fine.ticks = ticks_read();
        fine.paired = fine.ticks - before < PAIR_TICKS;
    }
    return now;
}

/* What was counted last may have been a little ahead: time does not go back. */
static NOINLINE mono_ns read_again(uint64_t past)
{
    mono_ns said = fine.paired && past < 2 * fine.most ? counted(MIN_OF(past, fine.most)) : 0;

    if (!kernel_trusts_ticks())
        return clock_mono();
    fine.at = MAX_OF(MAX_OF(read_both(), said), fine.at);
    if (fine.paired)
        measure_speed(fine.at, fine.ticks);
    return fine.at;
}

mono_ns clock_fine(void)
{
    uint64_t past = ticks_read() - fine.ticks;
    const struct loop *loop = loop_self();
    mono_ns now = LIKELY(past < fine.most && fine.paired) ? counted(past) : read_again(past);

    return loop ? MAX_OF(now, loop->now) : now;
}

/* A request asks for it half a dozen times; of a loop it is read once a turn, like fiber_now(). */
wall_ms clock_wall(void)
{
    struct loop *loop = loop_self();

    if (!loop)
        return read_clock(CLOCK_REALTIME) / MILLISECOND;
    if (!loop->wall)
        loop->wall = read_clock(CLOCK_REALTIME) / MILLISECOND;
    return loop->wall;
}

void clock_rest(dur_ns how_long)
{
    struct timespec t = {.tv_sec = how_long / SECOND, .tv_nsec = how_long % SECOND};

    (void)nanosleep(&t, NULL); /* less is no harm: callers look again */
}

void clock_random(void *bytes, size_t len)
{
    uint8_t *to = bytes;

    while (len > 0) {
        ssize_t got = getrandom(to, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        ASSERT(got > 0); /* weak keys would be worse than no service */
        to += got;
        len -= (size_t)got;
    }
}
