/* tests/sim/house.h: one Weir inside the simulator: server, gateway, models, accounts and audit wired
 * as app/house.c wires them, the database in memory, everything else on the simulated kernel. */
#ifndef WEIR_TESTS_SIM_HOUSE_H
#define WEIR_TESTS_SIM_HOUSE_H

#include "accounts/accounts.h"
#include "accounts/audit_tree.h"
#include "gateway/gateway.h"
#include "gateway/telemetry.h"
#include "story.h"

#define HOUSE_AUDIT_DIR          "/data/audit"
#define HOUSE_PUBLIC_KEY         "/data/audit.pub"
#define HOUSE_LIMITED_PER_MINUTE 1
#define HOUSE_OLD_OUTCOME        "old" /* of the records that were there before */

struct sim_house {
    struct store *store;
    struct audit *audit;
    struct audit_tree *tree;
    struct telemetry *telemetry;
    struct accounts *accounts;
    struct cache *cache; /* NULL: the story has none */
    struct snapshot *config;
    struct deployments *deployments;
    struct gateway *gateway;
    struct http_server *server;
    struct listener *listener;
    struct addr addr;
    struct scope serving;
    struct secret tokens[KEYS]; /* what each kind of key sends */
    char key_ids[KEYS][64];     /* "" for kinds the house does not know */
    int reached;                /* requests that came to the gateway */
    uint32_t connections_left;  /* of the server, when it was drained */
    usd_micro spent, held;      /* of all keys, when the house closed */
    size_t holds_open;
};

/* Outside fibers: the services, from what is on the disk. */
bool house_open(struct sim_house *house, const struct story *story, struct err *err) MUST_CHECK;
/* In a fiber: keys, server, flush fiber. */
SUSPENDS bool house_start(struct sim_house *house, int old_records, struct err *err) MUST_CHECK;
SUSPENDS void house_stop(struct sim_house *house); /* waits for what is under way */
/* As the next start does it: */
bool house_reopen_audit(struct err *err) MUST_CHECK;
bool house_reopen_cache(struct err *err) MUST_CHECK;
bool house_close(struct sim_house *house, struct err *err) MUST_CHECK; /* outside fibers, always */

#endif
