#include "knowledge/attach.h"

#include "base/json.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define ATTACHED  "attached"
#define BATCHES   "batches"
#define ENDING    ".json"
#define FACTS_MAX ((size_t)256 * KIB)
#define ID_MAX    64u
#define NAMES_MAX 1000000

/* Over what looks at how a file stands and then says otherwise. */
static struct mutex turn = {PTHREAD_MUTEX_INITIALIZER};

static const char *const names[] = {"in_progress", "completed", "failed", "cancelled"};

const char *attach_state_name(enum attach_state state)
{
    return names[state];
}

/* Nothing else may become part of a path. */
static bool is_id(struct str id)
{
    bool ok = id.len > 0 && id.len <= ID_MAX;

    for (size_t i = 0; ok && i < id.len; i++)
        ok = (id.ptr[i] >= 'a' && id.ptr[i] <= 'z') || (id.ptr[i] >= '0' && id.ptr[i] <= '9') ||
             id.ptr[i] == '-' || id.ptr[i] == '_';
    return ok;
}

static bool path_of(struct arena *arena, const char *base, const char *folder, struct str id,
                    const char **out, struct err *err)
{
    if (!is_id(id))
        return err_set(err, ERR_NOT_FOUND, "nothing has the id \"" STR_FMT "\"",
                       STR_ARG(str_slice(id, 0, 100)));
    *out = arena_fmt(arena, "%s/%s/" STR_FMT ENDING, base, folder, STR_ARG(id)).ptr;
    return *out || err_arena(err, arena);
}

static bool store(struct arena *arena, const char *base, const char *folder, struct str id,
                  struct buf *facts, struct err *err)
{
    const char *dir = arena_fmt(arena, "%s/%s", base, folder).ptr, *path;
    struct str text;

    if (!dir)
        return err_arena(err, arena);
    return buf_finish(facts, &text, err) && path_of(arena, base, folder, id, &path, err) &&
           file_make_dir(dir, 0700, err) && file_store(path, text, 0600, err);
}

static bool load(struct arena *arena, const char *base, const char *folder, struct str id,
                 struct json **out, struct err *err)
{
    struct err why = {0};
    const char *path;
    struct str text;

    if (!path_of(arena, base, folder, id, &path, err))
        return false;
    if (!file_load(arena, path, FACTS_MAX, &text, &why)) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        return err_set(err, ERR_NOT_FOUND, "nothing has the id \"" STR_FMT "\"", STR_ARG(id));
    }
    *out = json_parse(arena, text, err);
    return *out != NULL || err_wrap(err, "\"%s\"", path);
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
}

/* ---- files on their way ---- */

static bool store_attached(const char *base, const struct attached *a, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct json_writer w;
    struct buf b;

    ASSERT(a->state != ATTACH_COMPLETED);
    if (!arena)
        return err_no_room(err, "no memory for a file of a knowledge base");
    buf_init(&b, arena, FACTS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    put_text(&w, "file", a->file);
    put_text(&w, "status", str_from(names[a->state]));
    put_text(&w, "code", a->code);
    put_text(&w, "message", a->message);
    put_text(&w, "attributes", a->attributes);
    if (a->chunking.tokens) {
        jw_key(&w, "chunk_tokens"), jw_u64(&w, a->chunking.tokens);
        jw_key(&w, "chunk_overlap"), jw_u64(&w, a->chunking.overlap);
    }
    jw_key(&w, "created"), jw_i64(&w, a->created);
    jw_object_end(&w);
    return store(arena, base, ATTACHED, a->file, &b, err);
}

bool attached_store(const char *base, const struct attached *a, struct err *err)
{
    mutex_lock(&turn);
    bool ok = store_attached(base, a, err);
    mutex_unlock(&turn);
    return ok;
}

static bool read_state(const struct json *j, json_ref v, struct arena *arena,
                       enum attach_state *out)
{
    struct str text;

    if (!json_str(j, v, arena, &text))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(text, str_from(names[i]))) {
            *out = (enum attach_state)i;
            return true;
        }
    return false;
}

bool attached_find(const char *base, struct arena *arena, struct str file, struct attached *out,
                   struct err *err)
{
    struct json *j;

    if (!load(arena, base, ATTACHED, file, &j, err))
        return false;
    json_ref root = json_root(j);
    return (json_str(j, json_get(j, root, STR("file")), arena, &out->file) &&
            read_state(j, json_get(j, root, STR("status")), arena, &out->state) &&
            json_str(j, json_get(j, root, STR("code")), arena, &out->code) &&
            json_str(j, json_get(j, root, STR("message")), arena, &out->message) &&
            json_str(j, json_get(j, root, STR("attributes")), arena, &out->attributes) &&
            json_i64(j, json_get(j, root, STR("created")), &out->created) &&
            chunking_read(j, &out->chunking)) ||
           err_set(err, ERR_UNAVAILABLE, "what is known of file \"" STR_FMT "\" cannot be read",
                   STR_ARG(file));
}

static bool list_one(const char *base, struct arena *arena, struct str id, struct attached *out,
                     size_t *seen, struct err *err)
{
    struct attached one = {0};
    struct err why = {0};

    if (!attached_find(base, arena, id, &one, &why)) {
        if (why.code == ERR_NOT_FOUND) /* done, or taken back, since it was named */
            return true;
        if (why.code == ERR_EXHAUSTED) {
            *err = why;
            return false;
        }
        one = (struct attached){.file = id,
                                .state = ATTACH_FAILED,
                                .code = STR("server_error"),
                                .message = STR("what is known of it on its way cannot be read"),
                                .attributes = STR(""),
                                .unreadable = true};
    }
    out[(*seen)++] = one;
    return true;
}

/* Nobody is writing it: a process ended while it did. Whom it names must not stay there. */
static bool remove_unfinished(struct arena *arena, const char *dir, struct str name,
                              struct err *err)
{
    const char *path = arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(name)).ptr;
    struct err why = {0};

    if (!path)
        return err_arena(err, arena);
    mutex_lock(&turn);
    bool ok = (file_remove(path, &why) && file_sync_dir(dir, &why)) || why.code == ERR_NOT_FOUND;
    mutex_unlock(&turn);
    if (!ok)
        *err = why;
    return ok;
}

bool attached_list(const char *base, struct arena *arena, struct attached **out, size_t *count,
                   struct err *err)
{
    const char *dir = arena_fmt(arena, "%s/" ATTACHED, base).ptr;
    struct str *list;
    size_t named = 0, seen = 0;

    if (!dir)
        return err_arena(err, arena);
    if (!file_list_any(arena, dir, NAMES_MAX, &list, &named, err))
        return false;
    *out = arena_array(arena, named + 1, sizeof **out);
    if (!*out)
        return err_arena(err, arena);
    for (size_t i = 0; i < named; i++) {
        struct str id = str_slice(list[i], 0, list[i].len - MIN_OF(list[i].len, 5u));

        if (str_ends(list[i], STR(FILE_UNFINISHED)) && !remove_unfinished(arena, dir, list[i], err))
            return false;
        if (str_ends(list[i], STR(ENDING)) && !list_one(base, arena, id, *out, &seen, err))
            return false;
    }
    *count = seen;
    return true;
}

static bool remove_attached(const char *base, struct str file, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    struct err why = {0};
    const char *path;

    if (!arena)
        return err_no_room(err, "no memory for a file of a knowledge base");
    if (!path_of(arena, base, ATTACHED, file, &path, err))
        return false;
    if (file_remove(path, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool attached_remove(const char *base, struct str file, struct err *err)
{
    mutex_lock(&turn);
    bool ok = remove_attached(base, file, err);
    mutex_unlock(&turn);
    return ok;
}

static bool stands_as(const struct attached *now, const struct attached *taken)
{
    return now->state == ATTACH_IN_PROGRESS && now->created == taken->created &&
           str_eq(now->attributes, taken->attributes) &&
           chunking_is(now->chunking, taken->chunking);
}

static bool end_attached(const char *base, const struct attached *taken, const struct attached *to,
                         bool *ended, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct attached now;
    struct err why = {0};

    *ended = false;
    if (!arena)
        return err_no_room(err, "no memory for a file of a knowledge base");
    if (!attached_find(base, arena, taken->file, &now, &why))
        return why.code == ERR_NOT_FOUND || err_set(err, why.code, "%s", why.text);
    if (!stands_as(&now, taken))
        return true;
    *ended = to ? store_attached(base, to, err) : remove_attached(base, taken->file, err);
    return *ended;
}

bool attached_end(const char *base, const struct attached *taken, const struct attached *to,
                  bool *ended, struct err *err)
{
    mutex_lock(&turn);
    bool ok = end_attached(base, taken, to, ended, err);
    mutex_unlock(&turn);
    return ok;
}

/* ---- batches ---- */

static bool new_id(struct arena *arena, struct str *out, struct err *err)
{
    uint8_t bytes[12];
    struct buf b;

    clock_random(bytes, sizeof bytes);
    buf_init(&b, arena, ID_MAX);
    buf_str(&b, STR("vsfb_"));
    buf_hex(&b, bytes, sizeof bytes);
    return buf_finish(&b, out, err);
}

bool batch_store(const char *base, struct arena *arena, struct attach_batch *batch, struct err *err)
{
    struct json_writer w;
    struct buf b;

    ASSERT(batch->count <= BATCH_FILES_MAX);
    if (batch->id.len == 0 && !new_id(arena, &batch->id, err))
        return false;
    buf_init(&b, arena, FACTS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    put_text(&w, "id", batch->id);
    jw_key(&w, "created"), jw_i64(&w, batch->created);
    jw_key(&w, "cancelled"), jw_bool(&w, batch->cancelled);
    jw_key(&w, "files");
    jw_array(&w);
    for (size_t i = 0; i < batch->count; i++)
        jw_str(&w, batch->files[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    return store(arena, base, BATCHES, batch->id, &b, err);
}

bool batch_unknown(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "nothing has the id \"" STR_FMT "\"",
                   STR_ARG(str_slice(id, 0, 100)));
}

bool batch_find(const char *base, struct arena *arena, struct str id, struct attach_batch *out,
                struct err *err)
{
    struct json *j;

    if (!load(arena, base, BATCHES, id, &j, err))
        return false;
    json_ref root = json_root(j), files = json_get(j, root, STR("files"));
    bool ok = json_str(j, json_get(j, root, STR("id")), arena, &out->id) &&
              json_i64(j, json_get(j, root, STR("created")), &out->created) &&
              json_bool(j, json_get(j, root, STR("cancelled")), &out->cancelled);

    out->count = 0;
    out->files = arena_array(arena, json_count(j, files) + 1, sizeof *out->files);
    if (!out->files)
        return err_arena(err, arena);
    for (json_ref v = json_first(j, files); ok && v; v = json_next(j, v))
        ok = json_str(j, v, arena, &out->files[out->count++]);
    return ok || err_set(err, ERR_UNAVAILABLE, "batch \"" STR_FMT "\" cannot be read", STR_ARG(id));
}
