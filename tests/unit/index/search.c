/* Searching without reading everything finds what adding everything up finds; what may not be seen is not
 * there; records change without their segments; what an index holds decides its bytes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "index/lexical_internal.h"
#include "index/segment_format.h"
#include "sys/file.h"
#include "test.h"

#define DOCUMENTS 3000
#define WORDS     400

struct rng {
    uint64_t state;
};

/* The upper half of a linear congruential generator (Knuth's MMIX). */
static uint64_t rng_below(struct rng *rng, uint64_t below)
{
    rng->state = rng->state * 6364136223846793005u + 1442695040888963407u;
    return (rng->state >> 33) % below;
}

static struct lexical *open_index(const char *dir)
{
    struct lexical *index = NULL;
    struct err err = {0};

    if (!lexical_open(dir, &index, &err))
        EXPECT(false, "%s", err.text);
    return index;
}

/* Word k is written about 1/k as often as word 1. */
static uint32_t draw(struct rng *rng)
{
    uint32_t most = 1 + (uint32_t)rng_below(rng, WORDS);

    return (uint32_t)rng_below(rng, most);
}

static bool add(struct lexical_writer *w, const char *key, const char *text, struct err *err)
{
    struct lexical_passage passage = {
        .header = STR("title"), .text = str_from(text), .record = str_from(text)};
    struct lexical_document document = {str_from(key), str_from("record"), &passage, 1};

    return lexical_add(w, &document, err);
}

static bool fill(struct lexical *index, uint64_t seed, int runs, struct err *err)
{
    struct rng rng = {seed};
    int number = 0;

    for (int r = 0; r < runs; r++) {
        struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

        if (!lexical_begin(index, &w, err))
            return false;
        for (int i = 0; i < DOCUMENTS / runs; i++, number++) {
            char key[16], text[1024];
            size_t len = 0, words = 1 + rng_below(&rng, 60);

            (void)snprintf(key, sizeof key, "k%05d", number * 7919 % 100000);
            for (size_t k = 0; k < words; k++)
                len += (size_t)snprintf(text + len, sizeof text - len, "w%u ", draw(&rng));
            if (!add(w, key, text, err))
                return false;
        }
        if (!lexical_commit(&w, err))
            return false;
    }
    return true;
}

/* The same by definition: every posting of every term is added to its passage. */
static void add_up(const struct lexical_view *view, const struct lexical_filter *filter,
                   const struct terms *terms, double *scores)
{
    uint64_t passages = filter ? filter->passages : view->passages;

    for (size_t t = 0; t < terms->count; t++) {
        char bytes[TERM_BYTES_MAX + 1];
        struct str key = term_key(&terms->at[t], bytes);
        double weight = (double)lexical_idf(view, filter, &terms->at[t]);
        uint64_t before = 0;
        double average = (double)(filter ? filter->lengths : view->lengths)[0] / (double)passages;

        for (size_t j = 0; j < t; j++)
            if (str_eq(terms->at[j].text, terms->at[t].text))
                weight = 0;
        for (uint32_t i = 0; i < view->count; before += view->at[i++]->passages) {
            const struct segment *s = view->at[i];
            struct term_entry entry;

            if (!segment_find_term(s, key, &entry))
                continue;
            for (struct postings p = segment_postings(s, &entry); postings_next(&p);) {
                double length = segment_passage(s, p.passage).lengths[TERM_WORD];

                if (!filter || filter_allows(filter, i, p.passage))
                    scores[before + p.passage] +=
                        weight * p.times * 2.2 / (p.times + 1.2 * (0.25 + 0.75 * length / average));
            }
        }
    }
}

static bool of_third(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)i;
    return document->key.ptr[document->key.len - 1] % 3 == *(const int *)context;
}

static void compare_with_definition(struct lexical *index, struct analyser *analyser,
                                    struct rng *rng, uint32_t words_max, bool filtered)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct lexical_query query = {.limit = 1 + rng_below(rng, 20)};
    struct lexical_filter *filter = NULL;
    struct lexical_hits hits;
    struct terms terms;
    struct err err = {0};
    char question[1024];
    size_t len = 0;
    int third = (int)rng_below(rng, 3);

    for (size_t k = 0, words = 1 + rng_below(rng, words_max); k < words; k++)
        len += (size_t)snprintf(question + len, sizeof question - len, "w%u ", draw(rng));
    REQUIRE(analyser_terms(analyser, arena, str_from(question), &terms, &err));
    REQUIRE(!filtered || lexical_filter_make(view, arena, of_third, &third, &filter, &err));
    query.terms = &terms;
    query.filter = filter;
    REQUIRE(lexical_search(view, arena, &query, &hits, &err), "%s", err.text);
    double *want = arena_array(arena, view->passages, sizeof *want);
    REQUIRE(want);
    add_up(view, filter, &terms, want);
    size_t found = 0;
    for (uint64_t p = 0; p < view->passages; p++)
        found += want[p] > 0;
    EXPECT(hits.count == MIN_OF(found, query.limit), "%zu of %zu: %s", hits.count, found, question);
    for (size_t i = 0; i < hits.count; i++) {
        size_t better = 0;

        EXPECT(fabs((double)hits.at[i].score - want[hits.at[i].passage]) < 1e-4, "%s", question);
        for (uint64_t p = 0; p < view->passages; p++)
            better += want[p] > want[hits.at[i].passage] + 1e-6;
        EXPECT(better <= i, "hit %zu has %zu before it: %s", i, better, question);
    }
}

TEST(skipping_finds_what_adding_up_finds)
{
    static const int runs[] = {1, 3};
    /* Read side by side, added up window by window, and by narrower windows. */
    static const uint32_t words[] = {8, 24, 120};

    for (size_t r = 0; r < ARRAY_LEN(runs); r++) {
        char dir[256];
        struct analyser *analyser CLEANUP(analyser_close) = NULL;
        struct err err = {0};
        struct rng rng = {5};

        (void)snprintf(dir, sizeof dir, "%s/%zu", test_dir(), r);
        struct lexical *index CLEANUP(lexical_close) = open_index(dir);
        REQUIRE(index && fill(index, 11 + r, runs[r], &err), "%s", err.text);
        REQUIRE(analyser_open(&analyser, &err));
        for (size_t i = 0; i < 225; i++)
            compare_with_definition(index, analyser, &rng, words[i / 3 % ARRAY_LEN(words)],
                                    i % 3 == 2);
    }
}

/* --- what may not be seen --------------------------------------------------------------------- */

static struct lexical_hits ask(const struct lexical_view *view, const struct lexical_filter *filter,
                               struct arena *arena, const char *question)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct lexical_query query = {.filter = filter, .limit = 50};
    struct lexical_hits hits = {0};
    struct terms terms;
    struct err err = {0};

    query.terms = &terms;
    if (!analyser_open(&analyser, &err) ||
        !analyser_terms(analyser, arena, str_from(question), &terms, &err) ||
        !lexical_search(view, arena, &query, &hits, &err))
        EXPECT(false, "%s", err.text);
    return hits;
}

/* Scores of an index in which others' documents are hidden, and of one in which they never were. */
TEST(what_may_not_be_seen_changes_no_score)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    char dirs[2][256];
    struct err err = {0};
    int third = 1;

    for (int i = 0; i < 2; i++)
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%d", test_dir(), i);
    struct lexical *all CLEANUP(lexical_close) = open_index(dirs[0]);
    struct lexical *some CLEANUP(lexical_close) = open_index(dirs[1]);
    REQUIRE(all && some && fill(all, 3, 2, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(all);
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    REQUIRE(lexical_begin(some, &w, &err));
    for (uint64_t p = 0; p < view->passages; p++) {
        struct lexical_hit hit = lexical_hit_at(view, p);
        struct lexical_document_info info = {hit.key, hit.document_record, 1};
        char key[16], text[1024];

        if (!of_third(&third, 0, &info))
            continue;
        (void)snprintf(key, sizeof key, STR_FMT, STR_ARG(hit.key));
        (void)snprintf(text, sizeof text, STR_FMT, STR_ARG(hit.record));
        REQUIRE(add(w, key, text, &err));
    }
    REQUIRE(lexical_commit(&w, &err));
    struct lexical_view *fewer CLEANUP(lexical_release) = lexical_borrow(some);
    struct lexical_filter *filter;
    REQUIRE(lexical_filter_make(view, arena, of_third, &third, &filter, &err));
    EXPECT(lexical_filter_passages(filter) == fewer->passages);
    for (int i = 0; i < 40; i++) {
        char question[64];

        (void)snprintf(question, sizeof question, "w%d w%d w%d", i, i * 3 % WORDS, i * 7 % WORDS);
        struct lexical_hits a = ask(view, filter, arena, question);
        struct lexical_hits b = ask(fewer, NULL, arena, question);
        REQUIRE(a.count == b.count, "%zu, %zu: %s", a.count, b.count, question);
        for (size_t k = 0; k < a.count; k++)
            EXPECT(a.at[k].score == b.at[k].score && lexical_filter_allows(filter, a.at[k].passage),
                   "%s: %zu: %f, %f", question, k, (double)a.at[k].score, (double)b.at[k].score);
    }
}

/* --- records ---------------------------------------------------------------------------------- */

static struct str record_of(struct lexical *index, struct arena *arena, const char *key)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct lexical_document_info info;

    return lexical_find(view, str_from(key), &info) ? arena_str(arena, info.record) : STR("none");
}

static bool set_record(struct lexical *index, const char *key, const char *record, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) &&
           lexical_set_record(w, str_from(key), str_from(record), err) && lexical_commit(&w, err);
}

static bool add_one(struct lexical *index, const char *key, const char *text, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    return lexical_begin(index, &w, err) && add(w, key, text, err) && lexical_commit(&w, err);
}

static size_t files_with(const char *dir, const char *text)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str *names, bytes;
    struct err err = {0};
    size_t count, with = 0;

    if (!file_list(arena, dir, 1000, &names, &count, &err))
        return SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        char path[512];

        (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[i]));
        if (!file_load(arena, path, 16 * MIB, &bytes, &err))
            return SIZE_MAX;
        with += str_find(bytes, str_from(text)) < bytes.len;
    }
    return with;
}

TEST(a_record_is_set_without_its_segment)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct err err = {0};

    REQUIRE(index && add_one(index, "a", "apples", &err) && add_one(index, "b", "pears", &err));
    REQUIRE(set_record(index, "a", "first-rights", &err), "%s", err.text);
    EXPECT(str_eq(record_of(index, arena, "a"), STR("first-rights")));
    EXPECT(str_eq(record_of(index, arena, "b"), STR("record")));
    REQUIRE(set_record(index, "b", "other-rights", &err));
    REQUIRE(set_record(index, "a", "second-rights", &err));
    EXPECT(files_with(dir, "first-rights") == 0, "what was replaced is gone");
    EXPECT(!set_record(index, "zebra", "x", &err) && err.code == ERR_NOT_FOUND);
    lexical_close(&index);
    index = open_index(dir);
    REQUIRE(index);
    EXPECT(str_eq(record_of(index, arena, "a"), STR("second-rights")), "kept over a restart");
    /* Written anew with its segment: the newest record goes along, and nothing is left beside it. */
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    REQUIRE(lexical_begin(index, &w, &err));
    lexical_compact(w);
    REQUIRE(lexical_commit(&w, &err), "%s", err.text);
    EXPECT(str_eq(record_of(index, arena, "a"), STR("second-rights")));
    EXPECT(str_eq(record_of(index, arena, "b"), STR("other-rights")));
    REQUIRE(add_one(index, "a", "apples again", &err));
    EXPECT(str_eq(record_of(index, arena, "a"), STR("record")), "a new version has its own");
    EXPECT(files_with(dir, "second-rights") == 0);
    lexical_close(&index);
}

/* --- long questions --------------------------------------------------------------------------- */

/* Neither words that say nothing nor repeats take a place among those that count. */
TEST(the_last_word_of_a_long_question_counts)
{
    static const char *const fillings[] = {"the of and ", "pump "};
    struct lexical *index CLEANUP(lexical_close) = open_index(test_dir());
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct err err = {0};

    REQUIRE(index && add_one(index, "a", "apples", &err) && add_one(index, "b", "pump", &err));
    REQUIRE(analyser_open(&analyser, &err));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    for (size_t i = 0; i < ARRAY_LEN(fillings); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct lexical_query query = {.limit = 10};
        struct lexical_hits hits;
        struct terms terms;
        struct buf b;

        buf_init(&b, arena, 64 * KIB);
        for (int k = 0; k < 600; k++)
            buf_str(&b, str_from(fillings[i]));
        buf_str(&b, STR("apples"));
        REQUIRE(buf_ok(&b) && analyser_terms(analyser, arena, buf_view(&b), &terms, &err));
        query.terms = &terms;
        REQUIRE(lexical_search(view, arena, &query, &hits, &err), "%s", err.text);
        EXPECT(hits.count == 1 + i, "%s: %zu", fillings[i], hits.count);
        EXPECT(hits.count && str_eq(hits.at[0].key, STR("a")), "%s", fillings[i]);
    }
}

/* --- the same bytes --------------------------------------------------------------------------- */

static struct str only_segment(const char *dir, struct arena *arena)
{
    struct str *names, bytes = STR_NONE;
    struct err err = {0};
    size_t count, found = 0;

    if (!file_list(arena, dir, 1000, &names, &count, &err))
        return STR_NONE;
    for (size_t i = 0; i < count; i++) {
        char path[512];

        if (!str_ends(names[i], STR(".segment")))
            continue;
        found++;
        (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[i]));
        if (!file_load(arena, path, 16 * MIB, &bytes, &err))
            return STR_NONE;
    }
    EXPECT(found == 1, "%zu segments", found);
    return bytes;
}

static bool compact(struct lexical *index, const char *without, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    if (!lexical_begin(index, &w, err) || (without && !lexical_remove(w, str_from(without), err)))
        return false;
    lexical_compact(w);
    return lexical_commit(&w, err);
}

TEST(an_index_without_a_document_is_as_if_it_never_was)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    char dirs[2][256];
    struct err err = {0};

    for (int i = 0; i < 2; i++)
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%d", test_dir(), i);
    struct lexical *with CLEANUP(lexical_close) = open_index(dirs[0]);
    struct lexical *never CLEANUP(lexical_close) = open_index(dirs[1]);
    REQUIRE(with && never && fill(with, 9, 3, &err) && fill(never, 9, 1, &err));
    REQUIRE(add_one(with, "k00001x", "secret zebra w1 w2", &err));
    REQUIRE(compact(with, "k00001x", &err) && compact(never, NULL, &err), "%s", err.text);
    struct str a = only_segment(dirs[0], arena), b = only_segment(dirs[1], arena);
    EXPECT(a.len > 0 && str_eq(a, b), "%zu and %zu bytes", a.len, b.len);
}

/* --- the format before this one --------------------------------------------------------------- */

static struct str cuts_of_hit(struct lexical *index, struct arena *arena, const char *question)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct lexical_hits hits = ask(view, NULL, arena, question);

    return hits.count ? arena_str(arena, hits.at[0].cuts) : STR_NONE;
}

/* Through merges, and until a segment is older than they are. */
TEST(where_words_begin_is_kept)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct segment_header header;
    struct err err = {0};
    char path[512];

    REQUIRE(index && add_one(index, "a", "员工年假 apples", &err) &&
            add_one(index, "b", "pears", &err));
    struct word_cuts cuts = word_cuts_of(cuts_of_hit(index, arena, "apples"));
    EXPECT(cuts.count == 4 && cuts.bits[0] == 5, "%u", cuts.count);
    EXPECT(cuts_of_hit(index, arena, "pears").len == 0);
    REQUIRE(compact(index, NULL, &err), "%s", err.text);
    cuts = word_cuts_of(cuts_of_hit(index, arena, "apples"));
    EXPECT(cuts.count == 4 && cuts.bits[0] == 5, "%u", cuts.count);
    lexical_close(&index);
    struct str bytes = only_segment(dir, arena);
    REQUIRE(bytes.len > sizeof header);
    memcpy(&header, bytes.ptr, sizeof header);
    EXPECT(header.version == SEGMENT_VERSION);
    header.version = 2;
    header.crc = segment_header_crc(&header);
    memcpy((char *)(uintptr_t)bytes.ptr, &header, sizeof header);
    segment_path(path, dir, 3);
    REQUIRE(file_store(path, bytes, 0600, &err), "%s", err.text);
    index = open_index(dir);
    REQUIRE(index);
    EXPECT(cuts_of_hit(index, arena, "apples").len == 0, "a segment of before has none");
    lexical_close(&index);
}

TEST(segments_without_skips_are_still_read)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    struct lexical *index = open_index(dir);
    struct segment_header header;
    struct err err = {0};
    char path[512];

    REQUIRE(index && add_one(index, "a", "apples pears", &err) && compact(index, NULL, &err));
    lexical_close(&index);
    struct str bytes = only_segment(dir, arena);
    REQUIRE(bytes.len > sizeof header);
    memcpy(&header, bytes.ptr, sizeof header);
    header.version = 1;
    header.crc = segment_header_crc(&header);
    memcpy((char *)(uintptr_t)bytes.ptr, &header, sizeof header);
    segment_path(path, dir, 2);
    REQUIRE(file_store(path, bytes, 0600, &err), "%s", err.text);
    index = open_index(dir);
    REQUIRE(index);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    EXPECT(view->at[0]->version == 1 && ask(view, NULL, arena, "pears").count == 1);
    lexical_release(&view);
    lexical_close(&index);
}
