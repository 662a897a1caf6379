/* A provider's answer -> steps. A stream is the whole answer's shape again and again, each with what is
 * new; usage counts up and the last one holds. */
#include "models/gemini_internal.h"

#include "models/citation.h"

#define CHOICES_MAX 8
#define TOKENS_MAX  1000000000000 /* a count above it is a mistake and taken as not reported */

enum open_part { OPEN_NONE, OPEN_TEXT, OPEN_THOUGHT, OPEN_REFUSAL };

struct choice {
    bool begun, finished, has_calls;
    enum open_part open;
    uint32_t part, parts; /* the open one; how many have begun */
    uint32_t runs;        /* of code */
    struct buf text;      /* kept to count characters for citations */
    struct gemini_places places;
};

struct reading {
    struct choice choices[CHOICES_MAX];
    struct usage usage;
    bool has_usage, blocked, ended;
    uint32_t calls, vectors;
    struct str id, model;
};

bool gemini_reader_init(struct said_reader *r, struct err *err)
{
    struct reading *own = arena_alloc(r->arena, sizeof *own);

    if (!own)
        return err_arena(err, r->arena);
    own->usage = usage_unknown;
    for (size_t i = 0; i < CHOICES_MAX; i++)
        buf_init(&own->choices[i].text, r->arena, GEMINI_TEXT_MAX);
    r->own = own;
    return true;
}

struct event {
    struct said_reader *r;
    struct reading *own;
    const struct json *j;
};

static bool take(struct event *e, struct said *said, struct err *err)
{
    return e->r->take(e->r->ctx, said, err);
}

static bool text_of(struct event *e, json_ref v, struct str *out, struct err *err)
{
    *out = STR_NONE;
    if (json_kind(e->j, v) != JSON_STRING)
        return true;
    return json_str(e->j, v, e->r->scratch, out) || err_arena(err, e->r->scratch);
}

/* ---- usage ---- */

static int64_t count_of(const struct json *j, json_ref object, const char *name)
{
    int64_t n;

    return json_i64(j, json_get(j, object, str_from(name)), &n) && n >= 0 && n <= TOKENS_MAX ? n
                                                                                             : -1;
}

static int64_t of_modality(const struct json *j, json_ref details, struct str modality)
{
    int64_t sum = -1;

    for (json_ref v = json_first(j, details); v; v = json_next(j, v)) {
        int64_t n = count_of(j, v, "tokenCount");

        if (n >= 0 && str_eq(json_raw(j, json_get(j, v, STR("modality"))), modality))
            sum = (sum < 0 ? 0 : sum) + n;
    }
    return sum;
}

/* candidatesTokenCount is without thoughts, promptTokenCount with what was cached and without what tools
 * read; the total says when a server counts otherwise. */
static void read_usage(struct event *e, json_ref u)
{
    const struct json *j = e->j;
    int64_t prompt = count_of(j, u, "promptTokenCount"), tools, made, thoughts, total;
    struct usage *to = &e->own->usage;
    json_ref in = json_get(j, u, STR("promptTokensDetails"));
    json_ref out = json_get(j, u, STR("candidatesTokensDetails"));

    tools = MAX_OF(count_of(j, u, "toolUsePromptTokenCount"), 0);
    made = count_of(j, u, "candidatesTokenCount");
    thoughts = count_of(j, u, "thoughtsTokenCount");
    total = count_of(j, u, "totalTokenCount");
    if (prompt < 0 && made < 0 && thoughts < 0 && total < 0)
        return; /* it counts nothing: what was said before stands */
    e->own->has_usage = true;
    to->tokens_in = prompt < 0 ? -1 : prompt + tools;
    to->tokens_reasoning = thoughts;
    to->tokens_out = MAX_OF(made, 0) + MAX_OF(thoughts, 0);
    if (thoughts > 0 && prompt >= 0 && total == prompt + tools + made)
        to->tokens_out = made;
    if (made < 0 && thoughts < 0)
        to->tokens_out =
            total >= 0 && prompt >= 0 && total >= prompt + tools ? total - prompt - tools : 0;
    to->tokens_cached = count_of(j, u, "cachedContentTokenCount");
    to->tokens_audio_in = of_modality(j, in, STR("\"AUDIO\""));
    to->tokens_image_in = of_modality(j, in, STR("\"IMAGE\""));
    to->tokens_audio_out = of_modality(j, out, STR("\"AUDIO\""));
}

/* ---- parts ---- */

static uint32_t begin_part(struct choice *c, enum open_part kind)
{
    if (kind == OPEN_NONE || c->open != kind)
        c->part = c->parts++;
    c->open = kind;
    return c->part;
}

static bool say_text(struct event *e, uint32_t choice, enum open_part kind, struct str text,
                     struct str signature, struct err *err)
{
    struct choice *c = &e->own->choices[choice];
    struct said said = {.choice = choice, .text = text, .signature = signature};

    if (!text.len && !signature.len)
        return true;
    said.kind = kind == OPEN_THOUGHT   ? SAID_REASONING
                : kind == OPEN_REFUSAL ? SAID_REFUSAL
                                       : SAID_TEXT;
    said.part = begin_part(c, kind);
    if (kind == OPEN_TEXT)
        buf_str(&c->text, text);
    if (kind == OPEN_THOUGHT && text.len && signature.len) { /* the signature comes with the last */
        said.signature = STR_NONE;
        if (!take(e, &said, err))
            return false;
        said.text = STR("");
        said.signature = signature;
    }
    return take(e, &said, err);
}

static bool say_call(struct event *e, uint32_t choice, json_ref call, struct str signature,
                     struct err *err)
{
    struct choice *c = &e->own->choices[choice];
    struct said said = {.kind = SAID_TOOL, .choice = choice, .signature = signature};
    struct str arguments;

    if (!said_arguments(e->r, e->j, json_get(e->j, call, STR("args")), &arguments, err) ||
        !text_of(e, json_get(e->j, call, STR("id")), &said.id, err) ||
        !text_of(e, json_get(e->j, call, STR("name")), &said.name, err))
        return false;
    if (!said.name.len)
        return err_set(err, ERR_UNAVAILABLE, "a functionCall without a name");
    if (!said.id.len) /* they are not said by all; clients need one that no other call has */
        said.id = arena_fmt(e->r->scratch, "call_weir_" STR_FMT "_%u",
                            STR_ARG(str_slice(e->own->id, 0, 40)), e->own->calls);
    if (!said.id.ptr)
        return err_arena(err, e->r->scratch);
    e->own->calls++;
    c->has_calls = true;
    said.part = begin_part(c, OPEN_NONE);
    if (!take(e, &said, err))
        return false;
    said.kind = SAID_ARGUMENTS;
    said.signature = said.id = said.name = STR_NONE;
    said.text = arguments;
    if (!take(e, &said, err))
        return false;
    said.kind = SAID_PART_END;
    said.text = STR_NONE;
    return take(e, &said, err);
}

static bool say_media(struct event *e, uint32_t choice, json_ref data, struct err *err)
{
    struct said said = {.kind = SAID_MEDIA, .choice = choice};

    if (!text_of(e, json_get(e->j, data, STR("mimeType")), &said.media_type, err) ||
        !text_of(e, json_get(e->j, data, STR("data")), &said.text, err))
        return false;
    said.part = begin_part(&e->own->choices[choice], OPEN_NONE);
    return take(e, &said, err);
}

/* Code that Google ran, and what came of it: its own clients show both. They have no ids here. */
static bool say_code(struct event *e, uint32_t choice, json_ref code, json_ref result,
                     struct err *err)
{
    struct choice *c = &e->own->choices[choice];
    struct said said = {.kind = code ? SAID_RAN : SAID_PRINTED, .choice = choice};
    struct str language, outcome;

    if (!text_of(e, json_get(e->j, code ? code : result, code ? STR("code") : STR("output")),
                 &said.text, err) ||
        !text_of(e, json_get(e->j, code, STR("language")), &language, err) ||
        !text_of(e, json_get(e->j, result, STR("outcome")), &outcome, err))
        return false;
    if (code)
        c->runs++;
    said.language = str_eq(language, STR("LANGUAGE_UNSPECIFIED")) ? STR_NONE : STR("python");
    said.failed = outcome.len && !str_eq(outcome, STR("OUTCOME_OK"));
    said.id = arena_fmt(e->r->scratch, "run_" STR_FMT "_%u", STR_ARG(str_slice(e->own->id, 0, 40)),
                        c->runs);
    said.part = begin_part(c, OPEN_NONE);
    return said.id.ptr ? take(e, &said, err) : err_arena(err, e->r->scratch);
}

/* Of a part and of what it is made of, what nobody here knows. */
static bool say_beside(struct event *e, json_ref part, struct err *err)
{
    static const char *const known[] = {
        "text",         "thought",        "thoughtSignature",    "inlineData",
        "functionCall", "executableCode", "codeExecutionResult", NULL};
    static const struct {
        const char *name, *where, *known[4];
    } objects[] = {
        {"functionCall", "parts.functionCall.", {"id", "name", "args", NULL}},
        {"inlineData", "parts.inlineData.", {"mimeType", "data", NULL}},
        {"executableCode", "parts.executableCode.", {"id", "language", "code", NULL}},
        {"codeExecutionResult", "parts.codeExecutionResult.", {"id", "outcome", "output", NULL}},
    };

    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        if (!said_others(e->r, e->j, json_get(e->j, part, str_from(objects[i].name)),
                         objects[i].known, objects[i].where, err))
            return false;
    return said_others(e->r, e->j, part, known, "parts.", err);
}

static bool read_part(struct event *e, uint32_t choice, json_ref part, struct err *err)
{
    json_ref text = json_get(e->j, part, STR("text"));
    json_ref call = json_get(e->j, part, STR("functionCall"));
    json_ref data = json_get(e->j, part, STR("inlineData"));
    json_ref code = json_get(e->j, part, STR("executableCode"));
    json_ref result = json_get(e->j, part, STR("codeExecutionResult"));
    struct str words, signature;
    bool thought = false;

    if (!text_of(e, json_get(e->j, part, STR("thoughtSignature")), &signature, err) ||
        !say_beside(e, part, err))
        return false;
    if (call)
        return say_call(e, choice, call, signature, err);
    if ((data || code || result) && signature.len &&
        !said_other(e->r, STR("parts."), STR("thoughtSignature"), STR("true"), err))
        return false;
    (void)!json_bool(e->j, json_get(e->j, part, STR("thought")), &thought);
    if (data && thought) /* a draft: nobody else has a place for pictures among thoughts */
        return said_other(e->r, STR("parts."), STR("thought"), json_raw(e->j, part), err);
    if (data)
        return say_media(e, choice, data, err);
    if (code || result)
        return say_code(e, choice, code, result, err);
    return text_of(e, text, &words, err) &&
           say_text(e, choice, thought ? OPEN_THOUGHT : OPEN_TEXT, words, signature, err);
}

/* ---- citations: Gemini counts bytes, clients count characters ---- */

static int64_t characters(struct event *e, struct choice *c, int64_t bytes)
{
    if (!buf_ok(&c->text) || bytes < 0)
        return -1;
    return gemini_character_at(e->r->arena, &c->places, buf_view(&c->text), (size_t)bytes);
}

static bool say_citation(struct event *e, uint32_t choice, const int64_t range[2], json_ref source,
                         struct err *err)
{
    static const char *const known[] = {"uri", "title", "startIndex", "endIndex", "text", NULL};
    struct choice *c = &e->own->choices[choice];
    struct said said = {.kind = SAID_CITATION, .choice = choice, .part = c->part};
    struct citation to = {.start = characters(e, c, range[0]), .end = characters(e, c, range[1])};

    if (!text_of(e, json_get(e->j, source, STR("uri")), &to.url, err) ||
        !text_of(e, json_get(e->j, source, STR("title")), &to.title, err) ||
        !text_of(e, json_get(e->j, source, STR("text")), &to.cited_text, err) ||
        !said_others(e->r, e->j, source, known, "citations.", err))
        return false;
    if (!to.title.len)
        to.title = to.url;
    return citation_raw(e->r->scratch, &to, &said.raw, err) && take(e, &said, err);
}

static void read_range(const struct json *j, json_ref segment, int64_t range[2])
{
    range[0] = MAX_OF(count_of(j, segment, "startIndex"), 0);
    range[1] = MAX_OF(count_of(j, segment, "endIndex"), range[0]);
}

static bool say_chunk(struct event *e, uint32_t choice, const int64_t range[2], json_ref chunk,
                      struct err *err)
{
    static const char *const kinds[] = {"web", "retrievedContext", "maps"};
    static const char *const known[] = {"web", "retrievedContext", "maps", NULL};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json_ref source = json_get(e->j, chunk, str_from(kinds[i]));

        if (source)
            return say_citation(e, choice, range, source, err);
    }
    return said_others(e->r, e->j, chunk, known, "groundingMetadata.", err);
}

static bool read_grounding(struct event *e, uint32_t choice, json_ref grounding, struct err *err)
{
    static const char *const known[] = {"groundingChunks", "groundingSupports", NULL};
    static const char *const known_support[] = {"segment", "groundingChunkIndices", NULL};
    const struct json *j = e->j;
    json_ref chunks = json_get(j, grounding, STR("groundingChunks"));
    json_ref supports = json_get(j, grounding, STR("groundingSupports"));
    size_t count = json_count(j, chunks), n = 0;
    json_ref *sources = arena_array(e->r->scratch, count + 1, sizeof *sources);
    int64_t range[2] = {-1, -1}, at;

    if (!sources)
        return err_arena(err, e->r->scratch);
    if (!said_others(e->r, j, grounding, known, "groundingMetadata.", err))
        return false;
    for (json_ref c = json_first(j, chunks); c && n < count; c = json_next(j, c))
        sources[n++] = c;
    for (json_ref c = json_first(j, supports) ? 0 : json_first(j, chunks); c; c = json_next(j, c))
        if (!say_chunk(e, choice, range, c, err)) /* a source of all of it */
            return false;
    for (json_ref s = json_first(j, supports); s; s = json_next(j, s)) {
        json_ref indices = json_get(j, s, STR("groundingChunkIndices"));

        read_range(j, json_get(j, s, STR("segment")), range);
        if (!said_others(e->r, j, s, known_support, "groundingMetadata.", err))
            return false;
        for (json_ref i = json_first(j, indices); i; i = json_next(j, i)) {
            json_ref chunk = json_i64(j, i, &at) && at >= 0 && (size_t)at < n ? sources[at] : 0;

            if (!say_chunk(e, choice, range, chunk, err))
                return false;
        }
    }
    return true;
}

static bool read_citations(struct event *e, uint32_t choice, json_ref candidate, struct err *err)
{
    const struct json *j = e->j;
    json_ref meta = json_get(j, candidate, STR("citationMetadata"));
    json_ref sources = json_get(j, meta, STR("citationSources"));
    int64_t range[2];

    if (!sources)
        sources = json_get(j, meta, STR("citations"));
    for (json_ref s = json_first(j, sources); s; s = json_next(j, s)) {
        read_range(j, s, range);
        if (!say_citation(e, choice, range, s, err))
            return false;
    }
    return read_grounding(e, choice, json_get(j, candidate, STR("groundingMetadata")), err);
}

/* ---- logprobs in OpenAI's shape ---- */

/* Of the probabilities of a token, of all of them, or of a list beside them, what has no place there. */
static bool say_beside_logprobs(struct event *e, json_ref result, struct err *err)
{
    static const char *const known[] = {"chosenCandidates", "topCandidates", NULL};
    static const char *const known_token[] = {"token", "logProbability", NULL};
    static const char *const known_top[] = {"candidates", NULL};
    const struct json *j = e->j;
    json_ref chosen = json_first(j, json_get(j, result, STR("chosenCandidates")));

    if (!said_others(e->r, j, result, known, "logprobsResult.", err))
        return false;
    for (; chosen; chosen = json_next(j, chosen))
        if (!said_others(e->r, j, chosen, known_token, "logprobsResult.chosenCandidates.", err))
            return false;
    for (json_ref t = json_first(j, json_get(j, result, STR("topCandidates"))); t;
         t = json_next(j, t)) {
        if (!said_others(e->r, j, t, known_top, "logprobsResult.topCandidates.", err))
            return false;
        for (json_ref v = json_first(j, json_get(j, t, STR("candidates"))); v; v = json_next(j, v))
            if (!said_others(e->r, j, v, known_token, "logprobsResult.topCandidates.", err))
                return false;
    }
    return true;
}

static void write_logprob(struct event *e, struct json_writer *w, json_ref v)
{
    double p;

    jw_key(w, "token");
    jw_raw(w, json_kind(e->j, json_get(e->j, v, STR("token"))) == JSON_STRING
                  ? json_raw(e->j, json_get(e->j, v, STR("token")))
                  : STR("\"\""));
    jw_key(w, "logprob");
    jw_f64(w, json_f64(e->j, json_get(e->j, v, STR("logProbability")), &p) ? p : 0);
    jw_key(w, "bytes");
    jw_null(w);
}

static bool read_logprobs(struct event *e, uint32_t choice, json_ref result, struct err *err)
{
    const struct json *j = e->j;
    struct said said = {.kind = SAID_LOGPROBS, .choice = choice};
    json_ref top = json_first(j, json_get(j, result, STR("topCandidates")));
    struct json_writer w;
    struct buf b;

    if (!result)
        return true;
    if (!say_beside_logprobs(e, result, err))
        return false;
    buf_init(&b, e->r->scratch, 4 * json_raw(j, result).len + 4096);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "content");
    jw_array(&w);
    for (json_ref v = json_first(j, json_get(j, result, STR("chosenCandidates"))); v;
         v = json_next(j, v)) {
        jw_object(&w);
        write_logprob(e, &w, v);
        jw_key(&w, "top_logprobs");
        jw_array(&w);
        for (json_ref t = json_first(j, json_get(j, top, STR("candidates"))); t;
             t = json_next(j, t)) {
            jw_object(&w);
            write_logprob(e, &w, t);
            jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_object_end(&w);
        top = top ? json_next(j, top) : 0;
    }
    jw_array_end(&w);
    jw_key(&w, "refusal");
    jw_null(&w);
    jw_object_end(&w);
    return buf_finish(&b, &said.raw, err) && take(e, &said, err);
}

/* ---- candidates ---- */

static const struct {
    const char *name;
    enum finish_reason finish;
    bool failed; /* the model did not do what it should: another one may */
} reasons[] = {
    {"STOP", FINISH_STOP, false},
    {"MAX_TOKENS", FINISH_LENGTH, false},
    {"SAFETY", FINISH_CONTENT_FILTER, false},
    {"RECITATION", FINISH_CONTENT_FILTER, false},
    {"LANGUAGE", FINISH_CONTENT_FILTER, false},
    {"BLOCKLIST", FINISH_CONTENT_FILTER, false},
    {"PROHIBITED_CONTENT", FINISH_CONTENT_FILTER, false},
    {"SPII", FINISH_CONTENT_FILTER, false},
    {"IMAGE_SAFETY", FINISH_CONTENT_FILTER, false},
    {"IMAGE_PROHIBITED_CONTENT", FINISH_CONTENT_FILTER, false},
    {"IMAGE_RECITATION", FINISH_CONTENT_FILTER, false},
    {"MODEL_ARMOR", FINISH_CONTENT_FILTER, false},
    {"MALFORMED_FUNCTION_CALL", FINISH_UNSAID, true},
    {"MALFORMED_RESPONSE", FINISH_UNSAID, true},
    {"UNEXPECTED_TOOL_CALL", FINISH_UNSAID, true},
    {"TOO_MANY_TOOL_CALLS", FINISH_UNSAID, true},
    {"MISSING_THOUGHT_SIGNATURE", FINISH_UNSAID, true},
    {"NO_IMAGE", FINISH_UNSAID, true},
    {"IMAGE_OTHER", FINISH_UNSAID, true},
    {"OTHER", FINISH_UNSAID, true},
};

static bool fail(struct event *e, struct str type, struct str text, struct err *err)
{
    struct said said = {.kind = SAID_FAILED, .name = type, .text = text};

    e->own->ended = true;
    return take(e, &said, err);
}

/* An unknown reason is a failure too: what it means for the text is not known. */
static bool say_finish(struct event *e, uint32_t choice, struct str reason, json_ref message,
                       struct err *err)
{
    struct choice *c = &e->own->choices[choice];
    struct said said = {.kind = SAID_FINISH, .choice = choice};
    struct str why, text;
    size_t i = 0;

    while (i < ARRAY_LEN(reasons) && !str_eq(reason, str_from(reasons[i].name)))
        i++;
    if (i == ARRAY_LEN(reasons) || reasons[i].failed) {
        if (!text_of(e, message, &why, err))
            return false;
        text = arena_fmt(e->r->scratch, "the model stopped: " STR_FMT "%s" STR_FMT, STR_ARG(reason),
                         why.len ? ": " : "", STR_ARG(why));
        return text.ptr ? fail(e, reason, text, err) : err_arena(err, e->r->scratch);
    }
    said.finish = reasons[i].finish;
    if (said.finish == FINISH_STOP && c->has_calls)
        said.finish = FINISH_TOOL_CALLS;
    c->finished = true;
    return take(e, &said, err);
}

static bool begin(struct event *e, uint32_t choice, struct err *err)
{
    struct said said = {
        .kind = SAID_BEGIN, .choice = choice, .id = e->own->id, .model = e->own->model};

    if (e->own->choices[choice].begun)
        return true;
    e->own->choices[choice].begun = true;
    return take(e, &said, err);
}

static bool read_candidate(struct event *e, json_ref candidate, struct err *err)
{
    const struct json *j = e->j;
    static const char *const known[] = {
        "content",           "finishReason",   "index", "citationMetadata",
        "groundingMetadata", "logprobsResult", NULL};
    int64_t index = MAX_OF(count_of(j, candidate, "index"), 0);
    json_ref content = json_get(j, candidate, STR("content"));
    json_ref parts = json_get(j, content, STR("parts"));
    static const char *const known_content[] = {"role", "parts", NULL};
    uint32_t choice = (uint32_t)index;
    struct str reason;

    if (index >= CHOICES_MAX)
        return err_set(err, ERR_UNAVAILABLE, "a candidate with index %" PRId64, index);
    if (!begin(e, choice, err) || !said_others(e->r, j, candidate, known, "candidates.", err) ||
        !said_others(e->r, j, content, known_content, "content.", err))
        return false;
    for (json_ref p = json_first(j, parts); p; p = json_next(j, p))
        if (!read_part(e, choice, p, err))
            return false;
    if (!read_citations(e, choice, candidate, err) ||
        !read_logprobs(e, choice, json_get(j, candidate, STR("logprobsResult")), err) ||
        !text_of(e, json_get(j, candidate, STR("finishReason")), &reason, err))
        return false;
    if (!reason.len || str_eq(reason, STR("FINISH_REASON_UNSPECIFIED")) ||
        e->own->choices[choice].finished)
        return true;
    return say_finish(e, choice, reason, json_get(j, candidate, STR("finishMessage")), err);
}

/* The prompt itself was refused: there is no candidate. */
static bool read_blocked(struct event *e, json_ref feedback, struct err *err)
{
    struct said finish = {.kind = SAID_FINISH, .finish = FINISH_CONTENT_FILTER};
    struct str reason, text;

    if (!text_of(e, json_get(e->j, feedback, STR("blockReason")), &reason, err))
        return false;
    if (!reason.len || e->own->choices[0].begun)
        return true;
    text = arena_fmt(e->r->scratch, "the prompt was blocked: " STR_FMT, STR_ARG(reason));
    if (!text.ptr)
        return err_arena(err, e->r->scratch);
    if (!begin(e, 0, err) || !say_text(e, 0, OPEN_REFUSAL, text, STR_NONE, err))
        return false;
    e->own->choices[0].finished = true;
    return take(e, &finish, err);
}

static bool read_error(struct event *e, json_ref error, struct err *err)
{
    struct str status, message;

    return text_of(e, json_get(e->j, error, STR("status")), &status, err) &&
           text_of(e, json_get(e->j, error, STR("message")), &message, err) &&
           fail(e, status, message, err);
}

static bool keep_name(struct event *e, const char *member, struct str *to, struct err *err)
{
    struct str text;

    if (to->ptr)
        return true;
    if (!text_of(e, json_get(e->j, json_root(e->j), str_from(member)), &text, err))
        return false;
    if (text.ptr)
        *to = arena_str(e->r->arena, text);
    return !text.ptr || to->ptr || err_arena(err, e->r->arena);
}

/* ---- embeddings ---- */

static bool say_vector(struct event *e, json_ref embedding, struct err *err)
{
    json_ref values = json_get(e->j, embedding, STR("values"));
    struct said said = {.kind = SAID_VECTOR, .choice = e->own->vectors++};

    if (json_kind(e->j, values) != JSON_ARRAY)
        return err_set(err, ERR_UNAVAILABLE, "an embedding without values");
    said.raw = json_raw(e->j, values);
    return take(e, &said, err);
}

static bool read_vectors(struct event *e, struct err *err)
{
    json_ref root = json_root(e->j), all = json_get(e->j, root, STR("embeddings"));
    json_ref one = json_get(e->j, root, STR("embedding"));
    struct said said = {.kind = SAID_BEGIN};

    if (!take(e, &said, err))
        return false;
    if (one && !say_vector(e, one, err))
        return false;
    for (json_ref v = json_first(e->j, all); v; v = json_next(e->j, v))
        if (!say_vector(e, v, err))
            return false;
    read_usage(e, json_get(e->j, root, STR("usageMetadata")));
    e->own->choices[0].begun = e->own->choices[0].finished = e->own->vectors > 0;
    return e->own->vectors > 0 || err_set(err, ERR_UNAVAILABLE, "an answer without embeddings");
}

/* ---- the answer ---- */

static bool say_rest(struct event *e, json_ref root, struct err *err)
{
    static const char *const known[] = {"candidates",   "promptFeedback", "usageMetadata",
                                        "modelVersion", "responseId",     NULL};
    static const char *const counts[] = {
        "promptTokenCount",    "candidatesTokenCount",    "thoughtsTokenCount",
        "totalTokenCount",     "cachedContentTokenCount", "toolUsePromptTokenCount",
        "promptTokensDetails", "candidatesTokensDetails", NULL};
    static const char *const feedback[] = {"blockReason", NULL};

    return said_others(e->r, e->j, root, known, "", err) &&
           said_others(e->r, e->j, json_get(e->j, root, STR("usageMetadata")), counts,
                       "usageMetadata.", err) &&
           said_others(e->r, e->j, json_get(e->j, root, STR("promptFeedback")), feedback,
                       "promptFeedback.", err);
}

static bool read_answer(struct event *e, struct err *err)
{
    json_ref root = json_root(e->j), candidates = json_get(e->j, root, STR("candidates"));

    if (!keep_name(e, "responseId", &e->own->id, err) ||
        !keep_name(e, "modelVersion", &e->own->model, err))
        return false;
    read_usage(e, json_get(e->j, root, STR("usageMetadata")));
    if (!say_rest(e, root, err))
        return false;
    for (json_ref c = json_first(e->j, candidates); c && !e->own->ended; c = json_next(e->j, c))
        if (!read_candidate(e, c, err))
            return false;
    return e->own->ended || read_blocked(e, json_get(e->j, root, STR("promptFeedback")), err);
}

bool gemini_read_said(struct said_reader *r, struct str type, struct str data, struct err *err)
{
    const struct json_limits limits = {.depth = 128, .nodes = 4000000, .lone_surrogates = true};
    struct event e = {.r = r, .own = r->own};
    struct json *j;
    json_ref error;

    (void)type;
    if (e.own->ended || !data.len)
        return true;
    j = json_parse_within(r->scratch, data, &limits, err);
    if (!j) {
        if (err->code == ERR_INVALID)
            err->code = ERR_UNAVAILABLE;
        return err_wrap(err, "an answer that is not JSON");
    }
    e.j = j;
    if (json_kind(j, json_root(j)) != JSON_OBJECT)
        return err_set(err, ERR_UNAVAILABLE, "an answer that is no object");
    error = json_get(j, json_root(j), STR("error"));
    if (error)
        return read_error(&e, error, err);
    return r->asked && r->asked->kind == ASK_EMBEDDING ? read_vectors(&e, err)
                                                       : read_answer(&e, err);
}

bool gemini_at_end(struct said_reader *r, struct err *err)
{
    struct reading *own = r->own;
    struct said said = {.kind = SAID_USAGE, .usage = own->usage};
    bool begun = false;

    if (own->ended)
        return true;
    for (size_t i = 0; i < CHOICES_MAX; i++) {
        begun = begun || own->choices[i].begun;
        if (own->choices[i].begun && !own->choices[i].finished)
            return err_set(err, ERR_UNAVAILABLE, "the answer ended without a finishReason");
    }
    if (!begun)
        return err_set(err, ERR_UNAVAILABLE, "the answer ended without a candidate");
    own->ended = true;
    if (own->has_usage && !r->take(r->ctx, &said, err))
        return false;
    said.kind = SAID_END;
    return r->take(r->ctx, &said, err);
}
