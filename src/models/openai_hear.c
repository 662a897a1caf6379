/* Answers of providers that speak the OpenAI dialect, streamed and whole, chat and completions:
 * "choices" with a delta, a message or a text.
 *
 *   The end     [DONE]; or the end of the bytes, when every choice has its finish_reason. Else: a cut.
 *   Parts       one of reasoning, text and refusal is open at a time; calls stand side by side, told apart
 *               by their index, or by their id where a server gives all the same index. */
#include "models/citation.h"
#include "models/habits.h"
#include "models/moderation.h"
#include "models/openai_internal.h"
#include "models/rerank.h"

#define TOKENS_MAX  1000000000000 /* a count above it is a mistake and taken as not reported */
#define CHOICES_MAX 65536

static const struct json_limits from_provider = {.depth = 128,
                                                 .nodes = 4000000,
                                                 .lone_surrogates = true};

bool openai_reader_init(struct said_reader *r, struct err *err)
{
    struct openai_reader *own = arena_alloc(r->arena, sizeof *own);

    if (!own)
        return err_arena(err, r->arena);
    own->usage = usage_unknown;
    own->id = STR("");
    r->own = own;
    return true;
}

bool openai_say(struct said_reader *r, const struct said *said, struct err *err)
{
    return r->take(r->ctx, said, err);
}

bool openai_unreadable(struct err *err, const char *what)
{
    return err_set(err, ERR_UNAVAILABLE, "the answer cannot be read: %s", what);
}

/* A string in the scratch; absent, null and other kinds: empty. */
bool openai_text_of(const struct said_reader *r, const struct json *j, json_ref v, struct str *out,
                    struct err *err)
{
    *out = STR_NONE;
    if (json_kind(j, v) != JSON_STRING)
        return true;
    return json_str(j, v, r->scratch, out) || err_arena(err, r->scratch);
}

static bool keep(const struct said_reader *r, struct str from, struct str *to, struct err *err)
{
    if (!from.ptr)
        return true;
    *to = arena_str(r->arena, from);
    return to->ptr || err_arena(err, r->arena);
}

/* ---- usage ---- */

static int64_t count_of(const struct json *j, json_ref object, struct str key)
{
    int64_t n;

    if (!json_i64(j, json_get(j, object, key), &n) || n < 0 || n > TOKENS_MAX)
        return -1;
    return n;
}

static int64_t either(int64_t a, int64_t b)
{
    return a >= 0 ? a : b;
}

/* Some count reasoning beside what was made, and the total with it: xAI. */
static int64_t made_in_all(const struct usage *u, int64_t total)
{
    if (u->tokens_reasoning > 0 && u->tokens_in >= 0 && u->tokens_out >= 0 &&
        total == u->tokens_in + u->tokens_out + u->tokens_reasoning)
        return u->tokens_out + u->tokens_reasoning;
    return u->tokens_out;
}

static int64_t count_at(const struct json *j, json_ref v)
{
    int64_t n;

    return v && json_i64(j, v, &n) && n >= 0 && n <= TOKENS_MAX ? n : -1;
}

enum { IN, MADE, ALL, IN_DETAILS, MADE_DETAILS, HIT, CACHED, REASONING, USAGE_KEYS };

void openai_read_usage(const struct json *j, json_ref usage, struct usage *out)
{
    static const struct str keys[USAGE_KEYS] = {
        [IN] = {"prompt_tokens", 13},
        [MADE] = {"completion_tokens", 17},
        [ALL] = {"total_tokens", 12},
        [IN_DETAILS] = {"prompt_tokens_details", 21},
        [MADE_DETAILS] = {"completion_tokens_details", 25},
        [HIT] = {"prompt_cache_hit_tokens", 23},
        [CACHED] = {"cached_tokens", 13},
        [REASONING] = {"reasoning_tokens", 16}, /* SGLang */
    };
    json_ref at[USAGE_KEYS];

    if (json_kind(j, usage) != JSON_OBJECT)
        return;
    json_pick(j, usage, keys, at, USAGE_KEYS);
    if (count_at(j, at[IN]) < 0 && count_at(j, at[MADE]) < 0 && count_at(j, at[ALL]) < 0)
        return; /* it counts nothing: what was said before stands */
    *out = usage_unknown;
    out->tokens_in = count_at(j, at[IN]);
    out->tokens_out = count_at(j, at[MADE]);
    out->tokens_reasoning = count_at(j, at[REASONING]);
    if (at[IN_DETAILS]) {
        out->tokens_cached = count_of(j, at[IN_DETAILS], STR("cached_tokens"));
        out->tokens_cache_write =
            either(either(count_of(j, at[IN_DETAILS], STR("cache_write_tokens")),
                          count_of(j, at[IN_DETAILS], STR("cache_creation_tokens"))),
                   count_of(j, at[IN_DETAILS], STR("cache_creation_input_tokens")));
        out->tokens_audio_in = count_of(j, at[IN_DETAILS], STR("audio_tokens"));
        out->tokens_image_in = count_of(j, at[IN_DETAILS], STR("image_tokens"));
    }
    if (out->tokens_cached < 0) /* DeepSeek's name for it, and Moonshot's */
        out->tokens_cached = either(count_at(j, at[HIT]), count_at(j, at[CACHED]));
    if (at[MADE_DETAILS]) {
        out->tokens_reasoning =
            either(count_of(j, at[MADE_DETAILS], STR("reasoning_tokens")), out->tokens_reasoning);
        out->tokens_audio_out = count_of(j, at[MADE_DETAILS], STR("audio_tokens"));
    }
    out->tokens_out = made_in_all(out, count_at(j, at[ALL]));
}

/* ---- choices ---- */

static struct openai_choice *find_choice(const struct openai_reader *own, uint32_t number)
{
    for (struct openai_choice *c = own->choices; c; c = c->next)
        if (c->number == number)
            return c;
    return NULL;
}

static bool begin(struct said_reader *r, struct openai_choice *c, struct err *err)
{
    const struct openai_reader *own = r->own;

    return openai_say(r,
                      &(struct said){.kind = SAID_BEGIN,
                                     .choice = c->number,
                                     .id = own->id,
                                     .model = own->model,
                                     .created = own->created},
                      err);
}

/* The choice of this element, begun. */
static bool choice_of(struct said_reader *r, const struct json *j, json_ref v,
                      struct openai_choice **out, struct err *err)
{
    struct openai_reader *own = r->own;
    struct openai_choice **tail = &own->choices;
    int64_t number = 0;

    if (!json_i64(j, json_get(j, v, STR("index")), &number))
        number = 0; /* some local servers leave it out */
    if (number < 0 || number >= CHOICES_MAX)
        return openai_unreadable(err, "choices.index is out of range");
    *out = find_choice(own, (uint32_t)number);
    if (*out)
        return true;
    while (*tail)
        tail = &(*tail)->next;
    *out = *tail = arena_alloc(r->arena, sizeof **tail);
    if (!*out)
        return err_arena(err, r->arena);
    (*out)->number = (uint32_t)number;
    return begin(r, *out, err);
}

/* A piece of text, reasoning or refusal: goes on with the open part or begins one. */
static bool say_piece(struct said_reader *r, struct openai_choice *c, enum said_kind kind,
                      struct str text, struct err *err)
{
    if (str_is_empty(text))
        return true;
    if (!c->is_open || c->open != kind) {
        c->is_open = true;
        c->open = kind;
        c->parts++;
    }
    if (kind == SAID_TEXT)
        c->text_part = c->parts - 1;
    return openai_say(
        r, &(struct said){.kind = kind, .choice = c->number, .part = c->parts - 1, .text = text},
        err);
}

bool openai_say_member(struct said_reader *r, struct openai_choice *c, const struct json *j,
                       json_ref v, enum said_kind kind, struct err *err)
{
    struct str text;

    return openai_text_of(r, j, v, &text, err) && say_piece(r, c, kind, text, err);
}

/* ---- the end of a choice ---- */

static const struct {
    const char *name;
    enum finish_reason finish;
} finishes[] = {
    {"stop", FINISH_STOP},
    {"length", FINISH_LENGTH},
    {"tool_calls", FINISH_TOOL_CALLS},
    {"function_call", FINISH_TOOL_CALLS},
    {"content_filter", FINISH_CONTENT_FILTER},
};

enum finish_reason openai_finish_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(finishes); i++)
        if (str_eq(name, str_from(finishes[i].name)))
            return finishes[i].finish;
    return FINISH_STOP; /* "eos", "end_turn": servers make up words for it */
}

const char *openai_finish_name(enum finish_reason finish, bool functions)
{
    switch (finish) {
    case FINISH_LENGTH:
    case FINISH_CONTEXT: return "length";
    case FINISH_TOOL_CALLS: return functions ? "function_call" : "tool_calls";
    case FINISH_CONTENT_FILTER:
    case FINISH_REFUSAL: return "content_filter";
    case FINISH_UNSAID:
    case FINISH_STOP:
    case FINISH_PAUSE: break;
    }
    return "stop";
}

static bool finish(struct said_reader *r, struct openai_choice *c, enum finish_reason how,
                   struct str stop, struct err *err)
{
    struct openai_reader *own = r->own;

    if (c->finished)
        return true; /* once, whatever the server repeats */
    c->finished = true;
    own->finished++;
    if (how == FINISH_STOP && c->calls)
        how = FINISH_TOOL_CALLS; /* who made the calls forgot to say so */
    return openai_say(
        r, &(struct said){.kind = SAID_FINISH, .choice = c->number, .finish = how, .text = stop},
        err);
}

static bool fail(struct said_reader *r, struct str type, struct str text, struct err *err)
{
    struct openai_reader *own = r->own;

    own->ended = true;
    return openai_say(r, &(struct said){.kind = SAID_FAILED, .name = type, .text = text}, err);
}

bool openai_gave_up(struct str reason)
{
    return str_eq(reason, STR("insufficient_system_resource")) || str_eq(reason, STR("abort")) ||
           str_eq(reason, STR("error"));
}

static bool read_finish(struct said_reader *r, struct openai_choice *c, const struct json *j,
                        json_ref v, struct err *err)
{
    struct str reason, stop;

    if (json_kind(j, json_get(j, v, STR("finish_reason"))) != JSON_STRING)
        return true;
    if (!openai_text_of(r, j, json_get(j, v, STR("finish_reason")), &reason, err) ||
        !openai_text_of(r, j, json_get(j, v, STR("stop_reason")), &stop,
                        err)) /* vLLM's: which one it was */
        return false;
    if (str_is_empty(reason))
        return true;
    if (openai_gave_up(reason))
        return fail(r, reason, STR(OPENAI_GAVE_UP), err);
    return finish(r, c, openai_finish_of(reason), stop, err);
}

static bool read_choice(struct said_reader *r, const struct json *j, json_ref v, struct err *err)
{
    json_ref message = json_get(j, v, r->streamed ? STR("delta") : STR("message"));
    json_ref probs = openai_given(j, v, STR("logprobs"));
    static const char *const known[] = {"index",    "delta",         "message",     "text",
                                        "logprobs", "finish_reason", "stop_reason", NULL};
    struct openai_choice *c = NULL;

    if (!choice_of(r, j, v, &c, err) || !said_others(r, j, v, known, "choices.", err))
        return false;
    if (!message) /* a server that streams but was not asked to, or the other way round */
        message = json_get(j, v, r->streamed ? STR("message") : STR("delta"));
    if (!openai_read_message(r, c, j, message, err) ||
        !openai_say_member(r, c, j, json_get(j, v, STR("text")), SAID_TEXT, err))
        return false;
    if (probs && json_kind(j, probs) == JSON_OBJECT &&
        !openai_say(r,
                    &(struct said){.kind = SAID_LOGPROBS,
                                   .choice = c->number,
                                   .part = c->text_part,
                                   .raw = json_raw(j, probs)},
                    err))
        return false;
    return read_finish(r, c, j, v, err);
}

/* ---- events and bodies ---- */

/* An error instead of, or in the middle of, an answer. */
static bool read_failure(struct said_reader *r, const struct json *j,
                         const struct habits_failure *failure, struct err *err)
{
    struct str type, text;

    if (!openai_text_of(r, j, failure->type, &type, err) ||
        !openai_text_of(r, j, failure->message, &text, err))
        return false;
    return fail(r, type, text.ptr ? text : STR("no reason given"), err);
}

static bool say_end(struct said_reader *r, struct err *err)
{
    struct openai_reader *own = r->own;

    own->ended = true;
    if (own->has_usage &&
        !openai_say(r, &(struct said){.kind = SAID_USAGE, .usage = own->usage}, err))
        return false;
    return openai_say(r, &(struct said){.kind = SAID_END}, err);
}

/* [DONE] says that the answer is whole, whatever is missing in it. */
static bool done(struct said_reader *r, struct err *err)
{
    struct openai_reader *own = r->own;

    for (struct openai_choice *c = own->choices; c; c = c->next)
        if (!finish(r, c, FINISH_STOP, STR_NONE, err))
            return false;
    return say_end(r, err);
}

static bool read_head(struct said_reader *r, const struct json *j, struct err *err)
{
    struct openai_reader *own = r->own;
    json_ref root = json_root(j);
    struct str text;

    if (own->id.len || own->model.len) /* Azure's first event has neither */
        return true;
    if (!openai_text_of(r, j, json_get(j, root, STR("id")), &text, err) ||
        (text.len && !keep(r, text, &own->id, err)) ||
        !openai_text_of(r, j, json_get(j, root, STR("model")), &text, err) ||
        (text.len && !keep(r, text, &own->model, err)))
        return false;
    own->created = MAX_OF(count_of(j, root, STR("created")), 0);
    return true;
}

/* The tier that answered, and what only this family has. */
static bool read_rest(struct said_reader *r, const struct json *j, json_ref root, struct err *err)
{
    static const char *const known[] = {
        "id",   "object", "created",      "model",       "choices", "usage",
        "data", "weir",   "service_tier", "obfuscation", NULL}; /* the last: padding */
    static const char *const counts[] = {"prompt_tokens",
                                         "completion_tokens",
                                         "total_tokens",
                                         "prompt_tokens_details",
                                         "completion_tokens_details",
                                         "prompt_cache_hit_tokens",
                                         "prompt_cache_miss_tokens",
                                         "cached_tokens",
                                         "reasoning_tokens",
                                         NULL};
    static const char *const details[] = {"cached_tokens",
                                          "cache_write_tokens",
                                          "cache_creation_tokens",
                                          "cache_creation_input_tokens",
                                          "audio_tokens",
                                          "image_tokens",
                                          "text_tokens",
                                          "reasoning_tokens",
                                          NULL};
    struct openai_reader *own = r->own;
    json_ref usage = json_get(j, root, STR("usage"));
    struct said said = {.kind = SAID_TIER};

    if (!said_others(r, j, root, known, "", err) ||
        !openai_text_of(r, j, json_get(j, root, STR("service_tier")), &said.text, err))
        return false;
    if (said.text.len && !own->has_tier && !openai_say(r, &said, err))
        return false;
    own->has_tier = own->has_tier || said.text.len;
    return !usage || (said_others(r, j, usage, counts, "usage.", err) &&
                      said_others(r, j, json_get(j, usage, STR("prompt_tokens_details")), details,
                                  "usage.", err) &&
                      said_others(r, j, json_get(j, usage, STR("completion_tokens_details")),
                                  details, "usage.", err));
}

static bool read_body(struct said_reader *r, const struct json *j, struct err *err)
{
    struct openai_reader *own = r->own;
    json_ref root = json_root(j), choices;
    struct habits_failure failure;
    struct habits_reply reply;

    own->events++;
    habits_reply_read(j, root, &reply);
    choices = reply.choices;
    if (habits_failure_read(j, &reply, &failure))
        return read_failure(r, j, &failure, err);
    if (!read_head(r, j, err))
        return false;
    if (r->asked->kind == ASK_RERANK) {
        own->has_usage = rerank_read_usage(j, &own->usage);
        return rerank_read_results(r, j, err);
    }
    if (!keep(r, json_raw(j, openai_given(j, root, STR("weir"))), &own->weir, err))
        return false;
    if (r->asked->kind == ASK_MODERATION) {
        own->has_usage = habits_usage_read(j, &reply, &own->usage);
        return moderation_read_results(r, j, err);
    }
    if (!read_rest(r, j, root, err))
        return false;
    /* Running totals: the last one counts. */
    own->has_usage = habits_usage_read(j, &reply, &own->usage) || own->has_usage;
    if (r->asked->kind == ASK_EMBEDDING) {
        own->usage.tokens_out = 0; /* nothing is made */
        own->has_usage = true;
        return embeddings_read_data(r, j, err);
    }
    if (json_kind(j, choices) == JSON_ARRAY)
        for (json_ref v = json_first(j, choices); v && !own->ended; v = json_next(j, v))
            if (!read_choice(r, j, v, err))
                return false;
    return true;
}

bool openai_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
{
    struct openai_reader *own = r->own;
    struct err bad = {0};
    struct json *j;

    (void)type;
    if (own->ended || str_is_empty(data))
        return true;
    if (str_eq(data, STR("[DONE]")))
        return done(r, err);
    j = json_parse_within(r->scratch, data, &from_provider, &bad);
    if (!j)
        return err_recast(err, &bad, ERR_UNAVAILABLE, "event %" PRIu32, own->events + 1);
    if (!read_body(r, j, err))
        return false;
    if (r->streamed || own->ended)
        return true;
    if (!own->choices && !ask_is_whole(r->asked->kind))
        return openai_unreadable(err, "it has no choices");
    return done(r, err);
}

bool openai_at_end(struct said_reader *r, struct err *err)
{
    const struct openai_reader *own = r->own;
    uint32_t expected = conversation_choices(r->asked);

    if (own->ended)
        return true;
    if (own->finished < expected)
        return err_set(err, ERR_UNAVAILABLE, "cut the stream after %" PRIu32 " events",
                       own->events);
    return say_end(r, err);
}

/* ---- error statuses ---- */

void openai_read_error(struct arena *arena, struct str body, int status, struct str *type,
                       struct str *message, struct str *param, struct str *code)
{
    struct err ignored = {0};
    struct json *j = json_parse_within(arena, body, &from_provider, &ignored);
    json_ref error = j ? json_get(j, json_root(j), STR("error")) : 0;
    const struct {
        struct str *to;
        const char *key;
    } members[] = {{type, "type"}, {message, "message"}, {param, "param"}, {code, "code"}};

    (void)status;
    if (!j)
        return;
    if (json_kind(j, error) == JSON_STRING) {
        if (!json_str(j, error, arena, message))
            *message = STR_NONE;
        return;
    }
    if (json_kind(j, error) != JSON_OBJECT) {
        struct habits_failure failure;
        struct habits_reply reply;

        habits_reply_read(j, json_root(j), &reply);
        if (habits_failure_read(j, &reply, &failure) &&
            !json_str(j, failure.message, arena, message))
            *message = STR_NONE;
        error = json_root(j); /* vLLM's older form stands bare; FastAPI says "detail" */
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!members[i].to->ptr &&
            !json_str(j, json_get(j, error, str_from(members[i].key)), arena, members[i].to))
            *members[i].to = STR_NONE;
    if (!message->ptr && !json_str(j, json_get(j, error, STR("detail")), arena, message))
        *message = STR_NONE;
}
