/* An answer for a client that speaks the Anthropic dialect.
 *
 * Blocks follow each other on this wire, while other providers say the pieces of parallel tool calls side
 * by side. So one block is open, and what belongs to a later one waits in it:
 *
 *   WAITING --(all before it are closed)--> OPEN --(ended, or the next may begin)--> CLOSED
 *
 * A block of text may close as soon as anything else begins; a tool call when it was ended or its
 * arguments are a whole object. A whole answer keeps all blocks waiting and is written at the end. */
#include "base/utf8.h"
#include "models/anthropic.h"
#include "models/citation.h"
#include "models/members.h"

#define BLOCKS_MAX 4096 /* of one answer */

/* SERVER, ANSWERED: a tool of the provider's own, and what came of it. */
enum block_kind { TEXT, THINKING, REDACTED, TOOL, MEDIA, SERVER, ANSWERED };
enum block_state { WAITING, OPEN, CLOSED };

struct block {
    struct block *next;
    enum block_kind kind;
    enum block_state state;
    uint32_t part;
    struct str id, name;      /* TOOL, SERVER; name: MEDIA's type, ANSWERED's */
    struct buf kept;          /* text or arguments that have not been written */
    struct str signature;     /* THINKING, when it has come */
    struct buf citations;     /* raw, a line each: not written yet */
    int64_t from, characters; /* TEXT: where in the whole text it begins, how long it is */
    bool ended;               /* nothing more can come */
    /* Where the arguments stand: whole when an object was opened and is closed again. */
    uint32_t depth;
    bool in_string, escaped, whole, any;
};

struct writing {
    struct block *first, **end;
    struct block *open;
    uint32_t blocks; /* in all */
    uint32_t index;  /* of the next to open */
    bool begun;
    enum finish_reason finish;
    struct str stop_sequence;
    bool refused;
    int64_t characters; /* of text, in all */
    struct str tier;    /* in this wire's words; may be empty */
    struct usage usage;
};

bool anthropic_writer_init(struct said_writer *w, struct err *err)
{
    struct writing *own = arena_alloc(w->arena, sizeof *own);

    if (!own)
        return err_arena(err, w->arena);
    own->end = &own->first;
    own->usage = usage_unknown;
    w->own = own;
    return true;
}

/* ---- events ---- */

/* Written in place: their JSON has no line ends, so one data line does. */
static void event_begin(struct buf *out, struct json_writer *w, const char *type)
{
    buf_str(out, STR("event: "));
    buf_str(out, str_from(type));
    buf_str(out, STR("\ndata: "));
    jw_init(w, out);
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}

static void event_end(struct buf *out, struct json_writer *w)
{
    jw_object_end(w);
    buf_str(out, STR("\n\n"));
}

static void delta_begin(struct buf *out, struct json_writer *w, uint32_t index, const char *type)
{
    event_begin(out, w, "content_block_delta");
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
    event_end(out, w);
}

static void write_delta(struct buf *out, uint32_t index, enum block_kind kind, struct str text)
{
    static const struct {
        const char *type, *member;
    } deltas[] = {[TEXT] = {"text_delta", "text"},
                  [THINKING] = {"thinking_delta", "thinking"},
                  [TOOL] = {"input_json_delta", "partial_json"},
                  [SERVER] = {"input_json_delta", "partial_json"}};
    struct json_writer w;

    if (str_is_empty(text) || kind == REDACTED || kind == MEDIA || kind == ANSWERED)
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
static void write_block(struct json_writer *w, const struct block *b, struct str text,
                        struct str input)
{
    static const char *const types[] = {
        [TEXT] = "text",     [THINKING] = "thinking", [REDACTED] = "redacted_thinking",
        [TOOL] = "tool_use", [MEDIA] = "image",       [SERVER] = "server_tool_use"};

    jw_object(w);
    jw_key(w, "type");
    if (b->kind == ANSWERED)
        jw_str(w, b->name);
    else
        jw_cstr(w, types[b->kind]);
    switch (b->kind) {
    case TEXT:
        jw_key(w, "text");
        jw_str(w, text);
        break;
    case THINKING:
        jw_key(w, "thinking");
        jw_str(w, text);
        jw_key(w, "signature");
        jw_str(w, b->signature);
        break;
    case REDACTED:
        jw_key(w, "data");
        jw_str(w, buf_view(&b->kept));
        break;
    case SERVER:
    case TOOL:
        jw_key(w, "id");
        jw_str(w, b->id);
        jw_key(w, "name");
        jw_str(w, b->name);
        jw_key(w, "input");
        jw_raw(w, input);
        break;
    case MEDIA: write_media(w, b->name, buf_view(&b->kept)); break;
    case ANSWERED:
        jw_key(w, "tool_use_id");
        jw_str(w, b->id);
        jw_key(w, "content");
        jw_raw(w, buf_view(&b->kept));
        break;
    }
}

static void write_start(struct buf *out, const struct block *b, uint32_t index)
{
    struct json_writer w;
    struct block bare = *b;

    bare.signature = STR(""); /* comes as a delta */
    event_begin(out, &w, "content_block_start");
    jw_key(&w, "index");
    jw_u64(&w, index);
    jw_key(&w, "content_block");
    write_block(&w, &bare, STR(""), STR("{}"));
    jw_object_end(&w);
    event_end(out, &w);
}

static void write_citations(struct buf *out, uint32_t index, struct block *b)
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

static void flush(struct writing *own, struct block *b, struct buf *out)
{
    uint32_t index = own->index - 1;

    if (b->kind != REDACTED && b->kind != MEDIA && b->kind != ANSWERED) {
        write_delta(out, index, b->kind, buf_view(&b->kept));
        b->kept.len = 0;
    }
    write_citations(out, index, b);
}

static void open_block(struct writing *own, struct block *b, struct buf *out)
{
    b->state = OPEN;
    own->open = b;
    write_start(out, b, own->index++);
    flush(own, b, out);
}

static void close_block(struct writing *own, struct buf *out)
{
    struct json_writer w;

    write_signature(out, own->index - 1, own->open->signature);
    event_begin(out, &w, "content_block_stop");
    jw_key(&w, "index");
    jw_u64(&w, own->index - 1);
    event_end(out, &w);
    own->open->state = CLOSED;
    own->open = NULL;
}

static bool may_close(const struct block *b)
{
    return b->ended || b->kind != TOOL || b->whole;
}

/* Open what may be opened: the blocks in their order, each as soon as the one before may close.
 * `all`: nothing more comes, so everything may. */
static void advance(struct writing *own, struct buf *out, bool all)
{
    for (struct block *b = own->open ? own->open : own->first; b; b = b->next) {
        if (b->state == CLOSED)
            continue;
        if (b->state == WAITING)
            open_block(own, b, out);
        if (!all && !b->ended && (!b->next || !may_close(b)))
            return;
        close_block(own, out);
    }
}

static struct block *find_block(const struct writing *own, uint32_t part, enum block_kind kind)
{
    for (struct block *b = own->open ? own->open : own->first; b; b = b->next)
        if (b->part == part && b->kind == kind && b->state != CLOSED && !b->ended)
            return b;
    return NULL;
}

static struct block *add_block(struct said_writer *w, enum block_kind kind, uint32_t part,
                               struct err *err)
{
    struct writing *own = w->own;
    struct block *b;

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

/* ---- what is said ---- */

/* Follow the arguments through their strings and brackets; whole at the end of the outermost. */
static bool scan_arguments(struct block *b, struct str text)
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

static bool put(struct said_writer *w, struct block *b, struct str text, struct buf *out,
                struct err *err)
{
    struct writing *own = w->own;

    if (w->streamed && own->open == b) {
        write_delta(out, own->index - 1, b->kind, text);
    } else {
        buf_str(&b->kept, text);
        if (!buf_ok(&b->kept))
            return err_arena(err, w->arena);
    }
    if (w->streamed)
        advance(own, out, false);
    return true;
}

static bool say_text(struct said_writer *w, const struct said *said, enum block_kind kind,
                     struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct block *b = find_block(own, said->part, kind);

    if (!b && str_is_empty(said->text) && str_is_empty(said->signature))
        return true;
    if (!b)
        b = add_block(w, kind, said->part, err);
    if (!b)
        return false;
    if (kind == TEXT) {
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
    return put(w, b, said->text, out, err);
}

static bool say_redacted(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    struct block *b = add_block(w, REDACTED, said->part, err);

    if (!b)
        return false;
    b->ended = true;
    return put(w, b, said->text, out, err);
}

static bool say_media(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    struct block *b = add_block(w, MEDIA, said->part, err);

    if (!b)
        return false;
    b->ended = true;
    b->name = arena_str(w->arena, said->media_type);
    return b->name.ptr ? put(w, b, said->text, out, err) : err_arena(err, w->arena);
}

/* ---- tools of the provider's own: the block of the call, and the one of what came of it ---- */

static struct block *add_server(struct said_writer *w, enum block_kind kind, struct str id,
                                const char *name, struct err *err)
{
    struct block *b = add_block(w, kind, UINT32_MAX, err);

    if (!b)
        return NULL;
    b->ended = true;
    b->name = str_from(name);
    b->id = arena_fmt(w->arena, "%s" STR_FMT, str_starts(id, STR("srvtoolu_")) ? "" : "srvtoolu_",
                      STR_ARG(id));
    if (!b->id.ptr)
        err_arena(err, w->arena);
    return b->id.ptr ? b : NULL;
}

static bool is_shell(const struct said *said)
{
    return str_eq(said->language, STR("bash"));
}

static bool say_server(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err)
{
    bool ran = said->kind == SAID_RAN;
    const char *name = !ran             ? "web_search"
                       : is_shell(said) ? "bash_code_execution"
                                        : "code_execution";
    struct block *b = add_server(w, SERVER, said->id, name, err);
    struct json_writer jw;

    if (!b)
        return false;
    jw_init(&jw, &b->kept);
    jw_object(&jw);
    jw_key(&jw, !ran ? "query" : is_shell(said) ? "command" : "code");
    jw_str(&jw, said->text);
    jw_object_end(&jw);
    return put(w, b, STR(""), out, err);
}

/* Others do not say how old a page is, and what only this house can read again there is none. */
static bool write_sources(struct said_writer *w, struct buf *to, struct str raw, struct err *err)
{
    struct json *j = json_parse(w->arena, raw, err);
    struct json_writer jw;

    if (!j)
        return false;
    jw_init(&jw, to);
    jw_array(&jw);
    for (json_ref v = json_first(j, json_root(j)); v; v = json_next(j, v)) {
        json_ref url = json_get(j, v, STR("url")), title = json_get(j, v, STR("title"));

        jw_object(&jw);
        jw_key(&jw, "type");
        jw_cstr(&jw, "web_search_result");
        jw_key(&jw, "url");
        jw_raw(&jw, json_kind(j, url) == JSON_STRING ? json_raw(j, url) : STR("\"\""));
        jw_key(&jw, "title");
        jw_raw(&jw, json_kind(j, title) == JSON_STRING ? json_raw(j, title) : STR("\"\""));
        jw_key(&jw, "encrypted_content");
        jw_cstr(&jw, "");
        jw_key(&jw, "page_age");
        jw_null(&jw);
        jw_object_end(&jw);
    }
    jw_array_end(&jw);
    return true;
}

static void write_printed(struct buf *to, const struct said *said, const char *type)
{
    struct json_writer jw;

    jw_init(&jw, to);
    jw_object(&jw);
    jw_key(&jw, "type");
    jw_cstr(&jw, type);
    jw_key(&jw, "stdout");
    jw_str(&jw, said->failed ? STR("") : said->text);
    jw_key(&jw, "stderr");
    jw_str(&jw, said->failed ? said->text : STR(""));
    jw_key(&jw, "return_code");
    jw_i64(&jw, said->failed ? 1 : 0);
    jw_key(&jw, "content");
    jw_raw(&jw, STR("[]"));
    jw_object_end(&jw);
}

/* The last call of that id says what answered. */
static bool was_shell(const struct writing *own, struct str id)
{
    bool shell = false;

    for (const struct block *b = own->first; b; b = b->next)
        if (b->kind == SERVER && str_ends(b->id, id))
            shell = str_eq(b->name, STR("bash_code_execution"));
    return shell;
}

static bool say_answered(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    bool found = said->kind == SAID_FOUND, shell = !found && was_shell(w->own, said->id);
    const char *name = found   ? "web_search_tool_result"
                       : shell ? "bash_code_execution_tool_result"
                               : "code_execution_tool_result";
    struct block *b = add_server(w, ANSWERED, said->id, name, err);

    if (!b)
        return false;
    if (!found)
        write_printed(&b->kept, said,
                      shell ? "bash_code_execution_result" : "code_execution_result");
    else if (!write_sources(w, &b->kept, said->raw, err))
        return false;
    return put(w, b, STR(""), out, err);
}

static bool say_tool(struct said_writer *w, const struct said *said, struct buf *out,
                     struct err *err)
{
    struct block *b = add_block(w, TOOL, said->part, err);

    if (!b)
        return false;
    b->id = arena_str(w->arena, said->id);
    b->name = arena_str(w->arena, said->name);
    if (!b->id.ptr || !b->name.ptr)
        return err_arena(err, w->arena);
    return put(w, b, STR(""), out, err);
}

static bool say_arguments(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct block *b = find_block(w->own, said->part, TOOL);

    if (!b && str_is_empty(str_trim(said->text)))
        return true;
    if (!b || !scan_arguments(b, said->text))
        return err_set(err, ERR_UNAVAILABLE, "the answer goes on with a tool call that had ended");
    return put(w, b, said->text, out, err);
}

/* Where in the source: what a citation says there decides its type. */
static const struct citation_kind {
    const char *type, *mark; /* mark: the member that only this one has */
    const char *places[4];
} citation_kinds[] = {
    {"search_result_location",
     "search_result_index",
     {"search_result_index", "start_block_index", "end_block_index", NULL}},
    {"page_location",
     "start_page_number",
     {"document_index", "start_page_number", "end_page_number", NULL}},
    {"content_block_location",
     "start_block_index",
     {"document_index", "start_block_index", "end_block_index", NULL}},
    {"char_location",
     "start_char_index",
     {"document_index", "start_char_index", "end_char_index", NULL}},
};
static const struct citation_kind on_the_web = {"web_search_result_location", NULL, {NULL}};

static const struct citation_kind *citation_kind_of(const struct citation *c,
                                                    const struct json *rest)
{
    size_t last = ARRAY_LEN(citation_kinds) - 1;
    int64_t n;

    for (size_t i = 0; i < last; i++)
        if (citation_place(rest, citation_kinds[i].mark, &n))
            return &citation_kinds[i];
    return c->url.len ? &on_the_web : &citation_kinds[last];
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
}

/* A block of text is what its citations are for; a place inside the block has none here. */
static bool make_citation(struct said_writer *w, struct str raw, struct block *b, struct err *err)
{
    struct buf *to = &b->citations;
    const struct citation_kind *kind;
    struct json *rest = NULL;
    struct json_writer jw;
    struct citation c;
    int64_t n;

    if (!citation_read(w->arena, raw, &c, err))
        return false;
    if (c.rest.len && !(rest = json_parse(w->arena, c.rest, err)))
        return false;
    if (c.start >= 0 && (c.start != b->from || c.end != b->from + b->characters))
        said_lost(w, STR("citations.start_index"));
    kind = citation_kind_of(&c, rest);
    jw_init(&jw, to);
    jw_object(&jw);
    put_text(&jw, "type", str_from(kind->type));
    put_text(&jw, "cited_text", c.cited_text);
    put_text(&jw, kind->mark && c.url.len == 0 ? "document_title" : "title", c.title);
    if (c.url.len)
        put_text(&jw, kind->mark ? "source" : "url", c.url);
    for (size_t i = 0; kind->places[i]; i++) {
        jw_key(&jw, kind->places[i]);
        jw_i64(&jw, citation_place(rest, kind->places[i], &n) ? n : 0);
    }
    if (!kind->mark)
        put_text(&jw, "encrypted_index", STR("")); /* its provider's own; there is none */
    else if (c.file_id.len)
        put_text(&jw, "file_id", c.file_id);
    jw_object_end(&jw);
    return true;
}

static bool say_citation(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    struct writing *own = w->own;
    struct block *b = find_block(own, said->part, TEXT);

    if (!b)
        b = add_block(w, TEXT, said->part, err);
    if (!b || !make_citation(w, said->raw, b, err))
        return false;
    buf_char(&b->citations, '\n');
    if (!buf_ok(&b->citations))
        return err_arena(err, w->arena);
    if (w->streamed && own->open == b)
        write_citations(out, own->index - 1, b);
    return put(w, b, STR(""), out, err);
}

static void end_part(struct said_writer *w, uint32_t part, struct buf *out)
{
    struct writing *own = w->own;

    for (struct block *b = own->open ? own->open : own->first; b; b = b->next)
        if (b->part == part)
            b->ended = true;
    if (w->streamed)
        advance(own, out, false);
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

static void write_stop(struct json_writer *w, const struct writing *own)
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
    struct writing *own = w->own;
    struct json_writer jw;

    if (own->begun)
        return;
    own->begun = true;
    if (!w->streamed)
        return;
    event_begin(out, &jw, "message_start");
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
    event_end(out, &jw);
}

static void end_stream(struct said_writer *w, struct buf *out)
{
    struct writing *own = w->own;
    struct json_writer jw;

    advance(own, out, true);
    event_begin(out, &jw, "message_delta");
    jw_key(&jw, "delta");
    jw_object(&jw);
    write_stop(&jw, own);
    jw_object_end(&jw);
    jw_key(&jw, "usage");
    anthropic_write_usage(&jw, &own->usage, own->tier);
    event_end(out, &jw);
    event_begin(out, &jw, "message_stop");
    if (!str_is_empty(w->weir)) {
        jw_key(&jw, "weir");
        jw_raw(&jw, w->weir);
    }
    event_end(out, &jw);
}

static void write_whole_citations(struct json_writer *w, struct block *b)
{
    struct str all = buf_view(&b->citations), one;

    if (b->kind != TEXT || b->citations.len == 0)
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
    struct writing *own = w->own;
    struct json_writer jw;

    jw_init(&jw, out);
    jw_object(&jw);
    write_message_head(&jw, w);
    jw_key(&jw, "content");
    jw_array(&jw);
    for (struct block *b = own->first; b; b = b->next) {
        struct str input = STR("{}");

        if ((b->kind == TOOL || b->kind == SERVER) &&
            !arguments_object(w->arena, buf_view(&b->kept), &input, err))
            return false;
        write_block(&jw, b, buf_view(&b->kept), input);
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
    struct writing *own = w->own;

    own->finish = said->finish;
    own->stop_sequence = STR_NONE;
    if (str_is_empty(said->text))
        return true;
    own->stop_sequence = arena_str(w->arena, said->text);
    return own->stop_sequence.ptr || err_arena(err, w->arena);
}

static void write_ping(struct said_writer *w, struct buf *out)
{
    const struct writing *own = w->own;
    struct json_writer jw;

    if (!w->streamed || !own->begun)
        return;
    event_begin(out, &jw, "ping");
    event_end(out, &jw);
}

static bool say(struct said_writer *w, const struct said *said, struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct err failed = {0};

    switch (said->kind) {
    case SAID_TEXT: return say_text(w, said, TEXT, out, err);
    case SAID_REFUSAL: own->refused = true; return say_text(w, said, TEXT, out, err);
    case SAID_REASONING:
        return said->is_redacted ? say_redacted(w, said, out, err)
                                 : say_text(w, said, THINKING, out, err);
    case SAID_TOOL: return say_tool(w, said, out, err);
    case SAID_ARGUMENTS: return say_arguments(w, said, out, err);
    case SAID_CITATION: return say_citation(w, said, out, err);
    case SAID_MEDIA: return say_media(w, said, out, err);
    case SAID_SEARCHED:
    case SAID_RAN: return say_server(w, said, out, err);
    case SAID_FOUND:
    case SAID_PRINTED: return say_answered(w, said, out, err);
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
    case SAID_SCORE: return true;
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
