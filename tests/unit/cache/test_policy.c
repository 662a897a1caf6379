#include "cache/policy.h"
#include "test.h"

static bool read(struct arena *arena, const char *weir, const char *control, struct cache_wish *out,
                 struct err *err)
{
    struct str text = arena_fmt(arena, "{\"weir\":%s}", weir);
    struct json *j = json_parse(arena, text, err);

    return j && cache_wish_read(arena, j, json_get(j, json_root(j), STR("weir")), str_from(control),
                                out, err);
}

static const struct {
    const char *name, *weir, *control;
    enum cache_rule use, sampled_rule, shared_rule;
    bool sampled;
    bool read, store, only, shared;
    int64_t ttl_s;
} cases[] = {
    {"off by rule", "{}", "", CACHE_NEVER, CACHE_ALWAYS, CACHE_NEVER, false, false, false, false,
     false, 60},
    {"off by rule, asked in vain", "{\"cache\":\"on\"}", "", CACHE_NEVER, CACHE_ALWAYS, CACHE_NEVER,
     false, false, false, false, false, 60},
    {"always", "{}", "", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER, true, true, true, false, false,
     60},
    {"asked and not", "{}", "", CACHE_ASKED, CACHE_ALWAYS, CACHE_NEVER, false, false, false, false,
     false, 60},
    {"asked for", "{\"cache\":{\"mode\":\"on\"}}", "", CACHE_ASKED, CACHE_ALWAYS, CACHE_NEVER,
     false, true, true, false, false, 60},
    {"sampled never", "{\"cache\":\"on\"}", "", CACHE_ALWAYS, CACHE_NEVER, CACHE_NEVER, true, false,
     false, false, false, 60},
    {"sampled when asked: not", "{}", "", CACHE_ALWAYS, CACHE_ASKED, CACHE_NEVER, true, false,
     false, false, false, 60},
    {"sampled when asked: yes", "{\"cache\":\"on\"}", "", CACHE_ALWAYS, CACHE_ASKED, CACHE_NEVER,
     true, true, true, false, false, 60},
    {"temperature 0 beside it", "{}", "", CACHE_ALWAYS, CACHE_NEVER, CACHE_NEVER, false, true, true,
     false, false, 60},
    {"off by the request", "{\"cache\":\"off\"}", "", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER,
     false, false, false, false, false, 60},
    {"no-store", "{\"cache\":\"on\"}", "max-age=5, No-Store", CACHE_ALWAYS, CACHE_ALWAYS,
     CACHE_NEVER, false, false, false, false, false, 60},
    {"no-cache asks anew and keeps", "{}", "no-cache", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER,
     false, false, true, false, false, 60},
    {"max-age=0 the same", "{}", "max-age=0", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER, false, false,
     true, false, false, 60},
    {"refresh", "{\"cache\":\"refresh\"}", "", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER, false,
     false, true, false, false, 60},
    {"only", "{\"cache\":\"only\"}", "", CACHE_ASKED, CACHE_ALWAYS, CACHE_NEVER, false, true, false,
     true, false, 60},
    {"only-if-cached", "{}", "only-if-cached", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER, false, true,
     false, true, false, 60},
    {"ttl", "{\"cache\":{\"ttl\":5}}", "", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_NEVER, false, true,
     true, false, false, 5},
    {"ttl above the most", "{\"cache\":{\"ttl\":1000}}", "", CACHE_ALWAYS, CACHE_ALWAYS,
     CACHE_NEVER, false, true, true, false, false, 100},
    {"shared when asked: not", "{}", "", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_ASKED, false, true, true,
     false, false, 60},
    {"shared when asked: yes", "{\"cache\":{\"shared\":true}}", "", CACHE_ALWAYS, CACHE_ALWAYS,
     CACHE_ASKED, false, true, true, false, true, 60},
    {"shared always", "{}", "", CACHE_ALWAYS, CACHE_ALWAYS, CACHE_ALWAYS, false, true, true, false,
     true, 60},
    {"shared always, not this", "{\"cache\":{\"shared\":false}}", "", CACHE_ALWAYS, CACHE_ALWAYS,
     CACHE_ALWAYS, false, true, true, false, false, 60},
};

TEST(what_settings_allow_and_requests_say)
{
    struct arena *arena = arena_new(MIB);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_rules rules = {.use = cases[i].use,
                                    .sampled = cases[i].sampled_rule,
                                    .shared = cases[i].shared_rule,
                                    .ttl = 60 * SECOND,
                                    .ttl_max = 100 * SECOND};
        struct cache_wish wish;
        struct cache_plan plan = {0};
        struct err err = {0};

        EXPECT(read(arena, cases[i].weir, cases[i].control, &wish, &err) &&
                   cache_decide(&rules, &wish, cases[i].sampled, &plan, &err),
               "%s: %s", cases[i].name, err.text);
        EXPECT(plan.may_read == cases[i].read && plan.may_store == cases[i].store &&
                   plan.only == cases[i].only && plan.shared == cases[i].shared,
               "%s: read %d store %d only %d shared %d", cases[i].name, plan.may_read,
               plan.may_store, plan.only, plan.shared);
        EXPECT(plan.ttl == cases[i].ttl_s * SECOND, "%s: %" PRId64, cases[i].name, plan.ttl);
    }
    arena_end(&arena);
}

static const struct {
    const char *weir, *want;
} refused[] = {
    {"{\"cache\":1}", "weir.cache: expected an object"},
    {"{\"cache\":\"yes\"}", "weir.cache.mode: expected"},
    {"{\"cache\":{\"mode\":true}}", "weir.cache.mode: expected"},
    {"{\"cache\":{\"ttl\":0}}", "weir.cache.ttl: expected"},
    {"{\"cache\":{\"ttl\":1.5}}", "weir.cache.ttl: expected"},
    {"{\"cache\":{\"tags\":\"a\"}}", "weir.cache.tags: expected"},
    {"{\"cache\":{\"tags\":[\"\"]}}", "weir.cache.tags.0: expected"},
    {"{\"cache\":{\"tags\":[\"a\",1]}}", "weir.cache.tags.1: expected"},
    {"{\"cache\":{\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}}",
     "weir.cache.tags: expected"},
    {"{\"cache\":{\"shared\":1}}", "weir.cache.shared: expected"},
    {"{\"cache\":{\"time\":1}}", "weir.cache: unknown member \"time\""},
};

TEST(wrong_options_are_refused_by_name)
{
    struct arena *arena = arena_new(MIB);

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct cache_wish wish;
        struct err err = {0};

        EXPECT(!read(arena, refused[i].weir, "", &wish, &err) && err.code == ERR_INVALID &&
                   str_starts(str_from(err.text), str_from(refused[i].want)),
               "%s: %s", refused[i].weir, err.text);
    }
    arena_end(&arena);
}

TEST(sharing_that_is_not_allowed_is_denied)
{
    struct cache_rules rules = {.use = CACHE_ALWAYS, .sampled = CACHE_ALWAYS};
    struct cache_wish wish = {.shared = 1, .ttl = -1, .max_age = -1};
    struct cache_plan plan;
    struct err err = {0};

    EXPECT(!cache_decide(&rules, &wish, false, &plan, &err) && err.code == ERR_DENIED);
}
