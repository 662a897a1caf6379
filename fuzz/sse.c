/* Any bytes give the same events however they are cut, and the events' raw bytes with what is left over
 * are the bytes themselves. The first byte chooses the cuts and the limit. */
#include "fuzz.h"

#include "net/sse.h"

/* All there is to know about the events read so far, as text. */
static void note(struct buf *notes, const struct sse_event *e)
{
    buf_fmt(notes, "%zu %d %zu:", e->raw.len, e->has_data, e->data.len);
    buf_str(notes, e->data);
    buf_fmt(notes, "%zu:", e->event.len);
    buf_str(notes, e->event);
    buf_fmt(notes, "%zu:", e->id.len);
    buf_str(notes, e->id);
    ASSERT(e->has_data || e->data.len == 0);
}

/* false: an event was above the limit. */
static bool read_all(struct str text, size_t step, size_t limit, struct buf *notes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct sse_reader r;
    struct sse_event e;
    struct err err = {0};
    size_t at = 0;

    sse_reader_init(&r, arena, limit);
    for (size_t fed = 0; fed < text.len; fed += step) {
        if (!sse_feed(&r, str_slice(text, fed, fed + step), &err)) {
            ASSERT(err.code == ERR_TOO_LARGE);
            return false;
        }
        for (; sse_next(&r, &e); at += e.raw.len) {
            ASSERT(str_eq(e.raw, str_slice(text, at, at + e.raw.len)));
            note(notes, &e);
        }
    }
    sse_finish(&r);
    for (; sse_next(&r, &e); at += e.raw.len)
        note(notes, &e);
    ASSERT(at + sse_left_over(&r) == text.len);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str text = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&text);
    size_t limit = choice & 0x80 ? 32 : MIB;
    struct buf whole, cut;

    buf_init(&whole, arena, 16 * MIB);
    buf_init(&cut, arena, 16 * MIB);
    bool first = read_all(text, text.len, limit, &whole);
    bool second = read_all(text, 1 + choice % 16, limit, &cut);
    ASSERT(first == second);
    ASSERT(!first || str_eq(buf_view(&whole), buf_view(&cut)));
    ASSERT(buf_ok(&whole) || buf_ok(&cut));
    return 0;
}
