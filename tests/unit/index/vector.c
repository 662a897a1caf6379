/* Vectors: found by their cosine, kept and removed with their passages, refused when damaged. */
#include "index/vector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/pages.h"
#include "index/lexical_writer.h"
#include "index/vector_file.h"
#include "test.h"

#define DIM 40

struct rng {
    uint64_t state;
};

static uint64_t rng_below(struct rng *rng, uint64_t below)
{
    rng->state = rng->state * 6364136223846793005u + 1442695040888963407u;
    return (rng->state >> 33) % below;
}

static void draw(struct rng *rng, uint32_t dim, float *out)
{
    for (uint32_t i = 0; i < dim; i++)
        out[i] = (float)rng_below(rng, 2001) / 1000.0F - 1.0F;
}

static struct vector_field field_of(const char *name, uint32_t dim, uint8_t model)
{
    const uint8_t print[VECTOR_MODEL_BYTES] = {model};
    struct vector_field field = {0};
    struct err err = {0};

    EXPECT(vector_field_init(&field, str_from(name), dim, print, &err), "%s", err.text);
    return field;
}

static struct lexical *open_index(const char *dir)
{
    struct lexical *index = NULL;
    struct err err = {0};

    if (!lexical_open(dir, &index, &err))
        EXPECT(false, "%s", err.text);
    return index;
}

/* A document of two passages, one with its vector, the other with the one turned round. */
static bool add(struct lexical_writer *w, const char *key, const struct vector_field *field,
                const float *values, struct err *err)
{
    float turned[DIM];

    for (uint32_t i = 0; i < field->dim; i++)
        turned[i] = -values[i];
    struct lexical_vector vectors[2] = {{field, values}, {field, turned}};
    struct lexical_passage passages[2] = {
        {.text = STR("apples"), .record = STR("first"), .vectors = &vectors[0], .vector_count = 1},
        {.text = STR("pears"), .record = STR("second"), .vectors = &vectors[1], .vector_count = 1},
    };
    struct lexical_document document = {str_from(key), STR("record"), passages, 2};

    return lexical_add(w, &document, err);
}

static bool add_one(struct lexical *index, const char *key, const struct vector_field *field,
                    const float *values, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && add(w, key, field, values, err) &&
           lexical_commit(&w, err);
}

/* Keys and records of the hits, best first, a space after each. */
static void search(struct lexical *index, const struct vector_field *field, const float *values,
                   size_t limit, char out[256])
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct vector_query query = {.field = field, .values = values, .limit = limit};
    struct lexical_hits hits = {0};
    struct err err = {0};
    size_t len = 0;

    out[0] = 0;
    if (!vector_search(view, arena, &query, &hits, &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < hits.count; i++) {
        EXPECT(i == 0 || hits.at[i].score <= hits.at[i - 1].score);
        len += (size_t)snprintf(out + len, 256 - len, STR_FMT "/" STR_FMT " ",
                                STR_ARG(hits.at[i].key), STR_ARG(hits.at[i].record));
    }
}

TEST(a_vector_finds_its_nearest)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct vector_field field = field_of("test", 3, 1);
    struct err err = {0};
    char got[256];

    REQUIRE(index);
    REQUIRE(add_one(index, "x", &field, (float[]){1, 0, 0}, &err), "%s", err.text);
    REQUIRE(add_one(index, "y", &field, (float[]){0, 5, 0}, &err), "%s", err.text);
    REQUIRE(add_one(index, "xy", &field, (float[]){2, 2, 0}, &err), "%s", err.text);
    search(index, &field, (float[]){3, 1, 0}, 4, got);
    EXPECT(strcmp(got, "x/first xy/first y/first y/second ") == 0, "%s", got);
    search(index, &field, (float[]){0, -0.1F, 0}, 2, got);
    EXPECT(strcmp(got, "y/second xy/second ") == 0, "%s", got);
    search(index, &field, (float[]){0, 0, 1}, 9, got);
    EXPECT(strcmp(got, "x/first x/second xy/first xy/second y/first y/second ") == 0,
           "equals by their documents' keys: %s", got);
    search(index, &field, (float[]){0, 0, 0}, 9, got);
    EXPECT(strcmp(got, "") == 0, "%s", got);
    struct vector_field other = field_of("test", 3, 2);
    search(index, &other, (float[]){1, 0, 0}, 9, got);
    EXPECT(strcmp(got, "") == 0, "another model's vectors are not compared: %s", got);
}

/* --- with their passages ---------------------------------------------------------------------- */

static bool begin_and(struct lexical *index, bool (*change)(struct lexical_writer *, struct err *),
                      struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && change(w, err) && lexical_commit(&w, err);
}

static bool remove_secret(struct lexical_writer *w, struct err *err)
{
    return lexical_remove(w, STR("secret"), err);
}

static bool compact(struct lexical_writer *w, struct err *err)
{
    (void)err;
    lexical_compact(w);
    return true;
}

static struct str bytes_of(const char *dir, const char *ending, struct arena *arena, size_t *count)
{
    struct str *names, all = STR_NONE;
    struct err err = {0};
    size_t listed;
    struct buf b;

    *count = 0;
    buf_init(&b, arena, 64 * MIB);
    if (!file_list(arena, dir, 1000, &names, &listed, &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < listed; i++) {
        char path[512];
        struct str bytes;

        if (!str_ends(names[i], str_from(ending)))
            continue;
        ++*count;
        (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[i]));
        if (!file_load(arena, path, 16 * MIB, &bytes, &err))
            EXPECT(false, "%s", err.text);
        buf_str(&b, bytes);
    }
    EXPECT(buf_finish(&b, &all, &err));
    return all;
}

static struct str needle(const float *values, uint32_t dim, char bytes[2 * VECTOR_DIM_MAX])
{
    float unit[DIM];

    EXPECT(dim <= DIM && vector_normalise(values, dim, unit));
    for (uint32_t i = 0; i < dim; i++) {
        uint16_t half = vector_half(unit[i]);

        memcpy(bytes + 2 * (size_t)i, &half, 2);
    }
    return (struct str){bytes, 2 * (size_t)dim};
}

/* Forty documents in runs of `each`, in two fields; where `secret`, one more in their midst. */
static bool fill(struct lexical *index, int each, const float *secret, struct err *err)
{
    const struct vector_field fields[] = {field_of("one", DIM, 1), field_of("two", 7, 1)};
    struct rng rng = {42};

    for (int i = 0; i < 40; i += each) {
        struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

        if (!lexical_begin(index, &w, err))
            return false;
        for (int k = i; k < i + each; k++) {
            float values[DIM];
            char key[16];

            draw(&rng, DIM, values);
            (void)snprintf(key, sizeof key, "k%d", k * 17 % 40);
            if (!add(w, key, &fields[k % 2], values, err))
                return false;
        }
        if (secret && i == 20 && !add(w, "secret", &fields[0], secret, err))
            return false;
        if (!lexical_commit(&w, err))
            return false;
    }
    return true;
}

TEST(no_byte_of_a_removed_vector_is_left)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    char dirs[2][256], bytes[2 * VECTOR_DIM_MAX];
    struct rng rng = {7};
    struct err err = {0};
    float secret[DIM];
    size_t files;

    for (int i = 0; i < 2; i++)
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%d", test_dir(), i);
    struct lexical *with CLEANUP(lexical_close) = open_index(dirs[0]);
    struct lexical *never CLEANUP(lexical_close) = open_index(dirs[1]);
    draw(&rng, DIM, secret);
    REQUIRE(with && never && fill(with, 10, secret, &err) && fill(never, 40, NULL, &err), "%s",
            err.text);
    struct str what = needle(secret, DIM, bytes);
    struct str all = bytes_of(dirs[0], ".vectors", arena, &files);
    EXPECT(str_find(all, what) < all.len && files > 2, "it is there: %zu files", files);
    REQUIRE(begin_and(with, remove_secret, &err), "%s", err.text);
    all = bytes_of(dirs[0], "", arena, &files);
    EXPECT(str_find(all, what) == all.len, "and gone with its passage");
    REQUIRE(begin_and(with, compact, &err) && begin_and(never, compact, &err), "%s", err.text);
    struct str a = bytes_of(dirs[0], ".vectors", arena, &files);
    EXPECT(files == 2, "%zu", files);
    struct str b = bytes_of(dirs[1], ".vectors", arena, &files);
    EXPECT(files == 2 && a.len > 0 && str_eq(a, b), "%zu and %zu bytes", a.len, b.len);
}

/* --- set later -------------------------------------------------------------------------------- */

static bool set_one(struct lexical *index, const char *key, const struct vector_field *field,
                    const float *values, uint32_t passages, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) &&
           vector_set(w, str_from(key), field, values, passages, err) && lexical_commit(&w, err);
}

static struct lexical_stats stats(struct lexical *index)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);

    return lexical_stats(view);
}

TEST(vectors_are_set_without_their_words)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct vector_field old = field_of("test", 3, 1), new = field_of("test", 3, 2);
    struct vector_stats fields[VECTOR_FIELDS_MAX];
    struct err err = {0};
    char got[256];
    size_t files;

    REQUIRE(index && add_one(index, "a", &old, (float[]){1, 0, 0}, &err));
    REQUIRE(add_one(index, "b", &old, (float[]){0, 1, 0}, &err));
    struct str words = bytes_of(dir, ".segment", arena, &files);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    REQUIRE(set_one(index, "a", &new, (float[]){0, 0, 1, 0, 0, 0}, 2, &err), "%s", err.text);
    search(index, &new, (float[]){0, 1, 1}, 9, got);
    EXPECT(strcmp(got, "a/first ") == 0, "zeros are no vector: %s", got);
    search(index, &old, (float[]){0, 0, 1}, 9, got);
    EXPECT(strcmp(got, "a/first a/second b/first b/second ") == 0, "the old stand beside: %s", got);
    REQUIRE(set_one(index, "a", &old, (float[]){0, 1, 0, 0, 0, 1}, 2, &err), "%s", err.text);
    search(index, &old, (float[]){0, 0, 1}, 1, got);
    EXPECT(strcmp(got, "a/second ") == 0, "%s", got);
    EXPECT(str_eq(words, bytes_of(dir, ".segment", arena, &files)) && files == 2, "words stay");
    EXPECT(vector_fields(view, fields) == 1 && fields[0].vectors == 4, "a view keeps what it saw");
    float value[3];
    EXPECT(vector_get(view, &old, 0, value) && value[0] == 1.0F && value[2] == 0.0F);
    lexical_release(&view);
    lexical_close(&index);
    index = open_index(dir);
    REQUIRE(index);
    search(index, &old, (float[]){0, 0, 1}, 1, got);
    EXPECT(strcmp(got, "a/second ") == 0, "kept over a restart: %s", got);
    (void)bytes_of(dir, ".vectors", arena, &files);
    EXPECT(files == 3 && stats(index).documents == 2, "%zu", files);
    lexical_close(&index);
}

TEST(what_cannot_be_set_is_refused)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct vector_field field = field_of("test", 3, 1), none;
    const uint8_t model[VECTOR_MODEL_BYTES] = {0};
    float values[6] = {1, 0, 0, 1, 0, 0};
    struct err err = {0};
    char got[256];

    EXPECT(!vector_field_init(&none, STR(""), 3, model, &err) && err.code == ERR_INVALID);
    EXPECT(!vector_field_init(&none, STR("x"), 0, model, &err) && err.code == ERR_INVALID);
    EXPECT(!vector_field_init(&none, STR("x"), VECTOR_DIM_MAX + 1, model, &err));
    EXPECT(!vector_field_init(&none, STR("a name that is longer than 31 bytes"), 3, model, &err));
    REQUIRE(index && add_one(index, "a", &field, (float[]){0, 1, 0}, &err));
    REQUIRE(lexical_begin(index, &w, &err));
    EXPECT(!vector_set(w, STR("zebra"), &field, values, 2, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!vector_set(w, STR("a"), &field, values, 1, &err) && err.code == ERR_INVALID);
    values[4] = NAN;
    EXPECT(!vector_set(w, STR("a"), &field, values, 2, &err) && err.code == ERR_INVALID);
    values[4] = INFINITY;
    EXPECT(!vector_set(w, STR("a"), &field, values, 2, &err) && err.code == ERR_INVALID);
    values[4] = 0;
    REQUIRE(vector_set(w, STR("a"), &field, values, 2, &err), "%s", err.text);
    REQUIRE(add(w, "a", &field, (float[]){0, 0, 1}, &err), "%s", err.text);
    EXPECT(!vector_set(w, STR("a"), &field, values, 2, &err) && err.code == ERR_NOT_FOUND);
    REQUIRE(lexical_commit(&w, &err), "%s", err.text);
    search(index, &field, (float[]){1, 0, 2}, 9, got);
    EXPECT(strcmp(got, "a/first a/second ") == 0, "the new version has its own: %s", got);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    EXPECT(vector_get(view, &field, 0, values) && values[2] == 1.0F);
}

static bool drop_one(struct lexical_writer *w, struct err *err)
{
    const struct vector_field field = field_of("one", DIM, 1);

    return vector_drop(w, &field, err);
}

TEST(a_dropped_field_leaves_the_others)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    struct lexical *index CLEANUP(lexical_close) = open_index(dir);
    struct vector_stats fields[VECTOR_FIELDS_MAX];
    struct err err = {0};
    size_t before, after;

    REQUIRE(index && fill(index, 10, NULL, &err), "%s", err.text);
    (void)bytes_of(dir, ".vectors", arena, &before);
    REQUIRE(begin_and(index, drop_one, &err), "%s", err.text);
    (void)bytes_of(dir, ".vectors", arena, &after);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    EXPECT(after == before / 2 && vector_fields(view, fields) == 1, "%zu, %zu", before, after);
    EXPECT(strcmp(fields[0].field.name, "two") == 0 && fields[0].vectors == 40);
}

TEST(fields_have_a_number)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct err err = {0};
    float values[2] = {1, 1};

    REQUIRE(index);
    for (uint8_t i = 0; i < VECTOR_FIELDS_MAX; i++) {
        const struct vector_field field = field_of("f", 1, i);

        REQUIRE(i ? set_one(index, "a", &field, values, 2, &err)
                  : add_one(index, "a", &field, values, &err),
                "%u: %s", i, err.text);
    }
    const struct vector_field field = field_of("f", 1, 99);
    EXPECT(!set_one(index, "a", &field, values, 2, &err) && err.code == ERR_TOO_LARGE);
    EXPECT(!add_one(index, "b", &field, values, &err) && err.code == ERR_TOO_LARGE);
    EXPECT(begin_and(index, compact, &err), "%s", err.text);
}

/* What a run has written already counts, too: a segment of more fields could never be merged. */
TEST(fields_have_a_number_also_in_a_run_of_several_segments)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};
    float values[2] = {1, 1};
    char key[2] = "a";

    REQUIRE(index && lexical_begin(index, &w, &err), "%s", err.text);
    index->batch_postings = 1;
    for (uint8_t i = 0; i < VECTOR_FIELDS_MAX; i++, key[0]++) {
        const struct vector_field field = field_of("f", 1, i);

        REQUIRE(add(w, key, &field, values, &err), "%u: %s", i, err.text);
    }
    const struct vector_field field = field_of("f", 1, 99), first = field_of("f", 1, 0);
    EXPECT(add(w, "x", &first, values, &err), "%s", err.text);
    EXPECT(!add(w, "y", &field, values, &err) && err.code == ERR_TOO_LARGE, "%s", err.text);
    lexical_abandon(&w);
    EXPECT(add_one(index, "z", &field, values, &err), "a new run begins anew: %s", err.text);
}

/* As many as a run may write, and those that were there. */
TEST(a_run_of_as_many_segments_as_there_may_be_can_be_merged)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};

    REQUIRE(index);
    for (uint32_t i = 0; i < SEGMENTS_MAX + RUN_MAX; i++) {
        struct lexical_passage passage = {.text = STR("apples"), .record = STR("p")};
        struct lexical_document document = {arena_fmt(arena, "k%04u", i), STR("r"), &passage, 1};

        if (!w)
            REQUIRE(lexical_begin(index, &w, &err), "%s", err.text);
        index->batch_postings = 1;
        REQUIRE(lexical_add(w, &document, &err), "%u: %s", i, err.text);
        if (i < SEGMENTS_MAX)
            REQUIRE(lexical_commit(&w, &err), "%u: %s", i, err.text);
    }
    EXPECT(lexical_commit(&w, &err), "%s", err.text);
}

/* --- against the definition ------------------------------------------------------------------- */

static bool of_rest(void *context, uint64_t i, const struct lexical_document_info *document)
{
    const uint64_t *of = context;

    (void)document;
    return i % of[0] == of[1];
}

static double cosine(const struct lexical_view *view, const struct vector_field *field,
                     uint64_t passage, const float *values)
{
    double sum = 0, length = 0;
    float row[DIM];

    if (!vector_get(view, field, passage, row))
        return -2;
    for (uint32_t i = 0; i < field->dim; i++) {
        sum += (double)row[i] * (double)values[i];
        length += (double)values[i] * (double)values[i];
    }
    return sum / sqrt(length);
}

static void compare_with_definition(const struct lexical_view *view,
                                    const struct vector_field *field, struct rng *rng, bool scan)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    uint64_t of[2] = {1 + rng_below(rng, 5), 0};
    struct lexical_filter *filter;
    struct lexical_hits hits;
    float values[DIM];
    struct err err = {0};
    size_t there = 0;

    draw(rng, field->dim, values);
    of[1] = rng_below(rng, of[0]);
    REQUIRE(lexical_filter_make(view, arena, of_rest, of, &filter, &err));
    struct vector_query query = {.field = field,
                                 .values = values,
                                 .filter = of[0] > 1 ? filter : NULL,
                                 .limit = 1 + rng_below(rng, 20),
                                 .rescored = (uint32_t)view->passages,
                                 .scan = scan};
    REQUIRE(vector_search(view, arena, &query, &hits, &err), "%s", err.text);
    for (uint64_t p = 0; p < view->passages; p++)
        there += lexical_filter_allows(filter, p) && cosine(view, field, p, values) > -2;
    EXPECT(hits.count == MIN_OF(there, query.limit), "%zu of %zu", hits.count, there);
    for (size_t i = 0; i < hits.count; i++) {
        double score = cosine(view, field, hits.at[i].passage, values);
        size_t better = 0;

        EXPECT(fabs((double)hits.at[i].score - score) < 1e-5);
        EXPECT(lexical_filter_allows(filter, hits.at[i].passage));
        for (uint64_t p = 0; p < view->passages; p++)
            better +=
                lexical_filter_allows(filter, p) && cosine(view, field, p, values) > score + 1e-6;
        EXPECT(better <= i, "hit %zu has %zu before it", i, better);
    }
}

TEST(a_search_finds_what_the_definition_finds)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    const struct vector_field fields[] = {field_of("one", DIM, 1), field_of("two", 7, 1)};
    struct rng rng = {3};
    struct err err = {0};

    REQUIRE(index && fill(index, 8, NULL, &err), "%s", err.text);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    for (int i = 0; i < 60; i++)
        compare_with_definition(view, &fields[i % 2], &rng, true);
}

TEST(passages_are_scored_alone)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct vector_field field = field_of("test", 3, 1), other = field_of("test", 3, 2);
    struct err err = {0};
    const struct lexical_vector asked = {&field, (float[]){3, 4, 0}};
    const struct lexical_vector wrong = {&field, (float[]){NAN, 4, 0}};
    float got[3];

    REQUIRE(index && add_one(index, "a", &field, (float[]){1, 0, 0}, &err));
    REQUIRE(add_one(index, "b", &other, (float[]){1, 0, 0}, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    REQUIRE(vector_scores(view, &asked, (uint64_t[]){2, 1, 0}, 3, got, &err));
    EXPECT(isnan(got[0]) && fabsf(got[1] + 0.6F) < 1e-3F && fabsf(got[2] - 0.6F) < 1e-3F);
    EXPECT(!vector_scores(view, &wrong, (uint64_t[]){0}, 1, got, &err));
}

/* --- numbers ---------------------------------------------------------------------------------- */

TEST(halves)
{
    static const struct {
        const char *name;
        float value;
        uint16_t half;
    } cases[] = {
        {"zero", 0.0F, 0},
        {"minus zero", -0.0F, 0x8000},
        {"one", 1.0F, 0x3C00},
        {"a third", 0.333333333F, 0x3555},
        {"the smallest normal", 0x1p-14F, 0x0400},
        {"the smallest", 0x1p-24F, 1},
        {"half of the smallest goes to the even one", 0x1p-25F, 0},
        {"a little more goes up", 0x1.000002p-25F, 1},
        {"below half of the smallest", 0x1p-26F, 0},
        {"a tie goes to the even one", 0x1.002p0F, 0x3C00},
        {"the next tie, too", 0x1.006p0F, 0x3C02},
        {"carried into the exponent", 0x1.FFFp-2F, 0x3800},
        {"the largest", 65504.0F, 0x7BFF},
        {"rounded to infinity", 65520.0F, 0x7C00},
        {"too large", 1e10F, 0x7C00},
        {"infinite", -INFINITY, 0xFC00},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(vector_half(cases[i].value) == cases[i].half, "%s: %04x", cases[i].name,
               vector_half(cases[i].value));
    for (uint32_t half = 0; half < 0x10000; half++) {
        bool nan = (half & 0x7C00) == 0x7C00 && (half & 0x3FF);

        if (!nan && vector_half(vector_float((uint16_t)half)) != half)
            EXPECT(false, "%04x", half);
    }
    EXPECT(isnan(vector_float(0x7E00)) && isnan(vector_float(vector_half(NAN))));
}
