/* file_search of the Responses dialect over the house's own knowledge bases: what is wished, and how it is told. */
#include "base/utf8.h"
#include "models/members.h"
#include "models/responses.h"

#define FILTER_DEPTH 5
#define FILTER_MAX   ((size_t)64 * KIB)
#define STORES_MAX   8u
#define RESULTS_MAX  50
#define OWN_ID_LEN   27u /* "vs_" and 24 hex digits: knowledge/bases.h */

/* ---- filters ---- */

static const char *operator_of(struct str type)
{
    static const char *const known[][2] = {
        {"eq", "equals"},      {"ne", "notEquals"},
        {"gt", "greaterThan"}, {"gte", "greaterThanOrEquals"},
        {"lt", "lessThan"},    {"lte", "lessThanOrEquals"},
        {"in", "in"},          {"nin", "notIn"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(type, str_from(known[i][0])))
            return known[i][1];
    return NULL;
}

static bool write_comparison(const struct json *j, json_ref v, struct str type,
                             struct json_writer *w, struct err *err)
{
    json_ref key = json_get(j, v, STR("key")), value = json_get(j, v, STR("value"));
    const char *name = operator_of(type);

    if (json_count(j, v) > 3)
        return err_set(err, ERR_INVALID,
                       "filters: expected nothing but \"type\", \"key\" and \"value\"");
    if (!name)
        return err_set(err, ERR_INVALID,
                       "filters: type \"" STR_FMT
                       "\" is none of eq, ne, gt, gte, lt, lte, in, nin, and, or",
                       STR_ARG(str_slice(type, 0, 40)));
    if (json_kind(j, key) != JSON_STRING || !value)
        return err_set(err, ERR_INVALID, "filters: expected \"key\" and \"value\" beside \"type\"");
    jw_object(w);
    jw_key(w, name);
    jw_object(w);
    jw_key(w, "key"), jw_raw(w, json_raw(j, key));
    jw_key(w, "value"), jw_raw(w, json_raw(j, value));
    jw_object_end(w);
    jw_object_end(w);
    return true;
}

static bool write_filter(struct arena *arena, const struct json *j, json_ref v, int depth,
                         struct json_writer *w, struct err *err)
{
    json_ref parts = json_get(j, v, STR("filters"));
    struct str type = STR("");

    if (!json_str(j, json_get(j, v, STR("type")), arena, &type))
        return err_set(err, ERR_INVALID, "filters: expected an object with \"type\"");
    bool all = str_eq(type, STR("and"));
    if (!all && !str_eq(type, STR("or")))
        return write_comparison(j, v, type, w, err);
    if (depth == FILTER_DEPTH || json_kind(j, parts) != JSON_ARRAY || json_count(j, parts) == 0)
        return err_set(err, ERR_INVALID,
                       "filters: expected a list of filters, nested at most %d deep", FILTER_DEPTH);
    if (json_count(j, parts) == 1)
        return write_filter(arena, j, json_first(j, parts), depth + 1, w, err);
    jw_object(w);
    jw_key(w, all ? "andAll" : "orAll");
    jw_array(w);
    for (json_ref part = json_first(j, parts); part; part = json_next(j, part))
        if (!write_filter(arena, j, part, depth + 1, w, err))
            return false;
    jw_array_end(w);
    jw_object_end(w);
    return true;
}

bool responses_filter(struct arena *arena, const struct json *j, json_ref v, struct str *out,
                      struct err *err)
{
    struct json_writer w;
    struct buf b;

    *out = STR("");
    if (!v || json_kind(j, v) == JSON_NULL)
        return true;
    buf_init(&b, arena, FILTER_MAX);
    jw_init(&w, &b);
    return write_filter(arena, j, v, 0, &w, err) && buf_finish(&b, out, err);
}

static bool read_ranker(struct arena *arena, const struct json *j, json_ref v,
                        struct store_ranking *out, struct err *err)
{
    struct str name;

    if (!json_str(j, v, arena, &name) ||
        (!str_eq(name, STR("auto")) && !str_eq(name, STR("none")) &&
         !str_eq(name, STR("default-2024-11-15"))))
        return err_set(
            err, ERR_INVALID,
            "ranking_options.ranker: expected \"auto\", \"default-2024-11-15\" or \"none\"");
    out->unranked = str_eq(name, STR("none"));
    return true;
}

bool responses_read_ranking(struct arena *arena, const struct json *j, json_ref v,
                            struct store_ranking *out, struct err *err)
{
    *out = (struct store_ranking){0};
    if (v && json_kind(j, v) != JSON_NULL && json_kind(j, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "ranking_options: expected an object");
    for (json_ref m = json_first(j, v); m; m = json_next(j, m)) {
        struct str key = json_key_raw(j, m);

        if (json_kind(j, m) == JSON_NULL)
            continue;
        if (str_eq(key, STR("ranker"))) {
            if (!read_ranker(arena, j, m, out, err))
                return false;
        } else if (str_eq(key, STR("score_threshold"))) {
            if (!json_f64(j, m, &out->least) || !(out->least >= 0 && out->least <= 1))
                return err_set(err, ERR_INVALID,
                               "ranking_options.score_threshold: expected a number from 0 to 1");
        } else if (str_eq(key, STR("hybrid_search"))) {
            return err_set(err, ERR_INVALID,
                           "ranking_options.hybrid_search: words and vectors are weighed as "
                           "learned, or as knowledge.vector_weight says");
        } else {
            return err_set(err, ERR_INVALID, "ranking_options." STR_FMT ": not known",
                           STR_ARG(str_slice(key, 0, 40)));
        }
    }
    return true;
}

/* ---- what is wished ---- */

/* Ids that a provider gave are a provider's: they are longer. */
static bool is_ours(struct str id)
{
    return !str_starts(id, STR("vs_")) || id.len == OWN_ID_LEN;
}

static bool any_is_ours(const struct json *j, json_ref ids, struct arena *arena)
{
    struct str id;

    for (json_ref v = json_first(j, ids); v; v = json_next(j, v))
        if (json_str(j, v, arena, &id) && is_ours(id))
            return true;
    return false;
}

static bool read_members(struct field_reader *r, json_ref v, struct responses_search *out,
                         struct err *err)
{
    const struct json *j = r->json;

    for (json_ref m = json_first(j, v); m; m = json_next(j, m)) {
        struct str key = json_key_raw(j, m);

        if (str_eq(key, STR("type")) || json_kind(j, m) == JSON_NULL)
            continue;
        if (str_eq(key, STR("vector_store_ids")))
            out->ids = json_raw(j, m);
        else if (str_eq(key, STR("filters"))) {
            if (!responses_filter(r->arena, j, m, &out->filter, err))
                return false;
        } else if (str_eq(key, STR("ranking_options"))) {
            if (!responses_read_ranking(r->arena, j, m, &out->ranking, err))
                return false;
        } else if (str_eq(key, STR("max_num_results"))) {
            if (!json_i64(j, m, &out->most) || out->most < 1 || out->most > RESULTS_MAX)
                return err_set(err, ERR_INVALID, "max_num_results: expected 1 to %d", RESULTS_MAX);
        } else {
            return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is not known of file_search",
                           STR_ARG(str_slice(key, 0, 40)));
        }
    }
    return true;
}

bool responses_read_search(struct field_reader *r, json_ref v, bool *ours, struct err *err)
{
    struct responses_asked *asked = r->to->own;
    json_ref ids = json_get(r->json, v, STR("vector_store_ids"));
    struct responses_search *search;

    *ours =
        member_is(r->json, v, "type", STR("file_search")) && any_is_ours(r->json, ids, r->arena);
    if (!*ours)
        return true;
    if (asked->search)
        return err_set(err, ERR_INVALID, "tools: more than one file_search");
    if (json_count(r->json, ids) > STORES_MAX)
        return err_set(err, ERR_INVALID, "tools: file_search takes at most %u vector stores",
                       STORES_MAX);
    search = arena_alloc(r->arena, sizeof *search);
    if (!search)
        return err_arena(err, r->arena);
    asked->search = search;
    return read_members(r, v, search, err) || err_wrap(err, "tools: file_search");
}

bool responses_search_wish(struct arena *arena, const struct responses_search *search,
                           const struct json *j, json_ref weir, struct json **out, struct err *err)
{
    struct json_writer w;
    struct str text;
    struct buf b;

    if (json_get(j, weir, STR("knowledge")) || json_get(j, weir, STR("filter")))
        return err_set(err, ERR_INVALID,
                       "weir.knowledge and weir.filter: file_search says which documents");
    buf_init(&b, arena, MIB);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "weir");
    jw_object(&w);
    for (json_ref m = json_first(j, weir); m; m = json_next(j, m)) {
        jw_key_raw(&w, json_key_raw(j, m));
        jw_raw(&w, json_raw(j, m));
    }
    jw_key(&w, "knowledge"), jw_raw(&w, search->ids);
    if (search->filter.len > 0)
        jw_key(&w, "filter"), jw_raw(&w, search->filter);
    if (search->most > 0)
        jw_key(&w, "passages"), jw_i64(&w, search->most);
    jw_key(&w, "score_threshold"), jw_f64(&w, search->ranking.least);
    if (search->ranking.unranked)
        jw_key(&w, "ranker"), jw_cstr(&w, "none");
    jw_object_end(&w);
    jw_object_end(&w);
    return buf_finish(&b, &text, err) && (*out = json_parse(arena, text, err)) != NULL;
}

/* ---- how it is told ---- */

static void write_hit(struct json_writer *w, const struct responses_hit *hit)
{
    jw_object(w);
    jw_text(w, "file_id", hit->file);
    jw_text(w, "filename", hit->name);
    jw_key(w, "score"), jw_f64(w, (double)(int64_t)(hit->score * 10000) / 10000);
    jw_text(w, "text", hit->text);
    jw_key(w, "attributes");
    jw_raw(w, hit->attributes.len > 0 ? hit->attributes : STR("{}"));
    jw_object_end(w);
}

void responses_write_search(struct json_writer *w, const struct responses_search *search,
                            bool whole)
{
    jw_key(w, "queries");
    jw_array(w);
    if (search->query.len > 0)
        jw_str(w, search->query);
    jw_array_end(w);
    jw_key(w, "results");
    if (!whole || !search->shows) {
        jw_null(w);
        return;
    }
    jw_array(w);
    for (size_t i = 0; i < search->hit_count; i++)
        write_hit(w, &search->hits[i]);
    jw_array_end(w);
}

/* The mark "[1]" of passage 1 in the text: where it stands, in characters. */
bool responses_search_cited(const struct responses_search *search, size_t i, struct str text,
                            struct arena *arena, struct str *out, struct err *err)
{
    struct str mark = arena_fmt(arena, "[%zu]", i + 1);
    const struct responses_hit *hit = &search->hits[i];
    struct json_writer w;
    struct buf b;

    *out = STR_NONE;
    if (!mark.ptr)
        return err_arena(err, arena);
    size_t at = str_find(text, mark);
    if (at == text.len)
        return true;
    buf_init(&b, arena, 8 * KIB);
    jw_init(&w, &b);
    jw_object(&w);
    jw_text(&w, "type", STR("file_citation"));
    jw_key(&w, "index"), jw_u64(&w, utf8_count(str_slice(text, 0, at)));
    jw_text(&w, "file_id", hit->file);
    jw_text(&w, "filename", hit->name);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}
