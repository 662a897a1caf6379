#include "app/observe.h"

#include <stdatomic.h>

#include "app/admin.h"
#include "app/v1.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pages.h"
#include "base/trace.h"
#include "gateway/metrics.h"
#include "gateway/telemetry.h"
#include "models/health.h"
#include "sys/clock.h"
#include "sys/fiber.h"
#include "sys/loop.h"

#define READY_BYTES_MAX (64 * KIB)
#define GAUGES_EVERY    SECOND

static atomic_bool is_ready;

enum {
    INFO,
    START,
    READY,
    PAGES,
    FIBERS,
    SOCKETS,
    STORE_COMMITS,
    STORE_WRITES,
    STORE_READS,
    AUDIT_RECORDS,
    STORE_AWAY,
    INSTANCES,
    DIVIDED,
    HOLDS,
    BREAKER,
    IN_FLIGHT,
    KNOWLEDGE_DAMAGED
};

static struct metric rows[] = {
    [INFO] =
        {"weir_build", METRIC_GAUGE, "", "Always 1; the version is a label.", {"version", NULL}, 0},
    [START] = {"weir_start_time",
               METRIC_GAUGE,
               "seconds",
               "When the worker started, since 1970.",
               {NULL},
               0},
    [READY] = {"weir_ready",
               METRIC_GAUGE,
               "",
               "Whether requests are taken; 0: /readyz says why not, most often that the audit log "
               "cannot be written.",
               {NULL},
               0},
    [PAGES] = {"weir_request_memory",
               METRIC_GAUGE,
               "bytes",
               "What is taken of server.memory now: by requests, kept answers and all else.",
               {NULL},
               0},
    [FIBERS] = {"weir_fibers", METRIC_GAUGE, "", "Fibers alive.", {NULL}, 0},
    [SOCKETS] = {"weir_sockets", METRIC_GAUGE, "", "Sockets open.", {NULL}, 0},
    [STORE_COMMITS] = {"weir_store_commits",
                       METRIC_GAUGE,
                       "",
                       "Transactions of the database since the start.",
                       {NULL},
                       0},
    [STORE_WRITES] = {"weir_store_writes",
                      METRIC_GAUGE,
                      "",
                      "Writes that shared those transactions.",
                      {NULL},
                      0},
    [STORE_READS] = {"weir_store_reads", METRIC_GAUGE, "", "Reads of the database.", {NULL}, 0},
    [STORE_AWAY] = {"weir_store_away",
                    METRIC_GAUGE,
                    "",
                    "1 while the database cannot be asked or written.",
                    {NULL},
                    0},
    [INSTANCES] = {"weir_instances",
                   METRIC_GAUGE,
                   "",
                   "Instances over the same database that are alive, this one too.",
                   {NULL},
                   0},
    [DIVIDED] = {"weir_limits_divided",
                 METRIC_GAUGE,
                 "",
                 "1 while limits of a minute and of requests in progress are divided among the "
                 "instances, for want of a Redis.",
                 {NULL},
                 0},
    [AUDIT_RECORDS] = {"weir_audit_last_sequence",
                       METRIC_GAUGE,
                       "",
                       "Number of the newest audit record.",
                       {NULL},
                       0},
    [HOLDS] =
        {"weir_budget_holds_open", METRIC_GAUGE, "", "Requests with money set aside.", {NULL}, 0},
    [BREAKER] = {"weir_breaker_state",
                 METRIC_GAUGE,
                 "",
                 "Of a deployment: 0 closed, 1 half-open, 2 open.",
                 {"model", NULL},
                 0},
    [IN_FLIGHT] = {"weir_deployment_in_flight",
                   METRIC_GAUGE,
                   "",
                   "Requests that a deployment has now.",
                   {"model", NULL},
                   0},
    [KNOWLEDGE_DAMAGED] =
        {"weir_knowledge_damaged",
         METRIC_GAUGE,
         "",
         "Knowledge bases that are damaged, of those that were asked since the start; the log and "
         "/readyz say where.",
         {NULL},
         0},
};

void observe_register(void)
{
    trace_set_clock(clock_fine);
    metrics_register(rows, ARRAY_LEN(rows));
    gateway_metrics_register();
    cache_metrics_register();
    v1_expire_register();
    admin_register();
}

void observe_ready(bool ready)
{
    atomic_store(&is_ready, ready);
}

static void answer(struct http_exchange *x, int status, struct str type, struct str body)
{
    struct err err = {0};
    struct http_reply reply = {.status = status, .content_type = type};

    if (!http_send(x, &reply, body, &err) && err.code != ERR_CANCELLED)
        log_debug("could not answer a probe: %s", err.text);
}

/* Gauges of a thread are summed when they are read, so each loop sets its own part. */
void observe_loop(void *house)
{
    struct err err = {0};

    (void)house;
    do {
        struct loop_stats loop = loop_stats(loop_self());

        series_set(metrics_series(&rows[FIBERS], NULL), loop.fibers);
        series_set(metrics_series(&rows[SOCKETS], NULL), loop.socks);
    } while (fiber_sleep(GAUGES_EVERY, &err));
}

static void show(int row, struct str name, int64_t value, bool is_there)
{
    struct series *s = metrics_series(&rows[row], &name);

    if (is_there)
        series_set(s, value);
    else
        series_hide(s);
}

/* One that the catalogue has no more is shown until its last request is done. */
static void show_deployments(const struct house *house)
{
    static const int64_t levels[] = {
        [BREAKER_CLOSED] = 0, [BREAKER_HALF_OPEN] = 1, [BREAKER_OPEN] = 2};
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(house->config, &held);

    for (struct deployment *d = deployments_first(house->deployments); d; d = deployment_next(d)) {
        struct deployment_state state = deployment_look(d, fiber_now());
        struct str name = deployment_name(d);
        const struct model *m = catalogue_find(config->catalogue, name);
        bool is_served = m && m->deployment == d;

        show(BREAKER, name, levels[state.breaker], is_served);
        show(IN_FLIGHT, name, state.in_flight, is_served || state.in_flight > 0);
    }
}

static bool takes_requests(const struct house *house, struct err *err)
{
    if (!atomic_load(&is_ready))
        return err_set(err, ERR_UNAVAILABLE, "starting or stopping");
    if (!audit_ready(house->audit, err))
        return false;
    return !instances_is_doubled(house->instances) ||
           err_set(err, ERR_UNAVAILABLE, "another Weir runs with the id of this one");
}

void observe_house(void *arg)
{
    struct house *house = arg;
    struct str version = STR(WEIR_VERSION);
    struct err err = {0};

    series_set(metrics_series(&rows[INFO], &version), 1);
    series_set(metrics_series(&rows[START], NULL), house->started / 1000);
    do {
        struct store_stats store = store_stats(house->store);
        struct err why = {0};

        series_set(metrics_series(&rows[READY], NULL), takes_requests(house, &why));
        series_set(metrics_series(&rows[PAGES], NULL), (int64_t)pages_in_use());
        series_set(metrics_series(&rows[STORE_COMMITS], NULL), (int64_t)store.commits);
        series_set(metrics_series(&rows[STORE_WRITES], NULL), (int64_t)store.writes);
        series_set(metrics_series(&rows[STORE_READS], NULL), (int64_t)store.reads);
        series_set(metrics_series(&rows[STORE_AWAY], NULL), store.away);
        series_set(metrics_series(&rows[INSTANCES], NULL), instances_alive(house->instances));
        series_set(metrics_series(&rows[DIVIDED], NULL), accounts_limits_divided(house->accounts));
        series_set(metrics_series(&rows[AUDIT_RECORDS], NULL),
                   (int64_t)audit_last_seq(house->audit));
        series_set(metrics_series(&rows[HOLDS], NULL),
                   (int64_t)accounts_holds_open(house->accounts));
        series_set(metrics_series(&rows[KNOWLEDGE_DAMAGED], NULL),
                   bases_damaged(house->bases, NULL, NULL));
        show_deployments(house);
        cache_metrics_update(house->cache);
        telemetry_measure(house->telemetry);
    } while (fiber_sleep(GAUGES_EVERY, &err));
}

/* Who names the older format and not the newer gets it; examples of traces are in the newer alone. */
static bool wants_plain(const struct http_head *head)
{
    struct str accept = http_field(&head->fields, STR("accept"));

    return str_find(accept, STR("application/openmetrics-text")) == accept.len &&
           str_find(accept, STR("text/plain")) < accept.len;
}

/* As it is written: nothing is as large as the whole. Other requests have their turn between two parts. */
static SUSPENDS bool send_metrics(struct http_exchange *x, struct metrics_reading *r, char *part,
                                  struct err *err)
{
    struct http_reply reply = {
        .status = 200,
        .content_type = r->plain
                            ? STR("text/plain; version=0.0.4; charset=utf-8")
                            : STR("application/openmetrics-text; version=1.0.0; charset=utf-8")};
    struct buf b;

    if (!http_begin(x, &reply, err))
        return false;
    for (;;) {
        buf_init_fixed(&b, part, METRICS_PART);
        bool more = metrics_reading_next(r, &b);
        ASSERT(buf_ok(&b));
        if (!more)
            return http_end(x, buf_view(&b), err);
        if (!http_piece(x, buf_view(&b), err))
            return false;
        fiber_yield();
    }
}

/* Whoever watches takes no answer for a Weir that is down: the log says what it is. */
void observe_metrics(struct http_exchange *x, struct house *house)
{
    struct metrics_reading r CLEANUP(metrics_reading_done) = {0};
    struct err err = {0};

    (void)house;
    if (metrics_reading_begin(&r, wants_plain(http_head(x)), &err)) {
        char *part = arena_alloc_raw(http_arena(x), METRICS_PART);

        if (part) {
            if (!send_metrics(x, &r, part, &err))
                http_abort(x);
            return;
        }
        err_arena(&err, http_arena(x));
    }
    log_warn("the metrics could not be told: %s", err.text);
    answer(x, 503, STR("text/plain; charset=utf-8"), str_from(err.text));
}

void observe_health(struct http_exchange *x, struct house *house)
{
    (void)house;
    answer(x, 200, STR("text/plain; charset=utf-8"), STR("ok\n"));
}

static void put_damage(void *to, const struct base_damage *damage)
{
    bool is_default = str_eq(damage->id, BASE_DEFAULT);
    struct buf *b = to;

    if (damage->of_facts) {
        buf_fmt(b, "but knowledge base " STR_FMT " is shown to operators alone: %s\n",
                STR_ARG(damage->id), damage->why);
        return;
    }
    buf_str(b, STR("but no documents"));
    if (!is_default)
        buf_fmt(b, " of knowledge base " STR_FMT, STR_ARG(damage->id));
    buf_str(b, STR(" can be found (`weir ingest "));
    if (!is_default)
        buf_fmt(b, "--base " STR_FMT " ", STR_ARG(damage->id));
    buf_fmt(b, "--rebuild PATH` makes the index anew): %s\n", damage->why);
}

/* Requests are taken, though not all there is may work. */
static struct str ready_text(struct http_exchange *x, const struct house *house)
{
    struct err err = {0};
    struct str text;
    struct buf b;

    buf_init(&b, http_arena(x), READY_BYTES_MAX);
    buf_str(&b, STR("ready\n"));
    (void)bases_damaged(house->bases, put_damage, &b);
    return buf_finish(&b, &text, &err) ? text : STR("ready\nbut knowledge bases are damaged\n");
}

void observe_readiness(struct http_exchange *x, struct house *house)
{
    struct err err = {0};
    struct str type = STR("text/plain; charset=utf-8");

    if (!takes_requests(house, &err))
        answer(x, 503, type, arena_fmt(http_arena(x), "not ready: %s\n", err.text));
    else if (store_stats(house->store).away)
        answer(x, 200, type,
               STR("ready, but the database is away: keys that are known work, changes do not\n"));
    else
        answer(x, 200, type, ready_text(x, house));
}
