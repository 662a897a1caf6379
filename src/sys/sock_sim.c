#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/asan.h"
#include "sys/loop_internal.h"
#include "sys/sim_internal.h"

/* A link joins two sockets by two ways, one for each direction. Bytes written go into the way's ring
 * at once and travel in pieces: `held` bytes are in the ring, the first `readable` of them have
 * arrived. Ends and resets travel behind the bytes that went before them.
 *
 *   write --> |held ........................| --> read
 *             |readable |  under way  | room|
 *
 * A sock's memory is poisoned when it is closed; its link stays until sim_end(), because pieces that
 * are still under way point at it. */

#define CONNECT_GIVES_UP (127 * SECOND) /* Linux with its default of 6 SYN retries */
#define FIRST_PORT       20000u

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

struct listener {
    struct addr addr;
    struct sock *first, **last; /* connected, not accepted */
    int waiting, backlog;
    struct fiber *accepter;
    bool reuse_port;
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

static struct way *way_in(const struct sock *s)
{
    return &s->link->way[!s->side];
}

static struct way *way_out(const struct sock *s)
{
    return &s->link->way[s->side];
}

static bool is_readable(const struct sock *s)
{
    const struct way *in = way_in(s);

    return in->readable > 0 || in->end_arrived || s->error;
}

static bool is_writable(const struct sock *s)
{
    const struct way *out = way_out(s);

    return s->error || out->lost || out->held < out->cap;
}

static uint64_t name_of(const struct way *way) /* for the log: connection and direction */
{
    return (uint64_t)way->link->id * 2 + (uint64_t)way->from;
}

static mono_ns latency(void)
{
    const struct sim_options *o = &sim_world()->opt;

    return (mono_ns)sim_between((uint64_t)o->latency_min, (uint64_t)o->latency_max);
}

static dur_ns stall(enum sim_fault fault, const char *where)
{
    if (!sim_strikes(fault, where))
        return 0;
    return (dur_ns)sim_spread(MILLISECOND, (uint64_t)sim_world()->opt.stall_max);
}

/* ---- what arrives ---- */

static void wake(struct fiber **waiter)
{
    struct fiber *f = *waiter;

    *waiter = NULL;
    if (f)
        fiber_wake(f);
}

static void rest_ends(void *what, uint64_t unused)
{
    struct way *in = what;
    struct sock *s = in->link->end[!in->from];
    struct err err = {0};
    (void)unused;

    if (!s || !s->rest || !is_readable(s))
        return;
    if (!fiber_spawn(s->rest, s->rest_arg, &err)) {
        sim_at(sim_world()->now + 10 * MILLISECOND, rest_ends, in, 0);
        return;
    }
    s->rest = NULL;
}

static void readable_now(struct sock *s)
{
    wake(&s->reader);
    if (s->rest)
        rest_ends(way_in(s), 0);
}

static void hung_up(struct sock *s)
{
    if (s->hangup)
        scope_cancel(s->hangup);
    readable_now(s);
}

static void reset_arrives(void *what, uint64_t unused)
{
    struct way *way = what;
    struct sock *s = way->link->end[!way->from];
    (void)unused;

    if (!s || s->error)
        return;
    sim_note("reset arrives", name_of(way), way->readable);
    s->error = ECONNRESET;
    way_out(s)->lost = true;
    if (sim_draw(SIM_WORLD, 2)) { /* kernels differ in whether unread bytes survive it */
        way->held -= way->readable;
        way->head = (way->head + way->readable) % way->cap;
        way->readable = 0;
    }
    wake(&s->writer);
    hung_up(s);
}

static void end_arrives(void *what, uint64_t unused)
{
    struct way *way = what;
    struct sock *s = way->link->end[!way->from];
    (void)unused;

    if (!s || s->error || way->end_arrived)
        return;
    sim_note("end arrives", name_of(way), way->readable);
    way->end_arrived = true;
    hung_up(s);
}

/* Behind all that is under way already. */
static mono_ns arrival(struct way *way)
{
    mono_ns alone = sim_world()->now + latency();

    way->last_arrival = MAX_OF(way->last_arrival, alone);
    return way->last_arrival;
}

static void send_reset(struct way *way)
{
    if (way->reset_under_way)
        return;
    way->reset_under_way = true;
    sim_at(arrival(way), reset_arrives, way, 0);
}

static void piece_arrives(void *what, uint64_t bytes)
{
    struct way *way = what;
    struct sock *s = way->link->end[!way->from];

    if (!s) { /* nobody is there any more: the writer learns it by a reset */
        way->held -= bytes;
        way->lost = true;
        send_reset(&way->link->way[!way->from]);
        return;
    }
    if (s->error) {
        way->held -= bytes;
        return;
    }
    sim_note("bytes arrive", name_of(way), bytes);
    way->readable += bytes;
    readable_now(s);
}

/* ---- what leaves ---- */

static void put_in_ring(struct way *way, const char *bytes, size_t len)
{
    size_t tail = (way->head + way->held) % way->cap;
    size_t part = MIN_OF(len, way->cap - tail);

    if (!way->ring)
        way->ring = sim_alloc(way->cap);
    memcpy(way->ring + tail, bytes, part);
    memcpy(way->ring, bytes + part, len - part);
    way->held += len;
}

static void take_from_ring(struct way *way, char *bytes, size_t len)
{
    size_t part = MIN_OF(len, way->cap - way->head);

    memcpy(bytes, way->ring + way->head, part);
    memcpy(bytes + part, way->ring, len - part);
    way->head = (way->head + len) % way->cap;
    way->held -= len;
    way->readable -= len;
}

static void send_pieces(struct way *way, size_t bytes)
{
    bool in_pieces = sim_strikes(SIM_PIECES, "write in pieces");

    while (bytes > 0) {
        size_t piece = in_pieces ? (size_t)sim_spread(1, bytes) : bytes;

        way->last_arrival += stall(SIM_STALL, "piece stalls");
        sim_at(arrival(way), piece_arrives, way, piece);
        bytes -= piece;
    }
}

static void break_way(struct way *way)
{
    enum sim_fault fault = way->break_is_end ? SIM_CUT : SIM_RESET;

    sim_world()->report.struck[fault]++;
    sim_note(way->break_is_end ? "way is cut" : "way is reset", name_of(way), way->sent);
    way->lost = true;
    if (way->break_is_end) {
        sim_at(arrival(way), end_arrives, way, 0);
        return;
    }
    send_reset(way);
    send_reset(&way->link->way[!way->from]);
}

static size_t iov_total(const struct iovec *iov, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    return total;
}

static void put_iov(struct way *way, const struct iovec *iov, size_t bytes)
{
    for (; bytes > 0; iov++) {
        size_t part = MIN_OF(bytes, iov->iov_len);

        if (part > 0)
            put_in_ring(way, iov->iov_base, part);
        bytes -= part;
    }
}

enum io sock_try_write(struct sock *s, const struct iovec *iov, int count, size_t *put,
                       struct err *err)
{
    struct way *out = way_out(s);
    size_t total = iov_total(iov, count);

    ASSERT(!out->ended);
    if (s->error) {
        err_sys(err, ERR_UNAVAILABLE, s->error, "could not write to %s", sock_peer(s).text);
        return IO_FAILED;
    }
    if (out->lost) {
        send_reset(way_in(s));
        *put = total;
        return IO_DONE;
    }
    size_t bytes = MIN_OF(total, out->cap - out->held);
    if (bytes == 0 && total > 0)
        return IO_AGAIN;
    if (bytes > 1 && sim_strikes(SIM_SHORT_WRITE, "short write"))
        bytes = (size_t)sim_spread(1, bytes - 1);
    size_t carried = (size_t)MIN_OF((uint64_t)bytes, out->breaks_at - out->sent);
    put_iov(out, iov, carried);
    out->sent += carried;
    sim_note("write", name_of(out), bytes);
    send_pieces(out, carried);
    if (carried < bytes)
        break_way(out);
    *put = bytes;
    return IO_DONE;
}

enum io sock_try_read(struct sock *s, void *bytes, size_t size, size_t *got, struct err *err)
{
    struct way *in = way_in(s);

    ASSERT(size > 0);
    if (in->readable > 0) {
        size_t part = MIN_OF(size, in->readable);
        struct sock *peer = in->link->end[in->from];

        if (part > 1 && sim_strikes(SIM_SHORT_READ, "short read"))
            part = (size_t)sim_spread(1, part - 1);
        take_from_ring(in, bytes, part);
        sim_note("read", name_of(in), part);
        if (peer)
            wake(&peer->writer);
        *got = part;
        return IO_DONE;
    }
    if (s->error) {
        err_sys(err, ERR_UNAVAILABLE, s->error, "could not read from %s", sock_peer(s).text);
        return IO_FAILED;
    }
    return in->end_arrived ? IO_END : IO_AGAIN;
}

/* ---- waiting ---- */

static void poke_reader(void *what, uint64_t unused)
{
    struct sock *s = ((struct way *)what)->link->end[!((struct way *)what)->from];
    (void)unused;

    if (s)
        wake(&s->reader);
}

static void poke_writer(void *what, uint64_t unused)
{
    struct sock *s = ((struct way *)what)->link->end[((struct way *)what)->from];
    (void)unused;

    if (s)
        wake(&s->writer);
}

static SUSPENDS bool park_at(struct fiber **place, struct err *err)
{
    ASSERT(!*place); /* one fiber reads and one writes */
    *place = fiber_self();
    bool woken = fiber_park(NULL, err);
    *place = NULL;
    return woken;
}

SUSPENDS bool sock_wait_readable(struct sock *s, struct err *err)
{
    ASSERT(!s->rest);
    if (!fiber_still_wanted(err))
        return false;
    if (is_readable(s))
        return true;
    if (sim_strikes(SIM_SPURIOUS, "spurious read event"))
        sim_at(sim_world()->now + latency(), poke_reader, way_in(s), 0);
    return park_at(&s->reader, err);
}

SUSPENDS bool sock_wait_writable(struct sock *s, struct err *err)
{
    if (!fiber_still_wanted(err))
        return false;
    if (is_writable(s))
        return true;
    if (sim_strikes(SIM_SPURIOUS, "spurious write event"))
        sim_at(sim_world()->now + latency(), poke_writer, way_out(s), 0);
    return park_at(&s->writer, err);
}

/* Skips what has been written of the pieces; a copy, so that the caller's stay as they are. */
static int rest_of(const struct iovec *iov, int count, size_t done, struct iovec out[8])
{
    int used = 0;

    for (int i = 0; i < count && used < 8; i++) {
        size_t part = MIN_OF(done, iov[i].iov_len);

        done -= part;
        if (part < iov[i].iov_len)
            out[used++] = (struct iovec){(char *)iov[i].iov_base + part, iov[i].iov_len - part};
    }
    return used;
}

SUSPENDS bool sock_write(struct sock *s, const struct iovec *iov, int count, struct err *err)
{
    size_t total = iov_total(iov, count), done = 0, put;

    if (!fiber_still_wanted(err))
        return false;
    while (done < total) {
        struct iovec rest[8];
        int used = rest_of(iov, count, done, rest);

        switch (sock_try_write(s, rest, used, &put, err)) {
        case IO_DONE: done += put; continue;
        case IO_FAILED: return false;
        case IO_AGAIN:
        case IO_END: break;
        }
        if (!sock_wait_writable(s, err))
            return false;
    }
    return true;
}

SUSPENDS bool sock_read(struct sock *s, void *bytes, size_t size, size_t *got, struct err *err)
{
    for (;;) {
        if (!sock_wait_readable(s, err))
            return false;
        switch (sock_try_read(s, bytes, size, got, err)) {
        case IO_DONE: return true;
        case IO_END: *got = 0; return true;
        case IO_FAILED: return false;
        case IO_AGAIN: break;
        }
    }
}

bool sock_rest(struct sock *s, fiber_fn *fn, void *arg, struct err *err)
{
    (void)err;
    ASSERT(fn && !s->rest && !s->reader);
    s->rest = fn;
    s->rest_arg = arg;
    if (is_readable(s))
        sim_at(sim_world()->now, rest_ends, way_in(s), 0);
    return true;
}

bool sock_rest_cancel(struct sock *s)
{
    bool was_resting = s->rest != NULL;

    s->rest = NULL;
    return was_resting;
}

void sock_on_hangup(struct sock *s, struct scope *scope)
{
    s->hangup = scope;
    if (scope && (s->error || way_in(s)->end_arrived))
        scope_cancel(scope);
}

/* ---- a socket's life ---- */

static struct sock *new_sock(struct link *link, int side)
{
    struct sock *s = sim_alloc(sizeof *s);

    s->link = link;
    s->side = side;
    s->loop = loop_current();
    s->loop->stats.socks++;
    link->end[side] = s;
    sim_world()->report.socks++;
    return s;
}

static void plan_break(struct way *way)
{
    const struct sim_options *o = &sim_world()->opt;
    bool is_reset = sim_draw(SIM_WORLD, SIM_ALWAYS) < o->ppm[SIM_RESET];
    bool is_cut = sim_draw(SIM_WORLD, SIM_ALWAYS) < o->ppm[SIM_CUT];

    way->breaks_at = UINT64_MAX;
    if ((!is_reset && !is_cut) || sim_world()->calm)
        return;
    way->breaks_at = sim_spread(0, o->break_bytes_max);
    way->break_is_end = is_cut;
}

static struct link *new_link(const struct addr *to)
{
    struct sim *sim = sim_world();
    struct link *link = sim_alloc(sizeof *link);

    link->id = ++sim->last_sock;
    for (int i = 0; i < 2; i++) {
        struct way *way = &link->way[i];

        way->link = link;
        way->from = i;
        way->cap = (size_t)sim_between(sim->opt.pipe_bytes_min, sim->opt.pipe_bytes_max);
        plan_break(way);
    }
    link->name[1] = *to;
    if (strncmp(to->text, "unix:", 5) == 0)
        link->name[0] = (struct addr){"unix:"};
    else
        snprintf(link->name[0].text, ADDR_TEXT_MAX, "127.0.0.1:%u", 40000 + link->id % 20000);
    return link;
}

static void end_way(struct way *way)
{
    if (way->ended)
        return;
    way->ended = true;
    if (!way->lost)
        sim_at(arrival(way), end_arrives, way, 0);
}

void sock_end_writing(struct sock *s)
{
    if (!s->error)
        end_way(way_out(s));
}

/* Like TCP: who closes with bytes unread sends a reset behind what it wrote, else an orderly end. */
void sock_close(struct sock **ps)
{
    struct sock *s = *ps;

    if (!s)
        return;
    ASSERT(!s->reader && !s->writer);
    sim_note("close", name_of(way_out(s)), way_in(s)->readable);
    if (!s->error && way_in(s)->readable > 0)
        send_reset(way_out(s));
    else if (!s->error)
        end_way(way_out(s));
    way_out(s)->ended = true;
    struct sock *peer = s->link->end[!s->side];
    s->link->end[s->side] = NULL;
    if (peer) /* room that nobody will free: what it writes from now on earns a reset */
        wake(&peer->writer);
    s->loop->stats.socks--;
    sim_world()->report.socks--;
    MEMORY_POISON(s, sizeof *s);
    *ps = NULL;
}

struct addr sock_peer(const struct sock *s)
{
    return s->link->name[!s->side];
}

uint32_t sock_peer_uid(const struct sock *s)
{
    return strncmp(s->link->name[1].text, "unix:", 5) == 0 ? (uint32_t)geteuid() : UINT32_MAX;
}

bool sock_is_alive(struct sock *s)
{
    return !is_readable(s);
}

int sock_fd(const struct sock *s)
{
    (void)s;
    return -1;
}

/* ---- listening and connecting ---- */

bool sock_listen(const struct addr *at, const struct listen_options *options, struct listener **out,
                 struct err *err)
{
    struct sim *sim = sim_world();
    struct listener *l, **end = &listeners;
    bool reuse_port = options && options->reuse_port;
    struct addr addr = *at;
    size_t len = strlen(addr.text);

    if (FAULT("sock.listen"))
        return err_sys(err, ERR_UNAVAILABLE, EADDRINUSE, "could not listen on %s", at->text);
    if (len > 2 && strcmp(addr.text + len - 2, ":0") == 0)
        snprintf(addr.text + len - 1, sizeof addr.text - len, "%u", FIRST_PORT + ++sim->last_port);
    for (; *end; end = &(*end)->next)
        if (strcmp((*end)->addr.text, addr.text) == 0 && !(reuse_port && (*end)->reuse_port))
            return err_sys(err, ERR_UNAVAILABLE, EADDRINUSE, "could not listen on %s", addr.text);
    l = sim_alloc(sizeof *l);
    *l = (struct listener){.addr = addr,
                           .reuse_port = reuse_port,
                           .backlog = options && options->backlog ? options->backlog : 1024};
    l->last = &l->first;
    *out = *end = l;
    sim->report.listeners++;
    return true;
}

struct addr listener_addr(const struct listener *l)
{
    return l->addr;
}

SUSPENDS bool sock_accept(struct listener *l, struct sock **out, struct err *err)
{
    do {
        if (!fiber_still_wanted(err))
            return false;
        if (!l->first && !park_at(&l->accepter, err))
            return false;
    } while (!l->first);
    if (sim_strikes(SIM_ACCEPT_FAILED, "accept") || FAULT("sock.accept"))
        return err_sys(err, ERR_UNAVAILABLE, EMFILE, "could not accept on %s", l->addr.text);
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
        send_reset(way_out(s));
        sock_close(&s);
    }
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
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
    wake(&dial->waiter);
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
        sim_at(now + latency(), dial_ends, dial, ECONNREFUSED);
        return;
    }
    if (l->waiting >= l->backlog) {
        sim_at(now + CONNECT_GIVES_UP, dial_ends, dial, ETIMEDOUT);
        return;
    }
    struct link *link = new_link(&dial->to);
    struct sock *accepted = new_sock(link, 1);
    dial->sock = new_sock(link, 0);
    *l->last = accepted;
    l->last = &accepted->next_waiting;
    l->waiting++;
    wake(&l->accepter);
    sim_at(now + latency(), dial_ends, dial, 0);
}

static void start_dial(struct dial *dial)
{
    mono_ns now = sim_world()->now;

    if (sim_strikes(SIM_CONNECT_HANG, "connect hangs"))
        sim_at(now + CONNECT_GIVES_UP, dial_ends, dial, ETIMEDOUT);
    else if (sim_strikes(SIM_CONNECT_REFUSED, "connect is refused") || FAULT("sock.connect"))
        sim_at(now + 2 * latency(), dial_ends, dial, ECONNREFUSED);
    else
        sim_at(now + latency(), dial_arrives, dial, 0);
}

SUSPENDS bool sock_connect(const struct addr *to, struct sock **out, struct err *err)
{
    if (!fiber_still_wanted(err))
        return false;
    struct dial *dial = sim_alloc(sizeof *dial);
    dial->to = *to;
    start_dial(dial);
    bool woken = park_at(&dial->waiter, err);
    if (!woken) {
        sock_close(&dial->sock);
        return false;
    }
    ASSERT(dial->done);
    if (dial->error) {
        sock_close(&dial->sock);
        return err_sys(err, ERR_UNAVAILABLE, dial->error, "could not connect to %s", to->text);
    }
    *out = dial->sock;
    return true;
}

void sim_socks_done(void)
{
    listeners = NULL;
}
