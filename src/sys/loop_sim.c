#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/loop_internal.h"
#include "sys/sanitize.h"
#include "sys/sim_internal.h"

/* Waiting is jumping: to the next event of the world or the next timer of the loop, whichever is
 * first. A turn that had something to run costs a few microseconds, so that fibers which only yield
 * to each other still grow old. */

#define TURN_COST_MAX (20 * MICROSECOND)

struct loop_body {
    bool stood_still; /* once already, and everything was cancelled */
};

bool loop_body_new(struct loop *loop, struct err *err)
{
    (void)err;
    loop->body = sim_alloc(sizeof *loop->body);
    loop->now = sim_world()->now;
    return true;
}

void loop_body_free(struct loop *loop)
{
    loop->body = NULL;
}

void loop_body_wake(struct loop *loop)
{
    (void)loop; /* the simulated loop never sleeps */
}

/* ---- what is left ---- */

static void name_function(fiber_fn *fn, char *out, size_t size)
{
#if SANITIZE_ADDRESS
    __sanitizer_symbolize_pc((void *)fn, "%f", out, size);
#else
    (void)fn;
    snprintf(out, size, "fiber");
#endif
}

static const char *state_of(const struct fiber *f)
{
    if (f->state == FIBER_DEAF)
        return "waits for a job";
    if (f->waiting_in)
        return "waits in a line";
    return f->scope && f->scope->joining ? "waits for its children"
                                         : "waits for a socket or a wake";
}

static uint32_t name_parked(const struct loop *loop, char *out, size_t size)
{
    const struct fiber *f = loop->all;
    uint32_t count = 0;
    size_t len = 0;

    out[0] = 0;
    if (!f)
        return 0;
    do {
        char name[64];

        name_function(f->fn, name, sizeof name);
        int put =
            snprintf(out + len, size - len, "%s%s %s", count++ ? "; " : "", name, state_of(f));
        len = MIN_OF(len + (size_t)MAX_OF(put, 0), size - 1);
        f = f->all_after;
    } while (f != loop->all);
    return count;
}

static void give_up(struct loop *loop, const char *why)
{
    struct sim_report *report = &sim_world()->report;

    if (!report->parked)
        report->parked = name_parked(loop, report->parked_text, sizeof report->parked_text);
    sim_note(why, 0, 0);
    if (loop->body->stood_still || sim_world()->by_default) {
        fprintf(stderr, "simulator: %s: %s\n", why, report->parked_text);
        abort(); /* cancelling did not help, or no test is there to see it */
    }
    loop->body->stood_still = true;
    loop_stop(loop);
}

/* ---- a poll ---- */

static void advance(struct loop *loop, mono_ns until)
{
    struct sim *sim = sim_world();

    if (loop->ready_first || until <= sim->now) {
        sim->now += 1 + (mono_ns)sim_draw(SIM_WORLD, TURN_COST_MAX);
        return;
    }
    mono_ns next = MIN_OF(sim_next_event(), until);
    if (next == LOOP_NEVER || (!loop->timers.root && next == until)) {
        sim->report.stood_still = true;
        give_up(loop, "everything stands still");
        return;
    }
    sim->now = MAX_OF(sim->now, next);
}

void loop_body_poll(struct loop *loop, mono_ns until)
{
    struct sim *sim = sim_world();

    advance(loop, until);
    loop->now = sim->now;
    while (sim_next_event() <= sim->now)
        sim_happen();
    if (sim->now - SIM_START > sim->opt.time_max && !sim->report.endless) {
        sim->report.endless = true;
        give_up(loop, "this never ends");
    }
}
