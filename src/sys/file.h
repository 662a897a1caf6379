/* sys/file.h: files. These calls block: from a fiber only what is known to be short (an append to the
 * page cache, a stat); everything else inside pool_run().
 * Every call is a fault point. The simulator keeps files in memory and fails them by seed. */
#ifndef WEIR_SYS_FILE_H
#define WEIR_SYS_FILE_H

#include "base/arena.h"
#include "base/err.h"

struct file;
enum file_mode { FILE_READ, FILE_WRITE /* create, keep */, FILE_REPLACE /* create, cut to 0 */ };

struct file_info {
    int64_t bytes;
    wall_ms changed;
    wall_ms touched; /* bytes, name, rights or times were changed: no program can set it back */
    uint64_t device, inode; /* who it is: a rename keeps them */
    uint32_t mode;
    bool is_dir, is_file; /* neither: a pipe, a socket, a device */
};

bool file_open(const char *path, enum file_mode mode, int permissions, struct file **out,
               struct err *err) MUST_CHECK;
bool file_read_at(struct file *f, int64_t offset, void *bytes, size_t size, size_t *got,
                  struct err *err) MUST_CHECK;
bool file_write_at(struct file *f, int64_t offset, const void *bytes, size_t size, struct err *err)
    MUST_CHECK; /* all */
bool file_append(struct file *f, const void *bytes, size_t size, struct err *err) MUST_CHECK;
bool file_sync(struct file *f, struct err *err) MUST_CHECK; /* fdatasync */
bool file_cut(struct file *f, int64_t bytes, struct err *err) MUST_CHECK;
bool file_reserve(struct file *f, int64_t bytes, struct err *err)
    MUST_CHECK; /* real blocks: no SIGBUS later */
bool file_size(struct file *f, int64_t *out, struct err *err) MUST_CHECK;
/* Map `bytes` from the start, shared. Writable maps survive kill -9 without a system call a write. */
bool file_map(struct file *f, size_t bytes, bool writable, void **out, struct err *err) MUST_CHECK;
void file_unmap(void *map, size_t bytes);
/* As file_sync(), of what stands there in a writable map alone: pages behind it that are not written yet stay as they are. */
bool file_sync_part(struct file *f, void *map, size_t from, size_t to, struct err *err) MUST_CHECK;
/* Pages of a writable map that will be written soon: made by this thread, all at once, instead of one by one by whoever writes
 * first. Nothing in them changes, so others may be writing there. */
void file_expect(void *map, size_t from, size_t to);
/* Pages of a map that nobody will look at soon: no memory of this process any more, until somebody does. */
void file_forget(void *map, size_t from, size_t to);
bool file_lock(struct file *f, struct err *err)
    MUST_CHECK; /* exclusive, at once or ERR_UNAVAILABLE */
void file_close(struct file **f);

/* A whole file into the arena; ERR_TOO_LARGE past max. */
bool file_load(struct arena *arena, const char *path, size_t max, struct str *out, struct err *err)
    MUST_CHECK;
/* Whole or not at all: written beside, synced, renamed. */
bool file_store(const char *path, struct str bytes, int permissions, struct err *err) MUST_CHECK;
#define FILE_UNFINISHED ".new" /* how a name ends that it is written under first */
bool file_stat(const char *path, struct file_info *out, struct err *err)
    MUST_CHECK; /* ERR_NOT_FOUND */
bool file_remove(const char *path, struct err *err) MUST_CHECK;
bool file_rename(const char *from, const char *to, struct err *err) MUST_CHECK;
/* The same, and what stood at `to` stands at `from` then, where the file system can do that: a file that is
 * replaced many times a second needs two inodes, instead of a new one each time. */
bool file_swap(const char *from, const char *to, struct err *err) MUST_CHECK;
bool file_make_dir(const char *path, int permissions, struct err *err)
    MUST_CHECK; /* with parents; exists is fine */
bool file_sync_dir(const char *path, struct err *err) MUST_CHECK;
/* Names in a directory, sorted by bytes, without . and ..; at most max names, else ERR_TOO_LARGE. */
bool file_list(struct arena *arena, const char *path, size_t max, struct str **names, size_t *count,
               struct err *err) MUST_CHECK;
/* The same; a directory that is not there has none. */
static inline MUST_CHECK bool file_list_any(struct arena *arena, const char *path, size_t max,
                                            struct str **names, size_t *count, struct err *err)
{
    struct err why = {0};

    *names = NULL;
    *count = 0;
    if (file_list(arena, path, max, names, count, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

/* A file that has no name any more and that this process still has open or mapped: its bytes are on the disk until it lets
 * go. */
struct file_nameless {
    struct str name; /* that it had, below the directory */
    uint64_t inode;
    int64_t bytes;
};
/* Those below a directory, each once; the kernel's word, so that no reader is passed over. */
bool file_nameless(struct arena *arena, const char *dir, struct file_nameless **out, size_t *count,
                   struct err *err) MUST_CHECK;

#endif
