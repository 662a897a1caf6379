/* Documents inverted by several threads: the same bytes as by one, whatever the order of the work. */
#include "index/invert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/pages.h"
#include "base/utf8.h"
#include "index/batch.h"
#include "index/lexical_internal.h"
#include "index/vector.h"
#include "sys/file.h"
#include "test.h"

#define DOCUMENTS 400

static struct lexical *open_below(const char *name, char dir[256])
{
    struct lexical *index = NULL;
    struct err err = {0};

    (void)snprintf(dir, 256, "%s/%s", test_dir(), name);
    if (!lexical_open(dir, &index, &err))
        EXPECT(false, "%s", err.text);
    return index;
}

/* Documents of no, one and many passages, English and Chinese, with marks; some repeat their words often. */
static bool add_document(struct lexical_writer *w, struct arena *arena, unsigned i, struct err *err)
{
    struct str marks[] = {STR("marked"), STR("zwei")};
    struct lexical_passage passages[9];
    struct lexical_document d = {.key = arena_fmt(arena, "k%05u", i),
                                 .record = arena_fmt(arena, "record %u", i),
                                 .passages = passages,
                                 .passage_count = i % 9};

    for (unsigned p = 0; p < d.passage_count; p++)
        passages[p] = (struct lexical_passage){
            .header = arena_fmt(arena, "Title %u", i % 20),
            .text =
                arena_fmt(arena, "word%u shared words stand here %u理赔期限是%u天 shared word%u", i,
                          p, i % 30, i * 7 % 100),
            .record = arena_fmt(arena, "%u.%u", i, p),
            .marks = marks,
            .mark_count = (i + p) % 3};
    return lexical_add(w, &d, err);
}

static bool build(struct lexical *index, int threads, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    if (!lexical_begin(index, &w, err) || !lexical_share(w, threads, err))
        return false;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        size_t mark = arena_mark(arena);

        if (!add_document(w, arena, i * 7919 % DOCUMENTS, err))
            return false;
        arena_rewind(arena, mark);
    }
    return lexical_commit(&w, err);
}

/* Every file of the index but its lock, one behind the other. */
static struct str all_bytes(struct arena *arena, const char *dir)
{
    struct str *names, bytes;
    struct err err = {0};
    struct buf b;
    size_t count;

    buf_init(&b, arena, 64 * MIB);
    if (!file_list(arena, dir, 100, &names, &count, &err))
        return STR_NONE;
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(names[i]));

        if (!file_load(arena, path.ptr, 16 * MIB, &bytes, &err))
            return STR_NONE;
        buf_str(&b, names[i]);
        buf_str(&b, bytes);
    }
    return buf_view(&b);
}

TEST(any_number_of_threads_writes_the_same_bytes)
{
    static const int threads[] = {1, 2, 3, 8};
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str first = STR_NONE;

    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        struct err err = {0};
        char dir[256], name[16];

        (void)snprintf(name, sizeof name, "%d", threads[i]);
        struct lexical *index CLEANUP(lexical_close) = open_below(name, dir);
        REQUIRE(index && build(index, threads[i], &err), "%s", err.text);
        struct str bytes = all_bytes(arena, dir);
        if (i == 0)
            first = bytes;
        EXPECT(bytes.len > 10000 && str_eq(bytes, first), "%d threads: %zu bytes, not %zu",
               threads[i], bytes.len, first.len);
    }
}

TEST(terms_are_counted_in_order_of_first_use)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct arena *scratch CLEANUP(arena_end) = arena_new(16 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct lexical_passage passage = {.header = STR("Apples"),
                                      .text = STR("pears, the apples; apple pie 天天")};
    struct inverted_term term;
    struct inverted got;
    struct err err = {0};
    size_t i = 0;
    static const struct {
        const char *key;
        uint32_t times;
    } wanted[] = {{"wappl", 3}, {"wpear", 1}, {"wpie", 1}, {"w天天", 1}, {"p天天", 1}};

    REQUIRE(analyser_open(&analyser, &err) &&
            invert(analyser, arena, scratch, &passage, &got, &err));
    REQUIRE(got.count == ARRAY_LEN(wanted), "%zu terms", got.count);
    for (struct str rest = got.terms; inverted_next(&rest, &term); i++) {
        REQUIRE(i < ARRAY_LEN(wanted));
        EXPECT(str_eq(term.key, str_from(wanted[i].key)) && term.times == wanted[i].times &&
                   term.hash == (uint32_t)siphash(term.key),
               STR_FMT " %u", STR_ARG(term.key), term.times);
    }
    EXPECT(i == got.count);
    EXPECT(got.lengths[TERM_WORD] == 6 && got.lengths[TERM_PAIR] == 1);
}

TEST(a_document_above_the_bound_leaves_nothing_behind)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};
    char dir[256];
    struct lexical *index CLEANUP(lexical_close) = open_below("large", dir);
    struct str text = {"x",
                       ANALYSED_BYTES_MAX + 1}; /* refused by its length, before a byte is read */
    struct lexical_passage passages[] = {{.text = STR("apples")}, {.text = text}};
    struct lexical_document d = {STR("a"), STR("r"), passages, 2};

    REQUIRE(index && lexical_begin(index, &w, &err) && lexical_share(w, 2, &err));
    EXPECT(!lexical_add(w, &d, &err) && err.code == ERR_TOO_LARGE, "%s", err.text);
    d.passage_count = 1;
    err = (struct err){0};
    EXPECT(lexical_add(w, &d, &err), "it was not counted as added: %s", err.text);
    REQUIRE(lexical_commit(&w, &err), "%s", err.text);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    EXPECT(lexical_stats(view).documents == 1 && lexical_stats(view).passages == 1);
}

/* One with more postings than a batch holds is refused by itself: what it was to replace stays whole, and the run goes on. */
TEST(a_document_of_too_many_words_is_refused_alone)
{
    static char names[1000][4];
    static struct str marks[ARRAY_LEN(names)];
    static struct lexical_passage passages[BATCH_USES_MAX / ARRAY_LEN(names) + 1];

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        marks[i] = (struct str){names[i], (size_t)snprintf(names[i], sizeof names[i], "%zu", i)};
    for (size_t i = 0; i < ARRAY_LEN(passages); i++)
        passages[i] = (struct lexical_passage){.marks = marks, .mark_count = ARRAY_LEN(marks)};
    for (int threads = 1; threads < 3; threads++) {
        struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
        struct lexical_passage small = {.text = STR("apples"), .record = STR("r")};
        struct lexical_document before = {STR("a"), STR("r"), &small, 1},
                                other = {STR("b"), STR("r"), &small, 1},
                                last = {STR("c"), STR("r"), &small, 1},
                                large = {STR("a"), STR("r"), passages, ARRAY_LEN(passages)};
        struct lexical_document_info info;
        struct err err = {0};
        char dir[256];
        struct lexical *index CLEANUP(lexical_close) =
            open_below(threads == 1 ? "alone" : "shared", dir);

        REQUIRE(index && lexical_begin(index, &w, &err) && lexical_add(w, &before, &err) &&
                lexical_commit(&w, &err));
        REQUIRE(lexical_begin(index, &w, &err) && lexical_share(w, threads, &err));
        EXPECT(lexical_add(w, &other, &err), "%s", err.text);
        EXPECT(!lexical_add(w, &large, &err) && err.code == ERR_TOO_LARGE, "%s", err.text);
        EXPECT(lexical_add(w, &last, &err), "%s", err.text);
        EXPECT(lexical_commit(&w, &err), "%s", err.text);
        struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
        EXPECT(lexical_find(view, STR("a"), &info) && info.passages == 1, "%u", info.passages);
        EXPECT(lexical_stats(view).documents == 3 && lexical_stats(view).passages == 3);
    }
}

/* A run of which a document is half written, for another reason, is none. */
TEST(a_run_that_lost_a_document_is_not_kept)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    const uint8_t model[VECTOR_MODEL_BYTES] = {1};
    struct vector_field field;
    struct err err = {0};
    char dir[256];
    struct lexical *index CLEANUP(lexical_close) = open_below("half", dir);
    struct lexical_document_info info;
    float wrong = NAN;

    REQUIRE(vector_field_init(&field, STR("f"), 1, model, &err));
    struct lexical_vector vector = {&field, &wrong};
    struct lexical_passage good = {.text = STR("apples"), .record = STR("r")},
                           both[] = {good, good};
    struct lexical_document d = {STR("a"), STR("r"), &good, 1};
    REQUIRE(index && lexical_begin(index, &w, &err) && lexical_add(w, &d, &err) &&
            lexical_commit(&w, &err));
    both[1].vectors = &vector;
    both[1].vector_count = 1;
    d = (struct lexical_document){STR("a"), STR("r"), both, 2};
    REQUIRE(lexical_begin(index, &w, &err));
    EXPECT(!lexical_add(w, &d, &err) && err.code == ERR_INVALID, "%s", err.text);
    EXPECT(!lexical_commit(&w, &err), "half a document");
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    EXPECT(lexical_stats(view).documents == 1 && lexical_stats(view).passages == 1);
    EXPECT(lexical_find(view, STR("a"), &info) && info.passages == 1);
}

static bool no_pool(void *ctx, const char *point)
{
    (void)ctx;
    return strcmp(point, "pool.new") == 0;
}

/* A run that is given up while helpers are at work; one without helpers to be had. */
TEST(abandoned_and_helpless_runs)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};
    char dir[256];
    struct lexical *index CLEANUP(lexical_close) = open_below("abandoned", dir);

    REQUIRE(index != NULL);
    for (int round = 0; round < 20; round++) {
        struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

        REQUIRE(lexical_begin(index, &w, &err) && lexical_share(w, 4, &err));
        for (unsigned i = 0; i < 10; i++)
            REQUIRE(add_document(w, arena, i, &err), "%s", err.text);
    }
    fault_decide(no_pool, NULL);
    EXPECT(build(index, 2, &err), "%s", err.text);
    fault_decide(NULL, NULL);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    EXPECT(lexical_stats(view).documents == DOCUMENTS);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Ideographs of a vocabulary that does not grow, in an order that does not repeat. */
static struct str wide_text(struct arena *arena, uint64_t *seed, int characters)
{
    struct buf b;

    buf_init(&b, arena, MIB);
    for (int i = 0; i < characters; i++) {
        char bytes[4];

        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        buf_put(&b, bytes, utf8_put(bytes, 0x4E00 + (uint32_t)(*seed >> 33) % 60));
    }
    return buf_view(&b);
}

#ifdef WEIR_FAULT         /* it counts where pages may fail */
static size_t most_pages; /* of the process at any moment that one is taken */

static bool note_pages(void *ctx, const char *point)
{
    (void)ctx;
    if (strcmp(point, "pages.take") == 0)
        most_pages = MAX_OF(most_pages, pages_in_use());
    return false;
}

static size_t most_while_building(const char *name, unsigned documents)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};
    uint64_t seed = 1;
    char dir[256];
    struct lexical *index CLEANUP(lexical_close) = open_below(name, dir);
    bool ok = index && lexical_begin(index, &w, &err);

    for (unsigned i = 0; ok && i < documents; i++) {
        size_t mark = arena_mark(arena);
        struct lexical_passage passages[5];
        struct lexical_document d = {arena_fmt(arena, "k%05u", i), STR("r"), passages, 5};

        if (i == 0) {
            index->batch_postings = 60000;
            most_pages = 0;
            fault_decide(note_pages, NULL);
        }
        for (size_t p = 0; p < d.passage_count; p++)
            passages[p] = (struct lexical_passage){.text = wide_text(arena, &seed, 100)};
        ok = lexical_add(w, &d, &err);
        arena_rewind(arena, mark);
    }
    ok = ok && lexical_commit(&w, &err);
    fault_decide(NULL, NULL);
    EXPECT(ok, "%s", err.text);
    return most_pages;
}

TEST(memory_of_a_build_does_not_grow_with_its_passages)
{
    size_t few = most_while_building("few", 120), many = most_while_building("many", 480);

    /* A passage's entry and where a merge puts it, and a block more where an arena grew: not four times. */
    EXPECT(few > 500000 && many < few + few / 4, "%zu with 120 documents, %zu with 480", few, many);
}
#endif

TEST(terms_that_wait_take_what_the_queue_counts)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct inverted got;
    struct err err = {0};
    uint64_t seed = 2;

    REQUIRE(analyser_open(&analyser, &err));
    const struct str texts[] = {
        wide_text(arena, &seed, 4000), STR("a b c d e f g h i j k l m n o p q r s t u v w x y z"),
        STR("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19"),
        STR("字母漢字かなカナ한글 mixed with words, 人工智能 and 2,500 more")};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct lexical_passage passage = {.text = texts[i]};

        REQUIRE(invert(analyser, arena, scratch, &passage, &got, &err));
        EXPECT(got.terms.len <= WAITING_TERMS * texts[i].len, "text %zu: %zu bytes of %zu", i,
               got.terms.len, texts[i].len);
    }
}
