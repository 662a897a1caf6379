/* Answers for clients that speak the OpenAI chat dialect: chunks as steps come, or one body at the end. */
#include "models/openai_tell.h"

/* ---- small things ---- */

void openai_member_or_null(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    if (text.ptr)
        jw_str(w, text);
    else
        jw_null(w);
}

void openai_list_member(struct json_writer *w, const char *key, const struct buf *items)
{
    if (!items->len)
        return;
    jw_key(w, key);
    jw_array(w);
    jw_raw(w, buf_view(items));
    jw_array_end(w);
}

void openai_list_add(struct buf *list, struct str raw)
{
    if (str_is_empty(raw))
        return;
    if (list->len)
        buf_char(list, ',');
    buf_str(list, raw);
}

static void count_member(struct json_writer *w, const char *key, int64_t n)
{
    if (n < 0)
        return;
    jw_key(w, key);
    jw_i64(w, n);
}

void openai_write_read(struct json_writer *w, int64_t tokens)
{
    jw_key(w, "usage");
    jw_object(w);
    jw_key(w, "prompt_tokens");
    jw_i64(w, tokens);
    jw_key(w, "total_tokens");
    jw_i64(w, tokens);
    jw_object_end(w);
}

void openai_reply_end(struct json_writer *w, const struct said_writer *sw)
{
    if (sw->weir.len) {
        jw_key(w, "weir");
        jw_raw(w, sw->weir);
    }
    jw_object_end(w);
}

void openai_write_usage(struct json_writer *w, const struct usage *usage)
{
    int64_t in = MAX_OF(usage->tokens_in, 0), out = MAX_OF(usage->tokens_out, 0);
    int64_t written =
        MAX_OF(usage->tokens_cache_write, 0) + MAX_OF(usage->tokens_cache_write_long, 0);

    jw_key(w, "usage");
    jw_object(w);
    count_member(w, "prompt_tokens", in);
    count_member(w, "completion_tokens", out);
    count_member(w, "total_tokens", in + out);
    if (usage->tokens_cached >= 0 || usage->tokens_audio_in >= 0 || written > 0 ||
        usage->tokens_image_in > 0) {
        jw_key(w, "prompt_tokens_details");
        jw_object(w);
        count_member(w, "cached_tokens", usage->tokens_cached);
        count_member(w, "cache_creation_tokens", written > 0 ? written : -1);
        count_member(w, "audio_tokens", usage->tokens_audio_in);
        count_member(w, "image_tokens", usage->tokens_image_in > 0 ? usage->tokens_image_in : -1);
        jw_object_end(w);
    }
    if (usage->tokens_reasoning >= 0 || usage->tokens_audio_out >= 0) {
        jw_key(w, "completion_tokens_details");
        jw_object(w);
        count_member(w, "reasoning_tokens", usage->tokens_reasoning);
        count_member(w, "audio_tokens", usage->tokens_audio_out);
        jw_object_end(w);
    }
    jw_object_end(w);
}

void openai_write_top(struct json_writer *w, const struct said_writer *sw, const char *object)
{
    jw_object(w);
    jw_key(w, "id");
    jw_raw(w, STR("\"chatcmpl-"));
    buf_str(w->to, sw->id); /* the house's own: hex */
    buf_char(w->to, '"');
    jw_key(w, "object");
    jw_cstr(w, object);
    jw_key(w, "created");
    jw_i64(w, sw->created);
    jw_key(w, "model");
    jw_str(w, sw->model);
}

bool openai_writer_init(struct said_writer *sw, struct err *err)
{
    struct openai_telling *own = arena_alloc(sw->arena, sizeof *own);
    struct json_writer w;
    struct buf head;

    if (!own)
        return err_arena(err, sw->arena);
    own->usage = usage_unknown;
    sw->own = own;
    if (!sw->streamed)
        return true;
    buf_init(&head, sw->arena, 6 * sw->model.len + sw->id.len + 256);
    buf_str(&head, STR("data: "));
    jw_init(&w, &head);
    openai_write_top(&w, sw, "chat.completion.chunk");
    jw_key(&w, "choices");
    return buf_finish(&head, &own->head, err);
}

struct openai_told *openai_told_of(const struct said_writer *sw, uint32_t number)
{
    struct openai_telling *own = sw->own;
    struct openai_told **at = &own->choices, *made;

    while (*at && (*at)->number < number)
        at = &(*at)->next;
    if (*at && (*at)->number == number)
        return *at;
    made = arena_alloc(sw->arena, sizeof *made);
    if (!made)
        return NULL;
    made->number = number;
    made->next = *at;
    *at = made;
    made->calls_tail = &made->calls;
    buf_init(&made->text, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->reasoning, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->refusal, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->citations, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->documents, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->images, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->thoughts, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->probs.content, sw->arena, OPENAI_TEXT_MAX);
    buf_init(&made->probs.refusal, sw->arena, OPENAI_TEXT_MAX);
    return made;
}

struct openai_told_call *openai_told_call(const struct openai_told *told, uint32_t part)
{
    for (struct openai_told_call *c = told->calls; c; c = c->next)
        if (c->part == part)
            return c;
    return NULL;
}

bool openai_told_call_add(const struct said_writer *sw, struct openai_told *told,
                          const struct said *said, struct openai_told_call **out, struct err *err)
{
    struct openai_told_call *call = arena_alloc(sw->arena, sizeof *call);

    if (!call)
        return err_arena(err, sw->arena);
    call->part = said->part;
    call->index = told->call_count++;
    call->id = arena_str(sw->arena, said->id);
    call->name = arena_str(sw->arena, said->name);
    call->signature = said->signature.len ? arena_str(sw->arena, said->signature) : STR_NONE;
    if (!call->id.ptr || !call->name.ptr || (said->signature.len && !call->signature.ptr))
        return err_arena(err, sw->arena);
    buf_init(&call->arguments, sw->arena, OPENAI_TEXT_MAX);
    *told->calls_tail = call;
    told->calls_tail = &call->next;
    *out = call;
    return true;
}

void openai_write_signature(struct json_writer *w, struct str signature)
{
    if (str_is_empty(signature))
        return;
    jw_key(w, "extra_content");
    jw_object(w);
    jw_key(w, "google");
    jw_object(w);
    openai_member_or_null(w, "thought_signature", signature);
    jw_object_end(w);
    jw_object_end(w);
}

/* What must come back with the next question goes into a block, whole: clients of the dialect that know
 * them send them back as they are. */
void openai_write_thought(struct json_writer *w, struct str text, const struct said *said)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, said->is_redacted ? "redacted_thinking" : "thinking");
    openai_member_or_null(w, said->is_redacted ? "data" : "thinking", text.ptr ? text : STR(""));
    if (said->signature.len)
        openai_member_or_null(w, "signature", said->signature);
    jw_object_end(w);
}

/* What base64 and names of media are made of; nothing else gets between the quotes. */
static void put_plain(struct buf *out, struct str text)
{
    for (size_t i = 0, from = 0; i <= text.len; i++) {
        char c = i < text.len ? text.ptr[i] : '"';

        if (c == '"' || c == '\\' || (unsigned char)c < ' ' || (unsigned char)c > '~') {
            buf_str(out, str_slice(text, from, i));
            from = i + 1;
        }
    }
}

void openai_write_image(struct json_writer *w, const struct said *said)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "image_url");
    jw_key(w, "image_url");
    jw_object(w);
    jw_key(w, "url");
    jw_raw(w, STR("\"data:"));
    put_plain(w->to, said->media_type);
    buf_str(w->to, STR(";base64,"));
    put_plain(w->to, said->text);
    buf_char(w->to, '"');
    jw_object_end(w);
    jw_object_end(w);
}

bool openai_is_image(const struct said *said)
{
    return str_starts(said->media_type, STR("image/"));
}

void openai_write_audio(struct json_writer *w, const struct said *said)
{
    if (said->raw.len) { /* the dialect's own form */
        jw_raw(w, said->raw);
        return;
    }
    jw_object(w);
    openai_member_or_null(w, "data", said->text);
    jw_object_end(w);
}

/* ---- a stream ---- */

static void chunk_begin(struct json_writer *w, const struct said_writer *sw, uint32_t choice,
                        struct buf *out)
{
    const struct openai_telling *own = sw->own;

    buf_str(out, own->head);
    jw_init(w, out);
    jw_array(w);
    jw_object(w);
    jw_key(w, "index");
    jw_i64(w, choice);
    jw_key(w, "delta");
    jw_object(w);
}

static void chunk_end(struct json_writer *w, struct str logprobs, const char *finish)
{
    jw_object_end(w);
    jw_key(w, "logprobs");
    jw_raw(w, logprobs.len ? logprobs : STR("null"));
    jw_key(w, "finish_reason");
    if (finish)
        jw_cstr(w, finish);
    else
        jw_null(w);
    jw_object_end(w);
    jw_array_end(w);
}

static void event_end(struct buf *out)
{
    buf_str(out, STR("}\n\n"));
}

static void write_delta_text(const struct said_writer *sw, const struct said *said, const char *key,
                             struct buf *out)
{
    struct json_writer w;

    chunk_begin(&w, sw, said->choice, out);
    if (said->kind == SAID_BEGIN) {
        jw_key(&w, "role");
        jw_cstr(&w, "assistant");
    }
    openai_member_or_null(&w, key, said->text.ptr ? said->text : STR(""));
    chunk_end(&w, STR_NONE, NULL);
    event_end(out);
}

/* Index always; id, type and name with the first fragment only. */
static void write_delta_call(const struct said_writer *sw, const struct said *said,
                             const struct openai_told_call *call, struct buf *out)
{
    bool functions = sw->asked->functions, is_first = said->kind == SAID_TOOL;
    struct json_writer w;

    chunk_begin(&w, sw, said->choice, out);
    jw_key(&w, functions ? "function_call" : "tool_calls");
    if (!functions) {
        jw_array(&w);
        jw_object(&w);
        jw_key(&w, "index");
        jw_i64(&w, call->index);
        if (is_first) {
            openai_member_or_null(&w, "id", call->id);
            jw_key(&w, "type");
            jw_cstr(&w, "function");
        }
        jw_key(&w, "function");
    }
    jw_object(&w);
    if (is_first)
        openai_member_or_null(&w, "name", call->name);
    openai_member_or_null(&w, "arguments", is_first ? STR("") : said->text);
    jw_object_end(&w);
    if (!functions) {
        if (is_first)
            openai_write_signature(&w, call->signature);
        jw_object_end(&w);
        jw_array_end(&w);
    }
    chunk_end(&w, STR_NONE, NULL);
    event_end(out);
}

static bool tell_call(struct said_writer *sw, const struct said *said, struct buf *out,
                      struct err *err)
{
    struct openai_told *told = openai_told_of(sw, said->choice);
    struct openai_told_call *call = told ? openai_told_call(told, said->part) : NULL;

    if (!told)
        return err_arena(err, sw->arena);
    if (said->kind == SAID_TOOL && !call && !openai_told_call_add(sw, told, said, &call, err))
        return false;
    if (!call)
        return true;
    if (sw->asked->functions && call->index > 0) { /* the older form has room for one */
        said_lost(sw, STR("tool_calls"));
        return true;
    }
    write_delta_call(sw, said, call, out);
    return true;
}

/* Clients of the dialect check that annotations have an address: documents stand beside them. */
static bool tell_citation(const struct said_writer *sw, const struct said *said, struct buf *out,
                          struct err *err)
{
    struct json_writer w;
    struct citation c;

    if (!citation_read(sw->arena, said->raw, &c, err))
        return false;
    chunk_begin(&w, sw, said->choice, out);
    jw_key(&w, c.url.len ? "annotations" : "document_citations");
    jw_array(&w);
    if (c.url.len)
        citation_write_chat(&w, &c);
    else
        citation_write(&w, &c);
    jw_array_end(&w);
    chunk_end(&w, STR_NONE, NULL);
    event_end(out);
    return true;
}

static void tell_object(const struct said_writer *sw, const struct said *said, struct buf *out)
{
    struct json_writer w;

    chunk_begin(&w, sw, said->choice, out);
    if (said->kind == SAID_REASONING) {
        jw_key(&w, "thinking_blocks");
        jw_array(&w);
        openai_write_thought(&w, said->text, said);
        jw_array_end(&w);
    } else if (openai_is_image(said)) {
        jw_key(&w, "images");
        jw_array(&w);
        openai_write_image(&w, said);
        jw_array_end(&w);
    } else {
        jw_key(&w, "audio");
        openai_write_audio(&w, said);
    }
    chunk_end(&w, STR_NONE, NULL);
    event_end(out);
}

static void tell_probs(const struct said_writer *sw, const struct said *said, struct buf *out)
{
    struct json_writer w;

    chunk_begin(&w, sw, said->choice, out);
    chunk_end(&w, said->raw, NULL);
    event_end(out);
}

static void top_member(struct buf *out, const char *key, struct str raw)
{
    if (str_is_empty(raw))
        return;
    buf_str(out, STR(",\""));
    buf_str(out, str_from(key));
    buf_str(out, STR("\":"));
    buf_str(out, raw);
}

static void tell_finish(const struct said_writer *sw, const struct openai_told *told, bool first,
                        struct buf *out)
{
    const struct openai_telling *own = sw->own;
    struct json_writer w;

    chunk_begin(&w, sw, told->number, out);
    chunk_end(&w, STR_NONE, openai_finish_name(told->finish, sw->asked->functions));
    if (told->stop.len) {
        out->len -= 2; /* back into the choice */
        buf_str(out, STR(",\"stop_reason\":"));
        buf_json_str(out, told->stop);
        buf_str(out, STR("}]"));
    }
    top_member(out, "service_tier", own->tier);
    if (first)
        top_member(out, "weir", sw->weir);
    event_end(out);
}

/* The chunks that say why choices ended wait for this: what was lost is known only now. */
static void tell_end(const struct said_writer *sw, struct buf *out)
{
    const struct openai_telling *own = sw->own;
    struct json_writer w;
    bool first = true;

    for (const struct openai_told *told = own->choices; told; told = told->next) {
        if (!told->finished)
            continue;
        tell_finish(sw, told, first, out);
        first = false;
    }
    if (sw->asked->include_usage && own->has_usage) {
        buf_str(out, own->head);
        buf_str(out, STR("[],"));
        jw_init(&w, out);
        w.depth = 1; /* inside the object that the head has opened */
        openai_write_usage(&w, &own->usage);
        event_end(out);
    }
    buf_str(out, STR("data: [DONE]\n\n"));
}

bool openai_keep_finish(const struct said_writer *sw, const struct said *said, struct err *err)
{
    struct openai_told *told = openai_told_of(sw, said->choice);

    if (!told)
        return err_arena(err, sw->arena);
    told->finished = true;
    told->finish = said->finish;
    told->stop = said->text.len ? arena_str(sw->arena, said->text) : STR_NONE;
    return !said->text.len || told->stop.ptr || err_arena(err, sw->arena);
}

static bool tell(struct said_writer *sw, const struct said *said, struct buf *out, struct err *err)
{
    switch (said->kind) {
    case SAID_BEGIN:
    case SAID_TEXT: write_delta_text(sw, said, "content", out); break;
    case SAID_REASONING:
        if (said->signature.len || said->is_redacted)
            tell_object(sw, said, out);
        else
            write_delta_text(sw, said, "reasoning_content", out);
        break;
    case SAID_REFUSAL: write_delta_text(sw, said, "refusal", out); break;
    case SAID_TOOL:
    case SAID_ARGUMENTS: return tell_call(sw, said, out, err);
    case SAID_CITATION: return tell_citation(sw, said, out, err);
    case SAID_MEDIA: tell_object(sw, said, out); break;
    case SAID_LOGPROBS: tell_probs(sw, said, out); break;
    case SAID_FINISH: return openai_keep_finish(sw, said, err);
    case SAID_PING: buf_str(out, STR(": ping\n\n")); break;
    case SAID_END: tell_end(sw, out); break;
    case SAID_USAGE:
    case SAID_TIER:
    case SAID_SEARCHED:
    case SAID_FOUND:
    case SAID_RAN:
    case SAID_PRINTED:
    case SAID_OTHER:
    case SAID_PART_END:
    case SAID_VECTOR:
    case SAID_SCORE:
    case SAID_VERDICT:
    case SAID_FAILED: break;
    }
    return true;
}

bool openai_keep_tier(struct arena *arena, struct str tier, struct str *raw, struct err *err)
{
    struct buf text;

    buf_init(&text, arena, 6 * tier.len + 8);
    buf_json_str(&text, tier);
    return buf_finish(&text, raw, err);
}

bool openai_write_said(struct said_writer *sw, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct openai_telling *own = sw->own;

    if (said->kind == SAID_USAGE) {
        own->usage = said->usage;
        own->has_usage = true;
        return true;
    }
    if (said->kind == SAID_TIER)
        return openai_keep_tier(sw->arena, said->text, &own->tier, err);
    if (sw->streamed)
        return tell(sw, said, out, err);
    if (said->kind == SAID_END)
        return openai_write_whole(sw, out, err);
    if (said->kind == SAID_PING || said->kind == SAID_FAILED)
        return true;
    return openai_keep_step(sw, said, err);
}

/* ---- errors ---- */

void openai_write_error(struct buf *out, int status, const char *code, const struct err *err)
{
    if (code && *code)
        chat_write_error_as(out, code, err);
    else
        chat_write_error(out, status, err);
}

void openai_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err)
{
    (void)w;
    chat_write_event_error(out, err);
}
