/* accounts/audit_merkle.h: the Merkle tree of RFC 6962 over numbered leaves, kept in tiles of 256 hashes
 * (C2SP tlog-tiles): tile T of level L holds the hashes of the subtrees of 256^L leaves numbered
 * 256*T and up. Arithmetic alone: no files, no clock.
 *   leaf  SHA-256(0x00 || record)        node  SHA-256(0x01 || left || right)
 * Source  RFC 6962 section 2.1; RFC 9162 sections 2.1.3 and 2.1.4 for checking proofs. */
#ifndef WEIR_ACCOUNTS_AUDIT_MERKLE_H
#define WEIR_ACCOUNTS_AUDIT_MERKLE_H

#include "base/arena.h"
#include "base/hash.h"

#define TILE_WIDTH   256u
#define TILE_BYTES   (TILE_WIDTH * SHA256_BYTES)
#define TILE_LEVELS  8   /* 256^8 leaves */
#define PROOF_HASHES 128 /* more than any proof has */

bool sha256_equal(const struct sha256 *a, const struct sha256 *b);
struct sha256 merkle_leaf(struct str record);
struct sha256 merkle_node(const struct sha256 *left, const struct sha256 *right);
struct sha256 merkle_empty(void); /* the root of no leaves */
/* Of `count` neighbours, a power of two. */
struct sha256 merkle_fold(const struct sha256 *hashes, size_t count);
/* How many hashes tile `index` of `level` has in a tree of `size` leaves: 0 to TILE_WIDTH. */
uint32_t merkle_tile_width(uint64_t size, int level, uint64_t index);

/* ---- growing: the right edge of the tree, all that is not in full tiles yet ---- */

struct merkle_edge {
    uint64_t size;
    struct sha256 at[TILE_LEVELS][TILE_WIDTH]; /* of level L the first (size >> 8L) % 256 */
};
/* A tile is full; false stops, and nothing was added: the same leaf may be given again. */
typedef bool merkle_full(void *ctx, int level, uint64_t index, const struct sha256 *tile,
                         struct err *err);
bool merkle_add(struct merkle_edge *edge, const struct sha256 *leaf, merkle_full *full, void *ctx,
                struct err *err) MUST_CHECK;
struct sha256 merkle_root(const struct merkle_edge *edge);

/* ---- proofs, from tiles ---- */

/* *tile has `width` hashes and stays valid until the next call. */
typedef bool merkle_tile(void *ctx, int level, uint64_t index, uint32_t width,
                         const struct sha256 **tile, struct err *err);
struct merkle_source {
    merkle_tile *tile;
    void *ctx;
    uint64_t size; /* of the tree that the tiles are of: any proof is of this size or less */
};
struct merkle_proof {
    struct sha256 at[PROOF_HASHES];
    size_t count;
};
bool merkle_root_at(const struct merkle_source *from, uint64_t size, struct sha256 *out,
                    struct err *err) MUST_CHECK;
/* That leaf `index` is in the tree of `size`: index < size <= from->size. */
bool merkle_prove_leaf(const struct merkle_source *from, uint64_t index, uint64_t size,
                       struct merkle_proof *out, struct err *err) MUST_CHECK;
/* That the tree of `size` begins with the one of `old`: 0 < old <= size <= from->size. */
bool merkle_prove_growth(const struct merkle_source *from, uint64_t old, uint64_t size,
                         struct merkle_proof *out, struct err *err) MUST_CHECK;

/* ---- checking them: needs nothing but hashes ---- */

bool merkle_check_leaf(const struct merkle_proof *proof, uint64_t index, uint64_t size,
                       const struct sha256 *leaf, const struct sha256 *root) MUST_CHECK;
bool merkle_check_growth(const struct merkle_proof *proof, uint64_t old, uint64_t size,
                         const struct sha256 *old_root, const struct sha256 *root) MUST_CHECK;

#endif
