/* Every client dialect against every provider dialect, over the table of all that there are: what is asked
 * and what is told means the same on the other side. */
#include <string.h>

#include "dialect_kit.h"
#include "models/aws_frames.h"
#include "models/openai_internal.h"
#include "test.h"

#define MEMORY (64 * MIB)

/* ---- what is asked ---- */

/* clang-format off: JSON as it is sent */
static const char asked[] =
    "{\"model\":\"m\",\"max_tokens\":50,\"temperature\":0.5,\"stop\":[\"END\"],"
    "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Look \\\"here\\\"\\n\\u00e9\"},"
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},"
    "{\"role\":\"assistant\",\"content\":\"Two calls.\",\"tool_calls\":["
    "{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":"
    "1}\"}},"
    "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"b\\\":["
    "true]}\"}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"four\"},"
    "{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":\"five\"},"
    "{\"role\":\"assistant\",\"content\":\"Nine.\"},{\"role\":\"user\",\"content\":\"Go on.\"}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"adds\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{}}}}],"
    "\"tool_choice\":\"required\"}";
/* clang-format on */

static void put_json(struct arena *arena, struct buf *out, struct str raw)
{
    struct err err = {0};
    struct json *j = json_parse(arena, raw.len ? raw : STR("{}"), &err);

    /* without what is only spelling: spaces */
    EXPECT(j, "%s in " STR_FMT, err.text, STR_ARG(raw));
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] != ' ' && raw.ptr[i] != '\n')
            buf_char(out, raw.ptr[i]);
}

static void put_part(struct arena *arena, struct buf *out, const struct part *p)
{
    switch (p->kind) {
    case PART_TEXT: buf_fmt(out, "text " STR_FMT "|", STR_ARG(p->text)); break;
    case PART_IMAGE:
        buf_fmt(out, "image " STR_FMT " " STR_FMT "|", STR_ARG(p->media_type), STR_ARG(p->data));
        break;
    case PART_TOOL_CALL:
        buf_fmt(out, "call " STR_FMT " ", STR_ARG(p->name));
        put_json(arena, out, p->arguments);
        buf_char(out, '|');
        break;
    case PART_TOOL_RESULT:
        buf_str(out, STR("result "));
        for (const struct part *in = p->inner; in; in = in->next)
            put_part(arena, out, in);
        break;
    default: buf_fmt(out, "part %d|", (int)p->kind);
    }
}

/* What must be the same: who said what, the calls, the tools, the limits. */
static struct str essence(struct arena *arena, const struct conversation *c)
{
    struct buf out;

    buf_init(&out, arena, MIB);
    for (const struct turn *t = c->turns; t; t = t->next) {
        buf_str(&out, t->role == TURN_ASSISTANT                             ? STR("A:")
                      : t->role == TURN_SYSTEM || t->role == TURN_DEVELOPER ? STR("S:")
                                                                            : STR("U:"));
        for (const struct part *p = t->parts; p; p = p->next)
            put_part(arena, &out, p);
    }
    for (const struct tool *t = c->tools; t; t = t->next)
        buf_fmt(&out, "tool " STR_FMT " " STR_FMT "|", STR_ARG(t->name), STR_ARG(t->description));
    buf_fmt(&out, "max %" PRId64 " t %g choice %d stop " STR_FMT, c->max_tokens, c->temperature,
            (int)c->tool_choice, STR_ARG(c->stops[0]));
    return buf_view(&out);
}

/* Results may share a turn or have one each: "U:result a|U:result b|" is "U:result a|result b|". */
static struct str joined(struct arena *arena, struct str s)
{
    struct buf out;
    char who = 0;

    buf_init(&out, arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++) {
        bool mark = i + 1 < s.len && s.ptr[i + 1] == ':' && (i == 0 || s.ptr[i - 1] == '|') &&
                    strchr("ASU", s.ptr[i]);

        if (mark && s.ptr[i] == who) {
            i++;
            continue;
        }
        if (mark)
            who = s.ptr[i];
        buf_char(&out, s.ptr[i]);
    }
    return buf_view(&out);
}

TEST(matrix_what_is_asked_means_the_same_in_every_provider_dialect)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    const struct dialect *to;
    struct err err = {0};
    struct conversation *c = kit_read(arena, &dialect_openai, asked, &err);
    struct str want;
    int tried = 0;

    REQUIRE(c, "%s", err.text);
    want = joined(arena, essence(arena, c));
    for (size_t i = 0; (to = dialect_at(i)); i++) {
        struct losses losses = {0};
        struct outgoing out = {0};
        struct conversation *back;

        if (!to->write_request)
            continue;
        EXPECT(to->write_request(arena, c, &kit_model, &losses, &out, &err), "%s: %s", to->name,
               err.text);
        for (uint32_t l = 0; l < losses.count; l++) /* the Responses dialect has no stops */
            EXPECT(str_eq(losses.fields[l], STR("stop")), "%s lost " STR_FMT, to->name,
                   STR_ARG(losses.fields[l]));
        if (!to->read_request)
            continue;
        back = kit_read(arena, to, arena_str(arena, out.body).ptr, &err);
        EXPECT(back, "%s: %s", to->name, err.text);
        if (back && losses.count)
            back->stops[0] = c->stops[0];
        if (back) {
            struct str got = joined(arena, essence(arena, back));

            EXPECT(str_eq(got, want), "%s:\n got " STR_FMT "\nwant " STR_FMT, to->name,
                   STR_ARG(got), STR_ARG(want));
        }
        tried++;
    }
    EXPECT(tried >= 4, "%d", tried);
}

/* ---- what is told ---- */

static const struct said text_steps[] = {
    {.kind = SAID_BEGIN, .id = {"c1", 2}, .model = {"r", 1}},
    {.kind = SAID_TEXT, .text = {"Hel", 3}},
    {.kind = SAID_PING},
    {.kind = SAID_TEXT, .text = {"lo \"you\"\n\xc3\xa9", 12}},
    {.kind = SAID_FINISH, .finish = FINISH_LENGTH},
    {.kind = SAID_USAGE,
     .usage = {.tokens_in = 9,
               .tokens_out = 4,
               .tokens_cached = 3,
               .tokens_cache_write = -1,
               .tokens_cache_write_long = -1,
               .tokens_reasoning = -1,
               .tokens_audio_in = -1,
               .tokens_audio_out = -1,
               .tokens_image_in = -1}},
    {.kind = SAID_END},
};

/* Two calls whose pieces come in turns. */
static const struct said call_steps[] = {
    {.kind = SAID_BEGIN, .id = {"c1", 2}, .model = {"r", 1}},
    {.kind = SAID_REASONING, .text = {"h", 1}},
    {.kind = SAID_REASONING, .text = {"m", 1}},
    {.kind = SAID_TEXT, .part = 1, .text = {"Two.", 4}},
    {.kind = SAID_TOOL, .part = 2, .id = {"t1", 2}, .name = {"f", 1}},
    {.kind = SAID_ARGUMENTS, .part = 2, .text = {"{\"a\"", 4}},
    {.kind = SAID_TOOL, .part = 3, .id = {"t2", 2}, .name = {"g", 1}},
    {.kind = SAID_ARGUMENTS, .part = 3, .text = {"{\"b\":[", 6}},
    {.kind = SAID_ARGUMENTS, .part = 2, .text = {":1}", 3}},
    {.kind = SAID_ARGUMENTS, .part = 3, .text = {"true]}", 6}},
    {.kind = SAID_FINISH, .finish = FINISH_TOOL_CALLS},
    {.kind = SAID_USAGE,
     .usage = {.tokens_in = 9,
               .tokens_out = 4,
               .tokens_cached = -1,
               .tokens_cache_write = -1,
               .tokens_cache_write_long = -1,
               .tokens_reasoning = -1,
               .tokens_audio_in = -1,
               .tokens_audio_out = -1,
               .tokens_image_in = -1}},
    {.kind = SAID_END},
};

struct memory { /* of what was heard */
    struct arena *arena;
    struct buf text, reasoning, calls[4];
    struct str names[4];
    uint32_t parts[4], call_count;
    enum finish_reason finish;
    int finishes, ends;
    struct usage usage;
};

static bool note(void *ctx, const struct said *said, struct err *err)
{
    struct memory *m = ctx;
    uint32_t i = 0;

    (void)err;
    while (i < m->call_count && m->parts[i] != said->part)
        i++;
    if (said->kind == SAID_TEXT)
        buf_str(&m->text, said->text);
    if (said->kind == SAID_REASONING)
        buf_str(&m->reasoning, said->text);
    if (said->kind == SAID_TOOL && m->call_count < 4) {
        m->parts[m->call_count] = said->part;
        m->names[m->call_count] = arena_str(m->arena, said->name);
        buf_init(&m->calls[m->call_count++], m->arena, KIB);
    }
    if (said->kind == SAID_ARGUMENTS && i < m->call_count)
        buf_str(&m->calls[i], said->text);
    if (said->kind == SAID_FINISH) {
        m->finish = said->finish;
        m->finishes++;
    }
    if (said->kind == SAID_USAGE)
        m->usage = said->usage;
    m->ends += said->kind == SAID_END;
    return true;
}

static struct str told_essence(struct arena *arena, struct memory *m)
{
    struct buf out;

    buf_init(&out, arena, MIB);
    buf_fmt(&out, "reasoning " STR_FMT "|text " STR_FMT "|", STR_ARG(buf_view(&m->reasoning)),
            STR_ARG(buf_view(&m->text)));
    for (uint32_t i = 0; i < m->call_count; i++) {
        buf_fmt(&out, "call " STR_FMT " ", STR_ARG(m->names[i]));
        put_json(arena, &out, buf_view(&m->calls[i]));
        buf_char(&out, '|');
    }
    buf_fmt(&out, "finish %d x%d in %" PRId64 " out %" PRId64 " end x%d", (int)m->finish,
            m->finishes, m->usage.tokens_in, m->usage.tokens_out, m->ends);
    return buf_view(&out);
}

static void remember(struct memory *m, struct arena *arena)
{
    *m = (struct memory){.arena = arena};
    buf_init(&m->text, arena, KIB);
    buf_init(&m->reasoning, arena, KIB);
}

static struct str essence_of(struct arena *arena, const struct said *steps, size_t count)
{
    struct err err = {0};
    struct memory m;

    remember(&m, arena);
    for (size_t i = 0; i < count; i++)
        (void)note(&m, &steps[i], &err);
    return told_essence(arena, &m);
}

static bool hear_frames(struct said_reader *r, const struct dialect *dialect,
                        const struct str pieces[2], struct err *err)
{
    struct aws_reader frames;
    struct aws_frame frame;
    bool got = true;

    aws_reader_init(&frames, r->arena, MIB);
    for (size_t i = 0; i < 2; i++) {
        if (!aws_feed(&frames, pieces[i], err))
            return false;
        while (aws_next(&frames, &frame, &got, err) && got)
            if (!dialect->read_said(r, frame.type, frame.payload, err))
                return false;
        if (err->code)
            return false;
    }
    return aws_left_over(&frames) == 0 || err_set(err, ERR_UNAVAILABLE, "cut inside a frame");
}

/* Bytes of an answer, heard. */
static struct str hear(struct arena *arena, const struct dialect *dialect, bool streamed,
                       struct str bytes, size_t cut, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(16 * MIB);
    struct str pieces[] = {str_slice(bytes, 0, cut), str_slice(bytes, cut, bytes.len)};
    struct conversation question;
    struct memory m;
    struct said_reader r = {.arena = arena,
                            .scratch = scratch,
                            .asked = &question,
                            .model = &kit_model,
                            .streamed = streamed,
                            .take = note,
                            .ctx = &m};
    struct sse_reader events;
    struct sse_event event;

    conversation_init(&question);
    remember(&m, arena);
    if (!dialect->reader_init(&r, err))
        return STR_NONE;
    sse_reader_init(&events, arena, MIB);
    if (!streamed && !dialect->read_said(&r, STR_NONE, bytes, err))
        return STR_NONE;
    if (streamed && dialect->framing == FRAMING_AWS)
        return hear_frames(&r, dialect, pieces, err) && dialect->at_end(&r, err)
                   ? told_essence(arena, &m)
                   : STR_NONE;
    for (size_t i = 0; streamed && i < ARRAY_LEN(pieces); i++) {
        if (pieces[i].len && !sse_feed(&events, pieces[i], err))
            return STR_NONE;
        while (sse_next(&events, &event))
            if (event.has_data && !dialect->read_said(&r, event.event, event.data, err))
                return STR_NONE;
    }
    return dialect->at_end(&r, err) ? told_essence(arena, &m) : STR_NONE;
}

/* Whoever reads what this dialect writes to clients; NULL: nobody here. */
static const struct dialect *reader_of(const struct dialect *dialect)
{
    return dialect == &dialect_completions ? &dialect_openai
           : dialect->reader_init          ? dialect
                                           : NULL;
}

static struct str tell(struct arena *arena, const struct dialect *dialect, bool streamed,
                       const struct said *steps, size_t count)
{
    struct kit_client client;

    kit_client_init(&client, arena, dialect, streamed);
    for (size_t i = 0; i < count; i++)
        kit_say(&client, dialect, &steps[i]);
    return buf_view(&client.out);
}

static void tell_and_hear(const struct said *steps, size_t count, bool only_texts)
{
    const struct dialect *dialect;
    int tried = 0;

    for (size_t i = 0; (dialect = dialect_at(i)); i++) {
        if (!dialect->writer_init || !reader_of(dialect) || dialect == &dialect_embeddings ||
            dialect == &dialect_rerank || dialect == &dialect_moderation ||
            (dialect == &dialect_completions && !only_texts))
            continue;
        for (int streamed = 0; streamed < 2; streamed++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
            struct str want = essence_of(arena, steps, count), bytes, got;
            struct err err = {0};

            bytes = tell(arena, dialect, streamed, steps, count);
            got = hear(arena, reader_of(dialect), streamed, bytes, bytes.len / 2, &err);
            EXPECT(str_eq(got, want),
                   "%s %s: %s\n got " STR_FMT "\nwant " STR_FMT "\nfrom " STR_FMT, dialect->name,
                   streamed ? "streamed" : "whole", err.text, STR_ARG(got), STR_ARG(want),
                   STR_ARG(bytes));
            tried++;
        }
    }
    EXPECT(tried >= 8, "%d", tried);
}

TEST(matrix_texts_told_to_clients_are_heard_as_they_were_said)
{
    tell_and_hear(text_steps, ARRAY_LEN(text_steps), true);
}

TEST(matrix_calls_told_to_clients_are_heard_as_they_were_said)
{
    tell_and_hear(call_steps, ARRAY_LEN(call_steps), false);
}

/* From the bytes of every provider dialect to the bytes of every client dialect. */
static void cross(const struct dialect *from, const struct dialect *to, bool streamed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str want = essence_of(arena, call_steps, ARRAY_LEN(call_steps)), sent, told, got;
    struct err err = {0};

    sent = tell(arena, from, streamed, call_steps, ARRAY_LEN(call_steps));
    told = kit_answer(arena, from, to, streamed, sent, sent.len / 3, &err);
    EXPECT(told.ptr, "%s to %s: %s", from->name, to->name, err.text);
    got = hear(arena, to, streamed, told, told.len / 2, &err);
    EXPECT(str_eq(got, want), "%s to %s, %s: %s\n got " STR_FMT "\nwant " STR_FMT, from->name,
           to->name, streamed ? "streamed" : "whole", err.text, STR_ARG(got), STR_ARG(want));
}

TEST(matrix_every_provider_dialect_reaches_every_client_dialect)
{
    const struct dialect *from, *to;

    for (size_t i = 0; (from = dialect_at(i)); i++)
        for (size_t k = 0; (to = dialect_at(k)); k++)
            for (int streamed = 0; streamed < 2; streamed++)
                if (from->reader_init && from->writer_init && to->reader_init && to->writer_init)
                    cross(from, to, streamed);
}

/* A stream that ends anywhere before its end is an error in every dialect. */
TEST(matrix_no_cut_stream_is_taken_for_whole)
{
    const struct dialect *dialect;

    for (size_t i = 0; (dialect = dialect_at(i)); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
        struct str bytes;
        int taken = 0;

        if (!dialect->reader_init || !dialect->writer_init)
            continue;
        bytes = tell(arena, dialect, true, call_steps, ARRAY_LEN(call_steps) - 3);
        for (size_t end = 0; end <= bytes.len; end++) {
            struct arena *own CLEANUP(arena_end) = arena_new(MEMORY);
            struct err err = {0};

            taken += hear(own, dialect, true, str_slice(bytes, 0, end), end / 2, &err).ptr != NULL;
        }
        EXPECT(taken == 0, "%s: %d cut streams were taken for whole", dialect->name, taken);
    }
}
