#include "app/v1.h"

#include <stdlib.h>

#include "knowledge/metadata.h"

#define LIMIT_DEFAULT 20
#define SHELF         "files"

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

const struct schema_field v1_list_query[] = {
    {"after", FIELD_TEXT, FIELD_OPTIONAL, "The id behind which the page begins.", 0, 100, NULL,
     NULL},
    {"before", FIELD_TEXT, FIELD_OPTIONAL, "The id before which it ends.", 0, 100, NULL, NULL},
    {"limit", FIELD_COUNT, FIELD_OPTIONAL, "20 when not said.", 1, 10000, NULL, NULL},
    {"order", FIELD_CHOICE, FIELD_OPTIONAL, "By when they were made; desc when not said.", 0, 0,
     "asc|desc", NULL},
    {"filter", FIELD_CHOICE, FIELD_OPTIONAL, "Files in this state.", 0, 0,
     "in_progress|completed|failed|cancelled", NULL},
    {"purpose", FIELD_TEXT, FIELD_OPTIONAL, "Files for this purpose.", 0, 100, NULL, NULL},
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

bool v1_check_strategy(struct admin_call *call, struct err *err)
{
    const struct json *j = call->body;
    json_ref strategy = json_get(j, json_root(j), STR("chunking_strategy"));
    json_ref expires = json_get(j, json_root(j), STR("expires_after"));
    struct str type = STR("auto");

    if (expires && json_kind(j, expires) != JSON_NULL)
        return err_set(err, ERR_INVALID,
                       "expires_after: vector stores of Weir stay until they are deleted");
    if (!strategy || json_kind(j, strategy) == JSON_NULL)
        return true;
    if (json_str(j, json_get(j, strategy, STR("type")), call->arena, &type) &&
        str_eq(type, STR("auto")))
        return true;
    return err_set(err, ERR_INVALID,
                   "chunking_strategy: expected {\"type\": \"auto\"}: Weir cuts documents along "
                   "their structure");
}

bool v1_attributes(struct admin_call *call, const struct json *j, json_ref object, struct str *out,
                   bool *said, struct err *err)
{
    json_ref v = json_get(j, object, STR("attributes"));

    *out = STR("");
    *said = v && json_kind(j, v) != JSON_NULL;
    return !*said || metadata_read(call->arena, j, v, out, err) || err_wrap(err, "attributes");
}

bool v1_store(struct admin_call *call, bool change, struct base **out, struct err *err)
{
    return change ? call_base(call, call->values[0], true, out, err)
                  : call_base_read(call, call->values[0], false, out, err);
}
