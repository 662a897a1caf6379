#include "models/upstream.h"

#include <string.h>

#include "base/metrics.h"
#include "models/aws_sign.h"
#include "sys/clock.h"
#include "sys/fiber.h"
#include "sys/loop.h"

#define DRAIN         (20 * MILLISECOND)
#define BEARER        7 /* "Bearer " */
#define OWN_FIELDS    6 /* Content-Type, Accept, User-Agent, X-Request-Id, traceparent, tracestate */
#define DIALECT_MAX   8
#define FIELDS_MAX    (OWN_FIELDS + DIALECT_MAX + AWS_FIELDS_MAX)
#define ID_TEXT_BYTES 20

/* ---- what is seen of it ---- */

enum { REQUESTS, HEAD_TIME };

static struct metric rows[] = {
    [REQUESTS] = {"weir_upstream_requests",
                  METRIC_COUNTER,
                  "",
                  "requests to providers by what came of them: 2xx, 4xx, 429, 5xx, or the failure",
                  {"provider", "result", NULL},
                  0},
    [HEAD_TIME] = {"weir_upstream_time_to_head",
                   METRIC_HISTOGRAM,
                   "seconds",
                   "from a request to a provider to the head of its answer",
                   {"provider", NULL},
                   0},
};

static struct str result_of(const struct upstream *u, const struct err *err)
{
    static const struct str classes[] = {
        {"1xx", 3}, {"2xx", 3}, {"3xx", 3}, {"4xx", 3}, {"5xx", 3}};
    int status = u->call ? http_call_head(u->call)->status : 0;

    if (status == 429)
        return STR("429");
    if (status >= 100 && status < 600)
        return classes[status / 100 - 1];
    return str_from(err_code_name(err->code));
}

static void begin_span(struct upstream *u, struct str model)
{
    const struct http_url *url = &u->provider->url;
    const struct trace_part parts[] = {
        trace_text(STR("provider"), str_slice(u->provider->name, 0, UPSTREAM_NAME_SHOWN)),
        trace_text(STR("host"), str_slice(url->host, 0, 80)),
        trace_number(STR("port"), url->port),
        trace_text(STR("model"), str_slice(model, 0, UPSTREAM_MODEL_SHOWN)),
    };

    u->span = span_begin_leaf(fiber_carried(), "upstream");
    span_add(u->span, parts, ARRAY_LEN(parts) - (model.len == 0));
}

/* Finding a series costs a hash of its labels: each loop keeps those of the providers it asked last. */
#define PLACES     8
#define OWN_MEMORY (16 * KIB)

struct place {
    char provider[64];
    size_t provider_len;
    struct str result; /* a literal */
    struct series *requests, *head_time;
};
struct places {
    struct arena *arena; /* holds this struct */
    struct place at[PLACES];
    uint32_t next;
};

static int slot; /* plus one, of struct places in each loop; 0: not registered */

static void places_free(void *value)
{
    struct arena *arena = value ? ((struct places *)value)->arena : NULL;

    arena_end(&arena);
}

static struct places *places_of_loop(void)
{
    struct places *own = loop_slot(slot - 1);
    struct arena *arena;

    if (own)
        return own;
    arena = arena_new(OWN_MEMORY);
    own = arena ? arena_alloc(arena, sizeof *own) : NULL;
    if (!own) {
        arena_end(&arena);
        return NULL;
    }
    own->arena = arena;
    loop_slot_set(slot - 1, own);
    return own;
}

void upstream_register(void)
{
    metrics_register(rows, ARRAY_LEN(rows));
    slot = loop_slot_new(places_free) + 1;
}

static const struct place *place_of(const struct str labels[2], struct place *memory)
{
    struct places *own = places_of_loop();
    struct place *place = memory;

    for (uint32_t i = 0; own && i < PLACES; i++)
        if (own->at[i].requests && own->at[i].result.ptr == labels[1].ptr &&
            str_eq((struct str){own->at[i].provider, own->at[i].provider_len}, labels[0]))
            return &own->at[i];
    if (own && labels[0].len <= sizeof place->provider) {
        place = &own->at[own->next++ % PLACES];
        memcpy(place->provider, labels[0].ptr, labels[0].len);
        place->provider_len = labels[0].len;
        place->result = labels[1];
    }
    place->requests = metrics_series(&rows[REQUESTS], labels);
    place->head_time = metrics_series(&rows[HEAD_TIME], &labels[0]);
    return place;
}

/* The head has come, or why none did. */
static void note_head(struct upstream *u, mono_ns begun, const struct err *err)
{
    struct str labels[] = {u->provider->name, result_of(u, err)};
    struct place memory;

    if (u->call) {
        const struct trace_part parts[] = {
            trace_number(STR("status"), http_call_head(u->call)->status),
            trace_text(STR("connected"), STR("true")),
        };

        span_add(u->span, parts, http_call_reused(u->call) ? 1 : 2);
    } else {
        span_note(u->span, "error=%s", err_code_name(err->code));
    }
    if (!rows[REQUESTS].id)
        return; /* nobody counts */
    const struct place *place = place_of(labels, &memory);
    series_add(place->requests, 1);
    if (u->call)
        series_observe(place->head_time, fiber_now() - begun);
}

/* ---- deadlines ---- */

static mono_ns after(dur_ns how_long)
{
    return how_long > 0 ? fiber_now() + how_long : 0;
}

static mono_ns sooner(mono_ns a, mono_ns b)
{
    return a == 0 ? b : b == 0 ? a : MIN_OF(a, b);
}

/* Say which limit of the provider's it was, with its scope closed; a timeout of the request itself is
 * for others to explain. */
static NOINLINE bool explain(const struct upstream *u, const char *what, dur_ns length,
                             struct err *err)
{
    const struct str name = u->provider->name;
    struct err over = {0};

    if (err->code != ERR_TIMEOUT || !fiber_still_wanted(&over))
        return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(name));
    if (u->deadline && fiber_now() >= u->deadline)
        return err_set(err, ERR_TIMEOUT,
                       "provider \"" STR_FMT "\" was not done after %" PRId64 " ms", STR_ARG(name),
                       u->provider->total_timeout / MILLISECOND);
    return err_set(err, ERR_TIMEOUT, "provider \"" STR_FMT "\" %s within %" PRId64 " ms",
                   STR_ARG(name), what, length / MILLISECOND);
}

/* ---- the key ---- */

/* The key is written where it is wiped again: it must not outlive the call. */
static char *write_bearer(struct arena *arena, struct str key)
{
    char *text = arena_alloc_raw(arena, BEARER + key.len);

    if (text) {
        memcpy(text, "Bearer ", BEARER);
        memcpy(text + BEARER, key.ptr, key.len);
    }
    return text;
}

struct shown {
    struct http_field *fields;
    size_t count;
    char *bearer; /* to be wiped */
    size_t bearer_len;
};

static bool show_bearer(const struct upstream *u, struct str key, struct shown *out,
                        struct err *err)
{
    out->bearer = write_bearer(u->arena, key);
    if (!out->bearer)
        return err_arena(err, u->arena);
    out->bearer_len = BEARER + key.len;
    out->fields[out->count++] =
        (struct http_field){STR("Authorization"), {out->bearer, out->bearer_len}};
    return true;
}

/* As the client of HTTP writes the Host field. */
static struct str host_of(struct arena *arena, const struct http_url *url)
{
    bool usual = url->port == (url->tls ? 443 : 80);

    if (usual)
        return url->host;
    return arena_fmt(arena, STR_FMT ":%u", STR_ARG(url->host), (unsigned)url->port);
}

static bool sign(const struct upstream *u, const struct upstream_question *q, struct str key,
                 struct shown *out, struct err *err)
{
    const struct provider *p = u->provider;
    const struct aws_identity who = {.access_key = key,
                                     .secret_key = &p->aws_secret_key,
                                     .session_token = &p->aws_session_token,
                                     .region = p->region,
                                     .service = STR("bedrock")};
    struct aws_request request = {
        .method = q->method,
        .host = host_of(u->arena, &p->url),
        .path = arena_fmt(u->arena, STR_FMT STR_FMT, STR_ARG(p->url.path), STR_ARG(q->path)),
        .body = q->body,
        .body_count = q->body_count};
    size_t added;

    if (!request.host.ptr || !request.path.ptr)
        return err_arena(err, u->arena);
    if (!aws_sign(u->arena, &request, &who, clock_wall(), out->fields + out->count, &added, err))
        return false;
    out->count += added;
    return true;
}

static bool show_key(const struct upstream *u, const struct upstream_question *q, struct shown *out,
                     struct err *err)
{
    static const struct {
        const char *name;
        size_t len;
    } names[] = {[AUTH_API_KEY] = {"api-key", 7},
                 [AUTH_X_API_KEY] = {"x-api-key", 9},
                 [AUTH_GOOGLE] = {"x-goog-api-key", 14}};
    struct str key = secret_reveal(&u->provider->api_key);

    if (!key.len)
        return true;
    switch (u->provider->auth) {
    case AUTH_BEARER: return show_bearer(u, key, out, err);
    case AUTH_AWS: return sign(u, q, key, out, err);
    case AUTH_API_KEY:
    case AUTH_X_API_KEY:
    case AUTH_GOOGLE:
        out->fields[out->count++] =
            (struct http_field){{names[u->provider->auth].name, names[u->provider->auth].len}, key};
        break;
    }
    return true;
}

/* ---- asking ---- */

static void write_id(char out[ID_TEXT_BYTES], uint64_t id)
{
    memcpy(out, "req_", 4);
    for (int i = 0; i < 16; i++)
        out[4 + i] = "0123456789abcdef"[(id >> (60 - 4 * i)) & 15];
}

static SUSPENDS bool send(struct upstream *u, const struct upstream_question *q, struct err *err)
{
    struct http_field fields[FIELDS_MAX];
    struct shown shown = {.fields = fields};
    struct http_outgoing outgoing = {.method = q->method,
                                     .path = q->path,
                                     .fields = fields,
                                     .body = q->body,
                                     .body_count = q->body_count,
                                     .connect_timeout = u->provider->connect_timeout,
                                     .trust = u->provider->trust};
    char id[ID_TEXT_BYTES], told[TRACEPARENT_BYTES];
    bool ok;

    ASSERT(q->field_count <= DIALECT_MAX);
    write_id(id, q->request_id);
    fields[shown.count++] = (struct http_field){STR("Content-Type"), STR("application/json")};
    fields[shown.count++] = (struct http_field){STR("Accept"), q->accept};
    fields[shown.count++] = (struct http_field){STR("User-Agent"), STR("weir/" WEIR_VERSION)};
    fields[shown.count++] = (struct http_field){STR("X-Request-Id"), {id, sizeof id}};
    if (span_traceparent(u->span, told))
        fields[shown.count++] = (struct http_field){STR("traceparent"), {told, sizeof told}};
    if (span_tracestate(u->span).len)
        fields[shown.count++] = (struct http_field){STR("tracestate"), span_tracestate(u->span)};
    for (size_t i = 0; i < q->field_count; i++)
        fields[shown.count++] = q->fields[i];
    if (!show_key(u, q, &shown, err))
        return false;
    outgoing.field_count = shown.count;
    ok = http_call(u->arena, &u->provider->url, &outgoing, &u->call, err);
    if (shown.bearer)
        bytes_wipe(shown.bearer, shown.bearer_len);
    return ok;
}

/* Statuses that speak of us and not of the request. */
static bool check_status(const struct upstream *u, int status, struct err *err)
{
    if (status == 401 || status == 407)
        return err_set(err, ERR_UNAVAILABLE,
                       "provider \"" STR_FMT "\" refused the api_key it is configured with (%d)",
                       STR_ARG(u->provider->name), status);
    if (status < 200 || (status >= 300 && status < 400))
        return err_set(err, ERR_UNAVAILABLE,
                       "provider \"" STR_FMT "\" answered %d instead of an answer: check its url",
                       STR_ARG(u->provider->name), status);
    return true;
}

bool upstream_ask(struct upstream *u, struct arena *arena, const struct provider *provider,
                  const struct upstream_question *q, struct err *err)
{
    dur_ns first = provider->first_byte_timeout;
    mono_ns begun = fiber_now();
    struct scope limit;
    bool ok;

    *u = (struct upstream){
        .arena = arena, .provider = provider, .deadline = after(provider->total_timeout)};
    begin_span(u, q->model);
    scope_open(&limit, sooner(u->deadline, after(first)));
    ok = send(u, q, err);
    scope_close(&limit);
    ok = ok || explain(u, "did not begin to answer", first, err);
    note_head(u, begun, err);
    if (ok && check_status(u, http_call_head(u->call)->status, err))
        return true;
    u->refused_us = ok;
    http_call_end(&u->call);
    span_end(&u->span);
    return false;
}

bool upstream_field(const struct upstream *u, struct str name, struct str *out, struct err *err)
{
    struct str value = http_field(&http_call_head(u->call)->fields, name);

    *out = value.ptr ? arena_str(u->arena, value) : STR_NONE;
    return !value.ptr || out->ptr || err_arena(err, u->arena);
}

bool upstream_request_id(const struct upstream *u, struct str *out, struct err *err)
{
    return upstream_field(u, STR("x-request-id"), out, err) &&
           (out->ptr || upstream_field(u, STR("request-id"), out, err)) &&
           (out->ptr || upstream_field(u, STR("x-amzn-requestid"), out, err));
}

bool upstream_read(struct upstream *u, struct str *bytes, struct err *err)
{
    dur_ns gap = u->provider->gap_timeout;
    struct scope limit;
    bool ok;

    scope_open(&limit, sooner(u->deadline, after(gap)));
    ok = http_call_next(u->call, bytes, err);
    scope_close(&limit);
    if (!ok) {
        ok = explain(u, "sent nothing more", gap, err);
        span_note(u->span, "error=%s", err_code_name(err->code));
        return ok;
    }
    u->received += bytes->len;
    u->ended = str_is_empty(*bytes);
    return true;
}

/* ---- whole bodies ---- */

static bool too_large(const struct upstream *u, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "provider \"" STR_FMT "\" answered more than %zu bytes (reply_bytes_max)",
                   STR_ARG(u->provider->name), u->provider->reply_bytes_max);
}

static SUSPENDS bool read_rest(struct upstream *u, struct str first, struct str *out,
                               struct err *err)
{
    const struct http_head *head = http_call_head(u->call);
    struct str piece = first;
    struct buf whole;

    buf_init(&whole, u->arena, u->provider->reply_bytes_max);
    if (head->framing == HTTP_LENGTH && !buf_room(&whole, (size_t)head->content_length))
        return err_arena(err, u->arena);
    while (!str_is_empty(piece)) {
        buf_str(&whole, piece);
        if (whole.too_large)
            return too_large(u, err);
        if (!upstream_read(u, &piece, err))
            return false;
    }
    return buf_finish(&whole, out, err);
}

bool upstream_whole(struct upstream *u, struct str *out, struct err *err)
{
    const struct http_head *head = http_call_head(u->call);
    struct str first;

    if (head->framing == HTTP_LENGTH && head->content_length > u->provider->reply_bytes_max)
        return too_large(u, err);
    if (!upstream_read(u, &first, err))
        return false;
    if (head->framing == HTTP_LENGTH && first.len == head->content_length) {
        u->ended = true;
        *out = first;
        return true;
    }
    return read_rest(u, first, out, err);
}

void upstream_end(struct upstream *u, bool complete)
{
    struct err ignored = {0};
    struct scope limit;
    struct str bytes;

    if (complete && !u->ended) {
        scope_open(&limit, fiber_now() + DRAIN);
        while (http_call_next(u->call, &bytes, &ignored) && !str_is_empty(bytes))
            ;
        scope_close(&limit);
    }
    http_call_end(&u->call);
    const struct trace_part part = trace_number(STR("bytes"), (int64_t)u->received);
    span_add(u->span, &part, 1);
    span_end(&u->span);
}
