/* /api/v1/cache: what is kept, and throwing it out. */
#include "app/admin_fields.h"
#include "app/house_changes.h"
#include "cache/cache.h"

#define PURGE_NOTE_MAX 2048 /* a model's name, a tenant's and a tag fit */

static const struct schema_field stats_fields[] = {
    {"hits_memory", FIELD_COUNT, 0, "Answers given from memory.", 0, 0, NULL, NULL},
    {"hits_disk", FIELD_COUNT, 0, "Answers given from disk.", 0, 0, NULL, NULL},
    {"hits_shared", FIELD_COUNT, 0, "Answers given from the shared level.", 0, 0, NULL, NULL},
    {"misses", FIELD_COUNT, 0, "Requests that had to be asked of a provider.", 0, 0, NULL, NULL},
    {"joins", FIELD_COUNT, 0, "Requests that read an answer another one had asked for.", 0, 0, NULL,
     NULL},
    {"stored", FIELD_COUNT, 0, "Answers kept.", 0, 0, NULL, NULL},
    {"too_large", FIELD_COUNT, 0, "Answers above cache.entry, not kept.", 0, 0, NULL, NULL},
    {"dropped", FIELD_COUNT, 0, "Answers that a lower level could not take.", 0, 0, NULL, NULL},
    {"flights", FIELD_COUNT, 0, "Answers on their way now that others can join.", 0, 0, NULL, NULL},
    {"memory_bytes", FIELD_COUNT, 0, "Memory in use.", 0, 0, NULL, NULL},
    {"memory_entries", FIELD_COUNT, 0, "Answers in memory.", 0, 0, NULL, NULL},
    {"memory_evictions", FIELD_COUNT, 0, "Thrown out of memory for room.", 0, 0, NULL, NULL},
    {"disk_bytes", FIELD_COUNT, 0, "Bytes of its files.", 0, 0, NULL, NULL},
    {"disk_entries", FIELD_COUNT, 0, "Answers on disk.", 0, 0, NULL, NULL},
    {"disk_evictions", FIELD_COUNT, 0, "Thrown out of disk for room.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema stats_schema = {"CacheStats", "What the cache did since the start.",
                                           stats_fields, NULL};

static const struct schema_field purge_fields[] = {
    {"key", FIELD_TEXT, FIELD_OPTIONAL, "One answer: the reply's x-weir-cache-key.", CACHE_KEY_TEXT,
     CACHE_KEY_TEXT, NULL, NULL},
    {"model", FIELD_TEXT, FIELD_OPTIONAL, "Answers of this model, as clients name it.", 1, 128,
     NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Answers of this tenant; \"*\": the shared ones.", 1,
     128, NULL, NULL},
    {"tag", FIELD_TEXT, FIELD_OPTIONAL, "Answers whose request gave this tag.", 1, CACHE_TAG_MAX,
     NULL, NULL},
    {"all", FIELD_BOOL, FIELD_OPTIONAL, "Everything; needed when nothing else is said.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema purge_schema = {
    "CachePurge", "What to throw out: all that is said must fit.", purge_fields, NULL};

static const struct schema_field purged_fields[] = {
    {"purged", FIELD_COUNT, 0, "Answers thrown out, counted once in each level that had them.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema purged_schema = {"CachePurged", "What a purge did.", purged_fields,
                                            NULL};

static bool show(struct admin_call *call, struct err *err)
{
    struct cache_stats s = cache_stats(call->house->cache);
    struct json_writer *w = &call->reply;

    (void)err;
    jw_object(w);
    reply_count(w, "hits_memory", (int64_t)s.hits_memory);
    reply_count(w, "hits_disk", (int64_t)s.hits_disk);
    reply_count(w, "hits_shared", (int64_t)s.hits_shared);
    reply_count(w, "misses", (int64_t)s.misses);
    reply_count(w, "joins", (int64_t)s.joins);
    reply_count(w, "stored", (int64_t)s.stored);
    reply_count(w, "too_large", (int64_t)s.too_large);
    reply_count(w, "dropped", (int64_t)s.dropped);
    reply_count(w, "flights", s.flights);
    reply_count(w, "memory_bytes", (int64_t)s.memory_bytes);
    reply_count(w, "memory_entries", (int64_t)s.memory_entries);
    reply_count(w, "memory_evictions", (int64_t)s.memory_evictions);
    reply_count(w, "disk_bytes", (int64_t)s.disk_bytes);
    reply_count(w, "disk_entries", (int64_t)s.disk_entries);
    reply_count(w, "disk_evictions", (int64_t)s.disk_evictions);
    jw_object_end(w);
    return true;
}

/* What was said, and no more. */
static struct str note_of(struct arena *arena, struct str key, const struct cache_selector *what,
                          uint64_t gone)
{
    const struct {
        const char *name;
        struct str value;
    } said[] = {{"key", key}, {"model", what->model}, {"tenant", what->space}, {"tag", what->tag}};
    bool any = false;
    struct str note;
    struct err none = {0};
    struct buf b;

    buf_init(&b, arena, PURGE_NOTE_MAX);
    buf_str(&b, STR("cache purged: "));
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (said[i].value.len) {
            buf_fmt(&b, "%s%s \"" STR_FMT "\"", any ? ", " : "", said[i].name,
                    STR_ARG(said[i].value));
            any = true;
        }
    buf_fmt(&b, "%s: %" PRIu64 " copies of answers", any ? "" : "everything", gone);
    return buf_finish(&b, &note, &none) ? note : STR("cache purged");
}

static bool purge(struct admin_call *call, struct err *err)
{
    struct str key = STR_NONE;
    struct cache_selector what = {0};
    struct cache_key one;
    uint64_t gone = 0;
    bool all = false;

    if (!field_text(call, "key", &key, err) || !field_text(call, "model", &what.model, err) ||
        !field_text(call, "tenant", &what.space, err) || !field_text(call, "tag", &what.tag, err))
        return false;
    field_bool(call, "all", &all);
    if (key.len && !cache_key_read(key, &one))
        return field_wrong(call, "key", err, "expected 64 hexadecimal digits");
    if (key.len)
        what.key = &one;
    if (!all && !what.key && !what.model.len && !what.space.len && !what.tag.len)
        return field_wrong(call, "all", err,
                           "expected key, model, tenant or tag, or \"all\": true for everything");
    if (!house_purge(call->house, call->arena, &what, &gone, err))
        return false;
    call->note = note_of(call->arena, key, &what, gone);
    jw_object(&call->reply);
    reply_count(&call->reply, "purged", (int64_t)gone);
    jw_object_end(&call->reply);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/cache", "Show what the cache holds and did", RIGHT_LOOK, show, NULL,
     &stats_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/cache/purge", "Throw answers out of every level", RIGHT_CHANGE, purge,
     &purge_schema, &purged_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_cache_part = {"cache", "Answers that are kept.", routes,
                                            ARRAY_LEN(routes)};
