#include "knowledge/order.h"

#include <math.h>

#include "knowledge/answer.h"
#include "knowledge/bases.h"
#include "knowledge/choose.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/number_forms.h"
#include "models/dialect.h"
#include "models/rerank.h"

#define MEMORY      ((size_t)512 * MIB) /* for texts of ORDER_BYTES_MAX, cut into terms */
#define K1          1.2
#define B           0.75
#define PAIR_WEIGHT 0.4
/* A sentence's score to how likely its text answers: fitted on questions of SQuAD 2 and CMRC 2018. */
#define MIDDLE      8.2f
#define STEEPNESS   0.65f

/* --- how often the query's terms stand in each text ------------------------------------------- */

struct counted {
    struct table at; /* "wTERM", "pTERM" -> number + 1 */
    size_t terms, texts;
    uint32_t *times;   /* [text][term] */
    uint32_t *having;  /* [term]: texts that have it */
    uint32_t *lengths; /* [text][field] */
    double average[TERM_FIELDS];
};

static size_t number_of_term(const struct counted *c, const struct term *term)
{
    char bytes[TERM_BYTES_MAX + 1];
    struct buf key;

    buf_init_fixed(&key, bytes, sizeof bytes);
    buf_char(&key, term->field == TERM_WORD ? 'w' : 'p');
    buf_str(&key, term->text);
    return (size_t)(uintptr_t)table_get(&c->at, buf_view(&key));
}

static bool number_terms(struct arena *arena, const struct terms *query, struct counted *c,
                         struct err *err)
{
    table_init(&c->at, arena, 2 * query->count + 1);
    for (size_t i = 0; i < query->count; i++) {
        const struct term *term = &query->at[i];
        struct str key = arena_fmt(arena, "%c" STR_FMT, term->field == TERM_WORD ? 'w' : 'p',
                                   STR_ARG(term->text));

        if (!key.ptr)
            return err_arena(err, arena);
        if (term->stop || table_get(&c->at, key))
            continue;
        if (!table_put(&c->at, key, (void *)(uintptr_t)(c->terms + 1), NULL))
            return err_arena(err, arena);
        c->terms++;
    }
    return true;
}

static bool count_text(struct analyser *analyser, struct arena *arena, struct str text, size_t i,
                       struct counted *c, struct err *err)
{
    size_t mark = arena_mark(arena);
    struct terms terms;

    if (!analyser_terms(analyser, arena, text, &terms, err))
        return false;
    for (size_t k = 0; k < terms.count; k++) {
        size_t number = number_of_term(c, &terms.at[k]);

        c->lengths[i * TERM_FIELDS + terms.at[k].field] += !terms.at[k].stop;
        if (number && c->times[i * c->terms + number - 1]++ == 0)
            c->having[number - 1]++;
    }
    arena_rewind(arena, mark);
    return true;
}

static bool count_terms(struct analyser *analyser, struct arena *arena, struct str query,
                        const struct str *texts, size_t count, struct counted *c, struct err *err)
{
    struct terms terms;

    if (!question_terms(analyser, arena, query, &terms, err) ||
        !number_terms(arena, &terms, c, err))
        return false;
    c->texts = count;
    c->times = arena_array(arena, count * c->terms + 1, sizeof *c->times);
    c->having = arena_array(arena, c->terms + 1, sizeof *c->having);
    c->lengths = arena_array(arena, count * TERM_FIELDS + 1, sizeof *c->lengths);
    if (!c->times || !c->having || !c->lengths)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++)
        if (!count_text(analyser, arena, texts[i], i, c, err))
            return false;
    for (size_t i = 0; i < count * TERM_FIELDS; i++)
        c->average[i % TERM_FIELDS] += c->lengths[i] / (double)count;
    return true;
}

static float idf_among(const void *ctx, const struct term *term)
{
    const struct counted *c = ctx;
    size_t number = number_of_term(c, term);
    double n = (double)c->texts, having = number ? c->having[number - 1] : 0;

    return (float)log(1.0 + (n - having + 0.5) / (having + 0.5));
}

static float bm25(const struct counted *c, const struct question *q, size_t i)
{
    double sum = 0;

    for (size_t k = 0; k < q->asked_count; k++) {
        const struct term *term = &q->asked[k].term;
        size_t number = number_of_term(c, term);
        double times = number ? c->times[i * c->terms + number - 1] : 0;
        double average = fmax(c->average[term->field], 1);
        double length = c->lengths[i * TERM_FIELDS + term->field] / average;
        double weight = term->field == TERM_PAIR ? PAIR_WEIGHT : 1;

        sum += weight * (double)q->asked[k].idf * times * (K1 + 1) /
               (times + K1 * (1 - B + B * length));
    }
    return (float)sum;
}

/* --- the texts as passages -------------------------------------------------------------------- */

static bool read_text_as_found(struct arena *arena, struct str text, struct found *out,
                               struct err *err)
{
    struct document document;

    if (!document_read(arena, text, DOCUMENT_TEXT, &document, err))
        return false;
    for (size_t i = 0; i < document.count; i++)
        if (document.blocks[i].kind == BLOCK_HEADING) /* it is text like the rest of it here */
            document.blocks[i].kind = BLOCK_PARAGRAPH;
    out->passage.blocks = document.blocks;
    out->passage.count = document.count;
    return sentences_split(arena, &out->passage, &out->sentences, &out->sentence_count, err);
}

static bool read_all(struct arena *arena, const struct str *texts, size_t count, struct found **out,
                     struct err *err)
{
    struct found *found = arena_array(arena, count + 1, sizeof *found);

    if (!found)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++)
        if (!read_text_as_found(arena, texts[i], &found[i], err))
            return err_wrap(err, "documents.%zu", i);
    *out = found;
    return true;
}

/* What shares nothing with the query has no sentence to be judged by. */
static void best_sentences(const struct candidate *ranked, size_t count, const struct found *found,
                           size_t texts, float *scores)
{
    for (size_t i = 0; i < texts; i++)
        scores[i] = 0;
    for (size_t i = count; i-- > 0;) {
        size_t text = (size_t)(ranked[i].found - found);

        if (found[text].score > 0)
            scores[text] = 1.0f / (1.0f + expf(STEEPNESS * (MIDDLE - ranked[i].score)));
    }
}

bool order_texts(struct str query, const struct str *texts, size_t count, float *scores,
                 struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct counted counted = {0};
    struct question question;
    struct candidate *ranked;
    struct found *found = NULL;
    size_t bytes = 0, ranked_count;

    for (size_t i = 0; i < count; i++)
        bytes += texts[i].len;
    if (bytes > ORDER_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE,
                       "documents: %zu bytes of text together, at most %zu are ordered", bytes,
                       ORDER_BYTES_MAX);
    if (!arena)
        return err_no_room(err, "no memory to order documents");
    if (query.len > QUESTION_MAX)
        return err_set(err, ERR_INVALID, "query: %zu bytes, at most %d are read", query.len,
                       QUESTION_MAX);
    if (!analyser_open(&analyser, err) ||
        !count_terms(analyser, arena, query, texts, count, &counted, err) ||
        !question_read_among(&(struct rarity){idf_among, &counted}, analyser, arena, query,
                             &question, err) ||
        !read_all(arena, texts, count, &found, err))
        return false;
    for (size_t i = 0; i < count; i++)
        found[i].score = bm25(&counted, &question, i);
    if (!candidates_rank(analyser, arena, &question, found, count, &ranked, &ranked_count, err))
        return false;
    best_sentences(ranked, ranked_count, found, count, scores);
    return true;
}

/* --- the request ------------------------------------------------------------------------------ */

struct ordering {
    struct str query;
    struct str *texts;
    float *scores;
    size_t count;
    bool ok;
    struct err *err;
};

static void run_order(void *arg)
{
    struct ordering *o = arg;

    o->ok = order_texts(o->query, o->texts, o->count, o->scores, o->err);
}

/* The members that are to be read, a line each, in the order of the names. */
static bool join_members(struct arena *arena, const struct json *names, const struct json *j,
                         json_ref object, size_t i, struct str *out, struct err *err)
{
    struct str name, value;
    struct buf text;

    buf_init(&text, arena, ORDER_BYTES_MAX);
    for (json_ref n = json_first(names, json_root(names)); n; n = json_next(names, n)) {
        if (!json_str(names, n, arena, &name))
            return err_arena(err, arena);
        if (!json_str(j, json_get(j, object, name), arena, &value))
            return err_set(err, ERR_INVALID, "documents.%zu: \"" STR_FMT "\" is no string", i,
                           STR_ARG(str_slice(name, 0, 60)));
        buf_str(&text, value);
        buf_str(&text, STR("\n\n"));
    }
    return buf_finish(&text, out, err);
}

static bool read_documents(struct arena *arena, const struct conversation *c, struct ordering *o,
                           struct err *err)
{
    struct json *j = json_parse(arena, c->inputs, err);
    struct json *names =
        j ? json_parse(arena, c->rank_fields.ptr ? c->rank_fields : STR("[\"text\"]"), err) : NULL;
    size_t i = 0;

    if (!names)
        return err_wrap(err, "documents");
    o->count = json_count(j, json_root(j));
    o->texts = arena_array(arena, o->count + 1, sizeof *o->texts);
    o->scores = arena_array(arena, o->count + 1, sizeof *o->scores);
    if (!o->texts || !o->scores)
        return err_arena(err, arena);
    for (json_ref d = json_first(j, json_root(j)); d; d = json_next(j, d), i++)
        if (json_kind(j, d) == JSON_OBJECT
                ? !join_members(arena, names, j, d, i, &o->texts[i], err)
                : !json_str(j, d, arena, &o->texts[i]) && !err_arena(err, arena))
            return false;
    return true;
}

/* In the client's dialect, as a provider's scores are told. */
static bool write_scores(struct request *req, const struct ordering *o, const struct usage *usage,
                         struct str *out, struct err *err)
{
    struct said_writer writer = {.arena = req->arena,
                                 .asked = req->conversation,
                                 .id = arena_fmt(req->arena, "%016" PRIx64, req->id),
                                 .model = req->conversation->model};
    struct buf reply;

    if (!writer.id.ptr)
        return err_arena(err, req->arena);
    buf_init(&reply, req->arena, 64 * MIB);
    if (!req->dialect->writer_init(&writer, err))
        return false;
    for (size_t i = 0; i < o->count; i++) {
        struct said said = {.kind = SAID_SCORE,
                            .choice = (uint32_t)i,
                            .raw = arena_fmt(req->arena, "%.6f", (double)o->scores[i])};

        if (!said.raw.ptr)
            return err_arena(err, req->arena);
        if (!req->dialect->write_said(&writer, &said, &reply, err))
            return false;
    }
    struct said counted = {.kind = SAID_USAGE, .usage = *usage}, end = {.kind = SAID_END};

    return req->dialect->write_said(&writer, &counted, &reply, err) &&
           req->dialect->write_said(&writer, &end, &reply, err) && buf_finish(&reply, out, err);
}

bool order_documents(const struct knowledge_model *model, struct request *req, struct answer **out,
                     struct err *err)
{
    struct ordering *o = arena_alloc(req->arena, sizeof *o);
    struct usage usage = usage_unknown;
    struct str body;

    if (!o)
        return err_arena(err, req->arena);
    if (!str_eq(req->chat.model, req->model->name))
        return err_set(err, ERR_INVALID,
                       "model: documents of a request are ordered by \"" STR_FMT
                       "\", whatever knowledge bases there are",
                       STR_ARG(req->model->name));
    o->query = req->conversation->query;
    o->err = err;
    usage.tokens_in = chat_estimate_tokens(req->chat.prompt_bytes);
    usage.tokens_out = 0;
    usage.estimated = true;
    if (!read_documents(req->arena, req->conversation, o, err) ||
        !pool_run(bases_default(model->bases)->pool, run_order, o, err) || !o->ok ||
        !write_scores(req, o, &usage, &body, err))
        return false;
    *out = answer_from_bytes(req->arena, 200, STR("application/json"), body);
    if (!*out)
        return err_arena(err, req->arena);
    (*out)->meter.usage = usage;
    return true;
}
