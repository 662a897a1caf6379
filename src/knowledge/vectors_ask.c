/* Vectors by a model: asked for a question while it waits, and for passages in the background. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "knowledge/vectors_internal.h"

#define ROUND_ARENA ((size_t)512 * MIB)
#define REPLY_MAX   ((size_t)64 * MIB)
#define BODY_MAX    ((size_t)16 * MIB)
#define AGAIN_FIRST (5 * SECOND)
#define AGAIN_MOST  (300 * SECOND)

void search_note(struct search_notes *notes, const char *text)
{
    for (uint32_t i = 0; notes && i < notes->count; i++)
        if (strcmp(notes->at[i], text) == 0)
            return;
    if (notes && notes->count < SEARCH_NOTES_MAX)
        notes->at[notes->count++] = text;
}

/* --- through the gateway ---------------------------------------------------------------------- */

static bool write_request(const struct embed_call *call, struct str *out, struct err *err)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, call->arena, BODY_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "model");
    jw_str(&w, call->model);
    jw_key(&w, "input");
    jw_array(&w);
    for (size_t i = 0; i < call->count; i++)
        jw_str(&w, call->texts[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static bool unreadable(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAVAILABLE, "the vectors could not be read: %s", why);
}

static bool read_vector(const struct json *j, json_ref list, uint32_t dim, float *out)
{
    uint32_t at = 0;

    for (json_ref v = json_first(j, list); v; v = json_next(j, v), at++) {
        double n;

        if (at == dim || !json_f64(j, v, &n))
            return false;
        out[at] = (float)n;
    }
    return at == dim;
}

static bool read_reply(struct embed_call *call, const struct json *j, struct err *err)
{
    json_ref data = json_get(j, json_root(j), STR("data"));
    size_t seen = 0;

    call->dim = (uint32_t)json_count(j, json_get(j, json_at(j, data, 0), STR("embedding")));
    if (call->dim == 0 || call->dim > VECTOR_DIM_MAX)
        return unreadable(err, "no embedding, or above 4,096 numbers");
    call->values = arena_array(call->arena, call->count * call->dim, sizeof *call->values);
    if (!call->values)
        return err_arena(err, call->arena);
    for (json_ref v = json_first(j, data); v; v = json_next(j, v), seen++) {
        int64_t index = (int64_t)seen;

        (void)!json_i64(j, json_get(j, v, STR("index")), &index);
        if (index < 0 || (size_t)index >= call->count ||
            !read_vector(j, json_get(j, v, STR("embedding")), call->dim,
                         call->values + (size_t)index * call->dim))
            return unreadable(err, "they differ in length, or are no numbers");
    }
    return seen == call->count || unreadable(err, "not one for each text");
}

/* 400 and the like speak of the texts; the others of who asks, or of the provider. */
static bool refused(const struct gateway_told *told, struct arena *arena, struct err *err)
{
    struct err ignored = {0};
    struct json *j = json_parse(arena, told->body, &ignored);
    struct str message = STR("");
    bool texts = told->status == 400 || told->status == 413 || told->status == 422;

    (void)!(j && json_str(j, json_path(j, "error.message"), arena, &message));
    return err_set(err, texts ? ERR_INVALID : ERR_UNAVAILABLE, "status %d: " STR_FMT, told->status,
                   STR_ARG(str_slice(message, 0, 120)));
}

bool vectors_through_gateway(struct gateway *gateway, const struct config *config,
                             struct embed_call *call, struct err *err)
{
    const struct model *model = catalogue_find(config->catalogue, call->model);
    struct gateway_asker asker = {.arena = call->arena,
                                  .who = call->who,
                                  .request_id = call->request_id ? call->request_id
                                                                 : gateway_next_id(gateway),
                                  .kind = ASK_EMBEDDING,
                                  .answer_bytes_max = REPLY_MAX};
    struct gateway_told told = {0};
    struct str body;

    if (!model)
        return err_set(err, ERR_UNAVAILABLE, "model \"" STR_FMT "\" is not configured",
                       STR_ARG(call->model));
    if (!write_request(call, &body, err) ||
        !gateway_ask_all(gateway, &asker, model, body, &told, err))
        return false;
    if (told.status != 200)
        return refused(&told, call->arena, err);
    struct json *j = json_parse(call->arena, told.body, err);
    return j ? read_reply(call, j, err) : err_wrap(err, "the vectors could not be read");
}

/* --- a question ------------------------------------------------------------------------------- */

void vectors_question(struct knowledge *k, struct arena *arena, struct knowledge_question *question)
{
    const struct embedder_options *e = &k->embedder;
    struct embed_call call = {.arena = arena,
                              .who = question->who,
                              .request_id = question->request_id,
                              .model = e->model,
                              .texts = &question->text,
                              .count = 1};
    struct vector_field field;
    struct scope scope;
    struct err err = {0};

    if (e->kind != EMBEDDER_MODEL || question->dim || !e->ask)
        return;
    struct lexical *index = index_of(k, &err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    if (!view || !vectors_field(k, view, &field)) /* nothing to compare with yet */
        return;
    lexical_release(&view); /* not held while a provider takes its time */
    scope_open(&scope, fiber_now() + e->question_limit);
    bool ok = e->ask(e->ctx, &call, &err);
    scope_close(&scope);
    if (ok && call.dim == field.dim) {
        question->vector = call.values;
        question->dim = call.dim;
        return;
    }
    question->dim = UINT32_MAX; /* not asked again for the next base */
    log_warn("a question was searched by its words alone: %s",
             ok ? "the embedding model gave a vector of another length" : err.text);
    search_note(question->notes, "the question could not be embedded in time: passages were found "
                                 "by their words alone");
}

/* --- passages --------------------------------------------------------------------------------- */

struct round {
    struct knowledge *k;
    struct vectors_round r;
    bool ok;
    struct err *err;
};

static void run_collect(void *arg)
{
    struct round *round = arg;

    round->ok = vectors_collect_now(round->k, &round->r, round->err);
}

static void run_keep(void *arg)
{
    struct round *round = arg;

    round->ok = vectors_keep_now(round->k, &round->r, round->err);
}

static SUSPENDS bool embed_some(struct round *round, size_t first, size_t count, struct err *err)
{
    const struct embedder_options *e = &round->k->embedder;
    struct vectors_round *r = &round->r;
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * REPLY_MAX);
    struct embed_call call = {
        .arena = arena, .model = e->model, .texts = r->texts + first, .count = count};

    if (!arena)
        return err_no_room(err, "no memory to embed passages");
    if (!e->ask(e->ctx, &call, err))
        return false;
    if (!r->values) {
        r->dim = call.dim;
        r->values = arena_array(r->arena, r->text_count * r->dim, sizeof *r->values);
    }
    if (!r->values)
        return err_arena(err, r->arena);
    if (call.dim != r->dim)
        return err_set(err, ERR_UNAVAILABLE, "the model gave vectors of %u and of %u numbers",
                       r->dim, call.dim);
    memcpy(r->values + first * r->dim, call.values, count * r->dim * sizeof *call.values);
    return true;
}

/* What was forgotten, or is another text, since it was collected is sent to nobody. */
static bool is_there(const struct round *round, const struct vectors_document *d)
{
    struct lexical *index = atomic_load(&round->k->index);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);

    return vectors_is_there(view, d);
}

static bool are_there(const struct round *round, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (!is_there(round, &round->r.documents[i]))
            return false;
    return true;
}

/* Texts that are refused together are asked for one by one, to know which it is. */
static SUSPENDS bool embed_document(struct round *round, struct vectors_document *d,
                                    struct err *err)
{
    for (uint32_t i = 0; i < d->passages; i += round->k->embedder.batch) {
        uint32_t count = MIN_OF(round->k->embedder.batch, d->passages - i);
        struct err why;

        if (!is_there(round, d)) {
            d->failed = true; /* in this round: there is nothing to be kept of it */
            return true;
        }
        if (embed_some(round, d->first + i, count, err))
            continue;
        d->failed = true;
        if (err->code != ERR_INVALID)
            return false;
        why = *err;
        *err = (struct err){0};
        log_warn("document \"" STR_FMT "\" has no vectors and is found by its words alone: %s",
                 STR_ARG(d->key), why.text);
        return vectors_fail(round->k, d, why.text, err);
    }
    return true;
}

/* Whole batches where all goes well; else document by document. */
static SUSPENDS bool embed_all(struct round *round, struct err *err)
{
    struct vectors_round *r = &round->r;
    size_t from = 0;

    while (from < r->document_count) {
        size_t to = from, texts = 0;

        while (to < r->document_count &&
               (to == from || texts + r->documents[to].passages <= round->k->embedder.batch))
            texts += r->documents[to++].passages;
        bool at_once = texts <= round->k->embedder.batch && are_there(round, from, to);
        bool whole = at_once && embed_some(round, r->documents[from].first, texts, err);
        if (!whole && at_once && err->code != ERR_INVALID) {
            r->document_count = from; /* what is done is kept */
            return false;
        }
        for (size_t i = from; i < to && !whole; i++) {
            *err = (struct err){0};
            if (!embed_document(round, &r->documents[i], err)) {
                r->document_count = i;
                return false;
            }
        }
        from = to;
    }
    return true;
}

static SUSPENDS bool make_by_model(struct knowledge *k, bool *more, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(ROUND_ARENA);
    struct err why = {0};
    struct round round = {.k = k, .err = err};

    if (!arena)
        return err_no_room(err, "no memory to embed passages");
    round.r.arena = arena;
    if (!pool_run(k->ingest, run_collect, &round, err) || !round.ok)
        return false;
    if (round.r.document_count == 0)
        return true;
    bool all = embed_all(&round, &why);
    if (round.r.values && round.r.document_count) { /* paid for: a full pool must not lose them */
        pool_run_always(k->ingest, run_keep, &round);
        if (!round.ok)
            return false;
    }
    if (!all)
        *err = why;
    *more = all;
    return all;
}

/* --- a turn ----------------------------------------------------------------------------------- */

struct making_turn {
    struct knowledge *k;
    bool *more, ok;
    struct err *err;
};

static void run_make(void *arg)
{
    struct making_turn *turn = arg;

    turn->ok = vectors_make_now(turn->k, turn->more, turn->err);
}

static SUSPENDS bool make(struct knowledge *k, bool *more, struct err *err)
{
    struct making_turn turn = {.k = k, .more = more, .err = err};

    if (k->embedder.kind == EMBEDDER_MODEL)
        return make_by_model(k, more, err);
    return pool_run(k->ingest, run_make, &turn, err) && turn.ok;
}

static void put_off(struct knowledge *k, const struct err *err)
{
    struct vectors_state *s = k->vectors;
    dur_ns wait = AGAIN_FIRST << MIN_OF(s->refused, 6u);

    s->again = fiber_now() + MIN_OF(wait, AGAIN_MOST);
    s->refused++;
    vectors_problem(k, err->text);
}

bool knowledge_vectors_step(struct knowledge *k, bool *more, struct err *err)
{
    struct vectors_state *s = k->vectors;
    struct lexical *index = k->embedder.kind == EMBEDDER_NONE ? NULL : index_of(k, err);

    *more = false;
    if (!index) {
        *err = (struct err){0}; /* damaged: said elsewhere */
        return true;
    }
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    uint64_t number = lexical_view_number(view);
    if (number == s->done_view || (s->refused && fiber_now() < s->again))
        return true;
    bool still = number == s->seen_view; /* while documents come in, one turn waits for the last */
    s->seen_view = number;
    lexical_release(&view);
    if (!still)
        return true;
    if (!make(k, more, err)) {
        put_off(k, err);
        return false;
    }
    s->refused = 0;
    vectors_went_well(k);
    view = lexical_borrow(index);
    s->seen_view = lexical_view_number(view); /* our own commit is no reason to wait */
    s->done_view = *more || s->seen_view != number ? 0 : number;
    *more = *more || s->done_view == 0;
    return true;
}
