/* An Anthropic provider's answer, read: events of a stream, or a whole message.
 *
 *   message_start --> (content_block_start --> content_block_delta* --> content_block_stop)*
 *                 --> message_delta --> message_stop
 *
 * Blocks follow each other here, so at most one is open. Pings and events that are new stand anywhere. */
#include <string.h>

#include "base/utf8.h"
#include "models/anthropic.h"
#include "models/citation.h"
#include "models/members.h"

#define ASKED_MAX     (256 * KIB) /* of a tool of the provider's own */
#define CITATIONS_MAX (4 * MIB)   /* of one block */

enum block_kind {
    BLOCK_NONE,
    BLOCK_TEXT,
    BLOCK_THINKING,
    BLOCK_TOOL,
    BLOCK_SERVER, /* the provider's own tool is called */
    BLOCK_OTHER
};

struct reading {
    struct usage usage;
    enum block_kind block; /* that is open */
    uint32_t part;         /* of the next block that is known */
    bool begun, has_arguments, finished, ended;
    struct str tier;
    int64_t characters, block_from; /* of text said in all; and before the open block */
    struct buf asked;               /* BLOCK_SERVER: its input, JSON */
    struct str asked_id;
    const struct server_tool *tool;
    struct buf citations; /* of the open block, a line each: its end is not known yet */
};

/* Answers are read kindly: a stream may split a pair of surrogates. */
static const struct json_limits from_provider = {.depth = 128,
                                                 .nodes = 4000000,
                                                 .lone_surrogates = true};

bool anthropic_reader_init(struct said_reader *r, struct err *err)
{
    struct reading *own = arena_alloc(r->arena, sizeof *own);

    if (!own)
        return err_arena(err, r->arena);
    own->usage = usage_unknown;
    buf_init(&own->citations, r->arena, CITATIONS_MAX);
    buf_init(&own->asked, r->arena, ASKED_MAX);
    r->own = own;
    return true;
}

/* ---- an event at hand ---- */

struct event {
    struct said_reader *r;
    struct reading *own;
    struct arena *arena;
    const struct json *j;
};

static struct str text_of(const struct event *e, json_ref object, const char *key)
{
    struct str text = STR_NONE;
    json_ref v = json_get(e->j, object, str_from(key));

    if (!v || !json_str(e->j, v, e->arena, &text))
        return STR_NONE;
    return text;
}

static bool broken(const char *what, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the answer is out of order: %s", what);
}

static bool tell(const struct event *e, const struct said *said, struct err *err)
{
    return e->r->take(e->r->ctx, said, err);
}

static bool tell_text(const struct event *e, enum said_kind kind, struct str text, struct err *err)
{
    if (kind == SAID_TEXT)
        e->own->characters += (int64_t)utf8_count(text);
    return str_is_empty(text) ||
           tell(e, &(struct said){.kind = kind, .part = e->own->part, .text = text}, err);
}

/* ---- citations ---- */

/* What a citation is for is its whole block: it waits until the end of that is known. */
static bool keep_citation(const struct event *e, json_ref citation, struct err *err)
{
    static const char *const known[] = {"type",           "url",     "source",     "title",
                                        "document_title", "file_id", "cited_text", NULL};
    struct str title = text_of(e, citation, "title");
    struct citation c = {.url = text_of(e, citation, "url"),
                         .file_id = text_of(e, citation, "file_id"),
                         .cited_text = text_of(e, citation, "cited_text"),
                         .start = -1,
                         .end = -1};
    struct buf *to = &e->own->citations;
    struct json_writer w;

    if (!c.url.ptr) /* of a search result */
        c.url = text_of(e, citation, "source");
    c.title = title.ptr ? title : text_of(e, citation, "document_title");
    if (!members_unknown(&(struct field_reader){.arena = e->arena, .json = e->j}, citation, known,
                         &c.rest, err))
        return false;
    jw_init(&w, to);
    citation_write(&w, &c);
    buf_char(to, CITATION_END);
    return buf_ok(to) || err_set(err, ERR_UNAVAILABLE, "a block has more than %zu MiB of citations",
                                 (size_t)(CITATIONS_MAX / MIB));
}

static bool keep_citations(const struct event *e, json_ref list, struct err *err)
{
    for (json_ref c = json_first(e->j, list); c; c = json_next(e->j, c))
        if (!keep_citation(e, c, err))
            return false;
    return true;
}

static bool tell_citations(const struct event *e, struct err *err)
{
    struct str all = buf_view(&e->own->citations), one;
    struct said said = {.kind = SAID_CITATION, .part = e->own->part};
    struct citation c;

    while (str_split(&all, CITATION_END, &one)) {
        if (str_is_empty(one))
            continue;
        if (!citation_read(e->arena, one, &c, err))
            return false;
        c.start = e->own->block_from;
        c.end = e->own->characters;
        if (!citation_raw(e->arena, &c, &said.raw, err) || !tell(e, &said, err))
            return false;
    }
    e->own->citations.len = 0;
    return true;
}

/* ---- blocks ---- */

static bool begin_thinking(struct event *e, json_ref block, struct err *err)
{
    struct str signature = text_of(e, block, "signature");

    e->own->block = BLOCK_THINKING;
    if (!tell_text(e, SAID_REASONING, text_of(e, block, "thinking"), err))
        return false;
    return str_is_empty(signature) ||
           tell(
               e,
               &(struct said){.kind = SAID_REASONING, .part = e->own->part, .signature = signature},
               err);
}

static bool begin_tool(struct event *e, json_ref block, struct err *err)
{
    struct said said = {.kind = SAID_TOOL,
                        .part = e->own->part,
                        .id = text_of(e, block, "id"),
                        .name = text_of(e, block, "name")};
    json_ref input = json_get(e->j, block, STR("input"));
    struct str arguments;

    if (str_is_empty(said.id) || str_is_empty(said.name))
        return broken("a tool_use without id or name", err);
    e->own->block = BLOCK_TOOL;
    e->own->has_arguments = false;
    if (!tell(e, &said, err) || !said_arguments(e->r, e->j, input, &arguments, err))
        return false;
    if (str_eq(arguments, STR("{}")) ||
        (json_kind(e->j, input) == JSON_OBJECT && !json_first(e->j, input)))
        return true; /* the pieces follow */
    e->own->has_arguments = true;
    return tell_text(e, SAID_ARGUMENTS, arguments, err);
}

static bool begin_redacted(struct event *e, json_ref block, struct err *err)
{
    struct said said = {.kind = SAID_REASONING,
                        .part = e->own->part,
                        .text = text_of(e, block, "data"),
                        .is_redacted = true};

    e->own->block = BLOCK_THINKING;
    return tell(e, &said, err);
}

/* Of a block that is told as something else: what has no place there. Who calls a tool is the model itself, unless it
 * says otherwise. */
static bool tell_beside(const struct event *e, json_ref block, struct err *err)
{
    static const char *const known[] = {
        "type", "text",  "citations", "thinking", "signature",   "data", "id",
        "name", "input", "caller",    "content",  "tool_use_id", NULL};

    json_ref caller = json_get(e->j, block, STR("caller"));

    if (json_first(e->j, caller) && !member_is(e->j, caller, "type", STR("direct")) &&
        !said_other(e->r, STR("content."), STR("caller"), json_raw(e->j, caller), err))
        return false;
    return said_others(e->r, e->j, block, known, "content.", err);
}

static bool begin_known(struct event *e, json_ref block, bool *is_known, struct err *err)
{
    if (member_is(e->j, block, "type", STR("text"))) {
        e->own->block = BLOCK_TEXT;
        e->own->block_from = e->own->characters;
        return tell_text(e, SAID_TEXT, text_of(e, block, "text"), err) &&
               keep_citations(e, json_get(e->j, block, STR("citations")), err);
    }
    if (member_is(e->j, block, "type", STR("thinking")))
        return begin_thinking(e, block, err);
    if (member_is(e->j, block, "type", STR("redacted_thinking")))
        return begin_redacted(e, block, err);
    if (member_is(e->j, block, "type", STR("tool_use")))
        return begin_tool(e, block, err);
    *is_known = false;
    return true;
}

/* What a tool of the provider's own is asked comes in pieces, as the arguments of calls do. */
static const struct server_tool {
    const char *name, *input, *result, *language; /* result: where its losses are */
    enum said_kind said, answer;
} server_tools[] = {
    {"web_search", "query", "content.web_search_tool_result.", NULL, SAID_SEARCHED, SAID_FOUND},
    {"code_execution", "code", "content.code_execution_tool_result.", "python", SAID_RAN,
     SAID_PRINTED},
    {"bash_code_execution", "command", "content.bash_code_execution_tool_result.", "bash", SAID_RAN,
     SAID_PRINTED},
};

static struct str result_type(const struct server_tool *tool)
{
    struct str where = str_from(tool->result);

    return str_slice(where, strlen("content."), where.len - 1);
}

static bool begin_server(struct event *e, json_ref block, const struct server_tool *tool,
                         struct err *err)
{
    json_ref input = json_get(e->j, block, STR("input"));

    e->own->block = BLOCK_SERVER;
    e->own->tool = tool;
    e->own->asked.len = 0;
    e->own->asked_id = arena_str(e->r->arena, text_of(e, block, "id"));
    if (!e->own->asked_id.ptr)
        return err_arena(err, e->r->arena);
    if (json_first(e->j, input))
        buf_str(&e->own->asked, json_raw(e->j, input));
    return buf_ok(&e->own->asked) || broken("a server_tool_use of more than 256 KiB", err);
}

static void put_member(const struct event *e, struct json_writer *w, json_ref object,
                       const char *key)
{
    json_ref v = json_get(e->j, object, str_from(key));

    if (!v)
        return;
    jw_key(w, key);
    jw_raw(w, json_raw(e->j, v));
}

static bool tell_found(struct event *e, json_ref content, struct said *said, struct err *err)
{
    struct json_writer w;
    struct buf list;

    buf_init(&list, e->arena, json_raw(e->j, content).len + KIB);
    jw_init(&w, &list);
    jw_array(&w);
    for (json_ref v = json_kind(e->j, content) == JSON_ARRAY ? json_first(e->j, content) : 0; v;
         v = json_next(e->j, v)) {
        jw_object(&w);
        put_member(e, &w, v, "url");
        put_member(e, &w, v, "title");
        jw_object_end(&w);
    }
    jw_array_end(&w);
    return buf_finish(&list, &said->raw, err) && tell(e, said, err);
}

/* As a terminal shows it: what was printed, then what went wrong. */
static bool tell_printed(struct event *e, json_ref content, struct said *said, struct err *err)
{
    struct str error = text_of(e, content, "error_code");
    int64_t status = 0;

    (void)!json_i64(e->j, json_get(e->j, content, STR("return_code")), &status);
    said->failed = status != 0 || error.len > 0;
    said->text =
        arena_fmt(e->arena, STR_FMT STR_FMT STR_FMT, STR_ARG(text_of(e, content, "stdout")),
                  STR_ARG(text_of(e, content, "stderr")), STR_ARG(error));
    return said->text.ptr ? tell(e, said, err) : err_arena(err, e->arena);
}

/* Members that only this house can read again, and files that stand in its container. */
static bool tell_result(struct event *e, json_ref block, const struct server_tool *tool,
                        struct err *err)
{
    static const char *const known[] = {"type",        "stdout",     "stderr",
                                        "return_code", "error_code", NULL};
    static const char *const known_source[] = {"type", "url", "title", NULL};
    json_ref content = json_get(e->j, block, STR("content"));
    struct str where = str_from(tool->result);
    struct said said = {.kind = tool->answer,
                        .id = text_of(e, block, "tool_use_id"),
                        .name = str_slice(where, 0, where.len - 1)};

    e->own->block = BLOCK_OTHER;
    if (tool->answer == SAID_PRINTED)
        return tell_printed(e, content, &said, err) &&
               said_others(e->r, e->j, content, known, tool->result, err);
    if (json_kind(e->j, content) != JSON_ARRAY && /* an error */
        !said_other(e->r, STR("content."), result_type(tool), json_raw(e->j, content), err))
        return false;
    for (json_ref v = json_kind(e->j, content) == JSON_ARRAY ? json_first(e->j, content) : 0; v;
         v = json_next(e->j, v))
        if (!said_others(e->r, e->j, v, known_source, tool->result, err))
            return false;
    return tell_found(e, content, &said, err);
}

/* *known: it is one of those, called or answered. */
static bool begin_server_block(struct event *e, json_ref block, bool *known, struct err *err)
{
    bool called = member_is(e->j, block, "type", STR("server_tool_use"));

    *known = true;
    for (size_t i = 0; i < ARRAY_LEN(server_tools); i++) {
        const struct server_tool *tool = &server_tools[i];

        if (called && member_is(e->j, block, "name", str_from(tool->name)))
            return begin_server(e, block, tool, err) && tell_beside(e, block, err);
        if (!called && member_is(e->j, block, "type", result_type(tool)))
            return tell_result(e, block, tool, err) && tell_beside(e, block, err);
    }
    *known = false;
    return true;
}

static bool begin_block(struct event *e, json_ref block, struct err *err)
{
    bool is_known = true;

    if (json_kind(e->j, block) != JSON_OBJECT)
        return broken("a block that is none", err);
    if (!begin_known(e, block, &is_known, err))
        return false;
    if (is_known)
        return tell_beside(e, block, err);
    if (!e->r->passes && !begin_server_block(e, block, &is_known, err))
        return false;
    if (is_known)
        return true;
    e->own->block = BLOCK_OTHER; /* the provider's own tools at work: no part of what is said */
    return said_other(e->r, STR("content."), text_of(e, block, "type"), json_raw(e->j, block), err);
}

static bool end_server(struct event *e, struct err *err)
{
    const struct server_tool *tool = e->own->tool;
    struct str asked = buf_view(&e->own->asked), text = STR_NONE;
    struct json *j = asked.len ? said_json(e->arena, asked, err) : NULL;

    if (asked.len && !j)
        return broken("the input of a server_tool_use is no JSON", err);
    if (!j || !json_str(j, json_get(j, json_root(j), str_from(tool->input)), e->arena, &text))
        return said_other(e->r, STR("content."), STR("server_tool_use"), asked, err);
    return tell(e,
                &(struct said){.kind = tool->said,
                               .id = e->own->asked_id,
                               .text = text,
                               .language = str_from(tool->language),
                               .name = STR("content.server_tool_use")},
                err);
}

static bool end_block(struct event *e, struct err *err)
{
    enum block_kind ended = e->own->block;
    struct said said = {.kind = SAID_PART_END, .part = e->own->part};

    e->own->block = BLOCK_NONE;
    if (ended == BLOCK_OTHER)
        return true;
    if (ended == BLOCK_SERVER)
        return end_server(e, err);
    if (ended == BLOCK_TOOL && !e->own->has_arguments &&
        !tell_text(e, SAID_ARGUMENTS, STR("{}"), err))
        return false;
    if (ended == BLOCK_TEXT && !tell_citations(e, err))
        return false;
    e->own->part++;
    return tell(e, &said, err);
}

static bool on_block_start(struct event *e, json_ref root, struct err *err)
{
    if (!e->own->begun || e->own->block != BLOCK_NONE)
        return broken("content_block_start", err);
    return begin_block(e, json_get(e->j, root, STR("content_block")), err);
}

static bool on_delta(struct event *e, json_ref root, struct err *err)
{
    json_ref delta = json_get(e->j, root, STR("delta"));
    enum block_kind block = e->own->block;
    struct str signature;

    if (block == BLOCK_NONE)
        return broken("content_block_delta outside a block", err);
    if (block == BLOCK_TEXT && member_is(e->j, delta, "type", STR("text_delta")))
        return tell_text(e, SAID_TEXT, text_of(e, delta, "text"), err);
    if (block == BLOCK_TEXT && member_is(e->j, delta, "type", STR("citations_delta")))
        return keep_citation(e, json_get(e->j, delta, STR("citation")), err);
    if (block == BLOCK_THINKING && member_is(e->j, delta, "type", STR("thinking_delta")))
        return tell_text(e, SAID_REASONING, text_of(e, delta, "thinking"), err);
    if (block == BLOCK_THINKING && member_is(e->j, delta, "type", STR("signature_delta"))) {
        signature = text_of(e, delta, "signature");
        return tell(
            e, &(struct said){.kind = SAID_REASONING, .part = e->own->part, .signature = signature},
            err);
    }
    if (block == BLOCK_TOOL && member_is(e->j, delta, "type", STR("input_json_delta"))) {
        struct str piece = text_of(e, delta, "partial_json");

        e->own->has_arguments = e->own->has_arguments || !str_is_empty(piece);
        return tell_text(e, SAID_ARGUMENTS, piece, err);
    }
    if (block == BLOCK_SERVER && member_is(e->j, delta, "type", STR("input_json_delta"))) {
        buf_str(&e->own->asked, text_of(e, delta, "partial_json"));
        return buf_ok(&e->own->asked) || broken("a server_tool_use of more than 256 KiB", err);
    }
    if (block == BLOCK_OTHER)
        return true; /* its beginning has been told */
    return said_other(e->r, STR("delta."), text_of(e, delta, "type"), json_raw(e->j, delta), err);
}

static bool on_block_stop(struct event *e, json_ref root, struct err *err)
{
    (void)root;
    if (e->own->block == BLOCK_NONE)
        return broken("content_block_stop outside a block", err);
    return end_block(e, err);
}

/* ---- the message ---- */

/* The tier of the usage, and what else stands beside what is known. */
static bool take_usage(struct event *e, json_ref usage, struct err *err)
{
    static const char *const known[] = {"input_tokens",
                                        "output_tokens",
                                        "cache_creation_input_tokens",
                                        "cache_read_input_tokens",
                                        "cache_creation",
                                        "output_tokens_details",
                                        "service_tier",
                                        NULL};
    struct said said = {.kind = SAID_TIER,
                        .text = anthropic_tier_read(text_of(e, usage, "service_tier"))};

    anthropic_read_usage(e->j, usage, &e->own->usage);
    return (!said.text.len || tell(e, &said, err)) &&
           said_others(e->r, e->j, usage, known, "usage.", err);
}

static bool tell_rest(struct event *e, json_ref message, struct err *err)
{
    static const char *const known[] = {"id",          "type",          "role",  "content", "model",
                                        "stop_reason", "stop_sequence", "usage", NULL};

    return said_others(e->r, e->j, message, known, "", err);
}

static bool begin_message(struct event *e, json_ref message, struct err *err)
{
    struct said said = {
        .kind = SAID_BEGIN, .id = text_of(e, message, "id"), .model = text_of(e, message, "model")};

    if (e->own->begun)
        return broken("a second message", err);
    e->own->begun = true;
    anthropic_read_usage(e->j, json_get(e->j, message, STR("usage")), &e->own->usage);
    said.usage = e->own->usage;
    return tell(e, &said, err) && take_usage(e, json_get(e->j, message, STR("usage")), err) &&
           tell_rest(e, message, err);
}

static bool finish_message(struct event *e, json_ref from, struct err *err)
{
    struct str reason = text_of(e, from, "stop_reason");
    struct said said = {.kind = SAID_FINISH, .text = text_of(e, from, "stop_sequence")};

    if (!reason.ptr || e->own->finished)
        return true;
    e->own->finished = true;
    said.finish = anthropic_finish(reason);
    return tell(e, &said, err);
}

static bool end_message(struct event *e, struct err *err)
{
    struct said usage = {.kind = SAID_USAGE, .usage = e->own->usage};

    if (!e->own->finished)
        return broken("it ends without a stop_reason", err);
    e->own->ended = true;
    return tell(e, &usage, err) && tell(e, &(struct said){.kind = SAID_END}, err);
}

static bool on_message_start(struct event *e, json_ref root, struct err *err)
{
    return begin_message(e, json_get(e->j, root, STR("message")), err);
}

static bool on_message_delta(struct event *e, json_ref root, struct err *err)
{
    static const char *const known[] = {"type", "delta", "usage", NULL};

    if (!e->own->begun || e->own->block != BLOCK_NONE)
        return broken("message_delta", err);
    return said_others(e->r, e->j, root, known, "", err) &&
           take_usage(e, json_get(e->j, root, STR("usage")), err) &&
           tell_rest(e, json_get(e->j, root, STR("delta")), err) &&
           finish_message(e, json_get(e->j, root, STR("delta")), err);
}

static bool on_message_stop(struct event *e, json_ref root, struct err *err)
{
    (void)root;
    if (!e->own->begun || e->own->block != BLOCK_NONE)
        return broken("message_stop", err);
    return end_message(e, err);
}

static bool on_ping(struct event *e, json_ref root, struct err *err)
{
    (void)root;
    return tell(e, &(struct said){.kind = SAID_PING}, err);
}

static bool on_error(struct event *e, json_ref root, struct err *err)
{
    json_ref error = json_get(e->j, root, STR("error"));
    struct said said = {.kind = SAID_FAILED,
                        .name = text_of(e, error, "type"),
                        .text = text_of(e, error, "message")};

    e->own->ended = true; /* nothing follows */
    return tell(e, &said, err);
}

static bool on_whole(struct event *e, json_ref root, struct err *err)
{
    json_ref content = json_get(e->j, root, STR("content"));

    if (json_kind(e->j, content) != JSON_ARRAY)
        return broken("a message without content", err);
    if (!begin_message(e, root, err))
        return false;
    for (json_ref b = json_first(e->j, content); b; b = json_next(e->j, b))
        if (!begin_block(e, b, err) || !end_block(e, err))
            return false;
    return finish_message(e, root, err) && end_message(e, err);
}

static const struct {
    const char *type;
    bool (*take)(struct event *e, json_ref root, struct err *err);
    bool whole;
} events[] = {
    {"content_block_delta", on_delta, false},
    {"content_block_start", on_block_start, false},
    {"content_block_stop", on_block_stop, false},
    {"message_start", on_message_start, false},
    {"message_delta", on_message_delta, false},
    {"message_stop", on_message_stop, false},
    {"ping", on_ping, false},
    {"error", on_error, false},
    {"error", on_error, true},
    {"message", on_whole, true},
};

static bool take_event(struct event *e, struct err *err)
{
    json_ref root = json_root(e->j);

    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (events[i].whole != e->r->streamed &&
            member_is(e->j, root, "type", str_from(events[i].type)))
            return events[i].take(e, root, err);
    if (!e->r->streamed)
        return broken("it is no message", err);
    return said_other(e->r, STR("event."), text_of(e, root, "type"), json_raw(e->j, root), err);
}

bool anthropic_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
{
    struct reading *own = r->own;
    struct event e = {.r = r, .own = own, .arena = r->scratch};
    struct err bad = {0};

    (void)type; /* the data says it too */
    if (own->ended || str_is_empty(data))
        return true;
    e.j = json_parse_within(e.arena, data, &from_provider, &bad);
    if (!e.j)
        return err_recast(err, &bad, ERR_UNAVAILABLE, "the answer cannot be read");
    return take_event(&e, err);
}

bool anthropic_at_end(struct said_reader *r, struct err *err)
{
    struct reading *own = r->own;
    struct event e = {.r = r, .own = own};

    if (own->ended)
        return true;
    if (own->finished && own->block == BLOCK_NONE) /* all was said but goodbye */
        return end_message(&e, err);
    return err_set(err, ERR_UNAVAILABLE, "the stream was cut before its message_stop");
}
