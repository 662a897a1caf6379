/* Reading values: walking, decoding, comparing. */
#include <string.h>

#include "base/json.h"
#include "test.h"

static struct json *must_parse(struct arena *arena, const char *text)
{
    struct err err = {0};
    struct json *j = json_parse(arena, str_from(text), &err);

    EXPECT(j, "%s: %s", text, err.text);
    return j;
}

TEST(json_walk)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json *j =
        must_parse(arena, " {\"a\": [1, [2, 3], {}], \"b\\u0062\" : \"x\", \"\": null} ");
    json_ref root = json_root(j);

    EXPECT(json_kind(j, root) == JSON_OBJECT);
    EXPECT(json_count(j, root) == 3);
    EXPECT(json_next(j, root) == 0);
    json_ref a = json_first(j, root), b = json_next(j, a), c = json_next(j, b);
    EXPECT(json_next(j, c) == 0);
    EXPECT(str_eq(json_key_raw(j, a), STR("a")));
    EXPECT(str_eq(json_key_raw(j, b), STR("b\\u0062")));
    EXPECT(str_eq(json_key_raw(j, c), STR("")));
    EXPECT(json_key_raw(j, root).ptr == NULL);
    EXPECT(str_eq(json_raw(j, a), STR("[1, [2, 3], {}]")));
    EXPECT(str_eq(json_raw(j, b), STR("\"x\"")));
    EXPECT(json_kind(j, a) == JSON_ARRAY && json_kind(j, b) == JSON_STRING);
    EXPECT(json_kind(j, c) == JSON_NULL);
    EXPECT(json_count(j, a) == 3);
    EXPECT(str_eq(json_raw(j, json_at(j, a, 0)), STR("1")));
    EXPECT(str_eq(json_raw(j, json_at(j, a, 1)), STR("[2, 3]")));
    EXPECT(str_eq(json_raw(j, json_at(j, a, 2)), STR("{}")));
    EXPECT(json_first(j, json_at(j, a, 2)) == 0);
    EXPECT(json_at(j, a, 3) == 0 && json_at(j, a, SIZE_MAX) == 0);
    EXPECT(json_at(j, root, 0) == 0);
}

TEST(json_absent_is_safe_everywhere)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json *j = must_parse(arena, "[1]");
    struct str s;
    int64_t i;
    double d;
    bool b;

    EXPECT(json_kind(j, 0) == JSON_ABSENT);
    EXPECT(json_count(j, 0) == 0 && json_first(j, 0) == 0 && json_next(j, 0) == 0);
    EXPECT(json_get(j, 0, STR("a")) == 0 && json_at(j, 0, 0) == 0);
    EXPECT(json_raw(j, 0).ptr == NULL && json_key_raw(j, 0).ptr == NULL);
    EXPECT(!json_str(j, 0, arena, &s) && !json_i64(j, 0, &i));
    EXPECT(!json_f64(j, 0, &d) && !json_bool(j, 0, &b));
    EXPECT(!json_equal(j, 0, j, json_root(j)));
    EXPECT(!json_equal(j, json_root(j), j, 0));
}

TEST(json_get_finds_by_decoded_key)
{
    static const struct {
        const char *name, *object;
        struct str key;
        const char *want; /* NULL: absent */
    } cases[] = {
        {"first", "{\"a\":1,\"b\":2}", STR("a"), "1"},
        {"last", "{\"a\":1,\"b\":2}", STR("b"), "2"},
        {"absent", "{\"a\":1,\"b\":2}", STR("c"), NULL},
        {"empty object", "{}", STR("a"), NULL},
        {"no object", "[\"a\"]", STR("a"), NULL},
        {"prefix of a key", "{\"abc\":1}", STR("ab"), NULL},
        {"longer than a key", "{\"ab\":1}", STR("abc"), NULL},
        {"empty key", "{\"a\":1,\"\":2}", STR(""), "2"},
        {"empty key absent", "{\"a\":1}", STR(""), NULL},
        {"escaped letter", "{\"mod\\u0065l\":3}", STR("model"), "3"},
        {"escaped newline", "{\"a\\nb\":3}", STR("a\nb"), "3"},
        {"escape is not text", "{\"a\\nb\":3}", STR("a\\nb"), NULL},
        {"quote in the key", "{\"a\\\"b\":3}", STR("a\"b"), "3"},
        {"key that runs on into the value", "{\"a\":\"b\"}", STR("a\":\"b"), NULL},
        {"key and colon", "{\"a\":\"b\"}", STR("a\":"), NULL},
        {"spaces after the key", "{\"a\" \n : 5}", STR("a"), "5"},
        {"surrogates", "{\"\\ud83d\\ude00\":5}", STR("\xf0\x9f\x98\x80"), "5"},
        {"non-ASCII", "{\"\xc3\xa9\":5}", STR("\xc3\xa9"), "5"},
        {"NUL", "{\"\\u0000\":5}", STR("\0"), "5"},
        {"key longer than the rest of the text", "{\"a\":1}",
         STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct json *j = must_parse(arena, cases[i].object);
        struct str got = json_raw(j, json_get(j, json_root(j), cases[i].key));
        const struct str keys[] = {STR("other"), cases[i].key, STR("zz")};
        json_ref picked[ARRAY_LEN(keys)];

        json_pick(j, json_root(j), keys, picked, ARRAY_LEN(keys));
        EXPECT(picked[0] == 0 && picked[2] == 0, "%s", cases[i].name);
        EXPECT(picked[1] == json_get(j, json_root(j), cases[i].key), "%s", cases[i].name);
        if (cases[i].want)
            EXPECT(str_eq(got, str_from(cases[i].want)), "%s", cases[i].name);
        else
            EXPECT(got.ptr == NULL, "%s", cases[i].name);
    }
}

TEST(json_pick_finds_each_key_once)
{
    static const struct str keys[] = {{"a", 1}, {"bb", 2}, {"c", 1}, {"b", 1}};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json *j = must_parse(arena, "{\"bb\":{\"c\":0},\"a\":2,\"x\":3,\"b\":5}");
    json_ref at[ARRAY_LEN(keys)], none[ARRAY_LEN(keys)] = {9, 9, 9, 9};

    json_pick(j, json_root(j), keys, at, ARRAY_LEN(keys));
    EXPECT(str_eq(json_raw(j, at[0]), STR("2")));
    EXPECT(str_eq(json_raw(j, at[1]), STR("{\"c\":0}")));
    EXPECT(at[2] == 0, "what is inside a member is not the object's");
    EXPECT(str_eq(json_raw(j, at[3]), STR("5")));
    json_pick(j, 0, keys, none, ARRAY_LEN(keys));
    EXPECT(!none[0] && !none[1] && !none[2] && !none[3]);
}

TEST(json_paths)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json *j = must_parse(
        arena, "{\"choices\":[{\"delta\":{\"content\":\"hi\"}},{\"delta\":{}}],\"0\":\"zero\"}");

    EXPECT(str_eq(json_raw(j, json_path(j, "choices.0.delta.content")), STR("\"hi\"")));
    EXPECT(str_eq(json_raw(j, json_path(j, "choices.1.delta")), STR("{}")));
    EXPECT(str_eq(json_raw(j, json_path(j, "0")), STR("\"zero\"")));
    EXPECT(json_path(j, "choices.2") == 0);
    EXPECT(json_path(j, "choices.x") == 0);
    EXPECT(json_path(j, "choices.-1") == 0);
    EXPECT(json_path(j, "choices.99999999999999999999") == 0);
    EXPECT(json_path(j, "choices.1.delta.content") == 0);
    EXPECT(json_path(j, "nothing.at.all") == 0);
    EXPECT(json_path(j, "0.deeper") == 0);
}

/* ---- decoding ---- */

TEST(json_strings_decode)
{
    static const struct {
        const char *text;
        struct str want;
    } cases[] = {
        {"\"\"", STR("")},
        {"\"plain\"", STR("plain")},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", STR("\"\\/\b\f\n\r\t")},
        {"\"\\n\"", STR("\n")},
        {"\"a\\nb\\nc\"", STR("a\nb\nc")},
        {"\"\\u0041\\u00e9\\u6f22\"", STR("A\xc3\xa9\xe6\xbc\xa2")},
        {"\"\\u0000\"", STR("\0")},
        {"\"\\u00AF\\u00aF\"", STR("\xc2\xaf\xc2\xaf")},
        {"\"\\ud83d\\ude00!\"", STR("\xf0\x9f\x98\x80!")},
        {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
        {"\"\\uFFFF\"", STR("\xef\xbf\xbf")},
        {"\"\xe6\xbc\xa2\\u5b57\"", STR("\xe6\xbc\xa2\xe5\xad\x97")},
        {"\"\\\\u0041\"", STR("\\u0041")},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct json *j = must_parse(arena, cases[i].text);
        struct str got = STR_NONE;

        EXPECT(json_str(j, json_root(j), arena, &got), "%s", cases[i].text);
        EXPECT(str_eq(got, cases[i].want), "%s: " STR_FMT, cases[i].text, STR_ARG(got));
    }
}

TEST(json_plain_strings_are_views)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *text = "[\"plain\",\"\\n\",5]";
    struct json *j = must_parse(arena, text);
    json_ref root = json_root(j);
    struct str got = STR_NONE;

    EXPECT(json_str(j, json_at(j, root, 0), arena, &got) && got.ptr == text + 2);
    EXPECT(json_str(j, json_at(j, root, 1), arena, &got) && got.len == 1 && *got.ptr == '\n');
    EXPECT(!json_str(j, json_at(j, root, 2), arena, &got) && !json_str(j, root, arena, &got));

    struct arena *full CLEANUP(arena_end) = arena_new(16);
    REQUIRE(arena_alloc_raw(full, 16));
    EXPECT(!json_str(j, json_at(j, root, 1), full, &got), "no memory for a copy");
    EXPECT(json_str(j, json_at(j, root, 0), full, &got), "none needed for a view");
}

TEST(json_numbers_decode)
{
    static const struct {
        const char *text;
        bool is_int;
        int64_t i;
        bool is_double;
        double d;
    } cases[] = {
        {"0", true, 0, true, 0},
        {"-0", true, 0, true, -0.0},
        {"42", true, 42, true, 42},
        {"-7", true, -7, true, -7},
        {"9223372036854775807", true, INT64_MAX, true, 9223372036854775807.0},
        {"-9223372036854775808", true, INT64_MIN, true, -9223372036854775808.0},
        {"9223372036854775808", false, 0, true, 9223372036854775808.0},
        {"1.0", false, 0, true, 1},
        {"1e3", false, 0, true, 1000},
        {"0.1", false, 0, true, 0.1},
        {"-1.5E-3", false, 0, true, -0.0015},
        {"1e400", false, 0, false, 0},
        {"true", false, 0, false, 0},
        {"\"1\"", false, 0, false, 0},
        {"null", false, 0, false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct json *j = must_parse(arena, cases[i].text);
        int64_t n = 0;
        double d = 0;

        EXPECT(json_i64(j, json_root(j), &n) == cases[i].is_int, "%s", cases[i].text);
        EXPECT(n == cases[i].i, "%s: %" PRId64, cases[i].text, n);
        EXPECT(json_f64(j, json_root(j), &d) == cases[i].is_double, "%s", cases[i].text);
        EXPECT(memcmp(&d, &cases[i].d, sizeof d) == 0, "%s: %g", cases[i].text, d);
    }
}

TEST(json_booleans_decode)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json *j = must_parse(arena, "[true,false,0]");
    json_ref root = json_root(j);
    bool b = false;

    EXPECT(json_bool(j, json_at(j, root, 0), &b) && b);
    EXPECT(json_bool(j, json_at(j, root, 1), &b) && !b);
    EXPECT(!json_bool(j, json_at(j, root, 2), &b));
}

/* ---- equality ---- */

TEST(json_equality)
{
    static const struct {
        const char *name, *a, *b;
        bool equal;
    } cases[] = {
        {"same word", "true", "true", true},
        {"other word", "true", "false", false},
        {"other kind", "1", "\"1\"", false},
        {"null and false", "null", "false", false},
        {"spaces", "[1,2]", " [ 1 , 2 ] ", true},
        {"order of elements", "[1,2]", "[2,1]", false},
        {"more elements", "[1,2]", "[1,2,3]", false},
        {"empty containers", "[]", "{}", false},
        {"order of members", "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3,\"a\":1,\"b\":2}", true},
        {"order of members, backwards", "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3,\"b\":2,\"a\":1}",
         true},
        {"other member", "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
        {"other value", "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
        {"more members", "{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"escaped key", "{\"a\":1,\"b\":2}", "{\"\\u0062\":2,\"a\":1}", true},
        {"escaped text", "\"A\\n\\u00e9\"", "\"\\u0041\\u000a\xc3\xa9\"", true},
        {"other text", "\"a\\n\"", "\"a\\r\"", false},
        {"longer text", "\"a\\n\"", "\"a\\nb\"", false},
        {"surrogates", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", true},
        {"nested, other order", "[{\"x\":{\"a\":[1,{\"b\":2,\"c\":3}],\"d\":4}},5]",
         "[{\"x\":{\"d\":4,\"a\":[1,{\"c\":3,\"b\":2}]}},5]", true},
        {"nested, other value", "[{\"x\":{\"a\":[1,{\"b\":2,\"c\":3}],\"d\":4}},5]",
         "[{\"x\":{\"d\":4,\"a\":[1,{\"c\":2,\"b\":3}]}},5]", false},
        {"after a nested pair", "{\"a\":{\"b\":[]},\"c\":[{}]}", "{\"c\":[{}],\"a\":{\"b\":[]}}",
         true},
        {"nested empty differs", "{\"a\":{\"b\":[]}}", "{\"a\":{\"b\":{}}}", false},
        {"fraction", "1.0", "1", true},
        {"fraction of zeros", "10.500", "10.5", true},
        {"exponent", "1e2", "100", true},
        {"exponent of a fraction", "0.0125e4", "125", true},
        {"negative exponent", "125E-3", "0.125", true},
        {"exponent with sign and zeros", "1e+02", "1E2", true},
        {"zeros", "0", "-0.000e99", true},
        {"sign", "1", "-1", false},
        {"digits", "12", "21", false},
        {"power", "1", "10", false},
        {"prefix", "12", "123", false},
        {"beyond doubles", "9007199254740993", "9007199254740992", false},
        {"beyond doubles, equal", "9007199254740993.0", "9007199254740993", true},
        {"long fraction", "0.1000000000000000055511151231257827", "0.1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct json *a = must_parse(arena, cases[i].a), *b = must_parse(arena, cases[i].b);

        EXPECT(json_equal(a, json_root(a), b, json_root(b)) == cases[i].equal, "%s", cases[i].name);
        EXPECT(json_equal(b, json_root(b), a, json_root(a)) == cases[i].equal, "%s back",
               cases[i].name);
        EXPECT(json_equal(a, json_root(a), a, json_root(a)), "%s itself", cases[i].name);
    }
}

TEST(json_equality_of_parts)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json *j = must_parse(arena, "[{\"a\":[1]},{\"a\":[1.0]},{\"a\":[2]}]");
    json_ref root = json_root(j);

    EXPECT(json_equal(j, json_at(j, root, 0), j, json_at(j, root, 1)));
    EXPECT(!json_equal(j, json_at(j, root, 0), j, json_at(j, root, 2)));
    EXPECT(!json_equal(j, json_at(j, root, 0), j, root));
}

TEST(json_lone_surrogates_when_asked_for)
{
    static const struct {
        const char *text, *want; /* want NULL: refused also then */
    } cases[] = {
        {"\"\\ud83c\"", "\xef\xbf\xbd"},
        {"\"\\udf0d\"", "\xef\xbf\xbd"},
        {"\"a\\ud83cb\"", "a\xef\xbf\xbd"
                          "b"},
        {"\"\\ud83c\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"\\ud83c\\ud83c\\udf0d\"", "\xef\xbf\xbd\xf0\x9f\x8c\x8d"},
        {"\"\\ud83c\\udf0d\"", "\xf0\x9f\x8c\x8d"},
        {"\"\\ud83\"", NULL},
    };
    static const struct json_limits kind = {.depth = 8, .nodes = 8, .lone_surrogates = true};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
        struct err err = {0};
        struct str got = STR("");
        struct json *j = json_parse_within(arena, str_from(cases[i].text), &kind, &err);

        EXPECT((j != NULL) == (cases[i].want != NULL), "%s: %s", cases[i].text, err.text);
        EXPECT(!j ||
                   (json_str(j, json_root(j), arena, &got) && str_eq(got, str_from(cases[i].want))),
               "%s: " STR_FMT, cases[i].text, STR_ARG(got));
    }
}
