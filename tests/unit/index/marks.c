#include "index/marks.h"

#include <stdio.h>
#include <string.h>

#include "sys/file.h"
#include "test.h"

/* Two passages a document: the first has the marks of `marks` ("a b"), the second the last of them. */
static bool add(struct lexical_writer *w, const char *key, const char *marks, struct err *err)
{
    struct lexical_passage passages[2] = {
        {.header = STR(""), .text = STR("some words"), .record = str_from(key)},
        {.header = STR(""), .text = STR("other words"), .record = str_from(key)}};
    struct lexical_document document = {str_from(key), str_from(key), passages, 2};
    struct str list[8];
    size_t count = 0;

    for (struct str rest = str_from(marks), part; str_split(&rest, ' ', &part);)
        list[count++] = part;
    passages[0].marks = list;
    passages[0].mark_count = count;
    passages[1].marks = list + count - 1;
    passages[1].mark_count = 1;
    return lexical_add(w, &document, err);
}

struct entry {
    const char *key, *marks;
};

/* One run an entry; compacted at the end. */
static struct lexical *build(const char *dir, const struct entry *entries, size_t count,
                             const char *forget)
{
    struct lexical *index = NULL;
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};

    if (!lexical_open(dir, &index, &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < count; i++)
        EXPECT(lexical_begin(index, &w, &err) && add(w, entries[i].key, entries[i].marks, &err) &&
                   lexical_commit(&w, &err),
               "%s", err.text);
    EXPECT(lexical_begin(index, &w, &err), "%s", err.text);
    if (forget)
        EXPECT(lexical_remove(w, str_from(forget), &err), "%s", err.text);
    lexical_compact(w);
    EXPECT(lexical_commit(&w, &err), "%s", err.text);
    return index;
}

static const struct entry entries[] = {{"one", "basel bcbs"},
                                       {"two", "bcbs"},
                                       {"three", "acme basel 草莓"},
                                       {"four", "acme"}};

/* "count: passage/number passage/number" */
static void find(const struct lexical_view *view, const struct lexical_filter *filter,
                 const char *mark, char out[128])
{
    uint64_t passages[3];
    uint32_t numbers[3];
    struct marked marked = {.passages = passages, .numbers = numbers, .limit = 3};
    int len;

    marks_find(view, filter, str_from(mark), &marked);
    len = snprintf(out, 128, "%d:", (int)marked.count);
    for (size_t i = 0; i < marked.listed; i++)
        len += snprintf(out + len, 128 - (size_t)len, " %d/%d", (int)passages[i], (int)numbers[i]);
}

/* Documents in order of their keys: four 0-1, one 2-3, three 4-5, two 6-7. */
static const struct {
    const char *mark, *all, *without_three;
} found[] = {
    {"acme", "3: 0/1 1/1 4/1", "2: 0/1 1/1"},
    {"basel", "2: 2/1 4/2", "1: 2/1"},
    {"bcbs", "4: 2/2 3/1 6/1", "4: 2/2 3/1 6/1"},
    {"草莓", "2: 4/3 5/1", "0:"},
    {"bcb", "0:", "0:"},
    {"nobody", "0:", "0:"},
};

static bool all_but_three(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)context, (void)i;
    return !str_eq(document->key, STR("three"));
}

TEST(marks_are_found_where_they_may_be_seen)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct lexical *index CLEANUP(lexical_close) =
        build(test_dir(), entries, ARRAY_LEN(entries), NULL);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct lexical_filter *filter;
    struct err err = {0};
    char got[128];

    REQUIRE(lexical_filter_make(view, arena, all_but_three, NULL, &filter, &err));
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        find(view, NULL, found[i].mark, got);
        EXPECT(strcmp(got, found[i].all) == 0, "%s: %s", found[i].mark, got);
        find(view, filter, found[i].mark, got);
        EXPECT(strcmp(got, found[i].without_three) == 0, "%s, hidden: %s", found[i].mark, got);
    }
    EXPECT(marks_begin(view, STR("bas")) && marks_begin(view, STR("basel")) &&
           marks_begin(view, STR("草")));
    EXPECT(!marks_begin(view, STR("baself")) && !marks_begin(view, STR("x")) &&
           !marks_begin(view, STR("")));
}

TEST(marks_are_no_words)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct lexical *index CLEANUP(lexical_close) =
        build(test_dir(), entries, ARRAY_LEN(entries), NULL);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    struct term term = {.text = STR("acme")};
    struct terms terms = {&term, 1, 1};
    struct lexical_hits hits;
    struct err err = {0};

    REQUIRE(lexical_search(view, arena, &(struct lexical_query){&terms, NULL, 5}, &hits, &err));
    EXPECT(hits.count == 0, "no search sees a mark");
}

static struct str only_segment(struct arena *arena, const char *dir)
{
    struct str *names, bytes = STR_NONE;
    struct err err = {0};
    size_t count, segments = 0;

    if (!file_list(arena, dir, 100, &names, &count, &err))
        EXPECT(false, "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        if (!str_ends(names[i], STR(".segment")))
            continue;
        segments++;
        struct str path = arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(names[i]));
        EXPECT(path.ptr && file_load(arena, path.ptr, MIB, &bytes, &err), "%s", err.text);
    }
    EXPECT(segments == 1);
    return bytes;
}

TEST(marks_of_a_deleted_document_are_gone_to_the_byte)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    static const struct entry others[] = {{"four", "acme"}, {"two", "bcbs"}, {"one", "basel bcbs"}};
    const char *dir = test_dir();
    char a[256], b[256];

    (void)snprintf(a, sizeof a, "%s/a", dir);
    (void)snprintf(b, sizeof b, "%s/b", dir);
    struct lexical *lost CLEANUP(lexical_close) = build(a, entries, ARRAY_LEN(entries), "three");
    struct lexical *never CLEANUP(lexical_close) = build(b, others, ARRAY_LEN(others), NULL);
    struct str left = only_segment(arena, a), right = only_segment(arena, b);
    EXPECT(left.len > 0 && str_eq(left, right), "%zu and %zu bytes", left.len, right.len);
    EXPECT(str_find(left, STR("草莓")) == left.len);
}
