/* What is counted of requests. Finding a series costs a hash of its labels, so each loop keeps the
 * series of the models it has seen; their number is bounded by the catalogue, not by clients: a name
 * that is no model is "_unknown". */
#include "gateway/metrics.h"

#include "base/metrics.h"
#include "gateway/gateway_internal.h"
#include "gateway/telemetry.h"
#include "models/upstream.h"
#include "sys/clock.h"
#include "sys/fiber.h"
#include "sys/loop.h"

#define CACHE_MEMORY (512 * KIB)
#define CACHE_MODELS 1000
#define STEPS_MAX    24

enum row {
    REQUESTS,
    DURATION,
    FIRST_BYTE,
    TOKENS,
    TOKENS_PARTS,
    COST,
    EVENTS,
    IN_FLIGHT,
    UPSTREAM_ERRORS,
    ATTEMPTS,
    COST_APART,
    FIRST_TOKEN,
    PER_TOKEN,
    GAP_MAX,
    STEP_TIME,
    PROMPTS_CUT,
    ROWS,
};

static int slot; /* plus one, of struct loop_series in each loop; 0: not registered */

static struct metric rows[ROWS] = {
    [REQUESTS] = {"weir_requests",
                  METRIC_COUNTER,
                  "",
                  "requests by the status they were answered with",
                  {"route", "model", "status"}},
    [DURATION] = {"weir_request_duration_seconds",
                  METRIC_HISTOGRAM,
                  "seconds",
                  "from the head of a request to the last byte of its answer",
                  {"route", "model"}},
    [FIRST_BYTE] = {"weir_time_to_first_byte_seconds",
                    METRIC_HISTOGRAM,
                    "seconds",
                    "from the head of a request to the first byte of its answer",
                    {"model"}},
    [TOKENS] =
        {"weir_tokens", METRIC_COUNTER, "", "tokens that were paid for", {"model", "direction"}},
    [TOKENS_PARTS] = {"weir_tokens_parts",
                      METRIC_COUNTER,
                      "",
                      "of weir_tokens: cached and cache_write (in), reasoning (out), audio (both)",
                      {"model", "part"}},
    [COST] = {"weir_cost_micro_usd",
              METRIC_COUNTER,
              "",
              "what keys were charged, in micro-dollars, by who was asked",
              {"model"}},
    [EVENTS] = {"weir_stream_events",
                METRIC_COUNTER,
                "",
                "events of streams that were relayed",
                {"model"}},
    [IN_FLIGHT] = {"weir_in_flight", METRIC_GAUGE, "", "requests in progress", {NULL}},
    [UPSTREAM_ERRORS] = {"weir_upstream_errors",
                         METRIC_COUNTER,
                         "",
                         "answers that a provider failed to give, also where another gave one in "
                         "its place; 4xx: refused, mostly for what the client asked",
                         {"provider", "kind"}},
    [FIRST_TOKEN] = {"weir_time_to_first_token_seconds",
                     METRIC_HISTOGRAM,
                     "seconds",
                     "from the head of a request to the first text of a streamed answer",
                     {"model"}},
    [PER_TOKEN] = {"weir_time_per_output_token_seconds",
                   METRIC_HISTOGRAM,
                   "seconds",
                   "of a stream, from its first text to its end, for each token behind the first",
                   {"model"}},
    [GAP_MAX] = {"weir_stream_gap_max_seconds",
                 METRIC_HISTOGRAM,
                 "seconds",
                 "the longest time between two pieces of a stream, one for each stream",
                 {"model"}},
    [STEP_TIME] = {"weir_step_duration_seconds",
                   METRIC_HISTOGRAM,
                   "seconds",
                   "of each step of the pipeline",
                   {"step"}},
    [ATTEMPTS] = {"weir_attempts",
                  METRIC_COUNTER,
                  "",
                  "questions asked of providers, by how they ended",
                  {"model", "outcome"}},
    [COST_APART] = {"weir_cost_apart_micro_usd",
                    METRIC_COUNTER,
                    "",
                    "of what keys were charged, what attempts cost that came to nothing",
                    {"model", "outcome"}},
    [PROMPTS_CUT] = {"weir_prompts_cut",
                     METRIC_COUNTER,
                     "",
                     "prompts that a provider shortened to its window without saying so",
                     {"model"}},
};

/* Of one model, on one loop. */
struct model_series {
    struct series *ok, *duration; /* of chat completions answered with 200 */
    struct series *first_token, *per_token, *gap_max;
    struct series *first_byte, *tokens_in, *tokens_out, *cost, *events;
    struct series *answered; /* attempts that did */
};

struct loop_series {
    struct arena *arena; /* holds this struct, the names and the series' places */
    struct table models;
    struct series *in_flight;
    struct {
        const char *name; /* a literal: compared by where it stands */
        struct series *series;
    } steps[STEPS_MAX];
};

static void loop_series_free(void *value)
{
    struct arena *arena = value ? ((struct loop_series *)value)->arena : NULL;

    arena_end(&arena);
}

void gateway_metrics_register(void)
{
    metrics_register(rows, ROWS);
    upstream_register();
    telemetry_register();
    slot = loop_slot_new(loop_series_free) + 1;
}

static struct series *find(enum row row, struct str a, struct str b, struct str c)
{
    return metrics_series(&rows[row], (const struct str[]){a, b, c});
}

static void find_all(struct model_series *s, struct str model)
{
    s->ok = find(REQUESTS, STR("chat"), model, STR("200"));
    s->duration = find(DURATION, STR("chat"), model, STR_NONE);
    s->first_token = find(FIRST_TOKEN, model, STR_NONE, STR_NONE);
    s->per_token = find(PER_TOKEN, model, STR_NONE, STR_NONE);
    s->gap_max = find(GAP_MAX, model, STR_NONE, STR_NONE);
    s->first_byte = find(FIRST_BYTE, model, STR_NONE, STR_NONE);
    s->tokens_in = find(TOKENS, model, STR("in"), STR_NONE);
    s->tokens_out = find(TOKENS, model, STR("out"), STR_NONE);
    s->cost = find(COST, model, STR_NONE, STR_NONE);
    s->events = find(EVENTS, model, STR_NONE, STR_NONE);
    s->answered = find(ATTEMPTS, model, STR("answered"), STR_NONE);
}

/* NULL when there is no memory for a cache: then series are looked up each time. */
static struct loop_series *this_loop(void)
{
    struct loop_series *own;
    struct arena *arena;

    ASSERT(slot); /* gateway_metrics_register() comes first */
    own = loop_slot(slot - 1);
    if (own)
        return own;
    arena = arena_new(CACHE_MEMORY);
    own = arena ? arena_alloc(arena, sizeof *own) : NULL;
    if (!own) {
        arena_end(&arena);
        return NULL;
    }
    own->arena = arena;
    own->in_flight = find(IN_FLIGHT, STR_NONE, STR_NONE, STR_NONE);
    table_init(&own->models, arena, CACHE_MODELS);
    loop_slot_set(slot - 1, own);
    return own;
}

/* The series of a model: from the cache, else found anew into *memory. */
static struct model_series *series_of(struct str model, struct model_series *memory)
{
    struct loop_series *own = this_loop();
    struct model_series *s = own ? table_get(&own->models, model) : NULL;
    struct str name;

    if (s)
        return s;
    find_all(memory, model);
    if (!own)
        return memory;
    s = arena_alloc(own->arena, sizeof *s);
    name = arena_str(own->arena, model);
    if (!s || !name.ptr || !table_put(&own->models, name, s, NULL))
        return memory;
    *s = *memory;
    return s;
}

static void shift_in_flight(int64_t by)
{
    struct loop_series *own = this_loop();

    series_shift(own ? own->in_flight : find(IN_FLIGHT, STR_NONE, STR_NONE, STR_NONE), by);
}

void metrics_begin(const struct request *req)
{
    if (req->http)
        shift_in_flight(1);
}

/* A request whose spans are exported is the bucket's example: from a slow bucket there is a way to its trace. */
static void observe(const struct request *req, struct series *s, dur_ns value)
{
    const struct trace_context *context = trace_joined(req->trace);

    if (UNLIKELY(context && context->recorded))
        series_observe_traced(s, value, context->trace_id, clock_wall());
    else
        series_observe(s, value);
}

static void count_request(const struct request *req, const struct model_series *s, struct str route,
                          struct str model)
{
    bool is_usual = req->status == 200 && str_eq(route, STR("chat"));
    dur_ns took = fiber_now() - req->started;
    char memory[16];
    struct buf status;

    if (is_usual) {
        series_add(s->ok, 1);
        observe(req, s->duration, took);
        return;
    }
    buf_init_fixed(&status, memory, sizeof memory);
    buf_i64(&status, req->status);
    series_add(find(REQUESTS, route, model, buf_view(&status)), 1);
    observe(req, find(DURATION, route, model, STR_NONE), took);
}

/* Few requests have any: their series are looked up when there is something to count. */
static void count_parts(const struct request *req, struct str model)
{
    const struct usage *u = &req->usage;
    const struct {
        struct str name;
        int64_t count;
    } parts[] = {
        {STR("cached"), u->tokens_cached},
        {STR("cache_write"),
         MAX_OF(u->tokens_cache_write, 0) + MAX_OF(u->tokens_cache_write_long, 0)},
        {STR("reasoning"), u->tokens_reasoning},
        {STR("audio"), MAX_OF(u->tokens_audio_in, 0) + MAX_OF(u->tokens_audio_out, 0)},
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].count > 0)
            series_add(find(TOKENS_PARTS, model, parts[i].name, STR_NONE),
                       (uint64_t)parts[i].count);
}

static bool has_used_tokens(const struct request *req)
{
    return !request_is_cached(req) && !req->paid_inside;
}

static void count_tokens(const struct request *req, const struct model_series *s)
{
    usd_micro apart = req->attempts ? req->attempts->cost_apart : 0;

    if (req->usage.tokens_in > 0 && has_used_tokens(req))
        series_add(s->tokens_in, (uint64_t)req->usage.tokens_in);
    if (req->usage.tokens_out > 0 && has_used_tokens(req))
        series_add(s->tokens_out, (uint64_t)req->usage.tokens_out);
    if (req->cost > apart) /* attempts' own: count_attempts() */
        series_add(s->cost, (uint64_t)(req->cost - apart));
    if (req->answer && req->answer->meter.events)
        series_add(s->events, req->answer->meter.events);
    if (req->first_byte)
        observe(req, s->first_byte, req->first_byte);
}

/* How a stream felt to who read it. */
static void count_pace(const struct request *req, const struct model_series *s)
{
    dur_ns took = fiber_now() - req->started;

    if (!req->answer || !req->answer->streaming || !req->first_token)
        return;
    observe(req, s->first_token, req->first_token);
    observe(req, s->gap_max, req->gap_max);
    if (req->usage.tokens_out > 1)
        series_observe(s->per_token, (took - req->first_token) / (req->usage.tokens_out - 1));
}

/* from: where to look first, as steps mostly come in the order they came in before. */
static struct series *step_series(struct loop_series *own, const char *name, size_t *from)
{
    struct str label;

    for (size_t i = 0; own && i < STEPS_MAX; i++) {
        size_t at = (*from + i) % STEPS_MAX;

        if (own->steps[at].name != name)
            continue;
        *from = at + 1;
        return own->steps[at].series;
    }
    label = str_from(name);
    struct series *found = metrics_series(&rows[STEP_TIME], &label);
    for (size_t i = 0; own && i < STEPS_MAX; i++)
        if (!own->steps[i].name) {
            own->steps[i].series = found;
            own->steps[i].name = name;
            break;
        }
    return found;
}

static void count_steps(const struct request *req)
{
    struct loop_series *own = this_loop();
    size_t from = 0;
    uint64_t root = trace_root_span(req->trace);
    const struct trace_entry *e;

    for (uint32_t at = 0, run; (e = trace_run(req->trace, at, &run)); at += run)
        for (const struct trace_entry *end = e + run; e < end; e++)
            if (e->dur >= 0 && !e->leaf && e->parent == root)
                series_observe(step_series(own, e->name, &from), e->dur);
}

static struct str kind_of_failure(const struct request *req, const struct err *why)
{
    if (why->code == ERR_UNAVAILABLE || why->code == ERR_TIMEOUT)
        return req->answer ? STR("cut") : str_from(err_code_name(why->code));
    if (!req->answer || req->answer->status < 400)
        return STR_NONE;
    if (req->answer->status == 429)
        return STR("429");
    return req->answer->status < 500 ? STR("4xx") : STR("5xx");
}

/* Also of one for whom another answered in the end. */
static struct str kind_of_attempt(const struct attempt *at)
{
    switch (at->end) {
    case ATTEMPT_REFUSED:
        return at->status ? STR("4xx") : at->is_ours ? STR("unavailable") : STR_NONE;
    case ATTEMPT_LIMITED: return STR("429");
    case ATTEMPT_FAILED: return at->status >= 500 ? STR("5xx") : STR("unavailable");
    case ATTEMPT_LATE: return STR("timeout");
    case ATTEMPT_EMPTY: return STR("empty");
    case ATTEMPT_CUT: return STR("cut");
    case ATTEMPT_ANSWERED:
    case ATTEMPT_LOST:
    case ATTEMPT_LEFT: break;
    }
    return STR_NONE;
}

static void count_failure(const struct model *model, struct str kind)
{
    if (kind.len)
        series_add(find(UPSTREAM_ERRORS, model->provider->name, kind, STR_NONE), 1);
}

static void count_attempts(const struct request *req, const struct model_series *s)
{
    for (uint32_t i = 0; req->attempts && i < req->attempts->count; i++) {
        const struct attempt *at = &req->attempts->at[i];
        struct str end = str_from(attempt_end_name(at->end));

        if (at->end == ATTEMPT_ANSWERED && at->model == req->model)
            series_add(s->answered, 1);
        else
            series_add(find(ATTEMPTS, at->model->name, end, STR_NONE), 1);
        count_failure(at->model, kind_of_attempt(at));
        if (at->cost <= 0)
            continue;
        series_add(find(COST, at->model->name, STR_NONE, STR_NONE), (uint64_t)at->cost);
        series_add(find(COST_APART, at->model->name, end, STR_NONE), (uint64_t)at->cost);
    }
}

void metrics_end(const struct request *req, const struct err *why)
{
    struct str model = req->model ? req->model->name : STR("_unknown");
    bool has_attempts = req->attempts && req->attempts->count;
    struct model_series memory, *s = series_of(model, &memory);

    count_request(req, s, req->label, model);
    count_tokens(req, s);
    if (has_used_tokens(req))
        count_parts(req, model);
    count_pace(req, s);
    count_steps(req);
    count_attempts(req, s);
    if (req->prompt_cut)
        series_add(find(PROMPTS_CUT, model, STR_NONE, STR_NONE), 1);
    if (req->asked && !has_attempts)
        count_failure(req->model, kind_of_failure(req, why));
    if (req->http)
        shift_in_flight(-1);
}
