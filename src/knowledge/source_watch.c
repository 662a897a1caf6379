#include "knowledge/source_watch.h"

#include "base/arena.h"
#include "sys/file.h"
#include "sys/path.h"

#define WALK_ARENA ((size_t)512 * MIB)
#define DEPTH_MAX  32
#define NAMES_MAX  1000000

static bool add(struct watch *w, struct arena *arena, struct str dir, int depth, struct err *err);

static bool is_folder(struct arena *arena, struct str path)
{
    struct err ignored = {0};
    struct file_info info;
    struct str real;

    return file_stat(path.ptr, &info, &ignored) && info.is_dir &&
           path_absolute(arena, path.ptr, &real, &ignored) && str_eq(real, path);
}

static bool add_below(struct watch *w, struct arena *arena, struct str dir, int depth,
                      struct err *err)
{
    struct err gone = {0};
    struct str *names;
    size_t count;

    if (!file_list(arena, dir.ptr, NAMES_MAX, &names, &count, &gone))
        return true; /* the run says what it could not look at */
    for (size_t i = 0; i < count; i++) {
        size_t mark = arena_mark(arena);
        struct str path = arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));

        if (!path.ptr)
            return err_arena(err, arena);
        if (names[i].ptr[0] != '.' && depth < DEPTH_MAX && is_folder(arena, path) &&
            !add(w, arena, path, depth + 1, err))
            return false;
        arena_rewind(arena, mark);
    }
    return true;
}

static bool add(struct watch *w, struct arena *arena, struct str dir, int depth, struct err *err)
{
    struct err why = {0};

    if (watch_add(w, dir.ptr, &why))
        return add_below(w, arena, dir, depth, err);
    if (why.code == ERR_NOT_FOUND && depth > 0)
        return true; /* it went meanwhile */
    *err = why;
    return false;
}

struct renewing {
    struct watch *watch;
    struct str folder;
    bool ok;
    struct err *err;
};

static void renew(void *arg)
{
    struct renewing *r = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(WALK_ARENA);
    struct str whole, name = arena ? arena_str(arena, r->folder) : STR_NONE;

    if (!name.ptr)
        r->ok = err_no_room(r->err, "no memory to watch a folder");
    else
        r->ok = path_absolute(arena, name.ptr, &whole, r->err) &&
                add(r->watch, arena, whole, 0, r->err);
}

bool folder_watch(struct pool *pool, struct str folder, struct watch **watch, struct err *err)
{
    if (!*watch && !watch_open(watch, err))
        return false;
    struct renewing r = {.watch = *watch, .folder = folder, .err = err};

    return pool_run(pool, renew, &r, err) && r.ok;
}
