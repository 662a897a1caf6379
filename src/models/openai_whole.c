/* Whole answers for clients that speak the OpenAI chat dialect: kept step by step, written at the end. */
#include "models/openai_tell.h"

/* Lists of log probabilities of pieces, put together. */
static bool keep_probs(const struct said_writer *sw, struct openai_told *told, struct str raw,
                       struct err *err)
{
    struct json *j = said_json(sw->arena, raw, err);
    const struct {
        struct buf *to;
        const char *key;
    } lists[] = {{&told->probs.content, "content"}, {&told->probs.refusal, "refusal"}};

    if (!j)
        return err_wrap(err, "logprobs");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_ref list = json_get(j, json_root(j), str_from(lists[i].key));

        if (json_kind(j, list) == JSON_ARRAY)
            for (json_ref v = json_first(j, list); v; v = json_next(j, v))
                openai_list_add(lists[i].to, json_raw(j, v));
    }
    return true;
}

static void keep_thought(struct openai_told *told, const struct said *said)
{
    struct json_writer w;

    if (!said->signature.len && !said->is_redacted) {
        buf_str(&told->reasoning, said->text);
        return;
    }
    if (told->thoughts.len)
        buf_char(&told->thoughts, ',');
    jw_init(&w, &told->thoughts);
    openai_write_thought(&w,
                         said->is_redacted ? said->text
                                           : str_slice(buf_view(&told->reasoning),
                                                       told->thought_from, told->reasoning.len),
                         said);
    told->thought_from = told->reasoning.len;
}

static bool keep_citation(const struct said_writer *sw, struct openai_told *told,
                          const struct said *said, struct err *err)
{
    struct json_writer w;
    struct citation c;
    struct buf *list;

    if (!citation_read(sw->arena, said->raw, &c, err))
        return false;
    list = c.url.len ? &told->citations : &told->documents;
    if (list->len)
        buf_char(list, ',');
    jw_init(&w, list);
    if (c.url.len)
        citation_write_chat(&w, &c);
    else
        citation_write(&w, &c);
    return true;
}

static bool keep_media(struct said_writer *sw, struct openai_told *told, const struct said *said,
                       struct err *err)
{
    struct json_writer w;
    struct buf audio;

    if (openai_is_image(said)) {
        if (told->images.len)
            buf_char(&told->images, ',');
        jw_init(&w, &told->images);
        openai_write_image(&w, said);
        return true;
    }
    if (told->audio.len) /* a message has one */
        said_lost(sw, STR("audio"));
    if (told->audio.len)
        return true;
    buf_init(&audio, sw->arena, OPENAI_TEXT_MAX);
    jw_init(&w, &audio);
    openai_write_audio(&w, said);
    return buf_finish(&audio, &told->audio, err);
}

static bool keep_call(struct said_writer *sw, struct openai_told *told, const struct said *said,
                      struct err *err)
{
    struct openai_told_call *call = openai_told_call(told, said->part);

    if (said->kind == SAID_TOOL && !call && told->call_count > 0 && sw->asked->functions)
        said_lost(sw, STR("tool_calls"));
    if (said->kind == SAID_TOOL)
        return call || openai_told_call_add(sw, told, said, &call, err);
    if (call)
        buf_str(&call->arguments, said->text);
    return true;
}

/* {"name":...,"arguments":...} */
static void write_function(struct json_writer *w, const char *key,
                           const struct openai_told_call *call)
{
    jw_key(w, key);
    jw_object(w);
    openai_member_or_null(w, "name", call->name);
    openai_member_or_null(w, "arguments",
                          call->arguments.len ? buf_view(&call->arguments) : STR("{}"));
    jw_object_end(w);
}

static void write_calls(struct json_writer *w, const struct openai_told *told)
{
    jw_key(w, "tool_calls");
    jw_array(w);
    for (const struct openai_told_call *c = told->calls; c; c = c->next) {
        jw_object(w);
        openai_member_or_null(w, "id", c->id);
        jw_key(w, "type");
        jw_cstr(w, "function");
        write_function(w, "function", c);
        openai_write_signature(w, c->signature);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_message(struct json_writer *w, const struct said_writer *sw,
                          const struct openai_told *told)
{
    bool no_text = !told->text.len && (told->calls || told->refusal.len || told->audio.len);

    jw_key(w, "message");
    jw_object(w);
    jw_key(w, "role");
    jw_cstr(w, "assistant");
    openai_member_or_null(w, "content",
                          no_text          ? STR_NONE
                          : told->text.len ? buf_view(&told->text)
                                           : STR(""));
    openai_member_or_null(w, "refusal", told->refusal.len ? buf_view(&told->refusal) : STR_NONE);
    if (told->reasoning.len)
        openai_member_or_null(w, "reasoning_content", buf_view(&told->reasoning));
    openai_list_member(w, "thinking_blocks", &told->thoughts);
    openai_list_member(w, "annotations", &told->citations);
    openai_list_member(w, "document_citations", &told->documents);
    openai_list_member(w, "images", &told->images);
    openai_raw_member(w, "audio", told->audio);
    if (told->calls && sw->asked->functions)
        write_function(w, "function_call", told->calls);
    else if (told->calls)
        write_calls(w, told);
    jw_object_end(w);
}

static void write_probs(struct json_writer *w, const struct openai_logprobs *probs)
{
    jw_key(w, "logprobs");
    if (!probs->content.len && !probs->refusal.len) {
        jw_null(w);
        return;
    }
    jw_object(w);
    openai_list_member(w, "content", &probs->content);
    openai_list_member(w, "refusal", &probs->refusal);
    jw_object_end(w);
}

static bool all_fits(const struct openai_told *told)
{
    for (const struct openai_told_call *c = told->calls; c; c = c->next)
        if (!buf_ok(&c->arguments))
            return false;
    return buf_ok(&told->text) && buf_ok(&told->reasoning) && buf_ok(&told->refusal) &&
           buf_ok(&told->citations) && buf_ok(&told->documents) && buf_ok(&told->images) &&
           buf_ok(&told->thoughts) && buf_ok(&told->probs.content) && buf_ok(&told->probs.refusal);
}

bool openai_write_whole(const struct said_writer *sw, struct buf *out, struct err *err)
{
    const struct openai_telling *own = sw->own;
    struct json_writer w;

    jw_init(&w, out);
    openai_write_top(&w, sw, "chat.completion");
    jw_key(&w, "choices");
    jw_array(&w);
    for (const struct openai_told *told = own->choices; told; told = told->next) {
        if (!all_fits(told))
            return err_arena(err, sw->arena);
        jw_object(&w);
        jw_key(&w, "index");
        jw_i64(&w, told->number);
        write_message(&w, sw, told);
        write_probs(&w, &told->probs);
        jw_key(&w, "finish_reason");
        jw_cstr(&w, openai_finish_name(told->finish, sw->asked->functions));
        if (told->stop.len)
            openai_member_or_null(&w, "stop_reason", told->stop);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    openai_raw_member(&w, "service_tier", own->tier);
    if (own->has_usage)
        openai_write_usage(&w, &own->usage);
    openai_raw_member(&w, "weir", sw->weir);
    jw_object_end(&w);
    return true;
}

bool openai_keep_step(struct said_writer *sw, const struct said *said, struct err *err)
{
    struct openai_told *told = openai_told_of(sw, said->choice);

    if (!told)
        return err_arena(err, sw->arena);
    switch (said->kind) {
    case SAID_TEXT: buf_str(&told->text, said->text); break;
    case SAID_REASONING: keep_thought(told, said); break;
    case SAID_REFUSAL: buf_str(&told->refusal, said->text); break;
    case SAID_TOOL:
    case SAID_ARGUMENTS: return keep_call(sw, told, said, err);
    case SAID_CITATION: return keep_citation(sw, told, said, err);
    case SAID_MEDIA: return keep_media(sw, told, said, err);
    case SAID_LOGPROBS: return keep_probs(sw, told, said->raw, err);
    case SAID_FINISH: return openai_keep_finish(sw, said, err);
    default: break;
    }
    return true;
}
