/* Passages of a size that is asked for: how large, what they repeat, where they begin, and that they stay so. */
#include "knowledge/chunks.h"

#include <string.h>

#include "knowledge/forget.h"
#include "knowledge/shown.h"
#include "knowledge/upload.h"
#include "rig.h"
#include "sys/file.h"
#include "test.h"

static uint32_t weight_of(const struct passage *p, size_t from)
{
    uint32_t weight = 0;

    for (size_t i = from; i < p->count; i++)
        weight += passage_weight(p->blocks[i].text);
    return weight;
}

static struct passage *chunk(struct arena *arena, struct str source, enum document_type type,
                             struct chunking chunking, size_t *count)
{
    struct passage *list = NULL;
    struct document d;
    struct err err = {0};

    *count = 0;
    EXPECT(document_read(arena, source, type, &d, &err) &&
               passages_chunk(arena, &d, chunking, &list, count, &err),
           "%s", err.text);
    return list;
}

/* form: # is the number. */
static void many_words(struct buf *to, const char *form, int count)
{
    struct str text = str_from(form);
    size_t at = str_find_char(text, '#');

    for (int i = 0; i < count; i++)
        buf_fmt(to, STR_FMT "%d" STR_FMT, STR_ARG(str_slice(text, 0, at)), i,
                STR_ARG(str_slice(text, at + 1, text.len)));
}

static const struct {
    const char *name, *form;
    int count;
    enum document_type type;
} kinds[] = {
    {"sentences of one paragraph", "Sentence # says something of cover and claims. ", 400,
     DOCUMENT_TEXT},
    {"paragraphs", "Paragraph # is short. It has two sentences.\n\n", 300, DOCUMENT_TEXT},
    {"words without an end", "word# ", 3000, DOCUMENT_TEXT},
    {"one word", "x#", 5000, DOCUMENT_TEXT},
    {"sections", "Part\n----\n\nIt says # little. It says it again.\n\n", 200, DOCUMENT_MARKDOWN},
    {"items", "- item # of the list, which goes on\n", 300, DOCUMENT_MARKDOWN},
    {"rows", "name#,some value of it,and another one\n", 300, DOCUMENT_CSV},
    {"code", "int f#(void) { return 1; }\n", 300, DOCUMENT_CODE},
    {"Chinese", "第#条规定员工每年有二十五天年假，出差住宿每晚最高一百二十欧元。", 300,
     DOCUMENT_TEXT},
};
static const struct chunking sizes[] = {{100, 0}, {100, 50}, {137, 11}, {800, 400}, {4096, 2048}};

/* No larger, nothing more repeated, nothing lost, and each byte where it stood. */
static void check(const char *name, struct str source, struct chunking size,
                  const struct passage *list, size_t count)
{
    uint32_t end = 0;

    for (size_t i = 0; i < count; i++) {
        size_t repeated = i ? passage_repeats(&list[i - 1], &list[i]) : 0;
        uint32_t all = weight_of(&list[i], 0), again = all - weight_of(&list[i], repeated);

        EXPECT(all <= size.tokens * TOKEN_WEIGHT, "%s, %zu: %u", name, i, all);
        EXPECT(again <= size.overlap * TOKEN_WEIGHT, "%s, %zu: %u", name, i, again);
        EXPECT(size.overlap > 0 || repeated == 0, "%s, %zu", name, i);
        for (size_t k = repeated; k < list[i].count; k++) {
            const struct block *b = &list[i].blocks[k];
            struct origin o = block_origin(b, 0, (uint32_t)b->text.len);
            struct str there = str_slice(source, o.byte_first, o.byte_end);

            EXPECT(o.byte_first >= end, "%s, %zu: in order", name, i);
            EXPECT(b->kind == BLOCK_ROW || b->run_count != 1 ||
                       str_eq(str_trim(there), str_trim(b->text)),
                   "%s, %zu, %zu", name, i, k);
            end = o.byte_end;
        }
    }
    EXPECT(count == 0 || str_trim(str_slice(source, end, source.len)).len == 0, "%s: all of it",
           name);
}

TEST(chunks_keep_to_their_size_and_lose_nothing)
{
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
            struct buf text;
            size_t count;

            buf_init(&text, arena, 4 * MIB);
            many_words(&text, kinds[k].form, kinds[k].count);
            struct passage *list = chunk(arena, buf_view(&text), kinds[k].type, sizes[s], &count);
            EXPECT(count > 0, "%s", kinds[k].name);
            check(kinds[k].name, buf_view(&text), sizes[s], list, count);
        }
}

TEST(chunks_are_full_and_repeat_as_much_as_was_asked)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct chunking size = {200, 60};
    struct buf text;
    size_t count;

    buf_init(&text, arena, 4 * MIB);
    many_words(&text, "Sentence # says something of cover and claims. ", 200);
    struct passage *list = chunk(arena, buf_view(&text), DOCUMENT_TEXT, size, &count);
    EXPECT(count > 10, "%zu", count);
    for (size_t i = 0; i + 1 < count; i++) {
        size_t repeated = passage_repeats(&list[i], &list[i + 1]);
        uint32_t again = weight_of(&list[i + 1], 0) - weight_of(&list[i + 1], repeated);
        const struct block *last = &list[i].blocks[list[i].count - 1];

        EXPECT(weight_of(&list[i], 0) > (size.tokens - 15) * TOKEN_WEIGHT, "%zu", i);
        EXPECT(again > (size.overlap - 15) * TOKEN_WEIGHT, "%zu: %u", i, again);
        EXPECT(str_starts(list[i + 1].blocks[0].text, STR("Sentence")), "whole sentences, %zu", i);
        EXPECT(str_ends(str_trim(last->text), STR(".")), "%zu", i);
    }
}

TEST(nothing_is_repeated_over_a_heading)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    const char *source = "# T\n\n## A\n\nOne is here. Two is here.\n\n## B\n\nThree is here.\n";
    size_t count;
    struct passage *list =
        chunk(arena, str_from(source), DOCUMENT_MARKDOWN, (struct chunking){4096, 2048}, &count);

    REQUIRE(count == 2);
    EXPECT(str_eq(list[0].heading, STR("A")) && str_eq(list[1].heading, STR("B")));
    EXPECT(list[1].count == 1 && str_starts(list[1].blocks[0].text, STR("Three")));
}

static const struct {
    struct chunking chunking;
    bool fits;
} bounds[] = {
    {{0, 0}, true},   {{100, 0}, true},   {{100, 50}, true},     {{4096, 2048}, true},
    {{99, 0}, false}, {{100, 51}, false}, {{4096, 2049}, false}, {{4097, 0}, false},
    {{0, 1}, false},  {{101, 50}, true},  {{101, 51}, false},
};

TEST(sizes_are_bounded)
{
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        EXPECT(chunking_fits(bounds[i].chunking) == bounds[i].fits, "%u %u",
               bounds[i].chunking.tokens, bounds[i].chunking.overlap);
}

/* ---- in a base ---- */

static struct pool *pool;

static bool open_pool(struct rig *rig)
{
    struct pool_options options = {.name = "test", .threads = 1, .queue_max = 10};
    struct err err = {0};

    pool = pool_new(&options, &err);
    if (!pool || !rig_open(rig))
        return false;
    rig->knowledge->pool = pool;
    return true;
}

static void close_pool(struct rig *rig)
{
    rig_close(rig);
    pool_free(&pool);
}

static struct upload_report send(struct rig *rig, const char *name, struct str text,
                                 struct chunking chunking)
{
    struct upload upload = {
        .name = str_from(name), .file = rig_path(rig, "sent"), .since = 7, .chunking = chunking};
    struct upload_report report = {0};
    struct err err = {0};

    EXPECT(file_store(upload.file, text, 0600, &err) &&
               knowledge_upload(rig->knowledge, rig->arena, &upload, &report, &err),
           "%s", err.text);
    return report;
}

static struct str long_text(struct arena *arena)
{
    struct buf b;

    buf_init(&b, arena, MIB);
    many_words(&b, "Sentence # says something of cover and claims. ", 100);
    return str_trim(buf_view(&b));
}

FIBER_TEST(a_document_keeps_the_size_it_was_cut_by)
{
    const struct chunking size = {100, 30}, other = {200, 0};
    struct upload_report report;
    struct passages_found found;
    struct document_info *list;
    struct err err = {0};
    uint32_t documents;
    struct rig rig;
    size_t count;

    REQUIRE(open_pool(&rig));
    struct str text = long_text(rig.arena);
    report = send(&rig, "a.txt", text, size);
    EXPECT(report.became == UPLOAD_ADDED && chunking_is(report.document.chunking, size));
    EXPECT(send(&rig, "a.txt", text, size).became == UPLOAD_UNCHANGED);
    report = send(&rig, "a.txt", text, other);
    EXPECT(report.became == UPLOAD_CHANGED && chunking_is(report.document.chunking, other));
    report = send(&rig, "a.txt", text, size);
    EXPECT(report.document.passages > 5 && report.document.version == 3);

    /* What is said of it changes nothing of how it is cut. */
    struct ingest_wish wish = {
        .path = report.document.id, .says_metadata = true, .metadata = STR("{\"a\":1}")};
    EXPECT(knowledge_label(rig.knowledge, &wish, &documents, &err), "%s", err.text);
    EXPECT(rig_reopen(&rig));
    rig.knowledge->pool = pool;
    EXPECT(knowledge_list(rig.knowledge, rig.arena, NULL, &list, &count, &err) && count == 1 &&
           chunking_is(list[0].chunking, size) && str_eq(list[0].metadata, wish.metadata));

    /* Its text, without what chunks repeat of each other. */
    struct buf all;
    EXPECT(knowledge_text(rig.knowledge, rig.arena, report.document.id, NULL, &found, &err));
    buf_init(&all, rig.arena, MIB);
    for (size_t i = 0; i < found.count; i++)
        buf_fmt(&all, "%s" STR_FMT, i ? " " : "", STR_ARG(str_trim(found.list[i].quote)));
    EXPECT(found.count == report.document.passages && str_eq(buf_view(&all), text), "%zu",
           found.count);
    send(&rig, "a.txt", text, (struct chunking){0});
    EXPECT(knowledge_list(rig.knowledge, rig.arena, NULL, &list, &count, &err) && count == 1 &&
           !list[0].chunking.tokens && list[0].passages == 4);
    close_pool(&rig);
}

/* The bytes of all files of the index, in order of their names' endings. */
static struct str index_bytes(struct rig *rig)
{
    const char *dir = rig_path(rig, "base");
    struct str *names, bytes;
    struct err err = {0};
    struct buf all;
    size_t count;

    buf_init(&all, rig->arena, 16 * MIB);
    EXPECT(file_list(rig->arena, dir, 1000, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++)
        if (str_ends(names[i], STR(".segment")) || str_ends(names[i], STR(".records"))) {
            const char *path = arena_fmt(rig->arena, "%s/" STR_FMT, dir, STR_ARG(names[i])).ptr;

            EXPECT(file_load(rig->arena, path, 8 * MIB, &bytes, &err), "%s", err.text);
            buf_str(&all, bytes);
        }
    return buf_view(&all);
}

FIBER_TEST(an_index_without_a_chunked_document_is_as_one_that_never_had_it)
{
    const struct chunking size = {100, 30}, other = {150, 75};
    struct str bytes[2];
    struct err err = {0};

    for (int with = 0; with < 2; with++) {
        struct rig rig;
        uint32_t gone;

        REQUIRE(open_pool(&rig));
        struct str text = long_text(rig.arena);
        send(&rig, "a.txt", text, size);
        if (with)
            send(&rig, "b.txt", text, other);
        send(&rig, "c.txt", str_slice(text, 0, 900), other);
        EXPECT(!with || knowledge_forget(rig.knowledge, STR("b.txt"), &gone, &err), "%s", err.text);
        EXPECT(compact_now(rig.knowledge, &err), "%s", err.text);
        static char kept[2][MIB];
        struct str got = index_bytes(&rig);
        REQUIRE(got.len > 1000 && got.len < sizeof kept[0]);
        memcpy(kept[with], got.ptr, got.len);
        bytes[with] = (struct str){kept[with], got.len};
        close_pool(&rig);
    }
    EXPECT(str_eq(bytes[0], bytes[1]), "%zu and %zu bytes", bytes[0].len, bytes[1].len);
}
