/* POST /v1/rerank: documents in the order in which they answer a query, as Cohere, Jina, vLLM, SGLang and
 * llama.cpp know it. What a provider gives is an index and a score for each; the documents of the reply are the
 * client's own, never the provider's echo of them. */
#include "models/rerank.h"

#include <math.h>
#include <stdlib.h>

#include "models/openai_internal.h"

#define REPLY_MAX  (256 * MIB)   /* the request's arena is the limit */
#define TOKENS_MAX 1000000000000 /* a count above it is a mistake and taken as not reported */

/* ---- requests ---- */

static bool read_query(struct field_reader *r, json_ref v, struct err *err)
{
    if (json_kind(r->json, v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "query: expected a string");
    if (!json_str(r->json, v, r->arena, &r->to->query))
        return err_arena(err, r->arena);
    if (!str_trim(r->to->query).len)
        return err_set(err, ERR_INVALID, "query: expected a string that is not empty");
    r->to->prompt_bytes += r->to->query.len;
    return true;
}

static bool read_documents(struct field_reader *r, json_ref v, struct err *err)
{
    const struct json *j = r->json;
    size_t count = json_count(j, v), i = 0;

    if (json_kind(j, v) != JSON_ARRAY || count == 0 || count > RERANK_DOCUMENTS_MAX)
        return err_set(err, ERR_INVALID, "documents: expected a list of 1 to %d strings or objects",
                       RERANK_DOCUMENTS_MAX);
    for (json_ref d = json_first(j, v); d; d = json_next(j, d), i++)
        if (json_kind(j, d) != JSON_STRING && json_kind(j, d) != JSON_OBJECT)
            return err_set(err, ERR_INVALID, "documents.%zu: expected a string or an object", i);
    r->to->inputs = json_raw(j, v);
    r->to->prompt_bytes += json_raw(j, v).len;
    return true;
}

static bool read_names(struct field_reader *r, json_ref v, struct err *err)
{
    const struct json *j = r->json;
    size_t count = json_kind(j, v) == JSON_ARRAY ? json_count(j, v) : 0;

    for (json_ref n = count ? json_first(j, v) : 0; n; n = json_next(j, n))
        if (json_kind(j, n) != JSON_STRING)
            count = 0;
    if (!count)
        return err_set(err, ERR_INVALID, "rank_fields: expected a list of names of members");
    r->to->rank_fields = json_raw(j, v);
    return true;
}

static bool read_return(struct field_reader *r, json_ref v, struct err *err)
{
    return json_bool(r->json, v, &r->to->return_documents) ||
           err_set(err, ERR_INVALID, "return_documents: expected true or false");
}

#define AT(member) offsetof(struct conversation, member)

/* clang-format off: a table reads as a table */
static const struct field fields[] = {
    {"model", FIELD_OWN, AT(model), 0, 0, openai_read_model,
     "the model that is asked; weir: by rule, without one"},
    {"query", FIELD_OWN, AT(query), 0, 0, read_query, "what the documents are to answer"},
    {"documents", FIELD_OWN, AT(inputs), 0, 0, read_documents,
     "strings, or objects with their text in `text`"},
    {"top_n", FIELD_INT, AT(top_n), 1, RERANK_DOCUMENTS_MAX, NULL, "how many are wanted; all"},
    {"rank_fields", FIELD_OWN, AT(rank_fields), 0, 0, read_names,
     "members of the objects that are read, instead of `text`"},
    {"return_documents", FIELD_OWN, AT(return_documents), 0, 0, read_return,
     "with the documents in the reply; false"},
    {"user", FIELD_TEXT, AT(user), 0, 0, NULL, "who the end user is"},
};
/* clang-format on */

static bool read_request(struct arena *arena, const struct json *json, struct conversation *out,
                         struct err *err)
{
    struct conversation c;
    struct field_reader r = {.arena = arena, .json = json, .to = &c};

    if (!openai_read_fields(&r, &dialect_rerank, ASK_RERANK, "a rerank request", err))
        return false;
    if (!c.query.ptr)
        return err_set(err, ERR_INVALID, "query: expected a string");
    if (!c.inputs.ptr)
        return err_set(err, ERR_INVALID, "documents: expected a list of 1 to %d strings or objects",
                       RERANK_DOCUMENTS_MAX);
    *out = c;
    return true;
}

/* Objects that have a text and no picture go as their text: most providers take strings alone. */
static void write_document(struct json_writer *w, const struct conversation *in,
                           const struct json *j, json_ref d)
{
    json_ref text = json_kind(j, d) == JSON_OBJECT ? json_get(j, d, STR("text")) : 0;
    bool plain =
        !in->rank_fields.ptr && json_kind(j, text) == JSON_STRING && !json_get(j, d, STR("image"));

    jw_raw(w, json_raw(j, plain ? text : d));
}

bool rerank_write_request(struct arena *arena, const struct conversation *in,
                          const struct model *to, struct losses *losses, struct outgoing *out,
                          struct err *err)
{
    struct json *j = json_parse(arena, in->inputs, err);
    struct json_writer w;
    struct buf body;

    if (!j)
        return err_wrap(err, "documents");
    openai_body_begin(&w, &body, arena, to);
    jw_key(&w, "query");
    jw_str(&w, in->query);
    jw_key(&w, "documents");
    jw_array(&w);
    for (json_ref d = json_first(j, json_root(j)); d; d = json_next(j, d))
        write_document(&w, in, j, d);
    jw_array_end(&w);
    if (in->rank_fields.ptr) {
        jw_key(&w, "rank_fields");
        jw_raw(&w, in->rank_fields);
    }
    fields_write(&w, in, fields, ARRAY_LEN(fields));
    return fields_losses(in, fields, ARRAY_LEN(fields), losses, err) &&
           openai_body_end(&w, in, losses, "/rerank", out, err);
}

/* ---- answers, read ---- */

static bool unreadable(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAVAILABLE, "the answer cannot be read: %s", why);
}

/* {"results":[{"index","relevance_score"}]}; older servers give the list alone and call it "score". */
bool rerank_read_results(struct said_reader *r, const struct json *j, struct err *err)
{
    json_ref root = json_root(j);
    json_ref results = json_kind(j, root) == JSON_ARRAY ? root : json_get(j, root, STR("results"));

    if (json_kind(j, results) != JSON_ARRAY)
        return unreadable(err, "it has no results");
    for (json_ref v = json_first(j, results); v; v = json_next(j, v)) {
        json_ref score = openai_given(j, v, STR("relevance_score"));
        int64_t index;

        score = score ? score : json_get(j, v, STR("score"));
        if (json_kind(j, score) != JSON_NUMBER)
            return unreadable(err, "a result has no score");
        if (!json_i64(j, json_get(j, v, STR("index")), &index) || index < 0 ||
            index >= RERANK_DOCUMENTS_MAX)
            return unreadable(err, "a result has no index of a document");
        if (!openai_say(r,
                        &(struct said){.kind = SAID_SCORE,
                                       .choice = (uint32_t)index,
                                       .raw = json_raw(j, score)},
                        err))
            return false;
    }
    return true;
}

static bool count_in(const struct json *j, json_ref object, const char *name, int64_t *out)
{
    return json_i64(j, json_get(j, object, str_from(name)), out) && *out >= 0 && *out <= TOKENS_MAX;
}

/* What was read: "usage" as vLLM and Jina have it, "meta.tokens" as Cohere. */
bool rerank_read_usage(const struct json *j, struct usage *out)
{
    json_ref usage = json_get(j, json_root(j), STR("usage"));
    json_ref meta = json_get(j, json_root(j), STR("meta"));
    int64_t in;

    if (!count_in(j, usage, "prompt_tokens", &in) && !count_in(j, usage, "total_tokens", &in) &&
        !count_in(j, json_get(j, meta, STR("tokens")), "input_tokens", &in))
        return false;
    *out = usage_unknown;
    out->tokens_in = in;
    out->tokens_out = 0; /* nothing is made */
    return true;
}

/* ---- answers, written ---- */

struct ranked {
    struct str score; /* as it came */
    double value;
    uint32_t index;
};

struct telling {
    struct json *documents;
    size_t document_count, count;
    struct ranked *at;
    bool *seen; /* of each document */
    struct usage usage;
};

static bool begin_telling(struct said_writer *sw, struct err *err)
{
    struct telling *own = arena_alloc(sw->arena, sizeof *own);

    if (!own)
        return err_arena(err, sw->arena);
    own->usage = usage_unknown;
    own->documents = json_parse(sw->arena, sw->asked->inputs, err);
    if (!own->documents)
        return err_wrap(err, "documents");
    own->document_count = json_count(own->documents, json_root(own->documents));
    own->at = arena_array(sw->arena, own->document_count + 1, sizeof *own->at);
    own->seen = arena_array(sw->arena, own->document_count + 1, sizeof *own->seen);
    if (!own->at || !own->seen)
        return err_arena(err, sw->arena);
    sw->own = own;
    return true;
}

static bool keep_rank(struct said_writer *sw, const struct said *said, struct err *err)
{
    struct telling *own = sw->own;
    struct ranked *to = &own->at[own->count];

    if (said->choice >= own->document_count)
        return unreadable(err, "a result is of no document that was sent");
    if (own->seen[said->choice])
        return unreadable(err, "a document comes twice");
    own->seen[said->choice] = true;
    *to = (struct ranked){.index = said->choice, .score = arena_str(sw->arena, said->raw)};
    if (!to->score.ptr)
        return err_arena(err, sw->arena);
    if (!f64_parse(to->score, &to->value) || !isfinite(to->value))
        return unreadable(err, "a score is no number");
    own->count++;
    return true;
}

static int best_first(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;

    if (left->value != right->value)
        return left->value < right->value ? 1 : -1;
    return (left->index > right->index) - (left->index < right->index);
}

/* As Cohere and Jina: {"text": ...} for a string, an object as it was sent. */
static void write_own(struct json_writer *w, const struct json *j, size_t index)
{
    json_ref d = json_at(j, json_root(j), index);

    jw_key(w, "document");
    if (json_kind(j, d) == JSON_OBJECT) {
        jw_raw(w, json_raw(j, d));
        return;
    }
    jw_object(w);
    jw_key(w, "text");
    jw_raw(w, json_raw(j, d));
    jw_object_end(w);
}

static void write_results(struct json_writer *w, const struct said_writer *sw)
{
    struct telling *own = sw->own;
    size_t most = sw->asked->top_n > 0 ? MIN_OF(own->count, (size_t)sw->asked->top_n) : own->count;

    if (own->count)
        qsort(own->at, own->count, sizeof *own->at, best_first);
    jw_key(w, "results");
    jw_array(w);
    for (size_t i = 0; i < most; i++) {
        jw_object(w);
        jw_key(w, "index");
        jw_u64(w, own->at[i].index);
        jw_key(w, "relevance_score");
        jw_raw(w, own->at[i].score);
        if (sw->asked->return_documents)
            write_own(w, own->documents, own->at[i].index);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_all(const struct said_writer *sw, struct buf *out)
{
    const struct telling *own = sw->own;
    struct json_writer w;
    struct buf id;
    char memory[80];

    buf_init_fixed(&id, memory, sizeof memory);
    buf_fmt(&id, "rerank-" STR_FMT, STR_ARG(str_slice(sw->id, 0, 64)));
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "object");
    jw_cstr(&w, "list");
    jw_key(&w, "id");
    jw_str(&w, buf_view(&id));
    jw_key(&w, "model");
    jw_str(&w, sw->model);
    write_results(&w, sw);
    if (own->usage.tokens_in >= 0)
        openai_write_read(&w, own->usage.tokens_in);
    openai_reply_end(&w, sw);
}

static bool write_said(struct said_writer *sw, const struct said *said, struct buf *out,
                       struct err *err)
{
    struct telling *own = sw->own;

    if (said->kind == SAID_SCORE)
        return keep_rank(sw, said, err);
    if (said->kind == SAID_USAGE)
        own->usage = said->usage;
    if (said->kind == SAID_END)
        write_all(sw, out);
    return true;
}

const struct dialect dialect_rerank = {
    .name = "rerank",
    .framing = FRAMING_SSE,
    .fields = fields,
    .field_count = ARRAY_LEN(fields),
    .read_request = read_request,
    .writer_init = begin_telling,
    .write_said = write_said,
    .carries = CARRIES(SAID_SCORE) | CARRIES_CHOICES | CARRIES_MODALITIES | CARRIES_CACHE_WRITES,
    .stream_type = {"application/json", sizeof "application/json" - 1},
    .write_error = openai_write_error,
    .write_stream_error = openai_write_stream_error,
};
