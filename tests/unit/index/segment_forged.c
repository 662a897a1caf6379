/* Segments whose checksums are right and whose bytes were never written so: nothing outside of them is read. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "index/cursor.h"
#include "index/lexical_internal.h"
#include "index/segment_format.h"
#include "sys/file.h"
#include "test.h"

#define PASSAGES 20000u
#define LISTS    8u

/* Number 1: one document; lists "wlist0", "wlist1" ... of the postings. */
static bool write_segment(const char *dir, const struct posting *postings, uint32_t count,
                          struct err *err)
{
    struct segment_writer *w CLEANUP(segment_abandon) = NULL;
    const uint32_t lengths[TERM_FIELDS] = {20};
    struct segment_id id;
    char text[16];

    if (!segment_create(dir, 1, &w, err) ||
        !segment_add_document(w, STR("key"), STR("record"), err))
        return false;
    for (uint32_t i = 0; i < PASSAGES; i++)
        if (!segment_add_passage(w, STR("passage"), STR_NONE, lengths, err))
            return false;
    for (uint32_t i = 0; i < LISTS; i++) {
        (void)snprintf(text, sizeof text, "wlist%u", i);
        if (!segment_add_term(w, str_from(text), postings, count, err))
            return false;
    }
    return segment_seal(&w, &id, err);
}

static bool find_lists(struct lexical *index, struct arena *arena, struct lexical_hits *out,
                       struct err *err)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct term at[LISTS] = {0};
    struct terms terms = {at, LISTS, LISTS};
    const struct lexical_query query = {.terms = &terms, .limit = 10};

    for (uint32_t i = 0; i < LISTS; i++)
        at[i].text = arena_fmt(arena, "list%u", i);
    return lexical_search(view, arena, &query, out, err);
}

/* A passage stands in a list once; one that says otherwise has more postings than a window has room for. */
TEST(a_passage_that_is_listed_again_and_again)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = test_dir();
    struct lexical *index = NULL;
    struct lexical_hits hits;
    struct manifest manifest = {.next_number = 2, .numbers = (uint64_t[]){1}, .count = 1};
    struct err err = {0};
    struct posting *postings = arena_array(arena, PASSAGES, sizeof *postings);

    REQUIRE(postings);
    for (uint32_t i = 0; i < PASSAGES; i++)
        postings[i] = (struct posting){7, 1};
    REQUIRE(write_segment(dir, postings, PASSAGES, &err) && manifest_store(dir, &manifest, &err));
    REQUIRE(lexical_open(dir, &index, &err), "%s", err.text);
    EXPECT(find_lists(index, arena, &hits, &err), "%s", err.text);
    lexical_close(&index);
}

/* The first section's first skip says that its block ends there. */
static bool forge_skip(const char *dir, struct arena *arena, uint32_t last, struct err *err)
{
    struct segment_header header;
    char path[SEGMENT_PATH_MAX];
    struct str bytes;

    segment_path(path, dir, 1);
    if (!file_load(arena, path, 16 * MIB, &bytes, err))
        return false;
    char *copy = arena_alloc(arena, bytes.len);
    memcpy(copy, bytes.ptr, bytes.len);
    memcpy(&header, copy, sizeof header);
    memcpy(copy + header.sections[POSTINGS].at, &last, sizeof last);
    header.sections[POSTINGS].crc =
        crc32c(0, copy + header.sections[POSTINGS].at, header.sections[POSTINGS].len);
    header.crc = segment_header_crc(&header);
    memcpy(copy, &header, sizeof header);
    return file_store(path, (struct str){copy, bytes.len}, 0600, err);
}

TEST(a_block_that_begins_behind_the_last_passage)
{
    static const uint32_t lasts[] = {PASSAGES, PASSAGES + 1, 0x7FFFFFFF, 0xFFFFFFF0};
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct worth worth = {.weight = 1, .average = 20};
    struct posting *postings = arena_array(arena, PASSAGES, sizeof *postings);

    REQUIRE(postings);
    for (uint32_t i = 0; i < PASSAGES; i++)
        postings[i] = (struct posting){i, 1};
    for (size_t i = 0; i < ARRAY_LEN(lasts); i++) {
        struct segment *s CLEANUP(segment_unmap) = NULL;
        const char *dir = test_dir();
        struct term_entry entry;
        struct cursor c;
        struct err err = {0};

        REQUIRE(write_segment(dir, postings, PASSAGES, &err) &&
                    forge_skip(dir, arena, lasts[i], &err) && segment_open(dir, 1, &s, &err),
                "%s", err.text);
        REQUIRE(segment_find_term(s, STR("wlist0"), &entry));
        cursor_open(&c, s, &entry, &worth);
        EXPECT(c.passage == 0);
        for (cursor_seek(&c, 200); c.passage != CURSOR_END; cursor_next(&c))
            REQUIRE(c.passage < PASSAGES, "%u: %u", lasts[i], c.passage);
    }
}

/* A document's passages lie within the segment, one document's behind the other's. */
TEST(a_document_with_passages_that_are_not_there)
{
    static const struct {
        const char *name;
        uint32_t first, count;
        bool opens;
    } cases[] = {
        {"as it was", 0, PASSAGES, true},
        {"behind the last", PASSAGES, 1, false},
        {"more than there are", 0, PASSAGES + 1, false},
        {"so many that their sum is small", 1, UINT32_MAX, false},
        {"fewer than there are", 0, PASSAGES - 1, false},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct posting posting = {0, 1};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct segment *s CLEANUP(segment_unmap) = NULL;
        const char *dir = test_dir();
        struct segment_header header;
        struct document_entry entry;
        char path[SEGMENT_PATH_MAX];
        struct err err = {0};
        struct str bytes;

        segment_path(path, dir, 1);
        REQUIRE(write_segment(dir, &posting, 1, &err) &&
                file_load(arena, path, 16 * MIB, &bytes, &err));
        char *copy = arena_alloc(arena, bytes.len);
        memcpy(copy, bytes.ptr, bytes.len);
        memcpy(&header, copy, sizeof header);
        char *at = copy + header.sections[DOCUMENTS].at;
        memcpy(&entry, at, sizeof entry);
        entry.passage_first = cases[i].first;
        entry.passage_count = cases[i].count;
        memcpy(at, &entry, sizeof entry);
        header.sections[DOCUMENTS].crc = crc32c(0, at, header.sections[DOCUMENTS].len);
        header.crc = segment_header_crc(&header);
        memcpy(copy, &header, sizeof header);
        REQUIRE(file_store(path, (struct str){copy, bytes.len}, 0600, &err));
        bool opens = segment_open(dir, 1, &s, &err);
        EXPECT(opens == cases[i].opens, "%s: %s", cases[i].name, err.text);
        EXPECT(opens || err.code == ERR_UNAVAILABLE, "%s", cases[i].name);
    }
}
