/* DOCX: each feature as a body and the lines it reads as; broken and hostile archives. */
#include <string.h>

#include "kit.h"
#include "test.h"

#define RELATION(id, type, target) \
    "<Relationship Id='" id "' Type='http://x/" type "' Target='" target "'/>"
#define RELATIONS(inside) "<Relationships xmlns='http://x'>" inside "</Relationships>"

static const char styles[] =
    "<w:styles xmlns:w='w'>"
    "<w:style w:type='paragraph' w:default='1' w:styleId='a'><w:name w:val='Normal'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='2'><w:name w:val='heading 2'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='Own'><w:name w:val='Own'/><w:basedOn "
    "w:val='2'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='Titel'><w:name w:val='Title'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='toc1'><w:name w:val='toc 1'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='R1'><w:name w:val='R1'/><w:basedOn "
    "w:val='R2'/></w:style>"
    "<w:style w:type='paragraph' w:styleId='R2'><w:name w:val='R2'/><w:basedOn "
    "w:val='R1'/></w:style>"
    "</w:styles>";
static const char numbering[] =
    "<w:numbering xmlns:w='w'><w:abstractNum w:abstractNumId='0'>"
    "<w:lvl w:ilvl='0'><w:start w:val='1'/><w:numFmt w:val='decimal'/><w:lvlText "
    "w:val='%1.'/></w:lvl>"
    "<w:lvl w:ilvl='1'><w:start w:val='1'/><w:numFmt w:val='lowerLetter'/><w:lvlText "
    "w:val='%1.%2)'/></w:lvl>"
    "</w:abstractNum><w:abstractNum w:abstractNumId='1'>"
    "<w:lvl w:ilvl='0'><w:numFmt w:val='bullet'/><w:lvlText w:val='o'/></w:lvl></w:abstractNum>"
    "<w:abstractNum w:abstractNumId='2'><w:lvl w:ilvl='0'><w:start w:val='1'/>"
    "<w:numFmt w:val='chineseCounting'/><w:lvlText w:val='第%1条'/></w:lvl></w:abstractNum>"
    "<w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num>"
    "<w:num w:numId='2'><w:abstractNumId w:val='1'/></w:num>"
    "<w:num w:numId='3'><w:abstractNumId w:val='0'/><w:lvlOverride w:ilvl='0'>"
    "<w:startOverride w:val='5'/></w:lvlOverride></w:num>"
    "<w:num w:numId='4'><w:abstractNumId w:val='2'/></w:num></w:numbering>";

#define P(text) "<w:p><w:r><w:t>" text "</w:t></w:r></w:p>"
#define STYLED(s, text) \
    "<w:p><w:pPr><w:pStyle w:val='" s "'/></w:pPr><w:r><w:t>" text "</w:t></w:r></w:p>"
#define LISTED(list, level, text)                                           \
    "<w:p><w:pPr><w:numPr><w:ilvl w:val='" level "'/><w:numId w:val='" list \
    "'/></w:numPr></w:pPr><w:r><w:t>" text "</w:t></w:r></w:p>"
#define TC(text)       "<w:tc>" P(text) "</w:tc>"
#define TC_AS(p, text) "<w:tc><w:tcPr>" p "</w:tcPr>" P(text) "</w:tc>"
#define TR(cells)      "<w:tr>" cells "</w:tr>"
#define TABLE(rows)    "<w:tbl>" rows "</w:tbl>"
#define TWICE(new, old)                                                                   \
    "<mc:AlternateContent><mc:Choice Requires='wps'>" new "</mc:Choice><mc:Fallback>" old \
                                                          "</mc:Fallback></mc:AlternateContent>"

static const struct {
    const char *name, *body, *want;
} cases[] = {
    {"paragraphs of runs",
     "<w:p><w:r><w:t>One </w:t></w:r><w:r><w:t>two</w:t><w:tab/><w:t>three"
     "</w:t><w:br/><w:t>four</w:t></w:r></w:p>" P("A &amp; B &#8364;"),
     "One two three four\nA & B €\n"},
    {"headings in a German and a Chinese Word",
     STYLED("Titel", "The Title") STYLED("berschrift1", "One") STYLED("2", "Two")
         STYLED("Own", "Inherited"),
     "# The Title\n# One\n## Two\n## Inherited\n"},
    {"outline levels of the paragraph",
     "<w:p><w:pPr><w:outlineLvl w:val='2'/></w:pPr><w:r><w:t>"
     "Third</w:t></w:r></w:p>",
     "### Third\n"},
    {"body text in a heading's style",
     "<w:p><w:pPr><w:pStyle w:val='2'/><w:outlineLvl w:val='9'/>"
     "</w:pPr><w:r><w:t>Plain</w:t></w:r></w:p>",
     "Plain\n"},
    {"a ring of styles", STYLED("R1", "Round"), "Round\n"},
    {"bullets", LISTED("2", "0", "First") LISTED("2", "0", "Second"), "- First\n- Second\n"},
    {"numbers, levels, going on, starting again",
     LISTED("1", "0", "A") LISTED("1", "1", "B") LISTED("1", "1", "C") LISTED("1", "0", "D")
         LISTED("1", "1", "E") LISTED("3", "0", "F") LISTED("3", "0", "G"),
     "- 1. A\n-- 1.a) B\n-- 1.b) C\n- 2. D\n-- 2.a) E\n- 5. F\n- 6. G\n"},
    {"Chinese numbers", LISTED("4", "0", "总则") LISTED("4", "0", "附则"),
     "- 第一条 总则\n- 第二条 附则\n"},
    {"a table names its columns", TABLE(TR(TC("Item") TC("Fee")) TR(TC("Bag") TC("35"))),
     "| Item: Bag; Fee: 35\n"},
    {"merged cells stand in each of their places",
     TABLE(TR(TC("A") TC("B") TC("C")) TR(TC_AS("<w:vMerge w:val='restart'/>", "x") TC_AS(
         "<w:gridSpan w:val='2'/>", "1")) TR(TC_AS("<w:vMerge/>", "") TC("2") TC("3"))),
     "| A: x; B: 1; C: 1\n| A: x; B: 2; C: 3\n"},
    {"two marked header rows",
     TABLE("<w:tr><w:trPr><w:tblHeader/></w:trPr>" TC("")
               TC_AS("<w:gridSpan w:val='2'/>",
                     "Limit") "</w:tr><w:tr><w:trPr><w:tblHeader/></w:trPr>" TC("Plan") TC("2023")
                   TC("2024") "</w:tr>" TR(TC("Basic") TC("1") TC("2"))),
     "| Plan: Basic; Limit 2023: 1; Limit 2024: 2\n"},
    {"a form has no header", TABLE(TR(TC("Name:") TC("Ann")) TR(TC("Age:") TC("30"))),
     "| Name:; Ann\n| Age:; 30\n"},
    {"names of one table are not those of the next",
     TABLE(TR(TC("A") TC("B")) TR(TC("1") TC("2"))) TABLE(TR(TC("3") TC("4"))),
     "| A: 1; B: 2\n| 3; 4\n"},
    {"a table in a cell",
     TABLE(TR(TC("H") TC("I")) TR("<w:tc>" P("x") TABLE(TR(TC("1") TC("2"))) "</w:tc>" TC("y"))),
     "| H: x 1; 2; I: y\n"},
    {"tracked changes: deleted is gone, inserted is there",
     "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></"
     "w:del>"
     "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom></w:p>" TABLE(
         "<w:tr><w:trPr><w:del/></w:trPr>" TC("gone") "</w:tr>" TR(TC("kept"))),
     "new\n| kept\n"},
    {"a link's text, a field's result and not its code",
     "<w:p><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink><w:r>"
     "<w:instrText> PAGE </w:instrText></w:r><w:r><w:t> 7</w:t></w:r></w:p>",
     "link 7\n"},
    {"a footnote follows its paragraph",
     "<w:p><w:r><w:t>Said</w:t><w:footnoteReference w:id='2'/></w:r></w:p>" P("Next"),
     "Said\nSource of it. [footnote 2]\nNext\n"},
    {"a text box once, though it is there twice",
     "<w:p><w:r><mc:AlternateContent><mc:Choice><w:drawing><w:txbxContent>" P(
         "In the box") "</w:txbxContent></w:drawing></"
                       "mc:Choice><mc:Fallback><w:pict><w:txbxContent>" P("In the box") "</"
                                                                                        "w:"
                                                                                        "txbxConten"
                                                                                        "t></"
                                                                                        "w:pict></"
                                                                                        "mc:"
                                                                                        "Fallback>"
                                                                                        "</"
                                                                                        "mc:"
                                                                                        "AlternateC"
                                                                                        "ontent></"
                                                                                        "w:r><w:r><"
                                                                                        "w:t>"
                                                                                        "Beside</"
                                                                                        "w:t></"
                                                                                        "w:r></"
                                                                                        "w:p>",
     "Beside\nIn the box\n"},
    {"paragraphs and tables once, though they are there twice",
     TWICE(P("In new programs"), P("In old ones")) P("Between")
         TWICE(TABLE(TR(TC("new"))), TABLE(TR(TC("old")))),
     "In new programs\nBetween\n| new\n"},
    {"for old programs alone",
     "<mc:AlternateContent><mc:Fallback>" P("Kept") "</mc:Fallback></mc:AlternateContent>",
     "Kept\n"},
    {"rows and cells once, though they are there twice",
     TABLE(TR(TC("a")) TWICE(TR(TC("b")), TR(TC("c"))) TR(TWICE(TC("d"), TC("e")))),
     "| a\n| b\n| d\n"},
    {"structured tags",
     "<w:sdt><w:sdtPr><w:alias w:val='x'/></w:sdtPr><w:sdtContent>" P(
         "Inside") "</w:sdtContent></w:sdt>",
     "Inside\n"},
    {"contents are left out and that is said", STYLED("toc1", "Intro 3") P("Text"),
     "Text\n! the table of contents is left out: the headings stand where they are\n"},
    {"pictures and comments are said",
     "<w:p><w:r><w:drawing><a:blip/></w:drawing><w:t>T</w:t><w:commentReference/></w:r></w:p>",
     "T\n! 1 pictures are not read\n! 1 review comments are left out\n"},
    {"diagrams and characters of symbol fonts are said",
     "<w:p><w:r><w:drawing><dgm:relIds r:dm='r9'/></w:drawing><w:sym w:font='Wingdings' "
     "w:char='F0FC'/><w:sym w:font='Arial' w:char='2713'/><w:t> done</w:t></w:r></w:p>",
     "✓ done\n! 1 diagrams are not read\n! 1 characters of symbol fonts are not read\n"},
    {"boxes and lists of an old form",
     "<w:p><w:r><w:fldChar><w:ffData><w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox></"
     "w:ffData></w:fldChar><w:t> yes </w:t><w:fldChar><w:ffData><w:checkBox><w:default "
     "w:val='0'/></w:checkBox></w:ffData></w:fldChar><w:t> no, </w:t><w:fldChar><w:ffData>"
     "<w:ddList><w:result w:val='1'/><w:listEntry w:val='Bonn'/><w:listEntry "
     "w:val='Ulm'/></w:ddList></w:ffData></w:fldChar></w:r></w:p>",
     "[x] yes [ ] no, Ulm\n"},
    {"rows and cells in marks of other programs",
     TABLE("<w:customXml>" TR("<w:sdt><w:sdtContent>" TC("A") TC("B") "</w:sdtContent></w:sdt>")
               TR("<w:customXml>" TC("1") "</w:customXml>" TC("2")) "</w:customXml>"),
     "| A: 1; B: 2\n"},
    {"ruby",
     "<w:p><w:r><w:ruby><w:rt><w:r><w:t>とう</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>東</w:t></"
     "w:r></w:rubyBase></w:ruby></w:r></w:p>",
     "東\n"},
    {"an unknown reference stays", P("&nosuch; &#0;"), "&nosuch;\n"},
};

static struct str make(struct arena *arena, const char *body)
{
    struct str document = arena_fmt(
        arena,
        "<?xml version='1.0'?><w:document xmlns:w='w'><w:body>%s<w:sectPr/></w:body></w:document>",
        body);
    const struct kit_part parts[] = {
        {.name = "_rels/.rels",
         .text = RELATIONS(RELATION("r1", "officeDocument", "word/document.xml"))},
        {.name = "word/_rels/document.xml.rels",
         .text = RELATIONS(RELATION("r1", "styles", "styles.xml")
                               RELATION("r2", "numbering", "/word/numbering.xml")
                                   RELATION("r3", "footnotes", "footnotes.xml"))},
        {.name = "word/styles.xml", .text = styles},
        {.name = "*word/numbering.xml", .text = numbering},
        {.name = "word/footnotes.xml",
         .text =
             "<w:footnotes><w:footnote w:id='2'>" P("Source of it.") "</w:footnote></w:footnotes>"},
        {.name = "*word/document.xml", .bytes = document},
    };

    return kit_zip(arena, parts, ARRAY_LEN(parts));
}

TEST(docx_reads_as_it_is_seen)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str got = kit_lines(arena, read_docx, make(arena, cases[i].body));

        EXPECT(str_eq(got, str_from(cases[i].want)), "%s:\n" STR_FMT, cases[i].name, STR_ARG(got));
    }
}

TEST(docx_notes_that_go_in_a_ring_end)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    const struct kit_part parts[] = {
        {.name = "_rels/.rels",
         .text = RELATIONS(RELATION("r1", "officeDocument", "word/document.xml"))},
        {.name = "word/_rels/document.xml.rels",
         .text = RELATIONS(RELATION("r3", "footnotes", "footnotes.xml"))},
        {.name = "word/footnotes.xml",
         .text = "<w:footnotes><w:footnote w:id='2'><w:p><w:r><w:t>Again</w:t><w:footnoteReference "
                 "w:id='2'/></w:r></w:p></w:footnote></w:footnotes>"},
        {.name = "word/document.xml",
         .text = "<w:document><w:body><w:p><w:r><w:t>Said</w:t><w:footnoteReference "
                 "w:id='2'/></w:r></w:p></w:body></w:document>"},
    };
    struct str got = kit_lines(arena, read_docx, kit_zip(arena, parts, ARRAY_LEN(parts)));

    EXPECT(str_eq(got, STR("error: notes and boxes nested deeper than 20")), STR_FMT,
           STR_ARG(str_slice(got, 0, 200)));
}

TEST(docx_title_headers_and_footers)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct kit_part parts[] = {
        {.name = "_rels/.rels",
         .text = RELATIONS(RELATION("r1", "officeDocument", "word/document.xml")
                               RELATION("r2", "metadata/core-properties", "docProps/core.xml"))},
        {.name = "docProps/core.xml",
         .text = "<cp:coreProperties><dc:title>Terms 2024</dc:title></cp:coreProperties>"},
        {.name = "word/_rels/document.xml.rels",
         .text = RELATIONS(RELATION("r1", "header", "header1.xml") RELATION(
             "r2", "header", "header2.xml") RELATION("r3", "footer", "footer1.xml"))},
        {.name = "word/header1.xml", .text = "<w:hdr>" P("ACME Ltd") "</w:hdr>"},
        {.name = "word/header2.xml", .text = "<w:hdr>" P("ACME Ltd") "</w:hdr>"},
        {.name = "word/footer1.xml", .text = "<w:ftr>" P("Confidential") "</w:ftr>"},
        {.name = "word/document.xml",
         .text = "<w:document><w:body>" P("Text") "</w:body></w:document>"},
    };
    struct str got = kit_lines(arena, read_docx, kit_zip(arena, parts, ARRAY_LEN(parts)));

    EXPECT(str_eq(got,
                  STR("= Terms 2024\nText\nACME Ltd [page header]\nConfidential [page footer]\n")),
           STR_FMT, STR_ARG(got));
}

/* --- what is no document ---------------------------------------------------------------------- */

static struct str deep(struct arena *arena)
{
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    for (int i = 0; i < 300; i++)
        buf_str(&b, STR("<w:sdt>"));
    buf_char(&b, 0);
    return make(arena, b.ptr);
}

static struct str bomb(struct arena *arena)
{
    struct kit_part part = {.name = "*_rels/.rels",
                            .bytes = {arena_alloc(arena, 20 * MIB), 20 * MIB}};

    return kit_zip(arena, &part, 1);
}

static struct str laughs(struct arena *arena)
{
    const struct kit_part parts[] = {
        {.name = "_rels/.rels", .text = RELATIONS(RELATION("r1", "officeDocument", "d.xml"))},
        {.name = "d.xml",
         .text = "<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'><!ENTITY x SYSTEM "
                 "'file:///etc/passwd'>]>"
                 "<w:document><w:body>" P("&b; &x;") "</w:body></w:document>"}};

    return kit_zip(arena, parts, ARRAY_LEN(parts));
}

static struct str not_word(struct arena *arena)
{
    return kit_zip(arena, &(struct kit_part){.name = "a.txt", .text = "hello"}, 1);
}

static struct str cut(struct arena *arena)
{
    struct str whole = make(arena, P("Text"));

    return str_slice(whole, 0, whole.len - 30);
}

static struct str flipped(struct arena *arena)
{
    struct str whole = make(arena, P("Text"));

    ((char *)(uintptr_t)whole.ptr)[60] ^= 1; /* in the first part's text */
    return whole;
}

static struct str encrypted(struct arena *arena)
{
    (void)arena;
    return STR("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and so on");
}

static struct str empty(struct arena *arena)
{
    (void)arena;
    return STR("");
}

static const struct {
    const char *name;
    struct str (*make)(struct arena *arena);
    const char *want;
} broken[] = {
    {"nothing", empty, "error: damaged: not a whole zip archive"},
    {"cut off", cut, "error: damaged: not a whole zip archive"},
    {"a bit flipped", flipped, "error: damaged: \"_rels/.rels\" in it cannot be unpacked"},
    {"another archive", not_word, "error: not a Word document: it has no text part"},
    {"encrypted", encrypted, "error: encrypted with a password, or of the format before 2007"},
    {"too deep", deep, "error: \"word/document.xml\": XML nested deeper than 200"},
    {"a bomb", bomb,
     "error: \"_rels/.rels\" in it unpacks to more than 250 times its size, as a bomb does"},
    {"entities of a document type", laughs, "&b; &x;\n"},
};

TEST(docx_that_is_none_is_refused_with_the_reason)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str got = kit_lines(arena, read_docx, broken[i].make(arena));

        EXPECT(str_starts(got, str_from(broken[i].want)), "%s: " STR_FMT, broken[i].name,
               STR_ARG(got));
    }
}
