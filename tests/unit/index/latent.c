#include "index/latent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/embed.h"
#include "test.h"

static const char *const texts[] = {
    "the car needs an engine and wheels on the road",
    "an automobile needs an engine and wheels for the road",
    "the driver of a car on the road",
    "the driver of an automobile on the road",
    "engine oil for car and driver",
    "engine oil for automobile and driver",
    "a recipe for bread with flour and yeast in the oven",
    "bake the bread of flour in a hot oven",
    "yeast and flour make the bread rise in the oven",
    "a cake is baked in the oven from flour",
};

static struct lexical *index_of_texts(const char *dir, bool backwards, const char *extra)
{
    struct lexical *index = NULL;
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};
    size_t count = ARRAY_LEN(texts) + (extra != NULL);
    bool ok = lexical_open(dir, &index, &err) && lexical_begin(index, &w, &err);

    for (size_t n = 0; ok && n < count; n++) {
        size_t i = backwards ? count - 1 - n : n;
        const char *text = i < ARRAY_LEN(texts) ? texts[i] : extra;
        char key[8];
        struct lexical_passage passage = {.text = str_from(text), .record = str_from(text)};

        (void)snprintf(key, sizeof key, "d%02zu", i);
        struct lexical_document document = {
            .key = str_from(key), .passages = &passage, .passage_count = 1};
        ok = lexical_add(w, &document, &err);
    }
    if (ok)
        lexical_compact(w);
    ok = ok && lexical_commit(&w, &err);
    EXPECT(ok, "%s", err.text);
    return index;
}

static bool drop(struct lexical *index, const char *key)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};

    if (!lexical_begin(index, &w, &err) || !lexical_remove(w, str_from(key), &err))
        return false;
    lexical_compact(w);
    return lexical_commit(&w, &err);
}

static const struct latent_limits small = {.dimensions = 16,
                                           .words = 100,
                                           .passages = 1000,
                                           .rounds = 3};

static struct str learn(struct lexical *index, struct arena *arena)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct latent_lesson lesson = {.view = view, .limits = &small};
    struct str bytes = STR_NONE;
    struct err err = {0};

    EXPECT(latent_learn(&lesson, arena, &bytes, &err), "%s", err.text);
    return bytes;
}

static void vector_of(const struct latent *model, const char *text, float *out)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms = {0};
    struct err err = {0};

    EXPECT(analyser_open(&analyser, &err) &&
               analyser_terms(analyser, arena, str_from(text), &terms, &err),
           "%s", err.text);
    (void)latent_vector(model, &terms, out);
}

static float cosine(const float *a, const float *b, uint32_t n)
{
    float sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

TEST(words_of_like_company_are_near)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = index_of_texts(test_dir(), false, NULL);
    struct latent model = {0};
    struct err err = {0};
    float car[16], automobile[16], bread[16], nothing[16];

    EXPECT(latent_read(learn(index, arena), &model, &err), "%s", err.text);
    EXPECT(model.learned_from == ARRAY_LEN(texts));
    vector_of(&model, "car", car);
    vector_of(&model, "automobile", automobile);
    vector_of(&model, "bread", bread);
    EXPECT(fabsf(cosine(car, car, 16) - 1) < 1e-4f);
    EXPECT(cosine(car, automobile, 16) > 0.3f, "%g", (double)cosine(car, automobile, 16));
    EXPECT(cosine(car, automobile, 16) > cosine(car, bread, 16) + 0.3f);
    vector_of(&model, "zeppelin", nothing);
    EXPECT(cosine(nothing, nothing, 16) == 0, "a word it does not know has no vector");
}

TEST(passages_have_the_vectors_of_their_texts)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = index_of_texts(test_dir(), false, NULL);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct latent model = {0};
    struct err err = {0};
    float *all = NULL, one[16];

    EXPECT(latent_read(learn(index, arena), &model, &err), "%s", err.text);
    EXPECT(latent_passages(&model, view, 0, arena, &all, &err), "%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        vector_of(&model, texts[i], one);
        for (uint32_t k = 0; k < 16; k++)
            EXPECT(fabsf(one[k] - all[i * 16 + k]) < 1e-4f, "%zu: %u", i, k);
    }
}

TEST(a_model_is_decided_by_what_is_there)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    char dirs[3][512];

    for (int i = 0; i < 3; i++)
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%d", test_dir(), i);
    struct lexical *a CLEANUP(lexical_close) = index_of_texts(dirs[0], false, NULL);
    struct lexical *b CLEANUP(lexical_close) = index_of_texts(dirs[1], true, NULL);
    struct lexical *c CLEANUP(lexical_close) =
        index_of_texts(dirs[2], false, "the secret zeppelin needs an engine and an oven");
    struct str first = learn(a, arena);

    EXPECT(first.len > 0 && str_eq(first, learn(b, arena)), "in another order");
    EXPECT(!str_eq(first, learn(c, arena)));
    EXPECT(drop(c, "d10"));
    EXPECT(str_eq(first, learn(c, arena)), "as if the document never had been there");
}

TEST(too_little_to_learn_from)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index = NULL;
    struct err err = {0};

    EXPECT(lexical_open(test_dir(), &index, &err), "%s", err.text);
    EXPECT(learn(index, arena).len == 0);
    lexical_close(&index);
}

TEST(learning_can_be_stopped)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = index_of_texts(test_dir(), false, NULL);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    volatile bool stop = true;
    struct latent_lesson lesson = {.view = view, .limits = &small, .stop = &stop};
    struct str bytes;
    struct err err = {0};

    EXPECT(!latent_learn(&lesson, arena, &bytes, &err) && err.code == ERR_CANCELLED);
}

/* Cut or bent anywhere in its head: refused, or read within its bounds (the sanitizers look). */
TEST(a_damaged_model_is_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = index_of_texts(test_dir(), false, NULL);
    struct str bytes = learn(index, arena);
    struct latent model;
    float vector[LATENT_DIMENSIONS_MAX];

    for (size_t len = 0; len < bytes.len; len++) {
        struct err err = {0};
        char *cut = malloc(len + 1);

        memcpy(cut, bytes.ptr, len);
        EXPECT(!latent_read((struct str){cut, len}, &model, &err) && err.code == ERR_UNAVAILABLE);
        free(cut);
    }
    for (size_t at = 0; at < bytes.len && at < 600; at++) {
        struct err err = {0};
        char *bent = malloc(bytes.len);

        memcpy(bent, bytes.ptr, bytes.len);
        bent[at] = (char)(bent[at] ^ 0x41);
        if (latent_read((struct str){bent, bytes.len}, &model, &err))
            vector_of(&model, "car engine bread", vector);
        free(bent);
    }
}

/* --- hashed ----------------------------------------------------------------------------------- */

static bool hashed(const char *text, float out[EMBED_HASHED_DIMENSIONS])
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms = {0};
    struct err err = {0};

    EXPECT(analyser_open(&analyser, &err) &&
               analyser_terms(analyser, arena, str_from(text), &terms, &err),
           "%s", err.text);
    return embed_hashed(&terms, out);
}

static const struct {
    const char *name, *text, *near, *far;
} hashed_cases[] = {
    {"a misspelling", "the insurance policy", "an insurrance polcy", "the holiday calendar"},
    {"another form", "waterproofing", "a waterproof roof", "fire brigade"},
    {"order does not matter", "flood damage limit", "limit of flood damage", "travel expenses"},
    {"Chinese, cut differently", "水损保险的赔偿", "保险赔偿水损", "年假申请流程"},
    {"one character of a word", "报销单", "报销", "会议室"},
};

TEST(hashed_vectors)
{
    static float text[EMBED_HASHED_DIMENSIONS], near[EMBED_HASHED_DIMENSIONS],
        far[EMBED_HASHED_DIMENSIONS];

    for (size_t i = 0; i < ARRAY_LEN(hashed_cases); i++) {
        EXPECT(hashed(hashed_cases[i].text, text) && hashed(hashed_cases[i].near, near) &&
               hashed(hashed_cases[i].far, far));
        float good = cosine(text, near, EMBED_HASHED_DIMENSIONS);

        EXPECT(fabsf(cosine(text, text, EMBED_HASHED_DIMENSIONS) - 1) < 1e-4f);
        EXPECT(good > 0.2f && good > 2 * cosine(text, far, EMBED_HASHED_DIMENSIONS),
               "%s: %g and %g", hashed_cases[i].name, (double)good,
               (double)cosine(text, far, EMBED_HASHED_DIMENSIONS));
    }
    EXPECT(!hashed("?!", text), "no words, no vector");
    EXPECT(!hashed("the of and", text), "words that say nothing are none");
}

/* What was kept on disk must mean the same to the next version: a change of this needs another key. */
TEST(hashed_vectors_stay_what_they_are)
{
    static float v[EMBED_HASHED_DIMENSIONS];
    size_t largest = 0;

    EXPECT(hashed("Water damage is covered. 水损由保险承担。", v));
    for (size_t i = 1; i < EMBED_HASHED_DIMENSIONS; i++)
        if (fabsf(v[i]) > fabsf(v[largest]))
            largest = i;
    EXPECT(largest == 0, "%zu %.6f", largest, (double)v[largest]);
}
