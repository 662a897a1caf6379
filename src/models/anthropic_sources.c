/* What stands behind an answer for a client that speaks the Anthropic dialect: searches and code of the provider's own
 * tools, and the sources of a text. */
#include "models/anthropic_answer.h"
#include "models/citation.h"
#include "models/members.h"

/* ---- tools of the provider's own: the block of the call, and the one of what came of it ---- */

static struct anthropic_block *add_server(struct said_writer *w, enum anthropic_block_kind kind,
                                          struct str id, const char *name, struct err *err)
{
    struct anthropic_block *b = anthropic_block_add(w, kind, UINT32_MAX, err);

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

bool anthropic_say_server(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    bool ran = said->kind == SAID_RAN;
    const char *name = !ran             ? "web_search"
                       : is_shell(said) ? "bash_code_execution"
                                        : "code_execution";
    struct anthropic_block *b = add_server(w, BLOCK_SERVER, said->id, name, err);
    struct json_writer jw;

    if (!b)
        return false;
    jw_init(&jw, &b->kept);
    jw_object(&jw);
    jw_key(&jw, !ran ? "query" : is_shell(said) ? "command" : "code");
    jw_str(&jw, said->text);
    jw_object_end(&jw);
    return anthropic_block_put(w, b, STR(""), out, err);
}

/* Others do not say how old a page is, and what only this house can read again there is none. */
static bool write_sources(struct said_writer *w, struct buf *to, struct str raw, struct err *err)
{
    struct json *j = said_json(w->arena, raw, err);
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
static bool was_shell(const struct anthropic_telling *own, struct str id)
{
    bool shell = false;

    for (const struct anthropic_block *b = own->first; b; b = b->next)
        if (b->kind == BLOCK_SERVER && str_ends(b->id, id))
            shell = str_eq(b->name, STR("bash_code_execution"));
    return shell;
}

bool anthropic_say_answered(struct said_writer *w, const struct said *said, struct buf *out,
                            struct err *err)
{
    bool found = said->kind == SAID_FOUND, shell = !found && was_shell(w->own, said->id);
    const char *name = found   ? "web_search_tool_result"
                       : shell ? "bash_code_execution_tool_result"
                               : "code_execution_tool_result";
    struct anthropic_block *b = add_server(w, BLOCK_ANSWERED, said->id, name, err);

    if (!b)
        return false;
    if (!found)
        write_printed(&b->kept, said,
                      shell ? "bash_code_execution_result" : "code_execution_result");
    else if (!write_sources(w, &b->kept, said->raw, err))
        return false;
    return anthropic_block_put(w, b, STR(""), out, err);
}

/* ---- what a text stands on ---- */

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

/* A block of text is what its citations are for; a place inside the block has none here. */
static bool make_citation(struct said_writer *w, struct str raw, struct anthropic_block *b,
                          struct err *err)
{
    struct buf *to = &b->citations;
    const struct citation_kind *kind;
    struct json *rest = NULL;
    struct json_writer jw;
    struct citation c;
    int64_t n;

    if (!citation_read(w->arena, raw, &c, err))
        return false;
    if (c.rest.len && !(rest = said_json(w->arena, c.rest, err)))
        return false;
    if (c.start >= 0 && (c.start != b->from || c.end != b->from + b->characters))
        said_lost(w, STR("citations.start_index"));
    kind = citation_kind_of(&c, rest);
    citation_lose(w, rest, kind->places);
    if (!kind->mark && c.file_id.len)
        said_lost(w, STR("citations.file_id"));
    jw_init(&jw, to);
    jw_object(&jw);
    jw_text(&jw, "type", str_from(kind->type));
    jw_text(&jw, "cited_text", c.cited_text);
    jw_text(&jw, kind->mark && c.url.len == 0 ? "document_title" : "title", c.title);
    if (c.url.len)
        jw_text(&jw, kind->mark ? "source" : "url", c.url);
    for (size_t i = 0; kind->places[i]; i++) {
        jw_key(&jw, kind->places[i]);
        jw_i64(&jw, citation_place(rest, kind->places[i], &n) ? n : 0);
    }
    if (!kind->mark)
        jw_text(&jw, "encrypted_index", STR("")); /* its provider's own; there is none */
    else if (c.file_id.len)
        jw_text(&jw, "file_id", c.file_id);
    jw_object_end(&jw);
    return true;
}

bool anthropic_say_citation(struct said_writer *w, const struct said *said, struct buf *out,
                            struct err *err)
{
    struct anthropic_telling *own = w->own;
    struct anthropic_block *b = anthropic_block_find(own, said->part, BLOCK_TEXT);

    if (!b)
        b = anthropic_block_add(w, BLOCK_TEXT, said->part, err);
    if (!b || !make_citation(w, said->raw, b, err))
        return false;
    buf_char(&b->citations, '\n');
    if (!buf_ok(&b->citations))
        return err_arena(err, w->arena);
    if (w->streamed && own->open == b)
        anthropic_citations_write(out, own->index - 1, b);
    return anthropic_block_put(w, b, STR(""), out, err);
}
