/* What is left of a request: money settled, one audit record, one log line. */
#include "base/log.h"
#include "base/utf8.h"
#include "gateway/gateway_internal.h"
#include "sys/clock.h"
#include "sys/fiber.h"

#define LOG_BYTES_MAX 3072

struct str request_model_shown(const struct request *req)
{
    struct str name = req->chat.model;

    if (name.len <= NAME_SHOWN_MAX)
        return name;
    return str_slice(name, 0, utf8_boundary(name, NAME_SHOWN_MAX));
}

static struct str outcome_of(const struct request *req, const struct err *why)
{
    if (why->code == ERR_NONE)
        return req->answer->status < 400 ? STR("complete") : STR("failed");
    if (why->code == ERR_CANCELLED)
        return STR("cancelled");
    if (req->head_sent)
        return STR("cut");
    /* The hold is open from the budget step on: before it the request was not taken. */
    return req->hold.open || why->code == ERR_INTERNAL ? STR("failed") : STR("refused");
}

/* Charged is what passed, also when the rest never came. A provider whose client leaves before the
 * answer has begun has read the prompt all the same; one that fails or is late is charged nothing. */
static void settle_usage(struct request *req, const struct err *why)
{
    req->usage = (struct usage){-1, -1, -1, -1, false};
    if (!req->hold.open)
        return;
    if (req->answer) {
        if (req->answer->status < 300)
            chat_meter_close(&req->answer->meter, req->chat.prompt_bytes);
        req->usage = req->answer->meter.usage;
    } else if (req->asked && why->code == ERR_CANCELLED) {
        req->usage.tokens_in = chat_estimate_tokens(req->chat.prompt_bytes);
        req->usage.estimated = true;
    }
    req->cost = price_of(req->model, &req->usage);
}

static struct str provider_name(const struct request *req)
{
    if (req->answer)
        return req->answer->provider;
    return req->model && req->model->provider ? req->model->provider->name : STR_NONE;
}

static struct str remote_name(const struct request *req)
{
    if (req->answer)
        return req->answer->remote_model;
    return req->model ? req->model->remote_name : STR_NONE;
}

bool request_record(struct request *req, const struct err *why, size_t last_bytes, struct err *err)
{
    struct audit_record record = {.time = clock_wall(),
                                  .request_id = req->id,
                                  .parent_id = req->parent_id,
                                  .route = req->route,
                                  .model = request_model_shown(req),
                                  .provider = provider_name(req),
                                  .remote_model = remote_name(req),
                                  .status = req->status,
                                  .streamed = req->answer && req->answer->streaming,
                                  .bytes_in = req->body.len,
                                  .bytes_out = req->sent_bytes + last_bytes,
                                  .took = fiber_now() - req->started};

    ASSERT(!req->recorded);
    req->outcome = outcome_of(req, why);
    settle_usage(req, why);
    if (req->who) {
        record.key_id = req->who->key_id;
        record.tenant = req->who->tenant;
    }
    record.outcome = req->outcome;
    record.error = why->code ? str_from(err_code_name(why->code)) : STR("");
    record.tokens_in = req->usage.tokens_in;
    record.tokens_out = req->usage.tokens_out;
    record.tokens_cached = req->usage.tokens_cached;
    record.tokens_estimated = req->usage.estimated;
    record.cost = req->cost;
    record.citations = req->answer ? req->answer->citations : 0;
    if (!accounts_record(req->gateway->accounts, &req->hold, &record, err))
        return err_wrap(err, "record the request");
    req->recorded = true;
    return true;
}

void request_unrecorded(struct request *req, const struct err *err)
{
    log_line(LOG_ERROR, req->id, "%s", err->text);
    hold_drop(req->gateway->accounts, &req->hold);
}

/* ---- the log line ---- */

static void put_str(struct json_writer *w, const char *key, struct str s)
{
    if (str_is_empty(s))
        return;
    jw_key(w, key);
    jw_str(w, s);
}

static void put_count(struct json_writer *w, const char *key, int64_t n)
{
    if (n < 0)
        return;
    jw_key(w, key);
    jw_i64(w, n);
}

/* Milliseconds with three decimals, without floating point. */
static void put_ms(struct json_writer *w, const char *key, dur_ns d)
{
    char memory[32];
    struct buf text;
    int64_t us = MAX_OF(d, 0) / MICROSECOND;

    buf_init_fixed(&text, memory, sizeof memory);
    buf_i64(&text, us / 1000);
    buf_char(&text, '.');
    for (int64_t place = 100; place > 0; place /= 10)
        buf_char(&text, (char)('0' + us % 1000 / place % 10));
    jw_key(w, key);
    jw_raw(w, buf_view(&text));
}

static void put_who(struct json_writer *w, const struct request *req)
{
    char ts[25], id[REQUEST_ID_TEXT];

    wall_format(clock_wall(), ts);
    jw_key(w, "ts");
    jw_cstr(w, ts);
    put_str(w, "level", STR("info"));
    put_str(w, "event", STR("request"));
    request_id_write(id, req->id);
    put_str(w, "request", (struct str){id, sizeof id});
    if (req->parent_id) {
        request_id_write(id, req->parent_id);
        put_str(w, "parent", (struct str){id, sizeof id});
    }
    if (req->who) {
        put_str(w, "key", req->who->key_id);
        put_str(w, "tenant", req->who->tenant);
    }
    put_str(w, "route", req->route);
    put_str(w, "model", request_model_shown(req));
    put_str(w, "provider", provider_name(req));
    put_str(w, "remote_model", remote_name(req));
}

static void put_result(struct json_writer *w, const struct request *req, const struct err *why)
{
    put_count(w, "status", req->status);
    put_str(w, "outcome", req->outcome);
    if (why->code) {
        put_str(w, "error", str_from(err_code_name(why->code)));
        put_str(w, "why", str_from(why->text));
    }
    jw_key(w, "stream");
    jw_bool(w, req->answer && req->answer->streaming);
    put_count(w, "tokens_in", req->usage.tokens_in);
    put_count(w, "tokens_out", req->usage.tokens_out);
    put_count(w, "tokens_cached", req->usage.tokens_cached);
    if (req->usage.estimated) {
        jw_key(w, "estimated");
        jw_bool(w, true);
    }
    jw_key(w, "cost_usd");
    jw_usd(w, req->cost);
    if (req->answer && req->answer->citations)
        put_count(w, "citations", req->answer->citations);
}

void request_log(const struct request *req, const struct err *why)
{
    char memory[LOG_BYTES_MAX];
    struct json_writer w;
    struct buf line;

    if (!req->config->log_requests)
        return;
    buf_init_fixed(&line, memory, sizeof memory);
    jw_init(&w, &line);
    jw_object(&w);
    put_who(&w, req);
    put_result(&w, req, why);
    put_ms(&w, "ms", fiber_now() - req->started);
    if (req->first_byte)
        put_ms(&w, "ms_first_byte", req->first_byte);
    put_ms(&w, "ms_call", trace_span_total(req->trace, "call"));
    put_count(&w, "bytes_in", (int64_t)req->body.len);
    put_count(&w, "bytes_out", (int64_t)req->sent_bytes);
    put_count(&w, "attempt", req->asked ? 1 : 0);
    jw_object_end(&w);
    if (buf_ok(&line))
        log_record(LOG_INFO, buf_view(&line));
    else
        log_line(LOG_WARN, req->id, "the request's log line is over %d bytes", LOG_BYTES_MAX);
}
