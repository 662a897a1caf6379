/* accounts/audit_tree_internal.h: what the files of the tree share.
 *   audit_tree.c       tiles, growing, checkpoints      audit_tree_open.c  keys, opening, closing */
#ifndef WEIR_ACCOUNTS_AUDIT_TREE_INTERNAL_H
#define WEIR_ACCOUNTS_AUDIT_TREE_INTERNAL_H

#include <stdatomic.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_query.h"
#include "accounts/audit_runs.h"
#include "accounts/audit_tree.h"
#include "sys/mutex.h"

#define TREE_KEYS_BYTES_MAX ((size_t)NOTE_KEYS_MAX * (NOTE_KEY_TEXT + 1))

struct audit_tree {
    struct arena *arena;
    struct audit *audit;
    struct audit_bodies *bodies;
    const char *dir, *key_file, *public_file;
    struct pool *pool;
    atomic_bool queued;    /* an advance that nobody waits for */
    atomic_bool unsettled; /* leaves are in their file that are not synced */
    _Atomic uint64_t done; /* signed_size, for who may not wait for the lock */

    struct mutex lock; /* over all below; held through an advance */
    struct note_signer *signer;
    struct note_key keys[NOTE_KEYS_MAX]; /* the one in use first */
    size_t key_count;
    struct merkle_edge *edge;
    struct audit_cursor cursor;
    struct audit_runs runs;
    bool positioned; /* the cursor stands behind the edge's last leaf */
    uint64_t signed_size;
    char note[NOTE_MAX]; /* the newest */
    size_t note_len;
    struct sha256
        leaves[TILE_WIDTH]; /* of the records from leaves_first on, as they were appended */
    uint64_t leaves_first;
    size_t leaves_count;
    struct audit_rows rows; /* of the segment that the cursor is in */
    uint64_t indexed;       /* segments before the one that begins here have their tables */
    wall_ms kept;           /* when a checkpoint was kept last */
};

/* The part of the tree that is not in full tiles, as of `size`. */
struct tree_part {
    uint64_t index;
    uint32_t width;
};

static inline struct tree_part tree_part_of(uint64_t size, int level)
{
    uint64_t width = size >> 8 * level;

    return (struct tree_part){width / TILE_WIDTH, (uint32_t)(width % TILE_WIDTH)};
}

/* Under the lock, all of them. */
bool tree_grow(struct audit_tree *tree, uint64_t to, struct err *err) MUST_CHECK;
/* Hashes into files. `settle`, here and below: as audit_runs_write() has it. */
bool tree_write(struct audit_tree *tree, bool settle, struct err *err) MUST_CHECK;
bool tree_sign(struct audit_tree *tree, bool settle, struct err *err) MUST_CHECK;
bool tree_advance(struct audit_tree *tree, bool settle, struct err *err) MUST_CHECK;
/* By the key in use, and, when it is being replaced, by its successor too. */
void tree_make_note(const struct audit_tree *tree, const struct note_signer *next, wall_ms now,
                    struct buf *note);
bool tree_keep_note(struct audit_tree *tree, struct str note, const char *suffix, struct err *err)
    MUST_CHECK;
bool tree_publish(struct audit_tree *tree, struct str note, struct err *err) MUST_CHECK;
void tree_put_keys(const struct audit_tree *tree, struct buf *to);
bool tree_path(char to[AUDIT_PATH_MAX], struct err *err, const char *dir, const char *name)
    MUST_CHECK;
void tree_nudge(struct audit_tree *tree); /* after the next so many records */

#endif
