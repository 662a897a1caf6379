/* sys/sock_internal.h: what loop.c, sock.c, listen.c and process.c share of the kernel's body. */
#ifndef WEIR_SYS_SOCK_INTERNAL_H
#define WEIR_SYS_SOCK_INTERNAL_H

#include <sys/epoll.h>

#include "sys/addr_internal.h"
#include "sys/loop_internal.h"
#include "sys/slab.h"
#include "sys/sock.h"

#define LOOP_EVENTS_MAX 512

/* Registered with epoll once, edge-triggered, for everything. The flags remember what the edges
 * said, so that a call known to give EAGAIN is not made: `readable` falls on a short read or EAGAIN
 * and rises by an event; after a hang-up it stays up, so that the end is read. */
struct sock {
    uint64_t generation; /* counts closes; its low 16 bits are in the event, to know late ones */
    uint64_t unused;     /* both survive in the slab (SLAB_HEAD) */
    struct loop *loop;
    struct fiber *reader, *writer; /* rings of at most one */
    struct scope *on_hangup;
    fiber_fn *rest_fn; /* set while it rests */
    void *rest_arg;
    struct sock *next_due, *before_due; /* in loop_body.due: it rested, and has something to read */
    int fd;
    bool readable, writable, hung_up, is_due;
    bool is_pipe; /* read() and write() instead of recv() and send() */
    union {       /* enough of the peer's address to say it; family 0: ask the kernel */
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
};

struct loop_body {
    int epoll, bell; /* bell: an eventfd, edge-triggered and never read */
    struct slab socks;
    struct sock *due, *due_last;
    uint32_t waiting;    /* socks with a parked reader */
    int last_count;      /* events of the last harvest */
    uint64_t rate;       /* events a second, of late */
    uint64_t rate_count; /* since rate_since */
    mono_ns rate_since;
    bool no_pwait2; /* the kernel or a seccomp filter lacks it */
    struct epoll_event events[LOOP_EVENTS_MAX];
};

/* Take over an open, non-blocking descriptor; closes it on failure. Not readable until an event
 * says so, writable until a write says not. */
bool sock_adopt(int fd, struct sock **out, struct err *err) MUST_CHECK;
void sock_event(struct sock *s, uint32_t events);
void sock_start_due(struct loop *loop); /* as many as there are fibers for */

#endif
