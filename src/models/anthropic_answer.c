/* An answer for a client that speaks the Anthropic dialect.
 *
 * Blocks follow each other on this wire, while other providers say the pieces of parallel tool calls side
 * by side. So one block is open, and what belongs to a later one waits in it:
 *
 *   WAITING --(all before it are closed)--> OPEN --(ended, or the next may begin)--> CLOSED
 *
 * A block of text may close as soon as anything else begins; a tool call when it was ended or its
 * arguments are a whole object. A whole answer keeps all blocks waiting and is written at the end. */
#include "models/anthropic_answer.h"
#include "base/utf8.h"
#include "models/members.h"

bool anthropic_writer_init(struct said_writer *w, struct err *err)
{
    struct anthropic_telling *own = arena_alloc(w->arena, sizeof *own);

    if (!own)
        return err_arena(err, w->arena);
    own->end = &own->first;
    own->usage = usage_unknown;
    w->own = own;
    return true;
}

/* ---- what is said ---- */

static bool say_text(struct said_writer *w, const struct said *said, enum anthropic_block_kind kind,
                     struct buf *out, struct err *err)
{
    struct anthropic_telling *own = w->own;
    struct anthropic_block *b = anthropic_block_find(own, said->part, kind);

    if (!b && str_is_empty(said->text) && str_is_empty(said->signature))
        return true;
    if (!b)
        b = anthropic_block_add(w, kind, said->part, err);
    if (!b)
        return false;
    if (kind == BLOCK_TEXT) {
        int64_t more = (int64_t)utf8_count(said->text);

        b->from = b->characters ? b->from : own->characters;
        b->characters += more;
        own->characters += more;
    }
    if (!str_is_empty(said->signature)) {
        b->signature = arena_str(w->arena, said->signature);
        if (!b->signature.ptr)
            return err_arena(err, w->arena);
    }
    return anthropic_block_put(w, b, said->text, out, err);
}

static bool say_redacted(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    struct anthropic_block *b = anthropic_block_add(w, BLOCK_REDACTED, said->part, err);

    if (!b)
        return false;
    b->ended = true;
    return anthropic_block_put(w, b, said->text, out, err);
}

static bool say_media(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    struct anthropic_block *b = anthropic_block_add(w, BLOCK_MEDIA, said->part, err);

    if (!b)
        return false;
    b->ended = true;
    b->name = arena_str(w->arena, said->media_type);
    return b->name.ptr ? anthropic_block_put(w, b, said->text, out, err) : err_arena(err, w->arena);
}

static bool say_tool(struct said_writer *w, const struct said *said, struct buf *out,
                     struct err *err)
{
    struct anthropic_block *b = anthropic_block_add(w, BLOCK_TOOL, said->part, err);

    if (!b)
        return false;
    b->id = arena_str(w->arena, said->id);
    b->name = arena_str(w->arena, said->name);
    if (!b->id.ptr || !b->name.ptr)
        return err_arena(err, w->arena);
    return anthropic_block_put(w, b, STR(""), out, err);
}

static bool say_arguments(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct anthropic_block *b = anthropic_block_find(w->own, said->part, BLOCK_TOOL);

    if (!b && str_is_empty(str_trim(said->text)))
        return true;
    if (!b || !anthropic_arguments_follow(b, said->text))
        return err_set(err, ERR_UNAVAILABLE, "the answer goes on with a tool call that had ended");
    return anthropic_block_put(w, b, said->text, out, err);
}

static void end_part(struct said_writer *w, uint32_t part, struct buf *out)
{
    struct anthropic_telling *own = w->own;

    for (struct anthropic_block *b = own->open ? own->open : own->first; b; b = b->next)
        if (b->part == part)
            b->ended = true;
    if (w->streamed)
        anthropic_blocks_advance(own, out, false);
}

/* ---- the message ---- */

static void write_message_id(struct json_writer *w, const struct said_writer *to)
{
    char id[64];
    struct buf text;

    buf_init_fixed(&text, id, sizeof id);
    buf_str(&text, STR("msg_"));
    buf_str(&text, str_slice(to->id, 0, sizeof id - 4));
    jw_key(w, "id");
    jw_str(w, buf_view(&text));
}

static void write_message_head(struct json_writer *w, const struct said_writer *to)
{
    write_message_id(w, to);
    jw_key(w, "type");
    jw_cstr(w, "message");
    jw_key(w, "role");
    jw_cstr(w, "assistant");
    jw_key(w, "model");
    jw_str(w, to->model);
}

static void write_stop(struct json_writer *w, const struct anthropic_telling *own)
{
    const char *reason = anthropic_stop_reason(own->refused ? FINISH_REFUSAL : own->finish,
                                               own->stop_sequence.len > 0);

    jw_key(w, "stop_reason");
    jw_cstr(w, reason);
    jw_key(w, "stop_sequence");
    if (own->stop_sequence.len > 0)
        jw_str(w, own->stop_sequence);
    else
        jw_null(w);
}

static void begin_message(struct said_writer *w, const struct said *said, struct buf *out)
{
    struct anthropic_telling *own = w->own;
    struct json_writer jw;

    if (own->begun)
        return;
    own->begun = true;
    if (!w->streamed)
        return;
    said_event_begin(out, &jw, "message_start");
    jw_key(&jw, "message");
    jw_object(&jw);
    write_message_head(&jw, w);
    jw_key(&jw, "content");
    jw_array(&jw);
    jw_array_end(&jw);
    jw_key(&jw, "stop_reason");
    jw_null(&jw);
    jw_key(&jw, "stop_sequence");
    jw_null(&jw);
    jw_key(&jw, "usage");
    anthropic_write_usage(&jw, said->kind == SAID_BEGIN ? &said->usage : &own->usage, STR_NONE);
    jw_object_end(&jw);
    anthropic_event_end(out, &jw);
}

static void end_stream(struct said_writer *w, struct buf *out)
{
    struct anthropic_telling *own = w->own;
    struct json_writer jw;

    anthropic_blocks_advance(own, out, true);
    said_event_begin(out, &jw, "message_delta");
    jw_key(&jw, "delta");
    jw_object(&jw);
    write_stop(&jw, own);
    jw_object_end(&jw);
    jw_key(&jw, "usage");
    anthropic_write_usage(&jw, &own->usage, own->tier);
    anthropic_event_end(out, &jw);
    said_event_begin(out, &jw, "message_stop");
    if (!str_is_empty(w->weir)) {
        jw_key(&jw, "weir");
        jw_raw(&jw, w->weir);
    }
    anthropic_event_end(out, &jw);
}

static void write_whole_citations(struct json_writer *w, struct anthropic_block *b)
{
    struct str all = buf_view(&b->citations), one;

    if (b->kind != BLOCK_TEXT || b->citations.len == 0)
        return;
    jw_key(w, "citations");
    jw_array(w);
    while (str_split(&all, '\n', &one))
        if (!str_is_empty(one))
            jw_raw(w, one);
    jw_array_end(w);
}

static bool write_whole(struct said_writer *w, struct buf *out, struct err *err)
{
    struct anthropic_telling *own = w->own;
    struct json_writer jw;

    jw_init(&jw, out);
    jw_object(&jw);
    write_message_head(&jw, w);
    jw_key(&jw, "content");
    jw_array(&jw);
    for (struct anthropic_block *b = own->first; b; b = b->next) {
        struct str input = STR("{}");

        if ((b->kind == BLOCK_TOOL || b->kind == BLOCK_SERVER) &&
            !arguments_object(w->arena, buf_view(&b->kept), &input, err))
            return false;
        anthropic_block_write(&jw, b, buf_view(&b->kept), input);
        write_whole_citations(&jw, b);
        jw_object_end(&jw);
    }
    jw_array_end(&jw);
    write_stop(&jw, own);
    jw_key(&jw, "usage");
    anthropic_write_usage(&jw, &own->usage, own->tier);
    if (!str_is_empty(w->weir)) {
        jw_key(&jw, "weir");
        jw_raw(&jw, w->weir);
    }
    jw_object_end(&jw);
    return true;
}

static bool finish(struct said_writer *w, const struct said *said, struct err *err)
{
    struct anthropic_telling *own = w->own;

    own->finish = said->finish;
    own->stop_sequence = STR_NONE;
    if (str_is_empty(said->text))
        return true;
    own->stop_sequence = arena_str(w->arena, said->text);
    return own->stop_sequence.ptr || err_arena(err, w->arena);
}

static void write_ping(struct said_writer *w, struct buf *out)
{
    const struct anthropic_telling *own = w->own;
    struct json_writer jw;

    if (!w->streamed || !own->begun)
        return;
    said_event_begin(out, &jw, "ping");
    anthropic_event_end(out, &jw);
}

static bool say(struct said_writer *w, const struct said *said, struct buf *out, struct err *err)
{
    struct anthropic_telling *own = w->own;
    struct err failed = {0};

    switch (said->kind) {
    case SAID_TEXT: return say_text(w, said, BLOCK_TEXT, out, err);
    case SAID_REFUSAL: own->refused = true; return say_text(w, said, BLOCK_TEXT, out, err);
    case SAID_REASONING:
        return said->is_redacted ? say_redacted(w, said, out, err)
                                 : say_text(w, said, BLOCK_THINKING, out, err);
    case SAID_TOOL: return say_tool(w, said, out, err);
    case SAID_ARGUMENTS: return say_arguments(w, said, out, err);
    case SAID_CITATION: return anthropic_say_citation(w, said, out, err);
    case SAID_MEDIA: return say_media(w, said, out, err);
    case SAID_SEARCHED:
    case SAID_RAN: return anthropic_say_server(w, said, out, err);
    case SAID_FOUND:
    case SAID_PRINTED: return anthropic_say_answered(w, said, out, err);
    case SAID_PART_END: end_part(w, said->part, out); return true;
    case SAID_FINISH: return finish(w, said, err);
    case SAID_USAGE: own->usage = said->usage; return true;
    case SAID_TIER: own->tier = anthropic_tier(w->arena, said->text); return true;
    case SAID_FAILED:
        err_set(&failed, ERR_UNAVAILABLE, STR_FMT, STR_ARG(said->text));
        dialect_anthropic.write_stream_error(w, out, &failed);
        return true;
    case SAID_END:
        if (!w->streamed)
            return write_whole(w, out, err);
        end_stream(w, out);
        return true;
    case SAID_PING: write_ping(w, out); return true;
    case SAID_BEGIN:
    case SAID_LOGPROBS:
    case SAID_OTHER:
    case SAID_VECTOR:
    case SAID_SCORE:
    case SAID_VERDICT: return true;
    }
    return true;
}

bool anthropic_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    if (said->kind != SAID_PING && said->kind != SAID_FAILED)
        begin_message(w, said, out);
    return say(w, said, out, err);
}
