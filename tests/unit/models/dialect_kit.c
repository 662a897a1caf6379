#include "dialect_kit.h"

#include <string.h>

#include "models/aws_frames.h"
#include "models/responses.h"
#include "models/tools.h"
#include "test.h"

static const struct provider provider = {.name = {"fake", 4}};
const struct model kit_model = {.name = {"m", 1},
                                .remote_name = {"remote-m", 8},
                                .provider = &provider,
                                .output_tokens_max = 4096};

bool kit_wants_all;
static struct responses_asked wants_encrypted = {.include_encrypted = true};

struct conversation *kit_read(struct arena *arena, const struct dialect *from, const char *body,
                              struct err *err)
{
    struct conversation *c = arena_alloc(arena, sizeof *c);
    struct json *j = json_parse(arena, str_from(body), err);

    if (!j || !c || !from->read_request(arena, j, c, err))
        return NULL;
    return c;
}

struct str kit_request(struct arena *arena, const struct dialect *from, const struct dialect *to,
                       const char *body, struct losses *losses, struct err *err)
{
    const struct conversation *c = kit_read(arena, from, body, err);
    struct outgoing out = {0};

    if (!c || !words_fit(arena, c, to, &c, err) || !leftovers_note(arena, c, to, losses, err) ||
        !to->write_request(arena, c, &kit_model, losses, &out, err))
        return STR_NONE;
    return out.body;
}

void kit_client_init(struct kit_client *k, struct arena *arena, const struct dialect *dialect,
                     bool streamed)
{
    struct err err = {0};

    *k = (struct kit_client){0};
    conversation_init(&k->asked);
    k->asked.spoken = dialect;
    k->asked.stream = streamed;
    k->asked.include_usage = true;
    k->asked.reasoning_summary = STR("auto"); /* some tell thoughts only to who wants them */
    k->asked.model = STR("m");
    if (kit_wants_all && dialect == &dialect_responses)
        k->asked.own = &wants_encrypted;
    k->writer = (struct said_writer){.arena = arena,
                                     .asked = &k->asked,
                                     .streamed = streamed,
                                     .id = STR("7f3a"),
                                     .model = STR("m"),
                                     .created = 1700000000,
                                     .lost = &k->lost};
    buf_init(&k->out, arena, 16 * MIB);
    EXPECT(dialect->writer_init(&k->writer, &err), "%s", err.text);
}

void kit_say(struct kit_client *k, const struct dialect *dialect, const struct said *said)
{
    struct err err = {0};

    k->said++;
    EXPECT(said_tell(dialect, &k->writer, said, &k->out, &err), "%s", err.text);
}

struct passing {
    struct kit_client client;
    const struct dialect *to;
};

static bool take(void *ctx, const struct said *said, struct err *err)
{
    struct passing *p = ctx;

    p->client.said++;
    return said_tell(p->to, &p->client.writer, said, &p->client.out, err);
}

static bool feed(struct sse_reader *events, struct said_reader *r, const struct dialect *from,
                 struct str bytes, struct err *err)
{
    struct sse_event event;

    if (bytes.len && !sse_feed(events, bytes, err))
        return false;
    while (sse_next(events, &event)) {
        size_t mark = arena_mark(r->scratch);

        if (event.has_data && !from->read_said(r, event.event, event.data, err))
            return false;
        arena_rewind(r->scratch, mark);
    }
    return true;
}

static bool feed_frames(struct aws_reader *frames, struct said_reader *r,
                        const struct dialect *from, struct str bytes, struct err *err)
{
    struct aws_frame frame;
    bool got;

    if (!aws_feed(frames, bytes, err))
        return false;
    for (;;) {
        size_t mark = arena_mark(r->scratch);

        if (!aws_next(frames, &frame, &got, err))
            return false;
        if (!got)
            return true;
        if (!from->read_said(r, frame.type, frame.payload, err))
            return false;
        arena_rewind(r->scratch, mark);
    }
}

static bool feed_all(struct said_reader *r, const struct dialect *from, struct str bytes,
                     size_t cut, struct err *err)
{
    struct aws_reader frames;

    aws_reader_init(&frames, r->arena, MIB);
    if (!feed_frames(&frames, r, from, str_slice(bytes, 0, cut), err) ||
        !feed_frames(&frames, r, from, str_slice(bytes, cut, bytes.len), err))
        return false;
    return aws_left_over(&frames) == 0 || err_set(err, ERR_UNAVAILABLE, "cut inside a frame");
}

struct str kit_answer(struct arena *arena, const struct dialect *from, const struct dialect *to,
                      bool streamed, struct str bytes, size_t cut, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(16 * MIB);
    struct passing p = {.to = to};
    struct said_reader r = {.arena = arena,
                            .scratch = scratch,
                            .model = &kit_model,
                            .asked = &p.client.asked,
                            .streamed = streamed,
                            .take = take,
                            .ctx = &p};
    struct sse_reader events;
    bool ok;

    kit_client_init(&p.client, arena, to, streamed);
    p.client.writer.heard = from;
    if (!from->reader_init(&r, err))
        return STR_NONE;
    sse_reader_init(&events, arena, MIB);
    if (streamed && from->framing == FRAMING_AWS) {
        ok = feed_all(&r, from, bytes, cut, err);
    } else if (streamed) {
        ok = feed(&events, &r, from, str_slice(bytes, 0, cut), err) &&
             feed(&events, &r, from, str_slice(bytes, cut, bytes.len), err);
        sse_finish(&events);
        ok = ok && feed(&events, &r, from, STR_NONE, err);
    } else {
        ok = from->read_said(&r, STR_NONE, bytes, err);
    }
    return ok && from->at_end(&r, err) ? buf_view(&p.client.out) : STR_NONE;
}

struct telling {
    const struct dialect *to;
    struct said_writer writer;
    struct buf out;
};

static bool take_told(void *ctx, const struct said *said, struct err *err)
{
    struct telling *t = ctx;

    return said_tell(t->to, &t->writer, said, &t->out, err);
}

struct str kit_told(struct arena *arena, const struct dialect *client, const char *asked,
                    const char *reply, struct losses *lost, struct err *err)
{
    struct conversation *c = kit_read(arena, client, asked, err);
    struct telling t = {.to = client,
                        .writer = {.arena = arena, .asked = c, .id = STR("1"), .lost = lost}};
    struct said_reader r = {.arena = arena,
                            .scratch = arena,
                            .asked = c,
                            .model = &kit_model,
                            .take = take_told,
                            .ctx = &t};

    if (!c)
        return STR_NONE;
    t.writer.model = c->model;
    buf_init(&t.out, arena, MIB);
    return client->writer_init(&t.writer, err) && dialect_openai.reader_init(&r, err) &&
                   dialect_openai.read_said(&r, STR_NONE, str_from(reply), err) &&
                   dialect_openai.at_end(&r, err)
               ? buf_view(&t.out)
               : STR_NONE;
}

bool kit_same_json(struct arena *arena, const char *name, struct str got, const char *want)
{
    struct err err = {0};
    struct json *a = got.ptr ? json_parse(arena, got, &err) : NULL;
    struct json *b = json_parse(arena, str_from(want), &err);
    bool same = a && b && json_equal(a, json_root(a), b, json_root(b));

    EXPECT(same, "%s: %s\n got " STR_FMT "\nwant %s", name, err.text, STR_ARG(got), want);
    return same;
}
