/* Making the vectors that are missing: on the pool, a bounded step at a time. */
#include <math.h>
#include <string.h>

#include "index/embed.h"
#include "index/latent.h"
#include "knowledge/answer.h"
#include "knowledge/vectors_internal.h"

#define MAKE_ARENA      ((size_t)1 * GIB)
#define PASSAGES_LEARNT 2u

struct making {
    struct knowledge *k;
    struct lexical *index;
    struct lexical_view *view;
    struct arena *arena;
    struct lexical_writer *writer; /* NULL until something is to be written */
    uint64_t written;
};

static void end_making(struct making *m)
{
    lexical_abandon(&m->writer);
    lexical_release(&m->view);
    arena_end(&m->arena);
}

static bool begin_making(struct knowledge *k, struct making *m, struct err *err)
{
    *m = (struct making){.k = k, .index = index_of(k, err)};
    if (!m->index)
        return false;
    m->arena = arena_new(MAKE_ARENA);
    if (!m->arena)
        return err_no_room(err, "no memory to make vectors");
    /* Before the view is borrowed: who commits afterwards says so afterwards. */
    atomic_store(&k->is_stale, false);
    if (atomic_load(&k->closing))
        atomic_store(&k->is_stale, true);
    m->view = lexical_borrow(m->index);
    return true;
}

static bool is_over(const struct making *m, struct err *err)
{
    return atomic_load(&m->k->is_stale) &&
           !err_set(err, ERR_CANCELLED, "the index changed while vectors were made of it");
}

/* Only onto what was looked at: a run that came between starts the turn anew. */
static bool writer_of(struct making *m, struct err *err)
{
    if (m->writer)
        return true;
    if (!begin_change(m->k, &m->writer, err))
        return false;
    struct lexical_view *now CLEANUP(lexical_release) = lexical_borrow(m->index);
    return lexical_view_number(now) == lexical_view_number(m->view) ||
           err_set(err, ERR_UNAVAILABLE, "the index changed meanwhile");
}

static bool commit(struct making *m, struct err *err)
{
    if (!m->writer)
        return true;
    bool ok = lexical_commit(&m->writer, err);
    accesses_forget(m->k);
    return ok;
}

/* --- what others made ------------------------------------------------------------------------- */

static bool drop_others(struct making *m, struct err *err)
{
    struct vector_stats list[VECTOR_FIELDS_MAX];
    size_t count = vector_fields(m->view, list);

    for (size_t i = 0; i < count && i < VECTOR_FIELDS_MAX; i++)
        if (!vectors_is_ours(m->k, m->view, &list[i].field) &&
            (!writer_of(m, err) || !vector_drop(m->writer, &list[i].field, err)))
            return false;
    struct latent model;
    struct vector_field field;
    bool learned = latent_of(m->view, &model, &field);
    return !learned || m->k->embedder.kind == EMBEDDER_LATENT ||
           (writer_of(m, err) && latent_drop(m->writer, err));
}

/* --- which documents have none ---------------------------------------------------------------- */

struct walk {
    uint64_t document, passage; /* passage: the document's first */
    struct lexical_document_info info;
};

/* The next document; false behind the last. */
static bool walk_on(const struct making *m, struct walk *w)
{
    if (w->info.key.ptr) {
        w->document++;
        w->passage += w->info.passages;
    }
    if (w->document >= lexical_stats(m->view).documents)
        return false;
    w->info = lexical_document_at(m->view, w->document);
    return true;
}

static bool is_missing(const struct making *m, const struct vector_field *field, float *scratch,
                       const struct walk *w)
{
    for (uint32_t i = 0; i < w->info.passages; i++)
        if (!vector_get(m->view, field, w->passage + i, scratch))
            return true;
    return false;
}

/* A text without a word that counts has no vector, and will have none. */
static bool adds(const struct making *m, const struct vector_field *field, float *scratch,
                 const struct walk *w, const float *values)
{
    for (uint32_t i = 0; i < w->info.passages; i++) {
        const float *v = values + (size_t)i * field->dim;
        bool any = false;

        for (uint32_t d = 0; d < field->dim && !any; d++)
            any = v[d] < 0 || v[d] > 0;
        if (any && !vector_get(m->view, field, w->passage + i, scratch))
            return true;
    }
    return false;
}

static bool keep(struct making *m, const struct vector_field *field, const struct walk *w,
                 const float *values, struct err *err)
{
    if (!writer_of(m, err) ||
        !vector_set(m->writer, w->info.key, field, values, w->info.passages, err))
        return false;
    m->written += w->info.passages;
    return true;
}

/* The run is full, or has worked long enough for one turn: the next goes on. */
static bool is_enough(const struct making *m, const struct vector_field *field)
{
    return m->written * field->dim * sizeof(float) > VECTOR_RUN_BYTES / 2;
}

/* --- hashed ----------------------------------------------------------------------------------- */

static bool hash_document(struct making *m, struct analyser *analyser, const struct walk *w,
                          float *values, struct err *err)
{
    for (uint32_t i = 0; i < w->info.passages; i++) {
        struct lexical_hit hit = lexical_hit_at(m->view, w->passage + i);
        size_t mark = arena_mark(m->arena);
        struct terms terms;
        struct str text;

        if (!vectors_text(m->arena, &hit, &text, err) ||
            !analyser_terms(analyser, m->arena, text, &terms, err))
            return false;
        (void)embed_hashed(&terms, values + (size_t)i * EMBED_HASHED_DIMENSIONS);
        arena_rewind(m->arena, mark);
    }
    return true;
}

static bool make_hashed(struct making *m, bool *more, struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct vector_field field;
    float *scratch = arena_array(m->arena, EMBED_HASHED_DIMENSIONS, sizeof *scratch);

    if (!scratch)
        return err_arena(err, m->arena);
    if (!analyser_open(&analyser, err) ||
        !vectors_field_make(m->k, EMBED_HASHED_DIMENSIONS, &field, err))
        return false;
    for (struct walk w = {0}; !*more && walk_on(m, &w);) {
        size_t mark = arena_mark(m->arena);

        if (is_over(m, err))
            return false;
        if (!is_missing(m, &field, scratch, &w))
            continue;
        float *values = arena_array(m->arena, (size_t)w.info.passages * field.dim, sizeof *values);
        if (!values)
            return err_arena(err, m->arena);
        if (!hash_document(m, analyser, &w, values, err) ||
            (adds(m, &field, scratch, &w, values) && !keep(m, &field, &w, values, err)))
            return false;
        arena_rewind(m->arena, mark);
        *more = is_enough(m, &field);
    }
    return true;
}

/* --- latent ----------------------------------------------------------------------------------- */

static bool everyone_may_read(void *context, uint64_t i, const struct lexical_document_info *info)
{
    struct document_record record;

    (void)context;
    (void)i;
    return document_record_read(info->record, &record) &&
           (record.readers.len == 0 || str_eq(record.readers, STR("everyone")));
}

static bool is_learning_due(const struct making *m, uint64_t open)
{
    struct latent model;
    struct vector_field field;
    if (!latent_of(m->view, &model, &field))
        return open >= PASSAGES_LEARNT;
    return open > model.learned_from + model.learned_from / VECTORS_GROWTH;
}

/* *learned: there is a new model, and nothing has its vectors yet. */
static bool learn(struct making *m, bool *learned, struct err *err)
{
    struct lexical_filter *open;
    struct str bytes;

    *learned = false;
    if (!lexical_filter_make(m->view, m->arena, everyone_may_read, NULL, &open, err))
        return false;
    if (!is_learning_due(m, lexical_filter_passages(open)))
        return true;
    struct latent_lesson lesson = {
        .view = m->view, .filter = open, .limits = &latent_default, .stop = &m->k->is_stale};
    if (!latent_learn(&lesson, m->arena, &bytes, err))
        return false;
    if (!bytes.len)
        return true;
    *learned = true;
    return writer_of(m, err) && latent_set(m->writer, bytes, err);
}

/* Documents stand in a view segment by segment; so do their passages. */
static bool make_latent_of(struct making *m, const struct latent *model,
                           const struct vector_field *field, uint32_t segment, struct walk *w,
                           uint64_t end, struct err *err)
{
    float *scratch = arena_array(m->arena, field->dim, sizeof *scratch), *rows = NULL;
    uint64_t begin = w->passage;

    if (!scratch)
        return err_arena(err, m->arena);
    do {
        if (is_over(m, err))
            return false;
        if (!is_missing(m, field, scratch, w))
            continue;
        if (!rows && !latent_passages(model, m->view, segment, m->arena, &rows, err))
            return false;
        const float *values = rows + (size_t)(w->passage - begin) * field->dim;
        if (adds(m, field, scratch, w, values) && !keep(m, field, w, values, err))
            return false;
    } while (walk_on(m, w) && w->passage < end);
    return true;
}

static bool make_latent(struct making *m, bool *more, struct err *err)
{
    struct latent model;
    struct vector_field field;
    struct walk w = {0};
    bool learned;

    if (!learn(m, &learned, err))
        return false;
    *more = learned;
    if (learned || !latent_of(m->view, &model, &field) || !walk_on(m, &w))
        return true;
    for (uint32_t s = 0; s < lexical_stats(m->view).segments && !*more; s++) {
        size_t mark = arena_mark(m->arena);
        uint64_t end = w.passage + lexical_segment_passages(m->view, s);

        if (!make_latent_of(m, &model, &field, s, &w, end, err))
            return false;
        arena_rewind(m->arena, mark);
        *more = is_enough(m, &field);
    }
    return true;
}

bool vectors_make_now(struct knowledge *k, bool *more, struct err *err)
{
    struct making m;

    *more = false;
    bool ok = begin_making(k, &m, err) && drop_others(&m, err);
    if (ok && k->embedder.kind == EMBEDDER_HASHED)
        ok = make_hashed(&m, more, err);
    else if (ok && k->embedder.kind == EMBEDDER_LATENT)
        ok = make_latent(&m, more, err);
    *more = *more || (ok && m.written > 0);
    ok = ok && commit(&m, err);
    end_making(&m);
    if (ok || err->code != ERR_CANCELLED || atomic_load(&k->closing))
        return ok;
    *err = (struct err){0}; /* nothing went wrong: the next turn makes them of what is there now */
    *more = true;
    return true;
}

/* --- for a provider --------------------------------------------------------------------------- */

/* Another text under the same id may have as many passages. */
bool vectors_is_there(const struct lexical_view *view, const struct vectors_document *d)
{
    struct lexical_document_info info;
    struct document_record record;

    return lexical_find(view, d->key, &info) && info.passages == d->passages &&
           document_record_read(info.record, &record) && record.version == d->version &&
           document_content_sign(&record) == d->content;
}

static bool describe(const struct walk *w, struct arena *arena, struct vectors_document *out,
                     struct err *err)
{
    struct document_record record;

    if (!document_record_read(w->info.record, &record))
        return err_set(err, ERR_INTERNAL, "could not read the record of document \"" STR_FMT "\"",
                       STR_ARG(w->info.key));
    *out = (struct vectors_document){.key = arena_str(arena, w->info.key),
                                     .version = record.version,
                                     .content = document_content_sign(&record),
                                     .passages = w->info.passages};
    return out->key.ptr || err_arena(err, arena);
}

static bool collect_document(struct making *m, const struct walk *w, struct vectors_round *r,
                             struct err *err)
{
    struct vectors_document *d = &r->documents[r->document_count];

    if (!describe(w, r->arena, d, err))
        return false;
    d->first = (uint32_t)r->text_count;
    r->document_count++;
    for (uint32_t i = 0; i < w->info.passages; i++) {
        struct lexical_hit hit = lexical_hit_at(m->view, w->passage + i);
        size_t mark = arena_mark(m->arena);
        struct str text;

        if (!vectors_text(m->arena, &hit, &text, err))
            return false;
        r->texts[r->text_count] = arena_str(r->arena, text);
        if (!r->texts[r->text_count++].ptr)
            return err_arena(err, r->arena);
        arena_rewind(m->arena, mark);
    }
    return true;
}

/* One that is not noted is left out all the same, each time. */
static bool leave_out(struct making *m, const struct walk *w, struct err *err)
{
    struct vectors_document d;
    struct err full = {0};

    if (!describe(w, m->arena, &d, err))
        return false;
    (void)!vectors_fail(m->k, &d, "a document has more passages than are embedded at once", &full);
    return true;
}

static bool collect(struct making *m, struct vectors_round *r, struct err *err)
{
    struct vector_field field = {.dim = 0};
    bool some = vectors_field(m->k, m->view, &field);
    float *scratch = arena_array(m->arena, VECTOR_DIM_MAX, sizeof *scratch);

    r->documents = arena_array(r->arena, VECTORS_ROUND, sizeof *r->documents);
    r->texts = arena_array(r->arena, VECTORS_PASSAGES_MAX, sizeof *r->texts);
    if (!scratch || !r->documents || !r->texts)
        return err_arena(err, r->arena);
    vectors_review(m->k, m->view);
    for (struct walk w = {0}; r->text_count < VECTORS_ROUND && walk_on(m, &w);) {
        if (w.info.passages == 0 || vectors_have_failed(m->k, &w.info) ||
            (some && !is_missing(m, &field, scratch, &w)))
            continue;
        if (r->text_count + w.info.passages > VECTORS_PASSAGES_MAX && r->text_count > 0)
            break;
        if (!(w.info.passages > VECTORS_PASSAGES_MAX ? leave_out(m, &w, err)
                                                     : collect_document(m, &w, r, err)))
            return false;
    }
    return true;
}

bool vectors_collect_now(struct knowledge *k, struct vectors_round *r, struct err *err)
{
    struct making m;
    bool ok = begin_making(k, &m, err) && drop_others(&m, err) && commit(&m, err);

    /* What was dropped made another view: the next turn looks at that. */
    ok = ok && collect(&m, r, err);
    end_making(&m);
    return ok;
}

/* Zeros, or what is no number, are no vector: asked for again they would be paid again, for ever. */
static bool are_vectors(const float *values, uint32_t passages, uint32_t dim)
{
    for (uint32_t i = 0; i < passages; i++) {
        const float *v = values + (size_t)i * dim;
        float sum = 0;

        for (uint32_t d = 0; d < dim; d++)
            sum += fabsf(v[d]);
        if (!isfinite(sum) || sum <= 0)
            return false;
    }
    return true;
}

/* A document that changed meanwhile is left to the next turn. */
bool vectors_keep_now(struct knowledge *k, const struct vectors_round *r, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    struct lexical_view *view CLEANUP(lexical_release) = NULL;
    struct vector_field field;
    struct err full = {0};

    if (!vectors_field_make(k, r->dim, &field, err) || !begin_change(k, &writer, err))
        return false;
    view = lexical_borrow(index_of(k, err)); /* with the writer held nothing changes in it */
    for (size_t i = 0; i < r->document_count; i++) {
        const struct vectors_document *d = &r->documents[i];
        struct err why = {0};

        if (!vectors_is_there(view, d))
            continue;
        if (!d->failed &&
            !are_vectors(r->values + (size_t)d->first * r->dim, d->passages, r->dim)) {
            (void)!vectors_fail(k, d, "the model gave a vector of zeros, or of what are no numbers",
                                &full);
            continue;
        }
        if (d->failed || vector_set(writer, d->key, &field, r->values + (size_t)d->first * r->dim,
                                    d->passages, &why))
            continue;
        if (why.code != ERR_NOT_FOUND && why.code != ERR_INVALID) {
            *err = why;
            return false;
        }
    }
    lexical_release(&view);
    bool ok = lexical_commit(&writer, err);
    accesses_forget(k);
    if (ok && full.code) {
        *err = full;
        return false;
    }
    return ok;
}
