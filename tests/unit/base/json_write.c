/* The writer: commas, escapes, numbers, nesting; whatever it is given, JSON comes out. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "test.h"

TEST(json_writes_structure)
{
    char memory[512];
    struct buf b;
    struct json_writer w;

    buf_init_fixed(&b, memory, sizeof memory);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "empty");
    jw_array(&w);
    jw_array_end(&w);
    jw_key(&w, "list");
    jw_array(&w);
    jw_i64(&w, -1);
    jw_u64(&w, UINT64_MAX);
    jw_cstr(&w, "x");
    jw_object(&w);
    jw_object_end(&w);
    jw_array(&w);
    jw_null(&w);
    jw_array_end(&w);
    jw_bool(&w, true);
    jw_array_end(&w);
    jw_key_str(&w, STR("raw\"key"));
    jw_raw(&w, STR("[1, 2]"));
    jw_key(&w, "inner");
    jw_object(&w);
    jw_key(&w, "a");
    jw_bool(&w, false);
    jw_key(&w, "b");
    jw_f64(&w, 0.5);
    jw_object_end(&w);
    jw_key(&w, "last");
    jw_str(&w, STR(""));
    jw_object_end(&w);
    EXPECT(str_eq(buf_view(&b),
                  STR("{\"empty\":[],\"list\":[-1,18446744073709551615,\"x\",{},[null],true],"
                      "\"raw\\\"key\":[1, 2],\"inner\":{\"a\":false,\"b\":0.5},\"last\":\"\"}")),
           STR_FMT, STR_ARG(buf_view(&b)));
}

TEST(json_writes_to_its_depth)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct buf b;
    struct json_writer w;
    struct str text;

    buf_init(&b, arena, KIB);
    jw_init(&w, &b);
    for (int i = 0; i < 63; i++)
        jw_array(&w);
    jw_i64(&w, 1);
    jw_i64(&w, 2);
    for (int i = 0; i < 63; i++) {
        jw_array_end(&w);
        if (i < 62)
            jw_null(&w);
    }
    REQUIRE(buf_finish(&b, &text, &err));
    EXPECT(json_parse(arena, text, &err), "%s", err.text);
}

TEST(json_writes_strings)
{
    static const struct {
        const char *name;
        struct str text;
        const char *want;
    } strings[] = {
        {"empty", STR(""), "\"\""},
        {"plain", STR("plain text / with a slash"), "\"plain text / with a slash\""},
        {"quote and backslash", STR("\"\\"), "\"\\\"\\\\\""},
        {"short escapes", STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {"other controls", STR("\0\x01\x1f"), "\"\\u0000\\u0001\\u001f\""},
        {"DEL stays", STR("\x7f"), "\"\x7f\""},
        {"UTF-8 stays", STR("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"),
         "\"\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\""},
        {"bad byte",
         STR("a\xff"
             "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {"two bad bytes", STR("\xff\xfe"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"cut sequence", STR("\xe6\xbc"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"cut sequence before text", STR("\xe6\xbcz"), "\"\xef\xbf\xbd\xef\xbf\xbdz\""},
        {"surrogate", STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"overlong", STR("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"good, bad, good", STR("\xc3\xa9\x80\xc3\xa9"), "\"\xc3\xa9\xef\xbf\xbd\xc3\xa9\""},
        {"escape after a block", STR("0123456789abcdef\n0123456789abcdef\""),
         "\"0123456789abcdef\\n0123456789abcdef\\\"\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct buf b;

        buf_init(&b, arena, KIB);
        buf_json_str(&b, strings[i].text);
        EXPECT(str_eq(buf_view(&b), str_from(strings[i].want)), "%s: " STR_FMT, strings[i].name,
               STR_ARG(buf_view(&b)));
        EXPECT(json_parse(arena, buf_view(&b), &err), "%s: %s", strings[i].name, err.text);
    }
}

/* Any bytes: what is written can be read; valid text comes back as it was. */
TEST(json_strings_survive)
{
    for (unsigned lead = 0; lead < 256; lead++) {
        for (unsigned second = 0; second < 256; second += 5) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
            char bytes[] = {'x', (char)lead, (char)second, 'y'};
            struct err err = {0};
            struct str back;
            struct buf b;

            buf_init(&b, arena, KIB);
            buf_json_str(&b, (struct str){bytes, sizeof bytes});
            struct json *j = json_parse(arena, buf_view(&b), &err);
            REQUIRE(j, "%02x %02x: %s", lead, second, err.text);
            REQUIRE(json_str(j, json_root(j), arena, &back));
            if (lead < 0x80 && second < 0x80)
                EXPECT(str_eq(back, (struct str){bytes, sizeof bytes}), "%02x %02x", lead, second);
        }
    }
}

TEST(json_writes_doubles)
{
    static const struct {
        double n;
        const char *want;
    } doubles[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e21, "1e+21"},
        {1e-7, "1e-07"},
        {123456789012345678.0, "1.2345678901234568e+17"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {(double)NAN, "null"},
        {(double)INFINITY, "null"},
        {-(double)INFINITY, "null"},
    };

    for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct json_writer w;
        struct buf b;
        double back = 0;

        buf_init(&b, arena, KIB);
        jw_init(&w, &b);
        jw_f64(&w, doubles[i].n);
        EXPECT(str_eq(buf_view(&b), str_from(doubles[i].want)), STR_FMT, STR_ARG(buf_view(&b)));
        struct json *j = json_parse(arena, buf_view(&b), &err);
        REQUIRE(j, "%s", err.text);
        if (isfinite(doubles[i].n))
            EXPECT(json_f64(j, json_root(j), &back) &&
                       memcmp(&back, &doubles[i].n, sizeof back) == 0,
                   "%s", doubles[i].want);
    }
}

TEST(json_writes_money)
{
    static const struct {
        usd_micro n;
        const char *want;
    } sums[] = {
        {0, "0.000000"},         {123, "0.000123"},   {1000000, "1.000000"},
        {12345678, "12.345678"}, {-500, "-0.000500"}, {INT64_MIN, "-9223372036854.775808"},
    };

    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        char memory[64];
        struct json_writer w;
        struct buf b;

        buf_init_fixed(&b, memory, sizeof memory);
        jw_init(&w, &b);
        jw_usd(&w, sums[i].n);
        EXPECT(str_eq(buf_view(&b), str_from(sums[i].want)), STR_FMT, STR_ARG(buf_view(&b)));
    }
}

TEST(json_writer_without_room)
{
    char memory[8];
    struct json_writer w;
    struct err err = {0};
    struct str text;
    struct buf b;

    buf_init_fixed(&b, memory, sizeof memory);
    jw_init(&w, &b);
    jw_array(&w);
    jw_cstr(&w, "longer than the room");
    jw_array_end(&w);
    EXPECT(!buf_finish(&b, &text, &err) && err.code == ERR_TOO_LARGE);
}
