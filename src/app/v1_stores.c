/* /v1/vector_stores: knowledge bases in the words of OpenAI's SDKs. */
#include "app/v1.h"
#include "base/table.h"
#include "models/store_filter.h"
#include "sys/clock.h"

#define RESULTS       10
#define RESULTS_MAX   50
#define METADATA_KEYS 16
#define QUERIES_MAX   8

static const struct schema_field create_fields[] = {
    {"name", FIELD_PROSE, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, BASE_TITLE_MAX, NULL, NULL},
    {"description", FIELD_PROSE, FIELD_OPTIONAL | FIELD_NULL, "Not kept: only an empty one.", 0, 0,
     NULL, NULL},
    {"file_ids", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST, NULL, 1, 100, NULL, NULL},
    {"metadata", FIELD_ANY, FIELD_OPTIONAL, "An object of strings.", 0, 0, NULL, NULL},
    {"expires_after", FIELD_ANY, FIELD_OPTIONAL, "Refused: stores stay until they are deleted.", 0,
     0, NULL, NULL},
    {"chunking_strategy", FIELD_ANY, FIELD_OPTIONAL, "Only {\"type\": \"auto\"}.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema create_schema = {"VectorStoreCreate", "A vector store to make.",
                                            create_fields, NULL};
static const struct schema_field change_fields[] = {
    {"name", FIELD_PROSE, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, BASE_TITLE_MAX, NULL, NULL},
    {"metadata", FIELD_ANY, FIELD_OPTIONAL, "An object of strings.", 0, 0, NULL, NULL},
    {"expires_after", FIELD_ANY, FIELD_OPTIONAL, "Refused unless null.", 0, 0, NULL, NULL},
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
     "Only {\"ranker\": \"auto\" or \"none\", \"score_threshold\": 0}.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema search_schema = {"VectorStoreSearch", "What to look for.", search_fields,
                                            NULL};

/* ---- a store ---- */

struct store {
    struct base_info info;
    struct v1_counts counts;
};

static void write_store(struct json_writer *w, const void *what)
{
    const struct store *s = what;
    wall_ms created = s->info.created / 1000;
    bool busy = s->counts.states[ATTACH_IN_PROGRESS] > 0;

    jw_object(w);
    reply_text(w, "id", s->info.id);
    reply_text(w, "object", STR("vector_store"));
    reply_count(w, "created_at", created);
    reply_text(w, "name", s->info.title.len > 0 ? s->info.title : s->info.name);
    reply_count(w, "usage_bytes", (int64_t)s->counts.bytes);
    v1_write_counts(w, &s->counts);
    reply_text(w, "status", busy ? STR("in_progress") : STR("completed"));
    jw_key(w, "expires_after"), jw_null(w);
    jw_key(w, "expires_at"), jw_null(w);
    reply_count(w, "last_active_at", created);
    jw_key(w, "metadata");
    jw_raw(w, s->info.metadata.len > 0 ? s->info.metadata : STR("{}"));
    jw_object_end(w);
}

static SUSPENDS bool read_store(struct admin_call *call, struct base *base, struct store *out,
                                struct err *err)
{
    return base_info(base, call->arena, &out->info, err) && v1_count(call, base, &out->counts, err);
}

/* An object of strings, as the dialect has it. */
static bool read_words(struct admin_call *call, struct str *out, struct err *err)
{
    const struct json *j = call->body;
    json_ref v = json_get(j, json_root(j), STR("metadata"));

    *out = STR_NONE;
    if (!v || json_kind(j, v) == JSON_NULL)
        return true;
    if (json_kind(j, v) != JSON_OBJECT || json_count(j, v) > METADATA_KEYS)
        return err_set(err, ERR_INVALID, "metadata: expected an object of at most %d strings",
                       METADATA_KEYS);
    for (json_ref m = json_first(j, v); m; m = json_next(j, m))
        if (json_kind(j, m) != JSON_STRING || json_raw(j, m).len > 514)
            return err_set(err, ERR_INVALID,
                           "metadata: expected strings of at most 512 characters");
    *out = json_raw(j, v);
    return true;
}

static SUSPENDS bool attach_all(struct admin_call *call, struct base *base, struct err *err)
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

    struct str description = STR("");

    if (!v1_check_strategy(call, err) || !field_text(call, "name", &wish.title, err) ||
        !field_text(call, "description", &description, err))
        return false;
    if (description.len > 0)
        return err_set(err, ERR_INVALID, "description: Weir keeps none: say it in metadata");
    if (!read_words(call, &wish.metadata, err))
        return false;
    if (!wish.metadata.ptr)
        wish.metadata = STR("");
    if (!bases_create(call->house->bases, call->arena, &wish, &made, err) ||
        !bases_borrow(call->house->bases, made.id, call->who, &base, err))
        return false;
    if (!attach_all(call, base, err))
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

        if (!bases_borrow(call->house->bases, page->items[i].id, call->who, &base, &gone))
            continue; /* deleted meanwhile */
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

static bool change(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct str title = STR_NONE, words;
    struct store store;

    if (!v1_store(call, true, &base, err) || !v1_check_strategy(call, err) ||
        !field_text(call, "name", &title, err) || !read_words(call, &words, err) ||
        !base_change(base, title, words, err) || !read_store(call, base, &store, err))
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

    if (!v1_store(call, true, &base, err))
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

static bool check_options(struct admin_call *call, struct err *err)
{
    const struct json *j = call->body;
    json_ref ranking = json_get(j, json_root(j), STR("ranking_options"));
    bool rewrite = false;

    field_bool(call, "rewrite_query", &rewrite);
    if (rewrite)
        return err_set(err, ERR_INVALID,
                       "rewrite_query: the query is asked as it stands: expected false");
    return responses_check_ranking(call->arena, j, ranking, err);
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

static void write_hit(struct admin_call *call, const struct json *j, json_ref hit)
{
    struct json_writer *w = &call->reply;
    json_ref file = json_get(j, hit, STR("file")), metadata = json_get(j, hit, STR("metadata"));

    jw_object(w);
    jw_key(w, "file_id");
    jw_raw(w, json_raw(j, file ? file : json_get(j, hit, STR("document"))));
    jw_key(w, "filename"), jw_raw(w, json_raw(j, json_get(j, hit, STR("path"))));
    jw_key(w, "score"), jw_raw(w, json_raw(j, json_get(j, hit, STR("score"))));
    jw_key(w, "attributes"), jw_raw(w, metadata ? json_raw(j, metadata) : STR("{}"));
    jw_key(w, "content");
    jw_array(w);
    jw_object(w);
    reply_text(w, "type", STR("text"));
    jw_key(w, "text"), jw_raw(w, json_raw(j, json_get(j, hit, STR("quote"))));
    jw_object_end(w);
    jw_array_end(w);
    jw_object_end(w);
}

/* What several queries found: scores of two queries have no common scale, so the best of each come first, then the second
 * of each. A passage that two found is told once. */
struct found_by {
    struct json *told;
    json_ref next;
};

static bool is_told(struct admin_call *call, struct table *told, const struct json *j, json_ref hit,
                    bool *out, struct err *err)
{
    struct str key = arena_fmt(call->arena, STR_FMT " " STR_FMT,
                               STR_ARG(json_raw(j, json_get(j, hit, STR("document")))),
                               STR_ARG(json_raw(j, json_get(j, hit, STR("bytes")))));

    if (!key.ptr)
        return err_arena(err, call->arena);
    *out = table_get(told, key) != NULL;
    return *out || table_put(told, key, told, NULL) || err_arena(err, call->arena);
}

static bool write_hits(struct admin_call *call, struct found_by *found, size_t count, int64_t most,
                       struct err *err)
{
    struct table told;
    bool more = true;

    table_init(&told, call->arena, 64);
    for (int64_t given = 0; more && given < most;) {
        more = false;
        for (size_t i = 0; i < count && given < most; i++) {
            const struct json *j = found[i].told;
            json_ref hit = found[i].next;
            bool twice = false;

            if (!hit)
                continue;
            more = true;
            found[i].next = json_next(j, hit);
            if (!is_told(call, &told, j, hit, &twice, err))
                return false;
            if (!twice)
                write_hit(call, j, hit), given++;
        }
    }
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
    if (!read_queries(call, queries, &count, err) || !check_options(call, err) ||
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
