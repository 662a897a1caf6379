/* What was forgotten and is still being read: who reads a file keeps its bytes on the disk after its name is gone. An order
 * waits for them before it says that all is gone. Where one reads on, the receipt names what; forgotten/ID.reading then
 * stands beside it until the reading has ended, which the audit log says: so at every moment it is known which is so. */
#include <string.h>

#include "app/admin_fields.h"
#include "app/forget_internal.h"
#include "base/log.h"
#include "sys/clock.h"

#define LOOK_FIRST  (2 * MILLISECOND)
#define LOOK_MOST   (100 * MILLISECOND)
#define LOOK_ARENA  ((size_t)256 * MIB)
#define READING_MAX ((size_t)16 * MIB)
#define NAMES_MAX   100000
#define LISTED_MAX  8 /* files in a line of the log */

/* ---- who reads ---- */

struct looking {
    struct house *house;
    struct arena *arena;
    struct file_nameless *list;
    size_t count;
    bool ok;
    struct err err;
};

static void run_look(void *arg)
{
    struct looking *l = arg;

    l->ok = file_nameless(l->arena, l->house->dir.ptr, &l->list, &l->count, &l->err);
}

static bool is_among(const struct looking *l, const struct file_nameless *file)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].inode == file->inode && str_eq(l->list[i].name, file->name))
            return true;
    return false;
}

static bool take_first(struct forgetting *f, const struct looking *l, struct err *err)
{
    struct forget_told *t = f->told;

    t->held = arena_array(f->arena, l->count + 1, sizeof *t->held);
    if (!t->held)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < l->count; i++) {
        t->held[i] = l->list[i];
        t->held[i].name = arena_str(f->arena, l->list[i].name);
        if (!t->held[i].name.ptr)
            return err_arena(err, f->arena);
    }
    t->held_count = l->count;
    return true;
}

/* What lost its name later is of others. */
static void keep_those(struct forget_told *t, const struct looking *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->held_count; i++)
        if (is_among(l, &t->held[i]))
            t->held[kept++] = t->held[i];
    t->held_count = kept;
}

static SUSPENDS bool look(struct forgetting *f, bool first, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOOK_ARENA);
    struct looking l = {.house = f->house, .arena = arena};

    if (!arena)
        return err_no_room(err, "no memory to look who still reads what is forgotten");
    if (!pool_run(f->house->documents, run_look, &l, err))
        return false;
    if (!l.ok) { /* tried again it would be the same: that nobody knows is said instead */
        f->told->held_count = 0;
        f->told->held_unknown = arena_fmt(f->arena, "%s", l.err.text);
        return f->told->held_unknown.ptr || err_arena(err, f->arena);
    }
    if (first)
        return take_first(f, &l, err);
    keep_those(f->told, &l);
    return true;
}

static struct str listed(struct arena *arena, const struct file_nameless *list, size_t count)
{
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    for (size_t i = 0; i < count && i < LISTED_MAX; i++)
        buf_fmt(&b, "%s\"" STR_FMT "\" (%" PRId64 " bytes)", i ? ", " : "",
                STR_ARG(str_slice(list[i].name, 0, 500)), list[i].bytes);
    if (count > LISTED_MAX)
        buf_fmt(&b, " and %zu more", count - LISTED_MAX);
    return buf_view(&b);
}

bool forget_wait(struct forgetting *f, struct err *err)
{
    mono_ns until = fiber_now() + f->house->forget_wait;
    dur_ns pause = LOOK_FIRST;

    if (!look(f, true, err))
        return false;
    while (f->told->held_count && fiber_now() < until) {
        if (!fiber_sleep(MIN_OF(pause, until - fiber_now()), err) || !look(f, false, err))
            return false;
        pause = MIN_OF(2 * pause, LOOK_MOST);
    }
    if (f->told->held_count)
        log_warn("forgotten, and still being read: " STR_FMT
                 ": these bytes go when that reading ends, which the audit log will say",
                 STR_ARG(listed(f->arena, f->told->held, f->told->held_count)));
    if (f->told->held_unknown.len)
        log_warn("forgotten, but whether it is still being read is not known: " STR_FMT,
                 STR_ARG(f->told->held_unknown));
    return true;
}

/* ---- written down ---- */

void held_put_files(struct json_writer *w, const struct file_nameless *list, size_t count)
{
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        reply_text(w, "file", list[i].name);
        reply_count(w, "bytes", list[i].bytes);
        jw_object_end(w);
    }
    jw_array_end(w);
}

void held_put(const struct held *held, struct buf *to)
{
    struct json_writer w;

    jw_init(&w, to);
    jw_object(&w);
    reply_text(&w, "receipt", held->receipt);
    jw_key(&w, "files");
    jw_array(&w);
    for (size_t i = 0; i < held->count; i++) {
        jw_object(&w);
        reply_text(&w, "file", held->list[i].name);
        reply_count(&w, "bytes", held->list[i].bytes);
        reply_count(&w, "inode", (int64_t)held->list[i].inode);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
}

static bool read_file(const struct json *j, json_ref v, struct arena *arena,
                      struct file_nameless *out)
{
    int64_t inode;

    if (!json_str(j, json_get(j, v, STR("file")), arena, &out->name) ||
        !json_i64(j, json_get(j, v, STR("bytes")), &out->bytes) ||
        !json_i64(j, json_get(j, v, STR("inode")), &inode))
        return false;
    out->inode = (uint64_t)inode;
    return true;
}

bool held_read(struct arena *arena, struct str text, struct held *out, struct err *err)
{
    struct json *j = json_parse(arena, text, err);
    struct held held = {0};
    uint8_t hash[SHA256_BYTES];

    if (!j)
        return false;
    json_ref list = json_path(j, "files");
    held.list = arena_array(arena, json_count(j, list) + 1, sizeof *held.list);
    if (!held.list)
        return err_arena(err, arena);
    bool ok = json_kind(j, list) == JSON_ARRAY &&
              json_str(j, json_path(j, "receipt"), arena, &held.receipt) &&
              held.receipt.len == 2 * sizeof hash && hex_parse(held.receipt, hash, sizeof hash);
    for (json_ref v = json_first(j, list); ok && v; v = json_next(j, v))
        ok = read_file(j, v, arena, &held.list[held.count++]);
    if (!ok)
        return err_set(err, ERR_INVALID, "it does not say what is still being read");
    *out = held;
    return true;
}

/* ---- ended ---- */

struct reading {
    struct house *house;
    struct arena *arena;
    const char *folder, *path;
    struct str *names, text;
    size_t count;
    bool ok;
    struct err err;
};

static void run_list(void *arg)
{
    struct reading *r = arg;

    r->ok = file_list_any(r->arena, r->folder, NAMES_MAX, &r->names, &r->count, &r->err);
}

static void run_load(void *arg)
{
    struct reading *r = arg;

    r->ok = file_load(r->arena, r->path, READING_MAX, &r->text, &r->err);
}

static void run_remove(void *arg)
{
    struct reading *r = arg;

    r->ok = file_remove(r->path, &r->err) && file_sync_dir(r->folder, &r->err);
}

static SUSPENDS bool do_now(struct reading *r, void (*run)(void *arg), struct err *err)
{
    if (!pool_run(r->house->documents, run, r, err))
        return false;
    if (!r->ok)
        *err = r->err;
    return r->ok;
}

/* False without an error: somebody reads on. */
static SUSPENDS bool has_ended(struct reading *r, const struct looking *l, struct err *err)
{
    struct held held;

    if (!do_now(r, run_load, err) || !held_read(r->arena, r->text, &held, err))
        return err_wrap(err, "\"%s\"", r->path);
    for (size_t i = 0; i < held.count; i++)
        if (is_among(l, &held.list[i]))
            return false;
    struct str note =
        arena_fmt(r->arena, "what was " HELD_MARK STR_FMT " is gone", STR_ARG(held.receipt));
    if (!note.ptr)
        return err_arena(err, r->arena);
    if (!forget_note_down(r->house, STR("forget"), note, err) || !do_now(r, run_remove, err))
        return false;
    log_info("what was still being read when receipt " STR_FMT " was made is gone: " STR_FMT,
             STR_ARG(held.receipt), STR_ARG(listed(r->arena, held.list, held.count)));
    return true;
}

static SUSPENDS bool look_at_all(struct house *house, bool *some, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LOOK_ARENA);
    struct looking l = {.house = house, .arena = arena};
    struct reading r = {.house = house, .arena = arena};

    if (!arena)
        return err_no_room(err, "no memory to look who still reads what is forgotten");
    r.folder = arena_fmt(arena, STR_FMT "/" FORGOTTEN_DIR, STR_ARG(house->dir)).ptr;
    if (!r.folder)
        return err_arena(err, arena);
    if (!do_now(&r, run_list, err) || !pool_run(house->documents, run_look, &l, err))
        return false;
    if (!l.ok) {
        *err = l.err;
        return false;
    }
    for (size_t i = 0; i < r.count; i++) {
        if (!str_ends(r.names[i], STR(READING_END)))
            continue;
        r.path = arena_fmt(arena, "%s/" STR_FMT, r.folder, STR_ARG(r.names[i])).ptr;
        if (!r.path)
            return err_arena(err, arena);
        bool ended = has_ended(&r, &l, err);
        if (err->code)
            return false;
        *some = *some || !ended;
    }
    return true;
}

void house_held_look(struct house *house)
{
    struct err err = {0};
    bool some = false;

    if (!atomic_exchange(&house->reading, false))
        return;
    if (!look_at_all(house, &some, &err)) {
        some = true;
        if (err.code != ERR_CANCELLED)
            log_warn("whether what is forgotten is still being read could not be looked at, it is "
                     "tried again: %s",
                     err.text);
    }
    if (some)
        atomic_store(&house->reading, true);
}
