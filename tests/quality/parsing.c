/* Floors: what the readers make of files agrees with what a well-kept parser makes of them. The whole set
 * and its figures are in docs/quality.md. */
#include "agreement.h"
#include "test.h"

static const struct {
    const char *dir;
    uint32_t files;
    double text, headings, tables;
} floors[] = {
    {"docx", 3, 0.99, 0.99, 0.99},
    {"xlsx", 1, 0.99, 0.99, 0.99},
    {"pptx", 1, 0.99, 0.60, 0.99}, /* slides without a title get a heading that names them */
    {"csv", 2, 0.99, 1.00, 0.97},
    {"odf", 1, 0.99, 0.00, 0.99}, /* the sheet's name is a heading to us */
    {"html", 1, 0.99, 0.99, 1.00},
    {"md", 1, 0.99, 0.99, 1.00},
    {"pdf", 2, 0.99, 0.89, 0.14}, /* a table within a cell, merged cells, lists in three columns */
};

TEST(files_read_as_a_well_kept_parser_reads_them)
{
    for (size_t i = 0; i < ARRAY_LEN(floors); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct agreement a = {0};
        struct err err = {0};
        const char *dir = arena_fmt(arena, "tests/quality/data/parsing/%s", floors[i].dir).ptr;

        REQUIRE(compare_dir(dir, false, &a, &err), "%s", err.text);
        EXPECT(a.files == floors[i].files && a.failed == 0, "%s: %u files, %u failed",
               floors[i].dir, a.files, a.failed);
        EXPECT(share(a.words_found, a.words) >= floors[i].text, "%s: text %.3f", floors[i].dir,
               share(a.words_found, a.words));
        EXPECT(share(a.headings_found, a.headings) >= floors[i].headings, "%s: headings %.3f",
               floors[i].dir, share(a.headings_found, a.headings));
        EXPECT(share(a.cells_found, a.cells) >= floors[i].tables, "%s: tables %.3f", floors[i].dir,
               share(a.cells_found, a.cells));
    }
}
