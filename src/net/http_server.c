#include "net/http_server.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "net/http_server_internal.h"
#include "sys/clock.h"

#define ACCEPT_PAUSE  (100 * MILLISECOND) /* after a failure, such as no file descriptors */
#define REFUSING_MAX  64                  /* told 503 at a time; beyond it connections just close */
#define SERVER_MEMORY ((size_t)1024 * 1024)

/* ---- limits of connections ---- */

static struct str without_port(const struct addr *addr)
{
    struct str text = str_from(addr->text);

    while (text.len > 0 && text.ptr[text.len - 1] != ':')
        text.len--;
    return text;
}

/* False when the caller has enough connections already. */
static bool count_caller(struct http_conn *c)
{
    const struct http_server_options *o = &c->run->server->options;
    struct addr peer = sock_peer(c->sock ? c->sock : stream_sock(c->stream));
    struct str key = without_port(&peer);

    if (o->connections_per_addr == 0 || str_starts(key, STR("unix:")))
        return true;
    c->caller = http_share_count(o->share, key, o->connections_per_addr);
    return c->caller != NULL;
}

/* What is refused counts for nobody. */
static void uncount(struct http_conn *c)
{
    struct http_share *share = c->run->server->options.share;

    if (c->caller)
        http_share_forget(share, c->caller);
    if (c->counted)
        http_share_give(share);
    c->caller = NULL;
    c->counted = false;
}

/* ---- the life of a connection outside its exchanges ---- */

void http_conn_free(struct http_conn *c)
{
    struct http_run *run = c->run;

    ASSERT(c->state != CONN_RESTING);
    http_conn_drop_page(c);
    uncount(c);
    run->server->refusing -= c->unwelcome != NULL;
    run->server->stats.connections--;
    ring_remove(&c->in_all);
    sock_close(&c->sock);
    stream_close(&c->stream);
    stock_give(&run->server->conns, c);
}

static struct sock *sock_of(struct http_conn *c)
{
    return c->sock ? c->sock : stream_sock(c->stream);
}

/* In a fiber without a scope: from here on it ends with the run. */
static void wake(void *arg)
{
    struct http_conn *c = arg;
    struct err err = {0};

    ring_remove(&c->in_resting);
    c->state = CONN_SERVING;
    if (c->run->ending || !scope_enter(&c->run->children, &err))
        http_conn_free(c);
    else
        http_conn_serve(c);
}

bool http_conn_rest(struct http_conn *c)
{
    struct http_run *run = c->run;
    struct err err = {0};

    ASSERT(!c->page);
    if (run->ending || run->server->draining || !sock_rest(sock_of(c), wake, c, &err))
        return false;
    c->state = CONN_RESTING;
    c->rest_until = fiber_now() + run->server->options.idle_timeout;
    ring_append(&run->resting, &c->in_resting);
    return true;
}

/* Its waker may be on the way already; then that one decides. */
static void close_resting(struct http_conn *c)
{
    ring_remove(&c->in_resting);
    c->state = CONN_WAKING;
    if (sock_rest_cancel(sock_of(c)))
        http_conn_free(c);
}

static struct http_conn *oldest_resting(struct http_run *run)
{
    return RING_FIRST(&run->resting, struct http_conn, in_resting);
}

/* One fiber watches over all that rest: they all rest equally long, so the first is the oldest. */
static void sweep(void *arg)
{
    struct http_run *run = arg;
    struct err err = {0};
    dur_ns pause;

    do {
        struct http_conn *oldest;
        mono_ns now = fiber_now();

        while ((oldest = oldest_resting(run)) && oldest->rest_until <= now)
            close_resting(oldest);
        pause = oldest ? oldest->rest_until - now : run->server->options.idle_timeout;
    } while (fiber_sleep(pause, &err));
}

/* ---- accepting ---- */

static const char *why_unwelcome(struct http_conn *c)
{
    const struct http_server_options *o = &c->run->server->options;

    if (!count_caller(c))
        return "too many connections from this address";
    c->counted = http_share_take(o->share, o->connections_max);
    if (c->counted)
        return NULL;
    uncount(c);
    return "too many connections";
}

static struct http_conn *conn_new(struct http_run *run, struct sock **sock)
{
    struct http_conn *c = stock_take(&run->server->conns);

    if (!c) {
        sock_close(sock);
        return NULL;
    }
    c->run = run;
    c->state = CONN_SERVING;
    c->sock = *sock;
    *sock = NULL;
    ring_append(&run->all, &c->in_all);
    ring_init(&c->in_resting);
    run->server->stats.connections++;
    run->server->stats.accepted++;
    return c;
}

/* Nobody has said anything yet: the newcomer rests until it does. */
static void admit(struct http_run *run, struct sock **sock)
{
    struct http_server *server = run->server;
    struct http_conn *c = conn_new(run, sock);
    struct err err = {0};

    if (!c)
        return;
    const char *unwelcome = why_unwelcome(c);
    if (unwelcome) {
        server->stats.refused++;
        c->unwelcome = server->refusing < REFUSING_MAX ? unwelcome : NULL;
        server->refusing += c->unwelcome != NULL;
    }
    if ((unwelcome && !c->unwelcome) ||
        (!server->options.tls && !stream_plain(&c->sock, &c->stream, &err)) || !http_conn_rest(c))
        http_conn_free(c);
}

SUSPENDS static bool accept_one(struct http_run *run, struct listener *l, struct err *err)
{
    struct sock *sock = NULL;
    struct err why = {0}, over = {0};

    if (sock_accept(l, &sock, &why)) {
        admit(run, &sock);
        return true;
    }
    if (!fiber_still_wanted(&over)) {
        *err = why;
        return false;
    }
    log_warn("could not accept a connection: %s", why.text);
    return fiber_sleep(ACCEPT_PAUSE, err);
}

SUSPENDS static void accept_all(struct http_run *run, struct listener *l, struct err *err)
{
    scope_open(&run->accepting, 0);
    if (scope_spawn(&run->accepting, sweep, run, err))
        while (accept_one(run, l, err))
            continue;
    run->ending = true;
    scope_close(&run->accepting);
}

static void unlink_run(struct http_run *run)
{
    struct http_run **at = &run->server->runs;

    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    event_pulse(&run->server->ended);
}

bool http_server_run(struct http_server *server, struct listener *l, struct err *err)
{
    struct http_run run = {.server = server, .next = server->runs};
    struct err why = {0};

    server->runs = &run;
    ring_init(&run.all);
    ring_init(&run.resting);
    scope_open(&run.children, 0);
    accept_all(&run, l, &why);
    listener_close(&l);
    for (struct http_conn *c; (c = oldest_resting(&run));)
        close_resting(c);
    bool whole = server->draining && scope_wait(&run.children, &why);
    scope_close(&run.children);
    while (!ring_is_empty(&run.all)) /* wakers are on the way: a turn or two */
        fiber_yield();
    unlink_run(&run);
    if (!whole)
        *err = why;
    return whole;
}

void http_server_leave(struct http_server *server)
{
    server->leaving = true;
}

bool http_server_drain(struct http_server *server, struct err *err)
{
    server->draining = true;
    for (struct http_run *run = server->runs; run; run = run->next)
        if (!run->ending)
            scope_cancel(&run->accepting);
    while (server->runs)
        if (!event_wait(&server->ended, err))
            return err_wrap(err, "%u connections are still busy", server->stats.connections);
    return true;
}

void http_server_cut(struct http_server *server)
{
    server->cut = true;
    for (struct http_run *run = server->runs; run; run = run->next)
        for (struct ring *r = run->all.after; r != &run->all; r = r->after) {
            struct http_exchange *x = CONTAINER_OF(r, struct http_conn, in_all)->exchange;

            if (x && x->work)
                scope_cancel(x->work);
        }
}

/* ---- the server itself ---- */

static void set_default_size(size_t *value, size_t fallback)
{
    if (*value == 0)
        *value = fallback;
}

static void set_default_time(dur_ns *value, dur_ns fallback)
{
    if (*value == 0)
        *value = fallback;
}

static void fill_in_defaults(struct http_server_options *o)
{
    set_default_size(&o->limits.head_bytes, 16 * KIB);
    set_default_size(&o->limits.fields, HTTP_FIELDS_MAX);
    set_default_size(&o->limits.target_bytes, 8 * KIB);
    set_default_size(&o->body_bytes_max, 32 * MIB);
    set_default_size(&o->request_memory, 128 * MIB);
    set_default_time(&o->head_timeout, 10 * SECOND);
    set_default_time(&o->body_timeout, 60 * SECOND);
    set_default_time(&o->idle_timeout, 75 * SECOND);
    set_default_time(&o->write_timeout, 30 * SECOND);
    if (o->connections_max == 0)
        o->connections_max = 20000;
    if (o->requests_per_connection == 0)
        o->requests_per_connection = 100000;
}

bool http_server_new(const struct http_server_options *options, struct http_server **out,
                     struct err *err)
{
    struct arena *arena = arena_new(SERVER_MEMORY);
    struct http_server *server = arena ? arena_alloc(arena, sizeof *server) : NULL;

    ASSERT(options->handler);
    if (!server) {
        arena_end(&arena);
        return err_no_room(err, "no memory for a server");
    }
    server->options = *options;
    fill_in_defaults(&server->options);
    server->arena = arena;
    server->conns.size = sizeof(struct http_conn);
    if (!options->share && !http_share_new(&server->own_share, err)) {
        arena_end(&arena);
        return false;
    }
    if (!options->share)
        server->options.share = server->own_share;
    *out = server;
    return true;
}

void http_server_free(struct http_server **server)
{
    if (!*server)
        return;
    struct arena *arena = (*server)->arena;

    ASSERT(!(*server)->runs && (*server)->stats.connections == 0);
    http_share_free(&(*server)->own_share);
    *server = NULL;
    arena_end(&arena);
}

struct http_server_stats http_server_stats(const struct http_server *server)
{
    return server->stats;
}

uint64_t http_next_id(struct http_server *server)
{
    return server->options.next_id ? server->options.next_id(server->options.ctx) : 0;
}

/* RFC 9110, 5.6.7: IMF-fixdate. Made once a second. */
struct str http_date_line(struct http_server *server)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    if (fiber_now() >= server->date_until) {
        wall_ms wall = clock_wall();
        time_t seconds = (time_t)(wall / 1000);
        struct tm t;
        struct buf b;

        gmtime_r(&seconds, &t);
        buf_init_fixed(&b, server->date, sizeof server->date);
        buf_fmt(&b, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[t.tm_wday], t.tm_mday,
                months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
        server->date_len = b.len;
        server->date_until = fiber_now() + (1000 - wall % 1000) * MILLISECOND;
    }
    return (struct str){server->date, server->date_len};
}
