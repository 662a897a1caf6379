/* accounts/audit_runs.c: the hashes of the tree on their way to its files. What is not known to be on the disk
 * stays in memory, so that a write or a sync that failed is done again as a whole. */
#include "accounts/audit_runs.h"

#include <string.h>

#include "accounts/audit_internal.h"
#include "sys/file.h"

/* Leaves come by thousands, what is above them 256 times more rarely. */
#define NODES_PENDING (3 * TILE_WIDTH)

static size_t room_of(int level)
{
    return level ? NODES_PENDING : AUDIT_LEAVES_WAITING;
}

static uint64_t whole(uint64_t hashes)
{
    return hashes / TILE_WIDTH * TILE_WIDTH;
}

bool audit_runs_init(struct audit_runs *runs, struct arena *arena, const char *dir, struct err *err)
{
    *runs = (struct audit_runs){.dir = dir};
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct sha256 *pending = arena_alloc_raw(arena, room_of(level) * sizeof *pending);

        if (!pending)
            return err_arena(err, arena);
        runs->at[level].pending = pending;
    }
    return true;
}

static void close_run(struct audit_run *run)
{
    file_close(&run->file);
    run->named = false;
}

void audit_runs_begin(struct audit_runs *runs, uint64_t size)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct audit_run *run = &runs->at[level];

        close_run(run);
        run->first = run->written = run->have = whole(size >> 8 * level);
    }
}

void audit_runs_done(struct audit_runs *runs)
{
    for (int level = 0; level < TILE_LEVELS; level++)
        close_run(&runs->at[level]);
}

/* ---- files ---- */

static bool make_level_dir(char *path, struct err *err)
{
    char *slash = strrchr(path, '/');

    *slash = 0;

    bool ok = file_make_dir(path, 0700, err);

    *slash = '/';
    return ok;
}

/* The file that hash `written` belongs in. */
static bool open_run(struct audit_runs *runs, int level, struct err *err)
{
    struct audit_run *run = &runs->at[level];
    uint64_t first = run->written / AUDIT_RUN_HASHES * AUDIT_RUN_HASHES;
    char path[AUDIT_PATH_MAX];
    struct err missing = {0};
    struct buf b;

    if (run->file && run->file_first == first)
        return true;
    close_run(run);
    buf_init_fixed(&b, path, sizeof path);
    if (!audit_run_path(&b, runs->dir, level, first))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    if (!file_open(path, FILE_WRITE, 0600, &run->file, &missing)) {
        if (missing.code != ERR_NOT_FOUND)
            *err = missing;
        if (missing.code != ERR_NOT_FOUND || !make_level_dir(path, err) ||
            !file_open(path, FILE_WRITE, 0600, &run->file, err))
            return false;
    }
    run->file_first = first;
    return true;
}

/* Once a file: it may be new, or from a life that ended before it came to this; so may its directories. */
static bool sync_names(const struct audit_runs *runs, int level, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct buf b;

    buf_init_fixed(&b, path, sizeof path);
    if (!audit_run_path(&b, runs->dir, level, 0))
        return err_set(err, ERR_INVALID, "path of audit directory is too long");
    for (int up = 0; up < 2; up++) {
        *strrchr(path, '/') = 0;
        if (!file_sync_dir(path, err))
            return false;
    }
    return file_sync_dir(runs->dir, err);
}

static bool sync_run(struct audit_runs *runs, int level, struct err *err)
{
    struct audit_run *run = &runs->at[level];

    if (!file_sync(run->file, err) || (!run->named && !sync_names(runs, level, err))) {
        run->written = run->first; /* nobody knows what of it is there: again */
        return false;
    }
    run->named = true;
    return true;
}

/* ---- hashes ---- */

/* Up to the end of one file. */
static bool write_run(struct audit_runs *runs, int level, struct err *err)
{
    struct audit_run *run = &runs->at[level];

    if (!open_run(runs, level, err))
        return false;

    uint64_t end = MIN_OF(run->have, run->file_first + AUDIT_RUN_HASHES);

    if (!file_write_at(run->file, (int64_t)((run->written - run->file_first) * SHA256_BYTES),
                       run->pending + (run->written - run->first),
                       (size_t)(end - run->written) * SHA256_BYTES, err))
        return false;
    run->written = end;
    return true;
}

/* What follows full tiles can be made again. */
static bool settle_run(struct audit_runs *runs, int level, struct err *err)
{
    struct audit_run *run = &runs->at[level];
    uint64_t done = whole(run->written);

    if (done == run->first)
        return true;
    if (!sync_run(runs, level, err))
        return false;
    memmove(run->pending, run->pending + (done - run->first),
            (size_t)(run->have - done) * sizeof *run->pending);
    run->first = done;
    return true;
}

/* A file is synced before it is left. */
static bool write_level(struct audit_runs *runs, int level, bool settle, struct err *err)
{
    struct audit_run *run = &runs->at[level];

    while (run->written < run->have) {
        if (!write_run(runs, level, err))
            return false;
        if (run->written % AUDIT_RUN_HASHES == 0 && !settle_run(runs, level, err))
            return false;
    }
    return (!settle && level == 0) || settle_run(runs, level, err);
}

bool audit_runs_add(struct audit_runs *runs, int level, uint64_t index, const struct sha256 *tile,
                    uint32_t width, struct err *err)
{
    struct audit_run *run = &runs->at[level];
    uint64_t from = index * TILE_WIDTH, end = from + width;

    if (end <= run->have) /* given again */
        return true;
    ASSERT(from <= run->have && from >= run->first);
    if (end - run->first > room_of(level) && !write_level(runs, level, true, err))
        return err_wrap(err, "write hashes of the audit tree");
    ASSERT(end - run->first <= room_of(level));
    memcpy(run->pending + (run->have - run->first), tile + (run->have - from),
           (size_t)(end - run->have) * sizeof *tile);
    run->have = end;
    return true;
}

bool audit_runs_write(struct audit_runs *runs, bool settle, struct err *err)
{
    for (int level = 0; level < TILE_LEVELS; level++)
        if (!write_level(runs, level, settle, err))
            return err_wrap(err, "write hashes of the audit tree");
    return true;
}
