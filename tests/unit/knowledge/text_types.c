/* Text in other encodings, CSV, JSON and source code: what they read as, and that every quote's bytes are
 * those of the file as it is. */
#include <string.h>
#include <unicode/ucnv.h>

#include "base/utf8.h"
#include "kit.h"
#include "knowledge/encoding.h"
#include "knowledge/passage.h"
#include "test.h"

/* --- encodings -------------------------------------------------------------------------------- */

static const char chinese[] =
    "年假规定\n\n员工每年享有十五天带薪年假。ABC 公司的病假为 30 天，需要医生证明。\n"
    "出差补贴为每天 200 元，凭发票报销。本规定自二〇二四年一月一日起施行，解释权归人力资源部。\n";
static const char traditional[] =
    "年假規定\n\n員工每年享有十五天帶薪年假。病假為三十天，需要醫生證明。\n"
    "出差補貼為每天兩百元，憑發票報銷。本規定自一月一日起施行，解釋權歸人力資源部所有。\n";
static const char german[] =
    "Grüße\n\nDie Gebühr beträgt 35 €. Für Schüler gilt eine Ermäßigung; das Büro öffnet täglich "
    "um "
    "neun Uhr.\nÄnderungen müssen schriftlich erfolgen, und zwar spätestens fünf Tage vorher.\n";
static const char russian[] =
    "Отпуск\n\nСотрудники получают двадцать восемь дней оплачиваемого отпуска в год.\n"
    "Больничный лист необходимо предоставить в отдел кадров в течение трёх дней.\n";
static const char japanese[] =
    "休暇規定\n\n社員は毎年十五日の有給休暇を取ることができます。"
    "病気の場合は医師の証明書が必要です。出張手当は一日二千円とします。\n";

static const struct {
    const char *name, *text;
    bool guessed;
} encodings[] = {
    {"GB18030", chinese, true},      {"GBK", chinese, true},     {"Big5", traditional, true},
    {"Shift_JIS", japanese, true},   {"EUC-JP", japanese, true}, {"windows-1252", german, true},
    {"windows-1251", russian, true}, {"KOI8-R", russian, true},  {"UTF-16LE", chinese, false},
    {"UTF-16BE", german, false},     {"UTF-8", chinese, false},
};

static struct str encode(struct arena *arena, const char *text, const char *encoding)
{
    UErrorCode status = U_ZERO_ERROR;
    size_t room = 4 * strlen(text) + 8;
    char *to = arena_alloc(arena, room);
    bool marked = strncmp(encoding, "UTF-16", 6) == 0;

    if (marked)
        memcpy(to, encoding[6] == 'L' ? "\xFF\xFE" : "\xFE\xFF", 2);
    int32_t len = ucnv_convert(encoding, "UTF-8", to + 2 * marked, (int32_t)room - 2, text,
                               (int32_t)strlen(text), &status);
    EXPECT(U_SUCCESS(status), "%s", encoding);
    return (struct str){to, (size_t)len + 2 * marked};
}

/* The bytes of every character of every block, decoded by ICU, are that character. */
static void check_origins(struct arena *arena, const struct document *d, struct str source,
                          const char *encoding)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct block *b = &d->blocks[i];
        uint32_t rune;

        for (size_t at = 0, before = 0; utf8_next(b->text, &at, &rune); before = at) {
            struct origin o = block_origin(b, (uint32_t)before, (uint32_t)at);
            struct str bytes = str_slice(source, o.byte_first, o.byte_end), back;
            struct err err = {0};

            if (rune == ' ')
                continue; /* a line's end may have become one */
            EXPECT(encoding_convert(arena, bytes, str_from(encoding), &back, &err) &&
                       str_eq(back, str_slice(b->text, before, at)),
                   "%s: at %zu of \"" STR_FMT "\": bytes [%u, %u)", encoding, before,
                   STR_ARG(b->text), o.byte_first, o.byte_end);
        }
    }
}

TEST(text_in_other_encodings_keeps_its_bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str source = encode(arena, encodings[i].text, encodings[i].name);
        struct document got, want;
        struct passage *passages, back;
        struct buf record;
        struct err err = {0};
        size_t count;

        REQUIRE(document_read(arena, source, DOCUMENT_TEXT, &got, &err), "%s: %s",
                encodings[i].name, err.text);
        REQUIRE(document_read(arena, str_from(encodings[i].text), DOCUMENT_TEXT, &want, &err));
        EXPECT(str_eq(kit_document_lines(arena, &got), kit_document_lines(arena, &want)),
               "%s read as %s: " STR_FMT, encodings[i].name, got.encoding,
               STR_ARG(kit_document_lines(arena, &got)));
        EXPECT(got.encoding_guessed == encodings[i].guessed, "%s", encodings[i].name);
        check_origins(arena, &got, source, encodings[i].name);
        /* ... and still after the record of a passage. */
        REQUIRE(passages_cut(arena, &got, &passages, &count, &err) && count > 0);
        buf_init(&record, arena, MIB);
        passage_write(&record, &passages[0]);
        REQUIRE(passage_read(arena, buf_view(&record), &back));
        got = (struct document){.blocks = back.blocks, .count = back.count};
        check_origins(arena, &got, source, encodings[i].name);
    }
}

TEST(a_page_says_its_encoding)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str source = encode(arena, "<meta charset=\"big5\"><p>年假</p>", "Big5");
    struct document d;
    struct err err = {0};

    REQUIRE(document_read(arena, source, DOCUMENT_HTML, &d, &err), "%s", err.text);
    EXPECT(d.count == 1 && str_eq(d.blocks[0].text, STR("年假")) && !d.encoding_guessed);
    check_origins(arena, &d, source, "Big5");
}

/* --- tables, values, code --------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum document_type type;
    const char *source, *want;
} cases[] = {
    {"a header names the columns", DOCUMENT_CSV, "Item,Fee\nBag,35\nSkis,2.5\n",
     "| Item: Bag; Fee: 35\n| Item: Skis; Fee: 2.5\n"},
    {"semicolons, and commas inside", DOCUMENT_CSV, "Name;Preis\r\nTasche;3,50\r\nSki;4,00\r\n",
     "| Name: Tasche; Preis: 3,50\n| Name: Ski; Preis: 4,00\n"},
    {"tabs", DOCUMENT_CSV, "a\tb\n1\t2\n", "| a: 1; b: 2\n"},
    {"quotes, doubled, over lines", DOCUMENT_CSV, "k,v\n\"a, b\",\"say \"\"hi\"\"\nthere\"\n",
     "| k: a, b; v: say \"hi\" there\n"},
    {"text behind quotes", DOCUMENT_CSV, "k,v\n\"M8, long\" bolts,35\n\"a\" ,1\n",
     "| k: \"M8, long\" bolts; v: 35\n| k: a; v: 1\n"},
    {"numbers are no header", DOCUMENT_CSV, "1,2\n3,4\n", "| 1; 2\n| 3; 4\n"},
    {"years are one beside words", DOCUMENT_CSV, "Plan,2023,2024\nBasic,1,2\n",
     "| Plan: Basic; 2023: 1; 2024: 2\n"},
    {"empty cells and short rows", DOCUMENT_CSV, "a,b,c\n1,,3\n4\n", "| a: 1; c: 3\n| a: 4\n"},
    {"what Excel writes above", DOCUMENT_CSV, "sep=|\nx|y\n1|2\n", "| x: 1; y: 2\n"},
    {"a quote without an end", DOCUMENT_CSV, "a,b\n\"1,2\n3,4", "| a: 1,2 3,4\n"},
    {"Chinese labels", DOCUMENT_CSV, "项目,金额\n餐费,50\n", "| 项目：餐费；金额：50\n"},
    {"names that are escaped", DOCUMENT_JSON,
     "{\"\\u00fcber\":{\"a\\\"b\":1,\"\\ud83d\\ude00 \\n\":2}}",
     "| \u00fcber.a\"b: 1; \U0001F600  : 2 [\u00fcber]\n"},
    {"ways lead the values", DOCUMENT_JSON,
     "{\"order\":{\"items\":[{\"name\":\"Bag\",\"price\":35},{\"name\":\"Ski\"}],\"paid\":true}}",
     "| order.items[0].name: Bag; price: 35 [order.items[0]]\n"
     "| order.items[1].name: Ski [order.items[1]]\n| order.paid: true [order]\n"},
    {"lines of values", DOCUMENT_JSON, "{\"a\":1}\n{\"a\":2}\n", "| a: 1\n| a: 2\n"},
    {"lists of plain values", DOCUMENT_JSON, "{\"tags\":[\"x\",\"y\",3]}",
     "| tags: x, y, 3 [tags]\n"},
    {"escapes", DOCUMENT_JSON, "[\"a\\u20ac\\n\\\"b\\\" \\ud83d\\ude00\"]", "| a€ \"b\" 😀\n"},
    {"empty things say nothing", DOCUMENT_JSON, "{\"a\":\"\",\"b\":[],\"c\":{}}", ""},
    {"a missing comma", DOCUMENT_JSON, "[1 2]", "error: not JSON: a comma is missing at byte 3"},
    {"a bare word", DOCUMENT_JSON, "{\"a\": hello}",
     "error: not JSON: a value that is none at byte 6"},
    {"cut off", DOCUMENT_JSON, "{\"a\": \"x", "error: not JSON: a string without an end at byte 7"},
    {"nothing", DOCUMENT_JSON, " ", "error: not JSON: nothing in it at byte 1"},
    {"functions", DOCUMENT_CODE,
     "int a(void)\n{\n    return 1;\n\n    /* on */\n}\n\nint b(void)\n{\n}\n",
     "` int a(void)\n{\n    return 1;\n\n    /* on */\n}\n` int b(void)\n{\n}\n"},
    {"empty lines at the ends", DOCUMENT_CODE, "\n\n  x = 1\n\n\n", "`   x = 1\n"},
};

TEST(text_types_read_as_they_are_meant)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
        struct str source = str_from(cases[i].source), got;
        struct document d;
        struct err err = {0};

        if (document_read(arena, source, cases[i].type, &d, &err))
            got = kit_document_lines(arena, &d);
        else
            got = arena_fmt(arena, "error: %s", err.text);
        EXPECT(str_eq(got, str_from(cases[i].want)), "%s:\n" STR_FMT, cases[i].name, STR_ARG(got));
    }
}

TEST(values_are_cited_by_their_bytes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str source = STR("{\"order\": {\"price\": 35}}");
    struct document d;
    struct err err = {0};

    REQUIRE(document_read(arena, source, DOCUMENT_JSON, &d, &err) && d.count == 1);
    struct origin o = block_origin(&d.blocks[0], 0, (uint32_t)d.blocks[0].text.len);
    EXPECT(str_eq(str_slice(source, o.byte_first, o.byte_end), STR("35")), "%u %u", o.byte_first,
           o.byte_end);
}

TEST(json_too_deep_is_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    char text[300];
    struct document d;
    struct err err = {0};

    memset(text, '[', sizeof text);
    EXPECT(!document_read(arena, (struct str){text, sizeof text}, DOCUMENT_JSON, &d, &err));
    EXPECT(err.code == ERR_INVALID && strstr(err.text, "nested deeper than 100"), "%s", err.text);
}
