#include "accounts/audit_merkle.h"

#include <string.h>

bool sha256_equal(const struct sha256 *a, const struct sha256 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct sha256 merkle_leaf(struct str record)
{
    return sha256_two((struct str){"\0", 1}, record);
}

struct sha256 merkle_node(const struct sha256 *left, const struct sha256 *right)
{
    char bytes[1 + 2 * SHA256_BYTES] = {1};

    memcpy(bytes + 1, left->bytes, SHA256_BYTES);
    memcpy(bytes + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
    return sha256((struct str){bytes, sizeof bytes});
}

struct sha256 merkle_empty(void)
{
    return sha256(STR(""));
}

struct sha256 merkle_fold(const struct sha256 *hashes, size_t count)
{
    if (count == 1)
        return *hashes;

    struct sha256 left = merkle_fold(hashes, count / 2);
    struct sha256 right = merkle_fold(hashes + count / 2, count / 2);

    return merkle_node(&left, &right);
}

/* The part of `size` that counts at a level: whole subtrees of 256^level leaves. */
static uint64_t width_of(uint64_t size, int level)
{
    return level < TILE_LEVELS ? size >> 8 * level : 0;
}

uint32_t merkle_tile_width(uint64_t size, int level, uint64_t index)
{
    uint64_t width = width_of(size, level), before = index * TILE_WIDTH;

    if (index > UINT64_MAX / TILE_WIDTH || width <= before)
        return 0;
    return (uint32_t)MIN_OF(width - before, (uint64_t)TILE_WIDTH);
}

/* ---- growing ---- */

/* All that can fail comes before the size moves, so that a leaf may be given again. */
bool merkle_add(struct merkle_edge *edge, const struct sha256 *leaf, merkle_full *full, void *ctx,
                struct err *err)
{
    uint64_t width = edge->size + 1;
    struct sha256 hash = *leaf;

    for (int level = 0;; level++, width /= TILE_WIDTH) {
        ASSERT(level < TILE_LEVELS);
        edge->at[level][(width - 1) % TILE_WIDTH] = hash;
        if (width % TILE_WIDTH)
            break;
        if (!full(ctx, level, width / TILE_WIDTH - 1, edge->at[level], err))
            return false;
        hash = merkle_fold(edge->at[level], TILE_WIDTH);
    }
    edge->size++;
    return true;
}

/* From the smallest subtree on the right to the largest on the left. */
struct sha256 merkle_root(const struct merkle_edge *edge)
{
    struct sha256 root = {0};
    bool some = false;

    for (int level = 0; level < TILE_LEVELS; level++) {
        size_t have = width_of(edge->size, level) % TILE_WIDTH;

        for (size_t part = 1; part < TILE_WIDTH; part *= 2) {
            if (!(have & part))
                continue;
            have -= part;

            struct sha256 left = merkle_fold(edge->at[level] + have, part);

            root = some ? merkle_node(&left, &root) : left;
            some = true;
        }
    }
    return some ? root : merkle_empty();
}

/* ---- proofs ---- */

/* The hash of the leaves from `index << height` on, 2^height of them. */
static bool subtree(const struct merkle_source *from, int height, uint64_t index,
                    struct sha256 *out, struct err *err)
{
    int level = height / 8, part = height % 8;
    uint64_t first = index << part, tile = first / TILE_WIDTH;
    const struct sha256 *hashes;
    uint32_t width = merkle_tile_width(from->size, level, tile);

    ASSERT(first % TILE_WIDTH + ((uint64_t)1 << part) <= width);
    if (!from->tile(from->ctx, level, tile, width, &hashes, err))
        return false;
    *out = merkle_fold(hashes + first % TILE_WIDTH, (size_t)1 << part);
    return true;
}

static int height_of(uint64_t n) /* of a power of two */
{
    return __builtin_ctzll(n);
}

/* The largest power of two below n. */
static uint64_t split_of(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* The leaves from lo up to hi, where lo is a multiple of the power of two that hi - lo fits in. */
static bool range(const struct merkle_source *from, uint64_t lo, uint64_t hi, struct sha256 *out,
                  struct err *err)
{
    uint64_t n = hi - lo;
    struct sha256 left, right;

    if ((n & (n - 1)) == 0)
        return subtree(from, height_of(n), lo >> height_of(n), out, err);

    uint64_t k = split_of(n);

    if (!subtree(from, height_of(k), lo >> height_of(k), &left, err) ||
        !range(from, lo + k, hi, &right, err))
        return false;
    *out = merkle_node(&left, &right);
    return true;
}

bool merkle_root_at(const struct merkle_source *from, uint64_t size, struct sha256 *out,
                    struct err *err)
{
    ASSERT(size <= from->size);
    if (size)
        return range(from, 0, size, out, err);
    *out = merkle_empty();
    return true;
}

static bool add_range(const struct merkle_source *from, uint64_t lo, uint64_t hi,
                      struct merkle_proof *out, struct err *err)
{
    ASSERT(out->count < PROOF_HASHES);
    if (!range(from, lo, hi, &out->at[out->count], err))
        return false;
    out->count++;
    return true;
}

/* RFC 6962, 2.1.1: the neighbour of each subtree around the leaf, innermost first. */
static bool path(const struct merkle_source *from, uint64_t index, uint64_t lo, uint64_t hi,
                 struct merkle_proof *out, struct err *err)
{
    if (hi - lo == 1)
        return true;

    uint64_t middle = lo + split_of(hi - lo);

    if (index < middle)
        return path(from, index, lo, middle, out, err) && add_range(from, middle, hi, out, err);
    return path(from, index, middle, hi, out, err) && add_range(from, lo, middle, out, err);
}

bool merkle_prove_leaf(const struct merkle_source *from, uint64_t index, uint64_t size,
                       struct merkle_proof *out, struct err *err)
{
    ASSERT(index < size && size <= from->size);
    out->count = 0;
    return path(from, index, 0, size, out, err);
}

/* RFC 6962, 2.1.2. `whole`: the part up to `old` is the old tree itself, whose root is known. */
static bool growth(const struct merkle_source *from, uint64_t old, uint64_t lo, uint64_t hi,
                   bool whole, struct merkle_proof *out, struct err *err)
{
    if (old == hi)
        return whole || add_range(from, lo, hi, out, err);

    uint64_t middle = lo + split_of(hi - lo);

    if (old <= middle)
        return growth(from, old, lo, middle, whole, out, err) &&
               add_range(from, middle, hi, out, err);
    return growth(from, old, middle, hi, false, out, err) && add_range(from, lo, middle, out, err);
}

bool merkle_prove_growth(const struct merkle_source *from, uint64_t old, uint64_t size,
                         struct merkle_proof *out, struct err *err)
{
    ASSERT(old > 0 && old <= size && size <= from->size);
    out->count = 0;
    return growth(from, old, 0, size, true, out, err);
}

/* ---- checking ---- */

/* RFC 9162, 2.1.3.2. */
bool merkle_check_leaf(const struct merkle_proof *proof, uint64_t index, uint64_t size,
                       const struct sha256 *leaf, const struct sha256 *root)
{
    uint64_t fn = index, sn = size - 1;
    struct sha256 hash = *leaf;

    if (index >= size)
        return false;
    for (size_t i = 0; i < proof->count; i++) {
        if (!sn)
            return false;
        if (fn & 1 || fn == sn) {
            hash = merkle_node(&proof->at[i], &hash);
            for (; !(fn & 1) && fn; fn >>= 1)
                sn >>= 1;
        } else {
            hash = merkle_node(&hash, &proof->at[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && sha256_equal(&hash, root);
}

/* RFC 9162, 2.1.4.2. */
bool merkle_check_growth(const struct merkle_proof *proof, uint64_t old, uint64_t size,
                         const struct sha256 *old_root, const struct sha256 *root)
{
    uint64_t fn = old - 1, sn = size - 1;
    size_t at = 0;

    if (!old || old > size)
        return false;
    if (old == size)
        return proof->count == 0 && sha256_equal(old_root, root);
    for (; fn & 1; fn >>= 1)
        sn >>= 1;

    bool known = (old & (old - 1)) == 0;

    if (!known && !proof->count)
        return false;

    struct sha256 was = known ? *old_root : proof->at[at++], is = was;

    for (; at < proof->count; at++) {
        if (!sn)
            return false;
        if (fn & 1 || fn == sn) {
            was = merkle_node(&proof->at[at], &was);
            is = merkle_node(&proof->at[at], &is);
            for (; !(fn & 1) && fn; fn >>= 1)
                sn >>= 1;
        } else {
            is = merkle_node(&is, &proof->at[at]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && sha256_equal(&was, old_root) && sha256_equal(&is, root);
}
