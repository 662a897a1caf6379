/* PDF as objects: tokens, filters, ciphers, tables of places, damage. */
#include <string.h>

#include "knowledge/pdf_cipher.h"
#include "knowledge/pdf_object.h"
#include "pdf_make.h"
#include "test.h"

/* --- tokens ----------------------------------------------------------------------------------- */

static void print(struct buf *out, const struct pdf_object *o)
{
    switch (o->kind) {
    case PDF_NULL: buf_str(out, STR("null")); break;
    case PDF_BOOL: buf_str(out, o->truth ? STR("true") : STR("false")); break;
    case PDF_NUMBER: buf_fmt(out, "%g", o->number); break;
    case PDF_STRING: buf_fmt(out, "(" STR_FMT ")", STR_ARG(o->text)); break;
    case PDF_NAME: buf_fmt(out, "/" STR_FMT, STR_ARG(o->text)); break;
    case PDF_KEYWORD: buf_fmt(out, "`" STR_FMT, STR_ARG(o->text)); break;
    case PDF_REF: buf_fmt(out, "%u-%uR", o->ref, o->count); break;
    case PDF_ARRAY:
        buf_char(out, '[');
        for (uint32_t i = 0; i < o->count; i++) {
            buf_str(out, i ? STR(" ") : STR(""));
            print(out, &o->items[i]);
        }
        buf_char(out, ']');
        break;
    case PDF_DICT:
        buf_char(out, '<');
        for (uint32_t i = 0; i < o->count; i++) {
            buf_fmt(out, "%s" STR_FMT "=", i ? " " : "", STR_ARG(o->entries[i].key));
            print(out, &o->entries[i].value);
        }
        buf_char(out, '>');
        break;
    case PDF_STREAM: buf_str(out, STR("stream")); break;
    }
}

static const struct {
    const char *name, *bytes, *want;
} token_cases[] = {
    {"numbers", "1 -2 +3 4.5 -.5 6. .", "1 -2 3 4.5 -0.5 6 0"},
    {"two signs and a sign inside, as some writers have them", "--5 12-34", "-5 12"},
    {"names with escapes", "/A#20B /C#zz /", "/A B /C#zz /"},
    {"strings nest", "(a(b)c) ()", "(a(b)c) ()"},
    {"escapes", "(\\(\\)\\\\ \\101\\7\\n|)", "(()\\ A\a\n|)"},
    {"a line that goes on", "(ab\\\ncd)", "(abcd)"},
    {"line ends are one", "(a\r\nb\rc)", "(a\nb\nc)"},
    {"hexadecimal, an odd digit and white space", "<41 4 2 5>", "(ABP)"},
    {"a string without an end", "(abc", "(abc)"},
    {"arrays and dictionaries", "[1 [2] << /A /B /C [3] >>]", "[1 [2] <A=/B C=[3]>]"},
    {"references", "[1 0 R 2 3 4 R 5]", "[1-0R 2 3-4R 5]"},
    {"a dictionary that forgot to close", "<< /A 1 endobj", "<A=1> `endobj"},
    {"a key that is no name is left out", "<< 5 /A 1 >>", "<A=1>"},
    {"comments", "1 % 2 3\n4", "1 4"},
    {"closers that nobody opened", "] >> 1", "1"},
    {"words", "true false null BT T*", "true false null `BT `T*"},
};

TEST(pdf_tokens)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(token_cases); i++) {
        struct pdf pdf = {.arena = arena};
        struct pdf_lexer l = {.pdf = &pdf,
                              .arena = arena,
                              .bytes = str_from(token_cases[i].bytes),
                              .references = true};
        struct pdf_object o;
        struct buf out;

        buf_init(&out, arena, 4 * KIB);
        while (pdf_lex(&l, &o)) {
            buf_str(&out, out.len ? STR(" ") : STR(""));
            print(&out, &o);
        }
        EXPECT(str_eq(buf_view(&out), str_from(token_cases[i].want)), "%s: " STR_FMT,
               token_cases[i].name, STR_ARG(buf_view(&out)));
    }
}

TEST(pdf_objects_do_not_nest_for_ever)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct pdf pdf = {.arena = arena};
    char *deep = arena_alloc_raw(arena, 200000);
    struct pdf_object o;
    int depth = 0;

    REQUIRE(deep != NULL);
    memset(deep, '[', 200000);
    struct pdf_lexer l = {.pdf = &pdf, .arena = arena, .bytes = {deep, 200000}};
    REQUIRE(pdf_lex(&l, &o));
    for (const struct pdf_object *in = &o; in->kind == PDF_ARRAY && in->count; in = in->items)
        depth++;
    EXPECT(depth <= (int)PDF_DEPTH_MAX, "%d", depth);
}

/* --- filters ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *filter, *parameters;
    struct str bytes, want;
} filter_cases[] = {
    {"hexadecimal", "ASCIIHexDecode", "", STR("48 65 6C6c6F>xx"), STR("Hello")},
    {"hexadecimal, odd", "AHx", "", STR("487>"), STR("Hp")},
    {"base 85", "ASCII85Decode", "", STR("87cURD]i,\"Ebo80~>"), STR("Hello World!")},
    {"base 85, rest and zeros", "A85", "", STR("z87cUR~>"), STR("\0\0\0\0Hell")},
    {"run lengths", "RunLengthDecode", "",
     STR("\x02"
         "abc\xFE"
         "d\x80zz"),
     STR("abcddd")},
    {"run lengths cut", "RL", "",
     STR("\x05"
         "ab"),
     STR("ab")},
    {"LZW of the standard's example", "LZWDecode", "", STR("\x80\x0B\x60\x50\x22\x0C\x0C\x85\x01"),
     STR("-----A---B")},
    {"Flate", "FlateDecode", "", STR("\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00\x05\x8c\x01\xf5"),
     STR("Hello")},
    {"Flate cut: what there is", "Fl", "", STR("\x78\x9c\xf3\x48\xcd\xc9\xc9\x07"), STR("Hello")},
};

TEST(pdf_filters)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(filter_cases); i++) {
        struct pdf pdf = {.arena = arena};
        struct str bytes = filter_cases[i].bytes;

        EXPECT(pdf_filter(&pdf, arena, str_from(filter_cases[i].filter), &pdf_nothing, &bytes) &&
                   str_eq(bytes, filter_cases[i].want),
               "%s: " STR_FMT, filter_cases[i].name, STR_ARG(bytes));
    }
}

/* Bytes as one stored block: what a predictor is given, without a compressor. */
static struct str stored(struct arena *arena, struct str s)
{
    struct buf b;
    uint32_t low = 1, high = 0;

    buf_init(&b, arena, s.len + 64);
    buf_put(&b, "\x78\x01\x01", 3);
    buf_char(&b, (char)(s.len & 0xFF));
    buf_char(&b, (char)(s.len >> 8));
    buf_char(&b, (char)(~s.len & 0xFF));
    buf_char(&b, (char)(~s.len >> 8 & 0xFF));
    buf_str(&b, s);
    for (size_t i = 0; i < s.len; i++) {
        low = (low + (uint8_t)s.ptr[i]) % 65521;
        high = (high + low) % 65521;
    }
    for (int shift = 8; shift >= 0; shift -= 8)
        buf_char(&b, (char)(high >> shift & 0xFF));
    for (int shift = 8; shift >= 0; shift -= 8)
        buf_char(&b, (char)(low >> shift & 0xFF));
    return buf_view(&b);
}

static const struct {
    const char *name;
    int predictor, columns;
    struct str rows, want;
} predictor_cases[] = {
    {"none", 1, 3, STR("abc"), STR("abc")},
    {"PNG none and left", 15, 3,
     STR("\x00"
         "abc\x01"
         "a\x01\x01"),
     STR("abcabc")},
    {"PNG above", 12, 3,
     STR("\x02"
         "abc\x02\x01\x01\x01"),
     STR("abcbcd")},
    {"PNG average", 13, 2,
     STR("\x00"
         "bd\x03\x01\x01"),
     STR("bd2L")},
    {"PNG Paeth", 14, 2,
     STR("\x00"
         "ab\x04\x01\x01"),
     STR("abbc")},
    {"PNG, the last row cut", 15, 3,
     STR("\x00"
         "abc\x00"
         "d"),
     STR("abcd")},
    {"TIFF", 2, 3,
     STR("a\x01\x01"
         "d\x01\x01"),
     STR("abcdef")},
};

TEST(pdf_predictors)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(predictor_cases); i++) {
        struct pdf pdf = {.arena = arena};
        struct pdf_entry entries[] = {
            {STR("Predictor"), {.kind = PDF_NUMBER, .number = predictor_cases[i].predictor}},
            {STR("Columns"), {.kind = PDF_NUMBER, .number = predictor_cases[i].columns}}};
        struct pdf_object parameters = {.kind = PDF_DICT, .count = 2, .entries = entries};
        struct str bytes = stored(arena, predictor_cases[i].rows);

        EXPECT(pdf_filter(&pdf, arena, STR("FlateDecode"), &parameters, &bytes) &&
                   str_eq(bytes, predictor_cases[i].want),
               "%s: " STR_FMT, predictor_cases[i].name, STR_ARG(bytes));
    }
}

TEST(pdf_bombs_are_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(512 * MIB);
    struct pdf pdf = {.arena = arena};
    char *bytes = arena_alloc_raw(arena, 2 * MIB);
    struct err err = {0};

    REQUIRE(bytes != NULL);
    memset(bytes, 0x81, 2 * MIB); /* each pair: 128 times one byte */
    struct str s = {bytes, 2 * MIB};
    EXPECT(!pdf_filter(&pdf, arena, STR("RunLengthDecode"), &pdf_nothing, &s));
    EXPECT(!pdf_end(&pdf, &err) && err.code == ERR_TOO_LARGE && strstr(err.text, "48 MiB"), "%s",
           err.text);
}

/* --- ciphers ---------------------------------------------------------------------------------- */

static void expect_hex(const char *name, const uint8_t *bytes, size_t len, const char *want)
{
    char memory[200];
    struct buf b;

    buf_init_fixed(&b, memory, sizeof memory);
    buf_hex(&b, bytes, len);
    EXPECT(str_eq(buf_view(&b), str_from(want)), "%s: " STR_FMT, name, STR_ARG(buf_view(&b)));
}

TEST(pdf_digests_are_those_of_their_standards)
{
    static const char *const sha[] = {
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134"
        "c825a7",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3"
        "feebbd454d4423643ce80e2a9ac94fa54ca49f"};
    static const int bits[] = {256, 384, 512};
    uint8_t out[64];

    pdf_md5(STR("abc"), out);
    expect_hex("MD5", out, 16, "900150983cd24fb0d6963f7d28e17f72");
    pdf_md5(STR("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            out);
    expect_hex("MD5 of two blocks", out, 16, "57edf4a22be3c955ac49da2e2107b67a");
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        pdf_sha2(bits[i], STR("abc"), out);
        expect_hex("SHA-2", out, (size_t)bits[i] / 8, sha[i]);
    }
    pdf_sha2(256, STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out);
    expect_hex("SHA-256 of two blocks", out, 32,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(pdf_ciphers_are_those_of_their_standards)
{
    static const uint8_t iv[16];
    uint8_t key[32], plain[16], out[16], back[16];

    pdf_rc4(STR("Key"), (const uint8_t *)"Plaintext", out, 9);
    expect_hex("RC4", out, 9, "bbf316e8d940af0ad3");
    for (uint8_t i = 0; i < 32; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 16; i++)
        plain[i] = (uint8_t)(i << 4 | i);
    pdf_aes_encrypt(key, 16, iv, plain, out, 16);
    expect_hex("AES-128", out, 16, "69c4e0d86a7b0430d8cdb78070b4c55a");
    pdf_aes_decrypt(key, 16, iv, out, back, 16);
    EXPECT(!memcmp(back, plain, 16));
    pdf_aes_encrypt(key, 32, iv, plain, out, 16);
    expect_hex("AES-256", out, 16, "8ea2b7ca516745bfeafc49904b496089");
    pdf_aes_decrypt(key, 32, iv, out, back, 16);
    EXPECT(!memcmp(back, plain, 16));
}

/* --- files ------------------------------------------------------------------------------------ */

static const char hello[] =
    "BT /F1 12 Tf 72 700 Td (Water damage is covered up to 5,000 euros.) Tj ET";
static const char hello_line[] = "P Water damage is covered up to 5,000 euros.";
static const char searched[] =
    "\n* damaged: its objects were searched for, the newest of each was taken";

TEST(pdf_files_with_broken_tables_are_searched)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str good = made_page(arena, hello), got;
    struct buf want;

    buf_init(&want, arena, KIB);
    buf_fmt(&want, "%s%s", hello_line, searched);
    got = read_lines(arena, good);
    EXPECT(str_eq(got, str_from(hello_line)), STR_FMT, STR_ARG(got));
    /* Something in front moves all places. */
    struct str moved = arena_fmt(arena, "junk\n" STR_FMT, STR_ARG(good));
    EXPECT(str_eq(read_lines(arena, moved), str_from(hello_line)));
    /* A line more behind the head makes every place wrong. */
    moved = arena_fmt(arena, "%%PDF-1.4\n%%\n" STR_FMT, STR_ARG(str_slice(good, 9, good.len)));
    got = read_lines(arena, moved);
    EXPECT(str_eq(got, buf_view(&want)), STR_FMT, STR_ARG(got));
    /* Without table and trailer the catalogue is looked for. */
    got = read_lines(arena, str_slice(good, 0, str_find(good, STR("xref"))));
    EXPECT(str_eq(got, buf_view(&want)), STR_FMT, STR_ARG(got));
}

TEST(pdf_files_cut_anywhere_are_read_or_refused)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str good = made_page(arena, hello);
    size_t read = 0, mark = arena_mark(arena);

    for (size_t len = 0; len < good.len; len++) {
        struct str got = read_lines(arena, str_slice(good, 0, len));

        read += got.ptr[0] != '!';
        arena_rewind(arena, mark);
    }
    EXPECT(read > 100, "%zu", read);
}

TEST(pdf_updates_replace_objects)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str old = made_page(arena, hello), got;
    size_t table = str_find(old, STR("xref\n"));
    struct buf b;

    buf_init(&b, arena, MIB);
    buf_str(&b, old);
    size_t at = b.len;
    buf_str(&b, STR("8 0 obj\n<< /Length 43 >>\nstream\nBT /F1 12 Tf 72 700 Td (Now 6,000 euros.) "
                    "Tj ET\nendstream\nendobj\n"));
    size_t update = b.len;
    buf_fmt(&b,
            "xref\n8 1\n%010zu 00000 n \ntrailer\n<< /Size 9 /Root 1 0 R /Prev %zu "
            ">>\nstartxref\n%zu\n%%%%EOF\n",
            at, table, update);
    got = read_lines(arena, buf_view(&b));
    EXPECT(str_eq(got, STR("P Now 6,000 euros.")), STR_FMT, STR_ARG(got));
}

TEST(pdf_what_is_no_pdf_is_refused)
{
    static const struct {
        const char *name, *bytes, *want;
    } cases[] = {
        {"nothing", "", "! is no PDF: does not begin with %PDF-"},
        {"text", "Water damage", "! is no PDF: does not begin with %PDF-"},
        {"only the head", "%PDF-1.4\n", "! PDF is damaged: no list of pages can be found"},
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = read_lines(arena, str_from(cases[i].bytes));

        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
    }
    struct str got = read_lines(arena, made_page(arena, ""));
    EXPECT(str_eq(got, STR("! PDF has no text on its 1 pages")), STR_FMT, STR_ARG(got));
}

TEST(pdf_loops_end)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct pdf_maker *m = arena_alloc(arena, sizeof *m);

    REQUIRE(m != NULL);
    maker_init(m, arena);
    maker_object(m, "<< /Type /Catalog /Pages 2 0 R /Outlines << /First 6 0 R >> >>");
    maker_object(m, "<< /Type /Pages /Count 9 /Kids [2 0 R 3 0 R 3 0 R] >>");
    maker_object(m, "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /XObject << /X 4 0 "
                    "R >> /Font << /F 5 0 R >> >> >>");
    maker_stream(m, "/Subtype /Form /BBox [0 0 9 9]", STR("/X Do /X Do BT /F 9 Tf (again) Tj ET"));
    maker_object(m, "5 0 R");
    maker_object(m, "<< /Title (loop) /Next 6 0 R /First 6 0 R >>");
    struct str got = read_lines(arena, maker_finish(m, 1, ""));
    EXPECT(got.ptr[0] == '!', STR_FMT, STR_ARG(got));
}
