#include "app/serve.h"
#include "app/forget.h"

#include "app/v1.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "app/house_vectors.h"
#include "app/log_queue.h"
#include "app/observe.h"
#include "app/probe.h"
#include "app/routes.h"
#include "app/welcome.h"
#include "base/log.h"
#include "net/http_server.h"
#include "sys/clock.h"
#include "sys/mutex.h"
#include "sys/threads.h"

#define WATCH_EVERY    (2 * SECOND)
#define LOOK_ANYWAY    15 /* turns: nobody else may ask a database that was away */
#define COMMAND_SOCKET "weir.sock"
#define CUT_TIME       (1 * SECOND) /* to tell clients that they are cut */
#define LOOK_EVERY     (10 * MILLISECOND)

/* What one loop serves. */
struct server_loop {
    struct house *house;
    struct http_server *server;
    struct http_server
        *command; /* loop 0: the command socket, in clear whatever the listener speaks */
    struct loop
        *loop; /* for messages from others; NULL before it runs and when it ends; under `ending` */
    int index;
    struct server_loops *all;
};

struct server_loops {
    struct server_loop at[LOOPS_MAX];
    struct mutex ending;
    int count;
    struct http_share *share; /* clients of all loops */
    dur_ns drain_delay,
        drain_timeout;  /* read once, by loop 0: the settings may be replaced meanwhile */
    struct addr listen; /* with the port that was really bound, for the loops after the first */
    atomic_bool listening, stopping, failed;
    atomic_int serving;
};

static struct server_loops *loops; /* signals name no context */

struct listening {
    struct http_server *server;
    struct listener *listener; /* NULL once its server has it */
};

static void run_listener(void *arg)
{
    struct listening *l = arg;
    struct listener *listener = l->listener;
    struct err err = {0};

    l->listener = NULL;
    if (!http_server_run(l->server, listener, &err) && err.code != ERR_CANCELLED)
        log_error("a listener ended: %s", err.text);
}

static uint64_t next_id(void *house)
{
    return gateway_next_id(((struct house *)house)->gateway);
}

static bool make_server(struct server_loop *own, struct tls_server *tls, struct http_share *share,
                        struct http_server **out, struct err *err)
{
    const struct settings *s = own->house->settings;
    struct http_server_options options = {
        .limits = {.head_bytes = (size_t)s->server.head_bytes},
        .body_bytes_max = (size_t)s->server.body_bytes,
        .request_memory = (size_t)s->server.request_memory,
        .head_timeout = s->server.head_timeout,
        .body_timeout = s->server.body_timeout,
        .idle_timeout = s->server.idle_timeout,
        .write_timeout = s->server.write_timeout,
        .connections_max = (uint32_t)s->server.connections,
        .connections_per_addr = (uint32_t)s->server.connections_per_address,
        .share = share,
        .requests_per_connection = (uint32_t)s->server.requests_per_connection,
        .tls = tls,
        .handler = routes_handle,
        .ctx = own->house,
        .next_id = next_id,
        .refuse = routes_refusal,
    };
    return http_server_new(&options, out, err);
}

/* ---- stopping ---- */

static SUSPENDS bool drain_within(struct server_loop *own, dur_ns how_long)
{
    struct err err = {0};
    struct scope scope;

    scope_open(&scope, fiber_now() + how_long);
    bool done = http_server_drain(own->server, &err) &&
                (!own->command || http_server_drain(own->command, &err));
    scope_close(&scope);
    return done;
}

/* What is still in progress ends with an error that its client is told, and is recorded as that. */
static SUSPENDS void cut(struct server_loop *own)
{
    http_server_cut(own->server);
    if (own->command)
        http_server_cut(own->command);
    (void)drain_within(own, CUT_TIME);
}

static SUSPENDS void leave(struct server_loop *own)
{
    struct err err = {0};

    if (!own->server || own->all->drain_delay == 0)
        return;
    http_server_leave(own->server);
    (void)!fiber_sleep(own->all->drain_delay, &err);
}

static bool others_go_on(struct server_loops *all)
{
    bool some = false;

    mutex_lock(&all->ending);
    for (int i = 1; i < all->count; i++)
        some |= all->at[i].loop != NULL;
    mutex_unlock(&all->ending);
    return some;
}

/* The first loop is the last to end: what its fibers do, others need to their end. Each has its own drain_timeout. */
static SUSPENDS void wait_for_others(struct server_loops *all)
{
    struct err err = {0};

    while (others_go_on(all) && fiber_sleep(LOOK_EVERY, &err)) {
    }
}

static void drain(void *arg)
{
    struct server_loop *own = arg;

    leave(own);
    if (own->server && !drain_within(own, own->all->drain_timeout)) {
        log_warn("requests were still in progress after drain_timeout: they are cut");
        cut(own);
    }
    if (own->index == 0) {
        wait_for_others(own->all);
        telemetry_flush(own->house->telemetry);
    }
    loop_stop(loop_self());
}

static void stop_now(void *arg)
{
    struct server_loop *own = arg;

    if (own->server)
        cut(own);
    loop_stop(loop_self());
}

/* A loop that has ended already needs no telling; the lock keeps it from ending meanwhile. */
static bool try_to_tell(struct server_loop *one, fiber_fn *fn)
{
    mutex_lock(&loops->ending);
    bool told = !one->loop || loop_post(one->loop, fn, one);
    mutex_unlock(&loops->ending);
    return told;
}

/* A full mailbox is emptied by its loop, and nobody else would tell it: until then again and again, also when this
 * loop itself was told to stop meanwhile. */
static SUSPENDS void tell_all(fiber_fn *fn)
{
    bool told[LOOPS_MAX] = {false};
    struct err over = {0};

    for (int left = loops->count; left > 0;) {
        for (int i = 0; i < loops->count; i++)
            if (!told[i] && (told[i] = try_to_tell(&loops->at[i], fn)))
                left--;
        if (left > 0 && !fiber_sleep(MILLISECOND, &over))
            fiber_yield();
    }
}

static void set_loop(struct server_loop *own, struct loop *loop)
{
    mutex_lock(&own->all->ending);
    own->loop = loop;
    mutex_unlock(&own->all->ending);
}

/* A terminal or a service manager signals the parent and us, and the parent passes its own on: twice is
 * twice from the same side. */
static bool asked_twice(bool by_parent)
{
    static bool asked[2]; /* only loop 0 is told of signals */
    bool twice = asked[by_parent];

    asked[by_parent] = true;
    return twice;
}

static SUSPENDS void on_signal(void *arg)
{
    int what = (int)(intptr_t)arg, number = what & ~SIGNAL_BY_PARENT;

    if (number == SIGHUP) {
        house_reload(loops->at[0].house, "SIGHUP");
        return;
    }
    if (number != SIGTERM && number != SIGINT)
        return;
    bool twice = asked_twice(what & SIGNAL_BY_PARENT);

    if (atomic_exchange(&loops->stopping, true)) {
        if (!twice)
            return;
        log_warn("asked twice to stop: stopping at once");
        tell_all(stop_now);
        return;
    }
    loops->drain_timeout = loops->at[0].house->settings->server.drain_timeout;
    loops->drain_delay = loops->at[0].house->settings->server.drain_delay;
    observe_ready(false);
    if (loops->drain_delay)
        log_info("stopping: requests are taken for another %" PRId64 " ms, /readyz says 503",
                 loops->drain_delay / MILLISECOND);
    log_info("stopping: requests in progress have %" PRId64 " s", loops->drain_timeout / SECOND);
    tell_all(drain);
}

/* ---- background fibers of loop 0 ---- */

static void watch_settings(void *arg)
{
    struct house *house = arg;
    struct file_info before = house->settings->seen, now = {0};
    struct err err = {0};
    /* Also when there is none yet: it may come. */
    const char *file = house->config_file ? house->config_file : SETTINGS_FILE;
    bool known = house->settings->file.len > 0;
    unsigned turns = 0;

    while (fiber_sleep(WATCH_EVERY, &err)) {
        bool there = file_stat(file, &now, &err);
        bool changed = there && (!known || now.changed != before.changed ||
                                 now.bytes != before.bytes || now.inode != before.inode);

        if (changed)
            house_reload(house, "the file changed");
        else if (house->reload_waits &&
                 (!store_stats(house->store).away || ++turns % LOOK_ANYWAY == 0))
            house_reload(house, "the database is asked again");
        known = there || known;
        before = there ? now : before;
        err = (struct err){0};
    }
}

/* Runs that nobody waits for end with the loops: at their next file, with what they have done. */
static void end_runs(void *arg)
{
    struct house *house = arg;
    struct event never = {0};
    struct err err = {0};

    (void)!event_wait(&never, &err);
    bases_stop_runs(house->bases);
}

static bool start_background(struct scope *scope, struct house *house, struct err *err)
{
    return scope_spawn(scope, accounts_flush_loop, house->accounts, err) &&
           scope_spawn(scope, accounts_windows_loop, house->accounts, err) &&
           scope_spawn(scope, accounts_share_loop, house->accounts, err) &&
           scope_spawn(scope, issuers_loop, house->issuers, err) &&
           scope_spawn(scope, instances_loop, house->instances, err) &&
           scope_spawn(scope, sessions_loop, house->sessions, err) &&
           scope_spawn(scope, audit_tree_loop, house->audit_tree, err) &&
           scope_spawn(scope, audit_keep_loop, house->audit_keep, err) &&
           scope_spawn(scope, log_queue_loop, house->log_writer, err) &&
           scope_spawn(scope, watch_settings, house, err) &&
           scope_spawn(scope, probe_loop, house, err) && scope_spawn(scope, end_runs, house, err) &&
           scope_spawn(scope, house_sources_loop, house, err) &&
           scope_spawn(scope, vectors_loop, house, err) &&
           scope_spawn(scope, telemetry_loop, house->telemetry, err) &&
           scope_spawn(scope, observe_house, house, err) &&
           scope_spawn(scope, v1_attach_loop, house, err) &&
           scope_spawn(scope, v1_expire_loop, house, err) &&
           scope_spawn(scope, house_changed_loop, house, err) &&
           scope_spawn(scope, house_forget_loop, house, err);
}

/* ---- one loop ---- */

static bool listen_at(const struct addr *at, bool reuse_port, struct listening *out,
                      struct err *err)
{
    struct listen_options options = {.reuse_port = reuse_port, .backlog = 4096, .mode = 0600};

    return sock_listen(at, &options, &out->listener, err);
}

/* Loops share the port by SO_REUSEPORT, and so would another Weir with another data directory: the
 * first one asks for the port alone before. */
static bool listen_first(const struct addr *at, bool shared, struct listening *out, struct err *err)
{
    struct listening alone = {0};

    if (shared && !listen_at(at, false, &alone, err))
        return false;
    listener_close(&alone.listener);
    return listen_at(at, shared, out, err);
}

static bool command_socket(struct house *house, struct listening *out, struct err *err)
{
    struct addr at;
    struct str text = arena_fmt(house->arena, "unix:%s", house_path(house, COMMAND_SOCKET));

    return addr_parse(text, &at, err) && listen_at(&at, false, out, err);
}

/* None serves without the others. One that has no loop yet looks at `failed` when it has. */
static SUSPENDS void fail_start(struct server_loop *own, const struct err *err)
{
    if (!atomic_exchange(&own->all->failed, true))
        log_error("cannot start: %s", err->text);
    tell_all(stop_now);
}

static bool serve_first(struct server_loop *own, struct scope *scope, struct listening *tcp,
                        struct listening *command, struct err *err)
{
    struct server_loops *all = own->all;
    struct addr at;

    if (!instances_catch_up(own->house->instances, err))
        return false;
    house_finish_forgetting(own->house);
    if (!make_server(own, NULL, NULL, &own->command, err) ||
        !addr_parse(own->house->settings->server.listen, &at, err) ||
        !listen_first(&at, all->count > 1, tcp, err))
        return false;
    command->server = own->command;
    all->listen = listener_addr(tcp->listener);
    atomic_store(&all->listening, true);
    return command_socket(own->house, command, err) &&
           scope_spawn(scope, run_listener, command, err) &&
           scope_spawn(scope, run_listener, tcp, err) && start_background(scope, own->house, err) &&
           signals_start(loop_self(), on_signal, err);
}

static bool serve_next(struct server_loop *own, struct scope *scope, struct listening *tcp,
                       struct err *err)
{
    while (!atomic_load(&own->all->listening)) {
        if (atomic_load(&own->all->failed))
            return err_set(err, ERR_CANCELLED, "the first loop did not start");
        if (!fiber_sleep(MILLISECOND, err))
            return false;
    }
    return listen_at(&own->all->listen, true, tcp, err) &&
           scope_spawn(scope, run_listener, tcp, err);
}

static bool start_serving(struct server_loop *own, struct scope *scope, struct listening *tcp,
                          struct listening *command, struct err *err)
{
    if (!make_server(own, own->house->tls, own->all->share, &own->server, err) ||
        !scope_spawn(scope, observe_loop, own->house, err))
        return false;
    tcp->server = own->server;
    return own->index == 0 ? serve_first(own, scope, tcp, command, err)
                           : serve_next(own, scope, tcp, err);
}

static void say_serving(const struct server_loops *all, const struct house *house)
{
    observe_ready(true);
    log_info("serving on %s, %d loop%s, data in \"" STR_FMT "\"", all->listen.text, all->count,
             all->count == 1 ? "" : "s", STR_ARG(house->settings->data.dir));
}

/* One that was told to stop meanwhile has not failed to start. */
static void judge_start(struct server_loop *own, bool ok, const struct err *err)
{
    struct server_loops *all = own->all;
    bool stopped = atomic_load(&all->stopping);

    if ((!ok && !(stopped && err->code == ERR_CANCELLED)) || atomic_load(&all->failed))
        fail_start(own, err);
    else if (ok && atomic_fetch_add(&all->serving, 1) + 1 == all->count && !stopped)
        say_serving(all, own->house);
    if (ok && own->index == 0 && !atomic_load(&all->failed))
        welcome(own->house, all->listen.text);
}

static void run_loop(void *arg)
{
    struct server_loop *own = arg;
    struct listening tcp = {0}, command = {0};
    struct err err = {0};
    struct scope scope;

    set_loop(own, loop_self());
    if (atomic_load(
            &own->all->stopping)) { /* perhaps all were told before there was a loop to tell */
        set_loop(own, NULL);
        return;
    }
    scope_open(&scope, 0);
    judge_start(own, start_serving(own, &scope, &tcp, &command, &err), &err);
    (void)!scope_wait(&scope, &err);
    scope_close(&scope);
    listener_close(&tcp.listener); /* of a start that failed half-way */
    listener_close(&command.listener);
    http_server_free(&own->server);
    http_server_free(&own->command);
    if (own->index == 0)
        signals_done();
    set_loop(own, NULL);
}

static void loop_count(struct server_loops *all, const struct settings *s)
{
    int64_t wanted = s->server.loops > 0 ? s->server.loops : processor_count();

    /* A Unix socket cannot be shared between listeners. */
    all->count =
        str_starts(s->server.listen, STR("unix:")) ? 1 : (int)MIN_OF(wanted, (int64_t)LOOPS_MAX);
}

int serve(struct serve_options *options)
{
    static struct server_loops all;
    struct house *house = NULL;
    struct err err = {0};
    void *args[LOOPS_MAX];

    signals_block();
    log_set_clock(clock_wall);
    observe_register();
    bool has_log = log_queue_start(&err);
    if (!has_log || !house_open(&options->settings, &house, &err)) {
        log_error("cannot start: %s", err.text);
        if (has_log)
            log_queue_stop();
        return 1;
    }
    house->config_file = options->config_file;
    house->environment = options->environment;
    loops = &all;
    mutex_init(&all.ending);
    loop_count(&all, house->settings);
    for (int i = 0; i < all.count; i++) {
        all.at[i].house = house;
        all.at[i].index = i;
        all.at[i].all = &all;
        args[i] = &all.at[i];
    }
    struct loop_options loop = {
        .fibers_max = (uint32_t)house->settings->server.fibers,
        .batch_window = house->settings->server.batch_window,
        .batch_streams = (uint32_t)house->settings->server.batch_streams,
    };
    bool ok = http_share_new(&all.share, &err) && loops_run(all.count, &loop, run_loop, args, &err);
    if (!ok)
        log_error("cannot start: %s", err.text);
    struct err ignored = {0};
    http_share_free(&all.share);
    (void)!file_remove(house_path(house, COMMAND_SOCKET), &ignored);
    house_close(&house);
    if (ok && !atomic_load(&all.failed))
        log_info("stopped");
    log_queue_stop();
    return ok && !atomic_load(&all.failed) ? 0 : 1;
}

/* ---- the house for one command ---- */

struct beside {
    struct server_loop own;
    fiber_fn *work;
    void *arg;
    struct err err;
    bool ok;
};

static void run_beside(void *arg)
{
    struct beside *b = arg;
    struct listening command = {0};
    struct scope scope;

    scope_open(&scope, 0);
    b->ok = instances_catch_up(b->own.house->instances, &b->err);
    if (b->ok)
        house_finish_forgetting(b->own.house);
    b->ok = b->ok && make_server(&b->own, NULL, NULL, &b->own.command, &b->err) &&
            command_socket(b->own.house, &command, &b->err);
    command.server = b->own.command;
    b->ok = b->ok && scope_spawn(&scope, run_listener, &command, &b->err);
    if (b->ok)
        b->work(b->arg);
    scope_close(&scope);
    listener_close(&command.listener);
    http_server_free(&b->own.command);
}

bool serve_beside(struct house *house, fiber_fn *work, void *arg, struct err *err)
{
    static struct server_loops all;
    struct beside b = {.own = {.house = house, .all = &all}, .work = work, .arg = arg};
    struct loop *loop = loop_new(NULL, err);
    struct err ignored = {0};

    if (!loop)
        return false;
    observe_register(); /* what answers counts */
    all.count = 1;
    loop_run(loop, run_beside, &b);
    loop_free(&loop);
    (void)!file_remove(house_path(house, COMMAND_SOCKET), &ignored);
    if (!b.ok)
        *err = b.err;
    return b.ok;
}
