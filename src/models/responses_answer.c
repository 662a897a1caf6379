/* An answer for a client that speaks the Responses dialect.
 *
 * Each part of an answer is an item of its output. Items may grow side by side on this wire: every event
 * names the one it belongs to. What is said is kept to the end, which repeats it all. */
#include "models/members.h"
#include "models/responses.h"

#define ITEMS_MAX 4096 /* of one answer */

enum item_kind { ITEM_TEXT, ITEM_REFUSAL, ITEM_REASONING, ITEM_CALL, ITEM_IMAGE, ITEM_SEARCH };

struct item {
    struct item *next;
    enum item_kind kind;
    uint32_t part, index;
    bool done;
    struct str call_id, name, signature;
    bool is_redacted;
    struct buf text;        /* words, arguments, thoughts, base64 */
    struct buf annotations; /* raw, with commas */
    uint32_t annotation_count;
    struct buf logprobs; /* raw, with commas */
    const struct responses_search *search;
    char id[48];
};

struct writing {
    struct item *first, **end;
    uint32_t count;
    uint64_t sequence;
    bool begun;
    bool refused;
    enum finish_reason finish;
    struct str tier; /* raw; may be empty */
    struct usage usage;
    struct str failure; /* why it failed */
};

bool responses_writer_init(struct said_writer *w, struct err *err)
{
    struct writing *own = arena_alloc(w->arena, sizeof *own);

    if (!own)
        return err_arena(err, w->arena);
    own->end = &own->first;
    own->usage = usage_unknown;
    w->own = own;
    return true;
}

static struct responses_asked *asked_of(const struct said_writer *w)
{
    static const struct responses_asked nothing = {.store = false};
    struct responses_asked *asked = w->asked->spoken == &dialect_responses ? w->asked->own : NULL;

    return asked ? asked : (struct responses_asked *)(uintptr_t)&nothing;
}

/* ---- items ---- */

static void write_text_member(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
}

static void write_list(struct json_writer *w, const char *key, const struct buf *raw)
{
    jw_key(w, key);
    jw_array(w);
    if (raw->len)
        jw_raw(w, buf_view(raw));
    jw_array_end(w);
}

/* The content part of a message. `empty`: as it is announced. */
static void write_content(struct json_writer *w, const struct item *it, bool empty)
{
    static const struct buf none;

    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, it->kind == ITEM_TEXT ? "output_text" : "refusal");
    write_text_member(w, it->kind == ITEM_TEXT ? "text" : "refusal",
                      empty ? STR("") : buf_view(&it->text));
    if (it->kind == ITEM_TEXT) {
        write_list(w, "annotations", empty ? &none : &it->annotations);
        write_list(w, "logprobs", empty ? &none : &it->logprobs);
    }
    jw_object_end(w);
}

static void write_message(struct json_writer *w, const struct item *it, bool empty)
{
    jw_key(w, "role");
    jw_cstr(w, "assistant");
    jw_key(w, "content");
    jw_array(w);
    if (!empty)
        write_content(w, it, false);
    jw_array_end(w);
}

static void write_summary(struct json_writer *w, struct str text)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "summary_text");
    write_text_member(w, "text", text);
    jw_object_end(w);
}

/* `signed`: with what must come back, which clients get who asked for it. */
static void write_reasoning(struct json_writer *w, const struct item *it, bool empty, bool sign)
{
    jw_key(w, "summary");
    jw_array(w);
    if (!empty && !it->is_redacted && it->text.len)
        write_summary(w, buf_view(&it->text));
    jw_array_end(w);
    if (empty || !sign)
        return;
    jw_key(w, "encrypted_content");
    if (it->is_redacted) {
        buf_str(w->to, STR("\"" RESPONSES_REDACTED));
        buf_str(w->to, buf_view(&it->text)); /* base64 */
        buf_char(w->to, '"');
        w->after_key = false;
    } else if (it->signature.ptr) {
        jw_str(w, it->signature);
    } else {
        jw_null(w);
    }
}

static void write_item(struct json_writer *w, const struct item *it, bool empty, bool sign)
{
    static const char *const types[] = {[ITEM_TEXT] = "message",
                                        [ITEM_REFUSAL] = "message",
                                        [ITEM_REASONING] = "reasoning",
                                        [ITEM_CALL] = "function_call",
                                        [ITEM_IMAGE] = "image_generation_call",
                                        [ITEM_SEARCH] = "file_search_call"};

    jw_object(w);
    write_text_member(w, "id", str_from(it->id));
    jw_key(w, "type");
    jw_cstr(w, types[it->kind]);
    jw_key(w, "status");
    jw_cstr(w, empty ? "in_progress" : it->done ? "completed" : "incomplete");
    switch (it->kind) {
    case ITEM_TEXT:
    case ITEM_REFUSAL: write_message(w, it, empty); break;
    case ITEM_REASONING: write_reasoning(w, it, empty, sign); break;
    case ITEM_CALL:
        write_text_member(w, "call_id", it->call_id);
        write_text_member(w, "name", it->name);
        write_text_member(w, "arguments", empty ? STR("") : buf_view(&it->text));
        break;
    case ITEM_IMAGE: write_text_member(w, "result", empty ? STR("") : buf_view(&it->text)); break;
    case ITEM_SEARCH: responses_write_search(w, it->search, !empty); break;
    }
    jw_object_end(w);
}

static void write_output(struct json_writer *w, const struct writing *own, bool sign)
{
    jw_array(w);
    for (const struct item *it = own->first; it; it = it->next)
        write_item(w, it, false, sign);
    jw_array_end(w);
}

/* ---- the response object ---- */

static void write_given(struct json_writer *w, const char *key, struct str raw, const char *usual)
{
    jw_key(w, key);
    jw_raw(w, raw.ptr ? raw : str_from(usual));
}

static void write_number(struct json_writer *w, const char *key, double n, double usual)
{
    jw_key(w, key);
    jw_f64(w, n == n ? n : usual);
}

/* What the answer repeats of its request. */
static void write_asked(struct json_writer *w, const struct said_writer *to)
{
    const struct responses_asked *asked = asked_of(to);
    const struct conversation *c = to->asked;

    write_given(w, "instructions", asked->instructions, "null");
    jw_key(w, "max_output_tokens");
    if (c->max_tokens >= 0)
        jw_i64(w, c->max_tokens);
    else
        jw_null(w);
    jw_key(w, "parallel_tool_calls");
    jw_bool(w, c->parallel_tools != 0);
    jw_key(w, "previous_response_id");
    if (asked->previous_response_id.ptr)
        jw_str(w, asked->previous_response_id);
    else
        jw_null(w);
    write_given(w, "reasoning", asked->reasoning, "{\"effort\":null,\"summary\":null}");
    jw_key(w, "store");
    jw_bool(w, asked->store);
    write_number(w, "temperature", c->temperature, 1);
    write_number(w, "top_p", c->top_p, 1);
    write_given(w, "text", asked->text, "{\"format\":{\"type\":\"text\"}}");
    write_given(w, "tool_choice", asked->tool_choice, "\"auto\"");
    write_given(w, "tools", asked->tools, "[]");
    write_given(w, "truncation", asked->truncation, "\"disabled\"");
    write_given(w, "metadata", asked->metadata, "{}");
}

/* Refused without a word: only the status can say so. */
static bool was_filtered(const struct writing *own)
{
    return own->finish == FINISH_CONTENT_FILTER || (own->finish == FINISH_REFUSAL && !own->refused);
}

static const char *status_of(const struct writing *own, bool at_end)
{
    if (own->failure.ptr)
        return "failed";
    if (!at_end)
        return "in_progress";
    return own->finish == FINISH_LENGTH || own->finish == FINISH_CONTEXT || was_filtered(own)
               ? "incomplete"
               : "completed";
}

static void write_trouble(struct json_writer *w, const struct writing *own, bool at_end)
{
    jw_key(w, "error");
    if (own->failure.ptr) {
        jw_object(w);
        jw_key(w, "code");
        jw_cstr(w, "server_error");
        write_text_member(w, "message", own->failure);
        jw_object_end(w);
    } else {
        jw_null(w);
    }
    jw_key(w, "incomplete_details");
    if (at_end && str_eq(str_from(status_of(own, true)), STR("incomplete"))) {
        jw_object(w);
        jw_key(w, "reason");
        jw_cstr(w, was_filtered(own) ? "content_filter" : "max_output_tokens");
        jw_object_end(w);
    } else {
        jw_null(w);
    }
}

static void write_response_id(struct json_writer *w, const struct said_writer *to)
{
    char id[48];
    struct buf text;

    buf_init_fixed(&text, id, sizeof id);
    buf_str(&text, STR("resp_"));
    buf_str(&text, str_slice(to->id, 0, 40));
    write_text_member(w, "id", buf_view(&text));
}

static void write_response_head(struct json_writer *w, const struct said_writer *to, bool at_end)
{
    const struct writing *own = to->own;

    write_response_id(w, to);
    jw_key(w, "object");
    jw_cstr(w, "response");
    jw_key(w, "created_at");
    jw_i64(w, to->created);
    jw_key(w, "status");
    jw_cstr(w, status_of(own, at_end));
    jw_key(w, "background");
    jw_bool(w, false);
    write_trouble(w, own, at_end);
    write_text_member(w, "model", to->model);
}

static void write_response(struct json_writer *w, const struct said_writer *to, bool at_end)
{
    const struct writing *own = to->own;

    jw_object(w);
    write_response_head(w, to, at_end);
    jw_key(w, "output");
    if (at_end) {
        write_output(w, own, asked_of(to)->include_encrypted);
    } else {
        jw_array(w);
        jw_array_end(w);
    }
    write_asked(w, to);
    if (at_end && own->tier.len) {
        jw_key(w, "service_tier");
        jw_raw(w, own->tier);
    }
    jw_key(w, "usage");
    if (at_end)
        responses_write_usage(w, &own->usage);
    else
        jw_null(w);
    if (at_end && !str_is_empty(to->weir)) {
        jw_key(w, "weir");
        jw_raw(w, to->weir);
    }
    jw_object_end(w);
}

/* ---- events ---- */

/* Written in place: their JSON has no line ends, so one data line does. */
static void event_begin(struct said_writer *to, struct buf *out, struct json_writer *w,
                        const char *type)
{
    struct writing *own = to->own;

    buf_str(out, STR("event: "));
    buf_str(out, str_from(type));
    buf_str(out, STR("\ndata: "));
    jw_init(w, out);
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
    jw_key(w, "sequence_number");
    jw_u64(w, own->sequence++);
}

static void event_end(struct buf *out, struct json_writer *w)
{
    jw_object_end(w);
    buf_str(out, STR("\n\n"));
}

static void response_event(struct said_writer *to, struct buf *out, const char *type, bool at_end)
{
    struct json_writer w;

    event_begin(to, out, &w, type);
    jw_key(&w, "response");
    write_response(&w, to, at_end);
    event_end(out, &w);
}

/* Of an item: `place` is the member that counts inside it, or NULL. */
static void item_event_begin(struct said_writer *to, struct buf *out, struct json_writer *w,
                             const struct item *it, const char *type)
{
    event_begin(to, out, w, type);
    write_text_member(w, "item_id", str_from(it->id));
    jw_key(w, "output_index");
    jw_u64(w, it->index);
    if (it->kind != ITEM_CALL) {
        jw_key(w, it->kind == ITEM_REASONING ? "summary_index" : "content_index");
        jw_u64(w, 0);
    }
}

static void output_item_event(struct said_writer *to, struct buf *out, const struct item *it,
                              bool done)
{
    struct json_writer w;

    event_begin(to, out, &w, done ? "response.output_item.done" : "response.output_item.added");
    jw_key(&w, "output_index");
    jw_u64(&w, it->index);
    jw_key(&w, "item");
    write_item(&w, it, !done, asked_of(to)->include_encrypted);
    event_end(out, &w);
}

static void part_event(struct said_writer *to, struct buf *out, const struct item *it, bool done)
{
    struct json_writer w;

    if (it->kind == ITEM_CALL || it->kind == ITEM_IMAGE || it->kind == ITEM_SEARCH ||
        (it->kind == ITEM_REASONING && it->is_redacted))
        return;
    if (it->kind == ITEM_REASONING) {
        item_event_begin(to, out, &w, it,
                         done ? "response.reasoning_summary_part.done"
                              : "response.reasoning_summary_part.added");
        jw_key(&w, "part");
        write_summary(&w, done ? buf_view(&it->text) : STR(""));
    } else {
        item_event_begin(to, out, &w, it,
                         done ? "response.content_part.done" : "response.content_part.added");
        jw_key(&w, "part");
        write_content(&w, it, !done);
    }
    event_end(out, &w);
}

static const struct {
    const char *delta, *done, *member; /* member: of the done event, what has come in all */
} word_events[] = {
    [ITEM_TEXT] = {"response.output_text.delta", "response.output_text.done", "text"},
    [ITEM_REFUSAL] = {"response.refusal.delta", "response.refusal.done", "refusal"},
    [ITEM_REASONING] = {"response.reasoning_summary_text.delta",
                        "response.reasoning_summary_text.done", "text"},
    [ITEM_CALL] = {"response.function_call_arguments.delta",
                   "response.function_call_arguments.done", "arguments"},
};

static void delta_event(struct said_writer *to, struct buf *out, const struct item *it,
                        struct str text, struct str logprobs)
{
    struct json_writer w;

    if (it->kind == ITEM_IMAGE || it->is_redacted || str_is_empty(text))
        return;
    item_event_begin(to, out, &w, it, word_events[it->kind].delta);
    write_text_member(&w, "delta", text);
    if (it->kind == ITEM_TEXT) {
        jw_key(&w, "logprobs");
        jw_array(&w);
        if (logprobs.len)
            jw_raw(&w, logprobs);
        jw_array_end(&w);
    }
    event_end(out, &w);
}

static void words_done_event(struct said_writer *to, struct buf *out, const struct item *it)
{
    struct json_writer w;

    if (it->kind == ITEM_IMAGE || it->kind == ITEM_SEARCH || it->is_redacted)
        return;
    item_event_begin(to, out, &w, it, word_events[it->kind].done);
    if (it->kind == ITEM_CALL)
        write_text_member(&w, "name", it->name);
    write_text_member(&w, word_events[it->kind].member, buf_view(&it->text));
    if (it->kind == ITEM_TEXT)
        write_list(&w, "logprobs", &it->logprobs);
    event_end(out, &w);
}

/* ---- what is said ---- */

static void annotate(struct said_writer *w, struct item *it, struct str raw, struct buf *out)
{
    struct json_writer jw;

    if (it->annotations.len)
        buf_char(&it->annotations, ',');
    buf_str(&it->annotations, raw);
    it->annotation_count++;
    if (!w->streamed)
        return;
    item_event_begin(w, out, &jw, it, "response.output_text.annotation.added");
    jw_key(&jw, "annotation_index");
    jw_u64(&jw, it->annotation_count - 1);
    jw_key(&jw, "annotation");
    jw_raw(&jw, raw);
    event_end(out, &jw);
}

/* The files behind the marks of a text that is whole. A want of memory shows when the text is used. */
static void cite_files(struct said_writer *w, struct item *it, struct buf *out)
{
    const struct responses_search *search = asked_of(w)->search;
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

static void end_item(struct said_writer *w, struct item *it, struct buf *out)
{
    bool has_part = it->kind != ITEM_REASONING || it->text.len > 0;

    if (it->done)
        return;
    cite_files(w, it, out);
    it->done = true;
    if (!w->streamed)
        return;
    if (has_part) {
        words_done_event(w, out, it);
        part_event(w, out, it, true);
    }
    output_item_event(w, out, it, true);
}

/* Words and thoughts end where anything else begins; calls go on side by side. */
static void end_words(struct said_writer *w, struct buf *out)
{
    const struct writing *own = w->own;

    for (struct item *it = own->first; it; it = it->next)
        if (it->kind != ITEM_CALL)
            end_item(w, it, out);
}

static struct item *add_item(struct said_writer *w, enum item_kind kind, uint32_t part,
                             struct buf *out, struct err *err)
{
    static const char *const marks[] = {
        [ITEM_TEXT] = "msg", [ITEM_REFUSAL] = "msg", [ITEM_REASONING] = "rs",
        [ITEM_CALL] = "fc",  [ITEM_IMAGE] = "ig",    [ITEM_SEARCH] = "fs"};
    struct writing *own = w->own;
    struct item *it;
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

static struct item *find_item(const struct said_writer *w, uint32_t part, enum item_kind kind)
{
    const struct writing *own = w->own;

    for (struct item *it = own->first; it; it = it->next)
        if (it->part == part && it->kind == kind && !it->done)
            return it;
    return NULL;
}

static bool put(struct said_writer *w, struct item *it, struct str text, struct buf *out,
                struct err *err)
{
    bool first = it->kind == ITEM_REASONING && it->text.len == 0 && text.len > 0;

    buf_str(&it->text, text);
    if (!buf_ok(&it->text))
        return err_arena(err, w->arena);
    if (!w->streamed)
        return true;
    if (first) /* a summary begins with its first words: there may be a signature alone */
        part_event(w, out, it, false);
    delta_event(w, out, it, text, STR_NONE);
    return true;
}

static void announce(struct said_writer *w, const struct item *it, struct buf *out)
{
    if (!w->streamed)
        return;
    output_item_event(w, out, it, false);
    if (it->kind != ITEM_REASONING)
        part_event(w, out, it, false);
}

static struct item *open_item(struct said_writer *w, enum item_kind kind, uint32_t part,
                              struct buf *out, struct err *err)
{
    struct item *it = find_item(w, part, kind);

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
    struct item *it;

    if (str_is_empty(said->text))
        return true;
    it = open_item(w, kind, said->part, out, err);
    return it && put(w, it, said->text, out, err);
}

static bool say_reasoning(struct said_writer *w, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct item *it = said->is_redacted ? NULL : find_item(w, said->part, ITEM_REASONING);

    if (!it) {
        it = add_item(w, ITEM_REASONING, said->part, out, err);
        if (!it)
            return false;
        it->is_redacted = said->is_redacted;
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
    struct item *it = add_item(w, ITEM_CALL, said->part, out, err);

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
    struct item *it = find_item(w, said->part, ITEM_CALL);

    if (!it && str_is_empty(str_trim(said->text)))
        return true;
    if (!it)
        return err_set(err, ERR_UNAVAILABLE, "the answer goes on with a tool call that had ended");
    return put(w, it, said->text, out, err);
}

static bool say_image(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    struct item *it = add_item(w, ITEM_IMAGE, said->part, out, err);

    if (!it)
        return false;
    announce(w, it, out);
    if (!put(w, it, said->text, out, err))
        return false;
    end_item(w, it, out);
    return true;
}

/* The text of a part, whether more of it may come or not. */
static struct item *told_text(const struct said_writer *w, uint32_t part)
{
    const struct writing *own = w->own;

    for (struct item *it = own->first; it; it = it->next)
        if (it->part == part && it->kind == ITEM_TEXT)
            return it;
    return NULL;
}

static bool say_citation(struct said_writer *w, const struct said *said, struct buf *out,
                         struct err *err)
{
    struct item *it = told_text(w, said->part);
    if (asked_of(w)->search && asked_of(w)->search->done)
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
    struct item *it = told_text(w, said->part);
    struct json *j = json_parse(w->arena, said->raw, err);
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
    return buf_ok(&it->logprobs) || err_arena(err, w->arena);
}

static void end_part(struct said_writer *w, uint32_t part, struct buf *out)
{
    const struct writing *own = w->own;

    for (struct item *it = own->first; it; it = it->next)
        if (it->part == part)
            end_item(w, it, out);
}

/* ---- beginning and end ---- */

static void search_event(struct said_writer *w, const struct item *it, const char *type,
                         struct buf *out)
{
    struct json_writer jw;

    event_begin(w, out, &jw, type);
    write_text_member(&jw, "item_id", str_from(it->id));
    jw_key(&jw, "output_index");
    jw_u64(&jw, it->index);
    event_end(out, &jw);
}

/* The search was made before the answer began: it is the first item. */
static bool tell_search(struct said_writer *w, struct buf *out, struct err *err)
{
    const struct responses_search *search = asked_of(w)->search;
    struct item *it;

    if (!search || !search->done)
        return true;
    it = add_item(w, ITEM_SEARCH, UINT32_MAX, out, err);
    if (!it)
        return false;
    it->search = search;
    if (w->streamed) {
        output_item_event(w, out, it, false);
        search_event(w, it, "response.file_search_call.in_progress", out);
        search_event(w, it, "response.file_search_call.searching", out);
        search_event(w, it, "response.file_search_call.completed", out);
    }
    it->done = true;
    if (w->streamed)
        output_item_event(w, out, it, true);
    return true;
}

static bool begin(struct said_writer *w, struct buf *out, struct err *err)
{
    struct writing *own = w->own;

    if (own->begun)
        return true;
    own->begun = true;
    if (w->streamed) {
        response_event(w, out, "response.created", false);
        response_event(w, out, "response.in_progress", false);
    }
    return tell_search(w, out, err);
}

/* For previous_response_id: the object as it was given, and its items with what must come back. */
static bool keep(struct said_writer *w, struct err *err)
{
    struct responses_asked *asked = asked_of(w);
    struct json_writer jw;
    struct buf text;

    if (!asked->store)
        return true;
    buf_init(&text, w->arena, MADE_BYTES_MAX);
    jw_init(&jw, &text);
    write_response(&jw, w, true);
    if (!buf_finish(&text, &asked->response, err))
        return false;
    buf_init(&text, w->arena, MADE_BYTES_MAX);
    jw_init(&jw, &text);
    write_output(&jw, w->own, true);
    return buf_finish(&text, &asked->output, err);
}

static bool finish(struct said_writer *w, struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct json_writer jw;
    const char *status;

    for (struct item *it = own->first; it; it = it->next)
        end_item(w, it, out);
    if (!keep(w, err))
        return false;
    status = status_of(own, true);
    if (w->streamed) {
        response_event(w, out,
                       str_eq(str_from(status), STR("incomplete")) ? "response.incomplete"
                                                                   : "response.completed",
                       true);
        return true;
    }
    jw_init(&jw, out);
    write_response(&jw, w, true);
    return true;
}

static void write_failed(struct said_writer *w, struct buf *out, struct str why)
{
    struct writing *own = w->own;
    struct json_writer jw;

    own->failure = why;
    event_begin(w, out, &jw, "error");
    jw_key(&jw, "code");
    jw_cstr(&jw, "server_error");
    write_text_member(&jw, "message", why);
    jw_key(&jw, "param");
    jw_null(&jw);
    event_end(out, &jw);
    /* Short, as there may be no memory for more: what was asked is known to the client. */
    event_begin(w, out, &jw, "response.failed");
    jw_key(&jw, "response");
    jw_object(&jw);
    write_response_head(&jw, w, false);
    jw_key(&jw, "output");
    jw_array(&jw);
    jw_array_end(&jw);
    jw_key(&jw, "usage");
    jw_null(&jw);
    jw_object_end(&jw);
    event_end(out, &jw);
}

/* On copies: the answer may go on for others. */
void responses_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err)
{
    struct writing own = {.usage = usage_unknown};
    struct said_writer now = *w;

    if (w->own) /* else the answer was not written here */
        own = *(struct writing *)w->own;
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
    struct writing *own = w->own;
    struct buf raw;

    buf_init(&raw, w->arena, 6 * tier.len + 8);
    buf_json_str(&raw, tier);
    return buf_finish(&raw, &own->tier, err);
}

static bool say(struct said_writer *w, const struct said *said, struct buf *out, struct err *err)
{
    struct writing *own = w->own;

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
    case SAID_BEGIN:
    case SAID_PING:
    case SAID_OTHER:
    case SAID_VECTOR:
    case SAID_SCORE: return true;
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
