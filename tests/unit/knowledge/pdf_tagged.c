/* Tagged PDF files: what the structure tree says, and what becomes of one that says nothing, or lies. */
#include <stdio.h>
#include <string.h>

#include "knowledge/pdf_tags.h"
#include "pdf_make.h"
#include "sys/file.h"
#include "test.h"

#define FONTS "<< /Font << /F1 1 0 R >> >>"

/* Objects: 1 font, 2 page tree, 3 first page, 4 its content, 5 second page, 6 its content, 7 catalog, 8 the tree's root,
 * then the elements from 9 on, as the case has them. */
static struct str tagged(struct arena *arena, const char *first, const char *second,
                         const char *tree, const char *const *elements, size_t count)
{
    struct pdf_maker m;

    maker_init(&m, arena);
    maker_object(&m, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    maker_object(&m, "<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 /MediaBox [0 0 612 792] >>");
    maker_object(&m, "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources " FONTS " >>");
    maker_stream(&m, "", str_from(first));
    maker_object(&m, "<< /Type /Page /Parent 2 0 R /Contents 6 0 R /Resources " FONTS " >>");
    maker_stream(&m, "", str_from(second));
    maker_object(
        &m, "<< /Type /Catalog /Pages 2 0 R /MarkInfo << /Marked true >> /StructTreeRoot 8 0 R >>");
    maker_object(&m, "<< /Type /StructTreeRoot %s >>", tree);
    for (size_t i = 0; i < count; i++)
        maker_object(&m, "%s", elements[i]);
    return maker_finish(&m, 7, "");
}

#define AT(id, x, y, text) \
    "/P << /MCID " #id " >> BDC BT /F1 11 Tf " #x " " #y " Td (" text ") Tj ET EMC\n"

/* Drawn across two columns, all in one size: looks would read it line by line and see no heading. */
static const char columns[] =
    AT(0, 72, 700, "Annual leave") AT(1, 72, 670, "Staff have fifteen days of")
        AT(5, 330, 670, "Days that are left") AT(1, 72, 656, "paid leave in each year.")
            AT(5, 330, 656, "expire in March.") AT(2, 72, 630, "1.") AT(3, 90, 630, "Ask early.")
                AT(4, 90, 616, "Tell the team.") AT(6, 72, 560, "Years") AT(7, 200, 560, "Days")
                    AT(8, 72, 546, "0 to 4") AT(9, 200, 546, "15") AT(10, 72, 532, "5 and more")
                        AT(11, 200, 532,
                           "20") "/Artifact BMC BT /F1 8 Tf 300 20 Td (Printed in May) Tj ET EMC\n";
static const char plain[] = "BT /F1 11 Tf 72 700 Td (The second page has no tags at all.) Tj ET\n";

static const char *const leave[] = {
    "<< /S /Document /K [10 0 R 11 0 R 12 0 R 15 0 R 16 0 R 21 0 R] /Pg 3 0 R >>", /* 9 */
    "<< /S /Headline /K 0 /Pg 3 0 R >>",                                           /* 10 */
    "<< /S /P /K [<< /Type /MCR /Pg 3 0 R /MCID 1 >>] >>",                         /* 11 */
    "<< /S /L /K [13 0 R 14 0 R] /Pg 3 0 R >>",                                    /* 12 */
    "<< /S /LI /Pg 3 0 R /K [<< /S /Lbl /K 2 /Pg 3 0 R >> << /S /LBody /K 3 /Pg 3 0 R >>] >>",
    "<< /S /LI /Pg 3 0 R /K << /S /LBody /K << /S /P /K 4 /Pg 3 0 R >> >> >>",   /* 14 */
    "<< /S /P /K 5 /Pg 3 0 R >>",                                                /* 15 */
    "<< /S /Table /K [17 0 R << /S /TBody /K [18 0 R 19 0 R] >>] /Pg 3 0 R >>",  /* 16 */
    "<< /S /TR /K [<< /S /TH /K 6 /Pg 3 0 R >> << /S /TH /K 7 /Pg 3 0 R >>] >>", /* 17 */
    "<< /S /TR /K [<< /S /TD /K 8 /Pg 3 0 R >> << /S /TD /K 9 /Pg 3 0 R >>] >>", /* 18 */
    "<< /S /TR /K [<< /S /TD /K 10 /Pg 3 0 R >> 20 0 R] >>",                     /* 19 */
    "<< /S /TD /K [<< /S /P /K << /S /Span /K 11 /Pg 3 0 R >> >>] /Pg 3 0 R >>", /* 20 */
    "<< /S /Figure /Alt (A calendar with March marked.) /Pg 3 0 R >>",           /* 21 */
};

TEST(tags_say_what_is_a_heading_a_list_and_a_table)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str got =
        read_lines(arena, tagged(arena, columns, plain, "/K 9 0 R /RoleMap << /Headline /H1 >>",
                                 leave, ARRAY_LEN(leave)));
    static const char want[] = "#1 Annual leave\n"
                               "P Staff have fifteen days of paid leave in each year.\n"
                               "-1 1. Ask early.\n"
                               "-1 Tell the team.\n"
                               "P Days that are left expire in March.\n"
                               "TH Years|Days\n"
                               "TR 0 to 4|15\n"
                               "TR 5 and more|20\n"
                               "P A calendar with March marked.\n"
                               "P Printed in May\n"
                               "P The second page has no tags at all.\n";

    EXPECT(str_starts(got, str_from(want)), STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("of 1 of 2 pages are as the file is tagged")) < got.len, STR_FMT,
           STR_ARG(got));
    EXPECT(str_find(got, STR("were not used: it was read by its looks")) < got.len);
}

/* As LibreOffice 7.4 writes them: "soffice --convert-to pdf:writer_pdf_Export:{"UseTaggedPDF":...}". Its roles are names of
 * styles, its table rows stand in the table itself, bullets in the body of an item. */
TEST(tags_of_libreoffice)
{
    static const char want[] =
        "#1 Travel\n"
        "P Whoever travels for the office asks the harbour master before the journey begins, in "
        "writing and with the reason.\n"
        "#2 Trains and ferries\n"
        "-1 \u2022 Trains are booked in second class.\n"
        "-1 \u2022 Ferries are booked with a cabin when the crossing takes a night.\n"
        "#2 Allowances\n"
        "TH Place|Day|Night\n"
        "TR Inland|14 euros|70 euros\n"
        "TR Abroad|28 euros|110 euros\n"
        "P What is not spent is given back within ten days of the return.\n";
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};
    struct str pdf;

    REQUIRE(file_load(arena, "tests/unit/knowledge/pdf/tagged-by-libreoffice.pdf", MIB, &pdf, &err),
            "%s", err.text);
    struct str got = read_lines(arena, pdf);
    EXPECT(str_starts(got, str_from(want)), STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("of 1 of 1 pages are as the file is tagged")) < got.len, STR_FMT,
           STR_ARG(got));
}

/* Trees that say nothing of the text, or nonsense, cost nothing: the page is read by its looks. */
static const struct {
    const char *name, *tree;
    const char *elements[2];
} broken[] = {
    {"no children", "", {NULL, NULL}},
    {"itself its child", "/K 8 0 R", {NULL, NULL}},
    {"a ring", "/K 9 0 R", {"<< /S /Sect /K [10 0 R] >>", "<< /S /P /K 9 0 R >>"}},
    {"ids that are not there", "/K 9 0 R", {"<< /S /P /Pg 3 0 R /K [77 -1 2147483648] >>", NULL}},
    {"another page's ids", "/K 9 0 R", {"<< /S /P /Pg 5 0 R /K [0 1 2 3 4 5] >>", NULL}},
    {"too little of the page", "/K 9 0 R", {"<< /S /H1 /Pg 3 0 R /K 3 >>", NULL}},
    {"roles in a ring",
     "/K 9 0 R /RoleMap << /A /B /B /A >>",
     {"<< /S /A /Pg 3 0 R /K 3 >>", NULL}},
    {"a cell without a row", "/K 9 0 R", {"<< /S /TD /Pg 3 0 R /K 3 >>", NULL}},
    {"numbers for elements", "/K [1 2 (x) /P null 9 0 R]", {"<< /S 5 /K << /MCID (x) >> >>", NULL}},
};

TEST(tags_that_lie_cost_nothing)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str want = read_lines(arena, tagged(arena, columns, plain, "", NULL, 0));

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        size_t count = broken[i].elements[1] ? 2 : broken[i].elements[0] ? 1 : 0;
        struct str got = read_lines(
            arena, tagged(arena, columns, plain, broken[i].tree, broken[i].elements, count));
        size_t note = str_find(got, STR("\n* "));

        EXPECT(str_eq(str_slice(got, 0, note), want), "%s: " STR_FMT, broken[i].name, STR_ARG(got));
    }
}

/* Nothing that is drawn is lost or doubled, whatever part of it is tagged. */
TEST(each_word_is_read_once)
{
    static const char *const words[] = {"Annual", "fifteen", "paid", "left", "expire",  "early",
                                        "Tell",   "Years",   "more", "20",   "Printed", "second"};

    for (size_t keep = 1; keep <= ARRAY_LEN(leave); keep++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str got = read_lines(arena, tagged(arena, columns, plain, "/K 9 0 R", leave, keep));

        for (size_t w = 0; w < ARRAY_LEN(words); w++) {
            struct str word = str_from(words[w]);
            size_t at = str_find(got, word);

            EXPECT(at < got.len, "%zu elements: \"%s\" is lost", keep, words[w]);
            struct str rest = str_slice(got, MIN_OF(at + word.len, got.len), got.len);
            EXPECT(str_find(rest, word) == rest.len, "%zu elements: \"%s\" stands twice: " STR_FMT,
                   keep, words[w], STR_ARG(got));
        }
    }
}

/* Two forms drawn in the wrong order, one of them twice deep, each with ids of its own; the page has the same ids. */
TEST(marks_of_forms_are_told_apart)
{
    static const char *const elements[] = {
        "<< /S /Document /K [13 0 R 14 0 R 15 0 R 16 0 R] >>", /* 12 */
        "<< /S /H1 /Pg 3 0 R /K << /Type /MCR /Stm 6 0 R /MCID 0 >> >>",
        "<< /S /P /Pg 3 0 R /K [<< /Type /MCR /Stm 7 0 R /MCID 1 >> << /Type /MCR /Stm 7 0 R /MCID "
        "0 "
        ">>] >>",
        "<< /S /P /Pg 3 0 R /K 0 >>",
        "<< /S /L /K << /S /LI /K << /Type /MCR /Pg 3 0 R /Stm 8 0 R /MCID 0 >> >> >>",
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct pdf_maker m;

    maker_init(&m, arena);
    maker_object(&m, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    maker_object(&m, "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 612 792] >>");
    maker_object(&m,
                 "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 1 0 R >> "
                 "/XObject << /A 6 0 R /B 7 0 R /C 8 0 R >> >> >>");
    maker_stream(&m, "", STR("/B Do " AT(0, 72, 560, "Nobody else decides.") "/A Do"));
    maker_object(
        &m, "<< /Type /Catalog /Pages 2 0 R /MarkInfo << /Marked true >> /StructTreeRoot 9 0 R >>");
    maker_stream(&m, "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources " FONTS,
                 STR(AT(0, 72, 700, "Annual leave")));
    maker_stream(
        &m,
        "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /Font << /F1 1 0 R >> "
        "/XObject << /C 8 0 R >> >>",
        STR(AT(0, 72, 600, "and never more.") "/C Do " AT(1, 72, 640, "It is fifteen days")));
    maker_stream(&m, "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources " FONTS,
                 STR(AT(0, 72, 500, "Ask early.")));
    maker_object(&m, "<< /Type /StructTreeRoot /K 12 0 R >>");
    maker_object(&m, "null");
    maker_object(&m, "null");
    for (size_t i = 0; i < ARRAY_LEN(elements); i++)
        maker_object(&m, "%s", elements[i]);
    struct str got = read_lines(arena, maker_finish(&m, 5, ""));
    EXPECT(str_starts(got, STR("#1 Annual leave\n"
                               "P It is fifteen days and never more.\n"
                               "P Nobody else decides.\n"
                               "-1 Ask early.\n")),
           STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("of 1 of 1 pages are as the file is tagged")) < got.len, STR_FMT,
           STR_ARG(got));
    EXPECT(pdf_mark_in_form(6, 0) != pdf_mark_in_form(7, 0) &&
           pdf_mark_in_form(6, 1) != pdf_mark_in_form(7, 0) &&
           pdf_mark_in_form(1u << 15, 0) == pdf_mark_in_form(1, 1 << 15));
}
