/* Files through the child without rights: what it reads, what a hostile one does to it, limits. */
#include "knowledge/readers.h"

#include <stdlib.h>
#include <string.h>

#include "kit.h"
#include "rig.h"
#include "test.h"

#define RELATIONS \
    "<Relationships><Relationship Id='r' Type='x/officeDocument' Target='d.xml'/></Relationships>"

static struct str small_docx(struct arena *arena, const char *text)
{
    struct str document = arena_fmt(
        arena, "<w:document><w:body><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:body></w:document>",
        text);
    const struct kit_part parts[] = {{.name = "_rels/.rels", .text = RELATIONS},
                                     {.name = "d.xml", .bytes = document}};

    return kit_zip(arena, parts, ARRAY_LEN(parts));
}

static bool open_readers(struct arena *arena, struct readers_options options, struct readers **out)
{
    struct err err = {0};

    if (!options.argv)
        options.argv = rig_reader;
    bool ok = readers_open(arena, &options, out, &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

TEST(a_child_reads_many_files)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct readers *readers CLEANUP(readers_close) = NULL;

    REQUIRE(open_readers(arena, (struct readers_options){.children_max = 1}, &readers));
    for (int i = 0; i < 450; i++) { /* more than one child serves */
        size_t mark = arena_mark(arena);
        const char *text = arena_fmt(arena, "Rule %d says no.", i).ptr;
        struct rendition r;
        struct err err = {0};

        REQUIRE(readers_read(readers, arena, DOCUMENT_DOCX, small_docx(arena, text), &r, &err),
                "%d: %s", i, err.text);
        EXPECT(str_eq(r.text, str_from(text)), STR_FMT, STR_ARG(r.text));
        arena_rewind(arena, mark);
    }
}

TEST(a_broken_file_is_refused_and_the_next_one_is_read)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct readers *readers CLEANUP(readers_close) = NULL;
    struct rendition r;
    struct err err = {0};

    REQUIRE(open_readers(arena, (struct readers_options){.children_max = 2}, &readers));
    EXPECT(!readers_read(readers, arena, DOCUMENT_DOCX, STR("nonsense"), &r, &err));
    EXPECT(err.code == ERR_INVALID && strstr(err.text, "not a whole zip archive"), "%s", err.text);
    err = (struct err){0};
    EXPECT(!readers_read(readers, arena, DOCUMENT_TEXT, STR("text"), &r, &err));
    EXPECT(err.code == ERR_INVALID && strstr(err.text, "unknown type"), "%s", err.text);
    for (int i = 0; i < 4; i++)
        EXPECT(readers_read(readers, arena, DOCUMENT_DOCX, small_docx(arena, "Fine."), &r, &err));
}

TEST(a_file_that_takes_too_much_memory_is_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct readers *readers CLEANUP(readers_close) = NULL;
    char *text = arena_alloc(arena, 8 * MIB);
    struct rendition r;
    struct err err = {0};

    memset(text, 'a', 8 * MIB - 1);
    REQUIRE(open_readers(arena, (struct readers_options){.memory_max = 16 * MIB}, &readers));
    EXPECT(!readers_read(readers, arena, DOCUMENT_DOCX, small_docx(arena, text), &r, &err));
    EXPECT(err.code == ERR_TOO_LARGE && strstr(err.text, "more than 16 MiB of memory"), "%s",
           err.text);
    err = (struct err){0};
    EXPECT(readers_read(readers, arena, DOCUMENT_DOCX, small_docx(arena, "Fine."), &r, &err), "%s",
           err.text);
}

TEST(without_a_child_nothing_is_known_of_the_file)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct readers *readers CLEANUP(readers_close) = NULL;
    struct rendition r;
    struct err err = {0};

    REQUIRE(open_readers(
        arena, (struct readers_options){.argv = (const char *const[]){"/nonexistent", NULL}},
        &readers));
    EXPECT(!readers_read(readers, arena, DOCUMENT_DOCX, small_docx(arena, "Fine."), &r, &err));
    EXPECT(err.code == ERR_UNAVAILABLE, "%s", err.text);
}

TEST(office_files_are_ingested_and_cited)
{
    struct rig rig;

    REQUIRE(rig_open(&rig));
    rig_write_bytes(&rig, "leave.docx",
                    small_docx(rig.arena, "Employees get 28 days of paid annual leave."));
    rig_write(&rig, "broken.docx", "this is no archive");
    struct ingest_report report = rig_ingest(&rig, "");
    EXPECT(report.added == 1 && report.failed == 1 && report.problem_count == 1, "%u %u",
           report.added, report.failed);
    EXPECT(str_eq(report.problems[0].path, STR("docs/broken.docx")));
    struct grounded g = rig_ask(&rig, "How many days of paid annual leave do employees get?");
    EXPECT(g.answered && str_find(g.text, STR("28 days")) < g.text.len, STR_FMT, STR_ARG(g.text));
    report = rig_ingest(&rig, "");
    EXPECT(report.unchanged == 1 && report.failed == 1, "%u", report.unchanged);
    rig_close(&rig);
}
