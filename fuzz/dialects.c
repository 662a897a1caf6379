/* Every dialect on any bytes. A request is refused with a reason, or can be written for every provider or
 * is refused with one, and what is written is JSON; an answer means the same however its stream is cut. The first
 * byte chooses the dialect and which of the two. */
#include "fuzz.h"

#include "models/dialect.h"
#include "models/models.h"

#define MEMORY    (256 * MIB)
#define MODERATES 224 /* choices from here on: inputs and their verdicts */
#define RERANKS   240 /* ... documents and their scores */

static const struct provider provider = {.name = {"p", 1}};
static const struct model model = {.remote_name = {"r", 1},
                                   .provider = &provider,
                                   .output_tokens_max = 100};

static void write_for_all(struct arena *arena, const struct conversation *c)
{
    const struct dialect *to;

    for (size_t i = 0; (to = dialect_at(i)); i++) {
        struct losses losses = {0};
        struct outgoing out = {0};
        struct err err = {0};
        size_t mark = arena_mark(arena);

        if (to->write_request && to->write_request(arena, c, &model, &losses, &out, &err))
            ASSERT(json_parse(arena, out.body, &err) || err.code == ERR_EXHAUSTED ||
                   err.code == ERR_TOO_LARGE);
        else
            ASSERT(!to->write_request || err.code != ERR_NONE);
        arena_rewind(arena, mark);
    }
}

static void request(const struct dialect *dialect, struct str text)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct conversation c;
    struct err err = {0};
    struct json *j = json_parse(arena, text, &err);

    if (!j || !dialect->read_request)
        return;
    if (dialect->read_request(arena, j, &c, &err))
        write_for_all(arena, &c);
    else
        ASSERT(err.code != ERR_NONE);
}

struct notes {
    struct buf text;
    uint32_t ends;
};

static bool note(void *ctx, const struct said *said, struct err *err)
{
    struct notes *n = ctx;

    (void)err;
    ASSERT(n->ends == 0); /* nothing follows the end */
    n->ends += said->kind == SAID_END;
    buf_fmt(&n->text, "%d %u %u %d:", (int)said->kind, said->choice, said->part, (int)said->finish);
    buf_str(&n->text, said->text);
    buf_str(&n->text, said->name);
    buf_str(&n->text, said->raw);
    return true;
}

static bool hear(const struct dialect *dialect, enum ask_kind kind, struct str text, size_t step,
                 struct notes *notes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY / 4);
    struct arena *scratch CLEANUP(arena_end) = arena_new(MEMORY / 4);
    struct conversation asked;
    struct said_reader r = {.arena = arena,
                            .scratch = scratch,
                            .asked = &asked,
                            .model = &model,
                            .streamed = true,
                            .take = note,
                            .ctx = notes};
    size_t mark = arena_mark(scratch);
    struct sse_reader events;
    struct sse_event event;
    struct err err = {0};

    conversation_init(&asked);
    asked.kind = kind;
    ASSERT(dialect->reader_init(&r, &err));
    sse_reader_init(&events, arena, MIB);
    for (size_t fed = 0; fed < text.len; fed += step) {
        if (!sse_feed(&events, str_slice(text, fed, fed + step), &err))
            return false;
        while (sse_next(&events, &event)) {
            arena_rewind(scratch, mark);
            if (event.has_data && !notes->ends &&
                !dialect->read_said(&r, event.event, event.data, &err))
                return false;
        }
    }
    return notes->ends || dialect->at_end(&r, &err);
}

static void answer(const struct dialect *dialect, enum ask_kind kind, struct str text, size_t step)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY / 4);
    struct notes whole = {0}, cut = {0};
    bool first, second;

    if (!dialect->reader_init)
        return;
    buf_init(&whole.text, arena, 16 * MIB);
    buf_init(&cut.text, arena, 16 * MIB);
    first = hear(dialect, kind, text, MAX_OF(text.len, 1), &whole);
    second = hear(dialect, kind, text, step, &cut);
    ASSERT(first == second && str_eq(buf_view(&whole.text), buf_view(&cut.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&text);
    const struct dialect *dialect = dialect_at((choice >> 1) % 7);
    enum ask_kind kind = choice >= RERANKS     ? ASK_RERANK
                         : choice >= MODERATES ? ASK_MODERATION
                                               : ASK_CHAT;

    ASSERT(dialect);
    if (kind == ASK_RERANK)
        dialect = choice & 1 ? &dialect_rerank : &dialect_openai;
    if (kind == ASK_MODERATION)
        dialect = choice & 1 ? &dialect_moderation : &dialect_openai;
    if (choice & 1)
        request(dialect, text);
    else
        answer(dialect, kind, text, 1 + choice % 13);
    return 0;
}
