#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/asan.h"
#include "sys/sock_sim.h"

#define CONNECT_GIVES_UP (127 * SECOND) /* Linux with its default of 6 SYN retries */
#define PAUSE_WHEN_FULL  (50 * MILLISECOND)
#define FIRST_PORT       20000u

struct listener {
    struct addr addr;
    struct sock *first, **last; /* connected, not accepted */
    int waiting, backlog;
    struct fiber *accepter;
    bool reuse_port;
    struct loop *loop; /* which counts it among its sockets, as the kernel's body does */
    struct listener *next;
};

/* A connect on its way. Outlives the fiber that asked when that one is cancelled. */
struct dial {
    struct addr to;
    struct fiber *waiter; /* NULL: abandoned */
    struct sock *sock;
    int error;
    bool done;
};

static struct listener *listeners; /* in the order they were made */

bool sock_listen(const struct addr *at, const struct listen_options *options, struct listener **out,
                 struct err *err)
{
    struct sim *sim = sim_world();
    struct listener *l, **end = &listeners;
    bool reuse_port = options && options->reuse_port;
    struct addr addr;

    if (!addr_parse(str_from(at->text), &addr, err))
        return err_wrap(err, "could not listen on \"%s\"", at->text);
    if (FAULT("sock.listen"))
        return err_sys(err, ERR_UNAVAILABLE, EADDRINUSE, "could not listen on \"%s\"", at->text);
    size_t len = strlen(addr.text);
    if (strcmp(addr.text + len - 2, ":0") == 0)
        snprintf(addr.text + len - 1, sizeof addr.text - len, "%u", FIRST_PORT + ++sim->last_port);
    for (; *end; end = &(*end)->next)
        if (strcmp((*end)->addr.text, addr.text) == 0 && !(reuse_port && (*end)->reuse_port))
            return err_sys(err, ERR_UNAVAILABLE, EADDRINUSE, "could not listen on \"%s\"",
                           addr.text);
    l = sim_alloc(sizeof *l);
    *l = (struct listener){.addr = addr,
                           .reuse_port = reuse_port,
                           .backlog = options && options->backlog ? options->backlog : 1024};
    l->last = &l->first;
    l->loop = loop_current();
    l->loop->stats.socks++;
    *out = *end = l;
    sim->report.listeners++;
    return true;
}

struct addr listener_addr(const struct listener *l)
{
    return l->addr;
}

/* Out of descriptors: the caller hears of it, but not more often than the pause. */
static SUSPENDS bool pause_when_full(const struct listener *l, struct err *err)
{
    struct addr addr = l->addr;

    if (!fiber_sleep(PAUSE_WHEN_FULL, err))
        return false;
    return err_sys(err, ERR_EXHAUSTED, EMFILE, "could not accept at \"%s\"", addr.text);
}

SUSPENDS bool sock_accept(struct listener *l, struct sock **out, struct err *err)
{
    do {
        if (!fiber_still_wanted(err))
            return false;
        if (!l->first && !link_park(&l->accepter, err))
            return false;
    } while (!l->first);
    if (sim_strikes(SIM_ACCEPT_FAILED, "accept") || FAULT("sock.accept"))
        return pause_when_full(l, err);
    struct sock *s = l->first;
    l->first = s->next_waiting;
    if (!l->first)
        l->last = &l->first;
    l->waiting--;
    s->next_waiting = NULL;
    sim_note("accept", s->link->id, 0);
    *out = s;
    return true;
}

void listener_close(struct listener **pl)
{
    struct listener *l = *pl, **at = &listeners;

    if (!l)
        return;
    ASSERT(!l->accepter);
    while (l->first) {
        struct sock *s = l->first;

        l->first = s->next_waiting;
        link_reset(s->link, s->side);
        sock_close(&s);
    }
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    l->loop->stats.socks--;
    sim_world()->report.listeners--;
    MEMORY_POISON(l, sizeof *l);
    *pl = NULL;
}

static struct listener *find_listener(const struct addr *at)
{
    uint64_t seen = 0;
    struct listener *chosen = NULL;

    for (struct listener *l = listeners; l; l = l->next) /* one of those that share the port */
        if (strcmp(l->addr.text, at->text) == 0 && (++seen == 1 || sim_draw(SIM_WORLD, seen) == 0))
            chosen = l;
    return chosen;
}

static void dial_ends(void *what, uint64_t error)
{
    struct dial *dial = what;

    dial->done = true;
    dial->error = (int)error;
    sim_note(error ? "connect fails" : "connected", error, 0);
    link_wake(&dial->waiter);
}

static void dial_arrives(void *what, uint64_t unused)
{
    struct dial *dial = what;
    struct listener *l = find_listener(&dial->to);
    mono_ns now = sim_world()->now;
    (void)unused;

    if (!dial->waiter)
        return;
    if (!l) {
        sim_at(now + link_latency(), dial_ends, dial, ECONNREFUSED);
        return;
    }
    if (l->waiting >= l->backlog) {
        sim_at(now + CONNECT_GIVES_UP, dial_ends, dial, ETIMEDOUT);
        return;
    }
    struct link *link = link_new(&dial->to);
    struct sock *accepted = link->end[1];
    dial->sock = link->end[0];
    *l->last = accepted;
    l->last = &accepted->next_waiting;
    l->waiting++;
    link_wake(&l->accepter);
    sim_at(now + link_latency(), dial_ends, dial, 0);
}

static void start_dial(struct dial *dial)
{
    mono_ns now = sim_world()->now;

    if (sim_strikes(SIM_CONNECT_HANG, "connect hangs"))
        sim_at(now + CONNECT_GIVES_UP, dial_ends, dial, ETIMEDOUT);
    else if (sim_strikes(SIM_CONNECT_REFUSED, "connect is refused") || FAULT("sock.connect"))
        sim_at(now + 2 * link_latency(), dial_ends, dial, ECONNREFUSED);
    else
        sim_at(now + link_latency(), dial_arrives, dial, 0);
}

SUSPENDS bool sock_connect(const struct addr *to, struct sock **out, struct err *err)
{
    struct addr parsed;

    if (!fiber_still_wanted(err) || !addr_parse(str_from(to->text), &parsed, err))
        return err_wrap(err, "could not connect to \"%s\"", to->text);
    struct dial *dial = sim_alloc(sizeof *dial);
    dial->to = *to;
    start_dial(dial);
    bool woken = link_park(&dial->waiter, err);
    if (!woken) {
        sock_close(&dial->sock);
        return false;
    }
    ASSERT(dial->done);
    if (dial->error) {
        sock_close(&dial->sock);
        return err_sys(err, ERR_UNAVAILABLE, dial->error, "could not connect to \"%s\"", to->text);
    }
    *out = dial->sock;
    return true;
}

void sim_socks_done(void)
{
    listeners = NULL;
}
