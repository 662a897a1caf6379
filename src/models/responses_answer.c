/* An answer for a client that speaks the Responses dialect.
 *
 * Each part of an answer is an item of its output. Items may grow side by side on this wire: every event
 * names the one it belongs to. What is said is kept to the end, which repeats it all. */
#include "models/responses_answer.h"
#include "models/members.h"

#define ITEMS_MAX 4096 /* of one answer */

bool responses_writer_init(struct said_writer *w, struct err *err)
{
    struct responses_telling *own = arena_alloc(w->arena, sizeof *own);

    if (!own)
        return err_arena(err, w->arena);
    own->end = &own->first;
    own->usage = usage_unknown;
    w->own = own;
    return true;
}

/* ---- what is said ---- */

static void annotate(struct said_writer *w, struct responses_item *it, struct str raw,
                     struct buf *out)
{
    struct json_writer jw;

    if (it->annotations.len)
        buf_char(&it->annotations, ',');
    buf_str(&it->annotations, raw);
    it->annotation_count++;
    if (!w->streamed)
        return;
    responses_item_event_begin(w, out, &jw, it, "response.output_text.annotation.added");
    jw_key(&jw, "annotation_index");
    jw_u64(&jw, it->annotation_count - 1);
    jw_key(&jw, "annotation");
    jw_raw(&jw, raw);
    responses_event_end(out, &jw);
}

/* The files behind the marks of a text that is whole. A want of memory shows when the text is used. */
static void cite_files(struct said_writer *w, struct responses_item *it, struct buf *out)
{
    const struct responses_search *search = responses_asked_of(w)->search;
    struct err lost = {0};
    struct str raw;

    if (it->kind != ITEM_TEXT || !search || !search->done)
        return;
    for (size_t i = 0; i < search->hit_count; i++) {
        if (!responses_search_cited(search, i, buf_view(&it->text), w->arena, &raw, &lost))
            said_lost(w, STR("citations"));
        else if (raw.ptr)
            annotate(w, it, raw, out);
    }
}

static void tool_event(struct said_writer *w, const struct responses_item *it, const char *type,
                       struct buf *out)
{
    struct json_writer jw;

    responses_event_begin(w, out, &jw, type);
    responses_text_member(&jw, "item_id", str_from(it->id));
    jw_key(&jw, "output_index");
    jw_u64(&jw, it->index);
    responses_event_end(out, &jw);
}

/* A tool of the provider's own has ended: with what came of it, or without a word of it. */
static void end_tool(struct said_writer *w, struct responses_item *it, struct buf *out)
{
    it->done = true;
    if (!w->streamed)
        return;
    tool_event(w, it,
               it->kind == ITEM_WEB ? "response.web_search_call.completed"
                                    : "response.code_interpreter_call.completed",
               out);
    responses_item_event(w, out, it, true);
}

static void end_item(struct said_writer *w, struct responses_item *it, struct buf *out)
{
    bool has_part = it->kind != ITEM_REASONING || it->text.len > 0;

    if (it->done)
        return;
    if (it->kind == ITEM_WEB || it->kind == ITEM_CODE) {
        end_tool(w, it, out);
        return;
    }
    cite_files(w, it, out);
    it->done = true;
    if (!w->streamed)
        return;
    if (has_part) {
        responses_words_done_event(w, out, it);
        responses_part_event(w, out, it, true);
    }
    responses_item_event(w, out, it, true);
}

/* Words and thoughts end where anything else begins; calls and tools go on side by side. */
static void end_words(struct said_writer *w, struct buf *out)
{
    const struct responses_telling *own = w->own;

    for (struct responses_item *it = own->first; it; it = it->next)
        if (it->kind != ITEM_CALL && it->kind != ITEM_WEB && it->kind != ITEM_CODE)
            end_item(w, it, out);
}

static struct responses_item *add_item(struct said_writer *w, enum item_kind kind, uint32_t part,
                                       struct buf *out, struct err *err)
{
    static const char *const marks[] = {
        [ITEM_TEXT] = "msg", [ITEM_REFUSAL] = "msg", [ITEM_REASONING] = "rs", [ITEM_CALL] = "fc",
        [ITEM_IMAGE] = "ig", [ITEM_SEARCH] = "fs",   [ITEM_WEB] = "ws",       [ITEM_CODE] = "ci"};
    struct responses_telling *own = w->own;
    struct responses_item *it;
    struct buf id;

    if (own->count >= ITEMS_MAX) {
        err_set(err, ERR_UNAVAILABLE, "the answer has more than %d items", ITEMS_MAX);
        return NULL;
    }
    it = arena_alloc(w->arena, sizeof *it);
    if (!it) {
        err_arena(err, w->arena);
        return NULL;
    }
    end_words(w, out);
    it->kind = kind;
    it->part = part;
    it->index = own->count++;
    buf_init(&it->text, w->arena, MADE_BYTES_MAX);
    buf_init(&it->annotations, w->arena, MADE_BYTES_MAX);
    buf_init(&it->logprobs, w->arena, MADE_BYTES_MAX);
    buf_init_fixed(&id, it->id, sizeof it->id - 1);
    buf_fmt(&id, "%s_" STR_FMT "_%" PRIu32, marks[kind], STR_ARG(str_slice(w->id, 0, 24)),
            it->index);
    *own->end = it;
    own->end = &it->next;
    return it;
}

static struct responses_item *find_item(const struct said_writer *w, uint32_t part,
                                        enum item_kind kind)
{
    const struct responses_telling *own = w->own;

    for (struct responses_item *it = own->first; it; it = it->next)
        if (it->part == part && it->kind == kind && !it->done)
            return it;
    return NULL;
}

static bool put(struct said_writer *w, struct responses_item *it, struct str text, struct buf *out,
                struct err *err)
{
    bool first = it->kind == ITEM_REASONING && it->text.len == 0 && text.len > 0;

    buf_str(&it->text, text);
    if (!buf_ok(&it->text))
        return err_arena(err, w->arena);
    if (!w->streamed)
        return true;
    if (first) /* a summary begins with its first words: there may be a signature alone */
        responses_part_event(w, out, it, false);
    responses_delta_event(w, out, it, text, STR_NONE);
    return true;
}

static void announce(struct said_writer *w, const struct responses_item *it, struct buf *out)
{
    if (!w->streamed)
        return;
    responses_item_event(w, out, it, false);
    if (it->kind != ITEM_REASONING)
        responses_part_event(w, out, it, false);
}

static struct responses_item *open_item(struct said_writer *w, enum item_kind kind, uint32_t part,
                                        struct buf *out, struct err *err)
{
    struct responses_item *it = find_item(w, part, kind);

    if (it)
        return it;
    it = add_item(w, kind, part, out, err);
    if (it)
        announce(w, it, out);
    return it;
}

static bool say_words(struct said_writer *w, const struct said *said, enum item_kind kind,
                      struct buf *out, struct err *err)
{
    struct responses_item *it;

    if (str_is_empty(said->text))
        return true;
    it = open_item(w, kind, said->part, out, err);
    return it && put(w, it, said->text, out, err);
}

static bool say_reasoning(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct responses_item *it = said->is_redacted ? NULL : find_item(w, said->part, ITEM_REASONING);

    if (!it) {
        it = add_item(w, ITEM_REASONING, said->part, out, err);
        if (!it)
            return false;
        it->is_redacted = said->is_redacted;
        if (it->is_redacted)
            buf_str(&it->text, STR(RESPONSES_REDACTED));
        announce(w, it, out);
    }
    if (!str_is_empty(said->signature)) {
        it->signature = arena_str(w->arena, said->signature);
        if (!it->signature.ptr)
            return err_arena(err, w->arena);
    }
    return put(w, it, said->text, out, err);
}

static bool say_tool(struct said_writer *w, const struct said *said, struct buf *out,
                     struct err *err)
{
    struct responses_item *it = add_item(w, ITEM_CALL, said->part, out, err);

    if (!it)
        return false;
    it->call_id = arena_str(w->arena, said->id);
    it->name = arena_str(w->arena, said->name);
    if (!it->call_id.ptr || !it->name.ptr)
        return err_arena(err, w->arena);
    announce(w, it, out);
    return true;
}

static bool say_arguments(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct responses_item *it = find_item(w, said->part, ITEM_CALL);

    if (!it && str_is_empty(str_trim(said->text)))
        return true;
    if (!it)
        return err_set(err, ERR_UNAVAILABLE, "the answer goes on with a tool call that had ended");
    return put(w, it, said->text, out, err);
}

static bool say_image(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    struct responses_item *it = add_item(w, ITEM_IMAGE, said->part, out, err);

    if (!it)
        return false;
    announce(w, it, out);
    if (!put(w, it, said->text, out, err))
        return false;
    end_item(w, it, out);
    return true;
}

/* The text of a part, whether more of it may come or not. */
static struct responses_item *told_text(const struct said_writer *w, uint32_t part)
{
    const struct responses_telling *own = w->own;

    for (struct responses_item *it = own->first; it; it = it->next)
        if (it->part == part && it->kind == ITEM_TEXT)
            return it;
    return NULL;
}

static bool say_citation(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    struct responses_item *it = told_text(w, said->part);
    if (responses_asked_of(w)->search && responses_asked_of(w)->search->done)
        return true; /* files are cited instead, when the text is whole */
    if (it && it->done &&
        w->streamed) { /* its text has been repeated, and all that belongs to it */
        said_lost(w, STR("citations"));
        return true;
    }
    it = it ? it : open_item(w, ITEM_TEXT, said->part, out, err);
    if (!it)
        return false;
    annotate(w, it, said->raw, out); /* as this wire has it: flat */
    return buf_ok(&it->annotations) || err_arena(err, w->arena);
}

/* {"content":[...],"refusal":...} of the chat dialect: its list. */
static bool say_logprobs(struct said_writer *w, const struct said *said, struct err *err)
{
    struct responses_item *it = told_text(w, said->part);
    struct json *j = said_json(w->arena, said->raw, err);
    json_ref list;

    if (!j)
        return false;
    if (!it || (it->done && w->streamed)) {
        said_lost(w, STR("logprobs"));
        return true;
    }
    list = json_get(j, json_root(j), STR("content"));
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        if (it->logprobs.len)
            buf_char(&it->logprobs, ',');
        buf_str(&it->logprobs, json_raw(j, v));
    }
    if (json_first(j, json_get(j, json_root(j), STR("refusal"))))
        said_lost(w, STR("logprobs.refusal"));
    return buf_ok(&it->logprobs) || err_arena(err, w->arena);
}

static void end_part(struct said_writer *w, uint32_t part, struct buf *out)
{
    const struct responses_telling *own = w->own;

    for (struct responses_item *it = own->first; it; it = it->next)
        if (it->part == part)
            end_item(w, it, out);
}

/* ---- beginning and end ---- */

/* The search was made before the answer began: it is the first item. */
static bool tell_search(struct said_writer *w, struct buf *out, struct err *err)
{
    const struct responses_search *search = responses_asked_of(w)->search;
    struct responses_item *it;

    if (!search || !search->done)
        return true;
    it = add_item(w, ITEM_SEARCH, UINT32_MAX, out, err);
    if (!it)
        return false;
    it->search = search;
    if (w->streamed) {
        responses_item_event(w, out, it, false);
        tool_event(w, it, "response.file_search_call.in_progress", out);
        tool_event(w, it, "response.file_search_call.searching", out);
        tool_event(w, it, "response.file_search_call.completed", out);
    }
    it->done = true;
    if (w->streamed)
        responses_item_event(w, out, it, true);
    return true;
}

/* ---- tools of the provider's own: what came of them may follow ---- */

static void code_event(struct said_writer *w, const struct responses_item *it, const char *type,
                       const char *member, struct buf *out)
{
    struct json_writer jw;

    responses_event_begin(w, out, &jw, type);
    responses_text_member(&jw, "item_id", str_from(it->id));
    jw_key(&jw, "output_index");
    jw_u64(&jw, it->index);
    responses_text_member(&jw, member, buf_view(&it->text));
    responses_event_end(out, &jw);
}

static bool lose_member(struct said_writer *w, struct str of, const char *member, struct err *err)
{
    struct str name = arena_fmt(w->arena, STR_FMT ".%s", STR_ARG(of), member);

    if (!name.ptr)
        return err_arena(err, w->arena);
    said_lost(w, name);
    return true;
}

static bool tell_tool(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    bool web = said->kind == SAID_SEARCHED;
    struct responses_item *it = add_item(w, web ? ITEM_WEB : ITEM_CODE, UINT32_MAX, out, err);

    if (!it)
        return false;
    it->call_id = arena_str(w->arena, said->id);
    buf_str(&it->text, said->text);
    if (!it->call_id.ptr || !buf_ok(&it->text))
        return err_arena(err, w->arena);
    if (!web && !str_eq(said->language, STR("python")) &&
        !lose_member(w, said->name, "language", err)) /* the code has a place, what it is in none */
        return false;
    if (!w->streamed)
        return true;
    responses_item_event(w, out, it, false);
    if (web) {
        tool_event(w, it, "response.web_search_call.in_progress", out);
        tool_event(w, it, "response.web_search_call.searching", out);
        return true;
    }
    tool_event(w, it, "response.code_interpreter_call.in_progress", out);
    code_event(w, it, "response.code_interpreter_call_code.delta", "delta", out);
    code_event(w, it, "response.code_interpreter_call_code.done", "code", out);
    tool_event(w, it, "response.code_interpreter_call.interpreting", out);
    return true;
}

/* [{"url","title"}] as this dialect has it: [{"type":"url","url"}] */
static bool read_sources(struct said_writer *w, const struct said *said, struct str *out,
                         struct err *err)
{
    struct json *j = said_json(w->arena, said->raw, err);
    struct json_writer jw;
    struct buf list;
    bool titles = false;

    if (!j)
        return false;
    buf_init(&list, w->arena, 4 * said->raw.len + 64);
    jw_init(&jw, &list);
    jw_array(&jw);
    for (json_ref v = json_first(j, json_root(j)); v; v = json_next(j, v)) {
        json_ref url = json_get(j, v, STR("url"));

        titles = titles || json_kind(j, json_get(j, v, STR("title"))) == JSON_STRING;
        jw_object(&jw);
        responses_text_member(&jw, "type", STR("url"));
        jw_key(&jw, "url");
        jw_raw(&jw, json_kind(j, url) == JSON_STRING ? json_raw(j, url) : STR("\"\""));
        jw_object_end(&jw);
    }
    jw_array_end(&jw);
    if (titles && !lose_member(w, said->name, "title", err))
        return false;
    return buf_finish(&list, out, err);
}

static bool tell_result(struct said_writer *w, const struct said *said, struct buf *out,
                        struct err *err)
{
    const struct responses_telling *own = w->own;
    enum item_kind kind = said->kind == SAID_FOUND ? ITEM_WEB : ITEM_CODE;
    struct responses_item *it = own->first;

    while (it && (it->kind != kind || it->done || !str_eq(it->call_id, said->id)))
        it = it->next;
    if (!it) { /* of a call that was told and ended, or that nobody told of */
        said_lost(w, said->name);
        return true;
    }
    it->answered = true;
    it->failed = said->failed;
    it->result = kind == ITEM_CODE ? arena_str(w->arena, said->text) : STR_NONE;
    if (kind == ITEM_CODE ? !it->result.ptr : !read_sources(w, said, &it->result, err))
        return kind == ITEM_CODE ? err_arena(err, w->arena) : false;
    end_item(w, it, out);
    return true;
}

static bool begin(struct said_writer *w, struct buf *out, struct err *err)
{
    struct responses_telling *own = w->own;

    if (own->begun)
        return true;
    own->begun = true;
    if (w->streamed) {
        responses_event(w, out, "response.created", false);
        responses_event(w, out, "response.in_progress", false);
    }
    return tell_search(w, out, err);
}

/* For previous_response_id: the object as it was given, and its items with what must come back. */
static bool keep(struct said_writer *w, struct err *err)
{
    struct responses_asked *asked = responses_asked_of(w);
    struct json_writer jw;
    struct buf text;

    if (!asked->store)
        return true;
    buf_init(&text, w->arena, MADE_BYTES_MAX);
    jw_init(&jw, &text);
    responses_write_object(&jw, w, true);
    if (!buf_finish(&text, &asked->response, err))
        return false;
    buf_init(&text, w->arena, MADE_BYTES_MAX);
    jw_init(&jw, &text);
    responses_write_output(&jw, w->own, true);
    return buf_finish(&text, &asked->output, err);
}

static bool finish(struct said_writer *w, struct buf *out, struct err *err)
{
    struct responses_telling *own = w->own;
    struct json_writer jw;
    const char *status;

    for (struct responses_item *it = own->first; it; it = it->next)
        end_item(w, it, out);
    if (!keep(w, err))
        return false;
    status = responses_status_of(own, true);
    if (w->streamed) {
        responses_event(w, out,
                        str_eq(str_from(status), STR("incomplete")) ? "response.incomplete"
                                                                    : "response.completed",
                        true);
        return true;
    }
    jw_init(&jw, out);
    responses_write_object(&jw, w, true);
    return true;
}

static void write_failed(struct said_writer *w, struct buf *out, struct str why)
{
    struct responses_telling *own = w->own;
    struct json_writer jw;

    own->failure = why;
    responses_event_begin(w, out, &jw, "error");
    jw_key(&jw, "code");
    jw_cstr(&jw, "server_error");
    responses_text_member(&jw, "message", why);
    jw_key(&jw, "param");
    jw_null(&jw);
    responses_event_end(out, &jw);
    /* Short, as there may be no memory for more: what was asked is known to the client. */
    responses_event_begin(w, out, &jw, "response.failed");
    jw_key(&jw, "response");
    jw_object(&jw);
    responses_write_head(&jw, w, false);
    jw_key(&jw, "output");
    jw_array(&jw);
    jw_array_end(&jw);
    jw_key(&jw, "usage");
    jw_null(&jw);
    jw_object_end(&jw);
    responses_event_end(out, &jw);
}

/* On copies: the answer may go on for others. */
void responses_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err)
{
    struct responses_telling own = {.usage = usage_unknown};
    struct said_writer now = *w;

    if (w->own) /* else the answer was not written here */
        own = *(struct responses_telling *)w->own;
    now.own = &own;
    write_failed(&now, out, str_from(err->text));
}

static bool fail(struct said_writer *w, const struct said *said, struct buf *out)
{
    struct str why = arena_str(w->arena, said->text); /* it is told again in what is kept */

    write_failed(w, out, why.ptr ? why : STR("the provider failed"));
    return true;
}

static bool keep_tier(struct said_writer *w, struct str tier, struct err *err)
{
    struct responses_telling *own = w->own;
    struct buf raw;

    buf_init(&raw, w->arena, 6 * tier.len + 8);
    buf_json_str(&raw, tier);
    return buf_finish(&raw, &own->tier, err);
}

static bool say(struct said_writer *w, const struct said *said, struct buf *out, struct err *err)
{
    struct responses_telling *own = w->own;

    switch (said->kind) {
    case SAID_TEXT: return say_words(w, said, ITEM_TEXT, out, err);
    case SAID_REFUSAL: own->refused = true; return say_words(w, said, ITEM_REFUSAL, out, err);
    case SAID_REASONING: return say_reasoning(w, said, out, err);
    case SAID_TOOL: return say_tool(w, said, out, err);
    case SAID_ARGUMENTS: return say_arguments(w, said, out, err);
    case SAID_CITATION: return say_citation(w, said, out, err);
    case SAID_MEDIA: return say_image(w, said, out, err);
    case SAID_LOGPROBS: return say_logprobs(w, said, err);
    case SAID_PART_END: end_part(w, said->part, out); return true;
    case SAID_FINISH: own->finish = said->finish; return true;
    case SAID_USAGE: own->usage = said->usage; return true;
    case SAID_TIER: return keep_tier(w, said->text, err);
    case SAID_FAILED: return fail(w, said, out);
    case SAID_END: return finish(w, out, err);
    case SAID_SEARCHED:
    case SAID_RAN: return tell_tool(w, said, out, err);
    case SAID_FOUND:
    case SAID_PRINTED: return tell_result(w, said, out, err);
    case SAID_BEGIN:
    case SAID_PING:
    case SAID_OTHER:
    case SAID_VECTOR:
    case SAID_SCORE:
    case SAID_VERDICT: return true;
    }
    return true;
}

bool responses_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    if (said->kind != SAID_PING && !begin(w, out, err))
        return false;
    return say(w, said, out, err);
}
