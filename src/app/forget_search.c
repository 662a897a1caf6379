/* Looking for fingerprints in all files below a directory. */
#include <errno.h>
#include <string.h>

#include "app/forget.h"

#define NAMES_MAX 100000
#define DEPTH_MAX 16
#define FOUND_MAX 1000

struct walk {
    struct arena *arena;
    const struct search_where *where;
    struct fingerprints *prints;
    struct file_search *out;
};

static bool search_file(struct walk *w, struct str path, struct err *err)
{
    uint64_t bytes = 0, seen = 0;
    struct err why = {0};

    if (!fingerprints_find(w->prints, path.ptr, &bytes, &seen, &why)) {
        if (why.code == ERR_NOT_FOUND || why.sys == ENXIO || why.sys == EOPNOTSUPP)
            return true; /* gone meanwhile, or a socket */
        *err = why;
        return false;
    }
    w->out->files++;
    w->out->bytes += bytes;
    if (!seen)
        return true;
    if (w->out->found_count == FOUND_MAX)
        return err_set(err, ERR_TOO_LARGE, "it stands in more than %d files", FOUND_MAX);
    w->out->found[w->out->found_count++] =
        (struct found_file){str_slice(path, strlen(w->where->dir) + 1, path.len), seen};
    return true;
}

static bool is_passed_over(const struct walk *w, struct str name)
{
    bool segment = str_ends(name, STR(".segment")) || str_ends(name, STR(".records"));

    return w->where->which != SEARCH_ALL && segment != (w->where->which == SEARCH_SEGMENTS);
}

static bool walk(struct walk *w, struct str dir, int depth, struct err *err)
{
    struct str *names;
    struct err none = {0};
    size_t count;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_TOO_LARGE, "folders below \"%s\" are nested too deep",
                       w->where->dir);
    if (!file_list(w->arena, dir.ptr, NAMES_MAX, &names, &count, &none)) {
        if (depth > 0 && none.code == ERR_NOT_FOUND) /* gone since it was named */
            return true;
        *err = none;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(w->arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));
        struct file_info info;
        struct err gone = {0};

        if (!path.ptr)
            return err_arena(err, w->arena);
        if (!file_stat(path.ptr, &info, &gone)) {
            if (gone.code == ERR_NOT_FOUND)
                continue;
            *err = gone;
            return false;
        }
        if (!info.is_dir && is_passed_over(w, names[i]))
            continue;
        if (!(info.is_dir ? walk(w, path, depth + 1, err) : search_file(w, path, err)))
            return false;
    }
    return true;
}

bool search_files(struct arena *arena, const struct search_where *where,
                  struct fingerprints *prints, struct file_search *out, struct err *err)
{
    struct walk w = {.arena = arena, .where = where, .prints = prints, .out = out};

    *out = (struct file_search){.found = arena_array(arena, FOUND_MAX, sizeof *out->found)};
    return (out->found || err_arena(err, arena)) &&
           (walk(&w, str_from(where->dir), 0, err) || err_wrap(err, "look for what was forgotten"));
}
