/* Steps -> a client's answer. Parts are written as they come; calls when they are whole, because here
 * arguments are an object; how each choice ended waits for the usage and leaves with it, last. */
#include "models/gemini_internal.h"

#include "models/citation.h"
#include "models/tools.h"

#define CHOICES_MAX 16
#define REPLY_MAX   ((size_t)256 * 1024 * 1024) /* the request's arena ends before */

struct call { /* between SAID_TOOL and its end */
    struct call *next;
    uint32_t part;
    struct str id, name, signature;
    struct buf arguments;
};

struct choice {
    bool begun, malformed, refused;
    enum finish_reason finish;
    struct call *calls, **calls_tail;
    struct buf parts;     /* whole answers: JSON, commas between */
    struct buf text;      /* whole answers: of the open text part */
    struct str signature; /* of the open text part */
    uint32_t text_part;
    bool text_open, text_is_thought;
    struct buf logprobs;  /* of all pieces, OpenAI's shape, commas between */
    struct buf citations; /* citationSources, commas between */
    struct buf said; /* the text, to count in: places are bytes here and characters elsewhere. Past
                        its end citations have no places, and are said to have lost them */
    struct gemini_places places;
};

struct writing {
    struct choice choices[CHOICES_MAX];
    struct usage usage;
    bool has_usage, is_array, began;
    struct str *vectors; /* embeddings, in the order of their texts, whatever theirs was */
    uint32_t vector_count, vector_most;
};

static bool init(struct said_writer *w, bool is_array, struct err *err)
{
    struct writing *own = arena_alloc(w->arena, sizeof *own);

    if (!own)
        return err_arena(err, w->arena);
    own->is_array = is_array;
    own->usage = usage_unknown;
    for (size_t i = 0; i < CHOICES_MAX; i++) {
        own->choices[i].calls_tail = &own->choices[i].calls;
        buf_init(&own->choices[i].parts, w->arena, REPLY_MAX);
        buf_init(&own->choices[i].text, w->arena, REPLY_MAX);
        buf_init(&own->choices[i].citations, w->arena, REPLY_MAX);
        buf_init(&own->choices[i].said, w->arena, GEMINI_TEXT_MAX);
        buf_init(&own->choices[i].logprobs, w->arena, REPLY_MAX);
    }
    own->vector_most = w->asked->kind == ASK_EMBEDDING ? MAX_OF(w->asked->input_count, 1u) : 0;
    own->vectors = arena_array(w->arena, own->vector_most + (size_t)1, sizeof *own->vectors);
    if (!own->vectors)
        return err_arena(err, w->arena);
    w->own = own;
    return true;
}

bool gemini_writer_init(struct said_writer *w, struct err *err)
{
    return init(w, false, err);
}

bool gemini_array_writer_init(struct said_writer *w, struct err *err)
{
    return init(w, true, err);
}

/* ---- what surrounds a piece ---- */

static void open_chunk(struct said_writer *w, struct json_writer *jw, struct buf *out)
{
    struct writing *own = w->own;

    if (w->streamed && own->is_array)
        buf_str(out, own->began ? STR(",\r\n") : STR("["));
    else if (w->streamed)
        buf_str(out, STR("data: "));
    own->began = true;
    jw_init(jw, out);
    jw_object(jw);
}

static void close_chunk(struct said_writer *w, struct json_writer *jw, struct buf *out)
{
    const struct writing *own = w->own;

    jw_key(jw, "modelVersion");
    jw_str(jw, w->model);
    jw_key(jw, "responseId");
    jw_str(jw, w->id);
    jw_object_end(jw);
    if (w->streamed && !own->is_array)
        buf_str(out, STR("\r\n\r\n"));
}

static void write_candidate(struct json_writer *jw, uint32_t choice, struct str parts,
                            const char *finish)
{
    jw_object(jw);
    jw_key(jw, "content");
    jw_object(jw);
    jw_key(jw, "parts");
    jw_array(jw);
    if (parts.len)
        jw_raw(jw, parts);
    jw_array_end(jw);
    jw_key(jw, "role");
    jw_cstr(jw, "model");
    jw_object_end(jw);
    if (finish) {
        jw_key(jw, "finishReason");
        jw_cstr(jw, finish);
    }
    jw_key(jw, "index");
    jw_u64(jw, choice);
}

/* A part goes out at once, or waits for the rest of a whole answer. */
static void put_part(struct said_writer *w, uint32_t choice, struct str part, struct buf *out)
{
    struct writing *own = w->own;
    struct choice *c = &own->choices[choice];
    struct json_writer jw;

    if (!w->streamed) {
        if (c->parts.len)
            buf_char(&c->parts, ',');
        buf_str(&c->parts, part);
        return;
    }
    open_chunk(w, &jw, out);
    jw_key(&jw, "candidates");
    jw_array(&jw);
    write_candidate(&jw, choice, part, NULL);
    jw_object_end(&jw);
    jw_array_end(&jw);
    close_chunk(w, &jw, out);
}

/* ---- parts ---- */

static void write_text(struct json_writer *jw, struct str text, bool thought, struct str signature)
{
    jw_object(jw);
    jw_key(jw, "text");
    jw_str(jw, text);
    if (thought) {
        jw_key(jw, "thought");
        jw_bool(jw, true);
    }
    if (signature.len) {
        jw_key(jw, "thoughtSignature");
        jw_str(jw, signature);
    }
    jw_object_end(jw);
}

/* Straight into the chunk: this is what most of a stream is. */
static void stream_text(struct said_writer *w, const struct said *said, bool thought,
                        struct buf *out)
{
    struct json_writer jw;

    open_chunk(w, &jw, out);
    jw_key(&jw, "candidates");
    jw_array(&jw);
    jw_object(&jw);
    jw_key(&jw, "content");
    jw_object(&jw);
    jw_key(&jw, "parts");
    jw_array(&jw);
    write_text(&jw, said->text.ptr ? said->text : STR(""), thought, said->signature);
    jw_array_end(&jw);
    jw_key(&jw, "role");
    jw_cstr(&jw, "model");
    jw_object_end(&jw);
    jw_key(&jw, "index");
    jw_u64(&jw, said->choice);
    jw_object_end(&jw);
    jw_array_end(&jw);
    close_chunk(w, &jw, out);
}

/* Whole answers: pieces of one text are one part. */
static bool end_text(struct said_writer *w, uint32_t choice, struct buf *out, struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[choice];
    struct json_writer jw;
    struct str text, part;
    struct buf b;

    if (!c->text_open)
        return true;
    if (!buf_finish(&c->text, &text, err))
        return false;
    buf_init(&b, w->arena, 6 * (text.len + c->signature.len) + 256);
    jw_init(&jw, &b);
    write_text(&jw, text, c->text_is_thought, c->signature);
    if (!buf_finish(&b, &part, err))
        return false;
    put_part(w, choice, part, out);
    c->text_open = false;
    c->text.len = 0;
    c->signature = STR_NONE;
    return true;
}

static bool keep_text(struct said_writer *w, const struct said *said, bool thought, struct buf *out,
                      struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[said->choice];

    if (c->text_open && (c->text_part != said->part || c->text_is_thought != thought) &&
        !end_text(w, said->choice, out, err))
        return false;
    c->text_open = true;
    c->text_part = said->part;
    c->text_is_thought = thought;
    buf_str(&c->text, said->text);
    if (said->signature.len) {
        c->signature = arena_str(w->arena, said->signature);
        return c->signature.ptr || err_arena(err, w->arena);
    }
    return true;
}

static bool put_text(struct said_writer *w, const struct said *said, struct buf *out,
                     struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[said->choice];
    bool thought = said->kind == SAID_REASONING;

    /* Thoughts are told to whom asked for them, as this dialect's own provider does it. */
    if (thought && !w->asked->reasoning_summary.ptr)
        return true;
    if (!thought && buf_ok(&c->said))
        buf_str(&c->said, said->text);
    c->refused = c->refused || said->kind == SAID_REFUSAL;
    if (!said->text.len && !said->signature.len)
        return true;
    if (!w->streamed)
        return keep_text(w, said, thought, out, err);
    stream_text(w, said, thought, out);
    return true;
}

/* Chat's form of a sound may hold its words too. */
static bool note_transcript(struct said_writer *w, struct str raw, struct err *err)
{
    struct json *j = raw.len ? said_json(w->arena, raw, err) : NULL;

    if (raw.len && !j)
        return false;
    if (j && json_kind(j, json_get(j, json_root(j), STR("transcript"))) == JSON_STRING)
        said_lost(w, STR("audio.transcript"));
    return true;
}

/* A part of one member: {"inlineData":{ ... }} */
static void begin_part(struct json_writer *jw, const char *kind)
{
    jw_object(jw);
    jw_key(jw, kind);
    jw_object(jw);
}

static bool end_part(struct said_writer *w, const struct said *said, struct json_writer *jw,
                     struct buf *out, struct err *err)
{
    struct str part;

    jw_object_end(jw);
    jw_object_end(jw);
    if (!buf_finish(jw->to, &part, err))
        return false;
    put_part(w, said->choice, part, out);
    return true;
}

static bool put_media(struct said_writer *w, const struct said *said, struct buf *out,
                      struct err *err)
{
    struct json_writer jw;
    struct buf b;

    if (!end_text(w, said->choice, out, err))
        return false;
    if (!note_transcript(w, said->raw, err))
        return false;
    buf_init(&b, w->arena, 2 * said->text.len + 512);
    jw_init(&jw, &b);
    begin_part(&jw, "inlineData");
    jw_key(&jw, "mimeType");
    jw_str(&jw, said->media_type);
    jw_key(&jw, "data");
    jw_str(&jw, said->text);
    return end_part(w, said, &jw, out, err);
}

static bool put_code(struct said_writer *w, const struct said *said, struct buf *out,
                     struct err *err)
{
    bool ran = said->kind == SAID_RAN;
    struct json_writer jw;
    struct buf b;

    if (!end_text(w, said->choice, out, err))
        return false;
    buf_init(&b, w->arena, 6 * said->text.len + 512);
    jw_init(&jw, &b);
    begin_part(&jw, ran ? "executableCode" : "codeExecutionResult");
    jw_key(&jw, ran ? "language" : "outcome");
    if (ran)
        jw_cstr(&jw, str_eq(said->language, STR("python")) ? "PYTHON" : "LANGUAGE_UNSPECIFIED");
    else
        jw_cstr(&jw, said->failed ? "OUTCOME_FAILED" : "OUTCOME_OK");
    jw_key(&jw, ran ? "code" : "output");
    jw_str(&jw, said->text);
    return end_part(w, said, &jw, out, err);
}

static bool begin_call(struct said_writer *w, const struct said *said, struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[said->choice];
    struct call *call = arena_alloc(w->arena, sizeof *call);

    if (!call)
        return err_arena(err, w->arena);
    call->part = said->part;
    call->id = arena_str(w->arena, said->id);
    call->name = arena_str(w->arena, said->name);
    call->signature = said->signature.len ? arena_str(w->arena, said->signature) : STR_NONE;
    if (!call->id.ptr || !call->name.ptr || (said->signature.len && !call->signature.ptr))
        return err_arena(err, w->arena);
    buf_init(&call->arguments, w->arena, REPLY_MAX);
    *c->calls_tail = call;
    c->calls_tail = &call->next;
    return true;
}

static bool add_arguments(struct said_writer *w, const struct said *said, struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[said->choice];
    struct call *call = c->calls;

    while (call && call->part != said->part)
        call = call->next;
    if (!call)
        return err_set(err, ERR_INTERNAL, "arguments of a call that was not begun");
    buf_str(&call->arguments, said->text);
    return true;
}

/* Arguments that are no object: the call is not given, and the reason is Gemini's own for this. */
static bool put_call(struct said_writer *w, uint32_t choice, const struct call *call,
                     struct buf *out, struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[choice];
    struct str arguments = str_trim(buf_view(&call->arguments)), part;
    struct json_writer jw;
    struct buf b;

    if (!buf_ok(&call->arguments))
        return err_arena(err, w->arena);
    if (arguments.len && !text_is_object(w->arena, arguments)) {
        c->malformed = true;
        return true;
    }
    buf_init(&b, w->arena,
             6 * (call->id.len + call->name.len + call->signature.len) + arguments.len + 256);
    jw_init(&jw, &b);
    jw_object(&jw);
    jw_key(&jw, "functionCall");
    jw_object(&jw);
    jw_key(&jw, "id");
    jw_str(&jw, call->id);
    jw_key(&jw, "name");
    jw_str(&jw, call->name);
    jw_key(&jw, "args");
    jw_raw(&jw, arguments.len ? arguments : STR("{}"));
    jw_object_end(&jw);
    if (call->signature.len) {
        jw_key(&jw, "thoughtSignature");
        jw_str(&jw, call->signature);
    }
    jw_object_end(&jw);
    if (!buf_finish(&b, &part, err))
        return false;
    put_part(w, choice, part, out);
    return true;
}

static bool end_calls(struct said_writer *w, uint32_t choice, struct buf *out, struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[choice];

    if (c->calls && !end_text(w, choice, out, err))
        return false;
    for (const struct call *call = c->calls; call; call = call->next)
        if (!put_call(w, choice, call, out, err))
            return false;
    c->calls = NULL;
    c->calls_tail = &c->calls;
    return true;
}

static void write_count(struct json_writer *jw, const char *name, int64_t n)
{
    if (n < 0)
        return;
    jw_key(jw, name);
    jw_i64(jw, n);
}

/* The byte at which this character begins; -1: it is not known. */
static int64_t byte_of(struct said_writer *w, struct choice *c, int64_t character)
{
    if (!buf_ok(&c->said) || character < 0)
        return -1;
    return gemini_byte_at(w->arena, &c->places, buf_view(&c->said), character);
}

/* One with an address becomes a source; its place is counted in bytes here. */
static bool add_citation(struct said_writer *w, const struct said *said, struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[said->choice];
    static const char *const kept[] = {NULL};
    struct json *rest = NULL;
    struct citation from;
    struct json_writer jw;
    int64_t start, end;

    if (!citation_read(w->arena, said->raw, &from, err))
        return false;
    if (!from.url.len) {
        said_lost(w, STR("citations"));
        return true;
    }
    if (from.rest.len && !(rest = said_json(w->arena, from.rest, err)))
        return false;
    citation_lose(w, rest, kept);
    if (from.file_id.len)
        said_lost(w, STR("citations.file_id"));
    start = byte_of(w, c, from.start);
    end = byte_of(w, c, from.end);
    if (from.start >= 0 && start < 0)
        said_lost(w, STR("citations.start_index"));
    if (from.cited_text.len)
        said_lost(w, STR("citations.cited_text"));
    if (c->citations.len)
        buf_char(&c->citations, ',');
    jw_init(&jw, &c->citations);
    jw_object(&jw);
    if (start >= 0 && end >= start) {
        write_count(&jw, "startIndex", start);
        write_count(&jw, "endIndex", end);
    }
    jw_key(&jw, "uri");
    jw_str(&jw, from.url);
    if (from.title.len) {
        jw_key(&jw, "title");
        jw_str(&jw, from.title);
    }
    jw_object_end(&jw);
    return true;
}

/* ---- the end ---- */

static const char *finish_name(const struct choice *c)
{
    if (c->malformed)
        return "MALFORMED_FUNCTION_CALL";
    if (c->refused)
        return "SAFETY";
    switch (c->finish) {
    case FINISH_LENGTH:
    case FINISH_CONTEXT: return "MAX_TOKENS";
    case FINISH_CONTENT_FILTER:
    case FINISH_REFUSAL: return "SAFETY";
    case FINISH_UNSAID:
    case FINISH_STOP:
    case FINISH_TOOL_CALLS:
    case FINISH_PAUSE: break;
    }
    return "STOP";
}

static void write_modality(struct json_writer *jw, const char *name, int64_t n)
{
    if (n <= 0)
        return;
    jw_object(jw);
    jw_key(jw, "modality");
    jw_cstr(jw, name);
    jw_key(jw, "tokenCount");
    jw_i64(jw, n);
    jw_object_end(jw);
}

static void write_usage(struct json_writer *jw, const struct usage *u)
{
    int64_t audio = MAX_OF(u->tokens_audio_in, 0), image = MAX_OF(u->tokens_image_in, 0);

    jw_key(jw, "usageMetadata");
    jw_object(jw);
    write_count(jw, "promptTokenCount", u->tokens_in);
    write_count(jw, "candidatesTokenCount",
                u->tokens_out < 0 ? -1 : u->tokens_out - MAX_OF(u->tokens_reasoning, 0));
    write_count(jw, "thoughtsTokenCount", u->tokens_reasoning > 0 ? u->tokens_reasoning : -1);
    write_count(jw, "cachedContentTokenCount", u->tokens_cached > 0 ? u->tokens_cached : -1);
    write_count(jw, "totalTokenCount", MAX_OF(u->tokens_in, 0) + MAX_OF(u->tokens_out, 0));
    if (audio || image) {
        jw_key(jw, "promptTokensDetails");
        jw_array(jw);
        write_modality(jw, "TEXT", u->tokens_in - audio - image);
        write_modality(jw, "IMAGE", image);
        write_modality(jw, "AUDIO", audio);
        jw_array_end(jw);
    }
    jw_object_end(jw);
}

static bool add_logprobs(struct said_writer *w, const struct said *said, struct err *err)
{
    struct buf *all = &((struct writing *)w->own)->choices[said->choice].logprobs;
    struct json *j = said_json(w->arena, said->raw, err);
    json_ref content;

    if (!j)
        return false;
    content = json_get(j, json_root(j), STR("content"));
    for (json_ref v = json_first(j, content); v; v = json_next(j, v)) {
        if (all->len)
            buf_char(all, ',');
        buf_str(all, json_raw(j, v));
        if (json_first(j, json_get(j, v, STR("bytes"))))
            said_lost(w, STR("logprobs.bytes"));
    }
    if (json_first(j, json_get(j, json_root(j), STR("refusal"))))
        said_lost(w, STR("logprobs.refusal"));
    return buf_ok(all) || err_arena(err, w->arena);
}

/* What of it is there: servers leave members out. */
static void write_probability(struct json_writer *jw, const struct json *j, json_ref of)
{
    json_ref token = json_get(j, of, STR("token")), p = json_get(j, of, STR("logprob"));

    if (json_kind(j, token) == JSON_STRING) {
        jw_key(jw, "token");
        jw_raw(jw, json_raw(j, token));
    }
    if (json_kind(j, p) == JSON_NUMBER) {
        jw_key(jw, "logProbability");
        jw_raw(jw, json_raw(j, p));
    }
}

/* OpenAI's shape -> logprobsResult. */
static bool write_logprobs(struct said_writer *w, struct json_writer *jw, const struct choice *c,
                           struct err *err)
{
    struct str all;
    struct json *j;
    json_ref content;

    if (!c->logprobs.len)
        return true;
    all = arena_fmt(w->arena, "[" STR_FMT "]", STR_ARG(buf_view(&c->logprobs)));
    if (!all.ptr)
        return err_arena(err, w->arena);
    j = said_json(w->arena, all, err);
    if (!j)
        return false;
    content = json_root(j);
    jw_key(jw, "logprobsResult");
    jw_object(jw);
    for (int top = 0; top < 2; top++) {
        jw_key(jw, top ? "topCandidates" : "chosenCandidates");
        jw_array(jw);
        for (json_ref v = json_first(j, content); v; v = json_next(j, v)) {
            json_ref list = json_get(j, v, STR("top_logprobs"));

            jw_object(jw);
            if (top) {
                jw_key(jw, "candidates");
                jw_array(jw);
            }
            for (json_ref t = top ? json_first(j, list) : v; t; t = top ? json_next(j, t) : 0) {
                if (top)
                    jw_object(jw);
                write_probability(jw, j, t);
                if (top)
                    jw_object_end(jw);
            }
            if (top)
                jw_array_end(jw);
            jw_object_end(jw);
        }
        jw_array_end(jw);
    }
    jw_object_end(jw);
    return true;
}

static bool write_end(struct said_writer *w, struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    struct json_writer jw;

    open_chunk(w, &jw, out);
    jw_key(&jw, "candidates");
    jw_array(&jw);
    for (uint32_t i = 0; i < CHOICES_MAX; i++) {
        struct choice *c = &own->choices[i];
        struct str parts = w->streamed ? STR("{\"text\":\"\"}") : buf_view(&c->parts);

        if (!c->begun)
            continue;
        write_candidate(&jw, i, parts, finish_name(c));
        if (!write_logprobs(w, &jw, c, err))
            return false;
        if (c->citations.len) {
            jw_key(&jw, "citationMetadata");
            jw_object(&jw);
            jw_key(&jw, "citationSources");
            jw_array(&jw);
            jw_raw(&jw, buf_view(&c->citations));
            jw_array_end(&jw);
            jw_object_end(&jw);
        }
        jw_object_end(&jw);
        if (!buf_ok(&c->parts))
            return err_arena(err, w->arena);
    }
    jw_array_end(&jw);
    if (own->has_usage)
        write_usage(&jw, &own->usage);
    if (w->weir.len) {
        jw_key(&jw, "weir");
        jw_raw(&jw, w->weir);
    }
    close_chunk(w, &jw, out);
    if (w->streamed && own->is_array)
        buf_char(out, ']');
    return true;
}

/* ---- embeddings ---- */

static bool write_vectors(struct said_writer *w, struct buf *out, struct err *err)
{
    struct writing *own = w->own;
    bool one = w->asked->inputs.len && w->asked->inputs.ptr[0] != '[';

    if (own->vector_count != own->vector_most)
        return err_set(err, ERR_UNAVAILABLE,
                       "the answer cannot be read: it has %" PRIu32 " vectors for %" PRIu32
                       " texts",
                       own->vector_count, own->vector_most);
    buf_str(out, one ? STR("{\"embedding\":") : STR("{\"embeddings\":["));
    for (uint32_t i = 0; i < own->vector_most; i++) {
        buf_str(out, i ? STR(",{\"values\":") : STR("{\"values\":"));
        buf_str(out, own->vectors[i]);
        buf_char(out, '}');
    }
    if (!one)
        buf_char(out, ']');
    if (w->weir.len) {
        buf_str(out, STR(",\"weir\":"));
        buf_str(out, w->weir);
    }
    buf_char(out, '}');
    return true;
}

static bool add_vector(struct said_writer *w, const struct said *said, struct err *err)
{
    struct writing *own = w->own;

    if (!said->raw.len)
        return err_set(err, ERR_UNAVAILABLE, "the provider gave an embedding that is no array");
    if (said->choice >= own->vector_most || own->vectors[said->choice].ptr)
        return err_set(
            err, ERR_UNAVAILABLE,
            "the provider gave an embedding of a text that was not asked, or two of one");
    own->vectors[said->choice] = arena_str(w->arena, said->raw);
    own->vector_count++;
    return own->vectors[said->choice].ptr || err_arena(err, w->arena);
}

/* ---- steps ---- */

static bool end_choice(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct choice *c = &((struct writing *)w->own)->choices[said->choice];

    c->finish = said->finish;
    return end_text(w, said->choice, out, err) && end_calls(w, said->choice, out, err);
}

static bool write_step(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct writing *own = w->own;
    struct choice *c = &own->choices[said->choice];

    switch (said->kind) {
    case SAID_BEGIN: c->begun = true; return true;
    case SAID_TEXT:
    case SAID_REFUSAL:
    case SAID_REASONING: return put_text(w, said, out, err);
    case SAID_TOOL: return begin_call(w, said, err);
    case SAID_ARGUMENTS: return add_arguments(w, said, err);
    case SAID_MEDIA: return put_media(w, said, out, err);
    case SAID_LOGPROBS: return add_logprobs(w, said, err);
    case SAID_FINISH: return end_choice(w, said, out, err);
    case SAID_USAGE:
        own->usage = said->usage;
        own->has_usage = true;
        return true;
    case SAID_END:
        return w->asked->kind == ASK_EMBEDDING ? write_vectors(w, out, err)
                                               : write_end(w, out, err);
    case SAID_CITATION: return add_citation(w, said, err);
    case SAID_RAN:
    case SAID_PRINTED: return put_code(w, said, out, err);
    case SAID_TIER:
    case SAID_SEARCHED:
    case SAID_FOUND:
    case SAID_OTHER:
    case SAID_PART_END:
    case SAID_PING:
    case SAID_VECTOR:
    case SAID_SCORE:
    case SAID_VERDICT:
    case SAID_FAILED: break;
    }
    return true;
}

bool gemini_write_said(struct said_writer *w, const struct said *said, struct buf *out,
                       struct err *err)
{
    if (said->choice >= CHOICES_MAX && said->kind != SAID_VECTOR)
        return err_set(err, ERR_UNAVAILABLE, "more than %d choices", CHOICES_MAX);
    if (said->kind == SAID_VECTOR)
        return add_vector(w, said, err);
    return write_step(w, said, out, err);
}

void gemini_write_stream_error(struct said_writer *w, struct buf *out, const struct err *err)
{
    struct writing *own = w->own;

    if (own->is_array)
        buf_str(out, own->began ? STR(",\r\n") : STR("["));
    else
        buf_str(out, STR("data: "));
    gemini_write_error(out, err_http_status(err->code), NULL, err);
    buf_str(out, own->is_array ? STR("]") : STR("\r\n\r\n"));
}
