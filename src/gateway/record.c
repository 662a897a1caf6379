/* What is left of a request: money settled, one audit record, one log line. */
#include "base/line.h"
#include "base/log.h"
#include "base/utf8.h"
#include "gateway/gateway_internal.h"
#include "models/habits.h"
#include "sys/clock.h"
#include "sys/fiber.h"

#define LOG_BYTES_MAX     3072
#define ATTEMPTS_TEXT_MAX 600 /* of the log line; what is longer is cut */

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

static int64_t less(int64_t all, int64_t part)
{
    return all >= 0 && part > 0 ? MAX_OF(all - part, 0) : all;
}

/* Of the one who answered: what another had said before it broke off has its own price. */
static usd_micro cost_of_answer(const struct request *req)
{
    const struct attempts *attempts = req->attempts;
    const struct usage *part = attempts ? &attempts->carried : NULL;
    const struct price_for buyer = {req->who ? req->who->tenant : STR_NONE, clock_wall()};
    struct usage own = req->usage;

    if (part && part->tokens_in > 0) {
        own.tokens_in = less(own.tokens_in, part->tokens_in);
        own.tokens_out = less(own.tokens_out, part->tokens_out);
        own.tokens_cached = less(own.tokens_cached, part->tokens_cached);
        own.tokens_cache_write = less(own.tokens_cache_write, part->tokens_cache_write);
        own.tokens_cache_write_long =
            less(own.tokens_cache_write_long, part->tokens_cache_write_long);
        own.tokens_reasoning = less(own.tokens_reasoning, part->tokens_reasoning);
    }
    return price_of(attempts_speaker(attempts, req->model), &own, &buyer);
}

/* Charged is what passed, also when the rest never came. A provider whose client leaves before the
 * answer has begun has read the prompt all the same; one that fails or is late is charged nothing. */
static void settle_usage(struct request *req, const struct err *why)
{
    req->usage = usage_unknown;
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
    if (req->answer && req->answer->status < 300 && req->model->provider)
        req->prompt_cut =
            habits_prompt_was_cut(req->model, req->body, req->chat.prompt_bytes, &req->usage);
    req->cost = request_cache_price(req, cost_of_answer(req));
    if (req->attempts)
        req->cost += req->attempts->cost_apart;
}

/* What was used once is counted once: in the record, the limits and the usage of the request that was asked inside. */
static void record_usage(const struct request *req, struct audit_record *record)
{
    const struct usage *u = req->paid_inside ? &usage_unknown : &req->usage;

    record->tokens_in = u->tokens_in;
    record->tokens_out = u->tokens_out;
    record->tokens_cached = u->tokens_cached;
    record->tokens_estimated = u->estimated;
    record->tokens_cache_write =
        MAX_OF(u->tokens_cache_write, 0) + MAX_OF(u->tokens_cache_write_long, 0);
    record->tokens_reasoning = u->tokens_reasoning;
    record->tokens_audio = MAX_OF(u->tokens_audio_in, 0) + MAX_OF(u->tokens_audio_out, 0);
    record->cost = req->cost;
}

/* What `at` has cost, in the list of who has besides the one that answered. */
static void record_apart(const struct attempt *at, struct buf *apart)
{
    /* What it said stands in the answer, and its tokens in the answer's usage. */
    bool is_part = at->end == ATTEMPT_CUT || at->end == ATTEMPT_LEFT || at->end == ATTEMPT_ANSWERED;
    const struct audit_apart one = {.deployment = at->model->name,
                                    .provider = at->model->provider->name,
                                    .end = str_from(attempt_end_name(at->end)),
                                    .cost = at->cost,
                                    .tokens_in = is_part ? at->usage.tokens_in : 0,
                                    .tokens_out = is_part ? at->usage.tokens_out : 0};

    audit_apart_add(apart, &one);
}

/* Who was asked besides the one that answered, and what that cost. */
static void record_attempts(const struct request *req, struct audit_record *record)
{
    const struct attempts *attempts = req->attempts;
    struct buf apart;

    record->route_name = req->row ? req->row->name : STR_NONE;
    if (!attempts || !attempts->count)
        return;
    record->attempts = attempts->count;
    if (attempts->at[0].model != attempts_speaker(attempts, req->model))
        record->fallback_from = attempts->at[0].model->name;
    buf_init(&apart, req->arena, AUDIT_APART_MAX);
    for (uint32_t i = 0; i < attempts->count && attempts->cost_apart > 0; i++) {
        const struct attempt *at = &attempts->at[i];

        *(at->end == ATTEMPT_LOST ? &record->cost_hedge : &record->cost_attempts) += at->cost;
        if (at->cost > 0)
            record_apart(at, &apart);
    }
    record->apart = buf_ok(&apart) ? buf_view(&apart) : STR_NONE;
}

/* Who gave the end of the answer, also of one that was gone on with, else who was asked last; of a name without a route,
 * who stands behind it. */
struct speaker request_speaker(const struct request *req)
{
    const struct answer *answer = req->answer;
    bool attempted = req->attempts && req->attempts->count;
    const struct model *last = attempts_speaker(req->attempts, req->model);
    const struct model *model = answer || attempted || !req->row ? last : NULL;
    struct speaker out = {.deployment = model ? model->name : STR_NONE};

    if (attempted) {
        out.provider = model->provider->name;
        out.remote_model = model->remote_name;
        return out;
    }
    if (req->model) { /* without a provider: from documents */
        out.provider = req->model->provider ? req->model->provider->name : STR("weir");
        out.remote_model = req->model->remote_name;
    }
    if (answer && answer->provider.len > 0)
        out.provider = answer->provider;
    if (answer)
        out.remote_model = answer->remote_model;
    return out;
}

bool request_record(struct request *req, const struct err *why, size_t last_bytes, struct err *err)
{
    const struct speaker speaker = request_speaker(req);
    struct audit_record record = {.time = clock_wall(),
                                  .request_id = req->id,
                                  .parent_id = req->parent_id,
                                  .route = req->route,
                                  .model = request_model_shown(req),
                                  .deployment = speaker.deployment,
                                  .provider = speaker.provider,
                                  .remote_model = speaker.remote_model,
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
        record.team = req->who->team;
        record.tags = req->tags;
    }
    record.outcome = req->outcome;
    record.cache = request_cache_said(req);
    record.error = why->code ? str_from(err_code_name(why->code)) : STR("");
    record_usage(req, &record);
    record_attempts(req, &record);
    record_body(req, &record);
    record.citations = req->answer ? req->answer->citations : 0;
    if (!accounts_record(req->gateway->accounts, &req->hold, &record, err))
        return err_wrap(err, "record the request");
    req->audit_seq = record.seq;
    req->recorded = true;
    return true;
}

void request_unrecorded(struct request *req, const struct err *err)
{
    log_line(LOG_ERROR, req->id, "%s", err->text);
    hold_drop(req->gateway->accounts, &req->hold);
}

/* ---- the log line ---- */

/* On every request's path: names are written with their marks, ready to copy. Empty and unknown values
 * are left out. */
static inline void put_str(struct line *line, struct str name, struct str s)
{
    if (!str_is_empty(s))
        line_text(line, name, s);
}

static inline void put_count(struct line *line, struct str name, int64_t n)
{
    if (n >= 0)
        line_number(line, name, n);
}

static inline void put_ms(struct line *line, struct str name, dur_ns d)
{
    line_thousandths(line, name, MAX_OF(d, 0) / MICROSECOND);
}

static inline void put_id(struct line *line, struct str name, uint64_t id)
{
    if (!id)
        return;
    line_put(line, name);
    line_put(line, STR("req_"));
    line_id(line, id);
    line_put(line, STR("\""));
}

static inline void put_who(struct line *line, const struct request *req)
{
    const struct speaker speaker = request_speaker(req);
    char ts[25];

    wall_format(clock_wall(), ts);
    line_put(line, STR("{\"ts\":\""));
    line_put(line, (struct str){ts, sizeof ts - 1});
    line_put(line, STR("\",\"level\":\"info\",\"event\":\"request\""));
    put_id(line, STR(",\"request\":\""), req->id);
    put_id(line, STR(",\"parent\":\""), req->parent_id);
    if (req->who) {
        put_str(line, STR(",\"key\":"), req->who->key_id);
        put_str(line, STR(",\"tenant\":"), req->who->tenant);
    }
    put_str(line, STR(",\"route\":"), req->route);
    put_str(line, STR(",\"model\":"), request_model_shown(req));
    put_str(line, STR(",\"deployment\":"), speaker.deployment);
    put_str(line, STR(",\"provider\":"), speaker.provider);
    put_str(line, STR(",\"remote_model\":"), speaker.remote_model);
}

static inline void put_result(struct line *line, const struct request *req, const struct err *why)
{
    put_count(line, STR(",\"status\":"), req->status);
    put_str(line, STR(",\"outcome\":"), req->outcome);
    if (why->code) {
        put_str(line, STR(",\"error\":"), str_from(err_code_name(why->code)));
        put_str(line, STR(",\"why\":"), str_from(why->text));
    }
    line_put(line, req->answer && req->answer->streaming ? STR(",\"stream\":true")
                                                         : STR(",\"stream\":false"));
    put_count(line, STR(",\"tokens_in\":"), req->usage.tokens_in);
    put_count(line, STR(",\"tokens_out\":"), req->usage.tokens_out);
    put_count(line, STR(",\"tokens_cached\":"), req->usage.tokens_cached);
    if (req->usage.estimated)
        line_put(line, STR(",\"estimated\":true"));
    if (req->prompt_cut)
        line_put(line, STR(",\"prompt_cut\":true"));
    line_usd(line, STR(",\"cost_usd\":"), req->cost);
    put_str(line, STR(",\"cache\":"), request_cache_said(req));
    if (req->answer && req->answer->citations)
        put_count(line, STR(",\"citations\":"), req->answer->citations);
}

static NOINLINE void put_failed_attempts(struct line *line, const struct request *req)
{
    char memory[ATTEMPTS_TEXT_MAX];
    struct buf text;

    buf_init_fixed(&text, memory, sizeof memory);
    attempts_write(req->attempts, &text);
    put_str(line, STR(",\"attempts\":"), buf_view(&text));
}

static inline void put_attempts(struct line *line, const struct request *req)
{
    put_str(line, STR(",\"route_name\":"), req->row ? req->row->name : STR_NONE);
    put_count(line, STR(",\"attempt\":"), req->attempts ? (int64_t)req->attempts->count : 0);
    if (!req->attempts || req->attempts->count < 2)
        return;
    put_failed_attempts(line, req);
}

void request_log(const struct request *req, const struct err *why)
{
    static _Thread_local char memory[LOG_BYTES_MAX]; /* not the stack's: that is one page */
    struct line line;

    if (!req->config->log_requests || !log_wants(LOG_INFO))
        return;
    line_init(&line, memory, sizeof memory);
    put_who(&line, req);
    put_result(&line, req, why);
    put_ms(&line, STR(",\"ms\":"), fiber_now() - req->started);
    if (req->first_byte)
        put_ms(&line, STR(",\"ms_first_byte\":"), req->first_byte);
    put_ms(&line, STR(",\"ms_call\":"), trace_span_total(req->trace, "call"));
    put_count(&line, STR(",\"bytes_in\":"), (int64_t)req->body.len);
    put_count(&line, STR(",\"bytes_out\":"), (int64_t)req->sent_bytes);
    put_attempts(&line, req);
    line_put(&line, STR("}"));
    if (!line.over)
        log_record(LOG_INFO, line_view(&line));
    else
        log_line(LOG_WARN, req->id, "the request's log line is over %d bytes", LOG_BYTES_MAX);
}
