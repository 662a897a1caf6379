/* PDF as text: what fonts' codes mean, what pages draw, encrypted and packed files as other tools made them. */
#include <stdio.h>
#include <string.h>

#include "knowledge/pdf_font.h"
#include "knowledge/pdf_glyphs.h"
#include "pdf_make.h"
#include "test.h"

static const struct {
    const char *name;
    struct str glyph;
    const char *want;
} glyph_cases[] = {
    {"a letter", STR("A"), "A"},
    {"a name", STR("Eacute"), "\xC3\x89"},
    {"Greek", STR("alpha"), "\xCE\xB1"},
    {"Cyrillic by number", STR("afii10017"), "\xD0\x90"},
    {"yo has a place of its own", STR("afii10071"), "\xD1\x91"},
    {"a variant", STR("one.oldstyle"), "1"},
    {"old figures", STR("sevenoldstyle"), "7"},
    {"parts", STR("f_f_i"), "ffi"},
    {"uni", STR("uni4E2D"), "\xE4\xB8\xAD"},
    {"uni twice", STR("uni4E2D6587"), "\xE4\xB8\xAD\xE6\x96\x87"},
    {"u", STR("u1F600"), "\xF0\x9F\x98\x80"},
    {"a surrogate is none", STR("uniD800"), ""},
    {"a ligature", STR("fi"), "fi"},
    {"an unknown one", STR("g123"), ""},
    {"half a meaning is none", STR("f_xyz"), ""},
    {"nothing", STR(""), ""},
    {"only a point", STR(".notdef"), ""},
};

TEST(pdf_names_of_glyphs)
{
    for (size_t i = 0; i < ARRAY_LEN(glyph_cases); i++) {
        uint32_t runes[PDF_NAME_RUNES_MAX];
        char text[64] = "";
        size_t len = 0;
        unsigned count = pdf_name_runes(glyph_cases[i].glyph, runes);

        for (unsigned k = 0; k < count; k++)
            len += pdf_put_rune(text + len, runes[k]);
        EXPECT(str_eq((struct str){text, len}, str_from(glyph_cases[i].want)), "%s: %.*s",
               glyph_cases[i].name, (int)len, text);
    }
    for (unsigned i = 1; i < pdf_glyph_name_count; i++)
        EXPECT(strcmp(pdf_glyph_names[i - 1].name, pdf_glyph_names[i].name) < 0, "%s",
               pdf_glyph_names[i].name);
}

#define SIMPLE "<< /Type /Font /Subtype /Type1 /BaseFont /X "
#define CID(encoding)                                                                       \
    "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /" encoding " /DescendantFonts " \
    "[<< /Subtype /CIDFontType2 /DW 1000 >>] "

static const struct {
    const char *name, *font, *map, *shown, *want;
} font_cases[] = {
    {"WinAnsi", SIMPLE "/Encoding /WinAnsiEncoding >>", NULL, "(caf\\351 \\200 \\223x\\224)",
     "P caf\xC3\xA9 \xE2\x82\xAC \xE2\x80\x9Cx\xE2\x80\x9D"},
    {"MacRoman", SIMPLE "/Encoding /MacRomanEncoding >>", NULL, "(caf\\216)", "P caf\xC3\xA9"},
    {"the standard one has curved quotes", SIMPLE ">>", NULL, "(don't \\256)",
     "P don\xE2\x80\x99t fi"},
    {"differences",
     SIMPLE
     "/Encoding << /BaseEncoding /WinAnsiEncoding /Differences [65 /Aacute /f_l 3 /uni4E2D] >> >>",
     NULL, "(ABC\\003)",
     "P \xC3\x81"
     "flC\xE4\xB8\xAD"},
    {"Symbol", "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>", NULL, "(abD)",
     "P \xCE\xB1\xCE\xB2\xCE\x94"},
    {"the map goes before the encoding", SIMPLE "/Encoding /WinAnsiEncoding /ToUnicode 9 0 R >>",
     "1 beginbfchar <41> <005A> endbfchar", "(AB)", "P ZB"},
    {"two bytes, single and ranges", CID("Identity-H") "/ToUnicode 9 0 R >>",
     "1 beginbfchar <0001> <0041> endbfchar 2 beginbfrange <0010> <0012> <0061> <0020> <0021> "
     "[<0066> <00660069>] endbfrange",
     "<00010010001200200021>", "P Aacffi"},
    {"characters beyond 16 bits", CID("Identity-H") "/ToUnicode 9 0 R >>",
     "1 beginbfchar <0001> <D83DDE00> endbfchar", "<0001>", "P \xF0\x9F\x98\x80"},
    {"codes without a meaning are said", CID("Identity-H") "/ToUnicode 9 0 R >>",
     "3 beginbfchar <0001> <0041> <0003> <0042> <0004> <0043> endbfchar", "<0001000200030004>",
     "P A\xEF\xBF\xBD"
     "BC\n* 1 of 4 characters have no meaning in their fonts and read as U+FFFD"},
    {"Unicode without a map", CID("UniGB-UCS2-H") ">>", NULL, "<516C53F8>",
     "P \xE5\x85\xAC\xE5\x8F\xB8"},
    {"UTF-16 with surrogates", CID("UniJIS-UTF16-H") ">>", NULL, "<D83DDE004E2D>",
     "P \xF0\x9F\x98\x80\xE4\xB8\xAD"},
    {"GBK", CID("GBK-EUC-H") ">>", NULL, "<B9ABCBBE41>",
     "P \xE5\x85\xAC\xE5\x8F\xB8"
     "A"},
    {"Big5", CID("ETen-B5-H") ">>", NULL, "<A4A4A4E5>", "P \xE4\xB8\xAD\xE6\x96\x87"},
    {"Shift JIS, half width too", CID("90ms-RKSJ-H") ">>", NULL, "<93FAB141>",
     "P \xE6\x97\xA5\xEF\xBD\xB1"
     "A"},
    {"Korean", CID("KSCms-UHC-H") ">>", NULL, "<C7D1>", "P \xED\x95\x9C"},
};

static struct str font_page(struct arena *arena, size_t i)
{
    struct pdf_maker *m = arena_alloc(arena, sizeof *m);

    ASSERT(m);
    maker_init(m, arena);
    maker_object(m, "<< /Type /Catalog /Pages 2 0 R >>");
    maker_object(m, "<< /Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 612 792] >>");
    maker_object(
        m, "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>");
    maker_stream(m, "", arena_fmt(arena, "BT /F 12 Tf 72 700 Td %s Tj ET", font_cases[i].shown));
    maker_object(m, "%s", font_cases[i].font);
    for (int k = 6; k < 9; k++)
        maker_object(m, "null");
    maker_stream(m, "",
                 arena_fmt(arena, "1 begincodespacerange <0000> <FFFF> endcodespacerange %s",
                           font_cases[i].map ? font_cases[i].map : ""));
    return maker_finish(m, 1, "");
}

TEST(pdf_fonts)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(font_cases); i++) {
        struct str got = read_lines(arena, font_page(arena, i));

        EXPECT(str_eq(got, str_from(font_cases[i].want)), "%s: " STR_FMT, font_cases[i].name,
               STR_ARG(got));
    }
}

static const struct {
    const char *name, *content, *want;
} content_cases[] = {
    {"kerning joins, gaps part", "BT /F1 10 Tf 72 700 Td [(Wa) 80 (ter) -300 (damage)] TJ ET",
     "P Water damage"},
    {"quote operators move down a line",
     "BT /F1 10 Tf 12 TL 72 700 Td (one) Tj (two) ' 1 2 (three) \" ET", "P one two three"},
    {"text drawn out of order",
     "BT /F1 10 Tf 1 0 0 1 72 600 Tm (second.) Tj 1 0 0 1 72 700 Tm (First.) Tj ET",
     "P First.\nP second."},
    {"invisible text is what OCR wrote", "BT 3 Tr /F1 10 Tf 72 700 Td (scanned) Tj ET",
     "P scanned"},
    {"words drawn twice are fat type",
     "BT /F1 10 Tf 72 700 Td (fat type) Tj ET BT /F1 10 Tf 72.3 700 Td (fat type) Tj ET",
     "P fat type"},
    {"what is said instead of what is drawn",
     "/Span << /ActualText (actual) >> BDC BT /F1 10 Tf 72 700 Td (drawn) Tj ET EMC", "P actual"},
    {"pictures in the content are stepped over",
     "BI /W 1 /H 1 ID \x01 EI\x02 EI BT /F1 10 Tf 72 700 Td (after) Tj ET", "P after"},
    {"beyond the edge", "BT /F1 10 Tf 900 700 Td (far) Tj -828 0 Td (near) Tj ET",
     "P near\n* text beyond the edges of its page was left out"},
    {"too many restores", "Q Q Q q BT /F1 10 Tf 72 700 Td (still) Tj ET", "P still"},
    {"raised marks stay in their line",
     "BT /F1 10 Tf 72 700 Td (as said) Tj /F1 6 Tf 4 Ts (2) Tj /F1 10 Tf 0 Ts ( before) Tj ET",
     "P as said2 before"},
    {"a word cut at the line's end",
     "BT /F1 10 Tf 72 700 Td (There is no reim-) Tj 0 -12 Td (bursement) Tj ET",
     "P There is no reimbursement"},
    {"slanted words stay words", "BT /F1 30 Tf .7 .7 -.7 .7 100 100 Tm (DRAFT) Tj ET", "P DRAFT"},
};

TEST(pdf_contents)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(content_cases); i++) {
        struct str got = read_lines(arena, made_page(arena, content_cases[i].content));

        EXPECT(str_eq(got, str_from(content_cases[i].want)), "%s: " STR_FMT, content_cases[i].name,
               STR_ARG(got));
    }
}

/* --- files of other tools --------------------------------------------------------------------- */

static struct str read_file(struct arena *arena, const char *name)
{
    char path[200];
    char *bytes = arena_alloc_raw(arena, 64 * KIB);

    snprintf(path, sizeof path, "tests/unit/knowledge/pdf/%s.pdf", name);
    FILE *f = fopen(path, "rb");
    ASSERT(f && bytes);
    size_t len = fread(bytes, 1, 64 * KIB, f);
    fclose(f);
    return (struct str){bytes, len};
}

/* The same page encrypted, packed or in order of the web, by qpdf: pdf/README.md. */
TEST(pdf_files_of_other_tools)
{
    static const char *const names[] = {"rc4-40",     "rc4-128", "aes-128", "aes-256",
                                        "aes-256-r5", "objstm",  "lin"};
    static const char want[] = "#1 Baggage\nP Lost bags are paid up to 2,000 euros, delayed ones "
                               "50 a day.\n-1 one\n-1 two\nP act\n"
                               "P in a form";
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str got;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        got = read_lines(arena, read_file(arena, names[i]));
        EXPECT(str_eq(got, str_from(want)), "%s: " STR_FMT, names[i], STR_ARG(got));
    }
    got = read_lines(arena, read_file(arena, "password"));
    EXPECT(str_eq(got, STR("! PDF is encrypted: needs a password")), STR_FMT, STR_ARG(got));
}

/* A byte changed anywhere: read, refused, never more than that. */
TEST(pdf_files_with_any_byte_changed)
{
    static const struct {
        const char *name;
        size_t step; /* a key of revision 6 takes thousands of ciphers by design */
    } files[] = {{"objstm", 1}, {"rc4-128", 3}, {"aes-256", 89}};
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);

    for (size_t n = 0; n < ARRAY_LEN(files); n++) {
        struct str good = read_file(arena, files[n].name);
        char *bytes = arena_alloc_raw(arena, good.len);
        size_t mark = arena_mark(arena), read = 0;

        REQUIRE(bytes != NULL);
        memcpy(bytes, good.ptr, good.len);
        for (size_t i = 0; i < good.len; i += files[n].step) {
            bytes[i] = (char)(good.ptr[i] ^ 0x15);
            read += read_lines(arena, (struct str){bytes, good.len}).ptr[0] != '!';
            bytes[i] = good.ptr[i];
            arena_rewind(arena, mark);
        }
        EXPECT(2 * read > good.len / files[n].step, "%s: %zu of %zu", files[n].name, read,
               good.len / files[n].step);
    }
}
