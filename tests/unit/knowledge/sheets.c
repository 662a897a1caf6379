/* XLSX and PPTX: each feature as a part and the lines it reads as; numbers as sheets show them. */
#include <string.h>

#include "kit.h"
#include "knowledge/number_format.h"
#include "test.h"

#define RELATION(id, type, target) \
    "<Relationship Id='" id "' Type='http://x/" type "' Target='" target "'/>"
#define RELATIONS(inside) "<Relationships>" inside "</Relationships>"

static const struct {
    const char *code;
    double value;
    const char *want;
} numbers[] = {
    {"", 35, "35"},
    {"", 0.1 + 0.2, "0.3"},
    {"General", 1234567.5, "1234567.5"},
    {"0", 2.5, "3"},
    {"0.00", 1.005, "1.01"},
    {"0.00", -1.5, "-1.50"},
    {"#,##0", 1234567, "1,234,567"},
    {"#,##0.00", 999.999, "1,000.00"},
    {"#,##0;(#,##0)", -1234, "(1,234)"},
    {"0.00;[Red]0.00", -1.5, "-1.50"},
    {"#,##0 \"km\";[Color10]#,##0 \"km\"", -1234, "-1,234 km"},
    {"#,##0;[Red](#,##0)", -1234, "(1,234)"},
    {"#,##0;[Red]-#,##0", -1234, "-1,234"},
    {"#,##0;[Red]\\-#,##0", -1234, "-1,234"},
    {"0 \"up\";0 \"down\"", -2, "2 down"},
    {"0;0", -2, "2"},
    {"0.0%", 0.1234, "12.3%"},
    {"\"$\"#,##0.00", 12, "$12.00"},
    {"[$€-407] #,##0.00", 12.5, "€ 12.50"},
    {"#,##0 \"km\"", 1500, "1,500 km"},
    {"0.##", 1.5, "1.5"},
    {"0.##", 2, "2"},
    {"0000", 42, "0042"},
    {"#,##0,", 1234567, "1,235"},
    {"0.00E+00", 12345, "1.23E+04"},
    {"# ?/?", 0.5, "0.5"},
    {"0;-0;\"none\"", 0, "none"},
    {"[Red]0.0", 1.25, "1.3"},
    {"@", 7, "7"},
    {"yyyy-mm-dd", 45292, "2024-01-01"},
    {"yyyy-mm-dd", 60, "1900-02-28"},
    {"yyyy-mm-dd", 1, "1900-01-01"},
    {"yyyy-mm-dd", 61, "1900-03-01"},
    {"d mmm yyyy", 45350, "28 Feb 2024"},
    {"dddd, mmmm d", 45351, "Thursday, February 29"},
    {"h:mm AM/PM", 0.75, "6:00 PM"},
    {"h:mm:ss", 0.5 + 61.0 / 86400, "12:01:01"},
    {"[h]:mm", 1.5, "36:00"},
    {"mm:ss.0", 61.5 / 86400, "01:01.5"},
    {"yyyy\"年\"m\"月\"d\"日\"", 45292, "2024年1月1日"},
    {"dd/mm/yyyy hh:mm", 45292.25, "01/01/2024 06:00"},
    {"yyyy-mm-dd", 45291.9999999999, "2024-01-01"},
    {"yyyy-mm-dd", 1e12, "yyyy-mm-dd"},
    {";;;", 5, ""},
    {"\"", 5, ""},
    {"[", 5, ""},
};

TEST(numbers_are_shown_as_sheets_show_them)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        char memory[200];
        struct buf b;

        buf_init_fixed(&b, memory, sizeof memory);
        number_format(&b, numbers[i].value, str_from(numbers[i].code), false);
        EXPECT(str_eq(buf_view(&b), str_from(numbers[i].want)), "%s: " STR_FMT, numbers[i].code,
               STR_ARG(buf_view(&b)));
    }
}

/* --- XLSX ------------------------------------------------------------------------------------- */

#define C(ref, value)     "<c r='" ref "'><v>" value "</v></c>"
#define S(ref, index)     "<c r='" ref "' t='s'><v>" index "</v></c>"
#define I(ref, text)      "<c r='" ref "' t='inlineStr'><is><t>" text "</t></is></c>"
#define DATED(ref, value) "<c r='" ref "' s='1'><v>" value "</v></c>"
#define ROW(n, cells)     "<row r='" n "'>" cells "</row>"

static const struct {
    const char *name, *rows, *more, *want;
} sheets[] = {
    {"a table with its references",
     ROW("1", I("A1", "Item") I("B1", "Fee") I("C1", "Since"))
         ROW("2", S("A2", "0") C("B2", "35") DATED("C2", "45292"))
             ROW("3", S("A3", "1") C("B3", "2.5") DATED("C3", "45293")),
     "",
     "## Fees (page 1) [Fees]\n| Item: Bag & co; Fee: 35; Since: 2024-01-01 (page 1) [Fees!A2:C2]\n"
     "| Item: Skis red; Fee: 2.5; Since: 2024-01-02 (page 1) [Fees!A3:C3]\n"},
    {"a title above, a second table below",
     ROW("1", I("A1", "Fees of 2024")) ROW("2", I("A2", "Item") I("B2", "Fee"))
         ROW("3", I("A3", "Bag") C("B3", "1")) ROW("6", I("A6", "Name") I("B6", "Age"))
             ROW("7", I("A7", "Ann") C("B7", "30")),
     "",
     "## Fees (page 1) [Fees]\nFees of 2024 (page 1) [Fees!A1]\n| Item: Bag; Fee: 1 (page 1) "
     "[Fees!A3:B3]\n"
     "| Name: Ann; Age: 30 (page 1) [Fees!A7:B7]\n"},
    {"tables side by side",
     ROW("1", I("A1", "K") I("B1", "V") I("D1", "X") I("E1", "Y"))
         ROW("2", I("A2", "a") C("B2", "1") I("D2", "b") C("E2", "2")),
     "",
     "## Fees (page 1) [Fees]\n| K: a; V: 1 (page 1) [Fees!A2:B2]\n| X: b; Y: 2 (page 1) "
     "[Fees!D2:E2]\n"},
    {"a form stays whole across an empty column",
     ROW("1", I("A1", "Voltage") I("C1", "kV") C("D1", "130"))
         ROW("2", I("A2", "Phases") C("D2", "3")),
     "",
     "## Fees (page 1) [Fees]\n| Voltage; kV; 130 (page 1) [Fees!A1:D1]\n| Phases; 3 (page 1) "
     "[Fees!A2:D2]\n"},
    {"merged cells",
     ROW("1", I("A1", "Plan") I("B1", "Limit")) ROW("2", I("A2", "Basic") C("B2", "1"))
         ROW("3", C("B3", "2")),
     "<mergeCells><mergeCell ref='A2:A3'/></mergeCells>",
     "## Fees (page 1) [Fees]\n| Plan: Basic; Limit: 1 (page 1) [Fees!A2:B2]\n| Plan: Basic; "
     "Limit: 2 (page 1) [Fees!A3:B3]\n"},
    {"a formula without a value",
     ROW("1", I("A1", "Sum") "<c r='B1'><f>A1+1</f></c><c r='C1'><f>1+1</f><v>2</v></c>"), "",
     "## Fees (page 1) [Fees]\n| Sum; 2 (page 1) [Fees!A1:C1]\n! 1 formulas have no stored value: "
     "open and save it once\n"},
    {"a truth and an error",
     ROW("1", "<c r='A1' t='b'><v>1</v></c><c r='B1' t='e'><v>#N/A</v></c>"), "",
     "## Fees (page 1) [Fees]\n| TRUE; #N/A (page 1) [Fees!A1:B1]\n"},
    {"cells without references, out of order",
     "<row><c><v>1</v></c><c><v>2</v></c></row><row r='4'>" C("B4", "9") C("A4", "8") "</row>", "",
     "## Fees (page 1) [Fees]\n| 1; 2 (page 1) [Fees!A1:B1]\n| 8; 9 (page 1) [Fees!A4:B4]\n"},
    {"a far cell costs nothing", ROW("1048576", I("XFD1048576", "end")) ROW("1", I("A1", "begin")),
     "", "## Fees (page 1) [Fees]\nbegin (page 1) [Fees!A1]\nend (page 1) [Fees!XFD1048576]\n"},
    {"a string that is not there", ROW("1", S("A1", "99")), "",
     "error: sheet \"Fees\": damaged: a string that is not there"},
};

static struct str make_book(struct arena *arena, const char *rows, const char *more)
{
    const struct kit_part parts[] = {
        {.name = "_rels/.rels",
         .text = RELATIONS(RELATION("r1", "officeDocument", "xl/workbook.xml"))},
        {.name = "xl/workbook.xml",
         .text = "<workbook><sheets><sheet name='Fees' sheetId='1' r:id='rId1'/><sheet name='Old' "
                 "sheetId='2' state='hidden' r:id='rId2'/></sheets></workbook>"},
        {.name = "xl/_rels/workbook.xml.rels",
         .text = RELATIONS(RELATION("rId1", "worksheet", "worksheets/sheet1.xml")
                               RELATION("rId3", "sharedStrings", "sharedStrings.xml")
                                   RELATION("rId4", "styles", "styles.xml"))},
        {.name = "xl/sharedStrings.xml",
         .text = "<sst><si><t>Bag &amp; co</t></si><si><r><t>Skis "
                 "</t></r><r><t>red</t></r><rPh><t>no</t></rPh></si></sst>"},
        {.name = "xl/styles.xml",
         .text =
             "<styleSheet><cellXfs><xf numFmtId='0'/><xf numFmtId='14'/></cellXfs></styleSheet>"},
        {.name = "*xl/worksheets/sheet1.xml",
         .bytes =
             arena_fmt(arena, "<worksheet><sheetData>%s</sheetData>%s</worksheet>", rows, more)},
    };

    return kit_zip(arena, parts, ARRAY_LEN(parts));
}

TEST(xlsx_reads_as_it_is_seen)
{
    for (size_t i = 0; i < ARRAY_LEN(sheets); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
        struct str got =
            kit_lines(arena, read_xlsx, make_book(arena, sheets[i].rows, sheets[i].more));
        struct str missing = STR("! sheet \"Old\" is not there\n");
        size_t at = str_find(got, missing);
        struct str want = arena_fmt(arena, STR_FMT STR_FMT, STR_ARG(str_slice(got, 0, at)),
                                    STR_ARG(str_slice(got, at + missing.len, got.len)));

        EXPECT(str_eq(want, str_from(sheets[i].want)), "%s:\n" STR_FMT, sheets[i].name,
               STR_ARG(got));
        EXPECT(at < got.len || str_starts(got, STR("error")), "%s", sheets[i].name);
    }
}

TEST(what_hangs_on_a_sheet_is_read_or_said)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct kit_part parts[] = {
        {.name = "_rels/.rels",
         .text = RELATIONS(RELATION("r1", "officeDocument", "xl/workbook.xml"))},
        {.name = "xl/workbook.xml",
         .text = "<workbook><sheets><sheet name='Fees' r:id='r1'/></sheets></workbook>"},
        {.name = "xl/_rels/workbook.xml.rels",
         .text = RELATIONS(RELATION("r1", "worksheet", "worksheets/s.xml"))},
        {.name = "xl/worksheets/s.xml",
         .text = "<worksheet><sheetData>" ROW("1", I("A1", "Fee")) "</sheetData></worksheet>"},
        {.name = "xl/worksheets/_rels/s.xml.rels",
         .text = RELATIONS(RELATION("r1", "drawing", "../drawings/d.xml")
                               RELATION("r2", "comments", "../comments1.xml"))},
        {.name = "xl/drawings/d.xml",
         .text = "<xdr:wsDr><xdr:twoCellAnchor><xdr:sp><xdr:txBody><a:p><a:r><a:t>Since "
                 "May.</a:t></a:r></a:p></xdr:txBody></xdr:sp></xdr:twoCellAnchor>"
                 "<xdr:twoCellAnchor><xdr:pic/></xdr:twoCellAnchor><xdr:twoCellAnchor>"
                 "<xdr:graphicFrame/></xdr:twoCellAnchor></xdr:wsDr>"},
    };
    struct str got = kit_lines(arena, read_xlsx, kit_zip(arena, parts, ARRAY_LEN(parts)));

    EXPECT(str_eq(got, STR("## Fees (page 1) [Fees]\nFee (page 1) [Fees!A1]\nSince May. (page 1) "
                           "[Fees]\n! sheet \"Fees\": 1 pictures are not read\n! sheet \"Fees\": "
                           "1 charts or diagrams are not read\n! sheet \"Fees\": review comments "
                           "are left out\n")),
           STR_FMT, STR_ARG(got));
}

/* --- PPTX ------------------------------------------------------------------------------------- */

#define AP(text)       "<a:p><a:r><a:t>" text "</a:t></a:r></a:p>"
#define AP_AS(p, text) "<a:p><a:pPr " p "/><a:r><a:t>" text "</a:t></a:r></a:p>"
#define SHAPE(ph, inside) \
    "<p:sp><p:nvSpPr><p:nvPr>" ph "</p:nvPr></p:nvSpPr><p:txBody>" inside "</p:txBody></p:sp>"
#define ATC(text) "<a:tc><a:txBody>" AP(text) "</a:txBody></a:tc>"

static const struct {
    const char *name, *shapes, *want;
} slides[] = {
    {"the title comes first and footers do not come",
     SHAPE("<p:ph type='body'/>", AP("One") AP_AS("lvl='1'", "Deeper")) SHAPE(
         "<p:ph type='title'/>", AP("Plan") AP("2024")) SHAPE("<p:ph type='sldNum'/>", AP("7")),
     "# Plan 2024 (page 1) [slide 1]\n- One (page 1) [slide 1]\n-- Deeper (page 1) [slide 1]\nSaid "
     "aloud. (page 1) [slide 1, notes]\n"},
    {"without a title it is still a slide of its own", SHAPE("", AP("A box")),
     "## Slide 1 (page 1) [slide 1]\nA box (page 1) [slide 1]\nSaid aloud. (page 1) [slide 1, "
     "notes]\n"},
    {"numbered paragraphs",
     SHAPE("<p:ph type='title'/>", AP("T")) SHAPE(
         "",
         "<a:p><a:pPr><a:buAutoNum type='arabicPeriod'/></a:pPr><a:r><a:t>x</a:t></a:r></a:p>"
         "<a:p><a:pPr><a:buAutoNum type='arabicPeriod'/></a:pPr><a:r><a:t>y</a:t></a:r></a:p>" AP(
             "z")),
     "# T (page 1) [slide 1]\n- 1. x (page 1) [slide 1]\n- 2. y (page 1) [slide 1]\nz (page 1) "
     "[slide 1]\nSaid aloud. (page 1) [slide 1, notes]\n"},
    {"a formula once, though it is there twice",
     SHAPE("<p:ph type='title'/>", AP("T")) SHAPE(
         "", "<a:p><a:r><a:t>So </a:t></a:r><mc:AlternateContent><mc:Choice "
             "Requires='a14'><a14:m><m:r><m:t>a=b</m:t></m:r></a14:m></mc:Choice><mc:Fallback>"
             "<a:r><a:t>a=b</a:t></a:r></mc:Fallback></mc:AlternateContent></a:p>"),
     "# T (page 1) [slide 1]\nSo a=b (page 1) [slide 1]\nSaid aloud. (page 1) [slide 1, notes]\n"},
    {"the first of what is there for programs of several ages",
     SHAPE("<p:ph type='title'/>",
           AP("T")) "<mc:AlternateContent><mc:Choice "
                    "Requires='p14'>" SHAPE(
                        "", AP("Newest")) "</"
                                          "mc:Choice><"
                                          "mc:Choice "
                                          "Requires='"
                                          "a14'>" SHAPE(
                                              "", AP("Newer")) "</"
                                                               "mc:Choice><mc:Fallback>" SHAPE(
                                                                   "", AP("Old")) "</mc:Fallback></"
                                                                                  "mc:"
                                                                                  "AlternateContent"
                                                                                  ">",
     "# T (page 1) [slide 1]\nNewest (page 1) [slide 1]\nSaid aloud. (page 1) [slide 1, notes]\n"},
    {"a table in a group's neighbour",
     SHAPE("<p:ph type='title'/>", AP("T")) "<p:grpSp>" SHAPE(
         "", AP("In a group")) "</p:grpSp>"
                               "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tblPr "
                               "firstRow='1'/><a:tr>" ATC("Item") ATC("Fee") "</a:tr><a:tr>" ATC(
                                   "Bag") ATC("35") "</a:tr></a:tbl>"
                                                    "</a:graphicData></a:graphic></p:graphicFrame>",
     "# T (page 1) [slide 1]\nIn a group (page 1) [slide 1]\n| Item: Bag; Fee: 35 (page 1) [slide "
     "1]\nSaid aloud. (page 1) [slide 1, notes]\n"},
    {"a chart's points",
     SHAPE("<p:ph type='title'/>",
           AP("T")) "<p:graphicFrame><a:graphic><a:graphicData><c:chart "
                    "r:id='r9'/></a:graphicData></a:graphic></p:graphicFrame>",
     "# T (page 1) [slide 1]\n| Q1; Sales: 10 (page 1) [slide 1]\n| Q2; Sales: 12 (page 1) [slide "
     "1]\nSaid aloud. (page 1) [slide 1, notes]\n"},
    {"a chart whose points nobody can read",
     SHAPE("<p:ph type='title'/>",
           AP("T")) "<p:graphicFrame><a:graphic><a:graphicData><cx:chart "
                    "r:id='r8'/></a:graphicData></a:graphic></p:graphicFrame>",
     "# T (page 1) [slide 1]\nSaid aloud. (page 1) [slide 1, notes]\n! 1 diagrams or embedded "
     "objects are not read\n"},
};

TEST(pptx_reads_slide_by_slide)
{
    for (size_t i = 0; i < ARRAY_LEN(slides); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        const struct kit_part parts[] = {
            {.name = "_rels/.rels",
             .text = RELATIONS(RELATION("r1", "officeDocument", "ppt/presentation.xml"))},
            {.name = "ppt/presentation.xml",
             .text = "<p:presentation><p:sldIdLst><p:sldId id='256' "
                     "r:id='r2'/></p:sldIdLst></p:presentation>"},
            {.name = "ppt/_rels/presentation.xml.rels",
             .text = RELATIONS(RELATION("r2", "slide", "slides/slide1.xml"))},
            {.name = "ppt/slides/_rels/slide1.xml.rels",
             .text = RELATIONS(RELATION("r1", "notesSlide", "../notesSlides/n1.xml")
                                   RELATION("r9", "chart", "../charts/chart1.xml"))},
            {.name = "ppt/notesSlides/n1.xml",
             .text = "<p:notes><p:cSld><p:spTree>" SHAPE(
                 "<p:ph type='body'/>", AP("Said aloud.")) "</p:spTree></p:cSld></p:notes>"},
            {.name = "ppt/charts/chart1.xml",
             .text = "<c:chartSpace><c:ser><c:tx><c:strRef><c:strCache><c:pt "
                     "idx='0'><c:v>Sales</c:v></c:pt></c:strCache></c:strRef></c:tx>"
                     "<c:cat><c:strRef><c:strCache><c:pt idx='0'><c:v>Q1</c:v></c:pt><c:pt "
                     "idx='1'><c:v>Q2</c:v></c:pt></c:strCache></c:strRef></c:cat>"
                     "<c:val><c:numRef><c:numCache><c:pt idx='0'><c:v>10</c:v></c:pt><c:pt "
                     "idx='1'><c:v>12</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser></"
                     "c:chartSpace>"},
            {.name = "*ppt/slides/slide1.xml",
             .bytes = arena_fmt(arena, "<p:sld><p:cSld><p:spTree>%s</p:spTree></p:cSld></p:sld>",
                                slides[i].shapes)},
        };
        struct str got = kit_lines(arena, read_pptx, kit_zip(arena, parts, ARRAY_LEN(parts)));

        EXPECT(str_eq(got, str_from(slides[i].want)), "%s:\n" STR_FMT, slides[i].name,
               STR_ARG(got));
    }
}
