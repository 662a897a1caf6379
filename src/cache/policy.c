#include "cache/policy.h"

#define MAX_AGE_MAX ((uint64_t)10 * 365 * 86400) /* seconds; above it any age is meant */

/* ---- Cache-Control (RFC 9111, 5.2.1): what it does not know it ignores ---- */

static void read_directive(struct str directive, struct cache_wish *out)
{
    size_t equals = str_find_char(directive, '=');
    struct str name = str_trim(str_slice(directive, 0, equals));
    struct str value = str_trim(str_slice(directive, equals + 1, directive.len));
    uint64_t seconds;

    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = str_slice(value, 1, value.len - 1);
    if (str_eq_nocase(name, STR("no-store")))
        out->no_store = true;
    else if (str_eq_nocase(name, STR("no-cache")))
        out->refresh = true;
    else if (str_eq_nocase(name, STR("only-if-cached")))
        out->only = true;
    else if (str_eq_nocase(name, STR("max-age")) && u64_parse(value, &seconds)) {
        out->max_age = (dur_ns)MIN_OF(seconds, MAX_AGE_MAX) * SECOND;
        out->refresh |= seconds == 0;
    }
}

/* ---- weir.cache ---- */

static bool read_mode(struct str text, struct cache_wish *out, struct err *err)
{
    static const struct {
        struct str name;
        enum cache_mode mode;
    } modes[] = {{{"on", 2}, CACHE_ON},
                 {{"off", 3}, CACHE_OFF},
                 {{"refresh", 7}, CACHE_REFRESH},
                 {{"only", 4}, CACHE_ONLY}};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (str_eq(text, modes[i].name)) {
            out->mode = modes[i].mode;
            return true;
        }
    return err_set(err, ERR_INVALID,
                   "weir.cache.mode: expected \"on\", \"off\", \"refresh\" or \"only\"");
}

static bool read_tags(struct arena *arena, const struct json *j, json_ref list,
                      struct cache_wish *out, struct err *err)
{
    if (json_kind(j, list) != JSON_ARRAY || json_count(j, list) > CACHE_TAGS_MAX)
        return err_set(err, ERR_INVALID, "weir.cache.tags: expected a list of at most %d tags",
                       CACHE_TAGS_MAX);
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        struct str tag;

        if (!json_str(j, v, arena, &tag) || tag.len == 0 || tag.len > CACHE_TAG_MAX)
            return err_set(err, ERR_INVALID,
                           "weir.cache.tags.%u: expected a string of 1 to %d bytes", out->tag_count,
                           CACHE_TAG_MAX);
        out->tags[out->tag_count++] = tag;
    }
    return true;
}

static bool read_ttl(const struct json *j, json_ref v, struct cache_wish *out, struct err *err)
{
    int64_t seconds;

    if (!json_i64(j, v, &seconds) || seconds < 1 || (uint64_t)seconds > MAX_AGE_MAX)
        return err_set(err, ERR_INVALID, "weir.cache.ttl: expected whole seconds from 1");
    out->ttl = seconds * SECOND;
    return true;
}

static bool read_shared(const struct json *j, json_ref v, struct cache_wish *out, struct err *err)
{
    bool shared;

    if (!json_bool(j, v, &shared))
        return err_set(err, ERR_INVALID, "weir.cache.shared: expected true or false");
    out->shared = shared;
    return true;
}

static bool read_member(struct arena *arena, const struct json *j, json_ref v,
                        struct cache_wish *out, struct err *err)
{
    struct str name = json_key_raw(j, v), text;

    if (str_eq(name, STR("mode")))
        return read_mode(json_str(j, v, arena, &text) ? text : STR_NONE, out, err);
    if (str_eq(name, STR("ttl")))
        return read_ttl(j, v, out, err);
    if (str_eq(name, STR("tags")))
        return read_tags(arena, j, v, out, err);
    if (str_eq(name, STR("shared")))
        return read_shared(j, v, out, err);
    return err_set(err, ERR_INVALID,
                   "weir.cache: unknown member \"" STR_FMT "\"; it knows mode, ttl, tags, shared",
                   STR_ARG(str_slice(name, 0, 40)));
}

static bool read_weir(struct arena *arena, const struct json *body, json_ref cache,
                      struct cache_wish *out, struct err *err)
{
    struct str mode;

    if (json_kind(body, cache) == JSON_STRING) /* "cache": "off" for short */
        return json_str(body, cache, arena, &mode) ? read_mode(mode, out, err)
                                                   : err_arena(err, arena);
    if (json_kind(body, cache) != JSON_OBJECT)
        return json_kind(body, cache) == JSON_NULL ||
               err_set(err, ERR_INVALID, "weir.cache: expected an object");
    for (json_ref v = json_first(body, cache); v; v = json_next(body, v))
        if (!read_member(arena, body, v, out, err))
            return false;
    return true;
}

bool cache_wish_read(struct arena *arena, const struct json *body, json_ref weir,
                     struct str cache_control, struct cache_wish *out, struct err *err)
{
    json_ref cache = weir ? json_get(body, weir, STR("cache")) : 0;
    struct cache_wish wish = {.max_age = -1, .ttl = -1, .shared = -1};

    for (struct str rest = cache_control, one; str_split(&rest, ',', &one);)
        read_directive(one, &wish);
    if (cache && !read_weir(arena, body, cache, &wish, err))
        return false;
    *out = wish;
    return true;
}

/* ---- the decision ---- */

static bool allows(enum cache_rule rule, bool asked)
{
    return rule == CACHE_ALWAYS || (rule == CACHE_ASKED && asked);
}

bool cache_decide(const struct cache_rules *rules, const struct cache_wish *wish, bool sampled,
                  struct cache_plan *out, struct err *err)
{
    bool only = wish->only || wish->mode == CACHE_ONLY;
    bool asked = only || wish->mode == CACHE_ON || wish->mode == CACHE_REFRESH;
    bool refresh = wish->refresh || wish->mode == CACHE_REFRESH;
    bool use = allows(rules->use, asked) && (!sampled || allows(rules->sampled, asked));
    struct cache_plan plan = {.only = only, .max_age = wish->max_age, .ttl = rules->ttl};

    if (wish->shared == 1 && rules->shared == CACHE_NEVER)
        return err_set(err, ERR_DENIED,
                       "weir.cache.shared: sharing answers between tenants is not allowed here "
                       "(setting cache.shared)");
    use = use && !wish->no_store && wish->mode != CACHE_OFF;
    plan.may_read = use && !refresh;
    plan.may_store = use && !only;
    plan.shared = wish->shared != 0 && allows(rules->shared, wish->shared == 1);
    if (wish->ttl >= 0)
        plan.ttl = wish->ttl;
    plan.ttl = MIN_OF(plan.ttl, rules->ttl_max);
    *out = plan;
    return true;
}
