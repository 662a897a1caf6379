#include "sys/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

bool path_absolute(struct arena *arena, const char *path, struct str *out, struct err *err)
{
    char *room = arena_alloc_raw(arena, PATH_MAX);

    if (!room)
        return err_arena(err, arena);
    if (!realpath(path, room))
        return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, errno,
                       "cannot find \"%s\"", path);
    *out = str_from(room);
    return true;
}

struct str path_program(struct arena *arena)
{
    char path[2048];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);

    return len > 0 ? arena_str(arena, (struct str){path, (size_t)len}) : STR("");
}
