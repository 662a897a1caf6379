#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/asan.h"
#include "sys/sock_sim.h"

#define TRY_AGAIN (100 * MICROSECOND) /* to start a fiber where none was free */

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

dur_ns link_latency(void)
{
    const struct sim_options *o = &sim_world()->opt;

    return (dur_ns)sim_between((uint64_t)o->latency_min, (uint64_t)o->latency_max);
}

static dur_ns stall(enum sim_fault fault, const char *where)
{
    if (!sim_strikes(fault, where))
        return 0;
    return (dur_ns)sim_spread(MILLISECOND, (uint64_t)sim_world()->opt.stall_max);
}

/* ---- what arrives ---- */

void link_wake(struct fiber **waiter)
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
        sim_at(sim_world()->now + TRY_AGAIN, rest_ends, in, 0);
        return;
    }
    s->rest = NULL;
}

static void readable_now(struct sock *s)
{
    link_wake(&s->reader);
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
    if (way->readable > 0 && sim_strikes(SIM_FORGETTING, "reset forgets")) {
        way->held -= way->readable;
        way->head = (way->head + way->readable) % way->cap;
        way->readable = 0;
    }
    link_wake(&s->writer);
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
    mono_ns alone = sim_world()->now + link_latency();

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

void link_reset(struct link *link, int from)
{
    send_reset(&link->way[from]);
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
        err_sys(err, ERR_UNAVAILABLE, s->error, "could not write to \"%s\"", sock_peer(s).text);
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
            link_wake(&peer->writer);
        *got = part;
        return IO_DONE;
    }
    if (s->error) {
        err_sys(err, ERR_UNAVAILABLE, s->error, "could not read from \"%s\"", sock_peer(s).text);
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
        link_wake(&s->reader);
}

static void poke_writer(void *what, uint64_t unused)
{
    struct sock *s = ((struct way *)what)->link->end[((struct way *)what)->from];
    (void)unused;

    if (s)
        link_wake(&s->writer);
}

SUSPENDS bool link_park(struct fiber **place, struct err *err)
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
        sim_at(sim_world()->now + link_latency(), poke_reader, way_in(s), 0);
    return link_park(&s->reader, err);
}

SUSPENDS bool sock_wait_writable(struct sock *s, struct err *err)
{
    if (!fiber_still_wanted(err))
        return false;
    if (is_writable(s))
        return true;
    if (sim_strikes(SIM_SPURIOUS, "spurious write event"))
        sim_at(sim_world()->now + link_latency(), poke_writer, way_out(s), 0);
    return link_park(&s->writer, err);
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
    rest_ends(way_in(s), 0); /* what is there already counts */
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

static void add_sock(struct link *link, int side)
{
    struct sock *s = sim_alloc(sizeof *s);

    s->link = link;
    s->side = side;
    s->loop = loop_current();
    s->loop->stats.socks++;
    link->end[side] = s;
    sim_world()->report.socks++;
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

struct link *link_new(const struct addr *to)
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
        add_sock(link, i);
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
        link_wake(&peer->writer);
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
