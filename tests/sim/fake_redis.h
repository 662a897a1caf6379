/* tests/sim/fake_redis.h: a Redis on the simulated kernel, by hand: it reads RESP, and does what the scripts and
 * signs of life of accounts/windows.c say, by code of its own (that the scripts themselves do it is what
 * tests/unit/accounts/shared_test.c shows on a real server). One a world; time is the virtual clock's.
 * Faults   each by its odds for every command, drawn from the scenario's stream; none while it is sound. */
#ifndef WEIR_TESTS_SIM_FAKE_REDIS_H
#define WEIR_TESTS_SIM_FAKE_REDIS_H

#include "sys/fiber.h"

#define FAKE_REDIS_PORT "6379"

enum redis_fault {
    REDIS_CUTS,    /* the connection, before the command is run */
    REDIS_LOSES,   /* it is run, and the connection closed without its reply */
    REDIS_IS_LATE, /* it is run when nobody waits for it any more */
    REDIS_IS_SLOW, /* it is run, and the reply comes when nobody waits for it */
    REDIS_REFUSES, /* it is not run: there is no memory */
    REDIS_BABBLES, /* it is run, and the reply is none */
    REDIS_FORGETS, /* everything, before it is run: it was started anew */
    REDIS_FAULTS
};

struct fake_redis_options {
    uint32_t ppm[REDIS_FAULTS];
    dur_ns delay; /* of late and slow ones: more than its client waits */
};

bool fake_redis_open(const struct fake_redis_options *options, struct scope *scope, struct err *err)
    MUST_CHECK;
void fake_redis_close(void); /* when the scope has ended */
void fake_redis_sound(bool sound);
/* Nobody is there: whoever comes, and whoever asks, is cut off. */
void fake_redis_away(bool away);

uint64_t fake_redis_struck(enum redis_fault fault);
uint64_t fake_redis_runs(void);       /* commands */
int64_t fake_redis_in_progress(void); /* over all accounts and names, dead ones too */
int64_t fake_redis_tokens(void);      /* over all accounts and seconds that are kept */

#endif
