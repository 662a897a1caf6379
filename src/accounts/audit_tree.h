/* accounts/audit_tree.h: the Merkle tree over the log in files, and the checkpoints that sign it, beside
 * the log's segments in its directory:
 *   tree/L/N               hashes of level L from number N on, 65,536 to a file: hash H stands at 32 * (H - N).
 *                          So tile T, of 256 hashes (C2SP tlog-tiles), is a piece of 8 KiB
 *   tile/L/NNN             a tile, as versions before wrote them: read where tree/ has none
 *   checkpoint             the newest, signed; replaced as a whole
 *   checkpoints/N          what is kept of older ones: one an hour, and each change of the key
 * Order    records are on the disk before their tiles and these before the checkpoint that signs them,
 *          so no checkpoint is ever ahead of the log, whatever dies.
 * Lives    behind the append: nothing here runs on a request's path but one comparison.
 * Threads  any; blocks. One lock inside. */
#ifndef WEIR_ACCOUNTS_AUDIT_TREE_H
#define WEIR_ACCOUNTS_AUDIT_TREE_H

#include "accounts/audit_merkle.h"
#include "accounts/audit_note.h"
#include "base/buf.h"

struct audit;
struct audit_tree;
struct audit_bodies;

struct audit_tree_options {
    const char *key_file;        /* made at first start, mode 0600 */
    struct audit_bodies *bodies; /* synced before a checkpoint; NULL: none */
    const char *public_file;     /* vkeys, a line each, the newest first */
};
/* Checks what is there against the newest checkpoint, builds what is missing. Refuses a log that is
 * shorter than, or differs from, what was signed. */
bool audit_tree_open(struct audit *audit, const struct audit_tree_options *options,
                     struct audit_tree **out, struct err *err) MUST_CHECK;
/* Take in what was appended and sign a checkpoint, if there is anything new. Syncs the log. */
bool audit_tree_advance(struct audit_tree *tree, struct err *err) MUST_CHECK;
/* A fiber's function: advances every second with new records, until cancelled. */
SUSPENDS void audit_tree_loop(void *tree);
/* A new key, for which the old one signs. Blocks. */
bool audit_tree_rotate(struct audit_tree *tree, struct err *err) MUST_CHECK;
/* The newest checkpoint as it was signed, copied; empty before the first. */
bool audit_tree_note(struct audit_tree *tree, struct arena *arena, struct str *out, struct err *err)
    MUST_CHECK;
uint64_t audit_tree_size(struct audit_tree *tree); /* records that are signed for */
uint64_t audit_tree_settled(
    struct audit_tree *tree); /* whose hashes power loss does not take back either */
/* The public keys, the one in use first. */
bool audit_tree_keys(struct audit_tree *tree, struct arena *arena, struct str *out, struct err *err)
    MUST_CHECK;
void audit_tree_close(struct audit_tree **tree);

/* ---- files, for whoever reads them ---- */

#define AUDIT_CHECKPOINT  "checkpoint"
#define AUDIT_CHECKPOINTS "checkpoints"

#define AUDIT_TREE       "tree"
#define AUDIT_TILES      "tile"
#define AUDIT_RUN_HASHES ((uint64_t)65536)

/* Of the file that has this hash of the level. */
bool audit_run_path(struct buf *to, const char *dir, int level, uint64_t hash);
/* ERR_NOT_FOUND when the hashes are not all there. */
bool audit_tile_read(const char *dir, int level, uint64_t index, uint32_t width,
                     struct sha256 out[TILE_WIDTH], struct err *err) MUST_CHECK;
/* Tiles from files: what merkle_source wants. `size`: of the tree that the files are of. */
struct audit_tiles {
    const char *dir;
    int level; /* of the tile in memory, -1: none */
    uint64_t index;
    struct sha256 tile[TILE_WIDTH];
};
merkle_tile audit_tiles_read; /* ctx: struct audit_tiles */

#endif
