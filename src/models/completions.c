/* POST /v1/completions: the older dialect of one text that goes on. Servers of open models take it as it
 * is; for others the prompt becomes a user's turn. */
#include "models/chat.h"
#include "models/openai_internal.h"
#include "models/prompts.h"

#define TEXT_MAX (64 * MIB) /* of one choice; the request's arena is the limit */

/* ---- requests, read ---- */

static bool read_prompt(struct field_reader *r, json_ref v, struct err *err)
{
    const struct json *j = r->json;
    struct turn **turns = &r->to->turns;
    struct part **parts;
    struct turn *turn;
    struct part *text;

    turn = turn_add(r->arena, &turns, TURN_USER);
    if (!turn)
        return err_arena(err, r->arena);
    turn->path = STR("prompt");
    parts = &turn->parts;
    text = part_add(r->arena, &parts, PART_TEXT);
    return (text && json_str(j, v, r->arena, &text->text)) || err_arena(err, r->arena);
}

/* A string, strings, a list of tokens or several of those. One string also stands as a turn. */
static bool read_prompts(struct field_reader *r, json_ref v, struct err *err)
{
    const struct json *j = r->json;
    enum json_kind kind = json_kind(j, v), first = json_kind(j, json_first(j, v));
    size_t count = kind == JSON_ARRAY && first != JSON_NUMBER ? json_count(j, v) : 1;

    if (kind != JSON_STRING &&
        !(kind == JSON_ARRAY &&
          (first == JSON_STRING || first == JSON_ARRAY || first == JSON_NUMBER)))
        return err_set(err, ERR_INVALID, "prompt: expected a string, strings or tokens");
    for (json_ref p = kind == JSON_ARRAY ? json_first(j, v) : 0; p; p = json_next(j, p))
        if (json_kind(j, p) != first)
            return err_set(err, ERR_INVALID, "prompt: expected all of one kind");
    if (count > PROMPTS_MAX)
        return err_set(err, ERR_INVALID, "prompt: expected at most %d", PROMPTS_MAX);
    r->to->inputs = json_raw(j, v);
    r->to->prompt_count = (uint32_t)count;
    r->to->prompt_bytes += json_raw(j, v).len;
    if (kind == JSON_STRING)
        return read_prompt(r, v, err);
    return count != 1 || first != JSON_STRING || read_prompt(r, json_first(j, v), err);
}

/* A number of alternatives, where chat has a flag and a number. */
static bool read_logprobs(struct field_reader *r, json_ref v, struct err *err)
{
    static const struct field row = {.name = "logprobs", .kind = FIELD_INT, .max = 20};

    r->to->logprobs = 1;
    return fields_read_int(r, v, &row, &r->to->top_logprobs, err);
}

static bool read_echo(struct field_reader *r, json_ref v, struct err *err)
{
    bool flag;

    if (!json_bool(r->json, v, &flag))
        return err_set(err, ERR_INVALID, "echo: expected true or false");
    r->to->echo = json_raw(r->json, v);
    return true;
}

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
static const struct field fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, openai_read_model, "the model that is asked"},
    {"prompt", FIELD_OWN, AT(inputs), 0, 0, read_prompts,
     "a string, strings, tokens or lists of tokens; strings are each asked by itself where the "
     "provider takes one"},
    {"best_of", FIELD_EXTRA, 0, 0, 0, NULL, "made at the server, the best n given"},
    {"echo", FIELD_OWN, AT(echo), 0, 0, read_echo, "the prompt in front of the answer"},
    {"frequency_penalty", FIELD_NUMBER, AT(frequency_penalty), -2, 2, NULL, "against repetition"},
    {"logit_bias", FIELD_RAW, AT(logit_bias), 0, 0, NULL, "token id to bias"},
    {"logprobs", FIELD_OWN, AT(logprobs), 0, 0, read_logprobs,
     "with log probabilities of so many alternatives"},
    {"logprobs", FIELD_OWN, AT(top_logprobs), 0, 0, NULL, "so many of each token"},
    {"max_tokens", FIELD_INT, AT(max_tokens), 0, 1e9, NULL, "limit of the answer"},
    {"min_p", FIELD_NUMBER, AT(min_p), 0, 1, NULL,
     "vLLM, SGLang, llama.cpp: least share of the likeliest token"},
    {"n", FIELD_INT, AT(n), 1, CHAT_CHOICES_MAX, NULL, "number of choices for each prompt"},
    {"presence_penalty", FIELD_NUMBER, AT(presence_penalty), -2, 2, NULL, "for new subjects"},
    {"seed", FIELD_INT, AT(seed), 0, 0, NULL, "for answers that can be repeated"},
    {"stop", FIELD_OWN, AT(stops), 0, 0, openai_read_stop, "where to stop: one string or several"},
    {"stream", FIELD_BOOL, AT(stream), 0, 0, NULL, "answer as events"},
    {"stream_options", FIELD_OWN, AT(include_usage), 0, 0, openai_read_stream_options,
     "include_usage, include_obfuscation"},
    {"suffix", FIELD_TEXT, AT(suffix), 0, 0, NULL, "what stands behind the answer"},
    {"temperature", FIELD_NUMBER, AT(temperature), 0, 2, NULL, "0: the likeliest token"},
    {"top_k", FIELD_INT, AT(top_k), -1, 1e9, NULL,
     "vLLM, SGLang, llama.cpp, Ollama: only the k likeliest tokens"},
    {"top_p", FIELD_NUMBER, AT(top_p), 0, 1, NULL, "nucleus sampling"},
    {"user", FIELD_TEXT, AT(user), 0, 0, NULL, "who the end user is"},
};
/* clang-format on */

static bool read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err)
{
    struct conversation c;
    struct field_reader r = {.arena = arena, .json = json, .to = &c};

    if (!openai_read_fields(&r, &dialect_completions, ASK_COMPLETION, "a completion request", err))
        return false;
    if (!c.inputs.ptr)
        return err_set(err, ERR_INVALID, "prompt: expected a string, strings or tokens");
    *out = c;
    return true;
}

/* ---- requests, written ---- */

bool completions_are_native(const struct model *to)
{
    switch (to->provider->kind) {
    case KIND_VLLM:
    case KIND_SGLANG:
    case KIND_LLAMA_CPP:
    case KIND_OLLAMA: return true;
    default:
        return to->abilities &&
               !(to->abilities & (CAN_CHAT | CAN_EMBED | CAN_RERANK | CAN_MODERATE));
    }
}

bool completions_write_request(struct arena *arena, const struct conversation *in,
                               const struct model *to, struct losses *losses, struct outgoing *out,
                               struct err *err)
{
    struct json_writer w;
    struct buf body;

    openai_body_begin(&w, &body, arena, to);
    jw_key(&w, "prompt");
    jw_raw(&w, in->inputs);
    if (in->max_tokens >= 0) {
        jw_key(&w, "max_tokens");
        jw_i64(&w, in->max_tokens);
    }
    if (in->logprobs > 0) {
        jw_key(&w, "logprobs");
        jw_i64(&w, MAX_OF(in->top_logprobs, 0));
    }
    if (in->echo.ptr) {
        jw_key(&w, "echo");
        jw_raw(&w, in->echo);
    }
    if (in->suffix.ptr) {
        jw_key(&w, "suffix");
        jw_str(&w, in->suffix);
    }
    return openai_write_sampling(&w, in, to, losses, err) &&
           fields_losses(in, fields, ARRAY_LEN(fields), losses, err) &&
           openai_body_end(&w, in, losses, "/completions", out, err);
}

/* ---- answers ---- */

struct told {
    struct told *next;
    uint32_t number;
    struct buf text;
    struct str probs; /* the older shape */
    size_t offset;    /* of the next token in the text */
    bool finished;
    enum finish_reason finish;
    struct str stop; /* which of the stop sequences it was */
};

struct telling {
    struct told *choices;
    struct usage usage;
    struct str tier, fingerprint; /* raw; may be empty */
    bool has_usage;
};

static bool begin_telling(struct said_writer *sw, struct err *err)
{
    struct telling *own = arena_alloc(sw->arena, sizeof *own);

    if (!own)
        return err_arena(err, sw->arena);
    own->usage = usage_unknown;
    sw->own = own;
    return true;
}

static struct told *told_of(const struct said_writer *sw, uint32_t number)
{
    struct telling *own = sw->own;
    struct told **at = &own->choices, *made;

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
    buf_init(&made->text, sw->arena, TEXT_MAX);
    return made;
}

/* {"a":-0.1}: the alternatives of one token. */
static void write_alternatives(struct json_writer *w, const struct json *j, json_ref list)
{
    jw_object(w);
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        struct str token = json_raw(j, json_get(j, v, STR("token")));
        struct str number = json_raw(j, json_get(j, v, STR("logprob")));

        if (token.len < 2 || !number.len)
            continue;
        jw_raw(w, token);
        buf_char(w->to, ':');
        buf_str(w->to, number);
    }
    jw_object_end(w);
}

static void write_column(struct json_writer *w, const struct json *j, json_ref content,
                         struct str member)
{
    jw_array(w);
    for (json_ref v = json_first(j, content); v; v = json_next(j, v)) {
        json_ref cell = json_get(j, v, member);

        if (json_kind(j, cell) == JSON_ARRAY)
            write_alternatives(w, j, cell);
        else
            jw_raw(w, cell ? json_raw(j, cell) : STR("null"));
    }
    jw_array_end(w);
}

/* Where each token begins in the text of the choice, in bytes of its escaped form at most. */
static void write_offsets(struct json_writer *w, const struct said_writer *sw, const struct json *j,
                          json_ref content, struct told *told)
{
    struct str token;

    jw_array(w);
    for (json_ref v = json_first(j, content); v; v = json_next(j, v)) {
        jw_u64(w, told->offset);
        if (json_str(j, json_get(j, v, STR("token")), sw->arena, &token))
            told->offset += token.len;
    }
    jw_array_end(w);
}

/* The newer shape (a list of tokens) in the older one (lists side by side). */
static bool old_probs(const struct said_writer *sw, struct told *told, struct str raw,
                      struct str *out, struct err *err)
{
    struct json *j = said_json(sw->arena, raw, err);
    json_ref content = j ? json_get(j, json_root(j), STR("content")) : 0;
    struct json_writer w;
    struct buf b;

    if (!j)
        return err_wrap(err, "logprobs");
    if (json_kind(j, content) != JSON_ARRAY) { /* the older shape already */
        *out = arena_str(sw->arena, raw);
        return out->ptr || err_arena(err, sw->arena);
    }
    buf_init(&b, sw->arena, TEXT_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "text_offset");
    write_offsets(&w, sw, j, content, told);
    jw_key(&w, "token_logprobs");
    write_column(&w, j, content, STR("logprob"));
    jw_key(&w, "tokens");
    write_column(&w, j, content, STR("token"));
    jw_key(&w, "top_logprobs");
    write_column(&w, j, content, STR("top_logprobs"));
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static void write_top(struct json_writer *w, const struct said_writer *sw)
{
    jw_object(w);
    jw_key(w, "id");
    jw_raw(w, STR("\"cmpl-"));
    buf_str(w->to, sw->id); /* the house's own: hex */
    buf_char(w->to, '"');
    jw_key(w, "object");
    jw_cstr(w, "text_completion");
    jw_key(w, "created");
    jw_i64(w, sw->created);
    jw_key(w, "model");
    jw_str(w, sw->model);
    jw_key(w, "choices");
    jw_array(w);
}

static void write_choice(struct json_writer *w, const struct told *told, struct str text,
                         struct str probs, bool finished)
{
    jw_object(w);
    jw_key(w, "text");
    jw_str(w, text);
    jw_key(w, "index");
    jw_i64(w, told->number);
    jw_key(w, "logprobs");
    jw_raw(w, probs.len ? probs : STR("null"));
    jw_key(w, "finish_reason");
    if (finished)
        jw_cstr(w, told->finish == FINISH_TOOL_CALLS ? "stop"
                                                     : openai_finish_name(told->finish, false));
    else
        jw_null(w);
    if (finished && told->stop.len) {
        jw_key(w, "stop_reason");
        jw_str(w, told->stop);
    }
    jw_object_end(w);
}

static void write_event(const struct said_writer *sw, const struct told *told, struct str text,
                        struct str probs, struct buf *out)
{
    struct json_writer w;

    buf_str(out, STR("data: "));
    jw_init(&w, out);
    write_top(&w, sw);
    write_choice(&w, told, text, probs, false);
    jw_array_end(&w);
    jw_object_end(&w);
    buf_str(out, STR("\n\n"));
}

static void raw_member(struct json_writer *w, const char *key, struct str raw)
{
    if (str_is_empty(raw))
        return;
    jw_key(w, key);
    jw_raw(w, raw);
}

/* What was lost is known at the end only: so the chunks that say why choices ended wait for it. */
static void write_finishes(const struct said_writer *sw, struct buf *out)
{
    const struct telling *own = sw->own;
    bool first = true;

    for (const struct told *told = own->choices; told; told = told->next) {
        struct json_writer w;

        if (!told->finished)
            continue;
        buf_str(out, STR("data: "));
        jw_init(&w, out);
        write_top(&w, sw);
        write_choice(&w, told, STR(""), STR_NONE, true);
        jw_array_end(&w);
        raw_member(&w, "service_tier", own->tier);
        raw_member(&w, "system_fingerprint", own->fingerprint);
        if (first)
            raw_member(&w, "weir", sw->weir);
        first = false;
        jw_object_end(&w);
        buf_str(out, STR("\n\n"));
    }
}

static void write_end(const struct said_writer *sw, struct buf *out)
{
    const struct telling *own = sw->own;
    struct json_writer w;

    write_finishes(sw, out);
    if (sw->asked->include_usage && own->has_usage) {
        buf_str(out, STR("data: "));
        jw_init(&w, out);
        write_top(&w, sw);
        jw_array_end(&w);
        openai_write_usage(&w, &own->usage);
        jw_object_end(&w);
        buf_str(out, STR("\n\n"));
    }
    buf_str(out, STR("data: [DONE]\n\n"));
}

static bool write_whole(const struct said_writer *sw, struct buf *out, struct err *err)
{
    const struct telling *own = sw->own;
    struct json_writer w;
    struct str text;

    jw_init(&w, out);
    write_top(&w, sw);
    for (struct told *told = own->choices; told; told = told->next) {
        if (!buf_finish(&told->text, &text, err))
            return false;
        write_choice(&w, told, text, told->probs, true);
    }
    jw_array_end(&w);
    if (own->has_usage)
        openai_write_usage(&w, &own->usage);
    raw_member(&w, "service_tier", own->tier);
    raw_member(&w, "system_fingerprint", own->fingerprint);
    raw_member(&w, "weir", sw->weir);
    jw_object_end(&w);
    return true;
}

static bool keep_finish(const struct said_writer *sw, struct told *told, const struct said *said,
                        struct err *err)
{
    told->finished = true;
    told->finish = said->finish;
    told->stop = said->text.len ? arena_str(sw->arena, said->text) : STR_NONE;
    return !said->text.len || told->stop.ptr || err_arena(err, sw->arena);
}

/* Chat's sister has what both have; of another family nothing has a place. */
static bool keep_other(struct said_writer *sw, const struct said *said, struct err *err)
{
    struct telling *own = sw->own;

    if (!str_eq(said->name, STR("system_fingerprint"))) {
        said_lost(sw, said->name);
        return true;
    }
    own->fingerprint = arena_str(sw->arena, said->raw);
    return own->fingerprint.ptr || err_arena(err, sw->arena);
}

static bool write_step(struct said_writer *sw, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct told *told = told_of(sw, said->choice);
    struct str probs = STR_NONE;

    if (!told)
        return err_arena(err, sw->arena);
    if (said->kind == SAID_FINISH)
        return keep_finish(sw, told, said, err);
    if (said->kind == SAID_LOGPROBS && !old_probs(sw, told, said->raw, &probs, err))
        return false;
    if (sw->streamed) {
        write_event(sw, told, said->kind == SAID_TEXT ? said->text : STR(""), probs, out);
        return true;
    }
    if (said->kind == SAID_TEXT)
        buf_str(&told->text, said->text);
    if (probs.len)
        told->probs = probs;
    return true;
}

static bool write_said(struct said_writer *sw, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct telling *own = sw->own;

    switch (said->kind) {
    case SAID_TEXT:
    case SAID_LOGPROBS:
    case SAID_FINISH: return write_step(sw, said, out, err);
    case SAID_BEGIN: return told_of(sw, said->choice) || err_arena(err, sw->arena);
    case SAID_USAGE:
        own->usage = said->usage;
        own->has_usage = true;
        return true;
    case SAID_TIER: return openai_keep_tier(sw->arena, said->text, &own->tier, err);
    case SAID_OTHER: return keep_other(sw, said, err);
    case SAID_PING:
        if (sw->streamed)
            buf_str(out, STR(": ping\n\n"));
        return true;
    case SAID_END:
        if (!sw->streamed)
            return write_whole(sw, out, err);
        write_end(sw, out);
        return true;
    default: /* the dialect has text only */ return true;
    }
}

const struct dialect dialect_completions = {
    .name = "completions",
    .framing = FRAMING_SSE,
    .fields = fields,
    .field_count = ARRAY_LEN(fields),
    .read_request = read_request,
    .writer_init = begin_telling,
    .write_said = write_said,
    .carries = CARRIES(SAID_TEXT) | CARRIES(SAID_LOGPROBS) | CARRIES(SAID_OTHER) |
               CARRIES(SAID_TIER) | CARRIES_CHOICES | CARRIES_STOP | CARRIES_CACHE_WRITES |
               CARRIES_MODALITIES | CARRIES_REASONED,
    .stream_type = {"text/event-stream", sizeof "text/event-stream" - 1},
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
};
