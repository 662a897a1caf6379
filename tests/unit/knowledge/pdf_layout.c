/* PDF as blocks: order, paragraphs, lists, headings, tables, what repeats, and where it all stood. */
#include <stdio.h>
#include <string.h>

#include "knowledge/pdf_layout.h"
#include "pdf_make.h"
#include "test.h"

static const struct {
    const char *text;
    size_t want;
} marker_cases[] = {
    {"\xE2\x80\xA2 one", 4}, {"- one", 2},    {"-5 one", 0}, {"1. one", 3},    {"12) one", 4},
    {"(a) one", 4},          {"(iv) one", 5}, {"a. one", 3}, {"A. Smith", 0},  {"1.5 one", 0},
    {"1,000 one", 0},        {"2023. In", 0}, {"one", 0},    {"(see one)", 0}, {"", 0},
    {"\xE2\x80\x93 one", 4}, {"* one", 2},    {"3.", 2},
};

TEST(pdf_markers)
{
    for (size_t i = 0; i < ARRAY_LEN(marker_cases); i++) {
        size_t got = pdf_marker(str_from(marker_cases[i].text));

        EXPECT(got == marker_cases[i].want, "\"%s\": %zu", marker_cases[i].text, got);
    }
}

static const struct {
    const char *text;
    bool want;
} numeric_cases[] = {
    {"1,093", true},        {"$ 1,093", true}, {"(105)", true},  {"12.5%", true},
    {"\xE2\x80\x94", true}, {"-", true},       {"N/A", true},    {"2022", true},
    {"June 30", false},     {"", false},       {"Total", false}, {"$", false},
    {"3 days", false},
};

TEST(pdf_numeric_cells)
{
    for (size_t i = 0; i < ARRAY_LEN(numeric_cases); i++)
        EXPECT(pdf_is_numeric(str_from(numeric_cases[i].text)) == numeric_cases[i].want, "\"%s\"",
               numeric_cases[i].text);
}

/* --- pages ------------------------------------------------------------------------------------ */

static void text_at(struct buf *out, const char *font, int size, int x, int y, const char *text)
{
    buf_fmt(out, "BT /%s %d Tf %d %d Td (%s) Tj ET\n", font, size, x, y, text);
}

static const char *content(struct buf *b)
{
    buf_char(b, '\0');
    ASSERT(buf_ok(b));
    return b->ptr;
}

static void expect_page(struct arena *arena, struct buf *page, const char *name, const char *want)
{
    struct str got = read_lines(arena, made_page(arena, content(page)));

    EXPECT(str_eq(got, str_from(want)), "%s:\n" STR_FMT, name, STR_ARG(got));
}

TEST(pdf_columns_are_read_one_after_the_other)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct buf page;
    char text[100];
    struct str got;

    buf_init(&page, arena, 64 * KIB);
    text_at(&page, "F2", 18, 72, 740, "Terms that hold for the whole of the journey");
    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof text, "left %d is a line with quite a few words,", i);
        text_at(&page, "F1", 10, 50, 700 - 12 * i, text);
        snprintf(text, sizeof text, "right %d is a line with quite a few words,", i);
        text_at(&page, "F1", 10, 320, 700 - 12 * i, text);
    }
    got = read_lines(arena, made_page(arena, content(&page)));
    EXPECT(str_starts(got, STR("#1 Terms that hold for the whole of the journey\nP left 0 is")),
           STR_FMT, STR_ARG(got));
    EXPECT(str_find(got, STR("left 11")) < str_find(got, STR("right 0")) &&
           str_find(got, STR("right 11")) < got.len);
}

TEST(pdf_paragraphs_lists_and_headings)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct buf page;

    buf_init(&page, arena, 64 * KIB);
    text_at(&page, "F2", 20, 72, 740, "Travel cover");
    text_at(&page, "F2", 11, 72, 710, "1.1 Baggage");
    text_at(&page, "F1", 11, 72, 690,
            "Lost baggage is paid for up to two thousand euros when you report it");
    text_at(&page, "F1", 11, 72, 676,
            "within a day. Skis and bicycles count as baggage only when they were");
    text_at(&page, "F1", 11, 72, 662, "handed over.");
    text_at(&page, "F1", 11, 72, 640, "You need:");
    text_at(&page, "F1", 11, 72, 620, "\\225");
    text_at(&page, "F1", 11, 90, 620, "the report of the airline, which they");
    text_at(&page, "F1", 11, 90, 606, "give you at the desk");
    text_at(&page, "F1", 11, 90, 592, "\\226 with its number");
    text_at(&page, "F1", 11, 72, 578, "\\225 receipts");
    expect_page(
        arena, &page, "a page",
        "#1 Travel cover\n#2 1.1 Baggage\n"
        "P Lost baggage is paid for up to two thousand euros when you report it within a day. "
        "Skis and bicycles count as baggage only when they were handed over.\nP You need:\n"
        "-1 the report of the airline, which they give you at the desk\n"
        "-2 with its number\n-1 receipts");
}

static void put_cells(struct buf *page, const char *const *cells, int rows, int columns)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            if (cells[r * columns + c])
                text_at(page, "F1", 10, 80 + 140 * c, 600 - 20 * r, cells[r * columns + c]);
}

TEST(pdf_tables_without_lines)
{
    static const char *const cells[] = {"Item", "2023",     "2022",  "Skis", "35",
                                        "31",   "Animals:", NULL,    NULL,   "Dog",
                                        "$ 80", "\\(60\\)", "Total", "115",  "\\227"};
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct buf page;

    buf_init(&page, arena, 64 * KIB);
    text_at(&page, "F1", 10, 80, 640,
            "The fees of this year and of the last one are in the table below this line.");
    put_cells(&page, cells, 5, 3);
    expect_page(arena, &page, "aligned",
                "P The fees of this year and of the last one are in the table below this line.\n"
                "TH Item|2023|2022\nTR Skis|35|31\nTR Animals:||\nTR Dog|$ 80|(60)\nTR "
                "Total|115|\xE2\x80\x94");
}

TEST(pdf_tables_with_lines)
{
    static const char *const cells[] = {"Item",        "Covered", NULL, "Skis", "yes",
                                        "up to 2,000", "Dog",     "no", "never"};
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct buf page;

    buf_init(&page, arena, 64 * KIB);
    put_cells(&page, cells, 3, 3);
    text_at(&page, "F1", 10, 220, 572, "in winter"); /* a second line of a cell */
    for (int r = 0; r < 4; r++)
        buf_fmt(&page, "70 %d m 490 %d l S\n", 614 - 20 * r - (r > 1 ? 8 : 0),
                614 - 20 * r - (r > 1 ? 8 : 0));
    /* The first row's second cell reaches over two columns. */
    buf_str(&page, STR("70 546 m 70 614 l S 490 546 m 490 614 l S 210 546 m 210 614 l S 350 546 m "
                       "350 594 l S\n"));
    expect_page(arena, &page, "ruled",
                "TH Item|Covered|Covered\nTR Skis|yes in winter|up to 2,000\nTR Dog|no|never");
}

static const char *const page_texts[] = {
    "Baggage is paid for when it was lost by the airline and when you told",
    "us so. Fees stand in the annex, which is part of this contract and of",
    "the next one. The rest of it is no concern of ours, as you may guess.",
};

TEST(pdf_pages_go_on_and_their_edges_are_left_out)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *contents[3];
    struct str got;

    for (int i = 0; i < 3; i++) {
        struct buf page;
        char number[40];

        buf_init(&page, arena, 16 * KIB);
        text_at(&page, "F1", 9, 72, 760, "Terms of 2026");
        text_at(&page, "F1", 11, 72, 700, page_texts[i]);
        snprintf(number, sizeof number, "Page %d of 3", i + 1);
        text_at(&page, "F1", 9, 300, 30, number);
        contents[i] = content(&page);
    }
    got = read_places(arena, made_pages(arena, contents, 3, NULL));
    EXPECT(str_eq(got, STR("1: 72 83 405 94 P Baggage is paid for when it was lost by the airline "
                           "and when you "
                           "told us so. Fees stand in the annex, which is part of this contract "
                           "and of the next "
                           "one. The rest of it is no concern of ours, as you may guess.\n"
                           "* left out as running header or footer: \"Terms of 2026\"")),
           STR_FMT, STR_ARG(got));
}

TEST(pdf_places_are_those_of_the_page_as_it_is_seen)
{
    static const struct {
        const char *name, *keys, *want;
    } cases[] = {
        {"upright", "", "1: 100 183 153 194 P Hello there"},
        {"cropped", "/CropBox [50 100 612 700]", "1: 50 91 103 102 P Hello there"},
        {"turned", "/Rotate 90", "1: 597 100 608 153 P Hello there"},
        {"upside down", "/Rotate 180", "1: 458 597 512 608 P Hello there"},
        {"turned back", "/Rotate -90", "1: 183 458 194 512 P Hello there"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pdf_maker *m = arena_alloc(arena, sizeof *m);

        REQUIRE(m != NULL);
        maker_init(m, arena);
        maker_object(m, "<< /Type /Catalog /Pages 2 0 R >>");
        maker_object(m, "<< /Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 612 792] %s >>",
                     cases[i].keys);
        maker_object(m, "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 "
                        "0 R >> >> >>");
        maker_stream(m, "", STR("BT /F1 11 Tf 100 600 Td (Hello there) Tj ET"));
        maker_object(
            m, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
        struct str got = read_places(arena, maker_finish(m, 1, ""));
        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
    }
}

TEST(pdf_pages_that_are_pictures_are_said)
{
    static const char *const contents[] = {"BT /F1 11 Tf 72 700 Td (A first page.) Tj ET",
                                           "q 600 0 0 780 0 0 cm /Picture Do Q"};
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str pdf = made_pages(arena, contents, 2, NULL), got;
    size_t at = str_find(pdf, STR("/Font << /F1"));

    /* The resources get a picture; places move, which is searched for. */
    pdf =
        arena_fmt(arena,
                  STR_FMT "/XObject << /Picture 11 0 R >> " STR_FMT
                          "11 0 obj << /Subtype /Image /Length 1 >> stream\nx\nendstream endobj\n",
                  STR_ARG(str_slice(pdf, 0, at)), STR_ARG(str_slice(pdf, at, pdf.len)));
    got = read_lines(arena, pdf);
    EXPECT(str_starts(
               got,
               STR("P A first page.\n* page 2 without text, only pictures of it: OCR is not done")),
           STR_FMT, STR_ARG(got));
}
