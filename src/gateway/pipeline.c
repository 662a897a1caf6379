/* The way of a question through the house. Read the tables first. */
#include "base/log.h"
#include "cache/cache.h"
#include "gateway/gateway_internal.h"
#include "gateway/telemetry.h"
#include "gateway/traces.h"
#include "models/dialect.h"
#include "sys/clock.h"
#include "sys/fiber.h"

#define ERROR_EVENT_MAX 2048

struct step {
    const char *name; /* span */
    SUSPENDS bool (*run)(struct request *req, struct err *err);
    bool (*applies)(
        const struct request *req); /* NULL: always; else the step is left out, and its span */
};

static SUSPENDS bool call_unless_known(struct request *req, struct err *err)
{
    return req->answer || call_model(req, err);
}

/* Without a cache who wants a kept answer or none still gets none. */
static bool may_be_cached(const struct request *req)
{
    return req->config->cache.cache || req->chat.weir || request_cache_control(req).len;
}

static bool joins_another(const struct request *req)
{
    return cache_part(req->ticket) == CACHE_JOINS;
}

static bool leads_others(const struct request *req)
{
    return cache_part(req->ticket) == CACHE_LEADS;
}

static const struct step chat_steps[] = {
    {"authenticate", authenticate},              /* key -> principal */
    {"parse", parse_body},                       /* body -> what must be known of it */
    {"subject", name_subject, may_have_subject}, /* whom it is asked for, what is kept of it */
    {"route", choose_route},                     /* name -> model, or who in the house answers it */
    {"look_up", look_up_answer, may_be_cached},  /* what is kept, or being asked just now */
    {"budget", hold_budget},              /* set the worst case aside before anything costs money */
    {"join", join_answer, joins_another}, /* wait for whoever asks the same */
    {"call", call_unless_known},          /* opens the answer */
    {"keep", keep_answer, leads_others},  /* into the cache, and to those who joined */
    {"deliver", deliver_answer},          /* pull loop: next bytes, send; records before the last */
};

static const struct step list_steps[] = {
    {"authenticate", authenticate},
    {"list", list_models}, /* the answer is made here */
    {"deliver", deliver_answer},
};

/* How many tokens a question has: nothing is asked, nothing costs. */
static const struct step count_steps[] = {
    {"authenticate", authenticate}, {"parse", parse_body},       {"route", choose_route},
    {"count", count_gemini},        {"deliver", deliver_answer},
};

static const struct step message_count_steps[] = {
    {"authenticate", authenticate}, {"parse", parse_body},       {"route", choose_route},
    {"count", count_message},       {"deliver", deliver_answer},
};

static const struct step kept_steps[] = {
    {"authenticate", authenticate},
    {"kept", serve_kept}, /* the answer is one that was given before, or what was asked of it */
    {"deliver", deliver_answer},
};

/* From inside the house: who and model are given, and who asks pulls the answer (ask.c). */
static const struct step ask_steps[] = {
    {"parse", parse_body},
    {"subject", name_subject, may_have_subject},
    {"budget", hold_budget},
    {"call", call_model},
};

static SUSPENDS bool run_steps(struct request *req, const struct step *steps, size_t count,
                               struct err *err)
{
    struct span *span CLEANUP(span_end) = NULL;

    for (size_t i = 0; i < count; i++) {
        if (steps[i].applies && !steps[i].applies(req))
            continue;
        span_turn(&span, req->trace, steps[i].name);
        if (!fiber_still_wanted(err) || !steps[i].run(req, err))
            return false;
    }
    return true;
}

bool pipeline_ask(struct request *req, struct err *err)
{
    return run_steps(req, ask_steps, ARRAY_LEN(ask_steps), err);
}

static void write_failure(struct request *req, struct buf *event, const struct err *err)
{
    struct said_writer writer = {.arena = req->arena, .asked = req->conversation, .streamed = true};
    struct err lost = {0};

    if (req->answer->tell_failure)
        req->answer->tell_failure(req->answer, event, err);
    else if (!req->conversation || req->dialect->writer_init(&writer, &lost))
        req->dialect->write_stream_error(&writer, event, err);
}

/* An answer that has begun cannot become an error reply: say so in the stream, where the dialect can,
 * and close without its end, so that nobody takes it for whole. */
static NOINLINE SUSPENDS void break_off(struct request *req, const struct err *err)
{
    char memory[ERROR_EVENT_MAX];
    struct err lost = {0};
    struct buf event;

    buf_init_fixed(&event, memory, sizeof memory);
    if (err->code != ERR_CANCELLED && req->answer && req->answer->streaming &&
        !req->answer->meter.failed) { /* failed: the provider's own error event went out */
        write_failure(req, &event, err);
        if (buf_ok(&event) && http_piece(req->http, buf_view(&event), &lost))
            req->sent_bytes += event.len;
    }
    http_abort(req->http);
}

/* Who waits for this request's answer has a time of his own, and asks for himself. */
static SUSPENDS void leave_others(struct request *req, const struct err *why)
{
    const struct err gone = {.code = ERR_CANCELLED};

    cache_leave(req->ticket, req->overdue ? &gone : why);
}

/* Others may still read what this request asked for: its price is known at the end. Its own client does not wait for
 * that. */
static SUSPENDS bool end_for_client(struct request *req, const struct err *why)
{
    bool leads = cache_part(req->ticket) == CACHE_LEADS;

    if (leads && req->head_sent)
        break_off(req, why);
    if (leads && (req->head_sent || why->code == ERR_CANCELLED))
        leave_others(req, why);
    return leads && req->head_sent;
}

static NOINLINE SUSPENDS void tell_failure(struct request *req, const struct err *why)
{
    bool is_told = end_for_client(req, why);
    struct err err = {0};

    if (!req->head_sent)
        req->status = req->problem_status ? req->problem_status : err_http_status(why->code);
    if (!req->recorded && !request_record(req, why, 0, &err))
        request_unrecorded(req, &err);
    if (why->code == ERR_INTERNAL)
        log_line(LOG_ERROR, req->id, "%s", why->text);
    if (is_told)
        return;
    if (req->head_sent)
        break_off(req, why);
    else if (why->code == ERR_CANCELLED)
        http_abort(req->http);
    else
        reply_error(req, why);
}

/* The answer ends first: what was asked of providers is over then, and its spans are. */
void request_trace_end(struct request *req, const struct err *why)
{
    struct summary summary;

    summary_make(&summary, req, why);
    answer_end(&req->answer);
    traces_keep(req->gateway->traces, &summary, req->config->telemetry.slow);
    telemetry_end(req->gateway->telemetry, &summary);
}

/* 429 is for limits that the client can keep; that the house has no memory or no file left is 503, in
 * every dialect's words, in metrics and in the record. */
void blame_the_house(struct err *err)
{
    if (err->code == ERR_EXHAUSTED && err->sys)
        err->code = ERR_UNAVAILABLE;
}

/* Every path ends here, once. */
static NOINLINE SUSPENDS void finish(struct request *req, const struct err *err)
{
    if (err->code)
        tell_failure(req, err);
    metrics_end(req, err);
    request_log(req, err);
    leave_others(req, err);
    request_trace_end(req, err);
    fiber_carry(NULL);
    principal_release(&req->who);
    snapshot_release(&req->config_held);
}

/* An end that came from outside the steps, with the reason that the client understands. */
static void explain_end(struct request *req, const struct scope *limit, struct err *err)
{
    req->overdue = limit->over == ERR_TIMEOUT;
    if (req->overdue)
        err_set(err, ERR_TIMEOUT, "the request was not done after %" PRId64 " ms (request_timeout)",
                req->config->request_timeout / MILLISECOND);
    else if (limit->over == ERR_CANCELLED && http_is_cut(req->http) &&
             !scope_is_over(http_scope(req->http)))
        err_set(err, ERR_UNAVAILABLE, "Weir is stopping and could not wait for the answer's end");
}

static SUSPENDS void take_through(struct request *req, const struct step *steps, size_t count)
{
    dur_ns most = req->config->request_timeout;
    struct err err = {0};
    struct scope limit;

    fiber_carry(req->trace);
    scope_open(&limit, most > 0 ? req->started + most : 0);
    http_work(req->http, &limit);
    if (!run_steps(req, steps, count, &err))
        explain_end(req, &limit, &err);
    blame_the_house(&err);
    http_work(req->http, NULL);
    scope_close(&limit);
    finish(req, &err);
}

/* ---- entry ---- */

/* Where clients of the various dialects show their key. */
static struct str shown_key(const struct http_head *head)
{
    struct str value = http_field(&head->fields, STR("authorization"));

    if (value.ptr && str_eq_nocase(str_slice(value, 0, 7), STR("Bearer ")))
        return str_trim(str_slice(value, 7, value.len));
    if (value.ptr)
        return value; /* another scheme: refused as a key of the wrong form */
    value = http_field(&head->fields, STR("x-api-key"));
    if (!value.ptr)
        value = http_field(&head->fields, STR("x-goog-api-key"));
    return value.ptr ? value : http_field(&head->fields, STR("api-key"));
}

/* entry: also of what is refused, as a client reads errors in its own dialect; NULL: nobody's. */
static void begin(struct request *req, struct http_exchange *x, struct gateway *gateway,
                  const struct gateway_entry *entry, struct str label, struct str route)
{
    *req = (struct request){.magic = REQUEST_MAGIC,
                            .id = http_request_id(x),
                            .arena = http_arena(x),
                            .gateway = gateway,
                            .http = x,
                            .dialect = entry ? entry->dialect : &dialect_openai,
                            .route = route,
                            .label = label,
                            .token = shown_key(http_head(x)),
                            .started = http_started(x)};
    req->config = snapshot_borrow(gateway->config, &req->config_held);
    ASSERT(req->config); /* published before the first listener opens */
    req->links = gateway_links(req->config, x);
    req->trace = trace_new(req->arena, req->id);
    telemetry_begin(req);
    metrics_begin(req);
}

void gateway_serve(struct http_exchange *x, struct gateway *gateway)
{
    const struct gateway_entry *entry = gateway_entry_find(http_head(x)->path);
    struct request req;

    ASSERT(entry); /* app/routes.c sends only what has a row */
    begin(&req, x, gateway, entry, entry->label, entry->route);
    req.entry = entry;
    if (is_gemini_count(&req))
        take_through(&req, count_steps, ARRAY_LEN(count_steps));
    else if (is_message_count(&req))
        take_through(&req, message_count_steps, ARRAY_LEN(message_count_steps));
    else
        take_through(&req, chat_steps, ARRAY_LEN(chat_steps));
}

void gateway_responses(struct http_exchange *x, struct gateway *gateway)
{
    struct request req;

    begin(&req, x, gateway, gateway_entry_find(http_head(x)->path), STR("responses"),
          STR("/v1/responses/*"));
    take_through(&req, kept_steps, ARRAY_LEN(kept_steps));
}

void gateway_models(struct http_exchange *x, struct gateway *gateway)
{
    struct request req;

    begin(&req, x, gateway, gateway_entry_find(http_head(x)->path), STR("models"),
          STR("GET /v1/models"));
    if (req.dialect == &dialect_openai &&
        http_field(&http_head(x)->fields, STR("anthropic-version")).ptr)
        req.dialect = &dialect_anthropic; /* which has the same path */
    take_through(&req, list_steps, ARRAY_LEN(list_steps));
}

void gateway_refuse(struct http_exchange *x, struct gateway *gateway, int status,
                    const struct err *err)
{
    struct err unknown = {0}, lost = {0};
    struct request req;

    begin(&req, x, gateway, gateway_entry_find(http_head(x)->path), STR("refused"), STR("refused"));
    req.status = req.problem_status = status;
    if (req.token.ptr && authenticate(&req, &unknown) && !request_record(&req, err, 0, &lost))
        request_unrecorded(&req, &lost);
    req.recorded = true; /* who shows no key leaves no record */
    finish(&req, err);
}
