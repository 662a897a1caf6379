/* Steps -> a client's Converse answer, or the frames of ConverseStream. Each event names its block, so blocks may
 * grow side by side; texts and thoughts end where anything else begins. */
#include "base/utf8.h"
#include "models/aws_frames.h"
#include "models/bedrock_internal.h"
#include "models/citation.h"
#include "models/members.h"
#include "sys/fiber.h"

#define BLOCKS_MAX 4096 /* of one answer */

enum block_kind { TEXT, THOUGHT, REDACTED, CALL, IMAGE };

struct block {
    struct block *next;
    enum block_kind kind;
    uint32_t part, index;
    bool ended;
    struct str id, name, signature; /* name: IMAGE's format */
    struct buf kept;                /* whole answers: text, arguments, base64 */
    struct buf citations;           /* whole answers: commas between */
    int64_t from, characters;       /* TEXT: where in the whole text it begins, how long it is */
};

struct writing {
    struct block *first, **end;
    uint32_t count;
    bool begun, refused;
    int64_t characters;
    enum finish_reason finish;
    struct str stop, tier;
    struct usage usage;
    struct buf payload; /* of the frame that is being written */
};

bool bedrock_writer_init(struct said_writer *w, struct err *err)
{
    struct writing *own = arena_alloc(w->arena, sizeof *own);

    if (!own)
        return err_arena(err, w->arena);
    own->end = &own->first;
    own->usage = usage_unknown;
    buf_init(&own->payload, w->arena, MADE_BYTES_MAX);
    w->own = own;
    return true;
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text.ptr ? text : STR(""));
}

/* ---- frames ---- */

static void frame_begin(struct writing *own, struct json_writer *w)
{
    own->payload.len = 0;
    jw_init(w, &own->payload);
    jw_object(w);
}

static bool frame_end(struct writing *own, struct json_writer *w, const char *type, struct buf *out,
                      struct err *err)
{
    struct str payload;

    jw_object_end(w);
    if (!buf_finish(&own->payload, &payload, err))
        return false;
    aws_write(out, STR("event"), str_from(type), payload);
    return true;
}

static void delta_begin(struct writing *own, struct json_writer *w, const struct block *b)
{
    frame_begin(own, w);
    jw_key(w, "contentBlockIndex");
    jw_u64(w, b->index);
    jw_key(w, "delta");
    jw_object(w);
}

static bool delta_end(struct writing *own, struct json_writer *w, struct buf *out, struct err *err)
{
    jw_object_end(w);
    return frame_end(own, w, "contentBlockDelta", out, err);
}

/* The start says what a block is where its deltas do not. */
static bool write_start(struct writing *own, const struct block *b, struct buf *out,
                        struct err *err)
{
    struct json_writer w;

    if (b->kind != CALL && b->kind != IMAGE)
        return true;
    frame_begin(own, &w);
    jw_key(&w, "contentBlockIndex");
    jw_u64(&w, b->index);
    jw_key(&w, "start");
    jw_object(&w);
    jw_key(&w, b->kind == CALL ? "toolUse" : "image");
    jw_object(&w);
    if (b->kind == CALL)
        put_text(&w, "toolUseId", b->id);
    put_text(&w, b->kind == CALL ? "name" : "format", b->name);
    jw_object_end(&w);
    jw_object_end(&w);
    return frame_end(own, &w, "contentBlockStart", out, err);
}

static bool write_delta(struct writing *own, const struct block *b, struct str text,
                        struct buf *out, struct err *err)
{
    struct json_writer w;

    delta_begin(own, &w, b);
    switch (b->kind) {
    case TEXT: put_text(&w, "text", text); break;
    case THOUGHT:
    case REDACTED:
        jw_key(&w, "reasoningContent");
        jw_object(&w);
        put_text(&w, b->kind == REDACTED ? "redactedContent" : "text", text);
        jw_object_end(&w);
        break;
    case CALL:
        jw_key(&w, "toolUse");
        jw_object(&w);
        put_text(&w, "input", text);
        jw_object_end(&w);
        break;
    case IMAGE:
        jw_key(&w, "image");
        jw_object(&w);
        jw_key(&w, "source");
        jw_object(&w);
        put_text(&w, "bytes", text);
        jw_object_end(&w);
        jw_object_end(&w);
        break;
    }
    return delta_end(own, &w, out, err);
}

static bool write_signature(struct writing *own, const struct block *b, struct buf *out,
                            struct err *err)
{
    struct json_writer w;

    delta_begin(own, &w, b);
    jw_key(&w, "reasoningContent");
    jw_object(&w);
    put_text(&w, "signature", b->signature);
    jw_object_end(&w);
    return delta_end(own, &w, out, err);
}

/* ---- blocks ---- */

static bool end_block(const struct said_writer *w, struct block *b, struct buf *out,
                      struct err *err)
{
    struct writing *own = w->own;
    struct json_writer jw;

    if (b->ended)
        return true;
    b->ended = true;
    if (!w->streamed)
        return true;
    frame_begin(own, &jw);
    jw_key(&jw, "contentBlockIndex");
    jw_u64(&jw, b->index);
    return frame_end(own, &jw, "contentBlockStop", out, err);
}

/* All of them, or those of a part, or (calls go on side by side) all but calls. */
enum { ALL_PARTS = -1, WORDS = -2 };

static bool end_blocks(const struct said_writer *w, int64_t which, struct buf *out, struct err *err)
{
    const struct writing *own = w->own;

    for (struct block *b = own->first; b; b = b->next)
        if ((which == ALL_PARTS || (which == WORDS && b->kind != CALL) ||
             which == (int64_t)b->part) &&
            !end_block(w, b, out, err))
            return false;
    return true;
}

static struct block *find_block(const struct writing *own, uint32_t part, enum block_kind kind)
{
    for (struct block *b = own->first; b; b = b->next)
        if (b->part == part && b->kind == kind && !b->ended)
            return b;
    return NULL;
}

static struct block *add_block(struct said_writer *w, enum block_kind kind, uint32_t part,
                               struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct block *b;

    if (own->count >= BLOCKS_MAX) {
        err_set(err, ERR_UNAVAILABLE, "the answer has more than %d parts", BLOCKS_MAX);
        return NULL;
    }
    if (!end_blocks(w, WORDS, out, err))
        return NULL;
    b = arena_alloc(w->arena, sizeof *b);
    if (!b) {
        err_arena(err, w->arena);
        return NULL;
    }
    b->kind = kind;
    b->part = part;
    b->index = own->count++;
    b->from = own->characters;
    buf_init(&b->kept, w->arena, MADE_BYTES_MAX);
    buf_init(&b->citations, w->arena, MADE_BYTES_MAX);
    *own->end = b;
    own->end = &b->next;
    return b;
}

static bool put(struct said_writer *w, struct block *b, struct str text, struct buf *out,
                struct err *err)
{
    if (str_is_empty(text))
        return true;
    if (w->streamed)
        return write_delta(w->own, b, text, out, err);
    buf_str(&b->kept, text);
    return buf_ok(&b->kept) || err_arena(err, w->arena);
}

static bool say_words(struct said_writer *w, const struct said *said, enum block_kind kind,
                      struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct block *b = find_block(own, said->part, kind);

    if (!b && str_is_empty(said->text) && str_is_empty(said->signature))
        return true;
    if (!b)
        b = add_block(w, kind, said->part, out, err);
    if (!b)
        return false;
    if (kind == TEXT) {
        int64_t more = (int64_t)utf8_count(said->text);

        b->characters += more;
        own->characters += more;
    }
    if (!put(w, b, said->text, out, err))
        return false;
    if (str_is_empty(said->signature))
        return true;
    b->signature = arena_str(w->arena, said->signature);
    if (!b->signature.ptr)
        return err_arena(err, w->arena);
    return !w->streamed || write_signature(own, b, out, err);
}

static bool say_named(struct said_writer *w, const struct said *said, enum block_kind kind,
                      struct str name, struct buf *out, struct err *err)
{
    struct block *b = add_block(w, kind, said->part, out, err);

    if (!b)
        return false;
    b->id = arena_str(w->arena, said->id);
    b->name = arena_str(w->arena, name);
    if ((said->id.ptr && !b->id.ptr) || !b->name.ptr)
        return err_arena(err, w->arena);
    return !w->streamed || write_start(w->own, b, out, err);
}

static bool say_arguments(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct block *b = find_block(w->own, said->part, CALL);

    if (!b && str_is_empty(str_trim(said->text)))
        return true;
    if (!b)
        return err_set(err, ERR_UNAVAILABLE, "the answer goes on with a tool call that had ended");
    return put(w, b, said->text, out, err);
}

static bool say_image(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    size_t slash = str_find_char(said->media_type, '/');
    struct str format = str_slice(said->media_type, slash + 1, said->media_type.len);
    struct block *b;

    if (!say_named(w, said, IMAGE, format, out, err))
        return false;
    b = find_block(w->own, said->part, IMAGE);
    return b && put(w, b, said->text, out, err) && end_block(w, b, out, err);
}

/* ---- citations: for the whole block that they stand in ---- */

static const struct {
    const char *kind, *mark; /* mark: the member that only this one has; last: where none is said */
    struct {
        const char *here, *there;
    } places[3];
} locations[] = {
    {"searchResultLocation",
     "search_result_index",
     {{"searchResultIndex", "search_result_index"},
      {"start", "start_block_index"},
      {"end", "end_block_index"}}},
    {"documentPage",
     "start_page_number",
     {{"documentIndex", "document_index"},
      {"start", "start_page_number"},
      {"end", "end_page_number"}}},
    {"documentChunk",
     "start_block_index",
     {{"documentIndex", "document_index"},
      {"start", "start_block_index"},
      {"end", "end_block_index"}}},
    {"documentChar",
     "start_char_index",
     {{"documentIndex", "document_index"},
      {"start", "start_char_index"},
      {"end", "end_char_index"}}},
};

static size_t location_of(const struct json *rest)
{
    size_t at = 0;
    int64_t n;

    while (at + 1 < ARRAY_LEN(locations) && !citation_place(rest, locations[at].mark, &n))
        at++;
    return at;
}

/* What stands in no place here; a page of the web has none inside it. */
static void lose_rest(struct said_writer *w, const struct citation *c, const struct json *rest)
{
    const char *kept[ARRAY_LEN(locations[0].places) + 1] = {NULL};
    size_t at = location_of(rest);
    int64_t n;

    for (size_t i = 0; i < ARRAY_LEN(locations[at].places) &&
                       (!c->url.len || citation_place(rest, "search_result_index", &n));
         i++)
        kept[i] = locations[at].places[i].there;
    citation_lose(w, rest, kept);
    if (c->file_id.len)
        said_lost(w, STR("citations.file_id"));
}

static void write_place(struct json_writer *w, const struct json *rest)
{
    size_t at = location_of(rest);
    int64_t n;

    jw_key(w, locations[at].kind);
    jw_object(w);
    for (size_t i = 0; i < ARRAY_LEN(locations[at].places); i++) {
        jw_key(w, locations[at].places[i].here);
        jw_i64(w, citation_place(rest, locations[at].places[i].there, &n) ? n : 0);
    }
    jw_object_end(w);
}

static bool write_citation(struct said_writer *to, struct json_writer *w, const struct citation *c,
                           struct err *err)
{
    struct json *rest = c->rest.len ? said_json(to->arena, c->rest, err) : NULL;
    int64_t n;

    if (c->rest.len && !rest)
        return false;
    lose_rest(to, c, rest);
    jw_object(w);
    put_text(w, "title", c->title);
    if (c->cited_text.len) {
        jw_key(w, "sourceContent");
        jw_array(w);
        jw_object(w);
        put_text(w, "text", c->cited_text);
        jw_object_end(w);
        jw_array_end(w);
    }
    jw_key(w, "location");
    jw_object(w);
    if (c->url.len && !citation_place(rest, "search_result_index", &n)) {
        jw_key(w, "web");
        jw_object(w);
        put_text(w, "url", c->url);
        jw_object_end(w);
    } else {
        write_place(w, rest);
    }
    jw_object_end(w);
    if (c->url.len && citation_place(rest, "search_result_index", &n))
        put_text(w, "source", c->url);
    jw_object_end(w);
    return true;
}

static bool say_citation(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    struct writing *own = w->own;
    struct block *b = find_block(own, said->part, TEXT);
    struct citation c;
    struct json_writer jw;

    if (!citation_read(w->arena, said->raw, &c, err))
        return false;
    if (!b)
        b = add_block(w, TEXT, said->part, out, err);
    if (!b)
        return false;
    if (c.start >= 0 && (c.start != b->from || c.end != b->from + b->characters))
        said_lost(w, STR("citations.start_index"));
    if (w->streamed) {
        delta_begin(own, &jw, b);
        jw_key(&jw, "citation");
        return write_citation(w, &jw, &c, err) && delta_end(own, &jw, out, err);
    }
    if (b->citations.len)
        buf_char(&b->citations, ',');
    jw_init(&jw, &b->citations);
    return write_citation(w, &jw, &c, err) && (buf_ok(&b->citations) || err_arena(err, w->arena));
}

/* ---- the end ---- */

static const char *stop_reason(const struct writing *own)
{
    if (own->refused)
        return "content_filtered";
    switch (own->finish) {
    case FINISH_LENGTH: return "max_tokens";
    case FINISH_TOOL_CALLS: return "tool_use";
    case FINISH_CONTENT_FILTER:
    case FINISH_REFUSAL: return "content_filtered";
    case FINISH_CONTEXT: return "model_context_window_exceeded";
    case FINISH_UNSAID:
    case FINISH_STOP:
    case FINISH_PAUSE: break;
    }
    return own->stop.len ? "stop_sequence" : "end_turn";
}

static void write_stop(struct json_writer *w, const struct writing *own)
{
    jw_key(w, "stopReason");
    jw_cstr(w, stop_reason(own));
    if (!own->stop.len)
        return;
    jw_key(w, "additionalModelResponseFields");
    jw_object(w);
    put_text(w, "stop_sequence", own->stop);
    jw_object_end(w);
}

static void put_count(struct json_writer *w, const char *key, int64_t n)
{
    jw_key(w, key);
    jw_i64(w, MAX_OF(n, 0));
}

/* From the client's question on: what the caller of Converse has waited. */
static void write_metrics(struct json_writer *w, const struct said_writer *to)
{
    if (!to->asked || !to->asked->started)
        return;
    jw_key(w, "metrics");
    jw_object(w);
    put_count(w, "latencyMs", (fiber_now() - to->asked->started) / MILLISECOND);
    jw_object_end(w);
}

/* inputTokens leaves out what was read from a cache and written to it. */
static void write_metadata(struct json_writer *w, const struct said_writer *to)
{
    const struct writing *own = to->own;
    const struct usage *u = &own->usage;
    int64_t read = MAX_OF(u->tokens_cached, 0);
    int64_t written = MAX_OF(u->tokens_cache_write, 0) + MAX_OF(u->tokens_cache_write_long, 0);

    jw_key(w, "usage");
    jw_object(w);
    put_count(w, "inputTokens", u->tokens_in - read - written);
    put_count(w, "outputTokens", u->tokens_out);
    put_count(w, "totalTokens", MAX_OF(u->tokens_in, 0) + MAX_OF(u->tokens_out, 0));
    put_count(w, "cacheReadInputTokens", read);
    put_count(w, "cacheWriteInputTokens", written);
    jw_object_end(w);
    write_metrics(w, to);
    if (own->tier.len) {
        jw_key(w, "serviceTier");
        jw_object(w);
        put_text(w, "type", own->tier);
        jw_object_end(w);
    }
    if (!str_is_empty(to->weir)) {
        jw_key(w, "weir");
        jw_raw(w, to->weir);
    }
}

static bool end_stream(struct said_writer *w, struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct json_writer jw;

    if (!end_blocks(w, ALL_PARTS, out, err))
        return false;
    frame_begin(own, &jw);
    write_stop(&jw, own);
    if (!frame_end(own, &jw, "messageStop", out, err))
        return false;
    frame_begin(own, &jw);
    write_metadata(&jw, w);
    return frame_end(own, &jw, "metadata", out, err);
}

static bool write_block(struct json_writer *w, struct arena *arena, const struct block *b,
                        struct err *err)
{
    struct str input, text = buf_view(&b->kept);

    jw_object(w);
    switch (b->kind) {
    case TEXT:
        if (!b->citations.len) {
            put_text(w, "text", text);
            break;
        }
        jw_key(w, "citationsContent");
        jw_object(w);
        jw_key(w, "content");
        jw_array(w);
        jw_object(w);
        put_text(w, "text", text);
        jw_object_end(w);
        jw_array_end(w);
        jw_key(w, "citations");
        jw_array(w);
        jw_raw(w, buf_view(&b->citations));
        jw_array_end(w);
        jw_object_end(w);
        break;
    case THOUGHT:
    case REDACTED:
        jw_key(w, "reasoningContent");
        jw_object(w);
        if (b->kind == REDACTED) {
            put_text(w, "redactedContent", text);
        } else {
            jw_key(w, "reasoningText");
            jw_object(w);
            put_text(w, "text", text);
            if (b->signature.len)
                put_text(w, "signature", b->signature);
            jw_object_end(w);
        }
        jw_object_end(w);
        break;
    case CALL:
        if (!arguments_object(arena, text, &input, err))
            return false;
        jw_key(w, "toolUse");
        jw_object(w);
        put_text(w, "toolUseId", b->id);
        put_text(w, "name", b->name);
        jw_key(w, "input");
        jw_raw(w, input);
        jw_object_end(w);
        break;
    case IMAGE:
        jw_key(w, "image");
        jw_object(w);
        put_text(w, "format", b->name);
        jw_key(w, "source");
        jw_object(w);
        put_text(w, "bytes", text);
        jw_object_end(w);
        jw_object_end(w);
        break;
    }
    jw_object_end(w);
    return true;
}

static bool write_whole(struct said_writer *w, struct buf *out, struct err *err)
{
    const struct writing *own = w->own;
    struct json_writer jw;

    jw_init(&jw, out);
    jw_object(&jw);
    jw_key(&jw, "output");
    jw_object(&jw);
    jw_key(&jw, "message");
    jw_object(&jw);
    put_text(&jw, "role", STR("assistant"));
    jw_key(&jw, "content");
    jw_array(&jw);
    for (const struct block *b = own->first; b; b = b->next)
        if (!write_block(&jw, w->arena, b, err))
            return false;
    jw_array_end(&jw);
    jw_object_end(&jw);
    jw_object_end(&jw);
    write_stop(&jw, own);
    write_metadata(&jw, w);
    jw_object_end(&jw);
    return true;
}

/* ---- steps ---- */

static bool begin(struct said_writer *w, struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct json_writer jw;

    if (own->begun)
        return true;
    own->begun = true;
    if (!w->streamed)
        return true;
    frame_begin(own, &jw);
    put_text(&jw, "role", STR("assistant"));
    return frame_end(own, &jw, "messageStart", out, err);
}

static bool keep(struct said_writer *w, struct str from, struct str *to, struct err *err)
{
    *to = from.len ? arena_str(w->arena, from) : STR_NONE;
    return !from.len || to->ptr || err_arena(err, w->arena);
}

bool bedrock_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                        struct err *err)
{
    struct writing *own = w->own;

    if (said->kind == SAID_PING || said->kind == SAID_FAILED)
        return true;
    if (!begin(w, out, err))
        return false;
    switch (said->kind) {
    case SAID_REFUSAL: own->refused = true; return say_words(w, said, TEXT, out, err);
    case SAID_TEXT: return say_words(w, said, TEXT, out, err);
    case SAID_REASONING:
        return say_words(w, said, said->is_redacted ? REDACTED : THOUGHT, out, err);
    case SAID_TOOL: return say_named(w, said, CALL, said->name, out, err);
    case SAID_ARGUMENTS: return say_arguments(w, said, out, err);
    case SAID_CITATION: return say_citation(w, said, out, err);
    case SAID_MEDIA: return say_image(w, said, out, err);
    case SAID_PART_END: return end_blocks(w, said->part, out, err);
    case SAID_FINISH: own->finish = said->finish; return keep(w, said->text, &own->stop, err);
    case SAID_USAGE: own->usage = said->usage; return true;
    case SAID_TIER: return keep(w, said->text, &own->tier, err);
    case SAID_END: return w->streamed ? end_stream(w, out, err) : write_whole(w, out, err);
    default: return true;
    }
}

/* ---- errors ---- */

static const struct {
    int status;
    const char *type;
} errors[] = {
    {400, "ValidationException"},           {401, "UnrecognizedClientException"},
    {402, "ServiceQuotaExceededException"}, {403, "AccessDeniedException"},
    {404, "ResourceNotFoundException"},     {408, "ModelTimeoutException"},
    {413, "ValidationException"},           {429, "ThrottlingException"},
    {500, "InternalServerException"},       {503, "ServiceUnavailableException"},
    {504, "ModelTimeoutException"},
};

static struct str error_type(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].status == status)
            return str_from(errors[i].type);
    return status < 500 ? STR("ValidationException") : STR("InternalServerException");
}

/* Clients look for the type in a header, then in these members. */
void bedrock_write_error(struct buf *out, int status, const char *code, const struct err *err)
{
    struct json_writer w;

    if (code && str_eq(str_from(code), STR("insufficient_quota")))
        status = 402;
    jw_init(&w, out);
    jw_object(&w);
    put_text(&w, "__type", error_type(status));
    put_text(&w, "message", str_from(err->text));
    jw_object_end(&w);
    buf_char(out, '\n');
}

/* An exception's name begins small on this wire. */
void bedrock_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err)
{
    static const char *const types[] = {"internalServerException", "serviceUnavailableException",
                                        "throttlingException", "validationException"};
    const char *type = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT ? types[1]
                       : err->code == ERR_EXHAUSTED                             ? types[2]
                       : err->code == ERR_INVALID                               ? types[3]
                                                                                : types[0];
    char memory[2048];
    struct json_writer jw;
    struct buf payload;

    (void)w;
    buf_init_fixed(&payload, memory, sizeof memory);
    jw_init(&jw, &payload);
    jw_object(&jw);
    put_text(&jw, "message", str_from(err->text));
    jw_object_end(&jw);
    aws_write(out, STR("exception"), str_from(type), buf_view(&payload));
}
