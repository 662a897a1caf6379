#include "app/v1.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "knowledge/metadata.h"

#define LIMIT_DEFAULT  20
#define SHELF          "files"
/* Of metadata and attributes, as the dialect bounds them. */
#define PAIRS_MAX      16
#define PAIR_KEY_MAX   64
#define PAIR_VALUE_MAX 512

/* ---- on the pool ---- */

struct job {
    bool (*fn)(void *arg, struct err *err);
    void *arg;
    struct err *err;
    bool ok;
};

static void run(void *arg)
{
    struct job *job = arg;

    job->ok = job->fn(job->arg, job->err);
}

bool v1_block(struct admin_call *call, bool (*fn)(void *arg, struct err *err), void *arg,
              struct err *err)
{
    struct job job = {.fn = fn, .arg = arg, .err = err};

    return pool_run(call->house->documents, run, &job, err) && job.ok;
}

const char *v1_shelf(struct admin_call *call)
{
    return arena_fmt(call->arena, STR_FMT "/" SHELF, STR_ARG(call->house->dir)).ptr;
}

/* ---- lists ---- */

#define LIST_QUERY                                                                                  \
    {"after", FIELD_TEXT, FIELD_OPTIONAL, "The id behind which the page begins.",                   \
     0,       100,        NULL,           NULL},                                                    \
        {"before", FIELD_TEXT, FIELD_OPTIONAL, "The id before which it ends.", 0, 100, NULL, NULL}, \
        {"limit", FIELD_COUNT, FIELD_OPTIONAL, "20 when not said.", 1, 10000, NULL, NULL},          \
    {                                                                                               \
        "order", FIELD_CHOICE, FIELD_OPTIONAL, "By when they were made; desc when not said.", 0,    \
            0, "asc|desc", NULL                                                                     \
    }

const struct schema_field v1_list_query[] = {LIST_QUERY, {0}};
const struct schema_field v1_files_query[] = {
    LIST_QUERY,
    {"purpose", FIELD_TEXT, FIELD_OPTIONAL, "Files for this purpose.", 0, 100, NULL, NULL},
    {0},
};
const struct schema_field v1_store_files_query[] = {
    LIST_QUERY,
    {"filter", FIELD_CHOICE, FIELD_OPTIONAL, "Files in this state.", 0, 0,
     "in_progress|completed|failed|cancelled", NULL},
    {0},
};

static int by_time(const void *one, const void *other)
{
    const struct v1_item *a = one, *b = other;

    if (a->created != b->created)
        return a->created < b->created ? -1 : 1;
    return str_cmp(a->id, b->id);
}

/* "file-" or "vs_" and 24 hex digits, the first of which are the time: ids in the order of what they name. */
static bool is_timed(struct str id)
{
    struct str digits = str_starts(id, STR("file-")) ? str_slice(id, 5, id.len)
                        : str_starts(id, STR("vs_")) ? str_slice(id, 3, id.len)
                                                     : STR_NONE;
    uint8_t bytes[12];

    return digits.len == 2 * sizeof bytes && hex_parse(digits, bytes, sizeof bytes);
}

/* Before the first item that comes behind one of this time and id. */
static size_t place_of(const struct v1_item *items, size_t count, bool falling,
                       const struct v1_item *gone)
{
    size_t at = 0;

    while (at < count && (falling ? by_time(&items[at], gone) > 0 : by_time(&items[at], gone) < 0))
        at++;
    return at;
}

static size_t place_of_id(const struct v1_item *items, size_t count, bool falling, struct str id)
{
    size_t at = 0;

    while (at < count && (falling ? str_cmp(items[at].id, id) > 0 : str_cmp(items[at].id, id) < 0))
        at++;
    return at;
}

struct listing {
    struct admin_call *call;
    struct str list;
    const struct v1_item *items;
    size_t count;
    bool falling;
};

/* Where a cursor stands; one that was deleted since it was given, where it stood. *there: it is one of the items. */
static bool find(const struct listing *l, const char *name, size_t *out, bool *there,
                 struct err *err)
{
    struct v1_item gone = {.id = query_text(l->call, name)};

    for (*out = 0; *out < l->count; ++*out)
        if (str_eq(l->items[*out].id, gone.id))
            return *there = true;
    *there = false;
    if (l->list.len == 0 && is_timed(gone.id)) {
        *out = place_of_id(l->items, l->count, l->falling, gone.id);
        return true;
    }
    if (l->list.len && cursors_find(l->call->house->cursors, l->list, gone.id, &gone.created)) {
        *out = place_of(l->items, l->count, l->falling, &gone);
        return true;
    }
    return err_set(err, ERR_INVALID, "%s: the list has no \"" STR_FMT "\"%s", name,
                   STR_ARG(gone.id),
                   l->list.len && is_timed(gone.id)
                       ? ", and where it stood is not known any more: begin with the first page"
                       : "");
}

/* [first, end) of the items, in the order of the page. */
static bool choose(const struct listing *l, size_t *first, size_t *end, struct err *err)
{
    bool there;

    *first = 0;
    *end = l->count;
    if (query_text(l->call, "after").len > 0) {
        if (!find(l, "after", first, &there, err))
            return false;
        *first += there;
    }
    if (query_text(l->call, "before").len > 0 && !find(l, "before", end, &there, err))
        return false;
    *end = MAX_OF(*first, *end);
    return true;
}

static void put_id(struct json_writer *w, const char *key, const struct v1_item *item)
{
    jw_key(w, key);
    if (item)
        jw_str(w, item->id);
    else
        jw_null(w);
}

bool v1_choose(struct admin_call *call, struct str list, struct v1_item *items, size_t count,
               struct v1_page *out, struct err *err)
{
    size_t limit = (size_t)query_count(call, "limit", LIMIT_DEFAULT), first, end;
    bool falling = query_choice(call, "order", 1) == 1;

    if (count > 0)
        qsort(items, count, sizeof *items, by_time);
    if (falling)
        for (size_t i = 0; i < count / 2; i++) {
            struct v1_item swap = items[i];

            items[i] = items[count - 1 - i];
            items[count - 1 - i] = swap;
        }
    const struct listing l = {call, list, items, count, falling};
    if (!choose(&l, &first, &end, err))
        return false;
    bool more = end - first > limit,
         backwards = query_text(call, "before").len > 0 && query_text(call, "after").len == 0;
    if (more && backwards) /* the page that ends there */
        first = end - limit;
    else if (more)
        end = first + limit;
    *out = (struct v1_page){items + first, end - first, more};
    if (list.len)
        cursors_keep(call->house->cursors, list, out);
    return true;
}

void v1_tell(struct admin_call *call, const struct v1_page *page, v1_write *write)
{
    struct json_writer *w = &call->reply;

    jw_object(w);
    reply_text(w, "object", STR("list"));
    jw_key(w, "data");
    jw_array(w);
    for (size_t i = 0; i < page->count; i++)
        write(w, page->items[i].what);
    jw_array_end(w);
    put_id(w, "first_id", page->count ? &page->items[0] : NULL);
    put_id(w, "last_id", page->count ? &page->items[page->count - 1] : NULL);
    reply_bool(w, "has_more", page->more);
    jw_object_end(w);
}

bool v1_list(struct admin_call *call, struct str list, struct v1_item *items, size_t count,
             v1_write *write, struct err *err)
{
    struct v1_page page;

    if (!v1_choose(call, list, items, count, &page, err))
        return false;
    v1_tell(call, &page, write);
    return true;
}

bool v1_forget(struct admin_call *call, const struct forget_order *order, struct str id,
               const char *object, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FORGET_MEMORY);
    struct json_writer *w = &call->reply;
    struct forget_told told;

    if (!arena)
        return err_no_room(err, "no memory to delete it");
    if (!house_forget(call->house, arena, order, &told, err))
        return false;
    call->note = arena_fmt(call->arena, "%s " STR_FMT ": " STR_FMT, object, STR_ARG(id),
                           STR_ARG(forget_note(call->arena, &told)));
    jw_object(w);
    reply_text(w, "id", id);
    reply_text(w, "object", str_from(object));
    reply_bool(w, "deleted", true);
    jw_key(w, "weir");
    jw_object(w);
    jw_key(w, "receipt"), jw_raw(w, told.receipt);
    jw_object_end(w);
    jw_object_end(w);
    return true;
}

/* ---- bodies ---- */

static bool is_none(const struct json *j, json_ref v)
{
    return !v || json_kind(j, v) == JSON_NULL;
}

/* Members of an object that are not among the names: the first of them is named. */
static bool knows_members(const struct json *j, json_ref object, const char *field,
                          const char *const *names, struct err *err)
{
    for (json_ref m = json_first(j, object); m; m = json_next(j, m)) {
        struct str key = json_key_raw(j, m);
        size_t i = 0;

        while (names[i] && !str_eq(key, str_from(names[i])))
            i++;
        if (!names[i])
            return err_set(err, ERR_INVALID, "%s." STR_FMT ": not known", field,
                           STR_ARG(str_slice(key, 0, 40)));
    }
    return true;
}

bool v1_expires_after(struct admin_call *call, struct v1_expiry *out, struct err *err)
{
    static const char *const members[] = {"anchor", "days", NULL};
    const struct json *j = call->body;
    json_ref v = json_get(j, json_root(j), STR("expires_after"));
    struct str anchor;
    int64_t days = 0;

    *out = (struct v1_expiry){.said = v != 0};
    if (is_none(j, v))
        return true;
    if (json_kind(j, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID,
                       "expires_after: expected {\"anchor\": \"last_active_at\", \"days\": N}");
    if (!knows_members(j, v, "expires_after", members, err))
        return false;
    if (!json_str(j, json_get(j, v, STR("anchor")), call->arena, &anchor) ||
        !str_eq(anchor, STR("last_active_at")))
        return err_set(err, ERR_INVALID, "expires_after.anchor: expected \"last_active_at\"");
    if (!json_i64(j, json_get(j, v, STR("days")), &days) || days < 1 || days > BASE_DAYS_MAX)
        return err_set(err, ERR_INVALID, "expires_after.days: expected a whole number from 1 to %u",
                       BASE_DAYS_MAX);
    out->days = (uint32_t)days;
    return true;
}

/* Characters, as the dialect counts them. */
static bool is_within(const struct json *j, json_ref v, struct arena *arena, size_t most)
{
    struct str text;

    return json_str(j, v, arena, &text) && utf8_count(text) <= most;
}

/* With its escapes as what they stand for. */
static bool read_key(const struct json *j, json_ref member, struct arena *arena, struct str *out,
                     struct err *err)
{
    struct str text;

    *out = json_key_raw(j, member);
    if (str_find_char(*out, '\\') == out->len)
        return true;
    text = arena_fmt(arena, "\"" STR_FMT "\"", STR_ARG(*out));
    struct json *key = text.ptr ? json_parse(arena, text, err) : NULL;
    return key ? json_str(key, json_root(key), arena, out) || err_arena(err, arena)
               : err->code == ERR_NONE && err_arena(err, arena);
}

static bool check_pairs(struct admin_call *call, const struct json *j, json_ref object,
                        const char *field, struct err *err)
{
    if (json_count(j, object) > PAIRS_MAX)
        return err_set(err, ERR_INVALID, "%s: more than %d pairs", field, PAIRS_MAX);
    for (json_ref m = json_first(j, object); m; m = json_next(j, m)) {
        struct str key;

        if (!read_key(j, m, call->arena, &key, err))
            return false;
        if (key.len == 0 || utf8_count(key) > PAIR_KEY_MAX)
            return err_set(err, ERR_INVALID, "%s: a key of %zu characters, expected 1 to %d", field,
                           utf8_count(key), PAIR_KEY_MAX);
        if (json_kind(j, m) == JSON_STRING && !is_within(j, m, call->arena, PAIR_VALUE_MAX))
            return err_set(err, ERR_INVALID, "%s." STR_FMT ": more than %d characters", field,
                           STR_ARG(str_slice(key, 0, 64)), PAIR_VALUE_MAX);
    }
    return true;
}

bool v1_metadata(struct admin_call *call, struct str *out, struct err *err)
{
    const struct json *j = call->body;
    json_ref v = json_get(j, json_root(j), STR("metadata"));

    *out = v ? STR("") : STR_NONE;
    if (is_none(j, v))
        return true;
    if (json_kind(j, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "metadata: expected an object of strings");
    if (!check_pairs(call, j, v, "metadata", err))
        return false;
    for (json_ref m = json_first(j, v); m; m = json_next(j, m))
        if (json_kind(j, m) != JSON_STRING)
            return err_set(err, ERR_INVALID, "metadata: expected strings as values");
    *out = json_raw(j, v);
    return true;
}

struct tokens_field {
    const char *name;
    uint32_t least, most;
};

static bool read_tokens(const struct json *j, json_ref object, const struct tokens_field *field,
                        uint32_t *out, struct err *err)
{
    json_ref v = json_get(j, object, str_from(field->name));
    int64_t n = *out;

    if ((v && !json_i64(j, v, &n)) || n < field->least || n > field->most)
        return err_set(err, ERR_INVALID,
                       "chunking_strategy.static.%s: expected a whole number from %u to %u",
                       field->name, field->least, field->most);
    *out = (uint32_t)n;
    return true;
}

static bool read_static(const struct json *j, json_ref v, struct chunking *out, struct err *err)
{
    static const char *const members[] = {"max_chunk_size_tokens", "chunk_overlap_tokens", NULL};
    struct tokens_field size = {members[0], CHUNK_TOKENS_MIN, CHUNK_TOKENS_MAX},
                        overlap = {members[1], 0, 0};
    struct chunking c = {CHUNK_TOKENS, CHUNK_OVERLAP};

    if (json_kind(j, v) != JSON_OBJECT)
        return err_set(err, ERR_INVALID,
                       "chunking_strategy.static: expected {\"max_chunk_size_tokens\": N, "
                       "\"chunk_overlap_tokens\": N}");
    if (!knows_members(j, v, "chunking_strategy.static", members, err) ||
        !read_tokens(j, v, &size, &c.tokens, err))
        return false;
    overlap.most = c.tokens / 2;
    if (!read_tokens(j, v, &overlap, &c.overlap, err))
        return false;
    *out = c;
    return true;
}

bool v1_chunking(struct admin_call *call, const struct json *j, json_ref object,
                 struct chunking *out, struct err *err)
{
    static const char *const both[] = {"type", "static", NULL}, *const one[] = {"type", NULL};
    json_ref v = json_get(j, object, STR("chunking_strategy"));
    struct str type = STR("");

    if (is_none(j, v))
        return true;
    *out = (struct chunking){0};
    (void)!json_str(j, json_get(j, v, STR("type")), call->arena, &type);
    if (str_eq(type, STR("auto")))
        return knows_members(j, v, "chunking_strategy", one, err);
    if (!str_eq(type, STR("static")))
        return err_set(err, ERR_INVALID, "chunking_strategy.type: expected \"auto\" or \"static\"");
    return knows_members(j, v, "chunking_strategy", both, err) &&
           read_static(j, json_get(j, v, STR("static")), out, err);
}

bool v1_attributes(struct admin_call *call, const struct json *j, json_ref object, struct str *out,
                   bool *said, struct err *err)
{
    json_ref v = json_get(j, object, STR("attributes"));

    *out = STR("");
    *said = !is_none(j, v);
    if (!*said)
        return true;
    if (json_kind(j, v) == JSON_OBJECT && !check_pairs(call, j, v, "attributes", err))
        return false;
    for (json_ref m = json_first(j, v); m; m = json_next(j, m))
        if (json_kind(j, m) == JSON_ARRAY || json_kind(j, m) == JSON_OBJECT ||
            json_kind(j, m) == JSON_NULL)
            return err_set(err, ERR_INVALID,
                           "attributes: expected strings, numbers, true and false as values");
    return metadata_read(call->arena, j, v, out, err) || err_wrap(err, "attributes");
}

bool v1_store(struct admin_call *call, bool change, struct base **out, struct err *err)
{
    if (!change)
        return call_base_read(call, call->values[0], false, out, err);
    return call_base(call, call->values[0], true, out, err) && base_use(*out, err);
}
