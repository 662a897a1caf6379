/* sys/sock_sim.h: what the simulated bytes (sock_sim.c) and the simulated connecting (dial_sim.c) share.
 * For these two files only.
 *
 * A link joins two sockets by two ways, one for each direction. Bytes written go into the way's ring
 * at once and travel in pieces: `held` bytes are in the ring, the first `readable` of them have
 * arrived. Ends and resets travel behind the bytes that went before them.
 *
 *   write --> |held ........................| --> read
 *             |readable |  under way  | room|
 *
 * A sock's memory is poisoned when it is closed; its link stays until sim_end(), because pieces that
 * are still under way point at it. */
#ifndef WEIR_SYS_SOCK_SIM_H
#define WEIR_SYS_SOCK_SIM_H

#include "sys/loop_internal.h"
#include "sys/sim_internal.h"
#include "sys/sock.h"

struct way {
    struct link *link;
    int from; /* the side that writes */
    char *ring;
    size_t cap, head, held, readable;
    uint64_t sent;
    uint64_t breaks_at; /* the byte of `sent` before which the way breaks; UINT64_MAX: never */
    bool break_is_end;  /* it breaks as an orderly end rather than a reset */
    bool lost;          /* what is written from now on reaches nobody and earns a reset */
    bool ended;         /* the writer has said that nothing follows */
    bool end_arrived;
    bool reset_under_way;
    mono_ns last_arrival;
};

struct link {
    uint32_t id;
    struct way way[2];   /* way[0]: from the side that connected */
    struct sock *end[2]; /* NULL once closed */
    struct addr name[2];
};

struct sock {
    struct link *link;
    struct loop *loop; /* which counts it */
    int side;
    int error; /* a reset has arrived */
    struct fiber *reader, *writer;
    struct scope *hangup;
    fiber_fn *rest;
    void *rest_arg;
    struct sock *next_waiting; /* in a listener's queue */
};

/* Two connected sockets; the one of side 1 is what `to` will accept. */
struct link *link_new(const struct addr *to);
void link_reset(struct link *link, int from); /* send one from that side, behind what it wrote */
dur_ns link_latency(void);
/* Park the running fiber at `place`, where link_wake() finds it. */
SUSPENDS bool link_park(struct fiber **place, struct err *err) MUST_CHECK;
void link_wake(struct fiber **place);

#endif
