/* /v1/vector_stores: knowledge bases in the words of OpenAI's SDKs. */
#include "app/v1.h"
#include "base/table.h"
#include "knowledge/likely.h"
#include "models/store_filter.h"
#include "sys/clock.h"

#define RESULTS     10
#define RESULTS_MAX 50
#define QUERIES_MAX 8

#define METADATA_HELP "At most 16 strings, 512 characters each, under keys of at most 64."
#define EXPIRES_HELP  "{\"anchor\": \"last_active_at\", \"days\": 1 to 365}."

static const struct schema_field create_fields[] = {
    {"name", FIELD_PROSE, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, BASE_TITLE_MAX, NULL, NULL},
    {"description", FIELD_PROSE, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, BASE_DESCRIPTION_MAX, NULL,
     NULL},
    {"file_ids", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST, NULL, 1, 100, NULL, NULL},
    {"metadata", FIELD_ANY, FIELD_OPTIONAL, METADATA_HELP, 0, 0, NULL, NULL},
    {"expires_after", FIELD_ANY, FIELD_OPTIONAL, EXPIRES_HELP, 0, 0, NULL, NULL},
    {"chunking_strategy", FIELD_ANY, FIELD_OPTIONAL, "Of files that say none: " V1_CHUNKING_HELP, 0,
     0, NULL, NULL},
    {0},
};
static const struct schema create_schema = {"VectorStoreCreate", "A vector store to make.",
                                            create_fields, NULL};
static const struct schema_field change_fields[] = {
    {"name", FIELD_PROSE, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, BASE_TITLE_MAX, NULL, NULL},
    {"metadata", FIELD_ANY, FIELD_OPTIONAL, METADATA_HELP, 0, 0, NULL, NULL},
    {"expires_after", FIELD_ANY, FIELD_OPTIONAL, EXPIRES_HELP " null: never.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema change_schema = {"VectorStoreChange", "What is to be said of it.",
                                            change_fields, NULL};
static const struct schema_field search_fields[] = {
    {"query", FIELD_ANY, 0, "A text, or a list of at most 8: what each finds, in turn.", 0, 0, NULL,
     NULL},
    {"max_num_results", FIELD_COUNT, FIELD_OPTIONAL, "10 when not said.", 1, RESULTS_MAX, NULL,
     NULL},
    {"filters", FIELD_ANY, FIELD_OPTIONAL, "eq ne gt gte lt lte in nin, joined by and, or.", 0, 0,
     NULL, NULL},
    {"rewrite_query", FIELD_BOOL, FIELD_OPTIONAL, "Only false: it is asked as it stands.", 0, 0,
     NULL, NULL},
    {"ranking_options", FIELD_ANY, FIELD_OPTIONAL,
     "{\"ranker\": \"auto\", \"default-2024-11-15\" or \"none\", \"score_threshold\": 0 to 1}.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema search_schema = {"VectorStoreSearch", "What to look for.", search_fields,
                                            NULL};

/* ---- a store ---- */

struct store {
    struct base_info info;
    struct v1_counts counts;
    const char *damage; /* why its files cannot be counted; NULL: they are */
};

static void write_expiry(struct json_writer *w, const struct base_info *info)
{
    wall_ms at = base_expires_at(info);

    jw_key(w, "expires_after");
    if (at) {
        jw_object(w);
        reply_text(w, "anchor", STR("last_active_at"));
        reply_count(w, "days", info->life.days);
        jw_object_end(w);
    } else {
        jw_null(w);
    }
    jw_key(w, "expires_at");
    if (at)
        jw_i64(w, at / 1000);
    else
        jw_null(w);
}

static void write_store(struct json_writer *w, const void *what)
{
    const struct store *s = what;
    const struct base_life *life = &s->info.life;
    wall_ms created = s->info.created / 1000;
    bool busy = s->counts.states[ATTACH_IN_PROGRESS] > 0;

    jw_object(w);
    reply_text(w, "id", s->info.id);
    reply_text(w, "object", STR("vector_store"));
    reply_count(w, "created_at", created);
    reply_text(w, "name", s->info.title.len > 0 ? s->info.title : s->info.name);
    jw_key(w, "description");
    if (life->description.len > 0)
        jw_str(w, life->description);
    else
        jw_null(w);
    reply_count(w, "usage_bytes", (int64_t)s->counts.bytes);
    v1_write_counts(w, &s->counts);
    reply_text(w, "status",
               base_is_expired(&s->info, clock_wall()) ? STR("expired")
               : busy || s->damage                     ? STR("in_progress")
                                                       : STR("completed"));
    write_expiry(w, &s->info);
    reply_count(w, "last_active_at", life->used ? life->used / 1000 : created);
    jw_key(w, "metadata");
    jw_raw(w, s->info.metadata.len > 0 ? s->info.metadata : STR("{}"));
    if (s->damage) {
        jw_key(w, "weir");
        jw_object(w);
        reply_text(w, "damage", str_from(s->damage));
        jw_object_end(w);
    }
    jw_object_end(w);
}

/* Damage of one base is told where that one stands, and holds up none of the others. */
static SUSPENDS bool read_store(struct admin_call *call, struct base *base, struct store *out,
                                struct err *err)
{
    struct err why = {0};

    *out = (struct store){0};
    if (!base_info(base, call->arena, &out->info, err))
        return false;
    if (v1_count(call, base, &out->counts, &why))
        return true;
    if (why.code != ERR_UNAVAILABLE) {
        *err = why;
        return false;
    }
    out->counts = (struct v1_counts){0};
    out->damage = arena_str(call->arena, str_from(why.text)).ptr;
    return out->damage || err_arena(err, call->arena);
}

static SUSPENDS bool attach_all(struct admin_call *call, struct base *base,
                                struct chunking chunking, struct err *err)
{
    struct str *ids = NULL;
    size_t count = 0;

    if (!field_list(call, "file_ids", &ids, &count, err))
        return false;
    struct attached *files = arena_array(call->arena, count + 1, sizeof *files);
    if (!files)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < count; i++)
        files[i] = (struct attached){.file = ids[i],
                                     .code = STR(""),
                                     .message = STR(""),
                                     .attributes = STR(""),
                                     .chunking = chunking,
                                     .created = clock_wall()};
    return count == 0 || v1_attach(call, base, files, count, err);
}

/* It was never there; where that cannot be had, who asked is told of it. */
static SUSPENDS bool unmake(struct base **base, struct str id, struct err *err)
{
    struct base_removed removed;
    struct err left = {0};

    if (base_delete(base, NULL, &removed, &left))
        return false;
    return err_wrap(err,
                    "vector store " STR_FMT " was made and could not be removed again (%.80s): "
                    "delete it",
                    STR_ARG(id), left.text);
}

static bool create(struct admin_call *call, struct err *err)
{
    struct base_info wish = {.tenant = call->who->tenant, .title = STR("")}, made;
    struct base *base CLEANUP(base_release) = NULL;
    struct store store;

    struct chunking chunking = {0};
    struct v1_expiry expiry;

    if (!v1_chunking(call, call->body, json_root(call->body), &chunking, err) ||
        !v1_expires_after(call, &expiry, err) || !field_text(call, "name", &wish.title, err) ||
        !field_text(call, "description", &wish.life.description, err) ||
        !v1_metadata(call, &wish.metadata, err))
        return false;
    wish.life.days = expiry.days;
    wish.life.chunking = chunking;
    if (!wish.metadata.ptr)
        wish.metadata = STR("");
    if (!bases_create(call->house->bases, call->arena, &wish, &made, err) ||
        !bases_borrow(call->house->bases, made.id, call->who, &base, err))
        return false;
    if (!attach_all(call, base, chunking, err))
        return unmake(&base, made.id, err);
    call->note = arena_fmt(call->arena, "knowledge base " STR_FMT " created", STR_ARG(made.id));
    if (!read_store(call, base, &store, err))
        return false;
    write_store(&call->reply, &store);
    return true;
}

/* Those of the page are opened, not all. */
static SUSPENDS bool read_page(struct admin_call *call, struct v1_page *page, struct err *err)
{
    struct store *stores = arena_array(call->arena, page->count + 1, sizeof *stores);
    size_t seen = 0;

    if (!stores)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < page->count; i++) {
        struct base *base CLEANUP(base_release) = NULL;
        struct err gone = {0};

        if (!bases_borrow(call->house->bases, page->items[i].id, call->who, &base, &gone)) {
            if (gone.code == ERR_NOT_FOUND) /* deleted meanwhile */
                continue;
            *err = gone;
            return false;
        }
        if (!read_store(call, base, &stores[seen], err))
            return false;
        page->items[seen] = page->items[i];
        page->items[seen].what = &stores[seen];
        seen++;
    }
    page->count = seen;
    return true;
}

/* Who may not ask it is shown it only where they may change it: base_may_be_asked(), without opening it. */
static bool may_list(struct admin_call *call, const struct base_info *info)
{
    struct str model;

    if (info->is_default || base_may_change(info, call->who))
        return true;
    model = bases_model_name(call->house->bases, call->arena, info->name);
    return model.ptr && principal_may_ask(call->who, model);
}

static bool list(struct admin_call *call, struct err *err)
{
    struct base_info *bases;
    struct v1_page page;
    size_t count;

    if (!bases_list(call->house->bases, call->arena, call->who, &bases, &count, err))
        return false;
    struct v1_item *items = arena_array(call->arena, count + 1, sizeof *items);
    if (!items)
        return err_arena(err, call->arena);
    size_t seen = 0;
    for (size_t i = 0; i < count; i++)
        if (may_list(call, &bases[i]))
            items[seen++] = (struct v1_item){bases[i].id, bases[i].created, &bases[i]};
    if (!v1_choose(call, STR(""), items, seen, &page, err) || !read_page(call, &page, err))
        return false;
    v1_tell(call, &page, write_store);
    return true;
}

static bool show(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct store store;

    if (!v1_store(call, false, &base, err) || !read_store(call, base, &store, err))
        return false;
    write_store(&call->reply, &store);
    return true;
}

/* A name that is null is none: it is called by its id again. */
static bool change(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct base_changes changes = {.title = field_given(call, "name") ? STR("") : STR_NONE};
    struct v1_expiry expiry;
    struct store store;

    if (!v1_store(call, true, &base, err) || !v1_expires_after(call, &expiry, err) ||
        !field_text(call, "name", &changes.title, err) ||
        !v1_metadata(call, &changes.metadata, err))
        return false;
    changes.says_days = expiry.said;
    changes.days = expiry.days;
    if (!base_change(base, &changes, err) || !read_store(call, base, &store, err))
        return false;
    call->note =
        arena_fmt(call->arena, "knowledge base " STR_FMT " changed", STR_ARG(store.info.id));
    write_store(&call->reply, &store);
    return true;
}

/* Its files stay on the shelf, as the dialect has it. */
static bool delete_store(struct admin_call *call, struct err *err)
{
    struct forget_order order = {.whole = true, .keep_files = true};
    struct base *base CLEANUP(base_release) = NULL;

    if (!call_base(call, call->values[0], true, &base, err)) /* also one that has expired */
        return false;
    order.base = arena_str(call->arena, base_id(base));
    if (!order.base.ptr)
        return err_arena(err, call->arena);
    if (str_eq(order.base, BASE_DEFAULT))
        return err_set(err, ERR_INVALID, "the default knowledge base stays");
    base_release(&base); /* who deletes it waits until nobody is in it */
    return v1_forget(call, &order, order.base, "vector_store.deleted", err);
}

/* ---- search ---- */

static bool read_filters(struct admin_call *call, struct str *out, struct err *err)
{
    json_ref v = json_get(call->body, json_root(call->body), STR("filters"));

    return responses_filter(call->arena, call->body, v, out, err);
}

static bool read_options(struct admin_call *call, struct asking *out, struct err *err)
{
    const struct json *j = call->body;
    json_ref v = json_get(j, json_root(j), STR("ranking_options"));
    struct store_ranking ranking;
    bool rewrite = false;

    field_bool(call, "rewrite_query", &rewrite);
    if (rewrite)
        return err_set(err, ERR_INVALID,
                       "rewrite_query: the query is asked as it stands: expected false");
    if (!responses_read_ranking(call->arena, j, v, &ranking, err))
        return false;
    out->scored = true;
    out->least = ranking.least;
    out->unranked = ranking.unranked;
    return true;
}

/* A text, or several. */
static bool read_queries(struct admin_call *call, struct str out[QUERIES_MAX], size_t *count,
                         struct err *err)
{
    const struct json *j = call->body;
    json_ref v = json_get(j, json_root(j), STR("query"));
    bool several = json_kind(j, v) == JSON_ARRAY;

    *count = several ? json_count(j, v) : 1;
    if (*count > 0 && *count <= QUERIES_MAX) {
        v = several ? json_first(j, v) : v;
        for (size_t i = 0; i < *count; i++, v = json_next(j, v))
            if (!json_str(j, v, call->arena, &out[i]) || out[i].len == 0)
                return err_set(err, ERR_INVALID, "query: expected texts that are not empty");
        return true;
    }
    return err_set(err, ERR_INVALID, "query: expected a text, or a list of 1 to %d", QUERIES_MAX);
}

struct hit {
    const struct json *j;
    json_ref at;
};

static void write_hit(struct json_writer *w, const struct hit *hit, float score)
{
    const struct json *j = hit->j;
    json_ref file = json_get(j, hit->at, STR("file")),
             metadata = json_get(j, hit->at, STR("metadata"));

    jw_object(w);
    jw_key(w, "file_id");
    jw_raw(w, json_raw(j, file ? file : json_get(j, hit->at, STR("document"))));
    jw_key(w, "filename"), jw_raw(w, json_raw(j, json_get(j, hit->at, STR("path"))));
    jw_key(w, "score"), jw_f64(w, (double)(int64_t)(score * 10000 + 0.5f) / 10000);
    jw_key(w, "attributes"), jw_raw(w, metadata ? json_raw(j, metadata) : STR("{}"));
    jw_key(w, "content");
    jw_array(w);
    jw_object(w);
    reply_text(w, "type", STR("text"));
    jw_key(w, "text"), jw_raw(w, json_raw(j, json_get(j, hit->at, STR("quote"))));
    jw_object_end(w);
    jw_array_end(w);
    jw_object_end(w);
}

/* What several queries found: the best of each come first, then the second of each, so that none crowds out another; a
 * passage that two found is told once. Scores never rise along that either: likely_pool(). */
struct found_by {
    struct json *told;
    json_ref next;
};

static bool is_told(struct admin_call *call, struct table *told, const struct hit *hit, bool *out,
                    struct err *err)
{
    const struct json *j = hit->j;
    struct str key = arena_fmt(call->arena, STR_FMT " " STR_FMT,
                               STR_ARG(json_raw(j, json_get(j, hit->at, STR("document")))),
                               STR_ARG(json_raw(j, json_get(j, hit->at, STR("bytes")))));

    if (!key.ptr)
        return err_arena(err, call->arena);
    *out = table_get(told, key) != NULL;
    return *out || table_put(told, key, told, NULL) || err_arena(err, call->arena);
}

/* Places in turn, up to `most` hits. */
static bool take_turns(struct admin_call *call, struct found_by *found, size_t count, size_t most,
                       struct hit *hits, size_t *hit_count, struct err *err)
{
    struct table told;
    bool more = true;

    table_init(&told, call->arena, 64);
    while (more && *hit_count < most) {
        more = false;
        for (size_t i = 0; i < count && *hit_count < most; i++) {
            struct hit hit = {found[i].told, found[i].next};
            bool twice = false;

            if (!hit.at)
                continue;
            more = true;
            found[i].next = json_next(hit.j, hit.at);
            if (!is_told(call, &told, &hit, &twice, err))
                return false;
            if (!twice)
                hits[(*hit_count)++] = hit;
        }
    }
    return true;
}

static bool write_hits(struct admin_call *call, struct found_by *found, size_t count, int64_t most,
                       struct err *err)
{
    struct hit hits[RESULTS_MAX];
    float scores[RESULTS_MAX];
    size_t hit_count = 0;

    if (!take_turns(call, found, count, (size_t)most, hits, &hit_count, err))
        return false;
    for (size_t i = 0; i < hit_count; i++) {
        double score = 0;

        (void)!json_f64(hits[i].j, json_get(hits[i].j, hits[i].at, STR("likely")), &score);
        scores[i] = (float)score;
    }
    likely_pool(scores, hit_count);
    for (size_t i = 0; i < hit_count; i++)
        write_hit(&call->reply, &hits[i], scores[i]);
    return true;
}

static void write_warnings(struct json_writer *w, const struct found_by *found, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++)
        any |= json_path(found[i].told, "weir.warnings") != 0;
    if (!any)
        return;
    jw_key(w, "weir");
    jw_object(w);
    jw_key(w, "warnings");
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        const struct json *j = found[i].told;

        for (json_ref v = json_first(j, json_path(j, "weir.warnings")); v; v = json_next(j, v))
            jw_raw(w, json_raw(j, v));
    }
    jw_array_end(w);
    jw_object_end(w);
}

static bool search(struct admin_call *call, struct err *err)
{
    struct asking asking = {.search = RESULTS, .base = call->values[0]};
    struct str queries[QUERIES_MAX];
    struct found_by found[QUERIES_MAX];
    struct json_writer *w = &call->reply;
    size_t count;

    field_count(call, "max_num_results", &asking.search);
    if (!read_queries(call, queries, &count, err) || !read_options(call, &asking, err) ||
        !read_filters(call, &asking.filter, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        asking.text = queries[i];
        if (!call_ask(call, &asking, &found[i].told, err))
            return false;
        found[i].next = json_first(found[i].told, json_path(found[i].told, "weir.citations"));
    }
    jw_object(w);
    reply_text(w, "object", STR("vector_store.search_results.page"));
    jw_key(w, "search_query");
    jw_array(w);
    for (size_t i = 0; i < count; i++)
        jw_str(w, queries[i]);
    jw_array_end(w);
    jw_key(w, "data");
    jw_array(w);
    if (!write_hits(call, found, count, asking.search, err))
        return false;
    jw_array_end(w);
    reply_bool(w, "has_more", false);
    jw_key(w, "next_page"), jw_null(w);
    write_warnings(w, found, count);
    jw_object_end(w);
    return true;
}

#define JSON_REPLY "application/json"

static const struct admin_route routes[] = {
    {"POST", "/v1/vector_stores", "Make a vector store", RIGHT_BASES, create, &create_schema, NULL,
     0, false, NULL, JSON_REPLY, false},
    {"GET", "/v1/vector_stores", "List vector stores", RIGHT_ASK, list, NULL, NULL, 0, false,
     v1_list_query, JSON_REPLY, false},
    {"GET", "/v1/vector_stores/{id}", "Show a vector store", RIGHT_ASK, show, NULL, NULL, 0, false,
     NULL, JSON_REPLY, false},
    {"POST", "/v1/vector_stores/{id}", "Change what is said of a vector store", RIGHT_BASES, change,
     &change_schema, NULL, 0, false, NULL, JSON_REPLY, false},
    {"DELETE", "/v1/vector_stores/{id}", "Delete a vector store", RIGHT_BASES, delete_store, NULL,
     NULL, 0, false, NULL, JSON_REPLY, false},
    {"POST", "/v1/vector_stores/{id}/search", "Search a vector store", RIGHT_ASK, search,
     &search_schema, NULL, 0, false, NULL, JSON_REPLY, false},
};
const struct admin_part v1_stores_part = {
    "vector_stores", "Knowledge bases, as OpenAI's SDKs know them.", routes, ARRAY_LEN(routes)};
