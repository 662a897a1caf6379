#include "sys/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/asan.h"
#include "sys/sim_internal.h"

#define WALL_START ((wall_ms)1767225600000) /* 2026-01-01T00:00:00Z */

static const char *const fault_names[SIM_FAULTS] = {
    [SIM_CONNECT_REFUSED] = "connect_refused",
    [SIM_CONNECT_HANG] = "connect_hang",
    [SIM_ACCEPT_FAILED] = "accept_failed",
    [SIM_RESET] = "reset",
    [SIM_CUT] = "cut",
    [SIM_FORGETTING] = "forgetting",
    [SIM_STALL] = "stall",
    [SIM_PIECES] = "pieces",
    [SIM_SHORT_READ] = "short_read",
    [SIM_SHORT_WRITE] = "short_write",
    [SIM_SPURIOUS] = "spurious",
    [SIM_POOL_SLOW] = "pool_slow",
    [SIM_POOL_FULL] = "pool_full",
    [SIM_FILE_FAILED] = "file_failed",
    [SIM_DISK_FULL] = "disk_full",
    [SIM_NO_MEMORY] = "no_memory",
};

static struct sim world;

const char *sim_fault_name(enum sim_fault fault)
{
    ASSERT(fault < SIM_FAULTS);
    return fault_names[fault];
}

uint64_t sim_struck(enum sim_fault fault)
{
    ASSERT(fault < SIM_FAULTS);
    return sim_world()->report.struck[fault];
}

/* ---- memory ---- */

static void *reserve(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    ASSERT(memory != MAP_FAILED);
    return memory;
}

void *sim_alloc(size_t size)
{
    struct sim *sim = sim_world();
    size_t room = (size + 31) & ~(size_t)15; /* at least 16 poisoned bytes behind each piece */

    ASSERT(room <= SIM_MEMORY_MAX - sim->memory_used);
    void *piece = sim->memory + sim->memory_used;
    sim->memory_used += room;
    MEMORY_POISON((char *)piece + size, room - size);
    return piece;
}

/* Back to zeroes. Small runs are the rule, and for them clearing beats asking the kernel. */
static void give_memory_back(struct sim *sim)
{
    size_t used = sim->memory_used;

    MEMORY_UNPOISON(sim->memory, used);
    if (used <= 4 * MIB)
        memset(sim->memory, 0, used);
    else
        ASSERT(madvise(sim->memory, (used + 4095) & ~(size_t)4095, MADV_DONTNEED) == 0);
    sim->memory_used = 0;
}

/* ---- chance: splitmix64 (Steele, Lea, Flood 2014), one state a stream ---- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_draw(enum sim_stream stream, uint64_t below)
{
    struct sim *sim = sim_world();
    uint64_t drawn = mix(sim->chance[stream] += 0x9e3779b97f4a7c15u);

    return below ? drawn % below : drawn; /* the bias of % is of no interest here */
}

uint64_t sim_between(uint64_t low, uint64_t high)
{
    return low >= high ? low : low + sim_draw(SIM_WORLD, high - low + 1);
}

/* Small values as often as large ones: bytes, delays. */
uint64_t sim_spread(uint64_t low, uint64_t high)
{
    if (low >= high)
        return low;
    uint64_t span = high - low;
    int bits = 64 - __builtin_clzll(span);
    uint64_t ceiling = (uint64_t)1 << sim_draw(SIM_WORLD, (uint64_t)bits + 1) % 64;

    return low + sim_draw(SIM_WORLD, MIN_OF(ceiling, span) + 1);
}

uint64_t sim_random(uint64_t below)
{
    return below ? sim_draw(SIM_SCENARIO, below) : 0;
}

bool sim_chance(uint32_t ppm)
{
    return sim_draw(SIM_SCENARIO, SIM_ALWAYS) < ppm;
}

bool sim_strikes(enum sim_fault fault, const char *where)
{
    struct sim *sim = sim_world();
    uint32_t ppm = sim->opt.ppm[fault];

    if (ppm == 0 || sim->calm || sim_draw(SIM_WORLD, SIM_ALWAYS) >= ppm)
        return false;
    sim_note(where, (uint64_t)fault, ++sim->report.struck[fault]);
    return true;
}

/* What base/fault.h asks at each of its points. The simulated files and pools have odds of their own. */
static bool decide(void *ctx, const char *point)
{
    (void)ctx;
    if (strncmp(point, "file.", 5) == 0 || strncmp(point, "pool.", 5) == 0)
        return false;
    return sim_strikes(SIM_NO_MEMORY, point);
}

/* ---- the log ---- */

static void absorb(struct sim *sim, uint64_t value)
{
    sim->report.hash = mix(sim->report.hash ^ value) + 0x9e3779b97f4a7c15u;
}

static void absorb_text(struct sim *sim, const char *text)
{
    uint64_t fnv = 0xcbf29ce484222325u;

    for (; *text; text++)
        fnv = (fnv ^ (unsigned char)*text) * 0x100000001b3u;
    absorb(sim, fnv);
}

static void tell(struct sim *sim, const char *text)
{
    char line[320];
    mono_ns at = sim->now - SIM_START;

    snprintf(line, sizeof line, "%6" PRId64 ".%09" PRId64 " %s", at / SECOND, at % SECOND, text);
    sim->opt.log(sim->opt.log_ctx, line);
}

void sim_note(const char *what, uint64_t a, uint64_t b)
{
    struct sim *sim = sim_world();
    char text[160];

    sim->report.events++;
    absorb(sim, (uint64_t)sim->now);
    absorb_text(sim, what);
    absorb(sim, a);
    absorb(sim, b);
    if (!sim->opt.log)
        return;
    snprintf(text, sizeof text, "%s %" PRIu64 " %" PRIu64, what, a, b);
    tell(sim, text);
}

void sim_log(const char *fmt, ...)
{
    struct sim *sim = sim_world();
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sim->report.events++;
    absorb(sim, (uint64_t)sim->now);
    absorb_text(sim, text);
    if (sim->opt.log)
        tell(sim, text);
}

/* ---- what will happen: a binary heap by (time, number) ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

void sim_at(mono_ns at, void (*happen)(void *what, uint64_t amount), void *what, uint64_t amount)
{
    struct sim *sim = sim_world();
    struct sim_event event = {.at = MAX_OF(at, sim->now),
                              .number = ++sim->last_number,
                              .happen = happen,
                              .what = what,
                              .amount = amount};
    uint32_t i = sim->event_count++;

    ASSERT(i < SIM_EVENTS_MAX);
    for (uint32_t up; i > 0 && before(&event, &sim->events[up = (i - 1) / 2]); i = up)
        sim->events[i] = sim->events[up];
    sim->events[i] = event;
}

mono_ns sim_next_event(void)
{
    struct sim *sim = sim_world();

    return sim->event_count ? sim->events[0].at : INT64_MAX;
}

static struct sim_event take_first(struct sim *sim)
{
    struct sim_event first = sim->events[0];
    struct sim_event last = sim->events[--sim->event_count];
    uint32_t i = 0;

    for (;;) {
        uint32_t down = 2 * i + 1;

        if (down + 1 < sim->event_count && before(&sim->events[down + 1], &sim->events[down]))
            down++;
        if (down >= sim->event_count || !before(&sim->events[down], &last))
            break;
        sim->events[i] = sim->events[down];
        i = down;
    }
    sim->events[i] = last;
    return first;
}

void sim_happen(void)
{
    struct sim *sim = sim_world();

    ASSERT(sim->event_count > 0);
    struct sim_event event = take_first(sim);
    ASSERT(event.at <= sim->now);
    event.happen(event.what, event.amount);
}

/* ---- a run ---- */

static void fill_defaults(struct sim_options *o)
{
    if (!o->latency_max) {
        o->latency_min = 20 * MICROSECOND;
        o->latency_max = 400 * MICROSECOND;
    }
    if (!o->stall_max)
        o->stall_max = 20 * SECOND;
    if (!o->pipe_bytes_max) {
        o->pipe_bytes_min = 4 * KIB;
        o->pipe_bytes_max = 64 * KIB;
    }
    if (!o->break_bytes_max)
        o->break_bytes_max = 16 * KIB;
    if (!o->time_max)
        o->time_max = 24 * 3600 * SECOND;
    if (!o->wall_start)
        o->wall_start = WALL_START;
    if (!o->seed)
        o->seed = 1;
}

void sim_begin(const struct sim_options *options)
{
    struct sim *sim = &world;
    char *memory = sim->memory ? sim->memory : reserve(SIM_MEMORY_MAX);
    struct sim_event *events = sim->events ? sim->events : reserve(SIM_EVENTS_MAX * sizeof *events);

    /* Before the first run something may have looked at the clock; that world is empty yet. */
    ASSERT(!sim->begun || (sim->by_default && sim->memory_used == 0 && sim->event_count == 0));
    *sim = (struct sim){.memory = memory, .events = events, .now = SIM_START};
    if (options)
        sim->opt = *options;
    fill_defaults(&sim->opt);
    for (int i = 0; i < SIM_STREAMS; i++)
        sim->chance[i] = mix(sim->opt.seed * SIM_STREAMS + (uint64_t)i);
    sim->begun = true;
    sim->by_default = !options;
    if (sim->opt.ppm[SIM_NO_MEMORY])
        fault_decide(decide, sim);
}

struct sim *sim_world(void)
{
    if (UNLIKELY(!world.begun))
        sim_begin(NULL);
    return &world;
}

void sim_end(struct sim_report *out)
{
    struct sim *sim = sim_world();

    if (sim->opt.ppm[SIM_NO_MEMORY])
        fault_decide(NULL, NULL);
    sim->report.took = sim->now - SIM_START;
    sim_files_done();
    sim_socks_done();
    if (out)
        *out = sim->report;
    give_memory_back(sim);
    sim->begun = false;
}

void sim_odds(enum sim_fault fault, uint32_t ppm)
{
    ASSERT(fault < SIM_FAULTS);
    /* The hook of fault.h is set at the beginning; odds that come later would go unasked. */
    ASSERT(fault != SIM_NO_MEMORY || sim_world()->opt.ppm[SIM_NO_MEMORY]);
    sim_world()->opt.ppm[fault] = ppm;
}

void sim_calm(bool calm)
{
    sim_world()->calm = calm;
}

void sim_disk(int64_t bytes)
{
    sim_world()->opt.disk_bytes = bytes;
}
