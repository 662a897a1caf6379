/* Asking a provider in its own dialect, and its answer step by step.
 *
 *   bytes --> framing (events of SSE, frames of AWS, or one whole body) --> read_said --> queue --> next()
 *
 * What one event says stands in the scratch arena, which is emptied when all of it has been given out. */
#include "models/speech.h"

#include "models/aws_frames.h"
#include "models/habits.h"
#include "models/tools.h"
#include "models/upstream.h"

#define SCRATCH_SLACK MIB /* beside an event: its index, decoded texts */
#define SCRATCH_TIMES 4   /* of the largest event or body: what its index costs */

struct step { /* of the queue */
    struct step *next;
    struct said said;
};

struct provided {
    struct speech speech;
    struct arena *arena, *scratch;
    size_t scratch_start;
    struct upstream up;
    const struct dialect *dialect;
    struct said_reader reader;
    union {
        struct sse_reader sse;
        struct aws_reader aws;
    } framing;
    struct step *first, **last;
    struct err failure; /* found behind good steps: told when they have been given out */
    uint32_t events;
    bool bytes_ended; /* the framing has been told */
    bool over;        /* END is in the queue, or has been given out */
};

static struct provided *provided_of(struct speech *s)
{
    return s->own;
}

/* ---- the queue ---- */

static NOINLINE bool said_failed(const struct provided *p, const struct said *said, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "sent an error%s: " STR_FMT,
                   p->reader.streamed && p->events > 1 ? " inside the stream"
                                                       : " in place of an answer",
                   STR_ARG(str_slice(said->text, 0, 140)));
}

static bool take(void *ctx, const struct said *said, struct err *err)
{
    struct provided *p = ctx;
    struct step *step;

    if (p->over)
        return true;
    if (said->kind == SAID_FAILED)
        return said_failed(p, said, err);
    step = arena_alloc(p->scratch, sizeof *step);
    if (!step)
        return err_arena(err, p->scratch);
    step->said = *said;
    *p->last = step;
    p->last = &step->next;
    p->over = said->kind == SAID_END;
    return true;
}

static void empty_queue(struct provided *p)
{
    arena_rewind(p->scratch, p->scratch_start);
    p->first = NULL;
    p->last = &p->first;
}

/* ---- framing ---- */

static NOINLINE bool of_provider(const struct provided *p, struct err *err)
{
    if (err->code == ERR_TOO_LARGE)
        err->code = ERR_UNAVAILABLE; /* it is the provider's event, not the request */
    return err_wrap(err, "provider \"" STR_FMT "\"", STR_ARG(p->up.provider->name));
}

/* The next event's type and data; *got is false when more bytes are needed. Frames that are errors of
 * their own framing fail. */
static bool next_frame(struct provided *p, struct str *type, struct str *data, bool *got,
                       struct err *err)
{
    struct aws_frame frame;

    if (!aws_next(&p->framing.aws, &frame, got, err))
        return false;
    if (!*got)
        return true;
    *type = frame.type;
    *data = frame.payload;
    if (str_eq(frame.message_type, STR("event")))
        return true;
    return err_set(
        err, ERR_UNAVAILABLE, "sent an error inside the stream: " STR_FMT " " STR_FMT,
        STR_ARG(str_slice(frame.type, 0, 60)),
        STR_ARG(str_slice(frame.error_message.len ? frame.error_message : frame.payload, 0, 100)));
}

static bool next_event(struct provided *p, struct str *type, struct str *data, bool *got,
                       struct err *err)
{
    struct sse_event event;

    if (p->dialect->framing == FRAMING_AWS)
        return next_frame(p, type, data, got, err);
    *got = sse_next(&p->framing.sse, &event);
    if (*got) {
        *type = event.event;
        *data = event.has_data ? event.data : STR_NONE;
    }
    return true;
}

static bool feed(struct provided *p, struct str bytes, struct err *err)
{
    return p->dialect->framing == FRAMING_AWS ? aws_feed(&p->framing.aws, bytes, err)
                                              : sse_feed(&p->framing.sse, bytes, err);
}

static size_t left_over(const struct provided *p)
{
    return p->dialect->framing == FRAMING_AWS ? aws_left_over(&p->framing.aws)
                                              : sse_left_over(&p->framing.sse);
}

/* ---- steps ---- */

/* What events are there already, until one has said something. */
static bool digest(struct provided *p, struct err *err)
{
    struct str type, data;
    bool got = true;

    while (!p->first && !p->over) {
        if (!next_event(p, &type, &data, &got, err))
            return of_provider(p, err);
        if (!got)
            return true;
        empty_queue(p);
        p->events += data.ptr != NULL;
        if (!p->dialect->read_said(&p->reader, type, data, err))
            return of_provider(p, err);
    }
    return true;
}

static NOINLINE bool end_of_bytes(struct provided *p, struct err *err)
{
    p->bytes_ended = true;
    if (p->dialect->framing == FRAMING_SSE)
        sse_finish(&p->framing.sse);
    if (!digest(p, err))
        return false;
    if (p->first || p->over)
        return true;
    if (left_over(p))
        return err_set(err, ERR_UNAVAILABLE,
                       "provider \"" STR_FMT "\" cut the stream after %" PRIu32
                       " events, inside one",
                       STR_ARG(p->up.provider->name), p->events);
    return p->dialect->at_end(&p->reader, err) || of_provider(p, err);
}

static NOINLINE bool cut(const struct provided *p, struct err *err)
{
    if (err->code != ERR_UNAVAILABLE)
        return false;
    return err_set(err, ERR_UNAVAILABLE,
                   "provider \"" STR_FMT "\" cut the stream after %" PRIu32 " events",
                   STR_ARG(p->up.provider->name), p->events);
}

static SUSPENDS bool read_more(struct provided *p, struct err *err)
{
    struct str bytes;

    if (p->bytes_ended) /* all events have been read, and none said so */
        return p->dialect->at_end(&p->reader, err) || of_provider(p, err);
    if (!upstream_read(&p->up, &bytes, err))
        return cut(p, err);
    if (str_is_empty(bytes))
        return end_of_bytes(p, err);
    if (!feed(p, bytes, err))
        return of_provider(p, err);
    return digest(p, err);
}

static SUSPENDS bool read_all(struct provided *p, struct err *err)
{
    struct str body;

    if (!upstream_whole(&p->up, &body, err))
        return false;
    p->events++;
    if (!p->dialect->read_said(&p->reader, STR_NONE, body, err) ||
        (!p->over && !p->dialect->at_end(&p->reader, err)))
        return of_provider(p, err);
    return true;
}

/* A failure behind good steps waits until they have been given out. */
static bool hold_back(struct provided *p, const struct err *failure, struct err *err)
{
    p->failure = *failure;
    p->over = true;
    if (p->first)
        return true;
    *err = *failure;
    return false;
}

static SUSPENDS bool fill(struct provided *p, struct err *err)
{
    struct err failure = {0};
    bool ok = true;

    while (ok && !p->first && !p->over) {
        empty_queue(p);
        ok = p->reader.streamed ? digest(p, &failure) && (p->first || read_more(p, &failure))
                                : read_all(p, &failure);
    }
    return ok || hold_back(p, &failure, err);
}

static SUSPENDS bool next_said(struct speech *s, const struct said **out, struct err *err)
{
    struct provided *p = provided_of(s);

    if (!p->first) {
        if (p->failure.code) {
            *err = p->failure;
            return false;
        }
        ASSERT(!p->over); /* END was the last */
        if (!fill(p, err))
            return false;
    }
    *out = &p->first->said;
    p->first = p->first->next;
    return true;
}

static bool is_ready(struct speech *s)
{
    struct provided *p = provided_of(s);
    struct err failure = {0};

    if (p->first || p->failure.code)
        return true;
    if (p->over || !p->reader.streamed)
        return false;
    if (!digest(p, &failure)) {
        p->failure = failure;
        p->over = true;
    }
    return p->first || p->failure.code;
}

static SUSPENDS void end_provided(struct speech *s)
{
    struct provided *p = provided_of(s);

    upstream_end(&p->up, p->over && !p->failure.code);
    arena_end(&p->scratch);
}

void speech_end(struct speech **s)
{
    if (*s)
        (*s)->end(*s);
    *s = NULL;
}

/* ---- refusals ---- */

static dur_ns seconds_of(struct str value)
{
    uint64_t n;

    /* A date, or a day and more, says nothing that anybody would wait for. */
    return u64_parse(str_trim(value), &n) && n <= 86400 ? (dur_ns)n * SECOND : 0;
}

static bool err_of_refusal(const struct provider *provider, const struct refusal *why,
                           struct err *err)
{
    enum err_code code = why->status == 429   ? ERR_EXHAUSTED
                         : why->status == 408 ? ERR_TIMEOUT
                         : why->status == 504 ? ERR_TIMEOUT
                         : why->status == 413 ? ERR_TOO_LARGE
                         : why->status < 500  ? ERR_INVALID
                                              : ERR_UNAVAILABLE;

    if (why->message.len)
        return err_set(err, code, "provider \"" STR_FMT "\" answered %d: " STR_FMT,
                       STR_ARG(provider->name), why->status,
                       STR_ARG(str_slice(why->message, 0, 160)));
    return err_set(err, code, "provider \"" STR_FMT "\" answered %d", STR_ARG(provider->name),
                   why->status);
}

bool refusal_read(struct arena *arena, const struct dialect *dialect,
                  const struct provider *provider, struct refusal *why, struct err *err)
{
    dialect->read_error(arena, why->body, why->status, &why->type, &why->message, &why->param,
                        &why->code);
    if (!why->retry_text.len && dialect->read_retry) {
        why->retry_text = dialect->read_retry(arena, why->body);
        why->retry_after = seconds_of(why->retry_text);
    }
    return err_of_refusal(provider, why, err);
}

static SUSPENDS bool refused(struct provided *p, struct refusal *why, struct err *err)
{
    const struct provider *provider = p->up.provider;

    *why = (struct refusal){.status = http_call_head(p->up.call)->status,
                            .request_id = p->speech.request_id,
                            .retry_text = p->speech.retry_after,
                            .retry_after = seconds_of(p->speech.retry_after)};
    if (!upstream_field(&p->up, STR("content-type"), &why->content_type, err))
        return false;
    if (!upstream_whole(&p->up, &why->body, err)) {
        if (err->code == ERR_UNAVAILABLE) /* the status came, its words did not */
            err_of_refusal(provider, why, err);
        return false;
    }
    why->body = arena_str(p->arena, why->body); /* outlives the call */
    if (!why->body.ptr)
        return err_arena(err, p->arena);
    return refusal_read(p->arena, p->dialect, provider, why, err);
}

/* ---- opening ---- */

static bool begin(struct provided *p, const struct conversation *asked, struct err *err)
{
    struct str type;

    if (!upstream_field(&p->up, STR("content-type"), &type, err))
        return false;
    p->reader = (struct said_reader){.arena = p->arena,
                                     .scratch = p->scratch,
                                     .asked = asked,
                                     .model = p->speech.model,
                                     .take = take,
                                     .ctx = p};
    if (p->dialect->framing == FRAMING_AWS) {
        p->reader.streamed =
            str_starts(type, STR("application/vnd.amazon.eventstream")) && asked->stream;
        aws_reader_init(&p->framing.aws, p->arena, p->up.provider->event_bytes_max);
    } else {
        p->reader.streamed = str_eq_nocase(str_slice(type, 0, 17), STR("text/event-stream"));
        sse_reader_init(&p->framing.sse, p->arena, p->up.provider->event_bytes_max);
    }
    return p->dialect->reader_init(&p->reader, err);
}

/* A text that goes on is a user's turn to who only chats. */
static const struct conversation *in_turns(const struct provided *p,
                                           const struct conversation *asked, struct err *err)
{
    struct conversation *chat;

    if (asked->kind != ASK_COMPLETION || p->dialect == &dialect_openai)
        return asked;
    chat = arena_alloc(p->arena, sizeof *chat);
    if (!chat) {
        (void)err_arena(err, p->arena);
        return NULL;
    }
    *chat = *asked;
    chat->kind = ASK_CHAT;
    if (chat->turns)
        return chat;
    err_set(err, ERR_INVALID, "prompt: the model's provider takes text, no tokens");
    return NULL;
}

static SUSPENDS bool ask(struct provided *p, const struct conversation *asked,
                         struct losses *losses, uint64_t request_id, struct err *err)
{
    const struct model *model = p->speech.model;
    struct outgoing out = {0};
    struct upstream_question q;

    if (!signatures_fit(p->arena, asked, p->dialect, losses, &asked, err) ||
        !words_fit(p->arena, asked, p->dialect, &asked, err) ||
        !leftovers_note(p->arena, asked, p->dialect, losses, err) ||
        !p->dialect->write_request(p->arena, asked, model, losses, &out, err))
        return false;
    if (!habits_path(p->arena, model, out.path, &out.path, err))
        return false;
    q = (struct upstream_question){.method = out.method,
                                   .path = out.path,
                                   .body = &out.body,
                                   .body_count = 1,
                                   .accept = !asked->stream ? STR("application/json")
                                             : p->dialect->framing == FRAMING_AWS
                                                 ? STR("application/vnd.amazon.eventstream")
                                                 : STR("text/event-stream"),
                                   .fields = out.fields,
                                   .field_count = out.field_count,
                                   .request_id = request_id,
                                   .model = model->remote_name};
    return upstream_ask(&p->up, p->arena, model->provider, &q, err);
}

static struct provided *new_provided(struct arena *arena, const struct model *model)
{
    const struct provider *provider = model->provider;
    size_t most = MAX_OF(provider->event_bytes_max, provider->reply_bytes_max);
    struct provided *p = arena_alloc(arena, sizeof *p);

    if (!p)
        return NULL;
    p->scratch = arena_new(MIN_OF(most, GIB) * SCRATCH_TIMES + SCRATCH_SLACK);
    if (!p->scratch)
        return NULL;
    p->scratch_start = arena_mark(p->scratch);
    p->arena = arena;
    p->dialect = provider->dialect ? provider->dialect : &dialect_openai;
    p->last = &p->first;
    p->speech = (struct speech){
        .model = model, .next = next_said, .end = end_provided, .ready = is_ready, .own = p};
    return p;
}

bool speech_open(struct arena *arena, const struct model *model, const struct conversation *asked,
                 struct losses *losses, uint64_t request_id, struct speech **out,
                 struct refusal *why, struct err *err)
{
    struct provided *p = new_provided(arena, model);
    bool ok;

    ASSERT(model->provider);
    if (!p)
        return err_arena(err, arena);
    asked = in_turns(p, asked, err);
    if (!asked || !ask(p, asked, losses, request_id, err)) {
        why->is_ours = p->up.refused_us;
        arena_end(&p->scratch);
        return false;
    }
    ok = upstream_field(&p->up, STR("retry-after"), &p->speech.retry_after, err) &&
         upstream_request_id(&p->up, &p->speech.request_id, err);
    if (ok && http_call_head(p->up.call)->status >= 300)
        ok = refused(p, why, err);
    else
        ok = ok && begin(p, asked, err);
    if (!ok) {
        end_provided(&p->speech);
        return false;
    }
    *out = &p->speech;
    return true;
}
