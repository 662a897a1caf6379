/* Edits as splices: what is edited changes, everything else stays byte for byte. */
#include <string.h>

#include "base/json.h"
#include "test.h"

/* An edit in a table: the path of the value (or, to add, of the object; "" is the root). */
struct edit_row {
    enum json_edit_kind kind;
    const char *path, *key, *value;
};

#define EDITS_MAX 6

static const struct {
    const char *name, *text;
    struct edit_row edits[EDITS_MAX];
    const char *want; /* NULL: refused */
} cases[] = {
    {"no edit", "{ \"a\" : 1 }", {{0}}, "{ \"a\" : 1 }"},
    {"replace first",
     "{\"a\": 1, \"b\": 2 }",
     {{JSON_REPLACE, "a", 0, "9"}},
     "{\"a\": 9, \"b\": 2 }"},
    {"replace middle",
     "{\"a\":1,\"b\":2,\"c\":3}",
     {{JSON_REPLACE, "b", 0, "\"x\""}},
     "{\"a\":1,\"b\":\"x\",\"c\":3}"},
    {"replace last",
     "{\"a\":1 , \"b\" : [2] } ",
     {{JSON_REPLACE, "b", 0, "{}"}},
     "{\"a\":1 , \"b\" : {} } "},
    {"replace only", "{\"a\":{\"b\":1}}", {{JSON_REPLACE, "a", 0, "null"}}, "{\"a\":null}"},
    {"replace nested",
     "{\"a\":{\"b\":[1,{\"c\":2}]}}",
     {{JSON_REPLACE, "a.b.1.c", 0, "3"}},
     "{\"a\":{\"b\":[1,{\"c\":3}]}}"},
    {"replace an element", "[1, 2, 3]", {{JSON_REPLACE, "1", 0, "20"}}, "[1, 20, 3]"},
    {"replace the root", " [1] ", {{JSON_REPLACE, "", 0, "{}"}}, " {} "},
    {"replace by nothing longer",
     "{\"a\":\"a long text\"}",
     {{JSON_REPLACE, "a", 0, "1"}},
     "{\"a\":1}"},
    {"replace two",
     "{\"a\":1,\"b\":2,\"c\":3}",
     {{JSON_REPLACE, "c", 0, "30"}, {JSON_REPLACE, "a", 0, "10"}},
     "{\"a\":10,\"b\":2,\"c\":30}"},
    {"replace under an escaped key",
     "{\"\\u0061\":1}",
     {{JSON_REPLACE, "a", 0, "2"}},
     "{\"\\u0061\":2}"},

    {"add to one", "{\"a\":1}", {{JSON_ADD_MEMBER, "", "b", "2"}}, "{\"a\":1,\"b\":2}"},
    {"add to none", "{}", {{JSON_ADD_MEMBER, "", "b", "2"}}, "{\"b\":2}"},
    {"add to none with space", "{ }", {{JSON_ADD_MEMBER, "", "b", "2"}}, "{\"b\":2 }"},
    {"add before the closing line",
     "{\n  \"a\": 1\n}\n",
     {{JSON_ADD_MEMBER, "", "b", "2"}},
     "{\n  \"a\": 1,\"b\":2\n}\n"},
    {"add after a container",
     "{\"a\":[1]}",
     {{JSON_ADD_MEMBER, "", "b", "2"}},
     "{\"a\":[1],\"b\":2}"},
    {"add to nested",
     "{\"a\":{\"b\":{}},\"c\":1}",
     {{JSON_ADD_MEMBER, "a.b", "x", "true"}},
     "{\"a\":{\"b\":{\"x\":true}},\"c\":1}"},
    {"add two in order",
     "{\"a\":1}",
     {{JSON_ADD_MEMBER, "", "z", "2"}, {JSON_ADD_MEMBER, "", "b", "3"}},
     "{\"a\":1,\"z\":2,\"b\":3}"},
    {"add two to none",
     "{}",
     {{JSON_ADD_MEMBER, "", "z", "2"}, {JSON_ADD_MEMBER, "", "b", "3"}},
     "{\"z\":2,\"b\":3}"},
    {"add to inner and outer",
     "{\"a\":{}}",
     {{JSON_ADD_MEMBER, "", "b", "2"}, {JSON_ADD_MEMBER, "a", "c", "1"}},
     "{\"a\":{\"c\":1},\"b\":2}"},
    {"add a key to escape", "{}", {{JSON_ADD_MEMBER, "", "a\"\n", "1"}}, "{\"a\\\"\\n\":1}"},

    {"remove first", "{ \"a\": 1, \"b\": 2}", {{JSON_REMOVE, "a"}}, "{ \"b\": 2}"},
    {"remove middle", "{\"a\":1, \"b\":2, \"c\":3}", {{JSON_REMOVE, "b"}}, "{\"a\":1, \"c\":3}"},
    {"remove last", "{\"a\":1 , \"b\":2 }", {{JSON_REMOVE, "b"}}, "{\"a\":1 }"},
    {"remove only", "{ \"a\" : 1 }", {{JSON_REMOVE, "a"}}, "{  }"},
    {"remove first element", "[1, 2, 3]", {{JSON_REMOVE, "0"}}, "[2, 3]"},
    {"remove middle element", "[1, 2, 3]", {{JSON_REMOVE, "1"}}, "[1, 3]"},
    {"remove last element", "[1, 2, 3]", {{JSON_REMOVE, "2"}}, "[1, 2]"},
    {"remove only element", "[1]", {{JSON_REMOVE, "0"}}, "[]"},
    {"remove a container", "{\"a\":[1,{\"b\":2}],\"c\":3}", {{JSON_REMOVE, "a"}}, "{\"c\":3}"},
    {"remove nested last",
     "{\"a\":{\"b\":1,\"c\":2},\"d\":3}",
     {{JSON_REMOVE, "a.c"}},
     "{\"a\":{\"b\":1},\"d\":3}"},
    {"remove first two", "[1,2,3,4]", {{JSON_REMOVE, "0"}, {JSON_REMOVE, "1"}}, "[3,4]"},
    {"remove middle two", "[1,2,3,4]", {{JSON_REMOVE, "2"}, {JSON_REMOVE, "1"}}, "[1,4]"},
    {"remove last two", "[1 , 2 , 3 , 4]", {{JSON_REMOVE, "2"}, {JSON_REMOVE, "3"}}, "[1 , 2]"},
    {"remove ends", "[1,2,3,4]", {{JSON_REMOVE, "0"}, {JSON_REMOVE, "3"}}, "[2,3]"},
    {"remove all",
     "[ 1 , 2 , 3 ]",
     {{JSON_REMOVE, "0"}, {JSON_REMOVE, "1"}, {JSON_REMOVE, "2"}},
     "[  ]"},
    {"remove every other",
     "[1,2,3,4,5]",
     {{JSON_REMOVE, "0"}, {JSON_REMOVE, "2"}, {JSON_REMOVE, "4"}},
     "[2,4]"},
    {"remove all but the middle", "[1,2,3]", {{JSON_REMOVE, "0"}, {JSON_REMOVE, "2"}}, "[2]"},
    {"remove with commas in strings",
     "{\"a\":\"x,y\" , \"b\":\",\"}",
     {{JSON_REMOVE, "b"}},
     "{\"a\":\"x,y\"}"},

    {"remove and replace",
     "{\"a\":1,\"b\":2,\"c\":3}",
     {{JSON_REMOVE, "a"}, {JSON_REPLACE, "b", 0, "20"}, {JSON_REMOVE, "c"}},
     "{\"b\":20}"},
    {"remove last and add",
     "{\"a\":1,\"b\":2}",
     {{JSON_REMOVE, "b"}, {JSON_ADD_MEMBER, "", "c", "3"}},
     "{\"a\":1,\"c\":3}"},
    {"remove only and add",
     "{\"a\":1}",
     {{JSON_REMOVE, "a"}, {JSON_ADD_MEMBER, "", "c", "3"}},
     "{\"c\":3}"},
    {"remove all and add two",
     "{\"a\":1,\"b\":2}",
     {{JSON_ADD_MEMBER, "", "c", "3"},
      {JSON_REMOVE, "b"},
      {JSON_ADD_MEMBER, "", "d", "4"},
      {JSON_REMOVE, "a"}},
     "{\"c\":3,\"d\":4}"},
    {"remove first and add",
     "{\"a\":1,\"b\":2}",
     {{JSON_REMOVE, "a"}, {JSON_ADD_MEMBER, "", "c", "3"}},
     "{\"b\":2,\"c\":3}"},
    {"replace inside and remove beside",
     "[{\"a\":1},{\"b\":2}]",
     {{JSON_REPLACE, "0.a", 0, "5"}, {JSON_REMOVE, "1"}},
     "[{\"a\":5}]"},
    {"add inside and remove the next",
     "[{\"a\":1},{\"b\":2},3]",
     {{JSON_ADD_MEMBER, "0", "c", "5"}, {JSON_REMOVE, "1"}},
     "[{\"a\":1,\"c\":5},3]"},

    {"absent value", "{\"a\":1}", {{JSON_REPLACE, "b", 0, "2"}}, NULL},
    {"remove absent", "{\"a\":1}", {{JSON_REMOVE, "b"}}, NULL},
    {"remove the root", "{\"a\":1}", {{JSON_REMOVE, ""}}, NULL},
    {"add to an array", "[1]", {{JSON_ADD_MEMBER, "", "a", "1"}}, NULL},
    {"add a key that is there", "{\"a\":1}", {{JSON_ADD_MEMBER, "", "a", "1"}}, NULL},
    {"add a key that is there escaped", "{\"\\u0061\":1}", {{JSON_ADD_MEMBER, "", "a", "1"}}, NULL},
    {"add a key twice",
     "{}",
     {{JSON_ADD_MEMBER, "", "a", "1"}, {JSON_ADD_MEMBER, "", "a", "2"}},
     NULL},
    {"replace twice",
     "{\"a\":1}",
     {{JSON_REPLACE, "a", 0, "2"}, {JSON_REPLACE, "a", 0, "3"}},
     NULL},
    {"replace and remove", "{\"a\":1}", {{JSON_REPLACE, "a", 0, "2"}, {JSON_REMOVE, "a"}}, NULL},
    {"replace inside a replaced one",
     "{\"a\":[1]}",
     {{JSON_REPLACE, "a.0", 0, "2"}, {JSON_REPLACE, "a", 0, "3"}},
     NULL},
    {"add inside a removed one",
     "{\"a\":{}}",
     {{JSON_ADD_MEMBER, "a", "b", "2"}, {JSON_REMOVE, "a"}},
     NULL},
};

static size_t edits_of(const struct json *j, const struct edit_row *rows, struct json_edit *out)
{
    size_t count = 0;

    for (; count < EDITS_MAX && rows[count].path; count++)
        out[count] = (struct json_edit){
            .kind = rows[count].kind,
            .at = *rows[count].path ? json_path(j, rows[count].path) : json_root(j),
            .key = str_from(rows[count].key),
            .value = str_from(rows[count].value),
        };
    return count;
}

TEST(json_splices)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(cases[i].text), &err);
        struct json_edit edits[EDITS_MAX];
        struct str got = STR_NONE;

        REQUIRE(j, "%s: %s", cases[i].name, err.text);
        size_t count = edits_of(j, cases[i].edits, edits);
        bool ok = json_splice(arena, j, edits, count, &got, &err);
        EXPECT(ok == (cases[i].want != NULL), "%s: %s", cases[i].name, err.text);
        EXPECT(ok == (err.code == ERR_NONE) && (ok || err.code == ERR_INTERNAL), "%s",
               cases[i].name);
        if (!cases[i].want)
            continue;
        EXPECT(str_eq(got, str_from(cases[i].want)), "%s: " STR_FMT, cases[i].name, STR_ARG(got));
        EXPECT(json_parse(arena, got, &err), "%s: %s", cases[i].name, err.text);
    }
}

/* The pieces are the same text in at most 3 * count + 1 parts, and the old text is not copied. */
TEST(json_splices_in_pieces)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(cases[i].text), &err);
        struct json_edit edits[EDITS_MAX];
        struct str pieces[3 * EDITS_MAX + 1];
        char joined[256];
        size_t len = 0;

        REQUIRE(j, "%s: %s", cases[i].name, err.text);
        size_t count = edits_of(j, cases[i].edits, edits);
        size_t got = json_splice_pieces(arena, j, edits, count, pieces);
        EXPECT((got > 0) == (cases[i].want != NULL), "%s", cases[i].name);
        EXPECT(got <= 3 * count + 1, "%s", cases[i].name);
        for (size_t k = 0; k < got; len += pieces[k++].len)
            memcpy(joined + len, pieces[k].ptr, pieces[k].len);
        EXPECT(!got || str_eq((struct str){joined, len}, str_from(cases[i].want)), "%s",
               cases[i].name);
        if (got)
            EXPECT(pieces[0].ptr == cases[i].text || edits[0].at == 1, "%s", cases[i].name);
    }
}

/* Every subset of the elements of an array removed, against the array written without them. */
TEST(json_remove_every_subset)
{
    for (unsigned subset = 0; subset < 64; subset++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};
        struct json *j = json_parse(arena, STR("[10 ,\n11,12\t, 13,[14],{\"a\":15}]"), &err);
        struct json *want = NULL, *have = NULL;
        struct json_edit edits[6];
        size_t count = 0;
        struct buf b;
        struct str got, left;

        REQUIRE(j);
        buf_init(&b, arena, 1000);
        buf_char(&b, '[');
        for (unsigned i = 0; i < 6; i++) {
            json_ref v = json_at(j, json_root(j), i);
            if (subset & 1u << i) {
                edits[count++] = (struct json_edit){.kind = JSON_REMOVE, .at = v};
            } else {
                if (b.len > 1)
                    buf_char(&b, ',');
                buf_str(&b, json_raw(j, v));
            }
        }
        buf_char(&b, ']');
        REQUIRE(buf_finish(&b, &left, &err));
        REQUIRE(json_splice(arena, j, edits, count, &got, &err), "%u: %s", subset, err.text);
        want = json_parse(arena, left, &err);
        have = json_parse(arena, got, &err);
        REQUIRE(want && have, "%u: " STR_FMT ": %s", subset, STR_ARG(got), err.text);
        EXPECT(json_equal(want, 1, have, 1), "%u: " STR_FMT, subset, STR_ARG(got));
    }
}

TEST(json_splice_without_memory)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct json *j = json_parse(arena, STR("{\"a\":1}"), &err);
    struct json_edit edit = {.kind = JSON_ADD_MEMBER, .at = 1, .key = STR("b"), .value = STR("2")};
    struct str got, pieces[4];
    bool fitted = false;

    REQUIRE(j);
    for (size_t limit = 0; limit < 2048; limit += 16) {
        struct arena *small CLEANUP(arena_end) = arena_new(limit);

        err = (struct err){0};
        bool ok = json_splice(small, j, &edit, 1, &got, &err);
        EXPECT(ok || err.code == ERR_EXHAUSTED, "%zu: %s", limit, err.text);
        fitted |= ok;
    }
    EXPECT(fitted);
    struct arena *none CLEANUP(arena_end) = arena_new(0);
    EXPECT(json_splice_pieces(none, j, &edit, 1, pieces) == 0);
}
