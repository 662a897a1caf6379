#include "index/lexical.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/pages.h"
#include "index/lexical_internal.h"
#include "sys/file.h"
#include "test.h"

static struct lexical *open_index(const char *dir)
{
    struct lexical *index = NULL;
    struct err err = {0};

    if (!lexical_open(dir, &index, &err))
        EXPECT(false, "%s", err.text);
    return index;
}

static bool add(struct lexical_writer *w, const char *key, const char *text, struct err *err)
{
    struct lexical_passage passage = {
        .header = STR(""), .text = str_from(text), .record = str_from(text)};
    struct lexical_document document = {str_from(key), str_from(key), &passage, 1};

    return lexical_add(w, &document, err);
}

/* One run that adds one document. */
static bool add_one(struct lexical *index, const char *key, const char *text, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && add(w, key, text, err) && lexical_commit(&w, err);
}

static bool remove_one(struct lexical *index, const char *key, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && lexical_remove(w, str_from(key), err) &&
           lexical_commit(&w, err);
}

/* Keys of the hits, best first, a space after each. weights: of the question's terms, or NULL. */
static void search_by(struct lexical *index, const char *question, const float *weights,
                      char out[256])
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct lexical_hits hits = {0};
    struct terms terms;
    struct err err = {0};
    size_t len = 0;

    out[0] = 0;
    if (!analyser_open(&analyser, &err) ||
        !analyser_terms(analyser, arena, str_from(question), &terms, &err) ||
        !lexical_search(view, arena, &(struct lexical_query){&terms, NULL, 10, weights}, &hits,
                        &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < hits.count; i++) {
        EXPECT(str_eq(hits.at[i].document_record, hits.at[i].key));
        EXPECT(i == 0 || hits.at[i].score <= hits.at[i - 1].score);
        len += (size_t)snprintf(out + len, 256 - len, STR_FMT " ", STR_ARG(hits.at[i].key));
    }
}

static void search(struct lexical *index, const char *question, char out[256])
{
    search_by(index, question, NULL, out);
}

static struct lexical_stats stats(struct lexical *index)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);

    return lexical_stats(view);
}

TEST(terms_count_by_their_weights)
{
    static const float even[] = {1, 1}, fire[] = {3, 0.1f}, pipes[] = {0.1f, 3};
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct err err = {0};
    char got[256], plain[256];

    REQUIRE(index);
    REQUIRE(add_one(index, "water", "Water runs in pipes.", &err));
    REQUIRE(add_one(index, "fire", "Smoke comes from fire.", &err));
    REQUIRE(add_one(index, "leave", "Employees get annual leave.", &err));
    search_by(index, "fire pipes", fire, got);
    EXPECT(strcmp(got, "fire water ") == 0, "%s", got);
    search_by(index, "fire pipes", pipes, got);
    EXPECT(strcmp(got, "water fire ") == 0, "%s", got);
    search_by(index, "fire pipes", even, got);
    search(index, "fire pipes", plain);
    EXPECT(strcmp(got, plain) == 0, "%s", got);
}

TEST(search_ranks)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct err err = {0};
    char got[256];

    REQUIRE(index);
    REQUIRE(add_one(index, "water", "Water damage from burst pipes is covered.", &err));
    REQUIRE(add_one(index, "fire", "Fire damage is covered. Fire crews are paid. Fire!", &err));
    REQUIRE(add_one(index, "leave", "Employees get annual leave.", &err));
    REQUIRE(add_one(index, "nian", "员工每年有二十五天年假。", &err));
    search(index, "Is fire damage covered?", got);
    EXPECT(strcmp(got, "fire water ") == 0, "%s", got);
    search(index, "pipe bursting", got);
    EXPECT(strcmp(got, "water ") == 0, "stems meet: %s", got);
    search(index, "年假有多少天", got);
    EXPECT(strcmp(got, "nian ") == 0, "%s", got);
    search(index, "the of what", got);
    EXPECT(strcmp(got, "") == 0, "stop words find nothing: %s", got);
    search(index, "zebra", got);
    EXPECT(strcmp(got, "") == 0);
}

TEST(index_survives_reopening)
{
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct err err = {0};
    char got[256];

    REQUIRE(index && add_one(index, "a", "apples", &err) && add_one(index, "b", "pears", &err));
    lexical_close(&index);
    index = open_index(dir);
    REQUIRE(index);
    EXPECT(stats(index).documents == 2 && stats(index).segments == 2);
    search(index, "pear", got);
    EXPECT(strcmp(got, "b ") == 0, "%s", got);
    lexical_close(&index);
}

TEST(replacing_and_removing)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct err err = {0};
    char got[256];

    REQUIRE(index && add_one(index, "a", "apples", &err) && add_one(index, "b", "apples", &err));
    REQUIRE(add_one(index, "a", "cherries", &err), "%s", err.text);
    search(index, "apples cherries", got);
    EXPECT(strcmp(got, "a b ") == 0, "%s", got);
    REQUIRE(remove_one(index, "b", &err));
    REQUIRE(remove_one(index, "never seen", &err), "removing what is not there changes nothing");
    search(index, "apples", got);
    EXPECT(strcmp(got, "") == 0, "%s", got);
    REQUIRE(remove_one(index, "a", &err));
    EXPECT(stats(index).documents == 0 && stats(index).segments == 0);
}

/* More of equal worth than asked for: which are found must not tell how the index came to be. */
TEST(equals_stand_by_their_keys_however_they_were_written)
{
    static const char *const orders[] = {"abcdefghijklmnopqrstu", "utsrqponmlkjihgfedcba",
                                         "kaubtclsdmrenqfogphij"};

    for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
        char dir[256], got[256];
        struct err err = {0};

        (void)snprintf(dir, sizeof dir, "%s/%zu", test_dir(), o);
        struct lexical *index CLEANUP(lexical_close) = open_index(dir);
        REQUIRE(index);
        for (const char *at = orders[o]; *at; at++)
            REQUIRE(add_one(index, (const char[]){*at, 0}, *at == 'p' ? "plum plum" : "a plum tree",
                            &err),
                    "%s", err.text);
        search(index, "plum", got);
        EXPECT(strcmp(got, "p a b c d e f g h i ") == 0, "%s: %s", orders[o], got);
    }
}

TEST(a_view_keeps_what_it_saw)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct lexical_document_info info;
    struct err err = {0};

    REQUIRE(index && add_one(index, "a", "apples", &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    REQUIRE(remove_one(index, "a", &err));
    EXPECT(lexical_stats(view).documents == 1 && lexical_find(view, STR("a"), &info));
    EXPECT(stats(index).documents == 0);
}

TEST(many_runs_stay_few_segments)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct err err = {0};
    char key[16], got[256];

    REQUIRE(index);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        REQUIRE(add_one(index, key, i % 2 ? "odd numbers" : "even numbers", &err), "%s", err.text);
    }
    EXPECT(stats(index).documents == 40 && stats(index).segments <= 8);
    REQUIRE(remove_one(index, "k7", &err));
    search(index, "odd", got);
    EXPECT(strstr(got, "k1 ") && !strstr(got, "k7 ") && !strstr(got, "k2 "), "%s", got);
}

TEST(one_writer_one_process)
{
    const char *dir = test_dir();
    struct lexical *index CLEANUP(lexical_close) = open_index(dir), *second = NULL;
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL, *other = NULL;
    struct err err = {0};

    REQUIRE(index && lexical_begin(index, &w, &err));
    EXPECT(!lexical_begin(index, &other, &err) && err.code == ERR_UNAVAILABLE);
    EXPECT(!lexical_open(dir, &second, &err) && err.code == ERR_UNAVAILABLE);
    EXPECT(add(w, "a", "x", &err) && !add(w, "a", "y", &err) && err.code == ERR_INVALID);
}

TEST(nothing_before_the_commit)
{
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct lexical_writer *w = NULL;
    struct err err = {0};
    char got[256];

    REQUIRE(index && add_one(index, "a", "apples", &err));
    REQUIRE(lexical_begin(index, &w, &err) && add(w, "b", "apples", &err));
    search(index, "apples", got);
    EXPECT(strcmp(got, "a ") == 0, "%s", got);
    lexical_abandon(&w);
    lexical_close(&index);
    index = open_index(dir);
    EXPECT(index && stats(index).documents == 1);
    lexical_close(&index);
}

/* --- files ------------------------------------------------------------------------------------ */

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

TEST(what_a_crash_left_is_swept)
{
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct err err = {0};
    char path[400];

    REQUIRE(index && add_one(index, "a", "apples", &err));
    lexical_close(&index);
    (void)snprintf(path, sizeof path, "%s/00000077.segment", dir);
    REQUIRE(file_store(path, STR("half"), 0600, &err));
    (void)snprintf(path, sizeof path, "%s/00000078.segment.part", dir);
    REQUIRE(file_store(path, STR("half"), 0600, &err));
    (void)snprintf(path, sizeof path, "%s/00000079.records.new", dir);
    REQUIRE(file_store(path, STR("half"), 0600, &err));
    (void)snprintf(path, sizeof path, "%s/80.latent.new", dir);
    REQUIRE(file_store(path, STR("half"), 0600, &err));
    index = open_index(dir);
    REQUIRE(index);
    EXPECT(files_in(dir, ".segment") == 1 && files_in(dir, ".part") == 0);
    EXPECT(files_in(dir, ".new") == 0, "records and models that were being written");
    EXPECT(stats(index).documents == 1);
    lexical_close(&index);
}

/* Without the list nobody knows which segments are left-overs: none may be swept. */
TEST(a_lost_manifest_loses_no_documents)
{
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct err err = {0};
    char path[400], saved[400];

    REQUIRE(index && add_one(index, "a", "apples", &err));
    lexical_close(&index);
    (void)snprintf(path, sizeof path, "%s/manifest", dir);
    (void)snprintf(saved, sizeof saved, "%s/saved", dir);
    REQUIRE(file_rename(path, saved, &err));
    EXPECT(!lexical_open(dir, &index, &err) && strstr(err.text, "is missing"), "%s", err.text);
    REQUIRE(file_rename(saved, path, &err));
    index = open_index(dir);
    REQUIRE(index);
    EXPECT(stats(index).documents == 1);
    lexical_close(&index);
}

/* Any single changed byte is noticed, and named, when the segment is opened. */
TEST(damage_is_refused)
{
    const char *dir = test_dir();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct lexical *index = open_index(dir);
    struct err err = {0};
    struct str bytes;
    char path[SEGMENT_PATH_MAX];

    REQUIRE(index && add_one(index, "a", "apples and pears", &err));
    lexical_close(&index);
    segment_path(path, dir, 1);
    REQUIRE(file_load(arena, path, MIB, &bytes, &err), "%s", err.text);
    char *copy = arena_alloc(arena, bytes.len);
    REQUIRE(copy);
    for (size_t i = 0; i < bytes.len; i++) {
        memcpy(copy, bytes.ptr, bytes.len);
        copy[i] ^= 0x10;
        REQUIRE(file_store(path, (struct str){copy, bytes.len}, 0600, &err));
        struct segment *segment = NULL;
        bool opened = segment_open(dir, 1, &segment, &err);
        EXPECT(!opened && err.code == ERR_UNAVAILABLE, "byte %zu", i);
        segment_unmap(&segment);
    }
    for (size_t len = 0; len < bytes.len; len += 7) {
        struct segment *segment = NULL;

        REQUIRE(file_store(path, (struct str){bytes.ptr, len}, 0600, &err));
        EXPECT(!segment_open(dir, 1, &segment, &err), "cut at %zu", len);
        segment_unmap(&segment);
    }
}

TEST(a_damaged_manifest_is_refused)
{
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct err err = {0};
    char path[400];

    REQUIRE(index && add_one(index, "a", "apples", &err));
    lexical_close(&index);
    (void)snprintf(path, sizeof path, "%s/manifest", dir);
    REQUIRE(file_store(path, STR("weir-lexical 1\nnext 9\ncrc 00000000\n"), 0600, &err));
    EXPECT(!lexical_open(dir, &index, &err) && strstr(err.text, "damaged"), "%s", err.text);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[400];
    struct err err = {0};

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    if (text)
        EXPECT(file_store(path, str_from(text), 0600, &err), "%s", err.text);
    else
        EXPECT(file_remove(path, &err), "%s", err.text);
}

/* It alone is refused, what it was to replace stays, and the run goes on. */
TEST(a_document_of_too_many_words_costs_no_other_one)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};
    char got[256];

    REQUIRE(index && add_one(index, "b", "plums", &err), "%s", err.text);
    index->batch_terms = 4;
    REQUIRE(lexical_begin(index, &w, &err), "%s", err.text);
    EXPECT(add(w, "a", "apples pears", &err), "%s", err.text);
    EXPECT(!add(w, "b", "mango papaya quince lychee fig medlar guava", &err) &&
               err.code == ERR_TOO_LARGE,
           "%s", err.text);
    err = (struct err){0};
    EXPECT(!add(w, "new", "mango papaya quince lychee fig medlar guava", &err) &&
               err.code == ERR_TOO_LARGE,
           "%s", err.text);
    err = (struct err){0};
    EXPECT(add(w, "c", "grapes", &err), "%s", err.text);
    EXPECT(lexical_commit(&w, &err), "%s", err.text);
    search(index, "apples plums grapes guava", got);
    EXPECT(strcmp(got, "b c a ") == 0, "%s", got);
    EXPECT(stats(index).documents == 3);
}

/* Two segments: apples in the first, pears in the second. */
static void make_two(const char *dir)
{
    struct lexical *index CLEANUP(lexical_close) = open_index(dir);
    struct err err = {0};

    EXPECT(index && add_one(index, "a", "apples", &err) && add_one(index, "b", "pears", &err), "%s",
           err.text);
}

TEST(a_repair_keeps_what_is_whole)
{
    static char grown[100 * 1000];
    static const struct {
        const char *name, *file, *text; /* NULL: the file is removed */
        uint32_t dropped;
        const char *left;
    } cases[] = {
        {"nothing is damaged", "lock", "", 0, "a b "},
        {"a segment", "00000001.segment", "garbage", 1, "b "},
        {"an empty segment", "00000002.segment", "", 1, "a "},
        {"a segment that is gone", "00000001.segment", NULL, 1, "b "},
        {"the manifest", "manifest", "garbage", 2, ""},
        {"no manifest", "manifest", NULL, 2, ""},
        {"a manifest cut short", "manifest", "weir-lexical 1\nnext 3\n", 2, ""},
        {"a manifest that has grown", "manifest", grown, 2, ""},
    };

    memset(grown, 'x', sizeof grown - 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *dir = test_dir();
        uint32_t dropped = 99;
        struct err err = {0};
        char got[256];

        make_two(dir);
        write_file(dir, cases[i].file, cases[i].text);
        EXPECT(lexical_repair(dir, &dropped, &err), "%s: %s", cases[i].name, err.text);
        EXPECT(dropped == cases[i].dropped, "%s: %u", cases[i].name, dropped);
        struct lexical *index CLEANUP(lexical_close) = open_index(dir);
        REQUIRE(index, "%s", cases[i].name);
        search(index, "apples pears", got);
        EXPECT(strcmp(got, cases[i].left) == 0, "%s: %s", cases[i].name, got);
        EXPECT(files_in(dir, ".segment") == stats(index).segments, "%s", cases[i].name);
        EXPECT(add_one(index, "c", "plums", &err), "%s: %s", cases[i].name, err.text);
    }
}

static bool set_record(struct lexical *index, const char *key, const char *record, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) &&
           lexical_set_record(w, str_from(key), str_from(record), err) && lexical_commit(&w, err);
}

/* What was set anew may be who may read a document: without it nobody knows, and no document is kept. */
TEST(a_repair_keeps_no_document_whose_record_may_be_of_before)
{
    static const char *const texts[] = {"garbage", "", NULL};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *dir = test_dir();
        struct lexical *index = NULL;
        uint32_t dropped = 99;
        struct err err = {0};

        make_two(dir);
        index = open_index(dir);
        REQUIRE(index && set_record(index, "a", "another", &err), "%s", err.text);
        lexical_close(&index);
        write_file(dir, "00000003.records", texts[i]);
        EXPECT(!lexical_open(dir, &index, &err));
        EXPECT(lexical_repair(dir, &dropped, &err) && dropped == 2, "%u %s", dropped, err.text);
        index = open_index(dir);
        REQUIRE(index);
        EXPECT(stats(index).documents == 0 && files_in(dir, ".records") == 0);
        EXPECT(add_one(index, "c", "plums", &err), "%s", err.text);
        lexical_close(&index);
    }
}

/* What was set anew of a document that is lost goes with the next commit: nobody could remove it later. */
TEST(records_of_lost_documents_are_not_kept)
{
    const char *dir = test_dir();
    struct lexical *index = NULL;
    uint32_t dropped = 0;
    struct err err = {0};

    make_two(dir);
    index = open_index(dir);
    REQUIRE(index && set_record(index, "a", "another", &err), "%s", err.text);
    lexical_close(&index);
    write_file(dir, "00000001.segment", "garbage");
    REQUIRE(lexical_repair(dir, &dropped, &err) && dropped == 1, "%s", err.text);
    index = open_index(dir);
    REQUIRE(index && add_one(index, "c", "plums", &err), "%s", err.text);
    EXPECT(stats(index).documents == 2 && files_in(dir, ".records") == 0);
    REQUIRE(set_record(index, "b", "another", &err), "%s", err.text);
    REQUIRE(add_one(index, "d", "grapes", &err), "%s", err.text);
    EXPECT(files_in(dir, ".records") == 1, "of those that are there they are");
    lexical_close(&index);
}

TEST(a_repair_leaves_an_index_that_is_in_use)
{
    const char *dir = test_dir();
    struct lexical *index CLEANUP(lexical_close) = open_index(dir);
    uint32_t dropped;
    struct err err = {0};

    REQUIRE(index && add_one(index, "a", "apples", &err));
    EXPECT(!lexical_repair(dir, &dropped, &err) && strstr(err.text, "lock"), "%s", err.text);
}

#ifdef WEIR_FAULT
/* Each fallible step of a replacing commit fails once: afterwards the index has the old document or the
 * new one, and opens again. */
TEST(a_failing_commit_changes_all_or_nothing)
{
    size_t pages = pages_in_use();
    const char *failed = "";

    for (uint64_t nth = 1; failed; nth++) {
        const char *dir = test_dir();
        struct lexical *index = open_index(dir);
        struct err err = {0};
        char got[256];

        REQUIRE(index && add_one(index, "a", "apples", &err) && add_one(index, "b", "pears", &err));
        fault_begin(nth);
        bool ok = add_one(index, "a", "cherries", &err);
        failed = fault_end();
        EXPECT(ok || err.code != ERR_NONE);
        search(index, "apples cherries", got);
        EXPECT(strcmp(got, "a ") == 0, "%s", got);
        lexical_close(&index);
        index = open_index(dir);
        REQUIRE(index, "after failing %s", failed ? failed : "nothing");
        search(index, "apples cherries", got);
        EXPECT(strcmp(got, "a ") == 0, "%s after %s", got, failed ? failed : "nothing");
        EXPECT(stats(index).documents == 2 && files_in(dir, ".part") == 0);
        lexical_close(&index);
    }
    EXPECT(pages_in_use() == pages, "%zu", pages_in_use());
}

/* Everything that a run can write. */
static bool change_all(struct lexical *index, const char *text, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && add(w, "a", text, err) &&
           lexical_set_record(w, STR("b"), str_from(text), err) && lexical_commit(&w, err);
}

static size_t files_of_index(const char *dir)
{
    return files_in(dir, ".segment") + files_in(dir, ".records");
}

/* Each fallible step of a commit fails once. The next commit leaves what it lists and nothing else, whether it has
 * something to do or not: what was written then may be of documents that are forgotten now. */
TEST(a_commit_after_one_that_failed_leaves_nothing_unlisted)
{
    const char *failed = "";

    for (uint64_t nth = 1; failed; nth++)
        for (int removes = 0; removes < 2; removes++) {
            const char *dir = test_dir();
            struct lexical *index = open_index(dir);
            struct lexical_writer *w = NULL;
            struct err err = {0};

            REQUIRE(index && add_one(index, "a", "apples", &err) &&
                    add_one(index, "b", "pears", &err));
            fault_begin(nth);
            (void)!change_all(index, "cherries", &err);
            failed = fault_end();
            err = (struct err){0};
            if (removes)
                EXPECT(remove_one(index, "a", &err), "%s", err.text);
            else
                EXPECT(lexical_begin(index, &w, &err) && lexical_commit(&w, &err), "%s", err.text);
            size_t before = files_of_index(dir);
            lexical_close(&index);
            index = open_index(dir);
            REQUIRE(index, "after failing %s", failed ? failed : "nothing");
            EXPECT(files_of_index(dir) == before, "%zu left after failing %s, the %zuth",
                   before - files_of_index(dir), failed ? failed : "nothing", (size_t)nth);
            EXPECT(stats(index).documents == (removes ? 1u : 2u));
            lexical_close(&index);
        }
}

/* Each fallible step of a repair fails once: what is whole stays, and the next repair finishes the work. */
TEST(a_failing_repair_loses_nothing_that_is_whole)
{
    const char *failed = "";

    for (uint64_t nth = 1; failed; nth++) {
        const char *dir = test_dir();
        struct err err = {0}, again = {0};
        uint32_t dropped;
        char got[256];

        make_two(dir);
        write_file(dir, "00000001.segment", "garbage");
        fault_begin(nth);
        bool ok = lexical_repair(dir, &dropped, &err);
        failed = fault_end();
        EXPECT(ok || err.code != ERR_NONE);
        EXPECT(lexical_repair(dir, &dropped, &again), "after %s: %s", failed ? failed : "nothing",
               again.text);
        struct lexical *index CLEANUP(lexical_close) = open_index(dir);
        REQUIRE(index);
        search(index, "apples pears", got);
        EXPECT(strcmp(got, "b ") == 0, "%s after %s", got, failed ? failed : "nothing");
        EXPECT(files_in(dir, ".segment") == 1 && files_in(dir, ".part") == 0);
    }
}
#endif

/* --- postings --------------------------------------------------------------------------------- */

TEST(postings_stop_where_bytes_make_no_sense)
{
    uint8_t bytes[64];
    size_t len = 0;

    len += postings_put(bytes + len, 3, 1);
    len += postings_put(bytes + len, 0xFFFFFF, 300);
    struct postings p = {.at = bytes, .end = bytes + len, .limit = 0x1000000 + 3};
    EXPECT(postings_next(&p) && p.passage == 3 && p.times == 1);
    EXPECT(postings_next(&p) && p.passage == 0x1000002 && p.times == 300);
    EXPECT(!postings_next(&p));
    p = (struct postings){.at = bytes, .end = bytes + len, .limit = 100};
    EXPECT(postings_next(&p) && !postings_next(&p), "a number beyond the segment");
    p = (struct postings){.at = bytes, .end = bytes + len - 1, .limit = 0x7FFFFFFF};
    EXPECT(postings_next(&p) && !postings_next(&p), "cut short");
}

#ifdef WEIR_FAULT
static void write_some(struct lexical *index, struct lexical_writer **w)
{
    struct err err = {0};

    index->batch_postings = 1;
    EXPECT(lexical_begin(index, w, &err) && add(*w, "a", "apples", &err) &&
               add(*w, "b", "pears", &err),
           "%s", err.text);
    index->batch_postings = SIZE_MAX;
    EXPECT(add(*w, "c", "plums", &err), "%s", err.text);
}

/* Its documents may be forgotten later: a file of a run that was given up holds them as well. */
TEST(what_could_not_be_removed_of_a_run_goes_with_the_next_commit)
{
    const char *failed = "";

    for (uint64_t nth = 1; failed; nth++) {
        const char *dir = test_dir();
        struct lexical *index CLEANUP(lexical_close) = open_index(dir);
        struct lexical_writer *w = NULL;
        struct err err = {0};

        REQUIRE(index);
        write_some(index, &w);
        fault_begin(nth);
        lexical_abandon(&w);
        failed = fault_end();
        EXPECT(add_one(index, "d", "grapes", &err), "%s", err.text);
        EXPECT(files_in(dir, ".segment") == 1 && files_in(dir, ".part") == 0,
               "after failing %s, the %zuth: %zu, %zu", failed ? failed : "nothing", (size_t)nth,
               files_in(dir, ".segment"), files_in(dir, ".part"));
    }
}
#endif
