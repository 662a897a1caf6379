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

static bool find(const struct v1_item *items, size_t count, struct str id, size_t *out)
{
    for (*out = 0; *out < count; ++*out)
        if (str_eq(items[*out].id, id))
            return true;
    return false;
}

/* [first, end) of the items, in the order of the page. */
static bool choose(struct admin_call *call, const struct v1_item *items, size_t count,
                   size_t *first, size_t *end, struct err *err)
{
    struct str after = query_text(call, "after"), before = query_text(call, "before");

    *first = 0;
    *end = count;
    if (after.len > 0) {
        if (!find(items, count, after, first))
            return err_set(err, ERR_INVALID, "after: the list has no \"" STR_FMT "\"",
                           STR_ARG(after));
        ++*first;
    }
    if (before.len > 0 && !find(items, count, before, end))
        return err_set(err, ERR_INVALID, "before: the list has no \"" STR_FMT "\"",
                       STR_ARG(before));
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

bool v1_list(struct admin_call *call, struct v1_item *items, size_t count, v1_write *write,
             struct err *err)
{
    size_t limit = (size_t)query_count(call, "limit", LIMIT_DEFAULT), first, end;
    struct json_writer *w = &call->reply;

    if (count > 0)
        qsort(items, count, sizeof *items, by_time);
    if (query_choice(call, "order", 1) == 1)
        for (size_t i = 0; i < count / 2; i++) {
            struct v1_item swap = items[i];

            items[i] = items[count - 1 - i];
            items[count - 1 - i] = swap;
        }
    if (!choose(call, items, count, &first, &end, err))
        return false;
    bool more = end - first > limit,
         backwards = query_text(call, "before").len > 0 && query_text(call, "after").len == 0;
    if (more && backwards) /* the page that ends there */
        first = end - limit;
    else if (more)
        end = first + limit;
    jw_object(w);
    reply_text(w, "object", STR("list"));
    jw_key(w, "data");
    jw_array(w);
    for (size_t i = first; i < end; i++)
        write(w, items[i].what);
    jw_array_end(w);
    put_id(w, "first_id", first < end ? &items[first] : NULL);
    put_id(w, "last_id", first < end ? &items[end - 1] : NULL);
    reply_bool(w, "has_more", more);
    jw_object_end(w);
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
