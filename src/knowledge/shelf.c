#include "knowledge/shelf.h"

#include "base/json.h"
#include "sys/clock.h"
#include "sys/file.h"

#define ENDING    ".json"
#define ID_LEN    29u
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
    bool ok = id.len == ID_LEN && str_starts(id, STR("file-"));

    for (size_t i = 5; ok && i < id.len; i++)
        ok = (id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f');
    return ok;
}

static bool new_id(struct arena *arena, wall_ms now, struct str *out, struct err *err)
{
    uint8_t bytes[12];

    clock_random(bytes, sizeof bytes);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)((uint64_t)now >> (40 - 8 * i));
    struct buf b;
    buf_init(&b, arena, ID_LEN + 1);
    buf_str(&b, STR("file-"));
    buf_hex(&b, bytes, sizeof bytes);
    return buf_finish(&b, out, err);
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
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
    put_text(&w, "id", file->id);
    put_text(&w, "name", file->name);
    put_text(&w, "purpose", file->purpose);
    put_text(&w, "tenant", file->tenant);
    jw_key(&w, "bytes"), jw_u64(&w, file->bytes);
    jw_key(&w, "created"), jw_i64(&w, file->created);
    jw_object_end(&w);
    return (path || err_arena(err, arena)) && buf_finish(&b, &text, err) &&
           file_store(path, text, 0600, err);
}

static bool read_facts(const char *path, struct arena *arena, struct shelf_file *out,
                       struct err *err)
{
    struct str text;
    int64_t bytes = 0;

    if (!file_load(arena, path, FACTS_MAX, &text, err))
        return false;
    struct json *j = json_parse(arena, text, err);
    json_ref root = j ? json_root(j) : 0;
    if (!j || !json_str(j, json_get(j, root, STR("id")), arena, &out->id) ||
        !json_str(j, json_get(j, root, STR("name")), arena, &out->name) ||
        !json_str(j, json_get(j, root, STR("purpose")), arena, &out->purpose) ||
        !json_str(j, json_get(j, root, STR("tenant")), arena, &out->tenant) ||
        !json_i64(j, json_get(j, root, STR("bytes")), &bytes) ||
        !json_i64(j, json_get(j, root, STR("created")), &out->created))
        return err_set(err, ERR_UNAVAILABLE, "\"%s\" does not say what file it is beside", path);
    out->bytes = (uint64_t)bytes;
    return true;
}

static bool names_of(const char *dir, struct arena *arena, struct str **names, size_t *count,
                     struct err *err)
{
    struct err why = {0};

    *names = NULL;
    *count = 0;
    if (file_list(arena, dir, NAMES_MAX, names, count, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool shelf_put(const char *dir, struct arena *arena, const struct shelf_file *wish,
               const char *from, uint32_t most, struct shelf_file *out, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    struct shelf_file made = *wish;
    struct str *names;
    size_t count;

    made.created = clock_wall();
    if (!file_make_dir(dir, 0700, err) || !names_of(dir, arena, &names, &count, err) ||
        !new_id(arena, made.created, &made.id, err))
        return false;
    if (count / 2 >= most)
        return err_set(err, ERR_EXHAUSTED,
                       "there are %u files, as many as there may be (knowledge.uploads)", most);
    const char *to = shelf_path(dir, arena, made.id);
    if (!to)
        return err_arena(err, arena);
    if (!file_open(from, FILE_WRITE, 0600, &file, err) || !file_sync(file, err) ||
        !file_rename(from, to, err))
        return false;
    if (!write_facts(dir, arena, &made, err)) {
        struct err lost = {0};
        (void)!file_remove(to, &lost); /* else shelf_clean() does */
        return false;
    }
    *out = made;
    return true;
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

    if (!names_of(dir, arena, &names, &named, err))
        return false;
    struct shelf_file *list = arena_array(arena, named + 1, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    for (size_t i = 0; i < named; i++) {
        const char *path = shelf_path(dir, arena, names[i]);

        if (!str_ends(names[i], STR(ENDING)))
            continue;
        if (!path)
            return err_arena(err, arena);
        if (!read_facts(path, arena, &list[seen], err))
            return false;
        seen += str_is_empty(tenant) || str_eq(tenant, list[seen].tenant);
    }
    *out = list;
    *count = seen;
    return true;
}

bool shelf_remove(const char *dir, struct arena *arena, struct str id, struct err *err)
{
    const char *facts = facts_path(dir, arena, id), *path = shelf_path(dir, arena, id);

    if (!is_id(id))
        return shelf_unknown(id, err);
    if (!facts || !path)
        return err_arena(err, arena);
    return file_remove(facts, err) && file_remove(path, err) && file_sync_dir(dir, err);
}

bool shelf_clean(const char *dir, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct file_info info;
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to look for unfinished files");
    if (!names_of(dir, arena, &names, &count, err))
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
