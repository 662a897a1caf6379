/* Mail, OpenDocument, EPUB: each feature and the lines it reads as. */
#include <string.h>

#include "kit.h"
#include "test.h"

static const struct {
    const char *name, *mail, *want;
} mails[] = {
    {"who, when and what",
     "From: Ann <ann@x.org>\r\nTo: bob@x.org\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: "
     "Leave\r\n\r\nYou get 28 days.\r\nAnn\r\n",
     "= Leave\n# Leave\n| From: Ann <ann@x.org>; To: bob@x.org; Date: Mon, 1 Jan 2024 10:00:00 "
     "+0000\nYou get 28 days. Ann\n"},
    {"encoded words, folded, next to each other",
     "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_?=\r\n =?ISO-8859-1?B?YXVzIEv2bG4=?= 2024\r\nFrom: "
     "=?gb2312?B?1cXI/Q==?= <z@x.cn>\r\n\r\nHi.\r\n",
     "= Grüße aus Köln 2024\n# Grüße aus Köln 2024\n| From: 张三 <z@x.cn>\nHi.\n"},
    {"quoted-printable in a charset",
     "From: a\nContent-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: "
     "quoted-printable\n\nThe fee is 35 =80, payable at=\n once. 1=3D1\n",
     "| From: a\nThe fee is 35 €, payable at once. 1=1\n"},
    {"base64 in GBK",
     "From: a\nContent-Type: text/plain; charset=\"gbk\"\nContent-Transfer-Encoding: "
     "base64\n\nxOq82bmy\n16jO5czs\n",
     "| From: a\n年假共专五天\n"},
    {"the plain one of two",
     "From: a\nContent-Type: multipart/alternative; boundary=\"b 1\"\n\npreamble\n--b "
     "1\nContent-Type: text/plain\n\nPlain text.\n--b 1\nContent-Type: text/html\n\n<p>Rich "
     "text.</p>\n--b 1--\nepilogue\n",
     "| From: a\nPlain text.\n"},
    {"HTML when there is no other",
     "From: a\nContent-Type: text/html; charset=utf-8\n\n<h1>Rules</h1><p>One &amp; "
     "two.</p><table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1</td></tr></table>",
     "| From: a\n# Rules\nOne & two.\n| k: a; v: 1\n"},
    {"attachments by their names",
     "From: a\nSubject: s\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nSee "
     "below.\n--x\nContent-Type: text/csv; name=\"fees.csv\"\nContent-Disposition: attachment;\n "
     "filename*=utf-8''Geb%C3%BChren.csv\nContent-Transfer-Encoding: "
     "base64\n\nSXRlbSxGZWUKQmFnLDM1Cg==\n--x\nContent-Type: image/png; "
     "name=logo.png\n\nxxxx\n--x--\n",
     "= s\n# s\n| From: a\nSee below.\n## Attachment: Gebühren.csv\n| Item: Bag; Fee: 35 "
     "[Gebühren.csv]\n## Attachment: logo.png\n! attachment \"logo.png\" is of a type that is not "
     "read\n"},
    {"a broken attachment is said, the rest is read",
     "From: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Disposition: attachment; "
     "filename=o.docx\n\nno archive\n--x\n\nText.\n--x--\n",
     "| From: a\n## Attachment: o.docx\nText.\n! attachment \"o.docx\" is not read: damaged: not a "
     "whole zip archive\n"},
    {"a forwarded mail",
     "From: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: "
     "message/rfc822\n\nSubject: Inner\nFrom: b\n\nInside.\n--x--\n",
     "| From: a\n# Inner\n| From: b\nInside.\n"},
    {"cut off in the middle", "From: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nBegun",
     "| From: a\nBegun\n"},
    {"eight bits in a header", "Subject: Caf\xE9\nFrom: a\n\nx\n",
     "= Café\n# Café\n| From: a\nx\n"},
    {"parts that are not marked as it says",
     "From: a\nContent-Type: multipart/mixed; boundary=y\n\n--x\n\nBegun\n--x--\n",
     "| From: a\n! a part of the mail is not read: it has no parts inside, or they are not marked "
     "as "
     "it says\n"},
    {"no mail", "This is some text.\n", "error: not a mail: without headers"},
};

TEST(mail_reads_as_it_is_seen)
{
    for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str got = kit_lines(arena, read_mail, str_from(mails[i].mail));

        EXPECT(str_eq(got, str_from(mails[i].want)), "%s:\n" STR_FMT, mails[i].name, STR_ARG(got));
    }
}

TEST(mails_in_mails_end)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct buf b;

    buf_init(&b, arena, MIB);
    for (int i = 0; i < 100; i++)
        buf_str(&b, STR("From: a\nContent-Type: message/rfc822\n\n"));
    struct str got = kit_lines(arena, read_mail, buf_view(&b));
    EXPECT(str_eq(got, STR("error: mails nested deeper than 12")), STR_FMT, STR_ARG(got));
}

/* --- OpenDocument and EPUB -------------------------------------------------------------------- */

#define P(text)    "<text:p>" text "</text:p>"
#define CELL(text) "<table:table-cell>" P(text) "</table:table-cell>"

static const struct {
    const char *name, *body, *want;
} odfs[] = {
    {"text, headings, lists",
     "<office:text><text:h text:outline-level='2'>Rules</text:h>" P(
         "One<text:s/"
         ">two<text:line-break/>three") "<text:list><text:list-item>" P("a") "<text:list><text:"
                                                                             "list-item>" P(
                                                                                 "b") "<"
                                                                                      "/"
                                                                                      "t"
                                                                                      "e"
                                                                                      "x"
                                                                                      "t"
                                                                                      ":"
                                                                                      "l"
                                                                                      "i"
                                                                                      "s"
                                                                                      "t"
                                                                                      "-"
                                                                                      "i"
                                                                                      "t"
                                                                                      "e"
                                                                                      "m"
                                                                                      ">"
                                                                                      "<"
                                                                                      "/"
                                                                                      "t"
                                                                                      "e"
                                                                                      "x"
                                                                                      "t"
                                                                                      ":"
                                                                                      "l"
                                                                                      "i"
                                                                                      "s"
                                                                                      "t"
                                                                                      ">"
                                                                                      "<"
                                                                                      "/"
                                                                                      "t"
                                                                                      "e"
                                                                                      "x"
                                                                                      "t"
                                                                                      ":"
                                                                                      "l"
                                                                                      "i"
                                                                                      "s"
                                                                                      "t"
                                                                                      "-"
                                                                                      "i"
                                                                                      "t"
                                                                                      "e"
                                                                                      "m"
                                                                                      ">"
                                                                                      "<"
                                                                                      "/"
                                                                                      "t"
                                                                                      "e"
                                                                                      "x"
                                                                                      "t"
                                                                                      ":"
                                                                                      "l"
                                                                                      "i"
                                                                                      "s"
                                                                                      "t"
                                                                                      ">"
                                                                                      "<"
                                                                                      "/"
                                                                                      "o"
                                                                                      "f"
                                                                                      "f"
                                                                                      "i"
                                                                                      "c"
                                                                                      "e"
                                                                                      ":"
                                                                                      "t"
                                                                                      "e"
                                                                                      "x"
                                                                                      "t"
                                                                                      ">",
     "= T\n## Rules\nOne two three\n- a\n-- b\n"},
    {"a note follows, a comment does not come",
     "<office:text>" P(
         "Said<text:note><text:note-citation>1</text:note-citation><text:note-body>" P(
             "Source.") "</text:note-body></text:note>"
                        "<office:annotation>" P("why?") "</office:annotation>") "</office:text>",
     "= T\nSaid\nSource.\n! 1 review comments are left out\n"},
    {"a note of the last table's last cell",
     "<office:text><table:table><table:table-row>" CELL("Item") "<table:table-cell>" P(
         "Fee<text:note><text:note-body>" P(
             "Since May.") "</text:note-body></text:note>") "</table:table-cell></"
                                                            "table:table-row></table:table></"
                                                            "office:text>",
     "= T\n| Item; Fee\nSince May.\n"},
    {"a list in a cell",
     "<office:text><table:table><table:table-row><table:table-cell><text:list><text:list-item>" P(
         "Apples") "</text:list-item><text:list-item>" P("Pears") "</text:list-item></text:list></"
                                                                  "table:table-cell></"
                                                                  "table:table-row></table:table></"
                                                                  "office:text>",
     "= T\n| Apples Pears\n"},
    {"a field that shows the title",
     "<office:text>" P("See <text:title>The Rules</text:title>.") "</office:text>",
     "= T\nSee The Rules.\n"},
    {"rows that are alike stand there once, and merged cells in one",
     "<office:spreadsheet><table:table table:name='Fees'><table:table-row>" CELL("Item") CELL(
         "Fee") "</table:table-row><table:table-row table:number-rows-repeated='2'>" CELL("Bag")
         CELL("35") "</table:table-row><table:table-row><table:table-cell "
                    "table:number-rows-spanned='2'>" P("Skis") "</table:table-cell>" CELL(
                        "1") "</table:table-row><table:table-row><table:covered-table-cell/"
                             ">" CELL("2") "</table:table-row></table:table></"
                                           "office:spreadsheet>",
     "= T\n## Fees (page 1) [Fees]\n| Item: Bag; Fee: 35 (page 1) [Fees!A2:B2]\n| Item: Bag; Fee: "
     "35 (page 1) [Fees!A3:B3]\n| Item: Skis; Fee: 1 (page 1) [Fees!A4:B4]\n| Item: Skis; Fee: 2 "
     "(page 1) [Fees!A5:B5]\n"},
    {"a box in a sheet",
     "<office:spreadsheet><table:table table:name='Fees'><table:table-row><table:table-cell>" P(
         "Fee") "<draw:frame><draw:text-box>" P("Since May.") "</draw:text-box></draw:frame></"
                                                              "table:table-cell></"
                                                              "table:table-row></table:table></"
                                                              "office:spreadsheet>",
     "= T\n## Fees (page 1) [Fees]\nFee (page 1) [Fees!A1]\nSince May. (page 1) [Fees]\n"},
    {"a table with a header",
     "<office:text><table:table><table:table-header-rows><table:table-row>" CELL("Item")
         CELL("Fee") "</table:table-row></table:table-header-rows><table:table-row>" CELL("Bag")
             CELL("35") "</table:table-row></table:table></office:text>",
     "= T\n| Item: Bag; Fee: 35\n"},
    {"a sheet, and a million empty rows",
     "<office:spreadsheet><table:table table:name='Fees'><table:table-row>" CELL("Item")
         CELL("Fee") "</table:table-row><table:table-row>" CELL("Bag")
             CELL("35") "<table:table-cell "
                        "table:number-columns-repeated='16000'/></table:table-row><table:table-row "
                        "table:number-rows-repeated='1048000'><table:table-cell/></"
                        "table:table-row></table:table></office:spreadsheet>",
     "= T\n## Fees (page 1) [Fees]\n| Item: Bag; Fee: 35 (page 1) [Fees!A2:B2]\n"},
    {"slides",
     "<office:presentation><draw:page><draw:frame><draw:text-box>" P(
         "First") "</draw:text-box></draw:frame></draw:page><draw:page>" P("Second") "</"
                                                                                     "draw:page></"
                                                                                     "office:"
                                                                                     "presentation"
                                                                                     ">",
     "= T\n## Slide 1 (page 1) [slide 1]\nFirst (page 1) [slide 1]\n## Slide 2 (page 2) [slide "
     "2]\nSecond (page 2) [slide 2]\n"},
};

TEST(opendocument_reads_as_it_is_seen)
{
    for (size_t i = 0; i < ARRAY_LEN(odfs); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        const struct kit_part parts[] = {
            {.name = "*content.xml",
             .bytes = arena_fmt(
                 arena,
                 "<office:document-content><office:body>%s</office:body></office:document-content>",
                 odfs[i].body)},
            {.name = "meta.xml",
             .text = "<office:document-meta><office:meta><dc:title>T</dc:title></office:meta></"
                     "office:document-meta>"},
        };
        struct str got = kit_lines(arena, read_odf, kit_zip(arena, parts, ARRAY_LEN(parts)));

        EXPECT(str_eq(got, str_from(odfs[i].want)), "%s:\n" STR_FMT, odfs[i].name, STR_ARG(got));
    }
}

TEST(opendocument_has_headers_and_footers_once)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct kit_part parts[] = {
        {.name = "content.xml",
         .text = "<office:document-content><office:body><office:text>" P(
             "Text") "</office:text></office:body></office:document-content>"},
        {.name = "styles.xml",
         .text =
             "<office:document-styles><office:master-styles><style:master-page><style:header>" P(
                 "Acme")
                 P("Rules") "</style:header><style:footer/></style:master-page><style:master-page>"
                            "<style:header>" P("Acme") P("Rules") "</style:header><style:footer>" P(
                                "Confidential") "</style:footer></style:master-page></"
                                                "office:master-styles></office:document-styles>"},
    };
    struct str got = kit_lines(arena, read_odf, kit_zip(arena, parts, ARRAY_LEN(parts)));

    EXPECT(str_eq(got, STR("Text\nAcme Rules [page header]\nConfidential [page footer]\n")),
           STR_FMT, STR_ARG(got));
}

TEST(epub_reads_chapter_by_chapter)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const struct kit_part parts[] = {
        {.name = "META-INF/container.xml",
         .text =
             "<container><rootfiles><rootfile full-path='OEBPS/p.opf'/></rootfiles></container>"},
        {.name = "OEBPS/p.opf",
         .text = "<package><metadata><dc:title>Poems</dc:title></metadata><manifest><item id='b' "
                 "href='two.xhtml'/><item id='a' href='text/one%201.xhtml'/></manifest>"
                 "<spine><itemref idref='a'/><itemref idref='b'/><itemref "
                 "idref='c'/></spine></package>"},
        {.name = "*OEBPS/text/one 1.xhtml",
         .text = "<!DOCTYPE html><html><body><h1>One</h1><p>First.</p></body></html>"},
        {.name = "OEBPS/two.xhtml",
         .text = "<html><body><h1>Two</h1><ul><li>x</li></ul></body></html>"},
    };
    struct str got = kit_lines(arena, read_epub, kit_zip(arena, parts, ARRAY_LEN(parts)));

    EXPECT(str_eq(got, STR("= Poems\n# One\nFirst.\n# Two\n- x\n! chapter \"c\" is not there\n")),
           STR_FMT, STR_ARG(got));
}
