#include "knowledge/shelf.h"

#include "base/json.h"
#include "base/log.h"
#include "knowledge/dated_id.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define ENDING    ".json"
#define MARK      "file-"
#define FACTS_MAX ((size_t)8 * KIB)
#define NAMES_MAX 1000000

const char *shelf_path(const char *dir, struct arena *arena, struct str id)
{
    return arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(id)).ptr;
}

static const char *facts_path(const char *dir, struct arena *arena, struct str id)
{
    return arena_fmt(arena, "%s/" STR_FMT ENDING, dir, STR_ARG(id)).ptr;
}

/* Nothing else may become part of a path. */
static bool is_id(struct str id)
{
    return dated_id_is(STR(MARK), id);
}

static bool write_facts(const char *dir, struct arena *arena, const struct shelf_file *file,
                        struct err *err)
{
    const char *path = facts_path(dir, arena, file->id);
    struct json_writer w;
    struct str text;
    struct buf b;

    buf_init(&b, arena, FACTS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_text(&w, "id", file->id);
    jw_text(&w, "name", file->name);
    jw_text(&w, "purpose", file->purpose);
    jw_text(&w, "tenant", file->tenant);
    jw_key(&w, "bytes"), jw_u64(&w, file->bytes);
    jw_key(&w, "created"), jw_i64(&w, file->created);
    if (file->expires)
        jw_key(&w, "expires"), jw_i64(&w, file->expires);
    if (file->upload.len)
        jw_text(&w, "upload", file->upload);
    jw_object_end(&w);
    return (path || err_arena(err, arena)) && buf_finish(&b, &text, err) &&
           file_store(path, text, 0600, err);
}

bool shelf_is_over(const struct shelf_file *file, wall_ms now)
{
    return file->expires && now >= file->expires;
}

static bool read_facts(const char *path, struct arena *arena, struct shelf_file *out,
                       struct err *err)
{
    struct str text;
    int64_t bytes = 0, expires = 0;

    if (!file_load(arena, path, FACTS_MAX, &text, err))
        return false;
    struct json *j = json_parse(arena, text, err);
    json_ref root = j ? json_root(j) : 0;
    json_ref ends = j ? json_get(j, root, STR("expires")) : 0;
    json_ref upload = j ? json_get(j, root, STR("upload")) : 0;

    out->upload = STR("");
    if (!j || !json_str(j, json_get(j, root, STR("id")), arena, &out->id) ||
        !json_str(j, json_get(j, root, STR("name")), arena, &out->name) ||
        !json_str(j, json_get(j, root, STR("purpose")), arena, &out->purpose) ||
        !json_str(j, json_get(j, root, STR("tenant")), arena, &out->tenant) ||
        !json_i64(j, json_get(j, root, STR("bytes")), &bytes) ||
        !json_i64(j, json_get(j, root, STR("created")), &out->created) ||
        (ends && !json_i64(j, ends, &expires)) ||
        (upload && !json_str(j, upload, arena, &out->upload)))
        return err_set(err, ERR_UNAVAILABLE, "\"%s\" does not say what file it is beside", path);
    out->bytes = (uint64_t)bytes;
    out->expires = expires;
    return true;
}

/* With the lock held, so that what is counted is what there is. */
static bool put_down(const char *dir, struct arena *arena, const struct shelf_file *made,
                     const char *from, uint32_t most, struct err *err)
{
    const char *to = shelf_path(dir, arena, made->id);
    struct str *names;
    size_t count;

    if (!to)
        return err_arena(err, arena);
    if (!file_list_any(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    if (count / 2 >= most)
        return err_set(err, ERR_EXHAUSTED,
                       "there are %u files, as many as there may be (knowledge.uploads)", most);
    if (!file_rename(from, to, err))
        return false;
    if (!write_facts(dir, arena, made, err)) {
        struct err lost = {0};
        (void)!file_remove(to, &lost); /* else shelf_clean() does */
        return false;
    }
    return true;
}

bool shelf_put(const char *dir, struct arena *arena, const struct shelf_file *wish,
               const char *from, uint32_t most, struct shelf_file *out, struct err *err)
{
    static struct mutex placing = {PTHREAD_MUTEX_INITIALIZER}; /* of all shelves: there is one */
    struct file *file CLEANUP(file_close) = NULL;
    struct shelf_file made = *wish;
    bool ok;

    if (!made.created)
        made.created = clock_wall();
    if (!file_make_dir(dir, 0700, err) ||
        !dated_id_new(arena, STR(MARK), made.created, &made.id, err) ||
        !file_open(from, FILE_WRITE, 0600, &file, err) || !file_sync(file, err))
        return false;
    mutex_lock(&placing);
    ok = put_down(dir, arena, &made, from, most, err);
    mutex_unlock(&placing);
    if (ok)
        *out = made;
    return ok;
}

bool shelf_unknown(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "no file \"" STR_FMT "\"", STR_ARG(str_slice(id, 0, 100)));
}

bool shelf_find(const char *dir, struct arena *arena, struct str id, struct str tenant,
                struct shelf_file *out, struct err *err)
{
    struct shelf_file found;
    struct err why = {0};
    const char *path = facts_path(dir, arena, id);

    if (!path)
        return err_arena(err, arena);
    if (is_id(id) && read_facts(path, arena, &found, &why)) {
        if (str_is_empty(tenant) || str_eq(tenant, found.tenant)) {
            *out = found;
            return true;
        }
    } else if (is_id(id) && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    return shelf_unknown(id, err);
}

bool shelf_list(const char *dir, struct arena *arena, struct str tenant, struct shelf_file **out,
                size_t *count, struct err *err)
{
    struct str *names;
    size_t named, seen = 0;

    if (!file_list_any(arena, dir, NAMES_MAX, &names, &named, err))
        return false;
    struct shelf_file *list = arena_array(arena, named + 1, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    for (size_t i = 0; i < named; i++) {
        const char *path = shelf_path(dir, arena, names[i]);
        struct err why = {0};

        if (!str_ends(names[i], STR(ENDING)))
            continue;
        if (!path)
            return err_arena(err, arena);
        if (!read_facts(path, arena, &list[seen], &why)) {
            if (why.code == ERR_EXHAUSTED) {
                *err = why;
                return false;
            }
            if (why.code != ERR_NOT_FOUND) /* else removed since it was named */
                log_error("a file of /v1/files is not listed, and does not expire: %s", why.text);
            continue;
        }
        seen += str_is_empty(tenant) || str_eq(tenant, list[seen].tenant);
    }
    *out = list;
    *count = seen;
    return true;
}

/* Its bytes first: as long as any of it stands there, whoever tries again finds it. */
bool shelf_remove(const char *dir, struct arena *arena, struct str id, struct err *err)
{
    struct err why = {0};
    const char *facts = facts_path(dir, arena, id), *path = shelf_path(dir, arena, id);

    if (!is_id(id))
        return shelf_unknown(id, err);
    if (!facts || !path)
        return err_arena(err, arena);
    if (!file_remove(path, &why) && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    return file_sync_dir(dir, err) && file_remove(facts, err) && file_sync_dir(dir, err);
}

bool shelf_clean(const char *dir, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct file_info info;
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to look for unfinished files");
    if (!file_list_any(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err missing = {0};
        const char *path = shelf_path(dir, arena, names[i]);
        const char *facts = facts_path(dir, arena, names[i]);

        if (!path || !facts)
            return err_arena(err, arena);
        if (str_ends(names[i], STR(ENDING)) || file_stat(facts, &info, &missing))
            continue;
        if (!file_remove(path, err))
            return err_wrap(err, "remove an unfinished file");
    }
    return true;
}
