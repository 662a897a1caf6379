/* Files of vectors that are damaged, lost, half written or of another segment; and commits that fail at
 * every step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/pages.h"
#include "index/lexical_internal.h"
#include "index/vector_file.h"
#include "test.h"

static struct vector_field the_field(void)
{
    const uint8_t model[VECTOR_MODEL_BYTES] = {1};
    struct vector_field field = {0};
    struct err err = {0};

    EXPECT(vector_field_init(&field, STR("test"), 5, model, &err), "%s", err.text);
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

static bool add(struct lexical_writer *w, const char *key, float first, struct err *err)
{
    const struct vector_field field = the_field();
    float values[5] = {first, 1, 0.5F, -1, 0.25F};
    struct lexical_vector vector = {&field, values};
    struct lexical_passage passage = {
        .text = STR("apples"), .record = STR("r"), .vectors = &vector, .vector_count = 1};
    struct lexical_document document = {str_from(key), STR("record"), &passage, 1};

    return lexical_add(w, &document, err);
}

static bool add_one(struct lexical *index, const char *key, float first, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && add(w, key, first, err) && lexical_commit(&w, err);
}

/* "key:ratio " for each passage with a vector: its first value by its second. */
static void values_of(struct lexical *index, char out[256])
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    const struct vector_field field = the_field();
    size_t len = 0;

    out[0] = 0;
    for (uint64_t p = 0; p < lexical_stats(view).passages; p++) {
        float values[5];

        if (vector_get(view, &field, p, values))
            len += (size_t)snprintf(out + len, 256 - len, STR_FMT ":%.0f ",
                                    STR_ARG(lexical_hit_at(view, p).key),
                                    (double)(values[0] / values[1]));
    }
}

static size_t files_in(const char *dir, const char *ending)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str *names;
    size_t count, found = 0;
    struct err err = {0};

    if (!file_list(arena, dir, 1000, &names, &count, &err))
        return 999;
    for (size_t i = 0; i < count; i++)
        found += str_ends(names[i], str_from(ending));
    return found;
}

/* Any single changed byte is noticed, and named, when the vectors are opened. */
TEST(damaged_vectors_are_refused)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct segment *segment CLEANUP(segment_unmap) = NULL;
    struct lexical *index = open_index(dir);
    char path[SEGMENT_PATH_MAX];
    struct err err = {0};
    struct str bytes;

    REQUIRE(index && add_one(index, "a", 3, &err));
    lexical_close(&index);
    vectors_path(path, dir, 2);
    REQUIRE(file_load(arena, path, MIB, &bytes, &err) && segment_open(dir, 1, &segment, &err));
    char *copy = arena_alloc(arena, bytes.len);
    REQUIRE(copy);
    for (size_t i = 0; i < bytes.len; i++) {
        struct vectors *vectors CLEANUP(vectors_unmap) = NULL;

        memcpy(copy, bytes.ptr, bytes.len);
        copy[i] ^= 0x10;
        err = (struct err){0};
        REQUIRE(file_store(path, (struct str){copy, bytes.len}, 0600, &err));
        bool opened = vectors_open(dir, 2, segment, &vectors, &err);
        EXPECT(!opened && err.code == ERR_UNAVAILABLE, "byte %zu", i);
    }
    for (size_t len = 0; len < bytes.len; len += 7) {
        struct vectors *vectors CLEANUP(vectors_unmap) = NULL;

        REQUIRE(file_store(path, (struct str){bytes.ptr, len}, 0600, &err));
        EXPECT(!vectors_open(dir, 2, segment, &vectors, &err), "cut at %zu", len);
    }
}

/* Numbers 1 and 2 are a's words and vectors, 3 and 4 b's. */
static void make_two(const char *dir)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(dir);
    struct err err = {0};

    EXPECT(index && add_one(index, "a", 3, &err) && add_one(index, "b", 7, &err), "%s", err.text);
}

TEST(a_repair_keeps_vectors_that_are_whole)
{
    static const struct {
        const char *name, *file, *text; /* NULL: the file is removed */
        uint32_t dropped;
        uint64_t documents;
        const char *left;
    } cases[] = {
        {"nothing is damaged", "lock", "", 0, 2, "a:3 b:7 "},
        {"vectors", "00000002.vectors", "garbage", 1, 2, "b:7 "},
        {"vectors that are gone", "00000004.vectors", NULL, 1, 2, "a:3 "},
        {"words: their vectors go along", "00000001.segment", "garbage", 1, 1, "b:7 "},
        {"the manifest", "manifest", "garbage", 2, 0, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *dir = test_dir();
        uint32_t dropped = 99;
        struct lexical *index = NULL;
        struct err err = {0};
        char path[512], got[256];

        make_two(dir);
        (void)snprintf(path, sizeof path, "%s/%s", dir, cases[i].file);
        EXPECT(cases[i].text ? file_store(path, str_from(cases[i].text), 0600, &err)
                             : file_remove(path, &err));
        bool opens = lexical_open(dir, &index, &err);
        EXPECT(opens == (cases[i].dropped == 0), "%s", cases[i].name);
        lexical_close(&index);
        EXPECT(lexical_repair(dir, &dropped, &err), "%s: %s", cases[i].name, err.text);
        EXPECT(dropped == cases[i].dropped, "%s: %u", cases[i].name, dropped);
        index = open_index(dir);
        REQUIRE(index, "%s", cases[i].name);
        struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
        values_of(index, got);
        EXPECT(strcmp(got, cases[i].left) == 0, "%s: %s", cases[i].name, got);
        EXPECT(lexical_stats(view).documents == cases[i].documents, "%s", cases[i].name);
        EXPECT(files_in(dir, ".vectors") == strlen(cases[i].left) / 4, "%s", cases[i].name);
        lexical_release(&view);
        lexical_close(&index);
    }
}

/* From a backup of another day, say: right in itself, and not of these passages. */
TEST(vectors_of_another_segment_are_refused)
{
    const char *dir = test_dir();
    struct lexical *index = NULL;
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    struct err err = {0};

    make_two(dir);
    vectors_path(from, dir, 2);
    vectors_path(to, dir, 4);
    REQUIRE(file_rename(from, to, &err));
    EXPECT(!lexical_open(dir, &index, &err) && strstr(err.text, "00000002"), "%s", err.text);
    REQUIRE(file_rename(to, from, &err));
    struct segment *segment CLEANUP(segment_unmap) = NULL;
    struct vectors *vectors CLEANUP(vectors_unmap) = NULL;
    REQUIRE(segment_open(dir, 1, &segment, &err));
    REQUIRE(vectors_open(dir, 2, segment, &vectors, &err), "%s", err.text);
    vectors_unmap(&vectors);
    segment->crc ^= 1;
    EXPECT(!vectors_open(dir, 2, segment, &vectors, &err) && strstr(err.text, "another segment"),
           "%s", err.text);
}

TEST(vectors_that_a_crash_left_are_swept)
{
    const char *dir = test_dir();
    char path[512];
    struct err err = {0};

    make_two(dir);
    (void)snprintf(path, sizeof path, "%s/00000077.vectors", dir);
    REQUIRE(file_store(path, STR("half"), 0600, &err));
    (void)snprintf(path, sizeof path, "%s/00000078.vectors.part", dir);
    REQUIRE(file_store(path, STR("half"), 0600, &err));
    struct lexical *index CLEANUP(lexical_close) = open_index(dir);
    EXPECT(index && files_in(dir, ".vectors") == 2 && files_in(dir, ".part") == 0);
}

#ifdef WEIR_FAULT
struct countdown {
    uint64_t left;
    const char *failed;
};

static bool at_zero(void *ctx, const char *point)
{
    struct countdown *countdown = ctx;

    if (countdown->left == 0 || --countdown->left > 0)
        return false;
    countdown->failed = point;
    return true;
}

static bool set(struct lexical_writer *w, const char *key, float first, struct err *err)
{
    const struct vector_field field = the_field();
    float values[5] = {first, 1, 0.5F, -1, 0.25F};

    return vector_set(w, str_from(key), &field, values, 1, err);
}

/* Removes a, sets b's vector, adds c, and, every other time, makes one segment of all. */
static bool change(struct lexical *index, bool compact, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    if (!lexical_begin(index, &w, err) || !lexical_remove(w, STR("a"), err) ||
        !set(w, "b", 8, err) || !add(w, "c", 9, err))
        return false;
    if (compact)
        lexical_compact(w);
    return lexical_commit(&w, err);
}

static const char *const before = "a:3 b:7 ", *const after = "b:8 c:9 ";

/* Each fallible step fails once: afterwards the index has all of the change or nothing, words and vectors
 * alike, and opens again; and no file is left over. */
static void fail_each(bool compact)
{
    size_t pages = pages_in_use();
    bool more = true;

    for (uint64_t nth = 1; more; nth++) {
        const char *dir = test_dir();
        struct countdown countdown = {.left = nth};
        struct err err = {0};
        char got[256], again[256];

        make_two(dir);
        struct lexical *index = open_index(dir);
        REQUIRE(index);
        fault_decide(at_zero, &countdown);
        bool ok = change(index, compact, &err);
        fault_decide(NULL, NULL);
        more = countdown.failed != NULL;
        values_of(index, got);
        EXPECT(ok || err.code != ERR_NONE);
        EXPECT(strcmp(got, before) == 0 || strcmp(got, after) == 0, "%s after %s", got,
               more ? countdown.failed : "nothing");
        EXPECT(!ok || strcmp(got, after) == 0, "%s", got);
        lexical_close(&index);
        index = open_index(dir);
        REQUIRE(index, "after failing %s", more ? countdown.failed : "nothing");
        values_of(index, again);
        EXPECT(strcmp(again, before) == 0 || strcmp(again, after) == 0, "%s after %s", again,
               more ? countdown.failed : "nothing");
        EXPECT(files_in(dir, ".vectors") == files_in(dir, ".segment") && !files_in(dir, ".part"));
        lexical_close(&index);
    }
    EXPECT(pages_in_use() == pages, "%zu", pages_in_use());
}

TEST(a_failing_commit_leaves_words_and_vectors_alike)
{
    fail_each(false);
    fail_each(true);
}
#endif
