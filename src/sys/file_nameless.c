/* Which files this process holds that have no name any more: /proc says it, of what is mapped and of what is open. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "sys/file.h"
#include "sys/path.h"

#define MAPS_MAX     ((size_t)64 * MIB)
#define MAPS_STEP    ((size_t)64 * KIB)
#define OPEN_MAX     ((size_t)1 << 20)
#define GONE         STR(" (deleted)") /* behind the name, as the kernel writes it */
#define FIRST_ROOM   ((size_t)16)
#define MAPS_COLUMNS 5 /* addresses, rights, offset, device, inode; then the name */

struct nameless {
    struct arena *arena;
    struct str dir; /* without links, with a slash behind it */
    struct file_nameless *list;
    size_t count, room;
};

/* A file may be mapped in pieces, and open besides. */
static bool add(struct nameless *n, struct str name, uint64_t inode, int64_t bytes, struct err *err)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->list[i].inode == inode) {
            n->list[i].bytes = MAX_OF(n->list[i].bytes, bytes);
            return true;
        }
    if (n->count == n->room) {
        size_t room = MAX_OF(n->room * 2, FIRST_ROOM);

        n->list = arena_grow(n->arena, n->list, n->room * sizeof *n->list, room * sizeof *n->list);
        n->room = room;
    }
    name = arena_str(n->arena, name);
    if (!n->list || !name.ptr)
        return err_arena(err, n->arena);
    n->list[n->count++] = (struct file_nameless){name, inode, bytes};
    return true;
}

/* The name below the directory of a path that is gone; false: it is another's, or still there. */
static bool is_ours(const struct nameless *n, struct str path, struct str *name)
{
    if (!str_ends(path, GONE) || !str_starts(path, n->dir))
        return false;
    *name = str_slice(path, n->dir.len, path.len - GONE.len);
    return true;
}

/* ---- mapped ---- */

static bool read_maps(struct arena *arena, struct str *out, struct err *err)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;
    size_t len = 0, room = 0;
    ssize_t got = 1;

    while (fd >= 0 && got > 0 && len < MAPS_MAX) {
        if (room - len < MAPS_STEP) {
            bytes = arena_grow(arena, bytes, room, 2 * room + 2 * MAPS_STEP);
            room = 2 * room + 2 * MAPS_STEP;
        }
        if (!bytes)
            break;
        got = read(fd, bytes + len, room - len);
        len += got > 0 ? (size_t)got : 0;
    }
    int failed = fd < 0 || got < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (failed || len >= MAPS_MAX)
        return err_sys(err, ERR_UNAVAILABLE, failed ? failed : EFBIG,
                       "could not read what is mapped");
    *out = (struct str){bytes, len};
    return bytes || err_arena(err, arena);
}

static bool hex(struct str text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (digit < 0)
            return false;
        *out = *out << 4 | (uint64_t)digit;
    }
    return text.len > 0 && text.len <= 16;
}

/* "7f00-7f10 r--s 00002000 08:01 4711   /data/12.segment (deleted)" */
static bool add_mapped(struct nameless *n, struct str line, struct err *err)
{
    struct str column[MAPS_COLUMNS], from, name;
    uint64_t begin, end, offset, inode;

    for (int i = 0; i < MAPS_COLUMNS; i++)
        if (!str_split(&line, ' ', &column[i]))
            return true;
    if (!is_ours(n, str_trim(line), &name) || !str_split(&column[0], '-', &from) ||
        !hex(from, &begin) || !hex(column[0], &end) || !hex(column[2], &offset) ||
        !u64_parse(column[4], &inode))
        return true;
    return add(n, name, inode, (int64_t)(offset + end - begin), err);
}

static bool find_mapped(struct nameless *n, struct err *err)
{
    struct str rest, line;

    if (!read_maps(n->arena, &rest, err))
        return false;
    while (str_split(&rest, '\n', &line))
        if (!add_mapped(n, line, err))
            return false;
    return true;
}

/* ---- open ---- */

static bool add_open(struct nameless *n, struct str number, struct err *err)
{
    char link[64], path[1024];
    struct stat st;
    struct str name;

    (void)snprintf(link, sizeof link, "/proc/self/fd/" STR_FMT, STR_ARG(number));
    ssize_t len = readlink(link, path, sizeof path);
    if (len <= 0 || (size_t)len == sizeof path ||
        !is_ours(n, (struct str){path, (size_t)len}, &name) || stat(link, &st) != 0)
        return true; /* closed meanwhile, or nothing of ours */
    return add(n, name, st.st_ino, st.st_size, err);
}

static bool find_open(struct nameless *n, struct err *err)
{
    struct str *numbers;
    size_t count;

    if (!file_list(n->arena, "/proc/self/fd", OPEN_MAX, &numbers, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!add_open(n, numbers[i], err))
            return false;
    return true;
}

bool file_nameless(struct arena *arena, const char *dir, struct file_nameless **out, size_t *count,
                   struct err *err)
{
    struct nameless n = {.arena = arena};
    struct str whole;

    if (FAULT("file.nameless"))
        return err_sys(err, ERR_UNAVAILABLE, EIO, "could not read what is mapped");
    if (!path_absolute(arena, dir, &whole, err))
        return false;
    n.dir = arena_fmt(arena, STR_FMT "/", STR_ARG(whole));
    if (!n.dir.ptr)
        return err_arena(err, arena);
    if (!find_mapped(&n, err) || !find_open(&n, err))
        return false;
    *out = n.list;
    *count = n.count;
    return true;
}
