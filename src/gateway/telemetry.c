#include "gateway/telemetry.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/pages.h"
#include "gateway/gateway_internal.h"
#include "sys/clock.h"
#include "sys/mutex.h"

#define OWN_MEMORY           (64 * KIB)
#define LOOK_EVERY           (100 * MILLISECOND)
#define TRIES                4
#define PAUSE_FIRST          SECOND
#define PAUSE_MOST           (30 * SECOND)
#define REPLY_MAX            (64 * KIB)
#define FLUSH_TIME           (2 * SECOND)
#define WARN_EVERY           (60 * SECOND)
#define TRACESTATE_BYTES_MAX 512 /* W3C: at least so much is passed on */
#define TRACES_PATH          "/v1/traces"

enum { SPANS, EXPORTS, QUEUED };

static struct metric rows[] = {
    [SPANS] =
        {"weir_telemetry_spans",
         METRIC_COUNTER,
         "",
         "spans by what became of them: exported, dropped (queue full or too large), lost (the "
         "collector could not be reached), rejected by it, missing (of requests with more than a "
         "trace has room for)",
         {"outcome", NULL},
         0},
    [EXPORTS] = {"weir_telemetry_exports",
                 METRIC_COUNTER,
                 "",
                 "batches sent to the collector, tries that failed counted apart",
                 {"outcome", NULL},
                 0},
    [QUEUED] =
        {"weir_telemetry_queue", METRIC_GAUGE, "bytes", "spans that wait to be sent", {NULL}, 0},
};

void telemetry_register(void)
{
    metrics_register(rows, ARRAY_LEN(rows));
}

static void count(int row, struct str outcome, uint64_t n)
{
    if (n > 0 && rows[row].id)
        series_add(metrics_series(&rows[row], &outcome), n);
}

/* Before they are needed: what is dropped for want of memory must still be counted. */
static void make_series(void)
{
    static const char *const outcomes[] = {"exported", "dropped", "lost", "rejected", "missing"};

    for (size_t i = 0; i < ARRAY_LEN(outcomes) && rows[SPANS].id; i++) {
        struct str outcome = str_from(outcomes[i]);

        series_add(metrics_series(&rows[SPANS], &outcome), 0);
    }
}

/* Spans gather in one half of the queue while the other is sent. A block of its own each, so that a power of two takes
 * no more than it says. */
struct half {
    char *memory;
    size_t bytes; /* of the block */
    size_t len;
    uint32_t spans;
};

static_assert(TELEMETRY_QUEUE_MAX / 2 <= PAGE_BYTES_MAX, "a half is one block");

struct telemetry {
    struct arena *arena; /* holds this struct */
    struct telemetry_options options;
    char *header; /* value of options.header: wiped at the end; NULL: none is sent */
    size_t header_len;
    struct http_url url;
    struct http_trust trust;
    bool on, trusts;
    size_t half_bytes;
    struct mutex lock;     /* guards: */
    struct half gathering; /* */
    struct half sending;   /* the sender's alone */
    bool busy;             /* a batch is on its way; of loop 0 */
    mono_ns warned;
    uint64_t lost; /* spans, since the collector last took any */
};

/* ---- open and close ---- */

static bool write_header(struct telemetry *t, struct err *err)
{
    struct str secret = secret_reveal(t->options.secret), scheme = t->options.scheme;
    struct buf b;

    if (secret.len == 0)
        return true;
    t->header_len = scheme.len + (scheme.len > 0) + secret.len;
    t->header = arena_alloc_raw(t->arena, t->header_len);
    if (!t->header)
        return err_arena(err, t->arena);
    buf_init_fixed(&b, t->header, t->header_len);
    buf_str(&b, scheme);
    if (scheme.len > 0)
        buf_char(&b, ' ');
    buf_str(&b, secret);
    return true;
}

static bool open_endpoint(struct telemetry *t, struct err *err)
{
    struct str endpoint = t->options.endpoint, ca_file = t->options.ca_file;

    if (!http_url_parse(endpoint, &t->url, err))
        return err_wrap(err, "telemetry.endpoint");
    if (!str_ends(t->url.path, STR(TRACES_PATH)))
        t->url.path = arena_fmt(t->arena, STR_FMT TRACES_PATH, STR_ARG(t->url.path));
    if (!t->url.path.ptr)
        return err_arena(err, t->arena);
    t->trusts = ca_file.len > 0;
    if (t->trusts && !http_trust_read(ca_file.ptr, &t->trust, err))
        return err_wrap(err, "telemetry.ca_file");
    t->gathering.memory = pages_take(t->half_bytes, &t->gathering.bytes);
    t->sending.memory = pages_take(t->half_bytes, &t->sending.bytes);
    if (!t->gathering.memory || !t->sending.memory)
        return err_no_room(err, "no memory for telemetry.queue");
    return write_header(t, err);
}

bool telemetry_open(const struct telemetry_options *options, struct telemetry **out,
                    struct err *err)
{
    bool on = options->endpoint.len > 0;
    struct arena *arena = arena_new(OWN_MEMORY);
    struct telemetry *t = arena ? arena_alloc(arena, sizeof *t) : NULL;

    if (!t) {
        arena_end(&arena);
        return err_no_room(err, "no memory for telemetry");
    }
    t->arena = arena;
    t->options = *options;
    t->on = on;
    t->half_bytes = options->queue_bytes / 2;
    mutex_init(&t->lock);
    if (on && !open_endpoint(t, err)) {
        telemetry_close(&t);
        return false;
    }
    if (on)
        make_series();
    *out = t;
    return true;
}

void telemetry_close(struct telemetry **at)
{
    struct telemetry *t = *at;

    if (!t)
        return;
    count(SPANS, STR("lost"), t->gathering.spans);
    if (t->gathering.spans > 0)
        log_warn("telemetry: %" PRIu32 " spans still waited when Weir stopped, and are lost",
                 t->gathering.spans);
    if (t->header)
        bytes_wipe(t->header, t->header_len);
    if (t->gathering.memory)
        pages_give(t->gathering.memory, t->gathering.bytes);
    if (t->sending.memory)
        pages_give(t->sending.memory, t->sending.bytes);
    mutex_done(&t->lock);
    struct arena *arena = t->arena;
    arena_end(&arena);
    *at = NULL;
}

bool telemetry_is_on(const struct telemetry *t)
{
    return t && t->on;
}

/* ---- sampling ---- */

static uint64_t mix(uint64_t n)
{
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

static void new_trace_id(const struct request *req, struct trace_context *out)
{
    uint64_t halves[2] = {mix(req->id ^ req->gateway->trace_seed),
                          mix(req->id + req->gateway->trace_seed) | 1};

    memcpy(out->trace_id, halves, sizeof out->trace_id);
    out->parent = 0;
}

/* The last 56 bits of the id against the share: W3C Trace Context 2, "random trace id". */
static bool is_in_share(const uint8_t trace_id[16], int64_t share_millionths)
{
    uint64_t n = 0;

    for (size_t i = 9; i < 16; i++)
        n = n << 8 | trace_id[i];
    return n / ((UINT64_C(1) << 56) / 1000000 + 1) < (uint64_t)share_millionths;
}

/* What several services say to each other, and none of our business: whole, or not at all. */
static struct str read_state(const struct request *req)
{
    struct str state = http_field(&http_head(req->http)->fields, STR("tracestate"));

    if (state.len <= TRACESTATE_BYTES_MAX)
        return state.len ? arena_str(req->arena, state) : STR_NONE;
    trace_event(req->trace, "tracestate.left_out", "bytes=%zu", state.len);
    return STR_NONE;
}

void telemetry_begin(struct request *req)
{
    const struct telemetry_config *config = &req->config->telemetry;
    struct str field = http_field(&http_head(req->http)->fields, STR("traceparent"));
    struct trace_context context = {0};
    bool on = telemetry_is_on(req->gateway->telemetry);
    bool given = field.ptr && trace_context_parse(field, &context);

    if (!given && !on)
        return;
    if (!given)
        new_trace_id(req, &context);
    else
        context.state = read_state(req);
    context.told = config->propagate;
    context.recorded = on && (given && config->follow_parent
                                  ? context.sampled
                                  : is_in_share(context.trace_id, config->sample_millionths));
    if (on || !given)
        context.sampled = context.recorded;
    trace_join(req->trace, &context);
}

void telemetry_begin_inside(struct request *req, const struct request *parent)
{
    const struct trace_context *outer = trace_joined(parent->trace);

    if (!outer)
        return;
    struct trace_context context = *outer;
    if (outer->recorded)
        context.parent = trace_inner_span(parent->trace);
    trace_join(req->trace, &context);
}

/* ---- the queue ---- */

static bool take_in(struct telemetry *t, struct str spans, uint32_t span_count)
{
    mutex_lock(&t->lock);
    bool fits = t->gathering.len + spans.len <= t->half_bytes;
    if (fits) {
        memcpy(t->gathering.memory + t->gathering.len, spans.ptr, spans.len);
        t->gathering.len += spans.len;
        t->gathering.spans += span_count;
    }
    mutex_unlock(&t->lock);
    return fits;
}

static uint32_t count_spans(const struct trace *trace)
{
    uint32_t count = 1; /* the request's own */

    for (uint32_t i = 0; i < trace_count(trace); i++)
        count += trace_entry(trace, i)->dur >= 0;
    return count;
}

void telemetry_end(struct telemetry *t, const struct summary *s)
{
    const struct trace_context *context = trace_joined(s->trace);
    struct arena *arena CLEANUP(arena_end) = NULL;
    uint32_t span_count = 0;
    struct buf spans;

    if (!telemetry_is_on(t) || !context || !context->recorded)
        return;
    count(SPANS, STR("missing"), trace_dropped_spans(s->trace));
    arena = arena_new(2 * OTLP_REQUEST_BYTES_MAX);
    if (!arena) {
        count(SPANS, STR("dropped"), count_spans(s->trace));
        return;
    }
    buf_init(&spans, arena, OTLP_REQUEST_BYTES_MAX);
    otlp_write_spans(&spans, s, &span_count);
    if (!buf_ok(&spans) || !take_in(t, buf_view(&spans), span_count))
        count(SPANS, STR("dropped"), span_count);
}

/* ---- sending ---- */

/* The collector's fault is told once a minute, not once a batch. */
static void warn(struct telemetry *t, const char *what, const char *why)
{
    if (t->warned && fiber_now() < t->warned + WARN_EVERY)
        return;
    t->warned = fiber_now();
    log_warn("telemetry: %s: %s", what, why);
}

enum sent { SENT, AGAIN, NEVER };

static enum sent read_reply(struct telemetry *t, struct http_call *call, dur_ns *pause,
                            struct err *err)
{
    const struct http_head *head = http_call_head(call);
    int status = head->status;
    uint64_t rejected = 0, seconds;
    struct str body, message;

    if (u64_parse(http_field(&head->fields, STR("retry-after")), &seconds))
        *pause = MIN_OF((dur_ns)MIN_OF(seconds, (uint64_t)60) * SECOND, PAUSE_MOST);
    if (!http_call_body(call, REPLY_MAX, &body, err))
        return status < 300 ? SENT : AGAIN;
    if (status == 429 || status == 502 || status == 503 || status == 504) {
        err_set(err, ERR_UNAVAILABLE, "it answered %d", status);
        return AGAIN;
    }
    if (status < 200 || status >= 300) {
        err_set(err, ERR_INVALID, "it answered %d%s%s" STR_FMT, status,
                status == 401 || status == 403 ? " (telemetry.header and header_value are what it "
                                                 "is shown)"
                                               : "",
                body.len ? ": " : "", STR_ARG(str_slice(body, 0, 100)));
        return NEVER;
    }
    if (otlp_read_rejected(body, &rejected, &message) && rejected > 0) {
        char text[200];
        struct buf b;

        buf_init_fixed(&b, text, sizeof text - 1);
        buf_str(&b, str_slice(message, 0, sizeof text - 1));
        text[b.len] = 0;
        rejected = MIN_OF(rejected, (uint64_t)t->sending.spans);
        t->sending.spans -= (uint32_t)rejected;
        count(SPANS, STR("rejected"), rejected);
        warn(t, "the collector rejected spans", text);
    }
    return SENT;
}

static SUSPENDS enum sent try_once(struct telemetry *t, dur_ns timeout, dur_ns *pause,
                                   struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct http_field fields[2] = {{STR("content-type"), STR("application/x-protobuf")}};
    struct str pieces[2] = {STR_NONE, {t->sending.memory, t->sending.len}};
    struct http_outgoing send = {.method = STR("POST"),
                                 .path = STR(""),
                                 .fields = fields,
                                 .field_count = 1,
                                 .body = pieces,
                                 .body_count = ARRAY_LEN(pieces),
                                 .trust = t->trusts ? &t->trust : NULL};
    struct buf frame;
    struct scope limit;

    if (!arena) {
        err_no_room(err, "no memory to send spans");
        return AGAIN;
    }
    buf_init(&frame, arena, 16 * KIB);
    otlp_write_frame(&frame, &t->options.resource, t->sending.len);
    if (!buf_finish(&frame, &pieces[0], err))
        return AGAIN;
    if (t->header)
        fields[send.field_count++] =
            (struct http_field){t->options.header, {t->header, t->header_len}};
    scope_open(&limit, fiber_now() + timeout);
    enum sent sent = AGAIN;
    if (http_call(arena, &t->url, &send, &call, err))
        sent = read_reply(t, call, pause, err);
    http_call_end(&call);
    scope_close(&limit);
    return sent;
}

static void swap_halves(struct telemetry *t)
{
    mutex_lock(&t->lock);
    struct half full = t->gathering;
    t->gathering = t->sending;
    t->gathering.len = 0;
    t->gathering.spans = 0;
    t->sending = full;
    mutex_unlock(&t->lock);
}

static void tell_sent(struct telemetry *t, enum sent sent, const struct err *why)
{
    char what[120];

    if (sent != SENT) {
        t->lost += t->sending.spans;
        snprintf(what, sizeof what,
                 "spans could not be sent to the collector and are lost (%" PRIu64
                 " since it last took any)",
                 t->lost);
        warn(t, what, why->text);
        return;
    }
    if (t->lost)
        log_info("telemetry: the collector takes spans again; %" PRIu64 " were lost", t->lost);
    t->lost = 0;
}

/* One batch, with patience; what cannot be sent is lost and counted. */
static SUSPENDS void send_batch(struct telemetry *t, int tries, dur_ns timeout)
{
    dur_ns pause = PAUSE_FIRST;
    enum sent sent = AGAIN;
    struct err why = {0}, over = {0};

    swap_halves(t);
    if (t->sending.len == 0)
        return;
    t->busy = true;
    for (int i = 0; i < tries && sent == AGAIN; i++) {
        if (i > 0 && !fiber_sleep(pause, &over))
            break;
        pause = MIN_OF(2 * pause, PAUSE_MOST);
        why = (struct err){0};
        sent = try_once(t, timeout, &pause, &why);
        count(EXPORTS, sent == SENT ? STR("sent") : STR("failed"), 1);
    }
    count(SPANS, sent == SENT ? STR("exported") : STR("lost"), t->sending.spans);
    tell_sent(t, sent, &why);
    t->sending.len = 0;
    t->busy = false;
}

static size_t waiting(struct telemetry *t)
{
    mutex_lock(&t->lock);
    size_t len = t->gathering.len;
    mutex_unlock(&t->lock);
    return len;
}

void telemetry_measure(struct telemetry *t)
{
    if (telemetry_is_on(t))
        series_set(metrics_series(&rows[QUEUED], NULL),
                   (int64_t)(waiting(t) + (t->busy ? t->sending.len : 0)));
}

void telemetry_loop(void *arg)
{
    struct telemetry *t = arg;
    mono_ns last = fiber_now();
    struct err err = {0};

    while (telemetry_is_on(t) && fiber_sleep(LOOK_EVERY, &err)) {
        size_t len = waiting(t);

        if (len == 0 || (len < t->options.batch_bytes && fiber_now() < last + t->options.interval))
            continue;
        last = fiber_now();
        send_batch(t, TRIES, t->options.timeout);
    }
}

void telemetry_flush(struct telemetry *t)
{
    mono_ns until = fiber_now() + FLUSH_TIME;
    struct err err = {0};

    if (!telemetry_is_on(t))
        return;
    while (t->busy && fiber_now() < until && fiber_sleep(LOOK_EVERY, &err)) {
    }
    if (!t->busy)
        send_batch(t, 1, MIN_OF(t->options.timeout, FLUSH_TIME));
}
