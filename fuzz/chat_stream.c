/* A provider's stream, cut anywhere: what is passed on and what is counted do not depend on the cut. The
 * first byte of the input says where. */
#include "fuzz.h"

#include <string.h>

#include "models/chat.h"

#define MEMORY (64 * MIB)

struct run {
    struct sse_reader reader;
    struct chat_meter meter;
    struct buf passed;
    bool stopped;
};

static void begin(struct run *run, struct arena *arena)
{
    *run = (struct run){0};
    sse_reader_init(&run->reader, arena, MEMORY / 16);
    chat_meter_init(&run->meter, 2);
    buf_init(&run->passed, arena, MEMORY / 4);
}

static void take(struct run *run, struct arena *arena)
{
    struct sse_event event;
    struct err err = {0};
    bool drop;

    while (!run->stopped && sse_next(&run->reader, &event)) {
        run->stopped = !chat_read_event(arena, &event, false, &run->meter, &drop, &err);
        ASSERT(run->stopped == (err.code != ERR_NONE));
        if (!run->stopped && !drop)
            buf_str(&run->passed, event.raw);
        run->stopped = run->stopped || run->meter.done || run->meter.failed;
    }
}

static void feed(struct run *run, struct arena *arena, struct str bytes)
{
    struct err err = {0};

    if (run->stopped)
        return;
    ASSERT(sse_feed(&run->reader, bytes, &err));
    take(run, arena);
}

static void finish(struct run *run, struct arena *arena)
{
    sse_finish(&run->reader);
    take(run, arena);
    chat_meter_close(&run->meter, 10);
    ASSERT(run->meter.usage.tokens_in >= 0 && run->meter.usage.tokens_out >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct run whole, cut;
    struct str text;
    size_t at;

    if (size > MEMORY / 32)
        return 0;
    text = fuzz_text(data, size);
    at = fuzz_choice(&text) * text.len / 255;
    begin(&whole, arena);
    begin(&cut, arena);
    feed(&whole, arena, text);
    finish(&whole, arena);
    feed(&cut, arena, str_slice(text, 0, at));
    feed(&cut, arena, str_slice(text, at, text.len));
    finish(&cut, arena);
    ASSERT(str_eq(buf_view(&whole.passed), buf_view(&cut.passed)));
    ASSERT(whole.meter.done == cut.meter.done && whole.meter.failed == cut.meter.failed);
    ASSERT(whole.meter.finished == cut.meter.finished && whole.meter.events == cut.meter.events);
    ASSERT(memcmp(&whole.meter.usage, &cut.meter.usage, sizeof whole.meter.usage) == 0);
    return 0;
}
