#include "index/latent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "index/embed.h"
#include "test.h"

#define TEXTS 120

/* Three subjects of forty words each. Of the first, half of the texts say "car", half "automobile", and
 * none says both. */
static struct str text_number(size_t i, struct arena *arena)
{
    struct buf b;
    uint32_t seed = (uint32_t)i * 2654435761u + 1;

    buf_init(&b, arena, KIB);
    if (i % 3 == 0)
        buf_str(&b, i % 2 ? STR("car ") : STR("automobile "));
    if (i % 3 == 1)
        buf_str(&b, STR("bread "));
    for (int word = 0; word < 14; word++) {
        seed = seed * 1103515245u + 12345u;
        buf_fmt(&b, "word%zux%u ", i % 3, seed >> 16 & 31);
    }
    buf_char(&b, 0);
    return str_from(buf_view(&b).ptr);
}

static struct lexical *index_of_texts(const char *dir, bool backwards, const char *extra)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct lexical *index = NULL;
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};
    size_t count = TEXTS + (extra != NULL);
    bool ok = lexical_open(dir, &index, &err) && lexical_begin(index, &w, &err);

    for (size_t n = 0; ok && n < count; n++) {
        size_t i = backwards ? count - 1 - n : n;
        struct str text = i < TEXTS ? text_number(i, arena) : str_from(extra);
        char key[8];
        struct lexical_passage passage = {.text = text, .record = text};

        (void)snprintf(key, sizeof key, "d%03zu", i);
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

/* A question in one word finds the texts of its subject that say the other, which no index of words does. */
TEST(texts_of_the_same_subject_are_near)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = index_of_texts(test_dir(), false, NULL);
    struct latent model = {0};
    struct err err = {0};
    float asked[16], text[16], same = 0, other = 0;

    EXPECT(latent_read(learn(index, arena), &model, &err), "%s", err.text);
    EXPECT(model.learned_from == TEXTS);
    vector_of(&model, "word0x1 word0x2 word0x3 car", asked);
    EXPECT(fabsf(cosine(asked, asked, 16) - 1) < 1e-4f);
    for (size_t i = 0; i < TEXTS; i++) {
        vector_of(&model, text_number(i, arena).ptr, text);
        if (i % 3 == 0 && i % 2 == 0) /* "automobile" */
            same += cosine(asked, text, 16) / (TEXTS / 6);
        if (i % 3 != 0)
            other += cosine(asked, text, 16) / (2 * TEXTS / 3);
    }
    EXPECT(same > 0.2f && same > other + 0.2f, "%g and %g", (double)same, (double)other);
    vector_of(&model, "zeppelin", asked);
    EXPECT(cosine(asked, asked, 16) == 0, "a word it does not know has no vector");
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
    for (size_t i = 0; i < TEXTS; i++) {
        vector_of(&model, text_number(i, arena).ptr, one);
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
        index_of_texts(dirs[2], false, "a secret car that eats bread word0x1 word1x1");
    struct str first = learn(a, arena);

    EXPECT(first.len > 0 && str_eq(first, learn(b, arena)), "in another order");
    EXPECT(!str_eq(first, learn(c, arena)));
    EXPECT(drop(c, "d120"));
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

/* A word that all passages have tells none from another: of two passages no word can tell anything. */
TEST(two_passages_teach_nothing_or_numbers)
{
    static const char *const texts[][3] = {
        {"water pump", "water hose"},
        {"water pump", "water pump"},
        {"water pump", "water hose", "garden hose"},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct lexical *index CLEANUP(lexical_close) = NULL;
        struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
        struct latent model = {0};
        struct err err = {0};
        float vector[16] = {0};

        REQUIRE(lexical_open(test_dir(), &index, &err) && lexical_begin(index, &w, &err));
        for (size_t k = 0; k < ARRAY_LEN(texts[i]) && texts[i][k]; k++) {
            char key[4] = {'d', (char)('0' + k)};
            struct lexical_passage passage = {.text = str_from(texts[i][k])};
            struct lexical_document document = {
                .key = str_from(key), .passages = &passage, .passage_count = 1};

            REQUIRE(lexical_add(w, &document, &err), "%s", err.text);
        }
        REQUIRE(lexical_commit(&w, &err), "%s", err.text);
        struct str bytes = learn(index, arena);
        if (!bytes.len)
            continue;
        REQUIRE(latent_read(bytes, &model, &err), "%s", err.text);
        vector_of(&model, "water hose", vector);
        for (uint32_t k = 0; k < model.dimensions; k++)
            EXPECT(isfinite(vector[k]), "texts %zu, number %u", i, k);
    }
}

TEST(learning_can_be_stopped)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = index_of_texts(test_dir(), false, NULL);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    atomic_bool stop = true;
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

    for (size_t len = 0; len < bytes.len; len += 1 + len / 100) {
        struct err err = {0};
        char *cut = malloc(len + 1);

        memcpy(cut, bytes.ptr, len);
        EXPECT(!latent_read((struct str){cut, len}, &model, &err) && err.code == ERR_UNAVAILABLE);
        free(cut);
    }
    for (size_t at = 0; at < bytes.len && at < 3000; at++) {
        struct err err = {0};
        char *bent = malloc(bytes.len);

        memcpy(bent, bytes.ptr, bytes.len);
        bent[at] = (char)(bent[at] ^ 0x41);
        if (latent_read((struct str){bent, bytes.len}, &model, &err))
            vector_of(&model, "car bread word0x1", vector);
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
    EXPECT(largest == 66 && fabsf(v[66] - 0.210352f) < 1e-5f, "%zu %.6f", largest,
           (double)v[largest]);
}
