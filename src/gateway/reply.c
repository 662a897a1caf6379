/* Heads of our replies, and errors in the dialect's shape. */
#include "base/log.h"
#include "gateway/gateway_internal.h"
#include "models/dialect.h"
#include "sys/clock.h"

#define ERROR_BODY_MAX 2048 /* an err's text, escaped at worst, and its frame */
#define DROPPED_MAX    1024 /* of the field x-weir-dropped */

void request_id_write(char out[REQUEST_ID_TEXT], uint64_t id)
{
    struct buf text;

    buf_init_fixed(&text, out, REQUEST_ID_TEXT);
    buf_str(&text, STR("req_"));
    buf_hex_u64(&text, id);
}

static void add(struct reply_head *head, struct str name, struct str value)
{
    if (str_is_empty(value))
        return;
    ASSERT(head->reply.field_count < ARRAY_LEN(head->fields));
    head->fields[head->reply.field_count++] = (struct http_field){name, value};
}

/* What was written to head->values since `from`. */
static struct str written(const struct reply_head *head, size_t from)
{
    struct str all = buf_view(&head->values);

    return buf_ok(&head->values) ? str_slice(all, from, all.len) : STR_NONE;
}

static void add_number(struct reply_head *head, struct str name, int64_t n, struct str unit)
{
    size_t from = head->values.len;

    buf_i64(&head->values, n);
    buf_str(&head->values, unit);
    add(head, name, written(head, from));
}

static bool is_field_text(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

static int64_t seconds_up(dur_ns d)
{
    return d <= 0 ? 0 : (d + SECOND - 1) / SECOND;
}

/* How a dialect tells limits; Anthropic's says when, the others in how many seconds. */
struct limit_names {
    struct str limit, left, reset;
};
static const struct limit_names usual_names[] = {
    {STR("x-ratelimit-limit-requests"), STR("x-ratelimit-remaining-requests"),
     STR("x-ratelimit-reset-requests")},
    {STR("x-ratelimit-limit-tokens"), STR("x-ratelimit-remaining-tokens"),
     STR("x-ratelimit-reset-tokens")},
};
static const struct limit_names anthropic_names[] = {
    {STR("anthropic-ratelimit-requests-limit"), STR("anthropic-ratelimit-requests-remaining"),
     STR("anthropic-ratelimit-requests-reset")},
    {STR("anthropic-ratelimit-tokens-limit"), STR("anthropic-ratelimit-tokens-remaining"),
     STR("anthropic-ratelimit-tokens-reset")},
};

static void add_time(struct reply_head *head, struct str name, wall_ms t)
{
    char text[25];
    size_t from = head->values.len;

    wall_format(t, text);
    buf_str(&head->values, str_from(text));
    add(head, name, written(head, from));
}

static void add_limits(struct reply_head *head, const struct request *req)
{
    bool anthropic = req->dialect == &dialect_anthropic;
    const struct limit_names *names = anthropic ? anthropic_names : usual_names;
    wall_ms now = clock_wall();
    struct limits_left left = limits_left(req->gateway->accounts, req->who, now);
    const struct {
        int64_t limit, left;
        dur_ns reset;
    } kinds[] = {{left.requests_limit, left.requests_left, left.requests_reset},
                 {left.tokens_limit, left.tokens_left, left.tokens_reset}};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].limit < 0)
            continue;
        add_number(head, names[i].limit, kinds[i].limit, STR(""));
        add_number(head, names[i].left, MAX_OF(kinds[i].left, 0), STR(""));
        if (anthropic)
            add_time(head, names[i].reset, now + seconds_up(kinds[i].reset) * 1000);
        else
            add_number(head, names[i].reset, seconds_up(kinds[i].reset), STR("s"));
    }
}

static void add_cost(struct reply_head *head, usd_micro cost)
{
    size_t from = head->values.len;

    buf_usd(&head->values, cost);
    add(head, STR("x-weir-cost-usd"), written(head, from));
}

/* What is charged where nobody counted: the body may be the provider's own, which says nothing of it. */
static void add_estimate(struct reply_head *head, const struct usage *usage)
{
    size_t from = head->values.len;

    buf_fmt(&head->values, "prompt_tokens=%" PRId64 ", completion_tokens=%" PRId64,
            usage->tokens_in, usage->tokens_out);
    add(head, STR("x-weir-estimated"), written(head, from));
}

/* "seed, tools.1": what the model's provider could not be told; of its answer, the client. */
static void add_losses(struct reply_head *head, const struct request *req, struct str field,
                       const struct losses *losses)
{
    struct buf names;

    if (!losses || !losses->count)
        return;
    buf_init(&names, req->arena, DROPPED_MAX);
    for (uint32_t i = 0; i < losses->count; i++) {
        struct str name = losses->fields[i];

        if (names.len + name.len + 2 > DROPPED_MAX || !is_field_text(name))
            continue; /* the reply's own member has them all */
        buf_str(&names, names.len ? STR(", ") : STR(""));
        buf_str(&names, name);
    }
    if (buf_ok(&names))
        add(head, field, buf_view(&names));
}

static void add_assumed(struct reply_head *head, int64_t max_tokens)
{
    size_t from = head->values.len;

    buf_str(&head->values, STR("max_tokens="));
    buf_i64(&head->values, max_tokens);
    add(head, STR("x-weir-assumed"), written(head, from));
}

static void add_attempts(struct reply_head *head, const struct request *req)
{
    if (req->row)
        add(head, STR("x-weir-route"), req->row->name);
    if (req->attempts)
        add_number(head, STR("x-weir-attempts"), req->attempts->count, STR(""));
    if (req->model && req->model->lifecycle == LIFE_DEPRECATED) {
        const struct model *next = catalogue_successor(req->config->catalogue, req->model);

        add(head, STR("x-weir-deprecated"), next ? next->name : STR("true"));
    }
}

static void add_cache(struct reply_head *head, const struct request *req)
{
    int64_t age = request_cache_age(req);
    size_t from = head->values.len;

    add(head, STR("x-weir-cache"), request_cache_said(req));
    if (!req->ticket)
        return;
    buf_hex(&head->values, req->cache_key.bytes, sizeof req->cache_key.bytes);
    add(head, STR("x-weir-cache-key"), written(head, from));
    if (age >= 0)
        add_number(head, STR("age"), age, STR(""));
}

static void add_answer(struct reply_head *head, const struct request *req, bool cost_known)
{
    const struct answer *answer = req->answer;

    if (req->model)
        add(head, STR("x-weir-model"), req->model->name);
    add_attempts(head, req);
    add(head, STR("x-weir-provider"), answer->provider);
    add(head, STR("x-weir-provider-request-id"), answer->request_id);
    add(head, STR("retry-after"), answer->retry_after);
    add_losses(head, req, STR("x-weir-dropped"), req->losses);
    add_losses(head, req, STR("x-weir-reply-dropped"), answer->lost); /* of a stream: at its end */
    if (req->losses && req->losses->max_tokens_assumed)
        add_assumed(head, req->losses->max_tokens_assumed);
    if (req->prompt_cut) /* of whole answers: a stream's usage comes after its head */
        add(head, STR("x-weir-prompt-cut"), STR("true"));
    if (answer->streaming) {
        add(head, STR("cache-control"), STR("no-cache"));
        add(head, STR("x-accel-buffering"), STR("no"));
    }
    add_cache(head, req);
    if (cost_known && req->hold.who)
        add_cost(head, req->cost);
    if (cost_known && req->usage.estimated)
        add_estimate(head, &req->usage);
}

void reply_head_init(struct reply_head *head, const struct request *req, bool cost_known)
{
    head->reply = (struct http_reply){
        .status = req->status, .content_type = STR("application/json"), .fields = head->fields};
    buf_init_fixed(&head->values, head->text, sizeof head->text);
    if (req->who)
        add_limits(head, req);
    if (req->answer) {
        if (req->answer->content_type.len)
            head->reply.content_type = req->answer->content_type;
        add_answer(head, req, cost_known);
    }
}

/* For its spend, or for more tokens than a minute ever has. */
static bool is_refused_for_long(const struct request *req)
{
    return req->hold.refused == LIMIT_SPEND ||
           (req->hold.refused == LIMIT_TOKENS && !req->retry_after);
}

void reply_error(struct request *req, const struct err *err)
{
    struct reply_head head;
    char memory[ERROR_BODY_MAX], id[REQUEST_ID_TEXT];
    struct err lost = {0};
    struct buf body;

    buf_init_fixed(&body, memory, sizeof memory);
    req->dialect->write_error(&body, req->status, req->problem ? req->problem : "", err);
    if (req->dialect->write_request_id) {
        request_id_write(id, req->id);
        req->dialect->write_request_id(&body, (struct str){id, sizeof id});
    }
    reply_head_init(&head, req, false);
    if (req->status == 401)
        add(&head, STR("www-authenticate"), STR("Bearer"));
    if (req->retry_after)
        add_number(&head, STR("retry-after"), seconds_up(req->retry_after), STR(""));
    if (is_refused_for_long(req)) /* clients would try again within seconds */
        add(&head, STR("x-should-retry"), STR("false"));
    req->head_sent = true;
    if (http_send(req->http, &head.reply, buf_view(&body), &lost))
        req->sent_bytes += body.len;
}
