#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"

#define PATH_MAX_BYTES 1024
#define LOAD_STEP      (64 * KIB)
#define NAMES_FIRST    ((size_t)64)

struct file {
    int fd;
    enum file_mode mode;
    int64_t end; /* where the next append goes */
    char path[PATH_MAX_BYTES];
};

static bool fail(struct err *err, int sys, const char *doing, const char *path)
{
    return err_sys(err, sys == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, sys, "could not %s \"%s\"",
                   doing, path);
}

/* Every call passes here first; `point` is its name for base/fault.h. */
#ifndef MADV_POPULATE_WRITE
#    define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static bool enter(const char *point, const char *doing, const char *path, struct err *err)
{
    (void)point;
    if (FAULT(point))
        return fail(err, EIO, doing, path);
    return true;
}

/* ---- open files ---- */

static int open_as(const char *path, enum file_mode mode, int permissions)
{
    /* NONBLOCK: a FIFO put in our way must not hold us; regular files do not care. */
    int flags = O_CLOEXEC | O_NONBLOCK;

    switch (mode) {
    case FILE_READ: flags |= O_RDONLY; break;
    case FILE_WRITE: flags |= O_RDWR | O_CREAT; break;
    case FILE_REPLACE: flags |= O_RDWR | O_CREAT | O_TRUNC; break;
    }
    return open(path, flags, (mode_t)permissions);
}

bool file_open(const char *path, enum file_mode mode, int permissions, struct file **out,
               struct err *err)
{
    struct stat info;
    size_t got, len = strlen(path);

    if (!enter("file.open", "open", path, err))
        return false;
    if (len >= PATH_MAX_BYTES)
        return fail(err, ENAMETOOLONG, "open", path);
    int fd = open_as(path, mode, permissions);

    if (fd < 0)
        return fail(err, errno, "open", path);
    int failed = fstat(fd, &info) != 0 ? errno : S_ISDIR(info.st_mode) ? EISDIR : 0;
    struct file *f = failed ? NULL : pages_take(sizeof *f, &got);

    if (!f) {
        close(fd);
        return failed ? fail(err, failed, "open", path)
                      : err_no_room(err, "no memory to open \"%s\"", path);
    }
    *f = (struct file){.fd = fd, .mode = mode, .end = info.st_size};
    memcpy(f->path, path, len + 1);
    *out = f;
    return true;
}

void file_close(struct file **f)
{
    if (!*f)
        return;
    close((*f)->fd); /* what must be on disk was synced, and its error seen, before */
    pages_give(*f, PAGE_BYTES);
    *f = NULL;
}

bool file_read_at(struct file *f, int64_t offset, void *bytes, size_t size, size_t *got,
                  struct err *err)
{
    size_t done = 0;

    ASSERT(offset >= 0);
    if (!enter("file.read", "read", f->path, err))
        return false;
    while (done < size) {
        ssize_t n = pread(f->fd, (char *)bytes + done, size - done, offset + (int64_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, errno, "read", f->path);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return true;
}

bool file_write_at(struct file *f, int64_t offset, const void *bytes, size_t size, struct err *err)
{
    size_t done = 0;

    ASSERT(offset >= 0 && f->mode != FILE_READ);
    if (!enter("file.write", "write", f->path, err))
        return false;
    if (FAULT("file.full"))
        return fail(err, ENOSPC, "write", f->path);
    while (done < size) {
        ssize_t n = pwrite(f->fd, (const char *)bytes + done, size - done, offset + (int64_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(err, n < 0 ? errno : EIO, "write", f->path);
        done += (size_t)n;
        f->end = MAX_OF(f->end, offset + (int64_t)done); /* part of it may stay: like the kernel */
    }
    return true;
}

bool file_append(struct file *f, const void *bytes, size_t size, struct err *err)
{
    return file_write_at(f, f->end, bytes, size, err);
}

bool file_sync(struct file *f, struct err *err)
{
    if (!enter("file.sync", "sync", f->path, err))
        return false;
    return fdatasync(f->fd) == 0 || fail(err, errno, "sync", f->path);
}

bool file_cut(struct file *f, int64_t bytes, struct err *err)
{
    ASSERT(bytes >= 0 && f->mode != FILE_READ);
    if (!enter("file.cut", "cut", f->path, err))
        return false;
    if (ftruncate(f->fd, bytes) != 0)
        return fail(err, errno, "cut", f->path);
    f->end = bytes;
    return true;
}

bool file_reserve(struct file *f, int64_t bytes, struct err *err)
{
    int failed = 0;

    ASSERT(bytes >= 0 && f->mode != FILE_READ);
    if (!enter("file.reserve", "reserve room in", f->path, err))
        return false;
    if (bytes > 0)
        failed = posix_fallocate(f->fd, 0, bytes);
    if (failed)
        return fail(err, failed, "reserve room in", f->path);
    f->end = MAX_OF(f->end, bytes);
    return true;
}

bool file_size(struct file *f, int64_t *out, struct err *err)
{
    struct stat info;

    if (!enter("file.size", "measure", f->path, err))
        return false;
    if (fstat(f->fd, &info) != 0)
        return fail(err, errno, "measure", f->path);
    *out = info.st_size;
    return true;
}

bool file_map(struct file *f, size_t bytes, bool writable, void **out, struct err *err)
{
    struct stat info;

    ASSERT(bytes > 0 && (!writable || f->mode != FILE_READ));
    if (!enter("file.map", "map", f->path, err))
        return false;
    if (fstat(f->fd, &info) != 0)
        return fail(err, errno, "map", f->path);
    if ((uint64_t)info.st_size < bytes) /* beyond its end lies SIGBUS */
        return err_set(err, ERR_INVALID, "could not map \"%s\": it is shorter than %zu bytes",
                       f->path, bytes);
    void *map =
        mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, f->fd, 0);

    if (map == MAP_FAILED)
        return fail(err, errno, "map", f->path);
    *out = map;
    return true;
}

void file_unmap(void *map, size_t bytes)
{
    if (map)
        munmap(map, bytes);
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool file_sync_part(struct file *f, void *map, size_t from, size_t to, struct err *err)
{
    ASSERT(from <= to);
    if (!enter("file.sync", "sync", f->path, err))
        return false;
    from = from / page_bytes() * page_bytes();
    return msync((char *)map + from, to - from, MS_SYNC) == 0 || fail(err, errno, "sync", f->path);
}

void file_expect(void *map, size_t from, size_t to)
{
    from = from / page_bytes() * page_bytes();
    if (to > from) /* an older kernel makes them when they are written */
        madvise((char *)map + from, to - from, MADV_POPULATE_WRITE);
}

void file_forget(void *map, size_t from, size_t to)
{
    size_t page = page_bytes();

    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (to > from)
        madvise((char *)map + from, to - from,
                MADV_DONTNEED); /* of a shared map: nothing is lost */
}

bool file_lock(struct file *f, struct err *err)
{
    if (!enter("file.lock", "lock", f->path, err))
        return false;
    struct flock whole = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET}; /* of the open file, not of us */

    ASSERT(f->mode != FILE_READ);
    return fcntl(f->fd, F_OFD_SETLK, &whole) == 0 || fail(err, errno, "lock", f->path);
}

/* ---- whole files ---- */

bool file_load(struct arena *arena, const char *path, size_t max, struct str *out, struct err *err)
{
    struct file *f CLEANUP(file_close) = NULL;
    char *bytes = NULL;
    size_t room = 0, len = 0, got = 0;

    if (!file_open(path, FILE_READ, 0, &f, err))
        return false;
    do { /* the size is a first guess: files grow, and those of /proc say 0 */
        size_t want = room ? len + LOAD_STEP : MIN_OF((size_t)f->end, max) + 2;

        bytes = arena_grow(arena, bytes, room, want);
        if (!bytes)
            return err_arena(err, arena);
        room = want;
        if (!file_read_at(f, (int64_t)len, bytes + len, room - 1 - len, &got, err))
            return false;
        len += got;
        if (len > max)
            return err_set(err, ERR_TOO_LARGE, "file \"%s\" is larger than %zu bytes", path, max);
    } while (len == room - 1);
    bytes[len] = 0;
    *out = (struct str){bytes, len};
    return true;
}

static bool sync_parent(const char *path, struct err *err)
{
    char dir[PATH_MAX_BYTES];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? MAX_OF((size_t)(slash - path), (size_t)1) : 1;

    memcpy(dir, slash ? path : ".", len);
    dir[len] = 0;
    return file_sync_dir(dir, err);
}

bool file_store(const char *path, struct str bytes, int permissions, struct err *err)
{
    struct file *f CLEANUP(file_close) = NULL;
    struct err ignored = {0};
    char beside[PATH_MAX_BYTES];

    if (snprintf(beside, sizeof beside, "%s" FILE_UNFINISHED, path) >= (int)sizeof beside)
        return fail(err, ENAMETOOLONG, "write", path);
    if (!file_open(beside, FILE_REPLACE, permissions, &f, err))
        return false;
    if (file_append(f, bytes.ptr, bytes.len, err) && file_sync(f, err) &&
        file_rename(beside, path, err))
        return sync_parent(path, err);
    (void)!file_remove(beside, &ignored); /* one left behind is replaced next time */
    return false;
}

/* ---- names ---- */

bool file_stat(const char *path, struct file_info *out, struct err *err)
{
    struct stat info;

    if (!enter("file.stat", "look at", path, err))
        return false;
    if (stat(path, &info) != 0)
        return fail(err, errno, "look at", path);
    *out = (struct file_info){
        .bytes = info.st_size,
        .changed = (wall_ms)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / MILLISECOND,
        .touched = (wall_ms)info.st_ctim.tv_sec * 1000 + info.st_ctim.tv_nsec / MILLISECOND,
        .device = info.st_dev,
        .inode = info.st_ino,
        .mode = info.st_mode,
        .is_dir = S_ISDIR(info.st_mode),
        .is_file = S_ISREG(info.st_mode),
    };
    return true;
}

bool file_remove(const char *path, struct err *err)
{
    if (!enter("file.remove", "remove", path, err))
        return false;
    return remove(path) == 0 || fail(err, errno, "remove", path);
}

bool file_rename(const char *from, const char *to, struct err *err)
{
    if (!enter("file.rename", "rename", from, err))
        return false;
    return rename(from, to) == 0 || fail(err, errno, "rename", from);
}

bool file_swap(const char *from, const char *to, struct err *err)
{
    if (!enter("file.swap", "rename", from, err))
        return false;
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0 || rename(from, to) == 0 ||
           fail(err, errno, "rename", from);
}

static bool make_one_dir(const char *path, int permissions, struct err *err)
{
    struct stat info;

    if (mkdir(path, (mode_t)permissions) == 0)
        return true;
    int failed = errno;

    if (failed == EEXIST && stat(path, &info) == 0)
        return S_ISDIR(info.st_mode) || fail(err, ENOTDIR, "make directory", path);
    return fail(err, failed, "make directory", path);
}

bool file_make_dir(const char *path, int permissions, struct err *err)
{
    char part[PATH_MAX_BYTES];
    size_t len = strlen(path);

    if (!enter("file.make_dir", "make directory", path, err))
        return false;
    if (len == 0 || len >= sizeof part)
        return fail(err, len ? ENAMETOOLONG : ENOENT, "make directory", path);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        part[i] = 0;
        if (!make_one_dir(part, permissions, err))
            return false;
        part[i] = path[i];
    }
    return true;
}

bool file_sync_dir(const char *path, struct err *err)
{
    if (!enter("file.sync_dir", "sync directory", path, err))
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail(err, errno, "sync directory", path);
    int failed = fsync(fd) != 0 ? errno : 0;

    close(fd);
    return !failed || fail(err, failed, "sync directory", path);
}

struct listing {
    struct arena *arena;
    struct str *names;
    size_t count, room, max;
};

static bool add_name(struct listing *l, const char *name, const char *path, struct err *err)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    if (l->count == l->max)
        return err_set(err, ERR_TOO_LARGE, "directory \"%s\" holds more than %zu names", path,
                       l->max);
    if (l->count == l->room) {
        size_t room = MAX_OF(l->room * 2, NAMES_FIRST);

        l->names =
            arena_grow(l->arena, l->names, l->room * sizeof *l->names, room * sizeof *l->names);
        l->room = room;
    }
    if (!l->names || !(l->names[l->count] = arena_str(l->arena, str_from(name))).ptr)
        return err_arena(err, l->arena);
    l->count++;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool read_names(DIR *dir, struct listing *l, const char *path, struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);

        if (!entry)
            return errno == 0 || fail(err, errno, "list", path);
        if (!add_name(l, entry->d_name, path, err))
            return false;
    }
}

bool file_list(struct arena *arena, const char *path, size_t max, struct str **names, size_t *count,
               struct err *err)
{
    struct listing l = {.arena = arena, .max = max};

    if (!enter("file.list", "list", path, err))
        return false;
    DIR *dir = opendir(path);

    if (!dir)
        return fail(err, errno, "list", path);
    bool ok = read_names(dir, &l, path, err);

    closedir(dir);
    if (!ok)
        return false;
    if (l.count > 0)
        qsort(l.names, l.count, sizeof *l.names, compare_names);
    *names = l.names;
    *count = l.count;
    return true;
}
