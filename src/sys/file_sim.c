#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/asan.h"
#include "sys/clock.h"
#include "sys/sim_internal.h"

/* The whole disk: a list of nodes in the order they were made. A removed node stays in the list, for
 * who still has it open or mapped, and keeps its blocks until the last of those goes. */

#define BLOCK          ((int64_t)4096)
#define PATH_MAX_BYTES 512

struct node {
    struct node *next;
    char path[PATH_MAX_BYTES]; /* as normalize() writes it */
    bool is_dir, removed;
    char *bytes; /* cap of them; what is behind `size` is zero and poisoned */
    size_t cap;
    char *synced; /* as the last sync left them, or NULL */
    size_t synced_cap;
    int64_t synced_size;
    int64_t size, blocks; /* blocks: bytes taken from the disk */
    wall_ms changed;
    uint64_t inode;
    uint32_t mode, opens, maps;
    const struct file *locked_by;
};

struct file {
    struct node *node;
    enum file_mode mode;
};

struct disk {
    struct node *first;
    int64_t used;
    uint64_t last_inode;
};
static struct disk disk, kept;
static bool is_kept;

/* ---- paths ---- */

static void drop_last_part(char *path, size_t *len)
{
    while (*len > 0 && path[--*len] != '/') {
    }
    path[*len] = 0;
}

/* "a//b/./c/" and "/a/b/../b/c" name one file each way: absolute, single slashes, no dots. Relative
 * paths start at the root: the simulator has no working directory. */
static void normalize(const char *path, char out[PATH_MAX_BYTES])
{
    size_t len = 0;

    out[0] = 0;
    for (struct str rest = str_from(path), part; str_split(&rest, '/', &part);) {
        if (part.len == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            drop_last_part(out, &len);
            continue;
        }
        ASSERT(len + part.len + 2 <= PATH_MAX_BYTES);
        out[len++] = '/';
        memcpy(out + len, part.ptr, part.len);
        len += part.len;
        out[len] = 0;
    }
}

static struct node *find(const char *normal)
{
    for (struct node *n = disk.first; n; n = n->next)
        if (!n->removed && strcmp(n->path, normal) == 0)
            return n;
    return NULL;
}

static struct node *find_path(const char *path)
{
    char normal[PATH_MAX_BYTES];

    normalize(path, normal);
    return find(normal);
}

static struct node *add_node(const char *normal, bool is_dir, int permissions)
{
    struct node **end = &disk.first;
    struct node *n = sim_alloc(sizeof *n);

    while (*end)
        end = &(*end)->next;
    memcpy(n->path, normal, strlen(normal) + 1);
    n->is_dir = is_dir;
    n->mode = (uint32_t)permissions;
    n->changed = clock_wall();
    n->inode = ++disk.last_inode;
    return *end = n;
}

/* The root and /tmp are always there. */
static void need_disk(void)
{
    if (disk.first)
        return;
    add_node("", true, 0755);
    add_node("/tmp", true, 0777);
}

static bool parent_exists(const char *normal)
{
    char parent[PATH_MAX_BYTES];
    size_t len = strlen(normal);

    memcpy(parent, normal, len + 1);
    drop_last_part(parent, &len);
    const struct node *n = find(parent);
    return n && n->is_dir;
}

/* ---- errors ---- */

static bool fail(struct err *err, int sys, const char *doing, const char *path)
{
    enum err_code code = sys == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;

    return err_sys(err, code, sys, "could not %s \"%s\"", doing, path);
}

/* Each call passes here first. `point` is its name for base/fault.h as well. */
static bool enter(const char *point, const char *doing, const char *path, struct err *err)
{
    need_disk();
    if (sim_strikes(SIM_FILE_FAILED, point) || FAULT(point))
        return fail(err, EIO, doing, path);
    return true;
}

/* ---- bytes ---- */

static bool take_blocks(struct node *n, int64_t bytes, const char *where)
{
    int64_t limit = sim_world()->opt.disk_bytes;
    int64_t want = (bytes + BLOCK - 1) / BLOCK * BLOCK;

    if (want <= n->blocks)
        return true;
    if (sim_strikes(SIM_DISK_FULL, where))
        return false;
    if (limit && disk.used + want - n->blocks > limit) {
        sim_world()->report.struck[SIM_DISK_FULL]++;
        sim_note("disk is full", (uint64_t)disk.used, (uint64_t)want);
        return false;
    }
    disk.used += want - n->blocks;
    n->blocks = want;
    return true;
}

static void give_blocks(struct node *n, int64_t bytes)
{
    int64_t keep = (bytes + BLOCK - 1) / BLOCK * BLOCK;

    ASSERT(keep <= n->blocks);
    disk.used -= n->blocks - keep;
    n->blocks = keep;
}

static void need_capacity(struct node *n, size_t bytes)
{
    if (bytes <= n->cap)
        return;
    ASSERT(n->maps == 0); /* a map shows the bytes where they are: reserve before mapping */
    size_t cap = MAX_OF(MAX_OF(bytes, n->cap * 2), (size_t)BLOCK);
    char *moved = sim_alloc(cap);

    if (n->size > 0)
        memcpy(moved, n->bytes, (size_t)n->size);
    MEMORY_POISON(moved + n->size, cap - (size_t)n->size);
    if (n->bytes)
        MEMORY_POISON(n->bytes, n->cap);
    n->bytes = moved;
    n->cap = cap;
}

static void set_size(struct node *n, int64_t size)
{
    need_capacity(n, (size_t)size);
    if (size > n->size)
        MEMORY_UNPOISON(n->bytes + n->size, (size_t)(size - n->size));
    if (size < n->size) {
        memset(n->bytes + size, 0, (size_t)(n->size - size));
        MEMORY_POISON(n->bytes + size, (size_t)(n->size - size));
    }
    n->size = size;
    n->changed = clock_wall();
}

static void drop_if_unused(struct node *n)
{
    if (!n->removed || n->opens || n->maps)
        return;
    give_blocks(n, 0);
    if (n->bytes)
        MEMORY_POISON(n->bytes, n->cap);
}

static void remove_node(struct node *n)
{
    n->removed = true;
    sim_note("file removed", n->inode, (uint64_t)n->size);
    drop_if_unused(n);
}

/* ---- open files ---- */

bool file_open(const char *path, enum file_mode mode, int permissions, struct file **out,
               struct err *err)
{
    char normal[PATH_MAX_BYTES];

    if (!enter("file.open", "open", path, err))
        return false;
    normalize(path, normal);
    struct node *n = find(normal);
    if (n && n->is_dir)
        return fail(err, EISDIR, "open", path);
    if (!n && (mode == FILE_READ || !parent_exists(normal)))
        return fail(err, ENOENT, "open", path);
    if (!n)
        n = add_node(normal, false, permissions);
    if (mode == FILE_REPLACE) {
        ASSERT(n->maps == 0);
        set_size(n, 0);
        give_blocks(n, 0);
    }
    struct file *f = sim_alloc(sizeof *f);
    *f = (struct file){n, mode};
    n->opens++;
    sim_world()->report.files++;
    sim_note("file open", n->inode, (uint64_t)n->size);
    *out = f;
    return true;
}

bool file_read_at(struct file *f, int64_t offset, void *bytes, size_t size, size_t *got,
                  struct err *err)
{
    struct node *n = f->node;

    ASSERT(offset >= 0);
    if (!enter("file.read", "read", n->path, err))
        return false;
    int64_t there = MAX_OF(n->size - offset, 0);
    size_t part = MIN_OF(size, (size_t)there);
    if (part > 0)
        memcpy(bytes, n->bytes + offset, part);
    *got = part;
    return true;
}

/* A full disk takes what still fits, like the kernel's write does. */
static bool write_bytes(struct file *f, int64_t offset, struct str bytes, struct err *err)
{
    struct node *n = f->node;
    int64_t end = offset + (int64_t)bytes.len;

    ASSERT(offset >= 0 && f->mode != FILE_READ);
    if (!enter("file.write", "write", n->path, err))
        return false;
    if (bytes.len == 0)
        return true;
    bool fits = take_blocks(n, end, "file.write") && !FAULT("file.full");
    if (!fits)
        end = MIN_OF(end, MAX_OF(n->blocks, offset));
    if (end > n->size)
        set_size(n, end);
    if (end > offset)
        memcpy(n->bytes + offset, bytes.ptr, (size_t)(end - offset));
    sim_note("file write", n->inode, (uint64_t)end);
    return fits || fail(err, ENOSPC, "write", n->path);
}

bool file_write_at(struct file *f, int64_t offset, const void *bytes, size_t size, struct err *err)
{
    return write_bytes(f, offset, (struct str){bytes, size}, err);
}

bool file_append(struct file *f, const void *bytes, size_t size, struct err *err)
{
    return write_bytes(f, f->node->size, (struct str){bytes, size}, err);
}

static void note_synced(struct node *n)
{
    if (n->synced_cap < (size_t)n->size || !n->synced) {
        n->synced_cap = MAX_OF((size_t)n->size, (size_t)BLOCK);
        n->synced = sim_alloc(n->synced_cap);
    }
    if (n->size > 0)
        memcpy(n->synced, n->bytes, (size_t)n->size);
    n->synced_size = n->size;
}

bool file_sync(struct file *f, struct err *err)
{
    if (!enter("file.sync", "sync", f->node->path, err))
        return false;
    note_synced(f->node);
    sim_note("file sync", f->node->inode, (uint64_t)f->node->size);
    return true;
}

/* With room for all of the file, what was synced before in its place and zeroes behind. */
static void keep_synced(struct node *n)
{
    size_t size = (size_t)n->size, have = n->synced ? MIN_OF((size_t)n->synced_size, size) : 0;
    char *before = n->synced;

    if (!before || n->synced_cap < size) {
        n->synced_cap = MAX_OF(size, (size_t)BLOCK);
        n->synced = sim_alloc(n->synced_cap);
        if (have)
            memcpy(n->synced, before, have);
    }
    memset(n->synced + have, 0, size - have);
    n->synced_size = n->size;
}

bool file_sync_part(struct file *f, void *map, size_t from, size_t to, struct err *err)
{
    struct node *n = f->node;

    ASSERT(map == n->bytes && from <= to && to <= (size_t)n->size);
    if (!enter("file.sync", "sync", n->path, err))
        return false;
    keep_synced(n);
    memcpy(n->synced + from, n->bytes + from, to - from);
    sim_note("file sync", n->inode, (uint64_t)n->size);
    return true;
}

void file_expect(void *map, size_t from, size_t to)
{
    (void)map, (void)from, (void)to;
}

bool file_cut(struct file *f, int64_t bytes, struct err *err)
{
    struct node *n = f->node;

    ASSERT(bytes >= 0 && f->mode != FILE_READ);
    if (!enter("file.cut", "cut", n->path, err))
        return false;
    set_size(n, bytes); /* longer than it was: a hole, which takes no blocks */
    if (n->blocks > bytes)
        give_blocks(n, bytes);
    return true;
}

bool file_reserve(struct file *f, int64_t bytes, struct err *err)
{
    struct node *n = f->node;

    ASSERT(bytes >= 0 && f->mode != FILE_READ);
    if (!enter("file.reserve", "reserve room in", n->path, err))
        return false;
    if (!take_blocks(n, bytes, "file.reserve"))
        return fail(err, ENOSPC, "reserve room in", n->path);
    if (bytes > n->size)
        set_size(n, bytes);
    return true;
}

bool file_size(struct file *f, int64_t *out, struct err *err)
{
    if (!enter("file.size", "measure", f->node->path, err))
        return false;
    *out = f->node->size;
    return true;
}

bool file_map(struct file *f, size_t bytes, bool writable, void **out, struct err *err)
{
    struct node *n = f->node;

    ASSERT(bytes > 0 && (!writable || f->mode != FILE_READ));
    if (!enter("file.map", "map", n->path, err))
        return false;
    need_capacity(n, bytes);
    n->maps++;
    sim_world()->report.maps++;
    sim_note("file map", n->inode, bytes);
    *out = n->bytes;
    return true;
}

void file_forget(void *map, size_t from, size_t to)
{
    (void)map, (void)from, (void)to;
}

void file_unmap(void *map, size_t bytes)
{
    (void)bytes;
    if (!map)
        return;
    for (struct node *n = disk.first; n; n = n->next) {
        if (n->bytes != map || !n->maps)
            continue;
        n->maps--;
        sim_world()->report.maps--;
        drop_if_unused(n);
        return;
    }
    ASSERT(map == NULL); /* nobody mapped it */
}

bool file_lock(struct file *f, struct err *err)
{
    struct node *n = f->node;

    if (!enter("file.lock", "lock", n->path, err))
        return false;
    if (n->locked_by && n->locked_by != f)
        return fail(err, EWOULDBLOCK, "lock", n->path);
    n->locked_by = f;
    return true;
}

void file_close(struct file **f)
{
    if (!*f)
        return;
    struct node *n = (*f)->node;
    if (n->locked_by == *f)
        n->locked_by = NULL;
    n->opens--;
    sim_world()->report.files--;
    drop_if_unused(n);
    MEMORY_POISON(*f, sizeof **f);
    *f = NULL;
}

/* ---- whole files ---- */

bool file_load(struct arena *arena, const char *path, size_t max, struct str *out, struct err *err)
{
    struct file *f CLEANUP(file_close) = NULL;
    size_t got;

    if (!file_open(path, FILE_READ, 0, &f, err))
        return false;
    size_t size = (size_t)f->node->size;
    if (size > max)
        return err_set(err, ERR_TOO_LARGE, "file \"%s\" is larger than %zu bytes", path, max);
    char *bytes = arena_alloc_raw(arena, size + 1);
    if (!bytes)
        return err_arena(err, arena);
    if (!file_read_at(f, 0, bytes, size, &got, err))
        return false;
    bytes[got] = 0;
    *out = (struct str){bytes, got};
    return true;
}

bool file_store(const char *path, struct str bytes, int permissions, struct err *err)
{
    struct file *f CLEANUP(file_close) = NULL;
    struct err ignored = {0};
    char beside[PATH_MAX_BYTES];

    ASSERT(snprintf(beside, sizeof beside, "%s" FILE_UNFINISHED, path) < (int)sizeof beside);
    if (!file_open(beside, FILE_REPLACE, permissions, &f, err))
        return false;
    if (file_append(f, bytes.ptr, bytes.len, err) && file_sync(f, err) &&
        file_rename(beside, path, err))
        return true;
    if (!file_remove(beside, &ignored))
        sim_note("file left beside", 0, 0);
    return false;
}

/* ---- names ---- */

bool file_stat(const char *path, struct file_info *out, struct err *err)
{
    if (!enter("file.stat", "look at", path, err))
        return false;
    const struct node *n = find_path(path);
    if (!n)
        return fail(err, ENOENT, "look at", path);
    *out = (struct file_info){.bytes = n->size,
                              .changed = n->changed,
                              .touched = n->changed,
                              .device = 1,
                              .inode = n->inode,
                              .mode = n->mode,
                              .is_dir = n->is_dir};
    return true;
}

static bool is_inside(const struct node *n, const char *dir)
{
    size_t len = strlen(dir);

    return !n->removed && strncmp(n->path, dir, len) == 0 && n->path[len] == '/';
}

static bool is_empty_dir(const struct node *dir)
{
    for (const struct node *n = disk.first; n; n = n->next)
        if (is_inside(n, dir->path))
            return false;
    return true;
}

bool file_remove(const char *path, struct err *err)
{
    if (!enter("file.remove", "remove", path, err))
        return false;
    struct node *n = find_path(path);
    if (!n)
        return fail(err, ENOENT, "remove", path);
    if (n->is_dir && !is_empty_dir(n))
        return fail(err, ENOTEMPTY, "remove", path);
    remove_node(n);
    return true;
}

static void move_node(struct node *n, size_t from_len, const char *to)
{
    char moved[PATH_MAX_BYTES];

    ASSERT(snprintf(moved, sizeof moved, "%s%s", to, n->path + from_len) < (int)sizeof moved);
    memcpy(n->path, moved, sizeof moved);
}

bool file_rename(const char *from, const char *to, struct err *err)
{
    char normal_from[PATH_MAX_BYTES], normal_to[PATH_MAX_BYTES];

    if (!enter("file.rename", "rename", from, err))
        return false;
    normalize(from, normal_from);
    normalize(to, normal_to);
    struct node *moved = find(normal_from), *replaced = find(normal_to);
    if (!moved || !parent_exists(normal_to))
        return fail(err, ENOENT, "rename", from);
    if (moved == replaced)
        return true;
    if (replaced && replaced->is_dir && !is_empty_dir(replaced))
        return fail(err, ENOTEMPTY, "rename", from);
    if (replaced)
        remove_node(replaced);
    for (struct node *n = disk.first; n; n = n->next)
        if (n != moved && is_inside(n, normal_from))
            move_node(n, strlen(normal_from), normal_to);
    move_node(moved, strlen(normal_from), normal_to);
    sim_note("file renamed", moved->inode, 0);
    return true;
}

/* As a file system that cannot exchange names. */
bool file_swap(const char *from, const char *to, struct err *err)
{
    return file_rename(from, to, err);
}

bool file_make_dir(const char *path, int permissions, struct err *err)
{
    char normal[PATH_MAX_BYTES];

    if (!enter("file.make_dir", "make directory", path, err))
        return false;
    normalize(path, normal);
    for (size_t i = 1, len = strlen(normal); i <= len; i++) {
        char cut = normal[i];

        if (cut != '/' && cut != 0)
            continue;
        normal[i] = 0;
        const struct node *n = find(normal);
        if (n && !n->is_dir)
            return fail(err, ENOTDIR, "make directory", path);
        if (!n)
            add_node(normal, true, permissions);
        normal[i] = cut;
    }
    return true;
}

bool file_sync_dir(const char *path, struct err *err)
{
    if (!enter("file.sync_dir", "sync directory", path, err))
        return false;
    return find_path(path) || fail(err, ENOENT, "sync directory", path);
}

static bool is_child(const struct node *n, const struct node *dir)
{
    size_t len = strlen(dir->path);

    return is_inside(n, dir->path) && !strchr(n->path + len + 1, '/');
}

static void insert_name(struct str *names, size_t count, struct str name)
{
    for (; count > 0 && str_cmp(name, names[count - 1]) < 0; count--)
        names[count] = names[count - 1];
    names[count] = name;
}

bool file_list(struct arena *arena, const char *path, size_t max, struct str **names, size_t *count,
               struct err *err)
{
    size_t found = 0, i = 0;

    if (!enter("file.list", "list", path, err))
        return false;
    const struct node *dir = find_path(path);
    if (!dir)
        return fail(err, ENOENT, "list", path);
    for (const struct node *n = disk.first; n; n = n->next)
        found += is_child(n, dir);
    if (found > max)
        return err_set(err, ERR_TOO_LARGE, "directory \"%s\" holds more than %zu names", path, max);
    struct str *list = arena_array(arena, found + 1, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    for (const struct node *n = disk.first; n; n = n->next) {
        if (!is_child(n, dir))
            continue;
        struct str name = arena_str(arena, str_from(n->path + strlen(dir->path) + 1));
        if (!name.ptr)
            return err_arena(err, arena);
        insert_name(list, i++, name);
    }
    *names = list;
    *count = found;
    return true;
}

bool file_nameless(struct arena *arena, const char *dir, struct file_nameless **out, size_t *count,
                   struct err *err)
{
    char normal[PATH_MAX_BYTES];
    size_t found = 0;

    if (!enter("file.nameless", "look for what is held of", dir, err))
        return false;
    normalize(dir, normal);
    size_t len = strlen(normal);
    for (const struct node *n = disk.first; n; n = n->next)
        found += n->removed && (n->opens || n->maps);
    *out = arena_array(arena, found + 1, sizeof **out);
    *count = 0;
    for (const struct node *n = disk.first; n && *out; n = n->next)
        if (n->removed && (n->opens || n->maps) && strncmp(n->path, normal, len) == 0 &&
            n->path[len] == '/')
            (*out)[(*count)++] = (struct file_nameless){
                arena_str(arena, str_from(n->path + len + 1)), n->inode, n->size};
    return *out || err_arena(err, arena);
}

/* ---- the whole disk ---- */

static struct node *copy_node(const struct node *n)
{
    struct node *twin = sim_alloc(sizeof *twin);

    *twin = *n;
    twin->next = NULL;
    twin->opens = twin->maps = 0;
    twin->locked_by = NULL;
    twin->bytes = twin->synced = NULL;
    twin->cap = twin->synced_cap = 0;
    twin->size = 0;
    set_size(twin, n->size);
    if (n->size > 0)
        memcpy(twin->bytes, n->bytes, (size_t)n->size);
    twin->changed = n->changed;
    return twin;
}

/* Without power, what was not synced is there or not, block by block, as the kernel had come to it.
 * Names and sizes are the file system's journal's and stay. */
static void lose_power(struct node *twin, const struct node *n)
{
    for (int64_t at = 0; at < n->size; at += BLOCK) {
        size_t part = (size_t)MIN_OF(BLOCK, n->size - at);
        int64_t synced = n->synced ? MAX_OF(n->synced_size - at, 0) : 0;
        size_t old = MIN_OF((size_t)synced, part);

        if (sim_draw(SIM_WORLD, 2))
            continue;
        memset(twin->bytes + at, 0, part);
        if (old > 0)
            memcpy(twin->bytes + at, n->synced + at, old);
    }
}

static struct disk copy_disk(const struct disk *from, bool power_fails)
{
    struct disk copy = {.used = from->used, .last_inode = from->last_inode};
    struct node **end = &copy.first;

    for (const struct node *n = from->first; n; n = n->next) {
        if (n->removed)
            continue;
        *end = copy_node(n);
        if (power_fails)
            lose_power(*end, n);
        end = &(*end)->next;
    }
    return copy;
}

void sim_files_keep(bool power_fails)
{
    need_disk();
    kept = copy_disk(&disk, power_fails);
    is_kept = true;
    sim_note("files kept", (uint64_t)disk.used, power_fails);
}

void sim_files_revert(void)
{
    ASSERT(is_kept);
    ASSERT(sim_world()->report.files == 0 && sim_world()->report.maps == 0);
    disk = kept;
    is_kept = false;
    sim_note("files reverted", (uint64_t)disk.used, 0);
}

void sim_files_done(void)
{
    disk = kept = (struct disk){0};
    is_kept = false;
}
