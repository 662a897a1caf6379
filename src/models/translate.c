/* A speech as bytes in the client's dialect. A burst of steps becomes one piece. */
#include "models/speech.h"
#include "sys/clock.h"

#define PIECE_BYTES (64 * KIB)  /* about as much as goes to the client at once */
#define REPLY_MAX   (256 * MIB) /* the request's arena is the limit */

struct translation {
    struct answer answer;
    struct arena *arena;
    const struct dialect *client;
    struct speech *speech;
    struct said_writer writer;
    struct losses lost; /* of the answer: what the client's dialect has no place for */
    struct buf out;
    struct err failure; /* found behind good bytes: told at the next call */
    bool counted;       /* usage has been told */
};

/* Who speaks may change on the way. */
static void show_speaker(struct translation *t)
{
    const struct model *model = t->speech->model;

    if (model) {
        t->writer.heard = !model->provider           ? NULL
                          : model->provider->dialect ? model->provider->dialect
                                                     : &dialect_openai;
        t->answer.provider = model->provider ? model->provider->name : STR_NONE;
        t->answer.remote_model = model->remote_name;
    }
    t->writer.weir = t->speech->weir;
    t->answer.citations = t->speech->citations;
}

/* ---- pieces ---- */

/* Streams of OpenAI's dialects show it to who asked for it. */
static bool shows_usage(const struct translation *t)
{
    return !t->writer.streamed || t->writer.asked->include_usage || !dialect_is_openai(t->client);
}

/* What nobody counted is estimated, and said to be. `heard`: what was counted; NULL: nothing. */
static bool tell_usage(struct translation *t, const struct said *heard, struct err *err)
{
    struct chat_meter meter = t->answer.meter;
    struct said said = {.kind = SAID_USAGE};

    t->counted = true;
    meter.usage = heard ? heard->usage : usage_unknown;
    if (!ask_is_whole(t->writer.asked->kind))
        chat_meter_close(&meter, t->writer.asked->prompt_bytes);
    t->writer.usage_estimated = meter.usage.estimated && shows_usage(t);
    said.usage = meter.usage;
    return said_tell(t->client, &t->writer, &said, &t->out, err);
}

static bool tell(struct translation *t, const struct said *said, struct err *err)
{
    if (said->kind == SAID_USAGE)
        return tell_usage(t, said, err);
    if (said->kind == SAID_END && !t->counted && !tell_usage(t, NULL, err))
        return false;
    return said_tell(t->client, &t->writer, said, &t->out, err);
}

/* One more step into the buffer. *last: it was the end. */
static SUSPENDS bool step(struct translation *t, bool *last, struct err *err)
{
    const struct said *said;

    if (!t->speech->next(t->speech, &said, err))
        return false;
    show_speaker(t);
    said_measure(&t->answer.meter, said);
    t->answer.meter.events++;
    if (!tell(t, said, err))
        return false;
    *last = said->kind == SAID_END;
    return true;
}

static bool goes_on(struct translation *t)
{
    if (!t->writer.streamed || !t->out.len)
        return true;
    return t->speech->ready && t->out.len < PIECE_BYTES && t->speech->ready(t->speech);
}

static SUSPENDS bool next_bytes(struct answer *answer, struct str *bytes, bool *last,
                                struct err *err)
{
    struct translation *t = answer->own;
    struct err failure = {0};
    bool end = false;

    if (t->failure.code) {
        *err = t->failure;
        return false;
    }
    t->out.len = 0;
    do {
        if (!step(t, &end, &failure)) {
            t->failure = failure;
            break;
        }
    } while (!end && goes_on(t));
    if (failure.code && (!t->out.len || !t->writer.streamed)) {
        *err = failure;
        return false;
    }
    if (!buf_finish(&t->out, bytes, err))
        return false;
    *last = end;
    return true;
}

/* Not by answer->own: who looks after the answer puts itself in front of it. */
static void tell_failure(struct answer *answer, struct buf *out, const struct err *why)
{
    struct translation *t = CONTAINER_OF(answer, struct translation, answer);

    t->client->write_stream_error(&t->writer, out, why);
}

static SUSPENDS void end_translation(struct answer *answer)
{
    struct translation *t = answer->own;

    speech_end(&t->speech);
}

struct answer *answer_from_speech(struct arena *arena, const struct dialect *client,
                                  const struct conversation *asked, struct speech *speech,
                                  struct str id, struct err *err)
{
    struct translation *t = arena_alloc(arena, sizeof *t);
    bool streamed = asked->stream && !ask_is_whole(asked->kind);

    ASSERT(client->write_said);
    if (!t) {
        (void)err_arena(err, arena);
        return NULL;
    }
    t->arena = arena;
    t->client = client;
    t->speech = speech;
    buf_init(&t->out, arena, REPLY_MAX);
    t->writer = (struct said_writer){.arena = arena,
                                     .asked = asked,
                                     .streamed = streamed,
                                     .id = id,
                                     .model = asked->model,
                                     .created = clock_wall() / 1000,
                                     .lost = &t->lost};
    t->answer =
        (struct answer){.status = 200,
                        .streaming = streamed,
                        .content_type = streamed ? client->stream_type : STR("application/json"),
                        .retry_after = speech->retry_after,
                        .request_id = speech->request_id,
                        .next = next_bytes,
                        .end = end_translation,
                        .tell_failure = tell_failure,
                        .lost = &t->lost,
                        .own = t};
    chat_meter_init(&t->answer.meter, conversation_choices(asked));
    show_speaker(t);
    return client->writer_init(&t->writer, err) ? &t->answer : NULL;
}
