/* Converse's answers and ConverseStream's events -> steps. */
#include "models/bedrock_internal.h"

#include <string.h>

#include "base/utf8.h"
#include "models/citation.h"
#include "models/members.h"
#include "models/models.h"
#include "models/rerank.h"

#define BLOCKS_MAX    4096          /* of one answer */
#define CITATIONS_MAX (4 * MIB)     /* of one block */
#define TOKENS_MAX    1000000000000 /* a count above it is a mistake and taken as not reported */

/* BLOCK_CALLED: a tool, and no input yet. BLOCK_SERVER: one that Bedrock itself runs, which is nobody's to answer. */
enum block { BLOCK_NONE, BLOCK_TEXT, BLOCK_REASONING, BLOCK_CALLED, BLOCK_TOOL, BLOCK_SERVER };

struct reading {
    struct usage usage;
    bool has_usage, begun, stopped, ended;
    uint32_t parts, vectors;
    uint16_t part_of[BLOCKS_MAX];  /* contentBlockIndex -> part + 1 */
    uint8_t kind_of[BLOCKS_MAX];   /* enum block of the part that a block has open */
    uint32_t text_part;            /* the newest */
    int64_t characters, text_from; /* of text said in all; and before that part */
    char image_format[16];         /* of the image that has begun */
    struct buf citations;          /* of it, a line each: its end is not known yet */
};

bool bedrock_reader_init(struct said_reader *r, struct err *err)
{
    struct reading *own = arena_alloc(r->arena, sizeof *own);

    if (!own)
        return err_arena(err, r->arena);
    own->usage = usage_unknown;
    buf_init(&own->citations, r->arena, CITATIONS_MAX);
    r->own = own;
    return true;
}

struct message {
    struct said_reader *r;
    struct reading *own;
    const struct json *j;
};

static bool take(struct message *e, struct said *said, struct err *err)
{
    return e->r->take(e->r->ctx, said, err);
}

static bool text_of(struct message *e, json_ref object, const char *name, struct str *out,
                    struct err *err)
{
    json_ref v = json_get(e->j, object, str_from(name));

    *out = STR_NONE;
    if (json_kind(e->j, v) != JSON_STRING)
        return true;
    return json_str(e->j, v, e->r->scratch, out) || err_arena(err, e->r->scratch);
}

static bool fail(struct message *e, struct str type, struct str text, struct err *err)
{
    struct said said = {.kind = SAID_FAILED, .name = type, .text = text};

    e->own->ended = true;
    return take(e, &said, err);
}

/* ---- usage: inputTokens are those that were neither read from a cache nor written to it ---- */

static int64_t count_of(const struct json *j, json_ref object, const char *name)
{
    int64_t n;

    return json_i64(j, json_get(j, object, str_from(name)), &n) && n >= 0 && n <= TOKENS_MAX ? n
                                                                                             : -1;
}

static void read_usage(struct message *e, json_ref u)
{
    const struct json *j = e->j;
    struct usage *to = &e->own->usage;
    int64_t in = count_of(j, u, "inputTokens"), read = count_of(j, u, "cacheReadInputTokens");
    int64_t write = count_of(j, u, "cacheWriteInputTokens"), hour = 0;
    json_ref details = json_get(j, u, STR("cacheDetails"));

    if (in < 0 && read < 0 && write < 0 && count_of(j, u, "outputTokens") < 0)
        return; /* it counts nothing: what was said before stands */
    for (json_ref d = json_first(j, details); d; d = json_next(j, d))
        if (str_eq(json_raw(j, json_get(j, d, STR("ttl"))), STR("\"1h\"")))
            hour += MAX_OF(count_of(j, d, "inputTokens"), 0);
    e->own->has_usage = true;
    to->tokens_in = in < 0 ? -1 : in + MAX_OF(read, 0) + MAX_OF(write, 0);
    to->tokens_out = count_of(j, u, "outputTokens");
    to->tokens_cached = read;
    to->tokens_cache_write = write < 0 ? -1 : MAX_OF(write - hour, 0);
    to->tokens_cache_write_long = hour > 0 ? hour : -1;
}

/* Usage, the tier that answered, and what else stands at the top of an answer or in its metadata. */
static bool say_rest(struct message *e, json_ref root, struct err *err)
{
    static const char *const known[] = {"output", "stopReason", "usage", "serviceTier", "p", NULL};
    static const char *const counts[] = {"inputTokens",
                                         "outputTokens",
                                         "totalTokens",
                                         "cacheReadInputTokens",
                                         "cacheWriteInputTokens",
                                         "cacheDetails",
                                         "cacheReadInputTokenCount",
                                         "cacheWriteInputTokenCount",
                                         NULL};
    struct said said = {.kind = SAID_TIER};

    read_usage(e, json_get(e->j, root, STR("usage")));
    return text_of(e, json_get(e->j, root, STR("serviceTier")), "type", &said.text, err) &&
           (!said.text.len || take(e, &said, err)) &&
           said_others(e->r, e->j, root, known, "", err) &&
           said_others(e->r, e->j, json_get(e->j, root, STR("usage")), counts, "usage.", err);
}

/* ---- blocks ---- */

static bool begin(struct message *e, struct err *err)
{
    struct said said = {.kind = SAID_BEGIN};

    if (e->own->begun)
        return true;
    e->own->begun = true;
    said.model = e->r->model ? e->r->model->remote_name : STR_NONE;
    return take(e, &said, err);
}

/* The part of a block: the open one of the same kind, or a new one. */
static bool part_for(struct message *e, int64_t index, enum block kind, uint32_t *part,
                     struct err *err)
{
    struct reading *own = e->own;

    if (index < 0 || index >= BLOCKS_MAX)
        return err_set(err, ERR_UNAVAILABLE, "a content block with index %" PRId64, index);
    if (!own->part_of[index] || own->kind_of[index] != kind) {
        if (own->parts >= UINT16_MAX - 1)
            return err_set(err, ERR_UNAVAILABLE, "more than %d parts", UINT16_MAX - 1);
        own->part_of[index] = (uint16_t)(++own->parts);
        own->kind_of[index] = (uint8_t)kind;
    }
    *part = own->part_of[index] - 1u;
    return true;
}

static bool say_text(struct message *e, int64_t index, struct str text, struct err *err)
{
    struct said said = {.kind = SAID_TEXT, .text = text};
    uint32_t parts = e->own->parts;

    if (!text.len)
        return true;
    if (!part_for(e, index, BLOCK_TEXT, &said.part, err))
        return false;
    if (e->own->parts != parts) {
        e->own->text_part = said.part;
        e->own->text_from = e->own->characters;
    }
    e->own->characters += (int64_t)utf8_count(text);
    return take(e, &said, err);
}

/* {"reasoningText":{"text","signature"}} of whole answers; {"text"} or {"signature"} of streams. */
static bool say_reasoning(struct message *e, int64_t index, json_ref v, struct err *err)
{
    json_ref inner = json_get(e->j, v, STR("reasoningText"));
    struct said said = {.kind = SAID_REASONING};
    struct str text, signature, redacted;

    if (!text_of(e, inner ? inner : v, "text", &text, err) ||
        !text_of(e, inner ? inner : v, "signature", &signature, err) ||
        !text_of(e, v, "redactedContent", &redacted, err) ||
        !part_for(e, index, BLOCK_REASONING, &said.part, err))
        return false;
    if (redacted.len) {
        said.text = redacted;
        said.is_redacted = true;
        return take(e, &said, err);
    }
    said.text = text;
    if (text.len && !take(e, &said, err))
        return false;
    said.text = STR("");
    said.signature = signature;
    return !signature.len || take(e, &said, err);
}

static bool say_tool(struct message *e, int64_t index, json_ref tool, struct err *err)
{
    struct said said = {.kind = SAID_TOOL};

    if (!text_of(e, tool, "toolUseId", &said.id, err) || !text_of(e, tool, "name", &said.name, err))
        return false;
    if (!said.id.len || !said.name.len)
        return err_set(err, ERR_UNAVAILABLE, "a toolUse without an id and a name");
    return part_for(e, index, BLOCK_CALLED, &said.part, err) && take(e, &said, err);
}

static bool say_arguments(struct message *e, int64_t index, struct str text, struct err *err)
{
    struct said said = {.kind = SAID_ARGUMENTS, .text = text};

    if (index < 0 || index >= BLOCKS_MAX || e->own->kind_of[index] < BLOCK_CALLED)
        return err_set(err, ERR_UNAVAILABLE, "input of a toolUse that was not begun");
    said.part = e->own->part_of[index] - 1u;
    if (!text.len)
        return true;
    e->own->kind_of[index] = BLOCK_TOOL;
    return take(e, &said, err);
}

/* ---- citations: for the whole block that they stand in ---- */

static const struct {
    const char *kind;
    struct {
        const char *here, *there; /* there: as models/citation.h has it */
    } places[3];
} locations[] = {
    {"documentChar",
     {{"documentIndex", "document_index"},
      {"start", "start_char_index"},
      {"end", "end_char_index"}}},
    {"documentPage",
     {{"documentIndex", "document_index"},
      {"start", "start_page_number"},
      {"end", "end_page_number"}}},
    {"documentChunk",
     {{"documentIndex", "document_index"},
      {"start", "start_block_index"},
      {"end", "end_block_index"}}},
    {"searchResultLocation",
     {{"searchResultIndex", "search_result_index"},
      {"start", "start_block_index"},
      {"end", "end_block_index"}}},
};

/* {"document_index":0,...} of a place inside what the client sent; empty: it is on the web. */
static bool place_of(struct message *e, json_ref location, struct str *out, struct err *err)
{
    struct json_writer w;
    struct buf b;

    for (size_t i = 0; i < ARRAY_LEN(locations); i++) {
        json_ref at = json_get(e->j, location, str_from(locations[i].kind));

        if (!at)
            continue;
        buf_init(&b, e->r->scratch, 512);
        jw_init(&w, &b);
        jw_object(&w);
        for (size_t k = 0; k < ARRAY_LEN(locations[i].places); k++) {
            jw_key(&w, locations[i].places[k].there);
            jw_i64(&w, MAX_OF(count_of(e->j, at, locations[i].places[k].here), 0));
        }
        jw_object_end(&w);
        return buf_finish(&b, out, err);
    }
    return true;
}

static bool keep_citation(struct message *e, json_ref citation, struct err *err)
{
    static const char *const known[] = {"location", "title", "source", "sourceContent", NULL};
    static const char *const known_web[] = {"url", NULL};
    json_ref location = json_get(e->j, citation, STR("location"));
    json_ref cited = json_first(e->j, json_get(e->j, citation, STR("sourceContent")));
    struct citation c = {.start = -1, .end = -1};
    struct buf *to = &e->own->citations;
    struct json_writer w;

    if (!text_of(e, json_get(e->j, location, STR("web")), "url", &c.url, err) ||
        !text_of(e, citation, "title", &c.title, err) ||
        !text_of(e, cited, "text", &c.cited_text, err) || !place_of(e, location, &c.rest, err) ||
        !said_others(e->r, e->j, citation, known, "citation.", err) ||
        !said_others(e->r, e->j, json_get(e->j, location, STR("web")), known_web,
                     "citation.location.web.", err))
        return false;
    if (!c.url.len && !text_of(e, citation, "source", &c.url, err)) /* of a search result */
        return false;
    jw_init(&w, to);
    citation_write(&w, &c);
    buf_char(to, CITATION_END);
    return buf_ok(to) || err_set(err, ERR_UNAVAILABLE, "a block has more than %zu MiB of citations",
                                 (size_t)(CITATIONS_MAX / MIB));
}

static bool say_citations(struct message *e, struct err *err)
{
    struct str all = buf_view(&e->own->citations), one;
    struct said said = {.kind = SAID_CITATION, .part = e->own->text_part};
    struct citation c;

    while (str_split(&all, CITATION_END, &one)) {
        if (str_is_empty(one))
            continue;
        if (!citation_read(e->r->scratch, one, &c, err))
            return false;
        c.start = e->own->text_from;
        c.end = e->own->characters;
        if (!citation_raw(e->r->scratch, &c, &said.raw, err) || !take(e, &said, err))
            return false;
    }
    e->own->citations.len = 0;
    return true;
}

/* `image` holds its source, and in a whole answer its format; a stream has said that before. */
static bool say_image(struct message *e, json_ref image, struct err *err)
{
    struct said said = {.kind = SAID_MEDIA, .part = e->own->parts++};
    struct str format;

    if (!text_of(e, image, "format", &format, err) ||
        !text_of(e, json_get(e->j, image, STR("source")), "bytes", &said.text, err))
        return false;
    if (!format.len)
        format = str_from(e->own->image_format);
    said.media_type = arena_fmt(e->r->scratch, "image/" STR_FMT, STR_ARG(format));
    return said.media_type.ptr ? take(e, &said, err) : err_arena(err, e->r->scratch);
}

static bool say_cited(struct message *e, int64_t index, json_ref cited, struct err *err)
{
    json_ref texts = json_get(e->j, cited, STR("content"));
    json_ref citations = json_get(e->j, cited, STR("citations"));
    struct str text;

    for (json_ref t = json_first(e->j, texts); t; t = json_next(e->j, t))
        if (!text_of(e, t, "text", &text, err) || !say_text(e, index, text, err))
            return false;
    for (json_ref c = json_first(e->j, citations); c; c = json_next(e->j, c))
        if (!keep_citation(e, c, err))
            return false;
    return say_citations(e, err);
}

/* ---- the end ---- */

static const struct {
    const char *name;
    enum finish_reason finish; /* UNSAID: the model did not do what it should */
} reasons[] = {
    {"end_turn", FINISH_STOP},
    {"stop_sequence", FINISH_STOP},
    {"tool_use", FINISH_TOOL_CALLS},
    {"max_tokens", FINISH_LENGTH},
    {"guardrail_intervened", FINISH_CONTENT_FILTER},
    {"content_filtered", FINISH_CONTENT_FILTER},
    {"model_context_window_exceeded", FINISH_CONTEXT},
    {"malformed_model_output", FINISH_UNSAID},
    {"malformed_tool_use", FINISH_UNSAID},
};

static bool say_stop(struct message *e, json_ref object, struct err *err)
{
    struct said said = {.kind = SAID_FINISH};
    struct str reason, text;

    if (!text_of(e, object, "stopReason", &reason, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_eq(reason, str_from(reasons[i].name)))
            said.finish = reasons[i].finish;
    if (said.finish == FINISH_UNSAID) {
        text = arena_fmt(e->r->scratch, "the model stopped: " STR_FMT, STR_ARG(reason));
        return text.ptr ? fail(e, reason, text, err) : err_arena(err, e->r->scratch);
    }
    e->own->stopped = true;
    return take(e, &said, err);
}

/* Of a block or a delta and of what it is made of, what nobody here knows. */
static bool say_beside(struct message *e, json_ref block, const char *where, struct err *err)
{
    static const char *const known[] = {
        "text", "toolUse", "reasoningContent", "citationsContent", "image", "citation", NULL};
    static const struct {
        const char *name, *where, *known[5];
    } objects[] = {
        {"toolUse", "content.toolUse.", {"toolUseId", "name", "input", NULL}},
        {"reasoningContent",
         "content.reasoningContent.",
         {"reasoningText", "redactedContent", "text", "signature", NULL}},
        {"citationsContent", "content.citationsContent.", {"content", "citations", NULL}},
        {"image", "content.image.", {"format", "source", NULL}},
    };

    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        if (!said_others(e->r, e->j, json_get(e->j, block, str_from(objects[i].name)),
                         objects[i].known, objects[i].where, err))
            return false;
    return said_others(e->r, e->j, block, known, where, err);
}

static bool is_server(const struct json *j, json_ref tool)
{
    return member_is(j, tool, "type", STR("server_tool_use"));
}

static bool say_server(struct message *e, json_ref tool, struct err *err)
{
    return said_other(e->r, STR("content."), STR("toolUse.server_tool_use"), json_raw(e->j, tool),
                      err);
}

/* ---- whole answers ---- */

static bool read_block(struct message *e, int64_t index, json_ref block, struct err *err)
{
    const struct json *j = e->j;
    json_ref tool = json_get(j, block, STR("toolUse"));
    json_ref reasoning = json_get(j, block, STR("reasoningContent"));
    json_ref cited = json_get(j, block, STR("citationsContent"));
    json_ref image = json_get(j, block, STR("image"));
    struct str text;

    if (is_server(j, tool))
        return say_server(e, tool, err);
    if (!say_beside(e, block, "content.", err))
        return false;
    if (tool)
        return said_arguments(e->r, j, json_get(j, tool, STR("input")), &text, err) &&
               say_tool(e, index, tool, err) && say_arguments(e, index, text, err);
    if (reasoning)
        return say_reasoning(e, index, reasoning, err);
    if (cited)
        return say_cited(e, index, cited, err);
    if (image)
        return say_image(e, image, err);
    return text_of(e, block, "text", &text, err) && say_text(e, index, text, err);
}

static bool read_whole(struct message *e, struct err *err)
{
    const struct json *j = e->j;
    json_ref content = json_path(j, "output.message.content");
    int64_t index = 0;

    if (json_kind(j, content) != JSON_ARRAY)
        return err_set(err, ERR_UNAVAILABLE, "an answer without output.message.content");
    if (!begin(e, err) || !say_rest(e, json_root(j), err))
        return false;
    for (json_ref b = json_first(j, content); b; b = json_next(j, b))
        if (!read_block(e, index++, b, err))
            return false;
    return say_stop(e, json_root(j), err);
}

/* ---- streams ---- */

static bool read_start(struct message *e, int64_t index, json_ref start, struct err *err)
{
    json_ref tool = json_get(e->j, start, STR("toolUse"));
    json_ref image = json_get(e->j, start, STR("image"));
    static const char *const known[] = {"toolUse", "image", NULL};
    static const char *const known_tool[] = {"toolUseId", "name", NULL};
    struct str format;

    if (is_server(e->j, tool)) {
        if (index >= 0 && index < BLOCKS_MAX)
            e->own->kind_of[index] = BLOCK_SERVER;
        return say_server(e, tool, err);
    }

    if (!text_of(e, image, "format", &format, err))
        return false;
    if (format.len) {
        format = str_slice(format, 0, sizeof e->own->image_format - 1);
        memcpy(e->own->image_format, format.ptr, format.len);
        e->own->image_format[format.len] = 0;
    }
    return said_others(e->r, e->j, start, known, "content.", err) &&
           said_others(e->r, e->j, tool, known_tool, "content.toolUse.", err) &&
           (!tool || say_tool(e, index, tool, err));
}

static bool read_delta(struct message *e, int64_t index, json_ref delta, struct err *err)
{
    json_ref tool = json_get(e->j, delta, STR("toolUse"));
    json_ref reasoning = json_get(e->j, delta, STR("reasoningContent"));
    json_ref citation = json_get(e->j, delta, STR("citation"));
    json_ref image = json_get(e->j, delta, STR("image"));
    struct str text;

    if (!say_beside(e, delta, "delta.", err))
        return false;
    if (tool && index >= 0 && index < BLOCKS_MAX && e->own->kind_of[index] == BLOCK_SERVER)
        return true; /* its beginning has been told */
    if (tool)
        return text_of(e, tool, "input", &text, err) && say_arguments(e, index, text, err);
    if (reasoning)
        return say_reasoning(e, index, reasoning, err);
    if (citation)
        return keep_citation(e, citation, err);
    if (image)
        return say_image(e, image, err);
    return text_of(e, delta, "text", &text, err) && say_text(e, index, text, err);
}

static bool read_stop(struct message *e, int64_t index, struct err *err)
{
    struct said said = {.kind = SAID_PART_END};

    if (index < 0 || index >= BLOCKS_MAX || !e->own->part_of[index])
        return true;
    if (!say_citations(e, err))
        return false;
    if (e->own->kind_of[index] == BLOCK_CALLED && !say_arguments(e, index, STR("{}"), err))
        return false; /* one without input is called with an empty object */
    said.part = e->own->part_of[index] - 1u;
    return take(e, &said, err);
}

static bool read_event(struct message *e, struct str type, struct err *err)
{
    const struct json *j = e->j;
    json_ref root = json_root(j);
    int64_t index = count_of(j, root, "contentBlockIndex");
    static const char *const stop[] = {"stopReason", "p", NULL}; /* p: padding */
    struct str text;

    if (str_eq(type, STR("contentBlockDelta")))
        return begin(e, err) && read_delta(e, index, json_get(j, root, STR("delta")), err);
    if (str_eq(type, STR("contentBlockStart")))
        return begin(e, err) && read_start(e, index, json_get(j, root, STR("start")), err);
    if (str_eq(type, STR("contentBlockStop")))
        return read_stop(e, index, err);
    if (str_eq(type, STR("messageStart")))
        return begin(e, err);
    if (str_eq(type, STR("messageStop")))
        return begin(e, err) && say_citations(e, err) &&
               said_others(e->r, j, root, stop, "", err) && say_stop(e, root, err);
    if (str_eq(type, STR("metadata")))
        return say_rest(e, root, err);
    if (str_ends(type, STR("Exception")))
        return text_of(e, root, "message", &text, err) && fail(e, type, text, err);
    return said_other(e->r, STR("event."), type, json_raw(j, root), err);
}

/* ---- embeddings ---- */

static bool say_vector(struct message *e, json_ref values, struct err *err)
{
    struct said said = {.kind = SAID_VECTOR, .choice = e->own->vectors++};

    if (json_kind(e->j, values) != JSON_ARRAY)
        return err_set(err, ERR_UNAVAILABLE, "an embedding that is no array");
    said.raw = json_raw(e->j, values);
    return take(e, &said, err);
}

/* Titan: embedding, inputTextTokenCount. Cohere: embeddings, an array or by type. */
static bool read_vectors(struct message *e, struct err *err)
{
    const struct json *j = e->j;
    json_ref root = json_root(j), one = json_get(j, root, STR("embedding"));
    json_ref all = json_get(j, root, STR("embeddings"));
    int64_t count = count_of(j, root, "inputTextTokenCount");

    if (json_kind(j, all) == JSON_OBJECT)
        all = json_get(j, all, STR("float"));
    if (!begin(e, err) || (one && !say_vector(e, one, err)))
        return false;
    for (json_ref v = json_first(j, all); v; v = json_next(j, v))
        if (!say_vector(e, v, err))
            return false;
    if (count >= 0) {
        e->own->usage.tokens_in = count;
        e->own->usage.tokens_out = 0;
        e->own->has_usage = true;
    }
    e->own->stopped = e->own->vectors > 0;
    return e->own->stopped || err_set(err, ERR_UNAVAILABLE, "an answer without embeddings");
}

/* {"results": [{"index", "relevance_score"}]}: what was read is not said. */
static bool read_ranks(struct message *e, struct err *err)
{
    e->own->stopped = true;
    return begin(e, err) && rerank_read_results(e->r, e->j, err);
}

bool bedrock_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
{
    const struct json_limits limits = {.depth = 128, .nodes = 4000000, .lone_surrogates = true};
    struct message e = {.r = r, .own = r->own};

    if (e.own->ended || !data.len)
        return true;
    e.j = json_parse_within(r->scratch, data, &limits, err);
    if (!e.j) {
        if (err->code == ERR_INVALID)
            err->code = ERR_UNAVAILABLE;
        return err_wrap(err, "an answer that is not JSON");
    }
    if (type.len)
        return read_event(&e, type, err);
    if (r->asked && r->asked->kind == ASK_EMBEDDING)
        return read_vectors(&e, err);
    if (r->asked && r->asked->kind == ASK_RERANK)
        return read_ranks(&e, err);
    return read_whole(&e, err);
}

bool bedrock_at_end(struct said_reader *r, struct err *err)
{
    struct reading *own = r->own;
    struct said said = {.kind = SAID_USAGE, .usage = own->usage};

    if (own->ended)
        return true;
    if (!own->stopped)
        return err_set(err, ERR_UNAVAILABLE, "the answer ended without a stopReason");
    own->ended = true;
    if (own->has_usage && !r->take(r->ctx, &said, err))
        return false;
    said.kind = SAID_END;
    return r->take(r->ctx, &said, err);
}
