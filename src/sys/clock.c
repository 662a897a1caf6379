#include "sys/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "sys/loop_internal.h"

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
