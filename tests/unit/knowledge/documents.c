/* Blocks of the three formats, and where they stood. */
#include "knowledge/document.h"

#include <string.h>

#include "base/buf.h"
#include "knowledge/passage.h"
#include "test.h"

static const char *const kinds[] = {"H", "P", "I", "R", "C"};

/* "H1|text" a line; items and headings with their level. */
static struct str render(struct arena *arena, enum document_type type, struct str source)
{
    struct document d;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, MIB);
    if (!document_read(arena, source, type, &d, &err))
        return arena_fmt(arena, "error: %s", err.text);
    for (size_t i = 0; i < d.count; i++)
        buf_fmt(&b, "%s%d|" STR_FMT "\n", kinds[d.blocks[i].kind], d.blocks[i].level,
                STR_ARG(d.blocks[i].text));
    return buf_view(&b);
}

struct reading {
    const char *name, *source, *want;
};

static void check_readings(enum document_type type, const struct reading *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        struct str got = render(arena, type, str_from(cases[i].source));

        EXPECT(str_eq(got, str_from(cases[i].want)), "%s:\n" STR_FMT, cases[i].name, STR_ARG(got));
    }
}

TEST(markdown)
{
    static const struct reading cases[] = {
        {"headings and paragraphs", "# A\n\none\ntwo\n\n## B\nthree\n",
         "H1|A\nP0|one two\nH2|B\nP0|three\n"},
        {"emphasis, code and links leave their text", "a *b* `c` [d](http://x) ![e](f.png)",
         "P0|a b c d e\n"},
        {"entities", "A &amp; B &euro;5 &bogus;", "P0|A & B €5 &bogus;\n"},
        {"lists, nested and loose", "- a\n  - b\n- c\n\n  d\n", "I1|a\nI2|b\nI1|c\nI1|d\n"},
        {"a table row carries its columns' names", "| P | Limit |\n|---|---|\n| X | 5 |\n| Y | |\n",
         "R1|P: X; Limit: 5\nR1|P: Y\n"},
        {"chinese table", "| 计划 | 限额 |\n|---|---|\n| 基础 | 5 |\n", "R1|计划：基础；限额：5\n"},
        {"no space where chinese lines break", "员工每年\n享有", "P0|员工每年享有\n"},
        {"code keeps its lines", "```\na\n  b\n```\n", "C0|a\n  b\n\n"},
        {"html in between", "a\n\n<div>b <b>c</b><script>x()</script></div>\n\nd",
         "P0|a\nP0|b c\nP0|d\n"},
        {"quotes", "> said", "P0|said\n"},
        {"carriage returns", "# A\r\n\r\none\r\ntwo\r\n", "H1|A\nP0|one two\n"},
        {"nothing", "\n\n", ""},
    };
    check_readings(DOCUMENT_MARKDOWN, cases, ARRAY_LEN(cases));
}

TEST(html)
{
    static const struct reading cases[] = {
        {"blocks", "<h2>A</h2><p>one\n two</p>three<br>four", "H2|A\nP0|one two\nP0|three four\n"},
        {"what is no text is skipped",
         "a<script>var x = '</p>';</script><style>p{}</style><!-- c --><nav>n<nav>m</nav>o</nav>b",
         "P0|a\nP0|b\n"},
        {"only the main part", "<p>x</p><main><p>y</p></main><p>z</p>", "P0|y\n"},
        {"lists without closing tags", "<ul><li>a<li>b<ul><li>c</ul>d</ul>e",
         "I1|a\nI1|b\nI2|c\nI1|d\nP0|e\n"},
        {"table", "<table><tr><th>P<th>L<tr><td>X<td>5</table>", "R1|P: X; L: 5\n"},
        {"row headers", "<table><tr><th>P</th><td>X</td></tr></table>", "R1|P; X\n"},
        {"definitions", "<dl><dt>A<dd>b</dl>", "I1|A: b\n"},
        {"entities", "&lt;a&gt; &#65;&#x42; &nbsp;x &amp &unknown;",
         "P0|<a> AB x &amp &unknown;\n"},
        {"a stray angle is text", "1 < 2 and <3", "P0|1 < 2 and <3\n"},
        {"quotes hide the end of a tag", "<p title='a>b'>c", "P0|c\n"},
        {"unfinished tag and comment", "a<b c='", "P0|a\n"},
        {"unfinished comment", "a<!-- b", "P0|a\n"},
        {"preformatted", "<pre>a\n  b</pre>", "C0|a\n  b\n"},
        {"a stray end inside a row", "<table><tr><td>a</pre>b<td>c</table>", "R1|a b; c\n"},
        {"the title is no text", "<head><title>T</title></head><p>x", "P0|x\n"},
        {"a formula",
         "<p>It is <math><mi>E</mi><mo>=</mo><mi>m</mi> <msup><mi>c</mi><mn>2</mn></msup></math>.",
         "P0|It is E=mc^2.\n"},
        {"places of a formula",
         "<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac><mo>-</"
         "mo><msubsup><mi>x</mi>"
         "<mi>i</mi><mn>2</mn></msubsup><msqrt><mn>3</mn></msqrt><mtable><mtr><mtd>1</mtd><mtd>2</"
         "mtd></mtr><mtr><mtd/>"
         "<mtd>4</mtd></mtr></mtable></math>",
         "P0|(a+b)/c-x_i^2sqrt(3)[1, 2; , 4]\n"},
        {"a formula says itself once",
         "<math><semantics><mi>x</mi><annotation "
         "encoding='application/x-tex'>x</annotation></semantics></math>y",
         "P0|xy\n"},
        {"a formula that nobody ends", "<math><mi>x<p>y<p>z", "P0|x\nP0|y\nP0|z\n"},
        {"what a form holds",
         "<form>Name <input value='Ann &amp; Bo'> Kind <select><option>a<option "
         "selected>b<option>c</select>"
         "<textarea>\nWater came in.</textarea><input type=hidden value=h><input type=password "
         "value=p></form>",
         "P0|Name Ann & Bo Kind b Water came in.\n"},
        {"boxes", "<p><input type=radio> yes <input type=radio checked> no</p>",
         "P0|[ ] yes [x] no\n"},
        {"a list of choices that nobody ends", "<select><option>a<p>b</p>", "P0|b\n"},
        {"a button that is a heading's text",
         "<h3><button>Who pays?</button></h3><button>Save</button>x", "H3|Who pays?\nP0|x\n"},
        {"what is said instead of a picture", "<p>a <img src=x alt='A &lt;red&gt; flag'> b",
         "P0|a A <red> flag b\n"},
        {"names of characters", "&alpha;&le;&infin; &scaron;", "P0|\u03b1\u2264\u221e \u0161\n"},
        {"xhtml's empty elements",
         "<?xml version='1.0'?><html><head><title/><script "
         "src='x'/></head><body>a<textarea/>b<iframe/>c</body>",
         "P0|abc\n"},
        {"html has none of those", "<script src=x />a</script>b", "P0|b\n"},
    };
    check_readings(DOCUMENT_HTML, cases, ARRAY_LEN(cases));
}

TEST(what_a_page_does_not_tell)
{
    static const struct {
        const char *name, *page, *note;
    } cases[] = {
        {"nothing", "<p>a<img alt='' src=x><script>x</script>", ""},
        {"buttons", "a<button>Save</button><input type=submit>", "not read: 2 buttons"},
        {"choices", "a<select><option>b<option>c</select>",
         "not read: 2 choices that are not selected"},
        {"without scripts",
         "a<noscript>Switch <b>on</b></noscript><noscript><img src=x></noscript>",
         "not read: 8 characters for browsers without scripts"},
        {"drawings and frames",
         "a<svg><text>Lid</text></svg><iframe src=x>b</iframe><video>c</video><img src=x>",
         "not read: 1 picture, 2 pages, recordings or programs within it, 3 characters of "
         "drawings"},
        {"beside the main part", "<nav>a</nav><main>b<button>c</button></main>",
         "left out beside the main part: navigation (1 characters); not read: 1 button"},
        {"not of what is left out", "<nav>a<button>b</button></nav><main>c</main>",
         "left out beside the main part: navigation (1 characters)"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct document d;
        struct err err = {0};

        REQUIRE(document_read(arena, str_from(cases[i].page), DOCUMENT_HTML, &d, &err), "%s",
                err.text);
        EXPECT(str_eq(d.note, str_from(cases[i].note)), "%s: \"" STR_FMT "\"", cases[i].name,
               STR_ARG(d.note));
    }
}

TEST(plain_text)
{
    static const struct reading cases[] = {
        {"title, paragraphs", "Leave\n\none\ntwo.\n\nthree.\n",
         "H1|Leave\nP0|one two.\nP0|three.\n"},
        {"underlined", "A\n===\none\n\nB\n---\ntwo\n", "H1|A\nP0|one\nH2|B\nP0|two\n"},
        {"items", "T\n\n- a\n  more\n2. b\n（3）c\n", "H1|T\nI1|a more\nI1|b\nI1|c\n"},
        {"a lone sentence is no heading", "This is one.\n\nTwo.\n", "P0|This is one.\nP0|Two.\n"},
        {"the last line is no heading", "Body here, long\n\nEnd", "H1|Body here, long\nP0|End\n"},
        {"wide space",
         "a\xE3\x80\x80"
         "b",
         "P0|a b\n"},
    };
    check_readings(DOCUMENT_TEXT, cases, ARRAY_LEN(cases));
}

TEST(what_is_no_text_is_refused)
{
    static const struct {
        const char *name;
        struct str source;
        const char *want;
    } cases[] = {
        {"zero byte", {"a\0b", 3}, "binary"},
        {"half of a utf-16 unit",
         {"\xFF\xFE"
          "a",
          3},
         "UTF-16"},
        {"control characters", {"\x01\x02\xE9", 3}, "neither UTF-8 nor another encoding"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str got = render(arena, DOCUMENT_TEXT, cases[i].source);

        EXPECT(str_find(got, str_from(cases[i].want)) < got.len, "%s: " STR_FMT, cases[i].name,
               STR_ARG(got));
    }
}

TEST(types_by_name)
{
    enum document_type type;

    EXPECT(document_type_of(STR("a.MD"), &type) && type == DOCUMENT_MARKDOWN);
    EXPECT(document_type_of(STR("a.b.htm"), &type) && type == DOCUMENT_HTML);
    EXPECT(document_type_of(STR("a.txt"), &type) && type == DOCUMENT_TEXT);
    EXPECT(!document_type_of(STR(".md"), &type) && !document_type_of(STR("a.exe"), &type));
}

/* The block that holds `text`, and what stands at its origin in the source. */
static void check_origin(enum document_type type, const char *source, const char *text,
                         const char *want, uint32_t line)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct document d;
    struct err err = {0};
    bool found = false;

    REQUIRE(document_read(arena, str_from(source), type, &d, &err), "%s", err.text);
    for (size_t i = 0; i < d.count && !found; i++) {
        size_t at = str_find(d.blocks[i].text, str_from(text));

        if (at == d.blocks[i].text.len)
            continue;
        found = true;
        struct origin o = block_origin(&d.blocks[i], (uint32_t)at, (uint32_t)(at + strlen(text)));
        struct str bytes = str_slice(str_from(source), o.byte_first, o.byte_end);
        EXPECT(str_eq(bytes, str_from(want)), "%s: \"" STR_FMT "\"", text, STR_ARG(bytes));
        EXPECT(o.line_first == line, "%s: line %u", text, o.line_first);
    }
    EXPECT(found, "%s", text);
}

TEST(origins)
{
    check_origin(DOCUMENT_MARKDOWN, "# A\n\nsee **the rule** now\n", "the rule now",
                 "the rule** now", 3);
    check_origin(DOCUMENT_MARKDOWN, "x\n\n- one\n- two\n", "two", "two", 4);
    check_origin(DOCUMENT_MARKDOWN, "a &amp; b", "& b", "&amp; b", 1);
    check_origin(DOCUMENT_MARKDOWN, "|P|L|\n|---|---|\n|X|5|\n", "P: X; L: 5", "X|5", 3);
    check_origin(DOCUMENT_HTML, "<p>one\n   two <b>three</b></p>", "one two three",
                 "one\n   two <b>three", 1);
    check_origin(DOCUMENT_HTML, "<p>\n\n4&nbsp;000 km</p>", "4 000", "4&nbsp;000", 3);
    check_origin(DOCUMENT_TEXT, "\xEF\xBB\xBFT\n\nfirst\nsecond.\n", "second.", "second.", 4);
    check_origin(DOCUMENT_TEXT, "标题\n\n员工每年\n有假。\n", "员工每年有假。", "员工每年\n有假。",
                 3);
}

TEST(sentences)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"One. Two! Three?", "One.|Two!|Three?|"},
        {"Dr. Smith, e.g. in St. Ives, paid 3.5 %. He left.",
         "Dr. Smith, e.g. in St. Ives, paid 3.5 %.|He left.|"},
        {"E.I. du Pont and J.R.R. Tolkien met. It rained.",
         "E.I. du Pont and J.R.R. Tolkien met.|It rained.|"},
        {"At Trinity-St. Paul's some ca. 200 sat. All ate pies.",
         "At Trinity-St. Paul's some ca. 200 sat.|All ate pies.|"},
        {"It is made by A.C.M.E. It sells.", "It is made by A.C.M.E. It sells.|"},
        {"J. K. Rowling wrote. It sold.", "J. K. Rowling wrote.|It sold.|"},
        {"He said \"Stop.\" Then he left.", "He said \"Stop.\"|Then he left.|"},
        {"See www.a.example for more. ok", "See www.a.example for more. ok|"},
        {"第一句。第二句！第三；第四", "第一句。|第二句！|第三；|第四|"},
        {"他说：“好。”然后走了。", "他说：“好。”|然后走了。|"},
        {"no end", "no end|"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[256] = "";
        struct str text = str_from(cases[i].text);

        for (size_t at = 0, end; at < text.len; at = end) {
            end = sentence_end(text, at);
            struct str s = str_trim(str_slice(text, at, end));
            strncat(got, s.ptr, s.len);
            strncat(got, "|", 2);
        }
        EXPECT(strcmp(got, cases[i].want) == 0, "%s", got);
    }
}

/* --- passages --------------------------------------------------------------------------------- */

static bool same_blocks(const struct passage *a, const struct passage *b)
{
    if (a->count != b->count || !str_eq(a->heading, b->heading))
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!str_eq(a->blocks[i].text, b->blocks[i].text) ||
            a->blocks[i].kind != b->blocks[i].kind ||
            a->blocks[i].run_count != b->blocks[i].run_count ||
            memcmp(a->blocks[i].runs, b->blocks[i].runs,
                   a->blocks[i].run_count * sizeof(struct run)) != 0)
            return false;
    return true;
}

TEST(passages_follow_headings_and_survive_records)
{
    static const char source[] = "# T\n\nintro\n\n## A\n\n- x\n- y\n\n### B\n\nz\n\n## C\n\nw\n";
    static const char *const headings[] = {"", "A", "A > B", "C"};
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct document d;
    struct passage *passages;
    size_t count;
    struct err err = {0};

    REQUIRE(document_read(arena, str_from(source), DOCUMENT_MARKDOWN, &d, &err));
    EXPECT(str_eq(d.title, STR("T")));
    REQUIRE(passages_cut(arena, &d, &passages, &count, &err) && count == 4);
    for (size_t i = 0; i < count; i++) {
        struct passage back;
        struct buf record;

        EXPECT(str_eq(passages[i].heading, str_from(headings[i])));
        buf_init(&record, arena, MIB);
        passage_write(&record, &passages[i]);
        REQUIRE(passage_read(arena, buf_view(&record), &back));
        EXPECT(same_blocks(&passages[i], &back));
        for (size_t len = 0; len < record.len; len++)
            EXPECT(!passage_read(arena, str_slice(buf_view(&record), 0, len), &back), "%zu", len);
    }
}

TEST(long_blocks_are_cut_between_sentences)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct document d;
    struct passage *passages;
    size_t count, total = 0;
    struct err err = {0};
    struct buf text;

    buf_init(&text, arena, 4 * MIB);
    for (int i = 0; i < 200; i++)
        buf_fmt(&text, "Sentence number %d says something about cover and claims. ", i);
    REQUIRE(document_read(arena, buf_view(&text), DOCUMENT_TEXT, &d, &err));
    REQUIRE(passages_cut(arena, &d, &passages, &count, &err));
    EXPECT(count > 5 && count < 12, "%zu", count);
    for (size_t i = 0; i < count; i++) {
        struct block *b = &passages[i].blocks[0];
        struct origin o = block_origin(b, 0, (uint32_t)b->text.len);

        EXPECT(b->text.len <= 1700 && str_starts(b->text, STR("Sentence")));
        EXPECT(o.byte_end - o.byte_first == b->text.len);
        total += b->text.len;
    }
    EXPECT(total + count + 1 >= text.len);
    buf_init(&text, arena, 4 * MIB);
    for (int i = 0; i < 100000; i++)
        buf_str(&text, STR("长"));
    REQUIRE(document_read(arena, buf_view(&text), DOCUMENT_TEXT, &d, &err));
    REQUIRE(passages_cut(arena, &d, &passages, &count, &err));
    EXPECT(count > 20, "one endless sentence is cut, too: %zu", count);
}
