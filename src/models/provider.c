/* Asking a provider that speaks what the client speaks, and pulling its answer: bytes pass as they came, in both
 * directions. In the chat dialect their events are listened to by chat_read_event(); in every other by the
 * dialect's own reader, whose steps are only measured.
 *
 *   provider_ask --> head --+-- event stream --> next_events: whole events, the bytes as they came
 *                           '-- anything else -> next_whole:  one piece, read to its end first
 *
 * A stream ends well with [DONE], or without it when every choice has its finish_reason and the framing
 * ended cleanly. Any other end is a cut: an error, never *last. */
#include <string.h>

#include "models/dialect.h"
#include "models/habits.h"
#include "models/openai_internal.h"
#include "models/upstream.h"

#define SCRATCH_SLACK MIB         /* beside an event: its index, decoded texts */
#define SCRATCH_TIMES 4           /* of the largest event or body: what its index costs */
#define GATHER_SLACK  (256 * KIB) /* one read's bytes beyond the event that was carried over */

/* What an answer of a provider owns, in the request's arena. */
struct ask {
    struct answer *answer;
    const struct dialect *dialect; /* that listens; NULL: chat_read_event() does */
    struct said_reader reader;
    struct arena *scratch;
    size_t scratch_start;
    struct arena *arena;
    const struct provider *provider;
    struct upstream up;
    struct sse_reader events;
    struct buf gathered;   /* events around one that was dropped, put together */
    struct str error_data; /* of the event that said the stream has failed */
    struct err *failure;   /* found behind good bytes: told at the next call */
    bool client_wants_usage;
    size_t prompt_bytes; /* for the estimate of what the provider did not count */
    bool relayed;        /* some bytes have been given out */
};

/* ---- listening by the dialect's reader ---- */

static bool listen_step(void *ctx, const struct said *said, struct err *err)
{
    struct ask *ask = ctx;
    struct chat_meter *meter = &ask->answer->meter;

    if (said->kind != SAID_FAILED) {
        said_measure(meter, said);
        return true;
    }
    meter->failed = true;
    meter->error_text = arena_str(ask->arena, said->text.ptr ? said->text : STR(""));
    return meter->error_text.ptr || err_arena(err, ask->arena);
}

static bool begin_listening(struct ask *ask, const struct model *model,
                            const struct conversation *asked, struct err *err)
{
    size_t most = MAX_OF(ask->provider->event_bytes_max, ask->provider->reply_bytes_max);

    ask->scratch = arena_new(MIN_OF(most, GIB) * SCRATCH_TIMES + SCRATCH_SLACK);
    if (!ask->scratch)
        return err_no_room(err, "no memory to listen to an answer with");
    ask->scratch_start = arena_mark(ask->scratch);
    ask->reader = (struct said_reader){.arena = ask->arena,
                                       .scratch = ask->scratch,
                                       .asked = asked,
                                       .model = model,
                                       .passes = true,
                                       .take = listen_step,
                                       .ctx = ask};
    return true;
}

static bool listen(struct ask *ask, struct str type, struct str data, struct err *err)
{
    if (!data.ptr)
        return true;
    ask->answer->meter.events++;
    arena_rewind(ask->scratch, ask->scratch_start);
    return ask->dialect->read_said(&ask->reader, type, data, err);
}

static bool listen_event(struct ask *ask, const struct sse_event *event, bool *drop,
                         struct err *err)
{
    *drop = false;
    return listen(ask, event->event, event->has_data ? event->data : STR_NONE, err);
}

static bool listen_whole(struct ask *ask, struct str body, struct err *err)
{
    return listen(ask, STR_NONE, body, err) &&
           (ask->answer->meter.failed || ask->answer->meter.done ||
            ask->dialect->at_end(&ask->reader, err));
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
    if (ask->dialect && !ask->dialect->at_end(&((struct ask *)answer->own)->reader, err))
        return cut(answer, "", err);
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

/* Who asked for usage is told the estimate where the provider has none. */
static bool keep_estimate(struct ask *ask, struct str *out, struct err *err)
{
    struct str event;

    return ask->dialect || !ask->client_wants_usage || !usage_is_left_out(&ask->answer->meter) ||
           (uncounted_event(ask->arena, &ask->answer->meter, ask->prompt_bytes, &event, err) &&
            keep(ask, event, out, err));
}

static bool take_events(struct answer *answer, struct str *out, struct err *err)
{
    struct ask *ask = answer->own;
    struct sse_event event;
    bool drop;

    while (sse_next(&ask->events, &event)) {
        if (ask->dialect ? !listen_event(ask, &event, &drop, err)
                         : !chat_read_event(ask->arena, &event, ask->client_wants_usage,
                                            &answer->meter, &drop, err))
            return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(ask->provider->name));
        if (answer->meter.done && !keep_estimate(ask, out, err))
            return false;
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
    return keep_estimate(ask, out, err);
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
        if (!upstream_read(&ask->up, &got, err))
            return err->code == ERR_UNAVAILABLE ? cut(answer, "", err) : false;
        if (!digest(answer, got, &out, &end, err))
            return false;
    }
    *bytes = out;
    *last = end;
    return true;
}

/* ---- whole answers ---- */

static SUSPENDS bool next_whole(struct answer *answer, struct str *bytes, bool *last,
                                struct err *err)
{
    struct ask *ask = answer->own;
    struct str body;

    if (!upstream_whole(&ask->up, &body, err))
        return false;
    if (answer->status < 300 &&
        (ask->dialect ? !listen_whole(ask, body, err)
                      : !chat_read_reply(ask->arena, body, &answer->meter, err)))
        return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(ask->provider->name));
    if (answer->meter.failed) /* an error that calls itself 200 */
        answer->status = err_http_status(ERR_UNAVAILABLE);
    *bytes = body;
    *last = true;
    return true;
}

/* ---- asking ---- */

static SUSPENDS void end_ask(struct answer *answer)
{
    struct ask *ask = answer->own;

    upstream_end(&ask->up, answer->meter.done && !answer->meter.failed);
    arena_end(&ask->scratch);
}

static SUSPENDS bool send(struct ask *ask, const struct model *model,
                          const struct chat_request *request, uint64_t request_id, struct err *err)
{
    struct str pieces[CHAT_PIECES_MAX];
    struct chat_request asked = *request;
    struct chat_habits habits;
    struct upstream_question q = {.method = STR("POST"),
                                  .path = STR("/chat/completions"),
                                  .body = pieces,
                                  .accept = request->stream ? STR("text/event-stream")
                                                            : STR("application/json"),
                                  .request_id = request_id,
                                  .model = model->remote_name};

    habits_of_request(model, request, &habits);
    asked.habits = &habits;
    return habits_path(ask->arena, model, q.path, &q.path, err) &&
           chat_write_request(ask->arena, &asked, model->remote_name, pieces, &q.body_count, err) &&
           upstream_ask(&ask->up, ask->arena, model->provider, &q, err);
}

/* The client's body with the dialect's edits. */
static SUSPENDS bool send_same(struct ask *ask, const struct model *model,
                               const struct model_question *question,
                               const struct splicing *splicing, struct outgoing *out,
                               struct err *err)
{
    struct str pieces[3 * SPLICE_EDITS_MAX + 1];
    struct upstream_question q = {.method = out->method,
                                  .body = pieces,
                                  .accept = question->conversation->stream
                                                ? STR("text/event-stream")
                                                : STR("application/json"),
                                  .fields = out->fields,
                                  .field_count = out->field_count,
                                  .request_id = question->request_id,
                                  .model = model->remote_name};

    q.body_count = json_splice_pieces(ask->arena, question->json, splicing->edits,
                                      splicing->edit_count, pieces);
    if (!q.body_count)
        return err_arena(err, ask->arena);
    return habits_path(ask->arena, model, out->path, &q.path, err) &&
           upstream_ask(&ask->up, ask->arena, model->provider, &q, err);
}

static bool read_head(struct answer *answer, const struct ask *ask, struct err *err)
{
    const struct http_head *head = http_call_head(ask->up.call);

    if (!upstream_field(&ask->up, STR("content-type"), &answer->content_type, err) ||
        !upstream_field(&ask->up, STR("retry-after"), &answer->retry_after, err) ||
        !upstream_request_id(&ask->up, &answer->request_id, err))
        return false;
    answer->status = head->status;
    answer->streaming = head->status < 300 && str_eq_nocase(str_slice(answer->content_type, 0, 17),
                                                            STR("text/event-stream"));
    answer->next = answer->streaming ? next_events : next_whole;
    return true;
}

static struct answer *new_answer(struct arena *arena, const struct model *model,
                                 const struct model_question *question)
{
    const struct provider *provider = model->provider;
    struct answer *answer = arena_alloc(arena, sizeof *answer);
    struct ask *ask = arena_alloc(arena, sizeof *ask);

    if (!answer || !ask)
        return NULL;
    *ask = (struct ask){.answer = answer,
                        .arena = arena,
                        .provider = provider,
                        .dialect = question->chat ? NULL : provider->dialect,
                        .client_wants_usage = question->chat && question->chat->include_usage,
                        .prompt_bytes = question->chat ? question->chat->prompt_bytes : 0};
    answer->provider = provider->name;
    answer->remote_model = model->remote_name;
    answer->end = end_ask;
    answer->own = ask;
    chat_meter_init(&answer->meter, question->chat ? question->chat->n
                                                   : conversation_choices(question->conversation));
    return answer;
}

/* The head has been asked for: what comes of it. */
static SUSPENDS bool open_answer(struct answer *answer, struct ask *ask, struct err *err)
{
    if (!read_head(answer, ask, err))
        return false;
    ask->reader.streamed = answer->streaming;
    if (ask->dialect && !ask->dialect->reader_init(&ask->reader, err))
        return false;
    if (answer->streaming) {
        sse_reader_init(&ask->events, ask->arena, ask->provider->event_bytes_max);
        buf_init(&ask->gathered, ask->arena, ask->provider->event_bytes_max + GATHER_SLACK);
    }
    return true;
}

bool provider_ask(struct arena *arena, const struct model *model,
                  const struct model_question *question, struct answer **out, struct refusal *why,
                  struct err *err)
{
    struct answer *answer = new_answer(arena, model, question);
    struct ask *ask;

    ASSERT(model->provider);
    if (!answer)
        return err_arena(err, arena);
    ask = answer->own;
    if (!send(ask, model, question->chat, question->request_id, err)) {
        why->is_ours = ask->up.refused_us;
        return false;
    }
    if (!open_answer(answer, ask, err)) {
        end_ask(answer);
        return false;
    }
    *out = answer;
    return true;
}

bool provider_ask_same(struct arena *arena, const struct model *model,
                       const struct model_question *question, const struct splicing *splicing,
                       struct outgoing *outgoing, struct answer **out, struct refusal *why,
                       struct err *err)
{
    struct answer *answer = new_answer(arena, model, question);
    struct ask *ask;

    if (!answer)
        return err_arena(err, arena);
    ask = answer->own;
    if (!begin_listening(ask, model, question->conversation, err))
        return false;
    if (!send_same(ask, model, question, splicing, outgoing, err)) {
        why->is_ours = ask->up.refused_us;
        arena_end(&ask->scratch);
        return false;
    }
    if (!open_answer(answer, ask, err)) {
        end_ask(answer);
        return false;
    }
    *out = answer;
    return true;
}
