/* accounts/audit_runs.h: writes the hashes of the tree, level by level, in files of AUDIT_RUN_HASHES (audit_tree.h
 * says which). A hash never changes once it is made, so a file only grows, and who reads what a checkpoint
 * covers reads beside us.
 *   first <= written <= have     of each level: on the disk for good, in whole tiles | in the file | known
 * Synced   leaves when AUDIT_LEAVES_WAITING of them wait, when their file is full, and when somebody says so; above them
 *          whole tiles, at once. So all below a whole tile is on the disk before it, and leaves that power loss took are
 *          among the last AUDIT_LEAVES_WAITING: their records were synced before, and a start hashes them again.
 * Memory   what is behind `first`: 136 KiB for leaves, 24 KiB for each level above, as far as it is touched.
 * Threads  one at a time; blocks. */
#ifndef WEIR_ACCOUNTS_AUDIT_RUNS_H
#define WEIR_ACCOUNTS_AUDIT_RUNS_H

#include "accounts/audit_tree.h"

struct file;

#define AUDIT_LEAVES_WAITING (17 * TILE_WIDTH)

struct audit_run {
    struct sha256 *pending; /* from hash `first` on */
    uint64_t first, written, have;
    struct file *file; /* that was written last, or NULL */
    uint64_t file_first;
    bool named; /* the file's name is on the disk */
};
struct audit_runs {
    const char *dir; /* of the log */
    struct audit_run at[TILE_LEVELS];
};
bool audit_runs_init(struct audit_runs *runs, struct arena *arena, const char *dir, struct err *err)
    MUST_CHECK;
/* Full tiles of a tree of `size` are there; the others are to be added, from their beginnings. */
void audit_runs_begin(struct audit_runs *runs, uint64_t size);
/* The first `width` hashes of a tile, of which some may have been added before. */
bool audit_runs_add(struct audit_runs *runs, int level, uint64_t index, const struct sha256 *tile,
                    uint32_t width, struct err *err) MUST_CHECK;
/* All that was added: into the files; `settle`: full tiles of leaves to the disk, too. */
bool audit_runs_write(struct audit_runs *runs, bool settle, struct err *err) MUST_CHECK;
void audit_runs_done(struct audit_runs *runs);

#endif
