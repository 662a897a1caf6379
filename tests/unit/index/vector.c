/* Vectors: found by their cosine, kept and removed with their passages, refused when damaged. */
#include "index/vector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/pages.h"
#include "index/lexical_internal.h"
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
    EXPECT(strcmp(got, "x/first x/second y/first y/second xy/first xy/second ") == 0,
           "ties in order of passages: %s", got);
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
