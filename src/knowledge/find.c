/* Passages for a question: by its words, and by vectors where there are some. */
#include <math.h>
#include <stdlib.h>

#include "index/embed.h"
#include "index/latent.h"
#include "knowledge/fuse.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/rerank.h"
#include "knowledge/vectors.h"

struct finding {
    const struct access *access;
    const struct find_wish *wish;
    struct arena *arena;
    struct vector_field field;
    const float *vector;
    struct fuse_item *items;
    size_t count;
};

static bool by_words(const struct access *access, struct arena *arena, const struct terms *terms,
                     size_t limit, struct lexical_hits *out, struct err *err)
{
    struct lexical_query query = {.terms = terms, .filter = access->filter, .limit = limit};

    return lexical_search(access->view, arena, &query, out, err);
}

/* *out NULL: the question has no vector, as its words are unknown or its model was not to be had. */
static bool vector_of(const struct finding *f, const float **out, struct err *err)
{
    const struct knowledge *k = f->wish->knowledge;
    float *values;
    struct latent model;
    struct vector_field field;
    bool known = false;

    *out = NULL;
    if (k->embedder.kind == EMBEDDER_MODEL) {
        if (f->wish->question->vector && f->wish->question->dim == f->field.dim)
            *out = f->wish->question->vector;
        return true;
    }
    values = arena_array(f->arena, f->field.dim, sizeof *values);
    if (!values)
        return err_arena(err, f->arena);
    if (k->embedder.kind == EMBEDDER_HASHED)
        known = embed_hashed(f->wish->terms, values);
    else if (latent_of(f->access->view, &model, &field))
        known = latent_vector(&model, f->wish->terms, values);
    *out = known ? values : NULL;
    return true;
}

static int compare_passages(const void *a, const void *b)
{
    const struct fuse_item *left = a, *right = b;

    if (left->passage != right->passage)
        return left->passage < right->passage ? -1 : 1;
    return (left->lexical < right->lexical) - (left->lexical > right->lexical);
}

/* The best of both, each once: by number, where one that both found has its score by words first. */
static bool unite(struct finding *f, const struct lexical_hits *words,
                  const struct lexical_hits *vectors, struct err *err)
{
    size_t n = words->count + vectors->count, kept = 0;

    f->items = arena_array(f->arena, n + 1, sizeof *f->items);
    if (!f->items)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < n; i++)
        f->items[i] =
            i < words->count
                ? (struct fuse_item){.passage = words->at[i].passage, .lexical = words->at[i].score}
                : (struct fuse_item){.passage = vectors->at[i - words->count].passage};
    qsort(f->items, n, sizeof *f->items, compare_passages);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || f->items[kept - 1].passage != f->items[i].passage)
            f->items[kept++] = f->items[i];
    f->count = kept;
    return true;
}

static bool score_vectors(struct finding *f, struct err *err)
{
    uint64_t *passages = arena_array(f->arena, f->count + 1, sizeof *passages);
    float *scores = arena_array(f->arena, f->count + 1, sizeof *scores);
    const struct lexical_vector asked = {&f->field, f->vector};

    if (!passages || !scores)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < f->count; i++)
        passages[i] = f->items[i].passage;
    if (!vector_scores(f->access->view, &asked, passages, f->count, scores, err))
        return false;
    for (size_t i = 0; i < f->count; i++)
        f->items[i].vector = scores[i];
    return true;
}

/* Scores are told as BM25 has them: what the vectors add is in its measure. */
static bool write_hits(const struct finding *f, float ideal, struct lexical_hits *out,
                       struct err *err)
{
    size_t count = MIN_OF(f->count, f->wish->limit);

    out->at = arena_array(f->arena, count + 1, sizeof *out->at);
    if (!out->at)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < count; i++) {
        out->at[i] = lexical_hit_at(f->access->view, f->items[i].passage);
        out->at[i].score = f->items[i].score * (ideal > 0 ? ideal : 1);
    }
    out->count = count;
    return true;
}

static enum fuse_leg leg_of(enum embedder_kind kind)
{
    return kind == EMBEDDER_HASHED   ? FUSE_HASHED
           : kind == EMBEDDER_LATENT ? FUSE_LATENT
                                     : FUSE_MODEL;
}

static bool by_both(struct finding *f, struct lexical_hits *out, struct err *err)
{
    const struct access *access = f->access;
    struct vector_query query = {
        .field = &f->field, .values = f->vector, .filter = access->filter, .limit = FUSE_DEPTH};
    struct lexical_hits words, vectors;
    uint32_t asked;

    if (!by_words(access, f->arena, f->wish->terms, MAX_OF(f->wish->limit, (size_t)FUSE_DEPTH),
                  &words, err) ||
        !vector_search(access->view, f->arena, &query, &vectors, err) ||
        !unite(f, &words, &vectors, err) || !score_vectors(f, err))
        return false;
    float ideal = fuse_ideal(access->view, access->filter, f->wish->terms, &asked);
    struct fuse_signs signs = fuse_signs_of(f->items, f->count, ideal, asked);
    const struct embedder_options *e = &f->wish->knowledge->embedder;
    const float said[FUSE_FEATURES] = {[U_WORDS] = 1, [U_COSINE] = (float)e->weight / 100};
    fuse_by(e->weight ? said : fuse_weights[leg_of(e->kind)], &signs, f->items, f->count);
    return write_hits(f, ideal, out, err);
}

/* As the reranker had them, when the index is still the one it was shown; else it is searched anew. */
static bool in_order(const struct finding *f, struct lexical_hits *out, struct err *err)
{
    const struct reranked *r = f->wish->question->order;
    size_t count = MIN_OF(r->count, f->wish->limit);

    out->at = arena_array(f->arena, count + 1, sizeof *out->at);
    if (!out->at)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < count; i++) {
        out->at[i] = lexical_hit_at(f->access->view, r->passages[i]);
        out->at[i].score = r->scores[i];
    }
    out->count = count;
    return true;
}

static bool is_in_order(const struct finding *f)
{
    const struct reranked *r = f->wish->question ? f->wish->question->order : NULL;

    return r && r->view == lexical_view_number(f->access->view) &&
           (r->count >= f->wish->limit || r->count < f->wish->knowledge->reranker.passages);
}

bool find_passages(const struct access *access, struct arena *arena, const struct find_wish *wish,
                   struct lexical_hits *out, struct err *err)
{
    struct finding f = {.access = access, .wish = wish, .arena = arena};

    if (is_in_order(&f))
        return in_order(&f, out, err);
    if (wish->knowledge && vectors_field(wish->knowledge, access->view, &f.field) &&
        !vector_of(&f, &f.vector, err))
        return false;
    return f.vector ? by_both(&f, out, err)
                    : by_words(access, arena, wish->terms, wish->limit, out, err);
}
