/* Blocks of an answer for a client that speaks the Anthropic dialect: their events, and when each opens and closes
 * (anthropic_answer.c has the states). */
#include "models/anthropic_answer.h"
#include "models/members.h"

#define BLOCKS_MAX 4096 /* of one answer */

/* ---- events ---- */

void anthropic_event_end(struct buf *out, struct json_writer *w)
{
    jw_object_end(w);
    buf_str(out, STR("\n\n"));
}

static void delta_begin(struct buf *out, struct json_writer *w, uint32_t index, const char *type)
{
    said_event_begin(out, w, "content_block_delta");
    jw_key(w, "index");
    jw_u64(w, index);
    jw_key(w, "delta");
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}

static void delta_end(struct buf *out, struct json_writer *w)
{
    jw_object_end(w);
    anthropic_event_end(out, w);
}

static void write_delta(struct buf *out, uint32_t index, enum anthropic_block_kind kind,
                        struct str text)
{
    static const struct {
        const char *type, *member;
    } deltas[] = {[BLOCK_TEXT] = {"text_delta", "text"},
                  [BLOCK_THINKING] = {"thinking_delta", "thinking"},
                  [BLOCK_TOOL] = {"input_json_delta", "partial_json"},
                  [BLOCK_SERVER] = {"input_json_delta", "partial_json"}};
    struct json_writer w;

    if (str_is_empty(text) || kind == BLOCK_REDACTED || kind == BLOCK_MEDIA ||
        kind == BLOCK_ANSWERED)
        return;
    delta_begin(out, &w, index, deltas[kind].type);
    jw_key(&w, deltas[kind].member);
    jw_str(&w, text);
    delta_end(out, &w);
}

static void write_signature(struct buf *out, uint32_t index, struct str signature)
{
    struct json_writer w;

    if (str_is_empty(signature))
        return;
    delta_begin(out, &w, index, "signature_delta");
    jw_key(&w, "signature");
    jw_str(&w, signature);
    delta_end(out, &w);
}

/* ---- blocks, as a start announces them and as a whole message holds them ---- */

static void write_media(struct json_writer *w, struct str media_type, struct str data)
{
    jw_key(w, "source");
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "base64");
    jw_key(w, "media_type");
    jw_str(w, media_type);
    jw_key(w, "data");
    jw_str(w, data);
    jw_object_end(w);
}

/* `input`: raw, of a tool call. */
void anthropic_block_write(struct json_writer *w, const struct anthropic_block *b, struct str text,
                           struct str input)
{
    static const char *const types[] = {[BLOCK_TEXT] = "text",
                                        [BLOCK_THINKING] = "thinking",
                                        [BLOCK_REDACTED] = "redacted_thinking",
                                        [BLOCK_TOOL] = "tool_use",
                                        [BLOCK_MEDIA] = "image",
                                        [BLOCK_SERVER] = "server_tool_use"};

    jw_object(w);
    jw_key(w, "type");
    if (b->kind == BLOCK_ANSWERED)
        jw_str(w, b->name);
    else
        jw_cstr(w, types[b->kind]);
    switch (b->kind) {
    case BLOCK_TEXT:
        jw_key(w, "text");
        jw_str(w, text);
        break;
    case BLOCK_THINKING:
        jw_key(w, "thinking");
        jw_str(w, text);
        jw_key(w, "signature");
        jw_str(w, b->signature);
        break;
    case BLOCK_REDACTED:
        jw_key(w, "data");
        jw_str(w, buf_view(&b->kept));
        break;
    case BLOCK_SERVER:
    case BLOCK_TOOL:
        jw_key(w, "id");
        jw_str(w, b->id);
        jw_key(w, "name");
        jw_str(w, b->name);
        jw_key(w, "input");
        jw_raw(w, input);
        break;
    case BLOCK_MEDIA: write_media(w, b->name, buf_view(&b->kept)); break;
    case BLOCK_ANSWERED:
        jw_key(w, "tool_use_id");
        jw_str(w, b->id);
        jw_key(w, "content");
        jw_raw(w, buf_view(&b->kept));
        break;
    }
}

static void write_start(struct buf *out, const struct anthropic_block *b, uint32_t index)
{
    struct json_writer w;
    struct anthropic_block bare = *b;

    bare.signature = STR(""); /* comes as a delta */
    said_event_begin(out, &w, "content_block_start");
    jw_key(&w, "index");
    jw_u64(&w, index);
    jw_key(&w, "content_block");
    anthropic_block_write(&w, &bare, STR(""), STR("{}"));
    jw_object_end(&w);
    anthropic_event_end(out, &w);
}

void anthropic_citations_write(struct buf *out, uint32_t index, struct anthropic_block *b)
{
    struct str all = buf_view(&b->citations), one;

    while (str_split(&all, '\n', &one)) { /* one a line: JSON has no bare line ends */
        struct json_writer w;

        if (str_is_empty(one))
            continue;
        delta_begin(out, &w, index, "citations_delta");
        jw_key(&w, "citation");
        jw_raw(&w, one);
        delta_end(out, &w);
    }
    b->citations.len = 0;
}

/* ---- opening and closing ---- */

static void flush(struct anthropic_telling *own, struct anthropic_block *b, struct buf *out)
{
    uint32_t index = own->index - 1;

    if (b->kind != BLOCK_REDACTED && b->kind != BLOCK_MEDIA && b->kind != BLOCK_ANSWERED) {
        write_delta(out, index, b->kind, buf_view(&b->kept));
        b->kept.len = 0;
    }
    anthropic_citations_write(out, index, b);
}

static void open_block(struct anthropic_telling *own, struct anthropic_block *b, struct buf *out)
{
    b->state = BLOCK_OPEN;
    own->open = b;
    write_start(out, b, own->index++);
    flush(own, b, out);
}

static void close_block(struct anthropic_telling *own, struct buf *out)
{
    struct json_writer w;

    write_signature(out, own->index - 1, own->open->signature);
    said_event_begin(out, &w, "content_block_stop");
    jw_key(&w, "index");
    jw_u64(&w, own->index - 1);
    anthropic_event_end(out, &w);
    own->open->state = BLOCK_CLOSED;
    own->open = NULL;
}

static bool may_close(const struct anthropic_block *b)
{
    return b->ended || b->kind != BLOCK_TOOL || b->whole;
}

/* Open what may be opened: the blocks in their order, each as soon as the one before may close.
 * `all`: nothing more comes, so everything may. */
void anthropic_blocks_advance(struct anthropic_telling *own, struct buf *out, bool all)
{
    for (struct anthropic_block *b = own->open ? own->open : own->first; b; b = b->next) {
        if (b->state == BLOCK_CLOSED)
            continue;
        if (b->state == BLOCK_WAITING)
            open_block(own, b, out);
        if (!all && !b->ended && (!b->next || !may_close(b)))
            return;
        close_block(own, out);
    }
}

struct anthropic_block *anthropic_block_find(const struct anthropic_telling *own, uint32_t part,
                                             enum anthropic_block_kind kind)
{
    for (struct anthropic_block *b = own->open ? own->open : own->first; b; b = b->next)
        if (b->part == part && b->kind == kind && b->state != BLOCK_CLOSED && !b->ended)
            return b;
    return NULL;
}

struct anthropic_block *anthropic_block_add(struct said_writer *w, enum anthropic_block_kind kind,
                                            uint32_t part, struct err *err)
{
    struct anthropic_telling *own = w->own;
    struct anthropic_block *b;

    if (own->blocks >= BLOCKS_MAX) {
        err_set(err, ERR_UNAVAILABLE, "the answer has more than %d parts", BLOCKS_MAX);
        return NULL;
    }
    b = arena_alloc(w->arena, sizeof *b);
    if (!b) {
        err_arena(err, w->arena);
        return NULL;
    }
    own->blocks++;
    b->kind = kind;
    b->part = part;
    buf_init(&b->kept, w->arena, MADE_BYTES_MAX);
    buf_init(&b->citations, w->arena, MADE_BYTES_MAX);
    *own->end = b;
    own->end = &b->next;
    return b;
}

/* Follow the arguments through their strings and brackets; whole at the end of the outermost. */
bool anthropic_arguments_follow(struct anthropic_block *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (b->whole && !(c == ' ' || c == '\n' || c == '\r' || c == '\t'))
            return false;
        if (b->escaped)
            b->escaped = false;
        else if (b->in_string)
            b->escaped = c == '\\', b->in_string = c != '"';
        else if (c == '"')
            b->in_string = true;
        else if (c == '{' || c == '[')
            b->depth++;
        else if ((c == '}' || c == ']') && b->depth > 0)
            b->whole = --b->depth == 0;
    }
    b->any = b->any || text.len > 0;
    return true;
}

bool anthropic_block_put(struct said_writer *w, struct anthropic_block *b, struct str text,
                         struct buf *out, struct err *err)
{
    struct anthropic_telling *own = w->own;

    if (w->streamed && own->open == b) {
        write_delta(out, own->index - 1, b->kind, text);
    } else {
        buf_str(&b->kept, text);
        if (!buf_ok(&b->kept))
            return err_arena(err, w->arena);
    }
    if (w->streamed)
        anthropic_blocks_advance(own, out, false);
    return true;
}
