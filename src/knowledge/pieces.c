#include "knowledge/pieces.h"

#include "base/json.h"
#include "knowledge/dated_id.h"
#include "knowledge/pdf_cipher.h"
#include "knowledge/shelf.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define FACTS     "upload.json"
#define GONE      ".gone"
#define TAKEN     ".taken"
#define MARK      "upload_"
#define PART      "part_"
#define FACTS_MAX ((size_t)8 * KIB)
#define NAMES_MAX 100000
#define MD5_BYTES 16

/* Over what counts how much there is and then adds to it: of all uploads, there is one directory. */
static struct mutex turn = {PTHREAD_MUTEX_INITIALIZER};

/* ---- names ---- */

static bool path_of(struct arena *arena, const char *dir, struct str id, struct str name,
                    const char **out, struct err *err)
{
    *out = name.len
               ? arena_fmt(arena, "%s/" STR_FMT "/" STR_FMT, dir, STR_ARG(id), STR_ARG(name)).ptr
               : arena_fmt(arena, "%s/" STR_FMT, dir, STR_ARG(id)).ptr;
    return *out || err_arena(err, arena);
}

static bool unknown(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "no upload \"" STR_FMT "\"", STR_ARG(str_slice(id, 0, 100)));
}

static bool is_taken(struct str id, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "upload \"" STR_FMT "\" is being put together just now; try again", STR_ARG(id));
}

/* Of two who remove it each finds some of it gone. */
static bool remove_any(const char *path, struct err *err)
{
    struct err why = {0};

    if (file_remove(path, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static bool remove_dir(const char *own, struct arena *arena, struct err *err)
{
    struct str *names;
    size_t count;

    if (!file_list_any(arena, own, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_fmt(arena, "%s/" STR_FMT, own, STR_ARG(names[i])).ptr;

        if (!path)
            return err_arena(err, arena);
        if (!remove_any(path, err))
            return false;
    }
    return remove_any(own, err);
}

/* ---- what is to come ---- */

static bool write_facts(struct arena *arena, const char *path, const struct pieces_wish *wish,
                        struct err *err)
{
    struct json_writer w;
    struct str text;
    struct buf b;

    buf_init(&b, arena, FACTS_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_text(&w, "id", wish->id);
    jw_text(&w, "name", wish->name);
    jw_text(&w, "purpose", wish->purpose);
    jw_text(&w, "tenant", wish->tenant);
    jw_key(&w, "bytes"), jw_u64(&w, wish->bytes);
    jw_key(&w, "created"), jw_i64(&w, wish->created);
    jw_key(&w, "stays"), jw_i64(&w, wish->stays);
    jw_object_end(&w);
    return buf_finish(&b, &text, err) && file_store(path, text, 0600, err);
}

static bool read_facts(struct arena *arena, const char *path, struct pieces_wish *out,
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
        !json_i64(j, json_get(j, root, STR("created")), &out->created) ||
        !json_i64(j, json_get(j, root, STR("stays")), &out->stays))
        return err_set(err, ERR_UNAVAILABLE, "\"%s\" does not say what is to come", path);
    out->bytes = (uint64_t)bytes;
    return true;
}

/* With the turn held. Until it is whole it has the name of one that has ended: what a crash leaves goes. */
static bool make(const char *dir, struct arena *arena, struct pieces_wish *wish, const char *made,
                 const char *own, struct err *err)
{
    const char *facts = arena_fmt(arena, "%s/" FACTS, made).ptr;
    struct str *names;
    size_t count;

    if (!facts)
        return err_arena(err, arena);
    if (!file_list_any(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    if (count >= PIECES_OPEN_MAX)
        return err_set(err, ERR_EXHAUSTED, "%u uploads are on their way, as many as there may be",
                       PIECES_OPEN_MAX);
    return file_make_dir(made, 0700, err) && write_facts(arena, facts, wish, err) &&
           file_rename(made, own, err) && file_sync_dir(dir, err);
}

bool pieces_begin(const char *dir, struct arena *arena, struct pieces_wish *wish, struct err *err)
{
    struct err lost = {0};
    const char *made, *own;
    bool ok;

    wish->created = clock_wall();
    if (!file_make_dir(dir, 0700, err) ||
        !dated_id_new(arena, STR(MARK), wish->created, &wish->id, err) ||
        !path_of(arena, dir, wish->id, STR(""), &own, err))
        return false;
    made = arena_fmt(arena, "%s" GONE, own).ptr;
    if (!made)
        return err_arena(err, arena);
    mutex_lock(&turn);
    ok = make(dir, arena, wish, made, own, err);
    if (!ok) /* else pieces_sweep() does, or its time is over */
        (void)(!remove_dir(made, arena, &lost) || !remove_dir(own, arena, &lost));
    mutex_unlock(&turn);
    return ok;
}

/* Under one name and the other, and once more under the first, which it may have again. *taken: the other. */
static bool read_either(const char *dir, struct arena *arena, struct str id,
                        struct pieces_wish *out, bool *taken, struct err *err)
{
    struct str aside = arena_fmt(arena, STR_FMT TAKEN, STR_ARG(id)), names[] = {id, aside, id};

    if (!aside.ptr)
        return err_arena(err, arena);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct err why = {0};
        const char *facts;

        if (!path_of(arena, dir, names[i], STR(FACTS), &facts, err))
            return false;
        *taken = i == 1;
        if (read_facts(arena, facts, out, &why))
            return true;
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
    }
    return unknown(id, err);
}

bool pieces_find(const char *dir, struct arena *arena, struct str id, struct str tenant,
                 wall_ms now, struct pieces_wish *out, struct err *err)
{
    struct pieces_wish found;
    bool taken;

    if (!dated_id_is(STR(MARK), id))
        return unknown(id, err);
    if (!read_either(dir, arena, id, &found, &taken, err))
        return false;
    if ((tenant.len && !str_eq(tenant, found.tenant)) || now >= found.created + PIECES_TIME)
        return unknown(id, err);
    if (taken)
        return is_taken(id, err);
    *out = found;
    return true;
}

/* ---- pieces ---- */

static bool sum_parts(const char *own, struct arena *arena, uint64_t *bytes, size_t *parts,
                      struct err *err)
{
    struct file_info info;
    struct str *names;
    size_t count;

    *bytes = 0;
    *parts = 0;
    if (!file_list_any(arena, own, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_fmt(arena, "%s/" STR_FMT, own, STR_ARG(names[i])).ptr;

        if (!dated_id_is(STR(PART), names[i]))
            continue;
        if (!path)
            return err_arena(err, arena);
        if (!file_stat(path, &info, err))
            return false;
        *bytes += (uint64_t)info.bytes;
        ++*parts;
    }
    return true;
}

/* With the turn held, so that pieces that come at once are all counted. Of pieces that come again what came first may be
 * left out later: twice the size has room for all of them once more. */
static bool place(const char *own, struct arena *arena, const struct pieces_wish *wish,
                  uint64_t more, const char *from, const char *to, struct err *err)
{
    uint64_t bytes;
    size_t parts;

    if (!sum_parts(own, arena, &bytes, &parts, err))
        return false;
    if (parts >= PIECES_MAX)
        return err_set(err, ERR_EXHAUSTED, "an upload has at most %u parts", PIECES_MAX);
    if (bytes + more > 2 * wish->bytes)
        return err_set(err, ERR_TOO_LARGE,
                       "data: with this part there are %" PRIu64 " bytes, of a file of %" PRIu64,
                       bytes + more, wish->bytes);
    return file_rename(from, to, err) && file_sync_dir(own, err);
}

bool pieces_add(const char *dir, struct arena *arena, const struct pieces_wish *wish,
                const char *from, struct str *part, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    const char *own, *to;
    struct file_info info;

    if (!path_of(arena, dir, wish->id, STR(""), &own, err) || !file_stat(from, &info, err) ||
        !dated_id_new(arena, STR(PART), clock_wall(), part, err) ||
        !path_of(arena, dir, wish->id, *part, &to, err) ||
        !file_open(from, FILE_WRITE, 0600, &file, err) || !file_sync(file, err))
        return false;
    for (int tries = 0; tries < 2; tries++) {
        struct pieces_wish found;
        struct err why = {0};

        mutex_lock(&turn);
        bool ok = place(own, arena, wish, (uint64_t)info.bytes, from, to, &why);
        mutex_unlock(&turn);
        if (ok)
            return true;
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        /* It ended meanwhile, or is taken, or was taken and is back. */
        if (!pieces_find(dir, arena, wish->id, wish->tenant, clock_wall(), &found, err))
            return false;
    }
    return is_taken(wish->id, err);
}

static bool check_md5(struct str bytes, struct str md5, struct err *err)
{
    uint8_t want[MD5_BYTES], is[MD5_BYTES];
    uint32_t differ = 0;

    if (!md5.len)
        return true;
    if (md5.len != 2 * MD5_BYTES || !hex_parse(md5, want, sizeof want))
        return err_set(err, ERR_INVALID, "md5: expected 32 hexadecimal digits");
    pdf_md5(bytes, is);
    for (size_t i = 0; i < MD5_BYTES; i++)
        differ |= (uint32_t)(want[i] ^ is[i]);
    return !differ || err_set(err, ERR_INVALID, "md5: it is not that of the parts in this order");
}

bool pieces_join(const char *dir, const struct pieces_wish *wish, const struct str *parts,
                 size_t count, struct str md5, const char *to, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(3 * (size_t)wish->bytes + MIB);
    struct str all, one;
    struct buf b;

    if (!arena)
        return err_no_room(err, "no memory to put an upload together");
    buf_init(&b, arena, (size_t)wish->bytes + 1);
    for (size_t i = 0; i < count; i++) {
        size_t left = (size_t)wish->bytes - b.len;
        struct err why = {0};
        const char *path;

        if (!dated_id_is(STR(PART), parts[i]))
            return err_set(err, ERR_INVALID, "part_ids: no part \"" STR_FMT "\"",
                           STR_ARG(str_slice(parts[i], 0, 60)));
        path = arena_fmt(arena, "%s/" STR_FMT TAKEN "/" STR_FMT, dir, STR_ARG(wish->id),
                         STR_ARG(parts[i]))
                   .ptr;
        if (!path)
            return err_arena(err, arena);
        if (!file_load(arena, path, left, &one, &why))
            return why.code == ERR_NOT_FOUND
                       ? err_set(err, ERR_INVALID, "part_ids: no part \"" STR_FMT "\"",
                                 STR_ARG(parts[i]))
                   : why.code == ERR_TOO_LARGE
                       ? err_set(err, ERR_INVALID,
                                 "part_ids: the parts have more than the %" PRIu64
                                 " bytes that were said",
                                 wish->bytes)
                       : err_set(err, why.code, "%s", why.text);
        buf_str(&b, one);
        if (!buf_ok(&b))
            return err_arena(err, arena);
    }
    all = buf_view(&b);
    if (all.len != wish->bytes)
        return err_set(err, ERR_INVALID,
                       "part_ids: the parts have %zu bytes, %" PRIu64 " were said", all.len,
                       wish->bytes);
    return check_md5(all, md5, err) && file_store(to, all, 0600, err);
}

/* ---- ends ---- */

static bool move(const char *dir, struct arena *arena, struct str id, const char *from,
                 const char *to, struct err *err)
{
    const char *was = arena_fmt(arena, "%s/" STR_FMT "%s", dir, STR_ARG(id), from).ptr;
    const char *is = arena_fmt(arena, "%s/" STR_FMT "%s", dir, STR_ARG(id), to).ptr;
    struct err why = {0};

    if (!was || !is)
        return err_arena(err, arena);
    if (file_rename(was, is, &why))
        return true;
    return why.code == ERR_NOT_FOUND ? unknown(id, err) : err_set(err, why.code, "%s", why.text);
}

/* All of it or nothing: one whose new name may not stay has its old one. */
static bool move_surely(const char *dir, struct arena *arena, struct str id, const char *from,
                        const char *to, struct err *err)
{
    struct err lost = {0};

    if (!move(dir, arena, id, from, to, err))
        return false;
    if (file_sync_dir(dir, err))
        return true;
    (void)!move(dir, arena, id, to, from, &lost);
    return false;
}

bool pieces_take(const char *dir, struct arena *arena, struct str id, struct err *err)
{
    return dated_id_is(STR(MARK), id) ? move_surely(dir, arena, id, "", TAKEN, err)
                                      : unknown(id, err);
}

bool pieces_give_back(const char *dir, struct arena *arena, struct str id, struct err *err)
{
    return move(dir, arena, id, TAKEN, "", err) && file_sync_dir(dir, err);
}

bool pieces_end(const char *dir, struct arena *arena, struct str id, struct err *err)
{
    struct err lost = {0};

    if (move_surely(dir, arena, id, TAKEN, GONE, err))
        return true;
    (void)!pieces_give_back(dir, arena, id, &lost);
    return false;
}

/* With the turn held, so that none is one that is being made. */
static bool sweep(const char *dir, struct arena *arena, struct err *err)
{
    struct str *names;
    size_t count;
    bool some = false;

    if (!file_list_any(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *path;

        if (!str_ends(names[i], STR(GONE)))
            continue;
        if (!path_of(arena, dir, names[i], STR(""), &path, err) || !remove_dir(path, arena, err))
            return false;
        some = true;
    }
    return !some || file_sync_dir(dir, err);
}

bool pieces_sweep(const char *dir, struct arena *arena, struct err *err)
{
    mutex_lock(&turn);
    bool ok = sweep(dir, arena, err);
    mutex_unlock(&turn);
    return ok || err_wrap(err, "remove an upload that had ended");
}

bool pieces_expired(const char *dir, struct arena *arena, wall_ms now, struct str *id,
                    struct err *err)
{
    struct str *names;
    size_t count;

    *id = STR_NONE;
    if (!file_list_any(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count && !id->ptr; i++) {
        struct pieces_wish found;
        struct err gone = {0};
        const char *facts;

        if (!dated_id_is(STR(MARK), names[i]))
            continue;
        if (!path_of(arena, dir, names[i], STR(FACTS), &facts, err))
            return false;
        if (!read_facts(arena, facts, &found, &gone)) {
            if (gone.code == ERR_NOT_FOUND) /* ... has ended since it was named */
                continue;
            found.created = dated_id_time(STR(MARK), names[i]);
        }
        if (now >= found.created + PIECES_TIME)
            *id = names[i];
    }
    return true;
}

/* Its file is there, and the process ended before it had: who goes on with it would have the file twice. */
static bool is_a_file(const char *shelf, struct arena *arena, struct str id, bool *out,
                      struct err *err)
{
    struct shelf_file *files;
    size_t count;

    *out = false;
    if (!shelf_list(shelf, arena, STR(""), &files, &count, err))
        return false;
    for (size_t i = 0; i < count && !*out; i++)
        *out = str_eq(files[i].upload, id);
    return true;
}

static bool settle_taken(const char *dir, const char *shelf, struct arena *arena, struct str id,
                         struct err *err)
{
    bool ended;

    return is_a_file(shelf, arena, id, &ended, err) &&
           (ended ? pieces_end(dir, arena, id, err) && pieces_sweep(dir, arena, err)
                  : pieces_give_back(dir, arena, id, err));
}

bool pieces_clean(const char *dir, const char *shelf, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to look for uploads");
    if (!pieces_sweep(dir, arena, err) ||
        !file_list_any(arena, dir, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct str id =
            str_slice(names[i], 0, names[i].len - MIN_OF(names[i].len, sizeof TAKEN - 1));
        size_t mark = arena_mark(arena);

        if (str_ends(names[i], STR(TAKEN)) && !settle_taken(dir, shelf, arena, id, err))
            return err_wrap(err, "go on with an upload");
        arena_rewind(arena, mark);
    }
    return true;
}
