/* What is known of a base's vectors, and the field they stand in. */
#include "knowledge/vectors.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "index/embed.h"
#include "index/latent.h"
#include "knowledge/answer.h"
#include "knowledge/vectors_internal.h"

#define FAILED_ARENA (8 * MIB)

struct vectors_state *vectors_new(struct knowledge *knowledge)
{
    struct vectors_state *s = arena_alloc(knowledge->arena, sizeof *s);

    if (!s)
        return NULL;
    s->failed_arena = arena_new(FAILED_ARENA);
    if (!s->failed_arena)
        return NULL;
    mutex_init(&s->mutex);
    table_init(&s->failed, s->failed_arena, VECTORS_FAILED_MAX);
    return s;
}

void vectors_free(struct vectors_state **state)
{
    struct vectors_state *s = *state;

    if (!s)
        return;
    arena_end(&s->failed_arena);
    mutex_done(&s->mutex);
    *state = NULL;
}

void vectors_problem(struct knowledge *knowledge, const char *text)
{
    struct vectors_state *s = knowledge->vectors;

    mutex_lock(&s->mutex);
    (void)snprintf(s->problem, sizeof s->problem, "%s", text);
    mutex_unlock(&s->mutex);
}

/* --- what a model would not take --------------------------------------------------------------- */

struct refused {
    uint64_t version, content; /* of the document, as struct vectors_document has them */
};

static bool put_refused(struct arena *arena, struct table *to, struct str key,
                        const struct refused *what)
{
    struct refused *copy = arena_alloc(arena, sizeof *copy);
    struct str name = arena_str(arena, key);

    if (!copy || !name.ptr)
        return false;
    *copy = *what;
    return table_put(to, name, copy, NULL);
}

bool vectors_fail(struct knowledge *knowledge, const struct vectors_document *document,
                  const char *why, struct err *err)
{
    const struct refused what = {.version = document->version, .content = document->content};
    struct vectors_state *s = knowledge->vectors;

    vectors_problem(knowledge, why);
    mutex_lock(&s->mutex);
    (void)snprintf(s->refusal, sizeof s->refusal, "%s", why);
    bool noted = put_refused(s->failed_arena, &s->failed, document->key, &what);
    size_t count = s->failed.count;
    mutex_unlock(&s->mutex);
    return noted || err_set(err, ERR_EXHAUSTED,
                            "more documents than the %zu that are known to have no vectors were "
                            "refused, the last one: %s",
                            count, why);
}

static bool is_as_it_was(const struct refused *what, const struct lexical_document_info *document)
{
    struct document_record record;

    return document_record_read(document->record, &record) && record.version == what->version &&
           document_content_sign(&record) == what->content;
}

bool vectors_have_failed(struct knowledge *knowledge, const struct lexical_document_info *document)
{
    struct vectors_state *s = knowledge->vectors;

    mutex_lock(&s->mutex);
    const struct refused *what = table_get(&s->failed, document->key);
    bool failed = what && is_as_it_was(what, document);
    mutex_unlock(&s->mutex);
    return failed;
}

static bool still_stands(const struct lexical_view *view, struct str key,
                         const struct refused *what)
{
    struct lexical_document_info document;

    return lexical_find(view, key, &document) && is_as_it_was(what, &document);
}

static bool all_still_stand(const struct vectors_state *s, const struct lexical_view *view)
{
    struct str key;
    void *what;

    for (size_t at = 0; table_next(&s->failed, &at, &key, &what);)
        if (!still_stands(view, key, what))
            return false;
    return true;
}

/* What does not fit, or cannot be copied, is asked for again. */
void vectors_review(struct knowledge *knowledge, const struct lexical_view *view)
{
    struct vectors_state *s = knowledge->vectors;
    struct arena *arena, *old;
    struct table kept;
    struct str key;
    void *what;

    if (all_still_stand(s, view) || !(arena = arena_new(FAILED_ARENA)))
        return;
    table_init(&kept, arena, s->failed.max);
    for (size_t at = 0; table_next(&s->failed, &at, &key, &what);)
        if (still_stands(view, key, what))
            (void)!put_refused(arena, &kept, key, what);
    mutex_lock(&s->mutex);
    old = s->failed_arena;
    s->failed_arena = arena;
    s->failed = kept;
    mutex_unlock(&s->mutex);
    arena_end(&old);
}

void vectors_went_well(struct knowledge *knowledge)
{
    struct vectors_state *s = knowledge->vectors;

    mutex_lock(&s->mutex);
    (void)snprintf(s->problem, sizeof s->problem, "%s", s->failed.count ? s->refusal : "");
    mutex_unlock(&s->mutex);
}

/* --- the field -------------------------------------------------------------------------------- */

/* "model", its name, and how a passage becomes a text: changed, all are made anew. */
static void fingerprint(const struct knowledge *knowledge, uint8_t out[VECTOR_MODEL_BYTES])
{
    struct sha256 hash = knowledge->embedder.kind == EMBEDDER_HASHED
                             ? sha256(STR("weir hashed 1"))
                             : sha256_two(STR("weir model, title and headings and text 1\n"),
                                          knowledge->embedder.model);

    memcpy(out, hash.bytes, VECTOR_MODEL_BYTES);
}

static struct str field_name(const struct knowledge *knowledge)
{
    return knowledge->embedder.kind == EMBEDDER_HASHED ? STR("hashed") : STR("model");
}

bool vectors_field_make(const struct knowledge *knowledge, uint32_t dim, struct vector_field *out,
                        struct err *err)
{
    uint8_t model[VECTOR_MODEL_BYTES];

    fingerprint(knowledge, model);
    return vector_field_init(out, field_name(knowledge), dim, model, err);
}

bool vectors_field(const struct knowledge *knowledge, const struct lexical_view *view,
                   struct vector_field *out)
{
    struct vector_stats list[VECTOR_FIELDS_MAX];
    uint8_t model[VECTOR_MODEL_BYTES];
    struct latent latent;
    struct vector_field wanted;

    if (knowledge->embedder.kind == EMBEDDER_NONE)
        return false;
    bool learned = knowledge->embedder.kind == EMBEDDER_LATENT;
    if (learned && !latent_of(view, &latent, &wanted))
        return false;
    fingerprint(knowledge, model);
    size_t count = vector_fields(view, list);
    for (size_t i = 0; i < count && i < VECTOR_FIELDS_MAX; i++) {
        const struct vector_field *field = &list[i].field;
        bool fits = learned ? vector_field_eq(field, &wanted)
                            : memcmp(field->model, model, sizeof model) == 0;

        if (!fits || list[i].vectors == 0)
            continue;
        *out = *field;
        return true;
    }
    return false;
}

/* Made by whom, so that what another embedder made is seen for what it is. */
bool vectors_is_ours(const struct knowledge *knowledge, const struct lexical_view *view,
                     const struct vector_field *field)
{
    struct vector_field current;

    return vectors_field(knowledge, view, &current) && vector_field_eq(field, &current);
}

bool vectors_rights(struct lexical_writer *writer, struct str before, struct str after,
                    struct err *err)
{
    return str_eq(before, after) || latent_drop(writer, err);
}

bool vectors_text(struct arena *arena, const struct lexical_hit *hit, struct str *out,
                  struct err *err)
{
    struct document_record record;
    struct passage passage;
    struct buf whole;
    struct str text;

    if (!document_record_read(hit->document_record, &record) ||
        !passage_read(arena, hit->record, &passage))
        return err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit->key));
    if (!passage_text(arena, &passage, &text, err))
        return false;
    size_t len = record.title.len + passage.heading.len + text.len + 2;
    char *room = arena_alloc_raw(arena, len); /* printf would read the texts twice, by characters */
    if (!room)
        return err_arena(err, arena);
    buf_init_fixed(&whole, room, len);
    buf_str(&whole, record.title);
    buf_char(&whole, '\n');
    buf_str(&whole, passage.heading);
    buf_char(&whole, '\n');
    buf_str(&whole, text);
    *out = buf_view(&whole);
    return true;
}

/* --- status ----------------------------------------------------------------------------------- */

void knowledge_vectors(struct knowledge *k, struct vectors_status *out)
{
    static const char *const names[] = {"none", "hashed", "latent", "model"};
    struct vectors_status s = {.embedder = names[k->embedder.kind], .model = k->embedder.model};
    struct err damaged = {0};
    struct lexical *index = index_of(k, &damaged);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct vector_stats list[VECTOR_FIELDS_MAX];
    struct latent latent;
    struct vector_field field;

    mutex_lock(&k->vectors->mutex);
    memcpy(s.problem, k->vectors->problem, sizeof s.problem);
    s.failed = (uint32_t)k->vectors->failed.count;
    mutex_unlock(&k->vectors->mutex);
    if (view) {
        s.passages = lexical_stats(view).passages;
        size_t count = vectors_field(k, view, &field) ? vector_fields(view, list) : 0;
        for (size_t i = 0; i < count && i < VECTOR_FIELDS_MAX; i++)
            if (vector_field_eq(&list[i].field, &field)) {
                s.vectors = list[i].vectors;
                s.graphed = list[i].graphed;
                s.recall = list[i].recall;
            }
        if (k->embedder.kind == EMBEDDER_LATENT && latent_of(view, &latent, &field))
            s.learned_from = latent.learned_from;
    }
    *out = s;
}
