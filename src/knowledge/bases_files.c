/* What is said of a base, in a file of its directory; and the end of a directory. */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "knowledge/bases_internal.h"
#include "sys/file.h"

#define FACTS_MAX   ((size_t)64 * KIB)
#define FACTS_ARENA ((size_t)512 * KIB)
#define NAMES_MAX   1000000
#define NAMES_ARENA ((size_t)256 * MIB)
#define DEPTH_MAX   8

/* ---- base.json ---- */

static bool copy_info(struct arena *arena, const struct base_info *from, struct base_info *to)
{
    *to = *from;
    to->id = arena_str(arena, from->id);
    to->name = arena_str(arena, from->name);
    to->title = arena_str(arena, from->title);
    to->tenant = arena_str(arena, from->tenant);
    to->metadata = arena_str(arena, from->metadata);
    to->life.description = arena_str(arena, from->life.description);
    return to->id.ptr && to->name.ptr && to->title.ptr && to->tenant.ptr && to->metadata.ptr &&
           to->life.description.ptr;
}

struct base_facts *base_facts_new(const struct base_info *info)
{
    struct arena *arena = arena_new(FACTS_ARENA);
    struct base_facts *facts = arena ? arena_alloc(arena, sizeof *facts) : NULL;

    if (!facts || !copy_info(arena, info, &facts->info)) {
        arena_end(&arena);
        return NULL;
    }
    facts->arena = arena;
    return facts;
}

void base_facts_free(struct base_facts **at)
{
    struct base_facts *facts = *at;

    if (!facts)
        return;
    struct arena *arena = facts->arena;
    arena_end(&arena);
    *at = NULL;
}

/* ---- life.json ---- */

bool base_life_store(const char *dir, const struct base_life *life, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FACTS_ARENA);
    char path[BASE_PATH_MAX];
    struct json_writer w;
    struct str text;
    struct buf b;

    if (!arena)
        return err_no_room(err, "no memory to write how long a knowledge base stays");
    buf_init(&b, arena, FACTS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_text(&w, "description", life->description);
    jw_key(&w, "expires_days"), jw_u64(&w, life->days);
    jw_key(&w, "last_used"), jw_i64(&w, life->used);
    jw_key(&w, "expired"), jw_i64(&w, life->expired);
    jw_key(&w, "emptied"), jw_bool(&w, life->emptied);
    if (life->chunking.tokens) {
        jw_key(&w, "chunk_tokens"), jw_u64(&w, life->chunking.tokens);
        jw_key(&w, "chunk_overlap"), jw_u64(&w, life->chunking.overlap);
    }
    jw_object_end(&w);
    (void)snprintf(path, sizeof path, "%s/" BASE_LIFE, dir);
    return buf_finish(&b, &text, err) && file_store(path, text, 0600, err);
}

static bool read_life(struct arena *arena, const struct json *j, struct base_life *out)
{
    json_ref root = json_root(j);
    int64_t days = 0;

    if (!json_str(j, json_get(j, root, STR("description")), arena, &out->description) ||
        !json_i64(j, json_get(j, root, STR("expires_days")), &days) || days < 0 ||
        days > BASE_DAYS_MAX || !json_i64(j, json_get(j, root, STR("last_used")), &out->used) ||
        !json_i64(j, json_get(j, root, STR("expired")), &out->expired) ||
        !json_bool(j, json_get(j, root, STR("emptied")), &out->emptied) ||
        !chunking_read(j, &out->chunking))
        return false;
    out->days = (uint32_t)days;
    return true;
}

void base_life_load(const char *dir, struct arena *arena, struct base_life *out, struct err *why)
{
    struct base_life life = {.description = STR("")};
    char path[BASE_PATH_MAX];
    struct str text;

    *out = life;
    (void)snprintf(path, sizeof path, "%s/" BASE_LIFE, dir);
    if (!file_load(arena, path, FACTS_MAX, &text, why)) {
        if (why->code == ERR_NOT_FOUND)
            *why = (struct err){0}; /* one from before there were any */
        return;
    }
    struct json *j = json_parse(arena, text, why);
    if (j && read_life(arena, j, &life))
        *out = life;
    else if (j)
        err_set(why, ERR_INVALID, "\"%s\" does not say how long a knowledge base stays", path);
}

bool base_facts_store(const char *dir, const struct base_info *info, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FACTS_ARENA);
    char path[BASE_PATH_MAX];
    struct json_writer w;
    struct str text;
    struct buf b;

    if (!arena)
        return err_no_room(err, "no memory to write what is known of a knowledge base");
    buf_init(&b, arena, FACTS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_text(&w, "id", info->id);
    jw_text(&w, "name", info->name);
    jw_text(&w, "title", info->title);
    jw_text(&w, "tenant", info->tenant);
    jw_key(&w, "created");
    jw_i64(&w, info->created);
    if (info->metadata.len > 0) {
        jw_key(&w, "metadata");
        jw_raw(&w, info->metadata);
    }
    jw_object_end(&w);
    (void)snprintf(path, sizeof path, "%s/" BASE_FILE, dir);
    return buf_finish(&b, &text, err) && file_store(path, text, 0600, err);
}

static bool read_facts(struct arena *arena, const struct json *j, struct base_info *out)
{
    json_ref root = json_root(j), metadata = json_get(j, root, STR("metadata"));

    out->metadata = metadata ? arena_str(arena, json_raw(j, metadata)) : STR("");
    return json_str(j, json_get(j, root, STR("id")), arena, &out->id) &&
           json_str(j, json_get(j, root, STR("name")), arena, &out->name) &&
           json_str(j, json_get(j, root, STR("title")), arena, &out->title) &&
           json_str(j, json_get(j, root, STR("tenant")), arena, &out->tenant) &&
           json_i64(j, json_get(j, root, STR("created")), &out->created);
}

bool base_facts_load(const char *dir, struct base_facts **out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FACTS_ARENA);
    struct base_info info = {0};
    char path[BASE_PATH_MAX];
    struct json *j;
    struct str text;

    if (!arena)
        return err_no_room(err, "no memory to read what is known of a knowledge base");
    (void)snprintf(path, sizeof path, "%s/" BASE_FILE, dir);
    if (!file_load(arena, path, FACTS_MAX, &text, err))
        return false;
    j = json_parse(arena, text, err);
    if (!j)
        return err_wrap(err, "\"%s\"", path);
    if (!read_facts(arena, j, &info))
        return err_set(err, ERR_INVALID, "\"%s\" does not say what a knowledge base is", path);
    struct err why = {0};
    base_life_load(dir, arena, &info.life, &why);
    if (why.code)
        log_error("knowledge base " STR_FMT " stays, whatever was said of when it expires: %s",
                  STR_ARG(info.id), why.text);
    *out = base_facts_new(&info);
    return *out || err_no_room(err, "no memory to read what is known of a knowledge base");
}

/* ---- the end ---- */

static bool remove_one(const char *path, int depth, struct base_removed *out, struct err *err);

static bool remove_below(const char *dir, int depth, struct base_removed *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(NAMES_ARENA);
    char path[BASE_PATH_MAX];
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to remove \"%s\"", dir);
    if (depth == DEPTH_MAX)
        return err_set(err, ERR_INTERNAL, "\"%s\" is nested too deep to be removed", dir);
    if (!file_list(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[i]));

        if (len < 0 || (size_t)len >= sizeof path)
            return err_set(err, ERR_INVALID, "a path below \"%s\" is too long", dir);
        if (!remove_one(path, depth, out, err))
            return false;
    }
    return true;
}

static bool remove_one(const char *path, int depth, struct base_removed *out, struct err *err)
{
    struct file_info info;

    if (!file_stat(path, &info, err))
        return false;
    if (info.is_dir && !remove_below(path, depth + 1, out, err))
        return false;
    if (!file_remove(path, err))
        return false;
    out->files += !info.is_dir;
    out->bytes += info.is_dir ? 0 : (uint64_t)info.bytes;
    return true;
}

bool tree_remove(const char *dir, struct base_removed *out, struct err *err)
{
    return remove_one(dir, 0, out, err);
}
