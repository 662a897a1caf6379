/* The tree from tiles against the definition of RFC 6962, taken word by word. */
#include "accounts/audit_merkle.h"
#include "base/buf.h"
#include "test.h"

#include <string.h>

#define SIZES  300u
#define MANY   66000u /* three levels of tiles */
#define LEAVES 1024u

/* ---- the naive tree ---- */

static struct sha256 naive_leaf(uint64_t i)
{
    char text[24];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_u64(&b, i);
    return merkle_leaf(buf_view(&b));
}

static struct sha256 naive_root(uint64_t lo, uint64_t n)
{
    uint64_t k = 1;

    if (n == 0)
        return sha256(STR(""));
    if (n == 1)
        return naive_leaf(lo);
    while (k * 2 < n)
        k *= 2;

    struct sha256 left = naive_root(lo, k), right = naive_root(lo + k, n - k);

    return merkle_node(&left, &right);
}

/* ---- tiles in memory ---- */

struct tiles {
    struct merkle_edge edge;
    struct sha256 full[3][MANY / TILE_WIDTH + 1][TILE_WIDTH];
    bool written[3][MANY / TILE_WIDTH + 1];
};

static bool keep(void *ctx, int level, uint64_t index, const struct sha256 *tile, struct err *err)
{
    struct tiles *tiles = ctx;
    (void)err;

    memcpy(tiles->full[level][index], tile, TILE_BYTES);
    tiles->written[level][index] = true;
    return true;
}

static bool show(void *ctx, int level, uint64_t index, uint32_t width, const struct sha256 **tile,
                 struct err *err)
{
    struct tiles *tiles = ctx;
    (void)err;

    EXPECT(width > 0 && (width < TILE_WIDTH) == !tiles->written[level][index]);
    *tile = width < TILE_WIDTH ? tiles->edge.at[level] : tiles->full[level][index];
    return true;
}

static void grow(struct tiles *tiles, uint64_t to)
{
    struct err err = {0};

    while (tiles->edge.size < to) {
        struct sha256 leaf = naive_leaf(tiles->edge.size);

        EXPECT(merkle_add(&tiles->edge, &leaf, keep, tiles, &err), "%s", err.text);
    }
}

/* RFC 6962, 2.1.3 and the empty string of FIPS 180. */
TEST(merkle_hashes_are_those_of_the_rfc)
{
    static const uint8_t empty[] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14};
    static const uint8_t no_bytes[] = {0x6e, 0x34, 0x0b, 0x9c, 0xff, 0xb3, 0x7a, 0x98};
    struct sha256 none = merkle_empty(), leaf = merkle_leaf(STR(""));

    EXPECT(memcmp(none.bytes, empty, sizeof empty) == 0);
    EXPECT(memcmp(leaf.bytes, no_bytes, sizeof no_bytes) == 0);
}

TEST(merkle_root_of_every_size_is_the_naive_one)
{
    static struct tiles tiles;
    struct merkle_source from = {show, &tiles, 0};
    struct err err = {0};

    memset(&tiles, 0, sizeof tiles);
    for (uint64_t n = 0; n <= SIZES; n++) {
        struct sha256 want = naive_root(0, n), edge, at;

        grow(&tiles, n);
        from.size = n;
        edge = merkle_root(&tiles.edge);
        EXPECT(sha256_equal(&edge, &want), "size %" PRIu64, n);
        EXPECT(merkle_root_at(&from, n, &at, &err) && sha256_equal(&at, &want), "size %" PRIu64, n);
    }
}

/* Every leaf of every tree up to SIZES, out of the tiles of a larger tree. */
TEST(merkle_proves_every_leaf_of_every_size)
{
    static struct tiles tiles;
    struct merkle_source from = {show, &tiles, LEAVES};
    static struct merkle_proof proof;
    struct err err = {0};
    uint64_t bad = 0;

    memset(&tiles, 0, sizeof tiles);
    grow(&tiles, LEAVES);
    for (uint64_t n = 1; n <= SIZES; n++) {
        struct sha256 root = naive_root(0, n);

        for (uint64_t i = 0; i < n; i++) {
            struct sha256 leaf = naive_leaf(i);
            bool ok = merkle_prove_leaf(&from, i, n, &proof, &err) &&
                      merkle_check_leaf(&proof, i, n, &leaf, &root);

            bad += !ok;
            /* What the proof does not say. */
            bad += merkle_check_leaf(&proof, i + 1, n, &leaf, &root);
            bad += merkle_check_leaf(&proof, i, n + n, &leaf, &root);
            if (proof.count) {
                proof.at[i % proof.count].bytes[i % 32] ^= 1;
                bad += merkle_check_leaf(&proof, i, n, &leaf, &root);
            }
        }
    }
    EXPECT(bad == 0, "%" PRIu64, bad);
}

TEST(merkle_proves_growth_between_all_sizes)
{
    static struct tiles tiles;
    static struct sha256 roots[SIZES + 1];
    struct merkle_source from = {show, &tiles, LEAVES};
    static struct merkle_proof proof;
    struct err err = {0};
    uint64_t bad = 0;

    memset(&tiles, 0, sizeof tiles);
    grow(&tiles, LEAVES);
    for (uint64_t n = 0; n <= SIZES; n++)
        roots[n] = naive_root(0, n);
    for (uint64_t n = 1; n <= SIZES; n++)
        for (uint64_t old = 1; old <= n; old++) {
            bool ok = merkle_prove_growth(&from, old, n, &proof, &err) &&
                      merkle_check_growth(&proof, old, n, &roots[old], &roots[n]);

            bad += !ok;
            bad += old < n && merkle_check_growth(&proof, old, n, &roots[old - 1], &roots[n]);
            bad += merkle_check_growth(&proof, old, n, &roots[old], &roots[n - 1]);
            if (proof.count) {
                proof.at[n % proof.count].bytes[old % 32] ^= 1;
                bad += merkle_check_growth(&proof, old, n, &roots[old], &roots[n]);
            }
        }
    EXPECT(bad == 0, "%" PRIu64, bad);
}

/* Sizes around the edges of tiles and of levels. */
TEST(merkle_proves_across_levels)
{
    static const uint64_t sizes[] = {1,     255,   256,   257,   511,   512,   65280,
                                     65281, 65535, 65536, 65537, 65792, 65999, MANY};
    static struct tiles tiles;
    struct merkle_source from = {show, &tiles, MANY};
    static struct merkle_proof proof;
    struct err err = {0};

    memset(&tiles, 0, sizeof tiles);
    grow(&tiles, MANY);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t k = 0; k <= i; k++) {
            struct sha256 root, old, leaf = naive_leaf(sizes[k] - 1);

            REQUIRE(merkle_root_at(&from, sizes[i], &root, &err));
            REQUIRE(merkle_root_at(&from, sizes[k], &old, &err));
            EXPECT(merkle_prove_leaf(&from, sizes[k] - 1, sizes[i], &proof, &err) &&
                   merkle_check_leaf(&proof, sizes[k] - 1, sizes[i], &leaf, &root));
            EXPECT(merkle_prove_growth(&from, sizes[k], sizes[i], &proof, &err) &&
                   merkle_check_growth(&proof, sizes[k], sizes[i], &old, &root));
        }
}

static bool refuse_second(void *ctx, int level, uint64_t index, const struct sha256 *tile,
                          struct err *err)
{
    bool *refuse = ctx;

    (void)index, (void)tile;
    return level == 0 || !*refuse || err_set(err, ERR_UNAVAILABLE, "the disk is full");
}

/* A tile that could not be kept: the leaf is given again and nothing is counted twice. */
TEST(merkle_leaf_that_failed_is_added_once)
{
    static struct merkle_edge edge;
    struct err err = {0};
    bool refuse = false;

    memset(&edge, 0, sizeof edge);
    for (uint64_t i = 0; i + 1 < TILE_WIDTH * TILE_WIDTH; i++) {
        struct sha256 leaf = naive_leaf(i);

        REQUIRE(merkle_add(&edge, &leaf, refuse_second, &refuse, &err));
    }

    struct sha256 last = naive_leaf(edge.size), want = naive_root(0, edge.size + 1), root;

    refuse = true;
    EXPECT(!merkle_add(&edge, &last, refuse_second, &refuse, &err));
    refuse = false;
    EXPECT(merkle_add(&edge, &last, refuse_second, &refuse, &err));
    root = merkle_root(&edge);
    EXPECT(edge.size == TILE_WIDTH * TILE_WIDTH && sha256_equal(&root, &want));
}
