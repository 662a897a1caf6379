/* Metadata and filters: every operator against every kind, missing keys, what is refused. */
#include "knowledge/metadata.h"

#include <string.h>

#include "test.h"

static const char document[] =
    "{\"team\":\"claims\",\"year\":2026,\"big\":1e3,\"open\":true,\"date\":\"2026-11-22\","
    "\"tags\":[\"travel\",\"baggage\"],\"empty\":[],\"no\\u0074e\":\"caf\\u00e9\"}";

#define COND(op, key, value) "{\"" op "\":{\"key\":\"" key "\",\"value\":" value "}}"

static const struct {
    const char *filter;
    bool fits;
} cases[] = {
    {COND("equals", "team", "\"claims\""), true},
    {COND("equals", "team", "\"Claims\""), false},
    {COND("equals", "year", "2026"), true},
    {COND("equals", "year", "2026.0"), true},
    {COND("equals", "year", "\"2026\""), false},
    {COND("equals", "big", "1000"), true},
    {COND("equals", "open", "true"), true},
    {COND("equals", "open", "false"), false},
    {COND("equals", "note", "\"caf\303\251\""), true},
    {COND("equals", "nobody", "1"), false},
    {COND("notEquals", "team", "\"leave\""), true},
    {COND("notEquals", "team", "\"claims\""), false},
    {COND("notEquals", "nobody", "1"), true},
    {COND("greaterThan", "year", "2025"), true},
    {COND("greaterThan", "year", "2026"), false},
    {COND("greaterThan", "date", "\"2026-10-31\""), true},
    {COND("greaterThan", "date", "2025"), false},
    {COND("greaterThan", "nobody", "0"), false},
    {COND("greaterThanOrEquals", "year", "2026"), true},
    {COND("lessThan", "year", "2026.5"), true},
    {COND("lessThan", "year", "2026"), false},
    {COND("lessThan", "tags", "\"z\""), false},
    {COND("lessThanOrEquals", "date", "\"2026-11-22\""), true},
    {COND("lessThanOrEquals", "open", "1"), false},
    {COND("in", "team", "[\"leave\",\"claims\"]"), true},
    {COND("in", "year", "[1,2026]"), true},
    {COND("in", "year", "[\"2026\"]"), false},
    {COND("in", "year", "[]"), false},
    {COND("notIn", "team", "[\"leave\"]"), true},
    {COND("notIn", "team", "[\"claims\"]"), false},
    {COND("notIn", "nobody", "[1]"), true},
    {COND("startsWith", "team", "\"cl\""), true},
    {COND("startsWith", "team", "\"laims\""), false},
    {COND("startsWith", "year", "\"20\""), false},
    {COND("stringContains", "team", "\"aim\""), true},
    {COND("stringContains", "team", "\"\""), true},
    {COND("stringContains", "tags", "\"travel\""), true},
    {COND("stringContains", "tags", "\"trav\""), false},
    {COND("listContains", "tags", "\"baggage\""), true},
    {COND("listContains", "tags", "\"bag\""), false},
    {COND("listContains", "empty", "\"bag\""), false},
    {COND("listContains", "team", "\"claims\""), false},
    {"{\"andAll\":[" COND("equals", "year", "2026") "," COND("equals", "open", "true") "]}", true},
    {"{\"andAll\":[" COND("equals", "year", "2026") "," COND("equals", "open", "false") "]}",
     false},
    {"{\"orAll\":[" COND("equals", "year", "1") "," COND("equals", "open", "true") "]}", true},
    {"{\"orAll\":[" COND("equals", "year", "1") "]}", false},
    {"{\"andAll\":[{\"orAll\":[" COND("equals", "year", "1") "," COND(
         "startsWith", "team", "\"c\"") "]}," COND("notIn", "nobody", "[1]") "]}",
     true},
};

TEST(each_operator_of_a_filter)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct metadata_filter *filter;
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(cases[i].filter), &err);

        REQUIRE(j && metadata_filter_read(arena, j, json_root(j), &filter, &err), "%s: %s",
                cases[i].filter, err.text);
        EXPECT(metadata_filter_fits(filter, arena, str_from(document)) == cases[i].fits, "%s",
               cases[i].filter);
    }
}

TEST(a_document_without_metadata_fits_only_what_denies)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct metadata_filter *filter;
    struct err err = {0};
    struct json *j = json_parse(arena, STR(COND("equals", "a", "1")), &err);

    REQUIRE(j && metadata_filter_read(arena, j, json_root(j), &filter, &err));
    EXPECT(!metadata_filter_fits(filter, arena, STR_NONE));
    j = json_parse(arena, STR(COND("notEquals", "a", "1")), &err);
    REQUIRE(j && metadata_filter_read(arena, j, json_root(j), &filter, &err));
    EXPECT(metadata_filter_fits(filter, arena, STR_NONE));
}

static const struct {
    const char *filter, *want;
} refused[] = {
    {"[]", "filter: expected an object with one operator"},
    {"{}", "filter: expected an object with one operator"},
    {"{\"equal\":{\"key\":\"a\",\"value\":1}}", "filter: unknown operator \"equal\"; there are"},
    {"{\"equals\":1}", "filter: equals: expected {\"key\": \"...\", \"value\": ...}"},
    {"{\"equals\":{\"key\":1,\"value\":1}}", "filter: equals: expected {\"key\""},
    {"{\"equals\":{\"key\":\"a\"}}", "filter: equals: expected {\"key\""},
    {"{\"equals\":{\"key\":\"a\",\"value\":1,\"x\":1}}", "and nothing else"},
    {COND("equals", "a", "[1]"),
     "filter: equals: value: expected a string, a number, true or false"},
    {COND("equals", "a", "null"), "filter: equals: value: expected a string"},
    {COND("lessThan", "a", "true"), "filter: lessThan: value: expected a number or a string"},
    {COND("in", "a", "1"), "filter: in: value: expected a list"},
    {COND("in", "a", "[[1]]"), "filter: in: value: expected a list"},
    {COND("startsWith", "a", "1"), "filter: startsWith: value: expected a string"},
    {"{\"andAll\":[]}", "filter: andAll: expected a list of conditions"},
    {"{\"orAll\":{}}", "filter: orAll: expected a list of conditions"},
    {"{\"orAll\":[{\"orAll\":[{\"orAll\":[{\"orAll\":[{\"orAll\":[" COND("equals", "a",
                                                                         "1") "]}]}]}]}]}",
     "filter: nested more than 5 deep"},
};

TEST(what_is_no_filter_is_refused_by_name)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct metadata_filter *filter;
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(refused[i].filter), &err);

        REQUIRE(j);
        EXPECT(!metadata_filter_read(arena, j, json_root(j), &filter, &err), "%s",
               refused[i].filter);
        EXPECT(err.code == ERR_INVALID &&
                   str_find(str_from(err.text), str_from(refused[i].want)) < strlen(err.text),
               "%s: %s", refused[i].filter, err.text);
    }
}

TEST(a_filter_has_a_hundred_conditions_at_most)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct metadata_filter *filter;
    struct err err = {0};
    struct buf b;

    for (int count = 99; count <= 100; count++) { /* and the one around them */
        buf_init(&b, arena, 64 * KIB);
        buf_str(&b, STR("{\"orAll\":["));
        for (int i = 0; i < count; i++)
            buf_fmt(&b, "%s" COND("equals", "a", "1"), i ? "," : "");
        buf_str(&b, STR("]}"));
        struct json *j = json_parse(arena, buf_view(&b), &err);
        REQUIRE(j);
        EXPECT(metadata_filter_read(arena, j, json_root(j), &filter, &err) == (count == 99), "%d",
               count);
    }
}

TEST(metadata_is_plain_and_bounded)
{
    static const struct {
        const char *given, *want; /* want: the text, or the error after "!" */
    } read[] = {
        {"{ \"a\" : 1, \"b\":[ \"x\" ,\"y\"], \"c\": true }",
         "{\"a\":1,\"b\":[\"x\",\"y\"],\"c\":true}"},
        {"{}", "{}"},
        {"[]", "!metadata: expected an object"},
        {"{\"a\":{\"b\":1}}", "!metadata \"a\": expected a string, a number"},
        {"{\"a\":null}", "!metadata \"a\": expected"},
        {"{\"a\":[1]}", "!metadata \"a\": expected"},
    };

    for (size_t i = 0; i < ARRAY_LEN(read); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct str text;
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(read[i].given), &err);

        REQUIRE(j);
        if (metadata_read(arena, j, json_root(j), &text, &err))
            EXPECT(str_eq(text, str_from(read[i].want)), STR_FMT, STR_ARG(text));
        else
            EXPECT(str_starts(str_from(err.text), str_from(read[i].want + 1)), "%s", err.text);
    }
}
