/* A request is refused with a reason, or what is written from it for a Gemini provider reads as a request
 * that is written the same; an answer means the same however its stream is cut. The first byte chooses. */
#include "fuzz.h"

#include "models/gemini.h"
#include "models/models.h"

static const struct provider provider = {.name = {"p", 1}};
static const struct model model = {.remote_name = {"gemini-3-x", 10}, .provider = &provider};

static bool rewrite(struct arena *arena, struct str body, struct str *out)
{
    struct conversation *c = arena_alloc(arena, sizeof *c);
    struct losses *losses = arena_alloc(arena, sizeof *losses);
    struct outgoing *sent = arena_alloc(arena, sizeof *sent);
    struct err err = {0};
    struct json *j;

    if (!c || !losses || !sent)
        return false;
    j = json_parse(arena, body, &err);
    if (!j || json_kind(j, json_root(j)) != JSON_OBJECT)
        return false;
    if (!dialect_gemini.read_request(arena, j, c, &err) ||
        !dialect_gemini.write_request(arena, c, &model, losses, sent, &err)) {
        ASSERT(err.code != ERR_NONE);
        return false;
    }
    *out = sent->body;
    return true;
}

static void request(struct str text)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str once, twice;
    struct json *a, *b;
    struct err err = {0};

    if (!rewrite(arena, text, &once))
        return;
    ASSERT(rewrite(arena, once, &twice));
    a = json_parse(arena, once, &err);
    b = json_parse(arena, twice, &err);
    ASSERT(a && b && json_equal(a, json_root(a), b, json_root(b)));
}

static bool note(void *ctx, const struct said *said, struct err *err)
{
    struct buf *notes = ctx;

    (void)err;
    buf_fmt(notes, "%d %u %u %d:", (int)said->kind, said->choice, said->part, (int)said->finish);
    buf_str(notes, said->text);
    buf_str(notes, said->name);
    buf_str(notes, said->raw);
    return true;
}

static bool read_all(struct str text, size_t step, struct buf *notes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct said_reader r = {
        .arena = arena, .scratch = scratch, .streamed = true, .take = note, .ctx = notes};
    struct sse_reader events;
    struct sse_event event;
    struct err err = {0};

    ASSERT(dialect_gemini.reader_init(&r, &err));
    sse_reader_init(&events, arena, MIB);
    for (size_t fed = 0; fed < text.len; fed += step) {
        if (!sse_feed(&events, str_slice(text, fed, fed + step), &err))
            return false;
        while (sse_next(&events, &event)) {
            size_t mark = arena_mark(scratch);

            if (event.has_data && !dialect_gemini.read_said(&r, event.event, event.data, &err))
                return false;
            arena_rewind(scratch, mark);
        }
    }
    return dialect_gemini.at_end(&r, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str text = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&text);
    struct buf whole, cut;

    if (choice & 1) {
        request(text);
        return 0;
    }
    buf_init(&whole, arena, 16 * MIB);
    buf_init(&cut, arena, 16 * MIB);
    bool first = read_all(text, MAX_OF(text.len, 1), &whole);
    bool second = read_all(text, 1 + choice / 8, &cut);
    ASSERT(first == second && str_eq(buf_view(&whole), buf_view(&cut)));
    return 0;
}
