/* Anthropic's and Responses' dialects, both sides. The first byte of the input says which, and where a
 * stream is cut. A request is refused with a reason, or written for a provider of the same dialect and for
 * one of the other as JSON without a key twice; a stream does not depend on where it is cut. */
#include "fuzz.h"

#include "models/dialect.h"
#include "models/models.h"
#include "net/sse.h"

#define MEMORY (64 * MIB)

static const struct provider provider = {.name = {"p", 1}};
static const struct model model = {.remote_name = {"r", 1}, .provider = &provider};

static void write(struct arena *arena, const struct conversation *c, const struct dialect *to)
{
    struct losses losses = {0};
    struct outgoing outgoing = {0};
    struct err err = {0};

    if (to->write_request(arena, c, &model, &losses, &outgoing, &err))
        ASSERT(json_parse(arena, outgoing.body, &err));
    else
        ASSERT(err.code == ERR_EXHAUSTED || err.code == ERR_TOO_LARGE);
}

static void request(struct arena *arena, const struct dialect *d, struct str body)
{
    static struct conversation c;
    struct err err = {0};
    struct json *j = json_parse(arena, body, &err);

    if (!j || !d->read_request(arena, j, &c, &err)) {
        ASSERT(err.code != ERR_NONE);
        return;
    }
    write(arena, &c, &dialect_anthropic);
    write(arena, &c, &dialect_responses);
}

struct run {
    struct said_reader reader;
    struct said_writer writer;
    struct sse_reader events;
    struct buf out;
    bool failed;
};

static bool take(void *ctx, const struct said *said, struct err *err)
{
    struct run *run = ctx;

    return run->writer.streamed && dialect_anthropic.write_said(&run->writer, said, &run->out, err);
}

static void begin(struct run *run, struct arena *arena, struct arena *scratch,
                  const struct dialect *d, const struct conversation *asked)
{
    struct err err = {0};

    *run = (struct run){0};
    run->reader = (struct said_reader){.arena = arena,
                                       .scratch = scratch,
                                       .asked = asked,
                                       .model = &model,
                                       .streamed = true,
                                       .take = take,
                                       .ctx = run};
    run->writer = (struct said_writer){
        .arena = arena, .asked = asked, .streamed = true, .id = STR("1"), .model = STR("m")};
    buf_init(&run->out, arena, MEMORY / 4);
    sse_reader_init(&run->events, arena, MEMORY / 16);
    ASSERT(d->reader_init(&run->reader, &err) && dialect_anthropic.writer_init(&run->writer, &err));
}

static void feed(struct run *run, const struct dialect *d, struct str bytes)
{
    struct sse_event event;
    struct err err = {0};

    if (run->failed)
        return;
    ASSERT(sse_feed(&run->events, bytes, &err));
    while (!run->failed && sse_next(&run->events, &event)) {
        size_t mark = arena_mark(run->reader.scratch);

        run->failed = event.has_data && !d->read_said(&run->reader, event.event, event.data, &err);
        ASSERT(run->failed == (err.code != ERR_NONE));
        arena_rewind(run->reader.scratch, mark);
    }
}

static void stream(struct arena *arena, const struct dialect *d, struct str text, size_t at)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(MEMORY);
    static struct conversation asked;
    struct run whole, cut;

    conversation_init(&asked);
    begin(&whole, arena, scratch, d, &asked);
    feed(&whole, d, text);
    begin(&cut, arena, scratch, d, &asked);
    feed(&cut, d, str_slice(text, 0, at));
    feed(&cut, d, str_slice(text, at, text.len));
    ASSERT(whole.failed == cut.failed);
    ASSERT(str_eq(buf_view(&whole.out), buf_view(&cut.out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str text = fuzz_text(data, size);
    const struct dialect *d;
    uint8_t choice;

    if (size > MEMORY / 64)
        return 0;
    choice = fuzz_choice(&text);
    d = choice & 1 ? &dialect_responses : &dialect_anthropic;
    if (choice & 2)
        stream(arena, d, text, (size_t)(choice >> 2) * text.len / 63);
    else
        request(arena, d, text);
    return 0;
}
