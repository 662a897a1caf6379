#include "sys/clock.h"

#include <string.h>

#include "sys/sim_internal.h"

mono_ns clock_mono(void)
{
    return sim_world()->now;
}

mono_ns clock_fine(void)
{
    return clock_mono();
}

wall_ms clock_wall(void)
{
    struct sim *sim = sim_world();

    return sim->opt.wall_start + (sim->now - SIM_START) / MILLISECOND;
}

void clock_rest(dur_ns how_long)
{
    (void)how_long; /* jobs run on the loop's own thread */
}

void clock_random(void *bytes, size_t len)
{
    char *to = bytes;

    while (len > 0) {
        uint64_t drawn = sim_draw(SIM_KEYS, 0);
        size_t part = MIN_OF(len, sizeof drawn);

        memcpy(to, &drawn, part);
        to += part;
        len -= part;
    }
}
