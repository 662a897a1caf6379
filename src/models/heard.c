/* Answers that the house makes in the OpenAI dialect, heard again: so that what answers in one dialect
 * answers clients of every other. */
#include "models/openai_internal.h"
#include "models/speech.h"

#define SCRATCH_MAX (64 * MIB) /* for one event, or the whole answer */

struct step { /* of the queue */
    struct step *next;
    struct said said;
};

struct heard {
    struct speech speech;
    struct arena *scratch;
    size_t scratch_start;
    const struct dialect *dialect;
    struct answer *answer;
    struct said_reader reader;
    struct sse_reader events;
    struct step *first, **last;
    bool begun, bytes_ended, over;
};

static bool take(void *ctx, const struct said *said, struct err *err)
{
    struct heard *h = ctx;
    struct step *step = arena_alloc(h->scratch, sizeof *step);

    if (said->kind == SAID_FAILED)
        return err_set(err, ERR_UNAVAILABLE, STR_FMT, STR_ARG(str_slice(said->text, 0, 200)));
    if (!step)
        return err_arena(err, h->scratch);
    step->said = *said;
    if (said->kind == SAID_USAGE && h->answer->meter.usage.tokens_in >= 0)
        step->said.usage = h->answer->meter.usage; /* knows what was only estimated */
    *h->last = step;
    h->last = &step->next;
    h->over = said->kind == SAID_END;
    return true;
}

static void empty_queue(struct heard *h)
{
    arena_rewind(h->scratch, h->scratch_start);
    h->first = NULL;
    h->last = &h->first;
}

/* An error status of whoever was asked behind the answer. */
static bool refused(struct heard *h, struct str body, struct err *err)
{
    struct str type = STR_NONE, message = STR_NONE, param = STR_NONE, code = STR_NONE;

    h->dialect->read_error(h->reader.arena, body, h->answer->status, &type, &message, &param,
                           &code);
    return err_set(err, h->answer->status == 429 ? ERR_EXHAUSTED : ERR_UNAVAILABLE,
                   "the model behind it answered %d: " STR_FMT, h->answer->status,
                   STR_ARG(str_slice(message, 0, 160)));
}

static bool begin(struct heard *h, struct str bytes, struct err *err)
{
    if (h->answer->status >= 300)
        return refused(h, bytes, err);
    h->begun = true;
    h->reader.streamed = h->answer->streaming;
    return h->dialect->reader_init(&h->reader, err);
}

static bool read_event(struct heard *h, struct err *err)
{
    struct sse_event event;

    while (!h->first && !h->over && sse_next(&h->events, &event)) {
        empty_queue(h);
        if (event.has_data && !h->dialect->read_said(&h->reader, event.event, event.data, err))
            return false;
    }
    return true;
}

static SUSPENDS bool hear(struct heard *h, struct err *err)
{
    struct str bytes;
    bool last = false;

    if (h->begun && h->reader.streamed && !read_event(h, err))
        return false;
    if (h->first || h->over)
        return true;
    if (h->bytes_ended)
        return h->dialect->at_end(&h->reader, err);
    if (!h->answer->next(h->answer, &bytes, &last, err))
        return false;
    h->bytes_ended = last;
    if (!h->begun && !begin(h, bytes, err))
        return false;
    if (!h->reader.streamed)
        return h->dialect->read_said(&h->reader, STR_NONE, bytes, err);
    return sse_feed(&h->events, bytes, err) && read_event(h, err);
}

static SUSPENDS bool next_said(struct speech *s, const struct said **out, struct err *err)
{
    struct heard *h = s->own;
    const struct openai_reader *own;

    if (!h->first)
        empty_queue(h);
    while (!h->first) {
        ASSERT(!h->over);
        if (!hear(h, err))
            return false;
    }
    own = h->reader.own;
    h->speech.weir = own->weir;
    h->speech.citations = h->answer->citations;
    *out = &h->first->said;
    h->first = h->first->next;
    return true;
}

static SUSPENDS void end_heard(struct speech *s)
{
    struct heard *h = s->own;

    answer_end(&h->answer);
    arena_end(&h->scratch);
}

bool speech_from_answer(struct arena *arena, const struct dialect *dialect,
                        const struct conversation *asked, struct answer *answer,
                        struct speech **out, struct err *err)
{
    struct heard *h = arena_alloc(arena, sizeof *h);

    ASSERT(dialect == &dialect_openai); /* whose reader keeps "weir" */
    if (!h)
        return err_arena(err, arena);
    h->scratch = arena_new(SCRATCH_MAX);
    if (!h->scratch)
        return err_no_room(err, "no memory to hear an answer with");
    h->scratch_start = arena_mark(h->scratch);
    h->dialect = dialect;
    h->answer = answer;
    h->last = &h->first;
    h->reader = (struct said_reader){
        .arena = arena, .scratch = h->scratch, .asked = asked, .take = take, .ctx = h};
    sse_reader_init(&h->events, arena, SCRATCH_MAX / 4);
    h->speech = (struct speech){.next = next_said, .end = end_heard, .own = h};
    *out = &h->speech;
    return true;
}
