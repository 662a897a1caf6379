/* What is JSON, what is not, where the limits lie and what refusals say. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "json_cases.h"
#include "test.h"

/* A copy of exactly its size, so that the address sanitizer sees a read past the end. */
static bool parses(struct str text, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    char *copy = malloc(text.len ? text.len : 1);

    memcpy(copy, text.ptr, text.len);
    struct json *j = json_parse(arena, (struct str){copy, text.len}, err);
    bool ok =
        j != NULL && str_eq(json_raw(j, json_root(j)), str_trim((struct str){copy, text.len}));
    free(copy);
    return ok;
}

TEST(json_accepts_and_refuses)
{
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
        const struct json_case *c = &json_cases[i];
        struct err err = {0};
        bool ok = parses(c->text, &err);

        EXPECT(ok == (c->name[0] == 'y'), "%s: %s", c->name, err.text);
        EXPECT(ok == (err.code == ERR_NONE), "%s: err agrees", c->name);
        EXPECT(ok || err.code == ERR_INVALID, "%s: code %d", c->name, err.code);
    }
}

/* Wherever a special byte stands in a block of the scanner, it is seen. */
TEST(json_strings_at_every_offset)
{
    static const struct {
        const char *name, *piece;
        bool ok;
    } pieces[] = {
        {"plain", "x", true},
        {"escape", "\\n", true},
        {"two bytes", "\xc3\xa9", true},
        {"three bytes", "\xe6\xbc\xa2", true},
        {"four bytes", "\xf0\x9f\x98\x80", true},
        {"control", "\x1f", false},
        {"bad byte", "\xff", false},
        {"bad escape", "\\q", false},
    };

    for (size_t before = 0; before < 40; before++) {
        for (size_t after = 0; after < 40; after += 3) {
            for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
                char text[128] = "\"";
                size_t len = strlen(pieces[i].piece);
                struct err err = {0};

                memset(text + 1, 'a', before);
                memcpy(text + 1 + before, pieces[i].piece, len);
                memset(text + 1 + before + len, 'b', after);
                text[1 + before + len + after] = '"';
                EXPECT(parses((struct str){text, before + len + after + 2}, &err) == pieces[i].ok,
                       "%s after %zu, before %zu", pieces[i].name, before, after);
            }
        }
    }
}

/* Every prefix of a text that ends in a bracket is refused, and read no further than it reaches. */
TEST(json_refuses_every_prefix)
{
    struct str text = STR("{\"a\":[1,-2.5e+3,\"x\\n\\ud83d\\ude00\xc3\xa9\"],\"b\":{\"c\":true},"
                          "\"d\":[false,null]}");
    struct err err = {0};

    EXPECT(parses(text, &err), "%s", err.text);
    for (size_t len = 0; len < text.len; len++) {
        err = (struct err){0};
        EXPECT(!parses(str_slice(text, 0, len), &err) && err.code == ERR_INVALID, "%zu", len);
    }
}

TEST(json_messages_say_where)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1, byte 0: expected a value"},
        {"[1 2]", "line 1, byte 3: expected \",\" or \"]\" after an element"},
        {"{\"a\":1\n\"b\":2}", "line 2, byte 7: expected \",\" or \"}\" after a member"},
        {"{\n\"a\" 1}", "line 2, byte 6: expected \":\" after a key"},
        {"{\n\n,}", "line 3, byte 3: expected a key in quotes"},
        {"[01]", "line 1, byte 2: a number may not begin with 0"},
        {"[-]", "line 1, byte 2: expected a digit"},
        {"[1.]", "line 1, byte 3: expected a digit after the decimal point"},
        {"[1e]", "line 1, byte 3: expected a digit in the exponent"},
        {"[nul]", "line 1, byte 1: expected a value"},
        {"[] []", "line 1, byte 3: expected the end of the text after the value"},
        {"\xef\xbb\xbf{}", "line 1, byte 0: expected a value, not a byte order mark"},
        {"\"abc", "line 1, byte 4: the text ends inside a string"},
        {"\"a\nc\"", "line 1, byte 2: a control character in a string must be escaped"},
        {"\"a\\xc\"", "line 1, byte 2: unknown escape in a string"},
        {"\"\\u12g4\"", "line 1, byte 3: expected four hex digits after \\u"},
        {"\"\\ud800x\"", "line 1, byte 1: the first half of a surrogate pair stands alone"},
        {"\"\\udc00x\"", "line 1, byte 1: the second half of a surrogate pair stands alone"},
        {"\"ab\xff\"", "line 1, byte 3: invalid UTF-8"},
        {"{\"a\":1,\n \"a\":2}", "line 2, byte 9: this key was given before in the same object"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};

        EXPECT(!parses(str_from(cases[i].text), &err));
        EXPECT(strcmp(err.text, cases[i].message) == 0, "%s: %s", cases[i].text, err.text);
    }
}

/* ---- limits ---- */

static enum err_code code_within(struct str text, struct json_limits limits)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};
    struct json *j = json_parse_within(arena, text, &limits, &err);

    EXPECT(!j == (err.code != ERR_NONE));
    return err.code;
}

static struct str nested(struct arena *arena, const char *open, const char *close, size_t depth)
{
    struct buf b;
    struct str out = STR_NONE;
    struct err err = {0};

    buf_init(&b, arena, 16 * MIB);
    for (size_t i = 0; i < depth; i++)
        buf_str(&b, str_from(open));
    buf_str(&b, STR("1"));
    for (size_t i = 0; i < depth; i++)
        buf_str(&b, str_from(close));
    EXPECT(buf_finish(&b, &out, &err), "%s", err.text);
    return out;
}

TEST(json_depth_limit)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};

    EXPECT(json_parse(arena, nested(arena, "[", "]", 128), &err), "%s", err.text);
    EXPECT(!json_parse(arena, nested(arena, "[", "]", 129), &err));
    EXPECT(err.code == ERR_TOO_LARGE);
    EXPECT(strcmp(err.text, "line 1, byte 128: nested deeper than 128") == 0, "%s", err.text);

    err = (struct err){0};
    EXPECT(json_parse(arena, nested(arena, "{\"a\":", "}", 128), &err), "%s", err.text);
    EXPECT(!json_parse(arena, nested(arena, "{\"a\":", "}", 129), &err));
    EXPECT(!json_parse(arena, nested(arena, "[{\"a\":", "}]", 65), &err));
    EXPECT(code_within(STR("[]"), (struct json_limits){.depth = 1, .nodes = 10}) == ERR_NONE);
    EXPECT(code_within(STR("[[]]"), (struct json_limits){.depth = 1, .nodes = 10}) ==
           ERR_TOO_LARGE);
    EXPECT(code_within(STR("7"), (struct json_limits){.depth = 0, .nodes = 10}) == ERR_NONE);
    EXPECT(code_within(STR("{}"), (struct json_limits){.depth = 0, .nodes = 10}) == ERR_TOO_LARGE);
    /* deep texts cost no stack: a hundred thousand levels on the test's own are no trouble */
    EXPECT(code_within(nested(arena, "[", "]", 100000),
                       (struct json_limits){.depth = 200000, .nodes = 200000}) == ERR_NONE);
    EXPECT(code_within(nested(arena, "[", "", 100000),
                       (struct json_limits){.depth = 200000, .nodes = 200000}) == ERR_INVALID);
}

TEST(json_node_limit)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct json_limits limits = {.depth = 4, .nodes = 4};
    struct err err = {0};

    EXPECT(code_within(STR("[1,2,3]"), limits) == ERR_NONE);
    EXPECT(code_within(STR("[1,2,3,4]"), limits) == ERR_TOO_LARGE);
    EXPECT(code_within(STR("{\"a\":1,\"b\":[2]}"), limits) == ERR_NONE);
    EXPECT(code_within(STR("1"), (struct json_limits){.depth = 1, .nodes = 0}) == ERR_TOO_LARGE);
    EXPECT(!json_parse_within(arena, STR("[1,2,\n3,4]"), &limits, &err));
    EXPECT(strcmp(err.text, "line 2, byte 8: more than 4 values") == 0, "%s", err.text);
}

/* An index grows from its first guess, and a text of one long string needs hardly any. */
TEST(json_memory)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};
    struct buf b;
    struct str text;

    buf_init(&b, arena, 16 * MIB);
    buf_char(&b, '[');
    for (int i = 0; i < 100000; i++)
        buf_str(&b, i ? STR(",[]") : STR("[]"));
    buf_char(&b, ']');
    REQUIRE(buf_finish(&b, &text, &err));
    struct json *j = json_parse(arena, text, &err);
    REQUIRE(j, "%s", err.text);
    EXPECT(json_count(j, json_root(j)) == 100000);

    buf_init(&b, arena, 16 * MIB);
    buf_char(&b, '"');
    for (int i = 0; i < 10000; i++)
        buf_str(&b, STR("a long prompt, one of many lines. "));
    buf_char(&b, '"');
    REQUIRE(buf_finish(&b, &text, &err));
    size_t before = arena_used(arena);
    REQUIRE(json_parse(arena, text, &err), "%s", err.text);
    EXPECT(arena_used(arena) - before < 1024, "%zu bytes", arena_used(arena) - before);
}

/* Memory may end at any point: that is an error like others, and the arena stays usable. */
TEST(json_memory_ends)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err err = {0};
    struct buf b;
    struct str text;

    buf_init(&b, arena, MIB);
    buf_char(&b, '{');
    for (int i = 0; i < 2000; i++)
        buf_fmt(&b, "%s\"key\\u0030%d\":[]", i ? "," : "", i);
    buf_char(&b, '}');
    REQUIRE(buf_finish(&b, &text, &err));
    bool fitted = false;
    for (size_t limit = 256; limit <= 256 * KIB; limit += limit / 3) {
        struct arena *small CLEANUP(arena_end) = arena_new(limit);
        struct json *j = json_parse(small, text, &err);

        EXPECT(j || err.code == ERR_EXHAUSTED, "limit %zu: %s", limit, err.text);
        EXPECT(j || !fitted, "limit %zu fits like a smaller one", limit);
        fitted |= j != NULL;
    }
    EXPECT(fitted);
}

/* ---- keys given twice, in objects of every size around the change of method ---- */

static struct str object_of(struct arena *arena, int members, const char *twice, int at)
{
    struct buf b;
    struct str out = STR_NONE;
    struct err err = {0};

    buf_init(&b, arena, MIB);
    buf_char(&b, '{');
    for (int i = 0; i < members; i++) {
        if (i == at)
            buf_fmt(&b, "%s\"%s\":{\"k1\":0}", i ? "," : "", twice);
        else
            buf_fmt(&b, "%s\"k%d\":{\"k1\":0}", i ? "," : "", i);
    }
    buf_char(&b, '}');
    EXPECT(buf_finish(&b, &out, &err), "%s", err.text);
    return out;
}

TEST(json_twice_in_objects_of_all_sizes)
{
    for (int members = 2; members < 40; members++) {
        for (int at = 0; at < members; at++) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
            int other = at == members - 1 ? 0 : members - 1;
            const char *same = arena_fmt(arena, "k%d", other).ptr;
            const char *escaped = arena_fmt(arena, "\\u006b%d", other).ptr;
            struct err err = {0};

            EXPECT(json_parse(arena, object_of(arena, members, "none", at), &err), "%s", err.text);
            EXPECT(json_parse(arena, object_of(arena, members, "\\u006b", at), &err), "%s",
                   err.text);
            EXPECT(!json_parse(arena, object_of(arena, members, same, at), &err),
                   "%d members, twice at %d", members, at);
            EXPECT(!json_parse(arena, object_of(arena, members, escaped, at), &err),
                   "%d members, escaped at %d", members, at);
        }
    }
}

/* What is known of an object's keys waits while another stands inside of it, however deep. */
static struct str around(struct arena *arena, int depth, const char *last)
{
    struct buf b;
    struct str out = STR_NONE;
    struct err err = {0};

    buf_init(&b, arena, MIB);
    for (int i = 0; i < depth; i++)
        buf_str(&b, i % 2 ? STR("[0,") : STR("{\"a\":1,\"b\":2,\"in\":"));
    buf_str(&b, STR("{\"a\":[],\"b\":{}}"));
    for (int i = depth; i-- > 0;)
        buf_fmt(&b, i % 2 ? ",{}]" : ",\"%s\":{}}", i == 0 ? last : "c");
    EXPECT(buf_finish(&b, &out, &err), "%s", err.text);
    return out;
}

TEST(json_twice_around_what_stands_inside)
{
    for (int depth = 1; depth < 100; depth++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct err err = {0};

        EXPECT(json_parse(arena, around(arena, depth, "d"), &err), "%d: %s", depth, err.text);
        EXPECT(!json_parse(arena, around(arena, depth, "a"), &err), "%d deep", depth);
    }
}

/* Other keys of the same letters and length are no suspects for long: they are compared. */
TEST(json_keys_alike_are_not_twice)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};

    EXPECT(json_parse(arena, STR("{\"abcd\":1,\"acbd\":2,\"a\":3,\"\":4,\"b\":5}"), &err), "%s",
           err.text);
    EXPECT(json_parse(arena, STR("{\"abXcd\":1,\"aaXdd\":2}"), &err), "%s", err.text);
    EXPECT(!json_parse(arena, STR("{\"\":4,\"b\":5,\"\":4}"), &err));
}
