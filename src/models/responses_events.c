/* What an answer in the Responses dialect is written of: its items, the response object that repeats them all, and
 * the events of a stream, each of which names the item it belongs to. */
#include "models/members.h"
#include "models/responses_answer.h"

struct responses_asked *responses_asked_of(const struct said_writer *w)
{
    static const struct responses_asked nothing = {.store = false};
    struct responses_asked *asked = w->asked->spoken == &dialect_responses ? w->asked->own : NULL;

    return asked ? asked : (struct responses_asked *)(uintptr_t)&nothing;
}

/* ---- items ---- */

void responses_text_member(struct json_writer *w, const char *key, struct str text)
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
static void write_content(struct json_writer *w, const struct responses_item *it, bool empty)
{
    static const struct buf none;

    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, it->kind == ITEM_TEXT ? "output_text" : "refusal");
    responses_text_member(w, it->kind == ITEM_TEXT ? "text" : "refusal",
                          empty ? STR("") : buf_view(&it->text));
    if (it->kind == ITEM_TEXT) {
        write_list(w, "annotations", empty ? &none : &it->annotations);
        write_list(w, "logprobs", empty ? &none : &it->logprobs);
    }
    jw_object_end(w);
}

static void write_message(struct json_writer *w, const struct responses_item *it, bool empty)
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
    responses_text_member(w, "text", text);
    jw_object_end(w);
}

/* `signed`: with what must come back, which clients get who asked for it. */
static void write_reasoning(struct json_writer *w, const struct responses_item *it, bool empty,
                            bool sign)
{
    jw_key(w, "summary");
    jw_array(w);
    if (!empty && !it->is_redacted && it->text.len)
        write_summary(w, buf_view(&it->text));
    jw_array_end(w);
    if (empty || !sign)
        return;
    jw_key(w, "encrypted_content");
    if (it->is_redacted)
        jw_str(w, buf_view(&it->text));
    else if (it->signature.ptr)
        jw_str(w, it->signature);
    else
        jw_null(w);
}

/* Of what was found the addresses have a place. */
static void write_sources(struct json_writer *w, const struct responses_item *it)
{
    jw_key(w, "sources");
    jw_raw(w, it->result);
}

static void write_code(struct json_writer *w, const struct responses_item *it, bool empty)
{
    jw_key(w, "code");
    if (empty)
        jw_cstr(w, "");
    else
        jw_str(w, buf_view(&it->text));
    jw_key(w, "container_id"); /* there is none that the client could ask for */
    jw_cstr(w, "");
    jw_key(w, "outputs");
    if (empty || !it->answered) {
        jw_null(w);
        return;
    }
    jw_array(w);
    if (it->result.len) {
        jw_object(w);
        responses_text_member(w, "type", STR("logs"));
        responses_text_member(w, "logs", it->result);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_web_search(struct json_writer *w, const struct responses_item *it, bool empty)
{
    if (empty)
        return;
    jw_key(w, "action");
    jw_object(w);
    responses_text_member(w, "type", STR("search"));
    responses_text_member(w, "query", buf_view(&it->text));
    if (it->answered && it->result.len > 2)
        write_sources(w, it);
    jw_object_end(w);
}

static void write_item(struct json_writer *w, const struct responses_item *it, bool empty,
                       bool sign)
{
    static const char *const types[] = {[ITEM_TEXT] = "message",
                                        [ITEM_REFUSAL] = "message",
                                        [ITEM_REASONING] = "reasoning",
                                        [ITEM_CALL] = "function_call",
                                        [ITEM_IMAGE] = "image_generation_call",
                                        [ITEM_SEARCH] = "file_search_call",
                                        [ITEM_WEB] = "web_search_call",
                                        [ITEM_CODE] = "code_interpreter_call"};

    jw_object(w);
    responses_text_member(w, "id", str_from(it->id));
    jw_key(w, "type");
    jw_cstr(w, types[it->kind]);
    jw_key(w, "status");
    jw_cstr(w, empty        ? "in_progress"
               : it->failed ? "failed"
               : it->done   ? "completed"
                            : "incomplete");
    switch (it->kind) {
    case ITEM_TEXT:
    case ITEM_REFUSAL: write_message(w, it, empty); break;
    case ITEM_REASONING: write_reasoning(w, it, empty, sign); break;
    case ITEM_CALL:
        responses_text_member(w, "call_id", it->call_id);
        responses_text_member(w, "name", it->name);
        responses_text_member(w, "arguments", empty ? STR("") : buf_view(&it->text));
        break;
    case ITEM_IMAGE:
        responses_text_member(w, "result", empty ? STR("") : buf_view(&it->text));
        break;
    case ITEM_SEARCH: responses_write_search(w, it->search, !empty); break;
    case ITEM_WEB: write_web_search(w, it, empty); break;
    case ITEM_CODE: write_code(w, it, empty); break;
    }
    jw_object_end(w);
}

void responses_write_output(struct json_writer *w, const struct responses_telling *own, bool sign)
{
    jw_array(w);
    for (const struct responses_item *it = own->first; it; it = it->next)
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
    const struct responses_asked *asked = responses_asked_of(to);
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
static bool was_filtered(const struct responses_telling *own)
{
    return own->finish == FINISH_CONTENT_FILTER || (own->finish == FINISH_REFUSAL && !own->refused);
}

const char *responses_status_of(const struct responses_telling *own, bool at_end)
{
    if (own->failure.ptr)
        return "failed";
    if (!at_end)
        return "in_progress";
    return own->finish == FINISH_LENGTH || own->finish == FINISH_CONTEXT || was_filtered(own)
               ? "incomplete"
               : "completed";
}

static void write_trouble(struct json_writer *w, const struct responses_telling *own, bool at_end)
{
    jw_key(w, "error");
    if (own->failure.ptr) {
        jw_object(w);
        jw_key(w, "code");
        jw_cstr(w, "server_error");
        responses_text_member(w, "message", own->failure);
        jw_object_end(w);
    } else {
        jw_null(w);
    }
    jw_key(w, "incomplete_details");
    if (at_end && str_eq(str_from(responses_status_of(own, true)), STR("incomplete"))) {
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
    responses_text_member(w, "id", buf_view(&text));
}

void responses_write_head(struct json_writer *w, const struct said_writer *to, bool at_end)
{
    const struct responses_telling *own = to->own;

    write_response_id(w, to);
    jw_key(w, "object");
    jw_cstr(w, "response");
    jw_key(w, "created_at");
    jw_i64(w, to->created);
    jw_key(w, "status");
    jw_cstr(w, responses_status_of(own, at_end));
    jw_key(w, "background");
    jw_bool(w, false);
    write_trouble(w, own, at_end);
    responses_text_member(w, "model", to->model);
}

void responses_write_object(struct json_writer *w, const struct said_writer *to, bool at_end)
{
    const struct responses_telling *own = to->own;

    jw_object(w);
    responses_write_head(w, to, at_end);
    jw_key(w, "output");
    if (at_end) {
        responses_write_output(w, own, responses_asked_of(to)->include_encrypted);
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

void responses_event_begin(struct said_writer *to, struct buf *out, struct json_writer *w,
                           const char *type)
{
    struct responses_telling *own = to->own;

    said_event_begin(out, w, type);
    jw_key(w, "sequence_number");
    jw_u64(w, own->sequence++);
}

void responses_event_end(struct buf *out, struct json_writer *w)
{
    jw_object_end(w);
    buf_str(out, STR("\n\n"));
}

void responses_event(struct said_writer *to, struct buf *out, const char *type, bool at_end)
{
    struct json_writer w;

    responses_event_begin(to, out, &w, type);
    jw_key(&w, "response");
    responses_write_object(&w, to, at_end);
    responses_event_end(out, &w);
}

/* Of an item: `place` is the member that counts inside it, or NULL. */
void responses_item_event_begin(struct said_writer *to, struct buf *out, struct json_writer *w,
                                const struct responses_item *it, const char *type)
{
    responses_event_begin(to, out, w, type);
    responses_text_member(w, "item_id", str_from(it->id));
    jw_key(w, "output_index");
    jw_u64(w, it->index);
    if (it->kind != ITEM_CALL) {
        jw_key(w, it->kind == ITEM_REASONING ? "summary_index" : "content_index");
        jw_u64(w, 0);
    }
}

void responses_item_event(struct said_writer *to, struct buf *out, const struct responses_item *it,
                          bool done)
{
    struct json_writer w;

    responses_event_begin(to, out, &w,
                          done ? "response.output_item.done" : "response.output_item.added");
    jw_key(&w, "output_index");
    jw_u64(&w, it->index);
    jw_key(&w, "item");
    write_item(&w, it, !done, responses_asked_of(to)->include_encrypted);
    responses_event_end(out, &w);
}

void responses_part_event(struct said_writer *to, struct buf *out, const struct responses_item *it,
                          bool done)
{
    struct json_writer w;

    if (it->kind == ITEM_CALL || it->kind == ITEM_IMAGE || it->kind == ITEM_SEARCH ||
        it->kind == ITEM_WEB || (it->kind == ITEM_REASONING && it->is_redacted))
        return;
    if (it->kind == ITEM_REASONING) {
        responses_item_event_begin(to, out, &w, it,
                                   done ? "response.reasoning_summary_part.done"
                                        : "response.reasoning_summary_part.added");
        jw_key(&w, "part");
        write_summary(&w, done ? buf_view(&it->text) : STR(""));
    } else {
        responses_item_event_begin(
            to, out, &w, it, done ? "response.content_part.done" : "response.content_part.added");
        jw_key(&w, "part");
        write_content(&w, it, !done);
    }
    responses_event_end(out, &w);
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

void responses_delta_event(struct said_writer *to, struct buf *out, const struct responses_item *it,
                           struct str text, struct str logprobs)
{
    struct json_writer w;

    if (it->kind == ITEM_IMAGE || it->is_redacted || str_is_empty(text))
        return;
    responses_item_event_begin(to, out, &w, it, word_events[it->kind].delta);
    responses_text_member(&w, "delta", text);
    if (it->kind == ITEM_TEXT) {
        jw_key(&w, "logprobs");
        jw_array(&w);
        if (logprobs.len)
            jw_raw(&w, logprobs);
        jw_array_end(&w);
    }
    responses_event_end(out, &w);
}

void responses_words_done_event(struct said_writer *to, struct buf *out,
                                const struct responses_item *it)
{
    struct json_writer w;

    if (it->kind == ITEM_IMAGE || it->kind == ITEM_SEARCH || it->kind == ITEM_WEB ||
        it->is_redacted)
        return;
    responses_item_event_begin(to, out, &w, it, word_events[it->kind].done);
    if (it->kind == ITEM_CALL)
        responses_text_member(&w, "name", it->name);
    responses_text_member(&w, word_events[it->kind].member, buf_view(&it->text));
    if (it->kind == ITEM_TEXT)
        write_list(&w, "logprobs", &it->logprobs);
    responses_event_end(out, &w);
}
