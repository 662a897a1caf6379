/* tests/sim/client.h: the clients of a story, each connection a fiber. */
#ifndef WEIR_TESTS_SIM_CLIENT_H
#define WEIR_TESTS_SIM_CLIENT_H

#include "story.h"
#include "sys/sock.h"

struct clients {
    struct story *story;
    struct addr to;           /* the gateway */
    const char *tokens[KEYS]; /* "" for KEY_NONE */
};

/* All connections of the story; returns when every client is done or has left. */
SUSPENDS bool clients_run(struct clients *clients, struct err *err) MUST_CHECK;

#endif
