/* sys/sim_internal.h: the simulated world, for the *_sim.c files.
 * Everything that will happen stands in one heap ordered by (time, number); loop_sim.c takes the
 * first, moves the clock there and lets it happen. Memory comes from one region that is given back
 * as a whole, so nothing inside is reused within a run: a stale pointer meets poison, not a stranger. */
#ifndef WEIR_SYS_SIM_INTERNAL_H
#define WEIR_SYS_SIM_INTERNAL_H

#include "base/fault.h"
#include "sys/sim.h"

#define SIM_EVENTS_MAX 65536u
#define SIM_MEMORY_MAX ((size_t)1 << 30) /* address space; touched only as needed */
#define SIM_START      (1000 * SECOND)   /* mono at the beginning: far enough from 0 to subtract */

/* Independent streams of chance, so that one more draw in one place shifts nothing elsewhere. */
enum sim_stream { SIM_WORLD, SIM_KEYS, SIM_SCENARIO, SIM_STREAMS };

struct sim_event {
    mono_ns at;
    uint64_t number;
    void (*happen)(void *what, uint64_t amount);
    void *what;
    uint64_t amount;
};

struct sim {
    bool begun, by_default; /* by_default: by the first use, not by a test */
    bool calm;
    struct sim_options opt;
    uint64_t chance[SIM_STREAMS];
    mono_ns now;
    uint64_t last_number; /* of events */
    uint32_t event_count;
    struct sim_event *events; /* heap */
    char *memory;
    size_t memory_used;
    uint32_t last_sock, last_port;
    struct sim_report report;
};

struct sim *sim_world(void); /* made with the defaults when no test began it */

uint64_t sim_draw(enum sim_stream stream, uint64_t below);
uint64_t sim_between(uint64_t low, uint64_t high);         /* uniform, both ends in */
uint64_t sim_spread(uint64_t low, uint64_t high);          /* uniform in the exponent */
bool sim_strikes(enum sim_fault fault, const char *where); /* draws, counts and notes */
void sim_note(const char *what, uint64_t a, uint64_t b);   /* an event for the log */

/* Zeroed; lives until sim_end(). */
void *sim_alloc(size_t size);

void sim_at(mono_ns at, void (*happen)(void *what, uint64_t amount), void *what, uint64_t amount);
mono_ns sim_next_event(void); /* INT64_MAX: none */
void sim_happen(void);        /* the first event, whose time has come */
/* What sim_end() makes the parts forget. */
void sim_files_done(void);
void sim_socks_done(void);

#endif
