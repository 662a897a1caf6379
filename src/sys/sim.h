/* sys/sim.h: the control door of the simulator, for tests alone.
 * A program that links the simulator's body of sys gets every header of this folder on a virtual
 * clock: sockets, files and pools live in memory, time jumps to the next thing that happens, and
 * faults strike by seed. One run is
 *     sim_begin(&options); loop_new(); loop_run(); loop_free(); sim_end(&report);
 * Without sim_begin() everything works and nothing fails.
 * Exact      the same program with the same options does the same things in the same order: the
 *            report's hash covers every event. Nothing is ordered by address, thread or real time.
 * Standstill when no fiber can run and nothing will ever happen, the report names each parked fiber,
 *            everything is cancelled, and the run counts as failed.
 * Threads    one world per process, one loop in it. */
#ifndef WEIR_SYS_SIM_H
#define WEIR_SYS_SIM_H

#include "base/err.h"
#include "base/str.h"

/* What can go wrong, each with its odds in sim_options.ppm (parts per million). */
enum sim_fault {
    SIM_CONNECT_REFUSED, /* per connect */
    SIM_CONNECT_HANG,    /* per connect: no answer until the kernel would give up */
    SIM_ACCEPT_FAILED,   /* per accept: no descriptor is left */
    SIM_RESET,           /* per direction of a connection: reset after a random byte */
    SIM_CUT,             /* per direction: an orderly end after a random byte, the rest is lost */
    SIM_FORGETTING,      /* per reset: bytes that had arrived and were not read are lost with it */
    SIM_STALL,           /* per piece: it and all behind it arrive late, up to stall_max */
    SIM_PIECES,          /* per write: arrives cut at random bytes, each piece by itself */
    SIM_SHORT_READ,      /* per read */
    SIM_SHORT_WRITE,     /* per write */
    SIM_SPURIOUS,        /* per wait: woken with nothing to read or no room to write */
    SIM_POOL_SLOW,       /* per job: takes up to stall_max */
    SIM_POOL_FULL,       /* per job: the queue is full */
    SIM_FILE_FAILED,     /* per call: EIO */
    SIM_DISK_FULL,       /* per call that needs blocks; also follows from disk_bytes */
    SIM_NO_MEMORY,       /* per fault point of base and above: the point fails */
    SIM_FAULTS
};
#define SIM_ALWAYS 1000000u

struct sim_options {
    uint64_t seed;
    uint32_t ppm[SIM_FAULTS];
    dur_ns latency_min, latency_max;       /* one way; default 20 to 400 us */
    dur_ns stall_max;                      /* default 20 s */
    size_t pipe_bytes_min, pipe_bytes_max; /* one direction's buffer; default 4 to 64 KiB */
    uint64_t break_bytes_max;              /* resets and cuts strike below; default 16 KiB */
    int64_t disk_bytes;                    /* 0: unlimited */
    dur_ns time_max;                       /* virtual; past it the run counts as endless; 1 day */
    wall_ms wall_start;                    /* default 2026-01-01T00:00:00Z */
    void (*log)(void *ctx, const char *line); /* each event as it happens; NULL: none */
    void *log_ctx;
};

struct sim_report {
    uint64_t hash;                                /* of all that happened, in order */
    uint64_t events;                              /* how many */
    dur_ns took;                                  /* virtual */
    uint64_t struck[SIM_FAULTS];                  /* how often each fault */
    uint32_t socks, listeners, files, maps, jobs; /* what is left */
    bool stood_still;                             /* nothing could ever happen again */
    bool endless;                                 /* past time_max */
    uint32_t parked;                              /* fibers that waited then */
    char parked_text[480];                        /* which, and for what */
};

void sim_begin(const struct sim_options *options); /* NULL: no faults, seed 1 */
void sim_end(struct sim_report *out);              /* takes the world down; out may be NULL */
uint64_t sim_struck(enum sim_fault fault);         /* how often so far */
const char *sim_fault_name(enum sim_fault fault);

/* The scenario's own stream of chance: what a test draws does not shift what the world draws. */
uint64_t sim_random(uint64_t below); /* 0 .. below-1; below 0 gives 0 */
bool sim_chance(uint32_t ppm);
/* A line of the test's own in the event log (and in its hash). */
void sim_log(const char *fmt, ...) PRINTF(1, 2);

void sim_odds(enum sim_fault fault, uint32_t ppm); /* change while it runs */
void sim_calm(bool calm);                          /* while calm nothing new fails */
void sim_disk(int64_t bytes);                      /* the disk's new size; 0: unlimited */

/* Files as they are at this moment, which is what kill -9 would leave; when power fails, bytes that
 * were not synced are there or not, block by block. Kept aside until sim_files_revert(), which needs
 * every file closed, or sim_end(). */
void sim_files_keep(bool power_fails);
void sim_files_revert(void);

#endif
