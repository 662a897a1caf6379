/* Asking a provider that speaks the OpenAI dialect, and pulling its answer.
 *
 *   provider_ask --> head --+-- event stream --> next_events: whole events, the bytes as they came
 *                           '-- anything else -> next_whole:  one piece, read to its end first
 *
 * A stream ends well with [DONE], or without it when every choice has its finish_reason and the framing
 * ended cleanly. Any other end is a cut: an error, never *last. */
#include <string.h>

#include "models/models.h"
#include "sys/fiber.h"

#define GATHER_SLACK (256 * KIB) /* one read's bytes beyond the event that was carried over */
#define DRAIN        (20 * MILLISECOND)
#define BEARER       7 /* "Bearer " */

/* What an answer of a provider owns, in the request's arena. */
struct ask {
    struct arena *arena;
    const struct provider *provider;
    struct http_call *call;
    struct sse_reader events;
    struct buf gathered;   /* events around one that was dropped, put together */
    struct str error_data; /* of the event that said the stream has failed */
    struct err *failure;   /* found behind good bytes: told at the next call */
    mono_ns deadline;      /* of the whole answer; 0: none */
    bool client_wants_usage;
    bool relayed; /* some bytes have been given out */
    bool ended;   /* the call's body has been read to its end */
};

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
static NOINLINE bool explain(const struct ask *ask, const char *what, dur_ns length,
                             struct err *err)
{
    const struct str name = ask->provider->name;
    struct err over = {0};

    if (err->code != ERR_TIMEOUT || !fiber_still_wanted(&over))
        return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(name));
    if (ask->deadline && fiber_now() >= ask->deadline)
        return err_set(err, ERR_TIMEOUT,
                       "provider \"" STR_FMT "\" was not done after %" PRId64 " ms", STR_ARG(name),
                       ask->provider->total_timeout / MILLISECOND);
    return err_set(err, ERR_TIMEOUT, "provider \"" STR_FMT "\" %s within %" PRId64 " ms",
                   STR_ARG(name), what, length / MILLISECOND);
}

/* Bytes of the body, within the gap and the whole time; empty at the end. */
static SUSPENDS bool read_some(struct ask *ask, struct str *bytes, struct err *err)
{
    dur_ns gap = ask->provider->gap_timeout;
    struct scope limit;
    bool ok;

    scope_open(&limit, sooner(ask->deadline, after(gap)));
    ok = http_call_next(ask->call, bytes, err);
    scope_close(&limit);
    if (!ok)
        return explain(ask, "sent nothing more", gap, err);
    ask->ended = str_is_empty(*bytes);
    return true;
}

/* ---- streams ---- */

static NOINLINE bool cut(const struct answer *answer, const char *how, struct err *err)
{
    const struct ask *ask = answer->own;

    return err_set(err, ERR_UNAVAILABLE,
                   "provider \"" STR_FMT "\" cut the stream after %" PRIu32 " events%s",
                   STR_ARG(ask->provider->name), answer->meter.events, how);
}

static bool at_end(const struct answer *answer, struct err *err)
{
    const struct ask *ask = answer->own;

    if (sse_left_over(&ask->events) > 0)
        return cut(answer, ", inside one", err);
    if (!answer->meter.finished)
        return cut(answer, "", err);
    return true;
}

/* Add an event to what this call gives out: a longer view while the bytes stand side by side, a copy
 * from where one was dropped between two that stay. */
static bool keep(struct ask *ask, struct str raw, struct str *out, struct err *err)
{
    if (str_is_empty(*out)) {
        *out = raw;
        return true;
    }
    if (out->ptr + out->len == raw.ptr) {
        out->len += raw.len;
        return true;
    }
    if (out->ptr != ask->gathered.ptr) {
        ask->gathered.len = 0;
        buf_str(&ask->gathered, *out);
    }
    buf_str(&ask->gathered, raw);
    return buf_finish(&ask->gathered, out, err);
}

static bool take_events(struct answer *answer, struct str *out, struct err *err)
{
    struct ask *ask = answer->own;
    struct sse_event event;
    bool drop;

    while (sse_next(&ask->events, &event)) {
        if (!chat_read_event(ask->arena, &event, ask->client_wants_usage, &answer->meter, &drop,
                             err))
            return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(ask->provider->name));
        if (!drop && !keep(ask, event.raw, out, err))
            return false;
        if (answer->meter.failed)
            ask->error_data = event.data;
        if (answer->meter.failed || answer->meter.done)
            return true;
    }
    return true;
}

/* The stream began with its error: then it can still be told with a status. */
static void make_whole(struct answer *answer, struct str *out)
{
    const struct ask *ask = answer->own;

    answer->status = err_http_status(ERR_UNAVAILABLE);
    answer->streaming = false;
    answer->content_type = STR("application/json");
    *out = ask->error_data;
}

/* A failure behind good bytes waits for the next call; in front of none it is told at once. */
static bool hold_back(struct ask *ask, struct str good, const struct err *failure, struct err *err)
{
    if (str_is_empty(good)) {
        *err = *failure;
        return false;
    }
    ask->failure = arena_alloc(ask->arena, sizeof *ask->failure);
    if (!ask->failure)
        return err_arena(err, ask->arena);
    *ask->failure = *failure;
    return true;
}

/* An error event has passed: its own words are with the client, ours are for the log. */
static NOINLINE bool give_error(struct answer *answer, bool is_first, struct str *out, bool *last,
                                struct err *err)
{
    struct ask *ask = answer->own;
    struct err failure = {0};

    if (is_first && !ask->relayed) {
        make_whole(answer, out);
        *last = true;
        return true;
    }
    err_set(&failure, ERR_UNAVAILABLE,
            "provider \"" STR_FMT "\" sent an error inside the stream after %" PRIu32 " events",
            STR_ARG(ask->provider->name), answer->meter.events - 1);
    return hold_back(ask, *out, &failure, err);
}

/* Whole events of what has just been fed. */
static bool give_events(struct answer *answer, struct str *out, bool *last, struct err *err)
{
    struct ask *ask = answer->own;
    uint32_t events = answer->meter.events;
    struct err failure = {0};

    if (!take_events(answer, out, &failure))
        return hold_back(ask, *out, &failure, err);
    if (answer->meter.failed)
        return give_error(answer, answer->meter.events == events + 1, out, last, err);
    ask->relayed = ask->relayed || !str_is_empty(*out);
    *last = answer->meter.done;
    return true;
}

static NOINLINE bool give_end(struct answer *answer, struct str *out, bool *last, struct err *err)
{
    struct ask *ask = answer->own;
    struct err failure = {0};

    sse_finish(&ask->events);
    if (!give_events(answer, out, last, err))
        return false;
    if (*last || ask->failure)
        return true;
    if (!at_end(answer, &failure))
        return hold_back(ask, *out, &failure, err);
    *last = true;
    return true;
}

/* What has just been read, or the end, to whole events. */
static bool digest(struct answer *answer, struct str got, struct str *out, bool *last,
                   struct err *err)
{
    struct ask *ask = answer->own;

    if (str_is_empty(got))
        return give_end(answer, out, last, err);
    if (!sse_feed(&ask->events, got, err)) {
        if (err->code == ERR_TOO_LARGE)
            err->code = ERR_UNAVAILABLE; /* it is the provider's event, not the request; events that
                                            came in the same read are not given out any more */
        return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(ask->provider->name));
    }
    return give_events(answer, out, last, err);
}

static SUSPENDS bool next_events(struct answer *answer, struct str *bytes, bool *last,
                                 struct err *err)
{
    struct ask *ask = answer->own;
    struct str got, out = STR_NONE;
    bool end = false;

    if (ask->failure) {
        *err = *ask->failure;
        return false;
    }
    while (str_is_empty(out) && !end) {
        if (!read_some(ask, &got, err))
            return err->code == ERR_UNAVAILABLE ? cut(answer, "", err) : false;
        if (!digest(answer, got, &out, &end, err))
            return false;
    }
    *bytes = out;
    *last = end;
    return true;
}

/* ---- whole answers ---- */

static bool too_large(const struct ask *ask, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "provider \"" STR_FMT "\" answered more than %zu bytes (reply_bytes_max)",
                   STR_ARG(ask->provider->name), ask->provider->reply_bytes_max);
}

static SUSPENDS bool read_rest(struct ask *ask, struct str first, struct str *out, struct err *err)
{
    const struct http_head *head = http_call_head(ask->call);
    struct str piece = first;
    struct buf whole;

    buf_init(&whole, ask->arena, ask->provider->reply_bytes_max);
    if (head->framing == HTTP_LENGTH && !buf_room(&whole, (size_t)head->content_length))
        return err_arena(err, ask->arena);
    while (!str_is_empty(piece)) {
        buf_str(&whole, piece);
        if (whole.too_large)
            return too_large(ask, err);
        if (!read_some(ask, &piece, err))
            return false;
    }
    return buf_finish(&whole, out, err);
}

/* All of the body: where it came in one piece, that piece. */
static SUSPENDS bool read_whole(struct ask *ask, struct str *out, struct err *err)
{
    const struct http_head *head = http_call_head(ask->call);
    struct str first;

    if (head->framing == HTTP_LENGTH && head->content_length > ask->provider->reply_bytes_max)
        return too_large(ask, err);
    if (!read_some(ask, &first, err))
        return false;
    if (head->framing == HTTP_LENGTH && first.len == head->content_length) {
        ask->ended = true;
        *out = first;
        return true;
    }
    return read_rest(ask, first, out, err);
}

static SUSPENDS bool next_whole(struct answer *answer, struct str *bytes, bool *last,
                                struct err *err)
{
    struct ask *ask = answer->own;
    struct str body;

    if (!read_whole(ask, &body, err))
        return false;
    if (answer->status < 300 && !chat_read_reply(ask->arena, body, &answer->meter, err))
        return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(ask->provider->name));
    if (answer->meter.failed) /* an error that calls itself 200 */
        answer->status = err_http_status(ERR_UNAVAILABLE);
    *bytes = body;
    *last = true;
    return true;
}

/* ---- asking ---- */

/* A connection goes back to its pool only after the framing's end, which comes with [DONE] or just
 * behind it: worth a short wait, as the client has everything already. */
static SUSPENDS void end_ask(struct answer *answer)
{
    struct ask *ask = answer->own;
    struct err ignored = {0};
    struct scope limit;
    struct str bytes;

    if (answer->meter.done && !ask->ended && !answer->meter.failed) {
        scope_open(&limit, fiber_now() + DRAIN);
        while (http_call_next(ask->call, &bytes, &ignored) && !str_is_empty(bytes))
            ;
        scope_close(&limit);
    }
    http_call_end(&ask->call);
}

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

static void write_id(char out[20], uint64_t id)
{
    memcpy(out, "req_", 4);
    for (int i = 0; i < 16; i++)
        out[4 + i] = "0123456789abcdef"[(id >> (60 - 4 * i)) & 15];
}

/* Nothing of the client's head goes to a provider; these fields are all it gets. */
static SUSPENDS bool send(struct ask *ask, const struct chat_request *request, uint64_t request_id,
                          struct http_outgoing *outgoing, struct err *err)
{
    struct http_field fields[5];
    struct str key = secret_reveal(&ask->provider->api_key);
    char id[20], *bearer = NULL;
    size_t n = 0;
    bool ok;

    write_id(id, request_id);
    fields[n++] = (struct http_field){STR("Content-Type"), STR("application/json")};
    fields[n++] = (struct http_field){STR("Accept"), request->stream ? STR("text/event-stream")
                                                                     : STR("application/json")};
    fields[n++] = (struct http_field){STR("User-Agent"), STR("weir/" WEIR_VERSION)};
    fields[n++] = (struct http_field){STR("X-Request-Id"), {id, sizeof id}};
    if (key.len) {
        bearer = write_bearer(ask->arena, key);
        if (!bearer)
            return err_arena(err, ask->arena);
        fields[n++] = (struct http_field){STR("Authorization"), {bearer, BEARER + key.len}};
    }
    outgoing->method = STR("POST");
    outgoing->path = STR("/chat/completions");
    outgoing->fields = fields;
    outgoing->field_count = n;
    outgoing->connect_timeout = ask->provider->connect_timeout;
    outgoing->trust = ask->provider->trust;
    ok = http_call(ask->arena, &ask->provider->url, outgoing, &ask->call, err);
    if (bearer)
        bytes_wipe(bearer, BEARER + key.len);
    return ok;
}

static SUSPENDS bool send_within(struct ask *ask, const struct model *model,
                                 const struct chat_request *request, uint64_t request_id,
                                 struct err *err)
{
    dur_ns first = ask->provider->first_byte_timeout;
    struct str pieces[CHAT_PIECES_MAX];
    struct http_outgoing body = {.body = pieces};
    struct scope limit;
    bool ok;

    if (!chat_write_request(ask->arena, request, model->remote_name, pieces, &body.body_count, err))
        return false;
    scope_open(&limit, sooner(ask->deadline, after(first)));
    ok = send(ask, request, request_id, &body, err);
    scope_close(&limit);
    return ok || explain(ask, "did not begin to answer", first, err);
}

/* Statuses that speak of us and not of the request. */
static bool check_status(const struct ask *ask, int status, struct err *err)
{
    if (status == 401 || status == 407)
        return err_set(err, ERR_UNAVAILABLE,
                       "provider \"" STR_FMT "\" refused the api_key it is configured with (%d)",
                       STR_ARG(ask->provider->name), status);
    if (status < 200 || (status >= 300 && status < 400))
        return err_set(err, ERR_UNAVAILABLE,
                       "provider \"" STR_FMT "\" answered %d instead of an answer: check its url",
                       STR_ARG(ask->provider->name), status);
    return true;
}

/* A copy: the head's text moves when its page is given back before a wait. */
static bool keep_field(const struct ask *ask, const struct http_head *head, struct str name,
                       struct str *out)
{
    struct str value = http_field(&head->fields, name);

    *out = value.ptr ? arena_str(ask->arena, value) : STR_NONE;
    return !value.ptr || out->ptr;
}

static bool read_head(struct answer *answer, const struct ask *ask, struct err *err)
{
    const struct http_head *head = http_call_head(ask->call);

    if (!keep_field(ask, head, STR("content-type"), &answer->content_type) ||
        !keep_field(ask, head, STR("retry-after"), &answer->retry_after) ||
        !keep_field(ask, head, STR("x-request-id"), &answer->request_id))
        return err_arena(err, ask->arena);
    answer->status = head->status;
    answer->streaming = head->status < 300 && str_eq_nocase(str_slice(answer->content_type, 0, 17),
                                                            STR("text/event-stream"));
    answer->next = answer->streaming ? next_events : next_whole;
    return true;
}

static struct answer *new_answer(struct arena *arena, const struct model *model,
                                 const struct chat_request *request)
{
    const struct provider *provider = model->provider;
    struct answer *answer = arena_alloc(arena, sizeof *answer);
    struct ask *ask = arena_alloc(arena, sizeof *ask);

    if (!answer || !ask)
        return NULL;
    *ask = (struct ask){.arena = arena,
                        .provider = provider,
                        .deadline = after(provider->total_timeout),
                        .client_wants_usage = request->include_usage};
    answer->provider = provider->name;
    answer->remote_model = model->remote_name;
    answer->end = end_ask;
    answer->own = ask;
    chat_meter_init(&answer->meter, request->n);
    return answer;
}

bool provider_ask(struct arena *arena, const struct model *model,
                  const struct chat_request *request, uint64_t request_id, struct answer **out,
                  struct err *err)
{
    struct answer *answer = new_answer(arena, model, request);
    struct ask *ask;

    ASSERT(model->provider);
    if (!answer)
        return err_arena(err, arena);
    ask = answer->own;
    if (!send_within(ask, model, request, request_id, err))
        return false;
    if (!check_status(ask, http_call_head(ask->call)->status, err) ||
        !read_head(answer, ask, err)) {
        http_call_end(&ask->call);
        return false;
    }
    if (answer->streaming) {
        sse_reader_init(&ask->events, arena, ask->provider->event_bytes_max);
        buf_init(&ask->gathered, arena, ask->provider->event_bytes_max + GATHER_SLACK);
    }
    *out = answer;
    return true;
}
