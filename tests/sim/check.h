/* tests/sim/check.h: what must be true after every run, whatever went wrong in it. */
#ifndef WEIR_TESTS_SIM_CHECK_H
#define WEIR_TESTS_SIM_CHECK_H

#include "house.h"
#include "story.h"
#include "sys/sim.h"

#define RECORDS_MAX 64

struct record {
    uint64_t seq, request_id;
    char outcome[16];
    int64_t cost, tokens_in, tokens_out, status;
};

struct records {
    struct record at[RECORDS_MAX];
    size_t count;
};

/* The audit log on the simulated disk: whole, chained, read back. */
bool records_read(struct records *out, struct err *err) MUST_CHECK;

void check_name(const char *name); /* of the run, in front of what is printed */
void violated(const char *fmt, ...) PRINTF(1, 2);
int violations_found(void); /* by all that was checked so far */

void check_story(const struct story *story, const struct sim_house *house,
                 const struct records *records);
/* After a kill or a power cut; `all`: the log of the run that went on. */
void check_kept(const struct story *story, const struct records *all, const struct records *kept);
void check_left(const struct sim_report *report, size_t pages);

#endif
