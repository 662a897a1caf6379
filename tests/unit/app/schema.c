#include "app/schema.h"

#include "app/admin.h"
#include "app/admin_fields.h"
#include "test.h"

static const struct schema_field inner_fields[] = {
    {"n", FIELD_COUNT, 0, NULL, 2, 5, NULL, NULL},
    {0},
};
static const struct schema inner = {"Inner", NULL, inner_fields, NULL};
static const struct schema_field base_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 1, 8, NULL, NULL},
    {0},
};
static const struct schema base = {"Base", NULL, base_fields, NULL};
static const struct schema_field fields[] = {
    {"kind", FIELD_CHOICE, FIELD_OPTIONAL, NULL, 0, 0, "red|green", NULL},
    {"when", FIELD_TIME, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"usd", FIELD_USD, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"ratio", FIELD_NUMBER, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"on", FIELD_BOOL, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"one", FIELD_OBJECT, FIELD_OPTIONAL, NULL, 0, 0, NULL, &inner},
    {"list", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST, NULL, 0, 0, NULL, &inner},
    {"map", FIELD_COUNT, FIELD_OPTIONAL | FIELD_MAP, NULL, 0, 0, NULL, NULL},
    {"prose", FIELD_PROSE, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"any", FIELD_ANY, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema whole = {"Whole", "All of it.", fields, &base};

static const struct {
    const char *name, *json, *faults; /* fields found wrong, "" for none */
} cases[] = {
    {"least", "{\"id\":\"a\"}", ""},
    {"no object", "[]", " "},
    {"missing", "{}", "id "},
    {"too long", "{\"id\":\"123456789\"}", "id "},
    {"too short", "{\"id\":\"\"}", "id "},
    {"control in a text", "{\"id\":\"a\\nb\"}", "id "},
    {"control in prose", "{\"id\":\"a\",\"prose\":\"a\\nb\"}", ""},
    {"null where none may be", "{\"id\":null}", "id "},
    {"null where one may be", "{\"id\":\"a\",\"when\":null}", ""},
    {"choice", "{\"id\":\"a\",\"kind\":\"green\"}", ""},
    {"no choice", "{\"id\":\"a\",\"kind\":\"gree\"}", "kind "},
    {"both choices", "{\"id\":\"a\",\"kind\":\"red|green\"}", "kind "},
    {"time", "{\"id\":\"a\",\"when\":\"2026-02-28T23:59:59.5+02:00\"}", ""},
    {"time without zone", "{\"id\":\"a\",\"when\":\"2026-02-28T23:59:59\"}", "when "},
    {"month 13", "{\"id\":\"a\",\"when\":\"2026-13-28T23:59:59Z\"}", "when "},
    {"short time", "{\"id\":\"a\",\"when\":\"2026\"}", "when "},
    {"money", "{\"id\":\"a\",\"usd\":1.000001}", ""},
    {"money too fine", "{\"id\":\"a\",\"usd\":1.0000001}", "usd "},
    {"money as text", "{\"id\":\"a\",\"usd\":\"1\"}", "usd "},
    {"number", "{\"id\":\"a\",\"ratio\":-1.5e3}", ""},
    {"number as text", "{\"id\":\"a\",\"ratio\":\"1\"}", "ratio "},
    {"truth", "{\"id\":\"a\",\"on\":1}", "on "},
    {"object", "{\"id\":\"a\",\"one\":{\"n\":2}}", ""},
    {"object out of range", "{\"id\":\"a\",\"one\":{\"n\":1}}", "one.n "},
    {"object's stranger", "{\"id\":\"a\",\"one\":{\"n\":3,\"m\":1}}", "one.m "},
    {"list", "{\"id\":\"a\",\"list\":[{\"n\":2},{\"n\":6},{}]}", "list[1].n list[2].n "},
    {"list that is none", "{\"id\":\"a\",\"list\":{}}", "list "},
    {"map", "{\"id\":\"a\",\"map\":{\"x\":1,\"y\":-1}}", "map.y "},
    {"any", "{\"id\":\"a\",\"any\":[null]}", ""},
    {"several", "{\"kind\":1,\"x\":2}", "id kind x "},
};

TEST(schema_names_what_is_wrong)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct schema_faults faults = {.arena = arena};
        struct err err = {0};
        struct json *j = json_parse(arena, str_from(cases[i].json), &err);
        struct buf found;

        REQUIRE(j);
        bool ok = schema_check(&whole, j, json_root(j), &faults);
        buf_init(&found, arena, 1000);
        for (size_t f = 0; f < faults.count; f++)
            buf_fmt(&found, STR_FMT " ", STR_ARG(faults.at[f].field));
        EXPECT(str_eq(buf_view(&found), str_from(cases[i].faults)), "%s: " STR_FMT, cases[i].name,
               STR_ARG(buf_view(&found)));
        EXPECT(ok == (faults.count == 0), "%s", cases[i].name);
    }
}

TEST(schema_tells_a_bounded_number_of_faults)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct schema_faults faults = {.arena = arena};
    struct err err = {0};
    struct json *j;
    struct buf text;

    buf_init(&text, arena, 100 * KIB);
    buf_str(&text, STR("{\"id\":\"a\",\"list\":["));
    for (int i = 0; i < 1000; i++)
        buf_fmt(&text, "%s{\"n\":0}", i ? "," : "");
    buf_str(&text, STR("]}"));
    j = json_parse(arena, buf_view(&text), &err);
    REQUIRE(j);
    EXPECT(!schema_check(&whole, j, json_root(j), &faults) && faults.count == FAULTS_MAX);
}

static const struct {
    const char *pattern, *path, *values; /* NULL: does not fit */
} path_cases[] = {
    {"/a", "/a", ""},
    {"/a", "/a/", NULL},
    {"/a", "/b", NULL},
    {"/a/{id}", "/a/x", "x "},
    {"/a/{id}", "/a/", NULL},
    {"/a/{id}", "/a", NULL},
    {"/a/{id}", "/a/x/y", NULL},
    {"/a/{id}/b", "/a/x/b", "x "},
    {"/a/{id}/b", "/a/x/c", NULL},
    {"/a/{id}/b/{n}", "/a/x%2f/b/2", "x%2f 2 "},
};

TEST(admin_paths_fit_by_segment)
{
    for (size_t i = 0; i < ARRAY_LEN(path_cases); i++) {
        struct str values[ADMIN_PATH_VALUES];
        char text[100];
        struct buf found;
        bool fits =
            admin_path_fits(str_from(path_cases[i].pattern), str_from(path_cases[i].path), values);

        EXPECT(fits == (path_cases[i].values != NULL), "%s %s", path_cases[i].pattern,
               path_cases[i].path);
        if (!fits)
            continue;
        buf_init_fixed(&found, text, sizeof text);
        for (size_t v = 0; v < ADMIN_PATH_VALUES && values[v].ptr; v++)
            buf_fmt(&found, STR_FMT " ", STR_ARG(values[v]));
        EXPECT(str_eq(buf_view(&found), str_from(path_cases[i].values)), STR_FMT,
               STR_ARG(buf_view(&found)));
    }
}

static const struct {
    const char *text;
    wall_ms want; /* -1: refused */
} time_cases[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:01.5Z", 1500},
    {"1970-01-01T01:00:00+01:00", 0},
    {"1969-12-31T23:00:00-01:00", 0},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"2026-02-29T00:00:00Z", -1},
    {"2026-11-21T23:16:00.123456Z", 1795302960123},
    {"2026-00-01T00:00:00Z", -1},
    {"2026-01-01", -1},
    {"2026-11-21T25:00:00Z", -1},
    {"2026-11-21T23:99:00Z", -1},
    {"2026-11-21T23:16:00Z and more", -1},
    {"2026-11-21T23:16:00+01", -1},
    {"2026-11-21T23:16:00+24:00", -1},
    {"2026-11-21T23:16:00-01:60", -1},
    {"2026-11-21T23:16:00+01:00:00", -1},
    {"2026/11/21 23.16.00Z", -1},
    {"", -1},
};

TEST(times_parse)
{
    for (size_t i = 0; i < ARRAY_LEN(time_cases); i++) {
        wall_ms got = -1;
        bool ok = time_parse(str_from(time_cases[i].text), &got);

        EXPECT(ok == (time_cases[i].want >= 0) && got == time_cases[i].want, "%s: %" PRId64,
               time_cases[i].text, got);
    }
}
